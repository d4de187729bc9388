//! Answers made from the shapes of AWS's models.
//!
//! Every leaf of an answer has a text or a number of its own, its mark. So what a parser lets
//! through is seen by looking for marks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One file of `fixtures/models`.
#[derive(Deserialize)]
pub struct Model {
    pub operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

/// An operation: where it is asked for, and what it answers.
#[derive(Deserialize)]
pub struct Operation {
    pub uri: String,
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

/// How much of a shape an answer has.
pub enum Extent<'a> {
    /// Every member, one item in each list; of members that exclude each other (`…Package`)
    /// the one named.
    Full(Option<&'a str>),
    /// What a random generator likes, but always the members at these paths.
    Random(&'a mut Rng, &'a [&'a str]),
}

/// A value without members, and what to look for when it was let through.
pub struct Leaf {
    pub path: String,
    pub mark: String,
}

/// A member of some structure.
pub struct Member {
    pub path: String,
    /// Where it is, as a JSON pointer.
    pub pointer: String,
    /// What AWS allows it to be, if that is a list.
    pub values: Vec<String>,
    pub is_time: bool,
}

/// An answer.
#[derive(Default)]
pub struct Answer {
    pub value: Value,
    pub leaves: Vec<Leaf>,
    pub members: Vec<Member>,
    /// JSON pointers of the structures.
    pub structures: Vec<String>,
}

impl Answer {
    /// Paths of the leaves whose marks stand in `shown`.
    pub fn passed(&self, shown: &str) -> BTreeSet<String> {
        let leaves = self.leaves.iter().filter(|leaf| shown.contains(&leaf.mark));
        leaves.map(|leaf| leaf.path.clone()).collect()
    }

    /// The answer with another value at one place.
    pub fn with(&self, pointer: &str, value: Value) -> Value {
        let mut answer = self.value.clone();
        *answer.pointer_mut(pointer).unwrap() = value;
        answer
    }

    /// The answer without the member at one place.
    pub fn without(&self, pointer: &str) -> Value {
        let mut answer = self.value.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = answer.pointer_mut(parent).unwrap();
        parent.as_object_mut().unwrap().remove(name).unwrap();
        answer
    }
}

impl Model {
    pub fn load(name: &str) -> Model {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
        let text = std::fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// An answer to `operation`, without a token for the next page.
    pub fn answer(&self, operation: &str, extent: Extent) -> Answer {
        let mut making = Making {
            model: self,
            extent,
            answer: Answer::default(),
        };
        let output = &self.operations[operation].output;
        let value = making.value(output, "", "", "");
        Answer {
            value,
            ..making.answer
        }
    }
}

struct Making<'a> {
    model: &'a Model,
    extent: Extent<'a>,
    answer: Answer,
}

/// v1 and VOD have no type for times.
fn is_time(name: &str, kind: &str) -> bool {
    kind == "timestamp" || kind == "string" && (name.ends_with("At") || name.ends_with("Time"))
}

fn below(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{name}")
}

impl Making<'_> {
    fn value(&mut self, shape: &str, name: &str, path: &str, pointer: &str) -> Value {
        let shape = &self.model.shapes[shape];
        match shape.kind.as_str() {
            "structure" => self.structure(shape, path, pointer),
            "list" => {
                let items = match &mut self.extent {
                    Extent::Full(_) => 1,
                    Extent::Random(rng, _) => rng.usize(..4),
                };
                let (item, path) = (shape.item.as_ref().unwrap(), format!("{path}[]"));
                let items =
                    (0..items).map(|n| self.value(item, "", &path, &format!("{pointer}/{n}")));
                Value::Array(items.collect())
            }
            "map" => {
                let key = self.mark(&format!("{path}{{key}}"));
                let value = self.mark(&format!("{path}{{value}}"));
                json!({ key: value })
            }
            "boolean" => Value::Bool(true),
            "float" => json!(0.25),
            "integer" => {
                let number = 910_000 + self.answer.leaves.len();
                self.leaf(path, number.to_string());
                json!(number)
            }
            kind if is_time(name, kind) => {
                let second = 1_700_000_000 + self.answer.leaves.len();
                self.leaf(path, format!("UnixMs({second}000)"));
                match (kind, shape.time_format.as_deref()) {
                    ("timestamp", None) => json!(second),
                    _ => json!(rfc3339(second)),
                }
            }
            "string" => Value::String(self.mark(path)),
            other => panic!("no values of type {other} are made"),
        }
    }

    fn structure(&mut self, shape: &Shape, path: &str, pointer: &str) -> Value {
        self.answer.structures.push(pointer.to_owned());
        let mut object = Map::new();
        for (name, of) in &shape.members {
            let path = below(path, name);
            let fate = match &mut self.extent {
                Extent::Full(only) => {
                    let excluded = name.ends_with("Package") && only.is_some_and(|o| o != name);
                    if excluded { 1 } else { 9 }
                }
                Extent::Random(_, kept) if kept.contains(&path.as_str()) => 9,
                Extent::Random(rng, _) => rng.u8(..9),
            };
            if fate == 1 || name.eq_ignore_ascii_case("nextToken") {
                continue;
            }
            let pointer = format!("{pointer}/{name}");
            let shape = &self.model.shapes[of];
            self.answer.members.push(Member {
                path: path.clone(),
                pointer: pointer.clone(),
                values: shape.values.clone(),
                is_time: is_time(name, &shape.kind),
            });
            let value = match fate {
                0 => Value::Null,
                _ => self.value(of, name, &path, &pointer),
            };
            object.insert(name.clone(), value);
        }
        if let Extent::Random(rng, _) = &mut self.extent
            && rng.u8(..4) == 0
        {
            object.insert("unknown".into(), json!({"deep": [null, {"x": 1e300}]}));
        }
        Value::Object(object)
    }

    /// A text like no other; no mark is a part of another one.
    fn mark(&mut self, path: &str) -> String {
        let mark = format!("leaf-{}-", self.answer.leaves.len());
        self.leaf(path, mark.clone());
        mark
    }

    fn leaf(&mut self, path: &str, mark: String) {
        self.answer.leaves.push(Leaf {
            path: path.to_owned(),
            mark,
        });
    }
}

/// A time of November 2023, by the second.
pub fn rfc3339(second: usize) -> String {
    use mediapackage2mqtt::state::time::UnixMs;
    UnixMs(second as i64 * 1000).rfc3339()
}
