//! Subscriptions: confirmed by a call of our own, and told when somebody removes one.

use std::time::Duration;

use super::super::backoff;
use super::super::{Effect, Engine, Now};
use super::hand::Entry;
use super::{BROKER_WAIT, ConfirmToken};
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::{DeliveryId, MessageId};
use crate::state::subscription;
use crate::state::time::Mono;
use crate::topics::Topic;

/// AWS gets its answer after this long at the latest.
const ANSWER_WAIT: Duration = Duration::from_secs(8);
/// A call that has not ended after this long is made again.
const CALL_TIME_MAX: Duration = Duration::from_secs(60);
/// Waits between two tries.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(300);
/// A token is good for two days (SNS API reference, `Subscribe`).
const TOKEN_TIME: Duration = Duration::from_secs(2 * 24 * 3600);

/// A confirmation that is to be made.
#[derive(Debug)]
pub struct Confirming {
    message_id: MessageId,
    token: ConfirmToken,
    /// Deliveries, and when they have to be answered.
    waiting: Vec<(DeliveryId, Mono)>,
    /// The call that is under way counts as lost then.
    busy_until: Option<Mono>,
    retry_at: Option<Mono>,
    failures: u32,
    began: Mono,
}

impl Confirming {
    pub(super) fn deadline(&self) -> Option<Mono> {
        let answers = self.waiting.iter().map(|(_, until)| *until);
        answers.chain(self.retry_at).chain(self.busy_until).min()
    }

    /// Deliveries that wait, when nothing will come of it.
    pub(super) fn give_up(self) -> impl Iterator<Item = DeliveryId> {
        self.waiting.into_iter().map(|(delivery, _)| delivery)
    }
}

/// What the log calls it.
fn subject(topic_arn: &str) -> String {
    format!("sns: the subscription to {topic_arn}")
}

impl Engine {
    pub(super) fn confirm(
        &mut self,
        now: Now,
        delivery: DeliveryId,
        message_id: MessageId,
        topic_arn: String,
        token: ConfirmToken,
    ) {
        if self.stopping.is_some() {
            self.refuse_push(now, delivery, Some(topic_arn));
            return;
        }
        if self.pushes.repeats.contains(message_id, now.mono) {
            self.answer(now, delivery);
            return;
        }
        let waiting = (delivery, now.mono.after(ANSWER_WAIT));
        let known = self.pushes.confirming.get_mut(&topic_arn);
        if let Some(known) = known.filter(|known| known.message_id == message_id) {
            known.waiting.push(waiting);
            if known.busy_until.is_none() {
                known.retry_at = Some(now.mono);
            }
            return;
        }
        self.log(
            log::Level::Info,
            format!("sns: confirming the subscription to {topic_arn}"),
        );
        let confirming = Confirming {
            message_id,
            token,
            waiting: vec![waiting],
            busy_until: None,
            retry_at: Some(now.mono),
            failures: 0,
            began: now.mono,
        };
        // A new token is AWS's last word: the one before is not needed any more.
        let before = self.pushes.confirming.insert(topic_arn, confirming);
        for delivery in before.into_iter().flat_map(Confirming::give_up) {
            self.refuse_push(now, delivery, None);
        }
    }

    /// Tries again what is due, and answers what has waited long enough.
    pub(super) fn advance_confirmations(&mut self, now: Now) {
        let mut late = Vec::new();
        for (topic_arn, confirming) in &mut self.pushes.confirming {
            let due = |at: Option<Mono>| at.is_some_and(|at| at <= now.mono);
            if due(confirming.retry_at) || due(confirming.busy_until) {
                confirming.busy_until = Some(now.mono.after(CALL_TIME_MAX));
                confirming.retry_at = None;
                self.effects.push(Effect::Confirm {
                    message_id: confirming.message_id,
                    topic_arn: topic_arn.clone(),
                    token: confirming.token.clone(),
                });
            }
            confirming.waiting.retain(|(delivery, until)| {
                if *until <= now.mono {
                    late.push((*delivery, topic_arn.clone()));
                }
                *until > now.mono
            });
        }
        for (delivery, topic_arn) in late {
            self.refuse_push(now, delivery, Some(topic_arn));
        }
    }

