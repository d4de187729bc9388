//! Which operation a path stands for, and what it answers.

use serde_json::Value;

use super::super::harvest;
use super::super::refusal::Refusal;
use super::super::rest::V2 as STYLE;
use super::super::server::{Answer, Request, Seen, UNKNOWN};
use super::super::sigv4::decode;
use super::super::world::World;
use super::{Channel, Endpoint, Group, answers};

/// The operation that a method and path stand for.
pub fn operation(request: &Request) -> &'static str {
    let names = segments(&request.path);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if request.method != "GET" {
        return UNKNOWN;
    }
    match names[..] {
        ["channelGroup"] => "ListChannelGroups",
        ["channelGroup", _] => "GetChannelGroup",
        ["channelGroup", _, "harvestJob"] => "ListHarvestJobs",
        ["channelGroup", _, "channel"] => "ListChannels",
        // The slash at the end stands in the model.
        ["channelGroup", _, "channel", _, ""] => "GetChannel",
        ["channelGroup", _, "channel", _, "policy"] => "GetChannelPolicy",
        ["channelGroup", _, "channel", _, "originEndpoint"] => "ListOriginEndpoints",
        ["channelGroup", _, "channel", _, "originEndpoint", _] => "GetOriginEndpoint",
        [
            "channelGroup",
            _,
            "channel",
            _,
            "originEndpoint",
            _,
            "policy",
        ] => "GetOriginEndpointPolicy",
        _ => UNKNOWN,
    }
}

/// Answers a request that was found to be signed and allowed.
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    let names = segments(&request.path);
    let name = |at: usize| names.get(at).map_or("", String::as_str);
    let (group, channel, endpoint) = (name(1), name(3), name(5));
    let v2 = &world.v2;
    match seen.operation.as_str() {
        "ListChannelGroups" => STYLE.list(world, request, seen, "Items", &v2.groups, |group| {
            answers::listed_group(world, group)
        }),
        "GetChannelGroup" => ok(answers::got_group(world, find_group(world, group)?)),
        "ListChannels" => {
            find_group(world, group)?;
            let all = v2.channels.iter().filter(|c| c.group == group);
            let all: Vec<&Channel> = all.collect();
            STYLE.list(world, request, seen, "Items", &all, |channel| {
                answers::listed_channel(world, channel)
            })
        }
        "GetChannel" => {
            let channel = find_channel(world, group, channel)?;
            ok(answers::got_channel(world, channel))
        }
        "GetChannelPolicy" => {
            let channel = find_channel(world, group, channel)?;
            ok(answers::channel_policy(world, channel))
        }
        "ListOriginEndpoints" => {
            find_channel(world, group, channel)?;
            let all = v2.endpoints.iter();
            let all = all.filter(|e| e.group == group && e.channel == channel);
            let all: Vec<&Endpoint> = all.collect();
            STYLE.list(world, request, seen, "Items", &all, |endpoint| {
                answers::listed_endpoint(world, endpoint)
            })
        }
        "GetOriginEndpoint" => {
            let endpoint = find_endpoint(world, group, channel, endpoint)?;
            ok(answers::got_endpoint(world, endpoint))
        }
        "GetOriginEndpointPolicy" => {
            let endpoint = find_endpoint(world, group, channel, endpoint)?;
            ok(answers::endpoint_policy(world, endpoint))
        }
        "ListHarvestJobs" => {
            find_group(world, group)?;
            harvest::serve_v2(world, request, seen, group)
        }
        _ => {
            let text = format!("Not found: {} {}", request.method, request.path);
            Err(Refusal::new(404, "UnknownOperationException", &text))
        }
    }
}

fn ok(answer: Value) -> Result<Answer, Refusal> {
    Ok(Answer::json(200, answer.to_string()))
}

/// The segments of a path, decoded. One that is not UTF-8 is the name of nothing.
fn segments(path: &str) -> Vec<String> {
    let segments = path.trim_start_matches('/').split('/');
    segments
        .map(|segment| String::from_utf8_lossy(&decode(segment)).into_owned())
        .collect()
}

fn find_group<'a>(world: &'a World, name: &str) -> Result<&'a Group, Refusal> {
    let found = world.v2.groups.iter().find(|g| g.name == name);
    found.ok_or_else(|| not_found("CHANNEL_GROUP", name))
}

fn find_channel<'a>(world: &'a World, group: &str, name: &str) -> Result<&'a Channel, Refusal> {
    find_group(world, group)?;
    let mut all = world.v2.channels.iter();
    let found = all.find(|c| c.group == group && c.name == name);
    found.ok_or_else(|| not_found("CHANNEL", name))
}

fn find_endpoint<'a>(
    world: &'a World,
    group: &str,
    channel: &str,
    name: &str,
) -> Result<&'a Endpoint, Refusal> {
    find_channel(world, group, channel)?;
    let mut all = world.v2.endpoints.iter();
    let found = all.find(|e| e.group == group && e.channel == channel && e.name == name);
    found.ok_or_else(|| not_found("ORIGIN_ENDPOINT", name))
}

fn not_found(kind: &'static str, name: &str) -> Refusal {
    let text = format!("The specified resource {name} was not found.");
    Refusal::new(404, "ResourceNotFoundException", &text).naming("ResourceTypeNotFound", kind)
}
