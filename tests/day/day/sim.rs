//! The agent between AWS, the broker and the disk, in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use pure::engine::queueing::QueueJob;
use pure::engine::spooling::SpoolRequest;
use pure::engine::{
    BrokerEvent, Effect, Engine, Event, Job, Now, Outcome, Polled, Publication, Settings,
};
use pure::state::time::{Mono, UnixMs};

use super::aws::Aws;
use super::broker::{Broker, Comeback, PREFIX};
use super::disk::{Disk, Shelf};
use super::plan::{self, Plan};
use super::post::{Queue, Sent};
use super::truth::{Truth, clock};
use super::viewer::Viewer;

/// 2026-11-22T10:00:00Z, when every day begins.
pub const START: UnixMs = UnixMs(1_795_341_600_000);
/// How long AWS thinks.
const ANSWER_TIME: Duration = Duration::from_millis(300);
/// How long the spool takes for a request.
const SPOOL_TIME: Duration = Duration::from_millis(20);
/// SNS comes again after a refusal, or when nobody answers.
pub const RETRY: Duration = Duration::from_secs(20);
/// The agent has stopped within this.
const STOP_MAX: Duration = Duration::from_secs(6);
/// The agent answers SNS within this.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Of what was answered SNS brings some once more, within this.
const REPEAT_SECONDS_MAX: u64 = 600;
/// One event leads to so many effects at the most: all that may be in flight, and a few more.
const EFFECTS_MAX: usize = 200;
/// Events at one moment; more is an endless loop.
const EVENTS_AT_ONCE_MAX: u32 = 20_000;

pub enum Pending {
    Answer(Job, Mono),
    Mail(QueueJob, Mono),
    Connect,
    Lost,
    Read,
    Spool(SpoolRequest),
    OpenSpool,
    Taken(u64, Publication),
    /// Somebody looks at the page.
    Look,
    /// The broker publishes the last will of a session that ended.
    Will,
    Boot,
}

impl Pending {
    /// Whether it goes on when the process dies.
    fn outlives(&self) -> bool {
        matches!(self, Pending::Taken(..) | Pending::Will | Pending::Boot)
    }
}

pub struct Day {
    pub rng: Rng,
    pub plan: Plan,
    pub now: Duration,
    /// What our clock shows beyond the true time.
    pub wall_error_ms: i64,
    /// The process, while there is one.
    pub agent: Option<Engine>,
    /// Whether it is neither killed nor stopped.
    pub lasts: bool,
    /// Counts the processes.
    pub process: u64,
    pub aws: Aws,
    pub broker: Broker,
    pub disk: Disk,
    /// The kept meter, in its file.
    meter: Option<String>,
    shelf: Option<Shelf>,
    spool_free_at: Duration,
    pub queue: Queue,
    pub viewer: Viewer,
    pub sent: Vec<Sent>,
    /// Sent messages that are not answered yet.
    pub unsettled: Vec<usize>,
    /// Deliveries that wait for their answer: message, and since when.
    pub open: BTreeMap<u64, (usize, Duration)>,
    pub deliveries: u64,
    pub truth: Truth,
    /// The offset that the last good answer taught this process.
    pub learned_ms: Option<i64>,
    pub pending: BTreeMap<(Duration, u64), Pending>,
    number: u64,
    events_at_once: u32,
    pub events: u64,
    /// The broker has lost some of its store since the last calm.
    pub is_tampered: bool,
    /// Changes of alarms up to the last calm.
    pub changes_checked: usize,
    /// When the processes began.
    pub boots: Vec<Duration>,
}

