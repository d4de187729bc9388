//! What AWS pushes: the binary between the simulated region's SNS and a real broker.

#![allow(clippy::unwrap_used, clippy::type_complexity, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "push/crashes.rs"]
mod crashes;
#[path = "push/crowd.rs"]
mod crowd;
#[path = "push/door.rs"]
mod door;
#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "push/messages.rs"]
mod messages;
#[path = "push/place.rs"]
mod place;
#[path = "push/stop.rs"]
mod stop;
