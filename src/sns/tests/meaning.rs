//! What the documented messages mean, and what does not pass for one of them.

use super::{PUBLISHED, accepted, alarm, event, notice};
use crate::sns::accepted::Accepted;
use crate::state::polled::AlarmKind;
use crate::state::push::{EventType, Meaning, Reference};
use crate::state::source::Source;
use crate::state::time::UnixMs;

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/sns/", $name, ".json"))
    };
}

const SINGLE: &str = sample!("alarm-single-metric");
const MATH: &str = sample!("alarm-metric-math");
const COMPOSITE: &str = sample!("alarm-composite");

/// A state change as EventBridge tells it, around a configuration.
fn bridged(configuration: &str) -> String {
    let envelope = serde_json::json!({
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "123456789012",
        "time": "2026-11-22T10:00:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:no ingress"],
        "detail": {
            "alarmName": "no ingress",
            "configuration": serde_json::from_str::<serde_json::Value>(configuration).unwrap(),
            "state": {
                "value": "ALARM", "reason": "below", "reasonData": "{\"threshold\":1.0}",
                "timestamp": "2026-11-22T11:00:00.007+0100",
            },
            "previousState": { "value": "OK", "timestamp": "2026-11-22T09:00:00.000+0000" },
        },
    });
    envelope.to_string()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn cloudwatchs_own_notifications_are_alarms() {
    let single = alarm(SINGLE);
    assert_eq!(&*single.name, "tim-cpu-alarm-test");
    assert_eq!(single.account_id.as_deref(), Some("123456789012"));
    assert_eq!(single.region.as_deref(), Some("us-west-2"));
    assert_eq!((single.kind, &*single.state), (AlarmKind::Metric, "OK"));
    assert_eq!(single.previous_state.as_deref(), Some("ALARM"));
    assert!(single.reason.unwrap().starts_with("Threshold Crossed"));
    let at = UnixMs::parse("2022-10-18T20:15:10.941Z").unwrap();
    assert_eq!(single.changed_at, at);
    assert_eq!(single.namespace.as_deref(), Some("AWS/ECS"));
    assert_eq!(single.metric.as_deref(), Some("CPUUtilization"));
    let wanted = pairs(&[("ClusterName", "cluster"), ("ServiceName", "svc")]);
    assert_eq!(single.dimensions, wanted);
    assert_eq!(single.threshold, Some(0.059));
    assert_eq!(single.comparison.as_deref(), Some("GreaterThanThreshold"));

    let math = alarm(MATH);
    // The documented sample has words for account and region: whose it is, is not known; it
    // came through a topic of ours, so it is of that topic's region.
    assert_eq!(
        (math.account_id, math.region.as_deref()),
        (None, Some("eu-central-1"))
    );
    assert_eq!(math.kind, AlarmKind::Metric);
    assert_eq!((math.namespace, math.metric), (None, None));
    // No metric of it is one of MediaPackage.
    assert_eq!(math.dimensions, []);
    assert_eq!(math.threshold, Some(0.0));
    let ours = MATH
        .replace("AWS/EC2", "AWS/MediaPackage")
        .replace("InstanceId", "Channel");
    assert_eq!(
        alarm(&ours).dimensions,
        pairs(&[("Channel", "TestInstance")])
    );
    let band = ours
        .replace("\"Threshold\": 0.0", "\"ThresholdMetricId\": \"e1\"")
        .replace(
            "GreaterThanThreshold",
            "LessThanLowerOrGreaterThanUpperThreshold",
        );
    assert_eq!(alarm(&band).threshold, None);
    assert!(
        alarm(&band)
            .comparison
            .unwrap()
            .starts_with("LessThanLowerOr")
    );

    let composite = alarm(COMPOSITE);
    assert_eq!(composite.kind, AlarmKind::Composite);
    assert_eq!((composite.description, composite.threshold), (None, None));
    let notice = notice(COMPOSITE);
    assert_eq!(notice.event_type(), EventType::Alarm);
    assert_eq!(notice.wakes(), Some(Source::Alarms));
}

