//! Carries requests to AWS: signs them, sends them, tries again where that may help, and turns
//! everything that is not a whole answer into a [`Fault`].

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request, Response, StatusCode, header};
use ureq::{Agent, Body};

use super::answer::Refusal;
use super::call::Call;
use super::clock::{AwsClock, Sample};
use super::credentials::{self, Credentials, Provider, Reach};
use super::proxy::Way;
use super::retry::{self, Hint, Quota, Retry};
use super::sign::{Scope, sign};
use super::stop::Stop;
use super::transport::{self, Limits};
use crate::config::{Config, Env, Proxy, ServiceUrl, region};
use crate::state::apis::is_not_had;
use crate::state::fault::{Fault, FaultKind};

/// AWS takes signatures up to 5 minutes off; the SDKs sign again from 4 on.
const SKEW_MS_MAX: u64 = 4 * 60 * 1000;

/// The AWS services of one region.
pub struct Clients {
    /// MediaPackage v1 live.
    pub mediapackage: Service,
    /// MediaPackage v2 live, where the config asks for it.
    pub mediapackage_v2: Option<Service>,
    /// MediaPackage VOD, where the config asks for it.
    pub vod: Option<Service>,
    /// CloudWatch, for metrics.
    pub cloudwatch: Service,
    /// CloudWatch, for alarms: they are polled beside the metrics, so that requests and retries
    /// of the two are counted apart.
    pub alarms: Service,
    /// SNS, where the config has it, or a queue that it delivers to.
    pub sns: Option<Service>,
    /// SQS, where the config has it.
    pub sqs: Option<Service>,
    agents: Vec<Agent>,
    reach: Arc<Reach>,
}

