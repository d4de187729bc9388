//! Flat topics: what they hold is what their topic says, whatever happens to broker and agent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::region::alarm;
use super::rig::{START, settings};
use super::*;
use crate::engine::Settings;
use crate::state::measure::Resource;
use crate::topics::{Topic, flat};

fn flat_settings() -> Settings {
    Settings {
        flat: true,
        ..settings()
    }
}

fn region() -> Region {
    let mut region = live(&["c1", "c2"]);
    region.alarms = vec![alarm("a b", "OK", START)];
    region
}

fn flat_rig() -> Rig {
    Rig::new(flat_settings(), region())
}

/// The keys that have flat topics, by the last levels of the topic they are of.
fn keys_of(topic: &str) -> &'static [&'static str] {
    let levels: Vec<&str> = topic.split('/').collect();
    let id = || "x".into();
    let topic = match levels[..] {
        ["channel", _, "metrics"] => Topic::Metrics(Resource::Channel(id())),
        ["endpoint", _, "metrics"] => Topic::Metrics(Resource::Endpoint(id())),
        ["channel", _, "health"] => Topic::Health(id()),
        ["alarm", _] => Topic::Alarm(id()),
        ["summary"] => Topic::Summary,
        ["agent"] => Topic::Agent,
        _ => Topic::Status,
    };
    flat::keys(&topic)
}

