//! A site whose agent takes messages from a queue at moto.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::harness::{Agent, LIMIT, PREFIX, json as payload, wait_for};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::moto::{self, Moto};
use crate::support::subscriber::{Subscriber, Tree};

/// The topic of the config, as `sns/subscription/…` names it.
pub const SUBSCRIPTION: &str = "sns/subscription/123456789012.mp";

/// Whoever owns the topic and the queue: `owner.py`.
pub struct Owner {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Owner {
    fn start(moto: &Moto) -> Owner {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/queue/owner.py");
        let (key, secret) = (&moto.access_key_id, &moto.secret_access_key);
        let mut child = Command::new(moto::venv().join("bin/python"))
            .arg(script)
            .args(["--endpoint", &moto.url, "--region", "eu-central-1"])
            .args(["--key", key, "--secret", secret])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipes = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let pipes = Mutex::new((pipes.0, BufReader::new(pipes.1)));
        Owner { child, pipes }
    }

    /// Gives a command, and waits for its answer.
    pub fn ask(&self, command: &Value) -> Value {
        let (input, output) = &mut *self.pipes.lock().unwrap();
        writeln!(input, "{command}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{command}: {line:?}"))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// moto with a topic and a queue that is subscribed to it, a broker, and a config that joins
/// them.
pub struct Place {
    /// Lives as long as the place.
    _moto: Moto,
    pub owner: Owner,
    pub broker: Mosquitto,
    pub config: ConfigFile,
    pub topic_arn: String,
    pub queue_url: String,
    pub queue_arn: String,
}

impl Place {
    pub fn new() -> Place {
        Place::with_broker(&Setup::default())
    }

    pub fn with_broker(setup: &Setup) -> Place {
        let moto = Moto::start("eu-central-1");
        let owner = Owner::start(&moto);
        let broker = Mosquitto::start(setup);
        let topic_arn = owner.ask(&json!({"do": "topic", "name": "mp"}));
        let topic_arn = topic_arn.as_str().unwrap().to_owned();
        let queue = owner.ask(&json!({"do": "queue", "name": "box"}));
        let text = |key: &str| queue[key].as_str().unwrap().to_owned();
        let (queue_url, queue_arn) = (text("url"), text("arn"));
        owner.ask(&json!({"do": "subscribe", "topic": topic_arn, "queue": queue_arn}));
        let mqtt = format!("mqtt://127.0.0.1:{}", broker.port());
        let key = (moto.access_key_id.as_str(), moto.secret_access_key.as_str());
        let config = ConfigFile::new(&moto.url, &mqtt, key)
            .text("sqs.queue_url", &queue_url)
            .set("sqs.topic_arns", &json!([topic_arn]).to_string())
            .text("sqs.url", &moto.url)
            .text("sqs.proxy", "none");
        Place {
            _moto: moto,
            owner,
            broker,
            config,
            topic_arn,
            queue_url,
            queue_arn,
        }
    }

    pub fn agent(&self) -> Agent {
        Agent::start(&self.config.write())
    }

    /// Sees all that is published below our prefix.
    pub fn eyes(&self) -> Subscriber {
        Subscriber::start(self.broker.port(), &format!("{PREFIX}#"))
    }

    /// Starts the agent and waits until all that it asks has answered.
    pub fn settled(&self, eyes: &Subscriber) -> Agent {
        let agent = self.agent();
        eyes.wait_until(LIMIT, |tree| payload(tree, "agent")["health"] == "ok");
        agent
    }

    /// Publishes to the topic: the ids of the messages.
    pub fn publish(&self, messages: &[String]) -> Vec<String> {
        let command = json!({"do": "publish", "topic": self.topic_arn, "messages": messages});
        ids(&self.owner.ask(&command))
    }

    /// Puts bodies into the queue, past the topic: the ids of the messages.
    pub fn send(&self, bodies: &[String]) -> Vec<String> {
        let command = json!({"do": "send", "url": self.queue_url, "bodies": bodies});
        ids(&self.owner.ask(&command))
    }

    /// Waits until nothing is in the queue.
    pub fn wait_for_an_empty_queue(&self) {
        let command = json!({"do": "left", "url": self.queue_url});
        wait_for("an empty queue", || {
            (self.owner.ask(&command) == json!([0, 0])).then_some(())
        });
    }
}

fn ids(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Waits until the retained subscription satisfies `wanted`.
pub fn wait_for_subscription(eyes: &Subscriber, wanted: impl Fn(&Value) -> bool) -> Tree {
    eyes.wait_until(LIMIT, |tree| wanted(&payload(tree, SUBSCRIPTION)))
}
