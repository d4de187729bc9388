//! The names of what was published retained, in the state folder. For AWS IoT Core, which gives
//! what it keeps only to who knows its name: without them, what goes from AWS while the agent is
//! down would stay there for ever.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::state_dir;
use crate::config::Config;
use crate::config::region::{IOT_TOPIC_BYTES_MAX, is_iot_host};
use crate::state::fault::{Fault, FaultKind};

const FILE: &str = "topics";
/// More than any region has; what comes later is not noted.
const TOPICS_MAX: usize = 100_000;
/// So much is read of a file that is none of ours, or damaged.
const FILE_BYTES_MAX: u64 = (TOPICS_MAX * (IOT_TOPIC_BYTES_MAX + 1)) as u64;

/// One name a line, each as it is first published. A line that is lost costs a topic that is not
/// swept, and one too many a question: so nothing waits for the disk.
pub struct Ledger {
    path: PathBuf,
    inside: Mutex<Inside>,
}

struct Inside {
    file: File,
    names: HashSet<Box<str>>,
}

impl Ledger {
    /// Opens what is there, where the broker needs it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written.
    pub fn of(config: &Config) -> Result<Option<Arc<Ledger>>, Fault> {
        let Some(path) = path(config) else {
            return Ok(None);
        };
        let ledger = Ledger::open(&path).map_err(|error| unusable(&path, &error))?;
        Ok(Some(Arc::new(ledger)))
    }

    fn open(path: &Path) -> io::Result<Ledger> {
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(path)?;
        let (names, is_whole) = read(&file)?;
        if !is_whole {
            // A power cut in the middle of a line: the next name gets one of its own.
            file.write_all(b"\n")?;
        }
        Ok(Ledger {
            path: path.to_owned(),
            inside: Mutex::new(Inside { file, names }),
        })
    }

    /// Notes a topic, before it is published.
    pub fn note(&self, topic: &str) {
        let mut inside = self.lock();
        if inside.names.len() >= TOPICS_MAX || inside.names.contains(topic) {
            return;
        }
        if let Err(error) = inside.file.write_all(format!("{topic}\n").as_bytes()) {
            log::debug!("the name of a topic could not be noted: {error}");
        }
        inside.names.insert(topic.into());
    }

    /// All that were noted.
    pub fn names(&self) -> Vec<String> {
        let inside = self.lock();
        inside
            .names
            .iter()
            .map(|name| String::from(&**name))
            .collect()
    }

    /// Forgets all but those that are there. Only before anything is published.
    ///
    /// # Errors
    ///
    /// When the file cannot be written anew; it stays as it is then.
    pub fn keep<'a>(&self, there: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let mut inside = self.lock();
        let names: HashSet<Box<str>> = there.map(Box::from).collect();
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        // Written beside and renamed, so that a power cut leaves the old file or the new one.
        let beside = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut out = options.open(&beside)?;
        out.write_all(text.as_bytes())?;
        out.sync_data()?;
        fs::rename(&beside, &self.path)?;
        inside.file = OpenOptions::new().append(true).open(&self.path)?;
        inside.names = names;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of an agent that is not running, where the broker needs them. The file is left as it
/// is: who asks may be another user than the agent's.
///
/// # Errors
///
/// When the file cannot be read.
pub fn noted(config: &Config) -> Result<Vec<String>, Fault> {
    let Some(path) = path(config) else {
        return Ok(Vec::new());
    };
    let names = names_in(&path).map_err(|error| unusable(&path, &error))?;
    Ok(names.into_iter().map(String::from).collect())
}

fn names_in(path: &Path) -> io::Result<HashSet<Box<str>>> {
    match File::open(path) {
        Ok(file) => Ok(read(file)?.0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(error),
    }
}

/// Where they are; `None` where the broker needs none.
fn path(config: &Config) -> Option<PathBuf> {
    let needed = is_iot_host(&config.mqtt.host);
    needed.then(|| state_dir::path(config).join(FILE))
}

fn unusable(path: &Path, error: &io::Error) -> Fault {
    let what = format!(
        "AWS IoT Core tells what it keeps only by name, and {}, which has the names, cannot be \
         used: {error}",
        path.display()
    );
    let remedy = "run it as the user that the agent runs as, on its machine";
    Fault::new(FaultKind::Refused, what, remedy)
}

/// The names, and whether the last line is whole. What is damaged is not asked for.
fn read(file: impl Read) -> io::Result<(HashSet<Box<str>>, bool)> {
    let mut lines = BufReader::new(file.take(FILE_BYTES_MAX));
    let (mut names, mut line, mut is_whole) = (HashSet::new(), Vec::new(), true);
    while lines.read_until(b'\n', &mut line)? > 0 {
        is_whole = line.ends_with(b"\n");
        let name = line.strip_suffix(b"\n").unwrap_or(&line);
        let fits = (1..=IOT_TOPIC_BYTES_MAX).contains(&name.len()) && names.len() < TOPICS_MAX;
        if let (true, Ok(name)) = (fits, std::str::from_utf8(name)) {
            names.insert(name.into());
        }
        line.clear();
    }
    Ok((names, is_whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outlive_a_restart_and_what_is_gone_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let sorted = |ledger: &Ledger| {
            let mut names = ledger.names();
            names.sort();
            names
        };
        let ledger = Ledger::open(&path).unwrap();
        for topic in ["m/e/b", "m/e/a", "m/e/b"] {
            ledger.note(topic);
        }
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(sorted(&ledger), ["m/e/a", "m/e/b"]);
        ledger.keep(["m/e/b"].into_iter()).unwrap();
        ledger.note("m/e/c");
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(sorted(&ledger), ["m/e/b", "m/e/c"]);
    }

    #[test]
    fn a_damaged_file_costs_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let long = "x".repeat(IOT_TOPIC_BYTES_MAX + 1);
        fs::write(
            &path,
            [b"\n\xff\xfe\nm/e/a\n", long.as_bytes(), b"\nm/e"].concat(),
        )
        .unwrap();
        let mut names = Ledger::open(&path).unwrap().names();
        names.sort();
        assert_eq!(names, ["m/e", "m/e/a"]);
    }

    #[test]
    fn a_name_after_a_power_cut_has_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "m/e/a\nm/e/cut of").unwrap();
        Ledger::open(&path).unwrap().note("m/e/b");
        assert!(names_in(&path).unwrap().contains("m/e/b"));
    }

    #[test]
    fn a_disk_that_fails_is_told_and_not_read_for_ever() {
        struct Dying;
        impl Read for Dying {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("Input/output error"))
            }
        }
        assert!(read(Dying).is_err());
    }

    #[test]
    fn who_only_asks_for_the_names_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(names_in(&path).unwrap().is_empty());
        assert!(!path.exists());
        Ledger::open(&path).unwrap().note("m/e/a");
        assert_eq!(names_in(&path).unwrap().len(), 1);
    }
}
