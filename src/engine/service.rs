//! What the service manager is told: that the agent is ready, how it does in one line, that it
//! lives, and that it stops (sd_notify(3)).
//!
//! Ready means that the engine runs and that the listener's port is open, or that it was tried:
//! then the reason is in the status, and it is tried again. Neither AWS nor the broker is waited
//! for: at a site without a network the agent shall start, and not be killed for it.

use super::watch::{Hung, Progress};
use super::{BrokerEvent, Effect, Engine, Event, Now};
use crate::state::source::SourceState;
use crate::state::time::UnixMs;
use crate::topics::report::AgentHealth;

/// Longest status line, in characters: one line of `systemctl status`.
const STATUS_CHARS_MAX: usize = 240;
/// What the log calls it when somebody hangs.
const WATCHDOG: &str = "watchdog";

/// News for the service manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bulletin {
    /// It has started.
    Ready,
    /// How it does, in one line.
    Status(String),
    /// It lives: every worker moves.
    Alive,
    /// It stops.
    Stopping,
}

impl Bulletin {
    /// As sd_notify(3) has it.
    pub fn message(&self) -> String {
        match self {
            Bulletin::Ready => String::from("READY=1"),
            Bulletin::Status(text) => format!("STATUS={text}"),
            Bulletin::Alive => String::from("WATCHDOG=1"),
            Bulletin::Stopping => String::from("STOPPING=1"),
        }
    }
}

/// What the service manager was told.
#[derive(Clone, Debug, Default)]
pub struct Service {
    is_ready: bool,
    is_stopping: bool,
    status: String,
    /// Whether the status may have changed.
    looks: bool,
    /// Whether the listener has been opened, or could not be.
    port_is_tried: bool,
    /// Since when there is no session with the broker.
    broker_lost_at: Option<UnixMs>,
    hung: Option<Hung>,
}

/// What the status line tells of.
#[derive(Clone, Debug)]
struct Facts {
    health: AgentHealth,
    /// Sources that fail: name, since when, why.
    failing: Vec<(&'static str, UnixMs, String)>,
    /// Other trouble.
    reasons: Vec<String>,
    channels: usize,
    alarms_active: usize,
    /// Whether there is a session; if not, since when and why.
    broker: Result<(), (Option<UnixMs>, Option<String>)>,
    hung: Option<Hung>,
    now: UnixMs,
}

impl Facts {
    /// One line: how it does, then what is wrong or what there is, then the broker.
    fn line(&self) -> String {
        let mut parts = Vec::new();
        if let Some(Hung { worker, time }) = self.hung {
            let minutes = time.as_secs() / 60;
            parts.push(format!("{} hangs for {minutes} min", worker.as_str()));
        }
        let failing = self.failing.iter();
        parts.extend(failing.map(|(name, since, why)| {
            let since = clock_time(*since, self.now);
            format!("{name} fails since {since}: {why}")
        }));
        parts.extend(self.reasons.iter().cloned());
        if let Err((since, why)) = &self.broker {
            let since = since.map(|since| format!(" since {}", clock_time(since, self.now)));
            let why = why.as_ref().map(|why| format!(": {why}"));
            let (since, why) = (since.unwrap_or_default(), why.unwrap_or_default());
            let text = format!("broker away{since}{why}");
            // It is told first where it is all that is wrong; else it may be cut off.
            parts.push(text);
        }
        let health = match (self.health, self.broker.is_err() || self.hung.is_some()) {
            (AgentHealth::Ok, true) => AgentHealth::Degraded,
            (health, _) => health,
        };
        let (found, more) = match parts.split_first() {
            Some((first, rest)) => (first.clone(), rest.len()),
            None => (self.counts(), 0),
        };
        let mut line: String = format!("{}: {found}", health.as_str());
        let end = match more {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let room = STATUS_CHARS_MAX - end.chars().count();
        if line.chars().count() > room {
            line = line.chars().take(room - 1).collect();
            line.push('…');
        }
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        line.chars().map(plain).collect::<String>() + &end
    }

    fn counts(&self) -> String {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (channels, alarms) = (self.channels, self.alarms_active);
        format!(
            "{channels} channel{}, {alarms} alarm{} active, broker connected",
            plural(channels),
            plural(alarms)
        )
    }
}

/// `10:12Z`, with the date where it was not within the last day.
fn clock_time(at: UnixMs, now: UnixMs) -> String {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    let text = at.rfc3339();
    let date_and_time = text.split_once('T').and_then(|(date, time)| {
        let time = time.get(..5)?;
        Some((date, time))
    });
    match date_and_time {
        Some((_, time)) if now.0.abs_diff(at.0) < DAY_MS => format!("{time}Z"),
        Some((date, time)) => format!("{date} {time}Z"),
        None => text,
    }
}

impl Engine {
    /// Notes what the status depends on.
    pub(super) fn service_heard(&mut self, now: Now, event: &Event) {
        if !self.settings.supervised {
            return;
        }
        self.watch.heard(now.mono, event);
        let service = &mut self.service;
        match event {
            Event::Listener(_) => service.port_is_tried = true,
            Event::Broker(BrokerEvent::Connected) => service.broker_lost_at = None,
            Event::Broker(BrokerEvent::Lost(_)) => {
                service.broker_lost_at.get_or_insert(now.wall);
            }
            // They come by thousands, and what they change is seen with the next tick.
            Event::Broker(_) | Event::Push(_) | Event::Refused(_) | Event::Spool(_) => return,
            Event::Look(_) => return,
            _ => {}
        }
        service.looks = true;
    }

