//! Home Assistant's documents over time: when they come, what they take off, when they go.

use serde_json::Value;

use super::cloud;
use super::region::{alarm, channel};
use super::rig::{DOCUMENTS, START, settings};
use super::*;
use crate::engine::Settings;
use crate::state::apis::MediaApi;
use crate::state::fault::{Fault, FaultKind};
use crate::state::polled::PolledAlarm;

fn with_homes() -> Settings {
    let mut settings = settings();
    settings.home_assistant.enabled = true;
    settings
}

fn homes(region: Region) -> Rig {
    Rig::new(with_homes(), region)
}

/// A broker that holds what `before` left, with another engine started on it.
fn succeed(before: Rig, settings: Settings, region: Region) -> Rig {
    let mut after = Rig::new(settings, region);
    after.broker.retained = before.broker.retained;
    after
}

/// An alarm of a channel.
fn of_channel(name: &str, channel: &str) -> PolledAlarm {
    PolledAlarm {
        dimensions: vec![("Channel".into(), channel.into())],
        ..alarm(name, "OK", START)
    }
}

/// Messages of one document, parsed.
fn documents(rig: &Rig, object_id: &str) -> Vec<Value> {
    let topic = format!("{DOCUMENTS}{object_id}/config");
    let of_topic = rig.broker.log.iter().filter(|m| m.topic == topic);
    of_topic
        .map(|m| serde_json::from_str(&m.payload).unwrap_or(Value::Null))
        .collect()
}

/// Object ids of all documents that the broker keeps.
fn kept(rig: &Rig) -> Vec<String> {
    let topics = rig.broker.retained.keys();
    let ours = topics.filter_map(|topic| topic.strip_prefix(DOCUMENTS)?.strip_suffix("/config"));
    ours.map(str::to_owned).collect()
}

/// How many documents and clearings went out.
fn sent(rig: &Rig) -> usize {
    let log = rig.broker.log.iter();
    log.filter(|m| m.topic.starts_with("ha/")).count()
}

/// Keys of a document's components with these words in them; a star for one that is taken off.
fn shown(document: &Value, word: &str) -> Vec<String> {
    let components = document["components"].as_object().unwrap();
    let of = components.iter().filter(|(key, _)| key.contains(word));
    of.map(|(key, component)| {
        let star = if component["unique_id"].is_null() {
            "*"
        } else {
            ""
        };
        format!("{key}{star}")
    })
    .collect()
}

fn last(rig: &Rig, object_id: &str) -> Value {
    documents(rig, object_id).pop().unwrap_or(Value::Null)
}

#[test]
fn each_device_has_one_document_that_does_not_move_with_values() {
    let mut region = live(&["c1", "C1", "c2"]);
    region.alarms = vec![
        of_channel("silent", "c1"),
        alarm("region wide", "OK", START),
    ];
    let mut rig = homes(region);
    rig.minutes(30);
    assert_eq!(kept(&rig), ["agent", "v1_C1", "v1_c1", "v1_c2"]);
    assert_eq!(sent(&rig), 4, "one message for each device");
    let alarms = |id: &str| shown(&last(&rig, id), "alarm_state");
    assert_eq!(alarms("v1_c1"), ["alarm_state_silent"]);
    assert_eq!(alarms("v1_c2"), [""; 0]);
    assert_eq!(alarms("agent").len(), 1);
    // States, values and health moved meanwhile.
    rig.region.alarms[0] = PolledAlarm {
        state: "ALARM".into(),
        updated_at: Some(START.plus_ms(1_900_000)),
        ..of_channel("silent", "c1")
    };
    rig.region.stop("IngressBytes Channel=c2", M0 + 40);
    rig.minutes(30);
    assert_eq!(rig.json("channel/c1/health")["health"], "critical");
    assert_eq!(sent(&rig), 4);
}

#[test]
fn a_thousand_channels_are_a_thousand_and_one_messages() {
    let mut region = Region::default();
    for n in 0..1000 {
        region.add_channel(&format!("c{n}"));
        region.add_endpoint(&format!("c{n}-hls"), &format!("c{n}"));
    }
    region.alarms = (0..50)
        .map(|n| of_channel(&format!("a{n}"), &format!("c{n}")))
        .collect();
    let mut rig = homes(region);
    rig.minutes(12);
    assert_eq!(sent(&rig), 1001);
}

