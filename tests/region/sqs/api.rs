//! SQS over AWS JSON 1.0: what takes messages out of a queue, and tells about it.
//!
//! Source: service model of 2012-11-05. `MD5OfBody` is left out: nothing here needs MD5.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::refusal::Refusal;
use super::super::server::{Answer, Request, Seen};
use super::super::world::World;
use super::BODY_BYTES_MAX;
use super::errors;
use super::input::{Asked, Batch, Input, MEDIA_TYPE, WrongEntry};
use super::queue::{Message, Queue};

/// Begins `X-Amz-Target`.
pub const TARGET: &str = "AmazonSQS.";
/// Who sent every message: the id of a user.
const SENDER_ID: &str = "AIDASYNTHETIC00000001";
/// The one group of FIFO queues.
const GROUP: &str = "default";

const MESSAGE_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];
const QUEUE_ATTRIBUTES: [&str; 22] = [
    "All",
    "Policy",
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
    "ApproximateNumberOfMessagesDelayed",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

/// The name of the queue that a request is about; nothing when it has none.
pub fn queue_name(request: &Request) -> String {
    let input = Input::parse(request).ok();
    input.map_or_else(String::new, |i| i.queue_name().to_owned())
}

/// The operation whose permission an operation needs: batches have none of their own.
pub fn permission(operation: &str) -> &str {
    operation.strip_suffix("Batch").unwrap_or(operation)
}

/// Answers a request that was found to be signed and allowed. Nothing changes until
/// [`carry_out`]; what will is in `seen.messages`.
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    let media_type = request.header("content-type").unwrap_or_default();
    if request.method != "POST" || request.path != "/" || !media_type.starts_with(MEDIA_TYPE) {
        let text = "A request is a POST to / with Content-Type application/x-amz-json-1.0";
        return Err(Refusal::new(404, "UnknownOperationException", text));
    }
    seen.messages.clear();
    let input = Input::parse(request)?;
    let body = match seen.operation.as_str() {
        "ReceiveMessage" => receive(world, &input, seen)?,
        "DeleteMessage" | "ChangeMessageVisibility" => one(world, &input, seen)?,
        "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => batch(world, &input, seen)?,
        "GetQueueAttributes" => attributes(world, &input)?,
        "GetQueueUrl" => {
            let name = &input.named_queue(world)?.name;
            json!({ "QueueUrl": world.queue_url(name) }).to_string()
        }
        other => return Err(Refusal::new(400, "UnknownOperationException", other)),
    };
    Ok(Answer::json(200, body).with("Content-Type", MEDIA_TYPE))
}

/// How long a request waits that found no message; `None` for all others.
pub fn wait(seen: &Seen) -> Option<Duration> {
    let is_empty = seen.operation == "ReceiveMessage" && seen.messages.is_empty();
    let seconds = seen
        .wait_seconds
        .filter(|seconds| is_empty && *seconds > 0)?;
    Some(Duration::from_secs(seconds.into()))
}

/// Does what a request that was not refused asks for.
pub fn carry_out(world: &mut World, request: &Request, seen: &Seen) {
    let (now, now_ms) = (Instant::now(), world.now_ms());
    let Ok(input) = Input::parse(request) else {
        return;
    };
    let is_ours = |queue: &&mut Queue| queue.name == seen.queue;
    let Some(queue) = world.sqs.queues.iter_mut().find(is_ours) else {
        return;
    };
    match seen.operation.as_str() {
        "ReceiveMessage" => {
            let seconds = input.visibility_seconds().ok().flatten();
            let seconds = seconds.unwrap_or(queue.visibility_seconds);
            for id in &seen.messages {
                queue.receive(id, Duration::from_secs(seconds.into()), now, now_ms);
            }
        }
        "DeleteMessage" | "DeleteMessageBatch" => {
            for id in &seen.messages {
                queue.delete(id);
            }
        }
        _ => {
            let asked = asked(&input, &seen.operation).unwrap_or_default();
            for asked in asked.into_iter().flatten() {
                let seconds = asked.seconds.unwrap_or_default();
                let found = queue.to_hide(&asked.handle, seconds, now).ok();
                let id = found.map(|message| message.id.clone());
                if let Some(id) = id.filter(|id| seen.messages.contains(id)) {
                    queue.hide(&id, seconds, now);
                }
            }
        }
    }
}

fn receive(world: &World, input: &Input, seen: &mut Seen) -> Result<String, Refusal> {
    let queue = input.queue(world)?;
    let max = input.messages_max()?;
    seen.limit = Some(max);
    seen.wait_seconds = Some(input.wait_seconds(queue)?);
    input.visibility_seconds()?;
    let names = input.message_attribute_names(&MESSAGE_ATTRIBUTES)?;
    let ready = queue.ready(max, Instant::now());
    seen.messages = ready.iter().map(|message| message.id.clone()).collect();
    let mut body = json!({});
    if !ready.is_empty() || world.sqs.tells_empty {
        let told = ready
            .iter()
            .map(|message| told(world, queue, message, &names));
        body["Messages"] = told.collect();
    }
    Ok(body.to_string())
}

