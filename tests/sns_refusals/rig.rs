//! A message, signed as SNS does it by code that is not the agent's, and whatever a forger may
//! change of it and around it.
//!
//! The keys in `tests/fixtures/sns` sign nothing real. `signer.crt` and `other.crt` are
//! self-signed for `sns.amazonaws.com`, 2026 to 2036.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mediapackage2mqtt::aws::AwsClock;
use mediapackage2mqtt::aws::clock::Sample;
use mediapackage2mqtt::config::{Config, Proxy, ServiceUrl, Sns};
use mediapackage2mqtt::sns::receiver::{Judged, Parts, Receiver, Settings};
use mediapackage2mqtt::state::fault::Fault;
use mediapackage2mqtt::state::push::Reason;
use mediapackage2mqtt::state::time::{Mono, UnixMs};
use ring::digest;
use rsa::Pkcs1v15Sign;
use rsa::pkcs8::DecodePrivateKey;

use crate::scripted::{self, NOON};

pub const ORIGIN: &str = "https://sns.eu-west-1.amazonaws.com";
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:mediapackage";
pub const ID: &str = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324";
pub const SUBSCRIPTION: &str =
    "arn:aws:sns:eu-west-1:123456789012:mediapackage:e1039402-24e7-40a3-a0d4-797da162b297";
pub const TOKEN: &str = "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a9";
pub const SIGNER: &str = include_str!("../fixtures/sns/signer.crt");
pub const OTHER: &str = include_str!("../fixtures/sns/other.crt");

/// A private key of the fixtures.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    Signer,
    Other,
    Small,
}

impl Key {
    fn pem(self) -> &'static str {
        match self {
            Key::Signer => include_str!("../fixtures/sns/signer.pem"),
            Key::Other => include_str!("../fixtures/sns/other.pem"),
            Key::Small => include_str!("../fixtures/sns/small.pem"),
        }
    }
}

/// What stands before a SHA-1 hash in a signature (RFC 8017 section 9.2, note 1).
const SHA1_PREFIX: [u8; 15] = [
    0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
];

type Made = (Key, bool, String);

/// Big numbers are slow without optimization: nothing is signed twice.
static SIGNATURES: LazyLock<Mutex<HashMap<Made, String>>> = LazyLock::new(Mutex::default);

/// The signature in base64; version 2 is SHA-256, every other one SHA-1.
pub fn sign(key: Key, version: &str, text: &str) -> String {
    let made = (key, version == "2", text.to_owned());
    let mut signatures = SIGNATURES.lock().unwrap();
    let signature = signatures.entry(made).or_insert_with(|| {
        let key = rsa::RsaPrivateKey::from_pkcs8_pem(key.pem()).unwrap();
        let (hash, padding) = if version == "2" {
            (&digest::SHA256, Pkcs1v15Sign::new::<rsa::sha2::Sha256>())
        } else {
            let (hash_len, prefix) = (Some(20), SHA1_PREFIX.into());
            let padding = Pkcs1v15Sign { hash_len, prefix };
            (&digest::SHA1_FOR_LEGACY_USE_ONLY, padding)
        };
        let hashed = digest::digest(hash, text.as_bytes());
        STANDARD.encode(key.sign(padding, hashed.as_ref()).unwrap())
    });
    signature.clone()
}

/// Changes a message. It gives back what it got, so that a row of a table is one expression.
pub type Change = fn(&mut Rig) -> &mut Rig;

pub const NOTIFICATION: &str = "Notification";
pub const SUBSCRIPTION_CONFIRMATION: &str = "SubscriptionConfirmation";
pub const UNSUBSCRIBE_CONFIRMATION: &str = "UnsubscribeConfirmation";

/// A request of SNS and the world it comes to.
pub struct Rig {
    /// Key and JSON text of the value, in the order of the body.
    pub fields: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    /// In place of the fields.
    pub body: Option<Vec<u8>>,
    pub method: String,
    pub path: String,
    pub peer: IpAddr,
    /// What the certificate's address serves.
    pub served: Result<String, Fault>,
    pub min_signature_version: u8,
}

pub fn certificate_url(n: u8) -> String {
    format!("{ORIGIN}/SimpleNotificationService-{n:032x}.pem")
}

pub fn subscribe_url(topic: &str, token: &str) -> String {
    format!("{ORIGIN}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}")
}

