//! The rules as timelines: a simulated region, a simulated broker, simulated time.

mod alarms;
mod apis;
mod asking;
mod budget;
mod cloud;
mod discovery;
mod flat;
mod harvest;
mod health;
mod inventory;
mod look;
mod mail;
mod metrics_v2;
mod minutes;
mod outage;
mod ownership;
mod polling;
mod push;
mod push_odd;
mod push_random;
mod queue;
mod queue_odd;
mod random;
mod region;
mod rig;
mod service;
mod spool;
mod storm;
mod v2;

use std::time::Duration;

use region::{Kind, Region};
use rig::{M0, Rig};

/// Every minute that these tests look at.
const ALWAYS: std::ops::Range<i64> = M0 - 100_000..M0 + 100_000;

fn live(ids: &[&str]) -> Region {
    let mut region = Region::default();
    for id in ids {
        region.add_live(id, ALWAYS);
    }
    region
}

/// The same with v2, harvest jobs and VOD beside.
fn live_with(ids: &[&str], cloud: cloud::Cloud) -> Region {
    let mut region = live(ids);
    region.cloud = cloud;
    region
}
