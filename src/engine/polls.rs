//! When AWS is asked what, and what its answers change.

use std::time::Duration;

use super::backoff;
use super::meter::LIST_INTERVAL;
use super::{Effect, Engine, Job, Now, Outcome, Polled, Question, Settings};
use crate::state::alarms::AlarmChanges;
use crate::state::catalogue::Series;
use crate::state::fault::{Fault, FaultKind};
use crate::state::inventory::InventoryChanges;
use crate::state::measure::Resource;
use crate::state::model::Id;
use crate::state::polled::{self, Column, ListedMetric, PolledAlarm};
use crate::state::source::{Source, SourceState};
use crate::state::time::{Minute, Mono};
use crate::state::tracks::{self, Answer, Pace, Point};
use crate::state::wish::{AlarmsKept, MetricsLevel};
use crate::topics::Topic;

/// What `GetMetricData` takes at once.
const QUERIES_A_REQUEST_MAX: usize = 500;
/// First wait after a failed poll; it doubles up to the source's interval.
const RETRY_FIRST: Duration = Duration::from_secs(5);
/// How often a clock that is before the program's own date is looked at again.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// One kind of poll on its timer.
#[derive(Clone, Copy, Debug)]
struct Timer {
    interval: Duration,
    /// When it is due; `None` when it is switched off.
    due: Option<Mono>,
    busy: bool,
    failures: u32,
    /// Whether the phase of its own has been chosen: the first poll is at once.
    phased: bool,
}

impl Timer {
    fn new(wanted: bool, interval: Duration, now: Mono) -> Timer {
        Timer {
            interval,
            due: wanted.then_some(now),
            busy: false,
            failures: 0,
            phased: false,
        }
    }

    fn is_due(&self, now: Mono) -> bool {
        !self.busy && self.due.is_some_and(|due| due <= now)
    }

    /// Chooses the next moment, after a poll that began at `began` has ended.
    fn ended(&mut self, began: Mono, now: Mono, good: bool, random: f64) {
        self.busy = false;
        self.failures = if good { 0 } else { self.failures + 1 };
        let wait = match (good, self.phased) {
            (false, _) => {
                let first = RETRY_FIRST.min(self.interval);
                backoff::delay(self.failures, first, self.interval, random)
            }
            // A phase of its own, so that the boxes of a region do not poll in step.
            (true, false) => self.interval.mul_f64(0.5 + 0.5 * random),
            (true, true) => self.interval,
        };
        self.phased |= good;
        let from = if good { began } else { now };
        // What is due while it is late is skipped, never caught up.
        self.due = self.due.map(|_| from.after(wait).max(now));
    }
}

/// A metric poll under way: it asks one batch of whole channels after the other.
#[derive(Clone, Debug)]
struct Cycle {
    began: Mono,
    took: Duration,
    /// The channel that was asked last.
    after: Option<Id>,
    metrics: u64,
    phase: Phase,
    /// Whether points go out; not while the broker cannot keep up.
    points: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    /// The next batch is to be asked.
    Next,
    /// An answer is awaited.
    Waiting,
    /// The points of an answered batch go out; then these topics are due.
    Draining(Vec<Resource>),
}

/// Timers, and the metric poll that is under way.
#[derive(Debug)]
pub struct Polls {
    inventory: Timer,
    alarms: Timer,
    metrics: Timer,
    cycle: Option<Cycle>,
    list_due: Option<Mono>,
    /// The points of the batch that is drained, oldest first.
    pub(super) points: std::collections::VecDeque<Point>,
    clock_was_wrong: bool,
    /// Why the last `ListMetrics` failed: then only what is known is asked.
    pub(super) list_fault: Option<Fault>,
    pub(super) forecast: super::meter::Pace,
}

