//! What leaves the parser of a message that is passed through.

use serde_json::json;

use super::{accepted, notice};
use crate::sns::accepted::Accepted;
use crate::sns::redact::{self, MESSAGE_BYTES_MAX};
use crate::state::push::{Meaning, Passed};
use crate::topics::push::LISTED_BYTES_MAX;

/// JSON in a string, so many times.
fn wrapped(text: &str, times: usize) -> String {
    (0..times).fold(text.to_owned(), |inner, _| {
        serde_json::json!({ "m": inner }).to_string()
    })
}

#[test]
fn the_values_of_secret_keys_are_replaced() {
    let cases = [
        // Nothing to hide: digits, order and repeated keys stay as they came.
        (
            r#"{ "b": 1.10, "a": 12345678901234567890123, "a": [ ] }"#,
            r#"{"b":1.10,"a":12345678901234567890123,"a":[]}"#,
        ),
        (r#"[1e999, null, true]"#, "[1e999,null,true]"),
        (r#"{"password":"x"}"#, r#"{"password":"…"}"#),
        (
            r#"{"dbPassWord2":{"a":[1]},"b":1}"#,
            r#"{"dbPassWord2":"…","b":1}"#,
        ),
        (
            r#"{"SECRET":[1,{"a":2}] , "b":1}"#,
            r#"{"SECRET":"…","b":1}"#,
        ),
        (
            r#"{"NextToken" : 12 , "b":1}"#,
            r#"{"NextToken":"…","b":1}"#,
        ),
        (
            r#"{"a":[{"credentials":null}]}"#,
            r#"{"a":[{"credentials":"…"}]}"#,
        ),
        (r#"{"role_arn":"arn"}"#, r#"{"role_arn":"…"}"#),
        (r#"{"s3RoleArn":"arn"}"#, r#"{"s3RoleArn":"…"}"#),
        (
            r#"{"ROLEARN":"arn","role-arn":1}"#,
            r#"{"ROLEARN":"…","role-arn":"…"}"#,
        ),
        (
            r#"{"roleArns":"x","role":"y"}"#,
            r#"{"roleArns":"x","role":"y"}"#,
        ),
        (
            r#"{"UnsubscribeURL":"https://x"}"#,
            r#"{"UnsubscribeURL":"…"}"#,
        ),
        (r#"{"SubscribeURL":"https://x"}"#, r#"{"SubscribeURL":"…"}"#),
        // A key may be written in any way; one that cannot be read may be anything.
        (r#"{"p\u0061ssword":1}"#, r#"{"p\u0061ssword":"…"}"#),
        (r#"{"to\u212aen":1}"#, r#"{"to\u212aen":"…"}"#),
        (r#"{"\ud800":1}"#, r#"{"…":"…"}"#),
        (r#"{"a":"\ud800"}"#, r#"{"a":"…"}"#),
        // A secret word as a value is no secret.
        (
            r#"{"a":"password","b":["token"]}"#,
            r#"{"a":"password","b":["token"]}"#,
        ),
        (r#"{"a":"\"password\":1"}"#, r#"{"a":"\"password\":1"}"#),
        // The same key again, further on.
        (r#"{"a":{"token":1},"a":2}"#, r#"{"a":{"token":"…"},"a":2}"#),
    ];
    for (message, wanted) in cases {
        let passed = redact::message(message);
        assert_eq!(passed.json, wanted, "{message}");
        assert!(!passed.truncated, "{message}");
    }
}

#[test]
fn json_within_strings_is_looked_into() {
    let cases = [
        (
            r#"{"m":"{ \"token\": 1, \"b\": 2 }"}"#,
            r#"{"m":"{\"token\":\"…\",\"b\":2}"}"#,
        ),
        // Without a secret the string stays as it was written.
        (
            r#"{"m":"{ \"t\": 1, \"b\": \"\u00e9\" }"}"#,
            r#"{"m":"{ \"t\": 1, \"b\": \"\u00e9\" }"}"#,
        ),
        (r#"["[{\"secret\":1}]"]"#, r#"["[{\"secret\":\"…\"}]"]"#),
        (r#"["[{\"secret\":1}"]"#, r#"["[{\"secret\":1}"]"#),
    ];
    for (message, wanted) in cases {
        assert_eq!(redact::message(message).json, wanted, "{message}");
    }
    for times in 0..12 {
        let message = wrapped(r#"{"password":"hunter2"}"#, times);
        let passed = redact::message(&message);
        assert!(!passed.json.contains("hunter2"), "{times} times");
        assert!(passed.json.contains('…'), "{times} times");
        let harmless = wrapped(r#"{"a":"hunter2"}"#, times);
        let kept = redact::message(&harmless).json.contains("hunter2");
        assert_eq!(kept, times <= 8, "{times} times");
    }
}

/// Whoever encodes once too often sends a string, which is text; its secrets are the same.
#[test]
fn strings_of_strings_are_looked_into() {
    let again = |text: String| serde_json::Value::from(text).to_string();
    for secret in [r#"{"password":"hunter2"}"#, "https://a:hunter2@host/"] {
        let mut text = secret.to_owned();
        for times in 0..10 {
            for message in [text.clone(), wrapped(&text, 1), format!(" [1,{text:?}]")] {
                let passed = redact::message(&message).json;
                assert!(!passed.contains("hunter2"), "{times} times: {passed}");
                assert!(passed.contains('…'), "{times} times: {passed}");
            }
            text = again(text);
        }
    }
    let mut text = String::from(r#"{"a": "hunter2"}"#);
    for times in 0..4 {
        assert_eq!(redact::text(&text).contains(' '), times > 0, "{text}");
        text = again(text);
    }
}

#[test]
fn urls_lose_their_user_information() {
    let unsubscribe =
        "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=a";
    let cases = [
        ("see https://user:pw@host/x?y@z", "see https://…@host/x?y@z"),
        ("https://user@host", "https://…@host"),
        ("a://b:c@d e://f:g@h.", "a://…@d e://…@h."),
        ("https://a:b@c@host/", "https://…@host/"),
        ("https://host/a@b", "https://host/a@b"),
        ("https://host?a@b", "https://host?a@b"),
        ("mail me@host", "mail me@host"),
        ("://", "://"),
        ("é://ü:ö@ß", "é://…@ß"),
        (unsubscribe, "https://…"),
        (
            "visit https://h/?Token=2336&action=ConfirmSubscription now",
            "visit https://… now",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(redact::text(text), wanted, "{text}");
        let quoted = serde_json::Value::from(wanted).to_string();
        assert_eq!(redact::message(text).json, quoted, "{text}");
        let object = serde_json::json!({ "url": [text] }).to_string();
        let wanted = serde_json::json!({ "url": [wanted] }).to_string();
        assert_eq!(redact::message(&object).json, wanted, "{text}");
        let inside = redact::message(&wrapped(&object, 1)).json;
        assert_eq!(inside, wrapped(&wanted, 1), "{text}");
    }
}

/// What is cut first is no JSON and no URL any more, and looks harmless.
#[test]
fn secrets_are_replaced_before_anything_is_cut() {
    let filler = "x".repeat(150);
    let json = format!(r#"{{"password":"hunter2","a":"{filler}"}}"#);
    let texts = [
        json.clone(),
        wrapped(&json, 1),
        format!("{} https://user:hunter2@host/", &filler[..80]),
        format!("{} https://user:hunter2@host/", &filler[..100]),
        format!("https://user:hunter2{filler}@host/"),
    ];
    for text in texts {
        let messages = [
            json!({ "detail-type": text, "source": "a" }),
            json!({ "detail-type": "a", "source": text }),
            json!({ "detail-type": "a", "source": "aws.mediapackage", "detail": {
                "event": "InputSwitchEvent", "EventDetails": { "Channel": text }
            } }),
        ];
        let with_subject = Accepted {
            subject: Some(text.clone()),
            ..accepted("x")
        };
        let notices = messages.map(|message| notice(&message.to_string()));
        for notice in notices.into_iter().chain([with_subject.notice()]) {
            let Meaning::Event(event) = notice.meaning else {
                panic!("an alarm of {text}");
            };
            let subject = notice.subject.unwrap_or_default();
            assert!(subject.chars().count() <= 100, "{subject}");
            for told in [event.summary, subject, notice.message.json] {
                assert!(!told.contains("hunter2"), "{told}");
            }
        }
    }
}

#[test]
fn what_is_no_object_or_array_is_text() {
    let cases = [
        ("", r#""""#),
        ("Hello \"world\"!\n", r#""Hello \"world\"!\n""#),
        ("12", r#""12""#),
        ("\"x\"", r#""\"x\"""#),
        ("{\"a\":1} x", r#""{\"a\":1} x""#),
        ("{'a':1}", r#""{'a':1}""#),
    ];
    for (message, wanted) in cases {
        assert_eq!(redact::message(message).json, wanted, "{message}");
        let object = format!(r#"{{"text":{wanted}}}"#);
        assert_eq!(redact::object(message).json, object, "{message}");
    }
    // Nested deeper than readers take it: text, and its secrets are replaced all the same.
    let deep = |n: usize| format!("{}{{\"token\":7}}{}", "[".repeat(n), "]".repeat(n));
    for (levels, wanted) in [(99, "["), (100, "\""), (100_000, "\"")] {
        let passed = redact::message(&deep(levels));
        assert!(passed.json.starts_with(wanted), "{levels}");
        assert!(!passed.json.contains('7'), "{levels}");
    }
}

#[test]
fn a_message_keeps_its_limit() {
    let text_of = |passed: &Passed| -> String { serde_json::from_str(&passed.json).unwrap() };
    // One character and how long it is in JSON.
    let characters = [
        ("a", 1),
        ("\n", 2),
        ("\"", 2),
        ("\u{1}", 6),
        ("é", 2),
        ("\u{1f600}", 4),
    ];
    for (character, bytes) in characters {
        for limit in [LISTED_BYTES_MAX, MESSAGE_BYTES_MAX] {
            let fits = (limit - 2) / bytes;
            let whole = redact::message(&character.repeat(MESSAGE_BYTES_MAX));
            let cut = whole.cut(limit);
            assert!(cut.truncated && cut.json.len() <= limit, "{character:?}");
            assert_eq!(text_of(&cut), character.repeat(fits), "{character:?}");
            let small = redact::message(&character.repeat((LISTED_BYTES_MAX - 2) / bytes));
            assert_eq!(small.cut(limit), small, "{character:?}");
            assert!(!small.truncated);
        }
    }
    let object = format!(r#"{{"password":"hunter2","a":"{}"}}"#, "x".repeat(200_000));
    let passed = redact::message(&object);
    assert!(passed.truncated && passed.json.len() <= MESSAGE_BYTES_MAX);
    assert!(text_of(&passed).starts_with(r#"{"password":"…","a":"xx"#));
    let detail = redact::object(&object);
    assert!(detail.truncated && detail.json.len() <= MESSAGE_BYTES_MAX);
    let detail: serde_json::Value = serde_json::from_str(&detail.json).unwrap();
    assert!(
        detail["text"]
            .as_str()
            .unwrap()
            .starts_with(r#"{"password":"…""#)
    );
    let listed = passed.cut(2048).cut(LISTED_BYTES_MAX);
    assert_eq!(listed, passed.cut(LISTED_BYTES_MAX));
}
