//! The file with the counts.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How far a count may be off: hashing has other seeds in every run.
const TOLERANCE_PERCENT: u64 = 2;
const COMPILER: &str = "compiler ";
const HEAD: &str = "\
# Instructions of one round of each workload under callgrind; see counted/main.rs. Counts of
# another compiler or processor family say nothing about these.
";

/// What each workload takes, and with which compiler.
pub struct Counts {
    pub compiler: String,
    of: Vec<(String, u64)>,
}

/// The version of the compiler, and what it compiles for.
pub fn compiler() -> String {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(program).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    format!("{} for {}", version.trim(), std::env::consts::ARCH)
}

fn path() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/bench/counts.txt"
    ))
}

impl Counts {
    pub fn new(compiler: String) -> Counts {
        Counts {
            compiler,
            of: Vec::new(),
        }
    }

    pub fn add(&mut self, name: &str, count: u64) {
        println!("{name} {count}");
        self.of.push((name.to_owned(), count));
    }

    pub fn read() -> Counts {
        let text = fs::read_to_string(path()).unwrap_or_default();
        let mut counts = Counts::new(String::from("no compiler"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_prefix(COMPILER) {
                Some(compiler) => compiler.clone_into(&mut counts.compiler),
                None => {
                    let (name, count) = line.split_once(' ').unwrap();
                    counts.of.push((name.to_owned(), count.parse().unwrap()));
                }
            }
        }
        counts
    }

    pub fn write(&self) {
        let mut text = format!("{HEAD}{COMPILER}{}\n", self.compiler);
        for (name, count) in &self.of {
            let _ = writeln!(text, "{name} {count}");
        }
        fs::write(path(), text).unwrap();
    }

    /// Whether these are counted again, in either direction: what became cheaper is recorded,
    /// so that it stays so.
    pub fn compare(&self, counted: &Counts) -> bool {
        let mut all_well = self.of.len() == counted.of.len();
        for (name, count) in &counted.of {
            let wanted = self.of.iter().find(|(of, _)| of == name);
            let wanted = wanted.map_or(0, |(_, wanted)| *wanted);
            if count.abs_diff(wanted) * 100 > wanted * TOLERANCE_PERCENT {
                let change = (*count as f64 / wanted as f64 - 1.0) * 100.0;
                eprintln!(
                    "counted: {name} takes {count} instructions and not {wanted} ({change:+.1} %, \
                     {TOLERANCE_PERCENT} % are allowed); mend it, or record it with --bless"
                );
                all_well = false;
            }
        }
        all_well
    }
}
