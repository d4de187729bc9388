//! The spool's thread: keeps pushed messages on disk for the engine.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::threads::Threads;
use crate::config::Config;
use crate::engine::Event;
use crate::engine::spooling::SpoolRequest;
use crate::error::Failure;
use crate::sns::accepted::Accepted;
use crate::sns::spool;

/// Requests that wait: more than the engine ever has under way.
const REQUESTS_MAX: usize = 1024;
/// Its folder in the instance's own.
const FOLDER: &str = "spool";

/// A handle on the spool for the loop.
pub struct Spool(SyncSender<SpoolRequest>);

impl Spool {
    /// Starts its thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        threads: &mut Threads,
        config: &Config,
        events: &SyncSender<Event>,
    ) -> Result<Spool, Failure> {
        let (requests, inbox) = sync_channel(REQUESTS_MAX);
        let folder = super::state_dir::path(config).join(FOLDER);
        let events = events.clone();
        threads.spawn("spool", move || {
            let decode = |record: &[u8]| Accepted::decode(record).map(|message| message.notice());
            spool::run(folder, spool::Limits::default(), decode, inbox, |event| {
                let _ = events.send(Event::Spool(event));
            });
        })?;
        Ok(Spool(requests))
    }

    /// Hands a request over.
    pub fn ask(&self, request: SpoolRequest) {
        // There is room by construction.
        if self.0.try_send(request).is_err() {
            log::error!("sns: the spool does not take a request");
        }
    }
}
