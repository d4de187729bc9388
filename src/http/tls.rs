//! The certificate of the server front, which may be renewed while it runs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use crate::pem::{self, Flaw};

/// A certificate chain and its key.
pub struct Tls {
    files: [PathBuf; 2],
    config: Arc<ServerConfig>,
    /// The files as they were when they were read last, well or not.
    seen: [Stamp; 2],
    looked_at: Option<Instant>,
}

/// What tells one content of a file from the next without reading it. `None`: it is not there.
type Stamp = Option<(i64, i64, u64, u64)>;

impl Tls {
    /// Reads both files, PEM each: the chain with the server's own certificate first, the key.
    ///
    /// # Errors
    ///
    /// A sentence that names the file and the remedy.
    pub fn load(cert_file: &Path, key_file: &Path) -> Result<Tls, String> {
        let files = [cert_file.to_owned(), key_file.to_owned()];
        // First: a change while they are read is seen the next time.
        let seen = stamps(&files);
        let config = read(&files)?;
        Ok(Tls {
            files,
            config,
            seen,
            looked_at: None,
        })
    }

    /// For a new connection: what the files say, looked at no more often than `interval`. A
    /// pair that cannot be used is told once, and the one before it stays.
    pub(super) fn config(&mut self, now: Instant, interval: Duration) -> Arc<ServerConfig> {
        let due = self.looked_at.is_none_or(|last| now >= last + interval);
        if due {
            self.looked_at = Some(now);
            let seen = stamps(&self.files);
            if seen != self.seen {
                self.seen = seen;
                self.renew();
            }
        }
        Arc::clone(&self.config)
    }

    fn renew(&mut self) {
        let name = self.files[0].display();
        match read(&self.files) {
            Ok(config) => {
                log::info!("{name} has changed and is used from now on");
                self.config = config;
            }
            Err(error) => log::warn!("{error}; the certificate from before stays in use"),
        }
    }
}

fn stamps(files: &[PathBuf; 2]) -> [Stamp; 2] {
    let stamp = |file: &PathBuf| {
        let found = std::fs::metadata(file).ok()?;
        Some((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
    };
    [stamp(&files[0]), stamp(&files[1])]
}

fn read([cert_file, key_file]: &[PathBuf; 2]) -> Result<Arc<ServerConfig>, String> {
    let remedy = "put the chain there as PEM, the server's own certificate first";
    let chain = pem::certificates(cert_file).map_err(|flaw| flawed(cert_file, &flaw, remedy))?;
    let remedy = "it must hold the private key as PEM";
    let key = pem::key(key_file).map_err(|flaw| flawed(key_file, &flaw, remedy))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let remedy = format!("check that {} is its key", key_file.display());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|with| with.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(cert_file, &error, &remedy))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn flawed(file: &Path, flaw: &Flaw, remedy: &str) -> String {
    let remedy = match flaw {
        Flaw::Unread(_) => "check that it is there, and that the agent may read it",
        Flaw::NoFile | Flaw::TooLarge => "give the name of a PEM file",
        _ => remedy,
    };
    unusable(file, flaw, remedy)
}

fn unusable(file: &Path, error: &dyn std::fmt::Display, remedy: &str) -> String {
    format!("{} cannot be used: {error}; {remedy}", file.display())
}
