//! An hour of everything that can go wrong with pushed messages at once, to the listener, by the
//! queue, or both ways: AWS that comes again, a queue in trouble,
//! a broker that is slow, away or ended by a message, a disk that is full, slow or cannot be
//! read, and crashes. What was answered 200 is published, and once where nothing was cut off.
//!
//! `SEED=n cargo test push_random` repeats the run that a failure names.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::push::{TOPIC, notice, push_notice};
use super::queue::QUEUE;
use super::rig::settings;
use super::*;
use crate::engine::Settings;
use crate::state::alarms::Via;
use crate::state::fault::{Fault, FaultKind};
use crate::state::polled::AlarmKind;
use crate::state::push::{Meaning, Notice, PushedAlarm};

const TIME: Duration = Duration::from_secs(3600);
/// Longest time between two looks at what was answered.
const STEP_MS_MAX: u64 = 700;
/// AWS gets its answer within this.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// After a refusal AWS comes again.
const RETRY: Duration = Duration::from_secs(20);
/// AWS may deliver once more what was answered 200.
const REPEAT_SECONDS_MAX: u64 = 600;
/// Alarms that messages tell of.
const ALARMS: u64 = 5;

/// One message as AWS sees it.
struct Sent {
    notice: Notice,
    due: Option<Duration>,
    answered: bool,
}

/// AWS, and what it and everybody else have seen.
struct World {
    rig: Rig,
    rng: Rng,
    seed: u64,
    sent: Vec<Sent>,
    deliveries: u64,
    /// Message and time of each that is not answered.
    open: BTreeMap<u64, (usize, Duration)>,
    /// When a session or the process ended.
    cuts: Vec<Duration>,
    poisons: BTreeSet<usize>,
    /// Came while the broker was away: they go through the spool.
    spooled: BTreeSet<usize>,
    /// Came while there was a session: they may have gone out at once.
    in_hand: BTreeSet<usize>,
}

fn settings_of(seed: u64) -> Settings {
    Settings {
        topic_arns: vec![TOPIC.into()],
        listens: true,
        queue_url: Some(QUEUE.into()),
        // A third of the runs at a limited rate.
        publishes_per_second_max: if seed.is_multiple_of(3) { 20 } else { 0 },
        seed,
        ..settings()
    }
}

fn alarm_told(n: usize, rig: &Rig) -> Meaning {
    let state = ["OK", "ALARM"][n / ALARMS as usize % 2];
    Meaning::Alarm(Box::new(PushedAlarm {
        name: format!("f{}", n as u64 % ALARMS).into(),
        arn: "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:f".into(),
        account_id: Some("123456789012".into()),
        region: Some("eu-central-1".into()),
        kind: AlarmKind::Metric,
        state: state.into(),
        previous_state: None,
        reason: None,
        description: None,
        changed_at: rig.aws_now().plus_ms(n as i64),
        namespace: None,
        metric: None,
        dimensions: Vec::new(),
        threshold: None,
        comparison: None,
    }))
}

impl World {
    fn new(seed: u64) -> World {
        let mut rig = Rig::new(settings_of(seed), live(&["a"]));
        rig.to(10);
        World {
            rig,
            rng: Rng::with_seed(seed),
            seed,
            sent: Vec::new(),
            deliveries: 0,
            open: BTreeMap::new(),
            cuts: Vec::new(),
            poisons: BTreeSet::new(),
            spooled: BTreeSet::new(),
            in_hand: BTreeSet::new(),
        }
    }

    fn time(&self) -> Duration {
        self.rig.now().mono.0
    }

    /// Somebody publishes to the topic.
    fn publish(&mut self) {
        let n = self.sent.len();
        let mut notice = notice(n as u64);
        notice.received_at = self.rig.aws_now();
        if self.rng.bool() {
            notice.meaning = alarm_told(n, &self.rig);
        }
        // To the listener, by the queue, or both.
        let way = self.rng.u8(..3);
        if way != 0 {
            self.in_hand.insert(n);
            self.rig.mail(Ok(Notice {
                via: Via::Sqs,
                ..notice.clone()
            }));
        }
        self.sent.push(Sent {
            notice,
            due: (way != 1).then(|| self.time()),
            answered: way == 1,
        });
    }

