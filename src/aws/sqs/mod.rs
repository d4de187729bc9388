//! SQS over the AWS JSON 1.0 protocol: takes messages from a queue, deletes them, and keeps them
//! out of sight for longer. Pure but for the [`Service`] that carries the requests.
//!
//! Source: SQS API reference; botocore sqs/2012-11-05.

pub mod attributes;
pub mod policy;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::parse_json;
use super::call::{Call, CallLimit};
use super::client::Service;
use crate::engine::queueing::BATCH_MAX;
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::Receipt;
use crate::state::time::UnixMs;

/// A message is 1 MiB at most; in JSON, with every character escaped, three times that.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Beyond the wait that was asked for: connecting, sending, and the way of the answer, as far as
/// the limit of all requests allows.
const RECEIVE_EXTRA: Duration = Duration::from_secs(25);
/// What is answered at once.
const SHORT: CallLimit = CallLimit {
    body_bytes_max: 64 << 10,
    request: Duration::from_secs(10),
    attempts_max: 3,
};
/// What is sent while the agent stops has less time than that.
const LAST: CallLimit = CallLimit {
    request: Duration::from_secs(2),
    attempts_max: 1,
    ..SHORT
};

/// A message as the queue holds it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The queue's own id: the same however often it is received.
    pub message_id: String,
    /// For this receive.
    pub receipt: Receipt,
    /// When it was put into the queue.
    pub sent_at: Option<UnixMs>,
    /// The message itself.
    pub body: String,
}

