//! SNS: topics, subscriptions of HTTP endpoints and of queues, signed messages and their
//! delivery.
//!
//! ```ignore
//! let topic = region.sns().topic("alarms");
//! region.sns().subscribe(&topic, "http://127.0.0.1:8087/"); // sends SubscriptionConfirmation
//! let id = region.sns().publish(&topic, None, "hello");     // goes to whoever has confirmed
//! let outcome = region.sns().deliverer().finish(Duration::from_secs(30));
//! ```
//!
//! Sources: service model of SNS of 2010-03-31; SNS developer guide.

pub mod alarms;
pub mod api;
pub mod deliverer;
pub mod events;
pub mod json;
pub mod lists;
pub mod post;
pub mod signing;

use std::sync::Arc;

use super::server::Region;
use super::sqs::name_of;
use super::world::{ACCOUNT, World, guid};

use deliverer::{Deliverer, Delivery, Policy};
use signing::{Fields, Kind, SignedMessage};

/// Begins every token: whoever has one may confirm.
pub const TOKEN: &str = "2336412f37fb5eedf00d5eedf00d5eed";
/// In every URL by which anybody may end a subscription.
pub const UNSUBSCRIBE: &str = "Action=Unsubscribe";
/// Messages that are delivered at a time.
const THREADS: usize = 4;
/// Subscriptions on a page of `ListSubscriptionsByTopic`.
const PAGE: usize = 100;

/// SNS as AWS holds it.
pub struct Sns {
    /// Base of all URLs in messages. The region's own, until a test says otherwise.
    pub url: String,
    /// Topics.
    pub topics: Vec<Topic>,
    /// Subscriptions, also those that wait or have ended.
    pub subscriptions: Vec<Subscription>,
    /// How patiently messages sent from now on are delivered.
    pub policy: Arc<Policy>,
    /// How many are delivered at a time; counts when the first one is sent.
    pub threads: usize,
    /// Subscriptions on a page of a list.
    pub page: usize,
    rotations: usize,
}

/// A topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// ARN.
    pub arn: String,
    /// Its attribute `SignatureVersion`: `1` as AWS gives it, or `2`.
    pub signature_version: String,
}

/// How far a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for `ConfirmSubscription` with its token.
    Pending,
    /// Gets what is published.
    Confirmed,
    /// Was ended by its URL; the token of the `UnsubscribeConfirmation` restores it.
    Ended,
}

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// ARN that it has once it is confirmed.
    pub arn: String,
    /// ARN of its topic.
    pub topic_arn: String,
    /// URL that messages are posted to, or ARN of the queue that they are put into.
    pub endpoint: String,
    /// Its attribute `RawMessageDelivery`: a queue gets the bare message.
    pub raw: bool,
    /// The token of the latest confirmation message. It is good once.
    pub token: String,
    /// How far it is.
    pub state: State,
    /// Only a signed `Unsubscribe` ends it.
    pub authenticate_on_unsubscribe: bool,
}

impl Subscription {
    /// `sqs`, `http` or `https`.
    pub fn protocol(&self) -> &str {
        match self.endpoint.split(':').next() {
            Some("arn") => "sqs",
            scheme => scheme.unwrap_or_default(),
        }
    }
}

impl Default for Sns {
    fn default() -> Sns {
        Sns {
            url: String::new(),
            topics: Vec::new(),
            subscriptions: Vec::new(),
            policy: Arc::default(),
            threads: THREADS,
            page: PAGE,
            rotations: 0,
        }
    }
}

impl Sns {
    /// Signs with another key from now on. Certificates of earlier keys are still served.
    pub fn rotate(&mut self) {
        self.rotations += 1;
    }

    /// Name of the certificate that messages are signed for now.
    pub fn certificate(&self) -> String {
        certificate_name(self.rotations)
    }