/// What should be there of flat topics by what the broker holds of the others.
fn wanted(retained: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (topic, payload) in retained {
        let below = topic.strip_prefix("mp/x/").unwrap();
        let object: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
        for key in keys_of(below) {
            let text = match &object[*key] {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            all.insert(format!("{topic}/{key}"), text);
        }
    }
    all
}

/// The flat topics that the broker holds: those whose topic it holds, and strays.
fn held(retained: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_flat = |topic: &String| {
        let below = topic.strip_prefix("mp/x/").unwrap();
        let (parent, key) = below.rsplit_once('/').unwrap_or_default();
        keys_of(parent).contains(&key)
    };
    let flat = retained.iter().filter(|(topic, _)| is_flat(topic));
    flat.map(|(topic, text)| (topic.clone(), text.clone()))
        .collect()
}

#[track_caller]
fn holds(rig: &Rig, what: &str) {
    let retained = &rig.broker.retained;
    assert_eq!(held(retained), wanted(retained), "{what}");
    assert!(
        held(retained).len() > 40,
        "{what}: {}",
        held(retained).len()
    );
}

#[test]
fn every_scalar_of_the_flat_kinds_is_a_topic_of_its_own() {
    let mut rig = flat_rig();
    rig.minutes(10);
    holds(&rig, "after the start");
    assert_eq!(rig.json("channel/c1/metrics/egress_bytes"), 3_000_000);
    assert_eq!(rig.json("channel/c1/health/ingest"), "receiving");
    assert_eq!(rig.json("alarm/a%20b/name"), "a b");
    assert_eq!(rig.json("summary/channels"), 2);
    assert_eq!(rig.json("agent/health"), "ok");
    assert_eq!(
        rig.json("channel/c1/metrics/egress_request_count_2xx"),
        Value::Null
    );
    // The lists of keys are those of the payloads: every scalar, and nothing else.
    let sample = [
        "channel/c1/metrics",
        "endpoint/c1-hls/metrics",
        "channel/c1/health",
        "summary",
        "agent",
        "alarm/a%20b",
    ];
    for topic in sample {
        let object = rig.json(topic);
        let scalar = |(key, value): (&String, &Value)| {
            (!value.is_array() && !value.is_object()).then(|| key.clone())
        };
        let mut scalars: Vec<String> = object
            .as_object()
            .unwrap()
            .iter()
            .filter_map(scalar)
            .collect();
        let mut keys: Vec<&str> = keys_of(topic).to_vec();
        scalars.sort();
        keys.sort_unstable();
        assert_eq!(keys, scalars, "{topic}");
    }
}

#[test]
fn only_values_that_change_go_out_and_null_clears() {
    let mut rig = flat_rig();
    rig.minutes(10);
    let sent = |rig: &Rig, key: &str| {
        let topic = format!("mp/x/channel/c1/metrics/{key}");
        rig.broker.log.iter().filter(|m| m.topic == topic).count()
    };
    let before = (sent(&rig, "egress_bytes"), sent(&rig, "timestamp"));
    rig.minutes(10);
    assert_eq!(
        sent(&rig, "egress_bytes"),
        before.0,
        "the value did not change"
    );
    assert!(sent(&rig, "timestamp") > before.1);
    rig.region.stop("EgressBytes Channel=c1", M0 + 15);
    rig.minutes(15);
    assert_eq!(rig.json("channel/c1/metrics")["egress_bytes"], Value::Null);
    assert!(!rig.holds("channel/c1/metrics/egress_bytes"));
    holds(&rig, "after a gap");
}

#[test]
fn they_go_with_their_topic() {
    let mut rig = flat_rig();
    rig.minutes(6);
    rig.region.channels.remove("c1");
    rig.region.endpoints.remove("c1-hls");
    rig.region.alarms.clear();
    rig.minutes(5);
    assert!(!rig.holds("c1") && !rig.holds("alarm/"));
    holds(&rig, "after the removal");
}

#[test]
fn they_are_right_after_a_lost_store_a_lost_session_and_a_crash() {
    let mut rig = flat_rig();
    rig.minutes(10);
    rig.broker.retained.clear();
    rig.lose_broker();
    rig.minutes(6);
    holds(&rig, "after a lost store");
    rig.lose_acknowledgements();
    rig.minutes(6);
    holds(&rig, "after lost acknowledgements");
    // Changes while the broker is away.
    rig.broker.up = false;
    rig.lose_broker();
    rig.region.stop("EgressBytes Channel=c1", M0 + 25);
    rig.region.channels.remove("c2");
    rig.region.endpoints.remove("c2-hls");
    rig.minutes(20);
    rig.broker.up = true;
    rig.minutes(10);
    assert!(!rig.holds("c2"));
    holds(&rig, "after an outage");
    for taken in [0, 1, 7, 40] {
        rig.lose_broker();
        rig.run_for(Duration::from_secs(2));
        rig.crash(flat_settings(), taken, Duration::from_millis(10));
        rig.minutes(7);
        holds(&rig, "after a crash");
    }
}

#[test]
fn what_somebody_overwrote_or_left_there_is_put_right_after_the_next_connect() {
    let mut rig = flat_rig();
    rig.minutes(6);
    let put = |rig: &mut Rig, topic: &str, text: &str| {
        rig.broker
            .retained
            .insert(format!("mp/x/{topic}"), text.into());
    };
    put(&mut rig, "summary/channels", "77");
    put(&mut rig, "channel/c1/health/colour", "blue");
    put(&mut rig, "channel/gone/metrics/egress_bytes", "1");
    rig.lose_broker();
    rig.minutes(6);
    holds(&rig, "after the connect");
    assert!(!rig.holds("colour") && !rig.holds("gone"));
}

#[test]
fn switched_off_they_are_swept() {
    let mut rig = flat_rig();
    rig.minutes(6);
    let mut after = Rig::new(settings(), region());
    after.broker.retained = rig.broker.retained;
    after.minutes(6);
    assert_eq!(held(&after.broker.retained), BTreeMap::new());
    assert!(after.holds("channel/c1/metrics"));
    assert_eq!(after.engine.flats.waiting(), 0);
}

#[test]
fn all_that_is_wanted_has_them_too() {
    let mut rig = flat_rig();
    rig.minutes(6);
    let mut printed = rig.engine.retained();
    // Taken a moment later than what the broker holds.
    let stats = |topic: &String| topic.ends_with("agent/stats");
    printed.retain(|topic, _| !stats(topic));
    let mut retained = rig.broker.retained.clone();
    retained.retain(|topic, _| !stats(topic));
    assert_eq!(printed, retained);
}

#[test]
fn they_wait_one_topic_at_a_time() {
    let mut region = Region::default();
    for n in 0..100 {
        region.add_live(&format!("c{n}"), ALWAYS);
    }
    let mut rig = Rig::new(flat_settings(), region);
    let mut most = 0;
    for _ in 0..600 {
        rig.run_for(Duration::from_secs(1));
        if rig.now().mono.0 > Duration::from_secs(1) {
            most = most.max(rig.engine.flats.waiting());
            assert!(rig.engine.outbox.unacknowledged() <= 64);
        }
    }
    assert!(most <= 25, "{most}");
}

#[test]
fn flat_topics_of_metrics_stay_with_their_topic_while_cloudwatch_fails() {
    let mut before = flat_rig();
    before.minutes(10);
    let mut region = region();
    region.fail(Kind::Metrics);
    region.fail(Kind::Series);
    let mut rig = Rig::new(flat_settings(), region);
    rig.broker.retained = before.broker.retained;
    rig.minutes(6);
    assert!(rig.holds("channel/c1/metrics"));
    holds(&rig, "while the metrics fail");
    assert_eq!(rig.json("channel/c1/metrics/egress_bytes"), 3_000_000);
    rig.region.heal(Kind::Metrics);
    rig.region.heal(Kind::Series);
    rig.minutes(10);
    holds(&rig, "after that");
}
