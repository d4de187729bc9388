//! Home Assistant's documents: when they go out, what they remove, when they are cleared.
//!
//! A document is a wanted topic like the others, one for each device. It changes with its set of
//! entities only, so most of what happens never touches it. Two things are its own:
//!
//! - **Nothing moves.** Documents wait for the first complete listing of everything, since an
//!   alarm belongs to a device only when that is known. What fails for long is not waited for:
//!   then they go out with what is known, and what is not known neither appears nor goes.
//! - **Removal takes two steps.** Home Assistant drops an entity only when its component comes
//!   with nothing but its platform; then it is left out. So the engine keeps the components of
//!   each document that Home Assistant may have seen, also those that the broker's store
//!   remembers from before a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Engine, Now};
use crate::state::alarms::Alarm;
use crate::state::apis::{ApiState, MediaApi};
use crate::state::fault::FaultKind;
use crate::state::inventory::InventoryChanges;
use crate::state::model::Id;
use crate::state::source::{Source, SourceState};
use crate::state::time::Mono;
use crate::topics::Topic;
use crate::topics::discovery::{
    AlarmsOf, Components, Device, Document, Origin, Scene, Subject, Sure, document, origin,
};

/// A changed document waits so long, so that several changes are one message: Home Assistant may
/// miss components of a document that comes while it still sets up the one before.
const DOCUMENT_WAIT: Duration = Duration::from_secs(2);

/// What is known of the documents.
#[derive(Debug, Default)]
pub struct Homes {
    /// Whether documents go out.
    open: bool,
    /// What has been listed, as the documents have it.
    stage: Stage,
    /// By object id, the components that Home Assistant may know.
    known: BTreeMap<String, Components>,
    /// Those that the document on its way to the broker takes off.
    leaving: BTreeMap<Device, Components>,
    /// Documents that may have changed, and when they go out.
    due: BTreeMap<Device, Mono>,
    /// Keys of alarms in order and whose they are, as `alarms` has them.
    owners: Vec<(Id, Device)>,
    alarms: BTreeMap<Device, Vec<Id>>,
    /// Devices with more entities than their document takes, as it was told.
    crowded: BTreeMap<Device, usize>,
}

/// How far the listings are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stage {
    /// Every listing was complete once: it is known whose each alarm is.
    settled: bool,
    /// What is not complete fails, and has done so for long.
    overdue: bool,
    /// Alarms were listed.
    alarms: bool,
    /// The APIs that were listed.
    apis: Vec<MediaApi>,
}

impl Homes {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.due.values().min().copied()
    }

    /// Takes up a document that the broker keeps.
    pub(super) fn adopt(&mut self, object_id: &str, components: Components) {
        self.known.insert(object_id.to_owned(), components);
    }

    fn plan(&mut self, now: Now, device: Device) {
        if self.open {
            let at = now.mono.after(DOCUMENT_WAIT);
            self.due.entry(device).or_insert(at);
        }
    }

    /// The document of this object id is swept.
    pub(super) fn swept(&mut self, object_id: &str) {
        self.known.remove(object_id);
    }

    fn forget(&mut self, device: &Device) {
        self.known.remove(&device.object_id());
        self.leaving.remove(device);
        self.due.remove(device);
        self.crowded.remove(device);
    }
}

impl Engine {
    fn has_homes(&self) -> bool {
        self.settings.home_assistant.enabled
    }

    /// Looks whether documents may go out, and whether an alarm came, went or moved.
    pub(super) fn review_homes(&mut self, now: Now) {
        if !self.has_homes() {
            return;
        }
        let stage = self.stage(now);
        let may_open = stage.settled || stage.overdue;
        if stage != self.homes.stage {
            self.homes.stage = stage;
            // What was held back till now may come or go.
            for device in self.devices() {
                self.homes.plan(now, device);
            }
        }
        self.assign_alarms(now);
        if !self.homes.open && may_open {
            self.homes.open = true;
            for device in self.devices() {
                self.outbox.touch(Topic::Discovery(device));
            }
        }
    }

    fn devices(&self) -> Vec<Device> {
        let channels = self.inventory.channels().map(|c| c.id.clone());
        let groups = self.inventory.packaging_groups().map(|g| g.id.clone());
        let channels = channels.map(Device::Channel);
        let groups = groups.map(Device::PackagingGroup);
        [Device::Agent]
            .into_iter()
            .chain(channels)
            .chain(groups)
            .collect()
    }

    /// What was true once stays.
    fn stage(&self, now: Now) -> Stage {
        let before = &self.homes.stage;
        let listed = self.wanted_apis().filter(|api| self.is_listed(*api));
        Stage {
            settled: before.settled || self.is_settled(),
            overdue: before.overdue || self.is_overdue(now),
            alarms: before.alarms || self.are_alarms_listed(),
            apis: listed.collect(),
        }
    }