    /// The subscription of this endpoint.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn subscription(&mut self, endpoint: &str) -> &mut Subscription {
        let mut all = self.subscriptions.iter_mut();
        let found = all.find(|s| s.endpoint == endpoint);
        found.unwrap_or_else(|| panic!("nobody subscribed {endpoint}"))
    }

    /// The topic of this ARN.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn topic(&mut self, arn: &str) -> &mut Topic {
        let found = self.topics.iter_mut().find(|t| t.arn == arn);
        found.unwrap_or_else(|| panic!("the region has no topic {arn}"))
    }

    fn pem(&self, name: &str) -> Option<&'static str> {
        let known = (0..=self.rotations).find(|n| certificate_name(*n) == name)?;
        Some(signing::KEYS[known % signing::KEYS.len()].certificate)
    }
}

fn certificate_name(rotation: usize) -> String {
    let name = guid(&format!("signing key {rotation}"));
    format!("SimpleNotificationService-{name}.pem")
}

impl World {
    /// A message of this kind, as the region would sign it now.
    ///
    /// # Panics
    ///
    /// When there is no such topic.
    pub fn sns_fields(&self, kind: Kind, topic_arn: &str) -> Fields {
        let topic = self.sns.topics.iter().find(|t| t.arn == topic_arn);
        let topic = topic.unwrap_or_else(|| panic!("the region has no topic {topic_arn}"));
        let subscription_arn = format!("{topic_arn}:{}", uuid());
        let message = match kind {
            Kind::Notification => String::from("Hello world!"),
            Kind::SubscriptionConfirmation => format!(
                "You have chosen to subscribe to the topic {topic_arn}.\nTo confirm the \
                 subscription, visit the SubscribeURL included in this message."
            ),
            Kind::UnsubscribeConfirmation => deactivated(&subscription_arn),
        };
        Fields {
            kind,
            message_id: uuid(),
            topic_arn: topic_arn.to_owned(),
            subscription_arn,
            token: token(),
            subject: None,
            message,
            at_ms: self.now_ms(),
            version: topic.signature_version.clone(),
            url: self.sns.url.clone(),
            certificate: self.sns.certificate(),
            key: self.sns.rotations,
            attributes: Vec::new(),
        }
    }

    /// A confirmation message with the token that the subscription waits for.
    fn confirmation(&self, kind: Kind, subscription: &Subscription) -> Delivery {
        let mut fields = self.sns_fields(kind, &subscription.topic_arn);
        if kind == Kind::UnsubscribeConfirmation {
            fields.message = deactivated(&subscription.arn);
        }
        fields.subscription_arn.clone_from(&subscription.arn);
        fields.token.clone_from(&subscription.token);
        self.delivery(&subscription.endpoint, fields.sign())
    }

    fn delivery(&self, endpoint: &str, message: SignedMessage) -> Delivery {
        let policy = Arc::clone(&self.sns.policy);
        Delivery {
            endpoint: endpoint.to_owned(),
            message,
            policy,
        }
    }

    fn put_into_queue(&mut self, subscription: &Subscription, fields: &Fields) {
        let queue_arn = &subscription.endpoint;
        if self.sqs.find(name_of(queue_arn)).is_some() {
            let body = match subscription.raw {
                true => fields.message.clone(),
                false => fields.sign().body,
            };
            self.send_message(queue_arn, &body);
        }
    }

    /// Ends a subscription as a visit of its `UnsubscribeURL` does: what its endpoint is told,
    /// if it can be told. Nothing happens when it is not confirmed.
    fn end_subscription(&mut self, arn: &str) -> Option<Delivery> {
        let mut all = self.sns.subscriptions.iter_mut();
        let subscription = all.find(|s| s.arn == arn && s.state == State::Confirmed)?;
        subscription.state = State::Ended;
        subscription.token = token();
        let ended = subscription.clone();
        let is_told = ended.protocol() != "sqs";
        is_told.then(|| self.confirmation(Kind::UnsubscribeConfirmation, &ended))
    }
}

