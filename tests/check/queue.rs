//! `check` of the SQS queue, beside those who use it.

use crate::harness::{Agent, LIMIT, PREFIX, program, wait_for};
use crate::printed::{Printed, check, config, usual_world};
use crate::region::Region;
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::ports::free_port;
use crate::support::subscriber::{Subscriber, retained};

pub const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";
pub const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:edge";

/// A policy that lets `principal` send, on a condition.
pub fn policy(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"one","Effect":"Allow",
            "Principal":{principal},"Action":"sqs:SendMessage","Resource":"{QUEUE}",
            "Condition":{condition}}}]}}"#
    )
}

pub fn right_policy() -> String {
    let condition = format!(r#"{{"ArnEquals":{{"aws:SourceArn":"{TOPIC}"}}}}"#);
    policy(r#"{"Service":"sns.amazonaws.com"}"#, &condition)
}

/// A region with a queue that is as it should be.
pub fn region() -> Region {
    let region = Region::start(usual_world());
    let queue = region.sqs().queue("edge");
    region.sqs().dead_letters(&queue, 10);
    region.sqs().set_policy(&queue, &right_policy());
    let topic = region.sns().topic("mp");
    assert_eq!(
        (topic.as_str(), region.sqs().arn(&queue).as_str()),
        (TOPIC, QUEUE)
    );
    region.sns().subscribe_queue(&topic, QUEUE, false);
    region
}

pub fn with_queue(region: &Region, broker: u16) -> ConfigFile {
    let queue = region.edit(|w| w.queue_url("edge"));
    config(region, broker)
        .text("sqs.queue_url", &queue)
        .text("sqs.url", &region.url())
        .text("sqs.proxy", "none")
        .set("sqs.topic_arns", &format!("[\"{TOPIC}\"]"))
}

#[test]
fn a_message_is_not_sent_to_the_dead_letters_by_looking() {
    let region = region();
    let broker = Mosquitto::start(&Setup::default());
    let dead = region.sqs().dead_letters("edge", 1);
    region.sqs().send("edge", "{}");
    check(&with_queue(&region, broker.port())).ends("one receive", 0);
    assert_eq!(region.sqs().messages("edge")[0].receives, 0);
    assert!(region.sqs().messages(&dead).is_empty());
}

#[test]
fn offline_the_queue_is_named_and_nobody_is_asked() {
    let region = region();
    let file = with_queue(&region, free_port());
    let mut command = program();
    command.args(["check", "--offline", "-c"]).arg(file.write());
    let printed = Printed::of(&mut command);
    let lines = [
        (
            "note",
            "queue",
            "/123456789012/edge, for arn:aws:sns:eu-central-1:123456789012:mp; not tried",
        ),
        ("ok", "proxy", "SQS is reached directly"),
    ];
    printed.holds("offline", &lines);
    printed.ends("offline", 0);
    assert!(region.requests().is_empty());
}

#[test]
fn beside_an_agent_on_the_queue_it_takes_nothing_from_it() {
    let region = region();
    let broker = Mosquitto::start(&Setup::default());
    let file = with_queue(&region, broker.port());
    let agent = Agent::start(&file.write());
    let eyes = Subscriber::start(broker.port(), &format!("{PREFIX}#"));
    wait_for("a long poll", || {
        (region.sqs().waiting("edge") == 1).then_some(())
    });
    let printed = check(&file);
    let lines = [
        ("note", "state folder", "an agent runs with"),
        ("note", "owner", "the agent of this config is online"),
        ("ok", "queue access", "ReceiveMessage is allowed"),
        ("ok", "queue", "no other instance that this broker shows"),
    ];
    printed.holds("beside", &lines);
    printed.ends("beside", 0);
    let ids: Vec<String> = (0..20)
        .map(|n| region.sns().publish(TOPIC, None, &format!("message {n}")))
        .collect();
    check(&file).ends("beside a busy agent", 0);
    for id in &ids {
        eyes.wait_for(LIMIT, |m| {
            m.topic.ends_with("sns/message") && m.payload.contains(id)
        });
    }
    wait_for("an empty queue", || {
        region.sqs().messages("edge").is_empty().then_some(())
    });
    let told = eyes
        .stream()
        .into_iter()
        .filter(|m| m.topic.ends_with("sns/message"));
    assert_eq!(told.count(), ids.len());
    agent.stop();
}

#[test]
fn another_instance_on_the_same_queue_is_found_at_the_broker() {
    let region = region();
    region.sqs().queue("its-own");
    let broker = Mosquitto::start(&Setup::default());
    let ours = with_queue(&region, broker.port());
    let theirs = || with_queue(&region, broker.port()).text("instance", "other");
    let agent_of = |prefix: &str, url: &str| {
        let topics = retained(broker.port(), &format!("{prefix}/agent"));
        topics
            .values()
            .any(|payload| payload.contains(url))
            .then_some(())
    };
    let apart = theirs().text("sqs.queue_url", &region.edit(|w| w.queue_url("its-own")));
    let agent = Agent::start(&apart.write());
    wait_for("its picture", || {
        agent_of("mediapackage/other", "/its-own\"")
    });
    let printed = check(&ours);
    printed.holds(
        "apart",
        &[("ok", "queue", "no other instance that this broker shows")],
    );
    printed.ends("apart", 0);
    agent.stop();

    for (file, prefix) in [
        (theirs(), "mediapackage/other"),
        (
            theirs().text("mqtt.base_topic", "elsewhere"),
            "elsewhere/other",
        ),
    ] {
        let agent = Agent::start(&file.write());
        wait_for("its picture", || agent_of(prefix, "/edge\""));
        let printed = check(&ours);
        let begins = format!("fail  queue            {prefix} takes messages from the same queue");
        assert!(printed.text.contains(&begins), "{}", printed.text);
        printed.holds(
            prefix,
            &[("fail", "queue", "- give each instance a queue of its own")],
        );
        printed.ends(prefix, 1);
        agent.stop();
        let printed = check(&ours);
        let begins = format!("warn  queue            {prefix}, which is offline, took messages");
        assert!(printed.text.contains(&begins), "{}", printed.text);
        printed.ends(prefix, 0);
    }
}

#[test]
fn a_broker_that_shows_us_only_our_own_topics_is_no_trouble() {
    let region = region();
    let broker = Mosquitto::start(&Setup {
        acl: Some("topic readwrite mediapackage/test/#\n"),
        ..Setup::default()
    });
    let printed = check(&with_queue(&region, broker.port()));
    printed.holds("narrow", &[("ok", "round trip", "given back")]);
    printed.ends("narrow", 0);
}
