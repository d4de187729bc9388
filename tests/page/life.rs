//! What the page does while the region, the agent and time go on.

use crate::browser::run;
use crate::harness::{Agent, LIMIT, json};
use crate::place::Place;
use crate::region::{Alarm, FOREVER, Fault, World};

/// What a failing source says.
const REFUSED: Fault = Fault::Error {
    status: 400,
    code: "AccessDeniedException",
    message: "User is not authorized to perform cloudwatch:GetMetricData",
};

fn three_channels() -> World {
    let mut world = World::new("eu-central-1").with_channels(3, 2);
    world.put_alarm(Alarm::metric(
        "silent",
        "IngressBytes",
        &[("Channel", "ch-0000")],
    ));
    world.standard_metrics()
}

/// What `live.mjs` asks for.
fn happen(place: &Place, agent: &mut Option<Agent>, what: &str) {
    let region = &place.site.region;
    match what {
        "describe" => region.edit(|w| {
            w.channel("ch-0001").description = Some(String::from("Now with commercials"));
        }),
        "add" => region.edit(|w| {
            w.add_channel("added", 2);
            w.add_metrics("added");
        }),
        "remove" => region.edit(|w| w.remove_channel("added")),
        "alarm" => drop(region.set_alarm_state("silent", "ALARM", true)),
        "calm" => drop(region.set_alarm_state("silent", "OK", true)),
        "refuse" => region.edit(|w| w.faults.add("GetMetricData", FOREVER, REFUSED)),
        "allow" => region.edit(|w| w.faults.clear()),
        "kill" => agent.take().into_iter().for_each(Agent::kill),
        "start" => *agent = Some(place.agent()),
        other => panic!("live.mjs asks for {other}"),
    }
}

#[test]
fn the_page_follows_what_happens_and_keeps_what_the_user_did() {
    let place = Place::new(three_channels());
    let mut agent = Some(place.agent());
    let eyes = place.site.eyes();
    eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "ok");
    run("live", &place.url(), |what| {
        happen(&place, &mut agent, what);
        String::from("done")
    });
}

#[test]
fn a_page_left_open_does_not_grow() {
    let place = Place::new(three_channels());
    let agent = place.agent();
    let eyes = place.site.eyes();
    eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "ok");
    run("left_open", &place.url(), |_| String::new());
    agent.stop();
}

#[test]
fn a_page_of_somebody_else_gets_nothing() {
    let place = Place::new(three_channels());
    let agent = place.agent();
    let eyes = place.site.eyes();
    eyes.wait_until(LIMIT, |tree| json(tree, "agent")["health"] == "ok");
    run("foreign", &place.url(), |_| String::new());
    agent.stop();
}
