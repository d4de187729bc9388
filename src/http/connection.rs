//! One connection: gathers a request, waits for its answer, sends it, begins again.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::answers::{Answer, reason};
use super::head::{self, Head, Refused};
use super::room::{Held, Room};
use super::wire::{Got, Out, Wire};
use super::{Limits, Request, RequestId};

/// Looks for bytes in one turn, so that no peer keeps the others waiting.
const LOOKS_MAX: usize = 8;
/// What one look takes at the most.
pub(super) const LOOK_BYTES: usize = 16 << 10;
/// What a body is given when it begins.
const BODY_STEP_BYTES: usize = 4 << 10;
/// What a peer may still send after its last answer: closing a socket with unread bytes resets
/// it, and a reset can overtake the answer.
const LEAVING_BYTES_MAX: usize = 1 << 20;
/// And how long.
const LEAVING_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(1);
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What all connections use.
pub(super) struct Shop {
    pub(super) limits: Limits,
    pub(super) room: Room,
    pub(super) scratch: Box<[u8]>,
}

/// What came of a turn.
pub(super) enum Turn {
    /// Nothing more without an event or a deadline.
    Waits,
    /// There is more to do, after the others.
    Again,
    /// A whole request, with no id yet. The connection waits for its answer from now on.
    Whole(Request),
    /// The body needs so many bytes more than there are for all.
    Crowded(usize),
    /// Refused with this status; the answer is on its way.
    Refused(u16),
    /// There is nobody any more.
    Gone,
}

/// In which order connections make room, first to last; the oldest first among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Has its last answer, or none is due.
    Idle,
    /// A request is on its way; so is the first one of a connection, also before its first
    /// byte: else whoever has just come would go before those that dawdle.
    Unfinished,
    /// An answer is on its way, which the peer does not take.
    Answered,
}

enum Stage {
    Shaking,
    /// Between requests.
    Idle,
    /// The first byte of a request is awaited or there.
    Head,
    Body(Head, Body),
    /// Handed over.
    Worked(Reply),
    Answering(Reply),
    Leaving {
        discarded: usize,
    },
}

struct Body {
    bytes: Vec<u8>,
    /// As much as `bytes` has room for.
    held: Held,
}

#[derive(Clone, Copy)]
struct Reply {
    keep_alive: bool,
    with_body: bool,
}

pub(super) struct Connection {
    wire: Wire,
    peer: IpAddr,
    stage: Stage,
    /// Came, and not used yet. Never more than a head may have.
    inbox: Vec<u8>,
    /// How much of `inbox` is known to be no whole head.
    judged: usize,
    out: Out,
    /// For the order of making room.
    since: Instant,
    pub(super) deadline: Instant,
    /// Whether a turn is worth it now.
    pub(super) is_due: bool,
    /// Whether it had no turn yet: a whole request may lie there.
    pub(super) is_fresh: bool,
}

