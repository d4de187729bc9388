//! The month's meter across restarts, and a budget that is too small.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{LIMIT, Site, json, wait_for, world};

/// Metrics are polled once by each process.
fn site() -> Site {
    Site::new(world()).configured(|config| config.text("cloudwatch.interval", "1h"))
}

fn file(site: &Site) -> PathBuf {
    site.config.state_dir().join("test/meter.json")
}

/// Metrics of the month, as the file has them.
fn kept(site: &Site) -> Option<u64> {
    let text = fs::read_to_string(file(site)).ok()?;
    let value: Value = serde_json::from_str(&text).unwrap();
    value["months"].as_array()?.last()?["metrics"].as_u64()
}

/// Metrics that the region was asked for.
fn asked(site: &Site) -> u64 {
    let requests = site.region.requests();
    requests.iter().map(|seen| seen.asked.len() as u64).sum()
}

/// Metrics of the month, as the agent that has just started shows them.
fn shown(site: &Site) -> u64 {
    let eyes = site.eyes();
    let stats = |tree: &_| json(tree, "agent/stats")["cost"]["metrics_billed"].as_u64();
    let tree = site.wait_for_picture(&eyes);
    stats(&tree).unwrap()
}

#[test]
fn the_meter_goes_on_after_a_stop_and_after_a_kill() {
    let site = site();
    let agent = site.agent();
    assert_eq!(shown(&site), asked(&site));
    agent.stop();
    let a_poll = asked(&site);
    assert!(a_poll > 0);
    assert_eq!(kept(&site), Some(a_poll), "exactly, after a stop");

    let agent = site.agent();
    let written = || kept(&site).filter(|kept| *kept > a_poll);
    wait_for("the meter to be written ahead", written);
    wait_for("the second poll", || {
        (asked(&site) == 2 * a_poll).then_some(())
    });
    agent.kill();
    let ahead = kept(&site).unwrap();
    assert!(
        (2 * a_poll..=4 * a_poll).contains(&ahead),
        "{ahead} {a_poll}"
    );

    // The broker has what the second one said, so it is known to be new by its number.
    let agent = site.agent();
    site.eyes().wait_until(LIMIT, |tree| {
        let cost = &json(tree, "agent/stats")["cost"];
        cost["metrics_billed"].as_u64() == Some(ahead + a_poll)
    });
    agent.stop();
    assert_eq!(kept(&site), Some(ahead + a_poll));
}

#[test]
fn a_meter_that_is_damaged_or_cannot_be_kept_stops_nothing() {
    let site = site();
    let path = file(&site);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "{\"schema\":1,\"mon").unwrap();
    let agent = site.agent();
    assert_eq!(shown(&site), asked(&site));
    assert_eq!(
        agent.logged("the kept meter is not taken: it is damaged"),
        1
    );
    agent.stop();
    assert_eq!(kept(&site), Some(asked(&site)), "a good one replaces it");

    // A folder in its place can be neither read nor replaced.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let before = asked(&site);
    let agent = site.agent();
    agent.wait_for_log("the meter cannot be kept");
    assert_eq!(agent.logged("the kept meter is not taken: cannot read"), 1);
    site.eyes().wait_until(LIMIT, |tree| {
        let cost = &json(tree, "agent/stats")["cost"];
        cost["metrics_billed"].as_u64() == Some(asked(&site) - before)
            && json(tree, "agent")["health"] == "ok"
    });
    agent.stop();
}

#[test]
fn a_budget_that_is_too_small_shows_while_alarms_go_on() {
    let site = Site::new(world())
        .configured(|config| config.set("cloudwatch.monthly_budget_usd", "0.000001"));
    let agent = site.agent();
    agent.wait_for_log("metrics are asked every 60 min from now on");
    site.eyes().wait_until(LIMIT, |tree| {
        let cost = &json(tree, "agent/stats")["cost"];
        let reasons = json(tree, "agent")["reasons"].to_string();
        cost["effective_interval_seconds"] == 3600
            && reasons.contains("monthly_budget_usd = 0.000001, also with metrics every 60 min")
    });
    site.wait_for_requests("DescribeAlarms", 3);
    let requests = site.region.requests();
    let metrics = requests.iter().filter(|r| r.operation == "GetMetricData");
    assert_eq!(metrics.count(), 1);
    agent.stop();
}
