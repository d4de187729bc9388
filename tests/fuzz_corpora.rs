//! The seeds of the fuzz targets through the very checks that the targets run; how to run those
//! stands in `tests/README.md`.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "fuzz/src/lib.rs"]
mod checks;

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

const SEEDS_MAX: usize = 40;
/// Of all seeds of a target together.
const SEEDS_BYTES_MAX: usize = 100 * 1024;

type Check = fn(&[u8]) -> bool;
/// The targets and what they check.
const TARGETS: [(&str, Check); 7] = [
    ("alarm", checks::alarm::check),
    ("certificate", checks::certificate::check),
    ("envelope", checks::envelope::check),
    ("meaning", checks::meaning::check),
    ("request_head", checks::request_head::check),
    ("retained", checks::retained::check),
    ("spool_record", checks::spool_record::check),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The paths in a folder, in order.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The seeds of a target that are taken, and those that are refused.
fn judge(target: &str, check: Check) -> (usize, usize) {
    let (mut taken, mut refused) = (0, 0);
    for path in paths(&folder().join("seeds").join(target)) {
        let seed = fs::read(&path).unwrap();
        match panic::catch_unwind(|| check(&seed)) {
            Ok(true) => taken += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("{} breaks what must hold; see above", path.display()),
        }
    }
    (taken, refused)
}

#[test]
fn every_seed_holds_what_its_target_holds() {
    for (target, check) in TARGETS {
        let (taken, refused) = judge(target, check);
        // Seeds that all go one way would not show that the check looks at anything.
        assert!(taken >= 3, "{target}: {taken} seeds are taken");
        assert!(refused >= 3, "{target}: {refused} seeds are refused");
    }
}

#[test]
fn every_target_has_its_check_and_few_seeds() {
    let names = |folder: &str| -> BTreeSet<String> {
        let paths = paths(&self::folder().join(folder));
        let stems = paths.iter().map(|path| path.file_stem().unwrap());
        stems
            .map(|stem| stem.to_str().unwrap().to_owned())
            .collect()
    };
    let wanted: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), wanted);
    assert_eq!(names("seeds"), wanted);
    for target in wanted {
        let seeds = paths(&folder().join("seeds").join(&target));
        let lengths = seeds.iter().map(|path| fs::metadata(path).unwrap().len());
        let bytes: u64 = lengths.sum();
        assert!(seeds.len() <= SEEDS_MAX, "{target}: {} seeds", seeds.len());
        assert!(
            bytes <= SEEDS_BYTES_MAX as u64,
            "{target}: {bytes} bytes of seeds"
        );
    }
}