impl Clients {
    /// Nothing is asked of AWS yet, and no credentials are looked for.
    ///
    /// `env` is the environment that credentials and proxies are looked for in.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Network`] when `ca_file` or a proxy cannot be used.
    pub fn new(
        config: &Config,
        env: &BTreeMap<String, String>,
        clock: AwsClock,
        stop: Stop,
    ) -> Result<Clients, Fault> {
        Clients::with_limits(config, env, clock, stop, Limits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    ///
    /// As [`Clients::new`].
    pub fn with_limits(
        config: &Config,
        env: &BTreeMap<String, String>,
        clock: AwsClock,
        stop: Stop,
        limits: Limits,
    ) -> Result<Clients, Fault> {
        let roots = transport::trusted_roots(config)?;
        let tools = (clock.clone(), stop.clone(), limits);
        let reach = Arc::new(Reach::new(config, env, roots.clone(), tools)?);
        let shared = Arc::new(Shared {
            credentials: Some(Arc::new(credentials::of_config(config, env, &reach))),
            clock,
            stop,
            limits,
        });
        let mut agents = HashMap::new();
        let env: Env = env.iter().collect();
        let mut service = |name, signing, iam, url: &ServiceUrl, proxy: &Proxy| {
            let way = Way::of(proxy, url, &env)?;
            let agent: &Agent = agents
                .entry(way.through().cloned())
                .or_insert_with(|| transport::agent(way.through(), &roots, &limits));
            let scope = Scope {
                region: config.region.clone(),
                service: signing,
            };
            let agent = agent.clone();
            Ok(Service::new(name, iam, scope, url, agent, shared.clone()))
        };
        let (mp, cw) = (&config.mediapackage, &config.cloudwatch);
        let mediapackage = service(
            "MediaPackage",
            "mediapackage",
            "mediapackage",
            &mp.url,
            &mp.proxy,
        )?;
        let v2 = "mediapackagev2";
        let v2 = || service("MediaPackage v2", v2, v2, &mp.v2_url, &mp.proxy);
        let mediapackage_v2 = mp.apis.v2.then(v2).transpose()?;
        let vod = "mediapackage-vod";
        let vod = || service("MediaPackage VOD", vod, vod, &mp.vod_url, &mp.proxy);
        let vod = mp.apis.vod.then(vod).transpose()?;
        let mut monitoring =
            || service("CloudWatch", "monitoring", "cloudwatch", &cw.url, &cw.proxy);
        let (cloudwatch, alarms) = (monitoring()?, monitoring()?);
        let sns = where_topics_are(config);
        let sns = sns.map(|(url, proxy)| service("SNS", "sns", "sns", &url, proxy));
        let sqs = config.sqs.as_ref();
        let sqs = sqs.map(|sqs| service("SQS", "sqs", "sqs", &sqs.url, &sqs.proxy));
        Ok(Clients {
            mediapackage,
            mediapackage_v2,
            vod,
            cloudwatch,
            alarms,
            sns: sns.transpose()?,
            sqs: sqs.transpose()?,
            agents: agents.into_values().collect(),
            reach,
        })
    }

    /// The credentials that requests are signed with.
    ///
    /// # Errors
    ///
    /// As [`Provider::current`].
    pub fn credentials(&self) -> Result<Credentials, Fault> {
        self.mediapackage.shared.current()
    }

    /// Ends requests in flight at once; later ones fail. Throw the [`Stop`] before, so that
    /// they are known as stopped and are not tried again.
    pub fn interrupt(&self) {
        for agent in &self.agents {
            agent.clone().shutdown();
        }
        self.reach.interrupt();
    }
}

/// The listener asks SNS for certificates and confirmations, and `check` whether the queue is
/// subscribed. Without `[sns]` nothing says where SNS is: it has its usual name then, or, beside an
/// SQS on this machine, the same origin, since a mock server has all services on one port.
fn where_topics_are(config: &Config) -> Option<(ServiceUrl, &Proxy)> {
    if let Some(sns) = &config.sns {
        return Some((sns.url.clone(), &sns.proxy));
    }
    let sqs = config.sqs.as_ref()?;
    let url = match sqs.url.loopback {
        true => sqs.url.clone(),
        false => region::service_url("sns", &config.region),
    };
    Some((url, &sqs.proxy))
}

/// What all services have in common.
pub(super) struct Shared {
    /// `None`: nothing is signed.
    pub(super) credentials: Option<Arc<Provider>>,
    pub(super) clock: AwsClock,
    pub(super) stop: Stop,
    pub(super) limits: Limits,
}

impl Shared {
    fn current(&self) -> Result<Credentials, Fault> {
        self.provider()?.current()
    }

    fn afresh(&self, rejected: &Credentials) -> Result<Credentials, Fault> {
        self.provider()?.afresh(rejected)
    }

    fn provider(&self) -> Result<&Provider, Fault> {
        let none = || Fault::new(FaultKind::Credentials, "there is nothing to sign with", "");
        self.credentials.as_deref().ok_or_else(none)
    }
}

/// One service of AWS.
pub struct Service {
    name: &'static str,
    /// What its actions begin with in IAM policies.
    iam: &'static str,
    scope: Scope,
    origin: String,
    peer: String,
    /// Whether an answer's `Date` is AWS's own: over TLS, or from a server on this machine.
    trusted_date: bool,
    agent: Agent,
    shared: Arc<Shared>,
    quota: Mutex<Quota>,
    requests: AtomicU64,
    operations: AtomicU64,
}

/// An attempt that brought no answer to use.
struct Failure {
    fault: Fault,
    retry: Retry,
    hint: Hint,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure {
            fault,
            retry: Retry::Never,
            hint: Hint::default(),
        }
    }
}

impl Failure {
    fn has_code(&self, matches: fn(&str) -> bool) -> bool {
        self.fault.code.as_deref().is_some_and(matches)
    }
}

impl Service {
    pub(super) fn new(
        name: &'static str,
        iam: &'static str,
        scope: Scope,
        url: &ServiceUrl,
        agent: Agent,
        shared: Arc<Shared>,
    ) -> Service {
        // The signature covers the host without a port that is the scheme's own.
        let usual = if url.tls { ":443" } else { ":80" };
        let origin = url.text.strip_suffix(usual).unwrap_or(&url.text);
        Service {
            name,
            iam,
            scope,
            origin: origin.to_owned(),
            peer: format!("{}:{}", url.host, url.port),
            trusted_date: url.tls || url.loopback,
            agent,
            shared,
            quota: Mutex::default(),
            requests: AtomicU64::new(0),
            operations: AtomicU64::new(0),
        }
    }

    /// HTTP requests sent so far, every attempt counted.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Operations asked for so far, however often each was tried.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Whether the agent is stopping: only [`Call::last`] is sent then.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.requested()
    }

