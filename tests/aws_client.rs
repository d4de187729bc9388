//! The AWS client against servers that behave, misbehave and refuse.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets a surprise shall stop there"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mediapackage2mqtt::aws::{AwsClock, Clients, Limits, Stop, cloudwatch, mediapackage};
use mediapackage2mqtt::config::{Proxy, Secret, ServiceUrl};
use mediapackage2mqtt::state::fault::{Fault, FaultKind};
use mediapackage2mqtt::state::time::UnixMs;

mod scripted;

use scripted::{Bench, NOON, Reply, answer, bench, bench_with, config, header, url};

const NO_METRICS: &str = r#"{"Metrics":[]}"#;

fn raw(text: &str) -> Reply {
    Reply::Bytes(text.as_bytes().to_vec())
}

fn good() -> Reply {
    answer("200 OK", "", NO_METRICS)
}

/// What `ListMetrics` gives, and how many requests it took.
fn list_metrics(bench: &Bench) -> (Result<usize, Fault>, u64) {
    let listed = cloudwatch::list_metrics(&bench.clients.cloudwatch, |_| true);
    (
        listed.map(|metrics| metrics.len()),
        bench.clients.cloudwatch.requests(),
    )
}

#[test]
fn what_passes_by_itself_is_tried_again() {
    let status = |status: &str| answer(status, "", "");
    let truncated = || raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Metrics\":");
    let chunk = || raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"Met");
    let throttled = || answer("400 Bad Request", "", r#"{"__type":"x#Throttling"}"#);
    let cases = [
        ("429", status("429 Too Many Requests")),
        ("throttled", throttled()),
        ("500", status("500 Internal Server Error")),
        (
            "503 with HTML",
            answer("503 Service Unavailable", "", "<html>"),
        ),
        ("truncated", truncated()),
        ("truncated chunk", chunk()),
        ("closed", raw("")),
        ("not HTTP", raw("SSH-2.0-OpenSSH\r\n\r\n")),
    ];
    for (name, first) in cases {
        let bench = bench(vec![first, good()]);
        assert_eq!(list_metrics(&bench), (Ok(0), 2), "{name}");
        assert_eq!(bench.clients.cloudwatch.operations(), 1, "{name}");
    }
}

#[test]
fn after_three_attempts_the_last_failure_is_told() {
    let cases = [
        ("500 Internal Server Error", FaultKind::Server, "status 500"),
        ("504 Gateway Timeout", FaultKind::Server, "status 504"),
    ];
    for (status, kind, word) in cases {
        let replies = (0..4).map(|_| answer(status, "", "<title>down</title>"));
        let bench = bench(replies.collect());
        let (result, requests) = list_metrics(&bench);
        let fault = result.unwrap_err();
        assert_eq!((fault.kind, requests), (kind, 3), "{fault}");
        assert!(
            fault.what.contains(word) && fault.what.contains("ListMetrics"),
            "{fault}"
        );
    }
}

#[test]
fn an_answer_that_is_not_what_aws_promises_is_refused_at_once() {
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n";
    let gzip = "Content-Encoding: gzip\r\n";
    let away = "Location: http://127.0.0.1:1/\r\n";
    let cases = [
        (
            "compressed",
            answer("200 OK", gzip, NO_METRICS),
            "compressed",
        ),
        ("redirect", answer("302 Found", away, ""), "redirect"),
        (
            "endless",
            Reply::Endless(endless.into()),
            "more than 65536 bytes",
        ),
        (
            "a page",
            answer("200 OK", "", "<html>sign in</html>"),
            "not JSON",
        ),
        (
            "cut JSON",
            answer("200 OK", "", "{\"Metrics\":["),
            "malformed",
        ),
        (
            "wrong type",
            answer("200 OK", "", "{\"Metrics\":\"hunter2\"}"),
            "another type",
        ),
    ];
    let limits = Limits {
        body_bytes_max: 64 * 1024,
        ..Limits::default()
    };
    for (name, reply, word) in cases {
        let bench = bench_with(vec![reply, good()], limits, |_| {}, &BTreeMap::new());
        let (result, requests) = list_metrics(&bench);
        let fault = result.unwrap_err();
        let kind = match name {
            "endless" => FaultKind::TooLarge,
            _ => FaultKind::Answer,
        };
        assert_eq!((fault.kind, requests), (kind, 1), "{name}: {fault}");
        assert!(fault.what.contains(word), "{name}: {fault}");
        assert!(!fault.to_string().contains("hunter2"), "{name}: {fault}");
    }
}

