//! The simulated region: signatures, lists, faults.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::tls::Certificate;

use super::caller::{Caller, Reply, agent};
use super::region::sqs::receipt::RECEIPT;
use super::region::world::{DRM_SETTINGS, HARVEST_ROLE, POLICY, SECRET_ACCESS_KEY, URL_PASSWORD};
use super::region::{Alarm, AlarmKind, Clock, Fault, Key, Region, SECRETS, World, sessions, sns};
use super::support::certificates::Certificates;
use super::support::moto::Moto;
use super::support::relay::Relay;

const REGION: &str = "eu-central-1";

fn small() -> World {
    World::new(REGION).with_channels(3, 4).standard_metrics()
}

fn session(caller: &mut Caller, id: &str, token: &str) {
    let secret = String::from("session-secret");
    (caller.key_id, caller.secret) = (id.to_owned(), secret);
    caller.token = Some(token.to_owned());
}

/// A name, what the caller does, and AWS's code; none where it is served.
type Signed = (&'static str, fn(&mut Caller), &'static str);

const SIGNED: [Signed; 12] = [
    ("right", |_| {}, ""),
    (
        "right, with a token",
        |c| session(c, "AKIASESSION", "token"),
        "",
    ),
    (
        "4 minutes ahead",
        |c| c.clock = Duration::from_secs(240),
        "",
    ),
    ("wrong secret", |c| c.secret.push('x'), INVALID),
    ("another region", |c| c.region = "eu-west-1".into(), INVALID),
    (
        "another service",
        |c| c.service = Some("sns".into()),
        INVALID,
    ),
    (
        "6 minutes ahead",
        |c| c.clock = Duration::from_secs(360),
        INVALID,
    ),
    (
        "6 minutes behind",
        |c| (c.clock, c.clock_behind) = (Duration::from_secs(360), true),
        INVALID,
    ),
    ("unknown key", |c| c.key_id = "AKIANO".into(), UNRECOGNIZED),
    (
        "revoked key",
        |c| c.key_id = "AKIAREVOKED".into(),
        UNRECOGNIZED,
    ),
    (
        "wrong token",
        |c| session(c, "AKIASESSION", "another"),
        UNRECOGNIZED,
    ),
    (
        "expired token",
        |c| session(c, "AKIAEXPIRED", "token"),
        "ExpiredTokenException",
    ),
];
const INVALID: &str = "InvalidSignatureException";
const UNRECOGNIZED: &str = "UnrecognizedClientException";

#[test]
fn a_signature_is_refused_for_each_thing_that_is_wrong_with_it() {
    let mut world = small();
    let mut expired = Key::new("AKIAEXPIRED", "session-secret", Some("token"));
    expired.expired = true;
    let mut revoked = Key::new("AKIAREVOKED", SECRET_ACCESS_KEY, None);
    revoked.revoked = true;
    let valid = Key::new("AKIASESSION", "session-secret", Some("token"));
    world.keys.extend([expired, revoked, valid]);
    let region = Region::start(world);
    for (what, change, code) in SIGNED {
        let mut caller = Caller::of(&region);
        change(&mut caller);
        for reply in [
            caller.get("/channels?maxResults=2"),
            caller.post("DescribeAlarms", &json!({})),
        ] {
            if code.is_empty() {
                assert_eq!(reply.status, 200, "{what}: {reply:?}");
            } else {
                let refused = (reply.status, reply.code());
                assert_eq!(refused, (403, code.to_owned()), "{what}: {reply:?}");
            }
        }
    }
    let bare = agent(None)
        .get(format!("{}/channels", region.url()))
        .call()
        .unwrap();
    assert_eq!(bare.status(), 403);
}

#[test]
fn the_regions_clock_is_its_own() {
    let region = Region::start(small());
    let caller = Caller::of(&region);
    region.edit(|w| w.clock = Clock::Offset(7_200_000));
    let reply = caller.get("/channels");
    assert!(reply.body.contains("Signature expired: "), "{reply:?}");
    assert!(reply.body.contains(" - 5 min.)"), "{reply:?}");
    region.edit(|w| w.clock = Clock::Fixed(1_795_341_600_000));
    assert_eq!(
        caller.get("/channels").header("date"),
        "Sun, 22 Nov 2026 10:00:00 GMT"
    );
}

#[test]
fn a_denied_action_is_refused_in_awss_words() {
    let region = Region::start(small());
    region.edit(|w| {
        w.denied = vec![
            "mediapackage:ListChannels".into(),
            "cloudwatch:DescribeAlarms".into(),
        ]
    });
    let caller = Caller::of(&region);
    let user = "User: arn:aws:iam::123456789012:user/edge is not authorized to perform: ";
    for (reply, action) in [
        (caller.get("/channels"), "mediapackage:ListChannels"),
        (
            caller.post("DescribeAlarms", &json!({})),
            "cloudwatch:DescribeAlarms",
        ),
    ] {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "AccessDeniedException")
        );
        assert!(
            reply.body.contains(&format!("{user}{action} ")),
            "{reply:?}"
        );
    }
    assert_eq!(caller.get("/origin_endpoints").status, 200);
}

