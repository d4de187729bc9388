//! What is to be there in AWS for a config: whose topics, which queue, which listener.

use super::cfn;
use super::names::{QUEUE_CHARS_MAX, digest, fitted};
use super::policy::Resources;
use crate::agent::node::Node;
use crate::agent::subscribe_url;
use crate::config::{Config, Sqs, region};
use crate::error::Failure;

/// What queue and topic are called where the config names none, before the instance.
const NAME_HEAD: &str = "mediapackage2mqtt-";
/// The condition that the topics are made here.
pub const TOPIC_IS_NEW: &str = "TopicIsNew";
/// The condition that the queue is made here.
pub const QUEUE_IS_NEW: &str = "QueueIsNew";
/// The queue's logical id.
pub const QUEUE: &str = "Queue";
const FIFO: &str = ".fifo";
const ACCOUNT_DIGITS: usize = 12;

/// Who takes what a topic tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takers {
    /// The queue does.
    pub queue: bool,
    /// The listener does.
    pub listener: bool,
}

/// A topic of the account at home, made unless it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Where the config tells it.
    pub arn: Option<String>,
    /// Its logical id.
    pub id: String,
    /// Who takes what it tells.
    pub takers: Takers,
}

impl Topic {
    /// Its ARN, whether it is made here or not.
    pub fn arn(&self) -> Node {
        let there = match &self.arn {
            Some(arn) => arn.into(),
            None => cfn::home_arn("sns", &self.name),
        };
        cfn::choose(TOPIC_IS_NEW, cfn::reference(&self.id), there)
    }
}

/// A topic as the config gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Its ARN.
    pub arn: String,
    /// Who takes what it tells.
    pub takers: Takers,
}

/// The queue, made unless it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// URL and ARN, where the config tells them.
    pub known: Option<(String, String)>,
}

impl Queue {
    /// Its ARN, whether it is made here or not.
    pub fn arn(&self) -> Node {
        let there = match &self.known {
            Some((_, arn)) => arn.into(),
            None => cfn::home_arn("sqs", &self.name),
        };
        cfn::choose(QUEUE_IS_NEW, cfn::attribute(QUEUE, "Arn"), there)
    }

    /// Its URL, whether it is made here or not.
    pub fn url(&self) -> Node {
        let there = match &self.known {
            Some((url, _)) => url.into(),
            None => cfn::sub(format!(
                "https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/{}",
                self.name
            )),
        };
        cfn::choose(QUEUE_IS_NEW, cfn::reference(QUEUE), there)
    }
}

/// How AWS reaches the agent's listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `http` or `https`.
    pub protocol: String,
    /// `None` where its path is secret.
    pub url: Option<String>,
}

/// What is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The account that owns the queue, else the first topic; `None` where the config names
    /// neither.
    pub account: Option<String>,
    /// Topics at home. The first gets what EventBridge tells.
    pub topics: Vec<Topic>,
    /// Topics that are only referred to: of another account, or FIFO.
    pub elsewhere: Vec<Given>,
    /// The queue.
    pub queue: Option<Queue>,
    /// The listener.
    pub listener: Option<Listener>,
}

impl Plan {
    /// What a config needs.
    ///
    /// # Errors
    ///
    /// When the queue's URL tells no ARN, and when everything is FIFO.
    pub fn new(config: &Config) -> Result<Plan, Failure> {
        let queue = config.sqs.as_ref().map(|sqs| queue_of(config, sqs));
        let queue = queue.transpose()?;
        let told = told(config);
        if queue.is_none() && told.is_empty() {
            return Ok(Plan::of_none(config));
        }
        if let Some(queue) = queue.as_ref().filter(|queue| queue.name.ends_with(FIFO)) {
            return Err(Failure::failed(format!(
                "the queue {} is FIFO, and takes from FIFO topics only, which neither CloudWatch \
                 nor EventBridge can publish to; write a standard queue in [sqs] queue_url",
                queue.name
            )));
        }
        if told.iter().all(|topic| topic.arn.ends_with(FIFO)) {
            return Err(Failure::failed(
                "all topics of the config are FIFO, and neither CloudWatch nor EventBridge can \
                 publish to a FIFO topic; write a standard topic in topic_arns",
            ));
        }
        let owner = queue.as_ref().and_then(|queue| queue.known.as_ref());
        let first = told.iter().find(|topic| !topic.arn.ends_with(FIFO));
        let owner = owner.map(|(_, arn)| arn).or(first.map(|topic| &topic.arn));
        let account = owner.and_then(|arn| part(arn, 4)).map(str::to_owned);
        let at_home = |arn: &str| part(arn, 4) == account.as_deref() && !arn.ends_with(FIFO);
        let (home, elsewhere): (Vec<Given>, Vec<Given>) =
            told.into_iter().partition(|topic| at_home(&topic.arn));
        Ok(Plan {
            account,
            topics: numbered(home),
            elsewhere,
            queue,
            listener: listener_of(config),
        })
    }

