//! What is asked of v2, harvest jobs and VOD, in which order, and what failures mean.

use std::collections::BTreeMap;

use mediapackage2mqtt::aws::{Limits, Service, harvest, mediapackage_v2, vod};
use mediapackage2mqtt::state::fault::{Fault, FaultKind};
use mediapackage2mqtt::state::model::{Detail, HarvestJob, Id};
use mediapackage2mqtt::state::polled::{Listing, RESOURCES_MAX, Resource};
use serde_json::{Value, json};

use crate::generated::all_apis;
use crate::scripted::{Bench, Reply, answer, bench_with, header};

const NOT_THERE: &str = r#"{"__type":"ResourceNotFoundException","Message":"not found",
    "ResourceTypeNotFound":"CHANNEL_GROUP"}"#;

fn bench(replies: Vec<Reply>) -> Bench {
    bench_with(replies, Limits::default(), all_apis, &BTreeMap::new())
}

fn v2(bench: &Bench) -> &Service {
    bench.clients.mediapackage_v2.as_ref().unwrap()
}

fn ok(body: &Value) -> Reply {
    answer("200 OK", "", &body.to_string())
}

/// A page of a listing of v2 whose items have just these names.
fn page(member: &str, names: &[&str]) -> Value {
    let items = names.iter().map(|name| json!({ member: name }));
    json!({ "Items": items.collect::<Vec<_>>() })
}

fn groups(names: &[&str]) -> Reply {
    ok(&page("ChannelGroupName", names))
}

fn channels(names: &[&str]) -> Reply {
    ok(&page("ChannelName", names))
}

fn endpoints(names: &[&str]) -> Reply {
    ok(&page("OriginEndpointName", names))
}

fn missing() -> Reply {
    answer("404 Not Found", "", NOT_THERE)
}

/// Where requests went, without what is the same in all.
fn asked(bench: &Bench) -> Vec<String> {
    let requests = bench.server.requests();
    let targets = requests.iter().map(|r| r.split(' ').nth(1).unwrap());
    targets.map(|t| t.replace("maxResults=100", "")).collect()
}

fn ids(listing: &Listing) -> String {
    let ids: Vec<Id> = listing.rows().map(|(resource, _)| resource.id()).collect();
    ids.join(" ")
}

#[test]
fn a_listing_goes_from_groups_to_channels_to_endpoints() {
    let mut first = page("ChannelGroupName", &["b"]);
    first["NextToken"] = json!("a+/=");
    let bench = bench(vec![
        ok(&first),
        groups(&["a"]),
        channels(&["two", "one"]),
        channels(&[]),
        endpoints(&["hls"]),
        endpoints(&["x", "y"]),
    ]);
    let listing = mediapackage_v2::list(v2(&bench), |_| true).unwrap();
    assert_eq!(ids(&listing), "a b a.one a.two a.one.hls a.two.x a.two.y");
    let wanted = [
        "/channelGroup?",
        "/channelGroup?&nextToken=a%2B%2F%3D",
        "/channelGroup/a/channel?",
        "/channelGroup/b/channel?",
        "/channelGroup/a/channel/one/originEndpoint?",
        "/channelGroup/a/channel/two/originEndpoint?",
    ];
    assert_eq!(asked(&bench), wanted);
    let endpoint = &listing.endpoints[0].value;
    assert_eq!(endpoint.channel_id.as_deref(), Some("a.one"));
    let channel = &listing.channels[0].value;
    assert_eq!(channel.channel_group.as_deref(), Some("a"));
}

#[test]
fn a_channel_that_is_not_taken_costs_no_request() {
    let bench = bench(vec![
        groups(&["a"]),
        channels(&["one", "two"]),
        endpoints(&["hls"]),
    ]);
    let listing = mediapackage_v2::list(v2(&bench), |id| id == "a.two").unwrap();
    assert_eq!(ids(&listing), "a a.two a.two.hls");
    assert_eq!(v2(&bench).requests(), 3);
}

