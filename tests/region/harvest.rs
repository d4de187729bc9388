//! Harvest jobs of v1 and v2.
//!
//! ```ignore
//! world.add_job("group-0.ch-0000.hls", "match-1"); // QUEUED; of v1: IN_PROGRESS
//! world.set_job("group-0.ch-0000.hls.match-1", "FAILED", Some("There was no content."));
//! let event = world.job_event("group-0.ch-0000.hls.match-1"); // as EventBridge tells it
//! ```

use serde_json::{Map, Value, json};

use super::mediapackage_v2::arn;
use super::refusal::Refusal;
use super::rest::{self, set};
use super::server::{Answer, Request, Seen};
use super::sns::events;
use super::sns::json::iso_ms;
use super::world::{ACCOUNT, HARVEST_ROLE, World};

const HOUR_MS: i64 = 3_600_000;

/// A harvest job.
#[derive(Clone)]
pub struct Job {
    /// v1: its id. v2: the names of its endpoint and its own with dots between them, as topics
    /// have it.
    pub id: String,
    /// Where its endpoint is, if it is one of v2: group, channel, endpoint.
    pub v2: Option<[String; 3]>,
    /// Its own name; that of v1 is its id.
    pub name: String,
    /// Id of its channel.
    pub channel_id: String,
    /// Id of its endpoint.
    pub endpoint_id: String,
    /// v1: `IN_PROGRESS`, `SUCCEEDED`, `FAILED`. v2: `QUEUED`, `IN_PROGRESS`, `CANCELLED`,
    /// `COMPLETED`, `FAILED`.
    pub status: String,
    /// Why it failed; v1 does not list it.
    pub message: Option<String>,
    /// Beginning of what is harvested, milliseconds since 1970.
    pub start_ms: i64,
    /// Its end.
    pub end_ms: i64,
    /// When the job was made.
    pub created_ms: i64,
    /// When it was changed last; v1 does not tell.
    pub modified_ms: i64,
    /// Where the harvest goes.
    pub bucket: String,
    /// Below which key.
    pub key: String,
    /// Laid over what is listed, member by member.
    pub overlay: Map<String, Value>,
}

impl World {
    /// Adds a job that harvests the hour before now from an endpoint of v1 or v2.
    pub fn add_job(&mut self, endpoint_id: &str, name: &str) {
        let of_v1 = self.endpoints.iter().find(|e| e.id == endpoint_id);
        let of_v1 = of_v1.map(|e| e.channel_id.clone());
        let (v2, channel_id, id, status) = match of_v1 {
            Some(channel_id) => (None, channel_id, name.to_owned(), "IN_PROGRESS"),
            None => {
                let endpoint = self.endpoint_v2(endpoint_id);
                let (group, channel) = (endpoint.group.clone(), endpoint.channel.clone());
                let place = [group, channel, endpoint.name.clone()];
                let id = format!("{endpoint_id}.{name}");
                (Some(place), endpoint.channel_id(), id, "QUEUED")
            }
        };
        self.jobs.push(Job {
            id,
            v2,
            channel_id,
            status: status.to_owned(),
            ..Job::new(self, endpoint_id, name)
        });
    }

    /// The job of this id.
    pub fn job(&mut self, id: &str) -> &mut Job {
        let found = self.jobs.iter_mut().find(|j| j.id == id);
        found.unwrap_or_else(|| panic!("the world has no harvest job {id}"))
    }

    /// Moves a job to a state, at the region's time.
    pub fn set_job(&mut self, id: &str, status: &str, message: Option<&str>) {
        let now_ms = self.now_ms();
        let job = self.job(id);
        job.status = status.to_owned();
        job.message = message.map(str::to_owned);
        job.modified_ms = now_ms;
    }

    /// Removes a job.
    pub fn remove_job(&mut self, id: &str) {
        self.jobs.retain(|j| j.id != id);
    }

    /// What EventBridge tells of a job as it is now.
    pub fn job_event(&mut self, id: &str) -> String {
        let job = self.job(id).clone();
        match &job.v2 {
            None => events::harvest_of(self, &job),
            Some(_) => events::harvest_of_v2(self, &job),
        }
    }
}

