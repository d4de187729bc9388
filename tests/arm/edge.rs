//! A site where every connection is TLS by one authority of its own: AWS, the broker, and SNS's
//! way in.

use rumqttc::{MqttOptions, TlsConfiguration, Transport};

use crate::harness::{PREFIX, wait_for};
use crate::place::Place;
use crate::region::sns::signing::SignedMessage;
use crate::support::certificates::Certificates;
use crate::support::mosquitto::Setup;
use crate::support::relay::Relay;
use crate::support::subscriber::{Subscriber, Tree, options, retained_with};

const USER: &str = "agent";
/// Must not be seen in the log.
pub const PASSWORD: &str = "planted-mqtt-password";

pub struct Edge {
    pub place: Place,
    certificates: Certificates,
    /// In front of the region.
    _relay: Relay,
}

impl Edge {
    pub fn new() -> Edge {
        let certificates = Certificates::make();
        let setup = Setup {
            tls: Some(&certificates),
            user: Some((USER, PASSWORD)),
            ..Setup::default()
        };
        let place = Place::with_broker(&setup);
        let region = place.site.region.url();
        let port = region.rsplit(':').next().unwrap().parse().unwrap();
        let relay = Relay::start(port, &certificates);
        let aws = format!("https://localhost:{}", relay.port());
        place.site.region.edit(|w| w.sns.url.clone_from(&aws));
        let broker = format!("mqtts://localhost:{}", place.site.broker.port());
        let file = |name| certificates.path(name).display().to_string();
        let site = place.site.configured(|config| {
            config
                .text("ca_file", &file("ca.pem"))
                .text("mediapackage.url", &aws)
                .text("cloudwatch.url", &aws)
                .text("sns.url", &aws)
                .text("sns.tls_cert_file", &file("server.pem"))
                .text("sns.tls_key_file", &file("server.key"))
                .text("mqtt.url", &broker)
                .text("mqtt.ca_file", &file("ca.pem"))
                .text("mqtt.username", USER)
                .text("mqtt.password", PASSWORD)
        });
        Edge {
            place: Place { site, ..place },
            certificates,
            _relay: relay,
        }
    }

    /// Sees all that is published below our prefix.
    pub fn eyes(&self) -> Subscriber {
        Subscriber::with(self.options(), &format!("{PREFIX}#"))
    }

    /// What the broker keeps below our prefix.
    pub fn retained(&self) -> Tree {
        retained_with(self.options(), &format!("{PREFIX}#"))
    }

    /// A message to the topic, with a signature of this version.
    pub fn message(&self, version: &str, text: &str) -> SignedMessage {
        let region = &self.place.site.region;
        region.edit(|w| version.clone_into(&mut w.sns.topics[0].signature_version));
        region.sns().sign(&self.place.topic_arn, None, text)
    }

    /// Posts a message to the agent: status of the answer. As SNS does, it tries again what is
    /// not answered in time, which an emulated agent on a busy machine may miss.
    pub fn post(&self, message: &SignedMessage) -> u16 {
        let url = self.place.url().replace("http:", "https:");
        let root = std::fs::read_to_string(self.certificates.path("ca.pem")).unwrap();
        wait_for("an answer", || message.post(&url, Some(&root)).ok()).0
    }

    fn options(&self) -> MqttOptions {
        let ca = std::fs::read(self.certificates.path("ca.pem")).unwrap();
        let tls = TlsConfiguration::Simple {
            ca,
            alpn: None,
            client_auth: None,
        };
        let mut options = options(self.place.site.broker.port());
        options.set_transport(Transport::tls_with_config(tls));
        options.set_credentials(USER, PASSWORD);
        options
    }
}
