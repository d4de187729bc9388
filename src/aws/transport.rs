//! The HTTP below the requests: agents of `ureq` with their limits, trusted roots and proxies,
//! and what their errors mean to the reader.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, RustlsConnector};

use super::lookup::{Later, Lookup};
use super::proxy::{Through, Trouble, Tunnel};
use super::retry::Retry;
use crate::config::Config;
use crate::pem;
use crate::state::fault::{Fault, FaultKind};

/// A head and its body buffer; ureq's own 128 KiB are for file transfers.
const BUFFER_BYTES: usize = 16 * 1024;
/// Connections that wait for the next request, of one agent: a poll uses one at a time.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// What a request may take. The defaults are the contract; tests shrink them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Name lookup, TCP connect, proxy and TLS together.
    pub connect: Duration,
    /// One request from name lookup to the last byte of the answer.
    pub request: Duration,
    /// Body of one answer.
    pub body_bytes_max: u64,
    /// One run of `credential_process`.
    pub process: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            body_bytes_max: 16 * 1024 * 1024,
            process: Duration::from_secs(60),
        }
    }
}

/// Which certificates are trusted: the public roots, and those of `ca_file` besides.
///
/// ureq's own public roots are trust anchors, which cannot stand in one list with certificates
/// from a file; `webpki-root-certs` has the same roots as certificates.
///
/// # Errors
///
/// [`FaultKind::Network`] when `ca_file` cannot be read or holds no usable certificate.
pub fn trusted_roots(config: &Config) -> Result<RootCerts, Fault> {
    let Some(file) = &config.ca_file else {
        return Ok(RootCerts::WebPki);
    };
    let bad = |why: String| {
        Fault::new(
            FaultKind::Network,
            format!("ca_file {}: {why}", file.display()),
            "give a PEM file with CERTIFICATE blocks",
        )
    };
    let extra = pem::certificates(file).map_err(|flaw| bad(flaw.to_string()))?;
    // ureq passes over what it cannot use; the reader shall hear of it.
    let mut usable = rustls::RootCertStore::empty();
    for (n, certificate) in extra.iter().enumerate() {
        let added = usable.add(certificate.clone());
        added.map_err(|error| bad(format!("certificate {}: {error}", n + 1)))?;
    }
    let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    let public = public.map(|der| Certificate::from_der(der.as_ref()));
    let extra = extra
        .iter()
        .map(|der| Certificate::from_der(der.as_ref()).to_owned());
    Ok(RootCerts::from(public.chain(extra).collect::<Vec<_>>()))
}

/// An agent for everything that goes the same way out, which is directly without a proxy.
pub fn agent(through: Option<&Through>, roots: &RootCerts, limits: &Limits) -> Agent {
    client_agent(through, roots, None, limits)
}

/// The same with a client certificate.
pub fn client_agent(
    through: Option<&Through>,
    roots: &RootCerts,
    client: Option<ClientCert>,
    limits: &Limits,
) -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots.clone())
        .client_cert(client)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(through.map(|through| through.proxy.clone()))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("mediapackage2mqtt/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(limits.connect))
        .timeout_global(Some(limits.request))
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .max_idle_connections(IDLE_CONNECTIONS_MAX)
        .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
        .build();
    // As ureq's own, with another keeper of the tunnel, and names looked up later.
    let connector =
        ().chain(Tunnel::new(through))
            .chain(Lookup::new(DefaultResolver::default()))
            .chain(RustlsConnector::default());
    Agent::with_parts(config, connector, Later)
}

/// What an error of the transport means, and whether trying again may help.
///
/// `peer` is host and port; `limits` are named where they were reached.
pub fn explain(error: ureq::Error, peer: &str, limits: &Limits) -> (Fault, Retry) {
    let fault = |kind, what: String, remedy: &str| Fault::new(kind, what, remedy);
    if let ureq::Error::Other(other) = &error
        && let Some(trouble) = other.downcast_ref::<Trouble>()
    {
        return trouble.explain(peer, limits);
    }
    match error {
        ureq::Error::Io(error) => explain_io(error, peer),
        ureq::Error::Rustls(error) => explain_tls(&error, peer),
        ureq::Error::Timeout(timeout) => {
            let limit = match timeout {
                ureq::Timeout::Connect => limits.connect,
                _ => limits.request,
            };
            let what = format!("{peer} did not answer within {} s", limit.as_secs_f32());
            let fault = fault(
                FaultKind::Network,
                what,
                "check the network, firewall and proxy",
            );
            (fault, Retry::Transient)
        }
        ureq::Error::HostNotFound => (no_such_host(peer), Retry::Transient),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            let what = format!("{peer} answered something that is not HTTP/1.1");
            let remedy = "check the url and what stands between";
            (fault(FaultKind::Answer, what, remedy), Retry::Transient)
        }
        _ => {
            let what = format!("no connection to {peer}");
            (
                fault(FaultKind::Network, what, "check the url and the proxy"),
                Retry::Transient,
            )
        }
    }
}

