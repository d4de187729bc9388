//! What AWS pushes: SNS, which comes again until it is answered, and a queue, which keeps what
//! is not deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use pure::engine::queueing::{HIDDEN, Letter, QueueEnd, QueueJob, Taken, Unfit};
use pure::sns::accepted::Accepted;
use pure::sns::queued::{self, Around};
use pure::state::fault::{Fault, FaultKind};
use pure::state::push::Receipt;
use pure::state::time::{Mono, UnixMs};

use crate::region::sqs::receipt::RECEIPT;

/// The topic whose messages are taken.
pub const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";
/// The queue of the config.
pub const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/edge";

/// A message to the listener, as SNS sees it.
pub struct Sent {
    pub message: Accepted,
    /// When it is brought next.
    pub due: Option<Duration>,
    pub answered: Option<Duration>,
}

/// A message of the queue.
struct Item {
    id: String,
    body: String,
    sent_at: UnixMs,
    received: u32,
    visible_at: Duration,
}

/// The queue.
pub struct Queue {
    items: BTreeMap<u64, Item>,
    pub fails: bool,
    pub delay: Duration,
    number: u64,
}

impl Queue {
    pub fn new() -> Queue {
        Queue {
            items: BTreeMap::new(),
            fails: false,
            delay: Duration::from_millis(30),
            number: 0,
        }
    }

    pub fn put(&mut self, id: String, body: String, sent_at: UnixMs, now: Duration) {
        self.number += 1;
        let item = Item {
            id,
            body,
            sent_at,
            received: 0,
            visible_at: now,
        };
        self.items.insert(self.number, item);
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How much longer a receive is not answered.
    pub fn waits(&self, job: &QueueJob, began: Mono, now: Duration) -> Option<Duration> {
        let QueueJob::Receive { wait, .. } = job else {
            return None;
        };
        let end = began.0 + *wait;
        let visible = self.items.values().map(|item| item.visible_at).min();
        let at = visible.map_or(end, |at| at.min(end));
        (!self.fails && at > now).then(|| at - now)
    }

    /// The answer, and the ids of what was deleted.
    pub fn carry_out(
        &mut self,
        job: QueueJob,
        now: Duration,
        aws_now: UnixMs,
    ) -> (QueueEnd, Vec<String>) {
        let fault = || Fault::new(FaultKind::Server, "SQS refused with status 500", "");
        let end = match job {
            QueueJob::Receive { .. } if self.fails => QueueEnd::Received(Err(fault())),
            QueueJob::Delete(receipts) if self.fails => QueueEnd::Deleted(receipts, Some(fault())),
            QueueJob::Hide(_) if self.fails => QueueEnd::Hidden(Err(fault())),
            QueueJob::Receive { count, .. } => {
                QueueEnd::Received(Ok(self.receive(count, now, aws_now)))
            }
            QueueJob::Delete(receipts) => {
                let places = receipts.iter().filter_map(|receipt| self.place(receipt));
                let places: Vec<u64> = places.collect();
                let gone = places.into_iter().filter_map(|n| self.items.remove(&n));
                let gone = gone.map(|item| item.id).collect();
                return (QueueEnd::Deleted(Vec::new(), None), gone);
            }
            QueueJob::Hide(receipts) => {
                let mut over = Vec::new();
                for receipt in receipts {
                    let item = self.place(&receipt).and_then(|n| self.items.get_mut(&n));
                    match item {
                        Some(item) => item.visible_at = now + HIDDEN,
                        None => over.push(receipt),
                    }
                }
                QueueEnd::Hidden(Ok(over))
            }
        };
        (end, Vec::new())
    }

    fn receive(&mut self, count: usize, now: Duration, aws_now: UnixMs) -> Vec<Letter> {
        let visible = self
            .items
            .iter_mut()
            .filter(|(_, item)| item.visible_at <= now);
        let mut letters = Vec::new();
        for (n, item) in visible.take(count) {
            item.received += 1;
            item.visible_at = now + HIDDEN;
            let around = Around {
                queue_id: &item.id,
                sent_at: Some(item.sent_at),
                received_at: aws_now,
            };
            let judged = queued::judge(&item.body, &around, &[TOPIC.to_owned()]);
            letters.push(Letter {
                receipt: Receipt(format!("{RECEIPT} {n} {}", item.received)),
                judged: match judged {
                    Ok(message) => Ok(Box::new(Taken {
                        notice: message.notice(),
                        record: message.encode().into(),
                    })),
                    Err(refusal) => Err(Unfit {
                        reason: refusal.reason,
                        topic_arn: refusal.topic_arn,
                        example: "a message".to_owned(),
                    }),
                },
            });
        }
        letters
    }

    /// The message, if this is the receipt of its last receive.
    fn place(&self, receipt: &Receipt) -> Option<u64> {
        let (_, own) = receipt.0.split_once(' ')?;
        let (n, received) = own.split_once(' ')?;
        let n = n.parse().ok()?;
        let item = self.items.get(&n)?;
        (item.received.to_string() == received).then_some(n)
    }
}
