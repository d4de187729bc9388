//! The one place where decisions are made.
//!
//! [`Engine::handle`] takes what happened and returns what to do. It reads no clock, draws no
//! random number, waits for nothing and cannot fail, so every rule is tested as a list of
//! moments and events. Who carries out an [`Effect`] adds no policy of its own.

mod aws_time;
pub mod backoff;
pub mod bill;
pub mod budget;
mod cycle;
mod daybook;
mod discovery;
mod flat;
mod inventory;
pub mod look;
mod media;
pub mod meter;
pub mod outbox;
pub mod ownership;
mod polls;
mod publish;
pub mod push;
pub mod queueing;
pub mod service;
pub mod settings;
mod spending;
pub mod spooling;
mod stop;
#[cfg(test)]
mod tests;
mod timer;
mod view;
pub mod watch;

use std::collections::VecDeque;
use std::time::Duration;

use crate::state::alarms::Alarms;
use crate::state::catalogue::{Catalogue, Series};
use crate::state::fault::Fault;
use crate::state::gather::{Ask, Rows};
use crate::state::harvest::HarvestJobs;
use crate::state::inventory::Inventory;
use crate::state::logbook::Logbook;
use crate::state::model::{Api, HarvestJob, Id};
use crate::state::polled::{self, Column, ListedMetric, PolledAlarm};
use crate::state::push::{MessageId, Reason, Refusals};
use crate::state::time::{Minute, Mono, UnixMs};
use crate::state::tracks::Tracks;
use crate::state::wish::MetricsLevel;
use crate::topics::Names;

use aws_time::AwsTime;
use look::{Look, Shown};
use outbox::{Once, Outbox, Token};
use ownership::{Ownership, Store};
use polls::Polls;
use push::{ConfirmToken, Push, Pushes};
use queueing::{QueueEnd, QueueJob};
use service::{Bulletin, Service};
pub use settings::{HomeAssistant, Settings};
use spending::Spending;
use spooling::{SpoolEvent, SpoolRequest};
use watch::{Progress, Watch};

/// The two kinds of time, read at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// For waiting.
    pub mono: Mono,
    /// What our clock shows, right or wrong.
    pub wall: UnixMs,
}

/// One batch for `GetMetricData`.
#[derive(Clone, Debug)]
pub struct Question {
    /// What to ask; the series of a resource stand together.
    pub series: Vec<Series>,
    /// First minute of the window.
    pub first: Minute,
    /// The minute after its last.
    pub end: Minute,
    /// Newest minute that is settled now.
    pub newest: Minute,
}

/// Something to ask AWS.
#[derive(Clone, Debug)]
pub enum Job {
    /// List channels and endpoints of v1.
    Inventory,
    /// One step of a listing of v2.
    ListV2(Ask),
    /// Get these resources of v2 by themselves.
    Details(Vec<polled::Resource>),
    /// List the harvest jobs that are shown at this moment, AWS's time: of v1, or of v2 in
    /// these channel groups.
    Harvest(Api, Vec<Id>, UnixMs),
    /// List packaging groups and configurations of VOD.
    Vod,
    /// List the series of the namespace that this level asks for.
    Series(MetricsLevel),
    /// Get data points.
    Metrics(Question),
    /// List alarms.
    Alarms,
    /// Take messages from the queue, or tell it what became of them.
    Queue(QueueJob),
}

/// What AWS said.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Of [`Job::Inventory`].
    Inventory(Result<polled::Inventory, Fault>),
    /// Of [`Job::ListV2`].
    ListV2(Result<Rows, Fault>),
    /// Of [`Job::Details`]: of each resource what came of it, as far as they were asked for.
    Details(Vec<(polled::Resource, Result<polled::Got, Fault>)>),
    /// Of [`Job::Harvest`].
    Harvest(Api, Result<Vec<HarvestJob>, Fault>),
    /// Of [`Job::Vod`].
    Vod(Result<polled::Vod, Fault>),
    /// Of [`Job::Series`].
    Series(Result<Vec<ListedMetric>, Fault>),
    /// Of [`Job::Metrics`], with the question it answers.
    Metrics(Question, Result<Vec<Column>, Fault>),
    /// Of [`Job::Alarms`].
    Alarms(Result<Vec<PolledAlarm>, Fault>),
    /// Of [`Job::Queue`].
    Queue(QueueEnd),
}

impl Outcome {
    /// Whether AWS gave what was asked.
    fn is_good(&self) -> bool {
        match self {
            Outcome::Inventory(result) => result.is_ok(),
            Outcome::ListV2(result) => result.is_ok(),
            Outcome::Details(all) => all.iter().all(|(_, result)| result.is_ok()),
            Outcome::Harvest(_, result) => result.is_ok(),
            Outcome::Vod(result) => result.is_ok(),
            Outcome::Series(result) => result.is_ok(),
            Outcome::Metrics(_, result) => result.is_ok(),
            Outcome::Alarms(result) => result.is_ok(),
            Outcome::Queue(end) => end.is_good(),
        }
    }
}

