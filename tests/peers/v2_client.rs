//! The agent's own client and the region understand each other: so that what the other tests
//! make of the region holds.

use std::collections::BTreeMap;

use mediapackage2mqtt::aws::{AwsClock, Clients, Limits, Service, Stop, harvest};
use mediapackage2mqtt::aws::{mediapackage_v2, vod};
use mediapackage2mqtt::state::model::{Detail, Id};

use super::region::{Clock, Key, Region, SECRETS, World};
use super::scripted;

/// All that is read of a region, and how much it cost.
struct Read {
    shown: String,
    counts: [usize; 6],
    lists: u64,
    gets: u64,
}

fn clients(region: &Region) -> Clients {
    let port = region.url().rsplit(':').next().unwrap().parse().unwrap();
    let mut config = scripted::config(&scripted::url("http", port));
    (config.mediapackage.apis.v2, config.mediapackage.apis.vod) = (true, true);
    let clock = AwsClock::new(|| scripted::NOON);
    let (env, limits) = (BTreeMap::new(), Limits::default());
    Clients::with_limits(&config, &env, clock, Stop::new(), limits).unwrap()
}

fn read(mut world: World) -> Read {
    world
        .keys
        .push(Key::new("AKIDFROMCONFIG", "secret-from-config", None));
    world.clock = Clock::Fixed(scripted::NOON.0);
    let region = Region::start(world);
    let clients = clients(&region);
    let service: &Service = clients.mediapackage_v2.as_ref().unwrap();
    let listing = mediapackage_v2::list(service, |_| true).unwrap();
    let lists = service.requests();
    let gets: Vec<_> = listing
        .rows()
        .map(|(resource, listed)| {
            let got = mediapackage_v2::get(service, resource).unwrap();
            assert_eq!(got.modified_at, listed, "{resource:?}");
            if let Detail::Channel {
                ingest_endpoints, ..
            } = &got.detail
            {
                assert!([0, 2].contains(&ingest_endpoints.len()));
            }
            got
        })
        .collect();
    let gets_made = service.requests() - lists;
    let groups: Vec<Id> = listing.groups.iter().map(|g| g.value.id.clone()).collect();
    let jobs = harvest::list_v2(service, &groups, |_| true).unwrap();
    let of_v1 = harvest::list_v1(&clients.mediapackage, |_| true).unwrap();
    let vod = vod::poll(clients.vod.as_ref().unwrap()).unwrap();
    let counts = [
        listing.groups.len(),
        listing.channels.len(),
        listing.endpoints.len(),
        jobs.len() + of_v1.len(),
        vod.groups.len(),
        vod.configurations.len(),
    ];
    Read {
        shown: format!("{listing:?} {gets:?} {jobs:?} {of_v1:?} {vod:?}"),
        counts,
        lists,
        gets: gets_made,
    }
}

#[test]
fn the_agents_client_reads_all_of_the_region_and_no_secret() {
    let full = World::new("eu-west-1")
        .with_groups(3, 10, 10)
        .with_packaging(2, 3);
    let read_full = read(full);
    assert_eq!(read_full.counts, [3, 30, 300, 0, 2, 6]);
    // One for the groups, one for each group, one for each channel; then each by itself.
    assert_eq!((read_full.lists, read_full.gets), (1 + 3 + 30, 333));
    let awkward = read(World::awkward("eu-west-1"));
    assert_eq!(awkward.counts, [3, 9, 45, 2, 1, 5]);
    for secret in SECRETS {
        assert!(!awkward.shown.contains(secret), "{secret} was let through");
    }
    assert!(awkward.shown.contains("HOLOGRAM"));
}
