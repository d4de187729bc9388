//! Reads what the broker keeps of us, in a short session of its own beside the main one.
//!
//! A broker drops messages for a client that reads too slowly, retained ones too: mosquitto
//! does once a thousand wait (`max_queued_messages`). So the store is read piece by piece, and
//! what is expected and was not seen is asked for by its name before it counts as missing.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::SubscribeReasonCode;
use rumqttc::{
    Client, Connection, Event, Packet, PublishOptions, QoS, RecvTimeoutError, SubscribeFilter,
};

use super::explain::Session;
use super::session::Link;
use crate::aws::Stop;
use crate::engine::StoreRequest;
use crate::engine::outbox::{IN_FLIGHT_MAX, fingerprint};
use crate::engine::ownership::{Kept, Store};
use crate::state::model::Id;
use crate::topics::Names;
use crate::topics::memory::{self, Memory};

/// What is read at start: who owns the topics, the alarms, what SNS told.
const AT_START: [&str; 3] = ["+", "alarm/+", "sns/#"];
/// And after our documents the watermarks, which are the most.
const WATERMARKS: [&str; 2] = ["channel/+/metrics", "endpoint/+/metrics"];
/// What is read after a refill; the last piece brings what is nowhere else.
const WHOLE: [&str; 7] = [
    "alarm/+",
    "channel/+",
    "channel/+/+",
    "endpoint/+",
    "endpoint/+/+",
    "+",
    "#",
];
/// What an instance says of itself.
const OF_AN_INSTANCE: [&str; 2] = ["status", "agent"];
/// Expected topics asked for by name in one packet.
const NAMES_A_PACKET_MAX: usize = 100;
/// AWS IoT Core gives what it keeps to who asks for a topic by its whole name and to nobody else
/// ("MQTT retained messages"). It takes so many of them in a SUBSCRIBE, and in a session, with
/// room for those that have just been taken back.
const IOT_NAMES_A_PACKET_MAX: usize = 8;
const IOT_NAMES_A_PIECE_MAX: usize = 40;
/// At its 100 messages a second, and some delay after the acknowledgement.
const IOT_QUIET: Duration = Duration::from_millis(600);
/// So many clearings at a time are less than its 100 a second, as far as it is away.
const IOT_IN_FLIGHT_MAX: usize = 2;
const IOT_READ_MAX: Duration = Duration::from_secs(120);
/// Topics read at the most; more than any region has, and few enough to hold.
const TOPICS_MAX: usize = 100_000;
/// The whole reading.
const READ_MAX: Duration = Duration::from_secs(30);
/// Silence after which a piece that the broker has not acknowledged counts as unread.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Silence after the acknowledgement that ends a piece: brokers may send what they keep a
/// little later, those of clouds after tens of milliseconds. Short only where everything waits
/// for it, at start, and the broker is on this machine.
const QUIET_AT_START_HERE: Duration = Duration::from_millis(2);
const QUIET: Duration = Duration::from_millis(200);
/// How often the wish to stop is looked at.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A reading publishes nothing.
const BEGUN: Session<'_> = Session {
    begun: true,
    unacknowledged: None,
};

/// Our documents for Home Assistant, below their own prefix.
const DOCUMENTS: &str = "+/config";
/// The same and what else there may be.
const ALL_DOCUMENTS: &str = "#";

/// Reads the retained topics of ours that `request` is about.
///
/// # Errors
///
/// Why there was no session, or why it ended early, in words.
pub fn read(
    link: &Link,
    names: &Names,
    request: StoreRequest,
    stop: &Stop,
) -> Result<Store, String> {
    if link.is_iot() {
        return read_by_name(link, names, request, stop);
    }
    let quiet = quiet(request.at_start, link.here);
    let mut reading = Reading::begin(link, Scope::Ours(names), quiet, stop)?;
    reading.recalls_all = request.at_start;
    let ours = |piece: &&str| format!("{}{piece}", names.prefix());
    let document = |piece: &&str| format!("{}{piece}", names.discovery());
    if request.at_start {
        let documents: &[&str] = if request.documents { &[DOCUMENTS] } else { &[] };
        let first = AT_START.iter().map(ours);
        let then = documents.iter().map(document);
        reading.at_once(first.chain(then).chain(WATERMARKS.iter().map(ours)))?;
    } else {
        // Documents are few; of flat topics there may be more than are read.
        let documents = [DOCUMENTS, ALL_DOCUMENTS];
        for piece in documents.iter().map(document).chain(WHOLE.iter().map(ours)) {
            reading.piece(vec![piece])?;
        }
    }
    let unseen = |name: &String| !reading.seen.contains(name.as_str());
    let missing: Vec<String> = request.expected.into_iter().filter(unseen).collect();
    for names in missing.chunks(NAMES_A_PACKET_MAX) {
        reading.piece(names.to_vec())?;
    }
    Ok(reading.end())
}

