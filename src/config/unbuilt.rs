//! Parts that the config knows and this version does not have yet. Each is told once when it
//! is asked for; when it is built, its row goes away.

use toml::de::DeValue;

use super::table::{Document, WHOLE};

/// What is said of a part that is not there yet.
pub const NOT_BUILT: &str = "not built yet in this version";

/// What in the file asks for a part.
enum Asked {
    /// The table is written.
    Table(&'static str),
    /// The key is written and true.
    True(&'static str, &'static str),
    /// The table is written and the key, true by default, is not false in it.
    NotFalse(&'static str, &'static str),
}

use Asked::{NotFalse, Table, True};

const UNBUILT: &[(Asked, &str)] = &[
    (Table("status"), "the local page"),
    (Table("credentials.iot"), "the AWS IoT credential provider"),
    (Table("credentials.assume_role"), "assuming a role"),
    (
        NotFalse("home_assistant", "enabled"),
        "Home Assistant discovery",
    ),
    (True("mqtt", "flat"), "flat topics"),
];

/// Warns of every part that is asked for and not built.
pub(super) fn warn<'a>(document: &'a Document<'a>) {
    for (asked, part) in UNBUILT {
        let (table, key) = match *asked {
            Table(table) => (table, WHOLE),
            True(table, key) | NotFalse(table, key) => (table, key),
        };
        let Some(written) = document.table(table) else {
            continue;
        };
        let value = if key == WHOLE {
            None
        } else {
            written.value(key)
        };
        let is_asked = match asked {
            Table(_) => true,
            True(..) => value.and_then(DeValue::as_bool) == Some(true),
            NotFalse(..) => value.and_then(DeValue::as_bool) != Some(false),
        };
        if is_asked {
            let what = format!("{part} is {NOT_BUILT}; the agent runs without it");
            written.warn(key, what);
        }
    }
}
