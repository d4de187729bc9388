//! Hands out credentials, has them read when needed and keeps them while they are good.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Credentials, Source, unusable};
use crate::aws::clock::AwsClock;
use crate::log::Steady;
use crate::state::fault::{Fault, FaultKind};
use crate::state::time::UnixMs;

/// Credentials are replaced this long before they expire.
const REFRESH_MS_BEFORE: i64 = 5 * 60 * 1000;
/// A source that failed is left alone this long while the old credentials live.
const REFRESH_PAUSE_MS: i64 = 30 * 1000;
/// What the log calls trouble with it.
const RENEWAL: &str = "renewal";

/// Credentials of one source. Threads share it: one of them asks the source, and the others
/// wait only where there is nothing good to go on with.
pub struct Provider {
    source: Box<dyn Source>,
    clock: AwsClock,
    state: Mutex<State>,
    /// Told when the source has answered.
    answered: Condvar,
    trouble: Steady,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// A thread asks the source now.
    asking: bool,
    /// Answers of the source so far, failures among them.
    answers: u64,
    /// The last answer, where it was a failure.
    failed: Option<Fault>,
}

struct Held {
    credentials: Credentials,
    /// By AWS's clock, as far as it was known.
    read_at: UnixMs,
    /// Whether it was: else what is learned of it later counts for `read_at` too.
    read_by_aws: bool,
    /// The last refresh that failed, by AWS's clock.
    failed_at: Option<UnixMs>,
}

impl Provider {
    /// Over one source. Nothing is read yet.
    pub fn over(source: Box<dyn Source>, clock: AwsClock) -> Provider {
        Provider {
            source,
            clock,
            state: Mutex::default(),
            answered: Condvar::new(),
            trouble: Steady::default(),
        }
    }

    /// Credentials that are good now.
    ///
    /// While the old ones live a source that fails is passed over.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Credentials`] when none are found or those found are over,
    /// [`FaultKind::Stopped`] when stopped meanwhile, and how the source was not reached.
    pub fn current(&self) -> Result<Credentials, Fault> {
        let mut state = self.lock();
        let begun = state.answers;
        loop {
            let now = self.clock.now();
            if let Some(held) = state.held.as_ref().filter(|held| self.lives(held, now))
                && (state.asking || !self.is_due(held, now))
            {
                return Ok(held.credentials.clone());
            }
            if !state.asking {
                match &state.failed {
                    // Whoever asked has failed meanwhile: asking again would give the same.
                    Some(fault) if state.answers != begun => return Err(fault.clone()),
                    _ => return self.ask(state, true),
                }
            }
            state = self.wait(state);
        }
    }

