//! Whose the topics are, what is taken up, what is swept.

use super::rig::settings;
use super::*;
use crate::engine::{Event, Settings};
use crate::state::logbook::CHANGES_MAX;

/// A broker that holds what `before` left, with `after` started on it.
fn succeed(before: Rig, mut after: Rig) -> Rig {
    after.broker.retained = before.broker.retained;
    after
}

/// A broker that holds the picture of the agent `id` and account `account`, online.
fn held_by(id: &str, account: &str, region: Region, change: impl FnOnce(&mut Settings)) -> Rig {
    let mut rig = Rig::with(region, change);
    let agent = format!("{{\"agent_id\":\"{id}\",\"account_id\":\"{account}\"}}");
    rig.broker.retained.insert("mp/x/agent".into(), agent);
    rig.broker
        .retained
        .insert("mp/x/status".into(), "online".into());
    rig
}

/// The account of the rig's channels.
const ACCOUNT: &str = "123456789012";

#[test]
fn a_live_agent_on_our_prefix_is_left_alone() {
    let mut rig = held_by("other", ACCOUNT, live(&["c1"]), |_| {});
    let before = rig.broker.retained.clone();
    rig.to(119);
    assert_eq!(rig.refusal, None);
    rig.to(130);
    let refusal = rig.refusal.clone().expect("refused");
    assert!(
        refusal.contains("instance = ") && refusal.contains("--take-over"),
        "{refusal}"
    );
    assert!(rig.broker.log.is_empty(), "nothing was published");
    assert_eq!(rig.broker.retained, before);
}

#[test]
fn an_agent_that_is_gone_or_is_us_or_shall_go_does_not_stop_us() {
    let cases: [(&str, Rig, u64); 4] = [
        (
            "our own will has not come yet",
            held_by("a", ACCOUNT, live(&["c1"]), |_| {}),
            5,
        ),
        (
            "--take-over",
            held_by("other", ACCOUNT, live(&["c1"]), |s| s.take_over = true),
            5,
        ),
        (
            "--take-over",
            held_by("other", "999", live(&["c1"]), |s| s.take_over = true),
            5,
        ),
        (
            "its will comes",
            held_by("other", ACCOUNT, live(&["c1"]), |_| {}),
            70,
        ),
    ];
    for (name, mut rig, seconds) in cases {
        rig.to(if seconds > 60 { 60 } else { 0 });
        if seconds > 60 {
            assert!(rig.broker.log.is_empty(), "{name}");
            rig.broker
                .retained
                .insert("mp/x/status".into(), "offline".into());
        }
        rig.to(seconds);
        assert_eq!(rig.refusal, None, "{name}");
        assert!(rig.holds("channel/c1"), "{name}");
        assert_eq!(rig.json("agent")["agent_id"], "a", "{name}");
    }
}

#[test]
fn the_picture_of_another_account_is_not_painted_over() {
    let mut before = Rig::new(settings(), live(&["theirs"]));
    before.to(400);
    before.handle(Event::Stop);
    before.minutes(1);
    let agent = before
        .broker
        .retained
        .get_mut("mp/x/agent")
        .expect("an agent");
    *agent = agent.replace(ACCOUNT, "999999999999");
    let kept = before.broker.retained.clone();
    let mut rig = succeed(before, Rig::new(settings(), live(&["ours"])));
    rig.to(600);
    let refusal = rig.refusal.clone().expect("refused");
    assert!(
        refusal.contains("999999999999") && refusal.contains(ACCOUNT),
        "{refusal}"
    );
    assert!(!rig.holds("channel/ours"));
    let theirs = |topic: &&String| topic.contains("/theirs");
    assert!(kept.keys().filter(theirs).count() >= 3);
    for topic in kept.keys().filter(theirs) {
        assert_eq!(rig.broker.retained.get(topic), kept.get(topic), "{topic}");
    }
}

#[test]
fn strays_go_once_their_source_has_had_two_complete_polls() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    let strays = [
        "mp/x/channel/gone",
        "mp/x/channel/gone/health",
        "mp/x/channel/gone/metrics",
        "mp/x/endpoint/gone/metrics",
        "mp/x/alarm/gone",
        "mp/x/sns/messages",
        "mp/x/anything/else/at/all",
        "mp/x/channel/c1/point",
    ];
    let others = [
        "mp/x/command/refresh",
        "mp/y/status",
        "homeassistant/device/y/a/config",
        "x",
    ];
    for topic in strays.iter().chain(&others) {
        rig.broker
            .retained
            .insert((*topic).into(), "garbage".into());
    }
    rig.region.fail(Kind::Inventory);
    rig.region.fail(Kind::Alarms);
    rig.to(600);
    let there = |rig: &Rig, topic: &str| rig.broker.retained.contains_key(topic);
    for topic in &strays[..5] {
        assert!(there(&rig, topic), "{topic} waits for its source");
    }
    for topic in &strays[5..] {
        assert!(!there(&rig, topic), "{topic} has no source");
    }
    rig.region.heal(Kind::Inventory);
    rig.region.heal(Kind::Alarms);
    rig.to(1500);
    for topic in strays {
        assert!(!there(&rig, topic), "{topic}");
    }
    for topic in others {
        assert!(there(&rig, topic), "{topic}");
    }
    assert!(there(&rig, "mp/x/channel/c1/metrics"));
}

