//! Home Assistant's MQTT discovery: one retained document for each device, so that channels,
//! endpoints and alarms appear by themselves.
//!
//! Source: Home Assistant's documentation, "MQTT discovery", and `components/mqtt` of its core.
//! The rules that shape this module:
//!
//! - An unknown key at the root makes older versions refuse the whole device; inside a component
//!   it is ignored. A wrong unit for a device class loses the component.
//! - To leave a component out removes nothing. It has to be sent once with nothing but its
//!   platform, and then be left out.
//! - A template that gives `None` is "unknown". A key that is missing, or a value that is not
//!   among an enum's options, is a warning in Home Assistant's log for each message.
//! - All that we publish is retained and sent again after each connect, so that the birth
//!   message of Home Assistant needs no answer.
//!
//! A unique id is `mediapackage2mqtt.<instance>.<object id>.<key>`. None of the parts has a dot
//! in it, so no two instances can meet.

mod agent;
mod alarm;
mod channel;
mod component;
mod console;
mod endpoint;
mod packaging;
mod shapes;
mod slug;
mod template;
#[cfg(test)]
mod tests;
mod writer;

use crate::state::alarms::Alarm;
use crate::state::model::{
    Channel, Endpoint, Id, IngestEndpoint, PackagingConfiguration, PackagingGroup,
};
use crate::state::source::Source;
use crate::state::wish::MetricsLevel;

use super::Names;
pub use component::Components;
use slug::slug;
use writer::Writer;

/// What every identifier of ours begins with, and the name of the origin.
const PROGRAM: &str = "mediapackage2mqtt";
/// Object id of the agent's device.
const AGENT: &str = "agent";

/// A device of Home Assistant. The order is that of a full set: the agent comes first, since the
/// others refer to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// The agent, with the region as a whole and the alarms that belong to no channel.
    Agent,
    /// A channel with its endpoints and alarms.
    Channel(Id),
    /// A packaging group of VOD with its configurations.
    PackagingGroup(Id),
}

/// Which listing a document comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// None: the agent's own.
    Agent,
    /// That of v1.
    V1,
    /// That of v2.
    V2,
    /// That of VOD.
    Vod,
    /// It is not of this version.
    Unknown,
}

const PREFIXES: [(&str, Origin); 3] = [
    ("v1_", Origin::V1),
    ("v2_", Origin::V2),
    ("vod_", Origin::Vod),
];

impl Device {
    /// Its level in the document's topic, of `[A-Za-z0-9_-]`. Only ids of v2 hold dots.
    pub fn object_id(&self) -> String {
        match self {
            Device::Agent => AGENT.to_owned(),
            Device::Channel(id) if id.contains('.') => format!("v2_{}", slug(id)),
            Device::Channel(id) => format!("v1_{}", slug(id)),
            Device::PackagingGroup(id) => format!("vod_{}", slug(id)),
        }
    }
}

/// Which listing the document of this object id comes from.
pub fn origin(object_id: &str) -> Origin {
    if object_id == AGENT {
        return Origin::Agent;
    }
    let known = PREFIXES
        .iter()
        .find(|(prefix, _)| object_id.starts_with(prefix));
    known.map_or(Origin::Unknown, |(_, origin)| *origin)
}

/// What all documents have in common; it does not change while the process lives.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Names of topics.
    pub names: &'a Names,
    /// Of the program.
    pub version: &'a str,
    /// The AWS region.
    pub region: &'a str,
    /// How much is asked of CloudWatch.
    pub level: MetricsLevel,
    /// The sources that are wanted.
    pub sources: &'a [Source],
}

impl Scene<'_> {
    fn has_metrics(&self) -> bool {
        self.level > MetricsLevel::Off
    }

    /// The device's identifier, and what its unique ids begin with.
    fn identifier(&self, object_id: &str) -> String {
        format!("{PROGRAM}.{}.{object_id}", self.names.instance())
    }
}

