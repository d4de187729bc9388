//! SIGTERM and SIGINT end the agent in order.

use std::thread::{Builder, JoinHandle};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals as Incoming};

use crate::aws::Stop;
use crate::error::Failure;

/// Room for a thread that only waits.
const STACK_BYTES: usize = 128 << 10;

/// Watches the signals on a thread of its own until [`Signals::join`].
pub struct Signals {
    handle: Handle,
    thread: JoinHandle<()>,
}

impl Signals {
    /// Every SIGTERM or SIGINT throws `stop`.
    ///
    /// # Errors
    ///
    /// When the system takes no handler or gives no thread.
    pub fn watch(stop: &Stop) -> Result<Signals, Failure> {
        let cannot = |error| Failure::failed(format!("cannot watch for signals: {error}"));
        let mut incoming = Incoming::new([SIGTERM, SIGINT]).map_err(cannot)?;
        let handle = incoming.handle();
        let stop = stop.clone();
        let builder = Builder::new()
            .name("signals".to_owned())
            .stack_size(STACK_BYTES);
        let thread = builder
            .spawn(move || incoming.forever().for_each(|_| stop.request()))
            .map_err(cannot)?;
        Ok(Signals { handle, thread })
    }

    /// Stops watching.
    pub fn join(self) {
        self.handle.close();
        let _ = self.thread.join();
    }
}
