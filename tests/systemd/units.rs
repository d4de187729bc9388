//! The unit files, as Debian's own `systemd-analyze` judges them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The worst that is allowed, in tenths: of 10.0, where 0 is best.
const EXPOSURE_MAX_TENTHS: u32 = 15;
/// Where the package puts the program.
const PROGRAM: &str = "/usr/bin/mediapackage2mqtt";
const UNITS: [&str; 4] = [
    "mediapackage2mqtt.service",
    "mediapackage2mqtt@.service",
    "mediapackage2mqtt.socket",
    "mediapackage2mqtt@.socket",
];

fn shipped(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// All units in a folder, with the program where it is here.
fn unpacked(change: impl Fn(&str, String) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in UNITS {
        let here = env!("CARGO_BIN_EXE_mediapackage2mqtt");
        let text = shipped(name).replace(PROGRAM, here);
        fs::write(folder.path().join(name), change(name, text)).unwrap();
    }
    folder
}

fn analyze(folder: &TempDir, arguments: &[&str]) -> Output {
    let path = format!("{}:", folder.path().display());
    Command::new("systemd-analyze")
        .args(arguments)
        .env("SYSTEMD_UNIT_PATH", path)
        .output()
        .expect("systemd-analyze, which tests/run installs")
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

/// What `verify` says of a unit, empty where all is well.
fn verify(folder: &TempDir, unit: &str) -> String {
    let output = analyze(folder, &["verify", "--man=no", unit]);
    match output.status.success() {
        true => said(&output),
        false => format!("failed: {}", said(&output)),
    }
}

#[test]
fn every_unit_and_its_instances_are_verified_without_a_word() {
    let folder = unpacked(|_, text| text);
    let instances = [
        "mediapackage2mqtt@eu-west-1.service",
        "mediapackage2mqtt@eu-west-1.socket",
    ];
    for unit in UNITS.iter().chain(&instances) {
        assert_eq!(verify(&folder, unit), "", "{unit}");
    }
}

#[test]
fn a_key_that_systemd_does_not_know_is_found() {
    let cases = [
        ("RestartSec=30", "RestartSecs=30"),
        ("MemoryMax=128M", "MemoryMax=lots"),
        ("ProtectSystem=strict", "ProtectSystem=strictly"),
    ];
    for (right, wrong) in cases {
        let folder = unpacked(|_, text| {
            assert!(!text.contains("[Service]") || text.contains(right));
            text.replace(right, wrong)
        });
        let said = verify(&folder, UNITS[0]);
        let (key, value) = wrong.split_once('=').unwrap();
        assert!(
            said.contains(key) || said.contains(value),
            "{wrong}: {said}"
        );
    }
}

#[test]
fn a_service_is_hardly_exposed() {
    let threshold = format!("--threshold={EXPOSURE_MAX_TENTHS}");
    let judge = |folder: &TempDir, name: &str| {
        let file = folder.path().join(name).display().to_string();
        let arguments = [
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            &file,
        ];
        let output = analyze(folder, &arguments);
        (output.status.success(), said(&output))
    };
    let folder = unpacked(|_, text| text);
    for name in UNITS.iter().filter(|name| name.ends_with(".service")) {
        let (good, said) = judge(&folder, name);
        assert!(good, "{name}: {said}");
        eprintln!("{}", said.lines().last().unwrap_or_default());
    }
    // The threshold is one: without its system call filter a unit does not pass.
    let open = unpacked(|_, text| text.replace("SystemCallFilter=", "#"));
    let (good, said) = judge(&open, UNITS[0]);
    assert!(!good, "{said}");
}

#[test]
fn the_templates_differ_from_the_units_by_their_names_only() {
    // Only what counts: comments may say things in other words.
    let keys = |name: &str| -> Vec<String> {
        let text = shipped(name);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    for kind in ["service", "socket"] {
        let one = keys(&format!("mediapackage2mqtt.{kind}"));
        let template = keys(&format!("mediapackage2mqtt@.{kind}"));
        let named: Vec<String> = template
            .iter()
            .map(|line| {
                let line = line.replace("/credentials/%i/", "/credentials/");
                line.replace("/%i.toml", "/config.toml")
                    .replace(" (%i)", "")
            })
            .collect();
        assert_eq!(one, named, "{kind}");
        let of_instance = template.iter().filter(|line| line.contains("%i"));
        assert!(of_instance.count() >= 1, "{kind}");
    }
}

#[test]
fn every_secret_is_a_credential_that_may_be_missing() {
    let text = shipped("mediapackage2mqtt.service");
    let values = |key: &str| -> Vec<(String, String)> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(key));
        lines
            .map(|value| {
                let (id, value) = value.split_once(':').unwrap();
                (id.to_owned(), value.to_owned())
            })
            .collect()
    };
    let loaded = values("LoadCredential=");
    for (id, path) in &loaded {
        assert_eq!(path, &format!("/etc/mediapackage2mqtt/credentials/{id}"));
    }
    // An empty value is refused, so a line without anything in it stands for none.
    let missing = values("SetCredential=");
    let wanted = loaded.iter().map(|(id, _)| (id.clone(), "\\n".to_owned()));
    assert_eq!(missing, wanted.collect::<Vec<_>>());
    // The config that is shipped names each of them, and no other.
    let config = shipped("config.toml");
    let named: BTreeSet<&str> = config
        .split("\"${CREDENTIALS_DIRECTORY}/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let loaded: BTreeSet<&str> = loaded.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(named, loaded);
}
