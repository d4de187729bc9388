//! Harvest jobs of MediaPackage v1 and v2. Pure but for the [`Service`] that carries the
//! requests.
//!
//! Source: botocore mediapackage/2017-10-12 and mediapackagev2/2022-12-25. The role that a job
//! of v1 writes with has no field here, so it never leaves the parser.

use serde::Deserialize;

use super::answer::parse_json;
use super::client::Service;
use super::mediapackage_v2::{pages, read, unless_removed};
use super::rest::{Listing, PageOf, RawTime, named, null_is_empty, segment, time};
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::{Api, HarvestJob, Id};
use crate::state::polled::Resource;

/// Items v1 is asked for at once, of the 1000 it allows.
const PAGE_ITEMS: usize = 200;
/// Jobs of v2 that are wanted, of all groups together.
const JOBS_MAX: usize = 20_000;

/// The harvest jobs of v1 that are `wanted`: AWS lists old ones too. One request a page.
///
/// # Errors
///
/// Any fault of any page: a listing is complete, or there is none.
pub fn list_v1(
    service: &Service,
    wanted: impl Fn(&HarvestJob) -> bool,
) -> Result<Vec<HarvestJob>, Fault> {
    let listing = Listing {
        operation: "ListHarvestJobs",
        path: "/harvest_jobs",
        page_items: PAGE_ITEMS,
    };
    listing.read(service, |operation, body| {
        Ok(only(&wanted, read_v1(operation, body)?))
    })
}

/// The harvest jobs of v2 in these channel groups that are `wanted`. One request a group at
/// least. A group that was removed after it was listed has none.
///
/// # Errors
///
/// Any fault of any page of any group; [`FaultKind::Answer`] for more than 20,000 jobs.
pub fn list_v2<'a>(
    service: &Service,
    groups: impl IntoIterator<Item = &'a Id>,
    wanted: impl Fn(&HarvestJob) -> bool,
) -> Result<Vec<HarvestJob>, Fault> {
    let operation = "ListHarvestJobs";
    let mut jobs = Vec::new();
    for group in groups {
        let path = format!("/channelGroup/{}/harvestJob", segment(group));
        let of_group = pages(service, operation, &path, |operation, body| {
            Ok(only(&wanted, read_v2(operation, group, body)?))
        });
        jobs.append(&mut unless_removed(of_group)?);
        if jobs.len() > JOBS_MAX {
            let what = format!("{operation} gives more than {JOBS_MAX} jobs");
            return Err(Fault::new(FaultKind::Answer, what, ""));
        }
    }
    Ok(jobs)
}

fn only(
    wanted: impl Fn(&HarvestJob) -> bool,
    (mut jobs, next): PageOf<HarvestJob>,
) -> PageOf<HarvestJob> {
    jobs.retain(|(_, job)| wanted(job));
    (jobs, next)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobsPage {
    // Without the list the answer is no listing, and must not pass for an empty one.
    #[serde(deserialize_with = "null_is_empty")]
    harvest_jobs: Vec<RawJob>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawJob {
    id: Option<String>,
    arn: Option<String>,
    channel_id: Option<String>,
    origin_endpoint_id: Option<String>,
    status: Option<String>,
    start_time: Option<RawTime>,
    end_time: Option<RawTime>,
    created_at: Option<RawTime>,
    #[serde(rename = "s3Destination")]
    destination: Option<RawDestination>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDestination {
    bucket_name: Option<String>,
    manifest_key: Option<String>,
}

fn read_v1(operation: &str, body: &[u8]) -> Result<PageOf<HarvestJob>, Fault> {
    let page: JobsPage = parse_json(operation, body)?;
    let job = |raw: RawJob| {
        let id = named(operation, raw.id.as_deref())?;
        let destination = raw.destination.unwrap_or_default();
        let job = HarvestJob {
            id: id.clone(),
            api: Api::V1,
            arn: raw.arn,
            channel_id: raw.channel_id.map(Id::from),
            endpoint_id: raw.origin_endpoint_id.map(Id::from),
            status: raw.status,
            message: None,
            start_time: time(raw.start_time),
            end_time: time(raw.end_time),
            created_at: time(raw.created_at),
            modified_at: None,
            bucket: destination.bucket_name,
            key: destination.manifest_key,
        };
        Ok((id, job))
    };
    let jobs = page.harvest_jobs.into_iter().map(job);
    Ok((jobs.collect::<Result<_, Fault>>()?, page.next_token))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawJobV2 {
    harvest_job_name: Option<String>,
    channel_name: Option<String>,
    origin_endpoint_name: Option<String>,
    arn: Option<String>,
    status: Option<String>,
    error_message: Option<String>,
    schedule_configuration: Option<RawSchedule>,
    created_at: Option<RawTime>,
    modified_at: Option<RawTime>,
    destination: Option<RawS3>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSchedule {
    start_time: Option<RawTime>,
    end_time: Option<RawTime>,
}

#[derive(Deserialize)]
struct RawS3 {
    #[serde(rename = "S3Destination")]
    destination: Option<RawDestinationV2>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawDestinationV2 {
    bucket_name: Option<String>,
    destination_path: Option<String>,
}

fn read_v2(operation: &str, group: &Id, body: &[u8]) -> Result<PageOf<HarvestJob>, Fault> {
    read::page(operation, body, |raw: RawJobV2| {
        let name = |name: Option<&str>| named(operation, name);
        let job = name(raw.harvest_job_name.as_deref())?;
        let channel = Resource::Channel {
            group: group.clone(),
            channel: name(raw.channel_name.as_deref())?,
        };
        let endpoint = name(raw.origin_endpoint_name.as_deref())?;
        let endpoint_id: Id = format!("{}.{endpoint}", channel.id()).into();
        let id: Id = format!("{endpoint_id}.{job}").into();
        let schedule = raw.schedule_configuration.unwrap_or_default();
        let s3 = raw.destination.and_then(|s3| s3.destination);
        let s3 = s3.unwrap_or_default();
        let job = HarvestJob {
            id: id.clone(),
            api: Api::V2,
            arn: raw.arn,
            channel_id: Some(channel.id()),
            endpoint_id: Some(endpoint_id),
            status: raw.status,
            message: raw.error_message,
            start_time: time(schedule.start_time),
            end_time: time(schedule.end_time),
            created_at: time(raw.created_at),
            modified_at: time(raw.modified_at),
            bucket: s3.bucket_name,
            key: s3.destination_path,
        };
        Ok((id, job))
    })
}
