//! The little of DER that it takes to find the fields of a certificate. Pure.
//!
//! Never recurses and never allocates: a value is a part of the bytes that were given.
//!
//! Sources: ITU-T X.690 sections 8 and 10; RFC 5280 section 4.1.2.5 for times.

use crate::state::time::UnixMs;

/// Tags with their class and whether they hold others (X.690 section 8.1.2).
pub const INTEGER: u8 = 0x02;
/// A bit string.
pub const BIT_STRING: u8 = 0x03;
/// An object identifier.
pub const OBJECT_ID: u8 = 0x06;
/// A sequence.
pub const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`, in which a certificate's version stands.
pub const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// Bytes of a length; nothing here is over 64 KiB.
const LENGTH_BYTES_MAX: usize = 2;

/// Values one after the other.
pub struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Der<'a> {
        Der(bytes)
    }

    /// Whether nothing is left.
    pub fn at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next value, if it has this tag and is whole.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, short], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match short {
            0..0x80 => (usize::from(short), rest),
            _ => long_length(usize::from(short & 0x7f), rest)?,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(value)
    }

    /// Takes a time, in either of the two forms that a certificate has.
    pub fn time(&mut self) -> Option<UnixMs> {
        let (century, digits) = if let Some(short) = self.take(UTC_TIME) {
            let year: u8 = std::str::from_utf8(short.get(..2)?).ok()?.parse().ok()?;
            (if year >= 50 { "19" } else { "20" }, short)
        } else {
            ("", self.take(GENERALIZED_TIME)?)
        };
        let text = format!("{century}{}", std::str::from_utf8(digits).ok()?);
        let digits = text.strip_suffix('Z')?;
        if digits.len() != 14 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let part = |from: usize| digits.get(from..from + 2);
        UnixMs::parse(&format!(
            "{}-{}-{}T{}:{}:{}Z",
            digits.get(..4)?,
            part(4)?,
            part(6)?,
            part(8)?,
            part(10)?,
            part(12)?
        ))
    }
}

/// A length of `count` bytes and what comes after it; the shortest form only.
fn long_length(count: usize, rest: &[u8]) -> Option<(usize, &[u8])> {
    if !(1..=LENGTH_BYTES_MAX).contains(&count) {
        return None;
    }
    let (bytes, rest) = rest.split_at_checked(count)?;
    let fold = |length: usize, byte: &u8| length << 8 | usize::from(*byte);
    let length = bytes.iter().fold(0, fold);
    let shortest = length >= 0x80 && bytes.first() != Some(&0);
    shortest.then_some((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_whole_or_not_at_all() {
        let long = |head: &[u8], length: usize| [head, &vec![7; length]].concat();
        let cases: [(&str, Vec<u8>, Option<usize>); 14] = [
            ("empty", vec![0x30, 0], Some(0)),
            ("short", vec![0x30, 1, 7], Some(1)),
            ("short, more after", vec![0x30, 1, 7, 7], Some(1)),
            ("longest short form", long(&[0x30, 0x7f], 0x7f), Some(0x7f)),
            (
                "one byte of length",
                long(&[0x30, 0x81, 0x80], 0x80),
                Some(0x80),
            ),
            (
                "two bytes of length",
                long(&[0x30, 0x82, 1, 0], 256),
                Some(256),
            ),
            ("nothing", vec![], None),
            ("a tag alone", vec![0x30], None),
            ("other tag", vec![0x31, 0], None),
            ("too little", vec![0x30, 2, 7], None),
            (
                "long form for a short one",
                long(&[0x30, 0x81, 0x7f], 0x7f),
                None,
            ),
            ("zero in front", long(&[0x30, 0x82, 0, 0x80], 0x80), None),
            ("no end given", vec![0x30, 0x80, 0, 0], None),
            (
                "huge",
                vec![0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255],
                None,
            ),
        ];
        for (name, bytes, wanted) in cases {
            let mut der = Der::new(&bytes);
            assert_eq!(der.take(SEQUENCE).map(<[u8]>::len), wanted, "{name}");
        }
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let cases = [
            (UTC_TIME, "261122100000Z", Some(1_795_341_600_000)),
            (UTC_TIME, "490101000000Z", Some(2_493_072_000_000)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000_000)),
            (GENERALIZED_TIME, "20261122100000Z", Some(1_795_341_600_000)),
            (
                GENERALIZED_TIME,
                "99991231235959Z",
                Some(253_402_300_799_000),
            ),
            (UTC_TIME, "2611221000Z", None),
            (UTC_TIME, "261122100000+0000", None),
            (UTC_TIME, "26112210000\u{e9}", None),
            (UTC_TIME, "", None),
            (UTC_TIME, "+61122100000Z", None),
            (GENERALIZED_TIME, "261122100000Z", None),
            (GENERALIZED_TIME, "20261322100000Z", None),
            (GENERALIZED_TIME, "20261122100000.5Z", None),
            (INTEGER, "20261122100000Z", None),
        ];
        for (tag, text, wanted) in cases {
            let bytes = [&[tag, text.len() as u8], text.as_bytes()].concat();
            let time = Der::new(&bytes).time();
            assert_eq!(time.map(|time| time.0), wanted, "{tag} {text}");
        }
    }
}
