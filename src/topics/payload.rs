//! The payloads of channels, endpoints, their metrics, health and alarms.
//!
//! Each struct is the allow-list of its topic: keys in the order of the contract, every key
//! always there, `null` where there is no value. Those of metrics are in [`texts`]. Counts and
//! rates are whole numbers, milliseconds and scores have one decimal.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::state::alarms::Alarm;
use crate::state::health::Health;
use crate::state::measure::Resource;
use crate::state::model::{Api, Channel, Endpoint, Id, IngestEndpoint, Manifest, Tags};
use crate::state::reading::{InputReading, Reading};
use crate::state::time::{Minute, UnixMs};
use crate::state::tracks::{Freshness, Window};
use crate::state::wish::MetricsLevel;

/// CloudWatch's period, in seconds.
const PERIOD_SECONDS: i64 = 60;

/// JSON text of a payload. Payloads hold nothing that JSON cannot say.
fn json(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap_or_default()
}

#[derive(Serialize)]
struct Place<'a> {
    id: &'a str,
    url: Option<&'a str>,
}

impl<'a> From<&'a IngestEndpoint> for Place<'a> {
    fn from(input: &'a IngestEndpoint) -> Place<'a> {
        Place {
            id: &input.id,
            url: input.url.as_deref(),
        }
    }
}

impl<'a> From<&'a Manifest> for Place<'a> {
    fn from(manifest: &'a Manifest) -> Place<'a> {
        Place {
            id: &manifest.id,
            url: manifest.url.as_deref(),
        }
    }
}

fn time(at: Option<UnixMs>) -> Option<String> {
    at.map(UnixMs::rfc3339)
}

/// `channel/<id>`
pub fn channel(channel: &Channel, endpoints: &[Id]) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: &'a str,
        api: &'a str,
        channel_group: Option<&'a str>,
        arn: Option<&'a str>,
        description: Option<&'a str>,
        created_at: Option<String>,
        modified_at: Option<String>,
        ingest_endpoints: Vec<Place<'a>>,
        input_type: Option<&'a str>,
        tags: &'a Tags,
        endpoints: Vec<&'a str>,
        egress_access_logs: Option<&'a str>,
        ingress_access_logs: Option<&'a str>,
    }
    json(&Payload {
        id: &channel.id,
        api: channel.api.as_str(),
        channel_group: channel.channel_group.as_deref(),
        arn: channel.arn.as_deref(),
        description: channel.description.as_deref(),
        created_at: time(channel.created_at),
        modified_at: time(channel.modified_at),
        ingest_endpoints: channel.ingest_endpoints.iter().map(Place::from).collect(),
        input_type: channel.input_type.as_deref(),
        tags: &channel.tags,
        endpoints: endpoints.iter().map(|id| &**id).collect(),
        egress_access_logs: channel.egress_access_logs.as_deref(),
        ingress_access_logs: channel.ingress_access_logs.as_deref(),
    })
}

/// `endpoint/<id>`
pub fn endpoint(endpoint: &Endpoint) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: &'a str,
        api: &'a str,
        channel_id: Option<&'a str>,
        arn: Option<&'a str>,
        description: Option<&'a str>,
        created_at: Option<String>,
        modified_at: Option<String>,
        url: Option<&'a str>,
        manifest_name: Option<&'a str>,
        package: Option<&'a str>,
        segment_duration_seconds: Option<i64>,
        encrypted: Option<bool>,
        startover_window_seconds: Option<i64>,
        time_delay_seconds: Option<i64>,
        origination: Option<&'a str>,
        manifests: Vec<Place<'a>>,
        tags: &'a Tags,
    }
    json(&Payload {
        id: &endpoint.id,
        api: endpoint.api.as_str(),
        channel_id: endpoint.channel_id.as_deref(),
        arn: endpoint.arn.as_deref(),
        description: endpoint.description.as_deref(),
        created_at: time(endpoint.created_at),
        modified_at: time(endpoint.modified_at),
        url: endpoint.url.as_deref(),
        manifest_name: endpoint.manifest_name.as_deref(),
        package: endpoint.package.map(|package| package.as_str()),
        segment_duration_seconds: endpoint.segment_duration_seconds,
        encrypted: endpoint.encrypted,
        startover_window_seconds: endpoint.startover_window_seconds,
        time_delay_seconds: endpoint.time_delay_seconds,
        origination: endpoint.origination.as_deref(),
        manifests: endpoint.manifests.iter().map(Place::from).collect(),
        tags: &endpoint.tags,
    })
}

