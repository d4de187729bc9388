//! One picture of the topics as text for a terminal, never larger than the terminal.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::PREFIX;
use super::digest::digest;

/// How long a changed topic stands out.
const HIGHLIGHT: Duration = Duration::from_secs(2);
/// How long one page of a tree is shown that does not fit.
const PAGE_SECONDS: u64 = 5;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const CHANGED: &str = "\x1b[30;43m";
const RESET: &str = "\x1b[0m";
/// Clears the rest of the line.
const END_LINE: &str = "\x1b[K\r\n";

/// Size of the terminal.
#[derive(Clone, Copy)]
pub struct Size {
    /// Lines.
    pub rows: usize,
    /// Characters in a line.
    pub columns: usize,
}

/// A topic's payload and when it came.
pub struct Topic {
    /// As published.
    pub payload: String,
    /// When.
    pub changed: Instant,
}

/// What is drawn.
pub struct Screen<'a> {
    /// What this is.
    pub intro: &'a [String],
    /// What happens now in the region.
    pub story: &'a str,
    /// Retained topics.
    pub topics: &'a BTreeMap<String, Topic>,
    /// The latest messages that are not retained, newest first.
    pub stream: &'a [(String, String)],
    /// How long the demo has been running.
    pub age: Duration,
}

/// A line without colours, and the colour it gets.
struct Line {
    text: String,
    style: &'static str,
}

impl Screen<'_> {
    /// The whole picture, to be written over the last one.
    pub fn draw(&self, size: Size, now: Instant) -> String {
        let mut lines: Vec<Line> = self.intro.iter().map(|text| line(text, DIM)).collect();
        let seconds = self.age.as_secs();
        let clock = format!("{}:{:02}", seconds / 60, seconds % 60);
        lines.push(line(&format!("{clock}  {}", self.story), BOLD));
        let footer: Vec<Line> = self.stream.iter().map(|(t, p)| stream_line(t, p)).collect();
        let taken = lines.len() + footer.len() + 2;
        let tree = self.tree(now);
        let (page, pages) = page(tree, size.rows.saturating_sub(taken).max(1), seconds);
        let count = self.topics.len();
        lines.push(line(&format!("{PREFIX}  {count} topics{pages}"), BOLD));
        lines.extend(page);
        lines.extend(footer);
        lines.truncate(size.rows.saturating_sub(1));
        let mut picture = String::from("\x1b[H");
        for line in lines {
            let text = cut(&line.text, size.columns);
            picture.push_str(line.style);
            picture.push_str(&text);
            picture.push_str(RESET);
            picture.push_str(END_LINE);
        }
        // What is left of a taller picture.
        picture.push_str("\x1b[J");
        picture
    }

    /// One line for each topic, under a heading for each level that several share.
    fn tree(&self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut above: Vec<&str> = Vec::new();
        for (topic, shown) in self.topics {
            let below = topic
                .strip_prefix(PREFIX)
                .unwrap_or(topic)
                .trim_start_matches('/');
            let levels: Vec<&str> = below.split('/').collect();
            let (name, parents) = levels.split_last().unwrap_or((&"", &[]));
            let shared = parents
                .iter()
                .zip(&above)
                .take_while(|(a, b)| a == b)
                .count();
            for (depth, parent) in parents.iter().enumerate().skip(shared) {
                lines.push(line(&format!("{}{parent}", indent(depth)), ""));
            }
            above = levels.clone();
            let depth = parents.len();
            let width = 22_usize.saturating_sub(2 * depth);
            let text = format!("{}{name:width$} {}", indent(depth), digest(&shown.payload));
            let fresh = now.duration_since(shown.changed) < HIGHLIGHT;
            lines.push(line(&text, if fresh { CHANGED } else { "" }));
        }
        lines
    }
}

/// The lines that fit, and which page they are; the pages take turns.
fn page(lines: Vec<Line>, fits: usize, seconds: u64) -> (Vec<Line>, String) {
    let pages = lines.len().div_ceil(fits).max(1);
    if pages == 1 {
        return (lines, String::new());
    }
    let shown = (seconds / PAGE_SECONDS) as usize % pages;
    let page = lines.into_iter().skip(shown * fits).take(fits).collect();
    (page, format!(", page {} of {pages}", shown + 1))
}

fn stream_line(topic: &str, payload: &str) -> Line {
    let below = topic
        .strip_prefix(PREFIX)
        .unwrap_or(topic)
        .trim_start_matches('/');
    line(&format!("> {below}  {}", digest(payload)), DIM)
}

fn line(text: &str, style: &'static str) -> Line {
    Line {
        text: text.to_owned(),
        style,
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth + 1)
}

/// At most this many characters, none of which moves the cursor.
fn cut(text: &str, columns: usize) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let mut cut: String = text.chars().take(columns).map(visible).collect();
    if text.chars().count() > columns {
        cut.pop();
        cut.push('…');
    }
    cut
}
