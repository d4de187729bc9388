//! Which alarms are kept, whose they are, and what is told of them.

use super::region::alarm;
use super::rig::{START, settings};
use super::*;
use crate::state::glob::Glob;
use crate::state::polled::{AlarmKind, PolledAlarm};
use crate::state::wish::AlarmsKept;

fn foreign(name: &str) -> PolledAlarm {
    PolledAlarm {
        of_mediapackage: false,
        namespace: Some("AWS/EC2".into()),
        ..alarm(name, "OK", START)
    }
}

fn composite(name: &str, rule: &str) -> PolledAlarm {
    PolledAlarm {
        kind: AlarmKind::Composite,
        rule: Some(rule.into()),
        ..foreign(name)
    }
}

fn with_dimensions(name: &str, dimensions: &[(&str, &str)]) -> PolledAlarm {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    PolledAlarm {
        dimensions: dimensions.iter().map(pair).collect(),
        ..alarm(name, "ALARM", START)
    }
}

fn kept(rig: &Rig) -> Vec<String> {
    let prefix = "mp/x/alarm/";
    let names = rig
        .broker
        .retained
        .keys()
        .filter_map(|topic| topic.strip_prefix(prefix));
    names.map(str::to_owned).collect()
}

#[test]
fn alarms_are_kept_as_the_config_says() {
    let listed = [
        alarm("mp", "OK", START),
        // Metric math: no namespace of its own, AWS/MediaPackage in its metrics.
        PolledAlarm {
            namespace: None,
            ..alarm("math", "OK", START)
        },
        foreign("ec2"),
        foreign("wanted-ec2"),
        composite("over-mp", "ALARM(mp) AND NOT OK(ec2)"),
        composite("over-over", "ALARM(\"over-mp\")"),
        composite("at-least", "AT_LEAST(2, ALARM, (ec2, mp))"),
        composite("at-least-quoted", "AT_LEAST(50%, ALARM, (\"ec2\", \"mp\"))"),
        composite(
            "over-wanted",
            "OK(arn:aws:cloudwatch:eu-central-1:123456789012:alarm:wanted-ec2)",
        ),
        composite("over-ec2", "ALARM(ec2) OR FALSE"),
    ];
    let mediapackage = [
        "at-least",
        "at-least-quoted",
        "math",
        "mp",
        "over-mp",
        "over-over",
    ];
    let all: Vec<&str> = {
        let mut names: Vec<&str> = listed.iter().map(|a| &*a.name).collect();
        names.sort();
        names
    };
    type Case<'a> = (AlarmsKept, &'a [&'a str], &'a [&'a str], Vec<&'a str>);
    let cases: [Case; 6] = [
        (AlarmsKept::MediaPackage, &[], &[], mediapackage.to_vec()),
        (AlarmsKept::All, &[], &[], all.clone()),
        (AlarmsKept::Off, &[], &[], Vec::new()),
        (AlarmsKept::Off, &["wanted-*"], &[], vec!["wanted-ec2"]),
        (
            AlarmsKept::MediaPackage,
            &["wanted-*"],
            &["at-*"],
            vec![
                "math",
                "mp",
                "over-mp",
                "over-over",
                "over-wanted",
                "wanted-ec2",
            ],
        ),
        (AlarmsKept::All, &[], &["*"], Vec::new()),
    ];
    for (alarms, include, exclude, wanted) in cases {
        let globs = |patterns: &[&str]| patterns.iter().map(|p| Glob::new(p)).collect();
        let mut region = live(&["c1"]);
        region.alarms = listed.to_vec();
        let mut rig = Rig::with(region, |s| {
            s.wish.alarms = alarms;
            s.wish.alarm_include = globs(include);
            s.wish.alarm_exclude = globs(exclude);
        });
        rig.to(120);
        assert_eq!(kept(&rig), wanted, "{alarms:?} {include:?} {exclude:?}");
        let polled = !rig.region.polls(Kind::Alarms).is_empty();
        assert_eq!(polled, alarms != AlarmsKept::Off || !include.is_empty());
    }
}

#[test]
fn a_change_is_told_once_and_nothing_at_the_start() {
    let mut region = live(&["c1"]);
    region.alarms = vec![alarm("a", "ALARM", START), alarm("b", "OK", START)];
    let mut rig = Rig::new(settings(), region);
    rig.to(300);
    assert!(rig.events("alarm").is_empty());
    assert_eq!(
        rig.json("alarm/a")["previous_state"],
        serde_json::Value::Null
    );
    let changed = START.plus_ms(250_123);
    rig.region.alarms[1] = alarm("b", "ALARM", changed);
    rig.to(900);
    assert_eq!(rig.events("alarm"), ["b OK>ALARM"]);
    let shown = rig.json("alarm/b");
    assert_eq!(shown["previous_state"], "OK");
    assert_eq!(shown["updated_at"], "2026-11-22T10:04:10.123Z");
    assert_eq!(
        rig.messages("event/alarm")[0]["time"],
        "2026-11-22T10:04:10.123Z"
    );
    rig.region.alarms[1] = alarm("b", "OK", START.plus_ms(901_000));
    rig.to(1800);
    assert_eq!(rig.events("alarm"), ["b OK>ALARM", "b ALARM>OK"]);
}

#[test]
fn an_alarm_that_two_polls_lack_is_gone() {
    let mut region = live(&["c1"]);
    region.alarms = vec![alarm("a", "OK", START), alarm("b", "OK", START)];
    let mut rig = Rig::new(settings(), region);
    rig.to(300);
    let row = rig.region.alarms.remove(0);
    let polls = rig.region.polls(Kind::Alarms).len();
    while rig.region.polls(Kind::Alarms).len() < polls + 1 {
        rig.minutes(1);
    }
    assert_eq!(kept(&rig), ["a", "b"], "one poll is not enough");
    rig.region.alarms.push(row);
    rig.minutes(5);
    assert_eq!(kept(&rig), ["a", "b"]);
    rig.region.alarms.retain(|row| &*row.name != "a");
    rig.region.fail(Kind::Alarms);
    rig.minutes(60);
    assert_eq!(kept(&rig), ["a", "b"], "a failed poll clears nothing");
    rig.region.heal(Kind::Alarms);
    rig.minutes(5);
    assert_eq!(kept(&rig), ["b"]);
}

#[test]
fn an_alarm_belongs_to_the_channel_that_its_dimensions_name() {
    let null = serde_json::Value::Null;
    let cases: [(&[(&str, &str)], _, _); 8] = [
        (&[("Channel", "c1")], "c1".into(), null.clone()),
        (&[("Channel", "guid-c1")], "c1".into(), null.clone()),
        (
            &[("Channel", "c1"), ("OriginEndpoint", "c1-hls")],
            "c1".into(),
            "c1-hls".into(),
        ),
        (
            &[("OriginEndpoint", "guid-c1-hls")],
            "c1".into(),
            "c1-hls".into(),
        ),
        (&[("IngestEndpoint", "c1-b")], "c1".into(), null.clone()),
        (&[("Channel", "nobody")], null.clone(), null.clone()),
        (&[("StatusCodeRange", "5xx")], null.clone(), null.clone()),
        (&[], null.clone(), null.clone()),
    ];
    for (dimensions, channel, endpoint) in cases {
        let mut region = live(&["c1", "c2"]);
        region.alarms = vec![with_dimensions("a", dimensions)];
        // Alarms are known before there is any inventory.
        region.fail(Kind::Inventory);
        let mut rig = Rig::new(settings(), region);
        rig.to(120);
        assert_eq!(rig.json("alarm/a")["channel_id"], null, "{dimensions:?}");
        rig.region.heal(Kind::Inventory);
        rig.to(300);
        let shown = rig.json("alarm/a");
        assert_eq!(
            (&shown["channel_id"], &shown["endpoint_id"]),
            (&channel, &endpoint),
            "{dimensions:?}"
        );
        let health = rig.json("channel/c1/health");
        let lit = if channel == null { "ok" } else { "critical" };
        assert_eq!(health["health"], lit, "{dimensions:?}");
        assert_eq!(health["alarms_active"], usize::from(channel != null));
    }
}

#[test]
fn an_alarm_finds_its_channel_when_an_ingest_endpoint_is_replaced() {
    let mut region = live(&["c1"]);
    region.alarms = vec![with_dimensions("a", &[("IngestEndpoint", "new")])];
    let mut rig = Rig::new(settings(), region);
    rig.to(120);
    assert_eq!(rig.json("alarm/a")["channel_id"], serde_json::Value::Null);
    rig.region.channels.get_mut("c1").unwrap().ingest_endpoints[0].id = "new".into();
    rig.region.fail(Kind::Alarms);
    rig.to(300);
    assert_eq!(rig.json("alarm/a")["channel_id"], "c1");
}

#[test]
fn an_event_that_the_broker_did_not_take_is_told_again_under_the_same_id() {
    for acknowledgement_lost in [false, true] {
        let mut region = live(&["c1"]);
        region.alarms = vec![alarm("a", "OK", START)];
        let mut rig = Rig::new(settings(), region);
        rig.to(300);
        rig.broker.delay = Duration::from_secs(600);
        rig.region.alarms = vec![alarm("a", "ALARM", START.plus_ms(300_000))];
        rig.to(420);
        assert!(rig.events("alarm").is_empty());
        if acknowledgement_lost {
            rig.lose_acknowledgements();
        } else {
            rig.lose_broker();
        }
        rig.broker.delay = Duration::ZERO;
        rig.to(600);
        let mut ids: Vec<_> = rig.messages("event/alarm");
        assert_eq!(ids.len(), if acknowledgement_lost { 2 } else { 1 });
        ids.dedup();
        assert_eq!(ids.len(), 1);
    }
}
