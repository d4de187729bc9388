//! Pushed messages at odd moments: a disk that hangs or cannot be read, a clock that is lost, a
//! spool that opens late, a broker that takes nothing.

use super::push::*;
use super::*;
use crate::engine::Event;
use crate::engine::push::Push;
use crate::state::polled::AlarmKind;
use crate::state::push::{DeliveryId, Meaning, Notice, PushedAlarm, Reason};

#[test]
fn what_only_the_broker_can_keep_never_goes_to_the_spool() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(60);
    let ended = |rig: &mut Rig, delivery| {
        rig.handle(Event::Push(Push::Ended {
            delivery: DeliveryId::Request(delivery),
            message_id: id(2),
            topic_arn: TOPIC.into(),
        }));
    };
    ended(&mut rig, 1);
    rig.to(15);
    ended(&mut rig, 2);
    rig.to(20);
    let busy = Some(Reason::Busy);
    assert_eq!(rig.answers, [(1, busy), (2, busy)]);
    assert_eq!(rig.spool.kept, []);
}

#[test]
fn a_disk_that_cannot_be_read_is_not_asked_in_a_hurry() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(11);
    push(&mut rig, 1, 1);
    rig.to(12);
    rig.spool.unreadable = true;
    rig.broker.up = true;
    rig.to(60);
    let asked = rig.ticks;
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(120);
    assert!(rig.ticks - asked < 60, "{} wakings", rig.ticks - asked);
    rig.broker.up = true;
    rig.spool.unreadable = false;
    rig.to(180);
    assert_eq!(told(&rig), [1]);
}

#[test]
fn what_was_delivered_while_an_older_number_is_written_is_not_read_back() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_millis(2100);
    rig.spool.delay = Duration::from_secs(3);
    // The hand is full with these; the last of them goes through the spool.
    (1..=257).for_each(|n| push(&mut rig, n, n));
    rig.to(15);
    rig.spool.delay = Duration::from_millis(20);
    rig.to(2000);
    let mut told = told(&rig);
    told.sort_unstable();
    assert_eq!(told, (1..=257).collect::<Vec<_>>());
}

/// An alarm that AWS tells of now.
fn alarm_notice(rig: &Rig, n: u64) -> Notice {
    let alarm = PushedAlarm {
        name: "f".into(),
        arn: "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:f".into(),
        account_id: Some("123456789012".into()),
        region: Some("eu-central-1".into()),
        kind: AlarmKind::Metric,
        state: "ALARM".into(),
        previous_state: Some("OK".into()),
        reason: None,
        description: None,
        changed_at: rig.aws_now(),
        namespace: None,
        metric: None,
        dimensions: Vec::new(),
        threshold: None,
        comparison: None,
    };
    Notice {
        received_at: rig.aws_now(),
        meaning: Meaning::Alarm(Box::new(alarm)),
        ..notice(n)
    }
}

#[test]
fn an_alarm_out_of_the_spool_is_believed_before_the_clock_is_right() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(11);
    let notice = alarm_notice(&rig, 1);
    push_notice(&mut rig, 1, notice);
    rig.to(12);
    assert_eq!(rig.answers, good(1..2));
    // The power goes, and with it the clock; the broker comes back before AWS is reached.
    rig.wall_error_ms = -20 * 365 * 86_400_000;
    rig.region.fail(Kind::Inventory);
    rig.region.fail(Kind::Alarms);
    rig.region.fail(Kind::Series);
    rig.region.fail(Kind::Metrics);
    rig.broker.up = true;
    rig.crash(pushed_settings(), 0, Duration::ZERO);
    rig.to(60);
    assert_eq!(told(&rig), [1]);
    assert_eq!(rig.events("alarm"), ["f OK>ALARM"]);
    assert_eq!(rig.json("alarm/f")["state"], "ALARM");
}

