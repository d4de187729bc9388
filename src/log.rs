//! The log: one line on stderr for each record.
//!
//! Under systemd a line begins with its priority (sd-daemon(3)) and the journal adds the time;
//! elsewhere it begins with the time and the level. Records of other crates pass as warnings
//! and errors only: what they write below that may hold the headers of a request.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Metadata, Record};

use crate::state::logbook::{Line, Logbook};
use crate::state::time::{Mono, UnixMs};

/// Longest line, without its end. The journal would cut at 48 KiB.
const LINE_BYTES_MAX: usize = 4096;

/// Stands where a message was cut.
const CUT: &str = "…";

/// How a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `<4>message`: the journal reads the priority and has a clock of its own.
    Journal,
    /// `2026-11-22T10:00:00.000Z WARN message`.
    Plain,
}

impl Style {
    /// As `JOURNAL_STREAM` tells, which systemd sets when the journal reads stderr.
    pub fn of_process() -> Style {
        match std::env::var_os("JOURNAL_STREAM") {
            Some(_) => Style::Journal,
            None => Style::Plain,
        }
    }
}

/// The logger of the process.
#[derive(Debug)]
pub struct Log {
    style: Style,
    level: LevelFilter,
    others: Steady,
}

/// A [`Logbook`] for those who have no engine: trouble at the edges that lasts or comes again.
#[derive(Debug)]
pub struct Steady {
    began: Instant,
    book: Mutex<Logbook>,
}

impl Default for Steady {
    fn default() -> Steady {
        Steady {
            began: Instant::now(),
            book: Mutex::default(),
        }
    }
}

impl Steady {
    /// Logs trouble as [`Logbook::wrong`] has it.
    pub fn wrong(&self, name: &str, level: Level, text: String, is_news: bool) {
        self.tell(|book, now| book.wrong(now, name, (level, text), is_news));
    }

    /// Logs the end of trouble as [`Logbook::right`] has it.
    pub fn right(&self, name: &str, text: &str) {
        let line = (Level::Info, text.to_owned());
        self.tell(|book, now| book.right(now, name, line));
    }

    /// Logs what may happen often as [`Logbook::happened`] has it.
    pub fn happened(&self, name: &str, level: Level, text: String) {
        self.tell(|book, now| book.happened(now, name, (level, text)));
    }

    /// Reminders come with the next thing that happens: trouble that nobody meets is none.
    fn tell(&self, change: impl FnOnce(&mut Logbook, Mono) -> Option<Line>) {
        for (level, text) in self.lines(change, Mono(self.began.elapsed())) {
            log::log!(level, "{text}");
        }
    }

    fn lines(
        &self,
        change: impl FnOnce(&mut Logbook, Mono) -> Option<Line>,
        now: Mono,
    ) -> Vec<Line> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let line = change(&mut book, now);
        let mut lines = book.due(now);
        lines.extend(line);
        lines
    }
}

impl Log {
    /// A logger that passes this crate's records up to `level`.
    pub fn new(style: Style, level: LevelFilter) -> Log {
        Log {
            style,
            level,
            others: Steady::default(),
        }
    }

    /// Makes it the logger of the process. A second call changes nothing.
    pub fn install(self) {
        let level = self.level;
        if log::set_boxed_logger(Box::new(self)).is_ok() {
            log::set_max_level(level);
        }
    }
}

impl log::Log for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        passes(self.level, metadata.level(), metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (level, message) = (record.level(), record.args().to_string());
        if is_own(record.target()) {
            return self.write(level, &message);
        }
        // What a library complains of comes with every try.
        let target = record.target();
        let message = format!("{target}: {message}");
        let happened = |book: &mut Logbook, now| book.happened(now, target, (level, message));
        let now = Mono(self.others.began.elapsed());
        for (level, message) in self.others.lines(happened, now) {
            self.write(level, &message);
        }
    }

    fn flush(&self) {}
}

impl Log {
    fn write(&self, level: Level, message: &str) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |since| since.as_millis());
        let now = UnixMs(i64::try_from(ms).unwrap_or(i64::MAX));
        let line = line(self.style, now, level, message);
        // A log that cannot be written is nothing the agent could tell anybody.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// Whether a record of `level` from `target`, a module path, is written at `allowed`.
fn passes(allowed: LevelFilter, level: Level, target: &str) -> bool {
    level <= allowed && (level <= Level::Warn || is_own(target))
}

