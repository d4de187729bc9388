//! What there is in the simulated region: inventory, alarms, metrics, keys and clock.
//!
//! All strings are synthetic. What must never be seen outside is planted from [`SECRETS`].

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::faults::Faults;
use super::harvest::Job;
use super::mediapackage_v2::V2;
use super::series::{Metrics, mix};
use super::sessions::{self, Sessions};
use super::sns::{self, Sns};
use super::sqs::{self, Sqs};
use super::vod::Vod;

/// The account that everything belongs to.
pub const ACCOUNT: &str = "123456789012";
/// Key of the credentials that a new world accepts.
pub const ACCESS_KEY_ID: &str = "AKIASYNTHETIC0000001";
/// Their secret.
pub const SECRET_ACCESS_KEY: &str = "planted/SecretAccessKey+0123456789abcdef";
/// Both, as a new world accepts them.
pub const KEY: (&str, &str) = (ACCESS_KEY_ID, SECRET_ACCESS_KEY);
/// User name of every ingest endpoint.
pub const INGEST_USERNAME: &str = "planted-ingest-user-5f2d";
/// Password of every ingest endpoint.
pub const INGEST_PASSWORD: &str = "planted-ingest-password-91ac";
/// User information in the ingest URLs of [`World::awkward`].
pub const URL_PASSWORD: &str = "planted-url-password-77e0";
/// CDN authorization of every endpoint.
pub const CDN_SECRET: &str =
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:planted-cdn-AbCdEf";
/// Role of the CDN authorization.
pub const SECRETS_ROLE: &str = "arn:aws:iam::123456789012:role/planted-secrets-role";
/// Key server of encrypted endpoints.
pub const SPEKE_URL: &str = "https://planted-speke.example.net/keys";
/// Role for the key server.
pub const SPEKE_ROLE: &str = "arn:aws:iam::123456789012:role/planted-speke-role";
/// Certificate for the key server.
pub const SPEKE_CERTIFICATE: &str =
    "arn:aws:acm:eu-central-1:123456789012:certificate/planted-0001";
/// Resource id at the key server.
pub const SPEKE_RESOURCE: &str = "planted-speke-resource";
/// Constant initialization vector.
pub const SPEKE_IV: &str = "planted0iv0f1e2d3c4b5a6978695a4b";
/// Role that writes what v1 harvests.
pub const HARVEST_ROLE: &str = "arn:aws:iam::123456789012:role/planted-harvest-role";
/// DRM settings of the manifests of v2.
pub const DRM_SETTINGS: &str = "planted-drm-settings";
/// In every policy of v2.
pub const POLICY: &str = "planted-policy-of-v2";
/// Whitelisted client range.
pub const WHITELIST: &str = "203.0.113.77/32";

/// Everything that no topic, log line or error may show.
pub const SECRETS: &[&str] = &[
    SECRET_ACCESS_KEY,
    INGEST_USERNAME,
    INGEST_PASSWORD,
    URL_PASSWORD,
    CDN_SECRET,
    SECRETS_ROLE,
    SPEKE_URL,
    SPEKE_ROLE,
    SPEKE_CERTIFICATE,
    SPEKE_RESOURCE,
    SPEKE_IV,
    HARVEST_ROLE,
    DRM_SETTINGS,
    POLICY,
    WHITELIST,
    sns::TOKEN,
    sns::UNSUBSCRIBE,
    sqs::receipt::RECEIPT,
    sessions::KEY_ID,
    sessions::SECRET,
    sessions::TOKEN,
    sessions::EXTERNAL_ID,
    sessions::IMDS_TOKEN,
    sessions::CONTAINER_TOKEN,
    sessions::WEB_TOKEN,
];

/// A region of one account, as AWS holds it.
pub struct World {
    /// Region name.
    pub region: String,
    /// What the region's clock shows.
    pub clock: Clock,
    /// Keys that are let in.
    pub keys: Vec<Key>,
    /// Actions that no key may take: `cloudwatch:DescribeAlarms`, or `mediapackagev2:*`.
    pub denied: Vec<String>,
    /// Signing names of the services that the region does not have.
    pub absent: Vec<String>,
    /// v1 channels, in the order they are listed.
    pub channels: Vec<Channel>,
    /// v1 origin endpoints, in the order they are listed.
    pub endpoints: Vec<Endpoint>,
    /// MediaPackage v2.
    pub v2: V2,
    /// Harvest jobs of v1 and v2, in the order they are listed.
    pub jobs: Vec<Job>,
    /// MediaPackage VOD.
    pub vod: Vod,
    /// CloudWatch alarms of every kind.
    pub alarms: Vec<Alarm>,
    /// CloudWatch metrics.
    pub metrics: Metrics,
    /// SNS.
    pub sns: Sns,
    /// SQS.
    pub sqs: Sqs,
    /// Who gives out sessions, and to whom.
    pub sessions: Sessions,
    /// What stands in the dimensions `Channel` and `OriginEndpoint`.
    pub dimension: Dimension,
    /// How much one page holds.
    pub pages: Pages,
    /// How long every answer takes.
    pub latency: Duration,
    /// What goes wrong next.
    pub faults: Faults,
    /// Answers carry members that no model knows yet.
    pub unknown_fields: bool,
}

