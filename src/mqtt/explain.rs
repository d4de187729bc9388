//! What the end of a session means to the reader, and which key mends it. Each text ends in
//! "; " and what to do.

use std::error::Error;
use std::io::{self, ErrorKind};

use rumqttc::{ConnectReturnCode, ConnectionError, StateError};
use rustls::{AlertDescription, CertificateError};

use super::session::CONNECT_SECONDS_MAX;

/// What is known of the session that ended.
#[derive(Clone, Copy, Default)]
pub(super) struct Session<'a> {
    /// The broker had let us in.
    pub begun: bool,
    /// What was sent and not acknowledged, the oldest of it.
    pub unacknowledged: Option<&'a str>,
}

/// How the broker is reached, as far as it bears on what its refusals mean.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub tls: bool,
    /// AWS IoT Core.
    pub iot: bool,
    pub has_ca_file: bool,
    pub has_certificate: bool,
    pub client_id: String,
    /// Its name is one of mDNS (RFC 6762, section 3), which DNS does not know.
    pub local_name: bool,
}

impl Place {
    pub(super) fn explain(&self, error: &ConnectionError, session: Session<'_>) -> String {
        if let Some(tls) = cause::<rustls::Error>(error) {
            return format!("TLS: {}", self.explain_tls(tls));
        }
        match error {
            ConnectionError::ConnectionRefused(code) => refusal(*code).to_owned(),
            ConnectionError::NetworkTimeout => {
                format!("no answer within {CONNECT_SECONDS_MAX} s; check host, port and firewall")
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => self.closed(session),
            ConnectionError::MqttState(StateError::AwaitPingResp) => {
                "it answers no longer; check the network and the broker".to_owned()
            }
            _ => match cause::<io::Error>(error) {
                Some(io) => self.explain_io(error, io, session),
                None => error.to_string(),
            },
        }
    }

    fn explain_io(&self, whole: &ConnectionError, io: &io::Error, session: Session<'_>) -> String {
        match io.kind() {
            ErrorKind::ConnectionRefused => {
                "connection refused; is the broker running on this port?".to_owned()
            }
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => match whole {
                ConnectionError::Tls(_) => "it closed the connection instead of speaking TLS; \
                                            check host and port in [mqtt] url, and mqtt:// if \
                                            it has no TLS there"
                    .to_owned(),
                _ => self.closed(session),
            },
            _ if io.to_string().contains("failed to lookup address") => match self.local_name {
                true => {
                    "its name is not known to DNS; one in .local is seldom to be had for a \
                         static program: write the address into [mqtt] url"
                }
                false => "its name is not known to DNS; check the host in [mqtt] url",
            }
            .to_owned(),
            _ => io.to_string(),
        }
    }

    /// The broker hung up without a word, which MQTT 3.1.1 has none for.
    fn closed(&self, session: Session<'_>) -> String {
        if !session.begun {
            return self.closed_at_the_door();
        }
        let Some(topic) = session.unacknowledged else {
            return "the broker closed the connection; it does so when it stops, or when another \
                    client comes with the same client id"
                .to_owned();
        };
        let rules = if self.iot {
            "AWS IoT Core does so when its policy does not allow iot:Publish and \
             iot:RetainPublish there"
        } else {
            "some brokers do so when their access list forbids a topic or a message is too large \
             for them"
        };
        format!(
            "the broker closed the connection before it acknowledged {topic}; {rules}, any broker \
             when another client comes with the same client id"
        )
    }

    fn closed_at_the_door(&self) -> String {
        let id = &self.client_id;
        match (self.tls, self.iot) {
            (_, true) => format!(
                "AWS IoT Core closed the connection without an answer; check that the \
                 certificate is active and that its policy allows iot:Connect as {id}, with the \
                 last will"
            ),
            (true, false) => format!(
                "the broker closed the connection without an answer; check what it wants: a \
                 client certificate ([mqtt] cert_file, key_file), or another client id than {id}"
            ),
            (false, false) => "the broker closed the connection without an answer; check host \
                               and port in [mqtt] url, and mqtts:// if it speaks TLS there"
                .to_owned(),
        }
    }

    fn explain_tls(&self, error: &rustls::Error) -> String {
        match error {
            rustls::Error::AlertReceived(alert) => self.explain_alert(*alert),
            rustls::Error::InvalidCertificate(bad) => self.explain_certificate(bad),
            rustls::Error::InvalidMessage(_) => "the broker does not speak TLS on this port; \
                                                 check the port in [mqtt] url, or use mqtt://"
                .to_owned(),
            other => format!("{other}; check [mqtt] url, ca_file, cert_file and key_file"),
        }
    }

    /// What the broker says of our certificate (RFC 8446 section 6.2).
    fn explain_alert(&self, alert: AlertDescription) -> String {
        use AlertDescription as Alert;
        let ours = "check [mqtt] cert_file and key_file";
        match alert {
            Alert::UnknownCA => format!(
                "the broker does not know the authority that our certificate is of; {ours}, or \
                 give the broker that authority"
            ),
            Alert::CertificateExpired => {
                format!("the broker says that our certificate has expired; {ours}")
            }
            Alert::CertificateRevoked => {
                format!("the broker says that our certificate is revoked; {ours}")
            }
            Alert::CertificateRequired => {
                format!("the broker wants a client certificate; {ours}")
            }
            // TLS 1.2 has no alert of its own for a certificate that is missing.
            Alert::HandshakeFailure if !self.has_certificate => format!(
                "the broker broke the handshake off, as it does when it wants a client \
                 certificate; {ours}"
            ),
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::AccessDenied
            | Alert::DecryptError => {
                format!("the broker refuses our certificate ({alert:?}); {ours}")
            }
            Alert::UnrecognisedName => {
                "the broker has no certificate for this name; check the host in [mqtt] url"
                    .to_owned()
            }
            Alert::NoApplicationProtocol => {
                "the broker does not take MQTT on this port; check the port in [mqtt] url"
                    .to_owned()
            }
            other => format!(
                "the broker broke the handshake off ({other:?}); check [mqtt] url, cert_file and \
                 key_file"
            ),
        }
    }

    /// What we say of the broker's.
    fn explain_certificate(&self, bad: &CertificateError) -> String {
        use CertificateError as Bad;
        match bad {
            // The signature is wrong where an authority was made anew under its old name.
            Bad::UnknownIssuer | Bad::BadSignature if self.has_ca_file => {
                "the broker's certificate is of another authority than those in ca_file; check \
                 [mqtt] ca_file"
                    .to_owned()
            }
            Bad::UnknownIssuer => "the broker's certificate is of no public authority; give its \
                                   root as [mqtt] ca_file"
                .to_owned(),
            Bad::NotValidForName => "the broker's certificate is for another name; check the host \
                                     in [mqtt] url"
                .to_owned(),
            Bad::NotValidForNameContext { presented, .. } => format!(
                "the broker's certificate is for another name ({}); check the host in [mqtt] url",
                presented
                    .iter()
                    .map(|name| bare(name))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "the broker's certificate has expired by this machine's clock; renew it, or set \
                 the clock"
                    .to_owned()
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the broker's certificate is not valid yet by this machine's clock; set the clock"
                    .to_owned()
            }
            other => format!(
                "the broker's certificate is refused ({other}); give it a certificate of an \
                 authority in [mqtt] ca_file"
            ),
        }
    }
}

/// `DnsName("a.example")` without what is for programmers.
fn bare(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

/// Looks for an error of this kind below another one. What `io::Error` holds is not its source.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let io = error.downcast_ref::<io::Error>();
        let held = io.and_then(io::Error::get_ref);
        next = held.map(|held| held as _).or_else(|| error.source());
    }
    None
}

