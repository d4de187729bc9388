//! Messages of the queue: published once, deleted when they are safe, left where they are while
//! they cannot be taken.

use super::push::{SUBSCRIPTION, TOPIC, id, notice, push_notice, told};
use super::rig::settings;
use super::*;
use crate::engine::queueing::Unfit;
use crate::engine::{Event, Settings};
use crate::state::alarms::Via;
use crate::state::push::{Meaning, Notice, Reason};

/// Of the config.
pub const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/edge";

pub fn queue_settings() -> Settings {
    Settings {
        topic_arns: vec![TOPIC.into()],
        queue_url: Some(QUEUE.into()),
        ..settings()
    }
}

pub fn rig() -> Rig {
    Rig::new(queue_settings(), live(&["a"]))
}

/// As the listener has it, by the queue.
pub fn queued(n: u64) -> Notice {
    Notice {
        via: Via::Sqs,
        ..notice(n)
    }
}

pub fn put(rig: &mut Rig, numbers: std::ops::RangeInclusive<u64>) {
    numbers.for_each(|n| rig.mail(Ok(queued(n))));
}

pub fn lose(rig: &mut Rig) {
    rig.broker.up = false;
    rig.lose_broker();
}

pub fn sorted(rig: &Rig) -> Vec<u64> {
    let mut told = told(rig);
    told.sort_unstable();
    told
}

#[test]
fn others_are_told_which_queue_it_takes_from() {
    let mut with = rig();
    let mut without = Rig::new(settings(), live(&["a"]));
    with.to(5);
    without.to(5);
    assert_eq!(with.json("agent")["queue"], QUEUE);
    let agent = without.json("agent");
    assert_eq!(agent.get("queue"), Some(&serde_json::Value::Null));
}

#[test]
fn an_empty_queue_is_asked_once_in_twenty_seconds_and_the_first_time_at_once() {
    let mut rig = rig();
    rig.to(5);
    assert_eq!(rig.json("source/sqs"), "online");
    assert_eq!((rig.mail.count("look"), rig.mail.count("receive")), (1, 1));
    rig.to(605);
    let asked = rig.mail.count("receive");
    assert!((29..=31).contains(&asked), "{asked}");
    assert_eq!(rig.mail.asked.len(), asked + 1);
    let stats = rig.json("agent/stats");
    assert_eq!(stats["sqs"]["accepted"], 0);
    // 37,050 of them in the rest of the month.
    let month = stats["cost"]["forecast_usd"].as_f64().unwrap();
    let mut without = Rig::new(settings(), live(&["a"]));
    without.to(605);
    let other = without.json("agent/stats")["cost"]["forecast_usd"].clone();
    let queue = month - other.as_f64().unwrap();
    assert!((queue - 0.0148).abs() < 0.0002, "{queue}");
}

#[test]
fn a_message_is_deleted_when_the_broker_has_taken_all_of_it_and_the_disk_is_spared() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(4);
    put(&mut rig, 1..=1);
    rig.to(13);
    assert_eq!(rig.mail.items.len(), 1, "it is not safe yet");
    rig.to(20);
    assert_eq!(told(&rig), [1]);
    assert!(rig.mail.items.is_empty());
    assert_eq!(rig.messages("sns/message")[0]["via"], "sqs");
    assert_eq!(rig.messages("event/input_switch")[0]["source"], "sqs");
    assert_eq!(rig.json(SUBSCRIPTION)["accepted"], 1);
    assert_eq!(rig.json(SUBSCRIPTION)["state"], "confirmed");
    rig.to(80);
    assert_eq!(rig.json("agent/stats")["sqs"]["accepted"], 1);
    assert_eq!(rig.json("agent/stats")["sns"]["accepted"], 0);
    assert_eq!(rig.spool.kept, []);
}

#[test]
fn many_messages_are_taken_and_deleted_by_tens() {
    let mut rig = rig();
    rig.to(10);
    put(&mut rig, 1..=100);
    rig.to(20);
    assert_eq!(told(&rig), (1..=100).collect::<Vec<_>>());
    assert!(rig.mail.items.is_empty());
    assert!((10..=12).contains(&rig.mail.count("delete")));
    assert_eq!(rig.mail.count("hide"), 0);
}

