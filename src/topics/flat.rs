//! Flat topics: the scalars of some payloads also as `<topic>/<key>`, plain text, for consumers
//! that do not read JSON. Null is the empty payload: the topic is not there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Topic;
use crate::state::measure::Resource;

const CHANNEL_METRICS: &[&str] = &[
    "id",
    "channel_id",
    "api",
    "level",
    "timestamp",
    "period_seconds",
    "state",
    "last_data_at",
    "egress_bytes",
    "egress_bits_per_second",
    "egress_request_count",
    "egress_request_count_2xx",
    "egress_request_count_3xx",
    "egress_request_count_4xx",
    "egress_request_count_5xx",
    "egress_response_time_ms",
    "ingress_bytes",
    "ingress_bits_per_second",
    "ingress_request_count",
    "ingress_response_time_ms",
    "channel_mqcs",
    "window_seconds",
    "egress_request_count_4xx_window",
    "egress_request_count_5xx_window",
    "revised",
];

const ENDPOINT_METRICS: &[&str] = &[
    "id",
    "channel_id",
    "api",
    "level",
    "timestamp",
    "period_seconds",
    "state",
    "last_data_at",
    "egress_bytes",
    "egress_bits_per_second",
    "egress_request_count",
    "egress_request_count_2xx",
    "egress_request_count_3xx",
    "egress_request_count_4xx",
    "egress_request_count_5xx",
    "egress_response_time_ms",
    "active_input",
    "window_seconds",
    "egress_request_count_4xx_window",
    "egress_request_count_5xx_window",
    "revised",
];

const PACKAGING_METRICS: &[&str] = &[
    "id",
    "channel_id",
    "api",
    "level",
    "timestamp",
    "period_seconds",
    "state",
    "last_data_at",
    "egress_bytes",
    "egress_bits_per_second",
    "egress_request_count",
    "egress_request_count_2xx",
    "egress_request_count_3xx",
    "egress_request_count_4xx",
    "egress_request_count_5xx",
    "egress_response_time_ms",
    "packaging_group_id",
    "active_input",
    "window_seconds",
    "egress_request_count_4xx_window",
    "egress_request_count_5xx_window",
    "revised",
];

const HEALTH: &[&str] = &[
    "id",
    "api",
    "health",
    "ingest",
    "ingest_since",
    "inputs_total",
    "inputs_receiving",
    "alarms_active",
];

const ALARM: &[&str] = &[
    "name",
    "arn",
    "account_id",
    "region",
    "type",
    "state",
    "previous_state",
    "reason",
    "description",
    "updated_at",
    "namespace",
    "metric",
    "channel_id",
    "endpoint_id",
    "threshold",
    "comparison",
    "actions_enabled",
    "actions_suppressed",
    "listed",
    "source",
];

const SUMMARY: &[&str] = &[
    "health",
    "channels",
    "endpoints",
    "channels_lost",
    "alarms_active",
    "egress_bits_per_second",
    "updated_at",
];

const AGENT: &[&str] = &[
    "schema",
    "version",
    "started_at",
    "agent_id",
    "account_id",
    "region",
    "health",
    "clock_offset_seconds",
    "queue",
];

/// The keys of a topic that have flat topics; none for most topics.
pub fn keys(topic: &Topic) -> &'static [&'static str] {
    match topic {
        Topic::Metrics(Resource::Channel(_)) => CHANNEL_METRICS,
        Topic::Metrics(Resource::Endpoint(_)) => ENDPOINT_METRICS,
        Topic::Metrics(Resource::Packaging(_)) => PACKAGING_METRICS,
        Topic::Health(_) => HEALTH,
        Topic::Alarm(_) => ALARM,
        Topic::Summary => SUMMARY,
        Topic::Agent => AGENT,
        _ => &[],
    }
}

/// The texts of these keys in a payload, in their order; `None` clears.
pub fn values(keys: &[&str], payload: &str) -> Vec<Option<String>> {
    let mut object: BTreeMap<String, Value> = serde_json::from_str(payload).unwrap_or_default();
    let mut text = |key: &&str| match object.remove(*key)? {
        // An empty text would clear the topic as well.
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    keys.iter().map(&mut text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_become_plain_text_and_null_clears() {
        let payload = r#"{"a":"x y","b":12,"c":3.0,"d":false,"e":null,"f":"","g":[1],"h":-7}"#;
        let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "missing"];
        let texts = values(&keys, payload);
        let texts: Vec<&str> = texts.iter().map(|t| t.as_deref().unwrap_or("-")).collect();
        assert_eq!(
            texts,
            ["x y", "12", "3.0", "false", "-", "-", "-", "-7", "-"]
        );
    }

    #[test]
    fn nothing_but_the_topics_of_the_contract_is_flat() {
        let resources = [Resource::Channel, Resource::Endpoint, Resource::Packaging];
        let metrics = resources.map(|of| Topic::Metrics(of("x".into())));
        for topic in metrics {
            assert!(keys(&topic).contains(&"egress_bytes"), "{topic:?}");
        }
        for topic in [Topic::Status, Topic::AgentStats, Topic::Channel("x".into())] {
            assert_eq!(keys(&topic), [""; 0]);
        }
    }
}
