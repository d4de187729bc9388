//! Messages that AWS pushes: published once, answered when they are safe, never lost.

use serde_json::Value;

use super::rig::{START, settings};
use super::*;
use crate::engine::push::{Arrived, ConfirmToken, Push};
use crate::engine::{Event, Settings};
use crate::state::alarms::Via;
use crate::state::fault::{Fault, FaultKind};
use crate::state::glob::Glob;
use crate::state::polled::AlarmKind;
use crate::state::push::{
    DeliveryId, EventType, Meaning, MessageId, Notice, Passed, PushedAlarm, PushedEvent, Reason,
    Reference, Refusals,
};
use crate::state::source::Source;

pub const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";
pub const SUBSCRIPTION: &str = "sns/subscription/123456789012.mp";

pub fn id(n: u64) -> MessageId {
    MessageId::parse(&format!("00000000-0000-0000-0000-{n:012x}")).unwrap()
}

pub fn passed(json: &str) -> Passed {
    Passed {
        json: json.into(),
        truncated: false,
    }
}

pub fn notice(n: u64) -> Notice {
    let event = PushedEvent {
        event_id: None,
        event_type: EventType::InputSwitch,
        time: START,
        about: vec![Reference::Channel("a".into())],
        state: None,
        previous_state: None,
        summary: format!("Thing {n}."),
        detail: passed(r#"{"n":1}"#),
        wakes: Some(Source::MediaPackage),
    };
    Notice {
        message_id: id(n),
        topic_arn: Some(TOPIC.into()),
        subject: None,
        timestamp: START,
        received_at: START,
        via: Via::Sns,
        message: passed(&format!(r#"{{"n":{n}}}"#)),
        meaning: Meaning::Event(Box::new(event)),
    }
}

pub fn pushed_settings() -> Settings {
    Settings {
        topic_arns: vec![TOPIC.into()],
        listens: true,
        ..settings()
    }
}

pub fn rig() -> Rig {
    Rig::new(pushed_settings(), live(&["a"]))
}

/// Message `n` comes, as delivery `delivery`.
pub fn push(rig: &mut Rig, delivery: u64, n: u64) {
    push_notice(rig, delivery, notice(n));
}

/// This message comes, as delivery `delivery`.
pub fn push_notice(rig: &mut Rig, delivery: u64, notice: Notice) {
    let record = rig.spool.record(&notice);
    rig.handle(Event::Push(Push::Notice(Box::new(Arrived {
        delivery: DeliveryId::Request(delivery),
        notice,
        record,
        subscription_arn: None,
    }))));
}

pub fn told(rig: &Rig) -> Vec<u64> {
    let messages = rig.messages("sns/message");
    messages
        .iter()
        .map(|m| m["message"]["n"].as_u64().unwrap())
        .collect()
}

pub fn good(deliveries: std::ops::Range<u64>) -> Vec<(u64, Option<Reason>)> {
    deliveries.map(|delivery| (delivery, None)).collect()
}

#[test]
fn a_message_is_answered_when_the_broker_has_taken_all_of_it_and_the_disk_is_spared() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_millis(500);
    push(&mut rig, 1, 1);
    rig.to(10);
    assert_eq!(rig.answers, []);
    rig.to(12);
    assert_eq!(rig.answers, good(1..2));
    assert_eq!(told(&rig), [1]);
    let event = &rig.messages("event/input_switch")[0];
    assert_eq!(event["channel_id"], "a");
    assert_eq!(event["id"], id(1).to_string());
    assert_eq!(event["detail"]["n"], 1);
    assert_eq!(rig.json("sns/messages")["messages"][0]["message"]["n"], 1);
    let subscription = rig.json(SUBSCRIPTION);
    assert_eq!(subscription["accepted"], 1);
    assert_eq!(subscription["state"], "confirmed");
    assert!(rig.spool.records.is_empty());
}

#[test]
fn a_repeat_is_answered_and_not_published_again() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_millis(500);
    push(&mut rig, 1, 1);
    // While the first is on its way it waits for it.
    push(&mut rig, 2, 1);
    assert_eq!(rig.answers, []);
    rig.to(12);
    push(&mut rig, 3, 1);
    assert_eq!(rig.answers, good(1..4));
    assert_eq!(told(&rig), [1]);
}

#[test]
fn what_the_slow_broker_has_not_taken_in_time_is_spooled_besides_and_told_once() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(5);
    push(&mut rig, 1, 1);
    rig.to(11);
    assert_eq!(rig.answers, []);
    rig.to(13);
    assert_eq!(rig.answers, good(1..2));
    assert_eq!(rig.spool.records.len(), 1);
    rig.to(60);
    assert_eq!(told(&rig), [1]);
    assert!(rig.spool.records.is_empty());
}

