//! Bad days of the broker.

use rumqttc::MqttOptions;

use crate::harness::{LIMIT, PREFIX, Site, json, text, topics_of, wait_for, world};
use crate::region::World;
use crate::support::certificates::Certificates;
use crate::support::gate::Gate;
use crate::support::mosquitto::Setup;
use crate::support::publisher::publish;
use crate::support::subscriber::{Subscriber, Tree, options};

/// What stays the same while nothing happens but time.
fn steady(tree: &Tree) -> Tree {
    let moving = ["/metrics", "/point", "/stats", "/agent", "/summary"];
    let stays = |topic: &str| !moving.iter().any(|tail| topic.ends_with(tail));
    tree.iter()
        .filter(|(topic, _)| topic.starts_with(PREFIX) && stays(topic))
        .map(|(topic, payload)| (topic.clone(), payload.clone()))
        .collect()
}

#[test]
fn a_broker_that_is_absent_at_start_is_waited_for_and_polls_go_on() {
    let mut site = Site::new(world());
    site.broker.stop();
    let agent = site.agent();
    agent.wait_for_log("connection refused; is the broker running on this port?");
    site.wait_for_requests("GetMetricData", 3);
    site.broker.run();
    site.wait_for_picture(&site.eyes());
    // Told once, however often it was tried.
    assert_eq!(agent.logged("connection refused"), 1);
    agent.stop();
}

#[test]
fn after_a_restart_of_the_broker_the_picture_is_the_same_with_and_without_its_store() {
    for (persistence, forget) in [(true, false), (true, true), (false, false)] {
        let setup = Setup {
            persistence,
            ..Setup::default()
        };
        let mut site = Site::with_broker(world(), &setup);
        let agent = site.agent();
        let before = site.wait_for_picture(&site.eyes());
        site.broker.stop();
        if forget {
            site.broker.forget();
        }
        agent.wait_for_log("mqtt: no session with");
        // What happens meanwhile is shown afterwards.
        site.region
            .edit(|w| w.set_alarm("silent", "ALARM", "meanwhile"));
        site.wait_for_requests("DescribeAlarms", 2);
        site.broker.run();
        let eyes = site.eyes();
        eyes.wait_until(LIMIT, |tree| {
            json(tree, "alarm/silent")["state"] == "ALARM"
                && json(tree, "channel/ch-0000/health")["alarms_active"] == 1
        });
        let mut after = steady(&site.wait_for_picture(&eyes));
        let mut before = steady(&before);
        for changed in ["alarm/silent", "channel/ch-0000/health"] {
            let topic = format!("{PREFIX}{changed}");
            assert_ne!(before.remove(&topic), after.remove(&topic), "{changed}");
        }
        assert_eq!(before, after, "persistence {persistence}, forget {forget}");
        agent.stop();
    }
}

#[test]
fn a_refused_password_is_named_and_tried_again_until_the_broker_knows_it() {
    let wrong = Setup {
        user: Some(("agent", "another")),
        ..Setup::default()
    };
    let mut site = Site::with_broker(world(), &wrong).configured(|config| {
        config
            .text("mqtt.username", "agent")
            .text("mqtt.password", "planted-mqtt-password")
    });
    let agent = site.agent();
    let told = agent.wait_for_log("mqtt: no session with");
    assert!(told.contains("check [mqtt] username"), "{told}");
    site.wait_for_requests("GetMetricData", 2);
    site.broker.stop();
    let right = Setup {
        user: Some(("agent", "planted-mqtt-password")),
        ..Setup::default()
    };
    site.broker.set_up(&right);
    site.broker.run();
    agent.wait_for_log("mqtt: connected");
    let mut eyes = options(site.broker.port());
    eyes.set_credentials("agent", "planted-mqtt-password");
    let eyes = Subscriber::with(eyes, &format!("{PREFIX}#"));
    site.wait_for_picture(&eyes);
    let log = agent.log().join("\n");
    assert!(!log.contains("planted-mqtt-password"), "{log}");
    agent.stop();
}

