//! Names of things as dimensions write them, and what they are the names of.
//!
//! v1, v2 and VOD share one namespace, and one may use a name of the other: so each API has
//! names of its own here, and the set of dimensions says which is meant.

use std::collections::HashMap;

use crate::state::inventory::Inventory;
use crate::state::measure::Resource;
use crate::state::model::{Api, Id};
use crate::state::polled::Dimension;

/// A resource as a set of dimensions names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// A channel of v1.
    Channel(&'a str),
    /// An origin endpoint of v1.
    Endpoint(&'a str),
    /// A channel of v2.
    ChannelV2 { group: &'a str, channel: &'a str },
    /// An origin endpoint of v2.
    EndpointV2 {
        group: &'a str,
        channel: &'a str,
        endpoint: &'a str,
    },
    /// A packaging configuration of VOD.
    Packaging(&'a str),
}

impl<'a> Named<'a> {
    pub(super) fn is_v2(self) -> bool {
        matches!(self, Named::ChannelV2 { .. } | Named::EndpointV2 { .. })
    }

    pub(super) fn is_channel(self) -> bool {
        matches!(self, Named::Channel(_) | Named::ChannelV2 { .. })
    }

    /// What stands for the resource, where that may be its id or the end of its ARN.
    pub(super) fn value(self) -> Option<&'a str> {
        match self {
            Named::Channel(value) | Named::Endpoint(value) | Named::Packaging(value) => Some(value),
            Named::ChannelV2 { .. } | Named::EndpointV2 { .. } => None,
        }
    }
}

/// Names of things, by each way in which a dimension may write them: the id, the end of the ARN.
pub struct Lookup<'a> {
    inventory: &'a Inventory,
    /// Of v1.
    channels: HashMap<&'a str, &'a Id>,
    /// Of v1.
    endpoints: HashMap<&'a str, &'a Id>,
    packaging: HashMap<&'a str, &'a Id>,
    /// Ingest endpoints by channel and id. Those of v2 are told apart by the channel only.
    inputs: HashMap<(&'a str, &'a str), Id>,
    /// The channel of v1 that an ingest endpoint is of.
    input_owners: HashMap<&'a str, &'a Id>,
    has_v2: bool,
}

