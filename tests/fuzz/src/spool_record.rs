//! The files of the spool: whatever lies in them, whole records are found and no others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use mediapackage2mqtt::sns::accepted::Accepted;
use mediapackage2mqtt::sns::spool::Limits;
use mediapackage2mqtt::sns::spool::keeper::Spool;
use mediapackage2mqtt::sns::spool::names;
use mediapackage2mqtt::sns::spool::record::{self, HEADER_BYTES};
use mediapackage2mqtt::sns::spool::scan::{Found, Scan};
use mediapackage2mqtt::sns::spool::storage::Storage;
use mediapackage2mqtt::state::push::Notice;

use super::input::Input;
use super::meaning;

/// Records that are written before anything is damaged.
const RECORDS_MAX: usize = 6;
/// Reads of the spool until everything must have been told.
const READS_MAX: usize = 64;

/// Whether a record was found.
pub fn check(bytes: &[u8]) -> bool {
    let mut input = Input::new(bytes);
    let is_raw = input.rarely(2);
    let first = 1 + input.below(4) as u64;
    let (segment, whole) = match is_raw {
        true => (input.bytes(usize::MAX).to_vec(), 0),
        false => damaged(&mut input, first),
    };
    let found = scan(first, &segment);
    assert!(
        found >= whole,
        "{found} of {whole} records before the damage"
    );
    let disk = Memory::default();
    disk.put(&names::segment(first), &segment);
    if !is_raw && input.rarely(2) {
        disk.put(&names::mark(u64::from(input.byte())), b"");
        let delivered = match input.rarely(2) {
            true => input.bytes(80).to_vec(),
            false => names::delivered_text(input.byte().into()).into_bytes(),
        };
        disk.put(names::DELIVERED, &delivered);
    }
    open(disk, found);
    found > 0
}

/// A segment of good records with some bytes replaced; how many records lie before those.
fn damaged(input: &mut Input, first: u64) -> (Vec<u8>, usize) {
    let mut segment = Vec::new();
    let mut ends = Vec::new();
    let mut seq = first;
    for n in 0..input.below(RECORDS_MAX + 1) {
        seq += if n == 0 { 0 } else { 1 + input.below(3) as u64 };
        let text = input.text();
        let record = match input.rarely(4) {
            true => text.into_bytes(),
            false => meaning::accepted(&text).encode(),
        };
        record::encode(first, seq, &record, &mut segment);
        ends.push(segment.len());
    }
    let mut at = segment.len();
    for _ in 0..input.below(4) {
        let place = (input.below(256) << 8 | input.below(256)) % (segment.len() + 1);
        let other = input.below(9);
        let other = input.bytes(other);
        let end = (place + input.below(9)).min(segment.len());
        segment.splice(place..end, other.iter().copied());
        at = at.min(place);
    }
    (segment, ends.iter().filter(|end| **end <= at).count())
}

/// Goes through a segment; each record is the very bytes that would be written for it.
fn scan(first: u64, segment: &[u8]) -> usize {
    let mut disk = Memory::default();
    disk.put(&names::segment(first), segment);
    let mut scan = Scan::new(first, segment.len() as u64);
    let (mut count, mut begin, mut last) = (0, 0, None);
    loop {
        match scan.next(&mut disk).expect("this disk reads") {
            Found::Record(seq, record) => {
                let mut again = Vec::new();
                record::encode(first, seq, record, &mut again);
                assert_eq!(again.len(), HEADER_BYTES + record.len());
                assert_eq!(segment.get(begin..begin + again.len()), Some(&again[..]));
                assert!(seq >= first && last < Some(seq) && seq <= names::SEQ_MAX);
                (count, begin, last) = (count + 1, begin + again.len(), Some(seq));
            }
            Found::End => {
                assert_eq!(begin, segment.len());
                break;
            }
            Found::Broken => break,
        }
        assert_eq!(scan.at(), begin as u64);
    }
    assert_eq!(scan.at(), begin as u64);
    let again = scan.next(&mut disk).expect("this disk reads");
    assert!(
        !matches!(again, Found::Record(..)),
        "it went on after its end"
    );
    count
}

