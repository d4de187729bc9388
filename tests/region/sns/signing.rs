//! Messages as SNS writes and signs them.
//!
//! Sources: SNS developer guide, "Parsing message formats" and "Verifying the signatures of
//! Amazon SNS messages".

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use sha1::Sha1;

use super::json;

/// A signing key of the region; it signs nothing real.
pub struct KeyPair {
    /// PKCS #8.
    pub key: &'static str,
    /// Its certificate for `sns.amazonaws.com`, valid from 2020 to 2049.
    pub certificate: &'static str,
}

/// The keys that the region signs with, one after the other.
pub const KEYS: [KeyPair; 2] = [
    KeyPair {
        key: include_str!("../../fixtures/sns-region/1.key"),
        certificate: include_str!("../../fixtures/sns-region/1.pem"),
    },
    KeyPair {
        key: include_str!("../../fixtures/sns-region/2.key"),
        certificate: include_str!("../../fixtures/sns-region/2.pem"),
    },
];

/// Each key with SHA-1 and with SHA-256. Reading one takes far longer than signing with it.
static SIGNERS: LazyLock<[(SigningKey<Sha1>, SigningKey<Sha256>); 2]> = LazyLock::new(|| {
    KEYS.map(|pair| {
        let key = RsaPrivateKey::from_pkcs8_pem(pair.key).expect("a key of the fixtures");
        (SigningKey::new(key.clone()), SigningKey::new(key))
    })
});

/// What kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A subscription waits to be confirmed.
    SubscriptionConfirmation,
    /// Somebody published.
    Notification,
    /// A subscription ended by the URL that anybody may visit.
    UnsubscribeConfirmation,
}

impl Kind {
    /// As it stands in `Type`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::SubscriptionConfirmation => "SubscriptionConfirmation",
            Kind::Notification => "Notification",
            Kind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        }
    }
}

/// A message that is not signed yet. Members that a kind does not have are left out of it.
#[derive(Clone, Debug)]
pub struct Fields {
    /// `Type`.
    pub kind: Kind,
    /// `MessageId`: a UUID, the same on every retry.
    pub message_id: String,
    /// `TopicArn`.
    pub topic_arn: String,
    /// ARN of the subscription it goes to; in a header, and in `UnsubscribeURL`.
    pub subscription_arn: String,
    /// `Token` of the two confirmations.
    pub token: String,
    /// `Subject` of a notification.
    pub subject: Option<String>,
    /// `Message`.
    pub message: String,
    /// `Timestamp`, milliseconds since 1970.
    pub at_ms: i64,
    /// `SignatureVersion`: 1 is SHA-1, whatever else is SHA-256.
    pub version: String,
    /// Base of the URLs, without a slash at the end.
    pub url: String,
    /// Name of the certificate: the part of its URL behind the last slash.
    pub certificate: String,
    /// Which of [`KEYS`] signs.
    pub key: usize,
    /// `MessageAttributes` of a notification, strings: they are not signed.
    pub attributes: Vec<(String, String)>,
}

impl Fields {
    /// Signs it.
    pub fn sign(&self) -> SignedMessage {
        let (sha1, sha256) = &SIGNERS[self.key % KEYS.len()];
        let text = self.string_to_sign();
        let signature = match self.version.as_str() {
            "1" => sha1.sign(text.as_bytes()),
            _ => sha256.sign(text.as_bytes()),
        };
        let signature = signature.to_vec();
        let mut message = SignedMessage {
            message_id: self.message_id.clone(),
            headers: self.headers(),
            members: self.members(&STANDARD.encode(signature)),
            body: String::new(),
        };
        message.write();
        message
    }

    /// The members that AWS signs, each as name, newline, value, newline, in AWS's order.
    pub fn string_to_sign(&self) -> String {
        let (timestamp, subscribe_url) = (self.timestamp(), self.subscribe_url());
        let mut parts = vec![("Message", &self.message), ("MessageId", &self.message_id)];
        let topic = ("TopicArn", &self.topic_arn);
        match self.kind {
            Kind::Notification => {
                parts.extend(self.subject.as_ref().map(|subject| ("Subject", subject)));
                parts.extend([("Timestamp", &timestamp), topic]);
            }
            Kind::SubscriptionConfirmation | Kind::UnsubscribeConfirmation => {
                parts.extend([("SubscribeURL", &subscribe_url), ("Timestamp", &timestamp)]);
                parts.extend([("Token", &self.token), topic]);
            }
        }
        let mut text = String::new();
        for (name, value) in parts {
            let _ = writeln!(text, "{name}\n{value}");
        }
        let _ = writeln!(text, "Type\n{}", self.kind.name());
        text
    }

