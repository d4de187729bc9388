//! A disk that fails, dies and loses power as it is told.
//!
//! What is not synced is a list of operations. At a power loss each of them may have reached
//! the disk or not, whatever its order, and the part that did may be torn. A sync that fails
//! drops what it does not write, and a later one does not bring it back (as Linux does). Names
//! are not dropped: file systems keep them in a journal, and stop where that cannot be written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use fastrand::Rng;
use mediapackage2mqtt::sns::spool::storage::Storage;

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Well,
    Fails(ErrorKind),
    /// It may be half done, and nothing is done after it.
    Dies,
}

/// Gets the number of the operation, its name and the file.
type Plan = Box<dyn FnMut(usize, &str, &str) -> Fate>;

#[derive(Clone)]
pub struct Sim(Rc<RefCell<World>>);

struct World {
    rng: Rng,
    plan: Plan,
    is_dead: bool,
    /// Of every operation since the last start.
    log: Vec<String>,
    failures: usize,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// A name, and what it stands for after the operation.
    name_changes: Vec<(String, Option<usize>)>,
}

#[derive(Default)]
struct Inode {
    cached: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write(at, bytes) => {
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Cut(length) => to.resize(*length, 0),
        }
    }

    /// What of it reaches the disk when nobody waits for it. Where a write has a hole there is
    /// what was there before, or zeros.
    fn perhaps(&self, rng: &mut Rng) -> Vec<Change> {
        match (self, rng.u8(..4)) {
            (_, 0) => Vec::new(),
            (Change::Write(at, bytes), 2..) => {
                let from = rng.usize(..=bytes.len());
                let to = rng.usize(from..=bytes.len());
                let before = Change::Write(*at, bytes[..from].to_vec());
                let behind = Change::Write(at + to, bytes[to..].to_vec());
                vec![before, behind]
            }
            _ => vec![self.clone()],
        }
    }
}

impl Sim {
    pub fn new(seed: u64) -> Sim {
        Sim(Rc::new(RefCell::new(World {
            rng: Rng::with_seed(seed),
            plan: Box::new(|_, _, _| Fate::Well),
            is_dead: false,
            log: Vec::new(),
            failures: 0,
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
        })))
    }

    /// From now on operations, counted from 0, go as `plan` says.
    pub fn plan(&self, plan: impl FnMut(usize, &str, &str) -> Fate + 'static) {
        let mut world = self.0.borrow_mut();
        world.plan = Box::new(plan);
        world.log.clear();
    }

    pub fn heal(&self) {
        self.plan(|_, _, _| Fate::Well);
    }

    /// Does something to which the plan does not apply, and which does not count.
    pub fn calmly<T>(&self, act: impl FnOnce() -> T) -> T {
        let well: Plan = Box::new(|_, _, _| Fate::Well);
        let plan = std::mem::replace(&mut self.0.borrow_mut().plan, well);
        let count = self.0.borrow().log.len();
        let done = act();
        let mut world = self.0.borrow_mut();
        world.plan = plan;
        world.log.truncate(count);
        done
    }

    pub fn is_dead(&self) -> bool {
        self.0.borrow().is_dead
    }

    /// How many operations went wrong, ever.
    pub fn failures(&self) -> usize {
        self.0.borrow().failures
    }

    /// What was done since the plan was made.
    pub fn log(&self) -> Vec<String> {
        self.0.borrow().log.clone()
    }

    pub fn names(&self) -> Vec<String> {
        self.0.borrow().names.keys().cloned().collect()
    }

    pub fn content(&self, file: &str) -> Vec<u8> {
        let world = self.0.borrow();
        world.inodes[world.names[file]].cached.clone()
    }

    /// As if somebody changed it behind the spool's back.
    pub fn damage(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.0.borrow_mut();
        let at = world.names[file];
        let inode = &mut world.inodes[at];
        change(&mut inode.cached);
        inode.durable = inode.cached.clone();
        inode.changes.clear();
    }

    /// The process ends; the kernel keeps what it has.
    pub fn kill(&self) {
        self.heal();
        self.0.borrow_mut().is_dead = false;
    }

    pub fn lose_power(&self) {
        self.kill();
        self.0.borrow_mut().lose_power();
    }
}

impl World {
    fn begin(&mut self, what: &str, file: &str) -> Fate {
        if self.is_dead {
            return Fate::Fails(ErrorKind::Other);
        }
        let number = self.log.len();
        self.log.push(format!("{what} {file}"));
        let fate = (self.plan)(number, what, file);
        self.failures += usize::from(fate != Fate::Well);
        self.is_dead = fate == Fate::Dies;
        fate
    }

    fn find(&self, file: &str) -> io::Result<usize> {
        self.names
            .get(file)
            .copied()
            .ok_or(ErrorKind::NotFound.into())
    }

    fn change(&mut self, at: usize, change: Change) {
        let inode = &mut self.inodes[at];
        change.apply(&mut inode.cached);
        inode.changes.push(change);
    }

    fn rename(&mut self, file: &str, to: Option<usize>) {
        match to {
            Some(at) => self.names.insert(file.to_owned(), at),
            None => self.names.remove(file),
        };
        self.name_changes.push((file.to_owned(), to));
    }

