//! AWS IoT Core as the broker: a front that has its rules before mosquitto, under a name of AWS's
//! that only the agent under test believes.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::harness::{Agent, LIMIT, PREFIX, program, topics_of};
use crate::printed::{config, usual_world};
use crate::region::Region;
use crate::support::certificates::{Certificates, Leaf};
use crate::support::config::ConfigFile;
use crate::support::iot::Iot;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::publisher::publish;
use crate::support::relay::Relay;
use crate::support::subscriber::{Subscriber, options, retained};

const HOST: &str = "a1b2c3-ats.iot.eu-central-1.amazonaws.com";
const ALPN: &str = "x-amzn-mqtt-ca";

/// AWS IoT Core on a port of this machine.
struct Cloud {
    region: Region,
    broker: Mosquitto,
    iot: Iot,
    relay: Relay,
    files: Certificates,
    hosts: tempfile::TempDir,
}

impl Cloud {
    /// `None` where the system does not let a process have names of its own, which is said.
    fn on(listener: TcpListener) -> Option<Cloud> {
        let hosts = tempfile::tempdir().unwrap();
        let file = hosts.path().join("hosts");
        std::fs::write(&file, format!("127.0.0.1 localhost {HOST}\n")).unwrap();
        let mut asks = Command::new("true");
        if !believing(&file, &mut asks)
            .status()
            .is_ok_and(|s| s.success())
        {
            eprintln!("SKIPPED: no mount namespaces here, so nobody can be AWS IoT Core");
            return None;
        }
        let files = Certificates::make();
        let named = Leaf {
            hosts: &[HOST],
            ..Leaf::default()
        };
        files.add("server", &named);
        let broker = Mosquitto::start(&Setup::default());
        let iot = Iot::start(broker.port());
        Some(Cloud {
            region: Region::start(usual_world()),
            relay: Relay::on(listener, iot.port(), &files, true),
            iot,
            broker,
            files,
            hosts,
        })
    }

    fn new() -> Option<Cloud> {
        Cloud::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn config(&self) -> ConfigFile {
        let path = |name| self.files.path(name).display().to_string();
        let url = format!("mqtts://{HOST}:{}", self.relay.port());
        config(&self.region, 1)
            .text("mqtt.url", &url)
            .text("mqtt.ca_file", &path("ca.pem"))
            .text("mqtt.cert_file", &path("client.pem"))
            .text("mqtt.key_file", &path("client.key"))
            .set("home_assistant.enabled", "true")
    }

    fn agent(&self, config: &ConfigFile) -> Agent {
        let hosts = self.hosts.path().join("hosts");
        Agent::start_with(&config.write(), |command| {
            *command = believing(&hosts, command);
            command.stderr(Stdio::piped());
        })
    }

    fn run(&self, command: &str, config: &ConfigFile) -> Output {
        let mut own = program();
        own.arg(command).arg("--config").arg(config.write());
        let mut command = believing(&self.hosts.path().join("hosts"), &mut own);
        command.output().unwrap()
    }

    /// The policy that `aws-setup` prints for this broker.
    fn policy(&self, config: &ConfigFile) -> Value {
        let output = self.run("aws-setup", config);
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut documents = printed.split("---\n");
        let policy = documents.find(|text| text.contains("iot:Connect"));
        let json = policy
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with('#'));
        serde_json::from_str(&json.collect::<String>()).unwrap()
    }

    fn eyes(&self) -> Subscriber {
        Subscriber::with(options(self.broker.port()), &format!("{PREFIX}#"))
    }

    fn kept(&self) -> Vec<String> {
        let kept = retained(self.broker.port(), &format!("{PREFIX}#"));
        kept.into_keys().collect()
    }
}

/// The same command with another list of names.
fn believing(hosts: &Path, command: &mut Command) -> Command {
    let mut outer = Command::new("unshare");
    outer.args(["--map-root-user", "--mount", "sh", "-c"]);
    outer.arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"");
    outer
        .arg(hosts)
        .arg(command.get_program())
        .args(command.get_args());
    outer
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    outer.stdin(Stdio::null());
    outer
}