/// A finished job.
#[derive(Clone, Debug)]
pub struct Polled {
    /// What came of it.
    pub outcome: Outcome,
    /// When it began.
    pub began: Mono,
    /// How long it took.
    pub took: Duration,
    /// HTTP requests it needed.
    pub requests: u64,
    /// AWS's clock minus ours, in milliseconds, where an answer told it.
    pub clock_offset_ms: Option<i64>,
}

/// News of the broker.
#[derive(Clone, Debug)]
pub enum BrokerEvent {
    /// A session began.
    Connected,
    /// No session came about, or it ended; why.
    Lost(String),
    /// These publications were taken: all that one reading of the socket told of.
    Acknowledged(Vec<Token>),
    /// A message on one of our subscriptions.
    Received {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Whether the broker had kept it.
        retained: bool,
    },
}

/// What of the broker's store is to be read.
#[derive(Clone, Debug, Default)]
pub struct StoreRequest {
    /// Only what has to be known before anything goes out; everything else waits for it.
    pub at_start: bool,
    /// Then too: whether the documents for Home Assistant are among that.
    pub documents: bool,
    /// Full names of topics that should be there.
    pub expected: Vec<String>,
}

/// Everything that can happen to the agent.
#[derive(Clone, Debug)]
pub enum Event {
    /// The process is up.
    Started,
    /// Time has passed.
    Tick {
        /// Resident memory, where it is known.
        memory_bytes: Option<u64>,
    },
    /// A job is finished.
    Polled(Polled),
    /// News of the broker.
    Broker(BrokerEvent),
    /// What the broker keeps below our prefix, or why that could not be read.
    Store(Result<Store, String>),
    /// A message that AWS pushed and that was found good.
    Push(Push),
    /// What the listener has refused since it last told.
    Refused(Vec<Refusals>),
    /// What came of [`Effect::Confirm`]: the subscription's ARN.
    Confirmed {
        /// The message that asked for it.
        message_id: MessageId,
        /// The topic.
        topic_arn: String,
        /// The subscription's ARN.
        result: Result<String, Fault>,
    },
    /// News of the spool.
    Spool(SpoolEvent),
    /// What came of [`Effect::KeepMeter`].
    MeterKept(Result<(), String>),
    /// The listener works, or it does not.
    Listener(Result<(), Fault>),
    /// The watchdog is to be fed, where all is well: what the pollers have sent so far.
    Pulse(Progress),
    /// Somebody looks at the local page, or asks what it asks.
    Look(Look),
    /// Someone wants us to stop.
    Stop,
}

/// One MQTT message, QoS 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Comes back when the broker has taken it.
    pub token: Token,
    /// Full name.
    pub topic: String,
    /// Empty to clear a retained topic.
    pub payload: String,
    /// Whether the broker shall keep it.
    pub retain: bool,
}

/// Everything the agent can be told to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask AWS.
    Poll(Job),
    /// Read what the broker keeps below our prefix, in a session of its own.
    ReadStore(StoreRequest),
    /// Begin a session with the broker.
    Connect,
    /// Send.
    Publish(Publication),
    /// Answer a request to the listener: its message is safe, or it is refused.
    Answer {
        /// Which request.
        request: u64,
        /// Why not.
        refused: Option<Reason>,
    },
    /// Confirm a subscription.
    Confirm {
        /// The message that asks for it.
        message_id: MessageId,
        /// The topic.
        topic_arn: String,
        /// What AWS wants to hear.
        token: ConfirmToken,
    },
    /// Keep, read or forget pushed messages.
    Spool(SpoolRequest),
    /// Answer who looks at the local page.
    Show {
        /// Which request.
        request: u64,
        /// With what.
        shown: Shown,
        /// AWS's time.
        at: UnixMs,
    },
    /// Tell the service manager.
    Notify(Bulletin),
    /// Keep the meter for the next start, in place of what was kept before. Answered by
    /// [`Event::MeterKept`].
    KeepMeter(String),
    /// Tell the log.
    Log(log::Level, String),
    /// All is said: end the session and the process. With a reason, it failed.
    Finish(Option<String>),
}

