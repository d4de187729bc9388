//! The least of MQTT 3.1.1: subscribers that note when messages came, and a publisher that sends
//! as fast as it is acknowledged. None costs much beside what is measured.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::activity::Activity;
use crate::harness::{LIMIT, PREFIX};
use crate::support::ports::connect;

/// What waits for [`Ear::hear`]; more than is ever posted.
const HEARD_MAX: usize = 1 << 17;
const RECONNECT_PAUSE: Duration = Duration::from_millis(1);
/// Publications of the publisher that wait for their acknowledgement: as many as the agent's.
const IN_FLIGHT_MAX: usize = 64;
/// About what a message of the region becomes.
const PAYLOAD_BYTES: usize = 900;

const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBACK: u8 = 0x90;
const CLEAN_SESSION: u8 = 2;

/// Hears every `sns/message`. It ends with its broker's process.
pub struct Ear {
    heard: Receiver<(String, Instant)>,
}

impl Ear {
    /// Returns when it is subscribed. One that `keeps` its session misses nothing while the
    /// broker is away.
    pub fn start(port: u16, keeps: bool) -> Ear {
        let (tell, heard) = sync_channel(HEARD_MAX);
        subscribe(
            port,
            &format!("{PREFIX}sns/message"),
            keeps,
            move |body, at| {
                let _ = tell.try_send((message_id(body), at));
            },
        );
        Ear { heard }
    }

    /// Waits for so many different messages: when each came first.
    ///
    /// # Panics
    ///
    /// When one is missing.
    pub fn hear(&self, count: usize) -> HashMap<String, Instant> {
        let mut all = HashMap::new();
        while all.len() < count {
            let Ok((id, at)) = self.heard.recv_timeout(LIMIT) else {
                panic!("{} of {count} messages came", all.len());
            };
            all.entry(id).or_insert(at);
        }
        all
    }
}

/// What came on all topics, and when.
#[derive(Default)]
pub struct Heard {
    pub messages: u64,
    pub first: Option<Instant>,
    /// The first one that tells of a channel.
    pub channel: Option<Instant>,
    /// Every topic.
    pub topics: HashSet<String>,
}

/// Counts everything that is published. It ends with its broker's process.
pub struct Counter(Arc<Mutex<Heard>>);

impl Counter {
    /// Returns when it is subscribed.
    pub fn start(port: u16, activity: Activity) -> Counter {
        let heard = Arc::<Mutex<Heard>>::default();
        let counted = heard.clone();
        subscribe(port, "#", false, move |body, at| {
            let mut heard = counted.lock().unwrap_or_else(PoisonError::into_inner);
            activity.note(at);
            heard.messages += 1;
            heard.first.get_or_insert(at);
            let topic = topic(body);
            if heard.channel.is_none() && topic.contains("/channel/") {
                heard.channel = Some(at);
            }
            if !heard.topics.contains(topic) {
                heard.topics.insert(topic.to_owned());
            }
        });
        Counter(heard)
    }

