//! The payloads of metrics, retained and as points.
//!
//! These structs are the allow-list of their topics: keys in the order of the contract, every key
//! always there, `null` where there is no value.

use serde::Serialize;

/// Room for one payload.
const PAYLOAD_BYTES_USUAL: usize = 1024;

/// What is said first of whatever has metrics.
#[derive(Serialize)]
#[allow(missing_docs, reason = "the contract explains the keys")]
pub struct Head<'a> {
    pub id: &'a str,
    pub channel_id: Option<&'a str>,
    pub api: &'a str,
    pub level: &'a str,
    pub timestamp: String,
    pub period_seconds: i64,
    pub state: &'a str,
    pub last_data_at: Option<String>,
    pub egress_bytes: Option<i64>,
    pub egress_bits_per_second: Option<i64>,
    pub egress_request_count: Option<i64>,
    pub egress_request_count_2xx: Option<i64>,
    pub egress_request_count_3xx: Option<i64>,
    pub egress_request_count_4xx: Option<i64>,
    pub egress_request_count_5xx: Option<i64>,
    pub egress_response_time_ms: Option<f64>,
}

/// What is said then of its kind.
#[derive(Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the contract explains the keys")]
pub enum Own<'a> {
    /// Of a channel.
    Channel {
        ingress_bytes: Option<i64>,
        ingress_bits_per_second: Option<i64>,
        ingress_request_count: Option<i64>,
        ingress_response_time_ms: Option<f64>,
        channel_mqcs: Option<f64>,
        inputs: Vec<Input<'a>>,
    },
    /// Of an origin endpoint.
    Endpoint { active_input: Option<&'a str> },
    /// Of a packaging configuration.
    Packaging {
        packaging_group_id: Option<&'a str>,
        // Of endpoints; here so that one reader does for both.
        active_input: Option<&'a str>,
    },
}

/// One ingest endpoint of a channel.
#[derive(Serialize)]
#[allow(missing_docs, reason = "the contract explains the keys")]
pub struct Input<'a> {
    pub id: &'a str,
    pub active: Option<bool>,
    pub bits_per_second: Option<i64>,
    pub mqcs: Option<f64>,
}

/// What is said last.
#[derive(Serialize)]
#[allow(missing_docs, reason = "the contract explains the keys")]
pub struct Tail {
    pub window_seconds: i64,
    pub egress_request_count_4xx_window: Option<i64>,
    pub egress_request_count_5xx_window: Option<i64>,
    pub revised: bool,
}

/// All that is said of one resource and minute.
#[derive(Serialize)]
#[allow(missing_docs, reason = "the types tell")]
pub struct Metrics<'a> {
    #[serde(flatten)]
    pub head: Head<'a>,
    #[serde(flatten)]
    pub own: Own<'a>,
    #[serde(flatten)]
    pub tail: Tail,
}

impl Metrics<'_> {
    /// The payload's JSON. It holds nothing that JSON cannot say.
    pub fn json(&self) -> String {
        let mut json = Vec::with_capacity(PAYLOAD_BYTES_USUAL);
        let written = serde_json::to_writer(&mut json, self);
        let text = written.ok().and_then(|()| String::from_utf8(json).ok());
        text.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(own: Own<'_>) -> String {
        let head = Head {
            id: "a",
            channel_id: Some("c"),
            api: "v1",
            level: "full",
            timestamp: String::from("2026-11-30T00:00:00Z"),
            period_seconds: 60,
            state: "current",
            last_data_at: None,
            egress_bytes: Some(1),
            egress_bits_per_second: None,
            egress_request_count: None,
            egress_request_count_2xx: None,
            egress_request_count_3xx: None,
            egress_request_count_4xx: None,
            egress_request_count_5xx: Some(0),
            egress_response_time_ms: Some(0.5),
        };
        let tail = Tail {
            window_seconds: 60,
            egress_request_count_4xx_window: None,
            egress_request_count_5xx_window: Some(2),
            revised: false,
        };
        Metrics { head, own, tail }.json()
    }

    const HEAD: &str = "{\"id\":\"a\",\"channel_id\":\"c\",\"api\":\"v1\",\"level\":\"full\",\
        \"timestamp\":\"2026-11-30T00:00:00Z\",\"period_seconds\":60,\"state\":\"current\",\
        \"last_data_at\":null,\"egress_bytes\":1,\"egress_bits_per_second\":null,\
        \"egress_request_count\":null,\"egress_request_count_2xx\":null,\
        \"egress_request_count_3xx\":null,\"egress_request_count_4xx\":null,\
        \"egress_request_count_5xx\":0,\"egress_response_time_ms\":0.5,";
    const TAIL: &str = "\"window_seconds\":60,\"egress_request_count_4xx_window\":null,\
        \"egress_request_count_5xx_window\":2,\"revised\":false}";

    #[test]
    fn keys_come_in_the_order_of_the_contract_whatever_has_the_metrics() {
        let inputs = vec![Input {
            id: "i",
            active: Some(true),
            bits_per_second: None,
            mqcs: Some(99.5),
        }];
        let channel = Own::Channel {
            ingress_bytes: Some(7),
            ingress_bits_per_second: None,
            ingress_request_count: None,
            ingress_response_time_ms: None,
            channel_mqcs: None,
            inputs,
        };
        let active_input = Some("i");
        let packaging = Own::Packaging {
            packaging_group_id: Some("g"),
            active_input: None,
        };
        let cases = [
            (
                channel,
                "\"ingress_bytes\":7,\"ingress_bits_per_second\":null,\
                 \"ingress_request_count\":null,\"ingress_response_time_ms\":null,\
                 \"channel_mqcs\":null,\"inputs\":[{\"id\":\"i\",\"active\":true,\
                 \"bits_per_second\":null,\"mqcs\":99.5}],",
            ),
            (Own::Endpoint { active_input }, "\"active_input\":\"i\","),
            (
                packaging,
                "\"packaging_group_id\":\"g\",\"active_input\":null,",
            ),
        ];
        for (own, keys) in cases {
            assert_eq!(json(own), format!("{HEAD}{keys}{TAIL}"));
        }
    }
}
