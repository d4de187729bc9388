//! When MediaPackage is asked what. One thread carries it out, so one job is under way at a
//! time, and each is short: of those that are due the one that waits longest is next.

use std::time::Duration;

use super::timer::Timer;
use super::{Effect, Engine, Job, Now, Outcome, Settings};
use crate::state::apis::{ApiState, Apis, MediaApi};
use crate::state::details::Details;
use crate::state::fault::{Fault, FaultKind};
use crate::state::gather::{Gathering, Rows};
use crate::state::model::{Api, HarvestJob};
use crate::state::polled::{Got, Listing, Resource};
use crate::state::source::Source;
use crate::state::time::{Mono, UnixMs};

/// An API that is not to be had is tried again so often.
const UNAVAILABLE_INTERVAL: Duration = Duration::from_secs(3600);
/// Harvest jobs are listed once in so many intervals, and at once when an event tells of one.
const HARVEST_INTERVALS: u32 = 5;
/// Metrics wait so long for the details of the first listing of v2, so that their first poll
/// has all channels.
const FILL_WAIT: Duration = Duration::from_secs(120);

/// What there may be trouble with beside the listings.
const DETAILS: &str = "details of v2";
const HARVEST_V1: &str = "harvest jobs of v1";
const HARVEST_V2: &str = "harvest jobs of v2";

/// Something to ask, in the order in which what is due at the same moment is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    ListV1,
    ListV2,
    ListVod,
    HarvestV1,
    HarvestV2,
    Details,
}

impl Errand {
    const LISTED: [Errand; 5] = [
        Errand::ListV1,
        Errand::ListV2,
        Errand::ListVod,
        Errand::HarvestV1,
        Errand::HarvestV2,
    ];
}

/// Timers and what is under way.
#[derive(Debug)]
pub struct Media {
    /// How each API does.
    pub(super) apis: Apis,
    v1: Timer,
    v2: Timer,
    vod: Timer,
    harvest_v1: Timer,
    harvest_v2: Timer,
    /// The one that is being carried out.
    under_way: Option<Errand>,
    gathering: Option<Gathered>,
    details: Details,
    /// The last complete listing of v2.
    listing: Option<Listing>,
    /// When the first one came.
    listed_at: Option<Mono>,
    /// Whether the details of that one are still to come.
    filling: bool,
    /// Nothing is asked before.
    not_before: Mono,
    added_at: Mono,
    /// Why a resource of v2 could not be got, or harvest jobs could not be listed.
    pub(super) complaints: Complaints,
}

/// Trouble beside the listings, told once each.
#[derive(Debug, Default)]
pub struct Complaints {
    pub(super) details: Option<Fault>,
    pub(super) harvest_v1: Option<Fault>,
    pub(super) harvest_v2: Option<Fault>,
}

impl Complaints {
    /// Those that the agent should say of itself.
    pub(super) fn reasons(&self) -> impl Iterator<Item = String> + use<'_> {
        let rows = [
            (&self.details, DETAILS),
            (&self.harvest_v1, HARVEST_V1),
            (&self.harvest_v2, HARVEST_V2),
        ];
        rows.into_iter().filter_map(|(fault, what)| {
            let fault = fault.as_ref().filter(|fault| is_trouble(what, fault))?;
            Some(format!(
                "{}: {what}: {fault}",
                Source::MediaPackage.as_str()
            ))
        })
    }
}

/// Whether AWS would not give it however often it is asked.
fn is_refused(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Permission | FaultKind::Refused)
}

/// Whether the reader has to do something about it. Not everybody has a use for harvest jobs.
fn is_trouble(what: &str, fault: &Fault) -> bool {
    what == DETAILS || !is_refused(fault)
}

/// A listing of v2 that is under way.
#[derive(Debug)]
struct Gathered {
    gathering: Gathering,
    began: Mono,
    took: Duration,
    /// When its last step ended.
    waits_since: Mono,
}

