//! `check` as its users run it: against the simulated region and a real broker.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "region/mod.rs"]
mod region;
#[path = "support/mod.rs"]
mod support;

#[path = "agent/harness.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod harness;

use std::process::{Command, Stdio};

use harness::{Agent, LIMIT, PREFIX, no_secret_in, program, wait_for};
use region::world::{Alarm, Clock};
use region::{Fault, Region, World};
use support::config::ConfigFile;
use support::mosquitto::{Mosquitto, Setup};
use support::ports::free_port;
use support::subscriber::retained;

/// Grade, part, and what must stand in the line.
type Line = (&'static str, &'static str, &'static str);

/// What a run of `check` printed.
struct Printed {
    code: Option<i32>,
    text: String,
}

impl Printed {
    fn of(command: &mut Command) -> Printed {
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        no_secret_in("stdout of check", &text);
        no_secret_in("stderr of check", &errors);
        for line in text.lines().rev().skip(1) {
            let columns: Vec<char> = line.chars().collect();
            let aligned = columns[5] == ' ' && columns[6] != ' ' && columns[22] == ' ';
            assert!(aligned && columns[23] != ' ', "not aligned: {line:?}");
        }
        Printed {
            code: output.status.code(),
            text,
        }
    }

    fn has(&self, (grade, part, what): &Line) -> bool {
        let begins = format!("{grade:<5} {part:<15}  ");
        let mut lines = self.text.lines();
        lines.any(|line| line.starts_with(&begins) && line.contains(what))
    }

    fn holds(&self, case: &str, lines: &[Line]) {
        for line in lines {
            assert!(self.has(line), "{case}: no line {line:?} in\n{}", self.text);
        }
    }

    /// The exit code, and that the last line counts the others.
    fn ends(&self, case: &str, code: i32) {
        assert_eq!(self.code, Some(code), "{case}:\n{}", self.text);
        let count = |grade: &str| {
            let lines = self
                .text
                .lines()
                .filter(|l| l.split(' ').next() == Some(grade));
            lines.count()
        };
        let grades = ["ok", "note", "warn", "fail"];
        let counted = grades.map(|grade| format!("{} {grade}", count(grade)));
        assert_eq!(
            self.text.lines().last(),
            Some(counted.join(", ").as_str()),
            "{case}"
        );
        assert_eq!(count("fail") > 0, code == 1, "{case}:\n{}", self.text);
    }
}

fn check(config: &ConfigFile) -> Printed {
    Printed::of(program().arg("check").arg("--config").arg(config.write()))
}

fn usual_world() -> World {
    let mut world = World::new("eu-central-1")
        .with_channels(3, 4)
        .standard_metrics();
    let silent = [("Channel", "ch-0000")];
    world.put_alarm(Alarm::metric("ch-0000-silent", "IngressBytes", &silent));
    world
}

fn config(region: &Region, broker: u16) -> ConfigFile {
    let mqtt = format!("mqtt://127.0.0.1:{broker}");
    ConfigFile::new(&region.url(), &mqtt, region::KEY)
}

/// What one bad day changes of a site where all is well.
struct Case {
    name: &'static str,
    world: fn(&mut World),
    config: fn(ConfigFile) -> ConfigFile,
    lines: &'static [Line],
    code: i32,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            name: "all is well",
            world: |_| {},
            config: |config| config,
            lines: &[],
            code: 0,
        }
    }
}

const ALL_WELL: &[Line] = &[
    ("ok", "config", "config.toml"),
    ("ok", "state folder", "can be written"),
    ("ok", "clock", "this machine's clock is "),
    ("ok", "credentials", "[credentials] in the config file"),
    ("ok", "proxy", "MediaPackage is reached directly"),
    ("ok", "proxy", "CloudWatch is reached directly"),
    (
        "ok",
        "mediapackage v1",
        "3 of 3 channels and 12 of 12 endpoints are taken",
    ),
    ("ok", "ListMetrics", "series are of channels and endpoints"),
    ("ok", "GetMetricData", "of 10 series of channel ch-0000"),
    (
        "ok",
        "DescribeAlarms",
        "1 of 1 alarms are kept, 0 of them in ALARM",
    ),
    ("ok", "account", "123456789012"),
    (
        "note",
        "cost",
        "a month of metrics = \"channels\" costs about $",
    ),
    (
        "ok",
        "cost",
        "a month of metrics = \"standard\" costs about $",
    ),
    (
        "note",
        "cost",
        "a month of metrics = \"full\" costs about $",
    ),
    (
        "note",
        "cost",
        "this check itself: 10 metrics and 2 other requests of CloudWatch, $0.0001",
    ),
    ("ok", "broker", "lets us in as mediapackage2mqtt-test-check"),
    (
        "ok",
        "round trip",
        "mediapackage/test/agent/check is taken, kept and given back",
    ),
    (
        "ok",
        "owner",
        "nobody says that mediapackage/test is theirs",
    ),
    (
        "note",
        "longest topic",
        "47 bytes and 4 slashes: mediapackage/test/endpoint/ch-",
    ),
];

