//! moto, an independent mock of AWS, with its signature and IAM checks switched on.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::ports::{connect, free_port, start};

/// A running and seeded moto server; it is killed when dropped.
pub struct Moto {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    /// Key of the user whose policy allows what the agent needs.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// What `tests/moto.py` made.
    pub seeded: Value,
    port: u16,
    child: Child,
}

impl Moto {
    /// Starts moto, fills this region by `tests/moto.py` and switches its checks on.
    ///
    /// # Panics
    ///
    /// When the virtual environment that `tests/run` makes is not there.
    pub fn start(region: &str) -> Moto {
        let mut moto = Moto::empty();
        moto.seed(region);
        let checked = request(moto.port, "POST", "/moto-api/reset-auth", "0");
        assert!(checked.is_some(), "moto did not switch its checks on");
        moto
    }

    /// Starts moto with nothing in it, and lets everybody in.
    ///
    /// # Panics
    ///
    /// When the virtual environment that `tests/run` makes is not there.
    pub fn empty() -> Moto {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(venv().join("bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let ready = || request(port, "GET", "/moto-api/data.json", "").is_some();
        Moto {
            child: start("moto_server", &mut command, ready),
            port,
            url,
            access_key_id: String::new(),
            secret_access_key: String::new(),
            seeded: Value::Null,
        }
    }

    /// What a script in `tests/` prints that does something with moto.
    ///
    /// # Panics
    ///
    /// When it fails, with what it says.
    pub fn script(&self, name: &str, region: &str, arguments: &[&str]) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(name);
        let run = Command::new(venv().join("bin/python"))
            .arg(script)
            .args(["--endpoint", &self.url, "--region", region])
            .args(arguments)
            .output()
            .expect("Python of the virtual environment");
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "tests/{name} failed: {errors}");
        serde_json::from_slice(&run.stdout).expect("JSON of the script")
    }

    fn seed(&mut self, region: &str) {
        self.seeded = self.script("moto.py", region, &[]);
        let text = |name: &str| self.seeded[name].as_str().expect("a key").to_owned();
        (self.access_key_id, self.secret_access_key) = (text("access_key"), text("secret_key"));
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The virtual environment that `tests/run` makes.
pub fn venv() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/moto");
    std::env::var_os("MOTO_VENV").map_or(made, PathBuf::from)
}

/// The body of a good answer.
fn request(port: u16, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = connect(port).ok()?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|status| *status == "200")?;
    Some(body.to_owned())
}
