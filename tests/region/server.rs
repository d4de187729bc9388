//! The region on the wire: one loopback port for every service, served by `tiny_http`.

mod poll;
mod sending;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::door::{self, Clients, Door};
use super::faults::covers;
use super::refusal::Refusal;
use super::sigv4;
use super::sns::deliverer::Deliverer;
use super::world::{ACCOUNT, World};
use super::{cloudwatch, mediapackage, mediapackage_v2, sessions, sns, sqs, vod};
use sending::{Reply, Sending};

/// Requests that are remembered.
const SEEN_MAX: usize = 4096;
/// What no service knows.
pub const UNKNOWN: &str = "Unknown";
/// Requests that are worked on at a time.
const WORKERS: usize = 4;

/// A simulated AWS region; it stops when dropped.
pub struct Region {
    inside: Arc<Inside>,
    server: Arc<tiny_http::Server>,
    door: Door,
    url: String,
    workers: Vec<JoinHandle<()>>,
}

/// One request and what it got.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The region's time, milliseconds since 1970.
    pub at_ms: i64,
    /// Signing name of the service.
    pub service: String,
    /// Operation, for example `GetMetricData`.
    pub operation: String,
    /// Key that signed it.
    pub key_id: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// AWS's code when it was refused.
    pub error: Option<String>,
    /// The fault that befell it.
    pub fault: Option<String>,
    /// `maxResults`, `MaxRecords` or `MaxNumberOfMessages`.
    pub limit: Option<usize>,
    /// True for all pages but the first.
    pub continued: bool,
    /// Keys (see `series::key`) of the metrics asked for, by `GetMetricData`.
    pub asked: Vec<String>,
    /// `StartTime`, seconds since 1970.
    pub start: Option<f64>,
    /// `EndTime`, seconds since 1970.
    pub end: Option<f64>,
    /// Names and values that a request of the query API (SNS) carried.
    pub parameters: Vec<(String, String)>,
    /// Name of the queue (SQS).
    pub queue: String,
    /// How long a receive may wait for a message, in seconds.
    pub wait_seconds: Option<u32>,
    /// Entries of a batch (SQS).
    pub entries: usize,
    /// Ids of the messages that a receive gave, or that were deleted or hidden.
    pub messages: Vec<String>,
}

/// A request as it came.
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path as sent, still encoded.
    pub path: String,
    /// Query as sent, still encoded.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Which connection it came over.
    pub port: u16,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name)?;
        Some(&found.1)
    }
}

/// An answer to be written.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers besides the date and length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: String) -> Answer {
        Answer {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.into_bytes(),
        }
    }

    /// With this header, in place of one of the same name.
    pub fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

struct Inside {
    world: Mutex<World>,
    /// The world has changed, a client has left, or the region stops: long polls look again.
    changed: Condvar,
    seen: Mutex<VecDeque<Seen>>,
    /// True once the region stops; ends drips, stalls and latency.
    stop: Mutex<bool>,
    stopped: Condvar,
    slow: Mutex<Vec<JoinHandle<()>>>,
    /// Starts with the first message.
    deliverer: OnceLock<Deliverer>,
}

impl Region {
    /// Serves this world on a free loopback port.
    pub fn start(world: World) -> Region {
        let server = tiny_http::Server::http("127.0.0.1:0").expect("a free loopback port");
        let address = server.server_addr().to_ip().expect("an IP listener");
        let inside = Arc::new(Inside {
            world: Mutex::new(world),
            changed: Condvar::new(),
            seen: Mutex::default(),
            stop: Mutex::new(false),
            stopped: Condvar::new(),
            slow: Mutex::default(),
            deliverer: OnceLock::new(),
        });
        let waking = Arc::clone(&inside);
        let door = Door::open(address, move || waking.wake()).expect("a free loopback port");
        let url = format!("http://{}", door.address);
        inside.name_urls(&url);
        let mut region = Region {
            url,
            inside,
            server: Arc::new(server),
            door,
            workers: Vec::new(),
        };
        for n in 0..WORKERS {
            let inside = Arc::clone(&region.inside);
            let (server, clients) = (Arc::clone(&region.server), region.door.clients());
            let worker = Builder::new().name(format!("region-{n}")).spawn(move || {
                while let Ok(request) = server.recv() {
                    inside.serve(request, &clients);
                }
            });
            region.workers.push(worker.expect("a thread"));
        }
        region
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Changes the world between two requests.
    pub fn edit<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.inside.world);
        let changed = change(&mut world);
        world.sqs.settle(Instant::now());
        drop(world);
        self.inside.changed.notify_all();
        changed
    }

    /// What brings SNS's messages to their endpoints.
    pub fn deliverer(&self) -> &Deliverer {
        let threads = self.edit(|world| world.sns.threads);
        self.inside.deliverer(threads)
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.inside.seen).iter().cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        lock(&self.inside.seen).clear();
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        *lock(&self.inside.stop) = true;
        self.inside.stopped.notify_all();
        self.inside.wake();
        self.door.close();
        for _ in &self.workers {
            self.server.unblock();
        }
        let slow = std::mem::take(&mut *lock(&self.inside.slow));
        for thread in self.workers.drain(..).chain(slow) {
            let _ = thread.join();
        }
    }
}