    /// AWS delivers what is due.
    fn deliver(&mut self) {
        let now = self.time();
        for n in 0..self.sent.len() {
            if self.sent[n].due.is_none_or(|due| due > now) {
                continue;
            }
            self.sent[n].due = None;
            let notice = self.sent[n].notice.clone();
            // Two deliveries of one message may cross.
            for _ in 0..1 + usize::from(self.rng.u8(..20) == 0) {
                self.deliveries += 1;
                self.open.insert(self.deliveries, (n, now));
                let has_session = self.rig.engine.broker.connected;
                // Also a repeat may go out at once, where a crash came between.
                if has_session {
                    self.in_hand.insert(n);
                } else if !self.sent[n].answered {
                    self.spooled.insert(n);
                }
                push_notice(&mut self.rig, self.deliveries, notice.clone());
            }
        }
    }

    /// AWS takes its answers.
    fn settle(&mut self) {
        let now = self.time();
        for (delivery, refused) in std::mem::take(&mut self.rig.answers) {
            let open = self.open.remove(&delivery);
            let (n, _) = open.expect("a delivery is answered once");
            let sent = &mut self.sent[n];
            match refused {
                Some(_) if sent.answered => {}
                Some(_) => sent.due = Some(now + RETRY),
                None => {
                    sent.answered = true;
                    let again = Duration::from_secs(self.rng.u64(..REPEAT_SECONDS_MAX));
                    sent.due = (self.rng.u8(..10) == 0).then_some(now + again);
                }
            }
        }
        for (delivery, (n, at)) in &self.open {
            let waits = now - *at;
            let seed = self.seed;
            assert!(
                waits <= ANSWER_MAX,
                "seed {seed}: delivery {delivery} of message {n} waits for {waits:?}"
            );
        }
    }

    fn cut(&mut self) {
        let now = self.time();
        self.cuts.push(now);
    }

    fn crash(&mut self) {
        // What was answered before went out; AWS knows nothing of the rest.
        self.settle();
        for (n, _) in std::mem::take(&mut self.open).into_values() {
            if !self.sent[n].answered {
                self.sent[n].due = Some(self.time() + RETRY);
            }
        }
        self.cut();
        let taken = self.rng.usize(..8);
        // Now and then the disk is slow to begin.
        let open_ms = self.rng.u64(..20_000) * u64::from(self.rng.u8(..4) == 0);
        let open_time = Duration::from_millis(open_ms);
        self.rig.crash(settings_of(self.seed), taken, open_time);
    }

