//! The channels and endpoints: what they are, how they do, and their newest settled minutes, with
//! every value of the payloads of metrics.

use super::{Family, Samples, Writer, gauge, info, measured, number};
use crate::state::health::Health;
use crate::state::measure::Resource;
use crate::state::model::{Channel, Endpoint};
use crate::state::time::Minute;
use crate::topics::payload::{Metrics, Owner, bits_per_second, tenths, whole};

const CHANNEL: &str = "mediapackage_channel_";
const ENDPOINT: &str = "mediapackage_endpoint_";
const PACKAGING: &str = "mediapackage_packaging_configuration_";
const LIGHTS: [&str; 4] = ["ok", "warning", "critical", "unknown"];
const INGESTS: [&str; 4] = ["receiving", "lost", "idle", "unknown"];
const FRESHNESS: [&str; 3] = ["current", "late", "no_data"];

/// A channel.
pub struct ChannelRow<'a> {
    /// What it is.
    pub channel: &'a Channel,
    /// How it does, where that has been judged.
    pub health: Option<&'a Health>,
}

/// An endpoint.
pub struct EndpointRow<'a> {
    /// What it is.
    pub endpoint: &'a Endpoint,
    /// The channel group of its channel.
    pub channel_group: Option<&'a str>,
}

/// The newest settled minute of a resource.
pub struct Row<'a> {
    /// Its values.
    pub metrics: Metrics<'a>,
    /// The channel group of a channel or endpoint.
    pub channel_group: Option<&'a str>,
}

/// Writes what the channels are and how they do.
pub fn channels(out: &mut Writer, rows: &[ChannelRow]) {
    fn labels<'a>(row: &'a ChannelRow) -> [(&'static str, &'a str); 3] {
        let channel = row.channel;
        [
            ("channel", &channel.id),
            (
                "channel_group",
                channel.channel_group.as_deref().unwrap_or_default(),
            ),
            ("api", channel.api.as_str()),
        ]
    }
    let about = info("channel", "What a channel is.");
    out.family("mediapackage_", about, |put| {
        for row in rows {
            let channel = row.channel;
            let more = [
                ("arn", channel.arn.as_deref().unwrap_or_default()),
                (
                    "input_type",
                    channel.input_type.as_deref().unwrap_or_default(),
                ),
            ];
            put.put(&labels(row), &more, Some(1.0));
        }
    });
    let health = gauge("health", "Health of a channel; 1 for the state it is in.");
    out.family(CHANNEL, health, |put| {
        for row in rows {
            if let Some(health) = row.health {
                put.state(&labels(row), &LIGHTS, health.light.as_str());
            }
        }
    });
    let ingest = gauge("ingest", "Ingest of a channel; 1 for the state it is in.");
    out.family(CHANNEL, ingest, |put| {
        for row in rows {
            if let Some(health) = row.health {
                put.state(&labels(row), &INGESTS, health.ingest.as_str());
            }
        }
    });
}

/// Writes what the endpoints are.
pub fn endpoints(out: &mut Writer, rows: &[EndpointRow]) {
    let about = info("endpoint", "What an origin endpoint is.");
    out.family("mediapackage_", about, |put| {
        for row in rows {
            let endpoint = row.endpoint;
            let package = endpoint.package.map(|package| package.as_str());
            let labels = [
                ("endpoint", &*endpoint.id),
                (
                    "channel",
                    endpoint.channel_id.as_deref().unwrap_or_default(),
                ),
                ("channel_group", row.channel_group.unwrap_or_default()),
                ("api", endpoint.api.as_str()),
                ("arn", endpoint.arn.as_deref().unwrap_or_default()),
                ("package", package.unwrap_or_default()),
            ];
            put.put(&labels, &[], Some(1.0));
        }
    });
}

type Value = fn(&Row) -> Option<f64>;

