//! The request of `GetMetricData`.

use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Where MediaPackage v1 and v2 put their metrics.
pub const NAMESPACE: &str = "AWS/MediaPackage";
/// Seconds of one data point.
const PERIOD_SECONDS: u32 = 60;
/// Room for one query.
const QUERY_BYTES_USUAL: usize = 288;

/// One series to ask for.
pub struct AskedSeries<'a> {
    /// The metric's name.
    pub metric: &'a str,
    /// The statistic, as CloudWatch spells it.
    pub statistic: &'a str,
    /// Names and values.
    pub dimensions: &'a [(&'static str, Arc<str>)],
}

/// The time asked for, in seconds since 1970: from the first to before the last.
pub struct Window {
    /// The first second.
    pub start: i64,
    /// The second after the last.
    pub end: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    metric_data_queries: Queries<'a>,
    start_time: i64,
    end_time: i64,
    scan_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

/// Hundreds of them, each made when it is written.
struct Queries<'a> {
    count: usize,
    series: &'a dyn Fn(usize) -> AskedSeries<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NumberedQuery<'a> {
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
    stat: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric<'a> {
    namespace: &'static str,
    metric_name: &'a str,
    dimensions: NamesAndValues<'a>,
}

struct NamesAndValues<'a>(&'a [(&'static str, Arc<str>)]);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NameAndValue<'a> {
    name: &'static str,
    value: &'a str,
}

impl Serialize for Queries<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let queries = (0..self.count).map(|place| numbered(place, &(self.series)(place)));
        to.collect_seq(queries)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("m{}", self.0))
    }
}

impl Serialize for NamesAndValues<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.iter();
        to.collect_seq(pairs.map(|(name, value)| NameAndValue { name, value }))
    }
}

fn numbered<'a>(place: usize, series: &AskedSeries<'a>) -> NumberedQuery<'a> {
    let metric = Metric {
        namespace: NAMESPACE,
        metric_name: series.metric,
        dimensions: NamesAndValues(series.dimensions),
    };
    NumberedQuery {
        id: Place(place),
        metric_stat: MetricStat {
            metric,
            period: PERIOD_SECONDS,
            stat: series.statistic,
        },
        return_data: true,
    }
}

/// The JSON that asks for the minutes of `count` series, oldest first. `series` tells which is at
/// a place; that place, after an `m`, is its id.
///
/// Without `Unit` (a wrong one gives nothing) and without `MaxDatapoints` (the default is the
/// most there is). Source: the CloudWatch API reference, "GetMetricData".
///
/// # Errors
///
/// None that is known: there is nothing here that JSON cannot say.
pub fn request<'a>(
    count: usize,
    series: &'a dyn Fn(usize) -> AskedSeries<'a>,
    window: &Window,
    next_token: Option<&'a str>,
) -> serde_json::Result<Vec<u8>> {
    let request = Request {
        metric_data_queries: Queries { count, series },
        start_time: window.start,
        end_time: window.end,
        scan_by: "TimestampAscending",
        next_token,
    };
    let mut json = Vec::with_capacity(count * QUERY_BYTES_USUAL);
    serde_json::to_writer(&mut json, &request).map(|()| json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_what_cloudwatch_documents() {
        let dimensions = [("Channel", "a \"b\"".into())];
        let series = |_| AskedSeries {
            metric: "EgressBytes",
            statistic: "Sum",
            dimensions: &dimensions,
        };
        let window = Window {
            start: 1_795_341_600,
            end: 1_795_341_720,
        };
        let json = request(1, &series, &window, Some("t")).unwrap();
        let wanted = "{\"MetricDataQueries\":[{\"Id\":\"m0\",\"MetricStat\":{\"Metric\":{\
                      \"Namespace\":\"AWS/MediaPackage\",\"MetricName\":\"EgressBytes\",\
                      \"Dimensions\":[{\"Name\":\"Channel\",\"Value\":\"a \\\"b\\\"\"}]},\
                      \"Period\":60,\"Stat\":\"Sum\"},\"ReturnData\":true}],\"StartTime\":\
                      1795341600,\"EndTime\":1795341720,\"ScanBy\":\"TimestampAscending\",\
                      \"NextToken\":\"t\"}";
        assert_eq!(String::from_utf8(json).unwrap(), wanted);
    }
}
