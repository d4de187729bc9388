//! What SNS sends is taken.

use mediapackage2mqtt::sns::receiver::Judged;
use mediapackage2mqtt::state::alarms::Via;
use mediapackage2mqtt::state::push::MessageId;
use mediapackage2mqtt::state::time::UnixMs;

use super::rig::*;
use crate::scripted::NOON;

/// What was taken, in words.
fn taken(rig: &Rig) -> String {
    match rig.outcome().0 {
        Judged::Accepted { message, .. } => format!("accepted {}", message.message_id),
        Judged::Confirm {
            message_id,
            topic_arn,
            token,
        } => {
            assert_eq!(topic_arn, TOPIC);
            format!("confirm {message_id} {}", token.expose())
        }
        Judged::Unsubscribed {
            message_id,
            topic_arn,
        } => {
            assert_eq!(topic_arn, TOPIC);
            format!("unsubscribed {message_id}")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn all_three_types_are_taken_with_both_versions() {
    let cases = [
        (NOTIFICATION, format!("accepted {ID}")),
        (SUBSCRIPTION_CONFIRMATION, format!("confirm {ID} {TOKEN}")),
        (UNSUBSCRIBE_CONFIRMATION, format!("unsubscribed {ID}")),
    ];
    for (kind, wanted) in cases {
        for version in ["1", "2"] {
            assert_eq!(
                taken(&Rig::genuine(kind, version)),
                wanted,
                "{kind} {version}"
            );
        }
    }
}

#[test]
fn a_notification_is_taken_as_it_came() {
    let (judged, fetched) = Rig::genuine(NOTIFICATION, "1").outcome();
    let Judged::Accepted {
        message,
        subscription_arn,
    } = judged
    else {
        panic!("{judged:?}");
    };
    assert!(fetched);
    assert_eq!(Some(message.message_id), MessageId::parse(ID));
    assert_eq!(message.topic_arn.as_deref(), Some(TOPIC));
    assert_eq!(
        message.subject.as_deref(),
        Some("ALARM: \"a\" in EU (Ireland)")
    );
    assert_eq!(message.message, "Hello\nworld, \u{fc}\u{1f600} \"\\\t");
    assert_eq!(message.timestamp, NOON);
    // A `Date` is half a second behind on the average.
    assert_eq!(message.received_at, UnixMs(NOON.0 + 500));
    assert_eq!(message.via, Via::Sns);
    assert_eq!(subscription_arn.as_deref(), Some(SUBSCRIPTION));
}

#[test]
fn what_is_not_signed_decides_nothing() {
    type Change = fn(&mut Rig);
    let cases: [(&str, Change); 9] = [
        ("no headers", |rig| rig.headers.clear()),
        ("other headers", |rig| {
            rig.header("content-type", "application/json");
            rig.header("x-amz-sns-rawdelivery", "false");
        }),
        ("no UnsubscribeURL", |rig| {
            rig.remove("UnsubscribeURL");
        }),
        ("other UnsubscribeURL", |rig| {
            rig.set("UnsubscribeURL", "http://evil.example/");
        }),
        ("attributes", |rig| {
            rig.raw(
                "MessageAttributes",
                r#"{"a":{"Type":"String","Value":"x"}}"#,
            );
        }),
        ("a token", |rig| {
            rig.set("Token", "left aside");
        }),
        ("later keys", |rig| {
            rig.raw("SequenceNumber", "\"1\"").raw("Later", "[null]");
        }),
        ("written otherwise", |rig| {
            rig.rewrite("Hello", "\\u0048ello");
        }),
        ("other hex digits", |rig| {
            rig.set("SigningCertURL", &certificate_url(255));
        }),
    ];
    for (name, change) in cases {
        let mut rig = Rig::genuine(NOTIFICATION, "1");
        change(&mut rig);
        assert_eq!(taken(&rig), format!("accepted {ID}"), "{name}");
    }
}

#[test]
fn a_subject_may_be_missing_null_or_empty() {
    for (json, wanted) in [(None, None), (Some("null"), None), (Some("\"\""), Some(""))] {
        let mut rig = Rig::genuine(NOTIFICATION, "1");
        rig.remove("Subject");
        if let Some(json) = json {
            rig.raw("Subject", json);
        }
        let text = match wanted {
            Some(_) => rig.text_of(&["Message", "MessageId", "Subject"]),
            None => rig.text_of(&["Message", "MessageId"]),
        };
        let rest = rig.text_of(&["Timestamp", "TopicArn", "Type"]);
        rig.set("Signature", &sign(Key::Signer, "1", &(text + &rest)));
        let Judged::Accepted { message, .. } = rig.outcome().0 else {
            panic!("{json:?}");
        };
        assert_eq!(message.subject.as_deref(), wanted, "{json:?}");
    }
}

#[test]
fn a_subscription_is_believed_only_when_it_is_the_topics() {
    let other = SUBSCRIPTION.replace("mediapackage", "other");
    let cases = [TOPIC, "", "pending confirmation", other.as_str()];
    for arn in cases {
        let mut rig = Rig::genuine(NOTIFICATION, "1");
        rig.header("x-amz-sns-subscription-arn", arn);
        let Judged::Accepted {
            subscription_arn, ..
        } = rig.outcome().0
        else {
            panic!("{arn}");
        };
        assert_eq!(subscription_arn, None, "{arn}");
    }
}

#[test]
fn the_regions_own_certificate_is_taken_too_and_blanks_around_it() {
    let regional = include_str!("../fixtures/sns/regional.crt");
    let cases = [
        regional.to_owned(),
        SIGNER.replace('\n', "\r\n"),
        format!("\n \t{SIGNER}\n\n"),
        SIGNER.trim_end().to_owned(),
    ];
    for pem in cases {
        let mut rig = Rig::genuine(NOTIFICATION, "1");
        rig.served = Ok(pem.clone());
        assert_eq!(taken(&rig), format!("accepted {ID}"), "{pem}");
    }
}

#[test]
fn a_token_is_not_shown() {
    let (judged, _) = Rig::genuine(SUBSCRIPTION_CONFIRMATION, "1").outcome();
    let shown = format!("{judged:?}");
    assert!(shown.starts_with("Confirm"), "{shown}");
    assert!(!shown.contains(TOKEN), "{shown}");
}
