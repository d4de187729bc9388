//! A model of what v2, harvest jobs and VOD of a region hold, beside the channels of v1.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Job, Outcome};
use crate::state::fault::{Fault, FaultKind};
use crate::state::gather::{Ask, Rows};
use crate::state::model::{
    Api, Channel, ChannelGroup, Detail, Endpoint, HarvestJob, Id, Manifest, Package,
    PackagingConfiguration, PackagingGroup, Tags,
};
use crate::state::polled::{Got, Listed, Resource, Vod};
use crate::state::time::UnixMs;

/// One resource of v2.
pub struct Thing {
    pub modified_at: UnixMs,
    pub tags: Tags,
}

#[derive(Default)]
pub struct Cloud {
    pub things: BTreeMap<Resource, Thing>,
    pub jobs: Vec<HarvestJob>,
    pub vod: Vod,
    /// Resources that cannot be got, and why.
    pub denied: BTreeMap<Resource, FaultKind>,
    /// Requests by operation.
    pub requests: BTreeMap<&'static str, u64>,
    /// What was got, in order.
    pub got: Vec<Resource>,
}

pub fn group(group: &str) -> Resource {
    Resource::ChannelGroup {
        group: group.into(),
    }
}

/// `g.c`
pub fn channel(id: &str) -> Resource {
    let (group, channel) = id.split_once('.').unwrap();
    Resource::Channel {
        group: group.into(),
        channel: channel.into(),
    }
}

/// `g.c.e`
pub fn endpoint(id: &str) -> Resource {
    let (rest, endpoint) = id.rsplit_once('.').unwrap();
    let (group, channel) = rest.split_once('.').unwrap();
    Resource::Endpoint {
        group: group.into(),
        channel: channel.into(),
        endpoint: endpoint.into(),
    }
}

/// As many of each as said, one in the other.
pub fn with(groups: usize, channels: usize, endpoints: usize) -> Cloud {
    let mut cloud = Cloud::default();
    for g in 0..groups {
        cloud.add(group(&format!("g{g}")));
        for c in 0..channels {
            cloud.add(channel(&format!("g{g}.c{c}")));
            for e in 0..endpoints {
                cloud.add(endpoint(&format!("g{g}.c{c}.e{e}")));
            }
        }
    }
    cloud
}

pub fn job(id: &str, status: &str, created_at: UnixMs) -> HarvestJob {
    let parts: Vec<&str> = id.split('.').collect();
    let (api, channel, endpoint) = match parts[..] {
        [g, c, e, _] => (Api::V2, format!("{g}.{c}"), format!("{g}.{c}.{e}")),
        _ => (Api::V1, "c1".to_owned(), "c1-hls".to_owned()),
    };
    HarvestJob {
        id: id.into(),
        api,
        arn: None,
        channel_id: Some(channel.into()),
        endpoint_id: Some(endpoint.into()),
        status: Some(status.into()),
        message: None,
        start_time: None,
        end_time: None,
        created_at: Some(created_at),
        modified_at: (api == Api::V2).then_some(created_at),
        bucket: Some("bucket".into()),
        key: None,
    }
}

pub fn vod(groups: usize) -> Vod {
    let name = |n: usize| Id::from(format!("p{n}"));
    let group = |n| PackagingGroup {
        id: name(n),
        arn: None,
        domain_name: None,
        approximate_asset_count: Some(7),
        created_at: None,
        egress_access_logs: None,
        tags: Tags::new(),
    };
    let configuration = |n| PackagingConfiguration {
        id: format!("p{n}-hls").into(),
        packaging_group_id: Some(name(n)),
        arn: None,
        created_at: None,
        package: Some(Package::Hls),
        segment_duration_seconds: Some(6),
        encrypted: false,
        manifests: vec!["index".into()],
        tags: Tags::new(),
    };
    Vod {
        groups: (0..groups).map(group).collect(),
        configurations: (0..groups).map(configuration).collect(),
    }
}

impl Cloud {
    pub fn add(&mut self, resource: Resource) {
        let thing = Thing {
            modified_at: UnixMs(1000),
            tags: tag(&resource.id()),
        };
        self.things.insert(resource, thing);
    }

    /// With all that is in it.
    pub fn remove(&mut self, resource: &Resource) {
        let id = resource.id();
        let within = format!("{id}.");
        let gone = |r: &Resource| r.id() == id || r.id().starts_with(&within);
        self.things.retain(|r, _| !gone(r));
    }

    /// Changes a tag, which moves no date.
    pub fn tag(&mut self, resource: &Resource, value: &str) {
        let thing = self.things.get_mut(resource).unwrap();
        thing.tags = tag(value);
    }

    /// Requests of all operations that begin so.
    pub fn count(&self, verb: &str) -> u64 {
        let of_verb = self
            .requests
            .iter()
            .filter(|(name, _)| name.starts_with(verb));
        of_verb.map(|(_, count)| count).sum()
    }

    fn requested(&mut self, operation: &'static str, count: usize) {
        *self.requests.entry(operation).or_default() += count as u64;
    }

