//! Holds an envelope against the rules and against its signature. Pure.
//!
//! AWS's own validators have been led astray by everything that they left open: hosts that only
//! look like SNS, a `.pem` in the query, field lists taken from the message. So nothing is
//! matched by pattern here that can be compared as a whole.
//!
//! Sources: SNS developer guide, "Verifying the signatures of Amazon SNS messages" and "Amazon
//! SNS message delivery retries".

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::certificate::{Algorithm, Certificate};
use super::envelope::Envelope;
use super::settings::Settings;
use crate::config::Secret;
use crate::state::push::{MessageId, Reason};
use crate::state::time::UnixMs;

/// AWS tries for up to an hour; the rest is for clocks.
const AGE_MS_MAX: i64 = 75 * 60 * 1000;
/// How far a publisher's clock may be ahead of the one that is learned.
const AHEAD_MS_MAX: i64 = 15 * 60 * 1000;
/// Base64 of a signature of the largest key, 8192 bits.
const SIGNATURE_BYTES_MAX: usize = 1368;
/// Hex digits in the name of a certificate.
const CERTIFICATE_DIGITS: usize = 32;
const CERTIFICATE_STEM: &str = "/SimpleNotificationService-";
const CERTIFICATE_ENDING: &str = ".pem";

/// The path of a certificate below the origin that the config names. There is no other way
/// to make one than [`CertificatePath::of`], and no host in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePath(String);

impl CertificatePath {
    /// What is left of `url` when it is a certificate of `origin`.
    pub fn of(url: &str, origin: &str) -> Option<CertificatePath> {
        let path = url.strip_prefix(origin)?;
        let digits = path.strip_prefix(CERTIFICATE_STEM)?;
        let digits = digits.strip_suffix(CERTIFICATE_ENDING)?;
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let well = digits.len() == CERTIFICATE_DIGITS && digits.bytes().all(hex);
        well.then(|| CertificatePath(path.to_owned()))
    }

    /// `/SimpleNotificationService-<32 hex>.pem`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message that is right in everything but what needs the time or the certificate.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What the body says.
    pub envelope: Envelope,
    /// Where the certificate is that it names.
    pub certificate: CertificatePath,
    /// Which of the two hashes.
    pub algorithm: Algorithm,
    /// The signature itself.
    pub signature: Vec<u8>,
    /// The subscription it came by, as the header says: not signed, so it is only taken when
    /// it is one of the topic's.
    pub subscription_arn: Option<String>,
}

/// The headers of a request, names in small letters.
pub type Headers = [(String, String)];

fn values<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = headers.iter().filter(move |(key, _)| key == name);
    named.map(|(_, value)| value.as_str())
}

/// The first value of a header.
pub fn header<'a>(headers: &'a Headers, name: &'a str) -> Option<&'a str> {
    values(headers, name).next()
}

/// Whether the message comes without the object around it, and so without a signature.
pub fn is_raw(headers: &Headers) -> bool {
    values(headers, "x-amz-sns-rawdelivery").any(|value| value.eq_ignore_ascii_case("true"))
}

/// Everything that can be told without the time and without the certificate.
///
/// # Errors
///
/// The first rule that is broken.
pub fn check(
    envelope: Envelope,
    headers: &Headers,
    settings: &Settings,
) -> Result<Checked, Reason> {
    let agrees = |name, said: &str| values(headers, name).all(|value| value == said);
    if !agrees("x-amz-sns-message-type", envelope.kind.as_str()) {
        return Err(Reason::Type);
    }
    let topic_arn = envelope.topic_arn.as_str();
    let known = settings.known_topic(topic_arn).is_some();
    if !known || !agrees("x-amz-sns-topic-arn", topic_arn) {
        return Err(Reason::Topic);
    }
    if !agrees("x-amz-sns-message-id", &envelope.message_id_text) {
        return Err(Reason::Malformed);
    }
    let certificate = CertificatePath::of(&envelope.signing_cert_url, &settings.origin);
    let certificate = certificate.ok_or(Reason::CertificateUrl)?;
    let (algorithm, version) = match envelope.signature_version.as_str() {
        "1" => (Algorithm::Sha1, 1),
        "2" => (Algorithm::Sha256, 2),
        _ => return Err(Reason::SignatureVersion),
    };
    if version < settings.min_signature_version {
        return Err(Reason::SignatureVersion);
    }
    if let Some(invitation) = &envelope.invitation {
        let url = invitation.subscribe_url.expose();
        if !confirms(url, &settings.origin, topic_arn, &invitation.token) {
            return Err(Reason::SubscribeUrl);
        }
    }
    let signature = signature_bytes(&envelope.signature).ok_or(Reason::Signature)?;
    let subscription_arn = header(headers, "x-amz-sns-subscription-arn");
    let subscription_arn = subscription_arn.filter(|arn| is_subscription(arn, topic_arn));
    Ok(Checked {
        certificate,
        algorithm,
        signature,
        subscription_arn: subscription_arn.map(str::to_owned),
        envelope,
    })
}

