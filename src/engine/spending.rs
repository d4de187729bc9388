//! What is spent, and what follows from it: the interval of metrics, and what is said of it.

use std::time::Duration;

use super::bill::{Bill, Turn};
use super::budget::{Change, Governor, Outlook, words};
use super::meter::{self, Meter};
use super::{Effect, Engine, Now, Settings};
use crate::state::month::Month;
use crate::state::wish::MetricsLevel;

/// The bill, and who keeps it small.
#[derive(Debug)]
pub struct Spending {
    pub(super) bill: Bill,
    governor: Governor,
    /// Why what the file says could not be taken.
    damage: Option<String>,
    /// Whether nothing is asked of metrics, or it is known what a poll asks for.
    governs: bool,
    /// Whether it was told what a month costs.
    told: bool,
}

impl Spending {
    pub(super) fn new(settings: &Settings, now: Now) -> Spending {
        let wish = &settings.wish;
        let metrics_wanted = !settings.apis.is_empty() && wish.level != MetricsLevel::Off;
        // What an hour costs is known once it is known what a poll asks for.
        let keep_from = match metrics_wanted {
            true => now.mono.after(super::bill::KEEP_INTERVAL),
            false => now.mono,
        };
        let file = settings.meter_file.as_ref().map(Option::as_deref);
        let (bill, result) = Bill::load(file.unwrap_or_default(), keep_from);
        let unread = settings.meter_file.as_ref().err().cloned();
        let budget = settings.monthly_budget_usd;
        Spending {
            bill,
            governor: Governor::new(budget, wish.metrics_interval, metrics_wanted),
            damage: unread.or(result.err().map(|error| format!("it is damaged: {error}"))),
            governs: !metrics_wanted,
            told: false,
        }
    }
}

impl Engine {
    /// Tells what is wrong with the file of the meter.
    pub(super) fn begin_spending(&mut self) {
        if let Some(damage) = self.spending.damage.take() {
            let text = format!("the kept meter is not taken: {damage}; this month counts from 0");
            self.log(log::Level::Warn, text);
        }
    }

    /// Counts what is billed.
    pub(super) fn count(&mut self, more: Meter) {
        self.spending.bill.count(more);
    }

    /// Goes over to a new month, and has the meter written where that is due.
    pub(super) fn advance_spending(&mut self, now: Now) {
        let Some(aws_now) = self.aws_time.known(now) else {
            return;
        };
        let was_known = self.spending.bill.month().is_some();
        match self.spending.bill.turn(Month::of(aws_now)) {
            Some(Turn::Begun(month, meter)) if was_known => {
                let usd = meter.usd(self.settings.price_per_1000_metrics_usd);
                let text = format!("{month} has cost about ${usd:.2}; a new month begins");
                self.log(log::Level::Info, text);
                self.govern(now);
            }
            Some(Turn::Back(month)) => {
                let text = format!("what was counted for {month}, which has not begun, counts now");
                self.log(log::Level::Warn, text);
            }
            Some(Turn::Begun(..)) | None => {}
        }
        if self.stopping.is_none()
            && let Some(text) = self.spending.bill.keep(now.mono, self.polls.forecast)
        {
            self.effects.push(Effect::KeepMeter(text));
        }
    }

    /// The meter is written a last time, all counted.
    pub(super) fn keep_meter_last(&mut self) {
        if let Some(text) = self.spending.bill.keep_last() {
            self.effects.push(Effect::KeepMeter(text));
        }
    }

    pub(super) fn meter_kept(&mut self, result: Result<(), String>) {
        if !self.spending.bill.was_kept(result.is_ok()) {
            return;
        }
        match result {
            Ok(()) => self.log(log::Level::Info, "the meter is kept again"),
            Err(error) => {
                let text = format!(
                    "the meter cannot be kept: {error}; it is tried again each hour, and a \
                     restart forgets what is counted until then"
                );
                self.log(log::Level::Warn, text);
            }
        }
    }

    fn outlook(&self, now: Now) -> Option<Outlook> {
        let month = self.spending.bill.month()?;
        let price = self.settings.price_per_1000_metrics_usd;
        Some(Outlook {
            spent_usd: self.spending.bill.counted().usd(price),
            rest: month.rest(self.aws_now(now)),
            pace: self.polls.forecast,
            price_per_1000_metrics_usd: price,
        })
    }