#[test]
fn a_restart_goes_on_where_the_last_run_ended_also_when_the_broker_comes_late() {
    for broker_comes_after in [0, 900] {
        let mut before = Rig::new(settings(), live(&["c1"]));
        before.to(3600);
        let told = before.points("channel/c1/point");
        before.handle(Event::Stop);
        before.minutes(1);
        let mut after = succeed(before, Rig::new(settings(), live(&["c1"])));
        // The rig's clocks begin anew, so the second run begins an hour and a half later.
        after.broker.up = broker_comes_after == 0;
        after.skip(Duration::from_secs(5400));
        after.to(5400 + broker_comes_after);
        after.broker.up = true;
        after.to(5400 + broker_comes_after + 600);
        let again = after.points("channel/c1/point");
        let minute = |point: Option<&String>| point.and_then(|p| p.parse::<i64>().ok());
        let (last, first) = (minute(told.last()), minute(again.first()));
        assert_eq!(first, last.map(|last| last + 1), "{told:?} then {again:?}");
        assert!(
            again.len() > 30,
            "the minutes of the pause came too: {again:?}"
        );
    }
}

#[test]
fn what_was_to_be_swept_and_came_back_while_the_broker_was_away_stays() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    let old = "mp/x/channel/c2".to_owned();
    rig.broker.retained.insert(old, "{}".to_owned());
    rig.region.fail(Kind::Inventory);
    rig.to(30);
    rig.broker.up = false;
    rig.lose_broker();
    // Two complete listings lack it, and then it is there.
    rig.region.heal(Kind::Inventory);
    rig.to(300);
    rig.region.add_live("c2", ALWAYS);
    rig.to(500);
    rig.broker.up = true;
    rig.to(1000);
    assert_eq!(rig.json("channel/c2")["id"], "c2");
}

#[test]
fn minutes_asked_for_before_the_store_could_be_read_do_not_overtake_those_before() {
    for broker_comes_after in (600..660).step_by(6) {
        let mut before = Rig::new(settings(), live(&["c1"]));
        before.to(3600);
        let mut minutes = before.points("channel/c1/point");
        let changed = |s: &mut Settings| s.wish.metrics_interval = Duration::from_secs(60);
        let mut after = succeed(before, Rig::with(live(&["c1"]), changed));
        after.slow = Some((Kind::Metrics, Duration::from_secs(30)));
        after.broker.up = false;
        after.skip(Duration::from_secs(5400));
        after.to(5400 + broker_comes_after);
        after.broker.up = true;
        after.to(5400 + broker_comes_after + 300);
        minutes.extend(after.points("channel/c1/point"));
        let minutes: Vec<i64> = minutes.iter().filter_map(|p| p.parse().ok()).collect();
        let gaps: Vec<_> = minutes.windows(2).filter(|w| w[1] != w[0] + 1).collect();
        assert!(gaps.is_empty(), "after {broker_comes_after} s: {gaps:?}");
    }
}

#[test]
fn a_restart_with_a_clock_that_is_not_set_yet_misses_no_minute_and_no_pushed_alarm() {
    let pushed = "{\"name\":\"told\",\"arn\":\"a\",\"type\":\"metric\",\"state\":\"ALARM\",\
                  \"updated_at\":\"2026-11-22T09:59:00.000Z\",\"dimensions\":{},\
                  \"listed\":false,\"source\":\"sns\"}";
    // Never set since 1970, an hour slow, and right.
    for error_ms in [-rig::START.0, -3_600_000, 0] {
        let mut before = Rig::new(settings(), live(&["c1"]));
        before.to(3600);
        let told = before.points("channel/c1/point");
        let mut after = succeed(before, Rig::new(settings(), live(&["c1"])));
        let alarm = "mp/x/alarm/told".to_owned();
        after.broker.retained.insert(alarm, pushed.to_owned());
        after.skip(Duration::from_secs(3610));
        after.wall_error_ms = error_ms;
        after.to(4200);
        after.wall_error_ms = 0;
        after.to(4800);
        let again = after.points("channel/c1/point");
        let minute = |point: Option<&String>| point.and_then(|p| p.parse::<i64>().ok());
        let (last, first) = (minute(told.last()), minute(again.first()));
        assert_eq!(
            first,
            last.map(|last| last + 1),
            "{error_ms}: {told:?}, {again:?}"
        );
        assert!(again.len() > 10, "{error_ms}: {again:?}");
        assert_eq!(
            after.json("alarm/told")["state"],
            "ALARM",
            "{error_ms} ms off"
        );
    }
}

