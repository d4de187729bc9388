//! What AWS has is what the broker holds.

use crate::harness::{Agent, LIMIT, PREFIX, Site, json, no_secret_in};
use crate::region::World;
use crate::support::subscriber::Subscriber;

#[test]
fn channels_endpoints_metrics_and_alarms_become_retained_topics() {
    let site = Site::new(
        World::new("eu-central-1")
            .with_channels(3, 4)
            .standard_metrics(),
    );
    let agent = Agent::start(&site.write());
    let eyes = Subscriber::start(site.broker.port(), &format!("{PREFIX}#"));
    let tree = eyes.wait_until(LIMIT, |tree| {
        // Those of 3 channels and 12 endpoints, and `source/metrics`.
        let count = |tail: &str| tree.keys().filter(|t| t.ends_with(tail)).count();
        count("/metrics") == 16 && count("/health") == 3
    });
    for (topic, payload) in &tree {
        no_secret_in(topic, payload);
    }
    assert_eq!(json(&tree, "summary")["channels"], 3);
    let (code, _) = agent.stop();
    assert_eq!(code, Some(0));
}
