//! MediaPackage VOD: asks for packaging groups and configurations, and reads the answers. Pure
//! but for the [`Service`] that carries the requests.
//!
//! Assets are not listed, there are up to ten thousand in a group: a group says how many it
//! has. Source: botocore mediapackage-vod/2018-11-07. SPEKE and CDN-authorization fields have
//! no field here, so they never leave the parser.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::parse_json;
use super::client::Service;
use super::rest::{Listing, PageOf, RawLogs, RawTags, RawTime, named, null_is_empty, tags, time};
use crate::state::fault::Fault;
use crate::state::model::{Id, Package, PackagingConfiguration, PackagingGroup};
use crate::state::polled::Vod;

/// Items AWS is asked for at once, of the 1000 it allows.
const PAGE_ITEMS: usize = 200;

/// A complete listing of all packaging groups and configurations: two requests at least.
///
/// # Errors
///
/// Any fault of any page: a listing is complete, or there is none.
pub fn poll(service: &Service) -> Result<Vod, Fault> {
    Ok(Vod {
        groups: list_packaging_groups(service)?,
        configurations: list_packaging_configurations(service)?,
    })
}

/// A complete listing of all packaging groups.
///
/// # Errors
///
/// As [`poll`].
pub fn list_packaging_groups(service: &Service) -> Result<Vec<PackagingGroup>, Fault> {
    let listing = Listing {
        operation: "ListPackagingGroups",
        path: "/packaging_groups",
        page_items: PAGE_ITEMS,
    };
    listing.read(service, read_groups)
}

/// A complete listing of all packaging configurations.
///
/// # Errors
///
/// As [`poll`].
pub fn list_packaging_configurations(
    service: &Service,
) -> Result<Vec<PackagingConfiguration>, Fault> {
    let listing = Listing {
        operation: "ListPackagingConfigurations",
        path: "/packaging_configurations",
        page_items: PAGE_ITEMS,
    };
    listing.read(service, read_configurations)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupsPage {
    // Without the list the answer is no listing, and must not pass for an empty one.
    #[serde(deserialize_with = "null_is_empty")]
    packaging_groups: Vec<RawGroup>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawGroup {
    id: Option<String>,
    arn: Option<String>,
    domain_name: Option<String>,
    approximate_asset_count: Option<i64>,
    created_at: Option<RawTime>,
    egress_access_logs: Option<RawLogs>,
    tags: RawTags,
}

fn read_groups(operation: &str, body: &[u8]) -> Result<PageOf<PackagingGroup>, Fault> {
    let page: GroupsPage = parse_json(operation, body)?;
    let group = |raw: RawGroup| {
        let id = named(operation, raw.id.as_deref())?;
        let group = PackagingGroup {
            id: id.clone(),
            arn: raw.arn,
            domain_name: raw.domain_name,
            approximate_asset_count: raw.approximate_asset_count,
            created_at: time(raw.created_at),
            egress_access_logs: raw.egress_access_logs.and_then(|logs| logs.log_group_name),
            tags: tags(raw.tags),
        };
        Ok((id, group))
    };
    let groups = page.packaging_groups.into_iter().map(group);
    Ok((groups.collect::<Result<_, Fault>>()?, page.next_token))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationsPage {
    #[serde(deserialize_with = "null_is_empty")]
    packaging_configurations: Vec<RawConfiguration>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConfiguration {
    id: Option<String>,
    arn: Option<String>,
    packaging_group_id: Option<String>,
    created_at: Option<RawTime>,
    tags: RawTags,
    hls_package: Option<RawPackage>,
    dash_package: Option<RawPackage>,
    cmaf_package: Option<RawPackage>,
    mss_package: Option<RawPackage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPackage {
    // Only that it is there; what it holds is never read.
    encryption: Option<IgnoredAny>,
    segment_duration_seconds: Option<i64>,
    hls_manifests: Option<Vec<RawManifest>>,
    dash_manifests: Option<Vec<RawManifest>>,
    mss_manifests: Option<Vec<RawManifest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    manifest_name: Option<String>,
}

fn read_configurations(
    operation: &str,
    body: &[u8],
) -> Result<PageOf<PackagingConfiguration>, Fault> {
    let page: ConfigurationsPage = parse_json(operation, body)?;
    let configuration = |raw: RawConfiguration| {
        let id = named(operation, raw.id.as_deref())?;
        Ok((id.clone(), configuration(id, raw)))
    };
    let all = page.packaging_configurations.into_iter().map(configuration);
    Ok((all.collect::<Result<_, Fault>>()?, page.next_token))
}

fn configuration(id: Id, raw: RawConfiguration) -> PackagingConfiguration {
    let packages = [
        (Package::Hls, raw.hls_package),
        (Package::Dash, raw.dash_package),
        (Package::Cmaf, raw.cmaf_package),
        (Package::Mss, raw.mss_package),
    ];
    let mut packages = packages
        .into_iter()
        .filter_map(|(kind, raw)| Some((kind, raw?)));
    let (kind, package) = packages.next().unzip();
    let mut value = PackagingConfiguration {
        id,
        packaging_group_id: raw.packaging_group_id.map(Id::from),
        arn: raw.arn,
        created_at: time(raw.created_at),
        package: kind,
        segment_duration_seconds: None,
        encrypted: false,
        manifests: Vec::new(),
        tags: tags(raw.tags),
    };
    if let Some(package) = package {
        let kinds = [
            package.hls_manifests,
            package.dash_manifests,
            package.mss_manifests,
        ];
        let names = kinds.into_iter().flatten().flatten();
        value.manifests = names.filter_map(|raw| raw.manifest_name).collect();
        value.segment_duration_seconds = package.segment_duration_seconds;
        value.encrypted = package.encryption.is_some();
    }
    value
}
