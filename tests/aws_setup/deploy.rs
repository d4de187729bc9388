//! A template deployed to moto: what it makes is there, and a message finds its way.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::printed::{Printed, QUEUE, TOPIC, config, policy, with_listener, with_queue};
use crate::region::{Region, World};
use crate::support::config::ConfigFile;
use crate::support::moto::Moto;

/// What is there after the template of a config was deployed.
fn deployed(config: &ConfigFile, parameters: &[&str]) -> Value {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("template.json");
    std::fs::write(
        &file,
        Printed::of(config, &["--template"]).json().to_string(),
    )
    .unwrap();
    let mut arguments = vec!["--template", file.to_str().unwrap()];
    for parameter in parameters {
        arguments.extend(["--parameter", parameter]);
    }
    Moto::empty().script("moto_stack.py", "eu-central-1", &arguments)
}

fn region() -> Region {
    Region::start(
        World::new("eu-central-1")
            .with_channels(2, 1)
            .standard_metrics(),
    )
}

/// That what was published came out of the queue, in SNS's envelope.
fn arrived(there: &Value) {
    let received = there["received"].as_array().unwrap();
    assert_eq!(received.len(), 1, "{there}");
    assert_eq!(received[0]["Message"], "planted message");
    assert_eq!(received[0]["TopicArn"], there["outputs"]["TopicArn"]);
}

#[test]
fn topic_queue_policy_rules_and_alarms_are_there_and_a_message_arrives() {
    let region = region();
    // A place that takes whatever is posted to it.
    let listener = format!("{}/secret", region.url());
    let config = with_listener(with_queue(config(&region), &[TOPIC]), &[TOPIC]);
    let config = config.text("sns.public_url", &region.url());
    let there = deployed(&config, &[&format!("ListenerUrl={listener}")]);
    arrived(&there);
    assert_eq!(there["outputs"]["TopicArn"], TOPIC);
    assert_eq!(there["outputs"]["QueueUrl"], QUEUE);
    assert_eq!(there["policy"], policy(&config));
    let queue_arn = "arn:aws:sqs:eu-central-1:123456789012:edge";
    let queue = &there["queues"]["edge"];
    let dead = "arn:aws:sqs:eu-central-1:123456789012:edge-dead";
    assert_eq!(there["queues"]["edge-dead"]["QueueArn"], dead);
    let redrive = queue["RedrivePolicy"].as_str().unwrap();
    let redrive: Value = serde_json::from_str(redrive).unwrap();
    assert_eq!(
        redrive,
        json!({"deadLetterTargetArn": dead, "maxReceiveCount": 10})
    );
    let allowed: Value = serde_json::from_str(queue["Policy"].as_str().unwrap()).unwrap();
    let sender = &allowed["Statement"][0];
    assert_eq!(sender["Principal"], json!({"Service": "sns.amazonaws.com"}));
    assert_eq!(
        sender["Condition"]["ArnEquals"]["aws:SourceArn"],
        json!([TOPIC])
    );
    let publishers = there["topics"][TOPIC]["Statement"].as_array().unwrap();
    let services = publishers
        .iter()
        .filter_map(|s| s["Principal"]["Service"].as_str());
    let services: Vec<&str> = services.collect();
    assert_eq!(
        services,
        ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
    );
    // EventBridge gives no context that a condition could hold.
    assert!(publishers[2]["Condition"].is_null(), "{}", publishers[2]);
    let rules = there["rules"].as_object().unwrap();
    assert_eq!(rules.len(), 2);
    assert!(rules.values().all(|rule| rule["targets"] == json!([TOPIC])));
    let alarms: Vec<&String> = there["alarms"].as_object().unwrap().keys().collect();
    assert_eq!(
        alarms,
        ["test-ch-0000-input-lost", "test-ch-0001-input-lost"]
    );
    let ends = there["subscriptions"].as_array().unwrap().iter();
    let mut ends: Vec<&str> = ends.filter_map(|s| s["Endpoint"].as_str()).collect();
    ends.sort_unstable();
    assert_eq!(ends, [queue_arn, &listener]);
}

#[test]
fn what_is_proposed_can_be_deployed_and_says_what_to_configure() {
    let region = region();
    let there = deployed(&config(&region), &["InputLossAlarms=false"]);
    arrived(&there);
    assert_eq!(there["alarms"], json!({}));
    let name = "mediapackage2mqtt-test";
    let topic = format!("arn:aws:sns:eu-central-1:123456789012:{name}");
    assert_eq!(there["outputs"]["TopicArn"], *topic);
    let queue = there["outputs"]["QueueUrl"].as_str().unwrap();
    assert!(queue.ends_with(&format!("/123456789012/{name}")), "{queue}");
    let table = format!("[sqs]\nqueue_url = \"{queue}\"\ntopic_arns = [\"{topic}\"]");
    assert_eq!(there["outputs"]["Config"], *table);
    // With that in the config, the printed policy is the one that is there.
    let at_aws = format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}");
    let configured = with_queue(config(&region), &[&topic]).text("sqs.queue_url", &at_aws);
    assert_eq!(there["policy"], policy(&configured));
}
