//! Which minute is shown, and which minutes go out as points.

use super::rig::{settings, time_of};
use super::*;

const POINT: &str = "channel/c1/point";
const METRICS: &str = "channel/c1/metrics";

/// Each of these minutes and maybe some after them went out once, in order, unrevised.
fn assert_each_minute_once(rig: &Rig, minutes: std::ops::Range<i64>) {
    let told = rig.points(POINT);
    let wanted: Vec<String> = (minutes.start..)
        .map(|m| m.to_string())
        .take(told.len())
        .collect();
    assert_eq!(told, wanted);
    assert!(told.len() as i64 >= minutes.end - minutes.start, "{told:?}");
}

#[test]
fn the_newest_settled_minute_is_shown_whatever_our_clock_says() {
    for hours in [0, 2, -2] {
        let mut rig = Rig::new(settings(), live(&["c1"]));
        rig.wall_error_ms = hours * 3_600_000;
        rig.to(30);
        let shown = rig.json(METRICS);
        assert_eq!(shown["timestamp"], time_of(-4), "{hours} hours off");
        assert_eq!(shown["state"], "current", "{hours} hours off");
        assert_eq!(shown["last_data_at"], time_of(-2), "{hours} hours off");
        assert_eq!(shown["ingress_bytes"], 6_000_000);
        let asked = &rig.region.asked[0];
        assert_eq!(asked.end.0, M0 + 1, "{hours} hours off");
        assert_eq!(rig.json("agent")["clock_offset_seconds"], -hours * 3600);
        assert_eq!(rig.points(POINT), ["-4"], "{hours} hours off");
    }
}

#[test]
fn our_clock_may_step_at_any_time_and_nobody_sees_it() {
    for step_hours in [2, -2, 24 * 400] {
        let mut rig = Rig::new(settings(), live(&["c1"]));
        // Between two polls, and long enough before the next to be looked at by timer.
        rig.to(610);
        rig.wall_error_ms = step_hours * 3_600_000;
        rig.region.fail(Kind::Inventory);
        rig.region.fail(Kind::Alarms);
        rig.to(3600);
        assert_each_minute_once(&rig, -4..50);
        let states = rig.messages(METRICS);
        let current = states.iter().all(|shown| shown["state"] == "current");
        assert!(current, "{step_hours} hours");
    }
}

#[test]
fn a_minute_on_its_way_to_a_slow_broker_is_not_sent_again_by_the_next_poll() {
    let mut rig = Rig::with(live(&["c1", "c2", "c3"]), |s| {
        s.wish.metrics_interval = Duration::from_secs(60);
    });
    rig.to(600);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(8000);
    rig.broker.up = true;
    // What is on its way takes a quarter of a minute, and all there is to catch up on longer
    // than the time to the next poll. A channel that comes meanwhile is asked for in that time.
    rig.broker.gap = Duration::from_millis(250);
    rig.to(8010);
    rig.region.add_live("c9", ALWAYS);
    rig.to(9000);
    for id in ["c1", "c2", "c3"] {
        let told = rig.points(&format!("channel/{id}/point"));
        let once: std::collections::BTreeSet<_> = told.iter().collect();
        assert_eq!(once.len(), told.len(), "{id}: {told:?}");
    }
}

#[test]
fn the_timestamp_never_goes_back_when_awss_clock_does() {
    let mut region = live(&["c1"]);
    region.feed(OF_5XX, ALWAYS, 1.0);
    let mut rig = Rig::new(settings(), region);
    rig.to(1200);
    // A front end of AWS tells a wrong Date for a while.
    rig.date_error_ms = -3_600_000;
    rig.to(2400);
    rig.date_error_ms = 0;
    rig.to(3600);
    let shown = rig.messages(METRICS);
    let minutes: Vec<i64> = shown
        .iter()
        .map(|m| rig::minute_of(&m["timestamp"]).unwrap())
        .collect();
    assert!(minutes.is_sorted(), "{minutes:?}");
    let windows = shown.iter().map(|m| m["window_seconds"].as_i64().unwrap());
    assert!(windows.max() >= Some(1200), "the gap is summed: {shown:?}");
    for m in &shown {
        let minutes = m["window_seconds"].as_i64().unwrap() / 60;
        assert_eq!(
            m["egress_request_count_5xx_window"], minutes,
            "one a minute"
        );
    }
    assert_each_minute_once(&rig, -4..50);
}

