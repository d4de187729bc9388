//! What those are shown who look at the local page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::region::alarm;
use super::rig::time_of;
use super::*;
use crate::engine::Event;
use crate::engine::look::{Look, Shown, Sight, Text};
use crate::engine::outbox::Change;
use crate::engine::settings::Settings;
use crate::state::alarms::Via;
use crate::state::push::{Reason, Refusals};
use crate::state::time::UnixMs;
use crate::topics::openmetrics::Format;

const PREFIX: &str = "mp/x/";
/// What a page is shown at once; more is shown as a whole.
const CHANNELS_OF_MANY: usize = 1_100;
/// Less than that.
const CHANNELS_OF_SOME: usize = 150;
/// So that what they tell is much all the same.
const DESCRIPTION_BYTES: usize = 10_000;

fn with_page(region: Region, change: impl FnOnce(&mut Settings)) -> Rig {
    Rig::with(region, |settings| {
        settings.page = Some(String::from("run"));
        change(settings);
    })
}

fn site(ids: &[&str]) -> Rig {
    let mut rig = with_page(live(ids), |_| {});
    rig.to(60);
    rig
}

fn look(rig: &mut Rig, at: Sight) -> Shown {
    const REQUEST: u64 = 7;
    let request = REQUEST;
    rig.handle(Event::Look(Look { request, at }));
    let (answered, shown) = rig.shown.pop().unwrap();
    assert_eq!((answered, rig.shown.len()), (REQUEST, 0));
    shown
}

fn topics(rig: &mut Rig, since: Option<Change>, known: &[Change]) -> (Change, Option<Text>) {
    let known = known.to_vec();
    match look(rig, Sight::Topics { since, known }) {
        Shown::Topics(change, text) => (change, text),
        other => panic!("{other:?}"),
    }
}

/// A document with its number.
fn document(rig: &mut Rig, since: Option<Change>) -> (Change, Value) {
    let (change, text) = topics(rig, since, &[]);
    let document: Value = serde_json::from_slice(&text.unwrap()).unwrap();
    assert_eq!(document["tag"], format!("run-{change}"));
    (change, document)
}

fn names(document: &Value) -> BTreeSet<String> {
    let topics = document["topics"].as_object().unwrap();
    topics
        .keys()
        .map(|name| name[PREFIX.len()..].to_owned())
        .collect()
}

