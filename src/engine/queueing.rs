//! What the engine asks of the SQS queue, and what comes of it. One job at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::state::fault::Fault;
use crate::state::push::{Notice, Reason, Receipt};

/// Messages received at a time, and deleted or hidden by one request (SQS API, `ReceiveMessage`).
pub const BATCH_MAX: usize = 10;
/// How long nobody else gets what was received.
pub const HIDDEN: Duration = Duration::from_secs(30);
/// The longest that SQS lets a receive wait.
pub const LONG_POLL: Duration = Duration::from_secs(20);

/// What the queue is asked for.
#[derive(Clone, Debug)]
pub enum QueueJob {
    /// Up to `count` messages, which are hidden for [`HIDDEN`]; the first may take so long.
    Receive {
        /// [`BATCH_MAX`] at most.
        count: usize,
        /// [`LONG_POLL`] at most.
        wait: Duration,
    },
    /// Delete these, [`BATCH_MAX`] at most.
    Delete(Vec<Receipt>),
    /// Hide these for [`HIDDEN`] from now on, [`BATCH_MAX`] at most.
    Hide(Vec<Receipt>),
}

/// What came of a [`QueueJob`].
#[derive(Clone, Debug)]
pub enum QueueEnd {
    /// Of [`QueueJob::Receive`].
    Received(Result<Vec<Letter>, Fault>),
    /// Of [`QueueJob::Delete`]: those to try again, and why they have to be.
    Deleted(Vec<Receipt>, Option<Fault>),
    /// Of [`QueueJob::Hide`]: those that cannot be hidden any more.
    Hidden(Result<Vec<Receipt>, Fault>),
}

impl QueueEnd {
    /// Whether AWS did what was asked.
    pub fn is_good(&self) -> bool {
        match self {
            QueueEnd::Received(result) => result.is_ok(),
            QueueEnd::Deleted(_, fault) => fault.is_none(),
            QueueEnd::Hidden(result) => result.is_ok(),
        }
    }
}

/// A message of the queue.
#[derive(Clone, Debug)]
pub struct Letter {
    /// To delete it by.
    pub receipt: Receipt,
    /// What it says, or why it is not taken.
    pub judged: Result<Box<Taken>, Unfit>,
}

/// A message that was found good.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What it says.
    pub notice: Notice,
    /// The same for the spool.
    pub record: Arc<[u8]>,
}

/// A message that is not for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Why.
    pub reason: Reason,
    /// The topic of ours that it names.
    pub topic_arn: Option<String>,
    /// How whoever looks for it knows it, in words.
    pub example: String,
}
