//! What is measured of a channel, endpoint or packaging configuration, and which CloudWatch
//! series tells it.
//!
//! Sources: the MediaPackage v1 user guide, "AWS Elemental MediaPackage live content metrics"
//! and "AWS Elemental MediaPackage VOD content metrics"; the v2 user guide, "Monitoring AWS
//! Elemental MediaPackage with Amazon CloudWatch metrics".

use std::sync::LazyLock;

use super::model::{Api, Id};
use super::polled::Statistic;
use super::wish::MetricsLevel;

/// Whose metric it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A channel, by its id.
    Channel(Id),
    /// An origin endpoint, by its id.
    Endpoint(Id),
    /// A packaging configuration of VOD, by its id.
    Packaging(Id),
}

impl Resource {
    /// The id of the channel, endpoint or packaging configuration.
    pub fn id(&self) -> &Id {
        let (Resource::Channel(id) | Resource::Endpoint(id) | Resource::Packaging(id)) = self;
        id
    }

    /// True for a channel.
    pub fn is_channel(&self) -> bool {
        matches!(self, Resource::Channel(_))
    }
}

/// One series of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Bytes that came in (channels).
    IngressBytes,
    /// Time MediaPackage took to answer the encoder (channels).
    IngressResponseTime,
    /// Bytes that went out.
    EgressBytes,
    /// Requests of players.
    Requests,
    /// Time MediaPackage took to answer players.
    EgressResponseTime,
    /// Requests by the first digit of their status, 2 to 5.
    RequestsOf(u8),
    /// Bytes that came in at one ingest endpoint (channels).
    InputBytes(Id),
    /// Whether this ingest endpoint feeds the origin endpoint (endpoints).
    ActiveInput(Id),
    /// Requests of the encoder (channels of v2).
    IngressRequests,
    /// Media quality confidence score, 0 to 100, of the input that is used (channels of v2).
    Mqcs,
    /// The same of one ingest endpoint, as the encoder tells it (channels of v2).
    InputMqcs(Id),
}

impl Measure {
    /// The metric's name.
    pub fn metric(&self) -> &'static str {
        match self {
            Measure::IngressBytes | Measure::InputBytes(_) => "IngressBytes",
            Measure::IngressResponseTime => "IngressResponseTime",
            Measure::EgressBytes => "EgressBytes",
            Measure::Requests | Measure::RequestsOf(_) => "EgressRequestCount",
            Measure::EgressResponseTime => "EgressResponseTime",
            Measure::ActiveInput(_) => "ActiveInput",
            Measure::IngressRequests => "IngressRequestCount",
            Measure::Mqcs => "ChannelMQCS",
            Measure::InputMqcs(_) => "IngressMQCS",
        }
    }

    /// Sum for bytes and counts, Average for times and scores, Maximum for flags.
    pub fn statistic(&self) -> Statistic {
        match self {
            Measure::IngressResponseTime | Measure::EgressResponseTime => Statistic::Average,
            Measure::Mqcs | Measure::InputMqcs(_) => Statistic::Average,
            Measure::ActiveInput(_) => Statistic::Maximum,
            _ => Statistic::Sum,
        }
    }

    /// Whether a channel's series of this measure is asked for before `ListMetrics` shows it:
    /// it may be silent for weeks and then matter. Scores are not: only some encoders send
    /// any, and every series that is asked for is billed.
    pub fn is_core(&self) -> bool {
        match self {
            Measure::RequestsOf(class) => *class >= 4,
            Measure::InputBytes(_) | Measure::ActiveInput(_) => false,
            Measure::Mqcs | Measure::InputMqcs(_) => false,
            _ => true,
        }
    }

    /// The lowest level that asks for it.
    pub fn level(&self, of_channel: bool) -> MetricsLevel {
        match self {
            _ if of_channel && self.is_core() => MetricsLevel::Channels,
            Measure::Mqcs | Measure::InputMqcs(_) => MetricsLevel::Channels,
            Measure::InputBytes(_) => MetricsLevel::Standard,
            Measure::EgressBytes | Measure::Requests => MetricsLevel::Standard,
            _ => MetricsLevel::Full,
        }
    }
}

/// The series of every channel that are always asked for; the last is of v2 only.
const CORE: [Measure; 8] = [
    Measure::IngressBytes,
    Measure::IngressResponseTime,
    Measure::EgressBytes,
    Measure::Requests,
    Measure::EgressResponseTime,
    Measure::RequestsOf(4),
    Measure::RequestsOf(5),
    Measure::IngressRequests,
];

/// The series of every channel of this API that are always asked for.
pub fn core(api: Api) -> &'static [Measure] {
    match api {
        Api::V1 => &CORE[..7],
        Api::V2 => &CORE,
    }
}

/// The dimension value of a status class.
pub fn status_class(class: u8) -> Id {
    /// Shared: half of all series have one of them.
    static VALUES: LazyLock<[Id; 4]> = LazyLock::new(|| ["2xx", "3xx", "4xx", "5xx"].map(Id::from));
    let [of_2, of_3, of_4, of_5] = &*VALUES;
    Id::clone(match class {
        2 => of_2,
        3 => of_3,
        4 => of_4,
        _ => of_5,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_measure_belongs_to_the_level_that_pays_for_it() {
        use MetricsLevel::{Channels, Full, Standard};
        let input = || Measure::InputBytes("i".into());
        let active = || Measure::ActiveInput("i".into());
        let cases = [
            (Measure::IngressBytes, true, Channels),
            (Measure::RequestsOf(4), true, Channels),
            (Measure::RequestsOf(5), true, Channels),
            (Measure::RequestsOf(2), true, Full),
            (input(), true, Standard),
            (Measure::EgressBytes, false, Standard),
            (Measure::Requests, false, Standard),
            (Measure::EgressResponseTime, false, Full),
            (Measure::RequestsOf(5), false, Full),
            (active(), false, Full),
            (Measure::IngressRequests, true, Channels),
            (Measure::Mqcs, true, Channels),
            (Measure::InputMqcs("i".into()), true, Channels),
        ];
        for (measure, of_channel, level) in cases {
            assert_eq!(
                measure.level(of_channel),
                level,
                "{measure:?} of channel: {of_channel}"
            );
        }
        for (api, wanted) in [(Api::V1, 7), (Api::V2, 8)] {
            let core = core(api);
            assert_eq!(core.len(), wanted, "{api:?}");
            let always = core
                .iter()
                .all(|m| m.is_core() && m.level(true) == Channels);
            assert!(always, "{api:?}");
        }
        assert!(!core(Api::V1).contains(&Measure::IngressRequests));
    }
}
