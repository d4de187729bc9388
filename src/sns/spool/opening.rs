//! What the spool does before anything else: it looks at what is there.

use std::collections::VecDeque;
use std::io;

use super::Limits;
use super::keeper::{STRANGE, Segment, Spool};
use super::names::{self, Name};
use super::scan::{Found, Scan};
use super::storage::Storage;
use crate::engine::spooling::{Opened, Seq};
use crate::state::push::{MessageId, Notice};

/// How much is written again at once, in bytes.
const REWRITE_BYTES: usize = 64 * 1024;

/// What was found while opening.
#[derive(Default)]
struct Census {
    pending: VecDeque<(Seq, MessageId)>,
    /// The newest records that are not understood.
    strange: VecDeque<Seq>,
    strange_count: u64,
}

impl<S: Storage> Spool<S> {
    /// Looks at what is there. May be tried again.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, written or read. One unreadable segment is enough: to
    /// go on without it could lose what it holds.
    pub fn open(&mut self, decode: &impl Fn(&[u8]) -> Option<Notice>) -> Result<Opened, String> {
        self.is_open = false;
        self.is_active = false;
        self.segments.clear();
        self.marks.clear();
        self.fresh_mark = None;
        self.marked = 0;
        let firsts = self.look()?;
        let mut census = Census::default();
        for first in firsts {
            self.take_stock(first, decode, &mut census)?;
        }
        self.settle(&census)?;
        for seq in census.strange {
            self.set_aside(seq, STRANGE);
        }
        self.sweep();
        self.is_open = true;
        Ok(Opened {
            pending: census.pending.into(),
            next: self.next,
        })
    }

    /// Reads all names, and what is delivered. Returns the segments, oldest first.
    fn look(&mut self) -> Result<Vec<Seq>, String> {
        let made = self.storage.make_folder("");
        made.map_err(|error| self.explain("write in", "", &error))?;
        let names = self.storage.list("");
        let names = names.map_err(|error| self.explain("read", "", &error))?;
        let aside = self.aside.learn(&mut self.storage);
        aside.map_err(|error| self.explain("read", names::ASIDE, &error))?;
        let mut firsts = Vec::new();
        for name in &names {
            match Name::parse(name) {
                Some(Name::Segment(first)) => firsts.push(first),
                Some(Name::Mark(next)) => self.marks.push(next),
                None => {}
            }
        }
        firsts.sort_unstable();
        if names.iter().any(|name| name == names::DELIVERED) {
            let read = self.read_delivered();
            let read = read.map_err(|error| self.explain("read", names::DELIVERED, &error))?;
            // It never goes back while the agent runs, whatever the disk says.
            if let Some((delivered, place)) = read {
                self.delivered = self.delivered.max(delivered);
                self.place = (place + 1) % names::DELIVERED_PLACES;
            }
        }
        let used = firsts.last().copied().max(Some(self.delivered));
        let marked = self.marks.iter().copied().max();
        self.next = self.next.max(used.unwrap_or_default() + 1);
        self.next = self.next.max(marked.unwrap_or_default());
        Ok(firsts)
    }

    /// `None` when it is damaged: then everything that is there is told again.
    fn read_delivered(&mut self) -> io::Result<Option<(Seq, usize)>> {
        let mut bytes = [0; names::DELIVERED_BYTES * names::DELIVERED_PLACES];
        let count = self.storage.read_at(names::DELIVERED, 0, &mut bytes)?;
        Ok(names::parse_delivered(&bytes[..count]))
    }

    /// Walks through a segment that was found.
    fn take_stock(
        &mut self,
        first: Seq,
        decode: &impl Fn(&[u8]) -> Option<Notice>,
        census: &mut Census,
    ) -> Result<(), String> {
        let file = names::segment(first);
        let length = self.storage.length(&file);
        let length = length.map_err(|error| self.explain("read", &file, &error))?;
        let mut scan = Scan::new(first, length);
        let mut segment = Segment {
            first,
            last: first,
            end: 0,
            length,
            is_understood: false,
        };
        let mut is_needed = false;
        let is_whole = loop {
            match scan.next(&mut self.storage) {
                Ok(Found::Record(seq, record)) => {
                    segment.last = seq;
                    if seq > self.delivered {
                        is_needed = true;
                        segment.is_understood |= census.count(&self.limits, seq, decode(record));
                    }
                }
                Ok(Found::End) => break true,
                Ok(Found::Broken) => break false,
                Err(error) => return Err(self.explain("read", &file, &error)),
            }
        };
        if !is_whole {
            let place = self.storage.place(&file);
            let (at, last) = (scan.at(), segment.last);
            log::warn!(
                "{place}: what follows byte {at} of {length} is damaged or was cut by a power \
                 loss, and is skipped; the records before it, up to {last}, are used"
            );
        }
        segment.end = if is_needed { scan.at() } else { 0 };
        self.next = self.next.max(segment.last + 1);
        self.segments.push_back(segment);
        Ok(())
    }

    /// Makes sure of what is told as pending: a process that was killed may have left it
    /// unsynced. Clean files cost no write, but the newest, see [`rewrite`](Spool::rewrite).
    fn settle(&mut self, census: &Census) -> Result<(), String> {
        if census.strange_count > 0 {
            let place = self.storage.place("");
            let (count, kept) = (census.strange_count, self.limits.aside_max);
            log::error!(
                "{place}: {count} records cannot be understood and will not be published; \
                 copies of the newest, at most {kept}, are set aside"
            );
        }
        if census.pending.is_empty() {
            return Ok(());
        }
        if let Some(newest) = self.segments.back()
            && newest.end > 0
        {
            let (first, end) = (newest.first, newest.end);
            let rewritten = self.rewrite(&names::segment(first), end);
            let file = names::segment(first);
            rewritten.map_err(|error| self.explain("keep", &file, &error))?;
        }
        for at in 0..self.segments.len() {
            let Segment { first, end, .. } = self.segments[at];
            let file = names::segment(first);
            if end > 0 {
                let synced = self.storage.sync(&file);
                synced.map_err(|error| self.explain("keep", &file, &error))?;
            }
        }
        let synced = self.storage.sync_folder("");
        synced.map_err(|error| self.explain("keep", "", &error))
    }

    /// Writes what is there once more in its place. When a sync fails, Linux keeps the bytes in
    /// memory and takes them for written: they can be read, and the next sync says that all is
    /// well (fsync(2), "Errors"). A process that could not take them back before it ended
    /// leaves such bytes at the end of the newest segment.
    fn rewrite(&mut self, file: &str, end: u64) -> io::Result<()> {
        let mut chunk = vec![0; REWRITE_BYTES];
        let mut at = 0;
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(REWRITE_BYTES);
            let count = self
                .storage
                .read_at(file, at, &mut chunk[..left.min(REWRITE_BYTES)])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.storage.write_at(file, at, &chunk[..count])?;
            at += count as u64;
        }
        Ok(())
    }
}

impl Census {
    /// Counts a record that is not delivered yet; returns whether it is understood.
    fn count(&mut self, limits: &Limits, seq: Seq, notice: Option<Notice>) -> bool {
        let Some(notice) = notice else {
            self.strange_count += 1;
            self.strange.push_back(seq);
            if self.strange.len() > limits.aside_max {
                self.strange.pop_front();
            }
            return false;
        };
        self.pending.push_back((seq, notice.message_id));
        if self.pending.len() > limits.pending_max {
            self.pending.pop_front();
        }
        true
    }
}
