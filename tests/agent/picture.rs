//! What AWS has is what the broker holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::harness::{LIMIT, PREFIX, Site, json, level, text};
use crate::region::world::{ACCOUNT, guid};
use crate::region::{Alarm, AlarmKind, World};
use crate::support::subscriber::{Message, Tree};

const CHANNEL: &str = "id api channel_group arn description created_at modified_at \
    ingest_endpoints input_type tags endpoints egress_access_logs ingress_access_logs";
const HEALTH: &str = "id api health reasons ingest ingest_since inputs_total inputs_receiving \
    alarms_active alarms";
const CHANNEL_METRICS: &str = "id channel_id api level timestamp period_seconds state \
    last_data_at egress_bytes egress_bits_per_second egress_request_count \
    egress_request_count_2xx egress_request_count_3xx egress_request_count_4xx \
    egress_request_count_5xx egress_response_time_ms ingress_bytes ingress_bits_per_second \
    ingress_request_count ingress_response_time_ms channel_mqcs inputs window_seconds \
    egress_request_count_4xx_window egress_request_count_5xx_window revised";
const ENDPOINT: &str = "id api channel_id arn description created_at modified_at url \
    manifest_name package segment_duration_seconds encrypted startover_window_seconds \
    time_delay_seconds origination manifests tags";
const ENDPOINT_METRICS: &str = "id channel_id api level timestamp period_seconds state \
    last_data_at egress_bytes egress_bits_per_second egress_request_count \
    egress_request_count_2xx egress_request_count_3xx egress_request_count_4xx \
    egress_request_count_5xx egress_response_time_ms active_input window_seconds \
    egress_request_count_4xx_window egress_request_count_5xx_window revised";
const ALARM: &str = "name arn account_id region type state previous_state reason description \
    updated_at namespace metric dimensions channel_id endpoint_id threshold comparison \
    actions_enabled actions_suppressed listed source";
const SUMMARY: &str = "health reasons channels endpoints channels_lost lost alarms_active \
    active egress_bits_per_second updated_at";
const AGENT: &str = "schema version started_at agent_id account_id region queue health \
    reasons sources apis clock_offset_seconds";
const EVENT: &str = "id event_type time source channel_id endpoint_id alarm state \
    previous_state summary detail";

/// The names of an object's members, in the order in which they stand.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Keys, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Keys;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Keys, M::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        from.deserialize_map(Names)
    }
}

fn assert_keys(topic: &str, payload: &str, wanted: &str) {
    let keys: Keys = serde_json::from_str(payload)
        .unwrap_or_else(|error| panic!("{topic} is no JSON object ({error}): {payload}"));
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    assert_eq!(keys.0, wanted, "{topic}");
}

#[test]
fn every_kind_of_topic_has_exactly_its_keys() {
    let mut world = World::new("eu-central-1").with_channels(2, 4);
    world.put_alarm(Alarm::metric(
        "silent",
        "IngressBytes",
        &[("Channel", "ch-0000")],
    ));
    let mut site = Site::new(world.standard_metrics());
    site.config = site.config.text("cloudwatch.metrics", "full");
    let agent = site.agent();
    let eyes = site.eyes();
    let tree = site.wait_for_picture(&eyes);
    let tables = [
        ("agent", AGENT),
        ("summary", SUMMARY),
        ("channel/ch-0000", CHANNEL),
        ("channel/ch-0000/health", HEALTH),
        ("channel/ch-0000/metrics", CHANNEL_METRICS),
        ("endpoint/ch-0000-hls", ENDPOINT),
        ("endpoint/ch-0001-cmaf", ENDPOINT),
        ("endpoint/ch-0000-dash/metrics", ENDPOINT_METRICS),
        ("alarm/silent", ALARM),
    ];
    for (topic, keys) in tables {
        assert_keys(topic, text(&tree, topic), keys);
    }
    for plain in [
        "status",
        "source/mediapackage",
        "source/metrics",
        "source/alarms",
    ] {
        assert_eq!(text(&tree, plain), "online", "{plain}");
    }
    let ends = |m: &Message, tail: &str| m.topic == format!("{PREFIX}{tail}");
    let point = eyes.wait_for(LIMIT, |m| ends(m, "channel/ch-0001/point"));
    assert_keys(&point.topic, &point.payload, CHANNEL_METRICS);
    let point = eyes.wait_for(LIMIT, |m| ends(m, "endpoint/ch-0001-mss/point"));
    assert_keys(&point.topic, &point.payload, ENDPOINT_METRICS);
    site.region
        .edit(|w| w.set_alarm("silent", "ALARM", "no data"));
    let event = eyes.wait_for(LIMIT, |m| ends(m, "event/alarm"));
    assert_keys(&event.topic, &event.payload, EVENT);
    let kept = site.retained();
    assert!(
        kept.keys()
            .all(|t| !t.ends_with("/point") && !t.contains("/event/")),
        "kept: {:?}",
        kept.keys()
    );
    agent.stop();
    assert_eq!(text(&site.retained(), "status"), "offline");
}

