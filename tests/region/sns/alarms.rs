//! What CloudWatch tells about an alarm: its own notification, and EventBridge's event.
//!
//! Both are built from what `DescribeAlarms` lists, overlays included. Sources: CloudWatch user
//! guide, "Notifying users on alarm changes" and "Alarm events and EventBridge", and public
//! captures of messages. Nobody has shown the message of a log alarm: here it has the members
//! that all others have.

use serde_json::Value;

use super::super::cloudwatch::listed_alarm;
use super::super::world::{ACCOUNT, Alarm, AlarmKind, World};
use super::json::{iso_seconds, list, object, offset_ms, text, text_or_null};
use super::uuid;

/// Characters of a subject (service model of SNS: `Publish`).
const SUBJECT_CHARS_MAX: usize = 100;
/// When the alarms of a world were configured: as `DescribeAlarms` tells it.
const CONFIGURED_MS: i64 = 1_767_225_600_000;

/// Why an alarm of the region came to a state, in words.
pub fn reason(state: &str) -> &'static str {
    match state {
        "ALARM" => {
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint \
             was treated as [Breaching]."
        }
        "OK" => {
            "Threshold Crossed: 1 out of the last 1 datapoints [5.0E7 (22/11/26 10:00:00)] was \
             not less than the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition)."
        }
        _ => "Insufficient Data: 1 datapoint was unknown.",
    }
}

/// `ALARM: "name" in EU (Frankfurt)`, cut to what a subject may have.
pub fn subject(world: &World, alarm: &Alarm, new: &str) -> String {
    let whole = format!(
        "{new}: \"{}\" in {}",
        alarm.name,
        region_name(&world.region)
    );
    let plain = whole.chars().filter(|c| !c.is_control());
    plain.take(SUBJECT_CHARS_MAX).collect()
}

/// The string that CloudWatch publishes when an alarm changes its state.
pub fn alarm_message(world: &World, alarm: &Alarm, new: &str, old: &str, at_ms: i64) -> String {
    let listed = listed_alarm(world, alarm);
    let is_composite = matches!(alarm.kind, AlarmKind::Composite(_));
    let mut members = vec![
        ("AlarmName", text(&alarm.name)),
        (
            "AlarmDescription",
            text_or_null(listed["AlarmDescription"].as_str()),
        ),
        ("AWSAccountId", text(ACCOUNT)),
    ];
    if !is_composite {
        members.push((
            "AlarmConfigurationUpdatedTimestamp",
            text(&offset_ms(CONFIGURED_MS)),
        ));
    }
    members.extend([
        ("NewStateValue", text(new)),
        ("NewStateReason", text(&alarm.reason)),
        ("StateChangeTime", text(&offset_ms(at_ms))),
        ("Region", text(region_name(&world.region))),
        ("AlarmArn", listed["AlarmArn"].to_string()),
        ("OldStateValue", text(old)),
        ("OKActions", listed["OKActions"].to_string()),
        ("AlarmActions", listed["AlarmActions"].to_string()),
        (
            "InsufficientDataActions",
            listed["InsufficientDataActions"].to_string(),
        ),
    ]);
    match alarm.kind {
        AlarmKind::Metric { .. } => members.push(("Trigger", trigger(&listed))),
        AlarmKind::Math(_) => members.push(("Trigger", math_trigger(&listed))),
        AlarmKind::Composite(_) => members.extend([
            ("AlarmRule", listed["AlarmRule"].to_string()),
            ("TriggeringChildren", children(world, &listed)),
        ]),
        AlarmKind::Log => {}
    }
    if world.unknown_fields {
        members.push(("ANewMember", String::from("[{\"deep\":null}]")));
    }
    object(&members)
}

/// EventBridge's event about the same change.
pub fn eventbridge_alarm(world: &World, alarm: &Alarm, new: &str, old: &str, at_ms: i64) -> String {
    let listed = listed_alarm(world, alarm);
    let state = |value: &str, reason: &str, ms: i64| {
        object(&[
            ("value", text(value)),
            ("reason", text(reason)),
            ("reasonData", text(&reason_data(ms))),
            ("timestamp", text(&offset_ms(ms))),
        ])
    };
    let detail = object(&[
        ("alarmName", text(&alarm.name)),
        ("state", state(new, &alarm.reason, at_ms)),
        ("previousState", state(old, reason(old), at_ms - 60_000)),
        ("configuration", configuration(&listed)),
    ]);
    object(&[
        ("version", text("0")),
        ("id", text(&uuid())),
        ("detail-type", text("CloudWatch Alarm State Change")),
        ("source", text("aws.cloudwatch")),
        ("account", text(ACCOUNT)),
        ("time", text(&iso_seconds(at_ms))),
        ("region", text(&world.region)),
        ("resources", list([listed["AlarmArn"].to_string()])),
        ("detail", detail),
    ])
}

/// JSON inside a string, as AWS has it.
fn reason_data(at_ms: i64) -> String {
    object(&[
        ("version", text("1.0")),
        ("queryDate", text(&offset_ms(at_ms))),
        ("statistic", text("Sum")),
        ("period", String::from("60")),
        ("recentDatapoints", String::from("[]")),
        ("threshold", String::from("1.0")),
    ])
}