const REFUSED: &[Line] = &[
    ("fail", "credentials", "InvalidSignatureException"),
    (
        "fail",
        "credentials",
        "- check that the secret access key belongs to",
    ),
    (
        "note",
        "mediapackage v1",
        "not asked, since the credentials do not work",
    ),
    ("note", "DescribeAlarms", "not asked"),
    ("ok", "broker", "lets us in"),
];

fn of_aws() -> Vec<Case> {
    let denied = |name, world, lines| Case {
        name,
        world,
        lines,
        code: 1,
        ..Case::default()
    };
    vec![
        Case {
            lines: ALL_WELL,
            ..Case::default()
        },
        Case {
            name: "a wrong secret",
            config: |config| config.text("credentials.secret_access_key", "wrong"),
            lines: REFUSED,
            code: 1,
            ..Case::default()
        },
        Case {
            name: "no credentials",
            config: |config| config.without("credentials"),
            lines: &[
                ("fail", "credentials", "no AWS credentials found"),
                ("note", "mediapackage v1", "not asked"),
                ("ok", "round trip", "given back"),
            ],
            code: 1,
            ..Case::default()
        },
        denied(
            "ListChannels is denied",
            |world| world.denied.push("mediapackage:ListChannels".into()),
            &[
                ("fail", "mediapackage v1", "AccessDeniedException"),
                (
                    "fail",
                    "mediapackage v1",
                    "- allow mediapackage:ListChannels in",
                ),
                ("ok", "DescribeAlarms", "are kept"),
                ("ok", "account", "123456789012"),
            ],
        ),
        denied(
            "ListOriginEndpoints is denied",
            |world| world.denied.push("mediapackage:ListOriginEndpoints".into()),
            &[(
                "fail",
                "mediapackage v1",
                "- allow mediapackage:ListOriginEndpoints in",
            )],
        ),
        denied(
            "ListMetrics is denied",
            |world| world.denied.push("cloudwatch:ListMetrics".into()),
            &[
                ("fail", "ListMetrics", "- allow cloudwatch:ListMetrics in"),
                ("ok", "GetMetricData", "of 7 series"),
                ("note", "cost", "metrics = \"full\" cannot be told"),
            ],
        ),
        denied(
            "GetMetricData is denied",
            |world| world.denied.push("cloudwatch:GetMetricData".into()),
            &[
                (
                    "fail",
                    "GetMetricData",
                    "- allow cloudwatch:GetMetricData in",
                ),
                ("ok", "DescribeAlarms", "are kept"),
            ],
        ),
        denied(
            "DescribeAlarms is denied",
            |world| world.denied.push("cloudwatch:DescribeAlarms".into()),
            &[(
                "fail",
                "DescribeAlarms",
                "- allow cloudwatch:DescribeAlarms in",
            )],
        ),
        denied(
            "MediaPackage fails",
            |world| world.faults.add("ListChannels", 10, Fault::html(502)),
            &[
                ("fail", "mediapackage v1", "status 502"),
                ("ok", "ListMetrics", "series"),
            ],
        ),
    ]
}

