//! What subscribers see of pushed messages.

use std::collections::BTreeMap;

use super::super::outbox::Once;
use super::super::view::alarm_sentence;
use super::super::{Engine, Now};
use super::hand::Entry;
use super::{LISTED_MAX, Pushes, REFUSAL_LOG_INTERVAL, SHOW_INTERVAL, Unlogged};
use crate::state::alarms::{AlarmChange, Heard, Home, Pushed, Via};
use crate::state::model::Id;
use crate::state::push::{
    Counts, EventType, Meaning, MessageId, Notice, PushedAlarm, PushedEvent, Reason, Reference,
    Refusals,
};
use crate::state::subscription::Subscription;
use crate::topics::event::Happening;
use crate::topics::memory::Listed;
use crate::topics::{Topic, push as payload};

/// Of a message that concerns none of the topics that were asked for, no topic can be told.
/// A stranger's `GET` is no message at all; everything else may have been meant for us.
fn concerns_all(reason: Reason) -> bool {
    !matches!(reason, Reason::Method | Reason::Http)
}

impl Pushes {
    /// Puts a message at the head of `sns/messages`. Done last: what stands there has been
    /// taken whole, also after a crash.
    pub(super) fn list(&mut self, listed: Listed) {
        if self.latest.is_full() {
            self.latest.pop_back();
        }
        // There is room: the last was dropped.
        let _ = self.latest.push_front(listed);
        self.dirty.insert(Topic::Messages);
    }

    /// Whether a message stands in `sns/messages`.
    pub(super) fn is_listed(&self, id: MessageId) -> bool {
        self.latest.iter().any(|listed| listed.id == id)
    }
}

impl Engine {
    /// The topics that are there from the first moment.
    pub(in crate::engine) fn begin_pushes(&mut self) {
        if !self.wants_pushes() {
            return;
        }
        self.outbox.touch(Topic::Messages);
        let names: Vec<Id> = self.pushes.subscriptions.keys().cloned().collect();
        for name in names {
            self.outbox.touch(Topic::Subscription(name));
        }
    }

    pub(super) fn note_message(
        &mut self,
        notice: &Notice,
        subscription_arn: Option<String>,
        out_of_spool: bool,
    ) {
        self.pushes.counts.entry(notice.via).or_default().accepted += 1;
        let at = notice.received_at;
        let topic_arn = notice.topic_arn.as_deref().unwrap_or_default();
        if let Some((name, subscription)) = self.pushes.subscription(topic_arn) {
            let topic = Topic::Subscription(name.clone());
            match out_of_spool {
                true => subscription.accept_late(at),
                false => subscription.accept(at, subscription_arn),
            }
            self.pushes.dirty.insert(topic);
        }
    }

    /// Takes up the list that the broker's store remembers, behind what has come since.
    pub(in crate::engine) fn adopt_listed(&mut self, now: Now, remembered: Vec<Listed>) {
        for listed in remembered.into_iter().take(LISTED_MAX) {
            self.pushes.repeats.insert(listed.id, now.mono);
            if !self.pushes.is_listed(listed.id) {
                // A full list has newer ones.
                let _ = self.pushes.latest.push_back(listed);
            }
        }
    }

    /// Takes up what the broker's store remembers of a subscription that is still wanted.
    pub(in crate::engine) fn adopt_subscription(&mut self, remembered: Subscription) {
        let topic_arn = remembered.topic_arn.clone();
        if let Some((_, subscription)) = self.pushes.subscription(&topic_arn) {
            subscription.adopt(remembered);
        }
    }

    /// Joins what a message tells with what is known.
    pub(super) fn join(&mut self, now: Now, notice: &Notice, entry: &mut Entry) {
        match &notice.meaning {
            Meaning::Alarm(alarm) => self.join_alarm(now, notice, alarm, entry),
            Meaning::Event(event) if !self.is_news(event) => {}
            Meaning::Event(event) if self.was_told(now, event) => {}
            Meaning::Event(event) => {
                let happening = self.happening(notice, event);
                entry.once.push(self.tell_once(Once::Event(happening)));
            }
        }
    }

