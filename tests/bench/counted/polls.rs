//! Polls of a hundred channels: parse, engine, outbox, render.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mediapackage2mqtt::aws::{cloudwatch, mediapackage};
use mediapackage2mqtt::engine::ownership::Store;
use mediapackage2mqtt::engine::{
    BrokerEvent, Effect, Engine, Event, HomeAssistant, Job, Now, Outcome, Polled, Question,
    Settings,
};
use mediapackage2mqtt::state::apis::MediaApi;
use mediapackage2mqtt::state::catalogue;
use mediapackage2mqtt::state::glob::Glob;
use mediapackage2mqtt::state::polled::Inventory;
use mediapackage2mqtt::state::time::{Mono, UnixMs};
use mediapackage2mqtt::state::wish::{AlarmsKept, MetricsLevel, Wish};
use serde_json::{Value, json};

use crate::region::server::{Answer, Request};
use crate::region::{self, Alarm, Clock, Seen, World};
use crate::tape::Tape;

const CHANNELS: usize = 100;
const ENDPOINTS_A_CHANNEL: usize = 4;
const ALARMS: usize = 30;
/// Of the channels, where some change.
const CHANGED_CHANNELS: usize = CHANNELS / 20;
/// 2026-11-22T10:00:00Z.
const START: UnixMs = UnixMs(1_795_341_600_000);

/// What a round brings.
pub struct Kind {
    /// Between two polls.
    interval: Duration,
    /// Whether channels change.
    changes: bool,
}

/// All is as it was, and no minute has been settled.
pub const UNCHANGED: Kind = Kind {
    interval: Duration::from_secs(1),
    changes: false,
};
/// The same, but a twentieth of the channels is described anew and has a corrected minute.
pub const CHANGED: Kind = Kind {
    interval: Duration::from_secs(1),
    changes: true,
};
/// A minute has been settled.
pub const NEW_MINUTE: Kind = Kind {
    interval: Duration::from_secs(60),
    changes: false,
};

/// Runs so many rounds against a region, and keeps its answers.
pub fn record(kind: &Kind, rounds: usize) -> Tape {
    let mut world = World::new("eu-central-1")
        .with_channels(CHANNELS, ENDPOINTS_A_CHANNEL)
        .standard_metrics();
    for n in 0..ALARMS {
        let channel = format!("ch-{n:04}");
        let name = format!("{channel}-silent");
        let dimensions = [("Channel", channel.as_str())];
        world.put_alarm(Alarm::metric(&name, "IngressBytes", &dimensions));
    }
    let mut tape = Tape::default();
    let mut drive = Drive::new(kind);
    for round in 0..rounds {
        if kind.changes && round > 0 {
            change(&mut world, round, drive.wall());
        }
        drive.round(|job, now| {
            world.clock = Clock::Fixed(now.0);
            let pages = pages(&world, job);
            tape.push(pages.len().to_string().into_bytes());
            pages.iter().for_each(|page| tape.push(page.clone()));
            pages
        });
    }
    assert!(drive.published > 0, "nothing went out");
    tape
}

/// The same with answers that were kept.
pub fn run(kind: &Kind, mut tape: Tape, rounds: usize) {
    let mut drive = Drive::new(kind);
    for _ in 0..rounds {
        drive.round(|_, _| {
            let count: usize = String::from_utf8(tape.next()).unwrap().parse().unwrap();
            (0..count).map(|_| tape.next()).collect()
        });
    }
}

/// A twentieth of the channels is described anew, and CloudWatch corrects what is shown of it.
fn change(world: &mut World, round: usize, now: UnixMs) {
    let shown = now.plus_ms(-(SETTLE.as_millis() as i64)).minute().0 - 1;
    for n in 0..CHANGED_CHANNELS {
        let id = format!("ch-{:04}", n * CHANNELS / CHANGED_CHANNELS);
        world.channel(&id).description = Some(format!("Round {round}"));
        let series = world.metrics.series("EgressBytes", &[("Channel", &id)]);
        series.revise(shown, now.0, round as f64);
    }
}

/// An engine, and the world around it that does all at once.
struct Drive {
    engine: Engine,
    interval: Duration,
    now: Duration,
    events: VecDeque<Event>,
    published: usize,
}

impl Drive {
    fn new(kind: &Kind) -> Drive {
        let now = Now {
            mono: Mono::default(),
            wall: START,
        };
        Drive {
            engine: Engine::new(settings(kind.interval), now),
            interval: kind.interval,
            now: Duration::ZERO,
            events: VecDeque::from([Event::Started]),
            published: 0,
        }
    }

