//! Every kind of config gives a policy and a template in which AWS's checker finds nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::run;
use crate::printed::{
    FIFO, FOREIGN, PATH_TOKEN, Printed, QUEUE, TOPIC, config, of_kind, policy, template,
    with_listener, with_queue, with_role, with_thing,
};
use crate::region::{Region, World};
use crate::support::cfn_lint;
use crate::support::config::ConfigFile;
use crate::support::ports::free_port;

/// Name of the case, the region, the config.
type Case = (&'static str, &'static str, ConfigFile);

/// Something wrong, and where it is found.
type Damage = (fn(&mut Value), &'static str);

/// v1 and v2, with metrics.
fn world(region: &str) -> World {
    let world = World::new(region).with_channels(2, 1).with_groups(1, 2, 1);
    world.with_packaging(1, 1).standard_metrics()
}

/// A config and what is the same in another partition.
fn elsewhere(region: &Region, name: &str, partition: &str, dns: &str) -> ConfigFile {
    let topic = format!("arn:{partition}:sns:{name}:123456789012:mediapackage");
    let queue = format!("https://sqs.{name}.{dns}/123456789012/edge");
    let config = config(region).text("region", name);
    with_listener(with_queue(config, &[&topic]), &[&topic]).text("sqs.queue_url", &queue)
}

fn cases(home: &Region, china: &Region, gov: &Region, awkward: &Region) -> Vec<Case> {
    let usual = || config(home);
    let away = format!("http://127.0.0.1:{}", free_port());
    let other = || with_queue(usual(), &[TOPIC, FOREIGN, FIFO]);
    let named = usual().set("cloudwatch.alarm_include", "[\"a?\", \"news-*\", \"*x*y\"]");
    let eu = "eu-central-1";
    vec![
        ("neither queue nor listener", eu, usual()),
        ("a queue", eu, with_queue(usual(), &[TOPIC])),
        ("a listener", eu, with_listener(usual(), &[TOPIC])),
        (
            "a listener without a secret",
            eu,
            with_listener(usual(), &[TOPIC]).without("sns.path_secret"),
        ),
        (
            "a listener that AWS does not reach",
            eu,
            with_listener(usual(), &[TOPIC, FOREIGN]).without("sns.public_url"),
        ),
        (
            "topics elsewhere too",
            eu,
            with_listener(other(), &[TOPIC, FOREIGN]),
        ),
        ("topics elsewhere only", eu, with_queue(usual(), &[FOREIGN])),
        ("a role", eu, with_role(with_queue(usual(), &[TOPIC]))),
        ("a thing", eu, with_thing(with_queue(usual(), &[TOPIC]))),
        ("all alarms", eu, usual().text("cloudwatch.alarms", "all")),
        ("no alarms", eu, usual().text("cloudwatch.alarms", "off")),
        ("named alarms", eu, named),
        ("no metrics", eu, usual().text("cloudwatch.metrics", "off")),
        ("VOD", eu, usual().set("mediapackage.apis", "[\"vod\"]")),
        (
            "a long name",
            eu,
            usual().text("instance", &"x_".repeat(32)),
        ),
        (
            "AWS away",
            eu,
            usual()
                .text("mediapackage.url", &away)
                .text("mediapackage.v2_url", &away)
                .text("cloudwatch.url", &away),
        ),
        ("awkward names", eu, config(awkward)),
        (
            "China",
            "cn-north-1",
            elsewhere(china, "cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ),
        (
            "China, proposed",
            "cn-north-1",
            config(china).text("region", "cn-north-1"),
        ),
        (
            "GovCloud",
            "us-gov-west-1",
            elsewhere(gov, "us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ),
    ]
}

/// Documents by a decoder that begins at each line that opens an object.
fn decoded(stream: &str) -> Vec<Value> {
    let parts = stream
        .split("\n{\n")
        .skip(1)
        .map(|part| format!("{{\n{part}"));
    let first = |part: String| {
        let mut values = serde_json::Deserializer::from_str(&part).into_iter();
        values.next().unwrap().unwrap()
    };
    parts.map(first).collect()
}

#[test]
fn every_config_gives_a_policy_and_a_template_without_a_finding() {
    let start = |name: &str| Region::start(world(name));
    let (home, china, gov) = (
        start("eu-central-1"),
        start("cn-north-1"),
        start("us-gov-west-1"),
    );
    let awkward = Region::start(World::awkward("eu-central-1"));
    let mut templates: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for (name, region, config) in cases(&home, &china, &gov, &awkward) {
        let (policy, template) = (policy(&config), template(&config));
        let both = Printed::of(&config, &[]);
        assert_eq!(both.code, Some(0), "{name}: {}", both.err);
        let mut wanted = vec![policy.clone(), template.clone()];
        if name == "a role" {
            let keys = json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "TakeRole", "Effect": "Allow", "Action": ["sts:AssumeRole"],
                "Resource": ["arn:aws:iam::123456789012:role/edge"]
            }]});
            let trust = json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "LetTakeRole", "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::ACCOUNT:root"}, "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "EXTERNAL_ID"}}
            }]});
            wanted.splice(1..1, [keys, trust]);
        }
        if name == "a thing" {
            let trust = json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "LetTakeRole", "Effect": "Allow",
                "Principal": {"Service": "credentials.iot.amazonaws.com"},
                "Action": "sts:AssumeRole"
            }]});
            let of_iot = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate",
                "Resource": "arn:aws:iot:eu-west-1:123456789012:rolealias/edge-role"
            }]});
            wanted.splice(1..1, [trust, of_iot]);
        }
        assert_eq!(cfn_lint::documents(&both.out), wanted, "{name}");
        assert_eq!(decoded(&both.out), wanted, "{name}");
        let comments = both.out.lines().filter(|line| line.starts_with('#'));
        assert!(comments.count() >= 6, "{name}: {}", both.out);
        // Where the config names no queue, the template knows more than the config.
        if both.out.contains("[sqs]") {
            assert!(template["Outputs"]["Config"].is_object(), "{name}");
        } else {
            let (_, managed) = of_kind(&template, "AWS::IAM::ManagedPolicy").remove(0);
            assert_eq!(managed["PolicyDocument"], policy, "{name}");
        }
        let of_region = templates.entry(region).or_default();
        of_region.push((name.to_owned(), template.to_string()));
    }
    for (region, templates) in templates {
        let found = cfn_lint::findings(region, &templates);
        assert!(found.is_empty(), "{region}:\n{}", found.join("\n"));
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let region = Region::start(world("eu-central-1"));
    let config = with_queue(config(&region), &[TOPIC]);
    let wrong = |change: fn(&mut Value)| {
        let mut template = template(&config);
        change(&mut template);
        ("wrong".to_owned(), template.to_string())
    };
    let cases: [Damage; 4] = [
        (
            |t| t["Resources"]["Queue"]["Properties"]["VisibilityTimeout"] = json!(-1),
            "VisibilityTimeout",
        ),
        (
            |t| t["Resources"]["TopicPolicy"]["Properties"]["PolicyDocument"] = Value::Null,
            "PolicyDocument",
        ),
        (
            |t| {
                let policy = &mut t["Resources"]["AgentPolicy"]["Properties"]["PolicyDocument"];
                policy["Statement"][0]["Action"] = json!(["mediapackage:ListChanels"]);
            },
            "Action",
        ),
        (
            |t| t["Parameters"]["Unused"] = json!({"Type": "String"}),
            "Unused",
        ),
    ];
    for (change, place) in cases {
        let found = cfn_lint::findings("eu-central-1", &[wrong(change)]);
        assert!(
            found.iter().any(|f| f.contains(place)),
            "{place}: {found:?}"
        );
    }
}

