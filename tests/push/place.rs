//! A site whose agent listens to SNS.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::harness::{Agent, LIMIT, Site, json, wait_for, world};
use crate::region::sns::deliverer::Policy;
use crate::support::mosquitto::Setup;
use crate::support::ports::{accepts, free_port};
use crate::support::subscriber::{Subscriber, Tree};

/// The topic of the config, as `sns/subscription/…` names it.
pub const SUBSCRIPTION: &str = "sns/subscription/123456789012.mp";

/// A site with a listener.
pub struct Place {
    pub site: Site,
    pub topic_arn: String,
    pub port: u16,
}

impl Place {
    pub fn new() -> Place {
        Place::with_broker(&Setup::default())
    }

    pub fn with_broker(setup: &Setup) -> Place {
        let site = Site::with_broker(world(), setup);
        let port = free_port();
        let topic_arn = site.region.sns().topic("mp");
        let aws = site.region.url();
        // AWS waits 20 s between two tries, which no test does.
        let policy = Policy::retrying(200, Duration::from_millis(100));
        site.region.edit(|w| w.sns.policy = Arc::new(policy));
        let topics = format!("[\"{topic_arn}\"]");
        let site = site.configured(|config| {
            config
                .text("sns.listen", &format!("127.0.0.1:{port}"))
                .set("sns.topic_arns", &topics)
                .text("sns.url", &aws)
                .text("sns.proxy", "none")
        });
        Place {
            site,
            topic_arn,
            port,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The spool's folder.
    pub fn spool(&self) -> PathBuf {
        self.site.config.state_dir().join("test/spool")
    }

    /// Starts the agent and waits until it listens.
    pub fn agent(&self) -> Agent {
        let agent = self.site.agent();
        wait_for("the listener", || accepts(self.port).then_some(()));
        agent
    }

    /// The same, and until it knows AWS's time and the broker has its picture.
    pub fn settled(&self, eyes: &Subscriber) -> Agent {
        let agent = self.agent();
        eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "ok");
        agent
    }

    /// Publishes to the topic, which the agent was subscribed to long ago.
    pub fn publish(&self, message: &str) -> String {
        self.site
            .region
            .sns()
            .publish(&self.topic_arn, None, message)
    }

    pub fn subscribed(&self) -> String {
        self.site
            .region
            .sns()
            .subscribed(&self.topic_arn, &self.url())
    }
}

/// Waits until the retained subscription is in this state.
pub fn wait_for_state(eyes: &Subscriber, state: &str) -> Tree {
    eyes.wait_until(LIMIT, |tree| json(tree, SUBSCRIPTION)["state"] == state)
}
