//! A page of the answer to `GetMetricData`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One series of a page, as AWS gives it.
pub struct GivenSeries<'a> {
    /// The id that it was asked by.
    pub id: Option<Cow<'a, str>>,
    /// The times of its points as JSON text: mostly that of the series before.
    pub times: &'a str,
    /// The values of its points.
    pub values: &'a [f64],
    /// How far AWS is with it.
    pub status: Option<Cow<'a, str>>,
    /// What AWS says of it, if it does.
    pub message: Option<String>,
}

/// Who takes the series of a page.
type Taker<'t> = &'t mut dyn FnMut(GivenSeries<'_>);

/// The keys of a page.
#[derive(Deserialize)]
enum PageKey {
    MetricDataResults,
    NextToken,
    #[serde(other)]
    Other,
}

/// The keys of a series.
#[derive(Clone, Copy, Deserialize)]
enum SeriesKey {
    Id,
    Timestamps,
    Values,
    StatusCode,
    Messages,
    #[serde(other)]
    Other,
}

/// A text that is copied only where something in it is escaped. Of `Option<Cow<str>>` serde
/// copies each.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMessage {
    value: Option<String>,
}

/// Takes in a list of numbers, or null for none.
struct NumbersInto<'n>(&'n mut Vec<f64>);

impl<'de> DeserializeSeed<'de> for NumbersInto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, list: D) -> Result<(), D::Error> {
        list.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NumbersInto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(number) = list.next_element()? {
            self.0.push(number);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads one series and hands it on.
struct SeriesTo<'t> {
    /// Memory for the values, which is used again for the next series.
    values: &'t mut Vec<f64>,
    take: Taker<'t>,
}

impl<'de> DeserializeSeed<'de> for SeriesTo<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, series: D) -> Result<(), D::Error> {
        series.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for SeriesTo<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut series: A) -> Result<(), A::Error> {
        let mut id: Option<Text<'de>> = None;
        let mut times: Option<&RawValue> = None;
        let mut status: Option<Text<'de>> = None;
        let mut messages: Option<Vec<RawMessage>> = None;
        self.values.clear();
        // Of the keys before `Other`, which may come as often as it likes.
        let mut seen = [false; SeriesKey::Other as usize];
        while let Some(key) = series.next_key::<SeriesKey>()? {
            if let Some(seen) = seen.get_mut(key as usize)
                && std::mem::replace(seen, true)
            {
                return Err(A::Error::custom("a key stands there twice"));
            }
            match key {
                SeriesKey::Id => id = series.next_value()?,
                SeriesKey::Timestamps => times = series.next_value()?,
                SeriesKey::Values => series.next_value_seed(NumbersInto(self.values))?,
                SeriesKey::StatusCode => status = series.next_value()?,
                SeriesKey::Messages => messages = series.next_value()?,
                SeriesKey::Other => drop(series.next_value::<IgnoredAny>()?),
            }
        }
        let mut messages = messages.into_iter().flatten();
        (self.take)(GivenSeries {
            id: id.map(|id| id.0),
            times: times.map_or("[]", RawValue::get),
            values: self.values,
            status: status.map(|status| status.0),
            message: messages.find_map(|message| message.value),
        });
        Ok(())
    }
}

/// Hands on a page series by series: thousands of them never lie beside each other.
struct PageTo<'t>(Taker<'t>);

impl<'de> DeserializeSeed<'de> for PageTo<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, page: D) -> Result<Self::Value, D::Error> {
        page.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageTo<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of results")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut page: A) -> Result<Self::Value, A::Error> {
        let mut next_token = None;
        while let Some(key) = page.next_key()? {
            match key {
                PageKey::MetricDataResults => page.next_value_seed(ResultsTo(self.0))?,
                PageKey::NextToken => next_token = page.next_value()?,
                PageKey::Other => drop(page.next_value::<IgnoredAny>()?),
            }
        }
        Ok(next_token)
    }
}

