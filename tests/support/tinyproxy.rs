//! A real tinyproxy on a free loopback port.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::mosquitto::program;
use super::names::Names;
use super::ports::{accepts, free_port, start};

/// How it is set up; the default lets everybody through to everywhere.
#[derive(Default)]
pub struct Rules<'a> {
    /// Only this user with this password is let through.
    pub user: Option<(&'a str, &'a str)>,
    /// Only to this port.
    pub only_port: Option<u16>,
    /// Not to hosts of this name.
    pub not_to: Option<&'a str>,
}

/// A running tinyproxy; it is killed when dropped.
///
/// It looks names up by `Names`, so that tests can have names that nobody else knows.
pub struct Tinyproxy {
    dir: TempDir,
    port: u16,
    child: Child,
}

impl Tinyproxy {
    /// Starts one and waits until it accepts connections.
    pub fn start(rules: &Rules<'_>, names: &Names) -> Tinyproxy {
        let dir = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            fs::write(&file, text).expect("a writable temporary folder");
            file.display().to_string()
        };
        let mut config = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nLogLevel Connect\n");
        let _ = writeln!(config, "LogFile \"{}\"", write("log", ""));
        let _ = writeln!(config, "Upstream http 127.0.0.1:{}", names.port());
        if let Some((name, password)) = rules.user {
            let _ = writeln!(config, "BasicAuth {name} {password}");
        }
        if let Some(only) = rules.only_port {
            let _ = writeln!(config, "ConnectPort {only}");
        }
        if let Some(name) = rules.not_to {
            let _ = writeln!(config, "Filter \"{}\"", write("filter", name));
        }
        let mut command = Command::new(program("tinyproxy"));
        command
            .arg("-d")
            .arg("-c")
            .arg(write("tinyproxy.conf", &config));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        let child = start("tinyproxy", &mut command, || accepts(port));
        Tinyproxy { dir, port, child }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
