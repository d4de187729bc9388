//! Who may put messages into a queue, or take them out, by the queue's own policy. Pure: the
//! policy goes in as text, an opinion comes out.
//!
//! The messages of a queue carry no signature that the agent checks: who may send is what they
//! are trusted for. So whatever is not understood is a doubt, and never fine. A `Deny` only takes
//! away: it is no doubt, and what a statement opens is told even where a `Deny` closes it again.
//!
//! Sources: SQS developer guide, "Basic examples of Amazon SQS policies"; SNS developer guide,
//! "Subscribing an Amazon SQS queue to an Amazon SNS topic"; EventBridge user guide, "Using
//! resource-based policies".

mod condition;
mod document;

use serde::Serialize;

use condition::{Narrowing, Source, Truth, holds, narrowing};
use document::{Effect, Statement, Who, statements};

use crate::state::model::account_of;

const SEND: &str = "sqs:SendMessage";
/// What takes messages out of a queue.
const TAKE: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"];

/// Whether a topic may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Allowed,
    /// No statement lets it.
    Missing,
    /// A `Deny` keeps it out; which one.
    Denied(String),
    /// That cannot be told.
    Unclear,
}

/// What a policy means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Of each topic that was asked for, in that order.
    pub topics: Vec<Access>,
    /// Who else is let in, and what is not understood; a sentence each.
    pub doubts: Vec<String>,
}

/// Judges the policy of the queue `queue_arn`, from which messages of these topics are taken.
pub fn judge(policy: &str, queue_arn: &str, topic_arns: &[String]) -> Opinion {
    let Some(statements) = statements(policy) else {
        return Opinion {
            topics: vec![Access::Unclear; topic_arns.len()],
            doubts: vec![String::from("it cannot be understood")],
        };
    };
    let judge = Judge {
        queue_arn,
        topic_arns,
        statements: &statements,
    };
    let topics = topic_arns.iter().map(|topic| judge.access(topic)).collect();
    let mut doubts = Vec::new();
    for doubt in judge.doubts() {
        if !doubts.contains(&doubt) {
            doubts.push(doubt);
        }
    }
    Opinion { topics, doubts }
}

/// The statement that lets one topic send, in one line.
pub fn statement_for(queue_arn: &str, topic_arn: &str) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Principal<'a> {
        service: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Condition<'a> {
        arn_equals: ArnEquals<'a>,
    }
    #[derive(Serialize)]
    struct ArnEquals<'a> {
        #[serde(rename = "aws:SourceArn")]
        source_arn: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Allow<'a> {
        effect: &'a str,
        principal: Principal<'a>,
        action: &'a str,
        resource: &'a str,
        condition: Condition<'a>,
    }
    let statement = Allow {
        effect: "Allow",
        principal: Principal {
            service: "sns.amazonaws.com",
        },
        action: SEND,
        resource: queue_arn,
        condition: Condition {
            arn_equals: ArnEquals {
                source_arn: topic_arn,
            },
        },
    };
    serde_json::to_string(&statement).unwrap_or_default()
}

struct Judge<'a> {
    queue_arn: &'a str,
    topic_arns: &'a [String],
    statements: &'a [Option<Statement>],
}

