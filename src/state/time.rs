//! Points in time as plain numbers, so that every rule can be tested at any moment.
//!
//! Three kinds, never mixed: [`Mono`] for waiting, [`UnixMs`] for what clocks show, and
//! [`Minute`] for CloudWatch's one-minute data points.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// Monotonic time since the process started. Never goes back, knows no date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub Duration);

impl Mono {
    /// The moment `wait` from now.
    pub fn after(self, wait: Duration) -> Mono {
        Mono(self.0.saturating_add(wait))
    }

    /// How long from `earlier` to this; zero when `earlier` is the later one.
    pub fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// From whole or fractional seconds, as the AWS JSON protocols write times.
    ///
    /// `None` for what is no time: not finite, or outside the years 1 to 9999.
    pub fn from_seconds(seconds: f64) -> Option<UnixMs> {
        let ms = (seconds * 1000.0).round();
        let known = ms.is_finite() && (-62_135_596_800_000.0..253_402_300_800_000.0).contains(&ms);
        known.then_some(UnixMs(ms as i64))
    }

    /// Reads RFC 3339, also with the `+0000` that CloudWatch writes in notifications.
    pub fn parse(text: &str) -> Option<UnixMs> {
        let text = text.trim();
        if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
            return Some(UnixMs::from_offset(at));
        }
        let (head, zone) = text.split_at_checked(text.len().checked_sub(4)?)?;
        let colon = format!("{head}{}:{}", zone.get(..2)?, zone.get(2..)?);
        OffsetDateTime::parse(&colon, &Rfc3339)
            .ok()
            .map(UnixMs::from_offset)
    }

    /// Reads an HTTP date (RFC 9110 section 5.6.7, the preferred form).
    pub fn parse_http_date(text: &str) -> Option<UnixMs> {
        OffsetDateTime::parse(text.trim(), &Rfc2822)
            .ok()
            .map(UnixMs::from_offset)
    }

    /// As an HTTP date, in the preferred form: `Sun, 22 Nov 2026 10:00:00 GMT`.
    pub fn http_date(self) -> String {
        let at = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000));
        let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let weekday = at.weekday().to_string();
        let month = at.month().to_string();
        let (day, year, (hour, minute, second)) = (at.day(), at.year(), at.to_hms());
        format!("{weekday:.3}, {day:02} {month:.3} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    fn from_offset(at: OffsetDateTime) -> UnixMs {
        UnixMs((at.unix_timestamp_nanos() / 1_000_000) as i64)
    }

    /// RFC 3339 in UTC with whole seconds: `2026-11-22T10:00:00Z`.
    pub fn rfc3339(self) -> String {
        self.with_millis(false)
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-22T10:00:00.000Z`.
    pub fn rfc3339_ms(self) -> String {
        self.with_millis(true)
    }

    fn with_millis(self, millis: bool) -> String {
        let nanos = i128::from(self.0) * 1_000_000;
        let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
            return String::from("1970-01-01T00:00:00Z");
        };
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute, second) = at.to_hms();
        let fraction = if millis {
            format!(".{:03}", at.millisecond())
        } else {
            String::new()
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    }

    /// This moment moved by `ms` milliseconds.
    pub fn plus_ms(self, ms: i64) -> UnixMs {
        UnixMs(self.0.saturating_add(ms))
    }

    /// The minute this moment lies in.
    pub fn minute(self) -> Minute {
        Minute(self.0.div_euclid(60_000))
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A whole minute, counted from 1970: CloudWatch's period of 60 s. Named by its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub i64);

impl Minute {
    /// When the minute begins.
    pub fn start(self) -> UnixMs {
        UnixMs(self.0.saturating_mul(60_000))
    }

    /// The minute `n` after this one (before it, when negative).
    pub fn plus(self, n: i64) -> Minute {
        Minute(self.0.saturating_add(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_aws_writes() {
        let cases = [
            ("2026-11-22T10:00:00Z", Some(1_795_341_600_000)),
            ("2022-08-26T03:45:34.563+0000", Some(1_661_485_534_563)),
            ("2026-11-22T11:00:00.5+01:00", Some(1_795_341_600_500)),
            ("2026-11-22", None),
            ("", None),
            ("é000", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(UnixMs::parse(text).map(|t| t.0), wanted, "{text:?}");
        }
        let date = UnixMs::parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT");
        assert_eq!(date, Some(UnixMs(1_795_341_600_000)));
        assert_eq!(UnixMs::parse_http_date("yesterday"), None);
        for at in [0, 1_795_341_600_000, 951_782_399_000, -1_000] {
            let date = UnixMs(at).http_date();
            assert_eq!(UnixMs::parse_http_date(&date), Some(UnixMs(at)), "{date}");
        }
        let date = UnixMs(1_795_341_600_999).http_date();
        assert_eq!(date, "Sun, 22 Nov 2026 10:00:00 GMT");
    }

    #[test]
    fn times_are_written_as_rfc_3339_in_utc() {
        let at = UnixMs(1_795_341_600_007);
        assert_eq!(at.rfc3339(), "2026-11-22T10:00:00Z");
        assert_eq!(at.rfc3339_ms(), "2026-11-22T10:00:00.007Z");
        assert_eq!(at.minute().start().0, 1_795_341_600_000);
        assert_eq!(UnixMs(-1).minute(), Minute(-1));
        assert_eq!(UnixMs::from_seconds(f64::NAN), None);
        assert_eq!(UnixMs::from_seconds(1e30), None);
    }
}