#[test]
fn documents_wait_for_the_first_whole_picture_so_that_no_alarm_moves() {
    let mut region = live_with(&["c1"], cloud::with(1, 2, 2));
    region.alarms = vec![of_channel("mine", "c1"), alarm("nobody's", "OK", START)];
    region.fail(Kind::Alarms);
    let mut rig = Rig::new(
        Settings {
            apis: vec![MediaApi::V1, MediaApi::V2],
            ..with_homes()
        },
        region,
    );
    rig.to(30);
    assert_eq!(kept(&rig), [""; 0], "alarms are not known");
    rig.region.heal(Kind::Alarms);
    rig.to(300);
    assert_eq!(kept(&rig).len(), 4);
    assert_eq!(sent(&rig), 4);
    assert_eq!(
        shown(&last(&rig, "v1_c1"), "alarm_state"),
        ["alarm_state_mine"]
    );
    let v2 = kept(&rig)
        .into_iter()
        .find(|id| id.starts_with("v2_g0_c1"))
        .unwrap();
    assert_eq!(shown(&last(&rig, &v2), "endpoint_package").len(), 2);
}

#[test]
fn what_fails_for_long_keeps_nobody_waiting_and_takes_nothing_off() {
    let mut region = live(&["c1"]);
    region.alarms = vec![of_channel("a", "c1")];
    let mut rig = homes(region);
    rig.minutes(5);
    let alarms = |rig: &Rig| shown(&last(rig, "v1_c1"), "alarm_state");
    assert_eq!(alarms(&rig), ["alarm_state_a"]);
    let mut region = live(&["c1"]);
    region.alarms = vec![of_channel("b", "c1")];
    region.fail(Kind::Alarms);
    let mut rig = succeed(rig, with_homes(), region);
    rig.to(59);
    assert_eq!(sent(&rig), 0);
    rig.to(120);
    assert_eq!(alarms(&rig), ["alarm_state_a"], "as it was remembered");
    rig.region.heal(Kind::Alarms);
    rig.minutes(10);
    assert_eq!(alarms(&rig), ["alarm_state_b"]);
    let steps: Vec<_> = documents(&rig, "v1_c1")
        .iter()
        .map(|d| shown(d, "alarm_state"))
        .collect();
    assert!(
        steps.contains(&vec!["alarm_state_a*".into(), "alarm_state_b".into()]),
        "{steps:?}"
    );
}

#[test]
fn an_entity_that_goes_is_taken_off_in_two_steps() {
    let mut region = live(&["c1", "c2"]);
    region.alarms = vec![of_channel("a", "c1"), of_channel("b", "c1")];
    let mut rig = homes(region);
    rig.minutes(5);
    assert_eq!(sent(&rig), 3);
    rig.region.alarms.pop();
    rig.region.endpoints.remove("c1-hls");
    rig.minutes(5);
    let all = documents(&rig, "v1_c1");
    let alarms: Vec<_> = all
        .iter()
        .map(|d| shown(d, "alarm_state").join(" "))
        .collect();
    let steps = [
        "alarm_state_a alarm_state_b",
        "alarm_state_a alarm_state_b*",
        "alarm_state_a",
    ];
    let mut distinct = alarms.clone();
    distinct.dedup();
    assert_eq!(distinct, steps);
    let endpoints: Vec<_> = all
        .iter()
        .map(|d| shown(d, "endpoint_bitrate").join(" "))
        .collect();
    assert!(
        endpoints.contains(&"endpoint_bitrate_c1-hls*".to_owned()),
        "{endpoints:?}"
    );
    assert_eq!(shown(&last(&rig, "v1_c1"), "endpoint"), [""; 0]);
    // Never twice within a second.
    let topic = format!("{DOCUMENTS}v1_c1/config");
    let log = rig.broker.log.iter().filter(|m| m.topic == topic);
    let times: Vec<_> = log.map(|m| m.at).collect();
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] - pair[0] > Duration::from_secs(1)),
        "{times:?}"
    );
    assert_eq!(
        documents(&rig, "v1_c2").len(),
        1,
        "the neighbour's does not move"
    );
    let before = sent(&rig);
    rig.minutes(30);
    assert_eq!(sent(&rig), before);
}

