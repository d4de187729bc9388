//! A small MQTT 3.1.1 broker on rumqttc's codec, for the demo and for tests that need no real
//! one: QoS 0 and 1, retained messages, last wills, wildcards.
//!
//! Loopback only: it asks nobody for a password. It leaves out QoS 2 and sessions that outlive
//! their connection. A client that does not read what it subscribed to is disconnected, so it
//! never holds up the others.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, SubAck, SubscribeReasonCode,
    UnsubAck, matches, valid_filter,
};

/// Largest packet taken.
const PACKET_BYTES_MAX: usize = 1 << 20;
/// Live messages are not queued for a client that is this far behind.
const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Clients at a time.
const CLIENTS_MAX: usize = 64;
/// A client that takes nothing for this long is let go.
const WRITE_SECONDS_MAX: u64 = 30;
/// How long a new connection may take to say who it is.
const CONNECT_SECONDS_MAX: u64 = 10;

/// A running broker; it stops when dropped.
pub struct Broker {
    address: SocketAddr,
    shared: Arc<Shared>,
    accept: Option<JoinHandle<()>>,
}

impl Broker {
    /// Listens on this loopback port, 0 for any free one.
    pub fn start(port: u16) -> io::Result<Broker> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        let accept = Builder::new().name("broker".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                // Who cannot be served is let go; the others do not mind.
                let _ = accepting.welcome(stream);
            }
        })?;
        Ok(Broker {
            address,
            shared,
            accept: Some(accept),
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accept) = self.accept.take() {
            let _ = accept.join();
        }
        for stream in lock(&self.shared.open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let threads = std::mem::take(&mut *lock(&self.shared.threads));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

#[derive(Default)]
struct Shared {
    closing: AtomicBool,
    hub: Mutex<Hub>,
    /// Every connection, also those that have not said who they are.
    open: Mutex<HashMap<u64, TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Who is connected and what is retained.
#[derive(Default)]
struct Hub {
    connections: u64,
    retained: BTreeMap<String, Publish>,
    peers: HashMap<u64, Peer>,
}

struct Peer {
    client_id: String,
    filters: Vec<(String, QoS)>,
    queue: Arc<Queue>,
    will: Option<Publish>,
    last_pkid: u16,
}

impl Shared {
    fn welcome(self: &Arc<Shared>, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(CONNECT_SECONDS_MAX)))?;
        stream.set_write_timeout(Some(Duration::from_secs(WRITE_SECONDS_MAX)))?;
        let queue = Arc::new(Queue::default());
        let id = {
            let mut hub = lock(&self.hub);
            hub.connections += 1;
            hub.connections
        };
        let mut open = lock(&self.open);
        if open.len() >= CLIENTS_MAX {
            return Err(io::Error::other("too many clients"));
        }
        open.insert(id, stream.try_clone()?);
        drop(open);
        let mut to_client = stream.try_clone()?;
        let waiting = Arc::clone(&queue);
        let writer = Builder::new().name("broker-out".into()).spawn(move || {
            while let Some(bytes) = waiting.take() {
                if to_client.write_all(&bytes).is_err() {
                    break;
                }
            }
            let _ = to_client.shutdown(Shutdown::Both);
        })?;
        let shared = Arc::clone(self);
        let reader = Builder::new().name("broker-in".into()).spawn(move || {
            shared.converse(id, stream, &queue);
            lock(&shared.hub).leave(id);
            queue.close();
            lock(&shared.open).remove(&id);
        })?;
        let mut threads = lock(&self.threads);
        threads.retain(|t| !t.is_finished());
        threads.extend([reader, writer]);
        Ok(())
    }

    /// Reads packets until the client goes or breaks the protocol.
    fn converse(&self, id: u64, mut stream: TcpStream, queue: &Arc<Queue>) {
        let mut read = BytesMut::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            match Packet::read(&mut read, PACKET_BYTES_MAX) {
                Ok(packet) => {
                    let next = lock(&self.hub).handle(id, packet, queue);
                    match next {
                        Next::GoOn => {}
                        Next::KeepAlive(limit) => {
                            let _ = stream.set_read_timeout(limit);
                        }
                        Next::End => return,
                    }
                }
                Err(rumqttc::Error::InsufficientBytes(_)) => match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => return,
                    Ok(n) => read.extend_from_slice(&chunk[..n]),
                },
                Err(_) => return,
            }
        }
    }
}

/// What a packet means for its connection.
enum Next {
    GoOn,
    /// Close it after this much silence.
    KeepAlive(Option<Duration>),
    End,
}

