//! One script of calls, answered by moto's SQS and by the region's: the outcomes are the same.
//!
//! Where moto is known to differ from AWS the script does not look: moto has other texts and
//! statuses for some errors, takes eleven entries and equal ids in a batch, and ignores unknown
//! names of attributes of messages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::caller::{Caller, Reply};
use super::region::{Region, World};
use super::support::moto::Moto;

const REGION: &str = "eu-central-1";

/// Publishes a message with a subject: its id.
type Publish<'a> = dyn Fn(&str, &str) -> String + 'a;

/// SQS and SNS on one side.
struct Side<'a> {
    caller: Caller,
    queue: String,
    raw_queue: String,
    topic: String,
    send: Box<dyn Fn(&str) + 'a>,
    publish: Box<Publish<'a>>,
}

fn moto_side(moto: &Moto) -> Side<'_> {
    let key = (&*moto.access_key_id, &*moto.secret_access_key);
    let caller = Caller::at(&moto.url, key);
    let seeded = |name: &str| moto.seeded[name].as_str().unwrap().to_owned();
    let (queue, topic) = (seeded("queue_url"), seeded("topic_arn"));
    let (sending, to) = (caller.clone(), queue.clone());
    let (publishing, on) = (caller.clone(), topic.clone());
    Side {
        caller,
        queue,
        raw_queue: seeded("raw_queue_url"),
        topic,
        send: Box::new(move |body| {
            let message = json!({"QueueUrl": to, "MessageBody": body});
            assert_eq!(sending.sqs("SendMessage", &message).status, 200);
        }),
        publish: Box::new(move |subject, message| {
            let call = [
                ("Action", "Publish"),
                ("Version", "2010-03-31"),
                ("TopicArn", &on),
                ("Subject", subject),
                ("Message", message),
            ];
            let reply = publishing.form(true, &call);
            assert_eq!(reply.status, 200, "{reply:?}");
            reply.element("MessageId").to_owned()
        }),
    }
}

fn region_side(region: &Region) -> Side<'_> {
    let (queue, raw_queue) = (region.sqs().queue("edge"), region.sqs().queue("edge-raw"));
    let topic = region.sns().topic("mediapackage");
    for (queue, raw) in [(&queue, false), (&raw_queue, true)] {
        let arn = region.sqs().arn(queue);
        region.sns().subscribe_queue(&topic, &arn, raw);
    }
    let (to, on) = (queue.clone(), topic.clone());
    Side {
        caller: Caller::of(region),
        queue,
        raw_queue,
        topic,
        send: Box::new(move |body| drop(region.sqs().send(&to, body))),
        publish: Box::new(move |subject, message| {
            region.sns().publish(&on, Some(subject), message)
        }),
    }
}

impl Side<'_> {
    fn call(&self, operation: &str, more: Value) -> Reply {
        let mut body = json!({ "QueueUrl": self.queue });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.caller.sqs(operation, &body)
    }

    /// A receive of up to ten messages, and the handle of the first.
    fn receive(&self, told: &mut Vec<String>) -> String {
        let all = json!({"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]});
        let reply = self.call("ReceiveMessage", all);
        let has_list = reply.json().get("Messages").is_some();
        told.push(format!("{} list: {has_list}", reply.status));
        for message in reply.messages() {
            let attributes = &message["Attributes"];
            told.push(format!(
                "{} {} {:?}",
                message["Body"],
                attributes["ApproximateReceiveCount"],
                names(attributes)
            ));
        }
        let first = reply.messages().into_iter().next().unwrap_or_default();
        first["ReceiptHandle"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// What is waiting and what is in flight.
    fn counts(&self) -> String {
        let of = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let reply = self.call("GetQueueAttributes", json!({ "AttributeNames": of }));
        of.map(|name| reply.json()["Attributes"][name].to_string())
            .join(" ")
    }
}

fn names(object: &Value) -> Vec<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// The status of a good answer, the code of another.
fn outcome(reply: &Reply) -> String {
    match reply.status {
        200 => String::from("200"),
        _ => reply.older_code().to_owned(),
    }
}

/// Ids that were dealt with, and ids and codes of those that were not.
fn entries(reply: &Reply) -> String {
    let body = reply.json();
    let failed = body["Failed"].as_array().unwrap().iter();
    let failed = failed.map(|f| (f["Id"].clone(), f["Code"].clone(), f["SenderFault"].clone()));
    format!("{} {:?}", body["Successful"], failed.collect::<Vec<_>>())
}

/// Calls that no SQS takes.
fn wrong() -> Vec<(&'static str, Value)> {
    let gone = json!("http://127.0.0.1:1/123456789012/gone");
    vec![
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 0})),
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 11})),
        ("ReceiveMessage", json!({"WaitTimeSeconds": -1})),
        ("ReceiveMessage", json!({"WaitTimeSeconds": 21})),
        ("ReceiveMessage", json!({"VisibilityTimeout": 43_201})),
        ("ReceiveMessage", json!({ "QueueUrl": gone })),
        ("DeleteMessage", json!({"ReceiptHandle": "garbage"})),
        ("DeleteMessageBatch", json!({"Entries": []})),
        ("GetQueueUrl", json!({"QueueName": "gone"})),
        ("GetQueueAttributes", json!({"AttributeNames": ["Colour"]})),
    ]
}

