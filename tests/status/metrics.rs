//! What Prometheus scrapes, read by its own parsers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::client::{Reply, try_to_ask};
use crate::harness::{no_secret_in, wait_for, wait_for_or};
use crate::place::{Place, shown};
use crate::region::{Alarm, World};

const NASTY: &str = "<img src=x onerror=\"alert(1)\">\\ é\nzwei";

#[derive(Debug, Deserialize)]
struct Family {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    unit: String,
    help: String,
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, Deserialize)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// By the name of a family.
type Families = BTreeMap<String, Family>;

/// What Prometheus's parser makes of a text.
fn parse(form: &str, text: &str) -> Families {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/prometheus");
    let venv = std::env::var_os("PROMETHEUS_VENV").map_or(made, PathBuf::from);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/status/parse.py");
    let mut child = Command::new(venv.join("bin/python"))
        .arg(script)
        .arg(form)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python with prometheus-client, which tests/run installs");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{text}");
    let families: Vec<Family> = serde_json::from_slice(&output.stdout).unwrap();
    let count = families.len();
    let by_name: Families = families.into_iter().map(|f| (f.name.clone(), f)).collect();
    assert_eq!(by_name.len(), count, "a family comes twice");
    by_name
}

/// What is given to one that accepts this, once the page is there.
fn scrape(place: &Place, accept: &str) -> Reply {
    let headers = [("Host", "localhost"), ("Accept", accept)];
    let reply = wait_for("the page", || {
        try_to_ask(place.port, "GET", "/metrics", &headers)
    });
    assert_eq!(reply.status, 200);
    no_secret_in("/metrics", &reply.body);
    reply
}

/// The value of the only sample with these labels.
fn value(families: &Families, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |sample: &&Sample| {
        labels
            .iter()
            .all(|(name, value)| sample.labels.get(*name).is_some_and(|v| v == value))
    };
    let mut samples = families.get(family)?.samples.iter().filter(fits);
    let found = samples.next()?.value;
    assert!(samples.next().is_none(), "{family} {labels:?} comes twice");
    Some(found)
}

fn world() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(1, 2)
        .with_groups(1, 1, 2)
        .with_packaging(1, 1);
    world.add_channel(NASTY, 1);
    let alarm = Alarm::metric("silent", "IngressBytes", &[("Channel", "ch-0000")]);
    world.put_alarm(alarm);
    world.standard_metrics()
}

#[test]
fn prometheus_reads_both_forms_and_finds_the_values_of_the_topics() {
    let place = Place::new(world()).with_all_apis();
    let agent = place.site.agent();
    // The minute that is shown changes now and then: page and metrics of the same one are held
    // against each other.
    let (state, open, text) = wait_for_or("metrics of the minute that is shown", || {
        let open = scrape(&place, "application/openmetrics-text; version=1.0.0");
        let text = scrape(&place, "*/*");
        let state = place.state();
        let minute = shown(&state, "channel/ch-0000/metrics")["timestamp"].clone();
        let families = parse("openmetrics", &open.body);
        let last = value(
            &families,
            "mediapackage_channel_metrics_timestamp_seconds",
            &[("channel", "ch-0000")],
        );
        let health = &shown(&state, "agent")["health"];
        let all = families.contains_key("mediapackage_packaging_configuration_egress_bytes")
            && families.contains_key("mediapackage_endpoint_active_input");
        match minute.as_str().is_some_and(|at| last == Some(seconds(at))) && all && health == "ok" {
            true => Ok((state, open, text)),
            false => Err(format!("{minute} {last:?} {health}")),
        }
    });
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), kind);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(text.header("content-type"), kind);
    let open = parse("openmetrics", &open.body);
    let text = parse("text", &text.body);
    families_are_well(&open, &text);
    values_are_those_of_the_topics(&open, &state);
    agent.stop();
}

fn seconds(at: &str) -> f64 {
    let at = time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339);
    at.unwrap().unix_timestamp() as f64
}

