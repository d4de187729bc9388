//! How fast pushed messages get to the broker: the release binary between the simulated region,
//! a real mosquitto and clients of our own, everything on loopback.
//!
//! ```text
//! cargo bench --bench push                       # all of it, about two minutes
//! cargo bench --bench push -- throughput         # one part: ceiling latency throughput spool tls
//!                                                #           queue
//! ```
//!
//! Messages are events of MediaPackage, signed before the clock starts. Each becomes two
//! publications, `sns/message` and `event/key_provider`; the subscriber hears the first.

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
mod posts;
mod pushed;
mod scene;

use std::time::Instant;

use broker::{Ear, flood};
use figures::{Process, Table, Times};
use harness::LIMIT;
use posts::Client;
use pushed::{CROWDED, PACE, PACED, WARM_UP, crowded, paced};
use scene::{Body, Scene};

/// Messages while the broker is away.
const SPOOLED_PACED: usize = 500;
const SPOOLED_CROWDED: usize = 4000;
/// Messages that wait in the queue when the agent is let at them.
const QUEUED: usize = 2000;
/// Publications for the broker alone.
const FLOOD: usize = 40_000;
/// Connections that are held open over TLS.
const TLS_CONNECTIONS: usize = 32;

type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 6] = [
    ("ceiling", ceiling),
    ("latency", latency),
    ("throughput", throughput),
    ("spool", spool),
    ("tls", tls),
    ("queue", queue),
];

fn main() {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let mut table = Table::default();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            eprintln!("{name} …");
            part(&mut table);
        }
    }
    println!("{table}");
}

/// What the broker takes from one publisher while one subscriber hears all of it.
fn ceiling(table: &mut Table) {
    let scene = Scene::new();
    let ear = Ear::start(scene.broker_port(), false);
    let took = flood(scene.broker_port(), FLOOD);
    ear.hear(FLOOD);
    table.rate("the broker alone, publications", FLOOD, took);
}

fn latency(table: &mut Table) {
    let scene = Scene::new();
    let posts = scene.posts(WARM_UP + PACED);
    let ear = Ear::start(scene.broker_port(), false);
    let agent = scene.agent();
    let (warm_up, posts) = posts.split_at(WARM_UP);
    paced(&mut Client::open(scene.port()), warm_up);
    ear.hear(WARM_UP);
    let process = Process::of(agent.id());
    let before = process.cpu();
    let [mut published, mut answered] = pushed::latency(scene.port(), posts, &ear);
    let spent = process.cpu() - before;
    table.times("broker up, 50 a second: POST to MQTT", &mut published);
    table.times("the same: POST to 200", &mut answered);
    table.each("the same: CPU of the agent", spent, PACED);
    agent.stop();
}

fn throughput(table: &mut Table) {
    let scene = Scene::new();
    let posts = scene.posts(WARM_UP + CROWDED);
    let ear = Ear::start(scene.broker_port(), false);
    let agent = scene.agent();
    table.memory("memory idle, before", agent.resident_kib());
    let (warm_up, posts) = posts.split_at(WARM_UP);
    crowded(scene.port(), warm_up);
    ear.hear(WARM_UP);
    let processes = [Process::of(agent.id()), Process::child("mosquitto")];
    let threads = processes[0].threads();
    let before = processes.each_ref().map(Process::cpu);
    let took = crowded(scene.port(), posts);
    // The ids are told apart: none is missing.
    ear.hear(CROWDED);
    table.rate("broker up, 8 clients: answered 200", CROWDED, took);
    for (process, before) in processes.iter().zip(before) {
        let what = format!("the same: CPU of {}", process.name);
        table.each(&what, process.cpu() - before, CROWDED);
    }
    for (name, spent) in processes[0].threads() {
        let before = threads.get(&name).copied().unwrap_or_default();
        eprintln!("  {name}: {:?}", (spent - before) / CROWDED as u32);
    }
    table.memory("memory idle, after", agent.resident_kib());
    agent.stop();
}

