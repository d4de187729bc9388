//! What a row of `ListMetrics` tells: whose series it is, and what it measures.
//!
//! The set of dimensions decides, as AWS's pages list them. Sums over several resources, over a
//! region, or by a further dimension (`RequestType`, `TrackType`, `OutputType`) are nobody's:
//! what they hold is in the series of the resources already.

use super::lookup::{Lookup, Named};
use crate::state::measure::{Measure, Resource};
use crate::state::model::Id;
use crate::state::polled::ListedMetric;
use crate::state::wish::MetricsLevel;

/// What one row of `ListMetrics` is to us.
pub(super) enum Row<'a> {
    /// A series of a resource, with the value that names the resource where that is learned.
    Known(Resource, Measure, Option<&'a str>),
    /// It names a channel, endpoint or packaging configuration that is not in the inventory.
    Unknown,
    /// It is nobody's, or a metric that is not shown.
    Other,
}

/// What a row says by itself.
struct Shape<'a> {
    named: Named<'a>,
    what: What<'a>,
}

/// A measure; where it is of an ingest endpoint, that stands beside it.
enum What<'a> {
    Whole(Measure),
    OfInput(fn(Id) -> Measure, &'a str),
}

/// Finds out whose series a row is.
pub(super) fn classify<'a>(row: &'a ListedMetric, lookup: &Lookup) -> Row<'a> {
    let Some(Shape { named, what }) = shape(row) else {
        return Row::Other;
    };
    if !lookup.watches(named) {
        return Row::Other;
    }
    let Some(resource) = lookup.resource(named) else {
        return Row::Unknown;
    };
    let measure = match what {
        What::Whole(measure) => Some(measure),
        What::OfInput(measure, input) => lookup.input(&resource, input).map(measure),
    };
    match measure {
        Some(measure) => Row::Known(resource, measure, named.value()),
        None => Row::Unknown,
    }
}

/// Whether `level` asks for a series like this, whosever it is.
pub fn is_asked(row: &ListedMetric, level: MetricsLevel) -> bool {
    let Some(Shape { named, what }) = shape(row) else {
        return false;
    };
    let measure = match what {
        What::Whole(measure) => measure,
        What::OfInput(measure, _) => measure(Id::default()),
    };
    measure.level(named.is_channel()) <= level
}

/// Reads a row; `None` when it is nobody's. The dimensions come in the order of their names.
fn shape(row: &ListedMetric) -> Option<Shape<'_>> {
    let dims: Vec<(&str, &str)> = row.dimensions().collect();
    let name = row.name();
    let plain = |named: Named| plain(name, named).map(What::Whole);
    let by_status = |class: &str| by_status(name, class).map(What::Whole);
    let of_input = |input| of_input(name, input);
    let (named, what) = match dims[..] {
        [("Channel", c)] => (Named::Channel(c), plain(Named::Channel(c))),
        [("Channel", c), ("StatusCodeRange", s)] => (Named::Channel(c), by_status(s)),
        [("Channel", c), ("IngestEndpoint", i)] => {
            let bytes = of_input(i).filter(|_| name == "IngressBytes");
            (Named::Channel(c), bytes)
        }
        [("Channel", _), ("OriginEndpoint", e)] => (Named::Endpoint(e), plain(Named::Endpoint(e))),
        [
            ("Channel", _),
            ("OriginEndpoint", e),
            ("StatusCodeRange", s),
        ] => (Named::Endpoint(e), by_status(s)),
        [("IngestEndpoint", i), ("OriginEndpoint", e)] => {
            let active = (name == "ActiveInput").then_some(Measure::ActiveInput as fn(Id) -> _);
            let active = active.map(|measure| What::OfInput(measure, i));
            (Named::Endpoint(e), active)
        }
        [("PackagingConfiguration", p)] => (Named::Packaging(p), plain(Named::Packaging(p))),
        [("PackagingConfiguration", p), ("StatusCodeRange", s)] => {
            (Named::Packaging(p), by_status(s))
        }
        [("Channel", channel), ("ChannelGroup", group), ref more @ ..] => {
            return shape_v2(name, group, channel, more);
        }
        _ => return None,
    };
    Some(Shape { named, what: what? })
}

/// Reads a row of a channel of v2, by the dimensions after those that name the channel.
fn shape_v2<'a>(
    metric: &str,
    group: &'a str,
    channel: &'a str,
    more: &[(&'a str, &'a str)],
) -> Option<Shape<'a>> {
    let of_channel = Named::ChannelV2 { group, channel };
    let of_endpoint = |endpoint| Named::EndpointV2 {
        group,
        channel,
        endpoint,
    };
    let by_status = |class| by_status(metric, class).map(What::Whole);
    let (named, what) = match *more {
        [] => (of_channel, plain(metric, of_channel).map(What::Whole)),
        [("StatusCode", s)] => (of_channel, by_status(s)),
        [("IngestEndpoint", i)] => (of_channel, of_input(metric, i)),
        [("OriginEndpoint", e)] => {
            let named = of_endpoint(e);
            (named, plain(metric, named).map(What::Whole))
        }
        [("OriginEndpoint", e), ("StatusCode", s)] => (of_endpoint(e), by_status(s)),
        _ => return None,
    };
    Some(Shape { named, what: what? })
}

/// The measure that a metric without further dimensions is.
fn plain(metric: &str, named: Named) -> Option<Measure> {
    let of_channel = named.is_channel();
    let of_v2 = named.is_v2();
    match metric {
        "IngressBytes" if of_channel => Some(Measure::IngressBytes),
        "IngressResponseTime" if of_channel => Some(Measure::IngressResponseTime),
        "IngressRequestCount" if of_channel && of_v2 => Some(Measure::IngressRequests),
        "ChannelMQCS" if of_channel && of_v2 => Some(Measure::Mqcs),
        "EgressBytes" => Some(Measure::EgressBytes),
        "EgressRequestCount" => Some(Measure::Requests),
        "EgressResponseTime" => Some(Measure::EgressResponseTime),
        _ => None,
    }
}

fn of_input<'a>(metric: &str, input: &'a str) -> Option<What<'a>> {
    match metric {
        "IngressBytes" => Some(What::OfInput(Measure::InputBytes, input)),
        "IngressMQCS" => Some(What::OfInput(Measure::InputMqcs, input)),
        _ => None,
    }
}

fn by_status(metric: &str, class: &str) -> Option<Measure> {
    let class = match class {
        "2xx" => 2,
        "3xx" => 3,
        "4xx" => 4,
        "5xx" => 5,
        _ => return None,
    };
    (metric == "EgressRequestCount").then_some(Measure::RequestsOf(class))
}
