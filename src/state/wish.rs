//! What the user wants to see of AWS: the part of the config that rules depend on.

use std::time::Duration;

use super::glob::{self, Glob};

/// How much is asked of `GetMetricData`; the order is that of cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricsLevel {
    /// Nothing.
    Off,
    /// The core series of each channel.
    Channels,
    /// And inputs, and bytes and requests of each endpoint.
    Standard,
    /// Everything.
    Full,
}

impl MetricsLevel {
    /// As it stands in config and payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricsLevel::Off => "off",
            MetricsLevel::Channels => "channels",
            MetricsLevel::Standard => "standard",
            MetricsLevel::Full => "full",
        }
    }
}

/// Which alarms are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmsKept {
    /// None; they are not polled.
    Off,
    /// Those that have to do with MediaPackage.
    MediaPackage,
    /// All of the region.
    All,
}

/// What is watched, and the limits that the rules of health and metrics use.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Channels taken.
    pub include: Vec<Glob>,
    /// Channels left out of those.
    pub exclude: Vec<Glob>,
    /// How much is asked of CloudWatch.
    pub level: MetricsLevel,
    /// Time between two metric polls.
    pub metrics_interval: Duration,
    /// A minute counts as final this long after its end.
    pub settle: Duration,
    /// Ingest counts as lost after this much silence.
    pub ingest_lost_after: Duration,
    /// Which alarms are kept.
    pub alarms: AlarmsKept,
    /// Alarms kept besides.
    pub alarm_include: Vec<Glob>,
    /// Alarms left out.
    pub alarm_exclude: Vec<Glob>,
}

impl Wish {
    /// Whether the channel of this id is watched; endpoints follow their channel.
    pub fn takes_channel(&self, id: &str) -> bool {
        glob::any(&self.include, id) && !glob::any(&self.exclude, id)
    }
}
