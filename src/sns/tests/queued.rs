//! What is taken from a queue, and what is not.

use crate::sns::queued::{Around, judge};
use crate::state::alarms::Via;
use crate::state::push::{EventType, Reason};
use crate::state::time::UnixMs;

const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";
const QUEUE_ID: &str = "00000000-0000-0000-0000-0000000000aa";
const SNS_ID: &str = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324";
const EVENT_ID: &str = "0b1d1c9c-0a5f-4b0e-9f7e-6f1d2c3b4a59";
const SENT: UnixMs = UnixMs(1_795_341_600_000);
const RECEIVED: UnixMs = UnixMs(1_795_341_601_000);

fn around(queue_id: &str) -> Around<'_> {
    Around {
        queue_id,
        sent_at: Some(SENT),
        received_at: RECEIVED,
    }
}

fn topics() -> Vec<String> {
    vec![TOPIC.to_owned()]
}

/// An envelope as SNS writes it, with a member replaced or, where the value is empty, left out.
fn envelope(change: (&str, &str)) -> String {
    let id = format!("\"{SNS_ID}\"");
    let topic = format!("\"{TOPIC}\"");
    let members = [
        ("Type", "\"Notification\""),
        ("MessageId", &id),
        ("TopicArn", &topic),
        ("Subject", "\"Hello\""),
        ("Message", "\"{\\\"a\\\":1}\""),
        ("Timestamp", "\"2012-05-02T00:54:06.655Z\""),
        ("SignatureVersion", "\"1\""),
        ("Signature", "\"EXAMPLE\""),
        (
            "SigningCertURL",
            "\"https://sns.eu-central-1.amazonaws.com/x.pem\"",
        ),
        (
            "UnsubscribeURL",
            "\"https://sns.eu-central-1.amazonaws.com/?x\"",
        ),
    ];
    let changed = members.iter().map(|(key, value)| match *key == change.0 {
        true => (*key, change.1),
        false => (*key, *value),
    });
    let written = changed.filter(|(_, value)| !value.is_empty());
    let written: Vec<String> = written
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", written.join(","))
}

