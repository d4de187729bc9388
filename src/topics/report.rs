//! What the agent says of itself and of the region as a whole: `agent`, `agent/stats` and
//! `summary`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::state::alarms::Via;
use crate::state::apis::{ApiStatus, Apis};
use crate::state::health::Light;
use crate::state::model::Id;
use crate::state::push::Counts;
use crate::state::source::{Source, SourceStatus};
use crate::state::time::UnixMs;

/// Version of the payloads' shape; moves only when a key is renamed or removed.
const SCHEMA: u32 = 1;
/// `summary` is for small displays.
const SUMMARY_BYTES_MAX: usize = 1023;
/// Names listed in `summary`.
const SUMMARY_NAMES_MAX: usize = 10;

fn json(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap_or_default()
}

/// How the agent as a whole does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentHealth {
    /// No source has answered yet.
    Starting,
    /// Every source that is wanted works.
    Ok,
    /// Some source fails.
    Degraded,
    /// All fail.
    Failing,
}

impl AgentHealth {
    /// As it stands in `agent`.
    pub fn as_str(self) -> &'static str {
        match self {
            AgentHealth::Starting => "starting",
            AgentHealth::Ok => "ok",
            AgentHealth::Degraded => "degraded",
            AgentHealth::Failing => "failing",
        }
    }
}

/// The sources with their status, in order.
pub type Sources = BTreeMap<Source, SourceStatus>;

/// What `agent` says.
pub struct Agent<'a> {
    /// Of the program.
    pub version: &'a str,
    /// When the process started, on our clock.
    pub started_at: UnixMs,
    /// Random, kept in `state_dir`.
    pub agent_id: Option<&'a str>,
    /// Read from ARNs.
    pub account_id: Option<&'a str>,
    /// The region.
    pub region: &'a str,
    /// The queue that messages are taken from.
    pub queue_url: Option<&'a str>,
    /// How it does.
    pub health: AgentHealth,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// Its sources.
    pub sources: &'a Sources,
    /// The MediaPackage APIs.
    pub apis: &'a Apis,
    /// AWS's clock minus ours.
    pub clock_offset_seconds: Option<i64>,
}

/// `agent`
pub fn agent(agent: &Agent) -> String {
    #[derive(Serialize)]
    struct Row {
        state: &'static str,
        since: String,
        error: Option<String>,
    }
    #[derive(Serialize)]
    struct Payload<'a> {
        schema: u32,
        version: &'a str,
        started_at: String,
        agent_id: Option<&'a str>,
        account_id: Option<&'a str>,
        region: &'a str,
        queue: Option<&'a str>,
        health: &'a str,
        reasons: &'a [String],
        sources: BTreeMap<&'static str, Row>,
        apis: BTreeMap<&'static str, Row>,
        clock_offset_seconds: Option<i64>,
    }
    let row = |status: &SourceStatus| Row {
        state: status.state.as_str(),
        since: status.since.rfc3339(),
        error: status.error.as_ref().map(ToString::to_string),
    };
    let of_api = |status: &ApiStatus| Row {
        state: status.state.as_str(),
        since: status.since.rfc3339(),
        error: status.error.as_ref().map(ToString::to_string),
    };
    json(&Payload {
        schema: SCHEMA,
        version: agent.version,
        started_at: agent.started_at.rfc3339(),
        agent_id: agent.agent_id,
        account_id: agent.account_id,
        region: agent.region,
        queue: agent.queue_url,
        health: agent.health.as_str(),
        reasons: &agent.reasons,
        sources: agent
            .sources
            .iter()
            .map(|(name, s)| (name.as_str(), row(s)))
            .collect(),
        apis: agent
            .apis
            .iter()
            .map(|(api, status)| (api.as_str(), of_api(status)))
            .collect(),
        clock_offset_seconds: agent.clock_offset_seconds,
    })
}

/// What `agent/stats` says besides the sources.
pub struct Stats<'a> {
    /// Its sources.
    pub sources: &'a Sources,
    /// Rows of `ListMetrics` that belong to a known resource, and those that do not.
    pub series: (usize, usize),
    /// What was pushed, by the way it came.
    pub pushed: &'a BTreeMap<Via, Counts>,
    /// Metrics that AWS bills, of this month.
    pub metrics_billed: u64,
    /// What they and the other billed calls cost.
    pub cost_usd: f64,
    /// What this month comes to at this pace.
    pub forecast_usd: f64,
    /// The limit.
    pub budget_usd: f64,
    /// Time between two metric polls.
    pub interval_seconds: u64,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// Publications that the broker acknowledged.
    pub publishes: u64,
    /// When these numbers were taken.
    pub updated_at: UnixMs,
}

/// To a hundredth of a cent.
fn cents(usd: f64) -> f64 {
    (usd * 10_000.0).round() / 10_000.0
}

/// What `agent/stats` says of one source.
#[derive(Serialize)]
struct SourceStats {
    last_success_at: Option<String>,
    polls: u64,
    failures: u64,
    duration_ms: u64,
    requests: u64,
}

