//! The SQS queue: when to take messages from it, and when to delete them.
//!
//! The queue keeps what nobody has taken, for days. So little is held here: up to ten messages
//! are received, and no more before all of them are safe and deleted. While the broker is away
//! nothing is received; what was received before stays hidden from others by asking for it again
//! and again, since a message that turns up too often goes to the dead-letter queue.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::super::queueing::{BATCH_MAX, HIDDEN, LONG_POLL, Letter, QueueEnd, QueueJob, Taken};
use super::super::{Effect, Engine, Job, Now, backoff};
use super::Arrived;
use crate::state::alarms::Via;
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::{DeliveryId, Receipt, Refusals};
use crate::state::source::Source;
use crate::state::time::Mono;

/// What is received stays hidden for longer when so little of its time is left.
const HIDE_BEFORE: Duration = Duration::from_secs(10);
/// Messages that are safe wait so long for others to be deleted with.
const GATHER: Duration = Duration::from_secs(1);
/// Waits between two tries.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// So often in a row trouble that may pass by itself is not worth a word.
const PASSING_FAILURES_MAX: u32 = 1;
/// Messages that are more than can be received at once are received one by one for so long,
/// longer each time it happens again.
const SINGLY_FIRST: Duration = Duration::from_secs(60);
const SINGLY_MAX: Duration = Duration::from_secs(3600);
/// A large message needs the time of its request for its own way.
const SINGLY_WAIT: Duration = Duration::from_secs(5);
/// Waits after a message that the broker did not take in several sessions.
const REST_FIRST: Duration = Duration::from_secs(30);
const REST_MAX: Duration = Duration::from_secs(600);
/// Messages tell of channels: so the first listing has this much time to come before them.
const INVENTORY_WAIT: Duration = Duration::from_secs(10);

/// A message that was received and is not safe yet.
#[derive(Debug)]
struct Held {
    receipt: Receipt,
    /// When to hide it for longer; `None` when that is no longer possible.
    hide_at: Option<Mono>,
}

/// The job that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Receive { count: usize, wait: Duration },
    Delete,
    Hide,
}

/// The engine's view of the queue.
#[derive(Debug, Default)]
pub struct Queue {
    /// The last number given to a message.
    number: u64,
    held: BTreeMap<u64, Held>,
    /// Received while nothing could be taken, in order.
    parked: VecDeque<Arrived>,
    /// Safe, to be deleted.
    done: Vec<Receipt>,
    /// Since when the first of them waits.
    done_since: Option<Mono>,
    asked: Option<Asked>,
    failures: u32,
    /// Nothing is asked before.
    retry_at: Option<Mono>,
    /// Whether the last receive was good: then the next may take its time.
    works: bool,
    singly_until: Option<Mono>,
    /// How often in a row there was more than could be received at once.
    too_large: u32,
    /// How often in a row a receive that should wait came back empty at once.
    hasty: u32,
    /// Messages in a row that the broker did not take in several sessions.
    undeliverable: u32,
    /// Nothing is received before.
    rest_until: Option<Mono>,
}

impl Queue {
    /// A message is safe: it may be deleted. True when that ends a complaint.
    pub(super) fn is_safe(&mut self, number: u64, now: Mono) -> bool {
        let Some(held) = self.held.remove(&number) else {
            return false;
        };
        self.done.push(held.receipt);
        self.done_since.get_or_insert(now);
        std::mem::take(&mut self.undeliverable) > 0
    }

    /// A message is not taken: it stays in the queue, which gives it again.
    pub(super) fn leave(&mut self, number: u64) {
        self.held.remove(&number);
    }

    /// The broker ends the session over this message, or takes none at all: it stays in the
    /// queue, and is not asked for in a hurry.
    pub(super) fn undeliverable(&mut self, number: u64, now: Now, random: f64) {
        self.leave(number);
        self.undeliverable += 1;
        let rest = backoff::delay(self.undeliverable, REST_FIRST, REST_MAX, random);
        self.rest_until = Some(now.mono.after(rest));
    }

    /// What the agent should say of it.
    pub(super) fn complaint(&self) -> Option<String> {
        let text = "sqs: the broker ended its sessions over messages of the queue; they stay there";
        (self.undeliverable > 0).then(|| text.to_owned())
    }

    /// The process stops: what has not been taken stays in the queue, and so does what the
    /// broker does not take any more.
    pub(super) fn give_up(&mut self) {
        for arrived in std::mem::take(&mut self.parked) {
            if let DeliveryId::Queued(number) = arrived.delivery {
                self.leave(number);
            }
        }
        self.retry_at = None;
    }

    fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// When messages that are safe are to be deleted: with others where there are some.
    fn delete_at(&self) -> Option<Mono> {
        let since = self.done_since?;
        let together = self.held.is_empty() || self.done.len() >= BATCH_MAX;
        Some(if together { since } else { since.after(GATHER) })
    }

    fn hide_at(&self) -> Option<Mono> {
        self.held.values().filter_map(|held| held.hide_at).min()
    }

