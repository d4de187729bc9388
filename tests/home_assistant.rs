//! A real Home Assistant shows the region: the binary, mosquitto, and Home Assistant from PyPI.
//!
//! `tests/run` installs it where there is a Python that is new enough; elsewhere these tests
//! say that they are skipped.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;
#[path = "media/place.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod place;

#[path = "home_assistant/example.rs"]
mod example;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use harness::{Site, no_secret_in, wait_for_or};
use region::{Alarm, World};
use support::ports::{free_port, start};
use support::publisher::publish;
use support::subscriber::retained;

/// Python of the virtual environment with Home Assistant, where there is one.
fn python() -> Option<PathBuf> {
    let made = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/home-assistant");
    let venv = std::env::var_os("HOME_ASSISTANT_VENV").map_or(made, PathBuf::from);
    let python = venv.join("bin/python");
    if python.exists() {
        return Some(python);
    }
    eprintln!("SKIPPED: no Home Assistant here (Python 3.13 or newer is needed); see tests/run");
    None
}

/// A running Home Assistant with a fresh folder; it ends when dropped.
struct Home {
    dir: TempDir,
    child: Child,
}

/// Runs Home Assistant in a folder.
fn launch(python: &Path, folder: &Path, broker_port: u16) -> Child {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/home_assistant.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(folder)
        .args([free_port().to_string(), broker_port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let seen = folder.join("seen.json");
    start("Home Assistant", &mut command, || seen.exists())
}

impl Home {
    fn start(python: &Path, broker_port: u16) -> Home {
        Home::with(python, broker_port, &[])
    }

    /// With these files in its folder, see `home_assistant.py`.
    fn with(python: &Path, broker_port: u16, files: &[(&str, String)]) -> Home {
        let dir = TempDir::new().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let child = launch(python, dir.path(), broker_port);
        Home { dir, child }
    }

    /// Ends it, and starts it anew in its folder.
    fn restart(&mut self, python: &Path, broker_port: u16) {
        self.end();
        std::fs::remove_file(self.dir.path().join("seen.json")).unwrap();
        self.child = launch(python, self.dir.path(), broker_port);
    }

    /// The end of its input ends it.
    fn end(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }

    fn seen(&self) -> Value {
        let text = std::fs::read_to_string(self.dir.path().join("seen.json")).unwrap();
        no_secret_in("Home Assistant", &text);
        serde_json::from_str(&text).unwrap()
    }

    /// Entities by their ids.
    fn entities(&self) -> BTreeMap<String, Value> {
        let seen = self.seen();
        let entities = seen["entities"].as_array().unwrap().iter();
        entities
            .map(|row| (row["entity_id"].as_str().unwrap().to_owned(), row.clone()))
            .collect()
    }

    /// Waits until these entities have these states; `-` is an entity that is not there, and
    /// `*` any state that is known.
    #[track_caller]
    fn wait_for_states(&self, wanted: &[(&str, &str)]) {
        wait_for_or("the states", || {
            let entities = self.entities();
            let state = |id: &str| {
                let entity = entities.get(id);
                entity.map_or("-", |e| e["state"].as_str().unwrap_or("disabled"))
            };
            let known = |state: &str| !["-", "unknown", "unavailable", "disabled"].contains(&state);
            let fits = |(id, wanted): &&(&str, &str)| match *wanted {
                "*" => known(state(id)),
                wanted => state(id) == wanted,
            };
            let wrong: Vec<String> = wanted
                .iter()
                .filter(|row| !fits(row))
                .map(|(id, wanted)| format!("{id} is {}, not {wanted}", state(id)))
                .collect();
            match wrong.is_empty() {
                true => Ok(()),
                false => Err(format!("{wrong:?}\nthere are {:?}", entities.keys())),
            }
        });
    }

    fn press(&self, button: &str) {
        let mut input = self.child.stdin.as_ref().unwrap();
        writeln!(input, "{button}").unwrap();
    }

    /// Home Assistant has complained about nothing.
    #[track_caller]
    fn is_content(&self) {
        let seen = self.seen();
        let told = seen["told"].as_array().unwrap().iter();
        let told: Vec<&str> = told.map(|line| line.as_str().unwrap()).collect();
        // When a device goes, it clears the device's topic once more for each entity, and
        // wonders about its own messages.
        let own = [
            "No device components to cleanup",
            "is logging too frequently",
        ];
        let told: Vec<&str> = told
            .into_iter()
            .filter(|line| !own.iter().any(|own| line.contains(own)))
            .collect();
        assert!(told.is_empty(), "{}: {told:#?}", seen["version"]);
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.end();
    }
}

/// A region of all kinds of things, with Home Assistant switched on.
fn site(world: World) -> Site {
    place::site(world, "[\"v1\", \"v2\", \"vod\"]").configured(|config| {
        config
            .set("home_assistant.enabled", "true")
            .text("cloudwatch.metrics", "full")
            .text("cloudwatch.alarms", "all")
    })
}

/// What stands in the broker's documents: unique ids of entities, and which are switched on.
/// What is being taken off is not among them.
fn documented(site: &Site) -> BTreeMap<String, bool> {
    let mut all = BTreeMap::new();
    for payload in retained(site.broker.port(), "homeassistant/#").values() {
        let document: Value = serde_json::from_str(payload).unwrap();
        for component in document["components"].as_object().unwrap().values() {
            if let Some(id) = component["unique_id"].as_str() {
                all.insert(id.to_owned(), component["enabled_by_default"] != false);
            }
        }
    }
    all
}

/// Waits until Home Assistant has every entity of the documents, and none besides.
#[track_caller]
fn wait_for_all(home: &Home, site: &Site, devices: usize) {
    wait_for_or("every entity of every document", || {
        let documented = documented(site);
        let seen = home.seen();
        let entities = seen["entities"].as_array().unwrap().iter();
        let there: BTreeMap<String, bool> = entities
            .map(|row| {
                let id = row["unique_id"].as_str().unwrap().to_owned();
                (id, row["disabled"] == false)
            })
            .collect();
        let count = seen["devices"].as_array().unwrap().len();
        match there == documented && count == devices {
            true => Ok(()),
            false => Err(format!(
                "{count} devices, {} entities of {}; told {:#?}",
                there.len(),
                documented.len(),
                seen["told"]
            )),
        }
    });
}

#[test]
fn the_region_appears_lives_and_goes() {
    let Some(python) = python() else { return };
    let mut world = place::mixed();
    for (name, dimensions) in [
        ("silent", &[("Channel", "ch-0000")][..]),
        ("region: \"everything\"?", &[]),
    ] {
        world.put_alarm(Alarm::metric(name, "IngressBytes", dimensions));
    }
    let site = site(world);
    let home = Home::start(&python, site.broker.port());
    let agent = site.agent();
    // The agent, 2 channels of v1, 4 of v2, 1 packaging group.
    wait_for_all(&home, &site, 8);
    let channel = "mediapackage_ch_0000";
    let id = |platform: &str, name: &str| format!("{platform}.{channel}_{name}");
    let region = "mediapackage_agent_test";
    let of_region = |platform: &str, name: &str| format!("{platform}.{region}_{name}");
    let rows = [
        (id("binary_sensor", "ingest"), "on"),
        (id("binary_sensor", "problem"), "off"),
        (id("sensor", "health"), "ok"),
        (id("sensor", "egress_bitrate"), "*"),
        (id("sensor", "ingress_bitrate"), "*"),
        (id("sensor", "requests"), "*"),
        (id("sensor", "egress_response_time"), "*"),
        (id("sensor", "4xx_responses"), "*"),
        (id("sensor", "inputs_receiving"), "2"),
        (id("sensor", "metrics_minute"), "*"),
        (id("sensor", "endpoint_hls_origination"), "ALLOW"),
        (id("sensor", "endpoint_hls_bitrate"), "*"),
        (id("sensor", "endpoint_hls_response_time"), "*"),
        (id("binary_sensor", "alarm_silent"), "off"),
        (id("sensor", "alarm_silent_state"), "OK"),
        (of_region("binary_sensor", "connection"), "on"),
        (of_region("sensor", "health"), "ok"),
        (of_region("sensor", "region_health"), "ok"),
        (of_region("sensor", "channels"), "6"),
        (of_region("sensor", "alarms_active"), "0"),
        (of_region("sensor", "version"), env!("CARGO_PKG_VERSION")),
        (of_region("sensor", "egress_bitrate"), "*"),
        (of_region("sensor", "cost_forecast"), "*"),
        (of_region("sensor", "last_success_metrics"), "*"),
        (of_region("binary_sensor", "source_alarms"), "on"),
        (of_region("sensor", "clock_offset"), "*"),
        (of_region("button", "refresh"), "unknown"),
        (of_region("event", "events"), "unknown"),
        (of_region("binary_sensor", "alarm_region_everything"), "off"),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(id, state)| (&**id, *state)).collect();
    home.wait_for_states(&rows);
    if let Some(file) = std::env::var_os("HOME_ASSISTANT_SEEN") {
        std::fs::write(file, home.seen().to_string()).unwrap();
    }

    // An alarm comes, an alarm's rule goes, a channel goes.
    site.region
        .edit(|w| w.set_alarm("silent", "ALARM", "it is silent"));
    let alarm = id("binary_sensor", "alarm_silent");
    let problem = id("binary_sensor", "problem");
    let events = of_region("event", "events");
    home.wait_for_states(&[(&alarm, "on"), (&problem, "on"), (&events, "*")]);
    let told = &home.entities()[&events]["attributes"];
    assert_eq!(told["event_type"], "alarm");
    assert_eq!(told["state"], "ALARM");
    assert_eq!(
        home.entities()[&alarm]["attributes"]["reason"],
        "it is silent"
    );
    site.region
        .edit(|w| w.set_alarm("silent", "INSUFFICIENT_DATA", ""));
    home.wait_for_states(&[(&alarm, "unknown")]);
    site.region.edit(|w| {
        w.alarms.retain(|alarm| alarm.name != "silent");
        w.remove_channel("ch-0001");
    });
    home.wait_for_states(&[(&alarm, "-"), ("sensor.mediapackage_ch_0001_health", "-")]);
    wait_for_all(&home, &site, 7);

    home.is_content();

    // Home Assistant starts anew, and finds all of it at once.
    drop(home);
    let home = Home::start(&python, site.broker.port());
    wait_for_all(&home, &site, 7);
    let connection = of_region("binary_sensor", "connection");
    let health = id("sensor", "health");
    home.wait_for_states(&[(&connection, "on"), (&health, "ok")]);

    // The agent goes: what it showed is unavailable, and that it is gone is a state.
    agent.stop();
    home.wait_for_states(&[(&connection, "off"), (&health, "unavailable")]);
    home.is_content();
}

#[test]
fn any_name_and_any_value_pass_without_a_word() {
    let Some(python) = python() else { return };
    let mut world = World::awkward("eu-central-1");
    world.put_alarm(Alarm::metric(
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
        "IngressBytes",
        &[],
    ));
    world.put_alarm(Alarm::metric(
        "{{ states('x') }}{% raw %}",
        "IngressBytes",
        &[],
    ));
    world.put_alarm(Alarm::metric("Same", "IngressBytes", &[]));
    world.put_alarm(Alarm::metric("same", "IngressBytes", &[]));
    let site = site(world);
    let home = Home::start(&python, site.broker.port());
    let agent = site.agent();
    home.wait_for_states(&[("sensor.mediapackage_agent_test_health", "ok")]);
    let documents = retained(site.broker.port(), "homeassistant/#").len();
    wait_for_all(&home, &site, documents);
    // Switched off, all of it goes.
    agent.stop();
    home.is_content();
    let site = site.configured(|config| config.set("home_assistant.enabled", "false"));
    let agent = site.agent();
    wait_for_all(&home, &site, 0);
    agent.stop();
    home.is_content();
}

#[test]
fn pressing_refresh_asks_aws_again() {
    let Some(python) = python() else { return };
    let site = site(place::mixed()).configured(|config| {
        config
            .text("mediapackage.interval", "1h")
            .text("cloudwatch.alarms_interval", "1h")
    });
    let home = Home::start(&python, site.broker.port());
    let agent = site.agent();
    let button = "button.mediapackage_agent_test_refresh";
    home.wait_for_states(&[(button, "unknown")]);
    home.press(button);
    agent.wait_for_log("a refresh was asked for");

    // Home Assistant keeps no attributes of more than 16 KiB.
    let events = "event.mediapackage_agent_test_events";
    for (id, detail) in [("1", "short".to_owned()), ("2", "x".repeat(50_000))] {
        let event = serde_json::json!({
            "id": id, "event_type": "other", "detail": {"text": detail},
        });
        let topic = "mediapackage/test/event/other";
        let port = site.broker.port();
        publish(port, &[(topic, event.to_string().as_bytes())], false);
        let attributes = wait_for_or("the event", || {
            let entities = home.entities();
            let told = entities[events]["attributes"].clone();
            let is_it = told["id"] == id;
            is_it.then_some(told.clone()).ok_or(told.to_string())
        });
        let is_whole = attributes["detail"]["text"] == "short";
        assert_eq!(is_whole, id == "1", "{id}");
        assert!(attributes.to_string().len() < 16 * 1024, "{id}");
    }
    home.is_content();
    agent.stop();
}
