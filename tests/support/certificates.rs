//! Certificates for one test: an authority, a server's and a client's, as files.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// PEM files in a folder that goes away with it.
pub struct Certificates {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate of the authority says of itself; the default is good for this machine.
pub struct Leaf<'a> {
    /// Names and addresses that it is for.
    pub hosts: &'a [&'a str],
    /// The year it ends with.
    pub last_year: i32,
}

impl Default for Leaf<'_> {
    fn default() -> Self {
        Leaf {
            hosts: &["localhost", "127.0.0.1"],
            last_year: 2099,
        }
    }
}

impl Certificates {
    /// Makes them. The server's is for `localhost` and `127.0.0.1`.
    pub fn make() -> Certificates {
        Certificates::of("test authority")
    }

    /// The same of an authority with a name of its own.
    pub fn of(authority: &str) -> Certificates {
        let mut authority = named(&[authority]);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key");
        let root = authority
            .self_signed(&authority_key)
            .expect("a certificate");
        let made = Certificates {
            dir: TempDir::new().expect("a temporary folder"),
            issuer: Issuer::new(authority, authority_key),
        };
        made.write("ca.pem", &root.pem());
        made.add("server", &Leaf::default());
        let hosts = &["test-client"];
        made.add(
            "client",
            &Leaf {
                hosts,
                ..Leaf::default()
            },
        );
        made
    }

    /// Makes another one of the same authority, `<name>.pem` and `<name>.key`, or makes it anew.
    pub fn add(&self, name: &str, leaf: &Leaf<'_>) {
        self.add_for(name, leaf, &KeyPair::generate().expect("a key"));
    }

    /// The same for a key that is given, as PEM that rcgen reads.
    pub fn add_with_key(&self, name: &str, leaf: &Leaf<'_>, key: &str) {
        self.add_for(name, leaf, &KeyPair::from_pem(key).expect("a key"));
    }

    fn add_for(&self, name: &str, leaf: &Leaf<'_>, key: &KeyPair) {
        let mut params = named(leaf.hosts);
        params.not_after = date_time_ymd(leaf.last_year, 12, 31);
        let made = params.signed_by(key, &self.issuer);
        self.write(&format!("{name}.pem"), &made.expect("a certificate").pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    /// The file of this name: `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`,
    /// or what was added.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes any other file beside them, or over one of them.
    pub fn write(&self, name: &str, pem: &str) {
        std::fs::write(self.path(name), pem).expect("a writable temporary folder");
    }
}

fn named(names: &[&str]) -> CertificateParams {
    let list: Vec<String> = names.iter().map(|n| n.to_string()).collect();
    let mut made = CertificateParams::new(list).expect("well-formed names");
    // OpenSSL takes a certificate named as its issuer for a self-signed one.
    made.distinguished_name.push(DnType::CommonName, names[0]);
    made
}
