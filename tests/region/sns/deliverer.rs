//! Brings messages to their endpoints as SNS does: again after a 5xx, a time-out or no
//! connection, never again after a 4xx, several at a time and in no order.
//!
//! Source: SNS developer guide, "Amazon SNS message delivery retries".

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::post::Connection;
use super::signing::SignedMessage;

/// Deliveries that may wait. Whoever delivers waits for room.
const WAITING_MAX: usize = 16_384;
/// Deliveries whose end is remembered; the counts go on.
const ENDS_MAX: usize = 1 << 20;

/// How patient SNS is.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How long an endpoint may take for its answer.
    pub timeout: Duration,
    /// The pause before each retry: as many retries as there are pauses.
    pub pauses: Vec<Duration>,
    /// PEM of the authority that `https` endpoints are held against.
    pub root: Option<String>,
}

impl Default for Policy {
    /// AWS's: 15 seconds, and three retries 20 seconds apart.
    fn default() -> Policy {
        Policy {
            timeout: Duration::from_secs(15),
            pauses: vec![Duration::from_secs(20); 3],
            root: None,
        }
    }
}

impl Policy {
    /// Retries so often, so soon after each other.
    pub fn retrying(times: usize, pause: Duration) -> Policy {
        Policy {
            pauses: vec![pause; times],
            ..Policy::default()
        }
    }
}

/// A message on its way to one endpoint.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// URL.
    pub endpoint: String,
    /// What is posted.
    pub message: SignedMessage,
    /// How patiently.
    pub policy: Arc<Policy>,
}

/// A message that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub message_id: String,
    /// Where it was to go.
    pub endpoint: String,
    /// The last thing that was heard: a status, or an error in words.
    pub last: String,
}

/// What became of all deliveries so far.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How often each message id was answered with 2xx.
    pub delivered: BTreeMap<String, usize>,
    /// Answered with 4xx (or 3xx): SNS does not come again.
    pub dropped: Vec<DeadLetter>,
    /// Not taken at the last retry either.
    pub given_up: Vec<DeadLetter>,
    /// Requests, also those that failed.
    pub attempts: usize,
}

/// The threads that deliver. They stop when it is dropped, in the middle of whatever they do.
pub struct Deliverer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Waiting>,
    /// By the time at which they are due.
    later: BTreeMap<(Instant, u64), Waiting>,
    number: u64,
    in_flight: usize,
    stopping: bool,
    outcome: Outcome,
    /// The socket that each thread uses.
    sockets: BTreeMap<usize, TcpStream>,
}

struct Waiting {
    delivery: Delivery,
    failures: usize,
}

impl Deliverer {
    /// Delivers up to this many messages at a time.
    pub fn start(threads: usize) -> Deliverer {
        let shared = Arc::new(Shared::default());
        let start = |number: usize| {
            let shared = Arc::clone(&shared);
            let thread = Builder::new().name(format!("region-sns-{number}"));
            thread.spawn(move || shared.work(number)).expect("a thread")
        };
        let threads = (0..threads).map(start).collect();
        Deliverer { shared, threads }
    }

    /// Takes a message over.
    pub fn deliver(&self, delivery: Delivery) {
        let mut state = self.shared.lock();
        while state.ready.len() + state.later.len() >= WAITING_MAX {
            state = self.shared.wait(state, None);
        }
        state.ready.push_back(Waiting {
            delivery,
            failures: 0,
        });
        self.shared.changed.notify_all();
    }

    /// What became of the deliveries so far.
    pub fn outcome(&self) -> Outcome {
        self.shared.lock().outcome.clone()
    }

    /// Waits until nothing is under way; what became of all of them.
    ///
    /// # Panics
    ///
    /// When that takes longer than `limit`.
    pub fn finish(&self, limit: Duration) -> Outcome {
        self.wait_until(limit, |state| state.is_idle())
    }

    /// Waits until `count` deliveries (not ids) were answered with 2xx.
    ///
    /// # Panics
    ///
    /// When that takes longer than `limit`.
    pub fn delivered(&self, count: usize, limit: Duration) -> Outcome {
        self.wait_until(limit, |state| {
            state.outcome.delivered.values().sum::<usize>() >= count
        })
    }

