//! What AWS IoT Core does and mosquitto does not, in front of mosquitto: its limits, its policy,
//! and that what is retained comes only to who subscribes to the whole name.
//!
//! Sources: "AWS IoT Core endpoints and quotas", "MQTT" and "AWS IoT Core policies" in AWS's
//! guides. It ends the session of who breaks a rule, without a word.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use serde_json::Value;

use super::ports::connect;

const FILTERS_A_SUBSCRIBE_MAX: usize = 8;
const SUBSCRIPTIONS_MAX: usize = 50;
const SLASHES_MAX: usize = 7;
const TOPIC_BYTES_MAX: usize = 256;
const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
const KEEP_ALIVE_SECONDS: std::ops::RangeInclusive<u16> = 5..=1200;

/// A running front. It ends with the process; tests that need it are few.
pub struct Iot {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Topics that the policy does not allow to be published.
    denied: Vec<String>,
    /// Client ids that the policy allows; empty: all.
    clients: Vec<String>,
    /// Actions and resources that it allows; `None`: everything.
    policy: Option<Vec<(String, String)>>,
    /// Whether subscriptions are answered with a refusal, as brokers do that have access lists
    /// for them; mosquitto's file knows none.
    refuses: bool,
    broken: Vec<String>,
    sessions: Vec<String>,
}

impl Shared {
    /// Whether the policy allows this; a `*` stands at the end of a resource only.
    fn allows(&self, action: &str, resource: &str) -> Result<(), String> {
        let fits = |(allowed, name): &(String, String)| {
            let fits = match name.strip_suffix('*') {
                Some(beginning) => resource.starts_with(beginning),
                None => resource == name,
            };
            allowed == action && fits
        };
        match &self.policy {
            Some(policy) if !policy.iter().any(fits) => Err(format!("{action} on {resource}")),
            _ => Ok(()),
        }
    }
}

/// What one client has subscribed to.
type Filters = Arc<Mutex<HashSet<String>>>;

impl Iot {
    /// In front of the broker on port `to`.
    pub fn start(to: u16) -> Iot {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let accepting = Arc::clone(&shared);
        let accept = Builder::new().name("iot".into()).spawn(move || {
            for outer in listener.incoming().flatten() {
                // Who cannot be served is let go.
                let _ = serve(outer, to, &accepting);
            }
        });
        accept.expect("a thread");
        Iot { port, shared }
    }

    /// The port it listens on, without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on the policy does not allow this topic to be published.
    pub fn deny(&self, topic: &str) {
        lock(&self.shared).denied.push(topic.to_owned());
    }

    /// Takes all denials back.
    pub fn allow(&self) {
        lock(&self.shared).denied.clear();
    }

    /// From now on it allows these client ids only.
    pub fn only(&self, clients: &[&str]) {
        lock(&self.shared).clients = clients.iter().map(|id| id.to_string()).collect();
    }

    /// Answers every subscription with a refusal from now on.
    pub fn refuse_subscriptions(&self) {
        lock(&self.shared).refuses = true;
    }

    /// From now on it is this policy that allows things.
    pub fn enforce(&self, policy: &Value) {
        let texts = |value: &Value| -> Vec<String> {
            let list = value.as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(String::from).collect()
        };
        let mut allowed = Vec::new();
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            for resource in texts(&statement["Resource"]) {
                let name = resource
                    .splitn(6, ':')
                    .nth(5)
                    .unwrap_or_default()
                    .to_owned();
                let actions = texts(&statement["Action"]).into_iter();
                allowed.extend(actions.map(|action| (action, name.clone())));
            }
        }
        lock(&self.shared).policy = Some(allowed);
    }

    /// Rules that were broken so far, each with what broke it.
    pub fn broken(&self) -> Vec<String> {
        lock(&self.shared).broken.clone()
    }

    /// Client ids of the sessions so far.
    pub fn sessions(&self) -> Vec<String> {
        lock(&self.shared).sessions.clone()
    }
}

fn serve(outer: TcpStream, to: u16, shared: &Arc<Mutex<Shared>>) -> io::Result<()> {
    let inner = connect(to)?;
    inner.set_read_timeout(None)?;
    outer.set_nodelay(true)?;
    inner.set_nodelay(true)?;
    let filters = Filters::default();
    let (rules, held) = (Arc::clone(shared), Arc::clone(&filters));
    let (mut from, mut into) = (outer.try_clone()?, inner.try_clone()?);
    Builder::new().name("iot-in".into()).spawn(move || {
        while let Ok(packet) = read(&mut from) {
            if let Err(rule) = judge(&packet, &rules, &held) {
                lock(&rules).broken.push(rule);
                break;
            }
            if into.write_all(&packet.bytes).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), into.shutdown(Shutdown::Both));
    })?;
    let rules = Arc::clone(shared);
    let (mut from, mut into) = (inner, outer);
    Builder::new().name("iot-out".into()).spawn(move || {
        while let Ok(mut packet) = read(&mut from) {
            if packet.kind() == 9 && lock(&rules).refuses {
                let codes = packet.body + 2;
                packet.bytes[codes..].fill(0x80);
            }
            let wanted = match packet.topic() {
                Some(topic) if packet.flag(0) => lock(&filters).contains(topic),
                _ => true,
            };
            let resource = packet.topic().map(|topic| format!("topic/{topic}"));
            let allowed = resource.map(|topic| lock(&rules).allows("iot:Receive", &topic));
            if let Some(Err(rule)) = allowed {
                lock(&rules).broken.push(rule);
                continue;
            }
            if wanted && into.write_all(&packet.bytes).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), into.shutdown(Shutdown::Both));
    })?;
    Ok(())
}

