//! Minutes and what follows from them, with a region whose clock the test sets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{LIMIT, PREFIX, Site, json, no_secret_in, wait_for};
use crate::region::Clock;
use crate::region::{FOREVER, Fault, World};
use crate::support::subscriber::Subscriber;

/// The middle of a minute, so that none settles by itself.
const START_MS: i64 = 1_795_341_630_000;
const CHANNEL: &[(&str, &str)] = &[("Channel", "ch-0000")];

fn site() -> Site {
    let mut world = World::new("eu-central-1").with_channels(2, 2);
    world.clock = Clock::Fixed(START_MS);
    Site::new(world.standard_metrics())
}

fn advance(site: &Site, minutes: i64) {
    site.region
        .edit(|w| w.clock = Clock::Fixed(w.now_ms() + minutes * 60_000));
}

/// The points of every resource, in the order in which they came.
fn points(eyes: &Subscriber) -> BTreeMap<String, Vec<Value>> {
    let mut points: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for message in eyes.stream() {
        if let Some(resource) = message.topic.strip_suffix("/point") {
            assert!(!message.retained);
            no_secret_in(&message.topic, &message.payload);
            let point = serde_json::from_str(&message.payload).unwrap();
            points.entry(resource.to_owned()).or_default().push(point);
        }
    }
    points
}

/// Waits until the newest settled minute of all six resources is shown and has gone out.
fn wait_for_minute(eyes: &Subscriber, site: &Site) -> String {
    // Three minutes to settle, and a minute is named by its start.
    let newest = site.region.edit(|w| w.minute()) - 4;
    let wanted = minute_text(newest);
    eyes.wait_until(LIMIT, |tree| {
        let metrics = tree.keys().filter(|t| t.ends_with("/metrics"));
        let names = metrics.map(|t| t.strip_prefix(PREFIX).unwrap_or(t));
        let told = |name: &str| {
            let point = name.replace("/metrics", "/point");
            [name, point.as_str()]
                .iter()
                .all(|topic| json(tree, topic)["timestamp"] == wanted.as_str())
        };
        names.filter(|name| told(name)).count() == 6
    });
    wanted
}

#[test]
fn each_minute_goes_out_once_and_oldest_first_also_over_restarts_of_the_agent() {
    let site = site();
    let eyes = site.eyes();
    let mut wanted = Vec::new();
    let agent = site.agent();
    wanted.push(wait_for_minute(&eyes, &site));
    advance(&site, 1);
    wanted.push(wait_for_minute(&eyes, &site));
    agent.kill();
    advance(&site, 3);
    let agent = site.agent();
    let newest = wait_for_minute(&eyes, &site);
    // Those that settled while nobody looked.
    wanted.extend((2..=3).map(|n| minute_text(START_MS / 60_000 - 4 + n)));
    wanted.push(newest);
    agent.stop();
    advance(&site, 1);
    let agent = site.agent();
    wanted.push(wait_for_minute(&eyes, &site));
    let points = points(&eyes);
    assert_eq!(points.len(), 6);
    for (resource, points) in points {
        let minutes: Vec<&str> = points
            .iter()
            .filter_map(|p| p["timestamp"].as_str())
            .collect();
        assert_eq!(minutes, wanted, "{resource}");
        assert!(points.iter().all(|p| p["revised"] == false), "{resource}");
    }
    agent.stop();
}

fn minute_text(minute: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(minute * 60).unwrap();
    at.format(&time::format_description::well_known::Rfc3339)
        .unwrap()
}

#[test]
fn a_minute_that_is_revised_or_comes_late_goes_out_once_more_and_marked() {
    let site = site();
    let agent = site.agent();
    let eyes = site.eyes();
    wait_for_minute(&eyes, &site);
    let shown = START_MS / 60_000 - 4;
    advance(&site, 1);
    wait_for_minute(&eyes, &site);
    let revisions: [(i64, f64); 2] = [(shown, 111.0), (shown, 222.0)];
    for (minute, bytes) in revisions {
        site.region.edit(|w| {
            let now_ms = w.now_ms();
            let series = w.metrics.series("IngressBytes", CHANNEL);
            series.revise(minute, now_ms, bytes);
        });
        let revised = eyes.wait_for(LIMIT, |m| {
            let point: Value = serde_json::from_str(&m.payload).unwrap_or_default();
            m.topic == format!("{PREFIX}channel/ch-0000/point") && point["ingress_bytes"] == bytes
        });
        let point: Value = serde_json::from_str(&revised.payload).unwrap();
        assert_eq!(point["revised"], true, "{point}");
        assert_eq!(point["timestamp"], minute_text(minute), "{point}");
    }
    site.wait_for_requests("GetMetricData", 3);
    let points = points(&eyes);
    let of_channel = &points[&format!("{PREFIX}channel/ch-0000")];
    let revised = of_channel.iter().filter(|p| p["revised"] == true);
    assert_eq!(revised.count(), revisions.len());
    // The shown minute never goes back.
    let metrics = json(&eyes.tree(), "channel/ch-0000/metrics");
    assert_eq!(metrics["timestamp"], minute_text(shown + 1), "{metrics}");
    agent.stop();
}