#[test]
fn without_a_broker_messages_are_spooled_and_come_in_order_when_it_is_back() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(11);
    for n in 1..=10 {
        push(&mut rig, n, n);
    }
    rig.to(12);
    assert_eq!(rig.answers, good(1..11));
    assert_eq!(rig.spool.records.len(), 10);
    rig.broker.up = true;
    rig.to(60);
    assert_eq!(told(&rig), (1..=10).collect::<Vec<_>>());
    assert!(rig.spool.records.is_empty());
    let listed = rig.json("sns/messages");
    assert_eq!(listed["messages"][0]["message"]["n"], 10);
}

#[test]
fn while_older_messages_wait_new_ones_go_behind_them() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(11);
    (1..=9).for_each(|n| push(&mut rig, n, n));
    rig.to(12);
    rig.broker.up = true;
    rig.broker.gap = Duration::from_millis(300);
    rig.to(45);
    (10..=12).for_each(|n| push(&mut rig, n, n));
    rig.to(200);
    assert_eq!(told(&rig), (1..=12).collect::<Vec<_>>());
    assert_eq!(rig.answers, good(1..13));
}

#[test]
fn a_full_disk_without_a_broker_refuses_so_that_the_message_comes_again() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.up = false;
    rig.spool.full = true;
    rig.lose_broker();
    rig.to(11);
    push(&mut rig, 1, 1);
    rig.to(12);
    assert_eq!(rig.answers, [(1, Some(Reason::Busy))]);
    assert!(rig.log.iter().any(|line| line.contains("the disk is full")));
    rig.spool.full = false;
    push(&mut rig, 2, 1);
    rig.to(13);
    assert_eq!(rig.answers[1], (2, None));
    rig.broker.up = true;
    rig.to(60);
    assert_eq!(told(&rig), [1]);
    let refused = &rig.json("agent/stats")["sns"];
    assert!(refused["rejected"].is_object());
}

#[test]
fn after_a_crash_what_was_answered_and_not_taken_is_told() {
    for crash_after_ms in [0, 5, 19, 21, 500, 1999, 2015, 2030] {
        let mut rig = rig();
        rig.to(10);
        rig.broker.delay = Duration::from_secs(5);
        (1..=5).for_each(|n| push(&mut rig, n, n));
        rig.run_for(Duration::from_millis(crash_after_ms));
        let answered: Vec<u64> = rig.answers.iter().map(|(delivery, _)| *delivery).collect();

        let mut next = self::rig();
        next.broker.retained = rig.broker.retained.clone();
        next.spool = rig.spool.clone();
        next.to(120);
        let told = told(&next);
        for n in &answered {
            assert!(told.contains(n), "{n} after {crash_after_ms} ms: {told:?}");
        }
        // AWS comes again with what it does not know to be safe, and with the rest as well.
        (1..=5).for_each(|n| push(&mut next, n, n));
        next.to(180);
        let mut told = self::told(&next);
        told.sort_unstable();
        assert_eq!(told, [1, 2, 3, 4, 5], "after {crash_after_ms} ms");
        assert!(next.spool.records.is_empty());
    }
}

#[test]
fn what_ends_five_sessions_is_set_aside_and_the_rest_gets_through() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.poison = Some(r#"{"n":2}"#.to_owned());
    (1..=4).for_each(|n| push(&mut rig, n, n));
    rig.to(300);
    assert_eq!(rig.answers.len(), 4);
    assert!(rig.answers.iter().all(|(_, refused)| refused.is_none()));
    assert_eq!(rig.spool.aside.len(), 1);
    let mut told = told(&rig);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, [1, 3, 4]);
    assert!(rig.spool.records.is_empty());
    assert!(rig.log.iter().any(|line| line.contains("set aside")));
}

#[test]
fn a_confirmation_is_answered_when_aws_has_taken_it() {
    let mut rig = rig();
    rig.to(10);
    assert_eq!(rig.json(SUBSCRIPTION)["state"], "waiting");
    let confirm = |rig: &mut Rig, delivery| {
        rig.handle(Event::Push(Push::Confirm {
            delivery: DeliveryId::Request(delivery),
            message_id: id(1),
            topic_arn: TOPIC.into(),
            token: ConfirmToken("secret".into()),
        }));
    };
    let answer = |rig: &mut Rig, result| {
        rig.handle(Event::Confirmed {
            message_id: id(1),
            topic_arn: TOPIC.into(),
            result,
        });
    };
    confirm(&mut rig, 1);
    assert_eq!(rig.confirming, [TOPIC]);
    let fault = Fault::new(FaultKind::Network, "no way", "");
    answer(&mut rig, Err(fault));
    rig.to(19);
    assert_eq!(rig.answers, [(1, Some(Reason::Busy))]);
    assert!(rig.confirming.len() > 1, "it is tried again");
    confirm(&mut rig, 2);
    answer(&mut rig, Ok(format!("{TOPIC}:1")));
    confirm(&mut rig, 3);
    assert_eq!(rig.answers[1..], good(2..4));
    rig.to(21);
    let shown = rig.json(SUBSCRIPTION);
    assert_eq!(shown["state"], "confirmed");
    assert_eq!(shown["subscription_arn"], format!("{TOPIC}:1"));
    assert!(!rig.log.join("\n").contains("secret"));
}

