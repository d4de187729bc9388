//! What subscribers see: the names of topics and the payloads they carry, both pure functions
//! of state. This is the only place that writes a topic or a payload.

pub mod discovery;
pub mod event;
pub mod flat;
pub mod media;
pub mod memory;
pub mod name;
pub mod openmetrics;
pub mod page;
pub mod payload;
pub mod push;
pub mod report;

use serde::Serialize;

pub use name::{Names, Topic};

/// Payload of `status` and `source/<name>` while they can be believed.
pub const ONLINE: &str = "online";
/// Payload of the same when not, and of the last will.
pub const OFFLINE: &str = "offline";
/// The largest payload that is published. AWS IoT Core takes 128 KB with the topic.
pub const PAYLOAD_BYTES_MAX: usize = 120 * 1024;

/// A JSON object whose last keys have values that are JSON text already.
fn spliced(head: &impl Serialize, tail: &[(&str, &str)]) -> String {
    let mut text = serde_json::to_string(head).unwrap_or_default();
    text.pop();
    for (key, json) in tail {
        text.push_str(",\"");
        text.push_str(key);
        text.push_str("\":");
        text.push_str(json);
    }
    text.push('}');
    text
}
