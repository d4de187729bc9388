//! `[mediapackage]` and `[cloudwatch]`: what is polled.

use std::time::Duration;

use super::{proxy, service_url};
use crate::config::table::{Document, Table, choose};
use crate::config::{AlarmsKept, Apis, CloudWatch, MediaPackage, MetricsLevel, value};
use crate::state::glob::Glob;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Bounds of every interval: a second, and a day, after which nobody calls it live.
const INTERVAL_MIN: Duration = SECOND;
const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);

/// Later than this no minute of CloudWatch is revised any more.
const SETTLE_MAX: Duration = HOUR;

/// After three hours of silence an ingest is idle, not lost.
const INGEST_LOST_AFTER_MAX: Duration = Duration::from_secs(3 * 3600);

const INTERVAL_DEFAULT: Duration = MINUTE;
const METRICS_INTERVAL_DEFAULT: Duration = Duration::from_secs(5 * 60);
const SETTLE_DEFAULT: Duration = Duration::from_secs(3 * 60);
const INGEST_LOST_AFTER_DEFAULT: Duration = Duration::from_secs(5 * 60);
const MONTHLY_BUDGET_USD_DEFAULT: f64 = 25.0;
const PRICE_PER_1000_METRICS_USD_DEFAULT: f64 = 0.01;

/// The APIs without the table or the key.
const APIS_DEFAULT: Apis = Apis {
    v1: true,
    v2: true,
    vod: false,
};

#[derive(Clone, Copy)]
enum Api {
    V1,
    V2,
    Vod,
}

const API_NAMES: [(&str, Api); 3] = [("v1", Api::V1), ("v2", Api::V2), ("vod", Api::Vod)];

const METRICS_LEVELS: [(&str, MetricsLevel); 4] = [
    ("off", MetricsLevel::Off),
    ("channels", MetricsLevel::Channels),
    ("standard", MetricsLevel::Standard),
    ("full", MetricsLevel::Full),
];

const ALARMS_KEPT: [(&str, AlarmsKept); 3] = [
    ("off", AlarmsKept::Off),
    ("mediapackage", AlarmsKept::MediaPackage),
    ("all", AlarmsKept::All),
];

/// `[mediapackage]`.
pub fn mediapackage<'a>(
    document: &'a Document<'a>,
    region: &str,
    home: Option<&str>,
) -> MediaPackage {
    let table = document.table_or_empty("mediapackage");
    let url = |key, service| service_url(table, key, service, region, home);
    MediaPackage {
        apis: apis(table),
        url: url("url", "mediapackage"),
        v2_url: url("v2_url", "mediapackagev2"),
        vod_url: url("vod_url", "mediapackage-vod"),
        interval: interval(table, "interval").unwrap_or(INTERVAL_DEFAULT),
        proxy: proxy(table),
        include: globs(table, "include").unwrap_or_else(|| vec![Glob::new("*")]),
        exclude: globs(table, "exclude").unwrap_or_default(),
    }
}

/// `[cloudwatch]`.
pub fn cloudwatch<'a>(document: &'a Document<'a>, region: &str, home: Option<&str>) -> CloudWatch {
    let table = document.table_or_empty("cloudwatch");
    let settle = table.duration("settle", Duration::ZERO..=SETTLE_MAX);
    let lost_after = table.duration("ingest_lost_after", SECOND..=INGEST_LOST_AFTER_MAX);
    CloudWatch {
        url: service_url(table, "url", "monitoring", region, home),
        interval: interval(table, "interval").unwrap_or(METRICS_INTERVAL_DEFAULT),
        alarms_interval: interval(table, "alarms_interval").unwrap_or(INTERVAL_DEFAULT),
        proxy: proxy(table),
        metrics: table
            .choice("metrics", &METRICS_LEVELS)
            .unwrap_or(MetricsLevel::Standard),
        settle: settle.unwrap_or(SETTLE_DEFAULT),
        ingest_lost_after: lost_after.unwrap_or(INGEST_LOST_AFTER_DEFAULT),
        alarms: table
            .choice("alarms", &ALARMS_KEPT)
            .unwrap_or(AlarmsKept::MediaPackage),
        alarm_include: globs(table, "alarm_include").unwrap_or_default(),
        alarm_exclude: globs(table, "alarm_exclude").unwrap_or_default(),
        monthly_budget_usd: monthly_budget(table).unwrap_or(MONTHLY_BUDGET_USD_DEFAULT),
        price_per_1000_metrics_usd: price(table).unwrap_or(PRICE_PER_1000_METRICS_USD_DEFAULT),
    }
}

fn apis(table: Table<'_>) -> Apis {
    let Some(named) = table.list("apis", |text| choose(text, &API_NAMES)) else {
        return APIS_DEFAULT;
    };
    if table.is_empty_list("apis") {
        table.fault("apis", "is empty; write [\"v1\"], [\"v2\"] or both");
    }
    let has = |wanted: fn(&Api) -> bool| named.iter().any(wanted);
    Apis {
        v1: has(|api| matches!(api, Api::V1)),
        v2: has(|api| matches!(api, Api::V2)),
        vod: has(|api| matches!(api, Api::Vod)),
    }
}

fn interval(table: Table<'_>, key: &str) -> Option<Duration> {
    table.duration(key, INTERVAL_MIN..=INTERVAL_MAX)
}

fn globs(table: Table<'_>, key: &str) -> Option<Vec<Glob>> {
    table.list(key, value::glob)
}

fn monthly_budget(table: Table<'_>) -> Option<f64> {
    let budget = table.number("monthly_budget_usd")?;
    if !budget.is_finite() || budget < 0.0 {
        table.fault(
            "monthly_budget_usd",
            "must be a number from 0 on; write 0 for no limit",
        );
    }
    Some(budget)
}

fn price(table: Table<'_>) -> Option<f64> {
    let price = table.number("price_per_1000_metrics_usd")?;
    if !price.is_finite() || price <= 0.0 {
        table.fault(
            "price_per_1000_metrics_usd",
            "must be a number above 0; write what AWS takes in your region, such as 0.01",
        );
    }
    Some(price)
}
