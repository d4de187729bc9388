//! The metrics of each resource over time: what is shown, what goes out as points, and since
//! when there is data.
//!
//! CloudWatch converges: a point may come minutes late, and one that came may be corrected.
//! So every poll asks again for the last quarter of an hour, a minute counts as final only
//! after `settle`, and each settled minute is told once, or again when it was revised.

mod told;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::answer::{Answer, Due, Part};
use super::history::{History, Hour};
use super::measure::{Measure, Resource};
use super::model::Id;
use super::reading::Reading;
use super::time::{Minute, UnixMs};
use told::Told;

/// How far behind the newest settled minute every poll looks for late and revised points.
pub const OVERLAP_MINUTES: i64 = 15;
/// How far back the first poll looks, and the one after an outage at the most.
pub const BACKFILL_MINUTES_MAX: i64 = 180;
/// Without data for this long a resource has `no_data`, and its ingest is idle.
pub const SILENCE_MINUTES: i64 = 180;
/// Data older than this, and than the polling interval besides, is late.
const LATE_AFTER: Duration = Duration::from_secs(600);

/// The newest minute that ended at least `settle` ago.
pub fn newest_settled(aws_now: UnixMs, settle: Duration) -> Minute {
    aws_now
        .plus_ms(-(settle.as_millis() as i64))
        .minute()
        .plus(-1)
}

/// When bytes came in at a channel or one of its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Newest settled minute with bytes.
    pub last: Option<Minute>,
    /// First minute of the run that `last` belongs to; `None` when it began before we looked.
    pub since: Option<Minute>,
}

impl Flow {
    /// Takes the settled minutes of one answer that begins at `first`, oldest first.
    fn extend(
        &mut self,
        first: Minute,
        minutes: impl Iterator<Item = (Minute, bool)>,
        lost_after: i64,
    ) {
        for (minute, flows) in minutes {
            if !flows || self.last.is_some_and(|last| last >= minute) {
                continue;
            }
            let silent_since = self.last.map_or(first, |last| last.plus(1));
            if minute.0 - silent_since.0 >= lost_after {
                self.since = Some(minute);
            }
            self.last = Some(minute);
        }
    }
}

/// How fresh the data of a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Newest data as young as can be expected.
    Current,
    /// Newest data older than ten minutes and the polling interval.
    Late,
    /// None for three hours.
    NoData,
}

impl Freshness {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Freshness::Current => "current",
            Freshness::Late => "late",
            Freshness::NoData => "no_data",
        }
    }
}

/// Sums over the settled minutes since the poll before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// How many minutes were summed.
    pub minutes: i64,
    /// Requests answered 4xx; `None` when no minute had a count.
    pub requests_4xx: Option<f64>,
    /// Requests answered 5xx.
    pub requests_5xx: Option<f64>,
}

/// What is known of one resource's metrics.
#[derive(Clone, Debug)]
pub struct Track {
    /// The newest settled minute.
    pub shown: Reading,
    /// Sums up to that minute.
    pub window: Window,
    /// The minute the window begins after.
    window_after: Minute,
    /// Newest minute with any data, settled or not.
    pub last_data: Option<Minute>,
    /// Newest minute whose point the broker has acknowledged.
    handed: Minute,
    /// Minutes that went out, by fingerprint.
    told: Told,
    /// Fingerprint of what is shown.
    fingerprint: u64,
    /// Which series the fingerprints are made of.
    asked: u64,
    /// Bytes into the channel.
    pub ingress: Flow,
    /// Bytes into each of its inputs.
    pub inputs: Vec<(Id, Flow)>,
    /// What the payload last said of its freshness.
    pub freshness: Freshness,
}

/// The limits that the rules of a [`Track`] take from the config.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// AWS's time now.
    pub now: UnixMs,
    /// The effective time between two polls.
    pub interval: Duration,
    /// After so many silent minutes ingest counts as lost, and what comes then as a new run.
    pub lost_after_minutes: i64,
}

/// Whether data this old is fresh enough.
pub fn freshness(last_data: Option<Minute>, pace: Pace) -> Freshness {
    let Some(last) = last_data else {
        return Freshness::NoData;
    };
    let age_ms = pace.now.0 - last.plus(1).start().0;
    if age_ms > SILENCE_MINUTES * 60_000 {
        Freshness::NoData
    } else if age_ms > (LATE_AFTER + pace.interval).as_millis() as i64 {
        Freshness::Late
    } else {
        Freshness::Current
    }
}

