//! Messages by an SQS queue: the binary between moto or the simulated region and a real broker.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "queue/moto.rs"]
mod moto;
#[path = "queue/owner.rs"]
mod owner;
#[path = "queue/troubles.rs"]
mod troubles;
#[path = "queue/ways.rs"]
mod ways;
