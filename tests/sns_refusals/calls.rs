//! What is asked of SNS: the certificate, and to confirm.

use std::collections::BTreeMap;
use std::time::Duration;

use mediapackage2mqtt::aws::sns::{Confirmed, certificate, confirm_subscription};
use mediapackage2mqtt::aws::{Limits, Service};
use mediapackage2mqtt::config::Secret;
use mediapackage2mqtt::state::fault::{Fault, FaultKind};

use super::rig::*;
use crate::scripted::{Bench, Reply, answer, bench_with, header};

const PATH: &str = "/SimpleNotificationService-00000000000000000000000000000001.pem";

fn bench(replies: Vec<Reply>, limits: Limits) -> Bench {
    bench_with(replies, limits, with_sns, &BTreeMap::new())
}

fn sns(bench: &Bench) -> &Service {
    bench.clients.sns.as_ref().unwrap()
}

fn confirm(bench: &Bench) -> Result<Confirmed, Fault> {
    confirm_subscription(sns(bench), TOPIC, &Secret::new(TOKEN))
}

fn confirmation(arn: &str) -> Reply {
    let xml = format!(
        "<ConfirmSubscriptionResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
         <ConfirmSubscriptionResult><SubscriptionArn>{arn}</SubscriptionArn>\
         </ConfirmSubscriptionResult></ConfirmSubscriptionResponse>"
    );
    answer("200 OK", "Content-Type: text/xml\r\n", &xml)
}

fn refusal(status: &str, code: &str) -> Reply {
    let xml = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>Invalid parameter: Token {TOKEN}</Message></Error></ErrorResponse>"
    );
    answer(status, "", &xml)
}

#[test]
fn a_certificate_is_asked_for_without_a_signature_and_teaches_the_time() {
    let date = "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n";
    let replies = vec![answer("200 OK", date, SIGNER)];
    // Nobody is asked for credentials either: there are none.
    let none = |config: &mut mediapackage2mqtt::config::Config| {
        with_sns(config);
        config.credentials = None;
    };
    let bench = bench_with(replies, Limits::default(), none, &BTreeMap::new());
    assert_eq!(certificate(sns(&bench), PATH).unwrap(), SIGNER.as_bytes());
    let request = bench.server.request();
    assert!(
        request.starts_with(&format!("GET {PATH} HTTP/1.1\r\n")),
        "{request}"
    );
    for name in [
        "authorization",
        "x-amz-date",
        "x-amz-content-sha256",
        "accept-encoding",
    ] {
        assert_eq!(header(&request, name), None, "{request}");
    }
    assert!(bench.clock.learned());
}

#[test]
fn whatever_else_is_served_is_given_up_after_one_attempt() {
    let away = "Location: http://127.0.0.1:1/x.pem\r\n";
    let endless = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let long = "x".repeat(16 * 1024 + 1);
    let limits = Limits {
        request: Duration::from_millis(300),
        ..Limits::default()
    };
    use FaultKind::{Answer, Network, Refused, Server};
    let cases = [
        (
            "redirect",
            answer("302 Found", away, SIGNER),
            Answer,
            "redirect",
        ),
        (
            "too long",
            answer("200 OK", "", &long),
            FaultKind::TooLarge,
            "more than 16384 bytes",
        ),
        (
            "endless",
            Reply::Endless(endless.into()),
            FaultKind::TooLarge,
            "more than 16384 bytes",
        ),
        (
            "gzip",
            answer("200 OK", "Content-Encoding: gzip\r\n", "x"),
            Answer,
            "compressed",
        ),
        ("missing", answer("404 Not Found", "", ""), Refused, "404"),
        (
            "denied",
            refusal("403 Forbidden", "AccessDenied"),
            FaultKind::Permission,
            "url",
        ),
        (
            "broken",
            answer("503 Service Unavailable", "", ""),
            Server,
            "503",
        ),
        ("slow", Reply::Trickle(endless.into()), Network, "0.3 s"),
        ("silent", Reply::Hang, Network, "0.3 s"),
        ("cut", Reply::Bytes(Vec::new()), Network, "broke off"),
    ];
    for (name, reply, kind, word) in cases {
        let bench = bench(vec![reply, answer("200 OK", "", SIGNER)], limits);
        let fault = certificate(sns(&bench), PATH).unwrap_err();
        assert_eq!(
            (fault.kind, sns(&bench).requests()),
            (kind, 1),
            "{name}: {fault}"
        );
        assert!(fault.to_string().contains(word), "{name}: {fault}");
        assert!(!fault.to_string().contains("sns:Get"), "{name}: {fault}");
    }
}

