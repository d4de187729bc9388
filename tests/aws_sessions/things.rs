//! The AWS IoT credential provider, over TLS with client certificates.

use std::fs;
use std::path::Path;
use std::process::Command;

use mediapackage2mqtt::aws::credentials::Provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::region::{FOREVER, Fault};
use crate::rig::{MINUTE, NOON, ROLE, Rig, number, said};
use crate::support::certificates::{Certificates, Leaf};
use crate::support::relay::Relay;

/// A thing in front of a region.
struct Site {
    rig: Rig,
    relay: Relay,
    /// The authority and the server.
    theirs: Certificates,
    /// `thing.pem` and `thing.key`, which the agent is told of.
    files: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let rig = Rig::new(|world| {
            world.sessions.aliases.push(String::from("edge-role"));
            world.sessions.thing = Some(String::from("edge-1"));
            world.sessions.roles.insert(ROLE.into(), None);
        });
        let theirs = Certificates::make();
        let renewed = Leaf {
            hosts: &["test-client-renewed"],
            ..Leaf::default()
        };
        theirs.add("renewed", &renewed);
        let port = rig
            .region
            .url()
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let site = Site {
            relay: Relay::mutual(port, &theirs),
            rig,
            theirs,
            files: tempfile::tempdir().unwrap(),
        };
        site.put("client", "client");
        site
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// Gives the thing one client's certificate and one client's key.
    fn put(&self, certificate: &str, key: &str) {
        let copy = |from: String, to: &str| {
            fs::copy(self.theirs.path(&from), self.file(to)).unwrap();
        };
        copy(format!("{certificate}.pem"), "thing.pem");
        copy(format!("{key}.key"), "thing.key");
    }

    fn table(&self) -> String {
        format!(
            "[credentials.iot]\nendpoint = \"localhost:{}\"\nrole_alias = \"edge-role\"\n\
             thing_name = \"edge-1\"\ncert_file = {:?}\nkey_file = {:?}\nca_file = {:?}\n",
            self.relay.port(),
            self.file("thing.pem"),
            self.file("thing.key"),
            self.theirs.path("ca.pem"),
        )
    }

    fn provider(&self) -> Provider {
        self.rig.provider(&self.table())
    }
}