/// The region's clock.
#[derive(Clone, Copy)]
pub enum Clock {
    /// This machine's clock and an offset in milliseconds.
    Offset(i64),
    /// Stands still at this time in milliseconds since 1970.
    Fixed(i64),
}

/// One access key.
#[derive(Clone)]
pub struct Key {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    pub secret: String,
    /// Session token that must come with it.
    pub token: Option<String>,
    /// The session is over.
    pub expired: bool,
    /// The key was taken back: AWS no longer knows it.
    pub revoked: bool,
    /// When the session is over by itself, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

impl Key {
    /// A key in force, with a session token or without.
    pub fn new(id: &str, secret: &str, token: Option<&str>) -> Key {
        Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
            expired: false,
            revoked: false,
            expires_ms: None,
        }
    }
}

/// What a dimension names a channel or endpoint by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The id that the lists return.
    Id,
    /// The last part of the ARN.
    Guid,
}

/// Limits of a page; a request may ask for less.
#[derive(Clone, Copy)]
pub struct Pages {
    /// Channels and origin endpoints.
    pub inventory: usize,
    /// Alarms at most; a request that names no limit gets 50.
    pub alarms: usize,
    /// Metrics of `ListMetrics`.
    pub metrics: usize,
    /// `ListMetrics` returns each metric this many times.
    pub metric_copies: usize,
    /// Data points of `GetMetricData`, over all queries.
    pub data_points: usize,
}

/// One of a channel's two ingest endpoints.
#[derive(Clone)]
pub struct Ingest {
    /// Dimension value of its metrics.
    pub id: String,
    /// Where the encoder sends to.
    pub url: String,
}

/// A v1 channel.
#[derive(Clone)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Last part of its ARN.
    pub guid: String,
    /// Free text; left out when `None`.
    pub description: Option<String>,
    /// When it was made, as AWS writes it.
    pub created_at: String,
    /// Its ingest endpoints.
    pub ingest: Vec<Ingest>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Laid over what is listed, member by member: nulls, wrong types, unknown members.
    pub overlay: Map<String, Value>,
}

/// A v1 origin endpoint.
#[derive(Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// Id of its channel.
    pub channel_id: String,
    /// Last part of its ARN.
    pub guid: String,
    /// Free text; left out when `None`.
    pub description: Option<String>,
    /// How it packages.
    pub package: Package,
    /// Whether SPEKE encryption is configured.
    pub encrypted: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Laid over what is listed, member by member.
    pub overlay: Map<String, Value>,
}

/// How a v1 endpoint packages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// HTTP Live Streaming.
    Hls,
    /// MPEG-DASH.
    Dash,
    /// Common Media Application Format.
    Cmaf,
    /// Microsoft Smooth Streaming.
    Mss,
}

/// All of them, in the order in which [`World::with_channels`] deals them out.
pub const PACKAGES: [Package; 4] = [Package::Hls, Package::Dash, Package::Cmaf, Package::Mss];

impl Package {
    /// Short name, as it ends the ids of the endpoints.
    pub fn name(self) -> &'static str {
        match self {
            Package::Hls => "hls",
            Package::Dash => "dash",
            Package::Cmaf => "cmaf",
            Package::Mss => "mss",
        }
    }
}

/// What an alarm watches.
#[derive(Clone)]
pub enum AlarmKind {
    /// One metric.
    Metric {
        /// Namespace.
        namespace: String,
        /// Metric name.
        metric: String,
        /// Dimensions.
        dimensions: Vec<(String, String)>,
    },
    /// Metric math: the `Metrics` member as it is.
    Math(Value),
    /// Other alarms, by a rule.
    Composite(String),
    /// A log query.
    Log,
}

