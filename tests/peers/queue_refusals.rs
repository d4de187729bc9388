//! What SQS of the region refuses, in AWS's form.

use std::time::Duration;

use serde_json::{Value, json};

use super::caller::Reply;
use super::queues::Site;

/// Status, type without most of its namespace, and older code.
fn refused(reply: &Reply) -> (u16, String, String) {
    let body = reply.json();
    let kind = body["__type"].as_str().unwrap_or_default();
    let kind = kind
        .replace("com.amazonaws.sqs#", "sqs#")
        .replace("com.amazon.coral.service#", "coral#");
    (reply.status, kind, reply.older_code().to_owned())
}

/// What is refused with one status, type and older code: operations, members of their bodies,
/// and part of the texts.
type Refused = (
    u16,
    &'static str,
    &'static str,
    Vec<(&'static str, Value, &'static str)>,
);

fn wrong_receives() -> Vec<Refused> {
    let receive = |body: Value, text: &'static str| ("ReceiveMessage", body, text);
    vec![
        (
            400,
            "coral#InvalidParameterValueException",
            "InvalidParameterValue",
            vec![
                receive(
                    json!({"MaxNumberOfMessages": 0}),
                    "Value 0 for parameter Max",
                ),
                receive(json!({"MaxNumberOfMessages": 11}), "between 1 and 10"),
                receive(json!({"WaitTimeSeconds": 21}), "Must be >= 0 and <= 20"),
                receive(
                    json!({"VisibilityTimeout": 43_201}),
                    "Value 43201 for parameter",
                ),
                receive(json!({"VisibilityTimeout": -1}), "Value -1 for parameter"),
            ],
        ),
        (
            400,
            "coral#SerializationException",
            "MalformedInput",
            vec![
                receive(json!({"MaxNumberOfMessages": "10"}), "invalid type"),
                receive(
                    json!({"MessageSystemAttributeNames": "All"}),
                    "invalid type",
                ),
            ],
        ),
        (
            400,
            "sqs#InvalidAttributeName",
            "InvalidAttributeName",
            vec![receive(
                json!({"MessageSystemAttributeNames": ["Age"]}),
                "Unknown Attribute Age.",
            )],
        ),
        (
            404,
            "sqs#InvalidAddress",
            "InvalidAddress",
            vec![receive(
                json!({"QueueUrl": "edge"}),
                "The address edge is not",
            )],
        ),
        (
            400,
            "sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            vec![
                receive(
                    json!({"QueueUrl": "https://sqs/123456789012/gone"}),
                    "exist",
                ),
                receive(
                    json!({"QueueUrl": "https://sqs/210987654321/edge"}),
                    "exist",
                ),
                receive(json!({ "QueueUrl": null }), "exist"),
            ],
        ),
    ]
}

fn wrong_others() -> Vec<Refused> {
    let garbage = json!({"ReceiptHandle": "garbage"});
    let name = json!({"QueueName": "a queue"});
    vec![
        (
            400,
            "coral#MissingRequiredParameterException",
            "MissingParameter",
            vec![
                ("DeleteMessage", json!({}), "ReceiptHandle."),
                (
                    "ChangeMessageVisibility",
                    garbage.clone(),
                    "VisibilityTimeout.",
                ),
            ],
        ),
        (
            404,
            "sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            vec![("DeleteMessage", garbage, "\"garbage\" is not a valid")],
        ),
        (
            400,
            "coral#InvalidParameterValueException",
            "InvalidParameterValue",
            vec![("GetQueueUrl", name, "1 to 80 in length")],
        ),
        (
            400,
            "coral#UnknownOperationException",
            "InvalidAction",
            vec![("SendMessage", json!({}), "SendMessage")],
        ),
    ]
}

fn wrong_batches() -> Vec<Refused> {
    let entry = |id: &str| json!({"Id": id, "ReceiptHandle": "garbage", "VisibilityTimeout": 1});
    let eleven: Vec<Value> = (0..11).map(|n| entry(&n.to_string())).collect();
    let batch = |entries: Vec<Value>| json!({ "Entries": entries });
    let repeated = batch(vec![entry("a"), entry("b"), entry("a")]);
    let (hide, delete) = ("ChangeMessageVisibilityBatch", "DeleteMessageBatch");
    vec![
        (
            400,
            "sqs#EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest",
            vec![
                (
                    delete,
                    batch(Vec::new()),
                    "one DeleteMessageBatchRequestEntry",
                ),
                (
                    hide,
                    json!({}),
                    "one ChangeMessageVisibilityBatchRequestEntry",
                ),
            ],
        ),
        (
            400,
            "sqs#TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            vec![(hide, batch(eleven), "You have sent 11.")],
        ),
        (
            400,
            "sqs#BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            vec![(delete, repeated, "Id a repeated.")],
        ),
        (
            400,
            "sqs#InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            vec![(delete, batch(vec![entry("a b")]), "at most 80 letters")],
        ),
    ]
}

