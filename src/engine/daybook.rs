//! What the log is told of trouble that lasts or comes again; the rule is
//! [`Logbook`](crate::state::logbook::Logbook)'s.

use super::{Effect, Engine, Now};
use crate::state::logbook::Line;

/// The name of the broker's trouble, whichever session has it.
pub(super) const BROKER: &str = "mqtt";

impl Engine {
    /// Something is wrong, or still is; `is_news`: for another reason than before.
    pub(super) fn log_wrong(
        &mut self,
        now: Now,
        name: &str,
        level: log::Level,
        text: String,
        is_news: bool,
    ) {
        let line = self.logbook.wrong(now.mono, name, (level, text), is_news);
        self.log_line(line);
    }

    /// It works: told where it was wrong.
    pub(super) fn log_right(&mut self, now: Now, name: &str, text: impl Into<String>) {
        let line = (log::Level::Info, text.into());
        let line = self.logbook.right(now.mono, name, line);
        self.log_line(line);
    }

    /// Something happened that may happen often.
    pub(super) fn log_happened(
        &mut self,
        now: Now,
        name: &str,
        level: log::Level,
        text: impl Into<String>,
    ) {
        let line = self.logbook.happened(now.mono, name, (level, text.into()));
        self.log_line(line);
    }

    /// Tells reminders that are due.
    pub(super) fn advance_log(&mut self, now: Now) {
        for line in self.logbook.due(now.mono) {
            self.log_line(Some(line));
        }
    }

    fn log_line(&mut self, line: Option<Line>) {
        self.effects
            .extend(line.map(|(level, text)| Effect::Log(level, text)));
    }
}
