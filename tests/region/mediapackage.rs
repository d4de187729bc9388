//! MediaPackage v1: `ListChannels` and `ListOriginEndpoints`, every secret in place.
//!
//! Shapes as in the service model of 2017-10-12. AWS leaves out what is not set.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::server::{Answer, Request, Seen};
use super::sigv4::decode;
use super::token;
use super::world::{
    ACCOUNT, CDN_SECRET, Channel, Endpoint, INGEST_PASSWORD, INGEST_USERNAME, Package,
    SECRETS_ROLE, SPEKE_CERTIFICATE, SPEKE_IV, SPEKE_RESOURCE, SPEKE_ROLE, SPEKE_URL, WHITELIST,
    World,
};

const MAX_RESULTS_MAX: usize = 1000;

/// The operation that a method and path stand for.
pub fn operation(request: &Request) -> &'static str {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/channels") => "ListChannels",
        ("GET", "/origin_endpoints") => "ListOriginEndpoints",
        _ => "Unknown",
    }
}

/// Answers a request that was found to be signed and allowed.
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    let (member, page) = match seen.operation.as_str() {
        "ListChannels" => {
            let all: Vec<&Channel> = world.channels.iter().collect();
            ("channels", page(world, request, seen, &all, channel)?)
        }
        "ListOriginEndpoints" => {
            let of = parameter(request, "channelId")?;
            let wanted = |e: &&Endpoint| of.as_ref().is_none_or(|id| *id == e.channel_id);
            let all: Vec<&Endpoint> = world.endpoints.iter().filter(wanted).collect();
            (
                "originEndpoints",
                page(world, request, seen, &all, endpoint)?,
            )
        }
        _ => {
            let text = format!("Not found: {} {}", request.method, request.path);
            return Err(Refusal::new(404, "NotFoundException", &text));
        }
    };
    let mut body = Map::new();
    body.insert(member.to_owned(), Value::Array(page.items));
    if let Some(next) = page.next {
        body.insert("nextToken".to_owned(), Value::String(next));
    }
    if world.unknown_fields {
        body.insert("aNewMember".to_owned(), json!({"deep": [1, null]}));
    }
    Ok(Answer::json(200, Value::Object(body).to_string()))
}

struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

fn page<T>(
    world: &World,
    request: &Request,
    seen: &mut Seen,
    all: &[&T],
    item: fn(&World, &T) -> Value,
) -> Result<Page, Refusal> {
    let asked = parameter(request, "maxResults")?;
    let limit = match &asked {
        None => world.pages.inventory,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=MAX_RESULTS_MAX) => limit,
            _ => return Err(unprocessable("maxResults must be between 1 and 1000")),
        },
    };
    let next = parameter(request, "nextToken")?;
    seen.limit = asked.map(|_| limit);
    seen.continued = next.is_some();
    let start = token::parse::<1>(&seen.operation, next.as_deref());
    let [start] = start.ok_or_else(|| unprocessable("Invalid nextToken"))?;
    let start = start.min(all.len());
    let end = all.len().min(start + limit.min(world.pages.inventory));
    Ok(Page {
        items: all[start..end].iter().map(|one| item(world, one)).collect(),
        next: (end < all.len()).then(|| token::make(&seen.operation, &[end])),
    })
}

fn unprocessable(text: &str) -> Refusal {
    Refusal::new(422, "UnprocessableEntityException", text)
}

fn parameter(request: &Request, name: &str) -> Result<Option<String>, Refusal> {
    let mut pairs = request
        .query
        .split('&')
        .filter_map(|part| part.split_once('='));
    let Some((_, value)) = pairs.find(|(n, _)| *n == name) else {
        return Ok(None);
    };
    // A bare plus sign is a space to AWS's front end, as in forms.
    let spaced: Cow<str> = value.replace('+', " ").into();
    let text = String::from_utf8(decode(&spaced));
    text.map(Some)
        .map_err(|_| unprocessable("The query is not UTF-8"))
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
    lay_over(world, &mut listed, &channel.overlay);
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
        package["encryption"] = encryption();
    }
    listed[member] = package;
    if let Some(url) = url {
        listed["url"] = json!(url);
    }
    lay_over(world, &mut listed, &endpoint.overlay);
    listed
}

fn lay_over(world: &World, listed: &mut Value, overlay: &Map<String, Value>) {
    if world.unknown_fields {
        listed["aNewMember"] = json!({"password": INGEST_PASSWORD, "more": [null, 1.5]});
    }
    for (name, value) in overlay {
        listed[name] = value.clone();
    }
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

fn encryption() -> Value {
    json!({
        "constantInitializationVector": SPEKE_IV,
        "encryptionMethod": "SAMPLE_AES",
        "keyRotationIntervalSeconds": 60,
        "spekeKeyProvider": {
            "certificateArn": SPEKE_CERTIFICATE,
            "resourceId": SPEKE_RESOURCE,
            "roleArn": SPEKE_ROLE,
            "systemIds": ["81376844-f976-481e-a84e-cc25d39b0b33"],
            "url": SPEKE_URL,
        },
    })
}
