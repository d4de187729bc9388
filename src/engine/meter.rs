//! What CloudWatch bills: metered as AWS does, and what a month comes to at this pace.
//!
//! Source: the CloudWatch price page. `GetMetricData` costs by the metric requested, whatever
//! comes back (up to five statistics of one metric count once); the other calls cost by the
//! request, and so do those of SQS.

use std::time::Duration;

/// A month as AWS's examples count it.
pub const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// `ListMetrics` is asked this often, and when the inventory changed.
pub const LIST_INTERVAL: Duration = Duration::from_secs(600);
/// What AWS takes for a thousand `ListMetrics` or `DescribeAlarms` requests.
const PRICE_PER_1000_REQUESTS_USD: f64 = 0.01;
/// What SQS takes for a thousand requests beyond the first million of a month (standard queue).
const PRICE_PER_1000_QUEUE_REQUESTS_USD: f64 = 0.0004;

/// Counts what is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    /// Both together.
    pub fn plus(self, other: Meter) -> Meter {
        Meter {
            metrics: self.metrics.saturating_add(other.metrics),
            requests: self.requests.saturating_add(other.requests),
            queue_requests: self.queue_requests.saturating_add(other.queue_requests),
        }
    }

    /// Whether any of its counts is above the other's.
    pub fn exceeds(self, other: Meter) -> bool {
        self.metrics > other.metrics
            || self.requests > other.requests
            || self.queue_requests > other.queue_requests
    }
}

impl Pace {
    /// The same with metrics at another interval. Series are listed within metric polls only.
    pub fn at(self, metrics_interval: Duration) -> Pace {
        Pace {
            metrics_interval,
            list_interval: LIST_INTERVAL.max(metrics_interval),
            ..self
        }
    }

    /// What so much time costs, in USD.
    pub fn usd(self, time: Duration, price_per_1000_metrics_usd: f64) -> f64 {
        let rounds = |interval: Duration| match interval.is_zero() {
            true => 0.0,
            false => time.as_secs_f64() / interval.as_secs_f64(),
        };
        let metrics = self.metrics_a_poll as f64 * rounds(self.metrics_interval);
        let requests = self.list_requests as f64 * rounds(self.list_interval)
            + self.alarm_requests as f64 * rounds(self.alarms_interval);
        metrics / 1000.0 * price_per_1000_metrics_usd
            + requests / 1000.0 * PRICE_PER_1000_REQUESTS_USD
            + rounds(self.queue_interval) / 1000.0 * PRICE_PER_1000_QUEUE_REQUESTS_USD
    }

    /// What so much time counts at the most: with the round that falls on its end.
    pub fn most(self, time: Duration) -> Meter {
        let rounds = |interval: Duration| match interval.is_zero() {
            true => 0,
            false => (time.as_secs_f64() / interval.as_secs_f64()) as u64 + 1,
        };
        let lists = self
            .list_requests
            .saturating_mul(rounds(self.list_interval));
        let alarms = self
            .alarm_requests
            .saturating_mul(rounds(self.alarms_interval));
        Meter {
            metrics: self
                .metrics_a_poll
                .saturating_mul(rounds(self.metrics_interval)),
            requests: lists.saturating_add(alarms),
            queue_requests: rounds(self.queue_interval),
        }
    }
}

/// What a month of 30 days costs at this pace, in USD.
pub fn forecast_usd(pace: Pace, price_per_1000_metrics_usd: f64) -> f64 {
    pace.usd(MONTH, price_per_1000_metrics_usd)
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

    #[test]
    fn series_are_listed_every_ten_minutes_but_not_more_often_than_metrics_are_asked() {
        let pace = Pace::default();
        for (minutes, list_minutes) in [(1, 10), (5, 10), (10, 10), (15, 15), (60, 60)] {
            let at = pace.at(Duration::from_secs(minutes * 60));
            assert_eq!(at.list_interval.as_secs(), list_minutes * 60, "{minutes}");
        }
    }

    #[test]
    fn an_hour_counts_at_most_its_rounds_and_one_more() {
        let pace = Pace {
            metrics_a_poll: 70,
            list_requests: 2,
            alarm_requests: 3,
            alarms_interval: Duration::from_secs(60),
            ..Pace::default()
        };
        let hour = Duration::from_secs(3600);
        let most = pace.at(Duration::from_secs(300)).most(hour);
        assert_eq!((most.metrics, most.requests), (70 * 13, 2 * 7 + 3 * 61));
        // Without a queue nothing is asked of one.
        assert_eq!(most.queue_requests, 0);
        let most = pace.at(hour * 24).most(hour);
        assert_eq!((most.metrics, most.requests), (70, 2 + 3 * 61));
        assert!(most.exceeds(Meter::default()) && !most.exceeds(most));
        assert_eq!(most.plus(Meter::default()), most);
    }
}
