//! The default chain, in order: the environment, a role by a token of web identity, the shared
//! files, a container's endpoint, an instance's. The order is botocore's: the environment wins
//! over `AWS_PROFILE`, and of a profile a role wins over keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::imds::{self, Absent};
use super::reach::Reach;
use super::shared_files::{FileKind, Profile, profile};
use super::sts::{Role, RoleOnTop, web_identity};
use super::{Credentials, Fixed, Provider, Source, container, files, process, unusable};
use crate::config::Secret;
use crate::state::fault::{Fault, FaultKind};

/// Profiles that lead on to each other.
const PROFILES_MAX: usize = 5;

/// The places, fixed at start; what stands there is read each time.
pub struct Chain {
    env: BTreeMap<String, String>,
    reach: Arc<Reach>,
}

/// One of the two shared files and what it says of the profile.
struct Shared {
    path: PathBuf,
    profile: Profile,
    /// Why it could not be read.
    trouble: Option<String>,
}

impl Source for Chain {
    fn read(&self) -> Result<Credentials, Fault> {
        if let Some(found) = self.environment()? {
            return Ok(found);
        }
        let given = self.var("AWS_PROFILE");
        let name = given.unwrap_or("default");
        let files = self.files(name);
        if let Some(found) = self.role(name, &files, &mut Vec::new())? {
            return Ok(found);
        }
        if let Some(found) = self.web_identity_of_env()? {
            return Ok(found);
        }
        if let Some(found) = self.profile(name, &files)? {
            return Ok(found);
        }
        if let Some(fault) = unsupported(name, &files) {
            return Err(fault);
        }
        if let Some(found) = container::read(&self.reach, |name| self.var(name))? {
            return Ok(found);
        }
        // Whoever names a profile that is not there does not mean the machine's own role.
        let mistyped = given.is_some() && files.iter().all(|file| file.profile.is_empty());
        let absent = match mistyped {
            true => Absent::NotHere(String::from("not asked, since AWS_PROFILE is set")),
            false => match imds::read(&self.reach, |name| self.var(name)) {
                Ok(found) => return Ok(found),
                Err(absent) => absent,
            },
        };
        match absent {
            Absent::NotHere(why) => Err(nothing_found(name, &files, &why)),
            Absent::Failed(fault) => Err(fault),
        }
    }
}

impl Chain {
    /// The chain that an environment leads to.
    pub fn new(env: &BTreeMap<String, String>, reach: Arc<Reach>) -> Chain {
        // Of the environment nothing is kept but what is looked at.
        let ours = |(name, _): &(&String, &String)| name.starts_with("AWS_") || *name == "HOME";
        let env = env
            .iter()
            .filter(ours)
            .map(|(name, value)| (name.clone(), value.clone()));
        Chain {
            env: env.collect(),
            reach,
        }
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

    fn web_identity_of_env(&self) -> Result<Option<Credentials>, Fault> {
        const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
        let Some(file) = self.var(FILE) else {
            return Ok(None);
        };
        let arn = self.var("AWS_ROLE_ARN").ok_or_else(|| {
            let what = format!("{FILE} is set, and AWS_ROLE_ARN is missing");
            unusable(what, "set both")
        })?;
        let name = self.var("AWS_ROLE_SESSION_NAME");
        let role = self.role_of(arn, name, None, None)?;
        web_identity(&self.reach, &role, Path::new(file), FILE).map(Some)
    }

    /// A role that the profile takes on top of another profile or another source.
    fn role(
        &self,
        name: &str,
        files: &[Shared; 2],
        seen: &mut Vec<String>,
    ) -> Result<Option<Credentials>, Fault> {
        let get = |key: &str| files.iter().find_map(|file| file.profile.get(key));
        let Some(arn) = get("role_arn").filter(|_| get("web_identity_token_file").is_none()) else {
            return Ok(None);
        };
        let bad = |what: &str, remedy: &str| unusable(format!("profile \"{name}\" {what}"), remedy);
        if get("mfa_serial").is_some() {
            let remedy = "give the agent keys and a role that need no person";
            return Err(bad("asks for a one-time password (mfa_serial)", remedy));
        }
        seen.push(name.to_owned());
        let below = match (get("source_profile"), get("credential_source")) {
            (Some(next), None) => self.below(name, next, seen)?,
            (None, Some(word)) => self.named_source(name, word)?,
            _ => {
                let what = "has a role_arn, and not one of source_profile and credential_source";
                return Err(bad(what, "write one of them, or [credentials.assume_role]"));
            }
        };
        let session = get("role_session_name").map(String::as_str);
        let external_id = get("external_id").map(Secret::new);
        let seconds = get("duration_seconds").map(|text| {
            let seconds = text.parse().map(Duration::from_secs);
            seconds.map_err(|_| bad("has a duration_seconds that is no number", "mend it"))
        });
        let role = self.role_of(arn, session, external_id, seconds.transpose()?)?;
        let base = Provider::over(Box::new(Fixed(below)), self.reach.clock.clone());
        let on_top = RoleOnTop {
            base: Arc::new(base),
            role,
            reach: self.reach.clone(),
        };
        on_top.read().map(Some)
    }

    /// What a `source_profile` gives: a role in turn, or its own keys.
    fn below(&self, name: &str, next: &str, seen: &mut Vec<String>) -> Result<Credentials, Fault> {
        let files = self.files(next);
        let again = seen.iter().any(|profile| profile == next);
        let too_many = seen.len() >= PROFILES_MAX;
        // A profile may name itself for its own keys.
        if again && next != name || too_many {
            let what = format!("profile \"{name}\" leads on to \"{next}\" without end");
            return Err(unusable(what, "mend source_profile"));
        }
        if !again && let Some(found) = self.role(next, &files, seen)? {
            return Ok(found);
        }
        if let Some(found) = self.profile(next, &files)? {
            return found.checked();
        }
        Err(unsupported(next, &files).unwrap_or_else(|| {
            let what = format!("profile \"{next}\", the source_profile of \"{name}\", has no keys");
            unusable(what, "give it keys or credential_process")
        }))
    }

    /// What a `credential_source` gives.
    fn named_source(&self, name: &str, word: &str) -> Result<Credentials, Fault> {
        let found = match word {
            "Environment" => self.environment()?,
            "EcsContainer" => container::read(&self.reach, |name| self.var(name))?,
            "Ec2InstanceMetadata" => match imds::read(&self.reach, |name| self.var(name)) {
                Ok(found) => Some(found),
                Err(Absent::Failed(fault)) => return Err(fault),
                Err(Absent::NotHere(_)) => None,
            },
            _ => None,
        };
        let what = || format!("credential_source {word:?} of profile \"{name}\" gives none");
        let remedy = "it may be Environment, EcsContainer or Ec2InstanceMetadata";
        found.ok_or_else(|| unusable(what(), remedy))
    }

    /// A role as a profile or the environment gives it.
    fn role_of(
        &self,
        arn: &str,
        session_name: Option<&str>,
        external_id: Option<Secret>,
        duration: Option<Duration>,
    ) -> Result<Role, Fault> {
        if !arn.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(unusable(
                String::from("the ARN of the role to take has a blank in it"),
                "check role_arn or AWS_ROLE_ARN",
            ));
        }
        let session_name = session_name.unwrap_or(&self.reach.session_name);
        Ok(Role {
            arn: arn.to_owned(),
            external_id,
            session_name: session_name.to_owned(),
            duration,
        })
    }

