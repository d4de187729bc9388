//! Reads what AWS says when it refuses, and tells JSON that is not what was promised. Pure.
//!
//! A code comes in one of four places (botocore parsers.py): `x-amzn-query-error`,
//! `x-amzn-ErrorType`, `__type` or `code` of a JSON body, `<Code>` of an XML body. Front doors
//! and proxies answer with HTML, which has none. All of it is text from outside: it is cut,
//! made one line, and stripped of what looks like a credential before anybody sees it.

use http::HeaderMap;
use serde::Deserialize;

use crate::state::fault::{Fault, FaultKind};

/// Longest text of AWS that is passed on.
const MESSAGE_CHARS_MAX: usize = 300;
/// Longest error code that is believed to be one.
const CODE_CHARS_MAX: usize = 100;
/// Shortest run of letters and digits that is taken for an access key id.
const KEY_ID_CHARS_MIN: usize = 16;

/// What an error answer says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// AWS's error code.
    pub code: Option<String>,
    /// AWS's sentence, or the title of an HTML page.
    pub message: Option<String>,
}

#[derive(Default, Deserialize)]
struct JsonError {
    #[serde(rename = "__type")]
    type_name: Option<String>,
    code: Option<String>,
    // Some front doors send more than one of these, null among them.
    message: Option<String>,
    #[serde(rename = "Message")]
    capital: Option<String>,
    #[serde(rename = "errorMessage")]
    long: Option<String>,
}

impl Refusal {
    /// Reads head and body of an answer that is no success.
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Refusal {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let json: JsonError = serde_json::from_slice(body).unwrap_or_default();
        let text = String::from_utf8_lossy(body);
        let codes = [
            header("x-amzn-query-error"),
            header("x-amzn-errortype"),
            json.type_name.as_deref(),
            json.code.as_deref(),
            element(&text, "Code"),
        ];
        let messages = [&json.message, &json.capital, &json.long];
        let message = messages.into_iter().find_map(|text| text.as_deref());
        let message = message.or_else(|| element(&text, "Message"));
        let message = message.or_else(|| element(&text, "title"));
        Refusal {
            code: codes.into_iter().flatten().find_map(bare_code),
            message: message.map(one_line).filter(|m| !m.is_empty()),
        }
    }
}

/// `aws.protocol#Throttling:http://…;Sender` is `Throttling`.
fn bare_code(text: &str) -> Option<String> {
    let text = text.split([':', ';']).next()?;
    let code = text.rsplit('#').next()?.trim();
    let fits = !code.is_empty() && code.len() <= CODE_CHARS_MAX;
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (fits && code.chars().all(known)).then(|| code.to_owned())
}

/// What stands between `<name>` and `</name>`.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}

/// The first line with words in it, cut, without control characters and credentials.
pub fn one_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = line.unwrap_or("").chars().map(plain).collect();
    let line = without_credentials(&without_user_info(&line));
    if line.chars().count() <= MESSAGE_CHARS_MAX {
        return line;
    }
    let cut = line.chars().take(MESSAGE_CHARS_MAX - 1);
    cut.chain(['…']).collect()
}

/// A URL without the user and the password before its host: of a proxy, in the words of a
/// `credential_process`.
fn without_user_info(line: &str) -> String {
    const SCHEME_END: &str = "://";
    let mut parts = line.split(SCHEME_END);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>');
        // A password may have a slash in it, though it should not.
        let url = part.find(ends).map_or(part, |end| &part[..end]);
        let host = url.rfind('@').map_or(0, |at| at + 1);
        shown += SCHEME_END;
        if host > 0 {
            shown.push('…');
        }
        shown += &part[host..];
    }
    shown
}

/// AWS and proxies may quote the request they refuse. From an `Authorization` on everything
/// goes; access key ids, which begin with `AKIA` or `ASIA`, go wherever they stand.
fn without_credentials(line: &str) -> String {
    let marks = ["AWS4-HMAC-SHA256", "Credential=", "Signature="];
    let from = marks.iter().filter_map(|mark| line.find(mark)).min();
    let (line, quoted) = match from {
        Some(from) => (&line[..from], "…"),
        None => (line, ""),
    };
    let words = line.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let shown = words.map(|word| {
        let run = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let key_id = run.starts_with("AKIA") || run.starts_with("ASIA");
        if key_id && run.len() >= KEY_ID_CHARS_MIN {
            word.replace(run, "…")
        } else {
            word.to_owned()
        }
    });
    shown.collect::<String>() + quoted
}

/// Parses a whole JSON body.
///
/// # Errors
///
/// [`FaultKind::Answer`] with the place of the fault. serde's own words quote the content,
/// which may be a secret: only the name of a missing field is taken from them.
pub fn parse_json<'a, T: Deserialize<'a>>(operation: &str, body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| not_as_promised(operation, body, &error))
}