/// What a channel, endpoint or packaging configuration belongs to.
#[derive(Clone, Copy)]
pub enum Owner<'a> {
    /// Of a channel or endpoint.
    Live {
        /// The API it is of.
        api: Api,
        /// Its channel; the channel itself for a channel.
        channel_id: Option<&'a str>,
    },
    /// Of a packaging configuration of VOD.
    Vod {
        /// Its group.
        packaging_group_id: Option<&'a str>,
    },
}

/// What a metrics or point payload is made of.
pub struct Metrics<'a> {
    /// Whose.
    pub resource: &'a Resource,
    /// What it belongs to.
    pub owner: Owner<'a>,
    /// How much is asked.
    pub level: MetricsLevel,
    /// The minute.
    pub reading: &'a Reading,
    /// Sums since the poll before; of one minute for a point.
    pub window: Window,
    /// How fresh.
    pub freshness: Freshness,
    /// Newest minute with data.
    pub last_data: Option<Minute>,
}

pub(super) fn whole(value: Option<f64>) -> Option<i64> {
    // A cast saturates: no number that CloudWatch could send is beyond i64.
    value.map(|v| v.round() as i64)
}

pub(super) fn bits_per_second(bytes: Option<f64>) -> Option<i64> {
    whole(bytes.map(|b| b * 8.0 / PERIOD_SECONDS as f64))
}

pub(super) fn tenths(value: Option<f64>) -> Option<f64> {
    value.map(|v| (v * 10.0).round() / 10.0)
}

/// `channel/<id>/metrics`, `endpoint/<id>/metrics`, `packaging_configuration/<id>/metrics`, and
/// the same as a point.
pub fn metrics(m: &Metrics) -> String {
    let metrics = texts::Metrics {
        head: metrics_head(m),
        own: metrics_own(m),
        tail: texts::Tail {
            window_seconds: m.window.minutes * PERIOD_SECONDS,
            egress_request_count_4xx_window: whole(m.window.requests_4xx),
            egress_request_count_5xx_window: whole(m.window.requests_5xx),
            revised: m.reading.revised,
        },
    };
    metrics.json()
}

fn metrics_head<'a>(m: &Metrics<'a>) -> texts::Head<'a> {
    let r = m.reading;
    let (api, channel_id) = match m.owner {
        Owner::Live { api, channel_id } => (api.as_str(), channel_id),
        Owner::Vod { .. } => ("vod", None),
    };
    texts::Head {
        id: m.resource.id(),
        channel_id,
        api,
        level: m.level.as_str(),
        timestamp: r.minute.start().rfc3339(),
        period_seconds: PERIOD_SECONDS,
        state: m.freshness.as_str(),
        last_data_at: m.last_data.map(|minute| minute.start().rfc3339()),
        egress_bytes: whole(r.egress_bytes),
        egress_bits_per_second: bits_per_second(r.egress_bytes),
        egress_request_count: whole(r.requests),
        egress_request_count_2xx: whole(r.by_status[0]),
        egress_request_count_3xx: whole(r.by_status[1]),
        egress_request_count_4xx: whole(r.by_status[2]),
        egress_request_count_5xx: whole(r.by_status[3]),
        egress_response_time_ms: tenths(r.egress_response_time),
    }
}

