//! Amazon Resource Names, as far as the config holds any.
//!
//! Source: IAM user guide, "Amazon Resource Names (ARNs)"; SNS `CreateTopic` for topic names.

use super::region;
use super::value::quoted;

/// Longest name of an SNS topic, with `.fifo`.
const TOPIC_NAME_BYTES_MAX: usize = 256;

/// Longest ARN of a role (IAM `arnType`).
const ROLE_ARN_BYTES_MAX: usize = 2048;

const ACCOUNT_DIGITS: usize = 12;

/// Reads the ARN of an SNS topic in `region`; with no region known, of any.
///
/// # Errors
/// Says what of it is wrong, and names both regions where they differ.
pub(super) fn topic(text: &str, home: Option<&str>) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let wrong = |what: &str| {
        let region = home.unwrap_or("eu-central-1");
        let partition = region::partition(region).id;
        format!(
            "{} {what}; write arn:{partition}:sns:{region}:123456789012:topic-name",
            quoted(text)
        )
    };
    let &[arn, partition, service, in_region, account, ref name @ ..] = parts.as_slice() else {
        return Err(wrong("is not the ARN of an SNS topic"));
    };
    if arn != "arn" || service != "sns" || !region::is_region(in_region) {
        return Err(wrong("is not the ARN of an SNS topic"));
    }
    let name = match name {
        [name] => *name,
        [_, _] => {
            return Err(wrong(
                "is the ARN of a subscription; the topic's lacks the last part",
            ));
        }
        _ => return Err(wrong("is not the ARN of an SNS topic")),
    };
    if !is_account(account) {
        return Err(wrong("has no account of 12 digits"));
    }
    if !is_topic_name(name) {
        return Err(wrong("has no valid topic name"));
    }
    if let Some(home) = home.filter(|home| *home != in_region) {
        return Err(format!(
            "{} is a topic in {in_region}, but region is {home}; both must be the same: change \
             region or topic_arns, or run a second instance for {in_region}",
            quoted(text)
        ));
    }
    if partition != region::partition(in_region).id {
        return Err(wrong("names the wrong partition"));
    }
    Ok(text.to_string())
}

/// Reads the ARN of an IAM role, in whichever account.
///
/// # Errors
/// Says what it should look like.
pub(super) fn role(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let well = match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource] => {
            let path = resource.strip_prefix("role/").unwrap_or_default();
            partition.starts_with("aws")
                && is_account(account)
                && !path.is_empty()
                && path.bytes().all(|b| b.is_ascii_graphic())
        }
        _ => false,
    };
    if well && text.len() <= ROLE_ARN_BYTES_MAX {
        return Ok(text.to_string());
    }
    Err(format!(
        "{} is not the ARN of a role; write arn:aws:iam::123456789012:role/name",
        quoted(text)
    ))
}

fn is_account(text: &str) -> bool {
    text.len() == ACCOUNT_DIGITS && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_topic_name(text: &str) -> bool {
    let name = text.strip_suffix(".fifo").unwrap_or(text);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !name.is_empty() && text.len() <= TOPIC_NAME_BYTES_MAX && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `None`: well; else what the refusal says.
    fn check(cases: &[(&str, Option<&str>)], read: impl Fn(&str) -> Result<String, String>) {
        for (text, wanted) in cases {
            match (read(text), wanted) {
                (Ok(arn), None) => assert_eq!(arn, *text),
                (Err(said), Some(wanted)) => assert!(said.contains(wanted), "{text}: {said}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_topic_is_taken_by_its_exact_arn_in_the_same_region() {
        let cases = [
            ("arn:aws:sns:eu-central-1:123456789012:mediapackage", None),
            ("arn:aws:sns:eu-central-1:123456789012:a_b-C.fifo", None),
            (
                "arn:aws:sns:eu-west-1:123456789012:a",
                Some("in eu-west-1, but region is eu-central-1"),
            ),
            (
                "arn:aws-cn:sns:eu-central-1:123456789012:a",
                Some("partition"),
            ),
            (
                "arn:aws:sqs:eu-central-1:123456789012:a",
                Some("not the ARN"),
            ),
            ("arn:aws:sns:eu-central-1:1234:a", Some("12 digits")),
            ("arn:aws:sns:eu-central-1:123456789012:", Some("topic name")),
            (
                "arn:aws:sns:eu-central-1:123456789012:a*",
                Some("topic name"),
            ),
            (
                "arn:aws:sns:eu-central-1:123456789012:a:1-2-3",
                Some("subscription"),
            ),
            ("arn:aws:sns:eu-central-1:123456789012", Some("not the ARN")),
            ("mediapackage", Some("not the ARN")),
        ];
        check(&cases, |text| topic(text, Some("eu-central-1")));
    }

    #[test]
    fn a_role_is_taken_by_its_arn() {
        let cases = [
            ("arn:aws:iam::123456789012:role/edge", None),
            ("arn:aws-us-gov:iam::123456789012:role/path/to/edge", None),
            (
                "arn:aws:iam::123456789012:user/edge",
                Some("not the ARN of a role"),
            ),
            (
                "arn:aws:iam::123456789012:role/",
                Some("not the ARN of a role"),
            ),
            (
                "arn:aws:sts::123456789012:assumed-role/a/b",
                Some("not the ARN of a role"),
            ),
            ("edge", Some("not the ARN of a role")),
        ];
        check(&cases, role);
    }
}