/// A message as the receive that is being answered tells it.
fn told(world: &World, queue: &Queue, message: &Message, names: &[&str]) -> Value {
    let mut told = json!({
        "MessageId": message.id,
        "ReceiptHandle": queue.next_handle(message),
        "Body": message.body,
    });
    let first_ms = message.first_received_ms.unwrap_or_else(|| world.now_ms());
    let mut attributes = vec![
        ("SenderId", SENDER_ID.to_owned()),
        ("SentTimestamp", message.sent_ms.to_string()),
        (
            "ApproximateReceiveCount",
            (message.receives + 1).to_string(),
        ),
        ("ApproximateFirstReceiveTimestamp", first_ms.to_string()),
    ];
    if queue.is_fifo() {
        attributes.extend([
            ("SequenceNumber", format!("{:020}", message.sequence)),
            ("MessageDeduplicationId", message.id.clone()),
            ("MessageGroupId", GROUP.to_owned()),
        ]);
    }
    let source = message.source.as_deref().map(|name| world.queue_arn(name));
    attributes.extend(source.map(|arn| ("DeadLetterQueueSourceArn", arn)));
    let attributes = chosen(attributes, names);
    if !attributes.is_empty() {
        told["Attributes"] = Value::Object(attributes);
    }
    if world.unknown_fields {
        told["ANewMember"] = json!([{"deep": null}]);
    }
    told
}

/// Those that were asked for, by name or all together.
fn chosen(all: Vec<(&str, String)>, names: &[&str]) -> Map<String, Value> {
    let is_wanted = |name: &str| names.contains(&"All") || names.contains(&name);
    let wanted = all.into_iter().filter(|(name, _)| is_wanted(name));
    let pairs = wanted.map(|(name, value)| (name.to_owned(), Value::from(value)));
    pairs.collect()
}

/// What is asked for each entry; one that is wrong says so.
fn asked(input: &Input, operation: &str) -> Result<Batch, Refusal> {
    match operation {
        "DeleteMessage" => Ok(vec![Ok(input.one(false)?)]),
        "ChangeMessageVisibility" => Ok(vec![Ok(input.one(true)?)]),
        batch => input.batch(batch),
    }
}

/// The message that is to be deleted or hidden; none where SQS does nothing and says nothing.
fn found<'a>(queue: &'a Queue, asked: &Asked) -> Result<Option<&'a Message>, Refusal> {
    let now = Instant::now();
    match asked.seconds {
        Some(seconds) => queue.to_hide(&asked.handle, seconds, now).map(Some),
        None => queue.to_delete(&asked.handle, now),
    }
}

/// One message is deleted or hidden: the body is empty.
fn one(world: &World, input: &Input, seen: &mut Seen) -> Result<String, Refusal> {
    let queue = input.queue(world)?;
    for asked in asked(input, &seen.operation)?.into_iter().flatten() {
        let message = found(queue, &asked)?;
        seen.messages.extend(message.map(|m| m.id.clone()));
    }
    Ok(String::new())
}

/// Several messages are deleted or hidden, each for itself.
fn batch(world: &World, input: &Input, seen: &mut Seen) -> Result<String, Refusal> {
    let queue = input.queue(world)?;
    let entries = asked(input, &seen.operation)?;
    seen.entries = entries.len();
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let done = entry.and_then(|asked| match found(queue, &asked) {
            Ok(message) => Ok((asked.id, message)),
            Err(refusal) => Err(WrongEntry {
                id: asked.id,
                refusal,
            }),
        });
        match done {
            Ok((id, message)) => {
                seen.messages.extend(message.map(|m| m.id.clone()));
                successful.push(json!({ "Id": id }));
            }
            Err(WrongEntry { id, refusal }) => failed.push(json!({
                "Id": id,
                "SenderFault": true,
                "Code": errors::older_code(&refusal.code),
                "Message": refusal.message,
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}).to_string())
}

fn attributes(world: &World, input: &Input) -> Result<String, Refusal> {
    let queue = input.queue(world)?;
    let names = input.attribute_names(&QUEUE_ATTRIBUTES)?;
    if names.is_empty() {
        return Ok(String::from("{}"));
    }
    let chosen = chosen(queue_attributes(world, queue), &names);
    Ok(json!({ "Attributes": chosen }).to_string())
}

fn queue_attributes(world: &World, queue: &Queue) -> Vec<(&'static str, String)> {
    let now = Instant::now();
    let visible = queue.messages.iter().filter(|m| m.is_visible(now)).count();
    let in_flight = queue.messages.len() - visible;
    let created = queue.created_ms.div_euclid(1000).to_string();
    let mut all = vec![
        ("QueueArn", world.queue_arn(&queue.name)),
        ("ApproximateNumberOfMessages", visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            in_flight.to_string(),
        ),
        ("ApproximateNumberOfMessagesDelayed", String::from("0")),
        ("CreatedTimestamp", created.clone()),
        ("LastModifiedTimestamp", created),
        ("VisibilityTimeout", queue.visibility_seconds.to_string()),
        ("MaximumMessageSize", BODY_BYTES_MAX.to_string()),
        (
            "MessageRetentionPeriod",
            queue.retention_seconds.to_string(),
        ),
        ("DelaySeconds", String::from("0")),
        (
            "ReceiveMessageWaitTimeSeconds",
            queue.wait_seconds.to_string(),
        ),
        ("SqsManagedSseEnabled", queue.kms_key.is_none().to_string()),
    ];
    all.extend(queue.policy.clone().map(|policy| ("Policy", policy)));
    all.extend(queue.redrive.as_ref().map(|redrive| {
        let policy = json!({
            "deadLetterTargetArn": redrive.target_arn,
            "maxReceiveCount": redrive.receives_max,
        });
        ("RedrivePolicy", policy.to_string())
    }));
    if let Some(key) = &queue.kms_key {
        let reuse = ("KmsDataKeyReusePeriodSeconds", String::from("300"));
        all.extend([("KmsMasterKeyId", key.clone()), reuse]);
    }
    if queue.is_fifo() {
        let names = ["FifoQueue", "ContentBasedDeduplication"];
        all.extend(names.map(|name| (name, String::from("true"))));
        all.push(("DeduplicationScope", String::from("queue")));
        all.push(("FifoThroughputLimit", String::from("perQueue")));
    }
    all
}
