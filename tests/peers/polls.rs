//! Long polls of the region. What is over before its time is told by another poll that still
//! waits, not by a clock.

use std::thread::{JoinHandle, spawn, yield_now};
use std::time::{Duration, Instant};

use serde_json::json;

use super::caller::{Caller, Reply};
use super::queues::Site;
use super::region::{Clock, Fault, Region};
use super::support::gate::Gate;

/// What a poll may wait in all of these tests.
const WAIT_SECONDS: u64 = 20;
/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The reply, or that there was none.
type Polled = JoinHandle<Option<Reply>>;

fn poll(caller: &Caller, queue: &str, seconds: u64) -> Polled {
    let body = json!({"QueueUrl": queue, "WaitTimeSeconds": seconds}).to_string();
    let caller = caller.clone();
    spawn(move || caller.try_sqs("ReceiveMessage", &body).ok())
}

/// Waits until so many polls wait at a queue.
fn until_waiting(region: &Region, queue: &str, count: usize) {
    let begun = Instant::now();
    while region.sqs().waiting(queue) != count {
        assert!(begun.elapsed() < LIMIT, "{count} never wait at {queue}");
        yield_now();
    }
}

/// A poll of another region, where nothing happens. It began before all others.
struct Witness(Site);

impl Witness {
    fn begin() -> Witness {
        let site = Site::new("edge");
        // Ends with its region.
        drop(poll(&site.caller, &site.queue, WAIT_SECONDS));
        until_waiting(&site.region, &site.queue, 1);
        Witness(site)
    }

    /// Nothing has taken as long as a poll may wait.
    fn still_waits(&self) {
        let waiting = self.0.region.sqs().waiting(&self.0.queue);
        assert_eq!(waiting, 1, "it took the whole time");
    }
}

fn waiting_poll(site: &Site) -> Polled {
    let polled = poll(&site.caller, &site.queue, WAIT_SECONDS);
    until_waiting(&site.region, &site.queue, 1);
    polled
}

#[test]
fn a_poll_gets_what_comes_while_it_waits_and_says_when() {
    let site = Site::new("edge");
    let witness = Witness::begin();
    let polled = waiting_poll(&site);
    // The answer is of another day than the request.
    let at_ms = 1_795_341_600_000;
    site.region.edit(|w| w.clock = Clock::Fixed(at_ms));
    let id = site.send("hello");
    let reply = polled.join().unwrap().unwrap();
    witness.still_waits();
    assert_eq!(reply.messages()[0]["MessageId"], id);
    assert_eq!(reply.header("date"), "Sun, 22 Nov 2026 10:00:00 GMT");
    let seen = site.region.requests();
    let seen = seen.last().unwrap();
    assert_eq!((seen.wait_seconds, &seen.messages), (Some(20), &vec![id]));
    assert_ne!(seen.at_ms, at_ms, "it came before");
    assert_eq!(site.region.sqs().waiting(&site.queue), 0);
}

#[test]
fn a_poll_of_an_empty_queue_ends_with_its_time_and_no_list() {
    let site = Site::new("edge");
    site.region.edit(|w| w.sqs.queue("edge").wait_seconds = 1);
    let begun = Instant::now();
    let own = site.call("ReceiveMessage", &json!({}));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!((own.status, own.body.as_str()), (200, "{}"));
    let witness = Witness::begin();
    let asked = site.call("ReceiveMessage", &json!({"WaitTimeSeconds": 0}));
    witness.still_waits();
    assert_eq!(asked.body, "{}");
}