impl Hub {
    fn handle(&mut self, id: u64, packet: Packet, queue: &Arc<Queue>) -> Next {
        if let Packet::Connect(connect) = packet {
            return self.connect(id, connect, queue);
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return Next::End;
        };
        match packet {
            Packet::Publish(publish) => {
                if publish.qos == QoS::ExactlyOnce {
                    return Next::End;
                }
                if publish.qos == QoS::AtLeastOnce {
                    queue.push(&Packet::PubAck(PubAck::new(publish.pkid)));
                }
                self.publish(publish);
            }
            Packet::Subscribe(subscribe) => {
                let granted = |path: &str, qos: QoS| match (valid_filter(path), qos) {
                    (false, _) => SubscribeReasonCode::Failure,
                    (true, QoS::AtMostOnce) => SubscribeReasonCode::Success(QoS::AtMostOnce),
                    (true, _) => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                };
                let filters = subscribe
                    .filters
                    .iter()
                    .map(|f| (&f.path, granted(&f.path, f.qos)));
                let filters: Vec<_> = filters.collect();
                let codes = filters.iter().map(|(_, code)| *code).collect();
                queue.push(&Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
                for (path, code) in filters {
                    if let SubscribeReasonCode::Success(qos) = code {
                        peer.subscribe(path, qos, &self.retained);
                    }
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                peer.filters
                    .retain(|(f, _)| !unsubscribe.topics.contains(f));
                queue.push(&Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
            }
            Packet::PingReq => queue.push(&Packet::PingResp),
            // The connection is reliable and the session ends with it: nothing to keep track of.
            Packet::PubAck(_) => {}
            Packet::Disconnect => {
                peer.will = None;
                return Next::End;
            }
            _ => return Next::End,
        }
        Next::GoOn
    }

    fn connect(&mut self, id: u64, connect: Connect, queue: &Arc<Queue>) -> Next {
        if self.peers.contains_key(&id) {
            return Next::End;
        }
        let client_id = match connect.client_id.as_str() {
            "" => format!("anonymous-{id}"),
            given => given.to_owned(),
        };
        let same = self.peers.iter().find(|(_, p)| p.client_id == client_id);
        if let Some(old) = same.map(|(old, _)| *old) {
            self.leave(old);
        }
        let will = connect.last_will.map(|will| Publish {
            dup: false,
            qos: will.qos,
            retain: will.retain,
            pkid: 0,
            topic: will.topic.into(),
            payload: will.message,
        });
        let peer = Peer {
            client_id,
            filters: Vec::new(),
            queue: Arc::clone(queue),
            will,
            last_pkid: 0,
        };
        self.peers.insert(id, peer);
        queue.push(&Packet::ConnAck(ConnAck {
            session_present: false,
            code: ConnectReturnCode::Success,
        }));
        let seconds = u64::from(connect.keep_alive) * 3 / 2;
        Next::KeepAlive((seconds > 0).then(|| Duration::from_secs(seconds)))
    }

    /// Takes a peer out; its last will goes to those who stay.
    fn leave(&mut self, id: u64) {
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        peer.queue.close();
        if let Some(will) = peer.will {
            self.publish(will);
        }
    }

    fn publish(&mut self, mut publish: Publish) {
        let Ok(topic) = String::from_utf8(publish.topic.to_vec()) else {
            return;
        };
        if publish.retain {
            if publish.payload.is_empty() {
                self.retained.remove(&topic);
            } else {
                self.retained.insert(topic.clone(), publish.clone());
            }
        }
        publish.retain = false;
        for peer in self.peers.values_mut() {
            let fitting = peer
                .filters
                .iter()
                .filter(|(filter, _)| matches(&topic, filter));
            let granted = fitting.map(|(_, qos)| *qos).max_by_key(|qos| *qos as u8);
            if let Some(qos) = granted {
                peer.deliver(&publish, qos);
            }
        }
    }
}

impl Peer {
    fn subscribe(&mut self, filter: &str, qos: QoS, retained: &BTreeMap<String, Publish>) {
        self.filters.retain(|(f, _)| f != filter);
        self.filters.push((filter.to_owned(), qos));
        // The queue takes all of them at once: a live message that comes meanwhile must not
        // overtake the older one that is retained.
        for (topic, publish) in retained {
            if matches(topic, filter) {
                let packet = self.numbered(publish, qos);
                self.queue.push(&packet);
            }
        }
    }

    fn deliver(&mut self, publish: &Publish, qos: QoS) {
        let packet = self.numbered(publish, qos);
        if self.queue.bytes() < QUEUE_BYTES_MAX {
            self.queue.push(&packet);
        } else {
            self.queue.close();
        }
    }

    fn numbered(&mut self, publish: &Publish, qos: QoS) -> Packet {
        let mut publish = publish.clone();
        publish.dup = false;
        publish.pkid = 0;
        if qos == QoS::AtMostOnce {
            publish.qos = QoS::AtMostOnce;
        }
        if publish.qos != QoS::AtMostOnce {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            publish.pkid = self.last_pkid;
        }
        Packet::Publish(publish)
    }
}

/// Packets on their way to one client.
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    packets: VecDeque<BytesMut>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    fn push(&self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        if packet.write(&mut bytes, PACKET_BYTES_MAX).is_err() {
            return;
        }
        let mut state = lock(&self.state);
        if !state.closed {
            state.bytes += bytes.len();
            state.packets.push_back(bytes);
            self.changed.notify_one();
        }
    }

    fn bytes(&self) -> usize {
        lock(&self.state).bytes
    }

    /// Lets the writer finish what waits and end the connection then.
    fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_one();
    }

    /// The next packet; `None` when there will be no more.
    fn take(&self) -> Option<BytesMut> {
        let state = lock(&self.state);
        let waiting = |s: &mut QueueState| s.packets.is_empty() && !s.closed;
        let waited = self.changed.wait_while(state, waiting);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let next = state.packets.pop_front()?;
        state.bytes -= next.len();
        Some(next)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
