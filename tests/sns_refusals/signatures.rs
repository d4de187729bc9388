//! Forgeries that only the certificate tells. Numbers 4, 8 and 13 of what is known.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mediapackage2mqtt::sns::receiver::Judged;
use mediapackage2mqtt::state::push::Reason;

use super::rig::*;

fn fetched(kind: &str, wanted: Reason, rows: &[(&str, Change)]) {
    refused(kind, wanted, true, rows);
}

#[test]
fn every_signed_field_is_signed() {
    let all: [(&str, Change); 4] = [
        ("message", |r| r.set("Message", "forged")),
        ("id", |r| {
            let other = ID.replace('4', "5");
            r.header("x-amz-sns-message-id", &other);
            r.set("MessageId", &other)
        }),
        ("time", |r| r.set("Timestamp", "2026-11-22T10:00:00.001Z")),
        ("time's form", |r| {
            r.set("Timestamp", "2026-11-22T10:00:00Z")
        }),
    ];
    for kind in [
        NOTIFICATION,
        SUBSCRIPTION_CONFIRMATION,
        UNSUBSCRIBE_CONFIRMATION,
    ] {
        fetched(kind, Reason::Signature, &all);
    }
    let subject: [(&str, Change); 3] = [
        ("another subject", |r| r.set("Subject", "forged")),
        ("no subject", |r| r.remove("Subject")),
        ("null", |r| r.raw("Subject", "null")),
    ];
    fetched(NOTIFICATION, Reason::Signature, &subject);
    let token: [(&str, Change); 1] = [("token", |r| {
        let url = subscribe_url(TOPIC, "2337");
        r.set("Token", "2337").set("SubscribeURL", &url)
    })];
    fetched(SUBSCRIPTION_CONFIRMATION, Reason::Signature, &token);
}

/// Number 8: which fields are signed goes by the type and not by what is there.
#[test]
fn one_type_is_not_made_another() {
    fn made<'a>(rig: &'a mut Rig, kind: &str) -> &'a mut Rig {
        rig.header("x-amz-sns-message-type", kind).set("Type", kind)
    }
    let invited: Change = |r| {
        let url = subscribe_url(TOPIC, TOKEN);
        r.set("Token", TOKEN).set("SubscribeURL", &url)
    };
    let rows: [(&str, Change); 1] = [("confirmation", |r| {
        let url = subscribe_url(TOPIC, TOKEN);
        r.set("Token", TOKEN).set("SubscribeURL", &url);
        made(r, SUBSCRIPTION_CONFIRMATION)
    })];
    fetched(NOTIFICATION, Reason::Signature, &rows);
    let rows: [(&str, Change); 3] = [
        ("notification", |r| made(r, NOTIFICATION)),
        ("subscription", |r| made(r, SUBSCRIPTION_CONFIRMATION)),
        ("signed without its token", |r| {
            let names = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"];
            r.sign_fields(Key::Signer, &names)
        }),
    ];
    fetched(UNSUBSCRIBE_CONFIRMATION, Reason::Signature, &rows);
    let mut rig = Rig::genuine(NOTIFICATION, "1");
    let everything = [
        "Message",
        "MessageId",
        "SubscribeURL",
        "Subject",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ];
    invited(&mut rig).sign_fields(Key::Signer, &everything);
    assert_eq!(reason(rig.outcome().0).unwrap(), Reason::Signature);
}

/// Number 13.
#[test]
fn a_signature_that_does_not_fit_is_refused() {
    fn bytes(rig: &mut Rig, change: fn(&mut Vec<u8>)) -> &mut Rig {
        let mut bytes = STANDARD.decode(rig.get("Signature").unwrap()).unwrap();
        change(&mut bytes);
        rig.set("Signature", &STANDARD.encode(bytes))
    }
    let rows: [(&str, Change); 7] = [
        ("another key", |r| r.sign(Key::Other)),
        ("the other version", |r| {
            let first = r.get("SignatureVersion").as_deref() == Some("1");
            r.set("SignatureVersion", if first { "2" } else { "1" })
        }),
        ("shorter", |r| bytes(r, |bytes| bytes.truncate(255))),
        ("longer", |r| bytes(r, |bytes| bytes.push(0))),
        ("zero in front", |r| bytes(r, |bytes| bytes.insert(0, 0))),
        ("none", |r| bytes(r, Vec::clear)),
        ("one bit", |r| bytes(r, |bytes| bytes[100] ^= 1)),
    ];
    fetched(NOTIFICATION, Reason::Signature, &rows);
}