    /// What a profile has of its own. botocore's order: web identity, keys of the credentials
    /// file, a process, keys of the config file.
    fn profile(&self, name: &str, files: &[Shared; 2]) -> Result<Option<Credentials>, Fault> {
        let get = |key: &str| files.iter().find_map(|file| file.profile.get(key));
        if let (Some(file), Some(arn)) = (get("web_identity_token_file"), get("role_arn")) {
            let session = get("role_session_name").map(String::as_str);
            let role = self.role_of(arn, session, None, None)?;
            let origin = format!("profile \"{name}\"");
            return web_identity(&self.reach, &role, &self.path(file), &origin).map(Some);
        }
        let [credentials, config] = files;
        if let Some(found) = credentials.keys(name)? {
            return Ok(Some(found));
        }
        for file in files {
            if let Some(command) = file.profile.get("credential_process") {
                let path = file.path.display();
                let source = format!("credential_process of profile \"{name}\" in {path}");
                let (limit, stop) = (self.reach.limits.process, &self.reach.stop);
                return process::run(command, &source, limit, stop).map(Some);
            }
        }
        config.keys(name)
    }

    /// Both shared files: credentials, config.
    fn files(&self, name: &str) -> [Shared; 2] {
        let var = "AWS_SHARED_CREDENTIALS_FILE";
        [
            self.shared(var, "~/.aws/credentials", FileKind::Credentials, name),
            self.shared("AWS_CONFIG_FILE", "~/.aws/config", FileKind::Config, name),
        ]
    }

    /// Reads the file that `var` names, else `usual`.
    fn shared(&self, var: &str, usual: &str, kind: FileKind, name: &str) -> Shared {
        let path = self.path(self.var(var).unwrap_or(usual));
        let (text, trouble) = match files::text(&path) {
            Ok(text) => (text, None),
            Err(error) => (String::new(), Some(error.to_string())),
        };
        Shared {
            path,
            profile: profile(&text, kind, name),
            trouble,
        }
    }

    fn path(&self, given: &str) -> PathBuf {
        match (given.strip_prefix("~/"), self.var("HOME")) {
            (Some(below), Some(home)) => Path::new(home).join(below),
            _ => PathBuf::from(given),
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

fn nothing_found(name: &str, files: &[Shared], metadata: &str) -> Fault {
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
             the environment (AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, \
             AWS_CONTAINER_CREDENTIALS_FULL_URI), {}, the instance metadata service ({metadata})",
            places.join(", ")
        ),
        "fill in [credentials] or [credentials.iot], or give this program's user a profile",
    )
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
            || ["web_identity_token_file", "login_session"].contains(&key.as_str())
    };
    let (file, key) = files
        .iter()
        .find_map(|file| Some((file, file.profile.keys().find(known)?)))?;
    let path = file.path.display();
    if key == "web_identity_token_file" {
        let what = format!("profile \"{name}\" in {path} has a {key}, and no role_arn");
        return Some(unusable(what, "write both"));
    }
    Some(unusable(
        format!("profile \"{name}\" in {path} uses {key}, which is not supported"),
        "put credential_process (such as `aws configure export-credentials`) or keys there",
    ))
}
