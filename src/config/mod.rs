//! The config file: TOML text in, a [`Config`] with every default filled in out, or every
//! fault that can be found in one run, each with file, line and key.
//!
//! What each key means stands in the README and in the commented example,
//! `systemd/config.toml`, which is one of the test's fixtures.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::state::glob::Glob;
use crate::state::wish::Wish;

mod arn;
mod env;
mod errors;
mod files;
mod keys;
mod load;
pub mod near;
mod read;
pub mod region;
pub mod secret;
mod syntax;
mod table;
mod url;
mod value;

pub use env::Env;
pub use errors::Errors;
pub(crate) use files::origin_of_credential;
pub use keys::all as all_keys;
pub use load::{load, parse};
pub use read::credentials::session_name;
pub use secret::Secret;
pub use url::{any_url, origin_url};

pub use crate::state::wish::{AlarmsKept, MetricsLevel};

/// Everything the agent was told, checked, with defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// The AWS region.
    pub region: String,
    /// Topic level and part of the MQTT client id.
    pub instance: String,
    /// Where the agent keeps its small state; `<state_dir>/<instance>/` is its own.
    pub state_dir: PathBuf,
    /// How much is logged.
    pub log: log::LevelFilter,
    /// Extra roots for AWS connections.
    pub ca_file: Option<PathBuf>,
    /// `[credentials]`; `None`: the default chain.
    pub credentials: Option<Keys>,
    /// `[credentials.iot]`.
    pub iot: Option<Iot>,
    /// `[credentials.assume_role]`.
    pub assume_role: Option<AssumeRole>,
    /// `[mediapackage]`.
    pub mediapackage: MediaPackage,
    /// `[cloudwatch]`.
    pub cloudwatch: CloudWatch,
    /// `[sns]`.
    pub sns: Option<Sns>,
    /// `[sqs]`.
    pub sqs: Option<Sqs>,
    /// `[mqtt]`.
    pub mqtt: Mqtt,
    /// `[home_assistant]`.
    pub home_assistant: HomeAssistant,
    /// `[status]`.
    pub status: Option<Status>,
    /// What is right but deserves a word, one sentence each, to be logged once at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// The topics whose messages are taken, by whichever way, each once.
    pub fn topic_arns(&self) -> Vec<String> {
        let of_listener = self.sns.iter().flat_map(|sns| &sns.topic_arns);
        let of_queue = self.sqs.iter().flat_map(|sqs| &sqs.topic_arns);
        let all: BTreeSet<&String> = of_listener.chain(of_queue).collect();
        all.into_iter().cloned().collect()
    }

    /// The part that the rules of `state` depend on.
    pub fn wish(&self) -> Wish {
        let (mp, cw) = (&self.mediapackage, &self.cloudwatch);
        Wish {
            include: mp.include.clone(),
            exclude: mp.exclude.clone(),
            level: cw.metrics,
            metrics_interval: cw.interval,
            settle: cw.settle,
            ingest_lost_after: cw.ingest_lost_after,
            alarms: cw.alarms,
            alarm_include: cw.alarm_include.clone(),
            alarm_exclude: cw.alarm_exclude.clone(),
        }
    }
}

/// Static keys of the `[credentials]` table.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: Secret,
    /// Session token of temporary keys.
    pub session_token: Option<Secret>,
}

/// AWS IoT credential provider (`[credentials.iot]`).
#[derive(Clone, Debug)]
pub struct Iot {
    /// Origin of the account's credential provider.
    pub endpoint: ServiceUrl,
    /// Role alias.
    pub role_alias: String,
    /// Thing name, where the policy asks for it.
    pub thing_name: Option<String>,
    /// The thing's certificate.
    pub cert_file: PathBuf,
    /// The thing's key.
    pub key_file: PathBuf,
    /// Root of the provider's own certificate.
    pub ca_file: Option<PathBuf>,
}

/// A role taken on top of any source (`[credentials.assume_role]`).
#[derive(Clone, Debug)]
pub struct AssumeRole {
    /// ARN of the role.
    pub role_arn: String,
    /// External id, where the trust policy asks for it.
    pub external_id: Option<Secret>,
    /// Session name; default `mediapackage2mqtt-<instance>`.
    pub session_name: String,
    /// How long a session lasts; default 1 h, 15 min to 12 h.
    pub duration: Duration,
}

/// Origin of a service: `https://host[:port]`, or `http://` on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl {
    /// The URL without a trailing slash.
    pub text: String,
    /// True for `https`.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port, 443 or 80 unless given.
    pub port: u16,
    /// True when the host is a loopback address or `localhost`.
    pub loopback: bool,
}

