//! CloudWatch alarms: polling and push joined into one truth.
//!
//! Push is quick and may be lost; polling is slow and complete. Whichever is newer by AWS's
//! own time of the state change wins, in whatever order the two arrive.
//!
//! An alarm of ours is held under its name, one of another account or region under
//! `<name>\0<account>.<region>`: no name has a NUL in it.

mod merge;
mod push;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::catalogue::Lookup;
use super::inventory::Inventory;
use super::model::Id;
use super::polled::{AlarmKind, Dimension, PolledAlarm};
use super::time::{Mono, UnixMs};
use super::wish::Wish;
pub use push::{Heard, Home, Pushed};

/// Complete polls that must lack a listed alarm before it counts as gone.
const ABSENCES_BEFORE_GONE: u8 = 2;
/// An alarm that no poll has shown is kept so long after it was last heard of.
const NEVER_LISTED_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Alarms that no poll has shown, at the most.
const NEVER_LISTED_MAX: usize = 500;
/// What stands in the key of another's alarm between its name and its owner.
const KEY_SEPARATOR: char = '\u{0}';
/// What stands there for an account or a region that was not told.
const UNKNOWN_OWNER: &str = "unknown";

/// Which way the state of an alarm was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// `DescribeAlarms`.
    Poll,
    /// The SNS listener.
    Sns,
    /// The SQS queue.
    Sqs,
}

impl Via {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Poll => "poll",
            Via::Sns => "sns",
            Via::Sqs => "sqs",
        }
    }

    /// Reads what [`Via::as_str`] writes.
    pub fn parse(text: &str) -> Option<Via> {
        [Via::Poll, Via::Sns, Via::Sqs]
            .into_iter()
            .find(|via| via.as_str() == text)
    }
}