    fn failed(&mut self, now: Now, random: f64) {
        self.works = false;
        self.failures += 1;
        let wait = backoff::delay(self.failures, RETRY_FIRST, RETRY_MAX, random);
        self.retry_at = Some(now.mono.after(wait));
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// There is more than can be received at once, for its size or for a slow line. What was on
    /// its way comes again.
    fn receive_singly(&mut self, now: Now) {
        self.too_large += 1;
        let time = backoff::delay(self.too_large, SINGLY_FIRST, SINGLY_MAX, 1.0);
        self.singly_until = Some(now.mono.after(time));
    }

    /// All that is safe, as far as one request takes it.
    fn delete(&mut self, now: Mono) -> QueueJob {
        let rest = self.done.split_off(self.done.len().min(BATCH_MAX));
        let batch = std::mem::replace(&mut self.done, rest);
        self.done_since = (!self.done.is_empty()).then_some(now);
        self.asked = Some(Asked::Delete);
        QueueJob::Delete(batch)
    }

    /// Whatever is hidden for the shortest time, as far as one request takes it.
    fn hide(&mut self, now: Mono) -> QueueJob {
        let mut due: Vec<&mut Held> = self.held.values_mut().collect();
        due.retain(|held| held.hide_at.is_some());
        due.sort_by_key(|held| held.hide_at);
        due.truncate(BATCH_MAX);
        let hide_at = Some(now.after(HIDDEN - HIDE_BEFORE));
        due.iter_mut().for_each(|held| held.hide_at = hide_at);
        let receipts = due.into_iter().map(|held| held.receipt.clone()).collect();
        self.asked = Some(Asked::Hide);
        QueueJob::Hide(receipts)
    }

    fn receive(&mut self, now: Mono) -> QueueJob {
        self.singly_until = self.singly_until.filter(|until| *until > now);
        let (count, wait) = match self.singly_until {
            Some(_) => (1, SINGLY_WAIT),
            None => (BATCH_MAX, LONG_POLL),
        };
        // Whether it works is to be known at once.
        let wait = if self.works { wait } else { Duration::ZERO };
        self.asked = Some(Asked::Receive { count, wait });
        QueueJob::Receive { count, wait }
    }
}

impl Engine {
    /// Takes what was parked, and asks the queue for what is due.
    pub(in crate::engine) fn advance_queue(&mut self, now: Now) {
        while self.stopping.is_none()
            && let Some(first) = self.pushes.queue.parked.front()
            && self.may_take(first.delivery, first.record.len())
        {
            if let Some(arrived) = self.pushes.queue.parked.pop_front() {
                self.arrived(now, arrived);
            }
        }
        if let Some(job) = self.next_of_queue(now) {
            self.effects.push(Effect::Poll(Job::Queue(job)));
        }
    }

    fn next_of_queue(&mut self, now: Now) -> Option<QueueJob> {
        let due = |at: Option<Mono>| at.is_some_and(|at| at <= now.mono);
        let begins = due(self.receive_at());
        let queue = &mut self.pushes.queue;
        if queue.asked.is_some() || queue.retry_at.is_some_and(|at| at > now.mono) {
            return None;
        }
        if self.stopping.is_some() {
            return (!queue.done.is_empty()).then(|| queue.delete(now.mono));
        }
        if due(queue.delete_at()) {
            return Some(queue.delete(now.mono));
        }
        if due(queue.hide_at()) {
            return Some(queue.hide(now.mono));
        }
        begins.then(|| queue.receive(now.mono))
    }

    /// From when on messages may be received; `None` while they could not be taken.
    fn receive_at(&self) -> Option<Mono> {
        let queue = &self.pushes.queue;
        let is_empty = queue.held.is_empty() && queue.done.is_empty();
        let takes = self.broker.connected && !self.pushes.shelf.goes_first();
        // Before the program's own date there is no TLS.
        let wanted = self.wants_queue() && self.stopping.is_none() && !self.polls.clock_was_wrong;
        let begin = match self.is_overview_known() {
            true => self.began,
            false => self.began.after(INVENTORY_WAIT),
        };
        let begin = queue.rest_until.map_or(begin, |until| until.max(begin));
        (wanted && takes && is_empty).then_some(begin)
    }

    /// When something of the queue is due that no event will bring about.
    pub(in crate::engine) fn queue_deadline(&self, now: Now) -> Option<Mono> {
        let queue = &self.pushes.queue;
        if queue.asked.is_some() || self.stopping.is_some() {
            return None;
        }
        let jobs = [queue.delete_at(), queue.hide_at(), self.receive_at()];
        let next = jobs.into_iter().flatten().min()?;
        Some(queue.retry_at.map_or(next, |at| next.max(at)).max(now.mono))
    }

    /// Whether messages are safe that the queue has not been told of.
    pub(in crate::engine) fn owes_the_queue(&self) -> bool {
        let queue = &self.pushes.queue;
        queue.asked == Some(Asked::Delete) || !queue.done.is_empty()
    }

    /// What came of a job.
    pub(in crate::engine) fn queue_told(&mut self, now: Now, end: QueueEnd, took: Duration) {
        let asked = self.pushes.queue.asked.take();
        match end {
            QueueEnd::Received(result) => self.letters_received(now, asked, result, took),
            QueueEnd::Deleted(again, fault) => self.letters_deleted(now, again, fault, took),
            QueueEnd::Hidden(result) => self.letters_hidden(now, result, took),
        }
    }

