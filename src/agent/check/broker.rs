//! The broker: whether it lets us in, takes, keeps and gives back what is retained, and whose
//! topics are there already.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::super::aws_setup::iot_core;
use super::super::state_dir;
use super::super::threads::Threads;
use super::aws::Picture;
use super::queue::readers;
use super::report::{Grade, Report};
use crate::aws::Stop;
use crate::config::region::{IOT_TOPIC_BYTES_MAX, IOT_TOPIC_SLASHES_MAX, is_iot_host};
use crate::config::{self, Config};
use crate::engine::{BrokerEvent, Publication};
use crate::error::Failure;
use crate::mqtt::{self, Broker};
use crate::state::measure::Resource;
use crate::topics::memory::{Memory, Owner, recall};
use crate::topics::name::discovery_prefix;
use crate::topics::{Names, Topic, flat};

const BROKER: &str = "broker";
const ROUND_TRIP: &str = "round trip";
const DISCOVERY: &str = "discovery";
const OWNER: &str = "owner";
const STOPPED: &str = "stopped before it was known";
/// For each step: a session, an acknowledgement, a message that comes back.
const STEP_MAX: Duration = Duration::from_secs(6);
/// How often the wish to stop is looked at.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// News of the broker that wait; who brings more waits.
const NEWS_MAX: usize = 64;
/// An id of somebody else's is shown up to here.
const ID_CHARS_MAX: usize = 64;

/// Goes to the broker with a client id of its own, so that a running agent stays connected.
///
/// # Errors
///
/// When the system gives no thread.
pub fn check<W: Write>(
    report: &mut Report<W>,
    config: &Config,
    picture: &Picture,
    stop: &Stop,
    threads: &mut Threads,
) -> Result<(), Failure> {
    let names = Names::new(&config.mqtt.base_topic, &config.instance);
    let places = Places::new(config, &names);
    let beside = config::Mqtt {
        client_id: format!("{}-check", config.mqtt.client_id),
        ..config.mqtt.clone()
    };
    let (broker, runner) = match mqtt::prepare(&beside, "", places.all()) {
        Ok(pair) => pair,
        Err(fault) => {
            report.fault(BROKER, &fault);
            return Ok(());
        }
    };
    let (tell, news) = sync_channel(NEWS_MAX);
    threads.spawn("mqtt-check", move || {
        runner.run(|event| drop(tell.send(event)))
    })?;
    let mut visit = Visit {
        broker,
        news,
        stop,
        heeds_stop: true,
        places,
        names: &names,
        connected: false,
        tokens: 0,
        online: false,
        owner: Owner::default(),
    };
    iot_policy(report, config);
    if visit.enter(report, &beside) {
        visit.round_trip(report);
        if config.home_assistant.enabled {
            visit.discovery(report);
        }
        visit.leave(report);
        whose(report, config, picture, &visit);
        readers::check(report, config, stop);
    }
    longest_topic(report, config, &names, picture);
    Ok(())
}

/// What AWS IoT Core has to allow: it says nothing of what it forbids.
fn iot_policy<W: Write>(report: &mut Report<W>, config: &Config) {
    if !is_iot_host(&config.mqtt.host) {
        return;
    }
    let id = &config.mqtt.client_id;
    let ids = iot_core::ROLES.map(|role| format!("{id}{role}")).join(", ");
    let places = iot_core::places(config).join("* and ");
    let found = format!(
        "its policy has to allow iot:Connect as {ids} with a last will, and iot:Publish, \
         iot:RetainPublish, iot:Subscribe and iot:Receive on {places}*; aws-setup prints it whole"
    );
    report.note("iot policy", &found);
}

/// The topics that are looked at.
struct Places {
    status: String,
    agent: String,
    own: String,
    discovery: Option<String>,
}

impl Places {
    fn new(config: &Config, names: &Names) -> Places {
        let home = &config.home_assistant;
        let documents = discovery_prefix(&home.discovery_prefix, &config.instance);
        Places {
            status: names.of(&Topic::Status),
            agent: names.of(&Topic::Agent),
            own: format!("{}agent/check", names.prefix()),
            discovery: home.enabled.then(|| format!("{documents}check/config")),
        }
    }

