//! The rules of the code that the compiler does not hold: who may import whom, what pure code
//! must not touch, how long a file, a line and a function may be, where threads begin.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const LINE_COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;

/// The modules of `src/`, and what each may import: its own rank and those before it.
const RANKS: [(&str, usize); 15] = [
    ("texts", 0),
    ("state", 1),
    ("topics", 2),
    ("engine", 3),
    ("error", 4),
    ("config", 4),
    ("log", 4),
    ("pem", 4),
    ("aws", 4),
    ("mqtt", 4),
    ("http", 4),
    ("sns", 4),
    ("status", 4),
    ("agent", 5),
    ("cli", 6),
];
/// Modules of this rank and below read no clock, draw no random number, do no input or output.
const PURE_RANK_MAX: usize = 3;
/// What pure code must not say, and what to do instead.
const IMPURE: [(&str, &str); 9] = [
    ("std::net", "take addresses as text"),
    ("std::fs", "take contents"),
    ("std::thread", "return an effect"),
    ("std::env", "take settings"),
    ("std::process", "return an effect"),
    ("std::io", "return text"),
    ("Instant", "take a Mono"),
    ("SystemTime", "take a UnixMs"),
    ("log::info!", "return Effect::Log"),
];
/// What no code may say outside tests, where it may all the same, and why.
const BANNED: [(&str, &[&str], &str); 7] = [
    (".unwrap()", &[], "say what is wrong and what to do"),
    (".expect(", &[], "say what is wrong and what to do"),
    (
        "thread::spawn",
        &[],
        "Threads::spawn gives a name, a stack and a join",
    ),
    (
        "Builder::new().name",
        // The two that look after threads; and a program's output, read while it runs.
        &["agent/threads.rs", "agent/signals.rs"],
        "Threads::spawn gives a name, a stack and a join",
    ),
    (
        "thread::Builder",
        &["aws/credentials/process.rs"],
        "Threads::spawn gives a name, a stack and a join",
    ),
    ("mpsc::channel", &[], "sync_channel has a bound"),
    (
        "texts::",
        &[
            "aws/cloudwatch/mod.rs",
            "aws/cloudwatch/metric_data.rs",
            "aws/cloudwatch/metric_data/columns.rs",
            "topics/payload.rs",
        ],
        "what a text means is decided where it comes from and goes to",
    ),
];

/// One file of Rust.
struct Source {
    /// Below `src/` or `tests/`.
    name: String,
    lines: Vec<String>,
}

