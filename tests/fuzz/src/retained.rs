//! What the broker's retained store says of us: what is taken up could have been written by us.

use std::time::Duration;

use mediapackage2mqtt::state::alarms::{Alarm, Alarms};
use mediapackage2mqtt::state::push::Reason;
use mediapackage2mqtt::state::subscription::{Subscription, short_name};
use mediapackage2mqtt::state::time::{Mono, UnixMs};
use mediapackage2mqtt::topics::memory::{Listed, Memory, recall};
use mediapackage2mqtt::topics::{Names, Topic, payload, push};
use serde_json::Value;

const NOON: UnixMs = UnixMs(1_795_341_600_000);
/// A longer payload is not read back; `sns/messages` has a limit of its own.
const MEMORY_BYTES_MAX: usize = 32 * 1024;
const MESSAGES_BYTES_MAX: usize = 120 * 1024;

/// The topic is the first line of the input. Whether it is a memory.
pub fn check(bytes: &[u8]) -> bool {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let topic = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (Some(topic), Some(payload)) = (topic, lines.next()) else {
        return false;
    };
    let Some(memory) = recall(topic, payload) else {
        return false;
    };
    assert_eq!(recall(topic, payload).as_ref(), Some(&memory));
    match memory {
        Memory::Online(is_online) => assert_eq!(is_online, payload == b"online"),
        Memory::Owner(_) => assert_eq!(topic, "agent"),
        Memory::Alarm(alarm) => hold_alarm(topic, *alarm),
        Memory::Messages(listed) => hold_messages(listed, payload.len()),
        Memory::Subscription(subscription) => hold_subscription(topic, &subscription),
        Memory::Watermark(resource, minute) => {
            let name = name(&Topic::Metrics(resource));
            assert_eq!(name, topic);
            assert!(minute.start() <= minute.plus(1).start());
        }
        Memory::Document(..) => panic!("{topic} is below no prefix of documents"),
    }
    true
}

fn name(topic: &Topic) -> String {
    let name = Names::new("b", "i").of(topic);
    name.strip_prefix("b/i/").expect("our prefix").to_owned()
}

fn hold_alarm(topic: &str, alarm: Alarm) {
    let key = alarm.key();
    assert_eq!(name(&Topic::Alarm(key.clone())), topic);
    let payload = payload::alarm(&alarm);
    if payload.len() <= MEMORY_BYTES_MAX {
        let again = recall(topic, payload.as_bytes());
        let Some(Memory::Alarm(again)) = again else {
            panic!("what is taken up is not written so: {again:?} of {payload}");
        };
        // The last digit of a number may go.
        let threshold = alarm.threshold;
        assert_eq!(
            Alarm {
                threshold,
                ..*again
            },
            alarm
        );
    }
    let mut alarms = Alarms::default();
    let (now, is_listed) = (Mono(Duration::from_secs(1)), alarm.listed);
    let is_foreign = alarm.foreign;
    let taken = alarms.adopt(alarm.clone(), now, NOON);
    assert!(taken || !is_listed || is_foreign, "{key:?}");
    assert_eq!(alarms.get(&key), taken.then_some(&alarm));
    assert!(!alarms.adopt(alarm, now, NOON) || !taken, "{key:?} twice");
    assert!(alarms.next_expiry().is_none_or(|next| next > now));
}

fn hold_messages(listed: Vec<Listed>, payload_bytes: usize) {
    for entry in &listed {
        let value: Value = serde_json::from_str(&entry.json).expect("an entry is JSON");
        let id = value["message_id"].as_str().map(str::to_ascii_lowercase);
        assert_eq!(id, Some(entry.id.to_string()));
    }
    let list = push::messages(listed.iter().map(|entry| entry.json.as_str()));
    assert!(
        list.len() <= 16 * payload_bytes.max(64),
        "{} from {payload_bytes}",
        list.len()
    );
    if list.len() <= MESSAGES_BYTES_MAX {
        let Some(Memory::Messages(again)) = recall("sns/messages", list.as_bytes()) else {
            panic!("what is taken up is not written so: {list}");
        };
        let ids = |all: &[Listed]| all.iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(&again), ids(&listed));
    }
}

fn hold_subscription(topic: &str, subscription: &Subscription) {
    let short = short_name(&subscription.topic_arn).into();
    assert_eq!(name(&Topic::Subscription(short)), topic);
    let payload = push::subscription(subscription);
    if payload.len() <= MEMORY_BYTES_MAX {
        let again = recall(topic, payload.as_bytes());
        let Some(Memory::Subscription(again)) = again else {
            panic!("what is taken up is not written so: {again:?} of {payload}");
        };
        assert_eq!(again.accepted, subscription.accepted);
        assert_eq!(again.stage, subscription.stage);
    }
    let mut ours = Subscription::new(&subscription.topic_arn);
    ours.accept(NOON, None);
    ours.reject(Reason::TooOld, 3);
    ours.adopt(subscription.clone());
    ours.accept(NOON, None);
    ours.reject(Reason::TooOld, 3);
    assert!(ours.accepted >= 2 && ours.accepted >= subscription.accepted);
    assert!(ours.rejected >= 6 && ours.rejected >= subscription.rejected);
}
