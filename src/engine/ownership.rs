//! Whose the topics below our prefix are, what is taken up from them, and what is swept.
//!
//! Nothing is published before the store has been read once and found to be ours to write.
//! After each session's refill it is read again: what is there and nobody wants is swept, but
//! never before the source that it comes from has had its complete polls; what is wanted and
//! not there (an access list) is told.

use std::collections::HashMap;
use std::time::Duration;

use super::daybook::BROKER;
use super::outbox::{Fingerprint, Token};
use super::publish::{RECONNECT_FIRST, RECONNECT_MAX};
use super::{Effect, Engine, Now, StoreRequest, backoff};
use crate::state::apis::MediaApi;
use crate::state::model::Id;
use crate::state::source::{Source, SourceState};
use crate::state::time::{Mono, UnixMs};
use crate::state::wish::AlarmsKept;
use crate::topics::Topic;
use crate::topics::memory::{Memory, Owner};

/// Another agent that is online for so long is alive; a dead one's will comes sooner.
const OTHER_ALIVE_AFTER: Duration = Duration::from_secs(120);
/// How often its status is looked at meanwhile.
const OTHER_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Complete listings before what they lack is gone.
pub(super) const LISTINGS_BEFORE_SWEEP: u64 = 2;
/// How often what could not be swept yet is looked at again.
const SWEEP_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Where so many strays were, there may be more than the broker sent at once.
const SWEPT_BEFORE_ANOTHER_LOOK: usize = 500;
/// Topics named in one line of the log.
const NAMED_MAX: usize = 5;
/// Alarms taken up from the store.
const ALARMS_ADOPTED_MAX: usize = 10_000;

/// One retained message below our prefix.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Full name.
    pub topic: Id,
    /// Of its payload.
    pub print: Fingerprint,
    /// What it tells, where we could have written it and that is of interest.
    pub memory: Option<Box<Memory>>,
}

/// What the broker keeps below our prefix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Store {
    /// All messages.
    pub topics: Vec<Kept>,
    /// Whether all were read.
    pub complete: bool,
}

/// Whether the refill of this session has been read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Verified {
    #[default]
    Not,
    /// Before every source had answered: there was little to hold against the store.
    Early,
    Whole,
}

/// How far the question is settled.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    /// Whether the store may be written.
    pub(super) ours: bool,
    /// Whether what the store remembers has been taken up.
    adopted: bool,
    reading: bool,
    /// The last publication before the reading began: later ones may be missing in it.
    read_from: Token,
    read_at: Option<Mono>,
    failures: u32,
    pub(super) reason: Option<String>,
    /// Since when another agent has been seen online.
    other_since: Option<Mono>,
    /// The account that the picture in the store is of.
    pub(super) account_id: Option<String>,
    account_checked: bool,
    verified: Verified,
    told_missing: bool,
    /// What is there, and waits for its source's complete polls before it is swept.
    unswept: Vec<Id>,
    sweep_at: Option<Mono>,
}

impl Ownership {
    pub(super) fn deadline(&self) -> Option<Mono> {
        [self.read_at, self.sweep_at].into_iter().flatten().min()
    }
}

impl Engine {
    /// Asks for the store, unless that is under way.
    pub(super) fn read_store(&mut self) {
        if !self.ownership.reading {
            self.ownership.reading = true;
            let read_from = self.outbox.last_token();
            self.ownership.read_from = read_from;
            self.ownership.read_at = None;
            let at_start = !self.ownership.ours;
            let settled = self
                .outbox
                .wanted()
                .filter(|t| self.outbox.settled(t, read_from).is_some());
            let expected = settled.map(|topic| self.names.of(topic)).collect();
            self.effects.push(Effect::ReadStore(StoreRequest {
                at_start,
                documents: self.settings.home_assistant.enabled,
                expected,
            }));
        }
    }

    /// Starts a reading that is due: at start, and after the refill of each session.
    pub(super) fn advance_ownership(&mut self, now: Now) {
        if self.stopping.is_some() {
            return;
        }
        if self.ownership.read_at.is_some_and(|at| at <= now.mono) {
            self.read_store();
        }
        let refilled = self.broker.connected
            && self.outbox.waiting() + self.flats.waiting() == 0
            && self.outbox.unacknowledged() == 0;
        let reached = match self.all_asked() {
            true => Verified::Whole,
            false => Verified::Early,
        };
        if refilled && self.ownership.verified < reached && !self.ownership.reading {
            self.ownership.verified = reached;
            self.read_store();
        }
        if self.ownership.sweep_at.is_some_and(|at| at <= now.mono) {
            self.sweep(now);
        }
        self.check_account(now);
    }

