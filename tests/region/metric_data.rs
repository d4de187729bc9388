//! `GetMetricData`: refuses what CloudWatch would, pages by data points, writes its JSON
//! straight into a text so that a thousand channels are answered quickly.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::Deserialize;

use super::cloudwatch::{invalid_token, parse, validation};
use super::refusal::Refusal;
use super::series::{self, Series};
use super::server::{Request, Seen};
use super::token;
use super::world::World;

const QUERIES_MAX: usize = 500;
const DATA_POINTS_MAX: usize = 100_800;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    metric_data_queries: Option<Vec<Query>>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    next_token: Option<String>,
    scan_by: Option<String>,
    max_datapoints: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: Option<String>,
    metric_stat: Option<MetricStat>,
    expression: Option<String>,
    label: Option<String>,
    return_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Option<Metric>,
    period: Option<i64>,
    stat: Option<String>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
}

/// A name and a value; filters may leave the value out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    /// Name.
    pub name: Option<String>,
    /// Value.
    pub value: Option<String>,
}

/// Answers with the JSON text.
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<String, Refusal> {
    let input: Input = parse(request)?;
    seen.start = input.start_time;
    seen.end = input.end_time;
    seen.continued = input.next_token.is_some();
    let queries = input.metric_data_queries.as_deref().unwrap_or_default();
    check_queries(queries)?;
    seen.asked = queries.iter().filter_map(Query::key).collect();
    let window = window(&input)?;
    let start = token::parse::<2>("GetMetricData", input.next_token.as_deref());
    let start = start.ok_or_else(invalid_token)?;
    let asked_max = input
        .max_datapoints
        .map_or(DATA_POINTS_MAX, |n| n.max(0) as usize);
    let mut page = Page {
        body: String::from("{\"MetricDataResults\":["),
        points_left: world.pages.data_points.min(asked_max).max(1),
        now_ms: world.now_ms(),
        window,
    };
    let next = page.write(world, queries, start);
    page.body.push(']');
    if let Some(next) = next {
        let token = token::make("GetMetricData", &next);
        let _ = write!(page.body, ",\"NextToken\":{}", serde_json::json!(token));
    }
    page.body.push_str(if world.unknown_fields {
        ",\"Messages\":null,\"New\":{}}"
    } else {
        "}"
    });
    Ok(page.body)
}

#[derive(Clone, Copy)]
struct Window {
    first: i64,
    last: i64,
    newest_first: bool,
}

impl Window {
    fn minutes(self) -> impl Iterator<Item = i64> {
        let count = (self.last - self.first + 1).max(0);
        (0..count).map(move |n| {
            if self.newest_first {
                self.last - n
            } else {
                self.first + n
            }
        })
    }
}

fn window(input: &Input) -> Result<Window, Refusal> {
    let missing = |name| validation(&format!("The parameter {name} is required."));
    let start = input.start_time.ok_or_else(|| missing("StartTime"))?;
    let end = input.end_time.ok_or_else(|| missing("EndTime"))?;
    if start >= end {
        return Err(validation(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let newest_first = match input.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(other) => {
            return Err(validation(&format!(
                "The value {other} for parameter ScanBy is invalid."
            )));
        }
    };
    Ok(Window {
        first: (start / 60.0).floor() as i64,
        // EndTime is exclusive: a minute that starts there is not in it.
        last: (end / 60.0).ceil() as i64 - 1,
        newest_first,
    })
}

fn check_queries(queries: &[Query]) -> Result<(), Refusal> {
    if queries.is_empty() {
        return Err(validation("The parameter MetricDataQueries is required."));
    }
    if queries.len() > QUERIES_MAX {
        let text = "The collection MetricDataQueries must not have a size greater than 500.";
        return Err(validation(text));
    }
    let mut ids = HashSet::new();
    for (n, query) in queries.iter().enumerate() {
        let member = format!("MetricDataQueries.member.{}", n + 1);
        let id = query.id.as_deref().unwrap_or_default();
        if !valid_id(id) {
            return Err(validation(&format!(
                "The value {id} for parameter {member}.Id is not matching the expected pattern \
                 ^[a-z][a-zA-Z0-9_]*$."
            )));
        }
        if !ids.insert(id) {
            return Err(validation(
                "The values for parameter Id in MetricDataQueries are not unique.",
            ));
        }
        if let Some(fault) = query.fault() {
            return Err(validation(&format!("The parameter {member}.{fault}")));
        }
    }
    Ok(())
}

fn valid_id(id: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    id.starts_with(|c: char| c.is_ascii_lowercase()) && id.len() <= 255 && id.chars().all(rest)
}

impl Query {
    fn fault(&self) -> Option<&'static str> {
        let stat = match (&self.metric_stat, &self.expression) {
            (Some(stat), None) => stat,
            (None, Some(_)) => return Some("Expression is not simulated."),
            _ => return Some("MetricStat or Expression is required, and not both."),
        };
        let Some(metric) = &stat.metric else {
            return Some("MetricStat.Metric is required.");
        };
        if metric.namespace.is_none() || metric.metric_name.is_none() {
            return Some("MetricStat.Metric.Namespace and MetricName are required.");
        }
        let dimensions = metric.dimensions.as_deref().unwrap_or_default();
        if dimensions.len() > 30 {
            return Some("MetricStat.Metric.Dimensions must not have a size greater than 30.");
        }
        if dimensions
            .iter()
            .any(|d| d.name.is_none() || d.value.is_none())
        {
            return Some("MetricStat.Metric.Dimensions needs a Name and a Value.");
        }
        match stat.period {
            Some(60) => {}
            Some(1 | 5 | 10 | 30) => return Some("MetricStat.Period is finer than the metric."),
            Some(period) if period > 0 && period % 60 == 0 => {
                return Some("MetricStat.Period over 60 is not simulated.");
            }
            _ => return Some("MetricStat.Period must be 1, 5, 10, 30 or a multiple of 60."),
        }
        let known = ["Sum", "Average", "Maximum", "Minimum", "SampleCount"];
        match stat.stat.as_deref() {
            Some(stat) if known.contains(&stat) => None,
            _ => Some("MetricStat.Stat is required and must be a statistic."),
        }
    }

    fn key(&self) -> Option<String> {
        let metric = self.metric_stat.as_ref()?.metric.as_ref()?;
        let dimensions = metric.dimensions.as_deref().unwrap_or_default();
        let pairs = dimensions
            .iter()
            .filter_map(|d| Some((d.name.as_deref()?, d.value.as_deref()?)));
        Some(series::key(metric.metric_name.as_deref()?, pairs))
    }

    fn series<'a>(&self, world: &'a World) -> Option<&'a Series> {
        let stat = self.metric_stat.as_ref()?;
        let namespace = stat.metric.as_ref()?.namespace.as_deref();
        let series = world.metrics.get(&self.key()?)?;
        // A unit that is not the stored one finds nothing: there is no conversion.
        let unit_fits = stat
            .unit
            .as_deref()
            .is_none_or(|unit| unit == unit_of(&series.name));
        (namespace == Some("AWS/MediaPackage") && unit_fits).then_some(series)
    }

    fn statistic(&self) -> &str {
        let stat = self.metric_stat.as_ref().and_then(|s| s.stat.as_deref());
        stat.unwrap_or_default()
    }
}

