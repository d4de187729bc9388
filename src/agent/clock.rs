//! The only place that reads the clocks of this machine.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::engine::Now;
use crate::state::time::{Mono, UnixMs};

/// Both clocks, the monotonic one counted from when this was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Clock {
        Clock {
            began: Instant::now(),
        }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        Now {
            mono: Mono(self.began.elapsed()),
            wall: wall(),
        }
    }
}

/// What this machine's clock shows.
pub fn wall() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixMs(since.map_or(0, |since| since.as_millis() as i64))
}
