//! The envelope of SNS: what is taken says the same to another reader of the same bytes.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mediapackage2mqtt::config::{self, Env};
use mediapackage2mqtt::sns::envelope::{self, Envelope, Kind};
use mediapackage2mqtt::sns::settings::Settings;
use mediapackage2mqtt::sns::verify::{self, Checked};
use mediapackage2mqtt::state::push::Reason;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Topic and origin of the samples in the developer guide.
pub const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const ORIGIN: &str = "https://sns.us-west-2.amazonaws.com";
/// What is signed, in AWS's order.
const SIGNED_NOTIFICATION: [&str; 6] = [
    "Message",
    "MessageId",
    "Subject",
    "Timestamp",
    "TopicArn",
    "Type",
];
const SIGNED_CONFIRMATION: [&str; 7] = [
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
];

/// The rules of an agent that takes the topic of the samples.
pub fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let text = format!("region = \"us-west-2\"\n[sns]\ntopic_arns = [\"{TOPIC}\"]\n");
        let config = config::parse(Path::new("fuzz.toml"), &text, &Env::default());
        let config = config.expect("a good config");
        let sns = config.sns.as_ref().expect("the table is there");
        Settings::new(&config, sns)
    })
}

/// Whether the message is right in all but time and signature.
pub fn check(bytes: &[u8]) -> bool {
    let envelope = match envelope::parse(bytes) {
        Ok(envelope) => envelope,
        Err(reason) => {
            let is_form = matches!(reason, Reason::Malformed | Reason::Type);
            assert!(is_form, "{reason:?}");
            return false;
        }
    };
    let Some(fields) = Fields::read(bytes) else {
        return false;
    };
    hold_fields(&envelope, &fields);
    let signed = signed(&envelope, &fields);
    assert_eq!(verify::string_to_sign(&envelope), signed);
    let checked = verify::check(envelope.clone(), &[], settings());
    hold_headers(&envelope, checked.is_ok());
    match checked {
        Ok(checked) => hold_checked(&checked, &fields, &signed),
        Err(reason) => {
            assert!(reason.status() < 500, "{reason:?} is no verdict");
            return false;
        }
    }
    true
}

fn hold_fields(envelope: &Envelope, fields: &Fields) {
    let need = |name: &str| fields.text(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(envelope.kind.as_str(), need("Type"));
    assert_eq!(envelope.message_id_text, need("MessageId"));
    let id = envelope.message_id.to_string();
    assert_eq!(id, need("MessageId").to_ascii_lowercase());
    assert_eq!(envelope.topic_arn, need("TopicArn"));
    assert_eq!(envelope.message, need("Message"));
    assert_eq!(envelope.timestamp_text, need("Timestamp"));
    assert_eq!(envelope.signature_version, need("SignatureVersion"));
    assert_eq!(envelope.signature, need("Signature"));
    assert_eq!(envelope.signing_cert_url, need("SigningCertURL"));
    let is_notification = envelope.kind == Kind::Notification;
    assert_eq!(is_notification, envelope.invitation.is_none());
    match &envelope.invitation {
        None => assert_eq!(envelope.subject.as_deref(), fields.text("Subject")),
        Some(invitation) => {
            assert_eq!(envelope.subject, None);
            assert_eq!(invitation.token.expose(), need("Token"));
            assert_eq!(invitation.subscribe_url.expose(), need("SubscribeURL"));
        }
    }
    // Only the message may have a line of its own: else text could move between fields.
    let short = [&envelope.message_id_text, &envelope.timestamp_text];
    let subject = envelope.subject.iter();
    assert!(
        subject
            .chain(short)
            .all(|text| !text.contains(['\n', '\r']))
    );
}

/// The text that is signed, built from what the other reader found.
fn signed(envelope: &Envelope, fields: &Fields) -> String {
    let names: &[&str] = match envelope.kind {
        Kind::Notification => &SIGNED_NOTIFICATION,
        _ => &SIGNED_CONFIRMATION,
    };
    let pairs = names
        .iter()
        .filter_map(|name| Some((name, fields.text(name)?)));
    pairs
        .map(|(name, value)| format!("{name}\n{value}\n"))
        .collect()
}

/// Headers that agree change nothing; one that does not is enough.
fn hold_headers(envelope: &Envelope, is_well: bool) {
    let agreeing = [
        ("x-amz-sns-message-type", envelope.kind.as_str()),
        ("x-amz-sns-topic-arn", &envelope.topic_arn),
        ("x-amz-sns-message-id", &envelope.message_id_text),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let headers = agreeing.map(owned);
    let again = verify::check(envelope.clone(), &headers, settings());
    assert_eq!(again.is_ok(), is_well);
    for at in 0..headers.len() {
        let mut other = headers.to_vec();
        other[at].1.push('x');
        assert!(verify::check(envelope.clone(), &other, settings()).is_err());
    }
}

fn hold_checked(checked: &Checked, fields: &Fields, signed: &str) {
    assert_eq!(checked.envelope.topic_arn, TOPIC);
    let url = format!("{ORIGIN}{}", checked.certificate);
    assert_eq!(Some(url.as_str()), fields.text("SigningCertURL"));
    assert_eq!(
        url.len(),
        ORIGIN.len() + "/SimpleNotificationService-.pem".len() + 32
    );
    let text = STANDARD.encode(&checked.signature);
    assert_eq!(
        Some(text.as_str()),
        fields.text("Signature"),
        "a signature has one form"
    );
    let Some(token) = fields
        .text("Token")
        .filter(|_| checked.envelope.invitation.is_some())
    else {
        return;
    };
    let url = fields.text("SubscribeURL").expect("it was signed");
    let query = url
        .strip_prefix(ORIGIN)
        .and_then(|rest| rest.strip_prefix("/?"));
    let mut pairs: Vec<&str> = query.expect("our origin").split('&').collect();
    pairs.sort_unstable();
    assert_eq!(pairs.len(), 3, "{url}");
    assert_eq!(pairs[0], "Action=ConfirmSubscription".to_owned(), "{url}");
    if !url.contains('%') {
        assert_eq!(
            pairs[1..],
            [format!("Token={token}"), format!("TopicArn={TOPIC}")]
        );
    }
    assert!(signed.contains(token));
}

/// The members of the object as `serde_json` reads them.
struct Fields(Vec<(String, Value)>);

/// A member, as far as it counts.
enum Value {
    Text(String),
    Null,
    Other,
}

impl Fields {
    /// `None` when this reader has a limit that the other has not.
    fn read(bytes: &[u8]) -> Option<Fields> {
        let fields: Fields = match serde_json::from_slice(bytes) {
            Ok(fields) => fields,
            Err(error) if error.to_string().contains("number out of range") => return None,
            Err(error) => panic!("taken, and yet no JSON: {error}"),
        };
        let mut names: Vec<&String> = fields.0.iter().map(|(name, _)| name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a key came twice");
        Some(fields)
    }

    fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        match value {
            Value::Text(text) => Some(text),
            Value::Null => None,
            Value::Other => panic!("{name} is no text"),
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut all = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    all.push(pair);
                }
                Ok(Fields(all))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
