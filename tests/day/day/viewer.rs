//! Somebody who has the local page open all day, and what is laid together there.

use std::collections::BTreeMap;
use std::time::Duration;

use pure::engine::Event;
use pure::engine::look::{Look, Shown, Sight, change_of};
use serde_json::Value;

use super::broker::PREFIX;
use super::checks::differing;
use super::sim::{Day, Pending};

/// How often the page asks.
const LOOK_INTERVAL: Duration = Duration::from_secs(45);
/// What was asked within a second is shown once.
const NEXT_LOOK: Duration = Duration::from_secs(2);
/// Until what is on its way to broker and page has arrived.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(20);

/// What a page keeps, also while the agent is away.
#[derive(Default)]
pub struct Viewer {
    tag: String,
    topics: BTreeMap<String, Value>,
}

impl Viewer {
    /// Lays an answer over what is there, or puts it in its place.
    fn take(&mut self, text: &[u8]) {
        let mut document: Value = serde_json::from_slice(text).expect("JSON");
        if document["whole"] == true {
            self.topics.clear();
        }
        let topics = std::mem::take(&mut document["topics"]);
        let topics = topics.as_object().expect("an object").clone();
        self.topics.extend(topics);
        self.tag = document["tag"].as_str().expect("a text").to_owned();
    }
}

impl Day {
    /// The name of the process in what the page is told, where there is a page.
    pub fn page(&self) -> Option<String> {
        self.plan.has_page.then(|| format!("p{}", self.process))
    }

    /// The page asks now, and again and again.
    pub fn looks(&mut self) {
        self.look();
        self.later(LOOK_INTERVAL, Pending::Look);
    }

    fn look(&mut self) {
        if let Some(run) = self.page() {
            let at = Sight::Topics {
                since: change_of(&run, &self.viewer.tag),
                known: Vec::new(),
            };
            self.handle(Event::Look(Look { request: 0, at }));
        }
    }

    pub fn take_shown(&mut self, shown: Shown) {
        if let Shown::Topics(_, Some(text)) = shown {
            let said = String::from_utf8_lossy(&text);
            self.truth.no_secret(self.now, &said);
            self.viewer.take(&text);
        }
    }

    /// What is laid together on the page is what the broker holds.
    pub fn check_viewer(&mut self) {
        if !self.plan.has_page {
            return;
        }
        let until = self.now + ON_ITS_WAY_MAX;
        loop {
            self.run_to(self.now + NEXT_LOOK);
            self.look();
            match self.misses() {
                None => return,
                Some(what) if self.now >= until => {
                    self.truth
                        .fail(self.now, "the page shows what is retained", &what);
                }
                Some(_) => {}
            }
        }
    }

    fn misses(&self) -> Option<String> {
        let held = self.broker.retained.iter();
        let held = held.filter(|(topic, _)| topic.starts_with(PREFIX));
        let mut left: BTreeMap<&String, &Value> = self.viewer.topics.iter().collect();
        for (topic, payload) in held {
            let payload = serde_json::from_str(payload).ok();
            let payload: Value =
                payload.unwrap_or_else(|| Value::from(self.broker.retained[topic].as_str()));
            match left.remove(topic) {
                Some(shown) if *shown == payload => {}
                // Flat topics repeat others, and are not shown.
                None if self.plan.flat && !payload.is_object() => {}
                shown => {
                    let shown = shown.map(Value::to_string).unwrap_or_default();
                    let held = payload.to_string();
                    let (held, shown) = differing(&held, &shown);
                    return Some(format!(
                        "{topic}\n  held  …{held:.300}\n  shown …{shown:.300}"
                    ));
                }
            }
        }
        let more = left.keys().next()?;
        Some(format!("{more} is shown and not held"))
    }
}
