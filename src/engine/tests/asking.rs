//! Which series are asked, how they are cut into requests, and what that costs.

use super::region::listed_metric;
use super::rig::settings;
use super::*;
use crate::state::wish::MetricsLevel::{self, Channels, Full, Off, Standard};

/// A channel with every series that AWS's page names.
fn full(id: &str, endpoints: usize) -> Region {
    let mut region = Region::default();
    add_full(&mut region, id, endpoints);
    region
}

fn add_full(region: &mut Region, id: &str, endpoints: usize) {
    region.add_live(id, ALWAYS);
    region.endpoints.clear();
    region.listed.retain(|series| !series.contains("-hls"));
    for class in ["2xx", "3xx", "4xx", "5xx"] {
        region.feed(
            &format!("EgressRequestCount Channel={id} StatusCodeRange={class}"),
            ALWAYS,
            1.0,
        );
    }
    for n in 0..endpoints {
        let endpoint = format!("{id}-e{n}");
        region.add_endpoint(&endpoint, id);
        for metric in ["EgressBytes", "EgressRequestCount", "EgressResponseTime"] {
            region.feed(
                &format!("{metric} Channel={id} OriginEndpoint={endpoint}"),
                ALWAYS,
                1.0,
            );
        }
        let of = format!("EgressRequestCount Channel={id} OriginEndpoint={endpoint}");
        for class in ["2xx", "3xx", "4xx", "5xx"] {
            region.feed(&format!("{of} StatusCodeRange={class}"), ALWAYS, 1.0);
        }
        for (input, value) in [("a", 1.0), ("b", 0.0)] {
            let series =
                format!("ActiveInput IngestEndpoint={id}-{input} OriginEndpoint={endpoint}");
            region.feed(&series, ALWAYS, value);
        }
    }
}

fn at_level(region: Region, level: MetricsLevel) -> Rig {
    let mut rig = Rig::with(region, |s| {
        s.wish.level = level;
        s.monthly_budget_usd = 0.0;
    });
    rig.to(600);
    rig
}

#[test]
fn each_level_asks_for_its_series_and_no_other() {
    let core = 7;
    let cases = [
        (Off, None),
        (Channels, Some(core)),
        (Standard, Some(core + 2 + 2 * 2)),
        (Full, Some(core + 2 + 2 + 2 * (3 + 4 + 2))),
    ];
    for (level, wanted) in cases {
        let rig = at_level(full("c1", 2), level);
        let asked = rig.region.asked.first().map(|asked| asked.series.len());
        assert_eq!(asked, wanted, "{level:?}");
        let shown = rig.json("channel/c1/metrics");
        if level != Off {
            assert_eq!(shown["level"], level.as_str());
        }
        assert_eq!(
            shown["egress_request_count_2xx"].is_i64(),
            level == Full,
            "{level:?}"
        );
        assert_eq!(
            rig.holds("endpoint/c1-e0/metrics"),
            level >= Standard,
            "{level:?}"
        );
    }
}

#[test]
fn the_core_is_asked_for_before_anything_is_listed() {
    let mut region = full("c1", 2);
    region.listed.clear();
    let rig = at_level(region, Full);
    let series = &rig.region.asked[0].series;
    assert_eq!(series.len(), 7, "{series:?}");
    assert!(series.iter().all(|s| s.contains("Channel=c1")));
}

#[test]
fn inputs_and_the_active_one_are_shown_where_the_level_asks_for_them() {
    let rig = at_level(full("c1", 2), Full);
    let inputs = serde_json::json!([
        {"id": "c1-a", "active": true, "bits_per_second": 400_000, "mqcs": null},
        {"id": "c1-b", "active": false, "bits_per_second": 400_000, "mqcs": null},
    ]);
    assert_eq!(rig.json("channel/c1/metrics")["inputs"], inputs);
    assert_eq!(rig.json("endpoint/c1-e1/metrics")["active_input"], "c1-a");
    let rig = at_level(full("c1", 2), Standard);
    assert_eq!(
        rig.json("channel/c1/metrics")["inputs"][0]["active"],
        serde_json::Value::Null
    );
    assert_eq!(
        rig.json("endpoint/c1-e1/metrics")["active_input"],
        serde_json::Value::Null
    );
}

