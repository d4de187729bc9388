//! The region's port: hands every connection on to `tiny_http` and can end any of them.
//!
//! `tiny_http` closes a connection only when its client does. Faults end connections in the
//! middle of an answer, and a region that stops leaves nothing running, so the region keeps
//! both sockets of each connection in its own hands.
//!
//! It also takes a thread for free that has work waiting for it already, so that of connections
//! which come all at once some would wait until another one ends: with long polls, for ever.
//! Each connection therefore knocks, and the next one comes when that was heard.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Path of the request by which a connection knocks.
pub const KNOCK: &str = "/region-door";
/// The whole answer to it.
pub const HEARD: &[u8] = b"HTTP/1.1 204 Heard\r\n\r\n";
/// Far more than it takes to be heard.
const KNOCK_MAX: Duration = Duration::from_secs(30);

/// A listening port whose connections are relayed to another one.
pub struct Door {
    /// Where clients connect.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accept: Option<JoinHandle<()>>,
}

struct Shared {
    inside: SocketAddr,
    closing: AtomicBool,
    /// By the port that the server inside sees.
    open: Mutex<HashMap<u16, Open>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Told whenever a client has closed its side.
    left: Box<dyn Fn() + Send + Sync>,
}

/// A connection.
struct Open {
    /// The client's and the server's.
    sockets: [TcpStream; 2],
    /// The client has closed its side: it waits for nothing.
    has_left: bool,
}

/// Those that have connected.
#[derive(Clone)]
pub struct Clients(Arc<Shared>);

impl Clients {
    /// Whether the client with this inner port still waits for its answer.
    pub fn is_there(&self, inner_port: u16) -> bool {
        let open = lock(&self.0.open);
        open.get(&inner_port).is_some_and(|open| !open.has_left)
    }

    /// Ends the connection with this inner port once all that was written to it is through.
    pub fn end(&self, inner_port: u16) {
        if let Some(open) = lock(&self.0.open).get(&inner_port) {
            let _ = open.sockets[1].shutdown(Shutdown::Write);
        }
    }
}

impl Door {
    /// Listens on a free loopback port and relays to `inside`; `left` is told whenever a client
    /// has closed its side.
    pub fn open(inside: SocketAddr, left: impl Fn() + Send + Sync + 'static) -> io::Result<Door> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            inside,
            closing: AtomicBool::new(false),
            open: Mutex::default(),
            threads: Mutex::default(),
            left: Box::new(left),
        });
        let accepting = Arc::clone(&shared);
        let accept = Builder::new().name("region-door".into()).spawn(move || {
            for outer in listener.incoming().flatten() {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                // A client that is gone before it was served needs no answer.
                let _ = accepting.relay(outer);
            }
        })?;
        Ok(Door {
            address,
            shared,
            accept: Some(accept),
        })
    }

    /// Those that have connected.
    pub fn clients(&self) -> Clients {
        Clients(Arc::clone(&self.shared))
    }

    /// Ends every connection and takes no more.
    pub fn close(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accept) = self.accept.take() {
            let _ = accept.join();
        }
        for open in lock(&self.shared.open).values() {
            for socket in &open.sockets {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
        for thread in std::mem::take(&mut *lock(&self.shared.threads)) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn relay(self: &Arc<Shared>, outer: TcpStream) -> io::Result<()> {
        let inner = TcpStream::connect(self.inside)?;
        outer.set_nodelay(true)?;
        inner.set_nodelay(true)?;
        knock(&inner)?;
        let port = inner.local_addr()?.port();
        let open = Open {
            sockets: [outer.try_clone()?, inner.try_clone()?],
            has_left: false,
        };
        lock(&self.open).insert(port, open);
        let (mut from_client, mut to_server) = (outer.try_clone()?, inner.try_clone()?);
        let (mut from_server, mut to_client) = (inner, outer);
        let shared = Arc::clone(self);
        let asked = Arc::clone(self);
        let asking = Builder::new().name("region-ask".into()).spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(Shutdown::Write);
            asked.leave(port);
        })?;
        let answering = Builder::new().name("region-answer".into()).spawn(move || {
            let _ = io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
            let _ = from_server.shutdown(Shutdown::Both);
            lock(&shared.open).remove(&port);
        })?;
        let mut threads = lock(&self.threads);
        threads.retain(|t| !t.is_finished());
        threads.extend([asking, answering]);
        Ok(())
    }

    fn leave(&self, port: u16) {
        if let Some(open) = lock(&self.open).get_mut(&port) {
            open.has_left = true;
        }
        (self.left)();
    }
}

/// Waits until the server inside serves this connection.
fn knock(mut inner: &TcpStream) -> io::Result<()> {
    inner.set_read_timeout(Some(KNOCK_MAX))?;
    write!(inner, "GET {KNOCK} HTTP/1.1\r\nHost: region\r\n\r\n")?;
    let mut answer = vec![0; HEARD.len()];
    inner.read_exact(&mut answer)?;
    inner.set_read_timeout(None)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
