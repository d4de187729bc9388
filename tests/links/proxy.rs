//! AWS through a real proxy. The region has a name that nobody knows but the far end of the
//! proxy: who reaches it went through the proxy.

use std::net::TcpListener;
use std::process::Output;

use crate::harness::program;
use crate::printed::Printed;
use crate::region::{self, Region, World};
use crate::support::certificates::{Certificates, Leaf};
use crate::support::config::ConfigFile;
use crate::support::names::Names;
use crate::support::ports::free_port;
use crate::support::relay::Relay;
use crate::support::tinyproxy::{Rules, Tinyproxy};

const NAME: &str = "region.invalid";
const PASSWORD: &str = "planted-proxy-password";

/// A simulated region behind TLS that only a proxy finds.
struct Far {
    region: Region,
    relay: Relay,
    files: Certificates,
    names: Names,
}

impl Far {
    fn new() -> Far {
        let region = Region::start(World::new("eu-central-1").with_channels(1, 1));
        let files = Certificates::make();
        let hosts = &[NAME, "127.0.0.1"];
        files.add(
            "server",
            &Leaf {
                hosts,
                ..Leaf::default()
            },
        );
        Far {
            relay: Relay::start(port_of(&region), &files),
            region,
            files,
            names: Names::start(),
        }
    }

    /// A config that asks MediaPackage there, by a proxy of this kind.
    fn config(&self, proxy: &str) -> ConfigFile {
        let url = format!("https://{NAME}:{}", self.relay.port());
        let mqtt = format!("mqtt://127.0.0.1:{}", free_port());
        ConfigFile::new(&url, &mqtt, region::KEY)
            .text("ca_file", &self.files.path("ca.pem").display().to_string())
            .text("mediapackage.proxy", proxy)
            .text("cloudwatch.proxy", proxy)
            .text("cloudwatch.alarms", "off")
            .text("cloudwatch.metrics", "off")
    }
}

fn port_of(region: &Region) -> u16 {
    let url = region.url();
    url.rsplit(':').next().unwrap().parse().unwrap()
}

/// Runs `once` with variables of the environment.
fn once(config: &ConfigFile, env: &[(&str, &str)]) -> Output {
    let mut command = program();
    command.arg("once").arg("--config").arg(config.write());
    command.envs(env.iter().copied()).output().unwrap()
}

/// The picture came, or the words that must stand in the error.
fn holds(case: &str, output: &Output, wanted: Result<(), &str>) {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!told.contains(PASSWORD), "{case}: {told}");
    match wanted {
        Ok(()) => {
            assert_eq!(output.status.code(), Some(0), "{case}: {told}");
            assert!(printed.contains("channel/ch-0000\t"), "{case}: {printed}");
        }
        Err(words) => {
            assert_eq!(output.status.code(), Some(1), "{case}: {told}");
            assert!(told.contains(words), "{case}: {told}");
        }
    }
}

/// Config key, environment, what comes of it. In texts `PROXY` is the proxy's host and port.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<(), &'a str>);

#[test]
fn the_config_and_the_environment_say_whether_the_proxy_is_used() {
    let far = Far::new();
    let proxy = Tinyproxy::start(&Rules::default(), &far.names);
    let proxy = format!("127.0.0.1:{}", proxy.port());
    // Directly nobody finds it: DNS does not know it, or is too busy to say so in time.
    let unknown = Err("region.invalid:");
    let (http, bare) = ("http://PROXY", "PROXY");
    let cases: &[Case<'_>] = &[
        ("none", &[], unknown),
        (
            "none",
            &[("HTTPS_PROXY", http), ("ALL_PROXY", http)],
            unknown,
        ),
        ("env", &[], unknown),
        ("env", &[("HTTPS_PROXY", http)], Ok(())),
        ("env", &[("https_proxy", bare)], Ok(())),
        ("env", &[("ALL_PROXY", http)], Ok(())),
        ("env", &[("HTTP_PROXY", http)], unknown),
        ("env", &[("HTTPS_PROXY", http), ("NO_PROXY", NAME)], unknown),
        ("env", &[("HTTPS_PROXY", http), ("NO_PROXY", "*")], unknown),
        (
            "env",
            &[("HTTPS_PROXY", http), ("no_proxy", ".invalid")],
            unknown,
        ),
        (
            "env",
            &[("HTTPS_PROXY", http), ("NO_PROXY", "other.invalid")],
            Ok(()),
        ),
        (http, &[], Ok(())),
        (http, &[("NO_PROXY", "*")], Ok(())),
    ];
    for (key, env, wanted) in cases {
        let filled = |text: &str| text.replace("PROXY", &proxy);
        let values: Vec<String> = env.iter().map(|(_, value)| filled(value)).collect();
        let pairs = env.iter().zip(&values);
        let pairs: Vec<_> = pairs.map(|((name, _), v)| (*name, v.as_str())).collect();
        let before = far.names.asked().len();
        let output = once(&far.config(&filled(key)), &pairs);
        holds(&format!("{key} {env:?}"), &output, *wanted);
        let used = far.names.asked().len() > before;
        assert_eq!(used, wanted.is_ok(), "{key} {env:?}");
    }
}