    /// A queue and a topic for a config that has neither.
    fn of_none(config: &Config) -> Plan {
        let name = fitted(NAME_HEAD, &config.instance, "", QUEUE_CHARS_MAX);
        let topic = Topic {
            name: name.clone(),
            arn: None,
            id: String::from("Topic"),
            takers: Takers {
                queue: true,
                listener: false,
            },
        };
        Plan {
            account: None,
            topics: vec![topic],
            elsewhere: Vec::new(),
            queue: Some(Queue { name, known: None }),
            listener: None,
        }
    }

    /// Whether the config names neither topic nor queue.
    pub fn is_proposal(&self) -> bool {
        self.account.is_none()
    }

    /// Whether a topic that is not made here has something to deliver to.
    pub fn may_subscribe_elsewhere(&self) -> bool {
        let (queue, listener) = (self.queue.is_some(), self.listener.is_some());
        let takes = |takers: Takers| takers.queue && queue || takers.listener && listener;
        self.elsewhere.iter().any(|topic| takes(topic.takers))
    }

    /// What the agent's policy names.
    ///
    /// # Errors
    ///
    /// When the queue's URL tells no ARN.
    pub fn resources(&self, config: &Config) -> Result<Resources, Failure> {
        let mut resources = resources(config)?;
        if self.is_proposal() {
            resources.queue = self.queue.as_ref().map(Queue::arn);
            resources.queue_topics = self.topics.iter().map(Topic::arn).collect();
        }
        Ok(resources)
    }
}

/// What the agent's policy names, as far as the config tells it.
///
/// # Errors
///
/// When the queue's URL tells no ARN.
pub fn resources(config: &Config) -> Result<Resources, Failure> {
    let queue = config.sqs.as_ref().map(|sqs| queue_of(config, sqs));
    let known = queue.transpose()?.and_then(|queue| queue.known);
    let nodes = |arns: Option<&Vec<String>>| arns.into_iter().flatten().map(Node::from).collect();
    Ok(Resources {
        queue: known.map(|(_, arn)| arn.into()),
        queue_topics: nodes(config.sqs.as_ref().map(|sqs| &sqs.topic_arns)),
        listener_topics: nodes(config.sns.as_ref().map(|sns| &sns.topic_arns)),
    })
}

/// Every topic of the config with its takers: first those that all take, then the queue's, which
/// keeps what it cannot give away at once.
fn told(config: &Config) -> Vec<Given> {
    let of_queue = config.sqs.as_ref().map(|sqs| &sqs.topic_arns);
    let of_listener = config.sns.as_ref().map(|sns| &sns.topic_arns);
    let takes = |arns: Option<&Vec<String>>, arn: &String| arns.is_some_and(|a| a.contains(arn));
    let mut arns: Vec<&String> = [of_queue, of_listener]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    arns.sort();
    arns.dedup();
    let topic = |arn: &String| Given {
        arn: arn.clone(),
        takers: Takers {
            queue: takes(of_queue, arn),
            listener: takes(of_listener, arn),
        },
    };
    let mut topics: Vec<Given> = arns.into_iter().map(topic).collect();
    topics.sort_by_key(|topic| (!topic.takers.queue, !topic.takers.listener));
    topics
}

/// Topics at home with their logical ids.
fn numbered(home: Vec<Given>) -> Vec<Topic> {
    let topic = |(at, Given { arn, takers }): (usize, Given)| {
        let name = part(&arn, 5).unwrap_or_default().to_owned();
        let id = match at {
            0 => String::from("Topic"),
            _ => format!("Topic{}", digest(&arn)),
        };
        Topic {
            name,
            arn: Some(arn),
            id,
            takers,
        }
    };
    home.into_iter().enumerate().map(topic).collect()
}

/// One of the parts of an ARN: 4 is the account, 5 the name.
fn part(arn: &str, at: usize) -> Option<&str> {
    arn.split(':').nth(at)
}

/// The queue that a URL names, `https://<host>/<account>/<name>`.
fn queue_of(config: &Config, sqs: &Sqs) -> Result<Queue, Failure> {
    let mut levels = sqs.queue_url.rsplit('/');
    let (name, account) = (levels.next(), levels.next());
    let (name, account) = (name.unwrap_or_default(), account.unwrap_or_default());
    let is_account = account.len() == ACCOUNT_DIGITS && account.bytes().all(|b| b.is_ascii_digit());
    let plain = name.strip_suffix(FIFO).unwrap_or(name);
    let in_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_name = !plain.is_empty() && name.len() <= QUEUE_CHARS_MAX && plain.bytes().all(in_name);
    if !is_account || !is_name {
        return Err(Failure::config(format!(
            "{}: [sqs] queue_url: does not end in an account of 12 digits and the name of a \
             queue; write it as SQS shows it",
            config.file.display()
        )));
    }
    let partition = region::partition(&config.region).id;
    let arn = format!("arn:{partition}:sqs:{}:{account}:{name}", config.region);
    Ok(Queue {
        name: name.to_owned(),
        known: Some((sqs.queue_url.clone(), arn)),
    })
}

