//! What is in each package.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{SOURCE, VERSION, package, printed};

/// Architecture of Debian, and the machine in the head of the program.
const ARCHITECTURES: [(&str, &str); 3] = [
    ("arm64", "AArch64"),
    ("armhf", "ARM"),
    ("amd64", "Advanced Micro Devices X86-64"),
];
/// Every file, its mode, and where in this source it stands as it is.
const FILES: [(&str, u32, &str); 14] = [
    ("bin/mediapackage2mqtt", 0o755, ""),
    (
        "lib/systemd/system/mediapackage2mqtt.service",
        0o644,
        "systemd/mediapackage2mqtt.service",
    ),
    (
        "lib/systemd/system/mediapackage2mqtt.socket",
        0o644,
        "systemd/mediapackage2mqtt.socket",
    ),
    (
        "lib/systemd/system/mediapackage2mqtt@.service",
        0o644,
        "systemd/mediapackage2mqtt@.service",
    ),
    (
        "lib/systemd/system/mediapackage2mqtt@.socket",
        0o644,
        "systemd/mediapackage2mqtt@.socket",
    ),
    (
        "lib/sysusers.d/mediapackage2mqtt.conf",
        0o644,
        "systemd/debian/sysusers.conf",
    ),
    ("share/doc/mediapackage2mqtt/README.md", 0o644, "README.md"),
    ("share/doc/mediapackage2mqtt/changelog.Debian.gz", 0o644, ""),
    ("share/doc/mediapackage2mqtt/copyright", 0o644, ""),
    (
        "share/doc/mediapackage2mqtt/examples/config.toml",
        0o644,
        "systemd/config.toml",
    ),
    (
        "share/doc/mediapackage2mqtt/examples/home-assistant.md",
        0o644,
        "examples/home-assistant.md",
    ),
    (
        "share/doc/mediapackage2mqtt/examples/node-red-flow.json",
        0o644,
        "examples/node-red-flow.json",
    ),
    (
        "share/doc/mediapackage2mqtt/examples/telegraf.conf",
        0o644,
        "examples/telegraf.conf",
    ),
    (
        "share/lintian/overrides/mediapackage2mqtt",
        0o644,
        "systemd/debian/lintian-overrides",
    ),
];

/// A package, unpacked, with its control files below `DEBIAN`.
fn unpacked(package: &Path) -> TempDir {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new("dpkg-deb");
    printed(command.arg("-R").arg(package).arg(dir.path()));
    dir
}

/// Files below a folder with their modes.
fn modes(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(each) = folders.pop() {
        for entry in fs::read_dir(each).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
            if path.is_dir() {
                assert_eq!(mode, 0o755, "{}", path.display());
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), mode);
            }
        }
    }
    found
}

#[test]
fn each_package_has_these_files_and_no_others() {
    for (architecture, _) in ARCHITECTURES {
        let Some(package) = package(architecture) else {
            return;
        };
        let dir = unpacked(&package);
        let wanted = FILES.map(|(name, mode, _)| (name.to_owned(), mode));
        assert_eq!(modes(&dir.path().join("usr")), BTreeMap::from(wanted));
        for (name, _, source) in FILES.iter().filter(|(_, _, source)| !source.is_empty()) {
            let packed = fs::read(dir.path().join("usr").join(name)).unwrap();
            let here = fs::read(Path::new(SOURCE).join(source)).unwrap();
            assert!(packed == here, "{architecture}: {name} is not {source}");
        }
        let licence =
            fs::read_to_string(dir.path().join("usr/share/doc/mediapackage2mqtt/copyright"));
        assert!(licence.unwrap().contains("Permission is hereby granted"));
        let listed = printed(Command::new("dpkg-deb").arg("-c").arg(&package));
        for line in listed.lines() {
            assert!(
                line.contains(" 0/0 ") || line.contains(" root/root "),
                "{line}"
            );
        }
        let mut scripts = modes(&dir.path().join("DEBIAN"));
        assert_eq!(scripts.remove("control"), Some(0o644));
        let wanted =
            ["postinst", "postrm", "preinst", "prerm"].map(|name| (name.to_owned(), 0o755));
        assert_eq!(scripts, BTreeMap::from(wanted), "no conffiles among them");
    }
}

#[test]
fn each_package_says_where_it_belongs_and_needs_no_library() {
    for (architecture, _) in ARCHITECTURES {
        let Some(package) = package(architecture) else {
            return;
        };
        let fields = [
            ("Package", "mediapackage2mqtt"),
            ("Version", VERSION),
            ("Architecture", architecture),
            // What makes the user; nothing of the C library.
            (
                "Depends",
                "systemd | systemd-standalone-sysusers | systemd-sysusers",
            ),
            ("Pre-Depends", ""),
            ("Recommends", ""),
        ];
        for (field, wanted) in fields {
            let mut command = Command::new("dpkg-deb");
            let told = printed(command.arg("-f").arg(&package).arg(field));
            assert_eq!(told.trim_end(), wanted, "{architecture}: {field}");
        }
    }
}

#[test]
fn each_program_is_static_and_for_its_processor() {
    for (architecture, machine) in ARCHITECTURES {
        let Some(package) = package(architecture) else {
            return;
        };
        let dir = unpacked(&package);
        let program = dir.path().join("usr/bin/mediapackage2mqtt");
        let mut command = Command::new("readelf");
        let told = printed(command.env("LC_ALL", "C").args(["-hldW"]).arg(&program));
        let is_for = |line: &str| {
            let said = line.trim().strip_prefix("Machine:");
            said.is_some_and(|said| said.trim() == machine)
        };
        assert!(told.lines().any(is_for), "{architecture}: {told}");
        for word in ["INTERP", "(NEEDED)"] {
            assert!(!told.contains(word), "{architecture}: {word} in {told}");
        }
    }
}

#[test]
fn the_same_program_gives_the_same_package() {
    let Some(first) = package("amd64") else {
        return;
    };
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(Path::new(SOURCE).join("cross/package"));
    let command = command.args(["--no-build", "--output"]).arg(dir.path());
    let told = printed(command.arg("x86_64"));
    let second = dir.path().join(first.file_name().unwrap());
    assert_eq!(told.trim_end(), second.to_str().unwrap());
    let is_same = fs::read(&first).unwrap() == fs::read(&second).unwrap();
    assert!(is_same, "{} and {}", first.display(), second.display());
}
