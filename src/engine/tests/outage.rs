//! A day on which nothing works, or everything comes and goes: what the log is told of it.

use std::collections::BTreeMap;

use super::push::{TOPIC, push};
use super::queue::queue_settings;
use super::*;
use crate::engine::{Event, Settings};
use crate::state::alarms::Via;
use crate::state::fault::{Fault, FaultKind};
use crate::state::logbook::CHANGES_MAX;
use crate::state::push::{Reason, Refusals};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// Everything AWS is asked of v1.
const KINDS: [Kind; 5] = [
    Kind::Inventory,
    Kind::HarvestV1,
    Kind::Series,
    Kind::Metrics,
    Kind::Alarms,
];

fn site() -> Rig {
    let mut rig = Rig::new(
        Settings {
            listens: true,
            ..queue_settings()
        },
        live(&["a"]),
    );
    rig.to(600);
    rig.log.clear();
    rig
}

/// Takes away AWS with its queue.
fn lose_aws(rig: &mut Rig, why: &str) {
    let fault = Fault::new(FaultKind::Network, why, "check the network");
    for kind in KINDS {
        rig.region.faults.insert(kind, fault.clone());
    }
    for job in ["receive", "look", "delete", "hide"] {
        rig.mail.faults.insert(job, fault.clone());
    }
}

/// Takes away the broker, and the spool's disk.
fn lose_broker(rig: &mut Rig) {
    rig.spool.full = true;
    rig.broker.up = false;
    rig.lose_broker();
}

fn heal(rig: &mut Rig) {
    KINDS.into_iter().for_each(|kind| rig.region.heal(kind));
    rig.mail.faults.clear();
    rig.spool.full = false;
    rig.broker.up = true;
}

/// Somebody sends rubbish, and SNS something true.
fn knock(rig: &mut Rig, number: u64) {
    rig.handle(Event::Refused(vec![Refusals {
        via: Via::Sns,
        reason: Reason::Signature,
        topic_arn: Some(TOPIC.into()),
        count: 3,
        example: None,
    }]));
    push(rig, number, number);
}

/// How often the log was told of each subject: what a line begins with.
fn told(rig: &Rig) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for line in &rig.log {
        let line = line
            .split_once(" still: ")
            .map_or(&**line, |(_, line)| line);
        let line = line.split_once(" hour: ").map_or(line, |(_, line)| line);
        let subject = match line.strip_prefix("metrics: the list of series") {
            Some(_) => "the list of series",
            None => line.split_once(": ").map_or(line, |(subject, _)| subject),
        };
        *told.entry(subject.to_owned()).or_default() += 1;
    }
    told
}

#[test]
fn a_day_without_aws_or_broker_is_a_line_an_hour_for_each_of_them() {
    let of_aws = ["mediapackage", "metrics", "the list of series", "alarms"];
    // While the broker is away the queue is not asked; while it is there nothing is spooled.
    let cases = [(true, ["mqtt", "the spool"].as_slice()), (false, &["sqs"])];
    for (loses_broker, others) in cases {
        let mut rig = site();
        lose_aws(&mut rig, "no route to host");
        if loses_broker {
            lose_broker(&mut rig);
        }
        for minute in 0..DAY / 60 {
            rig.to(600 + minute * 60);
            knock(&mut rig, minute + 1);
        }
        heal(&mut rig);
        rig.to(600 + DAY + HOUR);
        let told = told(&rig);
        for subject in of_aws.iter().chain(others) {
            // Its begin, at most a reminder an hour, its end, and what the end brings with it.
            let lines = told.get(*subject).copied().unwrap_or_default();
            assert!((24..=27).contains(&lines), "{subject}: {told:?}");
        }
        // Reasons of refusals: the forgeries, and what could not be kept.
        assert!(told["sns"] <= 2 * 25, "{told:?}");
        let after = |hours: &str| rig.log.iter().any(|l| l.starts_with(hours));
        assert!(after("after 1 h still: ") && after("after 23 h still: "));
        assert_eq!(told.len(), of_aws.len() + others.len() + 1, "{told:?}");
    }
}

#[test]
fn a_day_on_which_everything_comes_and_goes_is_no_flood() {
    let mut rig = site();
    for minute in 0..DAY / 60 {
        match minute % 3 {
            0 => {
                lose_aws(&mut rig, "no route to host");
                lose_broker(&mut rig);
            }
            2 => heal(&mut rig),
            _ => {}
        }
        knock(&mut rig, minute + 1);
        rig.to(600 + (minute + 1) * 60);
    }
    heal(&mut rig);
    rig.to(600 + DAY + 2 * HOUR);
    let told = told(&rig);
    for (subject, lines) in &told {
        let most = CHANGES_MAX as usize + 26;
        assert!(*lines <= most, "{subject} {lines}: {told:?}");
    }
    assert!(
        rig.log
            .iter()
            .any(|l| l.contains("more within the last hour: mqtt: "))
    );
    // The last word is true.
    for subject in ["mediapackage: ", "mqtt: conn", "alarms: "] {
        let last = rig.log.iter().rfind(|l| l.contains(subject)).unwrap();
        assert!(last.contains("again"), "{last}");
    }
    assert!(rig.log.len() < 450, "{}", rig.log.len());
}

#[test]
fn a_quiet_day_is_not_mentioned() {
    let mut rig = site();
    rig.to(600 + DAY);
    assert_eq!(rig.log, Vec::<String>::new());
}
