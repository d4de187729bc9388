//! Which CloudWatch series exist and whose they are.
//!
//! AWS's page says that dimension values are GUIDs; in practice they are the ids that users
//! gave. So a value is matched to the id and to the last part of the ARN, `ListMetrics`
//! decides, and what was learned once is kept. Of v2 the values are names, without doubt.

mod lives;
mod lookup;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::inventory::Inventory;
use super::measure::{self, Measure, Resource, status_class};
use super::model::{Api, Channel, Endpoint, Id, PackagingConfiguration};
use super::polled::{Dimensions, ListedMetric, Query};
use super::time::UnixMs;
use super::wish::MetricsLevel;

use lives::Lives;
pub use lookup::{Lookup, arn_end};
pub use rows::is_asked;
use rows::{Row, classify};

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

/// A dimension by which a resource is asked for.
type Named = (&'static str, Id);

/// What `ListMetrics` has taught.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// How CloudWatch writes each resource that was ever listed.
    values: HashMap<Resource, Id>,
    /// The series outside the core.
    found: BTreeMap<Resource, Lives>,
    /// Whether this account's values are the ends of ARNs and no ids, as far as was listed.
    by_arn: bool,
    /// Rows of the last listing that belong to a known resource.
    pub matched: usize,
    /// Rows of the last listing that name a channel, endpoint or packaging configuration that
    /// nobody knows; of v2 and VOD only where some are watched.
    pub unmatched: usize,
}

impl Catalogue {
    /// Takes a complete answer of `ListMetrics`.
    pub fn learn(&mut self, now: UnixMs, rows: &[ListedMetric], inventory: &Inventory) {
        let lookup = Lookup::new(inventory);
        self.matched = 0;
        self.unmatched = 0;
        self.found.values_mut().for_each(Lives::unlist);
        for row in rows {
            match classify(row, &lookup) {
                Row::Known(resource, measure, value) => {
                    self.matched += 1;
                    if let Some(value) = value {
                        self.learn_value(&resource, value);
                    }
                    if !(resource.is_channel() && measure.is_core()) {
                        let lives = self.found.entry(resource).or_default();
                        lives.list(measure, now);
                    }
                }
                Row::Unknown => self.unmatched += 1,
                Row::Other => {}
            }
        }
        self.forget_dead(now, inventory);
        // Of a packaging configuration only what is listed is asked.
        let of_v1 = |(resource, _): &(&Resource, &Id)| !matches!(resource, Resource::Packaging(_));
        let mut values = self.values.iter().filter(of_v1).peekable();
        if values.peek().is_some() {
            self.by_arn = !values.any(|(resource, value)| resource.id() == value);
        }
    }

    /// Remembers how a resource is written; its own id wins over the end of its ARN.
    fn learn_value(&mut self, resource: &Resource, value: &str) {
        let is_id = **resource.id() == *value;
        match self.values.get(resource) {
            Some(known) if !is_id || **known == *value => {}
            _ if is_id => drop(self.values.insert(resource.clone(), resource.id().clone())),
            _ => drop(self.values.insert(resource.clone(), value.into())),
        }
    }