#[test]
fn a_request_holds_whole_channels_and_at_most_250_series() {
    let mut region = Region::default();
    for n in 0..200 {
        region.add_live(&format!("c{n:03}"), ALWAYS);
    }
    let rig = at_level(region, Standard);
    let sizes: Vec<usize> = rig
        .region
        .asked
        .iter()
        .map(|asked| asked.series.len())
        .collect();
    // The first poll looks back for hours, and asks for fewer channels at once.
    assert!(sizes[..40].iter().all(|size| *size == 55), "{sizes:?}");
    assert!(sizes[40..49].iter().all(|size| *size == 242), "{sizes:?}");
    assert_eq!(sizes[49], 22);
    let second_round = &rig.region.asked[40..50];
    let of = |series: &String| {
        let at = series.find("Channel=").unwrap() + 8;
        series[at..at + 4].to_owned()
    };
    let mut seen = std::collections::BTreeMap::new();
    for (request, asked) in second_round.iter().enumerate() {
        for series in &asked.series {
            let first = *seen.entry(of(series)).or_insert(request);
            assert_eq!(first, request, "{series} stands in two requests");
        }
    }
    assert_eq!(seen.len(), 200);
}

#[test]
fn a_channel_with_more_endpoints_than_one_request_takes_is_asked_in_several() {
    let mut region = full("c1", 120);
    region.add_live("c2", ALWAYS);
    let rig = at_level(region, Full);
    for asked in &rig.region.asked {
        assert!(asked.series.len() <= 250, "{}", asked.series.len());
    }
    for n in 0..120 {
        let shown = rig.json(&format!("endpoint/c1-e{n}/metrics"));
        assert_eq!(shown["egress_request_count_2xx"], 1, "endpoint {n}");
        assert_eq!(shown["active_input"], "c1-a", "endpoint {n}");
    }
    assert_eq!(
        rig.json("endpoint/c2-hls/metrics")["egress_bytes"],
        3_000_000
    );
    assert!(rig.points("endpoint/c1-e119/point").len() > 3);
}

#[test]
fn an_account_that_writes_guids_is_asked_by_guid() {
    let mut region = Region::default();
    region.add_channel("c1");
    region.add_channel("c2");
    region.add_endpoint("e1", "c1");
    region.feed("IngressBytes Channel=guid-c1", ALWAYS, 1.0);
    region.feed(
        "EgressBytes Channel=guid-c1 OriginEndpoint=guid-e1",
        ALWAYS,
        2.0,
    );
    // Silent for weeks, so that it is not listed.
    region.feed("IngressBytes Channel=guid-c2", ALWAYS, 3.0);
    region.listed.remove("IngressBytes Channel=guid-c2");
    region
        .listed
        .insert("IngressBytes Channel=guid-nobody".into());
    let mut rig = at_level(region, Standard);
    assert_eq!(rig.json("channel/c1/metrics")["ingress_bytes"], 1);
    assert_eq!(rig.json("endpoint/e1/metrics")["egress_bytes"], 2);
    assert_eq!(rig.json("channel/c2/metrics")["ingress_bytes"], 3);
    let series = rig.json("agent/stats")["series"].clone();
    assert_eq!(series, serde_json::json!({"matched": 2, "unmatched": 1}));
    // What was learned is kept when AWS lists it no more.
    rig.region.listed.clear();
    rig.to(7200);
    let asked = &rig.region.asked.last().unwrap().series;
    assert!(asked.iter().all(|s| s.contains("guid-")), "{asked:?}");
}

