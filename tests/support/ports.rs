//! Starting a server program on a loopback port and waiting until it answers.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a server program may take to start.
const START_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// A loopback port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    listener.local_addr().expect("a bound port").port()
}

/// Starts a program and waits until `ready`.
///
/// # Panics
///
/// When it cannot be started, ends by itself, or is not ready in time; `name` says which.
pub fn start(name: &str, command: &mut Command, ready: impl Fn() -> bool) -> Child {
    let mut child = command.spawn().unwrap_or_else(|e| {
        panic!("{name} cannot be started ({e}); tests/run installs what the tests need")
    });
    let started = Instant::now();
    while !ready() {
        if let Ok(Some(status)) = child.try_wait() {
            panic!("{name} ended at start: {status}");
        }
        if started.elapsed() > START_MAX {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{name} was not ready within {START_MAX:?}");
        }
        std::thread::sleep(PAUSE);
    }
    child
}

/// Whether something accepts connections on this loopback port.
pub fn accepts(port: u16) -> bool {
    connect(port).is_ok()
}

/// A connection to a loopback port.
pub fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}
