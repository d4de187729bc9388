//! TLS to the broker: its roots, and our certificate where it asks for one.

use std::path::Path;
use std::sync::Arc;

use rumqttc::TlsConfiguration;
use rustls::{ClientConfig, RootCertStore};

use crate::config;
use crate::config::region::is_iot_host;
use crate::pem::{self, Flaw};
use crate::state::fault::{Fault, FaultKind};

/// Where AWS IoT Core takes MQTT with a client certificate only from who names it ("Device
/// communication protocols"). A broker that knows nothing of it would refuse the name.
const IOT_ALPN_PORT: u16 = 443;
const IOT_ALPN: &[u8] = b"x-amzn-mqtt-ca";

/// Trusts `ca_file` alone where it is given, else the public roots.
pub(super) fn client_config(config: &config::Mqtt) -> Result<TlsConfiguration, Fault> {
    let mut roots = RootCertStore::empty();
    match &config.ca_file {
        Some(file) => {
            let found = pem::certificates(file).map_err(flawed(file, "ca_file"))?;
            for certificate in found {
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
    let mut client = match (&config.cert_file, &config.key_file) {
        (Some(cert_file), Some(key_file)) => {
            let chain = pem::certificates(cert_file).map_err(flawed(cert_file, "cert_file"))?;
            let key = pem::key(key_file).map_err(flawed(key_file, "key_file"))?;
            let with = builder.with_client_auth_cert(chain, key);
            with.map_err(|error| unfit(cert_file, key_file, &error))?
        }
        _ => builder.with_no_client_auth(),
    };
    if config.port == IOT_ALPN_PORT && is_iot_host(&config.host) {
        client.alpn_protocols = vec![IOT_ALPN.to_vec()];
    }
    Ok(TlsConfiguration::Rustls(Arc::new(client)))
}

/// Why a file cannot be used, and the key that names it.
fn flawed<'a>(file: &'a Path, key: &'a str) -> impl Fn(Flaw) -> Fault + 'a {
    move |flaw| match flaw {
        Flaw::Encrypted => {
            let what = format!("{} is encrypted with a passphrase", file.display());
            let remedy = "write it without one (openssl pkey -in … -out …) and keep it from \
                          others, or set [mqtt] key_file to another";
            Fault::new(FaultKind::Network, what, remedy)
        }
        flaw => unusable(file, key, &flaw),
    }
}

fn unfit(cert_file: &Path, key_file: &Path, error: &rustls::Error) -> Fault {
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        let (cert_file, key_file) = (cert_file.display(), key_file.display());
        let what = format!("{key_file} is not the key of the certificate in {cert_file}");
        let remedy = "check [mqtt] cert_file and key_file; the own certificate comes first in it";
        return Fault::new(FaultKind::Network, what, remedy);
    }
    unusable(cert_file, "cert_file", error)
}

fn unusable(file: &Path, key: &str, error: &dyn std::fmt::Display) -> Fault {
    let what = format!("{} cannot be used: {error}", file.display());
    Fault::new(FaultKind::Network, what, format!("check [mqtt] {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_iot_core_is_told_that_mqtt_is_meant_where_its_port_takes_other_things_too() {
        let iot = "a1b2-ats.iot.eu-central-1.amazonaws.com";
        let cases = [
            (iot, 443, true),
            ("a1b2.ats.iot.cn-north-1.amazonaws.com.cn", 443, true),
            (iot, 8883, false),
            ("broker.example.net", 443, false),
        ];
        for (host, port, wanted) in cases {
            let text =
                format!("region = \"eu-central-1\"\n[mqtt]\nurl = \"mqtts://{host}:{port}\"");
            let config = config::parse(Path::new("c.toml"), &text, &Default::default()).unwrap();
            let TlsConfiguration::Rustls(client) = client_config(&config.mqtt).unwrap() else {
                panic!("another TLS");
            };
            let offered = !client.alpn_protocols.is_empty();
            assert_eq!(offered, wanted, "{host}:{port}");
            assert!(client.enable_sni);
        }
    }
}
