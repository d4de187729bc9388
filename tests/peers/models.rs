//! The region's answers have the shapes of AWS's models: no member that is not there, every
//! value of its type, and every member that the model knows in some answer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::caller::Caller;
use super::region::mediapackage_v2::{MANIFEST_KINDS, Manifest};
use super::region::{Region, World};

#[derive(Deserialize)]
struct Model {
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
struct Operation {
    uri: String,
    output: String,
}

#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    members: BTreeMap<String, String>,
    item: Option<String>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    #[serde(rename = "timestampFormat")]
    time_format: Option<String>,
}

/// Ends of the paths that the region never sends: of multiview channels, of clips, and what v1
/// has besides. `(model, operation, ends)`.
const UNSENT: &[(&str, &str, &[&str])] = &[
    (
        "mediapackagev2",
        "ListChannels",
        &[
            ".MultiviewConfiguration.AvailableLayouts[]",
            ".MultiviewConfiguration.AvailableSources[]",
            ".AttachedMultiviewChannels[]",
        ],
    ),
    (
        "mediapackagev2",
        "GetChannel",
        &[
            ".MultiviewConfiguration.AvailableLayouts[]",
            ".MultiviewConfiguration.AvailableSources[]",
            ".AttachedMultiviewChannels[]",
        ],
    ),
    (
        "mediapackagev2",
        "GetOriginEndpoint",
        &[
            ".FilterConfiguration.Start",
            ".FilterConfiguration.End",
            ".FilterConfiguration.ClipStartTime",
            ".FilterConfiguration.Multiview.Layout",
            ".FilterConfiguration.Multiview.Sources[]",
        ],
    ),
];
/// Operations of which only the members that are sent are held to the model.
const PARTLY: &[(&str, &str)] = &[
    ("mediapackage", "ListChannels"),
    ("mediapackage", "ListOriginEndpoints"),
];

fn model(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    let text = std::fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Everything that the region can have, in pages of one.
fn world() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(2, 4)
        .with_groups(2, 2, 4)
        .with_packaging(2, 4);
    world.pages.inventory = 1;
    for endpoint in &mut world.v2.endpoints {
        endpoint.encrypted = true;
        let manifest = |kind| Manifest {
            kind,
            name: String::from("m"),
        };
        endpoint.manifests = MANIFEST_KINDS.map(manifest).into();
    }
    for endpoint in &mut world.endpoints {
        endpoint.encrypted = true;
    }
    world
        .vod
        .configurations
        .iter_mut()
        .for_each(|c| c.encrypted = true);
    for name in ["one", "two"] {
        world.add_job("ch-0000-hls", name);
        world.add_job("group-0.ch-0000.hls", name);
    }
    let reason = Some("There was no content.");
    world.set_job("group-0.ch-0000.hls.one", "FAILED", reason);
    world
}

impl Model {
    /// Holds a value to its shape; the paths of its leaves go to `seen`.
    fn check(&self, shape: &str, value: &Value, path: &str, seen: &mut BTreeSet<String>) {
        let shape = &self.shapes[shape];
        let is_right = match (shape.kind.as_str(), shape.time_format.as_deref()) {
            ("structure", _) => {
                let members = value
                    .as_object()
                    .unwrap_or_else(|| panic!("{path}: {value}"));
                for (name, value) in members {
                    let of = shape.members.get(name);
                    let of = of.unwrap_or_else(|| panic!("{path} has no member {name}"));
                    self.check(of, value, &format!("{path}.{name}"), seen);
                }
                return;
            }
            ("list", _) => {
                let items = value
                    .as_array()
                    .unwrap_or_else(|| panic!("{path}: {value}"));
                for item in items {
                    self.check(
                        shape.item.as_ref().unwrap(),
                        item,
                        &format!("{path}[]"),
                        seen,
                    );
                }
                return;
            }
            ("map", _) => value
                .as_object()
                .is_some_and(|map| map.values().all(Value::is_string)),
            ("timestamp", None) => value.is_number(),
            ("string" | "timestamp", _) => value.as_str().is_some_and(|text| {
                shape.values.is_empty() || shape.values.iter().any(|v| v == text)
            }),
            ("integer", _) => value.is_i64(),
            ("float", _) => value.is_number(),
            ("boolean", _) => value.is_boolean(),
            (other, _) => panic!("{path} is of type {other}"),
        };
        assert!(is_right, "{path} is a {}, not {value}", shape.kind);
        seen.insert(path.to_owned());
    }

