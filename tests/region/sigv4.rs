//! Signature Version 4, checked from the server's side with code that is not the agent's.
//!
//! Source: "Create a signed AWS API request" of the IAM user guide. Texts of refusals are
//! those that AWS sends.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::{Date, Month, PrimitiveDateTime, Time};

use super::refusal::Refusal;
use super::server::Request;
use super::world::{Key, World};

/// How far a signature's time may be from the region's clock.
const SKEW_MS_MAX: i64 = 5 * 60_000;

/// The parts of an `Authorization` header.
pub struct Authorization {
    /// Access key id.
    pub key_id: String,
    /// Date of the credential scope.
    pub date: String,
    /// Region of the credential scope.
    pub region: String,
    /// Service of the credential scope: its signing name.
    pub service: String,
    signed_headers: Vec<String>,
    signature: String,
}

/// Reads the `Authorization` header; `Err` when there is none or it is not of this scheme.
pub fn parse(request: &Request) -> Result<Authorization, Refusal> {
    let Some(header) = request.header("authorization") else {
        let text = "Missing Authentication Token";
        return Err(Refusal::new(
            403,
            "MissingAuthenticationTokenException",
            text,
        ));
    };
    let incomplete = || {
        let text = format!("Authorization header requires existence of each part: {header}");
        Refusal::new(400, "IncompleteSignatureException", &text)
    };
    let parts = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(incomplete)?;
    let part = |name: &str| {
        let mut all = parts.split(',').map(str::trim);
        all.find_map(|p| p.strip_prefix(name)?.strip_prefix('='))
            .ok_or_else(incomplete)
    };
    let scope: Vec<&str> = part("Credential")?.split('/').collect();
    let [key_id, date, region, service, "aws4_request"] = scope[..] else {
        return Err(incomplete());
    };
    Ok(Authorization {
        key_id: key_id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed_headers: part("SignedHeaders")?
            .split(';')
            .map(str::to_owned)
            .collect(),
        signature: part("Signature")?.to_owned(),
    })
}

/// Refuses what AWS would: unknown and expired keys, wrong scope, wrong time, wrong signature.
pub fn verify(world: &World, request: &Request, claim: &Authorization) -> Result<(), Refusal> {
    let key = known_key(world, request, claim)?;
    if claim.region != world.region {
        let text = format!(
            "Credential should be scoped to a valid region, not '{}'. ",
            claim.region
        );
        return Err(invalid(&text));
    }
    let amz_date = request.header("x-amz-date").unwrap_or_default();
    let signed_ms = parse_amz_date(amz_date).ok_or_else(|| {
        invalid("Date must be in ISO-8601 'basic format'. See http://www.rfc-editor.org")
    })?;
    if !amz_date.starts_with(&claim.date) {
        return Err(invalid(
            "Date in Credential scope does not match X-Amz-Date.",
        ));
    }
    check_time(amz_date, signed_ms, world.now_ms())?;
    check_signed_headers(request, claim)?;
    let body_hash = body_hash(request)?;
    let canonical = canonical_request(request, claim, &body_hash);
    let scope = format!(
        "{}/{}/{}/aws4_request",
        claim.date, claim.region, claim.service
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{}",
        sha256_hex(canonical)
    );
    if signature(&key.secret, claim, &to_sign) == claim.signature {
        return Ok(());
    }
    Err(invalid(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details.",
    ))
}

fn known_key<'a>(
    world: &'a World,
    request: &Request,
    claim: &Authorization,
) -> Result<&'a Key, Refusal> {
    let unknown = || {
        let text = "The security token included in the request is invalid.";
        Refusal::new(403, "UnrecognizedClientException", text)
    };
    let known = world
        .keys
        .iter()
        .find(|k| k.id == claim.key_id && !k.revoked);
    let key = known.ok_or_else(unknown)?;
    if key.token.as_deref() != request.header("x-amz-security-token") {
        return Err(unknown());
    }
    let is_over = key.expires_ms.is_some_and(|end| end <= world.now_ms());
    if key.expired || is_over {
        let text = "The security token included in the request is expired";
        return Err(Refusal::new(403, "ExpiredTokenException", text));
    }
    Ok(key)
}