fn of_the_picture() -> Vec<Case> {
    vec![
        Case {
            name: "a clock two hours behind",
            world: |world| world.clock = Clock::Offset(7_200_000),
            lines: &[
                ("warn", "clock", "this machine's clock is 7"),
                ("warn", "clock", " s behind AWS's - set it"),
                ("ok", "mediapackage v1", "3 of 3 channels"),
                ("ok", "GetMetricData", "of 10 series"),
            ],
            ..Case::default()
        },
        Case {
            name: "a clock two hours ahead",
            world: |world| world.clock = Clock::Offset(-7_200_000),
            lines: &[("warn", "clock", " s ahead of AWS's - set it")],
            ..Case::default()
        },
        Case {
            name: "no channels",
            world: |world| *world = World::new("eu-central-1"),
            lines: &[
                (
                    "warn",
                    "mediapackage v1",
                    "no channels in eu-central-1 - check region",
                ),
                ("ok", "GetMetricData", "there is no channel to ask for"),
                ("note", "account", "not known"),
            ],
            ..Case::default()
        },
        Case {
            name: "filters that leave nothing",
            config: |config| config.set("mediapackage.include", "[\"zdf-*\"]"),
            lines: &[(
                "warn",
                "mediapackage v1",
                "0 of 3 channels and 0 of 12 endpoints are taken - check include",
            )],
            ..Case::default()
        },
        Case {
            name: "names that need care",
            world: |world| *world = World::awkward("eu-central-1"),
            lines: &[("ok", "mediapackage v1", "5 of 5 channels")],
            ..Case::default()
        },
        Case {
            name: "over the budget",
            config: |config| config.set("cloudwatch.monthly_budget_usd", "1"),
            lines: &[(
                "warn",
                "cost",
                "over monthly_budget_usd = 1 - lengthen [cloudwatch] interval",
            )],
            ..Case::default()
        },
        Case {
            name: "neither metrics nor alarms",
            config: |config| {
                let config = config.text("cloudwatch.metrics", "off");
                config.text("cloudwatch.alarms", "off")
            },
            lines: &[
                (
                    "note",
                    "GetMetricData",
                    "not asked, since metrics = \"off\"",
                ),
                (
                    "note",
                    "DescribeAlarms",
                    "not asked, since alarms = \"off\"",
                ),
                ("note", "cost", "this check itself: 0 metrics and 0 other"),
            ],
            ..Case::default()
        },
        Case {
            name: "parts that are not built",
            config: |config| {
                let config = config.set("mediapackage.apis", "[\"v1\", \"v2\", \"vod\"]");
                let config = config.text("sns.listen", "127.0.0.1:0");
                let arn = "[\"arn:aws:sns:eu-central-1:123456789012:mediapackage\"]";
                config.set("sns.topic_arns", arn).set("mqtt.flat", "true")
            },
            lines: &[
                ("note", "mediapackage v2", "not built yet in this version"),
                ("note", "vod", "not built yet in this version"),
                ("note", "sns", "not built yet in this version"),
                ("note", "flat topics", "not built yet in this version"),
            ],
            ..Case::default()
        },
        Case {
            name: "Home Assistant's prefix",
            config: |config| config.set("home_assistant.enabled", "true"),
            lines: &[
                ("note", "home_assistant", "not built yet"),
                (
                    "ok",
                    "discovery",
                    "homeassistant/device/test/# can be written",
                ),
            ],
            ..Case::default()
        },
    ]
}

fn hold(cases: Vec<Case>) {
    let broker = Mosquitto::start(&Setup::default());
    for case in cases {
        let mut world = usual_world();
        (case.world)(&mut world);
        let region = Region::start(world);
        let file = (case.config)(config(&region, broker.port()));
        let printed = check(&file);
        printed.holds(case.name, case.lines);
        printed.ends(case.name, case.code);
        let left = retained(broker.port(), "#");
        assert!(left.is_empty(), "{}: {left:?} is left", case.name);
        assert!(
            !file.state_dir().exists(),
            "{}: the state folder",
            case.name
        );
    }
}

#[test]
fn each_trouble_with_aws_is_told_with_its_remedy() {
    hold(of_aws());
}

#[test]
fn what_is_found_is_told_and_what_is_doubtful_is_a_warning() {
    hold(of_the_picture());
}

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
    let printed = check(&file);
    printed.holds(
        "beside",
        &[
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
    let file = config(&region, free_port()).text("cloudwatch.proxy", "env");
    let path = file.write();
    let mut command = program();
    command.args(["check", "--offline"]).arg("-c").arg(path);
    command.env(
        "HTTPS_PROXY",
        "http://me:planted-proxy-password@proxy.example.net:3128",
    );
    let printed = Printed::of(&mut command);
    let way = "CloudWatch is reached through the proxy proxy.example.net:3128, as the environment";
    assert!(printed.has(&("ok", "proxy", way)), "{}", printed.text);
    assert!(!printed.text.contains("planted-proxy-password"));
    let printed = Printed::of(command.env("NO_PROXY", "127.0.0.1"));
    let way = "CloudWatch is reached directly, as NO_PROXY says";
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
