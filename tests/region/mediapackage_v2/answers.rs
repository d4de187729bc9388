//! v2's resources as JSON: the little that a list tells, and what a resource tells that is got
//! by itself, every secret in place.

use serde_json::{Value, json};

use super::super::rest::{V2 as STYLE, set};
use super::super::world::{
    CDN_SECRET, DRM_SETTINGS, POLICY, SECRETS_ROLE, SPEKE_CERTIFICATE, SPEKE_IV, SPEKE_RESOURCE,
    SPEKE_ROLE, SPEKE_URL, World, guid,
};
use super::{Channel, Common, Endpoint, Group, MANIFEST_KINDS, Manifest, ManifestKind};

/// An item of `ListChannelGroups`.
pub fn listed_group(world: &World, group: &Group) -> Value {
    let mut listed = bare_group(world, group);
    STYLE.lay_over(world, &mut listed, &group.common.overlay);
    listed
}

/// The answer to `GetChannelGroup`. Here alone the tags are written small.
pub fn got_group(world: &World, group: &Group) -> Value {
    let mut got = bare_group(world, group);
    got["EgressDomain"] = json!(group.egress_domain);
    got["ETag"] = json!(etag(&group.common));
    got["tags"] = json!(group.common.tags);
    finish(world, got, &group.common)
}

fn bare_group(world: &World, group: &Group) -> Value {
    let mut bare = json!({"ChannelGroupName": group.name, "Arn": group.arn(world)});
    dates(&mut bare, &group.common);
    bare
}

/// An item of `ListChannels`.
pub fn listed_channel(world: &World, channel: &Channel) -> Value {
    let mut listed = bare_channel(world, channel);
    STYLE.lay_over(world, &mut listed, &channel.common.overlay);
    listed
}

/// The answer to `GetChannel`.
pub fn got_channel(world: &World, channel: &Channel) -> Value {
    let ingest = channel.ingest.iter();
    let ingest: Vec<Value> = ingest.map(|i| json!({"Id": i.id, "Url": i.url})).collect();
    let mut got = bare_channel(world, channel);
    got["IngestEndpoints"] = json!(ingest);
    got["ETag"] = json!(etag(&channel.common));
    got["ResetAt"] = seconds(channel.common.created_ms);
    got["InputSwitchConfiguration"] = json!({"MQCSInputSwitching": true, "PreferredInput": 1});
    got["OutputHeaderConfiguration"] = json!({"PublishMQCS": true});
    got["Tags"] = json!(channel.common.tags);
    finish(world, got, &channel.common)
}

fn bare_channel(world: &World, channel: &Channel) -> Value {
    let mut bare = json!({
        "Arn": channel.arn(world), "ChannelName": channel.name,
        "ChannelGroupName": channel.group, "InputType": channel.input_type,
        "OutputLockingMode": "EPOCH_LOCKED",
    });
    dates(&mut bare, &channel.common);
    bare
}

/// The answer to `GetChannelPolicy`.
pub fn channel_policy(world: &World, channel: &Channel) -> Value {
    json!({
        "ChannelGroupName": channel.group, "ChannelName": channel.name,
        "Policy": policy(&channel.arn(world)),
    })
}

/// An item of `ListOriginEndpoints`.
pub fn listed_endpoint(world: &World, endpoint: &Endpoint) -> Value {
    let mut listed = bare_endpoint(world, endpoint, listed_manifest);
    STYLE.lay_over(world, &mut listed, &endpoint.common.overlay);
    listed
}

