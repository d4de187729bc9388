//! Starting a server program on a loopback port and waiting until it answers.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a server program may take to start.
const START_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// Ports for servers that are started by name: below those that Linux gives to connections and
/// to whoever binds port 0 (`ip_local_port_range`), since one that is given away again while a
/// server starts makes a test talk to somebody else's.
const PORTS: Range<u16> = 12_000..32_000;

/// A free loopback port that no other test gets, in this process or another, while this process
/// lives.
pub fn free_port() -> u16 {
    static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let folder = std::env::temp_dir().join("mediapackage2mqtt-test-ports");
    std::fs::create_dir_all(&folder).expect("a writable temporary folder");
    loop {
        let port = fastrand::u16(PORTS);
        let file = File::create(folder.join(port.to_string()));
        let file = file.expect("a writable temporary folder");
        // The lock goes with the process, however that ends.
        if file.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
            reserved.push(file);
            return port;
        }
    }
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
