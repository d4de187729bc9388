//! Which resource is got next, minute by minute.

use std::collections::VecDeque;

use super::*;
use crate::state::model::{Api, Id, Tags};

const T0: Mono = Mono(Duration::from_secs(1000));

fn at(ms: u64) -> Mono {
    T0.after(Duration::from_millis(ms))
}

fn group_named(name: &str) -> Resource {
    Resource::ChannelGroup { group: name.into() }
}

fn group_row(name: &str, modified_at: Option<i64>) -> Listed<ChannelGroup> {
    Listed {
        resource: group_named(name),
        value: ChannelGroup {
            id: name.into(),
            arn: None,
            description: None,
            created_at: None,
            modified_at: modified_at.map(UnixMs),
            egress_domain: None,
            tags: Tags::new(),
        },
    }
}

/// A listing of groups alone; they stand for all kinds.
fn listing(rows: &[(&str, Option<i64>)]) -> Listing {
    let groups = rows.iter().map(|(name, at)| group_row(name, *at));
    Listing {
        groups: groups.collect(),
        ..Listing::default()
    }
}

fn got(modified_at: Option<i64>, domain: &str) -> Got {
    Got {
        modified_at: modified_at.map(UnixMs),
        detail: Detail::ChannelGroup {
            egress_domain: Some(domain.into()),
            tags: Tags::new(),
        },
    }
}

fn names(batch: &[Resource]) -> String {
    let ids: Vec<Id> = batch.iter().map(Resource::id).collect();
    ids.join(" ")
}

