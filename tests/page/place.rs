//! A site whose agent serves the local page, and listens to SNS.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{Agent, Site, wait_for};
use crate::region::World;
use crate::region::sns::deliverer::Policy;
use crate::support::ports::{accepts, free_port};

/// A site with a page.
pub struct Place {
    pub site: Site,
    port: u16,
}

impl Place {
    pub fn new(world: World) -> Place {
        let site = Site::new(world);
        let (port, sns_port) = (free_port(), free_port());
        let topic_arn = site.region.sns().topic("mp");
        let aws = site.region.url();
        // SNS comes again until the agent is there.
        let policy = Policy::retrying(200, Duration::from_millis(100));
        site.region.edit(|w| {
            w.sns.policy = Arc::new(policy);
            for alarm in &mut w.alarms {
                alarm.actions.push(topic_arn.clone());
            }
        });
        let endpoint = format!("http://127.0.0.1:{sns_port}/");
        site.region.sns().subscribe(&topic_arn, &endpoint);
        let site = site.configured(|config| {
            config
                .set("mediapackage.apis", r#"["v1", "v2", "vod"]"#)
                .text("mediapackage.v2_url", &aws)
                .text("mediapackage.vod_url", &aws)
                .text("sns.listen", &format!("127.0.0.1:{sns_port}"))
                .set("sns.topic_arns", &format!("[\"{topic_arn}\"]"))
                .text("sns.url", &aws)
                .text("sns.proxy", "none")
                .text("status.listen", &format!("127.0.0.1:{port}"))
        });
        Place { site, port }
    }

    /// The same with another config.
    pub fn set(self, key: &str, value: &str) -> Place {
        let site = self.site.configured(|config| config.set(key, value));
        Place { site, ..self }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Starts the agent and waits until it serves the page.
    pub fn agent(&self) -> Agent {
        let agent = self.site.agent();
        wait_for("the page", || accepts(self.port).then_some(()));
        agent
    }

    /// What the broker keeps, as JSON in one line.
    pub fn retained(&self) -> String {
        let tree = self.site.retained();
        let parsed = tree.into_iter().map(|(topic, payload)| {
            let text = serde_json::Value::String(payload.clone());
            (topic, serde_json::from_str(&payload).unwrap_or(text))
        });
        serde_json::Value::Object(parsed.collect()).to_string()
    }
}
