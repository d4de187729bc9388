//! The local page: what a request is answered with, by itself or by what the engine shows.
//!
//! It is read-only and has no login. What keeps others out is where it listens, and that a browser
//! has to ask by a name of ours (`host`); what keeps foreign text from becoming more than text
//! is the policy that goes with every answer (`page`). Requests are gathered by [`crate::http`],
//! with limits of its own, so that nobody who asks costs the agent more than these.

mod host;
mod page;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::engine::look::{Shown, Sight, change_of, tag};
use crate::engine::outbox::Change;
use crate::http::{Answer, Limits, Request};
use crate::state::time::UnixMs;
use crate::topics::openmetrics::Format;

use page::Page;

/// Browsers at a time: one opens up to six connections.
const CONNECTIONS_MAX: usize = 16;
/// Nothing that is asked here has a body.
const BODY_BYTES_MAX: usize = 1 << 10;
/// An engine that takes longer is as good as dead: a monitor shall hear so soon.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// A picture of a thousand channels, 8 MB, over a line of little more than 1 Mbit/s; as long as the
/// page waits for it (`page.js`).
const SEND_TIME_MAX: Duration = Duration::from_secs(60);
/// A page asks every few seconds, and then by the same connection.
const IDLE_TIME_MAX: Duration = Duration::from_secs(20);

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text";
/// What is kept is asked for again, and nothing else is kept.
const AGAIN: &str = "no-cache";
const NEVER: &str = "no-store";
const NOT_OURS: &str = "this name is not known here; ask by an IP address or localhost, or write \
                        the name into [status] hosts of the config";

/// What those who look may take.
pub fn limits() -> Limits {
    Limits {
        connections_max: CONNECTIONS_MAX,
        body_bytes_max: BODY_BYTES_MAX,
        bodies_bytes_max: BODY_BYTES_MAX * CONNECTIONS_MAX,
        answer_time_max: ANSWER_TIME_MAX,
        send_time_max: SEND_TIME_MAX,
        idle_time_max: IDLE_TIME_MAX,
        ..Limits::default()
    }
}

/// What a request comes to.
#[derive(Debug)]
pub enum Reply {
    /// It is answered at once.
    Now(Answer),
    /// The engine is to be asked.
    Ask(Sight),
}

/// Where requests come in.
#[derive(Debug)]
pub struct Reception {
    page: Page,
    /// Names besides addresses and localhost.
    hosts: Vec<String>,
    /// Names this process in tags.
    run: String,
}

impl Reception {
    /// `hosts` as the config has them; `run` as the engine was told.
    pub fn new(hosts: Vec<String>, run: String) -> Reception {
        Reception {
            page: Page::new(),
            hosts,
            run,
        }
    }

    /// What a request comes to.
    pub fn receive(&self, request: &Request) -> Reply {
        let now = |answer| Reply::Now(self.dressed(answer));
        if !host::is_ours(&request.path, request.header("host"), &self.hosts) {
            return now(text(421, NOT_OURS));
        }
        let path = host::path(&request.path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let paths = [
            "",
            "/",
            "/api/state",
            "/api/history",
            "/metrics",
            "/healthz",
        ];
        if !paths.contains(&path) {
            return now(text(404, "there is nothing here; the page is at /"));
        }
        if !matches!(&*request.method, "GET" | "HEAD") {
            let mut answer = text(405, "this can only be read");
            answer.headers.push(("Allow", "GET, HEAD".to_owned()));
            return now(answer);
        }
        match path {
            "/api/state" => Reply::Ask(self.topics(request, query)),
            "/api/history" => match value(query, "channel") {
                Some(id) => Reply::Ask(Sight::History(id)),
                None => now(text(400, "name the channel: ?channel=<id>")),
            },
            "/metrics" => Reply::Ask(Sight::Metrics(format(request))),
            "/healthz" => Reply::Ask(Sight::Health),
            _ => now(self.document(request)),
        }
    }

    /// The answer that the engine's makes.
    pub fn show(&self, shown: Shown, at: UnixMs) -> Answer {
        let mut answer = match shown {
            Shown::Topics(change, body) => {
                let mut answer = match body {
                    Some(body) => of_type(JSON, AGAIN, body),
                    None => known(),
                };
                let tag = tag(&self.run, change);
                answer.headers.push(("ETag", format!("\"{tag}\"")));
                answer
            }
            Shown::History(Some(hour)) => of_type(JSON, NEVER, Arc::new(hour.into_bytes())),
            Shown::History(None) => text(404, "there is no such channel"),
            Shown::Metrics(format, body) => of_type(metrics_type(format), NEVER, body),
            Shown::Health(is_well, said) => Answer {
                status: if is_well { 200 } else { 503 },
                ..of_type(JSON, NEVER, Arc::new(said.into_bytes()))
            },
        };
        answer.headers.push(("Date", at.http_date()));
        self.dressed(answer)
    }

    fn topics(&self, request: &Request, query: &str) -> Sight {
        let change = |tag: &str| change_of(&self.run, tag);
        let known: Vec<Change> = tags(request).filter_map(change).collect();
        let since = value(query, "since");
        Sight::Topics {
            since: since.as_deref().and_then(change),
            known,
        }
    }

    fn document(&self, request: &Request) -> Answer {
        let own = self.page.etag.trim_matches('"');
        let mut answer = match tags(request).any(|tag| tag == own) {
            true => known(),
            false => of_type(HTML, AGAIN, self.page.text.clone()),
        };
        answer.headers.push(("ETag", self.page.etag.clone()));
        answer
    }

    /// With what keeps a browser from doing more with it than showing it.
    fn dressed(&self, mut answer: Answer) -> Answer {
        let all = [
            ("Content-Security-Policy", self.page.policy.as_str()),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Frame-Options", "DENY"),
        ];
        let all = all.map(|(name, value)| (name, value.to_owned()));
        answer.headers.extend(all);
        answer
    }
}

fn of_type(kind: &str, caching: &str, body: Arc<Vec<u8>>) -> Answer {
    Answer {
        status: 200,
        headers: vec![
            ("Content-Type", kind.to_owned()),
            ("Cache-Control", caching.to_owned()),
        ],
        body,
    }
}

/// The asker has it.
fn known() -> Answer {
    let mut answer = Answer::empty(304);
    answer.headers.push(("Cache-Control", AGAIN.to_owned()));
    answer
}

fn text(status: u16, text: &str) -> Answer {
    let mut answer = Answer::text(status, text);
    answer.headers.push(("Cache-Control", NEVER.to_owned()));
    answer
}

/// The tags of `If-None-Match`, without what makes them weak: it is all the same here (RFC 9110
/// section 13.1.2).
fn tags(request: &Request) -> impl Iterator<Item = &str> {
    let headers = request.headers.iter();
    let all = headers.filter(|(name, _)| name == "if-none-match");
    let all = all.flat_map(|(_, value)| value.split(','));
    all.filter_map(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag.strip_prefix('"')?.strip_suffix('"')
    })
}

/// A value of a query.
fn value(query: &str, key: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == key)?;
    let value = percent_decode_str(value).decode_utf8().ok()?;
    Some(value.into_owned())
}

fn format(request: &Request) -> Format {
    let mut accepted = request.headers.iter().filter(|(name, _)| name == "accept");
    match accepted.any(|(_, value)| value.to_ascii_lowercase().contains(OPENMETRICS)) {
        true => Format::OpenMetrics,
        false => Format::Text,
    }
}

fn metrics_type(format: Format) -> &'static str {
    match format {
        Format::Text => METRICS_TEXT,
        Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
    }
}
