//! AWS's time: this machine's clock, and how far it is from AWS's.
//!
//! The offset is learned from the `Date` of answers, as the AWS SDKs do: against the middle
//! between sending and receiving. It is used wherever a time is held against AWS's, so that a
//! box without a good clock can sign requests. It has the accuracy of `Date`: one second.
//!
//! This machine's clock may step (NTP, a person), and then the offset is wrong until the next
//! answer. What a step must not decide is asked of [`AwsClock::steady_now`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::state::time::UnixMs;

/// A longer round trip says too little about when the server looked at its clock.
const ROUND_TRIP_MS_MAX: i64 = 15 * 60 * 1000;

/// What one answer tells about AWS's clock.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The answer's `Date`.
    pub date: Option<&'a str>,
    /// Whether the answer has an `Age`: then it comes from a cache, and so does its `Date`.
    pub aged: bool,
    /// Our wall clock before the request went out.
    pub sent: UnixMs,
    /// Our wall clock when the head of the answer was there.
    pub received: UnixMs,
}

/// AWS's clock minus ours in milliseconds, or `None` when the answer does not tell.
pub fn learn(sample: &Sample<'_>) -> Option<i64> {
    let server = UnixMs::parse_http_date(sample.date?)?;
    let round_trip_ms = sample.received.0.checked_sub(sample.sent.0)?;
    if sample.aged || !(0..=ROUND_TRIP_MS_MAX).contains(&round_trip_ms) {
        return None;
    }
    let middle = sample.sent.plus_ms(round_trip_ms / 2);
    // A `Date` has its fraction cut off: on the average it is half a second behind.
    server.plus_ms(500).0.checked_sub(middle.0)
}

/// A clock that shows AWS's time. Clones share what is learned.
#[derive(Clone)]
pub struct AwsClock(Arc<Shared>);

struct Shared {
    wall: Box<dyn Fn() -> UnixMs + Send + Sync>,
    steady: Box<dyn Fn() -> Duration + Send + Sync>,
    offset_ms: AtomicI64,
    learned: AtomicBool,
    /// AWS's time when `steady` was zero; [`UNKNOWN`] until it is learned.
    steady_began_ms: AtomicI64,
}

/// No answer can teach this one.
const UNKNOWN: i64 = i64::MIN;

impl AwsClock {
    /// On top of the system's clock.
    pub fn system() -> AwsClock {
        AwsClock::new(system_time)
    }

    /// On top of any clock that shows the time, and the system's monotonic one.
    pub fn new(wall: impl Fn() -> UnixMs + Send + Sync + 'static) -> AwsClock {
        let began = Instant::now();
        AwsClock::with_steady(wall, move || began.elapsed())
    }

