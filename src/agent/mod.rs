//! The shell round the engine: starts the threads, carries out effects, stops in order.

pub mod aws_setup;
pub mod check;
mod clean;
mod clock;
mod ledger;
mod listener;
mod meter_file;
mod node;
mod once;
mod page;
mod poller;
mod queue;
pub mod signals;
mod spool;
mod state_dir;
mod subscribe_url;
mod systemd;
mod threads;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::aws::clock::AwsClock;
use crate::aws::{Clients, Stop};
use crate::config::{Apis, Config};
use crate::engine::watch::Worker;
use crate::engine::{Effect, Engine, Event, HomeAssistant, Job, Settings, StoreRequest};
use crate::error::Failure;
use crate::mqtt;
use crate::state::apis::MediaApi;
use crate::state::fault::Fault;
use crate::state::time::{Mono, UnixMs};
use crate::topics::{Names, Topic};

use clock::Clock;
use ledger::Ledger;
use listener::Listener;
use meter_file::MeterFile;
use page::Page;
use poller::Poller;
use queue::Mailbox;
use spool::Spool;
use state_dir::StateDir;
use systemd::Supervisor;
use threads::Threads;

pub use aws_setup::aws_setup;
pub use check::check;
pub use clean::clean;
pub use once::once;
pub use subscribe_url::subscribe_url;

/// Events that wait for the engine; who sends one more waits.
const EVENTS_MAX: usize = 64;
/// How long the threads may take to end once all is said.
const JOIN_MAX: Duration = Duration::from_secs(2);
/// Metrics wait so long for the first session with the broker.
const FIRST_SESSION_WAIT: Duration = Duration::from_secs(5);
/// Documents for Home Assistant wait so long for a listing that fails.
const DOCUMENTS_WAIT: Duration = Duration::from_secs(120);
/// So many failed tries to get a resource of v2 by itself before it is shown without.
const DETAIL_TRIES: u32 = 3;
/// How often the resident memory is read.
const MEMORY_INTERVAL: Duration = Duration::from_secs(60);
/// When this version was made: no honest clock shows an earlier date (2026-11-22).
const MADE_ON: UnixMs = UnixMs(1_795_305_600_000);

/// Runs the agent until `stop` is requested.
///
/// # Errors
///
/// When it cannot start: the state folder, a certificate file or a thread is not to be had.
pub fn run(config: Config, take_over: bool, stop: Stop) -> Result<(), Failure> {
    let clock = Clock::start();
    let port = systemd::inherited_port()?;
    let supervisor = Supervisor::of_process();
    let state_dir = StateDir::open(&config)?;
    let (sns, sqs) = (config.sns.as_ref(), config.sqs.as_ref());
    let settings = Settings {
        topic_arns: config.topic_arns(),
        listens: sns.is_some(),
        queue_url: sqs.map(|sqs| sqs.queue_url.clone()),
        page: config.status.as_ref().map(|_| page::run_name()),
        supervised: supervisor.is_there(),
        ..settings(&config, Some(state_dir.agent_id().to_owned()), take_over)
    };
    let names = Names::new(&settings.base_topic, &settings.instance)
        .with_discovery(&settings.home_assistant.prefix);
    let poller = poller(&config, clock, stop.clone())?;
    let status = names.of(&Topic::Status);
    let subscriptions = vec![status.clone(), names.refresh()];
    let (broker, runner) = mqtt::prepare(&config.mqtt, &status, subscriptions).map_err(failed)?;

    let (events, inbox) = sync_channel(EVENTS_MAX);
    let mut threads = Threads::default();
    let jobs = start_pollers(&mut threads, &poller, &events)?;
    let pushes = sns.is_some() || sqs.is_some();
    let spool = pushes.then(|| Spool::start(&mut threads, &config, &events));
    let spool = spool.transpose()?;
    let meter_file = MeterFile::start(&mut threads, &config, &events)?;
    start_broker(&mut threads, runner, &events)?;
    let ledger = Ledger::of(&config).map_err(failed)?;
    let reader = start_reader(&mut threads, &config, &names, &events, &stop, &ledger)?;
    let place = listener_place(&config, port);
    let start = |place| Listener::start(&mut threads, &config, place, &poller, &events, &stop);
    let listener = place.map(start).transpose()?;
    let page = start_page(&mut threads, &config, &settings, &events, &stop)?;
    watch_stop(&mut threads, events, stop.clone())?;

    let mut shell = Shell {
        clock,
        jobs,
        broker,
        reader,
        ledger,
        spool,
        meter_file,
        listener,
        page,
        supervisor,
        poller: poller.clone(),
        memory_at: None,
    };
    let mut engine = Engine::new(settings, clock.now());
    let refusal = shell.drive(&mut engine, &inbox);

    // The order of the end: no more requests, then no more publishes, then the threads.
    stop.request();
    shell.end();
    drop(inbox);
    threads.join(JOIN_MAX);
    drop(state_dir);
    match refusal {
        Some(why) => Err(Failure::failed(why)),
        None => {
            log::info!("stopped");
            Ok(())
        }
    }
}

