use super::*;
use crate::state::model::Tags;
use crate::state::wish::{AlarmsKept, MetricsLevel};
use std::time::Duration;

fn wish() -> Wish {
    Wish {
        include: vec![crate::state::glob::Glob::new("*")],
        exclude: Vec::new(),
        level: MetricsLevel::Standard,
        metrics_interval: Duration::from_secs(300),
        settle: Duration::ZERO,
        ingest_lost_after: Duration::from_secs(300),
        alarms: AlarmsKept::Off,
        alarm_include: Vec::new(),
        alarm_exclude: Vec::new(),
    }
}

fn channel(api: Api, id: &str) -> Channel {
    let group = id.split_once('.').map(|(group, _)| group.to_owned());
    Channel {
        id: id.into(),
        api,
        channel_group: group,
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

fn v1(ids: &[&str]) -> polled::Inventory {
    polled::Inventory {
        channels: ids.iter().map(|id| channel(Api::V1, id)).collect(),
        endpoints: Vec::new(),
    }
}

/// Channels of v2; those with a question mark are not ready.
fn v2(ids: &[&str]) -> Detailed {
    let row = |id: &&str| Row {
        value: channel(Api::V2, id.trim_end_matches('?')),
        known: match id.ends_with('?') {
            true => Known::Little,
            false => Known::Whole,
        },
    };
    Detailed {
        channels: ids.iter().map(row).collect(),
        ..Detailed::default()
    }
}

enum Step {
    V1(&'static [&'static str]),
    V2(&'static [&'static str]),
    Fill(&'static [&'static str]),
}

/// What each step changed: `+` added, `(+)` added and no news, `-` gone.
fn play(steps: &[Step]) -> (Inventory, String) {
    let mut inventory = Inventory::default();
    let mut told = Vec::new();
    for step in steps {
        let changes = match step {
            Step::V1(ids) => inventory.apply(v1(ids), &wish()),
            Step::V2(ids) => inventory.apply_v2(v2(ids), &wish()),
            Step::Fill(ids) => inventory.fill(v2(ids), &wish()),
        };
        let known = |id: &Id| changes.known_before.contains(id);
        let added = changes.channels.added.iter();
        let added = added.map(|id| format!("{}{id}", if known(id) { "(+)" } else { "+" }));
        let removed = changes.channels.removed.iter().map(|id| format!("-{id}"));
        told.push(added.chain(removed).collect::<Vec<_>>().join(" "));
    }
    (inventory, told.join(" | "))
}

#[test]
fn each_api_is_complete_by_itself() {
    use Step::{Fill, V1, V2};
    let cases: [(&[Step], &str); 7] = [
        (&[V1(&["a"]), V2(&["g.a"])], "(+)a | (+)g.a"),
        (
            &[V1(&["a"]), V2(&["g.a"]), V1(&[]), V2(&["g.a"]), V1(&[])],
            "(+)a | (+)g.a |  |  | -a",
        ),
        (
            &[V1(&["a"]), V2(&["g.a"]), V2(&[]), V1(&["a"]), V2(&[])],
            "(+)a | (+)g.a |  |  | -g.a",
        ),
        // What waits is added when it is known, and is news when the first listing lacked it.
        (
            &[V2(&["g.a?"]), V2(&["g.a?", "g.b?"]), Fill(&["g.a", "g.b"])],
            " |  | (+)g.a +g.b",
        ),
        // Forgotten and not known yet again, it stays as it was.
        (
            &[V2(&["g.a"]), V2(&[]), V2(&["g.a?"]), V2(&[])],
            "(+)g.a |  |  | ",
        ),
        // Filling is no listing: it takes nothing away.
        (
            &[V2(&["g.a", "g.b"]), V2(&["g.a"]), Fill(&["g.a"])],
            "(+)g.a (+)g.b |  | ",
        ),
        // An id that another API has is its own.
        (&[V1(&["x"]), V2(&["x"]), V2(&[]), V2(&[])], "(+)x |  |  | "),
    ];
    for (steps, told) in cases {
        assert_eq!(play(steps).1, told);
    }
}

#[test]
fn what_waits_counts_and_is_named_by_its_group() {
    let (inventory, _) = play(&[Step::V1(&["a"]), Step::V2(&["g.a", "g.b?", "h.c?"])]);
    assert_eq!(inventory.counts().0, 4);
    assert_eq!(inventory.channels().count(), 2);
    assert_eq!(inventory.waiting(), 2);
    assert_eq!(inventory.channels_of("g"), ["g.a".into(), "g.b".into()]);
    assert_eq!(inventory.listings_of(MediaApi::V2), 1);
    assert_eq!(inventory.listings(), 2);
    let (inventory, _) = play(&[Step::V2(&["g.a?"]), Step::V2(&[])]);
    assert_eq!((inventory.waiting(), inventory.counts().0), (0, 0));
}
