//! One answered batch of metrics, and what it says of each resource and minute.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::catalogue::Series;
use super::measure::{Measure, Resource};
use super::polled::Column;
use super::reading::Reading;
use super::time::Minute;

/// One answered batch over one window: channels, each followed by its endpoints, then
/// packaging configurations.
#[derive(Clone, Debug)]
pub struct Answer {
    series: Vec<Series>,
    columns: Vec<Column>,
    parts: Vec<Part>,
    /// First minute of the window.
    pub first: Minute,
    /// Newest minute that was settled when the question was put.
    pub newest: Minute,
}

/// What an answer holds of one resource.
#[derive(Clone, Debug)]
pub struct Part {
    /// Whose.
    pub resource: Resource,
    /// Its series.
    own: Range<usize>,
    /// A channel's: those series of its endpoints that tell the active input.
    active_inputs: Vec<usize>,
}

impl Part {
    /// The series that a minute of the resource is made of.
    fn places(&self) -> impl Iterator<Item = usize> {
        self.own.clone().chain(self.active_inputs.iter().copied())
    }
}

/// One minute of one resource that has to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The minute.
    pub minute: Minute,
    /// Place of the resource among the answer's parts.
    pub part: usize,
    /// Whether the minute went out before with other values.
    pub revised: bool,
}

impl Answer {
    /// `columns` answer `series` one by one; the series of a resource stand together.
    pub fn new(series: Vec<Series>, columns: Vec<Column>, first: Minute, newest: Minute) -> Answer {
        Answer {
            parts: parts(&series),
            series,
            columns,
            first,
            newest,
        }
    }

    /// The resources, in the order in which they were asked.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The settled minutes of the window, oldest first.
    pub fn settled(&self) -> impl Iterator<Item = Minute> + use<> {
        (self.first.0..=self.newest.0).map(Minute)
    }

    /// Each series of a resource with its values.
    pub fn columns(&self, part: &Part) -> impl Iterator<Item = (&Measure, &Column)> {
        let measures = self.series[part.own.clone()].iter().map(|s| &s.measure);
        measures.zip(&self.columns[part.own.clone()])
    }

    fn value(&self, at: usize, minute: Minute) -> Option<f64> {
        let column = self.columns.get(at)?;
        let row = usize::try_from(minute.0 - column.first.0).ok()?;
        column.values.get(row).copied().filter(|v| v.is_finite())
    }

    /// A minute of a resource. Which input is active is told by the channel's endpoints.
    pub fn reading(&self, part: &Part, minute: Minute) -> Reading {
        let mut reading = Reading {
            minute,
            ..Reading::default()
        };
        for at in part.places() {
            let (measure, value) = (&self.series[at].measure, self.value(at, minute));
            match measure {
                Measure::ActiveInput(input) if part.resource.is_channel() => {
                    reading.feeds_endpoint(input, value);
                }
                _ => reading.set(measure, value),
            }
        }
        reading
    }

    /// A number that differs (all but certainly) when any value of the minute differs.
    ///
    /// It stands in for the values themselves, so that the past minutes of a thousand
    /// channels cost kilobytes.
    pub fn fingerprint(&self, part: &Part, minute: Minute) -> u64 {
        let mut hash = DefaultHasher::new();
        for at in part.places() {
            // No data point is never a value: a NaN stands for it.
            let value = self.value(at, minute).unwrap_or(f64::NAN);
            hash.write_u64(value.to_bits());
        }
        hash.finish()
    }

    /// A number that differs when other series are asked: fingerprints compare only then.
    pub fn asked(&self, part: &Part) -> u64 {
        let mut hash = DefaultHasher::new();
        for at in part.places() {
            self.series[at].resource.hash(&mut hash);
            self.series[at].measure.hash(&mut hash);
        }
        hash.finish()
    }

    /// Newest minute, settled or not, in which any series of the resource has a point.
    pub fn last_data(&self, part: &Part) -> Option<Minute> {
        let newest = |column: &Column| {
            let row = column.values.iter().rposition(|v| v.is_finite())?;
            Some(column.first.plus(row as i64))
        };
        self.columns(part).filter_map(|(_, c)| newest(c)).max()
    }
}

fn parts(series: &[Series]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    // The channel whose endpoints come now.
    let mut channel: Option<usize> = None;
    for (at, series) in series.iter().enumerate() {
        let known = parts.last().is_some_and(|p| p.resource == series.resource);
        if !known {
            match series.resource {
                Resource::Channel(_) => channel = Some(parts.len()),
                Resource::Endpoint(_) => {}
                Resource::Packaging(_) => channel = None,
            }
            parts.push(Part {
                resource: series.resource.clone(),
                own: at..at,
                active_inputs: Vec::new(),
            });
        }
        if let Some(part) = parts.last_mut() {
            part.own.end = at + 1;
        }
        let of_endpoint = matches!(series.resource, Resource::Endpoint(_));
        let tells_input = of_endpoint && matches!(series.measure, Measure::ActiveInput(_));
        if tells_input && let Some(channel) = channel {
            parts[channel].active_inputs.push(at);
        }
    }
    parts
}
