//! How each of the MediaPackage APIs does, and what that means for the source they are.
//!
//! An account may not be allowed to use one of them, and not every region has all. Such an API
//! is `unavailable`: told once, tried again rarely, and no trouble as long as another works.

use std::collections::BTreeMap;

use super::fault::{Fault, FaultKind};
use super::model::Api;
use super::time::UnixMs;

/// By which AWS says that the account has no such service (CloudWatch API reference, "Common
/// errors", and the same with the ending of newer services).
const NOT_HAD: [&str; 2] = ["OptInRequired", "SubscriptionRequiredException"];

/// Whether AWS says by this error code that the account has no such service.
pub fn is_not_had(code: &str) -> bool {
    NOT_HAD.contains(&code)
}

/// A MediaPackage API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaApi {
    /// v1 live.
    V1,
    /// v2 live.
    V2,
    /// Video on demand.
    Vod,
}

impl From<Api> for MediaApi {
    fn from(api: Api) -> MediaApi {
        match api {
            Api::V1 => MediaApi::V1,
            Api::V2 => MediaApi::V2,
        }
    }
}

impl MediaApi {
    /// All, in the order they are shown.
    pub const ALL: [MediaApi; 3] = [MediaApi::V1, MediaApi::V2, MediaApi::Vod];

    /// As it stands in config and payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaApi::V1 => "v1",
            MediaApi::V2 => "v2",
            MediaApi::Vod => "vod",
        }
    }
}

/// How an API does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiState {
    /// The config does not want it.
    Off,
    /// It has not answered yet.
    Starting,
    /// The last listing was good.
    Ok,
    /// The last listing failed.
    Failing,
    /// The account may not use it, or the region does not have it.
    Unavailable,
}

impl ApiState {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            ApiState::Off => "off",
            ApiState::Starting => "starting",
            ApiState::Ok => "ok",
            ApiState::Failing => "failing",
            ApiState::Unavailable => "unavailable",
        }
    }
}

/// What is known of one API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiStatus {
    /// How it does.
    pub state: ApiState,
    /// Since when.
    pub since: UnixMs,
    /// Why it fails.
    pub error: Option<Fault>,
    /// Whether it has ever given a listing. Then it is there, and what keeps it away is trouble.
    answered: bool,
}

impl ApiStatus {
    /// Whether what it says sounds as if it were not for this account and region at all.
    fn is_barred(&self) -> bool {
        !self.answered && self.error.as_ref().is_some_and(Fault::is_barred)
    }

    fn turn(&mut self, state: ApiState, now: UnixMs) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }
}

/// What one answer changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiNews {
    /// The reader does not know it yet.
    pub told: bool,
    /// These are worth another try at once.
    pub retry: Vec<MediaApi>,
}

/// All APIs.
#[derive(Clone, Debug)]
pub struct Apis(BTreeMap<MediaApi, ApiStatus>);

impl Apis {
    /// None has answered yet.
    pub fn new(wanted: &[MediaApi], now: UnixMs) -> Apis {
        let status = |api: MediaApi| ApiStatus {
            state: match wanted.contains(&api) {
                true => ApiState::Starting,
                false => ApiState::Off,
            },
            since: now,
            error: None,
            answered: false,
        };
        Apis(MediaApi::ALL.map(|api| (api, status(api))).into())
    }

    /// All with their status, in order.
    pub fn iter(&self) -> impl Iterator<Item = (MediaApi, &ApiStatus)> {
        self.0.iter().map(|(api, status)| (*api, status))
    }

    /// How one does.
    pub fn state(&self, api: MediaApi) -> ApiState {
        self.0
            .get(&api)
            .map_or(ApiState::Off, |status| status.state)
    }

    /// Whether the config wants it.
    pub fn wants(&self, api: MediaApi) -> bool {
        self.state(api) != ApiState::Off
    }

    /// Whether every one that is wanted was asked once.
    pub fn all_asked(&self) -> bool {
        self.iter()
            .all(|(_, status)| status.state != ApiState::Starting)
    }

    /// Takes what came of a listing.
    pub fn take(&mut self, api: MediaApi, result: Result<(), Fault>, now: UnixMs) -> ApiNews {
        let recovers = self.state(api) == ApiState::Failing && result.is_ok();
        let Some(status) = self.0.get_mut(&api) else {
            return ApiNews::default();
        };
        let before = (status.state, status.error.clone());
        status.answered |= result.is_ok();
        status.error = result.err();
        let state = match &status.error {
            None => ApiState::Ok,
            Some(_) => self.state_of_failed(api),
        };
        let mut news = ApiNews::default();
        if let Some(status) = self.0.get_mut(&api) {
            status.turn(state, now);
            let same_error = match (&before.1, &status.error) {
                (Some(old), Some(new)) => old.same_as(new),
                (old, new) => old.is_none() && new.is_none(),
            };
            news.told = before.0 != state || !same_error;
        }
        // What kept this one away may have kept the others away too.
        let unavailable =
            |(_, status): &(MediaApi, &ApiStatus)| status.state == ApiState::Unavailable;
        let nobody = state == ApiState::Failing && self.are_all_barred();
        if recovers || nobody {
            news.retry = self
                .iter()
                .filter(unavailable)
                .map(|(api, _)| api)
                .collect();
        }
        if nobody {
            for api in &news.retry {
                if let Some(status) = self.0.get_mut(api) {
                    status.turn(ApiState::Failing, now);
                }
            }
        }
        news
    }

