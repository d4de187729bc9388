//! The channels, origin endpoints and what else there is of MediaPackage that we believe in, and
//! what one more listing changes.
//!
//! Only a complete listing of one API gets here, and it says nothing of the others. What it
//! lacks is gone only when the next complete listing of the same API lacks it too: AWS's lists
//! are eventually consistent, and a topic that flickers would fire automations.
//!
//! A resource of v2 is listed before it is known in detail; until then it *waits*: it counts and
//! is named by its channel and group, and it is not shown itself.

use std::collections::{BTreeMap, BTreeSet};

use super::apis::MediaApi;
use super::model::{
    Api, Channel, ChannelGroup, Endpoint, Id, PackagingConfiguration, PackagingGroup,
};
use super::polled::{self, Detailed, Known, Row};
use super::wish::Wish;

/// Complete listings that must lack a resource before it counts as gone.
const ABSENCES_BEFORE_GONE: u8 = 2;

/// A resource and how many listings in a row lacked it.
#[derive(Clone, Debug)]
struct Held<T> {
    value: T,
    absences: u8,
}

/// Each in a box of its own: a map's nodes are half empty, and a resource is large.
type HeldById<T> = BTreeMap<Id, Box<Held<T>>>;

/// What one listing changed, by id and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Resources seen for the first time.
    pub added: Vec<Id>,
    /// Resources whose published fields changed.
    pub changed: Vec<Id>,
    /// Resources that are gone.
    pub removed: Vec<Id>,
}

impl Changes {
    /// True when nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// These changed too, but for those that were added.
    fn also_changed(&mut self, ids: impl IntoIterator<Item = Id>) {
        let added: BTreeSet<&Id> = self.added.iter().collect();
        let more = ids.into_iter().filter(|id| !added.contains(id));
        self.changed.extend(more);
        self.changed.sort();
        self.changed.dedup();
    }
}

/// What one listing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryChanges {
    /// Channels; one is `changed` too when its set of endpoints changed.
    pub channels: Changes,
    /// Endpoints.
    pub endpoints: Changes,
    /// The channel of each endpoint that is gone, where it had one.
    pub channel_of_removed: BTreeMap<Id, Id>,
    /// Channel groups; one is `changed` too when its set of channels changed.
    pub groups: Changes,
    /// Packaging groups; one is `changed` too when its set of configurations changed.
    pub packaging_groups: Changes,
    /// Packaging configurations.
    pub packaging_configurations: Changes,
    /// Channels and endpoints among those that were added that are no news: the first listing
    /// of their API had them.
    pub known_before: BTreeSet<Id>,
}

/// Ids by the id of what they belong to, where there are any.
type Members = BTreeMap<Id, Vec<Id>>;

/// Everything that is watched.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    channels: HeldById<Channel>,
    endpoints: HeldById<Endpoint>,
    groups: HeldById<ChannelGroup>,
    packaging_groups: HeldById<PackagingGroup>,
    packaging_configurations: HeldById<PackagingConfiguration>,
    /// Endpoints of each channel, those that wait too.
    by_channel: Members,
    /// Channels of each group, those that wait too.
    by_group: Members,
    /// Configurations of each packaging group.
    by_packaging_group: Members,
    waiting: Waiting,
    listings: BTreeMap<MediaApi, u64>,
}

/// Resources of v2 that are listed and not shown yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Waiting {
    groups: BTreeSet<Id>,
    /// And the group of each.
    channels: BTreeMap<Id, Option<Id>>,
    /// And the channel of each.
    endpoints: BTreeMap<Id, Option<Id>>,
    /// Those that the first listing had.
    known_before: BTreeSet<Id>,
}

impl Waiting {
    fn len(&self) -> usize {
        self.groups.len() + self.channels.len() + self.endpoints.len()
    }
}

fn group_of(channel: &Channel) -> Option<Id> {
    channel.channel_group.as_deref().map(Id::from)
}

impl Inventory {
    /// Takes a complete listing of v1 and tells what it changed.
    pub fn apply(&mut self, listing: polled::Inventory, wish: &Wish) -> InventoryChanges {
        let first = self.counted(MediaApi::V1);
        let channels = listing.channels.into_iter();
        let channels = channels.filter(|c| wish.takes_channel(&c.id));
        let endpoints = listing.endpoints.into_iter();
        let endpoints = endpoints.filter(|e| takes_endpoint(wish, e));
        let of_v1 = Part {
            channels: channels.map(|c| (c.id.clone(), Some(c))),
            endpoints: endpoints.map(|e| (e.id.clone(), Some(e))),
            groups: Vec::new(),
        };
        let mut changes = self.merge_live(Api::V1, of_v1, true);
        if first {
            let added = changes
                .channels
                .added
                .iter()
                .chain(&changes.endpoints.added);
            changes.known_before = added.cloned().collect();
        }
        changes
    }

