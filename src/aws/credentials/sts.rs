//! A role taken from AWS STS: on top of other credentials, or for a token of web identity.
//!
//! Source: STS API reference, `AssumeRole` and `AssumeRoleWithWebIdentity`; STS speaks the query
//! protocol only, and answers in XML. IAM user guide, "Roles terms and concepts" (role chaining).

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::reach::Reach;
use super::{Credentials, Provider, Source, files, of_source, unusable};
use crate::aws::call::{Call, CallLimit};
use crate::aws::retry::ATTEMPTS_MAX;
use crate::config::{AssumeRole, Secret};
use crate::state::fault::{Fault, FaultKind};
use crate::state::time::UnixMs;

const ASSUME: &str = "AssumeRole";
const ASSUME_WEB: &str = "AssumeRoleWithWebIdentity";
const VERSION: &str = "2011-06-15";
const LIMIT: CallLimit = CallLimit {
    body_bytes_max: 64 * 1024,
    request: Duration::from_secs(10),
    attempts_max: ATTEMPTS_MAX,
};

/// What stands in STS's refusal, code or message, and what to do about it; the first counts.
const REMEDIES: [(&str, &str); 9] = [
    (
        "1 hour session limit",
        "write duration = \"1h\" or less: the keys below are of a role themselves (role chaining)",
    ),
    (
        "DurationSeconds",
        "shorten duration, or raise the longest session of the role (MaxSessionDuration)",
    ),
    (
        "AccessDenied",
        "allow sts:AssumeRole on the role to the keys below it, and let the role's trust policy \
         trust them; where that asks for sts:ExternalId, give external_id",
    ),
    (
        "RegionDisabled",
        "enable STS for this region: IAM console, Account settings, Security Token Service",
    ),
    ("MalformedPolicyDocument", "mend the policies of the role"),
    (
        "PackedPolicyTooLarge",
        "shorten the policies and tags of the session",
    ),
    (
        "ValidationError",
        "check role_arn, external_id, session_name and duration",
    ),
    (
        "ExpiredToken",
        "renew the token or the session below the role",
    ),
    (
        "IdentityToken",
        "check that the token is of an identity provider of this account and for its audience",
    ),
];

/// A role, and how it is taken.
#[derive(Clone)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// External id, where its trust policy asks for one.
    pub external_id: Option<Secret>,
    /// How the session is called in CloudTrail.
    pub session_name: String,
    /// How long it shall last; `None`: as STS has it.
    pub duration: Option<Duration>,
}

impl From<&AssumeRole> for Role {
    fn from(role: &AssumeRole) -> Role {
        Role {
            arn: role.role_arn.clone(),
            external_id: role.external_id.clone(),
            session_name: role.session_name.clone(),
            duration: Some(role.duration),
        }
    }
}

impl Role {
    fn form(&self, action: &str) -> String {
        let mut form = format!("Action={action}&Version={VERSION}");
        let mut add = |name: &str, value: &str| {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            // Writing to a string does not fail.
            let _ = write!(form, "&{name}={value}");
        };
        add("RoleArn", &self.arn);
        add("RoleSessionName", &self.session_name);
        if let Some(duration) = self.duration {
            add("DurationSeconds", &duration.as_secs().to_string());
        }
        if let Some(id) = &self.external_id {
            add("ExternalId", id.expose());
        }
        form
    }
}

/// A role on top of other credentials.
pub struct RoleOnTop {
    /// Whose keys sign.
    pub base: Arc<Provider>,
    /// What is taken.
    pub role: Role,
    /// How STS is reached.
    pub reach: Arc<Reach>,
}

impl Source for RoleOnTop {
    fn read(&self) -> Result<Credentials, Fault> {
        // The fault of the base is told as it is, not as one of STS.
        let below = self.base.current()?;
        let role = &self.role;
        let call = Call::form(ASSUME, role.form(ASSUME)).within(LIMIT);
        let asked = self.reach.ask_sts(Some(self.base.clone()), &call);
        let answer = asked.map_err(|fault| {
            let external_id = role.external_id.as_ref();
            told(fault, &role.arn, external_id)
        })?;
        let source = format!("{} -> role {}", below.source, role.arn);
        session(ASSUME, &answer, source)
    }
}

