//! A queue where all is well, and what each bad day changes of it. Nothing is taken out of it.

use std::time::Instant;

use crate::harness::LIMIT;
use crate::printed::{Line, check};
use crate::queue::{QUEUE, TOPIC, policy, region, right_policy, with_queue};
use crate::region::sns::State;
use crate::region::{Fault, Region, World};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::ports::free_port;
use crate::support::subscriber::retained;

/// What is different from a queue where all is well.
struct Case {
    name: &'static str,
    region: fn(&Region),
    config: fn(ConfigFile) -> ConfigFile,
    lines: &'static [Line],
    code: i32,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            name: "all is well",
            region: |_| {},
            config: |config| config,
            lines: ALL_WELL,
            code: 0,
        }
    }
}

const ALL_WELL: &[Line] = &[
    ("ok", "proxy", "SQS is reached directly"),
    (
        "ok",
        "queue",
        "arn:aws:sqs:eu-central-1:123456789012:edge can be reached",
    ),
    (
        "ok",
        "queue",
        "waiting messages: about 1, in flight: about 0, kept for 4 days",
    ),
    (
        "ok",
        "queue policy",
        "arn:aws:sns:eu-central-1:123456789012:mp may send",
    ),
    ("ok", "queue policy", "nobody else may"),
    (
        "note",
        "queue access",
        "ReceiveMessage is not tried while messages wait",
    ),
    ("ok", "queue access", "DeleteMessage is allowed"),
    ("ok", "queue access", "ChangeMessageVisibility is allowed"),
    (
        "ok",
        "subscription",
        "mp delivers to arn:aws:sqs:eu-central-1:123456789012:edge",
    ),
    ("ok", "queue", "no other instance that this broker shows"),
];

fn deny(region: &Region, action: &str) {
    region.edit(|w| w.denied.push(action.to_owned()));
}

/// Then it can be received from without any message coming nearer to the dead letters.
fn empty(region: &Region) {
    region.edit(|w| w.sqs.queue("edge").messages.clear());
}

fn of_permissions() -> Vec<Case> {
    vec![
        Case::default(),
        Case {
            name: "nothing waits",
            region: empty,
            lines: &[("ok", "queue access", "ReceiveMessage is allowed")],
            ..Case::default()
        },
        Case {
            name: "the attributes are denied",
            region: |region| deny(region, "sqs:GetQueueAttributes"),
            lines: &[
                (
                    "warn",
                    "queue",
                    "AccessDenied: SQS refused GetQueueAttributes",
                ),
                (
                    "warn",
                    "queue",
                    "its policy and who else receives are not known - allow sqs:Ge",
                ),
                ("note", "queue access", "ReceiveMessage is not tried"),
                ("ok", "subscription", "mp delivers to arn"),
            ],
            ..Case::default()
        },
        Case {
            name: "receiving is denied",
            region: |region| {
                empty(region);
                deny(region, "sqs:ReceiveMessage");
            },
            lines: &[
                (
                    "fail",
                    "queue access",
                    "- allow sqs:ReceiveMessage in the IAM policy",
                ),
                ("ok", "queue access", "DeleteMessage is allowed"),
            ],
            code: 1,
            ..Case::default()
        },
        Case {
            name: "deleting is denied",
            region: |region| deny(region, "sqs:DeleteMessage"),
            lines: &[(
                "fail",
                "queue access",
                "- allow sqs:DeleteMessage in the IAM policy",
            )],
            code: 1,
            ..Case::default()
        },
        Case {
            name: "hiding is denied",
            region: |region| deny(region, "sqs:ChangeMessageVisibility"),
            lines: &[(
                "warn",
                "queue access",
                "- allow sqs:ChangeMessageVisibility in the IAM",
            )],
            ..Case::default()
        },
        Case {
            name: "SNS is denied",
            region: |region| deny(region, "sns:ListSubscriptionsByTopic"),
            lines: &[
                (
                    "note",
                    "subscription",
                    "mp delivers to the queue is not known: ",
                ),
                (
                    "note",
                    "subscription",
                    "- allow sns:ListSubscriptionsByTopic in the IAM policy, ",
                ),
                ("note", "subscription", "for check alone"),
            ],
            ..Case::default()
        },
        Case {
            name: "the key is denied",
            region: |region| {
                empty(region);
                region.edit(|w| w.sqs.queue("edge").kms_key = Some("alias/edge".into()));
                let fault = Fault::Error {
                    status: 400,
                    code: "KmsAccessDenied",
                    message: "no",
                };
                region.edit(|w| w.faults.add("ReceiveMessage", 9, fault));
            },
            lines: &[
                (
                    "note",
                    "queue",
                    "encrypted with the key alias/edge: the agent needs kms:Decr",
                ),
                ("fail", "queue access", "- allow kms:Decrypt on the key"),
            ],
            code: 1,
            ..Case::default()
        },
        Case {
            name: "SQS is away",
            config: |config| {
                let nowhere = format!("http://127.0.0.1:{}", free_port());
                config.text("sqs.url", &nowhere)
            },
            lines: &[
                ("fail", "queue", "Connection refused"),
                ("ok", "DescribeAlarms", "are kept"),
                ("ok", "round trip", "given back"),
            ],
            code: 1,
            ..Case::default()
        },
        Case {
            name: "nothing is proven",
            region: |region| {
                region.edit(|w| w.faults.add("DeleteMessageBatch", 9, Fault::html(502)))
            },
            lines: &[(
                "note",
                "queue access",
                "whether DeleteMessage is allowed is not known: SQS",
            )],
            ..Case::default()
        },
        Case {
            name: "a wrong secret",
            config: |config| config.text("credentials.secret_access_key", "wrong"),
            lines: &[(
                "note",
                "queue",
                "not asked, since the credentials do not work",
            )],
            code: 1,
            ..Case::default()
        },
    ]
}

