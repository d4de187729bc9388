//! Where agent and script are measured: the same region, a broker of its own for each.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::activity::Activity;
use crate::broker::Counter;
use crate::figures::Process;
use crate::harness::Agent;
use crate::region::{Alarm, KEY, World};
use crate::replay::{Replay, Tally};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};

pub const ENDPOINTS_A_CHANNEL: usize = 4;
/// Of ten channels.
const ALARMS: usize = 3;
/// The broker tells no log, and drops nothing that a subscriber has not read yet. Nor does it hold
/// anything back until the subscriber's system has acknowledged what came before: that may take
/// 40 ms, longer than the agent takes to start.
pub const BROKER: &str = "log_type none\nmax_queued_messages 0\nmax_inflight_messages 0\n\
                          set_tcp_nodelay true\n";
const PAUSE: Duration = Duration::from_millis(1);
/// Longer than all cycles of the largest scale take.
const LIMIT: Duration = Duration::from_secs(600);

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Agent,
    Script,
}

/// How many channels, and how long a cycle may take.
#[derive(Clone, Copy)]
pub struct Scale {
    pub channels: usize,
    pub interval: Duration,
    /// Cycles that are measured.
    pub cycles: usize,
}

/// A program that runs; killed when dropped.
pub struct Running {
    pub began: Instant,
    pub process: Process,
    program: Program,
}

enum Program {
    Agent(Agent),
    Script(Script),
}

/// The yardstick; killed when dropped.
pub struct Script(Child);

impl Script {
    /// # Panics
    ///
    /// Without the virtual environment that `tests/bench/run` makes.
    pub fn start(aws: &str, mqtt: u16, arguments: &[&str]) -> Script {
        let venv = std::env::var_os("YARDSTICK_VENV");
        let venv = PathBuf::from(venv.expect("YARDSTICK_VENV, as tests/bench/run sets it"));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/yardstick.py");
        let mut command = Command::new(venv.join("bin/python"));
        command.env_clear().stdin(Stdio::null()).arg(script);
        command.args(["--aws", aws, "--mqtt", &mqtt.to_string()]);
        Script(command.args(arguments).spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Stage {
    replay: Replay,
    broker: Mosquitto,
    counter: Counter,
    activity: Activity,
    config: ConfigFile,
    channels: usize,
    interval: Duration,
}

impl Stage {
    pub fn new(scale: &Scale) -> Stage {
        let setup = Setup {
            more: BROKER,
            ..Setup::default()
        };
        let world = World::new("eu-central-1").with_channels(scale.channels, ENDPOINTS_A_CHANNEL);
        let mut world = world.standard_metrics();
        for n in 0..scale.channels * ALARMS / 10 {
            let channel = format!("ch-{n:04}");
            let name = format!("{channel}-silent");
            world.put_alarm(Alarm::metric(
                &name,
                "IngressBytes",
                &[("Channel", &channel)],
            ));
        }
        let activity = Activity::default();
        let replay = Replay::start(world, activity.clone());
        let broker = Mosquitto::start(&setup);
        let mqtt = format!("mqtt://127.0.0.1:{}", broker.port());
        let interval = format!("{}s", scale.interval.as_secs());
        let config = ConfigFile::new(&replay.url(), &mqtt, KEY)
            .text("log", "warn")
            .text("mediapackage.interval", &interval)
            .text("cloudwatch.metrics", "full")
            .text("cloudwatch.interval", &interval)
            .text("cloudwatch.alarms_interval", &interval);
        Stage {
            counter: Counter::start(broker.port(), activity.clone()),
            activity,
            replay,
            broker,
            config,
            channels: scale.channels,
            interval: scale.interval,
        }
    }

    pub fn start(&self, who: Who) -> Running {
        let config = self.config.write();
        let began = Instant::now();
        let program = match who {
            Who::Agent => Program::Agent(Agent::start(&config)),
            Who::Script => {
                let interval = self.interval.as_secs().to_string();
                let arguments = ["poll", "--interval", &interval];
                let url = self.replay.url();
                Program::Script(Script::start(&url, self.broker.port(), &arguments))
            }
        };
        let id = match &program {
            Program::Agent(agent) => agent.id(),
            Program::Script(script) => script.id(),
        };
        Running {
            began,
            process: Process::of(id),
            program,
        }
    }

    /// What was published first, and the first that tells of a channel.
    pub fn firsts(&self) -> Option<(Instant, Instant)> {
        self.counter.look(|heard| heard.first.zip(heard.channel))
    }

    pub fn published(&self) -> u64 {
        self.counter.look(|heard| heard.messages)
    }

    /// Waits until everything has been told of every channel, endpoint and alarm.
    pub fn wait_for_picture(&self, who: Who) {
        let channels = self.channels;
        // Both have a topic for each and one for its metrics; the agent points and health, too.
        let of_channel = match who {
            Who::Agent => 4 + 3 * ENDPOINTS_A_CHANNEL,
            Who::Script => 2 + 2 * ENDPOINTS_A_CHANNEL,
        };
        let wanted = channels * of_channel + channels * ALARMS / 10;
        wait("all topics", || {
            let there = self.counter.look(|heard| heard.topics.len());
            (there >= wanted).then_some(())
        });
    }

    /// For how long the program was seen at work.
    pub fn busy(&self) -> Duration {
        self.activity.busy()
    }

    pub fn tally(&self) -> Tally {
        self.replay.tally()
    }

    /// Waits until this cycle begins: what was asked until then. The first is 1.
    ///
    /// # Panics
    ///
    /// When it never does.
    pub fn wait_for_cycle(&self, number: usize) -> Tally {
        wait(&format!("cycle {number}"), || {
            let tally = self.tally();
            (tally.cycles >= number).then_some(tally)
        })
    }
}

impl Running {
    /// An agent is held to an orderly end.
    pub fn stop(self) {
        if let Program::Agent(agent) = self.program {
            agent.stop();
        }
    }
}

/// Waits until `look` finds something.
///
/// # Panics
///
/// When it never does.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up_at = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up_at, "waited {LIMIT:?} for {what}");
        std::thread::sleep(PAUSE);
    }
}