impl<'a> Lookup<'a> {
    /// Of everything that is there.
    pub fn new(inventory: &'a Inventory) -> Lookup<'a> {
        let v1_channels = || inventory.channels().filter(|c| c.api == Api::V1);
        let v1_endpoints = || inventory.endpoints().filter(|e| e.api == Api::V1);
        let inputs = inventory.channels().flat_map(|c| {
            let of = |input: &'a str| ((&*c.id, input), Id::from(input));
            c.ingest_endpoints.iter().map(move |input| of(&input.id))
        });
        let owners = v1_channels().flat_map(|c| {
            let inputs = c.ingest_endpoints.iter();
            inputs.map(|input| (input.id.as_str(), &c.id))
        });
        let packaging = || inventory.packaging_configurations();
        Lookup {
            inventory,
            channels: by_name(
                v1_channels().map(|c| (c.arn.as_deref(), &c.id)),
                v1_channels().map(|c| &c.id),
            ),
            endpoints: by_name(
                v1_endpoints().map(|e| (e.arn.as_deref(), &e.id)),
                v1_endpoints().map(|e| &e.id),
            ),
            packaging: by_name(
                packaging().map(|p| (p.arn.as_deref(), &p.id)),
                packaging().map(|p| &p.id),
            ),
            inputs: inputs.collect(),
            input_owners: owners.collect(),
            has_v2: inventory.channels().any(|c| c.api == Api::V2),
        }
    }

    /// The channel and endpoint that an alarm's dimensions name.
    pub fn owners(&self, dimensions: &[Dimension]) -> (Option<Id>, Option<Id>) {
        let value = |name: &str| {
            let dimension = dimensions.iter().find(|(n, _)| n == name);
            dimension.map(|(_, value)| value.as_str())
        };
        let (channel, endpoint) = (value("Channel"), value("OriginEndpoint"));
        let (named, endpoint) = match value("ChannelGroup") {
            Some(group) => {
                let named = channel.and_then(|c| self.channel_v2(group, c));
                let endpoint = || self.endpoint_v2(group, channel?, endpoint?);
                (named, endpoint())
            }
            None => {
                let named = channel.and_then(|c| self.channels.get(c).copied());
                (named, endpoint.and_then(|e| self.endpoints.get(e).copied()))
            }
        };
        // An ingest endpoint of v1 tells its channel; those of v2 have numbers for ids.
        let of_endpoint = || self.channel_of(endpoint?);
        let of_input = || match value("ChannelGroup") {
            None => self.input_owners.get(value("IngestEndpoint")?).copied(),
            Some(_) => None,
        };
        let channel = named.or_else(of_endpoint).or_else(of_input);
        (channel.cloned(), endpoint.cloned())
    }

    /// Whether anything of the API of this is watched. Of v1 that is taken for granted.
    pub(super) fn watches(&self, named: Named) -> bool {
        match named {
            Named::Channel(_) | Named::Endpoint(_) => true,
            Named::ChannelV2 { .. } | Named::EndpointV2 { .. } => self.has_v2,
            Named::Packaging(_) => !self.packaging.is_empty(),
        }
    }

    /// What is named.
    pub(super) fn resource(&self, named: Named) -> Option<Resource> {
        let id = |id: &Id| id.clone();
        match named {
            Named::Channel(c) => self.channels.get(c).copied().map(id).map(Resource::Channel),
            Named::Endpoint(e) => {
                let found = self.endpoints.get(e).copied();
                found.map(id).map(Resource::Endpoint)
            }
            Named::ChannelV2 { group, channel } => {
                let found = self.channel_v2(group, channel);
                found.map(id).map(Resource::Channel)
            }
            Named::EndpointV2 {
                group,
                channel,
                endpoint,
            } => {
                let found = self.endpoint_v2(group, channel, endpoint);
                found.map(id).map(Resource::Endpoint)
            }
            Named::Packaging(p) => {
                let found = self.packaging.get(p).copied();
                found.map(id).map(Resource::Packaging)
            }
        }
    }

    /// An ingest endpoint of the channel that a resource is or belongs to.
    pub(super) fn input(&self, resource: &Resource, input: &str) -> Option<Id> {
        let channel = match resource {
            Resource::Channel(id) => id,
            Resource::Endpoint(id) => self.channel_of(id)?,
            Resource::Packaging(_) => return None,
        };
        self.inputs.get(&(&**channel, input)).cloned()
    }

    fn channel_of(&self, endpoint: &str) -> Option<&'a Id> {
        self.inventory.endpoint(endpoint)?.channel_id.as_ref()
    }

    fn channel_v2(&self, group: &str, channel: &str) -> Option<&'a Id> {
        let found = self.inventory.channel(&format!("{group}.{channel}"))?;
        let meant = found.api == Api::V2 && found.channel_group.as_deref() == Some(group);
        meant.then_some(&found.id)
    }

    fn endpoint_v2(&self, group: &str, channel: &str, endpoint: &str) -> Option<&'a Id> {
        let id = format!("{group}.{channel}.{endpoint}");
        let found = self.inventory.endpoint(&id)?;
        (found.api == Api::V2).then_some(&found.id)
    }
}

/// Ids go in last: where an id equals somebody else's GUID, the id is meant.
fn by_name<'a>(
    arns: impl Iterator<Item = (Option<&'a str>, &'a Id)>,
    ids: impl Iterator<Item = &'a Id>,
) -> HashMap<&'a str, &'a Id> {
    let ends = arns.filter_map(|(arn, id)| Some((arn_end(arn)?, id)));
    ends.chain(ids.map(|id| (&**id, id))).collect()
}

/// The last part of an ARN, where MediaPackage puts its GUID.
pub fn arn_end(arn: Option<&str>) -> Option<&str> {
    arn?.rsplit(['/', ':']).next().filter(|end| !end.is_empty())
}
