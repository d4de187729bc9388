//! `[status]`: the port of the local page. That others could read a page that is not on loopback
//! is told with the config.

use std::io::{ErrorKind, Write};
use std::net::TcpListener;

use super::super::state_dir;
use super::listener::{is_for_root_alone, is_root};
use super::report::Report;
use crate::config::Config;

const PART: &str = "status port";

/// Opens the port for a moment, unless the agent of this config has it.
pub fn check<W: Write>(report: &mut Report<W>, config: &Config) {
    let Some(status) = &config.status else {
        return;
    };
    let listen = status.listen;
    let Err(error) = TcpListener::bind(listen) else {
        match is_for_root_alone(listen, is_root()) {
            true => report.warn(
                PART,
                &format!("{listen} can be listened on by root, who runs this check"),
                "give [status] listen a port of 1024 or more for the agent's own user",
            ),
            false => report.ok(PART, &format!("{listen} can be listened on")),
        }
        return;
    };
    if error.kind() == ErrorKind::AddrInUse && state_dir::is_locked(config) {
        report.note(PART, &format!("the agent that runs listens on {listen}"));
        return;
    }
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => "give [status] listen a port that no other program has",
        ErrorKind::PermissionDenied => "give [status] listen a port of 1024 or more",
        _ => "check [status] listen",
    };
    report.fail(PART, &format!("cannot listen on {listen}: {error}"), remedy);
}
