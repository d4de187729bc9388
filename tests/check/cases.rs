//! A site where all is well, and what each bad day changes of it.

use crate::printed::{Line, check, config, usual_world};
use crate::region::world::Clock;
use crate::region::{Fault, Region, World};
use crate::support::config::ConfigFile;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::subscriber::retained;

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

const TOPICS: &str = "[\"arn:aws:sns:eu-central-1:123456789012:mediapackage\"]";

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
            config: |config| {
                let config = config.text("cloudwatch.alarms_interval", "60s");
                config.set("cloudwatch.monthly_budget_usd", "1")
            },
            lines: &[(
                "warn",
                "cost",
                "over monthly_budget_usd = 1: the agent asks every",
            )],
            ..Case::default()
        },
        Case {
            name: "far over the budget",
            config: |config| config.set("cloudwatch.monthly_budget_usd", "0.01"),
            lines: &[(
                "warn",
                "cost",
                "over monthly_budget_usd = 0.01: and every 60 min about $",
            )],
            ..Case::default()
        },
        Case {
            name: "alarms alone over the budget",
            config: |config| {
                let config = config.text("cloudwatch.metrics", "off");
                config.set("cloudwatch.monthly_budget_usd", "0.01")
            },
            lines: &[(
                "warn",
                "cost",
                "metrics are off, over monthly_budget_usd = 0.01 - lengthen [cloudwatch]",
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
            name: "a local page",
            config: |config| config.text("status.listen", "127.0.0.1:0"),
            lines: &[("ok", "status port", "127.0.0.1:0 can be listened on")],
            ..Case::default()
        },
        Case {
            name: "a local page that others can read",
            config: |config| config.text("status.listen", "0.0.0.0:0"),
            lines: &[
                ("warn", "config", "[status] listen: the page has no login"),
                ("ok", "status port", "0.0.0.0:0 can be listened on"),
            ],
            ..Case::default()
        },
        Case {
            name: "a local page that cannot be",
            config: |config| config.text("status.listen", "192.0.2.1:2080"),
            lines: &[
                ("warn", "config", "[status] listen: the page has no login"),
                ("fail", "status port", "cannot listen on 192.0.2.1:2080"),
            ],
            code: 1,
            ..Case::default()
        },
        Case {
            name: "a listener over plain HTTP",
            config: |config| {
                config
                    .text("sns.listen", "127.0.0.1:0")
                    .set("sns.topic_arns", TOPICS)
            },
            lines: &[
                ("ok", "sns port", "127.0.0.1:0 can be listened on"),
                (
                    "note",
                    "sns certificate",
                    "none: SNS delivers over plain HTTP",
                ),
                ("note", "sns", "public_url is not given"),
                ("ok", "proxy", "SNS is reached"),
            ],
            ..Case::default()
        },
        Case {
            name: "a listener that cannot be",
            config: |config| {
                config
                    .text("sns.listen", "192.0.2.1:2000")
                    .set("sns.topic_arns", TOPICS)
                    .text("sns.tls_cert_file", "/nonexistent/sns.pem")
                    .text("sns.tls_key_file", "/nonexistent/sns.key")
            },
            lines: &[
                ("fail", "sns port", "cannot listen on 192.0.2.1:2000"),
                ("fail", "sns certificate", "/nonexistent/sns.pem"),
            ],
            code: 1,
            ..Case::default()
        },
        Case {
            name: "Home Assistant's prefix",
            config: |config| config.set("home_assistant.enabled", "true"),
            lines: &[(
                "ok",
                "discovery",
                "homeassistant/device/test/# can be written",
            )],
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