/// All pages of a list of MediaPackage.
fn listed(caller: &Caller, path: &str, member: &str, limit: usize) -> (usize, Vec<Value>) {
    let (mut items, mut pages) = (Vec::new(), 0);
    let mut query = format!("?maxResults={limit}");
    loop {
        let reply = caller.get(&format!("{path}{query}"));
        assert_eq!(reply.status, 200, "{reply:?}");
        let page = reply.json();
        items.extend(page[member].as_array().unwrap().iter().cloned());
        pages += 1;
        let Some(token) = page["nextToken"].as_str() else {
            return (pages, items);
        };
        let token: String = token.bytes().map(|b| format!("%{b:02X}")).collect();
        query = format!("?maxResults={limit}&nextToken={token}");
    }
}

#[test]
fn lists_come_in_pages_and_hold_every_secret() {
    let region = Region::start(World::awkward(REGION));
    region.edit(|w| w.pages.inventory = 3);
    let caller = Caller::of(&region);
    let (pages, channels) = listed(&caller, "/channels", "channels", 1000);
    assert_eq!((pages, channels.len()), (2, 5));
    let (pages, endpoints) = listed(&caller, "/origin_endpoints", "originEndpoints", 2);
    assert_eq!((pages, endpoints.len()), (10, 20));
    let bodies = json!([channels, endpoints]).to_string();
    let elsewhere = [
        SECRET_ACCESS_KEY,
        sns::TOKEN,
        sns::UNSUBSCRIBE,
        RECEIPT,
        HARVEST_ROLE,
        DRM_SETTINGS,
        POLICY,
    ];
    let of_lists = |s: &&&str| !elsewhere.contains(s) && !sessions::SECRETS.contains(s);
    for secret in SECRETS.iter().filter(of_lists) {
        assert!(bodies.contains(secret), "{secret} is not planted");
    }
    assert!(bodies.contains(URL_PASSWORD));
    for package in ["hlsPackage", "dashPackage", "cmafPackage", "mssPackage"] {
        assert!(
            endpoints.iter().any(|e| e[package].is_object()),
            "{package}"
        );
    }
    let of_one = caller
        .get("/origin_endpoints?channelId=a%2Fb%23c%2Bd")
        .json();
    assert_eq!(of_one["originEndpoints"].as_array().unwrap().len(), 3);
    assert!(of_one["nextToken"].is_string());
    for bad in [
        "maxResults=0",
        "maxResults=1001",
        "maxResults=x",
        "nextToken=t%2B",
    ] {
        let reply = caller.get(&format!("/channels?{bad}"));
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (422, "UnprocessableEntityException")
        );
    }
    assert_eq!(caller.get("/nowhere").status, 404);
}

#[test]
fn alarms_of_other_kinds_come_only_when_asked_for() {
    let mut world = World::new(REGION);
    for n in 0..120 {
        world.put_alarm(Alarm::metric(
            &format!("m{n:03}"),
            "IngressBytes",
            &[("Channel", "c")],
        ));
    }
    world.put_alarm(Alarm::composite("both", "ALARM(m001) AND ALARM(m002)"));
    world.put_alarm(Alarm::of("log", AlarmKind::Log));
    world.set_alarm("m001", "ALARM", "no datapoints were received");
    let region = Region::start(world);
    let caller = Caller::of(&region);
    let all = |body: Value| {
        let mut names: Vec<String> = Vec::new();
        let mut body = body;
        loop {
            let page = caller.post("DescribeAlarms", &body).json();
            for member in ["MetricAlarms", "CompositeAlarms", "LogAlarms"] {
                let alarms = page[member].as_array().unwrap();
                names.extend(
                    alarms
                        .iter()
                        .map(|a| a["AlarmName"].as_str().unwrap().to_owned()),
                );
            }
            match &page["NextToken"] {
                Value::Null => return names,
                token => body["NextToken"] = token.clone(),
            }
        }
    };
    let types = json!(["CompositeAlarm", "MetricAlarm", "LogAlarm"]);
    let cases = [
        (json!({}), 120),
        (json!({"AlarmTypes": types}), 122),
        (json!({"AlarmTypes": types, "MaxRecords": 1}), 122),
        (json!({"AlarmTypes": ["LogAlarm"], "AnUnknownMember": 1}), 1),
        (json!({"StateValue": "ALARM"}), 1),
        (json!({"AlarmNamePrefix": "m11"}), 10),
    ];
    for (body, count) in cases {
        assert_eq!(all(body.clone()).len(), count, "{body}");
    }
    for (body, code) in [
        (json!({"MaxRecords": 101}), "ValidationError"),
        (json!({"AlarmTypes": ["Alarm"]}), "ValidationError"),
        (
            json!({"AlarmTypes": "MetricAlarm"}),
            "SerializationException",
        ),
        (json!({"NextToken": "never given"}), "InvalidNextToken"),
    ] {
        let reply = caller.post("DescribeAlarms", &body);
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
        assert_eq!(reply.header("x-amzn-query-error"), format!("{code};Sender"));
    }
}

