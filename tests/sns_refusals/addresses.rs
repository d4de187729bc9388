//! Addresses that a forger would have us visit. Numbers 1 to 5 of what is known.

use mediapackage2mqtt::state::push::Reason;

use super::rig::*;

#[test]
fn a_certificate_from_elsewhere_is_not_fetched() {
    const STEM: &str = "SimpleNotificationService-00000000000000000000000000000001.pem";
    let stems = [
        "https://s3.amazonaws.com/bucket/",
        "https://bucket.s3.eu-west-1.amazonaws.com/",
        "https://sns.s3-us-west-2.amazonaws.com/",
        "https://sns.elasticbeanstalk.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com.evil.example/",
        "https://sns.eu-west-1.amazonaws.com.cn/",
        "https://evil-sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com@evil.example/",
        "https://evil.example@sns.eu-west-1.amazonaws.com/",
        "https://sns.us-east-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com:8443/",
        "https://sns.eu-west-1.amazonaws.com/x/",
        "https://sns.eu-west-1.amazonaws.com//",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/",
        "http://sns.eu-west-1.amazonaws.com/",
        "HTTPS://sns.eu-west-1.amazonaws.com/",
        "https://SNS.eu-west-1.amazonaws.com/",
        "https://127.0.0.1/",
        "file:///",
        "//sns.eu-west-1.amazonaws.com/",
        "/",
        "",
    ];
    let stems = stems.iter().map(|stem| format!("{stem}{STEM}"));
    let own = certificate_url(1);
    let others = [
        format!("{ORIGIN}/?Action=GetTopicAttributes&TopicArn={TOPIC}&x=.pem"),
        format!("{ORIGIN}/?x=/{STEM}"),
        format!("{own}?x=.pem"),
        format!("{own}?"),
        format!("{own}#.pem"),
        format!("{own}\n"),
        own.replace(".pem", ".PEM"),
        own.replace("-0", "-"),
        own.replace("-0", "-00"),
        own.replace("-0", "-A"),
        own.replace("-0", "-%30"),
        own.replace("SimpleNotificationService-0", "../x"),
        String::from("http://169.254.169.254/latest/meta-data/iam/"),
    ];
    for url in stems.chain(others) {
        // The attacker's key and certificate belong together.
        let mut rig = Rig::genuine(NOTIFICATION, "1");
        rig.set("SigningCertURL", &url).sign(Key::Other);
        rig.served = Ok(OTHER.to_owned());
        let (judged, fetched) = rig.outcome();
        assert_eq!(reason(judged).unwrap(), Reason::CertificateUrl, "{url}");
        assert!(!fetched, "{url}");
    }
}

/// Number 5: nobody is made to visit anything, and no other topic or token is confirmed.
#[test]
fn a_subscribe_url_that_leads_elsewhere_is_refused() {
    let good = subscribe_url(TOPIC, TOKEN);
    let urls = [
        String::from("http://169.254.169.254/latest/meta-data/"),
        good.replace("https", "http"),
        good.replace("eu-west-1.", "us-east-1."),
        good.replace(".com", ".com.evil.example"),
        good.replace("ConfirmSubscription", "Unsubscribe"),
        good.replace("&Token=2", "&Token=3"),
        good.replace(":mediapackage", ":other"),
        format!("{good}&TopicArn=arn:aws:sns:eu-west-1:123456789012:other"),
        format!("{good}&AuthenticateOnUnsubscribe=false"),
        good.replace("/?", "/x?"),
    ];
    for kind in [SUBSCRIPTION_CONFIRMATION, UNSUBSCRIBE_CONFIRMATION] {
        for url in &urls {
            assert_ne!(*url, good);
            let mut rig = Rig::genuine(kind, "1");
            // Refused even with SNS's own signature.
            rig.set("SubscribeURL", url).sign(Key::Signer);
            let (judged, fetched) = rig.outcome();
            assert_eq!(
                reason(judged).unwrap(),
                Reason::SubscribeUrl,
                "{kind} {url}"
            );
            assert!(!fetched, "{url}");
        }
    }
}
