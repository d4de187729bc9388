//! What Home Assistant asks of a document.

use serde_json::Value;

use super::super::PROGRAM;
use crate::topics::PAYLOAD_BYTES_MAX;

/// Root keys of the first version with device documents (2024.12); another one loses the device.
const ROOT: [&str; 6] = [
    "device",
    "origin",
    "availability",
    "availability_mode",
    "qos",
    "components",
];
/// Keys of a device, of the same version.
const DEVICE: [&str; 8] = [
    "identifiers",
    "name",
    "manufacturer",
    "model",
    "model_id",
    "sw_version",
    "configuration_url",
    "via_device",
];
/// What every component may have.
const COMMON: [&str; 9] = [
    "platform",
    "unique_id",
    "name",
    "device_class",
    "entity_category",
    "enabled_by_default",
    "availability",
    "json_attributes_topic",
    "json_attributes_template",
];
/// And what its platform besides.
const PLATFORMS: [(&str, &[&str]); 4] = [
    (
        "sensor",
        &[
            "state_topic",
            "value_template",
            "unit_of_measurement",
            "state_class",
            "suggested_display_precision",
            "options",
        ],
    ),
    (
        "binary_sensor",
        &["state_topic", "value_template", "payload_on", "payload_off"],
    ),
    ("button", &["command_topic"]),
    ("event", &["state_topic", "event_types", "value_template"]),
];
/// Units of the device classes that we use (`components/sensor/const.py`), and whether each
/// value may be a measurement.
const CLASSES: [(&str, &[&str], bool); 7] = [
    ("data_rate", &["bit/s", "kbit/s", "Mbit/s", "Gbit/s"], true),
    ("data_size", &["B", "kB", "MB", "GB"], true),
    ("duration", &["ms", "s", "min", "h", "d"], true),
    ("monetary", &["USD"], false),
    ("timestamp", &[], false),
    ("enum", &[], false),
    (
        "",
        &[
            "requests",
            "channels",
            "endpoints",
            "alarms",
            "inputs",
            "assets",
        ],
        true,
    ),
];
const BINARY_CLASSES: [&str; 3] = ["connectivity", "problem", "running"];

/// What is wrong with a document, in words.
pub fn faults(topic: &str, payload: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, what: String| {
        if !holds {
            faults.push(format!("{topic}: {what}"));
        }
    };
    let document: Value = serde_json::from_str(payload).unwrap();
    hold(
        payload.len() <= PAYLOAD_BYTES_MAX,
        format!("{} bytes", payload.len()),
    );
    let levels: Vec<&str> = topic.split('/').collect();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let legal = levels.len() == 5 && levels[2..4].iter().all(|l| l.bytes().all(fits));
    hold(legal, "an illegal topic".to_owned());
    for key in keys(&document) {
        hold(ROOT.contains(&&*key), format!("root key {key}"));
    }
    for key in keys(&document["device"]) {
        hold(DEVICE.contains(&&*key), format!("device key {key}"));
    }
    hold(
        document["origin"]["name"] == PROGRAM,
        "no origin".to_owned(),
    );
    hold(document["availability_mode"] == "all", "no mode".to_owned());
    hold(
        topics_in(&document["availability"]) > 0,
        "no availability".to_owned(),
    );
    let url = document["device"]["configuration_url"].as_str();
    let is_url = |url: &str| url.starts_with("https://") && !url.contains(' ');
    hold(url.is_none_or(is_url), format!("url {url:?}"));
    let empty = serde_json::Map::new();
    for (key, component) in document["components"].as_object().unwrap_or(&empty) {
        hold(
            !key.is_empty() && key.bytes().all(fits),
            format!("key {key}"),
        );
        for fault in component_faults(component) {
            hold(false, format!("{key}: {fault}"));
        }
    }
    faults
}

fn keys(value: &Value) -> Vec<String> {
    value
        .as_object()
        .map(|o| o.keys().cloned().collect())
        .unwrap_or_default()
}

fn topics_in(list: &Value) -> usize {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter(|entry| entry["topic"].is_string())
        .count()
}

fn component_faults(component: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{what}: {component}"));
        }
    };
    let text = |key: &str| component[key].as_str().unwrap_or_default();
    let platform = PLATFORMS.iter().find(|(name, _)| *name == text("platform"));
    let Some((platform, own)) = platform else {
        return vec![format!("platform {}", component["platform"])];
    };
    if keys(component).len() == 1 {
        return faults;
    }
    for key in keys(component) {
        hold(COMMON.contains(&&*key) || own.contains(&&*key), &key);
    }
    hold(
        !text("unique_id").is_empty() && !text("name").is_empty(),
        "id or name",
    );
    let category = component["entity_category"].as_str();
    hold(category.is_none_or(|c| c == "diagnostic"), "category");
    let class = text("device_class");
    match *platform {
        "sensor" => hold(is_sensor(component, class), "class, unit or state class"),
        "binary_sensor" => hold(BINARY_CLASSES.contains(&class), "class"),
        _ => hold(class.is_empty(), "class"),
    }
    let topics = ["state_topic", "command_topic", "json_attributes_topic"];
    for topic in topics.iter().filter_map(|key| component[*key].as_str()) {
        hold(
            topic.starts_with("mp/") && !topic.contains(['#', ' ', '\u{0}']),
            "topic",
        );
    }
    let pairs = [
        text("json_attributes_topic").is_empty(),
        text("json_attributes_template").is_empty(),
    ];
    hold(pairs[0] == pairs[1], "attributes");
    for template in ["value_template", "json_attributes_template"] {
        let guarded = text(template).is_empty() || text(template).contains("value_json is defined");
        hold(guarded && is_balanced(text(template)), "template");
    }
    faults
}

fn is_sensor(component: &Value, class: &str) -> bool {
    let Some((_, units, measures)) = CLASSES.iter().find(|(name, ..)| *name == class) else {
        return false;
    };
    let unit = component["unit_of_measurement"].as_str();
    let unit_fits = match unit {
        Some(unit) => units.contains(&unit),
        None => class.is_empty() || units.is_empty(),
    };
    let state_class = component["state_class"].as_str();
    let state_class_fits = state_class.is_none_or(|c| *measures && c == "measurement");
    let options = component["options"].as_array();
    let options_fit = options.is_some_and(|o| !o.is_empty()) == (class == "enum");
    unit_fits && state_class_fits && options_fit && component["value_template"].is_string()
}

/// Whether brackets and quotes close.
fn is_balanced(template: &str) -> bool {
    let mut open = Vec::new();
    let mut quoted = false;
    for c in template.chars() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                let pairs = [('(', ')'), ('[', ']'), ('{', '}')];
                if open.pop().is_none_or(|o| !pairs.contains(&(o, c))) {
                    return false;
                }
            }
            _ => {}
        }
    }
    open.is_empty() && !quoted
}
