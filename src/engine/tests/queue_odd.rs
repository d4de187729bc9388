//! A queue in trouble: told once, healed by itself, and nothing of it is lost.

use super::push::{notice, push_notice, told};
use super::queue::{lose, put, queue_settings, rig, sorted};
use super::*;
use crate::engine::Settings;
use crate::state::fault::{Fault, FaultKind};

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "as planned", "")
}

#[test]
fn what_ends_five_sessions_stays_in_the_queue_and_the_rest_gets_through() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.poison = Some(r#"{"n":2}"#.to_owned());
    put(&mut rig, 1..=4);
    rig.to(400);
    let mut but_one = sorted(&rig);
    but_one.dedup();
    assert_eq!(but_one, [1, 3, 4]);
    assert_eq!(rig.mail.items.keys().collect::<Vec<_>>(), [&2]);
    assert!(
        rig.log
            .iter()
            .any(|line| line.contains("left in the queue"))
    );
    rig.broker.poison = None;
    rig.to(1400);
    assert!(told(&rig).contains(&2));
    assert!(rig.mail.items.is_empty());
    assert_eq!((rig.spool.aside.len(), rig.spool.kept.len()), (0, 0));
}

#[test]
fn a_broker_that_takes_no_message_leaves_all_of_them_in_the_queue() {
    let mut rig = rig();
    rig.to(60);
    rig.broker.poison = Some("message_id".to_owned());
    put(&mut rig, 1..=50);
    rig.to(8 * 3600);
    assert_eq!(told(&rig), Vec::<u64>::new());
    assert_eq!((rig.mail.items.len(), rig.spool.aside.len()), (50, 0));
    // The dead-letter queue is hours away.
    let most = rig.mail.items.values().map(|item| item.received).max();
    assert!(most < Some(80), "{most:?} receives in 8 h");
    let reasons = rig.json("agent")["reasons"].to_string();
    assert!(reasons.contains("they stay there"), "{reasons}");
    rig.broker.poison = None;
    rig.to(9 * 3600);
    assert_eq!(sorted(&rig), (1..=50).collect::<Vec<_>>());
    assert!(rig.mail.items.is_empty());
    assert_eq!(rig.json("agent")["reasons"], serde_json::json!([]));
}

#[test]
fn entries_that_sqs_does_not_delete_are_told() {
    let mut rig = rig();
    rig.to(10);
    rig.mail.lazy = u32::MAX;
    put(&mut rig, 1..=15);
    rig.to(300);
    assert_eq!(told(&rig), (1..=10).collect::<Vec<_>>());
    let status = rig.json("agent")["sources"]["sqs"].clone();
    assert_eq!(
        (&status["state"], &status["error"]),
        (&"failing".into(), &"not deleted".into())
    );
    rig.mail.lazy = 0;
    rig.to(500);
    assert_eq!(told(&rig), (1..=15).collect::<Vec<_>>());
    assert!(rig.mail.items.is_empty());
    assert_eq!(rig.json("agent")["sources"]["sqs"]["state"], "ok");
}

#[test]
fn on_a_slow_line_messages_are_taken_one_by_one() {
    let mut rig = rig();
    rig.to(10);
    rig.mail.slow = true;
    put(&mut rig, 1..=12);
    rig.to(600);
    assert_eq!(sorted(&rig), (1..=12).collect::<Vec<_>>());
    let most = rig.mail.count("receive") + rig.mail.count("look");
    assert!(most < 80, "{most} receives");
    assert!(rig.mail.items.is_empty());
}

#[test]
fn a_queue_that_does_not_wait_is_asked_less_often() {
    let mut rig = rig();
    rig.to(10);
    rig.mail.hasty = true;
    rig.to(600);
    let asked = rig.mail.count("receive");
    assert!((25..60).contains(&asked), "{asked} in ten minutes");
    let said = rig
        .log
        .iter()
        .filter(|line| line.contains("WaitTimeSeconds"));
    assert_eq!(said.count(), 1);
    put(&mut rig, 1..=3);
    rig.to(640);
    assert_eq!(told(&rig), [1, 2, 3]);
}

#[test]
fn a_spool_that_cannot_be_read_does_not_keep_the_queue_waiting() {
    let settings = Settings {
        listens: true,
        ..queue_settings()
    };
    let mut rig = Rig::new(settings, live(&["a"]));
    rig.to(10);
    lose(&mut rig);
    rig.to(11);
    push_notice(&mut rig, 1, notice(1));
    rig.to(12);
    rig.spool.unreadable = true;
    rig.broker.up = true;
    put(&mut rig, 2..=5);
    rig.to(120);
    assert_eq!(told(&rig), [2, 3, 4, 5]);
    let reasons = rig.json("agent")["reasons"].to_string();
    assert!(reasons.contains("cannot be read"), "{reasons}");
    rig.spool.unreadable = false;
    rig.to(180);
    assert_eq!(told(&rig), [2, 3, 4, 5, 1]);
    assert_eq!(rig.json("agent")["reasons"], serde_json::json!([]));
}

