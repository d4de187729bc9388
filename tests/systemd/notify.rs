//! What the agent tells the service manager, read as the service manager reads it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::harness::{Agent, Site, no_secret_in, wait_for, world};
use crate::region::{FOREVER, Fault};

/// What `WatchdogSec=` would be: so short that a test sees it fed some times.
const WATCHDOG_USEC: &str = "400000";

/// The service manager's end.
struct Manager {
    place: String,
    told: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Manager {
    /// Listens at a path, or at an abstract name.
    fn new(is_abstract: bool) -> Manager {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let (socket, place) = match is_abstract {
            false => (UnixDatagram::bind(&path), path.display().to_string()),
            true => {
                let name = path.display().to_string();
                let address = SocketAddr::from_abstract_name(&name).unwrap();
                (UnixDatagram::bind_addr(&address), format!("@{name}"))
            }
        };
        let (socket, told) = (socket.unwrap(), Arc::new(Mutex::new(Vec::new())));
        let kept = told.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = socket.recv(&mut bytes) {
                let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
                no_secret_in("what systemd is told", &text);
                kept.lock().unwrap().push(text);
            }
        });
        Manager {
            place,
            told,
            _folder: folder,
        }
    }

    fn start(&self, site: &Site, watchdog: bool) -> Agent {
        Agent::start_with(&site.write(), |command| {
            command.env("NOTIFY_SOCKET", &self.place);
            if watchdog {
                command.env("WATCHDOG_USEC", WATCHDOG_USEC);
            }
        })
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    fn count(&self, text: &str) -> usize {
        self.told().iter().filter(|told| *told == text).count()
    }

    /// The newest status.
    fn status(&self) -> String {
        let told = self.told();
        let last = told.iter().rfind(|text| text.starts_with("STATUS="));
        last.cloned().unwrap_or_default()
    }

    fn wait_for_status(&self, words: &str) {
        wait_for(&format!("a status with {words:?}"), || {
            self.status().contains(words).then_some(())
        });
    }
}

#[test]
fn systemd_hears_of_the_start_the_state_the_life_and_the_end() {
    for is_abstract in [false, true] {
        let manager = Manager::new(is_abstract);
        let site = Site::new(world());
        let agent = manager.start(&site, true);
        manager.wait_for_status("STATUS=ok: 3 channels, 0 alarms active, broker connected");
        assert_eq!(manager.count("READY=1"), 1);
        let drop = || {
            site.region
                .edit(|w| w.faults.add("ListChannels", FOREVER, Fault::html(502)))
        };
        drop();
        manager.wait_for_status("STATUS=degraded: mediapackage fails since ");
        manager.wait_for_status("with status 502");
        site.region.edit(|w| w.faults.clear());
        manager.wait_for_status("STATUS=ok: 3 channels");
        site.region.set_alarm_state("silent", "ALARM", false);
        manager.wait_for_status("STATUS=ok: 3 channels, 1 alarm active");
        let fed = manager.count("WATCHDOG=1");
        wait_for("the watchdog to be fed", || {
            (manager.count("WATCHDOG=1") >= fed + 3).then_some(())
        });
        assert_eq!(manager.count("STOPPING=1"), 0);
        agent.stop();
        wait_for("the end", || {
            (manager.count("STOPPING=1") == 1).then_some(())
        });
        assert_eq!(manager.count("READY=1"), 1);
    }
}

#[test]
fn a_site_without_aws_and_broker_is_ready_and_says_why_it_is_not_well() {
    let manager = Manager::new(false);
    let mut site = Site::new(world());
    site.broker.stop();
    site.region
        .edit(|w| w.faults.add(crate::region::ANY, FOREVER, Fault::Drop));
    let agent = manager.start(&site, false);
    wait_for("the start", || {
        (manager.count("READY=1") == 1).then_some(())
    });
    manager.wait_for_status("STATUS=failing: mediapackage fails since ");
    manager.wait_for_status(" more)");
    // Nobody asked for a watchdog.
    assert_eq!(manager.count("WATCHDOG=1"), 0);
    site.broker.run();
    site.region.edit(|w| w.faults.clear());
    manager.wait_for_status("STATUS=ok: 3 channels");
    agent.stop();
}

#[test]
fn a_manager_that_is_not_there_is_told_to_the_log_and_does_no_harm() {
    let site = Site::new(world());
    for (place, words) in [
        ("/nonexistent/notify", "cannot tell systemd how we do"),
        ("vsock:2:1", "cannot tell systemd"),
    ] {
        let agent = Agent::start_with(&site.write(), |command| {
            command.env("NOTIFY_SOCKET", place);
        });
        agent.wait_for_log(words);
        site.wait_for_picture(&site.eyes());
        assert_eq!(agent.logged("cannot tell systemd"), 1, "{place}");
        agent.stop();
    }
}
