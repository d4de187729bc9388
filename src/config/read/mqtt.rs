//! `[mqtt]` and `[home_assistant]`: where things are published.

use crate::config::region::{IOT_TOPIC_BYTES_MAX, IOT_TOPIC_SLASHES_MAX};
use crate::config::table::{Document, Table};
use crate::config::{Config, HomeAssistant, Mqtt, region, url, value};

const URL_DEFAULT: &str = "mqtt://localhost:1883";
const BASE_TOPIC_DEFAULT: &str = "mediapackage";
const DISCOVERY_PREFIX_DEFAULT: &str = "homeassistant";

const PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;

/// Longest password: MQTT 3.1.1 section 1.5.2 counts its bytes in 16 bits.
const PASSWORD_BYTES_MAX: usize = 65_535;

/// AWS IoT Core takes 100 publishes a second of one client; this leaves room for answers.
const IOT_PUBLISHES_PER_SECOND: u32 = 80;
const PUBLISHES_PER_SECOND_MAX: i64 = 100_000;

/// Longest encoded topic level: cut at 100 bytes, then `~` and 16 digits.
const LEVEL_BYTES_MAX: usize = 117;

/// `[mqtt]`.
pub fn mqtt<'a>(document: &'a Document<'a>, instance: &str) -> Mqtt {
    let table = document.table_or_empty("mqtt");
    let given = table.parsed("url", url::broker);
    let broker = given.or_else(|| url::broker(URL_DEFAULT).ok());
    let (tls, host, port) = match &broker {
        Some(parts) => (parts.scheme == "mqtts", parts.host.clone(), parts.port),
        None => (false, String::from("localhost"), None),
    };
    let password = table.secret("password");
    if password
        .as_ref()
        .is_some_and(|secret| secret.expose().len() > PASSWORD_BYTES_MAX)
    {
        table.fault_secret(
            "password",
            "is longer than MQTT allows; at most 65535 bytes are taken",
        );
    }
    table.secret_needs("password", "username");
    let (cert_file, key_file) = table.path_pair("cert_file", "key_file");
    warn_of_clear_text(table, tls, &host);
    Mqtt {
        tls,
        port: port.unwrap_or(if tls { TLS_PORT } else { PORT }),
        username: table.text("username").map(String::from),
        password,
        ca_file: table.path("ca_file"),
        cert_file,
        key_file,
        base_topic: prefix(table, "base_topic", BASE_TOPIC_DEFAULT),
        client_id: table
            .parsed("client_id", value::client_id)
            .unwrap_or_else(|| format!("mediapackage2mqtt-{instance}")),
        max_publishes_per_second: publishes_per_second(table, &host),
        flat: table.flag("flat").unwrap_or(false),
        host,
    }
}

/// `[home_assistant]`.
pub fn home_assistant<'a>(document: &'a Document<'a>) -> HomeAssistant {
    let table = document.table_or_empty("home_assistant");
    HomeAssistant {
        enabled: table.flag("enabled").unwrap_or(true),
        discovery_prefix: prefix(table, "discovery_prefix", DISCOVERY_PREFIX_DEFAULT),
    }
}

/// Checks what depends on several tables: the longest topic, and whose topics are whose.
pub fn check_topics<'a>(document: &'a Document<'a>, config: &Config) {
    let mqtt = document.table_or_empty("mqtt");
    let own = format!("{}/{}/", config.mqtt.base_topic, config.instance);
    if region::is_iot_host(&config.mqtt.host) {
        check_iot_limits(mqtt, &own, config.mqtt.flat);
    }
    let discovery = format!("{}/device/", config.home_assistant.discovery_prefix);
    if own.starts_with(&discovery) || discovery.starts_with(&own) {
        mqtt.fault(
            "base_topic",
            "lies in the topics of Home Assistant discovery; choose another base_topic or instance",
        );
    }
}

/// AWS IoT Core closes the connection at the first topic that is over its limits.
fn check_iot_limits(mqtt: Table<'_>, own: &str, flat: bool) {
    let longest_key = if flat {
        "/egress_request_count_4xx_window"
    } else {
        ""
    };
    let tail = "endpoint/".len() + LEVEL_BYTES_MAX + "/metrics".len() + longest_key.len();
    if own.len() + tail > IOT_TOPIC_BYTES_MAX {
        let left = IOT_TOPIC_BYTES_MAX - tail;
        let what = format!(
            "makes topics of more than the {IOT_TOPIC_BYTES_MAX} bytes that AWS IoT Core takes; \
             base_topic and instance may have {} bytes together",
            left - "//".len()
        );
        mqtt.fault("base_topic", what);
    }
    let slashes = own.matches('/').count() + 2 + usize::from(flat);
    if slashes > IOT_TOPIC_SLASHES_MAX {
        mqtt.fault(
            "base_topic",
            "has more levels than AWS IoT Core takes; write fewer slashes",
        );
    }
}

fn prefix(table: Table<'_>, key: &str, default: &str) -> String {
    let given = table.parsed(key, value::topic_prefix);
    given.unwrap_or_else(|| default.to_string())
}

fn publishes_per_second(table: Table<'_>, host: &str) -> u32 {
    let given = table.integer("max_publishes_per_second", 0..=PUBLISHES_PER_SECOND_MAX);
    match given.and_then(|given| u32::try_from(given).ok()) {
        Some(given) => given,
        None if region::is_iot_host(host) => IOT_PUBLISHES_PER_SECOND,
        None => 0,
    }
}

fn warn_of_clear_text(table: Table<'_>, tls: bool, host: &str) {
    if tls {
        return;
    }
    if table.has_secret("password") && !url::is_loopback(host) {
        table.warn(
            "url",
            "the password goes to the broker in clear; use mqtts:// where the broker has TLS",
        );
    }
    for key in ["ca_file", "cert_file", "key_file"] {
        if table.has(key) {
            table.warn(key, "has no effect without TLS; use mqtts:// in url");
        }
    }
}
