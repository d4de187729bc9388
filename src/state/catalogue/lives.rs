//! The series of one resource that are not of the core, and whether they live.

use crate::state::measure::Measure;
use crate::state::time::UnixMs;

/// A listed series is asked for this long after it was last listed or had data.
const KEPT_WITHOUT_DATA_MINUTES: u32 = 24 * 60;
/// Room for so many more at a time: most resources have a handful of series, all listed at once.
const MORE: usize = 4;

/// When a series was last known to live. There is one for each of tens of thousands.
#[derive(Clone, Copy, Debug)]
struct Life {
    listed: bool,
    /// In minutes since 1970.
    last_sign: u32,
}

/// The series, in order of what they measure.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives(Vec<(Measure, Life)>);

impl Lives {
    /// A new listing begins, which has none of them so far.
    pub fn unlist(&mut self) {
        self.0.iter_mut().for_each(|(_, life)| life.listed = false);
    }

    /// The listing has this series.
    pub fn list(&mut self, measure: Measure, now: UnixMs) {
        let life = Life {
            listed: true,
            last_sign: minutes(now),
        };
        match self.find(&measure) {
            Ok(at) => self.0[at].1 = life,
            Err(at) => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(MORE);
                }
                self.0.insert(at, (measure, life));
            }
        }
    }

    /// A series had data, which keeps it asked for when it is no longer listed.
    pub fn had_data(&mut self, measure: &Measure, now: UnixMs) {
        if let Ok(at) = self.find(measure) {
            self.0[at].1.last_sign = minutes(now);
        }
    }

    /// Drops those neither listed nor alive.
    pub fn forget_dead(&mut self, now: UnixMs) {
        let is_young =
            |life: &Life| minutes(now).saturating_sub(life.last_sign) < KEPT_WITHOUT_DATA_MINUTES;
        self.0.retain(|(_, life)| life.listed || is_young(life));
        self.0.shrink_to_fit();
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn measures(&self) -> impl Iterator<Item = &Measure> {
        self.0.iter().map(|(measure, _)| measure)
    }

    fn find(&self, measure: &Measure) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(measure))
    }
}

fn minutes(at: UnixMs) -> u32 {
    u32::try_from(at.minute().0).unwrap_or_default()
}
