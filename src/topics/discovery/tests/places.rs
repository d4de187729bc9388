//! Devices with any names.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Subject;
use crate::state::alarms::{Alarm, Via};
use crate::state::model::{
    Api, Channel, Endpoint, Id, IngestEndpoint, Package, PackagingConfiguration, PackagingGroup,
    Tags,
};
use crate::state::polled::AlarmKind;

const ODD: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ {{ states('x') }} {% raw %}";

pub fn channel(id: &str, api: Api, inputs: &[&str]) -> Channel {
    Channel {
        id: id.into(),
        api,
        channel_group: id.split_once('.').map(|(group, _)| group.to_owned()),
        arn: None,
        description: Some("never published here".into()),
        created_at: None,
        modified_at: None,
        ingest_endpoints: inputs
            .iter()
            .map(|id| IngestEndpoint {
                id: (*id).to_owned(),
                url: Some("https://in.example.com/secret".into()),
            })
            .collect(),
        input_type: None,
        tags: Tags::new(),
        egress_access_logs: None,
        ingress_access_logs: None,
    }
}

pub fn endpoint(id: &str, channel: &Channel) -> Endpoint {
    Endpoint {
        id: id.into(),
        api: channel.api,
        channel_id: Some(channel.id.clone()),
        arn: None,
        description: None,
        created_at: None,
        modified_at: None,
        url: Some("https://out.example.com/x".into()),
        manifest_name: None,
        package: Some(Package::Hls),
        segment_duration_seconds: None,
        encrypted: None,
        startover_window_seconds: None,
        time_delay_seconds: None,
        origination: None,
        manifests: Vec::new(),
        tags: Tags::new(),
    }
}

pub fn alarm(name: &str, foreign: bool) -> Alarm {
    Alarm {
        name: name.into(),
        arn: "arn".into(),
        account_id: foreign.then(|| "210987654321".into()),
        region: foreign.then(|| "us-east-1".into()),
        foreign,
        kind: AlarmKind::Metric,
        state: "OK".into(),
        previous_state: None,
        reason: None,
        description: None,
        updated_at: None,
        namespace: None,
        metric: None,
        dimensions: Vec::new(),
        channel_id: None,
        endpoint_id: None,
        threshold: None,
        comparison: None,
        actions_enabled: None,
        actions_suppressed: None,
        listed: true,
        source: Via::Poll,
    }
}

/// A name as AWS would take it, or an odder one.
fn name(rng: &mut fastrand::Rng) -> String {
    let plain = "abcXYZ019_-";
    let alphabet: Vec<char> = match rng.u8(..4) {
        0 => ODD.chars().collect(),
        1 => "aA".chars().collect(),
        2 => "aé😀 /\n".chars().collect(),
        _ => plain.chars().collect(),
    };
    let length = [1, 3, 8, 90, 255][rng.usize(..5)];
    (0..length)
        .map(|_| alphabet[rng.usize(..alphabet.len())])
        .collect()
}

/// A device with what belongs to it.
pub enum Place {
    Agent,
    Channel(Channel, Vec<Endpoint>),
    Packaging(PackagingGroup, Vec<PackagingConfiguration>),
}

/// An inventory: devices and the alarms of each.
pub fn inventory(rng: &mut fastrand::Rng) -> Vec<(Place, Vec<Alarm>)> {
    let mut places = vec![(Place::Agent, alarms(rng))];
    let ids: BTreeSet<String> = (0..rng.usize(1..6)).map(|_| name(rng)).collect();
    for id in ids {
        let (id, api) = match rng.bool() {
            true => (format!("g.{id}"), Api::V2),
            false => (id, Api::V1),
        };
        let channel = channel(&id, api, &["1", "d2f0", "{{ '"][..rng.usize(..4)]);
        let own: BTreeSet<String> = (0..rng.usize(..5))
            .map(|_| match rng.bool() {
                true => format!("{id}-{}", name(rng)),
                false => name(rng),
            })
            .collect();
        let endpoints = own.iter().map(|id| endpoint(id, &channel)).collect();
        places.push((Place::Channel(channel, endpoints), alarms(rng)));
    }
    places.push((packaging(rng), Vec::new()));
    places
}

fn alarms(rng: &mut fastrand::Rng) -> Vec<Alarm> {
    let many = if rng.u8(..8) == 0 { 600 } else { 6 };
    let all = (0..rng.usize(..many)).map(|_| alarm(&name(rng), rng.bool()));
    let all: BTreeMap<Id, Alarm> = all.map(|alarm| (alarm.key(), alarm)).collect();
    all.into_values().collect()
}

fn packaging(rng: &mut fastrand::Rng) -> Place {
    let group = PackagingGroup {
        id: name(rng).into(),
        arn: None,
        domain_name: None,
        approximate_asset_count: None,
        created_at: None,
        egress_access_logs: None,
        tags: Tags::new(),
    };
    let configuration = |id: String| PackagingConfiguration {
        id: id.into(),
        packaging_group_id: Some(group.id.clone()),
        arn: None,
        created_at: None,
        package: None,
        segment_duration_seconds: None,
        encrypted: false,
        manifests: Vec::new(),
        tags: Tags::new(),
    };
    let ids: BTreeSet<String> = (0..rng.usize(..4)).map(|_| name(rng)).collect();
    let configurations = ids.into_iter().map(configuration).collect();
    Place::Packaging(group, configurations)
}

impl Place {
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Place::Agent => Subject::Agent,
            Place::Channel(channel, endpoints) => Subject::Channel {
                channel,
                endpoints: endpoints.iter().collect(),
            },
            Place::Packaging(group, configurations) => Subject::PackagingGroup {
                group,
                configurations: configurations.iter().collect(),
            },
        }
    }
}
