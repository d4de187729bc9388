//! How sources of credentials reach whom they ask: over the same client as every service, with
//! the same retries, words and clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{ClientCert, RootCerts};

use super::{Provider, unusable};
use crate::aws::call::Call;
use crate::aws::client::{Service, Shared};
use crate::aws::clock::AwsClock;
use crate::aws::proxy;
use crate::aws::sign::Scope;
use crate::aws::stop::Stop;
use crate::aws::transport::{self, Limits};
use crate::config::{self, Config, Env, Proxy, ServiceUrl, region};
use crate::state::fault::Fault;

/// Where STS is, in place of the region's own (AWS SDKs and tools reference guide,
/// "Service-specific endpoints").
const STS_URL: &str = "AWS_ENDPOINT_URL_STS";
/// Whoever is asked on this machine or the link is near, or not there at all.
const NEAR_CONNECT_MAX: Duration = Duration::from_secs(1);

/// What all sources of one config share.
pub struct Reach {
    /// AWS's time.
    pub clock: AwsClock,
    /// Ends whatever is under way.
    pub stop: Stop,
    /// Of requests and of `credential_process`.
    pub limits: Limits,
    /// What a session is called where nothing else says so.
    pub session_name: String,
    region: String,
    proxy: Proxy,
    env: Env,
    roots: RootCerts,
    sts: ServiceUrl,
    flights: Mutex<Flights>,
}

/// Requests under way.
#[derive(Default)]
struct Flights {
    count: u64,
    agents: BTreeMap<u64, Agent>,
}

/// Whom to ask.
pub struct Peer<'a> {
    /// For the reader.
    pub name: &'static str,
    /// Where.
    pub url: &'a ServiceUrl,
    /// Which way.
    pub way: Way,
}

/// Which way a request goes, and whom it trusts.
pub enum Way {
    /// As to MediaPackage.
    Aws,
    /// The same with a client certificate, and with roots of its own where it has some.
    Certified(ClientCert, Option<RootCerts>),
    /// Directly, whatever the proxy: on this machine or the link.
    Near,
}

impl Reach {
    /// Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// When `AWS_ENDPOINT_URL_STS` is no URL of a service.
    pub fn new(
        config: &Config,
        env: &BTreeMap<String, String>,
        roots: RootCerts,
        (clock, stop, limits): (AwsClock, Stop, Limits),
    ) -> Result<Reach, Fault> {
        let given = env.get(STS_URL).filter(|url| !url.is_empty());
        let sts = match given {
            None => region::service_url("sts", &config.region),
            Some(url) => config::origin_url(url).map_err(|why| {
                let what = format!("{STS_URL} {why}");
                unusable(what, "take it out of the environment, or mend it")
            })?,
        };
        Ok(Reach {
            clock,
            stop,
            limits,
            session_name: config::session_name(&config.instance),
            region: config.region.clone(),
            proxy: config.mediapackage.proxy.clone(),
            env: env.iter().collect(),
            roots,
            sts,
            flights: Mutex::default(),
        })
    }

    /// Sends an unsigned call.
    ///
    /// # Errors
    ///
    /// Those of [`Service::send`], and when the agent cannot be made.
    pub fn ask(&self, peer: Peer<'_>, call: Call) -> Result<Vec<u8>, Fault> {
        self.send(peer, None, &call.unsigned())
    }

    /// Sends a call to STS, signed by `credentials` where there are any.
    ///
    /// # Errors
    ///
    /// As [`Reach::ask`].
    pub fn ask_sts(
        &self,
        credentials: Option<Arc<Provider>>,
        call: &Call,
    ) -> Result<Vec<u8>, Fault> {
        let peer = Peer {
            name: "STS",
            url: &self.sts,
            way: Way::Aws,
        };
        self.send(peer, credentials, call)
    }

    /// Ends requests in flight at once. Throw the [`Stop`] before.
    pub fn interrupt(&self) {
        for agent in self.lock().agents.values() {
            agent.clone().shutdown();
        }
    }

    fn send(
        &self,
        Peer { name, url, way }: Peer<'_>,
        credentials: Option<Arc<Provider>>,
        call: &Call,
    ) -> Result<Vec<u8>, Fault> {
        let mut limits = self.limits;
        if matches!(way, Way::Near) {
            limits.connect = limits.connect.min(NEAR_CONNECT_MAX);
        }
        let (roots, client, is_near) = match way {
            Way::Aws => (self.roots.clone(), None, false),
            Way::Certified(client, roots) => {
                let roots = roots.unwrap_or_else(|| self.roots.clone());
                (roots, Some(client), false)
            }
            Way::Near => (self.roots.clone(), None, true),
        };
        let proxy = match is_near {
            true => &Proxy::None,
            false => &self.proxy,
        };
        let way = proxy::Way::of(proxy, url, &self.env)?;
        let agent = transport::client_agent(way.through(), &roots, client, &limits);
        let scope = Scope {
            region: self.region_of(url),
            service: "sts",
        };
        let shared = Arc::new(Shared {
            credentials,
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            limits,
        });
        let service = Service::new(name, "sts", scope, url, agent.clone(), shared);
        // In the list before the stop is looked at: so nothing escapes `interrupt`.
        let flight = self.take_off(agent);
        let answer = service.send(call);
        self.lock().agents.remove(&flight);
        answer
    }

    /// The region that a signature for STS there is for.
    fn region_of(&self, url: &ServiceUrl) -> String {
        // The one without a region in its name is in us-east-1 (IAM user guide, "Manage AWS
        // STS in an AWS Region").
        let there = match url.host.as_str() {
            "sts.amazonaws.com" => Some("us-east-1"),
            host => region::of_host(host),
        };
        there.unwrap_or(&self.region).to_owned()
    }

    fn take_off(&self, agent: Agent) -> u64 {
        let mut flights = self.lock();
        flights.count += 1;
        let flight = flights.count;
        flights.agents.insert(flight, agent);
        flight
    }

    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
