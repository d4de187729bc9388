//! The answer to `GetMetricData`, taken in page by page and result by result.

use texts::GivenSeries;

use super::OPERATION;
use crate::aws::answer::{not_as_promised, one_line};
use crate::state::fault::{Fault, FaultKind};
use crate::state::polled::Column;
use crate::state::time::{Minute, UnixMs};

/// How far AWS is with one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Unheard,
    Partial,
    Complete,
}

/// The answer as it grows page by page.
pub struct Columns {
    /// Without values until they are heard of: until then the request needs the memory.
    columns: Vec<Column>,
    first: Minute,
    minutes: usize,
    times: Times,
    progress: Vec<Progress>,
}

impl Columns {
    /// Of so many series, for so many minutes from `first` on.
    pub fn new(series: usize, first: Minute, minutes: usize) -> Columns {
        let empty = Column {
            first,
            values: Vec::new(),
        };
        Columns {
            columns: vec![empty; series],
            first,
            minutes,
            times: Times::default(),
            progress: vec![Progress::Unheard; series],
        }
    }

    /// Takes one page in and returns the token of the next.
    ///
    /// # Errors
    ///
    /// As [`super::metric_data`].
    pub fn take_page(&mut self, body: &[u8]) -> Result<Option<String>, Fault> {
        let mut trouble = None;
        let next_token = texts::page(body, &mut |series| {
            let taken = self.take(series);
            trouble = trouble.take().or(taken.err());
        });
        let next_token = next_token.map_err(|error| not_as_promised(OPERATION, body, &error))?;
        trouble.map_or(Ok(next_token), Err)
    }

    fn take(&mut self, series: GivenSeries<'_>) -> Result<(), Fault> {
        let id = series.id.as_deref().and_then(|id| id.strip_prefix('m'));
        let place = id.and_then(|number| number.parse().ok());
        let Some(place) = place.filter(|place: &usize| *place < self.columns.len()) else {
            return Ok(());
        };
        let progress = match series.status.as_deref() {
            Some("Complete") => Progress::Complete,
            Some("PartialData") => Progress::Partial,
            status => return Err(not_given(status, series.message)),
        };
        let places = self.times.places(series.times, self.first)?;
        let values = series.values;
        if places.len() != values.len() {
            return Err(answer_fault(
                "has more times than values, or the other way round",
            ));
        }
        let column = &mut self.columns[place].values;
        column.resize(self.minutes, f64::NAN);
        for (place, value) in places.iter().zip(values) {
            if let Some(held) = column.get_mut(*place) {
                *held = *value;
            }
        }
        self.progress[place] = progress;
        Ok(())
    }

    /// All of it, once AWS has completed every series.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Answer`] before that.
    pub fn complete(self) -> Result<Vec<Column>, Fault> {
        let unheard = self
            .progress
            .iter()
            .filter(|p| **p == Progress::Unheard)
            .count();
        let partial = self
            .progress
            .iter()
            .filter(|p| **p == Progress::Partial)
            .count();
        if unheard + partial == 0 {
            return Ok(self.columns);
        }
        let series = self.progress.len();
        let what = format!("of {series} series leaves out {unheard} and gives {partial} in part");
        Err(answer_fault(&what))
    }
}

/// The times of one series, which are mostly those of the next: what is read once is not read
/// again for thousands of them.
#[derive(Default)]
struct Times {
    /// JSON text.
    text: String,
    /// Where in its column each of them is; what is in none is beyond every end.
    places: Vec<usize>,
}

impl Times {
    /// The places of the times that this text lists, in columns that begin with `first`.
    fn places(&mut self, text: &str, first: Minute) -> Result<&[usize], Fault> {
        if self.text != text {
            let times =
                texts::numbers(text).map_err(|_| answer_fault("has times that are no numbers"))?;
            let place = |seconds| {
                let minute = UnixMs::from_seconds(seconds)?.minute();
                usize::try_from(minute.0.saturating_sub(first.0)).ok()
            };
            let places = times.into_iter();
            self.places = places
                .map(|time| place(time).unwrap_or(usize::MAX))
                .collect();
            self.text = text.to_owned();
        }
        Ok(&self.places)
    }
}

fn answer_fault(what: &str) -> Fault {
    Fault::new(
        FaultKind::Answer,
        format!("the answer to {OPERATION} {what}"),
        "",
    )
}

