//! Answers made from AWS's models: whole, with members absent, null, unknown and of a wrong
//! type, and at random.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fastrand::Rng;
use mediapackage2mqtt::aws::Limits;
use mediapackage2mqtt::config::{Apis, Config};
use mediapackage2mqtt::state::fault::{Fault, FaultKind};
use mediapackage2mqtt::state::time::UnixMs;
use serde_json::{Value, json};

use crate::cases::{CASES, CHANNEL, Case, GROUP, WITHHELD};
use crate::model::{Answer, Extent, Model};
use crate::scripted::{Bench, answer, bench_with};

pub fn all_apis(config: &mut Config) {
    config.mediapackage.apis = Apis {
        v1: true,
        v2: true,
        vod: true,
    };
}

fn bench(bodies: &[Value]) -> Bench {
    let replies = bodies.iter();
    let replies = replies.map(|body| answer("200 OK", "", &body.to_string()));
    bench_with(
        replies.collect(),
        Limits::default(),
        all_apis,
        &BTreeMap::new(),
    )
}

/// What becomes of each body; `names` has the names to ask for.
fn read(case: &Case, names: &Value, bodies: &[Value]) -> Vec<Result<String, Fault>> {
    let bench = bench(bodies);
    let results = bodies.iter().map(|_| {
        let result = (case.call)(&bench.clients, names);
        assert_eq!(bench.server.requests().len(), 1, "{}", case.operation);
        result
    });
    results.collect()
}

/// The whole answer of a case, once for each package it can have.
fn whole(case: &Case) -> Vec<Answer> {
    let model = Model::load(case.model);
    let one = |package| model.answer(case.operation, Extent::Full(package));
    if case.packages.is_empty() {
        return vec![one(None)];
    }
    case.packages.iter().map(|name| one(Some(*name))).collect()
}

