//! A subscriber that collects what a broker sends, and waits for what a test expects.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rumqttc::{
    Client, ConnectReturnCode, Connection, Event, MqttOptions, Packet, PublishOptions, QoS,
};

/// Latest payload of every topic; a topic with an empty payload is not in it.
pub type Tree = BTreeMap<String, String>;

const PACKET_BYTES_MAX: usize = 1 << 20;
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
const RETAINED_WAIT_MAX: Duration = Duration::from_secs(30);

/// One message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Topic.
    pub topic: String,
    /// Payload, as text.
    pub payload: String,
    /// True when it came out of the broker's store.
    pub retained: bool,
}

/// A subscription that is held until dropped, also across restarts of the broker.
pub struct Subscriber {
    shared: Arc<Shared>,
    client: Client,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    tree: Tree,
    stream: Vec<Message>,
    subscribed: usize,
    last_error: Option<String>,
    ended: bool,
}

impl Subscriber {
    /// Subscribes to everything below `filter` on a loopback port.
    pub fn start(port: u16, filter: &str) -> Subscriber {
        Subscriber::with(options(port), filter)
    }

    /// The same with options of one's own (TLS, user, client id); waits until subscribed.
    pub fn with(mut options: MqttOptions, filter: &str) -> Subscriber {
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, connection) = Client::builder(options).capacity(64).build();
        let shared = Arc::new(Shared::default());
        let (listening, asking) = (Arc::clone(&shared), client.clone());
        let wanted = filter.to_owned();
        let thread = Builder::new().name("subscriber".into()).spawn(move || {
            listening.listen(connection, &asking, &wanted);
        });
        let subscriber = Subscriber {
            shared,
            client,
            thread: Some(thread.expect("a thread")),
        };
        let subscribed = subscriber.wait(RETAINED_WAIT_MAX, |state| state.subscribed > 0);
        let error = lock(&subscriber.shared.state).last_error.clone();
        assert!(subscribed, "no subscription to {filter}: {error:?}");
        subscriber
    }

    /// Waits until the tree is as wanted, and returns it.
    ///
    /// The tree starts empty at every (re)connect. It also holds the latest message of topics
    /// that are not retained: MQTT 3.1.1 does not tell the two apart for those who are
    /// connected. [`retained`] does.
    ///
    /// # Panics
    ///
    /// When it is not so within `limit`; the message shows the tree.
    pub fn wait_until(&self, limit: Duration, wanted: impl Fn(&Tree) -> bool) -> Tree {
        let met = self.wait(limit, |state| wanted(&state.tree));
        let tree = self.tree();
        assert!(met, "not within {limit:?}; the topics are {tree:#?}");
        tree
    }

    /// Whether the tree comes to be as wanted; for trees that are too large to be shown.
    pub fn wait_within(&self, limit: Duration, wanted: impl Fn(&Tree) -> bool) -> bool {
        self.wait(limit, |state| wanted(&state.tree))
    }

    /// What is known now.
    pub fn tree(&self) -> Tree {
        lock(&self.shared.state).tree.clone()
    }

    /// Every message since the start, in order.
    pub fn stream(&self) -> Vec<Message> {
        lock(&self.shared.state).stream.clone()
    }

    /// Waits until a message came for which `wanted` is true.
    ///
    /// # Panics
    ///
    /// When none came within `limit`.
    pub fn wait_for(&self, limit: Duration, wanted: impl Fn(&Message) -> bool) -> Message {
        let met = self.wait(limit, |state| state.stream.iter().any(&wanted));
        assert!(
            met,
            "no such message within {limit:?}; there were {:#?}",
            self.stream()
        );
        let found = self.stream().into_iter().find(|m| wanted(m));
        found.expect("just seen")
    }

    fn wait(&self, limit: Duration, met: impl Fn(&State) -> bool) -> bool {
        let state = lock(&self.shared.state);
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, limit, |s| !met(s));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        lock(&self.shared.state).ended = true;
        let _ = self.client.try_disconnect_now();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn listen(&self, mut connection: Connection, client: &Client, filter: &str) {
        while let Ok(event) = connection.recv() {
            let mut state = lock(&self.state);
            if state.ended && event.is_err() {
                return;
            }
            match event {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                    assert_eq!(ack.code, ConnectReturnCode::Success);
                    state.tree.clear();
                    let _ = client.try_subscribe(filter, QoS::AtLeastOnce);
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => state.subscribed += 1,
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    state.take(Message {
                        topic: text(&publish.topic),
                        payload: text(&publish.payload),
                        retained: publish.retain,
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    state.last_error = Some(error.to_string());
                    drop(state);
                    std::thread::sleep(RECONNECT_PAUSE);
                }
            }
            self.changed.notify_all();
        }
    }
}

impl State {
    fn take(&mut self, message: Message) {
        if message.payload.is_empty() {
            self.tree.remove(&message.topic);
        } else {
            self.tree
                .insert(message.topic.clone(), message.payload.clone());
        }
        self.stream.push(message);
    }
}

/// Exactly what is retained below `filter` on a loopback port, by a session of its own.
pub fn retained(port: u16, filter: &str) -> Tree {
    retained_with(options(port), filter)
}

/// The same with options of one's own.
pub fn retained_with(options: MqttOptions, filter: &str) -> Tree {
    let mark = format!("subscriber-mark/{:x}", fastrand::u64(..));
    let subscriber = Subscriber::with(options.clone(), filter);
    // A second session announces the end: what is retained was queued before it.
    let marked = Subscriber::with(with_id(options), &mark);
    let _ = subscriber
        .client
        .try_subscribe(mark.as_str(), QoS::AtLeastOnce);
    subscriber.wait(RETAINED_WAIT_MAX, |state| state.subscribed > 1);
    let end = PublishOptions::new(QoS::AtLeastOnce);
    let _ = marked.client.try_publish(mark.as_str(), "end", end);
    let met = subscriber.wait(RETAINED_WAIT_MAX, |s| s.tree.contains_key(&mark));
    assert!(
        met,
        "the broker did not send everything retained below {filter}"
    );
    let stored = subscriber.stream().into_iter().filter(|m| m.retained);
    stored.map(|m| (m.topic, m.payload)).collect()
}

/// Options for a loopback port with a client id that nobody else has.
pub fn options(port: u16) -> MqttOptions {
    with_id(MqttOptions::new("x", ("127.0.0.1", port)))
}

fn with_id(mut options: MqttOptions) -> MqttOptions {
    options.set_client_id(format!("test-{:x}", fastrand::u64(..)));
    options.set_keep_alive(60);
    options
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
