//! A plain relay in front of a loopback port that can be held: connections stay open, and
//! nothing gets through until it is opened again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use super::ports::connect;

/// A running gate; what goes through it ends when it is dropped.
pub struct Gate {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held: bool,
    closing: bool,
    open: Vec<TcpStream>,
}

impl Gate {
    /// Relays a free loopback port to port `to`.
    pub fn start(to: u16) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        let accept = Builder::new().name("gate".into()).spawn(move || {
            for outer in listener.incoming().flatten() {
                if lock(&accepting).closing {
                    return;
                }
                accepting.relay(outer, to);
            }
        });
        accept.expect("a thread");
        Gate { port, shared }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets nothing through from now on.
    pub fn hold(&self) {
        lock(&self.shared).held = true;
    }

    /// Ends what is connected now; who comes again is let in, or held.
    pub fn cut(&self) {
        for stream in lock(&self.shared).open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets everything through again.
    pub fn open(&self) {
        lock(&self.shared).held = false;
        self.shared.changed.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.closing = true;
        for stream in &state.open {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    /// Who cannot be served is let go.
    fn relay(self: &Arc<Shared>, outer: TcpStream, to: u16) {
        let Ok(inner) = connect(to) else { return };
        let _ = (inner.set_read_timeout(None), outer.set_nodelay(true));
        let _ = inner.set_nodelay(true);
        for (from, into) in [(&outer, &inner), (&inner, &outer)] {
            let (Ok(from), Ok(into)) = (from.try_clone(), into.try_clone()) else {
                return;
            };
            let shared = Arc::clone(self);
            let copying = Builder::new().name("gate-copy".into());
            let _ = copying.spawn(move || shared.copy(from, into));
        }
        lock(self).open.extend([outer, inner]);
    }

    fn copy(&self, mut from: TcpStream, mut into: TcpStream) {
        let mut chunk = [0; 16 * 1024];
        loop {
            let n = from.read(&mut chunk).unwrap_or(0);
            let held = |state: &mut State| state.held && !state.closing;
            let state = self.changed.wait_while(lock(self), held);
            drop(state.unwrap_or_else(PoisonError::into_inner));
            if n == 0 || into.write_all(&chunk[..n]).is_err() {
                break;
            }
        }
        let _ = into.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}
