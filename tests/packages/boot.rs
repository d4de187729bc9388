//! The package in a Debian that boots for it. What is checked, and how, stands in `inside.sh`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{SOURCE, VERSION, package, printed, say};

/// Every check of `inside.sh`, in its order.
const CHECKS: [&str; 22] = [
    "an_image_is_made_without_starting_anything",
    "its_user_can_do_nothing_else",
    "configs_are_for_root_and_the_service_alone",
    "the_example_is_a_config_that_the_service_can_read",
    "it_starts_at_boot_without_network",
    "it_starts_at_boot_with_a_clock_of_years_ago",
    "nothing_waits_for_the_clock_to_be_set",
    "two_instances_run_side_by_side",
    "the_local_page_is_served_from_within_the_sandbox",
    "it_starts_again_after_kill_9",
    "the_watchdog_ends_what_hangs",
    "it_stops_within_five_seconds",
    "a_faulty_config_is_told_and_not_tried_again",
    "an_upgrade_restarts_what_ran_and_keeps_the_configs",
    "an_upgrade_goes_through_when_an_agent_cannot_start_again",
    "removal_stops_all_and_keeps_configs_and_state",
    "installed_again_it_goes_on_as_before",
    "purge_leaves_nothing",
    "a_fresh_installation_runs_after_the_commands_it_tells",
    "by_hand_it_takes_the_commands_of_the_readme",
    "the_package_for_arm64_installs_and_its_program_runs",
    "the_package_for_armhf_installs_and_its_program_runs",
];
/// What emulates each processor, where this machine has it.
const EMULATORS: [&str; 2] = ["qemu-aarch64-static", "qemu-arm-static"];
/// The version of the package to upgrade to.
const NEWER: &str = concat!(env!("CARGO_PKG_VERSION"), "-2");
/// All of it takes a quarter of a minute; this is for a machine that does much else.
const SECONDS_MAX: &str = "600";

/// The Debian to boot; `None` where this machine cannot, which is said.
fn root() -> Option<PathBuf> {
    let root = std::env::var("PACKAGES_ROOT").unwrap_or("none: PACKAGES_ROOT is not set".into());
    if let Some(why) = root.strip_prefix("none: ") {
        say(&format!("SKIPPED: no Debian is booted: {why}"));
        return None;
    }
    Some(PathBuf::from(root))
}

/// A package of the next version, whose unit can be told from the one before.
fn newer(package: &Path, into: &Path) {
    let dir = TempDir::new().unwrap();
    printed(
        Command::new("dpkg-deb")
            .arg("-R")
            .arg(package)
            .arg(dir.path()),
    );
    let edit = |name: &str, from: &str, to: &str| {
        let path = dir.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    edit("DEBIAN/control", VERSION, NEWER);
    let unit = "usr/lib/systemd/system/mediapackage2mqtt.service";
    edit(unit, "[Service]\n", "[Service]\nEnvironment=NEWER=yes\n");
    let mut command = Command::new("dpkg-deb");
    printed(command.args(["-Zgzip", "-b"]).arg(dir.path()).arg(into));
}

/// What the README would have copied to a box: the program, and the folder `systemd/`.
fn source(package: &Path, into: &Path) {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new("dpkg-deb");
    printed(command.arg("-x").arg(package).arg(dir.path()));
    fs::create_dir(into).unwrap();
    let program = dir.path().join("usr/bin/mediapackage2mqtt");
    fs::copy(program, into.join("mediapackage2mqtt")).unwrap();
    let here = ["README.md", "systemd"].map(|name| Path::new(SOURCE).join(name));
    printed(Command::new("cp").arg("-r").args(here).arg(into));
}

/// What `inside.sh` finds at `/exchange`.
fn exchange() -> Option<TempDir> {
    let dir = TempDir::new().unwrap();
    // The service's user runs a program in it.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = |from: &Path, name: &str| {
        fs::copy(from, dir.path().join(name)).unwrap();
    };
    for architecture in ["amd64", "arm64", "armhf"] {
        copy(&package(architecture)?, &format!("{architecture}.deb"));
    }
    source(&package("amd64")?, &dir.path().join("source"));
    newer(&package("amd64")?, &dir.path().join("newer.deb"));
    fs::write(dir.path().join("newer"), NEWER).unwrap();
    copy(
        Path::new(env!("CARGO_BIN_EXE_mediapackage2mqtt")),
        "dynamic",
    );
    let inside = Path::new(SOURCE).join("tests/packages/inside.sh");
    copy(&inside, "inside.sh");
    for name in EMULATORS {
        let path = Path::new("/usr/bin").join(name);
        if path.is_file() {
            copy(&path, name);
        }
    }
    Some(dir)
}

#[test]
fn in_a_debian_that_boots() {
    let (Some(root), Some(exchange)) = (root(), exchange()) else {
        return;
    };
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", SECONDS_MAX])
        .args(["unshare", "--mount", "--propagation", "private"])
        .arg(Path::new(SOURCE).join("tests/packages/boot.sh"))
        .arg(root)
        .arg(exchange.path());
    let output = command.output().unwrap();
    let report = fs::read_to_string(exchange.path().join("report")).unwrap_or_default();
    let told = format!(
        "{report}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let name = |line: &str| {
        let word = line.split_whitespace().nth(1).unwrap_or_default();
        word.trim_end_matches(':').to_owned()
    };
    let checked: Vec<String> = report.lines().map(name).collect();
    assert_eq!(checked, CHECKS, "{told}");
    let is_failed = |line: &&str| !line.starts_with("ok ") && !line.starts_with("SKIPPED ");
    let failed: Vec<&str> = report.lines().filter(is_failed).collect();
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
    say(&report);
}
