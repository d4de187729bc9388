//! Alarms as CloudWatch and EventBridge tell them, in any order and between polls.

use std::collections::BTreeMap;
use std::time::Duration;

use mediapackage2mqtt::state::alarms::{Alarm, AlarmChanges, Alarms, Heard, Home, Pushed, Via};
use mediapackage2mqtt::state::glob::Glob;
use mediapackage2mqtt::state::inventory::Inventory;
use mediapackage2mqtt::state::model::Id;
use mediapackage2mqtt::state::polled::{AlarmKind, PolledAlarm};
use mediapackage2mqtt::state::push::{Meaning, PushedAlarm};
use mediapackage2mqtt::state::time::{Mono, UnixMs};
use mediapackage2mqtt::state::wish::{AlarmsKept, MetricsLevel, Wish};
use mediapackage2mqtt::topics::memory::{Memory, recall};
use mediapackage2mqtt::topics::{Names, Topic, payload};
use serde_json::{Value, json};

use super::input::Input;
use super::meaning;

const NOON: UnixMs = UnixMs(1_795_341_600_000);
const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "123456789012";
const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];
/// What one input may do.
const STEPS_MAX: usize = 64;
/// So many alarms take their time: an input does less with them.
const CROWD_MIN: usize = 100;
const CROWDED_STEPS_MAX: usize = 6;
/// Alarms that no poll has shown, at the most.
const UNLISTED_MAX: usize = 500;
/// A longer payload is not read back.
const MEMORY_BYTES_MAX: usize = 32 * 1024;

/// What is held, and the clocks.
struct World {
    alarms: Alarms,
    wish: Wish,
    home: Home,
    now: u64,
    /// How often very many alarms may still come at once: that takes its time.
    crowds_left: u8,
    /// When the state of each alarm that is held changed, as it was shown last.
    shown: BTreeMap<Id, UnixMs>,
}

/// Whether any alarm was taken.
pub fn check(bytes: &[u8]) -> bool {
    let mut input = Input::new(bytes);
    let mut world = World::new(&mut input);
    let (mut taken, mut crowded_steps) = (false, 0);
    for _ in 0..STEPS_MAX {
        if input.at_end() {
            break;
        }
        taken |= world.step(&mut input);
        world.hold();
        if world.alarms.iter().count() > CROWD_MIN {
            crowded_steps += 1;
        }
        if crowded_steps == CROWDED_STEPS_MAX {
            break;
        }
    }
    taken
}

impl World {
    fn new(input: &mut Input) -> World {
        let account = input.rarely(3).then(|| ACCOUNT.to_owned());
        let globs = |input: &mut Input| match input.rarely(4) {
            true => vec![Glob::new(&input.text())],
            false => Vec::new(),
        };
        let kept = [AlarmsKept::All, AlarmsKept::MediaPackage, AlarmsKept::Off];
        World {
            alarms: Alarms::default(),
            wish: Wish {
                include: Vec::new(),
                exclude: Vec::new(),
                level: MetricsLevel::Off,
                metrics_interval: Duration::ZERO,
                settle: Duration::ZERO,
                ingest_lost_after: Duration::ZERO,
                alarms: input.one_of(&kept),
                alarm_include: globs(input),
                alarm_exclude: globs(input),
            },
            home: Home {
                region: REGION.into(),
                account_id: account,
            },
            now: 1,
            crowds_left: u8::from(input.rarely(16)),
            shown: BTreeMap::new(),
        }
    }

    fn mono(&self) -> Mono {
        Mono(Duration::from_secs(self.now))
    }

    /// Does one thing; whether an alarm was taken from a notification.
    fn step(&mut self, input: &mut Input) -> bool {
        self.now += 1;
        match input.below(12) {
            0..7 => return self.notify(input),
            7..9 => self.poll(input),
            9 => self.restart(),
            10 => {
                self.home.account_id = Some(ACCOUNT.to_owned());
                let changes = self.alarms.settle_home(&self.home, &Inventory::default());
                self.hold_changes(&changes);
                self.shown.clear();
            }
            _ => {
                self.now += u64::from(input.byte()) * 3600;
                for key in self.alarms.expire(self.mono()) {
                    assert!(self.alarms.get(&key).is_none(), "{key:?}");
                }
                let next = self.alarms.next_expiry();
                assert!(next.is_none_or(|next| next > self.mono()));
            }
        }
        false
    }

