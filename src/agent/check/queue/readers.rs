//! Whether another instance that the broker shows takes messages from the same queue.

use std::collections::BTreeMap;
use std::io::Write;

use super::super::report::{Grade, Report};
use super::QUEUE;
use crate::aws::Stop;
use crate::config::Config;
use crate::config::region::is_iot_host;
use crate::engine::ownership::Store;
use crate::mqtt::{Link, store};
use crate::topics::memory::{Memory, Owner};
use crate::topics::{Names, Topic};

/// Instances that are named; what the broker keeps is anybody's.
const NAMED_MAX: usize = 5;
/// A topic is shown up to here.
const TOPIC_CHARS_MAX: usize = 120;

/// Reads what other instances say, in a session of its own: a broker that does not allow it may
/// end that session.
pub fn check<W: Write>(report: &mut Report<W>, config: &Config, stop: &Stop) {
    let Some(sqs) = &config.sqs else {
        return;
    };
    if is_iot_host(&config.mqtt.host) {
        let found = "whether another instance takes from it is not known: AWS IoT Core tells \
                     what it keeps only to who knows the name";
        report.note(QUEUE, found);
        return;
    }
    let base = &config.mqtt.base_topic;
    let link = Link::beside(&config.mqtt, "check").map_err(|fault| fault.to_string());
    let store = link.and_then(|link| store::read_neighbours(&link, base, stop));
    let store = match store {
        Ok(store) => store,
        Err(reason) => {
            let found = format!("whether another instance takes from it is not known: {reason}");
            report.note(QUEUE, &found);
            return;
        }
    };
    let own = Names::new(base, &config.instance).of(&Topic::Agent);
    let others = others(&store, &own, &sqs.queue_url);
    if others.is_empty() {
        let found = "no other instance that this broker shows takes messages from it";
        report.ok(QUEUE, found);
    }
    for (instance, online) in others.into_iter().take(NAMED_MAX) {
        let instance: String = instance.chars().take(TOPIC_CHARS_MAX).collect();
        let (grade, found, remedy) = if online {
            (
                Grade::Fail,
                format!("{instance} takes messages from the same queue"),
                "give each instance a queue of its own, subscribed to the same topics; two that \
                 read one take each other's messages",
            )
        } else {
            (
                Grade::Warn,
                format!("{instance}, which is offline, took messages from the same queue"),
                "give it a queue of its own before it comes back; when it is gone for good, clear \
                 its topics (mediapackage2mqtt clean)",
            )
        };
        report.line(grade, QUEUE, &found, remedy);
    }
}

/// The instances with this queue, by the prefix of their topics, and whether they are online:
/// whose `status` does not say that it is offline counts as such.
fn others(store: &Store, own: &str, queue_url: &str) -> Vec<(String, bool)> {
    let kept = store.topics.iter();
    let offline: BTreeMap<&str, bool> = kept
        .filter_map(|kept| match kept.memory.as_deref() {
            Some(Memory::Online(online)) => Some((kept.topic.strip_suffix("/status")?, *online)),
            _ => None,
        })
        .collect();
    let kept = store.topics.iter().filter(|kept| *kept.topic != *own);
    let same = kept.filter_map(|kept| match kept.memory.as_deref() {
        Some(Memory::Owner(Owner { queue, .. })) if queue.as_deref() == Some(queue_url) => {
            kept.topic.strip_suffix("/agent")
        }
        _ => None,
    });
    let all = same.map(|prefix| {
        let online = offline.get(prefix).copied().unwrap_or(true);
        (prefix.to_owned(), online)
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outbox::fingerprint;
    use crate::engine::ownership::Kept;
    use crate::topics::memory::recall;

    #[test]
    fn an_instance_is_another_reader_when_it_names_the_same_queue() {
        let kept = |topic: &str, payload: &str| Kept {
            topic: topic.into(),
            print: fingerprint(payload.as_bytes()),
            memory: recall(topic.rsplit('/').next().unwrap(), payload.as_bytes()).map(Box::new),
        };
        let agent =
            |queue: &str| format!(r#"{{"agent_id":"1","account_id":null,"queue":{queue}}}"#);
        let (same, other) = (agent("\"q\""), agent("\"q2\""));
        let topics = vec![
            kept("b/own/agent", &same),
            kept("b/own/status", "online"),
            kept("b/up/agent", &same),
            kept("b/up/status", "online"),
            kept("b/down/agent", &same),
            kept("b/down/status", "offline"),
            kept("c/unknown/agent", &same),
            kept("b/none/agent", &agent("null")),
            kept("b/old/agent", r#"{"agent_id":"1","account_id":null}"#),
            kept("b/other/agent", &other),
            kept("b/garbage/agent", "[\"q\"]"),
        ];
        let store = Store {
            topics,
            ..Store::default()
        };
        let wanted = [("b/up", true), ("b/down", false), ("c/unknown", true)];
        let wanted = wanted.map(|(prefix, online)| (prefix.to_owned(), online));
        assert_eq!(others(&store, "b/own/agent", "q"), wanted);
    }
}
