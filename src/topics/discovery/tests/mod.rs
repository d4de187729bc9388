//! Every document against the rules of Home Assistant, over generated inventories.
//!
//! `SEED=n cargo test every_document` repeats the run that a failure names.

mod places;
mod rules;

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::state::model::Api;
use crate::topics::PAYLOAD_BYTES_MAX;
use places::{Place, alarm, channel, endpoint, inventory};
use rules::faults;

fn write(
    (instance, level): (&str, MetricsLevel),
    place: &Place,
    alarms: &[Alarm],
    known: &Components,
    settled: bool,
) -> (String, Document) {
    let names = Names::new("mp", instance).with_discovery("ha");
    let scene = Scene {
        names: &names,
        version: "1.2.3",
        region: "eu-central-1",
        level,
        sources: &Source::ALL,
    };
    let subject = place.subject();
    let topic = names.of(&crate::topics::Topic::Discovery(subject.device()));
    let alarms = AlarmsOf {
        alarms: alarms.iter().collect(),
        sure: Sure::of_all(settled),
    };
    (topic, document(&scene, &subject, &alarms, known))
}

const LEVELS: [MetricsLevel; 4] = [
    MetricsLevel::Off,
    MetricsLevel::Channels,
    MetricsLevel::Standard,
    MetricsLevel::Full,
];