    /// On top of any two clocks; `steady` never goes back.
    pub fn with_steady(
        wall: impl Fn() -> UnixMs + Send + Sync + 'static,
        steady: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> AwsClock {
        AwsClock(Arc::new(Shared {
            wall: Box::new(wall),
            steady: Box::new(steady),
            offset_ms: AtomicI64::new(0),
            learned: AtomicBool::new(false),
            steady_began_ms: AtomicI64::new(UNKNOWN),
        }))
    }

    /// What the clock below shows.
    pub fn wall(&self) -> UnixMs {
        (self.0.wall)()
    }

    /// AWS's time, as far as it is known.
    pub fn now(&self) -> UnixMs {
        self.wall().plus_ms(self.offset_ms())
    }

    /// AWS's clock minus ours; 0 until an answer told it.
    pub fn offset_ms(&self) -> i64 {
        self.0.offset_ms.load(Ordering::Relaxed)
    }

    /// Whether any answer has told the offset yet.
    pub fn learned(&self) -> bool {
        self.0.learned.load(Ordering::Relaxed)
    }

    /// AWS's time as the last answer told it, and what has passed since by the monotonic
    /// clock; `None` until an answer told it. No step of the wall clock moves it. It stands
    /// still while the machine sleeps, and then is behind until the next answer.
    pub fn steady_now(&self) -> Option<UnixMs> {
        let began_ms = self.0.steady_began_ms.load(Ordering::Relaxed);
        let known = began_ms != UNKNOWN;
        known.then(|| UnixMs(began_ms).plus_ms(self.steady_ms()))
    }

    fn steady_ms(&self) -> i64 {
        i64::try_from((self.0.steady)().as_millis()).unwrap_or(i64::MAX)
    }

    /// Learns from an answer whose sender is known: one over TLS, or from loopback.
    pub fn take(&self, sample: &Sample<'_>) {
        if let Some(offset_ms) = learn(sample) {
            let began = sample
                .received
                .plus_ms(offset_ms)
                .0
                .checked_sub(self.steady_ms());
            let began_ms = began.unwrap_or(UNKNOWN);
            self.0.steady_began_ms.store(began_ms, Ordering::Relaxed);
            self.0.offset_ms.store(offset_ms, Ordering::Relaxed);
            self.0.learned.store(true, Ordering::Relaxed);
        }
    }
}

fn system_time() -> UnixMs {
    let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => UnixMs(ms(after)),
        Err(before) => UnixMs(-ms(before.duration())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-11-22T10:00:00Z
    const NOON: i64 = 1_795_341_600_000;
    const DATE: Option<&str> = Some("Sun, 22 Nov 2026 10:00:00 GMT");
    const HOUR: i64 = 3_600_000;

    #[test]
    fn the_offset_is_the_servers_date_minus_the_middle_of_the_round_trip() {
        let cases = [
            ("in step", DATE, false, NOON - 100, NOON + 100, Some(500)),
            (
                "we are ahead",
                DATE,
                false,
                NOON + HOUR,
                NOON + HOUR,
                Some(500 - HOUR),
            ),
            (
                "we are behind",
                DATE,
                false,
                NOON - HOUR,
                NOON - HOUR + 2000,
                Some(HOUR - 500),
            ),
            ("from a cache", DATE, true, NOON, NOON, None),
            ("no date", None, false, NOON, NOON, None),
            ("no such date", Some("soon"), false, NOON, NOON, None),
            (
                "15 minutes",
                DATE,
                false,
                NOON,
                NOON + ROUND_TRIP_MS_MAX,
                Some(500 - HOUR / 8),
            ),
            (
                "over 15 minutes",
                DATE,
                false,
                NOON,
                NOON + ROUND_TRIP_MS_MAX + 1,
                None,
            ),
            (
                "clock set back meanwhile",
                DATE,
                false,
                NOON,
                NOON - 1,
                None,
            ),
            ("absurd clock", DATE, false, i64::MIN, i64::MAX, None),
        ];
        for (name, date, aged, sent, received, wanted) in cases {
            let (sent, received) = (UnixMs(sent), UnixMs(received));
            let sample = Sample {
                date,
                aged,
                sent,
                received,
            };
            assert_eq!(learn(&sample), wanted, "{name}");
        }
    }

    #[test]
    fn a_clone_shows_what_another_has_learned() {
        let clock = AwsClock::new(|| UnixMs(NOON - HOUR));
        let clone = clock.clone();
        assert_eq!((clone.now(), clone.learned()), (UnixMs(NOON - HOUR), false));
        let at = clock.wall();
        clock.take(&Sample {
            date: DATE,
            aged: false,
            sent: at,
            received: at,
        });
        assert_eq!((clone.now(), clone.learned()), (UnixMs(NOON + 500), true));
        assert_eq!(clone.offset_ms(), HOUR + 500);
    }

    #[test]
    fn a_step_of_the_wall_clock_does_not_move_the_steady_time() {
        let wall = Arc::new(AtomicI64::new(NOON - HOUR));
        let passed = Arc::new(AtomicI64::new(7_000));
        let (shown, counted) = (wall.clone(), passed.clone());
        let clock = AwsClock::with_steady(
            move || UnixMs(shown.load(Ordering::Relaxed)),
            move || Duration::from_millis(counted.load(Ordering::Relaxed) as u64),
        );
        assert_eq!(clock.steady_now(), None);
        let at = clock.wall();
        let sample = |date| Sample {
            date,
            aged: false,
            sent: at,
            received: at,
        };
        clock.take(&sample(None));
        assert_eq!(clock.steady_now(), None);
        clock.take(&sample(DATE));
        assert_eq!(clock.steady_now(), Some(UnixMs(NOON + 500)));
        // Two hours forward by hand, and a minute that passes.
        wall.fetch_add(2 * HOUR, Ordering::Relaxed);
        passed.fetch_add(60_000, Ordering::Relaxed);
        assert_eq!(clock.steady_now(), Some(UnixMs(NOON + 60_500)));
        assert_eq!(clock.now(), UnixMs(NOON + 2 * HOUR + 500));
    }
}
