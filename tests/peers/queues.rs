//! Queues of the region where moto is no help: receipt handles, order, dead letters, messages
//! that come twice, faults.

use serde_json::{Value, json};

use super::caller::{Caller, Reply};
use super::region::sns::events;
use super::region::sqs::receipt::RECEIPT;
use super::region::sqs::{BODY_BYTES_MAX, Held};
use super::region::{Clock, Fault, Region, World};

/// A region with one queue, and somebody who asks it.
pub struct Site {
    pub region: Region,
    pub caller: Caller,
    pub queue: String,
}

impl Site {
    pub fn new(name: &str) -> Site {
        let region = Region::start(World::new("eu-central-1"));
        let queue = region.sqs().queue(name);
        Site {
            caller: Caller::of(&region),
            region,
            queue,
        }
    }

    pub fn call(&self, operation: &str, more: &Value) -> Reply {
        self.caller.sqs(operation, &self.body(more))
    }

    pub fn body(&self, more: &Value) -> Value {
        let mut body = json!({ "QueueUrl": self.queue });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    pub fn send(&self, body: &str) -> String {
        self.region.sqs().send(&self.queue, body)
    }

    /// Handles and bodies of what one receive gives.
    fn receive(&self, max: usize) -> Vec<(String, String)> {
        let all = json!({"MaxNumberOfMessages": max, "MessageSystemAttributeNames": ["All"]});
        let reply = self.call("ReceiveMessage", &all);
        assert_eq!(reply.status, 200, "{reply:?}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = reply.messages().into_iter();
        messages
            .map(|m| (text(&m["ReceiptHandle"]), text(&m["Body"])))
            .collect()
    }

    fn bodies(&self, max: usize) -> Vec<String> {
        let received = self.receive(max).into_iter();
        received.map(|(_, body)| body).collect()
    }

    fn delete(&self, handle: &str) -> Reply {
        self.call("DeleteMessage", &json!({ "ReceiptHandle": handle }))
    }

    pub fn held(&self) -> Vec<Held> {
        self.region.sqs().messages(&self.queue)
    }

    fn expire(&self) {
        self.region.edit(|w| w.sqs.expire(&self.queue));
    }
}

#[test]
fn a_message_tells_what_was_asked_for_in_the_regions_time() {
    let site = Site::new("edge");
    // Ahead of this machine by less than a signature may be.
    site.region.edit(|w| w.clock = Clock::Offset(120_000));
    let begun = site.region.edit(|w| w.now_ms());
    let id = site.send("hello");
    let bare = site.call("ReceiveMessage", &json!({})).messages().remove(0);
    assert!(bare.get("Attributes").is_none(), "{bare}");
    assert!(bare["ReceiptHandle"].as_str().unwrap().starts_with(RECEIPT));
    site.expire();
    let names = ["SentTimestamp", "ApproximateFirstReceiveTimestamp"];
    let names = json!({ "MessageSystemAttributeNames": names });
    let some = site.call("ReceiveMessage", &names).messages().remove(0);
    let ended = site.region.edit(|w| w.now_ms());
    assert_eq!(some["MessageId"], id);
    let attributes = some["Attributes"].as_object().unwrap();
    assert_eq!(attributes.len(), 2);
    for (name, value) in attributes {
        let at_ms: i64 = value.as_str().unwrap().parse().unwrap();
        assert!((begun..=ended).contains(&at_ms), "{name} is {at_ms}");
    }
    site.region.edit(|w| w.unknown_fields = true);
    site.expire();
    let more = site.call("ReceiveMessage", &json!({})).messages().remove(0);
    assert!(more["ANewMember"].is_array());
}

#[test]
fn an_old_handle_deletes_until_the_message_is_received_again() {
    let site = Site::new("edge");
    site.send("one");
    let first = site.receive(1).remove(0).0;
    site.expire();
    assert_eq!(site.delete(&first).status, 200);
    assert!(site.held().is_empty(), "nobody has received it since");
    site.send("two");
    let first = site.receive(1).remove(0).0;
    site.expire();
    let second = site.receive(1).remove(0).0;
    assert_ne!(first, second);
    let late = json!({"ReceiptHandle": first, "VisibilityTimeout": 0});
    let refusal = site.call("ChangeMessageVisibility", &late);
    assert_eq!(refusal.older_code(), "InvalidParameterValue");
    assert!(
        refusal
            .body
            .contains("not available for visibility timeout change")
    );
    assert_eq!(site.delete(&first).status, 200);
    assert_eq!(site.held().len(), 1, "somebody else has received it");
    for _ in 0..2 {
        let deleted = site.delete(&second);
        assert_eq!((deleted.status, deleted.body.as_str()), (200, ""));
        assert!(site.held().is_empty());
    }
    let other = site.region.sqs().queue("other");
    let elsewhere = json!({"QueueUrl": other, "ReceiptHandle": second});
    let refusal = site.call("DeleteMessage", &elsewhere);
    assert_eq!(refusal.older_code(), "ReceiptHandleIsInvalid");
    assert!(
        refusal.body.contains("is not valid for this queue"),
        "{refusal:?}"
    );
    let forged = second.replace("00000002", "00000003");
    assert_eq!(site.delete(&forged).status, 404);
}

#[test]
fn a_batch_deals_with_each_entry_for_itself() {
    let site = Site::new("edge");
    let ids: Vec<String> = ["a", "b", "c"].map(|body| site.send(body)).into();
    let received = site.receive(10);
    let entry = |id: &str, handle: &str| json!({"Id": id, "ReceiptHandle": handle});
    let mut third = entry("third", &received[2].0);
    third["VisibilityTimeout"] = json!(43_201);
    let mut first = entry("first", &received[0].0);
    first["VisibilityTimeout"] = json!(0);
    let untimed = entry("second", &received[1].0);
    let entries = json!({ "Entries": [first, untimed, third, entry("x", "garbage")] });
    let hidden = site.call("ChangeMessageVisibilityBatch", &entries).json();
    assert_eq!(hidden["Successful"], json!([{"Id": "first"}]));
    let codes = [
        "second MissingParameter",
        "third InvalidParameterValue",
        "x MissingParameter",
    ];
    let told = |f: &Value| {
        format!(
            "{} {}",
            f["Id"].as_str().unwrap(),
            f["Code"].as_str().unwrap()
        )
    };
    let failed = hidden["Failed"].as_array().unwrap();
    assert_eq!(failed.iter().map(told).collect::<Vec<_>>(), codes);
    let visible: Vec<bool> = site.held().iter().map(|m| m.visible).collect();
    assert_eq!(visible, [true, false, false]);
    let deleted = site.call("DeleteMessageBatch", &entries).json();
    let done = json!([{"Id": "first"}, {"Id": "second"}, {"Id": "third"}]);
    assert_eq!(deleted["Successful"], done);
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert!(site.held().is_empty());
    let seen = site.region.requests();
    let last = seen.last().unwrap();
    assert_eq!(
        (last.entries, &last.messages, &*last.queue),
        (4, &ids, "edge")
    );
    assert_eq!((seen[0].limit, &seen[0].messages), (Some(10), &ids));
    assert_eq!(seen[0].wait_seconds, Some(0));
}

#[test]
fn what_is_received_too_often_is_a_dead_letter() {
    let site = Site::new("edge");
    let dead = site.region.sqs().dead_letters(&site.queue, 2);
    let id = site.send("poison");
    site.send("good");
    for count in 1..=2 {
        assert_eq!(site.bodies(1), ["poison"]);
        assert_eq!(site.held()[0].receives, count);
        assert!(site.region.sqs().messages(&dead).is_empty(), "{count}");
        site.expire();
    }
    assert_eq!(site.bodies(10), ["good"]);
    let letters = site.region.sqs().messages(&dead);
    assert_eq!((letters[0].id.as_str(), letters[0].receives), (&*id, 2));
    let body = json!({"QueueUrl": dead, "MessageSystemAttributeNames": ["All"]});
    let letter = site.call("ReceiveMessage", &body).messages().remove(0);
    let attributes = &letter["Attributes"];
    assert_eq!(attributes["ApproximateReceiveCount"], "3");
    let source = json!(site.region.sqs().arn(&site.queue));
    assert_eq!(attributes["DeadLetterQueueSourceArn"], source);
    site.region.edit(|w| w.sqs.remove(&dead));
    site.expire();
    assert_eq!(site.bodies(1), ["good"]);
    site.expire();
    assert_eq!(site.bodies(1), ["good"], "there is nowhere else to go");
}

#[test]
fn a_fifo_queue_gives_nothing_while_something_is_in_flight() {
    let site = Site::new("edge.fifo");
    for body in ["one", "two", "three"] {
        site.send(body);
    }
    let received = site.receive(2);
    assert_eq!(received[1].1, "two");
    assert!(site.receive(10).is_empty());
    site.delete(&received[0].0);
    assert!(site.receive(10).is_empty());
    site.expire();
    let refusal = site.delete(&received[1].0);
    assert_eq!(refusal.older_code(), "InvalidParameterValue");
    assert!(
        refusal.body.contains("The receipt handle has expired."),
        "{refusal:?}"
    );
    assert_eq!(site.bodies(10), ["two", "three"]);
    let entries = json!({"Entries": [{"Id": "1", "ReceiptHandle": received[1].0}]});
    let failed = site.call("DeleteMessageBatch", &entries).json();
    assert_eq!(failed["Failed"][0]["Code"], "InvalidParameterValue");
    site.expire();
    let all = json!({"MessageSystemAttributeNames": ["All"]});
    let message = site.call("ReceiveMessage", &all).messages().remove(0);
    let names = ["MessageGroupId", "MessageDeduplicationId", "SequenceNumber"];
    for name in names {
        assert!(
            message["Attributes"][name].is_string(),
            "{name} in {message}"
        );
    }
    assert!(
        site.region
            .sqs()
            .dead_letters(&site.queue, 1)
            .ends_with("/edge-dead.fifo")
    );
}

#[test]
fn a_message_can_come_once_more_although_it_was_deleted() {
    let site = Site::new("edge");
    site.region.edit(|w| w.sqs.duplicate_next(&site.queue));
    site.send("twice");
    for left in [1, 0] {
        let (handle, body) = site.receive(1).remove(0);
        assert_eq!(body, "twice");
        assert_eq!(site.delete(&handle).status, 200);
        assert_eq!(site.held().len(), left);
    }
}

#[test]
fn a_queue_tells_its_attributes() {
    let site = Site::new("edge");
    let plain = site.call("GetQueueAttributes", &json!({"AttributeNames": ["All"]}));
    let unset = ["Policy", "RedrivePolicy", "KmsMasterKeyId", "FifoQueue"];
    let attributes = plain.json()["Attributes"].take();
    for name in unset {
        assert!(attributes.get(name).is_none(), "{name}");
    }
    let dead = site.region.sqs().dead_letters(&site.queue, 5);
    site.region
        .sqs()
        .set_policy(&site.queue, r#"{"Version":"2012-10-17"}"#);
    site.region.edit(|w| {
        let queue = w.sqs.queue(&site.queue);
        queue.kms_key = Some(String::from("alias/mine"));
        (queue.visibility_seconds, queue.retention_seconds) = (60, 1_209_600);
    });
    site.send("one");
    site.send("two");
    site.receive(1);
    let all = site.call("GetQueueAttributes", &json!({"AttributeNames": ["All"]}));
    let attributes = all.json()["Attributes"].take();
    let redrive = format!(
        r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":5}}"#,
        site.region.sqs().arn(&dead)
    );
    let wanted = [
        ("QueueArn", "arn:aws:sqs:eu-central-1:123456789012:edge"),
        ("Policy", r#"{"Version":"2012-10-17"}"#),
        ("RedrivePolicy", &redrive),
        ("KmsMasterKeyId", "alias/mine"),
        ("VisibilityTimeout", "60"),
        ("MessageRetentionPeriod", "1209600"),
        ("ApproximateNumberOfMessages", "1"),
        ("ApproximateNumberOfMessagesNotVisible", "1"),
        ("ApproximateNumberOfMessagesDelayed", "0"),
    ];
    for (name, value) in wanted {
        assert_eq!(attributes[name], value, "{name}");
    }
    let some = json!({"AttributeNames": ["QueueArn", "FifoQueue"]});
    let some = site.call("GetQueueAttributes", &some).json();
    assert_eq!(some["Attributes"].as_object().unwrap().len(), 1);
    assert_eq!(site.call("GetQueueAttributes", &json!({})).body, "{}");
    let fifo = site.region.sqs().queue("edge.fifo");
    let fifo = json!({"QueueUrl": fifo, "AttributeNames": ["FifoQueue"]});
    let fifo = site.call("GetQueueAttributes", &fifo).json();
    assert_eq!(fifo["Attributes"]["FifoQueue"], "true");
}

#[test]
fn a_fault_hides_the_answer_or_keeps_it_from_being_served() {
    let site = Site::new("edge");
    let key = Fault::Error {
        status: 400,
        code: "KmsAccessDenied",
        message: "no",
    };
    let throttle = Fault::Throttle {
        retry_after_ms: Some(9),
    };
    let cases = [
        (throttle, Some((403, "RequestThrottled")), 0),
        (key, Some((400, "KMS.AccessDeniedException")), 0),
        (Fault::html(502), Some((502, "")), 0),
        (Fault::WrongTypes, Some((200, "")), 0),
        (Fault::Drop, None, 1),
        (Fault::Truncated, None, 1),
    ];
    for (fault, wanted, receives) in cases {
        let name = format!("{fault:?}");
        let id = site.send("hello");
        site.region
            .edit(|w| w.faults.add("sqs:ReceiveMessage", 1, fault));
        let body = site.body(&json!({})).to_string();
        let reply = site.caller.try_sqs("ReceiveMessage", &body);
        let told = reply.as_ref().ok();
        assert_eq!(told.map(|r| (r.status, r.older_code())), wanted, "{name}");
        let held = site.held().remove(0);
        assert_eq!(
            (held.receives, held.visible),
            (receives, receives == 0),
            "{name}"
        );
        let seen = site.region.requests().pop().unwrap();
        let taken = if receives == 0 { vec![] } else { vec![id] };
        assert_eq!(seen.messages, taken, "{name}");
        site.region.edit(|w| w.sqs.queue("edge").messages.clear());
    }
    site.region
        .edit(|w| w.faults.add("ReceiveMessage", 1, Fault::WrongTypes));
    assert_eq!(site.call("ReceiveMessage", &json!({})).body, "[{}]");
    site.region.edit(|w| w.sqs.tells_empty = true);
    assert_eq!(
        site.call("ReceiveMessage", &json!({})).body,
        r#"{"Messages":[]}"#
    );
}

#[test]
fn a_delete_that_is_lost_on_its_way_back_was_done() {
    let site = Site::new("edge");
    site.send("hello");
    let (handle, _) = site.receive(1).remove(0);
    let body = site.body(&json!({ "ReceiptHandle": handle })).to_string();
    for fault in [Fault::html(503), Fault::Truncated] {
        assert_eq!(site.held().len(), 1);
        site.region
            .edit(|w| w.faults.add("DeleteMessage", 1, fault));
        let reply = site.caller.try_sqs("DeleteMessage", &body);
        assert_eq!(
            reply.ok().map(|r| r.status),
            (!site.held().is_empty()).then_some(503)
        );
    }
    assert!(site.held().is_empty());
}

#[test]
fn an_event_goes_into_a_queue_as_it_is() {
    let region = Region::start(World::new("eu-central-1").with_channels(1, 1));
    let queue = region.sqs().queue("edge");
    let event = region.edit(|w| events::input_switch(w, "ch-0000-hls"));
    region.sqs().send(&queue, &event);
    let body = json!({ "QueueUrl": queue });
    let got = Caller::of(&region)
        .sqs("ReceiveMessage", &body)
        .messages()
        .remove(0);
    let got: Value = serde_json::from_str(got["Body"].as_str().unwrap()).unwrap();
    assert_eq!(got["detail"]["event"], "InputSwitchEvent");
}

#[test]
fn a_message_of_one_mebibyte_is_taken() {
    let site = Site::new("edge");
    site.send(&"x".repeat(BODY_BYTES_MAX));
    assert_eq!(site.bodies(1)[0].len(), BODY_BYTES_MAX);
}

#[test]
#[should_panic(expected = "1048577 bytes are too many")]
fn a_longer_one_is_not() {
    Site::new("edge").send(&"x".repeat(BODY_BYTES_MAX + 1));
}
