//! What AWS pushes: what it means, and how it is kept.

#[path = "../../../src/sns/accepted.rs"]
pub mod accepted;
#[path = "../../../src/sns/envelope.rs"]
pub mod envelope;
#[path = "../../../src/sns/json.rs"]
mod json;
#[path = "../../../src/sns/meaning/mod.rs"]
pub mod meaning;
#[path = "../../../src/sns/queued.rs"]
pub mod queued;
#[path = "../../../src/sns/reader.rs"]
mod reader;
#[path = "../../../src/sns/redact.rs"]
pub mod redact;
#[path = "../../../src/sns/spool/mod.rs"]
pub mod spool;

/// The judge of the listener's requests is not here; the queue's refuses in the same form.
pub mod receiver {
    use crate::state::push::Reason;

    /// A message that is refused.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Refusal {
        /// Why.
        pub reason: Reason,
        /// The topic of ours that it named.
        pub topic_arn: Option<String>,
    }
}