#[test]
fn channels_are_shown_as_aws_lists_them() {
    let world = World::new("eu-central-1").with_channels(1, 4);
    let site = Site::new(world.standard_metrics());
    let agent = site.agent();
    let tree = site.wait_for_picture(&site.eyes());
    let ingest: Vec<Value> = site.region.edit(|w| {
        let inputs = w.channel("ch-0000").ingest.iter();
        inputs.map(|i| json!({"id": i.id, "url": i.url})).collect()
    });
    let wanted = json!({
        "id": "ch-0000", "api": "v1", "channel_group": null,
        "arn": format!("arn:aws:mediapackage:eu-central-1:{ACCOUNT}:channels/{}", guid("ch-0000")),
        "description": "Channel ch-0000", "created_at": "2026-01-15T09:30:00Z",
        "modified_at": null, "ingest_endpoints": ingest, "input_type": "HLS",
        "tags": {"env": "test"},
        "endpoints": ["ch-0000-cmaf", "ch-0000-dash", "ch-0000-hls", "ch-0000-mss"],
        "egress_access_logs": "/aws/MediaPackage/EgressAccessLogs", "ingress_access_logs": null,
    });
    let mut shown = json(&tree, "channel/ch-0000");
    if let Some(ids) = shown["endpoints"].as_array_mut() {
        ids.sort_by_key(ToString::to_string);
    }
    assert_eq!(shown, wanted);
    assert_eq!(json(&tree, "agent")["account_id"], ACCOUNT);
    agent.stop();
}

#[test]
fn all_four_packagings_are_shown() {
    let world = World::new("eu-central-1").with_channels(1, 4);
    let site = Site::new(world.standard_metrics());
    let agent = site.agent();
    let tree = site.wait_for_picture(&site.eyes());
    // Package, seconds a segment, encrypted, end of the URL, ends of the manifests' URLs.
    let table: [(&str, i64, bool, Option<&str>, &[&str]); 4] = [
        ("hls", 6, false, Some("/index.m3u8"), &[]),
        ("dash", 2, true, Some("/index.mpd"), &[]),
        (
            "cmaf",
            4,
            false,
            None,
            &["/main/index.m3u8", "/backup/index.m3u8"],
        ),
        ("mss", 2, true, Some("/index.ism/Manifest"), &[]),
    ];
    for (package, seconds, encrypted, url, manifests) in table {
        let shown = json(&tree, &format!("endpoint/ch-0000-{package}"));
        assert_eq!(shown["package"], package);
        assert_eq!(shown["channel_id"], "ch-0000", "{package}");
        assert_eq!(shown["segment_duration_seconds"], seconds, "{package}");
        assert_eq!(shown["encrypted"], encrypted, "{package}");
        assert_eq!(shown["tags"], json!({"package": package}));
        let ends = |v: &Value, end: &str| v.as_str().is_some_and(|text| text.ends_with(end));
        match url {
            Some(end) => assert!(ends(&shown["url"], end), "{shown}"),
            None => assert_eq!(shown["url"], Value::Null, "{package}"),
        }
        let listed = shown["manifests"].as_array().unwrap();
        assert_eq!(listed.len(), manifests.len(), "{shown}");
        for (manifest, end) in listed.iter().zip(manifests) {
            assert!(ends(&manifest["url"], end), "{manifest}");
        }
    }
    agent.stop();
}

#[test]
fn every_kind_of_alarm_is_shown_and_only_those_of_mediapackage() {
    let mut world = World::new("eu-central-1").with_channels(1, 1);
    let math = json!([{"Id": "e", "Expression": "a/2"}, {"Id": "a", "MetricStat": {
        "Metric": {"Namespace": "AWS/MediaPackage", "MetricName": "EgressBytes",
            "Dimensions": [{"Name": "Channel", "Value": "ch-0000"}]},
        "Period": 60, "Stat": "Sum"}}]);
    world.put_alarm(Alarm::metric(
        "real alarm/1",
        "IngressBytes",
        &[("Channel", "ch-0000")],
    ));
    world.put_alarm(Alarm::of("math", AlarmKind::Math(math)));
    world.put_alarm(Alarm::composite("both", "ALARM(\"math\") OR ALARM(\"x\")"));
    let site = Site::new(world.standard_metrics());
    let other = AlarmKind::Metric {
        namespace: String::from("AWS/EC2"),
        metric: String::from("CPUUtilization"),
        dimensions: Vec::new(),
    };
    let agent = site.agent();
    let eyes = site.eyes();
    let tree = site.wait_for_picture(&eyes);
    site.region.edit(|w| {
        w.put_alarm(Alarm::of("not ours", other));
        w.put_alarm(Alarm::composite("neither", "ALARM(\"not ours\")"));
        w.put_alarm(Alarm::metric("late", "EgressBytes", &[]));
    });
    eyes.wait_until(LIMIT, |tree| !text(tree, "alarm/late").is_empty());
    let kept = site.retained();
    let shown = |name: &str| json(&tree, &format!("alarm/{}", level(name)));
    for (name, kind, channel) in [
        ("real alarm/1", "metric", json!("ch-0000")),
        ("math", "metric", json!("ch-0000")),
        ("both", "composite", Value::Null),
    ] {
        let alarm = shown(name);
        let shown = (&alarm["name"], &alarm["type"], &alarm["channel_id"]);
        assert_eq!(shown, (&json!(name), &json!(kind), &channel), "{alarm}");
        assert_eq!(alarm["updated_at"], "2026-01-01T00:00:00.125Z");
    }
    for name in ["not ours", "neither"] {
        assert_eq!(json(&kept, &format!("alarm/{}", level(name))), Value::Null);
    }
    agent.stop();
}

