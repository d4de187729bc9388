//! One minute of one resource: the numbers that stand together in a payload.

use super::measure::Measure;
use super::model::Id;
use super::time::Minute;

/// What one ingest endpoint did in a minute.
#[derive(Clone, Debug, PartialEq)]
pub struct InputReading {
    /// The ingest endpoint.
    pub id: Id,
    /// Bytes that came in; `None` without a data point.
    pub bytes: Option<f64>,
    /// Whether it fed any endpoint; `None` where that is not asked.
    pub active: Option<bool>,
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
    /// Channels: each ingest endpoint that has series.
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
                self.inputs.push(InputReading {
                    id: id.clone(),
                    bytes: value,
                    active: None,
                });
            }
            Measure::ActiveInput(id) => {
                if value.is_some_and(|v| v > 0.0) {
                    self.active_input = Some(id.clone());
                }
            }
        }
    }

    /// Channels: what one endpoint's ActiveInput says of an input; any endpoint is enough.
    pub fn feeds_endpoint(&mut self, id: &Id, value: Option<f64>) {
        let input = self.inputs.iter_mut().find(|input| input.id == *id);
        if let (Some(input), Some(value)) = (input, value) {
            input.active = Some(input.active.unwrap_or(false) || value > 0.0);
        }
    }
}
