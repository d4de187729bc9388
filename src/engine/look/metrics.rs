//! What Prometheus is told, gathered from the state.

use std::collections::BTreeMap;

use crate::engine::{Engine, Now};
use crate::state::measure::Resource;
use crate::state::source::SourceState;
use crate::topics::openmetrics::{
    self, Agent, AgentRow, ChannelRow, EndpointRow, Format, Row, Writer,
};

impl Engine {
    /// `/metrics`, in about so many bytes.
    pub(super) fn render_openmetrics(&self, now: Now, format: Format, bytes: usize) -> Vec<u8> {
        let mut out = Writer::new(format, bytes);
        openmetrics::agent(&mut out, &self.metrics_of_agent(now));
        let channels = self.inventory.channels().map(|channel| ChannelRow {
            channel,
            health: self.health_of(&channel.id),
        });
        openmetrics::channels(&mut out, &channels.collect::<Vec<_>>());
        let endpoints = self.inventory.endpoints().map(|endpoint| EndpointRow {
            endpoint,
            channel_group: self.group_of(endpoint.channel_id.as_deref()),
        });
        openmetrics::endpoints(&mut out, &endpoints.collect::<Vec<_>>());
        let tracks = self.tracks.iter();
        let rows = tracks.filter_map(|(resource, track)| {
            Some(Row {
                metrics: self.metrics_of(resource, track)?,
                channel_group: match resource {
                    Resource::Channel(id) => self.group_of(Some(id)),
                    Resource::Endpoint(id) => {
                        let endpoint = self.inventory.endpoint(id)?;
                        self.group_of(endpoint.channel_id.as_deref())
                    }
                    Resource::Packaging(_) => None,
                },
            })
        });
        openmetrics::minutes(&mut out, &rows.collect::<Vec<_>>());
        out.finish()
    }

    fn metrics_of_agent(&self, now: Now) -> Agent<'_> {
        let mut alarms = BTreeMap::new();
        for (_, alarm) in self.alarms.iter() {
            *alarms.entry(&*alarm.state).or_insert(0) += 1;
        }
        let sources = self.told.sources();
        let sources = sources.filter(|(_, status)| status.state != SourceState::Off);
        let sources = sources.map(|(source, status)| AgentRow {
            source: *source,
            status,
            live: self.is_live(now.mono, *source, status),
        });
        Agent {
            version: self.settings.version,
            region: &self.settings.region,
            level: self.settings.wish.level.as_str(),
            health: self.whole_health().0,
            started_at: self.started_at,
            clock_offset_seconds: self.told.shown_offset_seconds(),
            sources: sources.collect(),
            stats: self.stats(now),
            counts: self.inventory.counts(),
            alarms,
        }
    }

    fn group_of(&self, channel: Option<&str>) -> Option<&str> {
        let channel = self.inventory.channel(channel?)?;
        channel.channel_group.as_deref()
    }
}
