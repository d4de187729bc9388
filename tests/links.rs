//! The links between the agent and what it talks to: proxies on the way to AWS, and TLS, client
//! certificates and AWS IoT Core on the way to the broker.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "check/printed.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod printed;

#[path = "links/iot.rs"]
mod iot;
#[path = "links/proxy.rs"]
mod proxy;
#[path = "links/refusals.rs"]
mod refusals;
#[path = "links/tls.rs"]
mod tls;
