//! `once`: polls everything one time and prints what `run` would keep retained.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use super::clock::Clock;
use super::{poller, settings};
use crate::aws::Stop;
use crate::config::Config;
use crate::engine::{Effect, Engine, Event, HomeAssistant, Settings};
use crate::error::Failure;
use crate::topics::PAYLOAD_BYTES_MAX;

/// Prints `topic<TAB>payload` lines in topic order on standard output.
///
/// # Errors
///
/// When a source fails; what the others gave is printed all the same.
pub fn once(config: &Config) -> Result<(), Failure> {
    let clock = Clock::start();
    let poller = poller(config, clock, Stop::new())?;
    let settings = settings(config, None, false);
    let settings = Settings {
        // There is no broker to wait for.
        first_session_wait: Duration::ZERO,
        home_assistant: HomeAssistant {
            wait: Duration::ZERO,
            ..settings.home_assistant.clone()
        },
        // Nobody waits for another try.
        detail_tries: 1,
        ..settings
    };
    let mut engine = Engine::new(settings, clock.now());
    let mut waiting = vec![Event::Started];
    while !engine.has_all() {
        let event = match waiting.pop() {
            Some(event) => event,
            None if engine.awaits_details() => {
                // The next are got in their time.
                let now = clock.now();
                std::thread::sleep(engine.deadline(now).since(now.mono));
                Event::Tick { memory_bytes: None }
            }
            None => break,
        };
        for effect in engine.handle(clock.now(), event) {
            match effect {
                Effect::Poll(job) => waiting.push(Event::Polled(poller.answer(job))),
                Effect::Log(level, text) => log::log!(level, "{text}"),
                // Without broker and listener nothing of these comes about.
                Effect::ReadStore(_)
                | Effect::Connect
                | Effect::Publish(_)
                | Effect::Answer { .. }
                | Effect::Confirm { .. }
                | Effect::Show { .. }
                | Effect::Spool(_)
                | Effect::Notify(_)
                | Effect::KeepMeter(_)
                | Effect::Finish(_) => {}
            }
        }
    }
    let mut out = std::io::stdout().lock();
    for (topic, payload) in engine.retained() {
        if payload.len() > PAYLOAD_BYTES_MAX {
            let bytes = payload.len();
            log::warn!("{topic} is left out: {bytes} bytes are more than {PAYLOAD_BYTES_MAX}");
            continue;
        }
        match writeln!(out, "{topic}\t{payload}") {
            Ok(()) => {}
            // Whoever read has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Failure::failed(format!("cannot write to stdout: {error}"))),
        }
    }
    match engine.faults().as_slice() {
        [] => Ok(()),
        faults => Err(Failure::failed(faults.join("\n"))),
    }
}
