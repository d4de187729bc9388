//! What v2 tells only of a resource that is got by itself, and which resource to get next.
//!
//! A listing has neither tags nor ingest endpoints. So each resource is got when it is new and
//! when the listing shows a later change of it; and since a change of tags alone moves no
//! date, all of them are swept slowly besides. One batch at a time: [`Details::next`] hands it
//! out, [`Details::took`] and [`Details::failed`] bring the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fault::FaultKind;
use super::model::{Channel, ChannelGroup, Detail, Endpoint};
use super::polled::{
    Detailed, Got, Inventory, Known, Listed, Listing, RESOURCES_MAX, Resource, Row,
};
use super::time::{Mono, UnixMs};

/// Resources of one batch. With [`BATCH_PAUSE`] at most ten are asked for in a second.
pub const BATCH_MAX: usize = 10;
/// From the beginning of one batch to that of the next.
pub const BATCH_PAUSE: Duration = Duration::from_secs(1);
/// How often each resource is got when nothing else asks for it.
pub const SWEEP: Duration = Duration::from_secs(30 * 60);
/// How long a resource that could not be got is left alone; doubles up to [`SWEEP`].
const RETRY_FIRST: Duration = Duration::from_secs(30);
/// How long all are left alone after a failure that has nothing to do with the resource;
/// doubles up to [`REST_MAX`].
const REST_FIRST: Duration = Duration::from_secs(5);
const REST_MAX: Duration = Duration::from_secs(300);
/// A listing and a resource got by itself may round the same date differently.
const ROUNDING_MS: i64 = 1000;

/// Where a resource waits. It is in the set of that name, or in `asked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To be got as soon as possible from this moment on.
    Wanted(Mono),
    /// Got at this moment; the sweep comes by.
    Swept(Mono),
    /// Part of the batch that is out, and what the listing said then.
    Asked(Option<UnixMs>),
}

#[derive(Clone, Debug)]
struct Held {
    /// When it was changed last, says the listing.
    listed: Option<UnixMs>,
    /// The change that is known in detail.
    known: Option<UnixMs>,
    detail: Option<Detail>,
    place: Place,
    /// In a row.
    failures: u32,
    /// Whether it was ever answered for, well or not.
    tried: bool,
}

impl Held {
    fn is_changed(&self) -> bool {
        self.listed > self.known
    }
}

/// The details held, and the order of getting them.
#[derive(Clone, Debug, Default)]
pub struct Details {
    held: BTreeMap<Resource, Held>,
    wanted: BTreeSet<(Mono, Resource)>,
    swept: BTreeSet<(Mono, Resource)>,
    asked: BTreeSet<Resource>,
    /// When the last batch went out.
    batch_at: Option<Mono>,
    /// The last turn of the sweep.
    swept_at: Option<Mono>,
    /// Nothing is asked for before.
    rest_until: Mono,
    /// Failures in a row that concerned all.
    rests: u32,
}

impl Details {
    /// Takes a complete listing: what is new or changed is wanted, what it lacks is forgotten.
    /// Of more than [`RESOURCES_MAX`] the rest is passed over.
    pub fn listed(&mut self, listing: &Listing, now: Mono) {
        self.swept_at.get_or_insert(now);
        let rows: BTreeMap<&Resource, _> = listing.rows().take(RESOURCES_MAX).collect();
        let gone: Vec<Resource> = self
            .held
            .keys()
            .filter(|r| !rows.contains_key(r))
            .cloned()
            .collect();
        for resource in gone {
            self.take_out(&resource);
            self.held.remove(&resource);
        }
        for (resource, modified_at) in rows {
            match self.held.get_mut(resource) {
                None => self.add(resource, modified_at, now),
                Some(held) => {
                    held.listed = modified_at;
                    // One that is wanted already keeps its turn, and its wait after a failure.
                    if held.is_changed() && matches!(held.place, Place::Swept(_)) {
                        self.put(resource, Place::Wanted(now));
                    }
                }
            }
        }
    }

    fn add(&mut self, resource: &Resource, listed: Option<UnixMs>, now: Mono) {
        let place = Place::Wanted(now);
        let held = Held {
            listed,
            known: None,
            detail: None,
            place,
            failures: 0,
            tried: false,
        };
        self.held.insert(resource.clone(), held);
        self.wanted.insert((now, resource.clone()));
    }

    /// What to get now, at most [`BATCH_MAX`]: first what is new or changed, the one that waits
    /// longest before the others, then what the sweep has come to. Empty before [`Details::due`].
    ///
    /// What was not answered of the batch before is wanted again.
    pub fn next(&mut self, now: Mono) -> Vec<Resource> {
        self.end(now);
        let mut batch = Vec::new();
        if now < self.earliest() {
            return batch;
        }
        while let Some((at, resource)) = self.wanted.first()
            && *at <= now
            && batch.len() < BATCH_MAX
        {
            let resource = resource.clone();
            self.ask(&resource);
            batch.push(resource);
        }
        if batch.len() < BATCH_MAX {
            self.sweep(now, &mut batch);
        } else {
            // So much was got that no turn was missed.
            self.swept_at = Some(now);
        }
        if !batch.is_empty() {
            self.batch_at = Some(now);
        }
        batch
    }