impl Media {
    pub(super) fn new(settings: &Settings, now: Now) -> Media {
        let interval = settings.inventory_interval;
        let harvest = interval * HARVEST_INTERVALS;
        let wants = |api| settings.apis.contains(&api);
        let timer = |api, interval| Timer::new(wants(api), interval, now.mono);
        Media {
            apis: Apis::new(&settings.apis, now.wall),
            v1: timer(MediaApi::V1, interval),
            v2: timer(MediaApi::V2, interval),
            vod: timer(MediaApi::Vod, interval),
            harvest_v1: timer(MediaApi::V1, harvest),
            harvest_v2: timer(MediaApi::V2, harvest),
            under_way: None,
            gathering: None,
            details: Details::default(),
            listing: None,
            listed_at: None,
            filling: true,
            not_before: Mono::default(),
            added_at: Mono::default(),
            complaints: Complaints::default(),
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        MediaApi::ALL.into_iter().any(|api| self.apis.wants(api))
    }

    pub(super) fn interval(&self) -> Duration {
        self.v1.interval
    }

    fn timer(&self, errand: Errand) -> Option<&Timer> {
        match errand {
            Errand::ListV1 => Some(&self.v1),
            Errand::ListV2 => Some(&self.v2),
            Errand::ListVod => Some(&self.vod),
            Errand::HarvestV1 => Some(&self.harvest_v1),
            Errand::HarvestV2 => Some(&self.harvest_v2),
            Errand::Details => None,
        }
    }

    fn timer_mut(&mut self, api: MediaApi) -> &mut Timer {
        match api {
            MediaApi::V1 => &mut self.v1,
            MediaApi::V2 => &mut self.v2,
            MediaApi::Vod => &mut self.vod,
        }
    }

    /// When an errand is due; never, where there is nothing to go by.
    fn due(&self, errand: Errand) -> Option<Mono> {
        let goes = |api| self.apis.state(api) == ApiState::Ok;
        if let (Errand::ListV2, Some(gathered)) = (errand, &self.gathering) {
            return Some(gathered.waits_since);
        }
        match errand {
            Errand::HarvestV1 if !goes(MediaApi::V1) => None,
            Errand::HarvestV2 if !goes(MediaApi::V2) => None,
            Errand::Details => self.details.due(),
            errand => self.timer(errand)?.next(),
        }
    }

    fn next(&self) -> Option<(Mono, Errand)> {
        if self.under_way.is_some() {
            return None;
        }
        let all = Errand::LISTED.into_iter().chain([Errand::Details]);
        let due = |errand| Some((self.due(errand)?.max(self.not_before), errand));
        all.filter_map(due).min()
    }

    /// Nothing is asked before.
    pub(super) fn hold_until(&mut self, at: Mono) {
        self.not_before = at;
    }

    /// When the next job is due.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.next().map(|(due, _)| due)
    }

    /// All is due at this moment, also what is not to be had.
    pub(super) fn hasten(&mut self, now: Mono) {
        for timer in [
            &mut self.v1,
            &mut self.v2,
            &mut self.vod,
            &mut self.harvest_v1,
            &mut self.harvest_v2,
        ] {
            timer.hasten(now);
        }
    }

    /// AWS told that there is news.
    pub(super) fn wake(&mut self, now: Mono) {
        for api in MediaApi::ALL {
            if self.apis.state(api) != ApiState::Unavailable {
                self.timer_mut(api).wake(now);
            }
        }
        self.harvest_v1.wake(now);
        self.harvest_v2.wake(now);
    }

    /// Nothing can be asked, and why.
    pub(super) fn fail(&mut self, fault: &Fault, now: UnixMs) {
        for api in MediaApi::ALL {
            if self.apis.wants(api) {
                self.apis.take(api, Err(fault.clone()), now);
            }
        }
    }

