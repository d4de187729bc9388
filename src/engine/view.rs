//! What subscribers should see now, and what is news since they were last told.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{Engine, Now};
use crate::state::alarms::AlarmChange;
use crate::state::fault::Fault;
use crate::state::health::{self, Evidence, Health, Ingest, Light};
use crate::state::measure::Resource;
use crate::state::model::{Channel, Id, account_of};
use crate::state::push::Passed;
use crate::state::source::{Source, SourceState, SourceStatus};
use crate::state::time::{Mono, UnixMs};
use crate::state::tracks::Track;
use crate::topics::event::Happening;
use crate::topics::report::{self, AgentHealth, Sources, Summary};
use crate::topics::{OFFLINE, ONLINE, Topic, media, payload};

/// How often what changes by time alone is looked at: freshness, health, stale sources.
const REVIEW_INTERVAL: Duration = Duration::from_secs(5);
/// `agent/stats` at most this often.
const STATS_INTERVAL: Duration = Duration::from_secs(60);
/// `agent` tells a new clock offset when it moved by more than this.
const OFFSET_STEP_MS: i64 = 5_000;
/// Commands to refresh are heeded at most this often.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);
/// Those of metrics, which cost money.
const REFRESH_METRICS_INTERVAL: Duration = Duration::from_secs(300);

/// What was last told, so that only news goes out.
#[derive(Debug, Default)]
pub struct Told {
    sources: Sources,
    online: BTreeMap<Source, bool>,
    /// Something that `agent` shows has changed.
    pub(super) agent_changed: bool,
    /// Something that health and summary depend on has changed.
    pub(super) review_all: bool,
    pub(super) next_review: Option<Mono>,
    next_stats: Option<Mono>,
    /// Taken once a minute, so that a new session does not bring a new one.
    stats: Option<String>,
    health: HashMap<Id, Health>,
    /// The last ingest of each channel that was not `unknown`.
    ingest: HashMap<Id, Ingest>,
    summary: Option<(Summary, UnixMs)>,
    shown_offset_ms: Option<i64>,
    refreshed: Option<Mono>,
    refreshed_metrics: Option<Mono>,
}

impl Told {
    /// The status of one source.
    pub(super) fn source(&mut self, source: Source) -> &mut SourceStatus {
        let unknown = || SourceStatus::new(false, UnixMs(0));
        self.sources.entry(source).or_insert_with(unknown)
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = (&Source, &SourceStatus)> {
        self.sources.iter()
    }

    pub(super) fn source_state(&self, source: Source) -> Option<SourceState> {
        self.sources.get(&source).map(|status| status.state)
    }

    /// AWS's clock minus ours, as `agent` tells it.
    pub(super) fn shown_offset_seconds(&self) -> Option<i64> {
        let ms = self.shown_offset_ms?;
        Some((ms + 500).div_euclid(1000))
    }

    /// Why a source fails.
    pub(super) fn source_fault(&self, source: Source) -> Option<&Fault> {
        self.sources.get(&source)?.error.as_ref()
    }

    pub(super) fn learn_offset(&mut self, offset_ms: i64) {
        let moved = self
            .shown_offset_ms
            .is_none_or(|s| (s - offset_ms).abs() > OFFSET_STEP_MS);
        if moved {
            self.shown_offset_ms = Some(offset_ms);
            self.agent_changed = true;
        }
    }
}

impl Engine {
    /// The topics that are there from the first moment.
    pub(super) fn begin_view(&mut self, now: Now) {
        for source in Source::ALL {
            let wanted = self.polls.wants(source);
            self.told
                .sources
                .insert(source, SourceStatus::new(wanted, now.wall));
        }
        // The rest waits for a first answer: what the broker holds from before is nearer to
        // the truth than "nothing is known yet".
        self.outbox.touch(Topic::Status);
        self.outbox.touch(Topic::Agent);
        self.begin_pushes();
        self.told.review_all = true;
    }

