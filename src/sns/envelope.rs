//! The JSON object around every message of SNS. Pure.
//!
//! The signature covers names and values joined by newlines, without lengths. So what is
//! around the free text must have one form only, or text could be moved from one field to the
//! next under the same signature.
//!
//! Sources: SNS developer guide, "Parsing message formats" and "Verifying the signatures of
//! Amazon SNS messages"; SNS API, `Publish`, for the subject.

use std::borrow::Cow;

use super::reader::{NotJson, Reader};
use crate::config::Secret;
use crate::state::push::{MessageId, Reason};
use crate::state::time::UnixMs;

/// Keys of one envelope; SNS writes up to 11.
const KEYS_MAX: usize = 64;
/// AWS says "less than 100 characters", and not which kind; of the units in use a Unicode
/// character counts least.
const SUBJECT_CHARS_MAX: usize = 100;
/// A token has some 330 characters.
const TOKEN_BYTES_MAX: usize = 4096;
/// The URL holds the token.
const SUBSCRIBE_URL_BYTES_MAX: usize = 8192;
/// `2012-04-26T20:45:04.751Z`, or with more digits of a second.
const TIMESTAMP_BYTES_MAX: usize = 30;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What somebody published.
    Notification,
    /// The topic asks whether it shall send here.
    SubscriptionConfirmation,
    /// The topic does not send here any more.
    UnsubscribeConfirmation,
}

impl Kind {
    /// All three.
    pub const ALL: [Kind; 3] = [
        Kind::Notification,
        Kind::SubscriptionConfirmation,
        Kind::UnsubscribeConfirmation,
    ];

    /// As it stands in `Type` and in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Notification => "Notification",
            Kind::SubscriptionConfirmation => "SubscriptionConfirmation",
            Kind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        }
    }

    /// Reads `Type`.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What the body says; nothing of it is proven yet.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// `Type`.
    pub kind: Kind,
    /// `MessageId`.
    pub message_id: MessageId,
    /// The same, letter by letter: so it is signed.
    pub message_id_text: String,
    /// `TopicArn`.
    pub topic_arn: String,
    /// `Subject` of a notification.
    pub subject: Option<String>,
    /// `Message`.
    pub message: String,
    /// `Timestamp`: when it was published.
    pub timestamp: UnixMs,
    /// The same, letter by letter.
    pub timestamp_text: String,
    /// `SignatureVersion`.
    pub signature_version: String,
    /// `Signature`, base64.
    pub signature: String,
    /// `SigningCertURL`.
    pub signing_cert_url: String,
    /// `Token` and `SubscribeURL` of the two confirmations.
    pub invitation: Option<Invitation>,
}

/// What only confirmations hold. Whoever has it can subscribe this address.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// `Token`.
    pub token: Secret,
    /// `SubscribeURL`, which holds the token.
    pub subscribe_url: Secret,
}

/// The keys whose values are strings, each with its place in [`Fields`].
const KEYS: [&str; 12] = [
    "Type",
    "MessageId",
    "TopicArn",
    "Subject",
    "Message",
    "Timestamp",
    "SignatureVersion",
    "Signature",
    "SigningCertURL",
    "Token",
    "SubscribeURL",
    "UnsubscribeURL",
];

/// The values of [`KEYS`] as far as they are there.
#[derive(Default)]
struct Fields<'a>([Option<Cow<'a, str>>; KEYS.len()]);

impl<'a> Fields<'a> {
    fn place(name: &str) -> Option<usize> {
        KEYS.iter().position(|key| *key == name)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let place = Fields::place(name)?;
        self.0[place].take().map(Cow::into_owned)
    }

    fn need(&mut self, name: &str) -> Result<String, Reason> {
        self.take(name).ok_or(Reason::Malformed)
    }

