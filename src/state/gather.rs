//! A listing of v2 in small steps: it takes 1 + groups + channels requests, and what else is
//! asked of MediaPackage has its turn between the steps.

use super::fault::{Fault, FaultKind};
use super::model::{Channel, ChannelGroup, Endpoint, Id};
use super::polled::{Listed, Listing, RESOURCES_MAX, Resource};

/// Groups or channels whose content is asked for in one step.
pub const STEP_MAX: usize = 10;

/// What to ask for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// All channel groups.
    Groups,
    /// The channels of these groups.
    Channels(Vec<Id>),
    /// The origin endpoints of these channels, by group and name.
    Endpoints(Vec<(Id, Id)>),
}

/// What came of an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Of [`Ask::Groups`].
    Groups(Vec<Listed<ChannelGroup>>),
    /// Of [`Ask::Channels`].
    Channels(Vec<Listed<Channel>>),
    /// Of [`Ask::Endpoints`].
    Endpoints(Vec<Listed<Endpoint>>),
}

/// A listing that is under way. Nothing of it counts before it is complete.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    listing: Listing,
    has_groups: bool,
    /// Groups whose channels are known.
    groups: usize,
    /// Channels whose endpoints are known.
    channels: usize,
}

impl Gathering {
    /// What to ask for next; `None` when the listing is complete.
    pub fn next(&self) -> Option<Ask> {
        if !self.has_groups {
            return Some(Ask::Groups);
        }
        let groups = &self.listing.groups[self.groups..];
        if !groups.is_empty() {
            let some = groups.iter().take(STEP_MAX);
            return Some(Ask::Channels(
                some.map(|row| row.value.id.clone()).collect(),
            ));
        }
        let rest = self.listing.channels[self.channels..].iter().take(STEP_MAX);
        let names = rest.filter_map(|row| match &row.resource {
            Resource::Channel { group, channel } => Some((group.clone(), channel.clone())),
            _ => None,
        });
        let names: Vec<_> = names.collect();
        (!names.is_empty()).then_some(Ask::Endpoints(names))
    }

    /// Takes what came of the step that [`Gathering::next`] told, of the channels those that
    /// `takes` takes by their ids.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Answer`] for more than [`RESOURCES_MAX`] resources.
    pub fn take(&mut self, rows: Rows, takes: impl Fn(&str) -> bool) -> Result<(), Fault> {
        match rows {
            Rows::Groups(groups) => {
                self.listing.groups = groups;
                self.has_groups = true;
            }
            Rows::Channels(channels) => {
                let taken = channels.into_iter().filter(|row| takes(&row.value.id));
                self.listing.channels.extend(taken);
                self.groups = self.listing.groups.len().min(self.groups + STEP_MAX);
            }
            Rows::Endpoints(mut endpoints) => {
                self.listing.endpoints.append(&mut endpoints);
                self.channels = self.listing.channels.len().min(self.channels + STEP_MAX);
            }
        }
        let sizes = [
            self.listing.groups.len(),
            self.listing.channels.len(),
            self.listing.endpoints.len(),
        ];
        if sizes.iter().sum::<usize>() <= RESOURCES_MAX {
            return Ok(());
        }
        let what = format!("MediaPackage v2 lists more than {RESOURCES_MAX} resources");
        let remedy = "take fewer channels with include and exclude";
        Err(Fault::new(FaultKind::Answer, what, remedy))
    }

    /// The listing, once nothing is to be asked for any more.
    pub fn finish(self) -> Listing {
        self.listing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(count: usize) -> Rows {
        let group = |n: usize| {
            let id: Id = format!("g{n:05}").into();
            Listed {
                resource: Resource::ChannelGroup { group: id.clone() },
                value: ChannelGroup {
                    id,
                    arn: None,
                    description: None,
                    created_at: None,
                    modified_at: None,
                    egress_domain: None,
                    tags: Default::default(),
                },
            }
        };
        Rows::Groups((0..count).map(group).collect())
    }

    #[test]
    fn groups_are_asked_for_by_tens_until_all_were() {
        for count in [0, 1, 10, 11, 25] {
            let mut gathering = Gathering::default();
            assert_eq!(gathering.next(), Some(Ask::Groups));
            gathering.take(groups(count), |_| true).unwrap();
            let mut asked = Vec::new();
            while let Some(Ask::Channels(some)) = gathering.next() {
                assert!((1..=STEP_MAX).contains(&some.len()));
                asked.extend(some);
                gathering
                    .take(Rows::Channels(Vec::new()), |_| true)
                    .unwrap();
            }
            assert_eq!(gathering.next(), None);
            assert_eq!(asked.len(), count);
            assert!(asked.is_sorted(), "each once");
            assert_eq!(gathering.finish().groups.len(), count);
        }
    }

    #[test]
    fn a_listing_of_too_many_is_none() {
        for (count, good) in [(RESOURCES_MAX, true), (RESOURCES_MAX + 1, false)] {
            let taken = Gathering::default().take(groups(count), |_| true);
            assert_eq!(taken.is_ok(), good, "{count}");
        }
    }
}
