//! The certificate that SNS signs with. Pure.
//!
//! Trust rests on where it comes from: HTTPS, with the public roots, to the one host that the
//! config names, without a redirect. SNS serves the leaf alone, so there is no chain to build
//! from the file; what it says of itself is held against AWS's name, AWS's time and a key of at
//! least 2048 bits all the same, so that nothing else which that host may serve is taken.
//!
//! Sources: SNS developer guide, "Verifying the signatures of Amazon SNS messages"; RFC 5280
//! section 4.1 (the fields), RFC 7468 (the text around), RFC 8017 appendix A.1.1 (the key).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::der::{self, Der};
use crate::state::time::UnixMs;

/// Largest file that is read; a certificate has about 2 KiB.
pub const PEM_BYTES_MAX: usize = 16 * 1024;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// Smallest and largest key.
const KEY_BITS_MIN: usize = 2048;
const KEY_BITS_MAX: usize = 8192;
/// `rsaEncryption`, 1.2.840.113549.1.1.1 (RFC 8017 appendix A.1).
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// RSA with PKCS #1 v1.5 in both versions of SNS's signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Version 1.
    Sha1,
    /// Version 2.
    Sha256,
}

/// Why a file is no certificate to verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Not one X.509 certificate in PEM and nothing else: something went wrong on the way.
    NoCertificate,
    /// A certificate for somebody else.
    Name,
    /// A key that is not RSA of 2048 to 8192 bits.
    Key,
}

/// A certificate for SNS, whose time has yet to be held against AWS's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// `RSAPublicKey`, DER.
    pub(super) key: Vec<u8>,
    /// First moment at which it holds.
    pub not_before: UnixMs,
    /// Last moment at which it holds.
    pub not_after: UnixMs,
}

impl Certificate {
    /// Reads a file as SNS serves it; it must be for one of `names`.
    ///
    /// # Errors
    ///
    /// What keeps it from being used.
    pub fn read(pem: &[u8], names: &[ServerName<'_>]) -> Result<Certificate, Unfit> {
        let der = CertificateDer::from(unwrap_pem(pem).ok_or(Unfit::NoCertificate)?);
        // webpki holds the form against RFC 5280, but shows neither validity nor key.
        let form = EndEntityCert::try_from(&der).map_err(|_| Unfit::NoCertificate)?;
        let fields = Fields::read(&der).ok_or(Unfit::NoCertificate)?;
        let mut names = names.iter();
        if !names.any(|name| form.verify_is_valid_for_subject_name(name).is_ok()) {
            return Err(Unfit::Name);
        }
        let key = rsa_key(fields.key_info).ok_or(Unfit::Key)?;
        Ok(Certificate {
            key: key.to_vec(),
            not_before: fields.not_before,
            not_after: fields.not_after,
        })
    }

    /// Whether it is valid at `aws_now`; both ends of its time belong to it.
    pub fn holds_at(&self, aws_now: UnixMs) -> bool {
        (self.not_before..=self.not_after).contains(&aws_now)
    }

    /// Whether `signature` is of `message` and by this key, and as long as the key.
    pub fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let parameters = match algorithm {
            Algorithm::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        let key = UnparsedPublicKey::new(parameters, &self.key);
        key.verify(message, signature).is_ok()
    }
}

/// From when until when a certificate holds, by itself; `None` when it cannot be read.
pub fn validity(certificate: &[u8]) -> Option<(UnixMs, UnixMs)> {
    let fields = Fields::read(certificate)?;
    Some((fields.not_before, fields.not_after))
}

/// One block and blanks around it.
fn unwrap_pem(pem: &[u8]) -> Option<Vec<u8>> {
    if pem.len() > PEM_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(pem).ok()?.trim_ascii();
    let inner = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    // A second block would leave hyphens here, which are no base64.
    let base64: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(base64).ok()
}

/// The fields that are looked at.
struct Fields<'a> {
    not_before: UnixMs,
    not_after: UnixMs,
    /// `SubjectPublicKeyInfo`, without its own head.
    key_info: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(certificate: &'a [u8]) -> Option<Fields<'a>> {
        let mut outer = Der::new(certificate);
        let mut signed = Der::new(Der::new(outer.take(der::SEQUENCE)?).take(der::SEQUENCE)?);
        signed.take(der::VERSION)?;
        signed.take(der::INTEGER)?;
        signed.take(der::SEQUENCE)?; // algorithm
        signed.take(der::SEQUENCE)?; // issuer
        let mut validity = Der::new(signed.take(der::SEQUENCE)?);
        signed.take(der::SEQUENCE)?; // subject
        let key_info = signed.take(der::SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        (outer.at_end() && validity.at_end()).then_some(Fields {
            not_before,
            not_after,
            key_info,
        })
    }
}

/// The key in `SubjectPublicKeyInfo`, when it is RSA and of a good size.
fn rsa_key(key_info: &[u8]) -> Option<&[u8]> {
    let mut info = Der::new(key_info);
    let mut algorithm = Der::new(info.take(der::SEQUENCE)?);
    if algorithm.take(der::OBJECT_ID)? != RSA {
        return None;
    }
    // The first byte of a bit string tells how many bits of the last one are not its own.
    let key = info.take(der::BIT_STRING)?.strip_prefix(&[0])?;
    let mut numbers = Der::new(Der::new(key).take(der::SEQUENCE)?);
    let modulus = numbers.take(der::INTEGER)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let size = KEY_BITS_MIN..=KEY_BITS_MAX;
    (info.at_end() && size.contains(&bits)).then_some(key)
}
