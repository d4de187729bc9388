//! The file that SNS serves: what is taken is one certificate, in one form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mediapackage2mqtt::sns::certificate::{Algorithm, Certificate, PEM_BYTES_MAX, Unfit};
use mediapackage2mqtt::state::time::UnixMs;
use rustls::pki_types::ServerName;

/// For whom the samples are.
const NAMES: [&str; 2] = ["sns.amazonaws.com", "sns.eu-west-1.amazonaws.com"];
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

fn names() -> Vec<ServerName<'static>> {
    let names = NAMES.into_iter().map(ServerName::try_from);
    names.map(|name| name.expect("a name")).collect()
}

/// Whether it is a certificate to verify with: the file itself, or the DER in it.
pub fn check(bytes: &[u8]) -> bool {
    let from_file = read(bytes);
    let from_der = read(wrapped(bytes).as_bytes());
    assert!(!(from_file && from_der), "PEM and DER at once");
    from_file || from_der
}

fn wrapped(der: &[u8]) -> String {
    format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
}

fn read(pem: &[u8]) -> bool {
    let names = names();
    let read = Certificate::read(pem, &names);
    let blanks = [b"\n \t", pem, b"\r\n"].concat();
    if blanks.len() <= PEM_BYTES_MAX {
        assert_eq!(Certificate::read(&blanks, &names), read);
    }
    let for_nobody = Certificate::read(pem, &[]);
    let Ok(certificate) = read else {
        assert!(for_nobody.is_err());
        return false;
    };
    assert_eq!(for_nobody, Err(Unfit::Name));
    let others = [
        [pem, pem].concat(),
        [pem, b"x"].concat(),
        [b"x", pem].concat(),
        pem[..pem.trim_ascii_end().len() - 1].to_vec(),
    ];
    for other in others {
        assert_eq!(Certificate::read(&other, &names), Err(Unfit::NoCertificate));
    }
    hold_der(pem, &names);
    let (first, last) = (certificate.not_before, certificate.not_after);
    assert_eq!(certificate.holds_at(first), first <= last);
    assert!(!certificate.holds_at(UnixMs(first.0 - 1)));
    assert!(!certificate.holds_at(UnixMs(last.0 + 1)));
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
        for length in [0, 1, 256, 512] {
            assert!(!certificate.has_signed(algorithm, b"text", &vec![1; length]));
        }
    }
    true
}

/// The DER inside has one length: neither more nor less of it is a certificate.
fn hold_der(pem: &[u8], names: &[ServerName<'_>]) {
    let text = std::str::from_utf8(pem).expect("PEM is text");
    let inner = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END));
    let inner: String = inner.expect("one block").split_ascii_whitespace().collect();
    let der = STANDARD.decode(inner).expect("base64");
    let more = [&der[..], &[0]].concat();
    for other in [&more[..], &der[..der.len() - 1]] {
        let read = Certificate::read(wrapped(other).as_bytes(), names);
        assert_eq!(read, Err(Unfit::NoCertificate));
    }
}