/// Options of a client that trusts the authority of `files` and shows its certificate.
fn over_tls(port: u16, files: &Certificates) -> MqttOptions {
    use rumqttc::{TlsConfiguration, Transport};
    let read = |name| std::fs::read(files.path(name)).unwrap();
    let tls = TlsConfiguration::Simple {
        ca: read("ca.pem"),
        alpn: None,
        client_auth: Some((read("client.pem"), read("client.key"))),
    };
    let mut options = MqttOptions::new("eyes", ("localhost", port));
    options.set_transport(Transport::tls_with_config(tls));
    options
}

#[test]
fn tls_is_spoken_with_the_given_authority_and_client_certificate() {
    let (files, others) = (Certificates::make(), Certificates::make());
    let path = |files: &Certificates, name: &str| files.path(name).display().to_string();
    // Does the broker want a certificate, whose authority do we know, do we show one, what then.
    let table = [
        (false, &files, false, "mqtt: connected"),
        (false, &others, false, "TLS: "),
        (true, &files, true, "mqtt: connected"),
        (
            true,
            &files,
            false,
            "mqtt: no session with mqtts://localhost",
        ),
    ];
    for (wanted, authority, shown, line) in table {
        let setup = Setup {
            tls: Some(&files),
            client_certificate: wanted,
            ..Setup::default()
        };
        let site = Site::with_broker(world(), &setup);
        let port = site.broker.port();
        let mut site = site.configured(|config| {
            config
                .text("mqtt.url", &format!("mqtts://localhost:{port}"))
                .text("mqtt.ca_file", &path(authority, "ca.pem"))
        });
        if shown {
            site = site.configured(|config| {
                config
                    .text("mqtt.cert_file", &path(&files, "client.pem"))
                    .text("mqtt.key_file", &path(&files, "client.key"))
            });
        }
        let agent = site.agent();
        let told = agent.wait_for_log(line);
        if line == "mqtt: connected" {
            let eyes = Subscriber::with(over_tls(port, &files), &format!("{PREFIX}#"));
            site.wait_for_picture(&eyes);
        } else if line == "TLS: " {
            assert!(told.contains("check [mqtt] ca_file"), "{told}");
        }
        agent.stop();
    }
}

#[test]
fn the_last_will_of_a_killed_agent_says_offline_and_the_next_one_ends_in_the_same_picture() {
    let site = Site::new(world());
    let agent = site.agent();
    let eyes = site.eyes();
    let before = steady(&site.wait_for_picture(&eyes));
    agent.kill();
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "offline");
    let agent = site.agent();
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "online");
    assert_eq!(steady(&site.wait_for_picture(&eyes)), before);
    agent.stop();
}

#[test]
fn an_old_will_that_lands_late_is_overwritten() {
    let site = Site::new(world());
    let agent = site.agent();
    let eyes = site.eyes();
    site.wait_for_picture(&eyes);
    let status = format!("{PREFIX}status");
    publish(
        site.broker.port(),
        &[(status.as_str(), &b"offline"[..])],
        true,
    );
    eyes.wait_for(LIMIT, |m| m.topic == status && m.payload == "offline");
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "online");
    agent.stop();
}

/// Killed at whatever point of its start, the next one ends in the same picture.
#[test]
fn an_agent_killed_while_it_starts_leaves_nothing_that_the_next_one_does_not_put_right() {
    let site = Site::new(
        World::new("eu-central-1")
            .with_channels(10, 4)
            .standard_metrics(),
    );
    let stray = format!("{PREFIX}channel/gone");
    let eyes = site.eyes();
    // Publications that were seen before it is killed; far apart, so that each point of the
    // start is hit: reading, adoption, refill, sweep.
    for seen in [0, 1, 2, 5, 20, 50, 80, 120] {
        publish(site.broker.port(), &[(stray.as_str(), &b"?"[..])], true);
        eyes.wait_until(LIMIT, |tree| tree.contains_key(&stray));
        let before = eyes.stream().len();
        let agent = site.agent();
        wait_for("that many publications", || {
            (eyes.stream().len() >= before + seen).then_some(())
        });
        agent.kill();
    }
    let agent = site.agent();
    eyes.wait_until(LIMIT, |tree| text(tree, "status") == "online");
    site.wait_for_picture(&eyes);
    let kept = site.retained();
    assert!(kept.into_keys().eq(site.region.edit(|w| topics_of(w))));
    agent.stop();
}