    /// Looks at what changes by time, and at what an answer may have changed.
    pub(super) fn review(&mut self, now: Now) {
        let due = self.told.next_review.is_none_or(|at| at <= now.mono);
        if due {
            self.told.next_review = Some(now.mono.after(REVIEW_INTERVAL));
            let pace = self.pace(now);
            self.govern(now);
            for resource in self.tracks.review(pace) {
                self.outbox.touch(Topic::Metrics(resource));
            }
        }
        if due || self.told.agent_changed {
            self.review_sources(now);
            self.log_refusals(now);
            self.expire_alarms(now);
            self.expire_jobs(now);
        }
        self.show_pushes(now);
        if due || std::mem::take(&mut self.told.review_all) {
            self.review_health(now);
            self.review_summary(now);
            self.review_homes(now);
        }
        if std::mem::take(&mut self.told.agent_changed) {
            self.outbox.touch(Topic::Agent);
        }
        let due = match self.told.next_stats {
            Some(at) => at <= now.mono,
            // The first numbers are those of the first polls.
            None => self.all_asked(),
        };
        if due {
            self.told.next_stats = Some(now.mono.after(STATS_INTERVAL));
            self.told.stats = Some(report::stats(&self.stats(now)));
            self.outbox.touch(Topic::AgentStats);
        }
    }

    /// Whether what a source tells can be believed: the text of `source/<name>`. `None` where it
    /// is not wanted, or has not answered yet.
    pub(super) fn is_live(&self, now: Mono, source: Source, status: &SourceStatus) -> Option<bool> {
        if matches!(status.state, SourceState::Off | SourceState::Starting) {
            return None;
        }
        // What listens has no interval: it is there, or it is not. A queue that works is not
        // asked while the broker is away.
        let works = source.is_pushed() && status.state == SourceState::Ok;
        let lasts = || status.is_online(now, self.polls.interval(source));
        Some(works || source != Source::Sns && lasts())
    }

    fn review_sources(&mut self, now: Now) {
        for (source, status) in &self.told.sources {
            let Some(online) = self.is_live(now.mono, *source, status) else {
                continue;
            };
            if self.told.online.insert(*source, online) != Some(online) {
                self.outbox.touch(Topic::Source(*source));
                // What a source's failing means for the channels may have changed with it.
                self.told.review_all = true;
            }
        }
    }

    fn review_health(&mut self, now: Now) {
        let judged = self.judge_all();
        let before = std::mem::take(&mut self.told.health);
        for (id, health) in &judged {
            if before.get(id) != Some(health) {
                self.tell_ingest(now, id, health);
                self.outbox.touch(Topic::Health(id.clone()));
            }
        }
        self.told
            .ingest
            .retain(|id, _| self.inventory.channel(id).is_some());
        self.told.health = judged.into_iter().collect();
    }

    fn judge_all(&self) -> Vec<(Id, Health)> {
        let state = self.told.source_state(Source::Metrics);
        let metrics_work = !matches!(state, Some(SourceState::Failing | SourceState::Off));
        let active = self.alarms.active_by_channel();
        let judge = |channel: &Channel| {
            let track = self.tracks.get(&Resource::Channel(channel.id.clone()));
            let alarms = active.get(&channel.id).map_or(&[][..], Vec::as_slice);
            let lost_after_minutes = self.lost_after_minutes();
            health::judge(&Evidence {
                channel,
                track,
                metrics_work,
                alarms,
                lost_after_minutes,
            })
        };
        self.inventory
            .channels()
            .map(|channel| (channel.id.clone(), judge(channel)))
            .collect()
    }

