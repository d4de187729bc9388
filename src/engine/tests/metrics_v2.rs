//! Metrics and health of v2 and VOD, beside v1 in one namespace.

use serde_json::{Value, json};

use super::region::{alarm, channel, endpoint};
use super::rig::{START, time_of};
use super::*;
use crate::state::model::{Api, Channel, Endpoint, IngestEndpoint, PackagingConfiguration};
use crate::state::model::{Package, Tags};
use crate::state::polled::{self, PolledAlarm};
use crate::state::wish::MetricsLevel::{self, Channels, Full, Standard};

/// The dimensions of channel `g.c`.
const OF_C: &str = "Channel=c ChannelGroup=g";
const METRICS: &str = "channel/g.c/metrics";
const HEALTH: &str = "channel/g.c/health";

/// A channel of v2; every one has ingest endpoints 1 and 2.
fn channel_v2(group: &str, name: &str) -> Channel {
    let input = |id: &str| IngestEndpoint {
        id: id.into(),
        url: None,
    };
    let arn = "arn:aws:mediapackagev2:eu-central-1:123456789012:channelGroup";
    Channel {
        api: Api::V2,
        channel_group: Some(group.into()),
        arn: Some(format!("{arn}/{group}/channel/{name}")),
        ingest_endpoints: vec![input("1"), input("2")],
        ..channel(&format!("{group}.{name}"))
    }
}

fn endpoint_v2(channel: &str, name: &str) -> Endpoint {
    Endpoint {
        api: Api::V2,
        arn: Some(format!(
            "arn:aws:mediapackagev2:r:1:x/originEndpoint/{name}"
        )),
        ..endpoint(&format!("{channel}.{name}"), channel)
    }
}

