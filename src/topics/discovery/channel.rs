//! A channel's device: the stream, its numbers and its endpoints.

use super::agent::{LIGHT, REASONS_MAX};
use super::component::{Component, Platform};
use super::endpoint::write_endpoints;
use super::shapes::{bitrate, bytes, requests, response_time};
use super::template::{attributes, heads, input_megabits, megabits, one_of, plain, switch};
use super::writer::Writer;
use super::{Scene, is_plain, slug};
use crate::state::measure::Resource;
use crate::state::model::{Api, Channel, Endpoint};
use crate::state::wish::MetricsLevel;
use crate::topics::Topic;

/// `state` of metrics.
const FRESHNESS: [&str; 3] = ["current", "late", "no_data"];

pub(super) fn write(
    writer: &mut Writer,
    scene: &Scene,
    channel: &Channel,
    endpoints: &[&Endpoint],
) {
    write_health(writer, scene, channel);
    if scene.has_metrics() {
        write_metrics(writer, scene, channel);
    }
    write_endpoints(writer, scene, channel, endpoints);
}

fn write_health(writer: &mut Writer, scene: &Scene, channel: &Channel) {
    let topic = scene.names.of(&Topic::Health(channel.id.clone()));
    let ingest = Component {
        platform: Platform::BinarySensor,
        name: "Ingest".into(),
        device_class: Some("running"),
        state_topic: Some(topic.clone()),
        value_template: Some(switch("ingest", &["receiving"], &["lost", "idle"])),
        json_attributes_topic: Some(topic.clone()),
        json_attributes_template: Some(attributes(&["ingest", "ingest_since"])),
        ..Component::default()
    };
    writer.add("ingest", ingest);
    let max = Some(REASONS_MAX);
    let details = heads(&[("health", None), ("reasons", max), ("alarms", max)]);
    let problem = Component {
        platform: Platform::BinarySensor,
        name: "Problem".into(),
        device_class: Some("problem"),
        state_topic: Some(topic.clone()),
        value_template: Some(switch("health", &["warning", "critical"], &["ok"])),
        json_attributes_topic: Some(topic.clone()),
        json_attributes_template: Some(details),
        ..Component::default()
    };
    writer.add("problem", problem);
    let health = Component {
        name: "Health".into(),
        device_class: Some("enum"),
        options: Some(&LIGHT),
        state_topic: Some(topic.clone()),
        value_template: Some(one_of("health", &LIGHT)),
        ..Component::default()
    };
    writer.add("health", health);
    if scene.level >= MetricsLevel::Standard {
        let inputs = Component {
            name: "Inputs receiving".into(),
            unit_of_measurement: Some("inputs"),
            state_class: Some("measurement"),
            state_topic: Some(topic.clone()),
            value_template: Some(plain("inputs_receiving")),
            json_attributes_topic: Some(topic),
            json_attributes_template: Some(attributes(&["inputs_total"])),
            ..Component::default()
        };
        writer.add("inputs_receiving", inputs.diagnostic());
    }
}

fn write_metrics(writer: &mut Writer, scene: &Scene, channel: &Channel) {
    let topic = scene
        .names
        .of(&Topic::Metrics(Resource::Channel(channel.id.clone())));
    for (key, name) in [("egress", "Egress bitrate"), ("ingress", "Ingress bitrate")] {
        let template = megabits(&format!("{key}_bits_per_second"));
        let component = bitrate(name.into(), topic.clone(), template);
        writer.add_metric(&format!("{key}_bitrate"), component);
    }
    let counted = |name: &str, key: &str| requests(name.into(), topic.clone(), key);
    writer.add_metric("requests", counted("Requests", "egress_request_count"));
    for (key, name) in [("egress", "Egress"), ("ingress", "Ingress")] {
        let component = response_time(
            format!("{name} response time"),
            topic.clone(),
            &format!("{key}_response_time_ms"),
        );
        writer.add_metric(&format!("{key}_response_time"), component);
    }
    for (key, of) in [("requests_4xx", "4xx"), ("requests_5xx", "5xx")] {
        let of_window = format!("egress_request_count_{of}_window");
        writer.add_metric(key, counted(&format!("{of} responses"), &of_window));
    }
    for (key, name) in [
        ("egress_bytes", "Egress bytes"),
        ("ingress_bytes", "Ingress bytes"),
    ] {
        writer.add_metric(key, bytes(name.into(), topic.clone(), key).rare());
    }
    if channel.api == Api::V2 {
        let component = counted("Ingress requests", "ingress_request_count");
        writer.add_metric("ingress_requests", component.diagnostic().rare());
        let quality = Component {
            name: "Quality score".into(),
            state_class: Some("measurement"),
            state_topic: Some(topic.clone()),
            value_template: Some(plain("channel_mqcs")),
            ..Component::default()
        };
        writer.add_metric("quality", quality.diagnostic().rare());
    }
    if scene.level >= MetricsLevel::Standard {
        for (at, input) in channel.ingest_endpoints.iter().enumerate() {
            if is_plain(input) {
                let name = format!("Input {} bitrate", at + 1);
                let component = bitrate(name, topic.clone(), input_megabits(&input.id));
                let key = format!("input_{}", slug(&input.id));
                writer.add_metric(&key, component.diagnostic().rare());
            }
        }
    }
    let minute = Component {
        name: "Metrics minute".into(),
        device_class: Some("timestamp"),
        state_topic: Some(topic.clone()),
        value_template: Some(plain("timestamp")),
        ..Component::default()
    };
    writer.add_metric("metrics_minute", minute.diagnostic());
    let state = Component {
        name: "Metrics state".into(),
        device_class: Some("enum"),
        options: Some(&FRESHNESS),
        state_topic: Some(topic),
        value_template: Some(one_of("state", &FRESHNESS)),
        ..Component::default()
    };
    writer.add_metric("metrics_state", state.diagnostic().rare());
}
