//! AWS without the wire: what the region holds, read by the agent's own code out of the region's
//! own answers. What nobody changed since is not read twice.

use std::cell::Cell;
use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use pure::aws::client::{Asked, Reply, Service};
use pure::aws::{cloudwatch, harvest, mediapackage, mediapackage_v2, vod};
use pure::engine::{Job, Outcome, Question};
use pure::state::catalogue;
use pure::state::fault::Fault;
use pure::state::model::Api;
use pure::state::polled::{Column, Query};

use crate::region::refusal::Refusal;
use crate::region::series::key;
use crate::region::server::{Answer, Request, Seen};
use crate::region::world::{Clock, World};
use crate::region::{self, Fault as Planned};

/// What befalls the requests of one operation, or of a whole service.
#[derive(Clone)]
pub struct Trouble {
    /// `monitoring:DescribeAlarms`, `mediapackage:`, or nothing for all.
    pub of: &'static str,
    pub how: How,
    /// The first page of a listing comes as it should.
    pub later_pages: bool,
}

#[derive(Clone)]
pub enum How {
    /// Nobody answers.
    Away,
    /// The last quarter of the answer is missing; its secrets are in the rest.
    Short,
    /// The connection ends within the answer.
    Cut,
    Planned(Planned),
}

pub struct Aws {
    world: World,
    /// Counts the changes, those of alarms by themselves.
    version: u64,
    alarms_version: u64,
    read: HashMap<String, (u64, Outcome)>,
    pub troubles: Vec<Trouble>,
    /// Data points go by way of JSON too.
    pub points_by_json: bool,
}

/// What came of a job.
pub struct Ended {
    pub outcome: Outcome,
    pub requests: u64,
    /// Whether any answer told AWS's time.
    pub told_time: bool,
}

impl Aws {
    pub fn new(world: World, points_by_json: bool) -> Aws {
        Aws {
            world,
            version: 0,
            alarms_version: 0,
            read: HashMap::new(),
            troubles: Vec::new(),
            points_by_json,
        }
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn edit<T>(&mut self, now_ms: i64, change: impl FnOnce(&mut World) -> T) -> T {
        self.version += 1;
        self.world.clock = Clock::Fixed(now_ms);
        change(&mut self.world)
    }

    /// Changes alarms and nothing else.
    pub fn edit_alarms<T>(&mut self, now_ms: i64, change: impl FnOnce(&mut World) -> T) -> T {
        self.alarms_version += 1;
        self.world.clock = Clock::Fixed(now_ms);
        change(&mut self.world)
    }

    fn trouble(&self, action: &str) -> Option<&Trouble> {
        self.troubles.iter().find(|t| action.starts_with(t.of))
    }

    pub fn answer(&mut self, job: Job, now_ms: i64) -> Ended {
        self.world.clock = Clock::Fixed(now_ms);
        let (requests, told_time) = (Cell::new(0), Cell::new(false));
        let is_well = !actions(&job)
            .iter()
            .any(|action| self.trouble(action).is_some());
        let name = cache_name(&job).filter(|_| is_well);
        let current = match job {
            Job::Alarms => self.alarms_version,
            _ => self.version,
        };
        let known = name.as_ref().and_then(|name| self.read.get(name));
        if let Some((version, outcome)) = known
            && *version == current
        {
            let outcome = outcome.clone();
            return Ended {
                outcome: shown(job, outcome),
                requests: 1,
                told_time: true,
            };
        }
        if let Job::Metrics(question) = &job
            && !self.points_by_json
            && self.trouble("monitoring:GetMetricData").is_none()
        {
            let columns = question
                .series
                .iter()
                .map(|s| self.column(&s.query, question));
            let columns = columns.collect();
            return Ended {
                outcome: Outcome::Metrics(question.clone(), Ok(columns)),
                requests: 1,
                told_time: true,
            };
        }
        let carry = |asked: &Asked<'_>| {
            requests.set(requests.get() + 1);
            self.carry(asked, &told_time)
        };
        let outcome = ask(&Service::asking(&carry), &job);
        if let Some(name) = name {
            self.read.insert(name, (current, outcome.clone()));
        }
        Ended {
            outcome: shown(job, outcome),
            requests: requests.get(),
            told_time: told_time.get(),
        }
    }

    fn carry(&self, asked: &Asked<'_>, told_time: &Cell<bool>) -> Reply {
        let (path, query) = asked.target.split_once('?').unwrap_or((asked.target, ""));
        let headers = asked.headers.iter();
        let request = Request {
            method: asked.method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers
                .map(|(n, v)| (n.to_ascii_lowercase(), v.to_string()))
                .collect(),
            body: asked.body.to_vec(),
            port: 0,
        };
        let (service, operation) = place(&request);
        let mut seen = Seen {
            service: service.to_owned(),
            operation: operation.to_owned(),
            ..Seen::default()
        };
        let right = self.serve(&request, &mut seen);
        let right = right.unwrap_or_else(|refusal| refusal.answer(service));
        let trouble = self.trouble(&format!("{service}:{operation}"));
        let trouble = trouble.filter(|t| !t.later_pages || seen.continued);
        let answer = match trouble.map(|t| &t.how) {
            None => right,
            Some(How::Away) => return None,
            Some(How::Cut) => {
                told_time.set(true);
                return None;
            }
            Some(How::Short) => {
                let end = right.body.len() * 3 / 4;
                let body = right.body[..end].to_vec();
                Answer { body, ..right }
            }
            Some(How::Planned(fault)) => fault.answer(service, &right)?,
        };
        told_time.set(true);
        Some((answer.status, headers_of(&answer), answer.body))
    }

