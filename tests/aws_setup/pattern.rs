//! The rules of EventBridge let through what the agent keeps, by the words of the user guide.
//!
//! Source: EventBridge user guide, "Comparison operators for use in event patterns".

use serde_json::{Value, json};

use crate::printed::{config, of_kind, template};
use crate::region::sns::alarms::eventbridge_alarm;
use crate::region::{Alarm, AlarmKind, Region, World};

/// Whether an event fits a pattern: every member must, and of a list one item.
fn fits(pattern: &Value, event: &Value) -> bool {
    if let Value::Array(items) = event {
        return items.iter().any(|item| fits(pattern, item));
    }
    match pattern {
        Value::Object(members) => members.iter().all(|(name, wanted)| match name.as_str() {
            "$or" => wanted
                .as_array()
                .unwrap()
                .iter()
                .any(|way| fits(way, event)),
            name => event.get(name).is_some_and(|value| fits(wanted, value)),
        }),
        Value::Array(ways) => ways.iter().any(|way| is(way, event)),
        other => panic!("no pattern: {other}"),
    }
}

/// Whether a value is what an entry of a pattern's list says.
fn is(way: &Value, value: &Value) -> bool {
    let Value::Object(operator) = way else {
        return way == value;
    };
    let (operator, wanted) = operator.iter().next().unwrap();
    let (wanted, Some(text)) = (wanted.as_str().unwrap(), value.as_str()) else {
        return false;
    };
    match operator.as_str() {
        "prefix" => text.starts_with(wanted),
        "suffix" => text.ends_with(wanted),
        "wildcard" => wild(&wanted.chars().collect::<Vec<_>>(), text),
        other => panic!("no operator: {other}"),
    }
}

/// `*` is any run of characters, a backslash takes the next character as it is.
fn wild(pattern: &[char], text: &str) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => {
            assert_ne!(rest.first(), Some(&'*'), "two stars in a row are refused");
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| wild(rest, &text[at..]))
        }
        ['\\', next, rest @ ..] => {
            assert!(matches!(next, '*' | '\\'), "nothing else is escaped");
            text.strip_prefix(*next)
                .is_some_and(|text| wild(rest, text))
        }
        [next, rest @ ..] => text
            .strip_prefix(*next)
            .is_some_and(|text| wild(rest, text)),
    }
}

/// Alarms of every kind, by what they watch.
fn world() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(1, 1)
        .standard_metrics();
    let metric = |namespace: &str| AlarmKind::Metric {
        namespace: namespace.to_owned(),
        metric: String::from("IngressBytes"),
        dimensions: vec![("Channel".to_owned(), "ch-0000".to_owned())],
    };
    let stat = |namespace: &str| {
        json!({"Id": "m", "ReturnData": false, "MetricStat": {"Period": 60, "Stat": "Sum",
            "Metric": {"Namespace": namespace, "MetricName": "x", "Dimensions": []}}})
    };
    let sum = json!({"Id": "e", "Expression": "SUM(METRICS())", "Label": "e", "ReturnData": true});
    let query = json!({"Id": "e", "Label": "e", "ReturnData": true,
        "Expression": "SELECT SUM(EgressBytes) FROM SCHEMA(\"AWS/MediaPackage\", Channel)"});
    let math = |metrics: &[&Value]| AlarmKind::Math(json!(metrics));
    let (ours, theirs) = (stat("AWS/MediaPackage"), stat("AWS/EC2"));
    world.put_alarm(Alarm::of("one", metric("AWS/MediaPackage")));
    world.put_alarm(Alarm::of("other", metric("AWS/EC2")));
    world.put_alarm(Alarm::of("math", math(&[&sum, &theirs, &ours])));
    world.put_alarm(Alarm::of("other-math", math(&[&sum, &theirs])));
    world.put_alarm(Alarm::of("query", math(&[&query])));
    world.put_alarm(Alarm::composite("both", "ALARM(one) AND ALARM(math)"));
    world.put_alarm(Alarm::of(r"news\1", metric("AWS/EC2")));
    world
}

#[test]
fn a_rule_lets_through_the_alarms_that_are_kept() {
    let region = Region::start(world());
    let events: Vec<(String, Value)> = region.edit(|world| {
        let alarms = world.alarms.iter();
        let event = |alarm: &Alarm| {
            let event = eventbridge_alarm(world, alarm, "ALARM", "OK", 0);
            (alarm.name.clone(), serde_json::from_str(&event).unwrap())
        };
        alarms.map(event).collect()
    });
    let every = r"one other math other-math query both news\1";
    let cases = [
        ("mediapackage", "[]", "one math query"),
        (
            "mediapackage",
            r"['both', 'news\*']",
            r"one math query both news\1",
        ),
        ("mediapackage", r"['n*s\*']", r"one math query news\1"),
        (
            "mediapackage",
            "['*th*']",
            "one other math other-math query both",
        ),
        ("mediapackage", "['*']", every),
        ("off", "['other*']", "other other-math"),
        ("all", "[]", every),
    ];
    for (kept, include, wanted) in cases {
        let config = config(&region)
            .text("cloudwatch.alarms", kept)
            .set("cloudwatch.alarm_include", include);
        let template = template(&config);
        let rules = of_kind(&template, "AWS::Events::Rule");
        let told = events.iter().filter(|(_, event)| {
            let fit = rules
                .iter()
                .filter(|(_, rule)| fits(&rule["EventPattern"], event));
            let count = fit.count();
            assert!(count <= 1, "one event by two rules: {event}");
            count == 1
        });
        let told: Vec<&str> = told.map(|(name, _)| name.as_str()).collect();
        assert_eq!(told.join(" "), wanted, "{kept} {include}");
    }
}

#[test]
fn the_events_of_mediapackage_come_and_nobody_elses() {
    let region = Region::start(world());
    let cases = [
        ("aws.mediapackage", "MediaPackage Input Notification", true),
        (
            "aws.mediapackagev2",
            "MediaPackageV2 HarvestJob Notification",
            true,
        ),
        ("aws.mediapackage", "AWS API Call via CloudTrail", true),
        ("aws.mediapackage-vod", "AWS API Call via CloudTrail", false),
        (
            "aws.cloudwatch",
            "CloudWatch Alarm Configuration Change",
            false,
        ),
        ("aws.medialive", "MediaLive Channel Alert", false),
    ];
    let template = template(&config(&region));
    let rules = of_kind(&template, "AWS::Events::Rule");
    for (source, kind, wanted) in cases {
        let event = json!({"source": source, "detail-type": kind, "detail": {}});
        let comes = rules
            .iter()
            .any(|(_, rule)| fits(&rule["EventPattern"], &event));
        assert_eq!(comes, wanted, "{source} {kind}");
    }
}
