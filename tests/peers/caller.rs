//! A caller of AWS that signs with AWS's own crate: independent of the region and the agent.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::region::{KEY, Region};

/// How requests are made and signed; change what a test is about.
#[derive(Clone)]
pub struct Caller {
    pub url: String,
    pub key_id: String,
    pub secret: String,
    pub token: Option<String>,
    pub region: String,
    /// Signing name in place of the right one.
    pub service: Option<String>,
    pub clock: Duration,
    pub clock_behind: bool,
    pub agent: Agent,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The text of an element of XML, or nothing.
    pub fn element(&self, name: &str) -> &str {
        let begun = self.body.split_once(&format!("<{name}>"));
        let ended = begun.and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
        ended.map_or("", |(text, _)| text)
    }

    /// AWS's code, wherever the protocol puts it.
    pub fn code(&self) -> String {
        if self.header("content-type") == "text/xml" {
            return self.element("Code").to_owned();
        }
        match self.header("x-amzn-errortype") {
            "" => {
                let json = self.json();
                let code = json["__type"].as_str().unwrap_or_default();
                code.rsplit('#').next().unwrap_or_default().to_owned()
            }
            code => code.to_owned(),
        }
    }
}

impl Reply {
    /// The code of the older query protocol, which CloudWatch and SQS still tell; nothing when
    /// all was well.
    pub fn older_code(&self) -> &str {
        let header = self.header("x-amzn-query-error");
        header.split(';').next().unwrap_or_default()
    }

    /// The messages of a receive.
    pub fn messages(&self) -> Vec<Value> {
        let body = self.json();
        body["Messages"].as_array().cloned().unwrap_or_default()
    }
}

impl Caller {
    pub fn of(region: &Region) -> Caller {
        Caller::at(&region.url(), KEY)
    }

    pub fn at(url: &str, key: (&str, &str)) -> Caller {
        Caller {
            url: url.to_owned(),
            key_id: key.0.to_owned(),
            secret: key.1.to_owned(),
            token: None,
            region: "eu-central-1".to_owned(),
            service: None,
            clock: Duration::ZERO,
            clock_behind: false,
            agent: agent(None),
        }
    }

    /// A signed `GET` of MediaPackage.
    pub fn get(&self, path: &str) -> Reply {
        self.try_get(path)
            .unwrap_or_else(|e| panic!("GET {path}: {e}"))
    }

    /// A signed `GET` of a service of this signing name.
    pub fn get_of(&self, service: &str, path: &str) -> Reply {
        let request = http::Request::get(format!("{}{path}", self.url));
        self.run(request.body(String::new()).unwrap(), service)
            .unwrap_or_else(|e| panic!("GET {path}: {e}"))
    }

    pub fn try_get(&self, path: &str) -> Result<Reply, ureq::Error> {
        let request = http::Request::get(format!("{}{path}", self.url));
        self.run(request.body(String::new()).unwrap(), "mediapackage")
    }

    /// A signed operation of CloudWatch.
    pub fn post(&self, operation: &str, body: &Value) -> Reply {
        let target = format!("GraniteServiceVersion20100801.{operation}");
        let reply = self.json(&target, "monitoring", &body.to_string());
        reply.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    /// A signed operation of SQS.
    pub fn sqs(&self, operation: &str, body: &Value) -> Reply {
        let reply = self.try_sqs(operation, &body.to_string());
        reply.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    pub fn try_sqs(&self, operation: &str, body: &str) -> Result<Reply, ureq::Error> {
        self.json(&format!("AmazonSQS.{operation}"), "sqs", body)
    }

    fn json(&self, target: &str, service: &str, body: &str) -> Result<Reply, ureq::Error> {
        let request = http::Request::post(format!("{}/", self.url))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target);
        self.run(request.body(body.to_owned()).unwrap(), service)
    }

    /// An operation of SNS, signed or not.
    pub fn form(&self, is_signed: bool, parameters: &[(&str, &str)]) -> Reply {
        let pairs = parameters.iter().map(|(name, value)| {
            let bytes = value.bytes().map(|b| format!("%{b:02X}"));
            format!("{name}={}", bytes.collect::<String>())
        });
        let body = pairs.collect::<Vec<_>>().join("&");
        // moto checks no form without its digest: it has only what it made of the form.
        let digest = Sha256::digest(body.as_bytes());
        let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        let request = http::Request::post(format!("{}/", self.url))
            .header("x-amz-content-sha256", digest)
            .header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .body(body)
            .unwrap();
        let reply = match is_signed {
            true => self.run(request, "sns"),
            false => self.send(request),
        };
        reply.unwrap_or_else(|e| panic!("{parameters:?}: {e}"))
    }

    /// A `GET` that nobody signed.
    pub fn get_unsigned(&self, url: &str) -> Result<Reply, ureq::Error> {
        self.send(http::Request::get(url).body(String::new()).unwrap())
    }

    fn run(&self, mut request: http::Request<String>, service: &str) -> Result<Reply, ureq::Error> {
        self.sign(&mut request, self.service.as_deref().unwrap_or(service));
        self.send(request)
    }

    fn send(&self, request: http::Request<String>) -> Result<Reply, ureq::Error> {
        let mut response = self.agent.run(request)?;
        let limited = response.body_mut().with_config().limit(64 << 20);
        Ok(Reply {
            body: String::from_utf8_lossy(&limited.read_to_vec()?).into_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
        })
    }

    fn sign(&self, request: &mut http::Request<String>, service: &str) {
        let token = self.token.clone();
        let identity = Credentials::new(&self.key_id, &self.secret, token, None, "test").into();
        let now = SystemTime::now();
        let time = match self.clock_behind {
            true => now - self.clock,
            false => now + self.clock,
        };
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let headers = request.headers().iter();
        let headers: Vec<_> = headers
            .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
            .collect();
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers.into_iter(),
            SignableBody::Bytes(request.body().as_bytes()),
        );
        let signed = sign(signable.unwrap(), &parameters.into()).unwrap();
        signed.into_parts().0.apply_to_request_http1x(request);
    }
}

/// An HTTP client that trusts this authority only, and gives up soon.
pub fn agent(authority: Option<Certificate<'static>>) -> Agent {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let roots = RootCerts::new_with_certs(authority.as_slice());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots)
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}
