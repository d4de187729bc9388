//! The program from the outside: exit codes, and what goes to stdout and to stderr.

use std::process::{Command, Output, Stdio};

const HERE: &str = "region = \"eu-central-1\"\n";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediapackage2mqtt"));
    command.env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    let output = program().args(arguments).output();
    output.expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn help_and_version_go_to_stdout() {
    let cases: &[(&[&str], &str)] = &[
        (&["--help"], "Usage: mediapackage2mqtt COMMAND"),
        (&["check", "-h"], "Usage: mediapackage2mqtt COMMAND"),
        (
            &["--version"],
            concat!("mediapackage2mqtt ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        (
            &["-V"],
            concat!("mediapackage2mqtt ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
    ];
    for (arguments, wanted) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text(&output.stdout).contains(wanted), "{arguments:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn wrong_usage_goes_to_stderr_and_exits_with_2() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "no command is given"),
        (&["runn"], "unknown command \"runn\"; the nearest is run"),
        (&["run", "--confog", "x"], "the nearest is --config"),
        (&["once", "--force"], "--force is an option of clean"),
        (
            &["run", "--config", "/does/not/exist.toml"],
            "/does/not/exist.toml: cannot be read",
        ),
    ];
    for (arguments, wanted) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = text(&output.stderr);
        assert!(told.contains(wanted), "{arguments:?}: {told}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
}

#[test]
fn a_wrong_config_exits_with_2_and_tells_file_line_and_key_of_every_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let faulty = "regoin = \"x\"\n[mqtt]\nurl = \"mqtt://u:hunter2@b\"\n[cloudwatch]\nsettle = 1\n";
    std::fs::write(&path, faulty).expect("the config");
    let file = path.to_str().expect("a path in UTF-8");
    for command in ["run", "check", "once"] {
        let output = run(&[command, "--config", file]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let told = text(&output.stderr);
        let wanted = [
            format!("{file}:1: regoin: unknown key; the nearest known one is region"),
            format!("{file}:1: region: is missing"),
            format!("{file}:3: [mqtt] url: a URL must not hold a user or a password"),
            format!("{file}:5: [cloudwatch] settle: must be a text in quotes"),
        ];
        assert_eq!(told.lines().count(), wanted.len(), "{told}");
        for (line, wanted) in told.lines().zip(&wanted) {
            assert!(line.starts_with(wanted), "{line}");
        }
        assert!(!told.contains("hunter2"), "{told}");
    }
    let under_systemd = program()
        .args(["run", "--config", file])
        .env("JOURNAL_STREAM", "8:1")
        .output()
        .expect("the program starts");
    let told = text(&under_systemd.stderr);
    assert!(told.lines().all(|line| line.starts_with("<3>/")), "{told}");
}

#[test]
fn the_url_for_sns_is_told_or_what_is_missing_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let sns = "\n[sns]\ntopic_arns = [\"arn:aws:sns:eu-central-1:123456789012:mp\"]\n";
    let public = "public_url = \"https://edge.example.net:2000\"\n";
    let secret = "path_secret = \"hunter2\"\n";
    // HMAC-SHA256("hunter2", "eu-central-1"), its first half, by another program.
    let token = "https://edge.example.net:2000/88432b6b3735c12fbec29164407b6107";
    let cases = [
        (String::new(), 2, "there is no [sns] table"),
        (sns.to_owned(), 2, "[sns] public_url is missing"),
        (
            format!("{sns}{public}"),
            0,
            "https://edge.example.net:2000/\n",
        ),
        (format!("{sns}{public}{secret}"), 0, token),
    ];
    for (more, code, wanted) in cases {
        std::fs::write(&path, format!("{HERE}{more}")).expect("the config");
        let output = program().arg("subscribe-url").arg("-c").arg(&path).output();
        let output = output.expect("the program starts");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{err}");
        let told = if code == 0 { out } else { err };
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut child = program()
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .expect("the program starts");
    // Either it writes into a closed pipe or it was faster: both end well.
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}
