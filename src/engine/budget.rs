//! How often metrics may be asked so that the month stays within its budget.
//!
//! Only the interval of metrics gives way, and the list of series with it: alarms and push are
//! counted first, and metrics get what is left. What has been spent counts as it is, so whatever
//! the pace does not foresee (a refresh, polls that are tried again, new channels) is made up
//! for in the rest of the month.

use std::time::Duration;

use super::meter::Pace;

/// Metrics are asked at least this often, unless the config says less.
const INTERVAL_MAX: Duration = Duration::from_secs(3600);
/// The intervals that are tried in turn, in minutes; whole fractions of an hour.
const STEPS_MINUTES: [u64; 8] = [1, 2, 5, 10, 15, 20, 30, 60];
/// Of the budget, the month may come to so much; the rest is for what no forecast knows.
const HELD_SHARE: f64 = 0.99;
/// It must come to no more than this before the interval is shortened again, so that it does not
/// go to and fro.
const EASY_SHARE: f64 = 0.95;

/// What is known of this month's bill.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outlook {
    /// Spent so far.
    pub spent_usd: f64,
    /// What is left of the month.
    pub rest: Duration,
    /// At which it goes on; its interval of metrics is not looked at.
    pub pace: Pace,
    /// What AWS takes for a thousand metrics.
    pub price_per_1000_metrics_usd: f64,
}

impl Outlook {
    /// What the month comes to with metrics at this interval from now on.
    pub fn usd_at(&self, interval: Duration) -> f64 {
        let pace = self.pace.at(interval);
        self.spent_usd + pace.usd(self.rest, self.price_per_1000_metrics_usd)
    }

    /// What one poll of metrics costs.
    fn poll_usd(&self) -> f64 {
        self.pace.metrics_a_poll as f64 / 1000.0 * self.price_per_1000_metrics_usd
    }
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Metrics are asked less often.
    Lengthened(Duration),
    /// Metrics are asked more often again.
    Shortened(Duration),
    /// Even the longest interval does not hold the budget.
    Exceeded,
    /// It does so again.
    Held,
}

/// Chooses the interval of metrics.
#[derive(Clone, Copy, Debug)]
pub struct Governor {
    budget_usd: f64,
    configured: Duration,
    longest: Duration,
    interval: Duration,
    exceeded: bool,
}

impl Governor {
    /// Begins with the configured interval. A budget of 0 is none; without metrics nothing gives
    /// way.
    pub fn new(budget_usd: f64, configured: Duration, metrics_wanted: bool) -> Governor {
        let longest = match metrics_wanted {
            true => configured.max(INTERVAL_MAX),
            false => configured,
        };
        Governor {
            budget_usd,
            configured,
            longest,
            interval: configured,
            exceeded: false,
        }
    }

    /// The interval of metrics now.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether even the longest interval does not hold the budget.
    pub fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    /// The shortest interval, from `first` on, with which the month keeps to this share of the
    /// budget; the longest when none does.
    fn fitting(&self, outlook: &Outlook, first: Duration, share: f64) -> Duration {
        let steps = STEPS_MINUTES.map(|minutes| Duration::from_secs(minutes * 60));
        let steps = std::iter::once(self.configured).chain(steps);
        let mut allowed =
            steps.filter(|step| *step >= self.configured.max(first) && *step <= self.longest);
        let fits = |step: &Duration| outlook.usd_at(*step) <= self.budget_usd * share;
        allowed.find(fits).unwrap_or(self.longest)
    }

    /// Looks at the month anew. First the interval is chosen, then it is told whether that is
    /// enough: at most two changes.
    pub fn judge(&mut self, outlook: &Outlook) -> impl Iterator<Item = Change> + use<> {
        if self.budget_usd <= 0.0 {
            return [None, None].into_iter().flatten();
        }
        let before = self.interval;
        let held = self.fitting(outlook, before, HELD_SHARE);
        self.interval = if held > before {
            held
        } else {
            before.min(self.fitting(outlook, Duration::ZERO, EASY_SHARE))
        };
        let interval = (self.interval > before).then_some(Change::Lengthened(self.interval));
        let shorter = (self.interval < before).then_some(Change::Shortened(self.interval));
        let limit = if self.exceeded { EASY_SHARE } else { 1.0 };
        let exceeded =
            self.interval == self.longest && outlook.usd_at(self.longest) > self.budget_usd * limit;
        let news = match (std::mem::replace(&mut self.exceeded, exceeded), exceeded) {
            (false, true) => Some(Change::Exceeded),
            (true, false) => Some(Change::Held),
            _ => None,
        };
        [interval.or(shorter), news].into_iter().flatten()
    }

