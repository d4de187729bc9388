//! `[sqs]`: the queue, what may be done with it, who may send to it, and whether the topics do.
//!
//! Nothing is taken out of it. A message is received without being hidden, so that a running
//! agent gets it all the same; it counts as received once more, which is why that is left out
//! where there is a dead-letter queue for what was received too often.

mod findings;
pub mod readers;

use std::io::Write;
use std::time::Duration;

use super::super::state_dir;
use super::super::subscribe_url::quoted;
use super::aws::{Asking, Picture};
use super::report::{Grade, Report};
use crate::aws::Service;
use crate::aws::sqs::attributes::{Attributes, attributes};
use crate::aws::sqs::{delete, hide, receive};
use crate::aws::subscriptions::{self, Subscribed};
use crate::config::{Config, Sqs, region};
use crate::engine::queueing::HIDDEN;
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::Receipt;

use findings::{Around, Finding};

const QUEUE: &str = "queue";
const ACCESS: &str = "queue access";
const POLICY: &str = "queue policy";
const SUBSCRIPTION: &str = "subscription";
/// Whoever gives this to SQS means no message.
const NO_RECEIPT: &str = "mediapackage2mqtt-check";
/// By which SQS says that a receipt is none: so the call itself is allowed.
const WRONG_RECEIPT: [&str; 3] = [
    "ReceiptHandleIsInvalid",
    "InvalidParameterValue",
    "InvalidParameterValueException",
];

/// What the config alone tells.
pub fn offline<W: Write>(report: &mut Report<W>, config: &Config) {
    if let Some(sqs) = &config.sqs {
        let topics = sqs.topic_arns.join(", ");
        let found = format!("{}, for {topics}; not tried", sqs.queue_url);
        report.note(QUEUE, &found);
    }
}

/// The ARN of a queue by its URL, `…/<account>/<name>`.
fn arn_of(queue_url: &str, in_region: &str) -> Option<String> {
    let (rest, name) = queue_url.rsplit_once('/')?;
    let (_, account) = rest.rsplit_once('/')?;
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let partition = region::partition(in_region).id;
    is_account.then(|| format!("arn:{partition}:sqs:{in_region}:{account}:{name}"))
}

/// What a call with a receipt that is none says of the permission.
enum Proof {
    Allowed,
    Denied(Fault),
    /// It was refused for another reason.
    None(Fault),
}

fn proof<T>(answer: Result<T, Fault>) -> Result<Proof, Fault> {
    let fault = match answer {
        Ok(_) => return Ok(Proof::Allowed),
        Err(fault) => fault,
    };
    let code = fault.code.as_deref().unwrap_or_default();
    match fault.kind {
        FaultKind::Permission => Ok(Proof::Denied(fault)),
        _ if WRONG_RECEIPT.contains(&code) => Ok(Proof::Allowed),
        kind if kind.concerns_all() => Err(fault),
        _ => Ok(Proof::None(fault)),
    }
}

/// A call that is denied is an answer of its own.
fn or_denied<T>(answer: Result<T, Fault>) -> Result<Result<T, Fault>, Fault> {
    match answer {
        Err(fault) if fault.kind == FaultKind::Permission => Ok(Err(fault)),
        answer => answer.map(Ok),
    }
}

fn with_code(fault: &Fault) -> String {
    match &fault.code {
        Some(code) => format!("{code}: {}", fault.what),
        None => fault.what.clone(),
    }
}

