//! Which certificates are at hand, which are not to be had, and how often one may be fetched.
//! Pure: time comes in as a value.
//!
//! A stranger may name certificates without end, but only ones of SNS's host; what he can
//! bring about is held small. A certificate that has verified a message is pushed out by
//! nothing but another such one. He gets two fetches a minute, and all together get six, so
//! it takes several of them to keep a certificate from the genuine sender, and only one that
//! is not known yet.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::certificate::Certificate;
use super::verify::CertificatePath;
use crate::state::push::Reason;
use crate::state::time::{Mono, UnixMs};

/// Certificates that are kept. SNS signs with one per region and changes it once a year or so.
pub const KEPT_MAX: usize = 8;
/// How long a failure is not tried again: AWS comes back after 20 s.
pub const FAILURE_REMEMBERED: Duration = Duration::from_secs(15);
/// Failures remembered: more than [`FETCHES_MAX`] can bring about in that time.
const FAILURES_MAX: usize = 8;
/// Fetches in [`FETCHES_PERIOD`], all senders together.
pub const FETCHES_MAX: usize = 6;
/// Fetches in [`FETCHES_PERIOD`] for one sender.
pub const SENDER_FETCHES_MAX: usize = 2;
/// The time that both limits are for.
pub const FETCHES_PERIOD: Duration = Duration::from_secs(60);
/// Fetches that were granted and are not over.
const GRANTED_MAX: usize = 8;

/// Whoever gets one share of the fetches: an IPv4 address, or an IPv6 network of 64 bits,
/// which is what one customer of a provider has at least (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender(IpAddr);

impl Sender {
    /// The sender behind an address.
    pub fn of(peer: IpAddr) -> Sender {
        Sender(match peer.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address => address,
        })
    }
}

/// What there is of a certificate.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// It is here.
    Kept(Arc<Certificate>),
    /// It has to be fetched, and may be.
    Fetch,
    /// It is not to be had now.
    Refused(Reason),
}

struct Kept {
    path: CertificatePath,
    certificate: Arc<Certificate>,
    /// Whether it has verified a message.
    proven: bool,
}

struct Failure {
    path: CertificatePath,
    at: Mono,
    reason: Reason,
}

/// The certificates, the failures and the budget.
#[derive(Default)]
pub struct Certificates {
    /// The one used longest ago first.
    kept: Vec<Kept>,
    failures: VecDeque<Failure>,
    /// Granted and not over yet; whoever needs the same one waits for it.
    granted: VecDeque<CertificatePath>,
    /// Of the last [`FETCHES_PERIOD`], oldest first.
    fetches: VecDeque<(Mono, Sender)>,
}

impl Certificates {
    /// What there is of the certificate at `path`. [`Lookup::Fetch`] is a fetch granted to
    /// `sender`, or to somebody who asked for the same one before.
    ///
    /// `aws_now` is `None` when AWS's time is not known: then nothing counts as expired.
    pub fn look_up(
        &mut self,
        path: &CertificatePath,
        sender: Sender,
        now: Mono,
        aws_now: Option<UnixMs>,
    ) -> Lookup {
        let holds = |kept: &Kept| aws_now.is_none_or(|now| kept.certificate.holds_at(now));
        let place = self.kept.iter().position(|kept| kept.path == *path);
        if let Some(place) = place.filter(|place| holds(&self.kept[*place])) {
            // Used last now.
            self.kept[place..].rotate_left(1);
            let certificate = self.kept.last().map(|kept| kept.certificate.clone());
            return certificate.map_or(Lookup::Fetch, Lookup::Kept);
        }
        self.failures
            .retain(|failure| now.since(failure.at) < FAILURE_REMEMBERED);
        if let Some(failure) = self.failures.iter().find(|failure| failure.path == *path) {
            return Lookup::Refused(failure.reason);
        }
        if self.granted.contains(path) {
            return Lookup::Fetch;
        }
        if !self.grant(sender, now) {
            return Lookup::Refused(Reason::NoCertificate);
        }
        push_bounded(&mut self.granted, path.clone(), GRANTED_MAX);
        Lookup::Fetch
    }

    fn grant(&mut self, sender: Sender, now: Mono) -> bool {
        self.fetches
            .retain(|(at, _)| now.since(*at) < FETCHES_PERIOD);
        let own = self
            .fetches
            .iter()
            .filter(|(_, other)| *other == sender)
            .count();
        let granted = self.fetches.len() < FETCHES_MAX && own < SENDER_FETCHES_MAX;
        if granted {
            self.fetches.push_back((now, sender));
        }
        granted
    }