    /// The moment to feed the watchdog: only while everybody moves.
    pub(super) fn pulse(&mut self, now: Now, progress: Progress) {
        let hung = self.watch.look(now.mono, progress);
        self.service.hung = hung;
        let Some(Hung { worker, time }) = hung else {
            self.log_right(now, WATCHDOG, format!("{WATCHDOG}: everything moves again"));
            self.effects.push(Effect::Notify(Bulletin::Alive));
            return;
        };
        let (name, seconds) = (worker.as_str(), time.as_secs());
        let text = format!(
            "{WATCHDOG}: thread {name} has not moved for {seconds} s; the watchdog is not fed any \
             more, so that the service manager starts the agent anew"
        );
        self.log_wrong(now, WATCHDOG, log::Level::Error, text, false);
    }

    /// Tells the service manager what is news.
    pub(super) fn advance_service(&mut self, now: Now) {
        if !self.settings.supervised {
            return;
        }
        for effect in &self.effects {
            self.watch.handed(now.mono, effect);
        }
        if self.stopping.is_some() {
            if !std::mem::replace(&mut self.service.is_stopping, true) {
                let text = String::from("stopping");
                self.effects.push(Effect::Notify(Bulletin::Stopping));
                self.effects.push(Effect::Notify(Bulletin::Status(text)));
            }
            return;
        }
        if std::mem::take(&mut self.service.looks) {
            let status = self.facts(now).line();
            if status != self.service.status {
                self.service.status.clone_from(&status);
                self.effects.push(Effect::Notify(Bulletin::Status(status)));
            }
        }
        let may_be_ready = self.service.port_is_tried || !self.settings.listens;
        if may_be_ready && !self.service.is_ready {
            self.service.is_ready = true;
            self.effects.push(Effect::Notify(Bulletin::Ready));
        }
    }