/// What is wrong with a body that is not the JSON that was expected.
pub fn not_as_promised(operation: &str, body: &[u8], error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let missing = text
        .strip_prefix("missing field `")
        .and_then(|t| t.split('`').next());
    let reason = match (missing, error.classify()) {
        (Some(field), _) => format!("{field} is missing"),
        _ if body.trim_ascii_start().starts_with(b"<") => String::from("a page, not JSON"),
        (None, serde_json::error::Category::Data) => String::from("a value of another type"),
        (None, _) => String::from("malformed JSON"),
    };
    let (line, column) = (error.line(), error.column());
    Fault::new(
        FaultKind::Answer,
        format!(
            "the answer to {operation} is not what AWS promises: \
             {reason} at line {line}, column {column}"
        ),
        "check the url and whether a proxy answers in AWS's place",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn code_and_message_are_found_wherever_aws_puts_them() {
        let type_header = [(
            "x-amzn-errortype",
            "ForbiddenException:http://internal.amazon.com/coral/",
        )];
        let both = [
            (
                "x-amzn-errortype",
                "com.amazon#InvalidParameterValueException",
            ),
            ("x-amzn-query-error", "InvalidParameterValue;Sender"),
        ];
        let xml = "<?xml version=\"1.0\"?><ErrorResponse><Error>\n<Code>AccessDenied</Code>\
                   <Message>User is not authorized</Message></Error></ErrorResponse>";
        let html = "<html><head><title>403 Forbidden</title></head><body>no</body></html>";
        let json = r#"{"__type":"com.amazonaws#ExpiredTokenException","Message":"It expired"}"#;
        let both_cases = r#"{"__type":"x#AccessDenied","message":null,"Message":"No"}"#;
        let cases: [(&[_], &str, Option<&str>, Option<&str>); 10] = [
            (&[], both_cases, Some("AccessDenied"), Some("No")),
            (
                &type_header,
                r#"{"message":"No"}"#,
                Some("ForbiddenException"),
                Some("No"),
            ),
            (&both, "{}", Some("InvalidParameterValue"), None),
            (&[], json, Some("ExpiredTokenException"), Some("It expired")),
            (
                &[],
                r#"{"code":"Throttling","message":null}"#,
                Some("Throttling"),
                None,
            ),
            (
                &[],
                xml,
                Some("AccessDenied"),
                Some("User is not authorized"),
            ),
            (&[], html, None, Some("403 Forbidden")),
            (&[("x-amzn-errortype", "not a code")], "", None, None),
            (&[], "\u{0}\u{1}binary", None, None),
            (&[], r#"{"__type":7,"message":["x"]}"#, None, None),
        ];
        for (pairs, body, code, message) in cases {
            let refusal = Refusal::read(&headers(pairs), body.as_bytes());
            assert_eq!(refusal.code.as_deref(), code, "{body}");
            assert_eq!(refusal.message.as_deref(), message, "{body}");
        }
    }

    #[test]
    fn text_from_outside_becomes_one_short_line_without_credentials() {
        let long = "ü".repeat(301);
        let cut = format!("{}…", "ü".repeat(299));
        let fits = "x".repeat(300);
        let cases = [
            ("plain \"quoted\" text", "plain \"quoted\" text"),
            ("\n  first\r\nsecond", "first"),
            ("a\u{7}b\tc", "a b c"),
            (long.as_str(), cut.as_str()),
            (fits.as_str(), fits.as_str()),
            ("key AKIAIOSFODNN7EXAMPLE, unknown", "key …, unknown"),
            ("ASIAQWERTYUIOPASDFGH", "…"),
            ("AKIA is short", "AKIA is short"),
            (
                "bad header: 'AWS4-HMAC-SHA256 Credential=abc/2026'",
                "bad header: '…",
            ),
            (
                "proxyconnect \"http://u:hunter2@p:1\": refused, see https://a.b/c",
                "proxyconnect \"http://…p:1\": refused, see https://a.b/c",
            ),
            ("http://u:hun/t@er2@p:1/ and x@y", "http://…p:1/ and x@y"),
            ("", ""),
        ];
        for (text, wanted) in cases {
            assert_eq!(one_line(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_json_fault_names_the_place_and_never_the_content() {
        #[derive(Debug, Deserialize)]
        struct Listing {
            #[expect(dead_code, reason = "only its absence and its type matter here")]
            channels: Vec<u8>,
        }
        let cases = [
            ("{}", "channels is missing at line 1, column 2"),
            (
                "{\"channels\":\n \"hunter2\"}",
                "a value of another type at line 2, column 10",
            ),
            ("{\"channels\": [1", "malformed JSON at line 1, column 15"),
            ("", "malformed JSON at line 1, column 0"),
            (" <html>hunter2", "a page, not JSON at line 1, column 2"),
        ];
        for (body, wanted) in cases {
            let fault = parse_json::<Listing>("ListChannels", body.as_bytes()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Answer);
            assert!(fault.what.ends_with(wanted), "{body}: {fault}");
            assert!(fault.what.contains("ListChannels"), "{fault}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    }
}
