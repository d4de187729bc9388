//! The local page in a real browser, beside the agent, a broker and the simulated region.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;

#[path = "page/browser.rs"]
mod browser;
#[path = "page/life.rs"]
mod life;
#[path = "page/looks.rs"]
mod looks;
#[path = "page/place.rs"]
mod place;