/// A change of the region, and the health and ingest of `ch-0000` that it leads to.
struct Step {
    what: &'static str,
    change: fn(&Site),
    health: &'static str,
    ingest: &'static str,
    receiving: Value,
    /// Events so far.
    events: &'static [&'static str],
}

fn stop_inputs(site: &Site, inputs: &[usize]) {
    site.region.edit(|w| {
        let minute = w.minute();
        for input in inputs {
            w.stop_input("ch-0000", *input, minute);
        }
        if inputs.len() == 2 {
            w.stop_ingest("ch-0000", minute);
        }
    });
    advance(site, 12);
}

fn fail_metrics(site: &Site) {
    site.region
        .edit(|w| w.faults.add("GetMetricData", FOREVER, Fault::html(502)));
}

fn start_again(site: &Site) {
    site.region.edit(|w| {
        let minute = w.minute();
        w.start_ingest("ch-0000", minute);
        w.start_input("ch-0000", 0, minute);
        w.start_input("ch-0000", 1, minute);
    });
    advance(site, 12);
}

fn steps() -> [Step; 6] {
    let step = |what, change, health, ingest, receiving: Option<u8>, events| Step {
        what,
        change,
        health,
        ingest,
        receiving: receiving.map_or(Value::Null, Value::from),
        events,
    };
    [
        step("start", |_| {}, "ok", "receiving", Some(2), &[]),
        step(
            "one input is silent",
            |site| stop_inputs(site, &[0]),
            "warning",
            "receiving",
            Some(1),
            &[],
        ),
        step(
            "both are",
            |site| stop_inputs(site, &[0, 1]),
            "critical",
            "lost",
            Some(0),
            &["lost"],
        ),
        step(
            "metrics fail",
            fail_metrics,
            "unknown",
            "unknown",
            None,
            &["lost"],
        ),
        step(
            "metrics work again",
            |site| site.region.edit(|w| w.faults.clear()),
            "critical",
            "lost",
            Some(0),
            &["lost"],
        ),
        step(
            "all receive again",
            start_again,
            "ok",
            "receiving",
            Some(2),
            &["lost", "receiving"],
        ),
    ]
}

#[test]
fn health_is_right_at_each_step_and_each_change_of_ingest_is_one_event() {
    for restarted_after in [None, Some("both are"), Some("metrics fail")] {
        let site = site();
        let eyes = site.eyes();
        let mut agent = site.agent();
        for step in steps() {
            let what = format!("{} (restarted after {restarted_after:?})", step.what);
            (step.change)(&site);
            let shown = || {
                let health = json(&eyes.tree(), "channel/ch-0000/health");
                let right = health["health"] == step.health
                    && health["ingest"] == step.ingest
                    && health["inputs_receiving"] == step.receiving;
                right.then_some(health)
            };
            let health = wait_for(&what, shown);
            assert_eq!(health["inputs_total"], 2, "{what}");
            let silent = health["reasons"].as_array().is_some_and(Vec::is_empty);
            assert_eq!(silent, step.health == "ok", "{what}: {health}");
            let told = || {
                let events = ingest_events(&eyes);
                (events.len() >= step.events.len()).then_some(events)
            };
            assert_eq!(wait_for(&what, told), step.events, "{what}");
            if restarted_after == Some(step.what) {
                agent.stop();
                agent = site.agent();
            }
        }
        agent.stop();
    }
}

/// The states that `event/ingest` told of `ch-0000`.
fn ingest_events(eyes: &Subscriber) -> Vec<String> {
    let events = eyes.stream().into_iter();
    let events = events.filter(|m| m.topic == format!("{PREFIX}event/ingest"));
    let payloads = events.map(|m| serde_json::from_str::<Value>(&m.payload).unwrap());
    payloads
        .filter(|event| event["channel_id"] == "ch-0000")
        .filter_map(|event| event["state"].as_str().map(str::to_owned))
        .collect()
}
