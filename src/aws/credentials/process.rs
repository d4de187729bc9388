//! `credential_process`: a program that prints credentials.
//!
//! Source: "Process credential provider", AWS SDKs and tools reference guide; botocore
//! credentials.py `ProcessProvider`. The program is run without a shell.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Credentials;
use crate::aws::answer::one_line;
use crate::aws::stop::Stop;
use crate::config::Secret;
use crate::state::fault::{Fault, FaultKind};
use crate::state::time::UnixMs;

/// What is read of either stream.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// How often it is looked whether the program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After the program has ended, its children may still hold the streams open.
const STREAMS_CLOSE_MAX: Duration = Duration::from_secs(1);

/// Runs `command` and reads what it prints. `source` says where the command was found.
///
/// # Errors
///
/// [`FaultKind::Credentials`] when it cannot be run, fails, takes longer than `limit` or does
/// not print credentials; [`FaultKind::Stopped`] when stopped meanwhile. It has then ended.
pub fn run(
    command: &str,
    source: &str,
    limit: Duration,
    stop: &Stop,
) -> Result<Credentials, Fault> {
    let failed = |what: &str| {
        Fault::new(
            FaultKind::Credentials,
            format!("{source} {what}"),
            "run the command by hand, as the user this program runs as",
        )
    };
    let words = shlex::split(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("is empty or has a quote that is not closed"));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&format!("cannot be run: {error}")))?;
    let output = child.stdout.take().map(read_apart);
    let errors = child.stderr.take().map(read_apart);
    let ended = wait(&mut child, limit, stop);
    let Some(status) = ended else {
        // Both can only fail when it has just ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        if stop.requested() {
            return Err(Fault::new(
                FaultKind::Stopped,
                format!("{source} was stopped"),
                "",
            ));
        }
        return Err(failed(&format!(
            "did not end within {} s",
            limit.as_secs_f32()
        )));
    };
    let close = |stream: Option<Receiver<Vec<u8>>>| stream?.recv_timeout(STREAMS_CLOSE_MAX).ok();
    let output = close(output).ok_or_else(|| failed("ended without closing its output"))?;
    if output.len() as u64 > OUTPUT_BYTES_MAX {
        return Err(failed(&format!(
            "printed more than {OUTPUT_BYTES_MAX} bytes"
        )));
    }
    if !status.success() {
        let errors = one_line(&String::from_utf8_lossy(&close(errors).unwrap_or_default()));
        return Err(failed(&format!("failed ({status}): {errors}")));
    }
    parse(&output, source).map_err(|what| failed(&what))
}

/// Reads a stream on a thread of its own, so that neither of two can block the program.
fn read_apart(stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let read = move || {
        let mut bytes = Vec::new();
        // What was read before an error is all there is.
        let _ = stream.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    };
    let spawned = thread::Builder::new()
        .name("cred-process".into())
        .stack_size(64 * 1024);
    if let Err(error) = spawned.spawn(read) {
        log::warn!("no thread to read credential_process with: {error}");
    }
    receiver
}

/// `None` when the time is over or the stop is requested, and the child still runs.
fn wait(child: &mut Child, limit: Duration, stop: &Stop) -> Option<ExitStatus> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if started.elapsed() < limit && !stop.wait(LOOK_EVERY) => {}
            _ => return None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    version: Option<serde_json::Value>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    expiration: Option<String>,
}

/// Reads what was printed; the error never quotes it.
fn parse(output: &[u8], source: &str) -> Result<Credentials, String> {
    let parsed: Result<Output, _> = serde_json::from_slice(output);
    let Ok(output) = parsed else {
        return Err(String::from("did not print a JSON object with credentials"));
    };
    if output.version != Some(serde_json::Value::from(1)) {
        return Err(String::from("did not print \"Version\": 1"));
    }
    let given = |value: Option<String>, name: &str| {
        value
            .map(Secret::new)
            .ok_or_else(|| format!("did not print {name}"))
    };
    let expires_at = match output.expiration {
        None => None,
        Some(text) => Some(UnixMs::parse(&text).ok_or("printed an Expiration that is no time")?),
    };
    Ok(Credentials {
        access_key_id: given(output.access_key_id, "AccessKeyId")?,
        secret_access_key: given(output.secret_access_key, "SecretAccessKey")?,
        session_token: output.session_token.map(Secret::new),
        expires_at,
        source: source.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "credential_process of profile \"edge\"";

    #[test]
    fn the_printed_object_is_read_and_never_quoted() {
        let whole = r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"hunter2",
            "SessionToken":"tok","Expiration":"2026-11-22T10:00:00Z","AccountId":"1"}"#;
        let read = parse(whole.as_bytes(), SOURCE).unwrap();
        assert_eq!(read.secret_access_key.expose(), "hunter2");
        assert_eq!(read.expires_at, Some(UnixMs(1_795_341_600_000)));
        let lasting = r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"hunter2"}"#;
        let read = parse(lasting.as_bytes(), SOURCE).unwrap();
        assert_eq!((read.session_token, read.expires_at), (None, None));
        let cases = [
            ("hunter2", "JSON"),
            ("[]", "JSON"),
            (
                r#"{"Version":"1","AccessKeyId":"AK","SecretAccessKey":"hunter2"}"#,
                "Version",
            ),
            (
                r#"{"AccessKeyId":"AK","SecretAccessKey":"hunter2"}"#,
                "Version",
            ),
            (
                r#"{"Version":1,"SecretAccessKey":"hunter2"}"#,
                "AccessKeyId",
            ),
            (
                r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":null}"#,
                "SecretAccessKey",
            ),
            (
                r#"{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"hunter2","Expiration":"x"}"#,
                "Expiration",
            ),
        ];
        for (output, wanted) in cases {
            let error = parse(output.as_bytes(), SOURCE).unwrap_err();
            assert!(
                error.contains(wanted) && !error.contains("hunter2"),
                "{output}: {error}"
            );
        }
    }
}
