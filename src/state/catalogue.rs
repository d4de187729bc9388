//! Which CloudWatch series exist and whose they are.
//!
//! AWS's page says that dimension values are GUIDs; in practice they are the ids that users
//! gave. So a value is matched to the id and to the last part of the ARN, `ListMetrics`
//! decides, and what was learned once is kept.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::inventory::Inventory;
use super::measure::{CORE, Measure, Resource, status_class};
use super::model::{Channel, Endpoint, Id};
use super::polled::{Dimension, ListedMetric, Query};
use super::time::UnixMs;
use super::wish::MetricsLevel;

/// A listed series is asked for this long after it was last listed or had data.
const KEPT_WITHOUT_DATA_MS: i64 = 24 * 3_600_000;

/// One series to ask for: whose it is, what it measures, and the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Whose.
    pub resource: Resource,
    /// What.
    pub measure: Measure,
    /// How CloudWatch is asked for it.
    pub query: Query,
}

/// When a series outside the core was last known to live.
#[derive(Clone, Copy, Debug)]
struct Life {
    listed: bool,
    last_sign: UnixMs,
}

/// What `ListMetrics` has taught.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// How CloudWatch writes each resource that was ever listed.
    values: HashMap<Resource, Id>,
    /// The series outside the core.
    found: BTreeMap<Resource, BTreeMap<Measure, Life>>,
    /// Whether this account's values are the ends of ARNs and no ids, as far as was listed.
    by_arn: bool,
    /// Rows of the last listing that belong to a known resource.
    pub matched: usize,
    /// Rows of the last listing that name a channel or endpoint nobody knows.
    pub unmatched: usize,
}

/// Names of things, by each way in which a dimension may write them: the id, the end of the ARN.
pub struct Lookup<'a> {
    inventory: &'a Inventory,
    channels: HashMap<&'a str, &'a Id>,
    endpoints: HashMap<&'a str, &'a Id>,
    inputs: HashMap<&'a str, (&'a Id, Id)>,
}

impl<'a> Lookup<'a> {
    /// Of everything that is there.
    pub fn new(inventory: &'a Inventory) -> Lookup<'a> {
        let mut lookup = Lookup {
            inventory,
            channels: HashMap::new(),
            endpoints: HashMap::new(),
            inputs: HashMap::new(),
        };
        // Ids go in last: where an id equals somebody else's GUID, the id is meant.
        for c in inventory.channels() {
            arn_end(c.arn.as_deref()).map(|end| lookup.channels.insert(end, &c.id));
            for input in &c.ingest_endpoints {
                lookup
                    .inputs
                    .insert(&input.id, (&c.id, Id::from(input.id.as_str())));
            }
        }
        for e in inventory.endpoints() {
            arn_end(e.arn.as_deref()).map(|end| lookup.endpoints.insert(end, &e.id));
        }
        lookup
            .channels
            .extend(inventory.channels().map(|c| (&*c.id, &c.id)));
        lookup
            .endpoints
            .extend(inventory.endpoints().map(|e| (&*e.id, &e.id)));
        lookup
    }

    /// The channel and endpoint that an alarm's dimensions name.
    pub fn owners(&self, dimensions: &[Dimension]) -> (Option<Id>, Option<Id>) {
        let value = |name: &str| {
            let dimension = dimensions.iter().find(|(n, _)| n == name);
            dimension.map(|(_, value)| value.as_str())
        };
        let endpoint = value("OriginEndpoint").and_then(|v| self.endpoints.get(v));
        let named = value("Channel").and_then(|v| self.channels.get(v));
        let of_endpoint = || self.inventory.endpoint(endpoint?)?.channel_id.as_ref();
        let of_input = || Some(self.inputs.get(value("IngestEndpoint")?)?.0);
        let channel = named.copied().or_else(of_endpoint).or_else(of_input);
        (channel.cloned(), endpoint.map(|id| (*id).clone()))
    }
}

/// The last part of an ARN, where MediaPackage puts its GUID.
pub fn arn_end(arn: Option<&str>) -> Option<&str> {
    arn?.rsplit(['/', ':']).next().filter(|end| !end.is_empty())
}

/// What one row of `ListMetrics` is to us.
enum Row<'a> {
    /// A series of a resource, with the value that names the resource.
    Known(Resource, Measure, &'a str),
    /// It names a channel or endpoint that is not in the inventory.
    Unknown,
    /// It is nobody's: account-wide, of v2 or VOD, or a metric that is not shown.
    Other,
}

impl Catalogue {
    /// Takes a complete answer of `ListMetrics`.
    pub fn learn(&mut self, now: UnixMs, rows: &[ListedMetric], inventory: &Inventory) {
        let lookup = Lookup::new(inventory);
        self.matched = 0;
        self.unmatched = 0;
        let lives = self.found.values_mut().flat_map(BTreeMap::values_mut);
        lives.for_each(|life| life.listed = false);
        for row in rows {
            match classify(row, &lookup) {
                Row::Known(resource, measure, value) => {
                    self.matched += 1;
                    self.learn_value(&resource, value);
                    if !(resource.is_channel() && measure.is_core()) {
                        let life = Life {
                            listed: true,
                            last_sign: now,
                        };
                        self.found
                            .entry(resource)
                            .or_default()
                            .insert(measure, life);
                    }
                }
                Row::Unknown => self.unmatched += 1,
                Row::Other => {}
            }
        }
        self.forget_dead(now, inventory);
        if !self.values.is_empty() {
            let is_id = |(resource, value): (&Resource, &Id)| resource.id() == value;
            self.by_arn = !self.values.iter().any(is_id);
        }
    }

