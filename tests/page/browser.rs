//! A script that drives a browser, and asks for what has to happen outside of it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `CHROMIUM` or `PLAYWRIGHT` is where `tests/run` could not install it.
const NOT_TO_BE_HAD: &str = "none";
/// Begins a line by which a script asks for something.
const ASKS: &str = "ask ";

/// Where `variable` says, or else here; `None`, which is said, where it cannot be had.
fn tool(variable: &str, made: PathBuf) -> Option<PathBuf> {
    let place = std::env::var_os(variable).map_or(made, PathBuf::from);
    if place.as_os_str() == NOT_TO_BE_HAD {
        eprintln!("SKIPPED: no browser, {variable} is {NOT_TO_BE_HAD}");
        return None;
    }
    assert!(
        place.exists(),
        "no {}: tests/run installs what the tests need",
        place.display()
    );
    Some(place)
}

/// Runs `tests/page/<script>.mjs` on the page at `url`; what it asks for is answered by `answer`,
/// in one line. Nothing is run where there is no browser.
pub fn run(script: &str, url: &str, answer: impl FnMut(&str) -> String) {
    run_with(script, url, &[], answer);
}

/// The same with variables of the environment.
///
/// # Panics
///
/// When the script fails; it says itself why.
pub fn run_with(
    script: &str,
    url: &str,
    variables: &[(&str, &Path)],
    mut answer: impl FnMut(&str) -> String,
) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/test-tools/playwright");
    let (Some(chromium), Some(playwright)) = (
        tool("CHROMIUM", "/usr/bin/chromium".into()),
        tool("PLAYWRIGHT", tools),
    ) else {
        return;
    };
    let mut child = Command::new("node")
        .arg(root.join(format!("tests/page/{script}.mjs")))
        .arg(url)
        .env("CHROMIUM", chromium)
        .env("PLAYWRIGHT", playwright)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        match line.strip_prefix(ASKS) {
            Some(asked) => writeln!(input, "{}", answer(asked)).unwrap(),
            None => eprintln!("{script}: {line}"),
        }
    }
    let ended = child.wait().unwrap();
    assert!(ended.success(), "{script}.mjs: {ended}");
}
