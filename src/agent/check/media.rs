//! What `check` says of the MediaPackage APIs.

use std::io::Write;

use super::aws::{Asking, Picture};
use super::place;
use crate::aws::{Clients, harvest, mediapackage, mediapackage_v2, vod};
use crate::config::{Config, ServiceUrl, region};
use crate::state::details::Details;
use crate::state::fault::{Fault, FaultKind};
use crate::state::model::account_of;
use crate::state::polled::{self, Listing, Resource, Vod};
use crate::state::time::Mono;

const V1: &str = "mediapackage v1";
const V2: &str = "mediapackage v2";
const VOD: &str = "vod";
const HARVEST: &str = "harvest jobs";

/// What the APIs that are asked for answered; `None` for one that was not asked.
#[derive(Default)]
struct Heard {
    v1: Option<Result<polled::Inventory, Fault>>,
    v2: Option<Result<Listing, Fault>>,
    vod: Option<Result<Vod, Fault>>,
}

fn fault_of<T>(answer: &Option<Result<T, Fault>>) -> Option<&Fault> {
    answer.as_ref()?.as_ref().err()
}

impl Heard {
    /// Asks one after the other, until one fails for a reason that all have in common.
    fn ask(clients: &Clients, config: &Config) -> Heard {
        let apis = config.mediapackage.apis;
        let home = &config.region;
        let mut heard = Heard::default();
        if apis.v1 {
            let both = mediapackage::poll(&clients.mediapackage);
            let url = &config.mediapackage.url;
            heard.v1 = Some(both.map_err(|fault| hint("mediapackage", home, url, fault)));
        }
        if let Some(service) = clients
            .mediapackage_v2
            .as_ref()
            .filter(|_| heard.may_go_on())
        {
            let wish = config.wish();
            let listing = mediapackage_v2::list(service, |id| wish.takes_channel(id));
            let url = &config.mediapackage.v2_url;
            heard.v2 = Some(listing.map_err(|fault| hint("mediapackagev2", home, url, fault)));
        }
        if let Some(service) = clients.vod.as_ref().filter(|_| heard.may_go_on()) {
            let url = &config.mediapackage.vod_url;
            let answer = vod::poll(service);
            heard.vod = Some(answer.map_err(|fault| hint("mediapackage-vod", home, url, fault)));
        }
        heard
    }

    fn faults(&self) -> impl Iterator<Item = &Fault> {
        let all = [fault_of(&self.v1), fault_of(&self.v2), fault_of(&self.vod)];
        all.into_iter().flatten()
    }

    fn may_go_on(&self) -> bool {
        use FaultKind::{Clock, Credentials, Stopped};
        !self
            .faults()
            .any(|f| matches!(f.kind, Credentials | Clock | Stopped))
    }

    fn refused(&self) -> Option<&Fault> {
        self.faults()
            .find(|fault| fault.kind == FaultKind::Credentials)
    }

    /// Whether any API can be used.
    fn any_works(&self) -> bool {
        let works = [
            matches!(self.v1, Some(Ok(_))),
            matches!(self.v2, Some(Ok(_))),
            matches!(self.vod, Some(Ok(_))),
        ];
        works.contains(&true)
    }

    /// Channels that AWS lists.
    fn channels(&self) -> usize {
        let v1 = self.v1.as_ref().and_then(|answer| answer.as_ref().ok());
        let v2 = self.v2.as_ref().and_then(|answer| answer.as_ref().ok());
        v1.map_or(0, |listing| listing.channels.len()) + v2.map_or(0, |l| l.channels.len())
    }
}

