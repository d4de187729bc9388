//! Where credentials are looked for, in order: the config file, the environment, the shared
//! files. The order of the last two is botocore's: the environment wins over `AWS_PROFILE`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::shared_files::{FileKind, Profile, profile};
use super::{Credentials, process};
use crate::aws::stop::Stop;
use crate::config::{Keys, Secret};
use crate::state::fault::{Fault, FaultKind};

/// A shared file; real ones have a few hundred lines.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The places, fixed at start; what stands there is read each time.
pub struct Chain {
    keys: Option<Keys>,
    env: BTreeMap<String, String>,
    stop: Stop,
    process_limit: Duration,
}

/// One of the two shared files and what it says of the profile.
struct Shared {
    path: PathBuf,
    profile: Profile,
    /// Why it could not be read.
    trouble: Option<String>,
}

impl Chain {
    /// `keys` is the `[credentials]` table: when it is there nothing else is looked at.
    pub fn new(
        keys: Option<Keys>,
        env: &BTreeMap<String, String>,
        stop: Stop,
        process_limit: Duration,
    ) -> Chain {
        // Of the environment nothing is kept but what is looked at.
        let ours = |(name, _): &(&String, &String)| name.starts_with("AWS_") || *name == "HOME";
        let env = env
            .iter()
            .filter(ours)
            .map(|(name, value)| (name.clone(), value.clone()));
        Chain {
            keys,
            env: env.collect(),
            stop,
            process_limit,
        }
    }

    /// Reads the first source that has any.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Credentials`] naming the source that is incomplete or failed, or every
    /// place that was looked at; [`FaultKind::Stopped`].
    pub fn read(&self) -> Result<Credentials, Fault> {
        if let Some(keys) = &self.keys {
            let credentials = Credentials {
                access_key_id: Secret::new(keys.access_key_id.as_str()),
                secret_access_key: keys.secret_access_key.clone(),
                session_token: keys.session_token.clone(),
                expires_at: None,
                source: "[credentials] in the config file".into(),
            };
            return credentials.checked();
        }
        if let Some(found) = self.environment()? {
            return found.checked();
        }
        self.shared_files()?.checked()
    }

    /// A variable that is set and not empty.
    fn var(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn environment(&self) -> Result<Option<Credentials>, Fault> {
        let names = [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ];
        static_keys(names, |name| self.var(name), "environment variables".into())
    }

    /// botocore's order: keys of the credentials file, a process, keys of the config file.
    fn shared_files(&self) -> Result<Credentials, Fault> {
        let name = self.var("AWS_PROFILE").unwrap_or("default");
        let var = "AWS_SHARED_CREDENTIALS_FILE";
        let credentials = self.shared(var, "~/.aws/credentials", FileKind::Credentials, name);
        let config = self.shared("AWS_CONFIG_FILE", "~/.aws/config", FileKind::Config, name);
        if let Some(found) = credentials.keys(name)? {
            return Ok(found);
        }
        for file in [&credentials, &config] {
            if let Some(command) = file.profile.get("credential_process") {
                let path = file.path.display();
                let source = format!("credential_process of profile \"{name}\" in {path}");
                return process::run(command, &source, self.process_limit, &self.stop);
            }
        }
        if let Some(found) = config.keys(name)? {
            return Ok(found);
        }
        let files = [credentials, config];
        Err(unsupported(name, &files).unwrap_or_else(|| nothing_found(name, &files)))
    }

    /// Reads the file that `var` names, else `usual`.
    fn shared(&self, var: &str, usual: &str, kind: FileKind, name: &str) -> Shared {
        let given = self.var(var).unwrap_or(usual);
        let path = match (given.strip_prefix("~/"), self.var("HOME")) {
            (Some(below), Some(home)) => Path::new(home).join(below),
            _ => PathBuf::from(given),
        };
        let (text, trouble) = match read_text(&path) {
            Ok(text) => (text, None),
            Err(error) => (String::new(), Some(error.to_string())),
        };
        Shared {
            path,
            profile: profile(&text, kind, name),
            trouble,
        }
    }
}

impl Shared {
    fn keys(&self, name: &str) -> Result<Option<Credentials>, Fault> {
        let names = [
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
        ];
        let source = format!("profile \"{name}\" in {}", self.path.display());
        let get = |key: &str| self.profile.get(key).map(String::as_str);
        static_keys(names, get, source.into())
    }
}

fn nothing_found(name: &str, files: &[Shared]) -> Fault {
    let place = |file: &Shared| {
        let path = file.path.display();
        match &file.trouble {
            Some(trouble) => format!("{path} ({trouble})"),
            None => format!("{path} (no keys of profile \"{name}\")"),
        }
    };
    let places: Vec<String> = files.iter().map(place).collect();
    Fault::new(
        FaultKind::Credentials,
        format!(
            "no AWS credentials found; looked at [credentials] in the config file, \
             the environment (AWS_ACCESS_KEY_ID), {}",
            places.join(", ")
        ),
        "fill in [credentials], or give this program's user a profile",
    )
}

/// A file as text; what is no UTF-8 stands in comments, if anywhere.
fn read_text(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Id, secret and token by their `names`. Half a key is a fault, for it is a typing error.
fn static_keys<'a>(
    names: [&str; 3],
    get: impl Fn(&str) -> Option<&'a str>,
    source: Arc<str>,
) -> Result<Option<Credentials>, Fault> {
    let [id, secret, token] = names.map(&get);
    let missing = match (id, secret) {
        (None, None) => return Ok(None),
        (Some(id), Some(secret)) => {
            return Ok(Some(Credentials {
                access_key_id: Secret::new(id),
                secret_access_key: Secret::new(secret),
                session_token: token.map(Secret::new),
                expires_at: None,
                source,
            }));
        }
        (None, _) => names[0],
        (_, None) => names[1],
    };
    let what = format!("{source}: {missing} is missing");
    Err(Fault::new(
        FaultKind::Credentials,
        what,
        "give both halves of the key there",
    ))
}

/// A profile that leads on to something this program does not follow.
fn unsupported(name: &str, files: &[Shared]) -> Option<Fault> {
    let known = |key: &&String| {
        key.starts_with("sso_")
            || ["role_arn", "web_identity_token_file", "credential_source"].contains(&key.as_str())
    };
    let (file, key) = files
        .iter()
        .find_map(|file| Some((file, file.profile.keys().find(known)?)))?;
    Some(Fault::new(
        FaultKind::Credentials,
        format!(
            "profile \"{name}\" in {} uses {key}, which is not supported",
            file.path.display()
        ),
        "put credential_process (such as `aws configure export-credentials`) or keys there",
    ))
}
