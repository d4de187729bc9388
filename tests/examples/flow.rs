//! What can be said of the flow without running it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

const FLOW: &str = include_str!("../../examples/node-red-flow.json");
/// Nodes that every Node-RED of versions 3 to 5 has.
const CORE: [&str; 16] = [
    "catch",
    "comment",
    "debug",
    "function",
    "http in",
    "http response",
    "inject",
    "link in",
    "link out",
    "mqtt in",
    "mqtt out",
    "rbe",
    "status",
    "switch",
    "template",
    "trigger",
];
/// What is no node on the canvas.
const FRAME: [&str; 3] = ["tab", "group", "mqtt-broker"];
/// Longest function that fits into the editor's window.
const FUNCTION_LINES_MAX: usize = 45;
const COLUMNS_MAX: usize = 100;
/// A node with a broad font: a character of its name, and what stands around it.
const CHARACTER_WIDTH: f64 = 8.0;
const ICON_AND_PORTS_WIDTH: f64 = 60.0;
const WIDTH_MIN: f64 = 100.0;
/// A link without its name.
const LINK_WIDTH: f64 = 30.0;
/// A node and the line of its status below.
const HEIGHT: f64 = 50.0;

/// The shipped flow.
pub fn shipped() -> Vec<Value> {
    serde_json::from_str(FLOW).unwrap()
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node[key].as_str().unwrap_or_default()
}

fn of_type<'a>(flow: &'a [Value], kind: &str) -> Vec<&'a Value> {
    flow.iter().filter(|node| node["type"] == kind).collect()
}

/// Nodes on the canvas.
fn placed(flow: &[Value]) -> Vec<&Value> {
    let framed = |node: &&Value| FRAME.contains(&text(node, "type"));
    flow.iter().filter(|node| !framed(node)).collect()
}

#[test]
fn it_is_one_tab_of_core_nodes_with_names_and_a_comment_that_says_what_to_edit() {
    let flow = shipped();
    let tabs = of_type(&flow, "tab");
    assert_eq!(tabs.len(), 1);
    assert_eq!(of_type(&flow, "mqtt-broker").len(), 1);
    for node in placed(&flow) {
        let kind = text(node, "type");
        assert!(CORE.contains(&kind), "{kind}");
        assert!(!text(node, "name").is_empty(), "a {kind} without a name");
        assert_eq!(node["z"], tabs[0]["id"], "{node}");
    }
    let comments = of_type(&flow, "comment");
    let first = comments.iter().find(|c| text(c, "name").contains("EDIT"));
    let told = text(first.unwrap(), "info");
    for word in ["broker", "MP_PREFIX", "password"] {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn it_holds_no_login_and_nothing_of_this_machine() {
    let flow = shipped();
    assert!(!FLOW.contains("credentials"));
    let broker = of_type(&flow, "mqtt-broker")[0];
    for key in ["user", "password", "clientid", "tls"] {
        assert_eq!(text(broker, key), "", "{key}");
    }
    assert_eq!(broker["broker"], "localhost");
}

#[test]
fn ids_are_unique_and_everything_that_is_named_is_there() {
    let flow = shipped();
    let ids: BTreeSet<&str> = flow.iter().map(|node| text(node, "id")).collect();
    assert_eq!(ids.len(), flow.len());
    let mut named: Vec<&Value> = Vec::new();
    for node in &flow {
        let wires = node["wires"].as_array().into_iter().flatten();
        named.extend(wires.flat_map(|wire| wire.as_array().unwrap()));
        for list in ["links", "scope", "nodes"] {
            named.extend(node[list].as_array().into_iter().flatten());
        }
        let single = ["z", "g", "broker"].iter().map(|key| &node[*key]);
        named.extend(single.filter(|value| value.is_string() && *value != "localhost"));
    }
    assert!(named.len() > flow.len());
    for id in named {
        assert!(ids.contains(id.as_str().unwrap()), "{id}");
    }
}

#[test]
fn topics_hang_on_the_one_variable_of_the_tab() {
    let flow = shipped();
    let env = of_type(&flow, "tab")[0]["env"].as_array().unwrap();
    let values: BTreeMap<&str, &str> = env
        .iter()
        .map(|row| (text(row, "name"), text(row, "value")))
        .collect();
    assert_eq!(values["MP_PREFIX"], "mediapackage/eu-central-1");
    let mut topics = BTreeSet::new();
    for node in &flow {
        if !["mqtt in", "mqtt out"].contains(&text(node, "type")) {
            continue;
        }
        // Node-RED replaces a variable only where it is the whole property.
        let variable = text(node, "topic").strip_prefix("${").unwrap();
        let value = values[variable.strip_suffix('}').unwrap()];
        topics.insert(value.strip_prefix("${MP_PREFIX}/").unwrap());
    }
    let wanted = [
        "channel/+",
        "channel/+/health",
        "channel/+/metrics",
        "command/refresh",
        "event/+",
        "source/+",
        "status",
    ];
    assert_eq!(topics, wanted.into());
    assert_eq!(values.len(), wanted.len() + 1);
    assert_eq!(of_type(&flow, "mqtt out")[0]["retain"], "false");
}

#[test]
fn functions_are_short() {
    for node in of_type(&shipped(), "function") {
        let code = text(node, "func");
        let lines = code.lines().count();
        assert!(lines <= FUNCTION_LINES_MAX, "{}: {lines}", node["name"]);
        let wide = code.lines().find(|line| line.len() > COLUMNS_MAX);
        assert_eq!(wide, None, "{}", node["name"]);
    }
}

/// Left, top, right and bottom of a node, with room for a broad font.
fn place(node: &Value) -> [f64; 4] {
    let letters = text(node, "name").chars().count() as f64;
    let width = match text(node, "type").starts_with("link") {
        true => LINK_WIDTH,
        false => (letters * CHARACTER_WIDTH + ICON_AND_PORTS_WIDTH).max(WIDTH_MIN),
    };
    let (x, y) = (node["x"].as_f64().unwrap(), node["y"].as_f64().unwrap());
    let half = HEIGHT / 2.0;
    [x - width / 2.0, y - half, x + width / 2.0, y + half]
}

fn overlap(a: [f64; 4], b: [f64; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

#[test]
fn no_two_nodes_overlap_nor_two_groups_and_each_node_lies_in_its_group() {
    let flow = shipped();
    let nodes = placed(&flow);
    for (at, node) in nodes.iter().enumerate() {
        for other in &nodes[at + 1..] {
            let (a, b) = (&node["name"], &other["name"]);
            assert!(!overlap(place(node), place(other)), "{a} and {b}");
        }
    }
    let boxes: Map<String, Value> = of_type(&flow, "group")
        .iter()
        .map(|group| (text(group, "id").to_owned(), (*group).clone()))
        .collect();
    let frame = |group: &Value| {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| group[key].as_f64().unwrap());
        [x, y, x + w, y + h]
    };
    for node in &nodes {
        let group = &boxes[text(node, "g")];
        let (x, y) = (node["x"].as_f64().unwrap(), node["y"].as_f64().unwrap());
        let [left, top, right, bottom] = frame(group);
        let inside = left < x && x < right && top < y && y < bottom;
        assert!(inside, "{}", node["name"]);
        assert!(group["nodes"].as_array().unwrap().contains(&node["id"]));
    }
    let groups: Vec<&Value> = boxes.values().collect();
    for (at, group) in groups.iter().enumerate() {
        for other in &groups[at + 1..] {
            let (a, b) = (&group["name"], &other["name"]);
            assert!(!overlap(frame(group), frame(other)), "{a} and {b}");
        }
    }
}
