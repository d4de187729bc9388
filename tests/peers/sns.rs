//! SNS of the region: its API, its certificates and its deliveries.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::caller::{Caller, Reply};
use super::endpoint::Endpoint;
use super::region::sns::deliverer::Policy;
use super::region::sns::signing::{KEYS, Kind};
use super::region::sns::{State, TOKEN};
use super::region::{Fault, Region, World};
use super::support::certificates::Certificates;
use super::support::relay::Relay;

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A region that tries twice more, at once.
fn region() -> Region {
    let region = Region::start(World::new("eu-central-1"));
    region.edit(|w| w.sns.policy = Arc::new(Policy::retrying(2, Duration::from_millis(1))));
    region
}

fn confirm(caller: &Caller, is_signed: bool, more: &[(&str, &str)]) -> Reply {
    let mut parameters = vec![("Action", "ConfirmSubscription"), ("Version", "2010-03-31")];
    parameters.extend(more);
    caller.form(is_signed, &parameters)
}

#[test]
fn a_subscription_is_confirmed_by_its_token_once() {
    let region = region();
    let (caller, endpoint) = (Caller::of(&region), Endpoint::answering(&[200]));
    let topic = region.sns().topic("alarms");
    let arn = region.sns().subscribe(&topic, &endpoint.url);
    region.sns().deliverer().finish(LIMIT);
    let asked = endpoint.got().remove(0);
    assert_eq!(
        asked.header("x-amz-sns-message-type"),
        "SubscriptionConfirmation"
    );
    assert_eq!(asked.header("x-amz-sns-subscription-arn"), "");
    let token = asked.member("Token");
    assert!(token.starts_with(TOKEN));
    region.sns().publish(&topic, None, "too early");
    let asked_for = [("TopicArn", topic.as_str()), ("Token", token.as_str())];
    let reply = confirm(&caller, false, &asked_for);
    assert_eq!(
        (reply.status, reply.element("SubscriptionArn")),
        (200, arn.as_str()),
        "{reply:?}"
    );
    let again = confirm(&caller, false, &asked_for);
    assert_eq!(
        (again.status, again.code().as_str()),
        (400, "InvalidParameter")
    );
    let id = region.sns().publish(&topic, Some("a subject"), "hello");
    let outcome = region.sns().deliverer().finish(LIMIT);
    assert_eq!(outcome.delivered.len(), 2, "{outcome:?}");
    assert_eq!(outcome.delivered[&id], 1);
    let told = endpoint.got().remove(1);
    assert_eq!(told.header("x-amz-sns-message-id"), id);
    assert_eq!(told.header("x-amz-sns-subscription-arn"), arn);
    assert_eq!(told.header("content-type"), "text/plain; charset=UTF-8");
    assert_eq!(
        told.header("user-agent"),
        "Amazon Simple Notification Service Agent"
    );
    assert_eq!(
        (told.member("Message"), told.member("Subject")),
        ("hello".into(), "a subject".into())
    );
    let seen = region.requests();
    assert_eq!(
        seen.last().unwrap().error.as_deref(),
        Some("InvalidParameter")
    );
    assert!(seen[0].parameters.contains(&("Token".into(), token)));
}

/// What is changed, whether it is signed, and status, code and part of the text of the answer.
type Refused = (&'static str, fn(&mut Request), bool, u16, &'static str);