/// The metrics of all resources.
#[derive(Clone, Debug, Default)]
pub struct Tracks {
    /// Each in a box of its own: a map's nodes are half empty, and a track is large.
    tracks: BTreeMap<Resource, Box<Track>>,
    /// Watermarks that the broker's store remembers from before this process.
    adopted: BTreeMap<Resource, Minute>,
    /// The last hour of each channel, where somebody may look at it.
    histories: Option<BTreeMap<Id, Box<History>>>,
}

impl Tracks {
    /// None yet, which keep the last hour of each channel.
    pub fn with_histories() -> Tracks {
        Tracks {
            histories: Some(BTreeMap::new()),
            ..Tracks::default()
        }
    }

    /// The last hour of a channel, if it is kept and there was an answer.
    pub fn hour(&self, channel: &str) -> Option<Hour> {
        let history = self.histories.as_ref()?.get(channel)?;
        Some(history.hour())
    }

    /// What is known of one resource.
    pub fn get(&self, resource: &Resource) -> Option<&Track> {
        self.tracks.get(resource).map(Box::as_ref)
    }

    /// All resources that have been answered.
    pub fn iter(&self) -> impl Iterator<Item = (&Resource, &Track)> {
        let tracks = self.tracks.iter();
        tracks.map(|(resource, track)| (resource, &**track))
    }

    /// Resources that show a minute whose point has not been taken.
    pub fn behind(&self) -> Vec<Resource> {
        let behind = |track: &Track| track.handed < track.shown.minute;
        let tracks = self.tracks.iter().filter(|(_, track)| behind(track));
        tracks.map(|(resource, _)| resource.clone()).collect()
    }

    /// Forgets a resource that is gone.
    pub fn forget(&mut self, resource: &Resource) {
        self.tracks.remove(resource);
        self.adopted.remove(resource);
        if let (Some(histories), Resource::Channel(id)) = (&mut self.histories, resource) {
            histories.remove(id);
        }
    }

    /// Takes a watermark from the broker's store. It may come after the first answer, but before
    /// anything has gone out. One ahead of the newest settled minute is not believed; which that
    /// is only an answer tells, since our clock may not be set yet.
    pub fn adopt(&mut self, resource: Resource, minute: Minute) {
        match self.tracks.get_mut(&resource) {
            Some(track) if track.told.is_empty() && minute <= track.shown.minute => {
                track.handed = minute.max(track.shown.minute.plus(-BACKFILL_MINUTES_MAX));
            }
            Some(_) => {}
            None => drop(self.adopted.insert(resource, minute)),
        }
    }

    /// First minute to ask for, so that no minute is missed of any of `resources`.
    pub fn first_to_ask<'a>(
        &self,
        resources: impl Iterator<Item = &'a Resource>,
        newest: Minute,
    ) -> Minute {
        let oldest = newest.plus(-BACKFILL_MINUTES_MAX);
        let from = |r: &Resource| match self.tracks.get(r).map(|t| t.handed) {
            Some(handed) => handed.min(newest).plus(1 - OVERLAP_MINUTES),
            None => oldest,
        };
        resources.map(from).min().unwrap_or(newest).max(oldest)
    }

    /// Takes an answered batch: updates what is shown and tells the minutes that have to go
    /// out, oldest first.
    pub fn apply(&mut self, answer: &Answer, pace: Pace) -> Vec<Due> {
        for part in answer.parts() {
            self.update(answer, part, pace);
            self.note_history(answer, part);
        }
        let tracks: Vec<Option<&Track>> = answer
            .parts()
            .iter()
            .map(|part| self.get(&part.resource))
            .collect();
        let mut due = Vec::new();
        for minute in answer.settled() {
            for (at, track) in tracks.iter().enumerate() {
                let fingerprint = || answer.fingerprint(&answer.parts()[at], minute);
                let revised = track.and_then(|track| track.is_due(minute, fingerprint));
                due.extend(revised.map(|revised| Due {
                    minute,
                    part: at,
                    revised,
                }));
            }
        }
        due
    }

    fn update(&mut self, answer: &Answer, part: &Part, pace: Pace) {
        let shown = Shown {
            reading: answer.reading(part, answer.newest),
            fingerprint: answer.fingerprint(part, answer.newest),
            asked: answer.asked(part),
        };
        let newest = answer.newest;
        let track = match self.tracks.entry(part.resource.clone()) {
            Entry::Vacant(vacant) => {
                let handed = self.adopted.remove(&part.resource);
                let handed = handed.filter(|minute| *minute <= newest);
                let handed = handed.unwrap_or(newest.plus(-1));
                let handed = handed.max(newest.plus(-BACKFILL_MINUTES_MAX));
                vacant.insert(Box::new(Track::new(shown, handed)))
            }
            Entry::Occupied(occupied) => {
                let track = occupied.into_mut();
                track.heed_what_is_asked(answer, part, shown.asked);
                if newest >= track.shown.minute {
                    track.show(shown);
                }
                track
            }
        };
        if newest >= track.shown.minute {
            track.sum(answer, part);
        }
        track.last_data = track.last_data.max(answer.last_data(part));
        track.freshness = freshness(track.last_data, pace);
        track.follow_flow(answer, part, pace.lost_after_minutes);
    }

    fn note_history(&mut self, answer: &Answer, part: &Part) {
        if let (Some(histories), Resource::Channel(id)) = (&mut self.histories, &part.resource) {
            let fresh = || Box::new(History::new(answer.newest));
            let history = histories.entry(id.clone()).or_insert_with(fresh);
            history.take(answer.columns(part), answer.newest);
        }
    }

    /// Notes that the broker has taken a point.
    pub fn handed_out(&mut self, resource: &Resource, minute: Minute, fingerprint: u64) {
        if let Some(track) = self.tracks.get_mut(resource) {
            track.handed = track.handed.max(minute);
            track.told.remember(minute, fingerprint);
        }
    }

    /// Judges the freshness of everything anew; tells whose changed.
    pub fn review(&mut self, pace: Pace) -> Vec<Resource> {
        let mut changed = Vec::new();
        for (resource, track) in &mut self.tracks {
            let now = freshness(track.last_data, pace);
            if now != track.freshness {
                track.freshness = now;
                changed.push(resource.clone());
            }
        }
        changed
    }
}

