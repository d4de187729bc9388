//! Hours of everything at once. After a calm the broker holds what the engine wants, and
//! every settled minute has gone out once.
//!
//! `SEED=n cargo test random` repeats the run that a failure names.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::region::alarm;
use super::*;

const STEADY: [&str; 3] = ["s1", "s2", "s3"];
const HOURS: u64 = 12;

fn disturb(rng: &mut Rng, rig: &mut Rig, lose_acknowledgements: bool) {
    let kinds = [Kind::Inventory, Kind::Series, Kind::Metrics, Kind::Alarms];
    let guest = format!("g{}", rng.u8(..4));
    let now = rig.aws_now();
    let minute = now.minute().0 - rng.i64(0..10);
    match rng.u8(..14) {
        0 | 1 => rig.region.fail(kinds[rng.usize(..4)]),
        2 => rig.wall_error_ms = rng.i64(-10_000_000..10_000_000),
        3 if rng.u8(..4) == 0 => rig.wall_error_ms = -20 * 365 * 86_400_000,
        4 => {
            rig.broker.up = rng.bool();
            rig.lose_broker();
        }
        5 if lose_acknowledgements => rig.lose_acknowledgements(),
        6 => rig.broker.gap = Duration::from_millis(rng.u64(0..1500)),
        7 => rig.region.add_live(&guest, ALWAYS),
        8 => {
            rig.region.channels.remove(&guest);
            rig.region.endpoints.remove(&format!("{guest}-hls"));
        }
        9 => {
            let series = format!("IngressBytes Channel={}", STEADY[rng.usize(..3)]);
            rig.region.set(&series, minute, now, None);
            let seen = now.plus_ms(rng.i64(0..600_000));
            rig.region.set(&series, minute, seen, Some(rng.f64()));
        }
        10 => {
            let name = format!("a{}", rng.u8(..3));
            rig.region.alarms.retain(|row| *row.name != *name);
            let state = ["OK", "ALARM"][rng.usize(..2)];
            if rng.u8(..4) > 0 {
                rig.region.alarms.push(alarm(&name, state, now));
            }
        }
        _ => calm(rig),
    }
}

fn calm(rig: &mut Rig) {
    rig.region.faults.clear();
    rig.wall_error_ms = 0;
    rig.broker.up = true;
    rig.broker.gap = Duration::ZERO;
}

fn check(seed: u64, lose_acknowledgements: bool) {
    let mut rng = Rng::with_seed(seed);
    let mut rig = Rig::with(live(&STEADY), |s| {
        s.seed = seed;
        s.flat = true;
        s.home_assistant.enabled = true;
    });
    let mut second = 0;
    while second < HOURS * 3600 {
        second += rng.u64(1..400);
        rig.to(second);
        disturb(&mut rng, &mut rig, lose_acknowledgements);
        assert!(rig.engine.outbox.unacknowledged() <= 64, "seed {seed}");
    }
    calm(&mut rig);
    rig.to(second + 3600);

    let mut held = rig.broker.retained.clone();
    let mut wanted = rig.engine.retained();
    // It tells the time of its own writing.
    held.remove("mp/x/agent/stats");
    wanted.remove("mp/x/agent/stats");
    assert_eq!(held, wanted, "seed {seed}");
    let guests = rig.region.channels.keys().filter(|id| id.starts_with('g'));
    let of_guests = wanted.iter().filter(|(t, _)| t.contains("channel/g"));
    let of_guests = of_guests.filter(|(_, payload)| payload.starts_with('{'));
    assert_eq!(of_guests.count(), 3 * guests.count());
    assert_eq!(rig.json("agent")["health"], "ok", "seed {seed}");
    assert!(rig.ticks < second / 2, "seed {seed}: {} wakings", rig.ticks);

    for id in STEADY {
        let mut times: BTreeMap<i64, usize> = BTreeMap::new();
        for point in rig.points(&format!("channel/{id}/point")) {
            if let Ok(minute) = point.parse() {
                *times.entry(minute).or_default() += 1;
            }
        }
        let newest = second as i64 / 60 + 50;
        for minute in *times.keys().next().unwrap()..newest {
            let sent = times.get(&minute).copied().unwrap_or(0);
            assert!(sent >= 1, "seed {seed}: minute {minute} of {id} is missing");
            let once = lose_acknowledgements || sent == 1;
            assert!(
                once,
                "seed {seed}: minute {minute} of {id} went out {sent} times"
            );
        }
    }
}

#[test]
fn after_a_calm_everything_is_right_and_each_minute_went_out() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(1..4, |seed| seed..seed + 1);
    for seed in seeds {
        eprintln!("seed {seed}");
        check(seed, false);
        check(seed, true);
    }
}