/// Padding and all, so that a signature has one form.
fn signature_bytes(text: &str) -> Option<Vec<u8>> {
    let fits = text.len() <= SIGNATURE_BYTES_MAX;
    fits.then(|| STANDARD.decode(text).ok()).flatten()
}

/// Whether `url` confirms this topic with this token at `origin`, and does nothing else.
fn confirms(url: &str, origin: &str, topic_arn: &str, token: &Secret) -> bool {
    let Some(query) = url
        .strip_prefix(origin)
        .and_then(|rest| rest.strip_prefix("/?"))
    else {
        return false;
    };
    let mut wanted = vec![
        ("Action", "ConfirmSubscription"),
        ("TopicArn", topic_arn),
        ("Token", token.expose()),
    ];
    for pair in query.split('&') {
        let Some((name, value)) = pair.split_once('=') else {
            return false;
        };
        let Ok(value) = percent_decode_str(value).decode_utf8() else {
            return false;
        };
        let place = wanted
            .iter()
            .position(|(key, text)| *key == name && *text == value);
        let Some(place) = place else {
            return false;
        };
        wanted.remove(place);
    }
    wanted.is_empty()
}

/// Whether a text is `<topic_arn>:<uuid>`.
pub fn is_subscription(arn: &str, topic_arn: &str) -> bool {
    let id = arn
        .strip_prefix(topic_arn)
        .and_then(|rest| rest.strip_prefix(':'));
    id.is_some_and(|id| MessageId::parse(id).is_some())
}

/// Holds the time of publication against AWS's time.
///
/// # Errors
///
/// [`Reason::TooOld`] after 75 minutes, [`Reason::Ahead`] from 15 minutes ahead on.
pub fn fresh(timestamp: UnixMs, aws_now: UnixMs) -> Result<(), Reason> {
    let age_ms = aws_now.0.saturating_sub(timestamp.0);
    if age_ms > AGE_MS_MAX {
        Err(Reason::TooOld)
    } else if age_ms < -AHEAD_MS_MAX {
        Err(Reason::Ahead)
    } else {
        Ok(())
    }
}

/// Holds the signature against the certificate's key.
///
/// # Errors
///
/// [`Reason::Signature`].
pub fn signature(checked: &Checked, certificate: &Certificate) -> Result<(), Reason> {
    let signed = string_to_sign(&checked.envelope);
    let right = certificate.has_signed(checked.algorithm, signed.as_bytes(), &checked.signature);
    right.then_some(()).ok_or(Reason::Signature)
}