#[test]
fn polls_that_wait_hold_up_nobody() {
    let site = Site::new("edge");
    let polls: Vec<Polled> = (0..12)
        .map(|_| poll(&site.caller, &site.queue, WAIT_SECONDS))
        .collect();
    until_waiting(&site.region, &site.queue, 12);
    let url = site.call("GetQueueUrl", &json!({"QueueName": "edge"}));
    assert_eq!(url.status, 200);
    until_waiting(&site.region, &site.queue, 12);
    for n in 0..12 {
        site.send(&format!("{n}"));
    }
    let mut bodies: Vec<u32> = polls
        .into_iter()
        .map(|polled| {
            let messages = polled.join().unwrap().unwrap().messages();
            assert_eq!(messages.len(), 1);
            messages[0]["Body"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    bodies.sort_unstable();
    assert_eq!(bodies, Vec::from_iter(0..12));
}

/// What ends the time in flight of the one message.
type Ends = fn(&Site, &str);

const ENDS: [(&str, Ends); 3] = [
    ("its owner", |site, _| {
        site.region.edit(|w| w.sqs.expire(&site.queue));
    }),
    ("whoever has it", |site, handle| {
        let visible = json!({"ReceiptHandle": handle, "VisibilityTimeout": 0});
        assert_eq!(site.call("ChangeMessageVisibility", &visible).status, 200);
    }),
    ("time", |site, handle| {
        let soon = json!({"ReceiptHandle": handle, "VisibilityTimeout": 1});
        assert_eq!(site.call("ChangeMessageVisibility", &soon).status, 200);
    }),
];

#[test]
fn a_poll_gets_what_becomes_visible_while_it_waits() {
    for (who, end) in ENDS {
        let site = Site::new("edge");
        site.send("hello");
        let first = site.call("ReceiveMessage", &json!({})).messages().remove(0);
        let witness = Witness::begin();
        let polled = waiting_poll(&site);
        end(&site, first["ReceiptHandle"].as_str().unwrap());
        let again = polled.join().unwrap().unwrap().messages().remove(0);
        witness.still_waits();
        assert_eq!(again["MessageId"], first["MessageId"], "{who}");
        assert_ne!(again["ReceiptHandle"], first["ReceiptHandle"], "{who}");
    }
}

#[test]
fn a_dead_letter_reaches_who_waits_for_it() {
    let site = Site::new("edge");
    let dead = site.region.sqs().dead_letters(&site.queue, 1);
    let id = site.send("poison");
    let short = json!({"VisibilityTimeout": 1});
    assert_eq!(site.call("ReceiveMessage", &short).messages().len(), 1);
    let witness = Witness::begin();
    let letters = poll(&site.caller, &dead, WAIT_SECONDS);
    // Its own queue has somebody who waits, and so sees that its time is over.
    let own = poll(&site.caller, &site.queue, WAIT_SECONDS);
    let letter = letters.join().unwrap().unwrap().messages().remove(0);
    witness.still_waits();
    assert_eq!(letter["MessageId"], id);
    site.send("good");
    assert_eq!(own.join().unwrap().unwrap().messages()[0]["Body"], "good");
}

#[test]
fn a_fault_befalls_a_poll_that_waits_at_once() {
    let throttle = Fault::Throttle {
        retry_after_ms: None,
    };
    for (fault, status) in [(throttle, Some(403)), (Fault::Drop, None)] {
        let site = Site::new("edge");
        let witness = Witness::begin();
        let polled = waiting_poll(&site);
        site.region
            .edit(|w| w.faults.add("ReceiveMessage", 1, fault));
        let reply = polled.join().unwrap();
        witness.still_waits();
        assert_eq!(reply.map(|r| r.status), status);
        site.send("hello");
        assert_eq!(site.held()[0].receives, 0);
    }
}

#[test]
fn a_message_that_is_lost_on_its_way_is_in_flight() {
    let site = Site::new("edge");
    let polled = waiting_poll(&site);
    site.region.edit(|w| {
        w.send_message(&site.queue, "hello");
        w.faults.add("ReceiveMessage", 1, Fault::Drop);
    });
    assert!(polled.join().unwrap().is_none());
    let held = site.held().remove(0);
    assert_eq!((held.receives, held.visible), (1, false));
}

#[test]
fn a_queue_that_is_removed_ends_its_polls() {
    let site = Site::new("edge");
    let witness = Witness::begin();
    let polled = waiting_poll(&site);
    site.region.edit(|w| w.sqs.remove(&site.queue));
    let reply = polled.join().unwrap().unwrap();
    witness.still_waits();
    assert_eq!(reply.code(), "QueueDoesNotExist");
}

#[test]
fn a_client_that_has_left_gets_nothing() {
    let site = Site::new("edge");
    let witness = Witness::begin();
    let port = site.region.url().rsplit(':').next().unwrap().parse();
    let gate = Gate::start(port.unwrap());
    let mut caller = site.caller.clone();
    caller.url = format!("http://127.0.0.1:{}", gate.port());
    let polled = poll(&caller, &site.queue, WAIT_SECONDS);
    until_waiting(&site.region, &site.queue, 1);
    drop(gate);
    assert!(polled.join().unwrap().is_none());
    until_waiting(&site.region, &site.queue, 0);
    witness.still_waits();
    site.send("hello");
    assert_eq!(site.held()[0].receives, 0);
}

#[test]
fn a_region_stops_while_polls_wait() {
    let site = Site::new("edge");
    let witness = Witness::begin();
    let polls: Vec<Polled> = (0..6)
        .map(|_| poll(&site.caller, &site.queue, WAIT_SECONDS))
        .collect();
    until_waiting(&site.region, &site.queue, 6);
    drop(site);
    for polled in polls {
        assert!(polled.join().unwrap().is_none(), "there was an answer");
    }
    witness.still_waits();
}
