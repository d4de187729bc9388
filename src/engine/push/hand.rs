//! Messages whose publications are under way.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::outbox::Once;
use super::super::spooling::{Seq, SpoolRequest};
use super::super::{Effect, Engine, Now};
use crate::state::push::{DeliveryId, MessageId};
use crate::state::time::Mono;
use crate::topics::Topic;
use crate::topics::memory::Listed;

/// Messages in hand at the most.
const IN_HAND_MAX: usize = 256;
/// Bytes of their records at the most; one message always has room.
const IN_HAND_BYTES_MAX: usize = 4 << 20;
/// A message that was under way when so many sessions ended goes out alone.
const SESSIONS_BEFORE_ALONE: u32 = 2;
/// A message that was under way when so many sessions ended is set aside.
const SESSIONS_MAX: u32 = 5;

/// Where the spool's copy of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copy {
    /// There is none.
    None,
    /// It is being written.
    Asked(Seq),
    /// It is safe.
    Safe(Seq),
}

/// A message in hand.
#[derive(Debug)]
pub struct Entry {
    id: MessageId,
    /// Deliveries that wait for it to be safe.
    waiting: Vec<DeliveryId>,
    /// When it goes to the spool, unless the broker has taken it.
    until: Option<Mono>,
    record: Option<Arc<[u8]>>,
    bytes: usize,
    copy: Copy,
    /// Publications told once that the broker has not taken.
    pub once: Vec<u64>,
    /// Retained topics that the broker does not hold as they are now.
    pub topics: Vec<Topic>,
    /// Of the event that it tells.
    pub event_id: Option<MessageId>,
    /// Its entry in `sns/messages`, for when the broker has taken the rest.
    pub listed: Option<Listed>,
    /// Sessions that ended while it was under way.
    sessions: u32,
}

impl Entry {
    fn new(id: MessageId) -> Entry {
        Entry {
            id,
            waiting: Vec::new(),
            until: None,
            record: None,
            bytes: 0,
            copy: Copy::None,
            once: Vec::new(),
            topics: Vec::new(),
            event_id: None,
            listed: None,
            sessions: 0,
        }
    }

    /// A message that has just come.
    ///
    /// `until` is when the spool keeps it besides, where it ever does.
    pub fn arrived(
        id: MessageId,
        delivery: DeliveryId,
        record: Arc<[u8]>,
        until: Option<Mono>,
    ) -> Entry {
        Entry {
            waiting: vec![delivery],
            until,
            bytes: record.len(),
            record: Some(record),
            ..Entry::new(id)
        }
    }

    /// A message that the spool cannot keep, for only the broker does.
    pub fn unspooled(id: MessageId, delivery: DeliveryId, until: Mono) -> Entry {
        Entry {
            waiting: vec![delivery],
            until: Some(until),
            ..Entry::new(id)
        }
    }

    /// A message that the spool keeps, of this length.
    pub fn spooled(id: MessageId, seq: Seq, bytes: usize) -> Entry {
        Entry {
            copy: Copy::Safe(seq),
            bytes,
            ..Entry::new(id)
        }
    }

    /// Whether the spool keeps it: it would survive a power loss.
    pub fn is_safe(&self) -> bool {
        matches!(self.copy, Copy::Safe(_))
    }

    /// One more delivery of the same message waits for it.
    pub fn wait_for(&mut self, delivery: DeliveryId, until: Option<Mono>) {
        self.waiting.push(delivery);
        if self.copy == Copy::None {
            self.until = self.until.or(until);
        }
    }

    fn seq(&self) -> Option<Seq> {
        match self.copy {
            Copy::None => None,
            Copy::Asked(seq) | Copy::Safe(seq) => Some(seq),
        }
    }
}

/// All messages in hand, in the order they were taken.
#[derive(Debug, Default)]
pub struct Hand {
    entries: BTreeMap<u64, Entry>,
    by_message: HashMap<MessageId, u64>,
    by_once: HashMap<u64, u64>,
    bytes: usize,
    taken: u64,
}

impl Hand {
    pub fn has_room(&self, bytes: usize) -> bool {
        let fits = self.bytes + bytes <= IN_HAND_BYTES_MAX || self.entries.is_empty();
        self.entries.len() < IN_HAND_MAX && fits
    }

    pub fn is_half_empty(&self) -> bool {
        self.entries.len() < IN_HAND_MAX / 2 && self.bytes < IN_HAND_BYTES_MAX / 2
    }

