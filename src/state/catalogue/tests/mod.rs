//! Every set of dimensions that AWS's pages name, and whose series it is.

use std::collections::BTreeMap;

use super::*;
use crate::state::glob::Glob;
use crate::state::model::{IngestEndpoint, Tags};
use crate::state::polled;
use crate::state::wish::{AlarmsKept, Wish};
use std::time::Duration;

/// One name for everything that can have one: only the dimensions tell things apart.
const X: &str = "x";

fn channel(id: &str, group: Option<&str>, inputs: &[&str]) -> Channel {
    let input = |id: &&str| IngestEndpoint {
        id: (*id).to_owned(),
        url: None,
    };
    Channel {
        id: id.into(),
        api: if group.is_some() { Api::V2 } else { Api::V1 },
        channel_group: group.map(str::to_owned),
        arn: Some(format!("arn:aws:mediapackage:r:1:channels/{X}")),
        description: None,
        created_at: None,
        modified_at: None,
        ingest_endpoints: inputs.iter().map(input).collect(),
        input_type: None,
        tags: Tags::new(),
        egress_access_logs: None,
        ingress_access_logs: None,
    }
}

fn endpoint(id: &str, channel: &str, api: Api) -> Endpoint {
    Endpoint {
        id: id.into(),
        api,
        channel_id: Some(channel.into()),
        arn: Some(format!("arn:aws:mediapackage:r:1:endpoints/{X}")),
        description: None,
        created_at: None,
        modified_at: None,
        url: None,
        manifest_name: None,
        package: None,
        segment_duration_seconds: None,
        encrypted: None,
        startover_window_seconds: None,
        time_delay_seconds: None,
        origination: None,
        manifests: Vec::new(),
        tags: Tags::new(),
    }
}

fn packaging(id: &str) -> PackagingConfiguration {
    PackagingConfiguration {
        id: id.into(),
        packaging_group_id: None,
        arn: None,
        created_at: None,
        package: None,
        segment_duration_seconds: None,
        encrypted: false,
        manifests: Vec::new(),
        tags: Tags::new(),
    }
}

/// A listing of VOD with these.
fn vod_of(configurations: Vec<PackagingConfiguration>) -> polled::Vod {
    polled::Vod {
        groups: Vec::new(),
        configurations,
    }
}

fn all() -> Wish {
    Wish {
        include: vec![Glob::new("*")],
        exclude: Vec::new(),
        level: MetricsLevel::Full,
        metrics_interval: Duration::from_secs(300),
        settle: Duration::from_secs(180),
        ingest_lost_after: Duration::from_secs(300),
        alarms: AlarmsKept::All,
        alarm_include: Vec::new(),
        alarm_exclude: Vec::new(),
    }
}

/// These, endpoint `x` of each, and packaging configuration `x`.
fn inventory(channels: Vec<Channel>) -> Inventory {
    let endpoints = channels.iter().map(|c| match c.api {
        Api::V1 => endpoint(X, &c.id, Api::V1),
        Api::V2 => endpoint(&format!("{}.{X}", c.id), &c.id, Api::V2),
    });
    let listing = polled::Inventory {
        endpoints: endpoints.collect(),
        channels,
    };
    let mut inventory = Inventory::default();
    inventory.apply(listing, &all());
    inventory.apply_vod(vod_of(vec![packaging(X)]));
    inventory
}

/// v1, v2 and VOD, with one name for everything in each.
fn mixed() -> Inventory {
    inventory(vec![
        channel(X, None, &["guid-1"]),
        channel("x.x", Some(X), &["1", X]),
        channel("y.x", Some("y"), &["1"]),
    ])
}

fn row(text: &str) -> ListedMetric {
    let mut words = text.split(' ');
    let name = words.next().unwrap();
    let mut pairs: Vec<_> = words.map(|word| word.split_once('=').unwrap()).collect();
    ListedMetric::new(name, &mut pairs).unwrap()
}

