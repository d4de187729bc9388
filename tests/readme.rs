//! What the README says is what the program does.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mediapackage2mqtt::agent::check::cost::{self, LEVELS, Pages};
use mediapackage2mqtt::config::{self, Env, MetricsLevel};
use mediapackage2mqtt::engine::meter::forecast_usd;
use mediapackage2mqtt::engine::queueing::LONG_POLL;
use mediapackage2mqtt::state::catalogue::Catalogue;
use mediapackage2mqtt::state::inventory::Inventory;
use mediapackage2mqtt::state::model::{
    Api, Channel, ChannelGroup, Endpoint, HarvestJob, IngestEndpoint, PackagingConfiguration,
    PackagingGroup, Tags,
};
use mediapackage2mqtt::state::polled::{self, ListedMetric};
use mediapackage2mqtt::state::time::UnixMs;
use mediapackage2mqtt::topics::media;
use region::world::Alarm;
use region::{Region, World};
use serde_json::Value;
use support::config::ConfigFile;

const README: &str = include_str!("../README.md");

/// Whether a word stands in the README as code.
fn is_told(word: &str) -> bool {
    README.contains(&format!("`{word}`"))
}

#[test]
fn every_key_of_the_config_is_told_with_its_table() {
    for (table, keys) in config::all_keys() {
        if !table.is_empty() {
            assert!(README.contains(&format!("`[{table}]`")), "[{table}]");
        }
        for key in keys {
            // The twin of a secret is told once for all.
            let secret = key.strip_suffix("_file").filter(|key| keys.contains(key));
            assert!(is_told(secret.unwrap_or(key)), "[{table}] {key}");
        }
    }
}

/// What `once` prints for a region in which every kind of topic occurs.
fn printed_by_once() -> BTreeMap<String, String> {
    printed_with(|file| file)
}

fn printed_with(change: impl FnOnce(ConfigFile) -> ConfigFile) -> BTreeMap<String, String> {
    let mut world = World::new("eu-central-1")
        .with_channels(2, 2)
        .standard_metrics();
    let watched = [("Channel", "ch-0000")];
    world.put_alarm(Alarm::metric("ch-0000-silent", "IngressBytes", &watched));
    let region = Region::start(world);
    let file = ConfigFile::new(&region.url(), "mqtt://127.0.0.1:9", region::KEY);
    let file = change(file);
    let output = harness::run(&["once"], &file.write());
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.split_once('\t').unwrap());
    lines.map(|(t, p)| (t.to_owned(), p.to_owned())).collect()
}

/// `channel/ch-0000/metrics` is told as `channel/<id>/metrics`.
fn kind_of(topic: &str) -> String {
    let below = topic.strip_prefix(harness::PREFIX).unwrap();
    let mut levels: Vec<&str> = below.split('/').collect();
    match levels[0] {
        "channel" | "endpoint" => levels[1] = "<id>",
        "alarm" | "source" => levels[1] = "<name>",
        _ => {}
    }
    levels.join("/")
}

fn keys_of(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                into.insert(key.clone());
                keys_of(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys_of(item, into)),
        _ => {}
    }
}