    /// Remembers how a resource is written; its own id wins over the end of its ARN.
    fn learn_value(&mut self, resource: &Resource, value: &str) {
        let known = self.values.get(resource);
        if known.is_none() || **resource.id() == *value {
            self.values.insert(resource.clone(), value.into());
        }
    }

    /// Notes that a series had data, which keeps it asked for when it is no longer listed.
    pub fn had_data(&mut self, resource: &Resource, measure: &Measure, now: UnixMs) {
        let life = self
            .found
            .get_mut(resource)
            .and_then(|found| found.get_mut(measure));
        if let Some(life) = life {
            life.last_sign = now;
        }
    }

    /// Drops the series of resources that are gone, and those neither listed nor alive.
    pub fn forget_dead(&mut self, now: UnixMs, inventory: &Inventory) {
        let known: HashSet<&Id> = inventory.channels().map(|c| &c.id).collect();
        let lives = |resource: &Resource| match resource {
            Resource::Channel(id) => known.contains(id),
            Resource::Endpoint(id) => inventory.endpoint(id).is_some(),
        };
        self.values.retain(|resource, _| lives(resource));
        self.found.retain(|resource, found| {
            found.retain(|_, life| life.listed || now.0 - life.last_sign.0 < KEPT_WITHOUT_DATA_MS);
            lives(resource) && !found.is_empty()
        });
    }

    /// Every series of a channel and its endpoints that `level` asks for.
    pub fn plan(
        &self,
        channel: &Channel,
        inventory: &Inventory,
        level: MetricsLevel,
    ) -> Vec<Series> {
        let resource = Resource::Channel(channel.id.clone());
        let mut plan = Vec::new();
        if level == MetricsLevel::Off {
            return plan;
        }
        let core = CORE.iter().cloned();
        let found = self.found(&resource).filter(|m| m.level(true) <= level);
        let name = self.value_of(&resource, channel.arn.as_deref());
        for measure in core.chain(found.cloned()) {
            let query = query(&measure, &name, None);
            plan.push(Series {
                resource: resource.clone(),
                measure,
                query,
            });
        }
        for id in inventory.endpoints_of(&channel.id) {
            if let Some(endpoint) = inventory.endpoint(id) {
                self.plan_endpoint(endpoint, &name, level, &mut plan);
            }
        }
        plan
    }

    fn plan_endpoint(
        &self,
        endpoint: &Endpoint,
        channel_name: &Id,
        level: MetricsLevel,
        plan: &mut Vec<Series>,
    ) {
        let resource = Resource::Endpoint(endpoint.id.clone());
        let name = self.value_of(&resource, endpoint.arn.as_deref());
        for measure in self.found(&resource).filter(|m| m.level(false) <= level) {
            let query = query(measure, channel_name, Some(&name));
            plan.push(Series {
                resource: resource.clone(),
                measure: measure.clone(),
                query,
            });
        }
    }

    fn found(&self, resource: &Resource) -> impl Iterator<Item = &Measure> {
        self.found
            .get(resource)
            .into_iter()
            .flat_map(BTreeMap::keys)
    }

