//! What the broker's retained store remembers of us, read back at start. Distrusted: whatever
//! does not have the shape that we write is no memory, and a later poll overrides the rest.

use serde::Deserialize;

use super::discovery::Components;
use super::name::{alarm_level, level};
use super::{ONLINE, PAYLOAD_BYTES_MAX};
use crate::state::alarms::{Alarm, Via};
use crate::state::measure::Resource;
use crate::state::polled::{AlarmKind, Dimension};
use crate::state::push::MessageId;
use crate::state::subscription::{Stage, Subscription, short_name};
use crate::state::time::{Minute, UnixMs};

/// A payload longer than this is not read.
const MEMORY_BYTES_MAX: usize = 32 * 1024;
/// The same of `sns/messages`.
const MESSAGES_BYTES_MAX: usize = 120 * 1024;

/// One thing that a retained topic of ours tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Memory {
    /// `status`: whether it says `online`.
    Online(bool),
    /// `agent`: who wrote the picture, and of which account it is.
    Owner(Owner),
    /// `alarm/<name>`.
    Alarm(Box<Alarm>),
    /// `sns/messages`, newest first.
    Messages(Vec<Listed>),
    /// `sns/subscription/…`.
    Subscription(Box<Subscription>),
    /// `…/metrics`: the newest minute that went out.
    Watermark(Resource, Minute),
    /// A document for Home Assistant: its object id, and the components it shows.
    Document(Box<str>, Components),
}

/// An entry of `sns/messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Of the message.
    pub id: MessageId,
    /// The entry as it is published.
    pub json: String,
}

/// Who a picture belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Owner {
    /// Random, of the machine's state folder.
    pub agent_id: Option<String>,
    /// The AWS account.
    pub account_id: Option<String>,
    /// The queue that its agent takes messages from.
    pub queue: Option<String>,
}

/// Reads one retained message; `topic` is the part below our prefix.
pub fn recall(topic: &str, payload: &[u8]) -> Option<Memory> {
    let bytes_max = match topic {
        "sns/messages" => MESSAGES_BYTES_MAX,
        _ => MEMORY_BYTES_MAX,
    };
    if payload.len() > bytes_max {
        return None;
    }
    let levels: Vec<&str> = topic.split('/').collect();
    match levels[..] {
        ["status"] => Some(Memory::Online(payload == ONLINE.as_bytes())),
        ["agent"] => serde_json::from_slice(payload).ok().map(Memory::Owner),
        ["alarm", name] => alarm(name, payload),
        ["sns", "messages"] => messages(payload),
        ["sns", "subscription", name] => subscription(name, payload),
        [kind, id, "metrics"] => watermark(kind, id, payload),
        _ => None,
    }
}

/// Reads one of our retained documents for Home Assistant; `topic` is the part below their
/// prefix.
pub fn recall_document(topic: &str, payload: &[u8]) -> Option<Memory> {
    let object_id = topic.strip_suffix("/config")?;
    if object_id.contains('/') || payload.len() > PAYLOAD_BYTES_MAX {
        return None;
    }
    Some(Memory::Document(
        object_id.into(),
        Components::recall(payload)?,
    ))
}

fn watermark(kind: &str, id_level: &str, payload: &[u8]) -> Option<Memory> {
    #[derive(Deserialize)]
    struct Written {
        id: String,
        timestamp: String,
    }
    let resource = match kind {
        "channel" => Resource::Channel,
        "endpoint" => Resource::Endpoint,
        "packaging_configuration" => Resource::Packaging,
        _ => return None,
    };
    let written: Written = serde_json::from_slice(payload).ok()?;
    if level(&written.id) != id_level {
        return None;
    }
    Some(Memory::Watermark(
        resource(written.id.into()),
        UnixMs::parse(&written.timestamp)?.minute(),
    ))
}

fn messages(payload: &[u8]) -> Option<Memory> {
    // Every key that is ours.
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "they only have to be there")]
    struct Entry {
        message_id: String,
        topic_arn: Option<String>,
        event_type: String,
        subject: Option<String>,
        timestamp: String,
        received_at: String,
        via: String,
        message: serde::de::IgnoredAny,
        truncated: bool,
    }
    let text = str::from_utf8(payload).ok()?;
    let all = text.strip_prefix(r#"{"messages":["#)?.strip_suffix("]}")?;
    let listed = |json: &str| {
        let entry: Entry = serde_json::from_str(json).ok()?;
        Some(Listed {
            id: MessageId::parse(&entry.message_id)?,
            // As it was written: another order of keys or another form of a number would be
            // another payload.
            json: json.to_owned(),
        })
    };
    let all = elements(all).into_iter().map(listed);
    all.collect::<Option<Vec<Listed>>>().map(Memory::Messages)
}

