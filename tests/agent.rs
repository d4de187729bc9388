//! The agent as its users run it: the binary between a simulated region and a real broker.

#![allow(clippy::unwrap_used, clippy::type_complexity, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/apis.rs"]
mod apis;
#[path = "agent/broker.rs"]
mod broker;
#[path = "agent/budget.rs"]
mod budget;
#[path = "agent/clock.rs"]
mod clock;
#[path = "agent/commands.rs"]
mod commands;
#[path = "agent/faults.rs"]
mod faults;
#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "agent/home.rs"]
mod home;
#[path = "agent/inventory.rs"]
mod inventory;
#[path = "agent/minutes.rs"]
mod minutes;
#[path = "agent/moto.rs"]
mod moto;
#[path = "agent/ownership.rs"]
mod ownership;
#[path = "agent/picture.rs"]
mod picture;
#[path = "agent/scale.rs"]
mod scale;
#[path = "agent/sessions.rs"]
mod sessions;
#[path = "agent/stopping.rs"]
mod stopping;
