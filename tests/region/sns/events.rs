//! EventBridge events of MediaPackage, as a rule with an SNS topic as its target passes them on.
//!
//! Sources: AWS Elemental MediaPackage user guide, "AWS Elemental MediaPackage events" (v1 and
//! VOD) and "Monitoring AWS Elemental MediaPackage with EventBridge events" (v2).

use super::super::world::{ACCOUNT, World};
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
    let arn = |service: &str| {
        format!(
            "arn:aws:{service}:{}:{ACCOUNT}:harvest_jobs/{job}",
            world.region
        )
    };
    let now = world.now_ms();
    // AWS's examples have the offset of whoever asked.
    let offset = |ms: i64| text(&iso_seconds(ms - 8 * 3_600_000).replace('Z', "-08:00"));
    let destination = object(&[
        ("bucket_name", text("harvested")),
        ("manifest_key", text("path/index.m3u8")),
        (
            "role_arn",
            text(&format!("arn:aws:iam::{ACCOUNT}:role/harvest")),
        ),
    ]);
    let status = if failure.is_some() {
        "FAILED"
    } else {
        "SUCCEEDED"
    };
    let harvest_job = object(&[
        ("id", text(job)),
        // The guide's examples say -vod here, and not in `resources`.
        ("arn", text(&arn("mediapackage-vod"))),
        ("status", text(status)),
        ("origin_endpoint_id", text(endpoint_id)),
        ("start_time", offset(now - 3_600_000)),
        ("end_time", offset(now - 1_800_000)),
        ("s3_destination", destination),
        ("created_at", offset(now - 60_000)),
    ]);
    let mut detail = vec![("harvest_job", harvest_job)];
    detail.extend(failure.map(|message| ("message", text(message))));
    event(
        world,
        Source::Harvest,
        &[&arn("mediapackage")],
        object(&detail),
    )
}

/// Where an origin endpoint of v2 is: its channel group, its channel, its own name.
pub type EndpointV2<'a> = (&'a str, &'a str, &'a str);

/// A harvest job of v2 ended.
pub fn harvest_v2(world: &World, endpoint: EndpointV2, job: &str, completed: bool) -> String {
    let (group, channel, name) = endpoint;
    let arn = format!(
        "arn:aws:mediapackagev2:{}:{ACCOUNT}:channelGroup/{group}/channel/{channel}/\
         originEndpoint/{name}/harvestJob/{job}",
        world.region
    );
    let now = world.now_ms();
    let (status, message) = match completed {
        true => ("COMPLETED", "Your harvest job is complete."),
        false => (
            "FAILED",
            "There was no content available for the specified time window.",
        ),
    };
    let schedule = object(&[
        ("startTime", text(&iso_seconds(now - 180_000))),
        ("endTime", text(&iso_seconds(now))),
    ]);
    let bucket = object(&[
        ("bucketName", text("harvested")),
        ("destinationPath", text("V2Harvests/my-event/")),
    ]);
    let manifest = object(&[("manifestName", text("examplemanifest.m3u8"))]);
    let harvest_job = object(&[
        ("harvestJobName", text(job)),
        ("arn", text(&arn)),
        ("status", text(status)),
        ("channelGroupName", text(group)),
        ("channelName", text(channel)),
        ("originEndpointName", text(name)),
        ("scheduleConfiguration", schedule),
        ("destination", object(&[("s3Destination", bucket)])),
        (
            "harvestedManifests",
            object(&[("hlsManifests", list([manifest]))]),
        ),
        ("message", text(message)),
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
