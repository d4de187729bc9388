//! Reads the answers of v2. Pure.
//!
//! The structs hold only what is published: what SPEKE and CDN authorization need, filters,
//! and key servers have no field here, so they never leave the parser.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::answer::parse_json;
use super::super::rest::{
    PageOf, RawTags, RawTime, named, null_is_empty, tags, time, without_userinfo,
};
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::{
    Api, Channel, ChannelGroup, Detail, Endpoint, Id, IngestEndpoint, Manifest, Package, Tags,
};
use crate::state::polled::{Got, Listed, Resource};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(bound = "T: Deserialize<'de>")]
struct ItemsPage<T> {
    // Without the list the answer is no listing, and must not pass for an empty one.
    #[serde(deserialize_with = "null_is_empty")]
    items: Vec<T>,
    next_token: Option<String>,
}

/// Reads a page of any listing of v2.
pub fn page<R, T>(
    operation: &str,
    body: &[u8],
    item: impl Fn(R) -> Result<(Id, T), Fault>,
) -> Result<PageOf<T>, Fault>
where
    R: for<'de> Deserialize<'de>,
{
    let page: ItemsPage<R> = parse_json(operation, body)?;
    let items = page.items.into_iter().map(item);
    Ok((items.collect::<Result<_, _>>()?, page.next_token))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawGroup {
    channel_group_name: Option<String>,
    arn: Option<String>,
    description: Option<String>,
    created_at: Option<RawTime>,
    modified_at: Option<RawTime>,
}

/// A page of `ListChannelGroups`.
pub fn channel_groups(operation: &str, body: &[u8]) -> Result<PageOf<Listed<ChannelGroup>>, Fault> {
    page(operation, body, |raw: RawGroup| {
        let group = named(operation, raw.channel_group_name.as_deref())?;
        let value = ChannelGroup {
            id: group.clone(),
            arn: raw.arn,
            description: raw.description,
            created_at: time(raw.created_at),
            modified_at: time(raw.modified_at),
            egress_domain: None,
            tags: Tags::new(),
        };
        Ok(listed(Resource::ChannelGroup { group }, value))
    })
}

fn listed<T>(resource: Resource, value: T) -> (Id, Listed<T>) {
    (resource.id(), Listed { resource, value })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawChannel {
    channel_name: Option<String>,
    arn: Option<String>,
    description: Option<String>,
    created_at: Option<RawTime>,
    modified_at: Option<RawTime>,
    input_type: Option<String>,
}

/// A page of `ListChannels` of `group`.
pub fn channels(
    operation: &str,
    group: &Id,
    body: &[u8],
) -> Result<PageOf<Listed<Channel>>, Fault> {
    page(operation, body, |raw: RawChannel| {
        let resource = Resource::Channel {
            group: group.clone(),
            channel: named(operation, raw.channel_name.as_deref())?,
        };
        let value = Channel {
            id: resource.id(),
            api: Api::V2,
            channel_group: Some(group.to_string()),
            arn: raw.arn,
            description: raw.description,
            created_at: time(raw.created_at),
            modified_at: time(raw.modified_at),
            ingest_endpoints: Vec::new(),
            input_type: raw.input_type,
            tags: Tags::new(),
            egress_access_logs: None,
            ingress_access_logs: None,
        };
        Ok(listed(resource, value))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawEndpoint {
    origin_endpoint_name: Option<String>,
    arn: Option<String>,
    container_type: Option<String>,
    description: Option<String>,
    created_at: Option<RawTime>,
    modified_at: Option<RawTime>,
    hls_manifests: Option<Vec<RawManifest>>,
    low_latency_hls_manifests: Option<Vec<RawManifest>>,
    dash_manifests: Option<Vec<RawManifest>>,
    mss_manifests: Option<Vec<RawManifest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawManifest {
    manifest_name: Option<String>,
    url: Option<String>,
}

/// A page of `ListOriginEndpoints` of a channel.
pub fn endpoints(
    operation: &str,
    group: &Id,
    channel: &Id,
    body: &[u8],
) -> Result<PageOf<Listed<Endpoint>>, Fault> {
    let of_channel = Resource::Channel {
        group: group.clone(),
        channel: channel.clone(),
    };
    page(operation, body, |raw: RawEndpoint| {
        let resource = Resource::Endpoint {
            group: group.clone(),
            channel: channel.clone(),
            endpoint: named(operation, raw.origin_endpoint_name.as_deref())?,
        };
        let value = listed_endpoint(resource.id(), of_channel.id(), raw);
        Ok(listed(resource, value))
    })
}

/// What the listing tells of an endpoint; what it has for players stands in its manifests, and
/// the first one with a URL stands for all.
fn listed_endpoint(id: Id, channel_id: Id, raw: RawEndpoint) -> Endpoint {
    let kinds = [
        raw.hls_manifests,
        raw.low_latency_hls_manifests,
        raw.dash_manifests,
        raw.mss_manifests,
    ];
    let manifest = |raw: RawManifest| Manifest {
        id: raw.manifest_name.unwrap_or_default(),
        url: raw.url.map(without_userinfo),
    };
    let manifests: Vec<Manifest> = kinds
        .into_iter()
        .flatten()
        .flatten()
        .map(manifest)
        .collect();
    let first = manifests.iter().find(|manifest| manifest.url.is_some());
    Endpoint {
        id,
        api: Api::V2,
        channel_id: Some(channel_id),
        arn: raw.arn,
        description: raw.description,
        created_at: time(raw.created_at),
        modified_at: time(raw.modified_at),
        url: first.and_then(|manifest| manifest.url.clone()),
        manifest_name: first.map(|manifest| manifest.id.clone()),
        package: raw.container_type.as_deref().and_then(package),
        segment_duration_seconds: None,
        encrypted: None,
        startover_window_seconds: None,
        time_delay_seconds: None,
        origination: None,
        manifests,
        tags: Tags::new(),
    }
}

/// A container is what v2 packages into; which manifests go with it is told apart. ISM is the
/// container of Microsoft Smooth Streaming.
fn package(container: &str) -> Option<Package> {
    match container {
        "TS" => Some(Package::Ts),
        "CMAF" => Some(Package::Cmaf),
        "ISM" => Some(Package::Mss),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawGotGroup {
    channel_group_name: Option<String>,
    modified_at: Option<RawTime>,
    egress_domain: Option<String>,
    tags: RawTags,
    #[serde(rename = "tags")]
    small_tags: RawTags,
}

/// The answer to `GetChannelGroup`.
pub fn channel_group(operation: &str, group: &str, body: &[u8]) -> Result<Got, Fault> {
    let raw: RawGotGroup = parse_json(operation, body)?;
    check_name(operation, group, raw.channel_group_name.as_deref())?;
    Ok(Got {
        modified_at: time(raw.modified_at),
        detail: Detail::ChannelGroup {
            egress_domain: raw.egress_domain,
            tags: either(raw.tags, raw.small_tags),
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawGotChannel {
    channel_name: Option<String>,
    modified_at: Option<RawTime>,
    ingest_endpoints: Option<Vec<RawIngest>>,
    tags: RawTags,
    #[serde(rename = "tags")]
    small_tags: RawTags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawIngest {
    id: Option<String>,
    url: Option<String>,
}

/// The answer to `GetChannel`.
pub fn channel(operation: &str, channel: &str, body: &[u8]) -> Result<Got, Fault> {
    let raw: RawGotChannel = parse_json(operation, body)?;
    check_name(operation, channel, raw.channel_name.as_deref())?;
    let ingest = |raw: RawIngest| IngestEndpoint {
        id: raw.id.unwrap_or_default(),
        url: raw.url.map(without_userinfo),
    };
    let ingest_endpoints = raw.ingest_endpoints.into_iter().flatten().map(ingest);
    Ok(Got {
        modified_at: time(raw.modified_at),
        detail: Detail::Channel {
            ingest_endpoints: ingest_endpoints.collect(),
            tags: either(raw.tags, raw.small_tags),
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawGotEndpoint {
    origin_endpoint_name: Option<String>,
    modified_at: Option<RawTime>,
    startover_window_seconds: Option<i64>,
    segment: Option<RawSegment>,
    tags: RawTags,
    #[serde(rename = "tags")]
    small_tags: RawTags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSegment {
    segment_duration_seconds: Option<i64>,
    // Only that it is there; what it holds is never read.
    encryption: Option<IgnoredAny>,
}

/// The answer to `GetOriginEndpoint`. Without a segment nobody knows whether it is encrypted.
pub fn endpoint(operation: &str, endpoint: &str, body: &[u8]) -> Result<Got, Fault> {
    let raw: RawGotEndpoint = parse_json(operation, body)?;
    check_name(operation, endpoint, raw.origin_endpoint_name.as_deref())?;
    let segment = raw.segment.as_ref();
    Ok(Got {
        modified_at: time(raw.modified_at),
        detail: Detail::Endpoint {
            segment_duration_seconds: segment.and_then(|s| s.segment_duration_seconds),
            encrypted: segment.map(|s| s.encryption.is_some()),
            startover_window_seconds: raw.startover_window_seconds,
            tags: either(raw.tags, raw.small_tags),
        },
    })
}

/// v2 writes the member small for groups and capital for all else; both are taken everywhere.
fn either(capital: RawTags, small: RawTags) -> Tags {
    tags(capital.or(small))
}

/// An answer that does not name what was asked for must not pass for one without tags.
fn check_name(operation: &str, asked: &str, got: Option<&str>) -> Result<(), Fault> {
    if got == Some(asked) {
        return Ok(());
    }
    let what = match got {
        None => format!("the answer to {operation} does not say what it is of"),
        Some(_) => format!("the answer to {operation} is of another resource"),
    };
    let remedy = "check the url and whether a proxy answers in AWS's place";
    Err(Fault::new(FaultKind::Answer, what, remedy))
}
