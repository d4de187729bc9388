//! When one kind of poll is due: at once, then at a phase of its own, sooner after a failure.

use std::time::Duration;

use super::backoff;
use crate::state::time::Mono;

/// First wait after a failed poll; it doubles up to the source's interval.
const RETRY_FIRST: Duration = Duration::from_secs(5);

/// News make a poll due at most this often.
const WAKE_INTERVAL: Duration = Duration::from_secs(10);

/// One kind of poll on its timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub(super) interval: Duration,
    /// So long a good answer lasts: the longest interval since the last one.
    pub(super) patience: Duration,
    /// When it is due; `None` when it is switched off.
    pub(super) due: Option<Mono>,
    pub(super) busy: bool,
    failures: u32,
    /// Whether the phase of its own has been chosen: the first poll is at once.
    phased: bool,
    /// When news last made it due.
    woken: Option<Mono>,
    asked: bool,
    /// When the last good poll began.
    pub(super) good_from: Option<Mono>,
}

impl Timer {
    pub(super) fn new(wanted: bool, interval: Duration, now: Mono) -> Timer {
        Timer {
            interval,
            patience: interval,
            due: wanted.then_some(now),
            busy: false,
            failures: 0,
            phased: false,
            woken: None,
            asked: false,
            good_from: None,
        }
    }

    /// AWS told that there is news: due now, or once the last news are old enough. A poll that
    /// is under way may have begun before them, so another one follows.
    pub(super) fn wake(&mut self, now: Mono) {
        let at = self.woken.map_or(now, |woken| {
            if woken > now {
                woken
            } else {
                now.max(woken.after(WAKE_INTERVAL))
            }
        });
        self.woken = Some(at);
        self.due = self.due.map(|due| if self.busy { at } else { due.min(at) });
    }

    /// Whether a poll has ended.
    pub(super) fn was_asked(&self) -> bool {
        self.asked
    }

    /// It is due now.
    pub(super) fn hasten(&mut self, now: Mono) {
        self.due = self.due.and(Some(now));
    }

    /// It is not due before.
    pub(super) fn rest_until(&mut self, at: Mono) {
        self.due = self.due.map(|due| due.max(at));
    }

    /// Another interval from now on. What is due after a good poll moves in proportion, so that
    /// the phase of its own stays.
    pub(super) fn pace(&mut self, interval: Duration, now: Mono) {
        let before = std::mem::replace(&mut self.interval, interval);
        self.patience = self.patience.max(interval);
        let Some((due, good_from)) = self.next().zip(self.good_from) else {
            return;
        };
        if self.failures == 0 && !before.is_zero() {
            let factor = interval.as_secs_f64() / before.as_secs_f64();
            let wait = due.since(good_from).mul_f64(factor);
            self.due = Some(good_from.after(wait).max(now));
        }
    }

    /// When the next poll is due, where none is under way.
    pub(super) fn next(&self) -> Option<Mono> {
        self.due.filter(|_| !self.busy)
    }

    pub(super) fn is_due(&self, now: Mono) -> bool {
        !self.busy && self.due.is_some_and(|due| due <= now)
    }

    /// Chooses the next moment, after a poll that began at `began` has ended.
    pub(super) fn ended(&mut self, began: Mono, now: Mono, good: bool, random: f64) {
        self.busy = false;
        self.asked = true;
        if good {
            self.good_from = Some(began);
            self.patience = self.interval;
        }
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
        let regular = from.after(wait).max(now);
        // News that came while it was under way.
        let woken = self.woken.filter(|woken| *woken > began);
        self.due = self
            .due
            .map(|_| woken.map_or(regular, |woken| regular.min(woken.max(now))));
    }
}
