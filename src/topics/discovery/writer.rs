//! Puts a document together, and sees to it that it does not grow too long.

use std::collections::BTreeSet;

use serde::Serialize;

use super::component::{Available, Component, Components, Platform, parts};
use super::{AGENT, Device, Document, Head, PROGRAM, Scene, Sure, alarm};
use crate::state::source::Source;
use crate::topics::{Names, PAYLOAD_BYTES_MAX, Topic};

/// What closes a document.
const END: &str = "}}";
/// Room in a full document for components that it takes off.
const LEAVING_BYTES: usize = 4 * 1024;

/// Root keys are those that the first version with device documents knew (2024.12).
#[derive(Serialize)]
struct Root<'a> {
    device: DeviceInfo<'a>,
    origin: Origin<'a>,
    availability: Vec<Available<'a>>,
    availability_mode: &'a str,
    qos: u8,
}

#[derive(Serialize)]
struct DeviceInfo<'a> {
    identifiers: [&'a str; 1],
    name: &'a str,
    manufacturer: &'a str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sw_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via_device: Option<&'a str>,
}

#[derive(Serialize)]
struct Origin<'a> {
    name: &'a str,
    sw_version: &'a str,
}

/// A place in a document that is being written.
pub(super) struct Mark {
    bytes: usize,
    left_out: usize,
}

/// A document that is being written.
pub(super) struct Writer {
    names: Names,
    json: String,
    identifier: String,
    status: String,
    metrics: String,
    needs_metrics: bool,
    shown: BTreeSet<String>,
    left_out: usize,
}

impl Writer {
    pub(super) fn new(scene: &Scene, device: &Device, head: Head) -> Writer {
        let object_id = device.object_id();
        let mut writer = Writer {
            names: scene.names.clone(),
            json: String::new(),
            identifier: scene.identifier(&object_id),
            status: scene.names.of(&Topic::Status),
            metrics: scene.names.of(&Topic::Source(Source::Metrics)),
            needs_metrics: head.needs_metrics,
            shown: BTreeSet::new(),
            left_out: 0,
        };
        let agent = scene.identifier(AGENT);
        let is_agent = *device == Device::Agent;
        let root = Root {
            device: DeviceInfo {
                identifiers: [&writer.identifier],
                name: &head.name,
                manufacturer: if is_agent {
                    PROGRAM
                } else {
                    "Amazon Web Services"
                },
                model: head.model,
                model_id: head.model_id,
                sw_version: is_agent.then_some(scene.version),
                configuration_url: head.configuration_url.as_deref(),
                via_device: (!is_agent).then_some(&agent),
            },
            origin: Origin {
                name: PROGRAM,
                sw_version: scene.version,
            },
            availability: writer.availability(head.needs_metrics),
            availability_mode: "all",
            qos: 1,
        };
        let mut json = serde_json::to_string(&root).unwrap_or_default();
        json.pop();
        json.push_str(",\"components\":{");
        writer.json = json;
        writer
    }

    fn availability(&self, metrics: bool) -> Vec<Available<'_>> {
        let topics = [Some(&self.status), metrics.then_some(&self.metrics)];
        let topics = topics.into_iter().flatten();
        topics.map(|topic| Available { topic }).collect()
    }

    /// The full name of a topic.
    pub(super) fn topic(&self, topic: &Topic) -> String {
        self.names.of(topic)
    }

    /// Adds an entity that holds what it shows while the agent is there.
    pub(super) fn add(&mut self, key: &str, component: Component) {
        self.put(key, component, Some(false));
    }

    /// Adds one whose values are stale when CloudWatch's metrics are.
    pub(super) fn add_metric(&mut self, key: &str, component: Component) {
        self.put(key, component, Some(true));
    }

    /// Adds one that is always there.
    pub(super) fn add_always(&mut self, key: &str, component: Component) {
        self.put(key, component, None);
    }

    fn put(&mut self, key: &str, mut component: Component, needs_metrics: Option<bool>) {
        let line = Components::line(component.platform, key);
        component.unique_id = format!("{}.{key}", self.identifier);
        // What does not say otherwise has the availability of the document.
        let other = needs_metrics != Some(self.needs_metrics);
        let json = {
            let own = needs_metrics.map(|metrics| self.availability(metrics));
            let component = Component {
                availability: other.then(|| own.unwrap_or_default()),
                ..component
            };
            serde_json::to_string(&component).unwrap_or_default()
        };
        if self.append(key, &json, LEAVING_BYTES) {
            self.shown.insert(line);
        } else {
            self.left_out += 1;
        }
    }

    /// False when so many bytes would not be left afterwards.
    fn append(&mut self, key: &str, json: &str, left: usize) -> bool {
        // Keys need no escaping.
        let more = key.len() + json.len() + r#"":,"#.len() + 1;
        if self.json.len() + more + END.len() + left > PAYLOAD_BYTES_MAX {
            return false;
        }
        if !self.json.ends_with('{') {
            self.json.push(',');
        }
        self.json.push('"');
        self.json.push_str(key);
        self.json.push_str("\":");
        self.json.push_str(json);
        true
    }

    /// Where the document is now, for [`Writer::keep_all_since`].
    pub(super) fn mark(&self) -> Mark {
        Mark {
            bytes: self.json.len(),
            left_out: self.left_out,
        }
    }

    /// Takes back what was added since the mark; what found no room stays
    /// counted. What is added in its place is the same in another order.
    pub(super) fn rewind(&mut self, mark: &Mark) {
        self.json.truncate(mark.bytes);
    }

    /// Where not all of these components, added since the mark, found room, none of them stays;
    /// whether they do.
    pub(super) fn keep_all_since(&mut self, mark: &Mark, lines: &[String]) -> bool {
        if self.left_out == mark.left_out {
            return true;
        }
        self.json.truncate(mark.bytes);
        for line in lines {
            self.shown.remove(line);
        }
        self.left_out = mark.left_out + lines.len();
        false
    }

    /// Adds what takes off the components that are known and not shown any more.
    pub(super) fn finish(mut self, known: &Components, sure: Sure) -> Document {
        let shown = self.shown.iter().filter_map(|line| parts(line));
        let taken: BTreeSet<&str> = shown.map(|(_, key)| key).collect();
        let is_sure = |key: &str| match key.starts_with(alarm::KEYS_BEGIN) {
            true => sure.alarms,
            false => sure.device,
        };
        // The same key with another platform would be one key twice in an object.
        let gone = known.lines().filter_map(|line| Some((line, parts(line)?)));
        let gone = gone.filter(|(_, (_, key))| is_sure(key) && !taken.contains(key));
        let gone: Vec<(&str, (Platform, &str))> = gone.collect();
        let mut leaving = Vec::new();
        for (line, (platform, key)) in gone {
            let stub = format!("{{\"platform\":\"{}\"}}", platform.as_str());
            if self.append(key, &stub, 0) {
                leaving.push(line);
            }
        }
        self.json.push_str(END);
        Document {
            payload: self.json,
            shown: Components::of(self.shown.iter().map(String::as_str)),
            leaving: Components::of(leaving),
            left_out: self.left_out,
        }
    }
}
