//! The agent's device: how the agent does, and the region as a whole.

use super::Scene;
use super::component::{Component, Platform};
use super::shapes::bitrate;
use super::template::{self, attributes, heads, megabits, one_of, plain, positive, text};
use super::writer::Writer;
use crate::state::source::Source;
use crate::topics::{OFFLINE, ONLINE, Topic, event};

/// `health` of `agent`.
const HEALTH: [&str; 4] = ["starting", "ok", "degraded", "failing"];
/// `health` of `summary` and of channels; `unknown` is Home Assistant's own.
pub(super) const LIGHT: [&str; 3] = ["ok", "warning", "critical"];
/// Reasons among the attributes.
pub(super) const REASONS_MAX: usize = 10;

pub(super) fn write(writer: &mut Writer, scene: &Scene) {
    write_region(writer, scene);
    write_health(writer, scene);
    write_sources(writer, scene);
    write_cost(writer, scene);
    writer.add(
        "refresh",
        Component {
            platform: Platform::Button,
            name: "Refresh".into(),
            command_topic: Some(scene.names.refresh()),
            ..Component::default()
        },
    );
    writer.add(
        "events",
        Component {
            platform: Platform::Event,
            name: "Events".into(),
            event_types: Some(&event::TYPES),
            state_topic: Some(scene.names.event("+")),
            value_template: Some(template::event()),
            ..Component::default()
        },
    );
}

fn write_region(writer: &mut Writer, scene: &Scene) {
    let topic = scene.names.of(&Topic::Summary);
    writer.add(
        "region_health",
        Component {
            name: "Region health".into(),
            device_class: Some("enum"),
            options: Some(&LIGHT),
            state_topic: Some(topic.clone()),
            value_template: Some(one_of("health", &LIGHT)),
            json_attributes_topic: Some(topic.clone()),
            json_attributes_template: Some(attributes(&["reasons"])),
            ..Component::default()
        },
    );
    let counts = [
        ("channels", "Channels", "channels", None),
        ("endpoints", "Endpoints", "endpoints", None),
        ("channels_lost", "Channels lost", "channels", Some("lost")),
        ("alarms_active", "Alarms active", "alarms", Some("active")),
    ];
    for (key, name, unit, list) in counts {
        writer.add(
            key,
            Component {
                name: name.into(),
                unit_of_measurement: Some(unit),
                state_class: Some("measurement"),
                state_topic: Some(topic.clone()),
                value_template: Some(plain(key)),
                json_attributes_topic: list.map(|_| topic.clone()),
                json_attributes_template: list.map(|list| attributes(&[list])),
                ..Component::default()
            },
        );
    }
    if scene.has_metrics() {
        let template = megabits("egress_bits_per_second");
        writer.add_metric(
            "egress_bitrate",
            bitrate("Egress bitrate".into(), topic, template),
        );
    }
}

fn write_health(writer: &mut Writer, scene: &Scene) {
    let topic = scene.names.of(&Topic::Agent);
    let connection = Component {
        platform: Platform::BinarySensor,
        name: "Connection".into(),
        state_topic: Some(scene.names.of(&Topic::Status)),
        ..connectivity()
    };
    writer.add_always("connection", connection);
    let health = Component {
        name: "Health".into(),
        device_class: Some("enum"),
        options: Some(&HEALTH),
        state_topic: Some(topic.clone()),
        value_template: Some(one_of("health", &HEALTH)),
        json_attributes_topic: Some(topic.clone()),
        json_attributes_template: Some(heads(&[("reasons", Some(REASONS_MAX))])),
        ..Component::default()
    };
    writer.add("health", health.diagnostic());
    let version = Component {
        name: "Version".into(),
        state_topic: Some(topic.clone()),
        value_template: Some(text("version")),
        ..Component::default()
    };
    writer.add("version", version.diagnostic());
    let offset = Component {
        name: "Clock offset".into(),
        device_class: Some("duration"),
        unit_of_measurement: Some("s"),
        state_class: Some("measurement"),
        state_topic: Some(topic),
        value_template: Some(plain("clock_offset_seconds")),
        ..Component::default()
    };
    writer.add("clock_offset", offset.diagnostic());
}

fn connectivity() -> Component<'static> {
    let component = Component {
        platform: Platform::BinarySensor,
        device_class: Some("connectivity"),
        payload_on: Some(ONLINE),
        payload_off: Some(OFFLINE),
        ..Component::default()
    };
    component.diagnostic()
}

fn write_sources(writer: &mut Writer, scene: &Scene) {
    for source in scene.sources {
        let (key, name) = (source.as_str(), shown(*source));
        let works = Component {
            name: format!("Source {name}"),
            state_topic: Some(scene.names.of(&Topic::Source(*source))),
            ..connectivity()
        };
        writer.add(&format!("source_{key}"), works);
        let last = Component {
            name: format!("Last success {name}"),
            device_class: Some("timestamp"),
            state_topic: Some(scene.names.of(&Topic::AgentStats)),
            value_template: Some(plain(&format!("sources.{key}.last_success_at"))),
            ..Component::default()
        };
        writer.add(&format!("last_success_{key}"), last.diagnostic());
    }
}

fn shown(source: Source) -> &'static str {
    match source {
        Source::MediaPackage => "MediaPackage",
        Source::Metrics => "metrics",
        Source::Alarms => "alarms",
        Source::Sns => "SNS",
        Source::Sqs => "SQS",
    }
}

fn write_cost(writer: &mut Writer, scene: &Scene) {
    let rows = [
        ("cost", "Cost", plain("cost.usd")),
        ("cost_forecast", "Cost forecast", plain("cost.forecast_usd")),
        ("budget", "Budget", positive("cost.budget_usd")),
    ];
    for (key, name, template) in rows {
        let amount = Component {
            name: name.into(),
            device_class: Some("monetary"),
            unit_of_measurement: Some("USD"),
            suggested_display_precision: Some(2),
            state_topic: Some(scene.names.of(&Topic::AgentStats)),
            value_template: Some(template),
            ..Component::default()
        };
        writer.add(key, amount.diagnostic());
    }
}
