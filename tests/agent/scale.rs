//! A large region, whole and again.

use std::time::{Duration, Instant};

use crate::harness::{Site, topics_of};
use crate::region::World;
use crate::support::mosquitto::Setup;
use crate::support::subscriber::Tree;

/// The debug build of agent and region on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);
const CHANNELS: usize = 1000;
const ENDPOINTS: usize = 4;

#[test]
fn a_thousand_channels_are_published_and_again_to_a_broker_that_forgot() {
    let world = World::new("eu-central-1").with_channels(CHANNELS, ENDPOINTS);
    // Its default drops retained messages for a subscriber that is more than 1,000 behind.
    let setup = Setup {
        more: "max_queued_messages 0\n",
        ..Setup::default()
    };
    let mut site = Site::with_broker(world.standard_metrics(), &setup).configured(|config| {
        config
            .text("mediapackage.interval", "1h")
            .text("cloudwatch.interval", "1h")
    });
    let wanted = site.region.edit(|w| topics_of(w));
    let whole = |site: &Site, what: &str| {
        let began = Instant::now();
        let eyes = site.eyes();
        let there = |tree: &Tree| {
            tree.len() >= wanted.len() && wanted.iter().all(|topic| tree.contains_key(topic))
        };
        let held = eyes.wait_within(LIMIT, there);
        assert!(
            held,
            "{what}: {} of {} topics",
            eyes.tree().len(),
            wanted.len()
        );
        eprintln!(
            "{what}: {} topics after {:?}",
            wanted.len(),
            began.elapsed()
        );
    };
    let agent = site.agent();
    whole(&site, "the first time");
    eprintln!("resident: {} KiB", agent.resident_kib());
    site.broker.stop();
    site.broker.run();
    whole(&site, "after the restart");
    eprintln!("resident: {} KiB", agent.resident_kib());
    agent.stop();
}
