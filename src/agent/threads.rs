//! Threads with a name, an owner and a join.

use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::Failure;

/// Room for a TLS handshake; unoptimized code needs more of it.
const STACK_BYTES: usize = if cfg!(debug_assertions) {
    2 << 20
} else {
    256 << 10
};
/// How often a thread that is awaited is looked at.
const JOIN_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The threads of one run of the agent.
#[derive(Default)]
pub struct Threads(Vec<(&'static str, JoinHandle<()>)>);

impl Threads {
    /// Starts a thread. Linux shows 15 bytes of its name.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn spawn(
        &mut self,
        name: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), Failure> {
        let builder = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
        let spawned = builder.spawn(run);
        let handle = spawned
            .map_err(|error| Failure::failed(format!("cannot start thread {name}: {error}")))?;
        self.0.push((name, handle));
        Ok(())
    }

    /// Waits until all have ended, `wait` at the most. A thread that is deep in the system
    /// (a DNS lookup cannot be interrupted) is named and left to the end of the process.
    pub fn join(self, wait: Duration) {
        let give_up_at = Instant::now() + wait;
        for (name, handle) in self.0 {
            while !handle.is_finished() && Instant::now() < give_up_at {
                std::thread::sleep(JOIN_CHECK_INTERVAL);
            }
            if !handle.is_finished() {
                log::debug!("thread {name} has not ended yet");
            } else if handle.join().is_err() {
                log::error!("thread {name} panicked");
            }
        }
    }
}
