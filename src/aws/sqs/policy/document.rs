//! A policy as IAM writes it, as far as it tells who may do what with one queue. Pure.
//!
//! Source: IAM user guide, "Grammar of the IAM JSON policy language".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::state::glob::Glob;
use crate::state::model::account_of;

/// One value, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

impl<T> OneOrMore<T> {
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMore::More(all) => all,
            OneOrMore::One(one) => std::slice::from_ref(one),
        }
    }
}

/// A value of a condition; AWS also takes what is no text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Flag(bool),
    Number(serde_json::Number),
}

impl Scalar {
    pub fn text(&self) -> String {
        match self {
            Scalar::Text(text) => text.clone(),
            Scalar::Flag(flag) => flag.to_string(),
            Scalar::Number(number) => number.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawPrincipal {
    Text(String),
    ByKind(BTreeMap<String, OneOrMore<String>>),
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Anybody, with or without credentials, and whatever service.
    Anybody,
    /// A service of AWS, `sns.amazonaws.com`.
    Service(String),
    /// An account as a whole, or somebody in it.
    Account(String),
    /// Whoever that is.
    Other(String),
}

impl Who {
    fn of(kind: &str, text: &str) -> Who {
        let is_account = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        match kind {
            "AWS" if text == "*" => Who::Anybody,
            "AWS" if is_account => Who::Account(text.to_owned()),
            "AWS" => match account_of(text) {
                Some(account) => Who::Account(account.to_owned()),
                None => Who::Other(text.to_owned()),
            },
            "Service" => Who::Service(text.to_owned()),
            _ => Who::Other(format!("{kind} {text}")),
        }
    }

    /// Whether it is this service, by its name in all regions or in one.
    pub fn is_service(&self, service: &str) -> bool {
        match self {
            Who::Service(name) => name
                .strip_prefix(service)
                .is_some_and(|rest| rest.starts_with('.') && rest.contains(".amazonaws.")),
            _ => false,
        }
    }
}

/// Key and value of one operator.
type Block = BTreeMap<String, OneOrMore<Scalar>>;

/// One statement. What has another shape is none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    principal: Option<RawPrincipal>,
    not_principal: Option<IgnoredAny>,
    action: Option<OneOrMore<String>>,
    not_action: Option<OneOrMore<String>>,
    resource: Option<OneOrMore<String>>,
    not_resource: Option<OneOrMore<String>>,
    #[serde(default)]
    condition: BTreeMap<String, Block>,
}

impl Statement {
    /// Whom it is about. All but some are anybody: so it is read for `Allow`.
    pub fn principals(&self) -> Vec<Who> {
        if self.not_principal.is_some() {
            return vec![Who::Anybody];
        }
        match &self.principal {
            None => Vec::new(),
            Some(RawPrincipal::Text(text)) if text == "*" => vec![Who::Anybody],
            Some(RawPrincipal::Text(text)) => vec![Who::Other(text.clone())],
            Some(RawPrincipal::ByKind(kinds)) => {
                let of_kind = |(kind, names): (&String, &OneOrMore<String>)| {
                    let names = names.as_slice().iter();
                    names.map(|name| Who::of(kind, name)).collect::<Vec<_>>()
                };
                kinds.iter().flat_map(of_kind).collect()
            }
        }
    }

    /// Whether it is about all but some.
    pub fn is_about_others(&self) -> bool {
        self.not_principal.is_some()
    }

    /// Whether it is about an action, `sqs:SendMessage`; IAM takes small letters for capitals.
    pub fn covers(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let is_among = |names: &OneOrMore<String>| {
            let mut names = names.as_slice().iter();
            names.any(|name| Glob::new(&name.to_ascii_lowercase()).matches(&action))
        };
        match (&self.action, &self.not_action) {
            (Some(names), None) => is_among(names),
            (None, Some(names)) => !is_among(names),
            _ => true,
        }
    }

    /// Whether it is about this queue.
    pub fn applies_to(&self, queue_arn: &str) -> bool {
        let is_among = |arns: &OneOrMore<String>| {
            let mut arns = arns.as_slice().iter();
            arns.any(|arn| Glob::new(arn).matches(queue_arn))
        };
        match (&self.resource, &self.not_resource) {
            (Some(arns), None) => is_among(arns),
            (None, Some(arns)) => !is_among(arns),
            _ => true,
        }
    }

    /// Operator, key and values of each condition; all of them must hold.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &str, &[Scalar])> {
        self.condition.iter().flat_map(|(operator, block)| {
            let pairs = block.iter();
            pairs.map(|(key, values)| (operator.as_str(), key.as_str(), values.as_slice()))
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    statement: OneOrMore<Value>,
}

/// The statements of a policy, `None` in place of one that cannot be understood; `None` when
/// nothing of it can.
pub(super) fn statements(text: &str) -> Option<Vec<Option<Statement>>> {
    let document: Document = serde_json::from_str(text).ok()?;
    let all = match document.statement {
        OneOrMore::More(all) => all,
        OneOrMore::One(one) => vec![one],
    };
    let read = |value| {
        let read: Option<Statement> = serde_json::from_value(value).ok();
        // A policy of a queue always names somebody.
        read.filter(|s| s.principal.is_some() || s.not_principal.is_some())
    };
    Some(all.into_iter().map(read).collect())
}