fn deactivated(subscription_arn: &str) -> String {
    format!(
        "You have chosen to deactivate subscription {subscription_arn}.\nTo cancel this \
         operation and restore the subscription, visit the SubscribeURL included in this message."
    )
}

impl Region {
    /// SNS, as whoever owns the topics uses it.
    pub fn sns(&self) -> Service<'_> {
        Service { region: self }
    }

    /// Sets the state of an alarm, now. With `notify` CloudWatch also publishes it to the
    /// topics of its actions: the ids of the messages.
    ///
    /// # Panics
    ///
    /// When there is no such alarm.
    pub fn set_alarm_state(&self, name: &str, state: &str, notify: bool) -> Vec<String> {
        let published = self.edit(|world| {
            let found = world.alarms.iter().find(|a| a.name == name);
            let old = found.map(|a| a.state.clone()).unwrap_or_default();
            world.set_alarm(name, state, alarms::reason(state));
            let alarm = world
                .alarms
                .iter()
                .find(|a| a.name == name)
                .expect("was just set");
            let message = alarms::alarm_message(world, alarm, state, &old, alarm.updated_ms);
            let subject = alarms::subject(world, alarm, state);
            (alarm.actions.clone(), subject, message)
        });
        let (topics, subject, message) = published;
        let topics = topics.iter().filter(|_| notify);
        topics
            .map(|topic| self.sns().publish(topic, Some(&subject), &message))
            .collect()
    }
}

/// What the owner of topics can do.
pub struct Service<'a> {
    region: &'a Region,
}

