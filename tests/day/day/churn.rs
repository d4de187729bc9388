//! What goes on in a day: the region changes, and something is always broken.

use std::time::Duration;

use fastrand::Rng;
use pure::sns::accepted::Accepted;
use pure::state::alarms::Via;
use pure::state::push::MessageId;
use serde_json::json;

use super::aws::{How, Trouble};
use super::broker::Comeback;
use super::plan;
use super::post::{Sent, TOPIC};
use super::sim::Day;
use crate::region::Fault;
use crate::region::sns::{alarms, events};
use crate::region::world::{INGEST_PASSWORD, SPEKE_ROLE, World};

/// Alarms that change.
const ALARMS: usize = 4;
/// No alarm is evaluated more often (CloudWatch user guide, "high-resolution alarms").
const ALARM_PACE_MS: i64 = 11_000;
/// Twenty years: a clock that has not been set.
const UNSET_MS: i64 = -20 * 365 * 86_400_000;
const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];
/// What fails: the whole of AWS, one service, one operation.
const OPERATIONS: [&str; 12] = [
    "",
    "monitoring:",
    "monitoring:DescribeAlarms",
    "monitoring:GetMetricData",
    "monitoring:ListMetrics",
    "mediapackage:",
    "mediapackage:ListChannels",
    "mediapackage:ListOriginEndpoints",
    "mediapackage:ListHarvestJobs",
    "mediapackagev2:",
    "mediapackagev2:ListChannels",
    "mediapackage-vod:",
];

fn how(rng: &mut Rng) -> How {
    let error = |status, code| {
        let message = "as planned";
        How::Planned(Fault::Error {
            status,
            code,
            message,
        })
    };
    match rng.u8(..8) {
        0 => How::Away,
        1 => How::Cut,
        2 => How::Planned(Fault::Throttle {
            retry_after_ms: None,
        }),
        3 => How::Planned(Fault::html(502)),
        4 => How::Planned(Fault::WrongTypes),
        5 => How::Planned(Fault::LoopingToken),
        6 => How::Short,
        _ => error(500, "InternalServerError"),
    }
}

fn minutes(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_secs(rng.u64(range.start * 60..range.end * 60))
}

impl Day {
    /// Something happens, bad or not.
    pub fn disturb(&mut self) {
        match self.rng.u8(..32) {
            0..=4 => self.disturb_aws(),
            5..=9 => self.disturb_broker(),
            10 | 11 => self.disturb_agent(),
            12 => self.disturb_disk(),
            13..=15 => self.change_channels(),
            16 => self.change_v2(),
            17 => self.change_jobs(),
            18 | 19 => self.change_metrics(),
            20..=26 => self.change_alarm(),
            27 => self.remake_alarm(),
            28..=30 => self.tell_event(),
            _ => self.relieve(),
        }
    }

    fn disturb_aws(&mut self) {
        let rng = &mut self.rng;
        if rng.bool() {
            self.aws.troubles.clear();
            return;
        }
        let trouble = Trouble {
            of: OPERATIONS[rng.usize(..OPERATIONS.len())],
            how: how(rng),
            later_pages: rng.u8(..3) == 0,
        };
        self.say(&format!("AWS fails at {:?}", trouble.of));
        self.aws.troubles.push(trouble);
    }

    fn disturb_broker(&mut self) {
        let how = [
            Comeback::Kept,
            Comeback::Empty,
            Comeback::Old,
            Comeback::Half,
        ];
        match self.rng.u8(..8) {
            0 | 1 => {
                let how = how[self.rng.usize(..4)];
                self.lose_broker(how);
            }
            2 | 3 => self.broker.up = true,
            4 => self.lose_acknowledgements(),
            5 => {
                self.broker.delay = Duration::from_millis(self.rng.u64(1..3000));
                self.broker.gap = Duration::from_millis(self.rng.u64(..300));
            }
            6 => self.broker.backup = self.broker.retained.clone(),
            _ => {
                let parts = ["/metrics", "/health", "agent/stats", "channel/ch-0000"];
                let part = parts[self.rng.usize(..4)];
                self.say(&format!("the broker refuses {part}"));
                self.broker.refuses = Some(part);
                self.is_tampered = true;
            }
        }
    }

    fn disturb_agent(&mut self) {
        let again = match self.rng.u8(..5) {
            0 => minutes(&mut self.rng, 1..90),
            _ => Duration::from_millis(self.rng.u64(100..15_000)),
        };
        match self.rng.u8(..6) {
            0 | 1 => {
                let taken = self.rng.usize(..8);
                self.kill(taken, again);
            }
            2 => {
                // The power fails: the clock begins in 1970.
                self.kill(0, again);
                self.wall_error_ms = UNSET_MS;
            }
            3 => self.stop(again),
            4 => self.wall_error_ms = self.rng.i64(-10_000_000..10_000_000),
            _ => self.wall_error_ms = 0,
        }
        let shown = self.wall_error_ms;
        self.say(&format!("the clock is {shown} ms ahead"));
    }

