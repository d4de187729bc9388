//! What subscribers see: the names of topics and the payloads they carry, both pure functions
//! of state. This is the only place that writes a topic or a payload.

pub mod memory;
pub mod name;
pub mod payload;
pub mod report;

pub use name::{Names, Topic};

/// Payload of `status` and `source/<name>` while they can be believed.
pub const ONLINE: &str = "online";
/// Payload of the same when not, and of the last will.
pub const OFFLINE: &str = "offline";
/// The largest payload that is published. AWS IoT Core takes 128 KB with the topic.
pub const PAYLOAD_BYTES_MAX: usize = 120 * 1024;
