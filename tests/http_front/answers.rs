//! What is answered to which bytes, and what becomes of the connection.

use std::net::Shutdown;

use mediapackage2mqtt::http::Limits;

use crate::rig::{PATIENCE, Rig, get, post, timeless};

/// Ends a head that is refused.
fn bad(lines: &[&str]) -> String {
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

fn limits() -> Limits {
    Limits {
        body_bytes_max: 100_000,
        ..timeless()
    }
}

#[test]
fn each_request_has_its_answer_and_its_end() {
    let rig = Rig::echo(limits(), None);
    let many = "X: y\r\n".repeat(32);
    let long = "y".repeat(9_000);
    let body = "b".repeat(100_000);
    let whole_body = format!("200 POST / {body}");
    // (bytes, `status body` of each answer, whether the connection stays)
    let good: Vec<(String, Vec<&str>, bool)> = vec![
        (get("/a?b=c"), vec!["200 GET /a?b=c "], true),
        (format!("\r\n{}", get("/")), vec!["200 GET / "], true),
        (get("/").replace('\r', ""), vec!["200 GET / "], true),
        (post("xyz"), vec!["200 POST / xyz"], true),
        (post(""), vec!["200 POST / "], true),
        (post(&body), vec![&whole_body], true),
        (post("a").repeat(3), vec!["200 POST / a"; 3], true),
        (
            format!("{}{}{}", get("/1"), post("22"), get("/3")),
            vec!["200 GET /1 ", "200 POST / 22", "200 GET /3 "],
            true,
        ),
        (
            format!("{}Connection: close\r\n\r\n{}", &get("/")[..25], get("/2")),
            vec!["200 GET / "],
            false,
        ),
        ("GET / HTTP/1.0\r\n\r\n".into(), vec!["200 GET / "], false),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n".repeat(2),
            vec!["200 GET / "; 2],
            true,
        ),
    ];
    for (bytes, answers, stays) in good {
        check(&rig, &bytes, &answers, stays);
    }
    let refused = [
        (bad(&["nonsense"]), "400"),
        (bad(&["GET / HTTP/1.1"]), "400"),
        (bad(&["GET / HTTP/1.1", "Host: a", "Host: b"]), "400"),
        (bad(&["GET / HTTP/1.1", "Host: a", "X: a", " b"]), "400"),
        (bad(&["GET / HTTP/1.1", "Host: a", "X : a"]), "400"),
        (
            post("ab").replace("Content-Length: 2", "Content-Length: 2, 2"),
            "400",
        ),
        (
            post("ab").replace("Host: a", "Host: a\r\nContent-Length: 2"),
            "400",
        ),
        (
            bad(&["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"]) + "0\r\n\r\n",
            "411",
        ),
        (
            post("0\r\n\r\n").replace("Host: a", "Host: a\r\nTransfer-Encoding: chunked"),
            "411",
        ),
        (post(&"b".repeat(100_001)), "413"),
        (post(&"b".repeat(900_000)), "413"),
        (bad(&["GET / HTTP/1.1", "Host: a", "Expect: tea"]), "417"),
        (bad(&["GET / HTTP/1.1", "Host: a", &many]), "431"),
        (
            bad(&["GET / HTTP/1.1", "Host: a", &format!("X: {long}")]),
            "431",
        ),
        (bad(&[&format!("GET /{long} HTTP/1.1")]), "431"),
        (bad(&["GET / HTTP/2.0", "Host: a"]), "505"),
    ];
    let mut wanted = Vec::new();
    for (bytes, status) in refused {
        // Nothing that follows is taken for a request.
        check(&rig, &(bytes + &get("/smuggled")), &[status], false);
        wanted.push(status.parse::<u16>().unwrap());
    }
    assert_eq!(rig.refused(), wanted);
}

fn check(rig: &Rig, bytes: &str, answers: &[&str], stays: bool) {
    let mut client = rig.client();
    client.send(bytes);
    for (at, wanted) in answers.iter().enumerate() {
        let reply = client.answer();
        let got = format!("{} {}", reply.status, reply.body);
        assert!(got.starts_with(wanted), "{bytes:.90?}: {got:.90}");
        assert!(
            reply.status != 200 || got == *wanted,
            "{bytes:.90?}: {got:.90}"
        );
        let word = if stays || at + 1 < answers.len() {
            "keep-alive"
        } else {
            "close"
        };
        let line = format!("\r\nConnection: {word}\r\n");
        assert!(reply.head.contains(&line), "{bytes:.90?}: {}", reply.head);
    }
    if stays {
        assert_eq!(client.ask(&get("/again")), "GET /again ", "{bytes:.90?}");
    } else {
        client.awaits_end();
    }
}

#[test]
fn bytes_may_come_one_by_one_and_answers_stay_in_order() {
    let rig = Rig::echo(limits(), None);
    let mut client = rig.client();
    client.stream.set_nodelay(true).unwrap();
    let bytes = format!("{}{}{}", post("first"), get("/second"), post("third"));
    for byte in bytes.as_bytes() {
        client.send([*byte]);
    }
    for wanted in ["POST / first", "GET /second ", "POST / third"] {
        assert_eq!(client.answer().body, wanted);
    }
    let pieces = bad(&["GET / HTTP/1.1", "Host a"]);
    for byte in pieces.as_bytes().iter().take(pieces.len() - 2) {
        client.send([*byte]);
    }
    assert_eq!(client.answer().status, 400);
    client.awaits_end();
}

