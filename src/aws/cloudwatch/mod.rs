//! CloudWatch over the AWS JSON 1.0 protocol: lists metrics, reads their data, lists alarms.
//! Pure but for the [`Service`] that carries the requests.
//!
//! Source: botocore cloudwatch/2010-08-01. Times are seconds since 1970, also fractional.

use serde::{Deserialize, Serialize};

use super::answer::parse_json;
use super::call::Call;
use super::client::Service;
use super::pages::{self, Page};
use crate::state::fault::{Fault, FaultKind};
use crate::state::polled::{Dimension, ListedMetric};

mod alarms;
mod metric_data;

use texts::NAMESPACE;

pub use alarms::{describe_alarms, read_alarms};
pub use metric_data::{Columns, QUERIES_MAX, metric_data};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RawDimension {
    name: Option<String>,
    value: Option<String>,
}

/// In the order of their names; `None` when one is incomplete.
fn dimensions(raw: Vec<RawDimension>) -> Option<Vec<Dimension>> {
    let pairs = raw.into_iter().map(|raw| Some((raw.name?, raw.value?)));
    let mut dimensions = pairs.collect::<Option<Vec<Dimension>>>()?;
    dimensions.sort();
    Some(dimensions)
}

/// Serializes what only holds text, numbers and lists of them.
fn to_json<T: Serialize>(operation: &str, value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|_| not_written(operation))
}

fn not_written(operation: &str) -> Fault {
    let what = format!("the request for {operation} cannot be written");
    Fault::new(FaultKind::Refused, what, "")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListMetricsRequest<'a> {
    namespace: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListMetricsPage {
    metrics: Option<Vec<RawMetric>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMetric {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<RawDimension>>,
}

/// Every metric of `AWS/MediaPackage` that CloudWatch lists and `keep` wants, each once, in order.
/// A region lists tens of thousands; what nobody asks for is dropped page by page.
///
/// # Errors
///
/// Any fault of any page: a listing is complete, or there is none.
pub fn list_metrics(
    service: &Service,
    keep: impl Fn(&ListedMetric) -> bool,
) -> Result<Vec<ListedMetric>, Fault> {
    const OPERATION: &str = "ListMetrics";
    let mut listed = Vec::new();
    let mut items = 0;
    pages::read_all(OPERATION, |next_token| {
        let request = ListMetricsRequest {
            namespace: NAMESPACE,
            next_token,
        };
        let body = to_json(OPERATION, &request)?;
        let target = "GraniteServiceVersion20100801.ListMetrics";
        let answer = service.send(&Call::json(OPERATION, target, body))?;
        let (metrics, next) = read_metrics(OPERATION, &answer)?;
        items += metrics.len();
        listed.extend(metrics.into_iter().filter(&keep));
        Ok(Page { items, next })
    })?;
    listed.sort_unstable();
    listed.dedup();
    Ok(listed)
}

/// Reads one page of `ListMetrics`: its metrics, and the token of the next.
///
/// # Errors
///
/// [`FaultKind::Answer`] when it is no such page.
pub fn read_metrics(
    operation: &str,
    body: &[u8],
) -> Result<(Vec<ListedMetric>, Option<String>), Fault> {
    let page: ListMetricsPage = parse_json(operation, body)?;
    let ours = |raw: &RawMetric| {
        raw.namespace
            .as_deref()
            .is_none_or(|name| name == NAMESPACE)
    };
    let listed = |raw: RawMetric| {
        let dimensions = raw.dimensions.as_deref().unwrap_or_default().iter();
        let pairs = dimensions.map(|raw| Some((raw.name.as_deref()?, raw.value.as_deref()?)));
        let mut pairs = pairs.collect::<Option<Vec<_>>>()?;
        ListedMetric::new(raw.metric_name.as_deref()?, &mut pairs)
    };
    let metrics = page.metrics.unwrap_or_default().into_iter();
    Ok((
        metrics.filter(ours).filter_map(listed).collect(),
        page.next_token,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_listed_with_their_dimensions_in_order_of_the_name() {
        let body = r#"{"Metrics":[
            {"Namespace":"AWS/MediaPackage","MetricName":"EgressBytes","New":{"x":1},"Dimensions":[
                {"Name":"OriginEndpoint","Value":"é \"x\""},{"Name":"Channel","Value":"a/b#c+d"}]},
            {"Namespace":"AWS/MediaPackage","MetricName":"IngressBytes","Dimensions":null},
            {"Namespace":"AWS/EC2","MetricName":"EgressBytes","Dimensions":[]},
            {"MetricName":null,"Dimensions":[]},
            {"MetricName":"Egress\u0000Bytes","Dimensions":[]},
            {"MetricName":"EgressBytes","Dimensions":[{"Name":"Channel"}]}],
            "NextToken":"t+/="}"#;
        let (metrics, next) = read_metrics("ListMetrics", body.as_bytes()).unwrap();
        let shown = |metric: &ListedMetric| {
            let pairs = metric.dimensions();
            let pairs = pairs.map(|(name, value)| format!(" {name}={value}"));
            metric.name().to_owned() + &pairs.collect::<String>()
        };
        let shown: Vec<String> = metrics.iter().map(shown).collect();
        let wanted = [
            "EgressBytes Channel=a/b#c+d OriginEndpoint=é \"x\"",
            "IngressBytes",
        ];
        assert_eq!(shown, wanted);
        assert_eq!(next.as_deref(), Some("t+/="));
    }

    #[test]
    fn a_listing_of_wrong_types_is_a_fault() {
        for body in [
            "",
            "[]",
            r#"{"Metrics":{}}"#,
            r#"{"Metrics":[{"MetricName":1}]}"#,
        ] {
            let fault = read_metrics("ListMetrics", body.as_bytes()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Answer, "{body}");
        }
        assert_eq!(read_metrics("ListMetrics", b"{}"), Ok((Vec::new(), None)));
    }

    #[test]
    fn the_request_names_the_namespace_and_the_page() {
        let request = |next_token| {
            let request = ListMetricsRequest {
                namespace: NAMESPACE,
                next_token,
            };
            String::from_utf8(to_json("ListMetrics", &request).unwrap()).unwrap()
        };
        assert_eq!(request(None), r#"{"Namespace":"AWS/MediaPackage"}"#);
        let wanted = r#"{"Namespace":"AWS/MediaPackage","NextToken":"a\"b"}"#;
        assert_eq!(request(Some("a\"b")), wanted);
    }
}
