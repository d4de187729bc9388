//! What a receiver remembers from one message to the next, and how it takes the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mediapackage2mqtt::aws::AwsClock;
use mediapackage2mqtt::config::Secret;
use mediapackage2mqtt::sns::receiver::{Judged, Parked, Receiver, Settings, path};
use mediapackage2mqtt::state::fault::{Fault, FaultKind};
use mediapackage2mqtt::state::push::Reason;
use mediapackage2mqtt::state::time::{Mono, UnixMs};

use super::rig::*;
use crate::scripted::{self, NOON};

const MINUTE: i64 = 60_000;

fn receiver() -> Receiver {
    Receiver::new(Rig::genuine(NOTIFICATION, "1").settings(), clock_at(NOON))
}

fn at(seconds: u64) -> Mono {
    Mono(Duration::from_secs(seconds))
}

fn parked(judged: Judged) -> Parked {
    match judged {
        Judged::Fetch(parked) => parked,
        other => panic!("{other:?}"),
    }
}

fn accepted(judged: &Judged) -> bool {
    matches!(judged, Judged::Accepted { .. })
}

fn served() -> Result<Vec<u8>, Fault> {
    Ok(SIGNER.as_bytes().to_vec())
}

fn fault(kind: FaultKind) -> Result<Vec<u8>, Fault> {
    Err(Fault::new(kind, "a test", ""))
}

#[test]
fn a_certificate_is_fetched_once_and_then_kept() {
    let (receiver, rig) = (receiver(), Rig::genuine(NOTIFICATION, "1"));
    let waiting: Vec<Parked> = (0..20)
        .map(|_| parked(rig.judged_by(&receiver, at(0))))
        .collect();
    let mut fetches = 0;
    for parked in waiting {
        let judged = match receiver.resume(parked, at(1)) {
            Judged::Fetch(parked) => {
                fetches += 1;
                receiver.with_certificate(parked, served(), at(1))
            }
            judged => judged,
        };
        assert!(accepted(&judged), "{judged:?}");
    }
    assert_eq!(fetches, 1);
    assert!(accepted(&rig.judged_by(&receiver, at(1_000_000))));
}

#[test]
fn a_failed_fetch_refuses_all_who_wait_for_a_while_whoever_comes() {
    let (receiver, rig) = (receiver(), Rig::genuine(NOTIFICATION, "1"));
    let first = parked(rig.judged_by(&receiver, at(0)));
    let second = parked(rig.judged_by(&receiver, at(0)));
    let failed = receiver.with_certificate(first, fault(FaultKind::Network), at(5));
    assert_eq!(reason(failed).unwrap(), Reason::NoCertificate);
    assert_eq!(
        reason(receiver.resume(second, at(5))).unwrap(),
        Reason::NoCertificate
    );
    assert_eq!(
        reason(rig.judged_by(&receiver, at(19))).unwrap(),
        Reason::NoCertificate
    );
    parked(rig.judged_by(&receiver, at(20)));
}

#[test]
fn a_fetch_that_was_stopped_is_not_remembered() {
    let (receiver, rig) = (receiver(), Rig::genuine(NOTIFICATION, "1"));
    let first = parked(rig.judged_by(&receiver, at(0)));
    let stopped = receiver.with_certificate(first, fault(FaultKind::Stopped), at(0));
    assert_eq!(reason(stopped).unwrap(), Reason::NoCertificate);
    parked(rig.judged_by(&receiver, at(0)));
}

#[test]
fn a_certificate_of_no_use_is_not_fetched_for_every_message() {
    let (receiver, rig) = (receiver(), Rig::genuine(NOTIFICATION, "1"));
    let expired = include_bytes!("../fixtures/sns/expired.crt");
    let first = parked(rig.judged_by(&receiver, at(0)));
    let refused = receiver.with_certificate(first, Ok(expired.to_vec()), at(0));
    assert_eq!(reason(refused).unwrap(), Reason::Certificate);
    assert_eq!(
        reason(rig.judged_by(&receiver, at(14))).unwrap(),
        Reason::Certificate
    );
    parked(rig.judged_by(&receiver, at(15)));
}