/// A CloudWatch alarm.
#[derive(Clone)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What it watches.
    pub kind: AlarmKind,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`, or what AWS adds later.
    pub state: String,
    /// Why, in words.
    pub reason: String,
    /// Free text.
    pub description: Option<String>,
    /// ARNs of the topics that are told about every change of the state.
    pub actions: Vec<String>,
    /// When the state was set, milliseconds since 1970.
    pub updated_ms: i64,
    /// Laid over what is listed, member by member.
    pub overlay: Map<String, Value>,
}

impl World {
    /// An empty region that accepts [`ACCESS_KEY_ID`] and keeps this machine's time.
    pub fn new(region: &str) -> World {
        World {
            region: region.to_owned(),
            clock: Clock::Offset(0),
            keys: vec![Key::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None)],
            denied: Vec::new(),
            absent: Vec::new(),
            channels: Vec::new(),
            endpoints: Vec::new(),
            v2: V2::default(),
            jobs: Vec::new(),
            vod: Vod::default(),
            alarms: Vec::new(),
            metrics: Metrics::default(),
            sns: Sns::default(),
            sqs: Sqs::default(),
            sessions: Sessions::default(),
            dimension: Dimension::Id,
            pages: Pages {
                inventory: 1000,
                alarms: 100,
                metrics: 500,
                metric_copies: 1,
                data_points: 100_800,
            },
            latency: Duration::ZERO,
            faults: Faults::default(),
            unknown_fields: false,
        }
    }

    /// Adds `channels` channels `ch-0000`, `ch-0001` … with `endpoints` endpoints each.
    pub fn with_channels(mut self, channels: usize, endpoints: usize) -> World {
        for n in 0..channels {
            self.add_channel(&format!("ch-{n:04}"), endpoints);
        }
        self
    }

    /// Takes a service out of the region: AWS says that it needs a subscription, as it does of
    /// services that a region or an account lacks.
    pub fn without_service(mut self, signing_name: &str) -> World {
        self.absent.push(signing_name.to_owned());
        self
    }

    /// Registers the series that AWS keeps for all channels, of v2 too, and for packaging
    /// configurations, with live-looking values.
    pub fn standard_metrics(mut self) -> World {
        let v1 = self.channels.iter().map(|c| c.id.clone());
        let v2 = self.v2.channels.iter().map(|c| c.id());
        let vod = self.vod.configurations.iter().map(|c| c.id.clone());
        for id in v1.chain(v2).chain(vod).collect::<Vec<_>>() {
            self.add_metrics(&id);
        }
        self
    }

    /// Milliseconds since 1970 by the region's clock.
    pub fn now_ms(&self) -> i64 {
        match self.clock {
            Clock::Fixed(ms) => ms,
            Clock::Offset(ms) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let system = since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(0));
                system + ms
            }
        }
    }

    /// The minute, counted from 1970, that the region's clock is in.
    pub fn minute(&self) -> i64 {
        self.now_ms().div_euclid(60_000)
    }

    /// Adds one channel with endpoints `<id>-hls`, `<id>-dash` …, without metrics.
    pub fn add_channel(&mut self, id: &str, endpoints: usize) {
        let guid = guid(id);
        let ingest = |n: u8| {
            let ingest_id = self::guid(&format!("{id} ingest {n}"));
            let url = format!(
                "https://{:.16}.mediapackage.{}.amazonaws.com/in/v2/{guid}/{ingest_id}/channel",
                guid, self.region
            );
            Ingest { id: ingest_id, url }
        };
        self.channels.push(Channel {
            id: id.to_owned(),
            description: Some(format!("Channel {id}")),
            created_at: String::from("2026-01-15T09:30:00.000Z"),
            ingest: vec![ingest(1), ingest(2)],
            tags: [("env".to_owned(), "test".to_owned())].into(),
            overlay: Map::new(),
            guid,
        });
        for n in 0..endpoints {
            let package = PACKAGES[n % PACKAGES.len()];
            let round = match n / PACKAGES.len() {
                0 => String::new(),
                more => format!("-{}", more + 1),
            };
            let endpoint = format!("{id}-{}{round}", package.name());
            self.endpoints.push(Endpoint {
                channel_id: id.to_owned(),
                guid: self::guid(&endpoint),
                description: Some(format!("{} of {id}", package.name())),
                package,
                encrypted: n % 2 == 1,
                tags: [("package".to_owned(), package.name().to_owned())].into(),
                overlay: Map::new(),
                id: endpoint,
            });
        }
    }

    /// Removes a channel and its endpoints; its metrics stop, as AWS keeps what was.
    pub fn remove_channel(&mut self, id: &str) {
        let minute = self.minute();
        for key in self.keys_of(id) {
            self.metrics.stop(&key, minute);
        }
        self.channels.retain(|c| c.id != id);
        self.endpoints.retain(|e| e.channel_id != id);
    }

    /// The channel of this id.
    pub fn channel(&mut self, id: &str) -> &mut Channel {
        let found = self.channels.iter_mut().find(|c| c.id == id);
        found.unwrap_or_else(|| panic!("the world has no channel {id}"))
    }

    /// The endpoint of this id.
    pub fn endpoint(&mut self, id: &str) -> &mut Endpoint {
        let found = self.endpoints.iter_mut().find(|e| e.id == id);
        found.unwrap_or_else(|| panic!("the world has no endpoint {id}"))
    }

    /// Adds an alarm, or puts it in place of the one of that name.
    pub fn put_alarm(&mut self, alarm: Alarm) {
        self.alarms.retain(|a| a.name != alarm.name);
        self.alarms.push(alarm);
    }

    /// Sets the state of an alarm, at the region's time.
    pub fn set_alarm(&mut self, name: &str, state: &str, reason: &str) {
        let now = self.now_ms();
        let found = self.alarms.iter_mut().find(|a| a.name == name);
        let alarm = found.unwrap_or_else(|| panic!("the world has no alarm {name}"));
        alarm.state = state.to_owned();
        alarm.reason = reason.to_owned();
        alarm.updated_ms = now;
    }

    /// Whatever makes a parser or a topic stumble, in one small region: names that need
    /// encoding, 300-character texts, nulls, unknown members and unknown enum values.
    pub fn awkward(region: &str) -> World {
        let mut world = World::new(region);
        world.unknown_fields = true;
        world.pages.inventory = 2;
        let ids = [
            "a/b#c+d",
            "Größe \"1\"\nzwei",
            "$share/100% ✓",
            &"x".repeat(300),
            "..",
        ];
        for id in ids {
            world.add_channel(id, 4);
        }
        let first = world.channel("a/b#c+d");
        first.description =
            Some("quote \" backslash \\ newline \n tab \t é 漢字 \u{1f3ac}".repeat(8));
        first.tags = [("k/é \"".to_owned(), "v\n".repeat(150))].into();
        let user_info = format!("https://user:{URL_PASSWORD}@");
        for ingest in &mut first.ingest {
            ingest.url = ingest.url.replacen("https://", &user_info, 1);
        }
        let nulls = [
            "arn",
            "createdAt",
            "description",
            "egressAccessLogs",
            "ingressAccessLogs",
            "hlsIngest",
            "tags",
        ];
        world.channel("..").overlay = nulls.iter().map(|k| (k.to_string(), Value::Null)).collect();
        // The constant vector is a matter of HLS and CMAF.
        world.endpoint("a/b#c+d-cmaf").encrypted = true;
        world.endpoint("a/b#c+d-hls").overlay = overlay(json!({
            "origination": "ALLOW_SOMETIMES",
            "hlsPackage": {"segmentDurationSeconds": null, "playlistType": "A_NEW_ONE"},
        }));
        world.endpoint("a/b#c+d-dash").overlay = overlay(json!({
            "dashPackage": null, "holographicPackage": {"depth": 3}, "url": null, "arn": null,
            "description": null, "startoverWindowSeconds": null, "timeDelaySeconds": null,
            "manifestName": null, "createdAt": null, "tags": null, "origination": null,
        }));
        let mut alarm = Alarm::metric("a/b#c+d \"é\"", "IngressBytes", &[("Channel", "a/b#c+d")]);
        alarm.state = String::from("SOMEWHAT_ALARMED");
        alarm.reason = "no data\n\"é\" ".repeat(40);
        world.put_alarm(alarm);
        world.add_awkward_v2();
        world.add_packaging_group("Größe \"2\"/vod", 5);
        world.add_job("a/b#c+d-hls", "job \"é\"");
        world.add_job("-.-.hls", "-");
        world.standard_metrics()
    }
}

impl Alarm {
    /// An alarm on one MediaPackage metric, in state `OK` since a fixed past time.
    pub fn metric(name: &str, metric: &str, dimensions: &[(&str, &str)]) -> Alarm {
        let pair = |&(n, v): &(&str, &str)| (n.to_owned(), v.to_owned());
        Alarm::of(
            name,
            AlarmKind::Metric {
                namespace: String::from("AWS/MediaPackage"),
                metric: metric.to_owned(),
                dimensions: dimensions.iter().map(pair).collect(),
            },
        )
    }

    /// A composite alarm with this rule.
    pub fn composite(name: &str, rule: &str) -> Alarm {
        Alarm::of(name, AlarmKind::Composite(rule.to_owned()))
    }

    /// An alarm of any kind, in state `OK` since a fixed past time.
    pub fn of(name: &str, kind: AlarmKind) -> Alarm {
        Alarm {
            name: name.to_owned(),
            kind,
            state: String::from("OK"),
            reason: String::from("Threshold Crossed: 1 datapoint was within the threshold."),
            description: Some(format!("Watches {name}")),
            actions: Vec::new(),
            updated_ms: 1_767_225_600_125,
            overlay: Map::new(),
        }
    }
}

/// The members of a JSON object, to be laid over what is listed.
pub fn overlay(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("an overlay is an object, not {other}"),
    }
}

/// 32 hex digits that are always the same for a name.
pub fn guid(name: &str) -> String {
    let half = |seed: u64| {
        name.bytes()
            .fold(seed, |hash, byte| mix(hash ^ u64::from(byte)))
    };
    format!("{:016x}{:016x}", half(1), half(2))
}
