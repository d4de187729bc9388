//! The region signs as AWS does: AWS's own validator and OpenSSL say so.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::region::sns::signing::{Fields, KEYS, Kind, SignedMessage};
use super::region::{Region, World};

/// What the validator insists on: https, and a host of AWS's.
const URL: &str = "https://sns.eu-central-1.amazonaws.com";
const INVALID: &str = "The message signature is invalid.";
const KINDS: [Kind; 3] = [
    Kind::Notification,
    Kind::SubscriptionConfirmation,
    Kind::UnsubscribeConfirmation,
];
/// Texts that are easily signed in another form than they are sent in.
const TEXTS: [&str; 6] = [
    "Hello world!",
    "",
    "Größe ✓ 漢字 \u{1f3ac} \u{2028}",
    "two\nlines\r\nand a tab\t, a bell \u{7}, a quote \" and a backslash \\",
    "Subject\nnot one\n",
    "{\"AlarmName\":\"sports-1/é\",\"NewStateValue\":\"ALARM\"}",
];

/// A message for each kind, version, text, and for notifications with a subject and without.
fn every_message(region: &Region) -> Vec<Fields> {
    let topic = region.sns().topic("alarms");
    let mut all = Vec::new();
    for kind in KINDS {
        for version in ["1", "2"] {
            for text in TEXTS {
                let mut fields = region.sns().fields(kind, &topic);
                fields.version = version.to_owned();
                if kind == Kind::Notification {
                    fields.message = text.to_owned();
                    all.push(fields.clone());
                    fields.subject = Some(text.to_owned());
                } else {
                    fields.message.push_str(text);
                }
                all.push(fields);
            }
        }
    }
    all
}

fn region() -> Region {
    let mut world = World::new("eu-central-1");
    world.sns.url = URL.to_owned();
    Region::start(world)
}

/// What the validator says of each of these.
fn verdicts(certificates: &BTreeMap<String, String>, messages: &[SignedMessage]) -> Vec<String> {
    let bodies: Vec<&str> = messages.iter().map(|m| m.body.as_str()).collect();
    let cases = json!({"certificates": certificates, "messages": bodies}).to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/sns_validator.js");
    let mut node = Command::new("node")
        .args([&script, &validator()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node cannot be started; tests/run installs what the tests need");
    let mut stdin = node.stdin.take().unwrap();
    stdin.write_all(cases.as_bytes()).unwrap();
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "sns_validator.js failed, see stderr"
    );
    let verdicts: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdicts.len(), messages.len());
    verdicts
}

/// The folder of the package.
fn validator() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/npm");
    let folder = std::env::var_os("SNS_VALIDATOR").map_or(made, PathBuf::from);
    let package = folder.join("node_modules/sns-validator");
    assert!(
        package.is_dir(),
        "AWS's validator is not in {}; tests/run installs it, and SNS_VALIDATOR names another \
         folder with node_modules/sns-validator",
        package.display()
    );
    package
}

/// Both certificates of the region, by the URLs that messages name.
fn certificates(region: &Region) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for pair in &KEYS {
        let name = region.edit(|w| w.sns.certificate());
        all.insert(format!("{URL}/{name}"), pair.certificate.to_owned());
        region.edit(|w| w.sns.rotate());
    }
    all
}

/// sns-validator 0.3.5 takes the list of a notification for an `UnsubscribeConfirmation`: with
/// `SubscribeURL`, but without `Token`, which AWS's guide puts into the string to sign. So it
/// refuses what AWS sends; OpenSSL decides about these, below.
#[test]
fn awss_validator_accepts_every_message_of_its_kinds() {
    let region = region();
    let mut fields = every_message(&region);
    let certificates = certificates(&region);
    let rotated = region.sns().topic("alarms");
    region.edit(|w| w.sns.rotate());
    fields.push(region.sns().fields(Kind::Notification, &rotated));
    let mut attributed = fields[0].clone();
    attributed.attributes = vec![
        ("event \"é\"".into(), "x\ny".into()),
        ("b".into(), "".into()),
    ];
    fields.push(attributed);
    let mut all = certificates.clone();
    let third = format!("{URL}/{}", region.edit(|w| w.sns.certificate()));
    all.insert(third, KEYS[1].certificate.to_owned());
    let messages: Vec<SignedMessage> = fields.iter().map(Fields::sign).collect();
    for (fields, verdict) in fields.iter().zip(verdicts(&all, &messages)) {
        let wanted = match fields.kind {
            Kind::UnsubscribeConfirmation => INVALID,
            _ => "ok",
        };
        assert_eq!(verdict, wanted, "{fields:?}");
    }
}