    /// Takes a complete listing of v2 and tells what it changed. What is not ready waits, or
    /// stays as it was.
    pub fn apply_v2(&mut self, listing: Detailed, wish: &Wish) -> InventoryChanges {
        let first = self.counted(MediaApi::V2);
        let before = std::mem::take(&mut self.waiting);
        let mut waiting = Waiting::default();
        for row in listing
            .groups
            .iter()
            .filter(|row| row.known == Known::Little)
        {
            waiting.groups.insert(row.value.id.clone());
        }
        for channel in listing
            .channels
            .iter()
            .filter(|row| row.known == Known::Little)
        {
            let channel = &channel.value;
            waiting
                .channels
                .insert(channel.id.clone(), group_of(channel));
        }
        for endpoint in listing
            .endpoints
            .iter()
            .filter(|row| row.known == Known::Little)
        {
            let Endpoint { id, channel_id, .. } = &endpoint.value;
            waiting.endpoints.insert(id.clone(), channel_id.clone());
        }
        // What is held is shown, as it was.
        waiting.groups.retain(|id| !self.groups.contains_key(id));
        waiting
            .channels
            .retain(|id, _| !self.channels.contains_key(id));
        waiting
            .endpoints
            .retain(|id, _| !self.endpoints.contains_key(id));
        let channels = listing.channels.iter().map(|row| &row.value.id);
        let endpoints = listing.endpoints.iter().map(|row| &row.value.id);
        waiting.known_before = match first {
            true => channels.chain(endpoints).cloned().collect(),
            false => before.known_before,
        };
        self.waiting = waiting;
        self.merge_v2(listing, wish, true)
    }

    /// Takes what became known in detail of some resources of the last listing of v2.
    pub fn fill(&mut self, some: Detailed, wish: &Wish) -> InventoryChanges {
        for row in some.groups.iter().filter(|row| row.known != Known::Little) {
            self.waiting.groups.remove(&row.value.id);
        }
        for row in some
            .channels
            .iter()
            .filter(|row| row.known != Known::Little)
        {
            self.waiting.channels.remove(&row.value.id);
        }
        for row in some
            .endpoints
            .iter()
            .filter(|row| row.known != Known::Little)
        {
            self.waiting.endpoints.remove(&row.value.id);
        }
        self.merge_v2(some, wish, false)
    }

    fn merge_v2(&mut self, rows: Detailed, wish: &Wish, complete: bool) -> InventoryChanges {
        let channels = rows.channels.into_iter();
        let channels = channels.filter(|row| wish.takes_channel(&row.value.id));
        let endpoints = rows.endpoints.into_iter();
        let endpoints = endpoints.filter(|row| takes_endpoint(wish, &row.value));
        let channel = |row: Row<Channel>| {
            let id = row.value.id.clone();
            let value = news(&self.channels, &id, row);
            (id, value)
        };
        let endpoint = |row: Row<Endpoint>| {
            let id = row.value.id.clone();
            let value = news(&self.endpoints, &id, row);
            (id, value)
        };
        let group = |row: Row<ChannelGroup>| {
            let id = row.value.id.clone();
            let value = news(&self.groups, &id, row);
            (id, value)
        };
        let of_v2 = Part {
            channels: channels.map(channel).collect::<Vec<_>>(),
            endpoints: endpoints.map(endpoint).collect::<Vec<_>>(),
            groups: rows.groups.into_iter().map(group).collect(),
        };
        let mut changes = self.merge_live(Api::V2, of_v2, complete);
        let added = changes
            .channels
            .added
            .iter()
            .chain(&changes.endpoints.added);
        let known = added.filter(|id| self.waiting.known_before.remove(*id));
        changes.known_before = known.cloned().collect();
        if self.waiting.len() == 0 {
            self.waiting.known_before.clear();
        }
        changes
    }

    /// Takes a complete listing of VOD and tells what it changed.
    pub fn apply_vod(&mut self, vod: polled::Vod) -> InventoryChanges {
        self.counted(MediaApi::Vod);
        let groups = vod.groups.into_iter().map(|g| (g.id.clone(), Some(g)));
        let (groups, _) = merge(&mut self.packaging_groups, groups, |_| true, true);
        let rows = vod.configurations.into_iter();
        let rows = rows.map(|c| (c.id.clone(), Some(c)));
        let held = &mut self.packaging_configurations;
        let (packaging_configurations, _) = merge(held, rows, |_| true, true);
        let mut changes = InventoryChanges {
            packaging_groups: groups,
            packaging_configurations,
            ..InventoryChanges::default()
        };
        if !changes.packaging_configurations.is_empty() {
            let all = self.packaging_configurations.iter();
            let now = members(all.map(|(id, held)| (id, held.value.packaging_group_id.as_ref())));
            let moved = replace(&mut self.by_packaging_group, now);
            let moved = moved.filter(|id| self.packaging_groups.contains_key(id));
            changes.packaging_groups.also_changed(moved);
        }
        changes
    }