    /// What may be told of a device.
    fn sure_of(&self, device: &Device) -> Sure {
        let stage = &self.homes.stage;
        let listed = |api| stage.apis.contains(&api);
        let (owners, own) = match device {
            // An alarm that seems to be nobody's may be of a channel that is not listed.
            Device::Agent => (stage.settled, true),
            Device::Channel(id) => {
                let channel = self.inventory.channel(id);
                let api = channel.map(|channel| MediaApi::from(channel.api));
                (stage.settled || stage.overdue, api.is_some_and(listed))
            }
            Device::PackagingGroup(_) => (stage.settled, listed(MediaApi::Vod)),
        };
        Sure {
            owners,
            device: own,
            alarms: owners && stage.alarms,
        }
    }

    /// Whether every listing was complete once, as far as it is to be had.
    fn is_settled(&self) -> bool {
        let unavailable = |api| self.polls.media.apis.state(api) == ApiState::Unavailable;
        self.wanted_apis()
            .all(|api| self.is_listed(api) || unavailable(api))
            && self.are_alarms_listed()
    }

    /// Whether all that is not complete fails, and has done so for long.
    fn is_overdue(&self, now: Now) -> bool {
        let wait = self.settings.home_assistant.wait;
        let fails = |api| {
            let state = self.polls.media.apis.state(api);
            matches!(state, ApiState::Failing | ApiState::Unavailable)
        };
        let alarms = self.told.source_state(Source::Alarms);
        now.mono.since(self.began) >= wait
            && self
                .wanted_apis()
                .all(|api| self.is_listed(api) || fails(api))
            && (self.are_alarms_listed() || alarms == Some(SourceState::Failing))
    }

    fn wanted_apis(&self) -> impl Iterator<Item = MediaApi> {
        let apis = &self.polls.media.apis;
        MediaApi::ALL.into_iter().filter(|api| apis.wants(*api))
    }

    fn is_listed(&self, api: MediaApi) -> bool {
        let shown = api != MediaApi::V2 || self.inventory.waiting() == 0;
        self.inventory.listings_of(api) > 0 && shown
    }

    /// Where they may not be listed, pushed ones are all there will be.
    fn are_alarms_listed(&self) -> bool {
        let refused = self.told.source_fault(Source::Alarms);
        let refused = refused.is_some_and(|fault| fault.kind == FaultKind::Permission);
        !self.polls.wants(Source::Alarms) || self.alarms.listings() > 0 || refused
    }

    /// Whose an alarm is.
    fn device_of(&self, alarm: &Alarm) -> Device {
        let channel = alarm.channel_id.as_deref();
        let channel = channel.and_then(|id| self.inventory.channel(id));
        channel.map_or(Device::Agent, |c| Device::Channel(c.id.clone()))
    }

    /// Notes whose each alarm is. Mostly that is what it was, and then nothing is made anew.
    fn assign_alarms(&mut self, now: Now) {
        let mut owners = self.homes.owners.iter();
        let mut same = true;
        for (key, alarm) in self.alarms.iter() {
            let is_same =
                |(known, device): &(Id, Device)| known == key && *device == self.device_of(alarm);
            same = same && owners.next().is_some_and(is_same);
        }
        if same && owners.next().is_none() {
            return;
        }
        let all = self.alarms.iter();
        let owners: Vec<(Id, Device)> = all
            .map(|(key, alarm)| (key.clone(), self.device_of(alarm)))
            .collect();
        let mut alarms: BTreeMap<Device, Vec<Id>> = BTreeMap::new();
        for (key, device) in &owners {
            alarms.entry(device.clone()).or_default().push(key.clone());
        }
        let before = std::mem::replace(&mut self.homes.alarms, alarms);
        self.homes.owners = owners;
        let devices = before.keys().chain(self.homes.alarms.keys());
        let moved = devices.filter(|device| before.get(*device) != self.homes.alarms.get(*device));
        let moved: Vec<Device> = moved.cloned().collect();
        for device in moved {
            self.homes.plan(now, device);
        }
    }

    pub(super) fn devices_changed(&mut self, now: Now, changes: &InventoryChanges) {
        if !self.has_homes() {
            return;
        }
        for id in &changes.channels.removed {
            self.remove_device(&Device::Channel(id.clone()));
        }
        let (channels, endpoints) = (&changes.channels, &changes.endpoints);
        let of_endpoints = endpoints.added.iter();
        let of_endpoints = of_endpoints.filter_map(|id| self.inventory.endpoint(id));
        let of_endpoints = of_endpoints.filter_map(|endpoint| endpoint.channel_id.as_ref());
        let of_endpoints = of_endpoints.chain(changes.channel_of_removed.values());
        let changed = channels.added.iter().chain(&channels.changed);
        let changed = changed.chain(of_endpoints);
        let there = changed.filter(|id| self.inventory.channel(id).is_some());
        let there: Vec<Id> = there.cloned().collect();
        for id in there {
            self.homes.plan(now, Device::Channel(id));
        }
    }

