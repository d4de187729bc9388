//! The SNS listener's threads: the front that gathers requests, the workers that judge them,
//! and the one that asks SNS.
//!
//! ```text
//! http ──▶ sns-1, sns-2 ──▶ engine ──▶ answers ──▶ http
//!               └─▶ sns-aws ──▶┘
//! ```

mod tally;

use std::net::TcpListener;
use std::sync::mpsc::{Receiver as Inbox, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::poller::Poller;
use super::threads::Threads;
use crate::aws::{self, Stop};
use crate::config::{self, Config, Secret};
use crate::engine::push::{Arrived, ConfirmToken, Push};
use crate::engine::{Effect, Event};
use crate::error::Failure;
use crate::http::{Answer, Answers, Front, Limits, Request, RequestId, Tls};
use crate::log::Steady;
use crate::sns::receiver::{Judged, Parked, Parts, Receiver, Settings};
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::{DeliveryId, MessageId, Reason};

use tally::Tally;

/// Requests that wait for a worker.
const REQUESTS_MAX: usize = 64;
/// What SNS is to be asked.
const ASKS_MAX: usize = 64;
/// How often a port that cannot be opened is tried again.
const OPEN_INTERVAL: Duration = Duration::from_secs(10);
/// Names of the workers: a signature takes a fraction of a millisecond.
const WORKERS: [&str; 2] = ["sns-1", "sns-2"];

/// What the one thread that asks SNS is to do.
enum Ask {
    /// Fetch what this message is signed with, then judge it.
    Certificate(RequestId, Box<Parked>),
    /// Confirm a subscription.
    Confirm(MessageId, String, Secret),
}

/// Where the listener listens.
pub struct Place<'a> {
    sns: &'a config::Sns,
    /// The port that systemd opened; it goes before the config's.
    inherited: Option<TcpListener>,
}

impl<'a> Place<'a> {
    /// At the config's address, or at a port that was handed over.
    pub fn new(sns: &'a config::Sns, inherited: Option<TcpListener>) -> Place<'a> {
        Place { sns, inherited }
    }
}

/// A handle on the listener for the loop.
pub struct Listener {
    door: Door,
    asks: SyncSender<Ask>,
    tally: Arc<Tally>,
}

/// Where answers go: to the front that is open now.
#[derive(Clone, Default)]
struct Door(Arc<Mutex<Option<Answers>>>);

impl Door {
    fn answers(&self) -> MutexGuard<'_, Option<Answers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// 200, or why not.
    fn answer(&self, id: RequestId, refused: Option<Reason>) {
        if let Some(answers) = &*self.answers() {
            answers.send(id, answer(refused));
        }
    }
}

/// What every thread of the listener shares.
#[derive(Clone)]
struct Desk {
    receiver: Arc<Receiver>,
    door: Door,
    /// `None` for the thread that is asked: it ends when nobody is left who could ask.
    asks: Option<SyncSender<Ask>>,
    events: SyncSender<Event>,
    tally: Arc<Tally>,
    clock: Clock,
    trouble: Arc<Steady>,
}

impl Listener {
    /// Starts all of it. A port that cannot be opened is tried again and again.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        threads: &mut Threads,
        config: &Config,
        place: Place<'_>,
        poller: &Poller,
        events: &SyncSender<Event>,
        stop: &Stop,
    ) -> Result<Listener, Failure> {
        let door = Door::default();
        let (asks, asked) = sync_channel(ASKS_MAX);
        let tally = Arc::new(Tally::new(events.clone()));
        let Place { sns, inherited } = place;
        let settings = Settings::new(config, sns);
        let desk = Desk {
            receiver: Arc::new(Receiver::new(settings, poller.aws_clock.clone())),
            door: door.clone(),
            asks: Some(asks.clone()),
            events: events.clone(),
            tally: tally.clone(),
            clock: poller.clock,
            trouble: Arc::default(),
        };
        let clients = poller.clients.clone();
        let asking = Desk {
            asks: None,
            ..desk.clone()
        };
        threads.spawn("sns-aws", move || {
            if let Some(service) = &clients.sns {
                asked.into_iter().for_each(|ask| asking.ask(service, ask));
            }
        })?;
        let (requests, inbox) = sync_channel(REQUESTS_MAX);
        let inbox = Arc::new(Mutex::new(inbox));
        for name in WORKERS {
            let (working, inbox) = (desk.clone(), inbox.clone());
            threads.spawn(name, move || working.work(&inbox))?;
        }
        let (sns, stop) = (sns.clone(), stop.clone());
        threads.spawn("http", move || {
            desk.listen(&sns, inherited.as_ref(), &requests, &stop)
        })?;
        Ok(Listener { door, asks, tally })
    }

