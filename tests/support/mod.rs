//! What the tests and the demo run against, besides the simulated region.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod broker;
pub mod certificates;
pub mod cfn_lint;
pub mod config;
pub mod gate;
pub mod iot;
pub mod mosquitto;
pub mod moto;
pub mod names;
pub mod node_red;
pub mod ports;
pub mod publisher;
pub mod relay;
pub mod subscriber;
pub mod tinyproxy;
