//! The calendar month in UTC, by which AWS bills.

use std::fmt;
use std::time::Duration;

use time::{Date, OffsetDateTime};

use super::time::UnixMs;

/// One month of one year; the order is that of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    /// From 1 on.
    month: u8,
}

impl Month {
    /// The month that this moment lies in.
    pub fn of(at: UnixMs) -> Month {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000);
        let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Month {
            year: at.year(),
            month: at.month().into(),
        }
    }

    /// Reads `2026-11`, and nothing that is near it.
    pub fn parse(text: &str) -> Option<Month> {
        let (year, month) = text.split_once('-')?;
        let digits = |text: &str, count| {
            let well = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
            well.then(|| text.parse::<i32>().ok()).flatten()
        };
        let month = u8::try_from(digits(month, 2)?).ok();
        let month = month.filter(|month| (1..=12).contains(month))?;
        let year = digits(year, 4).filter(|year| *year >= 1970)?;
        Some(Month { year, month })
    }

    /// Its first moment.
    pub fn begins(self) -> UnixMs {
        let month = time::Month::try_from(self.month).unwrap_or(time::Month::January);
        let day = Date::from_calendar_date(self.year, month, 1).unwrap_or(Date::MAX);
        UnixMs(day.midnight().assume_utc().unix_timestamp() * 1000)
    }

    /// The first moment of the next.
    pub fn ends(self) -> UnixMs {
        let next = match self.month {
            12 => Month {
                year: self.year + 1,
                month: 1,
            },
            month => Month {
                month: month + 1,
                ..self
            },
        };
        next.begins()
    }

    /// How much of it is to come at this moment: all of it before it begins, nothing after it.
    pub fn rest(self, now: UnixMs) -> Duration {
        let from = now.max(self.begins());
        Duration::from_millis(u64::try_from(self.ends().0 - from.0).unwrap_or(0))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_that_of_utc() {
        let cases = [
            (
                "2026-11-22T10:00:00Z",
                "2026-11",
                30,
                "2026-12-01T00:00:00Z",
            ),
            (
                "2026-12-31T23:59:59Z",
                "2026-12",
                31,
                "2027-01-01T00:00:00Z",
            ),
            (
                "2027-01-01T00:00:00Z",
                "2027-01",
                31,
                "2027-02-01T00:00:00Z",
            ),
            (
                "2028-02-01T00:30:00+01:00",
                "2028-01",
                31,
                "2028-02-01T00:00:00Z",
            ),
            (
                "2028-02-29T00:00:00Z",
                "2028-02",
                29,
                "2028-03-01T00:00:00Z",
            ),
        ];
        for (at, name, days, ends) in cases {
            let month = Month::of(UnixMs::parse(at).unwrap());
            assert_eq!(month.to_string(), name, "{at}");
            assert_eq!(month.ends().rfc3339(), ends, "{at}");
            let whole = month.rest(UnixMs(0));
            assert_eq!(whole, Duration::from_secs(days * 86_400), "{at}");
            assert_eq!(month.rest(month.ends().plus_ms(-7)).as_millis(), 7);
            assert_eq!(month.rest(UnixMs(i64::MAX)), Duration::ZERO, "{at}");
            assert_eq!(Month::parse(name), Some(month));
            assert_eq!(Month::of(month.begins()), month);
        }
    }

    #[test]
    fn what_is_no_month_is_not_read() {
        for text in [
            "",
            "-",
            "2026",
            "2026-1",
            "2026-13",
            "2026-00",
            "1969-12",
            "26-11",
            "2026-+1",
            "2026-11-01",
            "+026-11",
            "é026-11",
        ] {
            assert_eq!(Month::parse(text), None, "{text:?}");
        }
        assert!(Month::parse("9999-12").unwrap().ends() > UnixMs(0));
        assert!(Month::parse("2026-12") < Month::parse("2027-01"));
    }
}