    /// How CloudWatch writes a resource: as learned, else as other resources are written.
    fn value_of(&self, resource: &Resource, arn: Option<&str>) -> Id {
        if let Some(value) = self.values.get(resource) {
            return value.clone();
        }
        match arn_end(arn) {
            Some(end) if self.by_arn => end.into(),
            _ => resource.id().clone(),
        }
    }
}

/// Finds out whose series a row is. The dimensions come in the order of their names.
fn classify<'a>(row: &'a ListedMetric, lookup: &Lookup) -> Row<'a> {
    let dims: Vec<(&str, &str)> = row
        .dimensions
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let channel = |value: &str| lookup.channels.get(value).copied();
    let endpoint = |value: &str| lookup.endpoints.get(value).copied();
    let known = |resource: Option<Resource>, measure: Option<Measure>, value: &'a str| match (
        resource, measure,
    ) {
        (_, None) => Row::Other,
        (None, _) => Row::Unknown,
        (Some(resource), Some(measure)) => Row::Known(resource, measure, value),
    };
    let of_channel = |value: &str| channel(value).cloned().map(Resource::Channel);
    let of_endpoint = |value: &str| endpoint(value).cloned().map(Resource::Endpoint);
    match dims[..] {
        [("Channel", c)] => known(of_channel(c), plain(&row.name, true), c),
        [("Channel", c), ("StatusCodeRange", s)] => {
            known(of_channel(c), by_status(&row.name, s), c)
        }
        [("Channel", c), ("IngestEndpoint", i)] if row.name == "IngressBytes" => {
            match lookup.inputs.get(i) {
                Some((id, input)) if channel(c) == Some(*id) => Row::Known(
                    Resource::Channel((*id).clone()),
                    Measure::InputBytes(input.clone()),
                    c,
                ),
                _ => Row::Unknown,
            }
        }
        [("Channel", _), ("OriginEndpoint", e)] => {
            known(of_endpoint(e), plain(&row.name, false), e)
        }
        [
            ("Channel", _),
            ("OriginEndpoint", e),
            ("StatusCodeRange", s),
        ] => known(of_endpoint(e), by_status(&row.name, s), e),
        [("IngestEndpoint", i), ("OriginEndpoint", e)] if row.name == "ActiveInput" => {
            let input = lookup
                .inputs
                .get(i)
                .map(|(_, input)| Measure::ActiveInput(input.clone()));
            if input.is_none() {
                Row::Unknown
            } else {
                known(of_endpoint(e), input, e)
            }
        }
        _ => Row::Other,
    }
}

/// Whether `level` asks for a series like this, whosever it is.
pub fn is_asked(row: &ListedMetric, level: MetricsLevel) -> bool {
    let names: Vec<&str> = row
        .dimensions
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let class = row
        .dimensions
        .last()
        .map_or("", |(_, value)| value.as_str());
    let any = || Id::from("");
    let (of_channel, measure) = match names[..] {
        ["Channel"] => (true, plain(&row.name, true)),
        ["Channel", "StatusCodeRange"] => (true, by_status(&row.name, class)),
        ["Channel", "IngestEndpoint"] if row.name == "IngressBytes" => {
            (true, Some(Measure::InputBytes(any())))
        }
        ["Channel", "OriginEndpoint"] => (false, plain(&row.name, false)),
        ["Channel", "OriginEndpoint", "StatusCodeRange"] => (false, by_status(&row.name, class)),
        ["IngestEndpoint", "OriginEndpoint"] if row.name == "ActiveInput" => {
            (false, Some(Measure::ActiveInput(any())))
        }
        _ => (false, None),
    };
    measure.is_some_and(|measure| measure.level(of_channel) <= level)
}

/// The measure that a metric without further dimensions is.
fn plain(metric: &str, of_channel: bool) -> Option<Measure> {
    match metric {
        "IngressBytes" if of_channel => Some(Measure::IngressBytes),
        "IngressResponseTime" if of_channel => Some(Measure::IngressResponseTime),
        "EgressBytes" => Some(Measure::EgressBytes),
        "EgressRequestCount" => Some(Measure::Requests),
        "EgressResponseTime" => Some(Measure::EgressResponseTime),
        _ => None,
    }
}

fn by_status(metric: &str, class: &str) -> Option<Measure> {
    let class = match class {
        "2xx" => 2,
        "3xx" => 3,
        "4xx" => 4,
        "5xx" => 5,
        _ => return None,
    };
    (metric == "EgressRequestCount").then_some(Measure::RequestsOf(class))
}

/// The query for one measure; dimensions in the order of their names.
fn query(measure: &Measure, channel: &Id, endpoint: Option<&Id>) -> Query {
    let mut dimensions = Vec::with_capacity(3);
    match measure {
        Measure::ActiveInput(input) => dimensions.push(("IngestEndpoint", input.clone())),
        _ => dimensions.push(("Channel", channel.clone())),
    }
    if let Measure::InputBytes(input) = measure {
        dimensions.push(("IngestEndpoint", input.clone()));
    }
    if let Some(endpoint) = endpoint {
        dimensions.push(("OriginEndpoint", endpoint.clone()));
    }
    if let Measure::RequestsOf(class) = measure {
        dimensions.push(("StatusCodeRange", status_class(*class).into()));
    }
    Query {
        metric: measure.metric(),
        statistic: measure.statistic(),
        dimensions,
    }
}