    fn notify(&mut self, input: &mut Input) -> bool {
        let message = match input.rarely(2) {
            true => notification(input),
            false => event(input),
        };
        let notice = meaning::accepted(&message).notice();
        meaning::hold(&notice);
        let Meaning::Alarm(told) = notice.meaning else {
            return false;
        };
        let is_crowd = self.crowds_left > 0 && input.rarely(16);
        self.crowds_left -= u8::from(is_crowd);
        for n in 0..if is_crowd { UNLISTED_MAX } else { 0 } {
            let one = PushedAlarm {
                name: format!("{}{n}", told.name).into(),
                ..(*told).clone()
            };
            self.push(&one);
        }
        self.push(&told)
    }

    fn push(&mut self, told: &PushedAlarm) -> bool {
        let heard = Heard {
            via: Via::Sns,
            now: self.mono(),
            aws_now: NOON,
        };
        let none = Inventory::default();
        let pushed = self.alarms.push(told, heard, &self.wish, &self.home, &none);
        let Pushed::Taken(changes) = &pushed else {
            return false;
        };
        self.hold_changes(changes);
        for change in &changes.changes {
            assert_eq!(change.to, told.state, "{told:?}");
        }
        // The same once more brings no news, unless its namesake of another account had to
        // make room for it.
        let again = self.alarms.push(told, heard, &self.wish, &self.home, &none);
        if changes.removed.is_empty() {
            assert_eq!(again, Pushed::Taken(AlarmChanges::default()), "{told:?}");
        }
        true
    }

    fn poll(&mut self, input: &mut Input) {
        let count = input.below(4);
        let rows = (0..count).map(|_| row(input)).collect();
        let began = Mono(Duration::from_secs(self.now - input.below(2) as u64));
        let none = Inventory::default();
        let changes = self.alarms.apply(rows, began, NOON, &self.wish, &none);
        self.hold_changes(&changes);
    }

    /// What was shown is what the broker's store remembers.
    fn restart(&mut self) {
        let kept: Vec<Alarm> = self.alarms.iter().map(|(_, alarm)| alarm.clone()).collect();
        self.alarms = Alarms::default();
        for alarm in kept {
            if let Some(remembered) = remembered(&alarm) {
                let (key, now) = (remembered.key(), self.mono());
                let adopted = self.alarms.adopt(remembered, now, NOON);
                assert!(adopted || !alarm.listed, "{key:?} is forgotten");
            }
        }
        let held: Vec<Id> = self.alarms.iter().map(|(key, _)| key.clone()).collect();
        self.shown.retain(|key, _| held.contains(key));
    }

    fn hold_changes(&mut self, changes: &AlarmChanges) {
        for key in &changes.touched {
            assert!(self.alarms.get(key).is_some(), "{key:?} is not there");
        }
        for key in &changes.removed {
            assert!(self.alarms.get(key).is_none(), "{key:?} is still there");
            self.shown.remove(key);
        }
        for change in &changes.changes {
            assert_ne!(change.from.as_ref(), Some(&change.to), "{change:?}");
        }
    }

    fn hold(&mut self) {
        let mut unlisted = 0;
        for (key, alarm) in self.alarms.iter() {
            assert_eq!(*key, alarm.key());
            assert!(!(alarm.listed && alarm.foreign), "{alarm:?}");
            unlisted += usize::from(!alarm.listed);
            let at = alarm.updated_at.expect("every time of an input is one");
            let before = self.shown.insert(key.clone(), at);
            assert!(
                before.is_none_or(|before| before <= at),
                "{before:?} {alarm:?}"
            );
        }
        assert!(unlisted <= UNLISTED_MAX, "{unlisted} alarms of nobody");
        let gone = |key: &Id| self.alarms.get(key).is_none();
        self.shown.retain(|key, _| !gone(key));
        // A crowd is like one of it.
        self.alarms.iter().take(8).for_each(|(_, alarm)| {
            remembered(alarm);
        });
    }
}

/// The alarm as it is published and read back; `None` where it is too long for that.
fn remembered(alarm: &Alarm) -> Option<Alarm> {
    let payload = payload::alarm(alarm);
    assert!(serde_json::from_str::<Value>(&payload).is_ok(), "{payload}");
    if payload.len() > MEMORY_BYTES_MAX {
        return None;
    }
    let topic = Names::new("b", "i").of(&Topic::Alarm(alarm.key()));
    let level = topic.strip_prefix("b/i/").expect("our prefix");
    let Some(Memory::Alarm(back)) = recall(level, payload.as_bytes()) else {
        panic!("{level} is no memory: {payload}");
    };
    // Of numbers the last digit may go, and of two dimensions of one name one is published.
    let back = Alarm {
        threshold: alarm.threshold,
        dimensions: alarm.dimensions.clone(),
        ..*back
    };
    assert_eq!(back, *alarm);
    Some(back)
}

