//! CloudWatch's data points as functions of the minute: nothing is stored, so a region of a
//! thousand channels costs nothing to set up and little to ask.

mod v2;

use std::collections::{BTreeMap, HashMap};

use super::world::{Channel, Dimension, World};

/// Every series of the namespace `AWS/MediaPackage`, in the order they were made.
#[derive(Default)]
pub struct Metrics {
    series: Vec<Series>,
    by_key: HashMap<String, usize>,
}

/// One metric with one set of dimensions.
pub struct Series {
    /// Metric name.
    pub name: String,
    /// Dimensions, ordered by name.
    pub dimensions: Vec<(String, String)>,
    /// Its values when nothing below says otherwise.
    pub values: Values,
    /// How long after the end of its minute a point can be seen, in seconds.
    pub delay_seconds: i64,
    /// The same for single minutes: late points.
    pub late: BTreeMap<i64, i64>,
    /// Changes of what a minute shows, in order of time.
    pub revisions: Vec<Revision>,
    /// False for a series that `ListMetrics` does not show (yet).
    pub listed: bool,
    /// Minutes at which it stops and starts in turn.
    switches: Vec<i64>,
}

/// From `at_ms` on, `minute` shows `value`.
pub struct Revision {
    /// The minute, counted from 1970.
    pub minute: i64,
    /// When, in milliseconds since 1970 by the region's clock.
    pub at_ms: i64,
    /// The new value.
    pub value: f64,
}

/// A value for every minute.
#[derive(Clone)]
pub enum Values {
    /// No point at all.
    Never,
    /// Always the same.
    Constant(f64),
    /// Only these minutes.
    Points(BTreeMap<i64, f64>),
    /// Whole numbers that look alive: around `base`, always the same for a seed and minute.
    Live {
        /// Tells one series from another.
        seed: u64,
        /// Middle of the values.
        base: f64,
    },
    /// A small whole number in one minute out of eight; no point otherwise.
    Sparse {
        /// Tells one series from another.
        seed: u64,
    },
}

impl Values {
    fn at(&self, minute: i64) -> Option<f64> {
        match self {
            Values::Never => None,
            Values::Constant(value) => Some(*value),
            Values::Points(points) => points.get(&minute).copied(),
            Values::Live { seed, base } => {
                let noise = (mix(*seed ^ minute as u64) >> 11) as f64 / (1u64 << 53) as f64;
                let wave = ((minute as f64 + (*seed % 60) as f64) / 9.5).sin();
                Some((base * (1.0 + 0.2 * wave + 0.1 * (noise - 0.5))).round())
            }
            Values::Sparse { seed } => {
                let random = mix(*seed ^ minute as u64);
                random
                    .is_multiple_of(8)
                    .then_some((1 + (random >> 8) % 5) as f64)
            }
        }
    }
}

impl Series {
    /// The value of a minute as it is seen at `now_ms`.
    pub fn at(&self, minute: i64, now_ms: i64) -> Option<f64> {
        let delay = self.late.get(&minute).unwrap_or(&self.delay_seconds);
        let seen_from_ms = (minute + 1) * 60_000 + delay * 1000;
        let stopped = self.switches.iter().filter(|&&at| at <= minute).count() % 2 == 1;
        if now_ms < seen_from_ms || stopped {
            return None;
        }
        let revised = |r: &&Revision| r.minute == minute && r.at_ms <= now_ms;
        match self.revisions.iter().rev().find(revised) {
            Some(revision) => Some(revision.value),
            None => self.values.at(minute),
        }
    }

    /// Sets the values.
    pub fn set(&mut self, values: Values) -> &mut Series {
        self.values = values;
        self
    }

    /// Shows one minute only `seconds` after its end.
    pub fn late(&mut self, minute: i64, seconds: i64) -> &mut Series {
        self.late.insert(minute, seconds);
        self
    }

    /// Changes what one minute shows from `at_ms` on.
    pub fn revise(&mut self, minute: i64, at_ms: i64, value: f64) -> &mut Series {
        self.revisions.push(Revision {
            minute,
            at_ms,
            value,
        });
        self
    }

    /// No points from this minute on, until [`Series::start`].
    pub fn stop(&mut self, minute: i64) -> &mut Series {
        if self.switches.len().is_multiple_of(2) {
            self.switches.push(minute);
        }
        self
    }

    /// Points again from this minute on.
    pub fn start(&mut self, minute: i64) -> &mut Series {
        if !self.switches.len().is_multiple_of(2) {
            self.switches.push(minute);
        }
        self
    }
}

