//! Endpoints of a channel: where they are, and what goes out of them.

use std::collections::BTreeMap;

use super::component::Component;
use super::shapes::{Traffic, cut, write_traffic};
use super::template::{attributes, one_of, text};
use super::writer::Writer;
use super::{Scene, slug};
use crate::state::measure::Resource;
use crate::state::model::{Api, Channel, Endpoint};
use crate::state::wish::MetricsLevel;
use crate::topics::Topic;

/// `origination` of endpoints of v1.
const ORIGINATION: [&str; 2] = ["ALLOW", "DENY"];
/// `package` of endpoints.
const PACKAGES: [&str; 5] = ["hls", "dash", "cmaf", "mss", "ts"];

/// The entities of a channel's endpoints.
pub(super) fn write_endpoints(
    writer: &mut Writer,
    scene: &Scene,
    channel: &Channel,
    endpoints: &[&Endpoint],
) {
    let names = short_names(channel, endpoints);
    for endpoint in endpoints {
        let name = names.get(&*endpoint.id).copied().unwrap_or(&endpoint.id);
        write_endpoint(writer, scene, endpoint, name);
    }
}

/// Endpoints are mostly called `<channel>-<what>`; in the channel's device the last part tells
/// them apart. Where it does not, the whole id does.
fn short_names<'a>(channel: &Channel, endpoints: &[&'a Endpoint]) -> BTreeMap<&'a str, &'a str> {
    let short = |endpoint: &'a Endpoint| {
        let rest = endpoint.id.strip_prefix(&*channel.id);
        let rest = rest.and_then(|rest| rest.strip_prefix(['-', '_', '.']));
        rest.filter(|rest| !rest.is_empty()).unwrap_or(&endpoint.id)
    };
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for endpoint in endpoints {
        *count.entry(short(endpoint)).or_default() += 1;
    }
    let name = |endpoint: &&'a Endpoint| match short(endpoint) {
        short if count.get(short) == Some(&1) => (&*endpoint.id, short),
        _ => (&*endpoint.id, &*endpoint.id),
    };
    endpoints.iter().map(name).collect()
}

fn write_endpoint(writer: &mut Writer, scene: &Scene, endpoint: &Endpoint, name: &str) {
    let topic = scene.names.of(&Topic::Endpoint(endpoint.id.clone()));
    let name = format!("Endpoint {}", cut(name));
    let id = slug(&endpoint.id);
    // v2 tells no origination; its packaging is the nearest thing that it has.
    let (key, what, options) = match endpoint.api {
        Api::V1 => ("origination", "origination", &ORIGINATION[..]),
        Api::V2 => ("package", "package", &PACKAGES[..]),
    };
    let shown = ["id", "package", "url", "manifests", "encrypted"];
    let place = Component {
        name: format!("{name} {what}"),
        device_class: Some("enum"),
        options: Some(options),
        state_topic: Some(topic.clone()),
        value_template: Some(one_of(key, options)),
        json_attributes_topic: Some(topic),
        json_attributes_template: Some(attributes(&shown)),
        ..Component::default()
    };
    writer.add(&format!("endpoint_{key}_{id}"), place);
    let topic = Topic::Metrics(Resource::Endpoint(endpoint.id.clone()));
    let topic = scene.names.of(&topic);
    let traffic = Traffic {
        kind: "endpoint",
        id: &id,
        name: &name,
        topic: &topic,
    };
    write_traffic(writer, scene, &traffic);
    if endpoint.api == Api::V1 && scene.level >= MetricsLevel::Full {
        let input = Component {
            name: format!("{name} active input"),
            state_topic: Some(topic),
            value_template: Some(text("active_input")),
            ..Component::default()
        };
        writer.add_metric(&format!("endpoint_input_{id}"), input.diagnostic().rare());
    }
}
