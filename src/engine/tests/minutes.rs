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
fn the_timestamp_never_goes_back_when_awss_clock_does() {
    let mut rig = Rig::new(settings(), live(&["c1"]));
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
    assert_each_minute_once(&rig, -4..50);
}