    /// A new session: what the broker holds is to be looked at again after the refill.
    pub(super) fn session_began(&mut self) {
        self.ownership.verified = Verified::Not;
        self.ownership.unswept.clear();
        self.ownership.sweep_at = None;
    }

    pub(super) fn store_read(&mut self, now: Now, result: Result<Store, String>) {
        self.ownership.reading = false;
        if self.stopping.is_some() {
            return;
        }
        if result.is_ok() {
            self.ownership.failures = 0;
            self.ownership.reason = None;
        }
        match result {
            Err(reason) => self.store_unread(now, reason),
            Ok(store) if self.ownership.ours => self.compare(now, store),
            Ok(store) => self.first_reading(now, store),
        }
    }

    fn store_unread(&mut self, now: Now, reason: String) {
        self.ownership.failures += 1;
        if self.ownership.ours && !self.broker.connected {
            // The main session tells what is wrong; the next one brings the next reading.
            return;
        }
        let random = self.rng.f64();
        let failures = self.ownership.failures;
        let wait = backoff::delay(failures, RECONNECT_FIRST, RECONNECT_MAX, random);
        self.ownership.read_at = Some(now.mono.after(wait));
        if self.ownership.ours {
            // At the start it is told; later, what keeps a reading away ends the session too.
            return;
        }
        let is_news = self.ownership.reason.as_ref() != Some(&reason);
        let line = format!("mqtt: {reason}; trying again");
        self.log_wrong(now, BROKER, log::Level::Warn, line, is_news);
        self.ownership.reason = Some(reason);
    }

    /// Decides whether the store is ours to write.
    fn first_reading(&mut self, now: Now, store: Store) {
        let find = |wanted: fn(&Memory) -> bool| {
            store
                .topics
                .iter()
                .filter_map(|kept| kept.memory.as_deref())
                .find(|m| wanted(m))
        };
        let online = find(|m| matches!(m, Memory::Online(true))).is_some();
        let owner = match find(|m| matches!(m, Memory::Owner(_))) {
            Some(Memory::Owner(owner)) => owner.clone(),
            _ => Owner::default(),
        };
        let other = owner.agent_id.is_some() && owner.agent_id != self.settings.agent_id;
        if other && online && !self.settings.take_over {
            self.wait_for_other(now, owner);
            return;
        }
        self.ownership.ours = true;
        self.ownership.account_id = owner.account_id.filter(|_| !self.settings.take_over);
        if !self.ownership.adopted {
            self.ownership.adopted = true;
            self.adopt(now, store);
            self.outbox.all_changed();
        }
        self.effects.push(Effect::Connect);
    }

    /// Another agent may have died without its will having come; a live one stays online.
    fn wait_for_other(&mut self, now: Now, owner: Owner) {
        let since = *self.ownership.other_since.get_or_insert(now.mono);
        let prefix = self.names.prefix().trim_end_matches('/').to_owned();
        let id = owner.agent_id.unwrap_or_default();
        if now.mono.since(since) >= OTHER_ALIVE_AFTER {
            self.refuse(
                now,
                format!(
                    "another agent (agent_id {id}) is online below {prefix}; give this one an \
                 instance of its own (instance = \"…\"), or start it with --take-over when the \
                 other is gone for good. Nothing was changed"
                ),
            );
            return;
        }
        if since == now.mono {
            let wait = OTHER_ALIVE_AFTER.as_secs();
            self.log(
                log::Level::Warn,
                format!(
                    "another agent (agent_id {id}) is online below {prefix}; waiting up to \
                     {wait} s for it to be gone"
                ),
            );
        }
        self.ownership.read_at = Some(now.mono.after(OTHER_CHECK_INTERVAL));
    }

