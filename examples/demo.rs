//! The agent at work, on a machine with neither AWS account nor broker.
//!
//! `cargo run --release --example demo` starts a simulated region that lives through a small
//! story ([`scenario`]) and a broker on loopback, runs the real agent between the two, and shows
//! what is published: a live tree of topics on a terminal, one line per publication otherwise.
//! Everything but the publications goes to stderr.

use std::fs;
use std::io::{IsTerminal, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use mediapackage2mqtt::agent;
use mediapackage2mqtt::aws::Stop;
use mediapackage2mqtt::config::{self, Config, Env};
use mediapackage2mqtt::error::Failure;
use mediapackage2mqtt::log::{Log, Style};
use signal_hook::consts::{SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use broker::Broker;
use options::{Asked, Options};
use region::Region;
use region::sns::deliverer::Policy;
use show::Show;

#[path = "../tests/support/broker.rs"]
mod broker;
#[path = "demo/digest.rs"]
mod digest;
#[path = "demo/options.rs"]
mod options;
#[path = "../tests/region/mod.rs"]
mod region;
#[path = "demo/scenario.rs"]
mod scenario;
#[path = "demo/screen.rs"]
mod screen;
#[path = "demo/show.rs"]
mod show;
#[path = "demo/viewer.rs"]
mod viewer;

/// Base topic and instance of the demo's agent.
const PREFIX: &str = "mediapackage/demo";
/// Where the agent's local page usually is.
const PAGE_PORT: u16 = 2080;
/// Messages that may wait to be shown.
const NEWS_MAX: usize = 1024;
/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(250);

/// What the main thread is told.
enum News {
    /// A publication; the payload is empty when the topic was cleared.
    Published(String, String),
    /// The next step of the story.
    Story(&'static str),
    /// A signal came.
    Signal(i32),
    /// The agent ended by itself.
    Ended,
}

fn main() -> ExitCode {
    let outcome = match options::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Help) => {
            let _ = std::io::stdout().write_all(options::HELP.as_bytes());
            Ok(())
        }
        Ok(Asked::Demo(options)) => demo(&options),
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("demo: {failure}");
            failure.exit_code()
        }
    }
}

/// Starts everything, shows it until it is told to stop, and ends everything in reverse order.
fn demo(options: &Options) -> Result<(), Failure> {
    let own_broker = match options.broker {
        Some(_) => None,
        None => Some(start_broker(options.port)?),
    };
    let (host, port) = match (&options.broker, &own_broker) {
        (Some(given), _) => given.clone(),
        (None, broker) => {
            let port = broker.as_ref().map_or(0, Broker::port);
            (String::from("127.0.0.1"), port)
        }
    };
    let region = Region::start(scenario::world());
    let folder = tempfile::tempdir().map_err(because("no temporary folder for the demo"))?;
    let ports = Ports {
        sns: free_port(0)?,
        page: free_port(PAGE_PORT).or_else(|_| free_port(0))?,
    };
    let mqtt = format!("mqtt://{host}:{port}");
    let config = write_config(folder.path(), &region, &mqtt, &ports)?;
    // SNS comes again until the agent is there.
    region.edit(|w| w.sns.policy = Arc::new(Policy::retrying(100, Duration::from_millis(200))));
    scenario::subscribe(&region, &format!("http://127.0.0.1:{}/", ports.sns));
    let intro = intro(&host, port, ports.page);

    let (tell, news) = sync_channel(NEWS_MAX);
    let signals = Signals::new([SIGINT, SIGTERM, SIGWINCH]).map_err(because("no signals"))?;
    let end_signals = signals.handle();
    let listening = spawn("demo-signals", tell.clone(), move |tell| {
        forward(signals, &tell)
    })?;
    let viewer = viewer::start(&host, port, PREFIX, tell.clone())?;
    let stop = Stop::new();
    let agent_stop = stop.clone();
    let agent = spawn("demo-agent", tell.clone(), move |tell| {
        let ended = agent::run(config, false, agent_stop);
        // Nobody listens any more when the demo itself is ending.
        let _ = tell.try_send(News::Ended);
        ended
    })?;
    let (story_region, story_stop) = (&region, stop.clone());
    let ended = std::thread::scope(|scope| {
        let story = Builder::new().name("demo-story".to_owned());
        let play = move || scenario::play(story_region, &story_stop, &tell);
        story
            .spawn_scoped(scope, play)
            .map_err(because("no thread for the story"))?;
        let mut show = Show::start(intro);
        watch(&news, &mut show, options.seconds);
        stop.request();
        let ended = finish(agent, &news, &mut show);
        // Whoever brings a broker gets it back as it was.
        let clears = match own_broker {
            Some(_) => Vec::new(),
            None => show.topics(),
        };
        drop(news);
        viewer.end(&clears);
        ended
    });
    end_signals.close();
    let _ = listening.join();
    ended
}

