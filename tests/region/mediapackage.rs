//! MediaPackage v1: `ListChannels`, `ListOriginEndpoints` and `ListHarvestJobs`, every secret in
//! place.
//!
//! Shapes as in the service model of 2017-10-12. AWS leaves out what is not set.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::server::{Answer, Request, Seen, UNKNOWN};
use super::world::{
    ACCOUNT, CDN_SECRET, Channel, Endpoint, INGEST_PASSWORD, INGEST_USERNAME, Package,
    SECRETS_ROLE, SPEKE_CERTIFICATE, SPEKE_IV, SPEKE_RESOURCE, SPEKE_ROLE, SPEKE_URL, WHITELIST,
    World,
};
use super::{harvest, rest};

/// The operation that a method and path stand for.
pub fn operation(request: &Request) -> &'static str {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/channels") => "ListChannels",
        ("GET", "/origin_endpoints") => "ListOriginEndpoints",
        ("GET", "/harvest_jobs") => "ListHarvestJobs",
        _ => UNKNOWN,
    }
}

/// Answers a request that was found to be signed and allowed.
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    match seen.operation.as_str() {
        "ListChannels" => {
            let listed = |c: &Channel| channel(world, c);
            rest::V1.list(world, request, seen, "channels", &world.channels, listed)
        }
        "ListOriginEndpoints" => {
            let of = rest::V1.parameter(request, "channelId")?;
            let wanted = |e: &&Endpoint| of.as_ref().is_none_or(|id| *id == e.channel_id);
            let all: Vec<&Endpoint> = world.endpoints.iter().filter(wanted).collect();
            let listed = |e: &&Endpoint| endpoint(world, e);
            rest::V1.list(world, request, seen, "originEndpoints", &all, listed)
        }
        "ListHarvestJobs" => harvest::serve_v1(world, request, seen),
        _ => {
            let text = format!("Not found: {} {}", request.method, request.path);
            Err(Refusal::new(404, "NotFoundException", &text))
        }
    }
}

fn channel(world: &World, channel: &Channel) -> Value {
    let ingest = |i: &super::world::Ingest| {
        json!({
            "id": i.id, "url": i.url, "username": INGEST_USERNAME, "password": INGEST_PASSWORD,
        })
    };
    let inputs: Vec<Value> = channel.ingest.iter().map(ingest).collect();
    let mut listed = json!({
        "arn": format!("arn:aws:mediapackage:{}:{ACCOUNT}:channels/{}", world.region, channel.guid),
        "createdAt": channel.created_at,
        "egressAccessLogs": {"logGroupName": "/aws/MediaPackage/EgressAccessLogs"},
        "hlsIngest": {"ingestEndpoints": inputs},
        "id": channel.id,
        "tags": channel.tags,
    });
    if let Some(description) = &channel.description {
        listed["description"] = json!(description);
    }
    rest::V1.lay_over(world, &mut listed, &channel.overlay);
    listed
}

fn endpoint(world: &World, endpoint: &Endpoint) -> Value {
    let id = &endpoint.guid;
    let mut listed = json!({
        "arn": format!("arn:aws:mediapackage:{}:{ACCOUNT}:origin_endpoints/{id}", world.region),
        "authorization": {"cdnIdentifierSecret": CDN_SECRET, "secretsRoleArn": SECRETS_ROLE},
        "channelId": endpoint.channel_id,
        "createdAt": "2026-01-15T09:31:00.000Z",
        "id": endpoint.id,
        "manifestName": "index",
        "origination": "ALLOW",
        "startoverWindowSeconds": 3600,
        "tags": endpoint.tags,
        "timeDelaySeconds": 0,
        "whitelist": [WHITELIST],
    });
    if let Some(description) = &endpoint.description {
        listed["description"] = json!(description);
    }
    let url = |ending: &str| {
        format!(
            "https://{id:.16}.egress.mediapackage.{}.amazonaws.com/out/v1/{id}/index.{ending}",
            world.region
        )
    };
    let (member, mut package, url) = match endpoint.package {
        Package::Hls => ("hlsPackage", hls_package(), Some(url("m3u8"))),
        Package::Dash => ("dashPackage", dash_package(), Some(url("mpd"))),
        Package::Mss => ("mssPackage", mss_package(), Some(url("ism/Manifest"))),
        Package::Cmaf => ("cmafPackage", cmaf_package(id, &url("m3u8")), None),
    };
    if endpoint.encrypted {
        package["encryption"] = encryption(endpoint.package);
    }
    listed[member] = package;
    if let Some(url) = url {
        listed["url"] = json!(url);
    }
    rest::V1.lay_over(world, &mut listed, &endpoint.overlay);
    listed
}

fn hls_package() -> Value {
    json!({
        "adMarkers": "PASSTHROUGH", "adTriggers": ["SPLICE_INSERT"], "playlistType": "EVENT",
        "includeIframeOnlyStream": false, "playlistWindowSeconds": 60,
        "programDateTimeIntervalSeconds": 0, "segmentDurationSeconds": 6,
        "streamSelection": {"maxVideoBitsPerSecond": 2147483647, "streamOrder": "ORIGINAL"},
        "useAudioRenditionGroup": false,
    })
}

fn dash_package() -> Value {
    json!({
        "manifestLayout": "FULL", "manifestWindowSeconds": 60, "minBufferTimeSeconds": 30,
        "minUpdatePeriodSeconds": 15, "profile": "NONE", "segmentDurationSeconds": 2,
        "segmentTemplateFormat": "NUMBER_WITH_TIMELINE", "suggestedPresentationDelaySeconds": 25,
    })
}

fn mss_package() -> Value {
    json!({"manifestWindowSeconds": 60, "segmentDurationSeconds": 2})
}

fn cmaf_package(id: &str, url: &str) -> Value {
    let manifest = |name: &str| {
        json!({
            "id": format!("{id:.8}-{name}"), "manifestName": name, "playlistType": "NONE",
            "playlistWindowSeconds": 60, "url": url.replace("/index.", &format!("/{name}/index.")),
        })
    };
    json!({
        "hlsManifests": [manifest("main"), manifest("backup")],
        "segmentDurationSeconds": 4, "segmentPrefix": "seg",
    })
}

fn encryption(package: Package) -> Value {
    let mut encryption = json!({
        "spekeKeyProvider": {
            "certificateArn": SPEKE_CERTIFICATE,
            "resourceId": SPEKE_RESOURCE,
            "roleArn": SPEKE_ROLE,
            "systemIds": ["81376844-f976-481e-a84e-cc25d39b0b33"],
            "url": SPEKE_URL,
        },
    });
    if package != Package::Mss {
        encryption["keyRotationIntervalSeconds"] = json!(60);
    }
    if let Package::Hls | Package::Cmaf = package {
        encryption["constantInitializationVector"] = json!(SPEKE_IV);
        encryption["encryptionMethod"] = json!("SAMPLE_AES");
    }
    encryption
}
