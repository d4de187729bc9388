//! What the engine is told at its start: the part of the config that its rules depend on.

use std::time::Duration;

use crate::state::apis::MediaApi;
use crate::state::time::UnixMs;
use crate::state::wish::Wish;

/// Everything that does not change while the process lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Version of the program.
    pub version: &'static str,
    /// The AWS region.
    pub region: String,
    /// First levels of every topic.
    pub base_topic: String,
    /// The next level.
    pub instance: String,
    /// Home Assistant's documents.
    pub home_assistant: HomeAssistant,
    /// Whether scalars also go out as topics of their own.
    pub flat: bool,
    /// What is watched.
    pub wish: Wish,
    /// The MediaPackage APIs that are asked, and CloudWatch for their metrics.
    pub apis: Vec<MediaApi>,
    /// So many failed tries to get a resource of v2 by itself before it is shown without what
    /// only that tells.
    pub detail_tries: u32,
    /// Topics whose messages are taken, whichever way they come.
    pub topic_arns: Vec<String>,
    /// Whether there is a listener for SNS.
    pub listens: bool,
    /// The queue that messages are taken from.
    pub queue_url: Option<String>,
    /// The name of this process in what the local page reads, where there is one.
    pub page: Option<String>,
    /// Time between two inventory polls.
    pub inventory_interval: Duration,
    /// Time between two alarm polls.
    pub alarms_interval: Duration,
    /// Limit of publishes; 0: none.
    pub publishes_per_second_max: u32,
    /// Limit of a month's bill; 0: none.
    pub monthly_budget_usd: f64,
    /// What AWS takes for a thousand metrics.
    pub price_per_1000_metrics_usd: f64,
    /// What was kept of the meter by an earlier process, or why that cannot be read.
    pub meter_file: Result<Option<String>, String>,
    /// Whether AWS is reached by TLS, which needs a clock that is not before `earliest_date`.
    pub needs_clock: bool,
    /// No honest clock shows an earlier date: when this version was made.
    pub earliest_date: UnixMs,
    /// Random, kept between runs.
    pub agent_id: Option<String>,
    /// Metrics wait so long for the first session, so that points go out before what they show.
    pub first_session_wait: Duration,
    /// Whether a service manager wants to hear from us.
    pub supervised: bool,
    /// Whether another owner of our topics is thrown out.
    pub take_over: bool,
    /// Seed of every random choice.
    pub seed: u64,
}

/// What becomes of Home Assistant's documents.
#[derive(Clone, Debug)]
pub struct HomeAssistant {
    /// Whether there are any; without, those that are there are cleared.
    pub enabled: bool,
    /// First levels of their topics.
    pub prefix: String,
    /// Documents wait so long for a listing that fails; then the others go out.
    pub wait: Duration,
}
