//! CloudWatch over AWS JSON 1.0: `GetMetricData`, `ListMetrics` and `DescribeAlarms`.
//!
//! Shapes and limits as in the service model of 2010-08-01. Members that the model does not
//! know are ignored, as AWS does; wrong JSON types are a `SerializationException`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::metric_data::{self, Dimension};
use super::refusal::Refusal;
use super::series::Series;
use super::server::{Answer, Request, Seen};
use super::token;
use super::world::{ACCOUNT, Alarm, AlarmKind, World};

/// Answers a request that was found to be signed and allowed.
pub fn serve(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    let target = request.header("x-amz-target").unwrap_or_default();
    let known = target.strip_prefix("GraniteServiceVersion20100801.");
    let media_type = request.header("content-type").unwrap_or_default();
    if request.method != "POST" || request.path != "/" || !media_type.starts_with(MEDIA_TYPE) {
        let text = "A request is a POST to / with Content-Type application/x-amz-json-1.0";
        return Err(Refusal::new(404, "UnknownOperationException", text));
    }
    let body = match known {
        Some("GetMetricData") => metric_data::serve(world, request, seen)?,
        Some("ListMetrics") => list_metrics(world, request, seen)?,
        Some("DescribeAlarms") => describe_alarms(world, request, seen)?,
        _ => return Err(Refusal::new(400, "UnknownOperationException", target)),
    };
    Ok(Answer::json(200, body).with("Content-Type", MEDIA_TYPE))
}

const MEDIA_TYPE: &str = "application/x-amz-json-1.0";
const RECORDS_MAX: i64 = 100;
const RECORDS_DEFAULT: usize = 50;

/// Reads the body; wrong types are what AWS cannot deserialize.
pub fn parse<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body)
        .map_err(|e| Refusal::new(400, "SerializationException", &e.to_string()))
}

/// A request that is well-formed but not valid.
pub fn validation(text: &str) -> Refusal {
    Refusal::new(400, "ValidationError", text)
}

/// A page token that was never given.
pub fn invalid_token() -> Refusal {
    Refusal::new(400, "InvalidNextToken", "Invalid NextToken")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
    next_token: Option<String>,
    recently_active: Option<String>,
}

fn list_metrics(world: &World, request: &Request, seen: &mut Seen) -> Result<String, Refusal> {
    let input: ListMetrics = parse(request)?;
    seen.continued = input.next_token.is_some();
    let recent = match input.recently_active.as_deref() {
        None => false,
        Some("PT3H") => true,
        Some(_) => return Err(validation("RecentlyActive must be PT3H.")),
    };
    let filters = input.dimensions.as_deref().unwrap_or_default();
    if filters.len() > 10 || filters.iter().any(|f| f.name.is_none()) {
        return Err(validation(
            "Dimensions takes at most 10 filters, each with a Name.",
        ));
    }
    let now_ms = world.now_ms();
    let wanted = |series: &Series| {
        series.listed
            && input
                .namespace
                .as_deref()
                .is_none_or(|n| n == "AWS/MediaPackage")
            && input.metric_name.as_ref().is_none_or(|n| *n == series.name)
            && filters.iter().all(|filter| passes(series, filter))
            && (!recent || recently_active(series, now_ms))
    };
    let copies = world.pages.metric_copies.max(1);
    let start = token::parse::<2>("ListMetrics", input.next_token.as_deref());
    let [first, copy] = start.ok_or_else(invalid_token)?;
    let listed = world
        .metrics
        .iter()
        .enumerate()
        .skip(first)
        .filter(|(_, s)| wanted(s));
    let mut rest = listed
        .flat_map(|(n, series)| (0..copies).map(move |copy| (n, copy, series)))
        .skip_while(|(n, c, _)| (*n, *c) < (first, copy));
    let page = rest.by_ref().take(world.pages.metrics);
    let metrics: Vec<Value> = page.map(|(_, _, series)| metric(series)).collect();
    let mut body = json!({ "Metrics": metrics });
    if let Some((n, copy, _)) = rest.next() {
        body["NextToken"] = json!(token::make("ListMetrics", &[n, copy]));
    }
    Ok(body.to_string())
}

fn passes(series: &Series, filter: &Dimension) -> bool {
    series.dimensions.iter().any(|(name, value)| {
        filter.name.as_ref() == Some(name) && filter.value.as_ref().is_none_or(|v| v == value)
    })
}

/// `RecentlyActive` is coarse: whatever had data in the last three hours and fifty minutes.
fn recently_active(series: &Series, now_ms: i64) -> bool {
    let minute = now_ms.div_euclid(60_000);
    (minute - 230..=minute)
        .rev()
        .any(|m| series.at(m, now_ms).is_some())
}

fn metric(series: &Series) -> Value {
    json!({
        "Namespace": "AWS/MediaPackage",
        "MetricName": series.name,
        "Dimensions": named(&series.dimensions),
    })
}

