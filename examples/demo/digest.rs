//! The few words of a payload that matter to somebody who watches.

use serde_json::{Map, Value};

/// Keys worth showing, over all kinds of payloads; a payload shows those it has, in this order.
const TELLING: [&str; 28] = [
    "health",
    "state",
    "ingest",
    "ingest_lost",
    "reason",
    "reasons",
    "summary",
    "timestamp",
    "ingress_bits_per_second",
    "egress_bits_per_second",
    "egress_request_count",
    "egress_request_count_5xx",
    "egress_response_time_ms",
    "active_input",
    "channel_mqcs",
    "channels",
    "channels_lost",
    "alarms_active",
    "package",
    "encrypted",
    "url",
    "input_type",
    "egress_domain",
    "endpoints",
    "description",
    "clock_offset_seconds",
    "polls",
    "version",
];

/// A payload in one short line.
pub fn digest(payload: &str) -> String {
    match serde_json::from_str(payload) {
        Ok(Value::Object(members)) => of_members(&members),
        _ => payload.to_owned(),
    }
}

fn of_members(members: &Map<String, Value>) -> String {
    let telling = TELLING
        .iter()
        .filter_map(|key| Some((*key, members.get(*key)?)));
    let shown: Vec<String> = telling
        .filter_map(|(key, value)| word(key, value))
        .collect();
    if shown.is_empty() {
        return Value::Object(members.clone()).to_string();
    }
    shown.join("  ")
}

fn word(key: &str, value: &Value) -> Option<String> {
    match (key, value) {
        (_, Value::Null) => None,
        // What stands for itself needs no name.
        ("health" | "state" | "timestamp" | "summary", Value::String(text)) => Some(text.clone()),
        (_, Value::String(text)) => Some(format!("{key}={text}")),
        (_, Value::Array(items)) if items.is_empty() => None,
        (_, Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(bare).collect();
            Some(format!("{key}={}", items.join(", ")))
        }
        (_, Value::Number(number)) => match number.as_f64() {
            Some(bits) if key.ends_with("bits_per_second") => {
                let name = key.trim_end_matches("_bits_per_second");
                Some(format!("{name}={:.1} Mbit/s", bits / 1e6))
            }
            _ => Some(format!("{key}={number}")),
        },
        (_, other) => Some(format!("{key}={other}")),
    }
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
