//! Channels and origin endpoints as they are published: an allow-list by construction.
//!
//! What is not a field here (ingest user names and passwords, SPEKE and CDN-authorization
//! fields, role ARNs, whitelists) never leaves the parser in `aws/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::time::UnixMs;

/// Name of a channel, endpoint or alarm; shared, since topics and series refer to it.
pub type Id = Arc<str>;

/// Which MediaPackage API a resource is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
    /// MediaPackage v1 live.
    V1,
    /// MediaPackage v2 live.
    V2,
}

impl Api {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Api::V1 => "v1",
            Api::V2 => "v2",
        }
    }
}

/// The account in an ARN; `None` where the service leaves it out.
pub fn account_of(arn: &str) -> Option<&str> {
    let account = arn.split(':').nth(4)?;
    let digits = !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit());
    digits.then_some(account)
}

/// Key and value, in order of the key.
pub type Tags = BTreeMap<String, String>;

/// One of a channel's ingest endpoints, without its user name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestEndpoint {
    /// AWS's id, a dimension value of its metrics.
    pub id: String,
    /// Where the encoder sends to, without user information.
    pub url: Option<String>,
}

/// A channel. `None` is what AWS left out or sent as null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// v1: the id; v2: `<group>.<channel>`.
    pub id: Id,
    /// The API it is of.
    pub api: Api,
    /// v2 only.
    pub channel_group: Option<String>,
    /// Amazon resource name.
    pub arn: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Option<UnixMs>,
    /// v2 only.
    pub modified_at: Option<UnixMs>,
    /// In AWS's order.
    pub ingest_endpoints: Vec<IngestEndpoint>,
    /// v1: `HLS`; v2: AWS's value.
    pub input_type: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// Log group name of the egress access logs.
    pub egress_access_logs: Option<String>,
    /// Log group name of the ingress access logs.
    pub ingress_access_logs: Option<String>,
}

/// How an endpoint packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// HTTP Live Streaming.
    Hls,
    /// MPEG-DASH.
    Dash,
    /// Common Media Application Format.
    Cmaf,
    /// Microsoft Smooth Streaming.
    Mss,
    /// MPEG transport stream (v2).
    Ts,
}

impl Package {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Package::Hls => "hls",
            Package::Dash => "dash",
            Package::Cmaf => "cmaf",
            Package::Mss => "mss",
            Package::Ts => "ts",
        }
    }
}

/// One playback manifest of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// AWS's id or name of it.
    pub id: String,
    /// Where players find it.
    pub url: Option<String>,
}

/// An origin endpoint. `None` is what AWS left out or sent as null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// v1: the id; v2: `<group>.<channel>.<endpoint>`.
    pub id: Id,
    /// The API it is of.
    pub api: Api,
    /// The channel it belongs to, by [`Channel::id`].
    pub channel_id: Option<Id>,
    /// Amazon resource name.
    pub arn: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Option<UnixMs>,
    /// v2 only.
    pub modified_at: Option<UnixMs>,
    /// Where players find it; for CMAF see `manifests`.
    pub url: Option<String>,
    /// The last part of the URL without its ending.
    pub manifest_name: Option<String>,
    /// How it packages.
    pub package: Option<Package>,
    /// Length of a segment.
    pub segment_duration_seconds: Option<i64>,
    /// Whether an encryption is configured.
    pub encrypted: bool,
    /// How far back a player may start.
    pub startover_window_seconds: Option<i64>,
    /// How long playback is held back.
    pub time_delay_seconds: Option<i64>,
    /// `ALLOW`, `DENY`, or what AWS adds later.
    pub origination: Option<String>,
    /// CMAF (v1) and v2: its manifests.
    pub manifests: Vec<Manifest>,
    /// Its tags.
    pub tags: Tags,
}
