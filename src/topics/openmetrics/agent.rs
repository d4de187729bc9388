//! What the agent says of itself.

use std::collections::BTreeMap;

use super::{Family, Samples, Writer, counter, gauge, info, measured, number};
use crate::state::alarms::Via;
use crate::state::push::Counts;
use crate::state::source::{Source, SourceStatus};
use crate::state::time::UnixMs;
use crate::topics::report::{AgentHealth, Stats};

const PREFIX: &str = "mediapackage_";
const HEALTHS: [&str; 4] = ["ok", "degraded", "failing", "starting"];
/// States of alarms that are told also when none is in them.
const ALARM_STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

/// What is told of the agent.
pub struct Agent<'a> {
    /// Of the program.
    pub version: &'a str,
    /// The region.
    pub region: &'a str,
    /// How much is asked of CloudWatch.
    pub level: &'a str,
    /// How it does.
    pub health: AgentHealth,
    /// When the process started, on our clock.
    pub started_at: UnixMs,
    /// AWS's clock minus ours.
    pub clock_offset_seconds: Option<i64>,
    /// Its sources, but those that are off.
    pub sources: Vec<AgentRow<'a>>,
    /// Numbers of its work.
    pub stats: Stats<'a>,
    /// Channels and endpoints.
    pub counts: (usize, usize),
    /// Alarms by their state.
    pub alarms: BTreeMap<&'a str, usize>,
}

/// One of its sources.
pub struct AgentRow<'a> {
    /// Which.
    pub source: Source,
    /// How it does.
    pub status: &'a SourceStatus,
    /// Whether it can be believed; `None` before its first answer.
    pub live: Option<bool>,
}

/// Writes what the agent says of itself.
pub fn agent(out: &mut Writer, agent: &Agent) {
    let about = info("agent", "What runs, and where.");
    out.family(PREFIX, about, |put| {
        let labels = [
            ("version", agent.version),
            ("region", agent.region),
            ("metrics_level", agent.level),
        ];
        put.put(&labels, &[], Some(1.0));
    });
    let health = gauge(
        "agent_health",
        "How the agent does; 1 for the state it is in.",
    );
    out.family(PREFIX, health, |put| {
        put.state(&[], &HEALTHS, agent.health.as_str());
    });
    let (channels, endpoints) = agent.counts;
    let started = Some(agent.started_at.0 as f64 / 1000.0);
    let offset = agent.clock_offset_seconds.map(|seconds| seconds as f64);
    let memory = agent.stats.memory_bytes.map(|bytes| bytes as f64);
    let singles = [
        (STARTED, started),
        (OFFSET, offset),
        (MEMORY, memory),
        (PUBLISHES, Some(agent.stats.publishes as f64)),
        (CHANNELS, Some(channels as f64)),
        (ENDPOINTS, Some(endpoints as f64)),
        (MATCHED, Some(agent.stats.series.0 as f64)),
        (UNMATCHED, Some(agent.stats.series.1 as f64)),
        (INTERVAL, Some(agent.stats.interval_seconds as f64)),
        (BILLED, Some(agent.stats.metrics_billed as f64)),
        (COST, Some(agent.stats.cost_usd)),
        (FORECAST, Some(agent.stats.forecast_usd)),
        (BUDGET, Some(agent.stats.budget_usd)),
    ];
    for (family, value) in singles {
        out.family(PREFIX, family, |put| put.put(&[], &[], value));
    }
    sources(out, &agent.sources);
    pushed(out, agent.stats.pushed);
    alarms(out, &agent.alarms);
}

