//! One session with the broker, from CONNECT to its end.

use std::net::{IpAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::linux::net::TcpStreamExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rumqttc::mqttbytes::v4::SubscribeReasonCode;
use rumqttc::{
    Broker as Address, Client, Connection, ConnectionError, Event, LastWill, MqttOptions,
    NetworkOptions, Outgoing, Packet, QoS, RecvTimeoutError, Transport,
};

use super::explain::{Place, Session};
use super::{PACKET_BYTES_MAX, QUEUE_MAX, Shared, lock, tls};
use crate::config;
use crate::config::region::is_iot_host;
use crate::engine::BrokerEvent;
use crate::engine::outbox::{IN_FLIGHT_MAX, Token};
use crate::state::fault::Fault;
use crate::topics::OFFLINE;

/// A dead broker is noticed after one to two of these.
const KEEP_ALIVE_SECONDS: u16 = 30;
/// A ping makes an event in each of them, unless a write is stuck: those have no limit of their
/// own where several packets go out together.
const SILENCE_MAX: Duration = Duration::from_secs(2 * KEEP_ALIVE_SECONDS as u64);
/// What is said then.
const SILENT: &str = "it takes nothing any more; check the broker and the network";
/// For DNS, TCP, TLS and CONNACK together.
pub(super) const CONNECT_SECONDS_MAX: u64 = 5;

/// A retained message of somebody else's may be this large and is still swept.
const FOREIGN_PACKET_BYTES_MAX: usize = 16 << 20;

/// How the broker is reached and what every session begins with.
pub struct Link {
    options: MqttOptions,
    /// What its TLS is made of, anew for each session: certificates are renewed.
    config: config::Mqtt,
    shown: String,
    place: Place,
    subscriptions: Vec<String>,
    /// Whether the broker runs on this machine.
    pub(super) here: bool,
    /// Whether there are no addresses to be tried beside one another.
    is_plain_address: bool,
    /// Whether a subscription that was refused has been told of.
    told_refused: AtomicBool,
}

impl Link {
    /// # Errors
    ///
    /// A fault that names the file when a certificate or key cannot be used.
    pub fn new(
        config: &config::Mqtt,
        will_topic: &str,
        subscriptions: Vec<String>,
    ) -> Result<Link, Fault> {
        let address = Address::tcp(config.host.clone(), config.port);
        let mut options = MqttOptions::new(config.client_id.clone(), address);
        options.set_keep_alive(KEEP_ALIVE_SECONDS);
        options.set_clean_session(true);
        options.set_inflight(IN_FLIGHT_MAX as u16);
        // What waits is written together; one by one each is a call of the system.
        options.set_max_request_batch(IN_FLIGHT_MAX);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some(username) = &config.username {
            let password = config
                .password
                .as_ref()
                .map_or("", |secret| secret.expose());
            options.set_credentials(username.clone(), password.as_bytes().to_vec());
        }
        if !will_topic.is_empty() {
            options.set_last_will(LastWill::new(will_topic, OFFLINE, QoS::AtLeastOnce, true));
        }
        if config.tls {
            // What cannot be used at start is told at start.
            tls::client_config(config)?;
        }
        let scheme = if config.tls { "mqtts" } else { "mqtt" };
        let shown = format!("{scheme}://{}:{}", config.host, config.port);
        let is_address = config
            .host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok();
        let place = Place {
            tls: config.tls,
            iot: is_iot_host(&config.host),
            has_ca_file: config.ca_file.is_some(),
            has_certificate: config.cert_file.is_some(),
            client_id: config.client_id.clone(),
            local_name: config.host.trim_end_matches('.').ends_with(".local"),
        };
        Ok(Link {
            told_refused: AtomicBool::new(false),
            place,
            config: config.clone(),
            is_plain_address: is_address || config.is_here(),
            options,
            shown,
            subscriptions,
            here: config.is_here(),
        })
    }

    /// A link for short sessions beside the main one: an id that ends in `role`, no will,
    /// nothing subscribed.
    ///
    /// # Errors
    ///
    /// As [`Link::new`].
    pub fn beside(config: &config::Mqtt, role: &str) -> Result<Link, Fault> {
        let beside = config::Mqtt {
            client_id: format!("{}-{role}", config.client_id),
            ..config.clone()
        };
        let mut link = Link::new(&beside, "", Vec::new())?;
        // What others may have put below our prefix has to be read before it can be swept.
        link.options
            .set_max_packet_size(FOREIGN_PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        Ok(link)
    }

    /// Whether the broker is AWS IoT Core.
    pub(super) fn is_iot(&self) -> bool {
        self.place.iot
    }

    /// A new client for one session.
    pub(super) fn open(&self) -> Result<(Client, Connection), String> {
        self.open_with(self.options.clone())
    }

    /// The same, and its socket once there is one, as far as it is to be had.
    fn open_with_socket(&self) -> Result<(Client, Connection, Socket), String> {
        let mut options = self.options.clone();
        let socket = Socket::default();
        // What has several addresses is left to rumqttc, which does not wait for one of them
        // before it tries the next; so that socket is not to be had.
        if self.is_plain_address {
            let slot = socket.clone();
            options.set_socket_connector(move |host, network| {
                let slot = slot.clone();
                async move {
                    let stream = rumqttc::default_socket_connect(host, network).await?;
                    let twin = stream.as_fd().try_clone_to_owned()?;
                    // A session connects once.
                    let _ = slot.0.set(TcpStream::from(twin));
                    Ok(stream)
                }
            });
        }
        let (client, connection) = self.open_with(options)?;
        Ok((client, connection, socket))
    }

    fn open_with(&self, mut options: MqttOptions) -> Result<(Client, Connection), String> {
        if self.place.tls {
            let made = tls::client_config(&self.config);
            let made = made.map_err(|fault| self.tell(&fault.to_string()))?;
            options.set_transport(Transport::tls_with_config(made));
        }
        let builder = Client::builder(options).capacity(QUEUE_MAX);
        let built = builder.try_build();
        let (client, mut connection) = built.map_err(|error| self.tell(&error.to_string()))?;
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT_SECONDS_MAX);
        connection.eventloop.set_network_options(network);
        Ok((client, connection))
    }

    /// A subscription that is refused (0x80, MQTT 3.1.1 section 3.9.3) costs what comes by it
    /// and nothing else: told once.
    fn tell_refused(&self, topic: &str) {
        if !self.told_refused.swap(true, Ordering::Relaxed) {
            let remedy = "let this user read it in the broker's access list";
            log::warn!("mqtt: the broker refuses the subscription to {topic}; {remedy}");
        }
    }

    pub(super) fn tell(&self, what: &str) -> String {
        format!("no session with {}: {what}", self.shown)
    }

    /// Why a session ended or did not begin, and what the reader can do.
    pub(super) fn explain(&self, error: &ConnectionError, session: Session<'_>) -> String {
        self.tell(&self.place.explain(error, session))
    }
}

/// A second handle on the socket of a session. The connection closes when both are gone.
#[derive(Clone, Default)]
struct Socket(Arc<OnceLock<TcpStream>>);

impl Socket {
    /// Tells the other side at once that its bytes have come. The system would wait for 40 ms, and
    /// a broker without `TCP_NODELAY` (mosquitto, as it is) holds its next acknowledgement back
    /// for as long. The option does not last (`tcp(7)`, `TCP_QUICKACK`).
    fn hasten(&self) {
        if let Some(socket) = self.0.get() {
            // Without it everything works, later.
            let _ = socket.set_quickack(true);
        }
    }
}

/// Runs a session to its end and tells why it ended.
pub(super) fn run(
    link: &Link,
    shared: &Mutex<Shared>,
    tell: &mut impl FnMut(BrokerEvent),
) -> String {
    let (client, mut connection, socket) = match link.open_with_socket() {
        Ok(opened) => opened,
        Err(reason) => return reason,
    };
    let reason = serve(link, shared, client, &mut connection, &socket, tell);
    // Before the connection goes: whoever publishes shall find no client without one.
    lock(shared).client = None;
    reason
}

fn serve(
    link: &Link,
    shared: &Mutex<Shared>,
    client: Client,
    connection: &mut Connection,
    socket: &Socket,
    tell: &mut impl FnMut(BrokerEvent),
) -> String {
    // Only the shared handle keeps the client alive: when that goes, the session ends.
    let mut waiting = Some(client);
    // Each is sent in a packet of its own, and acknowledged in that order.
    let mut subscriptions = link.subscriptions.iter();
    let mut taken = Vec::new();
    loop {
        match connection.recv_timeout(SILENCE_MAX) {
            Ok(Ok(event)) => {
                let mut reason = None;
                if let Event::Incoming(Packet::ConnAck(_)) = &event
                    && let Some(client) = waiting.take()
                {
                    begin(link, shared, client);
                    tell(BrokerEvent::Connected);
                } else if let Event::Incoming(Packet::SubAck(ack)) = &event {
                    let topic = subscriptions.next();
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        link.tell_refused(topic.map_or("a topic", String::as_str));
                    }
                } else {
                    reason = follow(shared, event, &mut taken, tell);
                }
                // One reading of the socket may bring dozens: they are told together.
                if reason.is_some() || connection.eventloop.state.events.is_empty() {
                    tell_taken(shared, socket, &mut taken, tell);
                }
                if let Some(reason) = reason {
                    return link.tell(&reason);
                }
            }
            Ok(Err(error)) => {
                let shared = lock(shared);
                let session = Session {
                    begun: waiting.is_none(),
                    unacknowledged: shared.oldest_unacknowledged(),
                };
                return link.explain(&error, session);
            }
            Err(RecvTimeoutError::Timeout { .. }) => return link.tell(SILENT),
            Err(RecvTimeoutError::Disconnected) => return link.tell("closed by us"),
        }
    }
}

