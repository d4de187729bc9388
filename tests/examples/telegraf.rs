//! The config of Telegraf against the points that the agent really publishes. Telegraf itself
//! does not run here: no package of Debian has it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::harness::{LIMIT, PREFIX, Site};
use crate::region::{Clock, World};
use crate::with_v2;

const CONFIG: &str = include_str!("../../examples/telegraf.conf");
/// Numbers of a point that are no series of their own: always 60, and sums since the last poll,
/// which every minute has anyway.
const LEFT_OUT: [&str; 4] = [
    "egress_request_count_4xx_window",
    "egress_request_count_5xx_window",
    "period_seconds",
    "window_seconds",
];

/// What of the config follows from payloads and topics.
struct Consumer {
    topics: Vec<String>,
    parsed_topic: String,
    parsed_tags: String,
    timestamp: String,
    tags: BTreeSet<String>,
    included: BTreeSet<String>,
    types: BTreeMap<String, String>,
}

fn text(value: &DeValue) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts<C: FromIterator<String>>(value: &DeValue) -> C {
    let items = value.as_array().unwrap().iter();
    items.map(|item| text(item.get_ref())).collect()
}

/// The first table of an array of tables.
fn first<'a, 'i>(table: &'a DeValue<'i>, key: &str) -> &'a DeValue<'i> {
    let tables = table[key].get_ref().as_array().unwrap();
    assert_eq!(tables.len(), 1, "{key}");
    tables[0].get_ref()
}

fn consumer() -> Consumer {
    let root = DeTable::parse(CONFIG).unwrap().into_inner();
    let inputs = root["inputs"].get_ref();
    let input = first(inputs, "mqtt_consumer");
    assert_eq!(text(input["data_format"].get_ref()), "json_v2");
    let parsing = first(input, "topic_parsing");
    let json = first(input, "json_v2");
    let object = first(json, "object");
    assert_eq!(text(object["path"].get_ref()), "@this");
    assert_eq!(text(json["timestamp_format"].get_ref()), "rfc3339");
    let types = object["fields"].get_ref().as_table().unwrap().iter();
    let types = types.map(|(key, kind)| (key.get_ref().to_string(), text(kind.get_ref())));
    Consumer {
        topics: texts(input["topics"].get_ref()),
        parsed_topic: text(parsing["topic"].get_ref()),
        parsed_tags: text(parsing["tags"].get_ref()),
        timestamp: text(json["timestamp_path"].get_ref()),
        tags: texts(object["tags"].get_ref()),
        included: texts(object["included_keys"].get_ref()),
        types: types.collect(),
    }
}

/// The points of a channel and an endpoint of each API, at the level that asks for everything.
fn points() -> BTreeMap<String, Value> {
    let mut world = World::new("eu-central-1")
        .with_channels(1, 1)
        .with_groups(1, 1, 1);
    world.clock = Clock::Fixed(1_795_341_630_000);
    let site = with_v2(Site::new(world.standard_metrics()))
        .configured(|config| config.text("cloudwatch.metrics", "full"));
    let eyes = site.eyes();
    let agent = site.agent();
    let of_points = |topic: &&String| topic.ends_with("/point");
    let tree = eyes.wait_until(LIMIT, |tree| tree.keys().filter(of_points).count() == 4);
    agent.stop();
    let points = tree
        .into_iter()
        .filter(|(topic, _)| topic.ends_with("/point"));
    points
        .map(|(topic, payload)| (topic, serde_json::from_str(&payload).unwrap()))
        .collect()
}

fn matches(filter: &str, topic: &str) -> bool {
    let (filter, topic): (Vec<&str>, Vec<&str>) =
        (filter.split('/').collect(), topic.split('/').collect());
    let same = |(f, t): (&&str, &&str)| *f == "+" || f == t;
    filter.len() == topic.len() && filter.iter().zip(&topic).all(same)
}

#[test]
fn telegraf_finds_every_key_it_names_and_leaves_out_no_number() {
    let consumer = consumer();
    let named: BTreeSet<&String> = consumer.types.keys().collect();
    assert_eq!(named, consumer.included.iter().collect());
    let mut seen = BTreeSet::new();
    for (topic, point) in points() {
        let filters = consumer.topics.iter();
        let taken = filters.filter(|filter| matches(filter, &topic)).count();
        assert_eq!(taken, 1, "{topic}");
        for key in consumer.tags.iter().chain([&consumer.timestamp]) {
            assert!(point[key].is_string(), "{topic}: {key} of {point}");
        }
        for (key, value) in point.as_object().unwrap() {
            let kind = consumer.types.get(key).map(String::as_str);
            match (kind, value) {
                (Some(_), Value::Null) => {}
                (Some("int"), value) => assert!(value.is_i64(), "{key}: {value}"),
                (Some("float"), value) => assert!(value.is_number(), "{key}: {value}"),
                (Some(kind), _) => panic!("{key}: {kind}"),
                (None, value) => {
                    let known = LEFT_OUT.contains(&key.as_str());
                    assert!(known || !value.is_number(), "{key} is left out");
                    continue;
                }
            }
            seen.insert(key.clone());
        }
    }
    assert_eq!(seen, consumer.included);
}

#[test]
fn telegraf_reads_instance_and_kind_from_the_topic() {
    let consumer = consumer();
    for kind in ["channel", "endpoint"] {
        let topic = format!("{PREFIX}{kind}/real%20one/point");
        assert!(matches(&consumer.parsed_topic, &topic));
        let names = consumer.parsed_tags.split('/');
        let tags = names.zip(topic.split('/')).filter(|(name, _)| *name != "_");
        let tags: Vec<(&str, &str)> = tags.collect();
        assert_eq!(tags, [("instance", "test"), ("kind", kind)]);
    }
}