fn check_time(amz_date: &str, signed_ms: i64, now_ms: i64) -> Result<(), Refusal> {
    let now = format_amz_date(now_ms);
    if signed_ms < now_ms - SKEW_MS_MAX {
        let floor = format_amz_date(now_ms - SKEW_MS_MAX);
        return Err(invalid(&format!(
            "Signature expired: {amz_date} is now earlier than {floor} ({now} - 5 min.)"
        )));
    }
    if signed_ms > now_ms + SKEW_MS_MAX {
        let ceiling = format_amz_date(now_ms + SKEW_MS_MAX);
        return Err(invalid(&format!(
            "Signature not yet current: {amz_date} is still later than {ceiling} ({now} + 5 min.)"
        )));
    }
    Ok(())
}

fn check_signed_headers(request: &Request, claim: &Authorization) -> Result<(), Refusal> {
    let sent = |name: &&str| request.header(name).is_some();
    let must = [
        "x-amz-security-token",
        "x-amz-target",
        "x-amz-content-sha256",
    ];
    let mut wanted = vec!["host", "x-amz-date"];
    wanted.extend(must.into_iter().filter(sent));
    for name in wanted {
        if !claim.signed_headers.iter().any(|s| s == name) {
            let text = format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.");
            return Err(invalid(&text));
        }
    }
    Ok(())
}

fn body_hash(request: &Request) -> Result<String, Refusal> {
    let hash = sha256_hex(&request.body);
    match request.header("x-amz-content-sha256") {
        Some(claimed) if claimed != hash => Err(invalid(
            "The provided 'x-amz-content-sha256' header does not match the body.",
        )),
        _ => Ok(hash),
    }
}

fn canonical_request(request: &Request, claim: &Authorization, body_hash: &str) -> String {
    let mut headers = String::new();
    for name in &claim.signed_headers {
        let value = request.header(name).unwrap_or_default();
        let words: Vec<&str> = value.split_whitespace().collect();
        let _ = writeln!(headers, "{name}:{}", words.join(" "));
    }
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{body_hash}",
        request.method,
        encode(request.path.as_bytes(), true),
        canonical_query(&request.query),
        claim.signed_headers.join(";"),
    )
}

/// The path is encoded a second time as it came: every service but S3 does so.
fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            b'/' if keep_slash => text.push('/'),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

fn canonical_query(query: &str) -> String {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (encode(&decode(name), false), encode(&decode(value), false))
    };
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(pair)
        .collect();
    pairs.sort();
    let joined: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
    joined.join("&")
}

/// Percent-decodes; what is no escape stays as it is, and `+` is a plus sign.
pub fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let value = escape
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

fn signature(secret: &str, claim: &Authorization, to_sign: &str) -> String {
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), &claim.date);
    for part in [&claim.region, &claim.service, "aws4_request"] {
        key = hmac(&key, part);
    }
    hex(&hmac(&key, to_sign))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn invalid(text: &str) -> Refusal {
    Refusal::new(403, "InvalidSignatureException", text)
}

/// `20261122T100000Z`.
fn format_amz_date(ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000));
    let at = at.expect("the region's clock shows a year of four digits");
    let (h, m, s) = at.to_hms();
    let (year, month, day) = at.to_calendar_date();
    format!(
        "{year:04}{:02}{day:02}T{h:02}{m:02}{s:02}Z",
        u8::from(month)
    )
}

fn parse_amz_date(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 || !text.is_ascii() {
        return None;
    }
    let month = Month::try_from(date[4..6].parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(date[..4].parse().ok()?, month, date[6..].parse().ok()?);
    let number = |at: usize| time[at..at + 2].parse::<u8>().ok();
    let time = Time::from_hms(number(0)?, number(2)?, number(4)?);
    let at = PrimitiveDateTime::new(date.ok()?, time.ok()?).assume_utc();
    Some(at.unix_timestamp() * 1000)
}
