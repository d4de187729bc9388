//! What the local page asks, and what it is shown.
//!
//! A document of the topics is rendered as the broker's are: there is no second truth. However
//! many look, and however often, rendering has a limit: the whole document is kept while somebody
//! asks and made anew once a second at the most, and so are the metrics; what changed since a look
//! is rendered by itself only while that is little.

mod metrics;
mod shelf;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::outbox::Change;
use super::{Effect, Engine, Now};
use crate::state::fault::Fault;
use crate::state::history::Hour;
use crate::state::model::Id;
use crate::state::source::{Source, SourceStatus};
use crate::state::time::{Mono, UnixMs};
use crate::topics::openmetrics::Format;
use crate::topics::page::{self, Document, Head};
use crate::topics::{PAYLOAD_BYTES_MAX, Topic};

use shelf::{Kept, Shelf};

/// All that is shown is at most so much older than it could be.
const RENDER_INTERVAL: Duration = Duration::from_secs(1);
/// Without a question for this long the whole document is let go.
const KEEP: Duration = Duration::from_secs(60);
/// Topics of documents that are not whole, all that are rendered between two whole ones. Who asks
/// for more gets the whole, which is there already.
const CHANGED_TOPICS_MAX: usize = 2_000;
/// Bytes of documents that are not whole and still on their way to somebody. While there are more
/// the whole is shown, which all share: peers that do not read shall not have memory filled.
const PARTS_BYTES_MAX: usize = 4 << 20;
/// Room for growth where a document is as long as the last one.
const SLACK_BYTES: usize = 4 << 10;

/// Text that several may send at a time.
pub type Text = Arc<Vec<u8>>;

/// A question of somebody who looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// Comes back with the answer.
    pub request: u64,
    /// What is asked.
    pub at: Sight,
}

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The topics.
    Topics {
        /// Only what changed after this look.
        since: Option<Change>,
        /// Looks whose document is there already.
        known: Vec<Change>,
    },
    /// The last hour of a channel, by its id.
    History(String),
    /// Metrics of the agent, channels and endpoints.
    Metrics(Format),
    /// Whether all is well.
    Health,
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The document of a look; none where it is known.
    Topics(Change, Option<Text>),
    /// The hour; none of a channel that is unknown.
    History(Option<String>),
    /// The metrics.
    Metrics(Format, Text),
    /// Whether all is well, and the text that says it.
    Health(bool, String),
}

/// What is kept for those who look.
#[derive(Debug)]
pub(super) struct Desk {
    /// Names the process in every tag.
    run: String,
    /// When a look was last taken.
    looked: Option<Mono>,
    /// Topics that were rendered since then in documents that are not whole.
    rendered: usize,
    /// Documents that are not whole.
    parts: Vec<Weak<Vec<u8>>>,
    whole: Shelf,
    metrics: BTreeMap<Format, Shelf>,
}

impl Desk {
    /// For a process of this name.
    pub(super) fn new(run: String) -> Desk {
        Desk {
            run,
            looked: None,
            rendered: 0,
            parts: Vec::new(),
            whole: Shelf::new(KEEP),
            metrics: BTreeMap::new(),
        }
    }

    /// When something is to be let go.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let metrics = self.metrics.values().filter_map(Shelf::deadline);
        self.whole.deadline().into_iter().chain(metrics).min()
    }

    /// Lets go what nobody asked for in a while.
    pub(super) fn tidy(&mut self, now: Mono) {
        self.whole.tidy(now);
        self.metrics.values_mut().for_each(|shelf| shelf.tidy(now));
    }

    /// Whether those who read parts have enough of them.
    fn is_crowded(&mut self) -> bool {
        self.parts.retain(|part| part.strong_count() > 0);
        let parts = self.parts.iter().filter_map(Weak::upgrade);
        parts.map(|part| part.capacity()).sum::<usize>() > PARTS_BYTES_MAX
    }
}

/// As it stands in tags: `<run>-<number>`.
pub fn tag(run: &str, change: Change) -> String {
    format!("{run}-{change}")
}

/// The number in a tag of this process.
pub fn change_of(run: &str, tag: &str) -> Option<Change> {
    let number = tag.strip_prefix(run)?.strip_prefix('-')?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_plain)
}

impl Engine {
    /// Answers a question, if there is a page.
    pub(super) fn looked(&mut self, now: Now, look: Look) {
        let Some(mut desk) = self.desk.take() else {
            return;
        };
        let shown = match look.at {
            Sight::Topics { since, known } => self.show_topics(now, &mut desk, since, &known),
            Sight::History(id) => Shown::History(self.show_history(now, &id)),
            Sight::Metrics(format) => Shown::Metrics(format, self.metrics(now, &mut desk, format)),
            Sight::Health => {
                let reasons = self.troubles(now);
                Shown::Health(reasons.is_empty(), page::well(&reasons))
            }
        };
        self.desk = Some(desk);
        self.effects.push(Effect::Show {
            request: look.request,
            shown,
            at: self.aws_now(now),
        });
    }

