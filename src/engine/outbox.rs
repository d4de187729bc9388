//! What the broker should hold, against what it has acknowledged.
//!
//! The outbox knows topics and fingerprints, never payloads: those are rendered when there is
//! room to send them. So memory stays flat however long the broker is away, and a topic that
//! changed ten times meanwhile goes out once, with the newest value.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::state::measure::Resource;
use crate::state::time::Minute;
use crate::topics::Topic;
use crate::topics::event::Happening;

/// Publications that wait for their acknowledgement at the most.
pub const IN_FLIGHT_MAX: usize = 64;

/// The first half of the SHA-256 of a payload; all noughts for "cleared".
pub type Fingerprint = [u8; 16];

const CLEARED: Fingerprint = [0; 16];

/// The fingerprint of a payload.
pub fn fingerprint(payload: &[u8]) -> Fingerprint {
    let mut half = CLEARED;
    half.copy_from_slice(&Sha256::digest(payload)[..16]);
    half
}

/// Names one publication until it is acknowledged.
pub type Token = u64;

/// Numbers what was seen of the wanted topics: what changed between two looks has one number.
pub type Change = u32;

/// A message that is told once.
#[derive(Clone, Debug, PartialEq)]
pub enum Once {
    /// `event/<type>`
    Event(Happening),
    /// `sns/message`, rendered.
    Message(String),
}

/// What a publication was, for when its acknowledgement comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// A retained topic, or its clearing.
    Retained(Topic),
    /// A flat topic, or its clearing.
    Flat,
    /// A message that is told once, with its number.
    Once(u64, Box<Once>),
    /// A settled minute, with the fingerprint of its values.
    Point(Resource, Minute, u64),
}

#[derive(Clone, Debug, Default)]
struct Entry {
    wanted: bool,
    queued: bool,
    /// The change that its payload may have come with. It fits where there was room.
    change: Change,
    /// What was sent last in this session; `None` when the broker may hold anything.
    sent: Option<Fingerprint>,
    /// The publication that carried it, until it is acknowledged.
    in_flight: Option<Token>,
    /// The publication that carried it last.
    token: Token,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: BTreeMap<Topic, Entry>,
    queue: VecDeque<Topic>,
    in_flight: HashMap<Token, Sent>,
    next_token: Token,
    changes: Changes,
}

/// Which changes of the wanted topics were looked at.
#[derive(Debug, Default)]
struct Changes {
    /// The last one that was looked at.
    seen: Change,
    /// Whether there was one after it.
    is_more: bool,
    /// Whether a topic went after it.
    is_less: bool,
    /// The last one by which a topic went.
    went: Change,
}

impl Changes {
    /// What changes now has this number. Looks come once a second: it lasts for a century.
    fn next(&self) -> Change {
        self.seen.saturating_add(1)
    }
}

/// Whether others than the broker look at it.
fn is_looked_at(topic: &Topic) -> bool {
    !matches!(topic, Topic::Discovery(_) | Topic::Stray(_))
}

/// A retained topic whose turn it is, with what to send: `None` clears it.
pub struct Turn {
    /// The topic.
    pub topic: Topic,
    /// The payload.
    pub payload: Option<String>,
}

impl Outbox {
    /// The topic is wanted and may have a new payload.
    pub fn touch(&mut self, topic: Topic) {
        let entry = self.entries.entry(topic.clone()).or_default();
        entry.wanted = true;
        if is_looked_at(&topic) {
            self.changes.is_more = true;
            entry.change = self.changes.next();
        }
        if !entry.queued {
            entry.queued = true;
            self.queue.push_back(topic);
        }
    }

    /// The topic is not wanted any more: the broker has to clear it.
    pub fn remove(&mut self, topic: &Topic) {
        if let Some(entry) = self.entries.get_mut(topic) {
            if entry.wanted && is_looked_at(topic) {
                self.changes.is_more = true;
                self.changes.is_less = true;
            }
            entry.wanted = false;
            if !entry.queued {
                entry.queued = true;
                self.queue.push_back(topic.clone());
            }
        }
    }

    /// A topic that the broker holds and nobody wants.
    pub fn sweep(&mut self, topic: Topic) {
        if self.entries.get(&topic).is_none_or(|entry| !entry.wanted) {
            self.entries.entry(topic.clone()).or_default().sent = None;
            self.remove(&topic);
        }
    }

    /// Whether the topic is wanted.
    pub fn wants(&self, topic: &Topic) -> bool {
        self.entries.get(topic).is_some_and(|entry| entry.wanted)
    }

