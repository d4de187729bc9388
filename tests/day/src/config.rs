//! What a queue's messages need of the config.

#[path = "../../../src/config/secret.rs"]
mod secret;
pub use secret::Secret;
