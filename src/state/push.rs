//! What AWS sends by itself, over SNS or SQS: messages that were found good, and what they mean.

use std::collections::BTreeMap;
use std::fmt;

use super::alarms::Via;
use super::model::Id;
use super::polled::{AlarmKind, Dimension};
use super::source::Source;
use super::time::UnixMs;

/// Names one delivery of a message until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryId {
    /// A request to the listener.
    Request(u64),
    /// A message received from the queue.
    Queued(u64),
}

/// What the queue gives with a message, to delete it by. New at every receive.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt(pub String);

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The id that SNS gives a message and keeps on every retry: a UUID.
///
/// Source: SNS developer guide, "Parsing message formats".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u128);

/// Where the hyphens of a UUID stand (RFC 9562 section 4).
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_BYTES: usize = 36;

impl MessageId {
    /// Reads the form `22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324`, and no other.
    pub fn parse(text: &str) -> Option<MessageId> {
        let bytes = text.as_bytes();
        let well = bytes.len() == UUID_BYTES
            && bytes.iter().enumerate().all(|(at, byte)| {
                if HYPHENS.contains(&at) {
                    *byte == b'-'
                } else {
                    byte.is_ascii_hexdigit()
                }
            });
        let digits = well.then(|| text.replace('-', ""))?;
        u128::from_str_radix(&digits, 16).ok().map(MessageId)
    }