/// Names, types, units, and the same samples in both forms.
fn families_are_well(open: &Families, text: &Families) {
    for (name, family) in open {
        assert!(name.starts_with("mediapackage_"), "{name}");
        assert!(family.help.ends_with('.'), "{name}: {}", family.help);
        assert!(!family.samples.is_empty(), "{name}");
        assert_ne!(family.kind, "unknown", "{name}");
        let ends = ["_bytes", "_seconds", "_usd", "_bits_per_second"];
        let end = ends.iter().rev().find(|end| name.ends_with(**end));
        let unit = end.map_or("", |end| &end[1..]);
        assert_eq!(family.unit, unit, "{name}");
        let counts = [
            "mediapackage_agent_publishes",
            "mediapackage_source_polls",
            "mediapackage_source_failures",
            "mediapackage_source_requests",
            "mediapackage_push_accepted",
            "mediapackage_push_rejected",
        ];
        let is_counter = counts.contains(&&**name);
        assert_eq!(family.kind == "counter", is_counter, "{name}");
    }
    let names = |families: &Families| -> BTreeSet<(String, String)> {
        let samples = families.values().flat_map(|family| &family.samples);
        samples
            .map(|sample| (sample.name.clone(), format!("{:?}", sample.labels)))
            .collect()
    };
    assert_eq!(names(open), names(text));
}

fn values_are_those_of_the_topics(families: &Families, state: &Value) {
    let get = |family: &str, labels: &[(&str, &str)]| {
        value(families, &format!("mediapackage_{family}"), labels)
    };
    let channel = [("channel", "ch-0000"), ("api", "v1")];
    let metrics = shown(state, "channel/ch-0000/metrics");
    // What is milliseconds there is seconds here.
    let pairs = [
        ("egress_bytes", "channel_egress_bytes", 1.0),
        (
            "egress_bits_per_second",
            "channel_egress_bits_per_second",
            1.0,
        ),
        ("egress_request_count", "channel_egress_requests", 1.0),
        (
            "egress_response_time_ms",
            "channel_egress_response_time_seconds",
            1e-3,
        ),
        ("ingress_bytes", "channel_ingress_bytes", 1.0),
        (
            "ingress_bits_per_second",
            "channel_ingress_bits_per_second",
            1.0,
        ),
        (
            "ingress_response_time_ms",
            "channel_ingress_response_time_seconds",
            1e-3,
        ),
        ("window_seconds", "channel_window_seconds", 1.0),
    ];
    for (key, family, factor) in pairs {
        let wanted = metrics[key].as_f64().map(|wanted| wanted * factor);
        let found = get(family, &channel);
        let differ = found
            .zip(wanted)
            .map(|(found, wanted)| (found - wanted).abs());
        assert!(
            differ.is_some_and(|by| by < 1e-9),
            "{key}: {found:?} {wanted:?}"
        );
    }
    for class in ["2xx", "3xx", "4xx", "5xx"] {
        let wanted = metrics[format!("egress_request_count_{class}")].as_f64();
        let labels = [channel[0], ("code", class)];
        assert_eq!(get("channel_egress_responses", &labels), wanted, "{class}");
    }
    // v1 has no requests of the encoder: a gap is no 0.
    assert_eq!(get("channel_ingress_requests", &channel), None);
    let v2 = [
        ("channel", "group-0.ch-0000"),
        ("channel_group", "group-0"),
        ("api", "v2"),
    ];
    assert!(get("channel_ingress_requests", &v2).is_some());
    let endpoint = [("endpoint", "ch-0000-hls"), ("channel", "ch-0000")];
    let of_endpoint = &shown(state, "endpoint/ch-0000-hls/metrics")["egress_bytes"];
    assert_eq!(
        get("endpoint_egress_bytes", &endpoint),
        of_endpoint.as_f64()
    );
    assert_eq!(get("channel", &[("channel", NASTY)]), Some(1.0));
    assert!(get("channel_egress_bytes", &[("channel", NASTY)]).is_some());
    for (state, wanted) in [("ok", 1.0), ("critical", 0.0)] {
        let labels = [channel[0], ("state", state)];
        assert_eq!(get("channel_health", &labels), Some(wanted), "{state}");
    }
    let ingest = [channel[0], ("state", "receiving")];
    assert_eq!(get("channel_ingest", &ingest), Some(1.0));
    assert_eq!(get("agent_health", &[("state", "ok")]), Some(1.0));
    for source in ["mediapackage", "metrics", "alarms"] {
        assert_eq!(
            get("source_up", &[("source", source)]),
            Some(1.0),
            "{source}"
        );
    }
    assert_eq!(get("source_up", &[("source", "sns")]), None);
    assert_eq!(get("alarms", &[("state", "ALARM")]), Some(0.0));
    assert_eq!(get("channels", &[]), Some(3.0));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        get("agent", &[("version", version), ("region", "eu-central-1")]),
        Some(1.0)
    );
}
