//! A front in a process of its own, whose threads and files can be counted and limited.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use mediapackage2mqtt::http::{Front, Request, Tls};

use crate::rig::{echo, timeless};

const FILES_VARIABLE: &str = "HTTP_FRONT_FILES";
const READY: &str = "listens on port ";

/// Ends with this.
pub struct Alone {
    child: Child,
    /// Open as long as it writes.
    output: Lines<BufReader<ChildStdout>>,
    pub port: u16,
}

impl Alone {
    /// `files_max` is its `ulimit -n`; `certificates` the folder of `server.pem` and its key.
    pub fn start(files_max: usize, certificates: Option<&Path>) -> Alone {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("ulimit -n {files_max} && exec \"$0\" \"$@\""))
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "alone::serve", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(folder) = certificates {
            command.env(FILES_VARIABLE, folder);
        }
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        // The name of the test stands before it on the line.
        let port = output.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once(READY)?;
            Some(port.parse().unwrap())
        });
        Alone {
            child,
            output,
            port: port.unwrap(),
        }
    }

    /// Has it answer what was asked for `/hold`.
    pub fn release(&mut self) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input).unwrap();
    }

    /// Whether it has an open file of this number. Some may be above the limit: those that it
    /// was started with.
    pub fn has_file(&self, number: usize) -> bool {
        let path = format!("/proc/{}/fd/{number}", self.child.id());
        std::fs::symlink_metadata(path).is_ok()
    }

    /// How many entries a folder of its process has: `task` or `fd`.
    pub fn count(&self, folder: &str) -> usize {
        let path = format!("/proc/{}/{folder}", self.child.id());
        std::fs::read_dir(path).unwrap().count()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // Its end, which it waits for.
        drop(self.child.stdin.take());
        let told: Vec<_> = self.output.by_ref().map_while(Result::ok).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success() || std::thread::panicking(), "{told:?}");
    }
}

#[test]
#[ignore = "the other tests start it"]
fn serve() {
    let folder = std::env::var_os(FILES_VARIABLE);
    let tls = folder.map(|folder| {
        let folder = Path::new(&folder);
        Tls::load(&folder.join("server.pem"), &folder.join("server.key")).unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (front, answers) = Front::new(listener, timeless(), tls).unwrap();
    let (sender, requests) = sync_channel::<Request>(64);
    // What was asked for `/hold` is answered at a line of input, all else at once.
    let held = Mutex::new(Vec::new());
    let (answers, held) = (&answers, &held);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for request in requests {
                if request.path == "/hold" {
                    held.lock().unwrap().push(request);
                } else {
                    answers.send(request.id, echo(&request));
                }
            }
        });
        scope.spawn(move || {
            let deliver = |request| sender.try_send(request).is_ok();
            front.run(deliver, |_| {}).unwrap();
        });
        let mut output = std::io::stdout();
        writeln!(output, "{READY}{port}").unwrap();
        output.flush().unwrap();
        for _ in std::io::stdin().lines() {
            let freed = std::mem::take(&mut *held.lock().unwrap());
            freed.iter().for_each(|one| answers.send(one.id, echo(one)));
        }
        answers.stop();
    });
}
