//! `examples/home-assistant.md`: its ids are those that Home Assistant makes, its dashboard shows
//! what is there, its automations tell each thing once.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Agent, Site, run, wait_for, wait_for_or};
use crate::region::{Alarm, Clock, FOREVER, Fault, World};
use crate::support::cfn_lint::documents;
use crate::{Home, place, python};

const DOCUMENT: &str = include_str!("../../examples/home-assistant.md");
const README: &str = include_str!("../../README.md");
/// What its placeholders stand for in the region of these tests.
const PLACES: [(&str, &str); 4] = [
    ("<instance>", "eu_central_1"),
    ("<channel>", "sports_1"),
    ("<endpoint>", "hls"),
    ("<alarm>", "sports_1_no_ingest"),
];
const PLATFORMS: [&str; 4] = ["sensor", "binary_sensor", "event", "button"];
/// Cards that every Home Assistant has.
const CARDS: [&str; 6] = [
    "entities",
    "tile",
    "glance",
    "history-graph",
    "conditional",
    "markdown",
];
/// How long the document's automations wait, which no test should.
const WAITS: [&str; 2] = ["for: \"00:02:00\"", "for: \"00:05:00\""];

const SPORTS: &str = "binary_sensor.mediapackage_sports_1_ingest";
const CONCERTS: &str = "binary_sensor.mediapackage_live_concerts_ingest";
const CONNECTION: &str = "binary_sensor.mediapackage_agent_eu_central_1_connection";
const SOURCE: &str = "binary_sensor.mediapackage_agent_eu_central_1_source_alarms";
const EVENTS: &str = "event.mediapackage_agent_eu_central_1_events";
/// So many alarms change together that Home Assistant sees some in the same millisecond.
const TOGETHER: usize = 30;

/// The middle of a minute, so that none settles by itself.
const START_MS: i64 = 1_795_341_630_000;

fn alarms() -> Vec<String> {
    let more = (1..TOGETHER).map(|n| format!("sports-1-other-{n}"));
    std::iter::once("sports-1-no-ingest".to_owned())
        .chain(more)
        .collect()
}

/// A region with the channels that the document names, as the demo has them.
fn site() -> Site {
    let mut world = World::new("eu-central-1");
    world.clock = Clock::Fixed(START_MS);
    world.add_channel("sports-1", 3);
    world.add_group("live");
    world.add_channel_v2("live", "concerts", 2);
    let watched = [("Channel", "sports-1")];
    for name in alarms() {
        world.put_alarm(Alarm::metric(&name, "IngressBytes", &watched));
    }
    let site = place::site(world.standard_metrics(), "[\"v1\", \"v2\"]");
    site.configured(|config| {
        config
            .set("home_assistant.enabled", "true")
            .text("instance", "eu-central-1")
    })
}

/// Lets a channel receive or not, and so many minutes pass that it shows.
fn set_ingest(site: &Site, channel: &str, receives: bool) {
    site.region.edit(|w| {
        let minute = w.minute();
        match receives {
            true => w.start_ingest(channel, minute),
            false => w.stop_ingest(channel, minute),
        }
        w.clock = Clock::Fixed(w.now_ms() + 12 * 60_000);
    });
}

fn set_alarms(site: &Site, state: &str) {
    site.region.edit(|w| {
        for name in alarms() {
            w.set_alarm(&name, state, "because of it");
        }
    });
}

/// The document's pieces of YAML: the dashboard, then automations.
fn blocks() -> Vec<&'static str> {
    let pieces = DOCUMENT.split("```yaml\n").skip(1);
    pieces.map(|p| p.split("```").next().unwrap()).collect()
}

fn parsed(yaml: &str) -> Value {
    documents(yaml).remove(0)
}

