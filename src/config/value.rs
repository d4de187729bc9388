//! Texts of a config file to values. Every refusal is `what is wrong; what to do`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::state::glob::Glob;

/// So much of a wrong value is repeated in the message.
const QUOTED_CHARS_MAX: usize = 60;

/// Longest name of an instance.
const INSTANCE_BYTES_MAX: usize = 64;

/// Longest `base_topic` and `discovery_prefix`.
const TOPIC_PREFIX_BYTES_MAX: usize = 100;

/// Longest MQTT client id given by hand: sessions of their own put a few bytes behind it, and
/// AWS IoT Core takes 128.
const CLIENT_ID_BYTES_MAX: usize = 100;

/// Longest glob; no AWS name is longer.
const GLOB_CHARS_MAX: usize = 256;

/// A value as it is repeated in a message: in quotes, escaped and bounded. Never a secret.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

/// The name of a key or table as it is repeated in a message: escaped and bounded.
pub(super) fn shown_name(name: &str) -> String {
    let mut chars = name.chars();
    let mut shown: String = chars.by_ref().take(QUOTED_CHARS_MAX).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// Reads `30s`, `5m` or `1h` within bounds.
pub(super) fn duration(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let form = "write seconds, minutes or hours such as \"30s\", \"5m\" or \"1h\"";
    let wrong = || format!("{} is not a duration; {form}", quoted(text));
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let seconds_per_unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    // What does not fit into 64 bits is out of every range anyway.
    let count = digits.parse::<u64>().unwrap_or(u64::MAX);
    let duration = Duration::from_secs(count.saturating_mul(seconds_per_unit));
    if bounds.contains(&duration) {
        return Ok(duration);
    }
    Err(format!(
        "{} is out of range; from \"{}\" to \"{}\" is taken",
        quoted(text),
        show_duration(*bounds.start()),
        show_duration(*bounds.end())
    ))
}

/// A duration as it is written in the file, in the largest unit that divides it.
pub(super) fn show_duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => String::from("0s"),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// Reads the name of an instance: one topic level, one directory.
pub(super) fn instance(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if text.len() <= INSTANCE_BYTES_MAX && text.bytes().all(allowed) {
        return Ok(text.to_string());
    }
    Err(format!(
        "{} is not an instance name; write 1 to {INSTANCE_BYTES_MAX} of A-Z a-z 0-9 _ -",
        quoted(text)
    ))
}

/// Reads the first levels of topics (MQTT 3.1.1 section 4.7), stricter than MQTT.
pub(super) fn topic_prefix(text: &str) -> Result<String, String> {
    let wrong = if text.contains(['+', '#']) {
        "holds a wildcard; leave out + and #"
    } else if text.starts_with('$') {
        "begins with $, which is the broker's own; choose another name"
    } else if text.starts_with('/') || text.ends_with('/') {
        "begins or ends with a slash; leave it out"
    } else if text.contains("//") {
        "has an empty level; write one slash between two levels"
    } else if text.len() > TOPIC_PREFIX_BYTES_MAX {
        "is too long; at most 100 bytes are taken"
    } else {
        return Ok(text.to_string());
    };
    Err(format!("{} {wrong}", quoted(text)))
}

/// Reads an MQTT client id.
pub(super) fn client_id(text: &str) -> Result<String, String> {
    if text.len() > CLIENT_ID_BYTES_MAX {
        return Err(format!(
            "is too long; at most {CLIENT_ID_BYTES_MAX} bytes are taken"
        ));
    }
    // Brokers put the id into the topics of access rules.
    if text.contains(['+', '#', '/']) {
        return Err(format!("{} holds +, # or /; leave it out", quoted(text)));
    }
    Ok(text.to_string())
}

/// Reads where a port is opened.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is not address:port; write an IP address and a port such as \"0.0.0.0:2000\" or \
             \"[::]:2000\"",
            quoted(text)
        )
    })
}

