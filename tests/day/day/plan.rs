//! What a seed makes of a day: which services there are, how large the region is, how the agent
//! is configured.

use std::time::Duration;

use fastrand::Rng;
use pure::engine::{HomeAssistant, Settings};
use pure::state::apis::MediaApi;
use pure::state::glob::Glob;
use pure::state::time::UnixMs;
use pure::state::wish::{AlarmsKept, MetricsLevel, Wish};

use super::post::{QUEUE, TOPIC};
use super::sim::START;
use crate::region::world::{Alarm, Clock, World};

/// Before the simulated days, and after 1970.
const EARLIEST: UnixMs = UnixMs(1_795_305_600_000);

pub struct Plan {
    pub has_v2: bool,
    pub has_vod: bool,
    channels: usize,
    endpoints: usize,
    pub metrics_interval: Duration,
    inventory_interval: Duration,
    level: MetricsLevel,
    home_assistant: bool,
    pub flat: bool,
    rate: u32,
    pub listens: bool,
    pub has_queue: bool,
    pub points_by_json: bool,
    /// Channels on a page.
    page: usize,
    pub has_page: bool,
}

fn one_of(rng: &mut Rng, chances: u32) -> bool {
    rng.u32(..chances) == 0
}

impl Plan {
    /// Most regions are small, so that a thousand days take little time.
    pub fn of(rng: &mut Rng) -> Plan {
        let intervals = [60, 300, 300, 300];
        Plan {
            has_v2: one_of(rng, 5),
            has_vod: one_of(rng, 10),
            channels: if one_of(rng, 40) { 6 } else { rng.usize(1..3) },
            endpoints: rng.usize(..3),
            metrics_interval: Duration::from_secs(intervals[rng.usize(..4)]),
            inventory_interval: Duration::from_secs(if one_of(rng, 3) { 60 } else { 240 }),
            level: match rng.u8(..12) {
                0 => MetricsLevel::Full,
                1..6 => MetricsLevel::Channels,
                _ => MetricsLevel::Standard,
            },
            home_assistant: one_of(rng, 6),
            flat: one_of(rng, 20),
            rate: if one_of(rng, 10) { 20 } else { 0 },
            listens: !one_of(rng, 4),
            has_queue: one_of(rng, 3),
            points_by_json: one_of(rng, 12),
            page: rng.usize(1..4),
            has_page: one_of(rng, 3),
        }
    }

    /// The region at the start of the day.
    pub fn world(&self) -> World {
        let mut world = World::new("eu-central-1");
        world.clock = Clock::Fixed(START.0 - 3_600_000);
        world.pages.inventory = self.page;
        world.pages.alarms = 2;
        let mut world = world.with_channels(self.channels, self.endpoints);
        if self.has_v2 {
            world = world.with_groups(1, 1, 1);
        }
        if self.has_vod {
            world = world.with_packaging(1, 1);
        }
        let mut world = world.standard_metrics();
        for n in 0..3 {
            world.put_alarm(alarm(n, START.0 - 7_200_000));
        }
        world.put_alarm(Alarm::composite("both", "ALARM(\"a0\") OR ALARM(\"a1\")"));
        world
    }

    /// All that has points, as it stands in topics.
    pub fn resources(&self, world: &World) -> Vec<String> {
        let channels = world.channels.iter().map(|c| format!("channel/{}", c.id));
        let endpoints = world.endpoints.iter().map(|e| format!("endpoint/{}", e.id));
        let v2 = world
            .v2
            .channels
            .iter()
            .map(|c| format!("channel/{}", c.id()));
        let v2_endpoints = world
            .v2
            .endpoints
            .iter()
            .map(|e| format!("endpoint/{}", e.id()));
        let vod = world.vod.configurations.iter();
        let vod = vod.map(|c| format!("packaging_configuration/{}", c.id));
        let all = channels.chain(endpoints).chain(v2).chain(v2_endpoints);
        all.chain(vod).collect()
    }
}

/// Alarm `a<n>`, on what the first channel receives.
pub fn alarm(n: usize, updated_ms: i64) -> Alarm {
    let name = format!("a{n}");
    let mut alarm = Alarm::metric(&name, "IngressBytes", &[("Channel", "ch-0000")]);
    alarm.updated_ms = updated_ms;
    alarm
}

pub fn settings(plan: &Plan, seed: u64) -> Settings {
    let seconds = Duration::from_secs;
    let mut apis = vec![MediaApi::V1];
    apis.extend(plan.has_v2.then_some(MediaApi::V2));
    apis.extend(plan.has_vod.then_some(MediaApi::Vod));
    Settings {
        version: "1.0.0",
        region: "eu-central-1".into(),
        base_topic: "mp".into(),
        instance: "x".into(),
        home_assistant: HomeAssistant {
            enabled: plan.home_assistant,
            prefix: "ha".into(),
            wait: seconds(60),
        },
        flat: plan.flat,
        wish: Wish {
            include: vec![Glob::new("*")],
            exclude: Vec::new(),
            level: plan.level,
            metrics_interval: plan.metrics_interval,
            settle: seconds(180),
            ingest_lost_after: seconds(300),
            alarms: AlarmsKept::MediaPackage,
            alarm_include: Vec::new(),
            alarm_exclude: Vec::new(),
        },
        apis,
        detail_tries: 3,
        topic_arns: match plan.listens || plan.has_queue {
            true => vec![TOPIC.into()],
            false => Vec::new(),
        },
        listens: plan.listens,
        queue_url: plan.has_queue.then(|| QUEUE.to_owned()),
        page: None,
        inventory_interval: plan.inventory_interval,
        alarms_interval: seconds(60),
        publishes_per_second_max: plan.rate,
        // A day shall ask at its pace: what a budget does to it has tests of its own.
        monthly_budget_usd: 0.0,
        price_per_1000_metrics_usd: 0.01,
        meter_file: Ok(None),
        needs_clock: true,
        earliest_date: EARLIEST,
        agent_id: Some("a".into()),
        first_session_wait: seconds(5),
        supervised: true,
        take_over: false,
        seed,
    }
}