/// Every entity id that the document names, in text, YAML and templates.
fn ids() -> BTreeSet<String> {
    let mut text = DOCUMENT.to_owned();
    for (place, name) in PLACES {
        text = text.replace(place, name);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let words = text.split(|c| !is_part(c));
    let is_id = |word: &&str| {
        let parts = word.split_once('.');
        parts.is_some_and(|(platform, id)| {
            PLATFORMS.contains(&platform) && id.starts_with("mediapackage_")
        })
    };
    words.filter(is_id).map(str::to_owned).collect()
}

/// The cards of the dashboard, those within others too.
fn cards() -> Vec<Value> {
    let dashboard = parsed(blocks()[0]);
    let views = dashboard["views"].as_array().unwrap();
    assert_eq!(views.len(), 1);
    let mut cards = views[0]["cards"].as_array().unwrap().clone();
    let within: Vec<Value> = cards.iter().map(|card| card["card"].clone()).collect();
    cards.extend(within.into_iter().filter(|card| !card.is_null()));
    cards
}

/// The templates of the dashboard.
fn templates() -> Vec<String> {
    let contents = cards().into_iter().map(|card| card["content"].clone());
    contents
        .filter_map(|content| content.as_str().map(str::to_owned))
        .collect()
}

/// The automations as a file of Home Assistant's; that of the input once more for another
/// channel, made as the document says. The waits are minutes: here, and nowhere else, they become
/// one second.
fn automations() -> String {
    let blocks = blocks();
    let of_another = blocks[1]
        .replace("sports_1", "live_concerts")
        .replace("sports-1", "live.concerts");
    let mut text = String::new();
    for block in blocks[1..].iter().copied().chain([&*of_another]) {
        text += &format!("- {}\n", block.trim_end().replace('\n', "\n  "));
    }
    for wait in WAITS {
        assert!(text.contains(wait), "{wait}");
        text = text.replace(wait, "for: \"00:00:01\"");
    }
    text
}

#[test]
fn its_yaml_says_what_it_is_meant_to() {
    assert!(README.contains("(examples/home-assistant.md)"));
    let ids = ids();
    assert!(ids.len() > 30, "{ids:?}");
    let known = |id: &Value| id.as_str().is_some_and(|id| ids.contains(id));
    for card in cards() {
        let kind = card["type"].as_str().unwrap_or_default();
        assert!(CARDS.contains(&kind), "{card}");
        let lists = [&card["entities"], &card["conditions"]];
        let rows = lists.into_iter().filter_map(Value::as_array).flatten();
        let own = (kind == "tile").then_some(&card);
        for row in rows.chain(own) {
            assert!(known(&row["entity"]), "{row}");
        }
    }
    let blocks = blocks();
    assert_eq!(blocks.len(), 4);
    for block in &blocks[1..] {
        let automation = parsed(block);
        let trigger = &automation["triggers"][0];
        let entities = match &trigger["entity_id"] {
            Value::Array(ids) => ids.clone(),
            id => vec![id.clone()],
        };
        assert!(entities.iter().all(known), "{trigger}");
        // Without quotes YAML makes true and false of them.
        assert!(trigger["to"].is_null() || trigger["to"] == "off");
        assert!(block.contains("notify.mobile_app_<"), "{automation}");
    }
    assert_eq!(automations().matches("00:00:01").count(), 3);
}

/// A name as a part of an id, where it is of plain letters.
fn slug(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let words = name.split(|c| !plain(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

#[test]
fn its_ids_are_those_that_the_documents_lead_to() {
    let site = site();
    let output = run(&["once"], &site.write());
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.split_once('\t').unwrap());
    let mut made = BTreeSet::new();
    for (_, payload) in lines.filter(|(topic, _)| topic.starts_with("homeassistant/")) {
        let document: Value = serde_json::from_str(payload).unwrap();
        let device = slug(document["device"]["name"].as_str().unwrap());
        for component in document["components"].as_object().unwrap().values() {
            let text = |key: &str| component[key].as_str().unwrap();
            if component["enabled_by_default"] != false {
                made.insert(format!(
                    "{}.{device}_{}",
                    text("platform"),
                    slug(text("name"))
                ));
            }
        }
    }
    let ids = ids();
    let unknown: Vec<&String> = ids.difference(&made).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {made:#?}");
}

impl Home {
    /// Titles of the notifications with an id, in the order in which they were made.
    fn notified(&self, id: &str) -> Vec<String> {
        let seen = self.seen();
        let all = seen["notified"].as_array().unwrap().iter();
        all.filter(|one| one[0] == id)
            .map(|one| one[1].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Waits until the notifications with an id are these.
    #[track_caller]
    fn wait_for_notified(&self, id: &str, titles: &[&str]) {
        wait_for_or(id, || {
            let there = self.notified(id);
            match there == titles {
                true => Ok(()),
                false => Err(format!("{there:?}; told {}", self.seen()["told"])),
            }
        });
    }

    /// Waits until the newest notification with an id is this.
    #[track_caller]
    fn wait_for_newest(&self, id: &str, title: &str) {
        wait_for_or(id, || {
            let there = self.notified(id);
            match there.last().is_some_and(|newest| newest == title) {
                true => Ok(()),
                false => Err(format!("{there:?}")),
            }
        });
    }

    /// Waits until the dashboard's templates show all of these texts.
    #[track_caller]
    fn wait_for_shown(&self, wanted: &[&str]) {
        wait_for_or("the dashboard", || {
            let shown = self.seen()["rendered"].to_string();
            match wanted.iter().all(|text| shown.contains(text)) && !shown.contains("FAULT") {
                true => Ok(()),
                false => Err(shown),
            }
        });
    }
}

/// Home Assistant with all that the document has, once everything is there.
fn home(python: &Path, site: &Site) -> (Home, Agent) {
    let templates = serde_json::to_string(&templates()).unwrap();
    let files = [
        ("automations.yaml", automations()),
        ("templates.json", templates),
    ];
    let home = Home::with(python, site.broker.port(), &files);
    let agent = site.agent();
    // An alarm that changes before it is known is no event.
    let alarm = "sensor.mediapackage_sports_1_alarm_sports_1_no_ingest_state";
    home.wait_for_states(&[(SPORTS, "on"), (CONCERTS, "on"), (EVENTS, "unknown")]);
    home.wait_for_states(&[(alarm, "OK")]);
    (home, agent)
}

/// The id of an alarm's notifications.
fn notification(name: &str) -> String {
    format!("mediapackage.alarm.{name}")
}

#[test]
fn its_automations_tell_each_thing_once() {
    let Some(python) = python() else { return };
    let site = site();
    let (home, agent) = home(&python, &site);
    set_ingest(&site, "sports-1", false);
    home.wait_for_notified(SPORTS, &["Input lost"]);
    set_alarms(&site, "ALARM");
    for name in alarms() {
        home.wait_for_notified(&notification(&name), &["Alarm"]);
    }

    // The agent goes and comes again: of what was so before only its own connection is told.
    agent.stop();
    home.wait_for_notified(CONNECTION, &["MediaPackage is not being watched"]);
    set_ingest(&site, "live.concerts", false);
    let agent = site.agent();
    home.wait_for_states(&[(CONNECTION, "on"), (SPORTS, "off"), (EVENTS, "*")]);
    home.wait_for_notified(CONCERTS, &["Input lost"]);
    // Once more, so that what would be told of sports-1 has been told before.
    set_ingest(&site, "live.concerts", true);
    home.wait_for_notified(CONCERTS, &["Input lost", "Input back"]);
    set_ingest(&site, "live.concerts", false);
    home.wait_for_notified(CONCERTS, &["Input lost", "Input back", "Input lost"]);

    set_alarms(&site, "OK");
    set_ingest(&site, "sports-1", true);
    let watched = [
        "MediaPackage is not being watched",
        "MediaPackage is being watched again",
    ];
    home.wait_for_notified(SPORTS, &["Input lost", "Input back"]);
    home.wait_for_notified(CONNECTION, &watched);
    for name in alarms() {
        home.wait_for_notified(&notification(&name), &["Alarm", "Alarm over"]);
    }
    let faults = Fault::html(502);
    site.region
        .edit(|w| w.faults.add("DescribeAlarms", FOREVER, faults));
    home.wait_for_newest(SOURCE, watched[0]);
    site.region.edit(|w| w.faults.clear());
    home.wait_for_newest(SOURCE, watched[1]);
    let messages = home.seen()["notified"].to_string();
    for message in [
        "Nothing comes in for MediaPackage sports-1.",
        "Alarm sports-1-no-ingest went from OK to ALARM. because of it",
        "MediaPackage agent eu-central-1 Connection has been off for five minutes.",
    ] {
        assert!(messages.contains(message), "{message}: {messages}");
    }
    end(&home, agent);
}

/// The agent goes. Home Assistant takes a minute to end when an automation begins meanwhile.
fn end(home: &Home, agent: Agent) {
    let before = home.notified(CONNECTION).len();
    agent.stop();
    wait_for("the agent's end to be told", || {
        (home.notified(CONNECTION).len() > before).then_some(())
    });
    home.is_content();
}

#[test]
fn its_dashboard_shows_what_is_there_and_a_restart_repeats_no_event() {
    let Some(python) = python() else { return };
    let site = site();
    let (mut home, agent) = home(&python, &site);
    home.wait_for_shown(&["No channel is known to have a problem.", "None."]);
    wait_for_or("every entity of the document", || {
        let there = home.entities();
        let is_missing = |id: &String| there.get(id).is_none_or(|e| e["disabled"] == true);
        let missing: Vec<String> = ids().into_iter().filter(is_missing).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("{missing:?}; told {}", home.seen()["told"])),
        }
    });
    set_ingest(&site, "live.concerts", false);
    set_alarms(&site, "ALARM");
    let lost = "- **MediaPackage live.concerts**: ";
    home.wait_for_shown(&[lost, "- sports-1-no-ingest"]);
    for name in alarms() {
        home.wait_for_notified(&notification(&name), &["Alarm"]);
    }
    // The attributes of an event are told in the document, and no others.
    let event = &home.entities()[EVENTS]["attributes"];
    for key in event.as_object().unwrap().keys() {
        let own = ["event_types", "friendly_name"].contains(&key.as_str());
        assert!(own || DOCUMENT.contains(&format!("`{key}`")), "{key}");
    }

    home.restart(&python, site.broker.port());
    home.wait_for_states(&[(EVENTS, "*"), (CONCERTS, "off")]);
    home.wait_for_notified(CONCERTS, &["Input lost"]);
    for name in alarms() {
        home.wait_for_notified(&notification(&name), &[]);
    }
    home.wait_for_shown(&[lost]);

    // What is not known does not look well.
    end(&home, agent);
    let unknown = "- **MediaPackage sports-1**: whether anything comes in is not known.";
    home.wait_for_shown(&[unknown, "Not known."]);
}