impl Source {
    fn new(name: &str, text: &str) -> Source {
        Source {
            name: name.to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    /// Lines with their numbers up to the tests at the foot, without comments. A file in a
    /// folder of tests has none.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_code = !self.name.contains("/tests/");
        let all = self.lines.iter().enumerate().filter(move |_| is_code);
        let code = all.take_while(|(_, line)| line.as_str() != "#[cfg(test)]");
        let code = code.map(|(at, line)| (at + 1, line.as_str()));
        code.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn rank(&self) -> Option<usize> {
        rank(self.module())
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.name)
    }
}

fn rank(module: &str) -> Option<usize> {
    let known = RANKS.iter().find(|(name, _)| *name == module);
    known.map(|(_, rank)| *rank)
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                found.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 10, "{folder} has hardly any files");
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn hold(folders: &[&str], rule: fn(&Source) -> Vec<String>) {
    let all = folders.iter().flat_map(|folder| sources(folder));
    let broken: Vec<String> = all.flat_map(|source| rule(&source)).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn imports(source: &Source) -> Vec<String> {
    let Some(own) = source.rank() else {
        return Vec::new();
    };
    let mut broken = Vec::new();
    for (at, line) in source.code() {
        for rest in line.split("crate::").skip(1) {
            let name = rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            let theirs = name.and_then(rank);
            if theirs.is_some_and(|theirs| theirs > own) {
                let what = format!("{} must not import {}", source.module(), rest);
                broken.push(source.at(at, &what));
            }
        }
    }
    broken
}

fn purity(source: &Source) -> Vec<String> {
    if source.rank().is_none_or(|rank| rank > PURE_RANK_MAX) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (at, line) in source.code() {
        for (word, instead) in IMPURE.iter().filter(|(word, _)| line.contains(word)) {
            broken.push(source.at(at, &format!("{word} in pure code: {instead}")));
        }
        // `fastrand::Rng` with a seed is a value; `fastrand::f64` is the world's dice.
        let dice = line.split("fastrand::").skip(1);
        if dice.into_iter().any(|rest| !rest.starts_with("Rng")) {
            broken.push(source.at(at, "random in pure code: take a number or a seed"));
        }
    }
    broken
}

fn banned(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    for (at, line) in source.code() {
        let said = BANNED.iter().filter(|(word, _, _)| line.contains(word));
        for (word, allowed, instead) in said {
            if !allowed.contains(&source.name.as_str()) {
                broken.push(source.at(at, &format!("{word}: {instead}")));
            }
        }
    }
    broken
}

fn sizes(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = source.lines.len();
    if lines > FILE_LINES_MAX {
        let what = format!("the file has {lines} lines, {FILE_LINES_MAX} are allowed");
        broken.push(source.at(lines, &what));
    }
    for (at, line) in source.lines.iter().enumerate() {
        let columns = line.chars().count();
        // A row of a table cannot be broken.
        if columns > LINE_COLUMNS_MAX && !line.starts_with("//! |") {
            let what = format!("{columns} columns, {LINE_COLUMNS_MAX} are allowed");
            broken.push(source.at(at + 1, &what));
        }
    }
    broken
}

/// rustfmt puts the closing brace of a function under its first word.
fn functions(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let mut begun: Vec<(usize, String)> = Vec::new();
    for (at, line) in source.code() {
        let words = line.trim_start();
        let indent = &line[..line.len() - words.len()];
        let is_head = words.starts_with("fn ")
            || words.starts_with("pub ") && words.contains(" fn ")
            || words.starts_with("pub(") && words.contains(" fn ");
        if is_head && !words.ends_with(['}', ';']) {
            begun.push((at, format!("{indent}}}")));
        } else if begun.last().is_some_and(|(_, end)| end == line) {
            let (head, _) = begun.pop().unwrap();
            let lines = at - head + 1;
            if lines > FUNCTION_LINES_MAX {
                let what = format!("{lines} lines, {FUNCTION_LINES_MAX} are allowed");
                broken.push(source.at(head, &what));
            }
        }
    }
    assert!(begun.is_empty(), "{}: no end of {begun:?}", source.name);
    broken
}

#[test]
fn imports_go_one_way() {
    hold(&["src"], imports);
}

#[test]
fn pure_code_does_not_touch_the_world() {
    hold(&["src"], purity);
}

#[test]
fn what_has_a_better_way_is_not_used() {
    hold(&["src"], banned);
}

#[test]
fn files_and_lines_are_short() {
    hold(&["src", "tests"], sizes);
}

#[test]
fn functions_are_short() {
    hold(&["src"], functions);
}

#[test]
fn every_module_has_its_place() {
    let without = |source: &Source| {
        let known = source.rank().is_some() || ["main", "lib"].contains(&source.module());
        if known {
            Vec::new()
        } else {
            vec![source.at(1, "give its module a rank")]
        }
    };
    hold(&["src"], without);
}

#[test]
fn each_rule_finds_what_breaks_it() {
    let long_function = format!("fn long() {{\n{}}}\n", "    a();\n".repeat(80));
    let long_file = "\n".repeat(601);
    let long_line = format!("//{}\n", "x".repeat(99));
    let seeded = "let a = fastrand::Rng::with_seed(1);\n";
    type Rule = fn(&Source) -> Vec<String>;
    let cases: [(Rule, &str, &str, usize); 19] = [
        (imports, "state/a.rs", "use crate::engine::Engine;\n", 1),
        (imports, "aws/a.rs", "fn a() -> crate::agent::B {\n", 1),
        (
            imports,
            "engine/a.rs",
            "use crate::state::A;\nuse crate::engine::B;\n",
            0,
        ),
        (purity, "engine/a.rs", "let now = Instant::now();\n", 1),
        (purity, "topics/a.rs", "let x = fastrand::f64();\n", 1),
        (purity, "engine/a.rs", seeded, 0),
        (purity, "agent/a.rs", "let now = Instant::now();\n", 0),
        (purity, "state/a.rs", "// No Instant here.\n", 0),
        (banned, "aws/a.rs", "let x = y.unwrap();\n", 1),
        (banned, "aws/a.rs", "#[cfg(test)]\nlet x = y.unwrap();\n", 0),
        (banned, "engine/tests/a.rs", "let x = y.unwrap();\n", 0),
        (banned, "engine/a.rs", "let x = texts::page(y);\n", 1),
        (banned, "topics/payload.rs", "let x = texts::Tail {\n", 0),
        (banned, "agent/threads.rs", "Builder::new().name(x)\n", 0),
        (banned, "mqtt/a.rs", "Builder::new().name(x)\n", 1),
        (sizes, "a.rs", &long_file, 1),
        (sizes, "a.rs", &long_line, 1),
        (functions, "a.rs", &long_function, 1),
        (functions, "a.rs", "fn a() {}\nfn b() {\n    c();\n}\n", 0),
    ];
    for (rule, name, text, wanted) in cases {
        let found = rule(&Source::new(name, text));
        assert_eq!(found.len(), wanted, "{name} {text:.60}: {found:?}");
    }
}