#[test]
fn a_removed_subscription_says_so() {
    let mut rig = rig();
    rig.to(10);
    push(&mut rig, 1, 1);
    rig.to(12);
    rig.handle(Event::Push(Push::Ended {
        delivery: DeliveryId::Request(2),
        message_id: id(2),
        topic_arn: TOPIC.into(),
    }));
    rig.to(13);
    assert_eq!(rig.answers, good(1..3));
    assert_eq!(rig.json(SUBSCRIPTION)["state"], "unsubscribed");
    assert!(rig.log.iter().any(|line| line.contains("removed")));
}

#[test]
fn refusals_are_counted_shown_and_logged_once_an_hour() {
    let mut rig = rig();
    rig.to(10);
    let refuse = |rig: &mut Rig, reason, topic: Option<&str>| {
        let topic_arn = topic.map(str::to_owned);
        let count = 2;
        rig.handle(Event::Refused(vec![Refusals {
            via: Via::Sns,
            reason,
            topic_arn,
            count,
            example: None,
        }]));
    };
    refuse(&mut rig, Reason::Signature, Some(TOPIC));
    refuse(&mut rig, Reason::Topic, None);
    refuse(&mut rig, Reason::Method, None);
    refuse(&mut rig, Reason::Signature, Some(TOPIC));
    rig.to(60);
    let lines = |rig: &Rig| {
        let of_reason = rig.log.iter().filter(|line| line.contains("(signature)"));
        of_reason.cloned().collect::<Vec<_>>()
    };
    assert_eq!(lines(&rig).len(), 1);
    rig.to(3599);
    assert_eq!(lines(&rig).len(), 1);
    rig.to(3610);
    assert_eq!(lines(&rig).len(), 2);
    let shown = rig.json(SUBSCRIPTION);
    assert_eq!(
        (&shown["rejected"], &shown["last_rejection"]),
        (&6.into(), &"signature".into())
    );
    let stats = &rig.json("agent/stats")["sns"];
    assert_eq!(stats["rejected"]["signature"], 4);
    assert_eq!(stats["rejected"]["method"], 2);
}

#[test]
fn the_list_and_the_counts_survive_a_restart_and_so_do_repeats() {
    let mut rig = rig();
    rig.to(10);
    (1..=25).for_each(|n| push(&mut rig, n, n));
    rig.to(20);
    let listed = rig.json("sns/messages");
    assert_eq!(listed["messages"].as_array().unwrap().len(), 20);
    let mut next = self::rig();
    next.broker.retained = rig.broker.retained.clone();
    next.to(10);
    assert_eq!(next.json("sns/messages"), listed);
    assert_eq!(next.json(SUBSCRIPTION)["accepted"], 25);
    push(&mut next, 1, 25);
    push(&mut next, 2, 26);
    next.to(12);
    assert_eq!(next.answers, good(1..3));
    assert_eq!(told(&next), [26]);
    assert_eq!(next.json(SUBSCRIPTION)["accepted"], 26);
}

#[test]
fn a_stop_answers_what_is_not_safe_so_that_it_comes_again() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(1);
    push(&mut rig, 1, 1);
    rig.handle(Event::Stop);
    push(&mut rig, 2, 2);
    let busy = Some(Reason::Busy);
    assert_eq!(rig.answers, [(1, busy), (2, busy)]);
    rig.to(20);
    assert!(rig.finished);
}

#[test]
fn news_wake_a_poll_at_most_every_ten_seconds() {
    let mut rig = rig();
    let polls = |rig: &Rig| rig.region.polls[&Kind::Inventory].len();
    rig.to(181);
    let before = polls(&rig);
    for n in 1..=8 {
        push(&mut rig, n, n);
        rig.to(181 + n);
    }
    rig.to(200);
    assert_eq!(polls(&rig) - before, 2);
}

