//! Drives an engine through simulated time, between a model of a region and a broker that
//! keeps retained topics in a map and acknowledges what it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::mail::Mail;
use super::region::{Kind, Region};
use super::spool::Spool;
use crate::engine::look::Shown;
use crate::engine::outbox::fingerprint;
use crate::engine::ownership::{Kept, Store};
use crate::engine::queueing::{QueueJob, Unfit};
use crate::engine::service::Bulletin;
use crate::engine::spooling::SpoolRequest;
use crate::engine::{
    BrokerEvent, Effect, Engine, Event, HomeAssistant, Job, Now, Outcome, Polled, Publication,
    Settings,
};
use crate::state::apis::MediaApi;
use crate::state::glob::Glob;
use crate::state::push::{Notice, Reason};
use crate::state::time::{Minute, Mono, UnixMs};
use crate::state::wish::{AlarmsKept, MetricsLevel, Wish};
use crate::topics::memory::{recall, recall_document};

/// 2026-11-22T10:00:00Z, when every simulation begins.
pub const START: UnixMs = UnixMs(1_795_341_600_000);
/// The minute that begins then.
pub const M0: i64 = START.0 / 60_000;
/// How long AWS thinks.
const ANSWER_TIME: Duration = Duration::from_millis(300);
const PREFIX: &str = "mp/x/";
/// Where the documents for Home Assistant are.
pub const DOCUMENTS: &str = "ha/device/x/";

pub fn settings() -> Settings {
    let seconds = Duration::from_secs;
    Settings {
        version: "1.0.0",
        region: "eu-central-1".into(),
        base_topic: "mp".into(),
        instance: "x".into(),
        home_assistant: HomeAssistant {
            enabled: false,
            prefix: "ha".into(),
            wait: seconds(60),
        },
        flat: false,
        wish: Wish {
            include: vec![Glob::new("*")],
            exclude: Vec::new(),
            level: MetricsLevel::Standard,
            metrics_interval: seconds(300),
            settle: seconds(180),
            ingest_lost_after: seconds(300),
            alarms: AlarmsKept::MediaPackage,
            alarm_include: Vec::new(),
            alarm_exclude: Vec::new(),
        },
        apis: vec![MediaApi::V1],
        detail_tries: 3,
        topic_arns: Vec::new(),
        listens: false,
        queue_url: None,
        page: None,
        inventory_interval: seconds(60),
        alarms_interval: seconds(60),
        publishes_per_second_max: 0,
        monthly_budget_usd: 25.0,
        price_per_1000_metrics_usd: 0.01,
        meter_file: Ok(None),
        needs_clock: true,
        earliest_date: UnixMs(1_795_305_600_000),
        agent_id: Some("a".into()),
        first_session_wait: seconds(5),
        supervised: true,
        take_over: false,
        seed: 7,
    }
}

/// One message that the broker took.
#[derive(Clone, Debug)]
pub struct Message {
    pub at: Duration,
    pub topic: String,
    pub payload: String,
}

/// The broker: what it holds and how it behaves.
pub struct Broker {
    pub up: bool,
    /// From publish to acknowledgement.
    pub delay: Duration,
    /// Least time between two acknowledgements.
    pub gap: Duration,
    pub retained: BTreeMap<String, String>,
    pub log: Vec<Message>,
    /// A topic that its access list swallows.
    pub refuses: Option<String>,
    /// A message that is not retained and has this in it ends the session.
    pub poison: Option<String>,
    session: u64,
    /// Sessions that began.
    sessions: u64,
    free_at: Duration,
}

impl Broker {
    /// What a reading of the store brings.
    fn store(&self) -> Store {
        let ours = |topic: &str| topic.starts_with(PREFIX) || topic.starts_with(DOCUMENTS);
        let kept = self.retained.iter().filter(|(topic, _)| ours(topic));
        let kept = kept.map(|(topic, payload)| Kept {
            topic: topic.as_str().into(),
            print: fingerprint(payload.as_bytes()),
            memory: match topic.strip_prefix(PREFIX) {
                Some(below) => recall(below, payload.as_bytes()),
                None => topic
                    .strip_prefix(DOCUMENTS)
                    .and_then(|below| recall_document(below, payload.as_bytes())),
            }
            .map(Box::new),
        });
        Store {
            topics: kept.collect(),
            complete: true,
        }
    }
}

enum Pending {
    Answer(Job, Mono),
    Mail(QueueJob, Mono),
    Taken(u64, Publication),
    Connect,
    Lost,
    Read,
    Spool(SpoolRequest),
    OpenSpool,
    Kept,
}

