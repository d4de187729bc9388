//! The document, embedded: one file of three, with a policy that lets its own style and script
//! run and nothing else.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("page/page.html");
/// One script, of files in the order in which they need each other.
const SCRIPT: &str = concat!(
    include_str!("page/elements.js"),
    include_str!("page/words.js"),
    include_str!("page/picture.js"),
    include_str!("page/parts.js"),
    include_str!("page/table.js"),
    include_str!("page/chart.js"),
    include_str!("page/kinds.js"),
    include_str!("page/sections.js"),
    include_str!("page/page.js"),
);
/// Where in it style and script stand, and what they are.
const PARTS: [(&str, &str); 2] = [
    ("/*page.css*/", include_str!("page/page.css")),
    ("/*page.js*/", SCRIPT),
];
/// Bytes of a hash that name the document.
const TAG_BYTES: usize = 8;

/// The document with what goes out with it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) text: Arc<Vec<u8>>,
    /// `ETag`.
    pub(super) etag: String,
    /// `Content-Security-Policy`, for every answer.
    pub(super) policy: String,
}

impl Page {
    /// Joins the three files.
    pub(super) fn new() -> Page {
        let joined = PARTS.iter().fold(HTML.to_owned(), |html, (mark, part)| {
            html.replacen(mark, part, 1)
        });
        let [(_, style), (_, script)] = PARTS;
        let digest = Sha256::digest(joined.as_bytes());
        let hex = digest.iter().take(TAG_BYTES);
        let hex: String = hex.map(|byte| format!("{byte:02x}")).collect();
        Page {
            text: Arc::new(joined.into_bytes()),
            etag: format!("\"{hex}\""),
            policy: policy(style, script),
        }
    }
}

/// Nothing is loaded but the page's own data; no text becomes markup (Content Security Policy
/// Level 3; Trusted Types).
fn policy(style: &str, script: &str) -> String {
    let (style, script) = (source(style), source(script));
    format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// A part by its hash.
fn source(part: &str) -> String {
    format!(
        "'sha256-{}'",
        STANDARD.encode(Sha256::digest(part.as_bytes()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a browser on a slow line loads at the most.
    const PAGE_BYTES_MAX: usize = 60_000;

    /// The text between the only `<name>` of the document and its end.
    fn element<'a>(document: &'a str, name: &str) -> &'a str {
        let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
        assert_eq!(document.matches(&format!("<{name}")).count(), 1, "{name}");
        assert_eq!(document.matches(&format!("</{name}")).count(), 1, "{name}");
        let (_, rest) = document.split_once(&begin).unwrap();
        rest.split_once(&end).unwrap().0
    }

    #[test]
    fn the_document_is_small_and_lets_its_own_style_and_script_run() {
        for (mark, part) in PARTS {
            assert_eq!(HTML.matches(mark).count(), 1, "{mark}");
            // A browser would make other bytes of it, which have another hash.
            assert!(!part.contains('\r') && !part.contains('\0'), "{mark}");
        }
        let page = Page::new();
        let text = std::str::from_utf8(&page.text).unwrap();
        assert!(text.len() < PAGE_BYTES_MAX, "{} bytes", text.len());
        for (name, directive) in [("style", "style-src"), ("script", "script-src")] {
            let hash = source(element(text, name));
            let allowed = format!("; {directive} {hash};");
            assert!(page.policy.contains(&allowed), "{name}: {}", page.policy);
        }
        // Such attributes would not work, whatever they are for.
        for lost in [" style=", " onclick=", " src=\"http", "javascript:"] {
            assert!(!HTML.contains(lost), "{lost}");
        }
    }
}