/// The local page, if the config wants one.
fn start_page(
    threads: &mut Threads,
    config: &Config,
    settings: &Settings,
    events: &SyncSender<Event>,
    stop: &Stop,
) -> Result<Option<Page>, Failure> {
    let wanted = config.status.as_ref().zip(settings.page.clone());
    let start = |(status, run)| Page::start(threads, status, run, events, stop);
    wanted.map(start).transpose()
}

/// Turns the thrown switch into an event.
fn watch_stop(threads: &mut Threads, events: SyncSender<Event>, stop: Stop) -> Result<(), Failure> {
    threads.spawn("stop", move || {
        while !stop.wait(Duration::from_secs(3600)) {}
        let _ = events.send(Event::Stop);
    })
}

/// Where the listener listens, if the config wants one.
fn listener_place(config: &Config, port: Option<TcpListener>) -> Option<listener::Place<'_>> {
    if config.sns.is_none() && port.is_some() {
        log::warn!(
            "a socket was handed over, and without [sns] nobody answers there; disable the socket \
             unit, or write [sns] into the config"
        );
    }
    let sns = config.sns.as_ref()?;
    Some(listener::Place::new(sns, port))
}

fn failed(fault: Fault) -> Failure {
    Failure::failed(fault.to_string())
}

/// What the engine needs to know of the config.
fn settings(config: &Config, agent_id: Option<String>, take_over: bool) -> Settings {
    let (mp, cw) = (&config.mediapackage, &config.cloudwatch);
    Settings {
        version: env!("CARGO_PKG_VERSION"),
        region: config.region.clone(),
        base_topic: config.mqtt.base_topic.clone(),
        instance: config.instance.clone(),
        home_assistant: HomeAssistant {
            enabled: config.home_assistant.enabled,
            prefix: config.home_assistant.discovery_prefix.clone(),
            wait: DOCUMENTS_WAIT,
        },
        flat: config.mqtt.flat,
        wish: config.wish(),
        apis: apis(mp.apis),
        detail_tries: DETAIL_TRIES,
        topic_arns: Vec::new(),
        listens: false,
        queue_url: None,
        page: None,
        inventory_interval: mp.interval,
        alarms_interval: cw.alarms_interval,
        publishes_per_second_max: config.mqtt.max_publishes_per_second,
        monthly_budget_usd: cw.monthly_budget_usd,
        price_per_1000_metrics_usd: cw.price_per_1000_metrics_usd,
        meter_file: meter_file::read(config),
        needs_clock: needs_clock(config),
        earliest_date: MADE_ON,
        agent_id,
        first_session_wait: FIRST_SESSION_WAIT,
        supervised: false,
        take_over,
        seed: fastrand::u64(..),
    }
}

/// Whether anything that is asked is reached by TLS.
fn needs_clock(config: &Config) -> bool {
    let (mp, cw) = (&config.mediapackage, &config.cloudwatch);
    let v2 = mp.apis.v2 && mp.v2_url.tls;
    let vod = mp.apis.vod && mp.vod_url.tls;
    let sqs = config.sqs.as_ref().is_some_and(|sqs| sqs.url.tls);
    let sessions = config.iot.is_some() || config.assume_role.is_some();
    mp.url.tls || v2 || vod || cw.url.tls || sqs || sessions
}