    /// Whether the month stays within its budget with one more poll of metrics.
    pub fn allows_a_poll(&self, outlook: &Outlook) -> bool {
        let usd = outlook.usd_at(self.interval) + outlook.poll_usd();
        self.budget_usd <= 0.0 || usd <= self.budget_usd * HELD_SHARE
    }
}

/// The interval that a whole month of 30 days begins with under this budget, at the configured
/// pace, and whether the budget is held.
pub fn interval_of_a_month(
    budget_usd: f64,
    pace: Pace,
    price_per_1000_metrics_usd: f64,
) -> (Duration, bool) {
    let mut governor = Governor::new(budget_usd, pace.metrics_interval, pace.metrics_a_poll > 0);
    let outlook = Outlook {
        rest: super::meter::MONTH,
        pace,
        price_per_1000_metrics_usd,
        ..Outlook::default()
    };
    let held = governor.judge(&outlook).last() != Some(Change::Exceeded);
    (governor.interval(), held)
}

/// An interval for people: `15 min`, `90 s`.
pub fn words(interval: Duration) -> String {
    match interval.as_secs() {
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Change::{Exceeded, Held, Lengthened, Shortened};

    const DAY: Duration = Duration::from_secs(86_400);

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    /// 100 metrics a poll: at 5 minutes 8.64 USD in 30 days, at an hour 0.72.
    fn outlook(spent_usd: f64, days: u32) -> Outlook {
        Outlook {
            spent_usd,
            rest: DAY * days,
            pace: Pace {
                metrics_a_poll: 100,
                ..Pace::default()
            },
            price_per_1000_metrics_usd: 0.01,
        }
    }

    #[test]
    fn the_interval_is_the_shortest_that_keeps_the_month_within_its_budget() {
        // Budget, configured minutes, spent, days to come: minutes, and what is said.
        type Case<'a> = (f64, u64, f64, u32, u64, &'a [Change]);
        let cases: [Case; 14] = [
            (8.8, 5, 0.0, 30, 5, &[]),
            (8.64, 5, 0.0, 30, 10, &[Lengthened(minutes(10))]),
            (4.4, 5, 0.0, 30, 10, &[Lengthened(minutes(10))]),
            (4.3, 5, 0.0, 30, 15, &[Lengthened(minutes(15))]),
            (2.3, 5, 0.0, 30, 20, &[Lengthened(minutes(20))]),
            (1.5, 5, 0.0, 30, 30, &[Lengthened(minutes(30))]),
            (0.8, 5, 0.0, 30, 60, &[Lengthened(minutes(60))]),
            (0.7, 5, 0.0, 30, 60, &[Lengthened(minutes(60)), Exceeded]),
            // Much is spent, little is to come.
            (8.8, 5, 8.0, 1, 5, &[]),
            (8.8, 5, 8.5, 1, 10, &[Lengthened(minutes(10))]),
            (8.8, 5, 9.0, 1, 60, &[Lengthened(minutes(60)), Exceeded]),
            // A step that is none of the table, and one beyond it.
            (40.0, 1, 0.0, 30, 2, &[Lengthened(minutes(2))]),
            (6.3, 7, 0.0, 30, 7, &[]),
            (0.1, 120, 0.0, 30, 120, &[Exceeded]),
        ];
        for (budget, configured, spent, days, wanted, said) in cases {
            let mut governor = Governor::new(budget, minutes(configured), true);
            let changes: Vec<Change> = governor.judge(&outlook(spent, days)).collect();
            let case = format!("{budget} {configured} {spent} {days}");
            assert_eq!(governor.interval(), minutes(wanted), "{case}");
            assert_eq!(changes, said, "{case}");
            assert_eq!(governor.judge(&outlook(spent, days)).count(), 0, "{case}");
        }
    }

    #[test]
    fn without_a_budget_nothing_is_lengthened() {
        let mut governor = Governor::new(0.0, minutes(1), true);
        assert_eq!(governor.judge(&outlook(1e9, 30)).count(), 0);
        assert_eq!(governor.interval(), minutes(1));
        assert!(governor.allows_a_poll(&outlook(1e9, 30)));
    }

    #[test]
    fn what_does_not_give_way_is_counted_before_metrics_get_the_rest() {
        let pace = Pace {
            metrics_a_poll: 100,
            list_requests: 10,
            alarm_requests: 10,
            alarms_interval: minutes(1),
            queue_interval: Duration::from_secs(20),
            ..Pace::default()
        };
        // Alarms and queue 4.37, an hour of metrics and lists 0.72 and 0.07.
        let outlook = Outlook {
            pace,
            ..outlook(0.0, 30)
        };
        for (budget, wanted, said) in [(14.0, 5, 0), (9.3, 10, 1), (5.3, 60, 1), (5.1, 60, 2)] {
            let mut governor = Governor::new(budget, minutes(5), true);
            assert_eq!(governor.judge(&outlook).count(), said, "{budget}");
            assert_eq!(governor.interval(), minutes(wanted), "{budget}");
        }
        // Without metrics there is nothing to lengthen.
        let outlook = Outlook {
            pace: Pace {
                metrics_a_poll: 0,
                list_requests: 0,
                ..pace
            },
            ..outlook
        };
        let mut governor = Governor::new(4.0, minutes(5), false);
        assert_eq!(governor.judge(&outlook).collect::<Vec<_>>(), [Exceeded]);
        assert_eq!(governor.interval(), minutes(5));
    }

    #[test]
    fn it_is_shortened_when_there_is_room_to_spare_and_does_not_go_to_and_fro() {
        let mut governor = Governor::new(8.8, minutes(5), true);
        let mut judge = |spent, days| governor.judge(&outlook(spent, days)).collect::<Vec<_>>();
        assert_eq!(judge(2.0, 30), [Lengthened(minutes(10))]);
        // At 5 minutes it would be within the budget, but only just.
        assert_eq!(judge(2.2, 22), []);
        assert_eq!(judge(2.0, 22), [Shortened(minutes(5))]);
        for jitter in [0.1, 0.0, 0.2, 0.05, 0.3] {
            assert_eq!(judge(2.0 + jitter, 22), [], "{jitter}");
        }
        // Several steps at a time, both ways; and a new month.
        assert_eq!(judge(8.6, 3), [Lengthened(minutes(60))]);
        assert_eq!(judge(8.72, 3), [], "within the budget yet");
        assert_eq!(judge(8.74, 3), [Exceeded]);
        assert_eq!(judge(8.70, 3), [], "as good as exceeded");
        assert_eq!(judge(0.0, 28), [Shortened(minutes(5)), Held]);
    }

    #[test]
    fn a_refresh_never_lengthens_the_interval() {
        for spent in 0..90 {
            let spent = f64::from(spent) / 10.0;
            for days in [1, 10, 30] {
                let before = outlook(spent, days);
                let mut governor = Governor::new(9.0, minutes(5), true);
                let _ = governor.judge(&before);
                if governor.allows_a_poll(&before) {
                    let after = outlook(spent + 0.001, days);
                    let changes = governor.judge(&after);
                    assert!(changes.last().is_none(), "{spent} {days}");
                }
            }
        }
        let mut governor = Governor::new(0.7, minutes(5), true);
        let _ = governor.judge(&outlook(0.0, 30));
        assert!(!governor.allows_a_poll(&outlook(0.0, 30)));
    }

    #[test]
    fn a_whole_month_is_told_the_interval_it_begins_with() {
        let pace = outlook(0.0, 0).pace.at(minutes(5));
        let cases = [
            (0.0, 5, true),
            (9.0, 5, true),
            (4.4, 10, true),
            (0.7, 60, false),
        ];
        for (budget, interval, held) in cases {
            let told = interval_of_a_month(budget, pace, 0.01);
            assert_eq!(told, (minutes(interval), held), "{budget}");
        }
        assert_eq!(words(minutes(90)), "90 min");
        assert_eq!(words(Duration::from_secs(90)), "90 s");
    }

    /// A month in steps of the interval, as the engine looks at it.
    #[test]
    fn a_month_ends_just_under_its_budget_whatever_happens_in_it() {
        for budget in [1.0, 1.7, 3.3, 5.0, 8.8, 20.0] {
            for extra in [0, 30] {
                let mut governor = Governor::new(budget, minutes(5), true);
                let (mut spent, mut rest, mut changes, mut polls) = (0.0, DAY * 31, 0, 0);
                while !rest.is_zero() {
                    polls += 1;
                    let tried_again = extra > 0 && polls % extra == 0;
                    spent += if tried_again { 0.002 } else { 0.001 };
                    let outlook = Outlook {
                        spent_usd: spent,
                        rest,
                        ..outlook(0.0, 0)
                    };
                    changes += governor.judge(&outlook).count();
                    rest = rest.saturating_sub(governor.interval());
                }
                let case = format!("{budget} {extra}: {spent} after {changes} changes");
                let all = f64::min(budget, if extra > 0 { 9.2 } else { 8.9 });
                assert!(spent <= budget && spent > 0.93 * all, "{case}");
                assert!(changes <= 10, "{case}");
            }
        }
    }
}