    fn wait_until(&self, limit: Duration, done: impl Fn(&State) -> bool) -> Outcome {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "still not delivered after {limit:?}: {:?}",
                state.outcome
            );
            state = self.shared.wait(state, Some(left));
        }
        state.outcome.clone()
    }
}

impl Drop for Deliverer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        for socket in state.sockets.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.later.is_empty() && self.in_flight == 0
    }

    /// What is to be sent now, or how long until then.
    fn next(&mut self, now: Instant) -> Result<Waiting, Option<Duration>> {
        if let Some((&(due, number), _)) = self.later.first_key_value() {
            if due <= now {
                return Ok(self.later.remove(&(due, number)).expect("the first"));
            }
            let wait = Some(due - now);
            return self.ready.pop_front().ok_or(wait);
        }
        self.ready.pop_front().ok_or(None)
    }

    fn ended(&mut self, mut waiting: Waiting, answer: io::Result<u16>) {
        self.outcome.attempts += 1;
        let id = waiting.delivery.message.message_id.clone();
        let last = match &answer {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let letter = DeadLetter {
            message_id: id,
            endpoint: waiting.delivery.endpoint.clone(),
            last,
        };
        let pause = waiting
            .delivery
            .policy
            .pauses
            .get(waiting.failures)
            .copied();
        match answer {
            Ok(200..=299) => {
                if self.outcome.delivered.len() < ENDS_MAX {
                    *self.outcome.delivered.entry(letter.message_id).or_default() += 1;
                }
            }
            Ok(300..=499) => remember(&mut self.outcome.dropped, letter),
            _ => match pause {
                Some(pause) => {
                    waiting.failures += 1;
                    self.number += 1;
                    self.later
                        .insert((Instant::now() + pause, self.number), waiting);
                }
                None => remember(&mut self.outcome.given_up, letter),
            },
        }
    }
}

fn remember(letters: &mut Vec<DeadLetter>, letter: DeadLetter) {
    if letters.len() < ENDS_MAX {
        letters.push(letter);
    }
}

impl Shared {
    fn work(&self, number: usize) {
        let mut kept: Option<(String, Connection)> = None;
        let mut state = self.lock();
        while !state.stopping {
            match state.next(Instant::now()) {
                Err(wait) => state = self.wait(state, wait),
                Ok(waiting) => {
                    state.in_flight += 1;
                    drop(state);
                    let answer = self.send(number, &waiting.delivery, &mut kept);
                    state = self.lock();
                    state.in_flight -= 1;
                    if kept.is_none() {
                        // The last copy of a socket keeps the connection open.
                        state.sockets.remove(&number);
                    }
                    state.ended(waiting, answer);
                    self.changed.notify_all();
                }
            }
        }
        state.sockets.remove(&number);
    }

    /// Posts over the connection that was kept, or over a new one when that has ended.
    fn send(
        &self,
        number: usize,
        delivery: &Delivery,
        kept: &mut Option<(String, Connection)>,
    ) -> io::Result<u16> {
        let deadline = Instant::now() + delivery.policy.timeout;
        let usable = kept
            .take()
            .filter(|(endpoint, _)| *endpoint == delivery.endpoint);
        let answered = usable.and_then(|(_, mut connection)| {
            let answer = connection.exchange(&delivery.message, deadline).ok()?;
            Some((connection, answer))
        });
        let (connection, (status, _)) = match answered {
            Some(answered) => answered,
            None => {
                let root = delivery.policy.root.as_deref();
                let mut connection = Connection::open(&delivery.endpoint, root, deadline)?;
                self.register(number, &connection)?;
                let answer = connection.exchange(&delivery.message, deadline)?;
                (connection, answer)
            }
        };
        if connection.kept {
            *kept = Some((delivery.endpoint.clone(), connection));
        }
        Ok(status)
    }

    /// So that the connection can be ended when the deliverer stops.
    fn register(&self, number: usize, connection: &Connection) -> io::Result<()> {
        let socket = connection.socket()?;
        let mut state = self.lock();
        if state.stopping {
            return Err(io::ErrorKind::Interrupted.into());
        }
        state.sockets.insert(number, socket);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match limit {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let waited = self.changed.wait_timeout(state, limit);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}
