//! The demo's broker with mosquitto's own clients, and mosquitto with the test subscriber.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{Client, Event, LastWill, MqttOptions, Packet, PublishOptions, QoS, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::support::broker::Broker;
use super::support::certificates::Certificates;
use super::support::mosquitto::{Mosquitto, Setup, program};
use super::support::ports::connect;
use super::support::subscriber::{Subscriber, Tree, options, retained, retained_with};

const LIMIT: Duration = Duration::from_secs(30);

fn publish(port: u16, arguments: &[&str]) {
    let status = Command::new(program("mosquitto_pub"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(arguments)
        .status();
    assert!(status.unwrap().success(), "mosquitto_pub {arguments:?}");
}

/// What `mosquitto_sub` prints before it has its fill (`-C`) or gives up (`-W`).
fn subscribe(port: u16, arguments: &[&str]) -> String {
    let output = Command::new(program("mosquitto_sub"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(arguments)
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn mosquittos_clients_work_with_the_demo_broker() {
    let broker = Broker::start(0).unwrap();
    let port = broker.port();
    for (topic, payload, flags) in [
        ("a/1", "one", &["-r", "-q", "1"][..]),
        ("a/2", "two", &["-r", "-q", "0"]),
        ("b/1", "three", &["-r"]),
        ("a/3", "not kept", &["-q", "1"]),
        ("a/1", "eins", &["-r"]),
    ] {
        publish(port, &[&["-t", topic, "-m", payload], flags].concat());
    }
    publish(port, &["-t", "b/1", "-n", "-r"]);
    let cases = [
        (&["-v", "-t", "#", "-C", "2"][..], "a/1 eins\na/2 two\n"),
        (
            &["-v", "-t", "a/+", "-C", "2", "-q", "1"],
            "a/1 eins\na/2 two\n",
        ),
        (&["-v", "-t", "a/2", "-t", "a/2/#", "-C", "1"], "a/2 two\n"),
        (&["-t", "#", "--retained-only", "-C", "2"], "eins\ntwo\n"),
        (&["-t", "b/#", "-W", "1"], ""),
    ];
    for (arguments, expected) in cases {
        assert_eq!(subscribe(port, arguments), expected, "{arguments:?}");
    }
    let big = "x".repeat(200_000);
    publish(port, &["-t", "big", "-m", &big[..100_000], "-r", "-q", "1"]);
    assert_eq!(subscribe(port, &["-t", "big", "-C", "1"]).len(), 100_001);
}

/// A client with a last will, connected; the thread drives it until the connection ends.
fn with_will(port: u16, id: &str, payload: &str) -> (Client, std::thread::JoinHandle<()>) {
    let mut options = MqttOptions::new(id, ("127.0.0.1", port));
    options.set_last_will(LastWill::new(
        "will",
        payload.to_owned(),
        QoS::AtLeastOnce,
        true,
    ));
    let (client, mut connection) = Client::builder(options).capacity(8).build();
    let connected = connection.recv().unwrap().unwrap();
    assert!(matches!(connected, Event::Incoming(Packet::ConnAck(_))));
    let driven = std::thread::spawn(move || while connection.recv().is_ok_and(|e| e.is_ok()) {});
    (client, driven)
}

#[test]
fn a_last_will_is_published_unless_the_client_says_goodbye() {
    let broker = Broker::start(0).unwrap();
    let subscriber = Subscriber::start(broker.port(), "will");
    let (_first, driven) = with_will(broker.port(), "same", "first");
    let (_second, _) = with_will(broker.port(), "same", "second");
    let is = |will: &'static str| move |tree: &Tree| tree.get("will").is_some_and(|w| w == will);
    subscriber.wait_until(LIMIT, is("first"));
    driven.join().unwrap();
    // CONNECT as "w" with a retained will "third", DISCONNECT; the broker closes when done.
    let mut polite = connect(broker.port()).unwrap();
    polite
        .write_all(
            b"\x10\x1a\x00\x04MQTT\x04\x2e\x00\x3c\x00\x01w\x00\x04will\x00\x05third\xe0\x00",
        )
        .unwrap();
    let mut answer = Vec::new();
    polite.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"\x20\x02\x00\x00");
    assert_eq!(
        retained(broker.port(), "will")["will"],
        "first",
        "no will after a goodbye"
    );
    // The same without DISCONNECT leaves the will.
    let mut rude = connect(broker.port()).unwrap();
    rude.write_all(b"\x10\x1a\x00\x04MQTT\x04\x2e\x00\x3c\x00\x01w\x00\x04will\x00\x05third")
        .unwrap();
    drop(rude);
    subscriber.wait_until(LIMIT, is("third"));
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody_and_is_let_go() {
    let broker = Broker::start(0).unwrap();
    let mut lazy = connect(broker.port()).unwrap();
    // CONNECT as "z" and SUBSCRIBE to "#", then never a read.
    lazy.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01z")
        .unwrap();
    lazy.write_all(b"\x82\x06\x00\x01\x00\x01#\x00").unwrap();
    let mut answers = [0; 9];
    lazy.read_exact(&mut answers).unwrap();
    assert_eq!(answers, *b"\x20\x02\x00\x00\x90\x03\x00\x01\x00");
    let subscriber = Subscriber::start(broker.port(), "flood");
    let (client, mut connection) = Client::builder(options(broker.port())).capacity(8).build();
    std::thread::spawn(move || while connection.recv().is_ok_and(|e| e.is_ok()) {});
    for n in 0..6000 {
        let payload = format!("{n} {}", "x".repeat(8_000));
        let qos = PublishOptions::new(QoS::AtLeastOnce);
        client.publish("flood", payload, qos).unwrap();
    }
    subscriber.wait_until(LIMIT, |tree| {
        tree.get("flood").is_some_and(|p| p.starts_with("5999 "))
    });
    let mut rest = Vec::new();
    lazy.read_to_end(&mut rest).unwrap();
    assert!(
        rest.len() < 6000 * 8000,
        "what was sent after it fell behind is not for it"
    );
}

#[test]
fn a_broker_survives_what_is_not_mqtt() {
    let broker = Broker::start(0).unwrap();
    let qos_3 = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01z\x36\x07\x00\x01a\x00\x01xx";
    let http = "GET / HTTP/1.1\r\nUser-Agent: ".to_owned() + &"wrong port ".repeat(10);
    let rubbish: [&[u8]; 5] = [
        http.as_bytes(),
        b"\x30\x03\x00\x01a",    // publish before connect
        b"\x10\xff\xff\xff\x7f", // 256 MiB announced
        qos_3,
        b"",
    ];
    for bytes in rubbish {
        let mut stream = connect(broker.port()).unwrap();
        stream.write_all(bytes).unwrap();
        if !bytes.is_empty() {
            let mut rest = Vec::new();
            // The broker ends the connection, in whichever way.
            let _ = stream.read_to_end(&mut rest);
        }
    }
    publish(broker.port(), &["-t", "a", "-m", "still here", "-r"]);
    assert_eq!(retained(broker.port(), "#")["a"], "still here");
}

#[test]
fn mosquitto_restarts_on_its_port_with_its_store_or_without() {
    let setup = Setup {
        persistence: true,
        ..Setup::default()
    };
    let mut mosquitto = Mosquitto::start(&setup);
    let port = mosquitto.port();
    let subscriber = Subscriber::start(port, "#");
    publish(port, &["-t", "a", "-m", "kept", "-r"]);
    subscriber.wait_until(LIMIT, |tree| tree.contains_key("a"));
    mosquitto.stop();
    mosquitto.run();
    assert_eq!(retained(port, "#").len(), 1);
    subscriber.wait_until(LIMIT, |tree| tree.contains_key("a"));
    mosquitto.stop();
    mosquitto.forget();
    mosquitto.run();
    assert!(retained(port, "#").is_empty());
    assert!(
        mosquitto.log().contains("terminating"),
        "{}",
        mosquitto.log()
    );
}

#[test]
fn mosquitto_asks_for_password_and_keeps_to_its_acl() {
    let setup = Setup {
        user: Some(("edge", "right")),
        acl: Some("user edge\ntopic readwrite allowed/#\ntopic readwrite subscriber-mark/#\n"),
        ..Setup::default()
    };
    let mosquitto = Mosquitto::start(&setup);
    let port = mosquitto.port();
    let login = ["-u", "edge", "-P", "right"];
    publish(
        port,
        &[&login[..], &["-t", "allowed/a", "-m", "1", "-r"]].concat(),
    );
    publish(
        port,
        &[&login[..], &["-t", "denied/a", "-m", "1", "-r"]].concat(),
    );
    let mut options = options(port);
    options.set_credentials("edge", "right");
    let kept = retained_with(options, "#");
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["allowed/a"]);
    let wrong = Command::new(program("mosquitto_pub"))
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-u",
            "edge",
            "-P",
            "wrong",
        ])
        .args(["-t", "allowed/b", "-m", "1"])
        .stderr(Stdio::null())
        .status();
    assert!(!wrong.unwrap().success());
}

#[test]
fn mosquitto_takes_tls_with_a_client_certificate() {
    let certificates = Certificates::make();
    let setup = Setup {
        tls: Some(&certificates),
        client_certificate: true,
        ..Setup::default()
    };
    let mosquitto = Mosquitto::start(&setup);
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificates.path("ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(certificates.path("client.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(certificates.path("client.key")).unwrap(),
        )
        .unwrap();
    let mut options = options(mosquitto.port());
    options.set_transport(Transport::tls_with_config(config.into()));
    assert!(retained_with(options, "#").is_empty());
    let plain = Command::new(program("mosquitto_pub"))
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &mosquitto.port().to_string(),
            "-t",
            "a",
            "-m",
            "1",
        ])
        .stderr(Stdio::null())
        .status();
    assert!(!plain.unwrap().success());
}
