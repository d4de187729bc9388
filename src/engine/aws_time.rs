//! AWS's time, kept on the clock that never jumps.
//!
//! Our wall clock may be set at any moment, and the offset that was learned from an answer is
//! wrong from then on. So the offset is used once, when it is learned.

use super::Now;
use crate::state::time::{Mono, UnixMs};

/// What the answers of AWS have taught about its clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsTime {
    learned: Option<Learned>,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    offset_ms: i64,
    /// AWS's time at the moment `mono`.
    time: UnixMs,
    mono: Mono,
}

impl AwsTime {
    /// Takes AWS's clock minus ours. `fresh` when an answer has just told it: what a poll
    /// without answer repeats may be older than the last step of our clock.
    pub fn learn(&mut self, now: Now, offset_ms: i64, fresh: bool) {
        if fresh || self.learned.is_none_or(|l| l.offset_ms != offset_ms) {
            self.learned = Some(Learned {
                offset_ms,
                time: now.wall.plus_ms(offset_ms),
                mono: now.mono,
            });
        }
    }

    /// AWS's time, where an answer has told it.
    pub fn known(&self, now: Now) -> Option<UnixMs> {
        self.learned.map(|_| self.at(now))
    }

    /// AWS's time; our wall clock's until an answer told better.
    pub fn at(&self, now: Now) -> UnixMs {
        self.learned.map_or(now.wall, |learned| {
            let passed = now.mono.since(learned.mono).as_millis();
            learned
                .time
                .plus_ms(i64::try_from(passed).unwrap_or(i64::MAX))
        })
    }
}