#[test]
fn every_document_of_any_inventory_keeps_the_rules() {
    let seed = std::env::var("SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    let first = seed.unwrap_or_else(|| fastrand::u64(..));
    let rounds = if seed.is_some() { 1 } else { 40 };
    for seed in (0..rounds).map(|round| first.wrapping_add(round)) {
        eprintln!("seed {seed}");
        let level = LEVELS[(seed % 4) as usize];
        let (mut ids, mut topics, mut faulty) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        // Names that could run into one another.
        for instance in ["x", "x_v1", "x-1"] {
            let mut again = fastrand::Rng::with_seed(seed);
            for (place, alarms) in inventory(&mut again) {
                let nothing = Components::default();
                let (topic, made) = write((instance, level), &place, &alarms, &nothing, true);
                faulty.extend(faults(&topic, &made.payload));
                assert!(
                    !made.payload.contains("secret"),
                    "{topic} shows an ingest URL"
                );
                let document: Value = serde_json::from_str(&made.payload).unwrap();
                let components = document["components"].as_object().unwrap();
                assert_eq!(components.len(), made.shown.count(), "{topic}");
                for component in components.values() {
                    let id = component["unique_id"].as_str().unwrap().to_owned();
                    assert!(ids.insert(id), "{topic}: {component}");
                }
                assert_eq!(
                    Components::recall(made.payload.as_bytes()),
                    Some(made.shown)
                );
                assert!(topics.insert(topic));
            }
        }
        assert_eq!(faulty, [""; 0]);
    }
}

#[test]
fn names_that_differ_only_in_case_are_devices_and_entities_of_their_own() {
    let nothing = Components::default();
    let lower = Place::Channel(channel("sports", Api::V1, &[]), Vec::new());
    let upper = Place::Channel(channel("Sports", Api::V1, &[]), Vec::new());
    let scope = ("x", MetricsLevel::Standard);
    let (first, _) = write(scope, &lower, &[], &nothing, true);
    let alarms = [alarm("Low", false), alarm("low", false)];
    let (second, made) = write(scope, &upper, &alarms, &nothing, true);
    assert_ne!(first, second);
    for key in ["alarm_state_Low", "alarm_state_low", "alarm_problem_low"] {
        assert!(made.payload.contains(&format!("\"{key}\"")), "{key}");
    }
}

fn lines(components: &Components) -> Vec<&str> {
    components.lines().collect()
}

#[test]
fn what_is_not_there_any_more_is_taken_off_once_it_is_settled() {
    let place = Place::Channel(channel("c", Api::V1, &[]), Vec::new());
    let scope = ("x", MetricsLevel::Off);
    let nothing = Components::default();
    let (_, before) = write(
        scope,
        &place,
        &[alarm("a", false), alarm("b", false)],
        &nothing,
        true,
    );
    let known = before.shown;
    let (_, held) = write(scope, &place, &[alarm("a", false)], &known, false);
    assert_eq!(lines(&held.leaving), [""; 0]);
    let (_, first) = write(scope, &place, &[alarm("a", false)], &known, true);
    let gone = ["binary_sensor alarm_problem_b", "sensor alarm_state_b"];
    assert_eq!(lines(&first.leaving), gone);
    let stub = "\"alarm_problem_b\":{\"platform\":\"binary_sensor\"}";
    assert!(first.payload.contains(stub), "{}", first.payload);
    assert_eq!(faults("ha/device/x/v1_c/config", &first.payload), [""; 0]);
    let known = known.without(&first.leaving);
    let (_, second) = write(scope, &place, &[alarm("a", false)], &known, true);
    assert!(!second.payload.contains("problem_b"));
    assert_eq!((second.leaving.count(), second.shown), (0, first.shown));
}

#[test]
fn before_it_is_settled_only_alarms_that_are_known_are_shown() {
    let scope = ("x", MetricsLevel::Off);
    let (a, b) = (alarm("a", false), alarm("b", false));
    let nothing = Components::default();
    let (_, before) = write(
        scope,
        &Place::Agent,
        std::slice::from_ref(&a),
        &nothing,
        true,
    );
    let (_, now) = write(scope, &Place::Agent, &[a, b], &before.shown, false);
    assert_eq!(now.shown, before.shown);
}

#[test]
fn a_device_with_too_many_alarms_shows_as_many_as_fit() {
    let scope = ("x", MetricsLevel::Full);
    let alarms: Vec<Alarm> = (0..1000)
        .map(|n| alarm(&format!("alarm {n:04}"), false))
        .collect();
    let nothing = Components::default();
    let (topic, made) = write(scope, &Place::Agent, &alarms, &nothing, true);
    assert_eq!(faults(&topic, &made.payload), [""; 0]);
    let bare = write(scope, &Place::Agent, &[], &nothing, true)
        .1
        .shown
        .count();
    assert_eq!(made.shown.count() + made.left_out, bare + 2000);
    assert!(
        made.left_out > 0 && made.shown.count() > bare + 100,
        "{}",
        made.left_out
    );
    // All that may have been there before has to be taken off, as much at a time as fits.
    let many: Vec<String> = (0..300)
        .map(|n| format!("sensor alarm_state_old{n}"))
        .collect();
    let mut known = Components::of(many.iter().map(String::as_str));
    for round in 0.. {
        let (topic, made) = write(scope, &Place::Agent, &alarms, &known, true);
        assert!(made.payload.len() <= PAYLOAD_BYTES_MAX, "{topic}");
        known = known.without(&made.leaving);
        if known.count() == 0 {
            break;
        }
        assert!(
            made.leaving.count() > 0 && round < 20,
            "round {round}: no room for any"
        );
    }
}

#[test]
fn a_document_is_the_same_when_home_assistant_has_learned_what_is_in_it() {
    let place = Place::Channel(channel("c", Api::V1, &[]), Vec::new());
    let scope = ("x", MetricsLevel::Off);
    // One alarm comes between two others; and more come than find room.
    for count in [3, 400] {
        let alarms: Vec<Alarm> = (0..count)
            .map(|n| alarm(&format!("a{n:03}"), false))
            .collect();
        let others = [alarms[0].clone(), alarms[2].clone()];
        let (_, before) = write(scope, &place, &others, &Components::default(), true);
        let (_, made) = write(scope, &place, &alarms, &before.shown, true);
        let known = before.shown.with(&made.shown);
        let (_, again) = write(scope, &place, &alarms, &known, true);
        assert_eq!(made.left_out == 0, count == 3);
        assert_eq!(made.left_out, again.left_out);
        assert_eq!(made.payload, again.payload, "{count} alarms");
    }
}

#[test]
fn the_level_decides_which_numbers_there_are() {
    let c = channel("c", Api::V1, &["1"]);
    let endpoints = vec![endpoint("c-hls", &c)];
    let place = Place::Channel(c, endpoints);
    let shows = |level: MetricsLevel, key: &str| {
        let (_, made) = write(("x", level), &place, &[], &Components::default(), true);
        lines(&made.shown)
            .iter()
            .any(|line| line.ends_with(&format!(" {key}")))
    };
    // The key, and the level from which on it is there.
    let cases = [
        ("ingest", MetricsLevel::Off),
        ("problem", MetricsLevel::Off),
        ("endpoint_origination_c-hls", MetricsLevel::Off),
        ("egress_bitrate", MetricsLevel::Channels),
        ("requests_5xx", MetricsLevel::Channels),
        ("inputs_receiving", MetricsLevel::Standard),
        ("input_1", MetricsLevel::Standard),
        ("endpoint_bitrate_c-hls", MetricsLevel::Standard),
        ("endpoint_time_c-hls", MetricsLevel::Full),
        ("endpoint_5xx_c-hls", MetricsLevel::Full),
    ];
    for (key, from) in cases {
        for level in LEVELS {
            assert_eq!(
                shows(level, key),
                level >= from,
                "{key} at {}",
                level.as_str()
            );
        }
    }
}

#[test]
fn the_type_of_every_event_is_known() {
    use crate::state::push::EventType;
    let pushed = [
        EventType::Alarm,
        EventType::InputSwitch,
        EventType::MaxIngestStreams,
        EventType::KeyProvider,
        EventType::HarvestJob,
        EventType::VodIngest,
        EventType::Other,
    ];
    for event_type in pushed {
        assert!(crate::topics::event::TYPES.contains(&event_type.as_str()));
    }
}

#[test]
fn a_full_device_keeps_the_alarms_that_are_known_and_shows_each_whole() {
    let scope = ("x", MetricsLevel::Full);
    let of = |from: usize| -> Vec<Alarm> {
        let all = (from..400).map(|n| alarm(&format!("alarm {n:04}"), false));
        all.collect()
    };
    let nothing = Components::default();
    let (_, first) = write(scope, &Place::Agent, &of(50), &nothing, true);
    let (_, second) = write(scope, &Place::Agent, &of(0), &first.shown, true);
    assert_eq!(
        second.shown, first.shown,
        "who comes first in the alphabet waits"
    );
    assert_eq!(second.leaving.count(), 0);
    let count = |what: &str| {
        let lines = lines(&first.shown);
        lines.iter().filter(|line| line.contains(what)).count()
    };
    assert_eq!(count("alarm_state_"), count("alarm_problem_"));
    assert!(count("alarm_state_") > 50);
}

#[test]
fn a_component_of_a_later_version_is_left_alone_and_the_others_are_known() {
    let kept = r#"{"components":{"a":{"platform":"sensor"},"b":{"platform":"hologram"},
        "c":{"platform":"event","x":1}}}"#;
    let known = Components::recall(kept.as_bytes()).unwrap();
    assert_eq!(lines(&known), ["event c", "sensor a"]);
}