#[test]
fn every_topic_and_every_key_of_a_payload_is_told() {
    // Keys that are names of things: tags, dimensions, sources.
    let names = ["env", "package", "Channel"];
    let mut kinds = BTreeSet::new();
    for (topic, payload) in printed_by_once() {
        let kind = kind_of(&topic);
        eprintln!("{topic} {payload}");
        assert!(is_told(&kind), "the topic {kind}");
        kinds.insert(kind.clone());
        let mut keys = BTreeSet::new();
        keys_of(
            &serde_json::from_str(&payload).unwrap_or(Value::Null),
            &mut keys,
        );
        for key in keys.iter().filter(|key| !names.contains(&key.as_str())) {
            assert!(is_told(key), "{kind}: the key {key}");
        }
    }
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

#[test]
fn every_entity_of_home_assistant_is_told_by_its_name() {
    let printed = printed_with(|file| {
        file.set("home_assistant.enabled", "true")
            .text("cloudwatch.metrics", "full")
    });
    let mut names = BTreeSet::new();
    for (topic, payload) in printed {
        if topic.starts_with("homeassistant/device/test/") {
            let document: Value = serde_json::from_str(&payload).unwrap();
            for component in document["components"].as_object().unwrap().values() {
                names.insert(component["name"].as_str().unwrap().to_owned());
            }
        }
    }
    assert!(names.len() > 50, "{names:?}");
    let things = [
        ("Endpoint hls", "Endpoint <endpoint>"),
        ("Endpoint dash", "Endpoint <endpoint>"),
        ("Alarm ch-0000-silent", "Alarm <alarm>"),
        ("Input 1", "Input <n>"),
        ("Input 2", "Input <n>"),
    ];
    let sources = ["MediaPackage", "metrics", "alarms"];
    for name in names {
        let mut name = name;
        for (thing, told) in things {
            name = name.replace(thing, told);
        }
        for source in sources {
            for what in ["Source ", "Last success "] {
                name = name.replace(&format!("{what}{source}"), &format!("{what}<source>"));
            }
        }
        assert!(is_told(&name), "the entity {name}");
    }
}

#[test]
fn flat_topics_are_printed_too_and_as_many_as_are_told() {
    let printed = printed_with(|file| file.set("mqtt.flat", "true"));
    let below = |kind: &str| {
        let prefix = format!("{}{kind}/", harness::PREFIX);
        printed.keys().filter(|t| t.starts_with(&prefix)).count()
    };
    assert!(below("agent") > 5 && below("summary") > 5, "{printed:?}");
    for (kind, count) in [
        ("channel/ch-0000/metrics", 25),
        ("endpoint/ch-0000-hls/metrics", 21),
    ] {
        // What is null is not there.
        assert!(
            (10..=count).contains(&below(kind)),
            "{kind}: {}",
            below(kind)
        );
        let words: Vec<&str> = README.split_whitespace().collect();
        let told = format!("{count} more topics for ");
        assert!(words.join(" ").contains(&told), "{count}");
    }
    let health = format!("{}channel/ch-0000/health/ingest", harness::PREFIX);
    assert_eq!(printed[&health], "receiving");
}

/// A payload of each kind of topic that needs v2, harvest jobs or VOD.
fn of_the_other_apis() -> [(&'static str, String); 4] {
    let tags = Tags::new;
    let group = ChannelGroup {
        id: "g".into(),
        arn: None,
        description: None,
        created_at: None,
        modified_at: None,
        egress_domain: None,
        tags: tags(),
    };
    let job = HarvestJob {
        id: "j".into(),
        api: Api::V1,
        arn: None,
        channel_id: None,
        endpoint_id: None,
        status: None,
        message: None,
        start_time: None,
        end_time: None,
        created_at: None,
        modified_at: None,
        bucket: None,
        key: None,
    };
    let packaging = PackagingGroup {
        id: "p".into(),
        arn: None,
        domain_name: None,
        approximate_asset_count: None,
        created_at: None,
        egress_access_logs: None,
        tags: tags(),
    };
    let configuration = PackagingConfiguration {
        id: "c".into(),
        packaging_group_id: None,
        arn: None,
        created_at: None,
        package: None,
        segment_duration_seconds: None,
        encrypted: false,
        manifests: Vec::new(),
        tags: tags(),
    };
    [
        ("channel_group/<id>", media::channel_group(&group, &[])),
        ("harvest_job/<id>", media::harvest_job(&job)),
        (
            "packaging_group/<id>",
            media::packaging_group(&packaging, &[]),
        ),
        (
            "packaging_configuration/<id>",
            media::packaging_configuration(&configuration),
        ),
    ]
}

#[test]
fn the_topics_of_the_other_apis_are_told_with_their_keys() {
    for (topic, payload) in of_the_other_apis() {
        assert!(is_told(topic), "the topic {topic}");
        let mut keys = BTreeSet::new();
        keys_of(&serde_json::from_str(&payload).unwrap(), &mut keys);
        assert!(keys.len() >= 9, "{topic}: {keys:?}");
        for key in keys {
            assert!(is_told(&key), "{topic}: the key {key}");
        }
    }
}

#[test]
fn every_config_is_right() {
    let blocks = README.split("```toml\n").skip(1);
    let texts: Vec<&str> = blocks.map(|b| b.split("```").next().unwrap()).collect();
    assert!(!texts.is_empty());
    let secrets = tempfile::tempdir().unwrap();
    for name in ["access_key_id", "secret_access_key"] {
        std::fs::write(secrets.path().join(name), "AKIAIOSFODNN7EXAMPLE\n").unwrap();
    }
    let env: Env = [("CREDENTIALS_DIRECTORY", secrets.path().to_str().unwrap())]
        .into_iter()
        .collect();
    for text in texts {
        let parsed = config::parse("config.toml".as_ref(), text, &env);
        assert!(parsed.is_ok(), "{}\n{text}", parsed.unwrap_err());
    }
}

#[test]
fn the_policy_of_the_quick_start_is_json_with_all_that_is_called() {
    let block = README.split("```json\n").nth(1).unwrap();
    let policy: Value = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
    let actions = policy["Statement"][0]["Action"].as_array().unwrap();
    let mut actions: Vec<&str> = actions.iter().map(|a| a.as_str().unwrap()).collect();
    actions.sort_unstable();
    let wanted = [
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "cloudwatch:ListMetrics",
        "mediapackage-vod:ListPackagingConfigurations",
        "mediapackage-vod:ListPackagingGroups",
        "mediapackage:ListChannels",
        "mediapackage:ListHarvestJobs",
        "mediapackage:ListOriginEndpoints",
        "mediapackagev2:GetChannel",
        "mediapackagev2:GetChannelGroup",
        "mediapackagev2:GetOriginEndpoint",
        "mediapackagev2:ListChannelGroups",
        "mediapackagev2:ListChannels",
        "mediapackagev2:ListHarvestJobs",
        "mediapackagev2:ListOriginEndpoints",
    ];
    assert_eq!(actions, wanted);
}

/// Endpoints and ingest endpoints of each channel in the cost table.
const ENDPOINTS: usize = 4;
const INPUTS: usize = 2;
/// Series that one answer of `ListMetrics` holds.
const LIST_PAGE: usize = 500;
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

fn channels_of_the_table(api: Api, channels: usize) -> (Inventory, Catalogue, usize) {
    let mut listing = polled::Inventory::default();
    let mut rows = Vec::new();
    for c in 0..channels {
        match api {
            Api::V1 => add_v1(c, &mut listing, &mut rows),
            _ => add_v2(c, &mut listing, &mut rows),
        }
    }
    let inventory = inventory_of(listing);
    let mut catalogue = Catalogue::default();
    catalogue.learn(UnixMs(0), &rows, &inventory);
    assert_eq!(catalogue.unmatched, 0);
    (inventory, catalogue, rows.len().div_ceil(LIST_PAGE))
}

fn inventory_of(listing: polled::Inventory) -> Inventory {
    let env: Env = [("AWS_REGION", "eu-central-1")].into_iter().collect();
    let wish = config::parse("x".as_ref(), "", &env).unwrap().wish();
    let mut inventory = Inventory::default();
    inventory.apply(listing, &wish);
    inventory
}

/// A channel of v1, and all that CloudWatch lists of it.
fn add_v1(c: usize, listing: &mut polled::Inventory, rows: &mut Vec<ListedMetric>) {
    let channel = format!("c{c}");
    let inputs: Vec<String> = (0..INPUTS).map(|i| format!("c{c}i{i}")).collect();
    listing.channels.push(channel_of(&channel, &inputs));
    let of_channel = [("Channel", channel.as_str())];
    rows.extend(egress_rows(&of_channel));
    rows.push(row("IngressBytes", &of_channel));
    rows.push(row("IngressResponseTime", &of_channel));
    for input in &inputs {
        let of_input = [("Channel", channel.as_str()), ("IngestEndpoint", input)];
        rows.push(row("IngressBytes", &of_input));
    }
    for e in 0..ENDPOINTS {
        let endpoint = format!("c{c}e{e}");
        listing.endpoints.push(endpoint_of(&endpoint, &channel));
        let of_endpoint = [("Channel", channel.as_str()), ("OriginEndpoint", &endpoint)];
        rows.extend(egress_rows(&of_endpoint));
        for input in &inputs {
            let active = [
                ("IngestEndpoint", input.as_str()),
                ("OriginEndpoint", &endpoint),
            ];
            rows.push(row("ActiveInput", &active));
        }
    }
}

/// A channel of v2 in a group of its own, and all that CloudWatch lists of it.
fn add_v2(c: usize, listing: &mut polled::Inventory, rows: &mut Vec<ListedMetric>) {
    let group = format!("g{c}");
    let id = format!("{group}.c");
    let inputs: Vec<String> = (1..=INPUTS).map(|i| i.to_string()).collect();
    listing.channels.push(Channel {
        api: Api::V2,
        channel_group: Some(group.clone()),
        ..channel_of(&id, &inputs)
    });
    let of_channel = [("Channel", "c"), ("ChannelGroup", group.as_str())];
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let all = of_channel.iter().chain(more);
        all.map(|(n, v)| (*n, v.to_string())).collect()
    };
    let mut list = |name: &str, dimensions: Vec<(&'static str, String)>| {
        let pairs: Vec<_> = dimensions.iter().map(|(n, v)| (*n, v.as_str())).collect();
        rows.push(row(name, &pairs));
    };
    let tracks = ["Audio", "Subtitle", "Video"];
    let mut places: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
    places.extend(inputs.iter().map(|i| vec![("IngestEndpoint", i.as_str())]));
    for place in &places {
        for name in ["IngressBytes", "IngressRequestCount", "IngressResponseTime"] {
            list(name, with(place));
        }
        for class in CLASSES {
            let more = [&place[..], &[("StatusCode", class)]].concat();
            list("IngressRequestCount", with(&more));
        }
        let side = if place.is_empty() {
            "Channel"
        } else {
            "Ingress"
        };
        list(&format!("{side}MQCS"), with(place));
        list(&format!("{side}MQCSSequence"), with(place));
        for track in tracks {
            let more = [&place[..], &[("TrackType", track)]].concat();
            list(&format!("{side}MQCS"), with(&more));
        }
    }
    let endpoints: Vec<String> = (0..ENDPOINTS).map(|e| format!("e{e}")).collect();
    let mut places: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
    places.extend(
        endpoints
            .iter()
            .map(|e| vec![("OriginEndpoint", e.as_str())]),
    );
    for place in &places {
        for kind in [None, Some("manifest"), Some("segment")] {
            let kind = kind.map(|kind| ("RequestType", kind));
            let place: Vec<_> = place.iter().copied().chain(kind).collect();
            for name in ["EgressBytes", "EgressRequestCount", "EgressResponseTime"] {
                list(name, with(&place));
            }
            for class in CLASSES {
                let more = [&place[..], &[("StatusCode", class)]].concat();
                list("EgressRequestCount", with(&more));
            }
        }
    }
    let endpoint = |name: &String| Endpoint {
        api: Api::V2,
        ..endpoint_of(&format!("{id}.{name}"), &id)
    };
    listing.endpoints.extend(endpoints.iter().map(endpoint));
}

fn row(name: &str, dimensions: &[(&str, &str)]) -> ListedMetric {
    ListedMetric::new(name, &mut dimensions.to_vec()).unwrap()
}

fn egress_rows(of: &[(&str, &str)]) -> Vec<ListedMetric> {
    let plain = ["EgressBytes", "EgressRequestCount", "EgressResponseTime"];
    let mut rows: Vec<ListedMetric> = plain.iter().map(|name| row(name, of)).collect();
    for class in CLASSES {
        let with_class = [of, &[("StatusCodeRange", class)]].concat();
        rows.push(row("EgressRequestCount", &with_class));
    }
    rows
}

fn channel_of(id: &str, inputs: &[String]) -> Channel {
    let input = |id: &String| IngestEndpoint {
        id: id.clone(),
        url: None,
    };
    Channel {
        id: id.into(),
        api: Api::V1,
        channel_group: None,
        arn: None,
        description: None,
        created_at: None,
        modified_at: None,
        ingest_endpoints: inputs.iter().map(input).collect(),
        input_type: None,
        tags: Tags::new(),
        egress_access_logs: None,
        ingress_access_logs: None,
    }
}

fn endpoint_of(id: &str, channel: &str) -> Endpoint {
    Endpoint {
        id: id.into(),
        api: Api::V1,
        channel_id: Some(channel.into()),
        arn: None,
        description: None,
        created_at: None,
        modified_at: None,
        url: None,
        manifest_name: None,
        package: None,
        segment_duration_seconds: None,
        encrypted: Some(false),
        startover_window_seconds: None,
        time_delay_seconds: None,
        origination: None,
        manifests: Vec::new(),
        tags: Tags::new(),
    }
}

/// A listing of VOD with these.
fn vod_of(configurations: Vec<PackagingConfiguration>) -> polled::Vod {
    polled::Vod {
        groups: Vec::new(),
        configurations,
    }
}

#[test]
fn what_an_empty_queue_costs_is_told() {
    let month = Duration::from_secs(30 * 24 * 3600);
    let requests = month.as_secs() / LONG_POLL.as_secs();
    let pace = cost::pace(0, month, Pages::default(), month, true);
    let usd = forecast_usd(pace, 0.01);
    let row = format!("| a queue with nothing in it | {requests} | {usd:.2} ");
    assert!(README.contains(&row), "{row}");
}

/// A month in dollars, by the code that `agent/stats` and `check` use.
fn month(of: &(Inventory, Catalogue, usize), level: MetricsLevel, minutes: u64) -> String {
    let (inventory, catalogue, pages) = of;
    let metrics = cost::metrics_a_poll(inventory, catalogue, level);
    let pages = Pages {
        list: Some(*pages as u64),
        alarms: 1,
    };
    let interval = Duration::from_secs(60 * minutes);
    let pace = cost::pace(metrics, interval, pages, Duration::from_secs(60), false);
    let usd = forecast_usd(pace, 0.01);
    if usd < 100.0 {
        format!("{usd:.2}")
    } else {
        format!("{usd:.0}")
    }
}

#[test]
fn the_cost_tables_are_what_the_forecast_says() {
    let tables: [(Api, &[usize]); 2] = [(Api::V1, &[1, 10, 100, 1000]), (Api::V2, &[1, 10, 100])];
    for (api, sizes) in tables {
        let mut table = String::from("|---|---|---|---|---|---|\n");
        for channels in sizes {
            let of = channels_of_the_table(api, *channels);
            for level in LEVELS {
                let costs = [1, 5, 15, 60].map(|minutes| month(&of, level, minutes));
                let level = level.as_str();
                table += &format!("| {channels} | `{level}` | {} |\n", costs.join(" | "));
            }
        }
        let told = README.contains(&table);
        assert!(told, "the cost table of {api:?} should be\n{table}");
    }
}

#[test]
fn the_cost_of_a_packaging_configuration_is_what_is_asked_of_it() {
    let mut inventory = inventory_of(polled::Inventory::default());
    inventory.apply_vod(vod_of(vec![PackagingConfiguration {
        id: "p".into(),
        packaging_group_id: None,
        arn: None,
        created_at: None,
        package: None,
        segment_duration_seconds: None,
        encrypted: false,
        manifests: Vec::new(),
        tags: Tags::new(),
    }]));
    let rows = egress_rows(&[("PackagingConfiguration", "p")]);
    let mut catalogue = Catalogue::default();
    catalogue.learn(UnixMs(0), &rows, &inventory);
    let [none, two, seven] = LEVELS.map(|l| cost::metrics_a_poll(&inventory, &catalogue, l));
    let told = format!("adds {two} metrics to a poll at `standard` and {seven} at `full`");
    assert!(none == 0 && README.contains(&told), "{told}");
}

#[test]
fn the_policy_of_aws_iot_core_is_the_one_that_is_printed() {
    let shown = README
        .split("```")
        .find(|block| block.contains("iot:Connect\""));
    let shown: Value = serde_json::from_str(shown.unwrap().trim_start_matches("json")).unwrap();
    let region = Region::start(World::new("eu-central-1"));
    let broker = "mqtts://a1b2c3d4e5-ats.iot.eu-central-1.amazonaws.com:8883";
    let file = ConfigFile::new(&region.url(), broker, region::KEY)
        .text("instance", "edge")
        .set("home_assistant.enabled", "true");
    let output = harness::run(&["aws-setup"], &file.write());
    let text = String::from_utf8(output.stdout).unwrap();
    let printed = text
        .split("---\n")
        .find(|part| part.contains("iot:Connect\""));
    let lines = printed
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'));
    let printed: Value = serde_json::from_str(&lines.collect::<String>()).unwrap();
    assert_eq!(printed, shown);
}
