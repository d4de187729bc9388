//! When AWS is asked what, and what its answers change.

use std::time::Duration;

use super::cycle::{Batch, Cycle};
use super::media::Media;
use super::meter::Meter;
use super::queueing::LONG_POLL;
use super::timer::Timer;
use super::{Effect, Engine, Job, Now, Outcome, Polled, Settings};
use crate::state::alarms::AlarmChanges;
use crate::state::fault::{Fault, FaultKind};
use crate::state::measure::Resource;
use crate::state::polled::PolledAlarm;
use crate::state::source::Source;
use crate::state::time::{Minute, Mono};
use crate::state::tracks::{self, Pace};
use crate::state::wish::{AlarmsKept, MetricsLevel};
use crate::topics::Topic;

/// How often a clock that is before the program's own date is looked at again.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// What the log calls trouble with it.
const CLOCK: &str = "clock";

/// Timers, and the metric poll that is under way.
#[derive(Debug)]
pub struct Polls {
    pub(super) media: Media,
    alarms: Timer,
    pub(super) metrics: Timer,
    pub(super) cycle: Option<Cycle>,
    pub(super) list_due: Option<Mono>,
    /// The batch whose points go out.
    pub(super) batch: Option<Batch>,
    /// Up to this one, points had their turn while the broker could not keep up.
    pub(super) points_after: Option<Resource>,
    pub(super) clock_was_wrong: bool,
    /// Whether a poll begins again right after the one that is under way.
    pub(super) catching_up: bool,
    /// When a new session last made metrics due.
    caught_up: Option<Mono>,
    /// Why the last `ListMetrics` failed: then only what is known is asked.
    pub(super) list_fault: Option<Fault>,
    pub(super) forecast: super::meter::Pace,
    /// Whether there is a listener.
    listens: bool,
    /// Whether there is a queue.
    queue: bool,
}

impl Polls {
    pub(super) fn new(settings: &Settings, now: Now) -> Polls {
        let wish = &settings.wish;
        let alarms_wanted = wish.alarms != AlarmsKept::Off || !wish.alarm_include.is_empty();
        let metrics_wanted = !settings.apis.is_empty() && wish.level != MetricsLevel::Off;
        Polls {
            media: Media::new(settings, now),
            alarms: Timer::new(alarms_wanted, settings.alarms_interval, now.mono),
            metrics: Timer::new(metrics_wanted, wish.metrics_interval, now.mono),
            cycle: None,
            list_due: Some(now.mono),
            batch: None,
            points_after: None,
            clock_was_wrong: false,
            catching_up: false,
            caught_up: None,
            list_fault: None,
            listens: settings.listens,
            queue: settings.queue_url.is_some(),
            forecast: super::meter::Pace {
                alarms_interval: settings.alarms_interval,
                queue_interval: if settings.queue_url.is_some() {
                    LONG_POLL
                } else {
                    Duration::ZERO
                },
                ..Default::default()
            }
            .at(wish.metrics_interval),
        }
    }

    /// When the next poll is due. Metrics wait for the first inventory, not for a time.
    pub(super) fn deadline(&self, metrics_from: Option<Mono>) -> Option<Mono> {
        let metrics = self.metrics.next().zip(metrics_from);
        let metrics = metrics.map(|(due, from)| due.max(from));
        let timers = [self.media.deadline(), self.alarms.next(), metrics];
        let polls = timers.into_iter().flatten();
        let interval = self.metrics.interval;
        // While the clock is wrong nothing is asked, so nothing comes after what goes out.
        let cycle = self.cycle.as_ref().filter(|_| !self.clock_was_wrong);
        let drained = cycle.and_then(|c| c.drain_ends(interval));
        polls.chain(drained).min()
    }

    pub(super) fn wants(&self, source: Source) -> bool {
        match source {
            Source::MediaPackage => self.media.is_wanted(),
            Source::Metrics => self.metrics.due.is_some(),
            Source::Alarms => self.alarms.due.is_some(),
            Source::Sns => self.listens,
            Source::Sqs => self.queue,
        }
    }

    /// How long an answer of this source is expected to last.
    pub(super) fn interval(&self, source: Source) -> Duration {
        match source {
            Source::Metrics => self.metrics.patience,
            Source::Alarms => self.alarms.interval,
            Source::Sqs => LONG_POLL,
            _ => self.media.interval(),
        }
    }

