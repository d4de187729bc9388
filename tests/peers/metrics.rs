//! The simulated CloudWatch: what is refused, pages, late and revised points.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::caller::Caller;
use super::region::{Clock, Dimension, Region, Values, World};

/// 2026-11-22T10:00:00Z.
const NOW_MS: i64 = 1_795_341_600_000;
const MINUTE: i64 = NOW_MS / 60_000;

/// A region whose clock follows the system, so that signatures are right, with one series.
fn one_series() -> (Region, i64) {
    let mut world = World::new("eu-central-1").with_channels(1, 1);
    let minute = world.minute();
    let points = (0..200).map(|n| (minute - n, (1000 + n) as f64)).collect();
    world
        .metrics
        .series("IngressBytes", &[("Channel", "ch-0000")])
        .set(Values::Points(points));
    (Region::start(world), minute)
}

fn query(id: &str) -> Value {
    query_of(id, "IngressBytes", "Sum", &[("Channel", "ch-0000")])
}

fn query_of(id: &str, metric: &str, stat: &str, dimensions: &[(&str, &str)]) -> Value {
    let dimensions = dimensions
        .iter()
        .map(|(n, v)| json!({"Name": n, "Value": v}));
    let metric = json!({
        "Namespace": "AWS/MediaPackage", "MetricName": metric,
        "Dimensions": dimensions.collect::<Vec<_>>(),
    });
    json!({"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}})
}

fn body(queries: Vec<Value>, minute: i64, minutes: i64) -> Value {
    json!({
        "MetricDataQueries": queries, "ScanBy": "TimestampAscending",
        "StartTime": (minute - minutes) * 60, "EndTime": minute * 60,
    })
}

#[test]
fn a_malformed_request_is_refused_as_cloudwatch_does() {
    let (region, minute) = one_series();
    let caller = Caller::of(&region);
    let good = body(vec![query("m0")], minute, 5);
    assert_eq!(caller.post("GetMetricData", &good).status, 200);
    let change = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let queries = |n: usize| (0..n).map(|n| query(&format!("m{n}"))).collect::<Vec<_>>();
    let stat = "/MetricDataQueries/0/MetricStat";
    let cases = [
        (body(queries(501), minute, 5), "ValidationError"),
        (
            body(vec![query("m0"), query("m0")], minute, 5),
            "ValidationError",
        ),
        (body(vec![query("0m")], minute, 5), "ValidationError"),
        (body(vec![query("M")], minute, 5), "ValidationError"),
        (body(vec![query("m-0")], minute, 5), "ValidationError"),
        (body(vec![], minute, 5), "ValidationError"),
        (body(vec![query("m0")], minute, 0), "ValidationError"),
        (change("/StartTime", Value::Null), "ValidationError"),
        (
            change("/StartTime", json!("2026-11-22T10:00:00Z")),
            "SerializationException",
        ),
        (
            change("/MetricDataQueries", json!({})),
            "SerializationException",
        ),
        (change("/ScanBy", json!("Ascending")), "ValidationError"),
        (
            change(&format!("{stat}/Stat"), json!("sum")),
            "ValidationError",
        ),
        (
            change(&format!("{stat}/Period"), json!(59)),
            "ValidationError",
        ),
        (
            change(&format!("{stat}/Metric/Namespace"), json!(7)),
            "SerializationException",
        ),
        (
            change(&format!("{stat}/Metric/MetricName"), Value::Null),
            "ValidationError",
        ),
        (
            change(&format!("{stat}/Metric/Dimensions/0/Value"), Value::Null),
            "ValidationError",
        ),
    ];
    for (body, code) in cases {
        let reply = caller.post("GetMetricData", &body);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, code),
            "{body:.300}"
        );
    }
    assert_eq!(
        caller
            .post("GetMetricData", &body(queries(500), minute, 5))
            .status,
        200
    );
    assert_eq!(
        caller.post("PutMetricData", &json!({})).code(),
        "UnknownOperationException"
    );
}

