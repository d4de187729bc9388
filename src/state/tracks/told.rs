//! The minutes of a resource that went out, as far as they may still be revised.

use crate::state::time::Minute;

/// Minutes remembered: the overlap of two polls, and room for polls that come early.
const REMEMBERED_MINUTES: usize = 20;

/// A fingerprint of the values of a minute. Half of what it is made of: there is one for each
/// minute of each resource, and a revision is overlooked once in four thousand million.
type Print = u32;

/// Stands for a minute that did not go out.
const NONE: Print = 0;

/// What went out of the newest minutes, by fingerprint.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The newest of them.
    newest: Minute,
    /// Each minute at its place in the round of [`REMEMBERED_MINUTES`].
    prints: [Print; REMEMBERED_MINUTES],
}

impl Told {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.prints == [NONE; REMEMBERED_MINUTES]
    }

    /// Remembers what went out as this minute; of one that is too old nothing.
    pub fn remember(&mut self, minute: Minute, fingerprint: u64) {
        if minute > self.newest {
            let steps = minute.0.saturating_sub(self.newest.0);
            for step in 1..=steps.min(REMEMBERED_MINUTES as i64) {
                self.prints[place(self.newest.plus(step))] = NONE;
            }
            self.newest = minute;
        }
        if self.holds(minute) {
            self.prints[place(minute)] = print(fingerprint);
        }
    }

    /// Whether the minute went out with other values than these.
    pub fn differs(&self, minute: Minute, fingerprint: impl Fn() -> u64) -> bool {
        let told = self.prints[place(minute)];
        self.holds(minute) && told != NONE && told != print(fingerprint())
    }

    /// Every minute that went out gets the fingerprint that it has now.
    pub fn renew(&mut self, fingerprint: impl Fn(Minute) -> u64) {
        for back in 0..REMEMBERED_MINUTES as i64 {
            let minute = self.newest.plus(-back);
            let told = &mut self.prints[place(minute)];
            if *told != NONE {
                *told = print(fingerprint(minute));
            }
        }
    }

    fn holds(&self, minute: Minute) -> bool {
        minute <= self.newest && minute > self.newest.plus(-(REMEMBERED_MINUTES as i64))
    }
}

fn place(minute: Minute) -> usize {
    minute.0.rem_euclid(REMEMBERED_MINUTES as i64) as usize
}

fn print(fingerprint: u64) -> Print {
    let folded = (fingerprint ^ (fingerprint >> 32)) as Print;
    folded.max(NONE + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 29_922_360;
    const OLDEST: i64 = NOON - REMEMBERED_MINUTES as i64 + 1;

    fn minute(number: i64) -> Minute {
        Minute(number)
    }

    /// Remembers these minutes, each with its number, and tells which of all around are known.
    fn known(told: &[i64]) -> Vec<i64> {
        let mut memory = Told::default();
        for number in told {
            memory.remember(minute(*number), *number as u64);
        }
        let around = NOON - 60..NOON + 60;
        let known = around.filter(|number| memory.differs(minute(*number), || 7));
        let known: Vec<i64> = known.collect();
        let is_right = |number: &i64| !memory.differs(minute(*number), || *number as u64);
        assert!(known.iter().all(is_right), "{told:?}");
        known
    }

    #[test]
    fn the_newest_minutes_are_known_whichever_way_they_come() {
        let cases: [(&[i64], &[i64]); 7] = [
            (&[], &[]),
            (&[NOON], &[NOON]),
            (&[NOON, NOON - 1], &[NOON - 1, NOON]),
            (&[NOON, OLDEST], &[OLDEST, NOON]),
            (&[NOON, OLDEST - 1], &[NOON]),
            (&[OLDEST, OLDEST + 3, NOON + 1], &[OLDEST + 3, NOON + 1]),
            (&[OLDEST, NOON + 40], &[NOON + 40]),
        ];
        for (told, wanted) in cases {
            assert_eq!(known(told), wanted, "{told:?}");
        }
    }

    #[test]
    fn a_minute_differs_when_it_went_out_with_other_values() {
        let mut told = Told::default();
        assert!(told.is_empty() && !told.differs(minute(NOON), || 1));
        told.remember(minute(NOON), 0);
        assert!(!told.is_empty() && !told.differs(minute(NOON), || 0));
        assert!(told.differs(minute(NOON), || 1 << 40));
        told.remember(minute(NOON), 1 << 40);
        assert!(!told.differs(minute(NOON), || 1 << 40));
        told.renew(|minute| minute.0 as u64);
        assert!(!told.differs(minute(NOON), || NOON as u64));
        assert!(!told.differs(minute(NOON - 1), || 3));
    }
}
