//! v2: listed in steps, got one by one, shown when it is known in detail.

use super::cloud::{self, Cloud, channel, endpoint, group};
use super::rig::settings;
use super::*;
use crate::engine::Settings;
use crate::state::apis::MediaApi;
use crate::state::fault::FaultKind;
use crate::state::glob::Glob;

fn both() -> Settings {
    Settings {
        apis: vec![MediaApi::V1, MediaApi::V2],
        ..settings()
    }
}

fn rig(cloud: Cloud) -> Rig {
    let region = live_with(&["c1"], cloud);
    Rig::new(both(), region)
}

#[test]
fn groups_channels_and_endpoints_are_shown_with_what_lists_do_not_tell() {
    let mut rig = rig(cloud::with(1, 2, 1));
    rig.to(60);
    let shown = rig.json("channel_group/g0");
    assert_eq!(shown["api"], "v2");
    assert_eq!(shown["egress_domain"], "egress.example.net");
    assert_eq!(shown["channels"], serde_json::json!(["g0.c0", "g0.c1"]));
    let shown = rig.json("channel/g0.c1");
    assert_eq!(shown["api"], "v2");
    assert_eq!(shown["channel_group"], "g0");
    assert_eq!(shown["tags"]["of"], "g0.c1");
    assert_eq!(shown["ingest_endpoints"].as_array().unwrap().len(), 2);
    assert_eq!(shown["endpoints"], serde_json::json!(["g0.c1.e0"]));
    let shown = rig.json("endpoint/g0.c1.e0");
    assert_eq!(shown["channel_id"], "g0.c1");
    assert_eq!(shown["encrypted"], true);
    assert_eq!(rig.json("channel/g0.c1/health")["api"], "v2");
    assert_eq!(rig.json("channel/c1")["api"], "v1");
    assert_eq!(rig.json("summary")["channels"], 3);
    assert_eq!(rig.json("summary")["endpoints"], 3);
    for api in ["v1", "v2"] {
        assert_eq!(rig.json("agent")["apis"][api]["state"], "ok", "{api}");
    }
    assert_eq!(rig.json("agent")["apis"]["vod"]["state"], "off");
    assert!(
        rig.events("channel_added").is_empty(),
        "no news at the start"
    );
    assert!(
        rig.events("endpoint_added").is_empty(),
        "no news at the start"
    );
}

/// 1 for the groups, 3 for their channels, 30 for their endpoints.
const LIST_REQUESTS: u64 = 34;
/// 3 groups, 30 channels, 300 endpoints.
const RESOURCES: u64 = 333;

#[test]
fn a_steady_state_costs_the_lists_and_a_slow_sweep_and_nothing_else() {
    let mut rig = rig(cloud::with(3, 10, 10));
    rig.to(25);
    assert!(rig.region.cloud.count("Get") <= 250, "ten a second");
    rig.to(38);
    assert_eq!(rig.region.cloud.count("Get"), RESOURCES);
    assert_eq!(rig.json("summary")["endpoints"], 301);
    rig.to(1700);
    let lists = |rig: &Rig| {
        let all = rig.region.cloud.count("List");
        all - rig.region.cloud.count("ListHarvestJobs")
    };
    let (listed, got) = (lists(&rig), rig.region.cloud.count("Get"));
    let sent = rig.broker.log.len();
    rig.to(1700 + 3600);
    assert_eq!(lists(&rig) - listed, 60 * LIST_REQUESTS);
    // Each of them once in half an hour, spread evenly.
    let swept = rig.region.cloud.count("Get") - got;
    assert!(swept.abs_diff(2 * RESOURCES) <= 2, "{swept}");
    let of_v2 = |topic: &str| topic.starts_with("mp/x/endpoint/g") && !topic.ends_with("metrics");
    let news = rig.broker.log[sent..].iter().filter(|m| of_v2(&m.topic));
    let news: Vec<_> = news.filter(|m| !m.topic.ends_with("/point")).collect();
    assert!(news.is_empty(), "{news:?}");
}

#[test]
fn harvest_jobs_are_listed_each_fifth_interval() {
    let mut rig = rig(cloud::with(3, 1, 1));
    rig.to(1000);
    let before = rig.region.cloud.count("ListHarvestJobs");
    rig.to(1000 + 3000);
    // One request for v1 and one for each group of v2, ten times.
    assert_eq!(rig.region.cloud.count("ListHarvestJobs") - before, 40);
}

#[test]
fn nothing_is_shown_before_it_is_known_in_detail_and_nothing_is_swept() {
    let mut first = rig(cloud::with(1, 3, 10));
    first.to(120);
    let held = first.broker.retained.clone();
    let v2_topics = |topics: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        let of_v2 = |t: &&String| t.contains("/g0") && !t.ends_with("/metrics");
        topics.filter(of_v2).cloned().collect()
    };
    let topics = v2_topics(&mut held.keys());
    assert_eq!(topics.len(), 1 + 3 * 2 + 30);
    let mut second = rig(cloud::with(1, 3, 10));
    second.broker.retained = held.clone();
    // None can be got for five minutes.
    second.region.fail(Kind::Details);
    second.region.faults.get_mut(&Kind::Details).unwrap().kind = FaultKind::Throttled;
    second.to(300);
    for topic in &topics {
        assert_eq!(
            second.broker.retained.get(topic),
            held.get(topic),
            "{topic}"
        );
    }
    assert_eq!(second.json("summary")["channels"], 4);
    assert_eq!(second.json("agent")["health"], "degraded");
    second.region.heal(Kind::Details);
    second.region.cloud.remove(&endpoint("g0.c2.e9"));
    second.to(1200);
    assert_eq!(second.json("agent")["health"], "ok");
    let cleared = second.broker.log.iter().filter(|m| m.payload.is_empty());
    let cleared: Vec<&str> = cleared.map(|m| m.topic.as_str()).collect();
    assert_eq!(cleared, ["mp/x/endpoint/g0.c2.e9"]);
    let bare = |m: &&rig::Message| m.topic.contains("/g0.") && m.payload.contains("\"tags\":{}");
    assert_eq!(second.broker.log.iter().find(bare).map(|m| &m.topic), None);
}

