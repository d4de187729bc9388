//! JSON read where it stands: the parts of a message as slices of its text.
//!
//! A message of a megabyte would be many megabytes as a tree, its numbers would lose digits and
//! its keys their order. So text is checked once by [`is_json`], and then only cut into parts.
//! Nothing here recurses, whatever the depth, and what is no JSON gives nothing.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// Whether the text is one JSON value (RFC 8259).
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether the text is one JSON object or array.
pub fn is_container(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && is_json(text)
}

/// Whether the text is one JSON string.
pub fn is_string(text: &str) -> bool {
    text.trim_start().starts_with('"') && is_json(text)
}

/// Whether the text, which is JSON, is an object.
pub fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The text of a JSON string; `None` when it is another value, or holds what is no Unicode.
pub fn string(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

/// One JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where the string that begins at `at` ends: after its closing quote.
pub fn end_of_string(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The first place from `at` on that is no white space.
pub fn skip_space(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    at + rest.iter().take_while(|byte| space(byte)).count()
}

/// Where the value that begins at `at` ends.
pub fn end_of_value(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (at, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(text, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                // The end of what holds a number or a word ends that, too.
                if depth == 0 {
                    return at;
                }
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The parts of an object or array: each value, with its key in an object.
pub struct Parts<'a> {
    text: &'a str,
    at: usize,
    keyed: bool,
}

/// The parts of a value that is JSON; of anything but an object or array there are none.
pub fn parts(value: &str) -> Parts<'_> {
    let at = skip_space(value, 0);
    let open = value.as_bytes().get(at);
    let known = matches!(open, Some(b'{' | b'['));
    Parts {
        text: value,
        at: if known { at + 1 } else { value.len() },
        keyed: open == Some(&b'{'),
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<(Cow<'a, str>, &'a str)> {
        let bytes = self.text.as_bytes();
        self.at = skip_space(self.text, self.at);
        if bytes.get(self.at) == Some(&b',') {
            self.at = skip_space(self.text, self.at + 1);
        }
        let mut key = Cow::Borrowed("");
        if self.keyed {
            (bytes.get(self.at) == Some(&b'"')).then_some(())?;
            let end = end_of_string(self.text, self.at);
            key = key_text(self.text.get(self.at..end)?);
            let colon = skip_space(self.text, end);
            (bytes.get(colon) == Some(&b':')).then_some(())?;
            self.at = skip_space(self.text, colon + 1);
        }
        let end = end_of_value(self.text, self.at);
        let value = self.text.get(self.at..end).filter(|v| !v.is_empty())?;
        self.at = end;
        Some((key, value))
    }
}

/// A key without its quotes. One that is no Unicode stays as it is written.
fn key_text(raw: &str) -> Cow<'_, str> {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    match inner.contains('\\').then(|| string(raw)) {
        Some(Some(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(inner),
    }
}

/// The members of an object that have these names. Of a name that comes twice the last one
/// counts, as it does for those who read the message further on.
pub fn pick<'a, const N: usize>(object: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    let mut found = [None; N];
    if is_object(object) {
        for (key, value) in parts(object) {
            if let Some(at) = names.iter().position(|name| *name == key) {
                found[at] = Some(value);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_value_are_found_where_they_stand() {
        let cases: [(&str, &[(&str, &str)]); 10] = [
            ("{}", &[]),
            (" [ ] ", &[]),
            ("\"{\"", &[]),
            ("7", &[]),
            ("", &[]),
            (
                r#"{"a":1,"b":{"c":[1,2]},"d":"}"}"#,
                &[("a", "1"), ("b", r#"{"c":[1,2]}"#), ("d", r#""}""#)],
            ),
            (
                "[ 1 , -2e3 ,\n\"x,\\\"]\", [[]], null]",
                &[
                    ("", "1"),
                    ("", "-2e3"),
                    ("", r#""x,\"]""#),
                    ("", "[[]]"),
                    ("", "null"),
                ],
            ),
            (r#"{"\u0061\n" : true}"#, &[("a\n", "true")]),
            (r#"{"a":1,"a":2}"#, &[("a", "1"), ("a", "2")]),
            (r#"{"\ud800":1}"#, &[("\\ud800", "1")]),
        ];
        for (text, wanted) in cases {
            let found: Vec<(String, &str)> = parts(text)
                .map(|(key, value)| (key.into_owned(), value))
                .collect();
            let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (&**k, *v)).collect();
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_ends_somewhere() {
        let broken = [
            "{",
            "{\"",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "[1,",
            "[\"\\",
            "{,}",
            "[,,]",
            "{\"a\":}",
            "[}",
            "{]",
            "é",
            "{é}",
            "[\"é\\é",
        ];
        for text in broken {
            assert!(!is_json(text), "{text}");
            assert!(parts(text).count() <= text.len(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(!is_json(&deep));
        assert_eq!(parts(&deep).count(), 1);
        assert!(is_json(&format!("{deep}{}", "]".repeat(100_000))));
    }

    #[test]
    fn the_last_of_a_name_counts() {
        let object = r#"{"a":1,"b":null,"a":"x"}"#;
        assert_eq!(
            pick(object, ["b", "a", "c"]),
            [Some("null"), Some("\"x\""), None]
        );
        assert_eq!(pick("[1]", [""]), [None]);
    }
}