#[test]
fn what_is_removed_between_two_lists_is_empty() {
    let bench = bench(vec![
        groups(&["a", "b"]),
        missing(),
        channels(&["one", "two"]),
        missing(),
        endpoints(&["hls"]),
    ]);
    let listing = mediapackage_v2::list(v2(&bench), |_| true).unwrap();
    assert_eq!(ids(&listing), "a b b.one b.two b.two.hls");
}

#[test]
fn a_listing_that_fails_anywhere_is_no_listing() {
    let denied = r#"{"__type":"AccessDeniedException","Message":"no"}"#;
    let denied = || answer("403 Forbidden", "", denied);
    let nobody = || answer("404 Not Found", "", "<html><title>Not here</title></html>");
    let nothing = || ok(&json!({}));
    type Make = fn() -> Vec<Reply>;
    let before: [(&str, Make); 3] = [
        ("ListChannelGroups", Vec::new),
        ("ListChannels", || vec![groups(&["a"])]),
        ("ListOriginEndpoints", || {
            vec![groups(&["a"]), channels(&["one"])]
        }),
    ];
    for (operation, before) in before {
        let failures = [
            (
                denied(),
                FaultKind::Permission,
                format!("allow mediapackagev2:{operation}"),
            ),
            (nobody(), FaultKind::Refused, String::from("status 404")),
            (
                nothing(),
                FaultKind::Answer,
                String::from("Items is missing"),
            ),
        ];
        for (failure, kind, word) in failures {
            let mut replies = before();
            replies.push(failure);
            let bench = bench(replies);
            let fault = mediapackage_v2::list(v2(&bench), |_| true).unwrap_err();
            assert_eq!(fault.kind, kind, "{fault}");
            let text = fault.to_string();
            assert!(text.contains(&word) && text.contains(operation), "{text}");
        }
    }
    // There is no list that the groups could have been removed since.
    let bench = bench(vec![missing()]);
    let fault = mediapackage_v2::list(v2(&bench), |_| true).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
}

#[test]
fn a_listing_of_too_many_resources_is_a_fault() {
    let many = |count| {
        let names: Vec<String> = (0..count).map(|n| format!("c{n:05}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        vec![groups(&["a"]), channels(&names)]
    };
    let none = |_: &str| false;
    let too_many = bench(many(RESOURCES_MAX));
    let fault = mediapackage_v2::list(v2(&too_many), |_| true).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Answer);
    assert!(fault.to_string().contains("20000 resources"), "{fault}");
    // What is not taken does not count.
    let left_out = bench(many(RESOURCES_MAX));
    assert!(mediapackage_v2::list(v2(&left_out), none).is_ok());
}

#[test]
fn a_name_that_needs_care_stays_in_its_place() {
    let bench = bench(vec![
        groups(&["a/../b?x"]),
        channels(&[".."]),
        endpoints(&["ü\n"]),
        ok(&json!({ "OriginEndpointName": "ü\n" })),
    ]);
    let listing = mediapackage_v2::list(v2(&bench), |_| true).unwrap();
    mediapackage_v2::get(v2(&bench), &listing.endpoints[0].resource).unwrap();
    let group = "/channelGroup/a%2F%2E%2E%2Fb%3Fx";
    let wanted = [
        String::from("/channelGroup?"),
        format!("{group}/channel?"),
        format!("{group}/channel/%2E%2E/originEndpoint?"),
        format!("{group}/channel/%2E%2E/originEndpoint/%C3%BC%0A"),
    ];
    assert_eq!(asked(&bench), wanted);
}

#[test]
fn an_item_without_a_name_is_a_fault() {
    for name in [json!(""), Value::Null] {
        let items = json!({"Items": [{"ChannelGroupName": name, "Arn": "arn"}]});
        let bench = bench(vec![ok(&items)]);
        let fault = mediapackage_v2::list_channel_groups(v2(&bench)).unwrap_err();
        assert!(fault.what.contains("without an id"), "{fault}");
    }
}

#[test]
fn an_answer_that_is_of_another_resource_is_a_fault() {
    let channel = Resource::Channel {
        group: "a".into(),
        channel: "one".into(),
    };
    let cases = [
        (
            json!({"ChannelName": "two", "Tags": {"k": "v"}}),
            "of another resource",
        ),
        (json!({"Tags": {"k": "v"}}), "does not say what it is of"),
        (json!({"ChannelName": null}), "does not say what it is of"),
        (json!({}), "does not say what it is of"),
    ];
    for (body, wanted) in cases {
        let bench = bench(vec![ok(&body)]);
        let fault = mediapackage_v2::get(v2(&bench), &channel).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Answer);
        assert!(
            fault.what.contains(wanted) && fault.what.contains("GetChannel"),
            "{fault}"
        );
    }
}

