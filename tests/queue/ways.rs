//! The queue at the simulated region: alone, beside the listener, and through a long poll.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    Agent, LIMIT, PREFIX, Site, json, no_secret_in, text, told, wait_for, wait_for_told,
};
use crate::region::sns::{alarms, deliverer::Policy, events};
use crate::region::{Clock, World};
use crate::support::ports::{accepts, free_port};
use crate::support::subscriber::Subscriber;

/// A site whose agent takes messages from a queue of the region.
pub struct Place {
    pub site: Site,
    pub topic_arn: String,
    pub queue_url: String,
}

impl Place {
    pub fn new() -> Place {
        Place::of(crate::harness::world())
    }

    pub fn of(world: World) -> Place {
        let site = Site::new(world);
        let topic_arn = site.region.sns().topic("mp");
        let queue_url = site.region.sqs().queue("box");
        let queue_arn = site.region.sqs().arn(&queue_url);
        let sns = site.region.sns();
        sns.subscribe_queue(&topic_arn, &queue_arn, false);
        let (aws, topics) = (site.region.url(), format!("[\"{topic_arn}\"]"));
        let site = site.configured(|config| {
            config
                .text("sqs.queue_url", &queue_url)
                .set("sqs.topic_arns", &topics)
                .text("sqs.url", &aws)
                .text("sqs.proxy", "none")
        });
        Place {
            site,
            topic_arn,
            queue_url,
        }
    }

    /// The same with a listener besides, which is subscribed to the topic; its port.
    fn listening(self) -> (Place, u16) {
        let port = free_port();
        let (aws, topics) = (self.site.region.url(), format!("[\"{}\"]", self.topic_arn));
        let policy = Policy::retrying(200, Duration::from_millis(100));
        self.site.region.edit(|w| w.sns.policy = Arc::new(policy));
        let url = format!("http://127.0.0.1:{port}/");
        self.site.region.sns().subscribed(&self.topic_arn, &url);
        let site = self.site.configured(|config| {
            config
                .text("sns.listen", &format!("127.0.0.1:{port}"))
                .set("sns.topic_arns", &topics)
                .text("sns.url", &aws)
                .text("sns.proxy", "none")
        });
        (Place { site, ..self }, port)
    }

    /// Starts the agent and waits until all that it asks has answered.
    pub fn settled(&self, eyes: &Subscriber) -> Agent {
        let agent = self.site.agent();
        eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "ok");
        agent
    }

    pub fn publish(&self, message: &str) -> String {
        let sns = self.site.region.sns();
        sns.publish(&self.topic_arn, None, message)
    }

    pub fn send(&self, body: &str) -> String {
        self.site.region.sqs().send(&self.queue_url, body)
    }

    pub fn wait_for_an_empty_queue(&self) {
        wait_for("an empty queue", || {
            let left = self.site.region.sqs().messages(&self.queue_url);
            left.is_empty().then_some(())
        });
    }

    /// Waits until a long poll is under way.
    fn wait_for_a_poll(&self) {
        wait_for("a long poll", || {
            let waiting = self.site.region.sqs().waiting(&self.queue_url);
            (waiting > 0).then_some(())
        });
    }
}

/// How often each message was published, by its id.
fn counted(eyes: &Subscriber) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in told(eyes, "sns/message") {
        let id = message["message_id"].as_str().unwrap().to_owned();
        *counts.entry(id).or_default() += 1;
    }
    counts
}

#[test]
fn what_comes_by_both_ways_is_published_once() {
    let (place, port) = Place::new().listening();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    wait_for("the listener", || accepts(port).then_some(()));
    let region = &place.site.region;
    let topic_arn = place.topic_arn.clone();
    region.edit(|w| w.alarms[0].actions.push(topic_arn));
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(place.publish(&format!("{{\"n\":{n}}}")));
    }
    ids.extend(region.set_alarm_state("silent", "ALARM", true));
    // EventBridge tells the same alarm to the queue alone.
    let again = region.edit(|w| {
        let at = w.alarms[0].updated_ms;
        alarms::eventbridge_alarm(w, &w.alarms[0], "ALARM", "OK", at)
    });
    place.send(&again);
    wait_for_told(&eyes, "sns/message", ids.len() + 1);
    place.wait_for_an_empty_queue();
    let outcome = region.sns().deliverer().finish(LIMIT);
    assert_eq!(outcome.delivered.len(), ids.len());
    // What is published behind them shows that none of them comes again.
    let last = place.publish("last");
    wait_for("the last", || {
        counted(&eyes).contains_key(&last).then_some(())
    });
    let counts = counted(&eyes);
    for id in &ids {
        assert_eq!(counts[id], 1, "{id}");
    }
    assert_eq!(told(&eyes, "event/alarm").len(), 1, "one change");
    let tree = eyes.wait_until(LIMIT, |tree| json(tree, "alarm/silent")["state"] == "ALARM");
    assert_eq!(text(&tree, "source/sns"), "online");
    assert_eq!(text(&tree, "source/sqs"), "online");
    agent.stop();
}

