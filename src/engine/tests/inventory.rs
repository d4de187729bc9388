//! What is there, what is gone, and who is told.

use super::rig::settings;
use super::*;
use crate::state::glob::Glob;

fn two_channels() -> Rig {
    let mut region = live(&["c1", "c2"]);
    // A neighbour whose name begins alike.
    region.add_live("c1-b", ALWAYS);
    let mut rig = Rig::new(settings(), region);
    rig.to(600);
    rig
}

fn topics_of(rig: &Rig, id: &str) -> Vec<String> {
    let parts = [format!("channel/{id}"), format!("endpoint/{id}-hls")];
    let of_id = |topic: &&String| {
        let rest = topic.strip_prefix("mp/x/").unwrap();
        parts
            .iter()
            .any(|part| rest == part || rest.starts_with(&format!("{part}/")))
    };
    rig.broker.retained.keys().filter(of_id).cloned().collect()
}

#[test]
fn what_two_listings_lack_is_cleared_and_nothing_else() {
    let mut rig = two_channels();
    assert_eq!(topics_of(&rig, "c1").len(), 5);
    rig.region.channels.remove("c1");
    rig.region.endpoints.remove("c1-hls");
    rig.to(661);
    assert_eq!(topics_of(&rig, "c1").len(), 5, "one listing is not enough");
    rig.to(1800);
    assert_eq!(topics_of(&rig, "c1"), Vec::<String>::new());
    assert_eq!(topics_of(&rig, "c1-b").len(), 5);
    assert_eq!(topics_of(&rig, "c2").len(), 5);
    assert_eq!(rig.events("channel_removed"), ["c1"]);
    assert_eq!(rig.events("endpoint_removed"), ["c1-hls"]);
    let event = &rig.messages("event/endpoint_removed")[0];
    assert_eq!(event["channel_id"], "c1");
    assert_eq!(rig.json("summary")["channels"], 2);
}

#[test]
fn what_comes_back_after_one_listing_was_never_gone() {
    let mut rig = two_channels();
    let before = topics_of(&rig, "c1");
    let channel = rig.region.channels.remove("c1").unwrap();
    let polls = rig.region.polls(Kind::Inventory).len();
    while rig.region.polls(Kind::Inventory).len() == polls {
        rig.minutes(1);
    }
    rig.region.channels.insert("c1".into(), channel);
    rig.minutes(10);
    assert_eq!(topics_of(&rig, "c1"), before);
    assert!(rig.events("channel_removed").is_empty());
    assert!(rig.events("channel_added").is_empty());
    assert!(rig.broker.log.iter().all(|m| !m.payload.is_empty()));
}

#[test]
fn a_failed_poll_clears_nothing() {
    let mut rig = two_channels();
    let before: Vec<String> = rig.broker.retained.keys().cloned().collect();
    rig.region.channels.clear();
    rig.region.endpoints.clear();
    rig.region.fail(Kind::Inventory);
    rig.minutes(120);
    let after: Vec<String> = rig.broker.retained.keys().cloned().collect();
    assert_eq!(after, before);
    assert_eq!(rig.json("source/mediapackage"), "offline");
    assert_eq!(
        rig.json("agent")["sources"]["mediapackage"]["state"],
        "failing"
    );
}

#[test]
fn a_start_without_aws_leaves_the_summary_as_it_was() {
    let mut before = two_channels();
    let told = before.json("summary");
    assert_eq!(told["channels"], 3);
    let mut after = Rig::new(settings(), live(&["c1", "c2"]));
    after.broker.retained = std::mem::take(&mut before.broker.retained);
    after.region.fail(Kind::Inventory);
    after.to(600);
    assert_eq!(after.json("summary"), told);
    after.region.heal(Kind::Inventory);
    after.to(900);
    assert_eq!(after.json("summary")["channels"], 2);
    assert_eq!(after.messages("summary")[0]["channels"], 2);
}

#[test]
fn news_are_told_only_after_the_first_listing() {
    let mut rig = two_channels();
    assert!(rig.events("channel_added").is_empty());
    assert!(rig.events("endpoint_added").is_empty());
    rig.region.add_channel("c3");
    rig.region.add_endpoint("c3-a", "c3");
    rig.minutes(2);
    assert_eq!(rig.events("channel_added"), ["c3"]);
    assert_eq!(rig.events("endpoint_added"), ["c3-a"]);
    assert_eq!(
        rig.json("channel/c3")["endpoints"],
        serde_json::json!(["c3-a"])
    );
    rig.region.add_endpoint("c3-b", "c3");
    rig.minutes(2);
    assert_eq!(
        rig.json("channel/c3")["endpoints"],
        serde_json::json!(["c3-a", "c3-b"])
    );
    rig.region.endpoints.remove("c3-a");
    rig.minutes(4);
    assert_eq!(
        rig.json("channel/c3")["endpoints"],
        serde_json::json!(["c3-b"])
    );
    assert_eq!(
        rig.messages("event/endpoint_removed")[0]["channel_id"],
        "c3"
    );
}

#[test]
fn include_and_exclude_choose_channels_and_their_endpoints_follow() {
    let cases: [(&[&str], &[&str], &[&str]); 4] = [
        (&["*"], &[], &["a1", "a2", "b1"]),
        (&["a*"], &[], &["a1", "a2"]),
        (&["a*"], &["*2"], &["a1"]),
        (&[], &[], &[]),
    ];
    for (include, exclude, wanted) in cases {
        let globs = |patterns: &[&str]| patterns.iter().map(|p| Glob::new(p)).collect();
        let mut rig = Rig::with(live(&["a1", "a2", "b1"]), |s| {
            s.wish.include = globs(include);
            s.wish.exclude = globs(exclude);
        });
        rig.to(600);
        for id in ["a1", "a2", "b1"] {
            let topics = if wanted.contains(&id) { 5 } else { 0 };
            assert_eq!(
                topics_of(&rig, id).len(),
                topics,
                "{id} with {include:?} {exclude:?}"
            );
        }
        assert_eq!(rig.json("summary")["channels"], wanted.len());
    }
}

#[test]
fn a_channel_that_goes_while_its_minutes_are_under_way_leaves_nothing() {
    let mut rig = two_channels();
    rig.broker.gap = Duration::from_secs(30);
    while rig.engine.outbox.points_in_flight() == 0 {
        rig.minutes(1);
    }
    rig.region.channels.remove("c1");
    rig.region.endpoints.remove("c1-hls");
    rig.minutes(30);
    rig.broker.gap = Duration::ZERO;
    rig.minutes(30);
    assert_eq!(topics_of(&rig, "c1"), Vec::<String>::new());
    let gone = |topic: &&crate::topics::Topic| rig.engine.render(topic).is_none();
    assert_eq!(rig.engine.outbox.wanted().find(gone), None);
}
