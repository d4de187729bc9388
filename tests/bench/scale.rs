//! What the agent needs, beside the script that a competent user would write: both between the
//! same region and a broker, everything on loopback, one after the other.
//!
//! ```text
//! tests/bench/run              # all of it, about ten minutes
//! tests/bench/run 100          # regions of 100 channels only
//! ```
//!
//! `BENCH_BINARY` names another binary of the agent than cargo's own.
//!
//! Both are black boxes: a cycle begins when the region is asked for its channels, and its wall
//! time is that in which requests, answers and publications follow each other. CPU and memory are
//! the kernel's figures of the one process that is measured.

#![allow(clippy::unwrap_used, clippy::type_complexity, missing_docs)]
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]
#![allow(dead_code, reason = "the tests' helpers have more than is needed here")]

#[path = "../region/mod.rs"]
mod region;
#[path = "../support/mod.rs"]
mod support;

mod activity;
mod broker;
mod figures;
#[path = "../agent/harness.rs"]
mod harness;
#[path = "../push/place.rs"]
mod place;
mod points;
mod posts;
mod pushed;
mod replay;
mod scene;
mod stage;
mod table;

use std::time::Duration;

use broker::Ear;
use posts::Client;
use pushed::{CROWDED, PACED, WARM_UP, crowded, latency, paced};
use scene::Scene;
use stage::{Scale, Script, Stage, Who, wait};
use table::Table;

const SCALES: [Scale; 3] = [scale(10, 1, 30), scale(100, 2, 20), scale(1000, 10, 6)];
/// The script stands beside the agent that came before it.
const BOTH: [Who; 2] = [Who::Agent, Who::Script];
/// Cycles that pass before the steady ones: everything is published, and buffers have grown.
const WARM_CYCLES: usize = 2;
/// Starts of each, of which the median counts.
const STARTS: usize = 9;

const fn scale(channels: usize, seconds: u64, cycles: usize) -> Scale {
    Scale {
        channels,
        interval: Duration::from_secs(seconds),
        cycles,
    }
}

fn main() {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    println!("{} beside the script:\n", harness::binary().display());
    let mut table = Table::default();
    if wants("start") {
        BOTH.iter().for_each(|who| starts(&mut table, *who));
    }
    // Before the cycles: a shared machine that was busy for minutes gives less, and this is no
    // ratio.
    if wants("push") {
        pushes(&mut table);
    }
    let scales = SCALES
        .iter()
        .filter(|scale| wants(&scale.channels.to_string()));
    for scale in scales {
        BOTH.iter().for_each(|who| cycles(&mut table, scale, *who));
    }
    table.size(&harness::binary());
    println!("{table}");
}

/// From the start of the process to what it publishes first.
fn starts(table: &mut Table, who: Who) {
    let (mut firsts, mut channels) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let stage = Stage::new(&SCALES[0]);
        let running = stage.start(who);
        let (first, channel) = wait("the first channel", || stage.firsts());
        firsts.push(first - running.began);
        channels.push(channel - running.began);
        running.stop();
    }
    table.time("start to the first topic", who, median(firsts));
    table.time("start to the first channel's topic", who, median(channels));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn cycles(table: &mut Table, scale: &Scale, who: Who) {
    let stage = Stage::new(scale);
    let running = stage.start(who);
    let process = &running.process;
    stage.wait_for_picture(who);
    table.time("first cycle, wall", who, running.began.elapsed());
    table.time("first cycle, CPU", who, process.cpu());

    let warm = stage.tally().cycles + WARM_CYCLES;
    let before = stage.wait_for_cycle(warm);
    let (cpu, busy, published) = (process.cpu(), stage.busy(), stage.published());
    let after = stage.wait_for_cycle(warm + scale.cycles);
    let (cpu, busy) = (process.cpu() - cpu, stage.busy() - busy);
    let count = scale.cycles as u32;
    let each = |before: u64, after: u64| (after - before).div_ceil(u64::from(count));
    table.time("steady cycle, wall", who, busy / count);
    table.time("steady cycle, CPU", who, cpu / count);
    let [now, most] = process.memory_kib();
    table.memory("RSS idle", who, now);
    table.memory("RSS at its peak", who, most);
    table.count(
        "HTTP requests a cycle",
        who,
        each(before.requests, after.requests),
    );
    table.count(
        "billed metrics a cycle",
        who,
        each(before.metrics, after.metrics),
    );
    table.count(
        "publications a cycle",
        who,
        each(published, stage.published()),
    );
    running.stop();
}

/// What SNS posts, through the agent and through the script's listener.
fn pushes(table: &mut Table) {
    for who in BOTH {
        let scene = Scene::new();
        let posts = scene.posts(WARM_UP + PACED + CROWDED);
        let ear = Ear::start(scene.broker_port(), false);
        let agent = (who == Who::Agent).then(|| scene.agent());
        let script = (who == Who::Script).then(|| listening(&scene));
        let (warm_up, posts) = posts.split_at(WARM_UP);
        paced(&mut Client::open(scene.port()), warm_up);
        ear.hear(WARM_UP);
        let (few, many) = posts.split_at(PACED);
        let [mut published, _] = latency(scene.port(), few, &ear);
        table.time(
            "SNS at 50 a second: POST to MQTT, p50",
            who,
            published.quantile(0.5),
        );
        table.time(
            "SNS at 50 a second: POST to MQTT, p99",
            who,
            published.quantile(0.99),
        );
        let took = crowded(scene.port(), many);
        ear.hear(CROWDED);
        table.rate(
            "SNS from 8 clients: answered 200 a second",
            who,
            CROWDED,
            took,
        );
        drop(script);
        if let Some(agent) = agent {
            agent.stop();
        }
    }
}

fn listening(scene: &Scene) -> Script {
    let port = scene.port().to_string();
    let topic = &scene.place.topic_arn;
    let arguments = ["listen", "--topic", topic, "--port", &port];
    let aws = scene.place.site.region.url();
    let script = Script::start(&aws, scene.broker_port(), &arguments);
    wait("the script's listener", || {
        support::ports::accepts(scene.port()).then_some(())
    });
    script
}
