//! Watches what the broker is given and what the log is told, and holds it against what happened.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use pure::engine::Publication;
use pure::state::time::UnixMs;
use serde::Deserialize;

use super::broker::PREFIX;
use crate::region::SECRETS;
use crate::region::sns::{TOKEN, UNSUBSCRIBE};
use crate::region::world::WHITELIST;

/// Points older than this when they come begin after an outage of three hours.
const BACKFILL_MINUTES: i64 = 175;
/// A publication may be with the broker this long before a session ends without its
/// acknowledgement.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);
/// Lines of the log in an hour.
pub const LOG_LINES_AN_HOUR_MAX: usize = 2000;
/// The same line in an hour.
pub const SAME_LINE_AN_HOUR_MAX: usize = 130;

/// A change of an alarm's state.
pub struct Transition {
    pub alarm: String,
    pub state: String,
    pub at_ms: i64,
    /// It may be told, and need not be: an alarm that was made anew.
    pub optional: bool,
    /// When a message of it was first published: by then the agent had heard of it.
    pub heard: Option<Duration>,
    /// Good polls that showed it, and the process that first saw it.
    pub sights: u32,
    pub seen_by: Option<u64>,
    pub told: Vec<Duration>,
}

/// The points of one resource.
#[derive(Default)]
struct Run {
    newest: Option<i64>,
    /// The next one may be any.
    is_loose: bool,
    /// When each minute went out last, and with which `egress_bytes`.
    told: BTreeMap<i64, (Duration, Option<i64>)>,
}

pub struct Truth {
    pub seed: u64,
    pub start: UnixMs,
    pub trace: bool,
    pub transitions: Vec<Transition>,
    by_change: HashMap<(String, String, i64), usize>,
    runs: HashMap<String, Run>,
    /// Messages by id: when they went out.
    pub messages: HashMap<String, Vec<Duration>>,
    /// The change that a message tells of.
    changes: HashMap<String, usize>,
    /// Messages that nobody brings again, and have not been looked for.
    pub safe: Vec<String>,
    /// When a session or the process ended.
    pub cuts: Vec<Duration>,
    /// Alarms that were deleted, and when: they are forgotten.
    pub deleted: Vec<(String, Duration)>,
    /// Nothing changes any more.
    pub is_quiet: bool,
    pub has_v2: bool,
    lines: HashMap<String, usize>,
    line_count: usize,
    hour: u64,
    pub published: u64,
    pub log_lines: u64,
}

#[derive(Deserialize)]
struct PointHead<'a> {
    #[serde(borrow)]
    timestamp: &'a str,
    revised: bool,
    egress_bytes: Option<i64>,
}

#[derive(Deserialize)]
struct AlarmHead {
    alarm: String,
    state: String,
    time: String,
}

#[derive(Deserialize)]
struct MessageHead<'a> {
    #[serde(borrow)]
    message_id: &'a str,
}

/// `7:03:59.250`
pub fn clock(at: Duration) -> String {
    let s = at.as_secs();
    let (h, m, s, ms) = (s / 3600, s / 60 % 60, s % 60, at.subsec_millis());
    format!("{h}:{m:02}:{s:02}.{ms:03}")
}

impl Truth {
    pub fn new(seed: u64, start: UnixMs, trace: bool) -> Truth {
        Truth {
            seed,
            start,
            trace,
            transitions: Vec::new(),
            by_change: HashMap::new(),
            runs: HashMap::new(),
            messages: HashMap::new(),
            changes: HashMap::new(),
            safe: Vec::new(),
            cuts: Vec::new(),
            deleted: Vec::new(),
            is_quiet: false,
            has_v2: false,
            lines: HashMap::new(),
            line_count: 0,
            hour: 0,
            published: 0,
            log_lines: 0,
        }
    }

    /// The invariant of this name does not hold.
    pub fn fail(&self, now: Duration, invariant: &str, what: &str) -> ! {
        let seed = self.seed;
        panic!(
            "seed {seed} at {}: {invariant}: {what}\nagain: DAY_SEED={seed} DAY_TRACE=1 cargo \
             test -p mediapackage2mqtt-day -- --nocapture",
            clock(now)
        );
    }

