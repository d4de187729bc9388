//! The metrics of each resource over time: what is shown, what goes out as points, and since
//! when there is data.
//!
//! CloudWatch converges: a point may come minutes late, and one that came may be corrected.
//! So every poll asks again for the last quarter of an hour, a minute counts as final only
//! after `settle`, and each settled minute is told once, or again when it was revised.

use std::collections::BTreeMap;
use std::time::Duration;

use heapless::HistoryBuf;

use super::catalogue::Series;
use super::measure::{Measure, Resource};
use super::model::Id;
use super::polled::Column;
use super::reading::Reading;
use super::time::{Minute, UnixMs};

/// How far behind the newest settled minute every poll looks for late and revised points.
pub const OVERLAP_MINUTES: i64 = 15;
/// How far back the first poll looks, and the one after an outage at the most.
pub const BACKFILL_MINUTES_MAX: i64 = 180;
/// Without data for this long a resource has `no_data`, and its ingest is idle.
pub const SILENCE_MINUTES: i64 = 180;
/// Data older than this, and than the polling interval besides, is late.
const LATE_AFTER: Duration = Duration::from_secs(600);
/// Minutes remembered to tell a revision: the overlap, and room for polls that come early.
const REMEMBERED_MINUTES: usize = 20;

/// The newest minute that ended at least `settle` ago.
pub fn newest_settled(aws_now: UnixMs, settle: Duration) -> Minute {
    aws_now
        .plus_ms(-(settle.as_millis() as i64))
        .minute()
        .plus(-1)
}

/// One answered batch: whole channels with their endpoints, over one window.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked, in the order of `columns`; the series of a resource stand together.
    pub series: Vec<Series>,
    /// What was answered.
    pub columns: Vec<Column>,
    /// First minute of the window.
    pub first: Minute,
    /// Newest minute that was settled when the question was put.
    pub newest: Minute,
}

impl Answer {
    /// Each resource with its range of series.
    fn resources(&self) -> Vec<(Resource, std::ops::Range<usize>)> {
        let mut found: Vec<(Resource, std::ops::Range<usize>)> = Vec::new();
        for (at, series) in self.series.iter().enumerate() {
            match found.last_mut() {
                Some((resource, range)) if *resource == series.resource => range.end = at + 1,
                _ => found.push((series.resource.clone(), at..at + 1)),
            }
        }
        found
    }

    fn value(&self, at: usize, minute: Minute) -> Option<f64> {
        let column = self.columns.get(at)?;
        let row = usize::try_from(minute.0 - column.first.0).ok()?;
        column.values.get(row).copied().filter(|v| v.is_finite())
    }

    fn reading(&self, range: std::ops::Range<usize>, minute: Minute) -> Reading {
        let mut reading = Reading {
            minute,
            ..Reading::default()
        };
        for at in range {
            reading.set(&self.series[at].measure, self.value(at, minute));
        }
        reading
    }

    /// Newest minute, settled or not, in which any series of the range has a point.
    fn last_data(&self, range: std::ops::Range<usize>) -> Option<Minute> {
        let newest = |at: usize| {
            let column = &self.columns[at];
            let row = column.values.iter().rposition(|v| v.is_finite())?;
            Some(column.first.plus(row as i64))
        };
        range.filter_map(newest).max()
    }
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
    handed: Option<Minute>,
    /// Minutes that went out, by fingerprint.
    told: HistoryBuf<(Minute, u64), REMEMBERED_MINUTES>,
    /// Bytes into the channel.
    pub ingress: Flow,
    /// Bytes into each of its inputs.
    pub inputs: Vec<(Id, Flow)>,
    /// What the payload last said of its freshness.
    pub freshness: Freshness,
}

/// One minute of one resource that has to go out.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Whose.
    pub resource: Resource,
    /// The minute's values; `revised` when it went out before with others.
    pub reading: Reading,
    /// What it says of freshness.
    pub freshness: Freshness,
    /// What it says of the newest data.
    pub last_data: Option<Minute>,
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
    tracks: BTreeMap<Resource, Track>,
    /// Watermarks that the broker's store remembers from before this process.
    adopted: BTreeMap<Resource, Minute>,
}

impl Tracks {
    /// What is known of one resource.
    pub fn get(&self, resource: &Resource) -> Option<&Track> {
        self.tracks.get(resource)
    }

    /// All resources that have been answered.
    pub fn iter(&self) -> impl Iterator<Item = (&Resource, &Track)> {
        self.tracks.iter()
    }

    /// Forgets a resource that is gone.
    pub fn forget(&mut self, resource: &Resource) {
        self.tracks.remove(resource);
        self.adopted.remove(resource);
    }

    /// Takes a watermark from the broker's store; `newest` bounds what can be believed.
    pub fn adopt(&mut self, resource: Resource, minute: Minute, newest: Minute) {
        if minute <= newest && !self.tracks.contains_key(&resource) {
            self.adopted.insert(resource, minute);
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
            Some(Some(handed)) => handed.min(newest).plus(1 - OVERLAP_MINUTES),
            Some(None) | None => oldest,
        };
        resources.map(from).min().unwrap_or(oldest).max(oldest)
    }

