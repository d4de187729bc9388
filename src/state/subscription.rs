//! One SNS topic that messages are taken from, and how our subscription to it does.

use super::push::Reason;
use super::time::UnixMs;

/// How far a subscription is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has subscribed us yet, or the confirmation has not come about.
    #[default]
    Waiting,
    /// Messages come.
    Confirmed,
    /// Somebody removed it.
    Unsubscribed,
}

impl Stage {
    /// As it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Waiting => "waiting",
            Stage::Confirmed => "confirmed",
            Stage::Unsubscribed => "unsubscribed",
        }
    }

    /// Reads what [`Stage::as_str`] writes.
    pub fn parse(text: &str) -> Option<Stage> {
        let all = [Stage::Waiting, Stage::Confirmed, Stage::Unsubscribed];
        all.into_iter().find(|stage| stage.as_str() == text)
    }
}

/// What is known of one subscription. The counts go on across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topic.
    pub topic_arn: String,
    /// The subscription's own ARN, once it is known.
    pub subscription_arn: Option<String>,
    /// How far it is.
    pub stage: Stage,
    /// When it was confirmed, by AWS's clock.
    pub confirmed_at: Option<UnixMs>,
    /// When the latest message came, by AWS's clock.
    pub last_message_at: Option<UnixMs>,
    /// Notifications taken.
    pub accepted: u64,
    /// Messages refused, every attempt of AWS counted.
    pub rejected: u64,
    /// Why the last of them was.
    pub last_rejection: Option<String>,
    /// When somebody removed it, by AWS's clock; not published.
    pub ended_at: Option<UnixMs>,
}

impl Subscription {
    /// A subscription that nobody has heard of.
    pub fn new(topic_arn: &str) -> Subscription {
        Subscription {
            topic_arn: topic_arn.to_owned(),
            ..Subscription::default()
        }
    }

    /// Takes up what the broker's store remembers, below what this process has seen itself.
    pub fn adopt(&mut self, remembered: Subscription) {
        // Anybody may have written the store: what is added to must not overflow.
        self.accepted = self.accepted.saturating_add(remembered.accepted);
        self.rejected = self.rejected.saturating_add(remembered.rejected);
        self.last_message_at = self.last_message_at.or(remembered.last_message_at);
        self.last_rejection = self.last_rejection.take().or(remembered.last_rejection);
        if self.stage == Stage::Waiting {
            self.stage = remembered.stage;
            self.confirmed_at = remembered.confirmed_at;
            self.subscription_arn = remembered.subscription_arn;
        }
    }

    /// A notification came: so there is a subscription, whoever confirmed it.
    pub fn accept(&mut self, at: UnixMs, subscription_arn: Option<String>) {
        self.accepted = self.accepted.saturating_add(1);
        self.last_message_at = self.last_message_at.max(Some(at));
        if self.stage != Stage::Confirmed {
            self.confirm(at, subscription_arn);
        } else if subscription_arn.is_some() {
            self.subscription_arn = subscription_arn;
        }
    }

    /// A notification that came a while ago is told only now. It was there before the
    /// subscription was removed, unless it is known that it came later.
    pub fn accept_late(&mut self, at: UnixMs) {
        let came_later = self.ended_at.is_some_and(|ended| at > ended);
        if self.stage != Stage::Unsubscribed || came_later {
            self.accept(at, None);
        } else {
            self.accepted += 1;
            self.last_message_at = self.last_message_at.max(Some(at));
        }
    }

    /// AWS has confirmed it.
    pub fn confirm(&mut self, at: UnixMs, subscription_arn: Option<String>) {
        self.stage = Stage::Confirmed;
        self.confirmed_at = Some(at);
        self.subscription_arn = subscription_arn.or_else(|| self.subscription_arn.take());
    }

    /// Somebody removed it.
    pub fn end(&mut self, at: UnixMs) {
        self.stage = Stage::Unsubscribed;
        self.ended_at = Some(at);
        self.subscription_arn = None;
    }

    /// Something for this topic was refused.
    pub fn reject(&mut self, reason: Reason, count: u64) {
        self.rejected = self.rejected.saturating_add(count);
        self.last_rejection = Some(reason.as_str().to_owned());
    }
}

/// `<account>.<topic name>` of a topic's ARN, `arn:partition:sns:region:account:name`.
pub fn short_name(topic_arn: &str) -> String {
    let mut parts = topic_arn.splitn(6, ':').skip(4);
    let (account, name) = (parts.next(), parts.next());
    format!(
        "{}.{}",
        account.unwrap_or_default(),
        name.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_on_across_restarts_and_what_is_newer_stays() {
        let remembered = Subscription {
            topic_arn: "t".into(),
            subscription_arn: Some("t:1".into()),
            stage: Stage::Confirmed,
            confirmed_at: Some(UnixMs(1)),
            last_message_at: Some(UnixMs(2)),
            accepted: 40,
            rejected: 2,
            last_rejection: Some("topic".into()),
            ended_at: None,
        };
        let mut fresh = Subscription::new("t");
        fresh.adopt(remembered.clone());
        assert_eq!(fresh, remembered);

        let mut busy = Subscription::new("t");
        busy.accept(UnixMs(9), Some("t:2".into()));
        busy.reject(Reason::Signature, 3);
        busy.adopt(remembered);
        assert_eq!((busy.accepted, busy.rejected), (41, 5));
        assert_eq!(busy.subscription_arn.as_deref(), Some("t:2"));
        assert_eq!(busy.last_message_at, Some(UnixMs(9)));
        assert_eq!(busy.last_rejection.as_deref(), Some("signature"));
    }

    #[test]
    fn counts_that_anybody_may_have_written_do_not_overflow() {
        let mut subscription = Subscription::new("t");
        subscription.accept(UnixMs(1), None);
        subscription.reject(Reason::Topic, 1);
        subscription.adopt(Subscription {
            accepted: u64::MAX,
            rejected: u64::MAX,
            ..Subscription::new("t")
        });
        subscription.accept(UnixMs(2), None);
        subscription.reject(Reason::Topic, 1);
        let counts = (subscription.accepted, subscription.rejected);
        assert_eq!(counts, (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_message_tells_that_there_is_a_subscription_again() {
        let mut subscription = Subscription::new("t");
        subscription.confirm(UnixMs(1), Some("t:1".into()));
        subscription.end(UnixMs(4));
        subscription.accept_late(UnixMs(4));
        assert_eq!(subscription.stage, Stage::Unsubscribed);
        assert_eq!(subscription.subscription_arn, None);
        subscription.accept(UnixMs(5), None);
        assert_eq!(subscription.stage, Stage::Confirmed);
        assert_eq!(subscription.confirmed_at, Some(UnixMs(5)));
    }

    #[test]
    fn a_topic_is_named_by_account_and_name() {
        let arn = "arn:aws:sns:eu-central-1:123456789012:mediapackage";
        assert_eq!(short_name(arn), "123456789012.mediapackage");
    }
}