    fn was_cut(&self, from: Duration, to: Duration) -> bool {
        let from = from.saturating_sub(ACKNOWLEDGED_WITHIN);
        self.cuts.iter().rev().any(|cut| (from..=to).contains(cut))
    }

    pub fn changed(&mut self, alarm: &str, state: &str, at_ms: i64, optional: bool) -> usize {
        let n = self.transitions.len();
        self.by_change
            .insert((alarm.into(), state.into(), at_ms), n);
        self.transitions.push(Transition {
            alarm: alarm.to_owned(),
            state: state.to_owned(),
            at_ms,
            optional,
            heard: None,
            sights: 0,
            seen_by: None,
            told: Vec::new(),
        });
        n
    }

    /// A message of this id tells of a change.
    pub fn told_by(&mut self, id: String, change: Option<usize>) {
        if let Some(change) = change {
            self.changes.insert(id, change);
        }
    }

    /// This message was answered 200, or deleted from the queue.
    pub fn is_safe(&mut self, id: String) {
        self.safe.push(id);
    }

    /// The next point of this resource need not follow the last one.
    pub fn loosen(&mut self, resource: &str) {
        self.runs.entry(resource.to_owned()).or_default().is_loose = true;
    }

    /// Newest minute that went out.
    pub fn newest_point(&self, resource: &str) -> Option<i64> {
        self.runs.get(resource)?.newest
    }

    /// The minutes that went out: when last, and with which `egress_bytes`.
    pub fn points(&self, resource: &str) -> impl Iterator<Item = (i64, Duration, Option<i64>)> {
        let told = self
            .runs
            .get(resource)
            .into_iter()
            .flat_map(|run| &run.told);
        told.map(|(minute, (at, bytes))| (*minute, *at, *bytes))
    }

    /// The broker has taken this.
    pub fn published(&mut self, now: Duration, publication: &Publication) {
        self.published += 1;
        let Publication { topic, payload, .. } = publication;
        self.no_secret(now, topic);
        self.no_secret(now, payload);
        if self.trace {
            let cut = payload
                .char_indices()
                .nth(300)
                .map_or(payload.len(), |(at, _)| at);
            eprintln!("{} > {topic} {}", clock(now), &payload[..cut]);
        }
        let below = topic.strip_prefix(PREFIX).unwrap_or(topic);
        if let Some(resource) = below.strip_suffix("/point") {
            self.point(now, resource, payload);
        } else if below == "event/alarm" {
            self.alarm_told(now, payload);
        } else if below == "sns/message" {
            self.message_told(now, payload);
        }
        if self.is_quiet && !self.is_expected_in_quiet(below) {
            let what = format!("nothing has changed, and {topic} went out: {payload:.300}");
            self.fail(now, "only what changed is published", &what);
        }
    }

    fn is_expected_in_quiet(&self, below: &str) -> bool {
        let levels: Vec<&str> = below.split('/').collect();
        match levels[..] {
            ["agent", "stats", ..] | ["summary", ..] => true,
            [
                "channel" | "endpoint" | "packaging_configuration",
                _,
                "metrics" | "point",
                ..,
            ] => true,
            // A job is shown for a time after its end.
            ["harvest_job", _] => true,
            // What only a resource of v2 itself tells is looked at each half hour.
            ["channel" | "endpoint" | "channel_group", _] | ["agent", ..] => self.has_v2,
            _ => false,
        }
    }

    pub fn no_secret(&self, now: Duration, text: &str) {
        // Most of them have this word in them, and hardly any text has.
        let is_clean = !text.contains("planted")
            && ![WHITELIST, TOKEN, UNSUBSCRIBE]
                .iter()
                .any(|secret| text.contains(secret));
        let found = || SECRETS.iter().find(|secret| text.contains(**secret));
        if let Some(secret) = (!is_clean).then(found).flatten() {
            let what = format!("{secret} stands in: {text:.500}");
            self.fail(now, "no secret is shown", &what);
        }
    }