const STARTED: Family = measured(
    "agent_start_time_seconds",
    "seconds",
    "When the agent started, in seconds since 1970.",
);
const OFFSET: Family = measured(
    "agent_clock_offset_seconds",
    "seconds",
    "Clock of AWS minus clock of this machine.",
);
const MEMORY: Family = measured(
    "agent_resident_memory_bytes",
    "bytes",
    "Resident memory of the agent.",
);
const PUBLISHES: Family = counter(
    "agent_publishes",
    "Publications that the broker acknowledged.",
);
const CHANNELS: Family = gauge("channels", "Channels that are watched.");
const ENDPOINTS: Family = gauge("endpoints", "Origin endpoints that are watched.");
const MATCHED: Family = gauge(
    "series_matched",
    "Series that CloudWatch lists and that belong to a known resource.",
);
const UNMATCHED: Family = gauge(
    "series_unmatched",
    "Series that CloudWatch lists and that belong to none.",
);
const INTERVAL: Family = measured(
    "metrics_interval_seconds",
    "seconds",
    "Time between two polls of metrics, as the budget allows it.",
);
const BILLED: Family = gauge(
    "month_billed_metrics",
    "Metrics that AWS bills for this month so far.",
);
const COST: Family = measured(
    "month_cost_usd",
    "usd",
    "What this month has cost so far in US dollars.",
);
const FORECAST: Family = measured(
    "month_forecast_usd",
    "usd",
    "What this month comes to at this pace in US dollars.",
);
const BUDGET: Family = measured(
    "month_budget_usd",
    "usd",
    "The limit of a month in US dollars; 0 is none.",
);

fn sources(out: &mut Writer, rows: &[AgentRow]) {
    type Value = fn(&AgentRow) -> Option<f64>;
    let families: [(Family, Value); 6] = [
        (
            gauge(
                "source_up",
                "Whether a source can be believed: 0 after three failed intervals.",
            ),
            |row| row.live.map(number),
        ),
        (counter("source_polls", "Polls of a source."), |row| {
            Some(row.status.polls as f64)
        }),
        (
            counter("source_failures", "Polls of a source that failed."),
            |row| Some(row.status.failures as f64),
        ),
        (
            counter("source_requests", "HTTP requests that a source needed."),
            |row| Some(row.status.requests as f64),
        ),
        (
            measured(
                "source_last_success_timestamp_seconds",
                "seconds",
                "When a source last answered completely, in seconds since 1970.",
            ),
            |row| Some(row.status.last_success_at?.0 as f64 / 1000.0),
        ),
        (
            measured(
                "source_poll_duration_seconds",
                "seconds",
                "How long the last poll of a source took.",
            ),
            |row| (row.status.polls > 0).then_some(row.status.duration_ms as f64 / 1000.0),
        ),
    ];
    for (family, value) in families {
        out.family(PREFIX, family, |put| {
            for row in rows {
                let labels = [("source", row.source.as_str())];
                put.put(&labels, &[], value(row));
            }
        });
    }
}

fn pushed(out: &mut Writer, counts: &BTreeMap<Via, Counts>) {
    let accepted = counter(
        "push_accepted",
        "Messages that came over SNS or SQS and were taken.",
    );
    out.family(PREFIX, accepted, |put| {
        for (via, counts) in counts {
            let labels = [("source", via.as_str())];
            put.put(&labels, &[], Some(counts.accepted as f64));
        }
    });
    let rejected = counter(
        "push_rejected",
        "What came over SNS or SQS and was refused.",
    );
    out.family(PREFIX, rejected, |put: &mut Samples<'_>| {
        for (via, counts) in counts {
            for (reason, count) in &counts.rejected {
                let labels = [("source", via.as_str()), ("reason", reason.as_str())];
                put.put(&labels, &[], Some(*count as f64));
            }
        }
    });
}

fn alarms(out: &mut Writer, counts: &BTreeMap<&str, usize>) {
    let mut all: BTreeMap<&str, usize> = ALARM_STATES.map(|state| (state, 0)).into();
    all.extend(counts);
    out.family(PREFIX, gauge("alarms", "Alarms by their state."), |put| {
        for (state, count) in all {
            put.put(&[("state", state)], &[], Some(count as f64));
        }
    });
}
