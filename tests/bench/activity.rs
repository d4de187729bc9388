//! For how long something went on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long without a sign nothing goes on.
const QUIET: Duration = Duration::from_millis(100);

/// Signs of one program, whoever sees them: what it asks, what it is answered, what it publishes.
#[derive(Clone, Default)]
pub struct Activity(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    last: Option<Instant>,
    busy: Duration,
}

impl Activity {
    pub fn note(&self, at: Instant) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = seen.last.map(|last| at.saturating_duration_since(last));
        seen.busy += since.filter(|since| *since < QUIET).unwrap_or_default();
        seen.last = seen.last.max(Some(at));
    }

    /// All of the time in which something went on.
    pub fn busy(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).busy
    }
}
