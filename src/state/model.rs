//! Channels, origin endpoints and what else there is of MediaPackage, as they are published: an
//! allow-list by construction.
//!
//! What is not a field here (ingest user names and passwords, SPEKE and CDN-authorization
//! fields, policies, role ARNs, whitelists) never leaves the parser in `aws/`.

use std::sync::Arc;

use serde::{Serialize, Serializer};

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

/// Key and value, in order of the key. There are few or none: a map's smallest node has room for
/// eleven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Box<[(Box<str>, Box<str>)]>);

impl Tags {
    /// None.
    pub fn new() -> Tags {
        Tags::default()
    }

    /// Keys and values, in order of the key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

/// Each key once.
impl FromIterator<(String, String)> for Tags {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Tags {
        let pairs = pairs.into_iter();
        let mut pairs: Vec<(Box<str>, Box<str>)> = pairs
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        pairs.sort_unstable();
        pairs.dedup_by(|one, before| one.0 == before.0);
        Tags(pairs.into())
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

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
    /// Whether an encryption is configured; v2: not known until the endpoint was got by itself.
    pub encrypted: Option<bool>,
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

/// A channel group of v2. `None` is what AWS left out, sent as null, or tells only of a group
/// that is got by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelGroup {
    /// Its name.
    pub id: Id,
    /// Amazon resource name.
    pub arn: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Option<UnixMs>,
    /// When it was changed last.
    pub modified_at: Option<UnixMs>,
    /// The host that players ask.
    pub egress_domain: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// What v2 tells only of a resource that is got by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Of a channel group.
    ChannelGroup {
        /// See [`ChannelGroup::egress_domain`].
        egress_domain: Option<String>,
        /// See [`ChannelGroup::tags`].
        tags: Tags,
    },
    /// Of a channel.
    Channel {
        /// See [`Channel::ingest_endpoints`].
        ingest_endpoints: Vec<IngestEndpoint>,
        /// See [`Channel::tags`].
        tags: Tags,
    },
    /// Of an origin endpoint.
    Endpoint {
        /// See [`Endpoint::segment_duration_seconds`].
        segment_duration_seconds: Option<i64>,
        /// See [`Endpoint::encrypted`].
        encrypted: Option<bool>,
        /// See [`Endpoint::startover_window_seconds`].
        startover_window_seconds: Option<i64>,
        /// See [`Endpoint::tags`].
        tags: Tags,
    },
}

/// A harvest job: a piece of a live stream that is kept as a file. `None` is what AWS left out
/// or sent as null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HarvestJob {
    /// v1: the id; v2: `<group>.<channel>.<endpoint>.<job>`.
    pub id: Id,
    /// The API it is of.
    pub api: Api,
    /// Amazon resource name.
    pub arn: Option<String>,
    /// The channel it takes from, by [`Channel::id`].
    pub channel_id: Option<Id>,
    /// The origin endpoint it takes from, by [`Endpoint::id`].
    pub endpoint_id: Option<Id>,
    /// `IN_PROGRESS`, `SUCCEEDED` (v1), `COMPLETED` (v2), `FAILED`, or what AWS adds later.
    pub status: Option<String>,
    /// v2 only: why it failed.
    pub message: Option<String>,
    /// Where the piece begins.
    pub start_time: Option<UnixMs>,
    /// Where the piece ends.
    pub end_time: Option<UnixMs>,
    /// When it was asked for.
    pub created_at: Option<UnixMs>,
    /// v2 only; not published: when its status changed last.
    pub modified_at: Option<UnixMs>,
    /// The S3 bucket it writes to.
    pub bucket: Option<String>,
    /// v1: the manifest's key in the bucket; v2: the path of the destination.
    pub key: Option<String>,
}

impl HarvestJob {
    /// How long a job is shown after its end.
    pub const SHOWN_MS: i64 = 24 * 3600 * 1000;

    /// Whether it will not go on. A status that we do not know may.
    pub fn is_finished(&self) -> bool {
        self.status.as_deref().is_some_and(HarvestJob::is_end)
    }

    /// Whether no other status comes after this one.
    pub fn is_end(status: &str) -> bool {
        ["SUCCEEDED", "COMPLETED", "FAILED", "CANCELLED"].contains(&status)
    }

    /// When it ended, as far as AWS tells. v1 does not: no job ends before it was asked for,
    /// nor before the end of its piece.
    pub fn finished_at(&self) -> Option<UnixMs> {
        let known = self.modified_at.or(self.created_at.max(self.end_time));
        known.filter(|_| self.is_finished())
    }

    /// Whether it belongs on show at `now`, AWS's time: until a day after its end.
    pub fn is_shown(&self, now: UnixMs) -> bool {
        let until = self.finished_at().map(|at| at.plus_ms(Self::SHOWN_MS));
        until.is_none_or(|until| now < until)
    }
}

/// A packaging group of VOD. `None` is what AWS left out or sent as null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagingGroup {
    /// AWS's id.
    pub id: Id,
    /// Amazon resource name.
    pub arn: Option<String>,
    /// The host that players ask.
    pub domain_name: Option<String>,
    /// How many assets it holds, about.
    pub approximate_asset_count: Option<i64>,
    /// When it was made.
    pub created_at: Option<UnixMs>,
    /// Log group name of the egress access logs.
    pub egress_access_logs: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A packaging configuration of VOD. `None` is what AWS left out or sent as null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagingConfiguration {
    /// AWS's id, a dimension value of its metrics.
    pub id: Id,
    /// The group it belongs to, by [`PackagingGroup::id`].
    pub packaging_group_id: Option<Id>,
    /// Amazon resource name.
    pub arn: Option<String>,
    /// When it was made.
    pub created_at: Option<UnixMs>,
    /// How it packages.
    pub package: Option<Package>,
    /// Length of a segment.
    pub segment_duration_seconds: Option<i64>,
    /// Whether an encryption is configured.
    pub encrypted: bool,
    /// Names of its manifests, in AWS's order; their URLs are those of each asset.
    pub manifests: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = HarvestJob::SHOWN_MS;

    #[test]
    fn a_harvest_job_is_shown_until_a_day_after_its_end() {
        // Status, created, end of its piece, modified; the last moment it is shown.
        let cases = [
            ("IN_PROGRESS", Some(1), Some(2), Some(3), None),
            ("QUEUED", Some(1), Some(2), None, None),
            ("SOMETHING_NEW", Some(1), Some(2), Some(3), None),
            ("SUCCEEDED", Some(5), Some(2), None, Some(4 + DAY)),
            ("FAILED", Some(1), Some(9), None, Some(8 + DAY)),
            ("COMPLETED", Some(1), Some(9), Some(20), Some(19 + DAY)),
            ("CANCELLED", None, None, Some(20), Some(19 + DAY)),
            ("FAILED", None, None, None, None),
            ("FAILED", None, None, Some(i64::MAX), Some(i64::MAX - 1)),
        ];
        for (status, created, end, modified, last) in cases {
            let job = HarvestJob {
                id: "job".into(),
                api: Api::V1,
                arn: None,
                channel_id: None,
                endpoint_id: None,
                status: Some(status.into()),
                message: None,
                start_time: None,
                end_time: end.map(UnixMs),
                created_at: created.map(UnixMs),
                modified_at: modified.map(UnixMs),
                bucket: None,
                key: None,
            };
            let last_ms = last.unwrap_or(i64::MAX);
            assert!(job.is_shown(UnixMs(last_ms)), "{job:?}");
            let after = last.map(|at: i64| job.is_shown(UnixMs(at + 1)));
            assert_ne!(after, Some(true), "{job:?}");
        }
    }
}