    /// Sends `call` and returns the body of the answer.
    ///
    /// Besides the retries of the standard mode it is signed again once when AWS refuses its
    /// time and the answer taught a better one, and once when AWS refuses the credentials and
    /// their source has been read afresh; neither counts as a failed attempt.
    ///
    /// # Errors
    ///
    /// Every kind of [`FaultKind`]; [`FaultKind::Stopped`] once the stop is requested.
    pub fn send(&self, call: &Call) -> Result<Vec<u8>, Fault> {
        self.operations.fetch_add(1, Ordering::Relaxed);
        let current = || self.shared.current();
        let mut credentials = call.signed.then(current).transpose()?;
        let (mut signed_again, mut read_again) = (false, false);
        let mut retries = 0;
        let mut last_retry = None;
        loop {
            self.check_stop(call)?;
            let offset_ms = self.shared.clock.offset_ms();
            let failure = match self.attempt(call, credentials.as_ref()) {
                Ok(body) => {
                    self.quota().give_back(last_retry);
                    return Ok(body);
                }
                Err(failure) => failure,
            };
            self.check_stop(call)?;
            if let Some(signer) = &mut credentials {
                let learned_ms = self.shared.clock.offset_ms().abs_diff(offset_ms);
                let moved = learned_ms > SKEW_MS_MAX;
                if !signed_again && moved && failure.has_code(retry::blames_time) {
                    signed_again = true;
                    continue;
                }
                if !read_again && failure.has_code(retry::blames_credentials) {
                    read_again = true;
                    *signer = self.shared.afresh(signer)?;
                    continue;
                }
            }
            let over = retries + 1 >= call.attempts_max() || failure.retry == Retry::Never;
            if over || !self.quota().take(failure.retry) {
                return Err(failure.fault);
            }
            let delay = retry::delay(failure.retry, retries, fastrand::f64(), failure.hint);
            retries += 1;
            last_retry = Some(failure.retry);
            if self.shared.stop.wait(delay) {
                return Err(stopped());
            }
        }
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_stop(&self, call: &Call) -> Result<(), Fault> {
        if self.shared.stop.requested() && !call.is_last {
            Err(stopped())
        } else {
            Ok(())
        }
    }

    fn attempt(&self, call: &Call, credentials: Option<&Credentials>) -> Result<Vec<u8>, Failure> {
        let clock = &self.shared.clock;
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.origin, call.target))
            .body(())
            .map_err(|_| self.malformed(call))?;
        for (name, value) in &call.headers {
            request.headers_mut().insert(*name, value.clone());
        }
        if let Some(credentials) = credentials {
            let now = clock.now();
            sign(&mut request, &call.body, credentials, &self.scope, now)?;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let time = Some(self.limits(call).request);
        let sent = clock.wall();
        let answer = if call.body.is_empty() {
            let limited = self.agent.configure_request(request);
            self.agent.run(limited.timeout_global(time).build())
        } else {
            let request = request.map(|()| call.body.as_slice());
            let limited = self.agent.configure_request(request);
            self.agent.run(limited.timeout_global(time).build())
        };
        let received = clock.wall();
        let mut answer = answer.map_err(|error| self.broken(call, error))?;
        if self.trusted_date {
            clock.take(&Sample {
                date: text(answer.headers(), header::DATE.as_str()),
                aged: answer.headers().contains_key(header::AGE),
                sent: if call.is_long_poll { received } else { sent },
                received,
            });
        }
        self.check_head(call, &answer)?;
        let body = self.read_body(call, answer.body_mut())?;
        if answer.status().is_success() {
            return Ok(body);
        }
        Err(self.refused(call, credentials, answer.status(), answer.headers(), &body))
    }

    /// What this call may take.
    fn limits(&self, call: &Call) -> Limits {
        let all = self.shared.limits;
        call.limit.map_or(all, |own| Limits {
            request: own.request.min(all.request),
            body_bytes_max: own.body_bytes_max.min(all.body_bytes_max),
            ..all
        })
    }

    fn malformed(&self, call: &Call) -> Fault {
        let what = format!("the request for {} cannot be built", call.operation);
        Fault::new(FaultKind::Refused, what, "check the url in the config")
    }

    /// An answer that must not be read any further.
    fn check_head(&self, call: &Call, answer: &Response<Body>) -> Result<(), Fault> {
        let what = if answer.status().is_redirection() {
            let status = answer.status().as_u16();
            format!(
                "{} answered {} with a redirect ({status})",
                self.peer, call.operation
            )
        } else if answer.headers().contains_key(header::CONTENT_ENCODING) {
            let peer = &self.peer;
            format!(
                "{peer} answered {} compressed, which was not asked for",
                call.operation
            )
        } else {
            return Ok(());
        };
        let remedy = "check the url and whether a proxy answers in AWS's place";
        Err(Fault::new(FaultKind::Answer, what, remedy))
    }

