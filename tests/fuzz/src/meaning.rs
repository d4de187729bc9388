//! What a message means: any text gives a notice within its limits and without secrets.

use mediapackage2mqtt::sns::accepted::Accepted;
use mediapackage2mqtt::sns::redact::MESSAGE_BYTES_MAX;
use mediapackage2mqtt::state::alarms::Via;
use mediapackage2mqtt::state::push::{Meaning, MessageId, Notice, PushedEvent};
use mediapackage2mqtt::state::time::UnixMs;
use mediapackage2mqtt::topics::memory::{Memory, recall};
use mediapackage2mqtt::topics::push::LISTED_BYTES_MAX;
use mediapackage2mqtt::topics::{PAYLOAD_BYTES_MAX, push};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// A secret that no input has by itself.
const PLANTED: &str = "pl4nted-s3cret";
/// How often JSON is put into a string of JSON, below the limit of what is looked into.
const WRAPPINGS: usize = 3;
/// Places of an input where a secret is planted.
const PLACES_MAX: usize = 24;

/// An accepted message with this text, published when every input of the fuzzers is.
pub fn accepted(message: &str) -> Accepted {
    let id = MessageId::parse("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324");
    Accepted {
        message_id: id.expect("a UUID"),
        topic_arn: Some("arn:aws:sns:eu-central-1:123456789012:mediapackage".into()),
        subject: None,
        timestamp: UnixMs(1_795_341_600_000),
        received_at: UnixMs(1_795_341_600_700),
        via: Via::Sns,
        message: message.to_owned(),
    }
}

/// Whether the message is understood: an alarm, or an event that has a name.
pub fn check(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let plain = accepted(text);
    let with_subject = Accepted {
        subject: Some(text.to_owned()),
        topic_arn: None,
        via: Via::Sqs,
        ..plain.clone()
    };
    for message in [&plain, &with_subject] {
        let notice = message.notice();
        hold(&notice);
        let again = Accepted::decode(&message.encode());
        assert_eq!(again.as_ref(), Some(message), "not as it was written");
        assert_eq!(
            again.map(|message| message.notice()).as_ref(),
            Some(&notice)
        );
    }
    hold_secrets(text);
    let meaning = plain.notice().meaning;
    !matches!(&meaning, Meaning::Event(event) if event.event_type.as_str() == "other")
}

/// Holds whatever a notice may say against its limits.
pub fn hold(notice: &Notice) {
    let message = &notice.message;
    assert!(is_json(&message.json), "{message:?}");
    assert!(message.json.starts_with(['{', '[', '"']), "{message:?}");
    assert!(message.json.len() <= MESSAGE_BYTES_MAX);
    assert!(!message.truncated || message.json.starts_with('"'));
    let subject = notice.subject.as_deref().unwrap_or_default();
    assert!(subject.chars().count() <= 100, "{subject:?}");
    match &notice.meaning {
        Meaning::Alarm(alarm) => {
            let texts = [
                &alarm.reason,
                &alarm.description,
                &alarm.metric,
                &alarm.namespace,
            ];
            let chars = texts.into_iter().flatten().map(|text| text.chars().count());
            assert!(chars.max().unwrap_or_default() <= 1024, "{alarm:?}");
            assert!((1..=255).contains(&alarm.name.chars().count()), "{alarm:?}");
            assert!(!alarm.name.contains('\0'), "{alarm:?}");
            assert!((1..=64).contains(&alarm.state.len()) && alarm.arn.len() <= 1600);
            assert!(alarm.threshold.is_none_or(f64::is_finite), "{alarm:?}");
            assert!(alarm.dimensions.len() <= 30, "{alarm:?}");
            assert!(alarm.dimensions.is_sorted(), "{alarm:?}");
        }
        Meaning::Event(event) => hold_event(event),
    }
    hold_payloads(notice);
}

