//! What the engine asks of the spool, and what the spool answers.
//!
//! The spool keeps messages that were answered 200 and that the broker has not taken yet. The
//! engine names each by a number; the numbers rise, also across restarts, and may have gaps.

use std::sync::Arc;

use crate::state::push::{MessageId, Notice};

/// Names one record of the spool.
pub type Seq = u64;

/// What the engine asks. Requests are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum SpoolRequest {
    /// Keep a record so that it survives a power loss. Answered by [`SpoolEvent::Stored`].
    /// Where the spool could not be opened it is tried again first.
    Append {
        /// Larger than all before it, and at least [`Opened::next`].
        seq: Seq,
        /// The record.
        record: Arc<[u8]>,
    },
    /// Try again to open it, where that failed. Answered by [`SpoolEvent::Opened`] once it is
    /// open, and not at all before.
    Open,
    /// Tell the oldest records from this number on. Answered by [`SpoolEvent::Read`].
    Read {
        /// The smallest number that is wanted.
        from: Seq,
    },
    /// Everything up to this number, and it, is delivered and may be forgotten.
    Release {
        /// The largest number that is not needed any more.
        up_to: Seq,
    },
    /// The broker does not take this record: keep a copy aside for people to look at.
    SetAside {
        /// Its number; it is released later like any other.
        seq: Seq,
    },
}

/// What the spool says.
#[derive(Clone, Debug)]
pub enum SpoolEvent {
    /// It is open; said before anything else. With an error it can keep nothing, and tells
    /// what to do about it. Then it is said once more, and never with an error, when a later
    /// append or [`SpoolRequest::Open`] finds that it can be opened: before that append is
    /// answered. Numbers begin at the new [`Opened::next`] then; an append with a smaller one is
    /// not kept.
    Opened(Result<Opened, String>),
    /// These appends are safe, or none of them is. Appends that were asked for one after the
    /// other may be answered together, and those that fail each for itself before them.
    Stored {
        /// Their numbers.
        seqs: Vec<Seq>,
        /// Why not.
        result: Result<(), String>,
    },
    /// What a [`SpoolRequest::Read`] found. Nothing: there is nothing from that number on, or
    /// the disk cannot read it now, which is logged.
    Read(Vec<Spooled>),
}

/// What the spool holds when it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// What is to be read again, oldest first: number and message. Of very many the newest;
    /// the older ones are there too, and so are those that cannot be understood any more. So
    /// the first read begins at 0.
    pub pending: Vec<(Seq, MessageId)>,
    /// A number larger than any that was ever used.
    pub next: Seq,
}

/// A record read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Spooled {
    /// Its number.
    pub seq: Seq,
    /// What it holds; `None` when it cannot be understood any more: it was set aside. Of a
    /// damaged part of the spool one such record is told, with the last number of that part.
    pub notice: Option<Notice>,
}
