//! Who may ask, how, and what nobody can do by asking.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use crate::client::{ask, get, try_to_ask};
use crate::harness::{json, wait_for, wait_for_or, world};
use crate::place::Place;
use crate::support::ports::connect;

/// Half a request.
const HALF: &[u8] = b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nX: ";

#[test]
fn only_names_of_ours_and_only_reading_are_answered() {
    let place = Place::new(world());
    let agent = place.settled();
    // (method, target, headers, status)
    let cases: [(&str, &str, &[(&str, &str)], u16); 18] = [
        ("GET", "/", &[("Host", "localhost")], 200),
        ("GET", "/", &[("Host", "LOCALHOST:2080")], 200),
        ("GET", "/", &[("Host", "127.0.0.1:1")], 200),
        ("GET", "/", &[("Host", "[::1]:2080")], 200),
        ("GET", "/metrics", &[("Host", "box.local")], 200),
        ("GET", "http://box.local/", &[("Host", "localhost")], 200),
        ("GET", "/", &[("Host", "evil.example")], 421),
        (
            "GET",
            "/api/state",
            &[("Host", "localhost.evil.example")],
            421,
        ),
        ("GET", "/healthz", &[("Host", "127.0.0.1.nip.io")], 421),
        ("GET", "/", &[("Host", "box.local.")], 421),
        ("GET", "/", &[("Host", "")], 421),
        ("GET", "http://evil.example/", &[("Host", "localhost")], 421),
        ("GET", "/", &[], 400),
        (
            "GET",
            "/",
            &[("Host", "localhost"), ("Host", "localhost")],
            400,
        ),
        ("POST", "/api/state", &[("Host", "localhost")], 405),
        ("DELETE", "/", &[("Host", "localhost")], 405),
        ("GET", "/nowhere", &[("Host", "localhost")], 404),
        ("GET", "/../etc/passwd", &[("Host", "localhost")], 404),
    ];
    for (method, target, headers, status) in cases {
        let reply = ask(place.port, method, target, headers);
        assert_eq!(reply.status, status, "{method} {target} {headers:?}");
        let is_last = matches!(status, 400);
        let policy = reply.header("content-security-policy");
        assert_eq!(policy.is_empty(), is_last, "{method} {target} {headers:?}");
    }
    let told = ask(place.port, "GET", "/", &[("Host", "evil.example")]);
    assert!(told.body.contains("[status] hosts"), "{told:?}");
    for path in ["/", "/api/state", "/metrics", "/healthz"] {
        let head = ask(place.port, "HEAD", path, &[("Host", "localhost")]);
        assert_eq!((head.status, &*head.body), (200, ""), "{path}");
        let length: usize = head.header("content-length").parse().unwrap();
        assert!(length > 20, "{path}: {length}");
    }
    agent.stop();
}

#[test]
fn slow_and_rude_clients_harm_neither_the_page_nor_the_agent() {
    let place = Place::new(world());
    let agent = place.settled();
    let mut crowd: Vec<TcpStream> = Vec::new();
    for round in 0..64 {
        let mut stream = connect(place.port).unwrap();
        // What they send may find the connection closed already.
        let _ = match round % 4 {
            0 => stream.write_all(HALF),
            // Asks and asks, and reads nothing.
            1 => {
                let request = b"GET /api/state HTTP/1.1\r\nHost: localhost\r\n\r\n";
                stream.write_all(&request.repeat(200))
            }
            2 => stream.write_all(&[0xff; 9000]),
            _ => Ok(()),
        };
        crowd.push(stream);
    }
    // Whoever asks properly is answered all the same, at the latest when asked again.
    for path in ["/", "/api/state", "/metrics", "/healthz"] {
        wait_for(path, || {
            let reply = try_to_ask(place.port, "GET", path, &[("Host", "localhost")])?;
            (reply.status == 200).then_some(())
        });
    }
    // And the agent does its work.
    place
        .site
        .region
        .edit(|w| w.set_alarm("silent", "ALARM", "no bytes"));
    wait_for_or("the alarm at the broker", || {
        let alarm = json(&place.site.retained(), "alarm/silent");
        match alarm["state"] == "ALARM" {
            true => Ok(()),
            false => Err(alarm.to_string()),
        }
    });
    drop(crowd);
    wait_for("the page", || {
        let reply = try_to_ask(place.port, "GET", "/api/state", &[("Host", "localhost")])?;
        (reply.status == 200).then_some(())
    });
    agent.stop();
}

#[test]
fn a_port_that_is_taken_is_had_later_and_without_a_page_there_is_no_thread() {
    let place = Place::new(world());
    let taken = TcpListener::bind(("127.0.0.1", place.port)).unwrap();
    let agent = place.settled();
    let told = agent.wait_for_log("status: no page: cannot listen");
    assert!(told.contains("[status] listen"), "{told}");
    drop(taken);
    agent.wait_for_log("status: the port can be had again");
    agent.wait_for_log(&format!("the page is at http://127.0.0.1:{}/", place.port));
    wait_for("the page", || {
        let reply = try_to_ask(place.port, "GET", "/", &[("Host", "localhost")])?;
        (reply.status == 200).then_some(())
    });
    assert_eq!(agent.logged("status: no page"), 1);
    assert!(threads(agent.id()).contains(&String::from("status")));
    agent.stop();

    let site = place.site.configured(|config| config.without("status"));
    let eyes = site.eyes();
    let agent = site.agent();
    site.wait_for_picture(&eyes);
    assert!(!threads(agent.id()).contains(&String::from("status")));
    assert!(connect(place.port).is_err());
    agent.stop();
}

#[test]
fn the_stop_ends_the_page_too() {
    let place = Place::new(world());
    let agent = place.settled();
    let mut waiting = connect(place.port).unwrap();
    waiting.write_all(HALF).unwrap();
    assert_eq!(get(place.port, "/").status, 200);
    agent.stop();
    assert!(connect(place.port).is_err());
}

/// The names of the threads of a process.
fn threads(process: u32) -> Vec<String> {
    let folder = format!("/proc/{process}/task");
    let tasks = std::fs::read_dir(folder).unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    names.map(|name| name.unwrap().trim().to_owned()).collect()
}