    fn wall(&self) -> UnixMs {
        START.plus_ms(self.now.as_millis() as i64)
    }

    fn moment(&self) -> Now {
        Now {
            mono: Mono(self.now),
            wall: self.wall(),
        }
    }

    /// Up to the moment before the next polls begin.
    fn round(&mut self, mut answer: impl FnMut(&Job, UnixMs) -> Vec<Vec<u8>>) {
        let end = self.now + self.interval;
        loop {
            while let Some(event) = self.events.pop_front() {
                let mut taken = Vec::new();
                for effect in self.engine.handle(self.moment(), event) {
                    match effect {
                        Effect::Publish(publication) => taken.push(publication.token),
                        effect => self.carry_out(effect, &mut answer),
                    }
                }
                if !taken.is_empty() {
                    self.published += taken.len();
                    let taken = BrokerEvent::Acknowledged(taken);
                    self.events.push_back(Event::Broker(taken));
                }
            }
            let next = self.engine.deadline(self.moment()).0;
            if next >= end {
                self.now = end;
                self.events.push_back(Event::Tick { memory_bytes: None });
                return;
            }
            self.now = next;
            self.events.push_back(Event::Tick { memory_bytes: None });
        }
    }

    fn carry_out(&mut self, effect: Effect, answer: &mut impl FnMut(&Job, UnixMs) -> Vec<Vec<u8>>) {
        let event = match effect {
            Effect::Poll(job) => {
                let pages = answer(&job, self.wall());
                Event::Polled(Polled {
                    requests: pages.len() as u64,
                    outcome: outcome(job, &pages),
                    began: Mono(self.now),
                    took: Duration::ZERO,
                    clock_offset_ms: Some(0),
                })
            }
            // Nothing is held against a store that was not read to its end.
            Effect::ReadStore(request) => Event::Store(Ok(Store {
                topics: Vec::new(),
                complete: request.at_start,
            })),
            Effect::Connect => Event::Broker(BrokerEvent::Connected),
            _ => return,
        };
        self.events.push_back(event);
    }
}

/// CloudWatch's minutes are final so long after their end.
const SETTLE: Duration = Duration::from_secs(180);

fn settings(interval: Duration) -> Settings {
    Settings {
        version: "1.0.0",
        region: String::from("eu-central-1"),
        base_topic: String::from("mediapackage"),
        instance: String::from("eu-central-1"),
        home_assistant: HomeAssistant {
            enabled: false,
            prefix: String::from("homeassistant"),
            wait: Duration::from_secs(60),
        },
        flat: false,
        wish: Wish {
            include: vec![Glob::new("*")],
            exclude: Vec::new(),
            level: MetricsLevel::Full,
            metrics_interval: interval,
            settle: SETTLE,
            ingest_lost_after: Duration::from_secs(300),
            alarms: AlarmsKept::MediaPackage,
            alarm_include: Vec::new(),
            alarm_exclude: Vec::new(),
        },
        apis: vec![MediaApi::V1],
        detail_tries: 3,
        topic_arns: Vec::new(),
        listens: false,
        page: None,
        queue_url: None,
        inventory_interval: interval,
        alarms_interval: interval,
        publishes_per_second_max: 0,
        monthly_budget_usd: 0.0,
        price_per_1000_metrics_usd: 0.01,
        meter_file: Ok(None),
        needs_clock: false,
        earliest_date: START,
        agent_id: Some(String::from("0123456789abcdef")),
        first_session_wait: Duration::from_secs(5),
        supervised: false,
        take_over: false,
        seed: 1,
    }
}