fn begin(link: &Link, shared: &Mutex<Shared>, client: Client) {
    for topic in &link.subscriptions {
        // An empty queue takes a handful of subscriptions.
        let _ = client.try_subscribe(topic.clone(), QoS::AtLeastOnce);
    }
    lock(shared).client = Some(client);
}

/// Keeps the books of what is in flight; what the broker took is put into `taken`. A reason ends
/// the session.
fn follow(
    shared: &Mutex<Shared>,
    event: Event,
    taken: &mut Vec<Token>,
    tell: &mut impl FnMut(BrokerEvent),
) -> Option<String> {
    match event {
        Event::Outgoing(Outgoing::Publish(id)) if id != 0 => {
            let mut shared = lock(shared);
            if let Some(sent) = shared.unnamed.pop_front() {
                shared.named.insert(id, sent);
            }
        }
        Event::Incoming(Packet::PubAck(ack)) => {
            let sent = lock(shared).named.remove(&ack.pkid);
            taken.extend(sent.map(|sent| sent.token));
        }
        Event::Incoming(Packet::Publish(publish)) => tell(BrokerEvent::Received {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            retained: publish.retain,
        }),
        // Never more is sent than may be in flight, so a packet id that is still taken means
        // that the broker acknowledges out of order.
        Event::Outgoing(Outgoing::AwaitAck(_)) => {
            return Some("the broker acknowledges out of order".to_owned());
        }
        Event::Outgoing(Outgoing::Disconnect) => return Some("closed by us".to_owned()),
        _ => {}
    }
    None
}

/// Tells what the broker took.
fn tell_taken(
    shared: &Mutex<Shared>,
    socket: &Socket,
    taken: &mut Vec<Token>,
    tell: &mut impl FnMut(BrokerEvent),
) {
    if taken.is_empty() {
        return;
    }
    if !lock(shared).named.is_empty() {
        socket.hasten();
    }
    tell(BrokerEvent::Acknowledged(std::mem::take(taken)));
}
