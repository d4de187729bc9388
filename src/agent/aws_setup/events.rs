//! What EventBridge passes on to the topic: the events of MediaPackage, and every change of an
//! alarm's state, so that no alarm needs an action of its own.
//!
//! Calls that change something in MediaPackage come from its sources too, by CloudTrail, and
//! make the agent look again at once. Calls that only read do not: a rule gets those only in
//! another state than `ENABLED`.
//!
//! Sources: EventBridge user guide, "Comparison operators for use in event patterns"; CloudWatch
//! user guide, "Alarm events and EventBridge".

use super::cfn;
use crate::agent::node::Node;
use crate::config::{AlarmsKept, Apis, CloudWatch};

/// Longest event pattern (EventBridge quotas).
const PATTERN_CHARS_MAX: usize = 2048;

const NAMESPACE: &str = "AWS/MediaPackage";

/// A rule's pattern, and what it leaves to polling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRule {
    /// Of its events.
    pub pattern: Node,
    /// Those of `alarm_include` that a pattern cannot say, or has no room for.
    pub left_out: Vec<String>,
}

/// A rule that sends what fits `pattern` to `topic`.
pub fn rule(condition: &str, description: &str, pattern: Node, topic: Node) -> Node {
    let target = Node::object([("Id", "Topic".into()), ("Arn", topic)]);
    cfn::resource(
        "AWS::Events::Rule",
        Some(condition),
        Node::object([
            ("Description", description.into()),
            ("State", "ENABLED".into()),
            ("EventPattern", pattern),
            ("Targets", Node::list([target])),
        ]),
    )
}

/// Events of the APIs that are watched. Those of VOD come under the name of v1 as well.
pub fn mediapackage(apis: Apis) -> Node {
    let sources = [
        (apis.v1 || apis.vod, "aws.mediapackage"),
        (apis.v2, "aws.mediapackagev2"),
        (apis.vod, "aws.mediapackage-vod"),
    ];
    let wanted = sources.into_iter().filter(|(wanted, _)| *wanted);
    let wanted = wanted.map(|(_, source)| source);
    Node::object([("source", Node::list(wanted))])
}

/// Changes of alarms that the agent keeps; `None` where it keeps none. Composite alarms are told
/// by name only, since their events do not say what they are made of.
pub fn alarms(config: &CloudWatch) -> Option<AlarmRule> {
    let mut names = Vec::new();
    let mut left_out = Vec::new();
    let mut any = config.alarms == AlarmsKept::All;
    for glob in &config.alarm_include {
        let glob = glob.to_string();
        match name_filter(&glob) {
            Some(Filter::Any) => any = true,
            Some(Filter::Some(name)) => {
                names.push(name);
                if !fits(&pattern(narrowed(config.alarms, &names))) {
                    names.pop();
                    left_out.push(glob);
                }
            }
            None => left_out.push(glob),
        }
    }
    if any {
        return Some(AlarmRule {
            pattern: pattern(None),
            left_out: Vec::new(),
        });
    }
    let narrowed = narrowed(config.alarms, &names)?;
    Some(AlarmRule {
        pattern: pattern(Some(narrowed)),
        left_out,
    })
}

/// What of an alarm's change must fit; `None` where none is wanted.
fn narrowed(kept: AlarmsKept, names: &[Node]) -> Option<Node> {
    let of_metric = |member: &str, wanted: Node| {
        let metrics = Node::object([(member, wanted)]);
        let configuration = Node::object([("metrics", metrics)]);
        Node::object([("configuration", configuration)])
    };
    let mut ways = Vec::new();
    if kept == AlarmsKept::MediaPackage {
        let namespace = Node::object([("namespace", Node::list([NAMESPACE]))]);
        ways.push(of_metric(
            "metricStat",
            Node::object([("metric", namespace)]),
        ));
        let within = Node::object([("wildcard", format!("*{NAMESPACE}*").into())]);
        ways.push(of_metric("expression", Node::list([within])));
    }
    if !names.is_empty() {
        ways.push(Node::object([(
            "alarmName",
            Node::list(names.iter().cloned()),
        )]));
    }
    match ways.len() {
        0 => None,
        1 => ways.pop(),
        _ => Some(Node::object([("$or", Node::List(ways))])),
    }
}

fn pattern(detail: Option<Node>) -> Node {
    let all = [
        ("source", Node::list(["aws.cloudwatch"])),
        ("detail-type", Node::list(["CloudWatch Alarm State Change"])),
    ];
    let detail = detail.map(|detail| ("detail", detail));
    Node::object(all.into_iter().chain(detail))
}

fn fits(pattern: &Node) -> bool {
    let text = serde_json::to_string(pattern);
    text.is_ok_and(|text| text.chars().count() <= PATTERN_CHARS_MAX)
}

/// A glob as a pattern says it.
enum Filter {
    Any,
    Some(Node),
}

