//! The month's bill and the interval of metrics over time.

use serde_json::Value;

use super::rig::{START, settings};
use super::*;
use crate::engine::{
    BrokerEvent, Effect, Engine, Event, Job, Now, Outcome, Polled, Question, Settings,
};
use crate::state::polled::Column;
use crate::state::time::{Mono, UnixMs};
use crate::state::wish::MetricsLevel;

const DAY: u64 = 86_400;
/// From the start of the simulations, 22 November 10:00, to the end of the month.
const TO_DECEMBER: u64 = 8 * DAY + 14 * 3600;

/// A file that says so many metrics were counted in a month.
fn file(month: &str, metrics: u64) -> String {
    format!(
        "{{\"schema\":1,\"months\":[{{\"month\":\"{month}\",\"metrics\":{metrics},\
         \"requests\":0,\"queue_requests\":0}}]}}"
    )
}

/// One channel: 11 metrics a poll. With alarms and lists 0.41 USD until the end of November at
/// 5 minutes, 0.23 at 15.
fn rig_with(budget: f64, counted: u64) -> Rig {
    Rig::with(live(&["c1"]), |s| {
        s.monthly_budget_usd = budget;
        s.meter_file = Ok(Some(file("2026-11", counted)));
    })
}

fn cost(rig: &Rig) -> Value {
    rig.json("agent/stats")["cost"].clone()
}

fn logged(rig: &Rig, text: &str) -> usize {
    rig.log.iter().filter(|line| line.contains(text)).count()
}

fn refresh(rig: &mut Rig) {
    rig.handle(Event::Broker(BrokerEvent::Received {
        topic: "mp/x/command/refresh".into(),
        payload: Vec::new(),
        retained: false,
    }));
}

#[test]
fn a_budget_that_is_too_small_lengthens_the_interval_before_the_first_poll_has_ended() {
    // 10 USD are spent.
    let mut rig = rig_with(10.34, 1_000_000);
    rig.to(DAY);
    let polls = rig.region.polls(Kind::Metrics);
    let gaps: Vec<i64> = polls.windows(2).map(|w| (w[1].0 - w[0].0) / 1000).collect();
    assert!((450..=900).contains(&gaps[0]), "its phase: {gaps:?}");
    assert!(gaps[1..].iter().all(|gap| *gap == 900), "{gaps:?}");
    assert_eq!(
        logged(&rig, "metrics are asked every 15 min from now on"),
        1
    );
    assert_eq!(logged(&rig, "a month at this pace costs about $"), 1);
    assert_eq!(logged(&rig, "metrics are asked"), 1);
    let cost = cost(&rig);
    assert_eq!(cost["effective_interval_seconds"], 900);
    assert_eq!(cost["budget_usd"], 10.34);
    assert!(cost["usd"].as_f64().unwrap() > 10.0, "{cost}");
    let forecast = cost["forecast_usd"].as_f64().unwrap();
    assert!((10.2..10.34).contains(&forecast), "{cost}");
    assert_eq!(rig.json("agent")["health"], "ok", "the budget is kept to");
    // Nothing else gives way.
    assert!(rig.region.polls(Kind::Alarms).len() > 1430);
    assert!(rig.region.polls(Kind::Inventory).len() > 1430);
}

#[test]
fn at_an_hour_every_minute_is_told_and_nothing_is_late() {
    let mut rig = rig_with(10.05, 1_000_000);
    rig.to(6 * 3600);
    assert_eq!(cost(&rig)["effective_interval_seconds"], 3600);
    let points = rig.points("channel/c1/point");
    let minutes: Vec<i64> = points.iter().map(|p| p.parse().unwrap()).collect();
    assert!(minutes.windows(2).all(|w| w[1] == w[0] + 1), "{minutes:?}");
    assert!(minutes.len() > 300, "{minutes:?}");
    let shown = rig.messages("channel/c1/metrics");
    let all = |key: &str| shown.iter().map(|m| m[key].clone()).collect::<Vec<_>>();
    assert!(all("state").iter().all(|s| s == "current"), "{shown:?}");
    assert!(
        all("window_seconds")[2..].iter().all(|s| s == 3600),
        "{shown:?}"
    );
    assert_eq!(rig.json("source/metrics"), "online");
    assert_eq!(rig.json("channel/c1/health")["health"], "ok");
}

