//! A server on loopback that answers one request after the other with what the test wrote
//! down, and a config that leads to it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test takes what it needs of this, and stops at a surprise"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use mediapackage2mqtt::aws::{AwsClock, Clients, Limits, Stop};
use mediapackage2mqtt::config::{
    AlarmsKept, Apis, CloudWatch, Config, HomeAssistant, Keys, MediaPackage, MetricsLevel, Mqtt,
    Proxy, Secret, ServiceUrl,
};
use mediapackage2mqtt::state::time::UnixMs;

/// 2026-11-22T10:00:00Z, what the agent's clock shows in these tests.
pub const NOON: UnixMs = UnixMs(1_795_341_600_000);

/// What the server does with one request.
pub enum Reply {
    /// Writes this and closes.
    Bytes(Vec<u8>),
    /// Writes this, and then blanks for as long as anybody reads.
    Endless(Vec<u8>),
    /// Writes this, and then a blank now and then.
    Trickle(Vec<u8>),
    /// Writes nothing and waits for the other side to go.
    Hang,
}

/// A whole answer.
pub fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    Reply::Bytes(format!("{head}{headers}\r\n{body}").into_bytes())
}

/// The requests that reach a server, head and body as one text.
pub struct Server {
    pub port: u16,
    requests: Receiver<String>,
}

impl Server {
    /// Answers one connection with each of `replies`, then no more.
    pub fn start(replies: Vec<Reply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = mpsc::sync_channel(100);
        thread::spawn(move || {
            for reply in replies {
                let (mut stream, _) = listener.accept().unwrap();
                sender.send(read_request(&stream)).unwrap();
                write_reply(&mut stream, reply);
            }
        });
        Server { port, requests }
    }

    /// The next request; waits for it.
    pub fn request(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// All requests that have come and were not asked for yet.
    pub fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") && reader.read_line(&mut text).unwrap() > 0 {}
    let length = header(&text, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    text + &String::from_utf8(body).unwrap()
}

fn write_reply(stream: &mut TcpStream, reply: Reply) {
    // The other side may hang up whenever it likes.
    match reply {
        Reply::Bytes(bytes) => drop(stream.write_all(&bytes)),
        Reply::Endless(head) => {
            let mut open = stream.write_all(&head).is_ok();
            while open {
                open = stream.write_all(&[b' '; 4096]).is_ok();
            }
        }
        Reply::Trickle(head) => {
            let mut open = stream.write_all(&head).is_ok();
            while open {
                thread::sleep(Duration::from_millis(20));
                open = stream.write_all(b" ").is_ok();
            }
        }
        Reply::Hang => drop(stream.read(&mut [0])),
    }
}

/// The value of a header in the text of a request.
pub fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let pairs = request.lines().filter_map(|line| line.split_once(':'));
    let mut values = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim())
}

/// A service on this machine.
pub fn url(scheme: &str, port: u16) -> ServiceUrl {
    ServiceUrl {
        text: format!("{scheme}://localhost:{port}"),
        tls: scheme == "https",
        host: String::from("localhost"),
        port,
        loopback: true,
    }
}

/// A config with both services at `service`, reached directly, and keys of its own.
pub fn config(service: &ServiceUrl) -> Config {
    let second = Duration::from_secs(1);
    Config {
        file: PathBuf::from("config.toml"),
        region: String::from("eu-west-1"),
        instance: String::from("eu-west-1"),
        state_dir: PathBuf::from("state"),
        log: log::LevelFilter::Info,
        ca_file: None,
        credentials: Some(Keys {
            access_key_id: String::from("AKIDFROMCONFIG"),
            secret_access_key: Secret::new("secret-from-config"),
            session_token: None,
        }),
        iot: None,
        assume_role: None,
        mediapackage: MediaPackage {
            apis: Apis {
                v1: true,
                v2: false,
                vod: false,
            },
            url: service.clone(),
            v2_url: service.clone(),
            vod_url: service.clone(),
            interval: second,
            proxy: Proxy::None,
            include: Vec::new(),
            exclude: Vec::new(),
        },
        cloudwatch: CloudWatch {
            url: service.clone(),
            interval: second,
            alarms_interval: second,
            proxy: Proxy::None,
            metrics: MetricsLevel::Standard,
            settle: second,
            ingest_lost_after: second,
            alarms: AlarmsKept::All,
            alarm_include: Vec::new(),
            alarm_exclude: Vec::new(),
            monthly_budget_usd: 0.0,
            price_per_1000_metrics_usd: 0.01,
        },
        sns: None,
        sqs: None,
        mqtt: mqtt(),
        home_assistant: HomeAssistant {
            enabled: false,
            discovery_prefix: String::new(),
        },
        status: None,
        warnings: Vec::new(),
    }
}

fn mqtt() -> Mqtt {
    Mqtt {
        tls: false,
        host: String::from("localhost"),
        port: 1883,
        username: None,
        password: None,
        ca_file: None,
        cert_file: None,
        key_file: None,
        base_topic: String::from("mediapackage"),
        client_id: String::from("test"),
        max_publishes_per_second: 0,
        flat: false,
    }
}

/// Everything a test holds on one side of a connection.
pub struct Bench {
    pub server: Server,
    pub clients: Clients,
    pub clock: AwsClock,
    pub stop: Stop,
}

/// Clients whose clock stands at [`NOON`] and a server with these replies.
pub fn bench(replies: Vec<Reply>) -> Bench {
    bench_with(replies, Limits::default(), |_| {}, &BTreeMap::new())
}

/// The same with other limits, a config changed by `change`, and an environment.
pub fn bench_with(
    replies: Vec<Reply>,
    limits: Limits,
    change: impl FnOnce(&mut Config),
    env: &BTreeMap<String, String>,
) -> Bench {
    let server = Server::start(replies);
    let mut config = config(&url("http", server.port));
    change(&mut config);
    let (clock, stop) = (AwsClock::new(|| NOON), Stop::new());
    let clients = Clients::with_limits(&config, env, clock.clone(), stop.clone(), limits).unwrap();
    Bench {
        server,
        clients,
        clock,
        stop,
    }
}
