//! What the measurements run in: region, broker, config, and messages for it.

use crate::harness::{Agent, Site};
use crate::place::Place;
use crate::posts::{Post, post};
use crate::region::sns::signing::{Fields, Kind, SignedMessage};
use crate::region::sns::{events, uuid};
use crate::region::{Alarm, World};
use crate::support::certificates::Certificates;
use crate::support::mosquitto::Setup;
use crate::support::ports::free_port;

/// What the agent is measured with elsewhere, too.
const CHANNELS: usize = 10;
const ENDPOINTS_A_CHANNEL: usize = 4;
/// Signing takes far longer than verifying.
const SIGNERS: usize = 2;
/// The broker tells no log, and drops nothing that a subscriber has not read yet.
const BROKER: &str = "log_type none\nmax_queued_messages 0\nmax_inflight_messages 0\n";

/// A message of the queue, and the id that its envelope has.
pub struct Body {
    pub id: String,
    pub text: String,
}

/// A place, and what keeps its files there.
pub struct Scene {
    pub place: Place,
    certificates: Certificates,
}

impl Scene {
    pub fn new() -> Scene {
        let setup = Setup {
            persistence: true,
            more: BROKER,
            ..Setup::default()
        };
        let mut world = World::new("eu-central-1")
            .with_channels(CHANNELS, ENDPOINTS_A_CHANNEL)
            .standard_metrics();
        let silent = Alarm::metric("silent", "IngressBytes", &[("Channel", "ch-0000")]);
        world.put_alarm(silent);
        let site = Site::with_broker(world, &setup);
        let port = free_port();
        let topic_arn = site.region.sns().topic("mp");
        let aws = site.region.url();
        let topics = format!("[\"{topic_arn}\"]");
        let site = site.configured(|config| {
            config
                .text("log", "info")
                .text("mediapackage.interval", "1m")
                .text("cloudwatch.interval", "1m")
                .text("cloudwatch.alarms_interval", "1m")
                .text("sns.listen", &format!("127.0.0.1:{port}"))
                .set("sns.topic_arns", &topics)
                .text("sns.url", &aws)
                .text("sns.proxy", "none")
        });
        Scene {
            place: Place {
                site,
                topic_arn,
                port,
            },
            certificates: Certificates::make(),
        }
    }

    /// One that listens over TLS; and the authority of its certificate.
    pub fn with_tls() -> (Scene, String) {
        let Scene {
            place,
            certificates,
        } = Scene::new();
        let file = |name| certificates.path(name).to_str().unwrap().to_owned();
        let site = place.site.configured(|config| {
            config
                .text("sns.tls_cert_file", &file("server.pem"))
                .text("sns.tls_key_file", &file("server.key"))
        });
        let root = std::fs::read_to_string(certificates.path("ca.pem")).unwrap();
        let scene = Scene {
            place: Place { site, ..place },
            certificates,
        };
        (scene, root)
    }

    /// One that takes messages from a queue besides; and the queue.
    pub fn with_queue() -> (Scene, String) {
        let Scene {
            place,
            certificates,
        } = Scene::new();
        let (queue, aws) = (
            place.site.region.sqs().queue("box"),
            place.site.region.url(),
        );
        let topics = format!("[\"{}\"]", place.topic_arn);
        let site = place.site.configured(|config| {
            config
                .text("sqs.queue_url", &queue)
                .set("sqs.topic_arns", &topics)
                .text("sqs.url", &aws)
                .text("sqs.proxy", "none")
        });
        let scene = Scene {
            place: Place { site, ..place },
            certificates,
        };
        (scene, queue)
    }

    /// Envelopes for the queue, all different. Nobody looks at their signatures.
    pub fn bodies(&self, count: usize) -> Vec<Body> {
        let signed = self.messages(1).remove(0);
        let body = |_| {
            let id = uuid();
            let text = signed.body.replace(&signed.message_id, &id);
            Body { id, text }
        };
        (0..count).map(body).collect()
    }

    pub fn port(&self) -> u16 {
        self.place.port
    }

    pub fn broker_port(&self) -> u16 {
        self.place.site.broker.port()
    }

    /// Starts the agent and waits until all of its sources work.
    pub fn agent(&self) -> Agent {
        let eyes = self.place.site.eyes();
        self.place.settled(&eyes)
    }

    /// Signed messages, all different.
    pub fn messages(&self, count: usize) -> Vec<SignedMessage> {
        let fields: Vec<Fields> = (0..count).map(|_| self.fields()).collect();
        std::thread::scope(|scope| {
            let sign = |part: &[Fields]| part.iter().map(Fields::sign).collect::<Vec<_>>();
            let parts = fields.chunks(count.div_ceil(SIGNERS));
            let parts: Vec<_> = parts.map(|part| scope.spawn(move || sign(part))).collect();
            parts
                .into_iter()
                .flat_map(|part| part.join().unwrap())
                .collect()
        })
    }

    /// The same as they go over the wire.
    pub fn posts(&self, count: usize) -> Vec<Post> {
        eprintln!("  signing {count} messages …");
        let messages = self.messages(count);
        messages.iter().map(|m| post(m, self.port())).collect()
    }

    fn fields(&self) -> Fields {
        let region = &self.place.site.region;
        region.edit(|world| {
            let endpoint = world.endpoints[0].id.clone();
            let message = events::key_provider(world, &endpoint);
            let fields = world.sns_fields(Kind::Notification, &self.place.topic_arn);
            Fields { message, ..fields }
        })
    }
}