#[test]
fn a_server_that_sends_a_byte_now_and_then_is_given_up() {
    let limits = Limits {
        request: Duration::from_millis(200),
        ..Limits::default()
    };
    let heads = [
        "HTTP/1.1 200 OK\r\nX-Slow: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    ];
    for head in heads {
        let replies = (0..4).map(|_| Reply::Trickle(head.into()));
        let bench = bench_with(replies.collect(), limits, |_| {}, &BTreeMap::new());
        let (result, requests) = list_metrics(&bench);
        let fault = result.unwrap_err();
        assert_eq!((fault.kind, requests), (FaultKind::Network, 3), "{fault}");
        assert!(fault.what.contains("0.2 s"), "{fault}");
    }
}

#[test]
fn no_connection_says_where_to() {
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let bench = bench_with(
        Vec::new(),
        Limits::default(),
        |config| config.cloudwatch.url = url("http", unused),
        &BTreeMap::new(),
    );
    let fault = list_metrics(&bench).0.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Network);
    assert!(
        fault.what.contains(&format!("localhost:{unused}")),
        "{fault}"
    );
    assert!(fault.what.contains("refused"), "{fault}");
}

#[test]
fn a_request_is_signed_and_says_what_it_wants() {
    let bench = bench(vec![good()]);
    list_metrics(&bench).0.unwrap();
    let request = bench.server.request();
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
    let target = "GraniteServiceVersion20100801.ListMetrics";
    let version = concat!("mediapackage2mqtt/", env!("CARGO_PKG_VERSION"));
    let wanted = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", target),
        ("x-amz-date", "20261122T100000Z"),
        ("user-agent", version),
    ];
    for (name, value) in wanted {
        assert_eq!(header(&request, name), Some(value), "{request}");
    }
    assert_eq!(header(&request, "accept-encoding"), None, "{request}");
    let authorization = header(&request, "authorization").unwrap();
    let scope = "Credential=AKIDFROMCONFIG/20261122/eu-west-1/monitoring/aws4_request";
    assert!(authorization.contains(scope), "{authorization}");
    let signed = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target";
    assert!(authorization.contains(signed), "{authorization}");
}

#[test]
fn a_request_refused_for_its_time_is_signed_again_with_the_learned_clock() {
    let ahead = "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n";
    let codes = [
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "RequestExpired",
        "AccessDeniedException",
    ];
    for code in codes {
        let refusal = format!("{{\"__type\":\"{code}\",\"message\":\"Signature expired: x\"}}");
        let bench = bench(vec![answer("403 Forbidden", ahead, &refusal), good()]);
        assert_eq!(list_metrics(&bench), (Ok(0), 2), "{code}");
        // Two hours, and the half second that a `Date` is behind on the average.
        assert_eq!(bench.clock.offset_ms(), 7_200_500, "{code}");
        let dates = bench.server.requests();
        let dates: Vec<_> = dates
            .iter()
            .map(|request| header(request, "x-amz-date"))
            .collect();
        assert_eq!(
            dates,
            [Some("20261122T100000Z"), Some("20261122T120000Z")],
            "{code}"
        );
    }
}

#[test]
fn the_clock_is_not_learned_from_a_cache() {
    let cached = "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\nAge: 7200\r\n";
    let bench = bench(vec![answer("200 OK", cached, NO_METRICS)]);
    list_metrics(&bench).0.unwrap();
    assert_eq!((bench.clock.now(), bench.clock.learned()), (NOON, false));
}

