//! The way through the spool.

use super::{PUBLISHED, accepted};
use crate::sns::accepted::Accepted;
use crate::state::alarms::Via;

#[test]
fn a_record_of_the_spool_is_the_same_message() {
    let messages = [
        "Hello",
        "",
        "\u{0}\n\"\\\u{1f600}",
        include_str!("../../../tests/fixtures/sns/alarm-single-metric.json"),
        include_str!("../../../tests/fixtures/sns/event-v1-harvest-failed.json"),
    ];
    for message in messages {
        for (via, topic_arn, subject) in [
            (
                Via::Sns,
                Some("arn:aws:sns:eu-central-1:1:t"),
                Some("a\u{1}\""),
            ),
            (Via::Sqs, None, None),
        ] {
            let before = Accepted {
                via,
                topic_arn: topic_arn.map(str::to_owned),
                subject: subject.map(str::to_owned),
                ..accepted(message)
            };
            let after = Accepted::decode(&before.encode()).unwrap();
            assert_eq!(after, before);
            assert_eq!(after.notice(), before.notice());
            assert_eq!(after.notice().timestamp, PUBLISHED);
        }
    }
}

#[test]
fn a_record_of_something_else_is_none() {
    let good = String::from_utf8(accepted("x").encode()).unwrap();
    let later = good.replacen('{', r#"{"new":[1],"#, 1);
    assert_eq!(Accepted::decode(later.as_bytes()), Some(accepted("x")));
    let bad = [
        String::new(),
        "null".into(),
        good.replace("22b80b92", "22b80b9"),
        good.replace("\"sns\"", "\"poll\""),
        good.replace("\"via\"", "\"by\""),
        good.replace("\"x\"", "7"),
        good[..good.len() - 1].into(),
    ];
    for record in bad {
        assert_eq!(Accepted::decode(record.as_bytes()), None, "{record}");
    }
    assert_eq!(Accepted::decode(b"\xff"), None);
}

#[test]
fn a_subject_is_short_and_without_secrets() {
    let notice = |subject: &str| {
        let subject = Some(subject.to_owned());
        Accepted {
            subject,
            ..accepted("x")
        }
        .notice()
        .subject
        .unwrap()
    };
    assert_eq!(notice("see https://a:b@c"), "see https://…@c");
    assert_eq!(notice(&"é".repeat(300)), "é".repeat(100));
}