fn float(value: Option<i64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn seconds(milliseconds: Option<f64>) -> Option<f64> {
    tenths(milliseconds).map(|ms| ms / 1000.0)
}

fn start(minute: Minute) -> f64 {
    minute.start().0 as f64 / 1000.0
}

/// What every resource has.
const OF_ALL: [(Family, Value); 8] = [
    (
        measured(
            "egress_bytes",
            "bytes",
            "Bytes to players in the newest settled minute.",
        ),
        |row| float(whole(row.metrics.reading.egress_bytes)),
    ),
    (
        measured(
            "egress_bits_per_second",
            "bits_per_second",
            "Bitrate to players in the newest settled minute.",
        ),
        |row| float(bits_per_second(row.metrics.reading.egress_bytes)),
    ),
    (
        gauge(
            "egress_requests",
            "Requests of players in the newest settled minute.",
        ),
        |row| float(whole(row.metrics.reading.requests)),
    ),
    (
        measured(
            "egress_response_time_seconds",
            "seconds",
            "Time that MediaPackage took to answer players, average of the newest settled minute.",
        ),
        |row| seconds(row.metrics.reading.egress_response_time),
    ),
    (
        measured(
            "metrics_timestamp_seconds",
            "seconds",
            "Start of the newest settled minute, in seconds since 1970.",
        ),
        |row| Some(start(row.metrics.reading.minute)),
    ),
    (
        measured(
            "last_data_timestamp_seconds",
            "seconds",
            "Start of the newest minute with any data, in seconds since 1970.",
        ),
        |row| row.metrics.last_data.map(start),
    ),
    (
        gauge(
            "metrics_revised",
            "Whether CloudWatch revised the newest settled minute after it was told.",
        ),
        |row| Some(number(row.metrics.reading.revised)),
    ),
    (
        measured(
            "window_seconds",
            "seconds",
            "Settled minutes since the poll before, which window_responses sums over.",
        ),
        |row| Some(row.metrics.window.minutes as f64 * 60.0),
    ),
];

/// What only channels have.
const OF_CHANNELS: [(Family, Value); 5] = [
    (
        measured(
            "ingress_bytes",
            "bytes",
            "Bytes that came in in the newest settled minute.",
        ),
        |row| float(whole(row.metrics.reading.ingress_bytes)),
    ),
    (
        measured(
            "ingress_bits_per_second",
            "bits_per_second",
            "Bitrate that came in in the newest settled minute.",
        ),
        |row| float(bits_per_second(row.metrics.reading.ingress_bytes)),
    ),
    (
        gauge(
            "ingress_requests",
            "Requests of the encoder in the newest settled minute.",
        ),
        |row| float(whole(row.metrics.reading.ingress_requests)),
    ),
    (
        measured(
            "ingress_response_time_seconds",
            "seconds",
            "Time that MediaPackage took to answer the encoder, average of the newest settled \
             minute.",
        ),
        |row| seconds(row.metrics.reading.ingress_response_time),
    ),
    (
        gauge("mqcs", "Media quality confidence score, 0 to 100."),
        |row| tenths(row.metrics.reading.mqcs),
    ),
];

const STATE: Family = gauge(
    "metrics_state",
    "How fresh the data is; 1 for the state it is in.",
);
const RESPONSES: Family = gauge(
    "egress_responses",
    "Answers to players by status class in the newest settled minute.",
);
const WINDOW_RESPONSES: Family = gauge(
    "window_responses",
    "Answers to players by status class in the settled minutes since the poll before.",
);
const INPUT_ACTIVE: Family = gauge("input_active", "Whether an ingest endpoint is in use.");
const INPUT_BITRATE: Family = measured(
    "input_bits_per_second",
    "bits_per_second",
    "Bitrate that came in at an ingest endpoint in the newest settled minute.",
);
const INPUT_MQCS: Family = gauge(
    "input_mqcs",
    "Media quality confidence score of an ingest endpoint, 0 to 100.",
);
const ACTIVE_INPUT: Family = info("active_input", "The ingest endpoint that feeds it.");

/// Writes the newest minutes: of channels, then endpoints, then packaging configurations.
pub fn minutes(out: &mut Writer, rows: &[Row]) {
    type Is = fn(&Resource) -> bool;
    let kinds: [(&str, Is); 3] = [
        (CHANNEL, |resource| resource.is_channel()),
        (ENDPOINT, |resource| {
            matches!(resource, Resource::Endpoint(_))
        }),
        (PACKAGING, |resource| {
            matches!(resource, Resource::Packaging(_))
        }),
    ];
    for (prefix, is) in kinds {
        let of_kind = || rows.iter().filter(|row| is(row.metrics.resource));
        let mut family = |family, fill: &mut dyn FnMut(&mut Samples<'_>, &Row)| {
            out.family(prefix, family, |put| {
                of_kind().for_each(|row| fill(put, row));
            });
        };
        for (name, value) in OF_ALL.iter().chain(&OF_CHANNELS) {
            family(*name, &mut |put, row| {
                put.put(&labels(row), &[], value(row))
            });
        }
        family(STATE, &mut |put, row| {
            put.state(&labels(row), &FRESHNESS, row.metrics.freshness.as_str());
        });
        family(RESPONSES, &mut |put, row| {
            let classes = ["2xx", "3xx", "4xx", "5xx"].into_iter();
            for (class, count) in classes.zip(row.metrics.reading.by_status) {
                put.put(&labels(row), &[("code", class)], float(whole(count)));
            }
        });
        family(WINDOW_RESPONSES, &mut |put, row| {
            let window = row.metrics.window;
            for (class, count) in [("4xx", window.requests_4xx), ("5xx", window.requests_5xx)] {
                put.put(&labels(row), &[("code", class)], float(whole(count)));
            }
        });
        family(INPUT_ACTIVE, &mut |put, row| {
            let Owner::Live { api, .. } = row.metrics.owner else {
                return;
            };
            for input in &row.metrics.reading.inputs {
                let active = input.active(api).map(number);
                put.put(&labels(row), &[("input", &input.id)], active);
            }
        });
        family(INPUT_BITRATE, &mut |put, row| {
            for input in &row.metrics.reading.inputs {
                let bits = float(bits_per_second(input.bytes));
                put.put(&labels(row), &[("input", &input.id)], bits);
            }
        });
        family(INPUT_MQCS, &mut |put, row| {
            for input in &row.metrics.reading.inputs {
                put.put(&labels(row), &[("input", &input.id)], tenths(input.mqcs));
            }
        });
        family(ACTIVE_INPUT, &mut |put, row| {
            let input = row.metrics.reading.active_input.as_deref();
            let more = [("input", input.unwrap_or_default())];
            put.put(&labels(row), &more, input.map(|_| 1.0));
        });
    }
}

/// Whose it is.
fn labels<'a>(row: &Row<'a>) -> [(&'static str, &'a str); 4] {
    let metrics = &row.metrics;
    let id: &'a str = metrics.resource.id();
    let kind = match metrics.resource {
        Resource::Channel(_) => "channel",
        Resource::Endpoint(_) => "endpoint",
        Resource::Packaging(_) => "packaging_configuration",
    };
    let (of, owner, api) = match metrics.owner {
        Owner::Live { api, channel_id } => {
            // A channel is its own.
            let channel = channel_id.filter(|_| !metrics.resource.is_channel());
            ("channel", channel, api.as_str())
        }
        Owner::Vod { packaging_group_id } => ("packaging_group", packaging_group_id, "vod"),
    };
    [
        (kind, id),
        (of, owner.unwrap_or_default()),
        ("channel_group", row.channel_group.unwrap_or_default()),
        ("api", api),
    ]
}
