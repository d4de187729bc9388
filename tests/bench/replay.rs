//! A region that costs next to nothing while the agent is measured: the simulated region's
//! answers, made when they are first asked for and given again as the same bytes.
//!
//! Data points are the one thing that moves. Whoever begins to list channels begins a cycle, and
//! with each cycle a minute passes: so every cycle brings one newly settled minute, however
//! quickly one follows the other. Values repeat after an hour.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::str::from_utf8;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::activity::Activity;
use crate::points::{self, Row};
use crate::region::server::{Answer, Request};
use crate::region::{Seen, World, cloudwatch, mediapackage};

const PIECE_BYTES: usize = 64 * 1024;
const MEDIA_TYPE: &str = "application/x-amz-json-1.0";
const TARGET: &str = "GraniteServiceVersion20100801.";

/// What was asked so far.
#[derive(Clone, Default)]
pub struct Tally {
    pub requests: u64,
    /// Metrics that AWS would bill.
    pub metrics: u64,
    /// Cycles that began.
    pub cycles: usize,
}

/// Ends with its process.
pub struct Replay {
    inside: Arc<Inside>,
    port: u16,
}

struct Inside {
    world: World,
    began_minute: i64,
    kept: Mutex<HashMap<u64, Arc<Kept>>>,
    tally: Mutex<Tally>,
    activity: Activity,
}

/// An answer, or what it is made of.
enum Kept {
    Whole(Vec<u8>),
    Points(Vec<Row>),
}

/// A request: its parts, and what is done.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    operation: &'a str,
    body: &'a [u8],
}

impl Replay {
    pub fn start(world: World, activity: Activity) -> Replay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = Arc::new(Inside {
            began_minute: world.minute(),
            world,
            kept: Mutex::default(),
            tally: Mutex::default(),
            activity,
        });
        let shared = inside.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let inside = shared.clone();
                // It ends when the client leaves.
                std::thread::spawn(move || drop(inside.serve(stream)));
            }
        });
        Replay { inside, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn tally(&self) -> Tally {
        lock(&self.inside.tally).clone()
    }
}

impl Inside {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut inbox, mut out) = (Vec::new(), Vec::new());
        loop {
            let head = loop {
                if let Some(at) = find(&inbox, b"\r\n\r\n") {
                    break at + 4;
                }
                fill(&mut stream, &mut inbox)?;
            };
            let end = head + content_length(&inbox[..head]);
            while inbox.len() < end {
                fill(&mut stream, &mut inbox)?;
            }
            out.clear();
            self.answer(&inbox[..head], &inbox[head..end], &mut out);
            stream.write_all(&out)?;
            inbox.drain(..end);
            self.activity.note(Instant::now());
        }
    }

    fn answer(&self, head: &[u8], body: &[u8], out: &mut Vec<u8>) {
        self.activity.note(Instant::now());
        let asked = Asked::read(from_utf8(head).unwrap(), body);
        let minute = self.count(&asked);
        let times = asked.times();
        let key = asked.key(times.as_ref());
        let kept = lock(&self.kept).get(&key).cloned();
        let kept = kept.unwrap_or_else(|| {
            let made = Arc::new(self.make(&asked));
            lock(&self.kept).insert(key, made.clone());
            made
        });
        let points;
        let body = match &*kept {
            Kept::Whole(body) => body.as_slice(),
            Kept::Points(rows) => {
                let times = times.unwrap_or_else(|| panic!("data points without a window"));
                lock(&self.tally).metrics += rows.len() as u64;
                let end = times.end.min(minute);
                points = points::write(rows, times.start.min(end)..end);
                points.as_bytes()
            }
        };
        let (date, length) = (http_date(minute * 60 + 30), body.len());
        let _ = write!(
            out,
            "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: {MEDIA_TYPE}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        out.extend_from_slice(body);
    }

    /// Counts a request; the minute that the region's clock is in.
    fn count(&self, asked: &Asked) -> i64 {
        let mut tally = lock(&self.tally);
        tally.requests += 1;
        if asked.operation == "ListChannels" && !asked.query.contains("nextToken") {
            tally.cycles += 1;
        }
        self.began_minute + tally.cycles as i64
    }

    fn make(&self, asked: &Asked) -> Kept {
        if asked.operation != "GetMetricData" {
            return Kept::Whole(self.ask(asked).body);
        }
        let body: Value = serde_json::from_slice(asked.body).unwrap();
        let queries = body["MetricDataQueries"].as_array().unwrap();
        Kept::Points(
            queries
                .iter()
                .map(|query| Row::new(&self.world, query))
                .collect(),
        )
    }

    /// What the simulated region answers.
    fn ask(&self, asked: &Asked) -> Answer {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let request = Request {
            method: asked.method.to_owned(),
            path: asked.path.to_owned(),
            query: asked.query.to_owned(),
            headers: vec![
                header("x-amz-target", format!("{TARGET}{}", asked.operation)),
                header("content-type", MEDIA_TYPE.to_owned()),
            ],
            body: asked.body.to_vec(),
            port: 0,
        };
        let mut seen = Seen {
            operation: asked.operation.to_owned(),
            ..Seen::default()
        };
        let answer = match asked.method {
            "GET" => mediapackage::serve(&self.world, &request, &mut seen),
            _ => cloudwatch::serve(&self.world, &request, &mut seen),
        };
        answer.unwrap_or_else(|refusal| panic!("{}: {}", asked.operation, refusal.code))
    }
}

