//! The broker, over MQTT 3.1.1. One client session per connection: delivery rests on the
//! broker's acknowledgements, never on the client's own queue (on a session that the broker
//! does not resume, rumqttc drops what it held without a word).
//!
//! The only module that knows rumqttc. When to connect and what to send is decided elsewhere.

mod explain;
mod session;
pub mod store;
mod tls;

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rumqttc::{Client, PublishOptions, QoS};

use crate::config;
use crate::engine::outbox::{IN_FLIGHT_MAX, Token};
use crate::engine::{BrokerEvent, Publication};
use crate::log::Steady;
use crate::state::fault::Fault;

pub use session::Link;

/// Packets larger than this end a session in either direction; our own stay well below.
const PACKET_BYTES_MAX: usize = 256 * 1024;

/// What the session's thread and those who publish share.
#[derive(Default)]
struct Shared {
    /// The client of the session that is up.
    client: Option<Client>,
    /// Publications handed to the client that have no packet id yet, in order.
    unnamed: VecDeque<Sent>,
    /// Publications by packet id.
    named: HashMap<u16, Sent>,
}

/// A publication under way.
struct Sent {
    token: Token,
    topic: Box<str>,
}

impl Shared {
    /// What the broker has waited longest with: tokens are given in order.
    fn oldest_unacknowledged(&self) -> Option<&str> {
        let under_way = self.named.values().chain(&self.unnamed);
        let oldest = under_way.min_by_key(|sent| sent.token)?;
        Some(&oldest.topic)
    }
}

/// A handle on the broker for the one thread that publishes.
pub struct Broker {
    shared: Arc<Mutex<Shared>>,
    connect: SyncSender<()>,
    trouble: Steady,
}

/// The other side: what the broker's own thread runs.
pub struct Runner {
    shared: Arc<Mutex<Shared>>,
    connect: Receiver<()>,
    link: Link,
}

/// Prepares a broker; nothing is sent before [`Broker::connect`].
///
/// # Errors
///
/// A fault that names the file when a certificate or key cannot be used.
pub fn prepare(
    config: &config::Mqtt,
    will_topic: &str,
    subscriptions: Vec<String>,
) -> Result<(Broker, Runner), Fault> {
    let link = Link::new(config, will_topic, subscriptions)?;
    let shared = Arc::new(Mutex::new(Shared::default()));
    let (connect, requests) = sync_channel(1);
    let broker = Broker {
        shared: shared.clone(),
        connect,
        trouble: Steady::default(),
    };
    Ok((
        broker,
        Runner {
            shared,
            connect: requests,
            link,
        },
    ))
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Broker {
    /// Begins a session, unless one is being begun.
    pub fn connect(&self) {
        // A full channel holds the same wish already.
        let _ = self.connect.try_send(());
    }

    /// Hands a publication over. When the session is over, so is its news on the way.
    pub fn publish(&self, publication: Publication) {
        let mut shared = lock(&self.shared);
        let Some(client) = shared.client.clone() else {
            return;
        };
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(publication.retain);
        // Pushed and sent under one lock, so that both queues have the same order.
        shared.unnamed.push_back(Sent {
            token: publication.token,
            topic: publication.topic.as_str().into(),
        });
        let payload = publication.payload.into_bytes();
        if let Err(error) = client.try_publish(publication.topic, payload, options) {
            shared.unnamed.pop_back();
            // The queue is larger than what is ever in flight, so this is a fault of ours: a
            // new session brings everything out again.
            let text = format!("mqtt: a publication was refused by the client: {error}");
            self.trouble.happened("refused", log::Level::Error, text);
            let _ = client.try_disconnect_now();
        }
    }

    /// Ends the session with a DISCONNECT, which keeps the last will from being sent.
    pub fn disconnect(&self) {
        if let Some(client) = lock(&self.shared).client.take() {
            let _ = client.try_disconnect_now();
        }
    }
}

impl Runner {
    /// Runs one session for each wish to connect, until the [`Broker`] is dropped.
    pub fn run(self, mut tell: impl FnMut(BrokerEvent)) {
        while self.connect.recv().is_ok() {
            let reason = session::run(&self.link, &self.shared, &mut tell);
            let mut shared = lock(&self.shared);
            *shared = Shared::default();
            drop(shared);
            // A wish that came while the session was up is fulfilled by now.
            if let Err(TryRecvError::Disconnected) = self.connect.try_recv() {
                return;
            }
            tell(BrokerEvent::Lost(reason));
        }
    }
}

/// Requests that the client's own queue takes: all that is in flight, and room to say goodbye.
const QUEUE_MAX: usize = IN_FLIGHT_MAX + 16;
