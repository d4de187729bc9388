//! The head of a request: judged alike in pieces and as a whole, and never two ways to read it.

use mediapackage2mqtt::http::Limits;
use mediapackage2mqtt::http::head::{self, Head, Refused};

/// Every answer that a head can get.
const STATUSES: [u16; 6] = [400, 411, 413, 417, 431, 505];
/// Every prefix of an input up to this length is looked at; of a longer one as many.
const PREFIXES_MAX: usize = 512;

/// Small limits are met by small inputs; the others are what the agent runs with.
fn limits() -> [Limits; 2] {
    let small = Limits {
        headers_max: 4,
        head_bytes_max: 200,
        body_bytes_max: 1000,
        ..Limits::default()
    };
    [small, Limits::default()]
}

/// Whether the head is taken under the default limits.
pub fn check(bytes: &[u8]) -> bool {
    let [small, real] = limits();
    judge(bytes, &small);
    judge(bytes, &real)
}

fn judge(bytes: &[u8], limits: &Limits) -> bool {
    let whole = head::parse(bytes, limits);
    let step = bytes.len() / PREFIXES_MAX + 1;
    for end in (0..bytes.len()).step_by(step) {
        let early = head::parse(&bytes[..end], limits);
        assert!(
            early == Ok(None) || early == whole,
            "{end}: {early:?}, {whole:?}"
        );
    }
    match &whole {
        Ok(Some(head)) => hold(bytes, head, limits),
        Ok(None) => assert!(bytes.len() < limits.head_bytes_max),
        Err(Refused { status, .. }) => assert!(STATUSES.contains(status), "{status}"),
    }
    matches!(whole, Ok(Some(_)))
}

/// Holds what was taken against the lines as they were sent.
fn hold(bytes: &[u8], head: &Head, limits: &Limits) {
    assert!(head.bytes <= bytes.len().min(limits.head_bytes_max));
    assert!(head.headers.len() <= limits.headers_max);
    assert!(head.body_bytes <= limits.body_bytes_max);
    assert_eq!(
        head::parse(&bytes[..head.bytes], limits).as_ref(),
        Ok(&Some(head.clone()))
    );
    let but_last = head::parse(&bytes[..head.bytes - 1], limits);
    assert_eq!(but_last, Ok(None), "whole before its end");

    let text: String = bytes[..head.bytes]
        .iter()
        .map(|byte| char::from(*byte))
        .collect();
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let words: Vec<&str> = lines[0].split(' ').collect();
    assert_eq!(
        words[..2],
        [head.method.as_str(), &latin(&head.path)],
        "{text:?}"
    );
    assert_eq!(lines.len() - 1, head.headers.len(), "{text:?}");
    let named = |name: &str| -> Vec<&str> {
        let pairs = lines[1..].iter().filter_map(|line| line.split_once(':'));
        let named = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named
            .map(|(_, value)| value.trim_matches([' ', '\t']))
            .collect()
    };
    assert!(named("transfer-encoding").is_empty(), "{text:?}");
    let length = match named("content-length")[..] {
        [] => 0,
        [one] => one.parse().expect("a number"),
        _ => panic!("two lengths: {text:?}"),
    };
    assert_eq!(head.body_bytes, length, "{text:?}");
    assert!(named("host").len() <= 1, "{text:?}");
    assert!(!head.keep_alive || !says_close(&named("connection")));
}

fn says_close(values: &[&str]) -> bool {
    let mut words = values.iter().flat_map(|value| value.split(','));
    words.any(|word| word.trim_matches([' ', '\t']).eq_ignore_ascii_case("close"))
}

/// A text whose bytes are the characters, as the lines are read here.
fn latin(text: &str) -> String {
    text.bytes().map(char::from).collect()
}
