//! Every operation whose answers are read: how it is called, what of its answer is published,
//! and what no answer may lack.

use mediapackage2mqtt::aws::{Clients, Service, harvest, mediapackage, mediapackage_v2, vod};
use mediapackage2mqtt::state::fault::Fault;
use mediapackage2mqtt::state::model::Id;
use mediapackage2mqtt::state::polled::Resource;
use serde_json::Value;

/// One operation.
pub struct Case {
    pub model: &'static str,
    pub operation: &'static str,
    /// Asks once, with names taken from the given answer, and shows all that is kept of it.
    pub call: fn(&Clients, &Value) -> Result<String, Fault>,
    /// Members that exclude each other.
    pub packages: &'static [&'static str],
    /// What is published, by path.
    pub published: &'static [&'static str],
    /// Without this there is no answer; lists may be null.
    pub needed: &'static [&'static str],
}

/// The name of the channel group that is asked for.
pub const GROUP: &str = "the_group";
/// The name of the channel that is asked for.
pub const CHANNEL: &str = "the-channel";

fn v2(clients: &Clients) -> &Service {
    clients.mediapackage_v2.as_ref().unwrap()
}

fn shown<T: std::fmt::Debug>(result: Result<T, Fault>) -> Result<String, Fault> {
    result.map(|value| format!("{value:?}"))
}

fn get(clients: &Clients, resource: Resource) -> Result<String, Fault> {
    shown(mediapackage_v2::get(v2(clients), &resource))
}

/// The name that an answer has, which is what it must be asked for.
pub fn name(answer: &Value, member: &str) -> Id {
    answer[member].as_str().unwrap().into()
}

const PACKAGES: &[&str] = &["hlsPackage", "dashPackage", "cmafPackage", "mssPackage"];

