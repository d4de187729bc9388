//! What can be wrong with a queue: told once, with what to do, and healed by itself.

use crate::harness::{LIMIT, json, text, told, wait_for_told};
use crate::region::{FOREVER, Fault};
use crate::ways::Place;

/// Name, operation, fault, and what `agent` says of it.
type Case = (&'static str, &'static str, Fault, &'static [&'static str]);

fn cases() -> Vec<Case> {
    let throttle = Fault::Throttle {
        retry_after_ms: Some(1),
    };
    let kms = Fault::Error {
        status: 400,
        code: "KmsAccessDenied",
        message: "The ciphertext refers to a key that does not exist.",
    };
    vec![
        (
            "throttled",
            "ReceiveMessage",
            throttle,
            &["RequestThrottled"],
        ),
        (
            "a gateway's page",
            "ReceiveMessage",
            Fault::html(502),
            &["502"],
        ),
        (
            "cut off",
            "ReceiveMessage",
            Fault::Drop,
            &["SQS ReceiveMessage"],
        ),
        (
            "half an answer",
            "ReceiveMessage",
            Fault::Truncated,
            &["SQS ReceiveMessage"],
        ),
        (
            "no AWS",
            "ReceiveMessage",
            Fault::body("[7]"),
            &["not what AWS promises"],
        ),
        (
            "a redirect",
            "ReceiveMessage",
            Fault::Redirect("http://127.0.0.1:1/".into()),
            &["redirect"],
        ),
        (
            "encrypted",
            "ReceiveMessage",
            kms,
            &["KMS.AccessDeniedException", "kms:Decrypt"],
        ),
        (
            "not deleted",
            "DeleteMessageBatch",
            Fault::html(502),
            &["502"],
        ),
    ]
}

#[test]
fn every_trouble_is_told_once_and_heals_by_itself() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    let region = &place.site.region;
    for (n, (name, operation, fault, words)) in cases().into_iter().enumerate() {
        eprintln!("{name}");
        region.edit(|w| w.faults.add(operation, FOREVER, fault));
        let before = agent.logged("WARN");
        // The poll that waits is answered by it.
        let first = place.publish(&format!("{{\"before\":\"{name}\"}}"));
        let tree = eyes.wait_until(LIMIT, |tree| {
            let sources = &json(tree, "agent")["sources"];
            sources["sqs"]["state"] == "failing"
        });
        let error = json(&tree, "agent")["sources"]["sqs"]["error"].to_string();
        for word in words {
            assert!(error.contains(word), "{name}: {error}");
        }
        region.edit(|w| w.faults.clear());
        region.edit(|w| w.sqs.expire("box"));
        let last = place.publish(&format!("{{\"after\":\"{name}\"}}"));
        let messages = wait_for_told(&eyes, "sns/message", 2 * (n + 1));
        for id in [first, last] {
            let times = messages.iter().filter(|m| m["message_id"] == id.as_str());
            assert_eq!(times.count(), 1, "{name}");
        }
        eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "ok");
        place.wait_for_an_empty_queue();
        assert_eq!(agent.logged("WARN"), before + 1, "{name}");
    }
    agent.stop();
}

#[test]
fn a_missing_permission_is_told_with_its_action() {
    for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage"] {
        let place = Place::new();
        place.site.region.edit(|w| w.denied.push(action.into()));
        let eyes = place.site.eyes();
        let agent = place.site.agent();
        (0..15).for_each(|n| drop(place.publish(&format!("{{\"n\":{n}}}"))));
        let tree = eyes.wait_until(LIMIT, |tree| {
            json(tree, "agent")["sources"]["sqs"]["state"] == "failing"
        });
        let error = json(&tree, "agent")["sources"]["sqs"]["error"].to_string();
        assert!(
            error.contains(&format!("allow {action} in the IAM policy")),
            "{error}"
        );
        let few = told(&eyes, "sns/message").len();
        assert!(
            few <= 10,
            "{action}: no more than can be deleted, and {few} came"
        );
        place.site.region.edit(|w| {
            w.denied.clear();
            w.sqs.expire("box");
        });
        wait_for_told(&eyes, "sns/message", 15);
        place.wait_for_an_empty_queue();
        assert_eq!(told(&eyes, "sns/message").len(), 15, "{action}");
        eyes.wait_until(LIMIT, |tree| text(tree, "source/sqs") == "online");
        agent.stop();
    }
}