fn listener_of(config: &Config) -> Option<Listener> {
    let sns = config.sns.as_ref()?;
    let url = subscribe_url::listener_url(sns, &config.instance)?;
    Some(Listener {
        protocol: url.split(':').next().unwrap_or_default().to_owned(),
        url: sns.path_secret.is_none().then_some(url),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Env};

    const HOME: &str = "arn:aws:sns:eu-central-1:123456789012";

    fn plan(text: &str) -> Result<Plan, Failure> {
        let env: Env = [("AWS_REGION", "eu-central-1")].into_iter().collect();
        Plan::new(&config::parse("x".as_ref(), text, &env).unwrap())
    }

    fn sqs(queue: &str, topics: &[&str]) -> String {
        let topics: Vec<String> = topics.iter().map(|t| format!("\"{t}\"")).collect();
        format!(
            "[sqs]\nqueue_url = \"https://sqs.eu-central-1.amazonaws.com/{queue}\"\n\
             topic_arns = [{}]\n",
            topics.join(", ")
        )
    }

    fn sns(topics: &[&str], more: &str) -> String {
        let topics: Vec<String> = topics.iter().map(|t| format!("\"{t}\"")).collect();
        format!("[sns]\ntopic_arns = [{}]\n{more}", topics.join(", "))
    }

    fn home(name: &str) -> String {
        format!("{HOME}:{name}")
    }

    #[test]
    fn topics_are_at_home_where_the_queue_is() {
        let (a, b, c) = (&home("a"), &home("b"), &home("c"));
        let other = "arn:aws:sns:eu-central-1:999999999999:x";
        let fifo = &home("f.fifo");
        let cases = [
            (sqs("123456789012/q", &[b, a]), "a b", ""),
            (sqs("123456789012/q", &[other, a]), "a", other),
            (sqs("123456789012/q", &[fifo, a]), "a", fifo.as_str()),
            (sqs("999999999999/q", &[a]), "", a.as_str()),
            (sns(&[b, c], ""), "b c", ""),
            // What both take comes first, then what the queue takes.
            (
                sqs("123456789012/q", &[b, c]) + &sns(&[a, c], ""),
                "c b a",
                "",
            ),
        ];
        for (text, at_home, elsewhere) in cases {
            let plan = plan(&text).unwrap();
            let names: Vec<&str> = plan.topics.iter().map(|t| t.name.as_str()).collect();
            assert_eq!(names.join(" "), at_home, "{text}");
            let others: Vec<&str> = plan.elsewhere.iter().map(|t| t.arn.as_str()).collect();
            assert_eq!(others.join(" "), elsewhere, "{text}");
            assert!(!plan.is_proposal());
        }
    }

    #[test]
    fn without_topics_and_queue_both_are_proposed() {
        let proposed = plan("instance = \"edge\"\n").unwrap();
        assert!(proposed.is_proposal());
        assert_eq!(proposed.topics[0].name, "mediapackage2mqtt-edge");
        assert_eq!(proposed.queue.unwrap().name, "mediapackage2mqtt-edge");
        let long = plan(&format!("instance = \"{}\"\n", "x".repeat(64))).unwrap();
        assert_eq!(long.queue.unwrap().name.len(), QUEUE_CHARS_MAX);
    }

    #[test]
    fn what_cannot_be_set_up_says_why() {
        let fifo = &home("f.fifo");
        let standard = &home("a");
        let cases = [
            (
                sqs("123456789012/q", &[fifo]),
                "standard topic in topic_arns",
            ),
            (sqs("123456789012/q.fifo", &[standard]), "standard queue"),
            (sqs("12/q", &[standard]), "account of 12 digits"),
            (sqs("123456789012/q*", &[standard]), "the name of a queue"),
        ];
        for (text, wanted) in cases {
            let failure = plan(&text).unwrap_err();
            assert!(failure.message.contains(wanted), "{text}: {failure}");
        }
    }

    #[test]
    fn a_secret_path_is_not_told() {
        let url = "public_url = \"https://edge.example.net:2000\"\n";
        let cases = [
            ("", None),
            (url, Some(Some("https://edge.example.net:2000/"))),
            (&format!("{url}path_secret = \"hunter2\"\n"), Some(None)),
        ];
        for (more, wanted) in cases {
            let plan = plan(&sns(&[&home("a")], more)).unwrap();
            let url = plan.listener.as_ref().map(|l| l.url.as_deref());
            assert_eq!(url, wanted, "{more}");
            assert!(plan.listener.is_none_or(|l| l.protocol == "https"));
        }
    }
}
