//! Starts the binary and looks after it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::region::{Alarm, Region, SECRETS, World};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::subscriber::{Subscriber, Tree, options, retained};

/// Longer than anything here takes, so that only a real fault runs into it.
pub const LIMIT: Duration = Duration::from_secs(60);
/// What the contract allows a stop.
pub const STOP_MAX: Duration = Duration::from_secs(5);
/// The prefix of the test config's topics.
pub const PREFIX: &str = "mediapackage/test/";

/// Where the binary under test is: the one that cargo built, or what `BENCH_BINARY` names.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("BENCH_BINARY");
    named.map_or_else(
        || env!("CARGO_BIN_EXE_mediapackage2mqtt").into(),
        PathBuf::from,
    )
}

/// The binary under test.
pub fn program() -> Command {
    let mut command = Command::new(binary());
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
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
        command.arg("run").arg("--config").arg(config);
        change(&mut command);
        Agent::launch(command)
    }

    /// Starts it by another program, which it takes the place of.
    pub fn launch(mut command: Command) -> Agent {
        command.stderr(Stdio::piped());
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

    /// Of the process.
    #[allow(dead_code, reason = "each test file uses a part")]
    pub fn id(&self) -> u32 {
        self.child.id()
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

    /// How many lines of the log hold `text`.
    pub fn logged(&self, text: &str) -> usize {
        self.log().iter().filter(|line| line.contains(text)).count()
    }

    /// SIGTERM: it ends well and in time, and has not blamed itself or an innocent broker.
    pub fn stop(mut self) {
        for blame in [" ERROR ", "does not keep them"] {
            assert_eq!(self.logged(blame), 0, "{blame}");
        }
        let asked = Instant::now();
        self.signal("TERM");
        assert_eq!(self.ended(), Some(0));
        let took = asked.elapsed();
        assert!(took <= STOP_MAX, "the stop took {took:?}");
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.ended();
    }

    /// Waits until it ends by itself; the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let status = wait_for("the agent to end", || self.child.try_wait().unwrap());
        status.code()
    }

    /// Whether it has ended by itself, as it does where every session is short.
    #[allow(dead_code, reason = "each test file uses a part")]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
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
        let log = self.log().join("\n");
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{log}");
        } else {
            no_secret_in("the log", &log);
        }
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

/// Waits until `look` finds something; fails with what it lacked at the end.
pub fn wait_for_or<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let give_up_at = Instant::now() + LIMIT;
    loop {
        match look() {
            Ok(found) => return found,
            Err(lack) => assert!(
                Instant::now() < give_up_at,
                "waited {LIMIT:?} for {what}: {lack}"
            ),
        }
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

/// Three channels with two endpoints each, and an alarm of the first.
pub fn world() -> World {
    let mut world = World::new("eu-central-1").with_channels(3, 2);
    world.put_alarm(Alarm::metric(
        "silent",
        "IngressBytes",
        &[("Channel", "ch-0000")],
    ));
    world.standard_metrics()
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

    /// The same with another config.
    pub fn configured(mut self, change: impl FnOnce(ConfigFile) -> ConfigFile) -> Site {
        self.config = change(self.config);
        self
    }

    pub fn write(&self) -> PathBuf {
        self.config.write()
    }

    pub fn agent(&self) -> Agent {
        Agent::start(&self.write())
    }

    /// Sees all that is published below our prefix.
    pub fn eyes(&self) -> Subscriber {
        Subscriber::start(self.broker.port(), &format!("{PREFIX}#"))
    }

    /// What the broker keeps below our prefix.
    pub fn retained(&self) -> Tree {
        retained(self.broker.port(), &format!("{PREFIX}#"))
    }

    /// Waits until the topics are those of the region as it is now, and all sources work.
    pub fn wait_for_picture(&self, eyes: &Subscriber) -> Tree {
        self.wait_for_topics(eyes, &self.region.edit(|world| topics_of(world)))
    }

    /// Waits until the topics are these, and all sources work.
    pub fn wait_for_topics(&self, eyes: &Subscriber, wanted: &BTreeSet<String>) -> Tree {
        let tree = wait_for_or("the whole picture", || {
            let mut tree = eyes.tree();
            // A filter with `#` takes in the level above.
            tree.retain(|topic, _| topic.starts_with(PREFIX) && !told_once(topic));
            let there: BTreeSet<String> = tree.keys().cloned().collect();
            let well = json(&tree, "agent")["health"] == "ok";
            match there == *wanted && well {
                true => Ok(tree),
                false => Err(format!(
                    "missing {:?}, too many {:?}, {}",
                    wanted.difference(&there).collect::<Vec<_>>(),
                    there.difference(wanted).collect::<Vec<_>>(),
                    json(&tree, "agent")["reasons"]
                )),
            }
        });
        for (topic, payload) in &tree {
            no_secret_in(topic, payload);
        }
        tree
    }

    /// Waits until the region has got this many more requests of an operation.
    pub fn wait_for_requests(&self, operation: &str, more: usize) {
        let count = || {
            let requests = self.region.requests();
            requests.iter().filter(|r| r.operation == operation).count()
        };
        let before = count();
        wait_for(&format!("{more} more requests of {operation}"), || {
            (count() >= before + more).then_some(())
        });
    }
}

/// Payloads of a topic that is not retained, as they came.
pub fn told(eyes: &Subscriber, topic: &str) -> Vec<Value> {
    let name = format!("{PREFIX}{topic}");
    let stream = eyes.stream();
    let of_topic = stream.iter().filter(|message| message.topic == name);
    of_topic
        .map(|message| {
            assert!(!message.retained, "{name}");
            serde_json::from_str(&message.payload).unwrap()
        })
        .collect()
}

/// Waits until so many messages of a topic that is not retained have come.
pub fn wait_for_told(eyes: &Subscriber, topic: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} of {topic}"), || {
        let told = told(eyes, topic);
        (told.len() >= count).then_some(told)
    })
}

