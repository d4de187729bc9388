//! JSON with its members in the order in which AWS writes them, and AWS's ways to write times.

use serde_json::Value;
use time::OffsetDateTime;

/// A string.
pub fn text(value: &str) -> String {
    Value::from(value).to_string()
}

/// A string, or null.
pub fn text_or_null(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), text)
}

/// An object without blanks; values are JSON.
pub fn object(members: &[(&str, String)]) -> String {
    let member = |(name, value): &(&str, String)| format!("{}:{value}", text(name));
    let all: Vec<String> = members.iter().map(member).collect();
    format!("{{{}}}", all.join(","))
}

/// A list without blanks; items are JSON.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = items.into_iter().collect();
    format!("[{}]", all.join(","))
}

/// `2012-04-26T20:45:04.751Z`.
pub fn iso_ms(ms: i64) -> String {
    let (date, time, milli) = parts(ms);
    format!("{date}T{time}.{milli:03}Z")
}

/// `2012-04-26T20:45:04Z`, as EventBridge writes the time of an event.
pub fn iso_seconds(ms: i64) -> String {
    let (date, time, _) = parts(ms);
    format!("{date}T{time}Z")
}

/// `2022-10-18T20:15:10.941+0000`, as CloudWatch writes the time of a change: no RFC 3339.
pub fn offset_ms(ms: i64) -> String {
    let (date, time, milli) = parts(ms);
    format!("{date}T{time}.{milli:03}+0000")
}

fn parts(ms: i64) -> (String, String, i64) {
    let at = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000));
    let at = at.expect("the region's clock shows a year of four digits");
    let (year, month, day) = at.to_calendar_date();
    let (h, m, s) = at.to_hms();
    (
        format!("{year:04}-{:02}-{day:02}", u8::from(month)),
        format!("{h:02}:{m:02}:{s:02}"),
        ms.rem_euclid(1000),
    )
}