impl Polls {
    pub(super) fn new(settings: &Settings, now: Now) -> Polls {
        let wish = &settings.wish;
        let alarms_wanted = wish.alarms != AlarmsKept::Off || !wish.alarm_include.is_empty();
        let metrics_wanted = wish.level != MetricsLevel::Off;
        Polls {
            inventory: Timer::new(true, settings.inventory_interval, now.mono),
            alarms: Timer::new(alarms_wanted, settings.alarms_interval, now.mono),
            metrics: Timer::new(metrics_wanted, wish.metrics_interval, now.mono),
            cycle: None,
            list_due: Some(now.mono),
            points: std::collections::VecDeque::new(),
            clock_was_wrong: false,
            list_fault: None,
            forecast: super::meter::Pace {
                metrics_interval: wish.metrics_interval,
                list_interval: LIST_INTERVAL,
                alarms_interval: settings.alarms_interval,
                ..Default::default()
            },
        }
    }

    /// When the next poll is due. Metrics wait for the first inventory, not for a time.
    pub(super) fn deadline(&self, has_inventory: bool) -> Option<Mono> {
        let metrics = has_inventory.then_some(&self.metrics);
        let waits = [Some(&self.inventory), Some(&self.alarms), metrics]
            .into_iter()
            .flatten();
        let polls = waits
            .filter(|timer| !timer.busy)
            .filter_map(|timer| timer.due);
        polls.chain(self.drain_ends()).min()
    }

    /// When points that did not go out are given up.
    fn drain_ends(&self) -> Option<Mono> {
        let cycle = self.cycle.as_ref()?;
        let draining = matches!(cycle.phase, Phase::Draining(_));
        draining.then(|| cycle.began.after(self.metrics.interval))
    }

    pub(super) fn wants(&self, source: Source) -> bool {
        match source {
            Source::MediaPackage => self.inventory.due.is_some(),
            Source::Metrics => self.metrics.due.is_some(),
            Source::Alarms => self.alarms.due.is_some(),
            Source::Sns | Source::Sqs => false,
        }
    }

    pub(super) fn interval(&self, source: Source) -> Duration {
        match source {
            Source::Metrics => self.metrics.interval,
            Source::Alarms => self.alarms.interval,
            _ => self.inventory.interval,
        }
    }

    /// Makes inventory and alarms due now, and metrics where they are allowed.
    pub(super) fn hasten(&mut self, now: Mono, metrics: bool) {
        let metrics = metrics.then_some(&mut self.metrics);
        let timers = [Some(&mut self.inventory), Some(&mut self.alarms), metrics];
        for timer in timers.into_iter().flatten() {
            timer.due = timer.due.and(Some(now));
        }
    }

    /// Forgets points that did not go out; the next poll asks for them again.
    pub(super) fn drop_points(&mut self) {
        self.points.clear();
    }
}

impl Engine {
    /// Starts what is due.
    pub(super) fn advance_polls(&mut self, now: Now) {
        if self.stopping.is_some() || self.waits_for_clock(now) {
            return;
        }
        if self.polls.inventory.is_due(now.mono) {
            self.polls.inventory.busy = true;
            self.effects.push(Effect::Poll(Job::Inventory));
        }
        if self.polls.alarms.is_due(now.mono) {
            self.polls.alarms.busy = true;
            self.effects.push(Effect::Poll(Job::Alarms));
        }
        // Without channels there is nothing to measure: the first listing starts the metrics.
        if self.polls.metrics.is_due(now.mono) && self.inventory.listings() > 0 {
            self.begin_cycle(now);
        }
        self.advance_cycle(now);
    }

    /// A clock before the program's own date cannot do TLS. Said once, and waited out.
    fn waits_for_clock(&mut self, now: Now) -> bool {
        let wrong = self.settings.needs_clock && now.wall < self.settings.earliest_date;
        if wrong && !self.polls.clock_was_wrong {
            let fault = Fault::new(
                FaultKind::Clock,
                format!(
                    "this machine's clock shows {}, before this version was made",
                    now.wall
                ),
                "set the clock (NTP); polling starts by itself once it is right",
            );
            self.log(log::Level::Warn, fault.to_string());
            for source in [Source::MediaPackage, Source::Metrics, Source::Alarms] {
                if self.polls.wants(source) {
                    self.told.source(source).failed(fault.clone(), now.wall);
                }
            }
            self.told.agent_changed = true;
        }
        if wrong {
            let again = Some(now.mono.after(CLOCK_CHECK_INTERVAL));
            for timer in [
                &mut self.polls.inventory,
                &mut self.polls.metrics,
                &mut self.polls.alarms,
            ] {
                timer.due = timer.due.and(again);
            }
        } else if self.polls.clock_was_wrong {
            self.log(log::Level::Info, "the clock is right now");
            self.started_at = now.wall;
        }
        self.polls.clock_was_wrong = wrong;
        wrong
    }