    /// Counts a complete listing. True for the first.
    fn counted(&mut self, api: MediaApi) -> bool {
        let listings = self.listings.entry(api).or_default();
        *listings += 1;
        *listings == 1
    }

    fn merge_live<C, E>(&mut self, api: Api, part: Part<C, E>, complete: bool) -> InventoryChanges
    where
        C: IntoIterator<Item = (Id, Option<Channel>)>,
        E: IntoIterator<Item = (Id, Option<Endpoint>)>,
    {
        let Part {
            channels,
            endpoints,
            groups,
        } = part;
        let mine = |c: &Channel| c.api == api;
        let (channels, _) = merge(&mut self.channels, channels, mine, complete);
        let mine = |e: &Endpoint| e.api == api;
        let (endpoints, gone) = merge(&mut self.endpoints, endpoints, mine, complete);
        let of_v2 = |_: &ChannelGroup| api == Api::V2;
        let (groups, _) = merge(&mut self.groups, groups, of_v2, complete);
        let owner = |e: Endpoint| Some((e.id, e.channel_id?));
        let mut changes = InventoryChanges {
            channels,
            endpoints,
            groups,
            channel_of_removed: gone.into_iter().filter_map(owner).collect(),
            ..InventoryChanges::default()
        };
        if !changes.endpoints.is_empty() || api == Api::V2 {
            let held = self.endpoints.iter();
            let held = held.map(|(id, held)| (id, held.value.channel_id.as_ref()));
            let waiting = self.waiting.endpoints.iter();
            let now = members(held.chain(waiting.map(|(id, of)| (id, of.as_ref()))));
            let moved = replace(&mut self.by_channel, now);
            let moved = moved.filter(|id| self.channels.contains_key(id));
            changes.channels.also_changed(moved);
        }
        if api == Api::V2 {
            let held = self.channels.iter();
            let held: Vec<_> = held.map(|(id, held)| (id, group_of(&held.value))).collect();
            let held = held.iter().map(|(id, of)| (*id, of.as_ref()));
            let waiting = self.waiting.channels.iter();
            let now = members(held.chain(waiting.map(|(id, of)| (id, of.as_ref()))));
            let moved = replace(&mut self.by_group, now);
            let moved = moved.filter(|id| self.groups.contains_key(id));
            changes.groups.also_changed(moved);
        }
        changes
    }

    /// Complete listings of channels and endpoints taken so far, of v1 and v2 together.
    pub fn listings(&self) -> u64 {
        self.listings_of(MediaApi::V1) + self.listings_of(MediaApi::V2)
    }

    /// Complete listings of one API taken so far.
    pub fn listings_of(&self, api: MediaApi) -> u64 {
        self.listings.get(&api).copied().unwrap_or(0)
    }

    /// Resources of v2 that are listed and not shown yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many channels and endpoints there are, those that wait too.
    pub fn counts(&self) -> (usize, usize) {
        (
            self.channels.len() + self.waiting.channels.len(),
            self.endpoints.len() + self.waiting.endpoints.len(),
        )
    }

