//! The credentials that requests are signed with: where they come from, how long they are
//! good, and when they are read again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::AwsClock;
use super::stop::Stop;
use crate::config::{Keys, Secret};
use crate::log::Steady;
use crate::state::fault::{Fault, FaultKind};
use crate::state::time::UnixMs;

mod chain;
mod process;
mod shared_files;

use chain::Chain;

/// Credentials are replaced this long before they expire.
const REFRESH_MS_BEFORE: i64 = 5 * 60 * 1000;
/// A source that failed is left alone this long while the old credentials live.
const REFRESH_PAUSE_MS: i64 = 30 * 1000;
/// What the log calls trouble with it.
const RENEWAL: &str = "renewal";

/// A key of AWS and where it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Access key id; held back like a secret in everything that is shown.
    pub access_key_id: Secret,
    /// Secret access key.
    pub secret_access_key: Secret,
    /// Session token of temporary keys.
    pub session_token: Option<Secret>,
    /// When the session ends, by AWS's clock; `None`: never.
    pub expires_at: Option<UnixMs>,
    /// Where they were found, in words for the reader.
    pub source: Arc<str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("expires_at", &self.expires_at)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// `text` without any of the three values in it.
    pub fn redact(&self, text: &str) -> String {
        let values = self.values().filter(|value| !value.is_empty());
        values.fold(text.to_owned(), |text, value| text.replace(value, "…"))
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        let keys = [&self.access_key_id, &self.secret_access_key];
        keys.into_iter()
            .chain(&self.session_token)
            .map(Secret::expose)
    }

    /// What cannot stand in a header cannot be a key: told here, where the source is known.
    fn checked(self) -> Result<Credentials, Fault> {
        let fits = |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic());
        if self.values().all(fits) {
            return Ok(self);
        }
        Err(Fault::new(
            FaultKind::Credentials,
            format!(
                "{} holds a key or token that is empty or has blanks in it",
                self.source
            ),
            "write each value whole, on one line and without quotes or a comment",
        ))
    }
}

/// Hands out credentials, reads them when needed and keeps them while they are good.
pub struct Provider {
    chain: Chain,
    clock: AwsClock,
    held: Mutex<Option<Held>>,
    trouble: Steady,
}

struct Held {
    credentials: Credentials,
    read_at: UnixMs,
    /// After a failed refresh: the source is not asked before that.
    not_before: UnixMs,
}

impl Provider {
    /// Nothing is read yet.
    ///
    /// `keys` is the `[credentials]` table, which goes before everything that `env` leads to;
    /// `process_limit` bounds one run of a `credential_process`.
    pub fn new(
        keys: Option<Keys>,
        env: &BTreeMap<String, String>,
        clock: AwsClock,
        stop: Stop,
        process_limit: Duration,
    ) -> Provider {
        let chain = Chain::new(keys, env, stop, process_limit);
        Provider {
            chain,
            clock,
            held: Mutex::new(None),
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
    /// [`FaultKind::Stopped`] when stopped meanwhile.
    pub fn current(&self) -> Result<Credentials, Fault> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let Some(old) = held.as_mut() else {
            return self.read(&mut held);
        };
        let due = self.clock.learned() && refresh_due(old.credentials.expires_at, old.read_at, now);
        if !due || now < old.not_before {
            return Ok(old.credentials.clone());
        }
        let fault = match self.chain.read().and_then(|new| living(new, now)) {
            Ok(new) => {
                self.trouble.right(RENEWAL, "credentials are renewed");
                return Ok(keep(&mut held, new, now));
            }
            Err(fault) => fault,
        };
        if old.credentials.expires_at.is_some_and(|end| now < end) {
            let text = format!("credentials could not be renewed yet: {fault}");
            self.trouble.wrong(RENEWAL, log::Level::Warn, text, false);
            old.not_before = now.plus_ms(REFRESH_PAUSE_MS);
            return Ok(old.credentials.clone());
        }
        Err(fault)
    }

    /// Credentials to try after AWS refused `rejected`: the source is read again, unless
    /// another thread has done it since.
    ///
    /// # Errors
    ///
    /// As [`Provider::current`].
    pub fn afresh(&self, rejected: &Credentials) -> Result<Credentials, Fault> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_ref() {
            Some(newer) if newer.credentials != *rejected => Ok(newer.credentials.clone()),
            _ => self.read(&mut held),
        }
    }

    fn read(&self, held: &mut Option<Held>) -> Result<Credentials, Fault> {
        let new = self.chain.read()?;
        Ok(keep(held, new, self.clock.now()))
    }
}

fn living(credentials: Credentials, now: UnixMs) -> Result<Credentials, Fault> {
    match credentials.expires_at {
        Some(end) if end <= now => Err(Fault::new(
            FaultKind::Credentials,
            format!(
                "{} gave credentials that expired at {end}",
                credentials.source
            ),
            "renew the session they are of",
        )),
        _ => Ok(credentials),
    }
}

fn keep(held: &mut Option<Held>, credentials: Credentials, now: UnixMs) -> Credentials {
    let kept = Held {
        credentials: credentials.clone(),
        read_at: now,
        not_before: now,
    };
    *held = Some(kept);
    credentials
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

    fn example(id: &str, secret: &str, token: Option<&str>) -> Credentials {
        Credentials {
            access_key_id: Secret::new(id),
            secret_access_key: Secret::new(secret),
            session_token: token.map(Secret::new),
            expires_at: None,
            source: "environment variables".into(),
        }
    }

    #[test]
    fn no_value_of_a_key_is_shown() {
        let key = example("keyid", "s3cret", Some("t0ken"));
        assert_eq!(key.redact("a keyid b s3cret c t0ken d"), "a … b … c … d");
        let shown = format!("{key:?}");
        for value in ["keyid", "s3cret", "t0ken"] {
            assert!(!shown.contains(value), "{shown}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_told_with_its_source() {
        let cases = [
            example("", "secret", None),
            example("key", "sec ret", None),
            example("key", "secret", Some("tok\nen")),
            example("key", "se\u{fc}cret", None),
        ];
        for key in cases {
            let fault = key.checked().unwrap_err();
            assert_eq!(fault.kind, FaultKind::Credentials);
            assert!(fault.what.contains("environment variables"), "{fault}");
            assert!(!fault.what.contains("ret"), "{fault}");
        }
        assert!(example("key", "secret", Some("token")).checked().is_ok());
    }
}