#[test]
fn an_old_notification_without_an_arn_is_of_the_topics_region() {
    let arn =
        r#""AlarmArn": "arn:aws:cloudwatch:us-west-2:123456789012:alarm:tim-cpu-alarm-test","#;
    let old = SINGLE.replace(arn, "");
    assert_ne!(old, SINGLE);
    let found = alarm(&old);
    assert_eq!(
        (&*found.arn, found.region.as_deref()),
        ("", Some("eu-central-1"))
    );
    assert_eq!(found.account_id.as_deref(), Some("123456789012"));
    // Nobody says whose it is.
    let nobodys = old.replace(r#""AWSAccountId": "123456789012","#, "");
    assert_eq!(notice(&nobodys).event_type(), EventType::Other);
    let log = old.replace("MetricName", "LogGroupName");
    assert_eq!(alarm(&log).kind, AlarmKind::Log);
}

#[test]
fn state_changes_through_eventbridge_are_alarms() {
    let metric = |namespace: &str, name: &str| {
        format!(
            r#"{{"id":"m","metricStat":{{"metric":{{"dimensions":{{"OriginEndpoint":"e",
               "Channel":"{name}"}},"name":"EgressBytes","namespace":"{namespace}"}}}}}}"#
        )
    };
    let one = format!(
        r#"{{"description":"d","metrics":[{}]}}"#,
        metric("AWS/MediaPackage", "c")
    );
    let found = alarm(&bridged(&one));
    assert_eq!((&*found.name, &*found.state), ("no ingress", "ALARM"));
    assert_eq!(
        found.arn,
        "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:no ingress"
    );
    assert_eq!(found.previous_state.as_deref(), Some("OK"));
    assert_eq!(found.reason.as_deref(), Some("below"));
    assert_eq!(found.description.as_deref(), Some("d"));
    assert_eq!(found.changed_at, UnixMs(1_795_341_600_007));
    assert_eq!(found.namespace.as_deref(), Some("AWS/MediaPackage"));
    assert_eq!(found.metric.as_deref(), Some("EgressBytes"));
    assert_eq!(
        found.dimensions,
        pairs(&[("Channel", "c"), ("OriginEndpoint", "e")])
    );

    let expression = r#"{"id":"e1","expression":"m*2","returnData":true}"#;
    let (other, ours) = (metric("AWS/EC2", "no"), metric("AWS/MediaPackage", "yes"));
    let math = alarm(&bridged(&format!(
        r#"{{"metrics":[{expression},{other},{ours}]}}"#
    )));
    assert_eq!(
        (math.kind, math.namespace, math.metric),
        (AlarmKind::Metric, None, None)
    );
    assert_eq!(math.dimensions[0].1, "yes");
    let composite = alarm(&bridged(r#"{"alarmRule":"ALARM(a)"}"#));
    assert_eq!(composite.kind, AlarmKind::Composite);
    assert_eq!(alarm(&bridged("{}")).kind, AlarmKind::Metric);
    // Without resources the envelope tells whose it is.
    let bare = bridged("{}").replace("\"resources\"", "\"others\"");
    let found = alarm(&bare);
    assert_eq!(
        (&*found.arn, found.region.as_deref()),
        ("", Some("eu-central-1"))
    );
    assert_eq!(found.account_id.as_deref(), Some("123456789012"));
}

#[test]
fn what_is_not_plainly_an_alarm_is_none() {
    let change = bridged("{}");
    let cases = [
        r#"{"AlarmName":"x"}"#.to_owned(),
        r#"{"AlarmName":"x","AWSAccountId":"123456789012","NewStateValue":"OK"}"#.to_owned(),
        SINGLE.replace("\"OK\"", "\"ok\""),
        SINGLE.replace("\"OK\"", "7"),
        SINGLE.replace("\"OK\"", &format!("\"{}\"", "A".repeat(33))),
        SINGLE.replace("\"OK\"", "\"\""),
        SINGLE.replace("2022-10-18T20:15:10.941+0000", "yesterday"),
        SINGLE.replace("tim-cpu-alarm-test", ""),
        SINGLE.replace("tim-cpu-alarm-test", &"a".repeat(256)),
        SINGLE.replace("tim-cpu-alarm-test", "a\\u0000b"),
        SINGLE.replace("\"Trigger\"", "\"detail\""),
        SINGLE.replace("\"Trigger\"", "\"source\""),
        // One time series of many.
        SINGLE.replace("\"Trigger\"", "\"AlarmContributorId\""),
        change.replace("\"configuration\"", "\"alarmContributor\""),
        change.replace("Alarm State Change", "Alarm Contributor State Change"),
        change.replace("Alarm State Change", "Alarm Configuration Change"),
        change.replace("aws.cloudwatch", "aws.cloudwatcher"),
        change.replace("aws.cloudwatch", "my.cloudwatch"),
        change.replace("\"value\":\"ALARM\"", "\"value\":null"),
        change.replace("\"alarmName\"", "\"name\""),
        change.replace("\"detail\"", "\"details\""),
        format!("[{SINGLE}]"),
        format!("{SINGLE}x"),
    ];
    for message in cases {
        let notice = notice(&message);
        assert_eq!(notice.event_type(), EventType::Other, "{message}");
    }
    // What AWS adds later passes.
    assert_eq!(
        alarm(&SINGLE.replace("\"OK\"", "\"SOMETHING_NEW\"")).state,
        "SOMETHING_NEW"
    );
    // A configuration change, or a contributor, is reason enough to look at the alarms.
    let configured = change.replace("Alarm State Change", "Alarm Configuration Change");
    assert_eq!(notice(&configured).wakes(), Some(Source::Alarms));
    let contributor = SINGLE.replace("\"Trigger\"", "\"AlarmContributorId\"");
    assert_eq!(notice(&contributor).wakes(), Some(Source::Alarms));
}

#[test]
fn an_alarm_tells_no_more_than_its_limits() {
    let long = "é".repeat(5000);
    let big = SINGLE
        .replace("Testing for the Alarms processing Lambda", &long)
        .replace("CPUUtilization", &long)
        .replace("\"svc\"", &format!("\"{long}\""));
    let found = alarm(&big);
    assert_eq!(found.description.unwrap().chars().count(), 1024);
    assert_eq!(found.metric.unwrap().chars().count(), 255);
    assert_eq!(found.dimensions, []);
    let name: String = "é".repeat(255);
    assert_eq!(
        *alarm(&SINGLE.replace("tim-cpu-alarm-test", &name)).name,
        *name
    );
}

/// Type, state, references, sentence.
type Wanted<'a> = (&'a str, Option<&'a str>, Vec<Reference>, &'a str);