    fn disturb(&mut self) {
        let rng = &mut self.rng;
        match rng.u8(..19) {
            0 => {
                self.rig.broker.up = rng.bool();
                self.cut();
                self.rig.lose_broker();
            }
            1 => {
                self.cut();
                self.rig.lose_acknowledgements();
            }
            2 => self.rig.broker.gap = Duration::from_millis(rng.u64(0..900)),
            3 => self.rig.broker.delay = Duration::from_millis(rng.u64(0..4000)),
            4 => self.rig.spool.full = rng.bool(),
            5 => self.rig.spool.delay = Duration::from_millis(rng.u64(1..50)),
            6 => self.rig.spool.unreadable = rng.bool(),
            7 | 8 => self.crash(),
            9 if rng.u8(..3) == 0 && !self.sent.is_empty() => {
                let n = rng.usize(..self.sent.len());
                self.poisons.insert(n);
                self.rig.broker.poison = Some(format!(r#"{{"n":{n}}}"#));
            }
            10 => {
                let job = rng.choice(["look", "receive", "delete", "hide"]);
                let fault = Fault::new(FaultKind::Server, "as planned", "");
                self.rig.mail.faults.extend(job.map(|job| (job, fault)));
            }
            11 => self.rig.mail.lazy = rng.u32(..20),
            12 => self.rig.mail.delay = Duration::from_millis(rng.u64(1..3000)),
            13..17 => self.calm(),
            _ => {}
        }
    }

    fn calm(&mut self) {
        self.rig.broker.up = true;
        self.rig.broker.gap = Duration::ZERO;
        self.rig.broker.delay = Duration::from_millis(5);
        self.rig.broker.poison = None;
        self.rig.spool.full = false;
        self.rig.spool.unreadable = false;
        self.rig.spool.delay = Duration::from_millis(20);
        self.rig.mail.faults.clear();
        self.rig.mail.delay = Duration::from_millis(30);
    }

    fn step(&mut self) {
        let step = Duration::from_millis(self.rng.u64(1..STEP_MS_MAX));
        self.rig.run_for(step);
        self.settle();
    }

    fn run(&mut self) {
        while self.time() < TIME {
            if self.rng.u8(..4) == 0 {
                let burst = match self.rng.u8(..40) {
                    0 => 25,
                    _ => 1,
                };
                (0..burst).for_each(|_| self.publish());
            }
            self.deliver();
            if self.rng.u8(..40) == 0 {
                self.disturb();
            }
            if self.rig.broker.poison.is_some() {
                // It may end any session.
                self.cut();
            }
            self.step();
            assert!(self.rig.engine.outbox.unacknowledged() <= 64);
            assert!(self.rig.engine.happenings.len() <= 1000);
        }
        self.calm();
        let end = self.time() + Duration::from_secs(1200);
        while self.time() < end {
            self.deliver();
            self.step();
        }
    }

    /// When each message was published, in order.
    fn published(&self) -> BTreeMap<usize, Vec<Duration>> {
        let mut all: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
        let log = self.rig.broker.log.iter();
        for message in log.filter(|m| m.topic == "mp/x/sns/message") {
            let json: serde_json::Value = serde_json::from_str(&message.payload).unwrap();
            let n = json["message"]["n"].as_u64().unwrap() as usize;
            all.entry(n).or_default().push(message.at);
        }
        all
    }

    fn place_of(&self, at: usize) -> usize {
        let id = self.rig.spool.notices[at].message_id;
        let place = self.sent.iter().position(|s| s.notice.message_id == id);
        place.expect("a message of ours")
    }

    fn check(&self) {
        let seed = self.seed;
        let published = self.published();
        let aside = self.rig.spool.aside.iter().map(|seq| {
            let kept = self.rig.spool.kept.iter().rev().find(|(s, _)| s == seq);
            self.place_of(kept.expect("it was kept").1)
        });
        let aside: BTreeSet<usize> = aside.collect();
        for (n, sent) in self.sent.iter().enumerate() {
            assert!(sent.answered, "seed {seed}: message {n} is not answered");
            let is_told = published.contains_key(&n) || aside.contains(&n);
            assert!(is_told, "seed {seed}: message {n} is lost");
        }
        for (n, times) in &published {
            for pair in times.windows(2) {
                let cut = self.cuts.iter().any(|cut| {
                    let earliest = pair[0].saturating_sub(Duration::from_secs(5));
                    (earliest..=pair[1]).contains(cut)
                });
                assert!(cut, "seed {seed}: message {n} was published at {pair:?}");
            }
        }
        assert!(self.rig.spool.records.is_empty(), "seed {seed}: spool");
        assert!(self.rig.mail.items.is_empty(), "seed {seed}: queue");
        self.check_order(&published);
        self.check_picture(&published);
        let events = 4 * self.deliveries + 3 * self.time().as_secs();
        let ticks = self.rig.ticks;
        assert!(ticks < events, "seed {seed}: {ticks} wakings");
    }

    /// What came while the broker was away is published in the order of the spool.
    fn check_order(&self, published: &BTreeMap<usize, Vec<Duration>>) {
        let seed = self.seed;
        let mut last = (0, Duration::ZERO);
        let mut seen = BTreeSet::new();
        for (_, at) in &self.rig.spool.kept {
            let n = self.place_of(*at);
            let first = published.get(&n).map(|times| times[0]);
            let (Some(first), true) = (first, self.spooled.contains(&n) && seen.insert(n)) else {
                continue;
            };
            let before = last.1;
            // One that came with a session as well may have gone out before it was spooled.
            if !self.poisons.contains(&n) && !self.in_hand.contains(&n) {
                assert!(
                    first >= before,
                    "seed {seed}: message {n} overtook {}: {first:?} before {before:?}",
                    last.0
                );
                last = (n, first);
            }
        }
    }

    fn check_picture(&self, published: &BTreeMap<usize, Vec<Duration>>) {
        let seed = self.seed;
        let mut held = self.rig.broker.retained.clone();
        let mut wanted = self.rig.engine.retained();
        held.remove("mp/x/agent/stats");
        wanted.remove("mp/x/agent/stats");
        assert_eq!(held, wanted, "seed {seed}");
        for alarm in 0..ALARMS {
            let told = published
                .keys()
                .rev()
                .find_map(|n| match &self.sent[*n].notice.meaning {
                    Meaning::Alarm(told) if *told.name == *format!("f{alarm}") => Some(told),
                    _ => None,
                });
            let shown = self.rig.json(&format!("alarm/f{alarm}"));
            let state = told.map_or(serde_json::Value::Null, |t| t.state.clone().into());
            assert_eq!(shown["state"], state, "seed {seed}: alarm f{alarm}");
        }
    }
}

#[test]
fn whatever_happens_what_was_answered_is_published() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(1..5, |seed| seed..seed + 1);
    for seed in seeds {
        eprintln!("seed {seed}");
        let mut world = World::new(seed);
        world.run();
        world.check();
    }
}