/// Names and values in AWS's order, each with a newline after it; the list goes by the type.
pub fn string_to_sign(envelope: &Envelope) -> String {
    let mut pairs = vec![
        ("Message", envelope.message.as_str()),
        ("MessageId", &envelope.message_id_text),
    ];
    let kind = envelope.kind.as_str();
    match &envelope.invitation {
        None => {
            pairs.extend(
                envelope
                    .subject
                    .as_deref()
                    .map(|subject| ("Subject", subject)),
            );
            pairs.push(("Timestamp", &envelope.timestamp_text));
        }
        Some(invitation) => pairs.extend([
            ("SubscribeURL", invitation.subscribe_url.expose()),
            ("Timestamp", &envelope.timestamp_text),
            ("Token", invitation.token.expose()),
        ]),
    }
    pairs.extend([("TopicArn", envelope.topic_arn.as_str()), ("Type", kind)]);
    let bytes = pairs
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2);
    let mut text = String::with_capacity(bytes.sum());
    for (name, value) in pairs {
        for part in [name, value] {
            text.push_str(part);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://sns.eu-west-1.amazonaws.com";
    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:a";

    #[test]
    fn a_certificate_is_taken_at_one_place_only() {
        let good = format!("{ORIGIN}/SimpleNotificationService-{}.pem", "0a".repeat(16));
        let path = CertificatePath::of(&good, ORIGIN).unwrap();
        assert_eq!(format!("{ORIGIN}{path}"), good);
        let name = &good[ORIGIN.len()..];
        let upper = good.replace("0a", "0A");
        let cases = [
            upper,
            good.replace("https", "http"),
            good.replace("https", "HTTPS"),
            good.replace("sns.", "SNS."),
            good.replace(".com/", ".com:443/"),
            good.replace(".com/", ".com./"),
            good.replace(".com/", ".com//"),
            good.replace(".com/", ".com/x/../"),
            good.replace(".com/", ".com.evil.example/"),
            good.replace("//sns", "//user@sns"),
            good.replace("//sns", "//evil-sns"),
            good.replace("eu-west-1", "eu-west-2"),
            good.replace("eu-west-1", "s3-us-west-2"),
            good.replace("eu-west-1", "elasticbeanstalk"),
            good.replace("sns.eu-west-1", "s3"),
            good.replace(".pem", ".PEM"),
            good.replace(".pem", ""),
            good.replace("0a0a0a", "0a0a"),
            good.replace("0a0a0a", "0a0a0a0a"),
            good.replace("0a0a0a", "0a%30a"),
            good.replace("0a0a0a", "0a0a0g"),
            format!("{good}?x=.pem"),
            format!("{good}#.pem"),
            format!("{good}\n"),
            format!(" {good}"),
            format!("{ORIGIN}/?Action=GetTopicAttributes&x=.pem"),
            format!("{ORIGIN}/?x={name}"),
            format!("https://evil.example{name}"),
            format!("https://evil.example/?{good}"),
            name.to_owned(),
            String::new(),
        ];
        for url in cases {
            assert_ne!(url, good);
            assert_eq!(CertificatePath::of(&url, ORIGIN), None, "{url}");
        }
    }

    #[test]
    fn a_confirmation_has_its_three_words_and_no_other() {
        let good = format!("{ORIGIN}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336");
        let encoded = good.replace("=arn:aws:sns:", "=arn%3Aaws%3asns%3A");
        let turned = format!("{ORIGIN}/?Token=2336&Action=ConfirmSubscription&TopicArn={TOPIC}");
        let cases = [
            (good.clone(), true),
            (encoded, true),
            (turned, true),
            (good.replace("https", "http"), false),
            (good.replace("eu-west-1.amazonaws", "eu-west-1.evil"), false),
            (good.replace("/?", "?"), false),
            (good.replace("/?", "/x?"), false),
            (good.replace("Confirm", "Delete"), false),
            (good.replace("Action", "action"), false),
            (good.replace(":a&", ":b&"), false),
            (good.replace("2336", "2337"), false),
            (good.replace("2336", ""), false),
            (good.replace("2336", "%ff"), false),
            (good.replace("&Token=2336", ""), false),
            (good.replace("&Token=2336", "&Token"), false),
            (format!("{good}&"), false),
            (format!("{good}&Token=2336"), false),
            (format!("{good}&Version=2010-03-31"), false),
            (format!("{good}#x"), false),
            (
                String::from("http://169.254.169.254/latest/meta-data/"),
                false,
            ),
        ];
        for (url, wanted) in cases {
            let taken = confirms(&url, ORIGIN, TOPIC, &Secret::new("2336"));
            assert_eq!(taken, wanted, "{url}");
        }
    }

    #[test]
    fn a_message_is_fresh_for_75_minutes_and_up_to_15_ahead() {
        const NOON: i64 = 1_795_341_600_000;
        const MINUTE: i64 = 60_000;
        let cases = [
            (0, Ok(())),
            (75 * MINUTE, Ok(())),
            (75 * MINUTE + 1, Err(Reason::TooOld)),
            (-15 * MINUTE, Ok(())),
            (-15 * MINUTE - 1, Err(Reason::Ahead)),
        ];
        for (age_ms, wanted) in cases {
            let timestamp = UnixMs(NOON - age_ms);
            assert_eq!(fresh(timestamp, UnixMs(NOON)), wanted, "{age_ms}");
        }
        assert_eq!(fresh(UnixMs(i64::MIN), UnixMs(NOON)), Err(Reason::TooOld));
        assert_eq!(fresh(UnixMs(i64::MAX), UnixMs(NOON)), Err(Reason::Ahead));
    }

    #[test]
    fn a_subscription_is_the_topics_own() {
        let cases = [
            ("e1039402-24e7-40a3-a0d4-797da162b297", true),
            ("", false),
            ("e1039402", false),
            ("e1039402-24e7-40a3-a0d4-797da162b297:x", false),
        ];
        for (id, wanted) in cases {
            assert_eq!(
                is_subscription(&format!("{TOPIC}:{id}"), TOPIC),
                wanted,
                "{id}"
            );
            assert!(!is_subscription(&format!("{TOPIC}b:{id}"), TOPIC), "{id}");
        }
    }

    #[test]
    fn a_signature_is_base64_in_its_one_form() {
        let longest = STANDARD.encode([7; 1024]);
        assert_eq!(longest.len(), SIGNATURE_BYTES_MAX);
        for good in ["AAEC", "AAE=", "AA==", longest.as_str()] {
            assert!(signature_bytes(good).is_some(), "{good}");
        }
        let too_long = format!("{longest}AAEC");
        for bad in [
            "AA",
            "AAE",
            "AAF=",
            "AA==\n",
            "A AEC",
            "_-AA",
            "AAEC=",
            too_long.as_str(),
        ] {
            assert_eq!(signature_bytes(bad), None, "{bad}");
        }
    }
}