#[test]
fn a_refusal_says_what_to_do_and_never_repeats_the_request() {
    let canonical = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>The request \
        signature we calculated does not match. The Canonical String for this request should have \
        been 'POST x-amz-date:20261122T100000Z host:planted'</Message></Error></ErrorResponse>";
    let echoed = r#"{"__type":"IncompleteSignatureException",
        "message":"'Credential=AKIDFROMCONFIG' not a valid key=value pair"}"#;
    let denied = r#"{"__type":"AccessDeniedException","Message":
        "User: AKIDFROMCONFIG is not authorized to perform: cloudwatch:ListMetrics"}"#;
    let expired = r#"{"__type":"com.amazon#ExpiredTokenException","message":"It is over"}"#;
    let skewed = r#"{"__type":"InvalidSignatureException","message":"Signature expired: 1 - 2"}"#;
    let not_had = r#"{"__type":"SubscriptionRequiredException","message":"It needs one"}"#;
    let source = "[credentials] in the config file";
    use FaultKind::{Clock, Credentials, Permission, Refused};
    let cases = [
        (canonical, Credentials, "SignatureDoesNotMatch", source, 2),
        (
            echoed,
            Credentials,
            "IncompleteSignatureException",
            source,
            2,
        ),
        (expired, Credentials, "ExpiredTokenException", source, 2),
        (skewed, Clock, "InvalidSignatureException", "clock", 2),
        (
            denied,
            Permission,
            "AccessDeniedException",
            "allow cloudwatch:ListMetrics",
            1,
        ),
        (
            not_had,
            Refused,
            "SubscriptionRequiredException",
            "sign the account up",
            1,
        ),
        (
            "<html><title>Blocked</title></html>",
            Refused,
            "Blocked",
            "proxy",
            1,
        ),
    ];
    for (body, kind, code, word, sent) in cases {
        let replies = (0..3).map(|_| answer("403 Forbidden", "", body));
        let bench = bench(replies.collect());
        let (result, requests) = list_metrics(&bench);
        let fault = result.unwrap_err();
        let text = fault.to_string();
        assert_eq!((fault.kind, requests), (kind, sent), "{text}");
        assert!(text.contains(code) && text.contains(word), "{text}");
        for secret in [
            "planted",
            "AKIDFROMCONFIG",
            "secret-from-config",
            "Canonical",
        ] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn credentials_that_aws_refuses_are_read_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let file_text = |id: &str| {
        let script = folder.path().join("print");
        let print = format!(
            "echo x >> '{0}.runs'; printf '{{\"Version\":1,\"AccessKeyId\":\"{id}%d\",\
             \"SecretAccessKey\":\"s\"}}' $(wc -l < '{0}.runs')",
            script.display()
        );
        std::fs::write(&script, print).unwrap();
        format!(
            "[default]\ncredential_process = sh '{}'\n",
            script.display()
        )
    };
    std::fs::write(&file, file_text("AKRUN")).unwrap();
    let var = (
        "AWS_SHARED_CREDENTIALS_FILE".to_owned(),
        file.display().to_string(),
    );
    let expired = r#"{"__type":"ExpiredTokenException"}"#;
    let replies = vec![answer("403 Forbidden", "", expired), good(), good()];
    let bench = bench_with(
        replies,
        Limits::default(),
        |config| config.credentials = None,
        &BTreeMap::from([var]),
    );
    assert_eq!(list_metrics(&bench), (Ok(0), 2));
    assert_eq!(list_metrics(&bench), (Ok(0), 3));
    let requests = bench.server.requests();
    let keys = requests
        .iter()
        .map(|request| header(request, "authorization").unwrap());
    let keys: Vec<_> = keys
        .map(|value| value.split(['=', '/']).nth(1).unwrap())
        .collect();
    assert_eq!(keys, ["AKRUN1", "AKRUN2", "AKRUN2"]);
}

