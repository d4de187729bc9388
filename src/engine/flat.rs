//! Flat topics. They are no entries of the outbox, of which there would be twenty times as many:
//! when a topic goes out, so do those of its scalars that changed, one after the other, before
//! the next topic has its turn. What the broker holds of them is kept as eight bytes each, and
//! forgotten with the session, as the outbox does: so the next session gets all of them.

use std::collections::{HashMap, VecDeque};

use super::outbox::{Fingerprint, Sent, fingerprint};
use super::{Engine, Publication};
use crate::topics::{Topic, flat};

/// The first half of a fingerprint; 0 for a topic that is cleared.
type Print = u64;

const CLEARED: Print = 0;

fn print_of(fingerprint: &Fingerprint) -> Print {
    let head = fingerprint.first_chunk().copied().unwrap_or_default();
    // No text has the print of "cleared".
    Print::from_le_bytes(head).max(1)
}

/// What went out of the flat topics in this session.
#[derive(Debug, Default)]
pub struct Flats {
    /// Prints in the order of the topic's keys; a topic that is not here may be held as anything.
    sent: HashMap<Topic, Box<[Print]>>,
    /// Names and payloads that wait for room: those of one topic.
    waiting: VecDeque<(String, String)>,
}

impl Flats {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The broker may have lost its store.
    pub(super) fn session_over(&mut self) {
        self.sent.clear();
        self.waiting.clear();
    }
}

impl Engine {
    /// A topic with this payload is on its way; `None` clears it, and them.
    pub(super) fn spread(&mut self, topic: &Topic, payload: Option<&str>) {
        let keys = flat::keys(topic);
        if !self.settings.flat || keys.is_empty() {
            return;
        }
        let values = match payload {
            Some(payload) => flat::values(keys, payload),
            None => vec![None; keys.len()],
        };
        let before = self.flats.sent.remove(topic);
        let name = self.names.of(topic);
        let mut prints = Vec::with_capacity(keys.len());
        for (at, (key, value)) in keys.iter().zip(values).enumerate() {
            let print = value
                .as_ref()
                .map_or(CLEARED, |text| print_of(&fingerprint(text.as_bytes())));
            prints.push(print);
            let held = before.as_ref().and_then(|before| before.get(at));
            if held != Some(&print) {
                let value = value.unwrap_or_default();
                self.flats
                    .waiting
                    .push_back((format!("{name}/{key}"), value));
            }
        }
        if payload.is_some() {
            self.flats.sent.insert(topic.clone(), prints.into());
        }
    }

    pub(super) fn next_flat(&mut self) -> Option<Publication> {
        let (topic, payload) = self.flats.waiting.pop_front()?;
        Some(Publication {
            token: self.outbox.send(Sent::Flat),
            topic,
            payload,
            retain: true,
        })
    }

    /// Every flat topic that is wanted of a topic with this payload.
    pub(super) fn flat_topics(&self, topic: &Topic, payload: &str) -> Vec<(String, String)> {
        if !self.settings.flat {
            return Vec::new();
        }
        let keys = flat::keys(topic);
        let name = self.names.of(topic);
        let rows = keys.iter().zip(flat::values(keys, payload));
        rows.filter_map(|(key, value)| Some((format!("{name}/{key}"), value?)))
            .collect()
    }

    /// The topic that a flat topic of this name is of, and whether the broker's copy is the one
    /// that was sent; `None` when nobody wants it.
    pub(super) fn flat_of<'a>(
        &self,
        name: &str,
        held: &Fingerprint,
        wanted: &'a HashMap<String, Topic>,
    ) -> Option<(&'a Topic, bool)> {
        let (parent, key) = name.rsplit_once('/').filter(|_| self.settings.flat)?;
        let topic = wanted.get(parent)?;
        let at = flat::keys(topic).iter().position(|known| *known == key)?;
        let Some(sent) = self.flats.sent.get(topic) else {
            // It goes out, or is cleared, with its topic.
            return Some((topic, true));
        };
        let sent = *sent.get(at)?;
        Some((topic, sent == print_of(held)))
    }

    /// Somebody changed a copy: all of this topic go out again, with the topic.
    pub(super) fn flat_overwritten(&mut self, topic: &Topic) {
        self.flats.sent.remove(topic);
    }
}
