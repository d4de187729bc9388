//! MediaPackage VOD: packaging groups and packaging configurations.
//!
//! Assets are counted, never listed. Source: service model of 2018-11-07.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::rest::V1 as STYLE;
use super::server::{Answer, Request, Seen, UNKNOWN};
use super::world::{
    ACCOUNT, CDN_SECRET, PACKAGES, Package, SECRETS_ROLE, SPEKE_IV, SPEKE_ROLE, SPEKE_URL, World,
    guid,
};

/// MediaPackage VOD as AWS holds it, each in the order it is listed.
#[derive(Default)]
pub struct Vod {
    /// Packaging groups.
    pub groups: Vec<PackagingGroup>,
    /// Packaging configurations of all groups.
    pub configurations: Vec<PackagingConfiguration>,
}

/// A packaging group.
#[derive(Clone)]
pub struct PackagingGroup {
    /// Its id.
    pub id: String,
    /// How many assets it has, as AWS estimates.
    pub assets: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Laid over what is listed, member by member.
    pub overlay: Map<String, Value>,
}

/// A packaging configuration.
#[derive(Clone)]
pub struct PackagingConfiguration {
    /// Its id.
    pub id: String,
    /// Id of its group.
    pub group_id: String,
    /// How it packages.
    pub package: Package,
    /// Whether SPEKE encryption is configured.
    pub encrypted: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Laid over what is listed, member by member.
    pub overlay: Map<String, Value>,
}

impl World {
    /// Adds `groups` packaging groups `vod-0`, `vod-1` … of `configurations` configurations
    /// `vod-0-hls`, `vod-0-dash` … each.
    pub fn with_packaging(mut self, groups: usize, configurations: usize) -> World {
        for n in 0..groups {
            self.add_packaging_group(&format!("vod-{n}"), configurations);
        }
        self
    }

    /// Adds a packaging group with configurations, without metrics.
    pub fn add_packaging_group(&mut self, id: &str, configurations: usize) {
        self.vod.groups.push(PackagingGroup {
            id: id.to_owned(),
            assets: 17,
            tags: [("env".to_owned(), "test".to_owned())].into(),
            overlay: Map::new(),
        });
        for n in 0..configurations {
            let package = PACKAGES[n % PACKAGES.len()];
            let round = match n / PACKAGES.len() {
                0 => String::new(),
                more => format!("-{}", more + 1),
            };
            self.vod.configurations.push(PackagingConfiguration {
                id: format!("{id}-{}{round}", package.name()),
                group_id: id.to_owned(),
                package,
                encrypted: n % 2 == 1,
                tags: [("package".to_owned(), package.name().to_owned())].into(),
                overlay: Map::new(),
            });
        }
    }

    /// The packaging group of this id.
    pub fn packaging_group(&mut self, id: &str) -> &mut PackagingGroup {
        let found = self.vod.groups.iter_mut().find(|g| g.id == id);
        found.unwrap_or_else(|| panic!("the world has no packaging group {id}"))
    }

    /// The packaging configuration of this id.
    pub fn packaging_configuration(&mut self, id: &str) -> &mut PackagingConfiguration {
        let found = self.vod.configurations.iter_mut().find(|c| c.id == id);
        found.unwrap_or_else(|| panic!("the world has no packaging configuration {id}"))
    }

    /// Removes a packaging group and its configurations; their metrics stop.
    pub fn remove_packaging_group(&mut self, id: &str) {
        let of_group = self.vod.configurations.iter().filter(|c| c.group_id == id);
        for id in of_group.map(|c| c.id.clone()).collect::<Vec<_>>() {
            self.remove_packaging_configuration(&id);
        }
        self.vod.groups.retain(|g| g.id != id);
    }

    /// Removes a packaging configuration; its metrics stop.
    pub fn remove_packaging_configuration(&mut self, id: &str) {
        self.stop_metrics(id, self.minute());
        self.vod.configurations.retain(|c| c.id != id);
    }
}

/// The operation that a method and path stand for. Of `ListAssets` the region knows the name
/// only, so that a test can see whether it is asked for.
pub fn operation(request: &Request) -> &'static str {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/packaging_groups") => "ListPackagingGroups",
        ("GET", "/packaging_configurations") => "ListPackagingConfigurations",
        ("GET", "/assets") => "ListAssets",
        _ => UNKNOWN,
    }
}