impl From<&SourceStatus> for SourceStats {
    fn from(status: &SourceStatus) -> SourceStats {
        SourceStats {
            last_success_at: status.last_success_at.map(UnixMs::rfc3339),
            polls: status.polls,
            failures: status.failures,
            duration_ms: status.duration_ms,
            requests: status.requests,
        }
    }
}

/// `agent/stats`
pub fn stats(stats: &Stats) -> String {
    #[derive(Serialize)]
    struct Series {
        matched: usize,
        unmatched: usize,
    }
    #[derive(Default, Serialize)]
    struct Pushed {
        accepted: u64,
        rejected: BTreeMap<&'static str, u64>,
    }
    #[derive(Serialize)]
    struct Cost {
        metrics_billed: u64,
        usd: f64,
        forecast_usd: f64,
        budget_usd: f64,
        effective_interval_seconds: u64,
    }
    #[derive(Serialize)]
    struct Payload {
        sources: BTreeMap<&'static str, SourceStats>,
        series: Series,
        sns: Pushed,
        sqs: Pushed,
        cost: Cost,
        memory_bytes: Option<u64>,
        publishes: u64,
        updated_at: String,
    }
    let pushed = |via| {
        let counts = stats.pushed.get(&via);
        counts.map_or_else(Pushed::default, |counts| Pushed {
            accepted: counts.accepted,
            rejected: counts
                .rejected
                .iter()
                .map(|(reason, count)| (reason.as_str(), *count))
                .collect(),
        })
    };
    json(&Payload {
        sources: stats
            .sources
            .iter()
            .map(|(name, status)| (name.as_str(), status.into()))
            .collect(),
        series: Series {
            matched: stats.series.0,
            unmatched: stats.series.1,
        },
        sns: pushed(Via::Sns),
        sqs: pushed(Via::Sqs),
        cost: Cost {
            metrics_billed: stats.metrics_billed,
            usd: cents(stats.cost_usd),
            forecast_usd: cents(stats.forecast_usd),
            budget_usd: stats.budget_usd,
            effective_interval_seconds: stats.interval_seconds,
        },
        memory_bytes: stats.memory_bytes,
        publishes: stats.publishes,
        updated_at: stats.updated_at.rfc3339(),
    })
}

/// What `summary` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The worst light of all channels.
    pub health: Light,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// How many there are.
    pub channels: usize,
    /// How many there are.
    pub endpoints: usize,
    /// Channels whose ingest is lost.
    pub lost: Vec<Id>,
    /// Alarms in state ALARM.
    pub active: Vec<Id>,
    /// Of all channels together; `None` when none has a value.
    pub egress_bits_per_second: Option<i64>,
}

/// `summary`, cut until it fits a small display's buffer.
pub fn summary(summary: &Summary, updated_at: UnixMs) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        health: &'a str,
        reasons: Vec<&'a str>,
        channels: usize,
        endpoints: usize,
        channels_lost: usize,
        lost: Vec<&'a str>,
        alarms_active: usize,
        active: Vec<&'a str>,
        egress_bits_per_second: Option<i64>,
        updated_at: String,
    }
    let names = |ids: &'_ [Id]| ids.len().min(SUMMARY_NAMES_MAX);
    let mut payload = Payload {
        health: summary.health.as_str(),
        reasons: summary.reasons.iter().map(String::as_str).collect(),
        channels: summary.channels,
        endpoints: summary.endpoints,
        channels_lost: summary.lost.len(),
        lost: summary.lost[..names(&summary.lost)]
            .iter()
            .map(|id| &**id)
            .collect(),
        alarms_active: summary.active.len(),
        active: summary.active[..names(&summary.active)]
            .iter()
            .map(|id| &**id)
            .collect(),
        egress_bits_per_second: summary.egress_bits_per_second,
        updated_at: updated_at.rfc3339(),
    };
    loop {
        let text = json(&payload);
        // The counts stay right when names have to go.
        let shortened = text.len() <= SUMMARY_BYTES_MAX
            || payload.reasons.pop().is_none()
                && payload.active.pop().is_none()
                && payload.lost.pop().is_none();
        if shortened {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_fits_a_small_display_whatever_the_names_are() {
        let long: Vec<Id> = (0..400)
            .map(|n| format!("{n}{}", "\"".repeat(255)).into())
            .collect();
        let full = Summary {
            health: Light::Critical,
            reasons: vec!["x".repeat(300); 20],
            channels: 1000,
            endpoints: 4000,
            lost: long.clone(),
            active: long,
            egress_bits_per_second: Some(i64::MAX),
        };
        let text = summary(&full, UnixMs(0));
        assert!(text.len() < 1024, "{} bytes", text.len());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["channels_lost"], 400);
        assert_eq!(value["alarms_active"], 400);
        assert_eq!(value["health"], "critical");
    }
}
