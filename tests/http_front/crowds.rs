//! Many hostile peers at once.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::alone::Alone;
use crate::certificates::Certificates;
use crate::rig::{Client, PATIENCE, connect, get, post, until};
use crate::tls::{client, client_config};

const SLOW: usize = 600;
const RESETS: usize = 2000;
/// Far fewer than there are places.
const FILES: usize = 30;
/// Of `Limits::default`, and the one that is being taken while another goes.
const PLACES: usize = 64 + 1;

/// Peers that begin something and never end it.
fn slow(port: u16, at: usize) -> TcpStream {
    let mut stream = connect(port);
    let begun: &[u8] = match at % 5 {
        0 => b"",
        1 => b"POST / HTTP/1.1\r\nHost: a\r\n",
        2 => b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nabc",
        3 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        _ => b"\r\n",
    };
    // It may have had to go already.
    let _ = stream.write_all(begun);
    stream
}

#[test]
fn a_genuine_request_is_answered_while_600_slow_peers_hold_on() {
    let certificates = Certificates::make();
    let config = client_config(&[&certificates], &rustls::version::TLS13);
    let folder = certificates.path("");
    for folder in [None, Some(folder.as_path())] {
        let alone = Alone::start(1024, folder);
        let genuine = |path: &str| match folder {
            None => Client::new(connect(alone.port)).ask(&get(path)),
            Some(_) => client(alone.port, &config).ask(&get(path)),
        };
        assert_eq!(genuine("/first"), "GET /first ");
        let (tasks, files) = (alone.count("task"), alone.count("fd"));
        let mut peers = Vec::new();
        // No deadline of this front ever comes: only making room lets the genuine one in.
        for at in 0..SLOW {
            peers.push(slow(alone.port, at));
            if at % 20 == 0 {
                assert_eq!(genuine("/meanwhile"), "GET /meanwhile ");
                assert_eq!(alone.count("task"), tasks);
                let more = alone.count("fd").saturating_sub(files);
                assert!(more <= PLACES, "{more} connections");
            }
        }
        assert_eq!(genuine("/last"), "GET /last ");
        assert_eq!(alone.count("task"), tasks);
        drop(peers);
        until("all places free", || alone.count("fd") <= files);
    }
}

#[test]
fn the_front_lives_through_2000_resets() {
    let certificates = Certificates::make();
    let config = client_config(&[&certificates], &rustls::version::TLS13);
    let folder = certificates.path("");
    for folder in [None, Some(folder.as_path())] {
        let alone = Alone::start(1024, folder);
        let files = alone.count("fd");
        for at in 0..RESETS {
            let mut stream = connect(alone.port);
            let requests = get("/").repeat(1 + at % 3);
            let is_whole = at % 2 == 0;
            // 7919 is a prime: every place to break off comes by.
            let end = if is_whole {
                requests.len()
            } else {
                at * 7919 % requests.len()
            };
            let _ = stream.write_all(&requests.as_bytes()[..end]);
            // Closing with unread bytes is a reset: here the answer, over TLS an alert.
            if is_whole {
                let _ = stream.peek(&mut [0]);
            }
        }
        let body = match folder {
            None => Client::new(connect(alone.port)).ask(&post("alive")),
            Some(_) => client(alone.port, &config).ask(&post("alive")),
        };
        assert_eq!(body, "POST / alive");
        until("all places free", || alone.count("fd") <= files);
    }
}

#[test]
fn a_request_is_answered_when_slow_peers_take_all_files() {
    let alone = Alone::start(FILES, None);
    let peers: Vec<TcpStream> = (0..200).map(|at| slow(alone.port, at)).collect();
    for _ in 0..20 {
        let body = Client::new(connect(alone.port)).ask(&post("genuine"));
        assert_eq!(body, "POST / genuine");
    }
    drop(peers);
}

#[test]
fn peers_wait_at_the_door_while_requests_at_work_take_all_files() {
    let mut alone = Alone::start(FILES, None);
    let mut holders = Vec::new();
    for _ in 0..2 * FILES {
        let mut holder = connect(alone.port);
        holder.write_all(get("/hold").as_bytes()).unwrap();
        holder.set_nonblocking(true).unwrap();
        holders.push(holder);
    }
    until("all files taken", || {
        (0..FILES).all(|one| alone.has_file(one))
    });
    // What is answered makes room for those at the door, who are held in their turn. Whoever
    // was taken in before its bytes came may have had to go for the next.
    let began = Instant::now();
    let mut answered = 0;
    while !holders.is_empty() {
        assert!(
            began.elapsed() < PATIENCE,
            "{} are not heard",
            holders.len()
        );
        alone.release();
        std::thread::sleep(Duration::from_millis(2));
        holders.retain(|holder| match holder.peek(&mut [0; 12]) {
            Ok(12) => {
                answered += 1;
                false
            }
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
    }
    assert!(answered > FILES, "nobody at the door was heard: {answered}");
    let body = Client::new(connect(alone.port)).ask(&post("after"));
    assert_eq!(body, "POST / after");
}