fn named(dimensions: &[(String, String)]) -> Vec<Value> {
    dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeAlarms {
    alarm_names: Option<Vec<String>>,
    alarm_name_prefix: Option<String>,
    alarm_types: Option<Vec<String>>,
    state_value: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

fn describe_alarms(world: &World, request: &Request, seen: &mut Seen) -> Result<String, Refusal> {
    let input: DescribeAlarms = parse(request)?;
    let limit = match input.max_records {
        None => world.pages.alarms.min(RECORDS_DEFAULT),
        Some(n @ 1..=RECORDS_MAX) => world.pages.alarms.min(n as usize),
        Some(n) => {
            let text = format!("Value '{n}' at 'maxRecords' must be between 1 and 100");
            return Err(validation(&text));
        }
    };
    seen.limit = input.max_records.map(|n| n as usize);
    seen.continued = input.next_token.is_some();
    // Whoever names no types gets metric alarms only.
    let metric_only = vec![String::from("MetricAlarm")];
    let types = input
        .alarm_types
        .as_ref()
        .filter(|t| !t.is_empty())
        .unwrap_or(&metric_only);
    if let Some(unknown) = types
        .iter()
        .find(|t| !KINDS.iter().any(|(kind, _)| kind == t))
    {
        let text = format!("Value '{unknown}' at 'alarmTypes' failed to satisfy constraint");
        return Err(validation(&text));
    }
    let wanted = |alarm: &&Alarm| {
        types.iter().any(|t| t == kind(alarm).0)
            && input
                .alarm_names
                .as_ref()
                .is_none_or(|names| names.contains(&alarm.name))
            && input
                .alarm_name_prefix
                .as_ref()
                .is_none_or(|p| alarm.name.starts_with(p.as_str()))
            && input
                .state_value
                .as_ref()
                .is_none_or(|state| *state == alarm.state)
    };
    let mut all: Vec<&Alarm> = world.alarms.iter().filter(wanted).collect();
    all.sort_by_key(|alarm| (kind(alarm).0, &alarm.name));
    let start = token::parse::<1>("DescribeAlarms", input.next_token.as_deref());
    let [start] = start.ok_or_else(invalid_token)?;
    let start = start.min(all.len());
    let end = all.len().min(start + limit);
    let mut body: Map<String, Value> = KINDS
        .iter()
        .map(|(_, member)| (member.to_string(), json!([])))
        .collect();
    for alarm in &all[start..end] {
        let list = body.get_mut(kind(alarm).1).and_then(Value::as_array_mut);
        list.expect("a member of every kind")
            .push(listed_alarm(world, alarm));
    }
    if end < all.len() {
        let next = token::make("DescribeAlarms", &[end]);
        body.insert("NextToken".to_owned(), json!(next));
    }
    Ok(Value::Object(body).to_string())
}

/// Name of each kind in requests, and the member it is listed in.
const KINDS: [(&str, &str); 3] = [
    ("MetricAlarm", "MetricAlarms"),
    ("CompositeAlarm", "CompositeAlarms"),
    ("LogAlarm", "LogAlarms"),
];

fn kind(alarm: &Alarm) -> (&'static str, &'static str) {
    match alarm.kind {
        AlarmKind::Metric { .. } | AlarmKind::Math(_) => KINDS[0],
        AlarmKind::Composite(_) => KINDS[1],
        AlarmKind::Log => KINDS[2],
    }
}

/// As `DescribeAlarms` lists it.
pub fn listed_alarm(world: &World, alarm: &Alarm) -> Value {
    let seconds = alarm.updated_ms as f64 / 1000.0;
    let mut listed = json!({
        "AlarmName": alarm.name,
        "AlarmArn": format!("arn:aws:cloudwatch:{}:{ACCOUNT}:alarm:{}", world.region, alarm.name),
        "AlarmConfigurationUpdatedTimestamp": 1_767_225_600.0,
        "ActionsEnabled": true,
        "OKActions": alarm.actions,
        "AlarmActions": alarm.actions,
        "InsufficientDataActions": alarm.actions,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": seconds,
        "StateTransitionedTimestamp": seconds,
    });
    if let Some(description) = &alarm.description {
        listed["AlarmDescription"] = json!(description);
    }
    let more = match &alarm.kind {
        AlarmKind::Metric {
            namespace,
            metric,
            dimensions,
        } => json!({
            "Namespace": namespace, "MetricName": metric, "Dimensions": named(dimensions),
            "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "DatapointsToAlarm": 1,
            "Threshold": 1.0, "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
        }),
        AlarmKind::Math(metrics) => json!({
            "Metrics": metrics, "EvaluationPeriods": 1, "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }),
        AlarmKind::Composite(rule) => json!({ "AlarmRule": rule }),
        AlarmKind::Log => json!({"EvaluationPeriods": 1, "Threshold": 1.0}),
    };
    let more = more.as_object().into_iter().flatten();
    for (name, value) in more.chain(&alarm.overlay) {
        listed[name] = value.clone();
    }
    if world.unknown_fields {
        listed["ANewMember"] = json!([{"deep": null}]);
    }
    listed
}