    /// An API that is not to be had is no trouble while there is another to go by. A name that
    /// DNS does not know says little unless DNS works for another.
    fn state_of_failed(&self, api: MediaApi) -> ApiState {
        let status = self.0.get(&api).filter(|status| status.is_barred());
        let Some(fault) = status.and_then(|status| status.error.as_ref()) else {
            return ApiState::Failing;
        };
        let by_name = fault.kind == FaultKind::NoSuchHost;
        let mut others = self.iter().filter(|(other, _)| *other != api);
        let other_goes = others.any(|(_, other)| match other.state {
            ApiState::Ok => true,
            ApiState::Starting => !by_name,
            ApiState::Failing => !by_name && !other.is_barred(),
            ApiState::Off | ApiState::Unavailable => false,
        });
        match other_goes {
            true => ApiState::Unavailable,
            false => ApiState::Failing,
        }
    }

    fn are_all_barred(&self) -> bool {
        let mut wanted = self
            .iter()
            .filter(|(_, status)| status.state != ApiState::Off);
        wanted.all(|(_, status)| status.is_barred())
    }

    /// What it all means for the source: nothing yet, that it works, or why it does not.
    pub fn verdict(&self) -> Option<Result<(), Fault>> {
        let failing = self
            .iter()
            .find(|(_, status)| status.state == ApiState::Failing);
        if let Some(fault) = failing.and_then(|(_, status)| status.error.clone()) {
            return Some(Err(fault));
        }
        let works = self.iter().any(|(_, status)| status.state == ApiState::Ok);
        works.then_some(Ok(()))
    }
}

impl Fault {
    /// Whether it sounds as if the account or the region did not have the service.
    pub fn is_barred(&self) -> bool {
        let not_had = self.code.as_deref().is_some_and(is_not_had);
        not_had || matches!(self.kind, FaultKind::Permission | FaultKind::NoSuchHost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(word: &str) -> Fault {
        let kind = match word {
            "denied" => FaultKind::Permission,
            "nohost" => FaultKind::NoSuchHost,
            "nosub" => FaultKind::Refused,
            "down" => FaultKind::Network,
            other => panic!("{other}"),
        };
        let code = (word == "nosub").then(|| NOT_HAD[0].to_owned());
        Fault {
            code,
            ..Fault::new(kind, word, "")
        }
    }

    /// `v2=denied` or `v1=ok`, one after the other, with `!` for news; then all states and the
    /// verdict.
    fn play(wanted: &str, steps: &str) -> (String, String) {
        let api = |name: &str| MediaApi::ALL.into_iter().find(|api| api.as_str() == name);
        let wanted: Vec<MediaApi> = wanted.split(' ').filter_map(api).collect();
        let mut apis = Apis::new(&wanted, UnixMs(0));
        let mut told = String::new();
        for step in steps.split(' ') {
            let (name, word) = step.split_once('=').unwrap();
            let result = if word == "ok" {
                Ok(())
            } else {
                Err(fault(word))
            };
            let news = apis.take(api(name).unwrap(), result, UnixMs(1));
            told.push(if news.told { '!' } else { '.' });
            for api in news.retry {
                told.push_str(api.as_str());
            }
        }
        let states = wanted.iter().map(|api| apis.state(*api).as_str());
        let verdict = match apis.verdict() {
            None => "nothing".to_owned(),
            Some(Ok(())) => "works".to_owned(),
            Some(Err(fault)) => fault.what,
        };
        (
            told,
            format!("{} / {verdict}", states.collect::<Vec<_>>().join(" ")),
        )
    }

    #[test]
    fn an_api_that_is_not_to_be_had_is_no_trouble_while_another_works() {
        let cases = [
            ("v1 v2", "v1=ok v2=ok", "!!", "ok ok / works"),
            (
                "v1 v2",
                "v1=ok v2=denied v2=denied",
                "!!.",
                "ok unavailable / works",
            ),
            ("v1 v2", "v2=denied", "!", "starting unavailable / nothing"),
            ("v1 v2", "v1=ok v2=nohost", "!!", "ok unavailable / works"),
            (
                "v1 v2 vod",
                "v1=ok v2=nosub vod=denied",
                "!!!",
                "ok unavailable unavailable / works",
            ),
            // A name that is not known says little while nothing else is reached.
            ("v1 v2", "v2=nohost", "!", "starting failing / nohost"),
            (
                "v1 v2",
                "v1=nohost v2=nohost",
                "!!",
                "failing failing / nohost",
            ),
            // What has answered is there: this is trouble.
            (
                "v1 v2",
                "v1=ok v2=ok v2=denied",
                "!!!",
                "ok failing / denied",
            ),
            (
                "v1 v2",
                "v1=ok v2=ok v2=nohost",
                "!!!",
                "ok failing / nohost",
            ),
            ("v1 v2", "v1=ok v2=down v2=down", "!!.", "ok failing / down"),
            // The only one asked for.
            ("v2", "v2=denied", "!", "failing / denied"),
            // None works: all are tried again at their usual pace.
            (
                "v1 v2",
                "v1=denied v2=denied",
                "!!v1",
                "failing failing / denied",
            ),
            // Another's trouble does not make it one.
            (
                "v1 v2",
                "v1=ok v2=denied v1=down",
                "!!!",
                "failing unavailable / down",
            ),
            // What kept one away may have kept the other away.
            (
                "v1 v2",
                "v1=ok v2=denied v1=down v1=ok",
                "!!!!v2",
                "ok unavailable / works",
            ),
            ("v1 v2", "v1=ok v2=denied v2=ok", "!!!", "ok ok / works"),
        ];
        for (wanted, steps, told, end) in cases {
            assert_eq!(
                play(wanted, steps),
                (told.to_owned(), end.to_owned()),
                "{steps}"
            );
        }
    }
}
