//! Harvest jobs, polled and pushed.

use super::cloud::{self, job};
use super::rig::{START, settings};
use super::*;
use crate::engine::Event;
use crate::engine::push::{Arrived, Push};
use crate::state::alarms::Via;
use crate::state::apis::MediaApi;
use crate::state::fault::FaultKind;
use crate::state::push::{DeliveryId, EventType, Meaning, MessageId, Notice, Passed, PushedEvent};
use crate::state::source::Source;

const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";
const DAY_SECONDS: u64 = 86_400;

fn rig() -> Rig {
    rig_with(&[])
}

/// With these denied.
fn rig_with(denied: &[Kind]) -> Rig {
    let mut region = live_with(&["c1"], cloud::with(1, 1, 1));
    region.cloud.jobs = vec![
        job("one", "IN_PROGRESS", START),
        job("g0.c0.e0.two", "QUEUED", START),
    ];
    for kind in denied {
        region.fail(*kind);
        region.faults.get_mut(kind).unwrap().kind = FaultKind::Permission;
    }
    let mut settings = settings();
    settings.apis = vec![MediaApi::V1, MediaApi::V2];
    settings.topic_arns = vec![TOPIC.into()];
    settings.listens = true;
    let mut rig = Rig::new(settings, region);
    rig.to(1);
    rig.handle(Event::Listener(Ok(())));
    rig
}

fn passed(json: &str) -> Passed {
    Passed {
        json: json.into(),
        truncated: false,
    }
}

/// An event of EventBridge comes.
fn push(rig: &mut Rig, n: u64, status: &str, detail: &str) {
    let id = format!("00000000-0000-4000-8000-{n:012x}");
    let event = PushedEvent {
        event_id: None,
        event_type: EventType::HarvestJob,
        time: START,
        about: Vec::new(),
        state: Some(status.into()),
        previous_state: None,
        summary: "A job.".into(),
        detail: passed(detail),
        wakes: Some(Source::MediaPackage),
    };
    let notice = Notice {
        message_id: MessageId::parse(&id).unwrap(),
        topic_arn: Some(TOPIC.into()),
        subject: None,
        timestamp: START,
        received_at: START,
        via: Via::Sns,
        message: passed("{}"),
        meaning: Meaning::Event(Box::new(event)),
    };
    let record = rig.spool.record(&notice);
    rig.handle(Event::Push(Push::Notice(Box::new(Arrived {
        delivery: DeliveryId::Request(n),
        notice,
        record,
        subscription_arn: None,
    }))));
}

fn set(rig: &mut Rig, id: &str, status: &str) {
    let jobs = &mut rig.region.cloud.jobs;
    let job = jobs.iter_mut().find(|job| &*job.id == id).unwrap();
    job.status = Some(status.into());
}

#[test]
fn jobs_are_shown_and_their_changes_told() {
    let mut rig = rig();
    rig.to(400);
    let shown = rig.json("harvest_job/one");
    assert_eq!(
        (&shown["api"], &shown["status"]),
        (&"v1".into(), &"IN_PROGRESS".into())
    );
    assert_eq!(shown["channel_id"], "c1");
    assert_eq!(shown["bucket"], "bucket");
    assert_eq!(
        rig.json("harvest_job/g0.c0.e0.two")["endpoint_id"],
        "g0.c0.e0"
    );
    assert!(rig.events("harvest_job").is_empty());
    set(&mut rig, "one", "SUCCEEDED");
    rig.region
        .cloud
        .jobs
        .push(job("three", "IN_PROGRESS", START));
    rig.to(800);
    assert_eq!(rig.json("harvest_job/one")["status"], "SUCCEEDED");
    let told = rig.messages("event/harvest_job");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["state"], "SUCCEEDED");
    assert_eq!(told[0]["previous_state"], "IN_PROGRESS");
    assert_eq!(told[0]["endpoint_id"], "c1-hls");
    assert_eq!(
        told[0]["summary"],
        "Harvest job one of origin endpoint c1-hls is complete."
    );
    assert_eq!(told[0]["detail"]["id"], "one");
    assert_eq!(told[1]["state"], "IN_PROGRESS");
}

