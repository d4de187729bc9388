//! What the query API tells about subscriptions.
//!
//! Source: service model of 2010-03-31; what public tests have recorded of AWS.

use super::super::refusal::Refusal;
use super::super::server::{Request, Seen};
use super::super::token;
use super::super::world::{ACCOUNT, World};
use super::api::{escaped, invalid, parameter, required};
use super::{State, Subscription};

/// In place of the ARN of a subscription that waits to be confirmed.
const PENDING: &str = "PendingConfirmation";
/// Who subscribed.
const PRINCIPAL: &str = "arn:aws:iam::123456789012:user/owner";

/// One page of the subscriptions of a topic, without those that have ended.
pub fn subscriptions(world: &World, request: &Request, seen: &mut Seen) -> Result<String, Refusal> {
    let operation = "ListSubscriptionsByTopic";
    let topic_arn = required(request, "TopicArn")?;
    if !world.sns.topics.iter().any(|t| t.arn == topic_arn) {
        return Err(Refusal::new(404, "NotFound", "Topic does not exist"));
    }
    let given = parameter(request, "NextToken");
    seen.continued = given.is_some();
    let start = token::parse::<1>(operation, given.as_deref());
    let [start] = start.ok_or_else(|| invalid("NextToken"))?;
    let is_told = |s: &&Subscription| s.topic_arn == topic_arn && s.state != State::Ended;
    let mut rest = world.sns.subscriptions.iter().filter(is_told).skip(start);
    let page: String = rest.by_ref().take(world.sns.page).map(listed).collect();
    let next = rest.next().map(|_| {
        let token = token::make(operation, &[start + world.sns.page]);
        element("NextToken", &token)
    });
    let next = next.unwrap_or_default();
    Ok(format!(
        "<{operation}Result>\n    <Subscriptions>{page}</Subscriptions>{next}\n  \
         </{operation}Result>\n  "
    ))
}

fn listed(subscription: &Subscription) -> String {
    let arn = match subscription.state {
        State::Pending => PENDING,
        _ => &subscription.arn,
    };
    let members = [
        ("SubscriptionArn", arn),
        ("Owner", ACCOUNT),
        ("Protocol", subscription.protocol()),
        ("Endpoint", &subscription.endpoint),
        ("TopicArn", &subscription.topic_arn),
    ];
    let members: String = members.map(|(n, v)| element(n, v)).concat();
    format!("<member>{members}</member>")
}

/// The attributes of a subscription that has not ended.
pub fn attributes(world: &World, request: &Request) -> Result<String, Refusal> {
    let arn = required(request, "SubscriptionArn")?;
    let mut all = world.sns.subscriptions.iter();
    let found = all.find(|s| s.arn == arn && s.state != State::Ended);
    let found =
        found.ok_or_else(|| Refusal::new(404, "NotFound", "Subscription does not exist"))?;
    let is_pending = found.state == State::Pending;
    let attributes = [
        ("SubscriptionPrincipal", PRINCIPAL.to_owned()),
        ("Owner", ACCOUNT.to_owned()),
        ("RawMessageDelivery", found.raw.to_string()),
        ("TopicArn", found.topic_arn.clone()),
        ("Endpoint", found.endpoint.clone()),
        ("Protocol", found.protocol().to_owned()),
        ("PendingConfirmation", is_pending.to_string()),
        ("ConfirmationWasAuthenticated", (!is_pending).to_string()),
        ("SubscriptionArn", found.arn.clone()),
    ];
    let entry = |(name, value): (&str, String)| {
        let pair = element("key", name) + &element("value", &value);
        format!("<entry>{pair}</entry>")
    };
    let entries: String = attributes.map(entry).concat();
    Ok(format!(
        "<GetSubscriptionAttributesResult>\n    <Attributes>{entries}</Attributes>\n  \
         </GetSubscriptionAttributesResult>\n  "
    ))
}

fn element(name: &str, text: &str) -> String {
    format!("\n      <{name}>{}</{name}>", escaped(text))
}