#[test]
fn an_entity_that_comes_back_between_the_steps_stays() {
    let mut region = live(&["c1"]);
    region.alarms = vec![of_channel("a", "c1")];
    let mut rig = homes(region);
    rig.minutes(5);
    let first = last(&rig, "v1_c1");
    rig.region.alarms.clear();
    while documents(&rig, "v1_c1").len() < 2 {
        rig.run_for(Duration::from_millis(100));
    }
    rig.region.alarms = vec![of_channel("a", "c1")];
    rig.minutes(5);
    assert_eq!(last(&rig, "v1_c1"), first);
}

#[test]
fn what_went_while_the_agent_was_away_is_taken_off_too() {
    let mut region = live(&["c1", "c2"]);
    region.alarms = vec![of_channel("a", "c1"), of_channel("b", "c1")];
    let mut rig = homes(region);
    rig.minutes(5);
    let mut region = live(&["c1"]);
    region.alarms = vec![of_channel("a", "c1")];
    let mut rig = succeed(rig, with_homes(), region);
    rig.minutes(10);
    let steps: Vec<_> = documents(&rig, "v1_c1")
        .iter()
        .map(|d| shown(d, "alarm_state"))
        .collect();
    assert!(
        steps.concat().contains(&"alarm_state_b*".to_owned()),
        "{steps:?}"
    );
    assert_eq!(
        shown(&last(&rig, "v1_c1"), "alarm_state"),
        ["alarm_state_a"]
    );
    assert_eq!(kept(&rig), ["agent", "v1_c1"]);
}

#[test]
fn a_lower_level_takes_its_entities_off() {
    let mut rig = homes(live(&["c1"]));
    rig.minutes(5);
    let mut lower = with_homes();
    lower.wish.level = crate::state::wish::MetricsLevel::Channels;
    let mut rig = succeed(rig, lower, live(&["c1"]));
    rig.minutes(5);
    let steps: Vec<_> = documents(&rig, "v1_c1")
        .iter()
        .map(|d| shown(d, "endpoint_bitrate"))
        .collect();
    assert_eq!(steps.first().unwrap(), &["endpoint_bitrate_c1-hls*"]);
    assert_eq!(shown(&last(&rig, "v1_c1"), "endpoint_bitrate"), [""; 0]);
}

#[test]
fn a_restart_with_the_same_set_sends_it_once_and_no_more() {
    let region = || {
        let mut region = live(&["c1", "c2"]);
        region.alarms = vec![of_channel("a", "c1")];
        region
    };
    let mut rig = homes(region());
    rig.minutes(10);
    let before = rig.broker.retained.clone();
    let mut rig = succeed(rig, with_homes(), region());
    rig.minutes(10);
    assert_eq!(sent(&rig), 3);
    for (topic, payload) in before.iter().filter(|(topic, _)| topic.starts_with("ha/")) {
        assert_eq!(rig.broker.retained.get(topic), Some(payload), "{topic}");
    }
}

#[test]
fn a_channel_that_comes_or_goes_is_a_device_that_comes_or_goes() {
    let mut rig = homes(live(&["c1"]));
    rig.minutes(3);
    rig.region.add_live("c2", ALWAYS);
    rig.minutes(3);
    assert_eq!(kept(&rig), ["agent", "v1_c1", "v1_c2"]);
    assert_eq!(documents(&rig, "v1_c2").len(), 1);
    rig.region.channels.remove("c1");
    rig.region.endpoints.remove("c1-hls");
    rig.minutes(3);
    assert_eq!(kept(&rig), ["agent", "v1_c2"]);
    assert_eq!(documents(&rig, "v1_c1").last(), Some(&Value::Null));
    // Renamed in its case only: another channel.
    rig.region.channels.remove("c2");
    rig.region.channels.insert("C2".into(), channel("C2"));
    rig.minutes(4);
    assert_eq!(kept(&rig), ["agent", "v1_C2"]);
}

