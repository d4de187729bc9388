//! The tunnel through a proxy, and what goes wrong before it stands.

use std::fmt;
use std::io;

use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Transport,
};

use super::super::retry::Retry;
use super::super::transport::{Limits, explain_tls, tls_error};
use super::Through;
use crate::state::fault::{Fault, FaultKind};

/// Opens the tunnel as ureq does, and keeps its troubles apart from those of AWS behind it.
#[derive(Debug)]
pub(in crate::aws) struct Tunnel {
    inner: ConnectProxyConnector,
    through: Option<Through>,
}

impl Tunnel {
    /// Through this proxy, or none.
    pub(in crate::aws) fn new(through: Option<&Through>) -> Tunnel {
        Tunnel {
            inner: ConnectProxyConnector::default(),
            through: through.cloned(),
        }
    }
}

impl<In: Transport> Connector<In> for Tunnel {
    type Out = <ConnectProxyConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // The connection to the proxy itself comes by here too, without a proxy in its config.
        let wanted = details.config.proxy().and(self.through.as_ref());
        let opened = self.inner.connect(details, chained);
        opened.map_err(|error| match wanted {
            Some(through) => ureq::Error::Other(Box::new(Trouble {
                through: through.clone(),
                error,
            })),
            None => error,
        })
    }
}

/// What went wrong before the tunnel stood.
#[derive(Debug)]
pub(in crate::aws) struct Trouble {
    through: Through,
    error: ureq::Error,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.through, self.error)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    /// What it means, and whether trying again may help. `peer` is what the tunnel leads to.
    pub(in crate::aws) fn explain(&self, peer: &str, limits: &Limits) -> (Fault, Retry) {
        let through = &self.through;
        let fault = |what: String, remedy: String, retry| {
            (Fault::new(FaultKind::Network, what, remedy), retry)
        };
        let away = |what: String| fault(what, through.remedy(), Retry::Transient);
        match &self.error {
            ureq::Error::Timeout(_) => {
                let seconds = limits.connect.as_secs_f32();
                away(format!("{through} did not answer within {seconds} s"))
            }
            ureq::Error::HostNotFound => away(format!("the name of {through} is not known to DNS")),
            ureq::Error::Io(error) => match tls_error(error) {
                Some(tls) => explain_tls(tls, &through.to_string()),
                None => away(self.explain_io(error)),
            },
            ureq::Error::Rustls(error) => explain_tls(error, &through.to_string()),
            ureq::Error::ConnectProxyFailed(why) => self.explain_refusal(why, peer),
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                away(format!("{through} answered something that is not HTTP/1.1"))
            }
            _ => away(format!("no connection to {through}")),
        }
    }

    fn explain_io(&self, error: &io::Error) -> String {
        let (through, text) = (&self.through, error.to_string());
        match error.kind() {
            io::ErrorKind::ConnectionRefused => format!("{through} refuses the connection"),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => format!("{through} broke off the connection"),
            // The standard library gives a failed lookup no kind of its own.
            _ if text.contains("failed to lookup address") => {
                format!("the name of {through} is not known to DNS")
            }
            _ => format!("no connection to {through}: {text}"),
        }
    }

    /// ureq tells the status in words: "proxy server responded 407/407".
    fn explain_refusal(&self, why: &str, peer: &str) -> (Fault, Retry) {
        let through = &self.through;
        let digits = why.split(|c: char| !c.is_ascii_digit());
        let status = digits.filter_map(|digits| digits.parse().ok()).next();
        let network = |what: String, remedy: String| Fault::new(FaultKind::Network, what, remedy);
        match status.unwrap_or(0_u16) {
            0 => {
                let what = format!("{through} broke off the connection");
                (network(what, through.remedy()), Retry::Transient)
            }
            // Tinyproxy says 401 to who gave a wrong password, and 407 to who gave none.
            status @ (401 | 407) => {
                let what = if through.proxy.username().is_some() {
                    format!("{through} refuses the user name or the password ({status})")
                } else {
                    format!("{through} wants a user name and a password ({status})")
                };
                // A wrong password that is tried on and on may lock the account.
                (network(what, through.remedy_of_credentials()), Retry::Never)
            }
            status @ 500..600 => {
                let what = format!("{through} cannot reach {peer} ({status})");
                let remedy = "check the url, and the proxy's own way out";
                (network(what, String::from(remedy)), Retry::Transient)
            }
            status => {
                let what = format!("{through} does not let us through to {peer} ({status})");
                let remedy = "let it pass in the proxy's rules, or go past it by proxy = \"none\"";
                (network(what, String::from(remedy)), Retry::Never)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_a_proxy_names_the_proxy_and_the_key_that_mends_it() {
        use ureq::{Error, Timeout};
        let io = |kind| Error::Io(io::Error::from(kind));
        let lookup = io::Error::other("failed to lookup address information: Name unknown");
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let refused = |why: &str| Error::ConnectProxyFailed(why.to_owned());
        let (again, never) = (Retry::Transient, Retry::Never);
        let cases = [
            (
                io(io::ErrorKind::ConnectionRefused),
                "refuses the connection",
                again,
            ),
            (io(io::ErrorKind::ConnectionReset), "broke off", again),
            (
                io(io::ErrorKind::HostUnreachable),
                "no connection to",
                again,
            ),
            (Error::Io(lookup), "not known to DNS", again),
            (Error::HostNotFound, "not known to DNS", again),
            (Error::Timeout(Timeout::Connect), "within 5 s", again),
            (refused("proxy server did not respond"), "broke off", again),
            (
                refused("proxy server responded 407/407"),
                "wants a user name",
                never,
            ),
            (
                refused("proxy server responded 403/403"),
                "does not let us through",
                never,
            ),
            (
                refused("proxy server responded 502/502"),
                "cannot reach AWS:443",
                again,
            ),
            (Error::Rustls(unknown), "no authority", never),
            (Error::ConnectionFailed, "no connection to", again),
        ];
        let through = Through::of_environment("HTTPS_PROXY", "http://p.example.net:3128").unwrap();
        for (error, word, wanted) in cases {
            let through = through.clone();
            let trouble = Trouble { through, error };
            let (fault, retry) = trouble.explain("AWS:443", &Limits::default());
            assert_eq!((fault.kind, retry), (FaultKind::Network, wanted), "{fault}");
            assert!(
                fault.what.contains("the proxy p.example.net:3128"),
                "{fault}"
            );
            assert!(fault.what.contains(word), "{word}: {fault}");
        }
    }
}