struct Request {
    caller: Caller,
    parameters: Vec<(&'static str, String)>,
}

impl Request {
    fn set(&mut self, name: &'static str, value: &str) {
        self.parameters.retain(|(n, _)| *n != name);
        self.parameters.push((name, value.to_owned()));
    }
}

const REFUSED: [Refused; 11] = [
    (
        "no token",
        |r| r.set("Token", ""),
        false,
        400,
        "InvalidParameter",
    ),
    (
        "another token",
        |r| r.set("Token", "2336"),
        false,
        400,
        "InvalidParameter",
    ),
    (
        "no topic",
        |r| r.set("TopicArn", ""),
        true,
        400,
        "InvalidParameter",
    ),
    (
        "unknown topic",
        |r| r.set("TopicArn", "arn:aws:sns:x"),
        true,
        404,
        "NotFound",
    ),
    (
        "unknown action",
        |r| r.set("Action", "Dance"),
        true,
        400,
        "InvalidAction",
    ),
    (
        "old version",
        |r| r.set("Version", "2009"),
        true,
        400,
        "InvalidAction",
    ),
    (
        "a demand of anybody",
        |r| r.set("AuthenticateOnUnsubscribe", "true"),
        false,
        403,
        "AuthorizationError",
    ),
    (
        "wrong secret",
        |r| r.caller.secret.push('x'),
        true,
        403,
        "SignatureDoesNotMatch",
    ),
    (
        "unknown key",
        |r| r.caller.key_id.push('x'),
        true,
        403,
        "InvalidClientTokenId",
    ),
    (
        "another service",
        |r| r.caller.service = Some("monitoring".into()),
        true,
        403,
        "SignatureDoesNotMatch",
    ),
    (
        "an hour ahead",
        |r| r.caller.clock = Duration::from_secs(3600),
        true,
        403,
        "SignatureDoesNotMatch",
    ),
];

#[test]
fn a_confirmation_is_refused_for_each_thing_that_is_wrong_with_it() {
    let region = region();
    let topic = region.sns().topic("alarms");
    let endpoint = Endpoint::answering(&[200]);
    region.sns().subscribe(&topic, &endpoint.url);
    let token = region.edit(|w| w.sns.subscription(&endpoint.url).token.clone());
    let right = || Request {
        caller: Caller::of(&region),
        parameters: vec![
            ("Action", "ConfirmSubscription".into()),
            ("Version", "2010-03-31".into()),
            ("TopicArn", topic.clone()),
            ("Token", token.clone()),
        ],
    };
    let send = |request: &Request, is_signed: bool| {
        let parameters = request
            .parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        request
            .caller
            .form(is_signed, &parameters.collect::<Vec<_>>())
    };
    for (what, change, is_signed, status, code) in REFUSED {
        let mut request = right();
        change(&mut request);
        let reply = send(&request, is_signed);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{what}: {reply:?}"
        );
        assert_eq!(reply.element("Type"), "Sender");
    }
    region.edit(|w| w.denied.push("sns:ConfirmSubscription".into()));
    let denied = send(&right(), true);
    assert_eq!(
        (denied.status, denied.code().as_str()),
        (403, "AuthorizationError")
    );
    assert!(
        denied.body.contains("perform: SNS:ConfirmSubscription on"),
        "{denied:?}"
    );
    region.edit(|w| w.denied.clear());
    let throttle = Fault::Throttle {
        retry_after_ms: None,
    };
    for (fault, status, code) in [
        (throttle, 400, "Throttling"),
        (
            Fault::Error {
                status: 500,
                code: "InternalError",
                message: "later",
            },
            500,
            "InternalError",
        ),
    ] {
        region.edit(|w| w.faults.add("ConfirmSubscription", 1, fault));
        let reply = send(&right(), true);
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
    }
    let state = || region.edit(|w| w.sns.subscription(&endpoint.url).state);
    assert_eq!(
        state(),
        State::Pending,
        "a request that failed changed something"
    );
    let mut demanding = right();
    demanding.set("AuthenticateOnUnsubscribe", "true");
    assert_eq!(send(&demanding, true).status, 200);
    assert_eq!(state(), State::Confirmed);
    let signed = region.requests().last().unwrap().clone();
    assert_eq!((signed.service.as_str(), signed.status), ("sns", 200));
    assert!(!signed.key_id.is_empty());
}

#[test]
fn whoever_has_the_url_ends_a_subscription_and_its_owner_is_told() {
    let region = region();
    let (caller, endpoint) = (Caller::of(&region), Endpoint::answering(&[200]));
    let topic = region.sns().topic("alarms");
    let arn = region.sns().subscribed(&topic, &endpoint.url);
    region.sns().publish(&topic, None, "hello");
    region.sns().deliverer().finish(LIMIT);
    let url = endpoint.got()[0].member("UnsubscribeURL");
    region.edit(|w| {
        w.sns
            .subscription(&endpoint.url)
            .authenticate_on_unsubscribe = true
    });
    let refused = caller.get_unsigned(&url).unwrap();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "AuthorizationError")
    );
    region.edit(|w| {
        w.sns
            .subscription(&endpoint.url)
            .authenticate_on_unsubscribe = false
    });
    assert_eq!(caller.get_unsigned(&url).unwrap().status, 200);
    assert_eq!(caller.get_unsigned(&url).unwrap().status, 404);
    region.sns().deliverer().finish(LIMIT);
    let told = endpoint.got().remove(1);
    assert_eq!(told.member("Type"), "UnsubscribeConfirmation");
    assert_eq!(told.header("x-amz-sns-subscription-arn"), arn);
    assert!(
        told.member("Message")
            .contains(&format!("subscription {arn}."))
    );
    region.sns().publish(&topic, None, "to nobody");
    region.sns().deliverer().finish(LIMIT);
    assert_eq!(endpoint.got().len(), 2);
    assert_eq!(
        caller
            .get_unsigned(&told.member("SubscribeURL"))
            .unwrap()
            .status,
        200
    );
    region.sns().publish(&topic, None, "restored");
    region.sns().deliverer().finish(LIMIT);
    assert_eq!(endpoint.got().len(), 3);
    region.sns().unsubscribe(&arn);
    region.sns().deliverer().finish(LIMIT);
    assert_eq!(endpoint.got()[3].member("Type"), "UnsubscribeConfirmation");
    region.sns().subscribed(&topic, &endpoint.url);
    let by_its_owner = [("Action", "Unsubscribe"), ("SubscriptionArn", arn.as_str())];
    assert_eq!(caller.form(true, &by_its_owner).status, 200);
    region.sns().deliverer().finish(LIMIT);
    assert_eq!(endpoint.got().len(), 4, "the owner needs no message");
}

