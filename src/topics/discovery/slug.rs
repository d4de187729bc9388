//! Names as object ids and keys: Home Assistant takes `[A-Za-z0-9_-]` there.

use sha2::{Digest, Sha256};

/// Bytes of a name that stay readable.
const SLUG_BYTES_MAX: usize = 80;
/// Hex digits of the hash that tells changed names apart.
const HASH_DIGITS: usize = 8;

/// The name itself, or what is left of it with a hash behind. No two names have the same slug: a
/// name that looks as if it ended in such a hash gets one too.
pub fn slug(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_plain = !name.is_empty() && name.len() <= SLUG_BYTES_MAX && name.chars().all(fits);
    if is_plain && !looks_hashed(name) {
        return name.to_owned();
    }
    let readable = name.chars().map(|c| if fits(c) { c } else { '_' });
    let mut slug: String = readable.take(SLUG_BYTES_MAX).collect();
    slug.push('_');
    let digest = Sha256::digest(name.as_bytes());
    for byte in digest.iter().take(HASH_DIGITS / 2) {
        slug.push_str(&format!("{byte:02x}"));
    }
    slug
}

fn looks_hashed(name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let tail = name.rsplit_once('_').map(|(_, tail)| tail);
    tail.is_some_and(|tail| tail.len() == HASH_DIGITS && tail.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn any_name_becomes_a_slug_of_its_own() {
        let long = "x".repeat(81);
        let names = [
            "sports-1",
            "Sports-1",
            "a.b",
            "a_b",
            "a/b",
            "a b",
            "",
            "!!!",
            "???",
            "é",
            "ö",
            &long,
            "0_12345678",
            "{{ x }}",
            "\u{1f600}",
        ];
        let hashed = slug("a.b");
        let slugs: BTreeSet<String> = names.iter().copied().chain([&*hashed]).map(slug).collect();
        assert_eq!(slugs.len(), names.len() + 1, "{slugs:?}");
        for slug in &slugs {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            assert!(
                !slug.is_empty() && slug.len() < 100 && slug.bytes().all(fits),
                "{slug}"
            );
        }
        assert_eq!(slug("sports-1"), "sports-1");
        assert!(hashed.starts_with("a_b_") && hashed.len() == 12, "{hashed}");
    }
}