impl<W: Write> Asking<'_, W> {
    /// Credentials, clock, proxies and the MediaPackage APIs: the first listing tells of all.
    pub(super) fn mediapackage(&mut self, picture: &mut Picture) {
        let clients = &self.poller.clients;
        let source = clients.credentials();
        let heard = match source {
            Ok(_) => Heard::ask(clients, self.config),
            Err(_) => Heard::default(),
        };
        self.clock();
        self.credentials(&source, heard.refused());
        let faults: Vec<&Fault> = heard.faults().collect();
        place::proxies(self.report, self.config, &faults);
        let apis = self.config.mediapackage.apis;
        let (works, any) = (heard.any_works(), heard.channels() > 0);
        let Heard { v1, v2, vod } = heard;
        if let Some(listing) = self.tell(V1, apis.v1, v1, works) {
            self.listed_v1(picture, listing, any);
            self.harvest_v1();
        }
        if let Some(listing) = self.tell(V2, apis.v2, v2, works) {
            self.listed_v2(picture, listing, any);
        }
        if let Some(vod) = self.tell(VOD, apis.vod, vod, works) {
            self.listed_vod(picture, vod);
        }
    }

    /// Reports why there is no answer. An API that is not to be had is a warning while another
    /// works, as it is to the agent.
    fn tell<T>(
        &mut self,
        part: &str,
        wanted: bool,
        answer: Option<Result<T, Fault>>,
        other_works: bool,
    ) -> Option<T> {
        if !wanted {
            let name = part.rsplit(' ').next().unwrap_or(part);
            let found = format!("not asked, since apis does not hold \"{name}\"");
            self.report.note(part, &found);
            return None;
        }
        match answer {
            Some(Err(fault)) if other_works && fault.is_barred() => {
                let code = fault.code.as_deref().map(|code| format!("{code}: "));
                let found = format!("{}{}", code.unwrap_or_default(), fault.what);
                let remedy = match fault.remedy.as_str() {
                    "" => "leave it out of apis".to_owned(),
                    remedy => format!("{remedy}, or leave it out of apis"),
                };
                self.report.warn(part, &found, &remedy);
                None
            }
            Some(answer) => {
                if self.blocked == Some(FaultKind::Network) {
                    // Another host, which was reached all the same, or was not either.
                    self.blocked = None;
                }
                self.ask(part, || answer)
            }
            // It was not asked, for a reason that blocks all that is to come too.
            None => self.ask(part, || {
                Err(Fault::new(FaultKind::Stopped, "not asked", ""))
            }),
        }
    }

    /// How many there are, with a hint when there are none.
    fn count(&mut self, part: &str, taken: (usize, usize), all: (usize, usize), any: bool) {
        let found = format!(
            "{} of {} channels and {} of {} endpoints are taken",
            taken.0, all.0, taken.1, all.1
        );
        let region = &self.config.region;
        if all.0 == 0 && any {
            let found = format!("there are no channels in {region}; another API has some");
            self.report.note(part, &found);
        } else if all.0 == 0 {
            let found = format!("there are no channels in {region}");
            let remedy = "check region, and whose account the credentials are of";
            self.report.warn(part, &found, remedy);
        } else if taken.0 == 0 {
            self.report.warn(part, &found, "check include and exclude");
        } else {
            self.report.ok(part, &found);
        }
    }

    fn listed_v1(&mut self, picture: &mut Picture, listing: polled::Inventory, any: bool) {
        let all = (listing.channels.len(), listing.endpoints.len());
        let arns = listing.channels.iter().filter_map(|c| c.arn.as_deref());
        let endpoints = listing.endpoints.iter();
        picture.learn_account(arns.chain(endpoints.filter_map(|e| e.arn.as_deref())));
        picture.inventory.apply(listing, &self.config.wish());
        let inventory = &picture.inventory;
        let taken = (inventory.channels().count(), inventory.endpoints().count());
        self.count(V1, taken, all, any);
    }

    fn listed_v2(&mut self, picture: &mut Picture, listing: Listing, any: bool) {
        let arns = listing
            .groups
            .iter()
            .filter_map(|row| row.value.arn.as_deref());
        picture.learn_account(arns);
        let taken = (listing.channels.len(), listing.endpoints.len());
        let groups = listing.groups.len();
        let wish = self.config.wish();
        let mut details = Details::default();
        details.listed(&listing, Mono::default());
        // As it is listed: nothing more is needed here.
        let detailed = details.detailed(listing.clone(), 0);
        picture.inventory.apply_v2(detailed, &wish);
        if taken.0 == 0 {
            let all = (0, 0);
            self.count(V2, all, all, any);
        } else {
            let (channels, endpoints) = taken;
            let found = format!(
                "{channels} channels and {endpoints} endpoints in {groups} channel groups are taken"
            );
            self.report.ok(V2, &found);
        }
        self.get_v2(&listing);
        self.harvest_v2(&listing);
    }

    /// One resource of each kind by itself: that needs permissions of its own.
    fn get_v2(&mut self, listing: &Listing) {
        let group = listing.groups.first().map(|row| &row.resource);
        let channel = listing.channels.first().map(|row| &row.resource);
        let endpoint = listing.endpoints.first().map(|row| &row.resource);
        let Some(service) = &self.poller.clients.mediapackage_v2 else {
            return;
        };
        for resource in [group, channel, endpoint].into_iter().flatten() {
            let operation = match resource {
                Resource::ChannelGroup { .. } => "GetChannelGroup",
                Resource::Channel { .. } => "GetChannel",
                Resource::Endpoint { .. } => "GetOriginEndpoint",
            };
            let got = self.ask(V2, || mediapackage_v2::get(service, resource));
            if got.is_some() {
                self.report.ok(V2, &format!("{operation} answers"));
            }
        }
    }

    fn listed_vod(&mut self, picture: &mut Picture, vod: Vod) {
        picture.learn_account(vod.groups.iter().filter_map(|group| group.arn.as_deref()));
        let (groups, configurations) = (vod.groups.len(), vod.configurations.len());
        let assets = vod.groups.iter().filter_map(|g| g.approximate_asset_count);
        let assets: i64 = assets.fold(0, i64::saturating_add);
        picture.inventory.apply_vod(vod);
        if groups == 0 {
            let found = format!("there are no packaging groups in {}", self.config.region);
            let remedy = "check region, or leave \"vod\" out of apis";
            self.report.warn(VOD, &found, remedy);
            return;
        }
        let found = format!(
            "{groups} packaging groups, {configurations} packaging configurations, about \
             {assets} assets"
        );
        self.report.ok(VOD, &found);
    }

    fn harvest_v1(&mut self) {
        let service = &self.poller.clients.mediapackage;
        self.harvest("v1", || {
            harvest::list_v1(service, |_| true).map(|jobs| jobs.len())
        });
    }

    fn harvest_v2(&mut self, listing: &Listing) {
        let groups = listing.groups.iter().map(|row| &row.value.id);
        let Some(service) = &self.poller.clients.mediapackage_v2 else {
            return;
        };
        self.harvest("v2", || {
            harvest::list_v2(service, groups, |_| true).map(|jobs| jobs.len())
        });
    }

    /// That AWS gives no harvest jobs is no trouble to the agent.
    fn harvest(&mut self, api: &str, list: impl FnOnce() -> Result<usize, Fault>) {
        if self.blocked.is_some() {
            return;
        }
        match list() {
            Ok(jobs) => self.report.ok(HARVEST, &format!("{jobs} of {api}")),
            Err(fault) if matches!(fault.kind, FaultKind::Permission | FaultKind::Refused) => {
                let found = format!("those of {api} are not shown: {}", fault.what);
                self.report.warn(HARVEST, &found, &fault.remedy);
            }
            Err(fault) => drop(self.ask(HARVEST, || Err::<(), _>(fault))),
        }
    }
}

