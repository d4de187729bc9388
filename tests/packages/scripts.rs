//! What the maintainer scripts decide before anything is unpacked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{SOURCE, VERSION};

/// The script, as dpkg runs it for a package of that architecture on such a machine.
fn preinst(architecture: &str, machine: &str) -> Output {
    let dir = TempDir::new().unwrap();
    let uname = dir.path().join("uname");
    fs::write(&uname, format!("#!/bin/sh\necho {machine}\n")).unwrap();
    fs::set_permissions(&uname, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let mut command = Command::new(Path::new(SOURCE).join("systemd/debian/preinst"));
    command.arg("install").env("PATH", path);
    let command = command.env("DPKG_MAINTSCRIPT_ARCH", architecture);
    command.output().unwrap()
}

#[test]
fn the_package_for_armhf_refuses_a_processor_before_armv7() {
    let cases = [
        // Raspberry Pi 1 and Zero.
        ("armhf", "armv6l", false),
        ("armhf", "armv5tejl", false),
        // Raspberry Pi 2 and newer.
        ("armhf", "armv7l", true),
        // A 64-bit kernel below a 32-bit system, seen as it is and through `linux32`.
        ("armhf", "aarch64", true),
        ("armhf", "armv8l", true),
        // An image made elsewhere.
        ("armhf", "x86_64", true),
        ("arm64", "aarch64", true),
        ("amd64", "x86_64", true),
    ];
    for (architecture, machine, wanted) in cases {
        let output = preinst(architecture, machine);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), wanted, "{machine}: {told}");
        assert_eq!(told.contains(machine), !wanted, "{machine}: {told}");
    }
}

#[test]
fn the_changelog_begins_with_this_version() {
    let changelog = fs::read_to_string(Path::new(SOURCE).join("systemd/debian/changelog")).unwrap();
    let wanted = format!("mediapackage2mqtt ({VERSION}) ");
    assert!(
        changelog.starts_with(&wanted),
        "{wanted} is missing in systemd/debian/changelog"
    );
}