/// What a caller sees of a fault: a status and part of the body, or a broken exchange.
enum Sees {
    Status(u16, &'static str),
    Header(u16, &'static str, &'static str),
    Broken,
}

#[test]
fn each_fault_is_seen_as_often_as_planned() {
    let region = Region::start(small());
    let error = Fault::Error {
        status: 503,
        code: "ServiceUnavailableException",
        message: "later",
    };
    let cases = [
        (
            Fault::Throttle {
                retry_after_ms: None,
            },
            Sees::Status(429, "Rate exceeded"),
        ),
        (
            Fault::Throttle {
                retry_after_ms: Some(7),
            },
            Sees::Header(429, "x-amz-retry-after", "7"),
        ),
        (
            error,
            Sees::Header(503, "x-amzn-errortype", "ServiceUnavailableException"),
        ),
        (
            Fault::html(502),
            Sees::Header(502, "content-type", "text/html"),
        ),
        (Fault::body("{}"), Sees::Status(200, "{}")),
        (
            Fault::Redirect("http://127.0.0.1:9/".into()),
            Sees::Header(302, "location", "http://127.0.0.1:9/"),
        ),
        (
            Fault::WrongTypes,
            Sees::Status(200, r#"{"channels":"many"}"#),
        ),
        (
            Fault::LoopingToken,
            Sees::Status(200, r#""nextToken":"round-and-round""#),
        ),
        (Fault::Truncated, Sees::Broken),
        (Fault::Drop, Sees::Broken),
        (Fault::Endless, Sees::Broken),
    ];
    let mut caller = Caller::of(&region);
    caller.agent = agent(None);
    for (fault, sees) in cases {
        let name = format!("{fault:?}");
        region.edit(|w| w.faults.add("ListChannels", 2, fault));
        assert_eq!(
            caller.get("/origin_endpoints").status,
            200,
            "{name} hits one operation only"
        );
        for _ in 0..2 {
            check(&name, caller.try_get("/channels"), &sees);
        }
        assert_eq!(
            caller.get("/channels").json()["channels"]
                .as_array()
                .unwrap()
                .len(),
            3,
            "{name}"
        );
    }
    region.edit(|w| w.faults.add("ListChannels", 1, Fault::Gzip));
    let gzip = caller.get("/channels");
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let seen = region.requests();
    assert!(
        seen.iter()
            .any(|s| s.fault.as_deref() == Some("Gzip") && s.operation == "ListChannels")
    );
}

fn check(name: &str, reply: Result<Reply, ureq::Error>, sees: &Sees) {
    match (reply, sees) {
        (Ok(reply), Sees::Status(status, part)) => {
            assert_eq!(reply.status, *status, "{name}");
            assert!(reply.body.contains(part), "{name}: {}", reply.body);
        }
        (Ok(reply), Sees::Header(status, header, value)) => {
            assert_eq!(
                (reply.status, reply.header(header)),
                (*status, *value),
                "{name}"
            );
        }
        (Err(_), Sees::Broken) => {}
        (other, _) => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_region_stops_in_the_middle_of_what_takes_for_ever() {
    for fault in [Fault::Drip, Fault::Stall, Fault::Endless] {
        let region = Region::start(small());
        region.edit(|w| w.faults.add("ListChannels", 1, fault));
        let caller = Caller::of(&region);
        let waiting = std::thread::spawn(move || caller.try_get("/channels").is_err());
        while region.requests().is_empty() {
            std::thread::yield_now();
        }
        drop(region);
        assert!(waiting.join().unwrap());
    }
}

#[test]
fn the_region_can_be_asked_over_tls() {
    let region = Region::start(small());
    let certificates = Certificates::make();
    let port = region.url().rsplit(':').next().unwrap().parse().unwrap();
    let relay = Relay::start(port, &certificates);
    let mut caller = Caller::of(&region);
    caller.url = format!("https://127.0.0.1:{}", relay.port());
    assert!(
        caller.try_get("/channels").is_err(),
        "an unknown authority must not be trusted"
    );
    let pem = std::fs::read(certificates.path("ca.pem")).unwrap();
    caller.agent = agent(Some(Certificate::from_pem(&pem).unwrap()));
    for _ in 0..3 {
        assert_eq!(
            caller.get("/channels").json()["channels"]
                .as_array()
                .unwrap()
                .len(),
            3
        );
    }
}

#[test]
fn moto_is_seeded_and_checks_signatures() {
    let moto = Moto::start(REGION);
    let mut caller = Caller::at(&moto.url, (&moto.access_key_id, &moto.secret_access_key));
    let body = json!({"Namespace": "AWS/MediaPackage"});
    let page = caller.post("ListMetrics", &body);
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.json()["Metrics"].as_array().unwrap().len(), 500);
    assert!(page.json()["NextToken"].is_string());
    caller.secret.push('x');
    assert_eq!(caller.post("ListMetrics", &body).status, 403);
}
