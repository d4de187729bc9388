//! The AWS IoT credential provider: a thing's certificate opens a role by its alias.
//!
//! Sources: AWS IoT Core developer guide, "Authorizing direct calls to AWS services using AWS
//! IoT Core credential provider"; what it says when it refuses: the notes of awslabs'
//! aws-iot-core-credential-provider-session-helper.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts};

use super::reach::{Peer, Reach, Way};
use super::{Credentials, Source, of_source, unusable};
use crate::aws::answer::parse_json;
use crate::aws::call::{Call, CallLimit};
use crate::aws::retry::ATTEMPTS_MAX;
use crate::config::{Iot, Secret};
use crate::pem::{self, Flaw};
use crate::state::fault::{Fault, FaultKind};
use crate::state::time::UnixMs;

const NAME: &str = "AWS IoT";
/// As IAM calls what it does.
const OPERATION: &str = "AssumeRoleWithCertificate";
/// Its answer has some 2 KiB.
const LIMIT: CallLimit = CallLimit {
    body_bytes_max: 64 * 1024,
    request: Duration::from_secs(10),
    attempts_max: ATTEMPTS_MAX,
};

/// What the provider says, and what to do about it.
const REMEDIES: [(&str, &str); 7] = [
    (
        "Invalid thing name",
        "give as thing_name the thing that the certificate is attached to (aws iot \
         list-principal-things), or leave it out where no policy asks for it",
    ),
    (
        "Certificate is invalid",
        "check that the certificate is registered and active in the account and region of \
         endpoint (aws iot describe-endpoint --endpoint-type iot:CredentialProvider)",
    ),
    (
        "Access Denied",
        "check that the certificate is active, and attach an AWS IoT policy to it that allows \
         iot:AssumeRoleWithCertificate on the role alias",
    ),
    (
        "Role alias does not exist",
        "check role_alias, and that it is of the account and region of endpoint",
    ),
    (
        "Unable to assume the role",
        "check that the role of the role alias exists, and that its trust policy lets \
         credentials.iot.amazonaws.com take it by sts:AssumeRole",
    ),
    (
        "CredentialDurationSeconds",
        "shorten credentialDurationSeconds of the role alias, or raise the longest session of \
         its role",
    ),
    // An alert of TLS, in the words of rustls.
    (
        "fatal alert",
        "check that the certificate of cert_file is registered with AWS IoT there and active",
    ),
];

/// A thing of AWS IoT.
pub struct Thing {
    iot: Iot,
    reach: Arc<Reach>,
}

impl Thing {
    /// Nothing is read or asked yet.
    pub fn new(iot: Iot, reach: Arc<Reach>) -> Thing {
        Thing { iot, reach }
    }

    fn way(&self) -> Result<Way, Fault> {
        let Iot {
            cert_file,
            key_file,
            ca_file,
            ..
        } = &self.iot;
        let client = client_certificate(cert_file, key_file)?;
        let roots = ca_file.as_deref().map(|file| {
            let roots = certificates(file, "ca_file")?;
            let roots = roots
                .iter()
                .map(|der| Certificate::from_der(der).to_owned());
            Ok(RootCerts::from(roots.collect::<Vec<_>>()))
        });
        Ok(Way::Certified(client, roots.transpose()?))
    }
}

impl Source for Thing {
    fn read(&self) -> Result<Credentials, Fault> {
        let alias = &self.iot.role_alias;
        let peer = Peer {
            name: NAME,
            url: &self.iot.endpoint,
            way: self.way()?,
        };
        let mut call = Call::get(OPERATION, format!("/role-aliases/{alias}/credentials"));
        if let Some(thing) = &self.iot.thing_name {
            let value = HeaderValue::from_str(thing).map_err(|_| {
                unusable(
                    String::from("thing_name cannot be sent"),
                    "check thing_name",
                )
            })?;
            call.headers.push(("x-amzn-iot-thingname", value));
        }
        let asked = self.reach.ask(peer, call.within(LIMIT)).map_err(told);
        parse(&asked?, format!("AWS IoT role alias {alias}"))
    }
}

