//! `GetMetricData`: values of many series over a window of minutes.

mod columns;

use texts::Window;

pub use self::columns::Columns;
use super::not_written;
use crate::aws::call::Call;
use crate::aws::client::Service;
use crate::aws::pages::{self, Page};
use crate::state::fault::{Fault, FaultKind};
use crate::state::polled::{Column, Query};
use crate::state::time::Minute;

const OPERATION: &str = "GetMetricData";
/// Queries that AWS takes in one request.
pub const QUERIES_MAX: usize = 500;
/// The longest window: CloudWatch keeps one-minute data for 15 days.
const WINDOW_MINUTES_MAX: i64 = 15 * 24 * 60;

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
        let body = request(queries, first, end, next_token)?;
        let target = "GraniteServiceVersion20100801.GetMetricData";
        let answer = service.send(&Call::json(OPERATION, target, body))?;
        let next = columns.take_page(&answer)?;
        Ok(Page { items: 0, next })
    })?;
    columns.complete()
}

fn request(
    queries: &[&Query],
    first: Minute,
    end: Minute,
    next_token: Option<&str>,
) -> Result<Vec<u8>, Fault> {
    let window = Window {
        start: first.start().0 / 1000,
        end: end.start().0 / 1000,
    };
    let series = |place: usize| {
        let query = queries[place];
        texts::AskedSeries {
            metric: query.metric,
            statistic: query.statistic.as_str(),
            dimensions: &query.dimensions,
        }
    };
    let written = texts::request(queries.len(), &series, &window, next_token);
    written.map_err(|_| not_written(OPERATION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::polled::Statistic;

    #[test]
    fn the_request_asks_for_each_query_and_the_whole_window() {
        let query = |metric, statistic, channel: &str| Query {
            metric,
            statistic,
            dimensions: [("Channel", channel.into())].into_iter().collect(),
        };
        let first = query("EgressBytes", Statistic::Sum, "a");
        let second = query("IngressResponseTime", Statistic::Average, "b");
        let queries = [&first, &second];
        let body = request(&queries, Minute(29_922_360), Minute(29_922_362), None).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["StartTime"], 29_922_360_i64 * 60);
        assert_eq!(body["EndTime"], 29_922_362_i64 * 60);
        for (place, (channel, stat)) in [("a", "Sum"), ("b", "Average")].into_iter().enumerate() {
            let asked = &body["MetricDataQueries"][place];
            assert_eq!(asked["Id"], format!("m{place}"));
            assert_eq!(asked["MetricStat"]["Stat"], stat);
            let metric = &asked["MetricStat"]["Metric"];
            assert_eq!(metric["MetricName"], queries[place].metric);
            assert_eq!(metric["Dimensions"][0]["Value"], channel);
        }
    }
}
