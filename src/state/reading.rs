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

    /// Whether any series has a data point in this minute.
    pub fn has_data(&self) -> bool {
        let plain = [
            self.ingress_bytes,
            self.ingress_response_time,
            self.egress_bytes,
            self.requests,
            self.egress_response_time,
        ];
        plain.iter().chain(&self.by_status).any(Option::is_some)
            || self.inputs.iter().any(|i| i.bytes.is_some())
            || self.active_input.is_some()
    }

    /// A number that differs (all but certainly) when any value differs: FNV-1a, 64 bit.
    ///
    /// It stands in for the values themselves, so that fifteen past minutes of a thousand
    /// channels cost kilobytes.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Fnv::new();
        let plain = [
            self.ingress_bytes,
            self.ingress_response_time,
            self.egress_bytes,
            self.requests,
            self.egress_response_time,
        ];
        for value in plain.iter().chain(&self.by_status) {
            hash.number(*value);
        }
        for input in &self.inputs {
            hash.bytes(input.id.as_bytes());
            hash.number(input.bytes);
            hash.bytes(&[match input.active {
                None => 0,
                Some(false) => 1,
                Some(true) => 2,
            }]);
        }
        if let Some(id) = &self.active_input {
            hash.bytes(id.as_bytes());
        }
        hash.0
    }
}

struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn number(&mut self, value: Option<f64>) {
        // No data point is never a value: a NaN stands for it.
        self.bytes(&value.unwrap_or(f64::NAN).to_bits().to_le_bytes());
    }
}
