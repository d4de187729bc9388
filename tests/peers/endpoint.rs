//! An endpoint of SNS that answers what the test wrote down.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::support::relay::Relay;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The port that it was sent from: one for each connection.
    pub from: u16,
}

impl Got {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A member of the body.
    pub fn member(&self, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_default().to_owned()
    }
}

/// Listens on loopback until it is dropped.
pub struct Endpoint {
    pub url: String,
    server: Arc<tiny_http::Server>,
    got: Arc<Mutex<Vec<Got>>>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Answers with one status after the other, and with the last one from then on.
    pub fn answering(statuses: &'static [u16]) -> Endpoint {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (serving, writing) = (Arc::clone(&server), Arc::clone(&got));
        let thread = std::thread::spawn(move || {
            while let Ok(mut request) = serving.recv() {
                let mut body = String::new();
                request.as_reader().read_to_string(&mut body).unwrap();
                let from = request.remote_addr().unwrap().port();
                let headers = request.headers().iter().map(|header| {
                    let name = header.field.as_str().as_str().to_ascii_lowercase();
                    (name, header.value.as_str().to_owned())
                });
                let message = Got {
                    headers: headers.collect(),
                    body,
                    from,
                };
                let mut got = writing.lock().unwrap();
                let status = statuses[got.len().min(statuses.len() - 1)];
                got.push(message);
                drop(got);
                let _ = request.respond(tiny_http::Response::empty(status));
            }
        });
        let url = format!("http://{}/sns?x=1", server.server_addr().to_ip().unwrap());
        Endpoint {
            url,
            server,
            got,
            thread: Some(thread),
        }
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Its URL behind this relay.
    pub fn over(&self, relay: &Relay) -> String {
        format!("https://localhost:{}/sns", relay.port())
    }

    pub fn port(&self) -> u16 {
        self.server.server_addr().to_ip().unwrap().port()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