    /// Takes an answered batch: updates what is shown and tells the points that are due,
    /// oldest first.
    pub fn apply(&mut self, answer: &Answer, pace: Pace) -> Vec<Point> {
        let resources = answer.resources();
        let mut points = Vec::new();
        let mut minute = answer.first;
        let mut due: Vec<(Minute, usize)> = Vec::new();
        while minute <= answer.newest {
            due.extend((0..resources.len()).map(|at| (minute, at)));
            minute = minute.plus(1);
        }
        for (resource, range) in &resources {
            self.update(answer, resource, range.clone(), &resources, pace);
        }
        for (minute, at) in due {
            let (resource, range) = &resources[at];
            let Some(track) = self.tracks.get(resource) else {
                continue;
            };
            if !track.may_be_due(minute) {
                continue;
            }
            let mut reading = read(answer, resource, range.clone(), &resources, minute);
            if let Some(revised) = track.is_due(&reading) {
                reading.revised = revised;
                let (freshness, last_data) = (track.freshness, track.last_data);
                points.push(Point {
                    resource: resource.clone(),
                    reading,
                    freshness,
                    last_data,
                });
            }
        }
        points
    }

    fn update(
        &mut self,
        answer: &Answer,
        resource: &Resource,
        range: std::ops::Range<usize>,
        all: &[(Resource, std::ops::Range<usize>)],
        pace: Pace,
    ) {
        let shown = read(answer, resource, range.clone(), all, answer.newest);
        let before = self.tracks.remove(resource);
        let known = before.is_some();
        let mut track = before.unwrap_or_else(|| {
            let handed = self
                .adopted
                .remove(resource)
                .unwrap_or(answer.newest.plus(-1));
            Track::new(
                shown.clone(),
                handed.max(answer.newest.plus(-BACKFILL_MINUTES_MAX)),
            )
        });
        if known && shown.minute >= track.shown.minute {
            track.show(shown);
        }
        if answer.newest >= track.shown.minute {
            track.sum(answer, range.clone());
        }
        track.last_data = track.last_data.max(answer.last_data(range.clone()));
        track.freshness = freshness(track.last_data, pace);
        track.follow_flow(answer, range, pace.lost_after_minutes);
        self.tracks.insert(resource.clone(), track);
    }

    /// Notes that the broker has taken a point.
    pub fn handed_out(&mut self, resource: &Resource, minute: Minute, fingerprint: u64) {
        if let Some(track) = self.tracks.get_mut(resource) {
            track.handed = track.handed.max(Some(minute));
            track.told.write((minute, fingerprint));
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

impl Track {
    fn new(shown: Reading, handed: Minute) -> Track {
        Track {
            window: Window::default(),
            window_after: handed.max(shown.minute.plus(-BACKFILL_MINUTES_MAX)),
            shown,
            last_data: None,
            handed: Some(handed),
            told: HistoryBuf::new(),
            ingress: Flow::default(),
            inputs: Vec::new(),
            freshness: Freshness::NoData,
        }
    }

    /// Moves on to a newer minute, or corrects the one that is shown.
    fn show(&mut self, mut reading: Reading) {
        if reading.minute > self.shown.minute {
            self.window_after = self.shown.minute;
        } else {
            reading.revised =
                self.shown.revised || reading.fingerprint() != self.shown.fingerprint();
        }
        self.shown = reading;
    }

    /// Sums the status counts over the minutes since the poll before.
    fn sum(&mut self, answer: &Answer, range: std::ops::Range<usize>) {
        let first = self.window_after.plus(1).max(answer.first);
        let mut window = Window {
            minutes: 0,
            requests_4xx: None,
            requests_5xx: None,
        };
        let mut minute = first;
        while minute <= self.shown.minute {
            let reading = answer.reading(range.clone(), minute);
            window.minutes += 1;
            add(&mut window.requests_4xx, reading.by_status[2]);
            add(&mut window.requests_5xx, reading.by_status[3]);
            minute = minute.plus(1);
        }
        self.window = window;
    }

    /// Follows the bytes that came in, settled minutes only.
    fn follow_flow(&mut self, answer: &Answer, range: std::ops::Range<usize>, lost_after: i64) {
        for at in range {
            let flow = match &answer.series[at].measure {
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
            let column = &answer.columns[at];
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

    /// Whether a minute can be due at all: newer than what went out, or remembered.
    fn may_be_due(&self, minute: Minute) -> bool {
        self.handed.is_none_or(|handed| minute > handed)
            || self.told.oldest_ordered().any(|(told, _)| *told == minute)
    }

    /// `Some(revised)` when the minute has to go out.
    fn is_due(&self, reading: &Reading) -> Option<bool> {
        let told = self
            .told
            .oldest_ordered()
            .filter(|(minute, _)| *minute == reading.minute);
        match told.last() {
            Some((_, fingerprint)) => (*fingerprint != reading.fingerprint()).then_some(true),
            None => self
                .handed
                .is_none_or(|handed| reading.minute > handed)
                .then_some(false),
        }
    }
}

fn add(sum: &mut Option<f64>, value: Option<f64>) {
    if let Some(value) = value {
        *sum = Some(sum.unwrap_or(0.0) + value);
    }
}

/// A minute of a resource. Which input is active is told by the channel's endpoints.
fn read(
    answer: &Answer,
    resource: &Resource,
    range: std::ops::Range<usize>,
    all: &[(Resource, std::ops::Range<usize>)],
    minute: Minute,
) -> Reading {
    let mut reading = answer.reading(range, minute);
    if !resource.is_channel() || reading.inputs.is_empty() {
        return reading;
    }
    let own = all
        .iter()
        .position(|(r, _)| r == resource)
        .unwrap_or(all.len());
    let endpoints = all
        .iter()
        .skip(own + 1)
        .take_while(|(r, _)| !r.is_channel());
    for (_, range) in endpoints {
        for at in range.clone() {
            let Measure::ActiveInput(id) = &answer.series[at].measure else {
                continue;
            };
            let value = answer.value(at, minute);
            let Some(input) = reading.inputs.iter_mut().find(|input| input.id == *id) else {
                continue;
            };
            if let Some(value) = value {
                input.active = Some(input.active.unwrap_or(false) || value > 0.0);
            }
        }
    }
    reading
}
