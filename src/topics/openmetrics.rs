//! `/metrics` of the local page: the agent itself and the newest minutes, for Prometheus.
//!
//! Two forms of one content: Prometheus's text format 0.0.4 and OpenMetrics 1.0. They differ in
//! what a counter and an `_info` metric are called in their head, in `# UNIT`, and in `# EOF`.
//!
//! A gap is left out and is no 0. What CloudWatch counts by the minute is a gauge here: each
//! minute stands for itself. A counter is only what grows while the process lives.

mod agent;
mod minutes;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

pub use agent::{Agent, AgentRow, agent};
pub use minutes::{ChannelRow, EndpointRow, Row, channels, endpoints, minutes};

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Prometheus's own.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// One that only grows.
    Counter,
    /// Labels; its value is 1.
    Info,
}

impl Kind {
    /// What the names of its samples end in.
    fn suffix(self) -> &'static str {
        match self {
            Kind::Gauge => "",
            Kind::Counter => "_total",
            Kind::Info => "_info",
        }
    }
}

/// The head of a family. A unit is the end of the name.
#[derive(Clone, Copy, Debug)]
struct Family {
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        unit: "",
        help,
    }
}

const fn measured(name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        unit,
        help,
    }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Counter,
        unit: "",
        help,
    }
}

const fn info(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Info,
        unit: "",
        help,
    }
}

/// Labels of a sample. One without a value is left out: to Prometheus that is the same.
type Labels<'a> = [(&'static str, &'a str)];

/// Metrics that are being written.
pub struct Writer {
    text: String,
    format: Format,
}

impl Writer {
    /// Begins a text of about so many bytes.
    pub fn new(format: Format, bytes: usize) -> Writer {
        Writer {
            text: String::with_capacity(bytes),
            format,
        }
    }

    /// The whole text.
    pub fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text.into_bytes()
    }

    /// A family, which `fill` gives all its samples. Without any it is left out.
    fn family(&mut self, prefix: &str, family: Family, fill: impl FnOnce(&mut Samples<'_>)) {
        let begin = self.text.len();
        self.head(prefix, &family);
        let without = self.text.len();
        fill(&mut Samples {
            text: &mut self.text,
            prefix,
            family,
        });
        if self.text.len() == without {
            self.text.truncate(begin);
        }
    }

    fn head(&mut self, prefix: &str, family: &Family) {
        let Family {
            name,
            kind,
            unit,
            help,
        } = family;
        let (suffix, word) = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Format::OpenMetrics, Kind::Info) => ("", "info"),
            (Format::Text, Kind::Counter) => (kind.suffix(), "counter"),
            (_, Kind::Gauge | Kind::Info) => (kind.suffix(), "gauge"),
        };
        let text = &mut self.text;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {prefix}{name}{suffix} {help}");
        let _ = writeln!(text, "# TYPE {prefix}{name}{suffix} {word}");
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            let _ = writeln!(text, "# UNIT {prefix}{name}{suffix} {unit}");
        }
    }
}

/// Takes the samples of one family.
struct Samples<'a> {
    text: &'a mut String,
    prefix: &'a str,
    family: Family,
}

impl Samples<'_> {
    /// A sample, if there is a value.
    fn put(&mut self, labels: &Labels<'_>, more: &Labels<'_>, value: Option<f64>) {
        let Some(value) = value else {
            return;
        };
        self.text.push_str(self.prefix);
        self.text.push_str(self.family.name);
        self.text.push_str(self.family.kind.suffix());
        let mut before = '{';
        let labels = labels.iter().chain(more);
        for (name, value) in labels.filter(|(_, value)| !value.is_empty()) {
            self.text.push(before);
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        // Plain decimals, never an exponent.
        let _ = writeln!(self.text, " {value}");
    }

    /// One of several states: 1 for the one it is in, 0 for the others.
    fn state(&mut self, labels: &Labels<'_>, all: &[&str], is: &str) {
        for state in all {
            let value = if *state == is { 1.0 } else { 0.0 };
            self.put(labels, &[("state", state)], Some(value));
        }
    }
}

/// A label's value: backslash, quote and line feed are escaped, alike in both forms.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

fn number(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}
