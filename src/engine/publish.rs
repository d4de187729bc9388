//! The broker: when to connect, what to send when there is room, what comes back.

use std::time::Duration;

use super::cycle::Point;
use super::daybook::BROKER;
use super::outbox::{Once, Sent, Token};
use super::{BrokerEvent, Effect, Engine, Now, Publication, backoff};
use crate::state::measure::Resource;
use crate::state::time::Mono;
use crate::state::tracks::Window;
use crate::topics::event::{Happening, event};
use crate::topics::payload::Owner;
use crate::topics::{ONLINE, PAYLOAD_BYTES_MAX, Topic, payload};

/// Waits between two tries to reach the broker.
pub(super) const RECONNECT_FIRST: Duration = Duration::from_secs(1);
pub(super) const RECONNECT_MAX: Duration = Duration::from_secs(30);
/// A session that ends sooner was ended by somebody.
const SHORT_SESSION: Duration = Duration::from_secs(10);
/// So many of them in a row, each begun at the first try, and none before that held: another
/// client has our client id, and each of us throws the other out (MQTT 3.1.1 section 3.1.4).
const SHORT_SESSIONS_MAX: u32 = 5;
/// So many are begun again at once: who was there first outlasts the other. Then it is the broker
/// that does not want us, and it is asked ever more slowly.
const SHORT_SESSIONS_AT_ONCE_MAX: u32 = 2 * SHORT_SESSIONS_MAX;
/// What is said of them.
const SHORT_LIVED: &str = "the broker ended every session within seconds, as it does when another \
                           client has the same client id; give this one an id of its own ([mqtt] \
                           client_id, or instance). Some brokers also do so when their access \
                           list or policy forbids a topic";
/// Messages told once that wait for the broker; the oldest go first.
const HAPPENINGS_MAX: usize = 1000;

/// What is known of the broker.
#[derive(Clone, Debug, Default)]
pub struct Broker {
    pub(super) connected: bool,
    pub(super) had_session: bool,
    /// When to try again.
    retry_at: Option<Mono>,
    failures: u32,
    began: Option<Mono>,
    short_sessions: u32,
    /// Whether a session has ever held.
    held: bool,
    /// Why the last session ended, told once for each reason.
    pub(super) reason: Option<String>,
    /// Publications that may be sent now, where their rate is limited.
    allowance: f64,
    allowance_at: Mono,
    pub(super) acknowledged: u64,
    /// Number of the last message told once.
    told: u64,
    /// A message told once that goes out alone.
    suspect: Option<u64>,
}

impl Engine {
    pub(super) fn broker_event(&mut self, now: Now, news: BrokerEvent) {
        match news {
            BrokerEvent::Connected => {
                if self.logbook.is_wrong(BROKER) {
                    self.log_right(now, BROKER, "mqtt: connected again");
                } else {
                    self.log(log::Level::Info, "mqtt: connected");
                }
                self.broker.connected = true;
                self.broker.had_session = true;
                self.broker.began = Some(now.mono);
                if self.broker.short_sessions < SHORT_SESSIONS_AT_ONCE_MAX {
                    self.broker.failures = 0;
                }
                self.broker.retry_at = None;
                self.session_over(now);
                self.session_began();
                self.outbox.connected();
                self.catch_up(now);
            }
            BrokerEvent::Lost(reason) => self.lost(now, reason),
            BrokerEvent::Acknowledged(tokens) => {
                for token in tokens {
                    self.acknowledged(now, token);
                }
            }
            BrokerEvent::Received {
                topic,
                payload,
                retained,
            } => {
                self.received(now, &topic, &payload, retained);
            }
        }
    }

    fn acknowledged(&mut self, now: Now, token: Token) {
        self.broker.acknowledged += 1;
        match self.outbox.acknowledged(token) {
            Some(Sent::Point(resource, minute, print)) => {
                self.tracks.handed_out(&resource, minute, print);
            }
            Some(Sent::Once(number, _)) => self.pushes.hand_acknowledged(number),
            Some(Sent::Retained(Topic::Discovery(device))) => self.document_taken(now, &device),
            Some(Sent::Retained(_) | Sent::Flat) | None => {}
        }
    }

    fn lost(&mut self, now: Now, reason: String) {
        self.count_session(now, &reason);
        self.broker.connected = false;
        self.session_over(now);
        self.polls.drop_points();
        self.broker.failures += 1;
        let random = self.rng.f64();
        let wait = backoff::delay(self.broker.failures, RECONNECT_FIRST, RECONNECT_MAX, random);
        self.broker.retry_at = Some(now.mono.after(wait));
        if self.stopping.is_none() {
            let is_news = self.broker.reason.as_ref() != Some(&reason);
            let line = format!("mqtt: {reason}; trying again");
            self.log_wrong(now, BROKER, log::Level::Warn, line, is_news);
            self.broker.reason = Some(reason);
        }
    }

