//! What a message of the queue is: SNS's envelope, a message delivered raw, or an event that
//! EventBridge put there itself. Pure.
//!
//! Who may send is the queue's own policy, so there is no signature to hold and no age to refuse:
//! a queue keeps messages for days. An envelope names its topic, and only ours are taken.
//!
//! Sources: SNS developer guide, "Amazon SNS raw message delivery" and "Fanout to Amazon SQS
//! queues"; EventBridge user guide, "Events".

use sha2::{Digest, Sha256};

use super::accepted::Accepted;
use super::envelope::{self, Kind, Unsigned};
use super::json::{self, pick};
use super::receiver::Refusal;
use crate::state::alarms::Via;
use crate::state::push::{MessageId, Reason};
use crate::state::time::UnixMs;

/// What the queue tells of a message.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The queue's own id: the same however often it is received.
    pub queue_id: &'a str,
    /// When it was put into the queue.
    pub sent_at: Option<UnixMs>,
    /// When it came here, by AWS's clock.
    pub received_at: UnixMs,
}

/// Takes a message, or tells why not.
///
/// # Errors
///
/// [`Reason::Topic`] for an envelope of a foreign topic, [`Reason::Invitation`] and
/// [`Reason::Type`] for one that is no notification, [`Reason::Malformed`] for one that is
/// broken, and for anything else that is no JSON object.
pub fn judge(body: &str, around: &Around, topic_arns: &[String]) -> Result<Accepted, Refusal> {
    if !(json::is_object(body) && json::is_json(body)) {
        return Err(Refusal {
            reason: Reason::Malformed,
            topic_arn: None,
        });
    }
    let [kind, topic] = pick(body, ["Type", "TopicArn"]);
    let (Some(_), Some(topic)) = (kind, topic) else {
        return Ok(bare(body, around));
    };
    let topic = json::string(topic).unwrap_or_default();
    enveloped(body, around, topic_arns.iter().find(|t| **t == topic))
}

/// A message in SNS's envelope, of this topic of ours.
fn enveloped(body: &str, around: &Around, topic: Option<&String>) -> Result<Accepted, Refusal> {
    let refused = |reason| Refusal {
        reason,
        topic_arn: topic.cloned(),
    };
    let unsigned = envelope::parse_unsigned(body).map_err(refused)?;
    let topic_arn = topic.ok_or_else(|| refused(Reason::Topic))?;
    let Unsigned {
        kind,
        message_id,
        subject,
        message,
        timestamp,
    } = unsigned;
    match kind {
        Kind::Notification => {}
        Kind::SubscriptionConfirmation => return Err(refused(Reason::Invitation)),
        Kind::UnsubscribeConfirmation => return Err(refused(Reason::Type)),
    }
    Ok(Accepted {
        message_id: message_id.unwrap_or_else(|| id_of(body, around)),
        topic_arn: Some(topic_arn.clone()),
        subject,
        timestamp: timestamp.or(around.sent_at).unwrap_or(around.received_at),
        received_at: around.received_at,
        via: Via::Sqs,
        message,
    })
}

/// A message without an envelope. EventBridge delivers an event at least once, each time as
/// another message of the queue: so its own id is what tells a repeat.
fn bare(body: &str, around: &Around) -> Accepted {
    let [source, detail_type, id] = pick(body, ["source", "detail-type", "id"]);
    let of_event = source.and(detail_type).and(id).and_then(json::string);
    let of_event = of_event.and_then(|id| MessageId::parse(&id));
    Accepted {
        message_id: of_event.unwrap_or_else(|| id_of(body, around)),
        topic_arn: None,
        subject: None,
        timestamp: around.sent_at.unwrap_or(around.received_at),
        received_at: around.received_at,
        via: Via::Sqs,
        message: body.to_owned(),
    }
}

/// The queue's own id. Where that is none, the same message has the same id all the same.
fn id_of(body: &str, around: &Around) -> MessageId {
    MessageId::parse(around.queue_id).unwrap_or_else(|| {
        let hash = Sha256::new()
            .chain_update(around.queue_id)
            .chain_update(body)
            .finalize();
        let (first, _) = hash.split_at(16);
        MessageId::from_bytes(first.try_into().unwrap_or_default())
    })
}