    fn show_topics(
        &mut self,
        now: Now,
        desk: &mut Desk,
        since: Option<Change>,
        known: &[Change],
    ) -> Shown {
        let change = self.look(now.mono, desk);
        if known.contains(&change) {
            return Shown::Topics(change, None);
        }
        let since = since.filter(|since| *since <= change && !self.outbox.lost_any(*since));
        let part = since.and_then(|since| self.render_changes(now, desk, since, change));
        if let Some(text) = part {
            let text = Arc::new(text);
            desk.parts.push(Arc::downgrade(&text));
            return Shown::Topics(change, Some(text));
        }
        let (change, text) = self.whole(now, desk, change);
        Shown::Topics(change, Some(text))
    }

    /// The look that is shown now: what changes within a second has one number.
    fn look(&mut self, now: Mono, desk: &mut Desk) -> Change {
        let is_fresh = |looked: Mono| now.since(looked) < RENDER_INTERVAL;
        if desk.looked.is_some_and(is_fresh) {
            return self.outbox.seen();
        }
        desk.looked = Some(now);
        desk.rendered = 0;
        self.outbox.look()
    }

    /// What changed after a look, as long as it is little. `None`: the whole is to be shown.
    fn render_changes(
        &self,
        now: Now,
        desk: &mut Desk,
        since: Change,
        change: Change,
    ) -> Option<Vec<u8>> {
        if desk.is_crowded() {
            return None;
        }
        let room = CHANGED_TOPICS_MAX - desk.rendered;
        let count = self.outbox.looked_at(Some(since)).take(room + 1).count();
        if count > room {
            return None;
        }
        desk.rendered += count;
        let mut document = self.document_of(now, desk, change, false, 0);
        for topic in self.outbox.looked_at(Some(since)) {
            // One that cannot be shown any more goes: only the whole tells that.
            let payload = self.shown_of(topic)?;
            document.add(topic, &self.names.of(topic), &payload);
        }
        Some(document.finish())
    }

    fn whole(&self, now: Now, desk: &mut Desk, change: Change) -> (Change, Text) {
        let is_it = |kept: &Kept| kept.change == change;
        if let Some(kept) = desk.whole.take(now.mono, is_it) {
            return kept;
        }
        let bytes = desk.whole.bytes + SLACK_BYTES;
        let mut document = self.document_of(now, desk, change, true, bytes);
        for topic in self.outbox.looked_at(None) {
            if let Some(payload) = self.shown_of(topic) {
                document.add(topic, &self.names.of(topic), &payload);
            }
        }
        let text = desk.whole.put(now.mono, change, document.finish());
        (change, text)
    }

    fn document_of(
        &self,
        now: Now,
        desk: &Desk,
        change: Change,
        whole: bool,
        bytes: usize,
    ) -> Document {
        let head = Head {
            tag: &tag(&desk.run, change),
            whole,
            now: self.aws_now(now),
            prefix: self.names.prefix(),
        };
        Document::new(&head, bytes)
    }

    /// What the broker would be sent of a wanted topic.
    fn shown_of(&self, topic: &Topic) -> Option<String> {
        let payload = self.render(topic);
        payload.filter(|payload| payload.len() <= PAYLOAD_BYTES_MAX)
    }

    fn show_history(&self, now: Now, id: &str) -> Option<String> {
        let id: &Id = &self.inventory.channel(id)?.id;
        let hour = self.tracks.hour(id);
        let hour = hour.unwrap_or_else(|| Hour::unknown(self.newest_settled(now)));
        Some(page::history(id, &hour))
    }

    fn metrics(&self, now: Now, desk: &mut Desk, format: Format) -> Text {
        let shelf = desk.metrics.entry(format);
        let shelf = shelf.or_insert_with(|| Shelf::new(RENDER_INTERVAL));
        let is_fresh = |kept: &Kept| now.mono.since(kept.made) < RENDER_INTERVAL;
        if let Some((_, text)) = shelf.take(now.mono, is_fresh) {
            return text;
        }
        let text = self.render_openmetrics(now, format, shelf.bytes + SLACK_BYTES);
        shelf.put(now.mono, self.outbox.seen(), text)
    }

    /// The sources that cannot be believed, with the reason.
    fn troubles(&self, now: Now) -> Vec<String> {
        let sources = self.told.sources();
        let stale = sources.filter(|(source, status)| {
            let live = self.is_live(now.mono, **source, status);
            live == Some(false)
        });
        stale
            .map(|(source, status)| trouble(*source, status))
            .collect()
    }
}

/// Why a source cannot be believed.
fn trouble(source: Source, status: &SourceStatus) -> String {
    let name = source.as_str();
    let last = status.last_success_at.map(UnixMs::rfc3339);
    let why = status.error.as_ref().map(Fault::to_string);
    match (why, last) {
        (Some(why), Some(last)) => format!("{name}: no success since {last}: {why}"),
        (Some(why), None) => format!("{name}: no success yet: {why}"),
        (None, last) => {
            let last = last.unwrap_or_else(|| String::from("the start"));
            format!("{name}: no answer since {last}")
        }
    }
}