/// The topics that decide whether a component is available, below our prefix.
fn availability(document: &Value, key: &str) -> Vec<String> {
    let component = &document["components"][key];
    assert!(component.is_object(), "{key}");
    let own = component.get("availability");
    let all = own.unwrap_or(&document["availability"]).as_array();
    let topics = all.into_iter().flatten();
    let below = |row: &Value| {
        let topic = row["topic"].as_str().unwrap_or_default();
        topic.strip_prefix("mp/x/").unwrap_or(topic).to_owned()
    };
    topics.map(below).collect()
}

#[test]
fn numbers_are_there_while_metrics_are_and_states_while_the_agent_is() {
    let c = channel("c", Api::V1, &["1"]);
    let endpoints = vec![endpoint("c-hls", &c)];
    let scope = ("x", MetricsLevel::Full);
    let nothing = Components::default();
    let place = Place::Channel(c, endpoints);
    let (_, made) = write(scope, &place, &[alarm("a", false)], &nothing, true);
    let document: Value = serde_json::from_str(&made.payload).unwrap();
    let metrics = ["status", "source/metrics"];
    let cases: [(&str, &[&str]); 9] = [
        ("egress_bitrate", &metrics),
        ("ingress_bitrate", &metrics),
        ("requests", &metrics),
        ("endpoint_bitrate_c-hls", &metrics),
        ("ingest", &["status"]),
        ("problem", &["status"]),
        ("alarm_problem_a", &["status"]),
        ("alarm_state_a", &["status"]),
        ("endpoint_origination_c-hls", &["status"]),
    ];
    for (key, wanted) in cases {
        assert_eq!(availability(&document, key), wanted, "{key}");
    }
    let (_, made) = write(scope, &Place::Agent, &[alarm("a", false)], &nothing, true);
    let document: Value = serde_json::from_str(&made.payload).unwrap();
    // That it is gone is a state of its own.
    assert_eq!(availability(&document, "connection"), [""; 0]);
    assert_eq!(availability(&document, "alarm_state_a"), ["status"]);
}
