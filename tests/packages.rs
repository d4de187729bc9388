//! The Debian packages: what is in them, and what they do in a Debian that boots for it.
//!
//! `tests/run` makes the packages (`PACKAGES`, a folder) and that Debian (`PACKAGES_ROOT`, a
//! folder, or `none: ` and why this machine cannot have it).

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "packages/boot.rs"]
mod boot;
#[path = "packages/contents.rs"]
mod contents;
#[path = "packages/scripts.rs"]
mod scripts;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");
/// The version of the packages of this source.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-1");

/// The package for an architecture of Debian; `None` where `tests/run` has not made any, which is
/// said.
fn package(architecture: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("PACKAGES") else {
        say("SKIPPED: no packages were made; `tests/run --test packages` does it");
        return None;
    };
    let name = format!("mediapackage2mqtt_{VERSION}_{architecture}.deb");
    let path = Path::new(&folder).join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    Some(path)
}

/// Past the test harness, which keeps what is printed to itself.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What a command prints.
///
/// # Panics
///
/// When it fails.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