    fn begin_cycle(&mut self, now: Now) {
        self.polls.metrics.busy = true;
        self.polls.cycle = Some(Cycle {
            began: now.mono,
            took: Duration::ZERO,
            after: None,
            metrics: 0,
            phase: Phase::Next,
            points: self.broker.connected,
        });
        if self.polls.list_due.is_none_or(|due| due <= now.mono) {
            self.polls.list_due = Some(now.mono.after(LIST_INTERVAL));
            self.set_phase(Phase::Waiting);
            self.effects.push(Effect::Poll(Job::Series));
        }
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(cycle) = &mut self.polls.cycle {
            cycle.phase = phase;
        }
    }

    /// Takes the metric poll one step on, where it does not wait for anything.
    fn advance_cycle(&mut self, now: Now) {
        let Some(cycle) = &mut self.polls.cycle else {
            return;
        };
        if let Phase::Draining(resources) = &mut cycle.phase {
            let overdue = now.mono.since(cycle.began) >= self.polls.metrics.interval;
            let drained = self.polls.points.is_empty() && self.outbox.points_in_flight() == 0;
            if !drained && !overdue {
                return;
            }
            // The broker cannot keep up: what it shall hold comes before what it shall pass on.
            cycle.points &= drained;
            let due = std::mem::take(resources);
            cycle.phase = Phase::Next;
            self.polls.drop_points();
            due.into_iter()
                .for_each(|resource| self.outbox.touch(Topic::Metrics(resource)));
        }
        if matches!(
            self.polls.cycle,
            Some(Cycle {
                phase: Phase::Next,
                ..
            })
        ) {
            self.ask_next(now);
        }
    }

    fn ask_next(&mut self, now: Now) {
        let aws_now = self.aws_now(now);
        let Some(cycle) = &mut self.polls.cycle else {
            return;
        };
        let mut series: Vec<Series> = Vec::new();
        let after = cycle.after.clone();
        for channel in self.inventory.channels_after(after.as_ref()) {
            let plan = self
                .catalogue
                .plan(channel, &self.inventory, self.settings.wish.level);
            if !series.is_empty() && series.len() + plan.len() > QUERIES_A_REQUEST_MAX {
                break;
            }
            cycle.after = Some(channel.id.clone());
            series.extend(plan);
        }
        if series.is_empty() {
            self.end_cycle(now, Ok(()));
            return;
        }
        // A channel with more endpoints than one request takes: what is over is left out.
        series.truncate(QUERIES_A_REQUEST_MAX);
        cycle.metrics += series.len() as u64;
        cycle.phase = Phase::Waiting;
        self.meter.metrics += series.len() as u64;
        let newest = tracks::newest_settled(aws_now, self.settings.wish.settle);
        let first = self
            .tracks
            .first_to_ask(series.iter().map(|s| &s.resource), newest);
        let end = aws_now.minute().plus(1);
        let question = Question {
            series,
            first,
            end,
            newest,
        };
        self.effects.push(Effect::Poll(Job::Metrics(question)));
    }

    fn end_cycle(&mut self, now: Now, result: Result<(), Fault>) {
        let Some(cycle) = self.polls.cycle.take() else {
            return;
        };
        let random = self.rng.f64();
        self.polls
            .metrics
            .ended(cycle.began, now.mono, result.is_ok(), random);
        if result.is_ok() {
            self.polls.forecast.metrics_a_poll = cycle.metrics;
        }
        self.note(now, Source::Metrics, result, cycle.took);
    }