/// An alarm as it is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Its name.
    pub name: Id,
    /// Its ARN.
    pub arn: String,
    /// From the ARN.
    pub account_id: Option<String>,
    /// From the ARN.
    pub region: Option<String>,
    /// Whether it is another account's or region's. Not published: the topic tells it.
    pub foreign: bool,
    /// Its kind.
    pub kind: AlarmKind,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`, or what AWS adds later.
    pub state: String,
    /// The state before, where it is known.
    pub previous_state: Option<String>,
    /// AWS's sentence about the state.
    pub reason: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// When the state changed.
    pub updated_at: Option<UnixMs>,
    /// Of a single-metric alarm.
    pub namespace: Option<String>,
    /// Of a single-metric alarm.
    pub metric: Option<String>,
    /// Names and values.
    pub dimensions: Vec<Dimension>,
    /// The channel it is about.
    pub channel_id: Option<Id>,
    /// The endpoint it is about.
    pub endpoint_id: Option<Id>,
    /// The limit.
    pub threshold: Option<f64>,
    /// AWS's name of the comparison.
    pub comparison: Option<String>,
    /// Whether its actions are switched on.
    pub actions_enabled: Option<bool>,
    /// Whether another alarm holds them back.
    pub actions_suppressed: Option<bool>,
    /// Whether polling has ever shown it.
    pub listed: bool,
    /// Which way the state was learned.
    pub source: Via,
}

impl Alarm {
    /// The key under which it is held and its topic is named.
    pub fn key(&self) -> Id {
        if !self.foreign {
            return self.name.clone();
        }
        let account = self.account_id.as_deref().unwrap_or(UNKNOWN_OWNER);
        let region = self.region.as_deref().unwrap_or(UNKNOWN_OWNER);
        format!("{}{KEY_SEPARATOR}{account}.{region}", self.name).into()
    }
}

#[derive(Clone, Debug)]
struct Held {
    alarm: Alarm,
    absences: u8,
    /// When it was last heard of, on our own clock.
    heard: Mono,
    /// Until when it is kept without being listed or heard of again.
    kept_until: Mono,
    /// Whether it ever came by push: then it is kept whatever the filter says.
    pushed: bool,
    /// The state change that the last poll showed: of that moment the poll decides the state.
    polled_at: Option<UnixMs>,
    /// The newest change that was told.
    told_at: Option<UnixMs>,
    /// Whether a notification told the state before, rather than that we saw another.
    previous_by_push: bool,
}

/// A change of one alarm's state. Each is told once, whichever way it was learned first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmChange {
    /// The key under which the alarm is held.
    pub name: Id,
    /// Its state before: what was shown, else what the notification says.
    pub from: Option<String>,
    /// Its state now.
    pub to: String,
}

/// What one poll or notification changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmChanges {
    /// Alarms whose payload may differ now.
    pub touched: Vec<Id>,
    /// Alarms that are gone.
    pub removed: Vec<Id>,
    /// Changes of a state.
    pub changes: Vec<AlarmChange>,
}

/// All alarms that are kept.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    held: BTreeMap<Id, Held>,
    listings: u64,
}

impl Alarms {
    /// The alarm of this key.
    pub fn get(&self, key: &str) -> Option<&Alarm> {
        self.held.get(key).map(|held| &held.alarm)
    }

    /// All, in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Id, &Alarm)> {
        self.held.iter().map(|(key, held)| (key, &held.alarm))
    }

    /// Complete listings taken so far.
    pub fn listings(&self) -> u64 {
        self.listings
    }

    /// Takes an alarm that the broker's store remembers; false when it is known already, or
    /// nothing that we can have kept. Distrusted: any poll overrides it, and what no poll would
    /// ever override is bounded in number and age. Its last change counts as told.
    pub fn adopt(&mut self, alarm: Alarm, now: Mono, aws_now: UnixMs) -> bool {
        let key = alarm.key();
        let pushed = alarm.source != Via::Poll;
        if self.held.contains_key(&key) || alarm.listed && alarm.foreign {
            return false;
        }
        let mut left = NEVER_LISTED_KEPT;
        if !alarm.listed {
            let at = alarm
                .updated_at
                .filter(|at| pushed && merge::is_believed(*at, aws_now));
            let unlisted = self.held.values().filter(|held| !held.alarm.listed).count();
            let Some(at) = at.filter(|_| unlisted < NEVER_LISTED_MAX) else {
                return false;
            };
            // When it was last heard of nobody wrote down; hardly before it changed.
            let age_ms = aws_now.0.saturating_sub(at.0).max(0);
            left = left.saturating_sub(Duration::from_millis(age_ms.unsigned_abs()));
        }
        if left.is_zero() {
            return false;
        }
        let mut held = Held::new(alarm, now);
        held.kept_until = now.after(left);
        held.pushed = pushed;
        held.told_at = held.alarm.updated_at;
        held.polled_at = held.alarm.updated_at.filter(|_| !pushed);
        held.previous_by_push = pushed;
        self.held.insert(key, held);
        true
    }

    /// Tells the change between what the broker's store remembers of an alarm and what polls
    /// have shown before the store could be read: nobody has been told of it yet.
    pub fn missed(&mut self, stored: &Alarm) -> Option<AlarmChange> {
        let key = stored.key();
        let held = self.held.get_mut(&key)?;
        let alarm = &mut held.alarm;
        let is_newer = alarm.updated_at > stored.updated_at;
        if held.told_at.is_some() || !is_newer || alarm.state == stored.state {
            return None;
        }
        held.told_at = alarm.updated_at;
        alarm.previous_state = Some(stored.state.clone());
        Some(AlarmChange {
            name: key,
            from: Some(stored.state.clone()),
            to: alarm.state.clone(),
        })
    }

    /// Takes a complete listing of a poll that began at `began`.
    pub fn apply(
        &mut self,
        listing: Vec<PolledAlarm>,
        began: Mono,
        aws_now: UnixMs,
        wish: &Wish,
        inventory: &Inventory,
    ) -> AlarmChanges {
        self.listings += 1;
        let mut out = AlarmChanges::default();
        let pushed = self.held.iter().filter(|(_, held)| held.pushed);
        let pushed: BTreeSet<Id> = pushed.map(|(key, _)| key.clone()).collect();
        let kept = rule::kept(listing, wish, &pushed);
        for held in self.held.values_mut().filter(|held| held.heard <= began) {
            held.absences = held.absences.saturating_add(1);
        }
        let lookup = Lookup::new(inventory);
        for row in kept {
            let fresh = merge::from_poll(row, &lookup);
            self.take_row(fresh, began, aws_now, &mut out);
        }
        let gone =
            |_: &Id, held: &mut Held| held.alarm.listed && held.absences >= ABSENCES_BEFORE_GONE;
        let gone = self.held.extract_if(.., gone);
        out.removed.extend(gone.map(|(key, _)| key));
        out.removed.extend(self.expire(began));
        out
    }

    fn take_row(&mut self, fresh: Alarm, began: Mono, aws_now: UnixMs, out: &mut AlarmChanges) {
        let key = fresh.key();
        let Some(held) = self.held.get_mut(&key) else {
            let mut held = Held::new(fresh, began);
            held.polled_at = held.alarm.updated_at;
            self.held.insert(key.clone(), held);
            out.touched.push(key);
            return;
        };
        held.absences = 0;
        let before = held.alarm.clone();
        merge::polled(held, fresh, aws_now);
        if held.alarm.state != before.state {
            out.changes.push(AlarmChange {
                name: key.clone(),
                from: Some(before.state.clone()),
                to: held.alarm.state.clone(),
            });
        }
        if held.alarm != before {
            out.touched.push(key);
        }
    }

    /// Finds out anew whose each alarm is, after the inventory changed; tells which moved.
    pub fn reassign(&mut self, inventory: &Inventory) -> Vec<Id> {
        let lookup = Lookup::new(inventory);
        let mut moved = Vec::new();
        for (key, held) in self.held.iter_mut().filter(|(_, held)| !held.alarm.foreign) {
            let owners = lookup.owners(&held.alarm.dimensions);
            if owners
                != (
                    held.alarm.channel_id.clone(),
                    held.alarm.endpoint_id.clone(),
                )
            {
                (held.alarm.channel_id, held.alarm.endpoint_id) = owners;
                moved.push(key.clone());
            }
        }
        moved
    }

    /// Names of the alarms in state ALARM, by the channel that they are about.
    pub fn active_by_channel(&self) -> HashMap<&Id, Vec<&Id>> {
        let mut active: HashMap<&Id, Vec<&Id>> = HashMap::new();
        for (key, alarm) in self.iter().filter(|(_, alarm)| alarm.state == "ALARM") {
            if let Some(channel) = &alarm.channel_id {
                active.entry(channel).or_default().push(key);
            }
        }
        active
    }
}
