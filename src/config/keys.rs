//! Every table and every key there is: the one list that unknown ones are held against.

use super::near;

/// Tables with their keys, in the order of the documentation; `""` is the top of the file.
///
/// A secret key `x` has its twin `x_file` beside it.
const TABLES: &[(&str, &[&str])] = &[
    ("", &["region", "instance", "state_dir", "log", "ca_file"]),
    (
        "credentials",
        &[
            "access_key_id",
            "access_key_id_file",
            "secret_access_key",
            "secret_access_key_file",
            "session_token",
            "session_token_file",
        ],
    ),
    (
        "credentials.iot",
        &[
            "endpoint",
            "role_alias",
            "thing_name",
            "cert_file",
            "key_file",
            "ca_file",
        ],
    ),
    (
        "credentials.assume_role",
        &[
            "role_arn",
            "external_id",
            "external_id_file",
            "session_name",
            "duration",
        ],
    ),
    (
        "mediapackage",
        &[
            "apis",
            "url",
            "v2_url",
            "vod_url",
            "interval",
            "proxy",
            "proxy_username",
            "proxy_password",
            "proxy_password_file",
            "include",
            "exclude",
        ],
    ),
    (
        "cloudwatch",
        &[
            "url",
            "interval",
            "alarms_interval",
            "proxy",
            "proxy_username",
            "proxy_password",
            "proxy_password_file",
            "metrics",
            "settle",
            "ingest_lost_after",
            "alarms",
            "alarm_include",
            "alarm_exclude",
            "monthly_budget_usd",
            "price_per_1000_metrics_usd",
        ],
    ),
    (
        "sns",
        &[
            "listen",
            "public_url",
            "topic_arns",
            "url",
            "proxy",
            "proxy_username",
            "proxy_password",
            "proxy_password_file",
            "tls_cert_file",
            "tls_key_file",
            "path_secret",
            "path_secret_file",
            "min_signature_version",
        ],
    ),
    (
        "sqs",
        &[
            "queue_url",
            "topic_arns",
            "url",
            "proxy",
            "proxy_username",
            "proxy_password",
            "proxy_password_file",
        ],
    ),
    (
        "mqtt",
        &[
            "url",
            "username",
            "password",
            "password_file",
            "ca_file",
            "cert_file",
            "key_file",
            "base_topic",
            "client_id",
            "max_publishes_per_second",
            "flat",
        ],
    ),
    ("home_assistant", &["enabled", "discovery_prefix"]),
    ("status", &["listen", "hosts"]),
];

/// Every table with its keys, `""` being the top of the file: for documentation and its tests.
pub fn all() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    TABLES.iter().copied()
}

/// The keys of a table; `None` when there is no such table.
pub(super) fn of_table(table: &str) -> Option<&'static [&'static str]> {
    let (_, keys) = TABLES.iter().find(|(name, _)| *name == table)?;
    Some(keys)
}

/// Whether a table has tables below it.
pub(super) fn has_subtables(table: &str) -> bool {
    let prefix = subtable(table, "");
    TABLES
        .iter()
        .any(|(name, _)| name.len() > prefix.len() && name.starts_with(&prefix))
}

/// Full name of the table `key` within `table`.
pub(super) fn subtable(table: &str, key: &str) -> String {
    match table {
        "" => key.to_string(),
        table => format!("{table}.{key}"),
    }
}

/// What to say about a key that its table does not have.
pub(super) fn unknown_key(table: &str, key: &str) -> String {
    let here = of_table(table).unwrap_or_default().iter().copied();
    let nearest = near::nearest(key, here).unwrap_or_default();
    let elsewhere: Vec<&str> = TABLES
        .iter()
        .filter(|(_, keys)| keys.contains(&key))
        .map(|(name, _)| *name)
        .collect();
    match elsewhere.as_slice() {
        [] => format!("unknown key; the nearest known one is {nearest}"),
        [""] => format!(
            "unknown key here; {key} stands at the top of the file, before the first table \
             (the nearest known one here is {nearest})"
        ),
        tables => format!(
            "unknown key here; {key} belongs in {} (the nearest known one here is {nearest})",
            bracketed(tables).join(" or ")
        ),
    }
}

/// What to say about a table that does not exist.
pub(super) fn unknown_table(name: &str) -> String {
    let tables = TABLES.iter().map(|(name, _)| *name);
    // `[iot]` is meant to be `[credentials.iot]`: the last part counts for the whole.
    let same_end = tables
        .clone()
        .find(|table| table.rsplit('.').next() == Some(name));
    let nearest = same_end.or_else(|| near::nearest(name, tables.filter(|t| !t.is_empty())));
    format!(
        "unknown table; the nearest known one is [{}]",
        nearest.unwrap_or_default()
    )
}

fn bracketed(tables: &[&str]) -> Vec<String> {
    let named = |table: &&str| match *table {
        "" => String::from("the top of the file"),
        table => format!("[{table}]"),
    };
    tables.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_names_the_nearest_one_and_its_right_table() {
        let cases = [
            ("cloudwatch", "intervall", "nearest known one is interval"),
            ("mqtt", "region", "stands at the top of the file"),
            (
                "",
                "interval",
                "in [mediapackage] or [cloudwatch] (the nearest known one here is instance)",
            ),
            (
                "mqtt",
                "discovery_prefix",
                "discovery_prefix belongs in [home_assistant]",
            ),
        ];
        for (table, key, wanted) in cases {
            let said = unknown_key(table, key);
            assert!(said.contains(wanted), "[{table}] {key}: {said}");
        }
    }

    #[test]
    fn an_unknown_table_names_the_nearest_one() {
        let cases = [
            ("mqt", "[mqtt]"),
            ("cloud_watch", "[cloudwatch]"),
            ("iot", "[credentials.iot]"),
            ("credentials.asume_role", "[credentials.assume_role]"),
        ];
        for (name, wanted) in cases {
            let said = unknown_table(name);
            assert!(said.ends_with(wanted), "[{name}]: {said}");
        }
    }
}
