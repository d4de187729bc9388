//! What a request of SQS may say.
//!
//! Source: service model of 2012-11-05. Members that it does not know are ignored, as AWS does;
//! wrong JSON types are a `SerializationException`.

use serde::Deserialize;

use super::super::cloudwatch;
use super::super::refusal::Refusal;
use super::super::server::Request;
use super::super::world::{ACCOUNT, World};
use super::errors;
use super::queue::{Queue, VISIBILITY_SECONDS_MAX};

/// Media type of requests and answers.
pub const MEDIA_TYPE: &str = "application/x-amz-json-1.0";
/// Messages of one receive.
const MESSAGES_MAX: i64 = 10;
/// Seconds that a receive may wait.
const WAIT_SECONDS_MAX: i64 = 20;
/// Entries of a batch.
const ENTRIES_MAX: usize = 10;
/// Characters of the name of a queue, and of the id of an entry.
const NAME_CHARS_MAX: usize = 80;

/// The members of all operations.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    queue_url: Option<String>,
    queue_name: Option<String>,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
    max_number_of_messages: Option<i64>,
    wait_time_seconds: Option<i64>,
    visibility_timeout: Option<i64>,
    attribute_names: Option<Vec<String>>,
    message_system_attribute_names: Option<Vec<String>>,
    receipt_handle: Option<String>,
    entries: Option<Vec<Entry>>,
}

/// An entry of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Entry {
    id: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

/// The entries of a batch, in its order.
pub type Batch = Vec<Result<Asked, WrongEntry>>;

/// An entry that cannot be dealt with.
pub struct WrongEntry {
    /// Its id.
    pub id: String,
    /// Why.
    pub refusal: Refusal,
}

/// What is to be done with one message.
pub struct Asked {
    /// Id of the entry; empty outside of batches.
    pub id: String,
    /// Receipt handle.
    pub handle: String,
    /// How long it is hidden from now on, in seconds; `None` when it is to be deleted.
    pub seconds: Option<u32>,
}

impl Input {
    /// Reads the body.
    pub fn parse(request: &Request) -> Result<Input, Refusal> {
        cloudwatch::parse(request)
    }

