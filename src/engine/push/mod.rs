//! What AWS pushes: taken, joined with what is polled, published, and answered once it is safe.
//!
//! A message goes one of two ways. While the broker is up and nothing older waits, it is *in
//! hand*: its publications go out at once, and it is answered when the broker has taken them.
//! What takes too long is spooled besides. Otherwise it is spooled first, answered, and taken
//! in hand when its turn comes; what it means is joined with the rest of the state only then,
//! so that after a crash the same message means the same again.
//!
//! A message of the queue goes the first way only: the queue itself is its spool.

mod confirm;
mod hand;
mod queue;
mod repeats;
mod spool;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use heapless::Deque;

use super::outbox::Once;
use super::{Effect, Engine, Now, Settings};
use crate::state::alarms::Via;
use crate::state::fault::Fault;
use crate::state::logbook::REMINDER_INTERVAL;
use crate::state::model::Id;
use crate::state::push::{Counts, DeliveryId, Meaning, MessageId, Notice, Reason, Refusals};
use crate::state::subscription::{self, Subscription};
use crate::state::time::Mono;
use crate::topics::memory::Listed;
use crate::topics::{Topic, push as payload};

use confirm::Confirming;
use hand::Hand;
use queue::Queue;
use repeats::{EVENTS_MAX, MESSAGES_MAX, Repeats};
use spool::Shelf;

/// The broker may take so long before a message goes to the spool.
const BROKER_WAIT: Duration = Duration::from_secs(2);
/// Messages in `sns/messages`.
pub const LISTED_MAX: usize = 20;
/// `sns/messages` and `sns/subscription/…` at most this often.
const SHOW_INTERVAL: Duration = Duration::from_secs(1);
/// One reason of refusal is logged at most this often.
const REFUSAL_LOG_INTERVAL: Duration = REMINDER_INTERVAL;

/// The token of a confirmation: whoever has it can confirm the subscription.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfirmToken(pub String);

impl fmt::Debug for ConfirmToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A message that was found good.
#[derive(Clone, Debug)]
pub enum Push {
    /// Something was published to a topic.
    Notice(Box<Arrived>),
    /// Somebody subscribed us.
    Confirm {
        /// To be answered.
        delivery: DeliveryId,
        /// The same on every retry.
        message_id: MessageId,
        /// The topic.
        topic_arn: String,
        /// What AWS wants to hear again.
        token: ConfirmToken,
    },
    /// Somebody removed our subscription.
    Ended {
        /// To be answered.
        delivery: DeliveryId,
        /// The same on every retry.
        message_id: MessageId,
        /// The topic.
        topic_arn: String,
    },
}

/// A notification that waits for its answer.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// To be answered.
    pub delivery: DeliveryId,
    /// What it says.
    pub notice: Notice,
    /// The same for the spool.
    pub record: Arc<[u8]>,
    /// Our subscription, as far as the request tells it.
    pub subscription_arn: Option<String>,
}

/// Refusals that the log has not told yet.
#[derive(Debug)]
struct Unlogged {
    /// When they may be told.
    from: Mono,
    count: u64,
    example: Option<String>,
}

/// Everything about messages that AWS pushes.
#[derive(Debug)]
pub struct Pushes {
    repeats: Repeats<MESSAGES_MAX>,
    /// Events of EventBridge, which delivers them at least once, each time as another message.
    events: Repeats<EVENTS_MAX>,
    hand: Hand,
    shelf: Shelf,
    queue: Queue,
    confirming: BTreeMap<String, Confirming>,
    subscriptions: BTreeMap<Id, Subscription>,
    latest: Deque<Listed, LISTED_MAX>,
    counts: BTreeMap<Via, Counts>,
    /// By way and reason.
    unlogged: BTreeMap<(Via, Reason), Unlogged>,
    /// Topics whose payload has changed since they were shown.
    dirty: BTreeSet<Topic>,
    show_at: Mono,
}

impl Pushes {
    /// Of the topics in the config.
    pub(super) fn new(settings: &Settings) -> Pushes {
        let subscriptions = settings.topic_arns.iter().map(|arn| {
            let name = subscription::short_name(arn);
            (Id::from(name), Subscription::new(arn))
        });
        Pushes {
            repeats: Repeats::default(),
            events: Repeats::default(),
            hand: Hand::default(),
            shelf: Shelf::default(),
            queue: Queue::default(),
            confirming: BTreeMap::new(),
            subscriptions: subscriptions.collect(),
            latest: Deque::new(),
            counts: BTreeMap::new(),
            unlogged: BTreeMap::new(),
            dirty: BTreeSet::new(),
            show_at: Mono::default(),
        }
    }

    fn subscription(&mut self, topic_arn: &str) -> Option<(&Id, &mut Subscription)> {
        let mut all = self.subscriptions.iter_mut();
        all.find(|(_, subscription)| subscription.topic_arn == topic_arn)
    }