    fn review_summary(&mut self, now: Now) {
        // A listing that failed tells nothing: what the broker holds from before stays.
        if !self.is_overview_known() {
            return;
        }
        let health: Vec<(&Id, &Health)> = self
            .inventory
            .channels()
            .filter_map(|c| self.told.health.get_key_value(&c.id))
            .collect();
        let lost = health.iter().filter(|(_, h)| h.ingest == Ingest::Lost);
        let active = self
            .alarms
            .iter()
            .filter(|(_, alarm)| alarm.state == "ALARM");
        let bytes = self
            .tracks
            .iter()
            .filter(|(resource, _)| resource.is_channel());
        let bytes = bytes.filter_map(|(_, track)| track.shown.egress_bytes);
        let egress = bytes.fold(None, |sum: Option<f64>, b| Some(sum.unwrap_or(0.0) + b));
        let mut light = health
            .iter()
            .map(|(_, h)| h.light)
            .max()
            .unwrap_or(Light::Unknown);
        let active: Vec<Id> = active.map(|(_, alarm)| alarm.name.clone()).collect();
        if !active.is_empty() {
            // An alarm that belongs to no channel is still an alarm of the region.
            light = light.max(Light::Warning);
        }
        let worst = health.iter().filter(|(_, h)| h.light >= Light::Warning);
        let reasons = worst.filter_map(|(id, h)| Some(format!("{id}: {}", h.reasons.first()?)));
        let region = self.alarms.iter().map(|(_, alarm)| alarm);
        let region = region.filter(|a| a.state == "ALARM" && a.channel_id.is_none());
        let region = region.map(|alarm| format!("Alarm {} is in ALARM.", alarm.name));
        let (channels, endpoints) = self.inventory.counts();
        let summary = Summary {
            health: light,
            reasons: reasons.chain(region).take(3).collect(),
            channels,
            endpoints,
            lost: lost.map(|(id, _)| (*id).clone()).collect(),
            active,
            egress_bits_per_second: egress.map(|bytes| (bytes * 8.0 / 60.0).round() as i64),
        };
        if self
            .told
            .summary
            .as_ref()
            .is_none_or(|(told, _)| *told != summary)
        {
            self.told.summary = Some((summary, now.wall));
            self.outbox.touch(Topic::Summary);
        }
    }

    /// The payload that a wanted topic should have now.
    pub(super) fn render(&self, topic: &Topic) -> Option<String> {
        match topic {
            Topic::Status => Some(match self.stopping {
                Some(_) => OFFLINE.to_owned(),
                None => ONLINE.to_owned(),
            }),
            Topic::Source(source) => {
                let online = self.told.online.get(source).copied().unwrap_or(false);
                Some(if online { ONLINE } else { OFFLINE }.to_owned())
            }
            Topic::Agent => Some(self.render_agent()),
            Topic::AgentStats => self.told.stats.clone(),
            Topic::Summary => {
                let (summary, updated_at) = self.told.summary.as_ref()?;
                Some(report::summary(summary, *updated_at))
            }
            Topic::Channel(id) => {
                let channel = self.inventory.channel(id)?;
                Some(payload::channel(channel, self.inventory.endpoints_of(id)))
            }
            Topic::Endpoint(id) => self.inventory.endpoint(id).map(payload::endpoint),
            Topic::ChannelGroup(id) => {
                let group = self.inventory.group(id)?;
                Some(media::channel_group(group, self.inventory.channels_of(id)))
            }
            Topic::PackagingGroup(id) => {
                let group = self.inventory.packaging_group(id)?;
                let configurations = self.inventory.configurations_of(id);
                Some(media::packaging_group(group, configurations))
            }
            Topic::PackagingConfiguration(id) => {
                let configuration = self.inventory.packaging_configuration(id)?;
                Some(media::packaging_configuration(configuration))
            }
            Topic::HarvestJob(id) => self.harvest.get(id).map(media::harvest_job),
            Topic::Alarm(key) => self.alarms.get(key).map(payload::alarm),
            Topic::Health(id) => Some(payload::health(
                self.inventory.channel(id)?,
                self.told.health.get(id)?,
            )),
            Topic::Metrics(resource) => self.render_metrics(resource),
            Topic::Messages => Some(self.render_messages()),
            Topic::Subscription(name) => self.render_subscription(name),
            Topic::Discovery(device) => self.document(device).map(|made| made.payload),
            Topic::Stray(_) => None,
        }
    }

    fn render_metrics(&self, resource: &Resource) -> Option<String> {
        let track = self.tracks.get(resource)?;
        Some(payload::metrics(&self.metrics_of(resource, track)?))
    }