    /// Looks at what came so far.
    pub fn look<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Subscribes on a thread of its own, again whenever the broker is back; returns when it is
/// subscribed.
fn subscribe(
    port: u16,
    filter: &str,
    keeps: bool,
    mut hear: impl FnMut(&[u8], Instant) + Send + 'static,
) {
    let (ready, subscribed) = sync_channel(1);
    let quality = u8::from(keeps);
    let mut body = vec![0, 1];
    body.extend(string(filter));
    body.push(quality);
    std::thread::spawn(move || {
        loop {
            if let Ok(mut line) = Line::open(port, "ear", keeps)
                && line.stream.write_all(&packet(0x82, &body)).is_ok()
            {
                // It ends when the broker does.
                let _ = listen(line, &ready, &mut hear);
            }
            std::thread::sleep(RECONNECT_PAUSE);
        }
    });
    subscribed.recv_timeout(LIMIT).unwrap();
}

fn listen(
    mut line: Line,
    ready: &SyncSender<()>,
    hear: &mut impl FnMut(&[u8], Instant),
) -> io::Result<()> {
    loop {
        let mut acknowledged = Vec::new();
        let at = line.fill()?;
        while let Some((kind, body)) = line.next() {
            match kind & 0xf0 {
                SUBACK => drop(ready.try_send(())),
                PUBLISH => {
                    if kind & 6 != 0 {
                        acknowledged.extend([PUBACK, 2]);
                        acknowledged.extend(packet_id(&body));
                    }
                    hear(&body, at);
                }
                _ => {}
            }
        }
        line.stream.write_all(&acknowledged)?;
    }
}

/// Publishes that many messages, QoS 1: how long the broker took to acknowledge all.
pub fn flood(port: u16, count: usize) -> Duration {
    let mut line = Line::open(port, "flood", false).unwrap();
    let publications: Vec<Vec<u8>> = (0..count).map(publication).collect();
    let began = Instant::now();
    let (mut sent, mut done) = (0, 0);
    while done < count {
        let upto = count.min(done + IN_FLIGHT_MAX);
        let batch = publications[sent..upto].concat();
        sent = upto;
        line.stream.write_all(&batch).unwrap();
        line.fill().unwrap();
        while line.next().is_some() {
            done += 1;
        }
    }
    began.elapsed()
}

fn publication(n: usize) -> Vec<u8> {
    let mut body = string(&format!("{PREFIX}sns/message"));
    let id = u16::try_from(n % 65_535 + 1).unwrap();
    body.extend(id.to_be_bytes());
    let head = format!("{{\"message_id\":\"{n:036}\",\"text\":\"");
    let text = "x".repeat(PAYLOAD_BYTES - head.len() - 2);
    body.extend(format!("{head}{text}\"}}").into_bytes());
    packet(PUBLISH | 2, &body)
}

fn topic(body: &[u8]) -> &str {
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    std::str::from_utf8(&body[2..2 + length]).unwrap_or_default()
}

/// Behind the topic of a publication of QoS 1.
fn packet_id(body: &[u8]) -> [u8; 2] {
    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
    [body[topic + 2], body[topic + 3]]
}

fn message_id(body: &[u8]) -> String {
    const KEY: &[u8] = b"\"message_id\":\"";
    let found = body.windows(KEY.len()).position(|part| part == KEY);
    let id = found.map(|at| &body[at + KEY.len()..][..36]);
    String::from_utf8_lossy(id.unwrap_or_default()).into_owned()
}

/// Length and text (MQTT 3.1.1 section 1.5.3).
fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// With its remaining length (section 2.2.3).
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut packet, mut left) = (vec![kind], body.len());
    while left > 127 {
        packet.push(left as u8 | 128);
        left >>= 7;
    }
    packet.push(left as u8);
    packet.extend(body);
    packet
}

/// A session.
struct Line {
    stream: TcpStream,
    inbox: Vec<u8>,
    /// Of `inbox`, what has been read.
    used: usize,
}

impl Line {
    fn open(port: u16, name: &str, keeps: bool) -> io::Result<Line> {
        let stream = connect(port)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(None)?;
        let mut line = Line {
            stream,
            inbox: Vec::new(),
            used: 0,
        };
        let flags = if keeps { 0 } else { CLEAN_SESSION };
        let mut body = string("MQTT");
        body.extend([4, flags, 0, 0]);
        body.extend(string(name));
        line.stream.write_all(&packet(0x10, &body))?;
        while line.next().is_none_or(|(kind, _)| kind != CONNACK) {
            line.fill()?;
        }
        Ok(line)
    }

    /// Waits for more; when it came.
    fn fill(&mut self) -> io::Result<Instant> {
        let mut piece = [0; 64 * 1024];
        let count = self.stream.read(&mut piece)?;
        let at = Instant::now();
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.inbox.drain(..self.used);
        self.used = 0;
        self.inbox.extend_from_slice(&piece[..count]);
        Ok(at)
    }

    /// The next whole packet that is there.
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let bytes = &self.inbox[self.used..];
        let (mut length, mut at) = (0, 1);
        loop {
            let byte = usize::from(*bytes.get(at)?);
            length |= (byte & 127) << (7 * (at - 1));
            at += 1;
            if byte & 128 == 0 {
                break;
            }
        }
        let body = bytes.get(at..at + length)?.to_vec();
        let kind = bytes[0];
        self.used += at + length;
        Some((kind, body))
    }
}
