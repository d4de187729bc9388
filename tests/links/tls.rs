//! TLS with the broker: what is wrong on either side is told with the key that mends it, and
//! what is renewed is taken without a restart.

use std::process::Command;

use crate::harness::{Agent, wait_for};
use crate::printed::{check, config, usual_world};
use crate::region::Region;
use crate::support::certificates::{Certificates, Leaf};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};

const LAST_YEAR: i32 = 2020;

/// Files of one case, and the broker that has them.
struct Side {
    files: Certificates,
    others: Certificates,
    wants_certificate: bool,
    plain: bool,
}

impl Side {
    fn new(wants_certificate: bool) -> Side {
        Side {
            files: Certificates::make(),
            others: Certificates::of("another authority"),
            wants_certificate,
            plain: false,
        }
    }

    fn broker(&self) -> Mosquitto {
        Mosquitto::start(&Setup {
            tls: (!self.plain).then_some(&self.files),
            client_certificate: self.wants_certificate,
            more: "use_identity_as_username true\n",
            ..Setup::default()
        })
    }

    fn server(self, hosts: &[&str], last_year: i32) -> Side {
        self.files.add("server", &Leaf { hosts, last_year });
        self
    }

    /// Another authority's client certificate, or one that has expired.
    fn client(self, expired: bool) -> Side {
        let hosts = &["test-client"];
        let last_year = if expired { LAST_YEAR } else { 2099 };
        self.others.add("client", &Leaf { hosts, last_year });
        self.files.add("old", &Leaf { hosts, last_year });
        self
    }
}

fn path(files: &Certificates, name: &str) -> String {
    files.path(name).display().to_string()
}

fn over_tls(region: &Region, host: &str, port: u16) -> ConfigFile {
    config(region, port).text("mqtt.url", &format!("mqtts://{host}:{port}"))
}

fn showing(config: ConfigFile, files: &Certificates, cert: &str, key: &str) -> ConfigFile {
    let config = config.text("mqtt.cert_file", &path(files, cert));
    config.text("mqtt.key_file", &path(files, key))
}

/// A config, from the sides, the region and the broker's port.
type Made = fn(&Side, &Region, u16) -> ConfigFile;

