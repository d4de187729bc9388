//! Topics, the queue, and the subscriptions between them.
//!
//! Sources: SNS developer guide, "Example cases for Amazon SNS access control" and "Fanout to
//! Amazon SQS queues"; EventBridge user guide, "Using resource-based policies": what a topic's
//! policy allows EventBridge must have no condition, since none would ever hold.

use super::cfn;
use super::names::{QUEUE_CHARS_MAX, digest, fitted};
use super::plan::{Given, Listener, Plan, QUEUE, QUEUE_IS_NEW, Queue, TOPIC_IS_NEW, Topic};
use super::policy;
use crate::agent::node::Node;
use crate::agent::subscribe_url;

/// The condition that topics elsewhere are subscribed to.
pub const SUBSCRIBES_ELSEWHERE: &str = "SubscribesElsewhere";
/// The parameter for a URL that must not stand in the template.
pub const LISTENER_URL: &str = "ListenerUrl";

const DEAD_LETTERS: &str = "DeadLetterQueue";

const DAY_SECONDS: u64 = 24 * 3600;
/// Messages wait this long for a box that is away.
const RETENTION_SECONDS: u64 = 7 * DAY_SECONDS;
/// Those that nobody could take, as long as SQS keeps any.
const DEAD_RETENTION_SECONDS: u64 = 14 * DAY_SECONDS;
/// A message that was received and not deleted comes again after this.
const VISIBILITY_SECONDS: u64 = 30;
/// A receive waits so long for a message, the most that SQS allows.
const WAIT_SECONDS: u64 = 20;
/// A message that was received so often and never deleted is a dead letter.
const RECEIVES_MAX: u64 = 10;

/// What the owner of a topic may do with it: all that a topic's policy can give.
const OWNER: [&str; 8] = [
    "sns:AddPermission",
    "sns:DeleteTopic",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:Publish",
    "sns:RemovePermission",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
];

/// A resource with its logical id.
pub type Named = (String, Node);

/// The topics that are made here, with their policies.
pub fn topics(plan: &Plan) -> Vec<Named> {
    let mut all = Vec::new();
    for (at, topic) in plan.topics.iter().enumerate() {
        let properties = Node::object([
            ("TopicName", Node::from(&topic.name)),
            // SHA-256 instead of SHA-1 in what the listener checks.
            ("SignatureVersion", "2".into()),
        ]);
        let made = cfn::resource("AWS::SNS::Topic", Some(TOPIC_IS_NEW), properties);
        all.push((topic.id.clone(), made));
        all.push((format!("{}Policy", topic.id), topic_policy(topic, at == 0)));
    }
    all
}

/// Who may publish: the owner, alarms whose actions name the topic, and EventBridge where rules
/// send to it.
fn topic_policy(topic: &Topic, gets_events: bool) -> Node {
    let of_account = Node::object([("aws:SourceAccount", cfn::reference("AWS::AccountId"))]);
    let root = cfn::sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root");
    let statement = |sid: &str, who: (&str, Node), actions: Node| {
        vec![
            ("Sid", sid.into()),
            ("Effect", "Allow".into()),
            ("Principal", Node::object([who])),
            ("Action", actions),
            ("Resource", cfn::reference(&topic.id)),
        ]
    };
    let publish = |service: &str| (("Service", service.into()), Node::from("sns:Publish"));
    let mut statements = vec![statement("Owner", ("AWS", root), Node::list(OWNER))];
    let (cloudwatch, action) = publish("cloudwatch.amazonaws.com");
    let mut alarms = statement("Alarms", cloudwatch, action);
    alarms.push(("Condition", Node::object([("StringEquals", of_account)])));
    statements.push(alarms);
    if gets_events {
        let (events, action) = publish("events.amazonaws.com");
        statements.push(statement("Events", events, action));
    }
    let document = policy::document(statements.into_iter().map(Node::object));
    cfn::resource(
        "AWS::SNS::TopicPolicy",
        Some(TOPIC_IS_NEW),
        Node::object([
            ("Topics", Node::list([cfn::reference(&topic.id)])),
            ("PolicyDocument", document),
        ]),
    )
}

