//! Bad days of AWS: said once, nothing cleared, healed by the next good poll.

use std::collections::BTreeSet;

use crate::harness::{Agent, LIMIT, Site, json, run, text, told_once, topics_of, wait_for};
use crate::region::{Alarm, FOREVER, Fault, Key, World};
use crate::support::subscriber::Subscriber;

fn world() -> World {
    let mut world = World::new("eu-central-1").with_channels(2, 2);
    world.put_alarm(Alarm::metric(
        "silent",
        "IngressBytes",
        &[("Channel", "ch-0000")],
    ));
    world.standard_metrics()
}

/// A site whose agent shows the whole picture.
struct Running {
    site: Site,
    agent: Agent,
    eyes: Subscriber,
}

impl Running {
    fn start() -> Running {
        let site = Site::new(world());
        let agent = site.agent();
        let eyes = site.eyes();
        site.wait_for_picture(&eyes);
        Running { site, agent, eyes }
    }

    /// What `agent` says of a source.
    fn source(&self, name: &str, key: &str) -> String {
        let agent = json(&self.eyes.tree(), "agent");
        agent["sources"][name][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn wait_for_state(&self, source: &str, state: &str) {
        wait_for(&format!("{source} to be {state}"), || {
            (self.source(source, "state") == state).then_some(())
        });
    }

    /// Waits until `agent` is degraded for this reason.
    fn wait_for_reason(&self, words: &str) {
        wait_for(&format!("the reason {words:?}"), || {
            let agent = json(&self.eyes.tree(), "agent");
            let there = agent["reasons"].to_string().contains(words);
            (there && agent["health"] == "degraded").then_some(())
        });
    }

    /// All that was shown is still there, and only `source` is in trouble.
    fn nothing_is_lost_but(&self, source: &str) {
        let wanted = self.site.region.edit(|w| topics_of(w));
        let kept: BTreeSet<String> = self.site.retained().into_keys().collect();
        assert_eq!(kept, wanted);
        for other in ["mediapackage", "metrics", "alarms"] {
            if other != source {
                assert_eq!(self.source(other, "state"), "ok", "{other}");
            }
        }
        let cleared = |topic: &str, payload: &str| payload.is_empty() && !told_once(topic);
        let stream = self.eyes.stream();
        let lost = stream.iter().find(|m| cleared(&m.topic, &m.payload));
        assert_eq!(lost, None);
    }
}

/// What goes wrong, how the agent calls it, and the requests that one failed poll makes.
fn bad_answers(service: &str) -> Vec<(Fault, &'static str, usize)> {
    let throttled = match service {
        "mediapackage" => "TooManyRequestsException: ",
        _ => "Throttling: ",
    };
    let error = Fault::Error {
        status: 500,
        code: "InternalServerErrorException",
        message: "We are sorry",
    };
    let elsewhere = Fault::Redirect(String::from("http://127.0.0.1:1/"));
    vec![
        (
            Fault::Throttle {
                retry_after_ms: Some(1),
            },
            throttled,
            3,
        ),
        (error, "InternalServerErrorException: ", 3),
        (Fault::html(502), "with status 502", 3),
        (Fault::html(200), "a page, not JSON", 1),
        (Fault::Truncated, "broke off the connection", 3),
        (Fault::Drop, "broke off the connection", 3),
        (Fault::Endless, "with more than 16777216 bytes", 1),
        (Fault::Gzip, "compressed, which was not asked for", 1),
        (Fault::WrongTypes, "a value of another type", 1),
        (Fault::LoopingToken, "is looping", 2),
        (elsewhere, "with a redirect (302)", 1),
    ]
}

#[test]
fn a_source_that_answers_badly_is_told_once_and_takes_nothing_with_it() {
    let operations = [
        ("ListChannels", "mediapackage"),
        ("ListOriginEndpoints", "mediapackage"),
        ("GetMetricData", "metrics"),
        ("DescribeAlarms", "alarms"),
    ];
    std::thread::scope(|scope| {
        for (operation, source) in operations {
            scope.spawn(move || answers_badly(operation, source));
        }
    });
}

fn answers_badly(operation: &str, source: &str) {
    let running = Running::start();
    for (round, (fault, words, requests)) in bad_answers(source).into_iter().enumerate() {
        let shown = format!("{operation} {fault:?}");
        let edit = |fault: Option<Fault>| {
            running.site.region.edit(|w| match fault {
                Some(fault) => w.faults.add(operation, FOREVER, fault),
                None => w.faults.clear(),
            });
        };
        edit(Some(fault));
        running.wait_for_state(source, "failing");
        let error = running.source(source, "error");
        assert!(error.contains(words), "{shown}: {error}");
        assert!(error.contains(operation), "{shown}: {error}");
        // A second poll fails the same way.
        running.site.wait_for_requests(operation, requests + 1);
        running.nothing_is_lost_but(source);
        edit(None);
        running.wait_for_state(source, "ok");
        let healed = format!("{source}: works again");
        wait_for(&healed, || {
            (running.agent.logged(&healed) == round + 1).then_some(())
        });
        let told = running.agent.logged(&format!("WARN {source}: "));
        assert_eq!(told, round + 1, "{shown}");
    }
    running.site.wait_for_picture(&running.eyes);
    running.agent.stop();
}

#[test]
fn a_list_of_series_that_fails_degrades_and_is_asked_for_again() {
    let running = Running::start();
    for (round, (fault, words, _)) in bad_answers("metrics").into_iter().enumerate() {
        let shown = format!("{fault:?}");
        let new = format!("new-{round}");
        running.site.region.edit(|w| {
            w.faults.add("ListMetrics", FOREVER, fault);
            w.add_channel(&new, 1);
            w.add_metrics(&new);
        });
        running.wait_for_reason(words);
        assert_eq!(running.source("metrics", "state"), "ok", "{shown}");
        running.site.region.edit(|w| w.faults.clear());
        // What the list was to tell is known now: the endpoint has metrics.
        running.site.wait_for_picture(&running.eyes);
    }
    running.site.region.edit(|w| {
        w.denied.push(String::from("cloudwatch:ListMetrics"));
        w.add_channel("more", 0);
    });
    running.wait_for_reason("allow cloudwatch:ListMetrics in the IAM policy");
    running.agent.stop();
}

#[test]
fn a_server_that_sends_one_byte_a_second_holds_up_its_own_source_only() {
    let running = Running::start();
    running.site.region.edit(|w| {
        w.faults.add("ListChannels", 1, Fault::Drip);
        w.faults.add("DescribeAlarms", 1, Fault::Stall);
        w.channel("ch-0000").description = Some(String::from("changed"));
        w.set_alarm("silent", "ALARM", "changed");
    });
    running.site.wait_for_requests("GetMetricData", 3);
    running.nothing_is_lost_but("nothing");
    running.eyes.wait_until(LIMIT, |tree| {
        json(tree, "channel/ch-0000")["description"] == "changed"
            && json(tree, "alarm/silent")["state"] == "ALARM"
    });
    running.agent.stop();
}

/// What is wrong with the key or the policy, who suffers, and what is said.
struct Refused {
    change: fn(&mut World),
    sources: &'static [&'static str],
    words: &'static [&'static str],
}

