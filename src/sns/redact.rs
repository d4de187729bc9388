//! What is passed through as it came, without its secrets and within a limit.
//!
//! A value is replaced by what its key is called. JSON inside strings is looked into as well,
//! since messages are often wrapped; text that is no JSON keeps everything but the user
//! information of URLs. What holds no secret keeps its digits and the order of its keys.

use super::json;
use crate::state::push::Passed;

/// A message in JSON, escaped: with the other keys of `sns/message` it stays below the
/// 120 KiB of a payload.
pub const MESSAGE_BYTES_MAX: usize = 112 * 1024;
/// JSON within a string within JSON, and so on; what is deeper is replaced unread.
const STRINGS_DEPTH_MAX: usize = 8;
/// What is nested deeper is passed on as text: many readers would refuse it.
const NESTING_MAX: usize = 100;

/// What stands in place of a secret.
const REDACTED: &str = "…";
const REDACTED_JSON: &str = "\"…\"";
/// A key that contains one of these has a secret for its value.
const SECRET_WORDS: [&str; 6] = [
    "password",
    "secret",
    "token",
    "credential",
    "subscribeurl",
    "unsubscribe",
];
/// A key that ends so, underscores and hyphens left out, names a role.
const ROLE_ENDING: &str = "rolearn";
/// What a URL that ends or makes a subscription says in its query.
const SUBSCRIPTION_ACTIONS: [&str; 2] = ["action=unsubscribe", "action=confirmsubscription"];

/// A message without its secrets: an object or array as it is, anything else as a string.
pub fn message(text: &str) -> Passed {
    let (clean, is_container) = cleaned(text);
    let json = match is_container {
        true => clean,
        false => json::quoted(&clean),
    };
    let whole = Passed {
        json,
        truncated: false,
    };
    whole.cut(MESSAGE_BYTES_MAX)
}

/// The same as a JSON object, for the details of an event: what is none, or is too long,
/// stands under `text`.
pub fn object(text: &str) -> Passed {
    const AROUND_BYTES: usize = r#"{"text":}"#.len();
    let (clean, is_container) = cleaned(text);
    if is_container && json::is_object(&clean) && clean.len() <= MESSAGE_BYTES_MAX {
        return Passed {
            json: clean,
            truncated: false,
        };
    }
    let head = Passed::head(&clean, MESSAGE_BYTES_MAX - AROUND_BYTES);
    Passed {
        json: format!(r#"{{"text":{}}}"#, head.json),
        truncated: head.truncated,
    }
}

/// Free text without the user information of its URLs, and without JSON's secrets.
pub fn text(text: &str) -> String {
    cleaned(text).0
}

/// The text without secrets; and whether it is an object or array.
fn cleaned(text: &str) -> (String, bool) {
    if json::is_container(text) {
        let clean = container(text, 0);
        return (clean.text, clean.nesting <= NESTING_MAX);
    }
    let clean = match json::is_string(text).then(|| container(text, 0)) {
        Some(clean) => clean.changed.then_some(clean.text),
        None => without_user_info(text),
    };
    (clean.unwrap_or_else(|| text.to_owned()), false)
}

/// JSON without its secrets, and without white space outside of strings.
struct Clean {
    text: String,
    changed: bool,
    /// The deepest nesting.
    nesting: usize,
}

/// Goes through the tokens of an object, an array or a string. A string before a colon is a key,
/// so no stack is needed to know where we are.
fn container(text: &str, depth: usize) -> Clean {
    let bytes = text.as_bytes();
    let mut clean = Clean {
        text: String::with_capacity(text.len()),
        changed: false,
        nesting: 0,
    };
    let (mut at, mut nesting) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' {
            at = one_string(text, at, depth, &mut clean);
            continue;
        }
        match byte {
            b'{' | b'[' => nesting += 1,
            b'}' | b']' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        clean.nesting = clean.nesting.max(nesting);
        // Outside of strings JSON is ASCII.
        if !byte.is_ascii_whitespace() {
            clean.text.push(char::from(*byte));
        }
        at += 1;
    }
    clean
}

/// Takes over the string at `at`, and with a key that has a secret its value, too.
fn one_string(text: &str, at: usize, depth: usize, clean: &mut Clean) -> usize {
    let end = json::end_of_string(text, at);
    let raw = text.get(at..end).unwrap_or_default();
    let colon = json::skip_space(text, end);
    if text.as_bytes().get(colon) == Some(&b':') {
        let key = json::string(raw);
        clean.text.push_str(match key {
            Some(_) => raw,
            None => REDACTED_JSON,
        });
        // A key that cannot be read may be called anything.
        if key.is_none_or(|key| is_secret(&key)) {
            clean.text.push(':');
            clean.text.push_str(REDACTED_JSON);
            clean.changed = true;
            return json::end_of_value(text, json::skip_space(text, colon + 1));
        }
        return end;
    }
    match string_value(raw, depth) {
        Some(other) => {
            clean.text.push_str(&other);
            clean.changed = true;
        }
        None => clean.text.push_str(raw),
    }
    end
}

/// What a string becomes that has a secret in it.
fn string_value(raw: &str, depth: usize) -> Option<String> {
    let is_plain = !raw.contains(['{', '[', '\\']) && !raw.contains("://");
    if is_plain {
        return None;
    }
    let Some(text) = json::string(raw) else {
        return Some(REDACTED_JSON.to_owned());
    };
    if !json::is_container(&text) && !json::is_string(&text) {
        return without_user_info(&text).map(|text| json::quoted(&text));
    }
    if depth + 1 > STRINGS_DEPTH_MAX {
        return Some(REDACTED_JSON.to_owned());
    }
    let inner = container(&text, depth + 1);
    inner.changed.then(|| json::quoted(&inner.text))
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let letters: String = key.chars().filter(|c| !matches!(c, '_' | '-')).collect();
    SECRET_WORDS.iter().any(|word| key.contains(word)) || letters.ends_with(ROLE_ENDING)
}

/// The text with `https://user:password@host` as `https://…@host`, and without URLs that end a
/// subscription; `None` when it has neither.
fn without_user_info(text: &str) -> Option<String> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '\\');
    let mut out = String::new();
    let (mut taken, mut from, mut url_end) = (0, 0, 0);
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("://")) {
        let after = from + found + 3;
        from = after;
        let rest = text.get(after..)?;
        // One URL may have another in its query. Its end is looked for once.
        if after >= url_end {
            let url = &rest[..rest.find(ends).unwrap_or(rest.len())];
            url_end = after + url.len();
            let lower = url.to_ascii_lowercase();
            if SUBSCRIPTION_ACTIONS
                .iter()
                .any(|action| lower.contains(action))
            {
                out.push_str(text.get(taken..after)?);
                out.push_str(REDACTED);
                (taken, from) = (url_end, url_end);
                continue;
            }
        }
        let url = text.get(after..url_end)?;
        let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
        if let Some(end) = authority.rfind('@') {
            out.push_str(text.get(taken..after)?);
            out.push_str(REDACTED);
            taken = after + end;
        }
    }
    out.push_str(text.get(taken..)?);
    (taken > 0).then_some(out)
}
