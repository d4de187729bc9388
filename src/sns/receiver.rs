//! What becomes of a request: everything cheap first, then the certificate, then the signature.
//!
//! Nothing here waits for the network. A message whose certificate is not at hand is parked:
//! whoever owns the one thread that fetches gives it the path, and comes back with the answer.
//!
//! ```text
//! judge ──▶ Accepted, Confirm, Unsubscribed, Refused
//!   └─▶ Fetch(parked) ─▶ the thread: resume ─▶ the same, when the certificate has come meanwhile
//!                                └─▶ Fetch(parked): fetch parked.path() ─▶ with_certificate
//! ```

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accepted::Accepted;
use super::certificate::{Certificate, Unfit};
use super::certificates::{Certificates, Lookup, Sender};
use super::envelope::{self, Envelope, Kind};
pub use super::settings::{Settings, path};
use super::verify::{self, CertificatePath, Checked, Headers};
use crate::aws::AwsClock;
use crate::config::Secret;
use crate::state::alarms::Via;
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::{MessageId, Reason};
use crate::state::time::{Mono, UnixMs};

/// The parts of a request that count.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// As it was sent.
    pub method: &'a str,
    /// The target as it was sent.
    pub path: &'a str,
    /// Names in small letters.
    pub headers: &'a Headers,
    /// The whole body.
    pub body: &'a [u8],
    /// Who sent it.
    pub peer: IpAddr,
}

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The topic of ours that it named, proven or not.
    pub topic_arn: Option<String>,
}

/// What is to be done with a request.
#[derive(Clone, Debug)]
pub enum Judged {
    /// Answer [`Reason::status`] and count it.
    Refused(Refusal),
    /// Keep it, then answer 200.
    Accepted {
        /// The notification.
        message: Accepted,
        /// The subscription it came by, as an unsigned header says.
        subscription_arn: Option<String>,
    },
    /// Answer 200 and confirm the subscription.
    Confirm {
        /// The same on every retry.
        message_id: MessageId,
        /// One of ours.
        topic_arn: String,
        /// For [`crate::aws::sns::confirm_subscription`].
        token: Secret,
    },
    /// Answer 200; the topic does not send here any more.
    Unsubscribed {
        /// The same on every retry.
        message_id: MessageId,
        /// One of ours.
        topic_arn: String,
    },
    /// The certificate has to be fetched first.
    Fetch(Parked),
}

/// A message that waits for its certificate.
#[derive(Clone, Debug)]
pub struct Parked {
    checked: Box<Checked>,
    sender: Sender,
}

impl Parked {
    /// What is to be fetched from the origin of the config.
    pub fn path(&self) -> &str {
        self.checked.certificate.as_str()
    }

    /// For when it cannot wait after all, say because the thread has no room.
    pub fn refuse(self, reason: Reason) -> Judged {
        refuse(reason, *self.checked)
    }
}

/// Judges requests. Shared by the workers and by the thread that fetches.
pub struct Receiver {
    settings: Settings,
    clock: AwsClock,
    certificates: Mutex<Certificates>,
}

impl Receiver {
    /// With no certificate at hand.
    pub fn new(settings: Settings, clock: AwsClock) -> Receiver {
        Receiver {
            settings,
            clock,
            certificates: Mutex::default(),
        }
    }

    /// Judges a request.
    pub fn judge(&self, request: Parts<'_>, now: Mono) -> Judged {
        let refused = |reason, topic_arn| Judged::Refused(Refusal { reason, topic_arn });
        if request.method != "POST" {
            return refused(Reason::Method, None);
        }
        if !self.settings.takes_at(request.path) {
            return refused(Reason::Path, None);
        }
        // Not proven, but it tells the owner which subscription is set up wrongly.
        let named = verify::header(request.headers, "x-amz-sns-topic-arn");
        let named = named.and_then(|arn| self.settings.known_topic(arn));
        if verify::is_raw(request.headers) {
            return refused(Reason::Raw, named.cloned());
        }
        let envelope = match envelope::parse(request.body) {
            Ok(envelope) => envelope,
            Err(reason) => return refused(reason, named.cloned()),
        };
        let named = self.settings.known_topic(&envelope.topic_arn).cloned();
        match self.check(envelope, request.headers) {
            Ok(checked) => self.look_up(checked, Sender::of(request.peer), now),
            Err(reason) => refused(reason, named),
        }
    }

    fn check(&self, envelope: Envelope, headers: &Headers) -> Result<Checked, Reason> {
        let timestamp = envelope.timestamp;
        let checked = verify::check(envelope, headers, &self.settings)?;
        match self.fresh(timestamp) {
            // The answer that brings the certificate tells the time as well.
            Err(Reason::NoClock) if self.clock.steady_now().is_none() => Ok(checked),
            fresh => fresh.map(|()| checked),
        }
    }

