//! SIGTERM while the listener works: in time, with every thread ended.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::{Agent, LIMIT, STOP_MAX, wait_for};
use crate::place::Place;
use crate::region::{FOREVER, Fault};

fn chatty() -> Place {
    let place = Place::new();
    let site = place.site.configured(|config| config.text("log", "debug"));
    Place { site, ..place }
}

/// Stops the agent; no thread is left behind.
fn stops(mut agent: Agent) {
    let asked = std::time::Instant::now();
    agent.signal("TERM");
    assert_eq!(agent.ended(), Some(0));
    let took = asked.elapsed();
    assert!(took <= STOP_MAX, "the stop took {took:?}");
    agent.wait_for_log("stopped");
    let log = agent.log();
    let left: Vec<_> = log.iter().filter(|l| l.contains("not ended")).collect();
    assert_eq!(left, Vec::<&String>::new());
}

#[test]
fn a_listener_that_nobody_talks_to_ends() {
    let place = chatty();
    let eyes = place.site.eyes();
    stops(place.settled(&eyes));
}

#[test]
fn a_listener_under_load_ends() {
    let place = chatty();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    let message = place.site.region.sns().sign(&place.topic_arn, None, "x");
    let answered = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let posting = {
        let (done, answered, url) = (done.clone(), answered.clone(), place.url());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let good = message.post(&url, None).is_ok_and(|a| a.0 == 200);
                answered.fetch_add(usize::from(good), Ordering::Relaxed);
            }
        })
    };
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stranger = TcpStream::connect(("127.0.0.1", place.port)).unwrap();
        let _ = stranger.write_all(b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n{");
        slow.push(stranger);
    }
    wait_for("answers", || {
        (answered.load(Ordering::Relaxed) > 10).then_some(())
    });
    stops(agent);
    done.store(true, Ordering::Relaxed);
    posting.join().unwrap();
}

#[test]
fn a_certificate_that_does_not_come_keeps_nobody() {
    let place = chatty();
    let eyes = place.site.eyes();
    let agent = place.settled(&eyes);
    place
        .site
        .region
        .edit(|w| w.faults.add("SigningCertificate", FOREVER, Fault::Stall));
    let message = place.site.region.sns().sign(&place.topic_arn, None, "x");
    let url = place.url();
    let posting = std::thread::spawn(move || message.post(&url, None).map(|a| a.0).ok());
    wait_for("the fetch", || {
        let requests = place.site.region.requests();
        let fetches = requests
            .iter()
            .filter(|r| r.operation == "SigningCertificate");
        (fetches.count() > 0).then_some(())
    });
    stops(agent);
    let answered = posting.join().unwrap();
    assert!(answered.is_none_or(|status| status == 503), "{answered:?}");
    eyes.wait_until(LIMIT, |tree| {
        crate::harness::text(tree, "status") == "offline"
    });
}