/// What a poller makes of these pages.
fn outcome(job: Job, pages: &[Vec<u8>]) -> Outcome {
    match job {
        Job::Inventory => {
            let (mut channels, mut endpoints) = (BTreeMap::new(), BTreeMap::new());
            // The pages of channels come first.
            for page in pages {
                match mediapackage::read_channels("ListChannels", page) {
                    Ok((some, _)) => channels.extend(some),
                    Err(_) => {
                        let read = mediapackage::read_endpoints("ListOriginEndpoints", page);
                        endpoints.extend(read.unwrap().0);
                    }
                }
            }
            Outcome::Inventory(Ok(Inventory {
                channels: channels.into_values().collect(),
                endpoints: endpoints.into_values().collect(),
            }))
        }
        Job::Harvest(api, ..) => Outcome::Harvest(api, Ok(Vec::new())),
        Job::Alarms => {
            let read = pages
                .iter()
                .map(|page| cloudwatch::read_alarms(page).unwrap().0);
            Outcome::Alarms(Ok(read.flatten().collect()))
        }
        Job::Series(level) => {
            let read = |page: &Vec<u8>| cloudwatch::read_metrics("ListMetrics", page).unwrap().0;
            let rows = pages.iter().flat_map(read);
            Outcome::Series(Ok(rows
                .filter(|row| catalogue::is_asked(row, level))
                .collect()))
        }
        Job::Metrics(question) => {
            let Question {
                series, first, end, ..
            } = &question;
            let mut columns =
                cloudwatch::Columns::new(series.len(), *first, (end.0 - first.0) as usize);
            for page in pages {
                columns.take_page(page).unwrap();
            }
            let columns = columns.complete();
            Outcome::Metrics(question, columns)
        }
        other => panic!("nobody asked for {other:?}"),
    }
}

/// What the region answers.
fn pages(world: &World, job: &Job) -> Vec<Vec<u8>> {
    match job {
        Job::Inventory => [
            ("ListChannels", "/channels"),
            ("ListOriginEndpoints", "/origin_endpoints"),
        ]
        .map(|(operation, path)| list(world, operation, path))
        .concat(),
        Job::Harvest(..) => Vec::new(),
        Job::Alarms => ask(world, "DescribeAlarms", json!({"MaxRecords": 100})),
        Job::Series(_) => ask(
            world,
            "ListMetrics",
            json!({"Namespace": "AWS/MediaPackage"}),
        ),
        Job::Metrics(question) => {
            let queries = question.series.iter().enumerate().map(|(n, series)| {
                let dimensions = series.query.dimensions.iter();
                let dimensions: Vec<Value> = dimensions
                    .map(|(name, value)| json!({"Name": name, "Value": &**value}))
                    .collect();
                let metric = json!({
                    "Namespace": "AWS/MediaPackage",
                    "MetricName": series.query.metric,
                    "Dimensions": dimensions,
                });
                let stat = series.query.statistic.as_str();
                let stat = json!({"Metric": metric, "Period": 60, "Stat": stat});
                json!({"Id": format!("m{n}"), "MetricStat": stat})
            });
            let request = json!({
                "MetricDataQueries": queries.collect::<Vec<_>>(),
                "StartTime": question.first.0 * 60,
                "EndTime": question.end.0 * 60,
                "ScanBy": "TimestampAscending",
            });
            ask(world, "GetMetricData", request)
        }
        other => panic!("nobody asked for {other:?}"),
    }
}

/// Every page of an operation of CloudWatch.
fn ask(world: &World, operation: &str, mut body: Value) -> Vec<Vec<u8>> {
    let mut pages = Vec::new();
    loop {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let request = Request {
            method: String::from("POST"),
            path: String::from("/"),
            query: String::new(),
            headers: vec![
                header(
                    "x-amz-target",
                    &format!("GraniteServiceVersion20100801.{operation}"),
                ),
                header("content-type", "application/x-amz-json-1.0"),
            ],
            body: body.to_string().into_bytes(),
            port: 0,
        };
        let answer = region::cloudwatch::serve(world, &request, &mut Seen::default());
        let next = push(&mut pages, answer.ok(), "NextToken");
        match next {
            Some(next) => body["NextToken"] = json!(next),
            None => return pages,
        }
    }
}

/// All of a listing of MediaPackage, which is one page.
fn list(world: &World, operation: &str, path: &str) -> Vec<Vec<u8>> {
    let request = Request {
        method: String::from("GET"),
        path: path.to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
        port: 0,
    };
    let mut seen = Seen {
        operation: operation.to_owned(),
        ..Seen::default()
    };
    let mut pages = Vec::new();
    let answer = region::mediapackage::serve(world, &request, &mut seen);
    let next = push(&mut pages, answer.ok(), "nextToken");
    assert_eq!(next, None, "{operation} has more than a page");
    pages
}

/// Keeps an answer; the token of the next one.
fn push(pages: &mut Vec<Vec<u8>>, answer: Option<Answer>, token: &str) -> Option<String> {
    let body = answer.expect("the region refuses nothing").body;
    let value: Value = serde_json::from_slice(&body).unwrap();
    pages.push(body);
    value[token].as_str().map(str::to_owned)
}
