//! A front with a worker behind it, and a client that is no HTTP library.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mediapackage2mqtt::http::{Answer, Answers, Front, Limits, Request, Tls};

/// Only a broken front lets a test wait as long.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any test: what such a limit ends, something else has to.
pub const NEVER: Duration = Duration::from_secs(3600);

/// Limits that time never hits.
pub fn timeless() -> Limits {
    Limits {
        request_time_max: NEVER,
        idle_time_max: NEVER,
        answer_time_max: NEVER,
        send_time_max: NEVER,
        ..Limits::default()
    }
}

/// A front on a loopback port. It ends with this.
pub struct Rig {
    pub port: u16,
    pub answers: Answers,
    refused: Arc<Mutex<Vec<u16>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Rig {
    /// The worker sends back what it got, see [`echo`].
    pub fn echo(limits: Limits, tls: Option<Tls>) -> Rig {
        let (mut rig, requests) = Rig::by_hand(limits, tls, 64);
        let answers = rig.answers.clone();
        rig.threads.push(std::thread::spawn(move || {
            for request in requests {
                answers.send(request.id, echo(&request));
            }
        }));
        rig
    }

    /// The test is the worker; the channel to it has room for so many requests.
    pub fn by_hand(limits: Limits, tls: Option<Tls>, room: usize) -> (Rig, Receiver<Request>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Rig::over(listener, limits, tls, room)
    }

    /// The same for a listener that has peers waiting already.
    pub fn over(
        listener: TcpListener,
        limits: Limits,
        tls: Option<Tls>,
        room: usize,
    ) -> (Rig, Receiver<Request>) {
        let port = listener.local_addr().unwrap().port();
        let (front, answers) = Front::new(listener, limits, tls).unwrap();
        let (sender, requests) = sync_channel(room);
        let refused = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&refused);
        let run = move || {
            let deliver = |request| sender.try_send(request).is_ok();
            let refused = |status| list.lock().unwrap().push(status);
            front.run(deliver, refused).unwrap();
        };
        let rig = Rig {
            port,
            answers,
            refused,
            threads: vec![std::thread::spawn(run)],
        };
        (rig, requests)
    }

    pub fn client(&self) -> Client<TcpStream> {
        Client::new(connect(self.port))
    }

    /// What the front said that it refused.
    pub fn refused(&self) -> Vec<u16> {
        self.refused.lock().unwrap().clone()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.answers.stop();
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "it panicked");
        }
    }
}

/// `METHOD target body`; of `/large/<n>` as many bytes.
pub fn echo(request: &Request) -> Answer {
    let mut answer = Answer::empty(200);
    let body = match request.path.strip_prefix("/large/") {
        Some(bytes) => vec![b'x'; bytes.parse().unwrap()],
        None => [
            format!("{} {} ", request.method, request.path).as_bytes(),
            &request.body,
        ]
        .concat(),
    };
    answer.body = body.into();
    answer
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// An answer as it came.
#[derive(Debug, Default, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// One connection.
pub struct Client<S> {
    pub stream: S,
    got: Vec<u8>,
}

impl<S: Read + Write> Client<S> {
    pub fn new(stream: S) -> Client<S> {
        Client {
            stream,
            got: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next answer with its body.
    pub fn answer(&mut self) -> Reply {
        let mut reply = self.head();
        let lengths = reply.head.lines();
        let lengths = lengths.filter_map(|line| line.strip_prefix("Content-Length: "));
        let length = lengths
            .map(|text| text.parse().unwrap())
            .next()
            .unwrap_or(0);
        while self.got.len() < length {
            assert!(self.read() > 0, "the body of {reply:?} breaks off");
        }
        let body = self.got.drain(..length).collect();
        reply.body = String::from_utf8(body).unwrap();
        reply
    }

    /// The next answer as far as its empty line.
    pub fn head(&mut self) -> Reply {
        let end = loop {
            let end = self.got.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            let text = String::from_utf8_lossy(&self.got).into_owned();
            assert!(self.read() > 0, "closed without an answer: {text:?}");
        };
        let head = String::from_utf8(self.got.drain(..end).collect()).unwrap();
        Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: String::new(),
        }
    }

    pub fn ask(&mut self, request: &str) -> String {
        self.send(request);
        self.answer().body
    }

    /// Waits until the front closes, without a byte more.
    pub fn awaits_end(&mut self) {
        let count = self.read();
        let text = String::from_utf8_lossy(&self.got);
        assert_eq!((count, &*text), (0, ""), "more than the end came");
    }

    /// 0 at the end, with or without a goodbye.
    fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.got.extend_from_slice(&bytes[..count]);
                count
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => 0,
                _ => panic!("nothing came within {PATIENCE:?}: {error}"),
            },
        }
    }
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

pub fn post(body: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Waits for something that has to come.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
