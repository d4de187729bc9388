//! What AWS says: credentials, clock, the inventory, and each permission of CloudWatch.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::super::clock::Clock;
use super::super::poller::Poller;
use super::super::threads::Threads;
use super::cost::{self, Pages};
use super::report::Report;
use super::{AWS_SECONDS_MAX, place};
use crate::aws::credentials::Credentials;
use crate::aws::{Stop, cloudwatch};
use crate::config::{AlarmsKept, Config, MetricsLevel};
use crate::engine::meter::Meter;
use crate::error::Failure;
use crate::state::alarms::Alarms;
use crate::state::catalogue::Catalogue;
use crate::state::fault::{Fault, FaultKind};
use crate::state::inventory::Inventory;
use crate::state::model::account_of;
use crate::state::polled::{self, Query, Statistic};
use crate::state::time::Mono;

/// Further from AWS's clock than this is worth a warning.
const OFFSET_SECONDS_MAX: u64 = 60;
/// Series that `GetMetricData` is asked for, to see that it answers.
const SERIES_ASKED_MAX: usize = 10;
/// Minutes that they are asked for.
const MINUTES_ASKED: i64 = 30;

/// What was learned of AWS, for the parts that come after it.
#[derive(Default)]
pub struct Picture {
    /// The account, read from ARNs.
    pub account: Option<String>,
    /// Channels and endpoints that are taken.
    pub inventory: Inventory,
    /// Alarms that are kept.
    pub alarms: Alarms,
    /// Series that CloudWatch has.
    catalogue: Catalogue,
    pages: Pages,
    meter: Meter,
}

/// Asks AWS for everything that the agent would ask for, once.
///
/// # Errors
///
/// When the system gives no thread.
pub fn check<W: Write>(
    report: &mut Report<W>,
    config: &Config,
    stop: &Stop,
    threads: &mut Threads,
) -> Result<Picture, Failure> {
    let mut picture = Picture::default();
    let limit = Stop::new();
    let poller = match super::super::poller(config, Clock::start(), limit.clone()) {
        Ok(poller) => poller,
        Err(failure) => {
            report.fail("aws", &failure.message, "");
            return Ok(picture);
        }
    };
    watch(threads, &poller, stop, limit)?;
    let mut asking = Asking {
        report,
        config,
        poller: &poller,
        stop,
        blocked: None,
    };
    asking.mediapackage(&mut picture);
    asking.cloudwatch(&mut picture);
    asking.queue(&picture);
    if !stop.requested() {
        asking.conclude(&picture);
    }
    Ok(picture)
}

/// Ends whatever AWS has not answered when the time is over, or when `stop` is requested.
fn watch(threads: &mut Threads, poller: &Poller, stop: &Stop, limit: Stop) -> Result<(), Failure> {
    let (stop, clients) = (stop.clone(), Arc::clone(&poller.clients));
    threads.spawn("check-limit", move || {
        stop.wait(Duration::from_secs(AWS_SECONDS_MAX));
        limit.request();
        clients.interrupt();
    })
}

/// What is asked, with whom it is told.
pub(super) struct Asking<'a, W: Write> {
    pub(super) report: &'a mut Report<W>,
    pub(super) config: &'a Config,
    pub(super) poller: &'a Poller,
    /// Thrown by a signal; the time limit has a switch of its own.
    stop: &'a Stop,
    /// Why there is no use in asking for more.
    pub(super) blocked: Option<FaultKind>,
}