/// One thing that happens to the planner, at a moment in milliseconds.
enum Step<'a> {
    /// A listing with these dates of last change, in milliseconds.
    List(&'a [(&'a str, Option<i64>)]),
    /// What `next` hands out.
    Next(&'a str),
    /// This was got, with its date of last change.
    Took(&'a str, Option<i64>),
    /// This could not be got.
    Failed(&'a str, FaultKind),
    /// When `next` is to be called, in milliseconds.
    Due(Option<u64>),
}
use Step::{Due, Failed, List, Next, Took};

fn play(name: &str, steps: &[(u64, Step)]) {
    let mut details = Details::default();
    for (n, (ms, step)) in steps.iter().enumerate() {
        let now = at(*ms);
        match step {
            List(rows) => details.listed(&listing(rows), now),
            Next(wanted) => assert_eq!(names(&details.next(now)), *wanted, "{name}, step {n}"),
            Took(id, modified) => details.took(&group_named(id), got(*modified, "d"), now),
            Failed(id, kind) => details.failed(&group_named(id), *kind, now),
            Due(ms) => assert_eq!(details.due(), ms.map(at), "{name}, step {n}"),
        }
    }
}

const MINUTE: u64 = 60_000;
const HALF_HOUR: u64 = 30 * MINUTE;

#[test]
fn what_is_new_or_changed_is_got_once() {
    let one: &[(&str, Option<i64>)] = &[("a", Some(10_000))];
    let later: &[(&str, Option<i64>)] = &[("a", Some(20_000))];
    play(
        "new",
        &[
            (0, Due(None)),
            (0, Next("")),
            (0, List(one)),
            (0, Due(Some(0))),
            (5, Next("a")),
            (5, Due(None)),
            (9, Took("a", Some(10_000))),
            (MINUTE, List(one)),
            (MINUTE, Next("")),
            (MINUTE, List(later)),
            (MINUTE, Next("a")),
            (MINUTE, Took("a", Some(20_000))),
            (2 * MINUTE, List(later)),
            (2 * MINUTE, Next("")),
        ],
    );
    play(
        "the listing is behind",
        &[
            (0, List(one)),
            (0, Next("a")),
            (0, Took("a", Some(20_000))),
            (MINUTE, List(one)),
            (MINUTE, Next("")),
            (2 * MINUTE, List(later)),
            (2 * MINUTE, Next("")),
        ],
    );
    play(
        "it changed while it was got",
        &[
            (0, List(one)),
            (0, Next("a")),
            (0, List(later)),
            (100, Took("a", Some(10_000))),
            (100, Due(Some(1000))),
            (1000, Next("a")),
        ],
    );
    play(
        "what is got is behind the listing: twice as long each time",
        &[
            (0, List(later)),
            (0, Next("a")),
            (0, Took("a", Some(10_000))),
            (0, Due(Some(30_000))),
            (30_000, Next("a")),
            (30_000, Took("a", Some(10_000))),
            (30_000, Due(Some(90_000))),
            (90_000, Next("a")),
            (90_000, Took("a", Some(20_000))),
            (90_000, List(later)),
            (90_000, Next("")),
        ],
    );
    let rounded: &[(&str, Option<i64>)] = &[("a", Some(10_999))];
    play(
        "dates are rounded",
        &[
            (0, List(rounded)),
            (0, Next("a")),
            (0, Took("a", Some(10_000))),
            (MINUTE, List(rounded)),
            (MINUTE, Next("")),
        ],
    );
    let undated: &[(&str, Option<i64>)] = &[("a", None)];
    play(
        "without dates",
        &[
            (0, List(undated)),
            (0, Next("a")),
            (0, Took("a", None)),
            (MINUTE, List(undated)),
            (MINUTE, Next("")),
            (MINUTE, List(one)),
            (MINUTE, Next("a")),
        ],
    );
    play(
        "it went and came back",
        &[
            (0, List(one)),
            (0, Next("a")),
            (0, Took("a", Some(10_000))),
            (MINUTE, List(&[])),
            (MINUTE, Due(None)),
            (2 * MINUTE, List(one)),
            (2 * MINUTE, Next("a")),
        ],
    );
    play(
        "it went while it was got",
        &[
            (0, List(one)),
            (0, Next("a")),
            (0, List(&[])),
            (0, Took("a", Some(10_000))),
            (0, Failed("a", FaultKind::Server)),
            (0, Due(None)),
            (MINUTE, Next("")),
        ],
    );
}

#[test]
fn a_failure_holds_up_the_resource_or_all_of_them() {
    let two: &[(&str, Option<i64>)] = &[("a", Some(1)), ("b", Some(1))];
    use FaultKind::*;
    for kind in [Permission, Server, Refused, Answer] {
        play(
            "this one",
            &[
                (0, List(two)),
                (0, Next("a b")),
                (10, Failed("a", kind)),
                (10, Took("b", Some(1))),
                (10, Due(Some(30_010))),
                (20_000, List(&[("a", Some(5_000)), ("b", Some(1))])),
                (20_000, Next("")),
                (30_010, Next("a")),
                (30_010, Failed("a", kind)),
                (30_010, Due(Some(90_010))),
                (90_010, Next("a")),
                (90_010, Took("a", Some(5_000))),
                (100_000, List(&[("a", Some(9_000)), ("b", Some(1))])),
                (100_000, Next("a")),
                (100_000, Failed("a", kind)),
                (100_000, Due(Some(130_000))),
            ],
        );
    }
    for kind in [Credentials, Throttled, Clock, Network] {
        play(
            "all",
            &[
                (0, List(two)),
                (0, Next("a b")),
                (10, Failed("a", kind)),
                (10, Due(Some(5_010))),
                (5_009, Next("")),
                (5_010, Next("a b")),
                (5_010, Failed("a", kind)),
                (5_010, Due(Some(15_010))),
                (15_010, Next("a b")),
                (15_010, Took("a", Some(1))),
                (15_010, Failed("b", kind)),
                (15_010, Due(Some(20_010))),
            ],
        );
    }
    play(
        "stopped",
        &[
            (0, List(two)),
            (0, Next("a b")),
            (10, Failed("a", Stopped)),
            (10, Due(Some(1000))),
        ],
    );
    play(
        "a batch that was not answered",
        &[
            (0, List(two)),
            (0, Next("a b")),
            (10, Took("b", Some(1))),
            (2000, Next("a")),
        ],
    );
}

#[test]
fn at_most_ten_are_got_in_a_second_and_who_waits_longest_is_first() {
    let many: Vec<String> = (10..35).map(|n| format!("g{n}")).collect();
    let rows: Vec<(&str, Option<i64>)> = many.iter().map(|n| (n.as_str(), Some(1))).collect();
    let mut details = Details::default();
    details.listed(&listing(&rows[5..]), at(0));
    details.listed(&listing(&rows), at(500));
    let mut batches = Vec::new();
    for ms in (500..4000).step_by(100) {
        let batch = details.next(at(ms));
        for resource in &batch {
            details.took(resource, got(Some(1), "d"), at(ms + 50));
        }
        if !batch.is_empty() {
            batches.push((ms, names(&batch[..1]), batch.len()));
        }
    }
    let first = |name: &str| String::from(name);
    let wanted = [
        (500, first("g15"), 10),
        (1500, first("g25"), 10),
        (2500, first("g10"), 5),
    ];
    assert_eq!(batches, wanted);
}

#[test]
fn every_resource_is_swept_each_half_hour_and_evenly() {
    for count in [1, 2, 7, 333, 2000] {
        let many: Vec<String> = (0..count).map(|n| format!("g{n:04}")).collect();
        let rows: Vec<(&str, Option<i64>)> = many.iter().map(|n| (n.as_str(), Some(1))).collect();
        let mut details = Details::default();
        details.listed(&listing(&rows), at(0));
        let mut times: BTreeMap<Resource, Vec<Mono>> = BTreeMap::new();
        while let Some(now) = details.due()
            && now < at(4 * HALF_HOUR)
        {
            for resource in details.next(now) {
                details.took(&resource, got(Some(1), "d"), now);
                times.entry(resource).or_default().push(now);
            }
        }
        assert_eq!(times.len(), count);
        for (resource, times) in times {
            assert!(
                (4..=5).contains(&times.len()),
                "{count} {resource:?} {times:?}"
            );
            let gaps = times.windows(2).map(|pair| pair[1].since(pair[0]));
            let longest = gaps.max().unwrap();
            assert!(longest <= SWEEP + BATCH_PAUSE * 2, "{count}: {longest:?}");
        }
    }
}

#[test]
fn turns_of_the_sweep_that_were_missed_are_not_made_up_for() {
    let many: Vec<String> = (0..100).map(|n| format!("g{n:03}")).collect();
    let rows: Vec<(&str, Option<i64>)> = many.iter().map(|n| (n.as_str(), Some(1))).collect();
    let mut details = Details::default();
    details.listed(&listing(&rows), at(0));
    for second in 0..10 {
        for resource in details.next(at(second * 1000)) {
            details.took(&resource, got(Some(1), "d"), at(second * 1000));
        }
    }
    let day = 48 * HALF_HOUR;
    for (ms, count) in [(day, 10), (day + 1000, 0), (day + 18_000, 1)] {
        let batch = details.next(at(ms));
        assert_eq!(batch.len(), count, "{ms}");
        for resource in batch {
            details.took(&resource, got(Some(1), "d"), at(ms));
        }
    }
}

#[test]
fn a_listing_is_filled_with_what_is_known_in_detail() {
    let (group, channel, endpoint) = (Id::from("g"), Id::from("c"), Id::from("e"));
    let of_channel = Resource::Channel {
        group: group.clone(),
        channel: channel.clone(),
    };
    let of_endpoint = Resource::Endpoint {
        group,
        channel,
        endpoint,
    };
    let mut list = listing(&[("g", Some(1)), ("other", Some(1))]);
    list.channels.push(Listed {
        resource: of_channel.clone(),
        value: channel_of(&of_channel),
    });
    list.endpoints.push(Listed {
        resource: of_endpoint.clone(),
        value: endpoint_of(&of_endpoint),
    });
    let mut details = Details::default();
    details.listed(&list, at(0));
    assert_eq!(names(&details.next(at(0))), "g other g.c g.c.e");
    let tags = Tags::from_iter([("k".into(), "v".into())]);
    let details_got = [
        Detail::ChannelGroup {
            egress_domain: Some("host".into()),
            tags: tags.clone(),
        },
        Detail::Channel {
            ingest_endpoints: vec![crate::state::model::IngestEndpoint {
                id: "1".into(),
                url: None,
            }],
            tags: tags.clone(),
        },
        Detail::Endpoint {
            segment_duration_seconds: Some(6),
            encrypted: Some(true),
            startover_window_seconds: Some(300),
            tags: tags.clone(),
        },
    ];
    assert_eq!(
        details.complete(list.clone()).1.endpoints[0].encrypted,
        None
    );
    for (resource, detail) in [group_named("g"), of_channel, of_endpoint]
        .iter()
        .zip(details_got)
    {
        let got = Got {
            modified_at: None,
            detail,
        };
        details.took(resource, got, at(1));
    }
    assert_eq!(details.untried(), 1);
    details.failed(&group_named("other"), FaultKind::Permission, at(1));
    assert_eq!(details.untried(), 0);

    let (groups, inventory) = details.complete(list);
    let domains: Vec<_> = groups.iter().map(|g| g.egress_domain.as_deref()).collect();
    assert_eq!(domains, [Some("host"), None]);
    let (channel, endpoint) = (&inventory.channels[0], &inventory.endpoints[0]);
    assert_eq!([&groups[0].tags, &channel.tags, &endpoint.tags], [&tags; 3]);
    assert_eq!(channel.ingest_endpoints[0].id, "1");
    let shown = (
        endpoint.encrypted,
        endpoint.segment_duration_seconds,
        endpoint.startover_window_seconds,
    );
    assert_eq!(shown, (Some(true), Some(6), Some(300)));
}

fn channel_of(resource: &Resource) -> Channel {
    Channel {
        id: resource.id(),
        api: Api::V2,
        channel_group: None,
        arn: None,
        description: None,
        created_at: None,
        modified_at: None,
        ingest_endpoints: Vec::new(),
        input_type: None,
        tags: Tags::new(),
        egress_access_logs: None,
        ingress_access_logs: None,
    }
}

fn endpoint_of(resource: &Resource) -> Endpoint {
    Endpoint {
        id: resource.id(),
        api: Api::V2,
        channel_id: None,
        arn: None,
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

#[test]
fn a_listing_of_too_many_is_not_held_whole() {
    let many: Vec<String> = (0..RESOURCES_MAX + 5).map(|n| format!("g{n:06}")).collect();
    let rows: Vec<(&str, Option<i64>)> = many.iter().map(|n| (n.as_str(), Some(1))).collect();
    let mut details = Details::default();
    details.listed(&listing(&rows), at(0));
    assert_eq!(details.untried(), RESOURCES_MAX);
}

/// Each resource is in the set of its place, and in no other.
fn check_places(details: &Details, seed: u64) {
    let in_sets = details.wanted.len() + details.swept.len() + details.asked.len();
    assert_eq!(in_sets, details.held.len(), "seed {seed}");
    for (resource, held) in &details.held {
        let there = match held.place {
            Place::Wanted(at) => details.wanted.contains(&(at, resource.clone())),
            Place::Swept(at) => details.swept.contains(&(at, resource.clone())),
            Place::Asked(_) => details.asked.contains(resource),
        };
        assert!(there, "seed {seed}: {resource:?} {held:?}");
    }
}

/// AWS changes, lies, fails and recovers; in the end everything is known as it is.
fn storm(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut details = Details::default();
    let mut truth: BTreeMap<String, i64> = BTreeMap::new();
    let mut asked: VecDeque<u64> = VecDeque::new();
    let mut now_ms = 0;
    for step in 0..3000 {
        let calm = step > 2000;
        now_ms += rng.u64(1..if calm { 9000 } else { 3000 });
        let now = at(now_ms);
        match rng.u8(..6) {
            0 if !calm => {
                let name = format!("g{:02}", rng.u8(..40));
                truth.insert(name, now_ms as i64);
            }
            1 if !calm => drop(truth.remove(&format!("g{:02}", rng.u8(..40)))),
            2 => {
                let lag = if calm { 0 } else { rng.i64(0..2000) };
                let rows = truth.iter().map(|(n, at)| (n.as_str(), Some(at - lag)));
                details.listed(&listing(&rows.collect::<Vec<_>>()), now);
            }
            _ => {
                let batch = details.next(now);
                assert!(details.due().is_none_or(|due| due > now), "seed {seed}");
                for resource in &batch {
                    asked.push_back(now_ms);
                    let known = truth.get(&*resource.id()).copied();
                    match rng.u8(..8) {
                        0 | 1 if !calm => {
                            use FaultKind::*;
                            let kinds = [Permission, Server, Network, Throttled, Answer, Stopped];
                            details.failed(resource, kinds[rng.usize(..6)], now);
                        }
                        2 if !calm => {}
                        3 if !calm && known.is_some() => {
                            let old = known.map(|at| at - 5000);
                            details.took(resource, got(old, "old"), now);
                        }
                        _ => match known {
                            Some(at) => details.took(resource, got(Some(at), &at.to_string()), now),
                            None => details.failed(resource, FaultKind::Refused, now),
                        },
                    }
                }
            }
        }
        while asked.front().is_some_and(|first| first + 1000 <= now_ms) {
            asked.pop_front();
        }
        assert!(asked.len() <= BATCH_MAX, "seed {seed}");
        assert!(details.held.len() <= 40, "seed {seed}");
        check_places(&details, seed);
    }
    let rows: Vec<_> = truth
        .iter()
        .map(|(n, at)| (n.as_str(), Some(*at)))
        .collect();
    for group in details.complete(listing(&rows)).0 {
        let wanted = truth[&*group.id].to_string();
        assert_eq!(
            group.egress_domain,
            Some(wanted),
            "seed {seed}: {}",
            group.id
        );
    }
}

#[test]
fn after_a_storm_everything_is_known_as_it_is() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(1..30, |seed: u64| seed..seed + 1);
    for seed in seeds {
        eprintln!("seed {seed}");
        storm(seed);
    }
}