    /// Notes that these series of a resource had data, which keeps them asked for when they are
    /// no longer listed.
    pub fn had_data<'a>(
        &mut self,
        resource: &Resource,
        measures: impl Iterator<Item = &'a Measure>,
        now: UnixMs,
    ) {
        if let Some(lives) = self.found.get_mut(resource) {
            measures.for_each(|measure| lives.had_data(measure, now));
        }
    }

    /// Drops the series of resources that are gone, and those neither listed nor alive.
    pub fn forget_dead(&mut self, now: UnixMs, inventory: &Inventory) {
        let known: HashSet<&Id> = inventory.channels().map(|c| &c.id).collect();
        let packaging = inventory.packaging_configurations().map(|p| &p.id);
        let packaging: HashSet<&Id> = packaging.collect();
        let lives = |resource: &Resource| match resource {
            Resource::Channel(id) => known.contains(id),
            Resource::Endpoint(id) => inventory.endpoint(id).is_some(),
            Resource::Packaging(id) => packaging.contains(id),
        };
        self.values.retain(|resource, _| lives(resource));
        self.found.retain(|resource, found| {
            found.forget_dead(now);
            lives(resource) && !found.is_empty()
        });
    }

    /// What `level` asks for, resource by resource: of every channel with its endpoints, then
    /// of every packaging configuration, in the order of [`Resource`] and from after `after` on.
    pub fn plans<'a>(
        &'a self,
        inventory: &'a Inventory,
        after: Option<&'a Resource>,
        level: MetricsLevel,
    ) -> impl Iterator<Item = (Resource, Vec<Series>)> {
        let channels = match after {
            Some(Resource::Packaging(_)) => None,
            after => Some(inventory.channels_after(after.map(Resource::id))),
        };
        let channels = channels.into_iter().flatten().map(move |channel| {
            let resource = Resource::Channel(channel.id.clone());
            (resource, self.plan(channel, inventory, level))
        });
        let is_next = move |resource: &Resource| after.is_none_or(|after| after < resource);
        let packaging = inventory.packaging_configurations();
        let packaging = packaging.filter_map(move |configuration| {
            let resource = Resource::Packaging(configuration.id.clone());
            is_next(&resource).then(|| (resource, self.plan_packaging(configuration, level)))
        });
        channels.chain(packaging)
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
        let Some(names) = self.names_of_channel(channel) else {
            return plan;
        };
        if level == MetricsLevel::Off {
            return plan;
        }
        let found = self.found(&resource).filter(|m| m.level(true) <= level);
        for measure in measure::core(channel.api).iter().chain(found) {
            plan.extend(series(&resource, measure, status_name(channel.api), &names));
        }
        for id in inventory.endpoints_of(&channel.id) {
            if let Some(endpoint) = inventory.endpoint(id) {
                self.plan_endpoint(endpoint, &names, level, &mut plan);
            }
        }
        plan
    }

    fn plan_endpoint(
        &self,
        endpoint: &Endpoint,
        of_channel: &[Named],
        level: MetricsLevel,
        plan: &mut Vec<Series>,
    ) {
        let resource = Resource::Endpoint(endpoint.id.clone());
        let name = match endpoint.api {
            Api::V2 => endpoint.channel_id.as_deref().and_then(|channel| {
                let name = endpoint.id.strip_prefix(channel)?.strip_prefix('.')?;
                Some(Id::from(name))
            }),
            _ => Some(self.value_of(&resource, endpoint.arn.as_deref())),
        };
        let Some(name) = name else {
            return;
        };
        let names = [of_channel, &[("OriginEndpoint", name)]].concat();
        for measure in self.found(&resource).filter(|m| m.level(false) <= level) {
            plan.extend(series(
                &resource,
                measure,
                status_name(endpoint.api),
                &names,
            ));
        }
    }

    /// Every series of a packaging configuration that `level` asks for.
    pub fn plan_packaging(
        &self,
        configuration: &PackagingConfiguration,
        level: MetricsLevel,
    ) -> Vec<Series> {
        let resource = Resource::Packaging(configuration.id.clone());
        let name = self.value_of(&resource, configuration.arn.as_deref());
        let names = [("PackagingConfiguration", name)];
        let found = self.found(&resource).filter(|m| m.level(false) <= level);
        found
            .filter_map(|measure| series(&resource, measure, STATUS_RANGE, &names))
            .collect()
    }

    /// The dimensions that name a channel; `None` for one of v2 that is in no group.
    fn names_of_channel(&self, channel: &Channel) -> Option<Vec<Named>> {
        if channel.api != Api::V2 {
            let resource = Resource::Channel(channel.id.clone());
            let value = self.value_of(&resource, channel.arn.as_deref());
            return Some(vec![("Channel", value)]);
        }
        let group = channel.channel_group.as_deref()?;
        let name = channel.id.strip_prefix(group)?.strip_prefix('.')?;
        Some(vec![
            ("Channel", name.into()),
            ("ChannelGroup", group.into()),
        ])
    }

    fn found(&self, resource: &Resource) -> impl Iterator<Item = &Measure> {
        let lives = self.found.get(resource);
        lives.into_iter().flat_map(Lives::measures)
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

/// The dimension of a status class in v1 and VOD.
const STATUS_RANGE: &str = "StatusCodeRange";

/// The dimension of a status class.
fn status_name(api: Api) -> &'static str {
    match api {
        Api::V1 => STATUS_RANGE,
        Api::V2 => "StatusCode",
    }
}

/// The query for one measure of a resource that these dimensions name.
fn series(
    resource: &Resource,
    measure: &Measure,
    status_name: &'static str,
    names: &[Named],
) -> Option<Series> {
    Some(Series {
        resource: resource.clone(),
        measure: measure.clone(),
        query: Query {
            metric: measure.metric(),
            statistic: measure.statistic(),
            dimensions: dimensions(measure, status_name, names)?,
        },
    })
}

/// `None` where they are more than any series has: what lacks one of them is another series.
fn dimensions(measure: &Measure, status_name: &'static str, names: &[Named]) -> Option<Dimensions> {
    let last = match measure {
        Measure::ActiveInput(input) | Measure::InputBytes(input) | Measure::InputMqcs(input) => {
            Some(("IngestEndpoint", input.clone()))
        }
        Measure::RequestsOf(class) => Some((status_name, status_class(*class))),
        _ => None,
    };
    let of_endpoint = matches!(measure, Measure::ActiveInput(_));
    let names = names.iter();
    let names = names.filter(|(name, _)| !of_endpoint || *name == "OriginEndpoint");
    let mut dimensions = Dimensions::new();
    for named in names.cloned().chain(last) {
        dimensions.push(named).ok()?;
    }
    dimensions.sort_unstable_by_key(|(name, _)| *name);
    Some(dimensions)
}