    /// Carries out what the engine decides about pushed messages.
    pub fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Answer { request, refused } => {
                self.door.answer(RequestId::from_u64(request), refused);
            }
            Effect::Confirm {
                message_id,
                topic_arn,
                token,
            } => {
                let ask = Ask::Confirm(message_id, topic_arn, Secret::new(token.0));
                if self.asks.try_send(ask).is_err() {
                    log::error!("sns: there is no room for a confirmation");
                }
            }
            _ => {}
        }
    }

    /// What has been refused and not been told yet.
    pub fn refusals(&self) -> Option<Event> {
        self.tally.take().map(Event::Refused)
    }

    /// Ends the front; what is answered already still goes out.
    pub fn stop(&self) {
        if let Some(answers) = &*self.door.answers() {
            answers.stop();
        }
    }
}

fn answer(refused: Option<Reason>) -> Answer {
    match refused {
        None => Answer::empty(200),
        Some(reason) => Answer::text(reason.status(), format!("{}\n", reason.explain())),
    }
}

/// What the front's own refusals are counted as.
fn reason_of(status: u16) -> Reason {
    match status {
        413 => Reason::TooLarge,
        503 => Reason::Busy,
        _ => Reason::Http,
    }
}

impl Desk {
    /// The front's thread: opens the port and serves it until the stop.
    fn listen(
        &self,
        sns: &config::Sns,
        inherited: Option<&TcpListener>,
        requests: &SyncSender<Request>,
        stop: &Stop,
    ) {
        let given = inherited.and_then(|port| port.local_addr().ok());
        let shown = match given {
            Some(address) => format!("{address}, which systemd opened"),
            None => sns.listen.to_string(),
        };
        while !stop.requested() {
            let told = match self.open(sns, inherited) {
                // The stop that came while it was being opened found nothing to end.
                Ok(_) if stop.requested() => return,
                Ok(front) => {
                    let _ = self.events.send(Event::Listener(Ok(())));
                    let text = format!("sns: listening on {shown}");
                    self.trouble.happened("listening", log::Level::Info, text);
                    let deliver = |request| requests.try_send(request).is_ok();
                    let refused = |status| self.tally.add(reason_of(status), None);
                    let Err(error) = front.run(deliver, refused) else {
                        return;
                    };
                    let what = format!("listening on {shown} ended: {error}");
                    Fault::new(FaultKind::Network, what, "it is tried again")
                }
                Err(fault) => fault,
            };
            let _ = self.events.send(Event::Listener(Err(told)));
            stop.wait(OPEN_INTERVAL);
        }
    }

    fn open(&self, sns: &config::Sns, inherited: Option<&TcpListener>) -> Result<Front, Fault> {
        let tls = match (&sns.tls_cert_file, &sns.tls_key_file) {
            (Some(cert_file), Some(key_file)) => {
                let unusable = |what| Fault::new(FaultKind::Network, what, "");
                Some(Tls::load(cert_file, key_file).map_err(unusable)?)
            }
            _ => None,
        };
        let bound = match inherited {
            Some(port) => port.try_clone(),
            None => TcpListener::bind(sns.listen),
        };
        let front = bound.and_then(|listener| Front::new(listener, Limits::default(), tls));
        let (front, answers) = front.map_err(|error| {
            let what = format!("cannot listen on {}: {error}", sns.listen);
            Fault::new(FaultKind::Network, what, "check [sns] listen")
        })?;
        *self.door.answers() = Some(answers);
        Ok(front)
    }

