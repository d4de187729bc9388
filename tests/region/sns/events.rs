//! EventBridge events of MediaPackage, as a rule with an SNS topic as its target passes them on.
//!
//! Sources: AWS Elemental MediaPackage user guide, "AWS Elemental MediaPackage events" (v1 and
//! VOD) and "Monitoring AWS Elemental MediaPackage with EventBridge events" (v2).

use super::super::harvest::Job;
use super::super::world::{ACCOUNT, HARVEST_ROLE, World};
use super::json::{iso_seconds, list, object, text};
use super::uuid;

/// An origin endpoint went over to the other ingest endpoint of its channel.
///
/// # Panics
///
/// When the world has no such endpoint.
pub fn input_switch(world: &mut World, endpoint_id: &str) -> String {
    let resource = endpoint_arn(world, endpoint_id);
    let channel_id = world.endpoint(endpoint_id).channel_id.clone();
    let [from, to] = [0, 1].map(|n| world.channel(&channel_id).ingest[n].id.clone());
    let details = object(&[
        ("Channel", text(&channel_id)),
        ("PreviousIngestEndpoint", text(&from)),
        ("CurrentIngestEndpoint", text(&to)),
    ]);
    let detail = object(&[
        ("event", text("InputSwitchEvent")),
        (
            "message",
            text("Origin endpoint experienced an Input Switch Event"),
        ),
        ("EventDetails", details),
    ]);
    event(world, Source::Input, &[&resource], detail)
}

/// A channel gets more streams than it takes.
///
/// # Panics
///
/// When the world has no such channel.
pub fn max_ingest_streams(world: &mut World, channel_id: &str) -> String {
    let guid = world.channel(channel_id).guid.clone();
    let resource = format!(
        "arn:aws:mediapackage:{}:{ACCOUNT}:channels/{guid}",
        world.region
    );
    let message = "Parent Manifest [index.m3u8] has [23] streams, more than [20] allowed: \
                   (index_1.m3u8,index_2.m3u8)";
    let detail = object(&[
        ("event", text("MaxIngestStreamsError")),
        ("message", text(message)),
    ]);
    event(world, Source::Input, &[&resource], detail)
}

/// The key provider of an origin endpoint failed.
///
/// # Panics
///
/// When the world has no such endpoint.
pub fn key_provider(world: &mut World, endpoint_id: &str) -> String {
    let resource = endpoint_arn(world, endpoint_id);
    let message = "The key provider answered with 503 Service Unavailable";
    let detail = object(&[
        ("event", text("KeyProviderError")),
        ("message", text(message)),
    ]);
    event(world, Source::KeyProvider, &[&resource], detail)
}

/// A harvest job of v1 ended; with a message it failed.
pub fn harvest(world: &World, endpoint_id: &str, job: &str, failure: Option<&str>) -> String {
    let job = Job {
        status: match failure {
            Some(_) => String::from("FAILED"),
            None => String::from("SUCCEEDED"),
        },
        message: failure.map(str::to_owned),
        ..Job::new(world, endpoint_id, job)
    };
    harvest_of(world, &job)
}

/// What EventBridge tells of this harvest job of v1.
pub fn harvest_of(world: &World, job: &Job) -> String {
    // AWS's examples have the offset of whoever asked.
    let offset = |ms: i64| text(&iso_seconds(ms - 8 * 3_600_000).replace('Z', "-08:00"));
    let destination = object(&[
        ("bucket_name", text(&job.bucket)),
        ("manifest_key", text(&job.key)),
        ("role_arn", text(HARVEST_ROLE)),
    ]);
    let arn = job.arn(world);
    // The guide's examples say -vod here, and not in `resources`.
    let vod_arn = arn.replacen(":mediapackage:", ":mediapackage-vod:", 1);
    let harvest_job = object(&[
        ("id", text(&job.id)),
        ("arn", text(&vod_arn)),
        ("status", text(&job.status)),
        ("origin_endpoint_id", text(&job.endpoint_id)),
        ("start_time", offset(job.start_ms)),
        ("end_time", offset(job.end_ms)),
        ("s3_destination", destination),
        ("created_at", offset(job.created_ms)),
    ]);
    let mut detail = vec![("harvest_job", harvest_job)];
    detail.extend(job.message.as_deref().map(|m| ("message", text(m))));
    event(world, Source::Harvest, &[&arn], object(&detail))
}

/// Where an origin endpoint of v2 is: its channel group, its channel, its own name.
pub type EndpointV2<'a> = (&'a str, &'a str, &'a str);

