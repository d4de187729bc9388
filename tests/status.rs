//! The local page: the binary with a page, asked by whoever may come, between the simulated region
//! and a real broker.

#![allow(clippy::unwrap_used, clippy::type_complexity, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "status/client.rs"]
mod client;
#[path = "status/door.rs"]
mod door;
#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "status/health.rs"]
mod health;
#[path = "status/metrics.rs"]
mod metrics;
#[path = "status/place.rs"]
mod place;
#[path = "status/state.rs"]
mod state;