/// The state of everything, and the rules.
pub struct Engine {
    settings: Settings,
    names: Names,
    rng: fastrand::Rng,
    inventory: Inventory,
    harvest: HarvestJobs,
    catalogue: Catalogue,
    tracks: Tracks,
    alarms: Alarms,
    polls: Polls,
    spending: Spending,
    outbox: Outbox,
    /// What is told once and waits for room, with its numbers.
    happenings: VecDeque<(u64, Once)>,
    pushes: Pushes,
    told: view::Told,
    homes: discovery::Homes,
    flats: flat::Flats,
    broker: publish::Broker,
    ownership: Ownership,
    stopping: Option<stop::Stopping>,
    began: Mono,
    started_at: UnixMs,
    aws_time: AwsTime,
    memory_bytes: Option<u64>,
    logbook: Logbook,
    service: Service,
    watch: Watch,
    /// Where there is a page. In a box: mostly there is none.
    desk: Option<Box<look::Desk>>,
    effects: Vec<Effect>,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Settings, now: Now) -> Engine {
        Engine {
            names: Names::new(&settings.base_topic, &settings.instance)
                .with_discovery(&settings.home_assistant.prefix),
            rng: fastrand::Rng::with_seed(settings.seed),
            inventory: Inventory::default(),
            harvest: HarvestJobs::default(),
            catalogue: Catalogue::default(),
            tracks: match settings.page {
                Some(_) => Tracks::with_histories(),
                None => Tracks::default(),
            },
            alarms: Alarms::default(),
            polls: Polls::new(&settings, now),
            spending: Spending::new(&settings, now),
            outbox: Outbox::default(),
            happenings: VecDeque::new(),
            pushes: Pushes::new(&settings),
            told: view::Told::default(),
            homes: discovery::Homes::default(),
            flats: flat::Flats::default(),
            broker: publish::Broker::default(),
            ownership: Ownership::default(),
            stopping: None,
            began: now.mono,
            started_at: now.wall,
            aws_time: AwsTime::default(),
            memory_bytes: None,
            logbook: Logbook::default(),
            service: Service::default(),
            watch: Watch::default(),
            desk: settings
                .page
                .clone()
                .map(|run| Box::new(look::Desk::new(run))),
            effects: Vec::new(),
            settings,
        }
    }

    /// Takes what happened and tells what to do about it.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        self.service_heard(now, &event);
        match event {
            Event::Started => {
                self.began = now.mono;
                self.begin_view(now);
                self.begin_spending();
                self.read_store();
            }
            Event::Tick { memory_bytes } => self.memory_bytes = memory_bytes.or(self.memory_bytes),
            Event::Polled(polled) => self.polled(now, polled),
            Event::Broker(news) => self.broker_event(now, news),
            Event::Store(result) => self.store_read(now, result),
            Event::Push(push) => self.pushed(now, push),
            Event::Refused(all) => all.into_iter().for_each(|some| self.refused(now, some)),
            Event::Confirmed {
                message_id,
                topic_arn,
                result,
            } => self.confirmed(now, message_id, topic_arn, result),
            Event::Spool(event) => self.spool_event(now, event),
            Event::MeterKept(result) => self.meter_kept(result),
            Event::Listener(result) => self.listener(now, result),
            Event::Pulse(progress) => self.pulse(now, progress),
            Event::Look(look) => self.looked(now, look),
            Event::Stop => self.stop(now),
        }
        self.advance_polls(now);
        self.advance_spending(now);
        self.review(now);
        self.advance_homes(now);
        self.advance_ownership(now);
        self.pump(now);
        self.advance_pushes(now);
        self.advance_queue(now);
        self.advance_stop(now);
        self.advance_service(now);
        self.advance_log(now);
        if let Some(desk) = &mut self.desk {
            desk.tidy(now.mono);
        }
        std::mem::take(&mut self.effects)
    }

    /// When to call [`Engine::handle`] again with a tick if nothing else happens; always
    /// after `now`.
    pub fn deadline(&self, now: Now) -> Mono {
        let soonest = now.mono.after(Duration::from_millis(1));
        let polls = self.polls.deadline(self.metrics_begin_at());
        let deadlines = [
            // Who stops asks nothing more.
            polls.filter(|_| self.stopping.is_none()),
            self.told.next_review,
            self.broker_deadline(),
            self.ownership.deadline(),
            self.homes.deadline(),
            self.pushes.deadline(),
            self.queue_deadline(now),
            self.stopping.as_ref().map(|stopping| stopping.give_up_at),
            self.logbook.deadline(),
            self.desk.as_ref().and_then(|desk| desk.deadline()),
        ];
        let next = deadlines.into_iter().flatten().min();
        next.unwrap_or(now.mono.after(Duration::from_secs(60)))
            .max(soonest)
    }

    /// AWS's time, as its answers tell it.
    fn aws_now(&self, now: Now) -> UnixMs {
        self.aws_time.at(now)
    }

    fn log(&mut self, level: log::Level, text: impl Into<String>) {
        self.effects.push(Effect::Log(level, text.into()));
    }
}
