//! `clean`: clears every retained topic of this instance.

use std::io::Write;

use super::ledger;
use crate::aws::Stop;
use crate::config::Config;
use crate::engine::StoreRequest;
use crate::engine::ownership::Store;
use crate::error::Failure;
use crate::mqtt::{Link, store};
use crate::state::model::Id;
use crate::topics::Names;
use crate::topics::memory::Memory;

/// Times the store is read and cleared; one brings thousands of topics.
const ROUNDS_MAX: usize = 20;

/// Clears what is kept below this instance's prefix and its own discovery documents, and
/// nothing else.
///
/// # Errors
///
/// When the instance is online and `force` is not given, when the broker cannot be reached, or
/// when it still keeps something afterwards.
pub fn clean(config: &Config, force: bool) -> Result<(), Failure> {
    // An id of its own: a running agent may be reading under its own.
    let link = Link::beside(&config.mqtt, "clean");
    let link = link.map_err(|fault| Failure::failed(fault.to_string()))?;
    let names = Names::new(&config.mqtt.base_topic, &config.instance)
        .with_discovery(&config.home_assistant.discovery_prefix);
    let noted = ledger::noted(config).map_err(|fault| Failure::failed(fault.to_string()))?;
    let ours = read(&link, &names, &noted)?;
    let online = ours
        .topics
        .iter()
        .any(|kept| kept.memory.as_deref() == Some(&Memory::Online(true)));
    if online && !force {
        return Err(Failure::failed(format!(
            "the agent of {} is online; stop it first, or add --force when it is gone for good",
            names.prefix().trim_end_matches('/')
        )));
    }
    let cleared = clear(&link, &names, &noted)?;
    // Whoever reads may have seen enough.
    let _ = writeln!(std::io::stdout(), "cleared {cleared} retained topics");
    Ok(())
}

/// Clears until nothing is found: a broker does not always send all that it keeps at once.
fn clear(link: &Link, names: &Names, noted: &[String]) -> Result<usize, Failure> {
    let mut cleared = 0;
    for _ in 0..ROUNDS_MAX {
        let found = read(link, names, noted)?.topics;
        if found.is_empty() {
            return Ok(cleared);
        }
        let topics: Vec<Id> = found.into_iter().map(|kept| kept.topic).collect();
        store::clear(link, &topics).map_err(Failure::failed)?;
        cleared += topics.len();
    }
    Err(Failure::failed(format!(
        "the broker still keeps topics of ours after {ROUNDS_MAX} rounds; check its \
         access list, and that nobody else writes there"
    )))
}

fn read(link: &Link, names: &Names, noted: &[String]) -> Result<Store, Failure> {
    let request = StoreRequest {
        expected: noted.to_vec(),
        ..StoreRequest::default()
    };
    store::read(link, names, request, &Stop::new()).map_err(Failure::failed)
}
