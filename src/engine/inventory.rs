//! What a listing of MediaPackage changes: topics, and what is told of it.

use super::{Engine, Now};
use crate::state::apis::MediaApi;
use crate::state::harvest::{self, HarvestChanges};
use crate::state::inventory::{Changes, InventoryChanges};
use crate::state::measure::Resource;
use crate::state::model::{Api, HarvestJob, Id};
use crate::state::polled::{self, Detailed};
use crate::state::push::{EventType, Passed, PushedEvent};
use crate::state::source::Source;
use crate::topics::event::Happening;
use crate::topics::{Topic, media};

/// Topics of one kind by id.
type Kind = fn(Id) -> Topic;

impl Engine {
    pub(super) fn take_v1(&mut self, now: Now, listing: polled::Inventory) {
        let changes = self.inventory.apply(listing, &self.settings.wish);
        self.take_inventory(now, &changes);
    }

    pub(super) fn take_v2(&mut self, now: Now, listing: Detailed) {
        let changes = self.inventory.apply_v2(listing, &self.settings.wish);
        self.take_inventory(now, &changes);
    }

    pub(super) fn fill_v2(&mut self, now: Now, some: Detailed) {
        let changes = self.inventory.fill(some, &self.settings.wish);
        self.take_inventory(now, &changes);
    }

    pub(super) fn take_vod(&mut self, now: Now, vod: polled::Vod) {
        let changes = self.inventory.apply_vod(vod);
        let kinds: [(&Changes, Kind); 2] = [
            (&changes.packaging_groups, Topic::PackagingGroup),
            (
                &changes.packaging_configurations,
                Topic::PackagingConfiguration,
            ),
        ];
        for (changes, topic) in kinds {
            self.show(changes, topic);
        }
        self.packaging_changed(now, &changes);
        let configurations = &changes.packaging_configurations;
        for id in &configurations.removed {
            let resource = Resource::Packaging(id.clone());
            self.tracks.forget(&resource);
            self.outbox.remove(&Topic::Metrics(resource));
        }
        if !configurations.added.is_empty() || !configurations.removed.is_empty() {
            self.polls.list_due = None;
        }
        self.told.review_all = true;
    }

    fn take_inventory(&mut self, now: Now, changes: &InventoryChanges) {
        self.show_inventory(changes);
        self.devices_changed(now, changes);
        self.tell_inventory(now, changes);
        self.polls.media.waits_for(self.inventory.waiting());
        let moved = !changes.channels.added.is_empty()
            || !changes.channels.removed.is_empty()
            || !changes.endpoints.added.is_empty()
            || !changes.endpoints.removed.is_empty();
        if moved {
            self.polls.list_due = None;
        }
        if !changes.channels.added.is_empty() || !changes.endpoints.added.is_empty() {
            self.polls.media.note_added(now.mono);
        }
        if !changes.channels.is_empty() || !changes.endpoints.is_empty() {
            for key in self.alarms.reassign(&self.inventory) {
                self.outbox.touch(Topic::Alarm(key));
            }
        }
        for id in &changes.channels.removed {
            self.tracks.forget(&Resource::Channel(id.clone()));
        }
        for id in &changes.endpoints.removed {
            self.tracks.forget(&Resource::Endpoint(id.clone()));
        }
        self.told.review_all = true;
    }

    fn show(&mut self, changes: &Changes, topic: Kind) {
        for id in changes.added.iter().chain(&changes.changed) {
            self.outbox.touch(topic(id.clone()));
        }
        for id in &changes.removed {
            self.outbox.remove(&topic(id.clone()));
        }
    }

    fn show_inventory(&mut self, changes: &InventoryChanges) {
        self.show(&changes.groups, Topic::ChannelGroup);
        self.show(&changes.channels, Topic::Channel);
        self.show(&changes.endpoints, Topic::Endpoint);
        for id in &changes.channels.removed {
            self.outbox.remove(&Topic::Health(id.clone()));
            let metrics = Topic::Metrics(Resource::Channel(id.clone()));
            self.outbox.remove(&metrics);
        }
        for id in &changes.endpoints.removed {
            let metrics = Topic::Metrics(Resource::Endpoint(id.clone()));
            self.outbox.remove(&metrics);
        }
    }

    fn tell_inventory(&mut self, now: Now, changes: &InventoryChanges) {
        let (channels, endpoints) = (&changes.channels, &changes.endpoints);
        let rows = [
            ("channel_added", "Channel", "appeared", &channels.added),
            ("channel_removed", "Channel", "is gone", &channels.removed),
            (
                "endpoint_added",
                "Origin endpoint",
                "appeared",
                &endpoints.added,
            ),
            (
                "endpoint_removed",
                "Origin endpoint",
                "is gone",
                &endpoints.removed,
            ),
        ];
        for (event_type, kind, what, ids) in rows {
            for id in ids.iter().filter(|id| !changes.known_before.contains(*id)) {
                let of_channel = event_type.starts_with("channel");
                let owner = self
                    .inventory
                    .endpoint(id)
                    .and_then(|e| e.channel_id.clone())
                    .or_else(|| changes.channel_of_removed.get(id).cloned());
                self.tell(Happening {
                    id: None,
                    detail: None,
                    event_type,
                    time: self.aws_now(now),
                    source: Source::MediaPackage.as_str(),
                    channel_id: if of_channel { Some(id.clone()) } else { owner },
                    endpoint_id: (!of_channel).then(|| id.clone()),
                    alarm: None,
                    state: None,
                    previous_state: None,
                    summary: format!("{kind} {id} {what}."),
                });
            }
        }
    }

