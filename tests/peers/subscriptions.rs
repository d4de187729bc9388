//! Subscriptions of the region: queues beside HTTP endpoints, and what SNS tells of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::caller::{Caller, Reply};
use super::endpoint::Endpoint;
use super::region::sns::UNSUBSCRIBE;
use super::region::{Alarm, Fault, Region, World};

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

fn list(caller: &Caller, topic: &str, token: Option<&str>) -> Reply {
    let mut parameters = vec![
        ("Action", "ListSubscriptionsByTopic"),
        ("Version", "2010-03-31"),
        ("TopicArn", topic),
    ];
    parameters.extend(token.map(|token| ("NextToken", token)));
    caller.form(true, &parameters)
}

fn attributes(caller: &Caller, arn: &str) -> Reply {
    let action = ("Action", "GetSubscriptionAttributes");
    caller.form(true, &[action, ("SubscriptionArn", arn)])
}

/// All of these elements of XML, in their order.
fn elements(reply: &Reply, name: &str) -> Vec<String> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let begun = reply.body.split(&*begin).skip(1);
    let texts = begun.filter_map(|rest| rest.split_once(&*end));
    texts.map(|(text, _)| text.to_owned()).collect()
}

/// The bodies in a queue.
fn bodies(region: &Region, queue: &str) -> Vec<String> {
    let held = region.sqs().messages(queue);
    held.into_iter().map(|message| message.body).collect()
}

#[test]
fn one_message_has_one_id_in_a_queue_and_at_an_endpoint() {
    let region = Region::start(World::new("eu-central-1"));
    let endpoint = Endpoint::answering(&[200]);
    let topic = region.sns().topic("alarms");
    region.sns().subscribed(&topic, &endpoint.url);
    let [queue, raw, gone] = ["edge", "raw", "gone"].map(|name| region.sqs().queue(name));
    let arns = [(&queue, false), (&raw, true), (&gone, false)].map(|(queue, raw)| {
        let arn = region.sqs().arn(queue);
        region.sns().subscribe_queue(&topic, &arn, raw)
    });
    region.edit(|w| w.sqs.remove(&gone));
    let id = region.sns().publish(&topic, Some("a subject"), "hé \"1\"");
    region.sns().deliverer().finish(LIMIT);
    let posted: Value = serde_json::from_str(&endpoint.got()[0].body).unwrap();
    let mut put: Value = serde_json::from_str(&bodies(&region, &queue)[0]).unwrap();
    assert_eq!(put["MessageId"], id);
    let unsubscribe = put["UnsubscribeURL"].as_str().unwrap();
    assert!(unsubscribe.contains(UNSUBSCRIBE) && unsubscribe.ends_with(&arns[0]));
    // Everything else is word for word the same, the signature too.
    put["UnsubscribeURL"] = posted["UnsubscribeURL"].clone();
    assert_eq!(put, posted);
    assert_eq!(bodies(&region, &raw), ["hé \"1\""]);
    let held = region.sqs().messages(&queue).remove(0);
    assert_ne!(held.id, id, "the queue has ids of its own");
}

#[test]
fn a_change_of_an_alarm_goes_into_a_queue() {
    let mut world = World::new("eu-central-1");
    world.put_alarm(Alarm::metric("silent", "IngressBytes", &[]));
    let region = Region::start(world);
    let (topic, queue) = (region.sns().topic("alarms"), region.sqs().queue("edge"));
    let arn = region.sqs().arn(&queue);
    region.sns().subscribe_queue(&topic, &arn, true);
    region.edit(|w| w.alarms[0].actions = vec![topic]);
    region.set_alarm_state("silent", "ALARM", true);
    let told: Value = serde_json::from_str(&bodies(&region, &queue)[0]).unwrap();
    assert_eq!(told["NewStateValue"], "ALARM");
}

#[test]
fn subscriptions_are_listed_in_pages_and_those_that_wait_have_no_arn() {
    let region = Region::start(World::new("eu-central-1"));
    let caller = Caller::of(&region);
    let (topic, other) = (region.sns().topic("alarms"), region.sns().topic("others"));
    let queue_arn = region.sqs().arn(&region.sqs().queue("edge"));
    let arn = region.sns().subscribe_queue(&topic, &queue_arn, false);
    let endpoint = Endpoint::answering(&[200]);
    let pending = format!("{}?a=1&b=2", endpoint.url);
    let pending_arn = region.sns().subscribe(&topic, &pending);
    let https = region
        .sns()
        .subscribed(&topic, "https://edge.example.net/x");
    region
        .sns()
        .subscribed(&other, "http://elsewhere.example.net/");
    let ended = region.sns().subscribed(&topic, &endpoint.url);
    region.sns().unsubscribe(&ended);
    region.sns().deliverer().finish(LIMIT);
    region.edit(|w| w.sns.page = 2);
    let first = list(&caller, &topic, None);
    assert_eq!(first.status, 200, "{first:?}");
    let token = first.element("NextToken").replace("&amp;", "&");
    let second = list(&caller, &topic, Some(&token));
    assert_eq!(second.element("NextToken"), "");
    let of = |name: &str| [elements(&first, name), elements(&second, name)].concat();
    assert_eq!(of("SubscriptionArn"), [&arn, "PendingConfirmation", &https]);
    assert_eq!(of("Protocol"), ["sqs", "http", "https"]);
    let escaped = pending.replace('&', "&amp;");
    let endpoints = [&*queue_arn, &escaped, "https://edge.example.net/x"];
    assert_eq!(of("Endpoint"), endpoints);
    assert_eq!(of("TopicArn"), [&*topic; 3]);
    assert_eq!(of("Owner"), ["123456789012"; 3]);
    let seen = region.requests();
    let continued: Vec<bool> = seen.iter().map(|s| s.continued).collect();
    assert_eq!(continued, [false, true]);
    for (arn, waits) in [(&arn, "false"), (&pending_arn, "true")] {
        let reply = attributes(&caller, arn);
        let pairs = elements(&reply, "key")
            .into_iter()
            .zip(elements(&reply, "value"));
        let pairs: Vec<(String, String)> = pairs.collect();
        let has = |name: &str, value: &str| {
            let wanted = (name.to_owned(), value.to_owned());
            assert!(pairs.contains(&wanted), "{wanted:?} in {pairs:?}");
        };
        has("PendingConfirmation", waits);
        has("RawMessageDelivery", "false");
        has("TopicArn", &topic);
    }
}