    pub fn answer(&mut self, job: Job, checked: Result<(), Fault>) -> Outcome {
        match job {
            Job::ListV2(ask) => {
                let rows = self.step(&ask);
                Outcome::ListV2(checked.map(|()| rows))
            }
            Job::Details(batch) => Outcome::Details(self.details(batch, &checked)),
            Job::Harvest(api, groups, now) => {
                let requests = if api == Api::V1 { 1 } else { groups.len() };
                self.requested("ListHarvestJobs", requests);
                let shown = |job: &&HarvestJob| job.api == api && job.is_shown(now);
                let jobs = self.jobs.iter().filter(shown).cloned().collect();
                Outcome::Harvest(api, checked.map(|()| jobs))
            }
            _ => {
                self.requested("ListPackaging", 2);
                Outcome::Vod(checked.map(|()| self.vod.clone()))
            }
        }
    }

    fn step(&mut self, ask: &Ask) -> Rows {
        match ask {
            Ask::Groups => {
                self.requested("ListChannelGroups", 1);
                Rows::Groups(self.rows(|r| matches!(r, Resource::ChannelGroup { .. }), group_of))
            }
            Ask::Channels(groups) => {
                self.requested("ListChannels", groups.len());
                let asked = |r: &Resource| match r {
                    Resource::Channel { group, .. } => groups.contains(group),
                    _ => false,
                };
                Rows::Channels(self.rows(asked, channel_of))
            }
            Ask::Endpoints(channels) => {
                self.requested("ListOriginEndpoints", channels.len());
                let channels: BTreeSet<_> = channels.iter().cloned().collect();
                let asked = |r: &Resource| match r {
                    Resource::Endpoint { group, channel, .. } => {
                        channels.contains(&(group.clone(), channel.clone()))
                    }
                    _ => false,
                };
                Rows::Endpoints(self.rows(asked, endpoint_of))
            }
        }
    }

    fn rows<T>(
        &self,
        asked: impl Fn(&Resource) -> bool,
        value: fn(&Resource, UnixMs) -> T,
    ) -> Vec<Listed<T>> {
        let rows = self.things.iter().filter(|(resource, _)| asked(resource));
        let row = |(resource, thing): (&Resource, &Thing)| Listed {
            resource: resource.clone(),
            value: value(resource, thing.modified_at),
        };
        rows.map(row).collect()
    }

    fn details(
        &mut self,
        batch: Vec<Resource>,
        checked: &Result<(), Fault>,
    ) -> Vec<(Resource, Result<Got, Fault>)> {
        assert!(batch.len() <= 10);
        let mut all = Vec::new();
        for resource in batch {
            self.requested("Get", 1);
            self.got.push(resource.clone());
            let denied = self.denied.get(&resource).copied();
            let denied = denied.map(|kind| Fault::new(kind, "no", "allow it"));
            let thing = self.things.get(&resource);
            let got = match (checked, denied, thing) {
                (Err(fault), ..) => Err(fault.clone()),
                (_, Some(fault), _) => Err(fault),
                (_, _, None) => Err(Fault {
                    code: Some("ResourceNotFoundException".into()),
                    ..Fault::new(FaultKind::Refused, "gone", "")
                }),
                (_, _, Some(thing)) => Ok(Got {
                    modified_at: Some(thing.modified_at),
                    detail: detail_of(&resource, thing.tags.clone()),
                }),
            };
            let ends = got.as_ref().is_err_and(|fault| fault.kind.concerns_all());
            all.push((resource, got));
            if ends {
                break;
            }
        }
        all
    }
}

/// The tag that each thing has.
fn tag(value: &str) -> Tags {
    Tags::from_iter([("of".to_owned(), value.to_owned())])
}

fn detail_of(resource: &Resource, tags: Tags) -> Detail {
    match resource {
        Resource::ChannelGroup { .. } => Detail::ChannelGroup {
            egress_domain: Some("egress.example.net".into()),
            tags,
        },
        Resource::Channel { .. } => Detail::Channel {
            ingest_endpoints: super::region::channel("x").ingest_endpoints,
            tags,
        },
        Resource::Endpoint { .. } => Detail::Endpoint {
            segment_duration_seconds: Some(6),
            encrypted: Some(true),
            startover_window_seconds: None,
            tags,
        },
    }
}

fn group_of(resource: &Resource, modified_at: UnixMs) -> ChannelGroup {
    ChannelGroup {
        id: resource.id(),
        arn: None,
        description: None,
        created_at: None,
        modified_at: Some(modified_at),
        egress_domain: None,
        tags: Tags::new(),
    }
}

fn channel_of(resource: &Resource, modified_at: UnixMs) -> Channel {
    let Resource::Channel { group, .. } = resource else {
        panic!("{resource:?}")
    };
    Channel {
        id: resource.id(),
        api: Api::V2,
        channel_group: Some(group.to_string()),
        modified_at: Some(modified_at),
        ingest_endpoints: Vec::new(),
        ..super::region::channel("x")
    }
}

fn endpoint_of(resource: &Resource, modified_at: UnixMs) -> Endpoint {
    let Resource::Endpoint { group, channel, .. } = resource else {
        panic!("{resource:?}")
    };
    Endpoint {
        id: resource.id(),
        api: Api::V2,
        modified_at: Some(modified_at),
        encrypted: None,
        manifests: vec![Manifest {
            id: "index".into(),
            url: None,
        }],
        ..super::region::endpoint("x", &format!("{group}.{channel}"))
    }
}