#[test]
fn events_of_mediapackage_are_told_in_a_sentence() {
    let arn = |tail: &str| Reference::Arn(format!("arn:aws:{tail}"));
    let endpoint = |id: &str| Reference::Endpoint(id.into());
    let v1 = |tail: &str| arn(&format!("mediapackage:us-east-1:111122223333:{tail}"));
    let west = |tail: &str| arn(&format!("mediapackage:us-west-2:111122223333:{tail}"));
    let vod = |tail: &str| arn(&format!("mediapackage-vod:us-west-2:111122223333:{tail}"));
    let v2 = arn(
        "mediapackagev2:us-west-2:111122223333:channelGroup/channel_group_name/channel/\
         channel_name/originEndpoint/origin_endpoint_name/harvestJob/MyHarvestJob",
    );
    let of_v2 = vec![
        v2,
        endpoint("channel_group_name.channel_name.endpoint_name"),
        endpoint("channel_group_name.channel_name.origin_endpoint_name"),
        Reference::Channel("channel_group_name.channel_name".into()),
    ];
    let of_v1 = vec![v1("harvest_jobs/harvest_job_id"), endpoint("endpoint_id")];
    let cases: Vec<(&str, Wanted)> = vec![
        (
            sample!("event-v1-input-switch"),
            (
                "input_switch",
                None,
                vec![
                    v1("origin_endpoints/82d6b9bc04cb4612b487963d6c8d0f1a"),
                    Reference::Channel("channel name".into()),
                ],
                "Origin endpoint 82d6b9bc04cb4612b487963d6c8d0f1a of channel channel name switched \
             its input from endpoint uuid before input switch to endpoint uuid after input \
             switch.",
            ),
        ),
        (
            sample!("event-v1-max-ingest-streams"),
            (
                "max_ingest_streams",
                None,
                vec![west("channels/262ff182d46d4b399fcabea1364df682")],
                "Channel 262ff182d46d4b399fcabea1364df682 gets more streams than it takes.",
            ),
        ),
        (
            sample!("event-v1-key-provider"),
            (
                "key_provider",
                None,
                vec![west("origin_endpoints/70b44e2e666c4bdc9e5f4488e1f1aa99")],
                "The key provider of origin endpoint 70b44e2e666c4bdc9e5f4488e1f1aa99 failed.",
            ),
        ),
        (
            sample!("event-v1-harvest-succeeded"),
            (
                "harvest_job",
                Some("SUCCEEDED"),
                of_v1.clone(),
                "Harvest job harvest_job_id of origin endpoint endpoint_id is complete.",
            ),
        ),
        (
            sample!("event-v1-harvest-failed"),
            (
                "harvest_job",
                Some("FAILED"),
                of_v1,
                "Harvest job harvest_job_id of origin endpoint endpoint_id failed.",
            ),
        ),
        (
            sample!("event-v2-harvest-completed"),
            (
                "harvest_job",
                Some("COMPLETED"),
                of_v2.clone(),
                "Harvest job MyHarvestJob of origin endpoint \
             channel_group_name.channel_name.endpoint_name is complete.",
            ),
        ),
        (
            sample!("event-v2-harvest-failed"),
            (
                "harvest_job",
                Some("FAILED"),
                of_v2,
                "Harvest job MyHarvestJob of origin endpoint \
             channel_group_name.channel_name.endpoint_name failed.",
            ),
        ),
        (
            sample!("event-vod-ingest-status"),
            (
                "vod_ingest",
                Some("IngestComplete"),
                vec![vod("assets/asset_name")],
                "Ingest of asset asset_name is complete.",
            ),
        ),
        (
            sample!("event-vod-asset-playable"),
            (
                "vod_ingest",
                Some("VodAssetPlayable"),
                vec![
                    vod("assets/asset_id"),
                    vod("packaging_configuration/packaging_configuration_id"),
                ],
                "Asset asset_id can be played, packaged by packaging_configuration_id.",
            ),
        ),
    ];
    for (message, (event_type, state, about, summary)) in cases {
        let notice = notice(message);
        assert_eq!(notice.wakes(), Some(Source::MediaPackage), "{message}");
        let found = event(message);
        assert_eq!(found.event_type.as_str(), event_type, "{message}");
        assert_eq!(found.state.as_deref(), state, "{message}");
        assert_eq!(found.about, about, "{message}");
        assert_eq!(found.summary, summary, "{message}");
        let sent: serde_json::Value = serde_json::from_str(message).unwrap();
        let at = UnixMs::parse(sent["time"].as_str().unwrap());
        assert_eq!(Some(found.time), at, "{message}");
        let detail: serde_json::Value = serde_json::from_str(&found.detail.json).unwrap();
        let mut wanted = sent["detail"].clone();
        if let Some(role) = wanted.pointer_mut("/harvest_job/s3_destination/role_arn") {
            *role = "…".into();
        }
        assert_eq!(detail, wanted, "{message}");
        assert!(!notice.message.json.contains("S3Access_role"), "{message}");
    }
}

