//! The series of v2, by the sets of dimensions of "Monitoring AWS Elemental MediaPackage with
//! Amazon CloudWatch metrics" (v2 user guide).
//!
//! v2 counts everything many times over: for a resource, for what it is in, and by type of
//! request, status and track. Who adds up what it finds counts too much.

use super::super::mediapackage_v2::{Channel, Endpoint};
use super::super::world::World;
use super::{Dimensions, STATUS_RANGES, StandardSeries, Values, live, seed, with};

const REQUEST_TYPES: [(&str, f64); 2] = [("manifest", 0.3), ("segment", 0.7)];
const TRACK_TYPES: [&str; 3] = ["Video", "Audio", "Subtitle"];
/// Requests a minute of an endpoint, its bytes and times, as v1 has them.
const REQUESTS: f64 = 60_000.0;
/// What an ingest endpoint gets: bytes and requests.
const INGEST: (f64, f64) = (22_500_000.0, 90.0);
/// Of 100; live values stay below that.
const QUALITY: f64 = 80.0;

/// The series of one channel with its inputs and endpoints.
pub fn of_channel(world: &World, channel: &Channel) -> Vec<StandardSeries> {
    let of_group = vec![("ChannelGroup", channel.group.clone())];
    let of_channel = with(&of_group, "Channel", &channel.name);
    let mut made = egress(&of_channel, REQUESTS * 4.0);
    made.extend(ingress(&of_channel, 2.0));
    made.extend(by_status(
        "IngressRequestCount",
        &of_channel,
        INGEST.1 * 2.0,
    ));
    made.push(live("ChannelMQCS", of_channel.clone(), QUALITY));
    made.push(live("ChannelMQCSSequence", of_channel.clone(), QUALITY));
    made.extend(by_track("ChannelMQCS", &of_channel));
    made.push(live("IngressMQCS", of_channel.clone(), QUALITY));
    made.push(live("IngressMQCSSequence", of_channel.clone(), QUALITY));
    for ingest in &channel.ingest {
        let of_input = with(&of_channel, "IngestEndpoint", &ingest.id);
        made.extend(ingress(&of_input, 1.0));
        made.extend(by_status("IngressRequestCount", &of_input, INGEST.1));
        made.push(live("IngressMQCS", of_input.clone(), QUALITY));
        made.push(live("IngressMQCSSequence", of_input.clone(), QUALITY));
        made.extend(by_track("IngressMQCS", &of_input));
    }
    let is_of = |e: &&Endpoint| e.group == channel.group && e.channel == channel.name;
    for endpoint in world.v2.endpoints.iter().filter(is_of) {
        let of_endpoint = with(&of_channel, "OriginEndpoint", &endpoint.name);
        made.extend(egress(&of_endpoint, REQUESTS));
    }
    made
}

/// The series of a group, or of the whole region where `dimensions` are none.
pub fn of_all(dimensions: &Dimensions) -> Vec<StandardSeries> {
    let mut made = egress(dimensions, REQUESTS * 40.0);
    made.extend(ingress(dimensions, 20.0));
    made.extend(by_status(
        "IngressRequestCount",
        dimensions,
        INGEST.1 * 20.0,
    ));
    let scores = [
        "ChannelMQCS",
        "ChannelMQCSSequence",
        "IngressMQCS",
        "IngressMQCSSequence",
    ];
    for score in scores {
        made.push(live(score, dimensions.clone(), QUALITY));
    }
    made
}

fn egress(dimensions: &Dimensions, requests: f64) -> Vec<StandardSeries> {
    let mut made = by_status("EgressRequestCount", dimensions, requests);
    let mut add = |dimensions: &Dimensions, requests: f64| {
        made.push(live("EgressBytes", dimensions.clone(), requests * 1500.0));
        made.push(live("EgressRequestCount", dimensions.clone(), requests));
        made.push(live("EgressResponseTime", dimensions.clone(), 14.0));
    };
    add(dimensions, requests);
    for (kind, share) in REQUEST_TYPES {
        add(&with(dimensions, "RequestType", kind), requests * share);
    }
    // Type and status together are counted of something only, not of the whole region.
    for (kind, share) in REQUEST_TYPES.into_iter().filter(|_| !dimensions.is_empty()) {
        let of_kind = with(dimensions, "RequestType", kind);
        made.extend(by_status("EgressRequestCount", &of_kind, requests * share));
    }
    made
}

fn ingress(dimensions: &Dimensions, inputs: f64) -> Vec<StandardSeries> {
    let (bytes, requests) = INGEST;
    vec![
        live("IngressBytes", dimensions.clone(), bytes * inputs),
        live("IngressRequestCount", dimensions.clone(), requests * inputs),
        live("IngressResponseTime", dimensions.clone(), 20.0),
    ]
}

fn by_status(name: &'static str, dimensions: &Dimensions, requests: f64) -> Vec<StandardSeries> {
    let series = STATUS_RANGES.map(|(range, share)| {
        let of_range = with(dimensions, "StatusCode", range);
        match share {
            Some(share) => live(name, of_range, requests * share),
            None => {
                let seed = seed(name, &of_range);
                (name, of_range, Values::Sparse { seed })
            }
        }
    });
    series.into()
}

fn by_track(name: &'static str, dimensions: &Dimensions) -> Vec<StandardSeries> {
    let series = TRACK_TYPES.map(|track| live(name, with(dimensions, "TrackType", track), QUALITY));
    series.into()
}
