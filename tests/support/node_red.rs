//! A real Node-RED with a flow, on a free loopback port and in a user folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::ports::{accepts, free_port, start};

/// What `NODE_RED` is where `tests/run` could not install it.
const NOT_TO_BE_HAD: &str = "none";
/// What the log says when a deploy of changed nodes is done.
const DEPLOYED: &str = "Started modified nodes";
const DEPLOY_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// A running Node-RED; it is killed when dropped.
pub struct NodeRed {
    dir: TempDir,
    port: u16,
    child: Child,
}

impl NodeRed {
    /// Starts one with these flows; `None` where npm cannot install it, which is said.
    ///
    /// # Panics
    ///
    /// When it is not where `tests/run` puts it.
    pub fn start(flows: &Value) -> Option<NodeRed> {
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/node-red");
        let folder = std::env::var_os("NODE_RED").map_or(made, PathBuf::from);
        if folder.as_os_str() == NOT_TO_BE_HAD {
            eprintln!("SKIPPED: npm cannot install Node-RED here");
            return None;
        }
        let dir = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let write = |name: &str, text: &str| {
            fs::write(dir.path().join(name), text).expect("a writable temporary folder");
        };
        write("flows.json", &flows.to_string());
        write("settings.js", &settings(port));
        let out = File::create(dir.path().join("log")).expect("a writable temporary folder");
        let errors = out.try_clone().expect("a second handle");
        let mut command = Command::new("node");
        command
            .arg(folder.join("node_modules/node-red/red.js"))
            .arg("--userDir")
            .arg(dir.path())
            .arg("--settings")
            .arg(dir.path().join("settings.js"))
            .env("HOME", dir.path())
            .env_remove("NODE_RED_HOME")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors);
        let log = || fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        let started = || log().contains("Started flows") && accepts(port);
        let child = start("node-red", &mut command, started);
        Some(NodeRed { dir, port, child })
    }

    /// The body of the answer to a GET.
    ///
    /// # Panics
    ///
    /// When the answer is not a good one.
    pub fn get(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut answer = ureq::get(&url).call().expect("an answer of Node-RED");
        let body = answer.body_mut().read_to_string();
        body.expect("a body of text")
    }

    /// Presses the button of an inject node.
    ///
    /// # Panics
    ///
    /// When there is no such node.
    pub fn inject(&self, id: &str) {
        let url = format!("http://127.0.0.1:{}/inject/{id}", self.port);
        ureq::post(&url).send_empty().expect("an inject node");
    }

    /// Deploys flows in place of those that run; nodes that did not change go on.
    ///
    /// # Panics
    ///
    /// When they are refused, or do not start in time.
    pub fn deploy(&self, flows: &Value) {
        let url = format!("http://127.0.0.1:{}/flows", self.port);
        let asked = ureq::post(&url)
            .header("Content-Type", "application/json")
            .header("Node-RED-Deployment-Type", "nodes");
        // The answer comes before the nodes run again.
        let started = || self.log().matches(DEPLOYED).count();
        let before = started();
        asked.send(flows.to_string()).expect("flows that are taken");
        let asked_at = Instant::now();
        while started() == before {
            assert!(asked_at.elapsed() < DEPLOY_MAX, "a deploy without end");
            std::thread::sleep(PAUSE);
        }
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for NodeRed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of Node-RED:\n{}", self.log());
        }
    }
}

/// Loopback only, nothing asked of the world, and quick to come back to a broker.
fn settings(port: u16) -> String {
    format!(
        r#"module.exports = {{
    uiHost: "127.0.0.1",
    uiPort: {port},
    flowFile: "flows.json",
    credentialSecret: false,
    mqttReconnectTime: 200,
    telemetry: {{ enabled: false, updateNotification: false }},
    externalModules: {{ autoInstall: false, palette: {{ allowInstall: false }} }},
    editorTheme: {{ tours: false, projects: {{ enabled: false }} }},
}};
"#
    )
}