#[test]
fn certificates_are_served_to_anybody_also_after_a_rotation() {
    let region = region();
    let caller = Caller::of(&region);
    let topic = region.sns().topic("alarms");
    let mut urls = Vec::new();
    for pair in [&KEYS[0], &KEYS[1], &KEYS[0]] {
        let message = region.sns().sign(&topic, None, "hello").body;
        let message: serde_json::Value = serde_json::from_str(&message).unwrap();
        let url = message["SigningCertURL"].as_str().unwrap().to_owned();
        let name = url.strip_prefix(&region.url()).unwrap();
        let digits = name.strip_prefix("/SimpleNotificationService-").unwrap();
        let digits = digits.strip_suffix(".pem").unwrap();
        assert!(
            digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()),
            "{url}"
        );
        urls.push((url, pair.certificate));
        region.edit(|w| w.sns.rotate());
    }
    assert!(urls[0].0 != urls[1].0 && urls[0].0 != urls[2].0);
    for (url, certificate) in &urls {
        let reply = caller.get_unsigned(url).unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (200, *certificate));
        assert!(reply.header("date").ends_with(" GMT"));
    }
    let unknown = format!("{}/SimpleNotificationService-00.pem", region.url());
    assert_eq!(caller.get_unsigned(&unknown).unwrap().status, 404);
    for (fault, status) in [(Fault::html(503), Some(503)), (Fault::Drop, None)] {
        region.edit(|w| w.faults.add("SigningCertificate", 1, fault));
        let reply = caller.get_unsigned(&urls[0].0).ok();
        assert_eq!(reply.map(|r| r.status), status);
    }
    let seen = region.requests();
    assert_eq!(
        seen.iter()
            .filter(|s| s.operation == "SigningCertificate")
            .count(),
        6
    );
}

#[test]
fn a_certificate_of_the_tests_own_can_take_the_place_of_the_regions() {
    let region = region();
    let key = rcgen::KeyPair::from_pem(KEYS[0].key).unwrap();
    let mut expired = rcgen::CertificateParams::new(vec!["sns.amazonaws.com".into()]).unwrap();
    expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let body = expired.self_signed(&key).unwrap().pem();
    let page = Fault::Page {
        status: 200,
        content_type: "binary/octet-stream",
        body: body.clone(),
    };
    region.edit(|w| w.faults.add("SigningCertificate", 1, page));
    let name = region.edit(|w| w.sns.certificate());
    let url = format!("{}/{name}", region.url());
    let caller = Caller::of(&region);
    assert_eq!(caller.get_unsigned(&url).unwrap().body, body);
    assert_eq!(caller.get_unsigned(&url).unwrap().body, KEYS[0].certificate);
}

/// What an endpoint answers; then attempts, and how many were delivered, dropped, given up.
const ANSWERED: [(&[u16], usize, [usize; 3]); 9] = [
    (&[200], 1, [1, 0, 0]),
    (&[204], 1, [1, 0, 0]),
    (&[500, 200], 2, [1, 0, 0]),
    (&[503, 502, 200], 3, [1, 0, 0]),
    (&[500], 3, [0, 0, 1]),
    (&[400, 200], 1, [0, 1, 0]),
    (&[404], 1, [0, 1, 0]),
    (&[429, 200], 1, [0, 1, 0]),
    (&[500, 403, 200], 2, [0, 1, 0]),
];

