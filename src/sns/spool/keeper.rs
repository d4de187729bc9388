//! The spool itself: segments with records, what of them is delivered, and the next number.
//!
//! # What survives what
//!
//! A record counts when its segment is synced, and the folder too where the segment is new.
//! What was not told as stored may be found all the same after a power loss; it is whole then.
//!
//! What is delivered is written without a sync: it survives the end of the process. A power
//! loss may bring delivered records back, and they are told again.
//!
//! # Numbers never come again
//!
//! A number that was delivered once must not name another record later, or that one would
//! count as delivered. Segments go when they are delivered, so their names do not keep the
//! numbers. A mark does: an empty file with a number in its name, from which on nothing was
//! used. It is made before the first segment of a process, far ahead ([`AHEAD`]), and shares
//! the sync of the folder with it. The next process begins at the mark. So a mark costs no
//! sync of its own and is made anew only when a process begins to write, or has used up all
//! numbers below it.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::Limits;
use super::aside::Aside;
use super::names;
use super::record::{self, RECORD_BYTES_MAX};
use super::storage::Storage;
use crate::engine::spooling::Seq;
use crate::log::Steady;

/// How many numbers a mark is ahead of the first that is used below it.
pub const AHEAD: u64 = 1 << 20;
/// Most segments. A disk that fails again and again may leave many that are hardly used.
pub const SEGMENTS_MAX: usize = 4096;

/// Why a record is set aside that was not read by its decoder.
pub(super) const STRANGE: &str = "it cannot be understood; another version may have written it";

/// What became of some appends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Their numbers.
    pub seqs: Vec<Seq>,
    /// Safe, or why not.
    pub result: Result<(), String>,
}

/// A segment, as far as it is known.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first: Seq,
    /// The newest whole record's.
    pub(super) last: Seq,
    /// Bytes of the whole records; 0 when nothing in it is needed.
    pub(super) end: u64,
    /// Bytes on the disk, at most.
    pub(super) length: u64,
    /// Whether any record was understood when it was found.
    pub(super) is_understood: bool,
}

/// Keeps records on a [`Storage`] until they are released. It is to be opened first.
#[derive(Debug)]
pub struct Spool<S> {
    pub(super) storage: S,
    pub(super) limits: Limits,
    pub(super) is_open: bool,
    /// Oldest first.
    pub(super) segments: VecDeque<Segment>,
    /// Whether the newest segment takes more records.
    pub(super) is_active: bool,
    pub(super) aside: Aside,
    /// Records that are to be set aside and could not be copied yet: they stay until they are.
    pub(super) uncopied: BTreeSet<Seq>,
    /// All that are there.
    pub(super) marks: Vec<Seq>,
    /// The mark that was made and is not synced yet.
    pub(super) fresh_mark: Option<Seq>,
    /// The mark that was synced by this process; 0 before.
    pub(super) marked: Seq,
    /// Larger than every number that was used.
    pub(super) next: Seq,
    pub(super) delivered: Seq,
    /// The place of the `delivered` file that is written next.
    pub(super) place: usize,
    /// With writing down what is delivered.
    pub(super) trouble: Steady,
}

impl<S: Storage> Spool<S> {
    /// A spool that is not open yet.
    pub fn new(storage: S, limits: Limits) -> Spool<S> {
        Spool {
            storage,
            limits,
            is_open: false,
            segments: VecDeque::new(),
            is_active: false,
            aside: Aside::new(limits.aside_max),
            uncopied: BTreeSet::new(),
            marks: Vec::new(),
            fresh_mark: None,
            marked: 0,
            next: 1,
            delivered: 0,
            place: 0,
            trouble: Steady::default(),
        }
    }

    /// Whether the last [`open`](Spool::open) went well.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Keeps records, all of them with one sync. What cannot be kept for a reason of its own
    /// is answered by itself; the others are safe together or not at all.
    pub fn append(&mut self, batch: &[(Seq, Arc<[u8]>)]) -> Vec<Stored> {
        let mut answers = Vec::new();
        let mut admitted: Vec<(Seq, &[u8])> = Vec::new();
        let mut bytes = 0;
        for (seq, record) in batch {
            let framed = record::framed_bytes(record.len());
            match self.admit(*seq, record.len(), bytes + framed) {
                Ok(()) => {
                    bytes += framed;
                    admitted.push((*seq, record));
                    self.next = seq + 1;
                }
                Err(why) => answers.push(Stored {
                    seqs: vec![*seq],
                    result: Err(why),
                }),
            }
        }
        if !admitted.is_empty() {
            let result = self.write(&admitted, bytes);
            let seqs = admitted.iter().map(|(seq, _)| *seq).collect();
            answers.push(Stored { seqs, result });
        }
        answers
    }

