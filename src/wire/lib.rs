//! The texts that the agent reads and writes by the thousand at every poll: the series that it
//! asks CloudWatch for, their values, and the payloads of metrics. Here they are only text and
//! numbers; what they mean is decided where they come from and go to.
//!
//! These few functions take most of the CPU time of a site with a hundred channels. So they are
//! compiled for speed, and the rest of the agent for size.

#![warn(missing_docs)]
#![forbid(unsafe_code)]

mod metrics;
mod page;
mod request;

pub use metrics::{Head, Input, Metrics, Own, Tail};
pub use page::{Series, numbers, page};
pub use request::{Query, Window, request};
