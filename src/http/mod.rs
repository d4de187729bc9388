//! The bounded server front, for the SNS listener and the local page: HTTP/1.0 and 1.1, plain
//! or over TLS, on a port that anybody may reach.
//!
//! One thread runs [`Front::run`]. It takes connections, gathers whole requests and hands them
//! over; whoever works on one answers through [`Answers`] from any thread. It waits for nobody:
//! not for a peer, not for a worker.
//!
//! # What holds
//!
//! - Every place, byte and second has a limit in [`Limits`], whatever the peers do.
//! - What is incomplete never keeps anything complete waiting. When places run out the oldest
//!   unfinished request goes, when the memory of bodies runs out the largest unfinished body. So
//!   a small request gets through while large ones drip: when 64 connections share 8 MiB, the
//!   largest body is never below 128 KiB.
//! - A request that was handed over keeps its place until it is answered.
//! - A request that is late is closed without a word. AWS takes a 4xx (408 too) for its last
//!   word and drops the message, and tries again after a connection that broke or a 5xx (SNS
//!   developer guide, "Amazon SNS message delivery retries").
//! - An answer of the front itself (400, 411, 413, 417, 431, 503, 505) ends the connection.
//!
//! # What is not spoken
//!
//! Chunked bodies (411), trailers, upgrades, HTTP/2, trust in the names of proxies.

mod answers;
mod connection;
mod front;
pub mod head;
mod room;
mod tls;
mod wire;

use std::net::IpAddr;
use std::time::Duration;

pub use answers::{Answer, Answers};
pub use front::Front;
pub use tls::Tls;

use room::Held;

/// What a peer may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections_max: usize,
    /// Header lines of a request.
    pub headers_max: usize,
    /// Bytes of a request's head, its empty line included.
    pub head_bytes_max: usize,
    /// Bytes of a body.
    pub body_bytes_max: usize,
    /// Bytes of all bodies together: those on their way, and those handed over until their
    /// [`Request`] is dropped.
    pub bodies_bytes_max: usize,
    /// From the first byte of a request to its last. A TLS handshake has as much for itself.
    pub request_time_max: Duration,
    /// From one request to the next, and from the connection to its first.
    pub idle_time_max: Duration,
    /// Until a request that was handed over is answered; then the front says 503 itself.
    pub answer_time_max: Duration,
    /// From the first byte of an answer to its last: for a peer that does not read.
    pub send_time_max: Duration,
    /// The files of the certificate are looked at no more often than this.
    pub certificate_look_interval: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 64,
            headers_max: 32,
            head_bytes_max: 8 << 10,
            body_bytes_max: 5 << 19,
            bodies_bytes_max: 8 << 20,
            request_time_max: Duration::from_secs(5),
            idle_time_max: Duration::from_secs(5),
            answer_time_max: Duration::from_secs(9),
            send_time_max: Duration::from_secs(10),
            certificate_look_interval: Duration::from_secs(5),
        }
    }
}

/// Names a request until it is answered. No two requests of a front have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestId {
    place: usize,
    serial: u64,
}

/// A whole request.
#[derive(Debug)]
pub struct Request {
    /// What [`Answers::send`] needs.
    pub id: RequestId,
    /// Who sent it; an IPv4 address is one, also on a socket for both.
    pub peer: IpAddr,
    /// As sent: `POST`.
    pub method: String,
    /// The target as sent, with its query: `/`, also `http://host/` and `*`.
    pub path: String,
    /// In their order, names in lower case. Bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body; it counts for `bodies_bytes_max` until the request is dropped.
    pub body: Vec<u8>,
    _held: Option<Held>,
}

impl Request {
    /// A request that came through no front, for trying out what works on them.
    pub fn new(method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Request {
        let owned = |(name, value): &(&str, &str)| (name.to_ascii_lowercase(), value.to_string());
        Request {
            id: RequestId::default(),
            peer: IpAddr::from([127, 0, 0, 1]),
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.iter().map(owned).collect(),
            body,
            _held: None,
        }
    }

    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}
