//! The region's MediaPackage v2, harvest jobs and VOD: who is served what, pages, changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::caller::{Caller, Reply};
use super::region::sqs::receipt::RECEIPT;
use super::region::world::{SECRET_ACCESS_KEY, WHITELIST};
use super::region::{Clock, Fault, Region, SECRETS, World, sessions, sns};

const V2: &str = "mediapackagev2";
const VOD: &str = "mediapackage-vod";
const CHANNEL: &str = "/channelGroup/group-0/channel/ch-0000";

fn world() -> World {
    World::new("eu-central-1")
        .with_channels(2, 2)
        .with_groups(2, 3, 4)
        .with_packaging(1, 2)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

/// All pages of a list; how many there were, and the items.
fn listed(caller: &Caller, service: &str, path: &str, limit: usize) -> (usize, Vec<Value>) {
    let (mut items, mut pages) = (Vec::new(), 0);
    let mut query = format!("?maxResults={limit}");
    loop {
        let reply = caller.get_of(service, &format!("{path}{query}"));
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let page = reply.json();
        let mut lists = page.as_object().unwrap().values();
        items.extend(lists.find_map(Value::as_array).unwrap().iter().cloned());
        pages += 1;
        let next = ["NextToken", "nextToken"]
            .iter()
            .find_map(|n| page[n].as_str());
        let Some(token) = next else {
            return (pages, items);
        };
        query = format!("?maxResults={limit}&nextToken={}", encoded(token));
    }
}

#[test]
fn pages_are_as_long_as_asked_and_add_up() {
    let mut world = world();
    for n in 0..4 {
        world.add_job("group-0.ch-0000.hls", &format!("job-{n}"));
        world.add_job("ch-0000-hls", &format!("job-{n}"));
    }
    let region = Region::start(world);
    let caller = Caller::of(&region);
    let jobs = "/channelGroup/group-0/harvestJob";
    let endpoints = format!("{CHANNEL}/originEndpoint");
    let cases = [
        (V2, "/channelGroup", 2),
        (V2, "/channelGroup/group-1/channel", 3),
        (V2, &endpoints, 4),
        (V2, jobs, 4),
        ("mediapackage", "/harvest_jobs", 4),
        (VOD, "/packaging_groups", 1),
        (VOD, "/packaging_configurations", 2),
    ];
    for (service, path, count) in cases {
        let whole = listed(&caller, service, path, 100);
        assert_eq!((whole.0, whole.1.len()), (1, count), "{path}");
        for limit in [1, 2, 3] {
            let (pages, items) = listed(&caller, service, path, limit);
            assert_eq!((pages, &items), (count.div_ceil(limit), &whole.1), "{path}");
        }
    }
    region.edit(|w| w.pages.inventory = 1);
    assert_eq!(listed(&caller, V2, jobs, 100).0, 4);
    let filters = [
        ("includeStatus=QUEUED", 4),
        ("includeStatus=FAILED", 0),
        ("channelName=ch-0000&originEndpointName=hls", 4),
        ("channelName=ch-0001", 0),
    ];
    region.edit(|w| w.pages.inventory = 100);
    for (filter, count) in filters {
        let page = caller.get_of(V2, &format!("{jobs}?{filter}")).json();
        assert_eq!(page["Items"].as_array().unwrap().len(), count, "{filter}");
    }
}

fn refusal(reply: &Reply) -> (u16, String, String) {
    let body = reply.json();
    let details = ["ResourceTypeNotFound", "ValidationExceptionType"];
    let detail = details.iter().find_map(|d| body[d].as_str());
    assert!(body["Message"].is_string(), "{reply:?}");
    (
        reply.status,
        reply.code(),
        detail.unwrap_or_default().to_owned(),
    )
}

#[test]
fn what_is_not_there_and_what_is_not_valid_is_refused_in_the_words_of_v2() {
    let region = Region::start(world());
    let caller = Caller::of(&region);
    region.edit(|w| w.pages.inventory = 1);
    let of_one = caller.get_of(V2, "/channelGroup/group-0/channel").json();
    let token = encoded(of_one["NextToken"].as_str().unwrap());
    let missing = (404, "ResourceNotFoundException");
    let invalid = (400, "ValidationException");
    let paging = "INVALID_PAGINATION_MAX_RESULTS";
    let cases = [
        ("/channelGroup/none", missing, "CHANNEL_GROUP"),
        ("/channelGroup/none/channel", missing, "CHANNEL_GROUP"),
        ("/channelGroup/none/harvestJob", missing, "CHANNEL_GROUP"),
        ("/channelGroup/none/channel/x/", missing, "CHANNEL_GROUP"),
        ("/channelGroup/group-0/channel/none/", missing, "CHANNEL"),
        (
            "/channelGroup/group-0/channel/none/originEndpoint",
            missing,
            "CHANNEL",
        ),
        (
            "/channelGroup/group-0/channel/ch-0000/originEndpoint/none",
            missing,
            "ORIGIN_ENDPOINT",
        ),
        ("/channelGroup?maxResults=0", invalid, paging),
        ("/channelGroup?maxResults=101", invalid, paging),
        ("/channelGroup?maxResults=x", invalid, paging),
        (
            "/channelGroup?nextToken=never",
            invalid,
            "INVALID_PAGINATION_TOKEN",
        ),
        // Without the slash that stands in the model.
        (CHANNEL, (404, "UnknownOperationException"), ""),
    ];
    for (path, (status, code), detail) in cases {
        let wanted = (status, code.to_owned(), detail.to_owned());
        assert_eq!(refusal(&caller.get_of(V2, path)), wanted, "{path}");
    }
    let of_other = format!("/channelGroup/group-1/channel?nextToken={token}");
    let refused = refusal(&caller.get_of(V2, &of_other));
    assert_eq!(
        refused.2, "INVALID_PAGINATION_TOKEN",
        "a token of another list"
    );
}

/// A path of each service.
const PATHS: [(&str, &str, &str); 4] = [
    ("mediapackage", "/channels", "ListChannels"),
    ("mediapackage", "/harvest_jobs", "ListHarvestJobs"),
    (V2, "/channelGroup/group-0/channel", "ListChannels"),
    (VOD, "/packaging_groups", "ListPackagingGroups"),
];

/// The statuses of all of [`PATHS`].
fn statuses(caller: &Caller) -> [u16; 4] {
    PATHS.map(|(service, path, _)| caller.get_of(service, path).status)
}

#[test]
fn each_service_takes_its_own_signature_only_and_is_told_apart_in_what_was_seen() {
    let region = Region::start(world());
    let caller = Caller::of(&region);
    for (service, path, operation) in PATHS {
        for signed_for in ["mediapackage", V2, VOD, "monitoring"] {
            region.forget_requests();
            let reply = caller.get_of(signed_for, path);
            let wanted = if signed_for == service { 200 } else { 403 };
            assert_eq!(reply.status, wanted, "{path} for {signed_for}: {reply:?}");
            let seen = region.requests();
            assert_eq!(
                (&*seen[0].service, &*seen[0].operation),
                (service, operation)
            );
        }
    }
    for service in [V2, VOD] {
        let reply = caller.get_of(service, "/nowhere");
        assert_eq!(
            (reply.status, &*region.requests().pop().unwrap().service),
            (404, service)
        );
    }
}

#[test]
fn one_service_can_be_denied_absent_or_faulty_beside_the_others() {
    let region = Region::start(world());
    let caller = Caller::of(&region);
    let deny = |action: &str| region.edit(|w| w.denied = vec![action.to_owned()]);
    let fail = |operation: &str| {
        region.edit(|w| {
            w.faults.clear();
            w.faults.add(operation, 4, Fault::html(502));
        });
    };
    deny("mediapackagev2:ListChannels");
    assert_eq!(statuses(&caller), [200, 200, 403, 200]);
    deny("mediapackage:*");
    assert_eq!(statuses(&caller), [403, 403, 200, 200]);
    deny("nothing:Else");
    fail("ListChannels");
    assert_eq!(statuses(&caller), [502, 200, 502, 200]);
    fail("mediapackagev2:ListChannels");
    assert_eq!(statuses(&caller), [200, 200, 502, 200]);
    fail("mediapackage-vod:*");
    assert_eq!(statuses(&caller), [200, 200, 200, 502]);
    region.edit(|w| w.faults.clear());
    for (absent, wanted) in [(V2, [200, 200, 403, 200]), (VOD, [200, 200, 200, 403])] {
        region.edit(|w| w.absent = vec![absent.to_owned()]);
        assert_eq!(statuses(&caller), wanted, "without {absent}");
        let code = caller.get_of(absent, "/").code();
        assert_eq!(code, "SubscriptionRequiredException");
    }
    region.edit(|w| w.absent.clear());
    assert_eq!(statuses(&caller), [200; 4]);
    let throttled = Fault::Throttle {
        retry_after_ms: Some(7),
    };
    region.edit(|w| w.faults.add("ListChannelGroups", 1, throttled));
    let reply = caller.get_of(V2, "/channelGroup");
    assert_eq!((reply.status, &*reply.code()), (429, "ThrottlingException"));
    region.edit(|w| w.faults.add("ListChannelGroups", 1, Fault::LoopingToken));
    let reply = caller.get_of(V2, "/channelGroup");
    assert_eq!(reply.json()["NextToken"], "round-and-round");
}

/// Names and dates of change of the channels of the first group, as listed.
fn channels(caller: &Caller) -> Vec<(String, f64)> {
    let (_, items) = listed(caller, V2, "/channelGroup/group-0/channel", 100);
    let row = |item: &Value| {
        let name = item["ChannelName"].as_str().unwrap().to_owned();
        (name, item["ModifiedAt"].as_f64().unwrap())
    };
    items.iter().map(row).collect()
}

#[test]
fn a_change_moves_the_date_and_tags_do_not() {
    let region = Region::start(world());
    let caller = Caller::of(&region);
    let got = || caller.get_of(V2, &format!("{CHANNEL}/")).json();
    let (before, first) = (channels(&caller), got());
    let id = "group-0.ch-0000";
    region.edit(|w| {
        w.tag_v2(id, "env", "live");
        w.tag_v2("group-0", "k", "v");
        w.tag_v2("group-0.ch-0000.hls", "k", "v");
    });
    assert_eq!(channels(&caller), before, "tags move nothing");
    let tagged = got();
    assert_eq!(tagged["Tags"], json!({"env": "live"}));
    assert_eq!(tagged["ETag"], first["ETag"]);
    let group = caller.get_of(V2, "/channelGroup/group-0").json();
    assert_eq!(group["tags"], json!({"env": "test", "k": "v"}));
    // Even where the clock stands still, and twice in a row.
    region.edit(|w| w.clock = Clock::Fixed(w.now_ms()));
    let mut dates = vec![before[0].1];
    for text in ["one", "two"] {
        region.edit(|w| w.edit_channel_v2(id, |c| c.common.description = Some(text.into())));
        dates.push(channels(&caller)[0].1);
        assert_eq!(got()["ModifiedAt"].as_f64(), dates.last().copied());
        assert_eq!(got()["Description"], text);
    }
    assert!(dates.is_sorted_by(|a, b| a + 1.0 < *b), "{dates:?}");
    assert_eq!(
        channels(&caller)[1..],
        before[1..],
        "and of no other channel"
    );
    region.edit(|w| w.rename_channel_v2(id, "renamed"));
    let names: Vec<String> = channels(&caller)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["renamed", "ch-0001", "ch-0002"]);
    assert_eq!(caller.get_of(V2, &format!("{CHANNEL}/")).status, 404);
    let endpoints = "/channelGroup/group-0/channel/renamed/originEndpoint";
    assert_eq!(listed(&caller, V2, endpoints, 100).1.len(), 4);
    region.edit(|w| w.remove_group("group-0"));
    assert_eq!(caller.get_of(V2, endpoints).status, 404);
    assert_eq!(listed(&caller, V2, "/channelGroup", 100).1.len(), 1);
    region.edit(|w| w.remove_packaging_group("vod-0"));
    let left = listed(&caller, VOD, "/packaging_configurations", 100).1;
    assert_eq!(left, Vec::<Value>::new());
}

