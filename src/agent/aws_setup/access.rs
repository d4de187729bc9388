//! How the agent comes to its role: policies of those who open it, where the config has a role
//! on top of other credentials, or a thing of AWS IoT.
//!
//! Sources: IAM user guide, "Access to AWS accounts owned by third parties" (external id); AWS
//! IoT Core developer guide, "Authorizing direct calls to AWS services using AWS IoT Core
//! credential provider".

use super::plan::Plan;
use super::policy;
use crate::agent::node::Node;
use crate::config::{AssumeRole, Config, Iot, region};

/// Stands for the number of an account that the config does not tell.
const ACCOUNT: &str = "ACCOUNT";

/// Policies besides the agent's own, each with what is to be said of it.
pub fn policies(config: &Config, plan: &Plan) -> Vec<(String, Node)> {
    let mut all = Vec::new();
    if let Some(role) = &config.assume_role {
        all.extend(of_role(config, role));
    }
    if let Some(iot) = &config.iot {
        all.extend(of_thing(config, plan, iot));
    }
    all
}

fn of_role(config: &Config, role: &AssumeRole) -> [(String, Node); 2] {
    let partition = region::partition(&config.region).id;
    let below = match &config.iot {
        Some(iot) => format!("the role of the AWS IoT role alias {}", iot.role_alias),
        None => String::from("the keys"),
    };
    let keys = format!(
        "IAM policy of {below} that takes this role: nothing else is needed there. It belongs \
         into that account, and the role's trust policy must let it."
    );
    let external_id = role.external_id.is_some();
    let more = match external_id {
        true => format!(
            ", and external_id of the config in the place of {}",
            policy::EXTERNAL_ID
        ),
        false => String::new(),
    };
    let trust = format!(
        "Trust policy of the role {}. Write the account of {below} in the place of {ACCOUNT}, or \
         the ARN of the one user or role{more}.",
        role.role_arn
    );
    let principal = format!("arn:{partition}:iam::{ACCOUNT}:root");
    [
        (keys, policy::keys(&role.role_arn)),
        (trust, policy::trust("AWS", principal, external_id)),
    ]
}

fn of_thing(config: &Config, plan: &Plan, iot: &Iot) -> [(String, Node); 2] {
    let alias = &iot.role_alias;
    let there = region::of_host(&iot.endpoint.host).unwrap_or(&config.region);
    let partition = region::partition(there).id;
    // With a role on top the things may be of another account.
    let account = plan
        .account
        .as_deref()
        .filter(|_| config.assume_role.is_none());
    let fill_in = match account {
        Some(_) => "",
        None => " Write the number of the account in the place of ACCOUNT.",
    };
    let account = account.unwrap_or(ACCOUNT);
    let arn = format!("arn:{partition}:iot:{there}:{account}:rolealias/{alias}");
    let service = String::from("credentials.iot.amazonaws.com");
    [
        (
            format!("Trust policy of the role that the AWS IoT role alias {alias} names."),
            policy::trust("Service", service, false),
        ),
        (
            format!(
                "Policy of AWS IoT, not of IAM, for the thing's certificate: aws iot \
                 create-policy, then attach-policy.{fill_in}"
            ),
            policy::of_thing(&arn),
        ),
    ]
}
