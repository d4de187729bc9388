//! Why a poll did not give what was asked, in the words of the person who reads it.

use std::fmt;

/// What kind of trouble it is: it decides what the reader can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// No credentials were found, or AWS does not take them.
    Credentials,
    /// The credentials are good, but the IAM policy does not allow this call.
    Permission,
    /// AWS asks us to slow down.
    Throttled,
    /// Our clock is too far from AWS's, or before the program was built.
    Clock,
    /// No connection: TCP, TLS, proxy or a time-out.
    Network,
    /// DNS does not know the name: the region has no such service, or DNS does not work.
    NoSuchHost,
    /// AWS answered that it failed (5xx).
    Server,
    /// The request was refused as wrong (other 4xx).
    Refused,
    /// The answer is not what the API promises: malformed, truncated, looping.
    Answer,
    /// The answer is larger than may be.
    TooLarge,
    /// The agent is stopping.
    Stopped,
}

impl FaultKind {
    /// Whether the next call would fail in the same way, whatever it asks for.
    pub fn concerns_all(self) -> bool {
        match self {
            FaultKind::Credentials
            | FaultKind::Throttled
            | FaultKind::Clock
            | FaultKind::Network
            | FaultKind::NoSuchHost
            | FaultKind::Stopped => true,
            FaultKind::Permission
            | FaultKind::Server
            | FaultKind::Refused
            | FaultKind::Answer
            | FaultKind::TooLarge => false,
        }
    }
}

/// One failure: what happened, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of trouble.
    pub kind: FaultKind,
    /// AWS's own error code (`AccessDeniedException`), where there is one.
    pub code: Option<String>,
    /// What happened and where, one sentence, without secrets.
    pub what: String,
    /// What the reader can do, one sentence; empty when waiting is all.
    pub remedy: String,
}

impl Fault {
    /// A fault without an AWS code.
    pub fn new(kind: FaultKind, what: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault {
            kind,
            code: None,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// True when `other` would tell the reader nothing new.
    pub fn same_as(&self, other: &Fault) -> bool {
        self.kind == other.kind && self.code == other.code
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.remedy.as_str()) {
            (Some(code), "") => write!(f, "{code}: {}", self.what),
            (Some(code), remedy) => write!(f, "{code}: {}; {remedy}", self.what),
            (None, "") => f.write_str(&self.what),
            (None, remedy) => write!(f, "{}; {remedy}", self.what),
        }
    }
}

impl std::error::Error for Fault {}
