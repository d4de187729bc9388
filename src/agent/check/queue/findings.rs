//! What a queue's attributes and its policy mean. No input or output.
//!
//! Sources: SQS developer guide, "Using dead-letter queues" and "Encryption at rest"; SNS
//! developer guide, "Subscribing an encrypted Amazon SQS queue to an Amazon SNS topic".

use std::time::Duration;

use super::super::report::Grade;
use crate::aws::sqs::attributes::Attributes;
use crate::aws::sqs::policy::{self, Access};
use crate::engine::queueing::HIDDEN;
use crate::state::model::account_of;

/// With fewer receives a restart or two is enough to lose a message.
const RECEIVES_MIN: u64 = 3;
/// A box that is off for a night shall find everything when it is back.
const RETENTION_MIN: Duration = Duration::from_secs(24 * 3600);
/// Nobody but AWS can let SNS use this key.
const KEY_OF_AWS: &str = "alias/aws/sqs";
/// Doubts of one policy that are told.
const DOUBTS_MAX: usize = 10;
const RIGHT_POLICY: &str = "mediapackage2mqtt aws-setup prints the right policy";

/// One line of `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub grade: Grade,
    pub found: String,
    pub remedy: String,
}

fn finding(grade: Grade, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding {
        grade,
        found: found.into(),
        remedy: remedy.into(),
    }
}

/// What else is known.
pub(super) struct Around<'a> {
    pub region: &'a str,
    /// Whose pictures are published.
    pub account: Option<&'a str>,
    pub topic_arns: &'a [String],
    /// Whether it is certain that no agent of this config runs.
    pub nobody_runs: bool,
}

/// What the attributes say.
pub(super) fn of_queue(queue: &Attributes, around: &Around) -> Vec<Finding> {
    let mut found = vec![finding(Grade::Ok, summary(queue), "")];
    found.extend(of_place(queue, around));
    found.extend(of_keeping(queue));
    match queue.in_flight {
        Some(in_flight) if in_flight > 0 && around.nobody_runs => found.push(finding(
            Grade::Warn,
            format!(
                "messages are in flight (about {in_flight}), though no agent of this config runs: \
                 somebody else receives from this queue, or the agent stopped within {} s",
                HIDDEN.as_secs()
            ),
            "give each instance a queue of its own; two that read one take each other's messages",
        )),
        _ => {}
    }
    found
}

fn summary(queue: &Attributes) -> String {
    let count = |number: Option<u64>| match number {
        Some(number) => format!("about {number}"),
        None => String::from("unknown"),
    };
    let name = queue.arn.as_deref().unwrap_or("it");
    let kept = queue
        .retention
        .map(|time| format!(", kept for {}", span(time)));
    format!(
        "{name} can be reached; waiting messages: {}, in flight: {}{}",
        count(queue.waiting),
        count(queue.in_flight),
        kept.unwrap_or_default()
    )
}

/// Which queue it is, and of which kind.
fn of_place(queue: &Attributes, around: &Around) -> Vec<Finding> {
    let mut found = Vec::new();
    let arn = queue.arn.as_deref().unwrap_or_default();
    let region = arn.split(':').nth(3).filter(|region| !region.is_empty());
    if let Some(region) = region.filter(|region| *region != around.region) {
        found.push(finding(
            Grade::Warn,
            format!("the queue is in {region}, region is {}", around.region),
            "take a queue of the same region",
        ));
    }
    let accounts = (account_of(arn), around.account);
    if let (Some(theirs), Some(ours)) = accounts
        && theirs != ours
    {
        let text = format!("the queue is of account {theirs}, the credentials are of {ours}");
        found.push(finding(Grade::Note, text, ""));
    }
    if arn.ends_with(".fifo") {
        let is_standard = |topic: &&String| !topic.ends_with(".fifo");
        match around.topic_arns.iter().find(is_standard) {
            Some(topic) => found.push(finding(
                Grade::Warn,
                format!("a FIFO queue, to which SNS does not deliver from {topic}"),
                "take a standard queue",
            )),
            None => found.push(finding(
                Grade::Note,
                "a FIFO queue: EventBridge delivers to it only with a message group id",
                "",
            )),
        }
    }
    match queue.kms_key.as_deref() {
        Some(KEY_OF_AWS) => found.push(finding(
            Grade::Warn,
            format!("encrypted with {KEY_OF_AWS}, which SNS and EventBridge cannot use"),
            "encrypt it with SQS's own key (SSE-SQS), or a key of yours that lets them",
        )),
        Some(key) => found.push(finding(
            Grade::Note,
            format!(
                "encrypted with the key {key}: the agent needs kms:Decrypt on it, SNS and \
                 EventBridge kms:Decrypt and kms:GenerateDataKey"
            ),
            "",
        )),
        None => {}
    }
    found
}