#[test]
fn anything_else_passes_through() {
    let subject = |subject: &str, message: &str| {
        let subject = Some(subject.to_owned());
        match (Accepted {
            subject,
            ..accepted(message)
        })
        .notice()
        .meaning
        {
            Meaning::Event(event) => *event,
            Meaning::Alarm(alarm) => panic!("{alarm:?}"),
        }
    };
    let throttle = r#"{"detail-type":"MediaPackage Throttle","source":"aws.mediapackage",
        "detail":{"a":1}}"#;
    let cases = [
        (
            event("Hello"),
            "A message came through topic mediapackage.",
            r#"{"text":"Hello"}"#,
        ),
        (
            event("[1]"),
            "A message came through topic mediapackage.",
            r#"{"text":"[1]"}"#,
        ),
        (
            subject("Sub\nject", r#"{"a": 1}"#),
            "Sub ject",
            r#"{"a":1}"#,
        ),
        (
            event(throttle),
            "MediaPackage Throttle from aws.mediapackage.",
            r#"{"a":1}"#,
        ),
        (
            event(r#"{"detail-type":"T","source":"my.app","detail":"x","time":"never"}"#),
            "T from my.app.",
            "{}",
        ),
        (
            event(r#"{"detail-type":7,"source":"my.app","token":1}"#),
            "A message came through topic mediapackage.",
            r#"{"detail-type":7,"source":"my.app","token":"…"}"#,
        ),
    ];
    for (found, summary, detail) in cases {
        assert_eq!(found.event_type, EventType::Other, "{summary}");
        assert_eq!((&*found.summary, &*found.detail.json), (summary, detail));
        assert_eq!(found.time, PUBLISHED, "{summary}");
        let wakes = (summary.contains("Throttle")).then_some(Source::MediaPackage);
        assert_eq!(found.wakes, wakes, "{summary}");
    }
    // Events come to the queue without a topic, too.
    let bare = Accepted {
        topic_arn: None,
        ..accepted("x")
    };
    match bare.notice().meaning {
        Meaning::Event(event) => assert_eq!(event.summary, "A message came."),
        Meaning::Alarm(alarm) => panic!("{alarm:?}"),
    }
}

#[test]
fn calls_that_change_something_wake_the_poll_and_those_that_read_do_not() {
    let call = |service: &str, name: &str, more: &str| {
        format!(
            r#"{{"detail-type":"AWS API Call via CloudTrail","source":"aws.mediapackage",
            "detail":{{"eventSource":"{service}","eventName":"{name}"{more}}}}}"#
        )
    };
    let v1 = "mediapackage.amazonaws.com";
    let wakes = Some(Source::MediaPackage);
    let cases = [
        (call(v1, "CreateChannel", ""), wakes),
        (
            call("mediapackagev2.amazonaws.com", "DeleteOriginEndpoint", ""),
            wakes,
        ),
        (call(v1, "UpdateChannel", r#","readOnly":false"#), wakes),
        (
            call(v1, "RotateIngestEndpointCredentials", r#","readOnly":true"#),
            None,
        ),
        (call(v1, "ListChannels", ""), None),
        (call(v1, "DescribeChannel", ""), None),
        (call("mediapackagev2.amazonaws.com", "GetChannel", ""), None),
        (call("s3.amazonaws.com", "CreateBucket", ""), None),
        (call("", "CreateChannel", ""), None),
    ];
    for (message, wanted) in cases {
        let found = event(&message);
        assert_eq!(found.event_type, EventType::Other, "{message}");
        assert_eq!(found.wakes, wanted, "{message}");
    }
    let request = r#","requestParameters":{"id":"c1"}"#;
    let found = event(&call(v1, "UpdateChannel", request));
    assert_eq!(found.about, [Reference::Channel("c1".into())]);
    assert_eq!(
        found.summary,
        "UpdateChannel was called at mediapackage.amazonaws.com."
    );
    let found = event(&call(v1, "UpdateOriginEndpoint", request));
    assert_eq!(found.about, [Reference::Endpoint("c1".into())]);
}
