//! What came over SNS and SQS: `sns/message`, `sns/messages`, `sns/subscription/…`.

use serde::Serialize;
use serde_json::Value;

use super::spliced;
use crate::state::push::{Notice, Passed};
use crate::state::subscription::Subscription;
use crate::state::time::UnixMs;

/// A message in `sns/messages` is cut to this length.
pub const LISTED_BYTES_MAX: usize = 1024;

/// `sns/message`
pub fn message(notice: &Notice) -> String {
    with_message(notice, &notice.message)
}

/// An entry of `sns/messages`. The list is read back after a restart: a message that no reader
/// with the usual numbers takes (`1e999`) is listed as text, or the whole list were lost.
pub fn listed(notice: &Notice) -> String {
    let cut = notice.message.cut(LISTED_BYTES_MAX);
    if serde_json::from_str::<Value>(&cut.json).is_ok() {
        return with_message(notice, &cut);
    }
    let as_text = Passed {
        json: Value::from(cut.json).to_string(),
        truncated: cut.truncated,
    };
    with_message(notice, &as_text.cut(LISTED_BYTES_MAX))
}

fn with_message(notice: &Notice, message: &Passed) -> String {
    #[derive(Serialize)]
    struct Head<'a> {
        message_id: String,
        topic_arn: Option<&'a str>,
        event_type: &'a str,
        subject: Option<&'a str>,
        timestamp: String,
        received_at: String,
        via: &'a str,
    }
    let head = Head {
        message_id: notice.message_id.to_string(),
        topic_arn: notice.topic_arn.as_deref(),
        event_type: notice.event_type().as_str(),
        subject: notice.subject.as_deref(),
        timestamp: notice.timestamp.rfc3339_ms(),
        received_at: notice.received_at.rfc3339_ms(),
        via: notice.via.as_str(),
    };
    let truncated = if message.truncated { "true" } else { "false" };
    let tail = [("message", message.json.as_str()), ("truncated", truncated)];
    spliced(&head, &tail)
}

/// `sns/messages`, of entries that [`listed`] wrote, newest first.
pub fn messages<'a>(entries: impl Iterator<Item = &'a str>) -> String {
    let entries: Vec<&str> = entries.collect();
    format!(r#"{{"messages":[{}]}}"#, entries.join(","))
}

/// `sns/subscription/<account>.<topic name>`
pub fn subscription(subscription: &Subscription) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        topic_arn: &'a str,
        subscription_arn: Option<&'a str>,
        state: &'a str,
        confirmed_at: Option<String>,
        last_message_at: Option<String>,
        accepted: u64,
        rejected: u64,
        last_rejection: Option<&'a str>,
    }
    let payload = Payload {
        topic_arn: &subscription.topic_arn,
        subscription_arn: subscription.subscription_arn.as_deref(),
        state: subscription.stage.as_str(),
        confirmed_at: subscription.confirmed_at.map(UnixMs::rfc3339),
        last_message_at: subscription.last_message_at.map(UnixMs::rfc3339),
        accepted: subscription.accepted,
        rejected: subscription.rejected,
        last_rejection: subscription.last_rejection.as_deref(),
    };
    serde_json::to_string(&payload).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::alarms::Via;
    use crate::state::push::{EventType, Meaning, MessageId, PushedEvent};
    use crate::topics::memory::{Memory, recall};

    fn notice(json: String) -> Notice {
        let detail = Passed {
            json: "{}".into(),
            truncated: false,
        };
        let event = PushedEvent {
            event_id: None,
            event_type: EventType::Other,
            time: UnixMs(0),
            about: Vec::new(),
            state: None,
            previous_state: None,
            summary: String::new(),
            detail,
            wakes: None,
        };
        Notice {
            message_id: MessageId::parse("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324").unwrap(),
            topic_arn: Some("arn".into()),
            subject: None,
            timestamp: UnixMs(1_795_341_600_123),
            received_at: UnixMs(1_795_341_600_456),
            via: Via::Sns,
            message: Passed {
                json,
                truncated: false,
            },
            meaning: Meaning::Event(Box::new(event)),
        }
    }

    #[test]
    fn a_list_is_read_back_whatever_number_is_in_it() {
        let long = format!("[1e999,\"{}\"]", "x".repeat(LISTED_BYTES_MAX - 10));
        let cases = [
            ("[1e999]", r#""[1e999]""#, false),
            (
                r#"{"a":-1e400,"b":""}"#,
                r#""{\"a\":-1e400,\"b\":\"\"}""#,
                false,
            ),
            ("[1e308]", "[1e308]", false),
            (&long, r#""[1e999,\"xx"#, true),
        ];
        for (json, wanted, truncated) in cases {
            let entry = listed(&notice(json.to_owned()));
            let tail = format!(r#""message":{wanted}"#);
            assert!(entry.contains(&tail), "{entry}");
            assert!(
                entry.ends_with(&format!(r#""truncated":{truncated}}}"#)),
                "{entry}"
            );
            let list = messages([entry.as_str()].into_iter());
            let found = recall("sns/messages", list.as_bytes());
            assert!(
                matches!(found, Some(Memory::Messages(all)) if all.len() == 1),
                "{list}"
            );
        }
    }

    #[test]
    fn a_message_is_listed_cut_and_told_whole() {
        let long = format!(r#"{{"text":"{}"}}"#, "\u{e9}".repeat(5000));
        let notice = notice(long);
        let whole: Value = serde_json::from_str(&message(&notice)).unwrap();
        assert_eq!(whole["truncated"], false);
        assert_eq!(whole["timestamp"], "2026-11-22T10:00:00.123Z");
        assert_eq!(whole["message"]["text"].as_str().unwrap().len(), 10_000);
        assert_eq!(whole["event_type"], "other");

        let list = messages(
            [listed(&notice), listed(&notice)]
                .iter()
                .map(String::as_str),
        );
        let list: Value = serde_json::from_str(&list).unwrap();
        let entry = &list["messages"][1];
        assert_eq!(entry["truncated"], true);
        let cut = entry["message"].as_str().unwrap();
        assert!(cut.starts_with("{\"text\":\"\u{e9}"), "{cut}");
        assert!((1000..=1024).contains(&cut.len()), "{}", cut.len());
    }
}
