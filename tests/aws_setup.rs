//! `aws-setup` as its users run it: what it prints for a config and a simulated region, held
//! against AWS's own checker of templates, and deployed to moto.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;

#[path = "aws_setup/alarms.rs"]
mod alarms;
#[path = "aws_setup/cases.rs"]
mod cases;
#[path = "aws_setup/deploy.rs"]
mod deploy;
#[path = "aws_setup/grants.rs"]
mod grants;
#[path = "aws_setup/pattern.rs"]
mod pattern;
#[path = "aws_setup/printed.rs"]
mod printed;