    fn facts(&self, now: Now) -> Facts {
        let (health, reasons) = self.agent_health();
        let sources = self.told.sources();
        let failing = sources.filter(|(_, status)| status.state == SourceState::Failing);
        let failing: Vec<_> = failing
            .filter_map(|(source, status)| {
                let why = status.error.as_ref()?.to_string();
                Some((source.as_str(), status.since, why))
            })
            .collect();
        // Those of the sources come first.
        let reasons = reasons.into_iter().skip(failing.len()).collect();
        let why = self
            .broker
            .reason
            .as_ref()
            .or(self.ownership.reason.as_ref());
        let alarms = self.alarms.iter();
        Facts {
            health,
            failing,
            reasons,
            channels: self.inventory.counts().0,
            alarms_active: alarms.filter(|(_, alarm)| alarm.state == "ALARM").count(),
            broker: match self.broker.connected {
                true => Ok(()),
                false => Err((self.service.broker_lost_at, why.cloned())),
            },
            hung: self.service.hung,
            now: now.wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::watch::Worker;

    /// 2026-11-22T10:30:00Z.
    const NOW: UnixMs = UnixMs(1_795_343_400_000);
    const MINUTE_MS: i64 = 60_000;

    fn well() -> Facts {
        Facts {
            health: AgentHealth::Ok,
            failing: Vec::new(),
            reasons: Vec::new(),
            channels: 12,
            alarms_active: 1,
            broker: Ok(()),
            hung: None,
            now: NOW,
        }
    }

    fn ago(minutes: i64) -> UnixMs {
        NOW.plus_ms(-minutes * MINUTE_MS)
    }

    #[test]
    fn the_status_is_one_line_for_people() {
        let fails = |minutes, why: &str| ("mediapackage", ago(minutes), why.to_owned());
        let degraded = Facts {
            health: AgentHealth::Degraded,
            ..well()
        };
        let cases = [
            (well(), "ok: 12 channels, 1 alarm active, broker connected"),
            (
                Facts {
                    channels: 1,
                    alarms_active: 0,
                    ..well()
                },
                "ok: 1 channel, 0 alarms active, broker connected",
            ),
            (
                Facts {
                    health: AgentHealth::Starting,
                    broker: Err((None, None)),
                    ..well()
                },
                "starting: broker away",
            ),
            (
                Facts {
                    failing: vec![fails(18, "no route\nto host; wait")],
                    ..degraded.clone()
                },
                "degraded: mediapackage fails since 10:12Z: no route to host; wait",
            ),
            (
                Facts {
                    health: AgentHealth::Failing,
                    failing: vec![fails(3000, "denied")],
                    broker: Err((Some(ago(1)), Some("refused".into()))),
                    ..degraded.clone()
                },
                "failing: mediapackage fails since 2026-11-20 08:30Z: denied (and 1 more)",
            ),
            (
                Facts {
                    reasons: vec!["the spool: full".into()],
                    ..degraded
                },
                "degraded: the spool: full",
            ),
            (
                Facts {
                    broker: Err((Some(ago(1)), Some("refused".into()))),
                    ..well()
                },
                "degraded: broker away since 10:29Z: refused",
            ),
            (
                Facts {
                    hung: Some(Hung {
                        worker: Worker::Media,
                        time: Duration::from_secs(400),
                    }),
                    ..well()
                },
                "degraded: poll-mp hangs for 6 min",
            ),
        ];
        for (facts, wanted) in cases {
            assert_eq!(facts.line(), wanted);
        }
    }

    #[test]
    fn the_status_is_bounded() {
        let why = "é".repeat(1000);
        let facts = Facts {
            failing: vec![("alarms", NOW, why.clone()), ("sqs", NOW, why)],
            ..well()
        };
        let line = facts.line();
        assert_eq!(line.chars().count(), STATUS_CHARS_MAX);
        assert!(line.ends_with("… (and 1 more)"), "{line}");
    }

    #[test]
    fn bulletins_are_written_as_systemd_reads_them() {
        let cases = [
            (Bulletin::Ready, "READY=1"),
            (Bulletin::Status("ok: x".into()), "STATUS=ok: x"),
            (Bulletin::Alive, "WATCHDOG=1"),
            (Bulletin::Stopping, "STOPPING=1"),
        ];
        for (bulletin, wanted) in cases {
            assert_eq!(bulletin.message(), wanted);
        }
    }
}
