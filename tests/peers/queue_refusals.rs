//! What SQS of the region refuses, in AWS's form.

use std::time::Duration;

use serde_json::{Value, json};

use super::caller::Reply;
use super::queues::Site;

/// Status, type and older code.
fn refused(reply: &Reply) -> (u16, String, String) {
    let kind = reply.json()["__type"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (reply.status, kind, reply.older_code().to_owned())
}

/// An operation, members of its body, and status, type, older code and part of the text.
type Refused = (
    &'static str,
    Value,
    u16,
    &'static str,
    &'static str,
    &'static str,
);

const MODEL: &str = "com.amazonaws.sqs#";
const COMMON: &str = "com.amazon.coral.service#";
const BATCH: &str = "AWS.SimpleQueueService.";

fn wrong_receives() -> Vec<Refused> {
    let value = "InvalidParameterValueException";
    let old = "InvalidParameterValue";
    let malformed = ("SerializationException", "MalformedInput");
    let address = "InvalidAddress";
    let name = "InvalidAttributeName";
    [
        (
            json!({"MaxNumberOfMessages": 0}),
            value,
            old,
            "Value 0 for parameter MaxNumberOf",
        ),
        (
            json!({"MaxNumberOfMessages": 11}),
            value,
            old,
            "Must be between 1 and 10",
        ),
        (
            json!({"WaitTimeSeconds": 21}),
            value,
            old,
            "Must be >= 0 and <= 20",
        ),
        (
            json!({"VisibilityTimeout": 43_201}),
            value,
            old,
            "Value 43201 for parameter Vis",
        ),
        (
            json!({"VisibilityTimeout": -1}),
            value,
            old,
            "Value -1 for parameter Vis",
        ),
        (
            json!({"MaxNumberOfMessages": "10"}),
            malformed.0,
            malformed.1,
            "invalid type",
        ),
        (
            json!({"MessageSystemAttributeNames": "All"}),
            malformed.0,
            malformed.1,
            "invalid",
        ),
        (
            json!({"MessageSystemAttributeNames": ["Age"]}),
            name,
            name,
            "Unknown Attribute Age.",
        ),
        (
            json!({"QueueUrl": "edge"}),
            address,
            address,
            "The address edge is not valid",
        ),
        (
            json!({"QueueUrl": "https://sqs/123456789012/gone"}),
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        ),
        (
            json!({"QueueUrl": "https://sqs/210987654321/edge"}),
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        ),
    ]
    .map(|(body, kind, old, text)| {
        let status = if kind == address { 404 } else { 400 };
        ("ReceiveMessage", body, status, kind, old, text)
    })
    .into()
}

fn wrong_others() -> Vec<Refused> {
    let (missing, old) = ("MissingRequiredParameterException", "MissingParameter");
    let (handle, garbage) = (
        "ReceiptHandleIsInvalid",
        json!({"ReceiptHandle": "garbage"}),
    );
    let entry = |id: &str| json!({"Id": id, "ReceiptHandle": "garbage", "VisibilityTimeout": 1});
    let eleven: Vec<Value> = (0..11).map(|n| entry(&n.to_string())).collect();
    let batch = |entries: Vec<Value>| json!({ "Entries": entries });
    let name = json!({"QueueName": "a queue"});
    vec![
        (
            "DeleteMessage",
            json!({}),
            400,
            missing,
            old,
            "parameter ReceiptHandle.",
        ),
        (
            "DeleteMessage",
            garbage,
            404,
            handle,
            handle,
            "\"garbage\" is not a valid",
        ),
        (
            "ChangeMessageVisibility",
            json!({"ReceiptHandle": "garbage"}),
            400,
            missing,
            old,
            "parameter VisibilityTimeout.",
        ),
        (
            "DeleteMessageBatch",
            batch(Vec::new()),
            400,
            "EmptyBatchRequest",
            "EmptyBatchRequest",
            "at least one DeleteMessageBatchRequestEntry",
        ),
        (
            "ChangeMessageVisibilityBatch",
            batch(eleven),
            400,
            "TooManyEntriesInBatchRequest",
            "TooManyEntriesInBatchRequest",
            "You have sent 11.",
        ),
        (
            "DeleteMessageBatch",
            batch(vec![entry("a"), entry("b"), entry("a")]),
            400,
            "BatchEntryIdsNotDistinct",
            "BatchEntryIdsNotDistinct",
            "Id a repeated.",
        ),
        (
            "DeleteMessageBatch",
            batch(vec![entry("a b")]),
            400,
            "InvalidBatchEntryId",
            "InvalidBatchEntryId",
            "at most 80 letters long",
        ),
        (
            "GetQueueUrl",
            name,
            400,
            "InvalidParameterValueException",
            "InvalidParameterValue",
            "1 to 80 in length",
        ),
        (
            "SendMessage",
            json!({}),
            400,
            "UnknownOperationException",
            "InvalidAction",
            "Send",
        ),
    ]
}

#[test]
fn a_wrong_request_is_refused_in_awss_form() {
    let site = Site::new("edge");
    site.send("still here");
    for (operation, body, status, kind, old, text) in
        wrong_receives().into_iter().chain(wrong_others())
    {
        let reply = site.call(operation, &body);
        let of_batches = ["Batch", "Entries"].iter().any(|word| kind.contains(word));
        let of_the_model = of_batches
            || ["Queue", "Receipt", "Address", "Attribute"]
                .iter()
                .any(|w| kind.contains(w));
        let namespace = if of_the_model { MODEL } else { COMMON };
        let old = if of_batches {
            format!("{BATCH}{old}")
        } else {
            old.to_owned()
        };
        let wanted = (status, format!("{namespace}{kind}"), old.clone());
        assert_eq!(refused(&reply), wanted, "{operation} {body}");
        assert!(
            reply.json()["message"].as_str().unwrap().contains(text),
            "{reply:?}"
        );
        assert_eq!(reply.header("x-amzn-query-error"), format!("{old};Sender"));
        assert_eq!(reply.header("content-type"), "application/x-amz-json-1.0");
    }
    assert_eq!(
        site.held()[0].receives,
        0,
        "a refused receive took a message"
    );
    let nonsense = site.caller.try_sqs("ReceiveMessage", "[]").unwrap();
    assert_eq!(
        refused(&nonsense).1,
        format!("{COMMON}SerializationException")
    );
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
        let wanted = (
            403,
            format!("{COMMON}AccessDeniedException"),
            "AccessDenied".to_owned(),
        );
        assert_eq!(refused(&reply), wanted, "{operation}");
        let action = match operation {
            "GetQueueUrl" => String::from("sqs:getqueueurl"),
            _ => action.to_ascii_lowercase(),
        };
        let text = format!("{action} on resource: arn:aws:sqs:eu-central-1:123456789012:edge");
        assert!(reply.body.contains(&text), "{reply:?}");
        site.region
            .edit(|w| w.denied = vec![format!("sqs:{operation}Batch")]);
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