/// A moment around noon; most are in a row.
fn time(input: &mut Input) -> UnixMs {
    let unit = input.one_of(&[1, 1000, 60_000, 600_000]);
    NOON.plus_ms((i64::from(input.byte()) - 200) * unit)
}

fn row(input: &mut Input) -> PolledAlarm {
    let name = input.one_of(&["a", "b", "a@210987654321.us-east-1"]);
    PolledAlarm {
        name: name.into(),
        arn: format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"),
        kind: AlarmKind::Metric,
        state: input.one_of(&STATES).into(),
        reason: None,
        description: None,
        // AWS itself tells no time that is ahead of its own clock.
        updated_at: Some(time(input).min(NOON)),
        namespace: None,
        metric: None,
        dimensions: Vec::new(),
        threshold: None,
        comparison: None,
        actions_enabled: Some(true),
        actions_suppressed: None,
        rule: None,
        of_mediapackage: !input.rarely(4),
    }
}

fn arn(input: &mut Input) -> String {
    let (region, account) = input.one_of(&[
        (REGION, ACCOUNT),
        (REGION, "210987654321"),
        ("us-east-1", ACCOUNT),
        ("", ""),
    ]);
    format!("arn:aws:cloudwatch:{region}:{account}:alarm:x")
}

/// CloudWatch's own notification.
fn notification(input: &mut Input) -> String {
    let dimension = json!({ "name": input.text(), "value": input.text() });
    let stat = json!({ "Metric": { "Namespace": input.text(), "Dimensions": [dimension] } });
    let trigger = json!({
        "MetricName": input.value("IngressBytes".into()),
        "Namespace": input.value("AWS/MediaPackage".into()),
        "Dimensions": input.value(json!([dimension])),
        "Metrics": input.value(json!([{ "MetricStat": stat }])),
        "Threshold": input.value(1.5.into()),
        "ComparisonOperator": input.value("LessThanThreshold".into()),
    });
    let (name, arn, at) = (name(input), arn(input), time(input).rfc3339_ms());
    let all = json!({
        "AlarmName": input.value(name),
        "AlarmArn": input.value(arn.into()),
        "AlarmDescription": input.value("text".into()),
        "AWSAccountId": input.value(ACCOUNT.into()),
        "NewStateValue": state(input),
        "OldStateValue": state(input),
        "NewStateReason": input.value("because".into()),
        "StateChangeTime": input.value(at.into()),
        "Trigger": input.value(trigger),
        "AlarmRule": input.rarely(6).then_some("ALARM(b)"),
    });
    all.to_string()
}

/// EventBridge's `CloudWatch Alarm State Change`.
fn event(input: &mut Input) -> String {
    let dimensions = Value::from_iter([(input.text(), input.text())]);
    let metric = json!({
        "namespace": input.value("AWS/MediaPackage".into()),
        "name": input.value("IngressBytes".into()),
        "dimensions": input.value(dimensions),
    });
    let (name, arn, at) = (name(input), arn(input), time(input).rfc3339_ms());
    let config = json!({ "metrics": [{ "metricStat": { "metric": metric } }] });
    let all = json!({
        "detail-type": input.value("CloudWatch Alarm State Change".into()),
        "source": "aws.cloudwatch",
        "account": input.value(ACCOUNT.into()),
        "region": input.value(REGION.into()),
        "resources": input.value(json!([arn])),
        "time": at,
        "detail": {
            "alarmName": input.value(name),
            "state": { "value": state(input), "reason": input.text(), "timestamp": at },
            "previousState": { "value": state(input) },
            "configuration": input.value(config),
        },
    });
    all.to_string()
}

fn name(input: &mut Input) -> Value {
    match input.rarely(8) {
        true => input.text().into(),
        false => input.one_of(&["a", "b", "a@210987654321.us-east-1"]).into(),
    }
}

fn state(input: &mut Input) -> Value {
    let usual = input.one_of(&STATES).into();
    input.value(usual)
}
