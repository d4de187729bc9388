//! Names within AWS's limits, which stay the same from one run to the next.

use sha2::{Digest, Sha256};

/// Longest name of a queue (SQS `CreateQueue`).
pub const QUEUE_CHARS_MAX: usize = 80;
/// Longest name of an alarm (CloudWatch `PutMetricAlarm`).
pub const ALARM_CHARS_MAX: usize = 255;

/// Digits of a digest: 64 bits tell a template's few names apart.
const DIGEST_DIGITS: usize = 16;

/// Hex digits that stand for a text.
pub fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..DIGEST_DIGITS].to_owned()
}

/// `<head><middle><tail>`; where that is longer than `chars_max` or holds a control character,
/// the middle is cut and ends in a digest of the whole.
pub fn fitted(head: &str, middle: &str, tail: &str, chars_max: usize) -> String {
    let whole = format!("{head}{middle}{tail}");
    if whole.chars().count() <= chars_max && !whole.contains(char::is_control) {
        return whole;
    }
    let digest = digest(&whole);
    let others = [head, &digest, tail].map(|part| part.chars().count());
    let room = chars_max.saturating_sub(others.iter().sum::<usize>() + 1);
    let kept = middle.chars().filter(|c| !c.is_control());
    let kept: String = kept.take(room).collect();
    format!("{head}{kept}-{digest}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_only_where_it_must_be() {
        let cases = [
            (("a-", "b", "-c"), 6, "a-b-c"),
            (("", "éé", ""), 2, "éé"),
            (
                ("a-", &"é".repeat(40), "-c"),
                30,
                "a-ééééééééé-26ad5d6f7256311b-c",
            ),
            (("a-", "b\nc", "-d"), 30, "a-bc-e9e2b817d5a0a062-d"),
        ];
        for ((head, middle, tail), max, wanted) in cases {
            let name = fitted(head, middle, tail, max);
            assert_eq!(name, wanted);
            assert!(name.chars().count() <= max, "{name}");
        }
    }

    #[test]
    fn cut_names_differ() {
        let (a, b) = ("x".repeat(90), "x".repeat(91));
        let [a, b] = [a, b].map(|middle| fitted("m-", &middle, "", QUEUE_CHARS_MAX));
        assert_ne!(a, b);
        assert_eq!((a.len(), b.len()), (QUEUE_CHARS_MAX, QUEUE_CHARS_MAX));
    }
}
