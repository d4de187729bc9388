//! One queue: what is visible, in flight, received how often.
//!
//! Sources: SQS developer guide, "Amazon SQS visibility timeout" and "FIFO queue delivery
//! logic"; API reference, `DeleteMessage` and `ChangeMessageVisibility`; what public tests have
//! recorded of AWS.

use std::time::{Duration, Instant};

use super::super::refusal::Refusal;
use super::errors;
use super::receipt::Receipt;

/// How long a message may be in flight, counted from its receive.
pub const IN_FLIGHT_MAX: Duration = Duration::from_secs(VISIBILITY_SECONDS_MAX as u64);
/// The same in seconds, which is also the longest visibility timeout.
pub const VISIBILITY_SECONDS_MAX: u32 = 43_200;
/// AWS's visibility timeout, in seconds.
const VISIBILITY_SECONDS: u32 = 30;
/// AWS's retention period, in seconds: four days.
const RETENTION_SECONDS: u32 = 345_600;

/// A queue. FIFO when its name ends in `.fifo`; all of its messages are of one group then.
pub struct Queue {
    /// Its name.
    pub name: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// `VisibilityTimeout`, in seconds.
    pub visibility_seconds: u32,
    /// `ReceiveMessageWaitTimeSeconds`: for requests that do not say how long they wait.
    pub wait_seconds: u32,
    /// `MessageRetentionPeriod`, in seconds.
    pub retention_seconds: u32,
    /// `Policy`.
    pub policy: Option<String>,
    /// `RedrivePolicy`.
    pub redrive: Option<Redrive>,
    /// `KmsMasterKeyId`.
    pub kms_key: Option<String>,
    /// What it holds, in the order in which it was sent.
    pub messages: Vec<Message>,
    /// How many messages come once more although they were deleted.
    pub duplicates: usize,
    /// Long polls that wait now.
    pub waiting: usize,
    /// Messages that ever were in it.
    sent: u64,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub target_arn: String,
    /// `maxReceiveCount`.
    pub receives_max: u32,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id, a UUID.
    pub id: String,
    /// Its body.
    pub body: String,
    /// When it was sent, milliseconds since 1970.
    pub sent_ms: i64,
    /// When it was first received, milliseconds since 1970.
    pub first_received_ms: Option<i64>,
    /// How often it was received.
    pub receives: u32,
    /// Name of the queue that it was a dead letter of.
    pub source: Option<String>,
    /// Its place in the order of a FIFO queue.
    pub sequence: u64,
    /// The latest receive.
    received: Option<Instant>,
    /// In flight until then.
    hidden_until: Option<Instant>,
}

impl Message {
    /// A message that nobody has received.
    pub fn new(id: &str, body: &str, sent_ms: i64) -> Message {
        Message {
            id: id.to_owned(),
            body: body.to_owned(),
            sent_ms,
            first_received_ms: None,
            receives: 0,
            source: None,
            sequence: 0,
            received: None,
            hidden_until: None,
        }
    }

    /// Whether the next receive may get it.
    pub fn is_visible(&self, now: Instant) -> bool {
        self.hidden_until.is_none_or(|until| until <= now)
    }
}

impl Queue {
    /// An empty queue with AWS's settings.
    pub fn new(name: &str, created_ms: i64) -> Queue {
        Queue {
            name: name.to_owned(),
            created_ms,
            visibility_seconds: VISIBILITY_SECONDS,
            wait_seconds: 0,
            retention_seconds: RETENTION_SECONDS,
            policy: None,
            redrive: None,
            kms_key: None,
            messages: Vec::new(),
            duplicates: 0,
            waiting: 0,
            sent: 0,
        }
    }

    /// Whether messages come in their order, one after the other.
    pub fn is_fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    /// Takes a message in.
    pub fn push(&mut self, mut message: Message) {
        self.sent += 1;
        message.sequence = self.sent;
        self.messages.push(message);
    }

    /// Takes in what another queue could not get rid of. Its receives count on.
    pub fn take_letter(&mut self, source: &str, mut letter: Message) {
        letter.source = Some(source.to_owned());
        letter.hidden_until = None;
        self.push(letter);
    }

    /// Up to `max` messages that a receive would get now. Of a FIFO queue nothing comes while
    /// something is in flight.
    pub fn ready(&self, max: usize, now: Instant) -> Vec<&Message> {
        let is_visible = |message: &&Message| message.is_visible(now);
        if self.is_fifo() && !self.messages.iter().all(|m| m.is_visible(now)) {
            return Vec::new();
        }
        self.messages.iter().filter(is_visible).take(max).collect()
    }