    /// Whether the same event came as another message. From now on it did.
    fn was_told(&mut self, now: Now, event: &PushedEvent) -> bool {
        let Some(id) = event.event_id else {
            return false;
        };
        let was_told = self.pushes.events.contains(id, now.mono);
        self.pushes.events.insert(id, now.mono);
        was_told
    }

    fn join_alarm(&mut self, now: Now, notice: &Notice, alarm: &PushedAlarm, entry: &mut Entry) {
        let heard = Heard {
            via: notice.via,
            now: now.mono,
            // After a power loss our clock may be years behind until AWS has answered.
            aws_now: self.aws_now(now).max(notice.received_at),
        };
        let (home, wish) = (self.home(), &self.settings.wish);
        let told = match self.alarms.push(alarm, heard, wish, &home, &self.inventory) {
            Pushed::Taken(changes) => {
                for key in &changes.touched {
                    entry.topics.push(Topic::Alarm(key.clone()));
                }
                self.show_alarms(&changes);
                let told = changes.changes.iter();
                told.filter_map(|change| self.alarm_happening(now, change))
                    .collect()
            }
            Pushed::Off(change) => Vec::from_iter(change.map(|change| unkept(alarm, &change))),
            Pushed::Excluded => Vec::new(),
            Pushed::Ahead => {
                let (name, at) = (&alarm.name, alarm.changed_at);
                let way = notice.via.as_str();
                let text =
                    format!("{way}: alarm {name} says that it changed at {at}, in the future");
                let subject = format!("{way}: ahead");
                self.log_happened(now, &subject, log::Level::Warn, text);
                Vec::new()
            }
        };
        for happening in told {
            let happening = Happening {
                id: Some(notice.message_id.to_string()),
                source: notice.via.as_str(),
                ..happening
            };
            entry.once.push(self.tell_once(Once::Event(happening)));
        }
    }

    /// Whose alarms are ours, as far as it is known.
    pub(in crate::engine) fn home(&self) -> Home {
        let known = self.account_id().or(self.ownership.account_id.as_deref());
        Home {
            region: self.settings.region.clone(),
            account_id: known.map(str::to_owned),
        }
    }

    fn happening(&self, notice: &Notice, event: &PushedEvent) -> Happening {
        let (channel_id, endpoint_id) = self.whom(&event.about);
        Happening {
            id: Some(notice.message_id.to_string()),
            event_type: event.event_type.as_str(),
            time: event.time,
            source: notice.via.as_str(),
            channel_id,
            endpoint_id,
            alarm: None,
            state: event.state.clone(),
            previous_state: event.previous_state.clone(),
            summary: event.summary.clone(),
            detail: Some(event.detail.clone()),
        }
    }

    /// The channel and endpoint that references name, as far as they are known.
    fn whom(&self, about: &[Reference]) -> (Option<Id>, Option<Id>) {
        let endpoint = about.iter().find_map(|reference| match reference {
            Reference::Arn(arn) => {
                let mut all = self.inventory.endpoints();
                all.find(|e| e.arn.as_deref() == Some(arn.as_str()))
            }
            Reference::Endpoint(id) => self.inventory.endpoint(id),
            Reference::Channel(_) => None,
        });
        let channel = about.iter().find_map(|reference| match reference {
            Reference::Arn(arn) => {
                let mut all = self.inventory.channels();
                all.find(|c| c.arn.as_deref() == Some(arn.as_str()))
            }
            Reference::Channel(id) => self.inventory.channel(id),
            Reference::Endpoint(_) => None,
        });
        let of_endpoint = || endpoint.and_then(|e| e.channel_id.clone());
        let channel_id = channel.map(|c| c.id.clone()).or_else(of_endpoint);
        (channel_id, endpoint.map(|e| e.id.clone()))
    }

