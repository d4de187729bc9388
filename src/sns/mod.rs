//! What SNS sends: envelopes, signatures, meaning, the spool.

pub mod spool;