fn trusting(side: &Side, region: &Region, port: u16) -> ConfigFile {
    over_tls(region, "localhost", port).text("mqtt.ca_file", &path(&side.files, "ca.pem"))
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_by_check_and_run_with_the_key_that_mends_it() {
    let region = Region::start(usual_world());
    let here = &["localhost", "127.0.0.1"];
    let cases: Vec<(Side, Made, &str)> = vec![
        (
            Side::new(false),
            |side, region, port| {
                trusting(side, region, port).text("mqtt.ca_file", &path(&side.others, "ca.pem"))
            },
            "of another authority than those in ca_file",
        ),
        (
            Side {
                others: Certificates::make(),
                ..Side::new(false)
            },
            |side, region, port| {
                trusting(side, region, port).text("mqtt.ca_file", &path(&side.others, "ca.pem"))
            },
            "of another authority than those in ca_file",
        ),
        (
            Side::new(false),
            |_, region, port| over_tls(region, "localhost", port),
            "of no public authority",
        ),
        (
            Side::new(false).server(&["other.example"], 2099),
            trusting,
            "is for another name (other.example)",
        ),
        (
            Side::new(false).server(&["localhost"], 2099),
            |side, region, port| {
                over_tls(region, "127.0.0.1", port)
                    .text("mqtt.ca_file", &path(&side.files, "ca.pem"))
            },
            "is for another name",
        ),
        (
            Side::new(false).server(here, LAST_YEAR),
            trusting,
            "certificate has expired by this machine's clock",
        ),
        (
            Side::new(true).client(false),
            |side, region, port| {
                let config = trusting(side, region, port);
                showing(config, &side.others, "client.pem", "client.key")
            },
            "does not know the authority that our certificate is of",
        ),
        (
            Side::new(true).client(true),
            |side, region, port| {
                showing(
                    trusting(side, region, port),
                    &side.files,
                    "old.pem",
                    "old.key",
                )
            },
            "says that our certificate has expired",
        ),
        (Side::new(true), trusting, "wants a client certificate"),
        (
            Side::new(true),
            |side, region, port| {
                let config = trusting(side, region, port);
                showing(config, &side.files, "client.pem", "server.key")
            },
            "server.key is not the key of the certificate in",
        ),
        (
            Side::new(true),
            |side, region, port| {
                let locked = ["pkey", "-aes256", "-passout", "pass:x", "-in", "client.key"];
                openssl(&side.files, &locked, "locked.key");
                let config = trusting(side, region, port);
                showing(config, &side.files, "client.pem", "locked.key")
            },
            "locked.key is encrypted with a passphrase",
        ),
        (
            Side::new(true),
            |side, region, port| {
                let key = std::fs::read_to_string(side.files.path("client.key")).unwrap();
                side.files.write("pasted.key", &key.replace('\n', ""));
                let config = trusting(side, region, port);
                showing(config, &side.files, "client.pem", "pasted.key")
            },
            "pasted.key cannot be used: it is malformed PEM, or has lost its line breaks",
        ),
        (
            Side {
                plain: true,
                ..Side::new(false)
            },
            trusting,
            "TLS there",
        ),
        (
            Side::new(false),
            |_, region, port| config(region, port),
            "mqtts:// if it speaks TLS there",
        ),
    ];
    std::thread::scope(|scope| {
        for (side, made, words) in &cases {
            let region = &region;
            scope.spawn(move || {
                let broker = side.broker();
                let config = made(side, region, broker.port());
                let printed = check(&config);
                let told = printed
                    .text
                    .lines()
                    .any(|line| line.starts_with("fail  broker ") && line.contains(words));
                assert!(told, "no {words:?} in\n{}", printed.text);
                let agent = Agent::start(&config.write());
                agent.wait_for_log(words);
            });
        }
    });
}

/// Has OpenSSL write a key anew, in the folder of the others.
fn openssl(files: &Certificates, arguments: &[&str], out: &str) {
    let folder = files.path("");
    let mut command = Command::new("openssl");
    let made = command
        .args(arguments)
        .arg("-out")
        .arg(out)
        .current_dir(folder);
    let made = made.output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[test]
fn every_form_of_a_key_is_taken_and_an_address_where_the_certificate_has_it() {
    let region = Region::start(usual_world());
    let side = Side::new(true);
    let files = &side.files;
    openssl(files, &["genpkey", "-algorithm", "RSA"], "rsa.key");
    let rsa = std::fs::read_to_string(files.path("rsa.key")).unwrap();
    files.add_with_key("rsa", &Leaf::default(), &rsa);
    let pkcs1 = ["rsa", "-traditional", "-in", "rsa.key"];
    openssl(files, &pkcs1, "pkcs1.key");
    openssl(files, &["ec", "-in", "client.key"], "sec1.key");
    let begins = |name: &str| std::fs::read_to_string(files.path(name)).unwrap();
    assert!(begins("pkcs1.key").starts_with("-----BEGIN RSA PRIVATE KEY"));
    assert!(begins("sec1.key").starts_with("-----BEGIN EC PRIVATE KEY"));
    assert!(begins("client.key").starts_with("-----BEGIN PRIVATE KEY"));
    let broker = side.broker();
    let pairs = [
        ("client.pem", "client.key"),
        ("client.pem", "sec1.key"),
        ("rsa.pem", "pkcs1.key"),
        ("rsa.pem", "rsa.key"),
    ];
    for (n, (cert, key)) in pairs.into_iter().enumerate() {
        let host = ["localhost", "127.0.0.1"][n % 2];
        let config = over_tls(&region, host, broker.port());
        let config = config.text("mqtt.ca_file", &path(files, "ca.pem"));
        let printed = check(&showing(config, files, cert, key));
        printed.holds(key, &[("ok", "round trip", "taken, kept and given back")]);
        printed.ends(key, 0);
    }
}

#[test]
fn a_certificate_that_was_renewed_is_shown_at_the_next_connection_without_a_restart() {
    let region = Region::start(usual_world());
    let side = Side::new(true);
    let mut broker = side.broker();
    let config = trusting(&side, &region, broker.port());
    let config = showing(config, &side.files, "client.pem", "client.key");
    let agent = Agent::start(&config.write());
    agent.wait_for_log("mqtt: connected");
    let old = std::fs::read_to_string(side.files.path("client.pem")).unwrap();
    // Half of it is there when the broker comes back.
    side.files.write("client.pem", &old[..old.len() / 2]);
    broker.stop();
    broker.run();
    let told = agent.wait_for_log("client.pem cannot be used");
    assert!(told.contains("check [mqtt] cert_file"), "{told}");
    let renewed = Leaf {
        hosts: &["renewed-client"],
        ..Leaf::default()
    };
    side.files.add("client", &renewed);
    agent.wait_for_log("mqtt: connected again");
    wait_for("the renewed certificate", || {
        broker.log().contains("u'renewed-client'").then_some(())
    });
    agent.stop();
}
