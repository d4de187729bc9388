//! Keeps what was answered 200 and is not with the broker yet, so that neither the end of the
//! process nor of the power loses it.
//!
//! ```text
//! <state_dir>/<instance>/spool/
//!   00000000000000000001.segment   records, appended with one fdatasync a batch
//!   00000000000001048577.next      numbers below may have been used
//!   delivered                      how far the oldest segment is delivered; not synced
//!   aside/17.json                  what is not delivered, for people to look at
//! ```
//!
//! A disk that is full or fails gives an error to those who append, and is tried again by the
//! next append. Nothing is written and nothing is read while nobody asks.

pub mod aside;
pub mod keeper;
pub mod names;
mod opening;
mod reading;
pub mod record;
pub mod scan;
pub mod storage;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use self::keeper::Spool;
use self::storage::{Disk, Storage};
use crate::engine::spooling::{Seq, SpoolEvent, SpoolRequest};
use crate::state::push::Notice;

/// Most bytes of all segments together.
pub const SPOOL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A segment takes no more records when it would become longer than this.
pub const SEGMENT_BYTES_MAX: u64 = 256 * 1024;
/// Most copies that are set aside.
pub const ASIDE_FILES_MAX: usize = 32;
/// Most records that one read tells.
pub const READ_RECORDS_MAX: usize = 256;
/// Most bytes that one read tells, unless one record alone has more.
pub const READ_BYTES_MAX: usize = 1024 * 1024;
/// Most records that share one sync.
pub const BATCH_RECORDS_MAX: usize = 256;
/// Most messages that are told as pending: the repeats that are remembered.
pub const PENDING_MAX: usize = 8192;

/// How much the spool takes and tells. The default is what the agent runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all segments together, in bytes.
    pub bytes_max: u64,
    /// Of a segment, in bytes; a batch that is longer has a segment of its own.
    pub segment_bytes_max: u64,
    /// Copies that are set aside; the newest are kept.
    pub aside_max: usize,
    /// Records that one read tells.
    pub read_records_max: usize,
    /// Bytes of records that one read tells; at least one record is told.
    pub read_bytes_max: usize,
    /// Records that share one sync.
    pub batch_max: usize,
    /// Messages that are told as pending; the newest are told.
    pub pending_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes_max: SPOOL_BYTES_MAX,
            segment_bytes_max: SEGMENT_BYTES_MAX,
            aside_max: ASIDE_FILES_MAX,
            read_records_max: READ_RECORDS_MAX,
            read_bytes_max: READ_BYTES_MAX,
            batch_max: BATCH_RECORDS_MAX,
            pending_max: PENDING_MAX,
        }
    }
}

/// Keeps a spool in this folder; returns when the channel of requests is closed and all that
/// was in it is done.
///
/// Requests are carried out in order. Appends that wait one behind the other share a sync.
pub fn run(
    folder: PathBuf,
    limits: Limits,
    decode: impl Fn(&[u8]) -> Option<Notice>,
    requests: Receiver<SpoolRequest>,
    tell: impl FnMut(SpoolEvent),
) {
    serve(Disk::new(folder), limits, decode, requests, tell);
}

/// [`run`] on any storage.
pub fn serve(
    storage: impl Storage,
    limits: Limits,
    decode: impl Fn(&[u8]) -> Option<Notice>,
    requests: Receiver<SpoolRequest>,
    mut tell: impl FnMut(SpoolEvent),
) {
    let mut spool = Spool::new(storage, limits);
    tell(SpoolEvent::Opened(spool.open(&decode)));
    let mut waiting = None;
    while let Some(request) = waiting.take().or_else(|| requests.recv().ok()) {
        match request {
            SpoolRequest::Append { seq, record } => {
                let (batch, behind) = gather((seq, record), &limits, &requests);
                waiting = behind;
                append(&mut spool, &batch, &decode, &mut tell);
            }
            SpoolRequest::Open => {
                let opened = (!spool.is_open()).then(|| spool.open(&decode));
                if let Some(Ok(opened)) = opened {
                    tell(SpoolEvent::Opened(Ok(opened)));
                }
            }
            SpoolRequest::Read { from } => tell(SpoolEvent::Read(spool.read(from, &decode))),
            SpoolRequest::Release { up_to } => spool.release(up_to),
            SpoolRequest::SetAside { seq } => {
                spool.set_aside(seq, "the broker does not take it; see the broker's log");
            }
        }
    }
}

type Batch = Vec<(Seq, Arc<[u8]>)>;

/// The appends that wait behind this one, and the request that ends them.
fn gather(
    first: (Seq, Arc<[u8]>),
    limits: &Limits,
    requests: &Receiver<SpoolRequest>,
) -> (Batch, Option<SpoolRequest>) {
    let mut bytes = record::framed_bytes(first.1.len());
    let mut batch = vec![first];
    while batch.len() < limits.batch_max && bytes < limits.segment_bytes_max {
        match requests.try_recv() {
            Ok(SpoolRequest::Append { seq, record }) => {
                bytes += record::framed_bytes(record.len());
                batch.push((seq, record));
            }
            Ok(other) => return (batch, Some(other)),
            Err(_) => break,
        }
    }
    (batch, None)
}

fn append<S: Storage>(
    spool: &mut Spool<S>,
    batch: &[(Seq, Arc<[u8]>)],
    decode: &impl Fn(&[u8]) -> Option<Notice>,
    tell: &mut impl FnMut(SpoolEvent),
) {
    if !spool.is_open() {
        match spool.open(decode) {
            Ok(opened) => tell(SpoolEvent::Opened(Ok(opened))),
            Err(why) => {
                let seqs = batch.iter().map(|(seq, _)| *seq).collect();
                tell(SpoolEvent::Stored {
                    seqs,
                    result: Err(why),
                });
                return;
            }
        }
    }
    for stored in spool.append(batch) {
        tell(SpoolEvent::Stored {
            seqs: stored.seqs,
            result: stored.result,
        });
    }
}
