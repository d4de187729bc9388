//! The files of the spool: what they are called, and what the name alone tells. Pure.
//!
//! - `<number>.segment`: records, the first of them with this number.
//! - `<number>.next`: empty. Every number below may have been used; see [`super::keeper`].
//! - `delivered`: the largest number that is not needed any more, in two places by turns.
//! - `aside/<number>.json`: a record for people to look at.
//!
//! Numbers have twenty digits, so that names sort like numbers.

use sha2::{Digest, Sha256};

use crate::engine::spooling::Seq;

/// Largest number: what comes after it can still be counted.
pub const SEQ_MAX: Seq = u64::MAX / 2;
/// The file that tells what is delivered.
pub const DELIVERED: &str = "delivered";
/// The folder of what was set aside.
pub const ASIDE: &str = "aside";

const SEGMENT: &str = ".segment";
const NEXT: &str = ".next";
const COPY: &str = ".json";
const DIGITS: usize = 20;

/// The segment that begins with this number.
pub fn segment(first: Seq) -> String {
    format!("{first:020}{SEGMENT}")
}

/// The mark that says: no number from this one on was used.
pub fn mark(next: Seq) -> String {
    format!("{next:020}{NEXT}")
}

/// The copy of a record.
pub fn copy(seq: Seq) -> String {
    format!("{ASIDE}/{seq}{COPY}")
}

/// What the name of a file in the spool's folder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A segment, and the number it begins with.
    Segment(Seq),
    /// A mark, and its number.
    Mark(Seq),
}

impl Name {
    /// Reads a name; `None` when it is not one that is given here.
    pub fn parse(name: &str) -> Option<Name> {
        let digits = name.get(..DIGITS)?;
        let seq = number(digits)?;
        match &name[DIGITS..] {
            SEGMENT => Some(Name::Segment(seq)),
            NEXT => Some(Name::Mark(seq)),
            _ => None,
        }
    }
}

/// The number of a copy in [`ASIDE`], from its name there.
pub fn parse_copy(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(COPY)?;
    number(digits).filter(|seq| seq.to_string() == digits)
}

fn number(digits: &str) -> Option<Seq> {
    let well = digits.bytes().all(|byte| byte.is_ascii_digit());
    let seq = digits.parse().ok().filter(|_| well)?;
    (seq <= SEQ_MAX).then_some(seq)
}

/// In how many places of [`DELIVERED`] numbers are written by turns: while one is written, the
/// other holds.
pub const DELIVERED_PLACES: usize = 2;
/// Length of such a place, in bytes.
pub const DELIVERED_BYTES: usize = DIGITS + 1 + 16 + 1;

/// What a place of [`DELIVERED`] holds: the number and its checksum, so that half a write is
/// none.
pub fn delivered_text(up_to: Seq) -> String {
    let digits = format!("{up_to:020}");
    let sum: [u8; 32] = Sha256::digest(digits.as_bytes()).into();
    let sum: String = sum[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits} {sum}\n")
}

/// Reads the largest number of [`DELIVERED`], and where it stands; `None` when all is damaged.
pub fn parse_delivered(bytes: &[u8]) -> Option<(Seq, usize)> {
    let places = bytes.chunks(DELIVERED_BYTES).take(DELIVERED_PLACES);
    let read = places.enumerate();
    read.filter_map(|(place, text)| Some((parse_place(text)?, place)))
        .max()
}

fn parse_place(bytes: &[u8]) -> Option<Seq> {
    let text = std::str::from_utf8(bytes).ok()?;
    let seq = number(text.get(..DIGITS)?)?;
    (delivered_text(seq) == text).then_some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_number_and_foreign_names_tell_nothing() {
        for seq in [0, 1, 42, SEQ_MAX] {
            assert_eq!(Name::parse(&segment(seq)), Some(Name::Segment(seq)));
            assert_eq!(Name::parse(&mark(seq)), Some(Name::Mark(seq)));
            assert_eq!(parse_copy(&copy(seq)["aside/".len()..]), Some(seq));
        }
        let foreign = [
            "",
            "delivered",
            "1.segment",
            "0000000000000000001.segment",
            "00000000000000000001.segment~",
            "+0000000000000000001.segment",
            "0000000000000000000\u{e9}.next",
            &segment(SEQ_MAX + 1),
            &mark(u64::MAX),
        ];
        for name in foreign {
            assert_eq!(Name::parse(name), None, "{name:?}");
        }
        for name in ["", ".json", "01.json", "+1.json", "1.json.new", "x.json"] {
            assert_eq!(parse_copy(name), None, "{name:?}");
        }
    }

    #[test]
    fn half_a_write_of_what_is_delivered_is_seen() {
        let old = delivered_text(1_234_567_899);
        let new = delivered_text(1_234_567_900);
        assert_eq!(old.len(), DELIVERED_BYTES);
        assert_eq!(parse_delivered(new.as_bytes()), Some((1_234_567_900, 0)));
        // Up to byte 17, where they begin to differ, a mixture is still the old one.
        for cut in 18..DELIVERED_BYTES - 1 {
            let torn = format!("{}{}", &new[..cut], &old[cut..]);
            assert_eq!(parse_delivered(torn.as_bytes()), None, "{cut}: {torn}");
            assert_eq!(parse_delivered(&new.as_bytes()[..cut]), None, "{cut}");
        }
        let both = format!("{old}{new}");
        assert_eq!(parse_delivered(both.as_bytes()), Some((1_234_567_900, 1)));
        let torn = format!("{}{}{old}", &new[..19], &old[19..]);
        assert_eq!(parse_delivered(torn.as_bytes()), Some((1_234_567_899, 1)));
        assert_eq!(parse_delivered(b""), None);
        assert_eq!(parse_delivered(&[0xff; DELIVERED_BYTES]), None);
    }
}
