//! Certificates for one test: an authority, a server's and a client's, as files.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// PEM files in a folder that goes away with it.
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    /// Makes them. The server's is for `localhost` and `127.0.0.1`.
    pub fn make() -> Certificates {
        let made = Certificates {
            dir: TempDir::new().expect("a temporary folder"),
        };
        let key = || KeyPair::generate().expect("a key");
        let named = |names: &[&str]| {
            let list: Vec<String> = names.iter().map(|n| n.to_string()).collect();
            let mut made = CertificateParams::new(list).expect("well-formed names");
            // OpenSSL takes a certificate named as its issuer for a self-signed one.
            made.distinguished_name.push(DnType::CommonName, names[0]);
            made
        };
        let mut authority = named(&["test authority"]);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = key();
        let root = authority
            .self_signed(&authority_key)
            .expect("a certificate");
        made.write("ca.pem", &root.pem());
        let issuer = Issuer::new(authority, authority_key);
        for (name, hosts) in [
            ("server", &["localhost", "127.0.0.1"][..]),
            ("client", &["test-client"]),
            ("renewed", &["test-client-renewed"]),
        ] {
            let leaf_key = key();
            let leaf = named(hosts)
                .signed_by(&leaf_key, &issuer)
                .expect("a certificate");
            made.write(&format!("{name}.pem"), &leaf.pem());
            made.write(&format!("{name}.key"), &leaf_key.serialize_pem());
        }
        made
    }

    /// `ca.pem`; `server.pem`, `server.key`, and the same of `client` and of `renewed`, another
    /// client.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, pem: &str) {
        std::fs::write(self.path(name), pem).expect("a writable temporary folder");
    }
}