    /// What the broker did not acknowledge is told again, under the same id.
    fn session_over(&mut self, now: Now) {
        let under_way = self.outbox.session_over();
        self.flats.session_over();
        self.pushes.session_over(&under_way, now.mono);
        for once in under_way.into_iter().rev() {
            self.happenings.push_front(once);
        }
    }

    /// Notices that another client takes our sessions over. Only a session that held makes up
    /// for those before it.
    fn count_session(&mut self, now: Now, reason: &str) {
        let Some(began) = self.broker.began.take() else {
            self.broker.short_sessions = 0;
            return;
        };
        if now.mono.since(began) >= SHORT_SESSION {
            self.broker.held = true;
            self.broker.short_sessions = 0;
            self.broker.failures = 0;
            self.broker.reason = None;
            return;
        }
        // A message that goes out alone may have ended it; that is counted where it belongs.
        if self.broker.suspect.is_none() {
            self.broker.short_sessions += 1;
        }
        if self.broker.short_sessions < SHORT_SESSIONS_MAX {
            return;
        }
        if !self.broker.held {
            let text = format!("{SHORT_LIVED}. The last time: {reason}");
            self.refuse(now, text);
        } else if self.broker.short_sessions == SHORT_SESSIONS_MAX {
            self.log(log::Level::Warn, format!("mqtt: {SHORT_LIVED}"));
        }
    }

    fn received(&mut self, now: Now, topic: &str, payload: &[u8], retained: bool) {
        // The will of an old session of ours may land after the new one began.
        let is_status = topic == self.names.of(&Topic::Status);
        if is_status && self.stopping.is_none() && payload != ONLINE.as_bytes() {
            self.outbox.overwritten(Topic::Status);
        }
        if topic == self.names.refresh() && !retained {
            self.refresh(now);
        }
    }