#[test]
fn every_page_of_a_listing_is_read_and_the_later_item_wins() {
    let page = |body: &str| answer("200 OK", "", body);
    let bench = bench(vec![
        page(r#"{"channels":[{"id":"b","description":"old"},{"id":"a"}],"nextToken":"t+/= ü"}"#),
        page(r#"{"channels":[{"id":"c"},{"id":"b","description":"new"}],"nextToken":""}"#),
        page(r#"{"originEndpoints":[{"id":"e","channelId":"a"}]}"#),
    ]);
    let inventory = mediapackage::poll(&bench.clients.mediapackage).unwrap();
    let channels = inventory.channels.iter();
    let channels: Vec<_> = channels
        .map(|c| (&*c.id, c.description.as_deref()))
        .collect();
    assert_eq!(channels, [("a", None), ("b", Some("new")), ("c", None)]);
    assert_eq!(inventory.endpoints.len(), 1);
    let requests = bench.server.requests();
    let targets: Vec<_> = requests
        .iter()
        .map(|r| r.split(' ').nth(1).unwrap())
        .collect();
    let wanted = [
        "/channels?maxResults=200",
        "/channels?maxResults=200&nextToken=t%2B%2F%3D%20%C3%BC",
        "/origin_endpoints?maxResults=200",
    ];
    assert_eq!(targets, wanted);
    for request in &requests {
        let hash = header(request, "x-amz-content-sha256").unwrap();
        assert!(hash.starts_with("e3b0c442"), "{request}");
    }
}

#[test]
fn a_listing_with_a_failed_page_is_no_listing() {
    let page = r#"{"channels":[{"id":"a"}],"nextToken":"t"}"#;
    let bench = bench(vec![
        answer("200 OK", "", page),
        answer("404 Not Found", "", "{}"),
    ]);
    let fault = mediapackage::poll(&bench.clients.mediapackage).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(
        fault.what.contains("ListChannels with status 404"),
        "{fault}"
    );
}

#[test]
fn alarms_are_asked_for_without_log_alarms_where_aws_does_not_know_them() {
    let invalid = r#"{"__type":"com.amazon#ValidationException","message":"LogAlarm?"}"#;
    let legacy = "x-amzn-query-error: ValidationError;Sender\r\n";
    let alarms = r#"{"MetricAlarms":[{"AlarmName":"a","StateValue":"OK"}]}"#;
    let replies = vec![
        answer("400 Bad Request", legacy, invalid),
        answer("200 OK", "", alarms),
    ];
    let bench = bench(replies);
    let alarms = cloudwatch::describe_alarms(&bench.clients.cloudwatch).unwrap();
    assert_eq!(alarms.len(), 1);
    let asked: Vec<_> = bench.server.requests();
    let asked: Vec<_> = asked
        .iter()
        .map(|request| request.contains("LogAlarm"))
        .collect();
    assert_eq!(asked, [true, false]);
}

#[test]
fn a_stop_ends_a_request_in_flight() {
    let bench = bench(vec![Reply::Hang]);
    thread::scope(|scope| {
        let poll = scope.spawn(|| mediapackage::poll(&bench.clients.mediapackage));
        bench.server.request();
        bench.stop.request();
        bench.clients.interrupt();
        let fault = poll.join().unwrap().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Stopped, "{fault}");
    });
    assert_eq!(bench.clients.mediapackage.requests(), 1);
}

#[test]
fn a_stop_ends_the_retries() {
    let later = "x-amz-retry-after: 5000\r\n";
    let bench = bench(vec![answer("429 Too Many Requests", later, ""), good()]);
    thread::scope(|scope| {
        let poll = scope.spawn(|| mediapackage::poll(&bench.clients.mediapackage));
        bench.server.request();
        bench.stop.request();
        let fault = poll.join().unwrap().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Stopped, "{fault}");
    });
    assert_eq!(bench.clients.mediapackage.requests(), 1);
}

#[test]
fn a_proxy_is_asked_with_its_credentials_and_its_refusal_is_told() {
    let refusal = raw("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let proxy = scripted::Server::start(vec![refusal]);
    let proxied = Proxy::Url {
        url: format!("http://localhost:{}", proxy.port),
        username: Some(String::from("user")),
        password: Some(Secret::new("pa:ss")),
    };
    let bench = bench_with(
        Vec::new(),
        Limits::default(),
        |config| {
            config.cloudwatch.url = ServiceUrl {
                text: String::from("https://region.invalid"),
                tls: true,
                host: String::from("region.invalid"),
                port: 443,
                loopback: false,
            };
            config.cloudwatch.proxy = proxied;
        },
        &BTreeMap::new(),
    );
    let fault = list_metrics(&bench).0.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Network);
    assert!(fault.to_string().contains("proxy_password"), "{fault}");
    let named = format!("the proxy localhost:{} refuses", proxy.port);
    assert!(fault.what.contains(&named), "{fault}");
    // A wrong password is not tried again.
    assert_eq!(bench.clients.cloudwatch.requests(), 1);
    let request = proxy.request();
    let wanted = "CONNECT region.invalid:443 ";
    assert!(request.starts_with(wanted), "{request}");
    // user:pa:ss
    assert_eq!(
        header(&request, "proxy-authorization"),
        Some("Basic dXNlcjpwYTpzcw==")
    );
}

/// A TLS server for `localhost` whose certificate is good from `year` on; answers once.
fn tls_server(year: i32) -> (u16, String) {
    use rustls::pki_types::PrivateKeyDer;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![String::from("localhost")]).unwrap();
    params.not_before = rcgen::date_time_ymd(year, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + 200, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        use std::io::{Read, Write};
        let (tcp, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(config).unwrap();
        let mut tls = rustls::StreamOwned::new(connection, tcp);
        let mut request = [0; 4096];
        if tls.read(&mut request).is_ok() {
            let length = NO_METRICS.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            drop(tls.write_all((head + NO_METRICS).as_bytes()));
        }
    });
    (port, certificate.pem())
}

fn over_tls(port: u16, ca_file: Option<&str>) -> Result<usize, Fault> {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&url("https", port));
    if let Some(pem) = ca_file {
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, pem).unwrap();
        config.ca_file = Some(file);
    }
    let clock = AwsClock::new(|| UnixMs(0));
    let clients = Clients::new(&config, &BTreeMap::new(), clock, Stop::new())?;
    cloudwatch::list_metrics(&clients.cloudwatch, |_| true).map(|metrics| metrics.len())
}

#[test]
fn the_roots_of_ca_file_are_trusted_besides_the_public_ones() {
    let (port, pem) = tls_server(2020);
    assert_eq!(over_tls(port, Some(&pem)), Ok(0));

    let (port, _) = tls_server(2020);
    let fault = over_tls(port, None).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Network);
    assert!(fault.to_string().contains("ca_file"), "{fault}");

    let (port, pem) = tls_server(2500);
    let fault = over_tls(port, Some(&pem)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Clock);
    assert!(fault.to_string().contains("clock"), "{fault}");
}

#[test]
fn a_ca_file_without_certificates_is_told_at_start() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "hello", broken] {
        let fault = over_tls(1, Some(pem)).unwrap_err();
        assert!(fault.what.contains("ca_file"), "{fault}");
    }
}
