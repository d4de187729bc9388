//! Harvest jobs: which are shown, and which of their changes are news.
//!
//! A change is learned by polling or by an event that AWS pushes, whichever is first; it is
//! told once. The memory for that is small, and lost at a restart.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde::Deserialize;

use super::model::{Api, HarvestJob, Id};
use super::time::UnixMs;

/// Jobs shown, the newest of all.
pub const JOBS_MAX: usize = 500;
/// Changes remembered as told.
const TOLD_MAX: usize = 1000;
/// Complete listings that must lack a job before it counts as gone.
const ABSENCES_BEFORE_GONE: u8 = 2;

#[derive(Clone, Debug)]
struct Held {
    job: HarvestJob,
    absences: u8,
}

/// A change of a job's status that nobody was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobChange {
    /// The job.
    pub id: Id,
    /// The status before, where it was known.
    pub from: Option<String>,
    /// The status now.
    pub to: String,
}

/// What a listing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HarvestChanges {
    /// Jobs that are new, or of which something changed.
    pub touched: Vec<Id>,
    /// Jobs that are not shown any more.
    pub removed: Vec<Id>,
    /// What is news.
    pub news: Vec<JobChange>,
}

/// The jobs that are shown.
#[derive(Clone, Debug, Default)]
pub struct HarvestJobs {
    held: BTreeMap<Id, Held>,
    listings: HashMap<Api, u64>,
    /// Oldest first.
    told: VecDeque<(Id, String)>,
}

impl HarvestJobs {
    /// Takes a complete listing of one API at `now`, AWS's time. What the first one shows is no
    /// news.
    pub fn apply(&mut self, api: Api, jobs: Vec<HarvestJob>, now: UnixMs) -> HarvestChanges {
        let listings = self.listings.entry(api).or_default();
        *listings += 1;
        let first = *listings == 1;
        let mut changes = HarvestChanges {
            removed: self.expire(now),
            ..HarvestChanges::default()
        };
        for held in self.held.values_mut().filter(|held| held.job.api == api) {
            held.absences += 1;
        }
        for job in self.newest(api, jobs, now, &mut changes.removed) {
            let held = self.held.get_mut(&job.id);
            let before = held.as_ref().and_then(|held| held.job.status.clone());
            if held.as_ref().is_none_or(|held| held.job != job) {
                changes.touched.push(job.id.clone());
            }
            let to = job.status.clone().filter(|to| before.as_ref() != Some(to));
            if let Some(to) = to.filter(|_| !first)
                && self.heard(&job.id, &to)
            {
                let (id, from) = (job.id.clone(), before);
                changes.news.push(JobChange { id, from, to });
            }
            let absences = 0;
            self.held.insert(job.id.clone(), Held { job, absences });
        }
        let gone = self
            .held
            .extract_if(.., |_, held| held.absences >= ABSENCES_BEFORE_GONE);
        changes.removed.extend(gone.map(|(id, _)| id));
        changes
    }

    /// Those of a listing that are among the newest of all. What is held and is not goes.
    fn newest(
        &mut self,
        api: Api,
        jobs: Vec<HarvestJob>,
        now: UnixMs,
        removed: &mut Vec<Id>,
    ) -> Vec<HarvestJob> {
        let mine = |job: &HarvestJob| job.api == api && job.is_shown(now);
        let foreign = |id: &Id| self.held.get(id).is_some_and(|held| held.job.api != api);
        let mut listed: Vec<HarvestJob> = jobs.into_iter().filter(mine).collect();
        listed.retain(|job| !foreign(&job.id));
        let of_listing: HashSet<Id> = listed.iter().map(|job| job.id.clone()).collect();
        let held = self.held.values().map(|held| &held.job);
        let held = held.filter(|job| !of_listing.contains(&job.id));
        let all = held.chain(&listed);
        let mut order: Vec<_> = all.map(|job| (job.created_at, job.id.clone())).collect();
        if order.len() <= JOBS_MAX {
            return listed;
        }
        order.sort_unstable_by(|a, b| b.cmp(a));
        let beyond: HashSet<Id> = order.drain(JOBS_MAX..).map(|(_, id)| id).collect();
        let gone = self.held.extract_if(.., |id, _| beyond.contains(id));
        removed.extend(gone.map(|(id, _)| id));
        listed.retain(|job| !beyond.contains(&job.id));
        listed
    }