#[test]
fn a_message_comes_again_after_5xx_and_never_after_4xx() {
    for (statuses, attempts, wanted) in ANSWERED {
        let region = region();
        let endpoint = Endpoint::answering(statuses);
        let topic = region.sns().topic("alarms");
        region.sns().subscribed(&topic, &endpoint.url);
        let id = region.sns().publish(&topic, None, "hello");
        let outcome = region.sns().deliverer().finish(LIMIT);
        let [delivered, dropped, given_up] = [
            outcome.delivered.len(),
            outcome.dropped.len(),
            outcome.given_up.len(),
        ];
        assert_eq!(
            [delivered, dropped, given_up],
            wanted,
            "{statuses:?}: {outcome:?}"
        );
        assert_eq!(outcome.attempts, attempts, "{statuses:?}");
        let got = endpoint.got();
        assert_eq!(got.len(), attempts);
        assert!(
            got.iter()
                .all(|g| g.member("MessageId") == id && g.body == got[0].body)
        );
        let letters = outcome.dropped.iter().chain(&outcome.given_up);
        assert!(
            letters
                .into_iter()
                .all(|l| l.message_id == id && l.endpoint == endpoint.url)
        );
    }
}

#[test]
fn silence_and_a_closed_port_are_tried_again_and_given_up() {
    let region = region();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let policy = Policy {
        timeout: Duration::from_millis(30),
        ..Policy::retrying(1, Duration::from_millis(1))
    };
    region.edit(|w| w.sns.policy = Arc::new(policy));
    let topic = region.sns().topic("alarms");
    for address in [silent.local_addr().unwrap(), closed] {
        region
            .sns()
            .subscribed(&topic, &format!("http://{address}/"));
    }
    region.sns().publish(&topic, None, "hello");
    let outcome = region.sns().deliverer().finish(LIMIT);
    assert_eq!(
        (outcome.attempts, outcome.given_up.len()),
        (4, 2),
        "{outcome:?}"
    );
}

#[test]
fn many_messages_arrive_over_a_few_connections() {
    let region = region();
    let endpoint = Endpoint::answering(&[200]);
    let topic = region.sns().topic("alarms");
    region.sns().subscribed(&topic, &endpoint.url);
    let ids: Vec<String> = (0..200)
        .map(|n| region.sns().publish(&topic, None, &n.to_string()))
        .collect();
    let outcome = region.sns().deliverer().delivered(ids.len(), LIMIT);
    assert!(
        ids.iter().all(|id| outcome.delivered.get(id) == Some(&1)),
        "{outcome:?}"
    );
    let connections: BTreeSet<u16> = endpoint.got().iter().map(|got| got.from).collect();
    assert!(connections.len() <= 4, "{connections:?}");
}

#[test]
fn messages_are_posted_over_tls_to_whom_the_authority_vouches_for() {
    let region = region();
    let endpoint = Endpoint::answering(&[200]);
    let certificates = Certificates::make();
    let relay = Relay::start(endpoint.port(), &certificates);
    let url = endpoint.over(&relay);
    let pem = std::fs::read_to_string(certificates.path("ca.pem")).unwrap();
    let topic = region.sns().topic("alarms");
    let message = region.sns().fields(Kind::Notification, &topic).sign();
    assert!(
        message.post(&url, None).is_err(),
        "an unknown authority must not be trusted"
    );
    assert_eq!(
        message.post(&url, Some(&pem)).unwrap(),
        (200, String::new())
    );
    let root = Some(pem);
    region.edit(|w| {
        w.sns.policy = Arc::new(Policy {
            root,
            ..Policy::default()
        })
    });
    region.sns().subscribed(&topic, &url);
    for _ in 0..3 {
        region.sns().publish(&topic, None, "hello");
    }
    region.sns().deliverer().delivered(3, LIMIT);
    assert_eq!(endpoint.got().len(), 4);
}

#[test]
fn a_region_stops_while_an_endpoint_is_silent_and_others_wait() {
    let region = Region::start(World::new("eu-central-1"));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let topic = region.sns().topic("alarms");
    let url = format!("http://{}/", silent.local_addr().unwrap());
    region.edit(|w| {
        w.sns.policy = Arc::new(Policy {
            timeout: LIMIT * 60,
            ..Policy::default()
        })
    });
    region.sns().subscribed(&topic, &url);
    for _ in 0..20 {
        region.sns().publish(&topic, None, "hello");
    }
    // One of them is being sent.
    let (_waiting, _) = silent.accept().unwrap();
    drop(region);
}