#[test]
fn what_is_told_of_subscriptions_needs_a_signature_a_permission_and_the_right_names() {
    let region = Region::start(World::new("eu-central-1"));
    let caller = Caller::of(&region);
    let topic = region.sns().topic("alarms");
    let refused = |reply: &Reply| (reply.status, reply.code());
    let action = [
        ("Action", "ListSubscriptionsByTopic"),
        ("TopicArn", &*topic),
    ];
    let unsigned = caller.form(false, &action);
    let code = "MissingAuthenticationToken";
    assert_eq!(refused(&unsigned), (403, code.to_owned()));
    let cases = [
        (list(&caller, "", None), 400, "InvalidParameter"),
        (list(&caller, "arn:aws:sns:x", None), 404, "NotFound"),
        (
            list(&caller, &topic, Some("made up")),
            400,
            "InvalidParameter",
        ),
        (attributes(&caller, ""), 400, "InvalidParameter"),
        (attributes(&caller, &format!("{topic}:x")), 404, "NotFound"),
    ];
    for (reply, status, code) in cases {
        assert_eq!(refused(&reply), (status, code.to_owned()), "{reply:?}");
    }
    region.edit(|w| w.denied = vec!["sns:ListSubscriptionsByTopic".into()]);
    let denied = list(&caller, &topic, None);
    assert_eq!(refused(&denied), (403, "AuthorizationError".to_owned()));
    let text = format!("perform: SNS:ListSubscriptionsByTopic on resource: {topic} because");
    assert!(denied.body.contains(&text), "{denied:?}");
    region.edit(|w| w.denied = vec!["sns:*".into()]);
    assert_eq!(attributes(&caller, "arn").status, 403);
}

#[test]
fn a_list_of_subscriptions_can_lead_round_and_round() {
    let region = Region::start(World::new("eu-central-1"));
    let caller = Caller::of(&region);
    let topic = region.sns().topic("alarms");
    for n in 0..3 {
        let url = format!("http://{n}.example.net/");
        region.sns().subscribed(&topic, &url);
    }
    region.edit(|w| w.sns.page = 2);
    let operation = "ListSubscriptionsByTopic";
    region.edit(|w| w.faults.add(operation, 2, Fault::LoopingToken));
    let mut token = None;
    for _ in 0..2 {
        let page = list(&caller, &topic, token.as_deref());
        assert_eq!(elements(&page, "Endpoint")[0], "http://0.example.net/");
        assert_eq!(elements(&page, "NextToken"), ["round-and-round"]);
        token = Some(page.element("NextToken").to_owned());
    }
}

#[test]
fn a_subscription_of_a_queue_ends_by_its_owner_only() {
    let region = Region::start(World::new("eu-central-1"));
    let caller = Caller::of(&region);
    let (topic, queue) = (region.sns().topic("alarms"), region.sqs().queue("edge"));
    let queue_arn = region.sqs().arn(&queue);
    let arn = region.sns().subscribe_queue(&topic, &queue_arn, false);
    region.sns().publish(&topic, None, "hello");
    let body = json!({ "QueueUrl": queue });
    let message = caller.sqs("ReceiveMessage", &body).messages().remove(0);
    let envelope: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    let url = envelope["UnsubscribeURL"].as_str().unwrap();
    let refused = caller.get_unsigned(url).unwrap();
    assert_eq!(refused.code(), "AuthorizationError");
    region.sns().publish(&topic, None, "still subscribed");
    assert_eq!(region.sqs().messages(&queue).len(), 2);
    let by_its_owner = [("Action", "Unsubscribe"), ("SubscriptionArn", &*arn)];
    assert_eq!(caller.form(true, &by_its_owner).status, 200);
    region.sns().publish(&topic, None, "to nobody");
    assert_eq!(region.sqs().messages(&queue).len(), 2);
    assert_eq!(attributes(&caller, &arn).status, 404);
    assert_eq!(region.sns().deliverer().outcome().attempts, 0);
}