#[test]
fn awss_validator_refuses_what_was_tampered_with() {
    let region = region();
    let certificates = certificates(&region);
    region.edit(|w| w.sns = Default::default());
    region.edit(|w| w.sns.url = URL.to_owned());
    let topic = region.sns().topic("alarms");
    let of = |kind: Kind, version: &str| {
        let mut fields = region.sns().fields(kind, &topic);
        fields.version = version.to_owned();
        fields.subject = Some("a subject".to_owned()).filter(|_| kind == Kind::Notification);
        fields.sign()
    };
    let text = "\"another\"";
    let mut tampered = Vec::new();
    let mut untouched = Vec::new();
    for version in ["1", "2"] {
        let notification = of(Kind::Notification, version);
        let confirmation = of(Kind::SubscriptionConfirmation, version);
        let other = if version == "1" { "\"2\"" } else { "\"1\"" };
        for message in [&notification, &confirmation] {
            for name in ["Message", "MessageId", "Timestamp", "TopicArn"] {
                tampered.push((name, message.clone().tampered(name, text)));
            }
            tampered.push((
                "version",
                message.clone().tampered("SignatureVersion", other),
            ));
            untouched.push(message.clone());
        }
        let subject = notification.clone().tampered("Subject", text);
        tampered.push(("Subject", subject));
        tampered.push(("no Subject", notification.without("Subject")));
        for name in ["Token", "SubscribeURL"] {
            tampered.push((name, confirmation.clone().tampered(name, text)));
        }
    }
    let (names, mut messages): (Vec<_>, Vec<_>) = tampered.into_iter().unzip();
    let count = messages.len();
    messages.extend(untouched);
    let verdicts = verdicts(&certificates, &messages);
    for (name, verdict) in names.iter().zip(&verdicts) {
        assert_eq!(verdict, INVALID, "{name}");
    }
    assert!(verdicts[count..].iter().all(|v| v == "ok"), "{verdicts:?}");
}

/// The string to sign, by the lists of the guide "Verifying the signatures of Amazon SNS
/// messages", from what is in the body.
fn string_to_sign(body: &Value) -> String {
    let names: &[&str] = match body["Type"].as_str().unwrap() {
        "Notification" => &[
            "Message",
            "MessageId",
            "Subject",
            "Timestamp",
            "TopicArn",
            "Type",
        ],
        _ => &[
            "Message",
            "MessageId",
            "SubscribeURL",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type",
        ],
    };
    let present = names.iter().filter(|name| body.get(name).is_some());
    present
        .map(|name| format!("{name}\n{}\n", body[name].as_str().unwrap()))
        .collect()
}

fn openssl(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output();
    let output = output.expect("openssl cannot be started; tests/run installs what is needed");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn openssl_verifies_every_message_over_the_guides_list() {
    let region = region();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("certificate", KEYS[0].certificate.as_bytes());
    let (_, key) = openssl(folder, &["x509", "-in", "certificate", "-noout", "-pubkey"]);
    write("key", key.as_bytes());
    for fields in every_message(&region) {
        let body: Value = serde_json::from_str(&fields.sign().body).unwrap();
        let digest = if fields.version == "1" {
            "-sha1"
        } else {
            "-sha256"
        };
        let signature = STANDARD
            .decode(body["Signature"].as_str().unwrap())
            .unwrap();
        assert_eq!(signature.len(), 256);
        write("signature", &signature);
        let text = string_to_sign(&body);
        for (text, wanted) in [(text.clone(), true), (text + "\n", false)] {
            write("text", text.as_bytes());
            let arguments = [
                "dgst",
                digest,
                "-verify",
                "key",
                "-signature",
                "signature",
                "text",
            ];
            let (verified, says) = openssl(folder, &arguments);
            assert_eq!(verified, wanted, "{says} {fields:?}");
        }
    }
}

#[test]
fn a_body_looks_as_awss_do() {
    let region = region();
    let topic = region.sns().topic("alarms");
    let mut fields = region.sns().fields(Kind::Notification, &topic);
    fields.subject = Some("a \"subject\"".into());
    fields.at_ms = 1_795_341_600_007;
    let lines = |message: &SignedMessage| -> Vec<String> {
        let body = message.body.lines();
        body.map(|line| line.split(" : ").next().unwrap().to_owned())
            .collect()
    };
    let message = fields.sign();
    assert!(
        message
            .body
            .contains("\n  \"Timestamp\" : \"2026-11-22T10:00:00.007Z\",\n")
    );
    assert!(
        message
            .body
            .contains("\n  \"Subject\" : \"a \\\"subject\\\"\",\n")
    );
    let of = |names: &str| -> Vec<String> {
        let named = names.split(' ').map(|name| format!("  \"{name}\""));
        ["{".to_owned()]
            .into_iter()
            .chain(named)
            .chain(["}".to_owned()])
            .collect()
    };
    let signed = "Timestamp SignatureVersion Signature SigningCertURL";
    let wanted = format!("Type MessageId TopicArn Subject Message {signed} UnsubscribeURL");
    assert_eq!(lines(&message), of(&wanted));
    for kind in [
        Kind::SubscriptionConfirmation,
        Kind::UnsubscribeConfirmation,
    ] {
        let message = region.sns().fields(kind, &topic).sign();
        let wanted = format!("Type MessageId Token TopicArn Message SubscribeURL {signed}");
        assert_eq!(lines(&message), of(&wanted));
    }
}
