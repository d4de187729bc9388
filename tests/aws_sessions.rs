//! Sessions: from AWS IoT, STS, containers and instances, as the simulated region and moto give
//! them, how they are renewed, and what is said where there are none.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "aws_sessions/botocore.rs"]
mod botocore;
#[path = "aws_sessions/metadata.rs"]
mod metadata;
#[path = "aws_sessions/moto.rs"]
mod moto;
#[path = "aws_sessions/renewal.rs"]
mod renewal;
#[path = "aws_sessions/rig.rs"]
mod rig;
#[path = "aws_sessions/roles.rs"]
mod roles;
#[path = "aws_sessions/things.rs"]
mod things;