impl Job {
    /// A job of v1 that harvests the hour before now.
    pub fn new(world: &World, endpoint_id: &str, name: &str) -> Job {
        let now_ms = world.now_ms();
        Job {
            id: name.to_owned(),
            v2: None,
            name: name.to_owned(),
            channel_id: String::new(),
            endpoint_id: endpoint_id.to_owned(),
            status: String::from("IN_PROGRESS"),
            message: None,
            start_ms: now_ms - HOUR_MS,
            end_ms: now_ms,
            created_ms: now_ms,
            modified_ms: now_ms,
            bucket: String::from("harvested"),
            key: format!("{name}/index.m3u8"),
            overlay: Map::new(),
        }
    }

    /// Its ARN.
    pub fn arn(&self, world: &World) -> String {
        match &self.v2 {
            None => {
                let (region, id) = (&world.region, &self.id);
                format!("arn:aws:mediapackage:{region}:{ACCOUNT}:harvest_jobs/{id}")
            }
            Some([group, channel, endpoint]) => {
                let name = &self.name;
                let place = format!("{group}/channel/{channel}/originEndpoint/{endpoint}");
                arn(world, &format!("{place}/harvestJob/{name}"))
            }
        }
    }
}

/// `ListHarvestJobs` of v1.
pub fn serve_v1(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    let style = &rest::V1;
    let channel = style.parameter(request, "includeChannelId")?;
    let status = style.parameter(request, "includeStatus")?;
    let wanted = |job: &&Job| {
        job.v2.is_none()
            && channel.as_ref().is_none_or(|c| *c == job.channel_id)
            && status.as_ref().is_none_or(|s| *s == job.status)
    };
    let all: Vec<&Job> = world.jobs.iter().filter(wanted).collect();
    style.list(world, request, seen, "harvestJobs", &all, |job| {
        let mut listed = json!({
            "arn": job.arn(world), "channelId": job.channel_id, "id": job.id,
            "createdAt": iso_ms(job.created_ms), "originEndpointId": job.endpoint_id,
            "startTime": iso_ms(job.start_ms), "endTime": iso_ms(job.end_ms),
            "s3Destination": {
                "bucketName": job.bucket, "manifestKey": job.key, "roleArn": HARVEST_ROLE,
            },
            "status": job.status,
        });
        style.lay_over(world, &mut listed, &job.overlay);
        listed
    })
}

/// `ListHarvestJobs` of a channel group that exists.
pub fn serve_v2(
    world: &World,
    request: &Request,
    seen: &mut Seen,
    group: &str,
) -> Result<Answer, Refusal> {
    let style = &rest::V2;
    let channel = style.parameter(request, "channelName")?;
    let endpoint = style.parameter(request, "originEndpointName")?;
    let status = style.parameter(request, "includeStatus")?;
    let wanted = |job: &&Job| {
        let Some([of_group, of_channel, of_endpoint]) = &job.v2 else {
            return false;
        };
        of_group == group
            && channel.as_ref().is_none_or(|c| c == of_channel)
            && endpoint.as_ref().is_none_or(|e| e == of_endpoint)
            && status.as_ref().is_none_or(|s| *s == job.status)
    };
    let all: Vec<&Job> = world.jobs.iter().filter(wanted).collect();
    style.list(world, request, seen, "Items", &all, |job| {
        listed_v2(world, job)
    })
}

fn listed_v2(world: &World, job: &Job) -> Value {
    let [group, channel, endpoint] = job.v2.as_ref().expect("a job of v2");
    let seconds = |ms: i64| json!(ms as f64 / 1000.0);
    let manifest = json!([{"ManifestName": "index"}]);
    let mut listed = json!({
        "ChannelGroupName": group, "ChannelName": channel, "OriginEndpointName": endpoint,
        "HarvestJobName": job.name, "Arn": job.arn(world), "Status": job.status,
        "Description": format!("Harvest {}", job.name), "ETag": job.modified_ms.to_string(),
        "CreatedAt": seconds(job.created_ms), "ModifiedAt": seconds(job.modified_ms),
        "Destination": {
            "S3Destination": {"BucketName": job.bucket, "DestinationPath": job.key},
        },
        "HarvestedManifests": {
            "HlsManifests": manifest, "DashManifests": manifest,
            "LowLatencyHlsManifests": manifest,
        },
        "ScheduleConfiguration": {
            "StartTime": seconds(job.start_ms), "EndTime": seconds(job.end_ms),
        },
    });
    set(&mut listed, "ErrorMessage", job.message.as_deref());
    rest::V2.lay_over(world, &mut listed, &job.overlay);
    listed
}