    fn adopt(&mut self, now: Now, store: Store) {
        let aws_now = self.time_of_store(now, &store);
        let mut alarms = 0;
        let mut missed = Vec::new();
        for kept in store.topics {
            match kept.memory.map(|memory| *memory) {
                Some(Memory::Alarm(alarm))
                    if self.adopts_alarms() && alarms < ALARMS_ADOPTED_MAX =>
                {
                    missed.extend(self.alarms.missed(&alarm));
                    alarms += usize::from(self.alarms.adopt(*alarm, now.mono, aws_now));
                }
                Some(Memory::Messages(listed)) if self.wants_pushes() => {
                    self.adopt_listed(now, listed);
                }
                Some(Memory::Subscription(subscription)) => {
                    self.adopt_subscription(*subscription);
                }
                Some(Memory::Watermark(resource, minute)) => {
                    self.tracks.adopt(resource, minute);
                }
                Some(Memory::Document(object_id, components)) => {
                    self.homes.adopt(&object_id, components);
                }
                _ => {}
            }
        }
        self.tell_alarms(now, &missed);
        let adopted: Vec<_> = self.alarms.iter().map(|(key, _)| key.clone()).collect();
        adopted
            .into_iter()
            .for_each(|key| self.outbox.touch(Topic::Alarm(key)));
        self.told.review_all = true;
    }

    /// AWS's time as far as it is known; from a clock that is not set yet, the newest change that
    /// the store remembers, since that has happened.
    fn time_of_store(&self, now: Now, store: &Store) -> UnixMs {
        let is_set = !self.settings.needs_clock || now.wall >= self.settings.earliest_date;
        let changed = |kept: &Kept| match kept.memory.as_deref() {
            Some(Memory::Alarm(alarm)) => alarm.updated_at,
            _ => None,
        };
        let newest = store.topics.iter().filter_map(changed).max();
        newest.filter(|_| !is_set).unwrap_or(self.aws_now(now))
    }

    fn adopts_alarms(&self) -> bool {
        self.settings.wish.alarms != AlarmsKept::Off || !self.settings.wish.alarm_include.is_empty()
    }

    /// Another account's picture is not painted over, whenever the account becomes known.
    fn check_account(&mut self, now: Now) {
        if self.ownership.account_checked || !self.ownership.ours {
            return;
        }
        let Some(account) = self.account_id().map(str::to_owned) else {
            return;
        };
        self.ownership.account_checked = true;
        let before = self.ownership.account_id.replace(account.clone());
        let Some(before) = before.filter(|before| *before != account) else {
            self.settle_alarms();
            return;
        };
        let prefix = self.names.prefix().trim_end_matches('/').to_owned();
        self.ownership.account_id = Some(before.clone());
        self.refuse(
            now,
            format!(
                "the topics below {prefix} show account {before}, and these credentials are of \
             account {account}; give this one an instance of its own (instance = \"…\"), or \
             start it with --take-over to replace the picture"
            ),
        );
    }

    /// Holds the store against what is wanted, after a refill.
    fn compare(&mut self, now: Now, store: Store) {
        self.ownership.failures = 0;
        let read_from = self.ownership.read_from;
        let wanted = self.wanted_by_name();
        let mut missing: HashMap<&str, &Topic> = wanted
            .iter()
            .map(|(name, topic)| (name.as_str(), topic))
            .collect();
        let mut changed = Vec::new();
        let mut overwritten = Vec::new();
        let mut strays = Vec::new();
        for kept in store.topics {
            match missing.remove(&*kept.topic) {
                None => match self.flat_of(&kept.topic, &kept.print, &wanted) {
                    Some((_, true)) => {}
                    Some((topic, false)) => {
                        if self.outbox.settled(topic, read_from).is_some() {
                            overwritten.push(topic.clone());
                        }
                    }
                    None => strays.push(kept.topic),
                },
                Some(topic) => {
                    let settled = self.outbox.settled(topic, read_from);
                    if settled.is_some_and(|print| print != kept.print) {
                        changed.push(topic.clone());
                    }
                }
            }
        }
        missing.retain(|_, topic| self.outbox.settled(topic, read_from).is_some());
        let mut names: Vec<&str> = missing.into_keys().collect();
        names.sort_unstable();
        if store.complete && !names.is_empty() && !self.ownership.told_missing {
            self.ownership.told_missing = true;
            let (count, some) = (names.len(), names[..names.len().min(NAMED_MAX)].join(", "));
            self.log(
                log::Level::Warn,
                format!(
                    "mqtt: the broker took {count} retained topics and does not keep them \
                     ({some}); check its access list"
                ),
            );
        }
        for topic in overwritten {
            self.flat_overwritten(&topic);
            changed.push(topic);
        }
        changed
            .into_iter()
            .for_each(|topic| self.outbox.overwritten(topic));
        self.ownership.unswept = strays;
        drop(wanted);
        self.sweep(now);
    }

