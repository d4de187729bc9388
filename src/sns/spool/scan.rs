//! Walks through a segment, record by record, with little of it in memory.

use std::io;

use super::names;
use super::record::{HEADER_BYTES, Header};
use super::storage::Storage;
use crate::engine::spooling::Seq;

/// How much is read at once, in bytes, unless a record needs more.
const CHUNK_BYTES: usize = 64 * 1024;

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A whole record, and its number.
    Record(Seq, &'a [u8]),
    /// The segment ends here, as it should.
    End,
    /// What follows is no record: a write that a power loss cut, or damage.
    Broken,
}

/// A place in a segment.
#[derive(Debug)]
pub struct Scan {
    file: String,
    first: Seq,
    /// Where the segment ends, in bytes.
    end: u64,
    /// Where `window[used]` lies in the segment.
    at: u64,
    window: Vec<u8>,
    used: usize,
    /// Numbers rise: the next is at least this.
    at_least: Seq,
}

impl Scan {
    /// The beginning of the segment, which has `end` bytes that count.
    pub fn new(first: Seq, end: u64) -> Scan {
        Scan {
            file: names::segment(first),
            first,
            end,
            at: 0,
            window: Vec::new(),
            used: 0,
            at_least: first,
        }
    }

    /// Where the next record begins: all before is whole.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Goes on by a record. After [`Found::Broken`] it stays where it is.
    ///
    /// # Errors
    ///
    /// When the disk cannot read; whether there is a record is not known then.
    pub fn next(&mut self, storage: &mut impl Storage) -> io::Result<Found<'_>> {
        if self.at >= self.end {
            return Ok(Found::End);
        }
        if !self.fill(storage, HEADER_BYTES)? {
            return Ok(Found::Broken);
        }
        let Some(header) = Header::parse(&self.window[self.used..]) else {
            return Ok(Found::Broken);
        };
        // The length is believed only as far as there are bytes, before room is made for it.
        let framed = HEADER_BYTES + header.length;
        if !self.fill(storage, framed)? {
            return Ok(Found::Broken);
        }
        let begin = self.used + HEADER_BYTES;
        let body = begin..begin + header.length;
        let rises = header.seq >= self.at_least && header.seq <= names::SEQ_MAX;
        if !rises || !header.fits(self.first, &self.window[body.clone()]) {
            return Ok(Found::Broken);
        }
        self.at_least = header.seq + 1;
        self.at += framed as u64;
        self.used += framed;
        Ok(Found::Record(header.seq, &self.window[body]))
    }

    /// Makes the next `wanted` bytes ready; false when the segment has fewer.
    fn fill(&mut self, storage: &mut impl Storage, wanted: usize) -> io::Result<bool> {
        if self.end - self.at < wanted as u64 {
            return Ok(false);
        }
        let mut ready = self.window.len() - self.used;
        if ready >= wanted {
            return Ok(true);
        }
        self.window.drain(..self.used);
        self.used = 0;
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        self.window.resize(wanted.max(CHUNK_BYTES).min(left), 0);
        let mut failed = None;
        while ready < wanted {
            let from = self.at + ready as u64;
            match storage.read_at(&self.file, from, &mut self.window[ready..]) {
                Ok(0) => break,
                Ok(count) => ready += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        self.window.truncate(ready);
        match failed {
            Some(error) => Err(error),
            None => Ok(ready >= wanted),
        }
    }
}
