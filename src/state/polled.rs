//! What one poll of AWS brings: complete observations, as the parsers hand them over.

use super::model::{Channel, Endpoint, Id};
use super::time::{Minute, UnixMs};

/// A complete listing of one MediaPackage API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// All channels of the region.
    pub channels: Vec<Channel>,
    /// All origin endpoints of the region.
    pub endpoints: Vec<Endpoint>,
}

/// A name and value that tell one CloudWatch series from another.
pub type Dimension = (String, String);

/// One row of `ListMetrics`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListedMetric {
    /// `EgressBytes` and so on.
    pub name: String,
    /// In the order of their names.
    pub dimensions: Vec<Dimension>,
}

/// A statistic of CloudWatch over one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// All of it: bytes and counts.
    Sum,
    /// The mean: times.
    Average,
    /// The largest: flags.
    Maximum,
}

impl Statistic {
    /// As `GetMetricData` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Statistic::Sum => "Sum",
            Statistic::Average => "Average",
            Statistic::Maximum => "Maximum",
        }
    }
}

/// One series to ask `GetMetricData` for, in namespace `AWS/MediaPackage`, period 60 s.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The metric's name.
    pub metric: &'static str,
    /// The statistic.
    pub statistic: Statistic,
    /// Names and values, in the order of the names.
    pub dimensions: Vec<(&'static str, Id)>,
}

/// What `GetMetricData` said of one [`Query`]: a value for each minute of the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The first minute of the window.
    pub first: Minute,
    /// One entry a minute from `first` on; NaN where there is no data point.
    pub values: Vec<f64>,
}

/// Kind of a CloudWatch alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlarmKind {
    /// Of one metric, of metric math, or of an anomaly band.
    Metric,
    /// Of other alarms.
    Composite,
    /// Of log events.
    Log,
}

impl AlarmKind {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            AlarmKind::Metric => "metric",
            AlarmKind::Composite => "composite",
            AlarmKind::Log => "log",
        }
    }

    /// Reads what [`AlarmKind::as_str`] writes.
    pub fn parse(text: &str) -> Option<AlarmKind> {
        let all = [AlarmKind::Metric, AlarmKind::Composite, AlarmKind::Log];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One alarm as `DescribeAlarms` tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolledAlarm {
    /// Its name, unique in account and region.
    pub name: Id,
    /// Its ARN, which holds account and region.
    pub arn: String,
    /// Its kind.
    pub kind: AlarmKind,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`, or what AWS adds later.
    pub state: String,
    /// AWS's sentence about the state.
    pub reason: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// StateTransitionedTimestamp, else StateUpdatedTimestamp.
    pub updated_at: Option<UnixMs>,
    /// Of a single-metric alarm.
    pub namespace: Option<String>,
    /// Of a single-metric alarm.
    pub metric: Option<String>,
    /// Of a single-metric alarm; of metric math those of the first `AWS/MediaPackage` metric.
    pub dimensions: Vec<Dimension>,
    /// The limit it holds the metric against.
    pub threshold: Option<f64>,
    /// AWS's name of the comparison.
    pub comparison: Option<String>,
    /// Whether its actions are switched on.
    pub actions_enabled: Option<bool>,
    /// Whether another alarm holds its actions back (composites).
    pub actions_suppressed: Option<bool>,
    /// The rule of a composite alarm.
    pub rule: Option<String>,
    /// Whether `AWS/MediaPackage` stands in its metric, its metrics or an expression.
    pub of_mediapackage: bool,
}