impl<W: Write> Asking<'_, W> {
    /// Notes what a failed call means for those that come after it.
    fn block(&mut self, fault: &Fault) {
        let for_all = matches!(
            fault.kind,
            FaultKind::Credentials | FaultKind::Clock | FaultKind::Network | FaultKind::Stopped
        );
        if for_all {
            self.blocked = Some(fault.kind);
        }
    }

    /// Asks, and reports a failure; `None` when there is no answer.
    pub(super) fn ask<T>(
        &mut self,
        part: &str,
        call: impl FnOnce() -> Result<T, Fault>,
    ) -> Option<T> {
        if let Some(kind) = self.blocked {
            let why = match kind {
                FaultKind::Credentials => "the credentials do not work",
                FaultKind::Clock => "the clock is wrong",
                FaultKind::Stopped => "the time is over",
                _ => "there is no connection",
            };
            self.report.note(part, &format!("not asked, since {why}"));
            return None;
        }
        match call() {
            Ok(answer) => Some(answer),
            Err(fault) => {
                self.block(&fault);
                match fault.kind {
                    FaultKind::Stopped if self.stop.requested() => {
                        self.report.note(part, "stopped before it was known");
                    }
                    FaultKind::Stopped => {
                        let found = format!("AWS takes more than {AWS_SECONDS_MAX} s to answer");
                        self.report
                            .fail(part, &found, "check the network and the proxy");
                    }
                    _ => self.report.fault(part, &fault),
                }
                None
            }
        }
    }

    /// Another host may be reached another way.
    pub(super) fn reach_another_host(&mut self) {
        if self.blocked == Some(FaultKind::Network) {
            self.blocked = None;
        }
    }

    pub(super) fn clock(&mut self) {
        const PART: &str = "clock";
        if place::local_clock(self.report) {
            return;
        }
        let clock = &self.poller.aws_clock;
        if !clock.learned() {
            self.report
                .note(PART, "AWS's time is not known, since AWS did not answer");
            return;
        }
        let seconds = (clock.offset_ms() + 500).div_euclid(1000);
        let way = if seconds < 0 { "ahead of" } else { "behind" };
        let found = format!("this machine's clock is {} s {way} AWS's", seconds.abs());
        if seconds.unsigned_abs() > OFFSET_SECONDS_MAX {
            let remedy = "set it (NTP); the agent allows for it as long as it lasts";
            self.report.warn(PART, &found, remedy);
        } else {
            self.report.ok(PART, &found);
        }
    }

    pub(super) fn credentials(
        &mut self,
        found: &Result<Credentials, Fault>,
        refused: Option<&Fault>,
    ) {
        const PART: &str = "credentials";
        match (found, refused) {
            (Err(fault), _) => {
                self.block(fault);
                // However they were not to be had, no other host will take us without.
                if fault.kind != FaultKind::Stopped {
                    self.blocked = Some(FaultKind::Credentials);
                }
                self.report.fault(PART, fault);
            }
            (Ok(_), Some(fault)) => {
                self.block(fault);
                self.report.fault(PART, fault);
            }
            (Ok(found), None) => {
                let end = found.expires_at;
                let until = end.map(|end| format!(", valid until {end}"));
                let until = until.unwrap_or_default();
                self.report
                    .ok(PART, &format!("taken from {}{until}", found.source));
            }
        }
    }

    /// Each call of CloudWatch, so that each permission that is missing is told.
    fn cloudwatch(&mut self, picture: &mut Picture) {
        self.reach_another_host();
        let config = &self.config.cloudwatch;
        if config.metrics == MetricsLevel::Off {
            self.report
                .note("GetMetricData", "not asked, since metrics = \"off\"");
        } else {
            self.list_metrics(picture);
            self.get_metric_data(picture);
        }
        if config.alarms == AlarmsKept::Off && config.alarm_include.is_empty() {
            self.report
                .note("DescribeAlarms", "not asked, since alarms = \"off\"");
        } else {
            self.describe_alarms(picture);
        }
    }

    fn list_metrics(&mut self, picture: &mut Picture) {
        const PART: &str = "ListMetrics";
        let service = &self.poller.clients.cloudwatch;
        let before = service.requests();
        // All of them, for the cost of the levels that are not configured.
        let rows = self.ask(PART, || cloudwatch::list_metrics(service, |_| true));
        let requests = service.requests() - before;
        picture.meter.requests += requests;
        let Some(rows) = rows else {
            return;
        };
        picture.pages.list = Some(requests);
        let now = self.poller.aws_clock.now();
        let catalogue = &mut picture.catalogue;
        catalogue.learn(now, &rows, &picture.inventory);
        let (matched, unmatched) = (catalogue.matched, catalogue.unmatched);
        let found = format!(
            "{matched} series are of channels and endpoints that are taken, {unmatched} are of none"
        );
        if matched == 0 && unmatched > 0 && picture.inventory.channels().next().is_some() {
            let remedy = "CloudWatch lists a series for two weeks after its last data; if these \
                          are of channels that live, tell the makers how their dimensions look";
            self.report.warn(PART, &found, remedy);
        } else {
            self.report.ok(PART, &found);
        }
    }

    /// A few series of the first channel; of an empty region one that nobody has.
    fn get_metric_data(&mut self, picture: &mut Picture) {
        const PART: &str = "GetMetricData";
        let level = self.config.cloudwatch.metrics;
        let first = picture.inventory.channels().next();
        let plan = first.map(|channel| picture.catalogue.plan(channel, &picture.inventory, level));
        let mut queries: Vec<Query> = match plan {
            Some(plan) => plan.into_iter().map(|series| series.query).collect(),
            None => vec![Query {
                metric: "IngressBytes",
                statistic: Statistic::Sum,
                dimensions: [("Channel", "-".into())].into_iter().collect(),
            }],
        };
        queries.truncate(SERIES_ASKED_MAX);
        let end = self.poller.aws_clock.now().minute().plus(1);
        let begin = end.plus(-MINUTES_ASKED);
        let service = &self.poller.clients.cloudwatch;
        let before = service.requests();
        let asked: Vec<&Query> = queries.iter().collect();
        let columns = self.ask(PART, || {
            cloudwatch::metric_data(service, &asked, begin, end)
        });
        picture.meter.metrics += (service.requests() - before) * queries.len() as u64;
        let Some(columns) = columns else {
            return;
        };
        let has_data = |column: &&polled::Column| column.values.iter().any(|v| v.is_finite());
        let with_data = columns.iter().filter(has_data).count();
        let asked = queries.len();
        let found = match picture.inventory.channels().next() {
            Some(channel) => format!(
                "{with_data} of {asked} series of channel {} have data of the last \
                 {MINUTES_ASKED} minutes",
                channel.id
            ),
            None => String::from("answers; there is no channel to ask for"),
        };
        self.report.ok(PART, &found);
    }

    fn describe_alarms(&mut self, picture: &mut Picture) {
        const PART: &str = "DescribeAlarms";
        let service = &self.poller.clients.cloudwatch;
        let before = service.requests();
        let listing = self.ask(PART, || cloudwatch::describe_alarms(service));
        picture.pages.alarms = service.requests() - before;
        picture.meter.requests += picture.pages.alarms;
        let Some(listing) = listing else {
            return;
        };
        let all = listing.len();
        let account = listing.iter().find_map(|alarm| account_of(&alarm.arn));
        picture.account = picture.account.take().or(account.map(str::to_owned));
        let (wish, now) = (self.config.wish(), self.poller.aws_clock.now());
        let (alarms, inventory) = (&mut picture.alarms, &picture.inventory);
        alarms.apply(listing, Mono::default(), now, &wish, inventory);
        let kept = alarms.iter().count();
        let active = alarms.iter().filter(|(_, alarm)| alarm.state == "ALARM");
        let active = active.count();
        let found = format!("{kept} of {all} alarms are kept, {active} of them in ALARM");
        self.report.ok(PART, &found);
    }

    /// What can be told once everything was asked.
    fn conclude(&mut self, picture: &Picture) {
        match &picture.account {
            Some(account) => self
                .report
                .ok("account", &format!("{account}, as ARNs tell")),
            None => self
                .report
                .note("account", "not known, since no ARN tells it"),
        }
        let config = &self.config.cloudwatch;
        let Picture {
            inventory,
            catalogue,
            pages,
            ..
        } = picture;
        if inventory.listings() > 0 {
            cost::month(self.report, self.config, inventory, catalogue, *pages);
        }
        let clock = &self.poller.aws_clock;
        if clock.learned() {
            cost::so_far(self.report, self.config, clock.now());
        }
        cost::of_this_check(self.report, &picture.meter, config);
    }
}
