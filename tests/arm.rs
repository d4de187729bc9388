//! The binaries for edge boxes do their whole work: what `cross/build` made, under qemu, between
//! a simulated region and a real broker, all of it over TLS.
//!
//! `tests/run` builds them, which takes minutes, when it runs everything or is asked for
//! `--test arm`; elsewhere these tests say that they are skipped.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "arm/board.rs"]
mod board;
#[path = "arm/edge.rs"]
mod edge;
#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "push/place.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod place;

use std::collections::BTreeSet;

use board::{AARCH64, ARMV6, ARMV7, Board};
use edge::{Edge, PASSWORD};
use harness::{Agent, LIMIT, PREFIX, json, text, told, topics_of, wait_for_told};
use place::SUBSCRIPTION;
use support::subscriber::Subscriber;

#[test]
fn on_aarch64_the_agent_does_its_whole_work_over_tls() {
    whole_work(&AARCH64);
}

#[test]
fn on_armv7_the_agent_does_its_whole_work_over_tls() {
    whole_work(&ARMV7);
}

#[test]
fn on_armv6_the_agent_does_its_whole_work_over_tls() {
    whole_work(&ARMV6);
}

/// One agent from its start to its end, since an emulated one starts slowly.
fn whole_work(board: &Board) {
    let Some(binary) = board.binary() else { return };
    let printed = binary.command().arg("--version").output().unwrap();
    let version = concat!("mediapackage2mqtt ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), version);

    let mut edge = Edge::new();
    let eyes = edge.eyes();
    let agent = Agent::launch(binary.running(&edge.place.site.write()));
    whole_picture(&edge, &eyes);
    messages(&edge, &eyes);
    a_broker_that_is_away(&mut edge, &agent, &eyes);
    clean_stop(&edge, agent, &eyes);
}

/// Channels, endpoints, metrics and alarms are with the broker, as the region has them.
fn whole_picture(edge: &Edge, eyes: &Subscriber) {
    let region = &edge.place.site.region;
    let mut wanted: BTreeSet<String> = region.edit(|world| topics_of(world));
    let of_sns = ["source/sns", "sns/messages", SUBSCRIPTION];
    wanted.extend(of_sns.map(|topic| format!("{PREFIX}{topic}")));
    edge.place.site.wait_for_topics(eyes, &wanted);
    let tree = eyes.wait_until(LIMIT, |tree| {
        json(tree, "channel/ch-0002/metrics")["state"] == "current"
    });
    let metrics = json(&tree, "channel/ch-0002/metrics");
    assert!(metrics["ingress_bytes"].as_u64() > Some(0), "{metrics}");
    assert_eq!(json(&tree, "channel/ch-0000")["id"], "ch-0000");
    assert_eq!(json(&tree, "alarm/silent")["state"], "OK");
    let kept: BTreeSet<String> = edge.retained().into_keys().collect();
    let missing: Vec<&String> = wanted.difference(&kept).collect();
    assert!(missing.is_empty(), "not retained: {missing:?}");
    region.edit(|world| world.set_alarm("silent", "ALARM", "no data"));
    eyes.wait_until(LIMIT, |tree| {
        json(tree, "channel/ch-0000/health")["alarms"][0] == "silent"
    });
}

/// Genuine messages of both versions of signatures are published, a forged one is refused.
fn messages(edge: &Edge, eyes: &Subscriber) {
    for (count, version) in (1..).zip(["1", "2"]) {
        let genuine = edge.message(version, "genuine");
        let forged = genuine.clone().tampered("Message", "\"forged\"");
        assert_eq!(edge.post(&forged), 403, "version {version}");
        assert_eq!(edge.post(&genuine), 200, "version {version}");
        eyes.wait_until(LIMIT, |tree| {
            let shown = json(tree, SUBSCRIPTION);
            shown["rejected"].as_u64() >= Some(count) && shown["accepted"].as_u64() >= Some(count)
        });
        wait_for_told(eyes, "sns/message", usize::try_from(count).unwrap());
    }
    for message in told(eyes, "sns/message") {
        assert_eq!(message["message"], "genuine");
    }
}

/// What is accepted while the broker is away waits on disk; afterwards all is there again.
fn a_broker_that_is_away(edge: &mut Edge, agent: &Agent, eyes: &Subscriber) {
    let before = told(eyes, "sns/message").len();
    edge.place.site.broker.stop();
    agent.wait_for_log("mqtt: no session with");
    assert_eq!(edge.post(&edge.message("2", "meanwhile")), 200);
    edge.place.site.broker.run();
    eyes.wait_until(LIMIT, |tree| {
        let listed = json(tree, "sns/messages");
        let is_listed = listed["messages"][0]["message"] == "meanwhile";
        is_listed && json(tree, "agent")["health"] == "ok"
    });
    assert!(told(eyes, "sns/message").len() <= before + 1);
}

/// SIGTERM: `offline` is retained, the exit code is 0, and nothing went wrong before.
fn clean_stop(edge: &Edge, mut agent: Agent, eyes: &Subscriber) {
    agent.signal("TERM");
    assert_eq!(agent.ended(), Some(0));
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "offline");
    assert_eq!(text(&edge.retained(), "status"), "offline");
    agent.wait_for_log("stopped");
    for wrong in [" ERROR ", "not ended", "panicked", PASSWORD] {
        assert_eq!(agent.logged(wrong), 0, "{wrong}");
    }
}
