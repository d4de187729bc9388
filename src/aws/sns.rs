//! What is asked of SNS: the certificate it signs with, and to confirm a subscription.
//!
//! Both go to the origin of the config. No URL that a message holds is ever visited.
//!
//! Sources: SNS API reference, `ConfirmSubscription`; SNS developer guide, "Verifying the
//! signatures of Amazon SNS messages".

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::call::{Call, CallLimit};
use super::client::Service;
use crate::config::Secret;
use crate::state::fault::{Fault, FaultKind};
use crate::state::push::MessageId;

/// One attempt: the answer to a message waits for it, and AWS comes again by itself.
const CERTIFICATE: CallLimit = CallLimit {
    body_bytes_max: 16 * 1024,
    request: Duration::from_secs(5),
    attempts_max: 1,
};
const CONFIRMATION: CallLimit = CallLimit {
    body_bytes_max: 16 * 1024,
    request: Duration::from_secs(6),
    attempts_max: 1,
};
const CONFIRM: &str = "ConfirmSubscription";

/// Fetches a certificate: unsigned, no redirect, at most 16 KiB in 5 s.
///
/// `path` is below the origin of the config and begins with a slash.
///
/// # Errors
///
/// Those of [`Service::send`] that need no credentials.
pub fn certificate(service: &Service, path: &str) -> Result<Vec<u8>, Fault> {
    let call = Call::get("GetCertificate", path.to_owned());
    service.send(&call.unsigned().within(CERTIFICATE))
}

/// A subscription that SNS has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// Its ARN, `<topic>:<uuid>`.
    pub subscription_arn: String,
    /// Why it was confirmed without a signature; then whoever reads one of its messages can
    /// end it (`UnsubscribeURL`).
    pub unsigned_because: Option<Fault>,
}

/// Confirms a subscription, signed and such that only its owner can end it. Where the
/// credentials are missing or not allowed that, once more as anybody may.
///
/// # Errors
///
/// Those of [`Service::send`]; [`FaultKind::Answer`] when SNS does not name a subscription of
/// this topic.
pub fn confirm_subscription(
    service: &Service,
    topic_arn: &str,
    token: &Secret,
) -> Result<Confirmed, Fault> {
    let send = |call: Call| {
        let answer = service.send(&call.within(CONFIRMATION));
        answer.map_err(|fault| Fault {
            // AWS may quote what it refuses.
            what: fault.what.replace(token.expose(), "…"),
            ..fault
        })
    };
    let form = form(topic_arn, token);
    let guarded = Call::form(CONFIRM, format!("{form}&AuthenticateOnUnsubscribe=true"));
    let (answer, unsigned_because) = match send(guarded) {
        Ok(answer) => (answer, None),
        Err(fault) if matches!(fault.kind, FaultKind::Credentials | FaultKind::Permission) => {
            let open = Call::form(CONFIRM, form).unsigned();
            (send(open)?, Some(fault))
        }
        Err(fault) => return Err(fault),
    };
    let subscription_arn = subscription_arn(&answer, topic_arn).ok_or_else(|| {
        Fault::new(
            FaultKind::Answer,
            "the answer to ConfirmSubscription names no subscription of this topic",
            "check the url and whether a proxy answers in AWS's place",
        )
    })?;
    Ok(Confirmed {
        subscription_arn,
        unsigned_because,
    })
}

fn form(topic_arn: &str, token: &Secret) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    format!(
        "Action={CONFIRM}&Version=2010-03-31&TopicArn={}&Token={}",
        encoded(topic_arn),
        encoded(token.expose())
    )
}

/// The text of the one `SubscriptionArn`. It has no character that XML would write in another
/// way, so that no more of XML need be read.
fn subscription_arn(answer: &[u8], topic_arn: &str) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, result) = text.split_once("<ConfirmSubscriptionResult>")?;
    let (result, _) = result.split_once("</ConfirmSubscriptionResult>")?;
    let (_, arn) = result.split_once("<SubscriptionArn>")?;
    let (arn, after) = arn.split_once("</SubscriptionArn>")?;
    let id = arn.strip_prefix(topic_arn)?.strip_prefix(':')?;
    let well = MessageId::parse(id).is_some() && !after.contains("<SubscriptionArn");
    well.then(|| arn.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:a_b";
    const ID: &str = "e1039402-24e7-40a3-a0d4-797da162b297";

    #[test]
    fn what_goes_into_the_form_cannot_leave_its_field() {
        let form = form(TOPIC, &Secret::new("2336&Action=Publish+%\u{e9}"));
        let topic = "arn%3Aaws%3Asns%3Aeu%2Dwest%2D1%3A123456789012%3Aa%5Fb";
        let token = "2336%26Action%3DPublish%2B%25%C3%A9";
        let wanted =
            format!("Action=ConfirmSubscription&Version=2010-03-31&TopicArn={topic}&Token={token}");
        assert_eq!(form, wanted);
    }

    #[test]
    fn the_answer_names_one_subscription_of_the_topic() {
        let good = format!(
            "<?xml version=\"1.0\"?>\n<ConfirmSubscriptionResponse \
             xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\n <ConfirmSubscriptionResult>\n  \
             <SubscriptionArn>{TOPIC}:{ID}</SubscriptionArn>\n </ConfirmSubscriptionResult>\n \
             <ResponseMetadata><RequestId>{ID}</RequestId></ResponseMetadata>\n\
             </ConfirmSubscriptionResponse>"
        );
        let arn = subscription_arn(good.as_bytes(), TOPIC).unwrap();
        assert_eq!(arn, format!("{TOPIC}:{ID}"));
        let end = "</SubscriptionArn>";
        let cases = [
            String::new(),
            String::from("<html>sign in</html>"),
            good.replace("Result>", "Other>"),
            good.replace("SubscriptionArn>", "subscriptionarn>"),
            good.replace(ID, "pending confirmation"),
            good.replace(
                &format!("{TOPIC}:"),
                "arn:aws:sns:eu-west-1:123456789012:other:",
            ),
            good.replace(&format!("{TOPIC}:"), &format!("{TOPIC}&#58;")),
            good.replace(end, &format!("{end}<SubscriptionArn>{TOPIC}:{ID}{end}")),
            good.replace("<SubscriptionArn>", "<SubscriptionArn><!-- -->"),
            good[..good.len() / 2].to_owned(),
        ];
        for text in cases {
            assert_ne!(text, good);
            assert_eq!(subscription_arn(text.as_bytes(), TOPIC), None, "{text}");
        }
        assert_eq!(subscription_arn(&[0xff; 100], TOPIC), None);
    }
}
