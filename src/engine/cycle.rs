//! One round of metrics: the list of series when it is due, then one batch of whole channels
//! after the other, and packaging configurations after those. The points of a batch go out
//! before the topics that show its newest minute.

use std::collections::VecDeque;
use std::time::Duration;

use super::meter::{LIST_INTERVAL, Meter};
use super::{Effect, Engine, Job, Now, Question};
use crate::state::answer::{Answer, Due};
use crate::state::catalogue::Series;
use crate::state::fault::{Fault, FaultKind};
use crate::state::measure::Resource;
use crate::state::polled::{Column, ListedMetric};
use crate::state::reading::Reading;
use crate::state::source::Source;
use crate::state::time::Mono;
use crate::state::tracks;
use crate::topics::Topic;

/// What the log calls trouble with `ListMetrics`.
const LIST: &str = "metrics: the list of series";
/// `GetMetricData` takes 500 at once. Question and answer of so many would be half a megabyte, a
/// tenth of what the agent needs at a small site, and AWS bills series, not requests.
const QUERIES_A_REQUEST_MAX: usize = 250;
/// Minutes of all series that are asked for at once, as long as that is a channel or more: the
/// first poll and one after an outage look back for hours, and shall not take much memory.
const POINTS_A_REQUEST_MAX: i64 = 12_000;

/// A metric poll under way: it asks one batch after the other.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) began: Mono,
    pub(super) took: Duration,
    /// The channel or packaging configuration that was asked last.
    pub(super) after: Option<Resource>,
    /// Series of it that found no room in its request.
    pub(super) rest: Vec<Series>,
    pub(super) metrics: u64,
    pub(super) phase: Phase,
    /// Whether points go out; not while the broker cannot keep up.
    pub(super) points: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// The next batch is to be asked.
    Next,
    /// An answer is awaited.
    Waiting,
    /// The points of an answered batch go out; then these topics are due.
    Draining(Vec<Resource>),
}

/// An answered batch whose points go out, oldest first. They are made one by one when there
/// is room to send them, so that hours to catch up on cost little memory.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) answer: Answer,
    pub(super) due: VecDeque<Due>,
}

/// One minute of one resource, ready to be written.
pub(super) struct Point {
    pub(super) resource: Resource,
    pub(super) reading: Reading,
    pub(super) fingerprint: u64,
}

impl Batch {
    pub(super) fn next_point(&mut self) -> Option<Point> {
        let due = self.due.pop_front()?;
        let part = self.answer.parts().get(due.part)?;
        let mut reading = self.answer.reading(part, due.minute);
        reading.revised = due.revised;
        Some(Point {
            resource: part.resource.clone(),
            reading,
            fingerprint: self.answer.fingerprint(part, due.minute),
        })
    }
}

impl Cycle {
    /// When points that did not go out are given up.
    pub(super) fn drain_ends(&self, interval: Duration) -> Option<Mono> {
        let draining = matches!(self.phase, Phase::Draining(_));
        draining.then(|| self.began.after(interval))
    }
}

impl Engine {
    pub(super) fn begin_cycle(&mut self, now: Now) {
        self.polls.metrics.busy = true;
        self.polls.cycle = Some(Cycle {
            began: now.mono,
            took: Duration::ZERO,
            after: None,
            rest: Vec::new(),
            metrics: 0,
            phase: Phase::Next,
            points: true,
        });
        if self.polls.list_due.is_none_or(|due| due <= now.mono) {
            self.polls.list_due = Some(now.mono.after(LIST_INTERVAL));
            self.set_phase(Phase::Waiting);
            self.effects
                .push(Effect::Poll(Job::Series(self.settings.wish.level)));
        }
    }