fn explain_io(error: io::Error, peer: &str) -> (Fault, Retry) {
    if let Some(tls) = tls_error(&error) {
        return explain_tls(tls, peer);
    }
    let text = error.to_string();
    // The standard library gives a failed lookup no kind of its own.
    if text.contains("failed to lookup address") {
        return (no_such_host(peer), Retry::Transient);
    }
    let cut = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    );
    let what = if cut {
        format!("{peer} broke off the connection before its answer was complete")
    } else {
        format!("no connection to {peer}: {text}")
    };
    let remedy = if cut {
        ""
    } else {
        "check the url, the network, firewall and proxy"
    };
    (
        Fault::new(FaultKind::Network, what, remedy),
        Retry::Transient,
    )
}

/// What the TLS handshake said, where that is what an error of the socket is.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn no_such_host(peer: &str) -> Fault {
    Fault::new(
        FaultKind::NoSuchHost,
        format!("the name of {peer} is not known to DNS"),
        "check region and url, DNS, and whether a proxy is needed",
    )
}

/// Certificates that are refused once are refused again: only trouble on the way is retried.
pub(super) fn explain_tls(error: &rustls::Error, peer: &str) -> (Fault, Retry) {
    use CertificateError as Bad;
    let fault = |kind, why: &str, remedy: &str| {
        (
            Fault::new(kind, format!("{peer}: {why}"), remedy),
            Retry::Never,
        )
    };
    let rustls::Error::InvalidCertificate(bad) = error else {
        let what = format!("no TLS connection to {peer}: {error}");
        let remedy = "check the url and what stands between";
        return (
            Fault::new(FaultKind::Network, what, remedy),
            Retry::Transient,
        );
    };
    match bad {
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => fault(
            FaultKind::Clock,
            "its certificate is not valid yet by this machine's clock",
            "set the clock",
        ),
        Bad::Expired | Bad::ExpiredContext { .. } => fault(
            FaultKind::Network,
            "its certificate has expired by this machine's clock",
            "check the clock, and what stands between",
        ),
        Bad::UnknownIssuer => fault(
            FaultKind::Network,
            "its certificate is of no authority that is trusted here",
            "if a proxy looks into TLS or the server is your own, give its root as ca_file",
        ),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => fault(
            FaultKind::Network,
            "its certificate is for another name",
            "check the url and what stands between",
        ),
        other => {
            let why = format!("its certificate is refused: {other}");
            fault(
                FaultKind::Network,
                &why,
                "check ca_file and what stands between",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(error: ureq::Error) -> (Fault, Retry) {
        explain(error, "example.com:443", &Limits::default())
    }

    #[test]
    fn trouble_on_the_way_is_told_with_its_place_and_may_pass() {
        use ureq::{Error, Timeout};
        let io = |kind| Error::Io(io::Error::from(kind));
        let lookup = io::Error::other("failed to lookup address information: Name unknown");
        let cases = [
            (io(io::ErrorKind::ConnectionRefused), "refused"),
            (io(io::ErrorKind::UnexpectedEof), "broke off"),
            (io(io::ErrorKind::ConnectionReset), "broke off"),
            (Error::Io(lookup), "DNS"),
            (Error::HostNotFound, "DNS"),
            (Error::Timeout(Timeout::Connect), "within 5 s"),
            (Error::Timeout(Timeout::Global), "within 30 s"),
            (Error::ConnectionFailed, "no connection"),
        ];
        for (error, word) in cases {
            let (fault, retry) = explained(error);
            let kind = match word {
                "DNS" => FaultKind::NoSuchHost,
                _ => FaultKind::Network,
            };
            assert_eq!((fault.kind, retry), (kind, Retry::Transient), "{fault}");
            assert!(fault.what.contains("example.com:443"), "{fault}");
            assert!(fault.to_string().contains(word), "{word}: {fault}");
        }
    }

    #[test]
    fn a_refused_certificate_is_told_with_what_to_do_and_not_tried_again() {
        use CertificateError as Bad;
        let cases = [
            (Bad::UnknownIssuer, FaultKind::Network, "ca_file"),
            (Bad::NotValidYet, FaultKind::Clock, "clock"),
            (Bad::Expired, FaultKind::Network, "clock"),
            (Bad::NotValidForName, FaultKind::Network, "another name"),
            (Bad::Revoked, FaultKind::Network, "refused"),
        ];
        for (bad, kind, word) in cases {
            let error = rustls::Error::InvalidCertificate(bad);
            // This is how it comes out of a handshake.
            let (fault, retry) = explained(ureq::Error::Io(io::Error::other(error)));
            assert_eq!((fault.kind, retry), (kind, Retry::Never), "{fault}");
            assert!(fault.what.contains("example.com:443"), "{fault}");
            assert!(fault.to_string().contains(word), "{word}: {fault}");
        }
    }
}
