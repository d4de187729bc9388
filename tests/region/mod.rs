//! A simulated AWS region for the tests and the demo.
//!
//! It does what moto cannot: pages with awkward tokens, ingest credentials that must not leak,
//! faults, a clock of its own, late and revised data points. It checks every signature with
//! code of its own and refuses malformed requests as AWS would. [`World`] is what there is in
//! the region, [`Region`] serves it on one loopback port:
//!
//! ```ignore
//! let region = Region::start(World::new("eu-central-1").with_channels(2, 4).standard_metrics());
//! region.edit(|w| w.faults.add("ListChannels", 1, Fault::html(502)));
//! ```
//!
//! A service is a file with `serve(world, request, seen)`, chosen in `server::route`. What it
//! would change is changed by `carry_out`, when no fault kept the request from being served.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod cloudwatch;
pub mod door;
pub mod faults;
pub mod harvest;
pub mod mediapackage;
pub mod mediapackage_v2;
pub mod metric_data;
pub mod refusal;
pub mod rest;
pub mod series;
pub mod server;
pub mod sessions;
pub mod sigv4;
pub mod sns;
pub mod sqs;
pub mod token;
pub mod vod;
pub mod world;

#[allow(unused_imports, reason = "each test file uses a part")]
pub use {
    faults::{ANY, FOREVER, Fault},
    series::{Series, Values},
    server::{Region, Seen},
    world::{Alarm, AlarmKind, Clock, Dimension, KEY, Key, SECRETS, World},
};