/// Takes a role for the token in `file`, as EKS does it (IAM roles for service accounts).
///
/// # Errors
///
/// As [`Source::read`].
pub fn web_identity(
    reach: &Reach,
    role: &Role,
    file: &Path,
    origin: &str,
) -> Result<Credentials, Fault> {
    let token = files::token(file).map_err(|error| {
        let what = format!("{} of {origin} cannot be used: {error}", file.display());
        unusable(
            what,
            "check that it is there, and that this user may read it",
        )
    })?;
    let encoded = utf8_percent_encode(token.expose(), NON_ALPHANUMERIC);
    let form = format!("{}&WebIdentityToken={encoded}", role.form(ASSUME_WEB));
    let call = Call::form(ASSUME_WEB, form).unsigned().within(LIMIT);
    let asked = reach.ask_sts(None, &call);
    let answer = asked.map_err(|fault| told(fault, &role.arn, Some(&token)))?;
    let source = format!("the web identity token of {origin} -> role {}", role.arn);
    session(ASSUME_WEB, &answer, source)
}

/// STS's refusal, without the secret of the request and with what to do.
fn told(mut fault: Fault, role_arn: &str, secret: Option<&Secret>) -> Fault {
    if let Some(secret) = secret {
        fault.what = fault.what.replace(secret.expose(), "…");
    }
    let code = fault.code.as_deref().unwrap_or_default();
    let said = |words: &str| code.contains(words) || fault.what.contains(words);
    let known = REMEDIES.iter().find(|(words, _)| said(words));
    let remedy = match fault.kind {
        FaultKind::Stopped => None,
        _ => known.map(|(_, remedy)| *remedy),
    };
    fault.what = format!("role {role_arn} is not had: {}", fault.what);
    of_source(fault, remedy)
}

/// The session in STS's answer.
fn session(action: &str, answer: &[u8], source: String) -> Result<Credentials, Fault> {
    credentials(action, answer, &source).ok_or_else(|| {
        Fault::new(
            FaultKind::Credentials,
            format!("the answer to {action} holds no session"),
            "check AWS_ENDPOINT_URL_STS and whether a proxy answers in AWS's place",
        )
    })
}

/// Reads the four fields, each there once. They have no character that XML would write in
/// another way, so that no more of XML need be read.
fn credentials(action: &str, answer: &[u8], source: &str) -> Option<Credentials> {
    let text = std::str::from_utf8(answer).ok()?;
    let result = element(text, &format!("{action}Result"))?;
    let session = element(result, "Credentials")?;
    let field = |name: &str| {
        let value = element(session, name)?.trim();
        let plain = value.bytes().all(|b| b.is_ascii_graphic()) && !value.contains(['<', '&']);
        (plain && !value.is_empty()).then_some(value)
    };
    Some(Credentials {
        access_key_id: Secret::new(field("AccessKeyId")?),
        secret_access_key: Secret::new(field("SecretAccessKey")?),
        session_token: Some(Secret::new(field("SessionToken")?)),
        expires_at: Some(UnixMs::parse(field("Expiration")?)?),
        source: source.into(),
    })
}

