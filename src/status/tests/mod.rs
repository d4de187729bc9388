use super::*;

fn reception() -> Reception {
    Reception::new(vec![String::from("box.local")], String::from("r"))
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let found = answer.headers.iter().find(|(known, _)| *known == name);
    found.map_or("", |(_, value)| value)
}

fn get(path: &str, headers: &[(&str, &str)]) -> Reply {
    let headers = [&[("Host", "localhost")], headers].concat();
    reception().receive(&Request::new("GET", path, &headers, Vec::new()))
}

fn asked(reply: Reply) -> Sight {
    match reply {
        Reply::Ask(sight) => sight,
        Reply::Now(answer) => panic!("answered with {}", answer.status),
    }
}

fn answered(reply: Reply) -> Answer {
    match reply {
        Reply::Now(answer) => answer,
        Reply::Ask(sight) => panic!("asks {sight:?}"),
    }
}

#[test]
fn what_cannot_be_asked_is_refused_with_the_reason() {
    // (method, target, Host, status)
    let cases = [
        ("GET", "/", "evil.example", 421),
        ("POST", "/nowhere", "evil.example", 421),
        ("GET", "http://evil.example/", "localhost", 421),
        ("GET", "/nowhere", "localhost", 404),
        ("POST", "/nowhere", "localhost", 404),
        ("GET", "/api/state/", "localhost", 404),
        ("GET", "//", "localhost", 404),
        ("GET", "/page.js", "localhost", 404),
        ("OPTIONS", "*", "localhost", 404),
        ("POST", "/", "localhost", 405),
        ("PUT", "/api/state", "localhost", 405),
        ("OPTIONS", "/healthz", "box.local", 405),
        ("get", "/", "localhost", 405),
        ("GET", "/api/history", "localhost", 400),
        ("GET", "/api/history?id=a", "localhost", 400),
        ("GET", "/", "box.local", 200),
        ("HEAD", "/?a", "[::1]:2080", 200),
        ("GET", "http://BOX.local:1", "127.0.0.1", 200),
    ];
    for (method, target, host, status) in cases {
        let headers = [("Host", host)];
        let request = Request::new(method, target, &headers, Vec::new());
        let answer = answered(reception().receive(&request));
        assert_eq!(answer.status, status, "{method} {target} {host}");
        let allowed = if status == 405 { "GET, HEAD" } else { "" };
        assert_eq!(header(&answer, "Allow"), allowed, "{method} {target}");
    }
}