    /// What the newest settled minute of a resource shows.
    pub(super) fn metrics_of<'a>(
        &'a self,
        resource: &'a Resource,
        track: &'a Track,
    ) -> Option<payload::Metrics<'a>> {
        Some(payload::Metrics {
            resource,
            owner: self.owner(resource)?,
            level: self.settings.wish.level,
            reading: &track.shown,
            window: track.window,
            freshness: track.freshness,
            last_data: track.last_data,
        })
    }

    /// How a channel does, as it was judged last.
    pub(super) fn health_of(&self, id: &Id) -> Option<&Health> {
        self.told.health.get(id)
    }

    /// How the agent as a whole does, with the reasons.
    pub(super) fn whole_health(&self) -> (AgentHealth, Vec<String>) {
        let (mut health, mut reasons) = self.agent_health();
        if let Some(reason) = self.over_budget() {
            reasons.push(reason);
            if health == AgentHealth::Ok {
                health = AgentHealth::Degraded;
            }
        }
        (health, reasons)
    }

    fn render_agent(&self) -> String {
        let (health, reasons) = self.whole_health();
        report::agent(&report::Agent {
            version: self.settings.version,
            started_at: self.started_at,
            agent_id: self.settings.agent_id.as_deref(),
            account_id: self.account_id().or(self.ownership.account_id.as_deref()),
            region: &self.settings.region,
            queue_url: self.settings.queue_url.as_deref(),
            health,
            reasons,
            sources: &self.told.sources,
            apis: &self.polls.media.apis,
            clock_offset_seconds: self.told.shown_offset_seconds(),
        })
    }

    pub(super) fn agent_health(&self) -> (AgentHealth, Vec<String>) {
        let wanted = self
            .told
            .sources
            .iter()
            .filter(|(_, s)| s.state != SourceState::Off);
        let (mut all, mut failing, mut starting) = (0, 0, 0);
        let mut reasons = Vec::new();
        for (source, status) in wanted {
            all += 1;
            match (&status.state, &status.error) {
                (SourceState::Failing, Some(fault)) => {
                    failing += 1;
                    reasons.push(format!("{}: {fault}", source.as_str()));
                }
                (SourceState::Starting, _) => starting += 1,
                _ => {}
            }
        }
        if let Some(fault) = &self.polls.list_fault {
            reasons.push(format!("metrics: the list of series: {fault}"));
        }
        reasons.extend(self.polls.media.complaints.reasons());
        reasons.extend(self.pushes.complaints());
        let health = match (failing, starting) {
            (0, 0) if reasons.is_empty() => AgentHealth::Ok,
            (0, 1..) => AgentHealth::Starting,
            // Metrics do not start before there is an inventory.
            (failing, starting) if failing > 0 && failing + starting == all => AgentHealth::Failing,
            _ => AgentHealth::Degraded,
        };
        (health, reasons)
    }

    /// From the first ARN that holds it.
    pub(super) fn account_id(&self) -> Option<&str> {
        let channels = self.inventory.channels().filter_map(|c| c.arn.as_deref());
        let endpoints = self.inventory.endpoints().filter_map(|e| e.arn.as_deref());
        let groups = self.inventory.groups().filter_map(|g| g.arn.as_deref());
        let packaging = self.inventory.packaging_groups();
        let packaging = packaging.filter_map(|g| g.arn.as_deref());
        // A notification may be of another account; what a poll lists is ours.
        let listed = self.alarms.iter().filter(|(_, alarm)| alarm.listed);
        let alarms = listed.map(|(_, alarm)| alarm.arn.as_str());
        let media = channels.chain(endpoints).chain(groups).chain(packaging);
        media.chain(alarms).find_map(account_of)
    }

    /// What there is to tell of the agent's own work.
    pub(super) fn stats(&self, now: Now) -> report::Stats<'_> {
        let price = self.settings.price_per_1000_metrics_usd;
        let counted = self.spending.bill.counted();
        report::Stats {
            sources: &self.told.sources,
            series: (self.catalogue.matched, self.catalogue.unmatched),
            pushed: self.pushed_counts(),
            metrics_billed: counted.metrics,
            cost_usd: counted.usd(price),
            forecast_usd: self.forecast_usd(now),
            budget_usd: self.settings.monthly_budget_usd,
            interval_seconds: self.polls.metrics.interval.as_secs(),
            memory_bytes: self.memory_bytes,
            publishes: self.broker.acknowledged,
            updated_at: now.wall,
        }
    }

    /// Every retained topic that is wanted, by full name, with its payload.
    pub fn retained(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for topic in self.outbox.wanted() {
            if let Some(payload) = self.render(topic) {
                all.extend(self.flat_topics(topic, &payload));
                all.insert(self.names.of(topic), payload);
            }
        }
        all
    }

    /// Whether all that is wanted has been asked once, and nothing is under way.
    pub fn has_all(&self) -> bool {
        let media = &self.polls.media;
        self.all_asked() && media.has_had_its_say(self.inventory.waiting())
    }

    /// Whether resources are listed that will be shown once they were got by themselves.
    pub fn awaits_details(&self) -> bool {
        self.polls.media.awaits_details(self.inventory.waiting())
    }

    /// Whether every source that is wanted has been asked once.
    pub(super) fn all_asked(&self) -> bool {
        let mut asked = self.told.sources.iter().filter(|(s, _)| !s.is_pushed());
        let apis = self.polls.media.apis.all_asked();
        apis && asked.all(|(_, status)| status.state == SourceState::Off || status.polls > 0)
    }

    /// The faults of the sources that fail.
    pub fn faults(&self) -> Vec<String> {
        self.agent_health().1
    }

    pub(super) fn refresh(&mut self, now: Now) {
        let allowed =
            |last: Option<Mono>, interval| last.is_none_or(|last| now.mono.since(last) >= interval);
        if !allowed(self.told.refreshed, REFRESH_INTERVAL) {
            return;
        }
        self.told.refreshed = Some(now.mono);
        let metrics = allowed(self.told.refreshed_metrics, REFRESH_METRICS_INTERVAL);
        let affordable = self.budget_allows_a_poll(now);
        if metrics && affordable {
            self.told.refreshed_metrics = Some(now.mono);
        }
        let without = match affordable {
            true => "",
            false => "; metrics keep their time, since monthly_budget_usd allows no other poll",
        };
        self.log(
            log::Level::Info,
            format!("a refresh was asked for{without}"),
        );
        self.polls.hasten(now.mono, metrics && affordable);
    }

    pub(super) fn tell_alarms(&mut self, now: Now, changes: &[AlarmChange]) {
        for change in changes {
            if let Some(happening) = self.alarm_happening(now, change) {
                self.tell(happening);
            }
        }
    }

    /// The change of an alarm that is kept.
    pub(super) fn alarm_happening(&self, now: Now, change: &AlarmChange) -> Option<Happening> {
        let alarm = self.alarms.get(&change.name)?;
        Some(Happening {
            id: None,
            event_type: "alarm",
            time: alarm.updated_at.unwrap_or(self.aws_now(now)),
            source: alarm.source.as_str(),
            channel_id: alarm.channel_id.clone(),
            endpoint_id: alarm.endpoint_id.clone(),
            alarm: Some(alarm.name.clone()),
            state: Some(change.to.clone()),
            previous_state: change.from.clone(),
            summary: alarm_sentence(&alarm.name, change),
            detail: alarm.reason.as_deref().map(reason_detail),
        })
    }

    /// Tells a change of ingest; what was merely not known before is no change.
    fn tell_ingest(&mut self, now: Now, id: &Id, health: &Health) {
        let to = health.ingest;
        if to == Ingest::Unknown {
            return;
        }
        let Some(from) = self
            .told
            .ingest
            .insert(id.clone(), to)
            .filter(|from| *from != to)
        else {
            return;
        };
        self.tell(Happening {
            id: None,
            detail: None,
            event_type: "ingest",
            time: health.ingest_since.unwrap_or(self.aws_now(now)),
            source: Source::Metrics.as_str(),
            channel_id: Some(id.clone()),
            endpoint_id: None,
            alarm: None,
            state: Some(to.as_str().to_owned()),
            previous_state: Some(from.as_str().to_owned()),
            summary: format!("Ingest of channel {id} is {}.", to.as_str()),
        });
    }
}

/// AWS's own words, as the detail of an event.
fn reason_detail(reason: &str) -> Passed {
    let json = serde_json::json!({ "reason": reason }).to_string();
    Passed {
        json,
        truncated: false,
    }
}

/// What happened to an alarm, in words.
pub(super) fn alarm_sentence(name: &str, change: &AlarmChange) -> String {
    match &change.from {
        Some(from) => format!("Alarm {name} went from {from} to {}.", change.to),
        None => format!("Alarm {name} is now {}.", change.to),
    }
}