    pub(super) fn broker_deadline(&self) -> Option<Mono> {
        let limit = self.settings.publishes_per_second_max;
        let throttled = self.broker.connected && limit > 0 && self.broker.allowance < 1.0;
        let room = throttled && self.has_something_to_send();
        let wait = Duration::from_secs_f64(1.0 / f64::from(limit.max(1)));
        [
            self.broker.retry_at,
            room.then(|| self.broker.allowance_at.after(wait)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn has_something_to_send(&self) -> bool {
        self.outbox.waiting() + self.flats.waiting() > 0
            || !self.happenings.is_empty()
            || self.polls.has_points()
    }

    /// Sends while there is room: first who we are; then what happened, so that a crash between
    /// the two never leaves a new state behind that nobody was told of; then what the broker
    /// shall hold; then the minutes.
    pub(super) fn pump(&mut self, now: Now) {
        if self.broker.retry_at.is_some_and(|at| at <= now.mono) && self.stopping.is_none() {
            self.broker.retry_at = None;
            self.effects.push(Effect::Connect);
        }
        self.refill_allowance(now);
        while self.broker.connected && self.outbox.has_room() && self.broker.allowance >= 1.0 {
            if self.broker.suspect.is_some() && self.outbox.unacknowledged() > 0 {
                break;
            }
            self.broker.suspect = None;
            let Some(publication) = self.next_publication(now) else {
                break;
            };
            if self.settings.publishes_per_second_max > 0 {
                self.broker.allowance -= 1.0;
            }
            self.effects.push(Effect::Publish(publication));
        }
    }

    fn refill_allowance(&mut self, now: Now) {
        let limit = f64::from(self.settings.publishes_per_second_max);
        let passed = now.mono.since(self.broker.allowance_at).as_secs_f64();
        let burst = limit.max(1.0);
        self.broker.allowance = (self.broker.allowance + passed * limit).min(burst);
        self.broker.allowance_at = now.mono;
        if limit == 0.0 {
            self.broker.allowance = 1.0;
        }
    }

    fn next_publication(&mut self, now: Now) -> Option<Publication> {
        let once_first = self.stopping.is_none() && self.outbox.front() != Some(&Topic::Status);
        let next = self.happenings.front().filter(|_| once_first);
        let suspect = next.is_some_and(|(number, _)| self.pushes.is_suspect(*number));
        if next.is_some() && !suspect {
            return self.next_once();
        }
        if self.stopping.is_none()
            && let Some(publication) = self.next_flat()
        {
            return Some(publication);
        }
        if let Some(publication) = self.next_retained(now) {
            return Some(publication);
        }
        if self.stopping.is_some() {
            return None;
        }
        // What was under way when sessions ended may have ended them: it goes out alone.
        if suspect && self.outbox.unacknowledged() == 0 {
            self.broker.suspect = self.happenings.front().map(|(number, _)| *number);
            return self.next_once();
        }
        self.next_point()
    }

    fn next_once(&mut self) -> Option<Publication> {
        let (number, once) = self.happenings.pop_front()?;
        let (topic, payload) = match &once {
            Once::Event(happening) => (
                self.names.event(happening.event_type),
                event(happening, self.started_at, number),
            ),
            Once::Message(payload) => (self.names.message(), payload.clone()),
        };
        let token = self.outbox.send(Sent::Once(number, Box::new(once)));
        Some(Publication {
            token,
            topic,
            payload,
            retain: false,
        })
    }

    fn next_retained(&mut self, now: Now) -> Option<Publication> {
        let mut outbox = std::mem::take(&mut self.outbox);
        let mut oversize = Vec::new();
        let mut made = None;
        let turn = outbox.next(|topic| {
            let payload = match topic {
                Topic::Discovery(device) => {
                    let mut document = self.document(device)?;
                    let payload = std::mem::take(&mut document.payload);
                    made = Some(document);
                    payload
                }
                topic => self.render(topic)?,
            };
            if payload.len() > PAYLOAD_BYTES_MAX {
                oversize.push((self.names.of(topic), payload.len()));
                return None;
            }
            Some(payload)
        });
        let token = turn
            .as_ref()
            .map(|turn| outbox.send(Sent::Retained(turn.topic.clone())));
        self.outbox = outbox;
        for (topic, bytes) in oversize {
            let limit = PAYLOAD_BYTES_MAX;
            let text = format!("{topic} is left out: {bytes} bytes are more than {limit}");
            self.log_happened(now, &topic, log::Level::Warn, text);
        }
        let turn = turn?;
        self.spread(&turn.topic, turn.payload.as_deref());
        if let (Topic::Discovery(device), Some(made)) = (&turn.topic, made) {
            self.document_sent(now, device, made);
        }
        Some(Publication {
            topic: self.names.of(&turn.topic),
            payload: turn.payload.unwrap_or_default(),
            retain: true,
            token: token?,
        })
    }

    fn next_point(&mut self) -> Option<Publication> {
        loop {
            let point = self.polls.batch.as_mut()?.next_point()?;
            let Some(payload) = self.render_point(&point) else {
                continue;
            };
            let topic = self.names.point(&point.resource);
            let sent = Sent::Point(point.resource, point.reading.minute, point.fingerprint);
            let token = self.outbox.send(sent);
            return Some(Publication {
                token,
                topic,
                payload,
                retain: false,
            });
        }
    }

    fn render_point(&self, point: &Point) -> Option<String> {
        let requests = point.reading.by_status;
        let window = Window {
            minutes: 1,
            requests_4xx: requests[2],
            requests_5xx: requests[3],
        };
        let owner = self.owner(&point.resource)?;
        let track = self.tracks.get(&point.resource)?;
        Some(payload::metrics(&payload::Metrics {
            resource: &point.resource,
            owner,
            level: self.settings.wish.level,
            reading: &point.reading,
            window,
            freshness: track.freshness,
            last_data: track.last_data,
        }))
    }

    /// What a resource that is still there belongs to.
    pub(super) fn owner(&self, resource: &Resource) -> Option<Owner<'_>> {
        let inventory = &self.inventory;
        Some(match resource {
            Resource::Channel(id) => {
                let channel = inventory.channel(id)?;
                Owner::Live {
                    api: channel.api,
                    channel_id: Some(&channel.id),
                }
            }
            Resource::Endpoint(id) => {
                let endpoint = inventory.endpoint(id)?;
                Owner::Live {
                    api: endpoint.api,
                    channel_id: endpoint.channel_id.as_deref(),
                }
            }
            Resource::Packaging(id) => {
                let configuration = inventory.packaging_configuration(id)?;
                Owner::Vod {
                    packaging_group_id: configuration.packaging_group_id.as_deref(),
                }
            }
        })
    }

    /// Tells what happened, when the broker is there.
    pub(super) fn tell(&mut self, happening: Happening) -> u64 {
        self.tell_once(Once::Event(happening))
    }

    /// Tells something once, when the broker is there; its number.
    pub(super) fn tell_once(&mut self, once: Once) -> u64 {
        if self.happenings.len() >= HAPPENINGS_MAX {
            // What a pushed message waits for stays: such messages have a limit of their own.
            let mut all = self.happenings.iter();
            let oldest = all.position(|(number, _)| !self.pushes.is_awaited(*number));
            oldest.and_then(|at| self.happenings.remove(at));
        }
        self.broker.told += 1;
        self.happenings.push_back((self.broker.told, once));
        self.broker.told
    }
}
