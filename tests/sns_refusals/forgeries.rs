//! Forgeries that need no certificate to be told.

use mediapackage2mqtt::state::push::Reason;

use super::rig::*;

const OTHER_TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:other";

fn unfetched(kind: &str, wanted: Reason, rows: &[(&str, Change)]) {
    refused(kind, wanted, false, rows);
}

#[test]
fn only_a_post_to_the_path_is_looked_at() {
    let methods: [(&str, Change); 3] = [
        ("GET", |r| r.with_method("GET")),
        ("small letters", |r| r.with_method("post")),
        ("none", |r| r.with_method("")),
    ];
    unfetched(NOTIFICATION, Reason::Method, &methods);
    let paths: [(&str, Change); 4] = [
        ("another", |r| r.with_path("/x")),
        ("with a query", |r| r.with_path("/?")),
        ("whole", |r| r.with_path("http://edge.example/")),
        ("none", |r| r.with_path("")),
    ];
    unfetched(NOTIFICATION, Reason::Path, &paths);
}

/// Number 11.
#[test]
fn a_raw_message_is_refused() {
    let headers: [(&str, Change); 3] = [
        ("true", |r| r.header("x-amz-sns-rawdelivery", "true")),
        ("True", |r| r.header("x-amz-sns-rawdelivery", "True")),
        ("without envelope", |r| {
            r.header("x-amz-sns-rawdelivery", "true").with_body("hello")
        }),
    ];
    unfetched(NOTIFICATION, Reason::Raw, &headers);
}

/// Number 6: SNS signs whatever anybody publishes to a topic of their own.
#[test]
fn a_topic_that_is_not_ours_is_refused_with_sns_own_signature() {
    fn topic<'a>(rig: &'a mut Rig, arn: &str) -> &'a mut Rig {
        rig.set("TopicArn", arn);
        rig.header("x-amz-sns-topic-arn", arn).sign(Key::Signer)
    }
    let rows: [(&str, Change); 8] = [
        ("another", |r| topic(r, OTHER_TOPIC)),
        ("account", |r| topic(r, &TOPIC.replace("123456", "999999"))),
        ("region", |r| topic(r, &TOPIC.replace("west", "east"))),
        ("longer", |r| topic(r, &format!("{TOPIC}2"))),
        ("capital", |r| topic(r, &TOPIC.replace(":med", ":Med"))),
        ("blank", |r| topic(r, &format!("{TOPIC} "))),
        ("header's", |r| r.header("x-amz-sns-topic-arn", OTHER_TOPIC)),
        ("two", |r| {
            let second = ("x-amz-sns-topic-arn".into(), OTHER_TOPIC.into());
            r.headers.push(second);
            r
        }),
    ];
    unfetched(NOTIFICATION, Reason::Topic, &rows);
}

/// Number 7.
#[test]
fn a_signature_version_is_one_of_two_strings() {
    let strings: [(&str, Change); 4] = [
        ("3", |r| r.set("SignatureVersion", "3")),
        ("empty", |r| r.set("SignatureVersion", "")),
        ("01", |r| r.set("SignatureVersion", "01")),
        ("2.0", |r| r.set("SignatureVersion", "2.0")),
    ];
    unfetched(NOTIFICATION, Reason::SignatureVersion, &strings);
    let others: [(&str, Change); 4] = [
        ("1", |r| r.raw("SignatureVersion", "1")),
        ("2", |r| r.raw("SignatureVersion", "2")),
        ("null", |r| r.raw("SignatureVersion", "null")),
        ("missing", |r| r.remove("SignatureVersion")),
    ];
    unfetched(NOTIFICATION, Reason::Malformed, &others);
}

#[test]
fn version_1_is_refused_where_2_is_asked_for() {
    for (version, wanted) in [("1", Some(Reason::SignatureVersion)), ("2", None)] {
        let mut rig = Rig::genuine(NOTIFICATION, version);
        rig.min_signature_version = 2;
        assert_eq!(reason(rig.outcome().0).ok(), wanted, "{version}");
    }
}

/// Number 8.
#[test]
fn a_type_is_one_of_three_and_that_of_the_header() {
    let types: [(&str, Change); 4] = [
        ("none of them", |r| r.set("Type", "Other")),
        ("small letters", |r| r.set("Type", "notification")),
        ("header's", |r| {
            r.header("x-amz-sns-message-type", SUBSCRIPTION_CONFIRMATION)
        }),
        ("body's", |r| {
            r.set("Type", UNSUBSCRIBE_CONFIRMATION).set("Token", TOKEN);
            let url = subscribe_url(TOPIC, TOKEN);
            r.set("SubscribeURL", &url).sign(Key::Signer)
        }),
    ];
    unfetched(NOTIFICATION, Reason::Type, &types);
    let parts: [(&str, Change); 3] = [
        ("no type", |r| r.remove("Type")),
        ("no token", |r| r.remove("Token")),
        ("no URL", |r| r.remove("SubscribeURL")),
    ];
    unfetched(SUBSCRIPTION_CONFIRMATION, Reason::Malformed, &parts);
    unfetched(UNSUBSCRIBE_CONFIRMATION, Reason::Malformed, &parts);
}

fn published<'a>(rig: &'a mut Rig, timestamp: &str) -> &'a mut Rig {
    rig.set("Timestamp", timestamp).sign(Key::Signer)
}