impl Connection {
    pub(super) fn new(wire: Wire, peer: IpAddr, now: Instant, limits: &Limits) -> Connection {
        let (stage, time) = if wire.is_handshaking() {
            (Stage::Shaking, limits.request_time_max)
        } else {
            (Stage::Head, limits.idle_time_max)
        };
        Connection {
            wire,
            peer: peer.to_canonical(),
            stage,
            inbox: Vec::new(),
            judged: 0,
            out: Out::default(),
            since: now,
            deadline: now + time,
            is_due: true,
            is_fresh: true,
        }
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// What it is worth when places run out. `None`: it is being worked on and stays.
    pub(super) fn worth(&self) -> Option<(Worth, Instant)> {
        let worth = match self.stage {
            Stage::Idle | Stage::Leaving { .. } => Worth::Idle,
            Stage::Shaking | Stage::Head | Stage::Body(..) => Worth::Unfinished,
            Stage::Answering(_) => Worth::Answered,
            Stage::Worked(_) => return None,
        };
        Some((worth, self.since))
    }

    /// What its unfinished body holds, and since when it has been coming.
    pub(super) fn unfinished_body(&self) -> Option<(usize, Instant)> {
        match &self.stage {
            Stage::Body(_, body) => Some((body.held.bytes(), self.since)),
            _ => None,
        }
    }

    /// Goes on as far as it can without waiting. An error of the system is a peer that has gone.
    pub(super) fn turn(&mut self, now: Instant, shop: &mut Shop) -> Turn {
        self.is_fresh = false;
        for _ in 0..LOOKS_MAX {
            match self.step(now, shop) {
                Ok(None) => {}
                Ok(Some(turn)) => return turn,
                Err(_) => return Turn::Gone,
            }
        }
        Turn::Again
    }

    /// `None`: there is another step.
    fn step(&mut self, now: Instant, shop: &mut Shop) -> io::Result<Option<Turn>> {
        let is_sent = match self.stage {
            Stage::Leaving { .. } => true,
            _ => self.wire.send(&mut self.out)?,
        };
        match &mut self.stage {
            Stage::Shaking => self.shake(now, &shop.limits),
            Stage::Idle | Stage::Head => self.gather_head(now, shop),
            Stage::Body(..) => self.gather_body(shop),
            Stage::Worked(_) => Ok(Some(Turn::Waits)),
            Stage::Answering(_) if !is_sent => Ok(Some(Turn::Waits)),
            Stage::Answering(reply) if reply.keep_alive => {
                self.begin(now, &shop.limits);
                Ok(None)
            }
            Stage::Answering(_) => {
                self.wire.end()?;
                self.stage = Stage::Leaving { discarded: 0 };
                self.inbox = Vec::new();
                (self.since, self.deadline) = (now, now + LEAVING_TIME_MAX);
                Ok(None)
            }
            Stage::Leaving { discarded } => {
                let got = self.wire.discard(&mut shop.scratch)?;
                if let Got::Bytes(count) = got {
                    *discarded += count;
                }
                let is_enough = *discarded > LEAVING_BYTES_MAX;
                Ok(if is_enough {
                    Some(Turn::Gone)
                } else {
                    ends(got)
                })
            }
        }
    }

    fn shake(&mut self, now: Instant, limits: &Limits) -> io::Result<Option<Turn>> {
        if self.wire.is_handshaking() {
            return Ok(ends(self.wire.shake()?));
        }
        self.stage = Stage::Head;
        self.deadline = now + limits.idle_time_max;
        Ok(None)
    }

    /// The next request. Its first bytes may be there already.
    fn begin(&mut self, now: Instant, limits: &Limits) {
        self.since = now;
        self.judged = 0;
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
            self.stage = Stage::Idle;
            self.deadline = now + limits.idle_time_max;
        } else {
            self.stage = Stage::Head;
            self.deadline = now + limits.request_time_max;
        }
    }

    fn gather_head(&mut self, now: Instant, shop: &mut Shop) -> io::Result<Option<Turn>> {
        if self.is_worth_judging(&shop.limits) {
            self.judged = self.inbox.len();
            match head::parse(&self.inbox, &shop.limits) {
                Err(refused) => return Ok(Some(self.refuse_head(refused, now, &shop.limits))),
                Ok(Some(head)) => {
                    self.begin_body(head, &shop.room);
                    return Ok(None);
                }
                Ok(None) => {}
            }
        }
        let most = shop.limits.head_bytes_max.saturating_sub(self.inbox.len());
        let most = most.min(shop.scratch.len());
        let got = self.wire.read(&mut shop.scratch[..most])?;
        if let Got::Bytes(count) = got {
            if self.inbox.is_empty() {
                if matches!(self.stage, Stage::Idle) {
                    self.since = now;
                }
                self.stage = Stage::Head;
                self.deadline = now + shop.limits.request_time_max;
            }
            self.inbox.extend_from_slice(&shop.scratch[..count]);
        }
        Ok(ends(got))
    }

    /// Only the first bytes, a line's end and the limit can change what is known of a head: so
    /// a peer that sends byte by byte does not have all of it read again for each.
    fn is_worth_judging(&self, limits: &Limits) -> bool {
        let fresh = self.inbox.get(self.judged..).unwrap_or_default();
        let is_full = self.inbox.len() >= limits.head_bytes_max;
        !fresh.is_empty() && (self.judged == 0 || is_full || fresh.contains(&b'\n'))
    }

