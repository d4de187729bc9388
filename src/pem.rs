//! Certificates and keys in files of PEM (RFC 7468), for whoever needs some: they may be renewed,
//! and half written, while the agent runs.
//!
//! What is wrong is told without a word of what is in the file: the parser's own errors hold the
//! whole line that they are about, and that of a key whose line breaks were lost is the key.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config;

/// All public roots together are a quarter of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Stands in the PEM of every key that has a passphrase.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// Why a file cannot be used.
#[derive(Debug)]
pub enum Flaw {
    /// As the system says it.
    Unread(io::Error),
    /// Reading a pipe or a device could last for ever.
    NoFile,
    /// Larger than any.
    TooLarge,
    /// A credential that systemd handed over empty, and where it was to be.
    NotWritten(PathBuf),
    /// A block that does not begin, go on or end as it should.
    Malformed,
    /// No block of that kind.
    NoCertificate,
    /// No block of that kind.
    NoKey,
    /// A key with a passphrase, which nobody is there to give.
    Encrypted,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Unread(error) => return write!(f, "{error}"),
            Flaw::NotWritten(origin) => {
                return write!(f, "it is empty: {} is missing", origin.display());
            }
            Flaw::NoFile => "it is not a file",
            Flaw::TooLarge => "it is too large",
            Flaw::Malformed => "it is malformed PEM, or has lost its line breaks",
            Flaw::NoCertificate => "it holds no certificate as PEM",
            Flaw::NoKey => "it holds no key as PEM",
            Flaw::Encrypted => "it is encrypted with a passphrase",
        })
    }
}

/// All certificates in a file, in their order; at least one.
///
/// # Errors
///
/// What is wrong with the file.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let pem = read(file)?;
    let found: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(Flaw::NoCertificate),
        Ok(found) => Ok(found),
        Err(_) => Err(Flaw::Malformed),
    }
}

/// The first key in a file: PKCS #8, PKCS #1 or SEC 1, without a passphrase.
///
/// # Errors
///
/// What is wrong with the file.
pub fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Flaw> {
    key_in(&read(file)?)
}

/// The same of a file that was read.
///
/// # Errors
///
/// What is wrong with it.
pub fn key_in(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Flaw> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let is_encrypted = pem.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED);
        match error {
            _ if is_encrypted => Flaw::Encrypted,
            Error::NoItemsFound => Flaw::NoKey,
            _ => Flaw::Malformed,
        }
    })
}

/// What is in a file.
///
/// # Errors
///
/// That it cannot be read, or was to be written first.
pub fn read(file: &Path) -> Result<Vec<u8>, Flaw> {
    if !std::fs::metadata(file).map_err(Flaw::Unread)?.is_file() {
        return Err(Flaw::NoFile);
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(Flaw::Unread)?;
    let read = opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(Flaw::Unread)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Flaw::TooLarge);
    }
    match config::origin_of_credential(file) {
        Some(origin) if bytes.trim_ascii().is_empty() => Err(Flaw::NotWritten(origin)),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no message may hold, and its bytes in decimal, as `{:?}` has them.
    const SECRET: &str = "hunter2hunter2hunter2hunter2";

    fn told(text: &str) -> [String; 2] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file.pem");
        std::fs::write(&file, text).unwrap();
        [
            certificates(&file).unwrap_err().to_string(),
            key(&file).unwrap_err().to_string(),
        ]
    }

    #[test]
    fn nothing_of_a_damaged_key_is_told() {
        let decimal = SECRET.bytes().map(|b| b.to_string()).collect::<Vec<_>>();
        let kind = "PRIVATE KEY";
        let cases = [
            // Pasted into one line.
            format!("-----BEGIN {kind}-----{SECRET}-----END {kind}-----\n"),
            format!("-----BEGIN {kind}----- {SECRET}\n"),
            format!("-----BEGIN {kind}-----\n{SECRET}\n"),
            format!("-----BEGIN {kind}-----\n{SECRET}!\n-----END {kind}-----\n"),
            format!("-----BEGIN {SECRET}\n"),
            SECRET.to_owned(),
        ];
        let parsed = PrivateKeyDer::from_pem_slice(cases[0].as_bytes());
        let told_by_parser = parsed.unwrap_err().to_string();
        assert!(told_by_parser.contains(&decimal.join(", ")));
        for text in cases {
            for told in told(&text) {
                assert!(!told.contains("hunter2"), "{text}: {told}");
                assert!(!told.contains(&decimal.join(", ")), "{text}: {told}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nQUJD\n\
                      -----END ENCRYPTED PRIVATE KEY-----\n";
        let cases = [
            ("", ["no certificate", "no key"]),
            (locked, ["no certificate", "passphrase"]),
            ("-----BEGIN X-----\n", ["malformed", "malformed"]),
        ];
        for (text, wanted) in cases {
            for (told, wanted) in told(text).iter().zip(wanted) {
                assert!(told.contains(wanted), "{text}: {told}");
            }
        }
        let large = "x".repeat(FILE_BYTES_MAX as usize + 1);
        assert!(told(&large).iter().all(|told| told.contains("too large")));
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(key(folder.path()), Err(Flaw::NoFile)));
    }
}
