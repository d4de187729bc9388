//! `once`: polls everything one time and prints what `run` would keep retained.

use std::io::Write;
use std::time::Duration;

use super::clock::Clock;
use super::{poller, settings};
use crate::aws::Stop;
use crate::config::Config;
use crate::engine::{Effect, Engine, Event, Settings};
use crate::error::Failure;

/// Prints `topic<TAB>payload` lines in topic order on standard output.
///
/// # Errors
///
/// When a source fails; what the others gave is printed all the same.
pub fn once(config: &Config) -> Result<(), Failure> {
    let clock = Clock::start();
    let poller = poller(config, clock, Stop::new())?;
    let settings = Settings {
        // There is no broker to wait for.
        first_session_wait: Duration::ZERO,
        ..settings(config, None, false)
    };
    let mut engine = Engine::new(settings, clock.now());
    let mut waiting = vec![Event::Started];
    while let Some(event) = waiting.pop() {
        for effect in engine.handle(clock.now(), event) {
            match effect {
                Effect::Poll(job) => waiting.push(Event::Polled(poller.answer(job))),
                Effect::Log(level, text) => log::log!(level, "{text}"),
                Effect::ReadStore(_) | Effect::Connect | Effect::Publish(_) | Effect::Finish(_) => {
                }
            }
        }
        if engine.all_asked() {
            break;
        }
    }
    let mut out = std::io::stdout().lock();
    for (topic, payload) in engine.retained() {
        if writeln!(out, "{topic}\t{payload}").is_err() {
            // Whoever read has seen enough.
            return Ok(());
        }
    }
    match engine.faults().as_slice() {
        [] => Ok(()),
        faults => Err(Failure::failed(faults.join("\n"))),
    }
}