#[test]
fn a_change_that_a_poll_showed_before_the_store_could_be_read_is_told() {
    let rows = |state: &str, seconds: i64| {
        let mut region = live(&["c1"]);
        let at = rig::START.plus_ms(seconds * 1000);
        region.alarms.push(region::alarm("a1", state, at));
        region.alarms.push(region::alarm("same", "OK", rig::START));
        region
    };
    for (broker_comes_after, state, wanted) in [
        (0, "ALARM", &["a1 OK>ALARM"][..]),
        (600, "ALARM", &["a1 OK>ALARM"]),
        (600, "OK", &[]),
    ] {
        let mut before = Rig::new(settings(), rows("OK", 0));
        before.to(300);
        let mut after = succeed(before, Rig::new(settings(), rows(state, 400)));
        after.skip(Duration::from_secs(500));
        after.broker.up = broker_comes_after == 0;
        after.to(500 + broker_comes_after);
        after.broker.up = true;
        after.to(1500);
        assert_eq!(
            after.events("alarm"),
            wanted,
            "{broker_comes_after} {state}"
        );
        assert_eq!(after.json("alarm/a1")["state"], state);
        let previous = after.json("alarm/a1")["previous_state"].clone();
        assert_eq!(previous == "OK", !wanted.is_empty());
    }
}

#[test]
fn the_store_never_shows_a_minute_whose_points_are_still_to_come() {
    // The broker is away for polls, comes back, and the agent is killed at any moment then.
    for killed_after in [0, 1, 2, 5, 30, 200, 400] {
        let mut before = Rig::new(settings(), live(&["c1"]));
        before.to(3600);
        before.broker.up = false;
        before.lose_broker();
        before.to(5000);
        before.broker.up = true;
        before.to(5040 + killed_after);
        let told = before.points("channel/c1/point");
        let mut after = succeed(before, Rig::new(settings(), live(&["c1"])));
        after.skip(Duration::from_secs(5460));
        after.to(6200);
        let mut minutes: Vec<i64> = told.iter().filter_map(|p| p.parse().ok()).collect();
        minutes.extend(
            after
                .points("channel/c1/point")
                .iter()
                .filter_map(|p| p.parse::<i64>().ok()),
        );
        let gaps: Vec<_> = minutes.windows(2).filter(|w| w[1] != w[0] + 1).collect();
        assert!(gaps.is_empty(), "killed after {killed_after} s: {gaps:?}");
        assert!(minutes.len() > 80, "{minutes:?}");
    }
}

#[test]
fn a_poll_at_start_waits_a_moment_for_the_broker_and_no_longer() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.broker.up = false;
    rig.to(4);
    assert!(rig.region.polls(Kind::Metrics).is_empty());
    rig.to(8);
    assert_eq!(rig.region.polls(Kind::Metrics).len(), 1);
}

#[test]
fn alarms_are_taken_up_and_a_poll_overrides_them() {
    let mut before = Rig::new(settings(), live(&["c1"]));
    before
        .region
        .alarms
        .push(region::alarm("a1", "ALARM", rig::START.plus_ms(-60_000)));
    before
        .region
        .alarms
        .push(region::alarm("a2", "OK", rig::START.plus_ms(-60_000)));
    before.to(300);
    let mut region = live(&["c1"]);
    region
        .alarms
        .push(region::alarm("a1", "OK", rig::START.plus_ms(120_000)));
    region.fail(Kind::Alarms);
    let mut after = succeed(before, Rig::new(settings(), region));
    let poisoned = after
        .broker
        .retained
        .get_mut("mp/x/alarm/a1")
        .expect("an alarm");
    *poisoned = poisoned.replace("2026-", "2099-");
    after.to(400);
    assert_eq!(
        after.json("alarm/a1")["state"],
        "ALARM",
        "as it was last known"
    );
    after.region.heal(Kind::Alarms);
    after.to(1000);
    assert_eq!(after.json("alarm/a1")["state"], "OK");
    assert_eq!(after.json("alarm/a1")["previous_state"], "ALARM");
    assert!(!after.holds("alarm/a2"), "it went while nobody looked");
}