#[test]
fn the_environment_may_name_a_proxy_that_is_spoken_to_in_tls() {
    let far = Far::new();
    let proxy = Tinyproxy::start(&Rules::default(), &far.names);
    let before_it = Relay::start(proxy.port(), &far.files);
    let url = format!("https://127.0.0.1:{}", before_it.port());
    let config = far.config("env");
    let output = once(&config, &[("HTTPS_PROXY", &url)]);
    holds("https", &output, Ok(()));
    assert!(!far.names.asked().is_empty());
    let named = format!("the proxy 127.0.0.1:{}: its certificate", before_it.port());
    let output = once(&config.without("ca_file"), &[("HTTPS_PROXY", &url)]);
    holds("an authority that is not known", &output, Err(&named));
}

#[test]
fn what_is_on_this_machine_is_never_asked_through_a_proxy() {
    let far = Far::new();
    let proxy = Tinyproxy::start(&Rules::default(), &far.names);
    let proxy = format!("http://127.0.0.1:{}", proxy.port());
    let here = format!("https://127.0.0.1:{}", far.relay.port());
    for key in ["env", &proxy] {
        let config = far.config(key);
        let config = config.text("mediapackage.url", &here);
        let config = config.text("cloudwatch.url", &here);
        let output = once(&config, &[("HTTPS_PROXY", &proxy)]);
        holds(key, &output, Ok(()));
    }
    assert_eq!(far.names.asked(), [""; 0]);
    assert!(!far.region.requests().is_empty());
}

#[test]
fn a_proxy_that_wants_a_password_gets_it_and_a_wrong_one_is_told_with_its_key() {
    let far = Far::new();
    let rules = Rules {
        user: Some(("edge", PASSWORD)),
        ..Rules::default()
    };
    let proxy = Tinyproxy::start(&rules, &far.names);
    let port = proxy.port();
    let url = format!("http://127.0.0.1:{port}");
    let named = |rest: &str| format!("the proxy 127.0.0.1:{port} {rest}");
    let wants = named("wants a user name and a password");
    let refuses = named("refuses the user name or the password");
    let login = |password: &str| {
        let config = far.config(&url).text("mediapackage.proxy_username", "edge");
        config.text("mediapackage.proxy_password", password)
    };
    holds("without", &once(&far.config(&url), &[]), Err(&wants));
    holds("wrong", &once(&login("wrong"), &[]), Err(&refuses));
    holds("right", &once(&login(PASSWORD), &[]), Ok(()));
    let in_env = |password: &str| {
        let proxy = format!("http://edge:{password}@127.0.0.1:{port}");
        once(&far.config("env"), &[("HTTPS_PROXY", &proxy)])
    };
    holds("right in the environment", &in_env(PASSWORD), Ok(()));
    holds("wrong in the environment", &in_env("wrong"), Err(&refuses));
    holds(
        "the key to mend",
        &in_env("wrong"),
        Err("write user and password into HTTPS_PROXY"),
    );
}

#[test]
fn each_trouble_with_a_proxy_names_the_proxy_and_check_fails_with_the_key() {
    let far = Far::new();
    let start = |rules| Tinyproxy::start(&rules, &far.names);
    let narrow = start(Rules {
        only_port: Some(443),
        ..Rules::default()
    });
    let filtering = start(Rules {
        not_to: Some("region"),
        ..Rules::default()
    });
    let locked = start(Rules {
        user: Some(("edge", PASSWORD)),
        ..Rules::default()
    });
    // It takes connections and never answers.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let hole = hole.local_addr().unwrap().port();
    let here = |port: u16| format!("127.0.0.1:{port}");
    let cases = [
        (here(free_port()), "refuses the connection - check proxy"),
        (
            here(narrow.port()),
            "does not let us through to region.invalid",
        ),
        (
            here(filtering.port()),
            "does not let us through to region.invalid",
        ),
        (
            here(locked.port()),
            "(407) - check proxy_username and proxy_password",
        ),
        (here(hole), "did not answer within 5 s - check proxy"),
        (
            String::from("proxy.invalid:3128"),
            " - check proxy and whether the proxy runs",
        ),
    ];
    std::thread::scope(|scope| {
        for (proxy, words) in &cases {
            let far = &far;
            scope.spawn(move || {
                let config = far.config(&format!("http://{proxy}"));
                let path = config.write();
                let printed = Printed::of(program().arg("check").arg("--config").arg(path));
                let named = format!("the proxy {proxy}");
                for part in ["proxy", "mediapackage v1"] {
                    let told = printed.text.lines().any(|line| {
                        let fails = line.starts_with(&format!("fail  {part} "));
                        fails && line.contains(&named) && line.contains(words)
                    });
                    assert!(told, "no {words:?} of {named} in\n{}", printed.text);
                }
                assert_eq!(printed.code, Some(1));
            });
        }
    });
    assert_eq!(far.region.requests().len(), 0);
}