const INGRESS: &str = "IngressBytes Channel=c1";
const REQUESTS: &str = "EgressRequestCount Channel=c1";
const OF_5XX: &str = "EgressRequestCount Channel=c1 StatusCodeRange=5xx";

/// The moment so many minutes after the start.
fn at(minutes: i64) -> crate::state::time::UnixMs {
    rig::START.plus_ms(minutes * 60_000)
}

#[test]
fn a_late_point_and_a_corrected_one_go_out_again_once() {
    let mut region = live(&["c1", "c2"]);
    region.set(INGRESS, M0 + 10, rig::START, None);
    region.set(INGRESS, M0 + 10, at(10 + 1 + 8), Some(5e6));
    region.set(REQUESTS, M0 + 20, at(20 + 1 + 10), Some(101.0));
    let mut rig = Rig::new(settings(), region);
    rig.to(3600);
    let told = rig.points(POINT);
    let again: Vec<&String> = told.iter().filter(|point| point.contains('*')).collect();
    assert_eq!(again, ["10*", "20*"]);
    for minute in -4..50 {
        let times = told.iter().filter(|point| **point == minute.to_string());
        assert_eq!(times.count(), 1, "minute {minute}");
    }
    let of_minute_10: Vec<_> = rig.messages(POINT);
    let bytes: Vec<_> = of_minute_10
        .iter()
        .filter(|point| point["timestamp"] == time_of(10))
        .map(|point| point["ingress_bytes"].clone())
        .collect();
    assert_eq!(bytes, [serde_json::Value::Null, 5_000_000.into()]);
    assert!(
        rig.points("channel/c2/point")
            .iter()
            .all(|p| !p.contains('*'))
    );
}

#[test]
fn a_series_that_is_asked_for_the_first_time_or_no_more_is_no_revision() {
    let mut region = live(&["c1"]);
    let inputs: Vec<String> = region
        .listed
        .iter()
        .filter(|s| s.contains("Ingest"))
        .cloned()
        .collect();
    region.listed.retain(|series| !inputs.contains(series));
    let mut rig = Rig::new(settings(), region);
    rig.to(1500);
    assert_eq!(rig.json(METRICS)["inputs"], serde_json::json!([]));
    rig.region.listed.extend(inputs.clone());
    rig.to(3000);
    assert_eq!(rig.json(METRICS)["inputs"][1]["bits_per_second"], 400_000);
    rig.region.listed.retain(|series| !inputs.contains(series));
    inputs
        .iter()
        .for_each(|series| rig.region.stop(series, M0 + 52));
    rig.to(100_000);
    assert_eq!(rig.json(METRICS)["inputs"], serde_json::json!([]));
    let starred: Vec<String> = rig
        .points(POINT)
        .into_iter()
        .filter(|p| p.contains('*'))
        .collect();
    assert_eq!(starred, Vec::<String>::new());
}

#[test]
fn the_points_of_a_minute_go_out_before_the_topic_that_shows_it() {
    let mut rig = Rig::new(settings(), live(&["c1", "c2"]));
    rig.to(3600);
    for topic in [METRICS, "endpoint/c2-hls/metrics"] {
        let point = topic.replace("metrics", "point");
        let log = &rig.broker.log;
        for shown in log.iter().filter(|m| m.topic.ends_with(topic)) {
            let of = |m: &rig::Message| {
                serde_json::from_str::<serde_json::Value>(&m.payload).unwrap()["timestamp"].clone()
            };
            let minute = of(shown);
            let sent = log
                .iter()
                .find(|m| m.topic.ends_with(&point) && of(m) == minute);
            let sent = sent.expect("its point went out");
            assert!(sent.at <= shown.at, "{topic} of {minute}");
        }
    }
}

