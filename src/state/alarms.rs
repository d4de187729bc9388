//! CloudWatch alarms: polling and push joined into one truth.
//!
//! Push is quick and may be lost; polling is slow and complete. Whichever is newer by AWS's
//! own time of the state change wins, in whatever order the two arrive.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::catalogue::Lookup;
use super::glob;
use super::inventory::Inventory;
use super::model::Id;
use super::polled::{AlarmKind, Dimension, PolledAlarm};
use super::time::{Mono, UnixMs};
use super::wish::{AlarmsKept, Wish};

/// Complete polls that must lack a listed alarm before it counts as gone.
const ABSENCES_BEFORE_GONE: u8 = 2;
/// An alarm that no poll has shown is kept so long after it was last heard of.
const NEVER_LISTED_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Alarms that no poll has shown, at the most.
const NEVER_LISTED_MAX: usize = 500;
/// A state change further ahead of AWS's clock than this is not believed.
const AHEAD_MS_MAX: i64 = 15 * 60_000;

/// Which way the state of an alarm was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// `DescribeAlarms`.
    Poll,
    /// The SNS listener.
    Sns,
    /// The SQS queue.
    Sqs,
}

impl Via {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Poll => "poll",
            Via::Sns => "sns",
            Via::Sqs => "sqs",
        }
    }

    /// Reads what [`Via::as_str`] writes.
    pub fn parse(text: &str) -> Option<Via> {
        [Via::Poll, Via::Sns, Via::Sqs]
            .into_iter()
            .find(|via| via.as_str() == text)
    }
}

