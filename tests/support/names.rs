//! The far end of a proxy: it takes CONNECT for any name and leads to that port of this machine.
//! So what is reached by a name that no DNS knows was reached through the proxy.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use super::ports::connect;

/// A running one. It ends with the process; tests that need it are few.
pub struct Names {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    /// Starts one on a free loopback port.
    pub fn start() -> Names {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let port = listener.local_addr().expect("a bound port").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        let accept = Builder::new().name("names".into()).spawn(move || {
            for outer in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                let lead = move || {
                    // Who cannot be served is let go.
                    let _ = lead(&outer, &kept);
                };
                let _ = Builder::new().name("names-lead".into()).spawn(lead);
            }
        });
        accept.expect("a thread");
        Names { port, asked }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What was asked for so far, as `name:port`.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn lead(outer: &TcpStream, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = BufReader::new(outer);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while line.trim() != "" {
        line.clear();
        head.read_line(&mut line)?;
    }
    let port = target
        .rsplit(':')
        .next()
        .and_then(|digits| digits.parse().ok());
    let mut list = asked.lock().unwrap_or_else(PoisonError::into_inner);
    list.push(target);
    drop(list);
    let inner = connect(port.unwrap_or(0))?;
    inner.set_read_timeout(None)?;
    // The client waits for this before it says anything: nothing is left in the buffer.
    (&*outer).write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
    let back = (inner.try_clone()?, outer.try_clone()?);
    Builder::new().name("names-back".into()).spawn(move || {
        let (mut inner, mut outer) = back;
        let _ = std::io::copy(&mut inner, &mut outer);
        let _ = outer.shutdown(Shutdown::Both);
    })?;
    std::io::copy(&mut &*outer, &mut &inner)?;
    inner.shutdown(Shutdown::Both)
}
