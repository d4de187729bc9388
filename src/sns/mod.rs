//! What SNS sends: envelopes, signatures, meaning, the spool.

pub mod accepted;
mod json;
pub mod meaning;
pub mod redact;
pub mod spool;
#[cfg(test)]
mod tests;