pub struct Rig {
    pub engine: Engine,
    pub region: Region,
    pub broker: Broker,
    /// What our clock shows beyond the true time.
    pub wall_error_ms: i64,
    /// What AWS's answers say beyond the true time.
    pub date_error_ms: i64,
    pub spool: Spool,
    /// The SQS queue.
    pub mail: Mail,
    /// Requests and how they were answered.
    pub answers: Vec<(u64, Option<Reason>)>,
    /// Requests of those who look, and what they were shown.
    pub shown: Vec<(u64, Shown)>,
    /// Topics whose subscription is to be confirmed.
    pub confirming: Vec<String>,
    pub log: Vec<String>,
    /// What the service manager was told.
    pub bulletins: Vec<Bulletin>,
    /// What was kept of the meter, and when.
    pub kept: Vec<(Duration, String)>,
    /// Calls of `handle` because of a deadline.
    pub ticks: u64,
    pub finished: bool,
    /// Why it would not go on.
    pub refusal: Option<String>,
    /// Requests that each job takes.
    pub tries: u64,
    /// A kind of job that takes so long.
    pub slow: Option<(Kind, Duration)>,
    /// The offset that the last good answer taught.
    learned_ms: Option<i64>,
    now: Duration,
    pending: BTreeMap<(Duration, u64), Pending>,
    number: u64,
    started: bool,
    spool_free_at: Duration,
}

impl Rig {
    pub fn new(settings: Settings, region: Region) -> Rig {
        Rig {
            engine: Engine::new(
                settings,
                Now {
                    mono: Mono::default(),
                    wall: START,
                },
            ),
            region,
            broker: Broker {
                up: true,
                delay: Duration::from_millis(5),
                gap: Duration::ZERO,
                retained: BTreeMap::new(),
                log: Vec::new(),
                refuses: None,
                poison: None,
                sessions: 0,
                session: 0,
                free_at: Duration::ZERO,
            },
            wall_error_ms: 0,
            date_error_ms: 0,
            learned_ms: None,
            slow: None,
            spool: Spool::default(),
            mail: Mail::default(),
            answers: Vec::new(),
            shown: Vec::new(),
            confirming: Vec::new(),
            log: Vec::new(),
            bulletins: Vec::new(),
            kept: Vec::new(),
            ticks: 0,
            finished: false,
            refusal: None,
            tries: 1,
            now: Duration::ZERO,
            pending: BTreeMap::new(),
            number: 0,
            started: false,
            spool_free_at: Duration::ZERO,
        }
    }

    /// With the default settings, changed a little.
    pub fn with(region: Region, change: impl FnOnce(&mut Settings)) -> Rig {
        let mut settings = settings();
        change(&mut settings);
        Rig::new(settings, region)
    }

    /// True time.
    pub fn aws_now(&self) -> UnixMs {
        START.plus_ms(self.now.as_millis() as i64)
    }

    pub fn now(&self) -> Now {
        Now {
            mono: Mono(self.now),
            wall: self.aws_now().plus_ms(self.wall_error_ms),
        }
    }

    /// Runs until so many seconds after the start.
    pub fn to(&mut self, seconds: u64) {
        if !self.started {
            self.started = true;
            self.handle(Event::Started);
            let opened = self.spool.open();
            self.handle(Event::Spool(opened));
        }
        self.run_to(Duration::from_secs(seconds));
    }

