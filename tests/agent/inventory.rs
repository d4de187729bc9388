//! What comes and goes in the region comes and goes in the topics, and only that.

use std::collections::BTreeSet;

use crate::harness::{LIMIT, PREFIX, Site, json, told_once, topics_of};
use crate::region::{Alarm, World};
use crate::support::mosquitto::Setup;
use crate::support::subscriber::{Message, Subscriber};

/// Three channels with two endpoints each and an alarm on each channel.
fn world() -> World {
    let mut world = World::new("eu-central-1").with_channels(3, 2);
    for id in ["ch-0000", "ch-0001", "ch-0002"] {
        world.put_alarm(Alarm::metric(id, "IngressBytes", &[("Channel", id)]));
    }
    world.standard_metrics()
}

fn remove(site: &Site, id: &str) {
    site.region.edit(|w| {
        w.remove_channel(id);
        w.alarms.retain(|a| a.name != id);
    });
}

/// The retained topics are those of the region; whatever was cleared belonged to `gone`.
fn only_that_is_gone(site: &Site, eyes: &Subscriber, gone: &str) {
    site.wait_for_picture(eyes);
    let kept: BTreeSet<String> = site.retained().into_keys().collect();
    assert_eq!(kept, site.region.edit(|w| topics_of(w)));
    let cleared = |m: &Message| m.payload.is_empty() && !told_once(&m.topic);
    for message in eyes.stream().into_iter().filter(cleared) {
        assert!(message.topic.contains(gone), "cleared: {message:?}");
    }
}

fn events(eyes: &Subscriber, event_type: &str) -> Vec<serde_json::Value> {
    let topic = format!("{PREFIX}event/{event_type}");
    let events = eyes.stream().into_iter().filter(|m| m.topic == topic);
    events
        .map(|m| serde_json::from_str(&m.payload).unwrap())
        .collect()
}

#[test]
fn a_channel_removed_while_running_is_cleared_and_its_neighbours_are_not() {
    let site = Site::new(world());
    let agent = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    remove(&site, "ch-0001");
    only_that_is_gone(&site, &eyes, "ch-0001");
    eyes.wait_for(LIMIT, |m| m.topic.ends_with("event/endpoint_removed"));
    let removed = events(&eyes, "channel_removed");
    assert_eq!(removed.len(), 1, "{removed:?}");
    assert_eq!(removed[0]["channel_id"], "ch-0001");
    assert_eq!(events(&eyes, "channel_added").len(), 0);
    agent.stop();
}

#[test]
fn a_channel_removed_while_the_agent_is_down_is_cleared_at_the_next_start() {
    let site = Site::new(world());
    let agent = site.agent();
    site.wait_for_picture(&site.eyes());
    agent.stop();
    remove(&site, "ch-0001");
    let eyes = site.eyes();
    let agent = site.agent();
    only_that_is_gone(&site, &eyes, "ch-0001");
    agent.stop();
}

#[test]
fn a_channel_removed_while_the_broker_is_down_is_cleared_when_it_is_back() {
    let setup = Setup {
        persistence: true,
        ..Setup::default()
    };
    let mut site = Site::with_broker(world(), &setup);
    let agent = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    drop(eyes);
    site.broker.stop();
    remove(&site, "ch-0001");
    // Gone is what two complete listings lack.
    site.wait_for_requests("ListOriginEndpoints", 3);
    site.wait_for_requests("DescribeAlarms", 3);
    site.broker.run();
    let eyes = site.eyes();
    only_that_is_gone(&site, &eyes, "ch-0001");
    agent.stop();
}

#[test]
fn a_new_channel_appears_with_an_event_and_without_disturbing_the_others() {
    let site = Site::new(world());
    let agent = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    site.region.edit(|w| {
        w.add_channel("new", 2);
        w.add_metrics("new");
    });
    only_that_is_gone(&site, &eyes, "nothing");
    eyes.wait_for(LIMIT, |m| m.topic.ends_with("event/channel_added"));
    let added = events(&eyes, "channel_added");
    assert_eq!(added.len(), 1, "{added:?}");
    assert_eq!(added[0]["channel_id"], "new");
    agent.stop();
}

#[test]
fn an_endpoint_that_moves_to_another_channel_is_shown_there() {
    let site = Site::new(world());
    let agent = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    site.region
        .edit(|w| w.endpoint("ch-0000-hls").channel_id = String::from("ch-0002"));
    let tree = eyes.wait_until(LIMIT, |tree| {
        let has = |channel: &str| {
            let ids = json(tree, &format!("channel/{channel}"))["endpoints"].clone();
            let ids = ids.as_array().cloned().unwrap_or_default();
            ids.iter().any(|id| id == "ch-0000-hls")
        };
        json(tree, "endpoint/ch-0000-hls")["channel_id"] == "ch-0002"
            && has("ch-0002")
            && !has("ch-0000")
            && json(tree, "endpoint/ch-0000-hls/metrics")["channel_id"] == "ch-0002"
    });
    assert_eq!(json(&tree, "summary")["endpoints"], 6);
    assert_eq!(events(&eyes, "endpoint_removed").len(), 0);
    agent.stop();
}
