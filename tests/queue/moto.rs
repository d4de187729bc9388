//! From SNS through SQS to MQTT, with moto, which has never heard of us.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::harness::{
    Agent, LIMIT, json as payload, observe_messages, seed, text, told, wait_for, wait_for_told,
};
use crate::owner::{Place, SUBSCRIPTION, wait_for_subscription};
use crate::support::mosquitto::Setup;

const ALARM: &str = include_str!("../fixtures/sns/alarm-single-metric.json");
const EVENT: &str = include_str!("../fixtures/sns/event-v1-input-switch.json");

#[test]
fn envelopes_raw_messages_and_bare_events_are_published_and_deleted() {
    let place = Place::new();
    let eyes = place.eyes();
    let agent = place.settled(&eyes);
    let tree = wait_for_subscription(&eyes, |shown| shown["state"] == "waiting");
    assert_eq!(text(&tree, "source/sqs"), "online");
    let enveloped = place.publish(&[ALARM.to_owned()]);
    let raw = place.send(&[ALARM.replace("ALARM\"", "OK\""), EVENT.to_owned()]);
    let messages = wait_for_told(&eyes, "sns/message", 3);
    let id = |message: &Value| message["message_id"].as_str().unwrap().to_owned();
    let seen: BTreeSet<String> = messages.iter().map(id).collect();
    assert!(
        seen.contains(&enveloped[0]) && seen.contains(&raw[0]),
        "{seen:?}"
    );
    for message in &messages {
        assert_eq!(message["via"], "sqs");
        let of_topic = id(message) == enveloped[0];
        let topic = if of_topic {
            json!(place.topic_arn)
        } else {
            Value::Null
        };
        assert_eq!(message["topic_arn"], topic);
    }
    let event = &wait_for_told(&eyes, "event/input_switch", 1)[0];
    assert_eq!(event["source"], "sqs");
    let alarm: Value = serde_json::from_str(ALARM).unwrap();
    let arn = alarm["AlarmArn"].as_str().unwrap();
    eyes.wait_until(LIMIT, |tree| {
        let alarms = tree.values().filter(|payload| payload.contains(arn));
        alarms
            .into_iter()
            .any(|payload| payload.contains("\"source\":\"sqs\""))
    });
    place.wait_for_an_empty_queue();
    let tree = wait_for_subscription(&eyes, |shown| shown["accepted"] == 1);
    assert_eq!(payload(&tree, SUBSCRIPTION)["state"], "confirmed");
    eyes.wait_until(LIMIT, |tree| {
        payload(tree, "sns/messages")["messages"]
            .as_array()
            .is_some_and(|all| all.len() == 3)
    });
    agent.stop();
}

#[test]
fn what_is_not_ours_never_stops_the_queue() {
    let place = Place::new();
    let foreign = place.owner.ask(&json!({"do": "topic", "name": "foreign"}));
    let subscribe = json!({"do": "subscribe", "topic": foreign, "queue": place.queue_arn});
    place.owner.ask(&subscribe);
    let eyes = place.eyes();
    let agent = place.settled(&eyes);
    let publish = json!({"do": "publish", "topic": foreign, "messages": ["a", "b"]});
    place.owner.ask(&publish);
    // As large as SQS takes them, and as JSON larger still.
    let large = "\"".repeat(1 << 20);
    for _ in 0..12 {
        place.send(std::slice::from_ref(&large));
    }
    let rubbish = ["planted-rubbish", "{\"Type\":", "[]", "\u{fffd}"];
    place.send(&rubbish.map(str::to_owned));
    let broken = json!({"Type": "Notification", "TopicArn": place.topic_arn});
    place.send(&[broken.to_string()]);
    let good = place.publish(&["good".to_owned()]);
    let messages = wait_for_told(&eyes, "sns/message", 1);
    assert_eq!(messages[0]["message_id"], good[0].as_str());
    place.wait_for_an_empty_queue();
    // Two of the foreign topic, and all that follow but the last.
    let tree = wait_for_subscription(&eyes, |shown| shown["rejected"] == 19);
    let reason = payload(&tree, SUBSCRIPTION)["last_rejection"].clone();
    assert!(
        [json!("malformed"), json!("topic")].contains(&reason),
        "{reason}"
    );
    agent.wait_for_log("sqs: refused");
    assert_eq!(agent.logged("planted-rubbish"), 0);
    assert_eq!(told(&eyes, "sns/message").len(), 1);
    let tree = eyes.wait_until(LIMIT, |tree| payload(tree, "agent")["health"] == "ok");
    assert_eq!(payload(&tree, "agent")["sources"]["sqs"]["state"], "ok");
    agent.stop();
}