/// The provider's refusal, with what to do.
fn told(fault: Fault) -> Fault {
    let known = REMEDIES
        .iter()
        .find(|(words, _)| fault.what.contains(words));
    of_source(fault, known.map(|(_, remedy)| *remedy))
}

/// Certificate and key as they stand in their files now.
fn client_certificate(cert_file: &Path, key_file: &Path) -> Result<ClientCert, Fault> {
    let chain = certificates(cert_file, "cert_file")?;
    let of_key = |why: &dyn std::fmt::Display| {
        let what = format!("{} cannot be used: {why}", key_file.display());
        let remedy = "write the thing's private key as PEM there: check [credentials.iot] key_file";
        unusable(what, remedy)
    };
    let pem = pem::read(key_file).map_err(|flaw| of_key(&flaw))?;
    let key = pem::key_in(&pem).map_err(|flaw| of_key(&flaw))?;
    let provider = rustls::crypto::ring::default_provider();
    let pair = CertifiedKey::from_der(chain.clone(), key, &provider);
    if let Err(error) = pair {
        let what = format!(
            "{} and {} cannot be used: {error}",
            cert_file.display(),
            key_file.display()
        );
        let remedy = "give the certificate and the key that were made together; where they are \
                      being replaced, wait until both are";
        return Err(unusable(what, remedy));
    }
    let key = PrivateKey::from_pem(&pem).map_err(|_| of_key(&Flaw::NoKey))?;
    let chain = chain
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    Ok(ClientCert::new_with_certs(&chain.collect::<Vec<_>>(), key))
}

fn certificates(file: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    pem::certificates(file).map_err(|flaw| {
        let what = format!("{} cannot be used: {flaw}", file.display());
        unusable(what, &format!("check [credentials.iot] {key}"))
    })
}

#[derive(Deserialize)]
struct Output {
    credentials: Session,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

/// Reads the answer; the error never quotes it.
fn parse(body: &[u8], source: String) -> Result<Credentials, Fault> {
    let output: Result<Output, Fault> = parse_json(OPERATION, body);
    let session = output.map_err(|fault| of_source(fault, None))?.credentials;
    let expires_at = UnixMs::parse(&session.expiration).ok_or_else(|| {
        Fault::new(
            FaultKind::Credentials,
            format!("{source} gave an expiration that is no time"),
            "check endpoint and what stands between",
        )
    })?;
    Ok(Credentials {
        access_key_id: Secret::new(session.access_key_id),
        secret_access_key: Secret::new(session.secret_access_key),
        session_token: Some(Secret::new(session.session_token)),
        expires_at: Some(expires_at),
        source: source.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_read_whole_or_refused_without_a_quote() {
        let good = r#"{"credentials":{"accessKeyId":"ASIA","secretAccessKey":"hunter2",
            "sessionToken":"hunter2-t","expiration":"2026-11-22T10:00:00Z"},"more":1}"#;
        let read = parse(good.as_bytes(), String::from("AWS IoT role alias a")).unwrap();
        assert_eq!(read.expires_at, Some(UnixMs(1_795_341_600_000)));
        assert_eq!(read.session_token.unwrap().expose(), "hunter2-t");
        let cases = [
            (good.replace("10:00:00Z", "hunter2"), "expiration"),
            (good.replace("sessionToken", "x"), "sessionToken"),
            (good.replace("\"hunter2-t\"", "7"), "type"),
            (String::from("<html>hunter2"), "a page"),
            (String::from("{}"), "credentials is missing"),
            (good[..40].to_owned(), "malformed"),
        ];
        for (text, word) in cases {
            let fault = parse(text.as_bytes(), String::from("it")).unwrap_err();
            let shown = fault.to_string();
            assert_eq!(fault.kind, FaultKind::Credentials, "{shown}");
            assert!(shown.contains(word), "{word}: {shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
