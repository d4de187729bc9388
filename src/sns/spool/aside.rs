//! Copies of records that are not delivered, for people to look at. The newest are kept: what
//! went wrong last is looked for first, and the log has told of all.

use std::collections::BTreeSet;
use std::io;

use super::names;
use super::storage::Storage;
use crate::engine::spooling::Seq;

/// What lies in the folder of what was set aside.
#[derive(Debug)]
pub struct Aside {
    kept: BTreeSet<Seq>,
    files_max: usize,
}

impl Aside {
    /// Nothing yet; at most `files_max` later.
    pub fn new(files_max: usize) -> Aside {
        Aside {
            kept: BTreeSet::new(),
            files_max,
        }
    }

    /// Learns what is there.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed.
    pub fn learn(&mut self, storage: &mut impl Storage) -> io::Result<()> {
        let there = storage.list(names::ASIDE)?;
        self.kept = there
            .iter()
            .filter_map(|name| names::parse_copy(name))
            .collect();
        Ok(())
    }

    /// Whether a copy of this record is there.
    pub fn has(&self, seq: Seq) -> bool {
        self.kept.contains(&seq)
    }

    /// Whether a copy of this record would be the first to go.
    pub fn is_too_old(&self, seq: Seq) -> bool {
        let oldest = self.kept.first();
        self.kept.len() >= self.files_max && oldest.is_none_or(|oldest| seq < *oldest)
    }

    /// Keeps a copy that survives a power loss; the oldest goes where there are too many.
    ///
    /// # Errors
    ///
    /// When it cannot be written; nothing is left of it then, as far as the disk allows.
    pub fn keep(&mut self, storage: &mut impl Storage, seq: Seq, record: &[u8]) -> io::Result<()> {
        let file = names::copy(seq);
        storage.make_folder(names::ASIDE)?;
        let written = storage
            .write_at(&file, 0, record)
            .and_then(|()| storage.sync(&file))
            .and_then(|()| storage.sync_folder(names::ASIDE));
        if let Err(error) = written {
            // Where that fails too the next start counts it again.
            let _ = storage.delete(&file);
            return Err(error);
        }
        self.kept.insert(seq);
        while self.kept.len() > self.files_max {
            let Some(oldest) = self.kept.pop_first() else {
                break;
            };
            // What cannot be deleted is learned, and tried again, after the next start.
            let _ = storage.delete(&names::copy(oldest));
        }
        Ok(())
    }
}