    /// A session begins after polls that could not tell their points. A restart takes the
    /// minute that the store shows for the last one that went out, so what shows a later one
    /// waits for a poll that brings the points: one at once, where the budget allows it and
    /// sessions do not end again and again, else the next one.
    pub(super) fn catch_up(&mut self, now: Now) {
        let behind = self.tracks.behind();
        if behind.is_empty() || !self.polls.wants(Source::Metrics) {
            return;
        }
        let behind = behind.into_iter().map(Topic::Metrics).collect();
        self.outbox.hold(&behind);
        if self.budget_allows_a_poll(now) {
            self.polls.catch_up_once(now.mono);
        }
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(cycle) = &mut self.polls.cycle {
            cycle.phase = phase;
        }
    }

    /// Takes the metric poll one step on, where it does not wait for anything.
    pub(super) fn advance_cycle(&mut self, now: Now) {
        let drained = !self.polls.has_points() && self.outbox.points_in_flight() == 0;
        let Some(cycle) = &mut self.polls.cycle else {
            return;
        };
        if let Phase::Draining(resources) = &mut cycle.phase {
            let overdue = now.mono.since(cycle.began) >= self.polls.metrics.interval;
            if !drained && !overdue {
                return;
            }
            if !drained && self.polls.batch.is_some() {
                // The broker cannot keep up: what it shall hold comes before what it shall
                // pass on. The channels after these have their turn at the next poll.
                cycle.points = false;
                self.polls.points_after = cycle.after.clone();
            }
            let due = std::mem::take(resources);
            cycle.phase = Phase::Next;
            self.polls.drop_points();
            for resource in due {
                // What is gone by now has been cleared and stays so.
                if self.exists(&resource) {
                    self.outbox.touch(Topic::Metrics(resource));
                }
            }
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
        self.plan_spending(now);
        let aws_now = self.aws_now(now);
        let newest = tracks::newest_settled(aws_now, self.settings.wish.settle);
        let end = aws_now.minute().plus(1);
        let Some(cycle) = &mut self.polls.cycle else {
            return;
        };
        let mut series = std::mem::take(&mut cycle.rest);
        if series.is_empty() {
            let after = cycle.after.clone();
            let level = self.settings.wish.level;
            let plans = self.catalogue.plans(&self.inventory, after.as_ref(), level);
            let mut first = newest;
            for (resource, plan) in plans {
                first = first.min(self.tracks.first_to_ask(resources_of(&plan), newest));
                if !series.is_empty() && !fits(series.len() + plan.len(), end.0 - first.0) {
                    break;
                }
                cycle.after = Some(resource);
                series.extend(plan);
            }
        }
        if series.is_empty() {
            self.end_cycle(now, Ok(()));
            return;
        }
        cycle.rest = cut(&mut series);
        cycle.metrics += series.len() as u64;
        cycle.phase = Phase::Waiting;
        let metrics = series.len() as u64;
        self.count(Meter {
            metrics,
            ..Meter::default()
        });
        let first = self.tracks.first_to_ask(resources_of(&series), newest);
        let question = Question {
            series,
            first,
            end,
            newest,
        };
        self.effects.push(Effect::Poll(Job::Metrics(question)));
    }

    pub(super) fn end_cycle(&mut self, now: Now, result: Result<(), Fault>) {
        let Some(cycle) = self.polls.cycle.take() else {
            return;
        };
        let random = self.rng.f64();
        self.polls
            .metrics
            .ended(cycle.began, now.mono, result.is_ok(), random);
        if result.is_ok() {
            if cycle.points {
                self.polls.points_after = None;
            }
            self.polls.forecast.metrics_a_poll = cycle.metrics;
        } else {
            // There are no points to wait for.
            for resource in self.tracks.behind() {
                self.outbox.touch(Topic::Metrics(resource));
            }
        }
        if std::mem::take(&mut self.polls.catching_up) && result.is_ok() {
            self.polls.catch_up(now.mono);
        }
        self.note(now, Source::Metrics, result, cycle.took);
        self.told.review_all = true;
    }

    pub(super) fn add_time(&mut self, took: Duration) {
        if let Some(cycle) = &mut self.polls.cycle {
            cycle.took += took;
        }
    }

    /// Without a listing the poll goes on with the core and what was known before.
    pub(super) fn take_series(&mut self, now: Now, result: Result<Vec<ListedMetric>, Fault>) {
        match result {
            Ok(rows) => {
                self.catalogue
                    .learn(self.aws_now(now), &rows, &self.inventory);
                self.told.agent_changed |= self.polls.list_fault.take().is_some();
                self.log_right(now, LIST, format!("{LIST}: it comes again"));
            }
            Err(fault) => {
                let known = self
                    .polls
                    .list_fault
                    .as_ref()
                    .is_some_and(|f| f.same_as(&fault));
                if fault.kind != FaultKind::Stopped {
                    let line = format!("{LIST}: {fault}");
                    self.log_wrong(now, LIST, log::Level::Warn, line, !known);
                    self.told.agent_changed |= !known;
                }
                self.polls.list_due = None;
                self.polls.list_fault = Some(fault);
            }
        }
        self.set_phase(Phase::Next);
    }

    pub(super) fn take_columns(&mut self, now: Now, question: Question, columns: Vec<Column>) {
        let pace = self.pace(now);
        // The answer has told AWS's time anew: what is not settled by that is not final.
        let newest = question.newest.min(self.newest_settled(now));
        let answer = Answer::new(question.series, columns, question.first, newest);
        for part in answer.parts() {
            let columns = answer.columns(part);
            let measures = columns.filter_map(|(measure, c)| c.has_data().then_some(measure));
            self.catalogue.had_data(&part.resource, measures, pace.now);
        }
        // The store has told of older minutes since this was asked for: they come first.
        let resources = answer.parts().iter().map(|part| &part.resource);
        let overtakes = self.tracks.first_to_ask(resources, question.newest) < answer.first;
        let mut due = self.tracks.apply(&answer, pace);
        // A poll that could not wait for the broker has left points on their way.
        if self.outbox.points_in_flight() > 0 {
            let carried = |due: &Due| {
                let part = answer.parts().get(due.part)?;
                let print = answer.fingerprint(part, due.minute);
                Some(self.outbox.carries(&part.resource, due.minute, print))
            };
            due.retain(|due| carried(due) != Some(true));
        }
        let mut resources: Vec<Resource> = Vec::new();
        for part in answer.parts() {
            if self.exists(&part.resource) {
                if overtakes && self.broker.connected {
                    self.polls.catching_up = true;
                    continue;
                }
                resources.push(part.resource.clone());
            } else {
                // What went while its answer was under way leaves no trace.
                self.tracks.forget(&part.resource);
            }
        }
        let cycle = self.polls.cycle.as_ref();
        let turn = cycle.is_some_and(|c| c.points && c.after > self.polls.points_after);
        let wanted = self.broker.connected && turn && !overtakes;
        self.polls.batch = wanted.then(|| Batch {
            due: due.into(),
            answer,
        });
        self.set_phase(Phase::Draining(resources));
    }
}

/// The resources of these series; those of a resource stand together.
fn resources_of(series: &[Series]) -> impl Iterator<Item = &Resource> {
    let by_resource = series.chunk_by(|a, b| a.resource == b.resource);
    by_resource.map(|of_one| &of_one[0].resource)
}

/// Whether one request takes so many series over so many minutes.
fn fits(series: usize, minutes: i64) -> bool {
    series <= QUERIES_A_REQUEST_MAX && series as i64 * minutes <= POINTS_A_REQUEST_MAX
}

/// Cuts off what one request does not take: endpoints of a channel that has very many.
fn cut(series: &mut Vec<Series>) -> Vec<Series> {
    if series.len() <= QUERIES_A_REQUEST_MAX {
        return Vec::new();
    }
    let begins = |at: &usize| series[*at].resource != series[*at - 1].resource;
    let at = (1..=QUERIES_A_REQUEST_MAX).rev().find(begins);
    series.split_off(at.unwrap_or(QUERIES_A_REQUEST_MAX))
}
