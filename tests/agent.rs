//! The agent as its users run it: the binary between a simulated region and a real broker.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
mod harness;
#[path = "agent/picture.rs"]
mod picture;
