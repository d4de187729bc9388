//! The alarms of a device: for each a problem and its state.

use std::collections::BTreeSet;

use super::component::{Component, Components, Platform};
use super::shapes::cut;
use super::template::{attributes, one_of, switch};
use super::writer::Writer;
use super::{AlarmsOf, slug};
use crate::state::alarms::Alarm;
use crate::topics::Topic;

/// States of an alarm.
const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

/// What the keys of all entities of alarms begin with.
pub(super) const KEYS_BEGIN: &str = "alarm_";

/// The alarms of any device. Where there are more than find room, those that Home Assistant
/// knows stay: what it loses, it loses with all that the user has set. They stand in order all
/// the same: a document is no other one because Home Assistant has learned what is in it.
pub(super) fn write_alarms(writer: &mut Writer, of: &AlarmsOf, known: &Components) {
    let known: BTreeSet<&str> = known.lines().collect();
    let is_known = |alarm: &Alarm| known.contains(&*line_of(Platform::Sensor, "state", alarm));
    let (old, new): (Vec<&Alarm>, Vec<&Alarm>) =
        of.alarms.iter().partition(|alarm| is_known(alarm));
    let new = new.into_iter().filter(|_| of.sure.owners);
    let begin = writer.mark();
    let all = old.into_iter().chain(new);
    let mut fitting: Vec<&Alarm> = all.filter(|alarm| write_alarm(writer, alarm)).collect();
    let key = |alarm: &&Alarm| alarm.key();
    if !fitting.is_sorted_by_key(key) {
        fitting.sort_by_cached_key(key);
        writer.rewind(&begin);
        for alarm in fitting {
            write_alarm(writer, alarm);
        }
    }
}

fn key_of(what: &str, alarm: &Alarm) -> String {
    format!("{KEYS_BEGIN}{what}_{}", slug(&alarm.key()))
}

fn line_of(platform: Platform, what: &str, alarm: &Alarm) -> String {
    Components::line(platform, &key_of(what, alarm))
}

/// Both of its entities, or none; whether they found room.
fn write_alarm(writer: &mut Writer, alarm: &Alarm) -> bool {
    let topic = writer.topic(&Topic::Alarm(alarm.key()));
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
    let (mark, mut lines) = (writer.mark(), Vec::new());
    for (what, component) in [("problem", problem), ("state", state)] {
        lines.push(line_of(component.platform, what, alarm));
        writer.add(&key_of(what, alarm), component);
    }
    writer.keep_all_since(&mark, &lines)
}
