//! The server front on real sockets: what it answers, and what nobody can do to it.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/certificates.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod certificates;

#[path = "http_front/alone.rs"]
mod alone;
#[path = "http_front/answers.rs"]
mod answers;
#[path = "http_front/crowds.rs"]
mod crowds;
#[path = "http_front/limits.rs"]
mod limits;
#[path = "http_front/rig.rs"]
mod rig;
#[path = "http_front/tls.rs"]
mod tls;