fn is_own(target: &str) -> bool {
    let own = env!("CARGO_CRATE_NAME");
    target
        .strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// One line of the log with its end. A message of several lines becomes one, control
/// characters are escaped, and what is too long is cut.
pub fn line(style: Style, now: UnixMs, level: Level, message: &str) -> String {
    let mut line = match style {
        Style::Journal => format!("<{}>", priority(level)),
        Style::Plain => format!("{} {level} ", now.rfc3339_ms()),
    };
    for c in message.trim_end().chars() {
        if line.len() > LINE_BYTES_MAX {
            line.push_str(CUT);
            break;
        }
        match c {
            '\r' => {}
            '\n' => line.push_str(" | "),
            c if is_unsafe(c) => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line.push('\n');
    line
}

/// Whether a character could move the cursor, colour the terminal or turn the text around.
fn is_unsafe(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// Priority of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_795_341_600_007);

    #[test]
    fn a_record_is_one_line_with_time_or_priority() {
        let cases = [
            (
                Style::Plain,
                Level::Warn,
                "a",
                "2026-11-22T10:00:00.007Z WARN a\n",
            ),
            (
                Style::Plain,
                Level::Info,
                "a\r\nb\n",
                "2026-11-22T10:00:00.007Z INFO a | b\n",
            ),
            (Style::Journal, Level::Error, "a\nb", "<3>a | b\n"),
            (Style::Journal, Level::Warn, "a", "<4>a\n"),
            (
                Style::Journal,
                Level::Info,
                "é\t\u{1b}[31m",
                "<6>é\\t\\u{1b}[31m\n",
            ),
            (
                Style::Journal,
                Level::Debug,
                "\u{202e}a\u{2028}b",
                "<7>\\u{202e}a\\u{2028}b\n",
            ),
            (Style::Journal, Level::Info, "", "<6>\n"),
        ];
        for (style, level, message, wanted) in cases {
            assert_eq!(line(style, NOW, level, message), wanted);
        }
    }

    #[test]
    fn a_line_is_bounded() {
        for piece in ["x", "é", "\n", "\u{1b}"] {
            let line = line(
                Style::Plain,
                NOW,
                Level::Info,
                &(piece.repeat(100_000) + "."),
            );
            assert!(line.len() < LINE_BYTES_MAX + 20, "{}", line.len());
            assert!(line.ends_with("…\n"), "{piece:?}");
        }
    }

    #[test]
    fn trouble_at_the_edges_is_told_once_and_then_each_hour() {
        let warn = |text: &str| (Level::Warn, text.to_owned());
        let info = |text: &str| (Level::Info, text.to_owned());
        // Who tries again how often, in seconds, and how many lines that makes in a day.
        let cases = [(1, 24), (30, 24), (600, 24), (7200, 12)];
        for (interval, wanted) in cases {
            let steady = Steady::default();
            let at = |seconds| Mono(std::time::Duration::from_secs(seconds));
            let tries = (0..24 * 3600).step_by(interval);
            let lines: Vec<Line> = tries
                .flat_map(|now| {
                    let failed = |book: &mut Logbook, now| {
                        book.wrong(now, "keys", warn("keys: none"), false)
                    };
                    steady.lines(failed, at(now))
                })
                .collect();
            assert_eq!(lines.len(), wanted, "{interval}: {lines:#?}");
            let works = |book: &mut Logbook, now| book.right(now, "keys", info("keys: again"));
            let end = steady.lines(works, at(24 * 3600));
            assert_eq!(end.last(), Some(&info("keys: again")));
            assert_eq!(steady.lines(works, at(30 * 3600)), [], "{interval}");
        }
    }

    #[test]
    fn other_crates_are_heard_from_warnings_on() {
        let cases = [
            (LevelFilter::Debug, Level::Debug, "mediapackage2mqtt", true),
            (
                LevelFilter::Debug,
                Level::Debug,
                "mediapackage2mqtt::aws",
                true,
            ),
            (
                LevelFilter::Info,
                Level::Debug,
                "mediapackage2mqtt::aws",
                false,
            ),
            (LevelFilter::Debug, Level::Info, "ureq::run", false),
            (
                LevelFilter::Debug,
                Level::Info,
                "mediapackage2mqtt_other",
                false,
            ),
            (LevelFilter::Debug, Level::Warn, "rustls", true),
            (LevelFilter::Error, Level::Warn, "rustls", false),
        ];
        for (allowed, level, target, wanted) in cases {
            assert_eq!(
                passes(allowed, level, target),
                wanted,
                "{target} {level} at {allowed}"
            );
        }
    }
}