    /// All channels in order of their ids.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values().map(|held| &held.value)
    }

    /// The channels whose id comes after `id`; all, when that is `None`.
    pub fn channels_after(&self, id: Option<&Id>) -> impl Iterator<Item = &Channel> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = id.map_or(Unbounded, |id| Excluded(id.clone()));
        self.channels
            .range((from, Unbounded))
            .map(|(_, held)| &held.value)
    }

    /// All endpoints in order of their ids.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values().map(|held| &held.value)
    }

    /// All channel groups of v2 in order of their names.
    pub fn groups(&self) -> impl Iterator<Item = &ChannelGroup> {
        self.groups.values().map(|held| &held.value)
    }

    /// All packaging groups of VOD in order of their ids.
    pub fn packaging_groups(&self) -> impl Iterator<Item = &PackagingGroup> {
        self.packaging_groups.values().map(|held| &held.value)
    }

    /// All packaging configurations of VOD in order of their ids.
    pub fn packaging_configurations(&self) -> impl Iterator<Item = &PackagingConfiguration> {
        let held = self.packaging_configurations.values();
        held.map(|held| &held.value)
    }

    /// The channel of this id.
    pub fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.get(id).map(|held| &held.value)
    }

    /// The endpoint of this id.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.get(id).map(|held| &held.value)
    }

    /// The channel group of this name.
    pub fn group(&self, id: &str) -> Option<&ChannelGroup> {
        self.groups.get(id).map(|held| &held.value)
    }

    /// The packaging group of this id.
    pub fn packaging_group(&self, id: &str) -> Option<&PackagingGroup> {
        self.packaging_groups.get(id).map(|held| &held.value)
    }

    /// The packaging configuration of this id.
    pub fn packaging_configuration(&self, id: &str) -> Option<&PackagingConfiguration> {
        let held = self.packaging_configurations.get(id);
        held.map(|held| &held.value)
    }

    /// Ids of a channel's endpoints, in order, those that wait too.
    pub fn endpoints_of(&self, channel: &str) -> &[Id] {
        self.by_channel.get(channel).map_or(&[], Vec::as_slice)
    }

    /// Ids of a channel group's channels, in order, those that wait too.
    pub fn channels_of(&self, group: &str) -> &[Id] {
        self.by_group.get(group).map_or(&[], Vec::as_slice)
    }

    /// Ids of a packaging group's configurations, in order.
    pub fn configurations_of(&self, group: &str) -> &[Id] {
        let ids = self.by_packaging_group.get(group);
        ids.map_or(&[], Vec::as_slice)
    }
}

/// Rows of one live API: a value, or none for what is listed and not to be shown yet.
struct Part<C, E> {
    channels: C,
    endpoints: E,
    groups: Vec<(Id, Option<ChannelGroup>)>,
}

/// What a row changes, if anything: what is shown whole is not replaced by less.
fn news<T>(held: &HeldById<T>, id: &Id, row: Row<T>) -> Option<T> {
    let shown = held.contains_key(id);
    let takes = match row.known {
        Known::Little => false,
        Known::Listed => !shown,
        Known::Whole => true,
    };
    takes.then_some(row.value)
}

/// Endpoints follow their channel.
fn takes_endpoint(wish: &Wish, endpoint: &Endpoint) -> bool {
    let channel = endpoint.channel_id.as_deref();
    channel.is_none_or(|channel| wish.takes_channel(channel))
}

fn members<'a>(pairs: impl Iterator<Item = (&'a Id, Option<&'a Id>)>) -> Members {
    let mut members = Members::new();
    for (id, of) in pairs {
        if let Some(of) = of {
            members.entry(of.clone()).or_default().push(id.clone());
        }
    }
    members.values_mut().for_each(|ids| ids.sort_unstable());
    members
}

/// Tells the owners whose set of members changed.
fn replace(held: &mut Members, now: Members) -> impl Iterator<Item = Id> + use<> {
    let old = std::mem::replace(held, now);
    let owners: BTreeSet<&Id> = old.keys().chain(held.keys()).collect();
    let moved = owners
        .into_iter()
        .filter(|id| old.get(*id) != held.get(*id));
    let moved: Vec<Id> = moved.cloned().collect();
    moved.into_iter()
}

/// Replaces what is held by what was listed; of a complete listing what it lacks for the second
/// time goes and is returned. Only what is `mine` is touched: an id that another API has is its.
fn merge<T: PartialEq>(
    held: &mut HeldById<T>,
    rows: impl IntoIterator<Item = (Id, Option<T>)>,
    mine: impl Fn(&T) -> bool,
    complete: bool,
) -> (Changes, Vec<T>) {
    let mut changes = Changes::default();
    if complete {
        for entry in held.values_mut().filter(|entry| mine(&entry.value)) {
            entry.absences += 1;
        }
    }
    for (id, value) in rows {
        match (held.get_mut(&id), value) {
            (Some(entry), _) if !mine(&entry.value) => {}
            (Some(entry), value) => {
                entry.absences = 0;
                if let Some(value) = value.filter(|value| entry.value != *value) {
                    entry.value = value;
                    changes.changed.push(id);
                }
            }
            (None, Some(value)) => {
                held.insert(id.clone(), Box::new(Held { value, absences: 0 }));
                changes.added.push(id);
            }
            (None, None) => {}
        }
    }
    let gone = held.extract_if(.., |_, entry| entry.absences >= ABSENCES_BEFORE_GONE);
    let (removed, values) = gone.map(|(id, entry)| (id, entry.value)).unzip();
    changes.removed = removed;
    (changes, values)
}

#[cfg(test)]
mod tests;
