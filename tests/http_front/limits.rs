//! Time, places and memory: who has to go, and who stays.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mediapackage2mqtt::http::{Limits, Request};

use crate::rig::{Client, PATIENCE, Rig, connect, echo, get, post, timeless, until};

const SOON: Duration = Duration::from_millis(200);

/// A peer that is known to have been heard: it was told to go on.
fn half(rig: &Rig, length: usize) -> Client<TcpStream> {
    let mut client = rig.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(client.head().status, 100);
    client
}

#[test]
fn a_request_that_takes_too_long_is_closed_without_a_word() {
    let limits = Limits {
        request_time_max: SOON,
        ..timeless()
    };
    let rig = Rig::echo(limits, None);
    let whole = post("abc");
    for length in [1, 2, 20, whole.len() - 5, whole.len() - 1] {
        let mut client = rig.client();
        client.send(&whole[..length]);
        client.awaits_end();
    }
    // The second request of a connection too, and one that never stops coming.
    let mut client = rig.client();
    assert_eq!(client.ask(&get("/")), "GET / ");
    client.send("G");
    client.awaits_end();
    let client = rig.client();
    until("the end of endless bytes", || {
        (&client.stream).write_all(b"\n").is_err()
    });
    assert_eq!(rig.refused(), Vec::<u16>::new());
}

#[test]
fn a_connection_that_asks_nothing_is_closed() {
    let limits = Limits {
        idle_time_max: SOON,
        ..timeless()
    };
    let rig = Rig::echo(limits, None);
    rig.client().awaits_end();
    let mut client = rig.client();
    assert_eq!(client.ask(&get("/")), "GET / ");
    client.awaits_end();
}

#[test]
fn a_request_that_nobody_answers_is_answered_by_the_front() {
    let limits = Limits {
        answer_time_max: SOON,
        ..timeless()
    };
    let (rig, requests) = Rig::by_hand(limits, None, 2);
    let mut client = rig.client();
    client.send(post("a"));
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(client.answer().status, 503);
    rig.answers.send(request.id, echo(&request));
    client.awaits_end();
    // A request that was dropped is the same.
    let mut client = rig.client();
    client.send(get("/"));
    drop(requests.recv_timeout(PATIENCE).unwrap());
    assert_eq!(client.answer().status, 503);
    assert_eq!(rig.refused(), [503, 503]);
}

#[test]
fn a_peer_that_does_not_read_its_answer_is_closed() {
    let limits = Limits {
        send_time_max: SOON,
        ..timeless()
    };
    let rig = Rig::echo(limits, None);
    let mut client = rig.client();
    client.send(get("/large/50000000"));
    // What it sends meanwhile is not read; so the closing resets, and it can see that.
    until("a reset", || (&client.stream).write_all(b"G").is_err());
    assert_eq!(rig.client().ask(&get("/")), "GET / ");
}

#[test]
fn the_idle_go_first_then_the_oldest_unfinished_and_those_worked_on_never() {
    let limits = Limits {
        connections_max: 4,
        ..timeless()
    };
    let (rig, requests) = Rig::by_hand(limits, None, 8);
    let mut worked = rig.client();
    worked.send(get("/worked"));
    let first = requests.recv_timeout(PATIENCE).unwrap();
    let mut older = half(&rig, 3);
    let mut younger = half(&rig, 3);
    let mut idle = rig.client();
    idle.send(get("/idle"));
    let request = requests.recv_timeout(PATIENCE).unwrap();
    rig.answers.send(request.id, echo(&request));
    assert_eq!(idle.answer().body, "GET /idle ");

    let mut others = Vec::new();
    for goes in [&mut idle, &mut older, &mut younger] {
        let mut other = rig.client();
        other.send(get("/other"));
        goes.awaits_end();
        others.push((other, requests.recv_timeout(PATIENCE).unwrap()));
    }
    // All places are worked on: whoever comes now goes.
    rig.client().awaits_end();
    for (mut client, request) in others {
        rig.answers.send(request.id, echo(&request));
        assert_eq!(client.answer().body, "GET /other ");
    }
    rig.answers.send(first.id, echo(&first));
    assert_eq!(worked.answer().body, "GET /worked ");
    assert_eq!(rig.refused(), Vec::<u16>::new());
}