/// Shows what comes until it is time to end.
fn watch(news: &Receiver<News>, show: &mut Show, seconds: Option<u64>) {
    let end = seconds.map(|s| Instant::now() + Duration::from_secs(s));
    loop {
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return;
        }
        let wait = end.map_or(REDRAW, |end| REDRAW.min(end - now));
        match news.recv_timeout(wait) {
            Ok(News::Signal(SIGWINCH)) => show.resize(),
            Ok(News::Signal(_) | News::Ended) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(other) => show.take(other, Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        // A reader that has gone (`| head`) has seen enough.
        if show.draw(Instant::now()).is_err() {
            return;
        }
    }
}

/// Waits for the agent's end, which is published too.
fn finish(
    agent: JoinHandle<Result<(), Failure>>,
    news: &Receiver<News>,
    show: &mut Show,
) -> Result<(), Failure> {
    while !agent.is_finished() {
        if let Ok(last) = news.recv_timeout(Duration::from_millis(50)) {
            show.take(last, Instant::now());
        }
    }
    // The broker's copy of the last words is on its way.
    while let Ok(last) = news.recv_timeout(Duration::from_millis(200)) {
        show.take(last, Instant::now());
    }
    let _ = show.draw(Instant::now());
    let ended = agent.join();
    ended.unwrap_or_else(|_| Err(Failure::failed("the agent panicked")))
}

fn forward(mut signals: Signals, tell: &SyncSender<News>) {
    for signal in signals.forever() {
        if tell.send(News::Signal(signal)).is_err() {
            return;
        }
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    tell: SyncSender<News>,
    work: impl FnOnce(SyncSender<News>) -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let thread = Builder::new()
        .name(name.to_owned())
        .spawn(move || work(tell));
    thread.map_err(because("no thread for the demo"))
}

/// The given port, or the first free one of a range that is easy to recognise.
fn start_broker(port: Option<u16>) -> Result<Broker, Failure> {
    if let Some(port) = port {
        let text = format!("no broker on 127.0.0.1:{port}; choose another --port");
        return Broker::start(port).map_err(because(&text));
    }
    let free = (18_830..18_840).find_map(|port| Broker::start(port).ok());
    free.map_or_else(|| Broker::start(0), Ok)
        .map_err(because("no broker on any loopback port"))
}

/// Where the agent listens on loopback.
struct Ports {
    sns: u16,
    page: u16,
}

/// This port if it is free, any for 0.
fn free_port(port: u16) -> Result<u16, Failure> {
    let bound = TcpListener::bind(("127.0.0.1", port));
    let bound = bound.and_then(|listener| listener.local_addr());
    let address = bound.map_err(because("no free loopback port"))?;
    Ok(address.port())
}

fn write_config(
    folder: &Path,
    region: &Region,
    mqtt: &str,
    ports: &Ports,
) -> Result<Config, Failure> {
    let (key_id, secret) = region::KEY;
    let (aws, topic_arn) = (region.url(), region.sns().topic(scenario::TOPIC));
    let state = folder.join("state");
    let (sns_port, page_port) = (ports.sns, ports.page);
    let text = format!(
        r#"region = "{region}"
instance = "demo"
state_dir = "{state}"
log = "warn"
[credentials]
access_key_id = "{key_id}"
secret_access_key = "{secret}"
[mediapackage]
apis = ["v1", "v2"]
url = "{aws}"
v2_url = "{aws}"
interval = "5s"
proxy = "none"
[cloudwatch]
url = "{aws}"
interval = "5s"
alarms_interval = "5s"
proxy = "none"
settle = "1s"
ingest_lost_after = "1m"
monthly_budget_usd = 0
[sns]
listen = "127.0.0.1:{sns_port}"
topic_arns = ["{topic_arn}"]
url = "{aws}"
proxy = "none"
[mqtt]
url = "{mqtt}"
[home_assistant]
enabled = false
[status]
listen = "127.0.0.1:{page_port}"
"#,
        region = scenario::REGION,
        state = state.display(),
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).map_err(because("no config file for the demo"))?;
    // The environment of whoever tries the demo shall not play a part in it.
    let config = config::load(&path, &Env::default());
    let config = config.map_err(|errors| Failure::config(errors.to_string()))?;
    if !std::io::stdout().is_terminal() {
        Log::new(Style::Plain, config.log).install();
    }
    Ok(config)
}

fn intro(host: &str, port: u16, page_port: u16) -> Vec<String> {
    vec![
        String::from(
            "The agent between a simulated AWS region and a broker. It polls every 5 s; metrics \
             have one point a minute, the first new one after 20 s.",
        ),
        format!("Look from outside: mosquitto_sub -h {host} -p {port} -v -t '{PREFIX}/#'"),
        format!("Look with a browser: http://127.0.0.1:{page_port}/"),
        String::from("Ctrl-C ends all of it. The story takes two minutes and begins again."),
    ]
}

fn because<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Failure {
    let what = what.to_owned();
    move |error| Failure::failed(format!("{what}: {error}"))
}
