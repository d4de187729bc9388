//! What the metadata services of EC2, ECS, EKS and Greengrass answer: one form, by the same
//! names. Pure.
//!
//! Source: EC2 user guide, "Retrieve security credentials from instance metadata"; botocore
//! utils.py, `InstanceMetadataFetcher` and `ContainerMetadataFetcher`.

use serde::Deserialize;

use super::{Credentials, of_source, unusable};
use crate::aws::answer::{one_line, parse_json};
use crate::config::Secret;
use crate::state::fault::Fault;
use crate::state::time::UnixMs;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    code: Option<String>,
    message: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

/// Reads credentials; no error quotes a value.
///
/// # Errors
///
/// [`crate::state::fault::FaultKind::Credentials`] for what is no session with all its parts, in
/// the words of the service where it says why.
pub fn parse(body: &[u8], source: &str) -> Result<Credentials, Fault> {
    let output: Result<Output, Fault> = parse_json("GetCredentials", body);
    let output = output.map_err(|mut fault| {
        fault.what = format!("{source}: {}", fault.what);
        of_source(fault, Some(""))
    })?;
    let refused = output.code.as_deref().filter(|code| *code != "Success");
    if let Some(code) = refused {
        let message = output.message.as_deref().unwrap_or("no reason given");
        let what = format!(
            "{source} gave none: {}: {}",
            one_line(code),
            one_line(message)
        );
        let remedy = "check the role that this machine or container has, and its trust policy";
        return Err(unusable(what, remedy));
    }
    let given = |value: Option<String>, name: &str| {
        let what = || unusable(format!("{source} gave no {name}"), "");
        value.map(Secret::new).ok_or_else(what)
    };
    let expires_at = output.expiration.map(|text| {
        let what = || unusable(format!("{source} gave an Expiration that is no time"), "");
        UnixMs::parse(&text).ok_or_else(what)
    });
    Ok(Credentials {
        access_key_id: given(output.access_key_id, "AccessKeyId")?,
        secret_access_key: given(output.secret_access_key, "SecretAccessKey")?,
        session_token: Some(given(output.token, "Token")?),
        expires_at: expires_at.transpose()?,
        source: source.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_whole_or_refused_without_a_quote() {
        let good = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA","Token":"hunter2",
            "SecretAccessKey":"hunter2","Expiration":"2026-11-22T10:00:00Z"}"#;
        let read = parse(good.as_bytes(), "it").unwrap();
        assert_eq!(read.expires_at, Some(UnixMs(1_795_341_600_000)));
        let of_ecs = good.replace(r#""Code":"Success","#, r#""RoleArn":"arn","#);
        assert_eq!(parse(of_ecs.as_bytes(), "it"), Ok(read));
        let cases = [
            (good.replace("10:00:00Z", "hunter2"), "no time"),
            (good.replace("\"Token\"", "\"x\""), "gave no Token"),
            (good.replace("AccessKeyId", "x"), "gave no AccessKeyId"),
            (good.replace("\"Success\"", "7"), "type"),
            (
                String::from(r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot"}"#),
                "AssumeRoleUnauthorizedAccess: EC2 cannot; check the role",
            ),
            (String::from("hunter2"), "malformed"),
        ];
        for (text, word) in cases {
            let shown = parse(text.as_bytes(), "it").unwrap_err().to_string();
            assert!(shown.contains(word), "{word}: {shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