    /// What this month comes to at this pace, in USD; a month of 30 days while it is not known
    /// which month it is.
    pub(super) fn forecast_usd(&self, now: Now) -> f64 {
        let price = self.settings.price_per_1000_metrics_usd;
        let pace = self.polls.forecast;
        let outlook = self.outlook(now);
        outlook.map_or_else(
            || meter::forecast_usd(pace, price),
            |outlook| outlook.usd_at(pace.metrics_interval),
        )
    }

    /// Whether the budget allows a poll of metrics that nobody has counted on.
    pub(super) fn budget_allows_a_poll(&self, now: Now) -> bool {
        let outlook = self.outlook(now);
        outlook.is_none_or(|outlook| self.spending.governor.allows_a_poll(&outlook))
    }

    /// A first poll of metrics is about to begin, so that it can be told what a month costs
    /// before any is spent on it.
    pub(super) fn plan_spending(&mut self, now: Now) {
        if self.spending.told {
            return;
        }
        let level = self.settings.wish.level;
        let plans = self.catalogue.plans(&self.inventory, None, level);
        let metrics: usize = plans.map(|(_, series)| series.len()).sum();
        self.spending.governs = true;
        self.spending.told = metrics > 0;
        if metrics == 0 {
            return;
        }
        self.polls.forecast.metrics_a_poll = metrics as u64;
        self.spending.bill.may_keep(now.mono);
        let price = self.settings.price_per_1000_metrics_usd;
        let usd = meter::forecast_usd(self.polls.forecast, price);
        let every = words(self.polls.metrics.interval);
        let budget = match self.settings.monthly_budget_usd {
            0.0 => String::from("without a limit"),
            budget => format!("monthly_budget_usd = {budget}"),
        };
        let text = format!(
            "a month at this pace costs about ${usd:.2}: {metrics} metrics every {every}; {budget}"
        );
        self.log(log::Level::Info, text);
        self.govern(now);
    }

    /// Lengthens or shortens the interval of metrics where the budget wants it, and says so.
    pub(super) fn govern(&mut self, now: Now) {
        let Some(outlook) = self.outlook(now).filter(|_| self.spending.governs) else {
            return;
        };
        let before = self.polls.metrics.interval;
        for change in self.spending.governor.judge(&outlook) {
            self.told.agent_changed |= matches!(change, Change::Exceeded | Change::Held);
            let (level, text) = self.tell_change(change, before, &outlook);
            self.log(level, text);
        }
        let interval = self.spending.governor.interval();
        if interval != before {
            self.polls.pace_metrics(interval, now.mono);
        }
    }

    fn tell_change(
        &self,
        change: Change,
        before: Duration,
        outlook: &Outlook,
    ) -> (log::Level, String) {
        let budget = self.settings.monthly_budget_usd;
        match change {
            Change::Lengthened(to) => {
                let (usd, before) = (outlook.usd_at(before), words(before));
                let to = words(to);
                let text = format!(
                    "metrics are asked every {to} from now on: at {before} this month would cost \
                     about ${usd:.2}, and monthly_budget_usd = {budget}"
                );
                (log::Level::Warn, text)
            }
            Change::Shortened(to) => {
                let (usd, to) = (outlook.usd_at(to), words(to));
                let text = format!(
                    "metrics are asked every {to} again: at that this month costs about \
                     ${usd:.2}, and monthly_budget_usd = {budget}"
                );
                (log::Level::Info, text)
            }
            Change::Exceeded => {
                let usd = outlook.usd_at(self.spending.governor.interval());
                (
                    log::Level::Warn,
                    format!("{} (about ${usd:.2})", self.excess()),
                )
            }
            Change::Held => {
                let text = format!("monthly_budget_usd = {budget} is kept to again");
                (log::Level::Info, text)
            }
        }
    }

    /// Why the budget is not held, for `agent`: without amounts, which change with each poll.
    pub(super) fn over_budget(&self) -> Option<String> {
        self.spending.governor.is_exceeded().then(|| self.excess())
    }

    fn excess(&self) -> String {
        let budget = self.settings.monthly_budget_usd;
        let every = words(self.spending.governor.interval());
        let (also, remedy) = match self.polls.forecast.metrics_a_poll {
            0 => (String::new(), "lengthen alarms_interval"),
            _ => (
                format!(", also with metrics every {every}"),
                "lower metrics, take fewer channels (include)",
            ),
        };
        format!(
            "cost: this month exceeds monthly_budget_usd = {budget}{also}; {remedy} or raise the \
             budget"
        )
    }
}