/// `None` for a glob with `?`, which patterns do not have. A pattern takes no two stars in a
/// row, and a backslash only before another or a star.
fn name_filter(glob: &str) -> Option<Filter> {
    if glob.contains('?') {
        return None;
    }
    let by = |way: &str, text: &str| Node::object([(way, text.into())]);
    let pieces: Vec<&str> = glob.split('*').collect();
    let inner = &pieces[1..pieces.len().max(2) - 1];
    let inside = inner.iter().any(|piece| !piece.is_empty());
    Some(match (pieces.first(), pieces.last()) {
        _ if pieces.len() == 1 => Filter::Some(glob.into()),
        (Some(&""), Some(&"")) if !inside => Filter::Any,
        (Some(head), Some(&"")) if !inside => Filter::Some(by("prefix", head)),
        (Some(&""), Some(tail)) if !inside => Filter::Some(by("suffix", tail)),
        _ => {
            let ends = [pieces.first(), pieces.last()];
            let [first, last] = ends.map(|piece| piece.copied().unwrap_or_default());
            let inner = inner.iter().copied().filter(|piece| !piece.is_empty());
            let pieces = [first].into_iter().chain(inner).chain([last]);
            let escaped: Vec<String> = pieces.map(|piece| piece.replace('\\', "\\\\")).collect();
            Filter::Some(by("wildcard", &escaped.join("*")))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Env};

    const NAMED: &str = concat!(
        r#"{"configuration":{"metrics":{"metricStat":{"metric":"#,
        r#"{"namespace":["AWS/MediaPackage"]}}}}}"#
    );
    const WITHIN: &str =
        r#"{"configuration":{"metrics":{"expression":[{"wildcard":"*AWS/MediaPackage*"}]}}}"#;

    fn of(kept: &str, include: &[&str]) -> Option<AlarmRule> {
        let env: Env = [("AWS_REGION", "eu-central-1")].into_iter().collect();
        let include: Vec<String> = include.iter().map(|g| format!("'{g}'")).collect();
        let text = format!(
            "[cloudwatch]\nalarms = \"{kept}\"\nalarm_include = [{}]\n",
            include.join(", ")
        );
        let config = config::parse("x".as_ref(), &text, &env).unwrap();
        alarms(&config.cloudwatch)
    }

    #[test]
    fn a_rule_tells_the_alarms_that_are_kept() {
        let both = format!("{NAMED},{WITHIN}");
        let cases: [(&str, &[&str], Option<String>); 7] = [
            ("all", &[], Some(String::new())),
            ("all", &["a?"], Some(String::new())),
            ("off", &[], None),
            ("off", &["a"], Some(String::from(r#"{"alarmName":["a"]}"#))),
            ("off", &["a?"], None),
            ("mediapackage", &[], Some(format!("{{\"$or\":[{both}]}}"))),
            (
                "mediapackage",
                &["a*", "b"],
                Some(format!(
                    "{{\"$or\":[{both},{{\"alarmName\":[{{\"prefix\":\"a\"}},\"b\"]}}]}}"
                )),
            ),
        ];
        for (kept, include, wanted) in cases {
            let rule = of(kept, include);
            let text = rule.map(|rule| serde_json::to_string(&rule.pattern).unwrap());
            let head =
                r#"{"source":["aws.cloudwatch"],"detail-type":["CloudWatch Alarm State Change"]"#;
            let wanted = wanted.map(|detail| match detail.as_str() {
                "" => format!("{head}}}"),
                detail => format!("{head},\"detail\":{detail}}}"),
            });
            assert_eq!(text, wanted, "{kept} {include:?}");
        }
    }

    #[test]
    fn a_glob_becomes_the_narrowest_filter_that_says_the_same() {
        let cases = [
            ("a", Some(r#""a""#)),
            ("a*", Some(r#"{"prefix":"a"}"#)),
            ("*a", Some(r#"{"suffix":"a"}"#)),
            ("a**", Some(r#"{"prefix":"a"}"#)),
            ("*a*", Some(r#"{"wildcard":"*a*"}"#)),
            ("a**b", Some(r#"{"wildcard":"a*b"}"#)),
            ("**a***b*", Some(r#"{"wildcard":"*a*b*"}"#)),
            (r"a\*b", Some(r#"{"wildcard":"a\\\\*b"}"#)),
            (r"a\*", Some(r#"{"prefix":"a\\"}"#)),
            ("*", Some("any")),
            ("***", Some("any")),
            ("a?", None),
            ("*?", None),
        ];
        for (glob, wanted) in cases {
            let filter = name_filter(glob).map(|filter| match filter {
                Filter::Any => String::from("any"),
                Filter::Some(node) => serde_json::to_string(&node).unwrap(),
            });
            assert_eq!(filter.as_deref(), wanted, "{glob}");
        }
    }

    #[test]
    fn what_a_pattern_cannot_say_or_hold_is_left_out() {
        let rule = of("mediapackage", &["a?", "b*"]).unwrap();
        assert_eq!(rule.left_out, ["a?"]);
        let many: Vec<String> = (0..40).map(|n| format!("{}{n}", "x".repeat(98))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let rule = of("mediapackage", &many).unwrap();
        let chars = serde_json::to_string(&rule.pattern).unwrap().len();
        assert!((1900..=PATTERN_CHARS_MAX).contains(&chars), "{chars}");
        assert!(
            (20..40).contains(&rule.left_out.len()),
            "{}",
            rule.left_out.len()
        );
        // With a star in the list there is nothing to leave out.
        assert_eq!(of("mediapackage", &["a?", "*"]).unwrap().left_out.len(), 0);
    }

    #[test]
    fn events_come_from_the_apis_that_are_watched() {
        let cases = [
            (
                [true, true, false],
                r#"["aws.mediapackage","aws.mediapackagev2"]"#,
            ),
            ([false, true, false], r#"["aws.mediapackagev2"]"#),
            (
                [false, false, true],
                r#"["aws.mediapackage","aws.mediapackage-vod"]"#,
            ),
        ];
        for ([v1, v2, vod], wanted) in cases {
            let pattern = mediapackage(Apis { v1, v2, vod });
            let text = serde_json::to_string(&pattern).unwrap();
            assert_eq!(text, format!("{{\"source\":{wanted}}}"));
        }
    }
}
