//! Asks AWS what the engine wants to know. No timers and no policy here: a job comes in, an
//! outcome goes out.

use std::sync::Arc;

use super::clock::Clock;
use super::queue::Mailbox;
use crate::aws::clock::AwsClock;
use crate::aws::{Clients, Service, cloudwatch, harvest, mediapackage, mediapackage_v2, vod};
use crate::engine::watch::Progress;
use crate::engine::{Job, Outcome, Polled, Question};
use crate::state::catalogue;
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::{Api, HarvestJob, Id};
use crate::state::polled::{Got, ListedMetric, Resource};
use crate::state::time::UnixMs;

/// What a poller needs to answer jobs.
#[derive(Clone)]
pub struct Poller {
    /// The services.
    pub clients: Arc<Clients>,
    /// The offset that their answers teach.
    pub aws_clock: AwsClock,
    /// Ours.
    pub clock: Clock,
    /// The queue.
    pub mailbox: Arc<Mailbox>,
}

impl Poller {
    /// Carries out one job; returns when it is answered, has failed, or the agent stops.
    pub fn answer(&self, job: Job) -> Polled {
        let began = self.clock.now().mono;
        let service = self.service(&job);
        let requests = || service.map_or(0, Service::requests);
        let requests_before = requests();
        let outcome = self.ask(service.ok_or_else(not_asked_for), job);
        let learned = self.aws_clock.learned();
        Polled {
            outcome,
            began,
            took: self.clock.now().mono.since(began),
            requests: requests() - requests_before,
            clock_offset_ms: learned.then(|| self.aws_clock.offset_ms()),
        }
    }

    /// What all threads have sent so far.
    pub fn progress(&self) -> Progress {
        let clients = &self.clients;
        let sent = |service: &Option<Service>| service.as_ref().map_or(0, Service::requests);
        let media = clients.mediapackage.requests();
        let media = media + sent(&clients.mediapackage_v2) + sent(&clients.vod);
        Progress([
            media,
            clients.cloudwatch.requests(),
            clients.alarms.requests(),
            sent(&clients.sqs),
        ])
    }

    fn service(&self, job: &Job) -> Option<&Service> {
        let clients = &self.clients;
        match job {
            Job::Inventory | Job::Harvest(Api::V1, ..) => Some(&clients.mediapackage),
            Job::ListV2(_) | Job::Details(_) | Job::Harvest(Api::V2, ..) => {
                clients.mediapackage_v2.as_ref()
            }
            Job::Vod => clients.vod.as_ref(),
            Job::Series(_) | Job::Metrics(_) => Some(&clients.cloudwatch),
            Job::Alarms => Some(&clients.alarms),
            Job::Queue(_) => clients.sqs.as_ref(),
        }
    }

    fn ask(&self, service: Result<&Service, Fault>, job: Job) -> Outcome {
        match job {
            Job::Inventory => Outcome::Inventory(service.and_then(mediapackage::poll)),
            Job::ListV2(step) => {
                Outcome::ListV2(service.and_then(|s| mediapackage_v2::list_step(s, &step)))
            }
            Job::Details(batch) => Outcome::Details(service.map_or(Vec::new(), |s| get(s, batch))),
            Job::Harvest(api, groups, now) => {
                Outcome::Harvest(api, service.and_then(|s| jobs(s, api, &groups, now)))
            }
            Job::Vod => Outcome::Vod(service.and_then(vod::poll)),
            Job::Series(level) => {
                let wanted = |row: &ListedMetric| catalogue::is_asked(row, level);
                Outcome::Series(service.and_then(|s| cloudwatch::list_metrics(s, wanted)))
            }
            Job::Alarms => Outcome::Alarms(service.and_then(cloudwatch::describe_alarms)),
            Job::Queue(job) => Outcome::Queue(self.mailbox.answer(service, job, &self.aws_clock)),
            Job::Metrics(question) => {
                let Question {
                    series, first, end, ..
                } = &question;
                let queries: Vec<_> = series.iter().map(|s| &s.query).collect();
                let columns =
                    service.and_then(|s| cloudwatch::metric_data(s, &queries, *first, *end));
                Outcome::Metrics(question, columns)
            }
        }
    }
}

/// The engine asks only for what the config asks for.
fn not_asked_for() -> Fault {
    Fault::new(
        FaultKind::Refused,
        "the config does not ask for this API",
        "",
    )
}

fn jobs(service: &Service, api: Api, groups: &[Id], now: UnixMs) -> Result<Vec<HarvestJob>, Fault> {
    let wanted = |job: &HarvestJob| job.is_shown(now);
    match api {
        Api::V1 => harvest::list_v1(service, wanted),
        Api::V2 => harvest::list_v2(service, groups, wanted),
    }
}

/// One after the other, until one fails in a way that all the others would.
fn get(service: &Service, batch: Vec<Resource>) -> Vec<(Resource, Result<Got, Fault>)> {
    let mut all = Vec::with_capacity(batch.len());
    for resource in batch {
        let got = mediapackage_v2::get(service, &resource);
        let ends = got.as_ref().is_err_and(|fault| fault.kind.concerns_all());
        all.push((resource, got));
        if ends {
            break;
        }
    }
    all
}
