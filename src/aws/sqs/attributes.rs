//! What SQS tells of a queue itself. Pure but for the [`Service`] that carries the request. Only
//! `check` asks for it.
//!
//! Source: SQS API reference, `GetQueueAttributes`; SQS developer guide, "Using dead-letter
//! queues".

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::answer::parse_json;
use super::super::call::Call;
use super::super::client::Service;
use super::{SHORT, explain, to_json};
use crate::state::fault::Fault;

/// A queue, as far as it matters to who takes messages from it. What SQS does not tell, or tells
/// in another shape, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its ARN.
    pub arn: Option<String>,
    /// Messages that wait, about.
    pub waiting: Option<u64>,
    /// Messages that somebody has received and not deleted yet, about.
    pub in_flight: Option<u64>,
    /// How long a message is kept.
    pub retention: Option<Duration>,
    /// The key that messages are encrypted with, where it is one of KMS.
    pub kms_key: Option<String>,
    /// Who may do what, as it is written.
    pub policy: Option<String>,
    /// Whether messages that are received too often go to another queue.
    pub has_dead_letters: bool,
    /// How often one may be received before it does.
    pub receives_max: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    queue_url: &'a str,
    /// All: whoever asks a standard queue for `FifoQueue` by its name is refused.
    attribute_names: [&'static str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    attributes: Option<Raw>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    queue_arn: Option<String>,
    approximate_number_of_messages: Option<String>,
    approximate_number_of_messages_not_visible: Option<String>,
    message_retention_period: Option<String>,
    kms_master_key_id: Option<String>,
    policy: Option<String>,
    redrive_policy: Option<String>,
}

/// AWS writes the number as such; who sets it may have written it as text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redrive {
    max_receive_count: Option<Value>,
}

/// Asks for the attributes of a queue.
///
/// # Errors
///
/// Those of [`Service::send`].
pub fn attributes(service: &Service, queue_url: &str) -> Result<Attributes, Fault> {
    const OPERATION: &str = "GetQueueAttributes";
    let request = Request {
        queue_url,
        attribute_names: ["All"],
    };
    let body = to_json(OPERATION, &request)?;
    let call = Call::json(OPERATION, "AmazonSQS.GetQueueAttributes", body).within(SHORT);
    let answer = service.send(&call).map_err(explain)?;
    read(OPERATION, &answer)
}

fn read(operation: &str, body: &[u8]) -> Result<Attributes, Fault> {
    let answer: Answer = parse_json(operation, body)?;
    let raw = answer.attributes.unwrap_or_default();
    let number = |text: Option<String>| text?.parse::<u64>().ok();
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let redrive = filled(raw.redrive_policy);
    Ok(Attributes {
        arn: filled(raw.queue_arn),
        waiting: number(raw.approximate_number_of_messages),
        in_flight: number(raw.approximate_number_of_messages_not_visible),
        retention: number(raw.message_retention_period).map(Duration::from_secs),
        kms_key: filled(raw.kms_master_key_id),
        policy: filled(raw.policy),
        has_dead_letters: redrive.is_some(),
        receives_max: redrive.and_then(|text| receives_max(&text)),
    })
}

fn receives_max(redrive_policy: &str) -> Option<u64> {
    let redrive: Redrive = serde_json::from_str(redrive_policy).ok()?;
    match redrive.max_receive_count? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fault::FaultKind;

    #[test]
    fn attributes_are_read_and_what_is_not_there_is_none() {
        let full = r#"{"Attributes":{"QueueArn":"a","ApproximateNumberOfMessages":"7",
            "ApproximateNumberOfMessagesNotVisible":"2","MessageRetentionPeriod":"345600",
            "KmsMasterKeyId":"alias/x","Policy":"{\"Statement\":[]}","VisibilityTimeout":"30",
            "RedrivePolicy":"{\"deadLetterTargetArn\":\"d\",\"maxReceiveCount\":5}"}}"#;
        let wanted = Attributes {
            arn: Some("a".into()),
            waiting: Some(7),
            in_flight: Some(2),
            retention: Some(Duration::from_secs(345_600)),
            kms_key: Some("alias/x".into()),
            policy: Some(r#"{"Statement":[]}"#.into()),
            has_dead_letters: true,
            receives_max: Some(5),
        };
        let read = |text: &str| read("GetQueueAttributes", text.as_bytes());
        assert_eq!(read(full), Ok(wanted));
        let empty = r#"{"Attributes":{"QueueArn":"","Policy":"","RedrivePolicy":"","x":null}}"#;
        for text in [
            "{}",
            r#"{"Attributes":null}"#,
            r#"{"Attributes":{}}"#,
            empty,
        ] {
            assert_eq!(read(text), Ok(Attributes::default()), "{text}");
        }
        for text in ["", "[]", r#"{"Attributes":{"QueueArn":7}}"#] {
            let fault = read(text).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Answer, "{text}");
        }
    }

    #[test]
    fn how_often_a_message_may_be_received_is_read_as_number_or_text() {
        let cases = [
            (r#"{"maxReceiveCount":3}"#, Some(3)),
            (
                r#"{"maxReceiveCount":"10","deadLetterTargetArn":"d"}"#,
                Some(10),
            ),
            (r#"{"maxReceiveCount":-1}"#, None),
            (r#"{"maxReceiveCount":"many"}"#, None),
            (r#"{"deadLetterTargetArn":"d"}"#, None),
            ("no", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(receives_max(text), wanted, "{text}");
        }
    }
}