#[test]
fn trouble_with_the_queue_is_told_once_and_heals_by_itself() {
    let kinds = [
        FaultKind::Refused,
        FaultKind::Permission,
        FaultKind::Throttled,
        FaultKind::Network,
        FaultKind::Server,
    ];
    for kind in kinds {
        let mut rig = rig();
        rig.to(30);
        rig.mail.faults.insert("receive", fault(kind));
        rig.mail.faults.insert("look", fault(kind));
        rig.to(60);
        let status = &rig.json("agent")["sources"]["sqs"];
        assert_eq!(status["state"], "failing", "{kind:?}");
        assert_eq!(status["error"], "as planned");
        assert_eq!(rig.json("agent")["health"], "degraded");
        rig.to(630);
        assert_eq!(rig.json("source/sqs"), "offline");
        let asked = rig.mail.count("look");
        assert!((10..=30).contains(&asked), "{kind:?}: {asked} tries");
        let told = |rig: &Rig| {
            let lines = rig.log.iter().filter(|line| line.contains("as planned"));
            lines.count()
        };
        assert_eq!(told(&rig), 1, "{kind:?}");
        put(&mut rig, 1..=1);
        rig.mail.faults.clear();
        rig.to(700);
        assert_eq!(self::told(&rig), [1], "{kind:?}");
        assert_eq!(rig.json("source/sqs"), "online");
        assert_eq!(rig.json("agent")["health"], "ok");
    }
}

#[test]
fn a_short_trouble_does_not_make_the_source_stale() {
    let mut rig = rig();
    rig.to(30);
    rig.mail.faults.insert("receive", fault(FaultKind::Network));
    rig.mail.faults.insert("look", fault(FaultKind::Network));
    rig.to(55);
    rig.mail.faults.clear();
    rig.to(100);
    let of_source = |m: &&rig::Message| m.topic.ends_with("source/sqs");
    let shown = rig.broker.log.iter().filter(of_source);
    assert!(shown.into_iter().all(|m| m.payload == "online"));
}

#[test]
fn what_cannot_be_deleted_is_told_and_published_once_all_the_same() {
    let mut rig = rig();
    rig.to(10);
    rig.mail
        .faults
        .insert("delete", fault(FaultKind::Permission));
    put(&mut rig, 1..=15);
    rig.to(3 * 3600);
    // The first ten are not followed by more that could not be deleted either.
    assert_eq!(told(&rig), (1..=10).collect::<Vec<_>>());
    assert_eq!(rig.json("agent")["sources"]["sqs"]["state"], "failing");
    rig.mail.faults.clear();
    rig.to(3 * 3600 + 120);
    assert_eq!(told(&rig), (1..=15).collect::<Vec<_>>());
    assert!(rig.mail.items.is_empty());
    assert_eq!(rig.json("agent")["sources"]["sqs"]["state"], "ok");
}

#[test]
fn a_delete_that_sqs_fails_at_is_made_again() {
    let mut rig = rig();
    rig.to(10);
    rig.mail.lazy = 25;
    put(&mut rig, 1..=10);
    rig.to(60);
    assert_eq!(told(&rig), (1..=10).collect::<Vec<_>>());
    assert!(rig.mail.items.is_empty());
}

#[test]
fn a_queue_in_trouble_wakes_nobody_in_a_hurry() {
    let mut rig = rig();
    rig.to(10);
    lose(&mut rig);
    put(&mut rig, 1..=10);
    rig.mail.faults.insert("hide", fault(FaultKind::Network));
    let ticks = rig.ticks;
    rig.to(610);
    assert!(rig.ticks - ticks < 600, "{} wakings", rig.ticks - ticks);
    assert_eq!(
        rig.json("agent")["sources"]["sqs"]["state"],
        serde_json::json!("ok"),
        "the broker is away"
    );
    assert!(rig.log.iter().any(|line| line.contains("as planned")));
}

#[test]
fn messages_that_are_too_large_together_are_taken_one_by_one() {
    let mut rig = rig();
    rig.to(10);
    rig.mail.large = true;
    put(&mut rig, 1..=12);
    rig.to(200);
    assert_eq!(sorted(&rig), (1..=12).collect::<Vec<_>>());
    assert!(rig.mail.items.is_empty());
    assert_eq!(rig.json("agent")["sources"]["sqs"]["state"], "ok");
    let lines = rig.log.iter().filter(|line| line.contains("one by one"));
    assert_eq!(lines.count(), 1);
}