/// AWS says that it cannot, or may not, give a series.
fn not_given(status: Option<&str>, message: Option<String>) -> Fault {
    let message = message
        .map(|text| format!(": {}", one_line(&text)))
        .unwrap_or_default();
    if status == Some("Forbidden") {
        return Fault::new(
            FaultKind::Permission,
            format!("{OPERATION} may not read a series{message}"),
            "allow cloudwatch:GetMetricData in the IAM policy",
        );
    }
    let status = one_line(status.unwrap_or("none"));
    answer_fault(&format!("gives a series the status {status}{message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Minute = Minute(29_922_360);
    const T0: i64 = 29_922_360 * 60;

    /// What comes of `pages` for `series` series over four minutes, as in `1 - 2.5 - | - - - -`.
    fn read(series: usize, pages: &[String]) -> Result<String, Fault> {
        let mut columns = Columns::new(series, FIRST, 4);
        for page in pages {
            columns.take_page(page.as_bytes())?;
        }
        let value = |value: &f64| match value.is_nan() {
            true => String::from("-"),
            false => value.to_string(),
        };
        let column = |column: &Column| column.values.iter().map(value).collect::<Vec<_>>();
        let shown = columns.complete()?;
        let shown: Vec<String> = shown.iter().map(|c| column(c).join(" ")).collect();
        Ok(shown.join(" | "))
    }

    fn page(results: &[String]) -> String {
        format!(
            "{{\"MetricDataResults\":[{}],\"Messages\":[]}}",
            results.join(",")
        )
    }

    fn result(id: &str, times: &str, values: &str, status: &str) -> String {
        format!(
            "{{\"Id\":\"{id}\",\"Label\":\"x\",\"Timestamps\":[{times}],\"Values\":[{values}],\
             \"StatusCode\":\"{status}\"}}"
        )
    }

    #[test]
    fn points_are_put_into_their_minutes_whatever_their_order_and_page() {
        let time = |minute: i64| (T0 + minute * 60).to_string();
        let [t0, t1, t2, t3] = [0, 1, 2, 3].map(time);
        let outside = format!("{},{},1e300,-1e300", time(-1), time(4));
        let complete = |id: &str, times: &str, values: &str| result(id, times, values, "Complete");
        let backwards = [
            complete("m1", &format!("{t3},{t0}"), "3,0"),
            complete("m0", &t1, "1.5"),
        ];
        let alike = [("m0", "1,2"), ("m1", "3,4")];
        let alike = alike.map(|(id, values)| complete(id, &format!("{t0},{t2}"), values));
        let not_asked_for = [
            complete("m0", &t0, "1"),
            complete("m1", &t0, "2"),
            complete("x", "", ""),
            result("", "", "", "Forbidden"),
        ];
        let first_part = page(&[result("m0", &t0, "1", "PartialData")]);
        let rest = page(&[complete("m0", &t2, "2")]);
        let fractional = complete("m0", &format!("{t1}.0,{t2}.75"), "1,2");
        let cases = [
            (2, vec![page(&backwards)], "- 1.5 - - | 0 - - 3"),
            (2, vec![page(&alike)], "1 - 2 - | 3 - 4 -"),
            (1, vec![first_part, rest], "1 - 2 -"),
            (1, vec![page(&[fractional])], "- 1 2 -"),
            (
                1,
                vec![page(&[complete("m0", &outside, "7,7,7,7")])],
                "- - - -",
            ),
            (1, vec![page(&not_asked_for)], "1 - - -"),
            (1, vec![page(&[complete("m0", "", "")])], "- - - -"),
        ];
        for (series, pages, wanted) in cases {
            assert_eq!(read(series, &pages).as_deref(), Ok(wanted), "{pages:?}");
        }
    }

    #[test]
    fn an_incomplete_answer_is_a_fault() {
        use FaultKind::{Answer, Permission};
        let forbidden = "{\"Id\":\"m0\",\"StatusCode\":\"Forbidden\",\"Messages\":[{\"Code\":\"F\",\
                         \"Value\":\"not yours\"}]}";
        let cases = [
            (
                "never completed",
                page(&[result("m0", "", "", "PartialData")]),
                Answer,
                "in part",
            ),
            (
                "internal",
                page(&[result("m0", "", "", "InternalError")]),
                Answer,
                "InternalError",
            ),
            (
                "forbidden",
                page(&[forbidden.into()]),
                Permission,
                "not yours",
            ),
            (
                "no status",
                page(&["{\"Id\":\"m0\"}".into()]),
                Answer,
                "none",
            ),
            ("left out", page(&[]), Answer, "leaves out 1"),
            ("no results", "{}".into(), Answer, "leaves out 1"),
            (
                "null",
                "{\"MetricDataResults\":null}".into(),
                Answer,
                "leaves out 1",
            ),
            (
                "no list",
                "{\"MetricDataResults\":{}}".into(),
                Answer,
                "another type",
            ),
            ("no page", "[]".into(), Answer, "another type"),
            (
                "trouble before the end",
                page(&[
                    result("m0", "", "", "InternalError"),
                    result("m0", "", "", "Complete"),
                ]),
                Answer,
                "InternalError",
            ),
            (
                "lengths",
                page(&[result("m0", "1,2", "1", "Complete")]),
                Answer,
                "more times",
            ),
            (
                "times in words",
                page(&[result("m0", "\"x\"", "1", "Complete")]),
                Answer,
                "times that are no numbers",
            ),
            (
                "a time that is null",
                page(&[result("m0", "null", "1", "Complete")]),
                Answer,
                "times that are no numbers",
            ),
            (
                "text",
                page(&[result("m0", "1", "\"x\"", "Complete")]),
                Answer,
                "another type",
            ),
            (
                "null",
                page(&[result("m0", "1", "null", "Complete")]),
                Answer,
                "another type",
            ),
            ("not JSON", "<html>".into(), Answer, "not JSON"),
        ];
        for (name, page, kind, word) in cases {
            let fault = read(1, &[page]).unwrap_err();
            assert_eq!(fault.kind, kind, "{name}: {fault}");
            assert!(fault.what.contains(word), "{name}: {fault}");
        }
    }
}
