//! The places we learn from, and how each of them does.

use std::time::Duration;

use super::fault::Fault;
use super::time::{Mono, UnixMs};

/// A place we learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The MediaPackage API.
    MediaPackage,
    /// `GetMetricData` and `ListMetrics`.
    Metrics,
    /// `DescribeAlarms`.
    Alarms,
    /// The SNS listener.
    Sns,
    /// The SQS queue.
    Sqs,
}

impl Source {
    /// All, in the order they are shown.
    pub const ALL: [Source; 5] = [
        Source::MediaPackage,
        Source::Metrics,
        Source::Alarms,
        Source::Sns,
        Source::Sqs,
    ];

    /// Whether it tells by itself; the others are asked.
    pub fn is_pushed(self) -> bool {
        matches!(self, Source::Sns | Source::Sqs)
    }

    /// As it stands in topics and payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::MediaPackage => "mediapackage",
            Source::Metrics => "metrics",
            Source::Alarms => "alarms",
            Source::Sns => "sns",
            Source::Sqs => "sqs",
        }
    }
}

/// How a source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// The config does not want it.
    Off,
    /// It has not answered yet.
    Starting,
    /// The last poll was good.
    Ok,
    /// The last poll failed.
    Failing,
}

impl SourceState {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceState::Off => "off",
            SourceState::Starting => "starting",
            SourceState::Ok => "ok",
            SourceState::Failing => "failing",
        }
    }
}

/// What is known of one source.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// How it does.
    pub state: SourceState,
    /// Since when it does so.
    pub since: UnixMs,
    /// Why it fails.
    pub error: Option<Fault>,
    /// When it last answered completely.
    pub last_success_at: Option<UnixMs>,
    /// The same moment on the clock that never jumps.
    last_success: Option<Mono>,
    /// Polls so far.
    pub polls: u64,
    /// Polls that failed.
    pub failures: u64,
    /// How long the last poll took.
    pub duration_ms: u64,
    /// HTTP requests sent so far.
    pub requests: u64,
}

/// After so many failed intervals in a row its values count as stale.
const FAILURES_BEFORE_OFFLINE: u32 = 3;
/// A good source whose next poll has not ended this long after it should have.
const HANG_MAX: Duration = Duration::from_secs(300);

impl SourceStatus {
    /// A source nobody has asked yet.
    pub fn new(wanted: bool, now: UnixMs) -> SourceStatus {
        SourceStatus {
            state: if wanted {
                SourceState::Starting
            } else {
                SourceState::Off
            },
            since: now,
            error: None,
            last_success_at: None,
            last_success: None,
            polls: 0,
            failures: 0,
            duration_ms: 0,
            requests: 0,
        }
    }

    /// Whether its values are live: the text of `source/<name>`. They are stale after three
    /// failed intervals; a poll that hangs counts as failed in the end.
    pub fn is_online(&self, now: Mono, interval: Duration) -> bool {
        let Some(last) = self.last_success else {
            return false;
        };
        let age = now.since(last);
        let limit = interval * FAILURES_BEFORE_OFFLINE;
        match self.state {
            SourceState::Off | SourceState::Starting => false,
            SourceState::Ok => age < limit + HANG_MAX,
            SourceState::Failing => age < limit,
        }
    }

    /// Counts a poll of a part of it, which alone does not decide how it does.
    pub fn count(&mut self, good: bool) {
        self.polls += 1;
        self.failures += u64::from(!good);
    }

    /// Notes a good poll. True when that is news.
    pub fn succeeded(&mut self, now: UnixMs, mono: Mono) -> bool {
        self.count(true);
        self.works(now, mono)
    }

    /// Notes that it works. True when that is news.
    pub fn works(&mut self, now: UnixMs, mono: Mono) -> bool {
        self.last_success_at = Some(now);
        self.last_success = Some(mono);
        self.turn(SourceState::Ok, None, now)
    }

    /// Notes a failed poll. True when the reader does not know it yet.
    pub fn failed(&mut self, fault: Fault, now: UnixMs) -> bool {
        self.count(false);
        self.fails(fault, now)
    }

    /// Notes that it does not work. True when the reader does not know it yet.
    pub fn fails(&mut self, fault: Fault, now: UnixMs) -> bool {
        self.turn(SourceState::Failing, Some(fault), now)
    }

    fn turn(&mut self, state: SourceState, error: Option<Fault>, now: UnixMs) -> bool {
        let same_error = match (&self.error, &error) {
            (Some(old), Some(new)) => old.same_as(new),
            (None, None) => true,
            _ => false,
        };
        if self.state == state && same_error {
            return false;
        }
        if self.state != state {
            self.since = now;
        }
        self.state = state;
        self.error = error;
        true
    }
}
