//! One HTTP client for messages: blocking, over a connection that may be used again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::signing::SignedMessage;

/// A whole answer, head and body.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
const ANSWER_HEADERS_MAX: usize = 64;

impl SignedMessage {
    /// Posts it once over a connection of its own: status and body of the answer.
    ///
    /// `root` is the PEM of the authority that an `https` endpoint is held against.
    ///
    /// # Errors
    ///
    /// No connection, no answer within AWS's 15 seconds, or one that is no HTTP.
    pub fn post(&self, endpoint: &str, root: Option<&str>) -> io::Result<(u16, String)> {
        let deadline = Instant::now() + Duration::from_secs(15);
        Connection::open(endpoint, root, deadline)?.exchange(self, deadline)
    }
}

/// A connection to one endpoint.
pub struct Connection {
    endpoint: http::Uri,
    stream: Stream,
    /// Whether the server said that it takes another request.
    pub kept: bool,
}

enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket that gives up at a time, however often something small comes.
struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Connection {
    /// Connects to the host of this URL.
    ///
    /// # Errors
    ///
    /// The URL is none of `http` or `https`, or nobody listens there.
    pub fn open(endpoint: &str, root: Option<&str>, deadline: Instant) -> io::Result<Connection> {
        let endpoint: http::Uri = endpoint.parse().map_err(invalid)?;
        let host = endpoint.host().unwrap_or_default().to_owned();
        let is_tls = endpoint.scheme_str() == Some("https");
        let port = endpoint.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let address = (host.trim_matches(['[', ']']), port)
            .to_socket_addrs()?
            .next();
        let address = address.ok_or_else(|| invalid("the host has no address"))?;
        let socket = TcpStream::connect_timeout(&address, left(deadline)?)?;
        socket.set_nodelay(true)?;
        let timed = Timed { socket, deadline };
        let stream = if is_tls {
            let name = ServerName::try_from(host).map_err(invalid)?;
            let tls = ClientConnection::new(Arc::new(trusting(root)?), name).map_err(invalid)?;
            Stream::Tls(Box::new(StreamOwned::new(tls, timed)))
        } else {
            Stream::Plain(timed)
        };
        Ok(Connection {
            endpoint,
            stream,
            kept: false,
        })
    }

    /// The socket, for whoever ends the connection from outside.
    ///
    /// # Errors
    ///
    /// There are no more file descriptors.
    pub fn socket(&self) -> io::Result<TcpStream> {
        match &self.stream {
            Stream::Plain(timed) => timed.socket.try_clone(),
            Stream::Tls(stream) => stream.sock.socket.try_clone(),
        }
    }

    /// Posts a message and waits for the answer: status and body.
    ///
    /// # Errors
    ///
    /// No whole answer until the deadline, or one that is no HTTP.
    pub fn exchange(
        &mut self,
        message: &SignedMessage,
        deadline: Instant,
    ) -> io::Result<(u16, String)> {
        self.kept = false;
        match &mut self.stream {
            Stream::Plain(timed) => timed.deadline = deadline,
            Stream::Tls(stream) => stream.sock.deadline = deadline,
        }
        let path = self.endpoint.path_and_query().map_or("/", |p| p.as_str());
        let host = self.endpoint.authority().map_or("", |a| a.as_str());
        let mut request = format!("POST {path} HTTP/1.1\r\n");
        for (name, value) in &message.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = message.body.len();
        request.push_str(&format!("Host: {host}\r\nContent-Length: {length}\r\n\r\n"));
        request.push_str(&message.body);
        // A server that refuses early may close before it has read all: its answer counts.
        let sent = self.stream.all(request.as_bytes());
        match self.answer() {
            Ok(answer) => Ok(answer),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }

    fn answer(&mut self) -> io::Result<(u16, String)> {
        let mut bytes = Vec::new();
        loop {
            let ended = self.stream.more(&mut bytes)?;
            if let Some(head) = Head::parse(&bytes)? {
                let whole = head.length.map(|length| head.bytes + length);
                if whole.is_some_and(|whole| bytes.len() >= whole) || ended && whole.is_none() {
                    self.kept = head.kept && whole == Some(bytes.len()) && !ended;
                    let body = &bytes[head.bytes..whole.unwrap_or(bytes.len())];
                    return Ok((head.status, String::from_utf8_lossy(body).into_owned()));
                }
            }
            if ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(invalid("the answer is too long"));
            }
        }
    }
}

/// What the head of an answer says.
struct Head {
    status: u16,
    bytes: usize,
    length: Option<usize>,
    kept: bool,
}

impl Head {
    /// `None` while it is not whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
        let mut headers = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).map_err(invalid)? else {
            return Ok(None);
        };
        let value = |name: &str| {
            let found = response
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case(name));
            found.and_then(|h| std::str::from_utf8(h.value).ok())
        };
        Ok(Some(Head {
            status: response.code.unwrap_or_default(),
            bytes: length,
            length: value("content-length").and_then(|text| text.trim().parse().ok()),
            kept: response.version == Some(1)
                && value("connection").is_none_or(|c| !c.eq_ignore_ascii_case("close")),
        }))
    }
}

impl Stream {
    fn all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(timed) => timed.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Reads what is there; true at the end.
    fn more(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let mut piece = [0; 4096];
        let read = match self {
            Stream::Plain(timed) => timed.read(&mut piece),
            Stream::Tls(stream) => stream.read(&mut piece),
        };
        let length = match read {
            // No close_notify: over HTTP the length tells whether something is missing.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        bytes.extend_from_slice(&piece[..length]);
        Ok(length == 0)
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        self.socket.read(into)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn trusting(root: Option<&str>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(root.unwrap_or_default().as_bytes()) {
        roots
            .add(certificate.map_err(|e| invalid(e.to_string()))?)
            .map_err(invalid)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(invalid)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
