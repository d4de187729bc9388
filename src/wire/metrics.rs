//! The payloads of metrics, retained and as points. Their keys, and the order of these, are the
//! contract's.

use serde::Serialize;

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
pub struct Metrics<'a> {
    /// First.
    #[serde(flatten)]
    pub head: Head<'a>,
    /// Of its kind.
    #[serde(flatten)]
    pub own: Own<'a>,
    /// Last.
    #[serde(flatten)]
    pub tail: Tail,
}

/// Room for one payload.
const PAYLOAD_BYTES_USUAL: usize = 1024;

impl Metrics<'_> {
    /// The payload's JSON. It holds nothing that JSON cannot say.
    pub fn json(&self) -> String {
        let mut json = Vec::with_capacity(PAYLOAD_BYTES_USUAL);
        let written = serde_json::to_writer(&mut json, self);
        let text = written.ok().and_then(|()| String::from_utf8(json).ok());
        text.unwrap_or_default()
    }
}
