//! MediaPackage v1 live: asks for channels and origin endpoints, and reads the answers. Pure
//! but for the [`Service`] that carries the requests.
//!
//! Source: botocore mediapackage/2017-10-12. The structs below hold only what is published:
//! ingest user names and passwords, SPEKE and CDN-authorization fields, role ARNs and
//! whitelists have no field here, so they never leave the parser.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::parse_json;
use super::client::Service;
use super::rest::{
    Listing, PageOf, RawIdAndUrl, RawLogs, RawTags, named, null_is_empty, tags, without_userinfo,
};
use crate::state::fault::Fault;
use crate::state::model::{Api, Channel, Endpoint, Id, IngestEndpoint, Manifest, Package};
use crate::state::polled::Inventory;
use crate::state::time::UnixMs;

/// Items AWS is asked for at once, of the 1000 it allows: an account of usual size is one page,
/// and an answer stays well below a megabyte, for the sake of small boxes.
const PAGE_ITEMS: usize = 200;

/// A complete listing of all channels and origin endpoints.
///
/// # Errors
///
/// Any fault of any page: a listing is complete, or there is none.
pub fn poll(service: &Service) -> Result<Inventory, Fault> {
    Ok(Inventory {
        channels: list_channels(service)?,
        endpoints: list_endpoints(service)?,
    })
}

/// A complete listing of all channels.
///
/// # Errors
///
/// As [`poll`].
pub fn list_channels(service: &Service) -> Result<Vec<Channel>, Fault> {
    list(service, "ListChannels", "/channels", read_channels)
}

/// A complete listing of all origin endpoints.
///
/// # Errors
///
/// As [`poll`].
pub fn list_endpoints(service: &Service) -> Result<Vec<Endpoint>, Fault> {
    list(
        service,
        "ListOriginEndpoints",
        "/origin_endpoints",
        read_endpoints,
    )
}

