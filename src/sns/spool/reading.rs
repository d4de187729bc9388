//! Telling records again, and copying aside what is not delivered.

use std::io;

use super::keeper::{STRANGE, Segment, Spool};
use super::names;
use super::scan::{Found, Scan};
use super::storage::Storage;
use crate::engine::spooling::{Seq, Spooled};
use crate::state::push::Notice;

impl<S: Storage> Spool<S> {
    /// The oldest records from this number on, as many as the limits allow, at least one. None
    /// when there are none, and when the disk cannot read them now.
    ///
    /// Where damage was done to a segment since it was opened, its last number stands for all
    /// that cannot be read.
    pub fn read(&mut self, from: Seq, decode: &impl Fn(&[u8]) -> Option<Notice>) -> Vec<Spooled> {
        let from = from.max(self.delivered + 1);
        let mut told: Vec<Spooled> = Vec::new();
        let mut strange = Vec::new();
        let mut bytes = 0;
        let wanted = self.segments.iter().filter(|s| s.end > 0 && s.last >= from);
        'segments: for segment in wanted {
            let mut scan = Scan::new(segment.first, segment.end);
            loop {
                let (seq, record) = match scan.next(&mut self.storage) {
                    Ok(Found::Record(seq, record)) => (seq, record),
                    Ok(Found::End) => break,
                    other => {
                        if self.report_unread(segment, other) {
                            told.push(Spooled {
                                seq: segment.last,
                                notice: None,
                            });
                            break;
                        }
                        break 'segments;
                    }
                };
                if seq < from {
                    continue;
                }
                bytes += record.len();
                let is_enough = told.len() >= self.limits.read_records_max
                    || bytes > self.limits.read_bytes_max;
                if is_enough && !told.is_empty() {
                    break 'segments;
                }
                let notice = decode(record);
                if notice.is_none() {
                    strange.push(seq);
                }
                told.push(Spooled { seq, notice });
            }
        }
        for seq in strange {
            self.set_aside_once(seq);
        }
        told
    }

    /// Whether the rest of the segment is lost, or it only cannot be read now.
    fn report_unread(&self, segment: &Segment, found: io::Result<Found<'_>>) -> bool {
        let file = names::segment(segment.first);
        match found {
            Err(error) => {
                // The engine says so, and asks again every few seconds.
                log::debug!("{}", self.explain("read", &file, &error));
                false
            }
            Ok(_) => {
                let (place, last) = (self.storage.place(&file), segment.last);
                log::error!(
                    "{place} was damaged since it was written: records up to {last} are lost; \
                     check the disk"
                );
                true
            }
        }
    }

    fn set_aside_once(&mut self, seq: Seq) {
        if !self.aside.has(seq) && !self.aside.is_too_old(seq) {
            self.set_aside(seq, STRANGE);
        }
    }

    /// Keeps a copy of a record for people, and says so. The record itself stays.
    pub fn set_aside(&mut self, seq: Seq, why: &str) {
        match self.copy_aside(seq) {
            Ok(true) => {
                let place = self.storage.place(&names::copy(seq));
                log::error!("a message is not delivered, and set aside as {place}: {why}");
            }
            Ok(false) => log::error!("message {seq} of the spool is not delivered: {why}"),
            Err(error) => {
                self.uncopied.insert(seq);
                let trouble = self.explain("write", &names::copy(seq), &error);
                log::error!("message {seq} of the spool is not delivered: {why}; {trouble}");
            }
        }
    }

    /// False when there is no such record any more, or there are enough newer copies.
    pub(super) fn copy_aside(&mut self, seq: Seq) -> io::Result<bool> {
        let holds = |s: &&Segment| s.end > 0 && s.first <= seq && seq <= s.last;
        let Some(segment) = self.segments.iter().find(holds) else {
            return Ok(false);
        };
        if self.aside.is_too_old(seq) {
            return Ok(false);
        }
        let mut scan = Scan::new(segment.first, segment.end);
        loop {
            match scan.next(&mut self.storage)? {
                Found::Record(at, record) if at == seq => {
                    self.aside.keep(&mut self.storage, seq, record)?;
                    return Ok(true);
                }
                Found::Record(..) => {}
                Found::End | Found::Broken => return Ok(false),
            }
        }
    }
}
