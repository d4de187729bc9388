//! The credentials that requests are signed with: where they come from, how long they are
//! good, and when they are read again.
//!
//! A [`Source`] reads them once, a [`Provider`] keeps them while they are good. A role that is
//! taken on top of a source is a source itself, and has a provider of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::clock::AwsClock;
use super::stop::Stop;
use super::transport::{Limits, trusted_roots};
use crate::config::{Config, Keys, Secret};
use crate::state::apis::is_not_had;
use crate::state::fault::{Fault, FaultKind};
use crate::state::time::UnixMs;

mod chain;
mod container;
mod files;
mod imds;
mod iot;
mod metadata;
mod process;
mod provider;
mod reach;
mod shared_files;
mod sts;

pub use provider::Provider;
pub(super) use reach::Reach;

use chain::Chain;
use iot::Thing;
use sts::{Role, RoleOnTop};

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

/// Where credentials are read.
pub trait Source: Send + Sync {
    /// Reads them now.
    ///
    /// # Errors
    ///
    /// Mostly [`FaultKind::Credentials`]; never [`FaultKind::Permission`] or
    /// [`FaultKind::NoSuchHost`], which would be taken for those of the service that is to be
    /// asked with them.
    fn read(&self) -> Result<Credentials, Fault>;
}

/// Credentials that never change.
struct Fixed(Credentials);

impl Source for Fixed {
    fn read(&self) -> Result<Credentials, Fault> {
        Ok(self.0.clone())
    }
}

impl From<&Keys> for Fixed {
    fn from(keys: &Keys) -> Fixed {
        Fixed(Credentials {
            access_key_id: Secret::new(keys.access_key_id.as_str()),
            secret_access_key: keys.secret_access_key.clone(),
            session_token: keys.session_token.clone(),
            expires_at: None,
            source: "[credentials] in the config file".into(),
        })
    }
}

impl Provider {
    /// What the config says, and where it says nothing the default chain that `env` leads to.
    /// Nothing is read yet.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Network`] when `ca_file` cannot be used, [`FaultKind::Credentials`] when
    /// `AWS_ENDPOINT_URL_STS` is no URL.
    pub fn new(
        config: &Config,
        env: &BTreeMap<String, String>,
        clock: AwsClock,
        stop: Stop,
        limits: Limits,
    ) -> Result<Provider, Fault> {
        let reach = Reach::new(config, env, trusted_roots(config)?, (clock, stop, limits))?;
        Ok(of_config(config, env, &Arc::new(reach)))
    }
}

/// The provider of a config.
pub(super) fn of_config(
    config: &Config,
    env: &BTreeMap<String, String>,
    reach: &Arc<Reach>,
) -> Provider {
    let source: Box<dyn Source> = match (&config.credentials, &config.iot) {
        (Some(keys), _) => Box::new(Fixed::from(keys)),
        (None, Some(iot)) => Box::new(Thing::new(iot.clone(), reach.clone())),
        (None, None) => Box::new(Chain::new(env, reach.clone())),
    };
    let base = Provider::over(source, reach.clock.clone());
    let Some(role) = &config.assume_role else {
        return base;
    };
    let on_top = RoleOnTop {
        base: Arc::new(base),
        role: Role::from(role),
        reach: reach.clone(),
    };
    Provider::over(Box::new(on_top), reach.clock.clone())
}

/// A fault of a source, told with `remedy`, as one of the credentials: it says nothing of the
/// service that is to be asked with them.
fn of_source(fault: Fault, remedy: Option<&str>) -> Fault {
    let kind = match fault.kind {
        FaultKind::Permission | FaultKind::Refused | FaultKind::Answer | FaultKind::TooLarge => {
            FaultKind::Credentials
        }
        FaultKind::NoSuchHost => FaultKind::Network,
        kind => kind,
    };
    Fault {
        kind,
        code: fault.code.filter(|code| !is_not_had(code)),
        remedy: remedy.map_or(fault.remedy, str::to_owned),
        what: fault.what,
    }
}

/// The same, where `remedy` is for an answer and not for the way there.
fn refused_by_source(fault: Fault, remedy: &str) -> Fault {
    let fault = of_source(fault, None);
    let by_source = fault.kind == FaultKind::Credentials;
    of_source(fault, by_source.then_some(remedy))
}

fn unusable(what: String, remedy: &str) -> Fault {
    Fault::new(FaultKind::Credentials, what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

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
