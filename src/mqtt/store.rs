//! Reads what the broker keeps of us, in a short session of its own beside the main one.

use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, Packet, PublishOptions, QoS};

use super::session::Link;
use crate::aws::Stop;
use crate::engine::outbox::{IN_FLIGHT_MAX, fingerprint};
use crate::engine::ownership::{Kept, Store};
use crate::topics::memory;

/// Topics read at the most; more than any region has, and few enough to hold.
const TOPICS_MAX: usize = 100_000;
/// The whole reading.
const READ_MAX: Duration = Duration::from_secs(20);
/// Silence that ends the reading where the broker does not bring our own marker back.
const QUIET: Duration = Duration::from_secs(2);
/// How often the wish to stop is looked at.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Reads every retained topic below `prefix`.
///
/// # Errors
///
/// Why there was no session, or why it ended early, in words.
pub fn read(link: &Link, prefix: &str, stop: &Stop) -> Result<Store, String> {
    let (client, mut connection) = link.open()?;
    let began = Instant::now();
    let mut reading = Reading {
        prefix,
        marker: format!("{prefix}agent/read"),
        store: Store::default(),
        last_news: began,
        done: false,
    };
    // The connection is awaited whole: to cut it short would begin it anew each time.
    loop {
        let event = connection.recv().map_err(|_| "closed by us".to_owned())?;
        let event = event.map_err(|error| link.explain(&error))?;
        if matches!(event, Event::Incoming(Packet::ConnAck(_))) {
            break;
        }
    }
    let subscribed = client.try_subscribe(format!("{prefix}#"), QoS::AtMostOnce);
    subscribed.map_err(|error| error.to_string())?;
    reading.follow(link, &client, &mut connection, stop)?;
    let _ = client.try_disconnect_now();
    let _ = connection.recv_timeout(STOP_CHECK_INTERVAL);
    reading.store.complete &= reading.store.topics.len() < TOPICS_MAX;
    Ok(reading.store)
}

struct Reading<'a> {
    prefix: &'a str,
    marker: String,
    store: Store,
    last_news: Instant,
    done: bool,
}

impl Reading<'_> {
    fn follow(
        &mut self,
        link: &Link,
        client: &Client,
        connection: &mut Connection,
        stop: &Stop,
    ) -> Result<(), String> {
        let began = Instant::now();
        self.last_news = began;
        while !self.done && began.elapsed() < READ_MAX {
            if stop.requested() {
                return Err("stopping".to_owned());
            }
            if self.last_news.elapsed() >= QUIET {
                break;
            }
            match connection.recv_timeout(STOP_CHECK_INTERVAL) {
                Ok(Ok(Event::Incoming(packet))) => self.take(client, packet)?,
                Ok(Ok(_)) | Err(rumqttc::RecvTimeoutError::Timeout { .. }) => {}
                Ok(Err(error)) => return Err(link.explain(&error)),
                Err(error) => return Err(error.to_string()),
            }
        }
        self.store.complete = began.elapsed() < READ_MAX;
        Ok(())
    }

    fn take(&mut self, client: &Client, packet: Packet) -> Result<(), String> {
        match packet {
            // Everything that is kept was queued for us before this; our own marker, sent
            // after it, comes back last.
            Packet::SubAck(_) => {
                self.last_news = Instant::now();
                let options = PublishOptions::new(QoS::AtMostOnce);
                let sent = client.try_publish(self.marker.clone(), Vec::new(), options);
                sent.map_err(|error| error.to_string())?;
            }
            Packet::Publish(publish) => {
                self.last_news = Instant::now();
                let topic = String::from_utf8_lossy(&publish.topic);
                if topic == self.marker {
                    self.done = true;
                } else if publish.retain && self.store.topics.len() < TOPICS_MAX {
                    let below = topic.strip_prefix(self.prefix).unwrap_or_default();
                    let memory = memory::recall(below, &publish.payload);
                    let print = fingerprint(&publish.payload);
                    self.store.topics.push(Kept {
                        topic: topic.into(),
                        print,
                        memory,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Clears retained topics; returns when the broker has taken every clearing.
///
/// # Errors
///
/// Why there was no session, or why it ended early, in words.
pub fn clear(link: &Link, topics: &[Box<str>]) -> Result<(), String> {
    let (client, mut connection) = link.open()?;
    let mut waiting = topics.iter();
    let mut unacknowledged = 0_usize;
    let mut begun = false;
    loop {
        while begun && unacknowledged < IN_FLIGHT_MAX {
            let Some(topic) = waiting.next() else { break };
            let options = PublishOptions::new(QoS::AtLeastOnce).retained();
            let sent = client.try_publish(topic.to_string(), Vec::new(), options);
            sent.map_err(|error| error.to_string())?;
            unacknowledged += 1;
        }
        if begun && unacknowledged == 0 {
            break;
        }
        let event = connection.recv().map_err(|_| "closed by us".to_owned())?;
        match event.map_err(|error| link.explain(&error))? {
            Event::Incoming(Packet::ConnAck(_)) => begun = true,
            Event::Incoming(Packet::PubAck(_)) => unacknowledged = unacknowledged.saturating_sub(1),
            _ => {}
        }
    }
    let _ = client.try_disconnect_now();
    let _ = connection.recv_timeout(STOP_CHECK_INTERVAL);
    Ok(())
}
