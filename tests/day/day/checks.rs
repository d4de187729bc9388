//! What holds after a calm, found out from what there is in the region and not from the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pure::engine::Outcome;
use pure::state::fault::Fault;
use pure::state::time::UnixMs;
use serde_json::Value;

use super::broker::PREFIX;
use super::sim::Day;
use crate::region::series::key;

/// At a limited rate a round of publications takes so long.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(20);
/// A minute is final so long after its end.
const SETTLE_MS: i64 = 180_000;
/// Between these times after the begin of a calm corrections are looked at.
const CORRECTED: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(600)];
/// So long after its end a minute is looked at again for sure.
const LOOKED_FOR: Duration = Duration::from_secs(17 * 60);
/// Topics of these kinds are there when what they are of is there, and only then.
const OF_THE_REGION: [&str; 5] = [
    "channel",
    "endpoint",
    "channel_group",
    "packaging_group",
    "packaging_configuration",
];

/// The minute that a payload of metrics shows.
pub fn timestamp(payload: &str) -> Option<i64> {
    let (_, rest) = payload.split_once("\"timestamp\":\"")?;
    UnixMs::parse(rest.split('"').next()?).map(|at| at.minute().0)
}

/// Both from a little before the place where they differ.
pub fn differing<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    let at = same.count().saturating_sub(60);
    (
        one.get(at..).unwrap_or(one),
        other.get(at..).unwrap_or(other),
    )
}

/// Why a job failed.
pub fn fault_of(outcome: &Outcome) -> Option<&Fault> {
    match outcome {
        Outcome::Inventory(result) => result.as_ref().err(),
        Outcome::ListV2(result) => result.as_ref().err(),
        Outcome::Harvest(_, result) => result.as_ref().err(),
        Outcome::Vod(result) => result.as_ref().err(),
        Outcome::Series(result) => result.as_ref().err(),
        Outcome::Metrics(_, result) => result.as_ref().err(),
        Outcome::Alarms(result) => result.as_ref().err(),
        Outcome::Details(_) | Outcome::Queue(_) => None,
    }
}

impl Day {
    /// All that holds after a calm.
    pub fn check(&mut self) {
        self.check_wanted();
        self.check_viewer();
        self.check_region();
        self.check_inventory();
        self.check_metrics();
        self.check_points();
        self.check_revisions();
        self.check_alarms();
        self.check_changes();
        self.check_messages();
        // The store is whole again.
        self.is_tampered = false;
    }

    fn fail(&self, invariant: &str, what: &str) -> ! {
        self.truth.fail(self.now, invariant, what)
    }

    fn shown(&self, below: &str) -> Value {
        let payload = self.broker.retained.get(&format!("{PREFIX}{below}"));
        payload.map_or(Value::Null, |text| {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
        })
    }

    fn expect(&self, below: &str, key: &str, wanted: &Value) {
        let shown = self.shown(below);
        if shown[key] != *wanted {
            let what = format!("{key} of {below} is not {wanted}: {shown:.600}");
            self.fail("the picture is that of the region", &what);
        }
    }

    /// The broker holds what the engine wants, or does once it has what is on its way.
    fn check_wanted(&mut self) {
        let until = self.now + ON_ITS_WAY_MAX;
        while let Some(what) = self.unwanted() {
            if self.now >= until {
                self.fail("wanted is retained", &what);
            }
            self.run_to(self.now + Duration::from_secs(1));
        }
        let agent = self.shown("agent");
        let reasons = agent["reasons"].as_array().into_iter().flatten();
        let text = |reason: &Value| reason.as_str().unwrap_or_default().to_owned();
        // A disk that was full is tried again when there is something to write.
        if let Some(reason) = reasons
            .map(text)
            .find(|reason| !reason.starts_with("the spool:"))
        {
            self.fail("all is well after a calm", &reason);
        }
        if self.shown("status") != "online" {
            self.fail("wanted is retained", "status is not online");
        }
    }

    /// What the broker holds and the engine does not want, or the other way round.
    fn unwanted(&self) -> Option<String> {
        let Some(agent) = &self.agent else {
            self.fail("it runs", "there is no agent after a calm");
        };
        // It tells the time of its own writing.
        let is_stats = |topic: &String| topic.starts_with("mp/x/agent/stats");
        let mut wanted = agent.retained();
        wanted.retain(|topic, _| !is_stats(topic));
        let held = self.broker.retained.iter();
        let held: BTreeMap<&String, &String> = held.filter(|(t, _)| !is_stats(t)).collect();
        for (topic, payload) in &wanted {
            match held.get(topic) {
                None => return Some(format!("{topic} is missing")),
                Some(held) if *held == payload => {}
                Some(held) => {
                    let (wanted, held) = differing(payload, held);
                    let what = format!("{topic}\n  wanted …{wanted:.300}\n  held   …{held:.300}");
                    return Some(what);
                }
            }
        }
        let more = held.keys().find(|topic| !wanted.contains_key(**topic));
        more.map(|topic| format!("nobody wants {topic}"))
    }