/// The list of a page.
struct ResultsTo<'t>(Taker<'t>);

impl<'de> DeserializeSeed<'de> for ResultsTo<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, results: D) -> Result<(), D::Error> {
        results.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ResultsTo<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut results: A) -> Result<(), A::Error> {
        let mut values = Vec::new();
        loop {
            let series = SeriesTo {
                values: &mut values,
                take: self.0,
            };
            if results.next_element_seed(series)?.is_none() {
                return Ok(());
            }
        }
    }

    /// Null.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a page, hands each of its series to `take`, and gives the token of the next page.
///
/// # Errors
///
/// What is not the JSON that the CloudWatch API reference shows for `GetMetricData`. Some series
/// may have been handed on before that is found.
pub fn page(body: &[u8], take: Taker<'_>) -> serde_json::Result<Option<String>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let next_token = PageTo(take).deserialize(&mut json)?;
    json.end().map(|()| next_token)
}

/// Reads a list of numbers, or null.
///
/// # Errors
///
/// What is neither.
pub fn numbers(text: &str) -> serde_json::Result<Vec<f64>> {
    let mut numbers = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    NumbersInto(&mut numbers).deserialize(&mut json)?;
    json.end().map(|()| numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `results` are handed on as: `id times values status message`, a line each.
    fn read(results: &str) -> serde_json::Result<Vec<String>> {
        let mut lines = Vec::new();
        let body = format!("{{\"MetricDataResults\":[{results}]}}");
        page(body.as_bytes(), &mut |series| {
            let id = series.id.as_deref().unwrap_or("-");
            let status = series.status.as_deref().unwrap_or("-");
            let message = series.message.as_deref().unwrap_or("-");
            let (times, values) = (series.times, series.values);
            lines.push(format!("{id} {times} {values:?} {status} {message}"));
        })?;
        Ok(lines)
    }

    #[test]
    fn a_series_has_nothing_of_the_one_before() {
        let full = "{\"Id\":\"m0\",\"Timestamps\":[1,2],\"Values\":[3.5,4],\"StatusCode\":\
                    \"Complete\",\"Label\":{\"Values\":[9]},\"Messages\":[{},{\"Value\":\"why\"}]}";
        let nulls = "{\"Id\":null,\"Timestamps\":null,\"Values\":null,\"StatusCode\":null,\
                     \"Messages\":null}";
        let escaped = "{\"\\u0049d\":\"m1\"}";
        let results = [full, "{}", full, nulls, escaped].join(",");
        let wanted = [
            "m0 [1,2] [3.5, 4.0] Complete why",
            "- [] [] - -",
            "m0 [1,2] [3.5, 4.0] Complete why",
            "- [] [] - -",
            "m1 [] [] - -",
        ];
        assert_eq!(read(&results).unwrap(), wanted);
    }

    #[test]
    fn a_key_that_stands_there_twice_is_refused() {
        for twice in ["\"Values\":[1]", "\"Values\":null", "\"Id\":\"m0\""] {
            assert!(read(&format!("{{{twice},{twice}}}")).is_err(), "{twice}");
        }
        assert!(read("{\"Label\":1,\"Label\":2}").is_ok());
    }

    #[test]
    fn texts_of_a_series_are_copied_only_where_they_are_escaped() {
        for (text, is_copied) in [("m0", false), ("m\\u0030", true)] {
            let series = format!("{{\"Id\":\"{text}\",\"StatusCode\":\"{text}\"}}");
            let body = format!("{{\"MetricDataResults\":[{series}]}}");
            let mut seen = 0;
            let next_token = page(body.as_bytes(), &mut |series| {
                for found in [series.id, series.status].map(Option::unwrap) {
                    assert_eq!(found, "m0");
                    assert_eq!(matches!(found, Cow::Owned(_)), is_copied, "{text}");
                    seen += 1;
                }
            });
            assert_eq!((next_token.unwrap(), seen), (None, 2));
        }
    }
}
