//! A copy of the flow for a broker of the test, with ears where a user connects a notifier.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::flow::shipped;
use crate::harness::{wait_for, wait_for_or};
use crate::support::node_red::NodeRed;

/// What a row of the page shows: the cells after the id.
pub type Rows = BTreeMap<String, [String; 7]>;

/// The shipped flow for this broker and prefix. What goes to "notification" and "error" is kept,
/// and can be asked for at `/kept`, with whether some "offline" waits for its delay.
pub fn copy(broker_port: u16, prefix: &str) -> Vec<Value> {
    let mut flow = shipped();
    let tab = find(&flow, "tab", "id").clone();
    let patience = find(&flow, "trigger", "id").clone();
    for node in &mut flow {
        match node["type"].as_str().unwrap() {
            "mqtt-broker" => {
                node["broker"] = json!("127.0.0.1");
                node["port"] = json!(broker_port.to_string());
            }
            "tab" => node["env"][0]["value"] = json!(prefix),
            "link in" | "catch" => node["wires"][0].as_array_mut().unwrap().push(json!("keep")),
            _ => {}
        }
    }
    let kept = r#"const kept = flow.get("kept") || [];"#;
    let keep = "kept.push([msg.topic, msg.error ? msg.error.message : msg.payload]);";
    let function = |id: &str, code: String, next: &[&str]| {
        json!({
            "id": id, "type": "function", "z": tab, "name": id, "func": code,
            "outputs": next.len(), "wires": [next], "libs": [], "x": 0, "y": 0
        })
    };
    flow.extend([
        function(
            "keep",
            format!(r#"{kept} {keep} flow.set("kept", kept);"#),
            &[],
        ),
        json!({
            "id": "watch", "type": "status", "z": tab, "scope": [patience],
            "wires": [["pending"]], "x": 0, "y": 0
        }),
        function(
            "pending",
            r#"flow.set("pending", msg.status.fill === "blue");"#.into(),
            &[],
        ),
        json!({
            "id": "ask", "type": "http in", "z": tab, "url": "/kept", "method": "get",
            "wires": [["tell"]], "x": 0, "y": 0
        }),
        function(
            "tell",
            format!(r#"{kept} msg.payload = [kept, Boolean(flow.get("pending"))]; return msg;"#),
            &["answer"],
        ),
        json!({"id": "answer", "type": "http response", "z": tab, "wires": [], "x": 0, "y": 0}),
    ]);
    flow
}

/// A property of the only node of this type.
pub fn find<'a>(flow: &'a [Value], kind: &str, key: &str) -> &'a Value {
    let mut found = flow.iter().filter(|node| node["type"] == kind);
    let node = found.next().unwrap();
    assert!(found.next().is_none(), "several nodes {kind}");
    &node[key]
}

/// The same flow with another delay, in seconds, before "offline" is told.
pub fn with_patience(flow: Vec<Value>, seconds: &str) -> Vec<Value> {
    with_trigger(flow, "duration", seconds)
}

/// The same flow in which "online" does not end that delay.
pub fn never_reset(flow: Vec<Value>) -> Vec<Value> {
    with_trigger(flow, "reset", "")
}

fn with_trigger(mut flow: Vec<Value>, key: &str, value: &str) -> Vec<Value> {
    let trigger = flow.iter_mut().find(|node| node["type"] == "trigger");
    trigger.unwrap()[key] = json!(value);
    flow
}

/// Subject and text of each notification and of each error of the flow, and whether some
/// "offline" waits.
fn asked(node_red: &NodeRed) -> (Vec<(String, String)>, bool) {
    serde_json::from_str(&node_red.get("/kept")).unwrap()
}

/// Subject and text of each notification, and of each error of the flow.
pub fn kept(node_red: &NodeRed) -> Vec<(String, String)> {
    asked(node_red).0
}

/// Waits until everybody is online as the flow has it, and no "offline" waits for its delay.
pub fn wait_for_peace(node_red: &NodeRed) {
    wait_for("nobody to be missed", || {
        let missed = node_red.get("/mediapackage").contains(" is offline");
        (!missed && !asked(node_red).1).then_some(())
    });
}

/// Waits until so many notifications came; their texts.
pub fn wait_for_kept(node_red: &NodeRed, count: usize) -> Vec<String> {
    let came = || {
        let kept = kept(node_red);
        (kept.len() >= count).then_some(kept)
    };
    let came = wait_for(&format!("{count} notifications"), came);
    assert_eq!(came.len(), count, "{came:#?}");
    came.into_iter().map(|(_, text)| text).collect()
}

/// Waits until the page shows these rows.
pub fn wait_for_rows(node_red: &NodeRed, wanted: impl Fn() -> Rows) {
    wait_for_or("the page", || {
        let (rows, wanted) = (rows(&node_red.get("/mediapackage")), wanted());
        match rows == wanted {
            true => Ok(()),
            false => Err(format!("{rows:#?} is not {wanted:#?}")),
        }
    });
}

/// The rows of the page by their first cell.
pub fn rows(page: &str) -> Rows {
    let rows = page.split("<tr><td>").skip(1);
    let cells = rows.map(|row| {
        let row = row.split("</tr>").next().unwrap();
        let cells = row.split("<td").enumerate().map(|(at, cell)| {
            // The first begins behind its tag.
            let inner = if at == 0 {
                cell
            } else {
                cell.split_once('>').unwrap().1
            };
            let inner = inner.trim_end().strip_suffix("</td>").unwrap();
            assert!(!inner.contains(['<', '>']), "not escaped: {inner}");
            plain(inner)
        });
        cells.collect::<Vec<_>>()
    });
    let rows = cells.map(|mut cells| (cells.remove(0), cells.try_into().unwrap()));
    rows.collect()
}

/// Text without the escapes of HTML.
fn plain(text: &str) -> String {
    let escapes = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x2F;", "/"),
        ("&#x60;", "`"),
        ("&#x3D;", "="),
        ("&amp;", "&"),
    ];
    escapes
        .iter()
        .fold(text.to_owned(), |text, (escape, letter)| {
            text.replace(escape, letter)
        })
}