#[test]
fn an_envelope_is_the_message_that_the_listener_would_take() {
    let taken = judge(&envelope(("", "")), &around(QUEUE_ID), &topics()).unwrap();
    assert_eq!(taken.message_id.to_string(), SNS_ID);
    assert_eq!(taken.topic_arn.as_deref(), Some(TOPIC));
    assert_eq!(taken.subject.as_deref(), Some("Hello"));
    assert_eq!(taken.message, r#"{"a":1}"#);
    assert_eq!(taken.timestamp, UnixMs(1_335_920_046_655));
    assert_eq!((taken.received_at, taken.via), (RECEIVED, Via::Sqs));
}

#[test]
fn what_nobody_signs_need_not_be_there() {
    let pretty = envelope(("", "")).replace(',', ",\n  ");
    let cases = [
        (pretty, SNS_ID, UnixMs(1_335_920_046_655)),
        (
            envelope(("Signature", "")),
            SNS_ID,
            UnixMs(1_335_920_046_655),
        ),
        (
            envelope(("SigningCertURL", "")),
            SNS_ID,
            UnixMs(1_335_920_046_655),
        ),
        (
            envelope(("Subject", "null")),
            SNS_ID,
            UnixMs(1_335_920_046_655),
        ),
        (envelope(("Timestamp", "")), SNS_ID, SENT),
        (envelope(("Timestamp", "\"yesterday\"")), SNS_ID, SENT),
        (
            envelope(("MessageId", "")),
            QUEUE_ID,
            UnixMs(1_335_920_046_655),
        ),
        (
            envelope(("MessageId", "\"7\"")),
            QUEUE_ID,
            UnixMs(1_335_920_046_655),
        ),
    ];
    for (body, id, at) in cases {
        let taken = judge(&body, &around(QUEUE_ID), &topics()).unwrap();
        assert_eq!(
            (taken.message_id.to_string().as_str(), taken.timestamp),
            (id, at),
            "{body}"
        );
    }
}

#[test]
fn a_message_without_an_envelope_is_taken_as_it_is() {
    let alarm = include_str!("../../../tests/fixtures/sns/alarm-single-metric.json");
    let event = format!(
        r#"{{"version":"0","id":"{EVENT_ID}","detail-type":"MediaPackage Input Notification",
            "source":"aws.mediapackage","detail":{{"event":"InputSwitchEvent"}}}}"#
    );
    let strange = event.replace(EVENT_ID, "seven");
    let cases = [
        (alarm, QUEUE_ID, EventType::Alarm),
        (event.as_str(), EVENT_ID, EventType::InputSwitch),
        (strange.as_str(), QUEUE_ID, EventType::InputSwitch),
        (r#"{"hello":"there"}"#, QUEUE_ID, EventType::Other),
        (r#"{"Type":"Notification"}"#, QUEUE_ID, EventType::Other),
        ("{}", QUEUE_ID, EventType::Other),
    ];
    for (body, id, event_type) in cases {
        let taken = judge(body, &around(QUEUE_ID), &topics()).unwrap();
        assert_eq!(taken.message_id.to_string(), id, "{body}");
        assert_eq!(
            (taken.topic_arn.as_deref(), taken.timestamp),
            (None, SENT),
            "{body}"
        );
        assert_eq!(taken.notice().event_type(), event_type, "{body}");
        assert_eq!(taken.message, body);
    }
}

#[test]
fn what_is_not_ours_is_refused_for_its_reason() {
    let kind = |kind: &str| envelope(("Type", &format!("\"{kind}\"")));
    let ours = Some(TOPIC);
    let cases = [
        ("hello".to_owned(), Reason::Malformed, None),
        (String::new(), Reason::Malformed, None),
        ("[]".to_owned(), Reason::Malformed, None),
        ("7".to_owned(), Reason::Malformed, None),
        ("{\"a\":".to_owned(), Reason::Malformed, None),
        ("{} {}".to_owned(), Reason::Malformed, None),
        ("\u{feff}{}".to_owned(), Reason::Malformed, None),
        ("[".repeat(200_000), Reason::Malformed, None),
        ("x".repeat(1 << 20), Reason::Malformed, None),
        (
            envelope(("TopicArn", "\"arn:aws:sns:eu-central-1:999999999999:mp\"")),
            Reason::Topic,
            None,
        ),
        (envelope(("TopicArn", "\"\"")), Reason::Topic, None),
        (envelope(("Message", "")), Reason::Malformed, ours),
        (envelope(("Message", "{\"a\":1}")), Reason::Malformed, ours),
        (envelope(("Subject", "7")), Reason::Malformed, ours),
        (
            envelope(("Subject", "\"a\",\"Subject\":\"b\"")),
            Reason::Malformed,
            ours,
        ),
        (
            r#"{"Type":7,"TopicArn":"x"}"#.to_owned(),
            Reason::Malformed,
            None,
        ),
        (envelope(("TopicArn", "[\"x\"]")), Reason::Malformed, None),
        (kind("Other"), Reason::Type, ours),
        (kind("SubscriptionConfirmation"), Reason::Invitation, ours),
        (kind("UnsubscribeConfirmation"), Reason::Type, ours),
    ];
    for (body, reason, topic) in cases {
        let shown: String = body.chars().take(200).collect();
        let refusal = judge(&body, &around(QUEUE_ID), &topics()).unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.topic_arn.as_deref()),
            (reason, topic),
            "{shown}"
        );
    }
}

#[test]
fn a_message_of_a_queue_without_ids_has_one_of_its_own() {
    let id = |queue_id, body| {
        let taken = judge(body, &around(queue_id), &topics()).unwrap();
        taken.message_id
    };
    assert_eq!(id("", "{}"), id("", "{}"));
    assert_ne!(id("", "{}"), id("", "{ }"));
    assert_ne!(id("1", "{}"), id("2", "{}"));
}
