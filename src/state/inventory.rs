//! The channels and origin endpoints we believe in, and what one more listing changes.
//!
//! Only a complete listing gets here. What it lacks is gone only when the next complete
//! listing lacks it too: AWS's lists are eventually consistent, and a topic that flickers
//! would fire automations.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Channel, Endpoint, Id, PackagingConfiguration};
use super::polled;
use super::wish::Wish;

/// Complete listings that must lack a resource before it counts as gone.
const ABSENCES_BEFORE_GONE: u8 = 2;

/// A resource and how many listings in a row lacked it.
#[derive(Clone, Debug)]
struct Held<T> {
    value: T,
    absences: u8,
}

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
}

/// What one listing changed of channels and of endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryChanges {
    /// Channels; one is `changed` too when its set of endpoints changed.
    pub channels: Changes,
    /// Endpoints.
    pub endpoints: Changes,
    /// The channel of each endpoint that is gone, where it had one.
    pub channel_of_removed: BTreeMap<Id, Id>,
}

/// The channels and endpoints that are watched.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    channels: BTreeMap<Id, Held<Channel>>,
    endpoints: BTreeMap<Id, Held<Endpoint>>,
    /// Ids of the endpoints of each channel that has any.
    by_channel: BTreeMap<Id, Vec<Id>>,
    packaging: BTreeMap<Id, Held<PackagingConfiguration>>,
    listings: u64,
}

impl Inventory {
    /// Takes a complete listing and tells what it changed.
    pub fn apply(&mut self, listing: polled::Inventory, wish: &Wish) -> InventoryChanges {
        self.listings += 1;
        let channels = listing
            .channels
            .into_iter()
            .filter(|c| wish.takes_channel(&c.id));
        let endpoints = listing
            .endpoints
            .into_iter()
            .filter(|e| match &e.channel_id {
                Some(channel) => wish.takes_channel(channel),
                None => true,
            });
        let (channels, _) = merge(&mut self.channels, channels.map(|c| (c.id.clone(), c)));
        let (endpoints, gone) = merge(&mut self.endpoints, endpoints.map(|e| (e.id.clone(), e)));
        let owner = |e: Endpoint| Some((e.id, e.channel_id?));
        let mut changes = InventoryChanges {
            channels,
            endpoints,
            channel_of_removed: gone.into_iter().filter_map(owner).collect(),
        };
        if changes.endpoints.is_empty() {
            return changes;
        }
        for id in self.regroup() {
            if self.channels.contains_key(&id) && !changes.channels.added.contains(&id) {
                changes.channels.changed.push(id);
            }
        }
        changes.channels.changed.sort();
        changes.channels.changed.dedup();
        changes
    }

    /// Takes a complete listing of VOD and tells what it changed of packaging configurations.
    pub fn apply_vod(&mut self, vod: polled::Vod) -> Changes {
        let listed = vod.configurations.into_iter().map(|p| (p.id.clone(), p));
        merge(&mut self.packaging, listed).0
    }

    /// Builds `by_channel` anew and tells the channels whose set of endpoints changed.
    fn regroup(&mut self) -> BTreeSet<Id> {
        let mut groups: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        for (id, held) in &self.endpoints {
            if let Some(channel) = &held.value.channel_id {
                groups.entry(channel.clone()).or_default().push(id.clone());
            }
        }
        let old = std::mem::replace(&mut self.by_channel, groups);
        let ids: BTreeSet<&Id> = old.keys().chain(self.by_channel.keys()).collect();
        ids.into_iter()
            .filter(|id| old.get(*id) != self.by_channel.get(*id))
            .cloned()
            .collect()
    }

    /// Complete listings taken so far.
    pub fn listings(&self) -> u64 {
        self.listings
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

    /// The channel of this id.
    pub fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.get(id).map(|held| &held.value)
    }

    /// The endpoint of this id.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.get(id).map(|held| &held.value)
    }

    /// All packaging configurations in order of their ids.
    pub fn packaging_configurations(&self) -> impl Iterator<Item = &PackagingConfiguration> {
        self.packaging.values().map(|held| &held.value)
    }

    /// The packaging configuration of this id.
    pub fn packaging_configuration(&self, id: &str) -> Option<&PackagingConfiguration> {
        self.packaging.get(id).map(|held| &held.value)
    }

    /// Ids of a channel's endpoints, in order.
    pub fn endpoints_of(&self, channel: &str) -> &[Id] {
        self.by_channel.get(channel).map_or(&[], Vec::as_slice)
    }
}

/// Replaces what is held by what was listed; what was not listed twice goes and is returned.
fn merge<T: PartialEq>(
    held: &mut BTreeMap<Id, Held<T>>,
    listed: impl Iterator<Item = (Id, T)>,
) -> (Changes, Vec<T>) {
    let mut changes = Changes::default();
    for entry in held.values_mut() {
        entry.absences += 1;
    }
    for (id, value) in listed {
        match held.get_mut(&id) {
            Some(entry) => {
                entry.absences = 0;
                if entry.value != value {
                    entry.value = value;
                    changes.changed.push(id);
                }
            }
            None => {
                held.insert(id.clone(), Held { value, absences: 0 });
                changes.added.push(id);
            }
        }
    }
    let gone = held.extract_if(.., |_, entry| entry.absences >= ABSENCES_BEFORE_GONE);
    let (removed, values) = gone.map(|(id, entry)| (id, entry.value)).unzip();
    changes.removed = removed;
    (changes, values)
}
