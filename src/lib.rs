//! mediapackage2mqtt keeps a live picture of AWS Elemental MediaPackage in retained MQTT topics.

pub mod aws;
pub mod config;
pub mod engine;
pub mod mqtt;
pub mod state;
pub mod topics;
