//! What a notification changes, and whose the alarm is that it tells of.

use super::merge::{self, is_believed};
use super::{Alarm, AlarmChange, AlarmChanges, Alarms, Held, NEVER_LISTED_KEPT};
use super::{NEVER_LISTED_MAX, Via};
use crate::state::glob;
use crate::state::inventory::Inventory;
use crate::state::model::Id;
use crate::state::push::PushedAlarm;
use crate::state::time::{Mono, UnixMs};
use crate::state::wish::{AlarmsKept, Wish};

/// Whose alarms are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The region that is watched.
    pub region: String,
    /// The account; while it is not known, every account of the region counts as ours.
    pub account_id: Option<String>,
}

impl Home {
    /// Whether an alarm is another account's or region's. What is not told is ours.
    fn is_foreign(&self, account_id: Option<&str>, region: Option<&str>) -> bool {
        let differs = |theirs: Option<&str>, ours: Option<&str>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => theirs != ours,
            _ => false,
        };
        differs(region, Some(&self.region)) || differs(account_id, self.account_id.as_deref())
    }
}

/// How and when a notification came.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Which way: never [`Via::Poll`].
    pub via: Via,
    /// When, on our own clock.
    pub now: Mono,
    /// When, by AWS's clock.
    pub aws_now: UnixMs,
}

/// What became of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is joined with what is held. One that is late changes no state.
    Taken(AlarmChanges),
    /// The config keeps no such alarm. The change may be told all the same, by its name; it is
    /// not remembered, so each of two notifications tells it.
    Off(Option<AlarmChange>),
    /// The config leaves this alarm out by name: nothing is told.
    Excluded,
    /// It is dated too far ahead of AWS's clock to be believed.
    Ahead,
}

impl Alarms {
    /// Takes a notification.
    pub fn push(
        &mut self,
        told: &PushedAlarm,
        heard: Heard,
        wish: &Wish,
        home: &Home,
        inventory: &Inventory,
    ) -> Pushed {
        if glob::any(&wish.alarm_exclude, &told.name) {
            return Pushed::Excluded;
        }
        if !is_believed(told.changed_at, heard.aws_now) {
            return Pushed::Ahead;
        }
        if wish.alarms == AlarmsKept::Off && !glob::any(&wish.alarm_include, &told.name) {
            return Pushed::Off(first_change(told, &told.name));
        }
        let fresh = merge::from_push(told, heard.via, self.is_foreign(told, home));
        let key = fresh.key();
        let mut out = AlarmChanges::default();
        match self.held.get_mut(&key) {
            Some(held) => {
                let before = held.alarm.clone();
                let change = merge::pushed(held, fresh, &key, heard.aws_now);
                out.changes.extend(change);
                held.hear(heard.now);
                if held.alarm.dimensions != before.dimensions {
                    merge::assign(&mut held.alarm, inventory);
                }
                if held.alarm != before {
                    out.touched.push(key);
                }
            }
            None => {
                out.removed.extend(self.make_room());
                out.changes.extend(first_change(told, &key));
                out.touched.push(key.clone());
                let mut held = Held::new(fresh, heard.now);
                held.told_at = Some(told.changed_at);
                held.previous_by_push = told.previous_state.is_some();
                held.pushed = true;
                merge::assign(&mut held.alarm, inventory);
                self.held.insert(key, held);
            }
        }
        Pushed::Taken(out)
    }

    /// Sorts the alarms that were only told of, once the account is known: what was taken for
    /// ours may be another's, and the other way round. What polls list is ours.
    pub fn settle_home(&mut self, home: &Home, inventory: &Inventory) -> AlarmChanges {
        let mut out = AlarmChanges::default();
        if home.account_id.is_none() {
            return out;
        }
        let moves = |_: &Id, held: &mut Held| {
            let alarm = &held.alarm;
            let foreign = home.is_foreign(alarm.account_id.as_deref(), alarm.region.as_deref());
            !alarm.listed && foreign != alarm.foreign
        };
        let moved: Vec<(Id, Held)> = self.held.extract_if(.., moves).collect();
        for (key, mut held) in moved {
            out.removed.push(key);
            held.alarm.foreign = !held.alarm.foreign;
            merge::assign(&mut held.alarm, inventory);
            let key = held.alarm.key();
            let there = self.held.get(&key).map(|there| &there.alarm);
            let stays = |there: &Alarm| there.listed || there.updated_at >= held.alarm.updated_at;
            if !there.is_some_and(stays) {
                out.touched.push(key.clone());
                self.held.insert(key, held);
            }
        }
        // One may have come to where another went from.
        out.removed.retain(|key| !self.held.contains_key(key));
        out
    }

    /// Drops what was never listed and has not been heard of for 24 h.
    pub fn expire(&mut self, now: Mono) -> Vec<Id> {
        let over = |_: &Id, held: &mut Held| !held.alarm.listed && held.kept_until <= now;
        let gone = self.held.extract_if(.., over);
        gone.map(|(key, _)| key).collect()
    }

    /// When [`Alarms::expire`] has something to do.
    pub fn next_expiry(&self) -> Option<Mono> {
        let unlisted = self.held.values().filter(|held| !held.alarm.listed);
        unlisted.map(|held| held.kept_until).min()
    }

    /// As long as our account is not known, the first account that tells of a name has it.
    fn is_foreign(&self, told: &PushedAlarm, home: &Home) -> bool {
        let (account, region) = (told.account_id.as_deref(), told.region.as_deref());
        if home.is_foreign(account, region) {
            return true;
        }
        let held = self.held.get(&told.name);
        let of = held.and_then(|held| held.alarm.account_id.as_deref());
        let taken = of.zip(account).is_some_and(|(held, told)| held != told);
        taken && home.account_id.is_none()
    }

    /// Makes room for one more that was never listed: the one heard of longest ago goes.
    fn make_room(&mut self) -> Option<Id> {
        let unlisted = || self.held.iter().filter(|(_, held)| !held.alarm.listed);
        if unlisted().count() < NEVER_LISTED_MAX {
            return None;
        }
        let oldest = unlisted().min_by_key(|(_, held)| held.kept_until)?;
        let oldest = oldest.0.clone();
        self.held.remove(&oldest);
        Some(oldest)
    }
}

impl Held {
    /// An alarm that is first seen now.
    pub(super) fn new(alarm: Alarm, now: Mono) -> Held {
        Held {
            alarm,
            absences: 0,
            heard: now,
            kept_until: now.after(NEVER_LISTED_KEPT),
            pushed: false,
            polled_at: None,
            told_at: None,
            previous_by_push: false,
        }
    }

    /// Heard of by push: it is there, whatever polls before this moment lacked.
    fn hear(&mut self, now: Mono) {
        self.absences = 0;
        self.heard = now;
        self.kept_until = now.after(NEVER_LISTED_KEPT);
        self.pushed = true;
    }
}

/// The change that a notification tells of an alarm that nobody knew.
fn first_change(told: &PushedAlarm, key: &Id) -> Option<AlarmChange> {
    let from = told.previous_state.clone();
    (from.as_ref() != Some(&told.state)).then(|| AlarmChange {
        name: key.clone(),
        from,
        to: told.state.clone(),
    })
}