    /// Reads the object and what is after it, which must be nothing.
    fn read(text: &'a str) -> Result<Fields<'a>, NotJson> {
        let mut reader = Reader::new(text);
        let mut fields = Fields::default();
        let mut seen: Vec<Cow<'a, str>> = Vec::new();
        reader.need(b'{')?;
        loop {
            let key = reader.key()?;
            if seen.contains(&key) || seen.len() == KEYS_MAX {
                return Err(NotJson);
            }
            match Fields::place(&key) {
                // Left off and null are the same to who wrote it; null is never signed.
                Some(_) if key == "Subject" && reader.takes_word("null") => {}
                Some(place) => fields.0[place] = Some(reader.string()?),
                // `SigningCertUrl` of a Lambda event: not what SNS sends here.
                None if KEYS.iter().any(|known| known.eq_ignore_ascii_case(&key)) => {
                    return Err(NotJson);
                }
                None => reader.skip()?,
            }
            seen.push(key);
            if !reader.takes(b',') {
                break;
            }
        }
        reader.need(b'}')?;
        if reader.at_end() {
            Ok(fields)
        } else {
            Err(NotJson)
        }
    }
}

/// Reads a body.
///
/// # Errors
///
/// [`Reason::Type`] for a type that is none of the three, [`Reason::Malformed`] for everything
/// else that SNS does not write.
pub fn parse(body: &[u8]) -> Result<Envelope, Reason> {
    let text = std::str::from_utf8(body).map_err(|_| Reason::Malformed)?;
    let mut fields = Fields::read(text).map_err(|NotJson| Reason::Malformed)?;
    let kind = Kind::parse(&fields.need("Type")?).ok_or(Reason::Type)?;
    let message_id_text = fields.need("MessageId")?;
    let timestamp_text = fields.need("Timestamp")?;
    // What is not signed for this type is not taken, whatever it says.
    let (subject, invitation) = match kind {
        Kind::Notification => (fields.take("Subject"), None),
        _ => (None, Some(invitation(&mut fields)?)),
    };
    if !subject.as_deref().is_none_or(is_subject) {
        return Err(Reason::Malformed);
    }
    Ok(Envelope {
        kind,
        message_id: MessageId::parse(&message_id_text).ok_or(Reason::Malformed)?,
        message_id_text,
        topic_arn: fields.need("TopicArn")?,
        subject,
        message: fields.need("Message")?,
        timestamp: timestamp(&timestamp_text).ok_or(Reason::Malformed)?,
        timestamp_text,
        signature_version: fields.need("SignatureVersion")?,
        signature: fields.need("Signature")?,
        signing_cert_url: fields.need("SigningCertURL")?,
        invitation,
    })
}

/// What an envelope says where nobody holds it against a signature.
#[derive(Clone, Debug)]
pub struct Unsigned {
    /// `Type`.
    pub kind: Kind,
    /// `MessageId`, where it is one.
    pub message_id: Option<MessageId>,
    /// `Subject`.
    pub subject: Option<String>,
    /// `Message`.
    pub message: String,
    /// `Timestamp`, where it is one.
    pub timestamp: Option<UnixMs>,
}

/// Reads the envelope of a message that came another way than over HTTP.
///
/// # Errors
///
/// [`Reason::Type`] for a type that is none of the three; [`Reason::Malformed`] for what is no
/// object of such strings, has a key twice, or has no `Message`.
pub fn parse_unsigned(text: &str) -> Result<Unsigned, Reason> {
    let mut fields = Fields::read(text).map_err(|NotJson| Reason::Malformed)?;
    Ok(Unsigned {
        kind: Kind::parse(&fields.need("Type")?).ok_or(Reason::Type)?,
        message_id: fields
            .take("MessageId")
            .and_then(|id| MessageId::parse(&id)),
        subject: fields.take("Subject"),
        message: fields.need("Message")?,
        timestamp: fields.take("Timestamp").and_then(|text| timestamp(&text)),
    })
}

fn invitation(fields: &mut Fields<'_>) -> Result<Invitation, Reason> {
    let token = fields.need("Token")?;
    let subscribe_url = fields.need("SubscribeURL")?;
    let fits = |text: &str, bytes_max: usize| {
        let length = 1..=bytes_max;
        length.contains(&text.len()) && !text.bytes().any(|b| b.is_ascii_control())
    };
    let well = fits(&token, TOKEN_BYTES_MAX) && fits(&subscribe_url, SUBSCRIBE_URL_BYTES_MAX);
    if !well {
        return Err(Reason::Malformed);
    }
    Ok(Invitation {
        token: Secret::new(token),
        subscribe_url: Secret::new(subscribe_url),
    })
}

fn is_subject(text: &str) -> bool {
    text.chars().count() <= SUBJECT_CHARS_MAX && !text.bytes().any(|b| b.is_ascii_control())
}

/// RFC 3339 in UTC, written in one way: capital letters, and `Z`.
fn timestamp(text: &str) -> Option<UnixMs> {
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b'T' | b'Z');
    let well = text.len() <= TIMESTAMP_BYTES_MAX
        && text.ends_with('Z')
        && text.as_bytes().get(10) == Some(&b'T')
        && text.bytes().all(plain);
    well.then(|| UnixMs::parse(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTIFICATION: [(&str, &str); 10] = [
        ("Type", "\"Notification\""),
        ("MessageId", "\"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\""),
        ("TopicArn", "\"arn:aws:sns:us-west-2:123456789012:MyTopic\""),
        ("Subject", "\"My First Message\""),
        ("Message", "\"Hello world!\""),
        ("Timestamp", "\"2012-05-02T00:54:06.655Z\""),
        ("SignatureVersion", "\"1\""),
        ("Signature", "\"EXAMPLE\""),
        (
            "SigningCertURL",
            "\"https://sns.us-west-2.amazonaws.com/x.pem\"",
        ),
        (
            "UnsubscribeURL",
            "\"https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe\"",
        ),
    ];
    const INVITATION: [(&str, &str); 3] = [
        ("Type", "\"SubscriptionConfirmation\""),
        ("Token", "\"2336\""),
        (
            "SubscribeURL",
            "\"https://sns.us-west-2.amazonaws.com/?Action=x\"",
        ),
    ];

    /// The notification with these values in place of its own or besides; an empty value
    /// leaves the key out.
    fn body(changes: &[(&str, &str)]) -> String {
        let mut pairs: Vec<(&str, &str)> = NOTIFICATION.to_vec();
        for (key, value) in changes {
            pairs.retain(|(other, _)| other != key);
            if !value.is_empty() {
                pairs.push((key, value));
            }
        }
        let pairs = pairs
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }

    fn read(changes: &[(&str, &str)]) -> Result<Envelope, Reason> {
        parse(body(changes).as_bytes())
    }

    fn invited(changes: &[(&str, &str)]) -> Result<Envelope, Reason> {
        read(&[&INVITATION[..], changes].concat())
    }

    #[test]
    fn the_samples_of_the_documentation_are_read() {
        let envelope = read(&[]).unwrap();
        assert_eq!(envelope.kind, Kind::Notification);
        let id = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324";
        assert_eq!(envelope.message_id.to_string(), id);
        assert_eq!(envelope.subject.as_deref(), Some("My First Message"));
        assert_eq!(envelope.message, "Hello world!");
        assert_eq!(envelope.timestamp, UnixMs(1_335_920_046_655));
        assert!(envelope.invitation.is_none());
        for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
            let envelope = invited(&[("Type", &format!("\"{kind}\""))]).unwrap();
            assert_eq!(envelope.kind.as_str(), kind);
            assert_eq!(envelope.invitation.unwrap().token.expose(), "2336");
        }
    }

    #[test]
    fn what_may_differ_makes_no_difference() {
        let hundred = format!("\"{}\"", "\u{1f600}".repeat(100));
        let cases: [(&str, &str); 11] = [
            ("Subject", ""),
            ("Subject", " null "),
            ("Subject", "\"\""),
            ("Subject", &hundred),
            (
                "MessageAttributes",
                r#"{"a":{"Type":"String","Value":"x"}}"#,
            ),
            ("SequenceNumber", "\"10000000000000003000\""),
            ("Later", "[1,null,{\"Type\":7}]"),
            ("Message", "\"\\u0041\\ud83d\\ude00\\n\""),
            ("Timestamp", "\"2012-05-02T00:54:06Z\""),
            ("Timestamp", "\"2012-05-02T00:54:06.655123Z\""),
            ("Token", "\"left aside\""),
        ];
        for (key, value) in cases {
            let envelope = read(&[(key, value)]);
            assert!(envelope.is_ok(), "{key} {value}: {envelope:?}");
        }
        assert_eq!(read(&[("Subject", "null")]).unwrap().subject, None);
        let subject = invited(&[("Subject", "\"not signed\"")]).unwrap().subject;
        assert_eq!(subject, None, "a confirmation's subject is not signed");
        let escaped = body(&[]).replace("\"Type\"", " \t\r\n\"\\u0054ype\" ");
        assert!(parse(escaped.as_bytes()).is_ok());
    }

    #[test]
    fn what_sns_does_not_write_is_refused() {
        let long = format!("\"{}\"", "s".repeat(101));
        let cases: [(&str, &str); 33] = [
            ("MessageId", ""),
            ("MessageId", "\"22b80b92\""),
            ("MessageId", "\"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\\n\""),
            ("MessageId", "7"),
            ("TopicArn", ""),
            ("TopicArn", "null"),
            ("Message", ""),
            ("Message", "{\"a\":1}"),
            ("Message", "\"\\ud800\""),
            ("Message", "\"\\udc00 alone\""),
            ("Message", "\"a\nb\""),
            ("Subject", "\"two\\nlines\""),
            ("Subject", "\"\\u0000\""),
            ("Subject", &long),
            ("Subject", "false"),
            ("Timestamp", ""),
            ("Timestamp", "\"2012-05-02T00:54:06.655+00:00\""),
            ("Timestamp", "\"2012-05-02t00:54:06.655z\""),
            ("Timestamp", "\"2012-05-02 00:54:06.655Z\""),
            ("Timestamp", "\" 2012-05-02T00:54:06.655Z\""),
            ("Timestamp", "\"2012-13-02T00:54:06.655Z\""),
            ("Timestamp", "\"1335920046\""),
            ("Timestamp", "1335920046"),
            ("SignatureVersion", ""),
            ("SignatureVersion", "1"),
            ("Signature", ""),
            ("SigningCertURL", ""),
            (
                "SigningCertUrl",
                "\"https://sns.us-west-2.amazonaws.com/x.pem\"",
            ),
            ("UnsubscribeUrl", "\"https://sns.us-west-2.amazonaws.com/\""),
            ("topicarn", "\"arn:aws:sns:us-west-2:123456789012:Other\""),
            ("UnsubscribeURL", "7"),
            ("Later", "[1"),
            ("Later", "\"\\ud800\""),
        ];
        for (key, value) in cases {
            let reason = read(&[(key, value)]).err();
            assert_eq!(reason, Some(Reason::Malformed), "{key} {value}");
        }
        let endless = format!("\"{}\"", "t".repeat(TOKEN_BYTES_MAX + 1));
        let cases: [(&str, &str); 6] = [
            ("Token", ""),
            ("Token", "\"\""),
            ("Token", "\"a\\nb\""),
            ("Token", &endless),
            ("SubscribeURL", ""),
            ("SubscribeURL", "\"https://x/\\u007f\""),
        ];
        for (key, value) in cases {
            let reason = invited(&[(key, value)]).err();
            assert_eq!(reason, Some(Reason::Malformed), "{key} {value}");
        }
        for value in ["\"notification\"", "\"Notification \"", "\"\"", "\"Other\""] {
            let reason = read(&[("Type", value)]).err();
            assert_eq!(reason, Some(Reason::Type), "{value}");
        }
    }

    #[test]
    fn the_body_is_one_object_with_each_key_once() {
        let good = body(&[]);
        let inner = &good[1..good.len() - 1];
        let many = (0..KEYS_MAX).map(|n| format!(",\"k{n}\":1"));
        let latin = good.replace("Hello", "H\u{e9}llo").into_bytes();
        let latin = latin
            .iter()
            .copied()
            .filter(|b| *b != 0xc3)
            .collect::<Vec<_>>();
        let cases: [(&str, Vec<u8>); 14] = [
            ("nothing", Vec::new()),
            ("a list", format!("[{good}]").into()),
            ("text", "\"Notification\"".into()),
            ("empty", "{}".into()),
            ("twice", format!("{good}{good}").into()),
            ("more", format!("{good} x").into()),
            ("a zero byte", format!("{good}\0").into()),
            ("a mark in front", format!("\u{feff}{good}").into()),
            ("cut", good.as_bytes()[..good.len() - 1].to_vec()),
            (
                "a key twice",
                format!("{{{inner},\"Message\":\"b\"}}").into(),
            ),
            (
                "a key twice, escaped",
                format!("{{{inner},\"\\u004dessage\":\"b\"}}").into(),
            ),
            (
                "a strange key twice",
                format!("{{\"x\":1,\"x\":1,{inner}}}").into(),
            ),
            (
                "many keys",
                format!("{{{inner}{}}}", many.collect::<String>()).into(),
            ),
            ("not UTF-8", latin),
        ];
        for (name, body) in cases {
            assert_eq!(parse(&body).err(), Some(Reason::Malformed), "{name}");
        }
    }

    #[test]
    fn a_hundred_thousand_brackets_need_no_stack() {
        let thread = std::thread::Builder::new().stack_size(256 << 10);
        let read = thread.spawn(|| {
            ["[", "{\"a\":", "[{\"a\":"].map(|opening| {
                let deep = opening.repeat(100_000);
                read(&[("MessageAttributes", &deep)]).err()
            })
        });
        let reasons = read.unwrap().join().unwrap();
        assert_eq!(reasons, [Some(Reason::Malformed); 3]);
    }
}
