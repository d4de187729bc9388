//! When AWS is asked.

use super::rig::settings;
use super::*;
use crate::state::time::UnixMs;

/// Seconds between polls of one kind, in tenths.
fn gaps(polls: &[UnixMs]) -> Vec<i64> {
    polls.windows(2).map(|w| (w[1].0 - w[0].0) / 100).collect()
}

#[test]
fn the_first_poll_is_at_once_and_the_next_at_a_phase_of_its_own() {
    let mut firsts = Vec::new();
    for seed in 0..10 {
        let mut rig = Rig::with(live(&["c1"]), |s| s.seed = seed);
        rig.to(400);
        let polls = rig.region.polls(Kind::Inventory);
        assert!(polls[0].0 - rig::START.0 < 1000, "{polls:?}");
        let gaps = gaps(polls);
        assert!((299..=600).contains(&gaps[0]), "{gaps:?}");
        assert!(gaps[1..].iter().all(|gap| *gap == 600), "{gaps:?}");
        firsts.push(gaps[0]);
    }
    firsts.sort();
    firsts.dedup();
    assert!(firsts.len() > 5, "phases differ: {firsts:?}");
}

#[test]
fn an_api_that_is_not_asked_for_is_not_asked() {
    let mut rig = Rig::with(live(&["c1"]), |s| s.apis.clear());
    rig.broker
        .retained
        .insert("mp/x/channel/old/metrics".into(), "{}".into());
    rig.to(3600);
    assert!(rig.region.polls(Kind::Inventory).is_empty());
    assert!(rig.region.polls(Kind::Metrics).is_empty());
    assert!(!rig.region.polls(Kind::Alarms).is_empty());
    assert_eq!(rig.json("agent")["health"], "ok");
    assert_eq!(rig.json("agent")["sources"]["mediapackage"]["state"], "off");
    assert!(
        !rig.holds("channel/old"),
        "what was watched before is swept"
    );
}

#[test]
fn failed_polls_are_tried_again_ever_more_slowly_up_to_the_interval() {
    for kind in [Kind::Inventory, Kind::Metrics, Kind::Alarms] {
        let mut rig = Rig::new(settings(), live(&["c1"]));
        rig.region.fail(kind);
        rig.to(7200);
        let gaps = gaps(rig.region.polls(kind));
        let interval = if kind == Kind::Metrics { 3000 } else { 600 };
        assert!(gaps[0] < 60, "{kind:?}: {gaps:?}");
        let limit = interval + 10;
        assert!(gaps.iter().all(|gap| *gap <= limit), "{kind:?}: {gaps:?}");
        let late = &gaps[8..];
        let slow = late.iter().all(|gap| *gap >= interval / 2);
        assert!(slow, "{kind:?}: {gaps:?}");
    }
}

#[test]
fn a_day_takes_no_more_wakings_than_it_has_reasons() {
    type Arrange = fn(&mut Rig);
    let cases: [(&str, Arrange); 4] = [
        ("all is well", |_| {}),
        ("no broker", |rig| rig.broker.up = false),
        ("nothing works", |rig| {
            for kind in [Kind::Inventory, Kind::Metrics, Kind::Alarms, Kind::Series] {
                rig.region.fail(kind);
            }
        }),
        ("slow broker", |rig| rig.broker.gap = Duration::from_secs(1)),
    ];
    for (name, arrange) in cases {
        let mut rig = Rig::new(settings(), live(&["c1", "c2"]));
        arrange(&mut rig);
        rig.to(86_400);
        // A look at what changes by time each five seconds, and a few for each poll.
        assert!(rig.ticks < 86_400 / 5 + 10_000, "{name}: {}", rig.ticks);
    }
}

#[test]
fn a_stop_does_not_spin_while_it_waits_for_the_broker() {
    // Some of these moments are just before a poll is due.
    for second in 30..62 {
        let mut rig = Rig::new(settings(), live(&["c1"]));
        rig.to(second);
        rig.broker.delay = Duration::from_secs(3600);
        let before = rig.ticks;
        rig.handle(crate::engine::Event::Stop);
        rig.to(120);
        assert!(rig.finished);
        let ticks = rig.ticks - before;
        assert!(ticks < 5, "{ticks} when stopped after {second} s");
    }
}

#[test]
fn a_clock_before_the_programs_date_is_told_once_and_waited_out() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.wall_error_ms = -20 * 365 * 86_400_000;
    rig.to(600);
    assert!(rig.region.polls.is_empty());
    let told = rig.log.iter().filter(|line| line.contains("clock shows"));
    assert_eq!(told.count(), 1);
    assert_eq!(rig.json("agent")["health"], "failing");
    assert_eq!(rig.json("source/mediapackage"), "offline");
    assert!(rig.ticks < 1300, "{}", rig.ticks);
    rig.wall_error_ms = 0;
    rig.to(605);
    assert_eq!(rig.json("agent")["health"], "ok");
    assert_eq!(rig.json("agent")["started_at"], "2026-11-22T10:10:00Z");
    assert_eq!(rig.json("source/mediapackage"), "online");
    assert!(rig.holds("channel/c1/metrics"));
}

#[test]
fn without_tls_a_wrong_clock_stops_nothing() {
    let mut rig = Rig::with(live(&["c1"]), |s| s.needs_clock = false);
    rig.wall_error_ms = -20 * 365 * 86_400_000;
    rig.to(10);
    assert!(rig.holds("channel/c1/metrics"));
    let shown = rig.json("channel/c1/metrics");
    assert_eq!(shown["timestamp"], rig::time_of(-4));
    assert_eq!(shown["state"], "current");
}

#[test]
fn a_clock_that_goes_wrong_while_minutes_are_under_way_wakes_nobody() {
    let mut rig = Rig::new(settings(), live(&["c1", "c2"]));
    rig.to(600);
    rig.broker.gap = Duration::from_secs(120);
    while rig.engine.outbox.points_in_flight() == 0 {
        rig.minutes(1);
    }
    rig.wall_error_ms = -20 * 365 * 86_400_000;
    let before = rig.ticks;
    rig.minutes(60);
    assert!(rig.ticks - before < 3600 + 800, "{}", rig.ticks - before);
    rig.wall_error_ms = 0;
    rig.broker.gap = Duration::ZERO;
    rig.lose_broker();
    rig.minutes(10);
    assert_eq!(rig.json("agent")["health"], "ok");
}
