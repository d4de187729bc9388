//! What SNS sends, to the listener or through a queue: envelopes, signatures, meaning, the spool.
//!
//! ```text
//! request ─▶ receiver (envelope, verify, certificate) ─▶ accepted ─▶ meaning ─▶ a Notice
//! queue ───▶ queued (envelope) ──────────────────────────▶┘ └─▶ spool, and back
//! ```

pub mod accepted;
pub mod certificate;
pub mod certificates;
mod der;
pub mod envelope;
mod json;
pub mod meaning;
pub mod queued;
mod reader;
pub mod receiver;
pub mod redact;
pub mod settings;
pub mod spool;
#[cfg(test)]
mod tests;
pub mod verify;
