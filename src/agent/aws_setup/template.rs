//! The CloudFormation template, joined from its parts.
//!
//! Sources: CloudFormation user guide, "Template anatomy" and "CloudFormation quotas".

use super::alarms::{ALARMS_WANTED, Watched, input_lost};
use super::cfn;
use super::delivery::{self, LISTENER_URL, Named, SUBSCRIBES_ELSEWHERE};
use super::events;
use super::plan::{Plan, QUEUE_IS_NEW, TOPIC_IS_NEW};
use super::policy;
use crate::agent::node::Node;
use crate::config::{AlarmsKept, Config};
use crate::error::Failure;

/// Resources in one template.
const RESOURCES_MAX: usize = 500;
/// The condition that there are rules.
const EVENTS_WANTED: &str = "EventsWanted";

const CREATE_TOPIC: &str = "CreateTopic";
const CREATE_QUEUE: &str = "CreateQueue";
const CREATE_RULES: &str = "CreateRules";
const SUBSCRIBE_ELSEWHERE: &str = "SubscribeElsewhere";
const INPUT_LOSS_ALARMS: &str = "InputLossAlarms";

/// Parameters and the conditions that follow from them.
#[derive(Default)]
struct Choices {
    parameters: Vec<(&'static str, Node)>,
    conditions: Vec<(&'static str, Node)>,
}

impl Choices {
    fn switch(&mut self, name: &'static str, sets: &'static str, default: bool, text: &str) {
        self.parameters.push((name, cfn::switch(default, text)));
        self.conditions.push((sets, cfn::is_on(name)));
    }
}

/// Everything that the config needs in AWS, with an alarm for each of these channels.
///
/// # Errors
///
/// When that is more than a template may hold.
pub fn template(config: &Config, plan: &Plan, channels: &[Watched]) -> Result<Node, Failure> {
    let mut resources = delivery::topics(plan);
    if let Some(queue) = &plan.queue {
        resources.extend(delivery::queue(plan, queue));
    }
    resources.extend(delivery::subscriptions(plan));
    resources.extend(rules(config, plan));
    let agent = policy::agent(config, &plan.resources(config)?);
    resources.push(("AgentPolicy".to_owned(), managed_policy(config, agent)));
    check_room(resources.len(), channels.len())?;
    let after = config.cloudwatch.ingest_lost_after;
    let alarms = channels.iter();
    resources.extend(alarms.map(|watched| input_lost(&config.instance, watched, after)));
    let Choices {
        parameters,
        conditions,
    } = choices(config, plan, channels);
    Ok(Node::object([
        ("AWSTemplateFormatVersion", "2010-09-09".into()),
        ("Description", description(config, plan).into()),
        ("Parameters", Node::object(parameters)),
        ("Conditions", Node::object(conditions)),
        ("Resources", Node::object(resources)),
        ("Outputs", outputs(plan)),
    ]))
}

fn description(config: &Config, plan: &Plan) -> String {
    let (instance, region) = (&config.instance, &config.region);
    let account = plan.account.as_ref();
    let account = account.map_or_else(String::new, |account| format!(" of account {account}"));
    format!("What mediapackage2mqtt needs for its instance {instance} in {region}{account}")
}

fn check_room(others: usize, channels: usize) -> Result<(), Failure> {
    let room = RESOURCES_MAX.saturating_sub(others);
    if channels <= room {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "there are {channels} channels, and a template has room for {room} input-loss alarms; make \
         copies of the config whose [mediapackage] include and exclude take fewer, and deploy each \
         as a stack of its own, all but the first with {CREATE_TOPIC}, {CREATE_QUEUE} and \
         {CREATE_RULES} false"
    )))
}