/// The notification of an alarm that changed at a second after the start.
fn alarm_notice(n: u64, arn: &str, from: &str, to: &str, second: i64) -> Notice {
    let mut parts = arn.split(':').skip(3).map(str::to_owned);
    let alarm = PushedAlarm {
        name: arn.rsplit(':').next().unwrap().into(),
        arn: arn.to_owned(),
        region: parts.next(),
        account_id: parts.next(),
        kind: AlarmKind::Metric,
        state: to.into(),
        previous_state: Some(from.into()),
        reason: Some("Because.".into()),
        description: None,
        changed_at: START.plus_ms(second * 1000),
        namespace: None,
        metric: None,
        dimensions: vec![("Channel".into(), "a".into())],
        threshold: None,
        comparison: None,
    };
    Notice {
        meaning: Meaning::Alarm(Box::new(alarm)),
        ..notice(n)
    }
}

const OURS: &str = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:x";
const THEIRS: &str = "arn:aws:cloudwatch:eu-central-1:999999999999:alarm:x";

#[test]
fn an_alarm_that_is_pushed_counts_for_its_channel_and_each_change_is_one_event() {
    let mut rig = rig();
    rig.to(10);
    push_notice(&mut rig, 1, alarm_notice(1, OURS, "OK", "ALARM", 9));
    // EventBridge tells the same; and a straggler tells what was before.
    push_notice(&mut rig, 2, alarm_notice(2, OURS, "OK", "ALARM", 9));
    push_notice(&mut rig, 3, alarm_notice(3, OURS, "ALARM", "OK", 5));
    rig.to(12);
    assert_eq!(rig.answers, good(1..4));
    assert_eq!(rig.events("alarm"), ["x OK>ALARM"]);
    assert_eq!(rig.json("alarm/x")["state"], "ALARM");
    assert_eq!(rig.json("alarm/x")["source"], "sns");
    assert_eq!(rig.json("channel/a/health")["health"], "critical");
    assert_eq!(rig.json("summary")["alarms_active"], 1);
    assert_eq!(
        rig.messages("event/alarm")[0]["detail"]["reason"],
        "Because."
    );
}

#[test]
fn anothers_alarm_has_a_topic_of_its_own_and_nobodys_channel() {
    let mut rig = rig();
    rig.to(10);
    push_notice(&mut rig, 1, alarm_notice(1, THEIRS, "OK", "ALARM", 9));
    rig.to(12);
    let theirs = rig.json("alarm/x@999999999999.eu-central-1");
    assert_eq!(theirs["state"], "ALARM");
    assert_eq!(theirs["channel_id"], Value::Null);
    assert_eq!(rig.json("alarm/x"), Value::Null);
    let reasons = rig.json("summary")["reasons"].to_string();
    assert!(reasons.contains("Alarm x is in ALARM."), "{reasons}");
    assert_ne!(rig.json("channel/a/health")["health"], "critical");
}

#[test]
fn what_came_before_the_account_was_known_is_sorted_when_it_is() {
    let mut rig = rig();
    rig.region.faults.insert(
        Kind::Inventory,
        Fault::new(FaultKind::Network, "no way", ""),
    );
    rig.to(10);
    push_notice(&mut rig, 1, alarm_notice(1, THEIRS, "OK", "ALARM", 9));
    rig.to(12);
    assert_eq!(rig.json("alarm/x")["state"], "ALARM");
    rig.region.faults.clear();
    rig.to(100);
    assert_eq!(rig.json("alarm/x"), Value::Null);
    assert_eq!(
        rig.json("alarm/x@999999999999.eu-central-1")["state"],
        "ALARM"
    );
}

#[test]
fn an_alarm_that_no_poll_shows_is_kept_for_a_day() {
    let mut rig = rig();
    rig.to(10);
    push_notice(&mut rig, 1, alarm_notice(1, OURS, "OK", "ALARM", 9));
    rig.minutes(23 * 60);
    assert_eq!(rig.json("alarm/x")["listed"], false);
    rig.minutes(2 * 60);
    assert_eq!(rig.json("alarm/x"), Value::Null);
}

#[test]
fn an_alarm_left_out_by_the_config_is_a_message_and_no_more() {
    let mut rig = Rig::with(live(&["a"]), |settings| {
        settings.topic_arns = vec![TOPIC.into()];
        settings.listens = true;
        settings.wish.alarm_exclude = vec![Glob::new("x")];
    });
    rig.to(10);
    push_notice(&mut rig, 1, alarm_notice(1, OURS, "OK", "ALARM", 9));
    rig.to(12);
    assert_eq!(rig.answers, good(1..2));
    assert_eq!(rig.messages("sns/message").len(), 1);
    assert!(rig.events("alarm").is_empty());
    assert_eq!(rig.json("alarm/x"), Value::Null);
}
