//! Every place where a process can die, every operation that can fail, and years of both.

use std::io::ErrorKind;

use fastrand::Rng;
use mediapackage2mqtt::sns::spool::keeper::Spool;

use super::records::SMALL;
use super::sim::{Fate, Sim};
use super::truth::Truth;

/// How often a power loss is tried at each place: what reaches the disk is chance.
const POWER_LOSSES: u64 = 12;
/// How many random lives are lived.
const LIVES: u64 = 1_000;
const ERRORS: [ErrorKind; 3] = [
    ErrorKind::StorageFull,
    ErrorKind::ReadOnlyFilesystem,
    ErrorKind::Other,
];

enum Step {
    Append(&'static [usize]),
    Release(usize),
    SetAside,
    Restart,
}

/// Everything that the spool does: new and full segments, a batch longer than a segment, a
/// release within a segment, of whole segments and of all, copies, a second start.
const STORY: [Step; 17] = [
    Step::Append(&[10]),
    Step::Append(&[20, 0, 30]),
    Step::Release(30),
    Step::Append(&[100, 100]),
    Step::SetAside,
    Step::Append(&[500, 10]),
    Step::Append(&[40]),
    Step::Release(60),
    Step::Restart,
    Step::Append(&[50, 50]),
    Step::SetAside,
    Step::Release(100),
    Step::Append(&[60]),
    Step::SetAside,
    Step::Append(&[61]),
    Step::Release(50),
    Step::Append(&[62]),
];

/// Plays the story until it ends or the process dies.
fn play(sim: &Sim, truth: &mut Truth) {
    let mut spool = Spool::new(sim.clone(), SMALL);
    let _ = truth.reopen(sim, &mut spool);
    for step in STORY {
        if sim.is_dead() {
            return;
        }
        if !spool.is_open() && truth.reopen(sim, &mut spool).is_err() {
            continue;
        }
        match step {
            Step::Append(fillers) => drop(truth.append(sim, &mut spool, fillers)),
            Step::Release(percent) => truth.release(sim, &mut spool, percent),
            Step::SetAside => truth.set_aside(&mut spool),
            Step::Restart => spool = Spool::new(sim.clone(), SMALL),
        }
    }
}

/// After whatever happened the spool works, twice.
fn go_on(sim: &Sim, truth: &mut Truth, lost_power: bool) {
    let mut spool = truth.restart(sim, lost_power);
    // It may be full.
    truth.release(sim, &mut spool, 90);
    assert!(truth.append(sim, &mut spool, &[10, 10]));
    truth.release(sim, &mut spool, 40);
    assert!(truth.append(sim, &mut spool, &[300]));
    sim.kill();
    truth.restart(sim, false);
    sim.lose_power();
    let mut spool = truth.restart(sim, true);
    truth.set_aside(&mut spool);
    truth.release(sim, &mut spool, 100);
    assert!(truth.check(&mut spool).is_empty());
    let left: Vec<String> = sim.names();
    assert!(
        !left.iter().any(|name| name.ends_with(".segment")),
        "{left:?}"
    );
    assert!(left.len() <= SMALL.aside_max + 2, "{left:?}");
}

fn operations() -> usize {
    let sim = Sim::new(0);
    play(&sim, &mut Truth::default());
    let count = sim.log().len();
    assert!(count > 80, "the story is too short: {count}");
    count
}

#[test]
fn nothing_is_lost_wherever_the_process_dies() {
    for number in 0..operations() {
        for chance in 0..=POWER_LOSSES {
            eprintln!("dies at operation {number}, power loss {chance} (0: killed)");
            let sim = Sim::new(chance);
            let mut truth = Truth::default();
            sim.plan(move |at, _, _| if at == number { Fate::Dies } else { Fate::Well });
            play(&sim, &mut truth);
            assert!(sim.is_dead());
            match chance {
                0 => sim.kill(),
                _ => sim.lose_power(),
            }
            go_on(&sim, &mut truth, chance > 0);
        }
    }
}

#[test]
fn nothing_is_lost_whichever_operation_fails() {
    for number in 0..operations() {
        for chance in 0..=POWER_LOSSES {
            // One operation fails, or all from there on.
            for is_lasting in [false, true] {
                let error = ERRORS[(number + chance as usize) % ERRORS.len()];
                eprintln!("{error} at {number}, lasting {is_lasting}, power loss {chance}");
                let sim = Sim::new(chance);
                let mut truth = Truth::default();
                sim.plan(
                    move |at, _, _| match at == number || is_lasting && at > number {
                        true => Fate::Fails(error),
                        false => Fate::Well,
                    },
                );
                play(&sim, &mut truth);
                match chance {
                    0 => sim.kill(),
                    _ => sim.lose_power(),
                }
                go_on(&sim, &mut truth, chance > 0);
            }
        }
    }
}

fn any_fate(rng: &mut Rng, bad_percent: u8, dies_percent: u8) -> Fate {
    match rng.u8(..100) {
        roll if roll < dies_percent => Fate::Dies,
        roll if roll < bad_percent => Fate::Fails(ERRORS[rng.usize(..ERRORS.len())]),
        _ => Fate::Well,
    }
}

/// A life of many starts, on a disk that is sometimes bad.
fn live(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let sim = Sim::new(rng.u64(..));
    let mut truth = Truth::default();
    for _ in 0..rng.usize(1..12) {
        let mut dice = rng.fork();
        let bad = [0, 2, 10, 40][rng.usize(..4)];
        let dies = rng.u8(0..3);
        sim.plan(move |_, _, _| any_fate(&mut dice, bad, dies));
        let mut spool = Spool::new(sim.clone(), SMALL);
        for _ in 0..rng.usize(1..40) {
            if sim.is_dead() {
                break;
            }
            if !spool.is_open() {
                let _ = truth.reopen(&sim, &mut spool);
                continue;
            }
            match rng.u8(..8) {
                0..5 => {
                    let count = rng.usize(1..4);
                    let fillers: Vec<usize> = (0..count).map(|_| rng.usize(0..200)).collect();
                    truth.append(&sim, &mut spool, &fillers);
                }
                5 => truth.set_aside(&mut spool),
                _ => truth.release(&sim, &mut spool, rng.usize(..=100)),
            }
        }
        let lost_power = rng.bool();
        match lost_power {
            true => sim.lose_power(),
            false => sim.kill(),
        }
        truth.restart(&sim, lost_power);
    }
    go_on(&sim, &mut truth, false);
}

/// `SEED=n cargo test --test spool many_lives` repeats the life that a failure names.
#[test]
fn nothing_is_lost_in_many_lives() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(1..LIVES, |seed| seed..seed + 1);
    for seed in seeds {
        eprintln!("seed {seed}");
        live(seed);
    }
}