    fn begin_body(&mut self, head: Head, room: &Room) {
        self.inbox.drain(..head.bytes);
        self.judged = 0;
        if head.expects_continue && head.body_bytes > 0 && self.inbox.is_empty() {
            self.out.push(CONTINUE.to_vec(), Arc::default());
        }
        let body = Body {
            bytes: Vec::new(),
            held: room.share(),
        };
        self.stage = Stage::Body(head, body);
    }

    fn gather_body(&mut self, shop: &mut Shop) -> io::Result<Option<Turn>> {
        let Stage::Body(head, body) = &mut self.stage else {
            return Ok(None);
        };
        let missing = head.body_bytes - body.bytes.len();
        if missing == 0 {
            return Ok(Some(self.finish()));
        }
        if body.bytes.len() == body.held.bytes() {
            let more = body.bytes.len().max(BODY_STEP_BYTES).min(missing);
            if !body.held.grow(more) {
                return Ok(Some(Turn::Crowded(more)));
            }
            body.bytes.reserve_exact(more);
        }
        let most = missing.min(body.held.bytes() - body.bytes.len());
        if !self.inbox.is_empty() {
            let there = most.min(self.inbox.len());
            body.bytes.extend(self.inbox.drain(..there));
            return Ok(None);
        }
        let most = most.min(shop.scratch.len());
        let got = self.wire.read(&mut shop.scratch[..most])?;
        if let Got::Bytes(count) = got {
            body.bytes.extend_from_slice(&shop.scratch[..count]);
        }
        Ok(ends(got))
    }

    /// The request is whole.
    fn finish(&mut self) -> Turn {
        let free = Stage::Leaving { discarded: 0 };
        let Stage::Body(head, body) = std::mem::replace(&mut self.stage, free) else {
            return Turn::Gone;
        };
        self.stage = Stage::Worked(Reply {
            keep_alive: head.keep_alive,
            with_body: head.method != "HEAD",
        });
        Turn::Whole(Request {
            id: RequestId::default(),
            peer: self.peer,
            method: head.method,
            path: head.path,
            headers: head.headers,
            body: body.bytes,
            _held: Some(body.held),
        })
    }

    /// The request was handed over.
    pub(super) fn wait(&mut self, now: Instant, limits: &Limits) {
        self.deadline = now + limits.answer_time_max;
    }

    /// The answer to the request that was handed over.
    pub(super) fn answer(&mut self, answer: Answer, now: Instant, limits: &Limits) {
        if let Stage::Worked(reply) = self.stage {
            self.reply(answer, reply, now, limits);
        }
    }

    /// The front's own answer, which ends the connection.
    pub(super) fn refuse(&mut self, status: u16, why: &str, now: Instant, limits: &Limits) {
        let with_body = match &self.stage {
            Stage::Worked(reply) => reply.with_body,
            Stage::Body(head, _) => head.method != "HEAD",
            _ => !self.inbox.starts_with(b"HEAD "),
        };
        let reply = Reply {
            keep_alive: false,
            with_body,
        };
        let answer = Answer::text(status, format!("{}: {why}", reason(status)));
        self.reply(answer, reply, now, limits);
    }

    fn refuse_head(&mut self, refused: Refused, now: Instant, limits: &Limits) -> Turn {
        self.refuse(refused.status, refused.why, now, limits);
        Turn::Refused(refused.status)
    }

    fn reply(&mut self, answer: Answer, reply: Reply, now: Instant, limits: &Limits) {
        let (bytes, body) = answer.render(reply.keep_alive, reply.with_body);
        self.out.push(bytes, body);
        self.stage = Stage::Answering(reply);
        (self.since, self.deadline) = (now, now + limits.send_time_max);
        self.is_due = true;
    }
}

/// What a look for bytes means for the turn.
fn ends(got: Got) -> Option<Turn> {
    match got {
        Got::Bytes(_) | Got::Progress => None,
        Got::Nothing => Some(Turn::Waits),
        Got::End => Some(Turn::Gone),
    }
}
