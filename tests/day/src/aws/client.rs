//! Stands where the connection to AWS is: whoever asks gets what a function answers. What is not
//! an answer becomes the fault that it becomes in the agent, by the agent's own reading.

use http::HeaderMap;

use super::answer::Refusal;
use super::call::Call;
use super::retry;
use crate::state::fault::{Fault, FaultKind};

/// One request.
pub struct Asked<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// As they are sent, without the signature.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body.
    pub body: &'a [u8],
}

/// What came of it: a status, headers and a body, or the connection broke.
pub type Reply = Option<(u16, HeaderMap, Vec<u8>)>;

/// One service of AWS.
pub struct Service<'a> {
    carry: &'a dyn Fn(&Asked<'_>) -> Reply,
}

impl<'a> Service<'a> {
    /// Asks this function.
    pub fn asking(carry: &'a dyn Fn(&Asked<'_>) -> Reply) -> Service<'a> {
        Service { carry }
    }

    /// Sends `call` and returns the body of the answer. Nothing is sent twice.
    ///
    /// # Errors
    ///
    /// What AWS refuses, in its kind, and [`FaultKind::Network`] for a broken connection.
    pub fn send(&self, call: &Call) -> Result<Vec<u8>, Fault> {
        let headers = call.headers.iter();
        let headers = headers.filter_map(|(name, value)| Some((*name, value.to_str().ok()?)));
        let asked = Asked {
            method: call.method.as_str(),
            target: &call.target,
            headers: headers.collect(),
            body: &call.body,
        };
        let Some((status, headers, body)) = (self.carry)(&asked) else {
            let what = format!(
                "the connection ended within the answer to {}",
                call.operation
            );
            return Err(Fault::new(FaultKind::Network, what, ""));
        };
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let Refusal { code, message } = Refusal::read(&headers, &body);
        let (kind, _) = retry::classify(status, code.as_deref());
        let message = message.unwrap_or_default();
        let what = format!(
            "AWS refused {} with status {status}: {message}",
            call.operation
        );
        Err(Fault {
            code,
            ..Fault::new(kind, what, "")
        })
    }
}
