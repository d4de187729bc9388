//! What a message means. Pure.
//!
//! Three shapes are known: CloudWatch's own notification of an alarm, the envelope of
//! EventBridge, and anything else. Whoever may publish to the topic can send anything, so every
//! text that is taken over has a limit, and what is not plainly an alarm is none.

mod alarm;
mod event;
mod facts;

use super::json::{self, pick};
use super::redact;
use crate::state::push::{EventType, Meaning, PushedEvent};
use crate::state::time::UnixMs;
use facts::{fact, text_of};

/// What was told, and around it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The message as it came.
    pub message: &'a str,
    /// Its subject, without secrets.
    pub subject: Option<&'a str>,
    /// The topic it came through.
    pub topic_arn: Option<&'a str>,
    /// When it was published.
    pub timestamp: UnixMs,
}

/// What a message means.
pub fn of(told: &Told) -> Meaning {
    let is_object = json::is_object(told.message) && json::is_json(told.message);
    if !is_object {
        return Meaning::Event(Box::new(other(told)));
    }
    let names = ["detail-type", "source", "detail", "AlarmName"];
    let [detail_type, source, detail, alarm_name] = pick(told.message, names);
    // What looks like both is neither.
    match (detail_type.or(source).or(detail), alarm_name) {
        (Some(_), None) => event::of(told),
        (None, Some(_)) => alarm::notification(told)
            .unwrap_or_else(|| Meaning::Event(Box::new(alarm::not_a_change(other(told))))),
        _ => Meaning::Event(Box::new(other(told))),
    }
}

/// A message that is not understood passes through.
fn other(told: &Told) -> PushedEvent {
    let topic = told.topic_arn.and_then(|arn| arn.rsplit(':').next());
    let summary = match (told.subject.filter(|s| !s.trim().is_empty()), topic) {
        (Some(subject), _) => fact(subject),
        (None, Some(topic)) => format!("A message came through topic {}.", fact(topic)),
        (None, None) => String::from("A message came."),
    };
    PushedEvent {
        event_id: None,
        event_type: EventType::Other,
        time: told.timestamp,
        about: Vec::new(),
        state: None,
        previous_state: None,
        summary,
        detail: redact::object(told.message),
        wakes: None,
    }
}

/// A text member of an object, at most so long.
fn member(object: Option<&str>, name: &str, chars_max: usize) -> Option<String> {
    let [value] = pick(object?, [name]);
    text_of(value, chars_max)
}
