//! Whose the topics are: a second agent, another account, and whatever somebody left there.

use std::collections::BTreeSet;

use crate::harness::{Agent, LIMIT, PREFIX, Site, json, run, text, topics_of, wait_for, world};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::Setup;
use crate::support::publisher::publish;
use crate::support::subscriber::retained;

/// A config for the same region and broker with a state folder of its own.
fn second_config(site: &Site) -> ConfigFile {
    let key = site.region.edit(|w| w.keys[0].clone());
    let mqtt = format!("mqtt://127.0.0.1:{}", site.broker.port());
    ConfigFile::new(&site.region.url(), &mqtt, (&key.id, &key.secret))
}

fn plant(site: &Site, messages: &[(&str, &[u8])]) {
    let named: Vec<(String, &[u8])> = messages
        .iter()
        .map(|(topic, payload)| (format!("{PREFIX}{topic}"), *payload))
        .collect();
    let named: Vec<(&str, &[u8])> = named.iter().map(|(t, p)| (t.as_str(), *p)).collect();
    publish(site.broker.port(), &named, true);
}

#[test]
fn a_second_agent_with_the_same_state_folder_is_refused_at_once() {
    let site = Site::new(world());
    let agent = site.agent();
    let eyes = site.eyes();
    let before = site.wait_for_picture(&eyes);
    let second = run(&["run"], &site.write());
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains("another mediapackage2mqtt runs with"),
        "{said}"
    );
    assert!(said.contains("instance = "), "{said}");
    assert!(site.wait_for_picture(&eyes).keys().eq(before.keys()));
    assert_eq!(agent.logged("mqtt: connected"), 1);
    agent.stop();
}

#[test]
fn a_second_agent_waits_and_takes_up_the_topics_when_the_first_is_gone() {
    for killed in [false, true] {
        let site = Site::new(world());
        let first = site.agent();
        let eyes = site.eyes();
        let before = site.wait_for_picture(&eyes);
        let config = second_config(&site);
        let second = Agent::start(&config.write());
        let id = json(&before, "agent")["agent_id"].clone();
        let told = second.wait_for_log("is online below mediapackage/test; waiting");
        assert!(told.contains(id.as_str().unwrap()), "{told}");
        assert_eq!(second.logged("mqtt: connected"), 0);
        match killed {
            true => first.kill(),
            false => first.stop(),
        }
        second.wait_for_log("mqtt: connected");
        eyes.wait_until(LIMIT, |tree| {
            let agent = json(tree, "agent");
            text(tree, "status") == "online" && agent["agent_id"] != id && agent["health"] == "ok"
        });
        assert!(site.wait_for_picture(&eyes).keys().eq(before.keys()));
        let cleared = |m: &&crate::support::subscriber::Message| m.payload.is_empty();
        assert_eq!(eyes.stream().iter().find(cleared), None);
        second.stop();
    }
}

/// A picture of somebody who is gone without a word.
const LEFT_ONLINE: &[(&str, &[u8])] = &[
    ("status", b"online"),
    (
        "agent",
        br#"{"schema":1,"agent_id":"0123456789abcdef","account_id":null}"#,
    ),
];

#[test]
fn take_over_does_not_wait_for_another_agent() {
    let site = Site::new(world());
    plant(&site, LEFT_ONLINE);
    let agent = Agent::start_with(&site.write(), |command| {
        command.arg("--take-over");
    });
    site.wait_for_picture(&site.eyes());
    assert_eq!(agent.logged("waiting up to"), 0);
    agent.stop();
}