/// How a service is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Env,
    /// Directly, whatever the environment says.
    None,
    /// Through this one.
    Url {
        /// `http://host:port`.
        url: String,
        /// User name.
        username: Option<String>,
        /// Password.
        password: Option<Secret>,
    },
}

/// Which MediaPackage APIs are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apis {
    /// v1 live.
    pub v1: bool,
    /// v2 live.
    pub v2: bool,
    /// VOD.
    pub vod: bool,
}

/// `[mediapackage]`.
#[derive(Clone, Debug)]
pub struct MediaPackage {
    /// Which APIs.
    pub apis: Apis,
    /// v1 service.
    pub url: ServiceUrl,
    /// v2 service.
    pub v2_url: ServiceUrl,
    /// VOD service.
    pub vod_url: ServiceUrl,
    /// Time between two polls.
    pub interval: Duration,
    /// How the three are reached.
    pub proxy: Proxy,
    /// Channels taken.
    pub include: Vec<Glob>,
    /// Channels left out of those.
    pub exclude: Vec<Glob>,
}

/// `[cloudwatch]`.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    /// Service.
    pub url: ServiceUrl,
    /// Time between two metric polls.
    pub interval: Duration,
    /// Time between two alarm polls.
    pub alarms_interval: Duration,
    /// How it is reached.
    pub proxy: Proxy,
    /// How much is asked.
    pub metrics: MetricsLevel,
    /// A minute counts as final this long after its end.
    pub settle: Duration,
    /// Ingest counts as lost after this much silence.
    pub ingest_lost_after: Duration,
    /// Which alarms are kept.
    pub alarms: AlarmsKept,
    /// Alarms kept besides.
    pub alarm_include: Vec<Glob>,
    /// Alarms left out.
    pub alarm_exclude: Vec<Glob>,
    /// Limit of a month's bill; 0: none.
    pub monthly_budget_usd: f64,
    /// What AWS takes for a thousand metrics.
    pub price_per_1000_metrics_usd: f64,
}

/// `[sns]`.
#[derive(Clone, Debug)]
pub struct Sns {
    /// Where it listens, `address:port`.
    pub listen: std::net::SocketAddr,
    /// How AWS reaches it.
    pub public_url: Option<String>,
    /// Topics whose messages are taken.
    pub topic_arns: Vec<String>,
    /// The only origin that certificates and confirmations come from.
    pub url: ServiceUrl,
    /// How that origin is reached.
    pub proxy: Proxy,
    /// Certificate chain for HTTPS.
    pub tls_cert_file: Option<PathBuf>,
    /// Its key.
    pub tls_key_file: Option<PathBuf>,
    /// Secret that the path is derived from.
    pub path_secret: Option<Secret>,
    /// 1 or 2.
    pub min_signature_version: u8,
}

/// `[sqs]`.
#[derive(Clone, Debug)]
pub struct Sqs {
    /// The queue.
    pub queue_url: String,
    /// Topics whose envelopes are taken.
    pub topic_arns: Vec<String>,
    /// Service.
    pub url: ServiceUrl,
    /// How it is reached.
    pub proxy: Proxy,
}

/// `[mqtt]`.
#[derive(Clone, Debug)]
pub struct Mqtt {
    /// True for `mqtts://`.
    pub tls: bool,
    /// Broker's host.
    pub host: String,
    /// Broker's port, 1883 or 8883 unless given.
    pub port: u16,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Roots for the broker's certificate; the public ones unless given.
    pub ca_file: Option<PathBuf>,
    /// Client certificate chain.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// First levels of every topic, without slash at either end.
    pub base_topic: String,
    /// Client id.
    pub client_id: String,
    /// Limit of publishes; 0: none.
    pub max_publishes_per_second: u32,
    /// Scalars also as topics of their own.
    pub flat: bool,
}

impl Mqtt {
    /// Whether the broker runs on this machine.
    pub fn is_here(&self) -> bool {
        url::is_loopback(&self.host)
    }
}

/// `[home_assistant]`.
#[derive(Clone, Debug)]
pub struct HomeAssistant {
    /// Whether discovery is published.
    pub enabled: bool,
    /// Where.
    pub discovery_prefix: String,
}

/// `[status]`.
#[derive(Clone, Debug)]
pub struct Status {
    /// Where the local page listens.
    pub listen: std::net::SocketAddr,
    /// Names under which it may be asked.
    pub hosts: Vec<String>,
}
