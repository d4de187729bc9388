//! Starts the binary and looks after it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::region::{Region, SECRETS, World};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::subscriber::Tree;

/// Longer than anything here takes, so that only a real fault runs into it.
pub const LIMIT: Duration = Duration::from_secs(30);
/// The prefix of the test config's topics.
pub const PREFIX: &str = "mediapackage/test/";

/// The binary under test.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediapackage2mqtt"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null());
    command
}

/// A running agent; killed when it is dropped.
pub struct Agent {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Agent {
    pub fn start(config: &Path) -> Agent {
        Agent::start_with(config, |_| {})
    }

    pub fn start_with(config: &Path, change: impl FnOnce(&mut Command)) -> Agent {
        let mut command = program();
        command
            .arg("run")
            .arg("--config")
            .arg(config)
            .stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Agent { child, log }
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log that holds `text`.
    pub fn wait_for_log(&self, text: &str) -> String {
        wait_for(&format!("a log line with {text:?}"), || {
            self.log().into_iter().find(|line| line.contains(text))
        })
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([format!("-{name}"), id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// SIGTERM; the exit code, and how long it took.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        self.signal("TERM");
        let status = wait_for("the agent to end", || self.child.try_wait().unwrap());
        (status.code(), asked.elapsed())
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log().join("\n"));
        }
        no_secret_in("the log", &self.log().join("\n"));
    }
}

/// Waits until `look` finds something; fails with `what` when it never does.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up_at = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up_at, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end.
pub fn run(arguments: &[&str], config: &Path) -> Output {
    program()
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

/// No planted secret stands in `text`.
pub fn no_secret_in(place: &str, text: &str) {
    for secret in SECRETS {
        assert!(
            !text.contains(secret),
            "a secret stands in {place}: {secret}"
        );
    }
}

/// A region, a broker, and a config that joins them.
pub struct Site {
    pub region: Region,
    pub broker: Mosquitto,
    pub config: ConfigFile,
}

impl Site {
    pub fn new(world: World) -> Site {
        Site::with_broker(world, &Setup::default())
    }

    pub fn with_broker(world: World, setup: &Setup) -> Site {
        let key = world.keys[0].clone();
        let region = Region::start(world);
        let broker = Mosquitto::start(setup);
        let mqtt = format!("mqtt://127.0.0.1:{}", broker.port());
        let config = ConfigFile::new(&region.url(), &mqtt, (&key.id, &key.secret));
        Site {
            region,
            broker,
            config,
        }
    }

    pub fn write(&self) -> PathBuf {
        self.config.write()
    }
}

/// The JSON payload of a topic below our prefix.
pub fn json(tree: &Tree, topic: &str) -> serde_json::Value {
    let Some(payload) = tree.get(&format!("{PREFIX}{topic}")) else {
        return serde_json::Value::Null;
    };
    serde_json::from_str(payload).unwrap_or(serde_json::Value::Null)
}
