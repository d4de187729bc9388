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
use super::{Arrived, Push};
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
/// Messages that are too large together are received one by one for this long.
const SINGLY_TIME: Duration = Duration::from_secs(300);
/// Messages tell of channels: so the first listing has this much time to come before them.
const INVENTORY_WAIT: Duration = Duration::from_secs(10);

/// A message that was received and is not safe yet.
#[derive(Debug)]
struct Held {
    receipt: Receipt,
    /// When to hide it for longer; `None` when that is no longer possible.
    hide_at: Option<Mono>,
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
    /// Being deleted.
    deleting: bool,
    /// A job is under way.
    busy: bool,
    failures: u32,
    /// Nothing is asked before.
    retry_at: Option<Mono>,
    /// Whether the last receive was good: then the next may take its time.
    works: bool,
    singly_until: Option<Mono>,
}

impl Queue {
    /// A message is safe: it may be deleted.
    pub(super) fn is_safe(&mut self, number: u64, now: Mono) {
        if let Some(held) = self.held.remove(&number) {
            self.done.push(held.receipt);
            self.done_since.get_or_insert(now);
        }
    }

    /// A message is not taken: it stays in the queue, which gives it again.
    pub(super) fn leave(&mut self, number: u64) {
        self.held.remove(&number);
    }

    /// The process stops: what is not safe stays in the queue.
    pub(super) fn give_up(&mut self) {
        self.parked.clear();
        self.held.clear();
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

    /// All that is safe, as far as one request takes it.
    fn delete(&mut self, now: Mono) -> QueueJob {
        let rest = self.done.split_off(self.done.len().min(BATCH_MAX));
        let batch = std::mem::replace(&mut self.done, rest);
        self.done_since = (!self.done.is_empty()).then_some(now);
        self.deleting = true;
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
        QueueJob::Hide(due.into_iter().map(|held| held.receipt.clone()).collect())
    }

    fn receive(&mut self, now: Mono) -> QueueJob {
        self.singly_until = self.singly_until.filter(|until| *until > now);
        QueueJob::Receive {
            count: self.singly_until.map_or(BATCH_MAX, |_| 1),
            // Whether it works is to be known at once.
            wait: if self.works {
                LONG_POLL
            } else {
                Duration::ZERO
            },
        }
    }
}

impl Engine {
    /// Takes what was parked, and asks the queue for what is due.
    pub(in crate::engine) fn advance_queue(&mut self, now: Now) {
        while self.stopping.is_none()
            && let Some(first) = self.pushes.queue.parked.front()
            && self.may_take(first.record.len())
        {
            if let Some(arrived) = self.pushes.queue.parked.pop_front() {
                self.pushed(now, Push::Notice(Box::new(arrived)));
            }
        }
        if let Some(job) = self.next_of_queue(now) {
            self.pushes.queue.busy = true;
            self.effects.push(Effect::Poll(Job::Queue(job)));
        }
    }

    fn next_of_queue(&mut self, now: Now) -> Option<QueueJob> {
        let due = |at: Option<Mono>| at.is_some_and(|at| at <= now.mono);
        let begins = due(self.receive_at());
        let queue = &mut self.pushes.queue;
        if queue.busy || queue.retry_at.is_some_and(|at| at > now.mono) {
            return None;
        }
        if due(queue.delete_at()) || self.stopping.is_some() && !queue.done.is_empty() {
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
        let takes = self.broker.connected && !self.pushes.shelf.has_older();
        // Before the program's own date there is no TLS.
        let is_asked_for = self.settings.queue_url.is_some() && self.stopping.is_none();
        let wanted = is_asked_for && !self.polls.clock_was_wrong;
        let begin = match self.is_overview_known() {
            true => self.began,
            false => self.began.after(INVENTORY_WAIT),
        };
        (wanted && takes && is_empty).then_some(begin)
    }

    /// When something of the queue is due that no event will bring about.
    pub(in crate::engine) fn queue_deadline(&self, now: Now) -> Option<Mono> {
        let queue = &self.pushes.queue;
        if queue.busy {
            return None;
        }
        let jobs = [queue.delete_at(), queue.hide_at(), self.receive_at()];
        let next = jobs.into_iter().flatten().min()?;
        Some(queue.retry_at.map_or(next, |at| next.max(at)).max(now.mono))
    }

    /// Whether messages are safe that the queue has not been told of.
    pub(in crate::engine) fn owes_the_queue(&self) -> bool {
        let queue = &self.pushes.queue;
        queue.deleting || !queue.done.is_empty()
    }

    /// What came of a job.
    pub(in crate::engine) fn queue_told(&mut self, now: Now, end: QueueEnd, took: Duration) {
        self.pushes.queue.busy = false;
        match end {
            QueueEnd::Received(Ok(letters)) => {
                self.pushes.queue.succeeded();
                self.pushes.queue.works = true;
                self.note(now, Source::Sqs, Ok(()), took);
                // Who stops leaves them in the queue.
                if self.stopping.is_none() {
                    letters
                        .into_iter()
                        .for_each(|one| self.received_letter(now, one));
                }
            }
            QueueEnd::Received(Err(fault)) if fault.kind == FaultKind::TooLarge => {
                self.too_large(now, fault, took);
            }
            QueueEnd::Deleted(Ok(again)) => {
                self.pushes.queue.deleting = false;
                match again.is_empty() {
                    true => self.pushes.queue.succeeded(),
                    false => self.queue_failed(now),
                }
                self.delete_again(now, again);
            }
            QueueEnd::Deleted(Err((fault, again))) => {
                self.pushes.queue.deleting = false;
                self.queue_failed(now);
                self.delete_again(now, again);
                self.note(now, Source::Sqs, Err(fault), took);
            }
            QueueEnd::Hidden(Ok(over)) => {
                self.pushes.queue.succeeded();
                let held = self.pushes.queue.held.values_mut();
                let over = held.filter(|held| over.contains(&held.receipt));
                over.for_each(|held| held.hide_at = None);
            }
            QueueEnd::Received(Err(fault)) => {
                self.queue_failed(now);
                self.note(now, Source::Sqs, Err(fault), took);
            }
            QueueEnd::Hidden(Err(fault)) => {
                self.queue_failed(now);
                let held = self.pushes.queue.held.values_mut();
                held.for_each(|held| held.hide_at = held.hide_at.map(|_| now.mono));
                self.note(now, Source::Sqs, Err(fault), took);
            }
        }
    }

    fn queue_failed(&mut self, now: Now) {
        let random = self.rng.f64();
        self.pushes.queue.failed(now, random);
    }

    fn delete_again(&mut self, now: Now, again: Vec<Receipt>) {
        let queue = &mut self.pushes.queue;
        queue.done.splice(0..0, again);
        queue.done_since = (!queue.done.is_empty()).then_some(now.mono);
    }

    /// Ten messages of a megabyte are more than is read at once; they come again.
    fn too_large(&mut self, now: Now, fault: Fault, took: Duration) {
        let singly = self.pushes.queue.singly_until.is_some();
        if singly {
            self.queue_failed(now);
            self.note(now, Source::Sqs, Err(fault), took);
            return;
        }
        self.pushes.queue.singly_until = Some(now.mono.after(SINGLY_TIME));
        self.log(
            log::Level::Info,
            "sqs: the messages are too large to be taken together; they are taken one by one",
        );
    }

    fn received_letter(&mut self, now: Now, letter: Letter) {
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
                self.pushed(now, Push::Notice(Box::new(arrived)));
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