const ALL: &[&str] = &["mediapackage", "metrics", "alarms"];

const REFUSED: &[Refused] = &[
    Refused {
        change: |w| w.keys[0].revoked = true,
        sources: ALL,
        words: &["UnrecognizedClientException: ", "is active"],
    },
    Refused {
        change: |w| w.keys[0].expired = true,
        sources: ALL,
        words: &["ExpiredTokenException: ", "renew the session"],
    },
    Refused {
        change: |w| w.keys[0].secret = String::from("another"),
        sources: ALL,
        words: &[
            "InvalidSignatureException: ",
            "check that the secret access key belongs",
        ],
    },
    Refused {
        change: |w| w.denied.push(String::from("mediapackage:ListChannels")),
        sources: &["mediapackage"],
        words: &[
            "AccessDenied",
            "allow mediapackage:ListChannels in the IAM policy",
        ],
    },
    Refused {
        change: |w| {
            w.denied
                .push(String::from("mediapackage:ListOriginEndpoints"));
        },
        sources: &["mediapackage"],
        words: &[
            "AccessDenied",
            "allow mediapackage:ListOriginEndpoints in the IAM policy",
        ],
    },
    Refused {
        change: |w| w.denied.push(String::from("cloudwatch:GetMetricData")),
        sources: &["metrics"],
        words: &[
            "AccessDenied",
            "allow cloudwatch:GetMetricData in the IAM policy",
        ],
    },
    Refused {
        change: |w| w.denied.push(String::from("cloudwatch:DescribeAlarms")),
        sources: &["alarms"],
        words: &[
            "AccessDenied",
            "allow cloudwatch:DescribeAlarms in the IAM policy",
        ],
    },
];