/// The elements of a JSON array whose brackets are taken off; each still has to be read.
fn elements(text: &str) -> Vec<&str> {
    let (mut found, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                found.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.extend(text.get(from..).filter(|last| from > 0 || !last.is_empty()));
    found
}

fn subscription(name_level: &str, payload: &[u8]) -> Option<Memory> {
    #[derive(Deserialize)]
    struct Written {
        topic_arn: String,
        subscription_arn: Option<String>,
        state: String,
        confirmed_at: Option<String>,
        last_message_at: Option<String>,
        accepted: u64,
        rejected: u64,
        last_rejection: Option<String>,
    }
    let written: Written = serde_json::from_slice(payload).ok()?;
    if level(&short_name(&written.topic_arn)) != name_level {
        return None;
    }
    let time = |text: Option<String>| text.as_deref().and_then(UnixMs::parse);
    Some(Memory::Subscription(Box::new(Subscription {
        topic_arn: written.topic_arn,
        subscription_arn: written.subscription_arn,
        stage: Stage::parse(&written.state)?,
        confirmed_at: time(written.confirmed_at),
        last_message_at: time(written.last_message_at),
        accepted: written.accepted,
        rejected: written.rejected,
        last_rejection: written.last_rejection,
        ended_at: None,
    })))
}

fn alarm(name_level: &str, payload: &[u8]) -> Option<Memory> {
    #[derive(Deserialize)]
    struct Written {
        name: String,
        arn: String,
        account_id: Option<String>,
        region: Option<String>,
        #[serde(rename = "type")]
        kind: String,
        state: String,
        previous_state: Option<String>,
        reason: Option<String>,
        description: Option<String>,
        updated_at: Option<String>,
        namespace: Option<String>,
        metric: Option<String>,
        dimensions: std::collections::BTreeMap<String, String>,
        channel_id: Option<String>,
        endpoint_id: Option<String>,
        threshold: Option<f64>,
        comparison: Option<String>,
        actions_enabled: Option<bool>,
        actions_suppressed: Option<bool>,
        listed: bool,
        source: String,
    }
    let written: Written = serde_json::from_slice(payload).ok()?;
    let dimensions: Vec<Dimension> = written.dimensions.into_iter().collect();
    let alarm = Alarm {
        name: written.name.into(),
        arn: written.arn,
        account_id: written.account_id,
        region: written.region,
        // In no level is there an @ but before the owner of another's alarm.
        foreign: name_level.contains('@'),
        kind: AlarmKind::parse(&written.kind)?,
        state: written.state,
        previous_state: written.previous_state,
        reason: written.reason,
        description: written.description,
        updated_at: written.updated_at.as_deref().and_then(UnixMs::parse),
        namespace: written.namespace,
        metric: written.metric,
        dimensions,
        channel_id: written.channel_id.map(Into::into),
        endpoint_id: written.endpoint_id.map(Into::into),
        threshold: written.threshold,
        comparison: written.comparison,
        actions_enabled: written.actions_enabled,
        actions_suppressed: written.actions_suppressed,
        listed: written.listed,
        source: Via::parse(&written.source)?,
    };
    // A NUL would make one name look like another with its owner; no poll shows another's.
    let odd = alarm.name.contains('\u{0}') || alarm.foreign && alarm.listed;
    let ours = !odd && alarm_level(&alarm.key()) == name_level;
    ours.then(|| Memory::Alarm(Box::new(alarm)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::{Names, Topic, payload};

    #[test]
    fn only_what_we_could_have_written_is_remembered() {
        let metrics = br#"{"id":"a b","timestamp":"2026-11-22T10:00:00Z","more":1}"#;
        let minute = Minute(1_795_341_600_000 / 60_000);
        let mark = Memory::Watermark(Resource::Channel("a b".into()), minute);
        let alarm = br#"{"name":"x","arn":"a","type":"metric","state":"OK","dimensions":{},
            "listed":true,"source":"poll"}"#;
        let cases: [(&str, &[u8], bool); 11] = [
            ("status", b"online", true),
            ("agent", br#"{"agent_id":"1","account_id":null}"#, true),
            ("agent", b"[]", false),
            ("channel/a%20b/metrics", metrics, true),
            ("packaging_configuration/a%20b/metrics", metrics, true),
            ("channel_group/a%20b/metrics", metrics, false),
            ("channel/other/metrics", metrics, false),
            ("channel/a%20b", metrics, false),
            ("alarm/x", alarm, true),
            ("alarm/y", alarm, false),
            ("alarm/x", b"\xff\xfe", false),
        ];
        for (topic, payload, remembered) in cases {
            assert_eq!(recall(topic, payload).is_some(), remembered, "{topic}");
        }
        assert_eq!(recall("channel/a%20b/metrics", metrics), Some(mark));
        assert_eq!(recall("status", &[b'x'; 64 * 1024]), None);
    }

    #[test]
    fn a_listed_message_is_written_again_as_it_was() {
        let entry = |n: u8, message: &str| {
            format!(
                r#"{{"message_id":"00000000-0000-0000-0000-00000000000{n}","topic_arn":null,
                "event_type":"other","subject":null,"timestamp":"t","received_at":"t",
                "via":"sns","message":{message},"truncated":false}}"#
            )
        };
        let odd = r#"{"z":1,"a":[1e2,-0.0,123456789012345678901234567890],"s":"},{\"\\"}"#;
        let lists: [&[String]; 3] = [&[], &[entry(1, odd)], &[entry(2, "\"],[\""), entry(1, odd)]];
        for list in lists {
            let text = format!(r#"{{"messages":[{}]}}"#, list.join(","));
            let Some(Memory::Messages(back)) = recall("sns/messages", text.as_bytes()) else {
                panic!("not remembered: {text}");
            };
            let back: Vec<String> = back.into_iter().map(|listed| listed.json).collect();
            assert_eq!(back, list);
        }
        let good = entry(1, "1");
        let bad = [
            format!(r#"{{"messages":[{good},]}}"#),
            format!(r#"{{"messages":[,{good}]}}"#),
            format!(r#"{{"messages":[{good}{good}]}}"#),
            format!(r#"{{"messages":[{good}],"more":[]}}"#),
            r#"{"messages":[1]}"#.to_owned(),
            r#"{"messages":[]"#.to_owned(),
        ];
        for text in bad {
            assert_eq!(recall("sns/messages", text.as_bytes()), None, "{text}");
        }
    }

    /// A name as it is published, and as it is remembered.
    fn again(name: &str, owner: Option<(&str, &str)>) -> Option<Alarm> {
        let json = br#"{"name":"x","arn":"a","type":"metric","state":"OK","dimensions":{},
            "updated_at":"2026-11-22T10:00:00.007Z","listed":false,"source":"sns"}"#;
        let Some(Memory::Alarm(alarm)) = recall("alarm/x", json) else {
            panic!("not remembered");
        };
        let alarm = Alarm {
            name: name.into(),
            account_id: owner.map(|(account, _)| account.to_owned()),
            region: owner.map(|(_, region)| region.to_owned()),
            foreign: owner.is_some(),
            ..*alarm
        };
        let topic = Names::new("b", "i").of(&Topic::Alarm(alarm.key()));
        let payload = payload::alarm(&alarm);
        let level = topic.strip_prefix("b/i/").unwrap();
        assert_eq!(level.matches('/').count(), 1, "{name:?}");
        match recall(level, payload.as_bytes()) {
            Some(Memory::Alarm(back)) => {
                assert_eq!(*back, alarm, "{name:?}");
                assert_eq!(back.key(), alarm.key());
                Some(*back)
            }
            _ => None,
        }
    }

    #[test]
    fn any_alarm_is_remembered_under_the_key_it_had() {
        let ascii = (1..128_u8).map(|byte| char::from(byte).to_string());
        let more = ["é", "\u{1f600}", "a@1.eu-west-1", "~", "a b/c#+%40"];
        let long = ["a", "é", "/", "\u{1f600}"].map(|part| part.repeat(255));
        let all: String = (1..128_u8).map(char::from).collect();
        let names = ascii
            .chain(more.map(str::to_owned))
            .chain(long)
            .chain([all]);
        for name in names {
            for owner in [None, Some(("210987654321", "us-gov-west-1"))] {
                assert!(again(&name, owner).is_some(), "{name:?} {owner:?}");
            }
        }
        // A NUL would make one name look like another with its owner.
        assert_eq!(again("a\u{0}1.eu-west-1", None), None);
        assert_eq!(again("a\u{0}b", Some(("1", "eu-west-1"))), None);
    }

    #[test]
    fn an_alarm_below_anothers_topic_is_no_memory() {
        let json = |account: &str, listed: bool| {
            format!(
                r#"{{"name":"x","arn":"a","account_id":{account},"region":"r","type":"metric",
                "state":"OK","dimensions":{{}},"listed":{listed},"source":"sns"}}"#
            )
        };
        let cases = [
            ("alarm/x@1.r", json("\"1\"", false), true),
            ("alarm/x@unknown.r", json("null", false), true),
            ("alarm/x", json("\"1\"", false), true),
            ("alarm/x@1.r", json("\"2\"", false), false),
            ("alarm/x@1.q", json("\"1\"", false), false),
            ("alarm/y@1.r", json("\"1\"", false), false),
            ("alarm/x@", json("\"1\"", false), false),
            // Polls show our own alarms only.
            ("alarm/x@1.r", json("\"1\"", true), false),
        ];
        for (topic, payload, wanted) in cases {
            assert_eq!(
                recall(topic, payload.as_bytes()).is_some(),
                wanted,
                "{topic} {payload}"
            );
        }
    }
}
