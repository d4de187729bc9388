//! MediaPackage v2, harvest jobs and VOD: the binary between the simulated region and a broker.

#![allow(clippy::unwrap_used, clippy::type_complexity, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "media/accounts.rs"]
mod accounts;
#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "media/life.rs"]
mod life;
#[path = "media/place.rs"]
mod place;