    /// The queue that `QueueUrl` names.
    pub fn queue<'a>(&self, world: &'a World) -> Result<&'a Queue, Refusal> {
        let url = self.queue_url.as_deref().ok_or_else(errors::no_queue)?;
        let (account, name) = place(url).ok_or_else(|| {
            let text = format!("The address {url} is not valid for this endpoint.");
            Refusal::new(404, "InvalidAddress", &text)
        })?;
        let found = world.sqs.find(name).filter(|_| account == ACCOUNT);
        found.ok_or_else(errors::no_queue)
    }

    /// The queue that `QueueName` names.
    pub fn named_queue<'a>(&self, world: &'a World) -> Result<&'a Queue, Refusal> {
        let name = self.queue_name.as_deref().unwrap_or_default();
        if !is_name(name) {
            return Err(errors::invalid(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
                 length",
            ));
        }
        let is_ours = self.owner.as_ref().is_none_or(|owner| owner == ACCOUNT);
        let found = world.sqs.find(name).filter(|_| is_ours);
        found.ok_or_else(errors::no_queue)
    }

    /// The name of the queue, whether there is one or not.
    pub fn queue_name(&self) -> &str {
        let in_url = self.queue_url.as_deref().and_then(place);
        let in_url = in_url.map(|(_, name)| name);
        in_url.or(self.queue_name.as_deref()).unwrap_or_default()
    }

    /// `MaxNumberOfMessages`.
    pub fn messages_max(&self) -> Result<usize, Refusal> {
        let reason = "Must be between 1 and 10, if provided.";
        match self.max_number_of_messages {
            None => Ok(1),
            Some(n @ 1..=MESSAGES_MAX) => Ok(n as usize),
            Some(n) => Err(errors::value(n, "MaxNumberOfMessages", reason)),
        }
    }

    /// `WaitTimeSeconds`, or the queue's own.
    pub fn wait_seconds(&self, queue: &Queue) -> Result<u32, Refusal> {
        let reason = "Must be >= 0 and <= 20, if provided.";
        match self.wait_time_seconds {
            None => Ok(queue.wait_seconds),
            Some(n @ 0..=WAIT_SECONDS_MAX) => Ok(n as u32),
            Some(n) => Err(errors::value(n, "WaitTimeSeconds", reason)),
        }
    }

    /// `VisibilityTimeout`, in seconds.
    pub fn visibility_seconds(&self) -> Result<Option<u32>, Refusal> {
        self.visibility_timeout.map(seconds).transpose()
    }

    /// `AttributeNames` of a queue.
    pub fn attribute_names(&self, known: &[&str]) -> Result<Vec<&str>, Refusal> {
        among(known, self.attribute_names.iter().flatten())
    }

    /// `MessageSystemAttributeNames`, and `AttributeNames`, which it replaced.
    pub fn message_attribute_names(&self, known: &[&str]) -> Result<Vec<&str>, Refusal> {
        let names = self.message_system_attribute_names.iter().flatten();
        among(known, names.chain(self.attribute_names.iter().flatten()))
    }

    /// The one message of `DeleteMessage`, or of `ChangeMessageVisibility`, which is timed.
    pub fn one(&self, is_timed: bool) -> Result<Asked, Refusal> {
        let handle = self.receipt_handle.as_ref();
        checked(String::new(), handle, self.visibility_timeout, is_timed)
    }

    /// The entries of a batch. What is wrong with one of them is told in its place.
    pub fn batch(&self, operation: &str) -> Result<Batch, Refusal> {
        let entries = self.entries.as_deref().unwrap_or_default();
        if entries.is_empty() {
            let text =
                format!("There should be at least one {operation}RequestEntry in the request.");
            return Err(Refusal::new(400, "EmptyBatchRequest", &text));
        }
        if entries.len() > ENTRIES_MAX {
            let text = format!(
                "Maximum number of entries per request are 10. You have sent {}.",
                entries.len()
            );
            return Err(Refusal::new(400, "TooManyEntriesInBatchRequest", &text));
        }
        let ids: Vec<&str> = entries.iter().map(Entry::id).collect();
        if !ids.iter().all(|id| is_plain(id)) {
            let text = "A batch entry id can only contain alphanumeric characters, hyphens and \
                        underscores. It can be at most 80 letters long.";
            return Err(Refusal::new(400, "InvalidBatchEntryId", text));
        }
        let mut repeated = ids.iter().enumerate();
        if let Some((_, id)) = repeated.find(|(at, id)| ids[..*at].contains(id)) {
            let text = format!("Id {id} repeated.");
            return Err(Refusal::new(400, "BatchEntryIdsNotDistinct", &text));
        }
        let is_timed = operation == "ChangeMessageVisibilityBatch";
        Ok(entries.iter().map(|entry| entry.asked(is_timed)).collect())
    }
}

impl Entry {
    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    fn asked(&self, is_timed: bool) -> Result<Asked, WrongEntry> {
        let (id, handle) = (self.id().to_owned(), self.receipt_handle.as_ref());
        let checked = checked(id, handle, self.visibility_timeout, is_timed);
        checked.map_err(|refusal| WrongEntry {
            id: self.id().to_owned(),
            refusal,
        })
    }
}

fn checked(
    id: String,
    handle: Option<&String>,
    timeout: Option<i64>,
    is_timed: bool,
) -> Result<Asked, Refusal> {
    let handle = handle.ok_or_else(|| errors::missing("ReceiptHandle"))?;
    let timeout = match is_timed {
        true => Some(timeout.ok_or_else(|| errors::missing("VisibilityTimeout"))?),
        false => None,
    };
    Ok(Asked {
        id,
        handle: handle.clone(),
        seconds: timeout.map(seconds).transpose()?,
    })
}

fn seconds(given: i64) -> Result<u32, Refusal> {
    let reason = "Must be between 0 and 43200, if provided.";
    let seconds = u32::try_from(given).ok();
    let seconds = seconds.filter(|s| *s <= VISIBILITY_SECONDS_MAX);
    seconds.ok_or_else(|| errors::value(given, "VisibilityTimeout", reason))
}

fn among<'a>(
    known: &[&str],
    names: impl Iterator<Item = &'a String>,
) -> Result<Vec<&'a str>, Refusal> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(names),
        Some(unknown) => {
            let text = format!("Unknown Attribute {unknown}.");
            Err(Refusal::new(400, "InvalidAttributeName", &text))
        }
    }
}

/// Account and name in the URL of a queue, whatever its host.
fn place(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    let is_known = ["http", "https"].contains(&scheme);
    path.split_once('/').filter(|_| is_known)
}

/// Whether a queue may have this name.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX && is_plain(name.strip_suffix(".fifo").unwrap_or(name))
}

fn is_plain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(plain)
}