/// The newest settled minute of an answer.
struct Shown {
    reading: Reading,
    fingerprint: u64,
    asked: u64,
}

impl Track {
    fn new(shown: Shown, handed: Minute) -> Track {
        Track {
            window: Window::default(),
            window_after: handed,
            shown: shown.reading,
            fingerprint: shown.fingerprint,
            asked: shown.asked,
            last_data: None,
            handed,
            told: Told::default(),
            ingress: Flow::default(),
            inputs: Vec::new(),
            freshness: Freshness::NoData,
        }
    }

    /// Moves on to a newer minute, or corrects the one that is shown.
    fn show(&mut self, shown: Shown) {
        let mut reading = shown.reading;
        if reading.minute > self.shown.minute {
            self.window_after = self.shown.minute;
        } else {
            reading.revised = self.shown.revised || shown.fingerprint != self.fingerprint;
        }
        self.shown = reading;
        self.fingerprint = shown.fingerprint;
    }

    /// A series that is asked for the first time, or no more, is no revision of past minutes:
    /// they are remembered as they look now.
    fn heed_what_is_asked(&mut self, answer: &Answer, part: &Part, asked: u64) {
        if asked == self.asked {
            return;
        }
        self.asked = asked;
        self.told.renew(|minute| answer.fingerprint(part, minute));
        self.fingerprint = answer.fingerprint(part, self.shown.minute);
    }

    /// Sums the status counts over the minutes since the poll before.
    fn sum(&mut self, answer: &Answer, part: &Part) {
        let mut window = Window::default();
        let minutes = answer.settled().filter(|m| *m > self.window_after);
        for minute in minutes {
            let reading = answer.reading(part, minute);
            window.minutes += 1;
            add(&mut window.requests_4xx, reading.by_status[2]);
            add(&mut window.requests_5xx, reading.by_status[3]);
        }
        self.window = window;
    }

    /// Follows the bytes that came in, settled minutes only.
    fn follow_flow(&mut self, answer: &Answer, part: &Part, lost_after: i64) {
        for (measure, column) in answer.columns(part) {
            let flow = match measure {
                Measure::IngressBytes => &mut self.ingress,
                Measure::InputBytes(id) => {
                    let known = self.inputs.iter().position(|(input, _)| input == id);
                    let known = known.unwrap_or_else(|| {
                        self.inputs.push((id.clone(), Flow::default()));
                        self.inputs.len() - 1
                    });
                    &mut self.inputs[known].1
                }
                _ => continue,
            };
            let minutes = column.values.iter().enumerate().map(|(row, value)| {
                (
                    column.first.plus(row as i64),
                    value.is_finite() && *value > 0.0,
                )
            });
            let settled = minutes.filter(|(minute, _)| *minute <= answer.newest);
            flow.extend(column.first, settled, lost_after);
        }
    }

    /// `Some(revised)` when the minute has to go out.
    fn is_due(&self, minute: Minute, fingerprint: impl Fn() -> u64) -> Option<bool> {
        if minute > self.handed {
            return Some(false);
        }
        self.told.differs(minute, fingerprint).then_some(true)
    }
}

fn add(sum: &mut Option<f64>, value: Option<f64>) {
    if let Some(value) = value {
        *sum = Some(sum.unwrap_or(0.0) + value);
    }
}
