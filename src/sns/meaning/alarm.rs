//! Changes of an alarm's state, in the two forms that CloudWatch tells them.
//!
//! Sources: CloudWatch user guide, "Notifying users on alarm changes" and "Alarm events and
//! EventBridge"; limits from the CloudWatch API reference, `PutMetricAlarm` and `MetricAlarm`.

use super::facts::{self, alarm_state, text_of, whole_text};
use super::{Told, member};
use crate::sns::json::{self, parts, pick};
use crate::state::polled::{AlarmKind, Dimension};
use crate::state::push::{Meaning, PushedAlarm, PushedEvent};
use crate::state::source::Source;

/// A name, a namespace, a metric's or dimension's name, in characters.
const NAME_CHARS_MAX: usize = 255;
/// A reason, a description, a dimension's value, in characters.
const TEXT_CHARS_MAX: usize = 1024;
/// Dimensions of a metric.
const DIMENSIONS_MAX: usize = 30;
/// Metrics of an alarm of metric math that are looked at (500 are what AWS takes).
const METRICS_MAX: usize = 500;
/// The namespace whose dimensions count.
const NAMESPACE: &str = "AWS/MediaPackage";

/// What an alarm watches.
#[derive(Default)]
struct Watched {
    namespace: Option<String>,
    metric: Option<String>,
    dimensions: Vec<Dimension>,
}

/// CloudWatch's own notification. `None` when what an alarm needs is not there, or when it
/// tells of one contributor: the states of many time series are not the state of their alarm.
pub fn notification(told: &Told) -> Option<Meaning> {
    if parts(told.message).any(|(key, _)| is_contributor(&key)) {
        return None;
    }
    let names = [
        "AlarmName",
        "AlarmArn",
        "AWSAccountId",
        "NewStateValue",
        "StateChangeTime",
        "OldStateValue",
        "NewStateReason",
        "AlarmDescription",
        "Trigger",
        "AlarmRule",
    ];
    let [
        name,
        arn,
        account,
        state,
        time,
        previous,
        reason,
        description,
        trigger,
        rule,
    ] = pick(told.message, names);
    let account = account.and_then(json::string);
    let arn = facts::arn(arn).filter(|arn| arn.contains(":alarm:"));
    // Without either nobody has said whose alarm this is.
    (arn.is_some() || account.is_some()).then_some(())?;
    // An alarm notifies topics of its own region only.
    let topic_region = told.topic_arn.and_then(|arn| arn_part(arn, 3));
    let owner = Owner::new(arn.as_deref(), account.as_deref(), topic_region);
    let watched = trigger.map(watched_by_trigger).unwrap_or_default();
    let [threshold, comparison] = pick(
        trigger.unwrap_or_default(),
        ["Threshold", "ComparisonOperator"],
    );
    Some(Meaning::Alarm(Box::new(PushedAlarm {
        name: whole_text(name, NAME_CHARS_MAX)?.into(),
        arn: arn.unwrap_or_default(),
        account_id: owner.account_id,
        region: owner.region,
        kind: kind(rule, trigger),
        state: alarm_state(state)?,
        previous_state: alarm_state(previous),
        reason: text_of(reason, TEXT_CHARS_MAX),
        description: text_of(description, TEXT_CHARS_MAX),
        changed_at: facts::time(time)?,
        namespace: watched.namespace,
        metric: watched.metric,
        dimensions: watched.dimensions,
        threshold: threshold.and_then(number),
        comparison: facts::word(comparison),
    })))
}

/// EventBridge's `CloudWatch Alarm State Change`; `None` as for [`notification`].
pub fn state_change(told: &Told) -> Option<Meaning> {
    let names = ["detail", "account", "region", "resources"];
    let [detail, account, region, resources] = pick(told.message, names);
    let detail = detail?;
    if parts(detail).any(|(key, _)| is_contributor(&key)) {
        return None;
    }
    let names = ["alarmName", "state", "previousState", "configuration"];
    let [name, state, previous, config] = pick(detail, names);
    let [value, reason, time] = pick(state?, ["value", "reason", "timestamp"]);
    let [previous] = pick(previous.unwrap_or_default(), ["value"]);
    let config = config.unwrap_or_default();
    let [metrics, rule, threshold, comparison] = pick(
        config,
        ["metrics", "alarmRule", "threshold", "comparisonOperator"],
    );
    let first = resources.and_then(|list| parts(list).next());
    let arn = facts::arn(first.map(|(_, arn)| arn)).filter(|arn| arn.contains(":alarm:"));
    let (account, region) = (
        account.and_then(json::string),
        region.and_then(json::string),
    );
    (arn.is_some() || account.is_some()).then_some(())?;
    let owner = Owner::new(arn.as_deref(), account.as_deref(), region.as_deref());
    let watched = metrics.map(watched_by_metrics).unwrap_or_default();
    Some(Meaning::Alarm(Box::new(PushedAlarm {
        name: whole_text(name, NAME_CHARS_MAX)?.into(),
        arn: arn.unwrap_or_default(),
        account_id: owner.account_id,
        region: owner.region,
        kind: kind(rule, metrics),
        state: alarm_state(value)?,
        previous_state: alarm_state(previous),
        reason: text_of(reason, TEXT_CHARS_MAX),
        description: member(Some(config), "description", TEXT_CHARS_MAX),
        changed_at: facts::time(time)?,
        namespace: watched.namespace,
        metric: watched.metric,
        dimensions: watched.dimensions,
        threshold: threshold.and_then(number),
        comparison: facts::word(comparison),
    })))
}