fn configuration(listed: &Value) -> String {
    let mut members = Vec::new();
    if let Some(rule) = listed["AlarmRule"].as_str() {
        members.push(("alarmRule", text(rule)));
    }
    if let Some(description) = listed["AlarmDescription"].as_str() {
        members.push(("description", text(description)));
    }
    if listed["MetricName"].is_string() {
        members.push(("metrics", list([event_metric(listed, listed, "1")])));
    } else if let Some(metrics) = listed["Metrics"].as_array() {
        let one = |metric: &Value| match &metric["MetricStat"] {
            Value::Null => object(&[
                ("id", metric["Id"].to_string()),
                ("expression", metric["Expression"].to_string()),
                ("label", metric["Label"].to_string()),
                ("returnData", metric["ReturnData"].to_string()),
            ]),
            stat => event_metric(&stat["Metric"], stat, metric["Id"].as_str().unwrap_or("m")),
        };
        members.push(("metrics", list(metrics.iter().map(one))));
    }
    object(&members)
}

/// A metric in an event: dimensions are one object.
fn event_metric(metric: &Value, stat: &Value, id: &str) -> String {
    let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
    let pair = |d: &Value| {
        (
            d["Name"].as_str().unwrap_or_default().to_owned(),
            d["Value"].clone(),
        )
    };
    let dimensions: serde_json::Map<_, _> = dimensions.map(pair).collect();
    let named = object(&[
        ("namespace", metric["Namespace"].to_string()),
        ("name", metric["MetricName"].to_string()),
        ("dimensions", Value::Object(dimensions).to_string()),
    ]);
    let statistic = if stat["Stat"].is_string() {
        &stat["Stat"]
    } else {
        &stat["Statistic"]
    };
    let stat = object(&[
        ("metric", named),
        ("period", stat["Period"].to_string()),
        ("stat", statistic.to_string()),
    ]);
    object(&[
        ("id", text(id)),
        ("metricStat", stat),
        ("returnData", String::from("true")),
    ])
}

/// A single metric: the statistic in capitals, the keys of dimensions in small letters.
fn trigger(listed: &Value) -> String {
    let statistic = listed["Statistic"]
        .as_str()
        .unwrap_or_default()
        .to_uppercase();
    let mut members = vec![
        ("MetricName", listed["MetricName"].to_string()),
        ("Namespace", listed["Namespace"].to_string()),
        ("StatisticType", text("Statistic")),
        ("Statistic", text(&statistic)),
        ("Unit", listed["Unit"].to_string()),
        ("Dimensions", dimensions(&listed["Dimensions"])),
        ("Period", listed["Period"].to_string()),
    ];
    members.extend(limits(listed));
    object(&members)
}

fn math_trigger(listed: &Value) -> String {
    let mut members = vec![("Period", String::from("60"))];
    members.extend(limits(listed));
    let metrics = listed["Metrics"].as_array().into_iter().flatten();
    members.push(("Metrics", list(metrics.map(trigger_metric))));
    object(&members)
}

fn limits(listed: &Value) -> Vec<(&'static str, String)> {
    let missing = listed["TreatMissingData"].as_str().unwrap_or_default();
    let mut members = vec![("EvaluationPeriods", listed["EvaluationPeriods"].to_string())];
    if !listed["DatapointsToAlarm"].is_null() {
        members.push(("DatapointsToAlarm", listed["DatapointsToAlarm"].to_string()));
    }
    members.extend([
        (
            "ComparisonOperator",
            listed["ComparisonOperator"].to_string(),
        ),
        ("Threshold", listed["Threshold"].to_string()),
        ("TreatMissingData", text(missing)),
        ("EvaluateLowSampleCountPercentile", text("")),
    ]);
    members
}

/// One of `Metrics`, which the request that made the alarm has as well.
fn trigger_metric(metric: &Value) -> String {
    let mut members = Vec::new();
    for name in ["Expression", "Id", "Label"] {
        if !metric[name].is_null() {
            members.push((name, metric[name].to_string()));
        }
    }
    let stat = &metric["MetricStat"];
    if stat.is_object() {
        let named = object(&[
            ("Dimensions", dimensions(&stat["Metric"]["Dimensions"])),
            ("MetricName", stat["Metric"]["MetricName"].to_string()),
            ("Namespace", stat["Metric"]["Namespace"].to_string()),
        ]);
        members.push((
            "MetricStat",
            object(&[
                ("Metric", named),
                ("Period", stat["Period"].to_string()),
                ("Stat", stat["Stat"].to_string()),
            ]),
        ));
    }
    let is_result = metric["ReturnData"].as_bool().unwrap_or(true);
    members.push(("ReturnData", is_result.to_string()));
    object(&members)
}

fn dimensions(listed: &Value) -> String {
    let all = listed.as_array().into_iter().flatten();
    list(all.map(|dimension| {
        let (value, name) = (&dimension["Value"], &dimension["Name"]);
        object(&[("value", value.to_string()), ("name", name.to_string())])
    }))
}

/// The alarms in `ALARM` that the rule names.
fn children(world: &World, listed: &Value) -> String {
    let rule = listed["AlarmRule"].as_str().unwrap_or_default();
    let named = world
        .alarms
        .iter()
        .filter(|a| a.state == "ALARM" && rule.contains(&a.name));
    list(named.map(|alarm| {
        let state = object(&[
            ("Value", text(&alarm.state)),
            ("Timestamp", text(&offset_ms(alarm.updated_ms))),
        ]);
        object(&[
            ("Arn", listed_alarm(world, alarm)["AlarmArn"].to_string()),
            ("State", state),
        ])
    }))
}

/// Region names as CloudWatch writes them; the region's code where none is known here.
fn region_name(region: &str) -> &str {
    match region {
        "eu-central-1" => "EU (Frankfurt)",
        "eu-west-1" => "EU (Ireland)",
        "us-east-1" => "US East (N. Virginia)",
        "us-west-2" => "US West (Oregon)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        other => other,
    }
}
