//! The same over TLS, and certificates that change.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use mediapackage2mqtt::http::{Limits, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::certificates::Certificates;
use crate::rig::{Client, Rig, connect, get, post, timeless, until};

type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

pub fn load(from: &Certificates) -> Tls {
    Tls::load(&from.path("server.pem"), &from.path("server.key")).unwrap()
}

/// Trusts these authorities alone.
pub fn client_config(
    authorities: &[&Certificates],
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let root = CertificateDer::from_pem_file(authority.path("ca.pem")).unwrap();
        roots.add(root).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub fn client(port: u16, config: &Arc<ClientConfig>) -> TlsClient {
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    Client::new(StreamOwned::new(tls, connect(port)))
}

#[test]
fn requests_are_answered_in_both_versions_of_tls() {
    let certificates = Certificates::make();
    let rig = Rig::echo(timeless(), Some(load(&certificates)));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client_config(&[&certificates], version);
        let mut one = client(rig.port, &config);
        assert_eq!(one.ask(&get("/a")), "GET /a ");
        one.send(post("b").repeat(3));
        for _ in 0..3 {
            assert_eq!(one.answer().body, "POST / b");
        }
        let body = "c".repeat(2_000_000);
        assert_eq!(one.ask(&post(&body)), format!("POST / {body}"));
        assert_eq!(one.ask(&get("/large/5000000")).len(), 5_000_000);
        for byte in post("slow").bytes() {
            one.send([byte]);
        }
        assert_eq!(one.answer().body, "POST / slow");
        one.send("GET / HTTP/1.1\r\n\r\n");
        assert_eq!(one.answer().status, 400);
        // A goodbye of TLS, not only of TCP.
        assert_eq!(std::io::Read::read(&mut one.stream, &mut [0]).unwrap(), 0);
    }
    assert_eq!(rig.refused(), [400, 400]);
}

#[test]
fn what_is_no_tls_is_closed_and_a_handshake_has_its_time() {
    let certificates = Certificates::make();
    let limits = Limits {
        request_time_max: Duration::from_millis(200),
        ..timeless()
    };
    let rig = Rig::echo(limits, Some(load(&certificates)));
    let mut plain = connect(rig.port);
    plain.write_all(get("/").as_bytes()).unwrap();
    let mut alert = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut alert);
    assert!(
        !String::from_utf8_lossy(&alert).contains("HTTP"),
        "{alert:?}"
    );
    for hello in [
        &b""[..],
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut stalled = Client::new(connect(rig.port));
        stalled.send(hello);
        stalled.awaits_end();
    }
    let config = client_config(&[&certificates], &rustls::version::TLS13);
    assert_eq!(client(rig.port, &config).ask(&get("/")), "GET / ");
}

#[test]
fn a_pair_that_cannot_be_used_is_named_with_its_remedy() {
    let (good, other) = (Certificates::make(), Certificates::make());
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (cert, key) = (good.path("server.pem"), good.path("server.key"));
    let garbage = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let large = write("large.pem", &"x".repeat(2_000_000));
    let missing = folder.path().join("missing.pem");
    let cases = [
        (&missing, &key, "missing.pem", "check that it is there"),
        (&cert, &missing, "missing.pem", "check that it is there"),
        (
            &write("empty.pem", ""),
            &key,
            "empty.pem",
            "put the chain there",
        ),
        (&write("garbage.pem", garbage), &key, "garbage.pem", "PEM"),
        (&cert, &write("no.key", ""), "no.key", "private key as PEM"),
        (&cert, &cert, "server.pem", "private key as PEM"),
        (&cert, &other.path("server.key"), "server.pem", "is its key"),
        (&large, &key, "large.pem", "too large"),
        (
            &folder.path().to_owned(),
            &key,
            "not a file",
            "name of a PEM file",
        ),
    ];
    for (cert, key, named, remedy) in cases {
        let error = Tls::load(cert, key).err().unwrap();
        assert!(error.contains(named) && error.contains(remedy), "{error}");
    }
}

/// Keeps what is logged, of all tests of this program.
struct Log;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

/// How many lines of this level name the file.
fn logged(level: &str, file: &Path) -> usize {
    let file = file.display().to_string();
    let lines = LINES.lock().unwrap();
    let lines = lines.iter().filter(|line| line.starts_with(level));
    lines.filter(|line| line.contains(&file)).count()
}

#[test]
fn certificates_are_exchanged_under_load_without_a_failed_request() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| log::set_logger(&Log).unwrap());
    log::set_max_level(log::LevelFilter::Info);
    let (old, new) = (Certificates::make(), Certificates::make());
    let limits = Limits {
        certificate_look_interval: Duration::ZERO,
        ..timeless()
    };
    let rig = Rig::echo(limits, Some(load(&old)));
    let (cert, key) = (old.path("server.pem"), old.path("server.key"));
    let version = &rustls::version::TLS13;
    let both = client_config(&[&old, &new], version);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut kept = client(rig.port, &both);
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(kept.ask(&get("/kept")), "GET /kept ");
                assert_eq!(client(rig.port, &both).ask(&post("x")), "POST / x");
                count += 1;
            }
            count
        });
        // First a pair that does not fit together: the old one stays, told once.
        std::fs::copy(new.path("server.pem"), &cert).unwrap();
        until("the warning", || logged("WARN", &cert) == 1);
        let only_old = client_config(&[&old], version);
        for _ in 0..5 {
            assert_eq!(client(rig.port, &only_old).ask(&get("/")), "GET / ");
        }
        assert_eq!((logged("WARN", &cert), logged("INFO", &cert)), (1, 0));
        // Then the key that fits.
        std::fs::copy(new.path("server.key"), &key).unwrap();
        until("the exchange", || logged("INFO", &cert) == 1);
        let only_new = client_config(&[&new], version);
        assert_eq!(client(rig.port, &only_new).ask(&get("/")), "GET / ");
        // Files that go away are a pair that cannot be used.
        std::fs::remove_file(&cert).unwrap();
        until("the second warning", || logged("WARN", &cert) == 2);
        assert_eq!(client(rig.port, &only_new).ask(&get("/")), "GET / ");
        is_over.store(true, Ordering::Relaxed);
        assert!(load.join().unwrap() > 0);
    });
}
