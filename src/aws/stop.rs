//! The one switch that ends everything.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A wait that can be ended from anywhere: by a signal, by a failed thread, by a test.
///
/// Clones share the switch. Once thrown it stays thrown.
#[derive(Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// A switch that has not been thrown.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Throws it: every waiter returns.
    pub fn request(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether it has been thrown.
    pub fn requested(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits up to `wait`. True when it was thrown.
    pub fn wait(&self, wait: Duration) -> bool {
        let flag = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(flag, wait, |thrown| !*thrown);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