    /// Our own last: what is kept of the others is there when it comes back.
    fn all(&self) -> Vec<String> {
        let first = [self.discovery.as_ref(), Some(&self.status)];
        let more = [Some(&self.agent), Some(&self.own)];
        first.into_iter().chain(more).flatten().cloned().collect()
    }
}

/// Why a step came to nothing.
enum Trouble {
    /// The session ended.
    Lost(String),
    /// Nothing came in time.
    Silence,
    /// Somebody wants us to stop.
    Stopped,
}

struct Visit<'a> {
    broker: Broker,
    news: Receiver<BrokerEvent>,
    stop: &'a Stop,
    /// Not while it clears up behind itself.
    heeds_stop: bool,
    places: Places,
    names: &'a Names,
    connected: bool,
    tokens: u64,
    /// What `status` says.
    online: bool,
    /// What `agent` says.
    owner: Owner,
}

impl Visit<'_> {
    /// Waits for the news that `wanted` is true for, and remembers what else comes.
    fn wait(&mut self, wanted: impl Fn(&BrokerEvent) -> bool) -> Result<(), Trouble> {
        let give_up_at = Instant::now() + STEP_MAX;
        while Instant::now() < give_up_at {
            if self.heeds_stop && self.stop.requested() {
                return Err(Trouble::Stopped);
            }
            let event = match self.news.recv_timeout(STOP_CHECK_INTERVAL) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Err(Trouble::Silence),
            };
            self.remember(&event);
            if wanted(&event) {
                return Ok(());
            }
            if let BrokerEvent::Lost(reason) = event {
                return Err(Trouble::Lost(reason));
            }
        }
        Err(Trouble::Silence)
    }

    fn remember(&mut self, event: &BrokerEvent) {
        match event {
            BrokerEvent::Connected => self.connected = true,
            BrokerEvent::Lost(_) => self.connected = false,
            BrokerEvent::Received { topic, payload, .. } => {
                let below = topic.strip_prefix(self.names.prefix()).unwrap_or_default();
                match recall(below, payload) {
                    Some(Memory::Online(online)) => self.online = online,
                    Some(Memory::Owner(owner)) => self.owner = owner,
                    _ => {}
                }
            }
            BrokerEvent::Acknowledged(_) => {}
        }
    }

    fn connect(&mut self) -> Result<(), Trouble> {
        self.broker.connect();
        self.wait(|event| matches!(event, BrokerEvent::Connected))
    }

    fn disconnect(&mut self) {
        if !self.connected {
            return;
        }
        self.broker.disconnect();
        // Whatever it ended with, it has ended.
        let _ = self.wait(|event| matches!(event, BrokerEvent::Lost(_)));
        self.connected = false;
    }

    /// Publishes a retained message; returns when the broker says that it has it.
    fn put(&mut self, topic: &str, payload: &str) -> Result<(), Trouble> {
        self.tokens += 1;
        let token = self.tokens;
        self.broker.publish(Publication {
            token,
            topic: topic.to_owned(),
            payload: payload.to_owned(),
            retain: true,
        });
        self.wait(
            |event| matches!(event, BrokerEvent::Acknowledged(taken) if taken.contains(&token)),
        )
    }

    /// True when the broker lets us in.
    fn enter<W: Write>(&mut self, report: &mut Report<W>, config: &config::Mqtt) -> bool {
        match self.connect() {
            Ok(()) => {
                let scheme = if config.tls { "mqtts" } else { "mqtt" };
                let (host, port, id) = (&config.host, config.port, &config.client_id);
                let found = format!("{scheme}://{host}:{port} lets us in as {id}");
                report.ok(BROKER, &found);
                true
            }
            Err(trouble) => {
                let silent = "the broker does not answer";
                tell(report, BROKER, trouble, silent, "check [mqtt] url");
                false
            }
        }
    }

    /// Something retained goes out in one session and comes back in the next.
    fn round_trip<W: Write>(&mut self, report: &mut Report<W>) {
        let own = self.places.own.clone();
        let mark = format!("{:016x}", fastrand::u64(..));
        let there = self.put(&own, &mark);
        let back = there.and_then(|()| {
            self.disconnect();
            self.connect()?;
            self.wait(|event| received(event, &own) == Some((mark.as_bytes(), true)))
        });
        match back {
            Ok(()) => report.ok(ROUND_TRIP, &format!("{own} is taken, kept and given back")),
            Err(trouble) => {
                let silent = format!("{own} is taken and not given back");
                let remedy = format!(
                    "let this user write and read {}# in the broker's access list",
                    self.names.prefix()
                );
                tell(report, ROUND_TRIP, trouble, &silent, &remedy);
            }
        }
    }

    /// An empty message where our documents will stand: to Home Assistant it says that there
    /// is nothing, and to us that the place can be written, for it comes back.
    fn discovery<W: Write>(&mut self, report: &mut Report<W>) {
        let Some(topic) = self.places.discovery.clone() else {
            return;
        };
        if !self.connected && self.connect().is_err() {
            return;
        }
        // It may come back before the acknowledgement does: either order is right.
        self.tokens += 1;
        self.broker.publish(Publication {
            token: self.tokens,
            topic: topic.clone(),
            payload: String::new(),
            retain: true,
        });
        let shown = topic.strip_suffix("check/config").unwrap_or_default();
        match self.wait(|event| received(event, &topic).is_some_and(|(text, _)| text.is_empty())) {
            Ok(()) => report.ok(DISCOVERY, &format!("{shown}# can be written")),
            Err(Trouble::Stopped) => report.note(DISCOVERY, STOPPED),
            Err(_) => report.warn(
                DISCOVERY,
                &format!("{shown}# cannot be written and read"),
                "let this user do so in the broker's access list, or set [home_assistant] \
                 enabled = false",
            ),
        }
    }

    /// Clears what was written, also when something failed or somebody wants us to stop.
    fn leave<W: Write>(&mut self, report: &mut Report<W>) {
        self.heeds_stop = false;
        let own = self.places.own.clone();
        let back = if self.connected {
            Ok(())
        } else {
            self.connect()
        };
        if back.and_then(|()| self.put(&own, "")).is_err() {
            let found = format!("{own} could not be cleared");
            let remedy = "the agent does it when it runs, or mediapackage2mqtt clean";
            report.warn(ROUND_TRIP, &found, remedy);
        }
        self.disconnect();
    }
}

