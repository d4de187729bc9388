//! A day in a minute: days of the agent, each with hours of everything at once.
//!
//! # The model
//!
//! What runs is the agent's own code from the requests to AWS up to the publications (`src/`):
//! engine, state and topics whole, what asks AWS and reads its answers, what finds out what
//! pushed messages mean, the queue's judge, and the spool. Not here are threads, sockets,
//! signatures, and retries within a poll. Around it are
//!
//! - `aws`: the simulated region of the other tests, without its port. Its answers are the JSON
//!   that it sends over HTTP, secrets and pages included; a listing is read again when the
//!   region has changed. Data points are JSON in a part of the days.
//! - `broker`: retained messages, an access list, late acknowledgements; it goes away and comes
//!   back with its store, an empty one, an old one or half of it.
//! - `post` and `bring`: SNS, which comes again until it is answered, and a queue.
//! - `viewer`: the local page, open all day in a part of the days.
//! - `disk`: what the spool writes to. It outlives the process.
//! - `sim`: time, and the process, which is killed, stopped and started again.
//!
//! A seed makes a `plan`: the services, the size of the region, the config. Then two hours are
//! like the next: `churn` disturbs for up to 75 minutes, and at the end there is a calm of 45
//! or more, after which `checks` looks, except that some blocks have none. `truth` watches all
//! the time.
//!
//! # What holds
//!
//! - *wanted is retained*: after each calm the broker holds what the engine wants, and nothing
//!   else; *the picture is that of the region*: the same held against the region itself.
//! - *the page shows what is retained*: laid together from what changed, all day and across
//!   restarts.
//! - *no secret is shown* in any topic, payload or line of the log.
//! - *no message is lost*, and *each message once*, unless a session or the process ended
//!   between; *an answer comes within ten seconds*.
//! - *each alarm once*: a change is told at least once if the agent must have heard of it before
//!   the next one, and at most once unless something ended between; none is told that was none.
//! - *each minute once*, and none missing within three hours. The broker's store is the agent's
//!   memory of the minutes: where that was lost with the process, a gap is forgiven.
//! - *each correction is told*: a minute that CloudWatch corrected early in a calm went out again.
//! - *only what changed is published*: in the last 20 minutes of a calm nothing but the minutes,
//!   `summary` and the numbers of the agent itself.
//! - *the log is no flood*, *a deadline lies in the future*, *effects are bounded*, *no endless
//!   loop*, and *memory is flat* (an allocator counts what an engine holds).
//!
//! `DAY_SEED=7 DAY_TRACE=1` runs one day and tells what went on; `DAY_SEEDS=5000` runs more.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "day/aws.rs"]
mod aws;
#[path = "day/bring.rs"]
mod bring;
#[path = "day/broker.rs"]
mod broker;
#[path = "day/checks.rs"]
mod checks;
#[path = "day/churn.rs"]
mod churn;
#[path = "day/disk.rs"]
mod disk;
#[path = "day/memory.rs"]
mod memory;
#[path = "day/plan.rs"]
mod plan;
#[path = "day/post.rs"]
mod post;
#[path = "../region/mod.rs"]
mod region;
#[path = "day/sim.rs"]
mod sim;
#[path = "day/truth.rs"]
mod truth;
#[path = "day/viewer.rs"]
mod viewer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sim::Day;

