//! Each API by itself: what one does changes nothing of another.

use super::cloud::{self, channel};
use super::rig::settings;
use super::*;
use crate::engine::{BrokerEvent, Event};
use crate::state::apis::MediaApi;
use crate::state::fault::FaultKind;

const ALL: [MediaApi; 3] = MediaApi::ALL;

fn rig(apis: &[MediaApi]) -> Rig {
    let mut region = live_with(&["c1"], cloud::with(1, 1, 1));
    region.cloud.vod = cloud::vod(2);
    let mut settings = settings();
    settings.apis = apis.to_vec();
    Rig::new(settings, region)
}

fn fail(rig: &mut Rig, kind: Kind, fault: FaultKind) {
    rig.region.fail(kind);
    rig.region.faults.get_mut(&kind).unwrap().kind = fault;
}

fn state(rig: &Rig, api: &str) -> String {
    let text = rig.json("agent")["apis"][api]["state"].clone();
    text.as_str().unwrap_or_default().to_owned()
}

fn refresh(rig: &mut Rig) {
    rig.handle(Event::Broker(BrokerEvent::Received {
        topic: "mp/x/command/refresh".into(),
        payload: Vec::new(),
        retained: false,
    }));
}

#[test]
fn an_api_that_is_not_to_be_had_is_told_once_and_tried_each_hour() {
    let kinds = [
        (Kind::ListV2, "v2"),
        (Kind::Vod, "vod"),
        (Kind::Inventory, "v1"),
    ];
    for (kind, name) in kinds {
        for fault in [FaultKind::Permission, FaultKind::NoSuchHost] {
            let mut rig = rig(&ALL);
            fail(&mut rig, kind, fault);
            rig.to(3000);
            let case = format!("{name} {fault:?}");
            assert_eq!(state(&rig, name), "unavailable", "{case}");
            assert_eq!(rig.json("agent")["health"], "ok", "{case}");
            assert_eq!(rig.json("source/mediapackage"), "online", "{case}");
            let line = format!("mediapackage {name}: ");
            let told = rig.log.iter().filter(|text| text.starts_with(&line));
            assert!(told.count() <= 2, "{case}: {:?}", rig.log);
            let remedy = format!("or leave \"{name}\" out of apis; the others go on");
            let told = rig.log.iter().filter(|text| text.contains(&remedy));
            assert_eq!(told.count(), 1, "{case}: {:?}", rig.log);
            assert!(rig.region.polls(kind).len() <= 5, "{case}");
            let before = rig.region.polls(kind).len();
            rig.to(3000 + 3600);
            assert_eq!(rig.region.polls(kind).len() - before, 1, "{case}");
            refresh(&mut rig);
            rig.to(3000 + 3600 + 5);
            assert_eq!(rig.region.polls(kind).len() - before, 2, "{case}");
            rig.region.heal(kind);
            rig.to(3000 + 7300);
            assert_eq!(state(&rig, name), "ok", "{case}");
        }
    }
}

#[test]
fn the_only_api_that_is_asked_for_fails_when_it_is_not_to_be_had() {
    let cases = [
        (MediaApi::V1, Kind::Inventory),
        (MediaApi::V2, Kind::ListV2),
        (MediaApi::Vod, Kind::Vod),
    ];
    for (api, kind) in cases {
        let mut rig = rig(&[api]);
        fail(&mut rig, kind, FaultKind::Permission);
        rig.to(600);
        assert_eq!(state(&rig, api.as_str()), "failing");
        assert_eq!(
            rig.json("agent")["sources"]["mediapackage"]["state"],
            "failing"
        );
        assert!(rig.region.polls(kind).len() > 8, "at its usual pace");
        rig.region.heal(kind);
        rig.to(700);
        assert_eq!(rig.json("agent")["health"], "ok", "{api:?}");
    }
}

