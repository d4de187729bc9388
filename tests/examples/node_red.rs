//! The flow in a real Node-RED, beside the agent, a broker and the simulated region.

use serde_json::Value;

use crate::copy::{
    Rows, copy, find, kept, rows, wait_for_kept, wait_for_peace, wait_for_rows, with_patience,
};
use crate::harness::{Agent, PREFIX, Site, json, wait_for, world};
use crate::region::{Clock, World};
use crate::support::gate::Gate;
use crate::support::node_red::NodeRed;
use crate::with_v2;

/// The middle of a minute, so that none settles by itself.
const NOW_MS: i64 = 1_795_341_630_000;

fn prefix() -> &'static str {
    PREFIX.trim_end_matches('/')
}

fn node_red(site: &Site) -> Option<NodeRed> {
    NodeRed::start(&Value::Array(copy(site.broker.port(), prefix())))
}

/// The table as the retained topics have it.
fn rows_of(site: &Site) -> Rows {
    let tree = site.retained();
    let channels = tree.keys().filter_map(|topic| {
        let level = topic.strip_prefix(PREFIX)?.strip_prefix("channel/")?;
        (!level.contains('/')).then_some(level)
    });
    let row = |level: &str| {
        let channel = json(&tree, &format!("channel/{level}"));
        let health = json(&tree, &format!("channel/{level}/health"));
        let metrics = json(&tree, &format!("channel/{level}/metrics"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rate = |key: &str| {
            let rate = metrics[key].as_f64();
            rate.map_or("–".to_owned(), |bits| format!("{:.1}", bits / 1e6))
        };
        let joined = |key: &str, between: &str| {
            let words = health[key].as_array().unwrap().iter().map(text);
            words.collect::<Vec<_>>().join(between)
        };
        let cells = [
            text(&channel["description"]),
            text(&health["health"]),
            text(&health["ingest"]),
            rate("ingress_bits_per_second"),
            rate("egress_bits_per_second"),
            joined("alarms", ", "),
            joined("reasons", " "),
        ];
        (text(&channel["id"]), cells)
    };
    channels.map(row).collect()
}

/// Awkward names of v1 and v2, and one that would do harm in a page that does not escape it.
fn awkward() -> World {
    let mut world = World::awkward("eu-central-1");
    world.clock = Clock::Fixed(NOW_MS);
    world.pages.inventory = 100;
    let harm = "<script>alert('{{id}}')</script>&amp;";
    world.add_channel(harm, 1);
    world.add_metrics(harm);
    world.channel(harm).description = Some("</td></tr>\"<b>".into());
    world.set_alarm("a/b#c+d \"é\"", "ALARM", "for the table");
    world
}

#[test]
fn the_table_is_that_of_the_retained_topics_also_for_what_went_while_it_was_away() {
    let site = with_v2(Site::new(awkward()));
    let agent = site.agent();
    let gate = Gate::start(site.broker.port());
    let flow = copy(gate.port(), prefix());
    let Some(node_red) = NodeRed::start(&Value::Array(flow)) else {
        return;
    };
    let all = site.region.edit(|w| w.channels.len() + w.v2.channels.len());
    wait_for("health of every channel", || {
        let rows = rows_of(&site);
        let known = rows
            .values()
            .all(|row| !["unknown", ""].contains(&row[1].as_str()));
        (rows.len() == all && known).then_some(())
    });
    wait_for_rows(&node_red, || rows_of(&site));
    let shown = rows(&node_red.get("/mediapackage"));
    assert!(shown.keys().any(|id| id.starts_with("<script>")));
    assert_eq!(shown["a/b#c+d"][1], "critical");
    assert_eq!(shown["a/b#c+d"][5], "a/b#c+d \"é\"");

    site.region.edit(|w| w.remove_channel("a/b#c+d"));
    wait_for("the channel to be gone", || {
        let shown = rows(&node_red.get("/mediapackage"));
        (shown.len() == all - 1).then_some(())
    });
    wait_for_rows(&node_red, || rows_of(&site));

    // While it is away a topic is cleared, and nobody will tell it.
    gate.hold();
    gate.cut();
    site.region.edit(|w| w.remove_channel(".."));
    wait_for("the second channel to leave the broker", || {
        (rows_of(&site).len() == all - 2).then_some(())
    });
    assert!(rows(&node_red.get("/mediapackage")).contains_key(".."));
    gate.open();
    wait_for("the second channel to be gone", || {
        let shown = rows(&node_red.get("/mediapackage"));
        (shown.len() == all - 2).then_some(())
    });
    wait_for_rows(&node_red, || rows_of(&site));
    assert_eq!(kept(&node_red), []);
    agent.stop();
}

fn alarm(site: &Site, state: &str) {
    site.region
        .edit(|w| w.set_alarm("silent", state, "so says the test"));
}

fn advance(site: &Site, change: impl FnOnce(&mut World, i64)) {
    site.region.edit(|w| {
        let minute = w.minute();
        change(w, minute);
        w.clock = Clock::Fixed(w.now_ms() + 12 * 60_000);
    });
}

/// An agent that has polled everything.
fn started(site: &Site) -> Agent {
    let agent = site.agent();
    agent.wait_for_log("mqtt: connected");
    for operation in ["ListChannels", "DescribeAlarms", "GetMetricData"] {
        site.wait_for_requests(operation, 2);
    }
    agent
}

fn page_says(node_red: &NodeRed, text: &str) -> bool {
    node_red.get("/mediapackage").contains(text)
}

#[test]
fn each_change_is_one_notification_and_no_restart_is() {
    let mut world = world();
    world.clock = Clock::Fixed(NOW_MS);
    let mut site = Site::new(world);
    let mut agent = site.agent();
    site.wait_for_picture(&site.eyes());
    let Some(node_red) = node_red(&site) else {
        return;
    };
    wait_for_rows(&node_red, || rows_of(&site));
    alarm(&site, "ALARM");
    wait_for_kept(&node_red, 1);
    alarm(&site, "OK");
    wait_for_kept(&node_red, 2);
    alarm(&site, "ALARM");
    wait_for_kept(&node_red, 3);

    site.broker.stop();
    wait_for("the page to miss the broker", || {
        page_says(&node_red, "the broker is offline").then_some(())
    });
    site.broker.run();
    site.wait_for_picture(&site.eyes());
    wait_for_rows(&node_red, || rows_of(&site));
    agent.stop();
    agent = started(&site);
    agent.kill();
    agent = started(&site);
    wait_for_peace(&node_red);

    advance(&site, |w, minute| w.stop_ingest("ch-0001", minute));
    wait_for_kept(&node_red, 4);
    advance(&site, |w, minute| w.start_ingest("ch-0001", minute));
    wait_for_kept(&node_red, 5);

    let hasty = with_patience(copy(site.broker.port(), prefix()), "0.1");
    node_red.deploy(&Value::Array(hasty));
    agent.stop();
    wait_for_kept(&node_red, 6);
    assert!(page_says(&node_red, "is offline: what is below"));
    agent = site.agent();
    let told = wait_for_kept(&node_red, 7);
    let began = "Alarm silent went from OK to ALARM. so says the test";
    assert_eq!(told[0], began);
    assert_eq!(
        told[1],
        "Alarm silent went from ALARM to OK. so says the test"
    );
    assert_eq!(told[2], began);
    assert!(
        told[3].starts_with("The input of channel ch-0001 is lost since 20"),
        "{told:?}"
    );
    assert!(
        told[4].starts_with("The input of channel ch-0001 is back since 20"),
        "{told:?}"
    );
    let who = "the agent mediapackage/test is";
    assert_eq!(
        told[5],
        format!("{who} offline: values are as they were last known.")
    );
    assert_eq!(told[6], format!("{who} online again."));
    agent.stop();
}

#[test]
fn the_button_makes_the_agent_poll_now() {
    let site = Site::new(world()).configured(|config| config.text("mediapackage.interval", "1h"));
    let agent = site.agent();
    let Some(node_red) = node_red(&site) else {
        return;
    };
    wait_for("three channels", || {
        (rows_of(&site).len() == 3).then_some(())
    });
    site.region.edit(|w| w.add_channel("new", 1));
    node_red.inject(find(&copy(0, ""), "inject", "id").as_str().unwrap());
    wait_for("the new channel", || {
        rows(&node_red.get("/mediapackage"))
            .contains_key("new")
            .then_some(())
    });
    agent.wait_for_log("a refresh was asked for");
    let asked = format!("{PREFIX}command/refresh");
    assert!(
        !site.retained().contains_key(&asked),
        "the command is retained"
    );
    assert_eq!(kept(&node_red), []);
    agent.stop();
}