#[test]
fn a_peer_that_asks_is_told_to_go_on_only_when_its_body_is_wanted() {
    let rig = Rig::echo(limits(), None);
    let head = |length: usize, line: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{line}\r\n\r\n")
    };
    let mut client = rig.client();
    client.send(head(2, "Expect: 100-Continue"));
    assert_eq!(client.answer().head, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.ask("ab"), "POST / ab");
    // What is there already is not waited for, nor what is empty.
    for (length, body) in [(2, "cd"), (0, "")] {
        let request = head(length, "Expect: 100-continue") + body;
        assert_eq!(client.ask(&request), format!("POST / {body}"));
    }
    client.send(head(100_001, "Expect: 100-continue"));
    assert_eq!(client.answer().status, 413);
    client.awaits_end();
    // HTTP/1.0 does not know it.
    let mut old = rig.client();
    old.send("POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(old.ask("ef"), "POST / ef");
}

#[test]
fn head_is_answered_with_the_length_of_a_body_that_does_not_come() {
    let rig = Rig::echo(limits(), None);
    let mut client = rig.client();
    client.send(format!("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n{}", get("/b")));
    let head = client.head();
    assert!(head.head.contains("\r\nContent-Length: 8\r\n"), "{head:?}");
    assert_eq!(client.answer().body, "GET /b ");
    client.send("HEAD / HTTP/1.1\r\n\r\n");
    assert_eq!(client.head().status, 400);
    client.awaits_end();
}

#[test]
fn a_peer_that_has_said_all_still_gets_its_answer() {
    let rig = Rig::echo(limits(), None);
    let mut client = rig.client();
    client.send(get("/1") + &get("/2"));
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().body, "GET /1 ");
    assert_eq!(client.answer().body, "GET /2 ");
    client.awaits_end();
    // Half a request has none.
    for half in ["GET / HT", &post("abc")[..post("abc").len() - 1]] {
        let mut client = rig.client();
        client.send(half);
        client.stream.shutdown(Shutdown::Write).unwrap();
        client.awaits_end();
    }
    assert_eq!(rig.refused(), Vec::<u16>::new());
}

#[test]
fn an_answer_larger_than_any_buffer_arrives_whole() {
    let rig = Rig::echo(limits(), None);
    let mut client = rig.client();
    client.send(get("/large/9000000") + &get("/next"));
    assert_eq!(client.answer().body.len(), 9_000_000);
    assert_eq!(client.answer().body, "GET /next ");
}

#[test]
fn a_request_tells_who_sent_it_and_what_its_headers_say() {
    let (rig, requests) = Rig::by_hand(limits(), None, 1);
    let mut client = rig.client();
    client.send("GET /p HTTP/1.1\r\nHost: a\r\nX-Amz-Sns-Topic-Arn: T\r\nX: 1\r\nx: 2\r\n\r\n");
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert!(request.peer.is_loopback());
    assert_eq!(request.header("x-amz-sns-topic-arn"), Some("T"));
    assert_eq!(request.header("x"), Some("1"));
    assert_eq!(request.header("y"), None);
}

#[test]
fn stopping_lets_out_what_was_answered_and_closes_the_rest() {
    let (rig, requests) = Rig::by_hand(limits(), None, 2);
    let (mut first, mut second) = (rig.client(), rig.client());
    let mut idle = rig.client();
    first.send(get("/"));
    let request = requests.recv_timeout(PATIENCE).unwrap();
    second.send(get("/"));
    let _unanswered = requests.recv_timeout(PATIENCE).unwrap();
    rig.answers.send(request.id, crate::rig::echo(&request));
    rig.answers.stop();
    assert_eq!(first.answer().body, "GET / ");
    first.awaits_end();
    second.awaits_end();
    idle.awaits_end();
    let port = rig.port;
    drop(rig);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn an_answer_for_a_peer_that_has_gone_reaches_nobody_else() {
    let one = Limits {
        connections_max: 1,
        ..limits()
    };
    let (rig, requests) = Rig::by_hand(one, None, 8);
    let mut gone = rig.client();
    gone.send(get("/large/5000000"));
    let first = requests.recv_timeout(PATIENCE).unwrap();
    // Unread bytes make closing a reset, which the front sees at once.
    rig.answers.send(first.id, crate::rig::echo(&first));
    gone.head();
    drop(gone);
    let mut next = rig.client();
    next.send(get("/next"));
    let second = requests.recv_timeout(PATIENCE).unwrap();
    rig.answers.send(first.id, crate::rig::echo(&first));
    rig.answers.send(second.id, crate::rig::echo(&second));
    rig.answers.send(second.id, crate::rig::echo(&first));
    assert_eq!(next.answer().body, "GET /next ");
    next.stream.shutdown(Shutdown::Write).unwrap();
    next.awaits_end();
}