pub const CASES: &[Case] = &[
    Case {
        model: "mediapackage",
        operation: "ListChannels",
        call: |clients, _| shown(mediapackage::list_channels(&clients.mediapackage)),
        packages: &[],
        published: &[
            "channels[].arn",
            "channels[].createdAt",
            "channels[].description",
            "channels[].egressAccessLogs.logGroupName",
            "channels[].hlsIngest.ingestEndpoints[].id",
            "channels[].hlsIngest.ingestEndpoints[].url",
            "channels[].id",
            "channels[].ingressAccessLogs.logGroupName",
            "channels[].tags{key}",
            "channels[].tags{value}",
        ],
        needed: &["channels", "channels[].id"],
    },
    Case {
        model: "mediapackage",
        operation: "ListOriginEndpoints",
        call: |clients, _| shown(mediapackage::list_endpoints(&clients.mediapackage)),
        packages: PACKAGES,
        published: &[
            "originEndpoints[].arn",
            "originEndpoints[].channelId",
            "originEndpoints[].cmafPackage.hlsManifests[].id",
            "originEndpoints[].cmafPackage.hlsManifests[].url",
            "originEndpoints[].cmafPackage.segmentDurationSeconds",
            "originEndpoints[].createdAt",
            "originEndpoints[].dashPackage.segmentDurationSeconds",
            "originEndpoints[].description",
            "originEndpoints[].hlsPackage.segmentDurationSeconds",
            "originEndpoints[].id",
            "originEndpoints[].manifestName",
            "originEndpoints[].mssPackage.segmentDurationSeconds",
            "originEndpoints[].origination",
            "originEndpoints[].startoverWindowSeconds",
            "originEndpoints[].tags{key}",
            "originEndpoints[].tags{value}",
            "originEndpoints[].timeDelaySeconds",
            "originEndpoints[].url",
        ],
        needed: &["originEndpoints", "originEndpoints[].id"],
    },
    Case {
        model: "mediapackage",
        operation: "ListHarvestJobs",
        call: |clients, _| shown(harvest::list_v1(&clients.mediapackage, |_| true)),
        packages: &[],
        published: &[
            "harvestJobs[].arn",
            "harvestJobs[].channelId",
            "harvestJobs[].createdAt",
            "harvestJobs[].endTime",
            "harvestJobs[].id",
            "harvestJobs[].originEndpointId",
            "harvestJobs[].s3Destination.bucketName",
            "harvestJobs[].s3Destination.manifestKey",
            "harvestJobs[].startTime",
            "harvestJobs[].status",
        ],
        needed: &["harvestJobs", "harvestJobs[].id"],
    },
    Case {
        model: "mediapackagev2",
        operation: "ListChannelGroups",
        call: |clients, _| shown(mediapackage_v2::list_channel_groups(v2(clients))),
        packages: &[],
        published: &[
            "Items[].Arn",
            "Items[].ChannelGroupName",
            "Items[].CreatedAt",
            "Items[].Description",
            "Items[].ModifiedAt",
        ],
        needed: &["Items", "Items[].ChannelGroupName"],
    },
    Case {
        model: "mediapackagev2",
        operation: "GetChannelGroup",
        call: |clients, answer| {
            let group = name(answer, "ChannelGroupName");
            get(clients, Resource::ChannelGroup { group })
        },
        packages: &[],
        published: &["EgressDomain", "ModifiedAt", "tags{key}", "tags{value}"],
        needed: &["ChannelGroupName"],
    },
    Case {
        model: "mediapackagev2",
        operation: "ListChannels",
        call: |clients, _| shown(mediapackage_v2::list_channels(v2(clients), &GROUP.into())),
        packages: &[],
        published: &[
            "Items[].Arn",
            "Items[].ChannelName",
            "Items[].CreatedAt",
            "Items[].Description",
            "Items[].InputType",
            "Items[].ModifiedAt",
        ],
        needed: &["Items", "Items[].ChannelName"],
    },
    Case {
        model: "mediapackagev2",
        operation: "GetChannel",
        call: |clients, answer| {
            let channel = name(answer, "ChannelName");
            let group = GROUP.into();
            get(clients, Resource::Channel { group, channel })
        },
        packages: &[],
        published: &[
            "IngestEndpoints[].Id",
            "IngestEndpoints[].Url",
            "ModifiedAt",
            "Tags{key}",
            "Tags{value}",
        ],
        needed: &["ChannelName"],
    },
    Case {
        model: "mediapackagev2",
        operation: "ListOriginEndpoints",
        call: |clients, _| {
            let (group, channel) = (GROUP.into(), CHANNEL.into());
            let listed = mediapackage_v2::list_origin_endpoints(v2(clients), &group, &channel);
            shown(listed)
        },
        packages: &[],
        published: &[
            "Items[].Arn",
            "Items[].CreatedAt",
            "Items[].DashManifests[].ManifestName",
            "Items[].DashManifests[].Url",
            "Items[].Description",
            "Items[].HlsManifests[].ManifestName",
            "Items[].HlsManifests[].Url",
            "Items[].LowLatencyHlsManifests[].ManifestName",
            "Items[].LowLatencyHlsManifests[].Url",
            "Items[].ModifiedAt",
            "Items[].MssManifests[].ManifestName",
            "Items[].MssManifests[].Url",
            "Items[].OriginEndpointName",
        ],
        needed: &["Items", "Items[].OriginEndpointName"],
    },
    Case {
        model: "mediapackagev2",
        operation: "GetOriginEndpoint",
        call: |clients, answer| {
            let endpoint = Resource::Endpoint {
                group: GROUP.into(),
                channel: CHANNEL.into(),
                endpoint: name(answer, "OriginEndpointName"),
            };
            get(clients, endpoint)
        },
        packages: &[],
        published: &[
            "ModifiedAt",
            "Segment.SegmentDurationSeconds",
            "StartoverWindowSeconds",
            "Tags{key}",
            "Tags{value}",
        ],
        needed: &["OriginEndpointName"],
    },
    Case {
        model: "mediapackagev2",
        operation: "ListHarvestJobs",
        call: |clients, _| shown(harvest::list_v2(v2(clients), [&GROUP.into()], |_| true)),
        packages: &[],
        published: &[
            "Items[].Arn",
            "Items[].ChannelName",
            "Items[].CreatedAt",
            "Items[].Destination.S3Destination.BucketName",
            "Items[].Destination.S3Destination.DestinationPath",
            "Items[].ErrorMessage",
            "Items[].HarvestJobName",
            "Items[].ModifiedAt",
            "Items[].OriginEndpointName",
            "Items[].ScheduleConfiguration.EndTime",
            "Items[].ScheduleConfiguration.StartTime",
            "Items[].Status",
        ],
        needed: &[
            "Items",
            "Items[].ChannelName",
            "Items[].HarvestJobName",
            "Items[].OriginEndpointName",
        ],
    },
    Case {
        model: "mediapackage-vod",
        operation: "ListPackagingGroups",
        call: |clients, _| shown(vod::list_packaging_groups(clients.vod.as_ref().unwrap())),
        packages: &[],
        published: &[
            "packagingGroups[].approximateAssetCount",
            "packagingGroups[].arn",
            "packagingGroups[].createdAt",
            "packagingGroups[].domainName",
            "packagingGroups[].egressAccessLogs.logGroupName",
            "packagingGroups[].id",
            "packagingGroups[].tags{key}",
            "packagingGroups[].tags{value}",
        ],
        needed: &["packagingGroups", "packagingGroups[].id"],
    },
    Case {
        model: "mediapackage-vod",
        operation: "ListPackagingConfigurations",
        call: |clients, _| {
            let service = clients.vod.as_ref().unwrap();
            shown(vod::list_packaging_configurations(service))
        },
        packages: PACKAGES,
        published: &[
            "packagingConfigurations[].arn",
            "packagingConfigurations[].cmafPackage.hlsManifests[].manifestName",
            "packagingConfigurations[].cmafPackage.segmentDurationSeconds",
            "packagingConfigurations[].createdAt",
            "packagingConfigurations[].dashPackage.dashManifests[].manifestName",
            "packagingConfigurations[].dashPackage.segmentDurationSeconds",
            "packagingConfigurations[].hlsPackage.hlsManifests[].manifestName",
            "packagingConfigurations[].hlsPackage.segmentDurationSeconds",
            "packagingConfigurations[].id",
            "packagingConfigurations[].mssPackage.mssManifests[].manifestName",
            "packagingConfigurations[].mssPackage.segmentDurationSeconds",
            "packagingConfigurations[].packagingGroupId",
            "packagingConfigurations[].tags{key}",
            "packagingConfigurations[].tags{value}",
        ],
        needed: &["packagingConfigurations", "packagingConfigurations[].id"],
    },
];