#[test]
fn tags_are_read_in_either_spelling() {
    let group = Resource::ChannelGroup { group: "a".into() };
    let (none, one): (&[_], &[_]) = (&[], &[("k", "v")]);
    let cases = [
        (json!({"tags": {"k": "v"}}), one),
        (json!({"Tags": {"k": "v"}}), one),
        (json!({"Tags": null, "tags": {"k": "v"}}), one),
        (json!({"tags": {"k": "v", "none": null}}), one),
        (json!({}), none),
    ];
    for (mut body, wanted) in cases {
        body["ChannelGroupName"] = json!("a");
        let bench = bench(vec![ok(&body)]);
        let got = mediapackage_v2::get(v2(&bench), &group).unwrap();
        let Detail::ChannelGroup { tags, .. } = &got.detail else {
            panic!("{got:?}");
        };
        assert_eq!(tags.iter().collect::<Vec<_>>(), wanted, "{body}");
    }
}

#[test]
fn the_first_manifest_with_a_url_stands_for_the_endpoint() {
    let manifest = |name: &str, url: Value| json!([{"ManifestName": name, "Url": url}]);
    let mut body = page("OriginEndpointName", &["e"]);
    body["Items"][0]["MssManifests"] = manifest("mss", json!("https://h/mss.ism"));
    body["Items"][0]["DashManifests"] = manifest("dash", json!("https://u:p@h/dash.mpd"));
    body["Items"][0]["HlsManifests"] = manifest("hls", Value::Null);
    let bench = bench(vec![ok(&body)]);
    let (group, channel) = ("a".into(), "one".into());
    let listed = mediapackage_v2::list_origin_endpoints(v2(&bench), &group, &channel).unwrap();
    let endpoint = &listed[0].value;
    assert_eq!(endpoint.url.as_deref(), Some("https://h/dash.mpd"));
    assert_eq!(endpoint.manifest_name.as_deref(), Some("dash"));
    let ids: Vec<_> = endpoint.manifests.iter().map(|m| &*m.id).collect();
    assert_eq!(ids, ["hls", "dash", "mss"]);
}

fn job(name: &str, status: &str) -> Value {
    json!({
        "HarvestJobName": name, "ChannelName": "one", "OriginEndpointName": "hls",
        "Status": status,
    })
}

#[test]
fn harvest_jobs_are_listed_by_group_and_only_those_wanted_are_kept() {
    let bench = bench(vec![
        ok(&json!({"Items": [job("x", "COMPLETED")], "NextToken": "t"})),
        ok(&json!({"Items": [job("y", "IN_PROGRESS")]})),
        missing(),
        ok(&json!({"Items": [job("x", "QUEUED")]})),
    ]);
    let groups: Vec<Id> = ["a", "gone", "b"].map(Id::from).into();
    let wanted = |job: &HarvestJob| !job.is_finished();
    let jobs = harvest::list_v2(v2(&bench), &groups, wanted).unwrap();
    let ids: Vec<&str> = jobs.iter().map(|job| &*job.id).collect();
    assert_eq!(ids, ["a.one.hls.y", "b.one.hls.x"]);
    assert_eq!(jobs[0].channel_id.as_deref(), Some("a.one"));
    assert_eq!(jobs[0].endpoint_id.as_deref(), Some("a.one.hls"));
    let paths = [
        "/channelGroup/a/harvestJob?",
        "/channelGroup/a/harvestJob?&nextToken=t",
        "/channelGroup/gone/harvestJob?",
        "/channelGroup/b/harvestJob?",
    ];
    assert_eq!(asked(&bench), paths);
}

