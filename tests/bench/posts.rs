//! Requests that are written beforehand, and a client that does nothing but send them.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::region::sns::signing::SignedMessage;
use crate::support::ports::connect;

/// A request as it goes over the wire.
pub struct Post {
    /// Of the message.
    pub id: String,
    bytes: Vec<u8>,
}

/// The request that brings this message to a loopback port.
pub fn post(message: &SignedMessage, port: u16) -> Post {
    let mut request = String::from("POST / HTTP/1.1\r\n");
    for (name, value) in &message.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let (length, body) = (message.body.len(), &message.body);
    let rest = format!("Host: 127.0.0.1:{port}\r\nContent-Length: {length}\r\n\r\n{body}");
    request.push_str(&rest);
    Post {
        id: message.message_id.clone(),
        bytes: request.into_bytes(),
    }
}

/// One connection that is kept.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub fn open(port: u16) -> Client {
        let stream = connect(port).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream }
    }

    /// Posts and waits for the 200, which has no body.
    ///
    /// # Panics
    ///
    /// When the answer is any other.
    pub fn post(&mut self, post: &Post) {
        self.stream.write_all(&post.bytes).unwrap();
        let (mut answer, mut used) = ([0; 1024], 0);
        while !answer[..used].ends_with(b"\r\n\r\n") {
            let count = self.stream.read(&mut answer[used..]).unwrap();
            assert!(count > 0, "no whole answer");
            used += count;
        }
        let text = String::from_utf8_lossy(&answer[..used]);
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        assert!(text.contains("keep-alive"), "{text}");
    }
}
