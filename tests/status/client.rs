//! Asks the page as a browser does, with nothing in between that would mend it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::ports::connect;

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    /// With names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body, which has to be JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Asks for a path.
pub fn get(port: u16, path: &str) -> Reply {
    ask(port, "GET", path, &[("Host", "localhost")])
}

/// Asks with these headers and no others.
pub fn ask(port: u16, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let reply = try_to_ask(port, method, target, headers);
    reply.unwrap_or_else(|| panic!("{method} {target}: no answer"))
}

/// The same; `None` when nobody answers.
pub fn try_to_ask(
    port: u16,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Option<Reply> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut stream = connect(port).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    read(&mut stream)
}

/// Reads an answer up to the end of the connection.
pub fn read(stream: &mut TcpStream) -> Option<Reply> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let reply = Reply {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    };
    let length = reply.header("content-length");
    let is_whole = length.is_empty() || length == body.len().to_string();
    assert!(is_whole || body.is_empty(), "the body breaks off: {head}");
    Some(reply)
}