#[test]
fn a_job_is_cleared_a_day_after_its_end() {
    let mut rig = rig();
    set(&mut rig, "one", "FAILED");
    rig.to(DAY_SECONDS - 10);
    assert!(rig.holds("harvest_job/one"));
    rig.to(DAY_SECONDS + 10);
    assert!(!rig.holds("harvest_job/one"));
    assert!(rig.holds("harvest_job/g0.c0.e0.two"), "it goes on");
}

#[test]
fn an_event_brings_a_poll_at_once_and_a_change_is_told_once() {
    let mut rig = rig();
    rig.to(700);
    let polls = rig.region.polls(Kind::HarvestV2).len();
    set(&mut rig, "one", "SUCCEEDED");
    set(&mut rig, "g0.c0.e0.two", "FAILED");
    push(&mut rig, 1, "SUCCEEDED", r#"{"harvest_job":{"id":"one"}}"#);
    let detail = r#"{"harvestJob":{"harvestJobName":"two","channelGroupName":"g0",
        "channelName":"c0","originEndpointName":"e0"}}"#;
    rig.run_for(Duration::from_secs(5));
    assert_eq!(rig.region.polls(Kind::HarvestV2).len(), polls + 1);
    assert_eq!(rig.json("harvest_job/one")["status"], "SUCCEEDED");
    // Polling has told it by now.
    push(&mut rig, 2, "FAILED", detail);
    rig.minutes(20);
    let told = rig.messages("event/harvest_job");
    let told: Vec<_> = told.iter().map(|e| (&e["source"], &e["state"])).collect();
    let wanted = [
        (&"sns".into(), &"SUCCEEDED".into()),
        (&"mediapackage".into(), &"FAILED".into()),
    ];
    assert_eq!(told, wanted);
    assert_eq!(rig.answers.len(), 2, "both messages are answered");
    assert!(rig.answers.iter().all(|(_, refused)| refused.is_none()));
}

#[test]
fn jobs_that_may_not_be_listed_are_told_once_and_are_no_trouble() {
    let mut rig = rig_with(&[Kind::HarvestV1, Kind::HarvestV2]);
    rig.to(3000);
    assert_eq!(rig.json("agent")["health"], "ok");
    let told = rig.log.iter().filter(|line| line.contains("harvest jobs"));
    assert_eq!(told.count(), 2, "{:?}", rig.log);
    assert!(rig.region.polls(Kind::HarvestV1).len() < 3);
    for kind in [Kind::HarvestV1, Kind::HarvestV2] {
        rig.region.heal(kind);
    }
    rig.to(7300);
    assert!(rig.holds("harvest_job/one"));
    // Any other trouble is said.
    rig.region.fail(Kind::HarvestV1);
    rig.to(8000);
    assert_eq!(rig.json("agent")["health"], "degraded");
    assert_eq!(rig.json("agent")["sources"]["mediapackage"]["state"], "ok");
}

#[test]
fn what_is_left_of_old_jobs_goes_although_the_other_api_gives_none() {
    // What is denied, and whose job is to stay.
    let cases = [
        (Kind::ListV2, "g.c.e.old"),
        (Kind::HarvestV2, "g.c.e.old"),
        (Kind::Inventory, "old"),
        (Kind::HarvestV1, "old"),
    ];
    for (denied, stays) in cases {
        let mut rig = rig_with(&[denied]);
        // Where the name was cut, it may be of either.
        let left = ["old", "g.c.e.old", "cut~0123456789abcdef"];
        for id in left {
            let topic = format!("mp/x/harvest_job/{id}");
            rig.broker.retained.insert(topic, "{}".into());
        }
        rig.to(1200);
        for id in left {
            let is_there = rig
                .broker
                .retained
                .contains_key(&format!("mp/x/harvest_job/{id}"));
            let is_wanted = id == stays || id.contains('~');
            assert_eq!(is_there, is_wanted, "{id} where {denied:?} is denied");
        }
    }
}