/// Opens a spool on it, reads all, keeps one more, and finds the same after a restart.
fn open(disk: Memory, found: usize) {
    let mut spool = Spool::new(disk.clone(), Limits::default());
    let opened = spool.open(&decode).expect("this disk does everything");
    assert!(opened.pending.len() <= found);
    assert!(opened.pending.is_sorted_by_key(|(seq, _)| *seq));
    let told = read_all(&mut spool);
    let understood = told.iter().filter(|(_, is_understood)| *is_understood);
    let understood: Vec<u64> = understood.map(|(seq, _)| *seq).collect();
    let pending: Vec<u64> = opened.pending.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(understood, pending);
    assert!(
        told.iter().all(|(seq, _)| *seq < opened.next),
        "{told:?} {}",
        opened.next
    );

    let seq = opened.next;
    let record = meaning::accepted("one more").encode();
    let stored = spool.append(&[(seq, record.into())]);
    if stored.iter().any(|stored| stored.result.is_err()) {
        assert!(seq > names::SEQ_MAX / 2, "{stored:?}");
        return;
    }
    let all = read_all(&mut spool);
    assert_eq!(all[..told.len()], told);
    assert_eq!(all[told.len()..], [(seq, true)]);
    let mut again = Spool::new(disk, Limits::default());
    let opened = again.open(&decode).expect("this disk does everything");
    assert!(opened.next > seq);
    assert_eq!(read_all(&mut again), all);
}

fn decode(record: &[u8]) -> Option<Notice> {
    let accepted = Accepted::decode(record)?;
    assert_eq!(
        Accepted::decode(&accepted.encode()).as_ref(),
        Some(&accepted)
    );
    Some(accepted.notice())
}

/// Every record, and whether it was understood.
fn read_all(spool: &mut Spool<Memory>) -> Vec<(u64, bool)> {
    let mut all: Vec<(u64, bool)> = Vec::new();
    for _ in 0..READS_MAX {
        let from = all.last().map_or(0, |(seq, _)| seq + 1);
        let told = spool.read(from, &decode);
        if told.is_empty() {
            assert!(all.is_sorted_by(|a, b| a.0 < b.0), "{all:?}");
            return all;
        }
        all.extend(told.iter().map(|one| (one.seq, one.notice.is_some())));
    }
    panic!("no end of {all:?}");
}

/// A disk that does everything at once. Clones are the same disk.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

impl Memory {
    fn put(&self, file: &str, bytes: &[u8]) {
        self.0.borrow_mut().insert(file.to_owned(), bytes.to_vec());
    }

    fn with<T>(&self, file: &str, act: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut files = self.0.borrow_mut();
        let content = files.get_mut(file).ok_or(ErrorKind::NotFound)?;
        Ok(act(content))
    }
}

impl Storage for Memory {
    fn make_folder(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn list(&mut self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let files = self.0.borrow();
        let inside = files.keys().filter_map(|name| name.strip_prefix(&prefix));
        Ok(inside
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    fn create(&mut self, file: &str) -> io::Result<()> {
        match self.0.borrow_mut().insert(file.to_owned(), Vec::new()) {
            None => Ok(()),
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
        }
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()> {
        self.with(file, |content| content.extend(bytes))
    }

    fn write_at(&mut self, file: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().entry(file.to_owned()).or_default();
        self.with(file, |content| {
            let begin = at as usize;
            let end = begin + bytes.len();
            content.resize(content.len().max(end), 0);
            content[begin..end].copy_from_slice(bytes);
        })
    }

    fn sync(&mut self, file: &str) -> io::Result<()> {
        self.with(file, |_| ())
    }

    fn sync_folder(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn delete(&mut self, file: &str) -> io::Result<()> {
        let gone = self.0.borrow_mut().remove(file);
        gone.map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn truncate(&mut self, file: &str, length: u64) -> io::Result<()> {
        self.with(file, |content| content.truncate(length as usize))
    }

    fn length(&mut self, file: &str) -> io::Result<u64> {
        self.with(file, |content| content.len() as u64)
    }

    fn read_at(&mut self, file: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(file, |content| {
            let rest = content.get(at as usize..).unwrap_or_default();
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            count
        })
    }

    fn place(&self, file: &str) -> String {
        file.to_owned()
    }
}