fn choices(config: &Config, plan: &Plan, channels: &[Watched]) -> Choices {
    let mut all = Choices::default();
    if !plan.topics.is_empty() {
        let text = "false: the topics are there already. They keep their policies, which must let \
                    events.amazonaws.com publish, without a condition.";
        all.switch(CREATE_TOPIC, TOPIC_IS_NEW, true, text);
    }
    if plan.queue.is_some() {
        let text = "false: the queue is there already. It keeps its policy, which must let the \
                    topics send.";
        all.switch(CREATE_QUEUE, QUEUE_IS_NEW, true, text);
    }
    if !plan.topics.is_empty() {
        let text = "false: EventBridge sends to the topic already, by other rules.";
        all.switch(CREATE_RULES, EVENTS_WANTED, true, text);
    }
    if plan.may_subscribe_elsewhere() {
        let text = "true: subscribe to the topics that are not made here. Those of another \
                    account must let this one subscribe.";
        all.switch(SUBSCRIBE_ELSEWHERE, SUBSCRIBES_ELSEWHERE, false, text);
    }
    if plan.listener.as_ref().is_some_and(|l| l.url.is_none()) {
        let text = "The first line that mediapackage2mqtt subscribe-url prints.";
        let parameter = Node::object([
            ("Type", "String".into()),
            ("NoEcho", true.into()),
            ("AllowedPattern", "https?://.+".into()),
            ("Description", text.into()),
        ]);
        all.parameters.push((LISTENER_URL, parameter));
    }
    if !channels.is_empty() {
        let wanted = config.cloudwatch.alarms != AlarmsKept::Off;
        let text = "true: an alarm for each channel that gets no input.";
        all.switch(INPUT_LOSS_ALARMS, ALARMS_WANTED, wanted, text);
    }
    all
}

/// What EventBridge sends to the first topic.
fn rules(config: &Config, plan: &Plan) -> Vec<Named> {
    let Some(topic) = plan.topics.first() else {
        return Vec::new();
    };
    let rule = |text: &str, pattern| events::rule(EVENTS_WANTED, text, pattern, topic.arn());
    let media = events::mediapackage(config.mediapackage.apis);
    let media = rule("Events of MediaPackage, for mediapackage2mqtt", media);
    let mut all = vec![("MediaPackageEvents".to_owned(), media)];
    if let Some(alarms) = events::alarms(&config.cloudwatch) {
        let text = "Changes of CloudWatch alarms, for mediapackage2mqtt";
        all.push(("AlarmEvents".to_owned(), rule(text, alarms.pattern)));
    }
    all
}

fn managed_policy(config: &Config, document: Node) -> Node {
    let text = format!(
        "What mediapackage2mqtt may do for its instance {}",
        config.instance
    );
    let properties = Node::object([
        ("Description", Node::from(text)),
        ("PolicyDocument", document),
    ]);
    cfn::resource("AWS::IAM::ManagedPolicy", None, properties)
}