#[test]
fn a_series_that_stops_is_late_and_then_no_data_even_without_polls() {
    let mut region = Region::default();
    region.add_live("c1", M0 - 1000..M0 + 20);
    let mut rig = Rig::new(settings(), region);
    rig.to(1500);
    rig.region.fail(Kind::Metrics);
    rig.to(5 * 3600);
    let states: Vec<(String, u64)> = rig
        .broker
        .log
        .iter()
        .filter(|m| m.topic.ends_with(METRICS))
        .map(|m| {
            let shown: serde_json::Value = serde_json::from_str(&m.payload).unwrap();
            (
                shown["state"].as_str().unwrap().to_owned(),
                m.at.as_secs() / 60,
            )
        })
        .collect();
    let since = |state: &str| states.iter().find(|(s, _)| s == state).map(|(_, at)| *at);
    assert_eq!(since("late"), Some(20 + 10 + 5));
    assert_eq!(since("no_data"), Some(20 + 180));
    assert_eq!(rig.json(METRICS)["last_data_at"], time_of(19));
}

#[test]
fn a_series_that_starts_after_weeks_is_seen_at_the_next_poll() {
    let mut region = Region::default();
    region.add_live("c1", M0 + 60..M0 + 10_000);
    region.listed.clear();
    let mut rig = Rig::new(settings(), region);
    rig.to(3600);
    let shown = rig.json(METRICS);
    assert_eq!(shown["state"], "no_data");
    assert_eq!(shown["last_data_at"], serde_json::Value::Null);
    assert_eq!(shown["ingress_bytes"], serde_json::Value::Null);
    rig.to(3600 + 600);
    let shown = rig.json(METRICS);
    assert_eq!(shown["state"], "current");
    assert_eq!(shown["ingress_bytes"], 6_000_000);
}

#[test]
fn one_point_an_hour_is_shown_as_what_it_is() {
    let mut region = Region::default();
    region.add_channel("c1");
    for hour in 0..10 {
        region.feed(INGRESS, M0 + 60 * hour..M0 + 60 * hour + 1, 1e6);
    }
    let mut rig = Rig::new(settings(), region);
    rig.to(8 * 3600);
    let with_data: Vec<i64> = rig
        .messages(POINT)
        .iter()
        .filter(|point| point["ingress_bytes"] == 1_000_000)
        .map(|point| rig::minute_of(&point["timestamp"]).unwrap() - M0)
        .collect();
    assert_eq!(with_data, [0, 60, 120, 180, 240, 300, 360, 420]);
    assert_each_minute_once(&rig, -4..470);
    let states = rig.messages(METRICS);
    let later = states
        .iter()
        .skip_while(|shown| shown["state"] == "no_data");
    assert!(later.clone().any(|shown| shown["state"] == "late"));
    assert!(later.clone().all(|shown| shown["state"] != "no_data"));
}

#[test]
fn status_counts_are_summed_over_the_minutes_since_the_poll_before() {
    let mut region = live(&["c1"]);
    // A spike between two polls, which no newest minute shows.
    region.feed(OF_5XX, M0 + 31..M0 + 33, 7.0);
    let mut rig = Rig::new(settings(), region);
    rig.to(3600);
    let shown = rig.messages(METRICS);
    let sums: i64 = shown
        .iter()
        .map(|m| m["egress_request_count_5xx_window"].as_i64().unwrap())
        .sum();
    assert_eq!(sums, 14);
    let windows: Vec<i64> = shown
        .iter()
        .map(|m| m["window_seconds"].as_i64().unwrap())
        .collect();
    assert_eq!(windows[0], 60);
    assert!(
        windows[2..].iter().all(|seconds| *seconds == 300),
        "{windows:?}"
    );
    let minutes: Vec<i64> = shown
        .iter()
        .map(|m| rig::minute_of(&m["timestamp"]).unwrap())
        .collect();
    for (at, window) in windows.iter().enumerate().skip(1) {
        assert_eq!((minutes[at] - minutes[at - 1]) * 60, *window);
    }
}

