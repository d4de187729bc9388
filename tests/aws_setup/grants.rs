//! The policy grants what the agent calls, and no more.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{self, LIMIT, Site, no_secret_in, wait_for};
use crate::printed::{FOREIGN, QUEUE, TOPIC, config, policy, with_queue};
use crate::region::{Region, World};
use crate::support::ports::free_port;

/// Everything of every API.
fn world() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(1, 1)
        .with_groups(1, 1, 1)
        .with_packaging(1, 1)
        .standard_metrics();
    world.add_job("ch-0000-hls", "job");
    world.add_job("group-0.ch-0000.hls", "job");
    world
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let all = statements(policy)
        .iter()
        .flat_map(|s| s["Action"].as_array().unwrap());
    all.map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

/// What a region was asked, as IAM calls it.
fn asked(region: &Region) -> BTreeSet<String> {
    let requests = region.requests();
    // Certificates are anybody's.
    let signed = requests
        .iter()
        .filter(|r| r.operation != "SigningCertificate");
    let name = |service: &str| match service {
        "monitoring" => "cloudwatch".to_owned(),
        service => service.to_owned(),
    };
    signed
        .map(|r| format!("{}:{}", name(&r.service), r.operation))
        .collect()
}

#[test]
fn check_and_once_call_what_is_granted_and_nothing_else() {
    for (apis, metrics, alarms) in [
        ("[\"v1\", \"v2\", \"vod\"]", "full", "all"),
        ("[\"v1\"]", "standard", "off"),
        ("[\"v2\"]", "off", "mediapackage"),
    ] {
        let region = Region::start(world());
        let config = config(&region)
            .set("mediapackage.apis", apis)
            .text("cloudwatch.metrics", metrics)
            .text("cloudwatch.alarms", alarms);
        let granted = actions(&policy(&config));
        assert_eq!(asked(&region), BTreeSet::new(), "the policy needs no AWS");
        for command in ["once", "check"] {
            let output = harness::run(&[command], &config.write());
            no_secret_in(command, &String::from_utf8_lossy(&output.stdout));
        }
        assert_eq!(asked(&region), granted, "{apis} {metrics} {alarms}");
    }
}

#[test]
fn the_agent_calls_nothing_that_is_not_granted() {
    let port = free_port();
    let site = Site::new(world());
    let topic = site.region.sns().topic("mediapackage");
    let url = site.region.url();
    let site = site.configured(|config| {
        config
            .set("mediapackage.apis", "[\"v1\", \"v2\", \"vod\"]")
            .text("mediapackage.v2_url", &url)
            .text("mediapackage.vod_url", &url)
            .text("sns.listen", &format!("127.0.0.1:{port}"))
            .set(
                "sns.topic_arns",
                &Value::from(vec![topic.as_str()]).to_string(),
            )
            .text("sns.url", &url)
            .text("sns.proxy", "none")
    });
    let granted = actions(&policy(&site.config));
    let agent = site.agent();
    agent.wait_for_log("listening");
    site.region
        .sns()
        .subscribe(&topic, &format!("http://127.0.0.1:{port}/"));
    let all = wait_for("everything to be asked for", || {
        let asked = asked(&site.region);
        (asked.len() >= granted.len()).then_some(asked)
    });
    assert_eq!(all, granted, "within {LIMIT:?}");
    agent.stop();
}

#[test]
fn what_has_a_resource_is_granted_on_that_resource_only() {
    let region = Region::start(world());
    let config = with_queue(config(&region), &[TOPIC, FOREIGN]);
    let config = config.set("sns.topic_arns", &Value::from(vec![TOPIC]).to_string());
    let policy = policy(&config);
    for statement in statements(&policy) {
        let actions = statement["Action"].as_array().unwrap();
        let names: Vec<&str> = actions.iter().filter_map(Value::as_str).collect();
        assert!(names.iter().all(|name| !name.contains('*')), "{statement}");
        let of = |service: &str| names.iter().all(|name| name.starts_with(service));
        let resource = statement["Resource"].to_string();
        let here = &statement["Condition"]["StringEquals"]["aws:RequestedRegion"];
        let as_wanted = match () {
            () if of("sqs:") => resource == format!("[\"{}\"]", queue_arn()),
            () if names == ["sns:ConfirmSubscription"] => resource == format!("[\"{TOPIC}\"]"),
            () if of("sns:") => resource == format!("[\"{TOPIC}\",\"{FOREIGN}\"]"),
            () => resource == "\"*\"" && here == "eu-central-1",
        };
        assert!(as_wanted, "{statement}");
    }
    let of_queue = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"];
    let granted = actions(&policy);
    for action in of_queue.map(|name| format!("sqs:{name}")) {
        assert!(granted.contains(&action), "{action}");
    }
}

fn queue_arn() -> String {
    let name = QUEUE.rsplit('/').next().unwrap();
    format!("arn:aws:sqs:eu-central-1:123456789012:{name}")
}
