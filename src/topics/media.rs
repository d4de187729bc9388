//! The payloads of channel groups, harvest jobs and VOD, in the manner of `payload`: each struct
//! is the allow-list of its topic.

use serde::Serialize;

use crate::state::apis::MediaApi;
use crate::state::model::{
    Api, ChannelGroup, HarvestJob, Id, PackagingConfiguration, PackagingGroup, Tags,
};
use crate::state::time::UnixMs;

/// JSON text of a payload. Payloads hold nothing that JSON cannot say.
fn json(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap_or_default()
}

fn time(at: Option<UnixMs>) -> Option<String> {
    at.map(UnixMs::rfc3339)
}

fn texts(ids: &[Id]) -> Vec<&str> {
    ids.iter().map(|id| &**id).collect()
}

/// `channel_group/<id>`
pub fn channel_group(group: &ChannelGroup, channels: &[Id]) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: &'a str,
        api: &'a str,
        arn: Option<&'a str>,
        description: Option<&'a str>,
        created_at: Option<String>,
        modified_at: Option<String>,
        egress_domain: Option<&'a str>,
        tags: &'a Tags,
        channels: Vec<&'a str>,
    }
    json(&Payload {
        id: &group.id,
        api: Api::V2.as_str(),
        arn: group.arn.as_deref(),
        description: group.description.as_deref(),
        created_at: time(group.created_at),
        modified_at: time(group.modified_at),
        egress_domain: group.egress_domain.as_deref(),
        tags: &group.tags,
        channels: texts(channels),
    })
}

/// `harvest_job/<id>`
pub fn harvest_job(job: &HarvestJob) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: &'a str,
        api: &'a str,
        arn: Option<&'a str>,
        channel_id: Option<&'a str>,
        endpoint_id: Option<&'a str>,
        status: Option<&'a str>,
        message: Option<&'a str>,
        start_time: Option<String>,
        end_time: Option<String>,
        created_at: Option<String>,
        bucket: Option<&'a str>,
        key: Option<&'a str>,
    }
    json(&Payload {
        id: &job.id,
        api: job.api.as_str(),
        arn: job.arn.as_deref(),
        channel_id: job.channel_id.as_deref(),
        endpoint_id: job.endpoint_id.as_deref(),
        status: job.status.as_deref(),
        message: job.message.as_deref(),
        start_time: time(job.start_time),
        end_time: time(job.end_time),
        created_at: time(job.created_at),
        bucket: job.bucket.as_deref(),
        key: job.key.as_deref(),
    })
}

/// `packaging_group/<id>`
pub fn packaging_group(group: &PackagingGroup, configurations: &[Id]) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: &'a str,
        api: &'a str,
        arn: Option<&'a str>,
        created_at: Option<String>,
        egress_domain: Option<&'a str>,
        approximate_asset_count: Option<i64>,
        egress_access_logs: Option<&'a str>,
        tags: &'a Tags,
        packaging_configurations: Vec<&'a str>,
    }
    json(&Payload {
        id: &group.id,
        api: MediaApi::Vod.as_str(),
        arn: group.arn.as_deref(),
        created_at: time(group.created_at),
        egress_domain: group.domain_name.as_deref(),
        approximate_asset_count: group.approximate_asset_count,
        egress_access_logs: group.egress_access_logs.as_deref(),
        tags: &group.tags,
        packaging_configurations: texts(configurations),
    })
}

/// `packaging_configuration/<id>`
pub fn packaging_configuration(configuration: &PackagingConfiguration) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        id: &'a str,
        api: &'a str,
        packaging_group_id: Option<&'a str>,
        arn: Option<&'a str>,
        created_at: Option<String>,
        package: Option<&'a str>,
        segment_duration_seconds: Option<i64>,
        encrypted: bool,
        manifests: &'a [String],
        tags: &'a Tags,
    }
    json(&Payload {
        id: &configuration.id,
        api: MediaApi::Vod.as_str(),
        packaging_group_id: configuration.packaging_group_id.as_deref(),
        arn: configuration.arn.as_deref(),
        created_at: time(configuration.created_at),
        package: configuration.package.map(|package| package.as_str()),
        segment_duration_seconds: configuration.segment_duration_seconds,
        encrypted: configuration.encrypted,
        manifests: &configuration.manifests,
        tags: &configuration.tags,
    })
}