#[test]
fn an_alarm_that_no_poll_ever_showed_is_kept_for_a_day_and_only_where_push_brought_it() {
    let planted = |name: &str, source: &str, year: &str| {
        format!(
            "{{\"name\":\"{name}\",\"arn\":\"a\",\"type\":\"metric\",\"state\":\"ALARM\",\
             \"updated_at\":\"{year}-11-22T09:00:00.000Z\",\"dimensions\":{{\"Channel\":\"c1\"}},\
             \"channel_id\":\"c1\",\"listed\":false,\"source\":\"{source}\"}}"
        )
    };
    let mut rig = Rig::new(settings(), live(&["c1"]));
    let alarms = [
        ("ghost", planted("ghost", "poll", "2026")),
        ("pushed", planted("pushed", "sns", "2026")),
        ("pushed-2099", planted("pushed-2099", "sns", "2099")),
    ];
    for (name, payload) in alarms {
        rig.broker
            .retained
            .insert(format!("mp/x/alarm/{name}"), payload);
    }
    let many = (0..600).map(|n| (n, planted(&format!("m{n}"), "sqs", "2026")));
    for (n, payload) in many {
        rig.broker
            .retained
            .insert(format!("mp/x/alarm/m{n}"), payload);
    }
    rig.to(600);
    assert!(!rig.holds("alarm/ghost") && !rig.holds("alarm/pushed-2099"));
    let kept = |rig: &Rig| {
        let topics = rig.broker.retained.keys();
        topics.filter(|topic| topic.contains("/alarm/")).count()
    };
    assert_eq!(kept(&rig), 500);
    rig.to(23 * 3600);
    assert_eq!(kept(&rig), 500);
    rig.to(25 * 3600);
    assert_eq!(kept(&rig), 0);
    assert_eq!(rig.json("channel/c1/health")["alarms_active"], 0);
}

#[test]
fn another_client_with_our_id_makes_the_newcomer_go() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.to(3);
    for _ in 0..5 {
        rig.thrown_out();
    }
    let refusal = rig.refusal.clone().expect("refused");
    assert!(refusal.contains("client id"), "{refusal}");
    assert!(refusal.contains("The last time: no broker"), "{refusal}");

    let mut settled = Rig::new(settings(), live(&["c1"]));
    settled.to(60);
    for _ in 0..80 {
        settled.thrown_out();
    }
    assert_eq!(settled.refusal, None, "who was there first stays");
    let told = |rig: &Rig, words: &str| rig.log.iter().filter(|l| l.contains(words)).count();
    assert_eq!(told(&settled, "another client has the same client id"), 1);
    let lines = told(&settled, "mqtt: ");
    assert!(lines <= CHANGES_MAX as usize + 4, "{:?}", settled.log);
}

#[test]
fn who_is_let_in_and_thrown_out_again_and_again_comes_back_ever_more_slowly() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.to(60);
    let mut waits = Vec::new();
    for _ in 0..18 {
        waits.push(rig.thrown_out());
    }
    // Another client with our id has given up by then.
    assert!(waits[..10].iter().all(|wait| *wait <= 3), "{waits:?}");
    assert!(waits[16..].iter().all(|wait| *wait >= 15), "{waits:?}");
    // A session that held makes up for it.
    let now = rig.now().mono.0.as_secs();
    rig.to(now + 60);
    assert!(rig.thrown_out() <= 3);
}

#[test]
fn what_is_left_out_for_its_size_is_no_fault_of_the_broker() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.region.alarms.push(crate::state::polled::PolledAlarm {
        description: Some("x".repeat(130_000)),
        ..region::alarm("big", "OK", rig::START)
    });
    rig.to(10);
    // The next session's reading of the store comes when all is there.
    rig.lose_broker();
    rig.to(600);
    let told = |what: &str| rig.log.iter().filter(|line| line.contains(what)).count();
    assert!(told("alarm/big is left out") > 0, "{:?}", rig.log);
    assert_eq!(told("does not keep"), 0, "{:?}", rig.log);
    assert!(!rig.holds("alarm/big"));
}

#[test]
fn what_the_broker_did_not_keep_of_the_first_answers_is_named_too() {
    // It is connected, and holds all that is wanted so far, before AWS answers.
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.broker.refuses = Some("mp/x/channel/c1/health".into());
    rig.to(60);
    let named = |line: &&String| line.contains("does not keep") && line.contains("c1/health");
    assert_eq!(rig.log.iter().filter(named).count(), 1, "{:?}", rig.log);
}

#[test]
fn what_the_broker_does_not_keep_is_named_once() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.to(2);
    rig.broker.retained.remove("mp/x/channel/c1");
    rig.to(3);
    rig.lose_broker();
    rig.broker.up = true;
    rig.broker.refuses = Some("mp/x/channel/c1".into());
    rig.to(600);
    let named: Vec<_> = rig
        .log
        .iter()
        .filter(|line| line.contains("does not keep"))
        .collect();
    assert_eq!(named.len(), 1, "{:?}", rig.log);
    assert!(named[0].contains("mp/x/channel/c1"), "{named:?}");
}