#[test]
fn a_queue_that_is_missing_is_told_and_taken_up_when_it_is_there() {
    let place = Place::new();
    let remove = json!({"do": "remove_queue", "url": place.queue_url});
    place.owner.ask(&remove);
    let eyes = place.eyes();
    let agent = place.agent();
    let tree = eyes.wait_until(LIMIT, |tree| {
        payload(tree, "agent")["sources"]["sqs"]["state"] == "failing"
    });
    let error = payload(&tree, "agent")["sources"]["sqs"]["error"].to_string();
    assert!(
        error.contains("NonExistentQueue") && error.contains("queue_url"),
        "{error}"
    );
    assert_eq!(text(&tree, "source/sqs"), "offline");
    place.owner.ask(&json!({"do": "queue", "name": "box"}));
    eyes.wait_until(LIMIT, |tree| text(tree, "source/sqs") == "online");
    place.send(&["{\"back\":true}".to_owned()]);
    wait_for_told(&eyes, "sns/message", 1);
    assert_eq!(agent.logged("NonExistentQueue"), 1, "it is told once");
    place.wait_for_an_empty_queue();
    agent.stop();
}

#[test]
fn a_stop_ends_the_long_poll_at_once() {
    let place = Place::new();
    let eyes = place.eyes();
    let agent = place.settled(&eyes);
    // The poll that follows takes 20 seconds when nothing comes.
    place.send(&["{}".to_owned()]);
    wait_for_told(&eyes, "sns/message", 1);
    place.wait_for_an_empty_queue();
    agent.stop();
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "offline");
}

const ROUNDS: usize = 8;
const MESSAGES_A_ROUND: usize = 30;
/// Longest time between two deaths.
const LIFE_MS_MAX: u64 = 400;

#[test]
fn nothing_is_lost_though_agent_and_broker_die_under_load() {
    let seed = seed();
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let keeps_all = Setup {
        persistence: true,
        more: "max_queued_messages 0\n",
        ..Setup::default()
    };
    let mut place = Place::with_broker(&keeps_all);
    let eyes = observe_messages(place.broker.port());
    let mut agent = place.agent();
    let mut sent = BTreeSet::new();
    for round in 0..ROUNDS {
        let message = |n| format!(r#"{{"round":{round},"n":{n}}}"#);
        let messages: Vec<String> = (0..MESSAGES_A_ROUND).map(message).collect();
        sent.extend(place.publish(&messages));
        let pause = |rng: &mut Rng| {
            std::thread::sleep(Duration::from_millis(rng.u64(0..LIFE_MS_MAX)));
        };
        pause(&mut rng);
        let (broker_dies, agent_dies) = (rng.bool(), rng.bool());
        if agent_dies {
            agent.signal("KILL");
            agent.ended();
        }
        if broker_dies {
            place.broker.stop();
        }
        pause(&mut rng);
        if broker_dies {
            place.broker.run();
        }
        supervise(&place, &mut agent);
    }
    assert_eq!(sent.len(), ROUNDS * MESSAGES_A_ROUND);
    let published = || -> BTreeSet<String> {
        let messages = told(&eyes, "sns/message");
        let ids = messages
            .iter()
            .map(|m| m["message_id"].as_str().unwrap().to_owned());
        ids.collect()
    };
    // What was in flight when the agent died is hidden for 30 s.
    wait_for(&format!("all that was published, SEED={seed}"), || {
        supervise(&place, &mut agent);
        sent.is_subset(&published()).then_some(())
    });
    place.wait_for_an_empty_queue();
}

/// Starts the agent again where it ended, as systemd does: it may have been killed, or have given
/// up on a broker of which it saw nothing but short sessions.
fn supervise(place: &Place, agent: &mut Agent) {
    if agent.has_ended() {
        *agent = place.agent();
    }
}
