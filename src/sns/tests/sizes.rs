//! Whatever comes, what is told of it is no longer than a payload may be.

use super::accepted;
use crate::state::push::Meaning;
use crate::topics::event::{Happening, event};
use crate::topics::{PAYLOAD_BYTES_MAX, push};

/// What AWS would never send, and the front lets through.
const BYTES: usize = 1 << 19;

fn detail(text: &str) -> String {
    let inside = "x".repeat(BYTES);
    format!(
        r#"{{"id":"1","source":"aws.mediapackage","account":"123456789012","region":"r",
        "time":"2026-11-22T10:00:00Z","resources":["{text}"],"detail-type":"{text}",
        "detail":{{"event":"{text}","message":"{inside}","id":"{text}","status":"{text}"}}}}"#
    )
}

#[test]
fn no_message_makes_a_payload_that_is_too_long() {
    let control = "\u{1}".repeat(BYTES);
    let escaped = serde_json::to_string(&control).unwrap();
    let messages = [
        control.clone(),
        "\"\\".repeat(BYTES / 2),
        "\u{1f600}".repeat(BYTES / 4),
        escaped.clone(),
        format!(r#"{{"a":{escaped}}}"#),
        format!(r#"[{}]"#, vec!["[]"; BYTES / 3].join(",")),
        detail("MediaPackage Input Notification"),
        detail(&"\\u0001".repeat(1000)),
        detail("MediaPackage HarvestJob Notification"),
    ];
    for message in messages {
        let head: String = message.chars().take(40).collect();
        let mut accepted = accepted(&message);
        accepted.subject = Some(control[..10_000].to_owned());
        let notice = accepted.notice();
        let told = push::message(&notice);
        assert!(told.len() <= PAYLOAD_BYTES_MAX, "{head}: {}", told.len());
        let listed = push::listed(&notice);
        let list = push::messages(std::iter::repeat_n(listed.as_str(), 20));
        assert!(list.len() <= PAYLOAD_BYTES_MAX, "{head}: {}", list.len());
        assert!(serde_json::from_str::<serde_json::Value>(&list).is_ok());
        let Meaning::Event(pushed) = notice.meaning else {
            panic!("no event: {head}");
        };
        let happening = Happening {
            id: Some(notice.message_id.to_string()),
            event_type: pushed.event_type.as_str(),
            time: pushed.time,
            source: "sns",
            channel_id: None,
            endpoint_id: None,
            alarm: None,
            state: pushed.state,
            previous_state: pushed.previous_state,
            summary: pushed.summary,
            detail: Some(pushed.detail),
        };
        let told = event(&happening, notice.timestamp, 1);
        assert!(told.len() <= PAYLOAD_BYTES_MAX, "{head}: {}", told.len());
        assert!(serde_json::from_str::<serde_json::Value>(&told).is_ok());
    }
}