fn metrics_own<'a>(m: &Metrics<'a>) -> texts::Own<'a> {
    let r = m.reading;
    match m.resource {
        Resource::Channel(_) => texts::Own::Channel {
            ingress_bytes: whole(r.ingress_bytes),
            ingress_bits_per_second: bits_per_second(r.ingress_bytes),
            ingress_request_count: whole(r.ingress_requests),
            ingress_response_time_ms: tenths(r.ingress_response_time),
            channel_mqcs: tenths(r.mqcs),
            inputs: r.inputs.iter().map(|row| input(row, m.owner)).collect(),
        },
        Resource::Endpoint(_) => texts::Own::Endpoint {
            active_input: r.active_input.as_deref(),
        },
        Resource::Packaging(_) => texts::Own::Packaging {
            packaging_group_id: match m.owner {
                Owner::Live { .. } => None,
                Owner::Vod { packaging_group_id } => packaging_group_id,
            },
            active_input: r.active_input.as_deref(),
        },
    }
}

fn input<'a>(row: &'a InputReading, owner: Owner<'_>) -> texts::Input<'a> {
    texts::Input {
        id: &row.id,
        active: match owner {
            Owner::Live { api, .. } => row.active(api),
            Owner::Vod { .. } => None,
        },
        bits_per_second: bits_per_second(row.bytes),
        mqcs: tenths(row.mqcs),
    }
}

/// `channel/<id>/health`
pub fn health(channel: &Channel, health: &Health) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: &'a str,
        api: &'a str,
        health: &'a str,
        reasons: &'a [String],
        ingest: &'a str,
        ingest_since: Option<String>,
        inputs_total: usize,
        inputs_receiving: Option<usize>,
        alarms_active: usize,
        alarms: Vec<&'a str>,
    }
    json(&Payload {
        id: &channel.id,
        api: channel.api.as_str(),
        health: health.light.as_str(),
        reasons: &health.reasons,
        ingest: health.ingest.as_str(),
        ingest_since: time(health.ingest_since),
        inputs_total: health.inputs_total,
        inputs_receiving: health.inputs_receiving,
        alarms_active: health.alarms.len(),
        alarms: health.alarms.iter().map(|name| &**name).collect(),
    })
}

/// `alarm/<name>`
pub fn alarm(alarm: &Alarm) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        name: &'a str,
        arn: &'a str,
        account_id: Option<&'a str>,
        region: Option<&'a str>,
        #[serde(rename = "type")]
        kind: &'a str,
        state: &'a str,
        previous_state: Option<&'a str>,
        reason: Option<&'a str>,
        description: Option<&'a str>,
        updated_at: Option<String>,
        namespace: Option<&'a str>,
        metric: Option<&'a str>,
        dimensions: BTreeMap<&'a str, &'a str>,
        channel_id: Option<&'a str>,
        endpoint_id: Option<&'a str>,
        threshold: Option<f64>,
        comparison: Option<&'a str>,
        actions_enabled: Option<bool>,
        actions_suppressed: Option<bool>,
        listed: bool,
        source: &'a str,
    }
    json(&Payload {
        name: &alarm.name,
        arn: &alarm.arn,
        account_id: alarm.account_id.as_deref(),
        region: alarm.region.as_deref(),
        kind: alarm.kind.as_str(),
        state: &alarm.state,
        previous_state: alarm.previous_state.as_deref(),
        reason: alarm.reason.as_deref(),
        description: alarm.description.as_deref(),
        updated_at: alarm.updated_at.map(UnixMs::rfc3339_ms),
        namespace: alarm.namespace.as_deref(),
        metric: alarm.metric.as_deref(),
        dimensions: alarm
            .dimensions
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect(),
        channel_id: alarm.channel_id.as_deref(),
        endpoint_id: alarm.endpoint_id.as_deref(),
        threshold: alarm.threshold,
        comparison: alarm.comparison.as_deref(),
        actions_enabled: alarm.actions_enabled,
        actions_suppressed: alarm.actions_suppressed,
        listed: alarm.listed,
        source: alarm.source.as_str(),
    })
}
