//! Messages of SNS, each judged as the listener does: everything cheap, then the signature.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use mediapackage2mqtt::aws::AwsClock;
use mediapackage2mqtt::aws::clock::Sample;
use mediapackage2mqtt::config;
use mediapackage2mqtt::sns::receiver::{Judged, Parts, Receiver, Settings};
use mediapackage2mqtt::state::time::{Mono, UnixMs};

use crate::region::sns::signing::{Fields, KEYS, Kind};
use crate::region::sns::{Topic, events};
use crate::region::{Clock, World};
use crate::tape::Tape;

/// Of one round.
const MESSAGES: usize = 1000;
/// Sunday, 2026-11-22T10:00:00Z.
const NOW: UnixMs = UnixMs(1_795_341_600_000);
const DATE: &str = "Sun, 22 Nov 2026 10:00:00 GMT";
const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mp";
const CONFIG: &str = r#"
region = "eu-central-1"
[sns]
topic_arns = ["arn:aws:sns:eu-central-1:123456789012:mp"]
"#;

/// Signed messages, all different: of each its headers in a line each, and its body.
pub fn record(rounds: usize) -> Tape {
    let mut world = World::new("eu-central-1").with_channels(1, 1);
    world.clock = Clock::Fixed(NOW.0);
    world.sns.url = String::from("https://sns.eu-central-1.amazonaws.com");
    world.sns.topics.push(Topic {
        arn: TOPIC.to_owned(),
        signature_version: String::from("1"),
    });
    let endpoint = world.endpoints[0].id.clone();
    let mut tape = Tape::default();
    for _ in 0..rounds * MESSAGES {
        let fields = Fields {
            message: events::key_provider(&mut world, &endpoint),
            ..world.sns_fields(Kind::Notification, TOPIC)
        };
        let signed = fields.sign();
        let headers = signed
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        tape.push(headers.collect::<Vec<_>>().join("\n").into_bytes());
        tape.push(signed.body.into_bytes());
    }
    tape
}

/// # Panics
///
/// When a message is refused.
pub fn run(mut tape: Tape, rounds: usize) {
    let config = config::parse(Path::new("config.toml"), CONFIG, &config::Env::default()).unwrap();
    let settings = Settings::new(&config, config.sns.as_ref().unwrap());
    let clock = AwsClock::with_steady(|| NOW, || Duration::ZERO);
    clock.take(&Sample {
        date: Some(DATE),
        aged: false,
        sent: NOW,
        received: NOW,
    });
    let receiver = Receiver::new(settings, clock);
    for _ in 0..rounds * MESSAGES {
        let (headers, body) = (tape.next(), tape.next());
        let headers = String::from_utf8(headers).unwrap();
        let headers = headers.lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let headers: Vec<_> = headers.collect();
        let parts = Parts {
            method: "POST",
            path: "/",
            headers: &headers,
            body: &body,
            peer: IpAddr::from([127, 0, 0, 1]),
        };
        let judged = match receiver.judge(parts, Mono::default()) {
            Judged::Fetch(parked) => {
                let pem = KEYS[0].certificate.as_bytes().to_vec();
                receiver.with_certificate(parked, Ok(pem), Mono::default())
            }
            judged => judged,
        };
        assert!(matches!(judged, Judged::Accepted { .. }), "{judged:?}");
    }
}
