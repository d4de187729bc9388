//! One operation of AWS, before it is signed and sent.

use std::time::Duration;

use http::{HeaderValue, Method};

use super::retry::ATTEMPTS_MAX;

/// One operation of AWS.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name, as AWS and IAM spell it.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// Path and query, percent-encoded.
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, HeaderValue)>,
    pub(super) body: Vec<u8>,
    /// False for what AWS gives to anybody: then no credentials are needed or looked for.
    pub(super) signed: bool,
    /// Narrower limits than those of all calls, where it has some.
    pub(super) limit: Option<CallLimit>,
    /// The action that IAM allows it by, where that has another name.
    pub(super) action: Option<&'static str>,
    /// AWS answers when there is something to tell: the answer's time is that of its arrival.
    pub(super) is_long_poll: bool,
    /// Sent although the agent is stopping: it ends what was begun.
    pub(super) is_last: bool,
}

/// What one call may take, where that is less than [`super::Limits`] allow.
#[derive(Clone, Copy, Debug)]
pub struct CallLimit {
    /// Body of the answer.
    pub body_bytes_max: u64,
    /// One request from name lookup to the last byte of the answer.
    pub request: Duration,
    /// The first attempt included.
    pub attempts_max: u32,
}

impl Call {
    /// A GET of `target`.
    pub fn get(operation: &'static str, target: String) -> Call {
        Call {
            operation,
            method: Method::GET,
            target,
            headers: Vec::new(),
            body: Vec::new(),
            signed: true,
            limit: None,
            action: None,
            is_long_poll: false,
            is_last: false,
        }
    }

    /// A call of the AWS JSON 1.0 protocol.
    pub fn json(operation: &'static str, amz_target: &'static str, body: Vec<u8>) -> Call {
        let content_type = HeaderValue::from_static("application/x-amz-json-1.0");
        let headers = vec![
            ("content-type", content_type),
            ("x-amz-target", HeaderValue::from_static(amz_target)),
        ];
        Call::post(operation, headers, body)
    }

    /// A call of the AWS query protocol; `form` is percent-encoded.
    pub fn form(operation: &'static str, form: String) -> Call {
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        Call::post(operation, vec![("content-type", content_type)], form.into())
    }

    fn post(
        operation: &'static str,
        headers: Vec<(&'static str, HeaderValue)>,
        body: Vec<u8>,
    ) -> Call {
        Call {
            method: Method::POST,
            headers,
            body,
            ..Call::get(operation, String::from("/"))
        }
    }

    /// The same without a signature.
    pub fn unsigned(self) -> Call {
        Call {
            signed: false,
            ..self
        }
    }

    /// The same within `limit`.
    pub fn within(self, limit: CallLimit) -> Call {
        Call {
            limit: Some(limit),
            ..self
        }
    }

    /// The same, allowed by an action of another name: that of a batch is its single operation.
    pub fn allowed_by(self, action: &'static str) -> Call {
        Call {
            action: Some(action),
            ..self
        }
    }

    /// The same as a long poll.
    pub fn long_poll(self) -> Call {
        Call {
            is_long_poll: true,
            ..self
        }
    }

    /// The same, sent although the agent is stopping; only [`super::Clients::interrupt`] ends it.
    pub fn last(self) -> Call {
        Call {
            is_last: true,
            ..self
        }
    }

    pub(super) fn attempts_max(&self) -> u32 {
        self.limit.map_or(ATTEMPTS_MAX, |limit| limit.attempts_max)
    }
}
