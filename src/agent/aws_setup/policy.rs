//! The IAM policy: what this config makes `run` and `check` call, and nothing else.
//!
//! Source: service authorization reference, "Actions, resources, and condition keys" of
//! MediaPackage v1, v2 and VOD, CloudWatch, SNS and SQS. MediaPackage v1, `GetMetricData` and
//! `ListMetrics` know no resources, `DescribeAlarms` tells composite alarms to `*` only, and
//! v2 is listed by groups whose names nobody knows beforehand: for these the region is the limit.

use crate::agent::node::Node;
use crate::config::{AlarmsKept, Config, MetricsLevel};

/// Version of the language that policies are written in.
const LANGUAGE: &str = "2012-10-17";
/// Where the external id belongs.
pub const EXTERNAL_ID: &str = "EXTERNAL_ID";

const V1: [&str; 3] = [
    "mediapackage:ListChannels",
    "mediapackage:ListOriginEndpoints",
    "mediapackage:ListHarvestJobs",
];
const V2: [&str; 7] = [
    "mediapackagev2:ListChannelGroups",
    "mediapackagev2:GetChannelGroup",
    "mediapackagev2:ListChannels",
    "mediapackagev2:GetChannel",
    "mediapackagev2:ListOriginEndpoints",
    "mediapackagev2:GetOriginEndpoint",
    "mediapackagev2:ListHarvestJobs",
];
const VOD: [&str; 2] = [
    "mediapackage-vod:ListPackagingGroups",
    "mediapackage-vod:ListPackagingConfigurations",
];
const METRICS: [&str; 2] = ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"];
const ALARMS: [&str; 1] = ["cloudwatch:DescribeAlarms"];
const QUEUE: [&str; 4] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
];
/// What `check` asks of the topics that feed the queue.
const SUBSCRIPTIONS: [&str; 2] = [
    "sns:ListSubscriptionsByTopic",
    "sns:GetSubscriptionAttributes",
];

/// The ARNs that the agent may do something with.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// The queue it empties.
    pub queue: Option<Node>,
    /// The topics that feed the queue.
    pub queue_topics: Vec<Node>,
    /// The topics whose subscriptions it confirms.
    pub listener_topics: Vec<Node>,
}

/// What the agent needs.
pub fn agent(config: &Config, resources: &Resources) -> Node {
    let asked = config.mediapackage.apis;
    let cw = &config.cloudwatch;
    let alarms = cw.alarms != AlarmsKept::Off || !cw.alarm_include.is_empty();
    let media = [
        (asked.v1, &V1[..]),
        (asked.v2, &V2[..]),
        (asked.vod, &VOD[..]),
    ];
    let watch = [
        (cw.metrics != MetricsLevel::Off, &METRICS[..]),
        (alarms, &ALARMS[..]),
    ];
    let region = &config.region;
    let queue = resources.queue.iter().cloned().collect::<Vec<_>>();
    let statements = [
        in_region("ReadMediaPackage", &media, region),
        in_region("ReadCloudWatch", &watch, region),
        on(
            "ConfirmSubscription",
            &["sns:ConfirmSubscription"],
            &resources.listener_topics,
        ),
        on("EmptyQueue", &QUEUE, &queue),
        on(
            "CheckSubscriptions",
            &SUBSCRIPTIONS,
            &resources.queue_topics,
        ),
    ];
    document(statements.into_iter().flatten())
}

/// What the keys need that take a role: the rest is the role's.
pub fn keys(role_arn: &str) -> Node {
    document(on("TakeRole", &["sts:AssumeRole"], &[role_arn.into()]))
}

/// Who may take a role: `principal`, for AWS accounts and services by their kind. With an
/// external id only who gives it; the id itself is a secret, and stands for its place here.
pub fn trust(kind: &str, principal: String, external_id: bool) -> Node {
    let condition = Node::object([("sts:ExternalId", EXTERNAL_ID.into())]);
    let statement = [
        ("Sid", "LetTakeRole".into()),
        ("Effect", "Allow".into()),
        ("Principal", Node::object([(kind, principal.into())])),
        ("Action", "sts:AssumeRole".into()),
    ];
    let asks = ("Condition", Node::object([("StringEquals", condition)]));
    let asks = external_id.then_some(asks);
    document([Node::object(statement.into_iter().chain(asks))])
}

/// The policy of AWS IoT that a thing's certificate needs for a role alias.
pub fn of_thing(alias_arn: &str) -> Node {
    const ACTION: &str = "iot:AssumeRoleWithCertificate";
    document([Node::object([
        ("Effect", "Allow".into()),
        ("Action", ACTION.into()),
        ("Resource", alias_arn.into()),
    ])])
}

/// A policy of these statements.
pub fn document(statements: impl IntoIterator<Item = Node>) -> Node {
    Node::object([
        ("Version", LANGUAGE.into()),
        ("Statement", Node::list(statements)),
    ])
}

