//! `subscribe-url`: what to give to SNS.

use std::fmt::Write as _;

use super::node::Node;
use crate::config::{Config, Sns};
use crate::error::Failure;
use crate::sns::receiver;

/// The URL on the first line; then, for each topic, the command that subscribes it.
///
/// # Errors
///
/// When the config has no `[sns]`, or does not say how AWS reaches this machine.
pub fn subscribe_url(config: &Config) -> Result<String, Failure> {
    let missing = |what: &str| {
        let file = config.file.display();
        Failure::config(format!("{file}: {what}"))
    };
    let sns = config.sns.as_ref().ok_or_else(|| {
        missing("there is no [sns] table; write it, with topic_arns and public_url")
    })?;
    let url = listener_url(sns, &config.instance).ok_or_else(|| {
        missing(
            "[sns] public_url is missing; write how AWS reaches this machine, \
             \"https://host:port\"",
        )
    })?;
    let mut text = format!("{url}\n");
    let protocol = url.split(':').next().unwrap_or_default();
    let policy = one_line(&delivery_policy())?;
    let attributes = one_line(&Node::object([("DeliveryPolicy", policy.into())]))?;
    for topic_arn in &sns.topic_arns {
        let _ = write!(
            text,
            "\naws sns subscribe --region {} \\\n  --topic-arn {} \\\n  --protocol {protocol} \
             --notification-endpoint {} \\\n  --attributes {}\n",
            quoted(&config.region),
            quoted(topic_arn),
            quoted(&url),
            quoted(&attributes),
        );
    }
    Ok(text)
}

/// Where SNS delivers to, with the secret path where there is one; `None` where the config does
/// not say how AWS reaches this machine.
pub(super) fn listener_url(sns: &Sns, instance: &str) -> Option<String> {
    let public_url = sns.public_url.as_deref()?;
    let path = receiver::path(sns.path_secret.as_ref(), instance);
    Some(format!("{public_url}{path}"))
}

/// Retries over the whole hour that SNS allows: three 20 s apart, then one a minute, 60 in all.
/// That is 58 minutes, and not more than an hour whichever way it is counted (SNS developer
/// guide, "Amazon SNS message delivery retries").
pub(super) fn delivery_policy() -> Node {
    let retries = Node::object([
        ("minDelayTarget", 20.into()),
        ("maxDelayTarget", 60.into()),
        ("numRetries", 60.into()),
        ("numMinDelayRetries", 3.into()),
        ("numMaxDelayRetries", 56.into()),
        ("backoffFunction", "linear".into()),
    ]);
    Node::object([("healthyRetryPolicy", retries)])
}

fn one_line(node: &Node) -> Result<String, Failure> {
    let text = serde_json::to_string(node);
    text.map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))
}

/// As a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let quoted = shlex::try_quote(word);
    // No word of a config holds a NUL, which alone cannot be quoted.
    quoted.map_or_else(|_| String::new(), |quoted| quoted.into_owned())
}
