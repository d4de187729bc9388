//! What this month has cost so far, kept across restarts.
//!
//! The file says what the next process begins with, and it is written ahead: while the agent
//! runs it says what will have been counted an hour from then, at its stop what was counted. So
//! whoever kills the agent, again and again if he likes, makes it count more than AWS bills, an
//! hour of it at the most. It counts less only by what was asked beyond the pace within that hour.
//! And nobody has to tell the two kinds of file apart.
//!
//! A month begins when AWS's clock says so. What was counted in a month that has not begun was
//! counted by a wrong clock, and belongs to now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meter::{Meter, Pace};
use crate::state::month::Month;
use crate::state::time::Mono;

/// Between two writes, but for the one at the stop: at most 24 a day.
pub const KEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// Version of the file; moves only when an older program could not read it.
const SCHEMA: u32 = 1;
/// Longest file that can be ours.
pub const FILE_BYTES_MAX: usize = 1024;
/// Nobody counts more of anything in a month: ten million dollars of metrics.
const COUNT_MAX: u64 = 1_000_000_000_000;

/// The counts of one month.
type Row = (Month, Meter);

/// A month has begun, or the clock was set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The month before, and what it counted.
    Begun(Month, Meter),
    /// What was counted for this month to come counts now.
    Back(Month),
}

/// What was counted, by months.
#[derive(Clone, Debug)]
pub struct Bill {
    /// Before AWS has told the time: what the file says.
    current: Option<Row>,
    /// The month before that, for a clock that is set back.
    before: Option<Row>,
    /// What was counted before AWS has told the time.
    unplaced: Meter,
    /// Whether AWS has told the time.
    placed: bool,
    /// What the file lets the next process begin with.
    reserved: Meter,
    /// What the file says, where that is known.
    kept: Option<String>,
    /// Not to be written before.
    keep_from: Mono,
    /// Whether the file is being written.
    keeping: bool,
    /// Whether the last write failed.
    failing: bool,
}

impl Bill {
    /// Takes what the file says. With an error it is damaged, and counting begins at 0. The
    /// first write waits until `keep_from`.
    pub fn load(file: Option<&str>, keep_from: Mono) -> (Bill, Result<(), String>) {
        let (rows, result) = match file.map(decode).transpose() {
            Ok(rows) => (rows.unwrap_or_default(), Ok(())),
            Err(error) => ((None, None), Err(error)),
        };
        let (before, current) = rows;
        let bill = Bill {
            current,
            before,
            unplaced: Meter::default(),
            placed: false,
            reserved: current.map_or_else(Meter::default, |(_, meter)| meter),
            kept: current.map(|current| encode(before, current)),
            keep_from,
            keeping: false,
            failing: false,
        };
        (bill, result)
    }

    /// Counts what is billed.
    pub fn count(&mut self, more: Meter) {
        match &mut self.current {
            Some((_, meter)) if self.placed => *meter = meter.plus(more),
            _ => self.unplaced = self.unplaced.plus(more),
        }
    }

    /// What this month has counted; what the process has, while the month is not known.
    pub fn counted(&self) -> Meter {
        match self.current {
            Some((_, meter)) if self.placed => meter,
            _ => self.unplaced,
        }
    }

    /// This month, once AWS has told the time.
    pub fn month(&self) -> Option<Month> {
        self.current.map(|(month, _)| month).filter(|_| self.placed)
    }

    /// Goes over to the month that it is by AWS's clock.
    pub fn turn(&mut self, month: Month) -> Option<Turn> {
        if self.month() == Some(month) {
            return None;
        }
        let turn = match self.current {
            Some((last, meter)) if last < month => {
                self.before = self.current;
                self.current = Some((month, Meter::default()));
                self.reserved = Meter::default();
                Some(Turn::Begun(last, meter))
            }
            Some((ahead, meter)) if ahead > month => {
                let also = self.before.take_if(|(before, _)| *before >= month);
                let also = also.map_or_else(Meter::default, |(_, meter)| meter);
                self.current = Some((month, meter.plus(also)));
                self.reserved = Meter::default();
                Some(Turn::Back(ahead))
            }
            Some(_) => None,
            None => {
                self.current = Some((month, Meter::default()));
                None
            }
        };
        self.placed = true;
        let unplaced = std::mem::take(&mut self.unplaced);
        self.count(unplaced);
        turn
    }

