//! The same against moto, whose signature and IAM checks and whose answers are not ours.

use serde_json::json;

use crate::commands::{comparable, once};
use crate::harness::{Agent, LIMIT, PREFIX, json, no_secret_in, run, text, wait_for};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::moto::Moto;
use crate::support::subscriber::{Subscriber, retained};

#[test]
fn the_whole_picture_is_that_of_moto() {
    let moto = Moto::start("eu-central-1");
    let broker = Mosquitto::start(&Setup::default());
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let key = (moto.access_key_id.as_str(), moto.secret_access_key.as_str());
    let config = ConfigFile::new(&moto.url, &url, key);
    let file = config.write();
    let agent = Agent::start(&file);
    let eyes = Subscriber::start(broker.port(), &format!("{PREFIX}#"));
    eyes.wait_until(LIMIT, |tree| {
        let count = |kind: &str, tail: &str| {
            let of = |t: &&String| t.contains(kind) && t.ends_with(tail);
            tree.keys().filter(of).count()
        };
        let metrics = count("/channel/", "/metrics") + count("/endpoint/", "/metrics");
        metrics == 9 && count("/alarm/", "") == 3 && json(tree, "agent")["health"] == "ok"
    });
    let tree = retained(broker.port(), &format!("{PREFIX}#"));
    for (topic, payload) in &tree {
        no_secret_in(topic, payload);
        assert!(!payload.contains(key.1), "{topic}: {payload}");
    }
    assert_eq!(tree.len(), 7 + 3 * 3 + 6 * 2 + 3, "{:?}", tree.keys());
    for id in moto.seeded["channels"].as_array().unwrap() {
        let id = id.as_str().unwrap();
        let channel = json(&tree, &format!("channel/{id}"));
        assert_eq!(channel["tags"]["env"], "test");
        let ends = [format!("{id}-dash"), format!("{id}-hls")];
        let mut endpoints: Vec<_> = channel["endpoints"].as_array().unwrap().clone();
        endpoints.sort_by_key(ToString::to_string);
        assert_eq!(json!(endpoints), json!(ends));
    }
    for (name, state) in moto.seeded["alarms"].as_object().unwrap() {
        let alarm = json(&tree, &format!("alarm/{name}"));
        assert_eq!(&alarm["state"], state, "{alarm}");
        assert_eq!(alarm["channel_id"], name[..3], "{alarm}");
    }
    let metrics = json(&tree, "channel/ch1/metrics");
    let at = time::OffsetDateTime::parse(
        metrics["timestamp"].as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    );
    let minute_end = moto.seeded["minute_end"].as_i64().unwrap();
    let age = (minute_end - at.unwrap().unix_timestamp()) / 60;
    assert_eq!(metrics["ingress_bytes"], 1_000_000 + age, "{metrics}");
    assert_eq!(metrics["egress_request_count"], 200 + age, "{metrics}");
    assert_eq!(metrics["ingress_response_time_ms"], 12.5, "{metrics}");
    assert_eq!(metrics["egress_request_count_4xx"], age, "{metrics}");

    // A minute may settle between the two: then they are compared once more.
    wait_for("once to print what run publishes", || {
        let printed = comparable(&once(&file));
        let kept = comparable(&retained(broker.port(), &format!("{PREFIX}#")));
        assert!(printed.keys().eq(kept.keys()), "{printed:?} {kept:?}");
        let minute = |tree: &std::collections::BTreeMap<_, serde_json::Value>| {
            tree["mediapackage/test/channel/ch1/metrics"]["timestamp"].clone()
        };
        if minute(&printed) != minute(&kept) {
            return None;
        }
        assert_eq!(printed, kept);
        Some(())
    });
    assert_eq!(text(&tree, "status"), "online");
    agent.stop();

    let wrong = key.1.to_ascii_lowercase();
    let config = config.text("credentials.secret_access_key", &wrong);
    let file = config.write();
    let refused = run(&["once"], &file);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("SignatureDoesNotMatch"), "{said}");
}
