//! One alarm as polls and notifications tell it, and which of the two is newer.

use std::cmp::Ordering;

use super::{Alarm, AlarmChange, Held, Via};
use crate::state::catalogue::Lookup;
use crate::state::inventory::Inventory;
use crate::state::model::Id;
use crate::state::polled::PolledAlarm;
use crate::state::push::PushedAlarm;
use crate::state::time::UnixMs;

/// A state change further ahead of AWS's clock than this is not believed.
const AHEAD_MS_MAX: i64 = 15 * 60_000;
/// Two notifications of the same state within this are one change told twice: no alarm is
/// evaluated more often than every ten seconds.
const SAME_CHANGE_MS: i64 = 1_000;

/// Whether a state can have changed then.
pub(super) fn is_believed(at: UnixMs, aws_now: UnixMs) -> bool {
    at.0.saturating_sub(aws_now.0) <= AHEAD_MS_MAX
}

pub(super) fn from_poll(row: PolledAlarm, lookup: &Lookup) -> Alarm {
    let (channel_id, endpoint_id) = lookup.owners(&row.dimensions);
    // arn:partition:cloudwatch:region:account:alarm:name
    let mut parts = row.arn.split(':').skip(3).map(str::to_owned);
    let (region, account_id) = (parts.next(), parts.next());
    Alarm {
        name: row.name,
        arn: row.arn,
        account_id: account_id.filter(|part| !part.is_empty()),
        region: region.filter(|part| !part.is_empty()),
        foreign: false,
        kind: row.kind,
        state: row.state,
        previous_state: None,
        reason: row.reason,
        description: row.description,
        updated_at: row.updated_at,
        namespace: row.namespace,
        metric: row.metric,
        dimensions: row.dimensions,
        channel_id,
        endpoint_id,
        threshold: row.threshold,
        comparison: row.comparison,
        actions_enabled: row.actions_enabled,
        actions_suppressed: row.actions_suppressed,
        listed: true,
        source: Via::Poll,
    }
}

/// A notification as an alarm that no poll has shown, not yet assigned to a channel.
pub(super) fn from_push(told: &PushedAlarm, via: Via, foreign: bool) -> Alarm {
    Alarm {
        name: told.name.clone(),
        arn: told.arn.clone(),
        account_id: told.account_id.clone(),
        region: told.region.clone(),
        foreign,
        kind: told.kind,
        state: told.state.clone(),
        previous_state: told.previous_state.clone(),
        reason: told.reason.clone(),
        description: told.description.clone(),
        updated_at: Some(told.changed_at),
        namespace: told.namespace.clone(),
        metric: told.metric.clone(),
        dimensions: told.dimensions.clone(),
        channel_id: None,
        endpoint_id: None,
        threshold: told.threshold,
        comparison: told.comparison.clone(),
        actions_enabled: None,
        actions_suppressed: None,
        listed: false,
        source: via,
    }
}

/// Assigns an alarm to the channel and endpoint that it is about. One of another account or
/// region is about theirs, whatever they are called.
pub(super) fn assign(alarm: &mut Alarm, inventory: &Inventory) {
    (alarm.channel_id, alarm.endpoint_id) = match alarm.foreign || alarm.dimensions.is_empty() {
        true => (None, None),
        false => Lookup::new(inventory).owners(&alarm.dimensions),
    };
}

/// The polled row joined with what is held: the newer state wins, at a tie the poll's.
pub(super) fn polled(held: &mut Held, fresh: Alarm, aws_now: UnixMs) {
    let fresh_at = fresh.updated_at;
    let before = held.alarm.state.clone();
    held.alarm = merged(&held.alarm, fresh, aws_now);
    held.polled_at = fresh_at;
    if held.alarm.state != before {
        held.told_at = fresh_at;
        held.previous_by_push = false;
    }
}

fn merged(held: &Alarm, fresh: Alarm, aws_now: UnixMs) -> Alarm {
    let believed = held.updated_at.filter(|at| is_believed(*at, aws_now));
    let held_is_newer = match (believed, fresh.updated_at) {
        (Some(held), Some(fresh)) => held > fresh,
        _ => false,
    };
    if held_is_newer {
        return Alarm {
            state: held.state.clone(),
            previous_state: held.previous_state.clone(),
            reason: held.reason.clone(),
            updated_at: held.updated_at,
            source: held.source,
            ..fresh
        };
    }
    let same_change = believed == fresh.updated_at && held.state == fresh.state;
    let (previous_state, source) = match same_change {
        true => (held.previous_state.clone(), held.source),
        false if held.state != fresh.state => (Some(held.state.clone()), Via::Poll),
        false => (held.previous_state.clone(), Via::Poll),
    };
    Alarm {
        previous_state,
        source,
        ..fresh
    }
}

/// How a notification stands to what is held.
enum Standing {
    /// It tells a newer state.
    Newer,
    /// It tells the change that is shown.
    Same,
    /// It is late, or a poll of the same moment has decided otherwise.
    Older,
}

