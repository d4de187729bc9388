//! SIGTERM ends the agent well and in time, whatever it is doing.

use crate::harness::{LIMIT, Site, text, wait_for};
use crate::region::{ANY, FOREVER, Fault, World};
use crate::support::gate::Gate;
use crate::support::mosquitto::Setup;

fn world() -> World {
    World::new("eu-central-1")
        .with_channels(20, 4)
        .standard_metrics()
}

fn hang(site: &Site) {
    site.region
        .edit(|w| w.faults.add(ANY, FOREVER, Fault::Stall));
}

/// Stops the agent and looks whether it said goodbye.
fn stops(site: &Site, agent: crate::harness::Agent) {
    agent.stop();
    assert_eq!(text(&site.retained(), "status"), "offline");
}

#[test]
fn while_aws_does_not_answer_at_start() {
    let site = Site::new(world());
    hang(&site);
    let agent = site.agent();
    site.eyes()
        .wait_until(LIMIT, |tree| text(tree, "status") == "online");
    site.wait_for_hanging();
    stops(&site, agent);
}

#[test]
fn while_aws_does_not_answer_any_more() {
    let site = Site::new(world());
    let agent = site.agent();
    site.wait_for_picture(&site.eyes());
    hang(&site);
    site.wait_for_hanging();
    stops(&site, agent);
}

#[test]
fn while_aws_throttles() {
    let site = Site::new(world());
    let throttled = Fault::Throttle {
        retry_after_ms: Some(5_000),
    };
    site.region.edit(|w| w.faults.add(ANY, FOREVER, throttled));
    let agent = site.agent();
    site.eyes()
        .wait_until(LIMIT, |tree| text(tree, "status") == "online");
    site.wait_for_hanging();
    stops(&site, agent);
}

#[test]
fn in_the_middle_of_the_refill() {
    let site =
        Site::new(world()).configured(|config| config.set("mqtt.max_publishes_per_second", "20"));
    let agent = site.agent();
    let eyes = site.eyes();
    eyes.wait_until(LIMIT, |tree| tree.len() > 30);
    stops(&site, agent);
    // It was the middle, and nothing came after the goodbye.
    let stream = eyes.stream();
    assert!(eyes.tree().len() < 20 * 3 + 80 * 2);
    assert!(stream.last().unwrap().topic.ends_with("/status"));
}

#[test]
fn while_the_broker_is_absent() {
    let mut site = Site::new(world());
    site.broker.stop();
    let agent = site.agent();
    agent.wait_for_log("connection refused");
    agent.stop();
}

#[test]
fn while_the_broker_takes_the_connection_and_says_nothing() {
    let site = Site::new(world());
    let gate = Gate::start(site.broker.port());
    gate.hold();
    let url = format!("mqtt://127.0.0.1:{}", gate.port());
    let site = site.configured(|config| config.text("mqtt.url", &url));
    let agent = site.agent();
    site.wait_for_requests("ListChannels", 1);
    agent.stop();
}

#[test]
fn while_the_broker_acknowledges_nothing_any_more() {
    let site = Site::new(world());
    let gate = Gate::start(site.broker.port());
    let url = format!("mqtt://127.0.0.1:{}", gate.port());
    let site = site.configured(|config| config.text("mqtt.url", &url));
    let agent = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    gate.hold();
    agent.stop();
    // The broker learns from the end of the connection what was not said.
    drop(gate);
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "offline");
}

#[test]
fn while_the_broker_refuses_the_password() {
    let setup = Setup {
        user: Some(("agent", "right")),
        ..Setup::default()
    };
    let site = Site::with_broker(world(), &setup).configured(|config| {
        config
            .text("mqtt.username", "agent")
            .text("mqtt.password", "wrong")
    });
    let agent = site.agent();
    agent.wait_for_log("mqtt: no session with");
    agent.stop();
}

impl Site {
    /// Waits until each source has asked and got no good answer.
    fn wait_for_hanging(&self) {
        for operation in ["ListChannels", "DescribeAlarms"] {
            wait_for(operation, || {
                let requests = self.region.requests();
                let mut hanging = requests.iter().filter(|r| r.fault.is_some());
                hanging.any(|r| r.operation == operation).then_some(())
            });
        }
    }
}
