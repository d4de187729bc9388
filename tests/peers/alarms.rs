//! Alarms and events of the region have the members that AWS's have, in words and in kind.

use serde_json::{Value, json};

use super::region::sns::alarms::{alarm_message, eventbridge_alarm};
use super::region::sns::events;
use super::region::world::overlay;
use super::region::{Alarm, AlarmKind, Clock, Region, World};

/// 2026-11-22T10:00:00.007Z.
const AT_MS: i64 = 1_795_341_600_007;
const COMMON: &str = "AWSAccountId AlarmActions AlarmArn AlarmConfigurationUpdatedTimestamp \
                      AlarmDescription AlarmName InsufficientDataActions NewStateReason \
                      NewStateValue OKActions OldStateValue Region StateChangeTime";

fn members(value: &Value) -> String {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    object
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

fn world() -> World {
    let mut world = World::new("eu-central-1").with_channels(2, 4);
    world.clock = Clock::Fixed(AT_MS);
    let single = Alarm::metric("single", "IngressBytes", &[("Channel", "ch-0000")]);
    world.put_alarm(single);
    let math = json!([
        {"Id": "e1", "Expression": "m1*1", "Label": "Expression1", "ReturnData": true},
        {"Id": "m1", "ReturnData": false, "MetricStat": {
            "Metric": {"Namespace": "AWS/MediaPackage", "MetricName": "EgressBytes",
                       "Dimensions": [{"Name": "Channel", "Value": "ch-0001"}]},
            "Period": 60, "Stat": "Sum"}},
    ]);
    world.put_alarm(Alarm::of("math", AlarmKind::Math(math)));
    world.put_alarm(Alarm::composite("both", "ALARM(single) OR ALARM(math)"));
    world.put_alarm(Alarm::of("log", AlarmKind::Log));
    world
}

fn with<T>(world: &World, name: &str, f: impl Fn(&World, &Alarm) -> T) -> T {
    f(world, world.alarms.iter().find(|a| a.name == name).unwrap())
}

#[test]
fn an_alarm_tells_what_cloudwatch_tells_of_its_kind() {
    let mut world = world();
    world.set_alarm("single", "ALARM", "no datapoints were received");
    let told = |name: &str| -> Value {
        let text = with(&world, name, |w, a| {
            alarm_message(w, a, "ALARM", "OK", AT_MS)
        });
        assert!(text.starts_with("{\"AlarmName\":\""), "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let composite: Vec<&str> = COMMON
        .split(' ')
        .filter(|m| !m.contains("Timestamp"))
        .collect();
    let cases = [
        ("single", format!("{COMMON} Trigger")),
        ("math", format!("{COMMON} Trigger")),
        (
            "both",
            format!("{} AlarmRule TriggeringChildren", composite.join(" ")),
        ),
        ("log", COMMON.to_owned()),
    ];
    for (name, wanted) in cases {
        let message = told(name);
        let mut wanted: Vec<&str> = wanted.split_whitespace().collect();
        wanted.sort_unstable();
        assert_eq!(members(&message), wanted.join(" "), "{name}");
        assert_eq!(message["StateChangeTime"], "2026-11-22T10:00:00.007+0000");
        assert_eq!(message["Region"], "EU (Frankfurt)");
        assert_eq!(message["NewStateValue"], "ALARM");
        assert_eq!(message["OldStateValue"], "OK");
        let arn = format!("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{name}");
        assert_eq!(message["AlarmArn"], arn);
    }
    let trigger = told("single")["Trigger"].take();
    assert_eq!(trigger["Statistic"], "SUM");
    assert_eq!(
        trigger["Dimensions"],
        json!([{"name": "Channel", "value": "ch-0000"}])
    );
    assert_eq!(trigger["Threshold"], 1.0);
    let math = told("math")["Trigger"]["Metrics"].take();
    let metric = &math[1]["MetricStat"]["Metric"];
    assert_eq!(members(&math[0]), "Expression Id Label ReturnData");
    assert_eq!(
        metric["Dimensions"],
        json!([{"name": "Channel", "value": "ch-0001"}])
    );
    let children = told("both")["TriggeringChildren"].take();
    assert_eq!(children.as_array().unwrap().len(), 1);
    assert_eq!(
        children[0]["State"]["Timestamp"],
        "2026-11-22T10:00:00.007+0000"
    );
}

#[test]
fn an_alarm_with_nulls_and_a_long_name_is_told_too() {
    let mut world = World::awkward("eu-central-1");
    let mut alarm = Alarm::metric(&"x".repeat(250), "IngressBytes", &[]);
    alarm.description = None;
    alarm.overlay = overlay(json!({"Threshold": 0.5, "Unit": "Bytes"}));
    world.put_alarm(alarm);
    for alarm in world.alarms.clone() {
        let text = alarm_message(&world, &alarm, "ALARM", "OK", AT_MS);
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["AlarmName"], alarm.name);
        assert_eq!(message["AlarmDescription"], json!(alarm.description));
        if alarm.description.is_none() {
            assert_eq!(message["Trigger"]["Threshold"], 0.5);
            assert_eq!(message["Trigger"]["Unit"], "Bytes");
        }
    }
}

#[test]
fn eventbridge_tells_the_same_change() {
    let world = world();
    let cases = [
        ("single", "description metrics"),
        ("math", "description metrics"),
        ("both", "alarmRule description"),
        ("log", "description"),
    ];
    for (name, configuration) in cases {
        let text = with(&world, name, |w, a| {
            eventbridge_alarm(w, a, "ALARM", "OK", AT_MS)
        });
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["detail-type"], "CloudWatch Alarm State Change");
        assert_eq!(event["source"], "aws.cloudwatch");
        let detail = &event["detail"];
        assert_eq!(
            members(detail),
            "alarmName configuration previousState state",
            "{name}"
        );
        assert_eq!(
            members(&detail["state"]),
            "reason reasonData timestamp value"
        );
        assert_eq!(detail["state"]["value"], "ALARM");
        assert_eq!(detail["previousState"]["value"], "OK");
        assert_eq!(members(&detail["configuration"]), configuration, "{name}");
        let data = detail["state"]["reasonData"].as_str().unwrap();
        assert!(serde_json::from_str::<Value>(data).unwrap().is_object());
    }
}

/// `detail-type`, the last part of the first resource, members of the detail.
#[test]
fn events_of_mediapackage_name_what_they_are_about() {
    let mut world = world();
    let guid = |id: &str| super::region::world::guid(id);
    let (input, harvest) = ("MediaPackage Input Notification", "HarvestJob Notification");
    let key_provider = "MediaPackage Key Provider Notification";
    let v2 = ("group", "channel", "endpoint");
    let endpoint = "ch-0000-hls";
    let cases = [
        (
            events::input_switch(&mut world, endpoint),
            input,
            guid(endpoint),
            "EventDetails event message",
        ),
        (
            events::max_ingest_streams(&mut world, "ch-0001"),
            input,
            guid("ch-0001"),
            "event message",
        ),
        (
            events::key_provider(&mut world, endpoint),
            key_provider,
            guid(endpoint),
            "event message",
        ),
        (
            events::harvest(&world, endpoint, "job", None),
            harvest,
            "job".into(),
            "harvest_job",
        ),
        (
            events::harvest(&world, endpoint, "job", Some("no")),
            harvest,
            "job".into(),
            "harvest_job message",
        ),
        (
            events::harvest_v2(&world, v2, "job", true),
            harvest,
            "job".into(),
            "harvestJob",
        ),
        (
            events::harvest_v2(&world, v2, "job", false),
            harvest,
            "job".into(),
            "harvestJob",
        ),
        (
            events::vod_ingest(&world, "asset", "IngestComplete", "done"),
            input,
            "asset".into(),
            "event message",
        ),
        (
            events::vod_playable(&world, "asset", "packaging"),
            input,
            "asset".into(),
            "event manifest_urls message packaging_configuration_id",
        ),
    ];
    for (text, detail_type, about, wanted) in cases {
        let event: Value = serde_json::from_str(&text).unwrap();
        let envelope = "account detail detail-type id region resources source time";
        assert_eq!(members(&event), envelope, "{text}");
        assert!(
            event["detail-type"]
                .as_str()
                .unwrap()
                .ends_with(detail_type),
            "{text}"
        );
        assert!(
            event["resources"][0]
                .as_str()
                .unwrap()
                .ends_with(&format!("/{about}")),
            "{text}"
        );
        assert_eq!(event["time"], "2026-11-22T10:00:00Z");
        assert_eq!(members(&event["detail"]), wanted, "{text}");
    }
}

#[test]
fn a_change_of_an_alarm_is_published_to_the_topics_of_its_actions() {
    let region = Region::start(world());
    let topic = region.sns().topic("alarms");
    let endpoint = super::endpoint::Endpoint::answering(&[200]);
    region.sns().subscribed(&topic, &endpoint.url);
    region.edit(|w| {
        w.alarms
            .iter_mut()
            .for_each(|a| a.actions = vec![topic.clone()])
    });
    assert!(region.set_alarm_state("single", "ALARM", false).is_empty());
    let ids = region.set_alarm_state("single", "OK", true);
    let outcome = region
        .sns()
        .deliverer()
        .finish(std::time::Duration::from_secs(60));
    assert_eq!(outcome.delivered.keys().cloned().collect::<Vec<_>>(), ids);
    let told = endpoint.got().remove(0);
    assert_eq!(told.member("Subject"), "OK: \"single\" in EU (Frankfurt)");
    let message: Value = serde_json::from_str(&told.member("Message")).unwrap();
    assert_eq!(
        (&message["NewStateValue"], &message["OldStateValue"]),
        (&json!("OK"), &json!("ALARM"))
    );
    assert_eq!(message["OKActions"], json!([topic]));
    let state = region.edit(|w| {
        w.alarms
            .iter()
            .find(|a| a.name == "single")
            .unwrap()
            .state
            .clone()
    });
    assert_eq!(state, "OK");
}