impl Metrics {
    /// The series of this name and these dimensions, made without values when new.
    pub fn series(&mut self, name: &str, dimensions: &[(&str, &str)]) -> &mut Series {
        let key = key(name, dimensions.iter().copied());
        let next = self.series.len();
        let index = *self.by_key.entry(key).or_insert(next);
        if index == next {
            let pair = |&(n, v): &(&str, &str)| (n.to_owned(), v.to_owned());
            let mut dimensions: Vec<_> = dimensions.iter().map(pair).collect();
            dimensions.sort();
            self.series.push(Series {
                name: name.to_owned(),
                dimensions,
                values: Values::Never,
                delay_seconds: 0,
                late: BTreeMap::new(),
                revisions: Vec::new(),
                listed: true,
                switches: Vec::new(),
            });
        }
        &mut self.series[index]
    }

    /// The series with this key, see [`key`].
    pub fn get(&self, key: &str) -> Option<&Series> {
        Some(&self.series[*self.by_key.get(key)?])
    }

    /// All series, in the order they were made.
    pub fn all(&mut self) -> &mut [Series] {
        &mut self.series
    }

    /// All series, in the order they were made, for reading.
    pub fn iter(&self) -> std::slice::Iter<'_, Series> {
        self.series.iter()
    }

    /// Stops the series with this key, see [`Series::stop`].
    pub fn stop(&mut self, key: &str, minute: i64) {
        if let Some(&index) = self.by_key.get(key) {
            self.series[index].stop(minute);
        }
    }

    /// Starts the series with this key, see [`Series::start`].
    pub fn start(&mut self, key: &str, minute: i64) {
        if let Some(&index) = self.by_key.get(key) {
            self.series[index].start(minute);
        }
    }
}

/// One text for a metric and its dimensions in whatever order they came.
pub fn key<'a>(name: &str, dimensions: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<(&str, &str)> = dimensions.collect();
    pairs.sort_unstable();
    let mut key = String::from(name);
    for (name, value) in pairs {
        key.push('\0');
        key.push_str(name);
        key.push('=');
        key.push_str(value);
    }
    key
}

/// Ranges of status codes, as the dimension `StatusCodeRange` writes them, with the share of
/// all requests; what is rare has no point in most minutes.
const STATUS_RANGES: [(&str, Option<f64>); 4] = [
    ("2xx", Some(0.97)),
    ("3xx", Some(0.01)),
    ("4xx", Some(0.02)),
    ("5xx", None),
];

impl World {
    /// Registers the series of one channel with its inputs and endpoints, or of a packaging
    /// configuration. Those of v2 (`<group>.<channel>`) come with the sums that v2 keeps for
    /// the group and for the region.
    ///
    /// The sets are those of "AWS Elemental MediaPackage live content metrics" (v1), of `v2`,
    /// and of "AWS Elemental MediaPackage VOD content metrics".
    pub fn add_metrics(&mut self, id: &str) {
        let mut made = self.standard_series(id);
        if let Some(channel) = self.v2.channels.iter().find(|c| c.id() == id) {
            made.extend(v2::of_all(&Vec::new()));
            made.extend(v2::of_all(&vec![("ChannelGroup", channel.group.clone())]));
        }
        for (name, dimensions, values) in made {
            let pairs: Vec<_> = dimensions.iter().map(|(n, v)| (*n, v.as_str())).collect();
            self.metrics.series(name, &pairs).set(values);
        }
    }

    /// Ends what one input (0 or 1) of a channel of v1 or v2 receives, from this minute on.
    pub fn stop_input(&mut self, channel_id: &str, input: usize, minute: i64) {
        for key in self.input_keys(channel_id, input) {
            self.metrics.stop(&key, minute);
        }
    }

    /// Lets one input receive again.
    pub fn start_input(&mut self, channel_id: &str, input: usize, minute: i64) {
        for key in self.input_keys(channel_id, input) {
            self.metrics.start(&key, minute);
        }
    }

    /// Ends all that a channel receives, from this minute on.
    pub fn stop_ingest(&mut self, channel_id: &str, minute: i64) {
        for key in self.ingest_keys(channel_id) {
            self.metrics.stop(&key, minute);
        }
    }

    /// Lets a channel receive again.
    pub fn start_ingest(&mut self, channel_id: &str, minute: i64) {
        for key in self.ingest_keys(channel_id) {
            self.metrics.start(&key, minute);
        }
    }

    /// Keys of every series of one channel, of v1 or v2, or of a packaging configuration.
    pub fn keys_of(&self, id: &str) -> Vec<String> {
        let series = self.standard_series(id);
        series
            .iter()
            .map(|(name, dimensions, _)| owned_key(name, dimensions))
            .collect()
    }