    pub(super) fn packaging_changed(&mut self, now: Now, changes: &InventoryChanges) {
        if !self.has_homes() {
            return;
        }
        let groups = &changes.packaging_groups;
        for id in &groups.removed {
            self.remove_device(&Device::PackagingGroup(id.clone()));
        }
        for id in groups.added.iter().chain(&groups.changed) {
            self.homes.plan(now, Device::PackagingGroup(id.clone()));
        }
    }

    /// An empty document takes the device off with all that it has.
    fn remove_device(&mut self, device: &Device) {
        self.homes.forget(device);
        self.outbox.remove(&Topic::Discovery(device.clone()));
    }

    /// Sends the documents whose time has come.
    pub(super) fn advance_homes(&mut self, now: Now) {
        if self.stopping.is_some() {
            return;
        }
        if !self.homes.open {
            self.review_homes(now);
        }
        let due = self.homes.due.extract_if(.., |_, at| *at <= now.mono);
        let due: Vec<Device> = due.map(|(device, _)| device).collect();
        for device in due {
            self.outbox.touch(Topic::Discovery(device));
        }
    }

    /// The document that a device should have now.
    pub(super) fn document(&self, device: &Device) -> Option<Document> {
        let subject = match device {
            Device::Agent => Subject::Agent,
            Device::Channel(id) => {
                let endpoints = self.inventory.endpoints_of(id).iter();
                Subject::Channel {
                    channel: self.inventory.channel(id)?,
                    endpoints: endpoints
                        .filter_map(|id| self.inventory.endpoint(id))
                        .collect(),
                }
            }
            Device::PackagingGroup(id) => {
                let inventory = &self.inventory;
                let configurations = inventory.configurations_of(id).iter();
                let configurations =
                    configurations.filter_map(|id| inventory.packaging_configuration(id));
                Subject::PackagingGroup {
                    group: inventory.packaging_group(id)?,
                    configurations: configurations.collect(),
                }
            }
        };
        let sources = Source::ALL.into_iter().filter(|s| self.polls.wants(*s));
        let sources: Vec<Source> = sources.collect();
        let scene = Scene {
            names: &self.names,
            version: self.settings.version,
            region: &self.settings.region,
            level: self.settings.wish.level,
            sources: &sources,
        };
        let keys = self.homes.alarms.get(device).into_iter().flatten();
        let alarms = AlarmsOf {
            alarms: keys.filter_map(|key| self.alarms.get(key)).collect(),
            sure: self.sure_of(device),
        };
        let known = self.homes.known.get(&device.object_id());
        let nothing = Components::default();
        Some(document(
            &scene,
            &subject,
            &alarms,
            known.unwrap_or(&nothing),
        ))
    }

    /// A document goes to the broker: from now on Home Assistant may know what it shows.
    pub(super) fn document_sent(&mut self, now: Now, device: &Device, made: Document) {
        let known = self.homes.known.entry(device.object_id()).or_default();
        *known = known.with(&made.shown);
        self.homes.leaving.insert(device.clone(), made.leaving);
        let told = self.homes.crowded.insert(device.clone(), made.left_out);
        if made.left_out > 0 && told != Some(made.left_out) {
            let (left_out, topic) = (made.left_out, Topic::Discovery(device.clone()));
            let text = format!(
                "Home Assistant: {left_out} entities find no room in {}; their topics are there \
                 all the same. Keep fewer alarms ([cloudwatch] alarms, alarm_exclude)",
                self.names.of(&topic)
            );
            let topic = self.names.of(&topic);
            self.log_happened(now, &topic, log::Level::Warn, text);
        }
    }

    /// The broker has a document: what it took off is left out of the next one.
    pub(super) fn document_taken(&mut self, now: Now, device: &Device) {
        // A newer one is on its way, which takes off the same and perhaps more.
        if self.outbox.is_pending(&Topic::Discovery(device.clone())) {
            return;
        }
        let leaving = self.homes.leaving.remove(device).unwrap_or_default();
        let known = self.homes.known.get_mut(&device.object_id());
        if let Some(known) = known.filter(|_| leaving.count() > 0) {
            *known = known.without(&leaving);
            self.homes.plan(now, device.clone());
        }
    }

    /// Whether the listing that a document comes from has had its say; `below` is the part of
    /// its topic below our own prefix.
    pub(super) fn may_sweep_document(&self, below: &str) -> bool {
        let object_id = below.split('/').next().unwrap_or_default();
        if !self.has_homes() {
            return true;
        }
        let listed = |api| self.homes.open && self.api_had_its_say(api);
        match origin(object_id) {
            Origin::Agent => false,
            Origin::V1 => listed(MediaApi::V1),
            Origin::V2 => listed(MediaApi::V2),
            Origin::Vod => listed(MediaApi::Vod),
            Origin::Unknown => true,
        }
    }
}