#[test]
fn an_api_that_fails_clears_nothing_and_the_others_go_on() {
    let cases = [
        (Kind::Inventory, "v1", FaultKind::Server),
        (Kind::ListV2, "v2", FaultKind::Permission),
        (Kind::Vod, "vod", FaultKind::Network),
    ];
    for (kind, name, fault) in cases {
        let mut rig = rig(&ALL);
        rig.to(200);
        let before: Vec<String> = rig.broker.retained.keys().cloned().collect();
        fail(&mut rig, kind, fault);
        rig.region.channels.remove("c1");
        rig.region.endpoints.remove("c1-hls");
        rig.region.cloud.remove(&channel("g0.c0"));
        rig.region.cloud.vod = cloud::vod(1);
        rig.to(1200);
        assert_eq!(state(&rig, name), "failing");
        assert_eq!(
            rig.json("agent")["sources"]["mediapackage"]["state"],
            "failing"
        );
        assert_eq!(rig.json("source/mediapackage"), "offline", "{name}");
        let of = [
            ("v1", "mp/x/channel/c1"),
            ("v2", "mp/x/channel/g0.c0"),
            ("vod", "mp/x/packaging_group/p1"),
        ];
        for (api, topic) in of {
            assert!(before.iter().any(|t| t == topic), "{topic}");
            let there = rig.broker.retained.contains_key(topic);
            assert_eq!(there, api == name, "{topic} while {name} fails");
        }
        let line = format!("mediapackage {name}: ");
        let told = rig.log.iter().filter(|text| text.starts_with(&line));
        assert_eq!(told.count(), 2, "{:?}", rig.log);
    }
}

#[test]
fn what_an_api_that_is_not_to_be_had_left_behind_stays() {
    let mut rig = rig(&ALL);
    for topic in ["channel/g0.old", "channel/old", "packaging_group/old"] {
        rig.broker
            .retained
            .insert(format!("mp/x/{topic}"), "{}".into());
    }
    fail(&mut rig, Kind::ListV2, FaultKind::Permission);
    rig.to(1200);
    assert!(rig.holds("channel/g0.old"));
    assert!(!rig.holds("channel/old") && !rig.holds("packaging_group/old"));
}

#[test]
fn vod_is_shown_with_its_groups_and_configurations() {
    let mut rig = rig(&[MediaApi::Vod]);
    rig.to(60);
    let shown = rig.json("packaging_group/p1");
    assert_eq!(shown["api"], "vod");
    assert_eq!(shown["approximate_asset_count"], 7);
    assert_eq!(
        shown["packaging_configurations"],
        serde_json::json!(["p1-hls"])
    );
    let shown = rig.json("packaging_configuration/p1-hls");
    assert_eq!(shown["packaging_group_id"], "p1");
    assert_eq!(shown["package"], "hls");
    assert_eq!(rig.json("agent")["health"], "ok");
    assert_eq!(rig.json("summary")["channels"], 0);
    rig.region.cloud.vod = cloud::vod(1);
    rig.to(400);
    assert!(!rig.holds("p1"), "{:?}", rig.broker.retained.keys());
    assert!(rig.holds("p0-hls"));
}

#[test]
fn a_slow_v2_does_not_hold_up_v1() {
    let mut rig = rig(&ALL);
    rig.region.cloud = cloud::with(5, 40, 0);
    // 1 + 1 + 20 steps for a listing, each of which takes so long.
    rig.slow = Some((Kind::ListV2, Duration::from_secs(9)));
    rig.to(3600);
    let polls = rig.region.polls(Kind::Inventory);
    assert!(rig.region.polls(Kind::ListV2).len() > 300);
    let late = polls.windows(2).map(|w| (w[1].0 - w[0].0) / 1000).max();
    assert!(late.is_some_and(|seconds| seconds < 75), "{late:?}");
}

#[test]
fn no_deadline_is_missed_while_the_clock_is_wrong() {
    let mut rig = rig(&ALL);
    rig.to(1);
    rig.wall_error_ms = -20 * 365 * 86_400_000;
    let before = rig.ticks;
    rig.to(601);
    assert!(rig.ticks - before < 1300, "{}", rig.ticks - before);
    rig.wall_error_ms = 0;
    rig.to(700);
    assert_eq!(rig.json("agent")["health"], "ok");
    assert!(rig.holds("endpoint/g0.c0.e0"));
}