/// Payload and retain flag of a message on `topic`.
fn received<'a>(event: &'a BrokerEvent, topic: &str) -> Option<(&'a [u8], bool)> {
    match event {
        BrokerEvent::Received {
            topic: on,
            payload,
            retained,
        } if on == topic => Some((payload, *retained)),
        _ => None,
    }
}

fn tell<W: Write>(
    report: &mut Report<W>,
    part: &str,
    trouble: Trouble,
    silence: &str,
    remedy: &str,
) {
    match trouble {
        Trouble::Lost(reason) => match reason.rsplit_once("; ") {
            Some((what, remedy)) => report.fail(part, what, remedy),
            None => report.fail(part, &reason, remedy),
        },
        Trouble::Silence => report.fail(part, silence, remedy),
        Trouble::Stopped => report.note(part, STOPPED),
    }
}

/// Whether `run` would find its topics taken by another agent or another account.
fn whose<W: Write>(report: &mut Report<W>, config: &Config, picture: &Picture, visit: &Visit) {
    let below = visit.names.prefix().trim_end_matches('/');
    let instance = "give this one an instance of its own (instance = \"…\"), or start it with \
                    --take-over when the other is gone for good";
    let theirs = visit.owner.agent_id.as_deref();
    let ours = state_dir::known_agent_id(config);
    let shown: String = theirs
        .unwrap_or_default()
        .chars()
        .take(ID_CHARS_MAX)
        .collect();
    match (theirs, visit.online, &ours) {
        (None, _, _) => report.ok(OWNER, &format!("nobody says that {below} is theirs")),
        (Some(theirs), true, Ok(Some(ours))) if theirs == ours => {
            report.note(
                OWNER,
                &format!("the agent of this config is online below {below}"),
            );
        }
        (Some(theirs), false, Ok(Some(ours))) if theirs == ours => {
            report.ok(OWNER, &format!("{below} is this agent's, which is offline"));
        }
        (Some(_), true, Err(error)) => report.warn(
            OWNER,
            &format!(
                "an agent is online below {below}; whether it is this one cannot be told, \
                      since the state folder cannot be read: {error}"
            ),
            "run check as the user that the agent runs as",
        ),
        (Some(_), true, Ok(_)) => {
            let found = format!("another agent (agent_id {shown}) is online below {below}");
            report.fail(OWNER, &found, instance);
        }
        (Some(_), false, _) => report.note(
            OWNER,
            &format!(
                "{below} is of another agent (agent_id {shown}), which is offline; run takes \
                      it over"
            ),
        ),
    }
    let accounts = (&visit.owner.account_id, &picture.account);
    if let (Some(theirs), Some(ours)) = accounts
        && theirs != ours
    {
        let shown: String = theirs.chars().take(ID_CHARS_MAX).collect();
        let found = format!("{below} shows account {shown}, the credentials are of {ours}");
        report.fail(OWNER, &found, instance);
    }
}