/// What became of one entry of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchEnd {
    /// It is done.
    Done,
    /// It never will be: the receipt is no longer good, or the message is gone. AWS's code.
    Refused(Option<String>),
    /// It may be done at another try. AWS's code.
    Failed(Option<String>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveRequest<'a> {
    queue_url: &'a str,
    max_number_of_messages: usize,
    wait_time_seconds: u64,
    visibility_timeout: u64,
    message_system_attribute_names: [&'static str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveAnswer {
    messages: Option<Vec<RawMessage>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMessage {
    message_id: Option<String>,
    receipt_handle: String,
    body: Option<String>,
    attributes: Option<RawAttributes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAttributes {
    sent_timestamp: Option<String>,
}

/// Takes up to `count` messages, and waits for the first of them for up to `wait` (20 s at
/// most). Nobody else gets them for as long as `hidden` says.
///
/// # Errors
///
/// Those of [`Service::send`]; [`FaultKind::TooLarge`] for messages that together are more than
/// may be read at once: they come again, and fewer may be asked for then.
pub fn receive(
    service: &Service,
    queue_url: &str,
    count: usize,
    wait: Duration,
    hidden: Duration,
) -> Result<Vec<Received>, Fault> {
    const OPERATION: &str = "ReceiveMessage";
    let request = ReceiveRequest {
        queue_url,
        max_number_of_messages: count.clamp(1, BATCH_MAX),
        wait_time_seconds: wait.as_secs(),
        visibility_timeout: hidden.as_secs(),
        message_system_attribute_names: ["SentTimestamp"],
    };
    let body = to_json(OPERATION, &request)?;
    let limit = CallLimit {
        body_bytes_max: ANSWER_BYTES_MAX,
        request: wait + RECEIVE_EXTRA,
        // Another attempt would find nothing and look good: what was on its way is hidden.
        attempts_max: 1,
    };
    let call = Call::json(OPERATION, "AmazonSQS.ReceiveMessage", body);
    let answer = service.send(&call.within(limit).long_poll());
    read_received(OPERATION, &answer.map_err(explain)?)
}

fn read_received(operation: &str, body: &[u8]) -> Result<Vec<Received>, Fault> {
    let answer: ReceiveAnswer = parse_json(operation, body)?;
    let read = |raw: RawMessage| Received {
        message_id: raw.message_id.unwrap_or_default(),
        receipt: Receipt(raw.receipt_handle),
        sent_at: raw
            .attributes
            .and_then(|all| all.sent_timestamp?.parse().ok())
            .map(UnixMs),
        body: raw.body.unwrap_or_default(),
    };
    let messages = answer.messages.unwrap_or_default();
    Ok(messages.into_iter().map(read).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchRequest<'a> {
    queue_url: &'a str,
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    id: String,
    receipt_handle: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility_timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchAnswer {
    successful: Option<Vec<BatchId>>,
    failed: Option<Vec<BatchFailure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchId {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchFailure {
    id: String,
    sender_fault: Option<bool>,
    code: Option<String>,
}

/// Deletes messages, [`BATCH_MAX`] at most, also while the agent is stopping; what became of
/// each, in their order.
///
/// # Errors
///
/// Those of [`Service::send`]: then nothing is known to be deleted.
pub fn delete(
    service: &Service,
    queue_url: &str,
    receipts: &[Receipt],
) -> Result<Vec<BatchEnd>, Fault> {
    const OPERATION: &str = "DeleteMessageBatch";
    let body = to_json(OPERATION, &batch(queue_url, receipts, None))?;
    let call = Call::json(OPERATION, "AmazonSQS.DeleteMessageBatch", body);
    let limit = if service.is_stopping() { LAST } else { SHORT };
    let call = call.allowed_by("DeleteMessage").within(limit).last();
    let answer = service.send(&call).map_err(explain)?;
    read_batch(OPERATION, &answer, receipts.len())
}

/// Hides messages, [`BATCH_MAX`] at most, for as long again from now on; what became of each, in
/// their order. A message can be hidden for 12 hours in all.
///
/// # Errors
///
/// Those of [`Service::send`].
pub fn hide(
    service: &Service,
    queue_url: &str,
    receipts: &[Receipt],
    hidden: Duration,
) -> Result<Vec<BatchEnd>, Fault> {
    const OPERATION: &str = "ChangeMessageVisibilityBatch";
    let request = batch(queue_url, receipts, Some(hidden.as_secs()));
    let body = to_json(OPERATION, &request)?;
    let call = Call::json(OPERATION, "AmazonSQS.ChangeMessageVisibilityBatch", body);
    let call = call.allowed_by("ChangeMessageVisibility").within(SHORT);
    let answer = service.send(&call).map_err(explain)?;
    read_batch(OPERATION, &answer, receipts.len())
}

fn batch<'a>(
    queue_url: &'a str,
    receipts: &'a [Receipt],
    visibility_timeout: Option<u64>,
) -> BatchRequest<'a> {
    let entry = |(n, receipt): (usize, &'a Receipt)| Entry {
        id: n.to_string(),
        receipt_handle: &receipt.0,
        visibility_timeout,
    };
    BatchRequest {
        queue_url,
        entries: receipts.iter().enumerate().map(entry).collect(),
    }
}

/// What an answer does not mention has not been done.
fn read_batch(operation: &str, body: &[u8], count: usize) -> Result<Vec<BatchEnd>, Fault> {
    let answer: BatchAnswer = parse_json(operation, body)?;
    let mut ends = vec![BatchEnd::Failed(None); count];
    let mut note = |id: &str, end: BatchEnd| {
        let known = id.parse().ok().and_then(|n: usize| ends.get_mut(n));
        if let Some(place) = known {
            *place = end;
        }
    };
    for BatchId { id } in answer.successful.unwrap_or_default() {
        note(&id, BatchEnd::Done);
    }
    for failure in answer.failed.unwrap_or_default() {
        let end = match failure.sender_fault {
            Some(true) => BatchEnd::Refused(failure.code),
            _ => BatchEnd::Failed(failure.code),
        };
        note(&failure.id, end);
    }
    Ok(ends)
}

fn to_json<T: Serialize>(operation: &str, value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|_| {
        let what = format!("the request for {operation} cannot be written");
        Fault::new(FaultKind::Refused, what, "")
    })
}

/// Remedies that only a queue has.
fn explain(fault: Fault) -> Fault {
    let remedy = match fault.code.as_deref() {
        Some("AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist") => {
            "check [sqs] queue_url and the region; a queue of that name is found by itself"
        }
        Some("InvalidAddress") => "check [sqs] queue_url and url",
        Some(code) if code.starts_with("Kms") || code.starts_with("KMS") => {
            "allow kms:Decrypt on the key that the queue is encrypted with"
        }
        Some("OverLimit") => "another consumer holds too many messages of this queue",
        _ if fault.kind == FaultKind::Throttled => "",
        _ => return fault,
    };
    Fault {
        remedy: remedy.to_owned(),
        ..fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_with_what_is_known_of_them() {
        let body = r#"{"Messages":[
            {"MessageId":"m1","ReceiptHandle":"r1","MD5OfBody":"x","Body":"é \"q\"",
             "Attributes":{"SentTimestamp":"1795341600123","SenderId":"AIDA"}},
            {"ReceiptHandle":"r2","Body":null,"Attributes":{"SentTimestamp":"soon"}},
            {"MessageId":"m3","ReceiptHandle":"r3"}]}"#;
        let read = read_received("ReceiveMessage", body.as_bytes()).unwrap();
        let told: Vec<_> = read
            .iter()
            .map(|m| {
                let receipt = m.receipt.0.as_str();
                (m.message_id.as_str(), receipt, m.sent_at, m.body.as_str())
            })
            .collect();
        let wanted = [
            ("m1", "r1", Some(UnixMs(1_795_341_600_123)), "é \"q\""),
            ("", "r2", None, ""),
            ("m3", "r3", None, ""),
        ];
        assert_eq!(told, wanted);
        for none in ["{}", r#"{"Messages":null}"#, r#"{"Messages":[]}"#] {
            let read = read_received("ReceiveMessage", none.as_bytes()).unwrap();
            assert!(read.is_empty(), "{none}");
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_a_fault() {
        for body in ["", "[]", r#"{"Messages":[{"Body":"no receipt"}]}"#] {
            let fault = read_received("ReceiveMessage", body.as_bytes()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Answer, "{body}");
        }
    }

    #[test]
    fn each_entry_of_a_batch_has_an_end_of_its_own() {
        use BatchEnd::Done;
        let failed = BatchEnd::Failed(None);
        let all_failed = vec![failed.clone(); 3];
        let invalid = || Some("ReceiptHandleIsInvalid".to_owned());
        let cases: [(&str, Vec<BatchEnd>); 5] = [
            ("{}", all_failed.clone()),
            (
                r#"{"Successful":[{"Id":"2"},{"Id":"0"}],
                    "Failed":[{"Id":"1","SenderFault":true,"Code":"ReceiptHandleIsInvalid"}]}"#,
                vec![Done, BatchEnd::Refused(invalid()), Done],
            ),
            (
                r#"{"Failed":[{"Id":"0","SenderFault":false,"Code":"InternalError"},{"Id":"1"},
                    {"Id":"2","SenderFault":null}]}"#,
                vec![
                    BatchEnd::Failed(Some("InternalError".into())),
                    failed.clone(),
                    failed.clone(),
                ],
            ),
            (
                r#"{"Successful":[{"Id":"3"},{"Id":"-1"},{"Id":"x"},{"Id":""}],"Failed":null}"#,
                all_failed,
            ),
            (
                r#"{"Successful":[{"Id":"1"}],"Failed":[]}"#,
                vec![failed.clone(), Done, failed],
            ),
        ];
        for (body, wanted) in cases {
            let ends = read_batch("DeleteMessageBatch", body.as_bytes(), 3).unwrap();
            assert_eq!(ends, wanted, "{body}");
        }
    }

    #[test]
    fn requests_are_those_of_the_api() {
        let receipts = [Receipt("a".into()), Receipt("b\"".into())];
        let json = |request| String::from_utf8(to_json("x", &request).unwrap()).unwrap();
        let (first, second) = (
            r#""Id":"0","ReceiptHandle":"a""#,
            r#""Id":"1","ReceiptHandle":"b\"""#,
        );
        let wanted = format!(r#"{{"QueueUrl":"q","Entries":[{{{first}}},{{{second}}}]}}"#);
        assert_eq!(json(batch("q", &receipts, None)), wanted);
        let hidden = r#""VisibilityTimeout":30"#;
        let wanted = format!(r#"{{"QueueUrl":"q","Entries":[{{{first},{hidden}}}]}}"#);
        assert_eq!(json(batch("q", &receipts[..1], Some(30))), wanted);
    }

    #[test]
    fn a_remedy_speaks_of_the_queue() {
        let cases = [
            (
                FaultKind::Refused,
                "AWS.SimpleQueueService.NonExistentQueue",
                "queue_url",
            ),
            (FaultKind::Refused, "QueueDoesNotExist", "queue_url"),
            (FaultKind::Refused, "KmsAccessDenied", "kms:Decrypt"),
            (
                FaultKind::Permission,
                "KMS.AccessDeniedException",
                "kms:Decrypt",
            ),
            (FaultKind::Permission, "AccessDeniedException", "as it was"),
            (FaultKind::Throttled, "RequestThrottled", ""),
        ];
        for (kind, code, wanted) in cases {
            let fault = Fault {
                code: Some(code.to_owned()),
                ..Fault::new(kind, "what", "as it was")
            };
            let remedy = explain(fault).remedy;
            assert!(remedy.contains(wanted), "{code}: {remedy}");
            assert_eq!(remedy.is_empty(), wanted.is_empty(), "{code}: {remedy}");
        }
    }
}