    /// The pace is known: what is counted may be kept ahead from now on.
    pub fn may_keep(&mut self, now: Mono) {
        self.keep_from = self.keep_from.min(now);
    }

    /// What the file shall say, where it has to be written: more has been counted than it lets
    /// the next process begin with.
    pub fn keep(&mut self, now: Mono, pace: Pace) -> Option<String> {
        let (month, counted) = self.current.filter(|_| self.placed)?;
        if self.keeping || now < self.keep_from || !counted.exceeds(self.reserved) {
            return None;
        }
        self.reserved = counted.plus(pace.most(KEEP_INTERVAL));
        self.keeping = true;
        self.keep_from = now.after(KEEP_INTERVAL);
        let text = encode(self.before, (month, self.reserved));
        self.kept = Some(text.clone());
        Some(text)
    }

    /// What the file shall say at the stop, where it does not.
    pub fn keep_last(&mut self) -> Option<String> {
        let current = self.current.filter(|_| self.placed)?;
        let text = encode(self.before, current);
        (self.kept.replace(text.clone()).as_ref() != Some(&text)).then_some(text)
    }

    /// Notes how a write ended; true when that is news. What failed is tried again in an hour.
    pub fn was_kept(&mut self, good: bool) -> bool {
        self.keeping = false;
        if !good {
            self.kept = None;
            self.reserved = Meter::default();
        }
        std::mem::replace(&mut self.failing, !good) == good
    }
}

/// `{"schema":1,"months":[{"month":"2026-11","metrics":1,"requests":2,"queue_requests":3}]}`
#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    months: Vec<FileRow>,
}

#[derive(Serialize, Deserialize)]
struct FileRow {
    month: String,
    metrics: u64,
    requests: u64,
    queue_requests: u64,
}

fn encode(before: Option<Row>, current: Row) -> String {
    let row = |(month, meter): Row| FileRow {
        month: month.to_string(),
        metrics: meter.metrics,
        requests: meter.requests,
        queue_requests: meter.queue_requests,
    };
    let file = File {
        schema: SCHEMA,
        months: before.into_iter().chain([current]).map(row).collect(),
    };
    serde_json::to_string(&file).unwrap_or_default()
}

/// The month before and the last one.
fn decode(text: &str) -> Result<(Option<Row>, Option<Row>), String> {
    if text.len() > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.schema != SCHEMA {
        return Err(format!("its schema is {}, not {SCHEMA}", file.schema));
    }
    let rows: Option<Vec<Row>> = file.months.iter().map(read_row).collect();
    match rows.as_deref() {
        Some([current]) => Ok((None, Some(*current))),
        Some([before, current]) if before.0 < current.0 => Ok((Some(*before), Some(*current))),
        _ => Err(String::from("its months are not one or two in order")),
    }
}

