//! What the page looks like: everything is there, can be reached, and is only text.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json as object;

use crate::browser::{run, run_with};
use crate::harness::{LIMIT, json, level};
use crate::place::Place;
use crate::region::{Alarm, Clock, World, world};

/// Something of everything there is.
fn everything() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(3, 2)
        .with_groups(1, 2, 1)
        .with_packaging(1, 2);
    for job in ["opening", "again"] {
        world.add_job("ch-0000-hls", job);
        world.job(job).key = String::from("one-key-for-both");
    }
    world.set_job("opening", "FAILED", Some("The bucket is not there."));
    let of = |channel| [("Channel", channel)];
    for (name, channel) in [("silent", "ch-0001"), ("slow", "ch-0002")] {
        world.put_alarm(Alarm::metric(name, "IngressBytes", &of(channel)));
    }
    // No minute is over while its values are held against what is shown.
    world.clock = Clock::Fixed(world.minute() * 60_000 + 30_000);
    world.standard_metrics()
}

/// Waits until the agent has taken up the whole region and what SNS tells of an alarm.
fn wait_for_all(place: &Place, alarm: &str) {
    let eyes = place.site.eyes();
    eyes.wait_until(LIMIT, |tree| {
        let subscription = json(tree, "sns/subscription/123456789012.mp");
        json(tree, "agent")["health"] == "ok" && subscription["state"] == "confirmed"
    });
    place.site.region.set_alarm_state(alarm, "ALARM", true);
    eyes.wait_until(LIMIT, |tree| {
        let told = !json(tree, "sns/messages")["messages"][0].is_null();
        told && json(tree, &format!("alarm/{}", level(alarm)))["state"] == "ALARM"
    });
}

#[test]
fn every_section_shows_its_things_sorts_filters_and_suits_everybody() {
    let place = Place::new(everything());
    let agent = place.agent();
    wait_for_all(&place, "silent");
    run("sections", &place.url(), |_| place.retained());
    agent.stop();
}

/// As markup, as a way out of an attribute, as an address, what turns a line around, and what no
/// line holds.
const AWKWARD: [&str; 8] = [
    "<img src=x onerror=alert(1)>",
    "\"><script>alert(2)</script>",
    "javascript:alert(3)",
    "</style></script><svg onload=alert(4)>",
    "\u{202e}tset a 漢字 {{7*7}} ${alert(5)} &lt;b&gt; 𝒳",
    "__proto__",
    "toString",
    "a-channel-whose-name-is-longer-than-any-line-of-a-phone-and-has-no-place-to-be-broken-at-\
     which-is-what-people-do-who-name-them-by-everything-they-know",
];

#[test]
fn awkward_texts_stay_text() {
    let mut awkward = World::new("eu-central-1");
    for (id, text) in AWKWARD.iter().zip(AWKWARD.iter().rev()) {
        awkward.add_channel(id, 1);
        awkward.channel(id).description = Some((*text).to_owned());
        awkward.channel(id).tags = [((*text).to_owned(), (*id).to_owned())].into();
        let endpoint = format!("{id}-hls");
        awkward.endpoint(&endpoint).description = Some((*text).to_owned());
        let url = object!({"url": "javascript:alert(6)//https://x"});
        awkward.endpoint(&endpoint).overlay = world::overlay(url);
        let mut alarm = Alarm::metric(id, "IngressBytes", &[("Channel", id)]);
        alarm.description = Some((*text).to_owned());
        awkward.put_alarm(alarm);
        awkward.set_alarm(id, "OK", text);
    }
    let place = Place::new(awkward.standard_metrics());
    let agent = place.agent();
    wait_for_all(&place, AWKWARD[0]);
    let sns = place.site.region.sns();
    let topic = place.site.region.edit(|w| w.alarms[0].actions[0].clone());
    sns.publish(
        &topic,
        Some(AWKWARD[0]),
        &object!({ "said": AWKWARD }).to_string(),
    );
    run("texts", &place.url(), |_| object!(AWKWARD).to_string());
    agent.stop();
}

/// What the agent's first polls may take for a thousand channels, beside other tests.
const MANY_LIMIT: Duration = Duration::from_secs(180);

#[test]
fn a_thousand_channels_can_be_reached_with_few_elements() {
    let world = World::new("eu-central-1").with_channels(1000, 4);
    let place = Place::new(world.standard_metrics()).set("cloudwatch.interval", "\"60s\"");
    let agent = place.agent();
    let eyes = place.site.eyes();
    eyes.wait_until(MANY_LIMIT, |tree| {
        let of = |topic: &&String| topic.contains("/endpoint/") && topic.ends_with("/metrics");
        tree.keys().filter(of).count() == 4000
    });
    run("many", &place.url(), |_| String::new());
    agent.stop();
}

/// How long the encoder of the picture's channel has been silent.
const LOST_FOR_MINUTES: i64 = 14;

/// Where the picture of the README goes: there only when it is asked for.
fn picture_file() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("PAGE_PICTURE").map(|name| root.join(name));
    named.unwrap_or_else(|| root.join("target/tmp/page.png"))
}

#[test]
fn a_picture_for_the_readme() {
    let mut world = World::new("eu-central-1");
    for (channel, endpoints) in [
        ("news-hd", 4),
        ("sports-1", 3),
        ("weather", 1),
        ("festival", 3),
        ("election-night", 2),
    ] {
        world.add_channel(channel, endpoints);
    }
    world.add_group("live");
    world.add_channel_v2("live", "concerts", 2);
    world.add_channel_v2("live", "theatre", 1);
    for channel in ["sports-1", "news-hd"] {
        let name = format!("{channel}-no-ingest");
        world.put_alarm(Alarm::metric(
            &name,
            "IngressBytes",
            &[("Channel", channel)],
        ));
    }
    let mut world = world.standard_metrics();
    world.stop_ingest("sports-1", world.minute() - LOST_FOR_MINUTES);
    let place = Place::new(world);
    let agent = place.agent();
    wait_for_all(&place, "sports-1-no-ingest");
    let file = picture_file();
    run_with("picture", &place.url(), &[("PICTURE", &file)], |_| {
        String::new()
    });
    agent.stop();
}