fn text(query: &Query) -> String {
    let dimensions = query.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| format!(" {name}={value}"));
    dimensions.fold(query.metric.to_owned(), |text, word| text + &word)
}

/// Whose a row is, and the measure: `Channel("x") IngressBytes`.
fn told(row: &ListedMetric, lookup: &Lookup) -> String {
    match classify(row, lookup) {
        Row::Known(resource, measure, _) => format!("{resource:?} {measure:?}"),
        Row::Unknown => "unknown".to_owned(),
        Row::Other => "nobody".to_owned(),
    }
}

/// `G=ChannelGroup, C=Channel …` as AWS's pages say which sets a metric has; `-` is none.
fn rows_of(metric: &str, sets: &str) -> Vec<ListedMetric> {
    let dimension = |letter: char| match letter {
        'C' => ("Channel", X),
        'G' => ("ChannelGroup", X),
        'E' => ("OriginEndpoint", X),
        'I' => ("IngestEndpoint", X),
        'R' => ("RequestType", "segment"),
        'S' => ("StatusCode", "4xx"),
        'Q' => ("StatusCodeRange", "4xx"),
        'O' => ("OuputType", "x"),
        'T' => ("TrackType", "Video"),
        'P' => ("PackagingConfiguration", X),
        other => panic!("{other}"),
    };
    let row = |set: &str| {
        let letters = set.chars().filter(|letter| *letter != '-');
        let mut pairs: Vec<_> = letters.map(dimension).collect();
        ListedMetric::new(metric, &mut pairs).unwrap()
    };
    sets.split(' ').map(row).collect()
}

/// Everything that the pages name: of v1 and VOD, then of v2.
fn pages() -> Vec<ListedMetric> {
    let table = [
        ("ActiveInput", "IE"),
        ("EgressBytes", "C CE - P"),
        ("EgressRequestCount", "C CE Q CQ CEQ - P PQ"),
        ("EgressResponseTime", "C CE P"),
        ("IngressBytes", "C CI -"),
        ("IngressResponseTime", "C CI -"),
        ("EgressBytes", "G R GC GCR GCE GCER"),
        (
            "EgressRequestCount",
            "G R S OS GR GS GRS GC GCR GCE GCS GCER GCRS GCES GCERS",
        ),
        ("EgressResponseTime", "G R GC GCR GCE GCER -"),
        ("IngressBytes", "G GC GCI"),
        ("IngressRequestCount", "G S GS GC GCI GCS GCIS -"),
        ("IngressResponseTime", "G GC GCI"),
        ("ChannelMQCS", "G GC GCT -"),
        ("ChannelMQCSSequence", "G GC -"),
        ("IngressMQCS", "G GC GCI GCIT -"),
        ("IngressMQCSSequence", "G GC GCI -"),
    ];
    let rows = table
        .into_iter()
        .flat_map(|(name, sets)| rows_of(name, sets));
    rows.collect()
}

#[test]
fn of_all_that_is_listed_each_series_is_asked_once_as_it_is_listed() {
    // An ingest endpoint of v1 with the name of everything else.
    let inventory = inventory(vec![
        channel(X, None, &[X]),
        channel("x.x", Some(X), &["1", X]),
    ]);
    let rows = pages();
    let mut catalogue = Catalogue::default();
    catalogue.learn(UnixMs(0), &rows, &inventory);
    let mut asked = Vec::new();
    for (_, plan) in catalogue.plans(&inventory, None, MetricsLevel::Full) {
        asked.extend(plan.iter().map(|series| text(&series.query)));
    }
    let listed: Vec<String> = rows
        .iter()
        .map(|row| {
            let words = row.dimensions();
            let words = words.map(|(name, value)| format!(" {name}={value}"));
            words.fold(row.name().to_owned(), |text, word| text + &word)
        })
        .collect();
    let of_core = asked.iter().filter(|series| !listed.contains(series));
    // Only the class that the pages' rows above do not show.
    let of_core: Vec<&str> = of_core.map(String::as_str).collect();
    let silent = [
        "EgressRequestCount Channel=x StatusCodeRange=5xx",
        "EgressRequestCount Channel=x ChannelGroup=x StatusCode=5xx",
    ];
    assert_eq!(of_core, silent);
    let all = asked.len();
    assert_eq!(catalogue.matched, all - silent.len());
    assert_eq!(catalogue.unmatched, 0);
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all, "a series is asked twice");
    // v1: channel 6 and an input, endpoint 4 and the input; v2: channel 8, two of the input,
    // endpoint 4; VOD 4.
    assert_eq!(catalogue.matched, (6 + 1 + 4 + 1) + (8 + 2 + 4) + 4);
}

