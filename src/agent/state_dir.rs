//! `<state_dir>/<instance>/`: made if missing, locked while the agent runs, small.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::Failure;

/// Length of the random agent id, in hex digits.
const AGENT_ID_DIGITS: usize = 16;
const AGENT_ID_FILE: &str = "agent_id";
const LOCK_FILE: &str = "lock";

/// The agent's own folder. The lock goes when this is dropped, or with the process.
pub struct StateDir {
    agent_id: String,
    _lock: File,
}

impl StateDir {
    /// Makes, locks and reads the folder.
    ///
    /// # Errors
    ///
    /// When it cannot be made or written, or another agent holds its lock; the text says what
    /// to do.
    pub fn open(config: &Config) -> Result<StateDir, Failure> {
        let folder = path(config);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| {
                let folder = folder.display();
                Failure::failed(format!(
                    "cannot make the folder {folder}: {error}; set state_dir to a place that this \
                 user may write"
                ))
            })?;
        let lock = open(&folder.join(LOCK_FILE))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::failed(format!(
                    "another mediapackage2mqtt runs with {}; stop it, or give this one an \
                     instance of its own (instance = \"…\")",
                    folder.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&folder, &error)),
        }
        let agent_id = agent_id(&folder.join(AGENT_ID_FILE))?;
        Ok(StateDir {
            agent_id,
            _lock: lock,
        })
    }

    /// Random, the same at every start.
    pub fn agent_id(&self) -> &str {
        &self.agent_id
    }
}

/// The folder of this config's instance.
pub fn path(config: &Config) -> PathBuf {
    config.state_dir.join(&config.instance)
}

fn open(file: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.open(file).map_err(|error| unwritable(file, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!(
        "cannot write {}: {error}; check state_dir",
        path.display()
    ))
}

/// Reads the id, or makes one. A damaged file is replaced.
fn agent_id(file: &Path) -> Result<String, Failure> {
    if let Some(known) = fs::read_to_string(file).ok().and_then(well_formed) {
        return Ok(known);
    }
    let made = format!("{:016x}", fastrand::u64(..));
    replace(file, &made).map_err(|error| unwritable(file, &error))?;
    Ok(made)
}

/// Makes this line what the file says. It is written beside and renamed, so that a power cut
/// leaves the old file or the new one.
///
/// # Errors
///
/// Those of the system; then the old file is as it was.
pub fn replace(file: &Path, line: &str) -> io::Result<()> {
    let beside = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = options.open(&beside)?;
    writeln!(out, "{line}")?;
    out.sync_data()?;
    fs::rename(&beside, file)
}

fn well_formed(text: String) -> Option<String> {
    let id = text.trim();
    let well = id.len() == AGENT_ID_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit());
    well.then(|| id.to_owned())
}

/// The id that an agent with this config has; `None` when none ever ran with it.
///
/// # Errors
///
/// When the folder may not be read, so that nothing is known.
pub fn known_agent_id(config: &Config) -> io::Result<Option<String>> {
    match fs::read_to_string(path(config).join(AGENT_ID_FILE)) {
        Ok(text) => Ok(well_formed(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an agent holds the lock now, told without touching it: to try it, even for a
/// moment, could refuse an agent that is starting.
///
/// Source: proc_locks(5).
pub fn is_locked(config: &Config) -> bool {
    let Ok(lock) = fs::metadata(path(config).join(LOCK_FILE)) else {
        return false;
    };
    // 1: FLOCK  ADVISORY  WRITE 4711 08:01:1234567 0 EOF
    let inode = format!(":{}", lock.ino());
    let ours = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        words.next() == Some("FLOCK") && words.nth(3).is_some_and(|file| file.ends_with(&inode))
    };
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    locks.lines().any(ours)
}