/// Sees every `sns/message`: the broker keeps the session while either of them is away.
pub fn observe_messages(broker: u16) -> Subscriber {
    let mut options = options(broker);
    options.set_clean_session(false);
    Subscriber::with(options, &format!("{PREFIX}sns/message"))
}

/// Of this run, or of the one that `SEED` names.
pub fn seed() -> u64 {
    let given = std::env::var("SEED").ok();
    let given = given.and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| fastrand::u64(..))
}

/// Topics that are not retained.
pub fn told_once(topic: &str) -> bool {
    let others = ["/event/", "/command/", "/agent/read"];
    topic.ends_with("/point")
        || topic.ends_with("/sns/message")
        || others.iter().any(|other| topic.contains(other))
}

/// The retained topics that a region comes to, when all of its alarms are kept and all of its
/// endpoints have metrics.
pub fn topics_of(world: &World) -> BTreeSet<String> {
    let mut topics: Vec<String> = [
        "status",
        "agent",
        "agent/stats",
        "summary",
        "source/mediapackage",
        "source/metrics",
        "source/alarms",
    ]
    .map(str::to_owned)
    .into();
    for channel in &world.channels {
        let id = level(&channel.id);
        topics.extend(["", "/health", "/metrics"].map(|tail| format!("channel/{id}{tail}")));
    }
    for endpoint in &world.endpoints {
        let id = level(&endpoint.id);
        topics.extend(["", "/metrics"].map(|tail| format!("endpoint/{id}{tail}")));
    }
    for job in world.jobs.iter().filter(|job| job.v2.is_none()) {
        topics.push(format!("harvest_job/{}", level(&job.id)));
    }
    for alarm in &world.alarms {
        topics.push(format!("alarm/{}", level(&alarm.name)));
    }
    topics
        .into_iter()
        .map(|topic| format!("{PREFIX}{topic}"))
        .collect()
}

/// A name as one topic level, as the contract says it.
pub fn level(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let encoded: String = name
        .bytes()
        .map(|b| match plain(b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        })
        .collect();
    if encoded.len() <= 100 {
        return encoded;
    }
    let digest = Sha256::digest(name.as_bytes());
    let hash: String = digest[..8].iter().map(|b| format!("{b:02x}")).collect();
    format!("{}~{hash}", &encoded[..100])
}

/// The JSON payload of a topic below our prefix.
pub fn json(tree: &Tree, topic: &str) -> Value {
    let Some(payload) = tree.get(&format!("{PREFIX}{topic}")) else {
        return Value::Null;
    };
    serde_json::from_str(payload).unwrap_or(Value::Null)
}

/// The plain payload of a topic below our prefix.
pub fn text<'a>(tree: &'a Tree, topic: &str) -> &'a str {
    tree.get(&format!("{PREFIX}{topic}"))
        .map_or("", String::as_str)
}