/// The answer to `GetOriginEndpoint`.
pub fn got_endpoint(world: &World, endpoint: &Endpoint) -> Value {
    let mut got = bare_endpoint(world, endpoint, got_manifest);
    let mut segment = json!({
        "SegmentDurationSeconds": 6, "SegmentName": "segment",
        "TsUseAudioRenditionGroup": false, "IncludeIframeOnlyStreams": false,
        "TsIncludeDvbSubtitles": false, "OutputTimestampMode": "PASSTHROUGH",
        "Scte": {
            "ScteFilter": ["SPLICE_INSERT"], "ScteInSegments": "ALL", "CustomAdTypes": ["PROGRAM"],
        },
    });
    if endpoint.encrypted {
        segment["Encryption"] = encryption(&endpoint.container);
    }
    got["Segment"] = segment;
    got["StartoverWindowSeconds"] = json!(7200);
    got["ResetAt"] = seconds(endpoint.common.created_ms);
    got["ETag"] = json!(etag(&endpoint.common));
    got["Tags"] = json!(endpoint.common.tags);
    finish(world, got, &endpoint.common)
}

fn bare_endpoint(
    world: &World,
    endpoint: &Endpoint,
    shown: fn(&World, &Endpoint, &Manifest) -> Value,
) -> Value {
    let mut bare = json!({
        "Arn": endpoint.arn(world), "ChannelGroupName": endpoint.group,
        "ChannelName": endpoint.channel, "OriginEndpointName": endpoint.name,
        "ContainerType": endpoint.container, "UriSeparator": "UNDERSCORE",
        "StreamNameOutputMode": "INDEX",
        "ForceEndpointErrorConfiguration": {"EndpointErrorConditions": ["STALE_MANIFEST"]},
    });
    dates(&mut bare, &endpoint.common);
    for kind in MANIFEST_KINDS {
        let of_kind = endpoint.manifests.iter().filter(|m| m.kind == kind);
        let of_kind: Vec<Value> = of_kind.map(|m| shown(world, endpoint, m)).collect();
        if !of_kind.is_empty() {
            bare[kind.member()] = json!(of_kind);
        }
    }
    bare
}

/// The answer to `GetOriginEndpointPolicy`.
pub fn endpoint_policy(world: &World, endpoint: &Endpoint) -> Value {
    json!({
        "ChannelGroupName": endpoint.group, "ChannelName": endpoint.channel,
        "OriginEndpointName": endpoint.name, "Policy": policy(&endpoint.arn(world)),
        "CdnAuthConfiguration": {
            "CdnIdentifierSecretArns": [CDN_SECRET], "SecretsRoleArn": SECRETS_ROLE,
        },
    })
}

