//! The picture that the page reads.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::ask;
use crate::harness::{PREFIX, json, wait_for, wait_for_or, world};
use crate::place::{Place, shown};
use crate::region::{Alarm, World};

/// A place where only alarms are asked often, so that little changes by itself.
fn quiet() -> Place {
    let mut place = Place::new(world());
    place.site = place.site.configured(|config| {
        config
            .text("mediapackage.interval", "1h")
            .text("cloudwatch.interval", "1h")
    });
    place
}

#[test]
fn the_page_shows_what_the_broker_keeps_byte_for_byte() {
    let place = Place::new(World::awkward("eu-central-1")).with_all_apis();
    let agent = place.site.agent();
    wait_for_or("everything to be shown", || {
        let tree = place.site.retained();
        let kinds = [
            "channel_group/",
            "harvest_job/",
            "packaging_group/",
            "alarm/",
        ];
        let begins = |kind: &str| {
            let begin = format!("{PREFIX}{kind}");
            tree.keys().any(|topic| topic.starts_with(&begin))
        };
        let lack = kinds.iter().find(|kind| !begins(kind));
        let metrics = tree.keys().filter(|topic| topic.ends_with("/metrics"));
        match (lack, metrics.count(), &json(&tree, "agent")["health"]) {
            (None, 10.., health) if health == "ok" => Ok(()),
            found => Err(format!("{found:?}")),
        }
    });
    place.wait_until_same();
    let document = place.state();
    assert_eq!(document["prefix"], PREFIX);
    assert_eq!(document["whole"], true);
    agent.stop();
}

#[test]
fn who_has_a_document_gets_what_changed_since_and_the_whole_when_something_went() {
    let place = quiet();
    let agent = place.settled();
    let first = place.state();
    let tag = first["tag"].as_str().unwrap();
    // Nothing is sent that is there, while nothing changes: that is soon so.
    let etag = wait_for("an answer without a document", || {
        let etag = place.get("/api/state").header("etag").to_owned();
        let headers = [("Host", "localhost"), ("If-None-Match", &*etag)];
        let reply = ask(place.port, "GET", "/api/state", &headers);
        assert!(!reply.header("date").is_empty());
        (reply.status == 304 && reply.body.is_empty()).then_some(etag)
    });
    let document = place.state();
    assert_eq!(
        etag.trim_matches('"').rsplit_once('-').unwrap().0,
        tag.rsplit_once('-').unwrap().0
    );

    // An alarm changes, and what hangs on it.
    let region = &place.site.region;
    region.edit(|w| w.set_alarm("silent", "ALARM", "no bytes"));
    let changed = wait_for("the alarm", || {
        let part = place.since(&document);
        assert_eq!(part["whole"], false, "{part}");
        (shown(&part, "alarm/silent")["state"] == "ALARM").then_some(part)
    });
    let names = |document: &Value| -> BTreeSet<String> {
        let topics = document["topics"].as_object().unwrap();
        let below = topics.keys().map(|topic| topic[PREFIX.len()..].to_owned());
        below.collect()
    };
    let may = [
        "alarm/silent",
        "channel/ch-0000/health",
        "summary",
        "agent/stats",
        "agent",
    ];
    let may: BTreeSet<String> = may.map(str::to_owned).into();
    assert!(names(&changed).is_subset(&may), "{:?}", names(&changed));
    assert_ne!(changed["tag"], document["tag"]);

    // A tag of another process, or none at all, brings everything.
    for since in ["0-1", "x", "", "%ff", &format!("{tag}9999")] {
        let reply = place.get(&format!("/api/state?since={since}"));
        assert_eq!(reply.json()["whole"], true, "{since}");
    }

    // An alarm goes: only the whole tells that.
    let before = place.state();
    region.edit(|w| w.alarms.retain(|alarm| alarm.name != "silent"));
    let whole = wait_for("the alarm to go", || {
        let part = place.since(&before);
        (part["whole"] == true).then_some(part)
    });
    assert_eq!(*shown(&whole, "alarm/silent"), Value::Null);
    assert_eq!(names(&whole), names(&place.state()));
    place.wait_until_same();
    agent.stop();
}

#[test]
fn the_page_is_right_while_the_broker_is_away() {
    let mut place = Place::new(world());
    let agent = place.settled();
    place.site.broker.stop();
    place.site.region.edit(|w| {
        w.channel("ch-0001").description = Some(String::from("changed meanwhile"));
        let dimensions = [("Channel", "ch-0001")];
        w.put_alarm(Alarm::metric("later", "IngressBytes", &dimensions));
    });
    wait_for("what changed", || {
        let document = place.state();
        let channel = shown(&document, "channel/ch-0001");
        let alarm = shown(&document, "alarm/later");
        (channel["description"] == "changed meanwhile" && alarm["listed"] == true).then_some(())
    });
    let health = place.get("/healthz");
    assert_eq!(
        (health.status, &*health.body),
        (200, r#"{"status":"ok","reasons":[]}"#)
    );
    place.site.broker.run();
    place.wait_until_same();
    agent.stop();
}

#[test]
fn a_channel_has_its_last_hour() {
    let place = Place::new(world());
    let agent = place.settled();
    let told = wait_for("an hour that ends with what is shown", || {
        let metrics = shown(&place.state(), "channel/ch-0000/metrics").clone();
        let hour = place.get("/api/history?channel=ch-0000").json();
        // Seven digits are kept of a number.
        let newest = hour["ingress_bits_per_second"][59].as_f64()?;
        let wanted = metrics["ingress_bits_per_second"].as_f64()?;
        ((newest - wanted).abs() <= wanted * 1e-6).then_some(hour)
    });
    for key in ["ingress_bits_per_second", "egress_bits_per_second"] {
        let minutes = told[key].as_array().unwrap();
        assert_eq!(minutes.len(), 60);
        assert!(minutes.iter().all(Value::is_i64), "{key}: {minutes:?}");
    }
    assert_eq!(
        (&told["channel"], &told["period_seconds"]),
        (&"ch-0000".into(), &60.into())
    );
    assert!(told["first"].as_str().unwrap().ends_with(":00Z"));
    for unknown in ["ch-9999", "", "ch%2D000", "%00"] {
        let reply = place.get(&format!("/api/history?channel={unknown}"));
        assert_eq!(reply.status, 404, "{unknown}");
    }
    agent.stop();
}