/// The APIs that the config asks for.
fn apis(asked: Apis) -> Vec<MediaApi> {
    let wants = |api: &MediaApi| match api {
        MediaApi::V1 => asked.v1,
        MediaApi::V2 => asked.v2,
        MediaApi::Vod => asked.vod,
    };
    MediaApi::ALL.into_iter().filter(wants).collect()
}

/// Connects nothing yet: the first job does.
fn poller(config: &Config, clock: Clock, stop: Stop) -> Result<Poller, Failure> {
    let aws_clock = AwsClock::new(clock::wall);
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let clients = Clients::new(config, &env, aws_clock.clone(), stop).map_err(failed)?;
    Ok(Poller {
        mailbox: Arc::new(Mailbox::new(config.sqs.as_ref())),
        clients: Arc::new(clients),
        aws_clock,
        clock,
    })
}

/// Where the engine's jobs go: one thread each, so that none waits for another.
struct Jobs {
    media: SyncSender<Job>,
    metrics: SyncSender<Job>,
    alarms: SyncSender<Job>,
    /// `None` where the config has no queue.
    queue: Option<SyncSender<Job>>,
}

impl Jobs {
    fn of(&self, worker: Worker) -> Option<&SyncSender<Job>> {
        match worker {
            Worker::Media => Some(&self.media),
            Worker::Metrics => Some(&self.metrics),
            Worker::Alarms => Some(&self.alarms),
            Worker::Queue => self.queue.as_ref(),
            // They take no jobs.
            Worker::Broker | Worker::Store | Worker::Spool => None,
        }
    }
}

fn start_pollers(
    threads: &mut Threads,
    poller: &Poller,
    events: &SyncSender<Event>,
) -> Result<Jobs, Failure> {
    let mut start = |name| {
        // The engine never has two jobs of a thread under way.
        let (jobs, inbox) = sync_channel::<Job>(1);
        let (poller, events) = (poller.clone(), events.clone());
        threads.spawn(name, move || {
            for job in inbox {
                if events.send(Event::Polled(poller.answer(job))).is_err() {
                    return;
                }
            }
        })?;
        Ok::<_, Failure>(jobs)
    };
    Ok(Jobs {
        media: start("poll-mp")?,
        metrics: start("poll-metrics")?,
        alarms: start("poll-alarms")?,
        queue: match poller.clients.sqs {
            Some(_) => Some(start("sqs")?),
            None => None,
        },
    })
}

/// Has one session with the broker after the other, as the engine asks.
fn start_broker(
    threads: &mut Threads,
    runner: mqtt::Runner,
    events: &SyncSender<Event>,
) -> Result<(), Failure> {
    let events = events.clone();
    threads.spawn("mqtt", move || {
        runner.run(|news| drop(events.send(Event::Broker(news))));
    })
}

/// Reads the broker's store whenever the engine asks, beside the main session.
fn start_reader(
    threads: &mut Threads,
    config: &Config,
    names: &Names,
    events: &SyncSender<Event>,
    stop: &Stop,
    ledger: &Option<Arc<Ledger>>,
) -> Result<SyncSender<StoreRequest>, Failure> {
    let link = mqtt::Link::beside(&config.mqtt, "read").map_err(failed)?;
    let (asks, inbox) = sync_channel::<StoreRequest>(1);
    let (names, ledger) = (names.clone(), ledger.clone());
    let (events, stop) = (events.clone(), stop.clone());
    threads.spawn("mqtt-read", move || {
        for mut request in inbox {
            let noted = ledger.as_ref().map(|ledger| ledger.names());
            request.expected.extend(noted.into_iter().flatten());
            let at_start = request.at_start;
            let store = mqtt::store::read(&link, &names, request, &stop);
            if let (Some(ledger), true, Ok(store)) = (&ledger, at_start, &store)
                && store.complete
            {
                // Nothing is lost when it stays as it is.
                let _ = ledger.keep(store.topics.iter().map(|kept| &*kept.topic));
            }
            if events.send(Event::Store(store)).is_err() {
                return;
            }
        }
    })?;
    Ok(asks)
}

