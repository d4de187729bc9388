//! One minute of one resource: the numbers that stand together in a payload.

use super::measure::Measure;
use super::model::{Api, Id};
use super::time::Minute;

/// What one ingest endpoint did in a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputReading {
    /// The ingest endpoint.
    pub id: Id,
    /// Bytes that came in; `None` without a data point.
    pub bytes: Option<f64>,
    /// Whether it had bytes; `None` where that is not asked, or nothing came in at all.
    pub flows: Option<bool>,
    /// v1: whether it fed any endpoint; `None` where that is not asked.
    pub feeds: Option<bool>,
    /// v2: its quality score.
    pub mqcs: Option<f64>,
}

impl InputReading {
    /// Whether it is in use. v1 tells; v2 does not, there it is what has bytes.
    pub fn active(&self, api: Api) -> Option<bool> {
        match api {
            Api::V1 => self.feeds,
            Api::V2 => self.flows,
        }
    }
}

/// The values of one minute. `None` is a gap: CloudWatch has no data point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The minute; its start is the payload's `timestamp`.
    pub minute: Minute,
    /// Bytes of all ingest endpoints.
    pub ingress_bytes: Option<f64>,
    /// Milliseconds.
    pub ingress_response_time: Option<f64>,
    /// Bytes to players.
    pub egress_bytes: Option<f64>,
    /// Requests of players.
    pub requests: Option<f64>,
    /// Milliseconds.
    pub egress_response_time: Option<f64>,
    /// Requests by status class, 2xx to 5xx.
    pub by_status: [Option<f64>; 4],
    /// Requests of the encoder (v2).
    pub ingress_requests: Option<f64>,
    /// Quality score of the channel (v2).
    pub mqcs: Option<f64>,
    /// Channels: each ingest endpoint that has series, in order of the id.
    pub inputs: Vec<InputReading>,
    /// Endpoints: the ingest endpoint that feeds it.
    pub active_input: Option<Id>,
    /// Whether the minute went out before with other values.
    pub revised: bool,
}

impl Reading {
    /// Puts a data point where it belongs.
    pub fn set(&mut self, measure: &Measure, value: Option<f64>) {
        match measure {
            Measure::IngressBytes => self.ingress_bytes = value,
            Measure::IngressResponseTime => self.ingress_response_time = value,
            Measure::EgressBytes => self.egress_bytes = value,
            Measure::Requests => self.requests = value,
            Measure::EgressResponseTime => self.egress_response_time = value,
            Measure::RequestsOf(class) => {
                if let Some(slot) = self.by_status.get_mut(usize::from(class.wrapping_sub(2))) {
                    // AWS sends no point for a status nobody got; where the total of the same
                    // minute has one, that is a nought and no gap. The total is set first.
                    *slot = value.or(self.requests.map(|_| 0.0));
                }
            }
            Measure::InputBytes(id) => {
                // As with a status: no point is no bytes, where the channel has some. The
                // channel's are set first.
                let silent = self.ingress_bytes.map(|_| false);
                let input = self.input(id);
                input.bytes = value;
                input.flows = value.map(|bytes| bytes > 0.0).or(silent);
            }
            Measure::IngressRequests => self.ingress_requests = value,
            Measure::Mqcs => self.mqcs = value,
            Measure::InputMqcs(id) => self.input(id).mqcs = value,
            Measure::ActiveInput(id) => {
                if value.is_some_and(|v| v > 0.0) {
                    self.active_input = Some(id.clone());
                }
            }
        }
    }

    /// The row of an ingest endpoint.
    fn input(&mut self, id: &Id) -> &mut InputReading {
        let found = self.inputs.binary_search_by(|input| input.id.cmp(id));
        let at = found.unwrap_or_else(|at| {
            let input = InputReading {
                id: id.clone(),
                ..InputReading::default()
            };
            self.inputs.insert(at, input);
            at
        });
        &mut self.inputs[at]
    }

    /// Channels: what one endpoint's ActiveInput says of an input; any endpoint is enough.
    pub fn feeds_endpoint(&mut self, id: &Id, value: Option<f64>) {
        let input = self.inputs.iter_mut().find(|input| input.id == *id);
        if let (Some(input), Some(value)) = (input, value) {
            input.feeds = Some(input.feeds.unwrap_or(false) || value > 0.0);
        }
    }
}