    /// Credentials to try after AWS refused `rejected`: the source is read again, unless
    /// another thread has done it since.
    ///
    /// # Errors
    ///
    /// As [`Provider::current`].
    pub fn afresh(&self, rejected: &Credentials) -> Result<Credentials, Fault> {
        let mut state = self.lock();
        let begun = state.answers;
        loop {
            match state.held.as_ref() {
                Some(newer) if newer.credentials != *rejected => {
                    return Ok(newer.credentials.clone());
                }
                _ => {}
            }
            if !state.asking {
                match &state.failed {
                    Some(fault) if state.answers != begun => return Err(fault.clone()),
                    _ => return self.ask(state, false),
                }
            }
            state = self.wait(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let answered = self.answered.wait_while(state, |state| state.asking);
        answered.unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the source, without holding up those who have no need to wait for it. Where
    /// `old_will_do`, the old credentials stand in for a failure as long as they live.
    fn ask(
        &self,
        mut state: MutexGuard<'_, State>,
        old_will_do: bool,
    ) -> Result<Credentials, Fault> {
        state.asking = true;
        drop(state);
        let answer = self.source.read().and_then(Credentials::checked);
        let answer = answer.and_then(|new| self.living(new));
        let now = self.clock.now();
        let mut state = self.lock();
        state.asking = false;
        state.answers += 1;
        self.answered.notify_all();
        let fault = match answer {
            Ok(new) => {
                state.keep(new.clone(), now, self.clock.learned());
                self.trouble.right(RENEWAL, "credentials are renewed again");
                return Ok(new);
            }
            Err(fault) => fault,
        };
        let State { held, failed, .. } = &mut *state;
        let Some(held) = held else {
            return Err(failed.insert(fault).clone());
        };
        held.failed_at = Some(now);
        if !self.lives(held, now) {
            return Err(failed.insert(too_late(held, fault)).clone());
        }
        let is_news = failed.as_ref().is_none_or(|told| is_other(told, &fault));
        let fault = failed.insert(fault);
        if !old_will_do {
            return Err(fault.clone());
        }
        if fault.kind != FaultKind::Stopped {
            let text = format!("credentials could not be renewed yet: {fault}");
            self.trouble.wrong(RENEWAL, log::Level::Warn, text, is_news);
        }
        Ok(held.credentials.clone())
    }

    /// Whether AWS would still take them, as far as its time is known.
    fn lives(&self, held: &Held, now: UnixMs) -> bool {
        let end = held.credentials.expires_at;
        !self.clock.learned() || end.is_none_or(|end| now < end)
    }

    fn is_due(&self, held: &Held, now: UnixMs) -> bool {
        let read_at = match held.read_by_aws {
            true => held.read_at,
            false => held.read_at.plus_ms(self.clock.offset_ms()),
        };
        let pause = held.failed_at.map(|at| now.0.saturating_sub(at.0));
        let paused = pause.is_some_and(|ms| (0..REFRESH_PAUSE_MS).contains(&ms));
        let end = held.credentials.expires_at;
        self.clock.learned() && refresh_due(end, read_at, now) && !paused
    }

    /// A session that is over when it comes is none.
    fn living(&self, credentials: Credentials) -> Result<Credentials, Fault> {
        match credentials.expires_at {
            Some(end) if self.clock.learned() && end <= self.clock.now() => Err(unusable(
                format!(
                    "{} gave credentials that expired at {end}",
                    credentials.source
                ),
                "renew the session they are of",
            )),
            _ => Ok(credentials),
        }
    }
}

impl State {
    fn keep(&mut self, credentials: Credentials, read_at: UnixMs, read_by_aws: bool) {
        self.failed = None;
        self.held = Some(Held {
            credentials,
            read_at,
            read_by_aws,
            failed_at: None,
        });
    }
}

/// What there is to say when a session has ended and its source gives no other.
fn too_late(held: &Held, fault: Fault) -> Fault {
    let Some(end) = held.credentials.expires_at else {
        return fault;
    };
    if fault.kind == FaultKind::Stopped {
        return fault;
    }
    let source = &held.credentials.source;
    Fault {
        what: format!(
            "the credentials of {source} expired at {end} and could not be renewed: {}",
            fault.what
        ),
        ..fault
    }
}

/// Whether a session is to be renewed: five minutes before its end, but of a short one not
/// before three quarters of it are over.
fn refresh_due(expires_at: Option<UnixMs>, read_at: UnixMs, now: UnixMs) -> bool {
    let Some(end) = expires_at else {
        return false;
    };
    let lifetime_ms = end.0.saturating_sub(read_at.0).max(0);
    now >= end.plus_ms(-REFRESH_MS_BEFORE.min(lifetime_ms / 4))
}

/// Whether the reader has something else to do about it than before.
fn is_other(told: &Fault, fault: &Fault) -> bool {
    !told.same_as(fault) || told.remedy != fault.remedy
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_session_is_renewed_before_it_ends() {
        let cases = [
            ("no end", None, 0, i64::MAX, false),
            ("an hour, early", Some(60), 0, 55 * MINUTE - 1, false),
            ("an hour, late", Some(60), 0, 55 * MINUTE, true),
            ("8 minutes, early", Some(8), 0, 6 * MINUTE - 1, false),
            ("8 minutes, late", Some(8), 0, 6 * MINUTE, true),
            ("over when read", Some(1), 2 * MINUTE, 2 * MINUTE, true),
        ];
        for (name, end, read_at, now, wanted) in cases {
            let end = end.map(|minutes: i64| UnixMs(minutes * MINUTE));
            assert_eq!(
                refresh_due(end, UnixMs(read_at), UnixMs(now)),
                wanted,
                "{name}"
            );
        }
    }

    #[test]
    fn another_reason_or_remedy_is_news() {
        let fault = |what: &str, remedy: &str| unusable(String::from(what), remedy);
        let told = fault("request 4711 failed", "a");
        let network = Fault::new(FaultKind::Network, "no route", "");
        let cases = [
            ("the same", fault("request 4711 failed", "a"), false),
            ("another remedy", fault("request 4711 failed", "b"), true),
            ("another kind", network, true),
        ];
        for (name, fault, wanted) in cases {
            assert_eq!(is_other(&told, &fault), wanted, "{name}");
        }
    }
}