    /// All wanted topics, in order.
    pub fn wanted(&self) -> impl Iterator<Item = &Topic> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.wanted)
            .map(|(topic, _)| topic)
    }

    /// Looks: all that has changed until now has this number or one before it.
    pub fn look(&mut self) -> Change {
        if std::mem::take(&mut self.changes.is_more) {
            self.changes.seen = self.changes.next();
        }
        if std::mem::take(&mut self.changes.is_less) {
            self.changes.went = self.changes.seen;
        }
        self.changes.seen
    }

    /// Whatever was looked at may be other now, though nothing has gone out yet.
    pub fn all_changed(&mut self) {
        let next = self.changes.next();
        for (_, entry) in self.entries.iter_mut().filter(|(t, _)| is_looked_at(t)) {
            entry.change = next;
            self.changes.is_more = true;
        }
    }

    /// The number of the last look.
    pub fn seen(&self) -> Change {
        self.changes.seen
    }

    /// Wanted topics that others look at, in order: all, or those that changed after a look and
    /// not since the last one.
    pub fn looked_at(&self, since: Option<Change>) -> impl Iterator<Item = &Topic> {
        let entries = self.entries.iter().filter(|(_, entry)| entry.wanted);
        let seen = self.changes.seen;
        let changed = move |entry: &Entry| {
            since.is_none_or(|since| since < entry.change && entry.change <= seen)
        };
        let looked_at = entries.filter(move |(topic, entry)| changed(entry) && is_looked_at(topic));
        looked_at.map(|(topic, _)| topic)
    }

    /// Whether a topic went after that look, and not since the last one.
    pub fn lost_any(&self, since: Change) -> bool {
        self.changes.went > since
    }

    /// A session began. The broker may have lost its store, so everything goes out again. What
    /// was to be swept is looked for again: meanwhile somebody may want a topic of that name.
    pub fn connected(&mut self) {
        self.entries
            .retain(|topic, entry| entry.wanted || !matches!(topic, Topic::Stray(_)));
        for entry in self.entries.values_mut() {
            entry.queued = true;
        }
        self.queue = self.entries.keys().cloned().collect();
    }

    /// These topics do not go out before they are touched again.
    pub fn hold(&mut self, topics: &BTreeSet<Topic>) {
        for (_, entry) in self
            .entries
            .iter_mut()
            .filter(|(topic, _)| topics.contains(topic))
        {
            entry.queued = false;
        }
        self.queue.retain(|topic| !topics.contains(topic));
    }

    /// The session is over: what was not acknowledged may not have arrived. Tells what is told
    /// once among it, oldest first.
    pub fn session_over(&mut self) -> Vec<(u64, Once)> {
        for entry in self.entries.values_mut() {
            entry.sent = None;
            entry.in_flight = None;
        }
        let once = self.in_flight.drain().filter_map(|(_, sent)| match sent {
            Sent::Once(number, once) => Some((number, *once)),
            _ => None,
        });
        let mut once: Vec<_> = once.collect();
        once.sort_by_key(|(number, _)| *number);
        once
    }

    /// The broker's copy of this topic is not what was sent: it goes out again.
    pub fn overwritten(&mut self, topic: Topic) {
        if let Some(entry) = self.entries.get_mut(&topic).filter(|entry| entry.wanted) {
            entry.sent = None;
            self.touch(topic);
        }
    }

    /// Nothing but this topic goes out any more.
    pub fn say_last(&mut self, topic: Topic) {
        for entry in self.entries.values_mut() {
            entry.queued = false;
        }
        self.queue.clear();
        self.touch(topic);
    }

    /// Whether another publication may be sent.
    pub fn has_room(&self) -> bool {
        self.in_flight.len() < IN_FLIGHT_MAX
    }

    /// The topic whose turn is next.
    pub fn front(&self) -> Option<&Topic> {
        self.queue.front()
    }

    /// How many topics wait for their turn.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many publications wait for their acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        self.in_flight.len()
    }

    /// How many points wait for their acknowledgement.
    pub fn points_in_flight(&self) -> usize {
        let sent = self.in_flight.values();
        sent.filter(|sent| matches!(sent, Sent::Point(..))).count()
    }

    /// Whether this minute is on its way to the broker, with these values.
    pub fn carries(&self, resource: &Resource, minute: Minute, print: u64) -> bool {
        let same = |sent: &Sent| match sent {
            Sent::Point(r, m, p) => (r, *m, *p) == (resource, minute, print),
            _ => false,
        };
        self.in_flight.values().any(same)
    }

    /// The publication that was sent last.
    pub fn last_token(&self) -> Token {
        self.next_token
    }

    /// What the broker should have held of a topic when `token` was the last that was sent:
    /// `None` when that was still on its way, or has been replaced since.
    pub fn settled(&self, topic: &Topic, token: Token) -> Option<Fingerprint> {
        let entry = self.entries.get(topic)?;
        let on_its_way = entry.queued || entry.in_flight.is_some() || entry.token > token;
        // What is left out for its size was cleared, and is not expected there.
        let kept = |print: &Fingerprint| entry.wanted && !on_its_way && *print != CLEARED;
        entry.sent.filter(kept)
    }

    /// Whether a clearing or payload of this topic waits to be sent or acknowledged.
    pub fn is_pending(&self, topic: &Topic) -> bool {
        self.entries
            .get(topic)
            .is_some_and(|entry| entry.queued || entry.in_flight.is_some())
    }

    /// The next topic that differs from what was sent. `render` gives the payload that a
    /// wanted topic should have; `None` when it cannot be published: then the broker shall
    /// rather hold nothing than an old value.
    pub fn next(&mut self, mut render: impl FnMut(&Topic) -> Option<String>) -> Option<Turn> {
        while let Some(topic) = self.queue.pop_front() {
            let Some(entry) = self.entries.get_mut(&topic) else {
                continue;
            };
            entry.queued = false;
            let payload = match entry.wanted {
                false => None,
                true => render(&topic),
            };
            let print = payload
                .as_deref()
                .map_or(CLEARED, |text| fingerprint(text.as_bytes()));
            if entry.sent == Some(print) {
                continue;
            }
            entry.sent = Some(print);
            return Some(Turn { topic, payload });
        }
        None
    }

    /// Names a publication that is about to be sent.
    pub fn send(&mut self, sent: Sent) -> Token {
        self.next_token += 1;
        if let Sent::Retained(topic) = &sent
            && let Some(entry) = self.entries.get_mut(topic)
        {
            entry.in_flight = Some(self.next_token);
            entry.token = self.next_token;
        }
        self.in_flight.insert(self.next_token, sent);
        self.next_token
    }

    /// The broker has taken a publication.
    pub fn acknowledged(&mut self, token: Token) -> Option<Sent> {
        let sent = self.in_flight.remove(&token)?;
        if let Sent::Retained(topic) = &sent
            && let Some(entry) = self.entries.get_mut(topic)
            && entry.in_flight == Some(token)
        {
            entry.in_flight = None;
            let cleared = !entry.wanted && !entry.queued && entry.sent == Some(CLEARED);
            if cleared {
                self.entries.remove(topic);
            }
        }
        Some(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::discovery::Device;

    fn topic(name: &str) -> Topic {
        Topic::Channel(name.into())
    }

    /// Sends all that is due and returns it as `name=payload` lines.
    fn drain(outbox: &mut Outbox, payload: &str) -> Vec<(String, Token)> {
        let mut lines = Vec::new();
        while let Some(turn) = outbox.next(|_| Some(payload.to_owned())) {
            let Topic::Channel(name) = &turn.topic else {
                panic!("not a test topic")
            };
            let line = format!("{name}={}", turn.payload.as_deref().unwrap_or(""));
            lines.push((line, outbox.send(Sent::Retained(turn.topic))));
        }
        lines
    }

    fn names(lines: &[(String, Token)]) -> Vec<&str> {
        lines.iter().map(|(line, _)| line.as_str()).collect()
    }

    #[test]
    fn only_what_differs_goes_out() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("a"));
        outbox.touch(topic("a"));
        assert_eq!(names(&drain(&mut outbox, "1")), ["a=1"]);
        outbox.touch(topic("a"));
        assert_eq!(names(&drain(&mut outbox, "1")), [""; 0]);
        outbox.touch(topic("a"));
        assert_eq!(names(&drain(&mut outbox, "2")), ["a=2"]);
    }

    #[test]
    fn a_new_session_gets_everything_again_clearings_too() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("b"));
        outbox.touch(topic("a"));
        drain(&mut outbox, "1");
        outbox.session_over();
        outbox.remove(&topic("b"));
        outbox.connected();
        assert_eq!(names(&drain(&mut outbox, "1")), ["a=1", "b="]);
        // The clearing was never acknowledged, so the next session gets it once more.
        outbox.session_over();
        outbox.connected();
        let sent = drain(&mut outbox, "1");
        assert_eq!(names(&sent), ["a=1", "b="]);
        sent.iter()
            .for_each(|(_, token)| assert!(outbox.acknowledged(*token).is_some()));
        outbox.session_over();
        outbox.connected();
        assert_eq!(names(&drain(&mut outbox, "1")), ["a=1"]);
    }

    #[test]
    fn an_acknowledgement_of_an_old_session_counts_for_nothing() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("a"));
        let sent = drain(&mut outbox, "1");
        outbox.session_over();
        outbox.connected();
        assert_eq!(outbox.acknowledged(sent[0].1), None);
        assert_eq!(names(&drain(&mut outbox, "1")), ["a=1"]);
    }

    #[test]
    fn a_topic_that_comes_back_before_its_clearing_went_out_is_not_cleared() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("a"));
        drain(&mut outbox, "1");
        outbox.remove(&topic("a"));
        outbox.touch(topic("a"));
        assert_eq!(names(&drain(&mut outbox, "1")), [""; 0]);
    }

    #[test]
    fn what_others_left_is_swept_but_never_what_is_wanted() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("mine"));
        drain(&mut outbox, "1");
        outbox.sweep(topic("mine"));
        outbox.sweep(topic("old"));
        assert_eq!(names(&drain(&mut outbox, "1")), ["old="]);
    }

    #[test]
    fn a_payload_that_cannot_be_published_is_cleared_and_not_left_stale() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("a"));
        drain(&mut outbox, "1");
        outbox.touch(topic("a"));
        let turn = outbox.next(|_| None).unwrap();
        assert_eq!((turn.topic, turn.payload), (topic("a"), None));
        outbox.touch(topic("a"));
        assert_eq!(names(&drain(&mut outbox, "2")), ["a=2"]);
    }

    #[test]
    fn what_is_sent_while_the_store_is_read_is_not_held_against_it() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("a"));
        let sent = drain(&mut outbox, "1");
        outbox.acknowledged(sent[0].1);
        let reading_from = outbox.last_token();
        outbox.touch(topic("b"));
        let sent = drain(&mut outbox, "1");
        assert_eq!(outbox.settled(&topic("b"), reading_from), None);
        outbox.acknowledged(sent[0].1);
        let settled = |name: &str| outbox.settled(&topic(name), reading_from).is_some();
        assert_eq!((settled("a"), settled("b")), (true, false));
        assert!(outbox.settled(&topic("b"), outbox.last_token()).is_some());
    }

    #[test]
    fn a_look_tells_what_changed_since_another_one() {
        let mut outbox = Outbox::default();
        let since =
            |outbox: &Outbox, look| -> Vec<Topic> { outbox.looked_at(look).cloned().collect() };
        assert_eq!(outbox.look(), 0);
        outbox.touch(topic("a"));
        outbox.touch(topic("b"));
        outbox.touch(Topic::Discovery(Device::Agent));
        let first = outbox.look();
        assert_eq!((first, outbox.look(), outbox.seen()), (1, 1, 1));
        assert_eq!(since(&outbox, Some(0)), [topic("a"), topic("b")]);
        assert_eq!(since(&outbox, Some(first)), []);
        // What is sent, acknowledged and sent again is no change.
        while outbox.next(|_| Some("1".to_owned())).is_some() {}
        outbox.session_over();
        outbox.connected();
        outbox.touch(Topic::Discovery(Device::Agent));
        outbox.sweep(topic("old"));
        assert_eq!(outbox.look(), first);
        outbox.touch(topic("b"));
        assert_eq!(since(&outbox, Some(first)), [], "it is for the next look");
        let second = outbox.look();
        assert_eq!(since(&outbox, Some(first)), [topic("b")]);
        assert_eq!((outbox.lost_any(first), second), (false, 2));
        outbox.remove(&topic("a"));
        assert!(!outbox.lost_any(second), "it is for the next look");
        outbox.remove(&topic("a"));
        let third = outbox.look();
        assert_eq!(since(&outbox, None), [topic("b")]);
        outbox.all_changed();
        let fourth = outbox.look();
        assert_eq!(since(&outbox, Some(third)), [topic("b")]);
        assert_eq!(since(&outbox, Some(fourth)), []);
        assert_eq!(
            (outbox.lost_any(second), outbox.lost_any(third)),
            (true, false)
        );
    }

    #[test]
    fn what_a_look_needs_takes_no_memory_of_its_own() {
        #[allow(dead_code, reason = "only its size matters")]
        struct Without {
            wanted: bool,
            queued: bool,
            sent: Option<Fingerprint>,
            in_flight: Option<Token>,
            token: Token,
        }
        assert_eq!(size_of::<Entry>(), size_of::<Without>());
    }

    #[test]
    fn a_copy_that_somebody_overwrote_goes_out_again() {
        let mut outbox = Outbox::default();
        outbox.touch(topic("a"));
        drain(&mut outbox, "1");
        outbox.overwritten(topic("a"));
        assert_eq!(names(&drain(&mut outbox, "1")), ["a=1"]);
    }
}