    /// Whether a record may be written that makes the batch this long.
    fn admit(&mut self, seq: Seq, length: usize, bytes: u64) -> Result<(), String> {
        if !self.is_open {
            return Err("the spool is not open".to_owned());
        }
        if seq < self.next || seq >= names::SEQ_MAX - AHEAD {
            let next = self.next;
            return Err(format!(
                "record {seq} of the spool is not a new number: {next} is next"
            ));
        }
        if length > RECORD_BYTES_MAX {
            return Err(format!(
                "a record of {length} bytes is too long for the spool: {RECORD_BYTES_MAX} at most"
            ));
        }
        self.make_room(bytes);
        let is_full = self.bytes() + bytes > self.limits.bytes_max
            || self.segments.len() >= SEGMENTS_MAX && !self.has_room(seq, bytes);
        if !is_full {
            return Ok(());
        }
        Err(format!(
            "the spool {} is full: it keeps {} at most; messages are refused until the broker \
             takes what waits there, and AWS sends them again for an hour",
            self.storage.place(""),
            bytes_text(self.limits.bytes_max)
        ))
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Nobody releases what nobody understands: before the spool is full such segments go.
    fn make_room(&mut self, bytes: u64) {
        while self.bytes() + bytes > self.limits.bytes_max {
            let strange = self
                .segments
                .iter()
                .position(|segment| !segment.is_understood);
            let Some(at) = strange else {
                return;
            };
            let file = names::segment(self.segments[at].first);
            if self.storage.delete(&file).is_err() {
                return;
            }
            let place = self.storage.place(&file);
            log::error!("{place}: deleted to make room; nothing in it could be understood");
            self.segments.remove(at);
        }
    }

    /// Whether the newest segment takes a batch that ends with this number.
    fn has_room(&self, last: Seq, bytes: u64) -> bool {
        let length = self.segments.back().map_or(0, |newest| newest.end);
        self.is_active && self.marked > last && length + bytes <= self.limits.segment_bytes_max
    }

    fn write(&mut self, batch: &[(Seq, &[u8])], bytes: u64) -> Result<(), String> {
        let first = batch.first().map_or(0, |(seq, _)| *seq);
        let last = batch.last().map_or(0, |(seq, _)| *seq);
        if !self.has_room(last, bytes) {
            self.begin(first, last)?;
        }
        let Some(newest) = self.segments.back_mut() else {
            return Err("the spool has no segment".to_owned());
        };
        let file = names::segment(newest.first);
        let is_new = newest.end == 0;
        let mut framed = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        for (seq, record) in batch {
            record::encode(newest.first, *seq, record, &mut framed);
        }
        newest.length = newest.end + bytes;
        if let Err(error) = self.storage.append(&file, &framed) {
            self.take_back(&file, true);
            return Err(self.explain("write", &file, &error));
        }
        let mut synced = self.storage.sync(&file);
        if is_new && synced.is_ok() {
            synced = self.storage.sync_folder("");
        }
        if let Err(error) = synced {
            // The kernel may have dropped what it could not write, and say that all is well
            // the next time: neither this file nor this mark is relied on any more.
            self.take_back(&file, false);
            self.drop_fresh_mark();
            return Err(self.explain("keep", &file, &error));
        }
        if let Some(newest) = self.segments.back_mut() {
            newest.end = newest.length;
            newest.last = last;
        }
        self.marked = self.fresh_mark.take().unwrap_or(self.marked);
        self.drop_old_marks();
        Ok(())
    }

    /// Begins a segment for a batch with these numbers.
    fn begin(&mut self, first: Seq, last: Seq) -> Result<(), String> {
        self.is_active = false;
        self.sweep();
        self.clean_up()?;
        // Somebody may have removed it.
        let made = self.storage.make_folder("");
        made.map_err(|error| self.explain("write in", "", &error))?;
        self.mark(last)?;
        let file = names::segment(first);
        let made = self.storage.create(&file);
        made.map_err(|error| self.explain("make", &file, &error))?;
        self.segments.push_back(Segment {
            first,
            last,
            end: 0,
            length: 0,
            is_understood: true,
        });
        self.is_active = true;
        Ok(())
    }

    /// Removes what a failed batch left where that was not possible at once. So only the
    /// newest segment is ever in doubt, which the next start relies on.
    fn clean_up(&mut self) -> Result<(), String> {
        let Some(newest) = self.segments.back_mut() else {
            return Ok(());
        };
        if newest.length == newest.end {
            return Ok(());
        }
        let file = names::segment(newest.first);
        let cut = self.storage.truncate(&file, newest.end);
        newest.length = if cut.is_ok() {
            newest.end
        } else {
            newest.length
        };
        cut.map_err(|error| self.explain("write", &file, &error))
    }

    /// Makes a mark where these numbers go beyond the one that there is. It is safe once the
    /// folder is synced, which the new segment needs as well.
    fn mark(&mut self, last: Seq) -> Result<(), String> {
        if self.marked > last || self.fresh_mark.is_some_and(|mark| mark > last) {
            return Ok(());
        }
        let next = last + AHEAD;
        let file = names::mark(next);
        let made = self.storage.create(&file);
        made.map_err(|error| self.explain("make", &file, &error))?;
        self.marks.push(next);
        self.fresh_mark = Some(next);
        Ok(())
    }

    /// Removes what a failed batch left in the newest segment. Where that fails the segment
    /// takes no more records; what was whole in it stays.
    fn take_back(&mut self, file: &str, may_go_on: bool) {
        self.is_active = false;
        let Some(newest) = self.segments.back_mut() else {
            return;
        };
        if newest.end == 0 && self.storage.delete(file).is_ok() {
            self.segments.pop_back();
        } else if self.storage.truncate(file, newest.end).is_ok() {
            newest.length = newest.end;
            self.is_active = may_go_on && newest.end > 0;
        }
    }

    fn drop_fresh_mark(&mut self) {
        let Some(fresh) = self.fresh_mark.take() else {
            return;
        };
        if self.storage.delete(&names::mark(fresh)).is_ok() {
            self.marks.retain(|mark| *mark != fresh);
        }
    }

    /// The one that this process made is enough.
    fn drop_old_marks(&mut self) {
        let (storage, marked) = (&mut self.storage, self.marked);
        self.marks
            .retain(|mark| *mark == marked || storage.delete(&names::mark(*mark)).is_err());
    }

    /// Forgets everything up to this number.
    pub fn release(&mut self, up_to: Seq) {
        // A number that was not used yet must not count as delivered.
        let up_to = up_to.min(self.next - 1);
        let up_to = self.uncopied_kept(up_to);
        if !self.is_open || up_to <= self.delivered {
            return;
        }
        self.delivered = up_to;
        self.sweep();
        let is_within = self.segments.iter().any(|segment| segment.first <= up_to);
        if !is_within {
            return;
        }
        let text = names::delivered_text(up_to);
        let at = (self.place * names::DELIVERED_BYTES) as u64;
        let written = self.storage.write_at(names::DELIVERED, at, text.as_bytes());
        match written {
            Ok(()) => {
                self.place = (self.place + 1) % names::DELIVERED_PLACES;
                let text = "the spool: what is delivered can be written down again";
                self.trouble.right(names::DELIVERED, text);
            }
            Err(error) => {
                let what = self.explain("write", names::DELIVERED, &error);
                let text = format!("{what}; after a restart some messages will be published again");
                let level = log::Level::Warn;
                self.trouble.wrong(names::DELIVERED, level, text, false);
            }
        }
    }

    /// Copies aside what could not be copied before; what still cannot is not released, nor
    /// what comes after it.
    fn uncopied_kept(&mut self, up_to: Seq) -> Seq {
        while let Some(first) = self.uncopied.first().copied() {
            if first > up_to {
                break;
            }
            if self.copy_aside(first).is_err() {
                return first - 1;
            }
            self.uncopied.remove(&first);
        }
        up_to
    }

    /// Deletes the segments that are not needed. What cannot be deleted is tried again.
    pub(super) fn sweep(&mut self) {
        let (storage, delivered) = (&mut self.storage, self.delivered);
        let newest = self.segments.back().map(|segment| segment.first);
        self.segments.retain(|segment| {
            let is_needed = segment.end > 0 && segment.last > delivered;
            is_needed || storage.delete(&names::segment(segment.first)).is_err()
        });
        if self.segments.back().map(|segment| segment.first) != newest {
            self.is_active = false;
        }
    }

    /// What happened, where, and what to do.
    pub(super) fn explain(&self, doing: &str, file: &str, error: &io::Error) -> String {
        let place = self.storage.place(file);
        format!("cannot {doing} {place}: {error}; {}", remedy(error.kind()))
    }
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk",
        ErrorKind::FileTooLarge => "raise the limit of file sizes (LimitFSIZE= of systemd)",
        ErrorKind::ReadOnlyFilesystem => {
            "mount that disk writable, or set state_dir to another place"
        }
        ErrorKind::PermissionDenied => {
            "give it to the user that the agent runs as, or set state_dir to another place"
        }
        ErrorKind::NotADirectory => "move away what is in the place of the folder",
        ErrorKind::IsADirectory => "move that folder away",
        _ => "check that disk; if it is well, move away what is there and start again",
    }
}

fn bytes_text(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes % MIB {
        0 => format!("{} MiB", bytes / MIB),
        _ => format!("{bytes} bytes"),
    }
}
