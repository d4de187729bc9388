//! The names of what was published retained, in the state folder. For AWS IoT Core, which gives
//! what it keeps only to who knows its name: without them, what goes from AWS while the agent is
//! down would stay there for ever.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
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
        if !is_iot_host(&config.mqtt.host) {
            return Ok(None);
        }
        let path = state_dir::path(config).join(FILE);
        let ledger = Ledger::open(&path).map_err(|error| {
            let what = format!(
                "AWS IoT Core tells what it keeps only by name, and {}, which has the names, \
                 cannot be used: {error}",
                path.display()
            );
            let remedy = "run it as the user that the agent runs as, on its machine";
            Fault::new(FaultKind::Refused, what, remedy)
        })?;
        Ok(Some(Arc::new(ledger)))
    }

    fn open(path: &Path) -> io::Result<Ledger> {
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(path)?;
        let mut names = HashSet::new();
        for line in BufReader::new(&file).lines() {
            // What is damaged is not asked for.
            let Ok(line) = line else { continue };
            if (1..=IOT_TOPIC_BYTES_MAX).contains(&line.len()) && names.len() < TOPICS_MAX {
                names.insert(line.into());
            }
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
        let beside = self.path.with_extension("new");
        fs::write(&beside, text)?;
        fs::rename(&beside, &self.path)?;
        inside.file = OpenOptions::new().append(true).open(&self.path)?;
        inside.names = names;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
}