    /// What came of our call: the subscription's ARN.
    pub(in crate::engine) fn confirmed(
        &mut self,
        now: Now,
        message_id: MessageId,
        topic_arn: String,
        result: Result<String, Fault>,
    ) {
        let Some(confirming) = self.pushes.confirming.remove(&topic_arn) else {
            return;
        };
        if confirming.message_id != message_id {
            // Of a token that has been replaced.
            self.pushes.confirming.insert(topic_arn, confirming);
            return;
        }
        match result {
            Ok(subscription_arn) => {
                let at = self.aws_now(now);
                if let Some((name, subscription)) = self.pushes.subscription(&topic_arn) {
                    let topic = Topic::Subscription(name.clone());
                    subscription.confirm(at, Some(subscription_arn));
                    self.outbox.touch(topic);
                }
                let what = subject(&topic_arn);
                self.logbook.forget(&what);
                self.log(log::Level::Info, format!("{what} is confirmed"));
                self.pushes.repeats.insert(message_id, now.mono);
                for delivery in confirming.give_up() {
                    self.answer(now, delivery);
                }
            }
            Err(fault) => self.unconfirmed(now, topic_arn, confirming, fault),
        }
    }

    fn unconfirmed(
        &mut self,
        now: Now,
        topic_arn: String,
        mut confirming: Confirming,
        fault: Fault,
    ) {
        let over = now.mono.since(confirming.began) >= TOKEN_TIME;
        // AWS knows the token, or it does not.
        if fault.kind == FaultKind::Refused || over {
            let what = subject(&topic_arn);
            self.logbook.forget(&what);
            let line = format!("{what} cannot be confirmed: {fault}; subscribe once more");
            self.log_happened(now, &format!("{what}: over"), log::Level::Error, line);
            for delivery in confirming.give_up() {
                self.refuse_push(now, delivery, Some(topic_arn.clone()));
            }
            return;
        }
        confirming.busy_until = None;
        confirming.failures += 1;
        let random = self.rng.f64();
        let wait = backoff::delay(confirming.failures, RETRY_FIRST, RETRY_MAX, random);
        confirming.retry_at = Some(now.mono.after(wait));
        let what = subject(&topic_arn);
        let line = format!("{what} is not confirmed yet: {fault}; trying again");
        self.log_wrong(now, &what, log::Level::Warn, line, false);
        self.pushes.confirming.insert(topic_arn, confirming);
    }

    /// Somebody removed our subscription. Shown and told, never undone by itself.
    pub(super) fn ended(
        &mut self,
        now: Now,
        delivery: DeliveryId,
        message_id: MessageId,
        topic_arn: &str,
    ) {
        let known = self.pushes.repeats.contains(message_id, now.mono);
        if known {
            self.answer(now, delivery);
            return;
        }
        let at = self.aws_now(now);
        let Some((name, subscription)) = self.pushes.subscription(topic_arn) else {
            self.answer(now, delivery);
            return;
        };
        let topic = Topic::Subscription(name.clone());
        subscription.end(at);
        self.log(
            log::Level::Warn,
            format!(
                "sns: somebody removed the subscription to {}; no more messages come from it \
                 until it is subscribed again (mediapackage2mqtt subscribe-url)",
                subscription::short_name(topic_arn)
            ),
        );
        self.outbox.touch(topic.clone());
        let until = now.mono.after(BROKER_WAIT);
        if !self.broker.connected || self.stopping.is_some() {
            self.refuse_push(now, delivery, Some(topic_arn.to_owned()));
        } else if let Some(entry) = self.pushes.hand.entry_of(message_id) {
            entry.wait_for(delivery, Some(until));
        } else {
            let mut entry = Entry::unspooled(message_id, delivery, until);
            entry.topics.push(topic);
            self.pushes.hand.insert(entry);
        }
    }
}