    /// Removes what ended long ago, by `now`, AWS's time.
    pub fn expire(&mut self, now: UnixMs) -> Vec<Id> {
        let over = self.held.extract_if(.., |_, held| !held.job.is_shown(now));
        over.map(|(id, _)| id).collect()
    }

    /// A job has this status. True when nobody was told yet; now somebody is.
    pub fn heard(&mut self, id: &Id, status: &str) -> bool {
        let last = self.told.iter().find(|(of, _)| of == id);
        let last = last.map(|(_, status)| status.as_str());
        // A listing may lag behind an event: what has ended does not go on.
        let lags = last.is_some_and(HarvestJob::is_end) && !HarvestJob::is_end(status);
        if last == Some(status) || lags {
            return false;
        }
        // It may go back to a status that it had before.
        self.told.retain(|(of, _)| of != id);
        if self.told.len() >= TOLD_MAX {
            self.told.pop_front();
        }
        self.told.push_back((id.clone(), status.to_owned()));
        true
    }

    /// Complete listings of one API so far.
    pub fn listings(&self, api: Api) -> u64 {
        self.listings.get(&api).copied().unwrap_or(0)
    }

    /// The job of this id.
    pub fn get(&self, id: &str) -> Option<&HarvestJob> {
        self.held.get(id).map(|held| &held.job)
    }
}