    /// Until when metrics wait for the details of the first listing of v2.
    pub(super) fn first_filled_at(&self) -> Mono {
        let filling = self.filling && !self.details.is_resting();
        let until = self.listed_at.filter(|_| filling);
        until.map_or(Mono::default(), |at| at.after(FILL_WAIT))
    }

    /// When a channel or endpoint was added last.
    pub(super) fn added_at(&self) -> Mono {
        self.added_at
    }

    /// Channels or endpoints are added now.
    pub(super) fn note_added(&mut self, now: Mono) {
        self.added_at = now;
    }

    /// So many resources are listed and not shown yet.
    pub(super) fn waits_for(&mut self, resources: usize) {
        self.filling &= resources > 0 || self.listed_at.is_none();
    }

    /// Whether some of these resources will be known in detail soon.
    pub(super) fn awaits_details(&self, waiting: usize) -> bool {
        waiting > 0 && !self.details.is_resting()
    }

    /// Whether all that can be learned at the first go has been, where so many resources are
    /// listed and not shown yet.
    pub(super) fn has_had_its_say(&self, waiting: usize) -> bool {
        let details = !self.awaits_details(waiting);
        let harvest = |errand, timer: &Timer| self.due(errand).is_none() || timer.was_asked();
        let harvest = harvest(Errand::HarvestV1, &self.harvest_v1)
            && harvest(Errand::HarvestV2, &self.harvest_v2);
        self.apis.all_asked() && details && harvest && self.under_way.is_none()
    }
}

impl Engine {
    /// Starts what is due, where nothing is under way.
    pub(super) fn advance_media(&mut self, now: Now) {
        let Some((_, errand)) = self.polls.media.next().filter(|(due, _)| *due <= now.mono) else {
            return;
        };
        let aws_now = self.aws_now(now);
        let media = &mut self.polls.media;
        let job = match errand {
            Errand::ListV1 => {
                media.v1.busy = true;
                Some(Job::Inventory)
            }
            Errand::ListV2 => {
                media.v2.busy = true;
                let gathered = media.gathering.get_or_insert_with(|| Gathered {
                    gathering: Gathering::default(),
                    began: now.mono,
                    took: Duration::ZERO,
                    waits_since: now.mono,
                });
                gathered.gathering.next().map(Job::ListV2)
            }
            Errand::ListVod => {
                media.vod.busy = true;
                Some(Job::Vod)
            }
            Errand::HarvestV1 => {
                media.harvest_v1.busy = true;
                Some(Job::Harvest(Api::V1, Vec::new(), aws_now))
            }
            Errand::HarvestV2 => {
                media.harvest_v2.busy = true;
                let groups = media.listing.iter().flat_map(|listing| &listing.groups);
                let groups = groups.map(|row| row.value.id.clone()).collect();
                Some(Job::Harvest(Api::V2, groups, aws_now))
            }
            Errand::Details => {
                let batch = media.details.next(now.mono);
                (!batch.is_empty()).then_some(Job::Details(batch))
            }
        };
        if let Some(job) = job {
            media.under_way = Some(errand);
            self.effects.push(Effect::Poll(job));
        }
    }

    /// Takes the end of a job.
    pub(super) fn media_polled(&mut self, now: Now, outcome: Outcome, began: Mono, took: Duration) {
        self.polls.media.under_way = None;
        match outcome {
            Outcome::Inventory(result) => {
                let result = result.map(|listing| self.take_v1(now, listing));
                self.listed(now, MediaApi::V1, result, began, took);
            }
            Outcome::ListV2(result) => self.take_step(now, result, took),
            Outcome::Details(all) => self.take_details(now, all),
            Outcome::Harvest(api, result) => self.take_harvest(now, api, result, began),
            Outcome::Vod(result) => {
                let result = result.map(|vod| self.take_vod(now, vod));
                self.listed(now, MediaApi::Vod, result, began, took);
            }
            Outcome::Series(_) | Outcome::Metrics(..) | Outcome::Alarms(_) | Outcome::Queue(_) => {}
        }
    }

