//! Asks AWS for the channels, and how CloudWatch names their series.

use super::alarms::{Watched, watched};
use crate::agent::clock::Clock;
use crate::agent::poller::Poller;
use crate::aws::{Stop, cloudwatch, mediapackage, mediapackage_v2};
use crate::config::Config;
use crate::state::catalogue::{self, Catalogue};
use crate::state::details::Details;
use crate::state::fault::{Fault, FaultKind};
use crate::state::inventory::Inventory;
use crate::state::polled::ListedMetric;
use crate::state::time::Mono;
use crate::state::wish::MetricsLevel;

/// What AWS told.
#[derive(Debug, Default)]
pub struct Answer {
    /// Channels that are taken.
    pub channels: Vec<Watched>,
    /// What is missing and why, one sentence each.
    pub lacking: Vec<String>,
}

/// Asks once. What AWS does not tell is left out.
pub fn ask(config: &Config) -> Answer {
    match super::super::poller(config, Clock::start(), Stop::new()) {
        Ok(poller) => Asking::new(config, poller).ask(),
        Err(failure) => Answer {
            channels: Vec::new(),
            lacking: vec![lacks("", &failure.message)],
        },
    }
}

struct Asking<'a> {
    config: &'a Config,
    poller: Poller,
    inventory: Inventory,
    /// Of each API that did not tell, by its name.
    faults: Vec<(&'static str, Fault)>,
}

impl<'a> Asking<'a> {
    fn new(config: &'a Config, poller: Poller) -> Asking<'a> {
        Asking {
            config,
            poller,
            inventory: Inventory::default(),
            faults: Vec::new(),
        }
    }

    fn ask(mut self) -> Answer {
        self.list_v1();
        if !self.is_hopeless() {
            self.list_v2();
        }
        let some = self.inventory.listings() > 0;
        let missed = self
            .faults
            .iter()
            .filter(|(_, fault)| !(some && is_not_there(fault)));
        let in_common = self.is_hopeless();
        let told = |(api, fault): &(&str, Fault)| match in_common {
            true => lacks("", &fault.to_string()),
            false => lacks(&format!(" for channels of {api}"), &fault.to_string()),
        };
        let mut lacking: Vec<String> = missed.map(told).collect();
        let mut channels = Vec::new();
        if self.inventory.channels().next().is_some() {
            match self.series() {
                Ok(catalogue) => channels = watched(&self.inventory, &catalogue),
                Err(fault) => lacking.push(lacks("", &fault.to_string())),
            }
        }
        Answer { channels, lacking }
    }

    /// Whether the next question would fail as the last did.
    fn is_hopeless(&self) -> bool {
        use FaultKind::{Clock, Credentials, Stopped};
        let mut kinds = self.faults.iter().map(|(_, fault)| fault.kind);
        kinds.any(|kind| matches!(kind, Clock | Credentials | Stopped))
    }

    fn list_v1(&mut self) {
        if !self.config.mediapackage.apis.v1 {
            return;
        }
        match mediapackage::poll(&self.poller.clients.mediapackage) {
            Ok(listing) => {
                self.inventory.apply(listing, &self.config.wish());
            }
            Err(fault) => self.faults.push(("v1", fault)),
        }
    }

    fn list_v2(&mut self) {
        let Some(service) = &self.poller.clients.mediapackage_v2 else {
            return;
        };
        let wish = self.config.wish();
        match mediapackage_v2::list(service, |id| wish.takes_channel(id)) {
            Ok(listing) => {
                let mut details = Details::default();
                details.listed(&listing, Mono::default());
                // As it is listed: names are all that is needed here.
                self.inventory.apply_v2(details.detailed(listing, 0), &wish);
            }
            Err(fault) => self.faults.push(("v2", fault)),
        }
    }

    fn series(&self) -> Result<Catalogue, Fault> {
        let of_channels = |row: &ListedMetric| catalogue::is_asked(row, MetricsLevel::Channels);
        let rows = cloudwatch::list_metrics(&self.poller.clients.cloudwatch, of_channels)?;
        let mut catalogue = Catalogue::default();
        catalogue.learn(self.poller.aws_clock.now(), &rows, &self.inventory);
        Ok(catalogue)
    }
}

/// Whether the account or the region does not have the API at all.
fn is_not_there(fault: &Fault) -> bool {
    fault.is_barred() && fault.kind != FaultKind::Permission
}

fn lacks(whose: &str, why: &str) -> String {
    format!(
        "the template has no input-loss alarms{whose}: {why}. To get them, run aws-setup with \
         credentials that may list channels and metrics"
    )
}