#[test]
fn a_signature_that_is_no_base64_fetches_nothing() {
    fn text(rig: &mut Rig, change: fn(String) -> String) -> &mut Rig {
        let text = change(rig.get("Signature").unwrap());
        rig.set("Signature", &text)
    }
    let rows: [(&str, Change); 6] = [
        ("a line", |r| text(r, |text| text + "\n")),
        ("no padding", |r| text(r, |text| text.replace('=', ""))),
        ("more padding", |r| text(r, |text| text + "=")),
        ("other letters", |r| {
            text(r, |text| format!("_-{}", &text[2..]))
        }),
        ("words", |r| r.set("Signature", "EXAMPLE...")),
        ("endless", |r| r.set("Signature", &"AAAA".repeat(9_999))),
    ];
    refused(NOTIFICATION, Reason::Signature, false, &rows);
}

const KEY: &str = include_str!("../fixtures/sns/other.pem");

/// Number 13.
#[test]
fn a_certificate_for_something_else_is_refused() {
    const SMALL: &str = include_str!("../fixtures/sns/small.crt");
    const EC: &str = include_str!("../fixtures/sns/ec.crt");
    const PSS: &str = include_str!("../fixtures/sns/pss.crt");
    const EXPIRED: &str = include_str!("../fixtures/sns/expired.crt");
    const FUTURE: &str = include_str!("../fixtures/sns/future.crt");
    const STRANGER: &str = include_str!("../fixtures/sns/stranger.crt");
    let rows: [(&str, Change); 6] = [
        ("expired", |r| r.serves(EXPIRED)),
        ("not valid yet", |r| r.serves(FUTURE)),
        ("1024 bits", |r| r.sign(Key::Small).serves(SMALL)),
        ("no RSA", |r| r.serves(EC)),
        ("RSA for PSS only", |r| r.serves(PSS)),
        ("another name", |r| r.serves(STRANGER)),
    ];
    fetched(NOTIFICATION, Reason::Certificate, &rows);
}

/// Number 4. It may be a fault on the way: the message is not dropped for ever.
#[test]
fn what_is_not_one_certificate_and_nothing_else_is_none() {
    let rows: [(&str, Change); 12] = [
        ("two", |r| r.serves(&format!("{SIGNER}{OTHER}"))),
        ("twice", |r| r.serves(&SIGNER.repeat(2))),
        ("text before", |r| r.serves(&format!("x\n{SIGNER}"))),
        ("text after", |r| r.serves(&format!("{SIGNER}x"))),
        ("a key", |r| r.serves(KEY)),
        ("a disguised key", |r| {
            r.serves(&KEY.replace("PRIVATE KEY", "CERTIFICATE"))
        }),
        ("cut", |r| r.serves(&SIGNER[..900])),
        ("cut inside", |r| {
            r.serves(&SIGNER.replace(&SIGNER[700..760], ""))
        }),
        ("an empty block", |r| {
            r.serves("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
        }),
        ("too much", |r| {
            r.serves(&format!("{SIGNER}{}", " ".repeat(16 * 1024)))
        }),
        ("a page", |r| r.serves("<html>sign in</html>")),
        ("nothing", |r| r.serves("")),
    ];
    fetched(NOTIFICATION, Reason::NoCertificate, &rows);
}

#[test]
fn a_damaged_certificate_is_refused_as_one_or_by_the_signature() {
    let der: String = SIGNER
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = STANDARD.decode(der).unwrap();
    let given = std::env::var("SEED").ok();
    let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rig = Rig::genuine(NOTIFICATION, "1");
    for _ in 0..2_000 {
        let mut damaged = der.clone();
        for _ in 0..random.usize(1..4) {
            damaged[random.usize(..der.len())] = random.u8(..);
        }
        let lines = STANDARD.encode(&damaged);
        rig.serves(&format!(
            "-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
        ));
        // Its own signature is not looked at: damage beside the key may go unseen.
        if let Ok(reason) = reason(rig.outcome().0) {
            let known = [
                Reason::Certificate,
                Reason::NoCertificate,
                Reason::Signature,
            ];
            assert!(known.contains(&reason), "seed {seed}: {reason:?}");
        }
    }
}

#[test]
fn a_refusal_names_the_topic_only_when_it_is_ours() {
    const OTHER_TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:other";
    type Case = (&'static str, Change, Option<&'static str>);
    let cases: [Case; 6] = [
        ("signature", |r| r.set("Message", "forged"), Some(TOPIC)),
        ("page", |r| r.serves("<html>"), Some(TOPIC)),
        ("malformed", |r| r.with_body("{"), Some(TOPIC)),
        (
            "raw",
            |r| r.header("x-amz-sns-rawdelivery", "true"),
            Some(TOPIC),
        ),
        ("another's", |r| r.set("TopicArn", OTHER_TOPIC), None),
        ("path", |r| r.with_path("/x"), None),
    ];
    for (name, change, wanted) in cases {
        let mut rig = Rig::genuine(NOTIFICATION, "1");
        change(&mut rig);
        let Judged::Refused(refusal) = rig.outcome().0 else {
            panic!("{name}");
        };
        assert_eq!(refusal.topic_arn.as_deref(), wanted, "{name}");
    }
}
