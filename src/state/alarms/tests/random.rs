//! A history of one alarm, heard of in any order, twice and not at all.
//!
//! `SEED=n cargo test any_order` repeats the run that a failure names.

use fastrand::Rng;

use super::*;

const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];
const RUNS: usize = 3000;

/// The state from a moment on.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: UnixMs,
    state: &'static str,
}

fn history(rng: &mut Rng, gap_ms: fn(&mut Rng) -> i64) -> Vec<Step> {
    let mut steps = vec![Step {
        at: NOON,
        state: "OK",
    }];
    for _ in 0..rng.usize(1..8) {
        let last = steps[steps.len() - 1];
        let others: Vec<&str> = STATES.into_iter().filter(|s| *s != last.state).collect();
        steps.push(Step {
            at: last.at.plus_ms(gap_ms(rng)),
            state: others[rng.usize(..others.len())],
        });
    }
    steps
}

fn notification(steps: &[Step], n: usize) -> PushedAlarm {
    told(steps[n - 1].state, steps[n].state, steps[n].at)
}

/// A restart: what was shown is what the broker's store remembers.
fn restart(held: &mut Held) {
    let kept: Vec<Alarm> = held.alarms.iter().map(|(_, alarm)| alarm.clone()).collect();
    held.alarms = Alarms::default();
    for alarm in kept {
        held.alarms.adopt(alarm, mono(held.now), held.aws_now);
    }
}

/// Plays a history. Each step is polled or told at any moment after it happened, and again.
fn play(rng: &mut Rng, steps: &[Step], ends_with_poll: bool) -> Held {
    let mut held = Held::new();
    let end = steps[steps.len() - 1].at;
    let mut happened = 0;
    let mut shown: Option<UnixMs> = None;
    for _ in 0..rng.usize(5..40) {
        happened = (happened + rng.usize(..2)).min(steps.len() - 1);
        // Our idea of AWS's time is off by less than what is believed.
        held.aws_now = end.plus_ms(rng.i64(-4 * MINUTE_MS..4 * MINUTE_MS));
        match rng.u8(..8) {
            0..3 => {
                let step = steps[happened];
                held.poll(&[polled(step.state, step.at)]);
            }
            3..7 if happened > 0 => {
                held.push(&notification(steps, rng.usize(1..=happened)));
            }
            7 => restart(&mut held),
            _ => {}
        }
        let now = held.alarms.get("a").and_then(|alarm| alarm.updated_at);
        assert!(now >= shown, "{steps:?}: back from {shown:?} to {now:?}");
        shown = now;
    }
    let last = steps[steps.len() - 1];
    match ends_with_poll {
        true => drop(held.poll(&[polled(last.state, last.at)])),
        false => drop(held.push(&notification(steps, steps.len() - 1))),
    }
    held
}

fn rng() -> Rng {
    let given = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed}");
    Rng::with_seed(seed)
}

#[test]
fn any_order_ends_in_the_newest_state_and_tells_each_change_once() {
    let mut rng = rng();
    for run in 0..RUNS {
        let steps = history(&mut rng, |rng| rng.i64(1_001..MINUTE_MS));
        let ends_with_poll = rng.bool();
        let held = play(&mut rng, &steps, ends_with_poll);
        let last = steps[steps.len() - 1];
        let alarm = held.alarms.get("a").unwrap();
        let found = (&*alarm.state, alarm.updated_at);
        assert_eq!(found, (last.state, Some(last.at)), "run {run}: {steps:?}");
        // Each change that is told has happened, and none is told twice or after a later one.
        assert!(
            held.times.is_sorted_by(|a, b| a < b),
            "run {run}: {:?}",
            held.times
        );
        for (told, time) in held.log.iter().zip(&held.times) {
            let (from, to) = told.split_once('>').unwrap();
            assert_ne!(from, to, "run {run}: {steps:?}");
            let step = steps.iter().find(|step| Some(step.at) == *time).unwrap();
            assert_eq!(step.state, to, "run {run}: {told} in {steps:?}");
        }
    }
}

#[test]
fn any_order_within_one_millisecond_ends_as_the_poll_says() {
    let mut rng = rng();
    for run in 0..RUNS {
        let steps = history(&mut rng, |rng| rng.i64(0..3));
        let held = play(&mut rng, &steps, true);
        let last = steps[steps.len() - 1];
        let alarm = held.alarms.get("a").unwrap();
        let found = (&*alarm.state, alarm.updated_at);
        assert_eq!(found, (last.state, Some(last.at)), "run {run}: {steps:?}");
    }
}

#[test]
fn notifications_alone_end_the_same_in_any_order() {
    let mut rng = rng();
    for run in 0..RUNS {
        let steps = history(&mut rng, |rng| rng.i64(0..3));
        let mut order: Vec<usize> = (1..steps.len()).collect();
        let mut ends = Vec::new();
        for _ in 0..3 {
            rng.shuffle(&mut order);
            let mut held = Held::new();
            for n in order.iter().chain(order.iter().take(2)) {
                held.push(&notification(&steps, *n));
            }
            ends.push(held.shown("a"));
        }
        assert!(
            ends.iter().all(|end| *end == ends[0]),
            "run {run}: {ends:?} of {steps:?}"
        );
    }
}