    fn point(&mut self, now: Duration, resource: &str, payload: &str) {
        let Ok(head) = serde_json::from_str::<PointHead<'_>>(payload) else {
            self.fail(
                now,
                "each minute once",
                &format!("no point: {payload:.300}"),
            );
        };
        let minute = UnixMs::parse(head.timestamp).map_or(0, |at| at.minute().0);
        let settled = self.start.plus_ms(now.as_millis() as i64).minute().0;
        let run = self.runs.entry(resource.to_owned()).or_default();
        let before = run.told.insert(minute, (now, head.egress_bytes));
        let before = before.map(|(before, _)| before);
        let newest = run.newest;
        let follows = newest.is_none_or(|newest| minute <= newest + 1);
        let excused = std::mem::take(&mut run.is_loose) || settled - minute >= BACKFILL_MINUTES;
        run.newest = newest.max(Some(minute));
        if !follows && !excused {
            let newest = newest.unwrap_or_default();
            let missing = minute - newest - 1;
            let what = format!(
                "{missing} minutes of {resource} before {} are missing",
                head.timestamp
            );
            self.fail(now, "each minute once", &what);
        }
        let old = run.told.first_key_value().map(|(minute, _)| *minute);
        if old.is_some_and(|old| settled - old > 24 * 60) {
            run.told.pop_first();
        }
        if let Some(before) = before.filter(|_| !head.revised)
            && !self.was_cut(before, now)
        {
            let at = head.timestamp;
            let what = format!("{at} of {resource} went out before, at {}", clock(before));
            self.fail(now, "each minute once", &what);
        }
    }

    fn alarm_told(&mut self, now: Duration, payload: &str) {
        let Ok(head) = serde_json::from_str::<AlarmHead>(payload) else {
            self.fail(now, "each alarm once", &format!("no event: {payload:.300}"));
        };
        let at_ms = UnixMs::parse(&head.time).map_or(0, |at| at.0);
        let key = (head.alarm, head.state, at_ms);
        let Some(&n) = self.by_change.get(&key) else {
            self.fail(
                now,
                "each alarm once",
                &format!("never happened: {payload:.300}"),
            );
        };
        let before = self.transitions[n].told.last().copied();
        self.transitions[n].told.push(now);
        let change = &self.transitions[n];
        let at = Duration::from_millis((at_ms - self.start.0).unsigned_abs());
        let deleted = self.deleted.iter();
        let is_forgotten = deleted.filter(|(name, _)| *name == change.alarm);
        let is_forgotten = is_forgotten.map(|(_, when)| when).any(|when| *when >= at);
        if let Some(before) = before
            && !is_forgotten
            && !self.was_cut(before, now)
        {
            let what = format!("told at {} before: {payload:.300}", clock(before));
            self.fail(now, "each alarm once", &what);
        }
    }

    fn message_told(&mut self, now: Duration, payload: &str) {
        let Ok(head) = serde_json::from_str::<MessageHead<'_>>(payload) else {
            self.fail(
                now,
                "no message is lost",
                &format!("no message: {payload:.300}"),
            );
        };
        if let Some(n) = self.changes.get(head.message_id) {
            self.transitions[*n].heard.get_or_insert(now);
        }
        let all = self.messages.entry(head.message_id.to_owned()).or_default();
        let before = all.last().copied();
        all.push(now);
        if let Some(before) = before
            && !self.was_cut(before, now)
        {
            let what = format!(
                "{} was published at {} before",
                head.message_id,
                clock(before)
            );
            self.fail(now, "each message once", &what);
        }
    }

    /// The log is told this.
    pub fn logged(&mut self, now: Duration, level: log::Level, line: &str) {
        self.no_secret(now, line);
        self.log_lines += 1;
        if self.trace {
            eprintln!("{} {level} {line}", clock(now));
        }
        let hour = now.as_secs() / 3600;
        if hour != self.hour {
            self.hour = hour;
            self.lines.clear();
            self.line_count = 0;
        }
        self.line_count += 1;
        let same = self.lines.entry(line.to_owned()).or_default();
        *same += 1;
        if *same > SAME_LINE_AN_HOUR_MAX || self.line_count > LOG_LINES_AN_HOUR_MAX {
            let what = format!("{} lines, {same} times this one: {line}", self.line_count);
            self.fail(now, "the log is no flood", &what);
        }
    }
}