/// The queue with its policy and its dead letters.
pub fn queue(plan: &Plan, queue: &Queue) -> Vec<Named> {
    let dead = fitted("", &queue.name, "-dead", QUEUE_CHARS_MAX);
    let properties = Node::object([
        ("QueueName", Node::from(&queue.name)),
        ("SqsManagedSseEnabled", true.into()),
        ("MessageRetentionPeriod", RETENTION_SECONDS.into()),
        ("VisibilityTimeout", VISIBILITY_SECONDS.into()),
        ("ReceiveMessageWaitTimeSeconds", WAIT_SECONDS.into()),
        (
            "RedrivePolicy",
            Node::object([
                ("deadLetterTargetArn", cfn::attribute(DEAD_LETTERS, "Arn")),
                ("maxReceiveCount", RECEIVES_MAX.into()),
            ]),
        ),
    ]);
    let source = cfn::home_arn("sqs", &queue.name);
    let dead_properties = Node::object([
        ("QueueName", dead.into()),
        ("SqsManagedSseEnabled", true.into()),
        ("MessageRetentionPeriod", DEAD_RETENTION_SECONDS.into()),
        (
            "RedriveAllowPolicy",
            Node::object([
                ("redrivePermission", "byQueue".into()),
                ("sourceQueueArns", Node::list([source])),
            ]),
        ),
    ]);
    let queue = |properties| cfn::stateful("AWS::SQS::Queue", Some(QUEUE_IS_NEW), properties);
    vec![
        (QUEUE.into(), queue(properties)),
        (DEAD_LETTERS.into(), queue(dead_properties)),
        (format!("{QUEUE}Policy"), queue_policy(plan)),
    ]
}

/// Only SNS may send, and only what these topics tell.
fn queue_policy(plan: &Plan) -> Node {
    let home = plan.topics.iter().filter(|topic| topic.takers.queue);
    let elsewhere = plan.elsewhere.iter().filter(|topic| topic.takers.queue);
    let topics = home
        .map(Topic::arn)
        .chain(elsewhere.map(|topic| Node::from(&topic.arn)));
    let from_topics = Node::object([("aws:SourceArn", Node::list(topics))]);
    let statement = Node::object([
        ("Sid", "Topics".into()),
        ("Effect", "Allow".into()),
        (
            "Principal",
            Node::object([("Service", "sns.amazonaws.com".into())]),
        ),
        ("Action", "sqs:SendMessage".into()),
        ("Resource", cfn::attribute(QUEUE, "Arn")),
        ("Condition", Node::object([("ArnEquals", from_topics)])),
    ]);
    cfn::resource(
        "AWS::SQS::QueuePolicy",
        Some(QUEUE_IS_NEW),
        Node::object([
            ("Queues", Node::list([cfn::reference(QUEUE)])),
            ("PolicyDocument", policy::document([statement])),
        ]),
    )
}

/// Queue and listener, subscribed to the topics they take from.
pub fn subscriptions(plan: &Plan) -> Vec<Named> {
    let home = plan.topics.iter().map(|topic| {
        let tail = topic.id.trim_start_matches("Topic").to_owned();
        (tail, topic.arn(), topic.takers, None)
    });
    let elsewhere = plan.elsewhere.iter().map(|Given { arn, takers }| {
        let condition = Some(SUBSCRIBES_ELSEWHERE);
        (digest(arn), Node::from(arn), *takers, condition)
    });
    let mut all = Vec::new();
    for (tail, topic, takers, condition) in home.chain(elsewhere) {
        let resource = |properties| cfn::resource("AWS::SNS::Subscription", condition, properties);
        if let Some(queue) = plan.queue.as_ref().filter(|_| takers.queue) {
            let made = resource(to_queue(queue, topic.clone()));
            all.push((format!("QueueSubscription{tail}"), made));
        }
        // Over HTTP comes nothing of a FIFO topic, and the config names none.
        if let Some(listener) = plan.listener.as_ref().filter(|_| takers.listener) {
            let made = resource(to_listener(listener, topic));
            all.push((format!("ListenerSubscription{tail}"), made));
        }
    }
    all
}

fn to_queue(queue: &Queue, topic: Node) -> Node {
    Node::object([
        ("TopicArn", topic),
        ("Protocol", "sqs".into()),
        ("Endpoint", queue.arn()),
        // The agent reads SNS's envelope.
        ("RawMessageDelivery", false.into()),
    ])
}

fn to_listener(listener: &Listener, topic: Node) -> Node {
    let url = match &listener.url {
        Some(url) => url.into(),
        None => cfn::reference(LISTENER_URL),
    };
    Node::object([
        ("TopicArn", topic),
        ("Protocol", Node::from(&listener.protocol)),
        ("Endpoint", url),
        // Without the envelope there is no signature.
        ("RawMessageDelivery", false.into()),
        ("DeliveryPolicy", subscribe_url::delivery_policy()),
    ])
}
