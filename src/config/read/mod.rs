//! Each table of the file to its struct, with the defaults.

use super::Proxy;
use super::ServiceUrl;
use super::table::{Document, Table};
use super::{region, url};

pub(super) mod credentials;
pub(super) mod mqtt;
pub(super) mod push;
pub(super) mod services;
pub(super) mod status;

/// Secrets that may stand in the file itself.
const SECRETS: &[(&str, &str)] = &[
    ("credentials", "secret_access_key"),
    ("credentials", "session_token"),
    ("credentials.assume_role", "external_id"),
    ("mediapackage", "proxy_password"),
    ("cloudwatch", "proxy_password"),
    ("sns", "proxy_password"),
    ("sns", "path_secret"),
    ("sqs", "proxy_password"),
    ("mqtt", "password"),
];

/// Whether any secret stands in the file itself, not in a file of its own.
pub(super) fn holds_secrets<'a>(document: &'a Document<'a>) -> bool {
    let holds = |table, key| {
        document
            .table(table)
            .is_some_and(|table: Table<'_>| table.has(key))
    };
    SECRETS.iter().any(|(table, key)| holds(table, key))
}

/// The origin under `key`, by default the regional one of `service`.
fn service_url(
    table: Table<'_>,
    key: &str,
    service: &str,
    region: &str,
    home: Option<&str>,
) -> ServiceUrl {
    let place = (table.name(), key);
    let given = table.parsed(key, |text| url::service(text, home, place));
    given.unwrap_or_else(|| region::service_url(service, region))
}

/// `proxy` with its user name and password.
fn proxy(table: Table<'_>) -> Proxy {
    let username = table.text("proxy_username").map(String::from);
    let password = table.secret("proxy_password");
    table.secret_needs("proxy_password", "proxy_username");
    let given = table.parsed("proxy", |text| match text {
        "env" => Ok(Proxy::Env),
        "none" => Ok(Proxy::None),
        text => Ok(Proxy::Url {
            url: url::proxy(text)?,
            username,
            password,
        }),
    });
    let is_url = matches!(given, Some(Proxy::Url { .. }));
    let refused = table.has("proxy") && given.is_none();
    if table.has("proxy_username") && !is_url && !refused {
        table.fault(
            "proxy_username",
            "needs proxy = \"http://host:port\" beside it",
        );
    }
    given.unwrap_or(Proxy::Env)
}