/// What happens, in words that depend on nothing but the rules of SQS.
fn script(side: &Side<'_>) -> Vec<String> {
    let mut told = Vec::new();
    side.receive(&mut told);
    (side.send)("héllo \"1\"\n");
    let first = side.receive(&mut told);
    side.receive(&mut told);
    told.push(side.counts());
    let visible = json!({"ReceiptHandle": first, "VisibilityTimeout": 0});
    told.push(outcome(&side.call("ChangeMessageVisibility", visible)));
    told.push(side.counts());
    let second = side.receive(&mut told);
    told.push(format!("the same handle: {}", first == second));
    let two = json!([
        {"Id": "good", "ReceiptHandle": second, "VisibilityTimeout": 60},
        {"Id": "bad", "ReceiptHandle": "garbage", "VisibilityTimeout": 60},
    ]);
    let hidden = side.call("ChangeMessageVisibilityBatch", json!({ "Entries": two }));
    told.push(entries(&hidden));
    let too_long = json!({"ReceiptHandle": second, "VisibilityTimeout": 43_200});
    told.push(outcome(&side.call("ChangeMessageVisibility", too_long)));
    let deleted = side.call("DeleteMessageBatch", json!({ "Entries": two }));
    told.push(entries(&deleted));
    told.push(side.counts());
    let again = json!({ "ReceiptHandle": second });
    told.push(outcome(&side.call("DeleteMessage", again)));
    for (operation, body) in wrong() {
        let reply = side.call(operation, body.clone());
        told.push(format!("{operation} {body}: {}", outcome(&reply)));
    }
    let url = side
        .call("GetQueueUrl", json!({"QueueName": "edge"}))
        .json();
    told.push(format!("{}", url["QueueUrl"] == side.queue));
    told
}

/// What a topic puts into queues, and what it tells of them.
fn topic_script(side: &Side<'_>) -> Vec<String> {
    let id = (side.publish)("a subject", "hello");
    let mut told = Vec::new();
    let envelope = side.call("ReceiveMessage", json!({})).messages().remove(0);
    let envelope: Value = serde_json::from_str(envelope["Body"].as_str().unwrap()).unwrap();
    told.push(format!("{:?}", names(&envelope)));
    told.push(format!("the same id: {}", envelope["MessageId"] == id));
    for name in ["Type", "TopicArn", "Subject", "Message"] {
        told.push(envelope[name].to_string());
    }
    let raw = side.call("ReceiveMessage", json!({ "QueueUrl": side.raw_queue }));
    told.push(raw.messages()[0]["Body"].to_string());
    told.extend(subscriptions(side));
    told
}

fn subscriptions(side: &Side<'_>) -> BTreeSet<String> {
    let query = |action: &str, name: &str, value: &str| {
        let parameters = [("Action", action), ("Version", "2010-03-31"), (name, value)];
        side.caller.form(true, &parameters)
    };
    let list = query("ListSubscriptionsByTopic", "TopicArn", &side.topic);
    assert_eq!(list.status, 200, "{list:?}");
    let members = list.body.split("<member>").skip(1);
    let told = members.map(|member| {
        let member = Reply {
            status: 200,
            headers: list.headers.clone(),
            body: member.to_owned(),
        };
        let arn = member.element("SubscriptionArn");
        let attributes = query("GetSubscriptionAttributes", "SubscriptionArn", arn);
        let of_list = ["Owner", "Protocol", "Endpoint", "TopicArn"].map(|n| member.element(n));
        let names = [
            "Protocol",
            "Endpoint",
            "TopicArn",
            "PendingConfirmation",
            "RawMessageDelivery",
        ];
        format!(
            "{of_list:?} {:?}",
            names.map(|name| attribute(&attributes.body, name))
        )
    });
    told.collect()
}

/// The value of an entry of a map in XML.
fn attribute(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<key>{name}</key>")).unwrap();
    let (_, rest) = rest.split_once("<value>").unwrap();
    let (value, _) = rest.split_once("</value>").unwrap();
    value.to_ascii_lowercase()
}

#[test]
fn moto_and_the_region_answer_the_same_script_alike() {
    let moto = Moto::start(REGION);
    let region = Region::start(World::new(REGION));
    let (moto, region) = (moto_side(&moto), region_side(&region));
    let (there, here) = (script(&moto), script(&region));
    assert_eq!(there, here);
    assert!(
        here.contains(&String::from(
            "DeleteMessage {\"ReceiptHandle\":\"garbage\"}: ReceiptHandleIsInvalid"
        )),
        "{here:#?}"
    );
    assert_eq!(topic_script(&moto), topic_script(&region));
}
