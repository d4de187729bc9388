//! A region of AWS as a simple model: what exists, which series have which points, and from
//! when on each point can be seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::cloud::Cloud;
use crate::engine::{Job, Outcome, Question};
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::{Api, Channel, Endpoint, IngestEndpoint, Tags};
use crate::state::polled::{self, AlarmKind, Column, ListedMetric, PolledAlarm, Query};
use crate::state::time::{Minute, UnixMs};

/// How long after the end of its minute a point can be seen.
pub const VISIBLE_AFTER_MS: i64 = 60_000;

/// A kind of question, to let it fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Inventory,
    ListV2,
    Details,
    HarvestV1,
    HarvestV2,
    Vod,
    Series,
    Metrics,
    Alarms,
}

impl Kind {
    pub fn of(job: &Job) -> Kind {
        match job {
            Job::Inventory => Kind::Inventory,
            Job::ListV2(_) => Kind::ListV2,
            Job::Details(_) => Kind::Details,
            Job::Harvest(Api::V1, ..) => Kind::HarvestV1,
            Job::Harvest(Api::V2, ..) => Kind::HarvestV2,
            Job::Vod => Kind::Vod,
            Job::Series(_) => Kind::Series,
            Job::Metrics(_) => Kind::Metrics,
            Job::Alarms => Kind::Alarms,
            Job::Queue(_) => unreachable!("the rig has the queue"),
        }
    }
}

/// From a moment on, this value of a minute.
type Exception = (i64, Option<f64>);

/// One asked `GetMetricData`.
pub struct Asked {
    pub series: Vec<String>,
    pub end: Minute,
}

#[derive(Default)]
pub struct Region {
    pub channels: BTreeMap<String, Channel>,
    pub endpoints: BTreeMap<String, Endpoint>,
    /// v2, harvest jobs and VOD.
    pub cloud: Cloud,
    pub alarms: Vec<PolledAlarm>,
    pub listed: BTreeSet<String>,
    pub faults: BTreeMap<Kind, Fault>,
    pub asked: Vec<Asked>,
    pub polls: BTreeMap<Kind, Vec<UnixMs>>,
    feeds: HashMap<String, Vec<(Range<i64>, f64)>>,
    exceptions: HashMap<(String, i64), Vec<Exception>>,
}

pub fn channel(id: &str) -> Channel {
    let input = |side: &str| IngestEndpoint {
        id: format!("{id}-{side}"),
        url: None,
    };
    Channel {
        id: id.into(),
        api: Api::V1,
        channel_group: None,
        arn: Some(format!(
            "arn:aws:mediapackage:eu-central-1:123456789012:channels/guid-{id}"
        )),
        description: None,
        created_at: None,
        modified_at: None,
        ingest_endpoints: vec![input("a"), input("b")],
        input_type: Some("HLS".into()),
        tags: Tags::new(),
        egress_access_logs: None,
        ingress_access_logs: None,
    }
}

pub fn endpoint(id: &str, channel: &str) -> Endpoint {
    Endpoint {
        id: id.into(),
        api: Api::V1,
        channel_id: Some(channel.into()),
        arn: Some(format!(
            "arn:aws:mediapackage:eu-central-1:123456789012:origin_endpoints/guid-{id}"
        )),
        description: None,
        created_at: None,
        modified_at: None,
        url: None,
        manifest_name: None,
        package: None,
        segment_duration_seconds: None,
        encrypted: Some(false),
        startover_window_seconds: None,
        time_delay_seconds: None,
        origination: None,
        manifests: Vec::new(),
        tags: Tags::new(),
    }
}

pub fn alarm(name: &str, state: &str, updated_at: UnixMs) -> PolledAlarm {
    PolledAlarm {
        name: name.into(),
        arn: format!("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{name}"),
        kind: AlarmKind::Metric,
        state: state.into(),
        reason: None,
        description: None,
        updated_at: Some(updated_at),
        namespace: Some("AWS/MediaPackage".into()),
        metric: Some("IngressBytes".into()),
        dimensions: Vec::new(),
        threshold: Some(1.0),
        comparison: None,
        actions_enabled: Some(true),
        actions_suppressed: None,
        rule: None,
        of_mediapackage: true,
    }
}

/// `IngressBytes Channel=c1 IngestEndpoint=c1-a`: the name of a series in these tests.
fn series_name(query: &Query) -> String {
    let mut name = query.metric.to_owned();
    for (dimension, value) in &query.dimensions {
        name.push_str(&format!(" {dimension}={value}"));
    }
    name
}

pub fn listed_metric(series: &str) -> ListedMetric {
    let mut words = series.split(' ');
    let name = words.next().unwrap();
    let mut pairs: Vec<_> = words.map(|word| word.split_once('=').unwrap()).collect();
    ListedMetric::new(name, &mut pairs).unwrap()
}

impl Region {
    pub fn add_channel(&mut self, id: &str) {
        self.channels.insert(id.into(), channel(id));
    }

