//! What a month of CloudWatch costs: the forecast of `agent/stats` for every level, before
//! anything is spent on it.

use std::io::Write;
use std::time::Duration;

use super::super::meter_file;
use super::report::{Grade, Report};
use crate::config::{AlarmsKept, CloudWatch, Config, MetricsLevel};
use crate::engine::bill::Bill;
use crate::engine::budget::{self, words};
use crate::engine::meter::{self, Meter, Pace};
use crate::engine::queueing::LONG_POLL;
use crate::state::catalogue::Catalogue;
use crate::state::inventory::Inventory;
use crate::state::month::Month;
use crate::state::time::{Mono, UnixMs};

const PART: &str = "cost";
/// The levels that cost something, cheapest first.
pub const LEVELS: [MetricsLevel; 3] = [
    MetricsLevel::Channels,
    MetricsLevel::Standard,
    MetricsLevel::Full,
];

/// Requests that one round of each listing took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages {
    /// Of `ListMetrics`; `None` when it failed, so that nothing is known but the core.
    pub list: Option<u64>,
    /// Of `DescribeAlarms`.
    pub alarms: u64,
}

/// Metrics that one poll asks for.
pub fn metrics_a_poll(inventory: &Inventory, catalogue: &Catalogue, level: MetricsLevel) -> u64 {
    let plans = catalogue.plans(inventory, None, level);
    plans.map(|(_, series)| series.len() as u64).sum()
}

/// How often what is asked.
pub fn pace(
    metrics_a_poll: u64,
    metrics_interval: Duration,
    pages: Pages,
    alarms_interval: Duration,
    queue: bool,
) -> Pace {
    Pace {
        metrics_a_poll,
        list_requests: pages.list.unwrap_or(0),
        alarm_requests: pages.alarms,
        alarms_interval,
        queue_interval: if queue { LONG_POLL } else { Duration::ZERO },
        ..Pace::default()
    }
    .at(metrics_interval)
}

/// A month at every level, the configured one held against the budget.
pub fn month<W: Write>(
    report: &mut Report<W>,
    config: &Config,
    inventory: &Inventory,
    catalogue: &Catalogue,
    pages: Pages,
) {
    let queue = config.sqs.is_some();
    let config = &config.cloudwatch;
    if config.metrics == MetricsLevel::Off {
        let pace = pace_of(config, 0, pages, queue);
        let usd = usd_a_month(config, pace);
        let found = format!("a month of alarms costs about ${usd:.2}; metrics are off");
        if config.monthly_budget_usd == 0.0 || usd <= config.monthly_budget_usd {
            report.ok(PART, &found);
        } else {
            let found = format!(
                "{found}, over monthly_budget_usd = {}",
                config.monthly_budget_usd
            );
            let remedy = "lengthen [cloudwatch] alarms_interval, or raise the budget";
            report.warn(PART, &found, remedy);
        }
    }
    for level in LEVELS {
        if level > MetricsLevel::Channels && pages.list.is_none() {
            let level = level.as_str();
            let found = format!("a month of metrics = \"{level}\" cannot be told without a list");
            report.note(PART, &found);
            continue;
        }
        let metrics = metrics_a_poll(inventory, catalogue, level);
        let pace = pace_of(config, metrics, pages, queue);
        let usd = usd_a_month(config, pace);
        let found = format!(
            "a month of metrics = \"{}\" costs about ${usd:.2}: {metrics} metrics every {} s",
            level.as_str(),
            config.interval.as_secs()
        );
        if level == config.metrics {
            of_this_config(report, config, &found, pace);
        } else {
            report.note(PART, &found);
        }
    }
}

fn of_this_config<W: Write>(report: &mut Report<W>, config: &CloudWatch, found: &str, pace: Pace) {
    let budget = config.monthly_budget_usd;
    let price = config.price_per_1000_metrics_usd;
    let (interval, held) = budget::interval_of_a_month(budget, pace, price);
    let usd = meter::forecast_usd(pace.at(interval), price);
    let (grade, found, remedy) = if budget == 0.0 {
        (
            Grade::Ok,
            format!("{found}, as configured, without a limit"),
            "",
        )
    } else if held && interval == config.interval {
        let found = format!("{found}, as configured, within monthly_budget_usd = {budget}");
        (Grade::Ok, found, "")
    } else {
        let every = words(interval);
        let then = match held {
            true => format!("the agent asks every {every} instead, about ${usd:.2}"),
            false => format!("and every {every} about ${usd:.2} yet"),
        };
        let found = format!("{found}, as configured, over monthly_budget_usd = {budget}: {then}");
        (
            Grade::Warn,
            found,
            "lengthen [cloudwatch] interval, lower metrics, or raise the budget",
        )
    };
    report.line(grade, PART, &found, remedy);
}

fn usd_a_month(config: &CloudWatch, pace: Pace) -> f64 {
    meter::forecast_usd(pace, config.price_per_1000_metrics_usd)
}

fn pace_of(config: &CloudWatch, metrics: u64, pages: Pages, queue: bool) -> Pace {
    let alarms_wanted = config.alarms != AlarmsKept::Off || !config.alarm_include.is_empty();
    let pages = Pages {
        list: pages.list.filter(|_| metrics > 0),
        alarms: if alarms_wanted { pages.alarms } else { 0 },
    };
    pace(
        metrics,
        config.interval,
        pages,
        config.alarms_interval,
        queue,
    )
}

/// What the agent of this config has spent in the month that `now` lies in, as it has kept it;
/// nothing where none ever ran.
pub fn so_far<W: Write>(report: &mut Report<W>, config: &Config, now: UnixMs) {
    let loaded = meter_file::read(config).and_then(|file| {
        let (bill, result) = Bill::load(file.as_deref(), Mono::default());
        result.map(|()| file.is_some().then_some(bill))
    });
    match loaded {
        Ok(None) => {}
        Ok(Some(mut bill)) => {
            let month = Month::of(now);
            bill.turn(month);
            let counted = bill.counted();
            let usd = counted.usd(config.cloudwatch.price_per_1000_metrics_usd);
            let found = format!(
                "the agent of this config has spent about ${usd:.2} in {month}: {} metrics and \
                 {} other requests",
                counted.metrics,
                counted.requests.saturating_add(counted.queue_requests)
            );
            report.note(PART, &found);
        }
        Err(error) => {
            let found = format!("the meter that the agent keeps is not to be read: {error}");
            let remedy = "without it the agent counts the month from 0 on";
            report.warn(PART, &found, remedy);
        }
    }
}

/// What this run of `check` itself was billed.
pub fn of_this_check<W: Write>(report: &mut Report<W>, meter: &Meter, config: &CloudWatch) {
    let usd = meter.usd(config.price_per_1000_metrics_usd);
    let Meter {
        metrics, requests, ..
    } = meter;
    let found = format!(
        "this check itself: {metrics} metrics and {requests} other requests of CloudWatch, \
         ${usd:.5}"
    );
    report.note(PART, &found);
}
