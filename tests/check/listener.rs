//! What `check` says of the SNS listener's port and certificate, and of the local page's port.

use crate::harness::{Agent, wait_for};
use crate::printed::{check, config, usual_world};
use crate::region::Region;
use crate::support::certificates::Certificates;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::ports::{accepts, free_port};

const TOPICS: &str = "[\"arn:aws:sns:eu-central-1:123456789012:mp\"]";

#[test]
fn a_certificate_that_sns_would_not_take_is_doubted_and_a_port_of_our_own_is_no_trouble() {
    let region = Region::start(usual_world());
    let broker = Mosquitto::start(&Setup::default());
    let certificates = Certificates::make();
    let file = |name| certificates.path(name).to_str().unwrap().to_owned();
    let (port, page) = (free_port(), free_port());
    let config = config(&region, broker.port())
        .text("sns.listen", &format!("127.0.0.1:{port}"))
        .set("sns.topic_arns", TOPICS)
        .text("sns.url", &region.url())
        .text("sns.proxy", "none")
        .text("sns.tls_cert_file", &file("server.pem"))
        .text("sns.tls_key_file", &file("server.key"))
        .text("sns.public_url", "https://edge.example.net:2000")
        .text("status.listen", &format!("127.0.0.1:{page}"));
    let agent = Agent::start(&config.write());
    wait_for("the listener", || accepts(port).then_some(()));
    wait_for("the page", || accepts(page).then_some(()));
    let printed = check(&config);
    let lines = [
        (
            "note",
            "sns port",
            "the agent that runs listens on 127.0.0.1:",
        ),
        (
            "note",
            "status port",
            "the agent that runs listens on 127.0.0.1:",
        ),
        ("ok", "sns certificate", "server.pem holds until"),
        (
            "warn",
            "sns certificate",
            "server.pem is not for edge.example.net",
        ),
        (
            "warn",
            "sns certificate",
            "server.pem does not lead to a public authority",
        ),
    ];
    printed.holds("beside the agent", &lines);
    printed.ends("beside the agent", 0);
    drop(agent);
}