#[test]
fn the_picture_is_whole_and_what_went_while_the_agent_was_down_is_swept_all_the_same() {
    let Some(cloud) = Cloud::new() else { return };
    let config = cloud.config();
    cloud.iot.enforce(&cloud.policy(&config));
    let agent = cloud.agent(&config);
    let whole = |cloud: &Cloud| {
        let topics = cloud.region.edit(|w| topics_of(w));
        let eyes = cloud.eyes();
        eyes.wait_until(LIMIT, |tree| topics.iter().all(|t| tree.contains_key(t)));
    };
    whole(&cloud);
    agent.stop();
    cloud.region.edit(|w| w.remove_channel("ch-0001"));
    let gone = format!("{PREFIX}channel/ch-0001");
    assert!(cloud.kept().contains(&gone));
    let agent = cloud.agent(&config);
    whole(&cloud);
    let below = |topic: &str| topic.contains("/ch-0001");
    let eyes = cloud.eyes();
    eyes.wait_until(LIMIT, |tree| {
        !tree
            .iter()
            .any(|(topic, text)| below(topic) && !text.is_empty())
    });
    assert_eq!(agent.logged("does not keep them"), 0);
    agent.stop();
    // Each rule was kept, and the server was asked for by its name.
    assert_eq!(cloud.iot.broken(), [""; 0]);
    for hello in cloud.relay.hellos() {
        assert_eq!(hello.name.as_deref(), Some(HOST));
        assert_eq!(hello.protocols, [""; 0], "8883 needs none");
    }
    let output = cloud.run("check", &config);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("note  iot policy "), "{printed}");
    let output = cloud.run("clean", &config);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cloud.kept(), [""; 0]);
    assert_eq!(cloud.iot.broken(), [""; 0]);
}

#[test]
fn on_port_443_it_is_told_that_mqtt_is_meant() {
    let Ok(listener) = TcpListener::bind("127.0.0.1:443") else {
        eprintln!("SKIPPED: port 443 of this machine is not to be had");
        return;
    };
    let Some(cloud) = Cloud::on(listener) else {
        return;
    };
    let output = cloud.run("check", &cloud.config());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("taken, kept and given back"), "{printed}");
    let hellos = cloud.relay.hellos();
    assert!(!hellos.is_empty());
    assert!(
        hellos.iter().all(|hello| hello.protocols == [ALPN]),
        "{hellos:?}"
    );
}

#[test]
fn another_agent_on_the_same_topics_is_noticed_there_too() {
    let Some(cloud) = Cloud::new() else { return };
    let config = cloud.config();
    let topic = |name: &str| format!("{PREFIX}{name}");
    let agent = serde_json::json!({"schema": 1, "agent_id": "someone-else"}).to_string();
    let (status, owner) = (topic("status"), topic("agent"));
    let theirs = [
        (status.as_str(), &b"online"[..]),
        (owner.as_str(), agent.as_bytes()),
    ];
    publish(cloud.broker.port(), &theirs, true);
    let agent = cloud.agent(&config);
    agent.wait_for_log("another agent (agent_id someone-else) is online");
}

#[test]
fn what_its_policy_does_not_allow_is_told_and_not_asked_for_in_a_storm() {
    let Some(cloud) = Cloud::new() else { return };
    let config = cloud.config();
    // The client id of the main session is not allowed, that of the reader is.
    cloud.iot.only(&["mediapackage2mqtt-test-read"]);
    let agent = cloud.agent(&config);
    let told = agent.wait_for_log("closed the connection without an answer");
    assert!(
        told.contains("iot:Connect as mediapackage2mqtt-test"),
        "{told}"
    );
    agent.kill();

    cloud.iot.only(&[]);
    let denied = format!("{PREFIX}channel/ch-0000");
    cloud.iot.deny(&denied);
    let before = cloud.iot.sessions().len();
    let agent = cloud.agent(&config);
    let told = agent.wait_for_log("before it acknowledged");
    assert!(told.contains("iot:Publish and iot:RetainPublish"), "{told}");
    let mut agent = agent;
    assert_eq!(agent.ended(), Some(1));
    agent.wait_for_log("the broker ended every session within seconds");
    let main = |id: &&String| id.as_str() == "mediapackage2mqtt-test";
    let sessions = cloud.iot.sessions();
    let sessions = sessions[before..].iter().filter(main).count();
    assert!(sessions <= 5, "{sessions} sessions");
}
