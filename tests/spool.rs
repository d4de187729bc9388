//! The spool: what was told as stored is told again, whatever happens to process, power and
//! disk.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "spool/cases.rs"]
mod cases;
#[path = "spool/crash.rs"]
mod crash;
#[path = "spool/disk.rs"]
mod disk;
#[path = "spool/records.rs"]
mod records;
#[path = "spool/sim.rs"]
mod sim;
#[path = "spool/truth.rs"]
mod truth;