#[test]
fn a_refusal_names_awss_code_and_the_remedy_and_the_other_sources_go_on() {
    std::thread::scope(|scope| {
        for refused in REFUSED {
            scope.spawn(move || is_refused(refused));
        }
    });
}

fn is_refused(refused: &Refused) {
    let mut world = world();
    world.keys = vec![Key::new(
        "ASIASYNTHETIC0000001",
        crate::region::world::SECRET_ACCESS_KEY,
        Some("planted-session-token"),
    )];
    let site = Site::new(world)
        .configured(|config| config.text("credentials.session_token", "planted-session-token"));
    let agent = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    let running = Running { site, agent, eyes };
    let before = running.site.region.edit(|w| {
        let before = (w.keys.clone(), w.denied.clone());
        (refused.change)(w);
        before
    });
    for source in refused.sources {
        running.wait_for_state(source, "failing");
        let error = running.source(source, "error");
        for words in refused.words {
            assert!(error.contains(words), "{source}: {error}");
        }
    }
    let health = if refused.sources == ALL {
        "failing"
    } else {
        "degraded"
    };
    let shown = || json(&running.eyes.tree(), "agent")["health"] == health;
    wait_for(health, || shown().then_some(()));
    // Three failed intervals later the values count as stale; the others stay live.
    running.eyes.wait_until(LIMIT, |tree| {
        ALL.iter().all(|source| {
            let stale = refused.sources.contains(source);
            text(tree, &format!("source/{source}")) == if stale { "offline" } else { "online" }
        })
    });
    let once = run(&["once"], &running.site.write());
    assert_eq!(once.status.code(), Some(1));
    let said = String::from_utf8_lossy(&once.stderr).into_owned();
    for words in refused.words {
        assert!(said.contains(words), "{said}");
    }
    let wanted = running.site.region.edit(|w| topics_of(w));
    assert!(running.site.retained().into_keys().collect::<BTreeSet<_>>() == wanted);
    running.site.region.edit(|w| (w.keys, w.denied) = before);
    running.site.wait_for_picture(&running.eyes);
    running.eyes.wait_until(LIMIT, |tree| {
        ALL.iter()
            .all(|source| text(tree, &format!("source/{source}")) == "online")
    });
    for source in refused.sources {
        // The topic may be seen before the line.
        running
            .agent
            .wait_for_log(&format!("{source}: works again"));
        assert_eq!(running.agent.logged(&format!("WARN {source}: ")), 1);
        let again = format!("{source}: works again");
        running.agent.wait_for_log(&again);
        assert_eq!(running.agent.logged(&again), 1);
    }
    let log = running.agent.log().join("\n");
    assert!(!log.contains("planted-session-token"), "{log}");
    running.agent.stop();
}
