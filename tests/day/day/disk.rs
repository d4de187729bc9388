//! The state folder: a disk in memory that outlives the agent, and may be full.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use pure::engine::spooling::{SpoolEvent, SpoolRequest};
use pure::sns::accepted::Accepted;
use pure::sns::spool::Limits;
use pure::sns::spool::keeper::Spool;
use pure::sns::spool::storage::Storage;
use pure::state::push::Notice;

#[derive(Clone, Default)]
pub struct Disk(Rc<RefCell<Inside>>);

#[derive(Default)]
struct Inside {
    files: BTreeMap<String, Vec<u8>>,
    full: bool,
}

impl Disk {
    pub fn fill(&self, full: bool) {
        self.0.borrow_mut().full = full;
    }

    fn room(&self) -> io::Result<()> {
        match self.0.borrow().full {
            true => Err(ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn with<T>(&self, file: &str, act: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut inside = self.0.borrow_mut();
        let bytes = inside.files.get_mut(file);
        Ok(act(bytes.ok_or(ErrorKind::NotFound)?))
    }
}

impl Storage for Disk {
    fn make_folder(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn list(&mut self, folder: &str) -> io::Result<Vec<String>> {
        let inside = self.0.borrow();
        let below = |name: &String| match folder {
            "" => Some(name.clone()),
            _ => Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned()),
        };
        let names = inside.files.keys().filter_map(below);
        Ok(names.filter(|name| !name.contains('/')).collect())
    }

    fn create(&mut self, file: &str) -> io::Result<()> {
        self.room()?;
        match self
            .0
            .borrow_mut()
            .files
            .insert(file.to_owned(), Vec::new())
        {
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
            None => Ok(()),
        }
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()> {
        self.room()?;
        self.with(file, |held| held.extend(bytes))
    }

    fn write_at(&mut self, file: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.room()?;
        self.0
            .borrow_mut()
            .files
            .entry(file.to_owned())
            .or_default();
        let at = at as usize;
        self.with(file, |held| {
            held.resize(held.len().max(at + bytes.len()), 0);
            held[at..at + bytes.len()].copy_from_slice(bytes);
        })
    }

    fn sync(&mut self, file: &str) -> io::Result<()> {
        self.with(file, |_| ())
    }

    fn sync_folder(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn delete(&mut self, file: &str) -> io::Result<()> {
        let gone = self.0.borrow_mut().files.remove(file);
        gone.map(|_| ()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn truncate(&mut self, file: &str, length: u64) -> io::Result<()> {
        self.with(file, |held| held.resize(length as usize, 0))
    }

    fn length(&mut self, file: &str) -> io::Result<u64> {
        self.with(file, |held| held.len() as u64)
    }

    fn read_at(&mut self, file: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(file, |held| {
            let rest = held.get(at as usize..).unwrap_or_default();
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            count
        })
    }

    fn place(&self, file: &str) -> String {
        file.to_owned()
    }
}

/// The agent's spool on it, as its thread serves it.
pub struct Shelf(Spool<Disk>);

fn decode(record: &[u8]) -> Option<Notice> {
    Accepted::decode(record).map(|message| message.notice())
}

impl Shelf {
    /// What it says first is told by [`Shelf::open`].
    pub fn on(disk: &Disk) -> Shelf {
        Shelf(Spool::new(disk.clone(), Limits::default()))
    }

    pub fn open(&mut self) -> SpoolEvent {
        SpoolEvent::Opened(self.0.open(&decode))
    }

    pub fn carry_out(&mut self, request: SpoolRequest) -> Vec<SpoolEvent> {
        match request {
            SpoolRequest::Append { seq, record } => self.append(seq, record),
            SpoolRequest::Open if !self.0.is_open() => {
                let opened = self.0.open(&decode);
                opened
                    .ok()
                    .map(|opened| SpoolEvent::Opened(Ok(opened)))
                    .into_iter()
                    .collect()
            }
            SpoolRequest::Open => Vec::new(),
            SpoolRequest::Read { from } => vec![SpoolEvent::Read(self.0.read(from, &decode))],
            SpoolRequest::Release { up_to } => {
                self.0.release(up_to);
                Vec::new()
            }
            SpoolRequest::SetAside { seq } => {
                self.0.set_aside(seq, "the broker does not take it");
                Vec::new()
            }
        }
    }

    fn append(&mut self, seq: u64, record: std::sync::Arc<[u8]>) -> Vec<SpoolEvent> {
        let mut told = Vec::new();
        if !self.0.is_open() {
            match self.0.open(&decode) {
                Ok(opened) => told.push(SpoolEvent::Opened(Ok(opened))),
                Err(why) => {
                    let result = Err(why);
                    return vec![SpoolEvent::Stored {
                        seqs: vec![seq],
                        result,
                    }];
                }
            }
        }
        let stored = self.0.append(&[(seq, record)]).into_iter();
        told.extend(stored.map(|s| SpoolEvent::Stored {
            seqs: s.seqs,
            result: s.result,
        }));
        told
    }
}