/// Parts of the paths of what must be withheld, for the models that have them.
pub const WITHHELD: &[(&str, &[&str])] = &[
    (
        "mediapackage",
        &[
            "password",
            "username",
            "authorization.cdnIdentifierSecret",
            "authorization.secretsRoleArn",
            "whitelist[]",
            "s3Destination.roleArn",
            "spekeKeyProvider.url",
            "spekeKeyProvider.roleArn",
            "spekeKeyProvider.certificateArn",
            "spekeKeyProvider.resourceId",
            "spekeKeyProvider.systemIds[]",
            "constantInitializationVector",
        ],
    ),
    (
        "mediapackagev2",
        &[
            "SpekeKeyProvider.Url",
            "SpekeKeyProvider.RoleArn",
            "SpekeKeyProvider.CertificateArn",
            "SpekeKeyProvider.ResourceId",
            "SpekeKeyProvider.DrmSystems[]",
            "ConstantInitializationVector",
            "FilterConfiguration.DrmSettings",
        ],
    ),
    (
        "mediapackage-vod",
        &[
            "authorization.cdnIdentifierSecret",
            "authorization.secretsRoleArn",
            "spekeKeyProvider.url",
            "spekeKeyProvider.roleArn",
            "spekeKeyProvider.systemIds[]",
            "constantInitializationVector",
        ],
    ),
];
