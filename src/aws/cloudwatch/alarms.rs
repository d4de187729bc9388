//! `DescribeAlarms`: the alarms of the region, of every kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NAMESPACE, RawDimension, dimensions, to_json};
use crate::aws::answer::parse_json;
use crate::aws::call::Call;
use crate::aws::client::Service;
use crate::aws::pages::{self, Page};
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::Id;
use crate::state::polled::{AlarmKind, PolledAlarm};
use crate::state::time::UnixMs;

const OPERATION: &str = "DescribeAlarms";
/// Alarms that AWS gives at once, at most.
const PAGE_ALARMS: u32 = 100;
/// Without the types AWS lists metric alarms only.
const TYPES: [&str; 3] = ["MetricAlarm", "CompositeAlarm", "LogAlarm"];
/// The types that every CloudWatch knows; `LogAlarm` is the youngest.
const TYPES_KNOWN_EVERYWHERE: usize = 2;
/// How AWS says that it does not know a value.
const INVALID: [&str; 4] = [
    "ValidationError",
    "ValidationException",
    "InvalidParameterValue",
    "InvalidParameterValueException",
];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    alarm_types: &'a [&'a str],
    max_records: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AlarmsPage {
    metric_alarms: Option<Vec<RawAlarm>>,
    composite_alarms: Option<Vec<RawAlarm>>,
    log_alarms: Option<Vec<RawAlarm>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAlarm {
    alarm_name: Option<String>,
    alarm_arn: Option<String>,
    alarm_description: Option<String>,
    alarm_rule: Option<String>,
    actions_enabled: Option<bool>,
    actions_suppressed_by: Option<String>,
    state_value: Option<String>,
    state_reason: Option<String>,
    state_updated_timestamp: Option<f64>,
    state_transitioned_timestamp: Option<f64>,
    metric_name: Option<String>,
    namespace: Option<String>,
    dimensions: Option<Vec<RawDimension>>,
    threshold: Option<f64>,
    comparison_operator: Option<String>,
    metrics: Option<Vec<RawMetricQuery>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMetricQuery {
    expression: Option<String>,
    metric_stat: Option<RawMetricStat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMetricStat {
    metric: Option<RawMetric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMetric {
    namespace: Option<String>,
    dimensions: Option<Vec<RawDimension>>,
}

/// All alarms of the region, in order of the name.
///
/// Where AWS does not know log alarms it is asked once more without them.
///
/// # Errors
///
/// Any fault of any page: a listing is complete, or there is none.
pub fn describe_alarms(service: &Service) -> Result<Vec<PolledAlarm>, Fault> {
    match list(service, &TYPES) {
        Err(fault)
            if fault
                .code
                .as_deref()
                .is_some_and(|code| INVALID.contains(&code)) =>
        {
            list(service, &TYPES[..TYPES_KNOWN_EVERYWHERE])
        }
        listed => listed,
    }
}

/// An alarm that comes twice is taken from the later page: that was read later.
fn list(service: &Service, types: &[&str]) -> Result<Vec<PolledAlarm>, Fault> {
    let mut alarms = BTreeMap::new();
    pages::read_all(OPERATION, |next_token| {
        let request = Request {
            alarm_types: types,
            max_records: PAGE_ALARMS,
            next_token,
        };
        let body = to_json(OPERATION, &request)?;
        let target = "GraniteServiceVersion20100801.DescribeAlarms";
        let answer = service.send(&Call::json(OPERATION, target, body))?;
        let (page, next) = read_alarms(&answer)?;
        alarms.extend(page.into_iter().map(|alarm| (alarm.name.clone(), alarm)));
        Ok(Page {
            items: alarms.len(),
            next,
        })
    })?;
    Ok(alarms.into_values().collect())
}

/// Reads one page of `DescribeAlarms`: its alarms, and the token of the next.
///
/// # Errors
///
/// [`FaultKind::Answer`] when it is no such page.
pub fn read_alarms(body: &[u8]) -> Result<(Vec<PolledAlarm>, Option<String>), Fault> {
    let page: AlarmsPage = parse_json(OPERATION, body)?;
    let lists = [
        (AlarmKind::Metric, page.metric_alarms),
        (AlarmKind::Composite, page.composite_alarms),
        (AlarmKind::Log, page.log_alarms),
    ];
    // An answer without any of the lists is no listing, and must not pass for an empty one.
    if lists.iter().all(|(_, list)| list.is_none()) {
        return Err(answer_fault("has no list of alarms"));
    }
    let alarms = lists
        .into_iter()
        .flat_map(|(kind, list)| list.into_iter().flatten().map(move |raw| alarm(kind, raw)));
    Ok((alarms.collect::<Result<_, Fault>>()?, page.next_token))
}

fn alarm(kind: AlarmKind, raw: RawAlarm) -> Result<PolledAlarm, Fault> {
    let given = |text: Option<String>, what: &str| {
        text.filter(|text| !text.is_empty())
            .ok_or_else(|| answer_fault(what))
    };
    let metrics = raw.metrics.unwrap_or_default();
    let of_mediapackage =
        raw.namespace.as_deref() == Some(NAMESPACE) || metrics.iter().any(of_mediapackage);
    let updated = raw
        .state_transitioned_timestamp
        .or(raw.state_updated_timestamp);
    let own_dimensions = raw.dimensions.filter(|dimensions| !dimensions.is_empty());
    let dimensions_of = own_dimensions.or_else(|| first_dimensions(metrics));
    Ok(PolledAlarm {
        name: Id::from(given(raw.alarm_name, "has an alarm without a name")?),
        arn: raw.alarm_arn.unwrap_or_default(),
        kind,
        state: given(raw.state_value, "has an alarm without a state")?,
        reason: raw.state_reason,
        description: raw.alarm_description,
        updated_at: updated.and_then(UnixMs::from_seconds),
        namespace: raw.namespace,
        metric: raw.metric_name,
        dimensions: dimensions_of.and_then(dimensions).unwrap_or_default(),
        threshold: raw.threshold,
        comparison: raw.comparison_operator,
        actions_enabled: raw.actions_enabled,
        actions_suppressed: (kind == AlarmKind::Composite)
            .then_some(raw.actions_suppressed_by.is_some()),
        rule: raw.alarm_rule,
        of_mediapackage,
    })
}

fn of_mediapackage(query: &RawMetricQuery) -> bool {
    let in_expression = query
        .expression
        .as_deref()
        .is_some_and(|text| text.contains(NAMESPACE));
    in_expression || mediapackage_metric(query).is_some()
}

fn mediapackage_metric(query: &RawMetricQuery) -> Option<&RawMetric> {
    let metric = query.metric_stat.as_ref()?.metric.as_ref()?;
    (metric.namespace.as_deref() == Some(NAMESPACE)).then_some(metric)
}

/// Of metric math: the dimensions of the first metric of MediaPackage.
fn first_dimensions(metrics: Vec<RawMetricQuery>) -> Option<Vec<RawDimension>> {
    let query = metrics
        .into_iter()
        .find(|query| mediapackage_metric(query).is_some())?;
    query.metric_stat?.metric?.dimensions
}

fn answer_fault(what: &str) -> Fault {
    Fault::new(
        FaultKind::Answer,
        format!("the answer to {OPERATION} {what}"),
        "",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALARMS: &str = include_str!("../../../tests/fixtures/aws/describe-alarms.json");

    #[test]
    fn alarms_of_every_kind_are_read() {
        let (alarms, next) = read_alarms(ALARMS.as_bytes()).unwrap();
        assert_eq!(next.as_deref(), Some("page 2"));
        let shown: Vec<_> = alarms
            .iter()
            .map(|a| (&*a.name, a.kind.as_str(), a.of_mediapackage))
            .collect();
        let wanted = [
            ("Egress 5xx \"news\"", "metric", true),
            ("math", "metric", true),
            ("insights", "metric", true),
            ("cpu", "metric", false),
            ("all of it", "composite", false),
            ("log", "log", false),
        ];
        assert_eq!(shown, wanted);
        let single = &alarms[0];
        assert_eq!(single.state, "ALARM");
        assert_eq!(single.updated_at, Some(UnixMs(1_795_341_600_250)));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            single.dimensions,
            [pair("Channel", "news-hd"), pair("StatusCodeRange", "5xx")]
        );
        assert_eq!(
            (single.threshold, single.actions_suppressed),
            (Some(2.5), None)
        );
        assert_eq!(single.comparison.as_deref(), Some("GreaterThanThreshold"));
        let math = &alarms[1];
        assert_eq!(math.dimensions, [pair("Channel", "math-channel")]);
        assert_eq!((&math.namespace, &math.metric), (&None, &None));
        // Only StateUpdatedTimestamp is there.
        assert_eq!(math.updated_at, Some(UnixMs(1_795_341_000_000)));
        let composite = &alarms[4];
        assert_eq!(composite.actions_suppressed, Some(true));
        assert_eq!(composite.rule.as_deref(), Some("ALARM(\"math\")"));
        assert_eq!(alarms[5].state, "SOMETHING_NEW");
    }

    #[test]
    fn an_answer_that_is_no_listing_is_a_fault() {
        let cases = [
            ("{}", "no list"),
            (r#"{"MetricAlarms":null,"NextToken":null}"#, "no list"),
            (
                r#"{"MetricAlarms":[{"StateValue":"OK"}]}"#,
                "without a name",
            ),
            (r#"{"MetricAlarms":[{"AlarmName":"x"}]}"#, "without a state"),
            (
                r#"{"MetricAlarms":[{"AlarmName":"x","StateValue":1}]}"#,
                "another type",
            ),
            ("<html>", "not JSON"),
        ];
        for (body, wanted) in cases {
            let fault = read_alarms(body.as_bytes()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Answer, "{body}");
            assert!(fault.what.contains(wanted), "{body}: {fault}");
        }
        assert_eq!(
            read_alarms(br#"{"MetricAlarms":[]}"#),
            Ok((Vec::new(), None))
        );
    }

    #[test]
    fn the_request_asks_for_every_kind() {
        let request = Request {
            alarm_types: &TYPES,
            max_records: PAGE_ALARMS,
            next_token: None,
        };
        let json = String::from_utf8(to_json(OPERATION, &request).unwrap()).unwrap();
        let wanted =
            r#"{"AlarmTypes":["MetricAlarm","CompositeAlarm","LogAlarm"],"MaxRecords":100}"#;
        assert_eq!(json, wanted);
        assert_eq!(
            TYPES[..TYPES_KNOWN_EVERYWHERE],
            ["MetricAlarm", "CompositeAlarm"]
        );
    }
}