impl Day {
    pub fn new(seed: u64, trace: bool) -> Day {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::of(&mut rng);
        let world = plan.world();
        let mut truth = Truth::new(seed, START, trace);
        truth.has_v2 = plan.has_v2;
        let mut day = Day {
            aws: Aws::new(world, plan.points_by_json),
            plan,
            rng,
            now: Duration::ZERO,
            wall_error_ms: 0,
            agent: None,
            lasts: false,
            process: 0,
            broker: Broker::new(),
            disk: Disk::default(),
            meter: None,
            shelf: None,
            spool_free_at: Duration::ZERO,
            queue: Queue::new(),
            viewer: Viewer::default(),
            sent: Vec::new(),
            unsettled: Vec::new(),
            open: BTreeMap::new(),
            deliveries: 0,
            truth,
            learned_ms: None,
            pending: BTreeMap::new(),
            number: 0,
            events_at_once: 0,
            events: 0,
            is_tampered: false,
            changes_checked: 0,
            boots: Vec::new(),
        };
        day.boot();
        day
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

    pub fn say(&self, what: &str) {
        if self.truth.trace {
            eprintln!("{} # {what}", clock(self.now));
        }
    }

    fn settings(&mut self) -> Settings {
        Settings {
            meter_file: Ok(self.meter.clone()),
            page: self.page(),
            ..plan::settings(&self.plan, self.rng.u64(..))
        }
    }

    /// The process begins.
    pub fn boot(&mut self) {
        self.process += 1;
        self.boots.push(self.now);
        self.say("the agent starts");
        let settings = self.settings();
        self.learned_ms = None;
        self.agent = Some(Engine::new(settings, self.now()));
        self.shelf = Some(Shelf::on(&self.disk));
        self.spool_free_at = self.now;
        self.handle(Event::Started);
        self.later(SPOOL_TIME, Pending::OpenSpool);
        if self.plan.listens {
            self.handle(Event::Listener(Ok(())));
        }
        self.looks();
    }

    /// The process dies. Of what is on its way to the broker the first `taken` arrive. Another
    /// one begins after a while.
    pub fn kill(&mut self, taken: usize, again: Duration) {
        if self.lasts || self.agent.take().is_none() {
            return;
        }
        self.say("the agent is killed");
        self.end_process(taken);
        self.later(again, Pending::Boot);
    }

    fn end_process(&mut self, taken: usize) {
        self.shelf = None;
        self.truth.cuts.push(self.now);
        let session = self.broker.session;
        let mut left = taken;
        for (key, pending) in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Taken(of, publication) if of == session && left > 0 => {
                    left -= 1;
                    self.take(&publication);
                }
                // What did not arrive is lost.
                Pending::Taken(of, _) if of == session => {}
                pending if pending.outlives() => drop(self.pending.insert(key, pending)),
                _ => {}
            }
        }
        self.broker.session += 1;
        self.broker.connected = false;
        let will = Duration::from_millis(self.rng.u64(..20_000));
        self.later(will, Pending::Will);
        for (n, _) in std::mem::take(&mut self.open).into_values() {
            self.sent[n].due = Some(self.now + RETRY);
        }
    }

    /// The process is asked to stop, as systemd does it; it begins again after a while.
    pub fn stop(&mut self, again: Duration) {
        if self.agent.is_some() && !self.lasts {
            self.say("the agent is stopped");
            self.later(again, Pending::Boot);
            self.handle(Event::Stop);
        }
    }

    pub fn later(&mut self, wait: Duration, pending: Pending) {
        self.number += 1;
        self.pending.insert((self.now + wait, self.number), pending);
    }

    /// Runs on until then.
    pub fn run_to(&mut self, end: Duration) {
        loop {
            let mut next = self.pending.keys().next().map(|(at, _)| *at);
            if let Some(agent) = &self.agent {
                let deadline = agent.deadline(self.now()).0;
                if deadline <= self.now {
                    let what = format!("{} is not after now", clock(deadline));
                    self.truth
                        .fail(self.now, "a deadline lies in the future", &what);
                }
                next = Some(next.map_or(deadline, |at| at.min(deadline)));
            }
            let due = self.sent_due();
            next = [next, due].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            let next = next.max(self.now);
            self.count_event(next);
            self.now = next;
            if due.is_some_and(|due| due <= next) {
                self.deliver_sent();
                continue;
            }
            match self
                .pending
                .first_entry()
                .filter(|entry| entry.key().0 <= next)
            {
                Some(entry) => {
                    let pending = entry.remove();
                    self.deliver(pending);
                }
                None => self.handle(Event::Tick { memory_bytes: None }),
            }
        }
        self.now = self.now.max(end);
    }

    fn count_event(&mut self, next: Duration) {
        self.events += 1;
        self.events_at_once = if next > self.now {
            0
        } else {
            self.events_at_once + 1
        };
        if self.events_at_once > EVENTS_AT_ONCE_MAX {
            self.truth
                .fail(self.now, "no endless loop", "time stands still");
        }
    }

    pub fn handle(&mut self, event: Event) {
        let now = self.now();
        let Some(agent) = &mut self.agent else {
            return;
        };
        let effects = agent.handle(now, event);
        if effects.len() > EFFECTS_MAX {
            let what = format!("{} effects of one event", effects.len());
            self.truth.fail(self.now, "effects are bounded", &what);
        }
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let began = Mono(self.now);
        match effect {
            Effect::Poll(Job::Queue(job)) => {
                self.later(self.queue.delay, Pending::Mail(job, began));
            }
            Effect::Poll(job) => self.later(ANSWER_TIME, Pending::Answer(job, began)),
            Effect::Connect => self.later(Duration::from_millis(10), Pending::Connect),
            Effect::Publish(publication) => {
                let broker = &mut self.broker;
                let at = (self.now + broker.delay).max(broker.free_at + broker.gap);
                broker.free_at = at;
                let session = broker.session;
                self.later(at - self.now, Pending::Taken(session, publication));
            }
            Effect::Log(level, text) => self.truth.logged(self.now, level, &text),
            Effect::Notify(bulletin) => {
                self.truth.no_secret(self.now, &bulletin.message());
            }
            Effect::KeepMeter(text) => {
                self.meter = Some(text);
                self.handle(Event::MeterKept(Ok(())));
            }
            Effect::ReadStore(_) => self.later(Duration::from_millis(20), Pending::Read),
            Effect::Answer { request, refused } => {
                let Some((n, since)) = self.open.remove(&request) else {
                    self.truth
                        .fail(self.now, "a request is answered once", "again");
                };
                if self.now - since > ANSWER_MAX {
                    let what = format!("message {n} waited since {}", clock(since));
                    self.truth
                        .fail(self.now, "an answer comes within ten seconds", &what);
                }
                let again = Duration::from_secs(self.rng.u64(1..REPEAT_SECONDS_MAX));
                let repeats = self.rng.u8(..10) == 0;
                let sent = &mut self.sent[n];
                match refused {
                    None => {
                        sent.due = repeats.then_some(self.now + again);
                        if sent.answered.replace(self.now).is_none() {
                            let id = sent.message.message_id.to_string();
                            self.truth.is_safe(id);
                        }
                    }
                    Some(_) => sent.due = Some(self.now + RETRY),
                }
            }
            Effect::Spool(request) => {
                self.spool_free_at = self.spool_free_at.max(self.now) + SPOOL_TIME;
                self.later(self.spool_free_at - self.now, Pending::Spool(request));
            }
            Effect::Confirm { .. } => {}
            Effect::Show { shown, .. } => self.take_shown(shown),
            Effect::Finish(None) => {
                self.agent = None;
                self.end_process(usize::MAX);
            }
            Effect::Finish(Some(why)) => self.truth.fail(self.now, "it goes on", &why),
        }
    }

    /// The next publication that the broker takes in this moment: one reading brings them all.
    fn taken_with_it(&mut self, session: u64) -> Option<Publication> {
        let next = self.pending.first_entry()?;
        let is_one = matches!(next.get(), Pending::Taken(of, _) if *of == session);
        if next.key().0 > self.now || !is_one {
            return None;
        }
        match next.remove() {
            Pending::Taken(_, publication) => Some(publication),
            _ => None,
        }
    }

    fn deliver(&mut self, pending: Pending) {
        match pending {
            Pending::Answer(job, began) => self.answer(job, began),
            Pending::Mail(job, began) => self.carry_mail(job, began),
            Pending::Taken(session, publication) => {
                if session == self.broker.session {
                    self.take(&publication);
                    let mut taken = vec![publication.token];
                    while let Some(next) = self.taken_with_it(session) {
                        self.take(&next);
                        taken.push(next.token);
                    }
                    self.handle(Event::Broker(BrokerEvent::Acknowledged(taken)));
                }
            }
            Pending::Connect if self.broker.up => {
                self.broker.session += 1;
                self.broker.connected = true;
                self.broker.free_at = self.now;
                self.handle(Event::Broker(BrokerEvent::Connected));
            }
            Pending::Connect | Pending::Lost => {
                self.handle(Event::Broker(BrokerEvent::Lost("no broker".into())));
            }
            Pending::Read => {
                let store = self.broker.up.then(|| self.broker.store());
                if store.is_some() {
                    self.note_reading();
                }
                self.handle(Event::Store(store.ok_or_else(|| "no broker".to_owned())));
            }
            Pending::OpenSpool => {
                if let Some(shelf) = &mut self.shelf {
                    let opened = shelf.open();
                    self.handle(Event::Spool(opened));
                }
            }
            Pending::Spool(request) => {
                if let Some(shelf) = &mut self.shelf {
                    for event in shelf.carry_out(request) {
                        self.handle(Event::Spool(event));
                    }
                }
            }
            Pending::Look => self.looks(),
            Pending::Will => self.publish_will(),
            Pending::Boot => self.boot_once(),
        }
    }

    /// Whoever waits to start the agent does so now, or once it has stopped.
    pub fn boot_now(&mut self) {
        let all = self.pending.len();
        self.pending
            .retain(|_, pending| !matches!(pending, Pending::Boot));
        if self.agent.is_none() {
            self.boot();
        } else if self.pending.len() < all {
            self.later(STOP_MAX, Pending::Boot);
        }
    }

    fn boot_once(&mut self) {
        match self.agent {
            // It takes its time to stop.
            Some(_) => self.later(STOP_MAX, Pending::Boot),
            None => self.boot(),
        }
    }

    fn publish_will(&mut self) {
        if self.broker.up {
            let topic = format!("{PREFIX}status");
            self.broker.retained.insert(topic.clone(), "offline".into());
            self.handle(Event::Broker(BrokerEvent::Received {
                topic,
                payload: b"offline".to_vec(),
                retained: false,
            }));
        }
    }

    /// A watermark that the store has lost lets minutes be forgotten.
    fn note_reading(&mut self) {
        for resource in self.plan.resources(self.aws.world()) {
            let topic = format!("{PREFIX}{resource}/metrics");
            let told = self.truth.newest_point(&resource);
            let kept = self.broker.retained.get(&topic);
            let kept = kept.and_then(|payload| super::checks::timestamp(payload));
            // Another process would begin there.
            if kept.is_none_or(|kept| told.is_some_and(|told| kept > told)) {
                self.say(&format!(
                    "{resource} is at {told:?}, and the store at {kept:?}"
                ));
                self.truth.loosen(&resource);
            }
        }
    }

    fn answer(&mut self, job: Job, began: Mono) {
        let is_alarms = matches!(job, Job::Alarms);
        if self.truth.trace
            && let Job::Metrics(question) = &job
        {
            let (first, newest) = (question.first.start(), question.newest.start());
            self.say(&format!(
                "{} to {} are asked",
                first.rfc3339(),
                newest.rfc3339()
            ));
        }
        let ended = self.aws.answer(job, self.aws_now().0);
        if ended.told_time {
            self.learned_ms = Some(-self.wall_error_ms);
        }
        if is_alarms && matches!(ended.outcome, Outcome::Alarms(Ok(_))) {
            self.note_alarms_seen();
        }
        if self.truth.trace
            && let Some(fault) = super::checks::fault_of(&ended.outcome)
        {
            self.say(&format!("AWS: {fault}"));
        }
        self.handle(Event::Polled(Polled {
            outcome: ended.outcome,
            began,
            took: Mono(self.now).since(began),
            requests: ended.requests,
            clock_offset_ms: self.learned_ms,
        }));
    }

    fn note_alarms_seen(&mut self) {
        for alarm in &self.aws.world().alarms {
            let all = self.truth.transitions.iter_mut().rev();
            let mut of_alarm = all.filter(|t| t.alarm == alarm.name);
            if let Some(newest) = of_alarm.next() {
                newest.sights += 1;
                newest.seen_by.get_or_insert(self.process);
            }
        }
    }

    fn take(&mut self, publication: &Publication) {
        if self.broker.take(publication) {
            self.truth.published(self.now, publication);
        }
    }

    /// The session ends now; what is on its way is lost.
    pub fn lose_session(&mut self) {
        self.truth.cuts.push(self.now);
        self.broker.session += 1;
        // Who has none only fails to get one.
        if std::mem::take(&mut self.broker.connected) {
            self.later(Duration::ZERO, Pending::Lost);
        }
    }

    /// The broker has taken what is on its way, but nobody hears of it.
    pub fn lose_acknowledgements(&mut self) {
        let session = self.broker.session;
        for (key, pending) in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Taken(of, publication) if of == session => self.take(&publication),
                other => drop(self.pending.insert(key, other)),
            }
        }
        self.lose_session();
    }

    pub fn lose_broker(&mut self, how: Comeback) {
        self.say(&format!("the broker is away; its store: {how:?}"));
        self.broker.up = false;
        self.broker.lose(how);
        if how != Comeback::Kept {
            self.is_tampered = true;
        }
        self.lose_session();
    }
}