    /// A message is given up for its age only when both clocks say so: the monotonic one stands
    /// still while the machine sleeps, and the other one steps.
    fn fresh(&self, timestamp: UnixMs) -> Result<(), Reason> {
        let steady = self.clock.steady_now().ok_or(Reason::NoClock)?;
        match verify::fresh(timestamp, steady) {
            Err(_) if verify::fresh(timestamp, self.clock.now()).is_ok() => Err(Reason::NoClock),
            fresh => fresh,
        }
    }

    /// Judges a parked message by what has become known since it was parked. What is
    /// [`Judged::Fetch`] again has to be fetched now.
    ///
    /// One thread that does this for one message after the other never fetches twice what
    /// several of them wait for.
    pub fn resume(&self, parked: Parked, now: Mono) -> Judged {
        self.look_up(*parked.checked, parked.sender, now)
    }

    fn look_up(&self, checked: Checked, sender: Sender, now: Mono) -> Judged {
        let (path, aws_now) = (&checked.certificate, self.clock.steady_now());
        let found = self.certificates().look_up(path, sender, now, aws_now);
        match found {
            Lookup::Kept(certificate) => self.decide(checked, &certificate, now),
            Lookup::Fetch => Judged::Fetch(Parked {
                checked: Box::new(checked),
                sender,
            }),
            Lookup::Refused(reason) => refuse(reason, checked),
        }
    }

    /// Judges a parked message by what was fetched from [`Parked::path`].
    pub fn with_certificate(
        &self,
        parked: Parked,
        fetched: Result<Vec<u8>, Fault>,
        now: Mono,
    ) -> Judged {
        let checked = *parked.checked;
        match self.read(&checked.certificate, fetched, now) {
            Ok(certificate) => self.decide(checked, &certificate, now),
            Err(reason) => refuse(reason, checked),
        }
    }

    fn read(
        &self,
        path: &CertificatePath,
        fetched: Result<Vec<u8>, Fault>,
        now: Mono,
    ) -> Result<Arc<Certificate>, Reason> {
        let reason = match fetched {
            Ok(pem) => match Certificate::read(&pem, &self.settings.names) {
                Ok(certificate) => {
                    let certificate = Arc::new(certificate);
                    self.certificates().fetched(path, certificate.clone());
                    return Ok(certificate);
                }
                // Something else was served in its place: nothing is proven about the message.
                Err(Unfit::NoCertificate) => Reason::NoCertificate,
                Err(Unfit::Name | Unfit::Key) => Reason::Certificate,
            },
            Err(fault) if fault.kind == FaultKind::Stopped => {
                self.certificates().given_up(path);
                return Err(Reason::NoCertificate);
            }
            Err(_) => Reason::NoCertificate,
        };
        self.certificates().failed(path, reason, now);
        Err(reason)
    }

    /// All that is left: the time, the certificate's own time, the signature.
    fn decide(&self, checked: Checked, certificate: &Arc<Certificate>, now: Mono) -> Judged {
        match self.prove(&checked, certificate, now) {
            Ok(received_at) => proven(checked, received_at),
            Err(reason) => refuse(reason, checked),
        }
    }

    fn prove(
        &self,
        checked: &Checked,
        certificate: &Arc<Certificate>,
        now: Mono,
    ) -> Result<UnixMs, Reason> {
        let aws_now = self.clock.steady_now().ok_or(Reason::NoClock)?;
        self.fresh(checked.envelope.timestamp)?;
        let path = &checked.certificate;
        if !certificate.holds_at(aws_now) {
            self.certificates().failed(path, Reason::Certificate, now);
            return Err(Reason::Certificate);
        }
        verify::signature(checked, certificate)?;
        self.certificates().proven(path, certificate);
        Ok(aws_now)
    }

    fn certificates(&self) -> MutexGuard<'_, Certificates> {
        self.certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything checked has a topic of ours.
fn refuse(reason: Reason, checked: Checked) -> Judged {
    Judged::Refused(Refusal {
        reason,
        topic_arn: Some(checked.envelope.topic_arn),
    })
}

fn proven(checked: Checked, received_at: UnixMs) -> Judged {
    let Checked {
        envelope,
        subscription_arn,
        ..
    } = checked;
    let (message_id, topic_arn) = (envelope.message_id, envelope.topic_arn);
    match (envelope.kind, envelope.invitation) {
        (Kind::SubscriptionConfirmation, Some(invitation)) => Judged::Confirm {
            message_id,
            topic_arn,
            token: invitation.token,
        },
        (Kind::UnsubscribeConfirmation, _) => Judged::Unsubscribed {
            message_id,
            topic_arn,
        },
        // `envelope::parse` gives every confirmation its token.
        (Kind::Notification, _) | (Kind::SubscriptionConfirmation, None) => Judged::Accepted {
            message: Accepted {
                message_id,
                topic_arn: Some(topic_arn),
                subject: envelope.subject,
                timestamp: envelope.timestamp,
                received_at,
                via: Via::Sns,
                message: envelope.message,
            },
            subscription_arn,
        },
    }
}
