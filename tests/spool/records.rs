//! Records as the tests write them: a UUID and filler, or something that nobody understands.

use std::sync::Arc;

use mediapackage2mqtt::engine::spooling::{Seq, Spooled};
use mediapackage2mqtt::sns::spool::Limits;
use mediapackage2mqtt::state::alarms::Via;
use mediapackage2mqtt::state::push::{EventType, Meaning, MessageId, Notice, Passed, PushedEvent};
use mediapackage2mqtt::state::time::UnixMs;

const UUID_BYTES: usize = 36;

/// Small enough that every limit is met.
pub const SMALL: Limits = Limits {
    bytes_max: 6000,
    segment_bytes_max: 400,
    aside_max: 2,
    read_records_max: 3,
    read_bytes_max: 300,
    batch_max: 4,
    pending_max: 8192,
};

/// A record of this many bytes more than a UUID has.
pub fn record(id: u64, filler: usize) -> Vec<u8> {
    let letter = char::from(b'a' + (id % 26) as u8);
    let filler: String = std::iter::repeat_n(letter, filler).collect();
    format!("00000000-0000-4000-8000-{id:012x}{filler}").into_bytes()
}

/// What [`decode`] does not understand.
pub fn strange(id: u64) -> Vec<u8> {
    format!("? {id}").into_bytes()
}

pub fn id(record: &[u8]) -> Option<MessageId> {
    MessageId::parse(std::str::from_utf8(record.get(..UUID_BYTES)?).ok()?)
}

pub fn decode(record: &[u8]) -> Option<Notice> {
    let passed = |json: &str| Passed {
        json: json.to_owned(),
        truncated: false,
    };
    Some(Notice {
        message_id: id(record)?,
        topic_arn: None,
        subject: None,
        timestamp: UnixMs(0),
        received_at: UnixMs(0),
        via: Via::Sns,
        message: passed(std::str::from_utf8(record).ok()?),
        meaning: Meaning::Event(Box::new(PushedEvent {
            event_id: None,
            event_type: EventType::Other,
            time: UnixMs(0),
            about: Vec::new(),
            state: None,
            previous_state: None,
            summary: String::new(),
            detail: passed("{}"),
            wakes: None,
        })),
    })
}

/// A record that was told, and its bytes where they were understood.
pub fn told(spooled: Vec<Spooled>) -> Vec<(Seq, Option<Vec<u8>>)> {
    let plain = |told: Spooled| {
        let bytes = told.notice.map(|notice| notice.message.json.into_bytes());
        (told.seq, bytes)
    };
    spooled.into_iter().map(plain).collect()
}

pub fn batch(records: impl IntoIterator<Item = (Seq, Vec<u8>)>) -> Vec<(Seq, Arc<[u8]>)> {
    let shared = |(seq, record): (Seq, Vec<u8>)| (seq, record.into());
    records.into_iter().map(shared).collect()
}