/// What the return code of a CONNACK means (MQTT 3.1.1 section 3.2.2.3).
fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword => {
            "the broker refuses the user name or password (return code 4); check [mqtt] username \
             and password"
        }
        // mosquitto knows no other.
        ConnectReturnCode::NotAuthorized => {
            "the broker does not let us in (return code 5: a wrong user name or password to some \
             brokers, a missing right to others); check [mqtt] username, password and its access \
             list"
        }
        ConnectReturnCode::BadClientId => {
            "the broker refuses the client id (return code 2); check [mqtt] client_id"
        }
        ConnectReturnCode::ServiceUnavailable => {
            "the broker says that it is unavailable (return code 3)"
        }
        ConnectReturnCode::RefusedProtocolVersion => {
            "the broker does not speak MQTT 3.1.1 (return code 1)"
        }
        ConnectReturnCode::Success => "the broker accepted and left",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(tls: bool, iot: bool) -> Place {
        Place {
            tls,
            iot,
            has_ca_file: true,
            has_certificate: true,
            client_id: "edge-1".into(),
            local_name: false,
        }
    }

    #[test]
    fn who_writes_a_name_of_mdns_hears_of_the_address() {
        let told = |local_name| {
            let unknown = io::Error::other("failed to lookup address information: Name unknown");
            let place = Place {
                local_name,
                ..place(false, false)
            };
            place.explain(&ConnectionError::Io(unknown), Session::default())
        };
        assert!(told(true).contains("write the address into [mqtt] url"));
        assert!(told(false).ends_with("check the host in [mqtt] url"));
    }

    fn closed() -> ConnectionError {
        ConnectionError::MqttState(StateError::ConnectionAborted)
    }

    #[test]
    fn a_return_code_is_told_in_words_and_with_the_key_as_far_as_it_is_known() {
        let cases = [
            (ConnectReturnCode::RefusedProtocolVersion, "(return code 1)"),
            (ConnectReturnCode::BadClientId, "; check [mqtt] client_id"),
            (ConnectReturnCode::ServiceUnavailable, "(return code 3)"),
            (
                ConnectReturnCode::BadUserNamePassword,
                "(return code 4); check [mqtt] username and password",
            ),
            (
                ConnectReturnCode::NotAuthorized,
                "return code 5: a wrong user name or password",
            ),
        ];
        for (code, words) in cases {
            let error = ConnectionError::ConnectionRefused(code);
            let told = place(false, false).explain(&error, Session::default());
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn a_broker_that_hangs_up_without_a_word_is_judged_by_when_it_did() {
        let begun = Session {
            begun: true,
            unacknowledged: None,
        };
        let sending = Session {
            begun: true,
            unacknowledged: Some("m/e/status"),
        };
        let cases = [
            (
                place(false, false),
                Session::default(),
                "mqtts:// if it speaks TLS",
            ),
            (
                place(true, false),
                Session::default(),
                "a client certificate",
            ),
            (
                place(true, true),
                Session::default(),
                "allows iot:Connect as edge-1",
            ),
            (place(true, true), begun, "the same client id"),
            (
                place(true, true),
                sending,
                "acknowledged m/e/status; AWS IoT Core",
            ),
            (
                place(true, false),
                sending,
                "acknowledged m/e/status; some brokers",
            ),
        ];
        for (place, session, words) in cases {
            let told = place.explain(&closed(), session);
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn tls_alerts_say_which_key_mends_them_wherever_they_are_found() {
        use AlertDescription as Alert;
        let cases = [
            (Alert::UnknownCA, "does not know the authority"),
            (Alert::CertificateRequired, "wants a client certificate"),
            (Alert::BadCertificate, "refuses our certificate"),
            (Alert::CertificateExpired, "our certificate has expired"),
            (Alert::CertificateRevoked, "is revoked"),
        ];
        for (alert, words) in cases {
            // TLS 1.3 tells it after the handshake, when we read the CONNACK.
            let io = io::Error::new(ErrorKind::InvalidData, rustls::Error::AlertReceived(alert));
            let error = ConnectionError::MqttState(StateError::Io(io));
            let told = place(true, false).explain(&error, Session::default());
            assert!(told.starts_with("TLS: "), "{told}");
            assert!(told.contains(words) && told.contains("cert_file"), "{told}");
        }
    }
}
