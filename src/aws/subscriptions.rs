//! Who is subscribed to an SNS topic. Pure but for the [`Service`] that carries the requests.
//! Only `check` asks for it.
//!
//! SNS answers in XML. ARNs, names and flags have no character that XML would write in another
//! way, so that no more of XML need be read than where an element begins and ends; only page
//! tokens are unescaped.
//!
//! Source: SNS API reference, `ListSubscriptionsByTopic` and `GetSubscriptionAttributes`.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::call::{Call, CallLimit};
use super::client::Service;
use super::pages::{Page, read_all};
use crate::state::fault::{Fault, FaultKind};

/// A page holds 100 subscriptions.
const LIMIT: CallLimit = CallLimit {
    body_bytes_max: 1 << 20,
    request: Duration::from_secs(10),
    attempts_max: 2,
};
const LIST: &str = "ListSubscriptionsByTopic";
const GET: &str = "GetSubscriptionAttributes";
/// In place of the ARN of a subscription that is not confirmed yet.
const PENDING: &str = "PendingConfirmation";

/// A subscription of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// By its ARN.
    Confirmed(String),
    /// It waits for its confirmation.
    Pending,
}

/// How a subscription delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Messages come without SNS's envelope.
    pub is_raw: bool,
    /// Not every message comes.
    pub is_filtered: bool,
}

/// The subscription of a queue to a topic; `None` when there is none.
///
/// # Errors
///
/// Those of [`Service::send`]; [`FaultKind::Answer`] for an answer that is not SNS's.
pub fn of_queue(
    service: &Service,
    topic_arn: &str,
    queue_arn: &str,
) -> Result<Option<Subscribed>, Fault> {
    let mut found = None;
    let mut items = 0;
    read_all(LIST, |token| {
        let token = token.map(|token| format!("&NextToken={}", encoded(token)));
        let form = format!(
            "Action={LIST}&Version=2010-03-31&TopicArn={}{}",
            encoded(topic_arn),
            token.unwrap_or_default()
        );
        let body = service.send(&Call::form(LIST, form).within(LIMIT))?;
        let listing = read_listing(&body, queue_arn).ok_or_else(|| not_sns(LIST))?;
        items += listing.items;
        // What is confirmed is what was looked for.
        let ends = matches!(listing.found, Some(Subscribed::Confirmed(_)));
        found = listing.found.or(found.take());
        Ok(Page {
            items,
            next: listing.next.filter(|_| !ends),
        })
    })?;
    Ok(found)
}

/// How a subscription delivers.
///
/// # Errors
///
/// As [`of_queue`].
pub fn delivery(service: &Service, subscription_arn: &str) -> Result<Delivery, Fault> {
    let arn = encoded(subscription_arn);
    let form = format!("Action={GET}&Version=2010-03-31&SubscriptionArn={arn}");
    let body = service.send(&Call::form(GET, form).within(LIMIT))?;
    read_delivery(&body).ok_or_else(|| not_sns(GET))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn not_sns(operation: &str) -> Fault {
    Fault::new(
        FaultKind::Answer,
        format!("the answer to {operation} is not what AWS promises"),
        "check the url and whether a proxy answers in AWS's place",
    )
}

struct Listing {
    items: usize,
    found: Option<Subscribed>,
    next: Option<String>,
}

fn read_listing(body: &[u8], queue_arn: &str) -> Option<Listing> {
    let text = std::str::from_utf8(body).ok()?;
    let result = between(
        text,
        "<ListSubscriptionsByTopicResult>",
        "</ListSubscriptionsByTopicResult>",
    )?;
    let members: Vec<&str> = result.split("<member>").skip(1).collect();
    let found = members.iter().filter_map(|member| {
        let member = member.split("</member>").next()?;
        let is_ours = element(member, "Protocol") == Some("sqs")
            && element(member, "Endpoint") == Some(queue_arn);
        let arn = element(member, "SubscriptionArn").filter(|_| is_ours)?;
        Some(match arn {
            PENDING => Subscribed::Pending,
            arn => Subscribed::Confirmed(arn.to_owned()),
        })
    });
    let is_pending = |found: &Subscribed| *found == Subscribed::Pending;
    Some(Listing {
        found: found.min_by_key(is_pending),
        items: members.len(),
        next: element(result, "NextToken").map(unescaped),
    })
}

fn read_delivery(body: &[u8]) -> Option<Delivery> {
    let text = std::str::from_utf8(body).ok()?;
    let all = between(text, "<Attributes>", "</Attributes>")?;
    let mut delivery = Delivery::default();
    for entry in all.split("<entry>").skip(1) {
        match (element(entry, "key")?, element(entry, "value")) {
            ("RawMessageDelivery", value) => delivery.is_raw = value == Some("true"),
            ("FilterPolicy", value) => delivery.is_filtered = value.is_some_and(|v| !v.is_empty()),
            _ => {}
        }
    }
    Some(delivery)
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}

/// The text of the first element of this name; one without any has none.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let inside = between(text, &format!("<{name}>"), &format!("</{name}>"))?;
    Some(inside.trim())
}

