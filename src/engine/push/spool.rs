//! What of the spool is known here: what is being written, what waits there, what may go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::spooling::{Opened, Seq, SpoolEvent, SpoolRequest, Spooled};
use super::super::{Effect, Engine, Now};
use super::hand::Entry;
use crate::state::push::{DeliveryId, MessageId, Notice};
use crate::state::time::Mono;

/// What the log calls trouble with it.
const SPOOL: &str = "the spool";
/// So many delivered messages are released at a time, unless none is left.
const RELEASED_AT_ONCE: u64 = 64;

/// A spool that could not be opened is tried again after this long, also when nothing is to be
/// kept: it may hold messages from before.
const OPEN_AGAIN: Duration = Duration::from_secs(60);
/// What the disk could not read is tried again after this long.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// Messages that go past the broker and are being written at the most: a disk that hangs shall
/// not fill the memory.
const WRITING_MAX: usize = 128;
/// Records asked to be written and not answered for at the most, those in hand too. With them
/// comes a bounded number of other requests, so that the spool's channel always has room.
const ASKED_MAX: usize = 384;

/// A message that is being written.
#[derive(Debug)]
struct Writing {
    id: MessageId,
    waiting: Vec<DeliveryId>,
    topic_arn: Option<String>,
}

/// The engine's view of the spool.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The next number; `None` until the spool is open.
    next: Option<Seq>,
    /// When it is tried again to open it.
    open_at: Option<Mono>,
    writing: BTreeMap<Seq, Writing>,
    /// Records that were asked to be written and not answered for.
    asked: usize,
    /// The largest number that waits to be read, or has been read.
    last: Seq,
    reading: bool,
    read_from: Seq,
    /// Nothing is read before, where the disk could not be read.
    read_at: Option<Mono>,
    /// Delivered before they were read back.
    ahead: BTreeSet<Seq>,
    released: Seq,
    /// Why it cannot keep anything.
    pub fault: Option<String>,
}

impl Shelf {
    /// Whether messages wait that are older than one that comes now.
    pub fn has_older(&self) -> bool {
        self.has_unread() || !self.writing.is_empty()
    }

    /// Whether they are waited for. What cannot be read now keeps nothing else waiting.
    pub fn goes_first(&self) -> bool {
        self.has_older() && self.read_at.is_none()
    }

    fn has_unread(&self) -> bool {
        self.last > 0 && self.read_from <= self.last
    }

    /// When the disk is to be tried again.
    pub fn deadline(&self) -> Option<Mono> {
        [self.read_at, self.open_at].into_iter().flatten().min()
    }

    /// Names a record that is about to be written; `None` when there is no room for it.
    pub fn take_number(&mut self) -> Option<Seq> {
        if self.asked >= ASKED_MAX {
            return None;
        }
        let next = self.next.as_mut()?;
        self.asked += 1;
        *next += 1;
        Some(*next - 1)
    }

    /// One more delivery waits for a message that is being written. False when there is none.
    pub fn wait_for(&mut self, id: MessageId, delivery: DeliveryId) -> bool {
        let writing = self.writing.values_mut().find(|w| w.id == id);
        writing.map(|w| w.waiting.push(delivery)).is_some()
    }

    /// Deliveries that wait, when nothing will be written any more.
    pub fn give_up(&mut self) -> Vec<DeliveryId> {
        let writing = std::mem::take(&mut self.writing);
        writing.into_values().flat_map(|w| w.waiting).collect()
    }
}

impl Engine {
    /// Sends a message to the spool, past the broker.
    pub(super) fn shelve(
        &mut self,
        now: Now,
        delivery: DeliveryId,
        id: MessageId,
        topic_arn: Option<String>,
        record: std::sync::Arc<[u8]>,
    ) {
        let shelf = &mut self.pushes.shelf;
        let has_room = shelf.writing.len() < WRITING_MAX;
        let seq = has_room.then(|| shelf.take_number()).flatten();
        let Some(seq) = seq else {
            self.refuse_push(now, delivery, topic_arn);
            return;
        };
        let waiting = vec![delivery];
        let writing = Writing {
            id,
            waiting,
            topic_arn,
        };
        self.pushes.shelf.writing.insert(seq, writing);
        let request = SpoolRequest::Append { seq, record };
        self.effects.push(Effect::Spool(request));
    }

    pub(in crate::engine) fn spool_event(&mut self, now: Now, event: SpoolEvent) {
        match event {
            SpoolEvent::Opened(Ok(opened)) => self.spool_opened(now, opened),
            SpoolEvent::Opened(Err(why)) => {
                // With the next message it is tried again, and after a while.
                self.pushes.shelf.next.get_or_insert(1);
                self.pushes.shelf.open_at = Some(now.mono.after(OPEN_AGAIN));
                self.spool_failed(now, why);
            }
            SpoolEvent::Stored { seqs, result } => {
                let good = result.is_ok();
                match result {
                    Ok(()) => self.spool_works(now),
                    Err(why) => self.spool_failed(now, why),
                }
                seqs.into_iter().for_each(|seq| self.stored(now, seq, good));
            }
            SpoolEvent::Read(records) => self.read_back(now, records),
        }
    }