    /// Each topic of a channel and the like has something in the region, and the other way round.
    fn check_region(&self) {
        let world = self.aws.world();
        let mut wanted = BTreeSet::new();
        for id in world
            .channels
            .iter()
            .map(|c| c.id.clone())
            .chain(world.v2.channels.iter().map(|c| c.id()))
        {
            for part in ["", "/health", "/metrics"] {
                wanted.insert(format!("channel/{id}{part}"));
            }
        }
        let endpoints = world.endpoints.iter().map(|e| e.id.clone());
        let endpoints = endpoints.chain(world.v2.endpoints.iter().map(|e| e.id()));
        wanted.extend(endpoints.map(|id| format!("endpoint/{id}")));
        wanted.extend(
            world
                .v2
                .groups
                .iter()
                .map(|g| format!("channel_group/{}", g.name)),
        );
        wanted.extend(
            world
                .vod
                .groups
                .iter()
                .map(|g| format!("packaging_group/{}", g.id)),
        );
        let vod = world.vod.configurations.iter();
        wanted.extend(vod.map(|c| format!("packaging_configuration/{}", c.id)));
        let mut held = BTreeSet::new();
        for (topic, payload) in &self.broker.retained {
            let below = topic.strip_prefix(PREFIX).unwrap_or_default();
            let kind = below.split('/').next().unwrap_or_default();
            let is_flat = !payload.starts_with('{');
            if OF_THE_REGION.contains(&kind) && !is_flat {
                held.insert(below.to_owned());
            }
        }
        if let Some(missing) = wanted.difference(&held).next() {
            self.fail(
                "the picture is that of the region",
                &format!("{missing} is missing"),
            );
        }
        let only_with_series = |topic: &&String| {
            let of = topic.strip_suffix("/metrics");
            !of.is_some_and(|of| wanted.contains(of))
        };
        if let Some(more) = held.difference(&wanted).find(only_with_series) {
            self.fail(
                "the picture is that of the region",
                &format!("{more} is of nothing"),
            );
        }
    }

    fn check_inventory(&self) {
        let world = self.aws.world();
        for channel in &world.channels {
            let below = format!("channel/{}", channel.id);
            let tags = serde_json::to_value(&channel.tags).unwrap_or_default();
            self.expect(&below, "tags", &tags);
            self.expect(&below, "description", &channel.description.clone().into());
            let endpoints = world
                .endpoints
                .iter()
                .filter(|e| e.channel_id == channel.id);
            let mut endpoints: Vec<&str> = endpoints.map(|e| e.id.as_str()).collect();
            endpoints.sort_unstable();
            self.expect(&below, "endpoints", &endpoints.into());
        }
        for channel in &world.v2.channels {
            let below = format!("channel/{}", channel.id());
            let description = channel.common.description.clone();
            self.expect(&below, "description", &description.into());
        }
        for job in &world.jobs {
            let below = format!("harvest_job/{}", job.id);
            if self.shown(&below).is_object() || job.status == "IN_PROGRESS" {
                self.expect(&below, "status", &job.status.clone().into());
            }
        }
        for topic in self.broker.retained.keys() {
            let job = topic.strip_prefix("mp/x/harvest_job/");
            if job.is_some_and(|id| !world.jobs.iter().any(|job| job.id == id)) {
                self.fail(
                    "the picture is that of the region",
                    &format!("{topic} is of nothing"),
                );
            }
        }
    }

    /// Newest minute that a poll must have shown by now.
    fn newest_minute(&self) -> i64 {
        let pace = self.plan.metrics_interval + Duration::from_secs(60);
        self.aws_now()
            .plus_ms(-SETTLE_MS - pace.as_millis() as i64)
            .minute()
            .0
            - 1
    }

    /// What channels of v1 show are the values of CloudWatch of a minute as new as can be.
    fn check_metrics(&self) {
        let (world, now) = (self.aws.world(), self.aws_now());
        for channel in &world.channels {
            let below = format!("channel/{}/metrics", channel.id);
            let shown = self.shown(&below);
            let minute = timestamp(&shown.to_string()).unwrap_or_default();
            if minute < self.newest_minute() {
                let what = format!("{below} is old: {shown:.300}");
                self.fail("the picture is that of the region", &what);
            }
            for (name, field) in [
                ("EgressBytes", "egress_bytes"),
                ("IngressBytes", "ingress_bytes"),
            ] {
                let key = key(name, [("Channel", channel.id.as_str())].into_iter());
                let series = world.metrics.get(&key);
                let value = series.and_then(|s| s.at(minute, now.0));
                self.expect(&below, field, &value.map(|v| v.round() as i64).into());
            }
        }
    }

    /// The points have come as far as the metrics.
    fn check_points(&self) {
        for channel in &self.aws.world().channels {
            let resource = format!("channel/{}", channel.id);
            let newest = self.truth.newest_point(&resource);
            if newest < Some(self.newest_minute()) {
                let at = newest.map(|minute| UnixMs(minute * 60_000).rfc3339());
                let what = format!("the newest point of {resource} is {at:?}");
                self.fail("each minute once", &what);
            }
        }
    }