/// The id of the job that an event's `detail` tells of, as [`HarvestJob::id`] has it.
///
/// Source: MediaPackage user guides v1 and v2, "Harvest job notification events".
pub fn named_in(detail: &str) -> Option<Id> {
    #[derive(Deserialize)]
    struct Detail {
        harvest_job: Option<V1>,
        #[serde(rename = "harvestJob")]
        job: Option<V2>,
    }
    #[derive(Deserialize)]
    struct V1 {
        id: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct V2 {
        harvest_job_name: String,
        channel_group_name: String,
        channel_name: String,
        origin_endpoint_name: String,
    }
    let detail: Detail = serde_json::from_str(detail).ok()?;
    let v2 = |job: V2| {
        let parts = [
            job.channel_group_name,
            job.channel_name,
            job.origin_endpoint_name,
            job.harvest_job_name,
        ];
        Id::from(parts.join("."))
    };
    detail
        .job
        .map(v2)
        .or(detail.harvest_job.map(|job| job.id.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = HarvestJob::SHOWN_MS;

    fn job(id: &str, api: Api, status: &str, created: i64) -> HarvestJob {
        HarvestJob {
            id: id.into(),
            api,
            arn: None,
            channel_id: None,
            endpoint_id: None,
            status: Some(status.into()),
            message: None,
            start_time: None,
            end_time: None,
            created_at: Some(UnixMs(created)),
            modified_at: None,
            bucket: None,
            key: None,
        }
    }

    fn news(changes: &HarvestChanges) -> Vec<String> {
        let line = |change: &JobChange| {
            let from = change.from.as_deref().unwrap_or("-");
            format!("{} {from}>{}", change.id, change.to)
        };
        changes.news.iter().map(line).collect()
    }

    #[test]
    fn a_change_is_told_once_whichever_way_it_is_learned() {
        let mut jobs = HarvestJobs::default();
        let now = UnixMs(1000);
        let first = jobs.apply(Api::V1, vec![job("a", Api::V1, "IN_PROGRESS", 1)], now);
        assert_eq!((first.touched.len(), news(&first)), (1, vec![]));
        let list = |a: &str, b: &str| vec![job("a", Api::V1, a, 1), job("b", Api::V1, b, 2)];
        let second = jobs.apply(Api::V1, list("IN_PROGRESS", "IN_PROGRESS"), now);
        assert_eq!(news(&second), ["b ->IN_PROGRESS"]);
        // Pushed first.
        assert!(jobs.heard(&"a".into(), "SUCCEEDED"));
        assert!(!jobs.heard(&"a".into(), "SUCCEEDED"));
        // A listing that lags behind the event.
        assert!(!jobs.heard(&"a".into(), "IN_PROGRESS"));
        assert!(!jobs.heard(&"a".into(), "SUCCEEDED"));
        let third = jobs.apply(Api::V1, list("SUCCEEDED", "FAILED"), now);
        assert_eq!(news(&third), ["b IN_PROGRESS>FAILED"]);
        assert_eq!(third.touched.len(), 2);
        // Polled first.
        assert!(!jobs.heard(&"b".into(), "FAILED"));
        let again = jobs.apply(Api::V1, list("SUCCEEDED", "FAILED"), now);
        assert_eq!(again, HarvestChanges::default());
    }

    #[test]
    fn a_job_goes_a_day_after_its_end_or_when_two_listings_of_its_api_lack_it() {
        let mut jobs = HarvestJobs::default();
        let now = UnixMs(DAY_MS);
        let old = job("old", Api::V1, "FAILED", 500);
        jobs.apply(
            Api::V1,
            vec![old.clone(), job("new", Api::V1, "X", 600)],
            now,
        );
        jobs.apply(Api::V2, vec![job("v2", Api::V2, "QUEUED", 1)], now);
        assert_eq!(jobs.expire(UnixMs(DAY_MS + 499)), []);
        assert_eq!(jobs.expire(UnixMs(DAY_MS + 500)), ["old".into()]);
        let late = UnixMs(DAY_MS + 600);
        assert_eq!(jobs.apply(Api::V1, vec![old], late).touched, []);
        let gone = jobs.apply(Api::V1, vec![], late);
        assert_eq!(gone.removed, ["new".into()]);
        assert!(jobs.get("v2").is_some(), "the other API's stay");
    }

    #[test]
    fn the_newest_are_kept_and_no_more_and_they_stay_so() {
        let mut jobs = HarvestJobs::default();
        let now = UnixMs(0);
        let many = |api, n: i64| -> Vec<HarvestJob> {
            let name = |i| format!("{}-{i:05}", api_name(api));
            (0..n)
                .map(|i| job(&name(i), api, "IN_PROGRESS", i))
                .collect()
        };
        fn api_name(api: Api) -> &'static str {
            api.as_str()
        }
        assert_eq!(
            jobs.apply(Api::V1, many(Api::V1, 450), now).touched.len(),
            450
        );
        let changes = jobs.apply(Api::V2, many(Api::V2, 10_000), now);
        assert_eq!(changes.touched.len(), JOBS_MAX);
        assert_eq!(changes.removed.len(), 450);
        assert!(jobs.get("v2-09999").is_some() && jobs.get("v2-09499").is_none());
        for (api, n) in [(Api::V1, 450), (Api::V2, 10_000), (Api::V1, 450)] {
            assert_eq!(
                jobs.apply(api, many(api, n), now),
                HarvestChanges::default()
            );
        }
        assert_eq!(jobs.held.len(), JOBS_MAX);
    }

    #[test]
    fn an_event_names_its_job_as_a_listing_does() {
        let v2 = r#"{"harvestJob":{"harvestJobName":"j","channelGroupName":"g",
            "channelName":"c","originEndpointName":"e","status":"FAILED"}}"#;
        let cases = [
            (
                r#"{"harvest_job":{"id":"job","x":1},"message":"m"}"#,
                Some("job"),
            ),
            (v2, Some("g.c.e.j")),
            (r#"{"harvestJob":{"harvestJobName":"j"}}"#, None),
            (r#"{"harvest_job":{"id":7}}"#, None),
            (r#""cut"#, None),
            ("{}", None),
        ];
        for (detail, wanted) in cases {
            assert_eq!(named_in(detail).as_deref(), wanted, "{detail}");
        }
    }

    #[test]
    fn the_memory_of_what_was_told_does_not_grow() {
        let mut jobs = HarvestJobs::default();
        for n in 0..3000 {
            assert!(jobs.heard(&format!("{n}").into(), "FAILED"));
        }
        assert_eq!(jobs.told.len(), TOLD_MAX);
    }
}
