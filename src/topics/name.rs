//! The names of topics, `<base_topic>/<instance>/…`.

use sha2::{Digest, Sha256};

use crate::state::measure::Resource;
use crate::state::model::Id;
use crate::state::source::Source;
use crate::topics::discovery::Device;

/// An encoded level is cut at this length and told apart by a hash.
const LEVEL_BYTES_MAX: usize = 100;
/// Where Home Assistant looks for documents unless it is told otherwise.
const DISCOVERY_PREFIX: &str = "homeassistant";

/// A retained topic of ours. The order is the order in which a full set goes out: first who
/// we are and whether we can be believed, then what there is, then how it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `status`
    Status,
    /// `source/<name>`
    Source(Source),
    /// `agent`
    Agent,
    /// `summary`
    Summary,
    /// `channel_group/<id>`
    ChannelGroup(Id),
    /// `channel/<id>`
    Channel(Id),
    /// `endpoint/<id>`
    Endpoint(Id),
    /// `packaging_group/<id>`
    PackagingGroup(Id),
    /// `packaging_configuration/<id>`
    PackagingConfiguration(Id),
    /// `harvest_job/<id>`
    HarvestJob(Id),
    /// `alarm/<name>`, by the key under which it is held
    Alarm(Id),
    /// `sns/subscription/<account>.<topic name>`
    Subscription(Id),
    /// `sns/messages`
    Messages,
    /// `channel/<id>/health`
    Health(Id),
    /// `channel/<id>/metrics`, `endpoint/<id>/metrics`, `packaging_configuration/<id>/metrics`
    Metrics(Resource),
    /// `agent/stats`
    AgentStats,
    /// `<discovery prefix>/device/<instance>/<object id>/config`
    Discovery(Device),
    /// A topic below our prefix that is not of this version or no longer wanted; by its name.
    Stray(Id),
}

/// Writes topic names.
#[derive(Clone, Debug)]
pub struct Names {
    prefix: String,
    instance: String,
    discovery: String,
}

impl Names {
    /// `base` without slash at either end; `instance` needs no encoding. Home Assistant's
    /// documents are below its own default prefix.
    pub fn new(base: &str, instance: &str) -> Names {
        Names {
            prefix: format!("{base}/{instance}/"),
            instance: instance.to_owned(),
            discovery: discovery_prefix(DISCOVERY_PREFIX, instance),
        }
    }

    /// The same with Home Assistant's documents below this prefix.
    pub fn with_discovery(self, prefix: &str) -> Names {
        let discovery = discovery_prefix(prefix, &self.instance);
        Names { discovery, ..self }
    }

    /// The instance.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The prefix of all our documents for Home Assistant, with its slash.
    pub fn discovery(&self) -> &str {
        &self.discovery
    }

    /// The prefix of all our topics, with its slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The full name of a retained topic.
    pub fn of(&self, topic: &Topic) -> String {
        match topic {
            Topic::Status => self.below("status"),
            Topic::Source(source) => self.below(&format!("source/{}", source.as_str())),
            Topic::Agent => self.below("agent"),
            Topic::Summary => self.below("summary"),
            Topic::ChannelGroup(id) => self.one("channel_group", id),
            Topic::Channel(id) => self.one("channel", id),
            Topic::Endpoint(id) => self.one("endpoint", id),
            Topic::PackagingGroup(id) => self.one("packaging_group", id),
            Topic::PackagingConfiguration(id) => self.one("packaging_configuration", id),
            Topic::HarvestJob(id) => self.one("harvest_job", id),
            Topic::Alarm(key) => self.below(&format!("alarm/{}", alarm_level(key))),
            Topic::Subscription(name) => self.below(&format!("sns/subscription/{}", level(name))),
            Topic::Messages => self.below("sns/messages"),
            Topic::Health(id) => self.below(&format!("channel/{}/health", level(id))),
            Topic::Metrics(resource) => self.of_resource(resource, "metrics"),
            Topic::AgentStats => self.below("agent/stats"),
            Topic::Discovery(device) => {
                format!("{}{}/config", self.discovery, device.object_id())
            }
            Topic::Stray(name) => name.to_string(),
        }
    }

    /// `channel/<id>/point`, or that of an endpoint or packaging configuration, not retained.
    pub fn point(&self, resource: &Resource) -> String {
        self.of_resource(resource, "point")
    }

