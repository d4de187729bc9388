//! `subscribe-url`: what to give to SNS.

use std::fmt::Write as _;

use crate::config::{Config, Sns};
use crate::error::Failure;
use crate::sns::receiver;

/// Retries over most of the hour that SNS allows: 20 s to a minute apart, 58 times at the most
/// (SNS developer guide, "Amazon SNS message delivery retries").
const RETRY_POLICY: &str = concat!(
    r#"{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":60,"#,
    r#""numRetries":58,"backoffFunction":"linear"}}"#
);

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
    let public_url = sns.public_url.as_deref().ok_or_else(|| {
        missing(
            "[sns] public_url is missing; write how AWS reaches this machine, \
             \"https://host:port\"",
        )
    })?;
    let url = url(public_url, sns, &config.instance);
    let mut text = format!("{url}\n");
    let protocol = url.split(':').next().unwrap_or_default();
    let attributes = serde_json::json!({ "DeliveryPolicy": RETRY_POLICY });
    for topic_arn in &sns.topic_arns {
        let _ = write!(
            text,
            "\naws sns subscribe --region {} \\\n  --topic-arn {} \\\n  --protocol {protocol} \
             --notification-endpoint {} \\\n  --attributes {}\n",
            quoted(&config.region),
            quoted(topic_arn),
            quoted(&url),
            quoted(&attributes.to_string()),
        );
    }
    Ok(text)
}

fn url(public_url: &str, sns: &Sns, instance: &str) -> String {
    let path = receiver::path(sns.path_secret.as_ref(), instance);
    format!("{public_url}{path}")
}

/// As a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let quoted = shlex::try_quote(word);
    // No word of a config holds a NUL, which alone cannot be quoted.
    quoted.map_or_else(|_| String::new(), |quoted| quoted.into_owned())
}
