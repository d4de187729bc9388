//! Where publications are shown: a redrawn terminal, or one line each.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::News;
use super::screen::{Screen, Size, Topic};

/// Streams (topics that are not retained) keep this many lines on the screen.
const STREAM_LINES_MAX: usize = 4;
const FRAME: Duration = Duration::from_millis(250);

/// What is shown, and how.
pub struct Show {
    intro: Vec<String>,
    story: &'static str,
    topics: BTreeMap<String, Topic>,
    stream: Vec<(String, String)>,
    started: Instant,
    place: Place,
}

enum Place {
    Terminal { size: Size, drawn: Option<Instant> },
    Lines { failed: bool },
}

impl Show {
    /// Takes over the terminal when stdout is one.
    pub fn start(intro: Vec<String>) -> Show {
        let place = if io::stdout().is_terminal() {
            // The alternate screen, without cursor: what was there comes back at the end.
            let _ = io::stdout().write_all(b"\x1b[?1049h\x1b[?25l");
            Place::Terminal {
                size: size(),
                drawn: None,
            }
        } else {
            for line in &intro {
                eprintln!("{line}");
            }
            Place::Lines { failed: false }
        };
        Show {
            intro,
            story: "the curtain rises",
            topics: BTreeMap::new(),
            stream: Vec::new(),
            started: Instant::now(),
            place,
        }
    }

    /// Takes up what happened.
    pub fn take(&mut self, news: News, now: Instant) {
        match news {
            News::Story(says) => {
                self.story = says;
                if let Place::Lines { .. } = self.place {
                    eprintln!("-- {says}");
                }
            }
            News::Published(topic, payload) => self.publish(topic, payload, now),
            News::Signal(_) | News::Ended => {}
        }
    }

    /// The terminal has another size.
    pub fn resize(&mut self) {
        if let Place::Terminal { size, drawn } = &mut self.place {
            *size = self::size();
            *drawn = None;
        }
    }

    /// Draws what is due.
    ///
    /// # Errors
    ///
    /// When nobody reads any more.
    pub fn draw(&mut self, now: Instant) -> io::Result<()> {
        match &mut self.place {
            Place::Lines { failed: true } => Err(io::ErrorKind::BrokenPipe.into()),
            Place::Lines { failed: false } => Ok(()),
            Place::Terminal { size, drawn } => {
                if drawn.is_some_and(|at| now.duration_since(at) < FRAME) {
                    return Ok(());
                }
                *drawn = Some(now);
                let screen = Screen {
                    intro: &self.intro,
                    story: self.story,
                    topics: &self.topics,
                    stream: &self.stream,
                    age: now.duration_since(self.started),
                };
                let mut out = io::stdout().lock();
                out.write_all(screen.draw(*size, now).as_bytes())?;
                out.flush()
            }
        }
    }

    /// Every topic that is retained.
    pub fn topics(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    fn publish(&mut self, topic: String, payload: String, now: Instant) {
        if let Place::Lines { failed } = &mut self.place {
            let shown = if payload.is_empty() {
                "(cleared)"
            } else {
                &payload
            };
            *failed |= writeln!(io::stdout().lock(), "{topic} {shown}").is_err();
        }
        if is_stream(&topic) {
            self.stream.insert(0, (topic, payload));
            self.stream.truncate(STREAM_LINES_MAX);
        } else if payload.is_empty() {
            self.topics.remove(&topic);
        } else {
            let changed = now;
            self.topics.insert(topic, Topic { payload, changed });
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Place::Terminal { .. } = self.place {
            let _ = io::stdout().write_all(b"\x1b[?25h\x1b[?1049l");
            let _ = io::stdout().flush();
        }
    }
}

/// Topics that are not retained: each message stands for itself.
fn is_stream(topic: &str) -> bool {
    topic.ends_with("/point") || topic.ends_with("/sns/message") || topic.contains("/event/")
}

/// Rows and columns, as `stty` tells; the standard library does not.
fn size() -> Size {
    let output = Command::new("stty")
        .arg("size")
        .stdin(Stdio::inherit())
        .output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let text = text.unwrap_or_default();
    let numbers: Vec<usize> = text
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    match numbers[..] {
        [rows, columns] if rows > 0 && columns > 0 => Size { rows, columns },
        _ => Size {
            rows: 24,
            columns: 80,
        },
    }
}
