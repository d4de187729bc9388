//! What systemd is told while the agent lives.

use super::*;
use crate::engine::service::Bulletin;
use crate::engine::watch::{HUNG_AFTER, Progress};
use crate::engine::{Event, Settings};
use crate::state::fault::{Fault, FaultKind};

fn statuses(rig: &Rig) -> Vec<&str> {
    let all = rig.bulletins.iter();
    all.filter_map(|told| match told {
        Bulletin::Status(text) => Some(text.as_str()),
        _ => None,
    })
    .collect()
}

/// Whether the watchdog is fed now.
fn is_fed(rig: &mut Rig, progress: Progress) -> bool {
    rig.bulletins.clear();
    rig.handle(Event::Pulse(progress));
    rig.bulletins.contains(&Bulletin::Alive)
}

#[test]
fn it_is_ready_without_network() {
    let mut rig = Rig::with(live(&["a"]), |_| {});
    rig.broker.up = false;
    rig.region.fail(Kind::Inventory);
    rig.to(0);
    assert!(rig.bulletins.contains(&Bulletin::Ready));
    rig.to(60);
    let ready = rig.bulletins.iter().filter(|b| **b == Bulletin::Ready);
    assert_eq!(ready.count(), 1);
    let last = statuses(&rig).last().unwrap().to_string();
    assert!(last.contains("mediapackage fails since 10:00Z: "), "{last}");
}

#[test]
fn a_listener_is_ready_once_its_port_is_open_or_was_tried() {
    let fault = Fault::new(FaultKind::Network, "cannot listen on x: in use", "");
    for result in [Ok(()), Err(fault)] {
        let listens = Settings {
            listens: true,
            ..rig::settings()
        };
        let mut rig = Rig::new(listens, live(&["a"]));
        rig.to(60);
        assert!(!rig.bulletins.contains(&Bulletin::Ready));
        rig.handle(Event::Listener(result.clone()));
        assert!(rig.bulletins.contains(&Bulletin::Ready));
        let last = statuses(&rig).last().unwrap().to_string();
        assert_eq!(
            last.contains("cannot listen on x"),
            result.is_err(),
            "{last}"
        );
    }
}

#[test]
fn the_status_follows_the_state_and_is_told_when_it_changes() {
    let mut rig = Rig::with(live(&["a", "b"]), |_| {});
    rig.region.alarms = vec![region::alarm("silent", "ALARM", rig::START)];
    rig.to(60);
    let well = "ok: 2 channels, 1 alarm active, broker connected";
    assert_eq!(statuses(&rig).last(), Some(&well));
    let count = statuses(&rig).len();
    assert!(count <= 6, "{:?}", statuses(&rig));
    rig.to(1200);
    assert_eq!(statuses(&rig).len(), count, "nothing is news");
    rig.region.fail(Kind::Alarms);
    rig.to(1300);
    let last = statuses(&rig).last().unwrap().to_string();
    assert_eq!(last, "degraded: alarms fails since 10:20Z: Alarms failed");
    rig.region.heal(Kind::Alarms);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(1500);
    let last = statuses(&rig).last().unwrap().to_string();
    assert_eq!(last, "degraded: broker away since 10:21Z: no broker");
    rig.broker.up = true;
    rig.to(1600);
    assert_eq!(statuses(&rig).last(), Some(&well));
    rig.handle(Event::Stop);
    assert_eq!(statuses(&rig).last(), Some(&"stopping"));
    assert!(rig.bulletins.contains(&Bulletin::Stopping));
}

#[test]
fn the_watchdog_is_fed_while_everybody_moves() {
    let mut rig = Rig::with(live(&["a"]), |_| {});
    let limit = HUNG_AFTER.as_secs();
    rig.to(60);
    assert!(is_fed(&mut rig, Progress::default()));
    // A listing that needs two hours, and sends a request now and then.
    rig.slow = Some((Kind::Inventory, Duration::from_secs(7200)));
    rig.to(120);
    for minute in 2..60 {
        rig.to(minute * 60);
        assert!(is_fed(&mut rig, Progress([minute, 0, 0, 0])), "{minute}");
    }
    // One that hangs: the others do not hide it.
    let sent = Progress([59, 7, 7, 7]);
    rig.to(59 * 60 + limit + 1);
    assert!(!is_fed(&mut rig, sent));
    assert!(statuses(&rig)[0].contains("poll-mp hangs for 5 min"));
    assert!(
        rig.log
            .iter()
            .any(|line| line.contains("thread poll-mp has not moved"))
    );
    // It moves again.
    rig.slow = None;
    rig.to(3 * 3600);
    assert!(is_fed(&mut rig, sent));
    assert!(
        rig.log
            .iter()
            .any(|line| line.contains("everything moves again"))
    );
}

#[test]
fn neither_an_absent_aws_nor_an_absent_broker_keeps_the_watchdog_hungry() {
    let mut rig = Rig::with(live(&["a"]), |_| {});
    rig.to(60);
    for kind in [Kind::Inventory, Kind::Metrics, Kind::Alarms, Kind::Series] {
        rig.region.fail(kind);
    }
    rig.broker.up = false;
    rig.lose_broker();
    for minute in 2..120 {
        rig.to(minute * 60);
        assert!(is_fed(&mut rig, Progress::default()), "{minute}");
    }
}

#[test]
fn without_a_service_manager_nobody_is_told_anything() {
    let mut rig = Rig::with(live(&["a"]), |settings| settings.supervised = false);
    rig.to(60);
    rig.broker.up = false;
    rig.lose_broker();
    rig.to(120);
    rig.handle(Event::Stop);
    assert_eq!(rig.bulletins, []);
}
