//! The queue of moto: requests and answers that are not ours.

use crate::printed::check;
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::moto::Moto;

#[test]
fn a_queue_of_moto_is_as_it_should_be_and_denials_are_told() {
    let moto = Moto::start("eu-central-1");
    let broker = Mosquitto::start(&Setup::default());
    let broker = format!("mqtt://127.0.0.1:{}", broker.port());
    let seeded = |name: &str| moto.seeded[name].as_str().unwrap();
    let config = |queue: &str, key| {
        ConfigFile::new(&moto.url, &broker, key)
            .text("sqs.queue_url", seeded(queue))
            .text("sqs.url", &moto.url)
            .text("sqs.proxy", "none")
            .set("sqs.topic_arns", &format!("[{:?}]", seeded("topic_arn")))
    };
    let all = (moto.access_key_id.as_str(), moto.secret_access_key.as_str());
    let printed = check(&config("queue_url", all));
    let lines = [
        (
            "ok",
            "queue",
            "waiting messages: about 0, in flight: about 0, kept for 4 days",
        ),
        ("note", "queue", "there is no dead-letter queue"),
        ("ok", "queue policy", ":mediapackage may send"),
        ("ok", "queue policy", "nobody else may"),
        ("ok", "queue access", "ReceiveMessage is allowed"),
        ("ok", "queue access", "DeleteMessage is allowed"),
        ("ok", "queue access", "ChangeMessageVisibility is allowed"),
        (
            "ok",
            "subscription",
            ":mediapackage delivers to arn:aws:sqs:",
        ),
    ];
    printed.holds("all is well", &lines);
    printed.ends("all is well", 0);
    assert!(!printed.text.contains("delivers raw"), "{}", printed.text);

    let printed = check(&config("raw_queue_url", all));
    printed.holds(
        "raw",
        &[("note", "subscription", ":mediapackage delivers raw")],
    );
    printed.ends("raw", 0);

    let narrow = moto.seeded["narrow"].as_array().unwrap();
    let narrow = (narrow[0].as_str().unwrap(), narrow[1].as_str().unwrap());
    let printed = check(&config("queue_url", narrow));
    let lines = [
        (
            "warn",
            "queue",
            "- allow sqs:GetQueueAttributes in the IAM policy",
        ),
        ("note", "queue access", "ReceiveMessage is not tried"),
        (
            "fail",
            "queue access",
            "- allow sqs:DeleteMessage in the IAM policy",
        ),
        (
            "warn",
            "queue access",
            "- allow sqs:ChangeMessageVisibility in the IAM policy",
        ),
        (
            "note",
            "subscription",
            "- allow sns:ListSubscriptionsByTopic in the IAM policy",
        ),
    ];
    printed.holds("a narrow user", &lines);
    printed.ends("a narrow user", 1);
}