    fn read_body(&self, call: &Call, body: &mut Body) -> Result<Vec<u8>, Failure> {
        let limit = self.limits(call).body_bytes_max;
        // As it is announced, so that it need not grow; what it is not is found out below.
        let announced = body.content_length().unwrap_or_default().min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
        let read = body.as_reader().take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error: io::Error| self.broken(call, ureq::Error::from(error)))?;
        if bytes.len() as u64 > limit {
            let (peer, operation) = (&self.peer, call.operation);
            let what = format!("{peer} answered {operation} with more than {limit} bytes");
            return Err(Fault::new(FaultKind::TooLarge, what, "").into());
        }
        Ok(bytes)
    }

    /// The transport failed.
    fn broken(&self, call: &Call, error: ureq::Error) -> Failure {
        let (mut fault, retry) = transport::explain(error, &self.peer, &self.limits(call));
        fault.what = format!("{} {}: {}", self.name, call.operation, fault.what);
        Failure {
            fault,
            retry,
            hint: Hint::default(),
        }
    }

    /// AWS, or what stands in its place, refused.
    fn refused(
        &self,
        call: &Call,
        credentials: Option<&Credentials>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Failure {
        let Refusal { code, message } = Refusal::read(headers, body);
        let code_text = code.as_deref().unwrap_or("");
        let (mut kind, retry) = retry::classify(status.as_u16(), code.as_deref());
        let hint = Hint::read(
            text(headers, "x-amz-retry-after"),
            text(headers, header::RETRY_AFTER.as_str()),
            self.shared.clock.now(),
        );
        let message = if retry::echoes_request(code_text) {
            // AWS's own sentence goes on with our request and its signature.
            let of_time = message.is_some_and(|message| blames_clock(&message));
            kind = if of_time { FaultKind::Clock } else { kind };
            let own = if of_time {
                "the time signed with is too far from AWS's"
            } else {
                "the signature does not match"
            };
            Some(String::from(own))
        } else {
            message.map(|message| match credentials {
                Some(credentials) => credentials.redact(&message),
                None => message,
            })
        };
        let name = self.name;
        let mut what = format!(
            "{name} refused {} with status {}",
            call.operation,
            status.as_u16()
        );
        if let Some(message) = message {
            what = format!("{what}: {message}");
        }
        if let Some(credentials) = credentials.filter(|_| kind == FaultKind::Credentials) {
            what = format!("{what} (credentials: {})", credentials.source);
        }
        let remedy = self.remedy(call, kind, code_text);
        Failure {
            fault: Fault {
                kind,
                code,
                what,
                remedy,
            },
            retry,
            hint,
        }
    }

    fn remedy(&self, call: &Call, kind: FaultKind, code: &str) -> String {
        match kind {
            FaultKind::Permission | FaultKind::Credentials if !call.signed => {
                String::from("check region, url and proxy")
            }
            FaultKind::Permission => {
                let action = call.action.unwrap_or(call.operation);
                format!("allow {}:{action} in the IAM policy", self.iam)
            }
            FaultKind::Credentials if code.contains("Expired") => {
                String::from("renew the session: give new credentials at that place")
            }
            FaultKind::Credentials if retry::blames_time(code) => {
                String::from("check that the secret access key belongs to the access key id")
            }
            FaultKind::Credentials => {
                String::from("check that the access key exists, is active and is given whole")
            }
            FaultKind::Clock => String::from("check this machine's clock"),
            FaultKind::Throttled => String::from("lengthen the interval if this goes on"),
            FaultKind::Network => String::from("check proxy_username and proxy_password"),
            FaultKind::Refused if is_not_had(code) => {
                String::from("sign the account up for the service")
            }
            FaultKind::Refused => String::from("check region, url and proxy"),
            FaultKind::NoSuchHost
            | FaultKind::Server
            | FaultKind::Answer
            | FaultKind::TooLarge
            | FaultKind::Stopped => String::new(),
        }
    }
}

/// The two ways in which AWS says that a signature's time is wrong.
fn blames_clock(message: &str) -> bool {
    message.starts_with("Signature expired") || message.starts_with("Signature not yet current")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn stopped() -> Fault {
    Fault::new(FaultKind::Stopped, "stopped before AWS answered", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, parse};

    #[test]
    fn sns_is_where_the_config_says_or_where_the_queue_is() {
        const SQS: &str = "[sqs]\ntopic_arns = [\"arn:aws:sns:eu-west-1:123456789012:a\"]\n\
                           proxy = \"none\"\nqueue_url = \"";
        const SNS: &str = "[sns]\ntopic_arns = [\"arn:aws:sns:eu-west-1:123456789012:a\"]\n\
                           url = \"https://sns.example.net\"\n";
        let aws = format!("{SQS}https://sqs.eu-west-1.amazonaws.com/123456789012/q\"\n");
        let mock = format!("{aws}url = \"http://127.0.0.1:5000\"\n");
        let cases = [
            ("", None),
            (SNS, Some("https://sns.example.net")),
            (&aws, Some("https://sns.eu-west-1.amazonaws.com")),
            (&mock, Some("http://127.0.0.1:5000")),
            (&format!("{mock}{SNS}"), Some("https://sns.example.net")),
        ];
        for (text, wanted) in cases {
            let env: Env = [("AWS_REGION", "eu-west-1")].into_iter().collect();
            let config = parse("x".as_ref(), text, &env).unwrap();
            let found = where_topics_are(&config).map(|(url, _)| url.text);
            assert_eq!(found.as_deref(), wanted, "{text}");
        }
    }
}
