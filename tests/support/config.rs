//! Config files for agents under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;

/// A config in the making: quick intervals, everything on loopback, a state folder of its own.
pub struct ConfigFile {
    dir: TempDir,
    /// Values as TOML writes them, by table and key; the table of top-level keys is empty.
    tables: BTreeMap<String, BTreeMap<String, String>>,
}

impl ConfigFile {
    /// For services at `aws`, a broker at `mqtt`, and an access key with its secret.
    pub fn new(aws: &str, mqtt: &str, key: (&str, &str)) -> ConfigFile {
        let dir = TempDir::new().expect("a temporary folder");
        let state = dir.path().join("state").display().to_string();
        let file = ConfigFile {
            dir,
            tables: BTreeMap::new(),
        };
        file.text("region", "eu-central-1")
            .text("instance", "test")
            .text("state_dir", &state)
            .text("log", "debug")
            .text("credentials.access_key_id", key.0)
            .text("credentials.secret_access_key", key.1)
            .set("mediapackage.apis", "[\"v1\"]")
            .text("mediapackage.url", aws)
            .text("mediapackage.interval", "1s")
            .text("mediapackage.proxy", "none")
            .text("cloudwatch.url", aws)
            .text("cloudwatch.interval", "1s")
            .text("cloudwatch.alarms_interval", "1s")
            .text("cloudwatch.proxy", "none")
            .set("cloudwatch.monthly_budget_usd", "0")
            .text("mqtt.url", mqtt)
            .set("home_assistant.enabled", "false")
    }

    /// Sets a key, written `table.key` or `key`, to a value as TOML writes it.
    pub fn set(mut self, key: &str, value: &str) -> ConfigFile {
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        let table = self.tables.entry(table.to_owned()).or_default();
        table.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets a key to a text.
    pub fn text(self, key: &str, value: &str) -> ConfigFile {
        // JSON and TOML escape the same way, but for control characters that nobody puts here.
        let quoted = serde_json::json!(value).to_string();
        self.set(key, &quoted)
    }

    /// Leaves out a key, or a whole table.
    pub fn without(mut self, key: &str) -> ConfigFile {
        self.tables.remove(key);
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        if let Some(table) = self.tables.get_mut(table) {
            table.remove(key);
        }
        self
    }

    /// Writes the file, and says where it is.
    pub fn write(&self) -> PathBuf {
        let path = self.dir.path().join("config.toml");
        let mut text = String::new();
        for (table, keys) in &self.tables {
            if !table.is_empty() {
                let _ = writeln!(text, "\n[{table}]");
            }
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        std::fs::write(&path, text).expect("a writable temporary folder");
        path
    }

    /// Where the agent keeps its state.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }
}
