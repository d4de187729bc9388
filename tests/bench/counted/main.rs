//! Counts the instructions of fixed workloads under callgrind, and holds them against the counts
//! in `counts.txt`: the same on a busy machine as on an idle one.
//!
//! ```text
//! cargo run --release --locked --example counted              # counts and compares
//! cargo run --release --locked --example counted -- --bless   # counts and writes
//! ```
//!
//! The workloads are the pure core between what AWS answered and what goes to the broker: no
//! socket, no thread, a fixed clock. What they read is made beforehand and handed over in files.
//! Each is run for a few rounds and for more: what lies between is what the rounds cost.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::print_stdout, reason = "the counts are what it is for")]
#![allow(dead_code, reason = "the tests' helpers have more than is needed here")]

#[path = "../../region/mod.rs"]
mod region;

mod counts;
mod polls;
mod pushed;
mod tape;

use std::path::Path;
use std::process::{Command, ExitCode};

use counts::Counts;
use dlmalloc::GlobalDlmalloc;
use tape::Tape;

/// As the agent has it.
#[global_allocator]
static HEAP: GlobalDlmalloc = GlobalDlmalloc;

/// What is counted: a name, and what makes and does it.
struct Workload {
    name: &'static str,
    /// Makes what it reads in all of these rounds.
    record: fn(rounds: usize) -> Tape,
    /// Does this many of them.
    run: fn(Tape, rounds: usize),
    rounds: [usize; 2],
}

const WORKLOADS: [Workload; 4] = [
    Workload {
        name: "poll_unchanged",
        record: |rounds| polls::record(&polls::UNCHANGED, rounds),
        run: |tape, rounds| polls::run(&polls::UNCHANGED, tape, rounds),
        rounds: [2, 4],
    },
    Workload {
        name: "poll_5_percent_changed",
        record: |rounds| polls::record(&polls::CHANGED, rounds),
        run: |tape, rounds| polls::run(&polls::CHANGED, tape, rounds),
        rounds: [2, 4],
    },
    Workload {
        name: "poll_new_minute",
        record: |rounds| polls::record(&polls::NEW_MINUTE, rounds),
        run: |tape, rounds| polls::run(&polls::NEW_MINUTE, tape, rounds),
        rounds: [2, 4],
    },
    Workload {
        name: "sns_1000_messages_verified",
        record: pushed::record,
        run: pushed::run,
        rounds: [1, 2],
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        ["--bless"] => {
            counted().write();
            ExitCode::SUCCESS
        }
        ["run", name, tape, rounds] => {
            let workload = WORKLOADS.iter().find(|workload| workload.name == name);
            let tape = Tape::read(Path::new(tape));
            (workload.unwrap().run)(tape, rounds.parse().unwrap());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: counted [--bless]");
            ExitCode::from(2)
        }
    }
}

fn compare() -> ExitCode {
    let wanted = Counts::read();
    let compiler = counts::compiler();
    if wanted.compiler != compiler {
        eprintln!(
            "counted: SKIPPED: counts.txt is of {}, this is {compiler}; with --bless it becomes \
             that of this one",
            wanted.compiler
        );
        return ExitCode::SUCCESS;
    }
    match wanted.compare(&counted()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn counted() -> Counts {
    let mut counts = Counts::new(counts::compiler());
    let folder = tempfile::tempdir().unwrap();
    for workload in &WORKLOADS {
        let [few, many] = workload.rounds;
        let tape = folder.path().join(workload.name);
        (workload.record)(many).write(&tape);
        let [few_cost, many_cost] = [few, many].map(|rounds| instructions(workload, &tape, rounds));
        let each = (many_cost - few_cost) / (many - few) as u64;
        counts.add(workload.name, each);
    }
    counts
}

/// Runs a workload in a process of its own under callgrind.
///
/// # Panics
///
/// Without valgrind, or when the workload fails.
fn instructions(workload: &Workload, tape: &Path, rounds: usize) -> u64 {
    let ours = std::env::current_exe().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(ours)
        .args(["run", workload.name])
        .arg(tape)
        .arg(rounds.to_string())
        .output();
    let output = output.expect("valgrind, which tests/run installs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", workload.name);
    let found = told
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    found.unwrap().1.trim().parse().unwrap()
}
