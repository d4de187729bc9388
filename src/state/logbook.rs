//! What of lasting and repeated trouble the log is told, so that a day of it is no flood: the
//! change at once, then a reminder an hour, then once that it is over.
//!
//! A log lies on flash and is read by people. What comes and goes is told a few times, and after
//! that once an hour with how often it changed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::time::Mono;

/// Reminders of one trouble are at least this far apart.
pub const REMINDER_INTERVAL: Duration = Duration::from_secs(3600);
/// So many changes of one thing are told as they come, until an hour passes without any: enough
/// for a person who sets it up and tries things out.
pub const CHANGES_MAX: u32 = 40;
/// Things that are kept apart; what comes beyond is told each time, never lost.
const SUBJECTS_MAX: usize = 1000;

/// A line for the log.
pub type Line = (log::Level, String);

/// What was told of each thing, and what has been kept back since.
#[derive(Clone, Debug, Default)]
pub struct Logbook(BTreeMap<String, Subject>);

/// One thing that can be wrong.
#[derive(Clone, Debug)]
struct Subject {
    /// Since when it is wrong; `None` while it is well, or where it only happens.
    wrong_since: Option<Mono>,
    /// The newest line, told or not.
    newest: Line,
    /// When the log last heard of it.
    told_at: Mono,
    /// Changes told since it was last quiet.
    changes: u32,
    /// What has happened since and was not told.
    untold: u32,
    /// It may stay like that: nobody is reminded.
    hushed: bool,
}

impl Logbook {
    /// Something is wrong, or still is. `is_news` says that the reason is another one than
    /// before. What it returns is to be logged.
    pub fn wrong(&mut self, now: Mono, name: &str, line: Line, is_news: bool) -> Option<Line> {
        let Some(subject) = self.subject(name, now, &line) else {
            return Some(line);
        };
        let began = subject.wrong_since.is_none();
        subject.wrong_since.get_or_insert(now);
        subject.newest = line;
        subject.hushed = false;
        (began || is_news).then(|| subject.change(now)).flatten()
    }

    /// It works. Where it was wrong, what it returns is to be logged.
    pub fn right(&mut self, now: Mono, name: &str, line: Line) -> Option<Line> {
        let subject = self.0.get_mut(name)?;
        subject.wrong_since.take()?;
        subject.newest = line;
        subject.change(now)
    }

    /// Something happened that may happen often and is never over: told at once, then with its
    /// number in each hour.
    pub fn happened(&mut self, now: Mono, name: &str, line: Line) -> Option<Line> {
        let Some(subject) = self.subject(name, now, &line) else {
            return Some(line);
        };
        subject.newest = line;
        if subject.changes > 0 {
            subject.untold += 1;
            return None;
        }
        subject.changes = 1;
        subject.told_at = now;
        Some(subject.newest.clone())
    }

    /// What is wrong may stay so, as a service that a region does not have: no reminders.
    pub fn hush(&mut self, name: &str) {
        if let Some(subject) = self.0.get_mut(name) {
            subject.hushed = true;
        }
    }

    /// Nothing more will be heard of it.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Whether it is wrong.
    pub fn is_wrong(&self, name: &str) -> bool {
        let subject = self.0.get(name);
        subject.is_some_and(|subject| subject.wrong_since.is_some())
    }

    /// Reminders that are due.
    pub fn due(&mut self, now: Mono) -> Vec<Line> {
        let mut lines = Vec::new();
        self.0.retain(|_, subject| {
            if now.since(subject.told_at) < REMINDER_INTERVAL {
                return true;
            }
            lines.extend(subject.remind(now));
            subject.wrong_since.is_some() || subject.changes > 0
        });
        lines
    }

    /// When the next reminder is due.
    pub fn deadline(&self) -> Option<Mono> {
        let told = self.0.values().map(|subject| subject.told_at);
        told.min().map(|at| at.after(REMINDER_INTERVAL))
    }

    /// `None` when there are too many.
    fn subject(&mut self, name: &str, now: Mono, line: &Line) -> Option<&mut Subject> {
        if !self.0.contains_key(name) {
            if self.0.len() >= SUBJECTS_MAX {
                return None;
            }
            let subject = Subject {
                wrong_since: None,
                newest: line.clone(),
                told_at: now,
                changes: 0,
                untold: 0,
                hushed: false,
            };
            self.0.insert(name.to_owned(), subject);
        }
        self.0.get_mut(name)
    }
}

impl Subject {
    fn change(&mut self, now: Mono) -> Option<Line> {
        if self.changes >= CHANGES_MAX {
            self.untold += 1;
            return None;
        }
        self.changes += 1;
        self.told_at = now;
        Some(self.newest.clone())
    }

    /// Tells what has been kept back, or that it lasts; after an hour without a change the next
    /// ones are told again as they come.
    fn remind(&mut self, now: Mono) -> Option<Line> {
        self.told_at = now;
        let untold = std::mem::take(&mut self.untold);
        if untold == 0 {
            self.changes = 0;
        }
        let (level, line) = &self.newest;
        let text = match (untold, self.wrong_since) {
            (0, None) => return None,
            (0, Some(_)) if self.hushed => return None,
            (0, Some(since)) => format!("after {} still: {line}", lasted(now.since(since))),
            (times, _) => format!("{times} times more within the last hour: {line}"),
        };
        Some((*level, text))
    }
}