fn packaging(id: &str, group: &str) -> PackagingConfiguration {
    PackagingConfiguration {
        id: id.into(),
        packaging_group_id: Some(group.into()),
        arn: None,
        created_at: None,
        package: Some(Package::Hls),
        segment_duration_seconds: None,
        encrypted: false,
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

fn add(region: &mut Region, channel: Channel, endpoints: &[Endpoint]) {
    region.channels.insert(channel.id.to_string(), channel);
    for endpoint in endpoints {
        let id = endpoint.id.to_string();
        region.endpoints.insert(id, endpoint.clone());
    }
}

/// Channel `g.c` with endpoint `e`, and every series that AWS's page names of them.
fn full() -> Region {
    let mut region = Region::default();
    add(
        &mut region,
        channel_v2("g", "c"),
        &[endpoint_v2("g.c", "e")],
    );
    let of_e = format!("{OF_C} OriginEndpoint=e");
    let mut feed = |series: &str, of: &str, value: f64| {
        let name = |more: &str| format!("{series} {of}{more}");
        region.feed(&name(""), ALWAYS, value);
        // A part of the same, which must not be taken for the whole.
        region.feed(&name(" RequestType=segment"), ALWAYS, value - 1.0);
    };
    for of in [OF_C, &of_e] {
        feed("EgressBytes", of, 3e6);
        feed("EgressRequestCount", of, 100.0);
        feed("EgressResponseTime", of, 5.0);
    }
    feed("IngressBytes", OF_C, 6e6);
    feed("IngressRequestCount", OF_C, 60.0);
    feed("IngressResponseTime", OF_C, 12.34);
    for class in ["2xx", "3xx", "4xx", "5xx"] {
        let more = format!(" StatusCode={class}");
        region.feed(&format!("EgressRequestCount {OF_C}{more}"), ALWAYS, 1.0);
        region.feed(&format!("IngressRequestCount {OF_C}{more}"), ALWAYS, 7.0);
        region.feed(&format!("EgressRequestCount {of_e}{more}"), ALWAYS, 2.0);
    }
    region.feed(&format!("ChannelMQCS {OF_C}"), ALWAYS, 97.56);
    region.feed(&format!("ChannelMQCSSequence {OF_C}"), ALWAYS, 1.0);
    for (input, score) in [("1", 97.56), ("2", 40.0)] {
        let of = format!("{OF_C} IngestEndpoint={input}");
        region.feed(&format!("IngressBytes {of}"), ALWAYS, 3e6);
        region.feed(&format!("IngressRequestCount {of}"), ALWAYS, 30.0);
        region.feed(&format!("IngressMQCS {of}"), ALWAYS, score);
        region.feed(&format!("IngressMQCS {of} TrackType=Video"), ALWAYS, 1.0);
    }
    region
}

fn at_level(region: Region, level: MetricsLevel) -> Rig {
    let mut rig = Rig::with(region, |s| s.wish.level = level);
    rig.to(600);
    rig
}

#[test]
fn each_level_asks_for_its_series_of_v2_and_no_other() {
    let core = 8;
    let scores = 1 + 2;
    let cases = [
        (Channels, core + scores),
        (Standard, core + scores + 2 + 2),
        (Full, core + scores + 2 + 2 + (3 + 4)),
    ];
    for (level, wanted) in cases {
        let rig = at_level(full(), level);
        let series = &rig.region.asked[0].series;
        assert_eq!(series.len(), wanted, "{level:?}: {series:?}");
        let shown = rig.json(METRICS);
        assert_eq!(shown["ingress_request_count"], 60, "{level:?}");
        assert_eq!(shown["channel_mqcs"], 97.6, "{level:?}");
        let receiving = &rig.json(HEALTH)["inputs_receiving"];
        let told = (level > Channels).then_some(2);
        assert_eq!(receiving.as_i64(), told, "{level:?}");
        let of_2xx = &shown["egress_request_count_2xx"];
        assert_eq!(of_2xx.is_i64(), level == Full, "{level:?}");
        let endpoint = rig.json("endpoint/g.c.e/metrics");
        assert_eq!(endpoint.is_object(), level >= Standard, "{level:?}");
        let of_5xx = &endpoint["egress_request_count_5xx"];
        assert_eq!(of_5xx.as_i64(), (level == Full).then_some(2), "{level:?}");
    }
}

#[test]
fn the_core_of_v2_is_asked_for_before_anything_is_listed() {
    let mut region = full();
    region.listed.clear();
    let rig = at_level(region, Full);
    let mut series = rig.region.asked[0].series.clone();
    series.sort();
    let wanted = [
        "EgressBytes",
        "EgressRequestCount",
        "EgressRequestCount 4xx",
        "EgressRequestCount 5xx",
        "EgressResponseTime",
        "IngressBytes",
        "IngressRequestCount",
        "IngressResponseTime",
    ];
    let wanted = wanted.map(|name| match name.split_once(' ') {
        Some((name, class)) => format!("{name} {OF_C} StatusCode={class}"),
        None => format!("{name} {OF_C}"),
    });
    assert_eq!(series, wanted);
    let shown = rig.json(METRICS);
    assert_eq!(shown["channel_mqcs"], Value::Null);
    assert_eq!(shown["inputs"], json!([]));
}

fn input(id: &str, active: Option<bool>, rate: Option<i64>, mqcs: f64) -> Value {
    json!({"id": id, "active": active, "bits_per_second": rate, "mqcs": mqcs})
}

#[test]
fn an_input_of_v2_is_active_while_it_has_bytes() {
    let rate = Some(400_000);
    let both = json!([
        input("1", Some(true), rate, 97.6),
        input("2", Some(true), rate, 40.0),
    ]);
    let scores = json!([input("1", None, None, 97.6), input("2", None, None, 40.0)]);
    for (level, wanted) in [(Channels, &scores), (Standard, &both), (Full, &both)] {
        let rig = at_level(full(), level);
        assert_eq!(rig.json(METRICS)["inputs"], *wanted, "{level:?}");
        let endpoint = rig.json("endpoint/g.c.e/metrics");
        assert_eq!(endpoint["active_input"], Value::Null);
    }
    // An input falls silent: no points come any more; then nothing comes in at all.
    let mut region = full();
    region.stop(&format!("IngressBytes {OF_C} IngestEndpoint=2"), M0 + 20);
    region.stop(&format!("IngressBytes {OF_C} IngestEndpoint=1"), M0 + 40);
    region.stop(&format!("IngressBytes {OF_C}"), M0 + 40);
    let mut rig = Rig::new(rig::settings(), region);
    rig.to(3600);
    let of = |minute: i64| {
        let mut points = rig.messages("channel/g.c/point").into_iter();
        let point = points.find(|p| p["timestamp"] == time_of(minute)).unwrap();
        point["inputs"].clone()
    };
    let one = json!([
        input("1", Some(true), rate, 97.6),
        input("2", Some(false), None, 40.0),
    ]);
    assert_eq!(
        [of(19), of(20), of(39), of(40)],
        [both, one.clone(), one, scores]
    );
}

#[test]
fn the_same_name_in_v1_v2_and_vod_is_three_things() {
    let mut region = Region::default();
    // Ids, groups, names and the ends of ARNs are all the same word.
    add(&mut region, channel("x"), &[endpoint("x", "x")]);
    for (group, name) in [("x", "x"), ("x", "y"), ("y", "x")] {
        let channel = channel_v2(group, name);
        let endpoint = endpoint_v2(&channel.id, "x");
        add(&mut region, channel, &[endpoint]);
    }
    let sets = [
        ("Channel=x", "channel/x"),
        ("Channel=x OriginEndpoint=x", "endpoint/x"),
        ("Channel=x ChannelGroup=x", "channel/x.x"),
        ("Channel=y ChannelGroup=x", "channel/x.y"),
        ("Channel=x ChannelGroup=y", "channel/y.x"),
        (
            "Channel=x ChannelGroup=x OriginEndpoint=x",
            "endpoint/x.x.x",
        ),
        (
            "Channel=y ChannelGroup=x OriginEndpoint=x",
            "endpoint/x.y.x",
        ),
        (
            "Channel=x ChannelGroup=y OriginEndpoint=x",
            "endpoint/y.x.x",
        ),
        ("PackagingConfiguration=x", "packaging_configuration/x"),
    ];
    for (n, (of, _)) in sets.iter().enumerate() {
        region.feed(&format!("EgressBytes {of}"), ALWAYS, 1000.0 + n as f64);
    }
    // Sums over several of them.
    for of in [
        "",
        " ChannelGroup=x",
        " RequestType=segment",
        " StatusCode=4xx",
    ] {
        region.feed(&format!("EgressBytes{of}"), ALWAYS, 9.0);
    }
    let mut rig = Rig::new(rig::settings(), region);
    rig.engine
        .inventory
        .apply_vod(vod_of(vec![packaging("x", "x")]));
    rig.to(600);
    for (n, (of, topic)) in sets.iter().enumerate() {
        let shown = rig.json(&format!("{topic}/metrics"));
        assert_eq!(shown["egress_bytes"], 1000 + n, "{of}");
    }
    let stats = rig.json("agent/stats");
    assert_eq!(
        stats["series"],
        json!({"matched": sets.len(), "unmatched": 0})
    );
    // What is asked of one is asked of no other.
    let mut asked = rig.region.asked[0].series.clone();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all);
    // v1 has no scores, but their keys.
    let shown = rig.json("channel/x/metrics");
    let keys = shown.as_object().unwrap();
    for key in ["channel_mqcs", "ingress_request_count"] {
        assert_eq!(keys.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(keys["api"], "v1");
}

/// `health ingest inputs_receiving`
fn light(rig: &Rig) -> String {
    let health = rig.json(HEALTH);
    let word = |key: &str| health[key].as_str().unwrap_or("-").to_owned();
    let receiving = &health["inputs_receiving"];
    format!("{} {} {receiving}", word("health"), word("ingest"))
}

#[test]
fn the_health_of_v2_follows_the_bytes_of_its_inputs() {
    let series = ["", " IngestEndpoint=1", " IngestEndpoint=2"];
    let [whole, first, second] = series.map(|of| format!("IngressBytes {OF_C}{of}"));
    let mut rig = Rig::with(full(), |s| {
        s.wish.metrics_interval = Duration::from_secs(60);
    });
    rig.to(1200);
    assert_eq!(light(&rig), "ok receiving 2");
    rig.region.stop(&second, M0 + 20);
    rig.to(1800);
    assert_eq!(light(&rig), "warning receiving 1");
    let silent = "Input 2 is silent while the channel receives.";
    assert_eq!(rig.json(HEALTH)["reasons"], json!([silent]));
    for of in [&whole, &first] {
        rig.region.stop(of, M0 + 30);
    }
    rig.to(2400);
    assert_eq!(light(&rig), "critical lost 0");
    assert_eq!(rig.json(HEALTH)["ingest_since"], time_of(30));
    for of in [&whole, &first, &second] {
        rig.region.feed(of, M0 + 45..M0 + 10_000, 1e6);
    }
    rig.to(3600);
    assert_eq!(light(&rig), "ok receiving 2");
    let events = ["g.c receiving>lost", "g.c lost>receiving"];
    assert_eq!(rig.events("ingest"), events);
}

/// Dimensions, and the channel and endpoint that they name.
type Owned = (
    &'static [(&'static str, &'static str)],
    Option<&'static str>,
    Option<&'static str>,
);

#[test]
fn an_alarm_of_v2_is_found_by_group_and_names() {
    let cases: [Owned; 8] = [
        (
            &[("ChannelGroup", "g"), ("Channel", "c")],
            Some("g.c"),
            None,
        ),
        (
            &[
                ("Channel", "c"),
                ("ChannelGroup", "g"),
                ("OriginEndpoint", "e"),
            ],
            Some("g.c"),
            Some("g.c.e"),
        ),
        (
            &[
                ("ChannelGroup", "g"),
                ("Channel", "c"),
                ("IngestEndpoint", "1"),
            ],
            Some("g.c"),
            None,
        ),
        (
            &[
                ("ChannelGroup", "g"),
                ("Channel", "c"),
                ("StatusCode", "5xx"),
            ],
            Some("g.c"),
            None,
        ),
        // Of the group as a whole, of a channel that is not there, of v1.
        (&[("ChannelGroup", "g")], None, None),
        (&[("ChannelGroup", "h"), ("Channel", "c")], None, None),
        (&[("Channel", "c")], Some("c"), None),
        (&[("PackagingConfiguration", "c")], None, None),
    ];
    let mut region = full();
    add(&mut region, channel("c"), &[]);
    let row = |(n, (dimensions, ..)): (usize, &Owned)| PolledAlarm {
        dimensions: dimensions
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        ..alarm(&format!("a{n}"), "ALARM", START)
    };
    region.alarms = cases.iter().enumerate().map(row).collect();
    let mut rig = Rig::new(rig::settings(), region);
    rig.to(300);
    for (n, (dimensions, channel, endpoint)) in cases.iter().enumerate() {
        let alarm = rig.json(&format!("alarm/a{n}"));
        assert_eq!(alarm["channel_id"].as_str(), *channel, "{dimensions:?}");
        assert_eq!(alarm["endpoint_id"].as_str(), *endpoint, "{dimensions:?}");
    }
    let active = json!(["a0", "a1", "a2", "a3"]);
    assert_eq!(rig.json(HEALTH)["alarms"], active);
}

/// Feeds what VOD has of a packaging configuration.
fn feed_packaging(region: &mut Region, id: &str) {
    let of = format!("PackagingConfiguration={id}");
    region.feed(&format!("EgressBytes {of}"), ALWAYS, 3e6);
    region.feed(&format!("EgressRequestCount {of}"), ALWAYS, 100.0);
    region.feed(&format!("EgressResponseTime {of}"), ALWAYS, 5.04);
    let of_4xx = format!("EgressRequestCount {of} StatusCodeRange=4xx");
    region.feed(&of_4xx, ALWAYS, 4.0);
}

#[test]
fn a_packaging_configuration_has_the_metrics_and_points_of_an_endpoint() {
    let topic = "packaging_configuration/p1";
    for (level, wanted) in [(Channels, 0), (Standard, 2), (Full, 4)] {
        let mut region = full();
        feed_packaging(&mut region, "p1");
        let mut rig = Rig::with(region, |s| s.wish.level = level);
        let listing = vec![packaging("p1", "films")];
        rig.engine.inventory.apply_vod(vod_of(listing));
        rig.to(1800);
        let asked = &rig.region.asked[0].series;
        let asked = asked.iter().filter(|s| s.contains("Packaging"));
        assert_eq!(asked.count(), wanted, "{level:?}");
        let shown = rig.json(&format!("{topic}/metrics"));
        assert_eq!(shown.is_object(), level > Channels, "{level:?}");
        if level < Full {
            continue;
        }
        let mut keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
        keys.retain(|key| *key != "packaging_group_id");
        let endpoint = rig.json("endpoint/g.c.e/metrics");
        let of_endpoint: Vec<&String> = endpoint.as_object().unwrap().keys().collect();
        assert_eq!(keys, of_endpoint);
        let wanted = [
            ("id", json!("p1")),
            ("api", json!("vod")),
            ("channel_id", Value::Null),
            ("packaging_group_id", json!("films")),
            ("egress_bytes", json!(3_000_000)),
            ("egress_response_time_ms", json!(5.0)),
            ("egress_request_count_4xx", json!(4)),
            ("active_input", Value::Null),
            ("state", json!("current")),
        ];
        for (key, value) in wanted {
            assert_eq!(shown[key], value, "{key}");
        }
        let points = rig.points(&format!("{topic}/point"));
        assert!(points.len() > 20, "{points:?}");
        assert_eq!(points, rig.points("endpoint/g.c.e/point"));
    }
}

#[test]
fn packaging_configurations_are_asked_after_the_channels_250_series_at_a_time() {
    let mut region = live(&["c1", "zz"]);
    let ids: Vec<String> = (0..260).map(|n| format!("p{n:03}")).collect();
    ids.iter().for_each(|id| feed_packaging(&mut region, id));
    let mut rig = Rig::new(rig::settings(), region);
    let listing = ids.iter().map(|id| packaging(id, "g")).collect();
    rig.engine.inventory.apply_vod(vod_of(listing));
    rig.to(580);
    let asked = rig.region.asked.iter();
    let sizes: Vec<usize> = asked.map(|a| a.series.len()).collect();
    assert_eq!(sizes[sizes.len() - 3..], [250, 250, 42], "{sizes:?}");
    for id in &ids {
        let shown = rig.json(&format!("packaging_configuration/{id}/metrics"));
        assert_eq!(shown["egress_bytes"], 3_000_000, "{id}");
    }
    // A broker that cannot keep up gets the points of all of them in turn.
    rig.broker.gap = Duration::from_millis(400);
    rig.to(3 * 3600);
    for id in ids
        .iter()
        .map(|id| format!("packaging_configuration/{id}/point"))
    {
        assert!(rig.points(&id).len() > 20, "{id}");
    }
    assert!(rig.points("channel/c1/point").len() > 20);
}

#[test]
fn a_packaging_configuration_that_is_gone_is_asked_for_no_more() {
    let mut region = live(&["c1"]);
    feed_packaging(&mut region, "p");
    let mut rig = Rig::new(rig::settings(), region);
    rig.engine
        .inventory
        .apply_vod(vod_of(vec![packaging("p", "g")]));
    rig.to(600);
    let asks = |rig: &Rig| {
        let last = rig.region.asked.last().unwrap();
        last.series
            .iter()
            .any(|series| series.contains("Packaging"))
    };
    assert!(asks(&rig));
    for _ in 0..2 {
        rig.engine.inventory.apply_vod(vod_of(Vec::new()));
    }
    rig.minutes(11);
    assert!(!asks(&rig));
}