#[test]
fn memory_stays_flat_while_the_broker_is_away() {
    /// What caches and the allocator may take besides.
    const GROWTH_KIB_MAX: u64 = 4 * 1024;
    let mut site = Site::new(
        World::new("eu-central-1")
            .with_channels(50, 4)
            .standard_metrics(),
    );
    let agent = site.agent();
    site.wait_for_picture(&site.eyes());
    site.broker.stop();
    let cycle = |cycles: usize| {
        for n in 0..cycles {
            site.region.edit(|w| {
                for channel in &mut w.channels {
                    channel.description = Some(format!("round {n} of {}", channel.id));
                }
            });
            site.wait_for_requests("ListChannels", 1);
        }
    };
    cycle(4);
    let before = agent.resident_kib();
    cycle(10);
    let after = agent.resident_kib();
    eprintln!("resident: {before} KiB, ten cycles later {after} KiB");
    assert!(
        after <= before + GROWTH_KIB_MAX,
        "{before} KiB became {after} KiB"
    );
    site.broker.run();
    site.wait_for_picture(&site.eyes());
    agent.stop();
}

#[test]
fn a_broker_that_acknowledges_nothing_for_a_while_gets_the_newest_value_and_no_queue() {
    const CHANNELS: usize = 60;
    const ROUNDS: usize = 4;
    /// Publications under way at the most.
    const IN_FLIGHT_MAX: usize = 64;
    let site = Site::new(World::new("eu-central-1").with_channels(CHANNELS, 0))
        .configured(|config| config.text("cloudwatch.metrics", "off"));
    let gate = Gate::start(site.broker.port());
    let url = format!("mqtt://127.0.0.1:{}", gate.port());
    let site = site.configured(|config| config.text("mqtt.url", &url));
    let agent = site.agent();
    let eyes = site.eyes();
    let all_are = |tree: &Tree, text: &str| {
        let of_channel = |n| json(tree, &format!("channel/ch-{n:04}"))["description"] == text;
        (0..CHANNELS).all(of_channel)
    };
    let describe = |text: &str| {
        site.region.edit(|w| {
            for channel in &mut w.channels {
                channel.description = Some(text.to_owned());
            }
        });
        site.wait_for_requests("ListOriginEndpoints", 2);
    };
    describe("before");
    eyes.wait_until(LIMIT, |tree| all_are(tree, "before"));
    let shown = |tree: &Tree| !json(tree, "agent/stats").is_null();
    eyes.wait_until(LIMIT, shown);
    gate.hold();
    let before = eyes.stream().len();
    for round in 1..=ROUNDS {
        describe(&format!("round {round}"));
    }
    gate.open();
    eyes.wait_until(LIMIT, |tree| all_are(tree, &format!("round {ROUNDS}")));
    let came = eyes.stream().len() - before;
    eprintln!("{came} publications for {} changes", ROUNDS * CHANNELS);
    assert!(came <= IN_FLIGHT_MAX + CHANNELS + 10, "{came}");
    assert_eq!(agent.logged("mqtt: connected"), 1);
    agent.stop();
}

#[test]
fn a_limit_of_publishes_is_kept_and_the_picture_is_whole_in_the_end() {
    let site =
        Site::new(world()).configured(|config| config.set("mqtt.max_publishes_per_second", "15"));
    let agent = site.agent();
    site.wait_for_picture(&site.eyes());
    agent.stop();
}

#[test]
fn what_an_access_list_drops_is_named() {
    let setup = Setup {
        acl: Some("topic readwrite #\ntopic deny mediapackage/test/channel/ch-0001/health\n"),
        ..Setup::default()
    };
    let site = Site::with_broker(world(), &setup);
    let agent = site.agent();
    let told = agent.wait_for_log("does not keep them");
    let wanted = "took 1 retained topics and does not keep them \
                  (mediapackage/test/channel/ch-0001/health); check its access list";
    assert!(told.contains(wanted), "{told}");
    let mut topics = site.region.edit(|w| topics_of(w));
    topics.remove("mediapackage/test/channel/ch-0001/health");
    site.eyes()
        .wait_until(LIMIT, |tree| topics.iter().all(|t| tree.contains_key(t)));
    let mut agent = agent;
    agent.signal("TERM");
    assert_eq!(agent.ended(), Some(0));
}