    /// Makes inventory and alarms due now, and metrics where they are allowed.
    pub(super) fn hasten(&mut self, now: Mono, metrics: bool) {
        self.media.hasten(now);
        self.alarms.hasten(now);
        if metrics {
            self.metrics.hasten(now);
        }
    }

    /// Makes a source due because AWS told that it has news, at most once in a while.
    pub(super) fn wake(&mut self, source: Source, now: Mono) {
        match source {
            Source::MediaPackage => self.media.wake(now),
            Source::Alarms => self.alarms.wake(now),
            Source::Metrics | Source::Sns | Source::Sqs => {}
        }
    }

    /// Whether points wait for their turn.
    pub(super) fn has_points(&self) -> bool {
        self.batch
            .as_ref()
            .is_some_and(|batch| !batch.due.is_empty())
    }

    /// The same as [`Polls::catch_up`], once an interval at the most.
    pub(super) fn catch_up_once(&mut self, now: Mono) {
        let before = self.caught_up;
        if before.is_none_or(|before| now.since(before) >= self.metrics.interval) {
            self.caught_up = Some(now);
            self.catch_up(now);
        }
    }

    /// Makes metrics due now, or once more when a poll is under way.
    pub(super) fn catch_up(&mut self, now: Mono) {
        self.catching_up = self.metrics.busy;
        if !self.metrics.busy {
            self.metrics.due = self.metrics.due.map(|due| due.min(now));
        }
    }

    /// Metrics are asked at another interval from now on.
    pub(super) fn pace_metrics(&mut self, interval: Duration, now: Mono) {
        self.metrics.pace(interval, now);
        self.forecast = self.forecast.at(interval);
    }

    /// Forgets points that did not go out; the next poll asks for them again.
    pub(super) fn drop_points(&mut self) {
        self.batch = None;
    }
}

impl Engine {
    /// Starts what is due.
    pub(super) fn advance_polls(&mut self, now: Now) {
        if self.stopping.is_some() || self.waits_for_clock(now) {
            return;
        }
        self.advance_media(now);
        if self.polls.alarms.is_due(now.mono) {
            self.polls.alarms.busy = true;
            self.effects.push(Effect::Poll(Job::Alarms));
        }
        let begins = self.metrics_begin_at().is_some_and(|from| from <= now.mono);
        if self.polls.metrics.is_due(now.mono) && begins {
            self.begin_cycle(now);
        }
        self.advance_cycle(now);
    }

