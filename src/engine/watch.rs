//! Whether everybody who works for the engine still moves: what systemd's watchdog is fed by.
//!
//! A worker hangs when it owes an answer and nothing of it has moved for [`HUNG_AFTER`]. A
//! poller moves with every request that it sends, so that a long listing with many retries is
//! none that hangs: a request takes at most 30 s, a wait between two at most 25 s, credentials
//! from a program 60 s, and a long poll of the queue 20 s.

use std::time::Duration;

use super::queueing::QueueJob;
use super::spooling::{SpoolEvent, SpoolRequest};
use super::{BrokerEvent, Effect, Event, Job, Outcome};
use crate::state::time::Mono;

/// After this long without a move a worker that owes an answer counts as hung: a few times what
/// the slowest step may take, slow name servers included.
pub const HUNG_AFTER: Duration = Duration::from_secs(300);

/// Who works for the engine, and owes it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// `poll-mp`.
    Media,
    /// `poll-metrics`.
    Metrics,
    /// `poll-alarms`.
    Alarms,
    /// `sqs`.
    Queue,
    /// `mqtt`, until a session has begun or failed.
    Broker,
    /// `mqtt-read`.
    Store,
    /// `spool`.
    Spool,
}

impl Worker {
    const ALL: [Worker; 7] = [
        Worker::Media,
        Worker::Metrics,
        Worker::Alarms,
        Worker::Queue,
        Worker::Broker,
        Worker::Store,
        Worker::Spool,
    ];

    /// The name of its thread.
    pub fn as_str(self) -> &'static str {
        match self {
            Worker::Media => "poll-mp",
            Worker::Metrics => "poll-metrics",
            Worker::Alarms => "poll-alarms",
            Worker::Queue => "sqs",
            Worker::Broker => "mqtt",
            Worker::Store => "mqtt-read",
            Worker::Spool => "spool",
        }
    }

    /// Who carries out this job.
    pub fn of_job(job: &Job) -> Worker {
        match job {
            Job::Inventory | Job::ListV2(_) | Job::Details(_) | Job::Harvest(..) | Job::Vod => {
                Worker::Media
            }
            Job::Series(_) | Job::Metrics(_) => Worker::Metrics,
            Job::Alarms => Worker::Alarms,
            Job::Queue(QueueJob::Receive { .. } | QueueJob::Delete(_) | QueueJob::Hide(_)) => {
                Worker::Queue
            }
        }
    }

    fn of_outcome(outcome: &Outcome) -> Worker {
        match outcome {
            Outcome::Inventory(_)
            | Outcome::ListV2(_)
            | Outcome::Details(_)
            | Outcome::Harvest(..)
            | Outcome::Vod(_) => Worker::Media,
            Outcome::Series(_) | Outcome::Metrics(..) => Worker::Metrics,
            Outcome::Alarms(_) => Worker::Alarms,
            Outcome::Queue(_) => Worker::Queue,
        }
    }
}

/// Requests that each poller has sent so far: media, metrics, alarms, queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress(pub [u64; 4]);

impl Progress {
    fn of(self, worker: Worker) -> u64 {
        self.0.get(worker as usize).copied().unwrap_or_default()
    }
}

/// Somebody who hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hung {
    /// Who.
    pub worker: Worker,
    /// Without a move for so long.
    pub time: Duration,
}

/// What each worker owes.
#[derive(Clone, Debug, Default)]
pub struct Watch([Debt; Worker::ALL.len()]);

#[derive(Clone, Copy, Debug, Default)]
struct Debt {
    answers: usize,
    /// When it last moved.
    moved: Mono,
    /// What it had sent then.
    sent: u64,
}

impl Watch {
    /// The engine asks for something.
    pub fn handed(&mut self, now: Mono, effect: &Effect) {
        let worker = match effect {
            Effect::Poll(job) => Worker::of_job(job),
            Effect::Connect => Worker::Broker,
            Effect::ReadStore(_) => Worker::Store,
            Effect::Spool(SpoolRequest::Append { .. } | SpoolRequest::Read { .. }) => Worker::Spool,
            _ => return,
        };
        let debt = &mut self.0[worker as usize];
        if debt.answers == 0 {
            debt.moved = now;
        }
        debt.answers += 1;
    }

    /// Something happened, perhaps what was asked for.
    pub fn heard(&mut self, now: Mono, event: &Event) {
        // All but the spool have one thing to do at a time.
        const ALL: usize = usize::MAX;
        let (worker, answers) = match event {
            Event::Polled(polled) => (Worker::of_outcome(&polled.outcome), ALL),
            Event::Broker(BrokerEvent::Connected | BrokerEvent::Lost(_)) => (Worker::Broker, ALL),
            Event::Store(_) => (Worker::Store, ALL),
            Event::Spool(SpoolEvent::Stored { seqs, .. }) => (Worker::Spool, seqs.len()),
            Event::Spool(SpoolEvent::Read(_)) => (Worker::Spool, 1),
            Event::Spool(SpoolEvent::Opened(_)) => (Worker::Spool, 0),
            _ => return,
        };
        let debt = &mut self.0[worker as usize];
        debt.answers = debt.answers.saturating_sub(answers);
        debt.moved = now;
    }