impl Inside {
    fn serve(self: &Arc<Inside>, mut incoming: tiny_http::Request, clients: &Clients) {
        let Ok(request) = read(&mut incoming) else {
            return;
        };
        let mut sending = Sending {
            inside: Arc::clone(self),
            clients: clients.clone(),
            port: request.port,
            writer: incoming.into_writer(),
        };
        if request.path == door::KNOCK {
            let writer = &mut sending.writer;
            let _ = writer.write_all(door::HEARD).and_then(|()| writer.flush());
            return;
        }
        let mut seen = Seen::default();
        let reply = self.answer(&request, &mut seen);
        let plain = |reply: &Reply| reply.fault.is_none() && reply.latency.is_zero();
        if let Some(reply) = reply.as_ref().filter(|reply| plain(reply)) {
            let _ = sending.whole(reply);
            return;
        }
        // Whatever takes its time has a thread, so that it holds up no other request.
        let slow = Builder::new().name("region-slow".into()).spawn(move || {
            let (inside, clients) = (&sending.inside, &sending.clients);
            let reply = reply.or_else(|| inside.poll(&request, &mut seen, clients));
            if let Some(reply) = reply
                && !inside.pause(reply.latency)
            {
                let _ = sending.faulty(&reply);
            }
        });
        let mut threads = lock(&self.slow);
        threads.retain(|t| !t.is_finished());
        threads.extend(slow);
    }

    /// The answer; `None` when the request waits for a message.
    fn answer(&self, request: &Request, seen: &mut Seen) -> Option<Reply> {
        let mut world = lock(&self.world);
        world.sqs.settle(Instant::now());
        seen.at_ms = world.now_ms();
        let answer = route(&world, request, seen);
        let waits = answer.is_ok() && sqs::api::wait(seen).is_some();
        if waits && !world.faults.has(&action(seen)) {
            return None;
        }
        Some(self.conclude(&mut world, request, seen, answer))
    }

    /// The answer as it goes out. Unless a fault stands in its place, what was asked for is
    /// done now.
    fn conclude(
        &self,
        world: &mut World,
        request: &Request,
        seen: &mut Seen,
        answer: Result<Answer, Refusal>,
    ) -> Reply {
        let mut answer = answer.unwrap_or_else(|refusal| {
            seen.error = Some(refusal.code.clone());
            refusal.answer(&seen.service)
        });
        // A request that AWS would refuse is refused whatever else is planned.
        let planned = match seen.error {
            None => world.faults.take(&action(seen)),
            Some(_) => None,
        };
        seen.fault = planned.as_ref().map(|f| format!("{f:?}"));
        let faulty = planned
            .as_ref()
            .and_then(|f| f.answer(&seen.service, &answer));
        if seen.error.is_none() && faulty.is_none() {
            self.carry_out(world, request, seen);
        } else {
            seen.messages.clear();
        }
        let fault = planned.filter(|_| faulty.is_none());
        if let Some(faulty) = faulty {
            answer = faulty;
        }
        seen.status = answer.status;
        let mut log = lock(&self.seen);
        if log.len() == SEEN_MAX {
            log.pop_front();
        }
        log.push_back(seen.clone());
        Reply {
            answer,
            fault,
            date: http_date(world.now_ms()),
            latency: world.latency,
        }
    }

    fn carry_out(&self, world: &mut World, request: &Request, seen: &Seen) {
        match seen.service.as_str() {
            "sts" | "iot" | "imds" | "container" => sessions::carry_out(world, request, seen),
            "sns" => {
                if let Some(message) = sns::api::carry_out(world, request, seen) {
                    self.deliverer(world.sns.threads).deliver(message);
                }
            }
            "sqs" => {
                sqs::api::carry_out(world, request, seen);
                self.changed.notify_all();
            }
            _ => {}
        }
    }

    /// The URLs that stand in messages and in answers, where the test has named none.
    fn name_urls(&self, url: &str) {
        let mut world = lock(&self.world);
        let World { sns, sqs, .. } = &mut *world;
        for of in [&mut sns.url, &mut sqs.url] {
            if of.is_empty() {
                url.clone_into(of);
            }
        }
    }

    /// Has all long polls look again.
    fn wake(&self) {
        // Whoever looks has the world locked until it waits, and misses nothing.
        drop(lock(&self.world));
        self.changed.notify_all();
    }

    fn deliverer(&self, threads: usize) -> &Deliverer {
        self.deliverer.get_or_init(|| Deliverer::start(threads))
    }

