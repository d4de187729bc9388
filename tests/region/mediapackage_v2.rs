//! MediaPackage v2: channel groups, their channels, and the origin endpoints of those.
//!
//! ```ignore
//! let mut world = World::new("eu-central-1").with_groups(1, 2, 4).standard_metrics();
//! world.edit_channel_v2("group-0.ch-0001", |c| c.description = None); // ModifiedAt moves
//! world.tag_v2("group-0.ch-0001", "env", "live"); // and here it does not
//! ```
//!
//! Ids are those of topics: names with dots between them. Source: service model of 2022-12-25.

mod answers;
mod edit;
mod serve;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::world::{ACCOUNT, Ingest, World, guid};

pub use serve::{operation, serve};

/// 2026-01-15T09:30:00.25Z: v2 may tell parts of a second.
pub const CREATED_MS: i64 = 1_768_469_400_250;
/// A listing and a resource got by itself may round differently, so changes are further apart.
const CHANGE_MS_MIN: i64 = 2000;

/// MediaPackage v2 as AWS holds it, each in the order it is listed.
#[derive(Default)]
pub struct V2 {
    /// Channel groups.
    pub groups: Vec<Group>,
    /// Channels of all groups.
    pub channels: Vec<Channel>,
    /// Origin endpoints of all channels.
    pub endpoints: Vec<Endpoint>,
}

/// What every resource has.
#[derive(Clone)]
pub struct Common {
    /// Free text; left out when `None`.
    pub description: Option<String>,
    /// Its tags, which only its own `Get…` tells.
    pub tags: BTreeMap<String, String>,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was changed last; tags do not count.
    pub modified_ms: i64,
    /// Laid over what is listed and got, member by member: nulls, unknown members.
    pub overlay: Map<String, Value>,
    /// Laid over what is got, besides.
    pub got_overlay: Map<String, Value>,
}

/// A channel group.
#[derive(Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Where its endpoints are played from.
    pub egress_domain: String,
    /// The rest.
    pub common: Common,
}

/// A channel.
#[derive(Clone)]
pub struct Channel {
    /// Name of its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// `HLS`, `CMAF`, or what AWS adds later.
    pub input_type: String,
    /// Its ingest endpoints, which only `GetChannel` tells.
    pub ingest: Vec<Ingest>,
    /// The rest.
    pub common: Common,
}

/// An origin endpoint.
#[derive(Clone)]
pub struct Endpoint {
    /// Name of its channel's group.
    pub group: String,
    /// Name of its channel.
    pub channel: String,
    /// Its name.
    pub name: String,
    /// `TS`, `CMAF`, `ISM`, or what AWS adds later.
    pub container: String,
    /// What it has for players.
    pub manifests: Vec<Manifest>,
    /// Whether SPEKE encryption is configured.
    pub encrypted: bool,
    /// The rest.
    pub common: Common,
}

/// A manifest of an origin endpoint.
#[derive(Clone)]
pub struct Manifest {
    /// Its kind.
    pub kind: ManifestKind,
    /// Its name.
    pub name: String,
}

/// For which players a manifest is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// HTTP Live Streaming.
    Hls,
    /// The same with low latency.
    LowLatencyHls,
    /// MPEG-DASH.
    Dash,
    /// Microsoft Smooth Streaming.
    Mss,
}

/// All kinds, in the order in which v2 names them.
pub const MANIFEST_KINDS: [ManifestKind; 4] = [
    ManifestKind::Hls,
    ManifestKind::LowLatencyHls,
    ManifestKind::Dash,
    ManifestKind::Mss,
];

/// An endpoint's name, container and manifests, as [`World::with_groups`] deals them out.
const FORMATS: [(&str, &str, &[ManifestKind]); 4] = [
    ("hls", "TS", &[ManifestKind::Hls]),
    (
        "cmaf",
        "CMAF",
        &[
            ManifestKind::Hls,
            ManifestKind::LowLatencyHls,
            ManifestKind::Dash,
        ],
    ),
    ("mss", "ISM", &[ManifestKind::Mss]),
    ("dash", "CMAF", &[ManifestKind::Dash]),
];

impl Common {
    fn new(description: String, now_ms: i64) -> Common {
        Common {
            description: Some(description),
            tags: [("env".to_owned(), "test".to_owned())].into(),
            created_ms: CREATED_MS.min(now_ms),
            modified_ms: CREATED_MS.min(now_ms),
            overlay: Map::new(),
            got_overlay: Map::new(),
        }
    }

    /// Moves the date of the last change, whatever the clock shows.
    fn touch(&mut self, now_ms: i64) {
        self.modified_ms = now_ms.max(self.modified_ms + CHANGE_MS_MIN);
    }
}