    /// Writes, or a part of it where that is its fate.
    fn write(&mut self, fate: Fate, at: usize, place: usize, bytes: &[u8]) -> io::Result<()> {
        let done = match fate {
            Fate::Well => bytes.len(),
            _ if self.is_dead || self.rng.bool() => self.rng.usize(..=bytes.len()),
            _ => 0,
        };
        self.change(at, Change::Write(place, bytes[..done].to_vec()));
        result(fate)
    }

    fn sync(&mut self, fate: Fate, at: usize) -> io::Result<()> {
        if fate == Fate::Dies {
            return result(fate);
        }
        let inode = &mut self.inodes[at];
        for change in std::mem::take(&mut inode.changes) {
            let done = match fate {
                Fate::Well => vec![change],
                _ => change.perhaps(&mut self.rng),
            };
            for change in done {
                change.apply(&mut inode.durable);
            }
        }
        result(fate)
    }

    fn sync_names(&mut self, fate: Fate, folder: &str) -> io::Result<()> {
        if fate != Fate::Well {
            return result(fate);
        }
        let (mine, others) = std::mem::take(&mut self.name_changes)
            .into_iter()
            .partition(|(name, _)| parent(name) == folder);
        self.name_changes = others;
        self.keep_names(mine, false);
        result(fate)
    }

    /// Makes changes of names durable. Of each name the changes come in their order; where it
    /// is left to chance, some of the last are missing.
    fn keep_names(&mut self, changes: Vec<(String, Option<usize>)>, by_chance: bool) {
        let mut by_name: BTreeMap<String, Vec<Option<usize>>> = BTreeMap::new();
        for (name, to) in changes {
            by_name.entry(name).or_default().push(to);
        }
        for (name, changes) in by_name {
            let kept = match by_chance {
                true => self.rng.usize(..=changes.len()),
                false => changes.len(),
            };
            match changes[..kept].last() {
                Some(Some(at)) => drop(self.durable_names.insert(name, *at)),
                Some(None) => drop(self.durable_names.remove(&name)),
                None => {}
            }
        }
    }

    fn lose_power(&mut self) {
        let changes = std::mem::take(&mut self.name_changes);
        self.keep_names(changes, true);
        self.names = self.durable_names.clone();
        for inode in &mut self.inodes {
            for change in std::mem::take(&mut inode.changes) {
                for change in change.perhaps(&mut self.rng) {
                    change.apply(&mut inode.durable);
                }
            }
            inode.cached = inode.durable.clone();
        }
    }
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn result(fate: Fate) -> io::Result<()> {
    match fate {
        Fate::Well => Ok(()),
        Fate::Fails(kind) => Err(kind.into()),
        Fate::Dies => Err(io::Error::other("dead")),
    }
}

impl Storage for Sim {
    fn make_folder(&mut self, folder: &str) -> io::Result<()> {
        result(self.0.borrow_mut().begin("make_folder", folder))
    }

    fn list(&mut self, folder: &str) -> io::Result<Vec<String>> {
        let mut world = self.0.borrow_mut();
        result(world.begin("list", folder))?;
        let inside = world.names.keys().filter(|name| parent(name) == folder);
        let short = |name: &String| name.rsplit('/').next().unwrap().to_owned();
        let mut names: Vec<String> = inside.map(short).collect();
        world.rng.shuffle(&mut names);
        Ok(names)
    }

    fn create(&mut self, file: &str) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let fate = world.begin("create", file);
        if world.names.contains_key(file) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // It may be made all the same.
        if fate == Fate::Well || world.rng.bool() {
            world.inodes.push(Inode::default());
            let at = world.inodes.len() - 1;
            world.rename(file, Some(at));
        }
        result(fate)
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let fate = world.begin("append", file);
        let at = world.find(file)?;
        let end = world.inodes[at].cached.len();
        world.write(fate, at, end, bytes)
    }

    fn write_at(&mut self, file: &str, place: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let fate = world.begin("write_at", file);
        if world.find(file).is_err() {
            world.inodes.push(Inode::default());
            let at = world.inodes.len() - 1;
            world.rename(file, Some(at));
        }
        let at = world.find(file)?;
        world.write(fate, at, place as usize, bytes)
    }

    fn sync(&mut self, file: &str) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let fate = world.begin("sync", file);
        let at = world.find(file)?;
        world.sync(fate, at)
    }

    fn sync_folder(&mut self, folder: &str) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let fate = world.begin("sync_folder", folder);
        world.sync_names(fate, folder)
    }

    fn delete(&mut self, file: &str) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let fate = world.begin("delete", file);
        world.find(file)?;
        if fate == Fate::Well || world.is_dead && world.rng.bool() {
            world.rename(file, None);
        }
        result(fate)
    }

    fn truncate(&mut self, file: &str, length: u64) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let fate = world.begin("truncate", file);
        let at = world.find(file)?;
        if fate == Fate::Well {
            world.change(at, Change::Cut(length as usize));
        }
        result(fate)
    }

    fn length(&mut self, file: &str) -> io::Result<u64> {
        let mut world = self.0.borrow_mut();
        result(world.begin("length", file))?;
        let at = world.find(file)?;
        Ok(world.inodes[at].cached.len() as u64)
    }

    fn read_at(&mut self, file: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut world = self.0.borrow_mut();
        result(world.begin("read_at", file))?;
        let inode = world.find(file)?;
        let content = &world.inodes[inode].cached;
        let rest = content.get(at as usize..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn place(&self, file: &str) -> String {
        format!("/sim/{file}")
    }
}