    /// Who hangs, and has done so for the longest.
    pub fn look(&mut self, now: Mono, progress: Progress) -> Option<Hung> {
        let mut hung: Option<Hung> = None;
        for worker in Worker::ALL {
            let debt = &mut self.0[worker as usize];
            let sent = progress.of(worker);
            if sent != debt.sent {
                (debt.sent, debt.moved) = (sent, now);
            }
            let time = now.since(debt.moved);
            let is_worst = hung.is_none_or(|hung| time > hung.time);
            if debt.answers > 0 && time >= HUNG_AFTER && is_worst {
                hung = Some(Hung { worker, time });
            }
        }
        hung
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Polled;
    use crate::engine::StoreRequest;
    use crate::engine::queueing::QueueEnd;
    use crate::state::fault::{Fault, FaultKind};
    use crate::state::wish::MetricsLevel;

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    fn polled(outcome: Outcome) -> Event {
        Event::Polled(Polled {
            outcome,
            began: Mono::default(),
            took: Duration::ZERO,
            requests: 1,
            clock_offset_ms: None,
        })
    }

    fn fault() -> Fault {
        Fault::new(FaultKind::Network, "no", "")
    }

    fn append(seq: u64) -> Effect {
        let record = [].into();
        Effect::Spool(SpoolRequest::Append { seq, record })
    }

    fn stored(seqs: &[u64]) -> Event {
        Event::Spool(SpoolEvent::Stored {
            seqs: seqs.to_vec(),
            result: Ok(()),
        })
    }

    /// What is asked for, what answers it, and whose it is.
    fn pairs() -> Vec<(Effect, Event, Worker)> {
        let read = SpoolRequest::Read { from: 0 };
        let wait = Duration::from_secs(20);
        let receive = QueueJob::Receive { count: 10, wait };
        vec![
            (
                Effect::Poll(Job::Inventory),
                polled(Outcome::Inventory(Err(fault()))),
                Worker::Media,
            ),
            (
                Effect::Poll(Job::Details(Vec::new())),
                polled(Outcome::Details(Vec::new())),
                Worker::Media,
            ),
            (
                Effect::Poll(Job::Series(MetricsLevel::Full)),
                polled(Outcome::Series(Err(fault()))),
                Worker::Metrics,
            ),
            (
                Effect::Poll(Job::Alarms),
                polled(Outcome::Alarms(Err(fault()))),
                Worker::Alarms,
            ),
            (
                Effect::Poll(Job::Queue(receive)),
                polled(Outcome::Queue(QueueEnd::Received(Err(fault())))),
                Worker::Queue,
            ),
            (
                Effect::Connect,
                Event::Broker(BrokerEvent::Connected),
                Worker::Broker,
            ),
            (
                Effect::Connect,
                Event::Broker(BrokerEvent::Lost(String::new())),
                Worker::Broker,
            ),
            (
                Effect::ReadStore(StoreRequest::default()),
                Event::Store(Err(String::new())),
                Worker::Store,
            ),
            (
                Effect::Spool(read),
                Event::Spool(SpoolEvent::Read(Vec::new())),
                Worker::Spool,
            ),
            (append(1), stored(&[1]), Worker::Spool),
        ]
    }

    #[test]
    fn who_owes_an_answer_and_does_not_move_hangs_until_it_answers() {
        let limit = HUNG_AFTER.as_secs();
        for (asked, answer, worker) in pairs() {
            let mut watch = Watch::default();
            let look = |watch: &mut Watch, seconds| {
                let hung = watch.look(at(seconds), Progress::default());
                hung.map(|hung| (hung.worker, hung.time.as_secs()))
            };
            assert_eq!(
                look(&mut watch, 10 * limit),
                None,
                "{worker:?} owes nothing"
            );
            watch.handed(at(10 * limit), &asked);
            assert_eq!(look(&mut watch, 11 * limit - 1), None, "{worker:?}");
            let hung = Some((worker, limit + 5));
            assert_eq!(look(&mut watch, 11 * limit + 5), hung, "{worker:?}");
            watch.heard(at(11 * limit + 6), &answer);
            assert_eq!(look(&mut watch, 20 * limit), None, "{worker:?}");
        }
    }

    #[test]
    fn a_poller_moves_with_every_request_and_only_its_own() {
        for (asked, _, worker) in pairs() {
            let mut watch = Watch::default();
            watch.handed(at(0), &asked);
            // Somebody sends a request each minute, for two hours.
            for mover in 0..4 {
                let mut watch = watch.clone();
                let mut hung = None;
                for minute in 0..120 {
                    let mut progress = Progress::default();
                    progress.0[mover] = minute;
                    hung = watch.look(at(minute * 60), progress).map(|h| h.worker);
                }
                let moves = mover == worker as usize;
                assert_eq!(hung, (!moves).then_some(worker), "{worker:?} {mover}");
            }
        }
    }

    #[test]
    fn the_spool_owes_an_answer_for_each_record() {
        let mut watch = Watch::default();
        (1..=3).for_each(|seq| watch.handed(at(0), &append(seq)));
        watch.heard(at(200), &stored(&[1, 2]));
        let mut look = |seconds| watch.look(at(seconds), Progress::default());
        assert_eq!(look(450), None);
        let time = HUNG_AFTER;
        let worker = Worker::Spool;
        assert_eq!(look(500), Some(Hung { worker, time }));
    }

    #[test]
    fn the_one_that_hangs_longest_is_named() {
        let mut watch = Watch::default();
        watch.handed(at(0), &Effect::Connect);
        watch.handed(at(9), &Effect::Poll(Job::Alarms));
        let hung = watch.look(at(1000), Progress::default()).unwrap();
        assert_eq!(hung.worker, Worker::Broker);
    }
}
