//! What is written while nothing happens: nothing. Flash wears with every write, and so does the
//! journal on it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Agent, LIMIT, json, program};
use crate::place::Place;

/// Polls of the inventory that the watch lasts at least, beside those of alarms and metrics.
const POLLS: usize = 25;
/// Every system call that can change a file.
const CALLS: &str = "open,openat,openat2,creat,write,writev,pwrite64,pwritev,pwritev2,fsync,\
                     fdatasync,sync,syncfs,sync_file_range,fallocate,truncate,ftruncate,rename,\
                     renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,\
                     symlinkat,copy_file_range,sendfile,utimensat,chmod,fchmod,fchmodat,mmap";

/// Whether strace may watch here; containers often forbid it.
fn can_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .output()
        .expect("strace, which tests/run installs");
    tried.status.success()
}

/// Whether a line of strace's tells of a change to a file, or of a line of the log.
fn changes_a_file(line: &str) -> bool {
    // 4711 write(7<socket:[123]>, ...) = 5
    let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let Some((name, arguments)) = call.split_once('(') else {
        return false;
    };
    match name {
        "open" | "openat" | "openat2" => ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
            .iter()
            .any(|flag| arguments.contains(flag)),
        "mmap" => arguments.contains("MAP_SHARED") && arguments.contains("PROT_WRITE"),
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendfile" => {
            let to = arguments.split(',').next().unwrap_or_default();
            // Sockets, and what wakes a thread of our own.
            !to.contains("<socket:") && !to.contains("<TCP") && !to.contains("<anon_inode:")
        }
        _ => true,
    }
}

fn traced(place: &Place, trace: &Path) -> Agent {
    let agent = program();
    let mut command = Command::new("strace");
    command
        .env_clear()
        // -D: the agent stays our own child.
        .args(["-D", "-f", "-qq", "-y", "-s", "48", "-e"])
        .arg(format!("trace={CALLS}"))
        .args(["-e", "signal=none", "-o"])
        .arg(trace)
        .arg(agent.get_program())
        .args(["run", "--config"])
        .arg(place.site.write())
        .stdin(Stdio::null());
    Agent::launch(command)
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    if !can_trace() {
        eprintln!("skipped: strace may not watch a process on this machine (ptrace)");
        return;
    }
    let place = Place::new();
    let site = place.site.configured(|config| config.text("log", "info"));
    let place = Place { site, ..place };
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("trace");
    let eyes = place.site.eyes();
    let agent = traced(&place, &trace);
    let ok = |tree: &_| json(tree, "agent")["health"] == "ok";
    eyes.wait_until(LIMIT, ok);
    // The start writes: its lock, its id. So strace sees.
    let all = || fs::read_to_string(&trace).unwrap();
    let began = all();
    let writes = began.lines().filter(|line| changes_a_file(line)).count();
    assert!(writes > 5, "{began}");
    assert!(began.contains("agent_id"), "{began}");
    // Until the last line of the log is out.
    place.site.wait_for_requests("GetMetricData", 2);
    let before = all().len();
    place.site.wait_for_requests("ListChannels", POLLS);
    // The others went on meanwhile, and do.
    place.site.wait_for_requests("DescribeAlarms", 1);
    place.site.wait_for_requests("GetMetricData", 1);
    let rest = all().split_off(before);
    let written: Vec<&str> = rest.lines().filter(|line| changes_a_file(line)).collect();
    assert!(written.is_empty(), "{written:#?}");
    assert!(
        rest.contains("<TCP") || rest.contains("<socket:"),
        "{rest:.2000}"
    );
    agent.stop();
}
