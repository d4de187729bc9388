//! What systemd hands over, and how it is told how we do (sd_notify(3), sd_listen_fds(3)).
//! Without it nothing of this happens.

use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use listenfd::ListenFd;
use socket2::SockRef;

use crate::engine::service::Bulletin;
use crate::error::Failure;
use crate::log::Steady;
use crate::state::time::Mono;

/// The watchdog is fed so many times in its time, so that one that is late does no harm.
const FEEDS: u32 = 4;
/// A service manager that does not read is waited for so long.
const SEND_TIME_MAX: Duration = Duration::from_secs(1);

/// The service manager.
pub struct Supervisor {
    /// Where it listens.
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often the watchdog wants to be fed.
    interval: Option<Duration>,
    fed_at: Option<Mono>,
    trouble: Steady,
}

impl Supervisor {
    /// As the environment tells: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. One that
    /// cannot be reached is told to the log, and the agent goes on without.
    pub fn of_process() -> Supervisor {
        let env = |name| std::env::var(name).ok();
        let mut supervisor = Supervisor {
            socket: None,
            interval: None,
            fed_at: None,
            trouble: Steady::default(),
        };
        let Some(place) = env("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
            return supervisor;
        };
        match open(&place) {
            Ok(socket) => supervisor.socket = Some(socket),
            Err(error) => {
                log::warn!("cannot tell systemd anything by NOTIFY_SOCKET {place}: {error}");
                return supervisor;
            }
        }
        let own = std::process::id().to_string();
        let is_ours = env("WATCHDOG_PID").is_none_or(|id| id == own);
        let limit = env("WATCHDOG_USEC").filter(|_| is_ours);
        supervisor.interval = limit.as_deref().and_then(feed_interval);
        supervisor
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// When the watchdog is to be fed next.
    pub fn deadline(&self) -> Option<Mono> {
        let interval = self.interval?;
        Some(self.fed_at.map_or(Mono::default(), |at| at.after(interval)))
    }

    /// Whether it is time to feed the watchdog; then it counts as fed.
    pub fn takes_pulse(&mut self, now: Mono) -> bool {
        let is_due = self.deadline().is_some_and(|at| at <= now);
        if is_due {
            self.fed_at = Some(now);
        }
        is_due
    }

    /// Tells it something.
    pub fn tell(&self, bulletin: &Bulletin) {
        let Some((socket, place)) = &self.socket else {
            return;
        };
        match socket.send_to_addr(bulletin.message().as_bytes(), place) {
            Ok(_) => self.trouble.right("systemd", "systemd hears us again"),
            Err(error) => {
                let text = format!("cannot tell systemd how we do: {error}");
                self.trouble.wrong("systemd", log::Level::Warn, text, false);
            }
        }
    }
}

/// A path, or a name that begins with `@`.
fn open(place: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match place.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIME_MAX))?;
    Ok((socket, address))
}

/// Of `WATCHDOG_USEC`; `None` when there is no watchdog.
fn feed_interval(usec: &str) -> Option<Duration> {
    let limit = usec.parse().ok().filter(|usec| *usec > 0);
    limit.map(|usec| Duration::from_micros(usec) / FEEDS)
}

/// The port that systemd opened for us; with more than one the first is taken. To be called
/// before there are threads that read the environment.
///
/// # Errors
///
/// When what was handed over is no TCP socket that listens.
pub fn inherited_port() -> Result<Option<TcpListener>, Failure> {
    const REMEDY: &str = "give the socket unit one ListenStream= with a port, without Accept=yes, \
                          or disable it, so that [sns] listen is opened";
    let mut handed = ListenFd::from_env();
    if handed.len() == 0 {
        return Ok(None);
    }
    if handed.len() > 1 {
        let count = handed.len();
        log::warn!("{count} sockets are handed over and one is taken, the first; {REMEDY}");
    }
    let unusable = |what: &str| {
        let text = format!("the socket that was handed over {what}; {REMEDY}");
        Failure::config(text)
    };
    let taken = handed.take_tcp_listener(0);
    let port = taken.map_err(|error| unusable(&format!("is no TCP socket ({error})")))?;
    match port {
        Some(port) if SockRef::from(&port).is_listener().unwrap_or(false) => Ok(Some(port)),
        _ => Err(unusable("does not listen")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_four_times_in_its_time() {
        let cases = [
            ("120000000", Some(Duration::from_secs(30))),
            ("1000", Some(Duration::from_micros(250))),
            ("0", None),
            ("", None),
            ("-5", None),
            ("2min", None),
        ];
        for (usec, wanted) in cases {
            assert_eq!(feed_interval(usec), wanted, "{usec}");
        }
    }
}
