//! One traffic light for each channel, with the reasons in words. No rule invents data.
//!
//! | health | rule |
//! |---|---|
//! | `critical` | ingest is `lost`, or an alarm of the channel is in ALARM |
//! | `warning` | one of several inputs is silent while the channel receives, or data is late |
//! | `unknown` | nothing can be said: metrics are off, failing or not answered, and no alarm |
//! | `ok` | none of these |
//!
//! An `idle` channel is `ok`: most event channels are dark most of the week. v1 and v2 are
//! judged alike, by bytes: v2 has no event that tells a switch of its inputs.

use super::model::{Channel, Id};
use super::time::{Minute, UnixMs};
use super::tracks::{Flow, Freshness, SILENCE_MINUTES, Track};

/// Whether an encoder sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ingest {
    /// Settled minutes have bytes.
    Receiving,
    /// There were some within three hours, and none for `ingest_lost_after`.
    Lost,
    /// None for three hours.
    Idle,
    /// The metrics source fails, is off, or has not answered yet.
    Unknown,
}

impl Ingest {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Ingest::Receiving => "receiving",
            Ingest::Lost => "lost",
            Ingest::Idle => "idle",
            Ingest::Unknown => "unknown",
        }
    }
}

/// How a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Light {
    /// Nothing wrong.
    Ok,
    /// Nothing can be said.
    Unknown,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

impl Light {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Light::Ok => "ok",
            Light::Unknown => "unknown",
            Light::Warning => "warning",
            Light::Critical => "critical",
        }
    }
}

/// What `channel/<id>/health` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The light.
    pub light: Light,
    /// Why, one sentence each; empty for `ok`.
    pub reasons: Vec<String>,
    /// Whether an encoder sends.
    pub ingest: Ingest,
    /// When that began; `None` when it was so before we looked.
    pub ingest_since: Option<UnixMs>,
    /// Ingest endpoints of the channel.
    pub inputs_total: usize,
    /// Those that receive; `None` where the level has no metrics of inputs.
    pub inputs_receiving: Option<usize>,
    /// Alarms of the channel in state ALARM.
    pub alarms: Vec<Id>,
}

/// What a channel is judged by.
pub struct Evidence<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// Its metrics; `None` when they have not been answered.
    pub track: Option<&'a Track>,
    /// Whether the metrics source works.
    pub metrics_work: bool,
    /// Names of its alarms in state ALARM.
    pub alarms: &'a [&'a Id],
    /// After so many silent minutes ingest is lost.
    pub lost_after_minutes: i64,
}

/// Judges a channel.
pub fn judge(evidence: &Evidence) -> Health {
    let track = evidence.track.filter(|_| evidence.metrics_work);
    let (ingest, ingest_since) = match track {
        Some(track) => ingest(
            track.ingress,
            track.shown.minute,
            evidence.lost_after_minutes,
        ),
        None => (Ingest::Unknown, None),
    };
    let inputs_total = evidence.channel.ingest_endpoints.len();
    let silent = track.map_or(Vec::new(), |track| silent_inputs(track, evidence));
    let inputs_known = track.is_some_and(|track| !track.inputs.is_empty());
    let alarms: Vec<Id> = evidence.alarms.iter().map(|name| (*name).clone()).collect();

    let mut reasons = Vec::new();
    let mut light = if ingest == Ingest::Unknown {
        Light::Unknown
    } else {
        Light::Ok
    };
    if ingest == Ingest::Lost {
        light = Light::Critical;
        reasons.push(lost_reason(ingest_since));
    }
    for name in &alarms {
        light = Light::Critical;
        reasons.push(format!("Alarm {name} is in ALARM."));
    }
    if ingest == Ingest::Receiving && inputs_total > 1 {
        for input in &silent {
            light = light.max(Light::Warning);
            reasons.push(format!(
                "Input {input} is silent while the channel receives."
            ));
        }
    }
    if ingest != Ingest::Lost && track.is_some_and(|t| t.freshness == Freshness::Late) {
        light = light.max(Light::Warning);
        reasons.push("CloudWatch has had no data for a while.".to_owned());
    }
    if light == Light::Unknown {
        reasons.push("CloudWatch metrics are not available.".to_owned());
    }
    let inputs_receiving = match (inputs_known, ingest) {
        (_, Ingest::Unknown) | (false, _) => None,
        (true, _) => Some(inputs_total.saturating_sub(silent.len())),
    };
    Health {
        light,
        reasons,
        ingest,
        ingest_since,
        inputs_total,
        inputs_receiving,
        alarms,
    }
}

fn lost_reason(since: Option<UnixMs>) -> String {
    match since {
        Some(since) => format!("Ingest is lost since {since}."),
        None => "Ingest is lost.".to_owned(),
    }
}

/// What a flow of bytes says at the newest settled minute.
fn ingest(flow: Flow, newest: Minute, lost_after: i64) -> (Ingest, Option<UnixMs>) {
    let Some(last) = flow.last else {
        return (Ingest::Idle, None);
    };
    let silent = newest.0 - last.0;
    let stopped = Some(last.plus(1).start());
    if silent >= SILENCE_MINUTES {
        (Ingest::Idle, stopped)
    } else if silent >= lost_after {
        (Ingest::Lost, stopped)
    } else {
        (Ingest::Receiving, flow.since.map(Minute::start))
    }
}

/// The ingest endpoints that are silent; one that never had a series is silent too.
fn silent_inputs<'a>(track: &Track, evidence: &'a Evidence) -> Vec<&'a str> {
    if track.inputs.is_empty() {
        return Vec::new();
    }
    let receives = |id: &str| {
        let flow = track
            .inputs
            .iter()
            .find(|(input, _)| **input == *id)
            .map(|(_, flow)| *flow);
        flow.is_some_and(|flow| {
            ingest(flow, track.shown.minute, evidence.lost_after_minutes).0 == Ingest::Receiving
        })
    };
    let ids = evidence
        .channel
        .ingest_endpoints
        .iter()
        .map(|input| input.id.as_str());
    ids.filter(|id| !receives(id)).collect()
}