    /// How long until something in flight becomes visible by itself.
    pub fn until_visible(&self, now: Instant) -> Option<Duration> {
        let hidden = self.messages.iter().filter_map(|m| m.hidden_until);
        let next = hidden.filter(|until| *until > now).min()?;
        Some(next - now)
    }

    /// The handle that the next receive of a message gives.
    pub fn next_handle(&self, message: &Message) -> String {
        Receipt::new(&self.name, &message.id, message.receives + 1).handle()
    }

    /// Puts a message in flight.
    pub fn receive(&mut self, id: &str, timeout: Duration, now: Instant, now_ms: i64) {
        if let Some(message) = self.messages.iter_mut().find(|m| m.id == id) {
            message.receives += 1;
            message.first_received_ms.get_or_insert(now_ms);
            message.received = Some(now);
            message.hidden_until = Some(now + timeout);
        }
    }

    /// The message that this handle deletes. A standard queue takes handles of earlier receives
    /// and of messages that are gone, and does nothing; a FIFO queue takes no handle whose time
    /// is over.
    pub fn to_delete(&self, handle: &str, now: Instant) -> Result<Option<&Message>, Refusal> {
        let receipt = self.receipt(handle)?;
        let found = self.messages.iter().find(|m| m.id == receipt.message_id);
        let is_latest = |m: &&Message| m.receives == receipt.receive;
        if self.is_fifo() {
            let is_over = found.is_some_and(|m| !is_latest(&m) || m.is_visible(now));
            if is_over {
                return Err(errors::value(
                    handle,
                    "ReceiptHandle",
                    "The receipt handle has expired.",
                ));
            }
        }
        Ok(found.filter(is_latest))
    }

    /// The message that this handle can hide for so long from now on.
    pub fn to_hide(&self, handle: &str, seconds: u32, now: Instant) -> Result<&Message, Refusal> {
        let receipt = self.receipt(handle)?;
        let mut all = self.messages.iter();
        let found = all.find(|m| m.id == receipt.message_id && m.receives == receipt.receive);
        let gone = "Message does not exist or is not available for visibility timeout change.";
        let message = found.ok_or_else(|| errors::value(handle, "ReceiptHandle", gone))?;
        let elapsed = message.received.map_or(Duration::ZERO, |at| now - at);
        if elapsed + Duration::from_secs(seconds.into()) > IN_FLIGHT_MAX {
            let reason =
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            return Err(errors::value(seconds, "VisibilityTimeout", reason));
        }
        Ok(message)
    }

    fn receipt(&self, handle: &str) -> Result<Receipt, Refusal> {
        let Some(receipt) = Receipt::parse(handle) else {
            let text =
                format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            return Err(Refusal::new(404, "ReceiptHandleIsInvalid", &text));
        };
        if !receipt.is_of(&self.name) {
            let text = format!("The receipt handle \"{handle}\" is not valid for this queue.");
            return Err(Refusal::new(404, "ReceiptHandleIsInvalid", &text));
        }
        Ok(receipt)
    }

    /// Deletes a message, unless it is to come once more.
    pub fn delete(&mut self, id: &str) {
        let Some(at) = self.messages.iter().position(|m| m.id == id) else {
            return;
        };
        if self.duplicates > 0 {
            self.duplicates -= 1;
            self.messages[at].hidden_until = None;
        } else {
            self.messages.remove(at);
        }
    }

    /// Hides a message from now on; 0 makes it visible.
    pub fn hide(&mut self, id: &str, seconds: u32, now: Instant) {
        if let Some(message) = self.messages.iter_mut().find(|m| m.id == id) {
            message.hidden_until = Some(now + Duration::from_secs(seconds.into()));
        }
    }

    /// Makes all messages visible.
    pub fn expire(&mut self) {
        for message in &mut self.messages {
            message.hidden_until = None;
        }
    }

    /// Takes out what was received so often and is visible again.
    pub fn take_exhausted(&mut self, receives_max: u32, now: Instant) -> Vec<Message> {
        let all = std::mem::take(&mut self.messages).into_iter();
        let (exhausted, kept): (Vec<_>, Vec<_>) =
            all.partition(|m| m.receives >= receives_max && m.is_visible(now));
        self.messages = kept;
        exhausted
    }
}