#[test]
fn switched_off_it_clears_what_is_ours_and_nothing_else() {
    let mut rig = homes(live(&["c1"]));
    rig.minutes(3);
    let foreign = [
        "ha/device/y/v1_c1/config",
        "ha/sensor/x/config",
        "ha/device/x2/agent/config",
    ];
    for topic in foreign {
        rig.broker
            .retained
            .insert(topic.into(), "{\"components\":{}}".into());
    }
    // Not of this version, but below our own node id.
    let old = format!("{DOCUMENTS}old/config");
    rig.broker.retained.insert(old.clone(), "x".into());
    let mut rig = succeed(rig, with_homes(), live(&["c1"]));
    rig.minutes(5);
    assert!(!rig.broker.retained.contains_key(&old));
    assert_eq!(kept(&rig), ["agent", "v1_c1"]);
    let mut rig = succeed(rig, settings(), live(&["c1"]));
    rig.minutes(5);
    assert_eq!(kept(&rig), [""; 0]);
    for topic in foreign {
        assert!(rig.broker.retained.contains_key(topic), "{topic}");
    }
    assert_eq!(rig.json("status"), "online");
}

#[test]
fn no_document_is_cleared_because_a_listing_fails() {
    let both = || Settings {
        apis: vec![MediaApi::V1, MediaApi::V2],
        ..with_homes()
    };
    let region = || live_with(&["c1"], cloud::with(1, 1, 1));
    let mut rig = Rig::new(both(), region());
    rig.minutes(5);
    let all = kept(&rig);
    assert_eq!(all.len(), 3);
    for kind in [Kind::Inventory, Kind::ListV2, Kind::Alarms] {
        let mut broken = region();
        broken.fail(kind);
        rig = succeed(rig, both(), broken);
        rig.minutes(30);
        assert_eq!(kept(&rig), all, "{kind:?}");
    }
}

#[test]
fn an_api_that_is_not_to_be_had_keeps_no_document_waiting() {
    let mut region = live(&["c1"]);
    region.faults.insert(
        Kind::ListV2,
        Fault::new(FaultKind::Permission, "denied", ""),
    );
    let mut rig = Rig::new(
        Settings {
            apis: vec![MediaApi::V1, MediaApi::V2],
            ..with_homes()
        },
        region,
    );
    rig.to(20);
    assert_eq!(kept(&rig), ["agent", "v1_c1"]);
}

#[test]
fn packaging_groups_are_devices_with_their_configurations() {
    let mut region = live(&["c1"]);
    region.cloud.vod = cloud::vod(1);
    let mut rig = Rig::new(
        Settings {
            apis: vec![MediaApi::V1, MediaApi::Vod],
            ..with_homes()
        },
        region,
    );
    rig.minutes(3);
    assert_eq!(kept(&rig), ["agent", "v1_c1", "vod_p0"]);
    let bitrates = shown(&last(&rig, "vod_p0"), "bitrate");
    assert_eq!(bitrates, ["configuration_bitrate_p0-hls"]);
}

/// The paths that a template takes from a payload.
fn paths(template: &str) -> Vec<Vec<&str>> {
    let rest = template.split("value_json.").skip(1);
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let path = |rest: &'_ str| rest.find(end).unwrap_or(rest.len());
    rest.map(|rest| rest[..path(rest)].split('.').collect())
        .collect()
}

#[test]
fn every_key_that_a_template_names_is_in_what_is_published() {
    let mut region = live_with(&["c1"], cloud::with(1, 1, 1));
    region.cloud.vod = cloud::vod(1);
    region.alarms = vec![of_channel("a", "c1")];
    let mut settings = with_homes();
    settings.apis = MediaApi::ALL.into();
    settings.wish.level = crate::state::wish::MetricsLevel::Full;
    let mut rig = Rig::new(settings, region);
    rig.minutes(10);
    let mut templates = 0;
    for object_id in kept(&rig) {
        let document = last(&rig, &object_id);
        for (key, component) in document["components"].as_object().unwrap() {
            let pairs = [
                ("state_topic", "value_template"),
                ("json_attributes_topic", "json_attributes_template"),
            ];
            for (topic, template) in pairs {
                let topic = component[topic].as_str().unwrap_or_default();
                let template = component[template].as_str().unwrap_or_default();
                let payload = topic.strip_prefix("mp/x/").map(|below| rig.json(below));
                // Without any series a resource has no metrics.
                let payload = payload.filter(|payload| !payload.is_null());
                for path in paths(template) {
                    let Some(payload) = &payload else { continue };
                    templates += 1;
                    let found = path.iter().try_fold(payload, |value, key| value.get(key));
                    assert!(
                        found.is_some(),
                        "{object_id} {key}: {path:?} in {topic}: {payload}"
                    );
                }
            }
        }
    }
    assert!(templates > 80, "{templates}");
}

