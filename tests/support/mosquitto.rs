//! A real mosquitto on a free loopback port.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::certificates::Certificates;
use super::ports::{accepts, free_port, start};

/// How it is set up; the default lets everybody in and forgets everything when it stops.
#[derive(Default)]
pub struct Setup<'a> {
    /// Only this user with this password is let in.
    pub user: Option<(&'a str, &'a str)>,
    /// TLS with the server's certificate.
    pub tls: Option<&'a Certificates>,
    /// With `tls`: only clients with a certificate of the same authority are let in.
    pub client_certificate: bool,
    /// Keeps what is retained across a restart.
    pub persistence: bool,
    /// Text of an ACL file.
    pub acl: Option<&'a str>,
    /// More lines of configuration.
    pub more: &'a str,
}

/// A running mosquitto; it is killed when dropped.
pub struct Mosquitto {
    dir: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts one and waits until it accepts connections.
    pub fn start(setup: &Setup) -> Mosquitto {
        let mut broker = Mosquitto {
            dir: TempDir::new().expect("a temporary folder"),
            port: free_port(),
            child: None,
        };
        broker.set_up(setup);
        broker.run();
        broker
    }

    /// Sets it up anew, on the same port; only between [`Mosquitto::stop`] and
    /// [`Mosquitto::run`].
    pub fn set_up(&mut self, setup: &Setup) {
        let config = self.config(setup);
        self.write("mosquitto.conf", &config);
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it in an orderly way, as `systemctl stop` would: the store is written.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let terminated = Command::new("kill").arg(child.id().to_string()).status();
            if !terminated.is_ok_and(|s| s.success()) {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port after [`Mosquitto::stop`]; with its store, if it
    /// keeps one.
    pub fn run(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"));
        let log = log.expect("a writable temporary folder");
        let mut command = Command::new(program("mosquitto"));
        command.arg("-c").arg(self.path("mosquitto.conf"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(start("mosquitto", &mut command, || accepts(self.port)));
    }

    /// Loses what it stored; only between [`Mosquitto::stop`] and [`Mosquitto::run`].
    pub fn forget(&mut self) {
        let _ = fs::remove_file(self.path("mosquitto.db"));
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn config(&self, setup: &Setup) -> String {
        let mut config = String::from("log_dest stderr\nlog_type all\n");
        // Started by root it would become another user, who cannot read the temporary folder.
        config.push_str("user root\n");
        let _ = writeln!(config, "listener {} 127.0.0.1", self.port);
        let _ = writeln!(config, "allow_anonymous {}", setup.user.is_none());
        let _ = writeln!(config, "persistence {}", setup.persistence);
        let _ = writeln!(
            config,
            "persistence_location {}/",
            self.dir.path().display()
        );
        if let Some((name, password)) = setup.user {
            let file = self.path("passwords");
            let mut command = Command::new(program("mosquitto_passwd"));
            let made = command
                .arg("-b")
                .arg("-c")
                .arg(&file)
                .args([name, password])
                .status();
            assert!(made.is_ok_and(|s| s.success()), "mosquitto_passwd failed");
            let _ = writeln!(config, "password_file {}", file.display());
        }
        if let Some(acl) = setup.acl {
            self.write("acl", acl);
            let _ = writeln!(config, "acl_file {}", self.path("acl").display());
        }
        if let Some(files) = setup.tls {
            let _ = writeln!(config, "cafile {}", files.path("ca.pem").display());
            let _ = writeln!(config, "certfile {}", files.path("server.pem").display());
            let _ = writeln!(config, "keyfile {}", files.path("server.key").display());
            let _ = writeln!(config, "require_certificate {}", setup.client_certificate);
        }
        config.push_str(setup.more);
        config
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a writable temporary folder");
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Debian puts the broker where only root's search path looks.
pub fn program(name: &str) -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    folders.push(PathBuf::from("/usr/sbin"));
    let found = folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|p| p.is_file());
    found.unwrap_or_else(|| Path::new(name).to_owned())
}