    fn serve(&self, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
        match seen.service.as_str() {
            "monitoring" => region::cloudwatch::serve(&self.world, request, seen),
            "mediapackagev2" => region::mediapackage_v2::serve(&self.world, request, seen),
            "mediapackage-vod" => region::vod::serve(&self.world, request, seen),
            _ => region::mediapackage::serve(&self.world, request, seen),
        }
    }

    fn column(&self, query: &Query, question: &Question) -> Column {
        let key = key(
            query.metric,
            query.dimensions.iter().map(|(n, v)| (*n, &**v)),
        );
        let (series, now_ms) = (self.world.metrics.get(&key), self.world.now_ms());
        let value = |minute| {
            series
                .and_then(|s| s.at(minute, now_ms))
                .unwrap_or(f64::NAN)
        };
        Column {
            first: question.first,
            values: (question.first.0..question.end.0).map(value).collect(),
        }
    }
}

/// What a listing asks for.
fn actions(job: &Job) -> &'static [&'static str] {
    match job {
        Job::Inventory => &[
            "mediapackage:ListChannels",
            "mediapackage:ListOriginEndpoints",
        ],
        Job::Harvest(Api::V1, ..) => &["mediapackage:ListHarvestJobs"],
        Job::Harvest(Api::V2, ..) => &["mediapackagev2:ListHarvestJobs"],
        Job::Vod => &[
            "mediapackage-vod:ListPackagingGroups",
            "mediapackage-vod:ListPackagingConfigurations",
        ],
        Job::ListV2(_) => &[
            "mediapackagev2:ListChannelGroups",
            "mediapackagev2:ListChannels",
            "mediapackagev2:ListOriginEndpoints",
        ],
        Job::Series(_) => &["monitoring:ListMetrics"],
        Job::Alarms => &["monitoring:DescribeAlarms"],
        Job::Metrics(_) | Job::Details(_) | Job::Queue(_) => &[],
    }
}

/// Listings that are the same until something changes.
fn cache_name(job: &Job) -> Option<String> {
    match job {
        Job::Harvest(api, groups, _) => Some(format!("{api:?} {groups:?}")),
        Job::Metrics(_) | Job::Details(_) | Job::Queue(_) => None,
        job => Some(format!("{job:?}")),
    }
}

/// Harvest jobs are shown for a time only.
fn shown(job: Job, outcome: Outcome) -> Outcome {
    match (job, outcome) {
        (Job::Harvest(_, _, now), Outcome::Harvest(api, Ok(mut jobs))) => {
            jobs.retain(|job| job.is_shown(now));
            Outcome::Harvest(api, Ok(jobs))
        }
        (_, outcome) => outcome,
    }
}

/// As the agent's poller does it.
fn ask(service: &Service<'_>, job: &Job) -> Outcome {
    match job {
        Job::Inventory => Outcome::Inventory(mediapackage::poll(service)),
        Job::ListV2(step) => Outcome::ListV2(mediapackage_v2::list_step(service, step)),
        Job::Details(batch) => {
            let mut all = Vec::new();
            for resource in batch {
                let got = mediapackage_v2::get(service, resource);
                let ends = got.as_ref().is_err_and(|fault| fault.kind.concerns_all());
                all.push((resource.clone(), got));
                if ends {
                    break;
                }
            }
            Outcome::Details(all)
        }
        Job::Harvest(api, groups, _) => Outcome::Harvest(
            *api,
            match api {
                Api::V1 => harvest::list_v1(service, |_| true),
                Api::V2 => harvest::list_v2(service, groups, |_| true),
            },
        ),
        Job::Vod => Outcome::Vod(vod::poll(service)),
        Job::Series(level) => {
            let wanted = |row: &_| catalogue::is_asked(row, *level);
            Outcome::Series(cloudwatch::list_metrics(service, wanted))
        }
        Job::Alarms => Outcome::Alarms(cloudwatch::describe_alarms(service)),
        Job::Metrics(question) => {
            let queries: Vec<_> = question.series.iter().map(|s| &s.query).collect();
            let (first, end) = (question.first, question.end);
            let columns: Result<Vec<Column>, Fault> =
                cloudwatch::metric_data(service, &queries, first, end);
            Outcome::Metrics(question.clone(), columns)
        }
        Job::Queue(_) => unreachable!("the queue is asked elsewhere"),
    }
}

/// Service and operation of a request.
fn place(request: &Request) -> (&'static str, String) {
    if let Some(target) = request.header("x-amz-target") {
        return (
            "monitoring",
            target.rsplit('.').next().unwrap_or_default().to_owned(),
        );
    }
    let all = [
        ("mediapackage", region::mediapackage::operation(request)),
        (
            "mediapackagev2",
            region::mediapackage_v2::operation(request),
        ),
        ("mediapackage-vod", region::vod::operation(request)),
    ];
    let known = all
        .into_iter()
        .find(|(_, name)| *name != region::server::UNKNOWN);
    let (service, operation) = known.unwrap_or(all[0]);
    (service, operation.to_owned())
}

fn headers_of(answer: &Answer) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    headers
}