#[test]
fn whose_a_series_is_stands_in_its_dimensions() {
    let inventory = mixed();
    let lookup = Lookup::new(&inventory);
    let v1 = "Channel(\"x\")";
    let cases = [
        ("IngressBytes Channel=x", format!("{v1} IngressBytes")),
        (
            "IngressBytes Channel=x IngestEndpoint=guid-1",
            format!("{v1} InputBytes(\"guid-1\")"),
        ),
        // Ingest endpoint 1 is one of each channel of v2, and none of v1.
        ("IngressBytes Channel=x IngestEndpoint=1", "unknown".into()),
        (
            "IngressBytes Channel=x ChannelGroup=x IngestEndpoint=1",
            "Channel(\"x.x\") InputBytes(\"1\")".into(),
        ),
        (
            "IngressMQCS Channel=x ChannelGroup=y IngestEndpoint=1",
            "Channel(\"y.x\") InputMqcs(\"1\")".into(),
        ),
        (
            "IngressMQCS Channel=x ChannelGroup=y IngestEndpoint=2",
            "unknown".into(),
        ),
        (
            "ActiveInput IngestEndpoint=guid-1 OriginEndpoint=x",
            "Endpoint(\"x\") ActiveInput(\"guid-1\")".into(),
        ),
        (
            "ActiveInput IngestEndpoint=1 OriginEndpoint=x",
            "unknown".into(),
        ),
        (
            "EgressBytes Channel=x ChannelGroup=y OriginEndpoint=x",
            "Endpoint(\"y.x.x\") EgressBytes".into(),
        ),
        ("EgressBytes Channel=x ChannelGroup=z", "unknown".into()),
        ("EgressBytes Channel=x.x ChannelGroup=x", "unknown".into()),
        ("EgressBytes Channel=x.x", "unknown".into()),
        ("EgressBytes PackagingConfiguration=y", "unknown".into()),
        // v1 has none of these, and v2 no status in ranges.
        ("IngressRequestCount Channel=x", "nobody".into()),
        ("ChannelMQCS Channel=x", "nobody".into()),
        (
            "IngressMQCS Channel=x IngestEndpoint=guid-1",
            "nobody".into(),
        ),
        (
            "EgressRequestCount Channel=x ChannelGroup=x StatusCodeRange=4xx",
            "nobody".into(),
        ),
        (
            "EgressRequestCount Channel=x StatusCode=4xx",
            "nobody".into(),
        ),
        (
            "EgressRequestCount Channel=x ChannelGroup=x StatusCode=1xx",
            "nobody".into(),
        ),
        ("IngressBytes PackagingConfiguration=x", "nobody".into()),
        (
            "EgressRequestCount PackagingConfiguration=x StatusCodeRange=5xx",
            "Packaging(\"x\") RequestsOf(5)".into(),
        ),
        ("EgressBytes ChannelGroup=x", "nobody".into()),
        ("EgressBytes", "nobody".into()),
    ];
    for (series, wanted) in cases {
        assert_eq!(told(&row(series), &lookup), wanted, "{series}");
    }
}

