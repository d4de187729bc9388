//! `GetMetricData`: values of many series over a window of minutes.

mod columns;

use serde::{Serialize, Serializer};

pub use self::columns::Columns;
use super::{NAMESPACE, to_long_json};
use crate::aws::call::Call;
use crate::aws::client::Service;
use crate::aws::pages::{self, Page};
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::Id;
use crate::state::polled::{Column, Query};
use crate::state::time::Minute;

const OPERATION: &str = "GetMetricData";
/// Queries that AWS takes in one request.
pub const QUERIES_MAX: usize = 500;
/// Room for one in a request.
const QUERY_BYTES_USUAL: usize = 288;
/// The longest window: CloudWatch keeps one-minute data for 15 days.
const WINDOW_MINUTES_MAX: i64 = 15 * 24 * 60;
/// Seconds of one data point.
const PERIOD_SECONDS: u32 = 60;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    metric_data_queries: DataQueries<'a>,
    start_time: i64,
    end_time: i64,
    scan_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

/// Hundreds of them, each made when it is written.
struct DataQueries<'a>(&'a [&'a Query]);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataQuery<'a> {
    id: Place,
    metric_stat: MetricStat<'a>,
    return_data: bool,
}

/// The place of a query in the list: its id, after a letter as AWS wants one in front.
struct Place(usize);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat<'a> {
    metric: Metric<'a>,
    period: u32,
    stat: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric<'a> {
    namespace: &'static str,
    metric_name: &'static str,
    dimensions: Dimensions<'a>,
}

struct Dimensions<'a>(&'a [(&'static str, Id)]);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NameAndValue<'a> {
    name: &'static str,
    value: &'a str,
}

impl Serialize for DataQueries<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let queries = self.0.iter().enumerate();
        to.collect_seq(queries.map(|(place, query)| DataQuery::new(place, query)))
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("m{}", self.0))
    }
}

impl Serialize for Dimensions<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.iter();
        to.collect_seq(pairs.map(|(name, value)| NameAndValue { name, value }))
    }
}

impl<'a> DataQuery<'a> {
    fn new(place: usize, query: &'a Query) -> DataQuery<'a> {
        let metric = Metric {
            namespace: NAMESPACE,
            metric_name: query.metric,
            dimensions: Dimensions(&query.dimensions),
        };
        let stat = query.statistic.as_str();
        DataQuery {
            id: Place(place),
            metric_stat: MetricStat {
                metric,
                period: PERIOD_SECONDS,
                stat,
            },
            return_data: true,
        }
    }
}

/// One [`Column`] for each of `queries`, in their order, for the minutes from `first` to
/// before `end`. At most [`QUERIES_MAX`] queries.
///
/// # Errors
///
/// [`FaultKind::Answer`] when AWS leaves a series out or does not complete it,
/// [`FaultKind::Permission`] when it forbids one, and any fault of any page: what is not
/// complete could show gaps that are none.
pub fn metric_data(
    service: &Service,
    queries: &[&Query],
    first: Minute,
    end: Minute,
) -> Result<Vec<Column>, Fault> {
    let minutes = end.0.saturating_sub(first.0);
    if queries.len() > QUERIES_MAX || minutes > WINDOW_MINUTES_MAX {
        let what = format!(
            "{} series over {minutes} minutes are too much",
            queries.len()
        );
        return Err(Fault::new(
            FaultKind::Refused,
            format!("{OPERATION}: {what}"),
            "",
        ));
    }
    if minutes <= 0 {
        let nothing = Column {
            first,
            values: Vec::new(),
        };
        return Ok(vec![nothing; queries.len()]);
    }
    let mut columns = Columns::new(queries.len(), first, minutes as usize);
    if queries.is_empty() {
        return columns.complete();
    }
    pages::read_all(OPERATION, |next_token| {
        let room = queries.len() * QUERY_BYTES_USUAL;
        let body = to_long_json(OPERATION, room, &request(queries, first, end, next_token))?;
        let target = "GraniteServiceVersion20100801.GetMetricData";
        let answer = service.send(&Call::json(OPERATION, target, body))?;
        let next = columns.take_page(&answer)?;
        Ok(Page { items: 0, next })
    })?;
    columns.complete()
}

/// Without `Unit` (a wrong one gives nothing) and without `MaxDatapoints` (the default is the
/// most there is).
fn request<'a>(
    queries: &'a [&'a Query],
    first: Minute,
    end: Minute,
    next_token: Option<&'a str>,
) -> Request<'a> {
    Request {
        metric_data_queries: DataQueries(queries),
        start_time: first.start().0 / 1000,
        end_time: end.start().0 / 1000,
        scan_by: "TimestampAscending",
        next_token,
    }
}

#[cfg(test)]
mod tests {
    use super::super::to_json;
    use super::*;
    use crate::state::polled::Statistic;

    const FIRST: Minute = Minute(29_922_360);
    const T0: i64 = 29_922_360 * 60;

    #[test]
    fn the_request_is_what_cloudwatch_documents() {
        let query = Query {
            metric: "EgressBytes",
            statistic: Statistic::Sum,
            dimensions: vec![("Channel", "a \"b\"".into())],
        };
        let queries = [&query];
        let request = request(&queries, FIRST, FIRST.plus(2), Some("t"));
        let json = String::from_utf8(to_json(OPERATION, &request).unwrap()).unwrap();
        let wanted = format!(
            "{{\"MetricDataQueries\":[{{\"Id\":\"m0\",\"MetricStat\":{{\"Metric\":{{\"Namespace\":\
             \"AWS/MediaPackage\",\"MetricName\":\"EgressBytes\",\"Dimensions\":[{{\"Name\":\
             \"Channel\",\"Value\":\"a \\\"b\\\"\"}}]}},\"Period\":60,\"Stat\":\"Sum\"}},\
             \"ReturnData\":true}}],\"StartTime\":{T0},\"EndTime\":{},\"ScanBy\":\
             \"TimestampAscending\",\"NextToken\":\"t\"}}",
            T0 + 120
        );
        assert_eq!(json, wanted);
    }
}