    /// Runs on for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_to(self.now + time);
    }

    fn run_to(&mut self, end: Duration) {
        while !self.finished {
            let deadline = self.engine.deadline(self.now()).0;
            assert!(deadline > self.now, "a deadline lies in the future");
            let event_at = self.pending.keys().next().map(|(at, _)| *at);
            let next = event_at.map_or(deadline, |at| at.min(deadline));
            if next > end {
                break;
            }
            self.now = next.max(self.now);
            match self.pending.first_entry().filter(|e| e.key().0 <= next) {
                Some(entry) => {
                    let pending = entry.remove();
                    self.deliver(pending);
                }
                None => {
                    self.ticks += 1;
                    self.handle(Event::Tick { memory_bytes: None });
                }
            }
        }
        self.now = self.now.max(end);
    }

    /// Begins later than the other simulations.
    pub fn skip(&mut self, time: Duration) {
        self.now += time;
    }

    pub fn minutes(&mut self, minutes: u64) {
        self.to(self.now.as_secs() + minutes * 60);
    }

    pub fn handle(&mut self, event: Event) {
        for effect in self.engine.handle(self.now(), event) {
            match effect {
                Effect::Poll(Job::Queue(job)) => {
                    let began = Mono(self.now);
                    self.mail.note(&job, self.now);
                    self.later(self.mail.delay, Pending::Mail(job, began));
                }
                Effect::Poll(job) => {
                    let began = Mono(self.now);
                    let slow = self.slow.filter(|(kind, _)| *kind == Kind::of(&job));
                    let time = slow.map_or(ANSWER_TIME, |(_, time)| time);
                    self.later(time, Pending::Answer(job, began));
                }
                Effect::Connect => self.later(Duration::from_millis(10), Pending::Connect),
                Effect::Publish(publication) => self.publish(publication),
                Effect::Log(_, text) => self.log.push(text),
                Effect::Notify(bulletin) => self.bulletins.push(bulletin),
                Effect::ReadStore(_) => self.later(Duration::from_millis(20), Pending::Read),
                Effect::Answer { request, refused } => self.answers.push((request, refused)),
                Effect::Show { request, shown, .. } => self.shown.push((request, shown)),
                Effect::Confirm { topic_arn, .. } => self.confirming.push(topic_arn),
                Effect::Spool(request) => self.spool_later(request),
                Effect::KeepMeter(text) => {
                    self.kept.push((self.now, text));
                    self.later(Duration::from_millis(20), Pending::Kept);
                }
                Effect::Finish(refusal) => {
                    self.finished = true;
                    self.refusal = refusal;
                }
            }
        }
    }

    /// Requests that the spool has not carried out.
    pub fn asked_of_spool(&self) -> usize {
        let pending = self.pending.values();
        pending.filter(|p| matches!(p, Pending::Spool(_))).count()
    }

    /// One request after the other.
    fn spool_later(&mut self, request: SpoolRequest) {
        self.spool_free_at = self.spool_free_at.max(self.now) + self.spool.delay;
        self.later(self.spool_free_at - self.now, Pending::Spool(request));
    }

    fn later(&mut self, wait: Duration, pending: Pending) {
        self.number += 1;
        self.pending.insert((self.now + wait, self.number), pending);
    }

    fn publish(&mut self, publication: Publication) {
        let broker = &mut self.broker;
        let at = (self.now + broker.delay).max(broker.free_at + broker.gap);
        broker.free_at = at;
        let taken = Pending::Taken(broker.session, publication);
        self.later(at - self.now, taken);
    }

    fn deliver(&mut self, pending: Pending) {
        match pending {
            Pending::Answer(job, began) => {
                let (outcome, answered) = self.region.answer(job, self.aws_now());
                if answered {
                    self.learned_ms = Some(self.date_error_ms - self.wall_error_ms);
                }
                self.handle(Event::Polled(Polled {
                    outcome,
                    began,
                    took: Mono(self.now).since(began),
                    requests: self.tries,
                    clock_offset_ms: self.learned_ms,
                }));
            }
            Pending::Mail(job, began) => self.carry_mail(job, began),
            Pending::Taken(session, publication) => {
                if session != self.broker.session {
                    return;
                }
                let poison = self.broker.poison.as_ref();
                let ends = |poison: &String| publication.payload.contains(poison);
                if !publication.retain && poison.is_some_and(ends) {
                    self.lose_broker();
                    return;
                }
                let token = publication.token;
                self.take(publication);
                self.handle(Event::Broker(BrokerEvent::Acknowledged(vec![token])));
            }
            Pending::Connect if self.broker.up => {
                self.broker.session += 1;
                self.broker.free_at = self.now;
                self.broker.sessions += 1;
                self.handle(Event::Broker(BrokerEvent::Connected));
            }
            Pending::Read => {
                let store = self.broker.up.then(|| self.broker.store());
                self.handle(Event::Store(store.ok_or_else(|| "no broker".to_owned())));
            }
            Pending::Kept => self.handle(Event::MeterKept(Ok(()))),
            Pending::OpenSpool => {
                let opened = self.spool.open();
                self.handle(Event::Spool(opened));
            }
            Pending::Spool(request) => {
                for event in self.spool.carry_out(request) {
                    self.handle(Event::Spool(event));
                }
            }
            Pending::Connect | Pending::Lost => {
                self.handle(Event::Broker(BrokerEvent::Lost("no broker".into())));
            }
        }
    }

    /// Puts a message into the queue.
    pub fn mail(&mut self, letter: Result<Notice, Unfit>) {
        self.mail.put(letter, self.now);
        // A receive that waits is answered at once.
        let waits = self
            .pending
            .iter()
            .find_map(|(key, pending)| match pending {
                Pending::Mail(QueueJob::Receive { .. }, _) => Some(*key),
                _ => None,
            });
        if let Some(pending) = waits.and_then(|key| self.pending.remove(&key)) {
            self.later(self.mail.delay, pending);
        }
    }

    fn carry_mail(&mut self, job: QueueJob, began: Mono) {
        if let Some(wait) = self.mail.waits(&job, began, self.now) {
            self.later(wait, Pending::Mail(job, began));
            return;
        }
        let end = self.mail.carry_out(job, self.now, &mut self.spool);
        self.handle(Event::Polled(Polled {
            outcome: Outcome::Queue(end),
            began,
            took: Mono(self.now).since(began),
            requests: 1,
            clock_offset_ms: self.learned_ms,
        }));
    }

    fn take(&mut self, publication: Publication) {
        let Publication {
            topic,
            payload,
            retain,
            ..
        } = publication;
        if self.broker.refuses.as_ref() == Some(&topic) {
            return;
        }
        if retain && payload.is_empty() {
            self.broker.retained.remove(&topic);
        } else if retain {
            self.broker.retained.insert(topic.clone(), payload.clone());
        }
        self.broker.log.push(Message {
            at: self.now,
            topic,
            payload,
        });
    }

    /// The process dies and another one begins. Of what is on its way to the broker the first
    /// `taken` publications arrive. The spool needs `open_time` to be opened.
    pub fn crash(&mut self, settings: Settings, taken: usize, open_time: Duration) {
        let session = self.broker.session;
        let pending = std::mem::take(&mut self.pending);
        let mut left = taken;
        for pending in pending.into_values() {
            if let Pending::Taken(of, publication) = pending
                && of == session
                && left > 0
            {
                left -= 1;
                self.take(publication);
            }
        }
        self.broker.session += 1;
        self.learned_ms = None;
        self.spool_free_at = self.now;
        self.engine = Engine::new(settings, self.now());
        self.handle(Event::Started);
        self.spool_free_at = self.now + open_time;
        self.later(open_time, Pending::OpenSpool);
    }

    /// The session ends now; what is on its way is lost.
    pub fn lose_broker(&mut self) {
        self.broker.session += 1;
        self.later(Duration::ZERO, Pending::Lost);
    }

    /// The session ends, and the next one begins a little later: seconds until it does.
    pub fn thrown_out(&mut self) -> u64 {
        let before = self.now().mono.0.as_secs();
        let sessions = self.broker.sessions;
        self.lose_broker();
        self.broker.up = true;
        while self.broker.sessions == sessions && self.refusal.is_none() {
            let now = self.now().mono.0.as_secs();
            assert!(now < before + 60, "no session within a minute");
            self.to(now + 1);
        }
        self.now().mono.0.as_secs() - before
    }

    /// The broker has taken what is on its way, but nobody hears of it.
    pub fn lose_acknowledgements(&mut self) {
        let session = self.broker.session;
        let pending = std::mem::take(&mut self.pending);
        for (at, pending) in pending {
            match pending {
                Pending::Taken(of, publication) if of == session => self.take(publication),
                other => drop(self.pending.insert(at, other)),
            }
        }
        self.lose_broker();
    }

    /// The retained payload of a topic below our prefix; null when there is none.
    pub fn json(&self, topic: &str) -> Value {
        let payload = self.broker.retained.get(&format!("{PREFIX}{topic}"));
        payload.map_or(Value::Null, |text| {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
        })
    }

    /// Whether the broker holds any topic with this in its name.
    pub fn holds(&self, part: &str) -> bool {
        self.broker
            .retained
            .keys()
            .any(|topic| topic.contains(part))
    }

    /// All messages of one topic, in order.
    pub fn messages(&self, topic: &str) -> Vec<Value> {
        let topic = format!("{PREFIX}{topic}");
        let of_topic = self.broker.log.iter().filter(|m| m.topic == topic);
        of_topic
            .map(|m| serde_json::from_str(&m.payload).unwrap_or(Value::Null))
            .collect()
    }

    /// The events of one type as `id from>to` or `id`.
    pub fn events(&self, event_type: &str) -> Vec<String> {
        let messages = self.messages(&format!("event/{event_type}"));
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let line = |e: &Value| {
            let about = ["alarm", "endpoint_id", "channel_id"]
                .iter()
                .find_map(|key| e[*key].as_str())
                .unwrap_or("-");
            match e["state"].as_str() {
                None => about.to_owned(),
                Some(state) => format!("{about} {}>{state}", text(&e["previous_state"])),
            }
        };
        messages.iter().map(line).collect()
    }

    /// The minutes of a topic's points relative to the start, revised ones with a star.
    pub fn points(&self, topic: &str) -> Vec<String> {
        let line = |p: &Value| {
            let minute = minute_of(&p["timestamp"]).unwrap() - M0;
            let star = if p["revised"] == true { "*" } else { "" };
            format!("{minute}{star}")
        };
        self.messages(topic).iter().map(line).collect()
    }
}

/// The minute that a payload's time names.
pub fn minute_of(value: &Value) -> Option<i64> {
    UnixMs::parse(value.as_str()?).map(|at| at.minute().0)
}

/// How a payload writes the start of a minute, counted from the start.
pub fn time_of(minute: i64) -> String {
    Minute(M0 + minute).start().rfc3339()
}
