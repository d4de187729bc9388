//! The agent under systemd: its units, what it tells, the port it is given, and what it writes
//! to the flash of a small box.

#![allow(clippy::unwrap_used, clippy::type_complexity, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "systemd/activation.rs"]
mod activation;
#[path = "systemd/flash.rs"]
mod flash;
#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "systemd/notify.rs"]
mod notify;
#[path = "push/place.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod place;
#[path = "systemd/units.rs"]
mod units;