#[test]
fn while_the_broker_is_away_nothing_is_received_and_what_was_stays_hidden() {
    let mut rig = rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(60);
    put(&mut rig, 1..=3);
    rig.to(12);
    lose(&mut rig);
    put(&mut rig, 4..=9);
    let hour = 3600;
    rig.to(hour);
    let received = |rig: &Rig| -> Vec<u32> {
        let items = rig.mail.items.values();
        items.map(|item| item.received).collect()
    };
    // Each came once: the dead-letter queue is far.
    assert_eq!(received(&rig), [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    let hidden = rig.mail.count("hide");
    assert!((170..=185).contains(&hidden), "{hidden}");
    rig.broker.up = true;
    rig.broker.delay = Duration::from_millis(5);
    rig.to(hour + 60);
    assert_eq!(sorted(&rig), (1..=9).collect::<Vec<_>>());
    assert!(rig.mail.items.is_empty());
    assert_eq!(rig.spool.kept, []);
}

#[test]
fn what_a_long_poll_brings_without_a_broker_waits_in_order() {
    let mut rig = rig();
    rig.to(10);
    lose(&mut rig);
    // The receive that is under way cannot be called back.
    put(&mut rig, 1..=5);
    rig.to(300);
    assert_eq!(told(&rig), Vec::<u64>::new());
    assert_eq!(rig.mail.items[&1].received, 1);
    rig.broker.up = true;
    rig.to(360);
    assert_eq!(told(&rig), [1, 2, 3, 4, 5]);
    assert!(rig.mail.items.is_empty());
}

#[test]
fn what_cannot_be_hidden_any_more_comes_again_and_is_told_once() {
    let mut rig = rig();
    rig.to(10);
    lose(&mut rig);
    put(&mut rig, 1..=1);
    let half_a_day = 12 * 3600;
    rig.to(half_a_day + 600);
    let hidden = rig.mail.count("hide");
    rig.to(half_a_day + 1200);
    assert_eq!(rig.mail.count("hide"), hidden, "it is not asked for ever");
    rig.broker.up = true;
    rig.to(half_a_day + 1400);
    assert_eq!(told(&rig), [1]);
    assert!(rig.mail.items.is_empty());
}

#[test]
fn a_message_that_comes_by_both_ways_is_published_once() {
    for (first_by_queue, delay) in [(true, 5), (false, 5), (true, 700), (false, 700)] {
        let settings = Settings {
            listens: true,
            ..queue_settings()
        };
        let mut rig = Rig::new(settings, live(&["a"]));
        rig.to(10);
        rig.broker.delay = Duration::from_millis(delay);
        if first_by_queue {
            put(&mut rig, 1..=1);
            rig.run_for(Duration::from_millis(100));
            push_notice(&mut rig, 1, notice(1));
        } else {
            push_notice(&mut rig, 1, notice(1));
            put(&mut rig, 1..=1);
        }
        rig.to(20);
        assert_eq!(told(&rig), [1], "{first_by_queue} {delay}");
        assert_eq!(rig.answers, [(1, None)]);
        assert!(rig.mail.items.is_empty());
        let events = rig.messages("event/input_switch");
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn what_the_spool_keeps_of_the_other_way_is_safe_for_the_queue_too() {
    let settings = Settings {
        listens: true,
        ..queue_settings()
    };
    let mut rig = Rig::new(settings, live(&["a"]));
    rig.to(10);
    // In hand by the queue when the same comes over HTTP: AWS gets its answer in time.
    rig.broker.delay = Duration::from_secs(100);
    put(&mut rig, 1..=1);
    rig.run_for(Duration::from_millis(100));
    push_notice(&mut rig, 1, notice(1));
    rig.to(16);
    assert_eq!(rig.answers, [(1, None)]);
    assert_eq!(rig.spool.kept.len(), 1);
    assert!(rig.mail.items.is_empty(), "the spool has it");
    rig.broker.delay = Duration::from_millis(5);
    lose(&mut rig);
    rig.to(20);
    // On disk when it comes by the queue.
    push_notice(&mut rig, 2, notice(2));
    put(&mut rig, 2..=3);
    rig.broker.up = true;
    rig.to(120);
    assert_eq!(sorted(&rig), [1, 2, 3]);
    assert!(rig.mail.items.is_empty() && rig.spool.records.is_empty());
}

#[test]
fn what_is_not_ours_is_counted_shown_and_deleted_and_the_rest_goes_on() {
    let mut rig = rig();
    rig.to(10);
    let unfit = |reason, topic: Option<&str>| Unfit {
        reason,
        topic_arn: topic.map(str::to_owned),
        example: "message 7 of 9 bytes".into(),
    };
    rig.mail(Err(unfit(Reason::Malformed, None)));
    rig.mail(Ok(queued(1)));
    rig.mail(Err(unfit(Reason::Topic, None)));
    rig.mail(Err(unfit(Reason::Malformed, Some(TOPIC))));
    rig.mail(Ok(queued(2)));
    rig.to(60);
    let lines = rig.log.iter().filter(|line| line.contains("sqs: refused"));
    assert_eq!(lines.count(), 2);
    rig.to(3630);
    assert_eq!(told(&rig), [1, 2]);
    assert!(rig.mail.items.is_empty());
    let stats = rig.json("agent/stats");
    assert_eq!(stats["sqs"]["rejected"]["malformed"], 2);
    assert_eq!(stats["sqs"]["rejected"]["topic"], 1);
    assert_eq!(stats["sns"]["rejected"], serde_json::json!({}));
    let shown = rig.json(SUBSCRIPTION);
    assert_eq!(shown["rejected"], 3);
    assert_eq!(shown["last_rejection"], "malformed");
    let lines = rig.log.iter().filter(|line| line.contains("sqs: refused"));
    let lines: Vec<&String> = lines.collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].contains("the last was message 7 of 9 bytes"),
        "{lines:?}"
    );
}

#[test]
fn a_repeat_of_the_queue_is_deleted_and_not_published_again() {
    let mut rig = rig();
    rig.to(10);
    put(&mut rig, 1..=2);
    rig.to(12);
    put(&mut rig, 1..=2);
    rig.to(20);
    assert_eq!(told(&rig), [1, 2]);
    assert!(rig.mail.items.is_empty());
    // Within one receive too.
    put(&mut rig, 3..=3);
    put(&mut rig, 3..=3);
    rig.to(30);
    assert_eq!(told(&rig), [1, 2, 3]);
    assert!(rig.mail.items.is_empty());
}

#[test]
fn after_a_crash_what_was_not_deleted_comes_again() {
    for crash_after_ms in [0, 20, 31, 36, 45, 60, 90, 500] {
        for taken in [0, 1, 2, 100] {
            let mut rig = rig();
            rig.to(10);
            put(&mut rig, 1..=5);
            rig.run_for(Duration::from_millis(crash_after_ms));
            rig.crash(queue_settings(), taken, Duration::ZERO);
            rig.to(120);
            let mut told = sorted(&rig);
            told.dedup();
            assert_eq!(told, [1, 2, 3, 4, 5], "{crash_after_ms} ms, {taken} taken");
            assert!(rig.mail.items.is_empty());
        }
    }
}

#[test]
fn a_stop_deletes_what_is_safe_and_leaves_the_rest_in_the_queue() {
    let mut rig = rig();
    rig.to(10);
    rig.mail.delay = Duration::from_millis(400);
    put(&mut rig, 1..=3);
    // Received and published, and the delete is on its way.
    rig.run_for(Duration::from_millis(700));
    rig.handle(Event::Stop);
    rig.run_for(Duration::from_secs(5));
    assert!(rig.finished);
    assert_eq!(rig.json("status"), "offline");
    assert!(rig.mail.items.is_empty());

    let mut rig = self::rig();
    rig.to(10);
    rig.broker.delay = Duration::from_secs(3);
    put(&mut rig, 1..=3);
    rig.run_for(Duration::from_millis(100));
    rig.handle(Event::Stop);
    rig.run_for(Duration::from_secs(5));
    assert!(rig.finished);
    assert_eq!(rig.mail.items.len(), 3, "they come again");
}

#[test]
fn an_event_that_eventbridge_delivers_twice_is_one_event_whichever_way_it_comes() {
    let with_id = |n: u64, event: u64| {
        let mut notice = queued(n);
        if let Meaning::Event(told) = &mut notice.meaning {
            told.event_id = Some(id(event));
        }
        notice
    };
    let mut rig = rig();
    rig.to(10);
    // As two messages of SNS, at once and later; and put into the queue itself.
    rig.mail(Ok(with_id(1, 77)));
    rig.mail(Ok(with_id(2, 77)));
    rig.mail(Ok(with_id(3, 78)));
    rig.to(20);
    rig.mail(Ok(with_id(4, 77)));
    rig.to(40);
    assert_eq!(told(&rig), [1, 2, 3, 4]);
    assert_eq!(rig.messages("event/input_switch").len(), 2);
}

#[test]
fn a_stop_waits_for_what_the_broker_is_about_to_take() {
    for delay in [50, 300, 1500] {
        let mut rig = rig();
        rig.to(10);
        rig.broker.delay = Duration::from_millis(delay);
        put(&mut rig, 1..=10);
        rig.run_for(Duration::from_millis(60));
        rig.handle(Event::Stop);
        rig.run_for(Duration::from_secs(5));
        assert!(rig.finished, "{delay} ms");
        // Whatever was published is deleted, whatever was not is there.
        let published = told(&rig).len();
        assert_eq!(rig.mail.items.len() + published, 10, "{delay} ms");
        assert_eq!(published, 10, "{delay} ms");
    }
}

#[test]
fn messages_that_waited_for_us_know_their_channel() {
    let mut rig = rig();
    put(&mut rig, 1..=3);
    rig.to(60);
    let events = rig.messages("event/input_switch");
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["channel_id"] == "a"));
    // Without a listing they are not held back for ever.
    let mut rig = self::rig();
    rig.region.fail(Kind::Inventory);
    put(&mut rig, 1..=3);
    rig.to(60);
    assert_eq!(told(&rig), [1, 2, 3]);
}
