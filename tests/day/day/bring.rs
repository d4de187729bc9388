//! How what AWS pushes comes to the agent, and its answers back.

use std::time::Duration;

use pure::engine::push::{Arrived, Push};
use pure::engine::queueing::QueueJob;
use pure::engine::{Event, Outcome, Polled};
use pure::state::push::DeliveryId;
use pure::state::time::Mono;

use super::sim::{Day, Pending, RETRY};

impl Day {
    pub fn carry_mail(&mut self, job: QueueJob, began: Mono) {
        if let Some(wait) = self.queue.waits(&job, began, self.now) {
            self.later(wait, Pending::Mail(job, began));
            return;
        }
        let fails = self.queue.fails;
        let (end, deleted) = self.queue.carry_out(job, self.now, self.aws_now());
        for id in deleted {
            self.truth.is_safe(id);
        }
        if !fails {
            self.learned_ms = Some(-self.wall_error_ms);
        }
        self.handle(Event::Polled(Polled {
            outcome: Outcome::Queue(end),
            began,
            took: Mono(self.now).since(began),
            requests: 1,
            clock_offset_ms: self.learned_ms,
        }));
    }

    /// Deliveries that nobody has answered.
    pub fn unanswered(&self) -> usize {
        self.open.len()
    }

    /// Puts a message into the queue.
    pub fn mail(&mut self, id: String, body: String) {
        self.queue.put(id, body, self.aws_now(), self.now);
        // A receive that waits is answered at once.
        let waits = self
            .pending
            .iter()
            .find_map(|(key, pending)| match pending {
                Pending::Mail(QueueJob::Receive { .. }, _) => Some(*key),
                _ => None,
            });
        if let Some(pending) = waits.and_then(|key| self.pending.remove(&key)) {
            self.later(self.queue.delay, pending);
        }
    }

    pub fn sent_due(&self) -> Option<Duration> {
        let due = self.unsettled.iter().filter_map(|n| self.sent[*n].due);
        due.min()
    }

    /// SNS brings what is due.
    pub fn deliver_sent(&mut self) {
        let now = self.now;
        for n in self.unsettled.clone() {
            if self.sent[n].due.is_none_or(|due| due > now) {
                continue;
            }
            // Nobody there, or a listener that cannot judge a time yet.
            if self.agent.is_none() || self.learned_ms.is_none() {
                self.sent[n].due = Some(now + RETRY);
                continue;
            }
            self.sent[n].due = None;
            self.deliveries += 1;
            self.open.insert(self.deliveries, (n, now));
            let mut message = self.sent[n].message.clone();
            message.received_at = self.aws_now();
            self.handle(Event::Push(Push::Notice(Box::new(Arrived {
                delivery: DeliveryId::Request(self.deliveries),
                notice: message.notice(),
                record: message.encode().into(),
                subscription_arn: None,
            }))));
        }
        let sent = &self.sent;
        self.unsettled
            .retain(|n| sent[*n].answered.is_none() || sent[*n].due.is_some());
    }
}