/// Reads a glob.
pub(super) fn glob(text: &str) -> Result<Glob, String> {
    if text.chars().count() > GLOB_CHARS_MAX {
        return Err(format!(
            "{} is too long; at most {GLOB_CHARS_MAX} characters are taken",
            quoted(text)
        ));
    }
    Ok(Glob::new(text))
}

/// Reads a key of AWS: visible ASCII, since it goes into headers.
pub(super) fn aws_key(text: &str) -> Result<(), String> {
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(String::from(
        "holds a space or another character that no AWS key has; copy it again",
    ))
}

/// Reads the name of a role session (STS `roleSessionNameType`).
pub(super) fn session_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(text.to_string());
    }
    Err(format!(
        "{} is not a session name; write 2 to 64 of A-Z a-z 0-9 _ + = , . @ -",
        quoted(text)
    ))
}

/// Reads the name of an IoT role alias or thing.
pub(super) fn iot_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":=,.@_-".contains(c);
    if text.len() <= 128 && text.chars().all(allowed) {
        return Ok(text.to_string());
    }
    Err(format!(
        "{} is not a name of AWS IoT; write 1 to 128 of A-Z a-z 0-9 : = , . @ _ -",
        quoted(text)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_seconds_minutes_or_hours() {
        let hour = Duration::from_secs(3600);
        let cases = [
            ("1s", Ok(1)),
            ("30s", Ok(30)),
            ("5m", Ok(300)),
            ("1h", Ok(3600)),
            ("007s", Ok(7)),
            ("0s", Err("from \"1s\" to \"1h\"")),
            ("2h", Err("out of range")),
            ("99999999999999999999999h", Err("out of range")),
            ("1500ms", Err("not a duration")),
            ("1.5h", Err("not a duration")),
            ("1h30m", Err("not a duration")),
            ("-1s", Err("not a duration")),
            ("60", Err("not a duration")),
            ("s", Err("not a duration")),
            ("5 m", Err("not a duration")),
            ("5é", Err("not a duration")),
        ];
        for (text, wanted) in cases {
            match (duration(text, &(Duration::from_secs(1)..=hour)), wanted) {
                (Ok(got), Ok(seconds)) => assert_eq!(got.as_secs(), seconds, "{text}"),
                (Err(said), Err(wanted)) => assert!(said.contains(wanted), "{text}: {said}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn names_are_refused_with_the_reason() {
        type Read = fn(&str) -> Result<String, String>;
        let long = "x".repeat(101);
        let cases: &[(Read, &str, Option<&str>)] = &[
            (instance, "eu-central-1_b", None),
            (instance, "a/b", Some("A-Z")),
            (instance, &long[..65], Some("1 to 64")),
            (topic_prefix, "site 1/mediapackage", None),
            (topic_prefix, "a/+", Some("wildcard")),
            (topic_prefix, "a#", Some("wildcard")),
            (topic_prefix, "$SYS", Some("begins with $")),
            (topic_prefix, "/a", Some("slash")),
            (topic_prefix, "a/", Some("slash")),
            (topic_prefix, "a//b", Some("empty level")),
            (topic_prefix, &long, Some("too long")),
            (client_id, "edge:1 é", None),
            (client_id, "a/b", Some("leave it out")),
            (client_id, &long, Some("too long")),
            (session_name, "a", Some("2 to 64")),
            (session_name, "edge@site", None),
            (iot_name, "edge role", Some("AWS IoT")),
            (iot_name, "edge-role", None),
        ];
        for (read, text, wanted) in cases {
            match (read(text), wanted) {
                (Ok(got), None) => assert_eq!(got, *text),
                (Err(said), Some(wanted)) => assert!(said.contains(wanted), "{text}: {said}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_repeated_value_is_escaped_and_bounded() {
        assert_eq!(quoted("a\n\u{1b}"), r#""a\n\u{1b}""#);
        let long = quoted(&"é".repeat(500));
        assert_eq!(long.chars().count(), QUOTED_CHARS_MAX + 3);
        assert_eq!(shown_name("sp ace\n"), "sp ace\\n");
        let long = shown_name(&"é".repeat(500));
        assert_eq!(long.chars().count(), QUOTED_CHARS_MAX + 1);
    }
}
