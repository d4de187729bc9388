//! Answers on their way to the client, and what happens to them there.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::super::faults::Fault;
use super::{Answer, Clients, Inside};

/// An answer, and how it comes.
pub struct Reply {
    /// What is said.
    pub answer: Answer,
    /// The fault of its delivery.
    pub fault: Option<Fault>,
    /// The region's date.
    pub date: String,
    /// How long it takes.
    pub latency: Duration,
}

impl Reply {
    /// Head and body.
    fn bytes(&self) -> Vec<u8> {
        let Answer {
            status,
            headers,
            body,
        } = &self.answer;
        let mut head = format!("HTTP/1.1 {status} Simulated\r\nDate: {}\r\n", self.date);
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }
}

/// A connection that waits for its answer.
pub struct Sending {
    /// What ends when the region stops.
    pub inside: Arc<Inside>,
    /// What can end the connection.
    pub clients: Clients,
    /// The connection at the door.
    pub port: u16,
    /// The connection.
    pub writer: Box<dyn Write + Send>,
}

impl Sending {
    /// As it should be.
    pub fn whole(mut self, reply: &Reply) -> io::Result<()> {
        // In one piece: a second one would wait for the acknowledgement of the first.
        self.writer.write_all(&reply.bytes())?;
        self.writer.flush()
    }

    /// With its fault.
    pub fn faulty(mut self, reply: &Reply) -> io::Result<()> {
        match &reply.fault {
            Some(Fault::Truncated) => {
                // Where there is no body the head has no end.
                let missing = reply.answer.body.len().div_ceil(2).max(1);
                let bytes = reply.bytes();
                self.writer.write_all(&bytes[..bytes.len() - missing])?;
                self.writer.flush()?;
                self.end();
                Ok(())
            }
            Some(Fault::Drop) => {
                self.end();
                Ok(())
            }
            Some(Fault::Stall) => {
                self.inside.pause(Duration::MAX);
                Ok(())
            }
            Some(Fault::Endless) => self.endless(),
            Some(Fault::Drip) => self.drip(&reply.bytes()),
            _ => self.whole(reply),
        }
    }

    fn endless(mut self) -> io::Result<()> {
        let piece = "{\"id\":\"more\"},".repeat(256);
        let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                    Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n";
        self.writer.write_all(head.as_bytes())?;
        loop {
            // Ends when the client has enough: the door closes and this fails.
            self.writer.write_all(chunk.as_bytes())?;
        }
    }

    fn drip(mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            self.writer.write_all(&[*byte])?;
            self.writer.flush()?;
            if self.inside.pause(Duration::from_secs(1)) {
                break;
            }
        }
        Ok(())
    }

    /// Closes the connection behind what was written.
    fn end(self) {
        drop(self.writer);
        self.clients.end(self.port);
    }
}