fn hour(rig: &mut Rig, id: &str) -> Option<Value> {
    match look(rig, Sight::History(id.to_owned())) {
        Shown::History(text) => text.map(|text| serde_json::from_str(&text).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Why not all is well.
fn reasons(rig: &mut Rig) -> Vec<String> {
    let Shown::Health(is_well, text) = look(rig, Sight::Health) else {
        panic!("no health");
    };
    let said: Value = serde_json::from_str(&text).unwrap();
    let reasons: Vec<String> = serde_json::from_value(said["reasons"].clone()).unwrap();
    assert_eq!(is_well, reasons.is_empty());
    assert_eq!(said["status"], if is_well { "ok" } else { "failing" });
    reasons
}

#[test]
fn the_wanted_topics_are_shown_as_the_broker_has_them_whether_it_is_there_or_not() {
    let mut rig = with_page(live(&["a", "b"]), |settings| {
        settings.flat = true;
        settings.home_assistant.enabled = true;
        settings.listens = true;
    });
    rig.region.alarms.push(alarm("low", "ALARM", rig.aws_now()));
    rig.to(600);
    let (_, shown) = document(&mut rig, None);
    assert_eq!(shown["prefix"], PREFIX);
    let now = UnixMs::parse(shown["now"].as_str().unwrap()).unwrap();
    assert!(rig.aws_now().0 - now.0 < 10, "{now}");
    // Flat topics repeat others.
    let plain = |name: &str| name.starts_with("mp/x/source/") || name == "mp/x/status";
    let kept = rig.broker.retained.iter();
    let kept = kept.filter(|(name, text)| plain(name) || text.starts_with('{'));
    let kept: BTreeMap<String, Value> = kept
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, text)| {
            let payload = match plain(name) {
                true => json!(text),
                false => serde_json::from_str(text).unwrap(),
            };
            (name.clone(), payload)
        })
        .collect();
    assert!(kept.len() > 15, "{kept:?}");
    assert_eq!(shown["topics"], json!(kept));

    rig.broker.up = false;
    rig.lose_broker();
    rig.region.channels.get_mut("a").unwrap().description = Some("new".into());
    rig.minutes(2);
    let (_, shown) = document(&mut rig, None);
    assert_eq!(shown["topics"]["mp/x/channel/a"]["description"], "new");
    assert_eq!(shown["topics"]["mp/x/status"], "online");
    rig.broker.up = true;
    rig.minutes(2);
    let (_, shown) = document(&mut rig, None);
    let held = &rig.broker.retained["mp/x/channel/a"];
    assert_eq!(
        shown["topics"]["mp/x/channel/a"].to_string(),
        reordered(held)
    );
}

/// The same JSON with its keys in order.
fn reordered(text: &str) -> String {
    serde_json::from_str::<Value>(text).unwrap().to_string()
}

#[test]
fn who_has_a_document_gets_what_changed_since() {
    type Change_ = fn(&mut Rig);
    // What happens, what comes of it at least, and whether the whole has to be shown.
    let cases: [(&str, Change_, &[&str], bool); 5] = [
        ("nothing", |_| {}, &[], false),
        (
            "a channel changes",
            |rig| rig.region.channels.get_mut("a").unwrap().description = Some("new".into()),
            &["channel/a"],
            false,
        ),
        (
            "an alarm comes",
            |rig| {
                let now = rig.aws_now();
                rig.region.alarms.push(alarm("low", "ALARM", now));
            },
            &["alarm/low", "summary"],
            false,
        ),
        (
            "a channel comes",
            |rig| rig.region.add_live("new", ALWAYS),
            &["channel/new", "endpoint/new-hls", "channel/new/health"],
            false,
        ),
        (
            "a channel goes",
            |rig| {
                rig.region.channels.remove("b");
                rig.region.endpoints.remove("b-hls");
            },
            &["channel/a"],
            true,
        ),
    ];
    for (name, happens, wanted, is_whole) in cases {
        let mut rig = site(&["a", "b"]);
        let (before, whole) = document(&mut rig, None);
        assert_eq!(
            (&whole["whole"], names(&whole).len()),
            (&json!(true), 17),
            "{name}"
        );
        happens(&mut rig);
        rig.run_for(Duration::from_secs(150));
        let (_, part) = document(&mut rig, Some(before));
        assert_eq!(part["whole"], is_whole, "{name}");
        let shown = names(&part);
        let missing = wanted.iter().find(|topic| !shown.contains(**topic));
        assert_eq!(missing, None, "{name}: {shown:?}");
        if !is_whole {
            assert!(!shown.contains("channel/b"), "{name}: {shown:?}");
        }
        // Laid over what was there it is the whole.
        let (_, now) = document(&mut rig, None);
        let mut laid = if is_whole {
            json!({})
        } else {
            whole["topics"].clone()
        };
        let part = part["topics"].as_object().unwrap().clone();
        laid.as_object_mut().unwrap().extend(part);
        assert_eq!(laid, now["topics"], "{name}");
    }
}

#[test]
fn an_unknown_number_brings_the_whole_and_a_known_one_nothing() {
    let mut rig = site(&["a"]);
    let (change, _) = document(&mut rig, None);
    for since in [change + 1, Change::MAX] {
        let (_, shown) = document(&mut rig, Some(since));
        assert_eq!(shown["whole"], true, "{since}");
    }
    assert_eq!(
        topics(&mut rig, None, &[change + 7, change]),
        (change, None)
    );
    assert_eq!(topics(&mut rig, Some(change), &[change]), (change, None));
    assert!(topics(&mut rig, None, &[change + 7]).1.is_some());
}

#[test]
fn however_many_ask_a_document_is_made_once_a_second() {
    let mut rig = site(&["a"]);
    let (first, text) = topics(&mut rig, None, &[]);
    let text = text.unwrap();
    for _ in 0..100 {
        rig.region.channels.get_mut("a").unwrap().description = Some("new".into());
        rig.run_for(Duration::from_millis(9));
        let (change, again) = topics(&mut rig, None, &[]);
        assert_eq!(change, first);
        assert!(Arc::ptr_eq(&again.unwrap(), &text));
    }
    // What changes by the minute is shown later: there are many looks in that time.
    let mut made = 0;
    let mut last = text;
    for _ in 0..600 {
        rig.run_for(Duration::from_millis(500));
        let (_, now) = topics(&mut rig, None, &[]);
        let now = now.unwrap();
        made += i32::from(!Arc::ptr_eq(&last, &now));
        last = now;
    }
    assert!((5..=60).contains(&made), "{made} in five minutes");
}

#[test]
fn metrics_are_made_once_a_second_in_each_form_and_then_let_go() {
    let mut rig = site(&["a"]);
    let scrape = |rig: &mut Rig, format| match look(rig, Sight::Metrics(format)) {
        Shown::Metrics(shown, text) if shown == format => text,
        other => panic!("{other:?}"),
    };
    let forms = [Format::Text, Format::OpenMetrics];
    let first = forms.map(|form| scrape(&mut rig, form));
    assert_ne!(first[0], first[1]);
    rig.run_for(Duration::from_millis(900));
    let again = forms.map(|form| scrape(&mut rig, form));
    for (first, again) in first.iter().zip(&again) {
        assert!(Arc::ptr_eq(first, again));
    }
    let made = first.map(|text| Arc::downgrade(&text));
    drop(again);
    rig.run_for(Duration::from_secs(2));
    assert!(made.iter().all(|text| text.upgrade().is_none()));
}

#[test]
fn the_document_is_let_go_when_nobody_asks() {
    let mut rig = site(&["a"]);
    let (_, text) = topics(&mut rig, None, &[]);
    let text = Arc::downgrade(&text.unwrap());
    rig.run_for(Duration::from_secs(59));
    assert!(text.upgrade().is_some());
    rig.run_for(Duration::from_secs(2));
    assert!(text.upgrade().is_none());
}

#[test]
fn much_that_changed_is_shown_as_a_whole_that_all_share() {
    let ids: Vec<String> = (0..CHANNELS_OF_MANY).map(|n| format!("c{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    // So many cost much.
    let mut rig = with_page(live(&ids), |settings| settings.monthly_budget_usd = 0.0);
    rig.to(60);
    let (before, _) = topics(&mut rig, None, &[]);
    rig.region.channels.get_mut("c0").unwrap().description = Some("new".into());
    rig.run_for(Duration::from_secs(70));
    let (change, little) = document(&mut rig, Some(before));
    assert_eq!(
        (&little["whole"], names(&little).contains("channel/c0")),
        (&json!(false), true)
    );
    // All metrics change.
    rig.run_for(Duration::from_secs(600));
    let shown = [0; 3].map(|_| topics(&mut rig, Some(change), &[]).1.unwrap());
    let much: Value = serde_json::from_slice(&shown[0]).unwrap();
    assert_eq!(much["whole"], true);
    assert!(Arc::ptr_eq(&shown[0], &shown[2]));
}

#[test]
fn readers_that_do_not_read_hold_few_documents_of_their_own() {
    let ids: Vec<String> = (0..CHANNELS_OF_SOME).map(|n| format!("c{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut rig = with_page(live(&ids), |settings| settings.monthly_budget_usd = 0.0);
    rig.to(60);
    let (before, _) = topics(&mut rig, None, &[]);
    for id in &ids {
        let channel = rig.region.channels.get_mut(*id).unwrap();
        channel.description = Some("x".repeat(DESCRIPTION_BYTES));
    }
    rig.run_for(Duration::from_secs(70));
    let mut readers: Vec<Text> = Vec::new();
    for _ in 0..32 {
        rig.run_for(Duration::from_secs(1));
        readers.extend(topics(&mut rig, Some(before), &[]).1);
    }
    let held: BTreeMap<*const Vec<u8>, usize> = readers
        .iter()
        .map(|text| (Arc::as_ptr(text), text.len()))
        .collect();
    let (all, one) = (held.values().sum::<usize>(), readers[0].len());
    assert!(one > 1 << 20, "{one}");
    // Parts of 4 MB and what one goes beyond that; three whole ones.
    let most = (4 << 20) + 4 * (one + one / 2);
    assert!(all < most, "{all} of {most} in {}", held.len());
    // Who is alone is shown what changed.
    readers.clear();
    rig.run_for(Duration::from_secs(1));
    let (_, part) = document(&mut rig, Some(before));
    assert_eq!(part["whole"], false);
}

#[test]
fn a_source_that_cannot_be_believed_is_told_with_its_reason() {
    let mut rig = with_page(live(&["a"]), |settings| settings.listens = true);
    // Who has not answered yet does not fail.
    assert_eq!(reasons(&mut rig), [""; 0]);
    rig.to(60);
    assert_eq!(reasons(&mut rig), [""; 0]);
    rig.region.fail(Kind::Alarms);
    rig.run_for(Duration::from_secs(120));
    assert_eq!(reasons(&mut rig), [""; 0], "two intervals");
    rig.run_for(Duration::from_secs(120));
    let said = reasons(&mut rig);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("alarms: no success since 2026-11-22T10:0"),
        "{said:?}"
    );
    assert!(said[0].ends_with(": Alarms failed"), "{said:?}");
    assert_eq!(rig.broker.retained["mp/x/source/alarms"], "offline");
    rig.region.heal(Kind::Alarms);
    rig.run_for(Duration::from_secs(120));
    assert_eq!(reasons(&mut rig), [""; 0]);
    // A broker that is away is no source.
    rig.broker.up = false;
    rig.lose_broker();
    assert_eq!(reasons(&mut rig), [""; 0]);
}

#[test]
fn a_source_that_fails_from_the_start_is_told_at_once() {
    let mut rig = with_page(live(&["a"]), |_| {});
    rig.region.fail(Kind::Alarms);
    rig.to(30);
    assert_eq!(reasons(&mut rig), ["alarms: no success yet: Alarms failed"]);
    assert_eq!(rig.broker.retained["mp/x/source/alarms"], "offline");
    rig.region.heal(Kind::Alarms);
    rig.run_for(Duration::from_secs(120));
    assert_eq!(reasons(&mut rig), [""; 0]);
}

#[test]
fn the_last_hour_of_a_channel_follows_its_minutes_and_goes_with_it() {
    const INGRESS: &str = "IngressBytes Channel=a";
    let mut region = live(&["a"]);
    region.stop(INGRESS, M0);
    let mut rig = with_page(region, |_| {});
    rig.to(20 * 60);
    // 6 MB a minute up to the start, then nothing; 3 MB go out.
    let told = hour(&mut rig, "a").unwrap();
    let ingress = told["ingress_bits_per_second"].as_array().unwrap();
    let shown = rig.json("channel/a/metrics")["timestamp"].clone();
    let newest = (0..20).find(|minute| time_of(*minute) == shown).unwrap();
    assert_eq!(told["first"], time_of(newest - 59));
    let wanted = |minute: i64| match minute {
        ..0 => json!(800_000),
        _ => Value::Null,
    };
    let wanted: Vec<Value> = (newest - 59..=newest).map(wanted).collect();
    assert_eq!(*ingress, wanted);
    assert_eq!(told["egress_bits_per_second"], json!(vec![400_000; 60]));
    // A minute is revised.
    rig.region
        .set(INGRESS, M0 + newest, rig.aws_now(), Some(12e6));
    rig.minutes(6);
    let told = hour(&mut rig, "a").unwrap();
    let revised = told["ingress_bits_per_second"].as_array().unwrap();
    let values: Vec<&Value> = revised.iter().filter(|value| !value.is_null()).collect();
    assert_eq!(values.last(), Some(&&json!(1_600_000)));
    // It goes, and another one of its name has no past.
    let channel = rig.region.channels.remove("a").unwrap();
    let endpoint = rig.region.endpoints.remove("a-hls").unwrap();
    rig.minutes(3);
    assert_eq!(hour(&mut rig, "a"), None);
    rig.region.fail(Kind::Metrics);
    rig.region.channels.insert("a".into(), channel);
    rig.region.endpoints.insert("a-hls".into(), endpoint);
    rig.minutes(3);
    let told = hour(&mut rig, "a").unwrap();
    assert_eq!(told["egress_bits_per_second"], json!(vec![Value::Null; 60]));
}

#[test]
fn what_was_refused_is_counted_by_reason() {
    let mut rig = with_page(live(&["a"]), |settings| settings.listens = true);
    rig.to(60);
    let refusals = |reason, count| Refusals {
        via: Via::Sns,
        reason,
        topic_arn: None,
        count,
        example: None,
    };
    let all = vec![refusals(Reason::Signature, 2), refusals(Reason::Busy, 1)];
    rig.handle(Event::Refused(all));
    let Shown::Metrics(_, text) = look(&mut rig, Sight::Metrics(Format::Text)) else {
        panic!("no metrics");
    };
    let text = String::from_utf8(text.to_vec()).unwrap();
    for line in [
        "mediapackage_push_rejected_total{source=\"sns\",reason=\"signature\"} 2",
        "mediapackage_push_rejected_total{source=\"sns\",reason=\"busy\"} 1",
        "mediapackage_push_accepted_total{source=\"sns\"} 0",
        "mediapackage_channels 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
}

#[test]
fn without_a_page_nobody_is_answered() {
    let mut rig = Rig::with(live(&["a"]), |_| {});
    rig.to(60);
    rig.handle(Event::Look(Look {
        request: 1,
        at: Sight::Health,
    }));
    assert_eq!(rig.shown, []);
}
