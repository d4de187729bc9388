//! What changes in v2 while the agent looks.

use crate::harness::{LIMIT, json, wait_for};
use crate::place::{asked, mixed, site, topics_of_all};

const V2: &str = "mediapackagev2";

#[test]
fn a_steady_state_costs_only_the_lists_and_what_changes_is_asked_for() {
    let site = site(mixed(), r#"["v1", "v2", "vod"]"#);
    let eyes = site.eyes();
    let agent = site.agent();
    let wanted = site.region.edit(|w| topics_of_all(w));
    site.wait_for_topics(&eyes, &wanted);
    let gets = |site: &crate::harness::Site| {
        let all = ["GetChannelGroup", "GetChannel", "GetOriginEndpoint"];
        all.iter().map(|get| asked(site, V2, get)).sum::<usize>()
    };
    let before = gets(&site);
    // Two groups, four channels, eight endpoints, each once.
    assert_eq!(before, 14);
    let lists = asked(&site, V2, "ListChannelGroups");
    wait_for("five more listings", || {
        (asked(&site, V2, "ListChannelGroups") >= lists + 5).then_some(())
    });
    // The slow sweep asks for one now and then: fourteen in half an hour.
    assert!(gets(&site) <= before + 2);

    let id = site.region.edit(|w| w.v2.channels[0].id());
    site.region.edit(|w| {
        w.edit_channel_v2(&id, |channel| {
            channel.common.description = Some("changed".into())
        });
    });
    let topic = format!("channel/{id}");
    eyes.wait_until(LIMIT, |tree| json(tree, &topic)["description"] == "changed");
    site.region.edit(|w| w.remove_channel_v2(&id));
    let wanted = site.region.edit(|w| topics_of_all(w));
    site.wait_for_topics(&eyes, &wanted);
    let gone = eyes
        .stream()
        .into_iter()
        .filter(|m| m.topic.ends_with("event/channel_removed"));
    assert_eq!(gone.count(), 1);
    agent.stop();
}

#[test]
fn a_silent_input_of_v2_is_seen_by_its_bytes() {
    let site = site(mixed(), r#"["v1", "v2"]"#);
    let site = site.configured(|config| config.text("cloudwatch.settle", "1s"));
    let id = site.region.edit(|w| w.v2.channels[0].id());
    site.region.edit(|w| w.stop_input(&id, 1, w.minute() - 10));
    let eyes = site.eyes();
    let agent = site.agent();
    let topic = format!("channel/{id}/health");
    let tree = eyes.wait_until(LIMIT, |tree| json(tree, &topic)["health"] == "warning");
    assert_eq!(json(&tree, &topic)["inputs_receiving"], 1);
    agent.stop();
}

#[test]
fn harvest_jobs_of_both_apis_are_shown_and_told_once() {
    let mut world = mixed();
    let (v1, v2) = (world.endpoints[0].id.clone(), world.v2.endpoints[0].id());
    world.add_job(&v1, "first");
    world.add_job(&v2, "second");
    let site = site(world, r#"["v1", "v2", "vod"]"#);
    let ids: Vec<String> = site
        .region
        .edit(|w| w.jobs.iter().map(|j| j.id.clone()).collect());
    let eyes = site.eyes();
    let agent = site.agent();
    let wanted = site.region.edit(|w| topics_of_all(w));
    let tree = site.wait_for_topics(&eyes, &wanted);
    let job = json(&tree, &format!("harvest_job/{}", ids[1]));
    assert_eq!(
        (&job["api"], &job["endpoint_id"]),
        (&"v2".into(), &v2.as_str().into())
    );
    site.region.edit(|w| w.set_job(&ids[1], "COMPLETED", None));
    let topic = format!("harvest_job/{}", ids[1]);
    eyes.wait_until(LIMIT, |tree| json(tree, &topic)["status"] == "COMPLETED");
    let told = eyes
        .stream()
        .into_iter()
        .filter(|m| m.topic.ends_with("event/harvest_job"));
    assert_eq!(told.count(), 1);
    agent.stop();
}
