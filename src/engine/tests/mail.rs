//! A queue: what is received is hidden for a while, and comes again unless it is deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::spool::Spool;
use crate::engine::queueing::{BATCH_MAX, HIDDEN, Letter, QueueEnd, QueueJob, Taken, Unfit};
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::{Notice, Receipt};
use crate::state::time::Mono;

/// Nobody may hide a message for longer in all.
const HIDDEN_MAX: Duration = Duration::from_secs(12 * 3600);

/// A message of the queue.
pub struct Item {
    pub letter: Result<Notice, Unfit>,
    /// How often it was received.
    pub received: u32,
    first_received: Duration,
    visible_at: Duration,
}

/// See the module's text. It outlives a crash of the agent.
pub struct Mail {
    /// What is in it, by a number.
    pub items: BTreeMap<u64, Item>,
    /// What was asked, and when.
    pub asked: Vec<(Duration, &'static str)>,
    /// What each job meets.
    pub faults: BTreeMap<&'static str, Fault>,
    /// Deletes that SQS itself fails at, entry by entry.
    pub lazy: u32,
    /// More than one of them is too large an answer.
    pub large: bool,
    /// More than one of them does not come in time.
    pub slow: bool,
    /// It never waits for messages.
    pub hasty: bool,
    /// How long a request takes.
    pub delay: Duration,
    number: u64,
}

impl Default for Mail {
    fn default() -> Mail {
        Mail {
            items: BTreeMap::new(),
            asked: Vec::new(),
            faults: BTreeMap::new(),
            lazy: 0,
            large: false,
            slow: false,
            hasty: false,
            delay: Duration::from_millis(30),
            number: 0,
        }
    }
}

fn name(job: &QueueJob) -> &'static str {
    match job {
        QueueJob::Receive { wait, .. } if wait.is_zero() => "look",
        QueueJob::Receive { .. } => "receive",
        QueueJob::Delete(_) => "delete",
        QueueJob::Hide(_) => "hide",
    }
}

impl Mail {
    pub fn put(&mut self, letter: Result<Notice, Unfit>, now: Duration) {
        self.number += 1;
        let item = Item {
            letter,
            received: 0,
            first_received: Duration::ZERO,
            visible_at: now,
        };
        self.items.insert(self.number, item);
    }

    pub fn note(&mut self, job: &QueueJob, now: Duration) {
        let count = match job {
            QueueJob::Receive { count, .. } => *count,
            QueueJob::Delete(receipts) | QueueJob::Hide(receipts) => receipts.len(),
        };
        assert!((1..=BATCH_MAX).contains(&count), "{job:?}");
        self.asked.push((now, name(job)));
    }

    /// How often this was asked.
    pub fn count(&self, wanted: &str) -> usize {
        self.asked.iter().filter(|(_, job)| *job == wanted).count()
    }

    /// How much longer a job is not answered.
    pub fn waits(&self, job: &QueueJob, began: Mono, now: Duration) -> Option<Duration> {
        let QueueJob::Receive { wait, .. } = job else {
            return None;
        };
        let fails = self.faults.contains_key(name(job)) || self.hasty;
        let end = began.0 + *wait;
        let visible = self.items.values().map(|item| item.visible_at).min();
        let at = visible.map_or(end, |at| at.min(end));
        (!fails && at > now).then(|| at - now)
    }

    pub fn carry_out(&mut self, job: QueueJob, now: Duration, spool: &mut Spool) -> QueueEnd {
        let fault = self.faults.get(name(&job)).cloned();
        match job {
            QueueJob::Receive { count, .. } => {
                QueueEnd::Received(fault.map_or_else(|| self.receive(count, now, spool), Err))
            }
            QueueJob::Delete(receipts) => match fault {
                Some(fault) => QueueEnd::Deleted(receipts, Some(fault)),
                None => {
                    let again = self.delete(receipts);
                    let fault = Fault::new(FaultKind::Server, "not deleted", "");
                    let fault = (!again.is_empty()).then_some(fault);
                    QueueEnd::Deleted(again, fault)
                }
            },
            QueueJob::Hide(receipts) => QueueEnd::Hidden(match fault {
                Some(fault) => Err(fault),
                None => Ok(self.hide(receipts, now)),
            }),
        }
    }

    fn receive(
        &mut self,
        count: usize,
        now: Duration,
        spool: &mut Spool,
    ) -> Result<Vec<Letter>, Fault> {
        let visible = self.items.iter_mut();
        let visible = visible.filter(|(_, item)| item.visible_at <= now);
        let mut letters = Vec::new();
        for (n, item) in visible.take(count) {
            item.received += 1;
            item.first_received = now;
            item.visible_at = now + HIDDEN;
            let mut taken = |notice: &Notice| {
                let record = spool.record(notice);
                let notice = notice.clone();
                Box::new(Taken { notice, record })
            };
            letters.push(Letter {
                receipt: Receipt(format!("{n} {}", item.received)),
                judged: match &item.letter {
                    Ok(notice) => Ok(taken(notice)),
                    Err(unfit) => Err(unfit.clone()),
                },
            });
        }
        match letters.len() > 1 {
            true if self.large => Err(Fault::new(FaultKind::TooLarge, "too large", "")),
            true if self.slow => Err(Fault::new(FaultKind::Network, "too slow", "")),
            _ => Ok(letters),
        }
    }

    /// The message, if this is the receipt of its last receive.
    fn place(&self, receipt: &Receipt) -> Option<u64> {
        let (n, received) = receipt.0.split_once(' ')?;
        let n = n.parse().ok()?;
        let item = self.items.get(&n)?;
        (item.received.to_string() == received).then_some(n)
    }

    fn delete(&mut self, receipts: Vec<Receipt>) -> Vec<Receipt> {
        let mut again = Vec::new();
        for receipt in receipts {
            if self.lazy > 0 {
                self.lazy -= 1;
                again.push(receipt);
            } else if let Some(n) = self.place(&receipt) {
                self.items.remove(&n);
            }
        }
        again
    }

    fn hide(&mut self, receipts: Vec<Receipt>, now: Duration) -> Vec<Receipt> {
        let mut over = Vec::new();
        for receipt in receipts {
            let item = self.place(&receipt).and_then(|n| self.items.get_mut(&n));
            match item {
                Some(item) if now + HIDDEN <= item.first_received + HIDDEN_MAX => {
                    item.visible_at = now + HIDDEN;
                }
                _ => over.push(receipt),
            }
        }
        over
    }
}