    pub(super) fn take_jobs(&mut self, now: Now, api: Api, mut jobs: Vec<HarvestJob>) {
        let wish = &self.settings.wish;
        let taken = |job: &HarvestJob| {
            let channel = job.channel_id.as_deref();
            channel.is_none_or(|channel| wish.takes_channel(channel))
        };
        jobs.retain(taken);
        let changes = self.harvest.apply(api, jobs, self.aws_now(now));
        self.show_jobs(&changes);
        for change in changes.news {
            if let Some(job) = self.harvest.get(&change.id) {
                let happening = Happening {
                    id: None,
                    event_type: EventType::HarvestJob.as_str(),
                    time: job.modified_at.unwrap_or(self.aws_now(now)),
                    source: Source::MediaPackage.as_str(),
                    channel_id: job.channel_id.clone(),
                    endpoint_id: job.endpoint_id.clone(),
                    alarm: None,
                    summary: job_sentence(job, &change.to),
                    state: Some(change.to),
                    previous_state: change.from,
                    detail: Some(Passed {
                        json: media::harvest_job(job),
                        truncated: false,
                    }),
                };
                self.tell(happening);
            }
        }
    }

    fn show_jobs(&mut self, changes: &HarvestChanges) {
        for id in &changes.removed {
            self.outbox.remove(&Topic::HarvestJob(id.clone()));
        }
        for id in &changes.touched {
            self.outbox.touch(Topic::HarvestJob(id.clone()));
        }
    }

    /// Clears harvest jobs that ended long ago.
    pub(super) fn expire_jobs(&mut self, now: Now) {
        let removed = self.harvest.expire(self.aws_now(now));
        self.show_jobs(&HarvestChanges {
            removed,
            ..HarvestChanges::default()
        });
    }

    /// Whether a pushed event is news: what polling has told of a harvest job is not.
    pub(super) fn is_news(&mut self, event: &PushedEvent) -> bool {
        if event.event_type != EventType::HarvestJob {
            return true;
        }
        let job = harvest::named_in(&event.detail.json).zip(event.state.as_deref());
        job.is_none_or(|(id, status)| self.harvest.heard(&id, status))
    }

    /// Whether the API that a topic of this id comes from has had its complete listings, and
    /// all of them is shown that will be. Only ids of v2 hold dots; in a level that was cut
    /// they may be beyond the cut.
    pub(super) fn inventory_had_its_say(&self, level: &str) -> bool {
        let (v1, v2) = may_be_of(level);
        (!v1 || self.api_had_its_say(MediaApi::V1)) && (!v2 || self.api_had_its_say(MediaApi::V2))
    }

    /// Whether an API has had its complete listings, or is not wanted.
    pub(super) fn api_had_its_say(&self, api: MediaApi) -> bool {
        let shown = api != MediaApi::V2 || self.inventory.waiting() == 0;
        !self.polls.media.apis.wants(api)
            || self.inventory.listings_of(api) >= super::ownership::LISTINGS_BEFORE_SWEEP && shown
    }

    /// Whether harvest jobs of the API that a topic of this id comes from have been listed. An
    /// API that is not to be had keeps nothing of the other's.
    pub(super) fn harvest_had_its_say(&self, level: &str) -> bool {
        let listed = |api, of| !self.polls.media.apis.wants(api) || self.harvest.listings(of) > 0;
        let (v1, v2) = may_be_of(level);
        (!v1 || listed(MediaApi::V1, Api::V1)) && (!v2 || listed(MediaApi::V2, Api::V2))
    }
}

/// Whether a topic of this id may be of v1, and of v2.
fn may_be_of(level: &str) -> (bool, bool) {
    let of_v2 = level.contains('.');
    let is_cut = level.contains('~');
    (!of_v2 || is_cut, of_v2 || is_cut)
}

/// What happened to a harvest job, in words.
fn job_sentence(job: &HarvestJob, to: &str) -> String {
    let end = match to {
        "SUCCEEDED" | "COMPLETED" => "is complete".to_owned(),
        "FAILED" => "failed".to_owned(),
        to => format!("is now {to}"),
    };
    let of = job.endpoint_id.as_deref();
    let of = of
        .map(|id| format!(" of origin endpoint {id}"))
        .unwrap_or_default();
    format!("Harvest job {}{of} {end}.", job.id)
}