#[test]
fn a_status_count_is_nought_only_where_the_total_of_the_minute_has_a_point() {
    let mut region = live(&["c1"]);
    region.set(REQUESTS, M0 + 1, rig::START, None);
    let mut rig = Rig::new(settings(), region);
    rig.to(1200);
    let points = rig.messages(POINT);
    let of = |minute: i64| {
        let point = points
            .iter()
            .find(|p| p["timestamp"] == time_of(minute))
            .unwrap();
        (
            point["egress_request_count_5xx"].clone(),
            point["egress_request_count_4xx"].clone(),
        )
    };
    assert_eq!(of(0), (0.into(), 0.into()));
    assert_eq!(of(1), (serde_json::Value::Null, serde_json::Value::Null));
}

#[test]
fn the_minutes_of_an_outage_go_out_when_the_broker_is_back_three_hours_at_most() {
    for (hours, missed) in [(1, 0), (5, 100)] {
        let mut rig = Rig::new(settings(), live(&["c1"]));
        rig.to(1200);
        rig.broker.up = false;
        rig.lose_broker();
        rig.to(1200 + hours * 3600);
        rig.broker.up = true;
        rig.to(1200 + hours * 3600 + 600);
        let told = rig.points(POINT);
        let minutes: Vec<i64> = told.iter().map(|m| m.parse().unwrap()).collect();
        assert!(minutes.is_sorted_by(|a, b| a < b), "{minutes:?}");
        let gap = minutes.windows(2).map(|w| w[1] - w[0] - 1).max().unwrap();
        assert!(
            gap >= missed && gap <= missed + 30,
            "{hours} hours: {gap} missed"
        );
        assert_eq!(
            rig.json(METRICS)["timestamp"],
            time_of(*minutes.last().unwrap())
        );
    }
}

#[test]
fn minutes_whose_acknowledgement_was_lost_go_out_again() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
    rig.to(1200);
    rig.broker.delay = Duration::from_secs(3);
    // Somewhere in here a poll's points are on their way.
    for second in (1200..1800).step_by(2) {
        rig.to(second);
        rig.lose_acknowledgements();
    }
    rig.broker.delay = Duration::from_millis(5);
    rig.to(3600);
    let told = rig.points(POINT);
    for minute in -4..50 {
        assert!(
            told.contains(&minute.to_string()),
            "minute {minute} of {told:?}"
        );
    }
}

#[test]
fn a_broker_that_takes_one_message_a_second_gets_the_newest_values() {
    let ids: Vec<String> = (0..30).map(|n| format!("c{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut rig = Rig::new(settings(), live(&ids));
    rig.broker.gap = Duration::from_secs(1);
    for minute in 0..180 {
        rig.to(minute * 60);
        assert!(rig.engine.outbox.waiting() <= 200, "minute {minute}");
        assert!(rig.engine.outbox.unacknowledged() <= 64, "minute {minute}");
    }
    for id in ids {
        for kind in ["channel/ID/metrics", "endpoint/ID-hls/metrics"] {
            let shown = rig.json(&kind.replace("ID", id));
            let minute = rig::minute_of(&shown["timestamp"]).unwrap() - M0;
            assert!(minute > 180 - 20, "{id}: {minute}");
        }
        let points = rig.points(&format!("channel/{id}/point"));
        let mut once = points.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), points.len(), "{id}: {points:?}");
    }
}

#[test]
fn no_channel_is_forgotten_when_the_broker_cannot_take_every_minute() {
    let ids: Vec<String> = (0..120).map(|n| format!("c{n:03}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut rig = Rig::with(live(&ids), |s| s.monthly_budget_usd = 0.0);
    rig.broker.gap = Duration::from_millis(400);
    rig.to(4 * 3600);
    for id in ids {
        let points = rig.points(&format!("channel/{id}/point")).len();
        assert!(points > 60, "{id}: {points}");
        let shown = rig.json(&format!("endpoint/{id}-hls/metrics"));
        let minute = rig::minute_of(&shown["timestamp"]).unwrap() - M0;
        assert!(minute > 240 - 20, "{id}: {minute}");
    }
}
