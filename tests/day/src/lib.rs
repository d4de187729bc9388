//! The agent without the world around it: all that decides, and all that reads what others
//! write. It is the agent's own code, file by file, compiled once more with optimizations; in
//! place of the connection to AWS there is a [`aws::client::Service`] that asks a function.

#![allow(
    dead_code,
    reason = "what the connection and the listener use is not here"
)]

#[path = "../../../src/engine/mod.rs"]
pub mod engine;
#[path = "../../../src/log.rs"]
pub mod log;
#[path = "../../../src/state/mod.rs"]
pub mod state;
#[path = "../../../src/topics/mod.rs"]
pub mod topics;

pub mod aws;

pub mod config;

pub mod sns;
