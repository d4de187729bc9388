//! `check` as its users run it: against the simulated region and a real broker.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;

#[path = "check/cases.rs"]
mod cases;
#[path = "check/listener.rs"]
mod listener;
#[path = "check/printed.rs"]
mod printed;
#[path = "check/queue.rs"]
mod queue;
#[path = "check/queue_cases.rs"]
mod queue_cases;
#[path = "check/queue_moto.rs"]
mod queue_moto;

use std::process::{Command, Stdio};

use harness::{Agent, LIMIT, PREFIX, program, wait_for};
use printed::{Line, Printed, check, config, usual_world};
use region::{Fault, Region};
use support::config::ConfigFile;
use support::mosquitto::{Mosquitto, Setup};
use support::ports::free_port;
use support::subscriber::retained;

#[test]
fn each_trouble_with_the_broker_is_told_with_its_remedy() {
    let region = Region::start(usual_world());
    let user = Some(("edge", "right"));
    let locked = Mosquitto::start(&Setup {
        user,
        ..Setup::default()
    });
    let deaf = "topic readwrite homeassistant/#\ntopic read mediapackage/#\n";
    let deaf = Mosquitto::start(&Setup {
        acl: Some(deaf),
        ..Setup::default()
    });
    let narrow = Mosquitto::start(&Setup {
        acl: Some("topic readwrite mediapackage/#\n"),
        ..Setup::default()
    });
    let login = |password: &str| {
        let config = config(&region, locked.port());
        let config = config.text("mqtt.username", "edge");
        config.text("mqtt.password", password)
    };
    let discovery = |port| config(&region, port).set("home_assistant.enabled", "true");
    let cases: [(&str, ConfigFile, &[Line], i32); 5] = [
        (
            "the broker is away",
            config(&region, free_port()),
            &[(
                "fail",
                "broker",
                "connection refused - is the broker running",
            )],
            1,
        ),
        (
            "a wrong password",
            login("wrong"),
            &[("fail", "broker", "- check [mqtt] username, password")],
            1,
        ),
        (
            "the right password",
            login("right"),
            &[
                ("ok", "broker", "lets us in"),
                ("ok", "round trip", "given back"),
            ],
            0,
        ),
        (
            "an access list without our prefix",
            discovery(deaf.port()),
            &[
                ("fail", "round trip", "is taken and not given back"),
                (
                    "fail",
                    "round trip",
                    "- let this user write and read mediapackage/test/#",
                ),
                ("ok", "discovery", "can be written"),
            ],
            1,
        ),
        (
            "an access list without Home Assistant's",
            discovery(narrow.port()),
            &[
                ("ok", "round trip", "given back"),
                ("warn", "discovery", "- let this user do so"),
            ],
            0,
        ),
    ];
    for (name, file, lines, code) in cases {
        let printed = check(&file);
        printed.holds(name, lines);
        printed.holds(name, &[("ok", "DescribeAlarms", "are kept")]);
        printed.ends(name, code);
    }
}

#[test]
fn beside_a_running_agent_it_works_and_disturbs_nothing() {
    let region = Region::start(usual_world());
    let broker = Mosquitto::start(&Setup::default());
    let file = config(&region, broker.port());
    let agent = Agent::start(&file.write());
    agent.wait_for_log("mqtt: connected");
    wait_for("the agent's picture", || {
        let topics = retained(broker.port(), &format!("{PREFIX}agent"));
        (!topics.is_empty()).then_some(())
    });
    let meter = file.state_dir().join("test/meter.json");
    let kept = wait_for("the agent's meter", || std::fs::read(&meter).ok());
    let printed = check(&file);
    let after = std::fs::read(&meter).unwrap();
    assert_eq!(after, kept, "the meter is the agent's");
    printed.holds(
        "beside",
        &[
            ("note", "cost", "the agent of this config has spent about $"),
            ("note", "state folder", "an agent runs with"),
            ("note", "owner", "the agent of this config is online"),
            ("ok", "round trip", "given back"),
        ],
    );
    printed.ends("beside", 0);
    let connected = agent
        .log()
        .iter()
        .filter(|line| line.contains("mqtt: connected"))
        .count();
    assert_eq!(connected, 1, "the agent lost its session");
    let topics = retained(broker.port(), &format!("{PREFIX}#"));
    assert_eq!(topics[&format!("{PREFIX}status")], "online");
    assert!(!topics.contains_key(&format!("{PREFIX}agent/check")));
    agent.stop();
}