/// Longest topic that this inventory gives.
fn longest_topic<W: Write>(
    report: &mut Report<W>,
    config: &Config,
    names: &Names,
    picture: &Picture,
) {
    let inventory = &picture.inventory;
    let channels = inventory.channels().flat_map(|channel| {
        let resource = Resource::Channel(channel.id.clone());
        [Topic::Health(channel.id.clone()), Topic::Metrics(resource)]
    });
    let endpoints = inventory.endpoints();
    let endpoints = endpoints.map(|e| Topic::Metrics(Resource::Endpoint(e.id.clone())));
    let packaging = inventory.packaging_configurations();
    let packaging = packaging.map(|p| Topic::Metrics(Resource::Packaging(p.id.clone())));
    let alarms = picture.alarms.iter();
    let alarms = alarms.map(|(key, _)| Topic::Alarm(key.clone()));
    let all = channels.chain(endpoints).chain(packaging).chain(alarms);
    let all = all.chain([Topic::AgentStats]).flat_map(|topic| {
        let name = names.of(&topic);
        let keys = if config.mqtt.flat {
            flat::keys(&topic)
        } else {
            &[]
        };
        let flat: Vec<String> = keys.iter().map(|key| format!("{name}/{key}")).collect();
        flat.into_iter().chain([name])
    });
    let longest = all.max_by_key(String::len).unwrap_or_default();
    let (grade, found, remedy) = judge_topic(&longest, is_iot_host(&config.mqtt.host));
    report.line(grade, "longest topic", &found, &remedy);
}

/// AWS IoT Core closes the session of who publishes a longer one; others take 64 KiB.
fn judge_topic(topic: &str, iot: bool) -> (Grade, String, String) {
    let (bytes, slashes) = (topic.len(), topic.matches('/').count());
    let fits = bytes <= IOT_TOPIC_BYTES_MAX && slashes <= IOT_TOPIC_SLASHES_MAX;
    let found = format!("{bytes} bytes and {slashes} slashes: {topic}");
    let limits = format!("{IOT_TOPIC_BYTES_MAX} bytes and {IOT_TOPIC_SLASHES_MAX} slashes");
    match (iot, fits) {
        (false, _) => (Grade::Note, found, String::new()),
        (true, true) => (Grade::Ok, found, String::new()),
        (true, false) => {
            let remedy = format!("AWS IoT Core takes {limits}: shorten base_topic or instance");
            (Grade::Warn, found, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_topic_is_held_against_aws_iot_core_where_that_is_the_broker() {
        let long = format!("a/{}", "b".repeat(255));
        let cases = [
            ("a/b/c", false, Grade::Note),
            ("a/b/c", true, Grade::Ok),
            (&long[..256], true, Grade::Ok),
            (&long, true, Grade::Warn),
            (&long, false, Grade::Note),
            ("1/2/3/4/5/6/7/8", true, Grade::Ok),
            ("1/2/3/4/5/6/7/8/9", true, Grade::Warn),
        ];
        for (topic, iot, wanted) in cases {
            assert_eq!(judge_topic(topic, iot).0, wanted, "{topic} {iot}");
        }
    }
}
