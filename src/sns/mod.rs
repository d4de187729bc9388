//! What SNS sends: envelopes, signatures, meaning, the spool.

pub mod accepted;
pub mod certificate;
pub mod certificates;
mod der;
pub mod envelope;
mod json;
pub mod receiver;
pub mod settings;
pub mod verify;