#[test]
fn awkward_names_and_texts_are_published_faithfully_in_valid_topics() {
    let site = Site::new(World::awkward("eu-central-1"));
    let agent = site.agent();
    let tree = site.wait_for_picture(&site.eyes());
    let spelled = [
        ("a/b#c+d", "a%2Fb%23c%2Bd"),
        ("Größe \"1\"\nzwei", "Gr%C3%B6%C3%9Fe%20%221%22%0Azwei"),
        ("$share/100% ✓", "%24share%2F100%25%20%E2%9C%93"),
        ("..", ".."),
    ];
    for (id, topic) in spelled {
        let shown = json(&tree, &format!("channel/{topic}"));
        assert_eq!(shown["id"], id);
        assert_eq!(json(&tree, &format!("channel/{topic}/health"))["id"], id);
        assert_eq!(json(&tree, &format!("channel/{topic}/metrics"))["id"], id);
        let endpoint = json(&tree, &format!("endpoint/{topic}-cmaf"));
        assert_eq!(endpoint["channel_id"], id);
    }
    let long = "x".repeat(300);
    assert_eq!(
        json(&tree, &format!("channel/{}", level(&long)))["id"],
        long.as_str()
    );
    let (description, tags) = site.region.edit(|w| {
        let first = w.channel("a/b#c+d");
        (first.description.clone(), json!(first.tags))
    });
    let first = json(&tree, "channel/a%2Fb%23c%2Bd");
    assert_eq!(first["description"], json!(description));
    assert_eq!(first["tags"], tags);
    let nulls = json(&tree, "channel/..");
    for key in ["arn", "created_at", "description", "egress_access_logs"] {
        assert_eq!(nulls[key], Value::Null, "{key}");
    }
    assert_eq!(
        (&nulls["tags"], &nulls["ingest_endpoints"]),
        (&json!({}), &json!([]))
    );
    let hls = json(&tree, "endpoint/a%2Fb%23c%2Bd-hls");
    assert_eq!(hls["origination"], "ALLOW_SOMETIMES");
    assert_eq!(
        (&hls["package"], &hls["segment_duration_seconds"]),
        (&json!("hls"), &Value::Null)
    );
    assert_eq!(
        json(&tree, "endpoint/a%2Fb%23c%2Bd-dash")["package"],
        Value::Null
    );
    let alarm = json(&tree, &format!("alarm/{}", level("a/b#c+d \"é\"")));
    assert_eq!(alarm["state"], "SOMEWHAT_ALARMED");
    let reason = alarm["reason"].as_str().unwrap();
    assert_eq!(reason, "no data\n\"é\" ".repeat(40));
    agent.stop();
}

#[test]
fn a_payload_that_is_too_large_is_left_out_and_told_and_the_session_goes_on() {
    let site = Site::new(World::new("eu-central-1").with_channels(3, 1));
    let tags: BTreeMap<String, String> = (0..3000)
        .map(|n| (format!("tag-{n:04}"), "v".repeat(50)))
        .collect();
    site.region.edit(|w| w.channel("ch-0001").tags = tags);
    let agent = site.agent();
    let eyes = site.eyes();
    let told = agent.wait_for_log("is left out");
    assert!(
        told.contains("mediapackage/test/channel/ch-0001 "),
        "{told}"
    );
    let rest = |tree: &Tree| {
        [
            "channel/ch-0000",
            "channel/ch-0002",
            "channel/ch-0001/health",
        ]
        .iter()
        .all(|t| !text(tree, t).is_empty())
    };
    eyes.wait_until(LIMIT, rest);
    site.region.edit(|w| w.channel("ch-0001").tags.clear());
    let tree = eyes.wait_until(LIMIT, |tree| !text(tree, "channel/ch-0001").is_empty());
    assert_eq!(json(&tree, "channel/ch-0001")["tags"], json!({}));
    assert_eq!(agent.logged("mqtt: connected"), 1);
    agent.stop();
}