impl<W: Write> Asking<'_, W> {
    /// The queue of the config, where it has one.
    pub(super) fn queue(&mut self, picture: &Picture) {
        let config = self.config;
        let (Some(sqs), Some(service)) = (&config.sqs, &self.poller.clients.sqs) else {
            return;
        };
        self.reach_another_host();
        let asked = || or_denied(attributes(service, &sqs.queue_url));
        let Some(told) = self.ask(QUEUE, asked) else {
            return;
        };
        let (attributes, is_told) = match told {
            Ok(attributes) => (attributes, true),
            Err(fault) => {
                let found = format!(
                    "{}; so how many messages wait, its policy and who else receives are not known",
                    with_code(&fault)
                );
                self.report.warn(QUEUE, &found, &fault.remedy);
                (Attributes::default(), false)
            }
        };
        let by_url = || arn_of(&sqs.queue_url, &config.region);
        let arn = attributes.arn.clone().or_else(by_url);
        if is_told {
            // A folder that cannot be read does not tell whether an agent runs.
            let nobody = !state_dir::is_locked(config) && state_dir::known_agent_id(config).is_ok();
            let around = Around {
                region: &config.region,
                account: picture.account.as_deref(),
                topic_arns: &sqs.topic_arns,
                nobody_runs: nobody,
            };
            self.tell_all(QUEUE, findings::of_queue(&attributes, &around));
            let policy = attributes.policy.as_deref();
            match &arn {
                Some(arn) => {
                    self.tell_all(POLICY, findings::of_policy(policy, arn, &sqs.topic_arns));
                }
                None => self.report.warn(
                    POLICY,
                    "not known, since SQS does not tell the queue's ARN",
                    "",
                ),
            }
        }
        let may_count = !is_told || attributes.has_dead_letters;
        self.access(service, sqs, &attributes, may_count);
        self.subscriptions(sqs, arn.as_deref());
    }

    fn tell_all(&mut self, part: &str, findings: Vec<Finding>) {
        for Finding {
            grade,
            found,
            remedy,
        } in findings
        {
            self.report.line(grade, part, &found, &remedy);
        }
    }

    /// Each call that the agent makes, such that it changes nothing; `may_count` where a message
    /// that is received often enough goes to the dead-letter queue.
    fn access(&mut self, service: &Service, sqs: &Sqs, attributes: &Attributes, may_count: bool) {
        if may_count && attributes.waiting != Some(0) {
            self.report.note(
                ACCESS,
                "ReceiveMessage is not tried while messages wait: each look counts, and brings \
                 them nearer to the dead-letter queue",
            );
        } else {
            self.receive(service, sqs, attributes.kms_key.is_some());
        }
        let url = &sqs.queue_url;
        let none = [Receipt(NO_RECEIPT.to_owned())];
        self.prove("DeleteMessage", Grade::Fail, || {
            delete(service, url, &none).map(drop)
        });
        self.prove("ChangeMessageVisibility", Grade::Warn, || {
            hide(service, url, &none, HIDDEN).map(drop)
        });
    }

    fn receive(&mut self, service: &Service, sqs: &Sqs, is_encrypted: bool) {
        let at_once = Duration::ZERO;
        let asked = || receive(service, &sqs.queue_url, 1, at_once, at_once);
        let Some(received) = self.ask(ACCESS, asked) else {
            return;
        };
        let found = match received.first() {
            Some(one) => {
                let since = one.sent_at.map(|at| format!(", sent at {}", at.rfc3339()));
                let since = since.unwrap_or_default();
                format!("ReceiveMessage is allowed; a message that waits{since} was given")
            }
            None if is_encrypted => {
                String::from("ReceiveMessage is allowed; no message was there to be decrypted")
            }
            None => String::from("ReceiveMessage is allowed"),
        };
        self.report.ok(ACCESS, &found);
    }

    /// Makes a call with a receipt that is none; `denied` is how bad it is when it may not be.
    fn prove(&mut self, action: &str, denied: Grade, call: impl FnOnce() -> Result<(), Fault>) {
        match self.ask(ACCESS, || proof(call())) {
            Some(Proof::Allowed) => self.report.ok(ACCESS, &format!("{action} is allowed")),
            Some(Proof::Denied(fault)) => {
                let found = with_code(&fault);
                self.report.line(denied, ACCESS, &found, &fault.remedy);
            }
            Some(Proof::None(fault)) => {
                let found = format!(
                    "whether {action} is allowed is not known: {}",
                    with_code(&fault)
                );
                self.report.note(ACCESS, &found);
            }
            None => {}
        }
    }

    /// Whether what the topics publish comes to the queue.
    fn subscriptions(&mut self, sqs: &Sqs, queue_arn: Option<&str>) {
        let Some(queue_arn) = queue_arn else {
            self.report
                .note(SUBSCRIPTION, "not known, since the queue's ARN is not");
            return;
        };
        let Some(sns) = &self.poller.clients.sns else {
            return;
        };
        self.reach_another_host();
        if self.ask(SUBSCRIPTION, || Ok(())).is_none() {
            return;
        }
        for topic_arn in &sqs.topic_arns {
            let asked = subscriptions::of_queue(sns, topic_arn, queue_arn);
            if self.is_over(&asked) {
                return;
            }
            match asked {
                Ok(Some(Subscribed::Confirmed(arn))) => {
                    let found = format!("{topic_arn} delivers to {queue_arn}");
                    self.report.ok(SUBSCRIPTION, &found);
                    self.delivery(sns, topic_arn, &arn);
                }
                Ok(Some(Subscribed::Pending)) => self.report.warn(
                    SUBSCRIPTION,
                    &format!("the subscription of {queue_arn} to {topic_arn} is not confirmed"),
                    "subscribe as the queue's own account, which needs no confirmation",
                ),
                Ok(None) => {
                    let found = format!("{queue_arn} is not subscribed to {topic_arn}");
                    let remedy = subscribe_line(&self.config.region, topic_arn, queue_arn);
                    self.report.warn(SUBSCRIPTION, &found, &remedy);
                }
                Err(fault) if is_no_topic(&fault) => {
                    let found = format!("there is no topic {topic_arn}");
                    let remedy = "check [sqs] topic_arns, and whose account the credentials are of";
                    self.report.warn(SUBSCRIPTION, &found, remedy);
                }
                Err(fault) => {
                    let unknown = format!("whether {topic_arn} delivers to the queue is not known");
                    self.not_known(&unknown, &fault);
                    if fault.kind.concerns_all() {
                        return;
                    }
                }
            }
        }
    }

    /// How messages come: neither is wrong.
    fn delivery(&mut self, sns: &Service, topic_arn: &str, subscription_arn: &str) {
        let asked = subscriptions::delivery(sns, subscription_arn);
        if self.is_over(&asked) {
            return;
        }
        let delivery = match asked {
            Ok(delivery) => delivery,
            Err(fault) => {
                self.not_known(&format!("how {topic_arn} delivers is not known"), &fault);
                return;
            }
        };
        if delivery.is_raw {
            let found = format!(
                "{topic_arn} delivers raw: such a message has no id of SNS, so that one that comes \
                 by listener and queue is published twice"
            );
            self.report.note(SUBSCRIPTION, &found);
        }
        if delivery.is_filtered {
            let found = format!("{topic_arn} delivers only what the subscription's filter lets by");
            self.report.note(SUBSCRIPTION, &found);
        }
    }

    /// The agent itself asks SNS for none of this.
    fn not_known(&mut self, what: &str, fault: &Fault) {
        let found = format!("{what}: {}", with_code(fault));
        let remedy = match fault.kind {
            FaultKind::Permission => format!("{}, for check alone", fault.remedy),
            _ => fault.remedy.clone(),
        };
        self.report.line(Grade::Note, SUBSCRIPTION, &found, &remedy);
    }

    /// Whether an answer says that the time is over; then that is told.
    fn is_over<T>(&mut self, answer: &Result<T, Fault>) -> bool {
        match answer {
            Err(fault) if fault.kind == FaultKind::Stopped => {
                self.ask(SUBSCRIPTION, || Err::<(), _>(fault.clone()));
                true
            }
            _ => false,
        }
    }
}