    pub fn add_endpoint(&mut self, id: &str, channel: &str) {
        self.endpoints.insert(id.into(), endpoint(id, channel));
    }

    /// A channel with everything: two inputs that receive, one endpoint that is watched.
    pub fn add_live(&mut self, id: &str, minutes: Range<i64>) {
        self.add_channel(id);
        let endpoint = format!("{id}-hls");
        self.add_endpoint(&endpoint, id);
        for (series, value) in [
            (format!("IngressBytes Channel={id}"), 6e6),
            (format!("IngressResponseTime Channel={id}"), 12.34),
            (format!("EgressBytes Channel={id}"), 3e6),
            (format!("EgressRequestCount Channel={id}"), 100.0),
            (format!("EgressResponseTime Channel={id}"), 5.0),
            (
                format!("IngressBytes Channel={id} IngestEndpoint={id}-a"),
                3e6,
            ),
            (
                format!("IngressBytes Channel={id} IngestEndpoint={id}-b"),
                3e6,
            ),
            (
                format!("EgressBytes Channel={id} OriginEndpoint={endpoint}"),
                3e6,
            ),
            (
                format!("EgressRequestCount Channel={id} OriginEndpoint={endpoint}"),
                100.0,
            ),
        ] {
            self.feed(&series, minutes.clone(), value);
        }
    }

    /// Points of one value over a run of minutes; the series is listed from now on.
    pub fn feed(&mut self, series: &str, minutes: Range<i64>, value: f64) {
        self.listed.insert(series.into());
        let feed = self.feeds.entry(series.into()).or_default();
        feed.push((minutes, value));
    }

    /// The series ends: later minutes have no points.
    pub fn stop(&mut self, series: &str, at: i64) {
        for (minutes, _) in self.feeds.get_mut(series).into_iter().flatten() {
            minutes.end = minutes.end.min(at);
        }
    }

    /// From `from` on this minute has this value, or none.
    pub fn set(&mut self, series: &str, minute: i64, from: UnixMs, value: Option<f64>) {
        let rows = self.exceptions.entry((series.into(), minute)).or_default();
        rows.push((from.0, value));
    }

    /// What `GetMetricData` gives for this minute at `now`.
    pub fn value(&self, series: &str, minute: i64, now: UnixMs) -> Option<f64> {
        let exceptions = self.exceptions.get(&(series.to_owned(), minute));
        let seen = exceptions.and_then(|rows| rows.iter().rfind(|(from, _)| *from <= now.0));
        if let Some((_, value)) = seen {
            return *value;
        }
        if Minute(minute).plus(1).start().0 + VISIBLE_AFTER_MS > now.0 {
            return None;
        }
        let feed = self.feeds.get(series)?;
        let found = feed.iter().rfind(|(minutes, _)| minutes.contains(&minute));
        found.map(|(_, value)| *value)
    }

    pub fn fail(&mut self, kind: Kind) {
        let fault = Fault::new(FaultKind::Server, format!("{kind:?} failed"), "");
        self.faults.insert(kind, fault);
    }

    pub fn heal(&mut self, kind: Kind) {
        self.faults.remove(&kind);
    }

    pub fn polls(&self, kind: Kind) -> &[UnixMs] {
        self.polls.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// What comes of a job that ends now, and whether there was any answer to learn from.
    pub fn answer(&mut self, job: Job, now: UnixMs) -> (Outcome, bool) {
        let kind = Kind::of(&job);
        self.polls.entry(kind).or_default().push(now);
        let fault = self.faults.get(&kind).cloned();
        let answered = fault.is_none();
        let checked = fault.map_or(Ok(()), Err);
        let outcome = match job {
            Job::Inventory => Outcome::Inventory(checked.map(|()| polled::Inventory {
                channels: self.channels.values().cloned().collect(),
                endpoints: self.endpoints.values().cloned().collect(),
            })),
            job @ (Job::ListV2(_) | Job::Details(_) | Job::Harvest(..) | Job::Vod) => {
                self.cloud.answer(job, checked)
            }
            Job::Series(_) => {
                let rows = self.listed.iter().map(|name| listed_metric(name));
                Outcome::Series(checked.map(|()| rows.collect()))
            }
            Job::Alarms => Outcome::Alarms(checked.map(|()| self.alarms.clone())),
            Job::Queue(_) => unreachable!("the rig has the queue"),
            Job::Metrics(question) => {
                let columns = checked.map(|()| self.columns(&question, now));
                Outcome::Metrics(question, columns)
            }
        };
        (outcome, answered)
    }

    fn columns(&mut self, question: &Question, now: UnixMs) -> Vec<Column> {
        let series = question.series.iter().map(|s| series_name(&s.query));
        let series: Vec<String> = series.collect();
        let column = |name: &String| Column {
            first: question.first,
            values: (question.first.0..question.end.0)
                .map(|minute| self.value(name, minute, now).unwrap_or(f64::NAN))
                .collect(),
        };
        let columns = series.iter().map(column).collect();
        self.asked.push(Asked {
            series,
            end: question.end,
        });
        columns
    }
}