#[test]
fn what_the_queue_gives_twice_is_published_once() {
    let place = Place::new();
    let region = &place.site.region;
    region.edit(|w| {
        (0..3).for_each(|_| w.sqs.duplicate_next("box"));
    });
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    for n in 0..5 {
        place.publish(&format!("{{\"n\":{n}}}"));
    }
    // EventBridge may deliver an event as two messages.
    let event = region.edit(|w| {
        let endpoint = w.endpoints[0].id.clone();
        events::input_switch(w, &endpoint)
    });
    place.send(&event);
    place.send(&event);
    wait_for_told(&eyes, "sns/message", 6);
    place.wait_for_an_empty_queue();
    let last = place.publish("last");
    wait_for("the last", || {
        counted(&eyes).contains_key(&last).then_some(())
    });
    assert_eq!(counted(&eyes).into_values().collect::<Vec<_>>(), [1; 7]);
    let switches = told(&eyes, "event/input_switch");
    assert_eq!(switches.len(), 1);
    assert_eq!(switches[0]["channel_id"], "ch-0000");
    agent.stop();
}

#[test]
fn ten_messages_of_a_megabyte_are_taken_one_by_one_and_cut() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    // In the answer each quote is two bytes.
    let large = format!("{{\"quotes\":\"{}\"}}", "\\\"".repeat(500_000));
    place.site.region.edit(|w| {
        (0..12).for_each(|_| drop(w.send_message("box", &large)));
    });
    // What was received and is too large together is hidden for half a minute.
    agent.wait_for_log("one by one");
    place.site.region.edit(|w| w.sqs.expire("box"));
    let messages = wait_for_told(&eyes, "sns/message", 12);
    for message in &messages {
        assert_eq!(message["truncated"], true);
        assert!(
            message["message"]
                .as_str()
                .unwrap()
                .starts_with("{\"quotes\"")
        );
    }
    place.wait_for_an_empty_queue();
    for message in eyes.stream() {
        assert!(message.payload.len() <= 120 << 10, "{}", message.topic);
    }
    agent.stop();
}

#[test]
fn a_long_poll_says_nothing_of_the_clock_and_ends_at_once_with_the_agent() {
    let mut world = crate::harness::world();
    world.clock = Clock::Offset(7_200_000);
    let place = Place::of(world);
    // Nothing else teaches the clock meanwhile.
    let site = place.site.configured(|config| {
        config
            .text("mediapackage.interval", "1h")
            .text("cloudwatch.interval", "1h")
            .text("cloudwatch.alarms_interval", "1h")
    });
    let place = Place { site, ..place };
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    place.wait_for_a_poll();
    let polls = |place: &Place| {
        let requests = place.site.region.requests();
        let polls = requests.iter().filter(|r| r.operation == "ReceiveMessage");
        polls.count()
    };
    let before = polls(&place);
    wait_for("an empty answer, and the next poll", || {
        (polls(&place) > before).then_some(())
    });
    // What follows it brings the poll's end to the engine.
    place.publish("{}");
    wait_for_told(&eyes, "sns/message", 1);
    let agents = eyes
        .stream()
        .into_iter()
        .filter(|m| m.topic.ends_with("/agent"));
    for message in agents {
        let shown: Value = serde_json::from_str(&message.payload).unwrap();
        let offset = shown["clock_offset_seconds"].as_i64();
        assert!(offset.is_none_or(|s| (7199..=7201).contains(&s)), "{shown}");
    }

    place.wait_for_an_empty_queue();
    place.wait_for_a_poll();
    agent.stop();
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "offline");
}

#[test]
fn what_came_while_the_agent_was_away_is_told_with_its_channel_and_no_secret() {
    let place = Place::new();
    let region = &place.site.region;
    let endpoint = region.edit(|w| w.endpoints[0].id.clone());
    let harvest = region.edit(|w| events::harvest(w, &endpoint, "job", Some("no content")));
    place.publish(&harvest);
    place.send(r#"{"api_token":"planted-token-in-queue"}"#);
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    let event = wait_for_told(&eyes, "event/harvest_job", 1).remove(0);
    assert_eq!(event["channel_id"], "ch-0000");
    wait_for_told(&eyes, "event/other", 1);
    place.wait_for_an_empty_queue();
    for message in eyes.stream() {
        no_secret_in(&message.topic, &message.payload);
        assert!(
            !message.payload.contains("planted-token"),
            "{}",
            message.topic
        );
    }
    let subscription = format!("{PREFIX}sns/subscription/123456789012.mp");
    eyes.wait_until(LIMIT, |tree| {
        let shown: Option<Value> = tree
            .get(&subscription)
            .and_then(|payload| serde_json::from_str(payload).ok());
        shown.is_some_and(|shown| shown["accepted"] == 1)
    });
    agent.stop();
}