#[test]
fn a_new_month_shortens_the_interval_and_nothing_is_late_or_offline_meanwhile() {
    let mut rig = rig_with(10.0, 996_500);
    rig.skip(Duration::from_secs(TO_DECEMBER - 10 * 3600));
    rig.to(TO_DECEMBER - 60);
    let interval = cost(&rig)["effective_interval_seconds"].as_u64().unwrap();
    assert!(interval >= 1800, "{interval}");
    let before = rig.broker.log.len();
    rig.to(TO_DECEMBER + 3600);
    let cost = cost(&rig);
    assert_eq!(cost["effective_interval_seconds"], 300);
    assert!(cost["metrics_billed"].as_u64().unwrap() < 11 * 15, "{cost}");
    assert_eq!(logged(&rig, "2026-11 has cost about $"), 1);
    assert_eq!(logged(&rig, "metrics are asked every 5 min again"), 1);
    let told = |message: &&rig::Message| {
        message.payload.contains("\"late\"")
            || message.topic.contains("/source/") && message.payload == "offline"
    };
    let all = rig.broker.log[before..].iter().find(told);
    assert!(all.is_none(), "{}", all.unwrap().topic);
    let polls = rig.region.polls(Kind::Metrics);
    let of_december = polls
        .iter()
        .filter(|at| at.0 >= START.0 + TO_DECEMBER as i64 * 1000);
    assert!(of_december.count() >= 11);
}

#[test]
fn a_budget_that_cannot_be_held_is_told_once_and_where_it_can_be_seen() {
    let mut rig = rig_with(10.0, 1_000_000);
    rig.to(DAY);
    let agent = rig.json("agent");
    assert_eq!(agent["health"], "degraded");
    let reason = agent["reasons"][0].as_str().unwrap();
    assert!(reason.contains("monthly_budget_usd = 10, also with metrics every 60 min"));
    assert!(reason.contains("raise the budget"), "{reason}");
    assert_eq!(logged(&rig, "this month exceeds monthly_budget_usd"), 1);
    assert_eq!(
        logged(&rig, "metrics are asked every 60 min from now on"),
        1
    );
    assert!(rig.region.polls(Kind::Metrics).len() >= 24, "they go on");
    assert_eq!(rig.json("source/metrics"), "online");
    rig.skip(Duration::from_secs(TO_DECEMBER - DAY));
    rig.minutes(10);
    assert_eq!(rig.json("agent")["health"], "ok");
    assert_eq!(logged(&rig, "is kept to again"), 1);
}

#[test]
fn nothing_is_decided_before_it_is_known_what_a_poll_asks_for() {
    let mut rig = rig_with(10.0, 1_000_000);
    rig.slow = Some((Kind::Inventory, Duration::from_secs(20)));
    rig.to(15);
    assert!(
        !rig.region.polls(Kind::Alarms).is_empty(),
        "the month is known"
    );
    assert!(rig.kept.is_empty(), "nor is an hour's worth kept ahead");
    assert_eq!(logged(&rig, "metrics are asked"), 0);
    rig.to(30);
    assert_eq!(
        logged(&rig, "metrics are asked every 60 min from now on"),
        1
    );
    assert_eq!(logged(&rig, "lower metrics, take fewer channels"), 1);
    assert_eq!(rig.kept.len(), 1);
}

#[test]
fn without_a_limit_and_above_an_hour_the_interval_is_as_configured() {
    for (budget, seconds) in [(0.0, 300), (0.001, 2 * 3600)] {
        let mut rig = Rig::with(live(&["c1"]), |s| {
            s.monthly_budget_usd = budget;
            s.wish.metrics_interval = Duration::from_secs(seconds);
            s.meter_file = Ok(Some(file("2026-11", 900_000_000)));
        });
        rig.to(600);
        assert_eq!(cost(&rig)["effective_interval_seconds"], seconds);
        assert_eq!(logged(&rig, "metrics are asked"), 0);
        assert_eq!(
            logged(&rig, "this month exceeds"),
            usize::from(budget > 0.0)
        );
    }
}

#[test]
fn a_refresh_polls_metrics_only_within_the_budget() {
    for (budget, polled) in [(0.0, true), (25.0, true), (10.0, false)] {
        let mut rig = rig_with(budget, 1_000_000);
        rig.to(400);
        let before =
            [Kind::Inventory, Kind::Alarms, Kind::Metrics].map(|kind| rig.region.polls(kind).len());
        refresh(&mut rig);
        rig.run_for(Duration::from_secs(2));
        let after =
            [Kind::Inventory, Kind::Alarms, Kind::Metrics].map(|kind| rig.region.polls(kind).len());
        assert_eq!(after[..2], [before[0] + 1, before[1] + 1], "{budget}");
        assert_eq!(after[2] - before[2], usize::from(polled), "{budget}");
        let told = logged(&rig, "monthly_budget_usd allows no other poll");
        assert_eq!(told, usize::from(!polled), "{budget}");
    }
}

#[test]
fn what_is_asked_again_within_a_poll_is_counted_again() {
    let mut rig = rig_with(0.0, 0);
    rig.tries = 3;
    rig.to(100);
    assert_eq!(cost(&rig)["metrics_billed"], 3 * 11);
}

