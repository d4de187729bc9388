//! The local page's thread: the front that gathers requests. It answers by itself, or asks the
//! engine; it never waits for it.

use std::net::TcpListener;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::threads::Threads;
use crate::aws::Stop;
use crate::config;
use crate::engine::Event;
use crate::engine::look::{Look, Shown};
use crate::error::Failure;
use crate::http::{Answers, Front, RequestId};
use crate::log::Steady;
use crate::state::time::UnixMs;
use crate::status::{self, Reception, Reply};

/// How often a port that cannot be opened is tried again.
const OPEN_INTERVAL: Duration = Duration::from_secs(10);
/// What the log calls the page.
const PAGE: &str = "status";

/// A name for this process that no other has.
pub fn run_name() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// A handle on the page for the loop.
pub struct Page {
    desk: Desk,
}

/// What loop and thread share.
#[derive(Clone)]
struct Desk {
    reception: Arc<Reception>,
    /// Of the front that is open now.
    answers: Arc<Mutex<Option<Answers>>>,
}

impl Desk {
    fn answers(&self) -> MutexGuard<'_, Option<Answers>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// Starts it. A port that cannot be opened is tried again and again.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        threads: &mut Threads,
        status: &config::Status,
        run: String,
        events: &SyncSender<Event>,
        stop: &Stop,
    ) -> Result<Page, Failure> {
        let desk = Desk {
            reception: Arc::new(Reception::new(status.hosts.clone(), run)),
            answers: Arc::default(),
        };
        let (serving, listen) = (desk.clone(), status.listen);
        let (events, stop) = (events.clone(), stop.clone());
        threads.spawn("status", move || {
            let trouble = Steady::default();
            while !stop.requested() {
                let ended = serving.serve(listen, &events, &stop, &trouble);
                if let Err(error) = ended {
                    let text = format!(
                        "{PAGE}: no page: cannot listen on {listen}: {error}; it is tried again; \
                         check [status] listen"
                    );
                    trouble.wrong(PAGE, log::Level::Warn, text, false);
                }
                stop.wait(OPEN_INTERVAL);
            }
        })?;
        Ok(Page { desk })
    }

    /// Answers who looks.
    pub fn show(&self, request: u64, shown: Shown, at: UnixMs) {
        if let Some(answers) = &*self.desk.answers() {
            let answer = self.desk.reception.show(shown, at);
            answers.send(RequestId::from_u64(request), answer);
        }
    }

    /// Ends the front.
    pub fn stop(&self) {
        if let Some(answers) = &*self.desk.answers() {
            answers.stop();
        }
    }
}

impl Desk {
    /// Opens the port and serves it until the stop.
    fn serve(
        &self,
        listen: std::net::SocketAddr,
        events: &SyncSender<Event>,
        stop: &Stop,
        trouble: &Steady,
    ) -> std::io::Result<()> {
        let listener = TcpListener::bind(listen)?;
        let shown = listener.local_addr()?;
        let (front, answers) = Front::new(listener, status::limits(), None)?;
        *self.answers() = Some(answers.clone());
        // The stop that came meanwhile found nothing to end.
        if stop.requested() {
            return Ok(());
        }
        trouble.right(PAGE, &format!("{PAGE}: the port can be had again"));
        log::info!("{PAGE}: the page is at http://{shown}/");
        let deliver = |request: crate::http::Request| match self.reception.receive(&request) {
            Reply::Now(answer) => {
                answers.send(request.id, answer);
                true
            }
            Reply::Ask(at) => {
                let request = request.id.to_u64();
                events.try_send(Event::Look(Look { request, at })).is_ok()
            }
        };
        front.run(deliver, |_| {})
    }
}
