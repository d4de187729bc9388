//! What CloudWatch bills: metered as AWS does, and what a month comes to at this pace.
//!
//! Source: the CloudWatch price page. `GetMetricData` costs by the metric requested, whatever
//! comes back (up to five statistics of one metric count once); the other calls cost by the
//! request, and so do those of SQS.

use std::time::Duration;

/// A month as AWS's examples count it.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// `ListMetrics` is asked this often, and when the inventory changed.
pub const LIST_INTERVAL: Duration = Duration::from_secs(600);
/// What AWS takes for a thousand `ListMetrics` or `DescribeAlarms` requests.
const PRICE_PER_1000_REQUESTS_USD: f64 = 0.01;
/// What SQS takes for a thousand requests beyond the first million of a month (standard queue).
const PRICE_PER_1000_QUEUE_REQUESTS_USD: f64 = 0.0004;

/// Counts what is billed since the process started.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Metrics requested.
    pub metrics: u64,
    /// Other billed requests of CloudWatch.
    pub requests: u64,
    /// Requests of SQS.
    pub queue_requests: u64,
}

/// What one round of each kind of poll asks for, for the forecast.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Metrics of one metric poll.
    pub metrics_a_poll: u64,
    /// Time between two metric polls.
    pub metrics_interval: Duration,
    /// Pages of one `ListMetrics`.
    pub list_requests: u64,
    /// Time between two of them.
    pub list_interval: Duration,
    /// Pages of one `DescribeAlarms`.
    pub alarm_requests: u64,
    /// Time between two of them.
    pub alarms_interval: Duration,
    /// Time between two receives of a queue that is empty; zero: there is no queue.
    pub queue_interval: Duration,
}

impl Meter {
    /// What has been spent, in USD.
    pub fn usd(&self, price_per_1000_metrics_usd: f64) -> f64 {
        self.metrics as f64 / 1000.0 * price_per_1000_metrics_usd
            + self.requests as f64 / 1000.0 * PRICE_PER_1000_REQUESTS_USD
            + self.queue_requests as f64 / 1000.0 * PRICE_PER_1000_QUEUE_REQUESTS_USD
    }
}

/// What a month of 30 days costs at this pace, in USD.
pub fn forecast_usd(pace: Pace, price_per_1000_metrics_usd: f64) -> f64 {
    let rounds = |interval: Duration| match interval.is_zero() {
        true => 0.0,
        false => MONTH.as_secs_f64() / interval.as_secs_f64(),
    };
    let metrics = pace.metrics_a_poll as f64 * rounds(pace.metrics_interval);
    let requests = pace.list_requests as f64 * rounds(pace.list_interval)
        + pace.alarm_requests as f64 * rounds(pace.alarms_interval);
    metrics / 1000.0 * price_per_1000_metrics_usd
        + requests / 1000.0 * PRICE_PER_1000_REQUESTS_USD
        + rounds(pace.queue_interval) / 1000.0 * PRICE_PER_1000_QUEUE_REQUESTS_USD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_costs_what_the_price_page_says() {
        let seventy_each_five_minutes = Pace {
            metrics_a_poll: 70,
            metrics_interval: Duration::from_secs(300),
            ..Pace::default()
        };
        let usd = forecast_usd(seventy_each_five_minutes, 0.01);
        assert!((usd - 6.048).abs() < 1e-9, "{usd}");
        let meter = Meter {
            metrics: 1_000_000,
            requests: 100_000,
            queue_requests: 0,
        };
        assert!((meter.usd(0.01) - 11.0).abs() < 1e-9);
    }
}