#[test]
fn a_job_that_failed_says_why() {
    let mut failed = job("x", "FAILED");
    failed["ErrorMessage"] = json!("There was no content.");
    let bench = bench(vec![ok(&json!({"Items": [failed]}))]);
    let jobs = harvest::list_v2(v2(&bench), [&"a".into()], |_| true).unwrap();
    assert_eq!(jobs[0].message.as_deref(), Some("There was no content."));
}

#[test]
fn each_service_is_signed_for_and_named_in_its_own_way() {
    let denied = || {
        let body = r#"{"message":"no"}"#;
        answer(
            "403 Forbidden",
            "x-amzn-errortype: ForbiddenException:http://x\r\n",
            body,
        )
    };
    type Ask = fn(&Bench) -> Fault;
    let cases: [(Ask, &str, &str); 3] = [
        (
            |bench| mediapackage_v2::list(v2(bench), |_| true).unwrap_err(),
            "mediapackagev2",
            "allow mediapackagev2:ListChannelGroups in",
        ),
        (
            |bench| vod::poll(bench.clients.vod.as_ref().unwrap()).unwrap_err(),
            "mediapackage-vod",
            "allow mediapackage-vod:ListPackagingGroups in",
        ),
        (
            |bench| harvest::list_v1(&bench.clients.mediapackage, |_| true).unwrap_err(),
            "mediapackage",
            "allow mediapackage:ListHarvestJobs in",
        ),
    ];
    for (ask, signing, remedy) in cases {
        let bench = bench(vec![denied()]);
        let fault = ask(&bench);
        assert_eq!(fault.kind, FaultKind::Permission, "{fault}");
        assert!(fault.remedy.contains(remedy), "{fault}");
        let request = bench.server.request();
        let authorization = header(&request, "authorization").unwrap();
        let scope = format!("/eu-west-1/{signing}/aws4_request");
        assert!(authorization.contains(&scope), "{authorization}");
    }
}

#[test]
fn an_api_that_is_not_asked_for_has_no_client() {
    for (v2, vod) in [(false, false), (true, false), (false, true)] {
        let choose = |config: &mut mediapackage2mqtt::config::Config| {
            config.mediapackage.apis.v2 = v2;
            config.mediapackage.apis.vod = vod;
        };
        let clients = bench_with(Vec::new(), Limits::default(), choose, &BTreeMap::new()).clients;
        let has = (clients.mediapackage_v2.is_some(), clients.vod.is_some());
        assert_eq!(has, (v2, vod));
    }
}

#[test]
fn vod_is_two_listings_and_no_asset_is_asked_for() {
    let group = json!({"packagingGroups": [{"id": "g", "approximateAssetCount": 10_000}]});
    let configuration = json!({"packagingConfigurations": [{
        "id": "p", "packagingGroupId": "g",
        "dashPackage": {"encryption": {}, "dashManifests": [{"manifestName": "m"}, {}]},
    }]});
    let bench = bench(vec![ok(&group), ok(&configuration)]);
    let listing = vod::poll(bench.clients.vod.as_ref().unwrap()).unwrap();
    assert_eq!(listing.groups[0].approximate_asset_count, Some(10_000));
    let read = &listing.configurations[0];
    assert_eq!(read.packaging_group_id.as_deref(), Some("g"));
    assert_eq!(read.package.map(|p| p.as_str()), Some("dash"));
    assert!(read.encrypted);
    assert_eq!(read.manifests, ["m"]);
    let wanted = [
        "/packaging_groups?maxResults=200",
        "/packaging_configurations?maxResults=200",
    ];
    assert_eq!(asked(&bench), wanted);
}