/// Two places, and these peers wait at the door before the front begins.
fn at_the_door(sent: [&str; 3]) -> (Rig, Receiver<Request>, [Client<TcpStream>; 3]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let clients = sent.map(|bytes| {
        let mut client = Client::new(connect(port));
        client.send(bytes);
        client
    });
    let limits = Limits {
        connections_max: 2,
        ..timeless()
    };
    let (rig, requests) = Rig::over(listener, limits, None, 8);
    (rig, requests, clients)
}

#[test]
fn whoever_has_just_come_is_heard_before_anybody_takes_its_place() {
    let (rig, requests, mut clients) = at_the_door([&get("/1"), &get("/2"), &get("/3")]);
    clients[2].awaits_end();
    for (client, path) in clients.iter_mut().zip(["/1", "/2"]) {
        let request = requests.recv_timeout(PATIENCE).unwrap();
        assert_eq!(request.path, path);
        rig.answers.send(request.id, echo(&request));
        assert_eq!(client.answer().status, 200);
    }
    // Those who turn out to have nothing yet make room then.
    let (rig, requests, mut clients) = at_the_door(["GET", "", &get("/3")]);
    let request = requests.recv_timeout(PATIENCE).unwrap();
    rig.answers.send(request.id, echo(&request));
    assert_eq!(clients[2].answer().body, "GET /3 ");
    clients[0].awaits_end();
}

#[test]
fn a_request_that_the_workers_have_no_room_for_is_answered_at_once() {
    let (rig, requests) = Rig::by_hand(timeless(), None, 1);
    let mut taken = rig.client();
    taken.send(get("/taken"));
    // It came after the first one had sent all.
    let mut refused = rig.client();
    refused.send(get("/"));
    assert_eq!(refused.answer().status, 503);
    refused.awaits_end();
    let request = requests.recv_timeout(PATIENCE).unwrap();
    rig.answers.send(request.id, echo(&request));
    assert_eq!(taken.answer().body, "GET /taken ");
    drop(requests);
    let mut client = rig.client();
    client.send(get("/"));
    assert_eq!(client.answer().status, 503);
    assert_eq!(rig.refused(), [503, 503]);
}

fn tight() -> Limits {
    Limits {
        body_bytes_max: 60 << 10,
        bodies_bytes_max: 64 << 10,
        ..timeless()
    }
}

#[test]
fn when_bodies_take_all_memory_the_largest_unfinished_one_goes() {
    let rig = Rig::echo(tight(), None);
    let mut large = half(&rig, 60 << 10);
    large.send(vec![b'l'; 40 << 10]);
    let mut small = half(&rig, 20 << 10);
    small.send(vec![b's'; 10 << 10]);
    let reply = large.answer();
    assert_eq!((reply.status, rig.refused()), (503, vec![503]));
    large.awaits_end();
    small.send(vec![b's'; 10 << 10]);
    let wanted = format!("POST / {}", "s".repeat(20 << 10));
    assert_eq!(small.answer().body, wanted);
}

#[test]
fn small_requests_get_through_while_large_bodies_drip() {
    let rig = Rig::echo(tight(), None);
    let mut drips = Vec::new();
    for _ in 0..40 {
        let mut drip = half(&rig, 60 << 10);
        drip.send(vec![b'd'; 6 << 10]);
        drips.push(drip);
        let body = "s".repeat(1 << 10);
        let mut client = rig.client();
        assert_eq!(client.ask(&post(&body)), format!("POST / {body}"));
    }
    let refused = rig.refused();
    assert!(refused.len() > 20, "there was room for all: {refused:?}");
}

#[test]
fn a_body_counts_until_its_request_is_dropped() {
    let (rig, requests) = Rig::by_hand(tight(), None, 8);
    let mut first = rig.client();
    first.send(post(&"a".repeat(60 << 10)));
    let held = requests.recv_timeout(PATIENCE).unwrap();
    rig.answers.send(held.id, echo(&held));
    assert_eq!(first.answer().status, 200);
    let mut second = rig.client();
    second.send(post(&"b".repeat(8 << 10)));
    assert_eq!(second.answer().status, 503);
    drop(held);
    let mut third = rig.client();
    third.send(post(&"c".repeat(60 << 10)));
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(request.body, vec![b'c'; 60 << 10]);
}
