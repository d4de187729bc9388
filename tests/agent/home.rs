//! Home Assistant's documents and flat topics in a real broker, across a crash and a change of
//! the config.

use crate::harness::{PREFIX, Site, wait_for_or, world};
use crate::support::subscriber::retained;

/// Object ids of the documents that the broker keeps.
fn documents(site: &Site) -> Vec<String> {
    let all = retained(site.broker.port(), "homeassistant/#");
    let id = |topic: &String| {
        let id = topic.strip_prefix("homeassistant/device/test/")?;
        id.strip_suffix("/config").map(str::to_owned)
    };
    all.keys()
        .map(|topic| id(topic).unwrap_or_else(|| topic.clone()))
        .collect()
}

#[track_caller]
fn wait_for_documents(site: &Site, wanted: &[&str]) {
    wait_for_or("the documents", || {
        let there = documents(site);
        match there == wanted {
            true => Ok(()),
            false => Err(format!("{there:?}")),
        }
    });
}

#[test]
fn documents_follow_the_region_and_the_config() {
    let site = Site::new(world()).configured(|c| c.set("home_assistant.enabled", "true"));
    let agent = site.agent();
    wait_for_documents(&site, &["agent", "v1_ch-0000", "v1_ch-0001", "v1_ch-0002"]);
    agent.kill();
    site.region.edit(|w| w.remove_channel("ch-0001"));
    let agent = site.agent();
    wait_for_documents(&site, &["agent", "v1_ch-0000", "v1_ch-0002"]);
    agent.stop();
    let site = site.configured(|c| c.set("home_assistant.enabled", "false"));
    let agent = site.agent();
    wait_for_documents(&site, &[]);
    agent.stop();
}

#[test]
fn flat_topics_follow_the_region_and_the_config() {
    let site = Site::new(world()).configured(|c| c.set("mqtt.flat", "true"));
    let agent = site.agent();
    let has = |topic: &str, wanted: Option<&str>| {
        let topic = format!("{PREFIX}{topic}");
        wait_for_or(&topic, || {
            let there = site.retained();
            let payload = there.get(&topic).map(String::as_str);
            match payload == wanted {
                true => Ok(()),
                false => Err(format!("{payload:?}, not {wanted:?}")),
            }
        });
    };
    has("channel/ch-0001/health/ingest", Some("receiving"));
    has("alarm/silent/state", Some("OK"));
    agent.kill();
    site.region.edit(|w| w.remove_channel("ch-0001"));
    let agent = site.agent();
    has("channel/ch-0001/health/ingest", None);
    has("channel/ch-0001/metrics/egress_bytes", None);
    has("channel/ch-0000/health/ingest", Some("receiving"));
    agent.stop();
    let site = site.configured(|c| c.set("mqtt.flat", "false"));
    let agent = site.agent();
    wait_for_or("no flat topic", || {
        let there = site.retained();
        let flat = there
            .keys()
            .filter(|t| t.contains("/health/") || t.contains("summary/"));
        let flat: Vec<&String> = flat.collect();
        match flat.is_empty() {
            true => Ok(()),
            false => Err(format!("{flat:?}")),
        }
    });
    agent.stop();
}