    /// One made of these bytes, for a message that was given none.
    pub fn from_bytes(bytes: [u8; 16]) -> MessageId {
        MessageId(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let parts = [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..],
        ];
        f.write_str(&parts.join("-"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What kind of thing a message tells: the last level of `event/<type>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// A CloudWatch alarm changed its state.
    Alarm,
    /// An origin endpoint switched to another ingest endpoint.
    InputSwitch,
    /// A channel gets more streams than it takes.
    MaxIngestStreams,
    /// A key provider (SPEKE) failed.
    KeyProvider,
    /// A harvest job ended.
    HarvestJob,
    /// A VOD asset is being ingested, or can be played.
    VodIngest,
    /// Anything else.
    Other,
}

impl EventType {
    /// As it stands in topics and payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Alarm => "alarm",
            EventType::InputSwitch => "input_switch",
            EventType::MaxIngestStreams => "max_ingest_streams",
            EventType::KeyProvider => "key_provider",
            EventType::HarvestJob => "harvest_job",
            EventType::VodIngest => "vod_ingest",
            EventType::Other => "other",
        }
    }
}

/// JSON text that may be published: secrets replaced, cut to a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// One JSON value. What was cut is a string.
    pub json: String,
    /// Whether it was cut.
    pub truncated: bool,
}

impl Passed {
    /// The same when it is no longer than this; else the head of it as a string.
    pub fn cut(&self, bytes_max: usize) -> Passed {
        if self.json.len() <= bytes_max {
            return self.clone();
        }
        let text: Option<String> = serde_json::from_str(&self.json).ok();
        let head = Passed::head(text.as_deref().unwrap_or(&self.json), bytes_max);
        Passed {
            truncated: true,
            ..head
        }
    }

    /// As much of a text as fits into a JSON string of this length, quotes and all.
    pub fn head(text: &str, bytes_max: usize) -> Passed {
        let room = bytes_max.saturating_sub(2);
        let mut used = 0;
        let over = text.char_indices().find(|(_, c)| {
            used += escaped_bytes(*c);
            used > room
        });
        let head = over.map_or(text, |(at, _)| &text[..at]);
        Passed {
            json: serde_json::Value::from(head).to_string(),
            truncated: over.is_some(),
        }
    }
}

/// The length of a character in a JSON string, as `serde_json` writes it.
fn escaped_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// An accepted notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The same on every retry.
    pub message_id: MessageId,
    /// The topic it came through; `None` for an event that came to the queue without one.
    pub topic_arn: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// When it was published, by AWS's clock.
    pub timestamp: UnixMs,
    /// When it came here, by AWS's clock as far as that is known.
    pub received_at: UnixMs,
    /// Which way it came: never [`Via::Poll`].
    pub via: Via,
    /// The message itself.
    pub message: Passed,
    /// What it tells.
    pub meaning: Meaning,
}

impl Notice {
    /// What kind of thing it tells.
    pub fn event_type(&self) -> EventType {
        match &self.meaning {
            Meaning::Alarm(_) => EventType::Alarm,
            Meaning::Event(event) => event.event_type,
        }
    }

    /// The source that should look again now.
    pub fn wakes(&self) -> Option<Source> {
        match &self.meaning {
            Meaning::Alarm(_) => Some(Source::Alarms),
            Meaning::Event(event) => event.wakes,
        }
    }
}

/// What a message tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// An alarm changed its state.
    Alarm(Box<PushedAlarm>),
    /// Something happened.
    Event(Box<PushedEvent>),
}

/// A change of an alarm's state, as CloudWatch's own notification or EventBridge tells it.
///
/// Sources: CloudWatch user guide, "Notifying users on alarm changes" and "Alarm events and
/// EventBridge".
#[derive(Clone, Debug, PartialEq)]
pub struct PushedAlarm {
    /// Its name.
    pub name: Id,
    /// Its ARN, which tells account and region.
    pub arn: String,
    /// From the ARN.
    pub account_id: Option<String>,
    /// From the ARN.
    pub region: Option<String>,
    /// Its kind.
    pub kind: AlarmKind,
    /// The state it changed to.
    pub state: String,
    /// The state before.
    pub previous_state: Option<String>,
    /// AWS's sentence about it.
    pub reason: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// When the state changed, in milliseconds.
    pub changed_at: UnixMs,
    /// Of a single-metric alarm.
    pub namespace: Option<String>,
    /// Of a single-metric alarm.
    pub metric: Option<String>,
    /// Of a single-metric alarm; of metric math those of the first `AWS/MediaPackage` metric.
    pub dimensions: Vec<Dimension>,
    /// The limit.
    pub threshold: Option<f64>,
    /// AWS's name of the comparison.
    pub comparison: Option<String>,
}

/// Something that a message refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A channel or origin endpoint, by its ARN.
    Arn(String),
    /// A channel, by its id.
    Channel(Id),
    /// An origin endpoint, by its id.
    Endpoint(Id),
}

/// Something that happened, other than an alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct PushedEvent {
    /// The id that EventBridge gave it, which tells a repeat whichever way that comes.
    pub event_id: Option<MessageId>,
    /// What kind of thing.
    pub event_type: EventType,
    /// When, by AWS's word; the message's own time where the event has none.
    pub time: UnixMs,
    /// Whom it is about, as far as the message tells; the first that is known counts.
    pub about: Vec<Reference>,
    /// The state after it, where there is one (`SUCCEEDED` of a harvest job).
    pub state: Option<String>,
    /// The state before it.
    pub previous_state: Option<String>,
    /// One sentence.
    pub summary: String,
    /// The event's own details, a JSON object.
    pub detail: Passed,
    /// The source that should look again now.
    pub wakes: Option<Source>,
}

/// Why a request to the listener or a message of the queue was refused. Each is counted by
/// itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not a POST.
    Method,
    /// Not the path that messages are taken at.
    Path,
    /// The request is no HTTP that is spoken here (400, 411, 431, 505).
    Http,
    /// The body is too large.
    TooLarge,
    /// The body is not one JSON object of the shape that SNS sends, or holds a key twice.
    Malformed,
    /// Raw delivery: such a message has no signature.
    Raw,
    /// The `Type` is none of the three, or not that of the header.
    Type,
    /// The topic is not one of `topic_arns`, or not that of the header.
    Topic,
    /// `SigningCertURL` is not a certificate of `sns.url`.
    CertificateUrl,
    /// The signature's version is neither 1 nor 2, or below `min_signature_version`.
    SignatureVersion,
    /// The signature is not right.
    Signature,
    /// The certificate is not one that SNS signs with: its name, key or validity.
    Certificate,
    /// Published longer ago than AWS tries.
    TooOld,
    /// Published in the future.
    Ahead,
    /// `SubscribeURL` is not a confirmation of this topic at `sns.url`.
    SubscribeUrl,
    /// A confirmation that came through the queue.
    Invitation,
    /// Cannot be judged now: the certificate is not to be had.
    NoCertificate,
    /// Cannot be judged now: AWS's time is not known yet.
    NoClock,
    /// Cannot be kept now: broker and spool do not take it, or too much is under way.
    Busy,
}

impl Reason {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Method => "method",
            Reason::Path => "path",
            Reason::Http => "http",
            Reason::TooLarge => "too_large",
            Reason::Malformed => "malformed",
            Reason::Raw => "raw_delivery",
            Reason::Type => "type",
            Reason::Topic => "topic",
            Reason::CertificateUrl => "certificate_url",
            Reason::SignatureVersion => "signature_version",
            Reason::Signature => "signature",
            Reason::Certificate => "certificate",
            Reason::TooOld => "too_old",
            Reason::Ahead => "ahead",
            Reason::SubscribeUrl => "subscribe_url",
            Reason::Invitation => "subscription_confirmation",
            Reason::NoCertificate => "no_certificate",
            Reason::NoClock => "no_clock",
            Reason::Busy => "busy",
        }
    }

    /// The status that the sender gets. AWS comes again after a 5xx, and drops the message for
    /// ever after a 4xx (SNS developer guide, "Amazon SNS message delivery retries").
    pub fn status(self) -> u16 {
        match self {
            Reason::Method => 405,
            Reason::Path => 404,
            Reason::TooLarge => 413,
            Reason::Http | Reason::Malformed | Reason::Raw | Reason::Type => 400,
            Reason::Topic
            | Reason::CertificateUrl
            | Reason::SignatureVersion
            | Reason::Signature
            | Reason::Certificate
            | Reason::TooOld
            | Reason::Ahead
            | Reason::SubscribeUrl
            | Reason::Invitation => 403,
            Reason::NoCertificate | Reason::NoClock | Reason::Busy => 503,
        }
    }

    /// What it means, for the log.
    pub fn explain(self) -> &'static str {
        match self {
            Reason::Method => "not a POST",
            Reason::Path => "not the path that subscribe-url tells",
            Reason::Http => "not the HTTP that is spoken here",
            Reason::TooLarge => "the body is too large",
            Reason::Malformed => "the body is not what SNS sends",
            Reason::Raw => {
                "raw message delivery has no signature; switch it off in the subscription"
            }
            Reason::Type => "a type that is not known, or not that of the header",
            Reason::Topic => "not one of topic_arns",
            Reason::CertificateUrl => "the certificate is not at [sns] url",
            Reason::SignatureVersion => {
                "the signature's version is not known, or below min_signature_version"
            }
            Reason::Signature => "the signature is not right",
            Reason::Certificate => "the certificate is not one that SNS signs with",
            Reason::TooOld => "published longer ago than AWS tries to deliver",
            Reason::Ahead => "published in the future; check this machine's clock",
            Reason::SubscribeUrl => "the confirmation is not for this topic at [sns] url",
            Reason::Invitation => {
                "a queue is confirmed by its owner; subscribe it with the account that owns it, \
                 which needs no confirmation"
            }
            Reason::NoCertificate => "the signing certificate is not to be had now",
            Reason::NoClock => "AWS's time is not known yet",
            Reason::Busy => "neither broker nor spool take it now",
        }
    }
}

/// What came one way, since the process started.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Notifications taken.
    pub accepted: u64,
    /// What was refused, by reason.
    pub rejected: BTreeMap<Reason, u64>,
}

/// How often something was refused since the last time it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// Which way it came: never [`Via::Poll`].
    pub via: Via,
    /// Why.
    pub reason: Reason,
    /// The topic of ours that it named.
    pub topic_arn: Option<String>,
    /// How often.
    pub count: u64,
    /// How whoever looks for the last of them knows it, in words.
    pub example: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_a_json_string_of_the_head() {
        let passed = |json: &str| Passed {
            json: json.into(),
            truncated: false,
        };
        let cases = [
            (r#"{"a":1}"#, 7, r#"{"a":1}"#, false),
            (r#"{"a":1}"#, 6, r#""{\"a""#, true),
            (r#""abcdef""#, 5, r#""abc""#, true),
            (r#""\"\"\"""#, 5, r#""\"""#, true),
            (r#""\u0001\u0001""#, 9, r#""\u0001""#, true),
            ("\"\u{e9}\u{e9}\"", 5, "\"\u{e9}\"", true),
        ];
        for (json, bytes_max, wanted, truncated) in cases {
            let cut = passed(json).cut(bytes_max);
            assert_eq!(
                (cut.json.as_str(), cut.truncated),
                (wanted, truncated),
                "{json}"
            );
        }
    }

    #[test]
    fn a_message_id_is_a_uuid_in_its_one_form() {
        let good = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324";
        assert_eq!(MessageId::parse(good).unwrap().to_string(), good);
        let bad = [
            "",
            "22b80b92fdea4c2c8f9dbdfb0c7bf324",
            "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf32",
            "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf3240",
            "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf32g",
            "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf3\u{e9}",
            "{22b80b92-fdea-4c2c-8f9d-bdfb0c7bf32}",
        ];
        for text in bad {
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
    }
}
