//! Sites with all three APIs.

use std::collections::BTreeSet;

use crate::harness::{PREFIX, Site, level, topics_of};
use crate::region::World;

/// Two channels of v1, two groups with two channels each of v2, and VOD; with all metrics.
pub fn mixed() -> World {
    World::new("eu-central-1")
        .with_channels(2, 2)
        .with_groups(2, 2, 2)
        .with_packaging(1, 2)
        .standard_metrics()
}

/// A site whose agent asks these APIs.
pub fn site(world: World, apis: &str) -> Site {
    let site = Site::new(world);
    let aws = site.region.url();
    site.configured(|config| {
        config
            .set("mediapackage.apis", apis)
            .text("mediapackage.v2_url", &aws)
            .text("mediapackage.vod_url", &aws)
    })
}

/// The retained topics that the whole region comes to.
pub fn topics_of_all(world: &World) -> BTreeSet<String> {
    let mut topics = topics_of(world);
    topics.extend(topics_of_v2(world));
    let vod = &world.vod;
    let mut add = |topic: String| topics.insert(format!("{PREFIX}{topic}"));
    for group in &vod.groups {
        add(format!("packaging_group/{}", level(&group.id)));
    }
    for configuration in &vod.configurations {
        let id = level(&configuration.id);
        for tail in ["", "/metrics"] {
            add(format!("packaging_configuration/{id}{tail}"));
        }
    }
    topics
}

/// Those of v2 alone.
pub fn topics_of_v2(world: &World) -> BTreeSet<String> {
    let v2 = &world.v2;
    let mut topics: Vec<String> = Vec::new();
    for group in &v2.groups {
        topics.push(format!("channel_group/{}", level(&group.name)));
    }
    for channel in &v2.channels {
        let id = level(&channel.id());
        topics.extend(["", "/health", "/metrics"].map(|tail| format!("channel/{id}{tail}")));
    }
    for endpoint in &v2.endpoints {
        let id = level(&endpoint.id());
        topics.extend(["", "/metrics"].map(|tail| format!("endpoint/{id}{tail}")));
    }
    for job in world.jobs.iter().filter(|job| job.v2.is_some()) {
        topics.push(format!("harvest_job/{}", level(&job.id)));
    }
    topics
        .into_iter()
        .map(|topic| format!("{PREFIX}{topic}"))
        .collect()
}

/// Requests so far of an operation of one service.
pub fn asked(site: &Site, service: &str, operation: &str) -> usize {
    let requests = site.region.requests();
    let of = requests
        .iter()
        .filter(|r| r.service == service && r.operation == operation);
    of.count()
}