/// Answers a request that was found to be signed and allowed.
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    match seen.operation.as_str() {
        "ListPackagingGroups" => {
            let all = &world.vod.groups;
            let listed = |g: &PackagingGroup| group(world, g);
            STYLE.list(world, request, seen, "packagingGroups", all, listed)
        }
        "ListPackagingConfigurations" => {
            let of = STYLE.parameter(request, "packagingGroupId")?;
            let wanted =
                |c: &&PackagingConfiguration| of.as_ref().is_none_or(|id| *id == c.group_id);
            let all: Vec<_> = world.vod.configurations.iter().filter(wanted).collect();
            let listed = |c: &&PackagingConfiguration| configuration(world, c);
            STYLE.list(
                world,
                request,
                seen,
                "packagingConfigurations",
                &all,
                listed,
            )
        }
        _ => {
            let text = format!("Not found: {} {}", request.method, request.path);
            Err(Refusal::new(404, "NotFoundException", &text))
        }
    }
}

fn arn(world: &World, kind: &str, id: &str) -> String {
    let region = &world.region;
    format!("arn:aws:mediapackage-vod:{region}:{ACCOUNT}:{kind}/{id}")
}

fn group(world: &World, group: &PackagingGroup) -> Value {
    let id = guid(&group.id);
    let domain = format!(
        "{id:.12}.egress.mediapackage-vod.{}.amazonaws.com",
        world.region
    );
    let mut listed = json!({
        "approximateAssetCount": group.assets, "arn": arn(world, "packaging-groups", &group.id),
        "authorization": {"cdnIdentifierSecret": CDN_SECRET, "secretsRoleArn": SECRETS_ROLE},
        "createdAt": "2026-01-15T09:32:00Z", "domainName": format!("https://{domain}"),
        "egressAccessLogs": {"logGroupName": "/aws/MediaPackage/VodEgressAccessLogs"},
        "id": group.id, "tags": group.tags,
    });
    STYLE.lay_over(world, &mut listed, &group.overlay);
    listed
}

fn configuration(world: &World, configuration: &PackagingConfiguration) -> Value {
    let mut listed = json!({
        "arn": arn(world, "packaging-configurations", &configuration.id),
        "createdAt": "2026-01-15T09:33:00Z", "id": configuration.id,
        "packagingGroupId": configuration.group_id, "tags": configuration.tags,
    });
    let (member, mut package) = package(configuration.package);
    if configuration.encrypted {
        package["encryption"] = encryption(configuration.package);
    }
    listed[member] = package;
    STYLE.lay_over(world, &mut listed, &configuration.overlay);
    listed
}

fn package(package: Package) -> (&'static str, Value) {
    let streams = json!({
        "maxVideoBitsPerSecond": 2_147_483_647, "minVideoBitsPerSecond": 0,
        "streamOrder": "ORIGINAL",
    });
    let hls = json!([{
        "adMarkers": "NONE", "includeIframeOnlyStream": false, "manifestName": "index",
        "programDateTimeIntervalSeconds": 0, "repeatExtXKey": false, "streamSelection": streams,
    }]);
    match package {
        Package::Hls => (
            "hlsPackage",
            json!({
                "hlsManifests": hls, "includeDvbSubtitles": false, "segmentDurationSeconds": 6,
                "useAudioRenditionGroup": false,
            }),
        ),
        Package::Cmaf => (
            "cmafPackage",
            json!({
                "hlsManifests": hls, "includeEncoderConfigurationInSegments": false,
                "segmentDurationSeconds": 4,
            }),
        ),
        Package::Dash => (
            "dashPackage",
            json!({
                "dashManifests": [{
                    "manifestLayout": "FULL", "manifestName": "index",
                    "minBufferTimeSeconds": 30, "profile": "NONE",
                    "scteMarkersSource": "SEGMENTS", "streamSelection": streams,
                }],
                "includeEncoderConfigurationInSegments": false, "includeIframeOnlyStream": false,
                "periodTriggers": ["ADS"], "segmentDurationSeconds": 2,
                "segmentTemplateFormat": "NUMBER_WITH_TIMELINE",
            }),
        ),
        Package::Mss => (
            "mssPackage",
            json!({
                "mssManifests": [{"manifestName": "index", "streamSelection": streams}],
                "segmentDurationSeconds": 2,
            }),
        ),
    }
}

fn encryption(package: Package) -> Value {
    let mut encryption = json!({
        "spekeKeyProvider": {
            "encryptionContractConfiguration": {
                "presetSpeke20Audio": "SHARED", "presetSpeke20Video": "SHARED",
            },
            "roleArn": SPEKE_ROLE, "systemIds": ["81376844-f976-481e-a84e-cc25d39b0b33"],
            "url": SPEKE_URL,
        },
    });
    if let Package::Hls | Package::Cmaf = package {
        encryption["constantInitializationVector"] = json!(SPEKE_IV);
    }
    if package == Package::Hls {
        encryption["encryptionMethod"] = json!("SAMPLE_AES");
    }
    encryption
}
