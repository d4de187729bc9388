//! Polls and notifications in every order.

mod push;
mod random;

use super::*;
use crate::state::glob::Glob;
use crate::state::push::PushedAlarm;
use crate::state::wish::{AlarmsKept, MetricsLevel};

const NOON: UnixMs = UnixMs(1_795_341_600_000);
const MINUTE_MS: i64 = 60_000;
const OURS: &str = "123456789012";
const REGION: &str = "eu-central-1";

fn at(minute: i64) -> UnixMs {
    NOON.plus_ms(minute * MINUTE_MS)
}

fn mono(seconds: u64) -> Mono {
    Mono(Duration::from_secs(seconds))
}

fn wish(alarms: AlarmsKept, include: &[&str], exclude: &[&str]) -> Wish {
    let globs = |patterns: &[&str]| patterns.iter().map(|p| Glob::new(p)).collect();
    Wish {
        include: Vec::new(),
        exclude: Vec::new(),
        level: MetricsLevel::Off,
        metrics_interval: Duration::ZERO,
        settle: Duration::ZERO,
        ingest_lost_after: Duration::ZERO,
        alarms,
        alarm_include: globs(include),
        alarm_exclude: globs(exclude),
    }
}

fn home(account: Option<&str>) -> Home {
    Home {
        region: REGION.into(),
        account_id: account.map(str::to_owned),
    }
}

fn polled(state: &str, at: UnixMs) -> PolledAlarm {
    PolledAlarm {
        name: "a".into(),
        arn: format!("arn:aws:cloudwatch:{REGION}:{OURS}:alarm:a"),
        kind: AlarmKind::Metric,
        state: state.into(),
        reason: None,
        description: None,
        updated_at: Some(at),
        namespace: None,
        metric: None,
        dimensions: Vec::new(),
        threshold: None,
        comparison: None,
        actions_enabled: None,
        actions_suppressed: None,
        rule: None,
        of_mediapackage: true,
    }
}

fn told(before: &str, state: &str, at: UnixMs) -> PushedAlarm {
    PushedAlarm {
        name: "a".into(),
        arn: format!("arn:aws:cloudwatch:{REGION}:{OURS}:alarm:a"),
        account_id: Some(OURS.into()),
        region: Some(REGION.into()),
        kind: AlarmKind::Metric,
        state: state.into(),
        previous_state: Some(before.to_owned()).filter(|before| !before.is_empty()),
        reason: None,
        description: None,
        changed_at: at,
        namespace: None,
        metric: None,
        dimensions: Vec::new(),
        threshold: None,
        comparison: None,
    }
}

/// Alarms, and all that was told of them.
struct Held {
    alarms: Alarms,
    wish: Wish,
    home: Home,
    aws_now: UnixMs,
    now: u64,
    log: Vec<String>,
    /// When each change in the log happened.
    times: Vec<Option<UnixMs>>,
}

impl Held {
    fn new() -> Held {
        Held {
            alarms: Alarms::default(),
            wish: wish(AlarmsKept::MediaPackage, &[], &[]),
            home: home(Some(OURS)),
            aws_now: at(10),
            now: 1_000,
            log: Vec::new(),
            times: Vec::new(),
        }
    }

    fn note(&mut self, changes: &AlarmChanges) {
        for change in &changes.changes {
            let from = change.from.as_deref().unwrap_or("-");
            self.log.push(format!("{from}>{}", change.to));
            let alarm = self.alarms.get(&change.name);
            self.times.push(alarm.and_then(|alarm| alarm.updated_at));
        }
    }

    fn poll(&mut self, listing: &[PolledAlarm]) -> AlarmChanges {
        self.now += 1;
        let inventory = Inventory::default();
        let (began, listing) = (mono(self.now), listing.to_vec());
        let out = self
            .alarms
            .apply(listing, began, self.aws_now, &self.wish, &inventory);
        self.note(&out);
        out
    }

    fn push(&mut self, told: &PushedAlarm) -> Pushed {
        self.now += 1;
        let heard = Heard {
            via: Via::Sns,
            now: mono(self.now),
            aws_now: self.aws_now,
        };
        let inventory = Inventory::default();
        let out = self
            .alarms
            .push(told, heard, &self.wish, &self.home, &inventory);
        if let Pushed::Taken(changes) = &out {
            self.note(changes);
        }
        out
    }

    /// State, way and state before.
    fn shown(&self, key: &str) -> String {
        let Some(alarm) = self.alarms.get(key) else {
            return String::from("none");
        };
        let before = alarm.previous_state.as_deref().unwrap_or("-");
        format!("{} {} {before}", alarm.state, alarm.source.as_str())
    }
}