impl Rig {
    /// A genuine message of this type and signature version, published at noon.
    pub fn genuine(kind: &str, version: &str) -> Rig {
        let mut rig = Rig {
            fields: Vec::new(),
            headers: Vec::new(),
            body: None,
            method: String::from("POST"),
            path: String::from("/"),
            peer: IpAddr::from([192, 0, 2, 1]),
            served: Ok(SIGNER.to_owned()),
            min_signature_version: 1,
        };
        rig.set("Type", kind)
            .set("MessageId", ID)
            .set("TopicArn", TOPIC);
        if kind == NOTIFICATION {
            rig.set("Subject", "ALARM: \"a\" in EU (Ireland)");
            rig.set("Message", "Hello\nworld, \u{fc}\u{1f600} \"\\\t");
            let unsubscribe =
                format!("{ORIGIN}/?Action=Unsubscribe&SubscriptionArn={SUBSCRIPTION}");
            rig.set("UnsubscribeURL", &unsubscribe);
        } else {
            rig.set("Message", "You have chosen ...\nTo confirm ...");
            rig.set("Token", TOKEN)
                .set("SubscribeURL", &subscribe_url(TOPIC, TOKEN));
        }
        rig.set("Timestamp", "2026-11-22T10:00:00.000Z")
            .set("SignatureVersion", version);
        rig.set("SigningCertURL", &certificate_url(1));
        rig.header("x-amz-sns-message-type", kind);
        rig.header("x-amz-sns-message-id", ID)
            .header("x-amz-sns-topic-arn", TOPIC);
        if kind != SUBSCRIPTION_CONFIRMATION {
            rig.header("x-amz-sns-subscription-arn", SUBSCRIPTION);
        }
        rig.header("content-type", "text/plain; charset=UTF-8")
            .sign(Key::Signer);
        rig
    }

    /// Sets a field to a string.
    pub fn set(&mut self, key: &str, text: &str) -> &mut Rig {
        self.raw(key, &serde_json::to_string(text).unwrap())
    }

    /// Sets a field to any JSON.
    pub fn raw(&mut self, key: &str, json: &str) -> &mut Rig {
        match self.fields.iter_mut().find(|(other, _)| other == key) {
            Some((_, value)) => json.clone_into(value),
            None => self.fields.push((key.to_owned(), json.to_owned())),
        }
        self
    }

    pub fn remove(&mut self, key: &str) -> &mut Rig {
        self.fields.retain(|(other, _)| other != key);
        self
    }

    pub fn with_method(&mut self, method: &str) -> &mut Rig {
        method.clone_into(&mut self.method);
        self
    }

    pub fn with_path(&mut self, path: &str) -> &mut Rig {
        path.clone_into(&mut self.path);
        self
    }

    /// In place of the fields.
    pub fn with_body(&mut self, body: impl Into<Vec<u8>>) -> &mut Rig {
        self.body = Some(body.into());
        self
    }

    /// What the certificate's address serves.
    pub fn serves(&mut self, pem: &str) -> &mut Rig {
        self.served = Ok(pem.to_owned());
        self
    }

