//! Messages as tables: what is told of them, and what is kept back.

mod accepted;
mod garbage;
mod meaning;
mod queued;
mod redact;
mod sizes;

use super::accepted::Accepted;
use crate::state::alarms::Via;
use crate::state::push::{Meaning, MessageId, Notice, PushedAlarm, PushedEvent};
use crate::state::time::UnixMs;

/// When every message of these tests was published.
const PUBLISHED: UnixMs = UnixMs(1_795_341_600_000);

fn accepted(message: &str) -> Accepted {
    Accepted {
        message_id: MessageId::parse("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324").unwrap(),
        topic_arn: Some("arn:aws:sns:eu-central-1:123456789012:mediapackage".into()),
        subject: None,
        timestamp: PUBLISHED,
        received_at: PUBLISHED.plus_ms(700),
        via: Via::Sns,
        message: message.into(),
    }
}

fn notice(message: &str) -> Notice {
    accepted(message).notice()
}

fn alarm(message: &str) -> PushedAlarm {
    match notice(message).meaning {
        Meaning::Alarm(alarm) => *alarm,
        Meaning::Event(event) => panic!("no alarm but {event:?}"),
    }
}

fn event(message: &str) -> PushedEvent {
    match notice(message).meaning {
        Meaning::Event(event) => *event,
        Meaning::Alarm(alarm) => panic!("no event but {alarm:?}"),
    }
}