fn unit_of(metric: &str) -> &'static str {
    match metric {
        "ActiveInput" => "None",
        "EgressBytes" | "IngressBytes" => "Bytes",
        "EgressResponseTime" | "IngressResponseTime" => "Milliseconds",
        score if is_score(score) => "None",
        _ => "Count",
    }
}

/// The quality scores of v2.
fn is_score(metric: &str) -> bool {
    metric.contains("MQCS")
}

/// The factor from the statistic that a series is written in to another one, so that asking
/// for the wrong statistic is seen.
fn factor(metric: &str, statistic: &str) -> f64 {
    let own = match unit_of(metric) {
        "Milliseconds" => "Average",
        _ if is_score(metric) => "Average",
        "None" => "Maximum",
        _ => "Sum",
    };
    match statistic {
        _ if statistic == own => 1.0,
        "Sum" => 12.0,
        _ => 1.0 / 12.0,
    }
}

struct Page {
    body: String,
    points_left: usize,
    now_ms: i64,
    window: Window,
}

impl Page {
    /// Writes results from a position (query, point) on; where the next page goes on, if any.
    fn write(&mut self, world: &World, queries: &[Query], start: [usize; 2]) -> Option<[usize; 2]> {
        let [first, mut skipped] = start;
        for (n, query) in queries.iter().enumerate().skip(first) {
            if query.return_data == Some(false) {
                continue;
            }
            if self.points_left == 0 {
                return Some([n, 0]);
            }
            let done = self.write_query(world, query, skipped);
            if let Some(taken) = done {
                return Some([n, skipped + taken]);
            }
            skipped = 0;
        }
        None
    }

    /// Writes one result. `Some(points)` when the page is full before the series is done.
    fn write_query(&mut self, world: &World, query: &Query, skipped: usize) -> Option<usize> {
        let mut timestamps = String::new();
        let mut values = String::new();
        let (mut taken, mut full) = (0, false);
        if let Some(series) = query.series(world) {
            let factor = factor(&series.name, query.statistic());
            let now_ms = self.now_ms;
            let point = |minute| Some((minute, series.at(minute, now_ms)? * factor));
            for (minute, value) in self.window.minutes().filter_map(point).skip(skipped) {
                if taken == self.points_left {
                    full = true;
                    break;
                }
                let comma = if taken == 0 { "" } else { "," };
                let _ = write!(timestamps, "{comma}{}", minute * 60);
                let _ = write!(values, "{comma}{value:?}");
                taken += 1;
            }
        }
        self.points_left -= taken;
        let name = query
            .metric_stat
            .as_ref()
            .and_then(|s| s.metric.as_ref()?.metric_name.as_ref());
        let label = serde_json::json!(query.label.as_ref().or(name));
        let comma = if self.body.ends_with('[') { "" } else { "," };
        let id = query.id.as_deref().unwrap_or_default();
        let status = if full { "PartialData" } else { "Complete" };
        let _ = write!(
            self.body,
            "{comma}{{\"Id\":\"{id}\",\"Label\":{label},\"Timestamps\":[{timestamps}],\
             \"Values\":[{values}],\"StatusCode\":\"{status}\"}}"
        );
        full.then_some(taken)
    }
}
