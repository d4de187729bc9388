//! `[credentials]` and the tables below it.

use std::time::Duration;

use crate::config::table::{Document, Table, WHOLE};
use crate::config::{AssumeRole, Iot, Keys, Secret, ServiceUrl, arn, url, value};

/// What STS grants (`AssumeRole`, `DurationSeconds`).
const SESSION_MIN: Duration = Duration::from_secs(15 * 60);
const SESSION_MAX: Duration = Duration::from_secs(12 * 3600);
const SESSION_DEFAULT: Duration = Duration::from_secs(3600);
/// What it grants to whom a role signs for (role chaining).
const CHAINED_MAX: Duration = Duration::from_secs(3600);

/// Longest session name and external id (STS `AssumeRole`).
const SESSION_NAME_BYTES_MAX: usize = 64;
const EXTERNAL_ID_BYTES_MAX: usize = 1224;

/// The static keys; `None` when the table is not written or holds only tables.
pub fn keys<'a>(document: &'a Document<'a>) -> Option<Keys> {
    let table = document.table("credentials")?;
    let parts = ["access_key_id", "secret_access_key", "session_token"];
    let any_given = parts.iter().any(|key| table.has_secret(key));
    if !any_given && table.holds_tables() {
        return None;
    }
    if let Some(iot) = document.table("credentials.iot") {
        iot.fault(
            WHOLE,
            "cannot stand beside keys in [credentials]; keep one of the two sources",
        );
    }
    let id = required_key(table, "access_key_id");
    let secret = required_key(table, "secret_access_key");
    let session_token = aws_key(table, "session_token");
    Some(Keys {
        access_key_id: id?.expose().to_string(),
        secret_access_key: secret?,
        session_token,
    })
}

fn required_key(table: Table<'_>, key: &str) -> Option<Secret> {
    if !table.has_secret(key) {
        table.missing(
            key,
            "give both keys, or leave the table out for the default chain",
        );
    }
    aws_key(table, key)
}

fn aws_key(table: Table<'_>, key: &str) -> Option<Secret> {
    let secret = table.secret(key)?;
    match value::aws_key(secret.expose()) {
        Ok(()) => Some(secret),
        Err(what) => {
            table.fault_secret(key, what);
            None
        }
    }
}

/// `[credentials.iot]`.
pub fn iot<'a>(document: &'a Document<'a>) -> Option<Iot> {
    let table = document.table("credentials.iot")?;
    for key in ["endpoint", "role_alias", "cert_file", "key_file"] {
        if !table.has(key) {
            table.missing(
                key,
                "AWS IoT gives credentials to a thing's certificate for a role alias",
            );
        }
    }
    let endpoint = table.parsed("endpoint", iot_endpoint);
    let role_alias = table.parsed("role_alias", value::iot_name);
    let thing_name = table.parsed("thing_name", value::iot_name);
    let (cert_file, key_file) = (table.path("cert_file"), table.path("key_file"));
    let ca_file = table.path("ca_file");
    Some(Iot {
        endpoint: endpoint?,
        role_alias: role_alias?,
        thing_name,
        cert_file: cert_file?,
        key_file: key_file?,
        ca_file,
    })
}

fn iot_endpoint(text: &str) -> Result<ServiceUrl, String> {
    if text.contains("//") || text.contains('@') {
        return Err(String::from(
            "must be the host name alone; write <prefix>.credentials.iot.<region>.amazonaws.com",
        ));
    }
    url::origin_url(&format!("https://{text}"))
}

/// `[credentials.assume_role]`.
pub fn assume_role<'a>(document: &'a Document<'a>, instance: &str) -> Option<AssumeRole> {
    let table = document.table("credentials.assume_role")?;
    if !table.has("role_arn") {
        table.missing("role_arn", "write the ARN of the role to take");
    }
    let role_arn = table.parsed("role_arn", arn::role);
    let given_name = table.parsed("session_name", value::session_name);
    let external_id = table.secret("external_id");
    if external_id
        .as_ref()
        .is_some_and(|id| !is_external_id(id.expose()))
    {
        table.fault_secret(
            "external_id",
            "is no external id; write 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -",
        );
    }
    let duration = table.duration("duration", SESSION_MIN..=SESSION_MAX);
    let is_chained = document.table("credentials.iot").is_some();
    if is_chained && duration.is_some_and(|duration| duration > CHAINED_MAX) {
        table.warn(
            "duration",
            "is over 1h, which STS refuses on top of a role, and [credentials.iot] gives one; \
             write at most \"1h\"",
        );
    }
    Some(AssumeRole {
        role_arn: role_arn?,
        external_id,
        session_name: given_name.unwrap_or_else(|| session_name(instance)),
        duration: duration.unwrap_or(SESSION_DEFAULT),
    })
}

/// What a session is called where nothing else says so.
pub fn session_name(instance: &str) -> String {
    let mut name = format!("mediapackage2mqtt-{instance}");
    // The letters of an instance are ASCII, so this cuts between two of them.
    name.truncate(SESSION_NAME_BYTES_MAX);
    name
}

fn is_external_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    (2..=EXTERNAL_ID_BYTES_MAX).contains(&text.len()) && text.chars().all(allowed)
}