    /// Sets a header.
    pub fn header(&mut self, name: &str, value: &str) -> &mut Rig {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The text of a field; `None` when it is not there or no string.
    pub fn get(&self, key: &str) -> Option<String> {
        let (_, json) = self.fields.iter().find(|(other, _)| other == key)?;
        serde_json::from_str(json).ok()
    }

    /// Signs what is there now, as SNS does for the type.
    pub fn sign(&mut self, key: Key) -> &mut Rig {
        let names: &[&str] = match self.get("Type").as_deref() {
            Some(SUBSCRIPTION_CONFIRMATION | UNSUBSCRIBE_CONFIRMATION) => &[
                "Message",
                "MessageId",
                "SubscribeURL",
                "Timestamp",
                "Token",
                "TopicArn",
                "Type",
            ],
            _ => &[
                "Message",
                "MessageId",
                "Subject",
                "Timestamp",
                "TopicArn",
                "Type",
            ],
        };
        self.sign_fields(key, names)
    }

    /// Signs these fields, as far as they are there.
    pub fn sign_fields(&mut self, key: Key, names: &[&str]) -> &mut Rig {
        let text = self.text_of(names);
        let version = self.get("SignatureVersion").unwrap_or_default();
        self.set("Signature", &sign(key, &version, &text))
    }

    pub fn text_of(&self, names: &[&str]) -> String {
        let pairs = names
            .iter()
            .filter_map(|name| Some((name, self.get(name)?)));
        pairs
            .map(|(name, value)| format!("{name}\n{value}\n"))
            .collect()
    }

    pub fn body(&self) -> Vec<u8> {
        let written = || {
            let pairs = self
                .fields
                .iter()
                .map(|(key, json)| format!("  \"{key}\" : {json}"));
            format!("{{\n{}\n}}", pairs.collect::<Vec<_>>().join(",\n")).into_bytes()
        };
        self.body.clone().unwrap_or_else(written)
    }

    /// Replaces a part of the body as it would be written.
    pub fn rewrite(&mut self, from: &str, to: &str) -> &mut Rig {
        let text = String::from_utf8(self.body()).unwrap();
        assert!(text.contains(from), "no {from} in {text}");
        self.body = Some(text.replacen(from, to, 1).into_bytes());
        self
    }

    pub fn settings(&self) -> Settings {
        let sns = sns_config(ORIGIN, self.min_signature_version);
        Settings::new(&scripted::config(&sns.url), &sns)
    }

    /// Sends it to `receiver`.
    pub fn judged_by(&self, receiver: &Receiver, now: Mono) -> Judged {
        let body = self.body();
        let parts = Parts {
            method: &self.method,
            path: &self.path,
            headers: &self.headers,
            body: &body,
            peer: self.peer,
        };
        receiver.judge(parts, now)
    }

    /// Sends it to a receiver that knows no certificate, and fetches what that asks for: what
    /// becomes of it, and whether anything was fetched.
    pub fn outcome(&self) -> (Judged, bool) {
        let receiver = Receiver::new(self.settings(), clock_at(NOON));
        match self.judged_by(&receiver, Mono::default()) {
            Judged::Fetch(parked) => {
                assert!(parked.path().starts_with("/SimpleNotificationService-"));
                let served = self.served.clone().map(String::into_bytes);
                (
                    receiver.with_certificate(parked, served, Mono::default()),
                    true,
                )
            }
            judged => (judged, false),
        }
    }
}

pub fn sns_config(origin: &str, min_signature_version: u8) -> Sns {
    Sns {
        listen: ([127, 0, 0, 1], 2000).into(),
        public_url: None,
        topic_arns: vec![TOPIC.to_owned()],
        url: ServiceUrl {
            text: origin.to_owned(),
            tls: true,
            host: origin.replace("https://", ""),
            port: 443,
            loopback: false,
        },
        proxy: Proxy::None,
        tls_cert_file: None,
        tls_key_file: None,
        path_secret: None,
        min_signature_version,
    }
}

/// A config with SNS at a server of the test.
pub fn with_sns(config: &mut Config) {
    let mut sns = sns_config(ORIGIN, 1);
    sns.url = config.cloudwatch.url.clone();
    config.sns = Some(sns);
}

/// A clock that has learned from AWS that it is `now`, and stands.
pub fn clock_at(now: UnixMs) -> AwsClock {
    let clock = AwsClock::with_steady(move || now, || Duration::ZERO);
    teach(&clock, "Sun, 22 Nov 2026 10:00:00 GMT");
    clock
}

/// AWS answers with this `Date`.
pub fn teach(clock: &AwsClock, date: &str) {
    let at = clock.wall();
    clock.take(&Sample {
        date: Some(date),
        aged: false,
        sent: at,
        received: at,
    });
}

/// Why it was refused; everything else is shown.
pub fn reason(judged: Judged) -> Result<Reason, String> {
    match judged {
        Judged::Refused(refusal) => Ok(refusal.reason),
        other => Err(format!("{other:?}")),
    }
}

/// Each row is what is changed of a genuine message of this type. All are refused for that
/// reason; `fetched` is whether the certificate was fetched before, since what can be told
/// without it must never make us fetch anything.
pub fn refused(kind: &str, wanted: Reason, fetched: bool, rows: &[(&str, Change)]) {
    for (name, change) in rows {
        for version in ["1", "2"] {
            let mut rig = Rig::genuine(kind, version);
            change(&mut rig);
            let (judged, was_fetched) = rig.outcome();
            let reason = reason(judged).unwrap_or_else(|judged| panic!("{name}: {judged}"));
            assert_eq!(
                (reason, was_fetched),
                (wanted, fetched),
                "{kind} {name} {version}"
            );
        }
    }
}
