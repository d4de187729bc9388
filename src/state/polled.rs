//! What one poll of AWS brings: complete observations, as the parsers hand them over.

use super::model::{
    Channel, ChannelGroup, Detail, Endpoint, Id, PackagingConfiguration, PackagingGroup,
};
use super::time::{Minute, UnixMs};

/// A complete listing of one MediaPackage API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// All channels of the region.
    pub channels: Vec<Channel>,
    /// All origin endpoints of the region.
    pub endpoints: Vec<Endpoint>,
}

/// Channel groups, channels and origin endpoints of one listing of v2 together: more than fifty
/// times what AWS gives an account by default.
pub const RESOURCES_MAX: usize = 20_000;

/// A resource of v2 by its names; the order is that of getting them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A channel group.
    ChannelGroup {
        /// Its name.
        group: Id,
    },
    /// A channel.
    Channel {
        /// The group it is in.
        group: Id,
        /// Its name.
        channel: Id,
    },
    /// An origin endpoint.
    Endpoint {
        /// The group its channel is in.
        group: Id,
        /// The channel it is of.
        channel: Id,
        /// Its name.
        endpoint: Id,
    },
}

impl Resource {
    /// Its id in topics and payloads: the names with dots between them.
    pub fn id(&self) -> Id {
        match self {
            Resource::ChannelGroup { group } => group.clone(),
            Resource::Channel { group, channel } => format!("{group}.{channel}").into(),
            Resource::Endpoint {
                group,
                channel,
                endpoint,
            } => format!("{group}.{channel}.{endpoint}").into(),
        }
    }
}

/// A row of a listing of v2, with the names it is got by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// Its names.
    pub resource: Resource,
    /// What the listing tells of it.
    pub value: T,
}

/// A complete listing of MediaPackage v2. It lacks what [`Detail`] holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// All channel groups of the region.
    pub groups: Vec<Listed<ChannelGroup>>,
    /// All channels of the region that are watched.
    pub channels: Vec<Listed<Channel>>,
    /// All origin endpoints of those channels.
    pub endpoints: Vec<Listed<Endpoint>>,
}

impl Listing {
    /// Every resource and when it was changed last.
    pub fn rows(&self) -> impl Iterator<Item = (&Resource, Option<UnixMs>)> {
        let groups = self.groups.iter();
        let channels = self.channels.iter();
        let endpoints = self.endpoints.iter();
        groups
            .map(|row| (&row.resource, row.value.modified_at))
            .chain(channels.map(|row| (&row.resource, row.value.modified_at)))
            .chain(endpoints.map(|row| (&row.resource, row.value.modified_at)))
    }
}

/// A row of v2 with what is known in detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<T> {
    /// What is known of it.
    pub value: T,
    /// Whether that is enough to show it.
    pub known: Known,
}

/// How much is known of a resource of v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// What its listing tells, and it will be known better: not enough to show it.
    Little,
    /// What its listing tells, and more is not to be had now: enough where nothing is shown.
    Listed,
    /// All.
    Whole,
}

/// Rows of v2 with what is known in detail: of a whole listing, or a few of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detailed {
    /// Channel groups.
    pub groups: Vec<Row<ChannelGroup>>,
    /// Channels.
    pub channels: Vec<Row<Channel>>,
    /// Origin endpoints.
    pub endpoints: Vec<Row<Endpoint>>,
}

/// A resource of v2 that was got by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// When it was changed last.
    pub modified_at: Option<UnixMs>,
    /// What the listing does not tell.
    pub detail: Detail,
}

/// A complete listing of MediaPackage VOD. Assets are counted by AWS, not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vod {
    /// All packaging groups of the region.
    pub groups: Vec<PackagingGroup>,
    /// All packaging configurations of the region.
    pub configurations: Vec<PackagingConfiguration>,
}

/// A name and value that tell one CloudWatch series from another.
pub type Dimension = (String, String);

/// One row of `ListMetrics`. A region has tens of thousands, so each is one text: its name, then
/// names and values of its dimensions, with [`BREAK`] between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListedMetric(Box<str>);

/// CloudWatch takes no control characters in names and values (API reference, `Dimension`).
const BREAK: char = '\0';

impl ListedMetric {
    /// The row of a metric and its dimensions, which come in any order; `None` when a name or
    /// value is none that CloudWatch takes.
    pub fn new(name: &str, dimensions: &mut [(&str, &str)]) -> Option<ListedMetric> {
        dimensions.sort_unstable();
        let pairs = dimensions.iter().flat_map(|(name, value)| [*name, *value]);
        let parts: Vec<&str> = std::iter::once(name).chain(pairs).collect();
        let whole = parts.iter().all(|part| !part.contains(BREAK));
        whole.then(|| ListedMetric(parts.join("\0").into()))
    }

    /// `EgressBytes` and so on.
    pub fn name(&self) -> &str {
        self.0.split(BREAK).next().unwrap_or_default()
    }

    /// In the order of their names.
    pub fn dimensions(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split(BREAK).skip(1);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }
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

/// The dimensions of the longest series: group, channel, endpoint and status class.
pub const DIMENSIONS_MAX: usize = 4;

/// Names and values that tell one series of a metric from the others.
pub type Dimensions = heapless::Vec<(&'static str, Id), DIMENSIONS_MAX>;

/// One series to ask `GetMetricData` for, in namespace `AWS/MediaPackage`, period 60 s.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The metric's name.
    pub metric: &'static str,
    /// The statistic.
    pub statistic: Statistic,
    /// In the order of the names.
    pub dimensions: Dimensions,
}

/// What `GetMetricData` said of one [`Query`]: a value for each minute of the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The first minute of the window.
    pub first: Minute,
    /// One entry a minute from `first` on; NaN where there is no data point.
    pub values: Vec<f64>,
}

impl Column {
    /// Whether there is any data point.
    pub fn has_data(&self) -> bool {
        self.values.iter().any(|value| value.is_finite())
    }
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