    /// Fills `batch` with as many as the sweep should have come to by now. Turns that were
    /// missed are not made up for beyond one batch.
    fn sweep(&mut self, now: Mono, batch: &mut Vec<Resource>) {
        let Some(pace) = self.pace() else { return };
        let missed_max = pace * BATCH_MAX as u32;
        let mut turn = self.swept_at.unwrap_or(now);
        turn = turn.max(Mono(now.0.saturating_sub(missed_max)));
        while turn.after(pace) <= now
            && batch.len() < BATCH_MAX
            && let Some((_, resource)) = self.swept.first()
        {
            let resource = resource.clone();
            self.ask(&resource);
            batch.push(resource);
            turn = turn.after(pace);
        }
        self.swept_at = Some(turn);
    }

    /// From one turn of the sweep to the next.
    fn pace(&self) -> Option<Duration> {
        let resources = u32::try_from(self.held.len()).ok()?;
        SWEEP.checked_div(resources)
    }

    fn ask(&mut self, resource: &Resource) {
        let listed = self.held.get(resource).and_then(|held| held.listed);
        self.put(resource, Place::Asked(listed));
    }

    /// When to call [`Details::next`]; `None` when there is nothing to get, or a batch is out.
    /// After a call of `next` it lies later than that call.
    pub fn due(&self) -> Option<Mono> {
        if !self.asked.is_empty() {
            return None;
        }
        let wanted = self.wanted.first().map(|(at, _)| *at);
        let swept = match (self.swept.is_empty(), self.swept_at, self.pace()) {
            (false, Some(at), Some(pace)) => Some(at.after(pace)),
            _ => None,
        };
        let first = [wanted, swept].into_iter().flatten().min()?;
        Some(first.max(self.earliest()))
    }

    /// Nothing goes out before.
    fn earliest(&self) -> Mono {
        let pause = self.batch_at.map(|at| at.after(BATCH_PAUSE));
        pause.unwrap_or_default().max(self.rest_until)
    }

    /// Takes what was got. Passed over when no listing has that resource any more.
    pub fn took(&mut self, resource: &Resource, got: Got, now: Mono) {
        self.rests = 0;
        let Some(held) = self.held.get_mut(resource) else {
            return;
        };
        let asked_for = match held.place {
            Place::Asked(listed) => listed,
            Place::Wanted(_) | Place::Swept(_) => held.listed,
        };
        held.tried = true;
        held.detail = Some(got.detail);
        let behind = got.modified_at.zip(asked_for);
        let behind = behind.is_some_and(|(got, asked)| asked.plus_ms(-ROUNDING_MS) >= got);
        if behind {
            // AWS's parts do not agree yet; the detail is of before the change.
            held.known = got.modified_at;
            self.retry(resource, now);
            return;
        }
        held.failures = 0;
        held.known = got.modified_at.max(asked_for);
        let changed = held.is_changed();
        let place = if changed { Place::Wanted } else { Place::Swept };
        self.put(resource, place(now));
    }

    /// Notes that a resource could not be got. What concerns all of them (credentials, network,
    /// clock, throttling) gives all a rest, the whole batch with it; what concerns this one
    /// leaves this one alone for longer each time. What is held of it stays.
    pub fn failed(&mut self, resource: &Resource, kind: FaultKind, now: Mono) {
        match kind {
            FaultKind::Credentials
            | FaultKind::Throttled
            | FaultKind::Clock
            | FaultKind::Network
            | FaultKind::NoSuchHost => {
                self.rests = self.rests.saturating_add(1);
                self.rest_until = now.after(doubled(REST_FIRST, self.rests, REST_MAX));
                self.end(now);
            }
            FaultKind::Permission
            | FaultKind::Server
            | FaultKind::Refused
            | FaultKind::Answer
            | FaultKind::TooLarge => {
                self.rests = 0;
                if let Some(held) = self.held.get_mut(resource) {
                    held.tried = true;
                    self.retry(resource, now);
                }
            }
            FaultKind::Stopped => self.end(now),
        }
    }

    fn retry(&mut self, resource: &Resource, now: Mono) {
        if let Some(held) = self.held.get_mut(resource) {
            held.failures = held.failures.saturating_add(1);
            let wait = doubled(RETRY_FIRST, held.failures, SWEEP);
            self.put(resource, Place::Wanted(now.after(wait)));
        }
    }

    /// Ends the batch that is out: what was not answered is wanted again.
    pub fn end(&mut self, now: Mono) {
        for resource in std::mem::take(&mut self.asked) {
            self.put(&resource, Place::Wanted(now));
        }
    }

