//! `aws-setup`: the IAM policy that the config needs, and a CloudFormation template for
//! everything else: topic, queue, subscriptions, rules of EventBridge, alarms. Nothing is
//! changed in AWS; all but `ask` is pure.

mod access;
mod alarms;
mod ask;
mod cfn;
mod comments;
mod delivery;
mod events;
pub mod iot_core;
mod names;
mod plan;
mod policy;
mod template;

use crate::config::Config;
use crate::error::Failure;

use comments::Comments;
use plan::Plan;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything, as one stream of YAML with comments.
    Both,
    /// The agent's policy as JSON.
    Policy,
    /// The template as JSON.
    Template,
}

/// Longest template that CloudFormation takes directly; a longer one goes by way of S3
/// (CloudFormation quotas, "Template body size in a request").
const BODY_BYTES_MAX: usize = 51_200;

/// Policy and template for the config at hand.
///
/// # Errors
///
/// When the queue's URL tells no ARN; for the template also when everything is FIFO, or when
/// there are more channels than it can hold. That AWS does not tell the channels is a warning.
pub fn aws_setup(config: &Config, part: Part) -> Result<String, Failure> {
    let policy = policy::agent(config, &plan::resources(config)?).pretty()?;
    if part == Part::Policy {
        return Ok(format!("{policy}\n"));
    }
    let plan = Plan::new(config)?;
    let answer = ask::ask(config);
    for lacking in &answer.lacking {
        log::warn!("{lacking}");
    }
    let template = template::template(config, &plan, &answer.channels)?.pretty()?;
    let by_s3 = template.len() > BODY_BYTES_MAX;
    if by_s3 {
        log::warn!(
            "the template has {} bytes: above {BODY_BYTES_MAX} aws cloudformation deploy needs \
             --s3-bucket with the name of a bucket of yours",
            template.len()
        );
    }
    if part == Part::Template {
        return Ok(format!("{template}\n"));
    }
    let comments = Comments {
        config,
        plan: &plan,
        answer: &answer,
        by_s3,
    };
    let mut text = document(&comments.of_policy(), &policy);
    for (comment, policy) in access::policies(config, &plan) {
        text += &document(&comments::wrapped(&comment), &policy.pretty()?);
    }
    if let Some(policy) = iot_core::policy(config, plan.account.as_deref()) {
        text += &document(&comments.of_iot_core(), &policy.pretty()?);
    }
    Ok(text + &document(&comments.of_template(), &template))
}

/// One document of a stream of YAML, of which JSON is a part.
fn document(comments: &[String], json: &str) -> String {
    let comments: String = comments
        .iter()
        // A name may hold whatever ends a line, and then the comment.
        .map(|line| format!("# {}\n", line.replace(char::is_control, "?")))
        .collect();
    format!("---\n{comments}{json}\n")
}