    /// Waits; true when the region stopped meanwhile.
    fn pause(&self, wait: Duration) -> bool {
        let waited = self
            .stopped
            .wait_timeout_while(lock(&self.stop), wait, |stop| !*stop);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Checks who asks, then lets the service answer.
fn route(world: &World, request: &Request, seen: &mut Seen) -> Result<Answer, Refusal> {
    if let Some((service, operation)) = sessions::operation(request) {
        (seen.service, seen.operation) = (service.to_owned(), operation.to_owned());
        return sessions::serve(world, request, seen);
    }
    if let Some(operation) = sns::api::operation(request) {
        seen.service = "sns".to_owned();
        seen.operation = operation;
        return sns::api::serve(world, request, seen);
    }
    let target = request.header("x-amz-target");
    let (service, operation) = match target {
        Some(target) => target_operation(target),
        None => rest_operation(request),
    };
    seen.service = service.to_owned();
    seen.operation = operation.to_owned();
    if service == "sqs" {
        seen.queue = sqs::api::queue_name(request);
    }
    authenticate(world, request, seen)?;
    if world.absent.contains(&seen.service) {
        let text = "The AWS Access Key Id needs a subscription for the service";
        return Err(Refusal::new(403, "SubscriptionRequiredException", text));
    }
    allowed(world, seen)?;
    match service {
        "monitoring" => cloudwatch::serve(world, request, seen),
        "mediapackagev2" => mediapackage_v2::serve(world, request, seen),
        "mediapackage-vod" => vod::serve(world, request, seen),
        "sqs" => sqs::api::serve(world, request, seen),
        _ => mediapackage::serve(world, request, seen),
    }
}

/// The service and operation that `X-Amz-Target` names.
fn target_operation(target: &str) -> (&'static str, &str) {
    match target.strip_prefix(sqs::api::TARGET) {
        Some(operation) => ("sqs", operation),
        None => ("monitoring", target.rsplit('.').next().unwrap_or_default()),
    }
}

/// The service and operation that method and path stand for. In place of hosts of their own the
/// services have paths that none shares with another; what none knows belongs to whom it is
/// signed for.
fn rest_operation(request: &Request) -> (&'static str, &'static str) {
    let all = [
        ("mediapackage", mediapackage::operation(request)),
        ("mediapackagev2", mediapackage_v2::operation(request)),
        ("mediapackage-vod", vod::operation(request)),
    ];
    if let Some(known) = all.iter().find(|(_, operation)| *operation != UNKNOWN) {
        return *known;
    }
    let claim = sigv4::parse(request).ok();
    let signed = all.into_iter().find(|(service, _)| {
        let of = claim.as_ref();
        of.is_some_and(|claim| claim.service == *service)
    });
    signed.unwrap_or(all[0])
}

/// Checks the signature, and that it is one for the service of `seen`.
pub fn authenticate(world: &World, request: &Request, seen: &mut Seen) -> Result<(), Refusal> {
    let claim = sigv4::parse(request)?;
    seen.key_id = claim.key_id.clone();
    if claim.service != seen.service {
        let text = format!(
            "Credential should be scoped to correct service: '{}'. ",
            seen.service
        );
        return Err(Refusal::new(403, "InvalidSignatureException", &text));
    }
    sigv4::verify(world, request, &claim)
}

fn allowed(world: &World, seen: &Seen) -> Result<(), Refusal> {
    let is_sqs = seen.service == "sqs";
    let (permission, resource) = match is_sqs {
        true => {
            let permission = sqs::api::permission(&seen.operation);
            (format!("sqs:{permission}"), world.queue_arn(&seen.queue))
        }
        false => (action(seen), String::from("*")),
    };
    if !world
        .denied
        .iter()
        .any(|denied| covers(denied, &permission))
    {
        return Ok(());
    }
    // SQS, and nobody else, writes the action in small letters.
    let action = match is_sqs {
        true => permission.to_ascii_lowercase(),
        false => permission,
    };
    let text = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/edge is not authorized to perform: {action} on \
         resource: {resource} because no identity-based policy allows the {action} action"
    );
    Err(Refusal::new(403, "AccessDeniedException", &text))
}

/// As policies name it: `cloudwatch:ListMetrics`.
fn action(seen: &Seen) -> String {
    let prefix = match seen.service.as_str() {
        "monitoring" => "cloudwatch",
        service => service,
    };
    format!("{prefix}:{}", seen.operation)
}

fn read(incoming: &mut tiny_http::Request) -> io::Result<Request> {
    let mut body = Vec::new();
    incoming.as_reader().read_to_end(&mut body)?;
    let url = incoming.url();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let header = |h: &tiny_http::Header| {
        (
            h.field.as_str().as_str().to_ascii_lowercase(),
            h.value.as_str().to_owned(),
        )
    };
    Ok(Request {
        method: incoming.method().as_str().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: incoming.headers().iter().map(header).collect(),
        body,
        port: incoming.remote_addr().map_or(0, |a| a.port()),
    })
}

/// `Sun, 22 Nov 2026 10:00:00 GMT` (RFC 9110 section 5.6.7).
fn http_date(ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000));
    let text = at.ok().and_then(|at| {
        at.format(&time::format_description::well_known::Rfc2822)
            .ok()
    });
    text.unwrap_or_default().replace("+0000", "GMT")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