impl<'a> Asked<'a> {
    fn read(head: &'a str, body: &'a [u8]) -> Asked<'a> {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let named = header(head, "x-amz-target").and_then(|name| name.strip_prefix(TARGET));
        Asked {
            method,
            path,
            query,
            operation: named.unwrap_or_else(|| listed(path)),
            body,
        }
    }

    /// The minutes that data points are asked of.
    fn times(&self) -> Option<Range<i64>> {
        let minute = |(seconds, _): (f64, Range<usize>)| (seconds / 60.0).floor() as i64;
        let start = self.number("StartTime").map(minute)?;
        Some(start..self.number("EndTime").map(minute)?)
    }

    /// A number of the body, and where it stands.
    fn number(&self, name: &str) -> Option<(f64, Range<usize>)> {
        let found = self
            .body
            .windows(name.len())
            .rposition(|part| part == name.as_bytes());
        let behind = found? + name.len();
        let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let begin = behind + self.body[behind..].iter().position(is_digit)?;
        let end = begin
            + self.body[begin..]
                .iter()
                .take_while(|byte| is_digit(byte))
                .count();
        let number = from_utf8(&self.body[begin..end]).ok()?.parse().ok()?;
        Some((number, begin..end))
    }

    /// The same for requests that have the same answer, but for their times.
    fn key(&self, times: Option<&Range<i64>>) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.path, self.query, self.operation).hash(&mut hasher);
        let mut without = [(0, 0); 2];
        if times.is_some() {
            let places = ["StartTime", "EndTime"].map(|name| self.number(name).unwrap().1);
            without = places.map(|place| (place.start, place.end));
            without.sort_unstable();
        }
        let [(first, first_end), (second, second_end)] = without;
        self.body[..first].hash(&mut hasher);
        self.body[first_end..second].hash(&mut hasher);
        self.body[second_end..].hash(&mut hasher);
        hasher.finish()
    }
}

fn listed(path: &str) -> &'static str {
    match path {
        "/channels" => "ListChannels",
        "/origin_endpoints" => "ListOriginEndpoints",
        "/harvest_jobs" => "ListHarvestJobs",
        _ => panic!("nobody asks for {path}"),
    }
}

fn fill(stream: &mut TcpStream, inbox: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = [0; PIECE_BYTES];
    let count = stream.read(&mut piece)?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    inbox.extend_from_slice(&piece[..count]);
    Ok(())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
    let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(found.1.trim())
}

fn content_length(head: &[u8]) -> usize {
    let length = header(from_utf8(head).unwrap(), "content-length");
    length.map_or(0, |length| length.parse().unwrap())
}

/// `Sun, 22 Nov 2026 10:00:00 GMT` (RFC 9110 section 5.6.7).
fn http_date(seconds: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let text = at.format(&time::format_description::well_known::Rfc2822);
    text.unwrap().replace("+0000", "GMT")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
