//! The role of an EC2 instance, by its metadata service of version 2. Asked last: a box outside
//! AWS has no such service, and must hear that soon.
//!
//! Sources: EC2 user guide, "Use the Instance Metadata Service to access instance metadata" and
//! "Retrieve security credentials from instance metadata"; botocore utils.py, `IMDSFetcher`.

use std::time::Duration;

use http::{HeaderValue, Method};

use super::reach::{Peer, Reach, Way};
use super::{Credentials, metadata, refused_by_source, unusable};
use crate::aws::call::{Call, CallLimit};
use crate::aws::retry::ATTEMPTS_MAX;
use crate::config::{self, Secret, ServiceUrl};
use crate::state::fault::{Fault, FaultKind};

const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
const IPV4: &str = "http://169.254.169.254";
const IPV6: &str = "http://[fd00:ec2::254]";
/// Who may be asked besides this machine.
const NEAR_HOSTS: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
/// Of the token, which is used at once.
const TOKEN_SECONDS: &str = "60";
/// Longest name of a role (IAM `roleNameType`).
const ROLE_BYTES_MAX: usize = 64;

/// Whether there is such a service: one attempt.
const FIRST: CallLimit = CallLimit {
    body_bytes_max: 4 * 1024,
    request: Duration::from_secs(2),
    attempts_max: 1,
};
const NEXT: CallLimit = CallLimit {
    body_bytes_max: 64 * 1024,
    request: Duration::from_secs(2),
    attempts_max: ATTEMPTS_MAX,
};

/// Why there are none.
pub enum Absent {
    /// This is no instance, or it has no role.
    NotHere(String),
    /// It has, and gives none.
    Failed(Fault),
}

/// Reads them.
///
/// # Errors
///
/// Both kinds of [`Absent`]. Version 1, which anybody on the machine can be made to ask, is
/// never used.
pub fn read<'a>(
    reach: &Reach,
    var: impl Fn(&str) -> Option<&'a str>,
) -> Result<Credentials, Absent> {
    let disabled = var(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if disabled {
        return Err(Absent::NotHere(format!(
            "not asked, since {DISABLED} is set"
        )));
    }
    let url = endpoint(var).map_err(Absent::Failed)?;
    let ask = |call: Call| {
        let peer = Peer {
            name: "instance metadata service",
            url: &url,
            way: Way::Near,
        };
        reach.ask(peer, call)
    };
    let token = Call {
        method: Method::PUT,
        ..Call::get("GetToken", TOKEN_PATH.to_owned())
    };
    let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS);
    let token = ask(with(token, ttl).map_err(Absent::Failed)?.within(FIRST));
    let token = token.map_err(|fault| match fault.kind {
        FaultKind::Stopped => Absent::Failed(fault),
        _ => Absent::NotHere(fault.what),
    })?;
    let token = Secret::new(String::from_utf8_lossy(&token).trim());
    let get = |operation, path: String| {
        let call = with(
            Call::get(operation, path),
            ("x-aws-ec2-metadata-token", token.expose()),
        );
        ask(call?.within(NEXT)).map_err(|mut fault| {
            fault.what = fault.what.replace(token.expose(), "…");
            fault
        })
    };
    let roles = get("GetRole", ROLES_PATH.to_owned()).map_err(|fault| {
        if fault.what.contains("status 404") {
            return Absent::NotHere(String::from("it says that this instance has no role"));
        }
        failed(fault)
    })?;
    let role = role_name(&roles).map_err(Absent::Failed)?;
    let answer = get("GetCredentials", format!("{ROLES_PATH}{role}")).map_err(failed)?;
    let source = format!("the instance metadata service (role {role})");
    metadata::parse(&answer, &source).map_err(Absent::Failed)
}

fn failed(fault: Fault) -> Absent {
    let remedy = "check the role of the instance (its instance profile)";
    Absent::Failed(refused_by_source(fault, remedy))
}

fn with(mut call: Call, (name, value): (&'static str, &str)) -> Result<Call, Fault> {
    let what = || String::from("the instance metadata service gave a token that is none");
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| unusable(what(), "check what answers there"))?;
    value.set_sensitive(true);
    call.headers.push((name, value));
    Ok(call)
}

fn endpoint<'a>(var: impl Fn(&str) -> Option<&'a str>) -> Result<ServiceUrl, Fault> {
    let ipv6 = var(MODE).is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
    let usual = if ipv6 { IPV6 } else { IPV4 };
    let bad = |why: &str| {
        let remedy = "it must be http:// to this machine, 169.254.169.254 or [fd00:ec2::254]";
        unusable(format!("{ENDPOINT} {why}"), remedy)
    };
    let (url, rest) = config::any_url(var(ENDPOINT).unwrap_or(usual)).map_err(|why| bad(&why))?;
    if !matches!(rest.as_str(), "" | "/") {
        return Err(bad("must end after host and port"));
    }
    if !url.loopback && !NEAR_HOSTS.contains(&url.host.as_str()) {
        return Err(bad("leads to another machine"));
    }
    Ok(url)
}

/// The first role; it becomes part of a path.
fn role_name(answer: &[u8]) -> Result<String, Fault> {
    let text = String::from_utf8_lossy(answer);
    let name = text.lines().next().unwrap_or_default().trim();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    match (1..=ROLE_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        true => Ok(name.to_owned()),
        false => Err(unusable(
            String::from("the instance metadata service named no role"),
            "check what answers there",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_the_link_are_asked() {
        let cases = [
            (None, None, Ok("http://169.254.169.254")),
            (None, Some("IPv6"), Ok("http://[fd00:ec2::254]")),
            (
                Some("http://127.0.0.1:1338/"),
                None,
                Ok("http://127.0.0.1:1338"),
            ),
            (
                Some("http://[fd00:ec2::254]"),
                None,
                Ok("http://[fd00:ec2::254]"),
            ),
            (Some("http://example.net"), None, Err("another machine")),
            (Some("http://127.0.0.1/x"), None, Err("end after")),
            (Some("127.0.0.1"), None, Err("no scheme")),
        ];
        for (given, mode, wanted) in cases {
            let var = |name: &str| match name {
                ENDPOINT => given,
                MODE => mode,
                _ => None,
            };
            match (endpoint(var), wanted) {
                (Ok(url), Ok(wanted)) => assert_eq!(url.text, wanted),
                (Err(fault), Err(word)) => assert!(fault.what.contains(word), "{fault}"),
                (got, _) => panic!("{given:?}: {:?}", got.map(|url| url.text)),
            }
        }
    }

    #[test]
    fn a_role_is_named_by_one_level_of_a_path() {
        assert_eq!(role_name(b"edge-role\nother\n").as_deref(), Ok("edge-role"));
        for odd in ["", "\n", "../token", "a b", "<html>", &"x".repeat(65)] {
            assert!(role_name(odd.as_bytes()).is_err(), "{odd}");
        }
        assert!(role_name(&[0xff; 8]).is_err());
    }
}
