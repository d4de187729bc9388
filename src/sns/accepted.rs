//! A notification that was found good, as it came.

use crate::state::alarms::Via;
use crate::state::push::MessageId;
use crate::state::time::UnixMs;

/// A notification that was found good, with its message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The same on every retry.
    pub message_id: MessageId,
    /// The topic it came through; `None` for an event that came to the queue without one.
    pub topic_arn: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// When it was published, by AWS's clock.
    pub timestamp: UnixMs,
    /// When it came here, by AWS's clock as far as that is known.
    pub received_at: UnixMs,
    /// Which way it came.
    pub via: Via,
    /// The message itself.
    pub message: String,
}
