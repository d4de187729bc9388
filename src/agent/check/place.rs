//! What can be said of config and machine without any network.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::super::{clock, state_dir};
use super::queue;
use super::report::{Grade, Report};
use crate::aws::proxy::Way;
use crate::config::{Config, Env};
use crate::state::fault::Fault;

/// The config file, and what is doubtful in it.
pub fn config<W: Write>(report: &mut Report<W>, config: &Config) {
    report.ok("config", &config.file.display().to_string());
    for warning in &config.warnings {
        report.warn("config", warning, "");
    }
}

/// Whether the agent could keep its state, and whether one runs with it now. Nothing is made
/// that stays, and no lock is taken.
///
/// Offline the config may be looked at on another machine than the agent's: a folder that
/// cannot be written is a warning there.
pub fn state_folder<W: Write>(report: &mut Report<W>, config: &Config, offline: bool) {
    const PART: &str = "state folder";
    let folder = state_dir::path(config);
    let shown = folder.display();
    match try_writing(&folder) {
        Ok(()) => report.ok(PART, &format!("{shown} can be written")),
        Err(error) => {
            let grade = if offline { Grade::Warn } else { Grade::Fail };
            let found = format!("{shown} cannot be written: {error}");
            let remedy = "run check as the user that the agent runs as, or set state_dir to a \
                          place that this user may write";
            report.line(grade, PART, &found, remedy);
        }
    }
    if state_dir::is_locked(config) {
        report.note(PART, &format!("an agent runs with {shown} now"));
    }
}

/// Makes and removes a file where the folder is, or where it would be made.
fn try_writing(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    if !fs::metadata(there)?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    let file = there.join(format!(".check-{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)?;
    fs::remove_file(file)
}

/// The rest of what needs no network.
pub fn offline<W: Write>(report: &mut Report<W>, config: &Config) {
    local_clock(report);
    report.note(
        "credentials",
        &format!("{}; not tried", credentials(config)),
    );
    queue::offline(report, config);
    proxies(report, config, &[]);
    report.note("network", "AWS and the broker are not tried with --offline");
}

/// Where credentials will be taken from, in words.
fn credentials(config: &Config) -> String {
    let source = match (&config.credentials, &config.iot) {
        (Some(_), _) => String::from("[credentials] in the config file"),
        (None, Some(iot)) => format!("AWS IoT role alias {}", iot.role_alias),
        (None, None) => String::from("the default chain"),
    };
    match &config.assume_role {
        Some(role) => format!("{source} -> role {}", role.role_arn),
        None => source,
    }
}

/// Tells a clock that no honest machine shows. True when it did.
pub fn local_clock<W: Write>(report: &mut Report<W>) -> bool {
    let now = clock::wall();
    if now >= super::super::MADE_ON {
        return false;
    }
    let found = format!("this machine's clock shows {now}, before this version was made");
    let remedy = "set it (NTP); until then there is no TLS, and the agent waits";
    report.warn("clock", &found, remedy);
    true
}

/// Which way each service is reached, without passwords. `faults` are what was met on these
/// ways: a proxy that is named by one of them does not work.
pub fn proxies<W: Write>(report: &mut Report<W>, config: &Config, faults: &[&Fault]) {
    let env = Env::of_process();
    let (mp, cw) = (&config.mediapackage, &config.cloudwatch);
    let services = [
        ("MediaPackage", mp.apis.v1, &mp.proxy, &mp.url),
        ("MediaPackage v2", mp.apis.v2, &mp.proxy, &mp.v2_url),
        ("MediaPackage VOD", mp.apis.vod, &mp.proxy, &mp.vod_url),
        ("CloudWatch", true, &cw.proxy, &cw.url),
    ];
    let sns = config.sns.iter();
    let sns = sns.map(|sns| ("SNS", true, &sns.proxy, &sns.url));
    let sqs = config.sqs.iter();
    let sqs = sqs.map(|sqs| ("SQS", true, &sqs.proxy, &sqs.url));
    let services = services.into_iter().filter(|row| row.1);
    let iot = config.iot.iter();
    let iot = iot.map(|iot| ("AWS IoT", true, &mp.proxy, &iot.endpoint));
    let services = services.chain(sns).chain(sqs).chain(iot);
    let mut told = false;
    for (service, _, proxy, url) in services {
        match Way::of(proxy, url, &env) {
            Ok(way) => match faults.iter().find(|fault| way.is_blamed_by(fault)) {
                Some(_) if told => report.note("proxy", &format!("{service} goes the same way")),
                Some(fault) => {
                    told = true;
                    report.fault("proxy", fault);
                }
                None => report.ok("proxy", &format!("{service} is reached {way}")),
            },
            Err(fault) => report.fault("proxy", &fault),
        }
    }
}