/// What a document is about.
pub enum Subject<'a> {
    /// See [`Device::Agent`].
    Agent,
    /// See [`Device::Channel`].
    Channel {
        /// The channel.
        channel: &'a Channel,
        /// Its endpoints.
        endpoints: Vec<&'a Endpoint>,
    },
    /// See [`Device::PackagingGroup`].
    PackagingGroup {
        /// The group.
        group: &'a PackagingGroup,
        /// Its configurations.
        configurations: Vec<&'a PackagingConfiguration>,
    },
}

impl Subject<'_> {
    fn device(&self) -> Device {
        match self {
            Subject::Agent => Device::Agent,
            Subject::Channel { channel, .. } => Device::Channel(channel.id.clone()),
            Subject::PackagingGroup { group, .. } => Device::PackagingGroup(group.id.clone()),
        }
    }
}

/// The alarms of a device, and how sure all of this is.
pub struct AlarmsOf<'a> {
    /// In order of their keys.
    pub alarms: Vec<&'a Alarm>,
    /// What may be told of them and of the device.
    pub sure: Sure,
}

/// How sure it is what belongs to a device: what is not known does not appear, and does not go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sure {
    /// Whose its alarms are. Until then only those are shown that Home Assistant knows, so that
    /// none moves between devices.
    pub owners: bool,
    /// What it consists of, its alarms aside: entities that are gone may be taken off.
    pub device: bool,
    /// Which alarms there are: those that are gone may be taken off.
    pub alarms: bool,
}

impl Sure {
    /// Of everything, or of nothing.
    pub fn of_all(sure: bool) -> Sure {
        Sure {
            owners: sure,
            device: sure,
            alarms: sure,
        }
    }
}

/// One document.
#[derive(Debug)]
pub struct Document {
    /// JSON.
    pub payload: String,
    /// The components it shows.
    pub shown: Components,
    /// Those it removes.
    pub leaving: Components,
    /// How many found no room in it.
    pub left_out: usize,
}

/// Writes the document of a device. `known` are the components that Home Assistant may know of it
/// from documents before.
pub fn document(
    scene: &Scene,
    subject: &Subject,
    alarms: &AlarmsOf,
    known: &Components,
) -> Document {
    let mut writer = Writer::new(scene, &subject.device(), head(scene, subject));
    match subject {
        Subject::Agent => agent::write(&mut writer, scene),
        Subject::Channel { channel, endpoints } => {
            channel::write(&mut writer, scene, channel, endpoints);
        }
        Subject::PackagingGroup {
            group,
            configurations,
        } => packaging::write(&mut writer, scene, group, configurations),
    }
    alarm::write_alarms(&mut writer, alarms, known);
    writer.finish(known, alarms.sure)
}

/// What the document says of the device itself.
struct Head<'a> {
    name: String,
    model: &'a str,
    model_id: Option<&'a str>,
    configuration_url: Option<String>,
    /// Whether its components need `source/metrics` beside `status`, unless they say otherwise.
    needs_metrics: bool,
}

fn head<'a>(scene: &Scene, subject: &Subject<'a>) -> Head<'a> {
    match subject {
        Subject::Agent => Head {
            name: format!("MediaPackage agent {}", scene.names.instance()),
            model: "MediaPackage to MQTT agent",
            model_id: None,
            configuration_url: console::home(scene.region),
            needs_metrics: false,
        },
        Subject::Channel { channel, .. } => Head {
            name: format!("MediaPackage {}", channel.id),
            model: "Elemental MediaPackage channel",
            model_id: Some(channel.api.as_str()),
            configuration_url: console::channel(scene.region, channel),
            needs_metrics: scene.has_metrics(),
        },
        Subject::PackagingGroup { group, .. } => Head {
            name: format!("MediaPackage VOD {}", group.id),
            model: "Elemental MediaPackage packaging group",
            model_id: Some("vod"),
            configuration_url: console::home(scene.region),
            needs_metrics: scene.level >= MetricsLevel::Standard,
        },
    }
}

/// Whether an ingest endpoint's id may stand in a template: no quote and no brace in it.
fn is_plain(input: &IngestEndpoint) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !input.id.is_empty() && input.id.bytes().all(plain)
}