#[test]
fn every_answer_keeps_a_browser_from_doing_more_than_showing_it() {
    let text = || Arc::new(b"{}".to_vec());
    let shown = [
        Shown::Topics(1, Some(text())),
        Shown::Topics(1, None),
        Shown::History(Some(String::from("{}"))),
        Shown::History(None),
        Shown::Metrics(Format::Text, text()),
        Shown::Health(true, String::from("{}")),
        Shown::Health(false, String::from("{}")),
    ];
    let shown = shown.map(|shown| reception().show(shown, UnixMs(0)));
    let refused = [("GET", "/nowhere"), ("POST", "/")].map(|(method, path)| {
        let request = Request::new(method, path, &[("Host", "localhost")], Vec::new());
        answered(reception().receive(&request))
    });
    let document = answered(get("/", &[]));
    for answer in shown.iter().chain(&refused).chain([&document]) {
        let policy = header(answer, "Content-Security-Policy");
        assert!(policy.starts_with("default-src 'none';"), "{answer:?}");
        assert_eq!(header(answer, "X-Content-Type-Options"), "nosniff");
        assert_eq!(header(answer, "Referrer-Policy"), "no-referrer");
        assert_eq!(header(answer, "X-Frame-Options"), "DENY");
        let policy = header(answer, "Cross-Origin-Resource-Policy");
        assert_eq!(policy, "same-origin");
        let caching = match header(answer, "ETag") {
            "" => "no-store",
            _ => "no-cache",
        };
        assert_eq!(header(answer, "Cache-Control"), caching, "{answer:?}");
    }
    for answer in &shown {
        assert_eq!(header(answer, "Date"), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}

#[test]
fn what_the_asker_knows_is_told_to_the_engine() {
    let topics = |since, known: &[Change]| Sight::Topics {
        since,
        known: known.to_vec(),
    };
    let cases: [(&str, &str, Sight); 10] = [
        ("/api/state", "", topics(None, &[])),
        ("/api/state?since=r-7", "", topics(Some(7), &[])),
        ("/api/state?a=b&since=r-7", "\"r-7\"", topics(Some(7), &[7])),
        ("/api/state", "W/\"r-1\" , \"r-2\",x", topics(None, &[1, 2])),
        ("/api/state?since=q-7", "\"q-7\"", topics(None, &[])),
        ("/api/state?since=r-%37", "r-7", topics(Some(7), &[])),
        ("/api/state?since=r-+7", "*", topics(None, &[])),
        ("/api/state?since=r-99999999999", "", topics(None, &[])),
        ("/api/state?since=r-", "", topics(None, &[])),
        ("/api/state?since", "", topics(None, &[])),
    ];
    for (path, tags, wanted) in cases {
        let sight = asked(get(path, &[("If-None-Match", tags)]));
        assert_eq!(sight, wanted, "{path} {tags}");
    }
    let history = |id: &str| Sight::History(id.to_owned());
    assert_eq!(asked(get("/api/history?channel=", &[])), history(""));
    let odd = asked(get("/api/history?channel=a%26b%2f%c3%a4+", &[]));
    assert_eq!(odd, history("a&b/ä+"));
    assert_eq!(asked(get("/healthz?x", &[])), Sight::Health);
    let cases = [
        ("", Format::Text),
        ("text/plain, */*", Format::Text),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3",
            Format::OpenMetrics,
        ),
        ("Application/OpenMetrics-Text", Format::OpenMetrics),
    ];
    for (accept, wanted) in cases {
        let sight = asked(get("/metrics", &[("Accept", accept)]));
        assert_eq!(sight, Sight::Metrics(wanted), "{accept}");
    }
}

#[test]
fn a_document_that_is_known_is_not_sent_again() {
    let first = answered(get("/", &[]));
    assert!(first.body.starts_with(b"<!doctype html>"));
    let etag = header(&first, "ETag").to_owned();
    for (tags, status) in [
        (etag.clone(), 304),
        (format!("\"x\", W/{etag}"), 304),
        (String::from("\"x\""), 200),
        (etag.trim_matches('"').to_owned(), 200),
    ] {
        let answer = answered(get("/", &[("If-None-Match", &tags)]));
        assert_eq!(answer.status, status, "{tags}");
        assert_eq!(answer.body.is_empty(), status == 304, "{tags}");
        assert_eq!(header(&answer, "ETag"), etag);
    }
    let tag = header(&reception().show(Shown::Topics(5, None), UnixMs(0)), "ETag").to_owned();
    assert_eq!(tag, "\"r-5\"");
}

/// A panic here would end the agent: whatever is asked is answered, and nobody foreign is shown
/// anything.
#[test]
fn whatever_is_asked_is_answered_and_only_names_of_ours_see_anything() {
    const ROUNDS: usize = 50_000;
    const PIECES: [&str; 34] = [
        "http://",
        "HTTP://",
        "https://",
        "/",
        "//",
        "?",
        "#",
        "%",
        "%00",
        "%ff",
        "%2f",
        "&",
        "=",
        "@",
        ":",
        "[",
        "]",
        ".",
        "localhost",
        "127.0.0.1",
        "::1",
        "box.local",
        "evil.example",
        "2080",
        "api/state",
        "api/history",
        "metrics",
        "healthz",
        "since=r-1",
        "channel=",
        "\u{e9}",
        "\u{fffd}",
        "W/\"r-1\"",
        ",",
    ];
    let mut random = fastrand::Rng::with_seed(10);
    let mut text = |most: usize| -> String {
        let pieces = (0..random.usize(..=most)).map(|_| PIECES[random.usize(..PIECES.len())]);
        pieces.collect()
    };
    let desk = reception();
    let (mut refused, mut asked) = (0, 0);
    for round in 0..ROUNDS {
        let host = if round % 2 == 0 {
            text(4)
        } else {
            String::from("localhost")
        };
        let (target, tags) = (text(6), text(4));
        let headers = [
            ("Host", &*host),
            ("If-None-Match", &*tags),
            ("Accept", &*tags),
        ];
        let request = Request::new("GET", &target, &headers, Vec::new());
        let is_foreign = |text: &str| text.contains("evil.example");
        match desk.receive(&request) {
            Reply::Ask(_) => {
                assert!(!is_foreign(&host), "{host}");
                let (server, _) = target.split_once('?').unwrap_or((&target, ""));
                assert!(!is_foreign(server), "{target}");
                asked += 1;
            }
            Reply::Now(answer) => {
                let known = [200, 304, 400, 404, 421].contains(&answer.status);
                assert!(known, "{} {target} {host}", answer.status);
                refused += usize::from(answer.status == 421);
            }
        }
    }
    assert!(refused > ROUNDS / 4 && asked > 10, "{refused} {asked}");
}