    /// The fetch is over and brought a certificate.
    pub fn fetched(&mut self, path: &CertificatePath, certificate: Arc<Certificate>) {
        self.granted.retain(|granted| granted != path);
        self.keep(path, certificate, false);
    }

    /// The fetch is over and brought nothing, or something that is of no use.
    pub fn failed(&mut self, path: &CertificatePath, reason: Reason, now: Mono) {
        self.granted.retain(|granted| granted != path);
        let failure = Failure {
            path: path.clone(),
            at: now,
            reason,
        };
        push_bounded(&mut self.failures, failure, FAILURES_MAX);
    }

    /// The fetch was broken off and says nothing about the certificate.
    pub fn given_up(&mut self, path: &CertificatePath) {
        self.granted.retain(|granted| granted != path);
    }

    /// The certificate has verified a message.
    pub fn proven(&mut self, path: &CertificatePath, certificate: &Arc<Certificate>) {
        let known = |kept: &Kept| kept.proven && Arc::ptr_eq(&kept.certificate, certificate);
        if !self.kept.iter().any(known) {
            self.keep(path, certificate.clone(), true);
        }
    }

    fn keep(&mut self, path: &CertificatePath, certificate: Arc<Certificate>, proven: bool) {
        self.kept.retain(|kept| kept.path != *path);
        if self.kept.len() == KEPT_MAX {
            let unproven = self.kept.iter().position(|kept| !kept.proven);
            let Some(victim) = unproven.or(proven.then_some(0)) else {
                return;
            };
            self.kept.remove(victim);
        }
        self.kept.push(Kept {
            path: path.clone(),
            certificate,
            proven,
        });
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, items_max: usize) {
    if queue.len() == items_max {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://sns.eu-west-1.amazonaws.com";
    const NOON: UnixMs = UnixMs(1_795_341_600_000);

    fn path(n: usize) -> CertificatePath {
        let url = format!("{ORIGIN}/SimpleNotificationService-{n:032x}.pem");
        CertificatePath::of(&url, ORIGIN).unwrap()
    }

    fn certificate(n: usize) -> Arc<Certificate> {
        Arc::new(Certificate {
            key: vec![n as u8],
            not_before: UnixMs(0),
            not_after: NOON,
        })
    }

    fn sender(text: &str) -> Sender {
        Sender::of(text.parse().unwrap())
    }

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    /// What `n` gives at that second, to a sender of its own.
    fn look_up(certificates: &mut Certificates, n: usize, second: u64) -> Lookup {
        let own = sender(&format!("192.0.2.{n}"));
        certificates.look_up(&path(n), own, at(second), Some(NOON))
    }

    fn kept(certificates: &mut Certificates, n: usize) -> bool {
        look_up(certificates, n, 1_000_000) == Lookup::Kept(certificate(n))
    }

    #[test]
    fn six_fetches_a_minute_and_two_for_one_sender() {
        const OVER: Lookup = Lookup::Refused(Reason::NoCertificate);
        // Second, sender, and what it gets for a certificate that nobody has asked for.
        let cases = [
            (0, "192.0.2.1", Lookup::Fetch),
            (1, "192.0.2.1", Lookup::Fetch),
            (2, "192.0.2.1", OVER),
            (2, "::ffff:192.0.2.1", OVER),
            (3, "2001:db8:0:1::1", Lookup::Fetch),
            (4, "2001:db8:0:1:ffff::2", Lookup::Fetch),
            (5, "2001:db8:0:1::3", OVER),
            (6, "2001:db8:0:2::1", Lookup::Fetch),
            (7, "192.0.2.2", Lookup::Fetch),
            (8, "192.0.2.3", OVER),
            (59, "192.0.2.3", OVER),
            (60, "192.0.2.3", Lookup::Fetch),
            (60, "192.0.2.4", OVER),
            (61, "192.0.2.1", Lookup::Fetch),
        ];
        let mut certificates = Certificates::default();
        for (n, (second, peer, wanted)) in cases.into_iter().enumerate() {
            let found = certificates.look_up(&path(n), sender(peer), at(second), Some(NOON));
            assert_eq!(found, wanted, "{second} {peer}");
        }
    }

    #[test]
    fn whoever_needs_the_same_certificate_waits_for_the_one_fetch() {
        let mut certificates = Certificates::default();
        for _ in 0..100 {
            let found = certificates.look_up(&path(1), sender("192.0.2.1"), at(0), None);
            assert_eq!(found, Lookup::Fetch);
        }
        assert_eq!(certificates.fetches.len(), 1);
        certificates.fetched(&path(1), certificate(1));
        let found = certificates.look_up(&path(1), sender("192.0.2.9"), at(0), None);
        assert_eq!(found, Lookup::Kept(certificate(1)));
        assert_eq!(certificates.fetches.len(), 1);
    }

    #[test]
    fn a_failure_is_remembered_until_before_aws_comes_again() {
        for reason in [Reason::NoCertificate, Reason::Certificate] {
            let mut certificates = Certificates::default();
            assert_eq!(look_up(&mut certificates, 1, 0), Lookup::Fetch);
            certificates.failed(&path(1), reason, at(2));
            assert_eq!(look_up(&mut certificates, 1, 2), Lookup::Refused(reason));
            assert_eq!(look_up(&mut certificates, 1, 16), Lookup::Refused(reason));
            assert_eq!(look_up(&mut certificates, 2, 16), Lookup::Fetch);
            assert_eq!(look_up(&mut certificates, 1, 17), Lookup::Fetch);
        }
    }

    #[test]
    fn a_fetch_broken_off_is_no_failure() {
        let mut certificates = Certificates::default();
        assert_eq!(look_up(&mut certificates, 1, 0), Lookup::Fetch);
        certificates.given_up(&path(1));
        assert_eq!(look_up(&mut certificates, 1, 0), Lookup::Fetch);
        assert_eq!(certificates.fetches.len(), 2);
    }

    #[test]
    fn a_certificate_that_has_expired_is_fetched_again() {
        let mut certificates = Certificates::default();
        certificates.fetched(&path(1), certificate(1));
        certificates.proven(&path(1), &certificate(1));
        let mut ask = |aws_now| certificates.look_up(&path(1), sender("::1"), at(0), aws_now);
        assert_eq!(ask(Some(NOON)), Lookup::Kept(certificate(1)));
        assert_eq!(ask(None), Lookup::Kept(certificate(1)));
        assert_eq!(ask(Some(NOON.plus_ms(1))), Lookup::Fetch);
    }

    #[test]
    fn only_a_proven_certificate_pushes_out_a_proven_one() {
        let mut certificates = Certificates::default();
        for n in 0..KEPT_MAX {
            certificates.proven(&path(n), &certificate(n));
        }
        for n in 100..200 {
            certificates.fetched(&path(n), certificate(n));
        }
        assert!((0..KEPT_MAX).all(|n| kept(&mut certificates, n)));
        // 0 has just been used; 1 is the one used longest ago.
        assert!(kept(&mut certificates, 0));
        certificates.proven(&path(200), &certificate(200));
        assert!(!kept(&mut certificates, 1));
        assert!(
            [0, 2, 3, 4, 5, 6, 7, 200]
                .iter()
                .all(|n| kept(&mut certificates, *n))
        );
    }

    #[test]
    fn one_that_has_proven_nothing_goes_first() {
        let mut certificates = Certificates::default();
        certificates.proven(&path(0), &certificate(0));
        for n in 1..KEPT_MAX {
            certificates.fetched(&path(n), certificate(n));
        }
        certificates.fetched(&path(100), certificate(100));
        assert!(kept(&mut certificates, 0) && kept(&mut certificates, 100));
        assert!(!kept(&mut certificates, 1) && kept(&mut certificates, 2));
        assert_eq!(certificates.kept.len(), KEPT_MAX);
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut certificates = Certificates::default();
        for n in 0..10_000 {
            // A minute each, so that every one is granted, and none is ever over.
            let found = look_up(&mut certificates, n % 200, n as u64 * 60);
            assert!(matches!(found, Lookup::Fetch), "{n}");
            if n % 2 == 0 {
                certificates.failed(&path(n), Reason::NoCertificate, at(0));
            }
        }
        assert!(certificates.granted.len() <= GRANTED_MAX);
        assert!(certificates.failures.len() <= FAILURES_MAX);
        assert!(certificates.fetches.len() <= FETCHES_MAX);
    }
}