    fn take_step(&mut self, now: Now, result: Result<Rows, Fault>, took: Duration) {
        let Some(mut gathered) = self.polls.media.gathering.take() else {
            return;
        };
        gathered.took += took;
        gathered.waits_since = now.mono;
        let wish = &self.settings.wish;
        let taken = result.and_then(|rows| {
            let takes = |id: &str| wish.takes_channel(id);
            gathered.gathering.take(rows, takes)
        });
        if taken.is_ok() && gathered.gathering.next().is_some() {
            self.polls.media.gathering = Some(gathered);
            return;
        }
        let (began, took) = (gathered.began, gathered.took);
        let result = taken.map(|()| {
            let listing = gathered.gathering.finish();
            self.polls.media.listed_at.get_or_insert(now.mono);
            self.polls.media.details.listed(&listing, now.mono);
            let tries = self.settings.detail_tries;
            let detailed = self.polls.media.details.detailed(listing.clone(), tries);
            self.polls.media.listing = Some(listing);
            self.take_v2(now, detailed);
        });
        self.listed(now, MediaApi::V2, result, began, took);
    }

    fn take_details(&mut self, now: Now, all: Vec<(Resource, Result<Got, Fault>)>) {
        let tries = self.settings.detail_tries;
        let media = &mut self.polls.media;
        let mut fault = None;
        let batch: Vec<Resource> = all.iter().map(|(resource, _)| resource.clone()).collect();
        for (resource, result) in all {
            match result {
                Ok(got) => media.details.took(&resource, got, now.mono),
                Err(failed) => {
                    media.details.failed(&resource, failed.kind, now.mono);
                    fault = Some(failed);
                }
            }
        }
        // What was not asked for any more is wanted again.
        media.details.end(now.mono);
        let asked = |resource: &Resource| batch.contains(resource);
        let listing = media.listing.as_ref();
        let some = listing
            .map(|listing| rows_of(listing, asked))
            .unwrap_or_default();
        let detailed = media.details.detailed(some, tries);
        // One that was removed since it was listed is no trouble.
        let gone = |f: &Fault| f.code.as_deref() == Some("ResourceNotFoundException");
        let fault = fault.filter(|f| f.kind != FaultKind::Stopped && !gone(f));
        // Others that could not be got may still be so.
        if fault.is_some() || !media.details.has_failures() {
            self.complain(now, fault, DETAILS, |complaints| &mut complaints.details);
        }
        self.fill_v2(now, detailed);
    }

    fn take_harvest(
        &mut self,
        now: Now,
        api: Api,
        result: Result<Vec<HarvestJob>, Fault>,
        began: Mono,
    ) {
        let random = self.rng.f64();
        let timer = match api {
            Api::V1 => &mut self.polls.media.harvest_v1,
            Api::V2 => &mut self.polls.media.harvest_v2,
        };
        timer.ended(began, now.mono, result.is_ok(), random);
        if result.as_ref().is_err_and(is_refused) {
            timer.rest_until(now.mono.after(UNAVAILABLE_INTERVAL));
        }
        let fault = match result {
            Ok(jobs) => {
                self.take_jobs(now, api, jobs);
                None
            }
            Err(fault) if fault.kind == FaultKind::Stopped => return,
            Err(fault) => Some(fault),
        };
        match api {
            Api::V1 => self.complain(now, fault, HARVEST_V1, |c| &mut c.harvest_v1),
            Api::V2 => self.complain(now, fault, HARVEST_V2, |c| &mut c.harvest_v2),
        }
    }

