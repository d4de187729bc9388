//! Which alarms of a listing are kept.

use std::collections::BTreeSet;

use crate::state::glob;
use crate::state::model::Id;
use crate::state::polled::PolledAlarm;
use crate::state::wish::{AlarmsKept, Wish};

/// The rows that the config asks for; composites follow the alarms their rules name.
pub(super) fn kept(
    listing: Vec<PolledAlarm>,
    wish: &Wish,
    pushed: &BTreeSet<Id>,
) -> Vec<PolledAlarm> {
    let wanted = |row: &PolledAlarm| match wish.alarms {
        AlarmsKept::Off => false,
        AlarmsKept::All => true,
        AlarmsKept::MediaPackage => row.of_mediapackage || pushed.contains(&row.name),
    };
    let named = |row: &PolledAlarm| glob::any(&wish.alarm_include, &row.name);
    let barred = |row: &PolledAlarm| glob::any(&wish.alarm_exclude, &row.name);
    let mut names: BTreeSet<Id> = BTreeSet::new();
    // A NUL would make a name look like another account's alarm; AWS takes no such name.
    let known = |row: &PolledAlarm| !row.name.contains('\u{0}') && !barred(row);
    let rows: Vec<PolledAlarm> = listing.into_iter().filter(known).collect();
    names.extend(
        rows.iter()
            .filter(|r| wanted(r) || named(r))
            .map(|r| r.name.clone()),
    );
    let rules: Vec<(&Id, Vec<String>)> = rows
        .iter()
        .filter(|row| wish.alarms != AlarmsKept::Off && !names.contains(&row.name))
        .filter_map(|row| Some((&row.name, names_in_rule(row.rule.as_deref()?))))
        .collect();
    loop {
        let more: Vec<Id> = rules
            .iter()
            .filter(|(name, _)| !names.contains(*name))
            .filter(|(_, children)| children.iter().any(|c| names.contains(c.as_str())))
            .map(|(name, _)| (*name).clone())
            .collect();
        if more.is_empty() {
            break;
        }
        names.extend(more);
    }
    rows.into_iter()
        .filter(|row| names.contains(&row.name))
        .collect()
}

/// The alarms that a composite's rule names: `ALARM("a") AND NOT OK(arn:…:alarm:b)`,
/// `AT_LEAST(2, ALARM, (a, b))`. Unquoted words that are no alarms come along and match none.
fn names_in_rule(rule: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    for c in rule.chars() {
        match (c, quote) {
            (_, Some(open)) if c != open => word.push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.clear();
            }
            // What stands before a parenthesis is a function.
            ('(', None) => word.clear(),
            (_, Some(_)) | (')' | ',', None) => {
                quote = None;
                names.push(std::mem::take(&mut word));
            }
            _ => word.push(c),
        }
    }
    if quote.is_some() {
        names.push(word);
    }
    let names = names.iter().map(|name| short_name(name.trim()));
    names.filter(|name| !name.is_empty()).collect()
}

/// The name of an alarm that may be written as its ARN.
fn short_name(name: &str) -> String {
    let short = name
        .split_once(":alarm:")
        .filter(|_| name.starts_with("arn:"));
    short.map_or(name, |(_, short)| short).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_a_composites_rule_are_found() {
        let cases: [(&str, &[&str]); 9] = [
            (
                "AT_LEAST(2, ALARM, (a, \"b,c\"))",
                &["2", "ALARM", "a", "b,c"],
            ),
            ("ALARM(a) OR TRUE", &["a"]),
            ("ALARM(a)", &["a"]),
            ("ALARM(\"a b\") AND NOT OK( 'c(d)' )", &["a b", "c(d)"]),
            ("(ALARM(a) OR (ALARM(b)))", &["a", "b"]),
            (
                "ALARM(arn:aws:cloudwatch:eu-central-1:1:alarm:x:y)",
                &["x:y"],
            ),
            ("TRUE", &[]),
            ("ALARM(", &[]),
            ("ALARM(\"open", &["open"]),
        ];
        for (rule, wanted) in cases {
            assert_eq!(names_in_rule(rule), wanted, "{rule}");
        }
    }
}