/// In words, to the minute.
fn lasted(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use log::Level::{Info, Warn};

    use super::*;

    fn at(minutes: u64) -> Mono {
        Mono(Duration::from_secs(minutes * 60))
    }

    fn warn(text: &str) -> Line {
        (Warn, text.to_owned())
    }

    #[test]
    fn a_lasting_trouble_is_told_at_its_begin_each_hour_and_at_its_end() {
        let mut book = Logbook::default();
        let mut lines = Vec::new();
        for minute in 0..=200 {
            let text = if minute < 100 { "a: dns" } else { "a: refused" };
            let told = book.wrong(at(minute), "a", warn(text), minute == 100);
            lines.extend(told.map(|line| (minute, line.1)));
            lines.extend(book.due(at(minute)).into_iter().map(|l| (minute, l.1)));
        }
        let told = book.right(at(201), "a", (Info, "a: works again".into()));
        lines.extend(told.map(|line| (201, line.1)));
        let wanted = [
            (0, "a: dns"),
            (60, "after 1 h still: a: dns"),
            (100, "a: refused"),
            (160, "after 2 h 40 min still: a: refused"),
            (201, "a: works again"),
        ];
        assert_eq!(lines, wanted.map(|(at, line)| (at, line.to_owned())));
        assert_eq!(book.due(at(261)), []);
        assert!(book.0.is_empty());
    }

    #[test]
    fn what_comes_and_goes_is_told_a_few_times_and_then_each_hour() {
        let mut book = Logbook::default();
        let mut lines = Vec::new();
        for minute in 0..24 * 60 {
            let told = match minute % 2 {
                0 => book.wrong(at(minute), "a", warn("a: away"), true),
                _ => book.right(at(minute), "a", (Info, "a: back".into())),
            };
            lines.extend(told);
            lines.extend(book.due(at(minute)));
        }
        let changes = CHANGES_MAX as usize;
        assert_eq!(lines.len(), changes + 23);
        assert!(lines[changes].1.starts_with("60 times more"), "{lines:?}");
        // It stays well: the last changes are told, then nothing, then it is as new.
        let rest: Vec<Line> = (1440..1700).flat_map(|m| book.due(at(m))).collect();
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert_eq!(rest[0].0, Info);
        assert_eq!(
            book.wrong(at(1700), "a", warn("a: away"), true),
            Some(warn("a: away"))
        );
    }

    #[test]
    fn what_only_happens_is_told_with_its_number() {
        let mut book = Logbook::default();
        let mut lines = Vec::new();
        for minute in 0..180 {
            if minute < 90 {
                lines.extend(book.happened(at(minute), "a", warn("a: refused")));
            }
            lines.extend(book.due(at(minute)));
        }
        let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        let wanted = [
            "a: refused",
            "60 times more within the last hour: a: refused",
            "29 times more within the last hour: a: refused",
        ];
        assert_eq!(texts, wanted);
        assert_eq!(book.due(at(300)), []);
        assert!(book.0.is_empty());
    }

    #[test]
    fn things_are_kept_apart_and_well_ones_are_not_mentioned() {
        let mut book = Logbook::default();
        assert!(book.right(at(0), "a", warn("a: works again")).is_none());
        assert!(book.wrong(at(0), "a", warn("a"), true).is_some());
        assert!(book.wrong(at(1), "b", warn("b"), true).is_some());
        assert!(book.is_wrong("a") && !book.is_wrong("c"));
        assert_eq!(book.deadline(), Some(at(60)));
        book.forget("a");
        assert_eq!(book.deadline(), Some(at(61)));
        // What finds no room is told all the same.
        for name in 0..2 * SUBJECTS_MAX {
            assert!(
                book.wrong(at(2), &name.to_string(), warn("c"), true)
                    .is_some()
            );
        }
        assert_eq!(book.0.len(), SUBJECTS_MAX);
    }

    #[test]
    fn what_may_stay_as_it_is_is_told_once() {
        let mut book = Logbook::default();
        for minute in 0..300 {
            let told = book.wrong(at(minute), "a", warn("a: no such service"), false);
            book.hush("a");
            assert_eq!(told.is_some(), minute == 0);
            assert_eq!(book.due(at(minute)), []);
        }
        assert!(
            book.right(at(300), "a", (Info, "a: works".into()))
                .is_some()
        );
    }

    #[test]
    fn how_long_it_lasted_is_told_in_words() {
        let cases = [
            (59, "0 min"),
            (3599, "59 min"),
            (7200, "2 h"),
            (7260, "2 h 1 min"),
            (90_000, "1 d 1 h"),
        ];
        for (seconds, wanted) in cases {
            assert_eq!(lasted(Duration::from_secs(seconds)), wanted);
        }
    }
}