    /// A worker's thread.
    fn work(&self, inbox: &Mutex<Inbox<Request>>) {
        loop {
            let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(request) = next else {
                return;
            };
            let parts = Parts {
                method: &request.method,
                path: &request.path,
                headers: &request.headers,
                body: &request.body,
                peer: request.peer,
            };
            let judged = self.receiver.judge(parts, self.clock.now().mono);
            let id = request.id;
            // Its body has been read; there may be others who want the room.
            drop(request);
            self.settle(id, judged);
        }
    }

    /// The thread that asks SNS: one after the other.
    fn ask(&self, service: &aws::Service, ask: Ask) {
        match ask {
            Ask::Certificate(id, parked) => {
                let now = || self.clock.now().mono;
                let judged = match self.receiver.resume(*parked, now()) {
                    Judged::Fetch(parked) => {
                        let fetched = aws::sns::certificate(service, parked.path());
                        self.note_fetch(fetched.as_ref().err());
                        self.receiver.with_certificate(parked, fetched, now())
                    }
                    judged => judged,
                };
                self.settle(id, judged);
            }
            Ask::Confirm(message_id, topic_arn, token) => {
                let confirmed = aws::sns::confirm_subscription(service, &topic_arn, &token);
                if let Ok(confirmed) = &confirmed
                    && let Some(why) = &confirmed.unsigned_because
                {
                    log::info!("sns: {topic_arn} was confirmed unsigned: {why}");
                }
                let result = confirmed.map(|confirmed| confirmed.subscription_arn);
                self.tell(Event::Confirmed {
                    message_id,
                    topic_arn,
                    result,
                });
            }
        }
    }

    fn note_fetch(&self, fault: Option<&Fault>) {
        const WHAT: &str = "sns: certificates";
        match fault {
            None => self.trouble.right(WHAT, "sns: certificates come again"),
            Some(fault) => {
                let text = format!("sns: no certificate: {fault}");
                self.trouble.wrong(WHAT, log::Level::Warn, text, false);
            }
        }
    }

    /// Carries out what was decided about a request.
    fn settle(&self, id: RequestId, judged: Judged) {
        let delivery = DeliveryId::Request(id.to_u64());
        let push = match judged {
            Judged::Fetch(parked) => {
                let ask = Ask::Certificate(id, Box::new(parked));
                let sent = match &self.asks {
                    Some(asks) => asks.try_send(ask),
                    None => Err(TrySendError::Full(ask)),
                };
                if let Err(TrySendError::Full(Ask::Certificate(id, parked))) = sent {
                    self.settle(id, parked.refuse(Reason::NoCertificate));
                }
                return;
            }
            Judged::Refused(refusal) => {
                self.door.answer(id, Some(refusal.reason));
                self.tally.add(refusal.reason, refusal.topic_arn);
                return;
            }
            Judged::Accepted {
                message,
                subscription_arn,
            } => Push::Notice(Box::new(Arrived {
                delivery,
                notice: message.notice(),
                record: message.encode().into(),
                subscription_arn,
            })),
            Judged::Confirm {
                message_id,
                topic_arn,
                token,
            } => Push::Confirm {
                delivery,
                message_id,
                topic_arn,
                token: ConfirmToken(token.expose().to_owned()),
            },
            Judged::Unsubscribed {
                message_id,
                topic_arn,
            } => Push::Ended {
                delivery,
                message_id,
                topic_arn,
            },
        };
        self.tell(Event::Push(push));
    }

    fn tell(&self, event: Event) {
        // When the engine is gone, the front answers what is left with 503.
        let _ = self.events.send(event);
    }
}
