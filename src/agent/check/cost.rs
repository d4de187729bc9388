//! What a month of CloudWatch costs: the forecast of `agent/stats` for every level, before
//! anything is spent on it.

use std::io::Write;
use std::time::Duration;

use super::report::{Grade, Report};
use crate::config::{AlarmsKept, CloudWatch, Config, MetricsLevel};
use crate::engine::meter::{self, LIST_INTERVAL, Meter, Pace};
use crate::engine::queueing::LONG_POLL;
use crate::state::catalogue::Catalogue;
use crate::state::inventory::Inventory;

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
        metrics_interval,
        list_requests: pages.list.unwrap_or(0),
        list_interval: LIST_INTERVAL,
        alarm_requests: pages.alarms,
        alarms_interval,
        queue_interval: if queue { LONG_POLL } else { Duration::ZERO },
    }
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
        let usd = usd_a_month(config, 0, pages, queue);
        let found = format!("a month of alarms costs about ${usd:.2}; metrics are off");
        report.ok(PART, &found);
    }
    for level in LEVELS {
        if level > MetricsLevel::Channels && pages.list.is_none() {
            let level = level.as_str();
            let found = format!("a month of metrics = \"{level}\" cannot be told without a list");
            report.note(PART, &found);
            continue;
        }
        let metrics = metrics_a_poll(inventory, catalogue, level);
        let usd = usd_a_month(config, metrics, pages, queue);
        let found = format!(
            "a month of metrics = \"{}\" costs about ${usd:.2}: {metrics} metrics every {} s",
            level.as_str(),
            config.interval.as_secs()
        );
        if level == config.metrics {
            of_this_config(report, config, &found, usd);
        } else {
            report.note(PART, &found);
        }
    }
}

fn of_this_config<W: Write>(report: &mut Report<W>, config: &CloudWatch, found: &str, usd: f64) {
    let budget = config.monthly_budget_usd;
    let (grade, found, remedy) = if budget == 0.0 {
        (
            Grade::Ok,
            format!("{found}, as configured, without a limit"),
            "",
        )
    } else if usd <= budget {
        let found = format!("{found}, as configured, within monthly_budget_usd = {budget}");
        (Grade::Ok, found, "")
    } else {
        let found = format!("{found}, as configured, over monthly_budget_usd = {budget}");
        (
            Grade::Warn,
            found,
            "lengthen [cloudwatch] interval, lower metrics, or raise the budget",
        )
    };
    report.line(grade, PART, &found, remedy);
}

fn usd_a_month(config: &CloudWatch, metrics: u64, pages: Pages, queue: bool) -> f64 {
    let alarms_wanted = config.alarms != AlarmsKept::Off || !config.alarm_include.is_empty();
    let pages = Pages {
        list: pages.list.filter(|_| metrics > 0),
        alarms: if alarms_wanted { pages.alarms } else { 0 },
    };
    let pace = pace(
        metrics,
        config.interval,
        pages,
        config.alarms_interval,
        queue,
    );
    meter::forecast_usd(pace, config.price_per_1000_metrics_usd)
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
