//! Input-loss alarms: of the channels that are taken, over the series that CloudWatch has.

use serde_json::{Value, json};

use crate::printed::{Printed, config, of_kind, template};
use crate::region::{Dimension, FOREVER, Fault, Region, World};
use crate::support::ports::free_port;

fn world() -> World {
    world_by(Dimension::Id)
}

/// With these in the dimensions of v1.
fn world_by(dimension: Dimension) -> World {
    let mut world = World::new("eu-central-1").with_channels(3, 1);
    world.dimension = dimension;
    world.with_groups(2, 2, 1).standard_metrics()
}

/// Name and dimensions of each.
fn alarms(template: &Value) -> Vec<(String, Value)> {
    let found = of_kind(template, "AWS::CloudWatch::Alarm");
    let told = found.into_iter().map(|(_, alarm)| {
        let name = alarm["AlarmName"].as_str().unwrap().to_owned();
        let dimensions = alarm["Dimensions"].as_array().unwrap().iter();
        let dimensions = dimensions.map(|d| (d["Name"].as_str().unwrap(), d["Value"].clone()));
        (
            name,
            Value::Object(dimensions.map(|(n, v)| (n.to_owned(), v)).collect()),
        )
    });
    let mut all: Vec<_> = told.collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn they_are_of_the_channels_that_are_taken_with_their_real_dimensions() {
    for by in [Dimension::Id, Dimension::Guid] {
        let mut world = world_by(by);
        let guid = world.channel("ch-0001").guid.clone();
        let value = match by {
            Dimension::Id => "ch-0001",
            Dimension::Guid => guid.as_str(),
        };
        let region = Region::start(world);
        let config = config(&region)
            .set("mediapackage.include", "[\"ch-0001\", \"group-1.*\"]")
            .set("mediapackage.exclude", "[\"*.ch-0000\"]")
            .text("cloudwatch.ingest_lost_after", "90s");
        let wanted = vec![
            (
                "test-ch-0001-input-lost".to_owned(),
                json!({"Channel": value}),
            ),
            (
                "test-group-1.ch-0001-input-lost".to_owned(),
                json!({"Channel": "ch-0001", "ChannelGroup": "group-1"}),
            ),
        ];
        let made = template(&config);
        assert_eq!(alarms(&made), wanted);
        for (_, alarm) in of_kind(&made, "AWS::CloudWatch::Alarm") {
            assert_eq!(alarm["EvaluationPeriods"], 2);
            assert_eq!(alarm["Namespace"], "AWS/MediaPackage");
        }
        // Nothing in it depends on the run.
        assert_eq!(made, template(&config));
    }
}

#[test]
fn a_channel_keeps_its_logical_id_whatever_else_there_is() {
    let region = Region::start(world());
    let ids = || {
        let found = of_kind(&template(&config(&region)), "AWS::CloudWatch::Alarm");
        let pair = |(id, alarm): (String, Value)| (alarm["AlarmName"].to_string(), id);
        found
            .into_iter()
            .map(pair)
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = ids();
    assert_eq!(before.len(), 7);
    region.edit(|world| {
        world.remove_channel("ch-0000");
        world.add_channel("another", 1);
    });
    let after = ids();
    assert_eq!(after.len(), 7);
    let kept = after
        .iter()
        .filter(|(name, id)| before.get(*name) == Some(*id));
    assert_eq!(kept.count(), 6);
}

#[test]
fn without_an_answer_there_are_none_and_that_is_told() {
    let away = format!("http://127.0.0.1:{}", free_port());
    let denied = |action: &str| {
        let mut world = world();
        world.denied.push(action.to_owned());
        Region::start(world)
    };
    let quiet = denied("nothing");
    let (lists, metrics) = (denied("mediapackage:*"), denied("cloudwatch:ListMetrics"));
    let mut failing = world();
    failing
        .faults
        .add("mediapackagev2:ListChannels", FOREVER, Fault::html(502));
    let failing = Region::start(failing);
    let unreached = |region| {
        let config = config(region).text("mediapackage.url", &away);
        let config = config.text("mediapackage.v2_url", &away);
        config.text("cloudwatch.url", &away)
    };
    let keyless = config(&quiet).text("credentials.access_key_id", "AKIAUNKNOWN000000000");
    let cases = [
        ("AWS is away", unreached(&quiet), 0, "Connection refused"),
        ("nobody knows the key", keyless, 0, "UnrecognizedClient"),
        (
            "v1 is denied",
            config(&lists),
            4,
            "for channels of v1: AccessDenied",
        ),
        ("v2 fails", config(&failing), 3, "for channels of v2"),
        (
            "ListMetrics is denied",
            config(&metrics),
            0,
            "cloudwatch:ListMetrics",
        ),
        ("all is well", config(&quiet), 7, ""),
    ];
    for (name, config, count, wanted) in cases {
        let printed = Printed::of(&config, &["--template"]);
        assert_eq!(
            alarms(&printed.json()).len(),
            count,
            "{name}: {}",
            printed.err
        );
        assert_eq!(
            printed.err.is_empty(),
            wanted.is_empty(),
            "{name}: {}",
            printed.err
        );
        for wanted in [
            wanted,
            "WARN",
            "has no input-loss alarms",
            "run aws-setup with",
        ] {
            let told = printed.err.contains(wanted) || printed.err.is_empty();
            assert!(told, "{name}: {wanted}: {}", printed.err);
        }
    }
}

#[test]
fn an_api_that_the_region_lacks_is_no_news() {
    let region = Region::start(world().without_service("mediapackagev2"));
    let printed = Printed::of(&config(&region), &["--template"]);
    assert_eq!(alarms(&printed.json()).len(), 3);
    assert_eq!(printed.err, "");
}

#[test]
fn many_channels_need_a_bucket_and_too_many_are_too_many() {
    let world = World::new("eu-central-1").with_channels(100, 0);
    let region = Region::start(world.standard_metrics());
    let printed = Printed::of(&config(&region), &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert!(printed.err.contains("needs --s3-bucket"), "{}", printed.err);
    assert!(printed.out.contains("--s3-bucket NAME_OF_A_BUCKET"));
    region.edit(|world| {
        for n in 100..500 {
            world.add_channel(&format!("ch-{n:04}"), 0);
        }
    });
    let printed = Printed::of(&config(&region), &[]);
    assert_eq!(printed.code, Some(1), "{}", printed.err);
    assert!(
        printed.err.contains("include and exclude"),
        "{}",
        printed.err
    );
    let some = config(&region).set("mediapackage.include", "[\"ch-04*\"]");
    assert_eq!(alarms(&template(&some)).len(), 100);
}