#[test]
fn a_stranger_cannot_keep_the_genuine_sender_from_a_certificate() {
    let receiver = receiver();
    let mut stranger = Rig::genuine(NOTIFICATION, "1");
    stranger.peer = [203, 0, 113, 9].into();
    let mut fetches = 0;
    for n in 2..100 {
        stranger
            .set("SigningCertURL", &certificate_url(n))
            .set("Message", "forged");
        match stranger.judged_by(&receiver, at(0)) {
            Judged::Fetch(parked) => {
                fetches += 1;
                let judged = receiver.with_certificate(parked, served(), at(0));
                assert_eq!(reason(judged).unwrap(), Reason::Signature);
            }
            judged => assert_eq!(reason(judged).unwrap(), Reason::NoCertificate),
        }
    }
    assert_eq!(fetches, 2);
    let genuine = parked(Rig::genuine(NOTIFICATION, "1").judged_by(&receiver, at(0)));
    assert!(accepted(&receiver.with_certificate(
        genuine,
        served(),
        at(0)
    )));
}

#[test]
fn a_proven_certificate_outlives_all_that_strangers_bring() {
    let (receiver, genuine) = (receiver(), Rig::genuine(NOTIFICATION, "1"));
    let first = parked(genuine.judged_by(&receiver, at(0)));
    assert!(accepted(&receiver.with_certificate(first, served(), at(0))));
    let mut stranger = Rig::genuine(NOTIFICATION, "1");
    stranger.set("Message", "forged");
    for n in 2..50 {
        stranger.set("SigningCertURL", &certificate_url(n));
        let now = at(60 * u64::from(n));
        let forged = parked(stranger.judged_by(&receiver, now));
        let judged = receiver.with_certificate(forged, served(), now);
        assert_eq!(reason(judged).unwrap(), Reason::Signature);
    }
    assert!(accepted(&genuine.judged_by(&receiver, at(6_000))));
}

#[test]
fn a_wrong_signature_does_not_spoil_the_certificate() {
    let receiver = receiver();
    let mut forged = Rig::genuine(NOTIFICATION, "1");
    forged.set("Message", "forged");
    let first = parked(forged.judged_by(&receiver, at(0)));
    let judged = receiver.with_certificate(first, served(), at(0));
    assert_eq!(reason(judged).unwrap(), Reason::Signature);
    // The certificate is at hand: neither this one nor the next is fetched for.
    assert_eq!(
        reason(forged.judged_by(&receiver, at(0))).unwrap(),
        Reason::Signature
    );
    assert!(accepted(
        &Rig::genuine(NOTIFICATION, "2").judged_by(&receiver, at(0))
    ));
}

#[test]
fn who_cannot_wait_is_refused_in_its_own_words() {
    let first = parked(Rig::genuine(NOTIFICATION, "1").judged_by(&receiver(), at(0)));
    let Judged::Refused(refusal) = first.refuse(Reason::Busy) else {
        panic!("not refused");
    };
    assert_eq!(
        (refusal.reason, refusal.topic_arn.as_deref()),
        (Reason::Busy, Some(TOPIC))
    );
}

/// A receiver whose clocks the test moves: what the wall shows, and what has passed.
fn clocks() -> (Receiver, AwsClock, Arc<AtomicI64>, Arc<AtomicI64>) {
    let (wall, passed) = (
        Arc::new(AtomicI64::new(NOON.0)),
        Arc::new(AtomicI64::new(0)),
    );
    let (shown, counted) = (wall.clone(), passed.clone());
    let clock = AwsClock::with_steady(
        move || UnixMs(shown.load(Ordering::Relaxed)),
        move || Duration::from_millis(counted.load(Ordering::Relaxed) as u64),
    );
    let settings = Rig::genuine(NOTIFICATION, "1").settings();
    (Receiver::new(settings, clock.clone()), clock, wall, passed)
}