/// Days that are simulated: four minutes of two cores.
const SEEDS: u64 = 1000;
const HOURS: u64 = 24;
/// After so many failed days the others are left out.
const FAILURES_MAX: usize = 8;
/// Days in which memory is looked at.
const MEMORY_SEEDS: u64 = 12;
/// How much more an engine may hold after a day than after two hours: regions and what was heard
/// of them differ.
const MEMORY_GROWTH_MAX: f64 = 1.5;
/// And so many bytes besides: what is remembered of pushed messages fills up to its limits.
const MEMORY_BYTES_MORE_MAX: i64 = 64 * 1024;
/// How much more all of them together may hold after 24 hours than after 12, when such limits are
/// reached: between them the differences even out. Ten bytes a minute are too much.
const MEMORY_GROWTH_OF_ALL_MAX: f64 = 1.05;
/// A calm begins at the latest so long before the end of two hours.
const CALM: Duration = Duration::from_secs(45 * 60);
/// What is still settling when a calm begins has settled then.
const SETTLED: Duration = Duration::from_secs(25 * 60);
/// Longest time between two disturbances, in seconds.
const STEP_SECONDS_MAX: u64 = 240;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the day of this seed up to this hour, which is even and ends with a calm; where the
/// process lasts, it is neither killed nor stopped.
fn run(seed: u64, hours: u64, lasts: bool) -> Day {
    let mut day = Day::new(seed, number("DAY_TRACE").is_some());
    day.lasts = lasts;
    let mut block = 0;
    while block < hours {
        block += 2;
        let end = Duration::from_secs(block * 3600);
        let is_calm = [2, 12, HOURS].contains(&block) || day.rng.u8(..4) > 0;
        let until = if is_calm { end - CALM } else { end };
        while day.now < until {
            let step = Duration::from_millis(day.rng.u64(1000..STEP_SECONDS_MAX * 1000));
            day.run_to(until.min(day.now + step));
            day.disturb();
        }
        if is_calm {
            day.calm();
            day.run_to(until + SETTLED);
            day.truth.is_quiet = true;
            day.run_to(end);
            day.truth.is_quiet = false;
            day.check();
        }
    }
    day
}

/// Runs each seed on one of as many threads as there are cores; gives the seeds that failed.
fn run_all(seeds: std::ops::Range<u64>, of_seed: impl Fn(u64) + Sync) -> Vec<u64> {
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_enough = failed.lock().unwrap().len() >= FAILURES_MAX;
            if seed >= seeds.end || is_enough {
                return;
            }
            // What is wrong the panic has told.
            if catch_unwind(AssertUnwindSafe(|| of_seed(seed))).is_err() {
                failed.lock().unwrap().push(seed);
            }
        }
    };
    std::thread::scope(|scope| {
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    failed.into_inner().unwrap()
}

#[test]
fn days_with_hours_of_everything_at_once() {
    let began = Instant::now();
    let seeds = match number("DAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("DAY_SEEDS").unwrap_or(SEEDS) + 1,
    };
    let (events, published) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = run_all(seeds.clone(), |seed| {
        let day = run(seed, HOURS, false);
        events.fetch_add(day.events, Ordering::Relaxed);
        published.fetch_add(day.truth.published, Ordering::Relaxed);
    });
    let took = began.elapsed().as_secs_f64();
    let (events, published) = (events.into_inner(), published.into_inner());
    println!("{seeds:?} in {took:.1} s: {events} events, {published} publications");
    assert!(failed.is_empty(), "see above what failed: seeds {failed:?}");
}

/// What an engine holds at the end of a calm does not grow with the hours. It is found out by
/// dropping it, so each of the three is a day of its own that goes the same way; no process ends
/// in it.
#[test]
fn memory_is_flat() {
    let of_all = Mutex::new([0, 0]);
    let failed = run_all(1..MEMORY_SEEDS + 1, |seed| {
        let held = [2, 12, HOURS].map(|hours| {
            let mut day = run(seed, hours, true);
            memory::held_by(day.agent.take())
        });
        println!("seed {seed}: an engine holds {held:?} bytes");
        let [two, twelve, all] = held;
        let mut of_all = of_all.lock().unwrap();
        *of_all = [of_all[0] + twelve, of_all[1] + all];
        drop(of_all);
        let most = (two as f64 * MEMORY_GROWTH_MAX) as i64 + MEMORY_BYTES_MORE_MAX;
        assert!(
            twelve <= most && all <= most,
            "seed {seed}: memory is flat: {held:?} bytes after 2, 12 and {HOURS} hours"
        );
    });
    assert!(failed.is_empty(), "see above what failed: seeds {failed:?}");
    let [twelve, all] = of_all.into_inner().unwrap();
    println!("together they hold {twelve} bytes after 12 hours and {all} after {HOURS}");
    assert!(
        all as f64 <= twelve as f64 * MEMORY_GROWTH_OF_ALL_MAX,
        "memory is flat: together {twelve} bytes after 12 hours and {all} after {HOURS}"
    );
}
