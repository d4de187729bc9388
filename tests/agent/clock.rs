//! A box whose clock is wrong.

use crate::harness::{Site, json, run};
use crate::region::{Clock, World};

#[test]
fn a_clock_two_hours_off_works_after_the_first_answer_and_is_told() {
    const TWO_HOURS: i64 = 2 * 3600;
    std::thread::scope(|scope| {
        for offset in [TWO_HOURS, -TWO_HOURS] {
            scope.spawn(move || works_with_offset(offset));
        }
    });
}

fn works_with_offset(offset_seconds: i64) {
    let mut world = World::new("eu-central-1").with_channels(2, 2);
    world.clock = Clock::Offset(offset_seconds * 1000);
    let site = Site::new(world.standard_metrics());
    let agent = site.agent();
    let eyes = site.eyes();
    let tree = site.wait_for_picture(&eyes);
    let shown = json(&tree, "agent")["clock_offset_seconds"].as_i64();
    let off_by = shown.map(|shown| (shown - offset_seconds).abs());
    assert!(off_by.is_some_and(|off| off <= 2), "{shown:?}");
    // The minutes are AWS's: a wrong window would have found no data.
    for topic in ["channel/ch-0000/metrics", "endpoint/ch-0001-hls/metrics"] {
        let metrics = json(&tree, topic);
        assert_eq!(metrics["state"], "current", "{metrics}");
        assert!(metrics["egress_bytes"].is_i64(), "{metrics}");
    }
    let health = json(&tree, "channel/ch-0000/health");
    assert_eq!(health["ingest"], "receiving", "{health}");
    // Each service was refused once at the most, then signed again within the same poll.
    for source in ["mediapackage", "metrics", "alarms"] {
        assert_eq!(agent.logged(&format!("WARN {source}: ")), 0, "{source}");
    }
    let once = run(&["once"], &site.write());
    assert_eq!(once.status.code(), Some(0), "{once:?}");
    agent.stop();
}