    /// A minute that CloudWatch corrected after it went out went out again. Held of what changed
    /// early in this calm and is looked for again: nobody but the process that told a minute
    /// knows what it told.
    fn check_revisions(&self) {
        let world = self.aws.world();
        let key = key("EgressBytes", [("Channel", "ch-0000")].into_iter());
        let Some(series) = world.metrics.get(&key) else {
            return;
        };
        let value = |minute, at: Duration| {
            let value = series.at(minute, super::sim::START.0 + at.as_millis() as i64);
            value.map(|value| value.round() as i64)
        };
        let calm = self.now.saturating_sub(super::CALM);
        let [from, to] = CORRECTED.map(|after| calm + after);
        for (minute, told, bytes) in self.truth.points("channel/ch-0000") {
            let end = (minute + 1) * 60_000 - super::sim::START.0;
            let end = Duration::from_millis(u64::try_from(end).unwrap_or_default());
            let wanted = value(minute, self.now);
            let began_since = self.boots.iter().any(|boot| *boot >= told);
            let is_new = value(minute, from) == bytes && value(minute, to) == wanted;
            let is_looked_for = to <= end + LOOKED_FOR;
            if told < from && is_new && is_looked_for && bytes != wanted && !began_since {
                let at = UnixMs(minute * 60_000).rfc3339();
                let what = format!("{at} of ch-0000 is {wanted:?} now, and was told as {bytes:?}");
                self.fail("each correction is told", &what);
            }
        }
    }

    fn check_alarms(&self) {
        for alarm in &self.aws.world().alarms {
            let below = format!("alarm/{}", alarm.name);
            self.expect(&below, "state", &alarm.state.clone().into());
            let at = UnixMs(alarm.updated_ms).rfc3339_ms();
            self.expect(&below, "updated_at", &at.into());
        }
        // One that is gone may have been told of since; polls have not shown that one.
        for topic in self.broker.retained.keys() {
            let name = topic.strip_prefix("mp/x/alarm/").unwrap_or_default();
            let is_there = self.aws.world().alarms.iter().any(|a| a.name == name);
            if !is_there && self.shown(&format!("alarm/{name}"))["listed"] == true {
                self.fail(
                    "the picture is that of the region",
                    &format!("{topic} is of nothing"),
                );
            }
        }
    }

    /// Each change that the agent must have heard of before the next one is told.
    fn check_changes(&mut self) {
        let all = &self.truth.transitions;
        for (n, change) in all.iter().enumerate().skip(self.changes_checked) {
            if change.optional || !change.told.is_empty() {
                continue;
            }
            let (name, at) = (
                &change.alarm,
                Duration::from_millis((change.at_ms - super::sim::START.0).unsigned_abs()),
            );
            let next = all[n + 1..].iter().find(|t| t.alarm == *name);
            let next = next.map_or(i64::MAX, |t| t.at_ms - super::sim::START.0);
            let booted = |until: Duration| self.boots.iter().any(|b| (at..=until).contains(b));
            // A process takes the last change that the store shows for one that was told.
            let is_pushed = change.heard.is_some_and(|heard| {
                let in_time = (heard.as_millis() as i64) < next;
                in_time && !booted(heard)
            });
            let before = all[..n].iter().rfind(|t| t.alarm == *name);
            // What waited for the broker in a process that ended is found again by the store,
            // unless it went there and back meanwhile.
            let was_told = before.is_some_and(|t| !t.told.is_empty());
            let is_kept = next == i64::MAX && !self.is_tampered && was_told;
            let is_polled = change.sights >= 2
                && (is_kept || !booted(self.now))
                && before.is_some_and(|t| {
                    let known = t.seen_by.is_some() && t.seen_by == change.seen_by;
                    known && t.sights > 0 && t.state != change.state && !t.optional
                });
            if is_pushed || is_polled {
                let what = format!(
                    "{name} > {} of {} is not told (pushed: {is_pushed}, polled: {is_polled})",
                    change.state,
                    super::truth::clock(at)
                );
                self.fail("each alarm once", &what);
            }
        }
        self.changes_checked = all.len();
    }

    /// What was answered 200 or deleted is published, and nothing is left to be taken.
    fn check_messages(&mut self) {
        for id in std::mem::take(&mut self.truth.safe) {
            if !self.truth.messages.contains_key(&id) {
                self.fail("no message is lost", &format!("{id} was never published"));
            }
        }
        let left = self.sent.iter().position(|sent| sent.answered.is_none());
        if let Some(n) = left {
            self.fail(
                "no message is lost",
                &format!("message {n} is not answered"),
            );
        }
        if self.unanswered() > 0 || !self.queue.is_empty() {
            let what = format!("{} requests wait", self.unanswered());
            self.fail("no message is lost", &what);
        }
    }
}