fn of_the_queue() -> Vec<Case> {
    vec![
        Case {
            name: "no such queue",
            config: |config| {
                let url = "http://127.0.0.1:1/123456789012/none";
                config.text("sqs.queue_url", url)
            },
            lines: &[
                (
                    "fail",
                    "queue",
                    "AWS.SimpleQueueService.NonExistentQueue: SQS refused",
                ),
                ("fail", "queue", "- check [sqs] queue_url and the region"),
            ],
            code: 1,
            ..Case::default()
        },
        Case {
            name: "little time",
            region: |region| {
                region.edit(|w| w.sqs.queue("edge").retention_seconds = 3_600);
                region.edit(|w| w.sqs.queue("edge").redrive = None);
            },
            lines: &[
                (
                    "warn",
                    "queue",
                    "kept for 3600 s only - lengthen MessageRetentionPeriod",
                ),
                ("note", "queue", "there is no dead-letter queue"),
                (
                    "ok",
                    "queue access",
                    "ReceiveMessage is allowed; a message that waits, sent at 2",
                ),
            ],
            ..Case::default()
        },
        Case {
            name: "a message may be received once",
            region: |region| drop(region.sqs().dead_letters("edge", 1)),
            lines: &[
                ("warn", "queue", "maxReceiveCount is 1"),
                ("note", "queue access", "ReceiveMessage is not tried"),
                ("ok", "queue access", "DeleteMessage is allowed"),
            ],
            ..Case::default()
        },
        Case {
            name: "somebody else receives",
            region: |region| {
                let id = region.sqs().send("edge", "another");
                region.edit(|w| {
                    let (now, now_ms) = (Instant::now(), w.now_ms());
                    w.sqs.queue("edge").receive(&id, LIMIT, now, now_ms);
                });
            },
            lines: &[
                (
                    "warn",
                    "queue",
                    "messages are in flight (about 1), though no agent of this config",
                ),
                ("warn", "queue", "- give each instance a queue of its own"),
            ],
            ..Case::default()
        },
        Case {
            name: "no policy",
            region: |region| region.edit(|w| w.sqs.queue("edge").policy = None),
            lines: &[(
                "warn",
                "queue policy",
                "no policy, so that SNS cannot send to it - mediapac",
            )],
            ..Case::default()
        },
        Case {
            name: "an open policy",
            region: |region| region.sqs().set_policy("edge", &policy(r#""*""#, "{}")),
            lines: &[
                ("ok", "queue policy", "mp may send"),
                (
                    "warn",
                    "queue policy",
                    "statement \"one\" lets anybody in the world send messages",
                ),
                (
                    "warn",
                    "queue policy",
                    "mediapackage2mqtt aws-setup prints the right policy",
                ),
            ],
            ..Case::default()
        },
        Case {
            name: "a policy for another topic",
            region: |region| {
                let policy = right_policy().replace(":mp\"", ":other\"");
                region.sqs().set_policy("edge", &policy);
            },
            lines: &[
                (
                    "warn",
                    "queue policy",
                    "no statement lets arn:aws:sns:eu-central-1:123456789012:mp",
                ),
                (
                    "warn",
                    "queue policy",
                    "- add {\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"sns.",
                ),
                (
                    "warn",
                    "queue policy",
                    "lets arn:aws:sns:eu-central-1:123456789012:other send",
                ),
            ],
            ..Case::default()
        },
    ]
}

fn change_subscriptions(region: &Region, change: fn(&mut World)) {
    region.edit(change);
}

fn of_subscriptions() -> Vec<Case> {
    vec![
        Case {
            name: "not subscribed",
            region: |region| change_subscriptions(region, |w| w.sns.subscriptions.clear()),
            lines: &[
                (
                    "warn",
                    "subscription",
                    "edge is not subscribed to arn:aws:sns:eu-central-1:12345678",
                ),
                (
                    "warn",
                    "subscription",
                    "- aws sns subscribe --region eu-central-1 --topic-arn arn",
                ),
                (
                    "warn",
                    "subscription",
                    "--protocol sqs --notification-endpoint arn:aws:sqs:eu-",
                ),
            ],
            ..Case::default()
        },
        Case {
            name: "not confirmed",
            region: |region| {
                change_subscriptions(region, |w| {
                    let all = w.sns.subscriptions.iter_mut();
                    all.for_each(|one| one.state = State::Pending);
                });
            },
            lines: &[(
                "warn",
                "subscription",
                "mp is not confirmed - subscribe as the queue's own",
            )],
            ..Case::default()
        },
        Case {
            name: "raw",
            region: |region| {
                change_subscriptions(region, |w| {
                    w.sns
                        .subscriptions
                        .iter_mut()
                        .for_each(|one| one.raw = true);
                });
            },
            lines: &[
                ("ok", "subscription", "mp delivers to"),
                (
                    "note",
                    "subscription",
                    "mp delivers raw: such a message has no id of SNS",
                ),
            ],
            ..Case::default()
        },
        Case {
            name: "on a later page",
            region: |region| {
                change_subscriptions(region, |w| {
                    w.sns.subscriptions.clear();
                    w.sns.page = 2;
                });
                for n in 0..5 {
                    region
                        .sns()
                        .subscribed(TOPIC, &format!("https://{n}.example.net"));
                }
                region.sns().subscribe_queue(TOPIC, QUEUE, false);
            },
            ..Case::default()
        },
        Case {
            name: "no such topic",
            region: |region| change_subscriptions(region, |w| w.sns.topics.clear()),
            lines: &[(
                "warn",
                "subscription",
                "there is no topic arn:aws:sns:eu-central-1:1234",
            )],
            ..Case::default()
        },
        Case {
            name: "SNS where [sns] says",
            region: |region| {
                region.edit(|w| {
                    w.faults
                        .add("ListSubscriptionsByTopic", 9, Fault::html(502))
                })
            },
            config: |config| {
                config
                    .text("sns.listen", "127.0.0.1:0")
                    .set("sns.topic_arns", &format!("[\"{TOPIC}\"]"))
                    .text("sns.url", &format!("http://127.0.0.1:{}", free_port()))
                    .text("sns.proxy", "none")
            },
            lines: &[(
                "note",
                "subscription",
                "to the queue is not known: SNS ListSubscriptionsByTopic: ",
            )],
            ..Case::default()
        },
    ]
}

fn hold(cases: Vec<Case>) {
    let broker = Mosquitto::start(&Setup::default());
    for case in cases {
        let region = region();
        let id = region.sqs().send("edge", r#"{"a":"planted-body"}"#);
        (case.region)(&region);
        let before = region.sqs().messages("edge");
        let printed = check(&(case.config)(with_queue(&region, broker.port())));
        printed.holds(case.name, case.lines);
        printed.ends(case.name, case.code);
        assert!(!printed.text.contains("planted-body"), "{}", printed.text);
        let after = region.sqs().messages("edge");
        assert_eq!(after.len(), before.len(), "{}", case.name);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before.visible, after.visible, "{}: {after:?}", case.name);
            let more = after.receives - before.receives;
            assert!(
                more <= u32::from(before.id == id),
                "{}: {after:?}",
                case.name
            );
        }
        assert!(retained(broker.port(), "#").is_empty(), "{}", case.name);
    }
}

#[test]
fn each_call_that_is_denied_is_told_and_nothing_is_taken() {
    hold(of_permissions());
}

#[test]
fn what_is_wrong_with_the_queue_is_told_with_its_remedy() {
    hold(of_the_queue());
}

#[test]
fn whether_the_topic_delivers_to_the_queue_is_told() {
    hold(of_subscriptions());
}
