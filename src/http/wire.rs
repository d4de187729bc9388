//! One peer's bytes, plain or through TLS, as far as they go without waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};

/// What rustls may hold of an answer before the socket takes it.
const TLS_BUFFER_BYTES_MAX: usize = 64 << 10;

/// What a look for bytes brought.
pub(super) enum Got {
    /// So many bytes.
    Bytes(usize),
    /// TLS went on, and has none for us yet: look again.
    Progress,
    /// None until the socket is readable again.
    Nothing,
    /// The peer sends no more.
    End,
}

/// Bytes on their way out.
#[derive(Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    /// Follows them; others may send the same.
    body: Arc<Vec<u8>>,
    sent: usize,
}

impl Out {
    pub(super) fn push(&mut self, bytes: Vec<u8>, body: Arc<Vec<u8>>) {
        if self.is_empty() {
            (self.bytes, self.sent) = (bytes, 0);
        } else {
            self.bytes.extend_from_slice(&self.body);
            self.bytes.extend_from_slice(&bytes);
        }
        self.body = body;
    }

    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() + self.body.len()
    }

    /// The next bytes that are left; all of them but those of the body behind them.
    fn left(&self) -> &[u8] {
        match self.sent.checked_sub(self.bytes.len()) {
            None => &self.bytes[self.sent..],
            Some(of_body) => &self.body[of_body..],
        }
    }

    /// Counts what was sent, and gives the memory back at the end.
    fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.is_empty() {
            *self = Out::default();
        }
    }
}

/// A connection. The system tells changes only, so what is known is kept.
pub(super) struct Wire {
    socket: TcpStream,
    readable: bool,
    writable: bool,
    tls: Option<Box<ServerConnection>>,
}

impl Wire {
    /// # Errors
    ///
    /// When rustls refuses its configuration.
    pub(super) fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Wire> {
        let tls = match tls {
            Some(config) => {
                let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
                tls.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
                Some(Box::new(tls))
            }
            None => None,
        };
        Ok(Wire {
            socket,
            readable: true,
            writable: true,
            tls,
        })
    }

    /// What the system says about the socket.
    pub(super) fn became(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// For registering it.
    pub(super) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Goes on with the handshake; brings no bytes.
    pub(super) fn shake(&mut self) -> io::Result<Got> {
        let Wire {
            socket,
            readable,
            tls: Some(tls),
            ..
        } = self
        else {
            return Ok(Got::Progress);
        };
        let got = when_ready(readable, || tls.read_tls(socket))?;
        if matches!(got, Got::Bytes(_)) {
            if let Err(error) = tls.process_new_packets() {
                // The alert says why. It goes out now or never.
                let _ = tls.write_tls(socket);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            return Ok(Got::Progress);
        }
        Ok(got)
    }

    /// Bytes of the peer.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<Got> {
        let Some(tls) = &mut self.tls else {
            let (socket, readable) = (&mut self.socket, &mut self.readable);
            return when_ready(readable, || socket.read(into));
        };
        match tls.reader().read(into) {
            Ok(0) => Ok(Got::End),
            Ok(count) => Ok(Got::Bytes(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.shake(),
            Err(error) => Err(error),
        }
    }

    /// Sends as much as the socket takes. True when nothing is left.
    pub(super) fn send(&mut self, out: &mut Out) -> io::Result<bool> {
        let (socket, writable) = (&mut self.socket, &mut self.writable);
        let Some(tls) = &mut self.tls else {
            while !out.is_empty() {
                match when_ready(writable, || socket.write(out.left()))? {
                    Got::Bytes(count) => out.advance(count),
                    Got::Progress => {}
                    Got::Nothing => return Ok(false),
                    Got::End => return Err(ErrorKind::WriteZero.into()),
                }
            }
            return Ok(true);
        };
        loop {
            if !out.is_empty() {
                let count = tls.writer().write(out.left())?;
                out.advance(count);
            }
            if !tls.wants_write() {
                return Ok(out.is_empty());
            }
            match when_ready(writable, || tls.write_tls(socket))? {
                Got::Bytes(_) | Got::Progress => {}
                Got::Nothing => return Ok(false),
                Got::End => return Err(ErrorKind::WriteZero.into()),
            }
        }
    }

    /// Tells the peer that nothing more comes. It may still send.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.send(&mut Out::default())?;
        }
        self.socket.shutdown(Shutdown::Write)
    }

    /// Takes what the peer still sends, for the bin.
    pub(super) fn discard(&mut self, into: &mut [u8]) -> io::Result<Got> {
        let (socket, readable) = (&mut self.socket, &mut self.readable);
        when_ready(readable, || socket.read(into))
    }
}

/// One call of the system, when there is hope; it tells when there is none any more.
fn when_ready(ready: &mut bool, mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Got> {
    if !*ready {
        return Ok(Got::Nothing);
    }
    match call() {
        Ok(0) => Ok(Got::End),
        Ok(count) => Ok(Got::Bytes(count)),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Got::Progress),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            *ready = false;
            Ok(Got::Nothing)
        }
        Err(error) => Err(error),
    }
}