/// The points of every query, over all pages, and how many pages there were.
fn points(caller: &Caller, mut body: Value) -> (usize, BTreeMap<String, Vec<(i64, f64)>>) {
    let mut all: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    let mut pages = 0;
    loop {
        let reply = caller.post("GetMetricData", &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        let page = reply.json();
        pages += 1;
        for result in page["MetricDataResults"].as_array().unwrap() {
            let id = result["Id"].as_str().unwrap().to_owned();
            let times = result["Timestamps"].as_array().unwrap().iter();
            let values = result["Values"].as_array().unwrap().iter();
            let pair = |(t, v): (&Value, &Value)| (t.as_i64().unwrap() / 60, v.as_f64().unwrap());
            all.entry(id)
                .or_default()
                .extend(times.zip(values).map(pair));
            let status = if page["NextToken"].is_null() {
                "Complete"
            } else {
                ""
            };
            assert!(result["StatusCode"].as_str().unwrap().starts_with(status));
        }
        match &page["NextToken"] {
            Value::Null => return (pages, all),
            token => body["NextToken"] = token.clone(),
        }
    }
}

#[test]
fn pages_of_any_size_add_up_to_the_same_points() {
    let (region, minute) = one_series();
    let caller = Caller::of(&region);
    let other = query_of("other", "IngressBytes", "Sum", &[("Channel", "none")]);
    let body = body(vec![query("a"), other, query("b")], minute, 7);
    let (pages, whole) = points(&caller, body.clone());
    assert_eq!(pages, 1);
    assert_eq!(whole["a"].len(), 7);
    assert_eq!(whole["a"][0], (minute - 7, 1007.0));
    assert_eq!((&whole["b"], whole["other"].len()), (&whole["a"], 0));
    for (size, wanted) in [(1, 14), (2, 7), (3, 5), (7, 2), (14, 1), (13, 2)] {
        region.edit(|w| w.pages.data_points = size);
        assert_eq!(
            points(&caller, body.clone()),
            (wanted, whole.clone()),
            "{size} a page"
        );
    }
    let token = json!({"NextToken": "never given"});
    let mut bad = body;
    bad["NextToken"] = token["NextToken"].clone();
    assert_eq!(
        caller.post("GetMetricData", &bad).code(),
        "InvalidNextToken"
    );
}

#[test]
fn the_newest_comes_first_unless_asked_otherwise_and_only_in_its_own_unit() {
    let (region, minute) = one_series();
    let caller = Caller::of(&region);
    let mut newest_first = body(vec![query("a")], minute, 3);
    newest_first.as_object_mut().unwrap().remove("ScanBy");
    let expected = vec![
        (minute - 1, 1001.0),
        (minute - 2, 1002.0),
        (minute - 3, 1003.0),
    ];
    assert_eq!(points(&caller, newest_first.clone()).1["a"], expected);
    newest_first["MetricDataQueries"][0]["MetricStat"]["Unit"] = json!("Count");
    assert!(points(&caller, newest_first).1["a"].is_empty());
}

#[test]
fn points_come_late_and_change_and_stop_by_the_regions_clock() {
    let mut world = World::new("eu-central-1").with_channels(1, 1);
    let series = world.metrics.series("X", &[]).set(Values::Constant(5.0));
    series
        .late(MINUTE - 3, 600)
        .revise(MINUTE - 4, NOW_MS, 9.0)
        .stop(MINUTE - 1)
        .start(MINUTE + 1);
    // Minutes from -5 to +1, as seen at these seconds after now.
    let cases = [
        (-1, "5 5 . 5 . . ."),
        (0, "5 9 . 5 . . ."),
        (119, "5 9 . 5 . . ."),
        (120, "5 9 . 5 . . 5"),
        (480, "5 9 5 5 . . 5"),
    ];
    let series = world.metrics.get("X").unwrap();
    for (seconds, expected) in cases {
        let shown = (MINUTE - 5..=MINUTE + 1).map(|m| series.at(m, NOW_MS + seconds * 1000));
        let shown: Vec<String> = shown
            .map(|v| v.map_or(".".to_owned(), |v| v.to_string()))
            .collect();
        assert_eq!(shown.join(" "), expected, "at {seconds} s");
    }
}

#[test]
fn metrics_are_listed_in_pages_with_copies_and_filters() {
    let mut world = World::new("eu-central-1").with_channels(2, 2);
    world.dimension = Dimension::Guid;
    let guid = world.channels[1].guid.clone();
    let mut world = world.standard_metrics();
    let minute = world.minute();
    world.stop_ingest("ch-0000", minute - 1000);
    let count = world.metrics.iter().count();
    let region = Region::start(world);
    let caller = Caller::of(&region);
    let listed = |body: Value| {
        let (mut pages, mut metrics) = (0, Vec::new());
        let mut body = body;
        loop {
            let page = caller.post("ListMetrics", &body).json();
            metrics.extend(
                page["Metrics"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(Value::to_string),
            );
            pages += 1;
            match &page["NextToken"] {
                Value::Null => return (pages, metrics),
                token => body["NextToken"] = token.clone(),
            }
        }
    };
    assert_eq!(listed(json!({})).1.len(), count);
    let active = listed(json!({"RecentlyActive": "PT3H"})).1.len();
    assert_eq!(
        count - active,
        6,
        "both ingress metrics of a channel and its two inputs"
    );
    let by_channel = json!({"Dimensions": [{"Name": "Channel", "Value": guid}]});
    assert!(listed(by_channel).1.iter().all(|m| m.contains(&guid)));
    let inputs = json!({"MetricName": "ActiveInput", "Dimensions": [{"Name": "OriginEndpoint"}]});
    assert_eq!(listed(inputs).1.len(), 8);
    region.edit(|w| (w.pages.metrics, w.pages.metric_copies) = (10, 3));
    let (pages, mut copies) = listed(json!({"Namespace": "AWS/MediaPackage"}));
    assert_eq!((pages, copies.len()), ((count * 3).div_ceil(10), count * 3));
    copies.sort();
    copies.dedup();
    assert_eq!(copies.len(), count);
    for bad in [
        json!({"RecentlyActive": "PT1H"}),
        json!({"Dimensions": [{"Value": "x"}]}),
    ] {
        assert_eq!(caller.post("ListMetrics", &bad).code(), "ValidationError");
    }
}

#[test]
fn live_values_are_the_same_for_every_reader() {
    let world = || {
        let mut world = World::new("eu-central-1").with_channels(1, 4);
        world.clock = Clock::Fixed(NOW_MS);
        world.standard_metrics()
    };
    let values = |world: World| {
        let minutes = MINUTE - 60..MINUTE;
        let of = |s: &super::region::Series| {
            minutes.clone().map(|m| s.at(m, NOW_MS)).collect::<Vec<_>>()
        };
        world.metrics.iter().map(of).collect::<Vec<_>>()
    };
    let one = values(world());
    assert_eq!(one, values(world()));
    assert!(one.iter().all(|series| series.iter().any(Option::is_some)));
    assert!(
        one.iter().any(|series| series.iter().any(Option::is_none)),
        "5xx is rare"
    );
}