/// Number 14.
#[test]
fn a_message_of_another_hour_is_refused() {
    let old: [(&str, Change); 2] = [
        ("76 minutes", |r| published(r, "2026-11-22T08:44:00.000Z")),
        ("years", |r| published(r, "2012-04-26T20:45:04.751Z")),
    ];
    let ahead: [(&str, Change); 2] = [
        ("16 minutes", |r| published(r, "2026-11-22T10:16:00.000Z")),
        ("years", |r| published(r, "9999-12-31T23:59:59.999Z")),
    ];
    for kind in [
        NOTIFICATION,
        SUBSCRIPTION_CONFIRMATION,
        UNSUBSCRIBE_CONFIRMATION,
    ] {
        unfetched(kind, Reason::TooOld, &old);
        unfetched(kind, Reason::Ahead, &ahead);
    }
}

/// Number 9: names and values are joined by newlines, so a value must not hold what could be
/// the next name.
#[test]
fn a_signature_must_not_fit_two_readings() {
    let rows: [(&str, Change); 7] = [
        ("moved text", moved_text),
        ("id of two lines", |r| {
            r.set("MessageId", &format!("{ID}\nSubject\nx"));
            r.sign(Key::Signer)
        }),
        ("id that is none", |r| {
            r.header("x-amz-sns-message-id", "1");
            r.set("MessageId", "1").sign(Key::Signer)
        }),
        ("header's id", |r| {
            let other = ID.replace('2', "3");
            r.header("x-amz-sns-message-id", &other)
        }),
        ("subject of two lines", |r| {
            r.set("Subject", "a\nTimestamp\nx").sign(Key::Signer)
        }),
        ("time in words", |r| published(r, "now")),
        ("other zone", |r| published(r, "2026-11-22T11:00:00+01:00")),
    ];
    unfetched(NOTIFICATION, Reason::Malformed, &rows);
    let rows: [(&str, Change); 2] = [
        ("token of two lines", |r| {
            r.set("Token", &format!("{TOKEN}\nTopicArn\n{TOPIC}"));
            r.sign(Key::Signer)
        }),
        ("URL of two lines", |r| {
            let url = format!("{}\nTimestamp\nx", subscribe_url(TOPIC, TOKEN));
            r.set("SubscribeURL", &url).sign(Key::Signer)
        }),
    ];
    unfetched(SUBSCRIPTION_CONFIRMATION, Reason::Malformed, &rows);
}

/// Who may publish chooses the message, and SNS signs it. Read at other places the same
/// signature covers a message with an id and a subject that SNS never gave it.
fn moved_text(rig: &mut Rig) -> &mut Rig {
    const FORGED: &str = "00000000-0000-4000-8000-000000000000";
    let names = [
        "Message",
        "MessageId",
        "Subject",
        "Timestamp",
        "TopicArn",
        "Type",
    ];
    rig.set(
        "Message",
        &format!("x\nMessageId\n{FORGED}\nSubject\nforged"),
    );
    rig.sign(Key::Signer);
    let signed = rig.text_of(&names);
    let subject = rig.get("Subject").unwrap();
    rig.set("Message", "x").set("MessageId", FORGED);
    rig.set(
        "Subject",
        &format!("forged\nMessageId\n{ID}\nSubject\n{subject}"),
    );
    assert_eq!(rig.text_of(&names), signed, "the forgery is not one");
    rig.header("x-amz-sns-message-id", FORGED)
}

/// Number 10.
#[test]
fn a_body_that_sns_would_not_write_is_refused() {
    let rows: [(&str, Change); 18] = [
        ("nothing", |r| r.with_body("")),
        ("words", |r| r.with_body("hello")),
        ("message is an object", |r| r.raw("Message", "{}")),
        ("message is a number", |r| r.raw("Message", "1")),
        ("message is null", |r| r.raw("Message", "null")),
        ("topic is a list", |r| {
            r.raw("TopicArn", &format!("[\"{TOPIC}\"]"))
        }),
        ("two messages", |r| {
            r.rewrite("{\n", "{ \"Message\": \"forged\",\n")
        }),
        ("two types, one escaped", |r| {
            r.rewrite("{\n", "{ \"T\\u0079pe\": \"Notification\",\n")
        }),
        ("two of an unknown key", |r| {
            r.rewrite("{\n", "{ \"x\": 1, \"x\": 1,\n")
        }),
        ("as in Lambda", |r| {
            r.rewrite("\"SigningCertURL\"", "\"SigningCertUrl\"")
        }),
        ("as in Lambda besides", |r| {
            r.set("SigningCertUrl", "https://evil.example/")
        }),
        ("half a character", |r| r.rewrite("Hello", "\\ud800")),
        ("the other half", |r| r.rewrite("Hello", "\\udc00")),
        ("not UTF-8", |r| {
            let body = r.body().into_iter();
            let body: Vec<u8> = body.map(|b| if b == b'H' { 0xff } else { b }).collect();
            r.with_body(body)
        }),
        ("more after it", |r| {
            let body = r.body();
            r.with_body([&body[..], b"x"].concat())
        }),
        ("cut", |r| {
            let body = r.body();
            r.with_body(&body[..body.len() - 1])
        }),
        ("in a list", |r| {
            let body = r.body();
            r.with_body([b"[", &body[..], b"]"].concat())
        }),
        ("deep", |r| {
            let deep = "[".repeat(100_000) + &"]".repeat(100_000);
            r.raw("MessageAttributes", &deep)
        }),
    ];
    unfetched(NOTIFICATION, Reason::Malformed, &rows);
}
