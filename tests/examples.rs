//! What is shipped beside the agent does what it says: the flow in a real Node-RED, and the
//! config of Telegraf against what the agent really publishes.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;

#[path = "examples/copy.rs"]
mod copy;
#[path = "examples/flow.rs"]
mod flow;
#[path = "examples/messages.rs"]
mod messages;
#[path = "examples/node_red.rs"]
mod node_red;
#[path = "examples/telegraf.rs"]
mod telegraf;

use harness::Site;

/// The same site, in which the agent watches v2 too.
fn with_v2(site: Site) -> Site {
    let url = site.region.url();
    site.configured(|config| {
        config
            .set("mediapackage.apis", "[\"v1\", \"v2\"]")
            .text("mediapackage.v2_url", &url)
    })
}