    /// Takes the end of a job.
    pub(super) fn polled(&mut self, now: Now, polled: Polled) {
        self.learn_offset(polled.clock_offset_ms);
        let random = self.rng.f64();
        let (began, took) = (polled.began, polled.took);
        let source = match &polled.outcome {
            Outcome::Inventory(_) => Source::MediaPackage,
            Outcome::Series(_) | Outcome::Metrics(..) => Source::Metrics,
            Outcome::Alarms(_) => Source::Alarms,
        };
        self.told.source(source).requests += polled.requests;
        match polled.outcome {
            Outcome::Inventory(result) => {
                self.polls
                    .inventory
                    .ended(began, now.mono, result.is_ok(), random);
                let result = result.map(|listing| self.take_inventory(now, listing));
                self.note(now, source, result, took);
            }
            Outcome::Alarms(result) => {
                self.polls
                    .alarms
                    .ended(began, now.mono, result.is_ok(), random);
                self.meter.requests += polled.requests;
                self.polls.forecast.alarm_requests = polled.requests;
                let result = result.map(|listing| self.take_alarms(now, began, listing));
                self.note(now, source, result, took);
            }
            Outcome::Series(result) => {
                self.meter.requests += polled.requests;
                self.polls.forecast.list_requests = polled.requests;
                self.add_time(took);
                self.take_series(now, result);
            }
            Outcome::Metrics(question, result) => {
                self.add_time(took);
                match result {
                    Ok(columns) => self.take_columns(now, question, columns),
                    Err(fault) => self.end_cycle(now, Err(fault)),
                }
            }
        }
    }

    fn add_time(&mut self, took: Duration) {
        if let Some(cycle) = &mut self.polls.cycle {
            cycle.took += took;
        }
    }

    fn learn_offset(&mut self, offset_ms: Option<i64>) {
        let Some(offset_ms) = offset_ms else { return };
        self.clock_offset_ms = offset_ms;
        self.told.learn_offset(offset_ms);
    }

    /// Keeps the source's status and tells what is news.
    fn note(&mut self, now: Now, source: Source, result: Result<(), Fault>, took: Duration) {
        let status = self.told.source(source);
        status.duration_ms = took.as_millis() as u64;
        let was = status.state;
        let (news, line) = match result {
            Ok(()) => (status.succeeded(now.wall, now.mono), None),
            Err(fault) if fault.kind == FaultKind::Stopped => return,
            Err(fault) => {
                let line = format!("{}: {fault}", source.as_str());
                (status.failed(fault, now.wall), Some(line))
            }
        };
        if !news {
            return;
        }
        self.told.agent_changed = true;
        match line {
            Some(line) => self.log(log::Level::Warn, line),
            None if was == SourceState::Failing => {
                self.log(
                    log::Level::Info,
                    format!("{}: works again", source.as_str()),
                );
            }
            None => self.log(log::Level::Info, format!("{}: works", source.as_str())),
        }
    }

    fn take_inventory(&mut self, now: Now, listing: polled::Inventory) {
        let first = self.inventory.listings() == 0;
        let changes = self.inventory.apply(listing, &self.settings.wish);
        self.show_inventory(&changes);
        if !first {
            self.tell_inventory(now, &changes);
        }
        let moved = !changes.channels.added.is_empty()
            || !changes.channels.removed.is_empty()
            || !changes.endpoints.added.is_empty()
            || !changes.endpoints.removed.is_empty();
        if moved {
            self.polls.list_due = None;
            for key in self.alarms.reassign(&self.inventory) {
                self.outbox.touch(Topic::Alarm(key));
            }
        }
        for id in &changes.channels.removed {
            self.tracks.forget(&Resource::Channel(id.clone()));
        }
        for id in &changes.endpoints.removed {
            self.tracks.forget(&Resource::Endpoint(id.clone()));
        }
        self.told.review_all = true;
    }

    fn show_inventory(&mut self, changes: &InventoryChanges) {
        for id in changes
            .channels
            .added
            .iter()
            .chain(&changes.channels.changed)
        {
            self.outbox.touch(Topic::Channel(id.clone()));
        }
        for id in changes
            .endpoints
            .added
            .iter()
            .chain(&changes.endpoints.changed)
        {
            self.outbox.touch(Topic::Endpoint(id.clone()));
        }
        for id in &changes.channels.removed {
            self.outbox.remove(&Topic::Channel(id.clone()));
            self.outbox.remove(&Topic::Health(id.clone()));
            self.outbox
                .remove(&Topic::Metrics(Resource::Channel(id.clone())));
        }
        for id in &changes.endpoints.removed {
            self.outbox.remove(&Topic::Endpoint(id.clone()));
            self.outbox
                .remove(&Topic::Metrics(Resource::Endpoint(id.clone())));
        }
    }