    /// How many resources were not answered for yet, well or not. While there are some, a
    /// picture made by [`Details::complete`] lacks what may have been shown before a restart.
    pub fn untried(&self) -> usize {
        self.held.values().filter(|held| !held.tried).count()
    }

    /// Whether all are left alone after a failure that has nothing to do with the resource.
    pub fn is_resting(&self) -> bool {
        self.rests > 0
    }

    /// Whether some could not be got at the last try, or all are left alone.
    pub fn has_failures(&self) -> bool {
        self.is_resting() || self.held.values().any(|held| held.failures > 0)
    }

    /// How much is known of a resource. After `tries` failed tries to get it what the listing
    /// tells has to do.
    fn known(&self, resource: &Resource, tries: u32) -> Known {
        match self.held.get(resource) {
            Some(held) if held.detail.is_some() => Known::Whole,
            Some(held) if held.failures >= tries => Known::Listed,
            _ => Known::Little,
        }
    }

    /// The rows of a listing with everything that is known in detail. A resource that could
    /// not be got `tries` times is taken as it is listed.
    pub fn detailed(&self, listing: Listing, tries: u32) -> Detailed {
        fn mark<T>(known: Vec<Known>, values: Vec<T>) -> Vec<Row<T>> {
            let rows = values.into_iter().zip(known);
            rows.map(|(value, known)| Row { value, known }).collect()
        }
        let known = |resource: &Resource| self.known(resource, tries);
        let groups = listing.groups.iter().map(|row| known(&row.resource));
        let groups: Vec<Known> = groups.collect();
        let channels = listing.channels.iter().map(|row| known(&row.resource));
        let channels: Vec<Known> = channels.collect();
        let endpoints = listing.endpoints.iter().map(|row| known(&row.resource));
        let endpoints: Vec<Known> = endpoints.collect();
        let (all_groups, all) = self.complete(listing);
        Detailed {
            groups: mark(groups, all_groups),
            channels: mark(channels, all.channels),
            endpoints: mark(endpoints, all.endpoints),
        }
    }

    /// The listing with everything that is known in detail.
    pub fn complete(&self, listing: Listing) -> (Vec<ChannelGroup>, Inventory) {
        let groups = listing.groups.into_iter().map(|row| self.fill(row, group));
        let channels = listing
            .channels
            .into_iter()
            .map(|row| self.fill(row, channel));
        let endpoints = listing
            .endpoints
            .into_iter()
            .map(|row| self.fill(row, endpoint));
        let inventory = Inventory {
            channels: channels.collect(),
            endpoints: endpoints.collect(),
        };
        (groups.collect(), inventory)
    }

    fn fill<T>(&self, row: Listed<T>, fill: fn(&mut T, &Detail)) -> T {
        let mut value = row.value;
        let held = self.held.get(&row.resource);
        if let Some(detail) = held.and_then(|held| held.detail.as_ref()) {
            fill(&mut value, detail);
        }
        value
    }

    /// Moves a resource to another place.
    fn put(&mut self, resource: &Resource, place: Place) {
        self.take_out(resource);
        let Some(held) = self.held.get_mut(resource) else {
            return;
        };
        held.place = place;
        let resource = resource.clone();
        match place {
            Place::Wanted(at) => self.wanted.insert((at, resource)),
            Place::Swept(at) => self.swept.insert((at, resource)),
            Place::Asked(_) => self.asked.insert(resource),
        };
    }

    fn take_out(&mut self, resource: &Resource) {
        let place = self.held.get(resource).map(|held| held.place);
        match place {
            Some(Place::Wanted(at)) => self.wanted.remove(&(at, resource.clone())),
            Some(Place::Swept(at)) => self.swept.remove(&(at, resource.clone())),
            Some(Place::Asked(_)) | None => self.asked.remove(resource),
        };
    }
}

/// `first` after one failure, twice that after two, and so on up to `max`.
fn doubled(first: Duration, failures: u32, max: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(max)
}

fn group(value: &mut ChannelGroup, detail: &Detail) {
    if let Detail::ChannelGroup {
        egress_domain,
        tags,
    } = detail
    {
        value.egress_domain.clone_from(egress_domain);
        value.tags.clone_from(tags);
    }
}

fn channel(value: &mut Channel, detail: &Detail) {
    if let Detail::Channel {
        ingest_endpoints,
        tags,
    } = detail
    {
        value.ingest_endpoints.clone_from(ingest_endpoints);
        value.tags.clone_from(tags);
    }
}

fn endpoint(value: &mut Endpoint, detail: &Detail) {
    if let Detail::Endpoint {
        segment_duration_seconds,
        encrypted,
        startover_window_seconds,
        tags,
    } = detail
    {
        value.segment_duration_seconds = *segment_duration_seconds;
        value.encrypted = *encrypted;
        value.startover_window_seconds = *startover_window_seconds;
        value.tags.clone_from(tags);
    }
}

#[cfg(test)]
mod tests;