fn read_row(row: &FileRow) -> Option<Row> {
    let meter = Meter {
        metrics: row.metrics,
        requests: row.requests,
        queue_requests: row.queue_requests,
    };
    let most = Meter {
        metrics: COUNT_MAX,
        requests: COUNT_MAX,
        queue_requests: COUNT_MAX,
    };
    let month = Month::parse(&row.month)?;
    (!meter.exceeds(most)).then_some((month, meter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        Month::parse(text).unwrap()
    }

    fn metrics(metrics: u64) -> Meter {
        Meter {
            metrics,
            ..Meter::default()
        }
    }

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    /// `2026-10: 5, 2026-11: 7` as a file.
    fn file(rows: &str) -> String {
        let row = |row: &str| {
            let (name, count) = row.split_once(": ").unwrap();
            (month(name), metrics(count.parse().unwrap()))
        };
        let rows: Vec<Row> = rows.split(", ").map(row).collect();
        match rows[..] {
            [before, current] => encode(Some(before), current),
            _ => encode(None, rows[0]),
        }
    }

    fn loaded(rows: &str) -> Bill {
        let (bill, result) = Bill::load(Some(&file(rows)), at(0));
        result.unwrap();
        bill
    }

    /// 10 metrics every 5 minutes: an hour counts 130 of them at the most.
    fn pace() -> Pace {
        Pace {
            metrics_a_poll: 10,
            ..Pace::default()
        }
        .at(Duration::from_secs(300))
    }

    #[test]
    fn a_process_begins_with_what_the_file_says_of_its_month() {
        // file, months as AWS's clock tells them with 1 counted after each: counts
        let cases: [(&str, &[&str], u64); 9] = [
            ("2026-11: 7", &["2026-11"], 8),
            ("2026-10: 5, 2026-11: 7", &["2026-11"], 8),
            ("2026-10: 7", &["2026-11"], 1),
            ("2025-11: 7", &["2026-11"], 1),
            // Written by a clock that was ahead.
            ("2026-12: 7", &["2026-11"], 8),
            ("2026-11: 5, 2026-12: 7", &["2026-11"], 13),
            ("2026-12: 5, 2027-01: 7", &["2026-11"], 13),
            ("2026-10: 5, 2027-01: 7", &["2026-11"], 8),
            ("2026-11: 7", &["2026-12", "2026-11", "2026-11"], 10),
        ];
        for (rows, clock, wanted) in cases {
            let mut bill = loaded(rows);
            for told in clock {
                bill.turn(month(told));
                bill.count(metrics(1));
            }
            assert_eq!(bill.counted(), metrics(wanted), "{rows} {clock:?}");
            // Nothing is doubled when the same is told again, or after a restart.
            bill.turn(month(clock[clock.len() - 1]));
            let text = bill.keep_last().unwrap();
            let (mut again, result) = Bill::load(Some(&text), at(0));
            result.unwrap();
            again.turn(month(clock[clock.len() - 1]));
            assert_eq!(again.counted(), metrics(wanted), "{rows} {clock:?}");
            assert_eq!(again.keep_last(), None, "{rows} {clock:?}");
        }
    }

    #[test]
    fn a_clock_that_steps_to_and_fro_loses_and_doubles_nothing() {
        let mut bill = loaded("2026-11: 100");
        let mut rng = fastrand::Rng::with_seed(5);
        bill.turn(month("2026-11"));
        for n in 0..200 {
            bill.count(metrics(1));
            // Never more than the month before is remembered of a clock that runs ahead.
            let wrong = ["2026-12", "2027-01"][rng.usize(0..2)];
            assert!(matches!(bill.turn(month(wrong)), Some(Turn::Begun(..))));
            bill.count(metrics(1));
            let back = bill.turn(month("2026-11"));
            assert_eq!(back, Some(Turn::Back(month(wrong))));
            assert_eq!(bill.counted(), metrics(102 + 2 * n));
        }
    }

    #[test]
    fn what_is_counted_before_the_time_is_known_belongs_to_the_month_that_it_turns_out_to_be() {
        let mut bill = loaded("2026-11: 7");
        bill.count(metrics(3));
        assert_eq!((bill.counted(), bill.month()), (metrics(3), None));
        assert_eq!(bill.keep(at(9999), pace()), None);
        assert_eq!(bill.clone().keep_last(), None, "the file stays as it is");
        assert_eq!(bill.turn(month("2026-11")), None);
        assert_eq!(bill.counted(), metrics(10));
        let (mut new, result) = Bill::load(None, at(0));
        result.unwrap();
        new.count(metrics(3));
        assert_eq!(new.turn(month("2026-11")), None);
        assert_eq!(new.counted(), metrics(3));
        let turn = new.turn(month("2026-12"));
        assert_eq!(turn, Some(Turn::Begun(month("2026-11"), metrics(3))));
        assert_eq!(new.counted(), metrics(0));
    }

    #[test]
    fn a_killed_agent_counts_more_than_it_spent_and_never_less() {
        let mut bill = loaded("2026-11: 100");
        bill.turn(month("2026-11"));
        let mut text = file("2026-11: 100");
        let mut writes = 0;
        for poll in 0..288 {
            bill.count(metrics(10));
            if let Some(kept) = bill.keep(at(poll * 300), pace()) {
                writes += 1;
                text = kept;
                assert!(!bill.was_kept(true));
            }
            // Killed now.
            let (mut next, result) = Bill::load(Some(&text), at(0));
            result.unwrap();
            next.turn(month("2026-11"));
            let (spent, counted) = (bill.counted().metrics, next.counted().metrics);
            assert!(
                (spent..=spent + 130).contains(&counted),
                "{spent} {counted}"
            );
        }
        assert!((20..=24).contains(&writes), "{writes}");
        // Stopped well.
        let text = bill.keep_last().unwrap();
        assert_eq!(text, file("2026-11: 2980"));
        assert_eq!(bill.keep_last(), None);
    }

    #[test]
    fn an_agent_that_is_killed_each_minute_does_not_escape() {
        let (mut text, mut spent) = (None, 0);
        for _ in 0..100 {
            let (mut bill, result) = Bill::load(text.as_deref(), at(3600));
            result.unwrap();
            bill.turn(month("2026-11"));
            bill.may_keep(at(1));
            bill.count(metrics(10));
            spent += 10;
            text = bill.keep(at(1), pace());
            assert!(bill.keep(at(50), pace()).is_none());
            let (next, _) = Bill::load(text.as_deref(), at(0));
            assert!(next.reserved.metrics >= spent + 120);
        }
    }

    #[test]
    fn while_nothing_is_counted_nothing_is_written() {
        let mut bill = loaded("2026-11: 100");
        bill.turn(month("2026-11"));
        for hour in 0..48 {
            assert_eq!(bill.keep(at(hour * 3600), pace()), None);
        }
        assert_eq!(bill.keep_last(), None);
        // Nor is anything of a month in which nothing has been counted yet but the turn itself.
        bill.turn(month("2026-12"));
        assert_eq!(bill.keep(at(999_999), pace()), None);
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_tried_again_each_hour() {
        let mut bill = loaded("2026-11: 100");
        bill.turn(month("2026-11"));
        let (mut tries, mut told) = (Vec::new(), Vec::new());
        for minute in 0..600 {
            bill.count(metrics(1));
            if bill.keep(at(minute * 60), pace()).is_some() {
                tries.push(minute);
                told.push(bill.was_kept(minute >= 200));
            }
        }
        assert_eq!(tries[..5], [0, 60, 120, 180, 240]);
        assert_eq!(told[..6], [true, false, false, false, true, false]);
    }

    #[test]
    fn a_damaged_file_is_told_and_counts_nothing() {
        let well = file("2026-10: 5, 2026-11: 7");
        let damaged = [
            String::new(),
            "{}".into(),
            "\0".repeat(120),
            well[..well.len() - 1].into(),
            format!("{well}{well}"),
            well.replace("\"schema\":1", "\"schema\":2"),
            well.replace("2026-10", "2026-11"),
            well.replace("2026-10", "2026-12"),
            well.replace("2026-10", "october"),
            well.replace(":7,", ":-7,"),
            well.replace(":7,", ":7.5,"),
            well.replace(":7,", ":1000000000001,"),
            well.replace(":7,", &format!(":{},", u64::MAX)),
            well.replace("\"metrics\":7,", ""),
            "{\"schema\":1,\"months\":[]}".into(),
            format!("{well}{}", " ".repeat(FILE_BYTES_MAX)),
        ];
        for text in damaged {
            let (mut bill, result) = Bill::load(Some(&text), at(0));
            assert!(result.is_err(), "{text}");
            bill.turn(month("2026-11"));
            assert_eq!(bill.counted(), Meter::default(), "{text}");
            bill.count(metrics(1));
            assert!(bill.keep_last().is_some(), "{text}");
        }
        // A later version may say more.
        let more = well.replace("\"schema\"", "\"written_by\":\"2.0\",\"schema\"");
        assert!(Bill::load(Some(&more), at(0)).1.is_ok());
    }
}
