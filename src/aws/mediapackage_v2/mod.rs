//! MediaPackage v2 live: asks for channel groups, channels and origin endpoints, and gets single
//! ones of them. Pure but for the [`Service`] that carries the requests; `read` has the answers.
//!
//! A listing is nested: one request (and one for every page more) for the groups, one for each
//! group, one for each channel that is watched. Tags, ingest endpoints and what is in a
//! segment come only with a resource got by itself.
//!
//! Source: botocore mediapackagev2/2022-12-25. Policies have operations of their own, which
//! are never called.

pub(super) mod read;

use super::call::Call;
use super::client::Service;
use super::rest::{self, PageOf, segment};
use crate::state::fault::Fault;
use crate::state::gather::{Ask, Gathering, Rows};
use crate::state::model::{Channel, ChannelGroup, Endpoint, Id};
use crate::state::polled::{Got, Listed, Listing, Resource};

/// Items AWS is asked for at once: as many as it allows.
const PAGE_ITEMS: usize = 100;
/// By which v2 says that what a path names is not there.
const NOT_FOUND: &str = "ResourceNotFoundException";

/// A complete listing of all channel groups, of the channels that `takes` takes by their ids
/// (`<group>.<channel>`), and of the origin endpoints of those.
///
/// It costs 1 + groups + channels requests at least. A group or channel that was removed after
/// it was listed has nothing in it.
///
/// # Errors
///
/// Any fault of any page: a listing is complete, or there is none. `FaultKind::Answer` for more
/// than `RESOURCES_MAX` resources.
pub fn list(service: &Service, takes: impl Fn(&str) -> bool) -> Result<Listing, Fault> {
    let mut gathering = Gathering::default();
    while let Some(ask) = gathering.next() {
        gathering.take(list_step(service, &ask)?, &takes)?;
    }
    Ok(gathering.finish())
}

/// One step of such a listing.
///
/// # Errors
///
/// Any fault of any page.
pub fn list_step(service: &Service, ask: &Ask) -> Result<Rows, Fault> {
    match ask {
        Ask::Groups => list_channel_groups(service).map(Rows::Groups),
        Ask::Channels(groups) => {
            let mut all = Vec::new();
            for group in groups {
                all.append(&mut unless_removed(list_channels(service, group))?);
            }
            Ok(Rows::Channels(all))
        }
        Ask::Endpoints(channels) => {
            let mut all = Vec::new();
            for (group, channel) in channels {
                let endpoints = list_origin_endpoints(service, group, channel);
                all.append(&mut unless_removed(endpoints)?);
            }
            Ok(Rows::Endpoints(all))
        }
    }
}

/// A complete listing of all channel groups.
///
/// # Errors
///
/// Any fault of any page.
pub fn list_channel_groups(service: &Service) -> Result<Vec<Listed<ChannelGroup>>, Fault> {
    pages(
        service,
        "ListChannelGroups",
        "/channelGroup",
        read::channel_groups,
    )
}

/// A complete listing of the channels of a group.
///
/// # Errors
///
/// Any fault of any page.
pub fn list_channels(service: &Service, group: &Id) -> Result<Vec<Listed<Channel>>, Fault> {
    let path = format!("/channelGroup/{}/channel", segment(group));
    pages(service, "ListChannels", &path, |operation, body| {
        read::channels(operation, group, body)
    })
}

/// A complete listing of the origin endpoints of a channel.
///
/// # Errors
///
/// Any fault of any page.
pub fn list_origin_endpoints(
    service: &Service,
    group: &Id,
    channel: &Id,
) -> Result<Vec<Listed<Endpoint>>, Fault> {
    let path = format!(
        "/channelGroup/{}/channel/{}/originEndpoint",
        segment(group),
        segment(channel)
    );
    pages(service, "ListOriginEndpoints", &path, |operation, body| {
        read::endpoints(operation, group, channel, body)
    })
}

/// Gets one resource by itself.
///
/// # Errors
///
/// Any fault of the request; `FaultKind::Answer` too when the answer is of another resource.
pub fn get(service: &Service, resource: &Resource) -> Result<Got, Fault> {
    match resource {
        Resource::ChannelGroup { group } => get_channel_group(service, group),
        Resource::Channel { group, channel } => get_channel(service, group, channel),
        Resource::Endpoint {
            group,
            channel,
            endpoint,
        } => get_origin_endpoint(service, group, channel, endpoint),
    }
}

fn get_channel_group(service: &Service, group: &str) -> Result<Got, Fault> {
    let operation = "GetChannelGroup";
    let path = format!("/channelGroup/{}", segment(group));
    let body = service.send(&Call::get(operation, path))?;
    read::channel_group(operation, group, &body)
}

fn get_channel(service: &Service, group: &str, channel: &str) -> Result<Got, Fault> {
    let operation = "GetChannel";
    // The slash at the end stands in the model.
    let path = format!(
        "/channelGroup/{}/channel/{}/",
        segment(group),
        segment(channel)
    );
    let body = service.send(&Call::get(operation, path))?;
    read::channel(operation, channel, &body)
}

fn get_origin_endpoint(
    service: &Service,
    group: &str,
    channel: &str,
    endpoint: &str,
) -> Result<Got, Fault> {
    let operation = "GetOriginEndpoint";
    let path = format!(
        "/channelGroup/{}/channel/{}/originEndpoint/{}",
        segment(group),
        segment(channel),
        segment(endpoint)
    );
    let body = service.send(&Call::get(operation, path))?;
    read::endpoint(operation, endpoint, &body)
}

/// Reads every page of one listing.
pub(super) fn pages<T>(
    service: &Service,
    operation: &'static str,
    path: &str,
    read: impl Fn(&str, &[u8]) -> Result<PageOf<T>, Fault>,
) -> Result<Vec<T>, Fault> {
    let listing = rest::Listing {
        operation,
        path,
        page_items: PAGE_ITEMS,
    };
    listing.read(service, read)
}

/// What was listed a moment ago and is not there any more has nothing in it.
pub(super) fn unless_removed<T>(listed: Result<Vec<T>, Fault>) -> Result<Vec<T>, Fault> {
    match listed {
        Err(fault) if fault.code.as_deref() == Some(NOT_FOUND) => Ok(Vec::new()),
        listed => listed,
    }
}
