//! From the file to a [`Config`]: read, take apart, ask every table, check what spans tables.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::errors::Errors;
use super::table::{Document, Table};
use super::{Config, Env};
use super::{files, read, region, syntax, value};

/// Where the agent keeps its state when nothing says otherwise.
const STATE_DIR: &str = "/var/lib/mediapackage2mqtt";

/// Region of the defaults while none is known; such a config is never given out.
const NO_REGION: &str = "unknown-region-0";

const LOG_LEVELS: [(&str, log::LevelFilter); 4] = [
    ("error", log::LevelFilter::Error),
    ("warn", log::LevelFilter::Warn),
    ("info", log::LevelFilter::Info),
    ("debug", log::LevelFilter::Debug),
];

/// Reads the config file and the files with secrets that it names.
///
/// # Errors
/// Every fault that can be found in one run, each with file, line and key.
pub fn load(path: &Path, env: &Env) -> Result<Config, Errors> {
    let file = files::read_config(path).map_err(|what| Errors::of_file(path, what))?;
    let (mut config, holds_secrets) = read_text(path, &file.text, env)?;
    if file.open_to_others && holds_secrets {
        config.warnings.push(format!(
            "{}: holds a secret and can be read by others than its owner; chmod 600 it, or move \
             the secret into a file of its own and name that with the key's _file twin",
            path.display()
        ));
    }
    Ok(config)
}

/// Reads the text of a config file; `path` is where it stands, for messages and relative paths.
///
/// # Errors
/// As [`load`].
pub fn parse(path: &Path, text: &str, env: &Env) -> Result<Config, Errors> {
    read_text(path, text, env).map(|(config, _)| config)
}

/// The config, and whether the text holds a secret itself.
fn read_text(path: &Path, text: &str, env: &Env) -> Result<(Config, bool), Errors> {
    // A byte order mark, as some editors write it, is no part of the first key.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (readable, broken) = syntax::repair(text);
    let (root, _) = DeTable::parse_recoverable(&readable);
    let root = root.into_inner();
    let mut document = Document::new(path, text, &root, env);
    document.note_broken(&broken);
    let config = config(path, &document);
    let holds_secrets = read::holds_secrets(&document);
    let (faults, warnings) = document.into_findings();
    if !faults.is_empty() {
        return Err(Errors::new(path, faults));
    }
    Ok((Config { warnings, ..config }, holds_secrets))
}

/// Asks every table. What could not be read has its default, and a fault in the document.
fn config<'a>(path: &Path, document: &'a Document<'a>) -> Config {
    document.note_unknown();
    let top = document.top();
    let home = home_region(top);
    let region = home.clone().unwrap_or_else(|| String::from(NO_REGION));
    let instance = top.parsed("instance", value::instance);
    let instance = instance.unwrap_or_else(|| region.clone());
    let home = home.as_deref();
    let config = Config {
        file: path.to_path_buf(),
        state_dir: state_dir(top),
        log: top
            .choice("log", &LOG_LEVELS)
            .unwrap_or(log::LevelFilter::Info),
        ca_file: top.path("ca_file").or_else(|| ca_bundle(document.env)),
        credentials: read::credentials::keys(document),
        iot: read::credentials::iot(document),
        assume_role: read::credentials::assume_role(document, &instance),
        mediapackage: read::services::mediapackage(document, &region, home),
        cloudwatch: read::services::cloudwatch(document, &region, home),
        sns: read::push::sns(document, &region, home),
        sqs: read::push::sqs(document, &region, home),
        mqtt: read::mqtt::mqtt(document, &instance),
        home_assistant: read::mqtt::home_assistant(document),
        status: read::status::status(document),
        warnings: Vec::new(),
        region,
        instance,
    };
    read::mqtt::check_topics(document, &config);
    read::status::check_ports(document, &config);
    config
}

/// `region`, else `AWS_REGION`, else `AWS_DEFAULT_REGION`.
fn home_region(top: Table<'_>) -> Option<String> {
    if top.has("region") {
        return top.parsed("region", region::parse);
    }
    let named = |name| Some((name, top.document().env.get(name)?));
    let Some((name, text)) = named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION")) else {
        top.missing(
            "region",
            "write region = \"eu-central-1\", or set AWS_REGION",
        );
        return None;
    };
    let read = region::parse(text);
    read.map_err(|what| top.fault("region", format!("is taken from {name}: {what}")))
        .ok()
}

fn state_dir(top: Table<'_>) -> PathBuf {
    top.path("state_dir").unwrap_or_else(|| {
        let set = files::state_directory(top.document().env);
        PathBuf::from(set.unwrap_or(STATE_DIR))
    })
}

fn ca_bundle(env: &Env) -> Option<PathBuf> {
    env.get("AWS_CA_BUNDLE").map(PathBuf::from)
}
