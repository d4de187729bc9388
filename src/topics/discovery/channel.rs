//! A channel's device: the stream, its numbers, its endpoints and its alarms.

use std::collections::BTreeMap;

use super::agent::{LIGHT, REASONS_MAX, bitrate};
use super::component::{Component, Components, Platform};
use super::template::{attributes, input_megabits, megabits, one_of, plain, switch, text};
use super::writer::Writer;
use super::{AlarmsOf, Scene, is_plain, slug};
use crate::state::alarms::Alarm;
use crate::state::measure::Resource;
use crate::state::model::{Api, Channel, Endpoint};
use crate::state::wish::MetricsLevel;
use crate::topics::Topic;

/// States of an alarm.
const ALARM_STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];
/// `origination` of endpoints of v1.
const ORIGINATION: [&str; 2] = ["ALLOW", "DENY"];
/// `package` of endpoints.
const PACKAGES: [&str; 5] = ["hls", "dash", "cmaf", "mss", "ts"];
/// `state` of metrics.
const FRESHNESS: [&str; 3] = ["current", "late", "no_data"];
/// Characters of a name that come from AWS.
const NAME_CHARS_MAX: usize = 120;

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
    let names = short_names(channel, endpoints);
    for endpoint in endpoints {
        let name = names.get(&*endpoint.id).copied().unwrap_or(&endpoint.id);
        write_endpoint(writer, scene, endpoint, name);
    }
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
    let details = format!(
        "{{{{ {{'health': value_json.health, 'reasons': value_json.reasons[:{REASONS_MAX}], \
         'alarms': value_json.alarms[:{REASONS_MAX}]}} | tojson }}}}"
    );
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

/// Endpoints are mostly called `<channel>-<what>`; in the channel's device the last part tells
/// them apart. Where it does not, the whole id does.
fn short_names<'a>(channel: &Channel, endpoints: &[&'a Endpoint]) -> BTreeMap<&'a str, &'a str> {
    let short = |endpoint: &'a Endpoint| {
        let rest = endpoint.id.strip_prefix(&*channel.id);
        let rest = rest.and_then(|rest| rest.strip_prefix(['-', '_', '.']));
        rest.filter(|rest| !rest.is_empty()).unwrap_or(&endpoint.id)
    };
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for endpoint in endpoints {
        *count.entry(short(endpoint)).or_default() += 1;
    }
    let name = |endpoint: &&'a Endpoint| match short(endpoint) {
        short if count.get(short) == Some(&1) => (&*endpoint.id, short),
        _ => (&*endpoint.id, &*endpoint.id),
    };
    endpoints.iter().map(name).collect()
}

fn write_endpoint(writer: &mut Writer, scene: &Scene, endpoint: &Endpoint, name: &str) {
    let topic = scene.names.of(&Topic::Endpoint(endpoint.id.clone()));
    let name = format!("Endpoint {}", cut(name));
    let id = slug(&endpoint.id);
    // v2 tells no origination; its packaging is the nearest thing that it has.
    let (key, what, options) = match endpoint.api {
        Api::V1 => ("origination", "origination", &ORIGINATION[..]),
        Api::V2 => ("package", "package", &PACKAGES[..]),
    };
    let shown = ["id", "package", "url", "manifests", "encrypted"];
    let place = Component {
        name: format!("{name} {what}"),
        device_class: Some("enum"),
        options: Some(options),
        state_topic: Some(topic.clone()),
        value_template: Some(one_of(key, options)),
        json_attributes_topic: Some(topic),
        json_attributes_template: Some(attributes(&shown)),
        ..Component::default()
    };
    writer.add(&format!("endpoint_{key}_{id}"), place);
    let topic = Topic::Metrics(Resource::Endpoint(endpoint.id.clone()));
    let topic = scene.names.of(&topic);
    write_traffic(writer, scene, "endpoint", &id, &name, &topic);
}

/// What goes out of an endpoint or packaging configuration, as far as the level asks for it.
pub(super) fn write_traffic(
    writer: &mut Writer,
    scene: &Scene,
    kind: &str,
    id: &str,
    name: &str,
    topic: &str,
) {
    if scene.level < MetricsLevel::Standard {
        return;
    }
    let key = |what: &str| format!("{kind}_{what}_{id}");
    let named = |what: &str| format!("{name} {what}");
    let topic = || topic.to_owned();
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
    if kind == "endpoint" {
        let input = Component {
            name: named("active input"),
            state_topic: Some(topic()),
            value_template: Some(text("active_input")),
            ..Component::default()
        };
        writer.add_metric(&key("input"), input.diagnostic().rare());
    }
}

/// The alarms of any device.
pub(super) fn write_alarms(writer: &mut Writer, of: &AlarmsOf, known: &Components) {
    for alarm in &of.alarms {
        write_alarm(writer, alarm, |platform, key| {
            of.settled || Writer::is_known(known, platform, key)
        });
    }
}

fn write_alarm(writer: &mut Writer, alarm: &Alarm, shows: impl Fn(Platform, &str) -> bool) {
    let topic = writer.topic(&Topic::Alarm(alarm.key()));
    let id = slug(&alarm.key());
    let owner = match alarm.foreign {
        true => format!(
            " ({} {})",
            alarm.account_id.as_deref().unwrap_or("unknown"),
            alarm.region.as_deref().unwrap_or("unknown")
        ),
        false => String::new(),
    };
    let name = format!("Alarm {}{owner}", cut(&alarm.name));
    let problem = Component {
        platform: Platform::BinarySensor,
        name: name.clone(),
        device_class: Some("problem"),
        state_topic: Some(topic.clone()),
        value_template: Some(switch("state", &["ALARM"], &["OK"])),
        json_attributes_topic: Some(topic.clone()),
        json_attributes_template: Some(attributes(&[
            "name",
            "reason",
            "description",
            "updated_at",
            "endpoint_id",
        ])),
        ..Component::default()
    };
    let state = Component {
        name: format!("{name} state"),
        device_class: Some("enum"),
        options: Some(&ALARM_STATES),
        state_topic: Some(topic),
        value_template: Some(one_of("state", &ALARM_STATES)),
        ..Component::default()
    };
    for (what, component) in [("problem", problem), ("state", state)] {
        let key = format!("alarm_{what}_{id}");
        if shows(component.platform, &key) {
            writer.add(&key, component);
        }
    }
}

/// A name of AWS as a part of an entity's name.
pub(super) fn cut(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}
