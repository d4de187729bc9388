//! The head of a request: what is taken, and what is refused with which status. Pure.
//!
//! Sources: RFC 9112 (HTTP/1.1), RFC 9110 (HTTP semantics).

use super::Limits;

/// A head that is acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its length, from the first byte to the empty line.
    pub bytes: usize,
    /// The method as sent.
    pub method: String,
    /// The target as sent.
    pub path: String,
    /// In their order, names in lower case. Bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The length of the body that follows.
    pub body_bytes: usize,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
    /// Whether the peer waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// Why a head is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// For whoever reads the answer.
    pub why: &'static str,
}

const MALFORMED: Refused = refused(400, "the head is not well-formed HTTP");
const NO_HOST: Refused = refused(400, "HTTP/1.1 wants one Host header");
const LENGTH: Refused = refused(400, "Content-Length must be one decimal number");
const CODING: Refused = refused(411, "send the body with Content-Length, without a coding");
const TOO_LARGE: Refused = refused(413, "the body is too large");
const EXPECTATION: Refused = refused(417, "only 100-continue can be expected");
const HEAD_TOO_LARGE: Refused = refused(431, "the head is too large");
const HEADERS: Refused = refused(431, "there are too many headers");
const VERSION: Refused = refused(505, "only HTTP/1.0 and HTTP/1.1 are spoken");

const fn refused(status: u16, why: &'static str) -> Refused {
    Refused { status, why }
}

/// Reads the head that `bytes` begin with. `None`: it is not whole yet.
///
/// # Errors
///
/// When it is refused, as soon as that is certain.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<Head>, Refused> {
    // What lies beyond the limit does not matter, however much came at once.
    let bytes = &bytes[..bytes.len().min(limits.head_bytes_max)];
    let mut lines = vec![httparse::EMPTY_HEADER; limits.headers_max];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => judge(length, &request, limits).map(Some),
        Ok(httparse::Status::Partial) if bytes.len() < limits.head_bytes_max => Ok(None),
        Ok(httparse::Status::Partial) => Err(HEAD_TOO_LARGE),
        Err(httparse::Error::TooManyHeaders) => Err(HEADERS),
        Err(httparse::Error::Version) if names_other_version(bytes) => Err(VERSION),
        Err(_) => Err(MALFORMED),
    }
}

/// Whether the request line has an HTTP version, if one that is not spoken here.
fn names_other_version(bytes: &[u8]) -> bool {
    // Empty lines before a request are passed over (RFC 9112 section 2.2).
    let mut lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let third = line.split(|byte| *byte == b' ').nth(2);
    match third.and_then(|word| word.strip_prefix(b"HTTP/")) {
        Some([b'1', b'.', minor, ..]) => minor.is_ascii_digit(),
        Some([major, ..]) => *major != b'1' && major.is_ascii_digit(),
        _ => false,
    }
}

/// What httparse leaves open: the length of the body, and what it all means.
fn judge(
    bytes: usize,
    request: &httparse::Request<'_, '_>,
    limits: &Limits,
) -> Result<Head, Refused> {
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|line| {
            let value = String::from_utf8_lossy(line.value).into_owned();
            (line.name.to_ascii_lowercase(), value)
        })
        .collect();
    let (Some(method), Some(path), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(MALFORMED);
    };
    let length = content_length(&headers)?;
    let hosts = values(&headers, "host").count();
    if hosts > 1 || (hosts == 0 && minor > 0) {
        return Err(NO_HOST);
    }
    // Two ways to tell where a body ends are how requests are smuggled: there is one here.
    if values(&headers, "transfer-encoding").next().is_some() {
        return Err(CODING);
    }
    let expects_continue = expects_continue(&headers, minor)?;
    let body_bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if body_bytes > limits.body_bytes_max {
        return Err(TOO_LARGE);
    }
    Ok(Head {
        bytes,
        method: method.to_owned(),
        path: path.to_owned(),
        keep_alive: keep_alive(&headers, minor),
        headers,
        body_bytes,
        expects_continue,
    })
}

fn values<'a>(
    headers: &'a [(String, String)],
    name: &'static str,
) -> impl Iterator<Item = &'a str> {
    let named = headers.iter().filter(move |(known, _)| known == name);
    named.map(|(_, value)| value.as_str())
}

/// RFC 9112 section 6.3. A list of equal numbers would be allowed; nobody needs it.
fn content_length(headers: &[(String, String)]) -> Result<u64, Refused> {
    let mut all = values(headers, "content-length");
    let Some(text) = all.next() else {
        return Ok(0);
    };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all.next().is_some() || !is_number {
        return Err(LENGTH);
    }
    // Digits that do not fit are a number all the same, beyond any limit.
    Ok(text.parse().unwrap_or(u64::MAX))
}

/// RFC 9110 section 10.1.1: HTTP/1.0 does not know it.
fn expects_continue(headers: &[(String, String)], minor: u8) -> Result<bool, Refused> {
    let mut expected = false;
    for value in values(headers, "expect").filter(|_| minor > 0) {
        if !value.eq_ignore_ascii_case("100-continue") {
            return Err(EXPECTATION);
        }
        expected = true;
    }
    Ok(expected)
}

