//! The last hour of a channel: its bitrate in and out, minute by minute, for a sparkline.
//!
//! A bounded ring of small numbers, kept only where somebody may look at it: half a kilobyte a
//! channel.

use super::measure::Measure;
use super::polled::Column;
use super::time::Minute;

/// Minutes that are kept.
pub const HISTORY_MINUTES: usize = 60;
/// CloudWatch's period, in seconds.
const PERIOD_SECONDS: f64 = 60.0;

/// Bits per second of each minute; NaN where there is no data point. Seven digits are kept.
#[derive(Clone, Debug)]
struct Ring([f32; HISTORY_MINUTES]);

impl Ring {
    fn slot(&mut self, minute: Minute) -> &mut f32 {
        &mut self.0[place(minute)]
    }

    /// Oldest first, up to `newest`.
    fn read(&self, newest: Minute) -> Vec<Option<i64>> {
        let oldest = first(newest);
        let minutes = (oldest.0..=newest.0).map(Minute);
        let bits = minutes.map(|minute| self.0[place(minute)]);
        bits.map(|bits| bits.is_finite().then(|| f64::from(bits).round() as i64))
            .collect()
    }
}

impl Default for Ring {
    fn default() -> Ring {
        Ring([f32::NAN; HISTORY_MINUTES])
    }
}

/// Where a minute stands in a ring. The remainder is smaller than the ring is long.
fn place(minute: Minute) -> usize {
    minute.0.rem_euclid(HISTORY_MINUTES as i64) as usize
}

/// The oldest minute that is kept when this is the newest.
fn first(newest: Minute) -> Minute {
    newest.plus(1 - HISTORY_MINUTES as i64)
}

/// What is kept of one channel.
#[derive(Clone, Debug)]
pub struct History {
    newest: Minute,
    ingress: Ring,
    egress: Ring,
}

/// The last hour as it is told, oldest minute first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// The first minute.
    pub first: Minute,
    /// Bits per second that came in.
    pub ingress: Vec<Option<i64>>,
    /// Bits per second that went out.
    pub egress: Vec<Option<i64>>,
}

impl Hour {
    /// One of which nothing is known.
    pub fn unknown(newest: Minute) -> Hour {
        History::new(newest).hour()
    }
}

impl History {
    /// One that has no data yet, up to this minute.
    pub fn new(newest: Minute) -> History {
        History {
            newest,
            ingress: Ring::default(),
            egress: Ring::default(),
        }
    }

    /// Takes the columns of one answer: its settled minutes are new, or correct what is there.
    pub fn take<'a>(
        &mut self,
        columns: impl Iterator<Item = (&'a Measure, &'a Column)>,
        newest: Minute,
    ) {
        self.advance(newest);
        let kept = first(self.newest)..=self.newest.min(newest);
        for (measure, column) in columns {
            let ring = match measure {
                Measure::IngressBytes => &mut self.ingress,
                Measure::EgressBytes => &mut self.egress,
                _ => continue,
            };
            for (row, bytes) in column.values.iter().enumerate() {
                let minute = column.first.plus(row as i64);
                if kept.contains(&minute) {
                    *ring.slot(minute) = (bytes * 8.0 / PERIOD_SECONDS) as f32;
                }
            }
        }
    }

    /// Makes room for minutes that nobody has told of yet.
    fn advance(&mut self, newest: Minute) {
        let from = self.newest.plus(1).max(first(newest));
        for minute in (from.0..=newest.0).map(Minute) {
            *self.ingress.slot(minute) = f32::NAN;
            *self.egress.slot(minute) = f32::NAN;
        }
        self.newest = self.newest.max(newest);
    }

    /// The last hour.
    pub fn hour(&self) -> Hour {
        Hour {
            first: first(self.newest),
            ingress: self.ingress.read(self.newest),
            egress: self.egress.read(self.newest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    /// What an answer told: first minute, values in kbit/s, newest settled minute.
    type Told<'a> = (i64, &'a [f64], i64);
    /// What answers told, and the last four minutes that are kept, in kbit/s.
    type Case<'a> = (&'a str, &'a [Told<'a>], [Option<i64>; 4]);

    fn history(told: &[Told]) -> History {
        let mut history = History::new(Minute(told[0].2));
        for (first, kilobits, newest) in told {
            let column = Column {
                first: Minute(*first),
                values: kilobits.iter().map(|k| k * 1000.0 / 8.0 * 60.0).collect(),
            };
            let columns = [
                (&Measure::IngressBytes, &column),
                (&Measure::Requests, &column),
            ];
            history.take(columns.into_iter(), Minute(*newest));
        }
        history
    }

    #[test]
    fn the_newest_minutes_stand_at_the_end_and_are_corrected() {
        let cases: &[Case] = &[
            (
                "one answer",
                &[(1000, &[1.0, 2.0, NAN, 4.0], 1003)],
                [Some(1), Some(2), None, Some(4)],
            ),
            (
                "not settled",
                &[(1000, &[1.0, 2.0, 3.0, 4.0, 5.0], 1003)],
                [Some(1), Some(2), Some(3), Some(4)],
            ),
            (
                "corrected, also to nothing",
                &[
                    (1000, &[1.0, 2.0, 3.0, 4.0], 1003),
                    (1001, &[7.0, NAN, 4.0], 1003),
                ],
                [Some(1), Some(7), None, Some(4)],
            ),
            (
                "a gap between two answers",
                &[(1000, &[1.0, 2.0], 1001), (1003, &[4.0], 1003)],
                [Some(1), Some(2), None, Some(4)],
            ),
            (
                "hours later",
                &[(1000, &[9.0; 60], 1059), (9000, &[4.0], 9000)],
                [None, None, None, Some(4)],
            ),
            (
                "an older answer",
                &[(1003, &[4.0], 1003), (1000, &[1.0, 2.0, 3.0], 1002)],
                [Some(1), Some(2), Some(3), Some(4)],
            ),
            (
                "a clock that goes far back",
                &[(1003, &[4.0], 1003), (3, &[1.0], 3)],
                [None, None, None, Some(4)],
            ),
        ];
        for (name, told, wanted) in cases {
            let hour = history(told).hour();
            let wanted: Vec<_> = wanted.iter().map(|k| k.map(|k| k * 1000)).collect();
            assert_eq!(hour.ingress[56..], wanted, "{name}");
            assert_eq!(hour.egress, [None; HISTORY_MINUTES], "{name}");
            let newest = told.iter().map(|told| told.2).max().unwrap();
            assert_eq!(hour.first, Minute(newest - 59), "{name}");
        }
    }

    #[test]
    fn a_channel_costs_half_a_kilobyte_and_no_clock_breaks_it() {
        assert!(size_of::<History>() <= 512);
        for minute in [i64::MIN, -1, 0, i64::MAX] {
            let mut history = History::new(Minute(minute));
            history.take([].into_iter(), Minute(5));
            assert_eq!(Hour::unknown(Minute(5)).ingress, [None; HISTORY_MINUTES]);
        }
    }
}
