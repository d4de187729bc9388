//! A page of the answer to `GetMetricData`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One series of a page, as AWS gives it.
pub struct Series<'a> {
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
type Taker<'t> = &'t mut dyn FnMut(Series<'_>);

/// The keys of a page.
#[derive(Deserialize)]
enum PageKey {
    MetricDataResults,
    NextToken,
    #[serde(other)]
    Other,
}

/// The keys of a series.
#[derive(Deserialize)]
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

/// Takes in a list of numbers, or null for none, after what is there.
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

/// Reads one series and hands it on; the values of all come to lie in the same memory.
struct SeriesTo<'t> {
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
        while let Some(key) = series.next_key()? {
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
        (self.take)(Series {
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

    #[test]
    fn texts_of_a_result_are_copied_only_where_they_are_escaped() {
        for (text, is_copied) in [("m0", false), ("m\\u0030", true)] {
            let json = format!(
                "{{\"MetricDataResults\":[{{\"Id\":\"{text}\",\"StatusCode\":\"{text}\"}}]}}"
            );
            let mut seen = 0;
            let next_token = page(json.as_bytes(), &mut |series| {
                for found in [series.id, series.status].into_iter().flatten() {
                    assert_eq!(found, "m0");
                    assert_eq!(matches!(found, Cow::Owned(_)), is_copied, "{text}");
                    seen += 1;
                }
            });
            assert_eq!((next_token.ok(), seen), (Some(None), 2));
        }
    }
}