    pub fn holds(&self, seq: Seq) -> bool {
        self.entries.values().any(|entry| entry.seq() == Some(seq))
    }

    /// The smallest number of a spooled message in hand.
    pub fn first_seq(&self) -> Option<Seq> {
        self.entries.values().filter_map(Entry::seq).min()
    }

    pub fn entry_of(&mut self, id: MessageId) -> Option<&mut Entry> {
        let order = self.by_message.get(&id)?;
        self.entries.get_mut(order)
    }

    pub fn insert(&mut self, entry: Entry) {
        self.taken += 1;
        self.bytes += entry.bytes;
        self.by_message.insert(entry.id, self.taken);
        let of_entry = entry.once.iter().map(|number| (*number, self.taken));
        self.by_once.extend(of_entry);
        self.entries.insert(self.taken, entry);
    }

    fn remove(&mut self, order: u64) -> Option<Entry> {
        let entry = self.entries.remove(&order)?;
        self.bytes -= entry.bytes;
        self.by_message.remove(&entry.id);
        for number in &entry.once {
            self.by_once.remove(number);
        }
        Some(entry)
    }

    pub fn is_awaited(&self, number: u64) -> bool {
        self.by_once.contains_key(&number)
    }

    pub fn is_suspect(&self, number: u64) -> bool {
        let entry = self.by_once.get(&number);
        let entry = entry.and_then(|order| self.entries.get(order));
        entry.is_some_and(|entry| entry.sessions >= SESSIONS_BEFORE_ALONE)
    }

    /// When the next message has waited long enough for the broker.
    pub fn deadline(&self) -> Option<Mono> {
        self.entries.values().filter_map(|entry| entry.until).min()
    }

    /// A publication told once has been taken.
    pub fn acknowledged(&mut self, number: u64) {
        let Some(order) = self.by_once.remove(&number) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(&order) {
            entry.once.retain(|other| *other != number);
        }
    }

    /// Notes what was under way when a session ended.
    pub fn session_over<'a>(&mut self, under_way: impl Iterator<Item = &'a u64>, now: Mono) {
        let orders = under_way.filter_map(|number| self.by_once.get(number));
        let orders: std::collections::BTreeSet<u64> = orders.copied().collect();
        for order in orders {
            if let Some(entry) = self.entries.get_mut(&order) {
                entry.sessions += 1;
            }
        }
        // There is nobody left to wait for.
        for entry in self.entries.values_mut() {
            entry.until = entry.until.map(|_| now);
        }
    }

    /// The spool turns out to hold this message. Deliveries that are answered by that; `None`
    /// when it is not in hand.
    pub fn found(&mut self, id: MessageId, seq: Seq) -> Option<Vec<DeliveryId>> {
        let entry = self.entry_of(id).filter(|entry| !entry.is_safe())?;
        (entry.copy, entry.until, entry.record) = (Copy::Safe(seq), None, None);
        Some(std::mem::take(&mut entry.waiting))
    }

    /// The spool has kept these, or not. Deliveries that are answered by that.
    pub fn stored(&mut self, seq: Seq, good: bool) -> Vec<DeliveryId> {
        let mut entries = self.entries.values_mut();
        let Some(entry) = entries.find(|entry| entry.copy == Copy::Asked(seq)) else {
            return Vec::new();
        };
        if good {
            // Its publications take as much room as the record did.
            entry.copy = Copy::Safe(seq);
            entry.record = None;
        } else {
            entry.copy = Copy::None;
        }
        std::mem::take(&mut entry.waiting)
    }
}

impl Engine {
    pub(super) fn advance_hand(&mut self, now: Now) {
        self.finish_taken(now);
        self.set_poison_aside(now);
        let due: Vec<u64> = {
            let entries = self.pushes.hand.entries.iter();
            let due = entries.filter(|(_, entry)| entry.until.is_some_and(|at| at <= now.mono));
            due.map(|(order, _)| *order).collect()
        };
        for order in due {
            self.spool_besides(now, order);
        }
    }