fn paths(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// Does this with each case and each whole answer, and says which it was that failed.
fn each(check: impl Fn(&Case, &Answer)) {
    for case in CASES {
        for answer in whole(case) {
            let checked = catch_unwind(AssertUnwindSafe(|| check(case, &answer)));
            if let Err(panic) = checked {
                eprintln!("in {} of {}", case.operation, case.model);
                resume_unwind(panic);
            }
        }
    }
}

/// Whether `path` is `of` or lies within it.
fn is_within(path: &str, of: &str) -> bool {
    let rest = path.strip_prefix(of);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
}

#[test]
fn every_list_and_get_of_the_models_has_its_case() {
    for name in ["mediapackage", "mediapackagev2", "mediapackage-vod"] {
        let model = Model::load(name);
        let operations: BTreeSet<&str> = model.operations.keys().map(String::as_str).collect();
        let cases = CASES.iter().filter(|case| case.model == name);
        let cases: BTreeSet<&str> = cases.map(|case| case.operation).collect();
        assert_eq!(operations, cases);
    }
}

#[test]
fn of_a_whole_answer_exactly_what_is_published_comes_through() {
    for case in CASES {
        let mut passed = BTreeSet::new();
        for answer in whole(case) {
            let read = read(case, &answer.value, std::slice::from_ref(&answer.value));
            passed.extend(answer.passed(read[0].as_ref().unwrap()));
        }
        assert_eq!(passed, paths(case.published), "{}", case.operation);
    }
}

#[test]
fn what_must_be_withheld_was_planted_and_is_not_published() {
    for (model, withheld) in WITHHELD {
        for part in *withheld {
            let cases = CASES.iter().filter(|case| case.model == *model);
            let answers = cases.clone().flat_map(whole);
            let leaves = answers.flat_map(|answer| answer.leaves);
            let planted = leaves.filter(|leaf| leaf.path.contains(part)).count();
            assert!(planted > 0, "{model} has no {part}");
            let published = cases.flat_map(|case| case.published);
            let mut published = published.filter(|path| path.contains(part));
            assert_eq!(published.next(), None);
        }
    }
}

#[test]
fn a_request_goes_where_the_model_says() {
    each(|case, answer| {
        let bench = bench(std::slice::from_ref(&answer.value));
        (case.call)(&bench.clients, &answer.value).unwrap();
        let request = bench.server.request();
        let asked = request.split(' ').nth(1).unwrap();
        let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
        let mut wanted = Model::load(case.model).operations[case.operation]
            .uri
            .clone();
        // A name is in the answer when the answer is of one resource, else it is given.
        let given = [
            ("ChannelGroupName", GROUP),
            ("ChannelName", CHANNEL),
            ("OriginEndpointName", ""),
        ];
        let last = case.operation.strip_prefix("Get").unwrap_or("-");
        for (member, given) in given {
            let is_own = member.strip_suffix("Name") == Some(last);
            let name = answer.value[member].as_str().filter(|_| is_own);
            wanted = wanted.replace(&format!("{{{member}}}"), name.unwrap_or(given));
        }
        assert_eq!(path, wanted);
        let items = match (case.model, last) {
            ("mediapackagev2", "-") => "maxResults=100",
            (_, "-") => "maxResults=200",
            _ => "",
        };
        assert_eq!(query, items);
    });
}

#[test]
fn a_member_that_is_absent_or_null_takes_nothing_else_along() {
    each(|case, answer| {
        let members = answer.members.iter();
        let bodies = members.flat_map(|m| {
            [
                answer.without(&m.pointer),
                answer.with(&m.pointer, Value::Null),
            ]
        });
        let mut bodies: Vec<Value> = bodies.collect();
        bodies.push(answer.value.clone());
        let mut results = read(case, &answer.value, &bodies);
        let whole = answer.passed(&results.pop().unwrap().unwrap());
        for (n, result) in results.into_iter().enumerate() {
            let (member, is_null) = (&answer.members[n / 2], n % 2 == 1);
            let of_needed = case.needed.contains(&member.path.as_str());
            let is_list = answer.value.pointer(&member.pointer).unwrap().is_array();
            if of_needed && !(is_list && is_null) {
                assert_eq!(
                    result.unwrap_err().kind,
                    FaultKind::Answer,
                    "{}",
                    member.path
                );
                continue;
            }
            let mut left = whole.clone();
            left.retain(|path| !is_within(path, &member.path));
            assert_eq!(answer.passed(&result.unwrap()), left, "{}", member.path);
        }
    });
}

#[test]
fn members_that_no_model_knows_change_nothing() {
    each(|case, answer| {
        let mut more = answer.value.clone();
        for pointer in &answer.structures {
            let object = more.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
            object.insert(
                "aNewMember".into(),
                json!({"deep": [1, null, {"x": "leaf-new"}]}),
            );
            object.insert("".into(), json!("leaf-new"));
        }
        let read = read(case, &answer.value, &[answer.value.clone(), more]);
        assert_eq!(read[0], read[1]);
    });
}

#[test]
fn every_value_of_an_enumeration_is_read() {
    each(|case, answer| {
        for member in answer.members.iter().filter(|m| !m.values.is_empty()) {
            let values = member.values.iter();
            let bodies = values.map(|value| answer.with(&member.pointer, json!(value)));
            let bodies: Vec<Value> = bodies.collect();
            let read = read(case, &answer.value, &bodies);
            for (value, shown) in member.values.iter().zip(read) {
                let shown = shown.unwrap();
                if case.published.contains(&member.path.as_str()) {
                    assert!(
                        shown.contains(&format!("{value:?}")),
                        "{} {value}",
                        member.path
                    );
                }
                if member.path == "Items[].ContainerType" {
                    assert!(shown.contains("package: Some("), "{value}");
                }
            }
        }
    });
}

#[test]
fn a_container_tells_how_an_endpoint_packages() {
    let case = CASES
        .iter()
        .rfind(|case| case.operation == "ListOriginEndpoints")
        .unwrap();
    let answer = &whole(case)[0];
    let cases = [
        (json!("TS"), "package: Some(Ts)"),
        (json!("CMAF"), "package: Some(Cmaf)"),
        (json!("ISM"), "package: Some(Mss)"),
        (json!("ts"), "package: None"),
        (Value::Null, "package: None"),
    ];
    for (container, wanted) in cases {
        let body = answer.with("/Items/0/ContainerType", container);
        let shown = read(case, &answer.value, &[body]).remove(0).unwrap();
        assert!(shown.contains(wanted), "{shown}");
        // Nobody knows before it is got by itself.
        assert!(shown.contains("encrypted: None"), "{shown}");
    }
}

#[test]
fn whether_it_is_encrypted_is_said_as_far_as_it_is_known() {
    let case = CASES
        .iter()
        .find(|case| case.operation == "GetOriginEndpoint")
        .unwrap();
    let answer = &whole(case)[0];
    let cases = [
        ("/Segment/Encryption", json!({}), "Some(true)"),
        ("/Segment/Encryption", Value::Null, "Some(false)"),
        ("/Segment", json!({}), "Some(false)"),
        ("/Segment", Value::Null, "None"),
    ];
    for (pointer, value, wanted) in cases {
        let body = answer.with(pointer, value);
        let shown = read(case, &answer.value, &[body]).remove(0).unwrap();
        assert!(shown.contains(&format!("encrypted: {wanted}")), "{shown}");
    }
}

#[test]
fn times_are_read_as_seconds_and_as_text_alike() {
    each(|case, answer| {
        // Times of v1's channels and endpoints have always been text.
        if case.model == "mediapackage" && case.operation != "ListHarvestJobs" {
            return;
        }
        let (mut seconds, mut text) = (answer.value.clone(), answer.value.clone());
        for member in answer.members.iter().filter(|m| m.is_time) {
            let value = answer.value.pointer(&member.pointer).unwrap();
            let second = match value.as_str() {
                Some(text) => UnixMs::parse(text).unwrap().0 / 1000,
                None => value.as_i64().unwrap(),
            };
            *seconds.pointer_mut(&member.pointer).unwrap() = json!(second as f64);
            let of = UnixMs(second * 1000).rfc3339_ms();
            *text.pointer_mut(&member.pointer).unwrap() = json!(of);
        }
        let read = read(case, &answer.value, &[answer.value.clone(), seconds, text]);
        assert_eq!((&read[0], &read[0]), (&read[1], &read[2]));
    });
}

#[test]
fn a_value_of_another_type_is_a_fault_that_quotes_nothing() {
    let others = [
        json!("leaf-other"),
        json!(-7),
        json!(1e300),
        json!(true),
        json!([]),
        json!({}),
        json!([["leaf-other"]]),
        json!({"leaf-other": {}}),
        json!([null]),
    ];
    each(|case, answer| {
        let members = answer.members.iter();
        let bodies = members.flat_map(|member| {
            let others = others.iter();
            others.map(|other| answer.with(&member.pointer, other.clone()))
        });
        let bodies: Vec<Value> = bodies.collect();
        let mut faults = 0;
        for fault in read(case, &answer.value, &bodies)
            .into_iter()
            .filter_map(Result::err)
        {
            assert_eq!(fault.kind, FaultKind::Answer, "{fault}");
            assert!(!fault.to_string().contains("leaf-"), "{fault}");
            assert!(fault.what.contains(case.operation), "{fault}");
            faults += 1;
        }
        assert!(faults > 10, "{faults}");
    });
}

#[test]
fn nesting_without_an_end_is_passed_over_or_a_fault() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    each(|case, answer| {
        let known = answer.members.iter().find(|m| m.path == case.needed[0]);
        let known = answer.with(&known.unwrap().pointer, json!("HERE"));
        let mut unknown = answer.value.clone();
        unknown["aNewMember"] = json!("HERE");
        let texts = [unknown, known].map(|body| body.to_string().replace("\"HERE\"", &deep));
        let replies = texts.map(|text| crate::scripted::answer("200 OK", "", &text));
        let bench = bench_with(
            replies.into(),
            Limits::default(),
            all_apis,
            &BTreeMap::new(),
        );
        (case.call)(&bench.clients, &answer.value).unwrap();
        let fault = (case.call)(&bench.clients, &answer.value).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Answer, "{fault}");
    });
}

#[test]
fn at_random_nothing_but_what_is_published_comes_through() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    for case in CASES {
        let model = Model::load(case.model);
        let published = paths(case.published);
        for _ in 0..60 {
            let answer = model.answer(case.operation, Extent::Random(&mut rng, case.needed));
            let shown = read(case, &answer.value, std::slice::from_ref(&answer.value));
            let shown = shown[0].as_ref().unwrap();
            let passed = answer.passed(shown);
            assert!(
                passed.is_subset(&published),
                "{}: {passed:?}",
                case.operation
            );
        }
    }
}