/// RFC 9112 section 9.3.
fn keep_alive(headers: &[(String, String)], minor: u8) -> bool {
    let has = |wanted: &str| {
        let mut words = values(headers, "connection").flat_map(|value| value.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    !has("close") && (minor > 0 || has("keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            headers_max: 4,
            head_bytes_max: 200,
            body_bytes_max: 1000,
            ..Limits::default()
        }
    }

    /// A request line and headers, with the line ends that HTTP wants.
    fn head(lines: &[&str]) -> Vec<u8> {
        let mut text = lines.join("\r\n");
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }

    fn post(lines: &[&str]) -> Vec<u8> {
        head(&[&["POST / HTTP/1.1", "Host: a"], lines].concat())
    }

    #[test]
    fn a_head_is_refused_with_the_status_that_says_why() {
        let long = format!("X: {}", "x".repeat(200));
        let cases: Vec<(Vec<u8>, Refused)> = vec![
            (head(&["GET / HTTP/2.0", "Host: a"]), VERSION),
            (head(&["PRI * HTTP/2.0"]), VERSION),
            (b"\r\n\r\nGET / HTTP/3".to_vec(), VERSION),
            (head(&["GET / HTTP/1.2", "Host: a"]), VERSION),
            (head(&["GET / HTTP/1.x", "Host: a"]), MALFORMED),
            (head(&["GET / HTTP/one", "Host: a"]), MALFORMED),
            (head(&["GET /"]), MALFORMED),
            (head(&["GET  / HTTP/1.1", "Host: a"]), MALFORMED),
            (head(&["G(T / HTTP/1.1", "Host: a"]), MALFORMED),
            (b"\x16\x03\x01\x02\x00\x01\x00".to_vec(), MALFORMED),
            (post(&["X : a"]), MALFORMED),
            (post(&["X: a", " folded: b"]), MALFORMED),
            (post(&["X: a", "\tfolded"]), MALFORMED),
            (post(&["X: a\0b"]), MALFORMED),
            (post(&["X: a\rb"]), MALFORMED),
            (post(&["no colon"]), MALFORMED),
            (post(&[": no name"]), MALFORMED),
            (head(&["GET / HTTP/1.1"]), NO_HOST),
            (post(&["Host: a"]), NO_HOST),
            (head(&["GET / HTTP/1.0", "Host: a", "host: b"]), NO_HOST),
            (post(&["Content-Length: 1", "content-length: 1"]), LENGTH),
            (post(&["Content-Length: 1", "Content-Length: 2"]), LENGTH),
            (post(&["Content-Length: 1, 1"]), LENGTH),
            (post(&["Content-Length: +1"]), LENGTH),
            (post(&["Content-Length: -1"]), LENGTH),
            (post(&["Content-Length: 0x1"]), LENGTH),
            (post(&["Content-Length: 1 1"]), LENGTH),
            (post(&["Content-Length:"]), LENGTH),
            (post(&["Content-Length: \u{661}"]), LENGTH),
            (post(&["Transfer-Encoding: chunked"]), CODING),
            (post(&["transfer-encoding: identity"]), CODING),
            (
                post(&["Transfer-Encoding: chunked", "Content-Length: 1"]),
                CODING,
            ),
            (
                head(&["POST / HTTP/1.0", "Transfer-Encoding: gzip"]),
                CODING,
            ),
            (post(&["Content-Length: 1001"]), TOO_LARGE),
            (
                post(&["Content-Length: 99999999999999999999999"]),
                TOO_LARGE,
            ),
            (
                post(&["Content-Length: 1001", "Expect: 100-continue"]),
                TOO_LARGE,
            ),
            (post(&["Expect: 200-ok"]), EXPECTATION),
            (post(&["Expect: 100-continue", "Expect: more"]), EXPECTATION),
            (post(&["A: 1", "B: 1", "C: 1", "D: 1"]), HEADERS),
            (post(&[&long]), HEAD_TOO_LARGE),
            (vec![b'A'; 200], HEAD_TOO_LARGE),
            (vec![b'\n'; 200], HEAD_TOO_LARGE),
            (vec![b'\n'; 100_000], HEAD_TOO_LARGE),
        ];
        for (bytes, wanted) in cases {
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(parse(&bytes, &limits()), Err(wanted), "{text:.120}");
        }
    }

    #[test]
    fn a_head_says_how_long_its_body_is_and_whether_the_connection_stays() {
        // (head, length of the body, keep-alive, expects 100)
        let cases: [(Vec<u8>, usize, bool, bool); 15] = [
            (post(&[]), 0, true, false),
            (post(&["Content-Length: 0"]), 0, true, false),
            (post(&["Content-Length: \t1000 "]), 1000, true, false),
            (post(&["Content-Length: 0007"]), 7, true, false),
            (post(&["Connection: close"]), 0, false, false),
            (post(&["Connection: x, CLOSE"]), 0, false, false),
            (
                post(&["connection: x", "Connection: close"]),
                0,
                false,
                false,
            ),
            (post(&["Connection: closed"]), 0, true, false),
            (post(&["Connection: Keep-Alive"]), 0, true, false),
            (
                post(&["Content-Length: 2", "expect: 100-CONTINUE"]),
                2,
                true,
                true,
            ),
            (head(&["GET / HTTP/1.0"]), 0, false, false),
            (
                head(&["GET / HTTP/1.0", "Connection: keep-alive"]),
                0,
                true,
                false,
            ),
            (
                head(&["GET / HTTP/1.0", "Connection: keep-alive, close"]),
                0,
                false,
                false,
            ),
            (
                head(&[
                    "POST / HTTP/1.0",
                    "Content-Length: 2",
                    "Expect: 100-continue",
                ]),
                2,
                false,
                false,
            ),
            (b"\r\n\nGET / HTTP/1.1\nHost:\n\n".to_vec(), 0, true, false),
        ];
        for (bytes, body_bytes, keep_alive, expects_continue) in cases {
            let text = String::from_utf8_lossy(&bytes);
            let found = parse(&bytes, &limits()).unwrap().unwrap();
            let got = (found.body_bytes, found.keep_alive, found.expects_continue);
            assert_eq!(got, (body_bytes, keep_alive, expects_continue), "{text}");
            assert_eq!(found.bytes, bytes.len(), "{text}");
        }
    }

    #[test]
    fn names_are_lowered_and_all_else_stays_as_it_was_sent() {
        let bytes = head(&[
            "pOst /A%20b?C=d#e HTTP/1.1",
            "HOST: Ex",
            "X-a:  B c \t",
            "x-A: \u{e9}",
        ]);
        let found = parse(&bytes, &limits()).unwrap().unwrap();
        assert_eq!((&*found.method, &*found.path), ("pOst", "/A%20b?C=d#e"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let wanted = [
            pair("host", "Ex"),
            pair("x-a", "B c"),
            pair("x-a", "\u{e9}"),
        ];
        assert_eq!(found.headers, wanted);
        let not_utf8 = b"GET / HTTP/1.0\r\nX: a\xffb\r\n\r\n";
        let found = parse(not_utf8, &limits()).unwrap().unwrap();
        assert_eq!(found.headers, [pair("x", "a\u{fffd}b")]);
    }

    #[test]
    fn a_head_is_whole_at_its_last_byte_and_takes_nothing_of_what_follows() {
        let whole = post(&["Content-Length: 5", "Expect: 100-continue"]);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length], &limits()), Ok(None), "{length}");
        }
        let alone = parse(&whole, &limits()).unwrap();
        for after in ["x", "HTTP/2.0 \0", "\r\n\r\n", &"GET / ".repeat(100)] {
            let more = [&whole[..], after.as_bytes()].concat();
            assert_eq!(parse(&more, &limits()).unwrap(), alone, "{after}");
        }
    }

    #[test]
    fn the_limits_are_what_is_still_allowed() {
        let with = |filler: usize| post(&[&format!("X: {}", "x".repeat(filler))]);
        let room = 200 - with(0).len();
        assert!(parse(&with(room), &limits()).unwrap().is_some());
        assert_eq!(parse(&with(room + 1), &limits()), Err(HEAD_TOO_LARGE));
        let four = parse(&post(&["A: 1", "B: 1", "C: 1"]), &limits());
        assert_eq!(four.unwrap().unwrap().headers.len(), 4);
        assert!(parse(&post(&["Content-Length: 1000"]), &limits()).is_ok());
    }

    /// What is refused stays refused, whatever follows; what is taken stays as it is.
    #[test]
    fn random_heads_are_judged_alike_in_pieces_and_as_a_whole() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let parts: [&[u8]; 24] = [
            b"GET ",
            b"POST ",
            b"/ ",
            b"* ",
            b"HTTP/1.1",
            b"HTTP/1.0",
            b"HTTP/2",
            b"\r\n",
            b"\n",
            b"\r",
            b"Host: a",
            b"host:b",
            b"Content-Length: ",
            b"5",
            b"99999",
            b",",
            b" ",
            b"\t",
            b"Transfer-Encoding: chunked",
            b"Expect: 100-continue",
            b"Connection: close",
            b"\0",
            b"\xff",
            b"x: y",
        ];
        for round in 0..20_000 {
            let mut bytes = if random.bool() {
                post(&["X: y"])
            } else {
                Vec::new()
            };
            bytes.truncate(random.usize(..=bytes.len()));
            for _ in 0..random.usize(..12) {
                bytes.extend_from_slice(parts[random.usize(..parts.len())]);
            }
            let whole = parse(&bytes, &limits());
            for end in 0..bytes.len() {
                let early = parse(&bytes[..end], &limits());
                if early != Ok(None) {
                    let text = String::from_utf8_lossy(&bytes);
                    assert_eq!(early, whole, "seed {seed}, round {round}, {end}: {text:?}");
                }
            }
        }
    }
}
