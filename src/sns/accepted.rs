//! A message that was found good: as it came, as the spool keeps it, and as it is told.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{meaning, redact};
use crate::state::alarms::Via;
use crate::state::push::{MessageId, Notice};
use crate::state::time::UnixMs;

/// A subject is at most 100 characters (SNS API, `Publish`); what is longer is cut.
const SUBJECT_CHARS_MAX: usize = 100;

/// An accepted notification, raw. What it means is found out by [`Accepted::notice`] alone,
/// whether it comes from AWS or out of the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
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
    /// The message itself, as it came.
    pub message: String,
}

/// A record of the spool. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    message_id: Cow<'a, str>,
    topic_arn: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    timestamp: i64,
    received_at: i64,
    via: Cow<'a, str>,
    message: Cow<'a, str>,
}

impl Accepted {
    /// The spool's record of it: JSON.
    pub fn encode(&self) -> Vec<u8> {
        let record = Record {
            message_id: self.message_id.to_string().into(),
            topic_arn: self.topic_arn.as_deref().map(Cow::Borrowed),
            subject: self.subject.as_deref().map(Cow::Borrowed),
            timestamp: self.timestamp.0,
            received_at: self.received_at.0,
            via: self.via.as_str().into(),
            message: self.message.as_str().into(),
        };
        // Text and whole numbers can always be written.
        serde_json::to_vec(&record).unwrap_or_default()
    }

    /// Reads what [`Accepted::encode`] writes; `None` when it is something else. Keys that a
    /// later version adds are passed over.
    pub fn decode(record: &[u8]) -> Option<Accepted> {
        let record: Record = serde_json::from_slice(record).ok()?;
        Some(Accepted {
            message_id: MessageId::parse(&record.message_id)?,
            topic_arn: record.topic_arn.map(Cow::into_owned),
            subject: record.subject.map(Cow::into_owned),
            timestamp: UnixMs(record.timestamp),
            received_at: UnixMs(record.received_at),
            via: Via::parse(&record.via).filter(|via| *via != Via::Poll)?,
            message: record.message.into_owned(),
        })
    }

    /// What the engine is told: the message without its secrets, and what it means.
    pub fn notice(&self) -> Notice {
        let subject = self.subject.as_deref().map(|subject| {
            // Secrets go first: cut, they would not be found.
            let clean = redact::text(subject);
            clean.chars().take(SUBJECT_CHARS_MAX).collect::<String>()
        });
        Notice {
            message_id: self.message_id,
            topic_arn: self.topic_arn.clone(),
            timestamp: self.timestamp,
            received_at: self.received_at,
            via: self.via,
            message: redact::message(&self.message),
            meaning: meaning::of(&meaning::Told {
                message: &self.message,
                subject: subject.as_deref(),
                topic_arn: self.topic_arn.as_deref(),
                timestamp: self.timestamp,
            }),
            subject,
        }
    }
}
