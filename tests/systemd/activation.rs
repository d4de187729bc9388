//! A port that systemd opens and hands over: `systemd-socket-activate` is what its socket units
//! are made of.

use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{Agent, LIMIT, json, text, wait_for, wait_for_told};
use crate::place::Place;
use crate::support::ports::free_port;

/// Opens what `arguments` say and becomes the agent with the first who comes there.
fn launcher(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new("systemd-socket-activate");
    command
        .args(arguments)
        .arg(env!("CARGO_BIN_EXE_mediapackage2mqtt"))
        .args(["run", "--config"])
        .arg(place.site.write())
        .stdin(Stdio::null());
    command
}

#[test]
fn a_port_that_is_handed_over_is_taken_in_place_of_the_config_s() {
    let place = Place::new();
    let handed = free_port();
    let listen = format!("127.0.0.1:{handed}");
    let agent = Agent::launch(launcher(&place, &["--listen", &listen]));
    let first = wait_for("the port", || TcpStream::connect(&listen).ok());
    agent.wait_for_log(&format!("sns: listening on {listen}, which systemd opened"));
    drop(first);
    let eyes = place.site.eyes();
    eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "ok");
    // SNS delivers there, and nobody listens where the config says.
    let sns = place.site.region.sns();
    sns.subscribed(&place.topic_arn, &format!("http://{listen}/"));
    let id = sns.publish(&place.topic_arn, None, "by the port of systemd");
    let outcome = sns.deliverer().finish(Duration::from_secs(30));
    assert_eq!(outcome.delivered[&id], 1);
    let message = &wait_for_told(&eyes, "sns/message", 1)[0];
    assert_eq!(message["message"], "by the port of systemd");
    assert!(TcpStream::connect(("127.0.0.1", place.port)).is_err());
    assert_eq!(text(&eyes.tree(), "source/sns"), "online");
    agent.stop();
}

#[test]
fn what_is_no_port_is_refused_with_what_to_do() {
    let place = Place::new();
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("socket").display().to_string();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let knock: [(&[&str], &str, &dyn Fn() -> bool); 2] = [
        (&["--listen", &socket], "is no TCP socket", &|| {
            UnixStream::connect(&socket).is_ok()
        }),
        (
            &["--datagram", "--listen", &address],
            "is no TCP socket",
            &|| {
                let knocking = UdpSocket::bind("127.0.0.1:0").unwrap();
                knocking.send_to(b"x", &address).is_ok()
            },
        ),
    ];
    for (arguments, words, knock) in knock {
        let mut agent = Agent::launch(launcher(&place, arguments));
        let line = wait_for("the refusal", || {
            knock();
            let log = agent.log();
            log.into_iter().find(|line| line.contains("handed over"))
        });
        assert!(line.contains(words), "{line}");
        assert!(line.contains("[sns] listen is opened"), "{line}");
        assert_eq!(agent.ended(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_port_that_nobody_asked_for_is_a_warning() {
    let place = Place::new();
    let site = place.site.configured(|config| config.without("sns"));
    let place = Place { site, ..place };
    let listen = format!("127.0.0.1:{}", free_port());
    let agent = Agent::launch(launcher(&place, &["--listen", &listen]));
    let first = wait_for("the port", || TcpStream::connect(&listen).ok());
    agent.wait_for_log("without [sns] nobody answers there");
    place.site.wait_for_picture(&place.site.eyes());
    drop(first);
    agent.stop();
}