    fn spool_opened(&mut self, now: Now, opened: Opened) {
        self.spool_works(now);
        let shelf = &mut self.pushes.shelf;
        shelf.open_at = None;
        shelf.next = Some(opened.next.max(shelf.next.unwrap_or_default()));
        // What came again before the spool was open may have been told, or be under way.
        for (seq, id) in &opened.pending {
            if let Some(waiting) = self.pushes.hand.found(*id, *seq) {
                waiting.into_iter().for_each(|one| self.answer(now, one));
            } else if self.pushes.repeats.contains(*id, now.mono) {
                self.pushes.shelf.ahead.insert(*seq);
            }
            self.pushes.repeats.insert(*id, now.mono);
        }
        let shelf = &mut self.pushes.shelf;
        let Some((last, _)) = opened.pending.last() else {
            shelf.released = shelf.released.max(opened.next.saturating_sub(1));
            return;
        };
        // Of very many only the newest are named: so it is read from the beginning.
        (shelf.last, shelf.read_from) = (shelf.last.max(*last), 0);
        let count = opened.pending.len();
        self.log(
            log::Level::Info,
            format!("the spool: {count} messages wait in it"),
        );
    }

    fn spool_failed(&mut self, now: Now, why: String) {
        let is_news = self.pushes.shelf.fault.as_ref() != Some(&why);
        let line = format!("{SPOOL}: {why}");
        self.log_wrong(now, SPOOL, log::Level::Error, line, is_news);
        self.pushes.shelf.fault = Some(why);
        self.told.agent_changed |= is_news;
    }

    fn spool_works(&mut self, now: Now) {
        if self.pushes.shelf.fault.take().is_some() {
            self.log_right(now, SPOOL, format!("{SPOOL}: it works again"));
            self.told.agent_changed = true;
        }
    }

    fn stored(&mut self, now: Now, seq: Seq, good: bool) {
        let of_hand = self.pushes.hand.stored(seq, good);
        let shelf = &mut self.pushes.shelf;
        shelf.asked = shelf.asked.saturating_sub(1);
        let mut topic_arn = None;
        let mut waiting = of_hand;
        if let Some(writing) = shelf.writing.remove(&seq) {
            if good {
                // What has a smaller number is in hand or delivered, unless it is unread too.
                if !shelf.has_unread() {
                    shelf.read_from = shelf.read_from.max(seq);
                }
                shelf.last = shelf.last.max(seq);
                self.pushes.repeats.insert(writing.id, now.mono);
            }
            (waiting, topic_arn) = (writing.waiting, writing.topic_arn);
        }
        for delivery in waiting {
            match good {
                true => self.answer(now, delivery),
                false => self.refuse_push(now, delivery, topic_arn.clone()),
            }
        }
    }

    fn read_back(&mut self, now: Now, records: Vec<Spooled>) {
        self.pushes.shelf.reading = false;
        let is_empty = records.is_empty();
        self.pushes.shelf.read_at = is_empty.then(|| now.mono.after(READ_AGAIN));
        match is_empty {
            true => self.spool_failed(now, "it cannot be read now; it is tried again".to_owned()),
            false => self.spool_works(now),
        }
        for Spooled { seq, notice } in records {
            let shelf = &mut self.pushes.shelf;
            if seq < shelf.read_from {
                continue;
            }
            shelf.read_from = seq + 1;
            // What is not there any more is not read.
            while shelf.ahead.first().is_some_and(|first| *first < seq) {
                shelf.ahead.pop_first();
            }
            if shelf.ahead.remove(&seq) || self.pushes.hand.holds(seq) {
                continue;
            }
            // One that came before the broker's store was read may have been told long ago.
            let is_told = |notice: &Notice| self.pushes.is_listed(notice.message_id);
            if let Some(notice) = notice.filter(|notice| !is_told(notice)) {
                let bytes = notice.message.json.len();
                let entry = Entry::spooled(notice.message_id, seq, bytes);
                self.take(now, notice, None, entry);
            }
        }
    }

    /// The broker has taken a spooled message.
    pub(super) fn delivered(&mut self, seq: Seq) {
        let shelf = &mut self.pushes.shelf;
        // What is being written will be read, and what is behind it with it.
        let first = match shelf.has_unread() {
            true => Some(shelf.read_from),
            false => shelf.writing.keys().next().copied(),
        };
        if first.is_some_and(|first| seq >= first) {
            shelf.ahead.insert(seq);
        }
    }

    /// Reads on when there is room, and lets go of what is delivered.
    pub(super) fn advance_shelf(&mut self, now: Now) {
        let open_at = &mut self.pushes.shelf.open_at;
        if open_at.is_some_and(|at| at <= now.mono) {
            *open_at = Some(now.mono.after(OPEN_AGAIN));
            self.effects.push(Effect::Spool(SpoolRequest::Open));
        }
        let (shelf, hand) = (&mut self.pushes.shelf, &self.pushes.hand);
        let Some(next) = shelf.next else {
            return;
        };
        let wants = shelf.has_unread() && !shelf.reading && self.broker.connected;
        shelf.read_at = shelf.read_at.filter(|at| *at > now.mono);
        if wants && shelf.read_at.is_none() && hand.is_half_empty() {
            shelf.reading = true;
            let from = shelf.read_from;
            self.effects
                .push(Effect::Spool(SpoolRequest::Read { from }));
        }
        let waits = [
            hand.first_seq(),
            shelf.writing.keys().next().copied(),
            shelf.has_unread().then_some(shelf.read_from),
        ];
        let first = waits.into_iter().flatten().min();
        let up_to = first.unwrap_or(next).saturating_sub(1);
        let enough = first.is_none() || up_to >= shelf.released + RELEASED_AT_ONCE;
        if up_to > shelf.released && enough {
            shelf.released = up_to;
            let request = SpoolRequest::Release { up_to };
            self.effects.push(Effect::Spool(request));
        }
    }
}
