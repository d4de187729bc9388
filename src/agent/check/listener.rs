//! `[sns]`: the port, and the certificate that AWS is shown there.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::super::{clock, state_dir};
use super::certificates;
use super::report::Report;
use crate::config::{Config, Sns};
use crate::http::Tls;
use crate::pem;
use crate::state::time::UnixMs;

/// Ports below need a capability.
const PORT_OF_ANYBODY_MIN: u16 = 1024;
/// A port of this machine that is open answers within this.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// Whether AWS could deliver here, as far as this machine can tell.
pub fn check<W: Write>(report: &mut Report<W>, config: &Config) {
    let Some(sns) = &config.sns else {
        return;
    };
    port(report, config, sns);
    certificate(report, sns);
    if sns.public_url.is_none() {
        report.note(
            "sns",
            "public_url is not given, so that subscribe-url cannot tell",
        );
    }
}

/// Opens the port for a moment, unless the agent of this config has it.
fn port<W: Write>(report: &mut Report<W>, config: &Config, sns: &Sns) {
    const PART: &str = "sns port";
    let listen = sns.listen;
    let Err(error) = TcpListener::bind(listen) else {
        match is_for_root_alone(listen, is_root()) {
            true => report.warn(
                PART,
                &format!("{listen} can be listened on by root, who runs this check"),
                "for the agent's own user enable mediapackage2mqtt.socket",
            ),
            false => report.ok(PART, &format!("{listen} can be listened on")),
        }
        return;
    };
    if error.kind() == ErrorKind::AddrInUse && state_dir::is_locked(config) {
        report.note(PART, &format!("the agent that runs listens on {listen}"));
        return;
    }
    if error.kind() == ErrorKind::PermissionDenied
        && state_dir::is_locked(config)
        && is_answered(listen)
    {
        let found = format!("{listen} is open, by a socket of systemd for the agent that runs");
        report.note(PART, &found);
        return;
    }
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => {
            "give [sns] listen a port that no other program has; where a socket unit of systemd \
             holds it for the agent (systemctl list-sockets), all is well"
        }
        ErrorKind::PermissionDenied => {
            "for a port below 1024 enable mediapackage2mqtt.socket, or give the agent the \
             capability CAP_NET_BIND_SERVICE; or give [sns] listen another port"
        }
        _ => "check [sns] listen",
    };
    let found = format!("cannot listen on {listen}: {error}");
    report.fail(PART, &found, remedy);
}

/// Whether somebody listens there, as far as this machine can tell.
fn is_answered(listen: SocketAddr) -> bool {
    let here = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let place = SocketAddr::new(here, listen.port());
    TcpStream::connect_timeout(&place, ANSWER_WAIT).is_ok()
}

fn certificate<W: Write>(report: &mut Report<W>, sns: &Sns) {
    const PART: &str = "sns certificate";
    let (Some(cert_file), Some(key_file)) = (&sns.tls_cert_file, &sns.tls_key_file) else {
        report.note(
            PART,
            "none: SNS delivers over plain HTTP; its signatures hold all the same",
        );
        return;
    };
    if let Err(unusable) = Tls::load(cert_file, key_file) {
        report.fail(PART, &unusable, "");
        return;
    }
    let chain = pem::certificates(cert_file).unwrap_or_default();
    let Some((leaf, others)) = chain.split_first() else {
        return;
    };
    if !certificates::holds(report, PART, cert_file, leaf) {
        return;
    }
    let (shown, now) = (cert_file.display(), clock::wall());
    doubts(leaf, others, sns, now)
        .into_iter()
        .for_each(|(found, remedy)| report.warn(PART, &format!("{shown} {found}"), remedy));
}

/// What would keep SNS from delivering, though the files are in order.
fn doubts(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    sns: &Sns,
    now: UnixMs,
) -> Vec<(String, &'static str)> {
    let Ok(leaf) = EndEntityCert::try_from(leaf) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let host = sns.public_url.as_deref().and_then(host);
    let name = host.and_then(|host| Some((host, ServerName::try_from(host).ok()?)));
    if let Some((host, name)) = name
        && leaf.verify_is_valid_for_subject_name(&name).is_err()
    {
        let text = format!("is not for {host}");
        found.push((text, "get one for the host in [sns] public_url"));
    }
    let seconds = u64::try_from(now.0 / 1000).unwrap_or_default();
    let public = leaf.verify_for_usage(
        default_provider().signature_verification_algorithms.all,
        webpki_roots::TLS_SERVER_ROOTS,
        others,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        KeyUsage::server_auth(),
        None,
        None,
    );
    if let Err(error) = public {
        found.push((
            format!("does not lead to a public authority ({error})"),
            "SNS takes no other; put the whole chain there, the server's own first",
        ));
    }
    found
}

/// Whether root alone could open this port, who is not who the service runs as (ip(7)).
pub(super) fn is_for_root_alone(listen: SocketAddr, is_root: bool) -> bool {
    is_root && (1..PORT_OF_ANYBODY_MIN).contains(&listen.port())
}

/// Whether this process is root's.
pub(super) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The host of `scheme://host[:port][/path]`.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_the_public_url_is_found() {
        let cases = [
            ("https://edge.example.net:2000", Some("edge.example.net")),
            ("https://edge.example.net/sns", Some("edge.example.net")),
            ("http://[2001:db8::1]:2000", Some("2001:db8::1")),
            ("edge", None),
        ];
        for (url, wanted) in cases {
            assert_eq!(host(url), wanted, "{url}");
        }
    }

    #[test]
    fn root_hears_that_others_may_not_open_a_low_port() {
        let cases = [
            (443, true, true),
            (443, false, false),
            (2000, true, false),
            (0, true, false),
        ];
        for (port, is_root, wanted) in cases {
            let listen = SocketAddr::from(([0, 0, 0, 0], port));
            assert_eq!(is_for_root_alone(listen, is_root), wanted, "{port}");
        }
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_told_from_one_that_nobody_does() {
        for ip in ["127.0.0.1", "0.0.0.0"] {
            let open = TcpListener::bind((ip, 0)).unwrap();
            let place = open.local_addr().unwrap();
            assert!(is_answered(place), "{place}");
            drop(open);
            assert!(!is_answered(place), "{place}");
        }
    }
}
