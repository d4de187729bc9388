//! Accounts and regions that lack one of the APIs, as `once` finds them on the wire.

use serde_json::Value;

use crate::harness::{PREFIX, no_secret_in, run};
use crate::region::{Region, World};
use crate::support::config::ConfigFile;

/// A name that DNS never knows (RFC 2606).
const NO_HOST: &str = "https://mediapackagev2.invalid";

struct Case {
    denied: &'static [&'static str],
    absent: &'static [&'static str],
    v2_url: Option<&'static str>,
    /// States of v1 and v2.
    states: [&'static str; 2],
    /// Channels shown.
    channels: &'static [&'static str],
    /// What the one line about it says.
    line: &'static str,
}

const BOTH: Case = Case {
    denied: &[],
    absent: &[],
    v2_url: None,
    states: ["ok", "ok"],
    channels: &["ch-0000", "group-0.ch-0000"],
    line: "",
};

const CASES: &[Case] = &[
    BOTH,
    Case {
        denied: &["mediapackagev2:*"],
        states: ["ok", "unavailable"],
        channels: &["ch-0000"],
        line: "allow mediapackagev2:ListChannelGroups in the IAM policy, or leave \"v2\" out",
        ..BOTH
    },
    Case {
        absent: &["mediapackagev2"],
        states: ["ok", "unavailable"],
        channels: &["ch-0000"],
        line: "SubscriptionRequiredException: ",
        ..BOTH
    },
    Case {
        v2_url: Some(NO_HOST),
        states: ["ok", "unavailable"],
        channels: &["ch-0000"],
        line: "is not known to DNS; check region",
        ..BOTH
    },
    Case {
        denied: &["mediapackage:*"],
        states: ["unavailable", "ok"],
        channels: &["group-0.ch-0000"],
        line: "allow mediapackage:ListChannels in the IAM policy, or leave \"v1\" out",
        ..BOTH
    },
];

/// One channel of each API, and a config that asks for both.
fn place(case: &Case) -> (Region, ConfigFile) {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let mut world = World::new("eu-central-1")
        .with_channels(1, 1)
        .with_groups(1, 1, 1)
        .standard_metrics();
    world.denied = names(case.denied);
    world.absent = names(case.absent);
    let key = world.keys[0].clone();
    let region = Region::start(world);
    let v2_url = case.v2_url.map_or(region.url(), str::to_owned);
    let config = ConfigFile::new(&region.url(), "mqtt://127.0.0.1:1", (&key.id, &key.secret))
        .set("mediapackage.apis", "[\"v1\", \"v2\"]")
        .text("mediapackage.v2_url", &v2_url);
    (region, config)
}

#[test]
fn an_api_that_is_not_to_be_had_is_one_line_and_a_state_and_the_rest_goes_on() {
    for case in CASES {
        let (_region, config) = place(case);
        let out = run(&["once"], &config.write());
        let printed = String::from_utf8(out.stdout).unwrap();
        let log = String::from_utf8(out.stderr).unwrap();
        let what = format!("{} {:?} {:?}\n{log}", case.line, case.denied, case.v2_url);
        no_secret_in("stdout", &printed);
        no_secret_in("the log", &log);
        assert!(out.status.success(), "{what}");
        let payload = |topic: &str| {
            let start = format!("{PREFIX}{topic}\t");
            let line = printed.lines().find_map(|line| line.strip_prefix(&start));
            serde_json::from_str::<Value>(line?).ok()
        };
        let agent = payload("agent").unwrap();
        let state = |api: &str| agent["apis"][api]["state"].clone();
        assert_eq!([state("v1"), state("v2")], case.states, "{what}");
        assert_eq!(agent["health"], "ok", "{what}");
        assert_eq!(agent["account_id"], "123456789012", "{what}");
        for id in BOTH.channels {
            let is_shown = payload(&format!("channel/{id}")).is_some();
            assert_eq!(is_shown, case.channels.contains(id), "{id}: {what}");
        }
        let warnings = log
            .lines()
            .filter(|line| line.contains("; the others go on"));
        let warnings: Vec<&str> = warnings.collect();
        assert_eq!(warnings.len(), usize::from(!case.line.is_empty()), "{what}");
        assert!(
            warnings.iter().all(|line| line.contains(case.line)),
            "{what}"
        );
    }
}

#[test]
fn check_warns_of_an_api_that_is_not_to_be_had_and_counts_the_other() {
    for case in CASES {
        let (_region, config) = place(case);
        // There is no broker: only the lines of the APIs are looked at.
        let out = run(&["check"], &config.write());
        let printed = String::from_utf8(out.stdout).unwrap();
        no_secret_in("check", &printed);
        let of_apis = printed
            .lines()
            .filter(|line| line.contains("mediapackage v"));
        let counted = of_apis.filter(|line| line.ends_with("are taken")).count();
        assert_eq!(counted, case.channels.len(), "{printed}");
        let warned = printed.matches("leave it out of apis").count();
        assert_eq!(warned, usize::from(!case.line.is_empty()), "{printed}");
        let failed = printed.lines().filter(|line| line.starts_with("fail"));
        let failed: Vec<&str> = failed
            .filter(|line| line.contains("mediapackage"))
            .collect();
        assert!(failed.is_empty(), "{printed}");
    }
}