    fn wanted_by_name(&self) -> HashMap<String, Topic> {
        let wanted = self.outbox.wanted();
        wanted
            .map(|topic| (self.names.of(topic), topic.clone()))
            .collect()
    }

    /// Clears what nobody wants, as far as its source has had its say.
    fn sweep(&mut self, now: Now) {
        self.ownership.sweep_at = None;
        if self.ownership.unswept.is_empty() {
            return;
        }
        let mut later = Vec::new();
        let mut swept = 0;
        let wanted = self.wanted_by_name();
        for topic in std::mem::take(&mut self.ownership.unswept) {
            let is_wanted = wanted.contains_key(&*topic)
                || self
                    .flat_of(&topic, &Fingerprint::default(), &wanted)
                    .is_some();
            let verdict = self.verdict(&topic).filter(|_| !is_wanted);
            match verdict {
                None => {}
                Some(true) => {
                    if let Some(below) = topic.strip_prefix(self.names.discovery()) {
                        self.homes
                            .swept(below.split('/').next().unwrap_or_default());
                    }
                    self.outbox.sweep(Topic::Stray(topic));
                    swept += 1;
                }
                Some(false) => later.push(topic),
            }
        }
        let again = !later.is_empty();
        self.ownership.unswept = later;
        self.ownership.sweep_at = again.then(|| now.mono.after(SWEEP_CHECK_INTERVAL));
        if swept >= SWEPT_BEFORE_ANOTHER_LOOK {
            self.ownership.verified = Verified::Not;
        }
        if swept > 0 {
            let text = format!("mqtt: clearing {swept} retained topics that are not wanted");
            self.log_happened(now, "mqtt: clearing", log::Level::Info, text);
        }
    }

    /// Whether a topic of ours may be swept now; `None` when it is none of those we sweep.
    fn verdict(&self, topic: &str) -> Option<bool> {
        if let Some(below) = topic.strip_prefix(self.names.discovery()) {
            return Some(self.may_sweep_document(below));
        }
        let below = topic.strip_prefix(self.names.prefix())?;
        (!below.starts_with("command/")).then(|| self.may_sweep(below))
    }

    /// Whether the source that a topic comes from has had its complete polls.
    fn may_sweep(&self, below: &str) -> bool {
        let mut levels = below.split('/');
        let kind = levels.next().unwrap_or_default();
        let name = levels.next().unwrap_or_default();
        // A flat topic goes with the topic that it is of.
        let part = levels.next().unwrap_or(name);
        match (kind, part) {
            ("channel" | "endpoint" | "packaging_configuration", "point") => true,
            ("channel" | "endpoint", "metrics") => {
                self.inventory_had_its_say(name) && self.metrics_had_their_say()
            }
            ("packaging_configuration", "metrics") => {
                self.api_had_its_say(MediaApi::Vod) && self.metrics_had_their_say()
            }
            ("channel" | "endpoint", _) => self.inventory_had_its_say(name),
            ("channel_group", _) => self.api_had_its_say(MediaApi::V2),
            ("packaging_group" | "packaging_configuration", _) => {
                self.api_had_its_say(MediaApi::Vod)
            }
            ("harvest_job", _) => self.harvest_had_its_say(name),
            ("alarm", _) => {
                !self.adopts_alarms() || self.alarms.listings() >= LISTINGS_BEFORE_SWEEP
            }
            ("status" | "agent" | "summary", "") | ("agent", "stats") => false,
            ("source", name) => {
                let source = Source::ALL
                    .into_iter()
                    .find(|source| source.as_str() == name);
                source.is_none_or(|source| !self.polls.wants(source))
            }
            _ => true,
        }
    }

    fn metrics_had_their_say(&self) -> bool {
        let off = !self.polls.wants(Source::Metrics);
        let state = self.told.source_state(Source::Metrics);
        // One that has seen every channel and endpoint there is.
        let since = self.polls.media.added_at();
        let whole = self.polls.metrics.good_from >= Some(since);
        off || state == Some(SourceState::Ok) && whole
    }
}
