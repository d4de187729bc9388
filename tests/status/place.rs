//! A site whose agent has a local page.

use serde_json::{Value, json};

use crate::client::{Reply, get};
use crate::harness::{Agent, PREFIX, Site, no_secret_in, text, wait_for_or};
use crate::region::World;
use crate::support::ports::free_port;
use crate::support::subscriber::Tree;

/// A site with a page.
pub struct Place {
    pub site: Site,
    pub port: u16,
}

impl Place {
    pub fn new(world: World) -> Place {
        let port = free_port();
        let site = Site::new(world).configured(|config| {
            config
                .text("status.listen", &format!("127.0.0.1:{port}"))
                .set("status.hosts", "[\"box.local\"]")
        });
        Place { site, port }
    }

    /// Whose agent asks for everything there is.
    pub fn with_all_apis(self) -> Place {
        let aws = self.site.region.url();
        let site = self.site.configured(|config| {
            config
                .set("mediapackage.apis", "[\"v1\", \"v2\", \"vod\"]")
                .text("mediapackage.v2_url", &aws)
                .text("mediapackage.vod_url", &aws)
                .text("cloudwatch.alarms", "all")
                .text("cloudwatch.metrics", "full")
        });
        Place { site, ..self }
    }

    /// Starts the agent and waits until the page shows all of the region.
    pub fn settled(&self) -> Agent {
        let eyes = self.site.eyes();
        let agent = self.site.agent();
        self.site.wait_for_picture(&eyes);
        agent
    }

    /// Asks for a path; what comes has no secret in it.
    pub fn get(&self, path: &str) -> Reply {
        let reply = get(self.port, path);
        no_secret_in(path, &reply.body);
        reply
    }

    /// The whole state.
    pub fn state(&self) -> Value {
        let reply = self.get("/api/state");
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    /// What changed since a document.
    pub fn since(&self, document: &Value) -> Value {
        let tag = document["tag"].as_str().unwrap();
        self.get(&format!("/api/state?since={tag}")).json()
    }

    /// Waits until the page and the broker show the same, byte for byte, at one moment.
    pub fn wait_until_same(&self) -> Tree {
        wait_for_or("page and broker to agree", || {
            let before = self.site.retained();
            let reply = self.get("/api/state");
            let is_shown = |topic: &str, payload: &str| {
                let payload = match is_plain(topic) {
                    true => json!(payload).to_string(),
                    false => payload.to_owned(),
                };
                reply.body.contains(&format!("{}:{payload}", json!(topic)))
            };
            let all = before.iter();
            let wrong = all.filter(|(topic, payload)| !is_shown(topic, payload));
            let mut wrong: Vec<&str> = wrong.map(|(topic, _)| topic.as_str()).collect();
            let document = reply.json();
            let topics = document["topics"].as_object().unwrap();
            let kept = |topic: &str| before.contains_key(topic);
            wrong.extend(topics.keys().map(String::as_str).filter(|t| !kept(t)));
            // Only then nothing changed while the page was asked.
            let is_quiet = before == self.site.retained() && text(&before, "status") == "online";
            match is_quiet && wrong.is_empty() {
                true => Ok(before.clone()),
                false => Err(format!("{wrong:?}")),
            }
        })
    }
}

/// Whether the payload is no JSON.
fn is_plain(topic: &str) -> bool {
    let below = topic.strip_prefix(PREFIX).unwrap_or_default();
    below == "status" || below.starts_with("source/")
}

/// A topic below our prefix in a document.
pub fn shown<'a>(document: &'a Value, topic: &str) -> &'a Value {
    &document["topics"][format!("{PREFIX}{topic}")]
}