fn list<T>(
    service: &Service,
    operation: &'static str,
    path: &str,
    read: impl Fn(&str, &[u8]) -> Result<PageOf<T>, Fault>,
) -> Result<Vec<T>, Fault> {
    let listing = Listing {
        operation,
        path,
        page_items: PAGE_ITEMS,
    };
    listing.read(service, read)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelsPage {
    // Without the list the answer is no listing, and must not pass for an empty one.
    #[serde(deserialize_with = "null_is_empty")]
    channels: Vec<RawChannel>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChannel {
    id: Option<String>,
    arn: Option<String>,
    description: Option<String>,
    created_at: Option<String>,
    hls_ingest: Option<RawIngest>,
    tags: RawTags,
    egress_access_logs: Option<RawLogs>,
    ingress_access_logs: Option<RawLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawIngest {
    ingest_endpoints: Option<Vec<RawIdAndUrl>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointsPage {
    #[serde(deserialize_with = "null_is_empty")]
    origin_endpoints: Vec<RawEndpoint>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEndpoint {
    id: Option<String>,
    arn: Option<String>,
    channel_id: Option<String>,
    description: Option<String>,
    created_at: Option<String>,
    manifest_name: Option<String>,
    url: Option<String>,
    origination: Option<String>,
    startover_window_seconds: Option<i64>,
    time_delay_seconds: Option<i64>,
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
    hls_manifests: Option<Vec<RawIdAndUrl>>,
}

/// Reads one page of `ListChannels`.
///
/// # Errors
///
/// A [`Fault`] when it is no such page.
pub fn read_channels(operation: &str, body: &[u8]) -> Result<PageOf<Channel>, Fault> {
    let page: ChannelsPage = parse_json(operation, body)?;
    let channel = |raw: RawChannel| {
        let id = named(operation, raw.id.as_deref())?;
        Ok((id.clone(), channel(id, raw)))
    };
    let channels = page.channels.into_iter().map(channel);
    Ok((channels.collect::<Result<_, Fault>>()?, page.next_token))
}

fn channel(id: Id, raw: RawChannel) -> Channel {
    let ingest = raw.hls_ingest.and_then(|ingest| ingest.ingest_endpoints);
    let ingest_endpoint = |raw: RawIdAndUrl| IngestEndpoint {
        id: raw.id.unwrap_or_default(),
        url: raw.url.map(without_userinfo),
    };
    Channel {
        id,
        api: Api::V1,
        channel_group: None,
        arn: raw.arn,
        description: raw.description,
        created_at: raw.created_at.as_deref().and_then(UnixMs::parse),
        modified_at: None,
        ingest_endpoints: ingest.into_iter().flatten().map(ingest_endpoint).collect(),
        // v1 takes nothing else and does not say it.
        input_type: Some(String::from("HLS")),
        tags: tags(raw.tags),
        egress_access_logs: raw.egress_access_logs.and_then(|logs| logs.log_group_name),
        ingress_access_logs: raw.ingress_access_logs.and_then(|logs| logs.log_group_name),
    }
}

/// Reads one page of `ListOriginEndpoints`.
///
/// # Errors
///
/// As [`read_channels`].
pub fn read_endpoints(operation: &str, body: &[u8]) -> Result<PageOf<Endpoint>, Fault> {
    let page: EndpointsPage = parse_json(operation, body)?;
    let endpoint = |raw: RawEndpoint| {
        let id = named(operation, raw.id.as_deref())?;
        Ok((id.clone(), endpoint(id, raw)))
    };
    let endpoints = page.origin_endpoints.into_iter().map(endpoint);
    Ok((endpoints.collect::<Result<_, Fault>>()?, page.next_token))
}

fn endpoint(id: Id, raw: RawEndpoint) -> Endpoint {
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
    let manifest = |raw: RawIdAndUrl| Manifest {
        id: raw.id.unwrap_or_default(),
        url: raw.url.map(without_userinfo),
    };
    Endpoint {
        id,
        api: Api::V1,
        channel_id: raw.channel_id.map(Id::from),
        arn: raw.arn,
        description: raw.description,
        created_at: raw.created_at.as_deref().and_then(UnixMs::parse),
        modified_at: None,
        url: raw.url.map(without_userinfo),
        manifest_name: raw.manifest_name,
        package: kind,
        segment_duration_seconds: package.as_ref().and_then(|p| p.segment_duration_seconds),
        encrypted: Some(package.as_ref().is_some_and(|p| p.encryption.is_some())),
        startover_window_seconds: raw.startover_window_seconds,
        time_delay_seconds: raw.time_delay_seconds,
        origination: raw.origination,
        manifests: package
            .and_then(|p| p.hls_manifests)
            .into_iter()
            .flatten()
            .map(manifest)
            .collect(),
        tags: tags(raw.tags),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fault::FaultKind;

    const CHANNELS: &str = include_str!("../../tests/fixtures/aws/list-channels.json");
    const ENDPOINTS: &str = include_str!("../../tests/fixtures/aws/list-origin-endpoints.json");

    fn channels(body: &str) -> Result<(Vec<Channel>, Option<String>), Fault> {
        let (items, next) = read_channels("ListChannels", body.as_bytes())?;
        Ok((
            items.into_iter().map(|(_, channel)| channel).collect(),
            next,
        ))
    }

    fn endpoints(body: &str) -> Vec<Endpoint> {
        let (items, _) = read_endpoints("ListOriginEndpoints", body.as_bytes()).unwrap();
        items.into_iter().map(|(_, endpoint)| endpoint).collect()
    }

    #[test]
    fn a_channel_is_read_with_everything_that_is_published() {
        let (channels, next) = channels(CHANNELS).unwrap();
        assert_eq!(next.as_deref(), Some("bmV4dA+/=="));
        let first = &channels[0];
        assert_eq!(&*first.id, "news-hd");
        assert_eq!(first.api, Api::V1);
        assert_eq!(
            first.description.as_deref(),
            Some("Nachrichten \"HD\"\nzweite Zeile ü")
        );
        assert_eq!(first.created_at, UnixMs::parse("2024-03-01T09:30:00Z"));
        assert_eq!(first.input_type.as_deref(), Some("HLS"));
        let tags: Vec<_> = first.tags.iter().collect();
        assert!(tags.contains(&("Name", "News HD")), "{tags:?}");
        assert_eq!(
            first.egress_access_logs.as_deref(),
            Some("/aws/MediaPackage/EgressLogs")
        );
        let urls: Vec<_> = first
            .ingest_endpoints
            .iter()
            .map(|i| i.url.as_deref())
            .collect();
        let host = "https://ab.mediapackage.eu-west-1.amazonaws.com";
        assert_eq!(
            urls[0],
            Some(format!("{host}/in/v2/aa/bb/channel").as_str())
        );
        assert_eq!(
            urls[1],
            Some(format!("{host}/in/v2/aa/cc/channel?x=1@2").as_str())
        );
        let bare = &channels[1];
        assert_eq!(
            (&*bare.id, &bare.arn, bare.created_at),
            ("a/b#c+d", &None, None)
        );
        assert_eq!(
            (bare.ingest_endpoints.len(), bare.tags.iter().count()),
            (0, 0)
        );
        assert_eq!(channels[2].id.len(), 300);
    }

    #[test]
    fn an_endpoint_is_read_whichever_way_it_packages() {
        let endpoints = endpoints(ENDPOINTS);
        let shown: Vec<_> = endpoints
            .iter()
            .map(|e| (&*e.id, e.package, e.encrypted, e.segment_duration_seconds))
            .collect();
        let wanted = [
            ("news-hls", Some(Package::Hls), Some(true), Some(6)),
            ("news-dash", Some(Package::Dash), Some(false), Some(2)),
            ("news-cmaf", Some(Package::Cmaf), Some(true), Some(4)),
            ("news-mss", Some(Package::Mss), Some(false), None),
            ("news-bare", None, Some(false), None),
        ];
        assert_eq!(shown, wanted);
        let hls = &endpoints[0];
        assert_eq!(hls.channel_id.as_deref(), Some("news-hd"));
        assert_eq!(hls.origination.as_deref(), Some("ALLOW"));
        assert_eq!(
            (hls.startover_window_seconds, hls.time_delay_seconds),
            (Some(86_400), Some(0))
        );
        assert_eq!(hls.manifest_name.as_deref(), Some("index"));
        assert_eq!(endpoints[2].manifests[0].id, "cmaf-manifest");
        assert_eq!(
            endpoints[2].manifests[0].url.as_deref(),
            Some("https://h/out/v1/c/index.m3u8")
        );
        assert!(endpoints[4].manifests.is_empty());
    }

    #[test]
    fn what_must_not_be_published_is_gone_after_parsing() {
        let inventory = Inventory {
            channels: channels(CHANNELS).unwrap().0,
            endpoints: endpoints(ENDPOINTS),
        };
        let shown = format!("{inventory:?}");
        let secrets = [
            "SECRET-",
            "arn:aws:iam",
            "secretsmanager",
            "speke",
            "10.0.0.0/8",
        ];
        for secret in secrets {
            let sent = CHANNELS.contains(secret) || ENDPOINTS.contains(secret);
            assert!(sent, "{secret} stands in no fixture");
            assert!(!shown.contains(secret), "{secret} came through");
        }
    }

    #[test]
    fn an_answer_that_is_no_listing_is_a_fault_and_not_an_empty_listing() {
        let cases = [
            ("", "malformed"),
            ("{}", "channels is missing"),
            ("[]", "another type"),
            ("{\"channels\":{}}", "another type"),
            ("{\"channels\":[{\"id\":7}]}", "another type"),
            (
                "{\"channels\":[{\"id\":\"x\",\"tags\":[\"hunter2\"]}]}",
                "another type",
            ),
            ("{\"channels\":[{\"arn\":\"x\"}]}", "without an id"),
            ("{\"channels\":[{\"id\":\"\"}]}", "without an id"),
            (
                "{\"channels\":[{\"id\":\"x\"}],\"nextToken\":5}",
                "another type",
            ),
            ("{\"channels\":[{\"id\":\"x\"}", "malformed"),
        ];
        for (body, wanted) in cases {
            let fault = channels(body).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Answer, "{body}");
            assert!(
                fault.what.contains(wanted) && fault.what.contains("ListChannels"),
                "{fault}"
            );
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
        assert_eq!(
            channels("{\"channels\":null,\"other\":1}"),
            Ok((Vec::new(), None))
        );
    }
}