    /// Answers what the broker has taken whole.
    fn finish_taken(&mut self, now: Now) {
        let mut taken = Vec::new();
        // Without a session nothing is known of what the broker holds.
        let connected = self.broker.connected;
        for (order, entry) in &mut self.pushes.hand.entries {
            if connected {
                entry.topics.retain(|topic| self.outbox.is_pending(topic));
            }
            if entry.once.is_empty() && entry.topics.is_empty() {
                taken.push(*order);
            }
        }
        for order in taken {
            let Some(entry) = self.pushes.hand.remove(order) else {
                continue;
            };
            let seq = entry.seq();
            self.pushes.repeats.insert(entry.id, now.mono);
            if let Some(listed) = entry.listed {
                self.pushes.list(listed);
            }
            for delivery in entry.waiting {
                self.answer(now, delivery);
            }
            if let Some(seq) = seq {
                self.delivered(seq);
            }
        }
    }

    /// The broker takes too long: the spool keeps the message besides.
    fn spool_besides(&mut self, now: Now, order: u64) {
        let seq = self.pushes.shelf.take_number();
        let Some(entry) = self.pushes.hand.entries.get_mut(&order) else {
            return;
        };
        entry.until = None;
        match (seq, &entry.record) {
            (Some(seq), Some(record)) => {
                entry.copy = Copy::Asked(seq);
                let record = record.clone();
                let request = SpoolRequest::Append { seq, record };
                self.effects.push(Effect::Spool(request));
            }
            // It stays in hand, and goes out when the broker lets it.
            _ => {
                for delivery in std::mem::take(&mut entry.waiting) {
                    self.refuse_push(now, delivery, None);
                }
            }
        }
    }

    /// What ends one session after the other would keep all that is behind it waiting.
    fn set_poison_aside(&mut self, now: Now) {
        let is_poison = |entry: &Entry| match entry.copy {
            _ if entry.sessions < SESSIONS_MAX => false,
            Copy::Safe(_) => true,
            Copy::Asked(_) => false,
            // The spool would not have it, or the queue has it; nobody was told that it is safe.
            Copy::None => entry.until.is_none() && entry.waiting.iter().all(is_queued),
        };
        let mut entries = self.pushes.hand.entries.iter();
        let found = entries.find(|(_, entry)| is_poison(entry));
        let Some(order) = found.map(|(order, _)| *order) else {
            return;
        };
        let Some(entry) = self.pushes.hand.remove(order) else {
            return;
        };
        self.happenings
            .retain(|(number, _): &(u64, Once)| !entry.once.contains(number));
        let (id, seq) = (entry.id, entry.seq());
        if let Some(event_id) = entry.event_id {
            self.pushes.events.forget(event_id);
        }
        let what = match (seq, entry.waiting.is_empty()) {
            (Some(_), _) => "set aside in the state folder",
            (None, true) => {
                "given up; the spool did not take it, and AWS was not told that it is safe"
            }
            (None, false) => "left in the queue, which gives it again",
        };
        self.log(
            log::Level::Error,
            format!(
                "message {id} could not be delivered in {SESSIONS_MAX} sessions with the broker; \
                 it is {what}"
            ),
        );
        for delivery in entry.waiting {
            if let DeliveryId::Queued(number) = delivery {
                let random = self.rng.f64();
                self.pushes.queue.undeliverable(number, now, random);
                self.told.agent_changed = true;
            }
        }
        if let Some(seq) = seq {
            self.effects
                .push(Effect::Spool(SpoolRequest::SetAside { seq }));
            self.delivered(seq);
        }
    }

    /// The process stops: AWS shall come again with what is not safe. A message of the queue is
    /// deleted if the broker takes it in the time that is left.
    pub(in crate::engine) fn answer_before_stop(&mut self, now: Now) {
        let entries = self.pushes.hand.entries.values_mut();
        let mut waiting: Vec<DeliveryId> = entries
            .flat_map(|entry| {
                entry.until = None;
                let (queued, requests) = entry.waiting.drain(..).partition(is_queued);
                entry.waiting = queued;
                let requests: Vec<DeliveryId> = requests;
                requests
            })
            .collect();
        waiting.extend(self.pushes.shelf.give_up());
        let confirming = std::mem::take(&mut self.pushes.confirming);
        waiting.extend(
            confirming
                .into_values()
                .flat_map(super::Confirming::give_up),
        );
        for delivery in waiting {
            self.refuse_push(now, delivery, None);
        }
        self.pushes.queue.give_up();
    }
}

fn is_queued(delivery: &DeliveryId) -> bool {
    matches!(delivery, DeliveryId::Queued(_))
}