    fn disturb_disk(&mut self) {
        let (full, fails) = (self.rng.bool(), self.rng.bool());
        self.say(&format!("disk full: {full}; queue fails: {fails}"));
        self.disk.fill(full);
        self.queue.fails = fails;
    }

    fn relieve(&mut self) {
        self.aws.troubles.clear();
        self.broker.up = true;
        self.wall_error_ms = 0;
    }

    /// Whatever is broken is mended.
    pub fn calm(&mut self) {
        self.say("calm");
        self.relieve();
        self.broker.delay = Duration::from_millis(5);
        self.broker.gap = Duration::ZERO;
        if self.broker.refuses.take().is_some() {
            self.lose_session();
        }
        self.disk.fill(false);
        self.queue.fails = false;
        self.boot_now();
        let minute = self.aws_now().minute().0;
        let world = self.aws.world();
        let channels: Vec<String> = world.channels.iter().map(|c| c.id.clone()).collect();
        let now_ms = self.aws_now().0;
        self.aws.edit(now_ms, |world| {
            channels
                .iter()
                .for_each(|id| world.start_ingest(id, minute));
        });
    }

    fn edit<T>(&mut self, change: impl FnOnce(&mut World) -> T) -> T {
        let now_ms = self.aws_now().0;
        self.aws.edit(now_ms, change)
    }

    fn loosen(&mut self, id: &str) {
        for resource in self.plan.resources(self.aws.world()) {
            if resource.contains(id) {
                self.truth.loosen(&resource);
            }
        }
    }

    /// Guests come and go; what the start has stays, and changes.
    fn change_channels(&mut self) {
        let guest = format!("guest-{}", self.rng.u8(..3));
        let there = self.aws.world().channels.iter().any(|c| c.id == guest);
        let minute = self.aws_now().minute().0;
        let (kind, n) = (self.rng.u8(..4), self.rng.u8(..));
        match kind {
            0 | 1 if there => {
                self.loosen(&guest);
                self.edit(|w| w.remove_channel(&guest));
            }
            0 | 1 => {
                let endpoints = usize::from(n % 3);
                self.edit(|w| {
                    w.add_channel(&guest, endpoints);
                    w.add_metrics(&guest);
                    for key in w.keys_of(&guest) {
                        w.metrics.start(&key, minute);
                    }
                });
                self.loosen(&guest);
            }
            2 => self.edit(|w| {
                w.channel("ch-0000").tags.insert("of".into(), n.to_string());
            }),
            _ => self.edit(|w| {
                w.channel("ch-0000").description = (n % 2 == 0).then(|| format!("Number {n}"));
            }),
        }
    }

    fn change_v2(&mut self) {
        if !self.plan.has_v2 {
            return;
        }
        let id = "group-0.visitor";
        let there = self.aws.world().v2.channels.iter().any(|c| c.id() == id);
        let n = self.rng.u8(..);
        match n % 4 {
            0 | 1 if there => {
                self.loosen("visitor");
                self.edit(|w| w.remove_channel_v2(id));
            }
            0 | 1 => {
                self.edit(|w| w.add_channel_v2("group-0", "visitor", 1));
                self.loosen("visitor");
            }
            2 => self.edit(|w| w.tag_v2("group-0.ch-0000", "of", &n.to_string())),
            _ => self.edit(|w| {
                w.edit_channel_v2("group-0.ch-0000", |c| {
                    c.common.description = Some(format!("Number {n}"));
                });
            }),
        }
    }

    fn change_jobs(&mut self) {
        let Some(endpoint) = self.aws.world().endpoints.first().map(|e| e.id.clone()) else {
            return;
        };
        let id = format!("job-{}", self.rng.u8(..3));
        let there = self.aws.world().jobs.iter().any(|j| j.id == id);
        match (there, self.rng.u8(..3)) {
            (false, _) => self.edit(|w| w.add_job(&endpoint, &id)),
            (true, 0) => self.edit(|w| w.remove_job(&id)),
            (true, _) => self.edit(|w| w.set_job(&id, "SUCCEEDED", None)),
        }
    }

    /// Ingest stops and begins, points come late and are revised.
    fn change_metrics(&mut self) {
        let (now, rng) = (self.aws_now(), &mut self.rng);
        let minute = now.minute().0;
        let (kind, back, wait) = (rng.u8(..4), rng.i64(0..10), rng.i64(0..600));
        let value = rng.u32(..1_000_000);
        self.edit(|w| match kind {
            0 => w.stop_ingest("ch-0000", minute),
            1 => w.start_ingest("ch-0000", minute),
            kind => {
                let series = w.metrics.series("EgressBytes", &[("Channel", "ch-0000")]);
                match kind {
                    2 => series.late(minute - back, 60 * back + wait),
                    _ => series.revise(minute - back, now.0 + wait * 1000, f64::from(value)),
                };
            }
        });
    }