    /// `2012-04-26T20:45:04.751Z`.
    fn timestamp(&self) -> String {
        json::iso_ms(self.at_ms)
    }

    fn subscribe_url(&self) -> String {
        format!(
            "{}/?Action=ConfirmSubscription&TopicArn={}&Token={}",
            self.url, self.topic_arn, self.token
        )
    }

    fn members(&self, signature: &str) -> Vec<(String, String)> {
        let is_notification = self.kind == Kind::Notification;
        let mut members = vec![
            ("Type", self.kind.name().to_owned()),
            ("MessageId", self.message_id.clone()),
        ];
        if !is_notification {
            members.push(("Token", self.token.clone()));
        }
        members.push(("TopicArn", self.topic_arn.clone()));
        if let Some(subject) = self.subject.as_ref().filter(|_| is_notification) {
            members.push(("Subject", subject.clone()));
        }
        members.push(("Message", self.message.clone()));
        if !is_notification {
            members.push(("SubscribeURL", self.subscribe_url()));
        }
        let certificate_url = format!("{}/{}", self.url, self.certificate);
        members.extend([
            ("Timestamp", self.timestamp()),
            ("SignatureVersion", self.version.clone()),
            ("Signature", signature.to_owned()),
            ("SigningCertURL", certificate_url),
        ]);
        if is_notification {
            let arn = &self.subscription_arn;
            let url = format!("{}/?Action=Unsubscribe&SubscriptionArn={arn}", self.url);
            members.push(("UnsubscribeURL", url));
        }
        let texts = members.into_iter();
        let mut members: Vec<_> = texts.map(|(n, v)| (n.to_owned(), json::text(&v))).collect();
        if is_notification && !self.attributes.is_empty() {
            members.push(("MessageAttributes".to_owned(), self.attribute_members()));
        }
        members
    }

    fn attribute_members(&self) -> String {
        let one = |(name, value): &(String, String)| {
            let (name, value) = (json::text(name), json::text(value));
            format!("    {name} : {{\"Type\":\"String\",\"Value\":{value}}}")
        };
        let all: Vec<String> = self.attributes.iter().map(one).collect();
        format!("{{\n{}\n  }}", all.join(",\n"))
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            ("x-amz-sns-message-type", self.kind.name()),
            ("x-amz-sns-message-id", &self.message_id),
            ("x-amz-sns-topic-arn", &self.topic_arn),
        ];
        if self.kind != Kind::SubscriptionConfirmation {
            headers.push(("x-amz-sns-subscription-arn", &self.subscription_arn));
        }
        headers.extend([
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("Connection", "Keep-Alive"),
            ("User-Agent", "Amazon Simple Notification Service Agent"),
            ("Accept-Encoding", "gzip,deflate"),
        ]);
        let owned = headers.into_iter();
        owned.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }
}

/// A message as it is posted.
#[derive(Clone, Debug)]
pub struct SignedMessage {
    /// The same on every retry.
    pub message_id: String,
    /// All headers but `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The JSON.
    pub body: String,
    /// Names, and values as JSON.
    members: Vec<(String, String)>,
}

impl SignedMessage {
    /// With this member, as JSON, in place of what was signed; a new one comes last.
    pub fn tampered(mut self, name: &str, json: &str) -> SignedMessage {
        match self.members.iter_mut().find(|(n, _)| n == name) {
            Some((_, value)) => *value = json.to_owned(),
            None => self.members.push((name.to_owned(), json.to_owned())),
        }
        self.write();
        self
    }

    /// Without this member.
    pub fn without(mut self, name: &str) -> SignedMessage {
        self.members.retain(|(n, _)| n != name);
        self.write();
        self
    }

    /// With this header in place of the one of the same name.
    pub fn with_header(mut self, name: &str, value: &str) -> SignedMessage {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// AWS puts one member on a line, and blanks on both sides of the colon.
    fn write(&mut self) {
        let line = |(name, value): &(String, String)| format!("  {} : {value}", json::text(name));
        let lines: Vec<String> = self.members.iter().map(line).collect();
        self.body = format!("{{\n{}\n}}", lines.join(",\n"));
    }
}