    /// From when on metrics may be asked. Without channels there is nothing to measure: the
    /// first listings start them; and they give the first session a moment to come about.
    pub(super) fn metrics_begin_at(&self) -> Option<Mono> {
        let from = match self.broker.had_session {
            true => self.began,
            false => self.began.after(self.settings.first_session_wait),
        };
        self.is_overview_known()
            .then(|| from.max(self.polls.media.first_filled_at()))
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
            self.log_wrong(now, CLOCK, log::Level::Warn, fault.to_string(), true);
            let asked = Source::ALL
                .into_iter()
                .filter(|source| *source != Source::Sns);
            for source in asked {
                if self.polls.wants(source) {
                    self.told.source(source).failed(fault.clone(), now.wall);
                }
            }
            self.polls.media.fail(&fault, now.wall);
            self.told.agent_changed = true;
        }
        if wrong {
            let again = now.mono.after(CLOCK_CHECK_INTERVAL);
            self.polls.media.hold_until(again);
            self.polls.metrics.hasten(again);
            self.polls.alarms.hasten(again);
        } else if self.polls.clock_was_wrong {
            self.log_right(now, CLOCK, "the clock is right now");
            self.started_at = now.wall;
            self.told.agent_changed = true;
        }
        self.polls.clock_was_wrong = wrong;
        wrong
    }

    /// Takes the end of a job.
    pub(super) fn polled(&mut self, now: Now, polled: Polled) {
        if let Some(offset_ms) = polled.clock_offset_ms {
            self.aws_time
                .learn(now, offset_ms, polled.outcome.is_good());
            self.told.learn_offset(offset_ms);
        }
        let random = self.rng.f64();
        let (began, took) = (polled.began, polled.took);
        let source = match &polled.outcome {
            Outcome::Inventory(_)
            | Outcome::ListV2(_)
            | Outcome::Details(_)
            | Outcome::Harvest(..)
            | Outcome::Vod(_) => Source::MediaPackage,
            Outcome::Series(_) | Outcome::Metrics(..) => Source::Metrics,
            Outcome::Alarms(_) => Source::Alarms,
            Outcome::Queue(_) => Source::Sqs,
        };
        self.told.source(source).requests += polled.requests;
        match polled.outcome {
            Outcome::Inventory(_)
            | Outcome::ListV2(_)
            | Outcome::Details(_)
            | Outcome::Harvest(..)
            | Outcome::Vod(_) => self.media_polled(now, polled.outcome, began, took),
            Outcome::Alarms(result) => {
                self.polls
                    .alarms
                    .ended(began, now.mono, result.is_ok(), random);
                self.count_requests(polled.requests);
                if result.is_ok() {
                    self.polls.forecast.alarm_requests = polled.requests;
                }
                let result = result.map(|listing| self.take_alarms(now, began, listing));
                self.note(now, source, result, took);
            }
            Outcome::Series(result) => {
                self.count_requests(polled.requests);
                if result.is_ok() {
                    self.polls.forecast.list_requests = polled.requests;
                }
                self.add_time(took);
                self.take_series(now, result);
            }
            Outcome::Metrics(question, result) => {
                // What was asked again may be billed again; once was counted when it was asked.
                let again = polled.requests.saturating_sub(1);
                self.count(Meter {
                    metrics: again.saturating_mul(question.series.len() as u64),
                    ..Meter::default()
                });
                self.add_time(took);
                match result {
                    Ok(columns) => self.take_columns(now, question, columns),
                    Err(fault) => self.end_cycle(now, Err(fault)),
                }
            }
            Outcome::Queue(end) => {
                self.count(Meter {
                    queue_requests: polled.requests,
                    ..Meter::default()
                });
                self.queue_told(now, end, took);
            }
        }
    }

    fn count_requests(&mut self, requests: u64) {
        self.count(Meter {
            requests,
            ..Meter::default()
        });
    }

    /// Keeps the source's status and tells what is news.
    pub(super) fn note(
        &mut self,
        now: Now,
        source: Source,
        result: Result<(), Fault>,
        took: Duration,
    ) {
        let status = self.told.source(source);
        status.duration_ms = took.as_millis() as u64;
        let name = source.as_str();
        let news = match result {
            Ok(()) => {
                let news = status.succeeded(now.wall, now.mono);
                if self.logbook.is_wrong(name) {
                    self.log_right(now, name, format!("{name}: works again"));
                } else if news {
                    self.log(log::Level::Info, format!("{name}: works"));
                }
                news
            }
            Err(fault) if fault.kind == FaultKind::Stopped => return,
            Err(fault) => {
                let line = format!("{name}: {fault}");
                let news = status.failed(fault, now.wall);
                self.log_wrong(now, name, log::Level::Warn, line, news);
                news
            }
        };
        self.told.agent_changed |= news;
    }

    fn take_alarms(&mut self, now: Now, began: Mono, listing: Vec<PolledAlarm>) {
        let (aws_now, wish) = (self.aws_now(now), &self.settings.wish);
        let changes = self
            .alarms
            .apply(listing, began, aws_now, wish, &self.inventory);
        self.show_alarms(&changes);
        self.tell_alarms(now, &changes.changes);
    }

    /// Publishes what a poll or a notification changed.
    pub(super) fn show_alarms(&mut self, changes: &AlarmChanges) {
        for key in &changes.touched {
            self.outbox.touch(Topic::Alarm(key.clone()));
        }
        for key in &changes.removed {
            self.outbox.remove(&Topic::Alarm(key.clone()));
        }
        self.told.review_all = true;
    }

    /// Clears alarms that no poll has shown and that nobody told of for long.
    pub(super) fn expire_alarms(&mut self, now: Now) {
        let removed = self.alarms.expire(now.mono);
        if !removed.is_empty() {
            self.show_alarms(&AlarmChanges {
                removed,
                ..AlarmChanges::default()
            });
        }
    }

    /// Sorts what was told before the account was known.
    pub(super) fn settle_alarms(&mut self) {
        let changes = self.alarms.settle_home(&self.home(), &self.inventory);
        self.show_alarms(&changes);
    }

    pub(super) fn exists(&self, resource: &Resource) -> bool {
        match resource {
            Resource::Channel(id) => self.inventory.channel(id).is_some(),
            Resource::Endpoint(id) => self.inventory.endpoint(id).is_some(),
            Resource::Packaging(id) => self.inventory.packaging_configuration(id).is_some(),
        }
    }

    pub(super) fn pace(&self, now: Now) -> Pace {
        Pace {
            now: self.aws_now(now),
            interval: self.polls.interval(Source::Metrics),
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