impl Group {
    /// Its ARN.
    pub fn arn(&self, world: &World) -> String {
        arn(world, &self.name)
    }
}

impl Channel {
    /// `<group>.<channel>`.
    pub fn id(&self) -> String {
        format!("{}.{}", self.group, self.name)
    }

    /// Its ARN.
    pub fn arn(&self, world: &World) -> String {
        arn(world, &format!("{}/channel/{}", self.group, self.name))
    }
}

impl Endpoint {
    /// `<group>.<channel>.<endpoint>`.
    pub fn id(&self) -> String {
        format!("{}.{}", self.channel_id(), self.name)
    }

    /// `<group>.<channel>`.
    pub fn channel_id(&self) -> String {
        format!("{}.{}", self.group, self.channel)
    }

    /// Its ARN.
    pub fn arn(&self, world: &World) -> String {
        let (group, channel, name) = (&self.group, &self.channel, &self.name);
        let path = format!("{group}/channel/{channel}/originEndpoint/{name}");
        arn(world, &path)
    }
}

/// The ARN of what is at this path below the groups.
pub fn arn(world: &World, path: &str) -> String {
    let region = &world.region;
    format!("arn:aws:mediapackagev2:{region}:{ACCOUNT}:channelGroup/{path}")
}

impl World {
    /// Adds `groups` groups `group-0`, `group-1` … of `channels` channels each, which have the
    /// names that [`World::with_channels`] gives those of v1, and `endpoints` endpoints each.
    pub fn with_groups(mut self, groups: usize, channels: usize, endpoints: usize) -> World {
        for group in 0..groups {
            let group = format!("group-{group}");
            self.add_group(&group);
            for channel in 0..channels {
                self.add_channel_v2(&group, &format!("ch-{channel:04}"), endpoints);
            }
        }
        self
    }

    /// Adds an empty group.
    pub fn add_group(&mut self, name: &str) {
        let id = guid(name);
        let region = &self.region;
        self.v2.groups.push(Group {
            name: name.to_owned(),
            egress_domain: format!("{id:.6}.egress.{id:.8}.mediapackagev2.{region}.amazonaws.com"),
            common: Common::new(format!("Group {name}"), self.now_ms()),
        });
    }

    /// Adds a channel to a group, with endpoints `hls`, `cmaf`, `mss`, `dash`, `hls-2` …,
    /// without metrics.
    pub fn add_channel_v2(&mut self, group: &str, name: &str, endpoints: usize) {
        let now_ms = self.now_ms();
        let id = guid(&format!("{group}.{name}"));
        let ingest = |n: u8| Ingest {
            id: guid(&format!("{group}.{name} ingest {n}")),
            url: format!(
                "https://{id:.6}-{n}.ingest.{:.6}.mediapackagev2.{}.amazonaws.com/in/v1/{group}\
                 /{n}/{name}/index",
                guid(group),
                self.region
            ),
        };
        self.v2.channels.push(Channel {
            group: group.to_owned(),
            name: name.to_owned(),
            input_type: String::from("CMAF"),
            ingest: vec![ingest(1), ingest(2)],
            common: Common::new(format!("Channel {name} of {group}"), now_ms),
        });
        for n in 0..endpoints {
            let round = match n / FORMATS.len() {
                0 => String::new(),
                more => format!("-{}", more + 1),
            };
            let (format, container, kinds) = FORMATS[n % FORMATS.len()];
            let manifest = |kind: &ManifestKind| Manifest {
                kind: *kind,
                name: kind.name().to_owned(),
            };
            let mut common = Common::new(format!("{format} of {name}"), now_ms);
            common.tags = [("package".to_owned(), format.to_owned())].into();
            self.v2.endpoints.push(Endpoint {
                group: group.to_owned(),
                channel: name.to_owned(),
                name: format!("{format}{round}"),
                container: container.to_owned(),
                manifests: kinds.iter().map(manifest).collect(),
                encrypted: n % 2 == 1,
                common,
            });
        }
    }
}

impl ManifestKind {
    /// The list that it stands in.
    fn member(self) -> &'static str {
        match self {
            ManifestKind::Hls => "HlsManifests",
            ManifestKind::LowLatencyHls => "LowLatencyHlsManifests",
            ManifestKind::Dash => "DashManifests",
            ManifestKind::Mss => "MssManifests",
        }
    }

    fn name(self) -> &'static str {
        match self {
            ManifestKind::Hls => "index",
            ManifestKind::LowLatencyHls => "low-latency",
            ManifestKind::Dash => "dash",
            ManifestKind::Mss => "smooth",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            ManifestKind::Hls | ManifestKind::LowLatencyHls => "m3u8",
            ManifestKind::Dash => "mpd",
            ManifestKind::Mss => "ism/Manifest",
        }
    }
}