#[test]
fn with_the_time_unknown_a_message_is_neither_taken_nor_dropped() {
    let (receiver, clock, _, _) = clocks();
    let rig = Rig::genuine(NOTIFICATION, "1");
    let mut old = Rig::genuine(NOTIFICATION, "1");
    old.set("Timestamp", "2026-11-22T01:00:00.000Z")
        .sign(Key::Signer);
    // The certificate is fetched all the same: the answer's `Date` tells the time.
    let waiting = [&rig, &old].map(|rig| parked(rig.judged_by(&receiver, at(0))));
    for parked in waiting {
        let judged = receiver.with_certificate(parked, served(), at(0));
        assert_eq!(reason(judged).unwrap(), Reason::NoClock);
    }
    assert_eq!(
        reason(rig.judged_by(&receiver, at(0))).unwrap(),
        Reason::NoClock
    );
    // Parked while the time was unknown, it is held against the time all the same.
    old.set("SigningCertURL", &certificate_url(2));
    let late = parked(old.judged_by(&receiver, at(0)));
    teach(&clock, "Sun, 22 Nov 2026 10:00:00 GMT");
    let judged = receiver.with_certificate(late, served(), at(0));
    assert_eq!(reason(judged).unwrap(), Reason::TooOld);
    assert!(accepted(&rig.judged_by(&receiver, at(0))));
    assert_eq!(
        reason(old.judged_by(&receiver, at(0))).unwrap(),
        Reason::TooOld
    );
}

#[test]
fn what_happens_to_this_machines_clocks_drops_no_message() {
    const HOUR: i64 = 60 * MINUTE;
    // How far the wall steps; how much time really passes, and of that by the monotonic clock.
    let cases = [
        ("nothing happens", 0, 0, 0, None),
        ("set forward", 5 * HOUR, 0, 0, None),
        ("set back", -5 * HOUR, 0, 0, None),
        ("set to 1970", -NOON.0, 0, 0, None),
        ("ten minutes later", 0, 10 * MINUTE, 10 * MINUTE, None),
        ("slept for an hour", 0, HOUR, 0, Some(Reason::NoClock)),
        (
            "an hour and a half later",
            0,
            90 * MINUTE,
            90 * MINUTE,
            Some(Reason::TooOld),
        ),
    ];
    for (name, step_ms, real_ms, passed_ms, wanted) in cases {
        let (receiver, clock, wall, passed) = clocks();
        teach(&clock, "Sun, 22 Nov 2026 10:00:00 GMT");
        wall.fetch_add(step_ms + real_ms, Ordering::Relaxed);
        passed.fetch_add(passed_ms, Ordering::Relaxed);
        // Published now; the last case is one that was under way for all that time.
        let late = wanted == Some(Reason::TooOld);
        let published = NOON.plus_ms(if late { 0 } else { real_ms });
        let mut rig = Rig::genuine(NOTIFICATION, "1");
        rig.set("Timestamp", &published.rfc3339_ms())
            .sign(Key::Signer);
        let judged = match rig.judged_by(&receiver, at(0)) {
            Judged::Fetch(parked) => receiver.with_certificate(parked, served(), at(0)),
            judged => judged,
        };
        assert_eq!(reason(judged).ok(), wanted, "{name}");
    }
}

#[test]
fn messages_are_taken_at_the_secret_path_only() {
    let mut sns = sns_config(ORIGIN, 1);
    sns.path_secret = Some(Secret::new("hunter2"));
    let config = scripted::config(&sns.url);
    let secret = path(sns.path_secret.as_ref(), &config.instance);
    assert_eq!(secret.len(), 33);
    let receiver = Receiver::new(Settings::new(&config, &sns), clock_at(NOON));
    let mut rig = Rig::genuine(NOTIFICATION, "1");
    for path in ["/", &secret[..32], &secret.to_uppercase(), "/hunter2", ""] {
        rig.path = path.to_owned();
        assert_eq!(
            reason(rig.judged_by(&receiver, at(0))).unwrap(),
            Reason::Path,
            "{path}"
        );
    }
    rig.path = secret;
    parked(rig.judged_by(&receiver, at(0)));
}
