//! The traffic lights, at each step of what can go wrong.

use super::region::alarm;
use super::rig::{START, settings, time_of};
use super::*;
use crate::state::polled::PolledAlarm;

const HEALTH: &str = "channel/c1/health";
const INGRESS: &str = "IngressBytes Channel=c1";
const INPUT_A: &str = "IngressBytes Channel=c1 IngestEndpoint=c1-a";
const INPUT_B: &str = "IngressBytes Channel=c1 IngestEndpoint=c1-b";

fn minutely(region: Region) -> Rig {
    Rig::with(region, |s| {
        s.wish.metrics_interval = Duration::from_secs(60)
    })
}

/// `health ingest inputs_receiving`, and the reasons.
fn light(rig: &Rig) -> (String, Vec<String>) {
    let h = rig.json(HEALTH);
    let word = |key: &str| h[key].as_str().unwrap_or("-").to_owned();
    let reasons = h["reasons"].as_array().unwrap().iter();
    let reasons = reasons.map(|r| r.as_str().unwrap().to_owned()).collect();
    (
        format!(
            "{} {} {}",
            word("health"),
            word("ingest"),
            h["inputs_receiving"]
        ),
        reasons,
    )
}

#[test]
fn one_input_lost_then_both_then_back() {
    let mut rig = minutely(live(&["c1"]));
    rig.to(1200);
    assert_eq!(light(&rig), ("ok receiving 2".into(), vec![]));
    assert_eq!(rig.json(HEALTH)["ingest_since"], serde_json::Value::Null);
    rig.region.stop(INPUT_B, M0 + 20);
    rig.to(1200 + 600);
    let silent = "Input c1-b is silent while the channel receives.".to_owned();
    assert_eq!(light(&rig), ("warning receiving 1".into(), vec![silent]));
    assert!(rig.events("ingest").is_empty());
    rig.region.stop(INPUT_A, M0 + 30);
    rig.region.stop(INGRESS, M0 + 30);
    rig.to(1800 + 240);
    assert_eq!(light(&rig).0, "warning receiving 1", "not yet for sure");
    rig.to(1800 + 600);
    let lost = format!("Ingest is lost since {}.", time_of(30));
    assert_eq!(light(&rig), ("critical lost 0".into(), vec![lost]));
    assert_eq!(rig.json(HEALTH)["ingest_since"], time_of(30));
    assert_eq!(rig.events("ingest"), ["c1 receiving>lost"]);
    assert_eq!(rig.json("summary")["lost"], serde_json::json!(["c1"]));
    for series in [INGRESS, INPUT_A, INPUT_B] {
        rig.region.feed(series, M0 + 45..M0 + 10_000, 1e6);
    }
    rig.to(3600);
    assert_eq!(light(&rig), ("ok receiving 2".into(), vec![]));
    assert_eq!(rig.json(HEALTH)["ingest_since"], time_of(45));
    assert_eq!(
        rig.events("ingest"),
        ["c1 receiving>lost", "c1 lost>receiving"]
    );
}

#[test]
fn what_is_not_known_is_no_change() {
    let mut rig = minutely(live(&["c1"]));
    rig.to(1200);
    rig.region.fail(Kind::Metrics);
    rig.to(1800);
    let unknown = "CloudWatch metrics are not available.".to_owned();
    assert_eq!(light(&rig), ("unknown unknown null".into(), vec![unknown]));
    rig.region.heal(Kind::Metrics);
    rig.to(2400);
    assert_eq!(light(&rig).0, "ok receiving 2");
    assert!(rig.events("ingest").is_empty());
    // It really stops while nobody can see it.
    rig.region.fail(Kind::Metrics);
    rig.region.stop(INGRESS, M0 + 41);
    rig.to(3600);
    assert!(rig.events("ingest").is_empty());
    rig.region.heal(Kind::Metrics);
    rig.to(4200);
    assert_eq!(light(&rig).0, "critical lost 2");
    assert_eq!(rig.events("ingest"), ["c1 receiving>lost"]);
}

#[test]
fn lost_becomes_idle_after_three_hours_and_idle_is_well() {
    let mut region = Region::default();
    region.add_live("c1", M0 - 1000..M0 + 20);
    let mut rig = minutely(region);
    rig.to(3600);
    assert_eq!(light(&rig).0, "critical lost 0");
    rig.to(4 * 3600);
    assert_eq!(light(&rig), ("ok idle 0".into(), vec![]));
    assert_eq!(rig.events("ingest"), ["c1 receiving>lost", "c1 lost>idle"]);
}

#[test]
fn an_agent_that_starts_in_the_middle_finds_the_same() {
    let cases = [
        (M0 - 1000..M0 + 1000, "ok receiving 2"),
        (M0 - 1000..M0 - 60, "critical lost 0"),
        (M0 - 1000..M0 - 300, "ok idle 0"),
        (M0 - 2..M0 - 2, "ok idle 0"),
    ];
    for (minutes, wanted) in cases {
        let mut region = Region::default();
        region.add_live("c1", minutes.clone());
        let mut rig = Rig::new(settings(), region);
        rig.to(60);
        assert_eq!(light(&rig).0, wanted, "{minutes:?}");
        assert!(rig.events("ingest").is_empty(), "{minutes:?}");
    }
}