/// A harvest job of v2 ended.
pub fn harvest_v2(world: &World, endpoint: EndpointV2, job: &str, completed: bool) -> String {
    let (group, channel, name) = endpoint;
    let (status, message) = match completed {
        true => ("COMPLETED", "Your harvest job is complete."),
        false => (
            "FAILED",
            "There was no content available for the specified time window.",
        ),
    };
    let job = Job {
        v2: Some([group, channel, name].map(str::to_owned)),
        status: status.to_owned(),
        message: Some(message.to_owned()),
        ..Job::new(world, &format!("{group}.{channel}.{name}"), job)
    };
    harvest_of_v2(world, &job)
}

/// What EventBridge tells of this harvest job of v2.
pub fn harvest_of_v2(world: &World, job: &Job) -> String {
    let [group, channel, name] = job.v2.as_ref().expect("a job of v2");
    let arn = job.arn(world);
    let schedule = object(&[
        ("startTime", text(&iso_seconds(job.start_ms))),
        ("endTime", text(&iso_seconds(job.end_ms))),
    ]);
    let bucket = object(&[
        ("bucketName", text(&job.bucket)),
        ("destinationPath", text(&job.key)),
    ]);
    let manifest = object(&[("manifestName", text("examplemanifest.m3u8"))]);
    let harvest_job = object(&[
        ("harvestJobName", text(&job.name)),
        ("arn", text(&arn)),
        ("status", text(&job.status)),
        ("channelGroupName", text(group)),
        ("channelName", text(channel)),
        ("originEndpointName", text(name)),
        ("scheduleConfiguration", schedule),
        ("destination", object(&[("s3Destination", bucket)])),
        (
            "harvestedManifests",
            object(&[("hlsManifests", list([manifest]))]),
        ),
        ("message", text(job.message.as_deref().unwrap_or_default())),
    ]);
    event(
        world,
        Source::HarvestV2,
        &[&arn],
        object(&[("harvestJob", harvest_job)]),
    )
}

/// How far the ingest of a VOD asset is: `IngestStart`, `IngestError` or `IngestComplete`.
pub fn vod_ingest(world: &World, asset: &str, name: &str, message: &str) -> String {
    let resource = vod_arn(world, "assets", asset);
    let detail = object(&[("event", text(name)), ("message", text(message))]);
    event(world, Source::Input, &[&resource], detail)
}

/// A VOD asset can be played in one of its packagings.
pub fn vod_playable(world: &World, asset: &str, packaging: &str) -> String {
    let resources = [
        vod_arn(world, "assets", asset),
        vod_arn(world, "packaging_configuration", packaging),
    ];
    let message =
        format!("Asset '{asset}' is now playable for PackagingConfiguration '{packaging}'");
    let url = format!(
        "https://0123456789ab.egress.mediapackage-vod.{}.amazonaws.com/out/v1/0/1/2/index.m3u8",
        world.region
    );
    let detail = object(&[
        ("event", text("VodAssetPlayable")),
        ("message", text(&message)),
        ("packaging_configuration_id", text(packaging)),
        ("manifest_urls", list([text(&url)])),
    ]);
    event(
        world,
        Source::Input,
        &[&resources[0], &resources[1]],
        detail,
    )
}

fn vod_arn(world: &World, kind: &str, id: &str) -> String {
    format!(
        "arn:aws:mediapackage-vod:{}:{ACCOUNT}:{kind}/{id}",
        world.region
    )
}

fn endpoint_arn(world: &mut World, id: &str) -> String {
    let guid = world.endpoint(id).guid.clone();
    format!(
        "arn:aws:mediapackage:{}:{ACCOUNT}:origin_endpoints/{guid}",
        world.region
    )
}

/// Who sends an event, and of which type.
enum Source {
    Input,
    KeyProvider,
    Harvest,
    HarvestV2,
}

/// The envelope. The guide's examples of MediaPackage have no `version`.
fn event(world: &World, source: Source, resources: &[&str], detail: String) -> String {
    let (source, detail_type) = match source {
        Source::Input => ("aws.mediapackage", "MediaPackage Input Notification"),
        Source::KeyProvider => ("aws.mediapackage", "MediaPackage Key Provider Notification"),
        Source::Harvest => ("aws.mediapackage", "MediaPackage HarvestJob Notification"),
        Source::HarvestV2 => (
            "aws.mediapackagev2",
            "MediaPackageV2 HarvestJob Notification",
        ),
    };
    object(&[
        ("id", text(&uuid())),
        ("detail-type", text(detail_type)),
        ("source", text(source)),
        ("account", text(ACCOUNT)),
        ("time", text(&iso_seconds(world.now_ms()))),
        ("region", text(&world.region)),
        ("resources", list(resources.iter().map(|arn| text(arn)))),
        ("detail", detail),
    ])
}
