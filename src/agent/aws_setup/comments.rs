//! What is said of each document, in comments before it.

use super::ask::Answer;
use super::events;
use super::plan::Plan;
use crate::agent::subscribe_url::quoted;
use crate::config::{AlarmsKept, Config};

/// Columns of a comment, without its mark.
const COLUMNS_MAX: usize = 96;

/// What there is to tell of.
pub struct Comments<'a> {
    /// The config.
    pub config: &'a Config,
    /// What is to be there.
    pub plan: &'a Plan,
    /// What AWS told.
    pub answer: &'a Answer,
    /// Whether the template is too long to be sent directly.
    pub by_s3: bool,
}

impl Comments<'_> {
    /// Of the agent's policy.
    pub fn of_policy(&self) -> Vec<String> {
        let who = match (&self.config.assume_role, &self.config.iot) {
            (Some(role), _) => format!("the role {}", role.role_arn),
            (None, Some(iot)) => format!("the role of the AWS IoT role alias {}", iot.role_alias),
            (None, None) => String::from("the user or role whose credentials the agent has"),
        };
        let more = match self.plan.is_proposal() {
            true => ", there with the queue that it proposes",
            false => "",
        };
        wrapped(&format!(
            "IAM policy of the agent: what this config makes `run` and `check` call, no more. \
             Attach it to {who}. The template makes it too, as its output PolicyArn{more}."
        ))
    }

    /// Of the policy of AWS IoT Core.
    pub fn of_iot_core(&self) -> Vec<String> {
        let account = match self.plan.account {
            Some(_) => "If the broker is of another account than the queue, put that in.",
            None => "Put the broker's account in for ACCOUNT.",
        };
        wrapped(&format!(
            "AWS IoT Core policy of the certificate in [mqtt] cert_file (aws iot create-policy, \
             aws iot attach-policy). {account}"
        ))
    }

    /// Of the template.
    pub fn of_template(&self) -> Vec<String> {
        let region = &self.config.region;
        let account = self.plan.account.as_deref();
        let account = account.map_or_else(String::new, |account| format!(" of account {account}"));
        let mut lines = wrapped(&format!(
            "CloudFormation template for {region}{account}. To deploy it:"
        ));
        lines.extend(self.deployment());
        let notes = [
            self.what_is_there(),
            self.listener(),
            self.elsewhere(),
            self.alarms(),
        ];
        for note in notes.into_iter().flatten() {
            lines.extend(wrapped(&note));
        }
        if self.plan.is_proposal() {
            lines.extend(self.config_lines());
        }
        lines
    }

    /// The commands, which are not wrapped.
    fn deployment(&self) -> Vec<String> {
        let file = quoted(&self.config.file.display().to_string());
        let region = quoted(&self.config.region);
        // Names of stacks have no underscore.
        let stack = format!(
            "mediapackage2mqtt-{}",
            self.config.instance.replace('_', "-")
        );
        let mut options = vec![
            format!("--region {region} --stack-name {stack}"),
            String::from("--template-file template.json --capabilities CAPABILITY_IAM"),
        ];
        if self.by_s3 {
            options.push(String::from("--s3-bucket NAME_OF_A_BUCKET"));
        }
        if self.plan.listener.as_ref().is_some_and(|l| l.url.is_none()) {
            options.push(format!(
                "--parameter-overrides ListenerUrl=\"$(mediapackage2mqtt subscribe-url --config \
                 {file} | head -n 1)\""
            ));
        }
        let deploy = options.join(" \\\n    ");
        let deploy = format!("  aws cloudformation deploy {deploy}");
        let print = format!("  mediapackage2mqtt aws-setup --config {file} --template");
        let print = format!("{print} > template.json");
        let deploy = deploy.lines().map(str::to_owned);
        [print].into_iter().chain(deploy).collect()
    }

    fn what_is_there(&self) -> Option<String> {
        let plan = self.plan;
        let mut switches = Vec::new();
        if !plan.topics.is_empty() {
            switches.push("CreateTopic=false");
        }
        if plan.queue.is_some() {
            switches.push("CreateQueue=false");
        }
        Some(format!(
            "For what is there already, add --parameter-overrides {}: it stays as it is, with its \
             policy.",
            switches.join(" ")
        ))
    }

    fn listener(&self) -> Option<String> {
        self.config.sns.as_ref()?;
        Some(String::from(match &self.plan.listener {
            Some(_) => "Start the agent first: it confirms the subscription of its listener.",
            None => {
                "The listener is not subscribed, since [sns] public_url does not say how AWS \
                 reaches it."
            }
        }))
    }

    fn elsewhere(&self) -> Option<String> {
        let arns: Vec<&str> = self.plan.elsewhere.iter().map(|t| t.arn.as_str()).collect();
        if arns.is_empty() {
            return None;
        }
        let more = match self.plan.may_subscribe_elsewhere() {
            true => " With SubscribeElsewhere=true they are subscribed to.",
            false => "",
        };
        let rules = match self.plan.topics.is_empty() {
            true => " No topic of this account is left that EventBridge could send to.",
            false => "",
        };
        Some(format!(
            "Not made here, since they are of another account or FIFO: {}.{more}{rules}",
            arns.join(", ")
        ))
    }

    fn alarms(&self) -> Option<String> {
        let cw = &self.config.cloudwatch;
        let mut said = Vec::new();
        let rule = events::alarms(cw).filter(|_| !self.plan.topics.is_empty());
        if let Some(rule) = rule.as_ref().filter(|rule| !rule.left_out.is_empty()) {
            let names: Vec<String> = rule.left_out.iter().map(|g| format!("{g:?}")).collect();
            said.push(format!(
                "These of alarm_include cannot be said in a rule of EventBridge, so that such \
                 alarms are told by polling only: {}.",
                names.join(", ")
            ));
        }
        if rule.is_some() && cw.alarms == AlarmsKept::MediaPackage {
            said.push(String::from(
                "Composite alarms are told by polling only, unless alarm_include names them.",
            ));
        }
        let channels = self.answer.channels.len();
        said.push(match (channels, self.answer.lacking.is_empty()) {
            (0, true) => String::from("There are no channels, hence no input-loss alarms."),
            (0, false) => {
                String::from("There are no input-loss alarms, since AWS did not tell the channels.")
            }
            (_, _) if cw.alarms == AlarmsKept::Off => format!(
                "Input-loss alarms, {channels} of them, are made with InputLossAlarms=true; the \
                 agent keeps no alarms, since alarms = \"off\"."
            ),
            _ => format!(
                "With input-loss alarms for {channels} channels; without them: \
                 InputLossAlarms=false."
            ),
        });
        Some(said.join(" "))
    }

    /// The table for a config that has neither queue nor topics.
    fn config_lines(&self) -> Vec<String> {
        let region = &self.config.region;
        let name = self.plan.topics.first().map(|topic| topic.name.as_str());
        let name = name.unwrap_or_default();
        let partition = crate::config::region::partition(region);
        let (id, dns) = (partition.id, partition.dns_suffix);
        let mut lines = wrapped(
            "Then add this to the config; the output Config has it with the number of the account:",
        );
        lines.push(String::from("  [sqs]"));
        lines.push(format!(
            "  queue_url = \"https://sqs.{region}.{dns}/ACCOUNT/{name}\""
        ));
        lines.push(format!(
            "  topic_arns = [\"arn:{id}:sns:{region}:ACCOUNT:{name}\"]"
        ));
        lines
    }
}

/// A sentence or more in lines of at most [`COLUMNS_MAX`]; a longer word has a line of its own.
pub fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < COLUMNS_MAX => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
