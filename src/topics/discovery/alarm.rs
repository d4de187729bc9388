//! The alarms of a device: for each a problem and its state.

use super::component::{Component, Components, Platform};
use super::shapes::cut;
use super::template::{attributes, one_of, switch};
use super::writer::Writer;
use super::{AlarmsOf, slug};
use crate::state::alarms::Alarm;
use crate::topics::Topic;

/// States of an alarm.
const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

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
        options: Some(&STATES),
        state_topic: Some(topic),
        value_template: Some(one_of("state", &STATES)),
        ..Component::default()
    };
    for (what, component) in [("problem", problem), ("state", state)] {
        let key = format!("alarm_{what}_{id}");
        if shows(component.platform, &key) {
            writer.add(&key, component);
        }
    }
}