#[test]
fn a_wrong_request_is_refused_in_awss_form() {
    let site = Site::new("edge");
    site.send("still here");
    let all = [wrong_receives(), wrong_others(), wrong_batches()].concat();
    for (status, kind, older, calls) in all {
        for (operation, body, text) in calls {
            let reply = site.call(operation, &body);
            let wanted = (status, kind.to_owned(), older.to_owned());
            assert_eq!(refused(&reply), wanted, "{operation} {body}");
            let told = reply.json()["message"].take();
            assert!(told.as_str().unwrap().contains(text), "{reply:?}");
            assert_eq!(
                reply.header("x-amzn-query-error"),
                format!("{older};Sender")
            );
            assert_eq!(reply.header("content-type"), "application/x-amz-json-1.0");
        }
    }
    assert_eq!(
        site.held()[0].receives,
        0,
        "a refused receive took a message"
    );
    let nonsense = site.caller.try_sqs("ReceiveMessage", "[]").unwrap();
    assert_eq!(refused(&nonsense).1, "coral#SerializationException");
}

#[test]
fn batches_need_the_permission_of_the_single_operation() {
    let site = Site::new("edge");
    let entry = json!({"Id": "1", "ReceiptHandle": "garbage", "VisibilityTimeout": 1});
    let body = json!({"ReceiptHandle": "garbage", "Entries": [entry], "VisibilityTimeout": 1});
    let cases = [
        ("ReceiveMessage", "sqs:ReceiveMessage"),
        ("DeleteMessage", "sqs:DeleteMessage"),
        ("DeleteMessageBatch", "sqs:DeleteMessage"),
        ("ChangeMessageVisibility", "sqs:ChangeMessageVisibility"),
        (
            "ChangeMessageVisibilityBatch",
            "sqs:ChangeMessageVisibility",
        ),
        ("GetQueueAttributes", "sqs:GetQueueAttributes"),
        ("GetQueueUrl", "sqs:*"),
    ];
    for (operation, action) in cases {
        site.region.edit(|w| w.denied = vec![action.to_owned()]);
        let reply = site.call(operation, &body);
        let kind = "coral#AccessDeniedException".to_owned();
        let wanted = (403, kind, "AccessDenied".to_owned());
        assert_eq!(refused(&reply), wanted, "{operation}");
        let action = match operation {
            "GetQueueUrl" => String::from("sqs:getqueueurl"),
            _ => action.to_ascii_lowercase(),
        };
        let text = format!("{action} on resource: arn:aws:sqs:eu-central-1:123456789012:edge");
        assert!(reply.body.contains(&text), "{reply:?}");
        // What no policy can name.
        let batch = format!("sqs:{}Batch", operation.trim_end_matches("Batch"));
        site.region.edit(|w| w.denied = vec![batch]);
        assert_ne!(site.call(operation, &body).status, 403, "{operation}");
    }
}

#[test]
fn a_request_is_signed_for_sqs_and_the_region_has_to_have_it() {
    let site = Site::new("edge");
    let mut caller = site.caller.clone();
    let body = site.body(&json!({}));
    caller.service = Some("monitoring".into());
    let wanted = "InvalidSignatureException";
    assert_eq!(caller.sqs("ReceiveMessage", &body).code(), wanted);
    caller.service = None;
    caller.clock = Duration::from_secs(3600);
    let late = caller.sqs("ReceiveMessage", &body);
    assert_eq!(
        (late.status, late.older_code()),
        (403, "SignatureDoesNotMatch")
    );
    assert!(late.body.contains("Signature not yet current"), "{late:?}");
    site.region.edit(|w| w.absent.push("sqs".into()));
    let absent = site.call("ReceiveMessage", &json!({}));
    assert_eq!(absent.code(), "SubscriptionRequiredException");
}
