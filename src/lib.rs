//! mediapackage2mqtt keeps a live picture of AWS Elemental MediaPackage in retained MQTT topics.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        reason = "a test that meets a surprise shall stop there"
    )
)]

pub mod agent;
pub mod aws;
pub mod cli;
pub mod config;
pub mod engine;
pub mod error;
pub mod log;
pub mod mqtt;
pub mod state;
pub mod topics;
