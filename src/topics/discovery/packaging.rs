//! A packaging group's device: how many assets it has, and the traffic of its configurations.

use super::component::Component;
use super::shapes::{Traffic, cut, write_traffic};
use super::template::plain;
use super::writer::Writer;
use super::{Scene, slug};
use crate::state::measure::Resource;
use crate::state::model::{PackagingConfiguration, PackagingGroup};
use crate::topics::Topic;

pub(super) fn write(
    writer: &mut Writer,
    scene: &Scene,
    group: &PackagingGroup,
    configurations: &[&PackagingConfiguration],
) {
    let assets = Component {
        name: "Assets".into(),
        unit_of_measurement: Some("assets"),
        state_class: Some("measurement"),
        state_topic: Some(scene.names.of(&Topic::PackagingGroup(group.id.clone()))),
        value_template: Some(plain("approximate_asset_count")),
        ..Component::default()
    };
    writer.add("assets", assets);
    for configuration in configurations {
        let id = slug(&configuration.id);
        let name = format!("Configuration {}", cut(&configuration.id));
        let topic = Topic::Metrics(Resource::Packaging(configuration.id.clone()));
        let topic = scene.names.of(&topic);
        let traffic = Traffic {
            kind: "configuration",
            id: &id,
            name: &name,
            topic: &topic,
        };
        write_traffic(writer, scene, &traffic);
    }
}