fn hold_event(event: &PushedEvent) {
    let detail = &event.detail;
    assert!(
        is_json(&detail.json) && detail.json.starts_with('{'),
        "{detail:?}"
    );
    assert!(detail.json.len() <= MESSAGE_BYTES_MAX);
    let summary = &event.summary;
    assert!((1..=1024).contains(&summary.chars().count()), "{summary:?}");
    assert!(!summary.contains(char::is_control), "{summary:?}");
    assert!(event.about.len() <= 32, "{:?}", event.about);
}

/// What is published of it is JSON, and what is listed is taken up again after a restart.
fn hold_payloads(notice: &Notice) {
    let whole = push::message(notice);
    assert!(
        is_json(&whole) && whole.len() <= PAYLOAD_BYTES_MAX,
        "{}",
        whole.len()
    );
    let cut = notice.message.cut(LISTED_BYTES_MAX);
    assert!(
        is_json(&cut.json) && cut.json.len() <= LISTED_BYTES_MAX,
        "{cut:?}"
    );
    let listed = push::listed(notice);
    let list = push::messages([listed.as_str(); 2].into_iter());
    assert!(is_json(&list), "{list}");
    match recall("sns/messages", list.as_bytes()) {
        Some(Memory::Messages(found)) => {
            assert_eq!(found.len(), 2);
            assert!(found.iter().all(|entry| entry.id == notice.message_id));
        }
        other => panic!("the list is forgotten: {other:?} of {list}"),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Plants a secret wherever an object opens and in every string.
fn hold_secrets(text: &str) {
    if text.contains(PLANTED) || text.len() > 4096 {
        return;
    }
    let member = format!(r#""password":"{PLANTED}""#);
    let opens = text.match_indices('{').map(|(at, _)| at + 1);
    for at in opens.take(PLACES_MAX) {
        let (before, after) = text.split_at(at);
        let is_empty = after.trim_start().starts_with('}');
        let comma = if is_empty { "" } else { "," };
        hold_hidden(&format!("{before}{member}{comma}{after}"));
    }
    let login = format!("https://user:{PLANTED}@host/");
    for (from, to) in values(text).take(PLACES_MAX) {
        let Ok(inner) = serde_json::from_str::<String>(&text[from..to]) else {
            continue;
        };
        let others = [
            format!("{login} {inner}"),
            format!("{inner} {login}"),
            json!({ "password": PLANTED, "x": inner }).to_string(),
        ];
        for other in others {
            let (before, after) = (&text[..from], &text[to..]);
            hold_hidden(&format!("{before}{}{after}", Value::from(other)));
        }
    }
}

/// Where the strings are that are no keys: what stands in a key is a name, and passed on.
fn values(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let quotes = text.match_indices('"').map(|(at, _)| at);
    let open = quotes.filter(|at| !text[..*at].ends_with('\\'));
    open.filter_map(|from| {
        let mut is_escaped = false;
        let inner = from + 1;
        let end = text[inner..].find(|c| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        });
        let to = inner + end? + 1;
        let is_key = text[to..].trim_start().starts_with(':');
        (!is_key).then_some((from, to))
    })
}

/// The secret is gone from whatever is passed through, when the text is JSON at all.
fn hold_hidden(text: &str) {
    if !is_json(text) {
        return;
    }
    let mut text = text.to_owned();
    for _ in 0..=WRAPPINGS {
        let message = Accepted {
            subject: Some(text.clone()),
            ..accepted(&text)
        };
        let notice = message.notice();
        let mut told = vec![notice.message.json, push::listed(&accepted(&text).notice())];
        told.extend(notice.subject);
        if let Meaning::Event(event) = &notice.meaning {
            told.extend([event.summary.clone(), event.detail.json.clone()]);
            told.extend(event.state.clone());
        }
        let shown = told.iter().find(|told| told.contains(PLANTED));
        assert_eq!(shown, None, "of {text}");
        text = Value::from_iter([("m", text)]).to_string();
    }
}
