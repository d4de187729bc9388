//! A spool that keeps its records in a map.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::spooling::{Opened, Seq, SpoolEvent, SpoolRequest, Spooled};
use crate::state::push::Notice;

/// Records told at a time.
const READ_MAX: usize = 3;

/// See the module's text. It outlives a crash of the agent.
#[derive(Clone)]
pub struct Spool {
    /// What each record says; a record is the place of its notice here.
    pub notices: Vec<Notice>,
    pub records: BTreeMap<Seq, usize>,
    pub aside: Vec<Seq>,
    /// All that was ever kept: number, and the place of its notice.
    pub kept: Vec<(Seq, usize)>,
    pub full: bool,
    /// The disk cannot be read.
    pub unreadable: bool,
    /// It could not be opened, and is tried again by the next append.
    pub closed: bool,
    /// How long a request takes.
    pub delay: Duration,
    last: Seq,
}

impl Default for Spool {
    fn default() -> Spool {
        Spool {
            notices: Vec::new(),
            records: BTreeMap::new(),
            aside: Vec::new(),
            kept: Vec::new(),
            full: false,
            unreadable: false,
            closed: false,
            delay: Duration::from_millis(20),
            last: 0,
        }
    }
}

impl Spool {
    /// A record of this notice.
    pub fn record(&mut self, notice: &Notice) -> std::sync::Arc<[u8]> {
        self.notices.push(notice.clone());
        let mut record = (self.notices.len() - 1).to_be_bytes().to_vec();
        record.extend(notice.message.json.bytes());
        record.into()
    }

    /// What it says first.
    pub fn open(&mut self) -> SpoolEvent {
        self.closed = self.full;
        match self.closed {
            true => SpoolEvent::Opened(Err("cannot write".into())),
            false => self.opened(),
        }
    }

    fn opened(&self) -> SpoolEvent {
        let pending = self.records.iter();
        let pending = pending.map(|(seq, at)| (*seq, self.notices[*at].message_id));
        SpoolEvent::Opened(Ok(Opened {
            pending: pending.collect(),
            next: self.last + 1,
        }))
    }

    pub fn carry_out(&mut self, request: SpoolRequest) -> Vec<SpoolEvent> {
        if !self.closed {
            return self.work(request).into_iter().collect();
        }
        let SpoolRequest::Append { seq, .. } = request else {
            return match request {
                SpoolRequest::Read { .. } => vec![SpoolEvent::Read(Vec::new())],
                SpoolRequest::Open if !self.full => {
                    self.closed = false;
                    vec![self.opened()]
                }
                _ => Vec::new(),
            };
        };
        let mut told = Vec::new();
        if !self.full {
            self.closed = false;
            told.push(self.opened());
            if seq > self.last {
                told.extend(self.work(request));
                return told;
            }
        }
        told.push(SpoolEvent::Stored {
            seqs: vec![seq],
            result: Err("not kept".into()),
        });
        told
    }

    fn work(&mut self, request: SpoolRequest) -> Option<SpoolEvent> {
        match request {
            SpoolRequest::Append { seq, .. } if seq <= self.last => Some(SpoolEvent::Stored {
                seqs: vec![seq],
                result: Err("not a new number".into()),
            }),
            SpoolRequest::Append { seq, .. } if self.full => Some(SpoolEvent::Stored {
                seqs: vec![seq],
                result: Err("the disk is full".into()),
            }),
            SpoolRequest::Append { seq, record } => {
                self.last = seq;
                let at = usize::from_be_bytes(record[..8].try_into().expect("a record of ours"));
                self.records.insert(seq, at);
                self.kept.push((seq, at));
                Some(SpoolEvent::Stored {
                    seqs: vec![seq],
                    result: Ok(()),
                })
            }
            SpoolRequest::Open => None,
            SpoolRequest::Read { .. } if self.unreadable => Some(SpoolEvent::Read(Vec::new())),
            SpoolRequest::Read { from } => {
                let from = self.records.range(from..).take(READ_MAX);
                let spooled = from.map(|(seq, at)| Spooled {
                    seq: *seq,
                    notice: Some(self.notices[*at].clone()),
                });
                Some(SpoolEvent::Read(spooled.collect()))
            }
            SpoolRequest::Release { up_to } => {
                self.records.retain(|seq, _| *seq > up_to);
                None
            }
            SpoolRequest::SetAside { seq } => {
                assert!(self.records.contains_key(&seq), "{seq} is there");
                self.aside.push(seq);
                None
            }
        }
    }
}