/// The five names that XML has for characters.
fn unescaped(text: &str) -> String {
    let names = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
    ];
    let text = names
        .iter()
        .fold(text.to_owned(), |text, (name, c)| text.replace(name, c));
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:edge";

    fn member(protocol: &str, endpoint: &str, arn: &str) -> String {
        format!(
            "<member>\n <TopicArn>t</TopicArn><Protocol>{protocol}</Protocol>\n \
             <SubscriptionArn>{arn}</SubscriptionArn><Owner>1</Owner>\n \
             <Endpoint>{endpoint}</Endpoint></member>\n"
        )
    }

    fn listing(members: &str, more: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><ListSubscriptionsByTopicResponse xmlns=\"x\">\n \
             <ListSubscriptionsByTopicResult><Subscriptions>{members}</Subscriptions>{more}\
             </ListSubscriptionsByTopicResult><ResponseMetadata/>\
             </ListSubscriptionsByTopicResponse>"
        )
    }

    #[test]
    fn the_queues_own_subscription_is_found_among_others() {
        let confirmed = |arn: &str| Some(Subscribed::Confirmed(arn.to_owned()));
        let others = [
            member("sqs", "arn:aws:sqs:eu-west-1:123456789012:edge2", "o1"),
            member("https", QUEUE, "o2"),
            member("lambda", "x", "o3"),
        ]
        .concat();
        let ours = member("sqs", QUEUE, "t:1");
        let pending = member("sqs", QUEUE, PENDING);
        let cases = [
            (String::new(), 0, None),
            (others.clone(), 3, None),
            (format!("{others}{ours}"), 4, confirmed("t:1")),
            (pending.clone(), 1, Some(Subscribed::Pending)),
            (format!("{pending}{others}{ours}"), 5, confirmed("t:1")),
        ];
        for (members, items, wanted) in cases {
            let read = read_listing(listing(&members, "").as_bytes(), QUEUE).unwrap();
            assert_eq!((read.items, read.next), (items, None), "{members}");
            assert_eq!(read.found, wanted, "{members}");
        }
    }

    #[test]
    fn a_page_token_is_given_back_as_it_was_before_xml() {
        let cases = [
            ("", None),
            ("<NextToken/>", None),
            ("<NextToken></NextToken>", Some("")),
            ("<NextToken>AA+/==</NextToken>", Some("AA+/==")),
            (
                "<NextToken>\n a&lt;&amp;lt;&quot;\n</NextToken>",
                Some("a<&lt;\""),
            ),
        ];
        for (more, wanted) in cases {
            let read = read_listing(listing("", more).as_bytes(), QUEUE).unwrap();
            assert_eq!(read.next.as_deref(), wanted, "{more}");
        }
    }

    #[test]
    fn how_a_subscription_delivers_is_read_from_its_attributes() {
        let entry = |key: &str, value: &str| {
            format!("<entry>\n<key>{key}</key>\n<value>{value}</value></entry>")
        };
        let raw = |value| entry("RawMessageDelivery", value);
        let filter = entry("FilterPolicy", "{&quot;a&quot;:[1]}");
        let cases = [
            (String::new(), (false, false)),
            (raw("false"), (false, false)),
            (entry("Owner", "1") + &raw("true"), (true, false)),
            (raw("true") + &filter, (true, true)),
            (entry("FilterPolicy", ""), (false, false)),
            (
                "<entry><key>FilterPolicy</key><value/></entry>".to_owned(),
                (false, false),
            ),
        ];
        for (entries, (is_raw, is_filtered)) in cases {
            let body = format!("<R><Attributes>{entries}</Attributes></R>");
            let wanted = Delivery {
                is_raw,
                is_filtered,
            };
            assert_eq!(read_delivery(body.as_bytes()), Some(wanted), "{entries}");
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_none() {
        let cut = listing(&member("sqs", QUEUE, "t:1"), "");
        let cases = ["", "<html>sign in</html>", "{}", &cut[..cut.len() / 2]];
        for text in cases {
            assert!(read_listing(text.as_bytes(), QUEUE).is_none(), "{text}");
            assert!(read_delivery(text.as_bytes()).is_none(), "{text}");
        }
        assert!(read_listing(&[0xff; 9], QUEUE).is_none());
    }
}