#[test]
fn other_partitions_have_names_of_their_own() {
    let china = Region::start(world("cn-north-1"));
    let config = config(&china).text("region", "cn-north-1");
    let printed = Printed::of(&config, &[]);
    let name = "mediapackage2mqtt-test";
    for line in [
        format!("#   queue_url = \"https://sqs.cn-north-1.amazonaws.com.cn/ACCOUNT/{name}\""),
        format!("#   topic_arns = [\"arn:aws-cn:sns:cn-north-1:ACCOUNT:{name}\"]"),
    ] {
        assert!(
            printed.out.lines().any(|l| l == line),
            "{line}\n{}",
            printed.out
        );
    }
    let config = elsewhere(&china, "cn-north-1", "aws-cn", "amazonaws.com.cn");
    let text = policy(&config).to_string();
    assert!(
        text.contains("\"arn:aws-cn:sqs:cn-north-1:123456789012:edge\""),
        "{text}"
    );
    let text = template(&config).to_string();
    assert!(!text.contains("arn:aws:"), "{text}");
}

#[test]
fn what_a_secret_path_is_made_of_stays_outside() {
    let region = Region::start(world("eu-central-1"));
    let config = with_listener(config(&region), &[TOPIC]);
    let made = template(&config);
    assert_eq!(made["Parameters"]["ListenerUrl"]["NoEcho"], true);
    let (_, subscription) = of_kind(&made, "AWS::SNS::Subscription").remove(0);
    assert_eq!(subscription["Endpoint"], json!({"Ref": "ListenerUrl"}));
    assert_eq!(subscription["Protocol"], "https");
    let said = Printed::of(&config, &[]).out;
    let url = run(&["subscribe-url"], &config.write());
    let url = String::from_utf8(url.stdout).unwrap();
    assert!(url.contains(PATH_TOKEN), "it is what must not be seen");
    assert!(
        said.contains("ListenerUrl=\"$(mediapackage2mqtt subscribe-url"),
        "{said}"
    );

    let made = template(&config.without("sns.path_secret"));
    let (_, subscription) = of_kind(&made, "AWS::SNS::Subscription").remove(0);
    assert_eq!(subscription["Endpoint"], "https://edge.example.net:2000/");
    assert!(made["Parameters"]["ListenerUrl"].is_null());
    let retries = &subscription["DeliveryPolicy"]["healthyRetryPolicy"];
    let of = |name: &str| retries[name].as_u64().unwrap();
    let [min, max] = [of("minDelayTarget"), of("maxDelayTarget")];
    let [first, last, all] = ["numMinDelayRetries", "numMaxDelayRetries", "numRetries"].map(of);
    let between = all - first - last;
    // However SNS counts those between, it is nearly an hour, and never more.
    assert!(min * (first + between) + max * last >= 3400, "{retries}");
    assert!(max * all <= 3600, "{retries}");
}

