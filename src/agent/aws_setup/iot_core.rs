//! The AWS IoT Core policy, where that is the broker: what its certificate needs for `run`,
//! `check` and `clean`.
//!
//! Source: "AWS IoT Core policy actions", "Retained message policy examples" and "Connect policy
//! examples" of the AWS IoT Core developer guide. A denial ends the session without a word.

use super::policy;
use crate::agent::node::Node;
use crate::config::Config;
use crate::config::region::{self, is_iot_host};
use crate::topics::Names;

/// Stands for the account where the config names none.
const ACCOUNT: &str = "ACCOUNT";
/// Ends of the client ids: of `run`, of its reader, of `check` and of `clean`.
pub const ROLES: [&str; 4] = ["", "-read", "-check", "-clean"];

/// The policy; `None` where the broker is another one.
pub fn policy(config: &Config, account: Option<&str>) -> Option<Node> {
    let host = &config.mqtt.host;
    if !is_iot_host(host) {
        return None;
    }
    let region = region::of_host(host).unwrap_or(&config.region);
    let partition = region::partition(region).id;
    let arn = |kind: &str, name: &str| {
        let account = account.unwrap_or(ACCOUNT);
        Node::from(format!(
            "arn:{partition}:iot:{region}:{account}:{kind}/{name}"
        ))
    };
    let id = &config.mqtt.client_id;
    let clients = ROLES.map(|role| arn("client", &format!("{id}{role}")));
    let places = places(config);
    let on = |kind: &str| Node::list(places.iter().map(|place| arn(kind, &format!("{place}*"))));
    let statement = |sid: &str, actions: &[&str], on: Node| {
        Node::object([
            ("Sid", sid.into()),
            ("Effect", "Allow".into()),
            ("Action", Node::list(actions.iter().copied())),
            ("Resource", on),
        ])
    };
    let mut connect = statement("Connect", &["iot:Connect"], Node::list(clients));
    // Without it a client with a last will is not let in.
    let will = Node::object([("iot:ConnectAttributes", Node::list(["LastWill"]))]);
    if let Node::Object(members) = &mut connect {
        let condition = Node::object([("ForAllValues:StringEquals", will)]);
        members.push((String::from("Condition"), condition));
    }
    Some(policy::document([
        connect,
        statement(
            "Publish",
            &["iot:Publish", "iot:RetainPublish"],
            on("topic"),
        ),
        statement("Subscribe", &["iot:Subscribe"], on("topicfilter")),
        statement("Receive", &["iot:Receive"], on("topic")),
    ]))
}

/// Beginnings of all topics of this config's, each with a slash at its end.
pub fn places(config: &Config) -> Vec<String> {
    let names = Names::new(&config.mqtt.base_topic, &config.instance)
        .with_discovery(&config.home_assistant.discovery_prefix);
    let mut places = vec![names.prefix().to_owned()];
    if config.home_assistant.enabled {
        places.push(names.discovery().to_owned());
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Env};

    fn told(mqtt: &str, account: Option<&str>) -> Option<String> {
        let text = format!("region = \"eu-west-1\"\ninstance = \"e\"\n[mqtt]\n{mqtt}");
        let config = config::parse("x".as_ref(), &text, &Env::default()).unwrap();
        policy(&config, account).map(|policy| policy.pretty().unwrap())
    }

    #[test]
    fn the_policy_is_of_the_brokers_region_and_of_no_other_broker() {
        assert_eq!(told("url = \"mqtts://broker.example.net\"", None), None);
        let china = "url = \"mqtts://a.ats.iot.cn-north-1.amazonaws.com.cn\"";
        let told = told(china, Some("210987654321")).unwrap();
        for part in [
            "arn:aws-cn:iot:cn-north-1:210987654321:client/mediapackage2mqtt-e-read",
            ":topic/mediapackage/e/*",
            ":topicfilter/homeassistant/device/e/*",
            "\"LastWill\"",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