    /// The paths of all leaves of a shape.
    fn leaves(&self, shape: &str, path: &str, all: &mut BTreeSet<String>) {
        let shape = &self.shapes[shape];
        match shape.kind.as_str() {
            "structure" => {
                for (name, of) in &shape.members {
                    self.leaves(of, &format!("{path}.{name}"), all);
                }
            }
            "list" => self.leaves(shape.item.as_ref().unwrap(), &format!("{path}[]"), all),
            _ => drop(all.insert(path.to_owned())),
        }
    }
}

/// The answers to one operation, all pages and, of a `Get…`, all endpoints.
fn answers(caller: &Caller, service: &str, uri: &str) -> Vec<Value> {
    let place = uri
        .replace("{ChannelGroupName}", "group-0")
        .replace("{ChannelName}", "ch-0000");
    let endpoints = ["hls", "cmaf", "mss", "dash"];
    let places: BTreeSet<String> = endpoints
        .iter()
        .map(|endpoint| place.replace("{OriginEndpointName}", endpoint))
        .collect();
    let mut answers = Vec::new();
    for place in places {
        let mut query = String::new();
        loop {
            let reply = caller.get_of(service, &format!("{place}{query}"));
            assert_eq!(reply.status, 200, "{place}: {reply:?}");
            let page = reply.json();
            let next = ["NextToken", "nextToken"]
                .iter()
                .find_map(|n| page[n].as_str());
            let next = next.map(|token| token.bytes().map(|b| format!("%{b:02X}")).collect());
            answers.push(page);
            let Some(token): Option<String> = next else {
                break;
            };
            query = format!("?nextToken={token}");
        }
    }
    answers
}

#[test]
fn every_answer_has_the_shape_of_the_model_and_leaves_nothing_out() {
    let region = Region::start(world());
    let caller = Caller::of(&region);
    for service in ["mediapackage", "mediapackagev2", "mediapackage-vod"] {
        let model = model(service);
        for (name, operation) in &model.operations {
            let mut seen = BTreeSet::new();
            for answer in answers(&caller, service, &operation.uri) {
                model.check(&operation.output, &answer, "", &mut seen);
            }
            if PARTLY.contains(&(service, name)) {
                continue;
            }
            let mut all = BTreeSet::new();
            model.leaves(&operation.output, "", &mut all);
            let unsent = UNSENT
                .iter()
                .filter(|(s, n, _)| (*s, *n) == (service, name));
            let unsent: Vec<&str> = unsent.flat_map(|(_, _, ends)| *ends).copied().collect();
            let missing: Vec<&String> = all
                .difference(&seen)
                .filter(|path| !unsent.iter().any(|end| path.ends_with(end)))
                .collect();
            assert!(missing.is_empty(), "{service} {name}: {missing:#?}");
            for end in unsent {
                assert!(
                    !seen.iter().any(|path| path.ends_with(end)),
                    "{end} is sent"
                );
            }
        }
    }
}

#[test]
fn a_list_of_v2_tells_neither_tags_nor_ingest_endpoints() {
    let region = Region::start(World::awkward("eu-central-1"));
    let caller = Caller::of(&region);
    let uris = [
        "/channelGroup",
        "/channelGroup/-/channel",
        "/channelGroup/-/channel/-/originEndpoint",
    ];
    for uri in uris {
        for page in answers(&caller, "mediapackagev2", uri) {
            for item in page["Items"].as_array().unwrap() {
                for member in ["tags", "Tags", "IngestEndpoints", "Segment", "ETag"] {
                    assert!(item.get(member).is_none(), "{uri} tells {member}");
                }
            }
        }
    }
}
