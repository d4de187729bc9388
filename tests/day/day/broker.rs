//! The broker: a store of retained messages, an access list, sessions, and moods.

use std::collections::BTreeMap;
use std::time::Duration;

use pure::engine::Publication;
use pure::engine::outbox::fingerprint;
use pure::engine::ownership::{Kept, Store};
use pure::topics::memory::{recall, recall_document};

/// Of every topic of the agent.
pub const PREFIX: &str = "mp/x/";
/// Of its documents for Home Assistant.
pub const DOCUMENTS: &str = "ha/device/x/";

/// What is left of the store when the broker comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    Kept,
    Empty,
    /// As it was some time ago.
    Old,
    /// Every other topic.
    Half,
}

pub struct Broker {
    pub up: bool,
    /// From publish to acknowledgement.
    pub delay: Duration,
    /// Least time between two acknowledgements.
    pub gap: Duration,
    pub retained: BTreeMap<String, String>,
    /// A copy of the store.
    pub backup: BTreeMap<String, String>,
    /// What its access list swallows, as a part of a topic's name.
    pub refuses: Option<&'static str>,
    pub session: u64,
    /// Whether the agent has one.
    pub connected: bool,
    pub free_at: Duration,
}

impl Broker {
    pub fn new() -> Broker {
        Broker {
            up: true,
            delay: Duration::from_millis(5),
            gap: Duration::ZERO,
            retained: BTreeMap::new(),
            backup: BTreeMap::new(),
            refuses: None,
            session: 0,
            connected: false,
            free_at: Duration::ZERO,
        }
    }

    fn swallows(&self, topic: &str) -> bool {
        self.refuses.is_some_and(|part| topic.contains(part))
    }

    /// Keeps what is to be kept; false when the access list swallows it.
    pub fn take(&mut self, publication: &Publication) -> bool {
        if publication.retain && self.swallows(&publication.topic) {
            return false;
        }
        let Publication {
            topic,
            payload,
            retain,
            ..
        } = publication;
        if *retain && payload.is_empty() {
            self.retained.remove(topic);
        } else if *retain {
            self.retained.insert(topic.clone(), payload.clone());
        }
        true
    }

    pub fn lose(&mut self, how: Comeback) {
        match how {
            Comeback::Kept => {}
            Comeback::Empty => self.retained.clear(),
            Comeback::Old => self.retained = self.backup.clone(),
            Comeback::Half => {
                let mut odd = false;
                self.retained.retain(|_, _| {
                    odd = !odd;
                    odd
                });
            }
        }
    }

    /// What a reading of the store brings.
    pub fn store(&self) -> Store {
        let ours = |topic: &str| topic.starts_with(PREFIX) || topic.starts_with(DOCUMENTS);
        let kept = self.retained.iter().filter(|(topic, _)| ours(topic));
        let kept = kept.map(|(topic, payload)| Kept {
            topic: topic.as_str().into(),
            print: fingerprint(payload.as_bytes()),
            memory: match topic.strip_prefix(PREFIX) {
                Some(below) => recall(below, payload.as_bytes()),
                None => topic
                    .strip_prefix(DOCUMENTS)
                    .and_then(|below| recall_document(below, payload.as_bytes())),
            }
            .map(Box::new),
        });
        Store {
            topics: kept.collect(),
            complete: true,
        }
    }
}