    fn take_alarms(&mut self, now: Now, began: Mono, listing: Vec<PolledAlarm>) {
        let (aws_now, wish) = (self.aws_now(now), &self.settings.wish);
        let AlarmChanges {
            touched,
            removed,
            changes,
        } = self
            .alarms
            .apply(listing, began, aws_now, wish, &self.inventory);
        touched
            .into_iter()
            .for_each(|key| self.outbox.touch(Topic::Alarm(key)));
        removed
            .iter()
            .for_each(|key| self.outbox.remove(&Topic::Alarm(key.clone())));
        self.tell_alarms(now, &changes);
        self.told.review_all = true;
    }

    /// Without a listing the poll goes on with the core and what was known before.
    fn take_series(&mut self, now: Now, result: Result<Vec<ListedMetric>, Fault>) {
        match result {
            Ok(rows) => {
                self.catalogue
                    .learn(self.aws_now(now), &rows, &self.inventory);
                self.told.agent_changed |= self.polls.list_fault.take().is_some();
            }
            Err(fault) => {
                let known = self
                    .polls
                    .list_fault
                    .as_ref()
                    .is_some_and(|f| f.same_as(&fault));
                if !known && fault.kind != FaultKind::Stopped {
                    self.log(
                        log::Level::Warn,
                        format!("metrics: the list of series: {fault}"),
                    );
                    self.told.agent_changed = true;
                }
                self.polls.list_due = None;
                self.polls.list_fault = Some(fault);
            }
        }
        self.set_phase(Phase::Next);
    }

    fn take_columns(&mut self, now: Now, question: Question, columns: Vec<Column>) {
        let pace = self.pace(now);
        for (series, column) in question.series.iter().zip(&columns) {
            if column.values.iter().any(|value| value.is_finite()) {
                self.catalogue
                    .had_data(&series.resource, &series.measure, pace.now);
            }
        }
        let Question {
            series,
            first,
            newest,
            ..
        } = question;
        let answer = Answer {
            series,
            columns,
            first,
            newest,
        };
        let points = self.tracks.apply(&answer, pace);
        let mut resources: Vec<Resource> = answer.series.into_iter().map(|s| s.resource).collect();
        resources.dedup();
        // A channel that went while its answer was under way leaves no trace.
        let gone: Vec<Resource> = resources
            .iter()
            .filter(|r| !self.exists(r))
            .cloned()
            .collect();
        gone.iter()
            .for_each(|resource| self.tracks.forget(resource));
        resources.retain(|resource| !gone.contains(resource));
        let wanted = self.broker.connected && self.polls.cycle.as_ref().is_some_and(|c| c.points);
        if wanted {
            self.polls
                .points
                .extend(points.into_iter().filter(|p| !gone.contains(&p.resource)));
        }
        self.set_phase(Phase::Draining(resources));
        self.told.review_all = true;
    }

    fn exists(&self, resource: &Resource) -> bool {
        match resource {
            Resource::Channel(id) => self.inventory.channel(id).is_some(),
            Resource::Endpoint(id) => self.inventory.endpoint(id).is_some(),
        }
    }

    pub(super) fn pace(&self, now: Now) -> Pace {
        Pace {
            now: self.aws_now(now),
            interval: self.polls.metrics.interval,
            lost_after_minutes: self.lost_after_minutes(),
        }
    }

    pub(super) fn lost_after_minutes(&self) -> i64 {
        (self.settings.wish.ingest_lost_after.as_secs() as i64)
            .div_euclid(60)
            .max(1)
    }

    /// Minutes that may be believed when the broker's store tells a watermark.
    pub(super) fn newest_settled(&self, now: Now) -> Minute {
        tracks::newest_settled(self.aws_now(now), self.settings.wish.settle)
    }
}