    /// Something was refused.
    pub(in crate::engine) fn refused(&mut self, now: Now, refusals: Refusals) {
        let Refusals {
            via,
            reason,
            topic_arn,
            count,
            example,
        } = refusals;
        let counts = self.pushes.counts.entry(via).or_default();
        *counts.rejected.entry(reason).or_default() += count;
        let named = topic_arn.as_deref();
        let whose = self.pushes.subscriptions.iter_mut().filter(|(_, s)| {
            named.map_or_else(|| concerns_all(reason), |named| s.topic_arn == named)
        });
        for (name, subscription) in whose {
            subscription.reject(reason, count);
            self.pushes.dirty.insert(Topic::Subscription(name.clone()));
        }
        let unlogged = self.pushes.unlogged.entry((via, reason));
        let unlogged = unlogged.or_insert(Unlogged {
            from: now.mono,
            count: 0,
            example: None,
        });
        unlogged.count += count;
        unlogged.example = example;
        self.log_refusals(now);
    }

    /// Logs refusals, each reason at most once in its interval.
    pub(in crate::engine) fn log_refusals(&mut self, now: Now) {
        let mut lines = Vec::new();
        for ((via, reason), unlogged) in &mut self.pushes.unlogged {
            if unlogged.count > 0 && unlogged.from <= now.mono {
                unlogged.from = now.mono.after(REFUSAL_LOG_INTERVAL);
                let times = std::mem::take(&mut unlogged.count);
                let (way, word, why) = (via.as_str(), reason.as_str(), reason.explain());
                let what = match (via, times) {
                    (Via::Sqs, 1) => "message",
                    (Via::Sqs, _) => "messages",
                    (Via::Sns | Via::Poll, 1) => "request",
                    (Via::Sns | Via::Poll, _) => "requests",
                };
                let mut line = format!("{way}: refused {times} {what} ({word}): {why}");
                if let Some(example) = &unlogged.example {
                    line = format!("{line}; the last was {example}");
                }
                lines.push(line);
            }
        }
        for line in lines {
            self.log(log::Level::Warn, line);
        }
    }

    /// Shows what has changed, at most once in its interval.
    pub(in crate::engine) fn show_pushes(&mut self, now: Now) {
        if self.pushes.dirty.is_empty() || self.pushes.show_at > now.mono {
            return;
        }
        self.pushes.show_at = now.mono.after(SHOW_INTERVAL);
        for topic in std::mem::take(&mut self.pushes.dirty) {
            self.outbox.touch(topic);
        }
    }

    pub(in crate::engine) fn render_messages(&self) -> String {
        payload::messages(self.pushes.latest.iter().map(|listed| listed.json.as_str()))
    }

    pub(in crate::engine) fn render_subscription(&self, name: &Id) -> Option<String> {
        self.pushes
            .subscriptions
            .get(name)
            .map(payload::subscription)
    }

    /// What came each way.
    pub(in crate::engine) fn pushed_counts(&self) -> &BTreeMap<Via, Counts> {
        &self.pushes.counts
    }

    pub(in crate::engine) fn wants_pushes(&self) -> bool {
        self.settings.listens || self.wants_queue()
    }

    pub(in crate::engine) fn wants_queue(&self) -> bool {
        self.settings.queue_url.is_some()
    }
}

/// The change of an alarm that has no topic.
fn unkept(alarm: &PushedAlarm, change: &AlarmChange) -> Happening {
    Happening {
        id: None,
        event_type: EventType::Alarm.as_str(),
        time: alarm.changed_at,
        source: Via::Sns.as_str(),
        channel_id: None,
        endpoint_id: None,
        alarm: Some(alarm.name.clone()),
        state: Some(change.to.clone()),
        previous_state: change.from.clone(),
        summary: alarm_sentence(&alarm.name, change),
        detail: None,
    }
}