fn is_no_topic(fault: &Fault) -> bool {
    matches!(
        fault.code.as_deref(),
        Some("NotFound" | "NotFoundException")
    )
}

fn subscribe_line(region: &str, topic_arn: &str, queue_arn: &str) -> String {
    format!(
        "aws sns subscribe --region {} --topic-arn {} --protocol sqs --notification-endpoint {}",
        quoted(region),
        quoted(topic_arn),
        quoted(queue_arn)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_queue_is_told_by_its_url() {
        let arn = "arn:aws:sqs:eu-central-1:123456789012:edge";
        let cases = [
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/edge",
                "eu-central-1",
                Some(arn),
            ),
            (
                "http://127.0.0.1:5000/123456789012/edge",
                "eu-central-1",
                Some(arn),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/a.fifo",
                "cn-north-1",
                Some("arn:aws-cn:sqs:cn-north-1:123456789012:a.fifo"),
            ),
            ("https://mock.example.net/queue/edge", "eu-central-1", None),
        ];
        for (url, region, wanted) in cases {
            assert_eq!(arn_of(url, region).as_deref(), wanted, "{url}");
        }
    }

    #[test]
    fn a_receipt_that_is_refused_proves_that_the_call_is_allowed() {
        let fault = |kind, code: Option<&str>| {
            Err::<(), _>(Fault {
                code: code.map(str::to_owned),
                ..Fault::new(kind, "as planned", "")
            })
        };
        let cases = [
            (Ok(()), "allowed"),
            (
                fault(FaultKind::Refused, Some("ReceiptHandleIsInvalid")),
                "allowed",
            ),
            (
                fault(FaultKind::Refused, Some("InvalidParameterValue")),
                "allowed",
            ),
            (fault(FaultKind::Permission, Some("AccessDenied")), "denied"),
            (fault(FaultKind::Refused, Some("InvalidAddress")), "unknown"),
            (fault(FaultKind::Server, None), "unknown"),
            (fault(FaultKind::Network, None), "failed"),
            (fault(FaultKind::Stopped, None), "failed"),
        ];
        for (answer, wanted) in cases {
            let shown = format!("{answer:?}");
            let found = match proof(answer) {
                Ok(Proof::Allowed) => "allowed",
                Ok(Proof::Denied(_)) => "denied",
                Ok(Proof::None(_)) => "unknown",
                Err(_) => "failed",
            };
            assert_eq!(found, wanted, "{shown}");
        }
    }

    #[test]
    fn the_line_that_subscribes_can_be_given_to_a_shell() {
        let line = subscribe_line("eu-west-1", "arn:aws:sns:eu-west-1:1:a", "arn:a b");
        let wanted = "aws sns subscribe --region eu-west-1 --topic-arn arn:aws:sns:eu-west-1:1:a \
                      --protocol sqs --notification-endpoint 'arn:a b'";
        assert_eq!(line, wanted);
    }
}
