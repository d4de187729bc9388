//! The texts that the agent reads and writes by the thousand at every poll: the series that it
//! asks CloudWatch for, their values, and the payloads of metrics. Here they are only text and
//! numbers; what they mean is decided where they come from and go to.
//!
//! These few functions took most of the CPU time of a site with a hundred channels. So they are
//! compiled for speed, and nearly all else for size. What is generic is compiled by whoever calls
//! it: that is why nothing public here is, and why functions are taken as `dyn Fn`.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        reason = "a test that meets a surprise shall stop there"
    )
)]

mod metrics;
mod page;
mod request;

pub use metrics::{Head, Input, Metrics, Own, Tail};
pub use page::{GivenSeries, numbers, page};
pub use request::{AskedSeries, NAMESPACE, Window, request};
