//! Reads a listing page by page to its end. Pure: how a page is fetched is handed in.

use std::collections::HashSet;

use crate::state::fault::{Fault, FaultKind};

/// Pages of one listing.
pub const PAGES_MAX: usize = 1_000;
/// Items of one listing.
pub const ITEMS_MAX: usize = 100_000;
/// A longer token would not fit into the head of a request once it is percent-encoded.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Where a listing stands after a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// How many items were taken so far.
    pub items: usize,
    /// What AWS sent to ask for the next page; an empty one is the end, as none is.
    pub next: Option<String>,
}

/// Calls `fetch` with each token until there is none.
///
/// # Errors
///
/// Whatever `fetch` fails with, and [`FaultKind::Answer`] for a listing without an end.
pub fn read_all<F>(operation: &str, mut fetch: F) -> Result<(), Fault>
where
    F: FnMut(Option<&str>) -> Result<Page, Fault>,
{
    let mut token: Option<String> = None;
    let mut seen = HashSet::new();
    for _ in 0..PAGES_MAX {
        let page = fetch(token.as_deref())?;
        if page.items > ITEMS_MAX {
            return Err(endless(
                operation,
                format!("gives more than {ITEMS_MAX} items"),
            ));
        }
        let Some(next) = page.next.filter(|next| !next.is_empty()) else {
            return Ok(());
        };
        if next.len() > TOKEN_BYTES_MAX {
            let what = format!("gives a page token of more than {TOKEN_BYTES_MAX} bytes");
            return Err(endless(operation, what));
        }
        if !seen.insert(next.clone()) {
            let what = String::from("is looping: it gave the same page token twice");
            return Err(endless(operation, what));
        }
        token = Some(next);
    }
    Err(endless(
        operation,
        format!("gives more than {PAGES_MAX} pages"),
    ))
}

fn endless(operation: &str, what: String) -> Fault {
    Fault::new(FaultKind::Answer, format!("{operation} {what}"), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens asked with, and what came of it, for a server that sends `answers` in turn.
    fn asked(answers: &[Option<&str>]) -> (Vec<Option<String>>, Result<(), Fault>) {
        let mut asked = Vec::new();
        let mut answers = answers.iter().cycle();
        let result = read_all("ListChannels", |token| {
            asked.push(token.map(str::to_owned));
            let next = answers.next().and_then(|next| next.map(str::to_owned));
            Ok(Page { items: 0, next })
        });
        (asked, result)
    }

    #[test]
    fn pages_are_read_to_the_end() {
        let some = |t: &str| Some(t.to_owned());
        let cases: [(&[_], Vec<Option<String>>); 3] = [
            (&[None], vec![None]),
            (
                &[Some("a+/="), Some("ü"), None],
                vec![None, some("a+/="), some("ü")],
            ),
            (&[Some("a"), Some("")], vec![None, some("a")]),
        ];
        for (answers, wanted) in cases {
            let (asked, result) = asked(answers);
            assert_eq!((asked, result), (wanted, Ok(())), "{answers:?}");
        }
    }

    #[test]
    fn a_listing_without_an_end_is_a_fault() {
        let long = "x".repeat(TOKEN_BYTES_MAX + 1);
        let cases: [(&[_], &str, usize); 3] = [
            (&[Some("a")], "looping", 2),
            (&[Some("a"), Some("b")], "looping", 3),
            (&[Some(&long)], "4096 bytes", 1),
        ];
        for (answers, wanted, requests) in cases {
            let (asked, result) = asked(answers);
            let fault = result.unwrap_err();
            assert_eq!(
                (fault.kind, asked.len()),
                (FaultKind::Answer, requests),
                "{fault}"
            );
            assert!(fault.what.contains(wanted), "{fault}");
        }
        let mut page = 0;
        let endless = read_all("ListChannels", |_| {
            page += 1;
            Ok(Page {
                items: page,
                next: Some(page.to_string()),
            })
        });
        assert!(endless.unwrap_err().what.contains("1000 pages"));
        let full = |_: Option<&str>| {
            Ok(Page {
                items: ITEMS_MAX + 1,
                next: None,
            })
        };
        assert!(
            read_all("ListChannels", full)
                .unwrap_err()
                .what
                .contains("100000 items")
        );
    }

    #[test]
    fn a_failed_page_fails_the_listing() {
        let fault = Fault::new(FaultKind::Server, "down", "");
        let result = read_all("ListChannels", |_| Err(fault.clone()));
        assert_eq!(result, Err(fault));
    }
}
