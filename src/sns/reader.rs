//! Reads one flat JSON object without recursion and with no memory but that of its strings.
//!
//! `serde_json` keeps the last of two equal keys and recurses into what is skipped: both are
//! wrong for text that a signature is held against. It only unescapes strings here.
//!
//! Source: RFC 8259.

use std::borrow::Cow;

/// How deep a value that is skipped may be nested: one bit of the stack each.
/// `MessageAttributes` is two deep.
pub const SKIP_DEPTH_MAX: u32 = u64::BITS;

/// Not JSON, or not of the shape that was asked for. Says no more: the text is a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

/// A place in JSON text.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of `text`.
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// Takes `byte` if it is what comes next, blanks aside.
    pub fn takes(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// Takes `byte`.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn need(&mut self, byte: u8) -> Result<(), NotJson> {
        self.takes(byte).then_some(()).ok_or(NotJson)
    }

    /// Whether nothing but blanks is left.
    pub fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Takes `word`, one of the three literals, if it is what comes next.
    pub fn takes_word(&mut self, word: &str) -> bool {
        self.peek();
        let next = self.rest().starts_with(word);
        self.at += if next { word.len() } else { 0 };
        next
    }

    /// Takes a string and unescapes it.
    ///
    /// # Errors
    ///
    /// For anything else, and for an escape that is none, half a surrogate pair among them.
    pub fn string(&mut self) -> Result<Cow<'a, str>, NotJson> {
        self.need(b'"')?;
        let (from, mut escaped) = (self.at, false);
        loop {
            match self.next().ok_or(NotJson)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.next().ok_or(NotJson)?;
                }
                byte if byte < b' ' => return Err(NotJson),
                _ => {}
            }
        }
        let inner = self.text.get(from..self.at - 1).ok_or(NotJson)?;
        if !escaped {
            return Ok(Cow::Borrowed(inner));
        }
        let quoted = self.text.get(from - 1..self.at).ok_or(NotJson)?;
        serde_json::from_str(quoted)
            .map(Cow::Owned)
            .map_err(|_| NotJson)
    }

    /// Takes a key and the colon after it.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn key(&mut self) -> Result<Cow<'a, str>, NotJson> {
        let key = self.string()?;
        self.need(b':')?;
        Ok(key)
    }

    /// Takes one value of any kind, whatever is in it.
    ///
    /// # Errors
    ///
    /// When it is no JSON, or deeper than [`SKIP_DEPTH_MAX`].
    pub fn skip(&mut self) -> Result<(), NotJson> {
        // One bit for each list and object that is open, the innermost lowest; set: an object.
        let (mut open, mut depth) = (0_u64, 0);
        loop {
            let is_object = self.peek() == Some(b'{');
            let closing = if is_object { b'}' } else { b']' };
            if is_object || self.peek() == Some(b'[') {
                self.at += 1;
                if !self.takes(closing) {
                    if depth == SKIP_DEPTH_MAX {
                        return Err(NotJson);
                    }
                    (open, depth) = (open << 1 | u64::from(is_object), depth + 1);
                    if is_object {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // A value has ended, and perhaps what is around it.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let in_object = open & 1 == 1;
                if self.takes(b',') {
                    if in_object {
                        self.key()?;
                    }
                    break;
                }
                self.need(if in_object { b'}' } else { b']' })?;
                (open, depth) = (open >> 1, depth - 1);
            }
        }
    }

    fn scalar(&mut self) -> Result<(), NotJson> {
        match self.peek().ok_or(NotJson)? {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let words = ["true", "false", "null"];
                let taken = words.iter().any(|word| self.takes_word(word));
                taken.then_some(()).ok_or(NotJson)
            }
        }
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let bytes = self.rest().bytes();
        let is_part = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
        let length = bytes.take_while(is_part).count();
        let text = self.rest().get(..length).ok_or(NotJson)?;
        self.at += length;
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (
                mantissa,
                exponent.strip_prefix(['-', '+']).unwrap_or(exponent),
            ),
            None => (unsigned, "0"),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let well = digits(whole) && digits(fraction) && digits(exponent) && !leading_zero;
        well.then_some(()).ok_or(NotJson)
    }

    /// The next byte that is no blank; it stays where it is.
    fn peek(&mut self) -> Option<u8> {
        let blanks = self.rest().bytes();
        let blanks = blanks.take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += blanks.count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// What is left. Within a string the place may be inside a character; nobody asks there.
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skips(text: &str) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().is_ok() && reader.at_end()
    }

    #[test]
    fn a_skipped_value_is_json_and_nothing_else() {
        let good = [
            "1",
            "-0",
            "1.5e+7",
            "0.1E-2",
            "true",
            "false",
            "null",
            "\"a\\u00e9\\n\"",
            "[]",
            "{}",
            " [ ] ",
            "[1,\"]\",{\"a\":[{}],\"b\":{}}]",
            "{\"a\":{\"a\":1,\"a\":2}}",
            "\"\\ud83d\\ude00\"",
            "[[],[[]],{}]",
        ];
        for text in good {
            assert!(skips(text), "{text}");
            let serde = serde_json::from_str::<serde_json::Value>(text);
            assert!(serde.is_ok(), "{text} is no JSON after all");
        }
        let bad = [
            "",
            " ",
            "01",
            "1.",
            ".5",
            "1e",
            "--1",
            "+1",
            "1e5.0",
            "tru",
            "True",
            "nulls",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "[1}",
            "{\"a\":1]",
            "]",
            "}",
            "[",
            "{",
            "[1",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"a\nb\"",
            "\"\u{0}\"",
            "1 2",
            "{} {}",
            "NaN",
            "'a'",
            "/**/1",
            "\u{feff}1",
            "\u{a0}1",
        ];
        for text in bad {
            assert!(!skips(text), "{text}");
            let serde = serde_json::from_str::<serde_json::Value>(text);
            assert!(serde.is_err(), "{text} is JSON after all");
        }
    }

    #[test]
    fn depth_ends_at_its_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deepest = SKIP_DEPTH_MAX as usize;
        // The innermost pair is empty and needs no bit.
        assert!(skips(&nested(deepest + 1)));
        assert!(!skips(&nested(deepest + 2)));
        let objects = |depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(skips(&objects(deepest)));
        assert!(!skips(&objects(deepest + 1)));
    }

    #[test]
    fn a_random_text_is_taken_exactly_when_it_is_json() {
        let given = std::env::var("SEED").ok();
        let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
        let mut random = fastrand::Rng::with_seed(seed);
        let pieces = [
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "\"a\"",
            "1",
            " ",
            "null",
            "\"\\u00e9\"",
            "-",
            ".5",
            "e",
        ];
        let mut taken = 0;
        for _ in 0..20_000 {
            let length = random.usize(1..8);
            let text: String = (0..length).filter_map(|_| random.choice(pieces)).collect();
            let serde = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            assert_eq!(skips(&text), serde, "seed {seed}: {text}");
            taken += usize::from(serde);
        }
        assert!(
            taken > 100,
            "seed {seed}: only {taken} of the texts were JSON"
        );
    }
}