/// Reads the topics of ours that are named, and those that say who owns them.
fn read_by_name(
    link: &Link,
    names: &Names,
    request: StoreRequest,
    stop: &Stop,
) -> Result<Store, String> {
    let mut reading = Reading::begin(link, Scope::Ours(names), IOT_QUIET, stop)?;
    reading.recalls_all = request.at_start;
    reading.give_up_at = Instant::now() + IOT_READ_MAX;
    let own = OF_AN_INSTANCE.map(|name| format!("{}{name}", names.prefix()));
    let mut asked: Vec<String> = own.into_iter().chain(request.expected).collect();
    // Whatever is not ours, or is no name, is not asked for.
    asked.retain(|name| Scope::Ours(names).place(name).is_some() && !name.contains(['+', '#']));
    asked.sort_unstable();
    asked.dedup();
    for piece in asked.chunks(IOT_NAMES_A_PIECE_MAX) {
        reading.piece(piece.to_vec())?;
        if !reading.store.complete {
            break;
        }
        for name in piece {
            let taken_back = reading.client.try_unsubscribe(name.clone());
            taken_back.map_err(|error| error.to_string())?;
        }
    }
    Ok(reading.end())
}

/// Reads what every instance below `base_topic`, and below any base topic of one level, says of
/// itself: `agent` and `status`.
///
/// # Errors
///
/// As [`read`], and when the broker does not let us read them below `base_topic`.
pub fn read_neighbours(link: &Link, base_topic: &str, stop: &Stop) -> Result<Store, String> {
    let mut reading = Reading::begin(link, Scope::Neighbours, QUIET, stop)?;
    let filters = |base: &str| OF_AN_INSTANCE.map(|name| format!("{base}/+/{name}")).into();
    reading.piece(filters(base_topic))?;
    if reading.refused {
        return Err(format!("the broker does not let us read {base_topic}/+"));
    }
    // Elsewhere we may have no business: what was read counts all the same.
    let _ = reading.piece(filters("+"));
    Ok(reading.end())
}

/// Too short a silence at start, and the agent that is online there is overlooked.
fn quiet(at_start: bool, here: bool) -> Duration {
    if at_start && here {
        QUIET_AT_START_HERE
    } else {
        QUIET
    }
}

/// Opens a session. It is awaited whole: to cut it short would begin it anew each time.
fn connected(link: &Link) -> Result<(Client, Connection), String> {
    let (client, mut connection) = link.open()?;
    loop {
        let event = connection.recv().map_err(|_| "closed by us".to_owned())?;
        let event = event.map_err(|error| link.explain(&error, Session::default()))?;
        if matches!(event, Event::Incoming(Packet::ConnAck(_))) {
            return Ok((client, connection));
        }
    }
}

/// Whose topics are read.
#[derive(Clone, Copy)]
enum Scope<'a> {
    /// Our own.
    Ours(&'a Names),
    /// What instances say of themselves, told by the last level.
    Neighbours,
}

/// The part of a topic that tells what it holds.
enum Place<'a> {
    Topic(&'a str),
    Document(&'a str),
}

impl Scope<'_> {
    fn place(self, topic: &str) -> Option<Place<'_>> {
        let names = match self {
            Scope::Ours(names) => names,
            Scope::Neighbours => return topic.rsplit('/').next().map(Place::Topic),
        };
        // A filter with `#` takes in the level above, which is not ours; nor are the commands.
        let ours = topic.strip_prefix(names.prefix());
        let ours = ours.filter(|below| !below.starts_with("command/"));
        let document = || topic.strip_prefix(names.discovery()).map(Place::Document);
        ours.map(Place::Topic).or_else(document)
    }
}

impl Place<'_> {
    fn is_owner(&self) -> bool {
        matches!(self, Place::Topic(below) if OF_AN_INSTANCE.contains(below))
    }

    fn recall(&self, payload: &[u8]) -> Option<Memory> {
        match self {
            Place::Topic(below) => memory::recall(below, payload),
            Place::Document(below) => memory::recall_document(below, payload),
        }
    }
}

struct Reading<'a> {
    scope: Scope<'a>,
    link: &'a Link,
    client: Client,
    connection: Connection,
    stop: &'a Stop,
    give_up_at: Instant,
    quiet: Duration,
    names_a_packet_max: usize,
    seen: HashSet<Id>,
    /// Whether what is read is taken up, as it is at start; later it only matters whose it is.
    recalls_all: bool,
    /// The broker has refused a subscription.
    refused: bool,
    store: Store,
}