/// The actions of the parts that are wanted, on everything in one region.
fn in_region(sid: &str, parts: &[(bool, &[&str])], region: &str) -> Option<Node> {
    let wanted = parts.iter().filter(|(wanted, _)| *wanted);
    let actions: Vec<&str> = wanted.flat_map(|(_, actions)| *actions).copied().collect();
    let here = Node::object([("aws:RequestedRegion", region.into())]);
    (!actions.is_empty()).then(|| {
        Node::object([
            ("Sid", sid.into()),
            ("Effect", "Allow".into()),
            ("Action", Node::list(actions)),
            ("Resource", "*".into()),
            ("Condition", Node::object([("StringEquals", here)])),
        ])
    })
}

/// These actions on these resources; no statement without any.
fn on(sid: &str, actions: &[&str], resources: &[Node]) -> Option<Node> {
    (!resources.is_empty()).then(|| {
        Node::object([
            ("Sid", sid.into()),
            ("Effect", "Allow".into()),
            ("Action", Node::list(actions.iter().copied())),
            ("Resource", Node::list(resources.iter().cloned())),
        ])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Env};

    fn config(text: &str) -> Config {
        let env: Env = [("AWS_REGION", "eu-central-1")].into_iter().collect();
        config::parse("x".as_ref(), text, &env).unwrap()
    }

    /// Sid and actions of each statement.
    fn grants(policy: &Node) -> Vec<String> {
        let policy = serde_json::to_value(policy).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        let line = |statement: &serde_json::Value| {
            let actions = statement["Action"].as_array().unwrap();
            let actions: Vec<&str> = actions.iter().filter_map(|a| a.as_str()).collect();
            let sid = statement["Sid"].as_str().unwrap();
            assert_eq!(
                statement["Resource"] == "*",
                statement["Condition"]["StringEquals"]["aws:RequestedRegion"] == "eu-central-1",
                "{statement}"
            );
            format!("{sid} {}", actions.join(" "))
        };
        statements.iter().map(line).collect()
    }

    #[test]
    fn only_what_the_config_makes_the_agent_call_is_granted() {
        let v1 = format!("ReadMediaPackage {}", V1.join(" "));
        let all = format!(
            "ReadMediaPackage {} {} {}",
            V1.join(" "),
            V2.join(" "),
            VOD.join(" ")
        );
        let cloudwatch = |actions: &str| format!("ReadCloudWatch {actions}");
        let both = "cloudwatch:GetMetricData cloudwatch:ListMetrics cloudwatch:DescribeAlarms";
        let only = "[mediapackage]\napis = [\"v1\"]\n[cloudwatch]\n";
        let cases = [
            (
                "[mediapackage]\napis = [\"v1\", \"v2\", \"vod\"]\n".to_owned(),
                vec![all, cloudwatch(both)],
            ),
            (
                format!("{only}metrics = \"off\"\n"),
                vec![v1.clone(), cloudwatch("cloudwatch:DescribeAlarms")],
            ),
            (
                format!("{only}alarms = \"off\"\n"),
                vec![
                    v1.clone(),
                    cloudwatch("cloudwatch:GetMetricData cloudwatch:ListMetrics"),
                ],
            ),
            (
                format!("{only}alarms = \"off\"\nalarm_include = [\"a*\"]\n"),
                vec![v1.clone(), cloudwatch(both)],
            ),
            (
                format!("{only}alarms = \"off\"\nmetrics = \"off\"\n"),
                vec![v1],
            ),
        ];
        for (text, wanted) in cases {
            let policy = agent(&config(&text), &Resources::default());
            assert_eq!(grants(&policy), wanted, "{text}");
        }
    }

    #[test]
    fn topics_and_queue_are_named_one_by_one() {
        let resources = Resources {
            queue: Some("q".into()),
            queue_topics: vec!["t".into()],
            listener_topics: vec!["t".into(), "u".into()],
        };
        let policy = agent(&config(""), &resources);
        let said = serde_json::to_value(&policy).unwrap();
        let of = |sid: &str| {
            let all = said["Statement"].as_array().unwrap();
            let found = all.iter().find(|statement| statement["Sid"] == sid);
            found.unwrap()["Resource"].to_string()
        };
        assert_eq!(of("ConfirmSubscription"), r#"["t","u"]"#);
        assert_eq!(of("EmptyQueue"), r#"["q"]"#);
        assert_eq!(of("CheckSubscriptions"), r#"["t"]"#);
        assert_eq!(grants(&policy).len(), 5);
    }

    #[test]
    fn the_keys_of_a_role_may_take_it_and_nothing_else() {
        let policy = keys("arn:aws:iam::123456789012:role/edge");
        assert_eq!(grants(&policy), ["TakeRole sts:AssumeRole"]);
    }
}
