//! Policies as people write them, and what they let happen.

use super::*;

const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:edge";
const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";

fn judged(policy: &str) -> (Access, Vec<String>) {
    let Opinion { mut topics, doubts } = judge(policy, QUEUE, &[TOPIC.to_owned()]);
    assert_eq!(topics.len(), 1);
    (topics.remove(0), doubts)
}

/// One statement that allows to send, with what follows its action.
fn allow(principal: &str, more: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{principal},"Action":"sqs:SendMessage",
            "Resource":"{QUEUE}"{more}}}"#
    )
}

/// A condition on one key.
fn on(operator: &str, key: &str, values: &str) -> String {
    format!(r#","Condition":{{"{operator}":{{"{key}":{values}}}}}"#)
}

fn policy(statements: &[String]) -> String {
    let all = statements.join(",");
    format!(r#"{{"Version":"2012-10-17","Id":"x","Statement":[{all}]}}"#)
}

const ANY: &str = r#""*""#;
const AWS: &str = r#"{"AWS":"*"}"#;
const SNS: &str = r#"{"Service":"sns.amazonaws.com"}"#;
const EVENTS: &str = r#"{"Service":"events.amazonaws.com"}"#;
const ARN: &str = "aws:SourceArn";
const ACCOUNT: &str = "aws:SourceAccount";
const OURS: &str = r#""arn:aws:sns:eu-central-1:123456789012:mp""#;
const OTHER: &str = r#""arn:aws:sns:eu-central-1:123456789012:other""#;
const RULE: &str = r#""arn:aws:events:eu-central-1:123456789012:rule/mp""#;

/// Principal and condition of one statement; whether the topic may send; what the one doubt
/// says.
type Row = (&'static str, String, Access, Option<&'static str>);

fn fine() -> Vec<Row> {
    use Access::{Allowed, Missing};
    let both = format!("[{OURS},{RULE}]");
    let ours_of_own = format!(
        r#","Condition":{{"ArnEquals":{{"{ARN}":{OURS}}},
        "StringEquals":{{"{ACCOUNT}":"123456789012"}},"Bool":{{"aws:SecureTransport":true}}}}"#
    );
    let own = [
        r#"{"AWS":"arn:aws:iam::123456789012:root"}"#,
        r#"{"AWS":["123456789012","arn:aws:iam::123456789012:role/edge"]}"#,
    ];
    let rules = r#""arn:aws:events:eu-central-1:123456789012:rule/*""#;
    let mut rows: Vec<Row> = ["ArnEquals", "ArnLike", "StringEquals", "StringLike"]
        .map(|op| (SNS, on(op, ARN, OURS), Allowed, None))
        .into();
    rows.extend([
        (ANY, on("ArnEquals", ARN, OURS), Allowed, None),
        (AWS, on("ArnEquals", "AWS:SOURCEARN", OURS), Allowed, None),
        (SNS, on("ForAnyValue:ArnLike", ARN, OURS), Allowed, None),
        (SNS, on("ArnEquals", ARN, &both), Allowed, None),
        (SNS, ours_of_own, Allowed, None),
        (EVENTS, on("ArnEquals", ARN, RULE), Missing, None),
        (EVENTS, on("ArnLike", ARN, rules), Missing, None),
        (ANY, on("ArnEquals", ARN, "[]"), Missing, None),
        (own[0], String::new(), Missing, None),
        (own[1], String::new(), Missing, None),
        (
            ANY,
            on("StringEquals", "aws:PrincipalAccount", r#""123456789012""#),
            Access::Unclear,
            None,
        ),
    ]);
    rows
}

fn doubtful() -> Vec<Row> {
    use Access::{Allowed, Missing, Unclear};
    let world = Some("anybody in the world send messages");
    let unclear = Some("not understood");
    let secure = on("Bool", "aws:SecureTransport", r#""true""#);
    let own = r#""123456789012""#;
    let wide = [
        r#""arn:aws:sns:*:*:*""#,
        r#""arn:aws:sns:*""#,
        r#""arn:aws:events:eu-central-1:*:rule/*""#,
    ];
    let theirs = r#""arn:aws:events:eu-central-1:999999999999:rule/mp""#;
    vec![
        (ANY, String::new(), Allowed, world),
        (AWS, String::new(), Allowed, world),
        (AWS, secure, Allowed, world),
        (SNS, String::new(), Allowed, Some("sns.amazonaws.com send")),
        (
            EVENTS,
            String::new(),
            Missing,
            Some("events.amazonaws.com send"),
        ),
        (
            SNS,
            on("StringEquals", ACCOUNT, own),
            Allowed,
            Some("sns.amazonaws.com send messages for whatever is in account 123456789012"),
        ),
        (
            SNS,
            on("ArnEquals", ARN, OTHER),
            Missing,
            Some("12:other send"),
        ),
        (
            SNS,
            on("ArnLike", ARN, wide[0]),
            Allowed,
            Some("arn:aws:sns:*:*:* send"),
        ),
        (
            SNS,
            on("ArnLike", ARN, wide[1]),
            Unclear,
            Some("arn:aws:sns:* send"),
        ),
        (
            ANY,
            on("StringLike", ARN, wide[1]),
            Allowed,
            Some("arn:aws:sns:* send"),
        ),
        // No wildcard is one in StringEquals: so nobody is let in, our topic neither.
        (
            SNS,
            on("StringEquals", ARN, wide[0]),
            Missing,
            Some("arn:aws:sns:*:*:* send"),
        ),
        (
            EVENTS,
            on("ArnLike", ARN, wide[2]),
            Missing,
            Some("rule/* send"),
        ),
        (
            EVENTS,
            on("ArnEquals", ARN, theirs),
            Missing,
            Some("999999999999:rule/mp send"),
        ),
        // Whoever sends without the key passes.
        (ANY, on("ArnEqualsIfExists", ARN, OURS), Allowed, unclear),
        (ANY, on("ForAllValues:ArnLike", ARN, OURS), Allowed, unclear),
        (ANY, on("ArnNotEquals", ARN, OTHER), Allowed, unclear),
        (
            ANY,
            on("IpAddress", "aws:SourceIp", r#""192.0.2.0/24""#),
            Unclear,
            unclear,
        ),
        (
            ANY,
            on("StringEquals", "aws:PrincipalOrgID", r#""o-1""#),
            Unclear,
            unclear,
        ),
        (ANY, on("arnequals", ARN, OURS), Unclear, unclear),
        (ANY, on("ArnEquals", ARN, r#""${aws:x}""#), Unclear, unclear),
        (
            r#"{"AWS":"999999999999"}"#,
            String::new(),
            Missing,
            Some("account 999999999999"),
        ),
        (
            r#"{"AWS":"arn:aws:iam::999999999999:user/x"}"#,
            String::new(),
            Missing,
            Some("account 999999999999 send"),
        ),
        (
            r#"{"AWS":"AIDAQWERTYUIOPASDFGH"}"#,
            String::new(),
            Missing,
            Some("AIDAQ"),
        ),
        (
            r#"{"Federated":"example.net"}"#,
            String::new(),
            Missing,
            Some("Federated example"),
        ),
        (
            r#"{"Service":"s3.amazonaws.com"}"#,
            String::new(),
            Missing,
            Some("s3.amazonaws"),
        ),
    ]
}

#[test]
fn who_is_let_in_is_told_of_each_statement() {
    for (principal, condition, access, doubt) in fine().into_iter().chain(doubtful()) {
        let text = policy(&[allow(principal, &condition)]);
        let (found, doubts) = judged(&text);
        assert_eq!(found, access, "{text}");
        assert_eq!(
            doubts.len(),
            usize::from(doubt.is_some()),
            "{text} {doubts:?}"
        );
        for (said, wanted) in doubts.iter().zip(doubt) {
            assert!(said.starts_with("statement 1 lets "), "{said}");
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}

#[test]
fn what_a_statement_is_about_decides_whether_it_counts() {
    use Access::{Allowed, Missing};
    let with = |action: &str, resource: &str| {
        policy(&[format!(
            r#"{{"Sid":"one","Effect":"Allow","Principal":"*",{action},{resource}}}"#
        )])
    };
    let queue = format!(r#""Resource":"{QUEUE}""#);
    let other = r#""Resource":["arn:aws:sqs:eu-central-1:123456789012:other"]"#;
    let not_ours = format!(r#""NotResource":"{QUEUE}""#);
    let send = r#""Action":"SQS:sendmessage""#;
    let cases = [
        (send, queue.as_str(), Allowed, Some("send messages")),
        (
            r#""Action":["sqs:S*","sqs:GetQueueUrl"]"#,
            &queue,
            Allowed,
            Some("send messages"),
        ),
        (
            r#""Action":"sqs:*""#,
            r#""Resource":"*""#,
            Allowed,
            Some("send and take messages"),
        ),
        (
            r#""Action":"sqs:ReceiveMessage""#,
            &queue,
            Missing,
            Some("world take messages"),
        ),
        (r#""Action":"sqs:GetQueueUrl""#, &queue, Missing, None),
        (
            r#""NotAction":"sqs:SendMessage""#,
            &queue,
            Missing,
            Some("take messages"),
        ),
        (
            r#""NotAction":"sqs:Purge*""#,
            &queue,
            Allowed,
            Some("send and take"),
        ),
        (send, other, Missing, None),
        (send, not_ours.as_str(), Missing, None),
        (
            send,
            r#""NotResource":"arn:aws:sqs:*:*:other""#,
            Allowed,
            Some("send"),
        ),
    ];
    for (action, resource, access, doubt) in cases {
        let text = with(action, resource);
        let (found, doubts) = judged(&text);
        assert_eq!(found, access, "{text}");
        assert_eq!(
            doubts.len(),
            usize::from(doubt.is_some()),
            "{text} {doubts:?}"
        );
        for (said, wanted) in doubts.iter().zip(doubt) {
            assert!(said.starts_with("statement \"one\" lets anybody"), "{said}");
            assert!(said.contains(wanted), "{said}");
        }
    }
}

#[test]
fn a_deny_may_keep_the_topic_out_and_is_no_doubt() {
    use Access::{Allowed, Denied};
    let good = allow(SNS, &on("ArnEquals", ARN, OURS));
    let deny = |principal: &str, more: &str| {
        let statement = allow(principal, more);
        statement.replace(r#""Allow""#, r#""Deny""#)
    };
    let cases = [
        (
            deny(ANY, &on("Bool", "aws:SecureTransport", "false")),
            Allowed,
        ),
        (deny(ANY, &on("ArnNotEquals", ARN, OURS)), Allowed),
        (
            deny(ANY, &on("ArnNotEquals", ARN, OTHER)),
            Denied("2".into()),
        ),
        (
            deny(ANY, &on("StringNotLike", ARN, r#""arn:aws:sns:*""#)),
            Allowed,
        ),
        (deny(ANY, &on("Null", ARN, r#""true""#)), Allowed),
        (
            deny(ANY, &on("StringNotEquals", ACCOUNT, r#""999999999999""#)),
            Denied("2".into()),
        ),
        (
            deny(
                ANY,
                &on("NotIpAddress", "aws:SourceIp", r#""192.0.2.0/24""#),
            ),
            Allowed,
        ),
        (deny(EVENTS, ""), Allowed),
        (deny(r#"{"AWS":"123456789012"}"#, ""), Allowed),
        (deny(SNS, ""), Denied("2".into())),
        (
            deny(ANY, "").replace("SendMessage", "ReceiveMessage"),
            Allowed,
        ),
        (deny(ANY, "").replace("Principal", "NotPrincipal"), Allowed),
    ];
    for (statement, wanted) in cases {
        let text = policy(&[good.clone(), statement]);
        assert_eq!(judged(&text), (wanted, Vec::new()), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_never_fine() {
    let good = allow(SNS, &on("ArnEquals", ARN, OURS));
    let whole = [
        "",
        "null",
        "[]",
        "{}",
        r#"{"Statement":7}"#,
        "{\"Statement\":[",
        "\u{0}",
    ];
    for text in whole {
        let (access, doubts) = judged(text);
        assert_eq!(access, Access::Unclear, "{text}");
        assert_eq!(doubts.len(), 1, "{text}");
    }
    let parts = [
        String::from("7"),
        good.replace("Allow", "allow"),
        good.replace("Principal", "Principle"),
        good.replace("Effect", "Effekt"),
        good.replace(r#""sqs:SendMessage""#, "{}"),
        good.replace(OURS, "{}"),
        good.replace(r#""Principal":{"Service":"sns.amazonaws.com"},"#, ""),
    ];
    for part in parts {
        assert_ne!(part, good);
        let (access, doubts) = judged(&policy(std::slice::from_ref(&part)));
        assert_eq!(access, Access::Unclear, "{part}");
        assert_eq!(doubts, ["statement 1 cannot be understood"], "{part}");
        let (access, doubts) = judged(&policy(&[good.clone(), part.clone()]));
        assert_eq!(access, Access::Allowed, "{part}");
        assert_eq!(doubts, ["statement 2 cannot be understood"], "{part}");
    }
    let not_principal = allow(SNS, "").replace("Principal", "NotPrincipal");
    let (access, doubts) = judged(&policy(&[not_principal]));
    assert_eq!(access, Access::Unclear);
    assert_eq!(
        doubts,
        ["statement 1 lets anybody in the world send messages"]
    );
}

#[test]
fn the_statement_to_add_lets_the_topic_in_and_nobody_else() {
    let statement = statement_for(QUEUE, TOPIC);
    assert!(!statement.contains('\n'), "{statement}");
    let single = format!(r#"{{"Statement":{statement}}}"#);
    assert_eq!(judged(&single), (Access::Allowed, Vec::new()), "{single}");
    let topics = [TOPIC, "arn:aws:sns:eu-central-1:123456789012:b"].map(str::to_owned);
    let both = judge(&single, QUEUE, &topics);
    assert_eq!(both.topics, [Access::Allowed, Access::Missing]);
    // Twice the same is told once.
    let open = allow(ANY, "").replace("{\"Effect", "{\"Sid\":\"a\",\"Effect");
    assert_eq!(judged(&policy(&[open.clone(), open])).1.len(), 1);
}