    fn letters_received(
        &mut self,
        now: Now,
        asked: Option<Asked>,
        result: Result<Vec<Letter>, Fault>,
        took: Duration,
    ) {
        let (count, wait) = match asked {
            Some(Asked::Receive { count, wait }) => (count, wait),
            _ => (BATCH_MAX, Duration::ZERO),
        };
        let letters = match result {
            Ok(letters) => letters,
            Err(fault) => return self.letters_lacking(now, count, fault, took),
        };
        let queue = &mut self.pushes.queue;
        queue.succeeded();
        queue.works = true;
        if letters.len() > 1 {
            queue.too_large = 0;
        }
        self.note(now, Source::Sqs, Ok(()), took);
        self.slow_down(now, letters.is_empty() && took < wait / 2);
        // Who stops leaves them in the queue.
        if self.stopping.is_none() {
            letters
                .into_iter()
                .for_each(|one| self.open_letter(now, one));
        }
    }

    /// A receive that should wait for messages and does not would be made without end.
    fn slow_down(&mut self, now: Now, is_hasty: bool) {
        let random = self.rng.f64();
        let queue = &mut self.pushes.queue;
        if !is_hasty {
            queue.hasty = 0;
            return;
        }
        queue.hasty += 1;
        let wait = backoff::delay(queue.hasty, RETRY_FIRST, LONG_POLL, random);
        queue.retry_at = Some(now.mono.after(wait));
        if queue.hasty == 2 {
            self.log_happened(
                now,
                "sqs: hasty",
                log::Level::Warn,
                "sqs: what answers does not wait for messages (WaitTimeSeconds); it is asked less \
                 often, so that messages come later",
            );
        }
    }

    fn letters_lacking(&mut self, now: Now, count: usize, fault: Fault, took: Duration) {
        let too_large = fault.kind == FaultKind::TooLarge;
        if count > 1 && (too_large || fault.kind == FaultKind::Network) {
            self.pushes.queue.receive_singly(now);
        }
        if too_large && count > 1 {
            self.log_happened(
                now,
                "sqs: too large",
                log::Level::Info,
                "sqs: the messages are too large to be taken together; they are taken one by one",
            );
            return;
        }
        self.queue_failed(now, fault, took);
    }

    /// `again` has not been deleted, because of the fault.
    fn letters_deleted(
        &mut self,
        now: Now,
        again: Vec<Receipt>,
        fault: Option<Fault>,
        took: Duration,
    ) {
        match fault {
            Some(fault) => self.queue_failed(now, fault, took),
            None => self.pushes.queue.succeeded(),
        }
        let queue = &mut self.pushes.queue;
        queue.done.splice(0..0, again);
        queue.done_since = (!queue.done.is_empty()).then_some(now.mono);
    }

    /// Those that cannot be hidden any more are named.
    fn letters_hidden(&mut self, now: Now, result: Result<Vec<Receipt>, Fault>, took: Duration) {
        let held = self.pushes.queue.held.values_mut();
        match result {
            Ok(over) => {
                let over = held.filter(|held| over.contains(&held.receipt));
                over.for_each(|held| held.hide_at = None);
                self.pushes.queue.succeeded();
            }
            Err(fault) => {
                held.for_each(|held| held.hide_at = held.hide_at.map(|_| now.mono));
                self.queue_failed(now, fault, took);
            }
        }
    }

    fn queue_failed(&mut self, now: Now, fault: Fault, took: Duration) {
        let random = self.rng.f64();
        let queue = &mut self.pushes.queue;
        queue.failed(now, random);
        let passes = matches!(
            fault.kind,
            FaultKind::Network | FaultKind::Server | FaultKind::Throttled | FaultKind::Answer
        );
        if !passes || queue.failures > PASSING_FAILURES_MAX {
            self.note(now, Source::Sqs, Err(fault), took);
        }
    }

    fn open_letter(&mut self, now: Now, letter: Letter) {
        let queue = &mut self.pushes.queue;
        let number = queue.number();
        let delivery = DeliveryId::Queued(number);
        let held = Held {
            receipt: letter.receipt,
            hide_at: Some(now.mono.after(HIDDEN - HIDE_BEFORE)),
        };
        queue.held.insert(number, held);
        match letter.judged {
            Ok(taken) => {
                let Taken { notice, record } = *taken;
                let arrived = Arrived {
                    delivery,
                    notice,
                    record,
                    subscription_arn: None,
                };
                self.arrived(now, arrived);
            }
            Err(unfit) => {
                let refusals = Refusals {
                    via: Via::Sqs,
                    reason: unfit.reason,
                    topic_arn: unfit.topic_arn,
                    count: 1,
                    example: Some(unfit.example),
                };
                self.refused(now, refusals);
                self.answer(now, delivery);
            }
        }
    }

    /// Keeps a message of the queue until it can be taken.
    pub(super) fn park(&mut self, arrived: Arrived) {
        self.pushes.queue.parked.push_back(arrived);
    }
}
