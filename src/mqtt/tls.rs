//! TLS to the broker: its roots, and our certificate where it asks for one.

use std::path::Path;
use std::sync::Arc;

use rumqttc::TlsConfiguration;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config;
use crate::state::fault::{Fault, FaultKind};

/// Trusts `ca_file` alone where it is given, else the public roots.
pub(super) fn client_config(config: &config::Mqtt) -> Result<TlsConfiguration, Fault> {
    let mut roots = RootCertStore::empty();
    match &config.ca_file {
        Some(file) => {
            for certificate in certificates(file, "ca_file")? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(file, "ca_file", &error))?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::new(FaultKind::Network, error.to_string(), ""))?
        .with_root_certificates(roots);
    let client = match (&config.cert_file, &config.key_file) {
        (Some(cert_file), Some(key_file)) => {
            let chain = certificates(cert_file, "cert_file")?;
            let key = PrivateKeyDer::from_pem_file(key_file)
                .map_err(|error| unusable(key_file, "key_file", &error))?;
            let with = builder.with_client_auth_cert(chain, key);
            with.map_err(|error| unusable(cert_file, "cert_file", &error))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(TlsConfiguration::Rustls(Arc::new(client)))
}

fn certificates(file: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|error| unusable(file, key, &error))?;
    if found.is_empty() {
        return Err(unusable(file, key, &"it holds no certificate"));
    }
    Ok(found)
}

fn unusable(file: &Path, key: &str, error: &dyn std::fmt::Display) -> Fault {
    let what = format!("{} cannot be used: {error}", file.display());
    Fault::new(FaultKind::Network, what, format!("check [mqtt] {key}"))
}
