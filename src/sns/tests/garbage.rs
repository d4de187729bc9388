//! Whoever may publish to the topic can send anything.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{accepted, notice};
use crate::sns::redact::MESSAGE_BYTES_MAX;
use crate::state::push::{Meaning, Notice};

const SAMPLES: [&str; 7] = [
    include_str!("../../../tests/fixtures/sns/alarm-single-metric.json"),
    include_str!("../../../tests/fixtures/sns/alarm-metric-math.json"),
    include_str!("../../../tests/fixtures/sns/alarm-composite.json"),
    include_str!("../../../tests/fixtures/sns/event-v1-input-switch.json"),
    include_str!("../../../tests/fixtures/sns/event-v1-harvest-failed.json"),
    include_str!("../../../tests/fixtures/sns/event-v2-harvest-completed.json"),
    include_str!("../../../tests/fixtures/sns/event-vod-asset-playable.json"),
];

/// Holds whatever a notice may say against its limits.
fn hold(notice: &Notice, message: &str) {
    let head = message.get(..200).unwrap_or(message);
    let value: Value = serde_json::from_str(&notice.message.json).expect(head);
    assert!(
        value.is_object() || value.is_array() || value.is_string(),
        "{head}"
    );
    assert!(notice.message.json.len() <= MESSAGE_BYTES_MAX, "{head}");
    assert!(!notice.message.truncated || value.is_string(), "{head}");
    match &notice.meaning {
        Meaning::Alarm(alarm) => {
            let texts = [
                &alarm.reason,
                &alarm.description,
                &alarm.metric,
                &alarm.namespace,
            ];
            let longest = texts.into_iter().flatten().map(|text| text.chars().count());
            assert!(longest.max().unwrap_or_default() <= 1024, "{head}");
            assert!((1..=255).contains(&alarm.name.chars().count()), "{head}");
            assert!(alarm.state.len() <= 32 && alarm.arn.len() <= 1600, "{head}");
            assert!(alarm.threshold.is_none_or(f64::is_finite), "{head}");
            assert!(alarm.dimensions.len() <= 30, "{head}");
        }
        Meaning::Event(event) => {
            let detail: Value = serde_json::from_str(&event.detail.json).expect(head);
            assert!(
                detail.is_object() && event.detail.json.len() <= MESSAGE_BYTES_MAX,
                "{head}"
            );
            assert!(event.summary.chars().count() <= 1024, "{head}");
            assert!(
                !event.summary.contains('\n') && !event.summary.is_empty(),
                "{head}"
            );
            assert!(event.about.len() <= 32, "{head}");
        }
    }
}

/// Every place in a value, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(inner, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (number, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn each_member_of_each_message_may_be_anything() {
    let others = [
        Value::Null,
        json!(true),
        json!(-1.5e300),
        json!(""),
        json!("\u{0}\n\u{1f600}"),
        json!("x".repeat(3000)),
        json!([]),
        json!({}),
        json!([[{"a": [null]}]]),
        json!({"name": 1, "Metric": [], "metric": {}, "value": "x", "": ""}),
    ];
    let mut seen = 0;
    for sample in SAMPLES {
        let whole: Value = serde_json::from_str(sample).unwrap();
        let mut found = Vec::new();
        places(&whole, "", &mut found);
        for place in found {
            for other in &others {
                let mut changed = whole.clone();
                *changed.pointer_mut(&place).unwrap() = other.clone();
                let message = changed.to_string();
                hold(&notice(&message), &message);
                seen += 1;
            }
            let mut without = whole.clone();
            let (parent, key) = place.rsplit_once('/').unwrap_or_default();
            if let Some(Value::Object(members)) = without.pointer_mut(parent) {
                members.remove(&key.replace("~1", "/").replace("~0", "~"));
            }
            let message = without.to_string();
            hold(&notice(&message), &message);
        }
    }
    assert!(seen > 1000, "only {seen} messages were tried");
}

#[test]
fn no_message_is_too_odd() {
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
    let many: Vec<String> = (0..20_000).map(|n| format!("\"k{n}\":[{n}]")).collect();
    let metrics = r#"{"MetricStat":{"Metric":{"Namespace":"AWS/MediaPackage"}}},"#.repeat(2000);
    let messages = [
        String::new(),
        " ".repeat(1000),
        "\u{0}".into(),
        "{".into(),
        "{}".into(),
        "{\"AlarmName\":".into(),
        "\u{feff}{}".into(),
        "{\"AlarmName\":null,\"AlarmArn\":null}".into(),
        "{\"detail-type\":\"\",\"source\":\"\"}".into(),
        "NaN".into(),
        deep("[", "]"),
        deep("{\"detail\":", "}"),
        format!("{{{}}}", many.join(",")),
        format!("{{\"AlarmName\":\"x\",\"Trigger\":{{\"Metrics\":[{metrics}1]}}}}"),
        format!("{{\"a\":\"{}\"}}", "\\\\".repeat(300_000)),
        format!("{{\"a\":\"{}\"}}", "://@".repeat(100_000)),
        "\"".repeat(100_000),
        "://".repeat(100_000),
        "\u{1}".repeat(200_000),
    ];
    for message in messages {
        hold(&notice(&message), &message);
    }
}

/// `SEED=n cargo test damaged` repeats the run that a failure names.
#[test]
fn damaged_messages_keep_the_limits() {
    let given = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let noise = [
        "{", "}", "[", "]", "\"", "\\", ":", ",", "null", "0", "é", "\u{0}", "://", "@",
    ];
    for _ in 0..3000 {
        let mut text: Vec<char> = SAMPLES[rng.usize(..SAMPLES.len())].chars().collect();
        for _ in 0..rng.usize(1..6) {
            let at = rng.usize(..text.len());
            let end = (at + rng.usize(..12)).min(text.len());
            let new = noise[rng.usize(..noise.len())].chars();
            text.splice(at..end, new);
        }
        let message: String = text.into_iter().collect();
        hold(&accepted(&message).notice(), &message);
    }
}
