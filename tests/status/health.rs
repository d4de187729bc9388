//! What a monitor hears.

use crate::client::{Reply, get};
use crate::harness::{no_secret_in, wait_for, wait_for_or, world};
use crate::place::{Place, shown};

#[test]
fn a_source_that_fails_for_three_intervals_is_told_with_its_reason_until_it_works() {
    let place = Place::new(world());
    let agent = place.settled();
    let wait_for_status = |status| -> Reply {
        wait_for_or("the status of /healthz", || {
            let reply = get(place.port, "/healthz");
            match reply.status == status {
                true => Ok(reply),
                false => Err(reply.body),
            }
        })
    };
    wait_for_status(200);
    let region = &place.site.region;
    region.edit(|w| w.denied.push("mediapackage:*".into()));
    let failing = wait_for_status(503);
    no_secret_in("/healthz", &failing.body);
    let said = failing.json();
    assert_eq!(said["status"], "failing");
    let reason = said["reasons"][0].as_str().unwrap();
    assert!(
        reason.starts_with("mediapackage: no success since "),
        "{said}"
    );
    assert!(reason.contains("AccessDenied"), "{said}");
    // It is the rule of the topic.
    wait_for("source/mediapackage to be offline", || {
        (*shown(&place.state(), "source/mediapackage") == "offline").then_some(())
    });
    region.edit(|w| w.denied.clear());
    assert_eq!(wait_for_status(200).json()["status"], "ok");
    agent.stop();
}