    fn change_alarm(&mut self) {
        let name = format!("a{}", self.rng.usize(..ALARMS));
        let now_ms = self.aws_now().0;
        let alarms = &self.aws.world().alarms;
        let Some(alarm) = alarms.iter().find(|a| a.name == name).cloned() else {
            return;
        };
        let state = STATES[self.rng.usize(..3)];
        if state == alarm.state || now_ms - alarm.updated_ms < ALARM_PACE_MS {
            return;
        }
        let old = alarm.state.clone();
        self.aws.edit_alarms(now_ms, |w| {
            w.set_alarm(&name, state, alarms::reason(state));
        });
        self.say(&format!("alarm {name}: {old} > {state}"));
        let change = Some(self.truth.changed(&name, state, now_ms, false));
        let mut alarm = alarm;
        alarm.reason = alarms::reason(state).to_owned();
        let world = self.aws.world();
        let (own, bridge) = (
            alarms::alarm_message(world, &alarm, state, &old, now_ms),
            alarms::eventbridge_alarm(world, &alarm, state, &old, now_ms),
        );
        match self.rng.u8(..5) {
            // CloudWatch tells a topic, EventBridge a queue, or nobody is told.
            0 | 1 => self.publish(&own, change),
            2 => self.publish(&bridge, change),
            3 => self.put_bare(bridge, change),
            _ => {}
        }
    }

    fn remake_alarm(&mut self) {
        let n = self.rng.usize(1..ALARMS);
        let name = format!("a{n}");
        let now_ms = self.aws_now().0;
        let there = self.aws.world().alarms.iter().any(|a| a.name == name);
        let state = STATES[self.rng.usize(..3)];
        self.say(&format!("alarm {name}: there: {}", !there));
        self.aws.edit_alarms(now_ms, |w| match there {
            true => w.alarms.retain(|a| a.name != name),
            false => {
                let mut alarm = plan::alarm(n, now_ms);
                state.clone_into(&mut alarm.state);
                w.put_alarm(alarm);
            }
        });
        if there {
            self.truth.deleted.push((name, self.now));
        } else {
            self.truth.changed(&name, state, now_ms, true);
        }
    }

    /// Something that has nothing to do with alarms, secrets within.
    fn tell_event(&mut self) {
        let endpoint = self.aws.world().endpoints.first().map(|e| e.id.clone());
        let n = self.sent.len();
        let message = match (self.rng.u8(..3), endpoint) {
            (0, Some(endpoint)) => self.edit(|w| events::input_switch(w, &endpoint)),
            (1, _) => self.edit(|w| events::max_ingest_streams(w, "ch-0000")),
            _ => json!({"n": n, "password": INGEST_PASSWORD, "roleArn": SPEKE_ROLE}).to_string(),
        };
        self.publish(&message, None);
    }

    fn message_id(&mut self) -> MessageId {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        MessageId::from_bytes(bytes)
    }

    /// The topic tells its subscribers: the listener, the queue, or both; soon, or late.
    fn publish(&mut self, message: &str, change: Option<usize>) {
        let id = self.message_id();
        let by_both = self.plan.listens && self.plan.has_queue && self.rng.u8(..3) == 0;
        let by_queue = self.plan.has_queue && (by_both || !self.plan.listens || self.rng.bool());
        if by_queue {
            let envelope = json!({
                "Type": "Notification", "MessageId": id.to_string(), "TopicArn": TOPIC,
                "Message": message, "Timestamp": self.aws_now().rfc3339_ms(),
            });
            self.mail(id.to_string(), envelope.to_string());
        }
        if self.plan.listens && (by_both || !by_queue) {
            let wait = match self.rng.u8(..4) {
                0 => self.rng.u64(..300_000),
                _ => self.rng.u64(..500),
            };
            let at = self.aws_now();
            self.unsettled.push(self.sent.len());
            self.sent.push(Sent {
                message: Accepted {
                    message_id: id,
                    topic_arn: Some(TOPIC.into()),
                    subject: None,
                    timestamp: at,
                    received_at: at,
                    via: Via::Sns,
                    message: message.to_owned(),
                },
                due: Some(self.now + Duration::from_millis(wait)),
                answered: None,
            });
        }
        self.truth.told_by(id.to_string(), change);
    }

    /// EventBridge puts its event into the queue.
    fn put_bare(&mut self, event: String, change: Option<usize>) {
        if !self.plan.has_queue {
            return self.publish(&event, change);
        }
        let value: serde_json::Value = serde_json::from_str(&event).unwrap_or_default();
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        self.mail(id.clone(), event);
        self.truth.told_by(id, change);
    }
}
