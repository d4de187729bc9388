//! From SNS to MQTT: subscribing, alarms, events, and what becomes of a subscription.

use serde_json::{Value, json as value};

use crate::harness::{LIMIT, PREFIX, json, no_secret_in, text, wait_for, wait_for_told};
use crate::place::{Place, SUBSCRIPTION, wait_for_state};
use crate::region::sns::{alarms, events};
use crate::support::subscriber::Subscriber;

fn no_secret_seen(eyes: &Subscriber) {
    for message in eyes.stream() {
        no_secret_in(&message.topic, &message.payload);
    }
}

#[test]
fn a_subscription_is_confirmed_by_our_own_call_and_told_when_it_is_removed() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    wait_for_state(&eyes, "waiting");
    let sns = place.site.region.sns();
    let arn = sns.subscribe(&place.topic_arn, &place.url());
    let tree = wait_for_state(&eyes, "confirmed");
    assert_eq!(json(&tree, SUBSCRIPTION)["subscription_arn"], arn.as_str());
    assert_eq!(text(&tree, "source/sns"), "online");
    let url = place.url();
    let guarded =
        |w: &mut crate::region::World| w.sns.subscription(&url).authenticate_on_unsubscribe;
    assert!(place.site.region.edit(guarded), "nobody else can end it");
    sns.unsubscribe(&arn);
    wait_for_state(&eyes, "unsubscribed");
    agent.wait_for_log("removed the subscription");
    no_secret_seen(&eyes);
    agent.stop();
}

#[test]
fn a_confirmation_goes_on_without_the_permission_and_after_faults() {
    let place = Place::new();
    place.site.region.edit(|w| {
        w.denied.push("sns:ConfirmSubscription".into());
        w.faults
            .add("ConfirmSubscription", 4, crate::region::Fault::html(502));
    });
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    place
        .site
        .region
        .sns()
        .subscribe(&place.topic_arn, &place.url());
    wait_for_state(&eyes, "confirmed");
    agent.wait_for_log("confirmed unsigned");
    drop(agent);
}