/// Carries out what the engine decides.
struct Shell {
    clock: Clock,
    jobs: Jobs,
    broker: mqtt::Broker,
    reader: SyncSender<StoreRequest>,
    /// Where the broker has to be asked by name.
    ledger: Option<Arc<Ledger>>,
    spool: Option<Spool>,
    meter_file: MeterFile,
    listener: Option<Listener>,
    page: Option<Page>,
    supervisor: Supervisor,
    /// Tells how far its threads are.
    poller: Poller,
    memory_at: Option<Mono>,
}

impl Shell {
    /// The one loop: waits for an event or the engine's next deadline, until it finishes. What
    /// it returns is why it must not go on.
    fn drive(&mut self, engine: &mut Engine, inbox: &Receiver<Event>) -> Option<String> {
        let mut event = Event::Started;
        loop {
            let now = self.clock.now();
            let pulse = self.supervisor.takes_pulse(now.mono);
            let pulse = pulse.then(|| Event::Pulse(self.poller.progress()));
            for event in [event].into_iter().chain(pulse) {
                for effect in engine.handle(now, event) {
                    match effect {
                        Effect::Finish(refusal) => return refusal,
                        effect => self.carry_out(effect),
                    }
                }
            }
            let now = self.clock.now();
            let deadline = engine.deadline(now);
            let pulse = self.supervisor.deadline().unwrap_or(deadline);
            let wait = deadline.min(pulse).since(now.mono);
            event = match inbox.recv_timeout(wait) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    let refusals = self.listener.as_ref().and_then(Listener::refusals);
                    refusals.unwrap_or_else(|| self.tick())
                }
                // Every sender is gone: nothing will ever happen again.
                Err(RecvTimeoutError::Disconnected) => Event::Stop,
            };
        }
    }

    /// Ends what waits for others; who waits for the shell's channels ends with them.
    fn end(self) {
        self.poller.clients.interrupt();
        self.broker.disconnect();
        if let Some(listener) = &self.listener {
            listener.stop();
        }
        if let Some(page) = &self.page {
            page.stop();
        }
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Poll(job) => {
                let to = self.jobs.of(Worker::of_job(&job));
                if to.is_none_or(|to| to.try_send(job).is_err()) {
                    log::error!("a poller does not take its job");
                }
            }
            Effect::Connect => self.broker.connect(),
            Effect::Publish(publication) => {
                let is_kept = publication.retain && !publication.payload.is_empty();
                if let (Some(ledger), true) = (&self.ledger, is_kept) {
                    ledger.note(&publication.topic);
                }
                self.broker.publish(publication);
            }
            Effect::Log(level, text) => log::log!(level, "{text}"),
            Effect::Notify(bulletin) => self.supervisor.tell(&bulletin),
            Effect::ReadStore(request) => {
                // The engine never asks twice at a time.
                let _ = self.reader.try_send(request);
            }
            Effect::Spool(request) => {
                if let Some(spool) = &self.spool {
                    spool.ask(request);
                }
            }
            Effect::KeepMeter(text) => self.meter_file.write(text),
            Effect::Answer { .. } | Effect::Confirm { .. } => {
                if let Some(listener) = &self.listener {
                    listener.carry_out(effect);
                }
            }
            Effect::Show { request, shown, at } => {
                if let Some(page) = &self.page {
                    page.show(request, shown, at);
                }
            }
            // The loop's own.
            Effect::Finish(_) => {}
        }
    }

    fn tick(&mut self) -> Event {
        let now = self.clock.now().mono;
        let due = self
            .memory_at
            .is_none_or(|at| now.since(at) >= MEMORY_INTERVAL);
        if due {
            self.memory_at = Some(now);
        }
        Event::Tick {
            memory_bytes: if due { resident_bytes() } else { None },
        }
    }
}

/// Resident memory of this process, from `/proc` (`proc_pid_status(5)`).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
