//! What the spool was asked and what it said, and so what it has to tell.

use std::collections::{BTreeMap, BTreeSet};

use mediapackage2mqtt::engine::spooling::Seq;
use mediapackage2mqtt::sns::spool::keeper::Spool;

use super::records::{SMALL, batch, decode, id, record, told};
use super::sim::Sim;

#[derive(Default)]
pub struct Truth {
    /// Every append, kept or not. A number that was refused may be used once more after a
    /// restart, and either record may turn up as long as none was told as stored.
    tried: BTreeSet<(Seq, Vec<u8>)>,
    /// What was told as stored, or as pending, and is to be told again.
    owed: BTreeMap<Seq, Vec<u8>>,
    /// Largest number that was ever owed.
    highest: Seq,
    /// Everything up to here was released, and nothing went wrong with it since the power was
    /// last lost.
    surely_released: Seq,
    next: Seq,
    next_id: u64,
}

impl Truth {
    /// Appends records of these sizes; returns whether all are safe.
    pub fn append(&mut self, sim: &Sim, spool: &mut Spool<Sim>, fillers: &[usize]) -> bool {
        let mut records = Vec::new();
        for filler in fillers {
            self.next_id += 1;
            records.push((self.next, record(self.next_id, *filler)));
            self.next += 1;
        }
        for (seq, _) in &records {
            assert!(*seq > self.highest, "{seq} again");
        }
        self.tried.extend(records.iter().cloned());
        let mut answered = BTreeSet::new();
        let mut is_safe = true;
        for stored in spool.append(&batch(records.iter().cloned())) {
            for seq in &stored.seqs {
                assert!(answered.insert(*seq), "{seq} was answered twice");
            }
            is_safe &= stored.result.is_ok();
            // What a dead process says nobody hears.
            if stored.result.is_ok() && !sim.is_dead() {
                let is_stored = |(seq, _): &&(Seq, Vec<u8>)| stored.seqs.contains(seq);
                self.owe(records.iter().filter(is_stored).cloned());
            }
        }
        assert_eq!(answered.len(), records.len(), "an append was not answered");
        is_safe
    }

    fn owe(&mut self, records: impl IntoIterator<Item = (Seq, Vec<u8>)>) {
        self.owed.extend(records);
        let newest = self.owed.last_key_value().map_or(0, |(seq, _)| *seq);
        self.highest = self.highest.max(newest);
    }

    /// Releases about this part of what is owed, in percent.
    pub fn release(&mut self, sim: &Sim, spool: &mut Spool<Sim>, percent: usize) {
        let count = self.owed.len() * percent / 100;
        let Some(up_to) = self.owed.keys().copied().take(count).next_back() else {
            return;
        };
        let failures = sim.failures();
        spool.release(up_to);
        self.owed.retain(|seq, _| *seq > up_to);
        if sim.failures() == failures {
            self.surely_released = up_to;
        }
    }

    /// Sets the oldest and the newest that are owed aside.
    pub fn set_aside(&mut self, spool: &mut Spool<Sim>) {
        let ends = [self.owed.first_key_value(), self.owed.last_key_value()];
        for (seq, _) in ends.into_iter().flatten() {
            spool.set_aside(*seq, "a test");
        }
    }

    /// Starts on what a crash left, and holds what is told against what is owed.
    pub fn restart(&mut self, sim: &Sim, lost_power: bool) -> Spool<Sim> {
        if lost_power {
            self.surely_released = 0;
        }
        let mut spool = Spool::new(sim.clone(), SMALL);
        self.reopen(sim, &mut spool).unwrap();
        spool
    }

    /// Opens, where the disk allows it.
    pub fn reopen(&mut self, sim: &Sim, spool: &mut Spool<Sim>) -> Result<(), String> {
        let opened = spool.open(&decode)?;
        if sim.is_dead() {
            return Err("nobody hears it".to_owned());
        }
        assert!(
            opened.next > self.highest,
            "{opened:?}: {} was used",
            self.highest
        );
        self.next = opened.next;
        let told = sim.calmly(|| self.check(spool));
        let with_id = |(seq, record): &(Seq, Vec<u8>)| (*seq, id(record).unwrap());
        let pending: Vec<_> = told.iter().map(with_id).collect();
        assert_eq!(opened.pending, pending);
        let seqs: Vec<Seq> = told.iter().map(|(seq, _)| *seq).collect();
        assert!(seqs.iter().all(|seq| *seq < opened.next), "{opened:?}");
        // Repeats of these are answered 200 from now on.
        self.owe(told);
        Ok(())
    }

    /// Reads everything: nothing that is owed is missing, nothing is invented.
    pub fn check(&self, spool: &mut Spool<Sim>) -> Vec<(Seq, Vec<u8>)> {
        let mut all: Vec<(Seq, Vec<u8>)> = Vec::new();
        loop {
            let from = all.last().map_or(0, |(seq, _)| seq + 1);
            let some = told(spool.read(from, &decode));
            if some.is_empty() {
                break;
            }
            assert!(some.len() <= SMALL.read_records_max);
            all.extend(some.into_iter().map(|(seq, record)| (seq, record.unwrap())));
        }
        assert!(all.is_sorted_by_key(|(seq, _)| *seq), "not in order");
        for told in &all {
            assert!(self.tried.contains(told), "{} is invented", told.0);
            assert!(told.0 > self.surely_released, "{} was released", told.0);
        }
        let seqs: BTreeSet<Seq> = all.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs.len(), all.len(), "a number was told twice");
        for (seq, record) in &self.owed {
            let told = all.iter().find(|(told, _)| told == seq);
            let told = told.map(|(_, record)| record);
            assert_eq!(told, Some(record), "{seq} was lost; there is {seqs:?}");
        }
        all
    }
}