/// What does not get through leaves something to catch up with after each new session.
#[test]
fn sessions_that_end_again_and_again_hardly_poll_metrics_more_often() {
    // Regular are 24 polls in two hours at 5 minutes, 2 at an hour.
    for (budget, polls) in [(10.0, 3..=4), (0.0, 25..=50), (25.0, 25..=50)] {
        let mut rig = rig_with(budget, 1_000_000);
        rig.to(100);
        // The broker ends the session of whoever sends a point.
        rig.broker.poison = Some("\"revised\"".to_owned());
        rig.to(7300);
        let asked = rig.region.polls(Kind::Metrics).len();
        assert!(polls.contains(&asked), "{budget}: {asked}");
        rig.broker.poison = None;
        rig.to(11_000);
        let points = rig.points("channel/c1/point");
        let minutes: Vec<i64> = points.iter().map(|p| p.parse().unwrap()).collect();
        assert!(minutes.windows(2).all(|w| w[1] == w[0] + 1), "{minutes:?}");
        assert!(rig.holds("channel/c1/metrics"), "{budget}");
    }
}

#[test]
fn a_day_takes_at_most_24_writes_and_what_is_kept_is_never_less_than_what_was_asked() {
    let mut rig = rig_with(25.0, 1000);
    let mut next = 0;
    while next < DAY {
        next += 1800;
        rig.to(next);
        let asked: usize = rig
            .region
            .asked
            .iter()
            .map(|asked| asked.series.len())
            .sum();
        let (_, kept) = rig.kept.last().unwrap();
        let kept: Value = serde_json::from_str(kept).unwrap();
        let kept = kept["months"][0]["metrics"].as_u64().unwrap() as usize;
        // An hour's worth is 13 polls.
        assert!(
            (asked + 1000..=asked + 1000 + 13 * 11).contains(&kept),
            "{kept} {asked}"
        );
    }
    assert!((20..=24).contains(&rig.kept.len()), "{}", rig.kept.len());
    rig.handle(Event::Stop);
    rig.run_for(Duration::from_secs(5));
    assert!(rig.finished && rig.kept.len() <= 25);
    let asked: usize = rig
        .region
        .asked
        .iter()
        .map(|asked| asked.series.len())
        .sum();
    let (_, last) = rig.kept.last().unwrap();
    assert!(
        last.contains(&format!("\"metrics\":{},", asked + 1000)),
        "{last}"
    );
}

#[test]
fn an_agent_that_asks_nothing_that_is_billed_writes_nothing() {
    let mut rig = Rig::with(live(&["c1"]), |s| {
        s.wish.level = MetricsLevel::Off;
        s.wish.alarms = crate::state::wish::AlarmsKept::Off;
        s.meter_file = Ok(Some(file("2026-11", 1000)));
    });
    rig.to(DAY);
    rig.handle(Event::Stop);
    rig.run_for(Duration::from_secs(5));
    assert!(rig.finished && rig.kept.is_empty(), "{:?}", rig.kept);
}

#[test]
fn a_restart_goes_on_counting() {
    let mut rig = rig_with(25.0, 0);
    for start in 1..5 {
        rig.run_for(Duration::from_secs(700));
        rig.to(start * 1000);
        let kept = rig.kept.last().unwrap().1.clone();
        let settings = Settings {
            meter_file: Ok(Some(kept)),
            ..settings()
        };
        rig.crash(settings, 0, Duration::ZERO);
    }
    rig.run_for(Duration::from_secs(700));
    let asked: u64 = rig.region.asked.iter().map(|a| a.series.len() as u64).sum();
    let billed = cost(&rig)["metrics_billed"].as_u64().unwrap();
    assert!(
        (asked..=asked + 4 * 13 * 11).contains(&billed),
        "{asked} {billed}"
    );
}

#[test]
fn a_file_that_cannot_be_taken_is_told_and_counts_nothing() {
    for meter_file in [
        Ok(Some("{\"schema\"".to_owned())),
        Err("no way in".to_owned()),
    ] {
        let mut rig = Rig::with(live(&["c1"]), |s| s.meter_file = meter_file.clone());
        rig.to(100);
        assert_eq!(logged(&rig, "the kept meter is not taken"), 1);
        assert_eq!(cost(&rig)["metrics_billed"], 11);
        assert_eq!(rig.json("agent")["health"], "ok");
    }
    // Of a month to come: it was counted by a wrong clock.
    let mut rig = Rig::with(live(&["c1"]), |s| {
        s.meter_file = Ok(Some(file("2027-03", 500)));
    });
    rig.to(100);
    assert_eq!(cost(&rig)["metrics_billed"], 511);
    assert_eq!(logged(&rig, "counted for 2027-03, which has not begun"), 1);
}

