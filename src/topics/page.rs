//! What the local page reads: the wanted topics as one document, the last hour of a channel, and
//! whether all is well. A topic's payload is embedded as the broker has it.

use serde::Serialize;

use super::name::Topic;
use crate::state::history::Hour;
use crate::state::time::UnixMs;

/// CloudWatch's period, in seconds.
const PERIOD_SECONDS: u32 = 60;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The head of a document of topics.
pub struct Head<'a> {
    /// Names what the document shows.
    pub tag: &'a str,
    /// Whether it holds all topics; else those that changed.
    pub whole: bool,
    /// AWS's time.
    pub now: UnixMs,
    /// The prefix of all topics.
    pub prefix: &'a str,
}

/// A document of topics that is being written.
pub struct Document {
    text: String,
    is_empty: bool,
}

impl Document {
    /// Begins one of about so many bytes.
    pub fn new(head: &Head, bytes: usize) -> Document {
        let mut text = String::with_capacity(bytes);
        text.push_str("{\"tag\":");
        text.push_str(&json(&head.tag));
        text.push_str(if head.whole {
            ",\"whole\":true,\"now\":"
        } else {
            ",\"whole\":false,\"now\":"
        });
        text.push_str(&json(&head.now.rfc3339_ms()));
        text.push_str(",\"prefix\":");
        text.push_str(&json(&head.prefix));
        text.push_str(",\"topics\":{");
        Document {
            text,
            is_empty: true,
        }
    }

    /// Adds a topic by its full name.
    pub fn add(&mut self, topic: &Topic, name: &str, payload: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.text.push(',');
        }
        self.text.push_str(&json(&name));
        self.text.push(':');
        match topic {
            Topic::Status | Topic::Source(_) => self.text.push_str(&json(&payload)),
            _ => self.text.push_str(payload),
        }
    }

    /// The whole text.
    pub fn finish(mut self) -> Vec<u8> {
        self.text.push_str("}}");
        self.text.into_bytes()
    }
}

/// The last hour of a channel.
pub fn history(channel: &str, hour: &Hour) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        channel: &'a str,
        period_seconds: u32,
        first: String,
        ingress_bits_per_second: &'a [Option<i64>],
        egress_bits_per_second: &'a [Option<i64>],
    }
    json(&Payload {
        channel,
        period_seconds: PERIOD_SECONDS,
        first: hour.first.start().rfc3339(),
        ingress_bits_per_second: &hour.ingress,
        egress_bits_per_second: &hour.egress,
    })
}

/// Whether all is well, for a monitor: it is while there is no reason.
pub fn well(reasons: &[String]) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        status: &'a str,
        reasons: &'a [String],
    }
    let status = match reasons {
        [] => "ok",
        _ => "failing",
    };
    json(&Payload { status, reasons })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::source::Source;

    #[test]
    fn payloads_of_json_are_embedded_and_plain_ones_are_strings() {
        let head = |whole| Head {
            tag: "r-1",
            whole,
            now: UnixMs(1_795_341_600_007),
            prefix: "a\"b/x/",
        };
        let begin = r#""now":"2026-11-22T10:00:00.007Z","prefix":"a\"b/x/","topics":{"#;
        let none = Document::new(&head(false), 0).finish();
        let wanted = format!(r#"{{"tag":"r-1","whole":false,{begin}}}}}"#);
        assert_eq!(String::from_utf8(none).unwrap(), wanted);
        let mut some = Document::new(&head(true), 0);
        some.add(&Topic::Status, "a\"b/x/status", "online");
        let source = Topic::Source(Source::Sns);
        some.add(&source, "a\"b/x/source/sns", "offline");
        some.add(&Topic::Agent, "a\"b/x/agent", r#"{"n": 1.0}"#);
        let topics =
            r#""a\"b/x/status":"online","a\"b/x/source/sns":"offline","a\"b/x/agent":{"n": 1.0}"#;
        let wanted = format!(r#"{{"tag":"r-1","whole":true,{begin}{topics}}}}}"#);
        assert_eq!(String::from_utf8(some.finish()).unwrap(), wanted);
    }
}
