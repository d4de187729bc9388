//! Accounts with all, some or none of the APIs.

use crate::harness::{LIMIT, Site, json, run, topics_of};
use crate::place::{asked, mixed, site, topics_of_all, topics_of_v2};
use crate::region::World;

const ALL: &str = r#"["v1", "v2", "vod"]"#;

fn state_of(site: &Site, api: &str, state: &str) {
    let eyes = site.eyes();
    let tree = eyes.wait_until(LIMIT, |tree| {
        json(tree, "agent")["apis"][api]["state"] == state
    });
    assert_eq!(json(&tree, "agent")["schema"], 1);
}

#[test]
fn all_apis_of_an_account_are_shown_side_by_side() {
    let site = site(mixed(), ALL);
    let eyes = site.eyes();
    let agent = site.agent();
    let wanted = site.region.edit(|w| topics_of_all(w));
    let tree = site.wait_for_topics(&eyes, &wanted);
    let group = site.region.edit(|w| w.v2.groups[0].name.clone());
    let (id, endpoint) = site
        .region
        .edit(|w| (w.v2.channels[0].id(), w.v2.endpoints[0].id()));
    let channel = json(&tree, &format!("channel/{id}"));
    assert_eq!(channel["api"], "v2");
    assert_eq!(channel["channel_group"], group.as_str());
    assert_eq!(channel["ingest_endpoints"].as_array().unwrap().len(), 2);
    let shown = json(&tree, &format!("endpoint/{endpoint}"));
    assert_eq!(shown["channel_id"], id.as_str());
    assert!(!shown["manifests"].as_array().unwrap().is_empty());
    let listed = json(&tree, &format!("channel_group/{group}"));
    assert_eq!(listed["channels"].as_array().unwrap().len(), 2);
    let metrics = json(&tree, &format!("channel/{id}/metrics"));
    for key in ["channel_mqcs", "ingress_request_count", "egress_bytes"] {
        assert!(metrics[key].is_number(), "{key}: {metrics}");
    }
    assert!(metrics["inputs"][0]["mqcs"].is_number(), "{metrics}");
    let health = json(&tree, &format!("channel/{id}/health"));
    assert_eq!(
        (&health["health"], &health["inputs_receiving"]),
        (&"ok".into(), &2.into())
    );
    let v1 = json(&tree, "channel/ch-0000/metrics");
    assert!(v1["channel_mqcs"].is_null() && v1["inputs"][0]["mqcs"].is_null());
    assert_eq!(json(&tree, "summary")["channels"], 6);
    agent.stop();
}

#[test]
fn an_account_with_v2_alone_has_all_it_needs() {
    let world = World::new("eu-central-1").with_groups(1, 2, 2);
    let site = site(world.standard_metrics(), r#"["v2"]"#);
    let eyes = site.eyes();
    let agent = site.agent();
    let wanted = site.region.edit(|w| {
        let mut topics = topics_of(w);
        topics.extend(topics_of_v2(w));
        topics
    });
    site.wait_for_topics(&eyes, &wanted);
    assert_eq!(asked(&site, "mediapackage", "ListChannels"), 0);
    agent.stop();
}

#[test]
fn what_an_account_may_not_use_is_one_line_and_a_state_and_the_rest_goes_on() {
    let site = site(mixed(), ALL);
    site.region.edit(|w| {
        w.denied.push("mediapackagev2:*".into());
        w.absent.push("mediapackage-vod".into());
    });
    let eyes = site.eyes();
    let agent = site.agent();
    let wanted = site.region.edit(|w| topics_of(w));
    site.wait_for_topics(&eyes, &wanted);
    state_of(&site, "v2", "unavailable");
    state_of(&site, "vod", "unavailable");
    state_of(&site, "v1", "ok");
    site.wait_for_requests("ListOriginEndpoints", 5);
    for word in ["mediapackage v2", "mediapackage vod"] {
        assert_eq!(agent.logged(word), 1, "{word}: {:#?}", agent.log());
    }
    agent.wait_for_log("mediapackagev2:ListChannelGroups");
    // The permission is given; who asks for a refresh need not wait for the hour.
    site.region.edit(|w| w.denied.clear());
    let refresh: (&str, &[u8]) = ("mediapackage/test/command/refresh", b"now");
    crate::support::publisher::publish(site.broker.port(), &[refresh], false);
    state_of(&site, "v2", "ok");
    drop(agent);
}

#[test]
fn one_run_prints_all_apis_whole() {
    let site = site(mixed(), ALL);
    let output = run(&["once"], &site.write());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    let printed: std::collections::BTreeSet<String> = text
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect();
    let mut wanted = site.region.edit(|w| topics_of_all(w));
    assert!(wanted.is_superset(&printed), "{printed:#?}");
    wanted.retain(|topic| !printed.contains(topic));
    assert!(wanted.is_empty(), "missing {wanted:#?}");
}
