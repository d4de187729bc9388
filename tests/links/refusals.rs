//! What a broker refuses in an orderly way.

use crate::harness::{Agent, LIMIT, PREFIX, text};
use crate::printed::{config, usual_world};
use crate::region::Region;
use crate::support::iot::Iot;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::subscriber::{Subscriber, options};

#[test]
fn a_subscription_that_is_refused_is_told_once_and_all_else_goes_on() {
    let region = Region::start(usual_world());
    let mut broker = Mosquitto::start(&Setup::default());
    let front = Iot::start(broker.port());
    front.refuse_subscriptions();
    let config = config(&region, front.port());
    let agent = Agent::start(&config.write());
    let told = agent.wait_for_log("refuses the subscription to");
    assert!(told.contains(&format!("{PREFIX}status; let")), "{told}");
    broker.stop();
    broker.run();
    agent.wait_for_log("mqtt: connected again");
    let eyes = Subscriber::with(options(broker.port()), &format!("{PREFIX}#"));
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "online");
    assert_eq!(agent.logged("refuses the subscription to"), 1);
    agent.stop();
}