#[test]
fn what_cannot_be_got_is_shown_after_three_tries_without_its_details() {
    let mut cloud = cloud::with(1, 2, 0);
    cloud.denied.insert(channel("g0.c1"), FaultKind::Permission);
    let mut rig = rig(cloud);
    rig.to(85);
    assert!(rig.holds("channel/g0.c0") && !rig.holds("channel/g0.c1"));
    rig.to(100);
    assert_eq!(rig.json("channel/g0.c1")["tags"], serde_json::json!({}));
    let reasons = rig.json("agent")["reasons"].to_string();
    assert!(reasons.contains("details of v2: no; allow it"), "{reasons}");
    let told = |rig: &Rig| {
        rig.log
            .iter()
            .filter(|line| line.starts_with("mediapackage: details of v2"))
            .count()
    };
    rig.to(7200);
    assert_eq!(told(&rig), 1, "{:?}", rig.log);
    rig.region.cloud.denied.clear();
    rig.to(7200 + 1900);
    assert_eq!(rig.json("channel/g0.c1")["tags"]["of"], "g0.c1");
    assert_eq!(rig.json("agent")["reasons"], serde_json::json!([]));
}

#[test]
fn what_is_new_is_told_once_it_is_shown_and_what_goes_is_told_too() {
    let mut rig = rig(cloud::with(1, 1, 1));
    rig.to(200);
    rig.region.cloud.add(channel("g0.new"));
    rig.region.cloud.add(endpoint("g0.new.e"));
    rig.minutes(3);
    assert_eq!(rig.events("channel_added"), ["g0.new"]);
    assert_eq!(rig.events("endpoint_added"), ["g0.new.e"]);
    assert_eq!(rig.json("channel/g0.new")["tags"]["of"], "g0.new");
    assert_eq!(
        rig.json("channel_group/g0")["channels"],
        serde_json::json!(["g0.c0", "g0.new"])
    );
    rig.region.cloud.remove(&group("g0"));
    rig.minutes(4);
    assert!(!rig.holds("/g0"), "{:?}", rig.broker.retained.keys());
    assert_eq!(rig.events("channel_removed"), ["g0.c0", "g0.new"]);
    assert_eq!(rig.events("endpoint_removed"), ["g0.c0.e0", "g0.new.e"]);
    assert!(rig.holds("channel/c1"));
}

#[test]
fn a_tag_that_changed_unseen_is_found_within_half_an_hour() {
    let mut rig = rig(cloud::with(1, 2, 3));
    rig.to(120);
    rig.region.cloud.tag(&channel("g0.c1"), "new");
    rig.to(120 + 1860);
    assert_eq!(rig.json("channel/g0.c1")["tags"]["of"], "new");
    assert!(rig.events("channel_added").is_empty());
}

#[test]
fn what_one_listing_lacks_stays_though_its_details_are_forgotten() {
    let mut rig = rig(cloud::with(1, 2, 1));
    rig.to(200);
    let thing = rig.region.cloud.things.remove(&channel("g0.c1")).unwrap();
    let lists = rig.region.cloud.count("ListChannelGroups");
    while rig.region.cloud.count("ListChannelGroups") == lists {
        rig.run_for(Duration::from_secs(1));
    }
    rig.run_for(Duration::from_secs(5));
    rig.region.cloud.things.insert(channel("g0.c1"), thing);
    // It is listed again, and cannot be got for long.
    rig.region
        .cloud
        .denied
        .insert(channel("g0.c1"), FaultKind::Server);
    rig.minutes(30);
    assert_eq!(rig.json("channel/g0.c1")["tags"]["of"], "g0.c1");
    assert!(rig.events("channel_removed").is_empty());
    assert!(rig.broker.log.iter().all(|m| !m.payload.is_empty()));
}

#[test]
fn channels_are_chosen_by_group_and_name_and_not_listed_further() {
    let mut rig = Rig::with(live_with(&["c1"], cloud::with(2, 2, 1)), |s| {
        s.apis = both().apis;
        s.wish.include = vec![Glob::new("g1.*")];
        s.wish.exclude = vec![Glob::new("*.c0")];
    });
    rig.to(120);
    assert_eq!(rig.json("summary")["channels"], 1);
    assert!(rig.holds("channel/g1.c1") && rig.holds("endpoint/g1.c1.e0"));
    assert_eq!(
        rig.json("channel_group/g0")["channels"],
        serde_json::json!([])
    );
    let listings = rig.region.cloud.requests["ListChannelGroups"];
    assert_eq!(rig.region.cloud.requests["ListOriginEndpoints"], listings);
}

#[test]
fn metrics_wait_for_the_channels_of_v2_but_not_for_ever() {
    // Details, and the second at which metrics are asked first.
    let cases = [(None, 0..8), (Some(FaultKind::Server), 85..125)];
    for (fault, wanted) in cases {
        let mut rig = rig(cloud::with(1, 1, 1));
        if let Some(kind) = fault {
            rig.region.fail(Kind::Details);
            rig.region.faults.get_mut(&Kind::Details).unwrap().kind = kind;
        }
        rig.to(200);
        let first = (rig.region.polls(Kind::Metrics)[0].0 - rig::START.0) / 1000;
        assert!(wanted.contains(&first), "{fault:?}: {first}");
    }
}