fn outputs(plan: &Plan) -> Node {
    let output = |text: &str, value: Node| {
        Node::object([("Description", Node::from(text)), ("Value", value)])
    };
    let mut all = Vec::new();
    let topic = plan.topics.first().map(|topic| topic.arn());
    let queue = plan.queue.as_ref().map(|queue| queue.url());
    if let (Some(topic), Some(queue), true) = (&topic, &queue, plan.is_proposal()) {
        let lines = "[sqs]\nqueue_url = \"${Queue}\"\ntopic_arns = [\"${Topic}\"]";
        let values = Node::object([("Queue", queue.clone()), ("Topic", topic.clone())]);
        let filled = Node::object([("Fn::Sub", Node::list([lines.into(), values]))]);
        all.push(("Config", output("Add this table to the config", filled)));
    }
    if let Some(topic) = topic {
        let text = "The topic that gets the events";
        all.push(("TopicArn", output(text, topic)));
    }
    if let Some(queue) = queue {
        all.push((
            "QueueUrl",
            output("The queue that the agent empties", queue),
        ));
    }
    let text = "Attach it to the user or role whose credentials the agent has";
    all.push(("PolicyArn", output(text, cfn::reference("AgentPolicy"))));
    Node::object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Env};
    use serde_json::Value;

    const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";
    const OTHER: &str = "arn:aws:sns:eu-central-1:999999999999:mp";

    fn made(text: &str, channels: usize) -> Result<Value, Failure> {
        let env: Env = [("AWS_REGION", "eu-central-1")].into_iter().collect();
        let config = config::parse("x".as_ref(), text, &env).unwrap();
        let plan = Plan::new(&config).unwrap();
        let watched = |n: usize| Watched {
            channel: format!("c{n}").into(),
            dimensions: [("Channel", format!("c{n}").into())].into_iter().collect(),
        };
        let channels: Vec<Watched> = (0..channels).map(watched).collect();
        let node = template(&config, &plan, &channels)?;
        Ok(serde_json::to_value(node).unwrap())
    }

    fn ids(template: &Value, part: &str) -> String {
        let members = template[part].as_object().unwrap();
        let ids: Vec<&str> = members.keys().map(String::as_str).collect();
        ids.join(" ")
    }

    #[test]
    fn the_parts_follow_from_the_config() {
        let queue = "queue_url = \"https://sqs.eu-central-1.amazonaws.com/123456789012/q\"\n";
        let sqs = format!("[sqs]\n{queue}topic_arns = [\"{TOPIC}\"]\n");
        let away = format!("[sqs]\n{queue}topic_arns = [\"{OTHER}\"]\n");
        let sns =
            format!("[sns]\ntopic_arns = [\"{TOPIC}\"]\npublic_url = \"https://a.example\"\n");
        let rules = "AgentPolicy AlarmEvents";
        let of_queue = "DeadLetterQueue MediaPackageEvents Queue QueuePolicy QueueSubscription";
        let topic = "Topic TopicPolicy";
        let foreign = digest_of(OTHER);
        let cases = [
            (
                String::new(),
                "CreateQueue CreateRules CreateTopic",
                format!("{rules} {of_queue} {topic}"),
                "Config PolicyArn QueueUrl TopicArn",
            ),
            (
                sqs.clone(),
                "CreateQueue CreateRules CreateTopic",
                format!("{rules} {of_queue} {topic}"),
                "PolicyArn QueueUrl TopicArn",
            ),
            (
                sns.clone(),
                "CreateRules CreateTopic",
                format!("{rules} ListenerSubscription MediaPackageEvents {topic}"),
                "PolicyArn TopicArn",
            ),
            (
                format!("{sns}path_secret = \"hunter2\"\n"),
                "CreateRules CreateTopic ListenerUrl",
                format!("{rules} ListenerSubscription MediaPackageEvents {topic}"),
                "PolicyArn TopicArn",
            ),
            (
                away,
                "CreateQueue SubscribeElsewhere",
                format!("AgentPolicy DeadLetterQueue Queue QueuePolicy QueueSubscription{foreign}"),
                "PolicyArn QueueUrl",
            ),
            (
                format!("{sqs}[cloudwatch]\nalarms = \"off\"\n"),
                "CreateQueue CreateRules CreateTopic",
                format!("AgentPolicy {of_queue} {topic}"),
                "PolicyArn QueueUrl TopicArn",
            ),
        ];
        for (text, parameters, resources, outputs) in cases {
            let template = made(&text, 0).unwrap();
            assert_eq!(ids(&template, "Parameters"), parameters, "{text}");
            assert_eq!(ids(&template, "Resources"), resources, "{text}");
            assert_eq!(ids(&template, "Outputs"), outputs, "{text}");
            assert!(!template.to_string().contains("hunter2"));
        }
    }

    fn digest_of(arn: &str) -> String {
        super::super::names::digest(arn)
    }

    #[test]
    fn alarms_are_a_choice_and_have_a_limit() {
        for (alarms, default) in [("mediapackage", "true"), ("all", "true"), ("off", "false")] {
            let text = format!("[cloudwatch]\nalarms = \"{alarms}\"\n");
            let template = made(&text, 2).unwrap();
            let parameter = &template["Parameters"]["InputLossAlarms"];
            assert_eq!(parameter["Default"], default, "{alarms}");
        }
        let others = made("", 0).unwrap()["Resources"].as_object().unwrap().len();
        let room = RESOURCES_MAX - others;
        let full = made("", room).unwrap();
        assert_eq!(full["Resources"].as_object().unwrap().len(), RESOURCES_MAX);
        let failure = made("", room + 1).unwrap_err().message;
        for wanted in ["include", "CreateTopic", &format!("room for {room} ")] {
            assert!(failure.contains(wanted), "{failure}");
        }
    }
}