#[test]
fn an_alarm_is_told_at_once_and_is_one_event_whichever_way_it_is_learned() {
    let place = Place::new();
    // No poll but those that news bring about.
    let site = place
        .site
        .configured(|config| config.text("cloudwatch.alarms_interval", "1h"));
    let place = Place { site, ..place };
    let region = &place.site.region;
    let topic_arn = place.topic_arn.clone();
    region.edit(|w| w.alarms[0].actions.push(topic_arn));
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    place.subscribed();
    let polls = |place: &Place| {
        let requests = place.site.region.requests();
        requests
            .iter()
            .filter(|r| r.operation == "DescribeAlarms")
            .count()
    };
    let before = polls(&place);
    region.set_alarm_state("silent", "ALARM", true);
    let tree = eyes.wait_until(LIMIT, |tree| json(tree, "alarm/silent")["state"] == "ALARM");
    let alarm = json(&tree, "alarm/silent");
    assert_eq!(alarm["channel_id"], "ch-0000");
    let event = &wait_for_told(&eyes, "event/alarm", 1)[0];
    assert_eq!(event["state"], "ALARM");
    assert_eq!(event["source"], "sns");
    assert_eq!(event["channel_id"], "ch-0000");
    wait_for("a poll that the news brought about", || {
        (polls(&place) > before).then_some(())
    });

    // EventBridge tells the same once more.
    let again = region.edit(|w| {
        let at = w.alarms[0].updated_ms;
        alarms::eventbridge_alarm(w, &w.alarms[0], "ALARM", "OK", at)
    });
    place.publish(&again);
    let messages = wait_for_told(&eyes, "sns/message", 2);
    assert_eq!(messages[0]["event_type"], "alarm");
    assert_eq!(
        messages[1]["message"]["detail-type"],
        "CloudWatch Alarm State Change"
    );
    region.set_alarm_state("silent", "OK", true);
    wait_for_told(&eyes, "sns/message", 3);
    eyes.wait_until(LIMIT, |tree| json(tree, "alarm/silent")["state"] == "OK");
    let events = wait_for_told(&eyes, "event/alarm", 2);
    let states: Vec<&str> = events
        .iter()
        .map(|e| e["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["ALARM", "OK"]);
    no_secret_seen(&eyes);
    agent.stop();
}

#[test]
fn what_mediapackage_tells_becomes_an_event_with_its_channel() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    place.subscribed();
    let region = &place.site.region;
    let endpoint = region.edit(|w| w.endpoints[0].id.clone());
    let messages = region.edit(|w| {
        [
            ("input_switch", events::input_switch(w, &endpoint)),
            (
                "max_ingest_streams",
                events::max_ingest_streams(w, "ch-0000"),
            ),
            ("key_provider", events::key_provider(w, &endpoint)),
            (
                "harvest_job",
                events::harvest(w, &endpoint, "job", Some("no content")),
            ),
            (
                "vod_ingest",
                events::vod_ingest(w, "film", "IngestComplete", "done"),
            ),
        ]
    });
    for (event_type, message) in &messages {
        let id = place.publish(message);
        let event = wait_for_told(&eyes, &format!("event/{event_type}"), 1).remove(0);
        assert_eq!(event["id"], id.as_str());
        let of_channel = *event_type != "vod_ingest";
        let channel = if of_channel {
            value!("ch-0000")
        } else {
            Value::Null
        };
        assert_eq!(event["channel_id"], channel, "{event_type}");
        assert!(!event.to_string().contains("role/"), "{event}");
    }
    let other = r#"{"hello":"there","nested":{"api_token":"planted-token-in-other"}}"#;
    place.publish(other);
    let event = wait_for_told(&eyes, "event/other", 1).remove(0);
    assert_eq!(event["detail"]["nested"]["api_token"], "…");
    let tree = eyes.wait_until(LIMIT, |tree| {
        json(tree, "sns/messages")["messages"]
            .as_array()
            .is_some_and(|m| m.len() == 6)
    });
    let newest = &json(&tree, "sns/messages")["messages"][0];
    assert_eq!(newest["message"]["hello"], "there");
    for message in eyes.stream() {
        assert!(
            !message.payload.contains("planted-token"),
            "{}",
            message.topic
        );
    }
    no_secret_seen(&eyes);
    agent.stop();
}

#[test]
fn a_restart_remembers_what_was_told() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    place.subscribed();
    let sns = place.site.region.sns();
    let message = sns.sign(&place.topic_arn, Some("Hello"), "plain text");
    let post = |wanted| {
        let answered = wait_for("an answer", || message.post(&place.url(), None).ok());
        assert_eq!(answered.0, wanted, "{}", answered.1);
    };
    post(200);
    eyes.wait_until(LIMIT, |tree| {
        let listed = json(tree, "sns/messages");
        let is_listed = listed["messages"][0]["message"] == "plain text";
        is_listed && json(tree, SUBSCRIPTION)["accepted"] == 1
    });
    agent.stop();
    let agent = place.settled(&eyes);
    post(200);
    // A message behind it shows that the first was not published again.
    place.publish("last");
    let told = wait_for_told(&eyes, "sns/message", 2);
    let texts: Vec<&Value> = told.iter().map(|m| &m["message"]).collect();
    assert_eq!(texts, ["plain text", "last"]);
    eyes.wait_until(LIMIT, |tree| json(tree, SUBSCRIPTION)["accepted"] == 2);
    agent.stop();
}

#[test]
fn a_port_that_is_taken_is_a_failing_source_and_taken_up_when_it_is_free() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", place.port)).unwrap();
    let eyes = place.site.eyes();
    let agent = place.site.agent();
    let tree = eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "degraded");
    let error = json(&tree, "agent")["sources"]["sns"]["error"].to_string();
    assert!(error.contains(&place.port.to_string()), "{error}");
    drop(taken);
    eyes.wait_until(LIMIT, |tree| text(tree, "source/sns") == "online");
    drop(agent);
}

#[test]
fn topics_that_are_not_asked_for_any_more_are_swept() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    wait_for_state(&eyes, "waiting");
    agent.stop();
    let site = place.site.configured(|config| config.without("sns"));
    let agent = site.agent();
    let gone = format!("{PREFIX}{SUBSCRIPTION}");
    eyes.wait_until(LIMIT, |tree| !tree.contains_key(&gone));
    agent.stop();
}
