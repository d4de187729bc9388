//! A crowd at the port: the genuine message is served among them, and nothing grows.

use std::io::Write;
use std::net::TcpStream;

use crate::harness::LIMIT;
use crate::place::Place;

const SLOW: usize = 600;
const RESETS: usize = 2000;

/// Beginnings of requests that never end.
const BEGINNINGS: [&str; 3] = [
    "",
    "POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n{\"Type\":",
];

fn threads_of(agent: &crate::harness::Agent) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", agent.id())).unwrap();
    tasks.count()
}

#[test]
fn a_genuine_message_is_served_among_slow_and_vanishing_strangers() {
    let place = Place::new();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    let sns = place.site.region.sns();
    let genuine = |text: &str| {
        let message = sns.sign(&place.topic_arn, None, text);
        assert_eq!(message.post(&place.url(), None).unwrap().0, 200, "{text}");
    };
    genuine("before");
    let (threads, kib) = (threads_of(&agent), agent.resident_kib());
    let mut crowd = Vec::new();
    for n in 0..SLOW {
        let mut stranger = TcpStream::connect(("127.0.0.1", place.port)).unwrap();
        // It may be turned away at once.
        let _ = stranger.write_all(BEGINNINGS[n % BEGINNINGS.len()].as_bytes());
        crowd.push(stranger);
    }
    genuine("among the slow");
    for _ in 0..RESETS {
        if let Ok(mut stranger) = TcpStream::connect(("127.0.0.1", place.port)) {
            // Closed with an answer unread: a reset.
            let _ = stranger.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        }
    }
    genuine("after the resets");
    assert_eq!(threads_of(&agent), threads);
    // A body of 2.5 MiB for each place, of which 8 MiB may be taken together, and some change.
    let grown = agent.resident_kib().saturating_sub(kib);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    drop(crowd);
    eyes.wait_until(LIMIT, |tree| {
        let listed = crate::harness::json(tree, "sns/messages");
        listed["messages"][0]["message"] == "after the resets"
    });
    agent.stop();
}