/// An alarm as it is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Its name.
    pub name: Id,
    /// Its ARN.
    pub arn: String,
    /// From the ARN.
    pub account_id: Option<String>,
    /// From the ARN.
    pub region: Option<String>,
    /// Its kind.
    pub kind: AlarmKind,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`, or what AWS adds later.
    pub state: String,
    /// The state before, where it is known.
    pub previous_state: Option<String>,
    /// AWS's sentence about the state.
    pub reason: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// When the state changed.
    pub updated_at: Option<UnixMs>,
    /// Of a single-metric alarm.
    pub namespace: Option<String>,
    /// Of a single-metric alarm.
    pub metric: Option<String>,
    /// Names and values.
    pub dimensions: Vec<Dimension>,
    /// The channel it is about.
    pub channel_id: Option<Id>,
    /// The endpoint it is about.
    pub endpoint_id: Option<Id>,
    /// The limit.
    pub threshold: Option<f64>,
    /// AWS's name of the comparison.
    pub comparison: Option<String>,
    /// Whether its actions are switched on.
    pub actions_enabled: Option<bool>,
    /// Whether another alarm holds them back.
    pub actions_suppressed: Option<bool>,
    /// Whether polling has ever shown it.
    pub listed: bool,
    /// Which way the state was learned.
    pub source: Via,
}

#[derive(Clone, Debug)]
struct Held {
    alarm: Alarm,
    absences: u8,
    /// When it was last heard of, on our own clock.
    heard: Mono,
    /// Whether it ever came by push: then it is kept whatever the filter says.
    pushed: bool,
}

/// A change of one alarm's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmChange {
    /// The alarm.
    pub name: Id,
    /// Its state before.
    pub from: String,
    /// Its state now.
    pub to: String,
}

/// What one poll changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmChanges {
    /// Alarms whose payload may differ now.
    pub touched: Vec<Id>,
    /// Alarms that are gone.
    pub removed: Vec<Id>,
    /// Changes of a state that was known before.
    pub changes: Vec<AlarmChange>,
}

/// All alarms that are kept.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    held: BTreeMap<Id, Held>,
    listings: u64,
}

impl Alarms {
    /// The alarm of this name.
    pub fn get(&self, name: &str) -> Option<&Alarm> {
        self.held.get(name).map(|held| &held.alarm)
    }

    /// All, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Id, &Alarm)> {
        self.held.iter().map(|(key, held)| (key, &held.alarm))
    }

    /// Complete listings taken so far.
    pub fn listings(&self) -> u64 {
        self.listings
    }

    /// Takes an alarm that the broker's store remembers; false when it is known already, or
    /// nothing that we can have kept. Distrusted: any poll overrides it, and what no poll would
    /// ever override is bounded in number and age.
    pub fn adopt(&mut self, alarm: Alarm, now: Mono, aws_now: UnixMs) -> bool {
        let pushed = alarm.source != Via::Poll;
        let known = self.held.contains_key(&alarm.name);
        if !alarm.listed {
            let of_push = pushed && alarm.updated_at.is_some_and(|at| is_believed(at, aws_now));
            let unlisted = self.held.values().filter(|held| !held.alarm.listed).count();
            if !of_push || unlisted >= NEVER_LISTED_MAX {
                return false;
            }
        }
        let held = Held {
            alarm,
            absences: 0,
            heard: now,
            pushed,
        };
        self.held.entry(held.alarm.name.clone()).or_insert(held);
        !known
    }

    /// Takes a complete listing of a poll that began at `began`.
    pub fn apply(
        &mut self,
        listing: Vec<PolledAlarm>,
        began: Mono,
        aws_now: UnixMs,
        wish: &Wish,
        inventory: &Inventory,
    ) -> AlarmChanges {
        self.listings += 1;
        let mut out = AlarmChanges::default();
        let pushed = self.held.iter().filter(|(_, held)| held.pushed);
        let pushed: BTreeSet<Id> = pushed.map(|(key, _)| key.clone()).collect();
        let kept = kept(listing, wish, &pushed);
        for held in self.held.values_mut().filter(|held| held.heard <= began) {
            held.absences = held.absences.saturating_add(1);
        }
        let lookup = Lookup::new(inventory);
        for row in kept {
            let key = row.name.clone();
            let fresh = from_poll(row, &lookup);
            match self.held.get_mut(&key) {
                None => {
                    out.touched.push(key.clone());
                    let held = Held {
                        alarm: fresh,
                        absences: 0,
                        heard: began,
                        pushed: false,
                    };
                    self.held.insert(key, held);
                }
                Some(held) => {
                    held.absences = 0;
                    let before = held.alarm.clone();
                    held.alarm = merged(&before, fresh, aws_now);
                    if held.alarm.state != before.state {
                        let (from, to) = (before.state.clone(), held.alarm.state.clone());
                        out.changes.push(AlarmChange {
                            name: key.clone(),
                            from,
                            to,
                        });
                    }
                    if held.alarm != before {
                        out.touched.push(key);
                    }
                }
            }
        }
        self.held.retain(|key, held| {
            let stays = match held.alarm.listed {
                true => held.absences < ABSENCES_BEFORE_GONE,
                false => began.since(held.heard) < NEVER_LISTED_KEPT,
            };
            if !stays {
                out.removed.push(key.clone());
            }
            stays
        });
        out
    }

    /// Finds out anew whose each alarm is, after the inventory changed; tells which moved.
    pub fn reassign(&mut self, inventory: &Inventory) -> Vec<Id> {
        let lookup = Lookup::new(inventory);
        let mut moved = Vec::new();
        for (key, held) in &mut self.held {
            let owners = lookup.owners(&held.alarm.dimensions);
            if owners
                != (
                    held.alarm.channel_id.clone(),
                    held.alarm.endpoint_id.clone(),
                )
            {
                (held.alarm.channel_id, held.alarm.endpoint_id) = owners;
                moved.push(key.clone());
            }
        }
        moved
    }

    /// Names of the alarms in state ALARM, by the channel that they are about.
    pub fn active_by_channel(&self) -> HashMap<&Id, Vec<&Id>> {
        let mut active: HashMap<&Id, Vec<&Id>> = HashMap::new();
        for (key, alarm) in self.iter().filter(|(_, alarm)| alarm.state == "ALARM") {
            if let Some(channel) = &alarm.channel_id {
                active.entry(channel).or_default().push(key);
            }
        }
        active
    }
}

/// The rows that the config asks for; composites follow the alarms their rules name.
fn kept(listing: Vec<PolledAlarm>, wish: &Wish, pushed: &BTreeSet<Id>) -> Vec<PolledAlarm> {
    let wanted = |row: &PolledAlarm| match wish.alarms {
        AlarmsKept::Off => false,
        AlarmsKept::All => true,
        AlarmsKept::MediaPackage => row.of_mediapackage || pushed.contains(&row.name),
    };
    let named = |row: &PolledAlarm| glob::any(&wish.alarm_include, &row.name);
    let barred = |row: &PolledAlarm| glob::any(&wish.alarm_exclude, &row.name);
    let mut names: BTreeSet<Id> = BTreeSet::new();
    let rows: Vec<PolledAlarm> = listing.into_iter().filter(|row| !barred(row)).collect();
    names.extend(
        rows.iter()
            .filter(|r| wanted(r) || named(r))
            .map(|r| r.name.clone()),
    );
    let rules: Vec<(&Id, Vec<String>)> = rows
        .iter()
        .filter(|row| wish.alarms != AlarmsKept::Off && !names.contains(&row.name))
        .filter_map(|row| Some((&row.name, names_in_rule(row.rule.as_deref()?))))
        .collect();
    loop {
        let more: Vec<Id> = rules
            .iter()
            .filter(|(name, _)| !names.contains(*name))
            .filter(|(_, children)| children.iter().any(|c| names.contains(c.as_str())))
            .map(|(name, _)| (*name).clone())
            .collect();
        if more.is_empty() {
            break;
        }
        names.extend(more);
    }
    rows.into_iter()
        .filter(|row| names.contains(&row.name))
        .collect()
}

/// The alarms that a composite's rule names: `ALARM("a") AND NOT OK(arn:…:alarm:b)`,
/// `AT_LEAST(2, ALARM, (a, b))`. Unquoted words that are no alarms come along and match none.
fn names_in_rule(rule: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    for c in rule.chars() {
        match (c, quote) {
            (_, Some(open)) if c != open => word.push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.clear();
            }
            // What stands before a parenthesis is a function.
            ('(', None) => word.clear(),
            (_, Some(_)) | (')' | ',', None) => {
                quote = None;
                names.push(std::mem::take(&mut word));
            }
            _ => word.push(c),
        }
    }
    if quote.is_some() {
        names.push(word);
    }
    let names = names.iter().map(|name| short_name(name.trim()));
    names.filter(|name| !name.is_empty()).collect()
}

/// The name of an alarm that may be written as its ARN.
fn short_name(name: &str) -> String {
    let short = name
        .split_once(":alarm:")
        .filter(|_| name.starts_with("arn:"));
    short.map_or(name, |(_, short)| short).to_owned()
}

fn from_poll(row: PolledAlarm, lookup: &Lookup) -> Alarm {
    let (channel_id, endpoint_id) = lookup.owners(&row.dimensions);
    // arn:partition:cloudwatch:region:account:alarm:name
    let mut parts = row.arn.split(':').skip(3).map(str::to_owned);
    let (region, account_id) = (parts.next(), parts.next());
    Alarm {
        name: row.name,
        arn: row.arn,
        account_id: account_id.filter(|part| !part.is_empty()),
        region: region.filter(|part| !part.is_empty()),
        kind: row.kind,
        state: row.state,
        previous_state: None,
        reason: row.reason,
        description: row.description,
        updated_at: row.updated_at,
        namespace: row.namespace,
        metric: row.metric,
        dimensions: row.dimensions,
        channel_id,
        endpoint_id,
        threshold: row.threshold,
        comparison: row.comparison,
        actions_enabled: row.actions_enabled,
        actions_suppressed: row.actions_suppressed,
        listed: true,
        source: Via::Poll,
    }
}

/// Whether a state can have changed then.
fn is_believed(at: UnixMs, aws_now: UnixMs) -> bool {
    at.0.saturating_sub(aws_now.0) <= AHEAD_MS_MAX
}

/// The polled row joined with what is held: the newer state wins, at a tie the poll's.
fn merged(held: &Alarm, fresh: Alarm, aws_now: UnixMs) -> Alarm {
    let believed = held.updated_at.filter(|at| is_believed(*at, aws_now));
    let held_is_newer = match (believed, fresh.updated_at) {
        (Some(held), Some(fresh)) => held > fresh,
        _ => false,
    };
    if held_is_newer {
        return Alarm {
            state: held.state.clone(),
            previous_state: held.previous_state.clone(),
            reason: held.reason.clone(),
            updated_at: held.updated_at,
            source: held.source,
            ..fresh
        };
    }
    let same_change = believed == fresh.updated_at && held.state == fresh.state;
    let (previous_state, source) = match same_change {
        true => (held.previous_state.clone(), held.source),
        false if held.state != fresh.state => (Some(held.state.clone()), Via::Poll),
        false => (held.previous_state.clone(), Via::Poll),
    };
    Alarm {
        previous_state,
        source,
        ..fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_a_composites_rule_are_found() {
        let cases: [(&str, &[&str]); 9] = [
            (
                "AT_LEAST(2, ALARM, (a, \"b,c\"))",
                &["2", "ALARM", "a", "b,c"],
            ),
            ("ALARM(a) OR TRUE", &["a"]),
            ("ALARM(a)", &["a"]),
            ("ALARM(\"a b\") AND NOT OK( 'c(d)' )", &["a b", "c(d)"]),
            ("(ALARM(a) OR (ALARM(b)))", &["a", "b"]),
            (
                "ALARM(arn:aws:cloudwatch:eu-central-1:1:alarm:x:y)",
                &["x:y"],
            ),
            ("TRUE", &[]),
            ("ALARM(", &[]),
            ("ALARM(\"open", &["open"]),
        ];
        for (rule, wanted) in cases {
            assert_eq!(names_in_rule(rule), wanted, "{rule}");
        }
    }

    const NOON: UnixMs = UnixMs(1_795_341_600_000);

    fn polled(state: &str, minute: i64) -> PolledAlarm {
        PolledAlarm {
            name: "a".into(),
            arn: "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a".into(),
            kind: AlarmKind::Metric,
            state: state.into(),
            reason: None,
            description: None,
            updated_at: Some(NOON.plus_ms(minute * 60_000)),
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

    #[test]
    fn the_newest_change_wins_whichever_way_it_came() {
        // What a notification told, what the next poll tells; what is shown then.
        let cases = [
            (("ALARM", 5), ("OK", 3), "ALARM sns INSUFFICIENT_DATA"),
            (("ALARM", 5), ("OK", 7), "OK poll ALARM"),
            // At a tie the poll decides the state; the notification knows what was before.
            (("ALARM", 5), ("ALARM", 5), "ALARM sns INSUFFICIENT_DATA"),
            (("ALARM", 5), ("OK", 5), "OK poll ALARM"),
            // Dated less than 15 minutes ahead of the clock, it is believed.
            (("ALARM", 24), ("OK", 3), "ALARM sns INSUFFICIENT_DATA"),
        ];
        let inventory = Inventory::default();
        let wish = Wish {
            include: Vec::new(),
            exclude: Vec::new(),
            level: super::super::wish::MetricsLevel::Off,
            metrics_interval: Duration::ZERO,
            settle: Duration::ZERO,
            ingest_lost_after: Duration::ZERO,
            alarms: AlarmsKept::MediaPackage,
            alarm_include: Vec::new(),
            alarm_exclude: Vec::new(),
        };
        for (told, poll, wanted) in cases {
            let pushed = Alarm {
                previous_state: Some("INSUFFICIENT_DATA".into()),
                listed: false,
                source: Via::Sns,
                ..from_poll(polled(told.0, told.1), &Lookup::new(&inventory))
            };
            let mut alarms = Alarms::default();
            let now = NOON.plus_ms(10 * 60_000);
            alarms.adopt(pushed, Mono::default(), now);
            let row = polled(poll.0, poll.1);
            let out = alarms.apply(vec![row], Mono::default(), now, &wish, &inventory);
            let held = alarms.get("a").unwrap();
            let before = held.previous_state.as_deref().unwrap_or("-");
            let shown = format!("{} {} {before}", held.state, held.source.as_str());
            assert_eq!(shown, wanted, "{told:?} {poll:?}");
            assert!(held.listed);
            let changed = usize::from(held.state != told.0);
            assert_eq!(out.changes.len(), changed, "{told:?} {poll:?}");
        }
    }
}