/// What stands between the only `<name>` and the only `</name>`.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let (_, rest) = text.split_once(&begin)?;
    let (inside, after) = rest.split_once(&end)?;
    let again = inside.contains(&begin) || after.contains(&begin) || after.contains(&end);
    (!again).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:iam::123456789012:role/edge";

    fn role(external_id: Option<&str>) -> Role {
        Role {
            arn: ARN.into(),
            external_id: external_id.map(Secret::new),
            session_name: "edge@site".into(),
            duration: Some(Duration::from_secs(900)),
        }
    }

    #[test]
    fn what_goes_into_the_form_cannot_leave_its_field() {
        let form = role(Some("a&Policy=x +")).form(ASSUME);
        let wanted = "Action=AssumeRole&Version=2011-06-15\
                      &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fedge\
                      &RoleSessionName=edge%40site&DurationSeconds=900\
                      &ExternalId=a%26Policy%3Dx%20%2B";
        assert_eq!(form, wanted);
    }

    fn good() -> String {
        String::from(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
             <AssumeRoleResult><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser>\n<Credentials>\
             <AccessKeyId>ASIA1</AccessKeyId>\n<SecretAccessKey>hunter2</SecretAccessKey>\
             <SessionToken>hunter2+/=</SessionToken>\
             <Expiration>2026-11-22T10:00:00Z</Expiration></Credentials></AssumeRoleResult>\n\
             <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>",
        )
    }

    #[test]
    fn a_session_is_read_whole_or_not_at_all() {
        let read = credentials(ASSUME, good().as_bytes(), "it").unwrap();
        assert_eq!(read.session_token.unwrap().expose(), "hunter2+/=");
        assert_eq!(read.expires_at, Some(UnixMs(1_795_341_600_000)));
        let twice = "</AccessKeyId><AccessKeyId>ASIA2</AccessKeyId>";
        let cases = [
            String::new(),
            String::from("<html>sign in</html>"),
            good().replace("AssumeRoleResult", "Other"),
            good().replace("Credentials>", "credentials>"),
            good().replace("</AccessKeyId>", twice),
            good().replace("ASIA1", ""),
            good().replace("ASIA1", "AS&#73;A"),
            good().replace("ASIA1", "<!-- --> ASIA1"),
            good().replace("2026-", "yesterday"),
            good().replace("SessionToken", "Token"),
        ];
        for text in cases {
            assert_ne!(text, good());
            let fault = session(ASSUME, text.as_bytes(), String::new()).unwrap_err();
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
        assert_eq!(credentials(ASSUME, &[0xff; 100], ""), None);
    }

    #[test]
    fn damaged_answers_never_give_half_a_session() {
        let good = good();
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..20_000 {
            let mut bytes = good.clone().into_bytes();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                match rng.u8(..3) {
                    0 => bytes[at] = rng.u8(..),
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.extend_from_within(at..),
                }
            }
            if let Some(read) = credentials(ASSUME, &bytes, "") {
                assert!(read.checked().is_ok());
            }
        }
    }

    #[test]
    fn each_refusal_has_its_remedy_and_not_the_secret() {
        let fault = |kind, code: &str, what: &str| Fault {
            kind,
            code: Some(code.into()),
            what: format!("STS refused AssumeRole with status 400: {what}"),
            remedy: String::from("as the client says"),
        };
        let chained = "The requested DurationSeconds exceeds the 1 hour session limit for roles \
                       assumed by role chaining";
        let too_long = "The requested DurationSeconds exceeds the MaxSessionDuration";
        use FaultKind::{Credentials, Network, NoSuchHost, Permission, Refused, Stopped};
        let cases = [
            (
                Permission,
                "AccessDenied",
                "hunter2",
                Credentials,
                "trust policy",
            ),
            (
                Refused,
                "ValidationError",
                chained,
                Credentials,
                "role chaining",
            ),
            (
                Refused,
                "ValidationError",
                too_long,
                Credentials,
                "MaxSession",
            ),
            (Refused, "ValidationError", "x", Credentials, "session_name"),
            (
                Credentials,
                "ExpiredTokenException",
                "x",
                Credentials,
                "renew",
            ),
            (
                Refused,
                "RegionDisabledException",
                "x",
                Credentials,
                "enable STS",
            ),
            (Refused, "MalformedPolicyDocument", "x", Credentials, "mend"),
            (
                Refused,
                "InvalidIdentityToken",
                "x",
                Credentials,
                "audience",
            ),
            (NoSuchHost, "", "x", Network, "as the client says"),
            (
                Stopped,
                "",
                "DurationSeconds",
                Stopped,
                "as the client says",
            ),
        ];
        for (kind, code, what, wanted, word) in cases {
            let secret = Secret::new("hunter2");
            let fault = told(fault(kind, code, what), ARN, Some(&secret));
            assert_eq!(fault.kind, wanted, "{fault}");
            assert!(fault.remedy.contains(word), "{word}: {fault}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
            assert!(fault.what.contains(ARN), "{fault}");
        }
    }
}