/// Notifications of one moment have a fixed order, so that they end the same whichever comes
/// first: ALARM beats INSUFFICIENT_DATA, that OK, that what AWS adds later, those by name.
fn rank(state: &str) -> (u8, &str) {
    let severity = match state {
        "ALARM" => 3,
        "INSUFFICIENT_DATA" => 2,
        "OK" => 1,
        _ => 0,
    };
    (severity, state)
}

fn standing(held: &Held, fresh: &Alarm, aws_now: UnixMs) -> Standing {
    let believed = held.alarm.updated_at.filter(|at| is_believed(*at, aws_now));
    let (Some(held_at), Some(at)) = (believed, fresh.updated_at) else {
        return Standing::Newer;
    };
    let decided = held.polled_at == Some(at);
    match at.cmp(&held_at) {
        Ordering::Greater => Standing::Newer,
        Ordering::Equal if fresh.state == held.alarm.state => Standing::Same,
        Ordering::Equal if !decided && rank(&fresh.state) > rank(&held.alarm.state) => {
            Standing::Newer
        }
        Ordering::Equal | Ordering::Less => Standing::Older,
    }
}

/// A notification joined with what is held; tells the change that has not been told yet.
pub(super) fn pushed(
    held: &mut Held,
    fresh: Alarm,
    key: &Id,
    aws_now: UnixMs,
) -> Option<AlarmChange> {
    let standing = standing(held, &fresh, aws_now);
    let change = change(held, &fresh, &standing).map(|from| AlarmChange {
        name: key.clone(),
        from: Some(from),
        to: fresh.state.clone(),
    });
    if change.is_some() {
        held.told_at = fresh.updated_at;
    }
    let is_late = matches!(standing, Standing::Older);
    match standing {
        Standing::Newer => {
            held.previous_by_push = fresh.previous_state.is_some();
            let alarm = &mut held.alarm;
            let known = match alarm.state == fresh.state {
                true => alarm.previous_state.take(),
                false => Some(std::mem::take(&mut alarm.state)),
            };
            alarm.previous_state = fresh.previous_state.clone().or(known);
            alarm.state.clone_from(&fresh.state);
            alarm.reason.clone_from(&fresh.reason);
            (alarm.updated_at, alarm.source) = (fresh.updated_at, fresh.source);
        }
        Standing::Same => {
            let before = held.alarm.previous_state.take();
            held.alarm.previous_state = match held.previous_by_push {
                true => before.max(fresh.previous_state.clone()),
                false => fresh.previous_state.clone().or(before),
            };
            held.previous_by_push |= fresh.previous_state.is_some();
            fill(&mut held.alarm.reason, &fresh.reason);
        }
        Standing::Older => {}
    }
    configure(&mut held.alarm, fresh, is_late);
    change
}

/// The state before, when the notification brings news. A change back and forth between two
/// things that we heard is one: the state is the same, and yet it has changed.
fn change(held: &Held, fresh: &Alarm, standing: &Standing) -> Option<String> {
    let told_before = || {
        let told = held.told_at.zip(fresh.updated_at);
        told.is_some_and(|(told, at)| at.0.saturating_sub(told.0) <= SAME_CHANGE_MS)
    };
    match standing {
        Standing::Older => None,
        Standing::Newer if fresh.state != held.alarm.state => Some(held.alarm.state.clone()),
        Standing::Newer | Standing::Same => {
            let before = fresh.previous_state.as_ref();
            let changed = before.filter(|before| **before != fresh.state);
            changed.filter(|_| !told_before()).cloned()
        }
    }
}

/// Polls know a listed alarm's configuration; a notification fills what they left open. Of one
/// that was never listed the newest notification knows most.
fn configure(alarm: &mut Alarm, fresh: Alarm, is_late: bool) {
    if !alarm.listed && !is_late {
        alarm.kind = fresh.kind;
        for (ours, theirs) in [
            (&mut alarm.description, &fresh.description),
            (&mut alarm.namespace, &fresh.namespace),
            (&mut alarm.metric, &fresh.metric),
            (&mut alarm.comparison, &fresh.comparison),
        ] {
            if theirs.is_some() {
                ours.clone_from(theirs);
            }
        }
        alarm.threshold = fresh.threshold.or(alarm.threshold);
        if !fresh.dimensions.is_empty() {
            alarm.dimensions.clone_from(&fresh.dimensions);
        }
    }
    fill(&mut alarm.account_id, &fresh.account_id);
    fill(&mut alarm.region, &fresh.region);
    fill(&mut alarm.description, &fresh.description);
    fill(&mut alarm.namespace, &fresh.namespace);
    fill(&mut alarm.metric, &fresh.metric);
    fill(&mut alarm.comparison, &fresh.comparison);
    fill(&mut alarm.threshold, &fresh.threshold);
    if alarm.arn.is_empty() {
        alarm.arn = fresh.arn;
    }
    if alarm.dimensions.is_empty() {
        alarm.dimensions = fresh.dimensions;
    }
}

fn fill<T: Clone>(ours: &mut Option<T>, theirs: &Option<T>) {
    if ours.is_none() {
        ours.clone_from(theirs);
    }
}