    /// When something is due that no event will bring about.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let show = (!self.dirty.is_empty()).then_some(self.show_at);
        let confirming = self.confirming.values().filter_map(Confirming::deadline);
        let spool = self.shelf.deadline();
        let times = confirming
            .chain(show)
            .chain(self.hand.deadline())
            .chain(spool);
        times.min()
    }

    /// Whether this publication has to go out alone: it was under way when sessions ended.
    pub(super) fn is_suspect(&self, number: u64) -> bool {
        self.hand.is_suspect(number)
    }

    /// Whether this publication belongs to a message that waits for it.
    pub(super) fn is_awaited(&self, number: u64) -> bool {
        self.hand.is_awaited(number)
    }

    /// The broker has taken a publication told once.
    pub(super) fn hand_acknowledged(&mut self, number: u64) {
        self.hand.acknowledged(number);
    }

    /// A session ended while these were under way.
    pub(super) fn session_over(&mut self, under_way: &[(u64, Once)], now: Mono) {
        let numbers = under_way.iter().map(|(number, _)| number);
        self.hand.session_over(numbers, now);
    }

    /// What the agent should say of itself.
    pub(super) fn complaints(&self) -> impl Iterator<Item = String> {
        let fault = self.shelf.fault.as_ref();
        let of_spool = fault.map(|fault| format!("the spool: {fault}"));
        of_spool.into_iter().chain(self.queue.complaint())
    }
}

impl Engine {
    pub(super) fn pushed(&mut self, now: Now, push: Push) {
        match push {
            Push::Notice(arrived) => self.arrived(now, *arrived),
            Push::Confirm {
                delivery,
                message_id,
                topic_arn,
                token,
            } => self.confirm(now, delivery, message_id, topic_arn, token),
            Push::Ended {
                delivery,
                message_id,
                topic_arn,
            } => self.ended(now, delivery, message_id, &topic_arn),
        }
    }

    fn arrived(&mut self, now: Now, arrived: Arrived) {
        let Arrived {
            delivery,
            notice,
            record,
            subscription_arn,
        } = arrived;
        let id = notice.message_id;
        if self.stopping.is_some() {
            self.refuse_push(now, delivery, notice.topic_arn);
        } else if let Some(entry) = self.pushes.hand.entry_of(id) {
            if entry.is_safe() {
                self.answer(now, delivery);
            } else {
                entry.wait_for(delivery, wait_of(delivery, now));
            }
        } else if !self.pushes.shelf.wait_for(id, delivery) {
            if self.pushes.repeats.contains(id, now.mono) {
                self.answer(now, delivery);
            } else if self.may_take(delivery, record.len()) {
                let until = wait_of(delivery, now);
                let entry = hand::Entry::arrived(id, delivery, record, until);
                self.take(now, notice, subscription_arn, entry);
            } else if let DeliveryId::Queued(_) = delivery {
                self.park(Arrived {
                    delivery,
                    notice,
                    record,
                    subscription_arn,
                });
            } else {
                self.shelve(now, delivery, id, notice.topic_arn, record);
            }
        }
    }

    /// Whether a message may go to the broker at once, past the spool.
    fn may_take(&self, delivery: DeliveryId, bytes: usize) -> bool {
        let shelf = &self.pushes.shelf;
        let waits = match delivery {
            DeliveryId::Request(_) => shelf.has_older(),
            DeliveryId::Queued(_) => shelf.goes_first(),
        };
        self.broker.connected && !waits && self.pushes.hand.has_room(bytes)
    }

    /// Joins a message with the state and lets its publications go out.
    fn take(
        &mut self,
        now: Now,
        notice: Notice,
        subscription_arn: Option<String>,
        mut entry: hand::Entry,
    ) {
        self.note_message(&notice, subscription_arn, entry.is_safe());
        if let Meaning::Event(event) = &notice.meaning {
            entry.event_id = event.event_id;
        }
        entry.listed = Some(Listed {
            id: notice.message_id,
            json: payload::listed(&notice),
        });
        let message = self.tell_once(Once::Message(payload::message(&notice)));
        entry.once.push(message);
        self.join(now, &notice, &mut entry);
        if let Some(source) = notice.wakes() {
            self.polls.wake(source, now.mono);
        }
        self.pushes.hand.insert(entry);
    }

    /// Says that a message is safe.
    fn answer(&mut self, now: Now, delivery: DeliveryId) {
        match delivery {
            DeliveryId::Request(request) => self.effects.push(Effect::Answer {
                request,
                refused: None,
            }),
            DeliveryId::Queued(number) => {
                let is_news = self.pushes.queue.is_safe(number, now.mono);
                self.told.agent_changed |= is_news;
            }
        }
    }

    /// Says that a message cannot be kept now, so that it comes again.
    fn refuse_push(&mut self, now: Now, delivery: DeliveryId, topic_arn: Option<String>) {
        let request = match delivery {
            DeliveryId::Request(request) => request,
            DeliveryId::Queued(number) => return self.pushes.queue.leave(number),
        };
        let reason = Reason::Busy;
        self.effects.push(Effect::Answer {
            request,
            refused: Some(reason),
        });
        let refusals = Refusals {
            via: Via::Sns,
            reason,
            topic_arn,
            count: 1,
            example: None,
        };
        self.refused(now, refusals);
    }

    /// Lets time pass: what the broker has not taken goes to the spool, what is spooled comes
    /// back when there is room.
    pub(super) fn advance_pushes(&mut self, now: Now) {
        if !self.wants_pushes() {
            return;
        }
        self.advance_hand(now);
        self.advance_confirmations(now);
        if self.stopping.is_none() {
            self.advance_shelf(now);
        }
    }

    /// The listener works, or it does not.
    pub(super) fn listener(&mut self, now: Now, result: Result<(), Fault>) {
        self.note(
            now,
            crate::state::source::Source::Sns,
            result,
            Duration::ZERO,
        );
    }
}

/// How long a message waits for the broker before it is spooled. The queue keeps its own.
fn wait_of(delivery: DeliveryId, now: Now) -> Option<Mono> {
    match delivery {
        DeliveryId::Request(_) => Some(now.mono.after(BROKER_WAIT)),
        DeliveryId::Queued(_) => None,
    }
}