/// How long a message lasts.
fn of_keeping(queue: &Attributes) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(retention) = queue.retention.filter(|time| *time < RETENTION_MIN) {
        found.push(finding(
            Grade::Warn,
            format!("messages are kept for {} only", span(retention)),
            "lengthen MessageRetentionPeriod, to 4 days or more: what comes while this machine is \
             off waits there",
        ));
    }
    match queue.receives_max {
        _ if !queue.has_dead_letters => found.push(finding(
            Grade::Note,
            "there is no dead-letter queue: a message comes again until its time is over",
            "",
        )),
        Some(receives_max) if receives_max < RECEIVES_MIN => found.push(finding(
            Grade::Warn,
            format!(
                "maxReceiveCount is {receives_max}: a restart or two of the agent, and a message \
                 is in the dead-letter queue"
            ),
            "set it to 10 in the redrive policy",
        )),
        _ => {}
    }
    found
}

/// In words, as far as it matters.
fn span(time: Duration) -> String {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    match time.as_secs() {
        seconds if seconds >= 2 * DAY => format!("{} days", seconds / DAY),
        seconds if seconds >= 2 * HOUR => format!("{} h", seconds / HOUR),
        seconds => format!("{seconds} s"),
    }
}

/// Whom the policy lets in.
pub(super) fn of_policy(
    policy: Option<&str>,
    queue_arn: &str,
    topic_arns: &[String],
) -> Vec<Finding> {
    let Some(text) = policy else {
        let found = "the queue has no policy, so that SNS cannot send to it";
        return vec![finding(Grade::Warn, found, RIGHT_POLICY)];
    };
    let opinion = policy::judge(text, queue_arn, topic_arns);
    let pairs = topic_arns.iter().zip(&opinion.topics);
    let mut found: Vec<Finding> = pairs
        .map(|(topic, access)| match access {
            Access::Allowed => finding(Grade::Ok, format!("{topic} may send"), ""),
            Access::Missing => {
                let statement = policy::statement_for(queue_arn, topic);
                let text = format!("no statement lets {topic} send");
                finding(Grade::Warn, text, format!("add {statement}"))
            }
            Access::Denied(name) => {
                let text = format!("statement {name} (Deny) keeps {topic} out");
                finding(Grade::Warn, text, RIGHT_POLICY)
            }
            Access::Unclear => {
                let text = format!("whether {topic} may send cannot be told");
                finding(Grade::Warn, text, RIGHT_POLICY)
            }
        })
        .collect();
    let (told, more) = opinion
        .doubts
        .split_at(opinion.doubts.len().min(DOUBTS_MAX));
    if told.is_empty() {
        let text = "nobody else may, but rules of EventBridge and users of the queue's own account";
        found.push(finding(Grade::Ok, text, ""));
    }
    let remedy = format!("let in nobody but topic_arns and rules of yours; {RIGHT_POLICY}");
    found.extend(
        told.iter()
            .map(|doubt| finding(Grade::Warn, doubt, &remedy)),
    );
    if !more.is_empty() {
        let text = format!("{} more doubts of that kind", more.len());
        found.push(finding(Grade::Warn, text, remedy));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:eu-central-1:123456789012:edge";
    /// Grade of each, and what it says.
    type Lines = &'static [(Grade, &'static str)];

    const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";

    fn good() -> Attributes {
        Attributes {
            arn: Some(ARN.into()),
            waiting: Some(3),
            in_flight: Some(0),
            retention: Some(Duration::from_secs(345_600)),
            has_dead_letters: true,
            receives_max: Some(10),
            ..Attributes::default()
        }
    }

    fn told(queue: &Attributes, topic: &str, nobody_runs: bool) -> Vec<Finding> {
        let topic_arns = [topic.to_owned()];
        of_queue(
            queue,
            &Around {
                region: "eu-central-1",
                account: Some("123456789012"),
                topic_arns: &topic_arns,
                nobody_runs,
            },
        )
    }

    #[test]
    fn a_good_queue_is_one_line() {
        let found = told(&good(), TOPIC, true);
        let wanted = format!(
            "{ARN} can be reached; waiting messages: about 3, in flight: about 0, kept for 4 days"
        );
        assert_eq!(found, [finding(Grade::Ok, wanted, "")]);
    }

    #[test]
    fn what_is_doubtful_about_a_queue_is_a_line_of_its_own() {
        use Grade::{Note, Warn};
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        let set = |change: fn(&mut Attributes)| {
            let mut queue = good();
            change(&mut queue);
            queue
        };
        let cases: Vec<(Attributes, Option<(Grade, &str)>)> = vec![
            (
                Attributes {
                    retention: hours(24),
                    ..good()
                },
                None,
            ),
            (
                Attributes {
                    retention: hours(23),
                    ..good()
                },
                Some((Warn, "kept for 23 h only")),
            ),
            (
                Attributes {
                    retention: hours(1),
                    ..good()
                },
                Some((Warn, "kept for 3600 s only")),
            ),
            (set(|q| q.receives_max = Some(3)), None),
            (
                set(|q| q.receives_max = Some(2)),
                Some((Warn, "maxReceiveCount is 2")),
            ),
            (set(|q| q.receives_max = None), None),
            (
                set(|q| q.has_dead_letters = false),
                Some((Note, "no dead-letter queue")),
            ),
            (
                set(|q| q.kms_key = Some("k".into())),
                Some((Note, "needs kms:Decrypt")),
            ),
            (
                set(|q| q.kms_key = Some("alias/aws/sqs".into())),
                Some((Warn, "which SNS and EventBridge cannot use")),
            ),
            (
                set(|q| q.arn = Some("arn:aws:sqs:eu-central-1:123456789012:a.fifo".into())),
                Some((Warn, "a FIFO queue, to which SNS does not deliver from arn")),
            ),
            (
                set(|q| q.arn = Some("arn:aws:sqs:eu-central-1:999999999999:edge".into())),
                Some((
                    Note,
                    "of account 999999999999, the credentials are of 123456789012",
                )),
            ),
            (
                set(|q| q.arn = Some("arn:aws:sqs:eu-west-1:123456789012:edge".into())),
                Some((Warn, "in eu-west-1, region is eu-central-1")),
            ),
            (set(|q| q.arn = None), None),
            (set(|q| q.in_flight = None), None),
        ];
        for (queue, wanted) in cases {
            let found = told(&queue, TOPIC, true);
            assert_eq!(
                found.len(),
                1 + usize::from(wanted.is_some()),
                "{queue:?} {found:?}"
            );
            for (said, (grade, text)) in found.iter().skip(1).zip(wanted) {
                assert_eq!(said.grade, grade, "{said:?}");
                assert!(said.found.contains(text), "{said:?}");
                assert_eq!(said.remedy.is_empty(), grade == Note, "{said:?}");
            }
        }
        let fifo = set(|q| q.arn = Some("arn:aws:sqs:eu-central-1:123456789012:a.fifo".into()));
        let found = told(&fifo, &format!("{TOPIC}.fifo"), true);
        assert_eq!((found.len(), found[1].grade), (2, Note), "{found:?}");
    }

    #[test]
    fn messages_in_flight_while_nobody_runs_are_somebody_elses() {
        let queue = |in_flight| Attributes {
            in_flight,
            ..good()
        };
        for (in_flight, nobody_runs, wanted) in [
            (Some(0), true, false),
            (Some(2), true, true),
            (Some(2), false, false),
            (None, true, false),
        ] {
            let found = told(&queue(in_flight), TOPIC, nobody_runs);
            let told = found
                .iter()
                .any(|f| f.found.contains("somebody else receives"));
            assert_eq!(told, wanted, "{in_flight:?} {nobody_runs}");
        }
    }

    #[test]
    fn a_policy_is_told_topic_by_topic_and_then_who_else_is_let_in() {
        use Grade::{Ok, Warn};
        let topics = [TOPIC.to_owned(), format!("{TOPIC}2")];
        let one = policy::statement_for(ARN, TOPIC);
        let two = policy::statement_for(ARN, &topics[1]);
        let open = r#"{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}"#;
        let deny = open.replace("Allow", "Deny");
        let whole = |all: &[&str]| format!(r#"{{"Statement":[{}]}}"#, all.join(","));
        let cases: [(Option<String>, Lines); 6] = [
            (None, &[(Warn, "has no policy")]),
            (
                Some(whole(&[&one, &two])),
                &[
                    (Ok, "mp may send"),
                    (Ok, "mp2 may send"),
                    (Ok, "nobody else may"),
                ],
            ),
            (
                Some(whole(&[&one])),
                &[
                    (Ok, "mp may send"),
                    (Warn, "no statement lets"),
                    (Ok, "nobody else"),
                ],
            ),
            (
                Some(whole(&[open])),
                &[
                    (Ok, "mp may"),
                    (Ok, "mp2 may"),
                    (Warn, "anybody in the world send and take"),
                ],
            ),
            (
                Some(whole(&[&one, &two, &deny])),
                &[
                    (Warn, "statement 3 (Deny)"),
                    (Warn, "keeps"),
                    (Ok, "nobody else"),
                ],
            ),
            (
                Some("{".into()),
                &[
                    (Warn, "cannot be told"),
                    (Warn, "cannot be told"),
                    (Warn, "not be understood"),
                ],
            ),
        ];
        for (policy, wanted) in cases {
            let found = of_policy(policy.as_deref(), ARN, &topics);
            assert_eq!(found.len(), wanted.len(), "{policy:?} {found:?}");
            for (said, (grade, text)) in found.iter().zip(wanted) {
                assert_eq!(said.grade, *grade, "{said:?}");
                assert!(said.found.contains(text), "{said:?}");
                assert_eq!(said.remedy.is_empty(), *grade == Ok, "{said:?}");
            }
        }
        let many: Vec<String> = (0..14)
            .map(|n| open.replacen('{', &format!(r#"{{"Sid":"{n}","#), 1))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let found = of_policy(Some(&whole(&many)), ARN, &topics);
        assert_eq!(found.len(), 2 + DOUBTS_MAX + 1);
        assert!(found[2 + DOUBTS_MAX].found.contains("4 more"), "{found:?}");
    }
}