    fn ingest_keys(&self, channel_id: &str) -> Vec<String> {
        let mut keys = self.keys_of(channel_id);
        // The scores of a channel are those of what it receives.
        keys.retain(|key| key.starts_with("Ingress") || key.starts_with("ChannelMQCS"));
        keys
    }

    fn input_keys(&self, channel_id: &str, input: usize) -> Vec<String> {
        let v1 = self.channels.iter().find(|c| c.id == channel_id);
        let v2 = self.v2.channels.iter().find(|c| c.id() == channel_id);
        let all = v1.map(|c| &c.ingest).or(v2.map(|c| &c.ingest));
        let wanted = all
            .and_then(|ingest| ingest.get(input))
            .map(|i| format!("IngestEndpoint={}", i.id))
            .unwrap_or_default();
        let mut keys = self.ingest_keys(channel_id);
        keys.retain(|key| !wanted.is_empty() && key.contains(&wanted));
        keys
    }

    fn standard_series(&self, id: &str) -> Vec<StandardSeries> {
        if let Some(channel) = self.channels.iter().find(|c| c.id == id) {
            return self.series_of_v1(channel);
        }
        if let Some(channel) = self.v2.channels.iter().find(|c| c.id() == id) {
            return v2::of_channel(self, channel);
        }
        match self.vod.configurations.iter().find(|c| c.id == id) {
            Some(vod) => egress_series(&vec![("PackagingConfiguration", vod.id.clone())], 5000.0),
            None => Vec::new(),
        }
    }

    fn series_of_v1(&self, channel: &Channel) -> Vec<StandardSeries> {
        let value = |id: &str, guid: &str| match self.dimension {
            Dimension::Id => id.to_owned(),
            Dimension::Guid => guid.to_owned(),
        };
        let of_channel = vec![("Channel", value(&channel.id, &channel.guid))];
        let mut made = egress_series(&of_channel, 240_000.0);
        made.push(live("IngressBytes", of_channel.clone(), 45_000_000.0));
        made.push(live("IngressResponseTime", of_channel.clone(), 21.0));
        for ingest in &channel.ingest {
            let of_input = with(&of_channel, "IngestEndpoint", &ingest.id);
            made.push(live("IngressBytes", of_input.clone(), 22_500_000.0));
            made.push(live("IngressResponseTime", of_input, 20.0));
        }
        for endpoint in self.endpoints.iter().filter(|e| e.channel_id == channel.id) {
            let endpoint_value = value(&endpoint.id, &endpoint.guid);
            let of_endpoint = with(&of_channel, "OriginEndpoint", &endpoint_value);
            made.extend(egress_series(&of_endpoint, 60_000.0));
            for (n, ingest) in channel.ingest.iter().enumerate() {
                let pair = vec![
                    ("IngestEndpoint", ingest.id.clone()),
                    ("OriginEndpoint", endpoint_value.clone()),
                ];
                let active = if n == 0 { 1.0 } else { 0.0 };
                made.push(("ActiveInput", pair, Values::Constant(active)));
            }
        }
        made
    }
}

type Dimensions = Vec<(&'static str, String)>;
type StandardSeries = (&'static str, Dimensions, Values);

fn egress_series(dimensions: &Dimensions, requests: f64) -> Vec<StandardSeries> {
    let mut made = vec![
        live("EgressBytes", dimensions.clone(), requests * 1500.0),
        live("EgressRequestCount", dimensions.clone(), requests),
        live("EgressResponseTime", dimensions.clone(), 14.0),
    ];
    for (range, share) in STATUS_RANGES {
        let of_range = with(dimensions, "StatusCodeRange", range);
        made.push(match share {
            Some(share) => live("EgressRequestCount", of_range, requests * share),
            None => {
                let seed = seed("EgressRequestCount", &of_range);
                ("EgressRequestCount", of_range, Values::Sparse { seed })
            }
        });
    }
    made
}

fn live(name: &'static str, dimensions: Dimensions, base: f64) -> StandardSeries {
    let seed = seed(name, &dimensions);
    (name, dimensions, Values::Live { seed, base })
}

fn with(dimensions: &Dimensions, name: &'static str, value: &str) -> Dimensions {
    let mut more = dimensions.clone();
    more.push((name, value.to_owned()));
    more
}

fn owned_key(name: &str, dimensions: &Dimensions) -> String {
    key(name, dimensions.iter().map(|(n, v)| (*n, v.as_str())))
}

fn seed(name: &str, dimensions: &Dimensions) -> u64 {
    owned_key(name, dimensions)
        .bytes()
        .fold(7, |hash, byte| mix(hash ^ u64::from(byte)))
}

/// splitmix64: spreads a number over all bits.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
