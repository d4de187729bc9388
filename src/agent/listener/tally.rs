//! Counts refusals, so that a flood of them is a trickle for the engine.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Event;
use crate::state::alarms::Via;
use crate::state::push::{Reason, Refusals};

/// The engine is told at most this often.
const TELL_INTERVAL: Duration = Duration::from_millis(250);

/// What was refused and not told yet. Reasons and topics are few, so this is bounded.
type Counts = BTreeMap<(Reason, Option<String>), u64>;

/// Counts for all threads of the listener.
pub struct Tally {
    counts: Mutex<(Counts, Option<Instant>)>,
    events: SyncSender<Event>,
}

impl Tally {
    /// Tells through `events`.
    pub fn new(events: SyncSender<Event>) -> Tally {
        Tally {
            counts: Mutex::default(),
            events,
        }
    }

    /// Counts one. The engine hears of it at once, unless it has just been told of others: then
    /// it asks by itself ([`Tally::take`]).
    pub fn add(&self, reason: Reason, topic_arn: Option<String>) {
        let mut inside = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, told) = &mut *inside;
        *counts.entry((reason, topic_arn)).or_default() += 1;
        if told.is_some_and(|told| told.elapsed() < TELL_INTERVAL) {
            return;
        }
        *told = Some(Instant::now());
        let event = Event::Refused(refusals(std::mem::take(counts)));
        // Whoever refuses never waits for the engine.
        if let Err(TrySendError::Full(Event::Refused(back))) = self.events.try_send(event) {
            for refusals in back {
                let key = (refusals.reason, refusals.topic_arn);
                *counts.entry(key).or_default() += refusals.count;
            }
        }
    }

    /// What has not been told.
    pub fn take(&self) -> Option<Vec<Refusals>> {
        let mut inside = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = std::mem::take(&mut inside.0);
        (!counts.is_empty()).then(|| refusals(counts))
    }
}

fn refusals(counts: Counts) -> Vec<Refusals> {
    let all = counts.into_iter();
    let row = |((reason, topic_arn), count)| Refusals {
        via: Via::Sns,
        reason,
        topic_arn,
        count,
        example: None,
    };
    all.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_flood_is_told_once_and_nothing_of_it_is_lost() {
        let (events, inbox) = sync_channel(1);
        let tally = Tally::new(events);
        (0..1000).for_each(|_| tally.add(Reason::Signature, Some("t".into())));
        tally.add(Reason::Path, None);
        let told: Vec<Refusals> = inbox
            .try_iter()
            .flat_map(|event| match event {
                Event::Refused(refusals) => refusals,
                other => panic!("{other:?}"),
            })
            .collect();
        let rest = tally.take().unwrap();
        let all = told.iter().chain(&rest);
        let of = |reason| {
            let of_reason = all.clone().filter(|r| r.reason == reason);
            of_reason.map(|r| r.count).sum::<u64>()
        };
        assert_eq!((of(Reason::Signature), of(Reason::Path)), (1000, 1));
        assert_eq!(tally.take(), None);
    }
}
