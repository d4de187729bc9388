//! `clean`: clears every retained topic of this instance.

use std::io::Write;

use crate::aws::Stop;
use crate::config::Config;
use crate::engine::ownership::Store;
use crate::error::Failure;
use crate::mqtt::{Link, store};
use crate::topics::Names;
use crate::topics::memory::Memory;
use crate::topics::name::discovery_prefix;

/// Clears what is kept below this instance's prefix and its own discovery documents, and
/// nothing else.
///
/// # Errors
///
/// When the instance is online and `force` is not given, when the broker cannot be reached, or
/// when it still keeps something afterwards.
pub fn clean(config: &Config, force: bool) -> Result<(), Failure> {
    let link = Link::reader(&config.mqtt).map_err(|fault| Failure::failed(fault.to_string()))?;
    let names = Names::new(&config.mqtt.base_topic, &config.instance);
    let ours = read(&link, names.prefix())?;
    let online = ours
        .topics
        .iter()
        .any(|kept| kept.memory == Some(Memory::Online(true)));
    if online && !force {
        return Err(Failure::failed(format!(
            "the agent of {} is online; stop it first, or add --force when it is gone for good",
            names.prefix().trim_end_matches('/')
        )));
    }
    let discovery = discovery_prefix(&config.home_assistant.discovery_prefix, &config.instance);
    let documents = read(&link, &discovery)?;
    let kept = ours.topics.into_iter().chain(documents.topics);
    let topics: Vec<Box<str>> = kept.map(|kept| kept.topic).collect();
    store::clear(&link, &topics).map_err(Failure::failed)?;
    let left = read(&link, names.prefix())?.topics.len() + read(&link, &discovery)?.topics.len();
    if left > 0 {
        return Err(Failure::failed(format!(
            "the broker still keeps {left} topics; check its access list, or run clean again"
        )));
    }
    // Whoever reads may have seen enough.
    let _ = writeln!(
        std::io::stdout(),
        "cleared {} retained topics",
        topics.len()
    );
    Ok(())
}

fn read(link: &Link, prefix: &str) -> Result<Store, Failure> {
    store::read(link, prefix, &Stop::new()).map_err(Failure::failed)
}
