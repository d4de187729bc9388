//! One entity in a document, and the names of all that a document has.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A kind of entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// A value.
    #[default]
    Sensor,
    /// On or off.
    BinarySensor,
    /// Something to press.
    Button,
    /// Things that happen.
    Event,
}

impl Platform {
    const ALL: [Platform; 4] = [
        Platform::Sensor,
        Platform::BinarySensor,
        Platform::Button,
        Platform::Event,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Platform::Sensor => "sensor",
            Platform::BinarySensor => "binary_sensor",
            Platform::Button => "button",
            Platform::Event => "event",
        }
    }
}

/// One topic of an availability list.
#[derive(Clone, Debug, Serialize)]
pub struct Available<'a> {
    pub topic: &'a str,
}

/// The keys are those of Home Assistant. What is `None` is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Component<'a> {
    pub platform: Platform,
    pub unique_id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_of_measurement: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_display_precision: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<&'a [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<&'a [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_category: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled_by_default: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<Vec<Available<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_on: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_off: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_attributes_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_attributes_template: Option<String>,
}

impl Component<'_> {
    /// About the agent or the values rather than the stream.
    pub(super) fn diagnostic(mut self) -> Self {
        self.entity_category = Some("diagnostic");
        self
    }

    /// There, and switched off until somebody wants it.
    pub(super) fn rare(mut self) -> Self {
        self.enabled_by_default = Some(false);
        self
    }
}

/// Platforms and keys of components: one line each, `<platform> <key>`, in order. There is one
/// for each device, so it is one text rather than many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Components(Box<str>);

/// A key that is longer was not written by us.
const KEY_BYTES_MAX: usize = 160;

impl Components {
    /// Of these lines.
    pub(super) fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Components {
        let lines: BTreeSet<&str> = lines.into_iter().collect();
        let lines: Vec<&str> = lines.into_iter().collect();
        Components(lines.join("\n").into())
    }

    pub(super) fn line(platform: Platform, key: &str) -> String {
        format!("{} {key}", platform.as_str())
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.lines()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lines().count()
    }

    /// These and those.
    pub fn with(&self, others: &Components) -> Components {
        Components::of(self.lines().chain(others.lines()))
    }

    /// These without those.
    pub fn without(&self, others: &Components) -> Components {
        let others: BTreeSet<&str> = others.lines().collect();
        Components::of(self.lines().filter(|line| !others.contains(line)))
    }

    /// Those of a document that the broker kept. `None` when it is none of ours.
    pub fn recall(payload: &[u8]) -> Option<Components> {
        #[derive(Deserialize)]
        struct Kept {
            components: std::collections::BTreeMap<String, Entry>,
        }
        // One of a later version is not ours to take off.
        #[derive(Deserialize)]
        struct Entry {
            platform: String,
        }
        let kept: Kept = serde_json::from_slice(payload).ok()?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let ours = |key: &str| key.len() <= KEY_BYTES_MAX && key.bytes().all(fits);
        let lines = kept.components.iter().filter(|(key, _)| ours(key));
        let platform = |name: &str| Platform::ALL.into_iter().find(|p| p.as_str() == name);
        let lines = lines
            .filter_map(|(key, entry)| Some(Components::line(platform(&entry.platform)?, key)));
        let lines: Vec<String> = lines.collect();
        Some(Components::of(lines.iter().map(String::as_str)))
    }
}

/// A line's platform and key.
pub(super) fn parts(line: &str) -> Option<(Platform, &str)> {
    let (platform, key) = line.split_once(' ')?;
    let platform = Platform::ALL.into_iter().find(|p| p.as_str() == platform)?;
    Some((platform, key))
}
