//! Who is not let in: nothing is published, nothing is fetched from anywhere but SNS.

use crate::harness::{LIMIT, json, told, wait_for};
use crate::place::{Place, SUBSCRIPTION};
use crate::region::sns::signing::{Kind, SignedMessage};
use crate::support::certificates::Certificates;

/// A change of a genuine message, and the status and reason it gets.
type Forgery = (
    &'static str,
    u16,
    &'static str,
    fn(SignedMessage) -> SignedMessage,
);

const FORGERIES: [Forgery; 6] = [
    ("another text", 403, "signature", |m| {
        m.tampered("Message", "\"forged\"")
    }),
    ("another topic", 403, "topic", |m| {
        m.tampered("TopicArn", "\"arn:aws:sns:eu-central-1:999999999999:mp\"")
    }),
    ("another certificate", 403, "certificate_url", |m| {
        let url = "\"https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-\
                   0123456789abcdef0123456789abcdef.pem\"";
        m.tampered("SigningCertURL", url)
    }),
    ("an unknown version", 403, "signature_version", |m| {
        m.tampered("SignatureVersion", "\"3\"")
    }),
    ("raw delivery", 400, "raw_delivery", |m| {
        m.with_header("x-amz-sns-rawdelivery", "true")
    }),
    ("a type that the header denies", 400, "type", |m| {
        m.with_header("x-amz-sns-message-type", "SubscriptionConfirmation")
    }),
];

#[test]
fn what_is_forged_is_refused_counted_and_not_published() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    let sns = place.site.region.sns();
    for (count, (what, status, reason, forge)) in (1_u64..).zip(FORGERIES) {
        let forged = forge(sns.sign(&place.topic_arn, None, "genuine"));
        let answered = forged.post(&place.url(), None).unwrap();
        assert_eq!(answered.0, status, "{what}: {}", answered.1);
        eyes.wait_until(LIMIT, |tree| {
            let shown = json(tree, SUBSCRIPTION);
            shown["rejected"] == count && shown["last_rejection"] == reason
        });
    }
    // A confirmation that leads elsewhere is not visited.
    let elsewhere = "\"http://127.0.0.1:9/?Action=ConfirmSubscription\"";
    let fields = sns.fields(Kind::SubscriptionConfirmation, &place.topic_arn);
    let forged = fields.sign().tampered("SubscribeURL", elsewhere);
    assert_eq!(forged.post(&place.url(), None).unwrap().0, 403);
    // A genuine one shows that all before it have had their turn.
    let genuine = sns.sign(&place.topic_arn, None, "genuine");
    assert_eq!(genuine.post(&place.url(), None).unwrap().0, 200);
    wait_for("the genuine message", || {
        (!told(&eyes, "sns/message").is_empty()).then_some(())
    });
    let messages = told(&eyes, "sns/message");
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["message"], "genuine");
    let requests = place.site.region.requests();
    let fetched = requests
        .iter()
        .filter(|r| r.operation == "SigningCertificate");
    assert_eq!(fetched.count(), 1);
    assert!(
        requests
            .iter()
            .all(|r| r.operation != "ConfirmSubscription")
    );
    agent.stop();
}

#[test]
fn messages_come_over_tls_and_at_a_secret_path_only() {
    let place = Place::new();
    let certificates = Certificates::make();
    let file = |name| certificates.path(name).to_str().unwrap().to_owned();
    let (cert_file, key_file) = (file("server.pem"), file("server.key"));
    let site = place.site.configured(|config| {
        config
            .text("sns.tls_cert_file", &cert_file)
            .text("sns.tls_key_file", &key_file)
            .text("sns.path_secret", "planted-path-secret")
            .text(
                "sns.public_url",
                &format!("https://127.0.0.1:{}", place.port),
            )
    });
    let place = Place { site, ..place };
    let printed = crate::harness::run(&["subscribe-url"], &place.site.write());
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    let url = printed.lines().next().unwrap().to_owned();
    assert!(printed.contains(&place.topic_arn), "{printed}");
    assert!(printed.contains("aws sns subscribe"), "{printed}");
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    let root = std::fs::read_to_string(certificates.path("ca.pem")).unwrap();
    let message = place
        .site
        .region
        .sns()
        .sign(&place.topic_arn, None, "secret way");
    let secure = place.url().replace("http:", "https:");
    assert_eq!(message.post(&secure, Some(&root)).unwrap().0, 404);
    assert_eq!(message.post(&url, Some(&root)).unwrap().0, 200);
    assert!(
        message.post(&place.url(), None).is_err(),
        "no plain HTTP here"
    );
    for line in agent.log() {
        assert!(!line.contains("planted-path-secret"), "{line}");
        assert!(!line.contains(url.rsplit('/').next().unwrap()), "{line}");
    }
    agent.stop();
}
