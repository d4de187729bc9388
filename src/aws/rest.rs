//! What the three MediaPackage APIs have in common: listings by `maxResults` and `nextToken`,
//! and the forms that their answers take. Pure but for the [`Service`] that carries requests.
//!
//! Source: botocore mediapackage/2017-10-12, mediapackagev2/2022-12-25 and
//! mediapackage-vod/2018-11-07, all of the protocol `rest-json`.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::call::Call;
use super::client::Service;
use super::pages::{self, Page};
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::{Id, Tags};
use crate::state::time::UnixMs;

/// What SigV4 calls unreserved; all else of a token is percent-encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// In a path the dot is encoded too: a name of dots alone would be taken for a step up.
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.add(b'.');

/// One page of a listing: what it holds by id, and the token of the next.
pub type PageOf<T> = (Vec<(Id, T)>, Option<String>);

/// A listing: which operation, where, and how much at once.
pub struct Listing<'a> {
    /// The operation's name.
    pub operation: &'static str,
    /// Its path, percent-encoded, without a query.
    pub path: &'a str,
    /// Items AWS is asked for at once.
    pub page_items: usize,
}

impl Listing<'_> {
    /// Reads every page, and gives the items in order of their ids.
    ///
    /// An id that comes twice, because something was made or removed between two pages, is
    /// taken from the later page: that was read later.
    ///
    /// # Errors
    ///
    /// Any fault of any page: a listing is complete, or there is none.
    pub fn read<T>(
        &self,
        service: &Service,
        read: impl Fn(&str, &[u8]) -> Result<PageOf<T>, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut items: Vec<(Id, T)> = Vec::new();
        pages::read_all(self.operation, |token| {
            let body = service.send(&Call::get(self.operation, self.target(token)))?;
            let (page, next) = read(self.operation, &body)?;
            items.extend(page);
            Ok(Page {
                items: items.len(),
                next,
            })
        })?;
        // The later of two comes first, and stays.
        items.reverse();
        // Sorts names: to sort the items takes room for half of them.
        items.sort_by_cached_key(|(id, _)| id.clone());
        items.dedup_by(|(next, _), (kept, _)| next == kept);
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }

    /// Path and query of one page.
    fn target(&self, token: Option<&str>) -> String {
        let (path, items) = (self.path, self.page_items);
        match token {
            None => format!("{path}?maxResults={items}"),
            Some(token) => {
                let token = utf8_percent_encode(token, ENCODED);
                format!("{path}?maxResults={items}&nextToken={token}")
            }
        }
    }
}

/// `name` as one segment of a path.
pub fn segment(name: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(name, ENCODED_IN_PATH)
}

/// moto and some front doors send null for what is unset; a field that is not there at all is
/// an error all the same.
pub fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Without an id nothing can be published, and leaving the item out would be read as gone.
///
/// # Errors
///
/// [`FaultKind::Answer`] when there is none or it is empty.
pub fn named(operation: &str, id: Option<&str>) -> Result<Id, Fault> {
    let id = id.filter(|id| !id.is_empty());
    id.map(Id::from).ok_or_else(|| {
        let what = format!("the answer to {operation} has an item without an id");
        Fault::new(FaultKind::Answer, what, "")
    })
}

/// Tags as they come; any value may be null.
pub type RawTags = Option<BTreeMap<String, Option<String>>>;

/// The tags that have a value.
pub fn tags(raw: RawTags) -> Tags {
    let pairs = raw.into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// An id and where it leads, of an ingest endpoint or a manifest.
#[derive(Deserialize)]
pub struct RawIdAndUrl {
    /// AWS's id.
    pub id: Option<String>,
    /// Its URL.
    pub url: Option<String>,
}

/// Where access logs go.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawLogs {
    /// The log group's name.
    pub log_group_name: Option<String>,
}

/// `https://user:password@host/` is `https://host/`.
pub fn without_userinfo(url: String) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url,
    }
}

/// A moment in either form: seconds since 1970, which the model of v2 promises, or RFC 3339,
/// which v1 and VOD send. What is no time is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawTime(Option<UnixMs>);

/// The moment that was sent, if any.
pub fn time(raw: Option<RawTime>) -> Option<UnixMs> {
    raw.and_then(|raw| raw.0)
}

impl<'de> Deserialize<'de> for RawTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawTime, D::Error> {
        deserializer.deserialize_any(TimeForms)
    }
}

struct TimeForms;

impl Visitor<'_> for TimeForms {
    type Value = RawTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970 or RFC 3339")
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<RawTime, E> {
        Ok(RawTime(UnixMs::from_seconds(seconds)))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<RawTime, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<RawTime, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawTime, E> {
        let number = || UnixMs::from_seconds(text.trim().parse().ok()?);
        Ok(RawTime(UnixMs::parse(text).or_else(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_is_percent_encoded_once() {
        let cases = [
            (None, "/channels?maxResults=200"),
            (
                Some("a-b_c.d~1"),
                "/channels?maxResults=200&nextToken=a-b_c.d~1",
            ),
            (
                Some("a+/=&?#%2B"),
                "/channels?maxResults=200&nextToken=a%2B%2F%3D%26%3F%23%252B",
            ),
            (Some("ü x"), "/channels?maxResults=200&nextToken=%C3%BC%20x"),
        ];
        let listing = Listing {
            operation: "ListChannels",
            path: "/channels",
            page_items: 200,
        };
        for (token, wanted) in cases {
            assert_eq!(listing.target(token), wanted);
        }
    }

    #[test]
    fn a_name_stays_one_segment_of_a_path() {
        let cases = [
            ("News_HD-1~", "News_HD-1~"),
            ("a/b?c#d%e", "a%2Fb%3Fc%23d%25e"),
            ("..", "%2E%2E"),
            ("ü\r\n", "%C3%BC%0D%0A"),
        ];
        for (name, wanted) in cases {
            assert_eq!(segment(name).to_string(), wanted, "{name:?}");
        }
    }

    #[test]
    fn user_information_is_taken_out_of_urls() {
        let cases = [
            ("https://u:p@host/path", "https://host/path"),
            ("https://u@host", "https://host"),
            ("https://a@b@host:8080/x@y", "https://host:8080/x@y"),
            ("https://host/p?mail=a@b", "https://host/p?mail=a@b"),
            ("https://host?mail=a@b", "https://host?mail=a@b"),
            ("not a url", "not a url"),
            ("", ""),
        ];
        for (url, wanted) in cases {
            assert_eq!(without_userinfo(url.to_owned()), wanted);
        }
    }

    #[test]
    fn a_time_is_read_in_either_form_and_nothing_else() {
        let noon = Ok(Some(1_795_341_600_000));
        let cases = [
            ("1795341600", noon),
            ("1795341600.0", noon),
            ("1.7953416E9", noon),
            ("\"2026-11-22T10:00:00Z\"", noon),
            ("\"2026-11-22T11:00:00.000+0100\"", noon),
            ("\"1795341600\"", noon),
            ("1795341600.5", Ok(Some(1_795_341_600_500))),
            ("-1", Ok(Some(-1000))),
            ("18446744073709551615", Ok(None)),
            ("1e300", Ok(None)),
            ("\"NaN\"", Ok(None)),
            ("\"yesterday\"", Ok(None)),
            ("null", Ok(None)),
            ("{}", Err(())),
            ("[1]", Err(())),
            ("true", Err(())),
        ];
        for (json, wanted) in cases {
            let read = serde_json::from_str::<Option<RawTime>>(json);
            let got = read.map(|raw| time(raw).map(|at| at.0)).map_err(|_| ());
            assert_eq!(got, wanted, "{json}");
        }
    }
}