fn spool(table: &mut Table) {
    let mut scene = Scene::new();
    let posts = scene.posts(WARM_UP + SPOOLED_PACED + SPOOLED_CROWDED);
    let ear = Ear::start(scene.broker_port(), true);
    let agent = scene.agent();
    let mut client = Client::open(scene.port());
    let (warm_up, posts) = posts.split_at(WARM_UP);
    paced(&mut client, warm_up);
    ear.hear(WARM_UP);
    scene.place.site.broker.stop();
    agent.wait_for_log("mqtt: no session");
    let (few, many) = posts.split_at(SPOOLED_PACED);
    let (mut answered, _) = paced(&mut client, few);
    table.times("broker away, 50 a second: POST to 200", &mut answered);
    let took = crowded(scene.port(), many);
    table.rate("the same, 8 clients: answered 200", many.len(), took);
    table.memory("the same: memory after", agent.resident_kib());
    scene.place.site.broker.run();
    let heard = ear.hear(posts.len());
    let (first, last) = (heard.values().min(), heard.values().max());
    let took = *last.unwrap() - *first.unwrap();
    table.rate("broker back: out of the spool", posts.len(), took);
    table.memory("the same: memory after", agent.resident_kib());
    agent.stop();
}

fn tls(table: &mut Table) {
    let (scene, root) = Scene::with_tls();
    let messages = scene.messages(1 + TLS_CONNECTIONS);
    let agent = scene.agent();
    let url = scene.place.url().replace("http:", "https:");
    let deadline = Instant::now() + LIMIT;
    let post = |message| {
        let opened = region::sns::post::Connection::open(&url, Some(&root), deadline);
        let mut connection = opened.unwrap();
        assert_eq!(connection.exchange(message, deadline).unwrap().0, 200);
        connection
    };
    drop(post(&messages[0]));
    let before = agent.resident_kib();
    let held: Vec<_> = messages[1..].iter().map(post).collect();
    let all = agent.resident_kib();
    drop(held);
    table.memory("listening over TLS: memory idle", before);
    let what = format!("the same: memory with {TLS_CONNECTIONS} connections");
    table.memory(&what, all);
    agent.stop();
}

/// The same messages by the queue, whose answers the simulated region makes.
fn queue(table: &mut Table) {
    let (mut scene, queue) = Scene::with_queue();
    let bodies = scene.bodies(WARM_UP + PACED + QUEUED);
    let ear = Ear::start(scene.broker_port(), true);
    let agent = scene.agent();
    let (warm_up, bodies) = bodies.split_at(WARM_UP);
    let put = |scene: &Scene, body: &Body| {
        scene.place.site.region.sqs().send(&queue, &body.text);
    };
    warm_up.iter().for_each(|body| put(&scene, body));
    ear.hear(WARM_UP);
    let (paced, crowded) = bodies.split_at(PACED);
    let process = Process::of(agent.id());
    let before = process.cpu();
    let began = Instant::now();
    let mut begun = Vec::new();
    for (body, n) in paced.iter().zip(0_u32..) {
        let turn = began + PACE * n;
        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
        begun.push(Instant::now());
        put(&scene, body);
    }
    let heard = ear.hear(PACED);
    let mut published = Times::default();
    for (body, at) in paced.iter().zip(begun) {
        published.add(heard[&body.id].saturating_duration_since(at));
    }
    table.times("by the queue, 50 a second: into it to MQTT", &mut published);
    table.each("the same: CPU of the agent", process.cpu() - before, PACED);
    scene.place.site.broker.stop();
    agent.wait_for_log("mqtt: no session");
    crowded.iter().for_each(|body| put(&scene, body));
    scene.place.site.broker.run();
    let heard = ear.hear(QUEUED);
    let (first, last) = (heard.values().min(), heard.values().max());
    let took = *last.unwrap() - *first.unwrap();
    table.rate("the same, broker back: out of the queue", QUEUED, took);
    table.memory("the same: memory after", agent.resident_kib());
    agent.stop();
}
