//! `check`: looks at every part once and says what it finds and what to do about it.
//!
//! It takes no lock, keeps no port open and has a client id of its own, so that it may run
//! beside the agent. Nothing in AWS is changed, but that a message of the queue counts as received
//! once more; at the broker one topic of our own is written and cleared.

mod aws;
mod broker;
mod certificates;
pub mod cost;
mod listener;
mod media;
mod page;
mod place;
mod queue;
mod report;

use std::io::Write;
use std::time::Duration;

use super::signals::Signals;
use super::threads::Threads;
use crate::aws::Stop;
use crate::config::Config;
use crate::error::Failure;

use report::Report;

/// How long AWS may take for all that is asked of it.
const AWS_SECONDS_MAX: u64 = 120;
/// How long threads that are no longer needed may take to end.
const JOIN_MAX: Duration = Duration::from_secs(1);

/// Prints one line for each part: `ok`, `note`, `warn` or `fail`, with the remedy.
///
/// # Errors
///
/// When a part does not work, or when it is stopped before its end.
pub fn check(config: &Config, offline: bool) -> Result<(), Failure> {
    let mut report = Report::new(std::io::stdout().lock());
    place::config(&mut report, config);
    place::state_folder(&mut report, config, offline);
    listener::check(&mut report, config);
    page::check(&mut report, config);
    certificates::of_thing(&mut report, config);
    if offline {
        place::offline(&mut report, config);
        return report.finish();
    }
    let stop = Stop::new();
    let signals = Signals::watch(&stop)?;
    let mut threads = Threads::default();
    let asked = online(&mut report, config, &stop, &mut threads);
    let stopped = stop.requested();
    stop.request();
    threads.join(JOIN_MAX);
    signals.join();
    asked?;
    let result = report.finish();
    if stopped {
        return Err(Failure::failed("stopped before everything was looked at"));
    }
    result
}

/// The parts that need the network.
fn online<W: Write>(
    report: &mut Report<W>,
    config: &Config,
    stop: &Stop,
    threads: &mut Threads,
) -> Result<(), Failure> {
    let picture = aws::check(report, config, stop, threads)?;
    if stop.requested() {
        return Ok(());
    }
    broker::check(report, config, &picture, stop, threads)
}
