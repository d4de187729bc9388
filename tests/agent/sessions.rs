//! A box without keys of its own: its certificate opens a role of AWS IoT, and that another one.

use std::process::Command;

use crate::harness::{Agent, Site, json, no_secret_in, program, wait_for};
use crate::region::sessions::EXTERNAL_ID;
use crate::region::{Clock, FOREVER, Fault, World};
use crate::support::certificates::Certificates;
use crate::support::relay::Relay;

const ROLE: &str = "arn:aws:iam::123456789012:role/edge";
/// How far AWS's time is set forward at once: less than a session of 15 minutes has left when
/// it is to be renewed.
const STEP_MS: i64 = 3 * 60_000;
/// In all 27 minutes.
const STEPS: i64 = 9;

/// A thing with its relay and its files.
struct Box {
    site: Site,
    _relay: Relay,
    _certificates: Certificates,
}

impl Box {
    fn new() -> Box {
        let mut world = World::new("eu-central-1").with_channels(2, 2);
        let sessions = &mut world.sessions;
        sessions.aliases.push(String::from("edge-role"));
        let asks = Some(EXTERNAL_ID.to_owned());
        sessions.roles.insert(ROLE.into(), asks);
        sessions.lifetime_ms = 15 * 60_000;
        let site = Site::new(world.standard_metrics());
        // Nothing else is let in.
        site.region.edit(|world| world.keys.clear());
        let certificates = Certificates::make();
        let port = site.region.url();
        let port = port.rsplit(':').next().unwrap().parse().unwrap();
        let relay = Relay::mutual(port, &certificates);
        let file = |name: &str| certificates.path(name).display().to_string();
        let site = site.configured(|config| {
            config
                .without("credentials")
                .text(
                    "credentials.iot.endpoint",
                    &format!("localhost:{}", relay.port()),
                )
                .text("credentials.iot.role_alias", "edge-role")
                .text("credentials.iot.cert_file", &file("client.pem"))
                .text("credentials.iot.key_file", &file("client.key"))
                .text("credentials.iot.ca_file", &file("ca.pem"))
                .text("credentials.assume_role.role_arn", ROLE)
                .text("credentials.assume_role.external_id", EXTERNAL_ID)
                .text("credentials.assume_role.duration", "15m")
        });
        Box {
            site,
            _relay: relay,
            _certificates: certificates,
        }
    }

    fn environment(&self) -> impl Fn(&mut Command) {
        let url = self.site.region.url();
        move |command| {
            command.env("AWS_ENDPOINT_URL_STS", &url);
        }
    }

    fn check(&self) -> String {
        let mut command = program();
        self.environment()(&mut command);
        let config = self.site.write();
        let output = command.arg("check").arg("--config").arg(config).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        no_secret_in("check", &text);
        text
    }

    fn given(&self, operation: &str) -> usize {
        let seen = self.site.region.requests();
        let given = seen
            .iter()
            .filter(|r| r.operation == operation && r.error.is_none());
        given.count()
    }
}

#[test]
fn the_agent_lives_through_short_sessions_without_a_failed_poll() {
    let thing = Box::new();
    let agent = Agent::start_with(&thing.site.write(), thing.environment());
    let eyes = thing.site.eyes();
    thing.site.wait_for_picture(&eyes);
    let warnings = agent.logged(" WARN ");
    for step in 1..=STEPS {
        thing
            .site
            .region
            .edit(|world| world.clock = Clock::Offset(step * STEP_MS));
        // The first one learns the time, the second one acts by it.
        thing.site.wait_for_requests("ListChannels", 2);
    }
    let sessions = (
        thing.given("AssumeRoleWithCertificate"),
        thing.given("AssumeRole"),
    );
    assert!(sessions.0 >= 3 && sessions.1 >= 3, "{sessions:?}");
    let seen = thing.site.region.requests();
    let refused = seen.iter().find(|r| r.error.is_some());
    assert!(refused.is_none(), "{refused:?}");
    assert_eq!(agent.logged(" WARN "), warnings);
    let tree = thing.site.retained();
    for (topic, payload) in &tree {
        no_secret_in(topic, payload);
    }
    assert_eq!(json(&tree, "agent")["health"], "ok");
    agent.stop();
}

#[test]
fn a_refresh_that_fails_is_told_once_and_the_session_lives_on() {
    let thing = Box::new();
    let agent = Agent::start_with(&thing.site.write(), thing.environment());
    let eyes = thing.site.eyes();
    thing.site.wait_for_picture(&eyes);
    let set = |minutes: i64| {
        let clock = Clock::Offset(minutes * 60_000);
        thing.site.region.edit(|world| world.clock = clock);
    };
    thing
        .site
        .region
        .edit(|world| world.denied.push("sts:*".into()));
    for minutes in [3, 6, 9, 12, 13, 14] {
        set(minutes);
        thing.site.wait_for_requests("ListChannels", 2);
    }
    agent.wait_for_log("credentials could not be renewed yet");
    assert_eq!(agent.logged("could not be renewed"), 1);
    let source = json(&eyes.tree(), "agent")["sources"]["mediapackage"].clone();
    assert_eq!(source["state"], "ok", "{source}");
    // Now it is over, and every source says so and since when.
    set(16);
    wait_for("the end of the session to be told", || {
        let source = json(&eyes.tree(), "agent")["sources"]["mediapackage"].clone();
        let error = source["error"].as_str().unwrap_or_default().to_owned();
        (error.contains("expired at") && error.contains("AccessDenied")).then_some(())
    });
    thing.site.region.edit(|world| world.denied.clear());
    thing.site.wait_for_picture(&eyes);
    agent.wait_for_log("credentials are renewed again");
    agent.stop();
}

#[test]
fn a_provider_that_does_not_answer_holds_up_no_stop() {
    let thing = Box::new();
    let stalls = |world: &mut World| world.faults.add("iot:*", FOREVER, Fault::Stall);
    thing.site.region.edit(stalls);
    let agent = Agent::start_with(&thing.site.write(), thing.environment());
    wait_for("AWS IoT to be asked", || {
        (thing.given("AssumeRoleWithCertificate") > 0).then_some(())
    });
    agent.stop();
}

#[test]
fn check_names_the_chain_and_what_is_missing_in_it() {
    let thing = Box::new();
    let text = thing.check();
    let line = format!("taken from AWS IoT role alias edge-role -> role {ROLE}, valid until 20");
    assert!(text.contains(&line), "{text}");
    assert!(
        text.contains("proxy            AWS IoT is reached directly"),
        "{text}"
    );
    assert!(text.contains("iot certificate  "), "{text}");
    assert!(text.contains("client.pem holds until "), "{text}");
    thing
        .site
        .region
        .edit(|world| world.denied.push("sts:*".into()));
    let text = thing.check();
    assert!(text.contains("allow sts:AssumeRole on the role"), "{text}");
    let fails = text.lines().filter(|line| line.starts_with("fail"));
    assert_eq!(fails.count(), 1, "{text}");
    assert!(
        text.contains("not asked, since the credentials do not work"),
        "{text}"
    );
    let config = thing.site.write();
    let mut offline = program();
    let output = offline
        .args(["check", "--offline", "--config"])
        .arg(config)
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let line = format!("AWS IoT role alias edge-role -> role {ROLE}; not tried");
    assert!(text.contains(&line), "{text}");
}
