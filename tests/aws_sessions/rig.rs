//! A region and a provider that share a clock which the test moves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mediapackage2mqtt::aws::credentials::{Credentials, Provider};
use mediapackage2mqtt::aws::{AwsClock, Limits, Stop};
use mediapackage2mqtt::config::{self, Env};
use mediapackage2mqtt::state::fault::Fault;
use mediapackage2mqtt::state::time::UnixMs;

use crate::region::{Clock, Region, SECRETS, Seen, World};

/// 2026-11-22T10:00:00Z.
pub const NOON: i64 = 1_795_341_600_000;
pub const MINUTE: i64 = 60_000;
pub const ROLE: &str = "arn:aws:iam::123456789012:role/edge";
/// Static keys that the region lets in.
pub const KEYS: &str = "[credentials]\naccess_key_id = \"AKIASYNTHETIC0000001\"\n\
                        secret_access_key = \"planted/SecretAccessKey+0123456789abcdef\"\n";

pub struct Rig {
    pub region: Region,
    pub env: BTreeMap<String, String>,
    /// What this machine's clock shows.
    pub wall: Arc<AtomicI64>,
    pub limits: Limits,
}

impl Rig {
    pub fn new(change: impl FnOnce(&mut World)) -> Rig {
        let mut world = World::new("eu-central-1");
        world.clock = Clock::Fixed(NOON);
        change(&mut world);
        let region = Region::start(world);
        let mut env = BTreeMap::new();
        env.insert(String::from("AWS_ENDPOINT_URL_STS"), region.url());
        // The tests run on instances too.
        env.insert(
            String::from("AWS_EC2_METADATA_DISABLED"),
            String::from("true"),
        );
        Rig {
            region,
            env,
            wall: Arc::new(AtomicI64::new(NOON)),
            limits: Limits::default(),
        }
    }

    /// With a variable of the environment; an empty one is not set.
    pub fn var(mut self, name: &str, value: &str) -> Rig {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn provider(&self, tables: &str) -> Provider {
        self.try_provider(tables).unwrap()
    }

    pub fn try_provider(&self, tables: &str) -> Result<Provider, Fault> {
        let text = format!("region = \"eu-central-1\"\n{tables}");
        let config = config::parse("x".as_ref(), &text, &Env::default()).unwrap();
        let wall = self.wall.clone();
        let clock = AwsClock::new(move || UnixMs(wall.load(Ordering::Relaxed)));
        Provider::new(&config, &self.env, clock, Stop::new(), self.limits)
    }

    /// Moves both clocks to this many minutes after noon.
    pub fn at(&self, minutes: i64) {
        let now = NOON + minutes * MINUTE;
        self.region.edit(|world| world.clock = Clock::Fixed(now));
        self.wall.store(now, Ordering::Relaxed);
    }

    /// What was asked of the region since the last look.
    pub fn asked(&self) -> Vec<Seen> {
        let asked = self.region.requests();
        self.region.forget_requests();
        asked
    }

    pub fn operations(&self) -> Vec<String> {
        self.asked()
            .into_iter()
            .map(|seen| seen.operation)
            .collect()
    }
}

/// Number of the session, as the region counts them.
pub fn number(credentials: &Credentials) -> usize {
    let id = credentials.access_key_id.expose();
    let number = id.strip_prefix(crate::region::sessions::KEY_ID);
    number.expect("a session of the region").parse().unwrap()
}

/// The fault in words, which hold no secret.
pub fn said(answer: Result<Credentials, Fault>) -> String {
    let fault = answer.unwrap_err();
    let text = format!("{:?}: {fault}", fault.kind);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} stands in {text}");
    }
    text
}