#[test]
fn the_month_is_that_of_awss_clock_whatever_ours_shows() {
    for wrong_days in [-60, 400] {
        let mut rig = Rig::with(live(&["c1"]), |s| {
            s.meter_file = Ok(Some(file("2026-11", 1000)));
            s.needs_clock = false;
        });
        rig.wall_error_ms = wrong_days * DAY as i64 * 1000;
        rig.to(100);
        assert_eq!(cost(&rig)["metrics_billed"], 1011, "{wrong_days}");
        // Our clock is set right; AWS's goes on.
        rig.wall_error_ms = 0;
        rig.to(1000);
        assert_eq!(cost(&rig)["metrics_billed"], 1000 + 11 * 4, "{wrong_days}");
        assert!(rig.kept.iter().all(|(_, text)| text.contains("2026-11")));
    }
}

/// A hundred channels for a month, without a broker, all answers at once and empty.
struct Month {
    engine: Engine,
    region: Region,
    settings: Settings,
    now: Now,
    asked: u64,
    kept: Vec<String>,
    log: Vec<String>,
}

/// Time between two looks of the month, and between two polls of alarms.
const LOOK: Duration = Duration::from_secs(900);

impl Month {
    fn new(budget: f64) -> Month {
        let mut region = Region::default();
        for n in 0..100 {
            region.add_channel(&format!("c{n}"));
        }
        let mut settings = settings();
        settings.wish.level = MetricsLevel::Channels;
        settings.monthly_budget_usd = budget;
        settings.inventory_interval = Duration::from_secs(3600);
        settings.alarms_interval = LOOK;
        let now = Now {
            mono: Mono::default(),
            wall: UnixMs::parse("2026-12-01T00:00:00Z").unwrap(),
        };
        Month {
            engine: Engine::new(settings.clone(), now),
            region,
            settings,
            now,
            asked: 0,
            kept: Vec::new(),
            log: Vec::new(),
        }
    }

    fn handle(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.engine.handle(self.now, event) {
                match effect {
                    Effect::Poll(job) => events.push(self.answer(job)),
                    Effect::KeepMeter(text) => {
                        self.kept.push(text);
                        events.push(Event::MeterKept(Ok(())));
                    }
                    Effect::Log(_, text) => self.log.push(text),
                    _ => {}
                }
            }
        }
    }

    fn answer(&mut self, job: Job) -> Event {
        let outcome = match job {
            Job::Metrics(question) => {
                self.asked += question.series.len() as u64;
                let first = question.first;
                let column = |_: &_| Column {
                    first,
                    values: Vec::new(),
                };
                let columns = question.series.iter().map(column).collect();
                // Nothing of it is settled, so that nothing has to be worked out.
                let newest = first.plus(-1);
                Outcome::Metrics(Question { newest, ..question }, Ok(columns))
            }
            job => self.region.answer(job, self.now.wall).0,
        };
        Event::Polled(Polled {
            outcome,
            began: self.now.mono,
            took: Duration::ZERO,
            requests: 1,
            clock_offset_ms: Some(0),
        })
    }

    /// The process is killed and begins again.
    fn crash(&mut self) {
        self.settings.meter_file = Ok(self.kept.last().cloned());
        self.engine = Engine::new(self.settings.clone(), self.now);
        self.handle(Event::Started);
    }

    fn run(&mut self, days: u64, crash_every_days: u64) {
        self.handle(Event::Started);
        let looks = DAY / LOOK.as_secs();
        for look in 1..days * looks {
            self.now.mono = self.now.mono.after(LOOK);
            self.now.wall = self.now.wall.plus_ms(LOOK.as_millis() as i64);
            self.handle(Event::Tick { memory_bytes: None });
            if look % (crash_every_days * looks) == 0 {
                self.crash();
            }
        }
    }
}

#[test]
fn a_month_of_a_hundred_channels_ends_just_under_its_budget() {
    // At 15 minutes 21 USD, at an hour 5.30; alarms and lists below 0.10.
    for (budget, crash_every_days) in [(8.0, 1000), (15.0, 2)] {
        let mut month = Month::new(budget);
        month.run(31, crash_every_days);
        let metrics_usd = month.asked as f64 / 100_000.0;
        let requests =
            month.region.polls(Kind::Alarms).len() + month.region.polls(Kind::Series).len();
        let usd = metrics_usd + requests as f64 / 100_000.0;
        let changes = month
            .log
            .iter()
            .filter(|line| line.contains("metrics are asked"));
        let changes: Vec<&String> = changes.collect();
        let case = format!("{budget} {crash_every_days}: {usd}, {changes:#?}");
        assert!(usd <= budget && usd > 0.9 * budget, "{case}");
        if crash_every_days > 31 {
            assert!(changes.len() <= 10, "{case}");
            assert!(month.kept.len() <= 24 * 31, "{}", month.kept.len());
        }
    }
}
