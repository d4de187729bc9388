//! Runs `aws-setup` and reads what it prints.

use serde_json::Value;

use crate::harness::{no_secret_in, run};
use crate::region::{self, Region};
use crate::support::config::ConfigFile;

/// Of the account that the region is of.
pub const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mediapackage";
/// Of another.
pub const FOREIGN: &str = "arn:aws:sns:eu-central-1:999999999999:theirs";
/// Of the same, and FIFO.
pub const FIFO: &str = "arn:aws:sns:eu-central-1:123456789012:in-order.fifo";
pub const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/edge";

/// Secrets of a config that are not of the region.
const PATH_SECRET: &str = "planted-path-secret-3b1f";
/// HMAC-SHA256(PATH_SECRET, "test"), its first half, by another program.
pub const PATH_TOKEN: &str = "e58d46ce74f0577184c6c4716a8c858d";
const EXTERNAL_ID: &str = "planted-external-id-a7c2";
const PROXY_PASSWORD: &str = "planted-proxy-password-55d1";

/// What a run printed.
pub struct Printed {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Printed {
    /// Runs it with these options. No secret may be seen.
    pub fn of(config: &ConfigFile, options: &[&str]) -> Printed {
        let arguments = [&["aws-setup"], options].concat();
        let output = run(&arguments, &config.write());
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        for (place, text) in [("stdout", &out), ("stderr", &err)] {
            no_secret_in(place, text);
            for secret in [PATH_SECRET, PATH_TOKEN, EXTERNAL_ID, PROXY_PASSWORD] {
                assert!(!text.contains(secret), "{secret} stands in {place}");
            }
        }
        Printed {
            code: output.status.code(),
            out,
            err,
        }
    }

    /// What it printed, when it ended well.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }
}

/// The policy alone.
pub fn policy(config: &ConfigFile) -> Value {
    Printed::of(config, &["--policy"]).json()
}

/// The template alone.
pub fn template(config: &ConfigFile) -> Value {
    Printed::of(config, &["--template"]).json()
}

/// For v1 and v2 of a region.
pub fn config(region: &Region) -> ConfigFile {
    ConfigFile::new(&region.url(), "mqtt://127.0.0.1:9", region::KEY)
        .text("mediapackage.v2_url", &region.url())
        .text("mediapackage.vod_url", &region.url())
        .set("mediapackage.apis", "[\"v1\", \"v2\"]")
}

/// The same with a queue.
pub fn with_queue(config: ConfigFile, topics: &[&str]) -> ConfigFile {
    let config = config.text("sqs.queue_url", QUEUE);
    config.set("sqs.topic_arns", &Value::from(topics).to_string())
}

/// The same with a listener, at a secret path.
pub fn with_listener(config: ConfigFile, topics: &[&str]) -> ConfigFile {
    let config = config.set("sns.topic_arns", &Value::from(topics).to_string());
    config
        .text("sns.public_url", "https://edge.example.net:2000")
        .text("sns.path_secret", PATH_SECRET)
        .text("sns.proxy", "http://proxy.example.net:3128")
        .text("sns.proxy_username", "edge")
        .text("sns.proxy_password", PROXY_PASSWORD)
}

/// The same with a role on top of its keys.
pub fn with_role(config: ConfigFile) -> ConfigFile {
    config
        .text(
            "credentials.assume_role.role_arn",
            "arn:aws:iam::123456789012:role/edge",
        )
        .text("credentials.assume_role.external_id", EXTERNAL_ID)
}

/// The same of a thing of AWS IoT.
pub fn with_thing(config: ConfigFile) -> ConfigFile {
    let host = "a1b2.credentials.iot.eu-west-1.amazonaws.com";
    config
        .without("credentials")
        .text("credentials.iot.endpoint", host)
        .text("credentials.iot.role_alias", "edge-role")
        .text("credentials.iot.cert_file", "/nonexistent/thing.pem")
        .text("credentials.iot.key_file", "/nonexistent/thing.key")
}

/// Properties of the resources of a kind, by their logical ids.
pub fn of_kind(template: &Value, kind: &str) -> Vec<(String, Value)> {
    let resources = template["Resources"].as_object().unwrap();
    let found = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind);
    found
        .map(|(id, resource)| (id.clone(), resource["Properties"].clone()))
        .collect()
}