impl Service<'_> {
    /// Makes a topic, once: its ARN.
    pub fn topic(&self, name: &str) -> String {
        self.region.edit(|world| {
            let arn = format!("arn:aws:sns:{}:{ACCOUNT}:{name}", world.region);
            if !world.sns.topics.iter().any(|t| t.arn == arn) {
                let signature_version = String::from("1");
                world.sns.topics.push(Topic {
                    arn: arn.clone(),
                    signature_version,
                });
            }
            arn
        })
    }

    /// Subscribes an endpoint, or subscribes it once more with another token, and sends the
    /// `SubscriptionConfirmation`: the ARN that the subscription will have.
    pub fn subscribe(&self, topic_arn: &str, endpoint: &str) -> String {
        let (arn, delivery) = self.region.edit(|world| {
            let subscription = new_subscription(world, topic_arn, endpoint, State::Pending);
            let delivery = world.confirmation(Kind::SubscriptionConfirmation, &subscription);
            (subscription.arn, delivery)
        });
        self.deliverer().deliver(delivery);
        arn
    }

    /// A subscription that was confirmed some time ago: its ARN.
    pub fn subscribed(&self, topic_arn: &str, endpoint: &str) -> String {
        self.region
            .edit(|w| new_subscription(w, topic_arn, endpoint, State::Confirmed).arn)
    }

    /// Subscribes a queue, which needs no confirmation: the ARN of the subscription. With `raw`
    /// the queue gets bare messages, otherwise what an HTTP endpoint gets.
    ///
    /// # Panics
    ///
    /// When there is no such queue, or when it is a FIFO queue: topics are not FIFO here.
    pub fn subscribe_queue(&self, topic_arn: &str, queue_arn: &str, raw: bool) -> String {
        self.region.edit(|world| {
            let is_fifo = world.sqs.queue(queue_arn).is_fifo();
            assert!(
                !is_fifo,
                "SNS puts nothing into a FIFO queue from a standard topic"
            );
            let arn = new_subscription(world, topic_arn, queue_arn, State::Confirmed).arn;
            let mut all = world.sns.subscriptions.iter_mut();
            let subscription = all.find(|s| s.arn == arn).expect("was just made");
            subscription.raw = raw;
            arn
        })
    }

    /// Ends a subscription as a visit of its `UnsubscribeURL` does, and sends the
    /// `UnsubscribeConfirmation`.
    ///
    /// # Panics
    ///
    /// When no confirmed subscription has this ARN.
    pub fn unsubscribe(&self, subscription_arn: &str) {
        let ended = self.region.edit(|world| {
            let mut all = world.sns.subscriptions.iter();
            let found = all.find(|s| s.arn == subscription_arn);
            let is_confirmed = found.is_some_and(|s| s.state == State::Confirmed);
            assert!(is_confirmed, "not confirmed: {subscription_arn}");
            world.end_subscription(subscription_arn)
        });
        if let Some(message) = ended {
            self.deliverer().deliver(message);
        }
    }

    /// Publishes to all confirmed endpoints and queues of a topic: the id of the message, which
    /// is the same for all of them. A queue that is gone gets nothing.
    pub fn publish(&self, topic_arn: &str, subject: Option<&str>, message: &str) -> String {
        let (id, deliveries) = self.region.edit(|world| {
            let mut fields = world.sns_fields(Kind::Notification, topic_arn);
            fields.subject = subject.map(str::to_owned);
            fields.message = message.to_owned();
            let all = world.sns.subscriptions.iter();
            let to = all.filter(|s| s.topic_arn == topic_arn && s.state == State::Confirmed);
            let to: Vec<Subscription> = to.cloned().collect();
            let mut deliveries = Vec::new();
            for subscription in to {
                fields.subscription_arn.clone_from(&subscription.arn);
                match subscription.protocol() {
                    "sqs" => world.put_into_queue(&subscription, &fields),
                    _ => deliveries.push(world.delivery(&subscription.endpoint, fields.sign())),
                }
            }
            (fields.message_id, deliveries)
        });
        for delivery in deliveries {
            self.deliverer().deliver(delivery);
        }
        id
    }

    /// A message to be changed, signed and posted by the test itself.
    pub fn fields(&self, kind: Kind, topic_arn: &str) -> Fields {
        self.region.edit(|world| world.sns_fields(kind, topic_arn))
    }

    /// A notification to be posted by the test itself.
    pub fn sign(&self, topic_arn: &str, subject: Option<&str>, message: &str) -> SignedMessage {
        let mut fields = self.fields(Kind::Notification, topic_arn);
        fields.subject = subject.map(str::to_owned);
        fields.message = message.to_owned();
        fields.sign()
    }

    /// What brings messages to their endpoints, and knows what became of them.
    pub fn deliverer(&self) -> &Deliverer {
        self.region.deliverer()
    }
}

fn new_subscription(
    world: &mut World,
    topic_arn: &str,
    endpoint: &str,
    state: State,
) -> Subscription {
    world.sns.topic(topic_arn);
    let subscriptions = &mut world.sns.subscriptions;
    let same = |s: &Subscription| s.topic_arn == topic_arn && s.endpoint == endpoint;
    let before = subscriptions
        .iter()
        .position(same)
        .map(|at| subscriptions.remove(at));
    let subscription = Subscription {
        arn: before.map_or_else(|| format!("{topic_arn}:{}", uuid()), |s| s.arn),
        topic_arn: topic_arn.to_owned(),
        endpoint: endpoint.to_owned(),
        raw: false,
        token: token(),
        state,
        authenticate_on_unsubscribe: false,
    };
    subscriptions.push(subscription.clone());
    subscription
}

/// A UUID. Ids differ between runs, as a listener remembers those that it has seen.
pub fn uuid() -> String {
    let mut digits = format!("{:032x}", fastrand::u128(..));
    for at in [20, 16, 12, 8] {
        digits.insert(at, '-');
    }
    digits
}

/// As long as AWS's.
fn token() -> String {
    let more = (0..6).map(|_| format!("{:032x}", fastrand::u128(..)));
    format!("{TOKEN}{}", more.collect::<String>())
}
