//! Every message that was answered 200 is published, whatever dies meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;

use crate::harness::{Agent, LIMIT, observe_messages, seed, wait_for};
use crate::place::Place;
use crate::support::mosquitto::Setup;
use crate::support::subscriber::Subscriber;

const ROUNDS: usize = 20;
const MESSAGES_A_ROUND: usize = 40;
/// Longest time between two deaths.
const LIFE_MS_MAX: u64 = 300;

/// Ids of all messages that were published.
fn published(eyes: &Subscriber) -> BTreeSet<String> {
    let id = |payload: &str| -> String {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        payload["message_id"].as_str().unwrap().to_owned()
    };
    eyes.stream().iter().map(|m| id(&m.payload)).collect()
}

#[test]
fn what_was_answered_is_published_though_agent_and_broker_die_at_any_moment() {
    let seed = seed();
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let keeps_all = Setup {
        persistence: true,
        more: "max_queued_messages 0\n",
        ..Setup::default()
    };
    let mut place = Place::with_broker(&keeps_all);
    place.subscribed();
    let eyes = observe_messages(place.site.broker.port());
    let mut agent = Some(place.agent());
    for round in 0..ROUNDS {
        for n in 0..MESSAGES_A_ROUND {
            place.publish(&format!(r#"{{"round":{round},"n":{n}}}"#));
        }
        let pause = |rng: &mut Rng| {
            std::thread::sleep(Duration::from_millis(rng.u64(0..LIFE_MS_MAX)));
        };
        pause(&mut rng);
        let (broker_dies, agent_dies) = (rng.bool(), rng.bool());
        if agent_dies {
            agent.take().into_iter().for_each(Agent::kill);
        }
        if broker_dies {
            place.site.broker.stop();
        }
        pause(&mut rng);
        if broker_dies {
            place.site.broker.run();
        }
        if agent_dies {
            agent = Some(place.agent());
        }
    }
    let outcome = place.site.region.sns().deliverer().finish(LIMIT);
    assert_eq!(outcome.dropped, [], "SEED={seed}");
    let answered: BTreeSet<String> = outcome.delivered.keys().cloned().collect();
    assert!(!answered.is_empty(), "SEED={seed}");
    let known = answered.len() + outcome.given_up.len();
    assert_eq!(known, ROUNDS * MESSAGES_A_ROUND, "SEED={seed}");
    wait_for(&format!("all that was answered, SEED={seed}"), || {
        answered.is_subset(&published(&eyes)).then_some(())
    });
    wait_for("an empty spool", || spool_is_empty(&place).then_some(()));
}

fn spool_is_empty(place: &Place) -> bool {
    let files = std::fs::read_dir(place.spool()).unwrap();
    let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.all(|name| !name.ends_with(".segment"))
}

#[test]
fn without_broker_and_disk_a_message_is_refused_so_that_it_comes_again() {
    let mut place = Place::new();
    // A file in place of the spool's folder: not even root can write there.
    std::fs::create_dir_all(place.spool().parent().unwrap()).unwrap();
    std::fs::write(place.spool(), "in the way").unwrap();
    let eyes = place.site.eyes();
    let agent = place.agent();
    eyes.wait_until(LIMIT, |tree| {
        crate::harness::json(tree, "agent")["health"] == "degraded"
    });
    place.site.broker.stop();
    agent.wait_for_log("mqtt: no session");
    let message = place.site.region.sns().sign(&place.topic_arn, None, "kept");
    assert_eq!(message.post(&place.url(), None).unwrap().0, 503);
    agent.wait_for_log("the spool");
    std::fs::remove_file(place.spool()).unwrap();
    wait_for("the spool to work again", || {
        let status = message.post(&place.url(), None).unwrap().0;
        (status == 200).then_some(())
    });
    place.site.broker.run();
    wait_for("an empty spool", || spool_is_empty(&place).then_some(()));
    eyes.wait_until(LIMIT, |tree| {
        let listed = crate::harness::json(tree, "sns/messages");
        listed["messages"][0]["message"] == "kept"
    });
}
