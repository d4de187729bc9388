//! Asks AWS what the engine wants to know. No timers and no policy here: a job comes in, an
//! outcome goes out.

use std::sync::Arc;

use super::clock::Clock;
use crate::aws::clock::AwsClock;
use crate::aws::{Clients, cloudwatch, mediapackage};
use crate::engine::{Job, Outcome, Polled, Question};
use crate::state::catalogue;
use crate::state::polled::ListedMetric;

/// What a poller needs to answer jobs.
#[derive(Clone)]
pub struct Poller {
    /// The services.
    pub clients: Arc<Clients>,
    /// The offset that their answers teach.
    pub aws_clock: AwsClock,
    /// Ours.
    pub clock: Clock,
}

impl Poller {
    /// Carries out one job; returns when it is answered, has failed, or the agent stops.
    pub fn answer(&self, job: Job) -> Polled {
        let began = self.clock.now().mono;
        let service = match &job {
            Job::Inventory => &self.clients.mediapackage,
            _ => &self.clients.cloudwatch,
        };
        let requests_before = service.requests();
        let outcome = match job {
            Job::Inventory => Outcome::Inventory(mediapackage::poll(service)),
            Job::Series(level) => {
                let wanted = |row: &ListedMetric| catalogue::is_asked(row, level);
                Outcome::Series(cloudwatch::list_metrics(service, wanted))
            }
            Job::Alarms => Outcome::Alarms(cloudwatch::describe_alarms(service)),
            Job::Metrics(question) => {
                let Question {
                    series, first, end, ..
                } = &question;
                let queries: Vec<_> = series.iter().map(|s| s.query.clone()).collect();
                let columns = cloudwatch::metric_data(service, &queries, *first, *end);
                Outcome::Metrics(question, columns)
            }
        };
        let learned = self.aws_clock.learned();
        Polled {
            outcome,
            began,
            took: self.clock.now().mono.since(began),
            requests: service.requests() - requests_before,
            clock_offset_ms: learned.then(|| self.aws_clock.offset_ms()),
        }
    }
}