#[test]
fn the_picture_of_another_account_is_refused_and_left_alone_unless_taken_over() {
    let site = Site::new(world());
    plant(
        &site,
        &[
            ("status", b"offline"),
            (
                "agent",
                br#"{"schema":1,"agent_id":"0123456789abcdef","account_id":"999999999999"}"#,
            ),
            ("channel/theirs", br#"{"id":"theirs"}"#),
            ("alarm/theirs", br#"{"name":"theirs"}"#),
            ("channel/ch-0000", br#"{"id":"ch-0000"}"#),
        ],
    );
    let before = site.retained();
    let mut refused = site.agent();
    assert_eq!(refused.ended(), Some(1));
    let said = refused.log().join("\n");
    let remedies = ["999999999999", "123456789012", "instance = ", "--take-over"];
    for words in remedies {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(site.retained(), before);
    drop(refused);
    let agent = Agent::start_with(&site.write(), |command| {
        command.arg("--take-over");
    });
    let tree = site.wait_for_picture(&site.eyes());
    assert_eq!(json(&tree, "agent")["account_id"], "123456789012");
    agent.stop();
}

const FOREIGN: &[(&str, &[u8])] = &[
    ("mediapackage/other/channel/x", b"theirs"),
    ("mediapackage/test", b"theirs"),
    ("mediapackage/test/command/refresh", b"theirs"),
    ("homeassistant/device/other/x/config", b"theirs"),
];

/// As the agent itself would have written it, but for the time.
fn alarm_of_2099(name: &str) -> Vec<u8> {
    let arn = format!("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{name}");
    let alarm = serde_json::json!({
        "name": name, "arn": arn, "account_id": "123456789012", "region": "eu-central-1",
        "type": "metric", "state": "ALARM", "previous_state": null, "reason": "planted",
        "description": null, "updated_at": "2099-01-01T00:00:00.000Z",
        "namespace": "AWS/MediaPackage", "metric": "IngressBytes", "dimensions": {},
        "channel_id": null, "endpoint_id": null, "threshold": null, "comparison": null,
        "actions_enabled": null, "actions_suppressed": null, "listed": true, "source": "poll",
    });
    alarm.to_string().into_bytes()
}

/// Whatever somebody could leave below our prefix.
fn plant_poison(site: &Site) {
    const STRAYS: usize = 10_000;
    let megabyte = vec![b'x'; 1_000_000];
    let poison: &[(&str, &[u8])] = &[
        ("agent", b"\xff\xfe\x00"),
        ("status", b"{}"),
        ("summary", b"[[[["),
        ("alarm/silent", &alarm_of_2099("silent")),
        ("alarm/never-was", &alarm_of_2099("never-was")),
        ("alarm/garbage", b"{\"name\":"),
        ("channel/ch-0000", &megabyte),
        ("channel/large", &megabyte),
        (
            "channel/ch-0001/metrics",
            br#"{"id":"ch-0001","timestamp":"2099-01-01T00:00:00Z"}"#,
        ),
        (
            "endpoint/ch-0001-hls/metrics",
            br#"{"id":"ch-0001-hls","timestamp":"-1"}"#,
        ),
        ("channel/ch-0001/point", b"retained by somebody"),
        ("event/alarm", b"retained by somebody"),
        ("source/moon", b"online"),
        ("a/b/c/d/e/f", b"deep"),
        ("channel//health", b"empty level"),
    ];
    plant(site, poison);
    let name = |n: usize| match n % 3 {
        0 => format!("channel/stray-{n}/health"),
        1 => format!("alarm/stray-{n}"),
        _ => format!("elsewhere/stray-{n}"),
    };
    let names: Vec<String> = (0..STRAYS).map(name).collect();
    let strays: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b"{}"[..])).collect();
    plant(site, &strays);
}

#[test]
fn poisoned_topics_are_overridden_or_swept_and_foreign_ones_left_alone() {
    // Its default drops retained messages for a subscriber that is more than 1,000 behind, as
    // the one of this test is.
    let setup = Setup {
        more: "max_queued_messages 0\n",
        ..Setup::default()
    };
    let site = Site::with_broker(world(), &setup);
    publish(site.broker.port(), FOREIGN, true);
    plant_poison(&site);
    let agent = site.agent();
    let wanted = site.region.edit(|w| topics_of(w));
    let ours = |topic: &String| topic.starts_with(PREFIX) && !topic.contains("/command/");
    let kept = wait_for("the sweep", || {
        let kept = site.retained();
        let topics: BTreeSet<String> = kept.keys().filter(|t| ours(t)).cloned().collect();
        (topics == wanted).then_some(kept)
    });
    eprintln!("resident: {} KiB", agent.resident_kib());
    let alarm = json(&kept, "alarm/silent");
    let state = (&alarm["state"], &alarm["updated_at"]);
    assert_eq!(state, (&"OK".into(), &"2026-01-01T00:00:00.125Z".into()));
    assert_eq!(json(&kept, "channel/ch-0000")["id"], "ch-0000");
    wait_for("the minutes of AWS", || {
        let kept = site.retained();
        let metrics = ["channel/ch-0001/metrics", "endpoint/ch-0001-hls/metrics"];
        let right = |topic| json(&kept, topic)["egress_bytes"].is_i64();
        metrics.into_iter().all(right).then_some(())
    });
    let everything = retained(site.broker.port(), "#");
    for (topic, payload) in FOREIGN {
        assert_eq!(everything[*topic].as_bytes(), *payload, "{topic}");
    }
    assert!(agent.logged("retained topics that are not wanted") >= 1);
    assert_eq!(text(&site.retained(), "status"), "online");
    agent.stop();
}

#[test]
fn two_agents_with_one_client_id_do_not_throw_each_other_out_for_ever() {
    let site = Site::new(world());
    let first = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    // Who has had a session of ten seconds is at home.
    site.wait_for_requests("ListChannels", 12);
    let config = second_config(&site)
        .text("instance", "second")
        .text("mqtt.client_id", "mediapackage2mqtt-test");
    let mut second = Agent::start(&config.write());
    assert_eq!(second.ended(), Some(1));
    let said = second.log().join("\n");
    assert!(said.contains("[mqtt] client_id"), "{said}");
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "online");
    site.wait_for_picture(&eyes);
    first.stop();
}
