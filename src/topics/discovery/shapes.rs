//! Shapes that entities of several devices have.

use super::Scene;
use super::component::Component;
use super::template::{megabits, plain};
use super::writer::Writer;
use crate::state::wish::MetricsLevel;

/// Characters of a name that comes from AWS.
const NAME_CHARS_MAX: usize = 120;

/// A name of AWS as a part of an entity's name.
pub(super) fn cut(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

/// A bit rate.
pub(super) fn bitrate(name: String, topic: String, template: String) -> Component<'static> {
    Component {
        name,
        device_class: Some("data_rate"),
        unit_of_measurement: Some("Mbit/s"),
        state_class: Some("measurement"),
        suggested_display_precision: Some(2),
        state_topic: Some(topic),
        value_template: Some(template),
        ..Component::default()
    }
}

/// Requests of players in a minute, or another sum of them.
pub(super) fn requests(name: String, topic: String, key: &str) -> Component<'static> {
    Component {
        name,
        unit_of_measurement: Some("requests"),
        state_class: Some("measurement"),
        state_topic: Some(topic),
        value_template: Some(plain(key)),
        ..Component::default()
    }
}

/// A mean time to answer.
pub(super) fn response_time(name: String, topic: String, key: &str) -> Component<'static> {
    Component {
        name,
        device_class: Some("duration"),
        unit_of_measurement: Some("ms"),
        state_class: Some("measurement"),
        suggested_display_precision: Some(1),
        state_topic: Some(topic),
        value_template: Some(plain(key)),
        ..Component::default()
    }
}

/// Bytes of a minute.
pub(super) fn bytes(name: String, topic: String, key: &str) -> Component<'static> {
    let component = Component {
        name,
        device_class: Some("data_size"),
        unit_of_measurement: Some("B"),
        state_class: Some("measurement"),
        state_topic: Some(topic),
        value_template: Some(plain(key)),
        ..Component::default()
    };
    component.diagnostic()
}

/// Whose traffic.
pub(super) struct Traffic<'a> {
    /// What its keys begin with.
    pub kind: &'static str,
    /// What they end with.
    pub id: &'a str,
    /// What its names begin with.
    pub name: &'a str,
    /// Its metrics.
    pub topic: &'a str,
}

/// What goes out of an endpoint or packaging configuration, as far as the level asks for it.
pub(super) fn write_traffic(writer: &mut Writer, scene: &Scene, traffic: &Traffic) {
    if scene.level < MetricsLevel::Standard {
        return;
    }
    let Traffic {
        kind,
        id,
        name,
        topic,
    } = traffic;
    let key = |what: &str| format!("{kind}_{what}_{id}");
    let named = |what: &str| format!("{name} {what}");
    let topic = || (*topic).to_owned();
    let rate = megabits("egress_bits_per_second");
    writer.add_metric(&key("bitrate"), bitrate(named("bitrate"), topic(), rate));
    let count = requests(named("requests"), topic(), "egress_request_count");
    writer.add_metric(&key("requests"), count);
    let size = bytes(named("bytes"), topic(), "egress_bytes");
    writer.add_metric(&key("bytes"), size.rare());
    if scene.level < MetricsLevel::Full {
        return;
    }
    let time = response_time(named("response time"), topic(), "egress_response_time_ms");
    writer.add_metric(&key("time"), time);
    for of in ["4xx", "5xx"] {
        let window = format!("egress_request_count_{of}_window");
        let count = requests(named(&format!("{of} responses")), topic(), &window);
        writer.add_metric(&key(of), count);
    }
}