#[test]
fn another_owner_of_the_topics_is_told_with_the_remedy() {
    let region = Region::start(usual_world());
    let broker = Mosquitto::start(&Setup::default());
    let file = config(&region, broker.port());
    let put = |topic: &str, payload: &str| {
        let status = Command::new(support::mosquitto::program("mosquitto_pub"))
            .args(["-h", "127.0.0.1", "-p", &broker.port().to_string(), "-r"])
            .args(["-t", &format!("{PREFIX}{topic}"), "-m", payload])
            .stdin(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    };
    let other = r#"{"agent_id":"00000000000000aa","account_id":null}"#;
    let account = r#"{"agent_id":null,"account_id":"999999999999"}"#;
    let cases: [(&str, &str, &str, &[Line], i32); 4] = [
        (
            "another agent, alive",
            "online",
            other,
            &[
                (
                    "fail",
                    "owner",
                    "another agent (agent_id 00000000000000aa) is online",
                ),
                (
                    "fail",
                    "owner",
                    "- give this one an instance of its own (instance = ",
                ),
                ("fail", "owner", "--take-over"),
            ],
            1,
        ),
        (
            "another agent, gone",
            "offline",
            other,
            &[("note", "owner", "which is offline; run takes it over")],
            0,
        ),
        (
            "another account",
            "offline",
            account,
            &[("fail", "owner", "shows account 999999999999")],
            1,
        ),
        (
            "garbage",
            "online",
            "[\u{1}",
            &[(
                "ok",
                "owner",
                "nobody says that mediapackage/test is theirs",
            )],
            0,
        ),
    ];
    for (name, status, agent, lines, code) in cases {
        put("status", status);
        put("agent", agent);
        let printed = check(&file);
        printed.holds(name, lines);
        printed.ends(name, code);
    }
}

#[test]
fn offline_looks_at_the_config_and_asks_nobody() {
    let region = Region::start(usual_world());
    let file = config(&region, free_port())
        .without("credentials")
        .text("state_dir", "/proc/nothing/here")
        .text("mqtt.ca_file", "/nonexistent/ca.pem")
        .text("mediapackage.url", "https://region.invalid")
        .text("mediapackage.proxy", "http://proxy.example.net:3128")
        .text("mediapackage.proxy_username", "me")
        .text("mediapackage.proxy_password", "planted-proxy-password");
    let path = file.write();
    let printed = Printed::of(program().args(["check", "--offline"]).arg("-c").arg(path));
    printed.holds(
        "offline",
        &[
            ("ok", "config", "config.toml"),
            (
                "warn",
                "config",
                "[mqtt] ca_file: has no effect without TLS",
            ),
            ("warn", "state folder", "- run check as the user"),
            ("note", "credentials", "the default chain"),
            (
                "ok",
                "proxy",
                "MediaPackage is reached through the proxy proxy.example.net:3128",
            ),
        ],
    );
    printed.ends("offline", 0);
    assert!(!printed.text.contains("planted-proxy-password"));
    assert!(region.requests().is_empty());
}

#[test]
fn a_proxy_of_the_environment_is_told_without_its_password() {
    let region = Region::start(usual_world());
    let file = config(&region, free_port())
        .text("mediapackage.proxy", "env")
        .text("cloudwatch.proxy", "env")
        .text("cloudwatch.url", "https://region.invalid");
    let path = file.write();
    let mut command = program();
    command.args(["check", "--offline"]).arg("-c").arg(path);
    command.env(
        "HTTPS_PROXY",
        "http://me:planted-proxy-password@proxy.example.net:3128",
    );
    let printed = Printed::of(&mut command);
    let way = "CloudWatch is reached through the proxy proxy.example.net:3128, as HTTPS_PROXY says";
    assert!(printed.has(&("ok", "proxy", way)), "{}", printed.text);
    let way = "MediaPackage is reached directly: it is on this machine";
    assert!(printed.has(&("ok", "proxy", way)), "{}", printed.text);
    assert!(!printed.text.contains("planted-proxy-password"));
    let printed = Printed::of(command.env("NO_PROXY", ".invalid"));
    let way = "CloudWatch is reached directly: NO_PROXY says so";
    assert!(printed.has(&("ok", "proxy", way)), "{}", printed.text);
}

#[test]
fn a_signal_ends_it_at_once_and_nothing_is_left_behind() {
    let mut world = usual_world();
    world.faults.add("ListChannels", 1, Fault::Stall);
    let region = Region::start(world);
    let broker = Mosquitto::start(&Setup::default());
    let file = config(&region, broker.port());
    let mut command = program();
    command.arg("check").arg("-c").arg(file.write());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the request that is not answered", || {
        let asked = region.requests();
        asked
            .iter()
            .find(|r| r.operation == "ListChannels")
            .map(|_| ())
    });
    let asked = std::time::Instant::now();
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let status = wait_for("check to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    assert!(asked.elapsed() < LIMIT / 3, "{:?}", asked.elapsed());
    assert!(retained(broker.port(), "#").is_empty());
}