    /// Tells trouble beside the listings once, and once that it is over.
    fn complain(
        &mut self,
        now: Now,
        fault: Option<Fault>,
        what: &str,
        place: fn(&mut Complaints) -> &mut Option<Fault>,
    ) {
        let held = place(&mut self.polls.media.complaints);
        let news = match (&*held, &fault) {
            (Some(old), Some(new)) => !old.same_as(new),
            (old, new) => old.is_some() != new.is_some(),
        };
        *held = fault.clone();
        self.told.agent_changed |= news;
        let name = format!("{}: {what}", Source::MediaPackage.as_str());
        match fault {
            Some(fault) => {
                let level = match is_trouble(what, &fault) {
                    true => log::Level::Warn,
                    false => log::Level::Info,
                };
                self.log_wrong(now, &name, level, format!("{name}: {fault}"), news);
                if level > log::Level::Warn {
                    self.logbook.hush(&name);
                }
            }
            None => self.log_right(now, &name, format!("{name}: works again")),
        }
    }

    /// Keeps the API's status and the source's, and tells what is news.
    fn listed(
        &mut self,
        now: Now,
        api: MediaApi,
        result: Result<(), Fault>,
        began: Mono,
        took: Duration,
    ) {
        let random = self.rng.f64();
        let good = result.is_ok();
        let media = &mut self.polls.media;
        media.timer_mut(api).ended(began, now.mono, good, random);
        if result
            .as_ref()
            .is_err_and(|fault| fault.kind == FaultKind::Stopped)
        {
            return;
        }
        let line = result.as_ref().err().map(ToString::to_string);
        let news = media.apis.take(api, result, now.wall);
        let is = media.apis.state(api);
        if is == ApiState::Unavailable {
            let again = now.mono.after(UNAVAILABLE_INTERVAL);
            media.timer_mut(api).rest_until(again);
        }
        for other in news.retry {
            media.timer_mut(other).hasten(now.mono);
        }
        let verdict = media.apis.verdict();
        let status = self.told.source(Source::MediaPackage);
        status.duration_ms = took.as_millis() as u64;
        status.count(good);
        let turned = match verdict {
            None => false,
            Some(Ok(())) => status.works(now.wall, now.mono),
            Some(Err(fault)) => status.fails(fault, now.wall),
        };
        self.told.agent_changed |= turned || news.told;
        self.tell_api(now, api, is, line, news.told);
    }

    fn tell_api(
        &mut self,
        now: Now,
        api: MediaApi,
        is: ApiState,
        line: Option<String>,
        is_news: bool,
    ) {
        let source = Source::MediaPackage.as_str();
        let name = match self.settings.apis.len() {
            // It is the source.
            1 => source.to_owned(),
            _ => format!("{source} {}", api.as_str()),
        };
        match line {
            Some(line) => {
                let mut text = format!("{name}: {line}");
                if is == ApiState::Unavailable {
                    text += &format!(
                        ", or leave \"{}\" out of apis; the others go on, and this is tried again \
                         each hour",
                        api.as_str()
                    );
                }
                self.log_wrong(now, &name, log::Level::Warn, text, is_news);
                if is == ApiState::Unavailable {
                    self.logbook.hush(&name);
                }
            }
            None if self.logbook.is_wrong(&name) => {
                self.log_right(now, &name, format!("{name}: works again"));
            }
            None if is_news => self.log(log::Level::Info, format!("{name}: works")),
            None => {}
        }
    }

    /// Whether what is said of MediaPackage as a whole can be said: every API that is wanted
    /// was asked once.
    pub(super) fn is_overview_known(&self) -> bool {
        let vod = self.inventory.listings_of(MediaApi::Vod);
        self.inventory.listings() + vod > 0 && self.polls.media.apis.all_asked()
    }
}

/// Some rows of a listing.
fn rows_of(listing: &Listing, wanted: impl Fn(&Resource) -> bool) -> Listing {
    let groups = listing.groups.iter().filter(|row| wanted(&row.resource));
    let channels = listing.channels.iter().filter(|row| wanted(&row.resource));
    let endpoints = listing.endpoints.iter().filter(|row| wanted(&row.resource));
    Listing {
        groups: groups.cloned().collect(),
        channels: channels.cloned().collect(),
        endpoints: endpoints.cloned().collect(),
    }
}
