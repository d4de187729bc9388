//! The other commands, and what can be asked of a running agent.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::harness::{
    LIMIT, PREFIX, Site, json, no_secret_in, program, run, text, told_once, wait_for,
};
use crate::region::{Alarm, Clock, World};
use crate::support::publisher::publish;
use crate::support::subscriber::{Tree, retained};

/// Runs `once` and reads its lines, which must be in the order of the topics.
pub fn once(config: &Path) -> Tree {
    let out = run(&["once"], config);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let stdout = String::from_utf8(out.stdout).unwrap();
    no_secret_in("stdout", &stdout);
    no_secret_in("stderr", &String::from_utf8_lossy(&out.stderr));
    let lines: Vec<(String, String)> = stdout
        .lines()
        .map(|line| line.split_once('\t').unwrap_or_else(|| panic!("{line}")))
        .map(|(topic, payload)| (topic.to_owned(), payload.to_owned()))
        .collect();
    assert!(lines.is_sorted_by(|a, b| a.0 < b.0), "{stdout}");
    lines.into_iter().collect()
}

/// What two pictures must have in common: everything but the process's own numbers and times.
pub fn comparable(tree: &Tree) -> BTreeMap<String, Value> {
    let own = [
        "agent_id",
        "started_at",
        "clock_offset_seconds",
        "updated_at",
    ];
    let shown = |topic: &String, payload: &String| {
        let value = serde_json::from_str(payload);
        let mut value = value.unwrap_or_else(|_| Value::String(payload.clone()));
        let name = topic.strip_prefix(PREFIX).unwrap_or(topic);
        if name == "agent/stats" {
            value = Value::Null;
        }
        if let Some(object) = value.as_object_mut() {
            if matches!(name, "agent" | "summary") {
                object.retain(|key, _| !own.contains(&key.as_str()));
            }
            for of in ["sources", "apis"] {
                let rows = object.get_mut(of).and_then(Value::as_object_mut);
                for row in rows.into_iter().flat_map(|rows| rows.values_mut()) {
                    row["since"] = Value::Null;
                }
            }
        }
        (topic.clone(), value)
    };
    tree.iter()
        .filter(|(topic, _)| !told_once(topic))
        .map(|(topic, payload)| shown(topic, payload))
        .collect()
}

#[test]
fn once_prints_what_run_publishes() {
    let mut world = World::new("eu-central-1").with_channels(3, 4);
    // In the middle of a minute, for ever: no minute settles between the two.
    world.clock = Clock::Fixed(1_795_341_630_000);
    world.put_alarm(Alarm::metric(
        "silent",
        "IngressBytes",
        &[("Channel", "ch-0000")],
    ));
    let site = Site::new(world.standard_metrics());
    let agent = site.agent();
    site.wait_for_picture(&site.eyes());
    let printed = once(&site.write());
    let kept = site.retained();
    let (printed, kept) = (comparable(&printed), comparable(&kept));
    let names = |tree: &BTreeMap<String, Value>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&printed), names(&kept));
    for (topic, payload) in &kept {
        assert_eq!(&printed[topic], payload, "{topic}");
    }
    agent.stop();
}

#[test]
fn once_leaves_out_what_run_does_and_tells_when_it_cannot_write() {
    let mut world = World::new("eu-central-1").with_channels(1, 1);
    let mut big = Alarm::metric("big", "IngressBytes", &[]);
    big.description = Some("x".repeat(130_000));
    world.put_alarm(big);
    let site = Site::new(world.standard_metrics());
    let config = site.write();
    assert!(!once(&config).keys().any(|topic| topic.ends_with("/big")));
    let said = run(&["once"], &config).stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("alarm/big is left out"), "{said}");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let out = program()
        .args(["once", "--config"])
        .arg(&config)
        .stdout(full.unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write to stdout"), "{said}");
}

/// Waits until the agent has heard all that was published before this.
fn wait_until_heard(site: &Site) {
    let eyes = site.eyes();
    let status = format!("{PREFIX}status");
    publish(site.broker.port(), &[(status.as_str(), &b"?"[..])], true);
    // Whatever another client writes there, the agent puts right.
    eyes.wait_for(LIMIT, |m| m.topic == status && m.payload == "?");
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "online");
}

#[test]
fn a_refresh_polls_at_once_but_not_again_at_once_and_a_retained_one_is_ignored() {
    let world = World::new("eu-central-1").with_channels(2, 2);
    let site = Site::new(world.standard_metrics()).configured(|config| {
        config
            .text("mediapackage.interval", "1h")
            .text("cloudwatch.interval", "1h")
            .text("cloudwatch.alarms_interval", "1h")
    });
    let command = format!("{PREFIX}command/refresh");
    publish(site.broker.port(), &[(command.as_str(), &b"{}"[..])], true);
    let agent = site.agent();
    let eyes = site.eyes();
    let topics = site.region.edit(|w| crate::harness::topics_of(w));
    eyes.wait_until(LIMIT, |tree| topics.iter().all(|t| tree.contains_key(t)));
    wait_until_heard(&site);
    let asked = "a refresh was asked for";
    assert_eq!(agent.logged(asked), 0);

    site.region.edit(|w| w.add_channel("new", 0));
    for _ in 0..2 {
        publish(site.broker.port(), &[(command.as_str(), &b""[..])], false);
    }
    eyes.wait_until(LIMIT, |tree| !json(tree, "channel/new").is_null());
    wait_until_heard(&site);
    assert_eq!(agent.logged(asked), 1);
    let polls = |operation: &str| {
        let requests = site.region.requests();
        requests.iter().filter(|r| r.operation == operation).count()
    };
    wait_for("the second polls", || {
        (polls("DescribeAlarms") == 2).then_some(())
    });
    assert_eq!(polls("ListChannels"), 2);
    agent.stop();
}

#[test]
fn clean_clears_this_instance_and_nothing_else_and_not_while_it_is_online() {
    let site = Site::new(
        World::new("eu-central-1")
            .with_channels(3, 2)
            .standard_metrics(),
    );
    let port = site.broker.port();
    let foreign = [
        "mediapackage/other/status",
        "mediapackage/test2/channel/x",
        "mediapackage/test",
        "mediapackage/test/command/refresh",
        "homeassistant/device/other/x/config",
    ];
    let planted: Vec<(&str, &[u8])> = foreign.iter().map(|t| (*t, &b"keep"[..])).collect();
    publish(port, &planted, true);
    let agent = site.agent();
    site.wait_for_picture(&site.eyes());
    let config = site.write();
    let before = site.retained();
    let refused = run(&["clean"], &config);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("is online; stop it first, or add --force"),
        "{said}"
    );
    assert!(site.retained().keys().eq(before.keys()));
    agent.stop();
    let cleaned = run(&["clean"], &config);
    assert_eq!(cleaned.status.code(), Some(0), "{cleaned:?}");
    let left: Vec<String> = retained(port, "#").into_keys().collect();
    let mut wanted = foreign.map(str::to_owned);
    wanted.sort();
    assert_eq!(left, wanted);
}