#[test]
fn a_broker_that_lost_its_store_gets_the_documents_again() {
    let mut rig = homes(live(&["c1"]));
    rig.minutes(3);
    let before = rig.broker.retained.clone();
    rig.broker.retained.clear();
    rig.lose_broker();
    rig.minutes(3);
    for topic in before.keys().filter(|topic| topic.starts_with("ha/")) {
        assert_eq!(rig.broker.retained.get(topic), before.get(topic), "{topic}");
    }
    // What takes an entity off is on its way when the session ends.
    rig.region.endpoints.remove("c1-hls");
    while documents(&rig, "v1_c1").len() < 3 {
        rig.run_for(Duration::from_millis(50));
    }
    rig.lose_acknowledgements();
    rig.minutes(5);
    assert_eq!(shown(&last(&rig, "v1_c1"), "endpoint"), [""; 0]);
}

#[test]
fn more_alarms_than_a_document_takes_are_left_out_and_told_once() {
    let mut region = live(&["c1"]);
    region.alarms = (0..400)
        .map(|n| alarm(&format!("alarm {n:03}"), "OK", START))
        .collect();
    let mut rig = homes(region);
    rig.minutes(10);
    let told = rig.log.iter().filter(|line| line.contains("find no room"));
    assert_eq!(told.count(), 1, "{:?}", rig.log);
    let topic = format!("{DOCUMENTS}agent/config");
    let bytes = rig.broker.retained[&topic].len();
    assert!((100_000..=120 * 1024).contains(&bytes), "{bytes}");
    assert_eq!(sent(&rig), 2);
}

#[test]
fn one_api_that_never_answers_hides_no_alarm_of_another() {
    let mut region = live_with(&["c1"], cloud::with(1, 1, 1));
    region.alarms = vec![of_channel("mine", "c1"), alarm("nobody's", "OK", START)];
    region.fail(Kind::ListV2);
    let mut rig = Rig::new(
        Settings {
            apis: vec![MediaApi::V1, MediaApi::V2],
            ..with_homes()
        },
        region,
    );
    rig.minutes(30);
    let channel = last(&rig, "v1_c1");
    assert_eq!(shown(&channel, "alarm_state"), ["alarm_state_mine"]);
    // This one may be of a channel that is not known.
    assert_eq!(shown(&last(&rig, "agent"), "alarm_state"), [""; 0]);
    // What is known to be gone goes.
    rig.region.endpoints.remove("c1-hls");
    rig.region.alarms.remove(0);
    rig.minutes(10);
    assert_eq!(shown(&last(&rig, "v1_c1"), "endpoint"), [""; 0]);
    assert_eq!(shown(&last(&rig, "v1_c1"), "alarm_state"), [""; 0]);
    let steps = documents(&rig, "v1_c1");
    let taken_off = steps.iter().flat_map(|document| shown(document, "alarm_"));
    assert!(taken_off.into_iter().any(|key| key == "alarm_state_mine*"));
    rig.region.heal(Kind::ListV2);
    rig.minutes(10);
    assert_eq!(shown(&last(&rig, "agent"), "alarm_state").len(), 1);
}

#[test]
fn where_alarms_may_not_be_listed_the_rest_comes_and_goes_all_the_same() {
    let mut region = live(&["c1"]);
    let denied = Fault::new(FaultKind::Permission, "denied", "");
    region.faults.insert(Kind::Alarms, denied);
    let mut rig = homes(region);
    rig.minutes(10);
    assert_eq!(kept(&rig).len(), 2);
    rig.region.endpoints.remove("c1-hls");
    rig.minutes(10);
    let steps = documents(&rig, "v1_c1");
    let taken_off = steps
        .iter()
        .flat_map(|document| shown(document, "endpoint"));
    assert!(taken_off.into_iter().any(|key| key.ends_with('*')));
    assert_eq!(shown(&last(&rig, "v1_c1"), "endpoint"), [""; 0]);
}