impl Judge<'_> {
    /// The statements that are understood, with their names.
    fn named(&self, effect: Effect) -> impl Iterator<Item = (String, &Statement)> {
        let all = self.statements.iter().enumerate();
        let read = all.filter_map(|(at, read)| Some((at, read.as_ref()?)));
        let of_effect = read.filter(move |(_, statement)| statement.effect == effect);
        of_effect.map(|(at, statement)| match &statement.sid {
            Some(sid) if !sid.is_empty() => (format!("\"{sid}\""), statement),
            _ => (format!("{}", at + 1), statement),
        })
    }

    fn access(&self, topic_arn: &str) -> Access {
        for (name, statement) in self.named(Effect::Deny) {
            if self.lets_send(statement, topic_arn) == Truth::Yes {
                return Access::Denied(name);
            }
        }
        let allows = self.named(Effect::Allow);
        let allowed = Truth::any(allows.map(|(_, one)| self.lets_send(one, topic_arn)));
        let all_read = self.statements.iter().all(Option::is_some);
        match allowed {
            Truth::Yes => Access::Allowed,
            Truth::No if all_read => Access::Missing,
            _ => Access::Unclear,
        }
    }

    /// Whether a statement is about this topic when it sends.
    fn lets_send(&self, statement: &Statement, topic_arn: &str) -> Truth {
        let about = |who: &Who| *who == Who::Anybody || who.is_service("sns");
        let is_about = statement.principals().iter().any(about)
            && statement.covers(SEND)
            && statement.applies_to(self.queue_arn);
        if !is_about {
            return Truth::No;
        }
        let conditions = statement.conditions();
        let held =
            Truth::all(conditions.map(|(op, key, values)| holds(op, key, values, topic_arn)));
        match held {
            // Whom it leaves out may be SNS.
            Truth::Yes if statement.is_about_others() => Truth::Unclear,
            held => held,
        }
    }

    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for (at, statement) in self.statements.iter().enumerate() {
            if statement.is_none() {
                doubts.push(format!("statement {} cannot be understood", at + 1));
            }
        }
        for (name, statement) in self.named(Effect::Allow) {
            let sends = statement.covers(SEND);
            let takes = TAKE.iter().any(|action| statement.covers(action));
            let what = match (sends, takes) {
                (true, true) => "send and take messages",
                (true, false) => "send messages",
                (false, true) => "take messages",
                (false, false) => continue,
            };
            if statement.applies_to(self.queue_arn) {
                let who = statement.principals().into_iter();
                let found = who.filter_map(|who| self.stranger(statement, &who, what));
                doubts.extend(found.map(|doubt| format!("statement {name} lets {doubt}")));
            }
        }
        doubts
    }

    /// Who of a statement's principals is neither a topic of ours, nor a rule or anybody else of
    /// the queue's own account; with what it is let do.
    fn stranger(&self, statement: &Statement, who: &Who, what: &str) -> Option<String> {
        let own = account_of(self.queue_arn).unwrap_or_default();
        let is_own = |accounts: &[String]| accounts.iter().all(|account| account == own);
        let (mut sources, mut for_own, mut more) = (None::<Vec<String>>, false, Vec::new());
        for (operator, key, values) in statement.conditions() {
            match narrowing(operator, key, values) {
                Narrowing::Accounts(all) if is_own(&all) => return None,
                Narrowing::SourceAccounts(all) if is_own(&all) => for_own = true,
                Narrowing::Sources(all) => {
                    // All conditions must hold: the narrowest says who is left.
                    let strange = self.strange(&all);
                    let is_wider = sources.as_ref().is_some_and(|s| s.len() <= strange.len());
                    sources = if is_wider { sources } else { Some(strange) };
                }
                Narrowing::Accounts(_) | Narrowing::SourceAccounts(_) | Narrowing::Unclear => {
                    more.push(format!("{operator} {key}"));
                }
                Narrowing::Nothing => {}
            }
        }
        let who = match who {
            Who::Account(account) if account == own => return None,
            Who::Account(account) => format!("account {account}"),
            Who::Anybody => String::from("anybody in the world"),
            Who::Service(name) | Who::Other(name) => name.clone(),
        };
        if let Some(strange) = sources {
            let list = strange.join(", ");
            return (!strange.is_empty()).then(|| format!("{list} {what}"));
        }
        if for_own {
            return Some(format!("{who} {what} for whatever is in account {own}"));
        }
        let condition = match more.as_slice() {
            [] => String::new(),
            more => format!(
                " on a condition that is not understood ({})",
                more.join(", ")
            ),
        };
        Some(format!("{who} {what}{condition}"))
    }

    /// Those that are neither one of our topics nor rules of the queue's own account.
    fn strange(&self, sources: &[Source]) -> Vec<String> {
        let is_ours = |source: &Source| match source.is_pattern && source.has_wildcard() {
            false => self.topic_arns.contains(&source.arn) || self.is_own_rule(&source.arn),
            true => self.is_own_rule(&source.arn),
        };
        let strange = sources.iter().filter(|source| !is_ours(source));
        strange.map(|source| source.arn.clone()).collect()
    }

    /// `arn:aws:events:<region>:<own account>:rule/…`; wildcards after the account only widen it
    /// to other rules of the account.
    fn is_own_rule(&self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", _, "events", _, account, resource] => {
                Some(*account) == account_of(self.queue_arn) && resource.starts_with("rule/")
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