    /// `event/<type>`, not retained.
    pub fn event(&self, event_type: &str) -> String {
        self.below(&format!("event/{event_type}"))
    }

    /// `sns/message`, not retained.
    pub fn message(&self) -> String {
        self.below("sns/message")
    }

    /// `command/refresh`, subscribed.
    pub fn refresh(&self) -> String {
        self.below("command/refresh")
    }

    fn one(&self, kind: &str, id: &str) -> String {
        self.below(&format!("{kind}/{}", level(id)))
    }

    fn of_resource(&self, resource: &Resource, what: &str) -> String {
        let (kind, id) = match resource {
            Resource::Channel(id) => ("channel", id),
            Resource::Endpoint(id) => ("endpoint", id),
            Resource::Packaging(id) => ("packaging_configuration", id),
        };
        self.below(&format!("{kind}/{}/{what}", level(id)))
    }

    fn below(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }
}

/// The level of an alarm. The part that tells a foreign account and region stays readable.
pub(super) fn alarm_level(key: &str) -> String {
    match key.rsplit_once('\u{0}') {
        Some((name, owner)) => format!("{}@{owner}", level(name)),
        None => level(key),
    }
}

/// The prefix of an instance's own Home Assistant documents, with its slash.
pub fn discovery_prefix(prefix: &str, instance: &str) -> String {
    format!("{prefix}/device/{instance}/")
}

/// One topic level of any text: what MQTT or a shell could misread is percent-encoded.
pub fn level(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    if out.len() > LEVEL_BYTES_MAX {
        out.truncate(LEVEL_BYTES_MAX);
        out.push('~');
        let digest = Sha256::digest(name.as_bytes());
        digest
            .iter()
            .take(8)
            .for_each(|byte| out.push_str(&format!("{byte:02x}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_one_valid_level() {
        let long = "a".repeat(101);
        let cases = [
            ("Sport-1_hd.v2", "Sport-1_hd.v2".to_owned()),
            ("real alarm/1", "real%20alarm%2F1".to_owned()),
            ("a/b#c+d", "a%2Fb%23c%2Bd".to_owned()),
            ("é\n", "%C3%A9%0A".to_owned()),
            ("$x", "%24x".to_owned()),
            (&long, format!("{}~9d0793397991b57a", "a".repeat(100))),
            (&long[..100], "a".repeat(100)),
        ];
        for (name, wanted) in cases {
            assert_eq!(level(name), wanted, "{name:?}");
        }
        let encoded_long = level(&"é".repeat(40));
        assert_eq!(encoded_long.len(), 117);
    }

    #[test]
    fn topics_are_named_as_the_contract_says() {
        let names = Names::new("mediapackage", "eu-central-1");
        let channel = Resource::Channel("a b".into());
        let packaging = Resource::Packaging("p 1".into());
        let cases = [
            (Topic::Status, "status"),
            (Topic::Source(Source::MediaPackage), "source/mediapackage"),
            (Topic::Health("a b".into()), "channel/a%20b/health"),
            (Topic::Metrics(channel.clone()), "channel/a%20b/metrics"),
            (Topic::ChannelGroup("g_1".into()), "channel_group/g_1"),
            (Topic::Channel("g.c".into()), "channel/g.c"),
            (Topic::HarvestJob("g.c.e.j".into()), "harvest_job/g.c.e.j"),
            (Topic::PackagingGroup("a b".into()), "packaging_group/a%20b"),
            (
                Topic::PackagingConfiguration("x".into()),
                "packaging_configuration/x",
            ),
            (
                Topic::Metrics(packaging.clone()),
                "packaging_configuration/p%201/metrics",
            ),
            (
                Topic::Alarm("real alarm/1".into()),
                "alarm/real%20alarm%2F1",
            ),
            (
                Topic::Alarm("x@y\u{0}1234.eu-west-1".into()),
                "alarm/x%40y@1234.eu-west-1",
            ),
        ];
        for (topic, wanted) in cases {
            assert_eq!(
                names.of(&topic),
                format!("mediapackage/eu-central-1/{wanted}")
            );
        }
        assert_eq!(
            names.point(&channel),
            "mediapackage/eu-central-1/channel/a%20b/point"
        );
        assert_eq!(
            names.point(&packaging),
            "mediapackage/eu-central-1/packaging_configuration/p%201/point"
        );
    }
}