#[test]
fn what_cannot_be_set_up_fails_with_the_reason() {
    let region = Region::start(world("eu-central-1"));
    let usual = || config(&region);
    let fifo = QUEUE.to_owned() + ".fifo";
    let cases = [
        (
            with_queue(usual(), &[FIFO]),
            1,
            "all topics of the config are FIFO",
        ),
        (
            with_queue(usual(), &[TOPIC]).text("sqs.queue_url", &fifo),
            1,
            "the queue edge.fifo is FIFO",
        ),
        (
            with_queue(usual(), &[TOPIC]).text(
                "sqs.queue_url",
                "https://sqs.eu-central-1.amazonaws.com/12/edge",
            ),
            2,
            "[sqs] queue_url",
        ),
    ];
    for (config, code, wanted) in cases {
        let printed = Printed::of(&config, &[]);
        assert_eq!(printed.code, Some(code), "{wanted}");
        assert!(printed.err.contains(wanted), "{wanted}: {}", printed.err);
        assert_eq!(printed.out, "", "{wanted}");
    }
    // The policy has nothing to do with that.
    assert!(policy(&with_queue(usual(), &[FIFO])).is_object());
    let printed = Printed::of(&usual(), &["--policy", "--template"]);
    assert_eq!(printed.code, Some(2), "{}", printed.err);
}

#[test]
fn what_no_rule_can_say_is_told() {
    let region = Region::start(world("eu-central-1"));
    let with = |include: &str| {
        let config = config(&region).set("cloudwatch.alarm_include", include);
        Printed::of(&config, &[]).out.replace("\n# ", " ")
    };
    let said = with("[\"a?\", \"b*\"]");
    assert!(said.contains("told by polling only: \"a?\"."), "{said}");
    assert!(!with("[\"b*\"]").contains("cannot be said"));
}