#[test]
fn a_subscription_is_confirmed_so_that_only_its_owner_can_end_it() {
    let bench = bench(vec![confirmation(SUBSCRIPTION)], Limits::default());
    let confirmed = confirm(&bench).unwrap();
    assert_eq!(confirmed.subscription_arn, SUBSCRIPTION);
    assert_eq!(confirmed.unsigned_because, None);
    let request = bench.server.request();
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
    let topic = TOPIC.replace(':', "%3A").replace('-', "%2D");
    let form = format!(
        "Action=ConfirmSubscription&Version=2010-03-31&TopicArn={topic}&Token={TOKEN}\
         &AuthenticateOnUnsubscribe=true"
    );
    assert!(request.ends_with(&format!("\r\n\r\n{form}")), "{request}");
    let content_type = Some("application/x-www-form-urlencoded");
    assert_eq!(header(&request, "content-type"), content_type);
    let scope = "Credential=AKIDFROMCONFIG/20261122/eu-west-1/sns/aws4_request";
    assert!(
        header(&request, "authorization").unwrap().contains(scope),
        "{request}"
    );
}

/// Refusals of the signed call, and how often it is sent.
#[test]
fn without_leave_it_is_confirmed_as_anybody_may() {
    let cases = [
        ("403 Forbidden", "AuthorizationError", 1),
        ("403 Forbidden", "AccessDenied", 1),
        ("403 Forbidden", "InvalidClientTokenId", 2),
        ("403 Forbidden", "ExpiredToken", 2),
        ("403 Forbidden", "SignatureDoesNotMatch", 2),
        ("400 Bad Request", "InvalidParameter", 0),
        ("404 Not Found", "NotFound", 0),
    ];
    for (status, code, signed) in cases {
        let mut replies: Vec<Reply> = (0..signed.max(1)).map(|_| refusal(status, code)).collect();
        replies.push(confirmation(SUBSCRIPTION));
        let bench = bench(replies, Limits::default());
        let result = confirm(&bench);
        let requests = bench.server.requests();
        let is_signed = |request: &&String| header(request, "authorization").is_some();
        let told = match result {
            Ok(confirmed) => {
                assert_eq!(requests.iter().filter(is_signed).count(), signed, "{code}");
                let last = requests.last().unwrap();
                assert!(
                    !is_signed(&last) && !last.contains("Authenticate"),
                    "{last}"
                );
                confirmed.unsigned_because.unwrap()
            }
            Err(fault) => {
                assert_eq!((requests.len(), signed), (1, 0), "{code}: {fault}");
                fault
            }
        };
        assert_eq!(told.code.as_deref(), Some(code));
        assert!(!told.to_string().contains(TOKEN), "{told}");
    }
}

#[test]
fn without_credentials_it_is_confirmed_as_anybody_may() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("none").display().to_string();
    let names = ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"];
    let env = names.map(|name| (name.to_owned(), nowhere.clone()));
    let none = |config: &mut mediapackage2mqtt::config::Config| {
        with_sns(config);
        config.credentials = None;
    };
    let replies = vec![confirmation(SUBSCRIPTION)];
    let bench = bench_with(replies, Limits::default(), none, &BTreeMap::from(env));
    let confirmed = confirm(&bench).unwrap();
    let fault = confirmed.unsigned_because.unwrap();
    assert_eq!(fault.kind, FaultKind::Credentials);
    assert_eq!(header(&bench.server.request(), "authorization"), None);
}

#[test]
fn an_answer_that_names_no_subscription_of_ours_is_none() {
    let other = SUBSCRIPTION.replace("mediapackage", "other");
    let replies = [
        confirmation("pending confirmation"),
        confirmation(&other),
        answer("200 OK", "", "<html>sign in</html>"),
        answer("200 OK", "", ""),
        answer("200 OK", "", &"<SubscriptionArn>".repeat(900)),
        answer("200 OK", "", &"<SubscriptionArn>".repeat(2_000)),
    ];
    let kinds = replies.into_iter().map(|reply| {
        let bench = bench(vec![reply], Limits::default());
        confirm(&bench).unwrap_err().kind
    });
    let mut wanted = vec![FaultKind::Answer; 5];
    wanted.push(FaultKind::TooLarge);
    assert_eq!(kinds.collect::<Vec<_>>(), wanted);
}