#[test]
fn older_messages_do_not_bring_a_removed_subscription_back() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(11);
    for n in 1..=5 {
        let mut notice = notice(n);
        notice.received_at = rig.aws_now();
        push_notice(&mut rig, n, notice);
    }
    rig.to(20);
    let ended = |rig: &mut Rig, delivery| {
        rig.handle(Event::Push(Push::Ended {
            delivery: DeliveryId::Request(delivery),
            message_id: id(9),
            topic_arn: TOPIC.into(),
        }));
    };
    ended(&mut rig, 6);
    rig.broker.up = true;
    rig.to(100);
    assert_eq!(rig.json(SUBSCRIPTION)["state"], "unsubscribed");
    assert_eq!(rig.json(SUBSCRIPTION)["accepted"], 5);
    let mut notice = notice(7);
    notice.received_at = rig.aws_now();
    push_notice(&mut rig, 7, notice);
    rig.to(102);
    assert_eq!(rig.json(SUBSCRIPTION)["state"], "confirmed");
}

#[test]
fn what_ends_sessions_and_cannot_be_set_aside_keeps_nothing_waiting() {
    let mut rig = rig();
    rig.to(10);
    rig.spool.full = true;
    rig.broker.poison = Some(r#"{"n":2}"#.to_owned());
    (1..=4).for_each(|n| push(&mut rig, n, n));
    rig.to(300);
    // It was never answered 200: AWS has it still.
    let of_poison = rig.answers.iter().find(|(delivery, _)| *delivery == 2);
    assert_eq!(of_poison, Some(&(2, Some(Reason::Busy))));
    let mut told = told(&rig);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, [1, 3, 4]);
}

#[test]
fn a_disk_that_hangs_is_asked_for_a_bounded_number_of_things() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(3);
    rig.spool.delay = Duration::from_secs(100_000);
    for n in 1..=1500 {
        push(&mut rig, n, n);
        rig.run_for(Duration::from_millis(100));
    }
    assert!(rig.asked_of_spool() <= 512, "{}", rig.asked_of_spool());
}

#[test]
fn large_messages_that_the_broker_does_not_take_do_not_pile_up() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(1000);
    for n in 1..=200 {
        let mut large = notice(n);
        large.message = passed(&format!(r#"{{"n":{n},"x":"{}"}}"#, "x".repeat(100_000)));
        push_notice(&mut rig, n, large);
        rig.run_for(Duration::from_millis(100));
    }
    rig.to(40);
    rig.answers.sort_unstable_by_key(|(delivery, _)| *delivery);
    assert_eq!(rig.answers, good(1..201));
    // Of each the message and its event: 4 MiB of what AWS sent.
    let told = rig.engine.happenings.len() + rig.engine.outbox.unacknowledged();
    assert!(told < 2 * 50, "{told}");
}

#[test]
fn what_came_again_before_the_spool_was_open_is_told_once() {
    for delay in [5, 700, 15_000] {
        let mut rig = rig();
        rig.to(10);
        rig.broker.up = false;
        rig.lose_broker();
        rig.to(11);
        (1..=3).for_each(|n| push(&mut rig, n, n));
        rig.to(12);
        assert_eq!(rig.answers, good(1..4));
        rig.broker.up = true;
        rig.crash(pushed_settings(), 0, Duration::from_secs(10));
        rig.to(20);
        rig.broker.delay = Duration::from_millis(delay);
        push(&mut rig, 4, 2);
        // More than are listed.
        (5..=30).for_each(|n| push(&mut rig, n, n));
        rig.to(200);
        let mut told = told(&rig);
        told.sort_unstable();
        let wanted: Vec<u64> = (1..=3).chain(5..=30).collect();
        assert_eq!(told, wanted, "{delay} ms");
        assert!(rig.spool.records.is_empty());
    }
}

#[test]
fn a_spool_that_could_not_be_opened_tells_what_it_holds_though_nothing_new_comes() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(11);
    push(&mut rig, 1, 1);
    rig.to(12);
    assert_eq!(rig.answers, good(1..2));
    rig.spool.full = true;
    rig.broker.up = true;
    rig.crash(pushed_settings(), 0, Duration::ZERO);
    rig.to(100);
    assert_eq!(told(&rig), Vec::<u64>::new());
    rig.spool.full = false;
    rig.to(200);
    assert_eq!(told(&rig), [1]);
    assert!(rig.spool.records.is_empty());
    assert_eq!(rig.json("agent")["reasons"], serde_json::json!([]));
}