#[test]
fn an_id_wins_over_a_guid_in_whatever_order_they_are_listed() {
    use crate::state::{catalogue::Catalogue, inventory::Inventory, polled};
    let mut inventory = Inventory::default();
    let listing = polled::Inventory {
        channels: vec![region::channel("c1"), region::channel("c2")],
        endpoints: Vec::new(),
    };
    inventory.apply(listing, &settings().wish);
    let by_id = listed_metric("IngressBytes Channel=c1");
    let by_guid = listed_metric("IngressBytes Channel=guid-c1");
    for rows in [[by_id.clone(), by_guid.clone()], [by_guid, by_id]] {
        let mut catalogue = Catalogue::default();
        catalogue.learn(rig::START, &rows, &inventory);
        for id in ["c1", "c2"] {
            let channel = inventory.channel(id).unwrap();
            let plan = catalogue.plan(channel, &inventory, Channels);
            assert_eq!(&*plan[0].query.dimensions[0].1, id);
        }
    }
}

#[test]
fn a_series_is_dropped_after_a_day_without_data_and_listing() {
    let mut rig = at_level(full("c1", 1), Standard);
    let input = "IngressBytes Channel=c1 IngestEndpoint=c1-a";
    let asks = |rig: &Rig| {
        rig.region
            .asked
            .last()
            .unwrap()
            .series
            .iter()
            .any(|s| s == input)
    };
    rig.region.listed.remove(input);
    rig.to(2 * 86_400);
    assert!(asks(&rig), "it has data");
    rig.region.stop(input, M0 + 2 * 1440);
    rig.to(2 * 86_400 + 86_400 - 1800);
    assert!(asks(&rig), "less than a day");
    rig.to(3 * 86_400 + 1800 + 900);
    assert!(!asks(&rig), "more than a day");
    rig.region.feed(input, M0..M0 + 10_000, 1.0);
    rig.minutes(16);
    assert!(asks(&rig), "listed again");
}

#[test]
fn without_the_permission_to_list_the_core_is_still_asked() {
    let mut region = full("c1", 1);
    region.fail(Kind::Series);
    let rig = at_level(region, Standard);
    assert_eq!(rig.json("channel/c1/metrics")["ingress_bytes"], 6_000_000);
    assert_eq!(rig.json("source/metrics"), "online");
    let agent = rig.json("agent");
    assert_eq!(agent["health"], "degraded");
    assert!(
        agent["reasons"][0]
            .as_str()
            .unwrap()
            .contains("list of series")
    );
}

#[test]
fn the_list_of_series_is_read_every_ten_minutes_and_when_the_inventory_changed() {
    let mut rig = at_level(full("c1", 1), Standard);
    rig.to(7200);
    let lists = rig.region.polls(Kind::Series).len();
    assert!((11..=14).contains(&lists), "{lists} in two hours");
    rig.region.add_channel("c2");
    rig.minutes(6);
    let after = rig.region.polls(Kind::Series).len();
    rig.minutes(5);
    assert!(after > lists && rig.region.polls(Kind::Series).len() <= after + 1);
}

#[test]
fn the_meter_counts_what_is_billed_and_the_forecast_is_this_pace_for_the_rest_of_the_month() {
    let mut rig = at_level(full("c1", 2), Standard);
    rig.to(86_400);
    let metrics: usize = rig
        .region
        .asked
        .iter()
        .map(|asked| asked.series.len())
        .sum();
    let requests = rig.region.polls(Kind::Series).len() + rig.region.polls(Kind::Alarms).len();
    let cost = rig.json("agent/stats")["cost"].clone();
    assert_eq!(cost["metrics_billed"], metrics);
    let usd = (metrics + requests) as f64 / 100_000.0;
    assert!(
        (cost["usd"].as_f64().unwrap() - usd).abs() < 1e-3,
        "{cost} {usd}"
    );
    // From 23 November 10:00 on.
    let rest = (7.0 * 24.0 + 14.0) * 3600.0;
    let to_come = 13.0 * rest / 300.0 + rest / 600.0 + rest / 60.0;
    let forecast = cost["forecast_usd"].as_f64().unwrap();
    let wanted = usd + to_come / 100_000.0;
    assert!((forecast - wanted).abs() < 1e-3, "{forecast} {wanted}");
    assert_eq!(cost["effective_interval_seconds"], 300);
}
