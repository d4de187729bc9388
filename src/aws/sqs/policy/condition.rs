//! Conditions of a statement: whether one holds when a topic sends, and whom it keeps out. Pure.
//!
//! Sources: IAM user guide, "IAM JSON policy elements: Condition operators" and "AWS global
//! condition context keys".

use super::document::Scalar;
use crate::state::glob::Glob;
use crate::state::model::account_of;

/// What can be said of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Unclear,
}

impl Truth {
    fn of(yes: bool) -> Truth {
        if yes { Truth::Yes } else { Truth::No }
    }

    fn not(self) -> Truth {
        match self {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            Truth::Unclear => Truth::Unclear,
        }
    }

    /// Of all, which must hold together.
    pub fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
        let worse = |a, b| match (a, b) {
            (Truth::No, _) | (_, Truth::No) => Truth::No,
            (Truth::Unclear, _) | (_, Truth::Unclear) => Truth::Unclear,
            _ => Truth::Yes,
        };
        truths.into_iter().fold(Truth::Yes, worse)
    }

    /// Of several, one of which is enough.
    pub fn any(truths: impl IntoIterator<Item = Truth>) -> Truth {
        let all = truths.into_iter().map(Truth::not);
        Truth::all(all).not()
    }
}

/// An operator without what may stand before and after it.
#[derive(Clone, Copy)]
struct Operator<'a> {
    base: &'a str,
    /// Whether a request without the key passes, though the operator asks for a value.
    passes_without: bool,
}

impl Operator<'_> {
    fn of(text: &str) -> Operator<'_> {
        let (text, of_all) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (rest, true),
            Some(("ForAnyValue", rest)) => (rest, false),
            _ => (text, false),
        };
        let (base, if_exists) = match text.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (text, false),
        };
        Operator {
            base,
            passes_without: of_all || if_exists,
        }
    }
}

/// Whether a condition holds when this topic sends: SNS tells the topic's ARN and account, and
/// comes over TLS.
pub(super) fn holds(operator: &str, key: &str, values: &[Scalar], topic_arn: &str) -> Truth {
    let fact = match key.to_ascii_lowercase().as_str() {
        "aws:sourcearn" => topic_arn,
        "aws:sourceaccount" | "aws:sourceowner" => account_of(topic_arn).unwrap_or_default(),
        "aws:securetransport" | "aws:principalisawsservice" => "true",
        "aws:principalservicename" => "sns.amazonaws.com",
        _ => return Truth::Unclear,
    };
    let values = values.iter().map(Scalar::text);
    let any = |is: fn(&str, &str) -> Truth| {
        Truth::any(values.clone().map(|value| {
            let is_variable = value.contains("${");
            if is_variable {
                Truth::Unclear
            } else {
                is(&value, fact)
            }
        }))
    };
    match Operator::of(operator).base {
        "StringEquals" => any(same),
        "StringEqualsIgnoreCase" | "Bool" => any(same_letters),
        "StringLike" => any(like),
        "ArnEquals" | "ArnLike" => any(arn_like),
        "StringNotEquals" => any(same).not(),
        "StringNotEqualsIgnoreCase" => any(same_letters).not(),
        "StringNotLike" => any(like).not(),
        "ArnNotEquals" | "ArnNotLike" => any(arn_like).not(),
        // "true" asks that the key is not there; it is.
        "Null" => any(|value, _| Truth::of(value == "false")),
        _ => Truth::Unclear,
    }
}

fn same(value: &str, fact: &str) -> Truth {
    Truth::of(value == fact)
}

fn same_letters(value: &str, fact: &str) -> Truth {
    Truth::of(value.eq_ignore_ascii_case(fact))
}

fn like(pattern: &str, fact: &str) -> Truth {
    Truth::of(Glob::new(pattern).matches(fact))
}

/// Each of the six parts of an ARN is matched by itself.
fn arn_like(pattern: &str, arn: &str) -> Truth {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    if parts.len() != 6 {
        return Truth::Unclear;
    }
    let pairs = parts.into_iter().zip(arn.splitn(6, ':'));
    Truth::all(pairs.map(|(pattern, part)| like(pattern, part)))
}

/// Whom a condition lets in, of all that the statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Narrowing {
    /// What sends on somebody's behalf, by its ARN; with wildcards where they mean anything.
    Sources(Vec<Source>),
    /// The accounts on whose behalf a service sends.
    SourceAccounts(Vec<String>),
    /// The accounts of those who send.
    Accounts(Vec<String>),
    /// Nobody in particular is kept out.
    Nothing,
    /// Who knows.
    Unclear,
}

/// A source that a condition lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub arn: String,
    /// Whether wildcards in it are wildcards.
    pub is_pattern: bool,
}

impl Source {
    pub fn has_wildcard(&self) -> bool {
        self.arn.contains(['*', '?'])
    }
}

/// Only a condition that fails without its key keeps anybody out for certain.
pub(super) fn narrowing(operator: &str, key: &str, values: &[Scalar]) -> Narrowing {
    let Operator {
        base,
        passes_without,
    } = Operator::of(operator);
    let is_pattern = match base {
        "StringEquals" | "StringEqualsIgnoreCase" => Some(false),
        "StringLike" | "ArnEquals" | "ArnLike" => Some(true),
        _ => None,
    };
    let key = key.to_ascii_lowercase();
    if key == "aws:securetransport" {
        return Narrowing::Nothing;
    }
    let values: Vec<String> = values.iter().map(Scalar::text).collect();
    let has_variable = values.iter().any(|value| value.contains("${"));
    let Some(is_pattern) = is_pattern.filter(|_| !passes_without && !has_variable) else {
        return Narrowing::Unclear;
    };
    let is_exact = |value: &String| !(is_pattern && value.contains(['*', '?']));
    match key.as_str() {
        "aws:sourcearn" => {
            let source = |arn| Source { arn, is_pattern };
            Narrowing::Sources(values.into_iter().map(source).collect())
        }
        "aws:sourceaccount" | "aws:sourceowner" if values.iter().all(is_exact) => {
            Narrowing::SourceAccounts(values)
        }
        "aws:principalaccount" if values.iter().all(is_exact) => Narrowing::Accounts(values),
        "aws:principalarn" => {
            let accounts = values.iter().map(|arn| account_of(arn).map(str::to_owned));
            let accounts: Option<Vec<String>> = accounts.collect();
            accounts.map_or(Narrowing::Unclear, Narrowing::Accounts)
        }
        _ => Narrowing::Unclear,
    }
}
