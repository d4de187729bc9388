//! The file that keeps the meter between runs, and the thread that writes it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::state_dir;
use super::threads::Threads;
use crate::config::Config;
use crate::engine::Event;
use crate::engine::bill::FILE_BYTES_MAX;
use crate::error::Failure;

/// In the instance's own folder.
const FILE: &str = "meter.json";
/// One write under way, the one of the stop, and room.
const WRITES_MAX: usize = 4;

fn path(config: &Config) -> PathBuf {
    state_dir::path(config).join(FILE)
}

/// What an earlier run left; `None` when none ever wrote.
///
/// # Errors
///
/// When the file is there and cannot be read.
pub fn read(config: &Config) -> Result<Option<String>, String> {
    let path = path(config);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let mut text = String::new();
    // One byte more than can be right tells that it is wrong.
    let read = file
        .take(FILE_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text);
    match read {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// A handle on the thread that writes. It ends when this is dropped, with all written.
pub struct MeterFile(SyncSender<String>);

impl MeterFile {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        threads: &mut Threads,
        config: &Config,
        events: &SyncSender<Event>,
    ) -> Result<MeterFile, Failure> {
        let (writes, inbox) = sync_channel::<String>(WRITES_MAX);
        let (path, events) = (path(config), events.clone());
        threads.spawn("meter", move || {
            for text in inbox {
                let written = state_dir::replace(&path, &text);
                let result = written.map_err(|error| format!("{}: {error}", path.display()));
                // At the stop nobody listens any more.
                if let Err(unheard) = events.send(Event::MeterKept(result))
                    && let Event::MeterKept(Err(error)) = unheard.0
                {
                    log::warn!("the meter cannot be kept: {error}");
                }
            }
        })?;
        Ok(MeterFile(writes))
    }

    /// Has the file replaced.
    pub fn write(&self, text: String) {
        // There is room by construction.
        if self.0.try_send(text).is_err() {
            log::error!("the thread of the meter does not take a write");
        }
    }
}