impl Picture {
    /// From the first ARN that holds it.
    fn learn_account<'a>(&mut self, mut arns: impl Iterator<Item = &'a str>) {
        if self.account.is_none() {
            self.account = arns.find_map(account_of).map(str::to_owned);
        }
    }
}

/// Where the service's usual name leads nowhere, the region may not have the service.
fn hint(service: &str, home: &str, url: &ServiceUrl, fault: Fault) -> Fault {
    let usual = region::service_url(service, home);
    if fault.kind != FaultKind::NoSuchHost || *url != usual {
        return fault;
    }
    let more = format!("not every region has {service}, does {home}?");
    let remedy = match fault.remedy.as_str() {
        "" => more,
        remedy => format!("{remedy}; {more}"),
    };
    Fault { remedy, ..fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_asks_whether_the_region_has_the_service() {
        let usual = region::service_url("mediapackagev2", "eu-central-1");
        let own = ServiceUrl {
            host: "mock.example.net".to_owned(),
            ..usual.clone()
        };
        let cases = [
            (&usual, FaultKind::NoSuchHost, true),
            (&usual, FaultKind::Network, false),
            (&usual, FaultKind::Server, false),
            (&own, FaultKind::NoSuchHost, false),
        ];
        for (url, kind, wanted) in cases {
            let fault = Fault::new(kind, "no such name", "check region");
            let remedy = hint("mediapackagev2", "eu-central-1", url, fault).remedy;
            assert!(remedy.starts_with("check region"), "{remedy}");
            assert_eq!(remedy.ends_with("does eu-central-1?"), wanted, "{kind:?}");
        }
    }
}
