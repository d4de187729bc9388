//! Parts that the config knows and this version does not have yet. Each is told once when it
//! is asked for; when it is built, its row goes away.

use super::table::{Document, WHOLE};

/// What is said of a part that is not there yet.
pub const NOT_BUILT: &str = "not built yet in this version";

/// Tables that ask for a part, and what it is.
const UNBUILT: &[(&str, &str)] = &[("status", "the local page")];

/// Warns of every part that is asked for and not built.
pub(super) fn warn<'a>(document: &'a Document<'a>) {
    for (table, part) in UNBUILT {
        if let Some(written) = document.table(table) {
            let what = format!("{part} is {NOT_BUILT}; the agent runs without it");
            written.warn(WHOLE, what);
        }
    }
}
