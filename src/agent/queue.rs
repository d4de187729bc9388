//! Carries out what the engine asks of the SQS queue.

use crate::aws::sqs::{self, BatchEnd, Received};
use crate::aws::{AwsClock, Service};
use crate::config;
use crate::engine::queueing::{HIDDEN, Letter, QueueEnd, QueueJob, Taken, Unfit};
use crate::sns::queued::{self, Around};
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::Receipt;

/// The queue of the config.
#[derive(Default)]
pub struct Mailbox {
    queue_url: String,
    topic_arns: Vec<String>,
}

impl Mailbox {
    /// Asks nothing yet; without a queue there is no service to ask.
    pub fn new(sqs: Option<&config::Sqs>) -> Mailbox {
        sqs.map_or_else(Mailbox::default, |sqs| Mailbox {
            queue_url: sqs.queue_url.clone(),
            topic_arns: sqs.topic_arns.clone(),
        })
    }

    /// Carries out one job.
    pub fn answer(
        &self,
        service: Result<&Service, Fault>,
        job: QueueJob,
        clock: &AwsClock,
    ) -> QueueEnd {
        let url = &self.queue_url;
        match job {
            QueueJob::Receive { count, wait } => {
                let received =
                    service.and_then(|service| sqs::receive(service, url, count, wait, HIDDEN));
                let letters =
                    received.map(|all| all.into_iter().map(|one| self.open(one, clock)).collect());
                QueueEnd::Received(letters)
            }
            QueueJob::Delete(receipts) => {
                let ends = service.and_then(|service| sqs::delete(service, url, &receipts));
                deleted(receipts, ends)
            }
            QueueJob::Hide(receipts) => {
                let ends = service.and_then(|service| sqs::hide(service, url, &receipts, HIDDEN));
                let refused = |end: &BatchEnd| matches!(end, BatchEnd::Refused(_));
                QueueEnd::Hidden(ends.map(|ends| with_end(receipts, &ends, refused)))
            }
        }
    }

    /// Finds out what a message says.
    fn open(&self, received: Received, clock: &AwsClock) -> Letter {
        let around = Around {
            queue_id: &received.message_id,
            sent_at: received.sent_at,
            received_at: clock.now(),
        };
        let judged = match queued::judge(&received.body, &around, &self.topic_arns) {
            Ok(message) => Ok(Box::new(Taken {
                notice: message.notice(),
                record: message.encode().into(),
            })),
            Err(refusal) => Err(Unfit {
                reason: refusal.reason,
                topic_arn: refusal.topic_arn,
                example: example(&received),
            }),
        };
        Letter {
            receipt: received.receipt,
            judged,
        }
    }
}

/// Says which message it was, and nothing of what is in it.
fn example(received: &Received) -> String {
    let id = received.message_id.chars().filter(char::is_ascii_graphic);
    let id: String = id.take(EXAMPLE_CHARS_MAX).collect();
    format!("message {id} of {} bytes", received.body.len())
}

/// An id of SQS is a UUID; a server that stands in its place may have longer ones.
const EXAMPLE_CHARS_MAX: usize = 64;

/// What is refused is gone, or comes again under another receipt.
fn deleted(receipts: Vec<Receipt>, ends: Result<Vec<BatchEnd>, Fault>) -> QueueEnd {
    let ends = match ends {
        Ok(ends) => ends,
        Err(fault) => return QueueEnd::Deleted(receipts, Some(fault)),
    };
    let all = receipts.len();
    let again = with_end(receipts, &ends, |end| matches!(end, BatchEnd::Failed(_)));
    let failed = ends.iter().find_map(|end| match end {
        BatchEnd::Failed(code) => Some(code.clone()),
        BatchEnd::Done | BatchEnd::Refused(_) => None,
    });
    let refused = ends.iter().filter_map(|end| match end {
        BatchEnd::Refused(code) => code.as_deref(),
        BatchEnd::Done | BatchEnd::Failed(_) => None,
    });
    refused.for_each(|code| log::debug!("sqs: a message was not deleted: {code}"));
    let fault = failed.map(|code| {
        let what = format!("SQS did not delete {} of {all} messages", again.len());
        Fault {
            code,
            ..Fault::new(FaultKind::Server, what, "")
        }
    });
    QueueEnd::Deleted(again, fault)
}

fn with_end(
    receipts: Vec<Receipt>,
    ends: &[BatchEnd],
    wanted: impl Fn(&BatchEnd) -> bool,
) -> Vec<Receipt> {
    let pairs = receipts.into_iter().zip(ends);
    let found = pairs.filter(|(_, end)| wanted(end));
    found.map(|(receipt, _)| receipt).collect()
}
