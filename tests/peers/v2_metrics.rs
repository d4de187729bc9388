//! The region's metrics of v2 and VOD: which sets of dimensions there are, and what stops.

use std::collections::{BTreeMap, BTreeSet};

use super::region::series::key;
use super::region::{Clock, World};

/// 2026-11-22T10:00:00Z.
const NOW_MS: i64 = 1_795_341_600_000;
const MINUTE: i64 = NOW_MS / 60_000;

fn world() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(1, 1)
        .with_groups(2, 1, 2)
        .with_packaging(1, 2);
    world.clock = Clock::Fixed(NOW_MS);
    world.standard_metrics()
}

/// One letter for each dimension of v2; an ingest endpoint of v1 is told apart by what is with it.
const LETTERS: [(&str, &str); 9] = [
    ("ChannelGroup", "G"),
    ("Channel", "C"),
    ("OriginEndpoint", "E"),
    ("IngestEndpoint", "I"),
    ("RequestType", "R"),
    ("StatusCode", "S"),
    ("TrackType", "T"),
    ("PackagingConfiguration", "P"),
    ("StatusCodeRange", "N"),
];

/// The guides' tables: the sets of each metric.
const TABLE: [(&str, &str); 10] = [
    ("EgressBytes", "- G R GC GR GCE GCR GCER P"),
    (
        "EgressRequestCount",
        "- G R S GC GR GS GCE GCR GCS GRS GCER GCES GCRS GCERS P PN",
    ),
    ("EgressResponseTime", "- G R GC GR GCE GCR GCER P"),
    ("IngressBytes", "- G GC GCI"),
    ("IngressRequestCount", "- G S GC GS GCI GCS GCIS"),
    ("IngressResponseTime", "- G GC GCI"),
    ("ChannelMQCS", "- G GC GCT"),
    ("ChannelMQCSSequence", "- G GC"),
    ("IngressMQCS", "- G GC GCI GCIT"),
    ("IngressMQCSSequence", "- G GC GCI"),
];

#[test]
fn v2_and_vod_have_the_sets_of_dimensions_of_the_guides_and_no_other() {
    let world = World::new("eu-central-1")
        .with_groups(2, 2, 2)
        .with_packaging(1, 2)
        .standard_metrics();
    let mut sets: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for series in world.metrics.iter() {
        let has = |name: &str| series.dimensions.iter().any(|(n, _)| n == name);
        let letters = LETTERS.iter().filter(|(name, _)| has(name));
        let set: String = letters.map(|(_, letter)| *letter).collect();
        assert_eq!(
            set.len(),
            series.dimensions.len(),
            "{:?}",
            series.dimensions
        );
        let set = if set.is_empty() { "-".into() } else { set };
        sets.entry(&series.name).or_default().insert(set);
    }
    let table = TABLE.map(|(name, sets)| {
        let sets = sets.split(' ').map(str::to_owned);
        (name, sets.collect::<BTreeSet<_>>())
    });
    assert_eq!(sets, table.into());
}

#[test]
fn a_channel_of_v2_is_told_from_one_of_v1_by_its_group_only() {
    let mut world = world();
    let v1 = key("EgressBytes", [("Channel", "ch-0000")].into_iter());
    let of_group = |group| {
        let dimensions = [("Channel", "ch-0000"), ("ChannelGroup", group)];
        key("EgressBytes", dimensions.into_iter())
    };
    let keys = [v1, of_group("group-0"), of_group("group-1")];
    let value = |world: &World, key| world.metrics.get(key).unwrap().at(MINUTE - 1, NOW_MS);
    let values: BTreeSet<String> = keys
        .iter()
        .map(|k| format!("{:?}", value(&world, k)))
        .collect();
    assert_eq!(values.len(), 3, "all have points, and others: {values:?}");
    world.remove_channel_v2("group-0.ch-0000");
    world.clock = Clock::Fixed(NOW_MS + 120_000);
    let now: Vec<bool> = keys
        .iter()
        .map(|k| {
            world
                .metrics
                .get(k)
                .unwrap()
                .at(MINUTE, NOW_MS + 120_000)
                .is_some()
        })
        .collect();
    assert_eq!(now, [true, false, true]);
}

/// Which series have a point in the minute under way, of those that had one before.
fn silent(world: &World) -> BTreeSet<String> {
    let late = NOW_MS + 120_000;
    let all = world.metrics.iter();
    let stopped = all.filter(|s| {
        let before = (MINUTE - 60..MINUTE).any(|m| s.at(m, late).is_some());
        before && (MINUTE..MINUTE + 2).all(|m| s.at(m, late).is_none())
    });
    let stopped = stopped.filter(|s| !s.dimensions.iter().any(|(_, v)| v == "5xx"));
    stopped
        .map(|s| format!("{} {:?}", s.name, s.dimensions))
        .collect()
}

#[test]
fn one_input_or_all_ingest_of_one_channel_falls_silent_and_comes_back() {
    let (id, group) = ("group-0.ch-0000", "(\"ChannelGroup\", \"group-0\")");
    type Do = fn(&mut World, &str);
    let cases: [(&str, Do, Do, usize); 2] = [
        (
            "an input",
            |w, id| w.stop_input(id, 1, MINUTE),
            |w, id| w.start_input(id, 1, MINUTE),
            // Bytes, requests and time, three statuses, two scores, three tracks.
            11,
        ),
        (
            "all ingest",
            |w, id| w.stop_ingest(id, MINUTE),
            |w, id| w.start_ingest(id, MINUTE),
            // The same of the other input and of the channel, and the channel's own scores:
            // two, and three tracks; no tracks of what comes in.
            11 + 11 + 8 + 5,
        ),
    ];
    for (what, stop, start, count) in cases {
        let mut world = world();
        stop(&mut world, id);
        let stopped = silent(&world);
        assert_eq!(stopped.len(), count, "{what}: {stopped:#?}");
        assert!(
            stopped
                .iter()
                .all(|s| s.contains(group) && s.contains("\"Channel\""))
        );
        let input = world.channel_v2(id).ingest[1].id.clone();
        let bytes = |s: &&String| s.starts_with("IngressBytes ") && s.contains(&input);
        assert_eq!(stopped.iter().filter(bytes).count(), 1, "{what}");
        start(&mut world, id);
        assert!(silent(&world).is_empty(), "{what}");
    }
}

#[test]
fn the_account_of_the_issue_is_made_and_counted() {
    let world = World::new("eu-central-1").with_groups(3, 10, 10);
    let v2 = &world.v2;
    assert_eq!(
        (v2.groups.len(), v2.channels.len(), v2.endpoints.len()),
        (3, 30, 300)
    );
    let ids: BTreeSet<String> = v2.endpoints.iter().map(|e| e.id()).collect();
    assert_eq!(ids.len(), 300);
    assert!(ids.contains("group-2.ch-0009.cmaf-3"), "{ids:?}");
}
