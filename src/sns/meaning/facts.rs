//! Values taken out of a message, each within its limit.

use crate::sns::json;
use crate::sns::redact;
use crate::state::time::UnixMs;

/// A name or other fact in a sentence, in characters.
const FACT_CHARS_MAX: usize = 128;
/// No form of a time is longer, in bytes.
const TIME_BYTES_MAX: usize = 40;
/// An ARN, in bytes (CloudWatch API: 1,600; EventBridge has no longer ones).
const ARN_BYTES_MAX: usize = 1600;
/// An account id and the name of a region, in bytes.
const OWNER_BYTES_MAX: usize = 32;
/// A state of an alarm, in bytes.
const STATE_BYTES_MAX: usize = 32;
/// A word, in bytes. AWS's longest name of a comparison has 40.
const WORD_BYTES_MAX: usize = 64;

/// A text that is there and not empty.
pub fn any_text(value: Option<&str>) -> Option<String> {
    json::string(value?).filter(|text| !text.is_empty())
}

/// The same, cut to so many characters.
pub fn text_of(value: Option<&str>, chars_max: usize) -> Option<String> {
    let text = json::string(value?)?;
    let text = match text.char_indices().nth(chars_max) {
        Some((end, _)) => text.get(..end)?.to_owned(),
        None => text,
    };
    (!text.is_empty()).then_some(text)
}

/// A text that is no longer than so many characters: a name that is cut is another name.
pub fn whole_text(value: Option<&str>, chars_max: usize) -> Option<String> {
    let text = json::string(value?)?;
    let fits = !text.is_empty() && text.chars().count() <= chars_max;
    (fits && !text.contains(|c: char| c.is_ascii_control())).then_some(text)
}

/// A moment, in any form that AWS writes.
pub fn time(value: Option<&str>) -> Option<UnixMs> {
    let text = json::string(value?)?;
    UnixMs::parse(Some(text.as_str()).filter(|text| text.len() <= TIME_BYTES_MAX)?)
}

/// The state of an alarm, also one that AWS adds later.
pub fn alarm_state(value: Option<&str>) -> Option<String> {
    let well = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    word(value).filter(|state| state.len() <= STATE_BYTES_MAX && state.bytes().all(well))
}

/// One word: letters, digits and underscores.
pub fn word(value: Option<&str>) -> Option<String> {
    let text = json::string(value?)?;
    let well = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let fits = (1..=WORD_BYTES_MAX).contains(&text.len());
    (fits && text.bytes().all(well)).then_some(text)
}

/// An ARN of any kind.
pub fn arn(value: Option<&str>) -> Option<String> {
    let text = json::string(value?)?;
    let well = text.starts_with("arn:") && text.len() <= ARN_BYTES_MAX;
    (well && !text.contains(|c: char| c.is_ascii_control())).then_some(text)
}

/// An account id: digits.
pub fn account(text: &str) -> Option<String> {
    let well = text.bytes().all(|byte| byte.is_ascii_digit());
    (well && (1..=OWNER_BYTES_MAX).contains(&text.len())).then(|| text.to_owned())
}

/// The name of a region: small letters, digits and hyphens.
pub fn region(text: &str) -> Option<String> {
    let well = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=OWNER_BYTES_MAX).contains(&text.len());
    (fits && text.bytes().all(well)).then(|| text.to_owned())
}

/// Text that may stand in a sentence: short, on one line, without secrets. It must not be cut
/// before: half a secret would not be found.
pub fn fact(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text.chars().map(line).collect();
    redact::text(&line).chars().take(FACT_CHARS_MAX).collect()
}