fn policy(resource: &str) -> String {
    let statement = json!({
        "Sid": POLICY, "Effect": "Allow", "Principal": "*", "Resource": resource,
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn listed_manifest(world: &World, endpoint: &Endpoint, manifest: &Manifest) -> Value {
    let (group, channel, name) = (&endpoint.group, &endpoint.channel, &endpoint.name);
    let found = world.v2.groups.iter().find(|g| g.name == *group);
    let domain = found.map_or("", |g| &g.egress_domain);
    let (file, ending) = (&manifest.name, manifest.kind.ending());
    let url = format!("https://{domain}/out/v1/{group}/{channel}/{name}/{file}.{ending}");
    let mut listed = json!({"ManifestName": file, "Url": url});
    if let ManifestKind::Hls | ManifestKind::LowLatencyHls = manifest.kind {
        listed["ChildManifestName"] = json!(format!("{file}-child"));
    }
    listed
}

fn got_manifest(world: &World, endpoint: &Endpoint, manifest: &Manifest) -> Value {
    let mut got = listed_manifest(world, endpoint, manifest);
    got["ManifestWindowSeconds"] = json!(60);
    got["FilterConfiguration"] = json!({
        "ManifestFilter": "video_height:1-1080", "DrmSettings": DRM_SETTINGS,
        "TimeDelaySeconds": 0,
    });
    let more = match manifest.kind {
        ManifestKind::Hls | ManifestKind::LowLatencyHls => json!({
            "ProgramDateTimeIntervalSeconds": 5, "UrlEncodeChildManifest": true,
            "ScteHls": {"AdMarkerHls": "DATERANGE", "ScteInManifests": "ALL"},
            "StartTag": {"TimeOffset": -12.5, "Precise": true}, "UriPathType": "LEAF",
        }),
        ManifestKind::Dash => dash_settings(),
        ManifestKind::Mss => json!({"ManifestLayout": "FULL"}),
    };
    for (name, value) in more.as_object().into_iter().flatten() {
        got[name] = value.clone();
    }
    got
}

fn dash_settings() -> Value {
    json!({
        "MinUpdatePeriodSeconds": 2, "MinBufferTimeSeconds": 30,
        "SuggestedPresentationDelaySeconds": 10, "SegmentTemplateFormat": "NUMBER_WITH_TIMELINE",
        "PeriodTriggers": ["AVAILS", "SOURCE_CHANGES"], "DrmSignaling": "INDIVIDUAL",
        "ScteDash": {"AdMarkerDash": "XML", "ScteInManifests": "ALL"},
        "UtcTiming": {"TimingMode": "HTTP_ISO", "TimingSource": "https://time.example.net/"},
        "Profiles": ["DVB_DASH"], "Compactness": "STANDARD", "BandwidthReportingMode": "MAX",
        "BaseUrls": [{
            "Url": "https://cdn.example.net/", "ServiceLocation": "cdn", "DvbPriority": 1,
            "DvbWeight": 1,
        }],
        "ProgramInformation": {
            "Title": "title", "Source": "source", "Copyright": "copyright", "LanguageCode": "en",
            "MoreInformationUrl": "https://www.example.net/",
        },
        "DvbSettings": {
            "FontDownload": {
                "Url": "https://www.example.net/font", "MimeType": "font/woff", "FontFamily": "x",
            },
            "ErrorMetrics": [{"ReportingUrl": "https://www.example.net/e", "Probability": 500}],
        },
        "AudioTimelinePattern": "PATTERNED", "UriPathType": "LEAF",
        "SubtitleConfiguration": {"TtmlConfiguration": {"TtmlProfile": "IMSC_1"}},
        "AvailabilityStartTimeConfiguration": {
            "FixedAvailabilityStartTime": "2026-01-15T09:30:00Z",
        },
    })
}

fn encryption(container: &str) -> Value {
    let method = match container {
        "TS" => json!({"TsEncryptionMethod": "SAMPLE_AES"}),
        "ISM" => json!({"IsmEncryptionMethod": "CENC"}),
        _ => json!({"CmafEncryptionMethod": "CBCS"}),
    };
    json!({
        "ConstantInitializationVector": SPEKE_IV, "EncryptionMethod": method,
        "KeyRotationIntervalSeconds": 300, "CmafExcludeSegmentDrmMetadata": false,
        "SpekeKeyProvider": {
            "EncryptionContractConfiguration": {
                "PresetSpeke20Audio": "SHARED", "PresetSpeke20Video": "SHARED",
            },
            "ResourceId": SPEKE_RESOURCE, "DrmSystems": ["WIDEVINE", "FAIRPLAY"],
            "RoleArn": SPEKE_ROLE, "Url": SPEKE_URL, "CertificateArn": SPEKE_CERTIFICATE,
            "SpekeVersion": "V2_1",
            "ContentKeyPeriodConfiguration": {"ContentKeyPeriodTiming": "INDEX_ONLY"},
        },
    })
}

fn dates(listed: &mut Value, common: &Common) {
    listed["CreatedAt"] = seconds(common.created_ms);
    listed["ModifiedAt"] = seconds(common.modified_ms);
    set(listed, "Description", common.description.as_deref());
}

fn finish(world: &World, mut got: Value, common: &Common) -> Value {
    STYLE.lay_over(world, &mut got, &common.overlay);
    STYLE.lay_over(world, &mut got, &common.got_overlay);
    got
}

/// Changes with the resource, but for its tags.
fn etag(common: &Common) -> String {
    guid(&common.modified_ms.to_string())
}

/// A time of v2.
pub fn seconds(ms: i64) -> Value {
    json!(ms as f64 / 1000.0)
}