#[test]
fn a_thing_has_a_session_and_a_new_one_in_time() {
    let site = Site::new();
    let provider = site.provider();
    let first = provider.current().unwrap();
    assert_eq!(&*first.source, "AWS IoT role alias edge-role");
    assert_eq!(first.expires_at.unwrap().0, NOON + 60 * MINUTE);
    let asked = site.rig.asked();
    assert_eq!(asked[0].service, "iot");
    assert_eq!(asked[0].parameters, [("thing".into(), "edge-1".into())]);
    assert_eq!(asked[0].key_id, "", "nothing is signed");
    let at = |minutes| {
        site.rig.at(minutes);
        provider.current().map(|found| number(&found))
    };
    assert_eq!(at(54), Ok(1));
    assert_eq!(at(55), Ok(2));
    site.rig
        .region
        .edit(|world| world.denied.push("iot:*".into()));
    assert_eq!(at(114), Ok(2), "kept while it lives");
    let text = {
        site.rig.at(115);
        said(provider.current())
    };
    for words in [
        "expired at 2026-11-22T11:55:00Z",
        "could not be renewed",
        "Access Denied",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    site.rig.region.edit(|world| world.denied.clear());
    assert_eq!(at(116), Ok(3));
}

#[test]
fn a_certificate_that_is_replaced_is_shown_at_the_next_refresh() {
    let site = Site::new();
    let provider = site.provider();
    provider.current().unwrap();
    // Half of the new pair: the old session is kept.
    site.put("renewed", "client");
    site.rig.at(56);
    assert_eq!(number(&provider.current().unwrap()), 1);
    site.put("renewed", "renewed");
    site.rig.at(57);
    assert_eq!(number(&provider.current().unwrap()), 2);
    let wanted = ["client.pem", "renewed.pem"].map(|name| {
        let der = CertificateDer::from_pem_file(site.theirs.path(name)).unwrap();
        der.to_vec()
    });
    assert_eq!(site.relay.shown(), wanted);
}

#[test]
fn a_key_is_taken_in_each_form_that_openssl_writes() {
    let site = Site::new();
    let key = site.file("thing.key");
    let before = fs::read_to_string(&key).unwrap();
    let turn = Command::new("openssl")
        .args(["ec", "-in", &key, "-out", &key])
        .output();
    assert!(turn.unwrap().status.success());
    let after = fs::read_to_string(&key).unwrap();
    assert_ne!(before, after);
    assert!(after.contains("EC PRIVATE KEY"), "its head");
    assert!(site.provider().current().is_ok());
}

#[test]
fn each_refusal_says_what_to_do() {
    let error = |status, code, message| Fault::Error {
        status,
        code,
        message,
    };
    let denied = "AccessDeniedException";
    let cases = [
        (
            error(403, denied, "Invalid thing name passed"),
            "list-principal-things",
        ),
        (
            error(403, denied, "Certificate is invalid on this endpoint"),
            "iot:CredentialProvider",
        ),
        (
            error(403, denied, "Access Denied"),
            "iot:AssumeRoleWithCertificate",
        ),
        (
            error(
                404,
                "ResourceNotFoundException",
                "Role alias does not exist",
            ),
            "check role_alias",
        ),
        (
            error(
                400,
                "InvalidRequestException",
                "Unable to assume the role, or the role to assume does not exist",
            ),
            "credentials.iot.amazonaws.com",
        ),
        (
            error(
                400,
                "InvalidRequestException",
                "The requested CredentialDurationSeconds exceeds the MaxSessionDuration",
            ),
            "shorten credentialDurationSeconds",
        ),
        (
            Fault::body("{\"credentials\":{}}"),
            "accessKeyId is missing",
        ),
        (Fault::html(200), "a page, not JSON"),
        (Fault::html(502), "status 502"),
        (Fault::Drop, "broke off"),
        (Fault::Redirect("https://127.0.0.1:1/".into()), "a redirect"),
    ];
    let site = Site::new();
    for (fault, words) in cases {
        let name = format!("{fault:?}");
        site.rig.region.edit(|world| {
            world.faults.clear();
            world.faults.add("iot:*", FOREVER, fault);
        });
        let text = said(site.provider().current());
        assert!(text.contains(words), "{name}: {words} is not in {text}");
        // Nobody shall take it for a refusal of MediaPackage.
        assert!(
            !text.starts_with("Permission") && !text.starts_with("NoSuchHost"),
            "{text}"
        );
    }
    site.rig.region.edit(|world| world.faults.clear());
    let real = [
        (
            "thing_name = \"edge-1\"",
            "thing_name = \"edge-2\"",
            "Invalid thing name",
        ),
        (
            "alias = \"edge-role\"",
            "alias = \"other\"",
            "Role alias does not exist",
        ),
    ];
    for (from, to, words) in real {
        let table = site.table().replace(from, to);
        let text = said(site.rig.provider(&table).current());
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let site = Site::new();
    let stranger = Certificates::make();
    let copy = |from: &Certificates, name: &str, to: &str| {
        fs::copy(from.path(name), site.file(to)).unwrap();
    };
    let write = |to: &str, text: &str| fs::write(site.file(to), text).unwrap();
    let table = site.table();
    let told = |table: &str| said(site.rig.provider(table).current());

    fs::remove_file(site.file("thing.key")).unwrap();
    assert!(
        told(&table).contains("thing.key cannot be used: No such file"),
        "{}",
        told(&table)
    );
    write("thing.key", "no key");
    assert!(told(&table).contains("holds no key"), "{}", told(&table));
    copy(&stranger, "client.key", "thing.key");
    assert!(told(&table).contains("made together"), "{}", told(&table));
    write("thing.pem", "");
    assert!(
        told(&table).contains("holds no certificate"),
        "{}",
        told(&table)
    );

    // A pair that AWS IoT does not know.
    copy(&stranger, "client.pem", "thing.pem");
    let text = told(&table);
    assert!(text.contains("registered with AWS IoT"), "{text}");
    site.put("client", "client");
    assert!(site.rig.provider(&table).current().is_ok());

    // A server that nobody knows, and no file with roots.
    let ca = |file: &Path| {
        let theirs = site.theirs.path("ca.pem");
        table.replace(&theirs.display().to_string(), &file.display().to_string())
    };
    let text = told(&ca(&stranger.path("ca.pem")));
    assert!(text.contains("ca_file"), "{text}");
    let text = told(&ca(&site.files.path().join("none.pem")));
    assert!(text.contains("none.pem cannot be used"), "{text}");
    let without = table.lines().filter(|line| !line.starts_with("ca_file"));
    let text = told(&without.collect::<Vec<_>>().join("\n"));
    assert!(text.contains("no authority that is trusted"), "{text}");
}

#[test]
fn a_role_is_taken_on_top_of_a_thing() {
    let site = Site::new();
    let role = format!(
        "{}[credentials.assume_role]\nrole_arn = {ROLE:?}\n",
        site.table()
    );
    let provider = site.rig.provider(&role);
    let found = provider.current().unwrap();
    let wanted = format!("AWS IoT role alias edge-role -> role {ROLE}");
    assert_eq!(&*found.source, wanted);
    let asked = site.rig.asked();
    let steps: Vec<_> = asked.iter().map(|seen| seen.operation.as_str()).collect();
    assert_eq!(steps, ["AssumeRoleWithCertificate", "AssumeRole"]);
    assert_eq!(
        (asked[1].key_id.as_str(), number(&found)),
        ("ASIASYNTHETIC0000001", 2)
    );
    // Longer than STS grants to whom a role signs for.
    let text = said(
        site.rig
            .provider(&format!("{role}duration = \"2h\"\n"))
            .current(),
    );
    assert!(text.contains("duration = \"1h\" or less"), "{text}");
}
