//! Credentials of a container: ECS, EKS Pod Identity, AWS IoT Greengrass, and whatever else
//! says by two variables where it gives them.
//!
//! Sources: AWS SDKs and tools reference guide, "Container credential provider"; botocore
//! credentials.py, `ContainerProvider`.

use std::path::Path;
use std::time::Duration;

use http::HeaderValue;

use super::reach::{Peer, Reach, Way};
use super::{Credentials, files, metadata, refused_by_source, unusable};
use crate::aws::call::{Call, CallLimit};
use crate::aws::retry::ATTEMPTS_MAX;
use crate::config::{self, Secret, ServiceUrl};
use crate::state::fault::Fault;

/// A path at the agent of ECS.
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// A whole URL.
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// The agent of ECS.
const ECS: &str = "http://169.254.170.2";
/// Who may be asked in clear text besides this machine: the agents of ECS and of EKS.
const NEAR_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
const LIMIT: CallLimit = CallLimit {
    body_bytes_max: 64 * 1024,
    request: Duration::from_secs(2),
    attempts_max: ATTEMPTS_MAX,
};

/// Reads them; `None` when `var` names no such place.
///
/// # Errors
///
/// [`crate::state::fault::FaultKind::Credentials`] when the place may not be asked or gives
/// none; as the place was not reached.
pub fn read<'a>(
    reach: &Reach,
    var: impl Fn(&str) -> Option<&'a str>,
) -> Result<Option<Credentials>, Fault> {
    let Some((name, url)) = place(&var) else {
        return Ok(None);
    };
    let (url, target) = allowed(name, &url)?;
    let token = token(&var)?;
    let mut call = Call::get("GetCredentials", target);
    if let Some(token) = &token {
        let mut value = HeaderValue::from_str(token.expose())
            .map_err(|_| unusable(format!("{TOKEN} cannot stand in a header"), ""))?;
        value.set_sensitive(true);
        call.headers.push(("authorization", value));
    }
    let peer = Peer {
        name: "container credential endpoint",
        url: &url,
        way: Way::Near,
    };
    let asked = reach.ask(peer, call.within(LIMIT)).map_err(|mut fault| {
        if let Some(token) = &token {
            // It may quote what it refuses.
            fault.what = fault.what.replace(token.expose(), "…");
        }
        refused_by_source(fault, "check the role of the task, pod or component")
    })?;
    let source = format!("the container's credential endpoint ({name})");
    metadata::parse(&asked, &source).map(Some)
}

/// The variable that names the place, and its URL.
fn place<'a>(var: &impl Fn(&str) -> Option<&'a str>) -> Option<(&'static str, String)> {
    match (var(RELATIVE), var(FULL)) {
        (Some(path), _) => Some((RELATIVE, format!("{ECS}/{}", path.trim_start_matches('/')))),
        (None, Some(url)) => Some((FULL, url.to_owned())),
        (None, None) => None,
    }
}

/// Origin and target of a URL that a token may be sent to: by TLS to anybody, else only to
/// this machine and to who is known to answer on the link.
fn allowed(name: &str, url: &str) -> Result<(ServiceUrl, String), Fault> {
    let bad = |why: &str| {
        let remedy = "it must be https://, or http:// to this machine, 169.254.170.2, \
                      169.254.170.23 or [fd00:ec2::23]";
        unusable(format!("{name} {why}"), remedy)
    };
    let (origin, rest) = config::any_url(url).map_err(|why| bad(&why))?;
    if !origin.tls && !origin.loopback && !NEAR_HOSTS.contains(&origin.host.as_str()) {
        return Err(bad("leads to another machine in clear text"));
    }
    let target = match rest.is_empty() {
        true => String::from("/"),
        false => rest,
    };
    Ok((origin, target))
}

fn token<'a>(var: &impl Fn(&str) -> Option<&'a str>) -> Result<Option<Secret>, Fault> {
    let Some(file) = var(TOKEN_FILE) else {
        return Ok(var(TOKEN).map(Secret::new));
    };
    files::token(Path::new(file)).map(Some).map_err(|error| {
        let what = format!("{file} of {TOKEN_FILE} cannot be used: {error}");
        unusable(
            what,
            "check that it is there, and that this user may read it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_who_may_be_told_the_token() {
        let relative = |path: &str| (RELATIVE, path.to_owned());
        let full = |url: &str| (FULL, url.to_owned());
        let cases = [
            (
                relative("/v2/a?id=1"),
                Ok("http://169.254.170.2 /v2/a?id=1"),
            ),
            (relative("v2"), Ok("http://169.254.170.2 /v2")),
            (relative("@evil.example.net/"), Err("user or a password")),
            (full("http://localhost:80/x"), Ok("http://localhost /x")),
            (full("http://[::1]:8/"), Ok("http://[::1]:8 /")),
            (full("http://127.9.9.9"), Ok("http://127.9.9.9 /")),
            (
                full("http://169.254.170.23/v1/credentials"),
                Ok("http://169.254.170.23 /v1/credentials"),
            ),
            (
                full("http://[fd00:ec2::23]/"),
                Ok("http://[fd00:ec2::23] /"),
            ),
            (full("https://example.net/x"), Ok("https://example.net /x")),
            (full("http://example.net/x"), Err("clear text")),
            (full("http://169.254.169.254/x"), Err("clear text")),
            (full("http://localhost.example.net/"), Err("clear text")),
            (full("ftp://localhost/x"), Err("https://")),
            (full("/v2/x"), Err("no scheme")),
        ];
        for ((name, text), wanted) in cases {
            let var = |asked: &str| (asked == name).then_some(text.as_str());
            let (_, url) = place(&var).unwrap();
            match (allowed(name, &url), wanted) {
                (Ok((origin, target)), Ok(wanted)) => {
                    assert_eq!(format!("{} {target}", origin.text), wanted);
                }
                (Err(fault), Err(wanted)) => {
                    let shown = fault.to_string();
                    assert!(shown.contains(wanted) && shown.contains(name), "{shown}");
                }
                (got, _) => panic!("{text}: {:?}", got.map(|(url, _)| url.text)),
            }
        }
    }
}
