//! The table: a row for each figure, a column for agent, script and what lies between.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::stage::Who;

/// A figure, and how it is written.
#[derive(Clone, Copy)]
struct Figure {
    value: f64,
    write: fn(f64) -> String,
}

/// Agent and script, by scale.
type Cells = Vec<[Option<Figure>; 2]>;

/// All figures, as Markdown.
#[derive(Default)]
pub struct Table {
    rows: Vec<(String, Cells)>,
    size: Option<u64>,
}

impl Table {
    pub fn time(&mut self, what: &str, who: Who, took: Duration) {
        let value = took.as_secs_f64() * 1e3;
        self.add(&format!("{what}, ms"), who, value, |ms| match ms {
            ..10.0 => format!("{ms:.2}"),
            ..100.0 => format!("{ms:.1}"),
            _ => whole(ms),
        });
    }

    pub fn memory(&mut self, what: &str, who: Who, kib: u64) {
        let value = kib as f64 * 1024.0 / 1e6;
        self.add(&format!("{what}, MB"), who, value, |mb| format!("{mb:.1}"));
    }

    pub fn count(&mut self, what: &str, who: Who, count: u64) {
        self.add(what, who, count as f64, whole);
    }

    pub fn rate(&mut self, what: &str, who: Who, count: usize, took: Duration) {
        self.add(what, who, count as f64 / took.as_secs_f64(), whole);
    }

    /// Of the binary.
    pub fn size(&mut self, path: &Path) {
        self.size = std::fs::metadata(path).ok().map(|file| file.len());
    }

    /// The script comes after the agent.
    fn add(&mut self, what: &str, who: Who, value: f64, write: fn(f64) -> String) {
        let name = match who {
            Who::Agent => "agent",
            Who::Script => "script",
        };
        eprintln!("  {what}, {name}: {}", write(value));
        let figure = Some(Figure { value, write });
        let known = self.rows.iter().position(|(row, _)| row == what);
        let at = known.unwrap_or(self.rows.len());
        if known.is_none() {
            self.rows.push((what.to_owned(), Vec::new()));
        }
        let cells = &mut self.rows[at].1;
        match who {
            Who::Agent => cells.push([figure, None]),
            Who::Script => cells.last_mut().unwrap()[1] = figure,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what | agent | script | agent : script |\n|---|---|---|---|"
        )?;
        for (what, cells) in &self.rows {
            let of = |who: usize| {
                let shown = cells
                    .iter()
                    .map(|cell| cell[who].map_or_else(String::new, shown));
                shown.collect::<Vec<_>>().join(" / ")
            };
            let ratios: Vec<String> = cells.iter().map(ratio).collect();
            let ratios = ratios.join(" / ");
            writeln!(f, "| {what} | {} | {} | {ratios} |", of(0), of(1))?;
        }
        let Some(size) = self.size else {
            return Ok(());
        };
        let mib = size as f64 / f64::from(1 << 20);
        writeln!(f, "| size of the binary, MiB | {mib:.2} | | |")
    }
}

fn shown(figure: Figure) -> String {
    (figure.write)(figure.value)
}

fn ratio(cell: &[Option<Figure>; 2]) -> String {
    let [Some(agent), Some(script)] = cell else {
        return String::new();
    };
    let times = script.value / agent.value;
    match times {
        1.0.. => format!("1 : {times:.1}"),
        _ => format!("{:.1} : 1", 1.0 / times),
    }
}

/// `12,345`
fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