#[test]
fn a_level_keeps_those_rows_that_it_asks_for() {
    let inventory = mixed();
    let lookup = Lookup::new(&inventory);
    let mut kept = BTreeMap::new();
    for row in pages() {
        let levels = [
            MetricsLevel::Channels,
            MetricsLevel::Standard,
            MetricsLevel::Full,
        ];
        let least = levels.into_iter().find(|level| is_asked(&row, *level));
        let series = told(&row, &lookup);
        assert_eq!(least.is_none(), series == "nobody", "{row:?}");
        for level in levels {
            assert_eq!(is_asked(&row, level), least.is_some_and(|l| l <= level));
        }
        if let Row::Known(resource, measure, _) = classify(&row, &lookup) {
            assert_eq!(least, Some(measure.level(resource.is_channel())));
        }
        *kept.entry(least).or_insert(0) += 1;
    }
    let wanted = [
        // Nobody's.
        (None, pages().len() - 30),
        // The channels' own, and the score of an input.
        (Some(MetricsLevel::Channels), 6 + 8 + 1),
        // Inputs; bytes and requests of two endpoints and a packaging configuration.
        (Some(MetricsLevel::Standard), 2 + 2 * 3),
        (Some(MetricsLevel::Full), 1 + 2 * 3),
    ];
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn rows_of_an_api_of_which_nothing_is_watched_are_nobodys() {
    let mut inventory = Inventory::default();
    let listing = polled::Inventory {
        channels: vec![Channel {
            arn: None,
            ..channel("c", None, &[])
        }],
        endpoints: Vec::new(),
    };
    inventory.apply(listing, &all());
    let mut catalogue = Catalogue::default();
    catalogue.learn(UnixMs(0), &pages(), &inventory);
    // Those of v1 name a channel that is not there; of v2 and VOD none is watched.
    let of_v1 = 1 + 2 + 4 + 2 + 2 + 1;
    assert_eq!((catalogue.matched, catalogue.unmatched), (0, of_v1));
}

#[test]
fn how_vod_is_written_does_not_teach_how_v1_is() {
    let mut inventory = Inventory::default();
    let guid = |id: &str| Channel {
        arn: Some(format!("arn:aws:mediapackage:r:1:channels/guid-{id}")),
        ..channel(id, None, &[])
    };
    let listing = polled::Inventory {
        channels: vec![guid("a"), guid("b"), channel("g.c", Some("g"), &[])],
        endpoints: Vec::new(),
    };
    inventory.apply(listing, &all());
    inventory.apply_vod(vod_of(vec![packaging("p")]));
    let rows = [
        row("EgressBytes Channel=guid-a"),
        row("EgressBytes PackagingConfiguration=p"),
        row("EgressBytes Channel=c ChannelGroup=g"),
    ];
    let mut catalogue = Catalogue::default();
    catalogue.learn(UnixMs(0), &rows, &inventory);
    let plans = catalogue.plans(&inventory, None, MetricsLevel::Full);
    let first = plans.map(|(_, plan)| {
        let bytes = plan.iter().find(|s| s.measure == Measure::EgressBytes);
        text(&bytes.unwrap().query)
    });
    let wanted = [
        "EgressBytes Channel=guid-a",
        "EgressBytes Channel=guid-b",
        "EgressBytes Channel=c ChannelGroup=g",
        "EgressBytes PackagingConfiguration=p",
    ];
    assert_eq!(first.collect::<Vec<_>>(), wanted);
}

#[test]
fn plans_go_on_after_any_of_them() {
    let mut inventory = mixed();
    inventory.apply_vod(vod_of(vec![packaging("a"), packaging(X)]));
    let catalogue = Catalogue::default();
    let plans = |after: Option<&Resource>| -> Vec<Resource> {
        let plans = catalogue.plans(&inventory, after, MetricsLevel::Full);
        plans.map(|(resource, _)| resource).collect()
    };
    let all = plans(None);
    assert_eq!(all.len(), 3 + 2);
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    for (at, resource) in all.iter().enumerate() {
        assert_eq!(plans(Some(resource)), all[at + 1..], "{resource:?}");
    }
}