/// CloudWatch tells something of an alarm that is no change of its state: the poll knows more.
pub fn not_a_change(event: PushedEvent) -> PushedEvent {
    PushedEvent {
        wakes: Some(Source::Alarms),
        ..event
    }
}

/// Whether a key belongs to what is told of one of an alarm's time series.
fn is_contributor(key: &str) -> bool {
    key.to_ascii_lowercase().contains("contributor")
}

/// Whose an alarm is.
struct Owner {
    account_id: Option<String>,
    region: Option<String>,
}

impl Owner {
    /// The ARN is believed first: arn:partition:cloudwatch:region:account:alarm:name.
    fn new(arn: Option<&str>, account: Option<&str>, region: Option<&str>) -> Owner {
        let of_arn = |at| arn.and_then(|arn| arn_part(arn, at));
        let account_id = of_arn(4).and_then(facts::account);
        let in_arn = of_arn(3).and_then(facts::region);
        Owner {
            account_id: account_id.or_else(|| account.and_then(facts::account)),
            region: in_arn.or_else(|| region.and_then(facts::region)),
        }
    }
}

fn arn_part(arn: &str, at: usize) -> Option<&str> {
    arn.split(':').nth(at)
}

/// A composite has a rule; an alarm of metrics tells them. What log alarms tell is not
/// documented: they have neither, or a trigger without a metric that speaks of a log.
fn kind(rule: Option<&str>, watched: Option<&str>) -> AlarmKind {
    let given = |value: &&str| *value != "null";
    if rule.filter(given).is_some() {
        return AlarmKind::Composite;
    }
    let watched = watched.unwrap_or_default();
    let mut has_metric = !json::is_object(watched);
    let mut has_log = false;
    for (key, _) in json::is_object(watched)
        .then(|| parts(watched))
        .into_iter()
        .flatten()
    {
        has_metric |= key == "MetricName" || key == "Metrics";
        has_log |= key.to_ascii_lowercase().contains("log");
    }
    match has_log && !has_metric {
        true => AlarmKind::Log,
        false => AlarmKind::Metric,
    }
}

fn number(value: &str) -> Option<f64> {
    let number: f64 = serde_json::from_str(value).ok()?;
    number.is_finite().then_some(number)
}

/// `Trigger` of CloudWatch's own notification: of one metric, or of metric math.
fn watched_by_trigger(trigger: &str) -> Watched {
    let names = ["Namespace", "MetricName", "Dimensions", "Metrics"];
    let [namespace, metric, dimensions, metrics] = pick(trigger, names);
    let of_math = metrics
        .into_iter()
        .flat_map(|list| parts(list).take(METRICS_MAX));
    let math = of_math.filter_map(|(_, query)| {
        let [stat] = pick(query, ["MetricStat"]);
        let [metric] = pick(stat?, ["Metric"]);
        let [namespace, dimensions] = pick(metric?, ["Namespace", "Dimensions"]);
        let namespace = text_of(namespace, NAME_CHARS_MAX)?;
        (namespace == NAMESPACE).then(|| pairs(dimensions))
    });
    let own = pairs(dimensions);
    Watched {
        namespace: text_of(namespace, NAME_CHARS_MAX),
        metric: text_of(metric, NAME_CHARS_MAX),
        dimensions: match own.is_empty() {
            true => math.into_iter().next().unwrap_or_default(),
            false => own,
        },
    }
}

/// `configuration.metrics` of EventBridge. An alarm of one metric has a list of one.
fn watched_by_metrics(metrics: &str) -> Watched {
    let mut queries = parts(metrics).take(METRICS_MAX).map(|(_, query)| {
        let [stat] = pick(query, ["metricStat"]);
        let [metric] = pick(stat.unwrap_or_default(), ["metric"]);
        let [namespace, name, dimensions] = pick(
            metric.unwrap_or_default(),
            ["namespace", "name", "dimensions"],
        );
        Watched {
            namespace: text_of(namespace, NAME_CHARS_MAX),
            metric: text_of(name, NAME_CHARS_MAX),
            dimensions: pairs(dimensions),
        }
    });
    let Some(first) = queries.next() else {
        return Watched::default();
    };
    let Some(second) = queries.next() else {
        return first;
    };
    let all = [first, second].into_iter().chain(queries);
    let ours = all
        .into_iter()
        .find(|watched| watched.namespace.as_deref() == Some(NAMESPACE));
    Watched {
        dimensions: ours.map(|watched| watched.dimensions).unwrap_or_default(),
        ..Watched::default()
    }
}

/// Dimensions, in the order of their names: `[{"name": …, "value": …}]` in a notification, an
/// object in an event. When one of them cannot be read, none is taken.
fn pairs(dimensions: Option<&str>) -> Vec<Dimension> {
    let Some(dimensions) = dimensions else {
        return Vec::new();
    };
    let is_object = json::is_object(dimensions);
    let read = parts(dimensions).take(DIMENSIONS_MAX).map(|(key, value)| {
        if is_object {
            let fits = (1..=NAME_CHARS_MAX).contains(&key.chars().count());
            let key = fits.then(|| key.into_owned())?;
            return Some((key, whole_text(Some(value), TEXT_CHARS_MAX)?));
        }
        let [name, small, dimension, small_value] = pick(value, ["Name", "name", "Value", "value"]);
        Some((
            whole_text(small.or(name), NAME_CHARS_MAX)?,
            whole_text(small_value.or(dimension), TEXT_CHARS_MAX)?,
        ))
    });
    let mut pairs: Vec<Dimension> = read.collect::<Option<_>>().unwrap_or_default();
    pairs.sort();
    pairs
}