#[test]
fn every_secret_of_v2_harvest_jobs_and_vod_is_planted() {
    let region = Region::start(World::awkward("eu-central-1"));
    let caller = Caller::of(&region);
    let mut bodies = String::new();
    for (service, path) in [
        ("mediapackage", "/harvest_jobs"),
        (VOD, "/packaging_groups"),
        (VOD, "/packaging_configurations"),
        (V2, "/channelGroup/-/channel/-/"),
        (V2, "/channelGroup/-/channel/-/policy"),
        (V2, "/channelGroup/-/channel/-/originEndpoint/cmaf"),
        (V2, "/channelGroup/-/channel/-/originEndpoint/cmaf/policy"),
    ] {
        let reply = caller.get_of(service, path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        bodies.push_str(&reply.body);
    }
    // v1 alone has these, or no service at all.
    let elsewhere: BTreeSet<&str> = [
        SECRET_ACCESS_KEY,
        WHITELIST,
        sns::TOKEN,
        sns::UNSUBSCRIBE,
        RECEIPT,
        super::region::world::INGEST_USERNAME,
    ]
    .into();
    let of_lists = |s: &&&str| !elsewhere.contains(**s) && !sessions::SECRETS.contains(*s);
    for secret in SECRETS.iter().filter(of_lists) {
        assert!(bodies.contains(secret), "{secret} is not planted");
    }
}

#[test]
fn a_job_is_told_in_the_same_words_by_list_and_event() {
    let region = Region::start(world());
    let caller = Caller::of(&region);
    let text = "There was no content.";
    let events = region.edit(|w| {
        w.add_job("group-0.ch-0000.hls", "x");
        w.add_job("ch-0000-hls", "y");
        w.set_job("group-0.ch-0000.hls.x", "FAILED", Some(text));
        w.set_job("y", "SUCCEEDED", None);
        ["group-0.ch-0000.hls.x", "y"].map(|id| w.job_event(id))
    });
    let [v2, v1] = events.map(|event| serde_json::from_str::<Value>(&event).unwrap());
    let listed_v2 = &listed(&caller, V2, "/channelGroup/group-0/harvestJob", 9).1[0];
    let told = &v2["detail"]["harvestJob"];
    for (member, of_event) in [
        ("HarvestJobName", "harvestJobName"),
        ("Arn", "arn"),
        ("Status", "status"),
        ("ErrorMessage", "message"),
    ] {
        assert!(listed_v2[member].is_string(), "{member}");
        assert_eq!(listed_v2[member], told[of_event], "{member}");
    }
    let listed_v1 = &listed(&caller, "mediapackage", "/harvest_jobs", 9).1[0];
    assert_eq!(listed_v1["status"], "SUCCEEDED");
    assert_eq!(listed_v1["id"], v1["detail"]["harvest_job"]["id"]);
    assert_eq!(listed_v1["arn"], v1["resources"][0]);
    assert_eq!(listed_v1["channelId"], "ch-0000");
    region.edit(|w| w.remove_job("y"));
    assert!(
        listed(&caller, "mediapackage", "/harvest_jobs", 9)
            .1
            .is_empty()
    );
}
