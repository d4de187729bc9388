//! What the flow makes of single messages, in a real Node-RED beside a broker.

use serde_json::{Value, json};

use crate::copy::{copy, kept, never_reset, rows, wait_for_kept, wait_for_peace, with_patience};
use crate::harness::wait_for;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::node_red::NodeRed;
use crate::support::publisher::publish;

/// An event of the agent; only what the flow looks at.
fn event(kind: &str, about: &str, from: &str, to: &str) -> (String, String) {
    let payload = json!({
        "event_type": kind, "alarm": about, "channel_id": about, "state": to,
        "previous_state": from, "time": "2026-11-22T10:00:00.000Z", "detail": {},
        "summary": format!("{about} {from} {to}"),
    });
    (format!("mediapackage/a/event/{kind}"), payload.to_string())
}

fn source(name: &str, payload: &str) -> (String, String) {
    (format!("mediapackage/a/source/{name}"), payload.to_owned())
}

fn send(broker: &Mosquitto, messages: &[(String, String)], retain: bool) {
    let messages: Vec<(&str, &[u8])> = messages
        .iter()
        .map(|(topic, payload)| (topic.as_str(), payload.as_bytes()))
        .collect();
    publish(broker.port(), &messages, retain);
}

/// Messages, and the subjects of the notifications that they lead to.
type Case = (Vec<(String, String)>, &'static [&'static str]);

fn cases() -> Vec<Case> {
    let alarm = |from, to| event("alarm", "a", from, to);
    let ingest = |from, to| event("ingest", "c", from, to);
    let (ok, on, none) = ("OK", "ALARM", "INSUFFICIENT_DATA");
    vec![
        (vec![alarm(ok, none), alarm(none, ok)], &[]),
        // Without data for a while it is still the same alarm, and OK is its end.
        (
            vec![
                alarm(ok, on),
                alarm(on, none),
                alarm(none, on),
                alarm(on, none),
                alarm(none, ok),
            ],
            &["MediaPackage: a is ALARM", "MediaPackage: a is OK"],
        ),
        // Its beginning was missed, then its end.
        (vec![alarm(on, ok)], &["MediaPackage: a is OK"]),
        (
            vec![alarm(none, on), alarm(ok, on), alarm(on, ok)],
            &[
                "MediaPackage: a is ALARM",
                "MediaPackage: a is ALARM",
                "MediaPackage: a is OK",
            ],
        ),
        (
            vec![
                ingest("receiving", "lost"),
                ingest("lost", "idle"),
                ingest("idle", "receiving"),
            ],
            &[
                "MediaPackage: input of c is lost",
                "MediaPackage: input of c is back",
            ],
        ),
        (vec![event("harvest_job", "h", "QUEUED", "FAILED")], &[]),
        (
            vec![source("metrics", "offline")],
            &["MediaPackage: the source metrics of mediapackage/a is offline"],
        ),
        // The same again, as after a reconnect, and one that is not used any more.
        (vec![source("metrics", "offline"), source("sns", "")], &[]),
        (
            vec![source("metrics", "online")],
            &["MediaPackage: the source metrics of mediapackage/a is online"],
        ),
    ]
}

/// A Node-RED with the flow that has all of its subscriptions, and then little patience.
fn hasty(broker: &Mosquitto) -> Option<NodeRed> {
    let flow = copy(broker.port(), "mediapackage/a");
    // Told by the last subscription, in the order of the nodes.
    send(broker, &[source("subscribed", "offline")], true);
    let node_red = NodeRed::start(&Value::Array(flow.clone()))?;
    wait_for("a session of Node-RED", || {
        let page = node_red.get("/mediapackage");
        page.contains("the source subscribed of").then_some(())
    });
    node_red.deploy(&Value::Array(with_patience(flow, "0.05")));
    Some(node_red)
}

#[test]
fn each_message_leads_to_what_it_should() {
    let broker = Mosquitto::start(&Setup::default());
    let Some(node_red) = hasty(&broker) else {
        return;
    };
    let mut seen = 0;
    for (messages, subjects) in cases() {
        send(&broker, &messages, false);
        // It tells that all before it is done.
        let mark = event("ingest", "mark", "lost", "receiving");
        send(&broker, &[mark], false);
        wait_for_kept(&node_red, seen + subjects.len() + 1);
        let (told, marks): (Vec<String>, Vec<String>) = kept(&node_red)
            .into_iter()
            .skip(seen)
            .map(|(topic, _)| topic)
            .partition(|topic| !topic.contains("mark"));
        // One that waits for its delay may come behind the mark.
        assert_eq!(told, subjects, "{messages:?}");
        assert_eq!(marks.len(), 1, "{messages:?}");
        seen += told.len() + 1;
    }
}

#[test]
fn an_offline_whose_delay_ends_behind_the_online_is_not_told() {
    let broker = Mosquitto::start(&Setup::default());
    // Its delay ends, whatever came meanwhile.
    let flow = never_reset(with_patience(copy(broker.port(), "mediapackage/a"), "0.05"));
    send(&broker, &[source("metrics", "offline")], true);
    let Some(node_red) = NodeRed::start(&Value::Array(flow)) else {
        return;
    };
    wait_for("a session of Node-RED", || {
        let page = node_red.get("/mediapackage");
        page.contains("the source metrics of").then_some(())
    });
    let told = |count| wait_for_kept(&node_red, count).pop().unwrap();
    assert!(told(1).contains("metrics of mediapackage/a is offline"));
    send(&broker, &[source("metrics", "online")], false);
    assert!(told(2).contains("is online again"));
    wait_for_peace(&node_red);
    let brief = ["offline", "online"].map(|now| source("metrics", now));
    send(&broker, &brief, false);
    wait_for_peace(&node_red);
    send(
        &broker,
        &[event("ingest", "mark", "lost", "receiving")],
        false,
    );
    assert!(told(3).contains("mark"));
}

#[test]
fn agents_whose_channels_have_the_same_name_have_rows_of_their_own() {
    let broker = Mosquitto::start(&Setup::default());
    let channel = |instance: &str| {
        let payload = json!({"id": "same", "description": instance});
        (
            format!("mediapackage/{instance}/channel/same"),
            payload.to_string(),
        )
    };
    send(&broker, &[channel("one"), channel("two")], true);
    let flow = copy(broker.port(), "mediapackage/+");
    let Some(node_red) = NodeRed::start(&Value::Array(flow)) else {
        return;
    };
    let descriptions = |page: &str| {
        let shown = ["one", "two"].map(|name| page.contains(&format!("<td>{name}</td>")));
        (shown[0], shown[1])
    };
    wait_for("both", || {
        (descriptions(&node_red.get("/mediapackage")) == (true, true)).then_some(())
    });
    send(
        &broker,
        &[("mediapackage/one/channel/same".into(), String::new())],
        true,
    );
    wait_for("the first to be gone", || {
        (descriptions(&node_red.get("/mediapackage")) == (false, true)).then_some(())
    });
    let row = &rows(&node_red.get("/mediapackage"))["same"];
    assert_eq!(
        row[1..],
        ["unknown", "unknown", "–", "–", "", ""].map(str::to_owned)
    );
}