#[test]
fn data_that_is_late_is_a_warning() {
    let mut region = Region::default();
    region.add_live("c1", M0 - 1000..M0 + 20);
    let mut rig = Rig::with(region, |s| {
        s.wish.metrics_interval = Duration::from_secs(60);
        s.wish.ingest_lost_after = Duration::from_secs(3600);
    });
    rig.to(2100);
    let late = "CloudWatch has had no data for a while.".to_owned();
    assert_eq!(light(&rig), ("warning receiving 2".into(), vec![late]));
}

#[test]
fn metrics_that_are_off_leave_only_the_alarms() {
    let mut region = live(&["c1"]);
    region.alarms = vec![PolledAlarm {
        dimensions: vec![("Channel".into(), "c1".into())],
        ..alarm("a", "OK", START)
    }];
    let mut rig = Rig::with(region, |s| {
        s.wish.level = crate::state::wish::MetricsLevel::Off
    });
    rig.to(120);
    assert_eq!(light(&rig).0, "unknown unknown null");
    assert_eq!(rig.json("agent")["health"], "ok");
    rig.region.alarms[0].state = "ALARM".into();
    rig.to(300);
    let reason = "Alarm a is in ALARM.".to_owned();
    assert_eq!(light(&rig), ("critical unknown null".into(), vec![reason]));
    assert_eq!(rig.json(HEALTH)["alarms"], serde_json::json!(["a"]));
}

#[test]
fn a_source_is_offline_after_three_failed_intervals() {
    let cases = [
        (Kind::Inventory, "mediapackage", 60),
        (Kind::Alarms, "alarms", 60),
        (Kind::Metrics, "metrics", 300),
    ];
    for (kind, name, interval) in cases {
        let mut rig = Rig::new(settings(), live(&["c1"]));
        let topic = format!("source/{name}");
        rig.to(1200);
        assert_eq!(rig.json(&topic), "online");
        let last = rig.region.polls(kind).last().unwrap().0 - START.0;
        rig.region.fail(kind);
        let offline = (last / 1000) as u64 + 3 * interval;
        rig.to(offline - 5);
        assert_eq!(rig.json(&topic), "online", "{name}");
        rig.to(offline + 10);
        assert_eq!(rig.json(&topic), "offline", "{name}");
        rig.region.heal(kind);
        rig.to(offline + 10 + 2 * interval);
        assert_eq!(rig.json(&topic), "online", "{name}");
    }
}

#[test]
fn the_agent_says_how_it_does() {
    use Kind::{Alarms, Inventory, Metrics};
    let cases: [(&[Kind], &str); 5] = [
        (&[], "ok"),
        (&[Alarms], "degraded"),
        (&[Metrics, Alarms], "degraded"),
        (&[Inventory, Alarms], "failing"),
        (&[Inventory, Metrics, Alarms], "failing"),
    ];
    for (failing, wanted) in cases {
        let mut rig = Rig::new(settings(), live(&["c1"]));
        failing.iter().for_each(|kind| rig.region.fail(*kind));
        rig.to(300);
        let agent = rig.json("agent");
        assert_eq!(agent["health"], wanted, "{failing:?}: {agent}");
        let first = &rig.messages("agent")[0];
        assert_eq!(first["health"], "starting");
        let reasons = agent["reasons"].as_array().unwrap().len();
        assert_eq!(
            reasons,
            failing
                .iter()
                .filter(|k| agent["sources"][name(**k)]["state"] == "failing")
                .count()
        );
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Alarms => "alarms",
        Kind::Metrics | Kind::Series => "metrics",
        _ => "mediapackage",
    }
}

#[test]
fn the_summary_sums_up_and_moves_only_with_its_content() {
    let mut rig = minutely(live(&["c1", "c2"]));
    rig.to(3600);
    let summary = rig.json("summary");
    assert_eq!(summary["health"], "ok");
    assert_eq!(
        (&summary["channels"], &summary["endpoints"]),
        (&2.into(), &2.into())
    );
    assert_eq!(summary["egress_bits_per_second"], 2 * 3_000_000 * 8 / 60);
    let written = summary["updated_at"].clone();
    assert!(
        rig.messages("summary").len() < 6,
        "{:?}",
        rig.messages("summary")
    );
    rig.to(7200);
    assert_eq!(rig.json("summary")["updated_at"], written);
    rig.region.alarms = vec![alarm("of-nobody", "ALARM", START)];
    rig.to(7400);
    let summary = rig.json("summary");
    assert_eq!(summary["health"], "warning");
    assert_eq!(summary["active"], serde_json::json!(["of-nobody"]));
    let reasons = serde_json::json!(["Alarm of-nobody is in ALARM."]);
    assert_eq!(summary["reasons"], reasons);
    assert_ne!(summary["updated_at"], written);
}