/// One MQTT packet (MQTT 3.1.1 section 2).
struct Packet {
    bytes: Vec<u8>,
    /// Where what follows the length begins.
    body: usize,
}

fn read(stream: &mut TcpStream) -> io::Result<Packet> {
    let mut bytes = vec![0; 2];
    stream.read_exact(&mut bytes)?;
    let (mut length, mut shift) = (usize::from(bytes[1] & 127), 7);
    while bytes[bytes.len() - 1] & 128 != 0 && bytes.len() < 5 {
        let mut next = [0];
        stream.read_exact(&mut next)?;
        length += usize::from(next[0] & 127) << shift;
        shift += 7;
        bytes.extend(next);
    }
    let body = bytes.len();
    bytes.resize(body + length, 0);
    stream.read_exact(&mut bytes[body..])?;
    Ok(Packet { bytes, body })
}

impl Packet {
    fn kind(&self) -> u8 {
        self.bytes[0] >> 4
    }

    fn flag(&self, bit: u8) -> bool {
        self.bytes[0] & (1 << bit) != 0
    }

    /// The text with its length before it that begins at `at` of the body, and where it ends.
    fn text(&self, at: usize) -> Option<(&str, usize)> {
        let rest = self.bytes[self.body..].get(at..)?;
        let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
        let text = std::str::from_utf8(rest.get(2..2 + length)?).ok()?;
        Some((text, at + 2 + length))
    }

    /// Of a PUBLISH.
    fn topic(&self) -> Option<&str> {
        (self.kind() == 3)
            .then(|| self.text(0))?
            .map(|(topic, _)| topic)
    }

    /// Filters of a SUBSCRIBE, each with a byte after it, or of an UNSUBSCRIBE.
    fn filters(&self, after: usize) -> Vec<String> {
        let mut at = 2;
        let mut filters = Vec::new();
        while let Some((filter, end)) = self.text(at) {
            filters.push(filter.to_owned());
            at = end + after;
        }
        filters
    }
}

fn judge(packet: &Packet, shared: &Mutex<Shared>, filters: &Filters) -> Result<(), String> {
    let rule = |holds: bool, rule: String| if holds { Ok(()) } else { Err(rule) };
    let fits = |topic: &str| {
        let slashes = topic.matches('/').count();
        let fits = slashes <= SLASHES_MAX && topic.len() <= TOPIC_BYTES_MAX;
        rule(fits && !topic.starts_with('$'), format!("topic {topic}"))
    };
    match packet.kind() {
        1 => {
            let body = &packet.bytes[packet.body..];
            let keep_alive = u16::from_be_bytes([body[8], body[9]]);
            let told = format!("keep-alive {keep_alive}");
            rule(KEEP_ALIVE_SECONDS.contains(&keep_alive), told)?;
            let (id, _) = packet.text(10).ok_or("a client id")?;
            let mut shared = lock(shared);
            shared.sessions.push(id.to_owned());
            let known = shared.clients.is_empty() || shared.clients.iter().any(|c| c == id);
            rule(known && id.len() <= 128, format!("client id {id}"))?;
            shared.allows("iot:Connect", &format!("client/{id}"))
        }
        3 => {
            let (topic, end) = packet.text(0).ok_or("a topic")?;
            fits(topic)?;
            rule(!packet.flag(2), format!("QoS 2 on {topic}"))?;
            let size = packet.bytes.len() - packet.body - end;
            rule(
                size <= PAYLOAD_BYTES_MAX,
                format!("{size} bytes on {topic}"),
            )?;
            let resource = format!("topic/{topic}");
            lock(shared).allows("iot:Publish", &resource)?;
            if packet.flag(0) {
                lock(shared).allows("iot:RetainPublish", &resource)?;
            }
            let denied = lock(shared).denied.iter().any(|denied| denied == topic);
            rule(!denied, format!("denied {topic}"))
        }
        8 => {
            let asked = packet.filters(1);
            for filter in &asked {
                fits(filter)?;
                lock(shared).allows("iot:Subscribe", &format!("topicfilter/{filter}"))?;
            }
            let count = asked.len();
            rule(
                count <= FILTERS_A_SUBSCRIBE_MAX,
                format!("{count} filters in a SUBSCRIBE"),
            )?;
            let mut filters = lock(filters);
            filters.extend(asked);
            let count = filters.len();
            rule(count <= SUBSCRIPTIONS_MAX, format!("{count} subscriptions"))
        }
        10 => {
            let mut filters = lock(filters);
            for filter in packet.filters(0) {
                filters.remove(&filter);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
