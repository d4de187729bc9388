//! Data points that are written beforehand: an answer of `GetMetricData` is put together from
//! pieces.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::Value;

use crate::region::World;
use crate::region::series::key;

/// After so many minutes values come again.
const ROUND_MINUTES: i64 = 60;

/// One series.
pub struct Row {
    /// From the brace to the times.
    head: String,
    /// The value of each minute of a round, with a comma before it; empty where there is none.
    values: Vec<String>,
    /// All of them, one behind the other, where every minute has one; and where each ends.
    whole: Option<(String, Vec<usize>)>,
}

impl Row {
    /// What a query of `GetMetricData` asks for.
    pub fn new(world: &World, query: &Value) -> Row {
        let metric = &query["MetricStat"]["Metric"];
        let text = |value: &'_ Value| value.as_str().unwrap().to_owned();
        let name = text(&metric["MetricName"]);
        let dimensions = metric["Dimensions"].as_array().unwrap().iter();
        let pairs: Vec<_> = dimensions
            .map(|d| (text(&d["Name"]), text(&d["Value"])))
            .collect();
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let series = world.metrics.get(&key(&name, pairs));
        let value = |minute| {
            let value = series.and_then(|series| series.at(minute, i64::MAX));
            value.map_or_else(String::new, |value| format!(",{value:?}"))
        };
        let values: Vec<String> = (0..ROUND_MINUTES).map(value).collect();
        let ends = values.iter().scan(0, |end, value| {
            *end += value.len();
            Some(*end)
        });
        let whole = values.iter().all(|value| !value.is_empty());
        let whole = whole.then(|| (values.concat(), ends.collect()));
        let id = text(&query["Id"]);
        Row {
            head: format!("{{\"Id\":\"{id}\",\"Label\":\"{name}\",\"Timestamps\":["),
            values,
            whole,
        }
    }

    fn write(&self, out: &mut String, times: &str, minutes: Range<i64>) {
        out.push_str(&self.head);
        let mut some = (String::new(), String::new());
        let (times, values) = match &self.whole {
            Some((values, ends)) => {
                write_run(&mut some.1, values, ends, minutes);
                (times, some.1.as_str())
            }
            None => {
                for minute in minutes {
                    let value = &self.values[minute.rem_euclid(ROUND_MINUTES) as usize];
                    if !value.is_empty() {
                        write_time(&mut some.0, minute);
                        some.1.push_str(value);
                    }
                }
                (some.0.as_str(), some.1.as_str())
            }
        };
        // The first of each has a comma before it, too.
        out.push_str(times.get(1..).unwrap_or_default());
        out.push_str("],\"Values\":[");
        out.push_str(values.get(1..).unwrap_or_default());
        out.push_str("],\"StatusCode\":\"Complete\"}");
    }
}

/// The values of all these minutes, round by round.
fn write_run(out: &mut String, values: &str, ends: &[usize], minutes: Range<i64>) {
    let mut first = minutes.start;
    while first < minutes.end {
        let at = first.rem_euclid(ROUND_MINUTES) as usize;
        let count = (minutes.end - first).min(ROUND_MINUTES - at as i64);
        let begin = if at == 0 { 0 } else { ends[at - 1] };
        out.push_str(&values[begin..ends[at + count as usize - 1]]);
        first += count;
    }
}

fn write_time(out: &mut String, minute: i64) {
    let _ = write!(out, ",{}", minute * 60);
}

/// A whole answer.
pub fn write(rows: &[Row], minutes: Range<i64>) -> String {
    let mut times = String::new();
    minutes
        .clone()
        .for_each(|minute| write_time(&mut times, minute));
    let mut out = String::from("{\"MetricDataResults\":[");
    for (n, row) in rows.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        row.write(&mut out, &times, minutes.clone());
    }
    out.push_str("],\"Messages\":[]}");
    out
}
