//! What SNS sends: envelopes, signatures, meaning, the spool.

pub mod accepted;
pub mod envelope;
mod json;