impl<'a> Reading<'a> {
    fn begin(
        link: &'a Link,
        scope: Scope<'a>,
        quiet: Duration,
        stop: &'a Stop,
    ) -> Result<Reading<'a>, String> {
        let (client, connection) = connected(link)?;
        Ok(Reading {
            scope,
            link,
            client,
            connection,
            stop,
            give_up_at: Instant::now() + READ_MAX,
            quiet,
            names_a_packet_max: if link.is_iot() {
                IOT_NAMES_A_PACKET_MAX
            } else {
                NAMES_A_PACKET_MAX
            },
            seen: HashSet::new(),
            recalls_all: false,
            refused: false,
            store: Store {
                complete: true,
                ..Store::default()
            },
        })
    }

    fn end(mut self) -> Store {
        let _ = self.client.try_disconnect_now();
        let _ = self.connection.recv_timeout(STOP_CHECK_INTERVAL);
        self.store
    }

    /// Reads pieces and waits for silence but once: everything waits for this at start. A piece
    /// is asked for when the one before is acknowledged. So what decides comes first: with most
    /// brokers it has arrived before the next acknowledgement.
    fn at_once(&mut self, pieces: impl Iterator<Item = String>) -> Result<(), String> {
        for piece in pieces {
            self.subscribe(vec![piece], Duration::ZERO)?;
        }
        self.subscribe(Vec::new(), self.quiet)
    }

    /// Subscribes and takes what comes, until it is acknowledged and quiet.
    fn piece(&mut self, filters: Vec<String>) -> Result<(), String> {
        self.subscribe(filters, self.quiet)
    }

    /// Subscribes and takes what comes, until it is acknowledged and then `quiet` for so long.
    fn subscribe(&mut self, filters: Vec<String>, quiet: Duration) -> Result<(), String> {
        // Nobody would take what comes, and the client's queue would be full.
        if !self.store.complete {
            return Ok(());
        }
        let mut unacknowledged = 0_usize;
        for packet in filters.chunks(self.names_a_packet_max) {
            let filters = packet.iter().cloned();
            let filters = filters.map(|f| SubscribeFilter::new(f, QoS::AtMostOnce));
            let subscribed = self.client.try_subscribe_many(filters.collect::<Vec<_>>());
            subscribed.map_err(|error| error.to_string())?;
            unacknowledged += 1;
        }
        let mut last_news = Instant::now();
        loop {
            let acknowledged = unacknowledged == 0;
            let silence_max = if acknowledged { quiet } else { SILENCE_MAX };
            if self.stop.requested() {
                return Err("stopping".to_owned());
            }
            if last_news.elapsed() >= silence_max {
                let silence = format!(
                    "the broker did not acknowledge a subscription within {} s",
                    SILENCE_MAX.as_secs()
                );
                return if acknowledged { Ok(()) } else { Err(silence) };
            }
            if Instant::now() >= self.give_up_at || self.store.topics.len() >= TOPICS_MAX {
                self.store.complete = false;
                return Ok(());
            }
            match self
                .connection
                .recv_timeout(silence_max.min(STOP_CHECK_INTERVAL))
            {
                Ok(Ok(Event::Incoming(packet))) => {
                    last_news = Instant::now();
                    if let Packet::SubAck(ack) = &packet {
                        unacknowledged = unacknowledged.saturating_sub(1);
                        self.refused |= ack.return_codes.contains(&SubscribeReasonCode::Failure);
                    }
                    self.take(packet);
                }
                Ok(Ok(_)) | Err(RecvTimeoutError::Timeout { .. }) => {}
                Ok(Err(error)) => return Err(self.link.explain(&error, BEGUN)),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn take(&mut self, packet: Packet) {
        let Packet::Publish(publish) = packet else {
            return;
        };
        let topic = Id::from(String::from_utf8_lossy(&publish.topic));
        let Some(place) = self.scope.place(&topic) else {
            return;
        };
        if !publish.retain || !self.seen.insert(topic.clone()) {
            return;
        }
        let is_recalled = self.recalls_all || place.is_owner();
        let memory = is_recalled.then(|| place.recall(&publish.payload));
        self.store.topics.push(Kept {
            print: fingerprint(&publish.payload),
            memory: memory.flatten().map(Box::new),
            topic,
        });
    }
}

/// Clears retained topics; returns when the broker has taken every clearing.
///
/// # Errors
///
/// Why there was no session, or why it ended early, in words.
pub fn clear(link: &Link, topics: &[Id]) -> Result<(), String> {
    let (client, mut connection) = link.open()?;
    let in_flight_max = if link.is_iot() {
        IOT_IN_FLIGHT_MAX
    } else {
        IN_FLIGHT_MAX
    };
    let mut waiting = topics.iter();
    let mut unacknowledged = 0_usize;
    let mut begun = false;
    loop {
        while begun && unacknowledged < in_flight_max {
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
        let session = Session {
            begun,
            ..Session::default()
        };
        match event.map_err(|error| link.explain(&error, session))? {
            Event::Incoming(Packet::ConnAck(_)) => begun = true,
            Event::Incoming(Packet::PubAck(_)) => unacknowledged = unacknowledged.saturating_sub(1),
            _ => {}
        }
    }
    let _ = client.try_disconnect_now();
    let _ = connection.recv_timeout(STOP_CHECK_INTERVAL);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_elsewhere_is_given_time_to_send_what_it_keeps() {
        assert!(quiet(true, false) >= Duration::from_millis(200));
        assert!(quiet(false, true) >= Duration::from_millis(200));
        assert!(quiet(true, true) < Duration::from_millis(10));
    }
}
