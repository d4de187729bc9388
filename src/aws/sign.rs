//! Signature Version 4, by AWS's own crate. The only file that knows it.
//!
//! Source: "AWS Signature Version 4 for API requests", IAM user guide.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign as sign_v4,
};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue, Request};

use super::credentials::Credentials;
use crate::state::fault::{Fault, FaultKind};
use crate::state::time::UnixMs;

/// Where a signature is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `eu-west-1`.
    pub region: String,
    /// The signing name: `mediapackage`, `monitoring`.
    pub service: &'static str,
}

/// Signs `request` as of `now`, with all its headers and its `body`.
///
/// The hash of the body goes along as `x-amz-content-sha256`: AWS takes it everywhere, and
/// servers that only look like AWS check a GET by it.
///
/// # Errors
///
/// [`FaultKind::Refused`] for a request that cannot be signed at all.
pub fn sign<B>(
    request: &mut Request<B>,
    body: &[u8],
    credentials: &Credentials,
    scope: &Scope,
    now: UnixMs,
) -> Result<(), Fault> {
    let identity = aws_credential_types::Credentials::new(
        credentials.access_key_id.expose(),
        credentials.secret_access_key.expose(),
        credentials
            .session_token
            .as_ref()
            .map(|t| t.expose().to_owned()),
        None,
        "mediapackage2mqtt",
    );
    let identity = identity.into();
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    // Before 1970 no certificate is valid and no signature would be taken either.
    let since_epoch = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&scope.region)
        .name(scope.service)
        .time(UNIX_EPOCH + since_epoch)
        .settings(settings)
        .build()
        .map_err(|_| unsignable())?
        .into();
    let uri = request.uri().to_string();
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let method = request.method().clone();
    let body = SignableBody::Bytes(body);
    let signable =
        SignableRequest::new(method.as_str(), uri, headers, body).map_err(|_| unsignable())?;
    let signed = sign_v4(signable, &params).map_err(|_| unsignable())?;
    for header in signed.into_parts().0.into_parts().0 {
        let mut value = HeaderValue::from_str(header.value()).map_err(|_| unsignable())?;
        value.set_sensitive(true);
        let name = HeaderName::from_static(header.name());
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

/// Says nothing of the request: whatever made it unsignable may be a secret.
fn unsignable() -> Fault {
    Fault::new(
        FaultKind::Refused,
        "the request cannot be signed",
        "check region, url and credentials for characters that do not belong there",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn example(token: Option<&str>) -> Credentials {
        Credentials {
            access_key_id: Secret::new("AKIAIOSFODNN7EXAMPLE"),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
            expires_at: None,
            source: "test".into(),
        }
    }

    fn signed(url: &str, token: Option<&str>) -> Request<()> {
        let mut request = Request::get(url).body(()).unwrap();
        let scope = Scope {
            region: "us-east-1".into(),
            service: "s3",
        };
        // 2013-05-24T00:00:00Z
        sign(
            &mut request,
            b"",
            &example(token),
            &scope,
            UnixMs(1_369_353_600_000),
        )
        .unwrap();
        request
    }

    // "Signature Calculations for the Authorization Header", Amazon S3 API reference: the
    // published examples that carry x-amz-content-sha256, as every request of ours does.
    #[test]
    fn the_signatures_that_aws_publishes_come_out() {
        let host = "https://examplebucket.s3.amazonaws.com";
        let cases = [
            (
                "/?lifecycle",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "/?max-keys=2&prefix=J",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ];
        for (path, signature) in cases {
            let request = signed(&format!("{host}{path}"), None);
            let authorization = request.headers()["authorization"].to_str().unwrap();
            let wanted = format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/\
                 aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
                 Signature={signature}"
            );
            assert_eq!(authorization, wanted, "{path}");
        }
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let request = signed("https://example.com/", Some("the-token"));
        assert_eq!(request.headers()["x-amz-security-token"], "the-token");
        assert_eq!(request.headers()["x-amz-date"], "20130524T000000Z");
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(
            authorization.contains("x-amz-date;x-amz-security-token"),
            "{authorization}"
        );
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_a_fault_and_no_panic() {
        let mut request = Request::get("https://example.com/").body(()).unwrap();
        let scope = Scope {
            region: "us-east-1".into(),
            service: "s3",
        };
        let odd = Credentials {
            access_key_id: Secret::new("AK\nIA"),
            ..example(None)
        };
        let fault = sign(&mut request, b"", &odd, &scope, UnixMs(0)).unwrap_err();
        assert!(!fault.to_string().contains("IA\n"), "{fault}");
    }
}
